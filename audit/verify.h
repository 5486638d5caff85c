/* Whether an export proves what it claims, with nothing but public keys that came on another way:
 * no cluster, no network, no trust in whoever wrote it. A streaming state machine: lines in, one
 * verdict out, which names the first wrong leaf or checkpoint and why.
 *
 * What a sound whole export proves: its leaves are exactly the first `signed_leaves` of the log
 * that the checkpoints sign (none changed, removed, added or reordered), each later checkpoint
 * extends the earlier ones, and every tenant's sub-log is complete against the signed map. What a
 * sound tenant's export proves: its leaves are exactly all of this tenant's leaves below the newest
 * checkpoint. Leaves after it are counted as not yet signed. It does not prove that no newer
 * checkpoint exists: compare its size and time with another copy (a witness's). */
#ifndef AUDIT_VERIFY_H
#define AUDIT_VERIFY_H

#include "audit/export.h"
#include "audit/proof.h"

enum { AUDIT_VERIFY_SCRATCH = 32 * 1024 };

enum audit_finding {
    AUDIT_SOUND = 1,
    AUDIT_BAD_LINE = 2,        /* Not a line of this format, or in a wrong place. */
    AUDIT_BAD_LEAF = 3,        /* Bytes that are no leaf. */
    AUDIT_LEAF_HASH = 4,       /* Leaf and its exported hash differ. */
    AUDIT_LEAF_ORDER = 5,      /* A leaf is missing, added or out of order. */
    AUDIT_LEAF_CHAIN = 6,      /* It does not follow its tenant's previous leaf. */
    AUDIT_LEAF_FOREIGN = 7,    /* Another tenant's leaf in a tenant's export. */
    AUDIT_CHECKPOINT_FORM = 8, /* Not a checkpoint. */
    AUDIT_CHECKPOINT_KEY = 9,  /* Signed by nobody whose key was given. */
    AUDIT_CHECKPOINT_SIGNATURE = 10,
    AUDIT_CHECKPOINT_ORIGIN = 11, /* Another cell's. */
    AUDIT_CHECKPOINT_ORDER = 12,  /* Size or time goes back. */
    AUDIT_CHECKPOINT_SIZE = 13,   /* It signs another number of leaves than stand before it. */
    AUDIT_CHECKPOINT_ROOT = 14,   /* It signs other leaves. */
    AUDIT_CHECKPOINT_MAP = 15,    /* It signs another tenant map than the leaves make. */
    AUDIT_TENANT_INCOMPLETE =
        16, /* The signed map knows more, fewer or other leaves of the tenant. */
    AUDIT_TENANT_UNPROVEN = 17,  /* A tenant's export without the proof of its completeness. */
    AUDIT_BAD_PROOF = 18,        /* A proof that does not hold. */
    AUDIT_TOO_MANY_TENANTS = 19, /* More than this verifier has room for. */
    AUDIT_UNSIGNED = 20,         /* No checkpoint: nothing is proven. */
};

struct audit_verdict {
    enum audit_finding finding;
    bool names_leaf;
    uint64_t leaf;              /* The first wrong leaf, by seq, when names_leaf. */
    uint64_t checkpoint;        /* Size of the wrong checkpoint, or of the newest good one. */
    uint64_t checkpoint_before; /* Size of the last good one before a wrong one. */
    uint64_t tenant;            /* Whose, for findings about tenants. */
    uint64_t lines;             /* Lines read; the last is the wrong one. */
    uint64_t signed_leaves;     /* Leaves of this export that a good checkpoint covers. */
    uint64_t unsigned_leaves;   /* Good so far, but not yet signed. */
    uint64_t log_time_ms;       /* Of the newest good checkpoint. */
};

struct audit_verify_tenant {
    uint64_t tenant;
    struct audit_chain chain;
};

struct audit_verifier {
    const struct audit_key *keys;
    uint32_t keys_count;
    struct audit_verify_tenant *tenants; /* Ascending; the caller's. */
    uint32_t tenants_count;
    uint32_t tenants_capacity;
    bool started; /* The header was read. */
    bool ended;
    bool map_due; /* A tenant's export: the last checkpoint still needs its map proof. */
    char origin[AUDIT_ORIGIN_MAX];
    struct audit_scope scope;
    struct audit_frontier frontier;
    uint64_t leaves;   /* Read so far. */
    uint64_t next_seq; /* The least seq that may come. */
    uint64_t pending;  /* checkpoint size that a consistency proof was given for; 0: none. */
    struct audit_path pending_path;
    struct audit_checkpoint last; /* Newest good checkpoint. */
    bool has_checkpoint;
    struct audit_verdict verdict;
    struct audit_export_line line;
    _Alignas(16) uint8_t scratch[AUDIT_VERIFY_SCRATCH];
};

/* Keys and tenants stay the caller's and must outlive the verifier. A tenant's export needs room
 * for one tenant, a whole one for all of the cell's. */
void audit_verify_start(
    struct audit_verifier *verifier,
    const struct audit_key *keys,
    uint32_t keys_count,
    struct audit_verify_tenant *tenants,
    uint32_t tenants_capacity);
/* One line without its line end. False: the verdict has fallen, the rest need not be read. */
bool audit_verify_line(struct audit_verifier *verifier, struct slice line);
/* After the last line. The verdict is the verifier's. */
const struct audit_verdict *audit_verify_end(struct audit_verifier *verifier);

/* A sentence for people, and a word for programs ("leaf-hash"). */
const char *audit_finding_words(enum audit_finding finding);
const char *audit_finding_name(enum audit_finding finding);

#endif
