/* The newer key of a machine: made here, certified by the cell, put in the place of the one in use.
 * Part of keys; for tests too. */
#ifndef HOST_KEYS_RENEW_H
#define HOST_KEYS_RENEW_H

#include "host/keyring.h"
#include "host/x509.h"

struct keys_renew {
    struct keyring *keyring; /* Borrowed: machine and certificate are exchanged in it. */
    const char *path;        /* Borrowed: of the keyring. */
    struct slice ca;         /* Borrowed. */
    struct x509_identity self;
    struct x509_facts facts; /* Of the certificate in use. */
    struct secret pending;   /* Waits for its certificate; empty: none was asked for. */
    struct secret before;    /* In use until the last renewal: for handshakes under way. */
    uint8_t shown[X509_DIGEST];
    uint8_t before_shown[X509_DIGEST];
};

/* The keyring's certificate, or, where it has none, the one given. FAILURE_CORRUPT: it is not a
 * certificate of the keyring's key. */
RESULT keys_renew_begin(
    struct keys_renew *renew,
    struct keyring *keyring,
    const char *path,
    struct slice ca,
    const struct x509_identity *self,
    struct slice certificate);
void keys_renew_end(struct keys_renew *renew);

/* The key of the certificate with this digest; empty digest: the one in use. NULL: no such. */
const struct secret *keys_renew_key(
    const struct keys_renew *renew, struct slice certificate_sha256);
/* A fresh key, and the request for its certificate. A request that was made before is void. */
RESULT keys_renew_request(
    struct keys_renew *renew, const char *name, struct arena *arena, struct slice *csr_out);
/* FAILURE_DENIED: not this cell's word, not about us, not for the key that we asked for, or no
 * newer than what we have; nothing has changed then. INV-SEC-31 */
RESULT keys_renew_adopt(struct keys_renew *renew, struct slice certificate, uint64_t now_seconds);

#endif
