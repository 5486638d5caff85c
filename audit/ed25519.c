/* Decides whether a signature holds, as nettle says. Never holds a private key. */
#include "audit/ed25519.h"

#include "base/check.h"

#include <nettle/eddsa.h>

_Static_assert((int)ED25519_PUBLIC == (int)ED25519_KEY_SIZE, "one size of key");
_Static_assert((int)ED25519_SIGNATURE == (int)ED25519_SIGNATURE_SIZE, "one size of signature");

bool ed25519_holds(
    const uint8_t public_key[static ED25519_PUBLIC],
    struct slice message,
    const uint8_t signature[static ED25519_SIGNATURE])
{
    CHECK(public_key != NULL && signature != NULL);
    CHECK(message.size > 0);
    return ed25519_sha512_verify(public_key, message.size, message.data, signature) == 1;
}
