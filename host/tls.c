/* Decides with whom a TLS session is held: a machine of this cell, proven by a certificate of the
 * cell's CA, over TLS 1.3. Never holds a private key (keys does), never decides what a peer may
 * say.
 *
 * The happy path and what can go wrong: see tls.h. */
#include "host/tls.h"

#include "base/check.h"
#include "host/clock.h"
#include "host/log.h"

#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    RAW_BYTES = 64 * 1024, /* Read from the socket at once: several records. */
    KEY_BITS = 256,
};

/* No older version, no weaker suite, no finite fields; no tickets (see tls_session_open). */
static const char priorities[] =
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:-CIPHER-ALL:"
    "+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305";

/* One certificate and its key, in GnuTLS's hands as long as a session that began with it. */
struct tls_papers {
    gnutls_certificate_credentials_t credentials;
    uint32_t holders; /* Sessions, and the context while it is the one shown. */
};

struct tls_context {
    struct child *child;
    struct tls_papers *papers;
    gnutls_priority_t priority;
};

/* What a signature needs to know. */
struct machine_key {
    struct child *child;
    uint8_t certificate_sha256[X509_DIGEST];
};

struct tls_session {
    gnutls_session_t session;
    struct tls_context *context;
    struct tls_papers *papers;
    int fd;
    struct x509_facts facts;
    bool verified;
    bool server;
    bool late;   /* tls_late. */
    bool unsent; /* GnuTLS holds a record that the kernel has not taken. */
    uint32_t raw_from;
    uint32_t raw_to;
    uint8_t raw[RAW_BYTES];
};

/* ---- The key that is elsewhere. ---- */

static RESULT ask_keys(
    struct machine_key *key,
    uint32_t algorithm,
    const gnutls_datum_t *digest,
    gnutls_datum_t *signature)
{
    static uint64_t handles;
    struct child *child = key->child;
    struct channel *keys = child->to[PROGRAM_KEYS];
    if (keys == NULL) {
        return FAIL(FAILURE_CLOSED);
    }
    Wire__SignAsk ask = WIRE__SIGN_ASK__INIT;
    ask.handle = ++handles;
    ask.algorithm = algorithm;
    ask.data = (ProtobufCBinaryData){ .len = digest->size, .data = digest->data };
    ask.certificate_sha256 = (ProtobufCBinaryData){ X509_DIGEST, key->certificate_sha256 };
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.body_case = WIRE__FRAME__BODY_SIGN_ASK;
    frame.sign_ask = &ask;
    Wire__Frame *question = &frame;
    uint64_t until = clock_boot_ms() + TLS_SIGN_DEADLINE_MS;
    for (uint64_t now = clock_boot_ms(); now < until; now = clock_boot_ms()) {
        const Wire__Frame *answer = NULL;
        TRY(channel_ask(keys, question, (int)(until - now), &answer));
        question = NULL; /* Asked once; what follows may be a late answer to an older question. */
        if (answer->body_case == WIRE__FRAME__BODY_PAPERS && child->hooks != NULL) {
            child->hooks->on_frame(child->hooks->context, keys, answer);
            continue;
        }
        if (answer->body_case != WIRE__FRAME__BODY_SIGN_TOLD ||
            answer->sign_told->handle != ask.handle) {
            continue;
        }
        const ProtobufCBinaryData *told = &answer->sign_told->signature;
        signature->data = told->len == 0 ? NULL : gnutls_malloc(told->len);
        if (signature->data == NULL) {
            return FAIL(FAILURE_DENIED);
        }
        memcpy(signature->data, told->data, told->len);
        signature->size = (unsigned int)told->len;
        return OK;
    }
    return FAIL(FAILURE_TIMEOUT);
}

static int sign_hash(
    gnutls_privkey_t key,
    gnutls_sign_algorithm_t algorithm,
    void *context,
    unsigned int flags,
    const gnutls_datum_t *digest,
    gnutls_datum_t *signature)
{
    (void)key;
    (void)flags;
    struct result asked = ask_keys(context, (uint32_t)algorithm, digest, signature);
    if (asked.code != 0) {
        log_line(LOG_LEVEL_WARN, "sign-failed", "why=%s", result_name(asked));
        return GNUTLS_E_PK_SIGN_FAILED;
    }
    return 0;
}

static int about_key(gnutls_privkey_t key, unsigned int flags, void *context)
{
    (void)key;
    (void)context;
    if ((flags & GNUTLS_PRIVKEY_INFO_PK_ALGO) != 0) {
        return GNUTLS_PK_ECDSA;
    }
    if ((flags & GNUTLS_PRIVKEY_INFO_PK_ALGO_BITS) != 0) {
        return KEY_BITS;
    }
    if ((flags & GNUTLS_PRIVKEY_INFO_HAVE_SIGN_ALGO) != 0) {
        unsigned int algorithm = GNUTLS_FLAGS_TO_SIGN_ALGO(flags);
        return algorithm == GNUTLS_SIGN_ECDSA_SHA256 ||
               algorithm == GNUTLS_SIGN_ECDSA_SECP256R1_SHA256;
    }
    return (flags & GNUTLS_PRIVKEY_INFO_SIGN_ALGO) != 0 ? GNUTLS_SIGN_ECDSA_SHA256 : -1;
}

void tls_machine_key_free(struct gnutls_privkey_st *key)
{
    gnutls_privkey_deinit(key);
}

static void forget_key(gnutls_privkey_t key, void *context)
{
    (void)key;
    free(context);
}

RESULT tls_machine_key(
    struct child *child, struct slice certificate, struct gnutls_privkey_st **key_out)
{
    CHECK(child->config != NULL);
    CHECK(certificate.size > 0);
    struct machine_key *machine = calloc(1, sizeof(*machine));
    if (machine == NULL) {
        return FAIL(FAILURE_NO_SPACE);
    }
    machine->child = child;
    x509_digest(certificate, machine->certificate_sha256);
    gnutls_privkey_t key = NULL;
    int code = gnutls_privkey_init(&key);
    CHECK(code == 0);
    code =
        gnutls_privkey_import_ext4(key, machine, NULL, sign_hash, NULL, forget_key, about_key, 0);
    if (code != 0) {
        gnutls_privkey_deinit(key);
        free(machine);
        return FAIL(FAILURE_UNSUPPORTED);
    }
    *key_out = key;
    return OK;
}

/* ---- The context: who we are and whom we trust. ---- */

/* Inside the handshake, so that a refused peer gets an alert and never a session. */
static int verify(gnutls_session_t handle)
{
    struct tls_session *session = gnutls_session_get_ptr(handle);
    unsigned int count = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(handle, &count);
    const ProtobufCBinaryData *ca = &session->context->child->config->ca;
    if (chain == NULL || count == 0) {
        return GNUTLS_E_CERTIFICATE_REQUIRED;
    }
    struct slice shown = slice_of(chain[0].data, chain[0].size);
    struct slice issuer = slice_of(ca->data, ca->len);
    uint64_t now = clock_wall_ms() / 1000U;
    struct result verified = x509_verify(shown, issuer, now, &session->facts);
    if (verified.code == FAILURE_TIMEOUT && session->server) {
        verified = x509_verify_late(shown, issuer, now, X509_GRACE_SECONDS, &session->facts);
        session->late = verified.code == 0; /* INV-SEC-32: a node, for its renewal alone. */
    }
    Wire__Kind kind = session->facts.identity.kind;
    session->verified = verified.code == 0 && (session->late ? kind == WIRE__KIND__KIND_NODE
                                                             : kind != WIRE__KIND__KIND_USER);
    return session->verified ? 0 : GNUTLS_E_CERTIFICATE_ERROR;
}

/* Our chain and the key that keys holds. GnuTLS takes the key over when it accepts it. */
static int set_own(
    struct child *child, struct slice certificate, gnutls_certificate_credentials_t credentials)
{
    gnutls_pcert_st own;
    gnutls_privkey_t key = NULL;
    if (certificate.size == 0 || tls_machine_key(child, certificate, &key).code != 0) {
        return GNUTLS_E_INVALID_REQUEST;
    }
    gnutls_datum_t der = { .size = (unsigned int)certificate.size };
    memcpy(&der.data, &certificate.data, sizeof(der.data)); /* GnuTLS only reads it. */
    /* That key and certificate belong together is tried by every handshake; keys is not there yet.
     */
    gnutls_certificate_set_flags(credentials, GNUTLS_CERTIFICATE_SKIP_KEY_CERT_MATCH);
    int code = gnutls_pcert_import_x509_raw(&own, &der, GNUTLS_X509_FMT_DER, 0);
    if (code != 0) {
        gnutls_privkey_deinit(key);
        return code;
    }
    code = gnutls_certificate_set_key(credentials, NULL, 0, &own, 1, key);
    if (code < 0) {
        gnutls_pcert_deinit(&own);
        gnutls_privkey_deinit(key);
    }
    return code;
}

static void papers_drop(struct tls_papers *papers)
{
    if (papers == NULL) {
        return;
    }
    CHECK(papers->holders > 0);
    if (--papers->holders > 0) {
        return;
    }
    if (papers->credentials != NULL) {
        gnutls_certificate_free_credentials(papers->credentials);
    }
    free(papers);
}

static RESULT papers_make(
    struct child *child, struct slice certificate, struct tls_papers **papers_out)
{
    struct tls_papers *papers = calloc(1, sizeof(*papers));
    if (papers == NULL) {
        return FAIL(FAILURE_NO_SPACE);
    }
    papers->holders = 1;
    gnutls_datum_t ca = { child->config->ca.data, (unsigned int)child->config->ca.len };
    int code = gnutls_certificate_allocate_credentials(&papers->credentials);
    code =
        code < 0
            ? code
            : gnutls_certificate_set_x509_trust_mem(papers->credentials, &ca, GNUTLS_X509_FMT_DER);
    code = code < 0 ? code : set_own(child, certificate, papers->credentials);
    if (code < 0) {
        log_line(LOG_LEVEL_ERROR, "tls-papers", "why=%s", log_text(gnutls_strerror(code)));
        papers_drop(papers);
        return FAIL(FAILURE_BAD_INPUT);
    }
    gnutls_certificate_set_verify_function(papers->credentials, verify);
    *papers_out = papers;
    return OK;
}

RESULT tls_context_open(struct child *child, struct tls_context **context_out)
{
    CHECK(child->config != NULL);
    const Wire__Config *config = child->config;
    struct slice certificate = SLICE_EMPTY;
    if (config->n_certificate > 0) {
        certificate = slice_of(config->certificate[0].data, config->certificate[0].len);
    }
    struct tls_context *context = calloc(1, sizeof(*context));
    if (context == NULL) {
        return FAIL(FAILURE_NO_SPACE);
    }
    context->child = child;
    struct result made = papers_make(child, certificate, &context->papers);
    if (made.code == 0 && gnutls_priority_init(&context->priority, priorities, NULL) < 0) {
        made = FAIL(FAILURE_UNSUPPORTED);
    }
    if (made.code != 0) {
        tls_context_close(context);
        return made;
    }
    *context_out = context;
    return OK;
}

RESULT tls_context_renew(struct tls_context *context, struct slice certificate)
{
    struct tls_papers *papers = NULL;
    TRY(papers_make(context->child, certificate, &papers));
    papers_drop(context->papers);
    context->papers = papers;
    return OK;
}

void tls_context_close(struct tls_context *context)
{
    if (context == NULL) {
        return;
    }
    papers_drop(context->papers);
    if (context->priority != NULL) {
        gnutls_priority_deinit(context->priority);
    }
    free(context);
}

/* ---- Sessions. ---- */

/* One recv for several records: GnuTLS itself would read a header, then a body, each time. */
static ssize_t pull(gnutls_transport_ptr_t context, void *room, size_t size)
{
    struct tls_session *session = context;
    CHECK(session->raw_from <= session->raw_to);
    if (session->raw_from == session->raw_to) {
        ssize_t got = recv(session->fd, session->raw, RAW_BYTES, MSG_DONTWAIT);
        if (got <= 0) {
            gnutls_transport_set_errno(session->session, errno);
            return got;
        }
        session->raw_from = 0;
        session->raw_to = (uint32_t)got;
    }
    size_t left = session->raw_to - session->raw_from;
    size_t given = size < left ? size : left;
    memcpy(room, session->raw + session->raw_from, given);
    session->raw_from += (uint32_t)given;
    return (ssize_t)given;
}

static ssize_t push(gnutls_transport_ptr_t context, const giovec_t *parts, int count)
{
    struct tls_session *session = context;
    struct iovec copies[16];
    struct msghdr message = { .msg_iov = copies };
    for (int i = 0; i < count && i < (int)COUNT_OF(copies); i++) {
        copies[i] = (struct iovec){ parts[i].iov_base, parts[i].iov_len };
        message.msg_iovlen++;
    }
    ssize_t sent = sendmsg(session->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) {
        gnutls_transport_set_errno(session->session, errno);
    }
    return sent;
}

RESULT tls_session_open(
    struct tls_context *context, bool server, int fd, struct tls_session **session_out)
{
    CHECK(fd >= 0);
    struct tls_session *session = calloc(1, sizeof(*session));
    if (session == NULL) {
        return FAIL(FAILURE_NO_SPACE);
    }
    session->context = context;
    session->papers = context->papers;
    session->papers->holders++;
    session->server = server;
    session->fd = fd;
    unsigned int flags = (server ? GNUTLS_SERVER : GNUTLS_CLIENT) | GNUTLS_NONBLOCK |
                         GNUTLS_NO_TICKETS | GNUTLS_NO_SIGNAL;
    int code = gnutls_init(&session->session, flags);
    code = code < 0 ? code : gnutls_priority_set(session->session, context->priority);
    code = code < 0 ? code
                    : gnutls_credentials_set(
                          session->session, GNUTLS_CRD_CERTIFICATE, session->papers->credentials);
    if (code < 0) {
        tls_session_close(session);
        return FAIL(FAILURE_NO_SPACE);
    }
    if (server) {
        gnutls_certificate_server_set_request(session->session, GNUTLS_CERT_REQUIRE);
    }
    gnutls_session_set_ptr(session->session, session);
    gnutls_transport_set_ptr(session->session, session);
    gnutls_transport_set_pull_function(session->session, pull);
    gnutls_transport_set_vec_push_function(session->session, push);
    *session_out = session;
    return OK;
}

void tls_session_close(struct tls_session *session)
{
    if (session == NULL) {
        return;
    }
    if (session->session != NULL) {
        if (session->verified) {
            (void)gnutls_bye(session->session, GNUTLS_SHUT_WR); /* If the kernel takes it. */
        }
        gnutls_deinit(session->session);
    }
    papers_drop(session->papers);
    free(session);
}

RESULT tls_handshake(struct tls_session *session)
{
    int code = gnutls_handshake(session->session);
    if (code == 0) {
        CHECK(session->verified); /* INV-SEC-24: nobody unverified is ever let in. */
        CHECK(gnutls_protocol_get_version(session->session) == GNUTLS_TLS1_3);
        return OK;
    }
    if (gnutls_error_is_fatal(code) == 0) {
        return FAIL(FAILURE_BUSY);
    }
    if (code == GNUTLS_E_CERTIFICATE_ERROR || code == GNUTLS_E_CERTIFICATE_REQUIRED) {
        (void)gnutls_alert_send_appropriate(session->session, code); /* If the kernel takes it. */
        return FAIL(FAILURE_DENIED);
    }
    bool ended = code == GNUTLS_E_PREMATURE_TERMINATION || code == GNUTLS_E_PULL_ERROR ||
                 code == GNUTLS_E_PUSH_ERROR;
    return FAIL(ended ? FAILURE_CLOSED : FAILURE_BAD_INPUT);
}

bool tls_wants_write(const struct tls_session *session)
{
    return gnutls_record_get_direction(session->session) == 1;
}

const struct x509_facts *tls_facts(const struct tls_session *session)
{
    CHECK(session->verified);
    return &session->facts;
}

bool tls_late(const struct tls_session *session)
{
    CHECK(session->verified);
    return session->late;
}

RESULT tls_read(struct tls_session *session, void *room, size_t size, size_t *read_out)
{
    CHECK(size > 0);
    ssize_t got = gnutls_record_recv(session->session, room, size);
    if (got > 0) {
        *read_out = (size_t)got;
        return OK;
    }
    bool later = got < 0 && gnutls_error_is_fatal((int)got) == 0;
    return FAIL(later ? FAILURE_BUSY : FAILURE_CLOSED);
}

RESULT tls_write(struct tls_session *session, struct slice bytes, size_t *written_out)
{
    CHECK(bytes.size > 0);
    size_t size = bytes.size < TLS_RECORD_BYTES ? bytes.size : TLS_RECORD_BYTES;
    /* A record that was begun is finished first: GnuTLS knows its bytes and its size. */
    ssize_t sent = session->unsent ? gnutls_record_send(session->session, NULL, 0)
                                   : gnutls_record_send(session->session, bytes.data, size);
    if (sent > 0) {
        CHECK((size_t)sent <= bytes.size);
        session->unsent = false;
        *written_out = (size_t)sent;
        return OK;
    }
    bool later = sent < 0 && gnutls_error_is_fatal((int)sent) == 0;
    session->unsent = session->unsent || later;
    return FAIL(later ? FAILURE_BUSY : FAILURE_CLOSED);
}

bool tls_pending(const struct tls_session *session)
{
    return session->raw_from != session->raw_to ||
           gnutls_record_check_pending(session->session) > 0;
}
