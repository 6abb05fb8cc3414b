# shellcheck shell=bash
# Sourced by the scripts that look at images: CHARTS becomes how those of charts are known, as --charts takes it.
#
# CHARTS           the input of the action, or empty
# IS_PULL_REQUEST, HEAD_REPOSITORY  where the branch of a pull request is
#
# What a stranger's files name is not fetched. The head of a pull request whose fork is gone has no repository.
if [ -z "$CHARTS" ]; then
    CHARTS=auto
    if [ "$IS_PULL_REQUEST" = true ] && [ "$HEAD_REPOSITORY" != "${GITHUB_REPOSITORY:-}" ]; then
        CHARTS=lock
    fi
fi
