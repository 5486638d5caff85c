#!/bin/sh
# An entry that kills whoever applies it (INV-LOG-8): three deaths on one index, as the mark that
# outlives the process tells them, and the replica applies nothing more. It is named in the cell's
# status, answers stale reads and says so; the others serve on. The marks of three deaths are made
# by hand, two for the guard off: the controller tries once more and lives.
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

power_off
at=$(applied c1)
writes 3
dies $((at + 2)) 3
"$lab/machine.sh" c3
shows 'three deaths on an entry: it is called poison' soon poisoned true
shows 'and named' test "$(itself c3 .poisoned_index)" = $((at + 2))
shows 'what was before it is applied, nothing after' test "$(applied c3)" = $((at + 1))
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

power_off
dies $((at + 2)) 1
"$lab/machine.sh" c3
shows 'with the mark taken away it catches up' soon agree c1 c2 c3
enough
