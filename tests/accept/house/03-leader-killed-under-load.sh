#!/bin/sh
# 40 networks, 152 instances, 8 starts with keys and retries while the leader dies three times
set -eu
. "$(dirname -- "$0")/../lib.sh"
lab_is_up
older=$(qemus | wc -l)
work=$(mktemp -d)
tenant=load-$$
touch "$work/answered" "$work/lost"
trap 'rm -rf "$work"' EXIT
"$udatsu" tenant create $tenant --cap vcpus=400,memory=64G,instances=400,networks=100
"$udatsu" --tenant $tenant network create base --cidr 10.9.0.0/16

once() { # key, arguments; repeats with the same key until it has an answer
    key=$1
    shift
    tries=0
    until "$udatsu" --no-wait --idempotency-key "$key" --tenant $tenant "$@" >/dev/null \
        2>>"$work/refused"; do
        tries=$((tries + 1))
        if [ $tries -ge 120 ]; then
            echo "$key" >>"$work/lost"
            return 0
        fi
        sleep 0.5
    done
    echo "$key" >>"$work/answered"
}
# Every guest that ever runs meanwhile, by node and pid: one that is started anew is seen twice.
watch_guests() {
    while [ -e "$work" ]; do
        qemus >>"$work/seen" || true
        sleep 1
    done
}
watch_guests &
for number in $(seq 40); do
    once "net-$number" network create "net-$number" --cidr "10.8.$number.0/24"
done &
parts=$!
for part in 0 1 2 3; do
    for number in $(seq $((part * 38 + 1)) $((part * 38 + 38))); do
        once "vm-$number" instance create "vm-$number" --stopped --image plain --vcpus 1 \
            --memory 96M --network base
        if [ $((number % 38)) -le 2 ] && [ $((number % 38)) -ge 1 ]; then
            once "start-$number" instance start "vm-$number"
        fi
    done &
    parts="$parts $!"
done
leads() { [ -n "$(leader)" ]; }
answered() { [ "$(wc -l <"$work/answered")" -ge "$1" ]; }
# By what was done, not by the clock: a fast machine has its kills in the middle, too.
for kill in 1 2 3; do
    must "requests are answered before kill $kill" within 60 answered $((kill * 30))
    must "somebody leads before kill $kill" within 30 leads
    must "requests are under way at kill $kill" test "$(wc -l <"$work/answered")" -lt 200
    dying=$(leader)
    on "$dying" pkill -KILL -x udatsu-engine
done
# shellcheck disable=SC2086
wait $parts
must 'every request had its answer' test ! -s "$work/lost"
must '200 requests were made' test "$(sort -u "$work/answered" | wc -l)" = 200
each_once() { # noun, how many
    names=$(items "$1" .name --tenant $tenant)
    [ "$(printf '%s\n' "$names" | wc -l)/$(printf '%s\n' "$names" | sort -u | wc -l)" = "$2/$2" ]
}
must '40 networks and the first one, each once' each_once network 41
must '152 instances, each once' each_once instance 152
all_run() { [ "$(count instance 'select(.state == "running") | .name' --tenant $tenant)" = 8 ]; }
must 'eight run' within 180 all_run
quota() { "$udatsu" -o json quota show $tenant | jq -r "$1"; }
ledger_is_inventory() {
    [ "$(quota .used.instances)/$(quota .held.instances)" = 152/0 ] &&
        [ "$(quota .used.networks)/$(quota .held.networks)" = 41/0 ] &&
        [ "$("$udatsu" -o json cluster status | jq .ledger_mismatches)" = 0 ]
}
must 'the ledger equals the inventory' ledger_is_inventory
must 'the replicas agree' within 30 controllers_agree
qemus >>"$work/seen"
only_once() {
    [ "$(qemus | wc -l)" = $((older + 8)) ] && [ "$(sort -u "$work/seen")" = "$(qemus | sort)" ]
}
must 'these eight and the older guests kept their QEMU throughout' only_once
for number in 1 2; do
    for part in 0 1 2 3; do
        "$udatsu" --tenant $tenant --yes instance delete "vm-$((part * 38 + number))" >/dev/null
    done
done
