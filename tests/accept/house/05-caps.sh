#!/bin/sh
# cap 10, 100 parallel creates: exactly 10; refusals say why; deleted is charged until gone
set -eu
. "$(dirname -- "$0")/../lib.sh"
lab_is_up
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
hundred() { # tenant
    for number in $(seq 100); do
        "$udatsu" --tenant "$1" -o json instance create "vm-$number" --stopped --image plain \
            --vcpus 1 --memory 96M --network net >/dev/null 2>"$work/said-$number" &
        [ $((number % 20)) -ne 0 ] || wait
    done
    wait
}
prepare() { # tenant
    rm -f "$work"/said-*
    "$udatsu" tenant create "$1" --floor vcpus=0 --cap instances=10,vcpus=100,memory=64G,networks=4
    "$udatsu" --tenant "$1" network create net --cidr 10.6.0.0/24
}
refusals_say_why() {
    for file in "$work"/said-*; do
        [ ! -s "$file" ] || grep -q 'instances.*10' "$file" || return 1
    done
}
prepare capped
hundred capped
must 'exactly ten' test "$(count instance .name --tenant capped)" = 10
must 'every refusal names dimension, limit and usage' refusals_say_why
prepare capped-kill
hundred capped-kill &
sleep 2
on "$(leader)" pkill -KILL -x udatsu-engine
wait
must 'exactly ten across a leader kill' test "$(count instance .name --tenant capped-kill)" = 10

quota() { "$udatsu" -o json quota show "$1" | jq -r ".$2.instances // 0"; }
"$udatsu" --tenant capped instance start vm-1 || true
running=$(items instance 'select(.state == "running") | .name' --tenant capped | head -n 1)
must 'one of them runs' test -n "$running"
node=$("$udatsu" -o json --tenant capped instance show "$running" | jq -r .node)
on "$node" ip link set mg0 down
for name in $(items instance .name --tenant capped); do
    "$udatsu" --tenant capped --yes --no-wait instance delete "$name"
done
stays() {
    [ "$(items instance 'select(.state == "deleting" and .reason != "") | .name' --tenant capped)" = "$running" ]
}
must 'with its node cut off it stays deleting, with the reason' within 30 stays
must 'and is charged' test "$(quota capped used)" = 1
on "$node" ip link set mg0 up
free() { [ "$(quota capped used)" = 0 ] && [ "$(quota capped held)" = 0 ]; }
must 'used and held are zero once the node reported it gone' within 60 free
