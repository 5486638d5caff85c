/* The keys of a machine and, on controllers, of the cell: in memory as secrets, on disk in one file
 * that only keys' uid can read. The machine's certificate lies with its key, so that a renewal
 * replaces both or neither. Also the form in which the cell's keys travel, sealed, to a joining
 * controller. */
#ifndef HOST_KEYRING_H
#define HOST_KEYRING_H

#include "base/arena.h"
#include "base/result.h"
#include "host/secret.h"

#include <sys/types.h>

struct keyring {
    struct secret machine; /* P-256: TLS. */
    struct secret ca;      /* P-256; controllers only, else empty. */
    struct secret log;     /* Ed25519, signs checkpoints; controllers only. */
    struct secret
        certificate; /* DER, of the machine's key; empty: CONFIG's. No secret, only kept so. */
};

void keyring_free(struct keyring *keyring);
/* FAILURE_CORRUPT: not a whole keyring; nothing is kept of it. */
RESULT keyring_read(const char *path, struct keyring *keyring_out);
/* Whole or not at all: written beside, synced, renamed. Mode 0600, owned by uid:gid. */
RESULT keyring_write(const char *path, const struct keyring *keyring, uid_t uid, gid_t gid);

/* CA key and log key as one secret, and back. */
RESULT keyring_pack_cell(const struct keyring *keyring, struct secret *packed_out);
RESULT keyring_unpack_cell(const struct secret *packed, struct keyring *keyring);

/* The signature line of a checkpoint (audit/note.h). FAILURE_BAD_INPUT: the body is no checkpoint
 * of this cell's log: nothing else is ever signed with this key. */
enum { NOTE_LINE_MAX = 256 };
RESULT keyring_note_line(
    const struct keyring *keyring,
    uint16_t cell,
    const char *body,
    struct arena *arena,
    char line_out[static NOTE_LINE_MAX]);
/* The verifier's key in one line: what auditors are given. */
RESULT keyring_note_key(
    const struct keyring *keyring, uint16_t cell, char text_out[static NOTE_LINE_MAX]);

#endif
