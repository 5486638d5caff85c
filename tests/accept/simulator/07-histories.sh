#!/bin/sh
# 40 histories of 60 s under kill -9, SIGSTOP, one-way cuts and full disks: each judged, all clean
set -eu
. "$(dirname -- "$0")/../lib.sh"
histories=${1:-40}
seconds=${2:-60}
out=$checkout/build/histories
lab_is_up
rm -rf "$out"
must "$histories histories of $seconds s are sound" \
    python3 tests/history/run.py --build "$checkout/build" --out "$out" \
    --histories "$histories" --seconds "$seconds"
count_of() { find "$out" -name "*.$1" -size +0 | wc -l; }
must 'each was recorded, and something failed in each' \
    test "$(count_of history)/$(count_of faults)" = "$histories/$histories"
for fault in ' kill c[1-3]$' ' kill c[1-3] engine$' ' kill c[1-3] api$' ' stop ' ' cut ' ' full '; do
    must "a fault of this kind struck:$fault" grep -rq -- "$fault" "$out" --include '*.faults'
done
one=$(find "$out" -name '*.history' | sort | head -n 1)
refused() {
    status=0
    build/tests/history/udatsu-judge "$out/spoilt" || status=$?
    [ $status = 1 ] # 2: it was no history.
}
for how in stale lost twice revived charged cut; do
    must "one of them can be spoilt: $how" \
        python3 tests/history/spoil.py $how "$one" "$out/spoilt"
    must 'and is then refused' refused
done
rm -f "$out/spoilt"
cat >"$out/replay.exp" <<EXPERIMENT
topology controllers=3 nodes=3 tenants=2 instances=12
trace    ${one##*/}
faults   $(basename "${one%.history}").faults
EXPERIMENT
must 'one of them is replayed in the simulator from its schedule' \
    build/tests/sim/udatsu-sim run "$out/replay.exp" --out "$out/replay.jsonl"
must 'with its requests, and each of its faults' jq -e --argjson faults \
    "$(wc -l <"${one%.history}.faults")" \
    '.verdict == "clean" and .acknowledged > 100 and .faults_struck + .faults_missed == $faults
        and .faults_missed <= 2' "$out/replay.jsonl"
must 'the replicas agree' within 60 controllers_agree
must "it was the whole line: $histories histories of $seconds s" \
    test "$histories" -ge 40 -a "$seconds" -ge 60
