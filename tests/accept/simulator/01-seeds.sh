#!/bin/sh
# two thousand fresh seeds of twelve nodes in fifteen minutes of one core, and none is bad
# 01-seeds.sh LOG SECONDS judges a run that was made before.
set -eu
. "$(dirname -- "$0")/../lib.sh"
log=${1:-$checkout/build/accept-seeds.log}
spent=${2:-}
status=0
if [ -z "$spent" ]; then
    deploy/lab/build.sh build
    first=$(fresh_seed)
    printf 'shown: first seed %s\n' "$first"
    began=$(date +%s)
    taskset -c 0 build/tests/sim/udatsu-sim --seeds 2000 --first-seed "$first" --nodes 12 \
        --twice-every 100 >"$log" 2>&1 || status=$?
    spent=$(($(date +%s) - began))
fi
grep -E '^seed|^[0-9]+ seeds|^each seed|^most|never came up' "$log" || true
sed -n 's/^\(left out\|cells\): /shown: \1: /p' "$log"
lived=$(sed -n 's/^\([0-9]*\) seeds, .*/\1/p' "$log" | tail -n 1)
twice=$(number ', twice \([0-9]*\)')
seconds=$(number ' \([0-9]*\) virtual s, [0-9]* entries')
must '0 violations, and no row of the table is zero' [ $status = 0 ]
must 'it says so itself' grep -q '^[0-9]* seeds, 0 bad, ' "$log"
must 'no row never came up' not grep -q 'never came up' "$log"
must 'they were two thousand' [ $((${lived:-0} - twice)) = 2000 ]
must 'each seed lived 200 virtual seconds' [ "$(number 'at least \([0-9]*\) virtual s')" -ge 200 ]
must 'each seed was given 500 commands' [ "$(number ' \([0-9]*\) commands')" -ge 500 ]
must 'each seed was struck 20 times' [ "$(number ' \([0-9]*\) strikes')" -ge 20 ]
must 'every hundredth seed was lived twice, with equal hashes' [ "$twice" = 20 ]
# A cell of one is how every seed begins; none stays so.
for controllers in 3 5; do
    must "at least 100 seeds began with $controllers controllers" \
        [ "$(number " $controllers controllers \([0-9]*\),")" -ge 100 ]
done
must 'members came or went in at least 100' \
    [ "$(number 'members changed [0-9]* times in \([0-9]*\)')" -ge 100 ]
must 'laggards were given a snapshot in at least 100' \
    [ "$(number 'snapshots installed [0-9]* times in \([0-9]*\)')" -ge 100 ]
must 'builds of two feature levels were members at once in at least 100' \
    [ "$(number 'levels mixed in \([0-9]*\)')" -ge 100 ]
printf 'shown: %s virtual s in %s s: %s virtual hours an hour\n' \
    "$seconds" "$spent" $((seconds / (spent > 0 ? spent : 1)))
must 'it took fifteen minutes at most' [ "$spent" -le 900 ]
must 'five hundred virtual hours an hour' [ $((seconds / (spent > 0 ? spent : 1))) -ge 500 ]
