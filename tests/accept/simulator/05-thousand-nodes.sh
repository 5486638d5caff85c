#!/bin/sh
# a thousand nodes and thirty thousand instances: an hour of churn in ten minutes and 2 GiB
# 05-thousand-nodes.sh LOG SECONDS judges a run that was made before.
set -eu
. "$(dirname -- "$0")/../lib.sh"
log=${1:-$checkout/build/accept-thousand.log}
spent=${2:-}
status=0
if [ -z "$spent" ]; then
    deploy/lab/build.sh build
    first=$(fresh_seed)
    printf 'shown: seed %s\n' "$first"
    began=$(date +%s)
    build/tests/sim/udatsu-sim --seeds 1 --first-seed "$first" --nodes 1000 --controllers 3 \
        --tenants 60 --instances 520 --fill 97 --clients 150 --life 3600 --think 4000 \
        >"$log" 2>&1 || status=$?
    spent=$(($(date +%s) - began))
fi
grep -E '^seed|^[0-9]+ seeds' "$log" || true
sed -n 's/^\(each seed\|most instances\|cells\)/shown: \1/p' "$log"
must 'no violation' [ $status = 0 ]
must 'it says so itself' grep -q '^1 seeds, 0 bad, ' "$log"
must 'an hour was simulated' [ "$(number 'at least \([0-9]*\) virtual s')" -ge 3600 ]
must 'thirty thousand instances were there half of the hour' \
    [ "$(number 'median of a life \([0-9]*\)')" -ge 30000 ]
must 'and when trouble ended' [ "$(number 'when trouble ended \([0-9]*\)')" -ge 30000 ]
# Churn: more than a hundred commands for each node, and as many faults as line 1 asks of 200 s.
must 'a hundred thousand commands were given' [ "$(number ' \([0-9]*\) commands')" -ge 100000 ]
must 'it was struck 360 times' [ "$(number ' \([0-9]*\) strikes')" -ge 360 ]
memory=$(number 'of a seed \([0-9]*\) MiB')
must 'it took ten minutes at most' [ "$spent" -le 600 ]
must 'it says what memory it took' [ "$memory" -gt 0 ]
must "it took 2 GiB at most: $memory MiB" [ "$memory" -le 2048 ]
