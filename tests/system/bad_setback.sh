#!/bin/sh
# A controller whose whole directory is set back to an older copy: log, votes, rows and keys
# together, so that nothing on its own disk can tell. It has forgotten what it acknowledged and whom
# it voted for. The others heard it further on, and it takes no part again (INV-LOG-10): it says so,
# it counts for no majority, and removing it and joining it anew heals the cell. The guard off is the
# same power cut with the directory as it was: it comes back and counts.
# Usage: bad_setback.sh BUILD. Prints TAP.
set -eu
build=${1:?bad_setback.sh BUILD}
. "$(dirname -- "$0")/bad_lib.sh"
begin_cell 3
number=0
acknowledged=0
write() { # a refused one may still be done later: no name is used twice
    number=$((number + 1))
    "$udatsu" --timeout 20s tenant create "t-$number" --cap vcpus=1 >/dev/null &&
        acknowledged=$((acknowledged + 1))
}
writes() { # how many
    left=$1
    while [ "$left" -gt 0 ]; do
        left=$((left - 1))
        write
    done
}
power_off() { # machine
    kill -KILL "$(on --pid "$1")"
    soon not on --pid "$1" >/dev/null
}
power_on() { "$lab/machine.sh" "$1"; } # machine
victim=c3
[ "$(leader)" != c3 ] || victim=c2
other=c2
[ $victim != c2 ] || other=c3
[ "$(leader)" != $other ] || other=c1
lib=$state/machines/$victim/lib
log=$state/machines/$victim/init/parent.log
says() { grep -q "$1" "$log"; }

writes 5
shows 'the three agree' soon agree c1 c2 c3
power_off $victim
cp -a "$lib" "$state/older"
power_on $victim
writes 10
shows 'further on, the three agree' soon agree c1 c2 c3
power_off $other
shows 'with its own directory it counts: two of three take writes' writes 2
power_on $other
shows 'the three agree' soon agree c1 c2 c3

power_off $victim
writes 2
rm -rf "$lib"
cp -a "$state/older" "$lib"
: >"$log"
power_on $victim
shows 'set back as a whole, it says what it is' soon says 'older copy of itself'
shows 'and does not start again' soon says 'event=engine-open why="set-back"'
is_away() { [ "$(members "select(.name == \"$victim\") | .reachable")" = false ]; }
shows 'the others serve on' writes 2
shows 'it is said to be away' soon is_away
power_off $other
shows 'it counts for no majority: nothing is acknowledged' not write
power_on $other
shows 'with the other one back writes are taken' soon write
shows 'the two agree' soon agree "$(leader)" $other
shows 'nothing that was acknowledged is lost' test "$(status .tenants)" -ge $acknowledged

gone() { [ -z "$(members "select(.name == \"$victim\") | .name")" ]; }
shows 'it is removed' "$udatsu" --yes controller remove $victim
shows 'and gone' soon gone
power_off $victim
rm -rf "$lib"
power_on $victim
octet=1${victim#c}
(umask 077 && "$udatsu" controller token $victim --rack rack-1 --site lab --country JP \
    >"$state/machines/$victim/etc/token")
shows 'it joins anew' on $victim /usr/libexec/udatsu/udatsu controller join \
    --config /etc/udatsu/machine.yaml --token-file /etc/udatsu/token \
    --link-address "10.98.0.$octet:7443" --api-address "10.98.0.$octet:8443"
shows 'the three agree' soon agree c1 c2 c3
counts() {
    [ "$(members "select(.name == \"$victim\") | .reachable")" = true ] &&
        [ "$(members "select(.name == \"$victim\") | .role")" = voter ]
}
shows 'it votes again' soon counts
power_off $other
shows 'and counts: two of three take writes' soon write
enough
