#!/bin/sh
# One node's `host` program, driven verb by verb without agent or controllers (host_drive.c): a real
# guest boots, is observed, survives the death of host and of libvirtd, is not started twice
# (INV-VM-1), speaks only with its own addresses (INV-NET-12) and hears nobody from outside the
# underlay (INV-NET-13), both seen with the rules off, and leaves nothing when erased. Usage: node_host.sh BUILD. Prints TAP.
set -eu
build=${1:?node_host.sh BUILD}
label=h
. "$(dirname -- "$0")/node_lib.sh"
console_has() { # instance, text
    tell console "$1" 0 && echo "$answer" | grep -q -e "$2"
}
# A neighbour on the tenant's network, in a network namespace of its own on the node.
neighbour() { node ip netns exec neighbour "$@"; }
in_guest() { # command for the test image's shell
    printf '%s\n' "$1" | neighbour timeout 20 busybox nc 10.5.0.2 7777
}
# Runs the command in the guest while the neighbour listens; true if a frame matched.
seen_by_neighbour() { # filter, command in the guest
    rm -f "$state/frames"
    neighbour timeout 20 tcpdump -i peer0 -c 1 -nn -U "$1" >"$state/frames" 2>"$state/tcpdump" &
    listener=$!
    soon grep -q 'listening on' "$state/tcpdump"
    in_guest "$2" >/dev/null 2>&1 || true
    # Everything the guest sent came before the answer to this ping.
    soon neighbour ping -c 1 -W 1 10.5.0.2 >/dev/null
    [ -s "$state/frames" ] || { kill "$listener" 2>/dev/null || true; }
    wait "$listener" 2>/dev/null || true
    [ -s "$state/frames" ]
}
# A frame of segment 4100, broadcast, as another node would send it, but from the management
# network and to an address of the node: true if the neighbour sees it.
heard_from_management() { # address
    rm -f "$state/frames"
    neighbour timeout 5 tcpdump -i peer0 -c 1 -e -nn -U 'ether src 52:54:00:00:55:55' \
        >"$state/frames" 2>"$state/tcpdump" &
    listener=$!
    soon grep -q 'listening on' "$state/tcpdump"
    "$lab/enter.sh" desk python3 -c 'import socket, sys
frame = bytes.fromhex("0800000000100400" + "ff" * 6 + "525400005555" + "88b5") + bytes(46)
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(frame, (sys.argv[1], 4789))' "$1"
    wait "$listener" 2>/dev/null || true
    grep -q 0x88b5 "$state/frames"
}
forge_address='ip addr add 10.5.0.66/24 dev eth0; ping -c 3 -W 1 -I 10.5.0.66 10.5.0.9; ip addr del 10.5.0.66/24 dev eth0'
forge_mac='(ip link set eth0 down; ip link set eth0 address 52:54:00:00:66:66; ip link set eth0 up; ping -c 3 -W 1 10.5.0.9; ip link set eth0 down; ip link set eth0 address MAC; ip link set eth0 up) >/dev/null 2>&1 & sleep 5'
forge_arp='ip addr add 10.5.0.77/32 dev eth0; arping -c 3 -w 3 -U -I eth0 10.5.0.77; ip addr del 10.5.0.77/32 dev eth0'
ARP_FORGED='arp and arp[14:4] = 0x0a05004d'

begin_node host_drive test.initrd
# A file that lies about its name.
liar=$(printf '%064d' 7)
echo 'not what the name says' >"$disk/images/$liar"

begin_driver /usr/libexec/udatsu/host_drive /usr/libexec/udatsu/udatsu-host 1

start20="start 20 3 1 1 1 $kernel $initrd 7 10.5.0.2 4100"
shows 'libvirt is found' says '^event up' await up
shows 'the node says what it is, and why it emulates' \
    says 'virtualization=tcg images=2 .*KVM' survey
shows 'nothing is there at first' says '^told failure=0 reason=$' observe
shows 'a segment is made' says 'segment=7:4100:1$' ensure 7 4100 1 10.99.0.102
shows 'its flood list is the peers' sh -c "'$lab/enter.sh' n1 bridge fdb | grep -q 'dst 10.99.0.102 self'"
shows 'a newer peer list takes the place of the old' \
    says 'segment=7:4100:2$' ensure 7 4100 2 10.99.0.103
shows 'the old peer is gone' not sh -c "'$lab/enter.sh' n1 bridge fdb | grep -q 10.99.0.102"
shows 'neither device has an address' \
    test -z "$(node ip -o addr show | grep -e ' u[bx]0' || true)"
shows 'a missing image is refused' says 'failure=4 ' \
    start 20 3 1 1 1 "$(printf '%064d' 1)" "$initrd" 7 10.5.0.2 4100
shows 'a damaged image is refused (INV-VM-6)' says 'failure=3 ' \
    start 20 3 1 1 1 "$liar" "$initrd" 7 10.5.0.2 4100
shows 'an address outside the contract is refused' says 'failure=9 ' \
    start 20 3 1 1 1 "$kernel" "$initrd" 7 10.5.0.0 4100
# shellcheck disable=SC2086
shows 'a guest starts' says 'failure=0 .*instance=20:running:1:1:1$' $start20
shows 'a real kernel boots' soon console_has 20 'UDATSU-GUEST-READY .*10.5.0.2/24'
shows 'it is observed' says 'instance=20:running:1:1:1 segment=7:4100:2$' observe
shows 'its QEMU has the user of its tenant (INV-SEC-2)' \
    test "$(node stat -c %u "/proc/$(guest_pid)")" = 200003
shows 'its memory is limited' \
    sh -c "'$lab/enter.sh' n1 sh -c 'cat /sys/fs/cgroup/memory/machine/*/memory.limit_in_bytes' | grep -qx $(((96 + 160) << 20))"
shows 'its tap has a pace' sh -c "'$lab/enter.sh' n1 tc qdisc show | grep -q 'tbf .* dev ut0'"
# shellcheck disable=SC2086
shows 'a second start is refused (INV-VM-1)' says 'failure=13 ' $start20

# A neighbour on the bridge, as another guest of the tenant would be.
bridge=$(node ip -o link show type bridge | sed -n 's/^[0-9]*: \(ub[^:]*\):.*/\1/p')
tap=$(node ip -o link show | sed -n 's/^[0-9]*: \(ut[^:]*\):.*/\1/p')
mac=$(node sed 's/^fe:/52:/' "/sys/class/net/$tap/address")
forge_mac=$(echo "$forge_mac" | sed "s/MAC/$mac/")
node ip netns add neighbour
node ip link add peer1 type veth peer name peer0 netns neighbour
node ip link set peer1 master "$bridge" up
node ip -n neighbour addr add 10.5.0.9/24 dev peer0
node ip -n neighbour link set peer0 up
shows 'a neighbour reaches the guest' soon neighbour ping -c 1 -W 1 10.5.0.2
shows 'a forged address is not seen (INV-NET-12)' \
    not seen_by_neighbour 'src host 10.5.0.66' "$forge_address"
shows 'a forged MAC is not seen' not seen_by_neighbour 'ether src 52:54:00:00:66:66' "$forge_mac"
shows 'a forged ARP is not seen' not seen_by_neighbour "$ARP_FORGED" "$forge_arp"
node ip addr add 10.5.0.200/32 dev lo
# A machine answers for any address of its own on any of its interfaces, unless it is told not to.
machine_answers() { in_guest 'arping -c 2 -w 3 -I eth0 10.5.0.200' | grep -q 'Received [1-9]'; }
shows 'the machine that the guest runs on does not answer it' not machine_answers
"$lab/enter.sh" desk ip route add 10.99.0.101 via 10.98.0.101
for address in 10.98.0.101 10.99.0.101; do
    shows "no frame from the management network is heard, sent to $address (INV-NET-13)" \
        not heard_from_management "$address"
done

node nft delete table bridge udatsu
node nft delete table ip udatsu
for address in 10.98.0.101 10.99.0.101; do
    shows "with the rules off it is, sent to $address" heard_from_management "$address"
done
shows 'with the rules off the forged address is seen' \
    seen_by_neighbour 'src host 10.5.0.66' "$forge_address"
shows 'with the rules off the forged MAC is seen' \
    seen_by_neighbour 'ether src 52:54:00:00:66:66' "$forge_mac"
shows 'with the rules off the forged ARP is seen' seen_by_neighbour "$ARP_FORGED" "$forge_arp"
shows 'with the rules off the machine answers' machine_answers
shows 'the next observation closes the tap' says 'instance=20:running' observe
shows 'a tap without its rules says nothing' not neighbour ping -c 2 -W 1 10.5.0.2

qemu=$(guest_pid)
shows 'host is killed and comes back' says '^ready' restart
shows 'it finds libvirt' says '^event up' await up
shows 'it finds the guest' says 'instance=20:running:1:1:1' observe
libvirtd=$(pid_in n1 libvirtd)
node kill -KILL "$libvirtd"
shows 'it sees libvirtd die' says '^event down' await down
shows 'a killed libvirtd comes back' soon other_pid n1 libvirtd "$libvirtd"
shows 'and is found again' says '^event up' await up
shows 'with the guest' says 'instance=20:running:1:1:1' observe
shows 'which is the same process' test "$(guest_pid)" = "$qemu"
# shellcheck disable=SC2086
shows 'and is still not started twice (INV-VM-1)' says 'failure=13 ' $start20

node virsh -q -c 'qemu+unix:///system?socket=/run/libvirt/libvirt-sock' create /dev/stdin <<XML >/dev/null
<domain type='qemu'><name>foreign</name><memory unit='MiB'>32</memory>
<os><type arch='x86_64' machine='q35'>hvm</type></os></domain>
XML
shows 'a foreign domain is not told of' says '^told failure=0 reason= instance=20:running:1:1:1 segment' observe
node kill -KILL "$(guest_pid)"
shows 'the end of a killed guest is told' says '^event ended instance=20 why=2$' await ended
shows 'its log and rules are leftovers' says 'instance=20:leftovers' observe
# shellcheck disable=SC2086
shows 'it starts again' says 'failure=0 .*instance=20:running' $start20
shows 'it is destroyed' says 'failure=0 ' stop 20 force
shows 'as our doing' says '^event ended instance=20 why=3$' await ended
shows 'it is erased' says 'failure=0 ' erase 20
shows 'twice is as good as once' says 'failure=0 ' erase 20
shows 'the segment is dropped' says 'failure=0 ' drop 7 4100
shows 'nothing is left' says '^told failure=0 reason= strangers=1$' observe
shows 'no rule of the tap' not node nft list chain bridge udatsu "$tap"
shows 'no log' test -z "$(find "$disk/log/consoles" -type f)"
shows 'no device of ours' test -z "$(node ip -o link show | grep -e ' u[btx]0' || true)"
shows 'the foreign domain was left alone' node pgrep -f 'guest=foreign'
end_node
