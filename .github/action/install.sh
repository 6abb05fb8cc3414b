#!/usr/bin/env bash
# Installs pullthru: a released binary whose checksum is right, or else from this action's source. Tells the next steps its
# path as `program`.
#
# ACTION_PATH        where this action was checked out
# ACTION_REF         the revision of it that was asked for: a tag, a commit, a branch
# ACTION_REPOSITORY  owner/name of it; empty for an action of the same repository
# VERSION            `v1.2.3`, `source`, or empty
set -euo pipefail

place=$RUNNER_TEMP/pullthru
mkdir -p "$place/bin"
program=$place/bin/pullthru
[ "$RUNNER_OS" = Windows ] && program=$program.exe

done_with() {
    "$1" --version
    echo "program=$1" >> "$GITHUB_OUTPUT"
    dirname "$1" >> "$GITHUB_PATH"
    exit 0
}

# The version that this action's source is.
own=$(sed -n 's/^version = "\(.*\)"$/v\1/p' "$ACTION_PATH/Cargo.toml" | head -n 1)
wanted=$VERSION
if [ -z "$wanted" ]; then
    # A branch is ahead of its last release; tags and commits are what somebody chose.
    if [[ $ACTION_REF =~ ^v[0-9]+(\.[0-9]+)*$ || $ACTION_REF =~ ^[0-9a-f]{40}$ ]]; then wanted=$own; else wanted=source; fi
fi
if [[ $wanted != source && ! $wanted =~ ^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?$ ]]; then
    echo "::error title=pullthru::the version is no release: write v1.2.3, or source"
    exit 2
fi

# What is there already, as an earlier step or the runner's image left it.
found=$(command -v pullthru || true)
if [ -n "$found" ] && [ "v$("$found" --version | cut -d ' ' -f 2)" = "${wanted/#source/$own}" ]; then
    done_with "$found"
fi

case $RUNNER_OS-$RUNNER_ARCH in
    Linux-X64) target=x86_64-unknown-linux-musl ;;
    Linux-ARM64) target=aarch64-unknown-linux-musl ;;
    macOS-X64) target=x86_64-apple-darwin ;;
    macOS-ARM64) target=aarch64-apple-darwin ;;
    Windows-X64) target=x86_64-pc-windows-msvc ;;
    *) target= ;;
esac

get() {
    curl --fail --silent --show-error --location --proto '=https' --tlsv1.2 --retry 3 --max-time 120 --output "$2" "$1"
}

if [ "$wanted" != source ] && [ -n "$target" ] && [ -n "$ACTION_REPOSITORY" ]; then
    release=${GITHUB_SERVER_URL:-https://github.com}/$ACTION_REPOSITORY/releases/download/$wanted
    archive=pullthru-$target.tar.gz
    if get "$release/SHA256SUMS" "$place/SHA256SUMS" && get "$release/$archive" "$place/$archive"; then
        # Exactly the line of this archive; a list without it is wrong.
        line=$(awk -v name="$archive" '$2 == name || $2 == "*" name { print $1 "  " name }' "$place/SHA256SUMS")
        if command -v sha256sum >/dev/null; then check=(sha256sum --check --status -); else check=(shasum -a 256 --check --status -); fi
        if [ -z "$line" ] || ! (cd "$place" && "${check[@]}" <<< "$line"); then
            echo "::error title=pullthru::$archive of $wanted does not have the checksum that its release names"
            exit 3
        fi
        tar -xzf "$place/$archive" -C "$place/bin"
        done_with "$program"
    fi
    echo "::notice title=pullthru::$wanted cannot be downloaded for $target: it is built from source"
    if [ "$wanted" != "$own" ]; then
        echo "::error title=pullthru::this action's source is $own, not $wanted"
        exit 3
    fi
fi

if ! command -v cargo >/dev/null; then
    echo "::error title=pullthru::there is no release for this runner, and no Rust to build it (dtolnay/rust-toolchain, or rustup)"
    exit 3
fi
cargo install --locked --quiet --path "$ACTION_PATH" --root "$place"
done_with "$program"
