/* Decides how keys lie on disk and travel. Never shows one: everything goes from secret to secret
 * or to a 0600 file. */
#include "host/keyring.h"

#include "base/check.h"
#include "host/file.h"
#include "host/x509.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* magic | four times: size (2 bytes, big-endian) | bytes. Size 0: that one is not held here. The
 * first format had no certificate and is still read. */
enum {
    MAGIC_SIZE = 8,
    PARTS = 4,
    KEY_MAX = 1024,
    FILE_MAX = MAGIC_SIZE + PARTS * 2 + 3 * KEY_MAX + X509_CERTIFICATE_MAX,
};

static const char magic[MAGIC_SIZE + 1] = "UDKEYS02";
static const char magic_first[MAGIC_SIZE + 1] = "UDKEYS01";

void keyring_free(struct keyring *keyring)
{
    secret_free(&keyring->machine);
    secret_free(&keyring->ca);
    secret_free(&keyring->log);
    secret_free(&keyring->certificate);
}

static void put(struct secret *packed, size_t *at, const struct secret *key)
{
    CHECK(*at + 2 + key->size <= packed->size);
    packed->data[(*at)++] = (uint8_t)(key->size >> 8);
    packed->data[(*at)++] = (uint8_t)key->size;
    if (key->size > 0) {
        memcpy(packed->data + *at, key->data, key->size);
        *at += key->size;
    }
}

static RESULT take(const struct secret *packed, size_t *at, size_t most, struct secret *key_out)
{
    CHECK(*at <= packed->size);
    if (packed->size - *at < 2) {
        return FAIL(FAILURE_CORRUPT);
    }
    size_t size = ((size_t)packed->data[*at] << 8) | packed->data[*at + 1];
    *at += 2;
    if (size > most || size > packed->size - *at) {
        return FAIL(FAILURE_CORRUPT);
    }
    if (size > 0) {
        TRY(secret_copy(slice_of(packed->data + *at, size), key_out));
        *at += size;
    }
    return OK;
}

RESULT keyring_write(const char *path, const struct keyring *keyring, uid_t uid, gid_t gid)
{
    CHECK(keyring->machine.size > 0);
    CHECK((keyring->ca.size == 0) == (keyring->log.size == 0));
    struct secret packed = { 0 };
    size_t size = MAGIC_SIZE + PARTS * 2 + keyring->machine.size + keyring->ca.size +
                  keyring->log.size + keyring->certificate.size;
    CHECK(size <= FILE_MAX);
    TRY(secret_make(size, &packed));
    memcpy(packed.data, magic, MAGIC_SIZE);
    size_t at = MAGIC_SIZE;
    put(&packed, &at, &keyring->machine);
    put(&packed, &at, &keyring->ca);
    put(&packed, &at, &keyring->log);
    put(&packed, &at, &keyring->certificate);
    CHECK(at == packed.size);
    struct file_owner owner = { .uid = uid, .gid = gid, .mode = 0600 };
    struct result written = file_replace(path, secret_slice(&packed), owner);
    secret_free(&packed);
    return written;
}

static RESULT parse(const struct secret *packed, struct keyring *keyring)
{
    if (packed->size <= MAGIC_SIZE) {
        return FAIL(FAILURE_CORRUPT);
    }
    bool first = memcmp(packed->data, magic_first, MAGIC_SIZE) == 0;
    if (!first && memcmp(packed->data, magic, MAGIC_SIZE) != 0) {
        return FAIL(FAILURE_CORRUPT);
    }
    size_t at = MAGIC_SIZE;
    TRY(take(packed, &at, KEY_MAX, &keyring->machine));
    TRY(take(packed, &at, KEY_MAX, &keyring->ca));
    TRY(take(packed, &at, KEY_MAX, &keyring->log));
    if (!first) {
        TRY(take(packed, &at, X509_CERTIFICATE_MAX, &keyring->certificate));
    }
    bool whole = at == packed->size && keyring->machine.size > 0 &&
                 (keyring->ca.size == 0) == (keyring->log.size == 0);
    return whole ? OK : FAIL(FAILURE_CORRUPT);
}

RESULT keyring_read(const char *path, struct keyring *keyring_out)
{
    struct secret packed = { 0 };
    TRY(secret_make(FILE_MAX + 1, &packed));
    size_t size = 0;
    struct result read = file_read(path, packed.data, packed.size, &size);
    if (read.code == 0 && size > FILE_MAX) {
        read = FAIL(FAILURE_CORRUPT);
    }
    struct keyring keyring = { 0 };
    if (read.code == 0) {
        packed.size = size;
        read = parse(&packed, &keyring);
    }
    secret_free(&packed);
    if (read.code != 0) {
        keyring_free(&keyring);
        return read;
    }
    *keyring_out = keyring;
    return OK;
}

RESULT keyring_pack_cell(const struct keyring *keyring, struct secret *packed_out)
{
    CHECK(keyring->ca.size > 0);
    CHECK(keyring->log.size > 0);
    TRY(secret_make(4 + keyring->ca.size + keyring->log.size, packed_out));
    size_t at = 0;
    put(packed_out, &at, &keyring->ca);
    put(packed_out, &at, &keyring->log);
    CHECK(at == packed_out->size);
    return OK;
}

RESULT keyring_unpack_cell(const struct secret *packed, struct keyring *keyring)
{
    CHECK(keyring->ca.size == 0);
    CHECK(keyring->log.size == 0);
    size_t at = 0;
    TRY(take(packed, &at, KEY_MAX, &keyring->ca));
    TRY(take(packed, &at, KEY_MAX, &keyring->log));
    bool whole = at == packed->size && keyring->ca.size > 0 && keyring->log.size > 0;
    return whole ? OK : FAIL(FAILURE_CORRUPT);
}
