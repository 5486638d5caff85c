#!/bin/sh
# shellcheck disable=SC2034,SC2154
# What acceptance lines share. Sourced, never run. A line says with `must SENTENCE COMMAND...` what
# has to hold, and ends at the first thing that does not, whose sentence is then its reason.
checkout=$(CDPATH='' cd -- "$(dirname -- "$0")/../../.." && pwd)
cd "$checkout" || exit 1
label=${UDATSU_LAB_LABEL:-$(printf '%s' "$checkout" | sha256sum | cut -c1-4)}
state=/var/tmp/udatsu-lab-$label
udatsu=$state/desk/udatsu
. "$checkout/deploy/lab/people.sh"

must() { # sentence, command...
    sentence=$1
    shift
    if "$@"; then
        printf 'holds: %s\n' "$sentence"
    else
        printf 'does not hold: %s\n' "$sentence"
        exit 1
    fi
}
not() { ! "$@"; }
fresh_seed() { echo $(($(od -An -N4 -tu4 /dev/urandom) + 1000000)); } # Nobody has tried it.
number() { # pattern with one group: what $log says of it last, or 0
    said=$(sed -n "s/.*$1.*/\\1/p" "$log" | tail -n 1)
    printf '%s' "${said:-0}"
}
within() { # seconds, command...
    deadline=$(($(date +%s) + $1))
    shift
    until "$@"; do
        [ "$(date +%s)" -lt "$deadline" ] || return 1
        sleep 0.1
    done
}
on() { deploy/lab/enter.sh "$@"; } # machine, command...
lab_is_up() { # brings it up unless it runs
    if ! { [ -x "$udatsu" ] && "$udatsu" cluster status >/dev/null 2>&1; }; then
        ./lab up --keep </dev/null >"$checkout/build/accept-up.log" 2>&1 || {
            tail -n 20 "$checkout/build/accept-up.log"
            printf 'does not hold: ./lab up --keep succeeds\n'
            exit 1
        }
    fi
}
items() { # noun, jq filter for one item, more arguments; one line each
    noun=$1
    filter=$2
    shift 2
    "$udatsu" -o json "$@" "$noun" ls | jq -r "(.items? // .)[] | $filter"
}
count() { items "$@" | grep -c . || true; }
leader() { items controller 'select(.leader) | .name'; }
qemus() { # every QEMU of every node: NODE PID, in order
    for node in n1 n2 n3; do
        on $node pgrep -f '^/usr/bin/qemu-system.* -name guest=' 2>/dev/null | sed "s/^/$node /"
    done
}
engine_of() { # machine: its engine's pid as seen from here, to be killed without a detour
    for pid in $(ip netns pids "ud-$label-$1"); do
        if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = udatsu-engine ]; then
            echo "$pid"
        fi
    done
}
# All three are reachable and fit, have applied the same entries, and said equal digests of an equal
# index: what an auditor sees in `controller ls`.
controllers_agree() {
    said=$(items controller 'select(.reachable and .fit and .digest != "") |
        "\(.applied_index) \(.digest_index) \(.digest)"')
    [ "$(printf '%s\n' "$said" | wc -l)" = 3 ] && [ "$(printf '%s\n' "$said" | sort -u | wc -l)" = 1 ]
}
