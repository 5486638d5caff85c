#!/bin/sh
# cap 10, 100 parallel creates: exactly 10; refusals say why; deleted is charged until gone
set -eu
. "$(dirname -- "$0")/../lib.sh"
lab_is_up
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
capped=capped-$$
across=across-$$
hundred() { # tenant
    creates=
    for number in $(seq 100); do
        "$udatsu" --tenant "$1" instance create "vm-$number" --stopped --image plain --vcpus 1 \
            --memory 96M --network net >/dev/null 2>"$work/said-$number" &
        creates="$creates $!"
    done
    for create in $creates; do
        wait "$create" || true
    done
}
prepare() { # tenant
    rm -f "$work"/said-*
    "$udatsu" tenant create "$1" --cap instances=10,vcpus=100,memory=64G,networks=4 >/dev/null
    "$udatsu" --tenant "$1" network create net --cidr 10.6.0.0/24 >/dev/null
}
refusals() { # how many of the hundred name dimension, limit and usage
    grep -l 'dimension=instances limit=10 usage=10' "$work"/said-* | wc -l
}
prepare "$capped"
hundred "$capped"
must 'exactly ten' test "$(count instance .name --tenant "$capped")" = 10
must 'each of the ninety refusals names dimension, limit and usage' test "$(refusals)" = 90
prepare "$across"
engine=$(engine_of "$(leader)")
hundred "$across" &
creates=$!
begun() { [ "$(find "$work" -name 'said-*' | wc -l)" -ge 20 ]; }
within 30 begun
kill -KILL "$engine"
must 'the leader died between the creates' kill -0 $creates
wait $creates
must 'exactly ten across a leader kill' test "$(count instance .name --tenant "$across")" = 10
must 'and somebody was refused for it' test "$(refusals)" -ge 1

quota() { "$udatsu" -o json quota show "$capped" | jq -r ".$1.instances"; }
running=$(items instance .name --tenant "$capped" | head -n 1)
"$udatsu" --tenant "$capped" instance start "$running" >/dev/null
runs() { [ "$(count instance 'select(.state == "running") | .name' --tenant "$capped")" = 1 ]; }
must 'one of them runs' within 120 runs
node=$("$udatsu" -o json --tenant "$capped" instance show "$running" | jq -r .node)
on "$node" ip link set mg0 down
for name in $(items instance .name --tenant "$capped"); do
    "$udatsu" --tenant "$capped" --yes --no-wait instance delete "$name" >/dev/null
done
stays() {
    [ "$(items instance 'select(.state == "deleting" and .reason != "") | .name' --tenant "$capped")" = "$running" ]
}
must 'with its node cut off it stays deleting, with the reason' within 30 stays
must 'it alone is charged' test "$(quota used)/$(quota held)" = 1/0
id=$(items instance .id --tenant "$capped")
guest() { on "$node" pgrep -f "qemu-system.* -name guest=$id" >/dev/null; }
must 'its guest runs on' guest
on "$node" ip link set mg0 up
free() { [ "$(quota used)/$(quota held)" = 0/0 ]; }
must 'used and held are zero once the node reported it gone' within 60 free
must 'and its guest is gone' not guest
