#!/bin/sh
# ./lab bench gives our figures with those of etcd from the same run, and each first floor is met
# Given a file, 10-bench.sh FILE judges the figures in it instead of measuring any.
set -eu
. "$(dirname -- "$0")/../lib.sh"
figures=${1:-$checkout/build/accept-bench.json}
measured() {
    mkdir -p "$checkout/build"
    ./lab bench >"$figures" 2>"$figures.err" || {
        tail -n 20 "$figures.err"
        return 1
    }
}
says() { jq -e "$1" "$figures" >/dev/null; } # jq filter
figure() { jq -r "$1 // \"no figure\"" "$figures"; } # jq filter

[ $# -gt 0 ] || must './lab bench exits 0' measured
must 'it wrote JSON, of five rounds and thirty kills in one run' \
    says '.rounds == 5 and .failover_ms.kills == 30'
must 'load average and versions are beside the figures' \
    says '(.load | length == 3) and (.load_of_rounds | length == 5) and
        ([.etcd, .rocksdb, .libraft, .kernel, .compiler] | all(. != null and . != "absent"))'
must 'both sides have figures in each round, at 1, 64, 256 and 1024 in flight' \
    says '[.sides | .etcd_1, .etcd_64, .etcd_256, .etcd_1024, .ours_1, .ours_64, .ours_256, .ours_batched |
        .per_second.rounds | length == 5 and all(. > 0)] | all'
must 'every acknowledged create exists on all replicas, those between kills, too' \
    says '(.lists.acknowledged > 0) and .lists.missing == 0 and .lists.replicas == 3 and
        .lists.rounds == 5 and .lists.after_kills == 2 * .failover_ms.kills'
must 'the scheduler has figures at 10,000 nodes: 80 %, 92 %, and both of packing' \
    says '.scheduler[0] | .nodes == 10000 and .at_80.p50_ns > 0 and .at_92.p50_ns > 0 and
        .first_reject.vcpus_percent > 0 and .demand_60.vcpus_touched_percent > 0'
must "p50 at 1 in flight is not above etcd's ($(figure .ratios.p50_at_1.median))" \
    says '(.ratios.p50_at_1.median | numbers) <= 1'
must "failover p99 is at most a second ($(figure .failover_ms.p99) ms)" \
    says '(.failover_ms.p99 | numbers) <= 1000'
must "at least 3 times etcd at 256 in flight ($(figure .ratios.rate_at_256.median))" \
    says '(.ratios.rate_at_256.median | numbers) >= 3'
must "at least 10 times etcd's better rate, batched ($(figure .ratios.rate_batched.median))" \
    says '(.ratios.rate_batched.median | numbers) >= 10'
