/* The proofs that go into an export, encoded as its lines carry them: one tenant's entry of the
 * signed map, and the growth of the log between two checkpoints. */
#ifndef AUDIT_MAP_H
#define AUDIT_MAP_H

#include "audit/export.h"
#include "audit/proof.h"

#include <audit.pb-c.h>

struct audit_map_entry {
    uint64_t tenant;
    struct audit_chain chain; /* As it was at the checkpoint, not as it is now. */
};

/* Takes a map back to before a leaf. Told of every leaf from `size` on, in any order, a map of now
 * is the one that the checkpoint of that size signs: a leaf carries how many its tenant had before
 * it, and the hash of the last of them. Entries ascend by tenant. False: its tenant has none. */
bool audit_map_rewind(struct audit_map_entry *entries, uint64_t count, const Wire__Leaf *leaf);
/* Leaves out who had no leaf; returns how many entries are left. */
uint64_t audit_map_settle(struct audit_map_entry *entries, uint64_t count);

/* A TenantMapProof for `tenant`. The entries are all of the signed map: ascending by tenant, those
 * without a leaf left out. False: the tenant has no entry, so nothing can be proven of it yet. */
bool audit_map_prove(
    const struct audit_map_entry *entries,
    uint64_t count,
    uint64_t tenant,
    uint8_t room[static AUDIT_PROOF_MAX],
    size_t *used_out);

/* A ConsistencyProof, 1 ≤ first ≤ second. False: a leaf could not be read. */
bool audit_growth_prove(
    const struct audit_leaves *leaves,
    uint64_t first,
    uint64_t second,
    uint8_t room[static AUDIT_PROOF_MAX],
    size_t *used_out);

#endif
