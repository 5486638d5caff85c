/* Secrets on their way to one machine: X25519 with a fresh key, HKDF-SHA256, ChaCha20-Poly1305 (the
 * shape of RFC 9180's base mode with one message). The one adapter to nettle's curve25519 and AEAD.
 *
 * Sealed bytes: format (1) | ephemeral public key (32) | ciphertext | tag (16). */
#ifndef HOST_SEAL_H
#define HOST_SEAL_H

#include "base/arena.h"
#include "base/result.h"
#include "host/secret.h"

enum { SEAL_KEY_BYTES = 32, SEAL_OVERHEAD = 1 + 32 + 16 };

/* A pair for one use: the private half stays where it was made. */
RESULT seal_pair(struct secret *private_out, uint8_t public_out[static SEAL_KEY_BYTES]);
RESULT seal_close(
    const struct secret *plain,
    const uint8_t public[static SEAL_KEY_BYTES],
    struct arena *arena,
    struct slice *sealed_out);
/* FAILURE_BAD_INPUT: not sealed to this key, or changed on the way. */
RESULT seal_open(const struct secret *private, struct slice sealed, struct secret *plain_out);

#endif
