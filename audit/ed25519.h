/* Ed25519 (RFC 8032) through nettle, whose header only ed25519.c includes. Checks; never signs. */
#ifndef AUDIT_ED25519_H
#define AUDIT_ED25519_H

#include "base/slice.h"

enum { ED25519_PUBLIC = 32, ED25519_SIGNATURE = 64 };

bool ed25519_holds(
    const uint8_t public_key[static ED25519_PUBLIC],
    struct slice message,
    const uint8_t signature[static ED25519_SIGNATURE]);

#endif
