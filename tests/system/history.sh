#!/bin/sh
# A short history of three real controllers that are killed, stopped and cut off from one another:
# what clients of two tenants were told is judged by tests/history, the replicas agree afterwards, and
# both tenants' exports verify (INV-LOG-7, INV-IDEM-1, INV-LED-2, INV-AUD-4). The guard off is the same
# history with one answer falsified, which is refused. Usage: history.sh BUILD. Prints TAP.
set -eu
build=${1:?history.sh BUILD}
. "$(dirname -- "$0")/bad_lib.sh"
history=$root/tests/history
out=$state/histories
begin_cell 3
digest=0000000000000000000000000000000000000000000000000000000000000001
"$udatsu" image create plain --kernel $digest --initramfs $digest >/dev/null
recorded() {
    python3 "$history/run.py" --build "$build" --out "$out" --seconds 15 --kinds kill,stop,cut
}
shows 'a history recorded while controllers fail is sound' recorded
sed 's/^/# /' "$state/said"
one=$(find "$out" -name '*.history')
broken() { grep -q '^fault at=' "${one%.history}.faults"; }
shows 'something failed meanwhile' broken
for how in stale lost twice charged; do
    spoilt() { python3 "$history/spoil.py" $how "$one" "$state/spoilt"; }
    shows "it can be spoilt: $how" spoilt
    refused() {
        status=0
        "$build/tests/history/udatsu-judge" "$state/spoilt" || status=$?
        [ $status = 1 ] # 2: it was no history.
    }
    shows 'and is then refused' refused
done
enough
