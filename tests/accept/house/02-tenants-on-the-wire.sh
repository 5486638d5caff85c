#!/bin/sh
# three controllers, three nodes, four guests; tenants apart; a forging guest is not seen
set -eu
. "$(dirname -- "$0")/../lib.sh"
lab_is_up
digest() { sed -n "s/^$1 //p" build/guest/images; }
virsh_on() {
    node=$1
    shift
    virsh -q -c "qemu+unix:///system?socket=$state/machines/$node/libvirt/run/libvirt-sock" "$@"
}
domains() { for node in n1 n2 n3; do virsh_on $node list --name | grep .; done | sort; }
same_domains() { [ "$(domains)" = "$(items instance 'select(.state == "running") | .id' | sort)" ]; }
nodes_used() { items instance 'select(.state == "running") | .node' | sort -u | wc -l; }

must 'three controllers' test "$(count controller .name)" = 3
must 'three nodes' test "$(count node .name)" = 3
must 'four instances run' test "$(count instance 'select(.state == "running") | .id')" = 4
must 'on two nodes or more' test "$(nodes_used)" -ge 2
must 'libvirt on each node says the same' same_domains

# Each guest asks every address of the subnet that both tenants have, and says whose MAC answered.
sees() { # tenant, instance, the tenant and instance whose MAC answered
    mac=$(as "$3" -o json instance show "$4" | jq -r '.nics[0].mac')
    [ -n "$mac" ] && as "$1" instance console "$2" | grep '^UDATSU-GUEST-SEES ' | grep -q " $mac"
}
two_nodes() { # tenant
    [ "$(items instance 'select(.state == "running") | .node' --tenant "$1" | sort -u | wc -l)" -ge 2 ]
}
for tenant in acme beta; do
    other=beta
    [ $tenant = acme ] || other=acme
    must "$tenant: its two are on two nodes" two_nodes "$tenant"
    must "$tenant: web-1 reaches web-2" within 180 sees $tenant web-1 $tenant web-2
    must "$tenant: web-2 reaches web-1" within 180 sees $tenant web-2 $tenant web-1
    for name in web-1 web-2; do
        must "$tenant: $name does not see $other's web-1" not sees $tenant $name $other web-1
        must "$tenant: $name does not see $other's web-2" not sees $tenant $name $other web-2
    done
done

# A guest of one tenant turns bad: it forges address, ARP and MAC by turns (deploy/lab/guest).
"$udatsu" image create forge --kernel "$(digest kernel)" --initramfs "$(digest forge.initrd)" || true
as acme instance create evil --image forge --vcpus 1 --memory 96M --network front
show() { as acme -o json instance show "$1" | jq -r "$2"; }
tap_of() { virsh_on "$(show "$1" .node)" domiflist "$(show "$1" .id)" | awk 'NR == 1 { print $1 }'; }
evil_node=$(show evil .node)
address=$(show evil '.nics[0].address')
address=${address%/*}
reaches() { as acme instance console evil | grep -q "UDATSU-GUEST-SEES ${target%/*} "; }
peer=web-1
[ "$(show web-1 .node)" != "$evil_node" ] || peer=web-2
target=$(show "$peer" '.nics[0].address')
must 'the bad guest boots, forges, and reaches its peer on another node' within 120 reaches
seen() { # tcpdump filter: is such a packet seen at the peer's tap within some rounds?
    on "$(show "$peer" .node)" timeout "${seconds:-40}" \
        tcpdump -c 1 -nn -i "$(tap_of "$peer")" "$1" >/dev/null 2>&1
}
must 'its honest packets are seen' seen "icmp and src $address"
must 'a forged address is not seen' not seen 'icmp and src 10.1.0.77'
must 'a forged ARP is not seen' not seen 'arp and host 10.1.0.77'
must 'a forged MAC is not seen' not seen 'ether src 52:54:00:66:66:66'

# The guard off: no rules on the bad guest's node. The node may put them back, so they go again.
rules_off() {
    while :; do
        on "$evil_node" nft flush ruleset 2>/dev/null || true
        sleep 0.5
    done
}
rules_off &
off=$!
trap 'kill $off 2>/dev/null || true' EXIT
must 'without the rules the forged address is seen' seen 'icmp and src 10.1.0.77'
must 'without the rules the forged ARP is seen' seen 'arp and host 10.1.0.77'
must 'without the rules the forged MAC is seen' seen 'ether src 52:54:00:66:66:66'
kill $off
as acme --yes instance delete evil
