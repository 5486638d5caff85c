/* Decides under which name the cell's log key signs. The form of a note is audit/note.h's; what a
 * checkpoint says is engine's. */
#include "audit/note.h"
#include "base/check.h"
#include "host/keyring.h"
#include "host/x509.h"

#include <stdio.h>
#include <string.h>

_Static_assert((int)NOTE_LINE_MAX >= (int)AUDIT_KEY_LINE_MAX, "audit's line fits");

/* All controllers of a cell sign with one key, so the name lies below the origin but names no
 * controller. */
static RESULT log_key(const struct keyring *keyring, uint16_t cell, struct audit_key *key_out)
{
    CHECK(cell != 0);
    if (keyring->log.size == 0) {
        return FAIL(FAILURE_NOT_FOUND); /* A node holds none. */
    }
    *key_out = (struct audit_key){ .name = "" };
    char origin[AUDIT_ORIGIN_MAX];
    audit_origin(cell, origin);
    int used = snprintf(key_out->name, sizeof(key_out->name), "%s/log", origin);
    CHECK(used > 0 && (size_t)used < sizeof(key_out->name));
    CHECK(audit_key_name_valid(key_out->name));
    return x509_key_public(&keyring->log, key_out->public_key);
}

RESULT keyring_note_line(
    const struct keyring *keyring,
    uint16_t cell,
    const char *body,
    struct arena *arena,
    char line_out[static NOTE_LINE_MAX])
{
    struct audit_key key;
    struct audit_checkpoint checkpoint;
    char origin[AUDIT_ORIGIN_MAX];
    TRY(log_key(keyring, cell, &key));
    audit_origin(cell, origin);
    /* The log key signs checkpoints of this cell's log and nothing else. INV-SEC-25 */
    if (!audit_checkpoint_parse(slice_text(body), &checkpoint) ||
        strcmp(checkpoint.origin, origin) != 0) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    struct slice signature = SLICE_EMPTY;
    TRY(x509_sign(&keyring->log, slice_text(body), arena, &signature));
    CHECK(signature.size == ED25519_SIGNATURE);
    audit_signature_line(&key, signature.data, line_out);
    return OK;
}

RESULT keyring_note_key(
    const struct keyring *keyring, uint16_t cell, char text_out[static NOTE_LINE_MAX])
{
    struct audit_key key;
    TRY(log_key(keyring, cell, &key));
    audit_key_line(&key, text_out);
    return OK;
}
