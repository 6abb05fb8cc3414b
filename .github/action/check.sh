#!/usr/bin/env bash
# Runs `pullthru check` once: the log, the step's summary, and files for the steps behind it. The exit code is check's.
#
# PULLTHRU       the program
# PATHS          files and directories, one a line, or none
# DIRECTORY      where the repository is
# CHANGED_FILES  auto, true or false; SINCE or BASE_SHA what they are compared with; TOKEN fetches it
# CONFIG, ACCOUNT, REGION, FIX, FORMAT, FAIL_ON, BASELINE  as the inputs of the action
set -euo pipefail

# pull_request_target runs with the base's rights, maybe on a stranger's files: files are never changed there.
if [ "$FIX" = true ] && [ "${GITHUB_EVENT_NAME:-}" = pull_request_target ]; then
    echo "::error title=pullthru::fix is not for pull_request_target, which runs with the rights of the base"
    exit 2
fi

cd "$DIRECTORY"
place=$RUNNER_TEMP/pullthru
mkdir -p "$place"
rm -f "$place"/values "$place"/report.json "$place"/results.sarif "$place"/page.md

options=(--format "$FORMAT" --fail-on "$FAIL_ON")
options+=(--output "values=$place/values" --output "json=$place/report.json")
options+=(--output "sarif=$place/results.sarif" --output "markdown=$place/page.md")
[ -z "$CONFIG" ] || options+=(--config "$CONFIG")
[ -z "$ACCOUNT" ] || options+=(--account "$ACCOUNT")
[ -z "$REGION" ] || options+=(--region "$REGION")
[ -z "$BASELINE" ] || options+=(--baseline "$BASELINE")
[ "$FIX" != true ] || options+=(--fix)

# A checkout holds one commit. The base is fetched beside it; the token is in the environment of that one process, and in
# no argument.
fetch_base() {
    local login
    login=$(printf 'x-access-token:%s' "$TOKEN" | base64 | tr -d '\n')
    GIT_TERMINAL_PROMPT=0 GIT_CONFIG_COUNT=1 \
        GIT_CONFIG_KEY_0="http.${GITHUB_SERVER_URL:-https://github.com}/.extraheader" \
        GIT_CONFIG_VALUE_0="AUTHORIZATION: basic $login" \
        git fetch --quiet --no-tags --depth=1 origin "$1"
}

case $CHANGED_FILES in
    auto | true)
        base=$SINCE
        if [ -z "$base" ] && [ -n "$BASE_SHA" ]; then
            if ! git cat-file -e "$BASE_SHA^{commit}" 2>/dev/null && ! fetch_base "$BASE_SHA"; then
                echo "::error title=pullthru::the base $BASE_SHA cannot be fetched: check out with fetch-depth 0, or give since"
                exit 3
            fi
            # Where the branch was forked, if as much history is there; the merge that GitHub checks out needs none.
            base=$(git merge-base "$BASE_SHA" HEAD 2>/dev/null || echo "$BASE_SHA")
        fi
        if [ -n "$base" ]; then
            options+=(--since "$base")
        elif [ "$CHANGED_FILES" = true ]; then
            echo "::error title=pullthru::this event has no base that files could be compared with: give since"
            exit 2
        fi
        ;;
    false) ;;
    *)
        echo "::error title=pullthru::changed-files is auto, true or false"
        exit 2
        ;;
esac

named=()
while IFS= read -r path; do
    [ -z "$path" ] || named+=("$path")
done <<< "$PATHS"

code=0
"$PULLTHRU" check "${options[@]}" -- ${named[@]+"${named[@]}"} || code=$?

if [ -s "$place/values" ]; then
    {
        cat "$place/values"
        echo "sarif_file=$place/results.sarif"
        echo "report_file=$place/report.json"
        echo "page_file=$place/page.md"
    } >> "$GITHUB_OUTPUT"
    # The format of annotations writes the summary itself.
    [ "$FORMAT" = github ] || cat "$place/page.md" >> "$GITHUB_STEP_SUMMARY"
fi
exit "$code"
