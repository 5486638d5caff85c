#!/bin/sh
# A controller whose mirror's disk fails under RocksDB while its log's disk is sound: a small ext4 of
# its own, aborted by the kernel's own hook for such an error, then fully written. The mirror takes
# nothing more and the replica says that it is unfit, hands leadership over, serves reads of rows
# that are right, refuses to give out a list of leaves with a hole in it (INV-AUD-1), and begins anew
# from its log by itself when the disk is good (INV-REF-2): equal digests (INV-REF-1), nothing lost.
# The guard off is the same pressing on the sound disk: it stays fit, and its leaves are given out.
# Usage: bad_store.sh BUILD. Prints TAP.
set -eu
build=${1:?bad_store.sh BUILD}
. "$(dirname -- "$0")/bad_lib.sh"
begin_cell 3
number=0
write() {
    number=$((number + 1))
    "$udatsu" tenant create "t-$number" --cap vcpus=1 >/dev/null
}
writes() { # how many
    left=$1
    while [ "$left" -gt 0 ]; do
        left=$((left - 1))
        write
    done
}
leads() { [ "$(leader)" = "$1" ]; }
fit() { [ "$(members "select(.name == \"$1\") | .fit")" = "$2" ]; } # machine, true or false
power_off() {
    kill -KILL "$(on --pid "$1")"
    soon not on --pid "$1" >/dev/null
}
rows=/var/lib/udatsu/engine/rows
newest_table() { on "$victim" sh -c "ls $rows/*.sst" | sort | tail -n 1; }
another_table() { write && [ "$(newest_table)" != "$table" ]; }
engine_of() { on "$1" pgrep -x udatsu-engine; }

victim=$(leader)
# Power off; the mirror onto a file system of its own; power on.
power_off "$victim"
disk=$state/machines/$victim
truncate -s 96M "$disk/rows.ext4"
mkfs.ext4 -q -m 0 -e remount-ro "$disk/rows.ext4"
unshare --mount sh -c '
    mount -o loop "$1/rows.ext4" /mnt && rmdir /mnt/lost+found && cp -a "$1/lib/engine/rows/." /mnt/ &&
        chown --reference="$1/lib/engine/rows" /mnt && chmod --reference="$1/lib/engine/rows" /mnt
    ' small "$disk"
"$lab/machine.sh" "$victim"
writes 3
shows 'on a mirror with a disk of its own the three agree' soon agree c1 c2 c3
table=$(newest_table)
shows 'its mirror is written to that disk' soon another_table
shows 'pressed, and the disk is sound: it stays fit' fit "$victim" true

# A transfer is not a verb of anybody: the others are killed until the victim leads.
make_it_lead() {
    leads "$victim" || {
        on "$(leader)" pkill -KILL -x udatsu-engine
        soon write 2>/dev/null
        leads "$victim"
    }
}
shows 'it leads' soon make_it_lead

break_disk() { # the kernel's own hook: what it does when it meets an error in the file system
    device=$(on "$victim" awk -v at=$rows '$2 == at { print $1 }' /proc/self/mounts | tail -n 1)
    echo 1 >"/sys/fs/ext4/${device#/dev/}/trigger_fs_error"
    not on "$victim" touch $rows/refused
}
repaired=0
repair_disk() { # another device with what the first one kept; the engine is not asked
    repaired=$((repaired + 1))
    image=$state/repaired-$repaired
    cp --sparse=always "$disk/rows.ext4" "$image"
    fsck.ext4 -fy "$image" >/dev/null || [ $? -le 1 ]
    device=$(losetup -f --show "$image")
    on "$victim" sh -c "umount -l $rows; [ -b $device ] || mknod $device b 7 ${device#/dev/loop}
        mount $device $rows"
    losetup -d "$device" # When its last mount goes.
    on "$victim" touch $rows/taken
}
becomes_unfit() { write 2>/dev/null || fit "$victim" false; fit "$victim" false; }
engine=$(engine_of "$victim")
shows 'its disk fails: nothing can be written to it' break_disk
shows 'the mirror cannot be written: it says that it is unfit' soon becomes_unfit
leads_not() { write 2>/dev/null && now=$(leader) && [ -n "$now" ] && [ "$now" != "$victim" ]; }
shows 'it leads no more' soon leads_not
shows 'its engine did not die of it' test "$(engine_of "$victim")" = "$engine"
shows 'work goes on' writes 3
shows 'it follows the log: all three agree' soon agree c1 c2 c3
shows 'the list of leaves is whole' "$udatsu" -o json audit ls
shows 'another disk is there, with what the first one kept' repair_disk
shows 'it begins anew by itself' soon engine_says "$victim" 'the disk writes again'
shows 'from its log: all three agree' soon agree c1 c2 c3
shows 'it is fit' soon fit "$victim" true

shows 'the disk fails again' break_disk
on "$victim" pkill -KILL -x udatsu-engine
shows 'killed, it cannot start, and says so' soon engine_says "$victim" 'event=engine-open why="'
shows 'work goes on' writes 3
shows 'a good disk is there again' repair_disk
shows 'it starts by itself: all three agree' soon agree c1 c2 c3
shows 'it is fit' soon fit "$victim" true
shows 'nothing that was acknowledged is lost' test "$(status .tenants)" -ge $number
enough
