/* The one door through which a leaf enters the log (INV-AUD-1): numbered in the cell's log and in
 * its tenant's sub-log, chained to the tenant's previous leaf, encoded once, hashed as encoded. */
#ifndef AUDIT_LEAF_H
#define AUDIT_LEAF_H

#include "audit/audit.h"

#include <audit.pb-c.h>

enum {
    AUDIT_LEAF_MAX = 1024, /* Bytes of one leaf: ids, digests and fixed words only. */
    AUDIT_WORD_MAX = 192,  /* Bytes of `operation` and of `reason`, without terminator. */
    AUDIT_FORMAT = 1,
};

struct audit_leaf {
    size_t size;
    uint8_t bytes[AUDIT_LEAF_MAX]; /* Canonical: what was hashed and what is kept. */
    uint8_t hash[AUDIT_HASH];
};

/* The caller fills what happened (tenant, times, actor, operation, resource, outcome …); format,
 * seq, tenant_seq and tenant_prev are set here. `chain` is the chain of leaf->tenant. Both frontier
 * and chain advance. */
void audit_record(
    struct audit_frontier *frontier,
    struct audit_chain *chain,
    Wire__Leaf *leaf,
    struct audit_leaf *leaf_out);

/* What a leaf must be, wherever it came from. */
bool audit_leaf_valid(const Wire__Leaf *leaf);

#endif
