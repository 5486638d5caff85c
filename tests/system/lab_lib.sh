#!/bin/sh
# What every test with machines of its own shares: a lab that is taken down however it ends, and TAP.
# Sourced, never run; needs $label, one letter that no other test has. Judges nothing itself.
# shellcheck disable=SC2034,SC2154
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
if [ "$(id -u)" != 0 ]; then
    echo '1..0 # SKIP needs root'
    exit 0
fi
UDATSU_LAB_LABEL=$(printf '%s%03x' "${label:?}" $(($$ % 4096)))
export UDATSU_LAB_LABEL
lab=$root/deploy/lab
state=/var/tmp/udatsu-lab-$UDATSU_LAB_LABEL
trap '"$lab/down.sh"' EXIT
trap 'exit 1' HUP INT TERM

said=$state/said
. "$root/tests/tap.sh"
soon() { # command...; the deadline is a bound, not a measure
    end=$(($(date +%s) + 60))
    until "$@"; do
        [ "$(date +%s)" -lt $end ] || return 1
        sleep 0.1
    done
}
on() { "$lab/enter.sh" "$@"; }                     # machine, command...
pid_in() { cat "$state/machines/$1/init/$2.pid"; } # machine, program: pid in the machine
other_pid() { [ "$(pid_in "$1" "$2")" != "$3" ]; }
digest() { sed -n "s/^$1 //p" "$build/guest/images"; }
