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

# A tenant's own guest turns bad: the test image has a shell.
"$udatsu" image create test --kernel "$(digest kernel)" --initramfs "$(digest test.initrd)" || true
as acme instance create evil --image test --vcpus 1 --memory 96M --network front
show() { as acme -o json instance show "$1" | jq -r "$2"; }
node=$(show evil .node)
address=$(show evil '.nics[0].address')
tap=$(virsh_on "$node" domiflist "$(show evil .id)" | awk 'NR == 1 { print $1 }')
bridge=$(on "$node" sh -c "basename \$(readlink /sys/class/net/$tap/master)")
on "$node" ip addr add 10.1.0.250/24 dev "$bridge"
tell() { # shell lines for the guest
    printf '%s\nexit\n' "$1" | on "$node" timeout 20 busybox nc "${address%/*}" 7777
}
ready() { as acme instance console evil | grep -q UDATSU-GUEST-TEST-SHELL; }
must 'the bad guest boots' within 90 ready
peer=$(show web-1 .node)
peer_tap=$(virsh_on "$peer" domiflist "$(show web-1 .id)" | awk 'NR == 1 { print $1 }')
target=$(show web-1 '.nics[0].address')
seen() { # what the bad guest does, tcpdump filter: is it seen at the peer?
    on "$peer" timeout 12 tcpdump -c 1 -nn -i "$peer_tap" "$2" >"$state/dump" 2>/dev/null &
    dump=$!
    sleep 1
    tell "$1" >/dev/null 2>&1 || true
    wait $dump
}
forged_address="ip addr add 10.1.0.77/24 dev eth0; ping -c 4 -I 10.1.0.77 ${target%/*}; ip addr del 10.1.0.77/24 dev eth0"
forged_mac="ip neigh flush all; m=\$(cat /sys/class/net/eth0/address); ip link set eth0 down; ip link set eth0 address 52:54:00:66:66:66; ip link set eth0 up; ping -c 4 ${target%/*}; ip link set eth0 down; ip link set eth0 address \$m; ip link set eth0 up"
forged_arp="arping -U -c 4 -s 10.1.0.77 -I eth0 ${target%/*}"
must 'its own packets are seen' seen "ping -c 4 ${target%/*}" "icmp and src ${address%/*}"
must 'a forged address is not seen' not seen "$forged_address" 'src 10.1.0.77'
must 'a forged MAC is not seen' not seen "$forged_mac" 'ether src 52:54:00:66:66:66'
must 'a forged ARP is not seen' not seen "$forged_arp" 'arp and src 10.1.0.77'
on "$node" nft flush table bridge udatsu
must 'without the rules the forged address is seen' seen "$forged_address" 'src 10.1.0.77'
must 'without the rules the forged MAC is seen' seen "$forged_mac" 'ether src 52:54:00:66:66:66'
must 'without the rules the forged ARP is seen' seen "$forged_arp" 'arp and src 10.1.0.77'
as acme --yes instance delete evil
on "$node" ip addr del 10.1.0.250/24 dev "$bridge" 2>/dev/null || true
