#!/bin/sh
# The main job: two tenants with floors and caps, on one and the same subnet, two instances each on
# different nodes; an operator is refused what is the tenants'; a leader is killed; the audit export
# verifies. Prints what it saw; exit 7 when something that must hold did not. job.sh NODES
set -eu
. "$(dirname -- "$0")/lib.sh"
udatsu=$state/desk/udatsu
. "$root/deploy/lab/people.sh"
nodes=${1:?job.sh NODES}
digest() { sed -n "s/^$1 //p" "$root/build/guest/images"; }
broken() {
    say "does not hold: $*"
    exit 7
}

"$udatsu" image create plain --kernel "$(digest kernel)" --initramfs "$(digest plain.initrd)" \
    >/dev/null
for tenant in acme beta; do
    "$udatsu" tenant create $tenant --floor vcpus=2,memory=256M \
        --cap vcpus=8,memory=2G,instances=8,networks=4 >/dev/null
    enrol $tenant
    as $tenant network create front --cidr 10.1.0.0/24 >/dev/null
done
# Takes the first address of beta's, so that the tenants use different ones of the same subnet.
as beta instance create spare --stopped --image plain --vcpus 1 --memory 96M --network front >/dev/null
for name in web-1 web-2; do
    for tenant in acme beta; do
        as $tenant instance create $name --image plain --vcpus 1 --memory 96M \
            --network front --spread web >/dev/null
    done
done
"$udatsu" instance ls

show() { # tenant, instance, jq filter
    as "$1" -o json instance show "$2" | jq -r "$3"
}
console_has() { # tenant, instance, text
    as "$1" instance console "$2" | grep -q "$3"
}
mac() { show "$1" "$2" '.nics[0].mac'; }
address() { show "$1" "$2" '.nics[0].address'; }

for tenant in acme beta; do
    [ "$nodes" = 1 ] || [ "$(show $tenant web-1 .node)" != "$(show $tenant web-2 .node)" ] ||
        broken "$tenant: both instances are on one node"
    for pair in 'web-1 web-2' 'web-2 web-1'; do
        from=${pair% *}
        to=${pair#* }
        wait_until 180 console_has $tenant "$from" 'UDATSU-GUEST-READY' ||
            broken "$tenant/$from does not boot"
        wait_until 180 console_has $tenant "$from" \
            "UDATSU-GUEST-SEES $(address $tenant "$to") $(mac $tenant "$to")" ||
            broken "$tenant/$from does not reach $tenant/$to"
    done
done
say 'each tenant: two instances, a real kernel each, on two nodes if there are two; they reach each other'
for name in web-1 web-2; do
    for other in web-1 web-2; do
        if console_has acme $name "$(mac beta $other)" || console_has beta $name "$(mac acme $other)"
        then
            broken "$name of one tenant sees $other of the other"
        fi
    done
done
say 'neither tenant sees the other, on the same subnet'

refused=0
"$udatsu" --tenant acme instance console web-1 >/dev/null 2>&1 || refused=$?
[ $refused = 3 ] || [ $refused = 4 ] || broken "an operator reads a tenant's console (exit $refused)"
say "an operator is refused a tenant's console"

status() { "$udatsu" -o json cluster status | jq -r "$1"; }
elections=$(status .elections)
leader=$(status .leader)
case $leader in
c[0-9])
    inside "$leader" pkill -KILL -x udatsu-engine
    as acme network create back --cidr 10.2.0.0/24 >/dev/null ||
        broken 'no write was accepted after the leader was killed'
    say "the leader ($leader) was killed; the next write was accepted"
    ;;
*) broken 'nobody leads' ;;
esac
whole() {
    [ "$(status '[.members[] | select(.reachable)] | length')" = "$(status .controllers)" ] &&
        [ "$(status '[.members[].applied_index] | unique | length')" = 1 ]
}
wait_until 60 whole || broken "$leader did not come back"
running=$(status .instances_running)
[ "$running" = 4 ] || broken "$running of 4 instances run"
[ "$(status .ledger_mismatches)" = 0 ] || broken 'the ledger does not equal the inventory'
say "$leader is back with every entry; 4 instances run; the ledger equals the inventory"

"$udatsu" audit export "$state/audit" >/dev/null
"$udatsu" audit verify "$state/audit" --key "$state/desk/log.pub" >/dev/null ||
    broken 'the audit export does not verify'
say 'the audit export verifies without the cluster'
for tenant in acme beta; do
    as $tenant audit export "$state/audit-$tenant" >/dev/null
    "$udatsu" audit verify "$state/audit-$tenant" --key "$state/desk/log.pub" >/dev/null ||
        broken "$tenant's own audit export does not prove itself complete"
done
say "each tenant's own audit export proves itself complete"
printf 'elections after the first: %d (before one leader was killed on purpose)\n' "$elections"
