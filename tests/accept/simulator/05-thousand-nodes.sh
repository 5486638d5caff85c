#!/bin/sh
# a thousand nodes and thirty thousand instances: an hour of churn in ten minutes and 2 GiB
set -eu
. "$(dirname -- "$0")/../lib.sh"
deploy/lab/build.sh build
log=$checkout/build/accept-thousand.log
began=$(date +%s)
status=0
build/tests/sim/udatsu-sim --seeds 1 --nodes 1000 --controllers 3 --tenants 60 --instances 520 \
    --fill 97 --clients 150 --life 3600 --think 4000 >"$log" 2>&1 || status=$?
spent=$(($(date +%s) - began))
grep -E '^seed|^[0-9]+ seeds|^each seed|^most' "$log"
number() { sed -n "s/.*$1.*/\\1/p" "$log" | tail -n 1; }
must 'no violation' [ $status = 0 ]
must 'an hour was simulated' [ "$(number 'at least \([0-9]*\) virtual s')" -ge 3600 ]
must 'thirty thousand instances were there' [ "$(number 'most instances \([0-9]*\)')" -ge 30000 ]
must 'it took ten minutes at most' [ "$spent" -le 600 ]
must 'it took 2 GiB at most' [ "$(number 'of a seed \([0-9]*\) MiB')" -le 2048 ]
