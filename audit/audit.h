/* The Merkle log of RFC 6962 / RFC 9162 §2.1: SHA-256, a leaf is hashed after 0x00, a node after
 * 0x01. The core keeps only the frontier: the roots of the perfect subtrees that the leaves so far
 * fill, largest first, so a state of any age appends and gives its root without its leaves.
 *
 * The same tree serves three purposes: the log itself, the tenant map that a checkpoint signs, and
 * the proofs (audit/proof.h). */
#ifndef AUDIT_AUDIT_H
#define AUDIT_AUDIT_H

#include "base/slice.h"

enum {
    AUDIT_HASH = 32,
    AUDIT_LEVELS = 48, /* 2^48 leaves: a million a second for eight years. */
    AUDIT_FRONTIER_MAX = 8 + AUDIT_LEVELS * AUDIT_HASH, /* Bytes of the encoded form. */
};

/* Zero is the empty log. */
struct audit_frontier {
    uint64_t size; /* Leaves so far. */
    /* node[l] is the root of the perfect subtree of 2^l leaves; it means something, and is not
     * zero, only while bit l of size is set. */
    uint8_t node[AUDIT_LEVELS][AUDIT_HASH];
};

/* How much of one tenant's sub-log exists: kept in the state for every tenant that ever had a leaf,
 * also after the tenant itself is gone (the signed map commits to all of them), and for 0, the
 * provider. Zero is the empty sub-log. */
struct audit_chain {
    uint64_t count;
    uint8_t last[AUDIT_HASH]; /* Hash of its newest leaf; zero while count is 0. */
};

void audit_leaf_hash(struct slice bytes, uint8_t hash_out[static AUDIT_HASH]);
void audit_node_hash(
    const uint8_t left[static AUDIT_HASH],
    const uint8_t right[static AUDIT_HASH],
    uint8_t hash_out[static AUDIT_HASH]);

void audit_append(struct audit_frontier *frontier, const uint8_t leaf_hash[static AUDIT_HASH]);
/* The root of an empty log is SHA-256 of nothing (RFC 6962 §2.1). */
void audit_root(const struct audit_frontier *frontier, uint8_t root_out[static AUDIT_HASH]);

/* The one byte form, for the row and the state digest: size (8 bytes, big-endian), then the nodes
 * of the set bits, largest subtree first. Returns the bytes written. */
size_t audit_frontier_encode(
    const struct audit_frontier *frontier, uint8_t room[static AUDIT_FRONTIER_MAX]);
/* False, and nothing is written, unless the bytes are exactly what encode makes. */
bool audit_frontier_decode(struct slice bytes, struct audit_frontier *frontier_out);

/* The tenant map is the tree over the encoded TenantMapEntry of every tenant with a leaf, in
 * ascending order of tenant id (the provider's 0 first). Start with a zeroed frontier, add all in
 * order, take audit_root. An empty chain is not added. */
void audit_map_append(struct audit_frontier *map, uint64_t tenant, const struct audit_chain *chain);
/* The leaf hash that audit_map_append appends. */
void audit_map_entry_hash(
    uint64_t tenant, const struct audit_chain *chain, uint8_t hash_out[static AUDIT_HASH]);

#endif
