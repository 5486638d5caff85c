/* SHA-256 (FIPS 180-4) through nettle, whose header only sha256.c includes. */
#ifndef AUDIT_SHA256_H
#define AUDIT_SHA256_H

#include "base/slice.h"

enum { SHA256_SIZE = 32, SHA256_STATE_SIZE = 128 };

/* A digest under way. Its room is nettle's own; nobody else looks inside. */
struct sha256 {
    _Alignas(16) uint8_t state[SHA256_STATE_SIZE];
};

void sha256_start(struct sha256 *sha);
void sha256_add(struct sha256 *sha, struct slice bytes);
/* Ends the digest; sha256_start begins another. */
void sha256_end(struct sha256 *sha, uint8_t digest_out[static SHA256_SIZE]);

void sha256_of(struct slice bytes, uint8_t digest_out[static SHA256_SIZE]);

#endif
