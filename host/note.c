/* Decides what a checkpoint's signature line looks like (C2SP signed-note). Never decides what a
 * checkpoint says. */
#include "base/check.h"
#include "host/keyring.h"
#include "host/x509.h"

#include "audit/sha256.h"

#include <stdio.h>
#include <string.h>

enum { ALGORITHM_ED25519 = 1, HASH_BYTES = 4, SIGNATURE_BYTES = 64, PUBLIC_BYTES = 32 };

static size_t base64(const uint8_t *bytes, size_t size, char *room)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t used = 0;
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t three = (uint32_t)bytes[i] << 16;
        three |= left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
        three |= left > 2 ? bytes[i + 2] : 0;
        room[used++] = letters[three >> 18];
        room[used++] = letters[(three >> 12) & 63U];
        room[used++] = left > 1 ? letters[(three >> 6) & 63U] : '=';
        room[used++] = left > 2 ? letters[three & 63U] : '=';
    }
    room[used] = '\0';
    return used;
}

/* Key hash: the first four bytes of SHA-256(name | newline | algorithm | public key). */
static void key_hash(const char *name, const uint8_t *public, uint8_t hash_out[static HASH_BYTES])
{
    uint8_t input[NOTE_NAME_MAX + 2 + PUBLIC_BYTES];
    size_t size = strlen(name);
    CHECK(size < NOTE_NAME_MAX);
    memcpy(input, name, size);
    input[size++] = '\n';
    input[size++] = ALGORITHM_ED25519;
    memcpy(input + size, public, PUBLIC_BYTES);
    uint8_t digest[32];
    sha256_of(slice_of(input, size + PUBLIC_BYTES), digest);
    memcpy(hash_out, digest, HASH_BYTES);
}

void keyring_note_name(uint16_t cell, char name_out[static NOTE_NAME_MAX])
{
    CHECK(cell != 0);
    int used = snprintf(name_out, NOTE_NAME_MAX, "udatsu-cell-%04x", (unsigned int)cell);
    CHECK(used > 0 && used < NOTE_NAME_MAX);
}

RESULT keyring_note_line(
    const struct keyring *keyring,
    const char *name,
    const char *body,
    struct arena *arena,
    char line_out[static NOTE_LINE_MAX])
{
    CHECK(strpbrk(name, " +\n") == NULL);
    size_t size = strlen(body);
    if (keyring->log.size == 0 || size == 0 || body[size - 1] != '\n' ||
        strstr(body, "\n\n") != NULL) { /* An empty line would begin the signatures. */
        return FAIL(FAILURE_BAD_INPUT);
    }
    uint8_t public[PUBLIC_BYTES];
    TRY(x509_key_public(&keyring->log, public));
    struct slice signature = SLICE_EMPTY;
    TRY(x509_sign(&keyring->log, slice_of(body, size), arena, &signature));
    CHECK(signature.size == SIGNATURE_BYTES);
    uint8_t both[HASH_BYTES + SIGNATURE_BYTES];
    key_hash(name, public, both);
    memcpy(both + HASH_BYTES, signature.data, SIGNATURE_BYTES);
    char text[128];
    (void)base64(both, sizeof(both), text);
    int used = snprintf(line_out, NOTE_LINE_MAX, "\xe2\x80\x94 %s %s\n", name, text);
    CHECK(used > 0 && used < NOTE_LINE_MAX);
    return OK;
}

RESULT keyring_note_key(
    const struct keyring *keyring, const char *name, char text_out[static NOTE_LINE_MAX])
{
    CHECK(strpbrk(name, " +\n") == NULL);
    uint8_t typed[1 + PUBLIC_BYTES] = { ALGORITHM_ED25519 };
    TRY(x509_key_public(&keyring->log, typed + 1));
    uint8_t hash[HASH_BYTES];
    key_hash(name, typed + 1, hash);
    char text[64];
    (void)base64(typed, sizeof(typed), text);
    int used = snprintf(
        text_out,
        NOTE_LINE_MAX,
        "%s+%02x%02x%02x%02x+%s",
        name,
        hash[0],
        hash[1],
        hash[2],
        hash[3],
        text);
    CHECK(used > 0 && used < NOTE_LINE_MAX);
    return OK;
}
