/* Decides how a secret is sealed. Never keeps a key. */
#include "host/seal.h"

#include "base/check.h"

#include <nettle/chacha-poly1305.h>
#include <nettle/curve25519.h>
#include <nettle/hkdf.h>
#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <string.h>

enum { SEAL_FORMAT = 1, PLAIN_MAX = 4096 };

RESULT seal_pair(struct secret *private_out, uint8_t public_out[static SEAL_KEY_BYTES])
{
    TRY(secret_random(SEAL_KEY_BYTES, private_out));
    nettle_curve25519_mul_g(public_out, private_out->data);
    return OK;
}

/* One key for one message, bound to both public keys; so the nonce may be zero. */
static RESULT derive(
    const uint8_t *private,
    const uint8_t *peer,
    const uint8_t *ephemeral,
    const uint8_t *recipient,
    struct secret *key_out)
{
    static const uint8_t zero[SEAL_KEY_BYTES];
    static const uint8_t info[] = "udatsu seal 1";
    struct secret shared = { 0 };
    TRY(secret_make(SEAL_KEY_BYTES, &shared));
    nettle_curve25519_mul(shared.data, private, peer);
    if (nettle_memeql_sec(shared.data, zero, sizeof(zero)) != 0) { /* RFC 7748 §6.1. */
        secret_free(&shared);
        return FAIL(FAILURE_BAD_INPUT);
    }
    struct result made = secret_make(CHACHA_POLY1305_KEY_SIZE, key_out);
    if (made.code == 0) {
        uint8_t salt[2 * SEAL_KEY_BYTES];
        memcpy(salt, ephemeral, SEAL_KEY_BYTES);
        memcpy(salt + SEAL_KEY_BYTES, recipient, SEAL_KEY_BYTES);
        struct hmac_sha256_ctx mac;
        uint8_t pseudo[SHA256_DIGEST_SIZE];
        nettle_hmac_sha256_set_key(&mac, sizeof(salt), salt);
        nettle_hkdf_extract(
            &mac,
            (nettle_hash_update_func *)nettle_hmac_sha256_update,
            (nettle_hash_digest_func *)nettle_hmac_sha256_digest,
            sizeof(pseudo),
            shared.size,
            shared.data,
            pseudo);
        nettle_hmac_sha256_set_key(&mac, sizeof(pseudo), pseudo);
        nettle_hkdf_expand(
            &mac,
            (nettle_hash_update_func *)nettle_hmac_sha256_update,
            (nettle_hash_digest_func *)nettle_hmac_sha256_digest,
            sizeof(pseudo),
            sizeof(info) - 1,
            info,
            key_out->size,
            key_out->data);
        explicit_bzero(&mac, sizeof(mac));
        explicit_bzero(pseudo, sizeof(pseudo));
    }
    secret_free(&shared);
    return made;
}

RESULT seal_close(
    const struct secret *plain,
    const uint8_t public[static SEAL_KEY_BYTES],
    struct arena *arena,
    struct slice *sealed_out)
{
    CHECK(plain->size > 0);
    CHECK(plain->size <= PLAIN_MAX);
    uint8_t *room = arena_take(arena, plain->size + SEAL_OVERHEAD);
    if (room == NULL) {
        return FAIL(FAILURE_FULL);
    }
    struct secret ephemeral = { 0 };
    struct secret key = { 0 };
    TRY(seal_pair(&ephemeral, room + 1));
    struct result derived = derive(ephemeral.data, public, room + 1, public, &key);
    secret_free(&ephemeral);
    TRY(derived);
    room[0] = SEAL_FORMAT;
    static const uint8_t nonce[CHACHA_POLY1305_NONCE_SIZE];
    struct chacha_poly1305_ctx cipher;
    uint8_t *text = room + 1 + SEAL_KEY_BYTES;
    nettle_chacha_poly1305_set_key(&cipher, key.data);
    nettle_chacha_poly1305_set_nonce(&cipher, nonce);
    nettle_chacha_poly1305_encrypt(&cipher, plain->size, text, plain->data);
    nettle_chacha_poly1305_digest(&cipher, CHACHA_POLY1305_DIGEST_SIZE, text + plain->size);
    explicit_bzero(&cipher, sizeof(cipher));
    secret_free(&key);
    *sealed_out = slice_of(room, plain->size + SEAL_OVERHEAD);
    return OK;
}

RESULT seal_open(const struct secret *private, struct slice sealed, struct secret *plain_out)
{
    CHECK(private->size == SEAL_KEY_BYTES);
    if (sealed.size <= SEAL_OVERHEAD || sealed.size > PLAIN_MAX + SEAL_OVERHEAD ||
        sealed.data[0] != SEAL_FORMAT) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    uint8_t public[SEAL_KEY_BYTES];
    nettle_curve25519_mul_g(public, private->data);
    const uint8_t *ephemeral = sealed.data + 1;
    struct secret key = { 0 };
    TRY(derive(private->data, ephemeral, ephemeral, public, &key));
    size_t size = sealed.size - SEAL_OVERHEAD;
    struct secret plain = { 0 };
    struct result made = secret_make(size, &plain);
    if (made.code != 0) {
        secret_free(&key);
        return made;
    }
    static const uint8_t nonce[CHACHA_POLY1305_NONCE_SIZE];
    struct chacha_poly1305_ctx cipher;
    uint8_t tag[CHACHA_POLY1305_DIGEST_SIZE];
    const uint8_t *text = ephemeral + SEAL_KEY_BYTES;
    nettle_chacha_poly1305_set_key(&cipher, key.data);
    nettle_chacha_poly1305_set_nonce(&cipher, nonce);
    nettle_chacha_poly1305_decrypt(&cipher, size, plain.data, text);
    nettle_chacha_poly1305_digest(&cipher, sizeof(tag), tag);
    explicit_bzero(&cipher, sizeof(cipher));
    secret_free(&key);
    if (nettle_memeql_sec(tag, text + size, sizeof(tag)) == 0) {
        secret_free(&plain);
        return FAIL(FAILURE_BAD_INPUT);
    }
    *plain_out = plain;
    return OK;
}
