#!/bin/sh
# a controller's disk full, then the leader's, then all, then space back: served, refused, nothing lost
set -eu
. "$(dirname -- "$0")/../lib.sh"
lab_is_up
tenant=full-$$
made=0
missing=
create() { # 10.5.MADE.0/24; remembers what was acknowledged
    made=$((made + 1))
    "$udatsu" --tenant $tenant --timeout 20s network create "net-$made" --cidr "10.5.$made.0/24" \
        >/dev/null && missing="$missing net-$made"
}
all_there() {
    there=$(items network .name --tenant $tenant)
    for name in $missing; do
        printf '%s\n' "$there" | grep -qx "$name" || return 1
    done
}
fit() { items controller "select(.name == \"$1\") | .fit" | grep -qx "$2"; } # machine, true or false
all_fit() { [ "$(count controller 'select(.fit and .reachable) | .name')" = 3 ]; }
# To the last block, again and again: the store gives some back when it drops old files.
fill() { on "$1" sh -c 'cat /dev/zero >>/var/lib/udatsu/engine/fill' 2>/dev/null || true; }
empty() { on "$1" rm -f /var/lib/udatsu/engine/fill; }
# Power off, its engine's files onto a file system of 128 MiB, power on.
small_disk() {
    disk=$state/machines/$1
    [ ! -e "$disk/engine.ext4" ] || return 0
    kill -KILL "$(deploy/lab/enter.sh --pid "$1")"
    within 30 off "$1"
    truncate -s 128M "$disk/engine.ext4"
    mkfs.ext4 -q -m 0 "$disk/engine.ext4"
    unshare --mount sh -c '
        mount -o loop "$1/engine.ext4" /mnt && rmdir /mnt/lost+found &&
            cp -a --sparse=never "$1/lib/engine/." /mnt/' small "$disk"
    deploy/lab/machine.sh "$1"
}
off() { ! deploy/lab/enter.sh --pid "$1" >/dev/null; }
leads_not() { now=$(leader) && [ -n "$now" ] && [ "$now" != "$1" ]; }
# The mirror notices when it flushes what was written: a little work, again and again.
pressed() { # machine
    fill "$1"
    sleep 1
    create 2>/dev/null || true
}
unfit_by_work() { pressed "$1" && fit "$1" false; } # machine
work_moves() { pressed "$1" && leads_not "$1"; } # machine

must 'all is well before' within 60 controllers_agree
guests=$(qemus)
for controller in c1 c2 c3; do
    small_disk $controller
    must "$controller is back, on a small disk" within 90 controllers_agree
done
"$udatsu" tenant create $tenant --cap networks=200 >/dev/null
must 'work is accepted' create

old=$(leader)
follower=c1
[ "$old" != c1 ] || follower=c2
must "$follower's disk is full: it says that it is unfit" \
    within 60 unfit_by_work $follower
must 'work goes on' create
must 'the leader stays' test "$(leader)" = "$old"
must 'nothing is lost' all_there

must "the leader's disk ($old) is full: leadership moves" within 60 work_moves "$old"
third=$(leader)
must 'to the one that is fit' fit "$third" true
must 'work goes on' create
must 'nothing is lost' all_there

refused() {
    fill "$third"
    sleep 1
    ! create 2>"$state/said-07" && grep -q 'unfit' "$state/said-07"
}
must 'all disks are full: new work is refused, with the reason' within 60 refused
missing=${missing#" net-1"}
must 'what frees room is taken' "$udatsu" --tenant $tenant --yes network delete net-1
must 'reads are served' all_there

for controller in c1 c2 c3; do
    empty $controller
done
must 'space is back: all are fit again, by themselves' within 90 all_fit
must 'work is accepted' within 30 create
must 'nothing is lost' all_there
must 'the replicas agree' within 60 controllers_agree
must 'no guest was touched' test "$(qemus)" = "$guests"
