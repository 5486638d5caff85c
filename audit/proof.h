/* Inclusion and consistency proofs of RFC 9162 §2.1.3 and §2.1.4: made from stored leaf hashes,
 * checked from nothing but the roots. */
#ifndef AUDIT_PROOF_H
#define AUDIT_PROOF_H

#include "audit/audit.h"

enum { AUDIT_PATH_MAX = AUDIT_LEVELS + 1 }; /* A consistency proof may name one node more. */

struct audit_path {
    uint32_t count;
    uint8_t node[AUDIT_PATH_MAX][AUDIT_HASH];
};

/* Where the leaf hashes of a log are kept. Making a proof reads all of them once. */
struct audit_leaves {
    void *context;
    /* False: that leaf is not there; the proof is then not made. */
    bool (*hash)(void *context, uint64_t seq, uint8_t hash_out[static AUDIT_HASH]);
};

/* index < size. False when a leaf could not be read. */
bool audit_inclusion(
    const struct audit_leaves *leaves, uint64_t index, uint64_t size, struct audit_path *path_out);
/* 1 ≤ first ≤ second. */
bool audit_consistency(
    const struct audit_leaves *leaves,
    uint64_t first,
    uint64_t second,
    struct audit_path *path_out);

/* Numbers and path come from outside; any of them may be wrong. */
bool audit_inclusion_holds(
    const uint8_t leaf_hash[static AUDIT_HASH],
    uint64_t index,
    uint64_t size,
    const struct audit_path *path,
    const uint8_t root[static AUDIT_HASH]);
bool audit_consistency_holds(
    uint64_t first,
    const uint8_t first_root[static AUDIT_HASH],
    uint64_t second,
    const uint8_t second_root[static AUDIT_HASH],
    const struct audit_path *path);

#endif
