/* Keys, requests and certificates. With tls.c the other half of the one GnuTLS adapter of host/.
 *
 * An identity is the certificate's one URI name: udatsu://CCCC/KIND/UUID?epoch=N, with the cell in
 * four hex digits, KIND controller, node or user, and the id's text form. Nothing else in a
 * certificate says who somebody is.
 *
 * Private keys are PKCS#8 DER inside struct secret. Results are put into the caller's arena. */
#ifndef HOST_X509_H
#define HOST_X509_H

#include "base/arena.h"
#include "base/result.h"
#include "base/slice.h"
#include "host/secret.h"
#include "wire/frame.h"

enum x509_key_kind { X509_KEY_P256 = 1, X509_KEY_ED25519 = 2 };

/* SIGN_ASK's algorithms: GnuTLS's numbers, asserted in x509.c. Both are ECDSA over SHA-256; TLS 1.3
 * names the curve too. */
enum { X509_SIGN_ECDSA_SHA256 = 14, X509_SIGN_ECDSA_P256_SHA256 = 37 };

enum {
    X509_URI_MAX = 96,           /* Bytes of an identity, with terminator. */
    X509_ADDRESSES_MAX = 8,      /* Of one machine. */
    X509_CERTIFICATE_MAX = 4096, /* DER; what is larger is refused. */
    X509_TTL_MACHINE_SECONDS = 24 * 3600,
    X509_TTL_PERSON_SECONDS = 12 * 3600,
    /* After its end a node's certificate still asks for the next one: controllers that were gone
     * for days do not strand the nodes. */
    X509_GRACE_SECONDS = 7 * 24 * 3600,
    X509_DIGEST = 32, /* SHA-256. */
};

struct x509_identity {
    Wire__Kind kind; /* KIND_CONTROLLER, KIND_NODE or KIND_USER. */
    uint64_t id;     /* Carries the cell. */
    uint32_t epoch;
};

struct x509_facts {
    struct x509_identity identity;
    uint64_t from_seconds; /* Validity, since 1970. */
    uint64_t until_seconds;
};

struct x509_request {
    struct x509_identity identity;
    const char *name;             /* Common name, for people to read. */
    const char *const *addresses; /* IP addresses or DNS names of a machine. */
    size_t addresses_count;
    uint64_t ttl_seconds; /* Cut to the maximum of the kind. 0: the maximum. */
    uint64_t now_seconds;
};

RESULT x509_key_make(enum x509_key_kind kind, struct secret *key_out);
/* Raw 32 bytes of an Ed25519 key. */
RESULT x509_key_public(const struct secret *key, uint8_t public_out[static 32]);

/* PKCS#10, DER, signed with the key. The name is only a wish: the issuer decides. */
RESULT x509_csr_make(
    const struct secret *key, const char *name, struct arena *arena, struct slice *csr_out);
/* A self-signed CA for one cell. */
RESULT x509_ca_make(
    const struct secret *key,
    uint16_t cell,
    uint64_t now_seconds,
    struct arena *arena,
    struct slice *ca_out);
/* FAILURE_BAD_INPUT: the request is not a request, not self-signed, or of a kind of key that we do
 * not take (P-256 and Ed25519). */
RESULT x509_issue(
    const struct secret *ca_key,
    struct slice ca,
    struct slice csr,
    const struct x509_request *request,
    struct arena *arena,
    struct slice *certificate_out);

/* Who a DER certificate speaks for. FAILURE_BAD_INPUT: not exactly one identity. Says nothing about
 * who signed it: see x509_verify. */
RESULT x509_facts(struct slice certificate, struct x509_facts *facts_out);
/* Signed by this CA, of this CA's cell, and valid at `now`. FAILURE_DENIED: not; FAILURE_TIMEOUT:
 * only its time is over. */
RESULT x509_verify(
    struct slice certificate, struct slice ca, uint64_t now_seconds, struct x509_facts *facts_out);

/* The same for one whose time was over no longer ago than `grace_seconds`, or is not over. */
RESULT x509_verify_late(
    struct slice certificate,
    struct slice ca,
    uint64_t now_seconds,
    uint64_t grace_seconds,
    struct x509_facts *facts_out);
/* Is this the certificate of that private key? */
bool x509_belongs(struct slice certificate, const struct secret *key);
void x509_digest(struct slice certificate, uint8_t digest_out[static X509_DIGEST]);

bool x509_uri_write(const struct x509_identity *identity, char room[static X509_URI_MAX]);
bool x509_uri_read(const char *uri, struct x509_identity *identity_out);

/* ECDSA over a SHA-256 digest (32 bytes), or Ed25519 over a message. */
RESULT x509_sign(
    const struct secret *key, struct slice data, struct arena *arena, struct slice *signature_out);

/* PEM: label is "CERTIFICATE", "PRIVATE KEY" … */
RESULT x509_pem(const char *label, struct slice der, struct arena *arena, struct slice *text_out);
RESULT x509_unpem(const char *label, struct slice text, struct arena *arena, struct slice *der_out);

#endif
