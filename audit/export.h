/* The lines of an export (audit/README.md gives the format): written here, read by verify.c. Each
 * writer fills a room of AUDIT_LINE_MAX with one line and its line end, and returns the bytes. */
#ifndef AUDIT_EXPORT_H
#define AUDIT_EXPORT_H

#include "audit/note.h"

enum {
    AUDIT_LINE_MAX = 8192,
    AUDIT_EXPORT_FORMAT = 1,
    AUDIT_SCOPE_MAX = 40,   /* "all", "provider" or a tenant's id, with terminator. */
    AUDIT_PROOF_MAX = 4096, /* Bytes of an encoded TenantMapProof or ConsistencyProof. */
};

/* What an export claims to hold. */
struct audit_scope {
    bool all;        /* The whole log; else only one tenant's sub-log. */
    uint64_t tenant; /* 0: the provider. */
};

enum audit_line {
    AUDIT_LINE_HEADER = 1,
    AUDIT_LINE_LEAF = 2,
    AUDIT_LINE_CHECKPOINT = 3,
    AUDIT_LINE_TENANT_MAP = 4,
    AUDIT_LINE_CONSISTENCY = 5,
};

/* One line as read; slices point into `room`. */
struct audit_export_line {
    enum audit_line kind;
    char origin[AUDIT_ORIGIN_MAX]; /* Header. */
    struct audit_scope scope;      /* Header. */
    uint8_t hash[AUDIT_HASH];      /* Leaf: the hash as exported. */
    struct slice bytes;            /* Leaf, proof: as encoded. Checkpoint: the note. */
    uint8_t room[AUDIT_LINE_MAX];
};

size_t audit_export_header(
    const char *origin, struct audit_scope scope, char room[static AUDIT_LINE_MAX]);
/* leaf.size ≤ AUDIT_LEAF_MAX; anything between is a bug. */
size_t audit_export_leaf(struct slice leaf, char room[static AUDIT_LINE_MAX]);
/* 0: not a note that can be exported (too long, or a quote or backslash in it). */
size_t audit_export_checkpoint(struct slice note, char room[static AUDIT_LINE_MAX]);
/* An encoded TenantMapProof, after the checkpoint that it is of. */
size_t audit_export_tenant_map(struct slice proof, char room[static AUDIT_LINE_MAX]);
/* An encoded ConsistencyProof, before the later of its two checkpoints. */
size_t audit_export_consistency(struct slice proof, char room[static AUDIT_LINE_MAX]);

/* One line without its line end. False: no line that a writer above would have made. */
bool audit_export_read(struct slice line, struct audit_export_line *line_out);

#endif
