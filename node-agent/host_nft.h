/* The bridge firewall, one chain for each tap, and who may bring frames of segments here; by
 * `nft -j -f -`. Blocks; pool threads only; one transaction at a time. */
#ifndef NODE_AGENT_HOST_NFT_H
#define NODE_AGENT_HOST_NFT_H

#include "base/result.h"
#include "isolation/network.h"

extern const char HOST_NFT_PATH[];

/* Makes the tables and their base chains what they have to be; `underlay` is this machine's own
 * address there, host order. */
RESULT host_nft_base(uint32_t underlay);
/* Installs the rules of a tap and reads them back: OK only if they are all there. */
RESULT host_nft_tap(const struct network_nic *nic);
/* Removes them; OK too when there are none. */
RESULT host_nft_drop(const char *tap);
/* Taps of ours that have rules; at most `size`. */
RESULT host_nft_taps(char (*taps)[NETWORK_NAME], uint32_t size, uint32_t *count_out);

#endif
