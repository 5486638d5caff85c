#!/bin/sh
# A controller whose log is not what it wrote: torn at its end, damaged in the middle, an older copy
# of itself. The first is cut and caught up; of the others the replica says what it found and takes
# no part, since it may have forgotten a vote (INV-LOG-1, INV-LOG-3, INV-LOG-6); two controllers
# serve on. The guard off is the same power cut with the files as they were: it comes back.
# A directory that is set back as a whole, rows and all, is bad_setback.sh's.
# Usage: bad_log.sh BUILD. Prints TAP.
set -eu
build=${1:?bad_log.sh BUILD}
. "$(dirname -- "$0")/bad_lib.sh"
begin_cell 3
data=$state/machines/c3/lib/engine
log=$state/machines/c3/init/parent.log
saved=$state/saved
number=0
writes() { # how many
    left=$1
    while [ "$left" -gt 0 ]; do
        number=$((number + 1))
        left=$((left - 1))
        "$udatsu" tenant create "t-$number" --cap vcpus=1 >/dev/null
    done
}
power_off() {
    kill -KILL "$(on --pid c3)"
    soon not on --pid c3 >/dev/null
}
power_on() {
    : >"$log"
    "$lab/machine.sh" c3
}
says() { grep -q "$1" "$log"; }
place_of() { # the last thing in the log that bears a name: FILE OFFSET
    grep -abo "$1" "$data"/journal-* | sort -t: -k2 -n | tail -n 1 | cut -d: -f1,2 | tr : ' '
}
damage() { # file, offset
    printf '\377\000\377\000' | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

is_away() { [ "$(members 'select(.name == "c3") | .reachable')" = false ]; }

writes 20
shows 'the three agree' soon agree c1 c2 c3
power_off
writes 1
power_on
shows 'after a cut of power with whole files it comes back' soon agree c1 c2 c3

# Torn: bytes behind the last record, as a write that was cut would leave them.
writes 1
soon agree c1 c2 c3 >"$said"
power_off
torn=$(place_of "t-$number")
file=${torn% *}
at=$((${torn#* } + 2000))
head -c 300 /dev/urandom | dd of="$file" bs=1 seek=$at conv=notrunc 2>/dev/null
writes 2
power_on
shows 'with rubbish behind the last record it comes back and catches up' soon agree c1 c2 c3

# Damaged where it was durable.
writes 5
soon agree c1 c2 c3 >"$said"
power_off
cp -a "$data" "$saved"
middle=$(place_of "t-$((number - 3))")
# shellcheck disable=SC2086
damage $middle
power_on
shows 'damaged in the middle it says so' soon says 'event=engine-open why="corrupt"'
says_where() { # file, offset of the damage: the record that it names holds it
    line=$(grep 'event=log-damaged' "$log" | tail -n 1)
    from=$(printf '%s\n' "$line" | sed -n 's/.* offset=\([0-9]*\) .*/\1/p')
    case $line in *"file=\"${1##*/}\""*"after_entry="*"what="*"next="*) ;; *) return 1 ;; esac
    [ -n "$from" ] && [ "$from" -le "$2" ] && [ $(($2 - from)) -lt 8192 ]
}
# shellcheck disable=SC2086
shows 'and where: the file, the place in it, the entry before, what to do' says_where $middle
shows 'the others serve on' writes 2
shows 'it is said to be away' \
    soon is_away
power_off
rm -rf "$data"
cp -a "$saved" "$data"
power_on
shows 'with its own files again it comes back' soon agree c1 c2 c3

# An older copy: the log goes back, what was applied does not.
power_off
rm -rf "$saved"
mkdir "$saved"
cp -a "$data"/journal-* "$saved/"
power_on
soon agree c1 c2 c3 >"$said"
writes 10
soon agree c1 c2 c3 >"$said"
power_off
cp -a "$data" "$state/newest"
cp -a "$saved"/journal-* "$data/"
power_on
# Its own rows tell it, if they were written in time; else the others do.
shows 'with an older copy of its log it refuses to take part' \
    soon says 'event=engine-open why="\(corrupt\|set-back\)"'
shows 'and says that the copy is older' says 'event=log-damaged.*older than the rows\|older copy of itself'
shows 'the others serve on without it' writes 2
power_off
rm -rf "$data"
cp -a "$state/newest" "$data"
power_on
shows 'with the newest copy it comes back' soon agree c1 c2 c3
shows 'nothing that was acknowledged is lost' test "$(status .tenants)" = $number
enough
