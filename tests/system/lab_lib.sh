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

count=0
failed=0
shows() { # sentence, command...
    count=$((count + 1))
    sentence=$1
    shift
    if "$@" >"$state/said" 2>&1; then
        printf 'ok %d - %s\n' $count "$sentence"
    else
        printf 'not ok %d - %s\n' $count "$sentence"
        sed 's/^/# /' "$state/said" | tail -n 10
        [ -z "${answer:-}" ] || printf '# last answer: %s\n' "$answer"
        failed=$((failed + 1))
    fi
}
enough() { # the end of every test
    printf '1..%d\n' $count
    [ $failed = 0 ]
}
not() { ! "$@"; }
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
