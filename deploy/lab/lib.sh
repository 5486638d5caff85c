#!/bin/sh
# shellcheck disable=SC2034
# Names and helpers that the lab's scripts share. Sourced, never run. Decides what everything is
# called: a name carries the run label, so that several labs can live on one machine and `down`
# finds everything of its own, also when every process was killed.
#
#   label       four hex digits of the checkout's path, or UDATSU_LAB_LABEL
#   state       /var/tmp/udatsu-lab-LABEL: one directory a machine, plus bin/ and desk/
#   namespaces  ud-LABEL-mgmt, ud-LABEL-under (a bridge each), ud-LABEL-c1.., ud-LABEL-n1..
#   cgroups     /sys/fs/cgroup/CONTROLLER/udatsu-LABEL-c1..

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
label=${UDATSU_LAB_LABEL:-$(printf '%s' "$root" | sha256sum | cut -c1-4)}
state=/var/tmp/udatsu-lab-$label
management=ud-$label-mgmt
underlay=ud-$label-under
# What a guest needs on the way, 1500, plus VXLAN's 50.
underlay_mtu=1550
cgroup_root=/sys/fs/cgroup
cgroup_controllers='cpu cpuacct cpuset memory devices freezer blkio pids'

say() { printf '%s\n' "$*" >&2; }
fail() {
    say "lab: $*"
    exit 1
}
need_root() { [ "$(id -u)" = 0 ] || fail 'needs root: it makes namespaces, bridges and mounts'; }

namespace_of() { printf 'ud-%s-%s' "$label" "$1"; } # machine
cgroup_of() { printf 'udatsu-%s-%s' "$label" "$1"; } # machine

# c1..c7 are .11 to .17, n1..n99 are .101 to .199.
address_octet() {
    case $1 in
    c*) printf '%d' $((10 + ${1#c})) ;;
    n*) printf '%d' $((100 + ${1#n})) ;;
    esac
}

machines() { # those that exist, in order
    [ -d "$state/machines" ] || return 0
    find "$state/machines" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort -V
}

# Runs a command in all namespaces of a machine, as its root.
inside() { # machine, command...
    machine=$1
    shift
    pid=$(init_pid "$machine") || fail "machine $machine does not run"
    nsenter -t "$pid" -m -u -n -p -C "$@"
}

# PID 1 of the machine, as seen from here: the only process whose parent is outside.
init_pid() { # machine
    for pid in $(ip netns pids "$(namespace_of "$1")" 2>/dev/null); do
        if [ "$(sed -n 's/^NSpid:.*\t\([0-9]*\)$/\1/p' "/proc/$pid/status" 2>/dev/null)" = 1 ] &&
            [ "$(sed -n 's/^NSpid:\t//p' "/proc/$pid/status" | wc -w)" -gt 1 ]; then
            printf '%s' "$pid"
            return 0
        fi
    done
    return 1
}

# Waits until a command succeeds. The deadline is a bound, not a measure.
wait_until() { # seconds, command...
    deadline=$(($(date +%s) + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s)" -lt "$deadline" ] || return 1
        sleep 0.05
    done
}
