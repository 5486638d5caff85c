#!/bin/sh
# Makes the two networks of the lab, each a bridge in a namespace of its own: management (where the
# operator's desk sits, too) and underlay (node to node). Nothing is made in the machine's own
# network namespace.
set -eu
. "$(dirname -- "$0")/lib.sh"
need_root

make_network() { # namespace, mtu
    ip netns list | grep -qw "$1" && return 0
    ip netns add "$1"
    ip -n "$1" link set lo up
    ip -n "$1" link add bridge type bridge stp_state 0 forward_delay 0 mcast_snooping 0
    ip -n "$1" link set bridge mtu "$2" up
}

make_network "$management" 1500
ip -n "$management" addr replace 10.98.0.1/24 dev bridge
make_network "$underlay" "$underlay_mtu"
