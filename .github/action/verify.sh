#!/usr/bin/env bash
# Runs `pullthru verify`: does every image resolve? Asks the cache where AWS credentials are there, else the upstreams.
# Variables as in check.sh.
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/charts.sh"
cd "$DIRECTORY"
options=(--format github --charts "$CHARTS")
[ -z "$CONFIG" ] || options+=(--config "$CONFIG")
[ -z "$ACCOUNT" ] || options+=(--account "$ACCOUNT")
[ -z "$REGION" ] || options+=(--region "$REGION")
named=()
while IFS= read -r path; do
    [ -z "$path" ] || named+=("$path")
done <<< "$PATHS"
exec "$PULLTHRU" verify "${options[@]}" -- ${named[@]+"${named[@]}"}
