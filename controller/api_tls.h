/* The server side of TLS as microhttpd wants it, and SHA-256. The key's operations happen in keys
 * (host/tls.h); who a client is, is host/x509.h's reading of its certificate. Keys and certificates
 * of clients are judged here once per connection. */
#ifndef CONTROLLER_API_TLS_H
#define CONTROLLER_API_TLS_H

#include "base/result.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum { API_SHA256_SIZE = 32 };
#define API_TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3"

struct gnutls_privkey_st;

void api_sha256(struct slice bytes, uint8_t digest_out[static API_SHA256_SIZE]);

/* Takes the key and the DER chain (leaf first; the bytes must live on). Once. */
RESULT api_tls_start(
    struct gnutls_privkey_st *key, const struct slice *chain, uint32_t chain_count);
void api_tls_stop(void);
/* Shown from the next handshake on; those under way go on with what they began with. */
RESULT api_tls_renew(struct gnutls_privkey_st *key, struct slice certificate);

/* The callback for MHD_OPTION_HTTPS_CERT_CALLBACK. */
void *api_tls_callback(void);

/* The leaf that the client presented in this gnutls session; false: none. Borrowed from it. */
bool api_tls_peer(void *session, struct slice *certificate_out);

/* What is sent from here on gathers in memory, up to api_tls_uncork, and leaves in one piece. */
void api_tls_cork(void *session);
/* False: the socket did not take it all; the connection is of no use any more. */
bool api_tls_uncork(void *session);

#endif
