#!/bin/sh
# two thousand fresh seeds of twelve nodes in fifteen minutes of one core, and none is bad
set -eu
. "$(dirname -- "$0")/../lib.sh"
deploy/lab/build.sh build
log=$checkout/build/accept-seeds.log
first=$(($(od -An -N4 -tu4 /dev/urandom) + 1000000))
printf 'shown: first seed %s\n' "$first"
began=$(date +%s)
lived() {
    taskset -c 0 build/tests/sim/udatsu-sim --seeds 2000 --first-seed "$first" --nodes 12 \
        --twice-every 100 >"$log" 2>&1
}
status=0
lived || status=$?
spent=$(($(date +%s) - began))
grep -E '^seed|^[0-9]+ seeds|^each seed|^most|never came up' "$log"
number() { sed -n "s/.*$1.*/\\1/p" "$log" | tail -n 1; }
seconds=$(number ' \([0-9]*\) virtual s, [0-9]* entries')
must '0 violations, and no row of the table is zero' [ $status = 0 ]
must 'each seed lived 200 virtual seconds' [ "$(number 'at least \([0-9]*\) virtual s')" -ge 200 ]
must 'each seed was given 500 commands' [ "$(number ' \([0-9]*\) commands')" -ge 500 ]
must 'each seed was struck 20 times' [ "$(number ' \([0-9]*\) strikes')" -ge 20 ]
must 'every hundredth seed was lived twice, with equal hashes' [ "$(number 'twice \([0-9]*\)$')" = 20 ]
printf 'shown: %s virtual s in %s s: %s virtual hours an hour\n' \
    "$seconds" "$spent" $((seconds / (spent > 0 ? spent : 1)))
must 'it took fifteen minutes at most' [ "$spent" -le 900 ]
must 'five hundred virtual hours an hour' [ $((seconds / spent)) -ge 500 ]
