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

/* The machine's key as GnuTLS sees it: each signature is a SIGN_ASK on child->to[PROGRAM_KEYS],
 * waited for up to TLS_SIGN_DEADLINE_MS. For link, and for api's HTTPS server. The caller frees it
 * with gnutls_privkey_deinit. */
RESULT tls_machine_key(struct child *child, struct gnutls_privkey_st **key_out);

/* Certificate chain and CA are taken from child->config. */
RESULT tls_context_open(struct child *child, struct tls_context **context_out);
void tls_context_close(struct tls_context *context);

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

/* FAILURE_BUSY: nothing now; FAILURE_CLOSED: the peer is gone. */
RESULT tls_read(struct tls_session *session, void *room, size_t size, size_t *read_out);
/* Writes at most one record. FAILURE_BUSY: call again with the same bytes when writable. */
RESULT tls_write(struct tls_session *session, struct slice bytes, size_t *written_out);
/* True when bytes wait inside the session that no descriptor will announce. */
bool tls_pending(const struct tls_session *session);

#endif
