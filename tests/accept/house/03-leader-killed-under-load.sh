#!/bin/sh
# 40 networks, 152 instances, 8 starts with keys and retries while the leader dies three times
set -eu
. "$(dirname -- "$0")/../lib.sh"
lab_is_up
before=$(qemus)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$udatsu" tenant create load --floor vcpus=0 --cap vcpus=400,memory=64G,instances=400,networks=100
"$udatsu" --tenant load network create base --cidr 10.9.0.0/16

once() { # key, arguments; repeats with the same key until it has an answer
    key=$1
    shift
    tries=0
    until "$udatsu" --no-wait --idempotency-key "$key" --tenant load "$@" >/dev/null 2>>"$work/refused"; do
        tries=$((tries + 1))
        [ $tries -lt 60 ] || return 1
        sleep 0.5
    done
}
(
    for number in $(seq 40); do
        once "net-$number" network create "net-$number" --cidr "10.8.$number.0/24" ||
            echo "net-$number" >>"$work/lost"
    done
) &
for part in 0 1 2 3; do
    (
        for number in $(seq $((part * 38 + 1)) $((part * 38 + 38))); do
            once "vm-$number" instance create "vm-$number" --stopped --image plain --vcpus 1 \
                --memory 96M --network base || echo "vm-$number" >>"$work/lost"
        done
    ) &
done
for kill in 1 2 3; do
    sleep 3
    dying=$(leader)
    must "a leader was there for kill $kill" test -n "$dying"
    on "$dying" pkill -KILL -x udatsu-engine
done
wait
for number in $(seq 8); do
    once "start-$number" instance start "vm-$number" || echo "start-$number" >>"$work/lost"
done
must 'every request had its answer' test ! -s "$work/lost"
must '40 networks and the first one, each once' \
    test "$(count network 'select(.name != "") | .name' --tenant load)" = 41
must '152 instances, each once' \
    test "$(items instance .name --tenant load | sort -u | wc -l)/$(count instance .name --tenant load)" = 152/152
all_run() { [ "$(count instance 'select(.state == "running") | .name' --tenant load)" = 8 ]; }
must 'eight run' within 180 all_run
ledger_is_inventory() {
    used=$("$udatsu" -o json quota show load | jq -r '.used.instances')
    held=$("$udatsu" -o json quota show load | jq -r '.held.instances // 0')
    [ $((used + held)) = 152 ]
}
must 'the ledger equals the inventory' ledger_is_inventory
must 'the replicas agree' within 30 controllers_agree
same_guests() { [ "$(qemus | grep -cxF "$before")" = "$(printf '%s\n' "$before" | wc -l)" ]; }
must 'the older guests kept their QEMU' same_guests
