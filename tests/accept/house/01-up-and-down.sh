#!/bin/sh
# ./lab up --once works twice, says little, elects once; down leaves nothing after a kill -9
set -eu
. "$(dirname -- "$0")/../lib.sh"
output=$checkout/build/accept-up.log
mkdir -p "$checkout/build"
spaces=$(mktemp)
trap 'rm -f "$spaces"' EXIT
loops=no
[ ! -e /dev/loop-control ] || loops=yes

# What can be left of a lab, one line each: KIND WHAT. A bridge lives as long as its network
# namespace, and that as long as a process or a mount holds it, named or not.
left_over() {
    find /run/netns -name "ud-$label-*" -printf 'namespace %f\n' 2>/dev/null
    find /proc/[0-9]*/ns/net -printf '%l process-in-namespace %p\n' 2>/dev/null |
        awk 'FNR == NR { ours[$1]; next } $1 in ours { print $2, $3 }' "$spaces" -
    find /sys/fs/cgroup -maxdepth 2 -name "udatsu-$label-*" -printf 'group %p\n' 2>/dev/null
    grep -l "udatsu-$label-" /proc/[0-9]*/cgroup 2>/dev/null | sed 's/^/process-in-group /'
    cut -d' ' -f2 /proc/[0-9]*/mounts 2>/dev/null | grep -F "$state/" | sort -u | sed 's/^/mount /'
    losetup --noheadings --raw --output NAME,BACK-FILE 2>/dev/null | grep -F "$state/" |
        sed 's/^/loop /'
    find "$state" -maxdepth 0 -printf 'directory %p\n' 2>/dev/null
}
nothing_left() {
    left_over | tee "$output.left"
    [ ! -s "$output.left" ]
}
sees() { left_over | grep -q "^$1 "; } # kind
# By the lab's own records: its namespaces and its groups.
processes() {
    find /run/netns -name "ud-$label-*" -printf '%f\n' | while read -r namespace; do
        ip netns pids "$namespace"
    done
    find /sys/fs/cgroup -path "*/udatsu-$label-*" -name cgroup.procs -exec cat {} +
}
living() { processes 2>/dev/null | sort -un | grep -vx 0 || true; }
remember_namespaces() {
    find /run/netns -name "ud-$label-*" -exec stat -L -c 'net:[%i]' {} + >"$spaces"
    [ -s "$spaces" ]
}
kill_everything() {
    # shellcheck disable=SC2046
    kill -KILL $(living) 2>/dev/null || true
    [ -z "$(living)" ]
}
# What no process of ours would leave: a stranger's process and mounts where the lab had its own.
plant() {
    setsid nsenter --net="/run/netns/ud-$label-mgmt" sleep 900 >/dev/null 2>&1 &
    mkdir -p "$state/planted"
    mount --bind "$state/planted" "$state/planted"
    [ "$loops" = no ] || {
        truncate -s 1M "$state/planted.image"
        losetup --find "$state/planted.image"
    }
}

up() { # flags
    ./lab up "$@" </dev/null >"$output" 2>"$output.err" || {
        tail -n 20 "$output.err"
        return 1
    }
}
table() { # of what the lab asks of a machine
    grep -q '^WHAT .*USED .*NOT SHOWN' "$output" &&
        for what in root kvm overlay rules cgroups landlock systemd loop clock room; do
            grep -q "^$what  *[^ ]" "$output" || return 1
        done
}
what_ran() {
    grep -q "^lab $label runs: 3 controllers, 3 nodes" "$output" &&
        [ "$(grep -c ' running ' "$output")" = 4 ]
}
short_end() {
    end=$(sed -n "/^lab $label runs:/,\$p" "$output" | wc -l)
    [ "$end" -ge 1 ] && [ "$end" -le 20 ]
}

./lab down
for run in first second; do
    must "the $run ./lab up --once exits 0" up --once
    must 'it printed the table of fallbacks' table
    must 'it printed what ran: controllers, nodes, four running instances' what_ran
    must 'its closing lines are at most twenty' short_end
    must 'elections after the first: 0' grep -q '^elections after the first: 0 ' "$output"
    must 'nothing is left' nothing_left
done
must './lab up --keep exits 0' up --keep
must 'its namespaces are known' remember_namespaces
for kind in namespace process-in-namespace group process-in-group directory; do
    must "a $kind of a running lab is seen" sees $kind
done
must 'a kill -9 of everything leaves no process' within 30 kill_everything
must 'something is planted' plant
for kind in namespace process-in-namespace group mount loop directory; do
    [ "$kind $loops" = 'loop no' ] || must "a $kind that is left is seen" sees $kind
done
must './lab down works after a kill -9 of everything' ./lab down
must 'nothing is left after it' nothing_left
