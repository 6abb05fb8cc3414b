#!/usr/bin/env bash
# Runs `pullthru check` once: the log, the step's summary, and files for the steps behind it. The exit code is check's.
#
# PULLTHRU       the program
# PATHS          files and directories, one a line, or none
# DIRECTORY      where the repository is
# CHANGED_FILES  auto, true or false; SINCE what they are compared with, else what BASE_SHA and HEAD_SHA of the pull request
#                lead to; TOKEN fetches it
# CONFIG, ACCOUNT, REGION, FIX, FORMAT, FAIL_ON, BASELINE, CHARTS  as the inputs of the action
# HEAD_REPOSITORY, IS_PULL_REQUEST  see charts.sh
set -euo pipefail

# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/charts.sh"

# pull_request_target runs with the base's rights, maybe on a stranger's files: files are never changed there.
if [ "$FIX" = true ] && [ "${GITHUB_EVENT_NAME:-}" = pull_request_target ]; then
    echo "::error title=pullthru::fix is not for pull_request_target, which runs with the rights of the base"
    exit 2
fi

cd "$DIRECTORY"
place=$RUNNER_TEMP/pullthru
mkdir -p "$place"
rm -f "$place"/values "$place"/report.json "$place"/results.sarif "$place"/page.md "$place"/charts.md

options=(--format "$FORMAT" --fail-on "$FAIL_ON")
options+=(--output "values=$place/values" --output "json=$place/report.json")
options+=(--output "sarif=$place/results.sarif" --output "markdown=$place/page.md")
[ -z "$CONFIG" ] || options+=(--config "$CONFIG")
[ -z "$ACCOUNT" ] || options+=(--account "$ACCOUNT")
[ -z "$REGION" ] || options+=(--region "$REGION")
[ -z "$BASELINE" ] || options+=(--baseline "$BASELINE")
[ "$FIX" != true ] || options+=(--fix)

options+=(--charts "$CHARTS")

# Fetches one commit. The token is in the environment of that one process, and in no argument.
fetch() {
    local login
    login=$(printf 'x-access-token:%s' "$TOKEN" | base64 | tr -d '\n')
    GIT_TERMINAL_PROMPT=0 GIT_CONFIG_COUNT=1 \
        GIT_CONFIG_KEY_0="http.${GITHUB_SERVER_URL:-https://github.com}/.extraheader" \
        GIT_CONFIG_VALUE_0="AUTHORIZATION: basic $login" \
        git fetch --quiet --no-tags "$@"
}

cannot_compare() {
    echo "::error title=pullthru::$1: check out with fetch-depth: 0, or give since"
    exit 3
}

# What a pull request itself changes: the difference to the first parent of the merge commit that GitHub checks out, else to
# where the branch was forked. The tip of the base is neither: it has what others have merged since.
pull_request_base() {
    local first second shallow
    # Parents are in the commit itself, also where a shallow checkout does not have them.
    first=$(git cat-file -p HEAD | sed -n '/^$/q; s/^parent //p' | sed -n 1p)
    second=$(git cat-file -p HEAD | sed -n '/^$/q; s/^parent //p' | sed -n 2p)
    shallow=$(git rev-parse --is-shallow-repository)
    if { [ -n "$second" ] && [ "$second" = "$HEAD_SHA" ]; } || { [ -n "$first" ] && [ "$first" = "$BASE_SHA" ]; }; then
        base=$first
        of="the first parent of the commit that was checked out"
        if ! git cat-file -e "$base^{commit}" 2>/dev/null && ! fetch --depth=1 origin "$base"; then
            cannot_compare "the commit $base cannot be fetched"
        fi
        return
    fi
    if [ "$shallow" != true ] && ! git cat-file -e "$BASE_SHA^{commit}" 2>/dev/null; then
        fetch origin "$BASE_SHA" || cannot_compare "the commit $BASE_SHA cannot be fetched"
    fi
    if ! base=$(git merge-base "$BASE_SHA" HEAD 2>/dev/null); then
        cannot_compare "this checkout is no merge commit and does not have the commit where the branch was forked"
    fi
    of="where the branch was forked"
}

base=
case $CHANGED_FILES in
    auto | true)
        base=$SINCE
        of="what since says"
        [ -n "$base" ] || [ -z "$BASE_SHA" ] || pull_request_base
        if [ -n "$base" ]; then
            echo "Changed files are those that differ from $base, $of."
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

# What the change does to the images of charts, by the image locks of both sides. Nothing is said where they are the same.
if [ -n "$base" ] && [ "$CHARTS" != off ] && [ -s "$place/values" ]; then
    diff=(--base "$base" --format markdown --exit-code)
    [ -z "$CONFIG" ] || diff+=(--config "$CONFIG")
    [ -z "$ACCOUNT" ] || diff+=(--account "$ACCOUNT")
    [ -z "$REGION" ] || diff+=(--region "$REGION")
    changed=0
    "$PULLTHRU" charts diff "${diff[@]}" > "$place/charts.md" 2> "$place/charts.err" || changed=$?
    case $changed in
        0) ;;
        1)
            { echo && cat "$place/charts.md"; } >> "$place/page.md"
            [ "$FORMAT" != github ] || { echo && cat "$place/charts.md"; } >> "$GITHUB_STEP_SUMMARY"
            ;;
        *)
            echo "::warning title=pullthru::the image locks cannot be compared"
            cat "$place/charts.err" >&2
            ;;
    esac
fi

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
