/* SipHash-2-4 (Aumasson, Bernstein 2012): keyed 64-bit hash for table indexes and for row digests.
 * It is not a cryptographic digest; what an auditor relies on is SHA-256 in audit/. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/slice.h"

struct hash_key {
    uint64_t low;
    uint64_t high;
};

uint64_t hash_bytes(struct hash_key key, struct slice bytes);

#endif
