/* A tenant's network on this node: a bridge, a VXLAN end, and the list of nodes that frames are
 * flooded to. Blocks; pool threads only.
 *
 * The tenant keeps 1500 bytes; the underlay's MTU has to be 1550 (50 bytes of VXLAN over IPv4). The
 * VXLAN end learns nothing from the underlay: the flood list is the only way out, and it holds what
 * the controllers said. Neither device has an address, and no IPv6 one makes itself. */
#ifndef NODE_AGENT_HOST_NET_H
#define NODE_AGENT_HOST_NET_H

#include "base/result.h"
#include "isolation/network.h"

struct host_segment {
    uint64_t network;
    uint64_t generation; /* 0: not finished. */
    uint32_t vni;
    uint32_t underlay; /* This node's own address on the underlay, IPv4, host order. */
    uint32_t peers_count;
    uint32_t peers[LIMIT_SEGMENT_PEERS];
};

/* Makes it so, whatever was there under these two names. */
RESULT host_net_ensure(const struct host_segment *segment);
/* Removes both devices; OK when there are none. */
RESULT host_net_drop(uint64_t network);
/* A token bucket towards the guest, so that one cannot take a node's whole network. The tap exists.
 * Again is harmless. */
RESULT host_net_pace(const char *tap);
/* Segments that exist, by name and by what host_net_ensure wrote beside it (peers are not read). */
RESULT host_net_list(struct host_segment *segments, uint32_t size, uint32_t *count_out);

#endif
