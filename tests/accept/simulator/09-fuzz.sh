#!/bin/sh
# every target is fuzzed for ten minutes, nothing is left, and each decoder is reached by 95 %
# Two at a time, so nineteen targets take a little more than a hundred minutes, and both cores.
set -eu
. "$(dirname -- "$0")/../lib.sh"
seconds=${UDATSU_FUZZ_SECONDS:-600}
mkdir -p "$checkout/build"
log=$checkout/build/accept-fuzz.log
fuzzed() {
    tests/fuzz/run.sh all --seconds "$seconds" --jobs 2 --fail-under 95 >"$log" 2>&1
}
each_had_its_time() { # every target of decoders.txt ran as long as was said
    grep -v '^#' tests/fuzz/decoders.txt | cut -d: -f1 | sort -u | while read -r target; do
        grep -q "^$target: $seconds s, [1-9][0-9]* inputs run, nothing found$" "$log" || {
            printf '%s did not\n' "$target"
            return 1
        }
    done
}

status=0
fuzzed || status=$?
grep -E '^[a-z]+: |^found|check-failed|ERROR: |%$|^target|^excused|^    ' "$log" || tail -n 20 "$log"
must 'no target finds anything' [ $status != 1 ]
must "each target was fuzzed for $seconds s" each_had_its_time
must 'each decoder has 95 % of its branches taken' [ $status = 0 ]
must 'what is kept is replayed, and each spoiled decoder is found' \
    ./lab test --suite fuzz --require fuzz
