#!/bin/sh
# Runs the commands that README.md shows, exactly as written there, in the clean room, and prints
# the minutes of each. The README is the source: a command that is not in it is not run.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

# The first indented block after "## The two commands", without its comments.
commands=$(sed -n '/^## The two commands/,/^## /p' "$here/../../README.md" |
    sed -n 's/^    \(\.\/lab [^#]*[^# ]\) *\(#.*\)\{0,1\}$/\1/p')
count=$(printf '%s\n' "$commands" | grep -c '^\./lab ')
if [ "$count" != 2 ]; then
    printf 'README.md shows %s commands, not two\n' "$count" >&2
    exit 1
fi
first=$(printf '%s\n' "$commands" | sed -n 1p)
second=$(printf '%s\n' "$commands" | sed -n 2p)
exec "$here/room.sh" "$first" "$second"
