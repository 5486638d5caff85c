/* Checkpoints as C2SP signed notes (c2sp.org/signed-note, c2sp.org/tlog-checkpoint):
 *
 *     udatsu/0001                      origin: the cell, in four hex digits
 *     1234                             leaves
 *     BASE64                           root
 *     tenant-map BASE64                root of the tenant map
 *     log-time 98765                   log time, ms
 *
 *     — udatsu/0001/c1 BASE64          key name, then key id (4 bytes) and signature (64 bytes)
 *
 * Each controller's keys sign under a name of their own below the origin. A public key is kept as
 * the one-line verifier key of C2SP: NAME+KEYID(8 hex)+BASE64(0x01, public key). */
#ifndef AUDIT_NOTE_H
#define AUDIT_NOTE_H

#include "audit/audit.h"
#include "audit/ed25519.h"

enum {
    AUDIT_ORIGIN_MAX = 16, /* "udatsu/0001" and the terminator, with room. */
    AUDIT_KEY_NAME_MAX = 96,
    AUDIT_KEY_LINE_MAX = 256,
    AUDIT_NOTE_BODY_MAX = 256,
    AUDIT_NOTE_MAX = 4096, /* With the signatures of every controller and witness. */
    AUDIT_SIGNATURES_MAX = 16,
};

struct audit_checkpoint {
    char origin[AUDIT_ORIGIN_MAX];
    uint64_t size;
    uint8_t root[AUDIT_HASH];
    uint8_t map_root[AUDIT_HASH];
    uint64_t log_time_ms;
};

struct audit_key {
    char name[AUDIT_KEY_NAME_MAX];
    uint8_t public_key[ED25519_PUBLIC];
};

enum audit_note {
    AUDIT_NOTE_HOLDS = 1,
    AUDIT_NOTE_MALFORMED = 2,
    AUDIT_NOTE_NO_KEY = 3,   /* Nobody whose key was given signed it. */
    AUDIT_NOTE_BAD_SIGN = 4, /* A signature in a given key's name does not hold. */
};

void audit_origin(uint16_t cell, char origin_out[static AUDIT_ORIGIN_MAX]);
/* The body that is signed, terminated, ending in a line end. */
void audit_checkpoint_body(
    const struct audit_checkpoint *checkpoint, char room[static AUDIT_NOTE_BODY_MAX]);
/* Any other text than the one that audit_checkpoint_body makes is refused. */
bool audit_checkpoint_parse(struct slice body, struct audit_checkpoint *checkpoint_out);

/* "— NAME BASE64" and a line end, terminated. The note is: body, an empty line, such lines. */
void audit_signature_line(
    const struct audit_key *key,
    const uint8_t signature[static ED25519_SIGNATURE],
    char room[static AUDIT_KEY_LINE_MAX]);

/* No space, no plus, printable ASCII, not empty. */
bool audit_key_name_valid(const char *name);
/* One verifier key, without line end; audit_key_line writes it with the terminator only. */
bool audit_key_parse(struct slice line, struct audit_key *key_out);
void audit_key_line(const struct audit_key *key, char room[static AUDIT_KEY_LINE_MAX]);

/* Holds when at least one given key signed it and no signature in a given key's name is wrong. A
 * key counts only for the origin below which its name lies. */
enum audit_note audit_note_open(
    struct slice note,
    const struct audit_key *keys,
    uint32_t keys_count,
    struct audit_checkpoint *checkpoint_out);

#endif
