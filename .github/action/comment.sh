#!/usr/bin/env bash
# Writes PAGE as a comment on pull request NUMBER, or over the one that it wrote before. GH_TOKEN needs
# `pull-requests: write`; what a fork's pull request gets has no such right, and that is no failure of the check.
set -euo pipefail
if [ -z "$NUMBER" ]; then
    echo "no pull request: no comment"
    exit 0
fi
mark='<!-- pullthru check -->'
body=$RUNNER_TEMP/pullthru/comment.md
{
    echo "$mark"
    cat "$PAGE"
} > "$body"
comments=repos/$GITHUB_REPOSITORY/issues/$NUMBER/comments
# Its own comments only: somebody else's may quote the mark.
own=".[] | select(.user.type == \"Bot\" and (.body | startswith(\"$mark\"))) | .id"
if ! known=$(gh api --paginate "$comments" --jq "$own"); then
    echo "::warning title=pullthru::the comments of the pull request cannot be read: pull-requests write is needed"
    exit 0
fi
known=${known%%$'\n'*}
if [ -n "$known" ]; then
    written=(--method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$known")
else
    written=(--method POST "$comments")
fi
if ! gh api "${written[@]}" --field "body=@$body" --silent; then
    echo "::warning title=pullthru::the comment cannot be written: pull-requests write is needed"
fi
