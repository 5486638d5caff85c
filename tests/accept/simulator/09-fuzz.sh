#!/bin/sh
# every target is fuzzed for ten minutes, nothing is left, and each decoder is reached by 95 %
# Two at a time, so nineteen targets take a little more than a hundred minutes, and both cores.
# UDATSU_FUZZ_SECONDS makes it shorter, and then it does not pass. 09-fuzz.sh LOG [STATUS] judges a run
# that was made before.
set -eu
. "$(dirname -- "$0")/../lib.sh"
whole=600
seconds=${UDATSU_FUZZ_SECONDS:-$whole}
log=${1:-$checkout/build/accept-fuzz.log}
status=${2:-0}
each_had_its_time() { # every target of decoders.txt says itself how long it ran
    grep -v '^#' tests/fuzz/decoders.txt | cut -d: -f1 | sort -u | (
        least=
        while read -r target; do
            ran=$(sed -n "s/^$target: fuzzed for \([0-9]*\) s, [1-9][0-9]* inputs run, nothing found\$/\1/p" \
                "$log")
            if [ "${ran:-0}" -lt $whole ]; then
                printf '%s ran for %s s\n' "$target" "${ran:-no}"
                least=short
            fi
        done
        [ -z "$least" ]
    )
}
if [ $# = 0 ]; then
    mkdir -p "$checkout/build"
    tests/fuzz/run.sh all --seconds "$seconds" --jobs 2 --fail-under 95 >"$log" 2>&1 || status=$?
fi
grep -E '^[a-z]+: |^found|check-failed|ERROR: |%|^target|^excused|^    ' "$log" || tail -n 20 "$log"
sed -n 's/^\(all decoders\|excused\)/shown: \1/p' "$log"
must 'no target finds anything' [ "$status" != 1 ]
must 'each decoder has 95 % of its branches taken, and nothing else is wrong' [ "$status" = 0 ]
must "each target was really fuzzed for $whole s" each_had_its_time
[ $# -gt 0 ] || must 'what is kept is replayed, and each spoiled decoder is found' \
    ./lab test --suite fuzz --require fuzz
