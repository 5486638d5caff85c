/* The proofs that go into an export, encoded as its lines carry them: one tenant's entry of the
 * signed map, and the growth of the log between two checkpoints. */
#ifndef AUDIT_MAP_H
#define AUDIT_MAP_H

#include "audit/export.h"
#include "audit/proof.h"

struct audit_map_entry {
    uint64_t tenant;
    struct audit_chain chain; /* As it was at the checkpoint, not as it is now. */
};

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
