#!/bin/sh
# Hunts with fresh seeds for hours, on every core: ./lab nightly [--minutes M] [--into DIRECTORY].
# A seed that fails is shrunk to a case, which stays in the directory. Exit 0 when none failed, 1
# when one did. Decides nothing about what a failure is: the simulators do.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
cd "$root"
minutes=480
into=build/nightly
while [ $# -gt 0 ]; do
    case $1 in
    --minutes) minutes=${2:?--minutes needs a number} && shift 2 ;;
    --into) into=${2:?--into needs a directory} && shift 2 ;;
    *) printf 'usage: ./lab nightly [--minutes M] [--into DIRECTORY]\n' >&2 && exit 2 ;;
    esac
done
mkdir -p "$into"
deploy/lab/build.sh build >"$into/build.log" 2>&1 || {
    tail -n 20 "$into/build.log"
    exit 1
}
end=$(($(date +%s) + minutes * 60))

hunt() { # worker: seeds until the time is over; its tables in a log, its failures as cases
    failed=0
    turn=0
    while [ "$(date +%s)" -lt "$end" ]; do
        turn=$((turn + 1))
        case=$into/case-$1-$turn
        build/tests/sim/udatsu-sim --fresh 20 --nodes 12 --shrink "$case.sim" >>"$into/$1.log" 2>&1 || {
            failed=1
            printf 'a seed failed: %s, %s\n' "$case.sim" "$into/$1.log"
        }
        first=$(($(od -An -N4 -tu4 /dev/urandom) + 1000000))
        build/tests/sim/udatsu-sim-consensus --seeds 100 --first-seed "$first" >>"$into/$1.log" 2>&1 || {
            failed=1
            printf 'consensus failed: from seed %s, %s\n' "$first" "$into/$1.log"
        }
    done
    return $failed
}

workers=
for worker in $(seq "$(nproc)"); do
    hunt "$worker" &
    workers="$workers $!"
done
status=0
for worker in $workers; do
    wait "$worker" || status=1
done
awk '/ seeds, /{seeds += $1; bad += $3} END {printf "%d seeds, %d bad\n", seeds, bad}' "$into"/*.log
exit $status
