/* The typed rules of a tap as one nft transaction in JSON, and the check of what nft read back.
 * Pure text; host_nft.c runs nft. */
#ifndef NODE_AGENT_HOST_RULES_H
#define NODE_AGENT_HOST_RULES_H

#include "isolation/network.h"

enum { HOST_RULES_SIZE = 32 * 1024 };

/* The table, its map of taps and the three base chains: a tap of ours that is not in the map may
 * send nothing; nothing passes between our bridges and this machine itself (INV-NET-12); frames
 * of segments come over the underlay only (INV-NET-13). Safe to apply again. */
bool host_rules_base(uint32_t underlay, char *room, size_t size);
/* Replaces the chain of this tap and enters it into the map. */
bool host_rules_tap(const struct network_nic *nic, char *room, size_t size);
/* Undoes host_rules_tap; nft refuses it when there is nothing. */
bool host_rules_drop(const char *tap, char *room, size_t size);

/* The chain as `nft -j list chain` answers it: true when exactly these rules are there, in order,
 * each with a handle. */
bool host_rules_match(const struct network_nic *nic, const char *listing);
/* The next tap of ours that has a chain in `nft -j list chains bridge`'s answer; NULL: no more.
 * `at` is where to go on. */
const char *host_rules_next_tap(const char *at, char tap_out[static NETWORK_NAME]);

#endif
