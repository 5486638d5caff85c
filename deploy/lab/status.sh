#!/bin/sh
# What of this checkout's lab runs now: machines, their programs, their guests; then what the cell
# says of itself. Changes nothing.
set -eu
. "$(dirname -- "$0")/lib.sh"
need_root
if [ -z "$(machines)" ]; then
    say 'no lab of this checkout runs; ./lab up'
    exit 1
fi
for machine in $(machines); do
    if ! pid=$(init_pid "$machine"); then
        printf '%-4s off\n' "$machine"
        continue
    fi
    programs=$(inside "$machine" ps -eo comm= | sed -n 's/^udatsu-\(.*\)/\1/p; /^libvirtd/p; /^virtlogd/p' |
        grep -vx lab-init | sort -u | tr '\n' ' ')
    guests=$(inside "$machine" ps -eo args= | grep -c '^/usr/bin/qemu-system' || true)
    printf '%-4s init=%s guests=%s programs: %s\n' "$machine" "$pid" "$guests" "$programs"
done
if [ -x "$state/desk/udatsu" ]; then
    "$state/desk/udatsu" cluster status
    printf '\nthe operator'"'"'s command: %s\n' "$state/desk/udatsu"
fi
