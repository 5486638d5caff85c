/* TLS 1.3 between machines, both sides with certificates of the cell's CA; the private key stays in
 * keys. The one adapter to GnuTLS sessions (x509.c is its other half).
 *
 * The happy path: tls_session_open on a connected, non-blocking descriptor → tls_handshake until it
 * is OK → tls_identity says who is there → tls_read, tls_write.
 * What can go wrong: keys does not answer in time → the handshake fails; a certificate of another
 * CA, cell or kind, a second identity, TLS 1.2 → the handshake fails; expired → FAILURE_DENIED. */
#ifndef HOST_TLS_H
#define HOST_TLS_H

#include "base/result.h"
#include "base/slice.h"
#include "host/child.h"
#include "host/x509.h"

#include <stdbool.h>
#include <stddef.h>

enum { TLS_SIGN_DEADLINE_MS = 500, TLS_RECORD_BYTES = 16 * 1024 };

struct tls_context;
struct tls_session;
struct gnutls_privkey_st;

/* The key of this certificate as GnuTLS sees it: each signature is a SIGN_ASK on
 * child->to[PROGRAM_KEYS], waited for up to TLS_SIGN_DEADLINE_MS; what keys says meanwhile of newer
 * papers is given to the child's on_frame. For link, and for api's HTTPS server. */
RESULT tls_machine_key(
    struct child *child, struct slice certificate, struct gnutls_privkey_st **key_out);
void tls_machine_key_free(struct gnutls_privkey_st *key);

/* Certificate chain and CA are taken from child->config. */
RESULT tls_context_open(struct child *child, struct tls_context **context_out);
void tls_context_close(struct tls_context *context);
/* From the next session on this certificate is shown; sessions that are there keep theirs. */
RESULT tls_context_renew(struct tls_context *context, struct slice certificate);

/* Does not own the descriptor. */
RESULT tls_session_open(
    struct tls_context *context, bool server, int fd, struct tls_session **session_out);
void tls_session_close(struct tls_session *session); /* Accepts NULL. Says goodbye if it can. */

/* OK: done. FAILURE_BUSY: call again when the descriptor is readable (or writable:
 * tls_wants_write). Anything else: over. */
RESULT tls_handshake(struct tls_session *session);
bool tls_wants_write(const struct tls_session *session);
/* After the handshake: verified against the CA at that moment. */
const struct x509_facts *tls_facts(const struct tls_session *session);

/* A node whose certificate has ended, not longer ago than X509_GRACE_SECONDS: it may ask for the
 * next one and nothing else. Only servers let it in. INV-SEC-32 */
bool tls_late(const struct tls_session *session);

/* FAILURE_BUSY: nothing now; FAILURE_CLOSED: the peer is gone. */
RESULT tls_read(struct tls_session *session, void *room, size_t size, size_t *read_out);
/* Writes at most one record. FAILURE_BUSY: call again with the same bytes when writable. */
RESULT tls_write(struct tls_session *session, struct slice bytes, size_t *written_out);
/* True when bytes wait inside the session that no descriptor will announce. */
bool tls_pending(const struct tls_session *session);

#endif
