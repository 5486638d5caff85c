#!/bin/sh
# An entry that kills whoever applies it (INV-LOG-8): three deaths on one index, as the mark that
# outlives the process tells them, and the replica applies nothing more. It is named in the cell's
# status, answers stale reads and says so; the others serve on. One controller runs a build that
# dies of an entry (poison.c), while the others run the sound one. Before that, marks made by hand:
# after two deaths the controller tries once more and lives.
# Usage: bad_poison.sh BUILD. Prints TAP.
set -eu
build=${1:?bad_poison.sh BUILD}
. "$(dirname -- "$0")/bad_lib.sh"
begin_cell 3
mark=$state/machines/c3/lib/engine/mark
power_off() {
    kill -KILL "$(on --pid c3)"
    soon not on --pid c3 >/dev/null
}
dies() { # index, deaths: what struct server_mark holds after them
    python3 -c 'import struct, sys
sys.stdout.buffer.write(struct.pack("<QII", int(sys.argv[1]), int(sys.argv[2]) - 1, 1))' \
        "$1" "$2" >"$mark.new"
    cat "$mark.new" >"$mark"
    rm -f "$mark.new"
}
number=0
writes() { # how many
    left=$1
    while [ "$left" -gt 0 ]; do
        left=$((left - 1))
        write
    done
}
write() {
    number=$((number + 1))
    "$udatsu" tenant create "t-$number" --cap vcpus=1 >/dev/null
}
applied() { itself "$1" .applied_index; }
poisoned() { [ "$(itself c3 .poisoned)" = "$1" ]; }

writes 3
shows 'the three agree' soon agree c1 c2 c3
power_off
at=$(applied c1)
writes 3
dies $((at + 2)) 2
"$lab/machine.sh" c3
shows 'two deaths on an entry: it tries again, and lives' soon agree c1 c2 c3
shows 'nothing is called poison' poisoned false

# The build that dies. Its first death is the entry's; parent starts it twice more.
power_off
mkdir "$state/machines/c3/bin"
cp -a "$state/bin/." "$state/machines/c3/bin"
cp "$build/tests/system/poisoned_engine" "$state/machines/c3/bin/udatsu-engine"
"$lab/machine.sh" c3
shows 'a build that dies of one entry lives as long as there is none' soon agree c1 c2 c3
at=$(applied c1)
"$udatsu" tenant create poison --cap vcpus=1 >/dev/null
shows 'three deaths on an entry: it is called poison' soon poisoned true
poison=$(itself c3 .poisoned_index)
shows 'and named' test "$poison" -gt "$at"
shows 'what was before it is applied, nothing after' test "$(applied c3)" = $((poison - 1))
shows 'the others serve on' write
shows 'and agree' soon agree c1 c2
shows 'the poisoned one answers stale reads' \
    test "$(itself c3 .tenants)" -lt "$(itself c1 .tenants)"
unfit() { [ "$(members 'select(.name == "c3") | .fit')" = false ]; }
shows 'it is said to be unfit' soon unfit
for _ in 1 2 3 4 5; do
    on "$(leader)" pkill -KILL -x udatsu-engine
    write
done
shows 'it does not lead, whoever dies' not test "$(leader)" = c3
shows 'writes go on' write

# The sound build, and the mark taken away: nothing was lost.
power_off
rm -r "$state/machines/c3/bin"
dies "$poison" 1
"$lab/machine.sh" c3
shows 'with a sound build and the mark taken away it catches up' soon agree c1 c2 c3
enough
