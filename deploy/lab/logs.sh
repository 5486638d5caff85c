#!/bin/sh
# Prints the last lines that each machine's programs logged: logs.sh [LINES].
set -eu
. "$(dirname -- "$0")/lib.sh"
lines=${1:-40}
case $lines in '' | *[!0-9]*) fail "logs takes a number of lines, not $lines" ;; esac
if [ -z "$(machines)" ]; then
    say 'no lab of this checkout runs; ./lab up'
    exit 1
fi
for machine in $(machines); do
    for log in "$state/machines/$machine/init/parent.log" \
        "$state/machines/$machine/init/console.log"; do
        if [ -s "$log" ]; then
            printf '== %s %s\n' "$machine" "${log##*/}"
            tail -n "$lines" "$log"
        fi
    done
done
