#!/bin/sh
# Installs what is missing and builds. Usage: build.sh [DIRECTORY [MESON-OPTION]...]; the default
# directory is build. A configured directory is only rebuilt.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
cd "$root"
directory=${1:-build}
[ $# -eq 0 ] || shift
deploy/install.sh
if [ ! -e "$directory/build.ninja" ]; then
    meson setup "$directory" "$@" >"$directory.log" 2>&1 || {
        cat "$directory.log" >&2
        exit 1
    }
    rm -f "$directory.log"
fi
exec ninja -C "$directory" --quiet >&2
