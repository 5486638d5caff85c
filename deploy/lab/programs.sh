#!/bin/sh
# Puts the programs of a build directory where the lab's machines find them (programs.sh BUILD).
# Copies, so that a rebuild changes no running machine, and other users can read them wherever the
# checkout lies.
set -eu
. "$(dirname -- "$0")/lib.sh"
build=${1:?programs.sh BUILD}
mkdir -p "$state/bin" "$state/machines"
chmod 755 "$state" "$state/bin" "$state/machines"
find "$build/" -path '*/tests/*' -prune -o -type f -name 'udatsu*' -perm -u+x -print |
    while read -r program; do
        # A running program keeps its old file.
        cp "$program" "$state/bin/.new"
        chmod 755 "$state/bin/.new"
        mv "$state/bin/.new" "$state/bin/${program##*/}"
    done
[ -x "$state/bin/udatsu-lab-init" ] || fail "$build holds no udatsu-lab-init; build first"
