/* Decides nothing: SHA-256 as nettle computes it. Never allocates. */
#include "audit/sha256.h"

#include "base/check.h"

#include <nettle/sha2.h>

_Static_assert(sizeof(struct sha256_ctx) <= SHA256_STATE_SIZE, "nettle's state fits our room");
_Static_assert(SHA256_SIZE == SHA256_DIGEST_SIZE, "one size of digest");

static struct sha256_ctx *inside(struct sha256 *sha)
{
    CHECK(sha != NULL);
    return (struct sha256_ctx *)(void *)sha->state;
}

void sha256_start(struct sha256 *sha)
{
    sha256_init(inside(sha));
}

void sha256_add(struct sha256 *sha, struct slice bytes)
{
    CHECK(bytes.data != NULL || bytes.size == 0);
    if (bytes.size > 0) {
        sha256_update(inside(sha), bytes.size, bytes.data);
    }
}

void sha256_end(struct sha256 *sha, uint8_t digest_out[static SHA256_SIZE])
{
    CHECK(digest_out != NULL);
    sha256_digest(inside(sha), SHA256_SIZE, digest_out);
}

void sha256_of(struct slice bytes, uint8_t digest_out[static SHA256_SIZE])
{
    struct sha256 sha;
    sha256_start(&sha);
    sha256_add(&sha, bytes);
    sha256_end(&sha, digest_out);
}
