#!/bin/sh
# Hunts with fresh seeds for hours, on every core: ./lab nightly [--minutes M] [--into DIRECTORY].
# A seed that fails is shrunk to a case, which stays in the directory. The last line counts what the
# simulators said in this run. Exit 0 when none failed, 1 when one did, or nothing was lived. Decides
# nothing about what a failure is: the simulators do.
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
run=$into/$(date +%Y%m%d-%H%M%S)-$$ # Earlier runs keep their logs and cases, and are not counted.
mkdir "$run"
deploy/lab/build.sh build >"$run/build.log" 2>&1 || {
    tail -n 20 "$run/build.log"
    exit 1
}
end=$(($(date +%s) + minutes * 60))

hunt() { # worker: seeds until the time is over; its tables in a log, its failures as cases
    failed=0
    turn=0
    while [ $turn = 0 ] || [ "$(date +%s)" -lt "$end" ]; do
        turn=$((turn + 1))
        case=$run/case-$1-$turn
        build/tests/sim/udatsu-sim --fresh 20 --nodes 12 --shrink "$case.sim" >>"$run/$1.log" 2>&1 || {
            failed=1
            printf 'a seed failed: %s, %s\n' "$case.sim" "$run/$1.log"
        }
        first=$(($(od -An -N4 -tu4 /dev/urandom) + 1000000))
        build/tests/sim/udatsu-sim-consensus --seeds 100 --first-seed "$first" >>"$run/$1.log" 2>&1 || {
            failed=1
            printf 'consensus failed: from seed %s, %s\n' "$first" "$run/$1.log"
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
for worker in $(seq "$(nproc)"); do
    cat "$run/$worker.log"
done | awk '/^[0-9]+ seeds, [0-9]+ bad/ { seeds += $1; bad += $3 }
    END { printf "%d seeds, %d bad\n", seeds, bad; exit seeds > 0 && bad == 0 ? 0 : 1 }' || status=1
exit $status
