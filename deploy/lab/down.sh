#!/bin/sh
# Removes everything that this checkout's lab left behind, found by its label: processes,
# namespaces, cgroups, state. Works after a kill -9 of everything and in any half-made state.
# --keep-state leaves the disks. --all takes the labs of every checkout.
set -eu
. "$(dirname -- "$0")/lib.sh"
need_root
keep=no
for argument in "$@"; do
    case $argument in
    --keep-state) keep=yes ;;
    --all)
        for directory in /var/tmp/udatsu-lab-????; do
            [ ! -d "$directory" ] || UDATSU_LAB_LABEL=${directory##*-} "$0"
        done
        exit 0
        ;;
    *) fail 'usage: ./lab down [--keep-state] [--all]' ;;
    esac
done

our_namespaces() { find /run/netns -mindepth 1 -maxdepth 1 -name "ud-$label-*" -printf '%f\n' 2>/dev/null; }
our_groups() {
    find "$cgroup_root" -mindepth 2 -maxdepth 2 -type d -name "udatsu-$label-*" 2>/dev/null
}
# Everything of a machine lives in its network namespace or in its cgroups. Never ourselves.
our_processes() {
    for namespace in $(our_namespaces); do
        ip netns pids "$namespace" 2>/dev/null || true
    done
    for group in $(our_groups); do
        find "$group" -name cgroup.procs -exec cat {} + 2>/dev/null || true
    done
}

tries=0
while [ $tries -lt 100 ]; do
    processes=$(our_processes | sort -un | grep -vx -e 0 -e "$$" || true)
    [ -n "$processes" ] || break
    # shellcheck disable=SC2086
    kill -KILL $processes 2>/dev/null || true
    tries=$((tries + 1))
    sleep 0.05
done

for namespace in $(our_namespaces); do
    ip netns del "$namespace"
done
tries=0
while [ -n "$(our_groups)" ] && [ $tries -lt 100 ]; do
    for group in $(our_groups); do
        find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null || true
    done
    tries=$((tries + 1))
    [ -z "$(our_groups)" ] || sleep 0.05
done

# Mounts are private to the machines; one that is left here was made by hand.
awk -v "under=$state/" 'index($2, under) == 1 { print $2 }' /proc/self/mounts | sort -r |
    while read -r place; do
        umount -l "$place"
    done
losetup --noheadings --raw --output NAME,BACK-FILE 2>/dev/null |
    awk -v "under=$state/" 'index($2, under) == 1 { print $1 }' |
    while read -r device; do
        losetup --detach "$device"
    done
if [ $keep = no ] && [ -d "$state" ]; then
    rm -rf --one-file-system "$state"
fi

left="$(our_namespaces) $(our_groups) $(our_processes | grep -vx -e 0 -e "$$" | tr '\n' ' ')"
[ -z "$(printf '%s' "$left" | tr -d ' \n')" ] || fail "could not remove: $left"
