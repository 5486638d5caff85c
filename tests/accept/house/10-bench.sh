#!/bin/sh
# ./lab bench gives our figures with those of etcd from the same run, and each first floor is met
set -eu
. "$(dirname -- "$0")/../lib.sh"
figures=build/accept-bench.json
must './lab bench exits 0' sh -c "./lab bench >$figures"
must 'every acknowledged create exists on all replicas' jq -e '.valid == true' $figures
must 'p50 at 1 in flight is not above etcd' jq -e '.ratios.p50_1_in_flight <= 1' $figures
must '3 times etcd at 256 in flight' jq -e '.ratios.rate_256_unbatched >= 3' $figures
must '10 times etcd at 256 in flight, batched' jq -e '.ratios.rate_256_batched >= 10' $figures
must 'failover p99 is at most a second' jq -e '.failover_ms.p99 <= 1000' $figures
