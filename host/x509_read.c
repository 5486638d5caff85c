/* Decides whom a certificate speaks for and whether this cell's CA said so. Never makes one. */
#include "host/x509.h"

#include "base/check.h"
#include "base/id.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>

enum { NAMES_MAX = X509_ADDRESSES_MAX + 2 };

static gnutls_datum_t datum(struct slice bytes)
{
    gnutls_datum_t made = { .size = (unsigned int)bytes.size };
    memcpy(&made.data, &bytes.data, sizeof(made.data)); /* GnuTLS only reads it. */
    return made;
}

static gnutls_x509_crt_t parse(struct slice der)
{
    if (der.size == 0 || der.size > X509_CERTIFICATE_MAX) {
        return NULL;
    }
    gnutls_x509_crt_t certificate = NULL;
    int code = gnutls_x509_crt_init(&certificate);
    CHECK(code == 0);
    gnutls_datum_t bytes = datum(der);
    if (gnutls_x509_crt_import(certificate, &bytes, GNUTLS_X509_FMT_DER) != 0) {
        gnutls_x509_crt_deinit(certificate);
        return NULL;
    }
    return certificate;
}

/* The one URI among the alternative names. */
static bool identity_of(gnutls_x509_crt_t certificate, struct x509_identity *identity_out)
{
    unsigned int uris = 0;
    struct x509_identity found = { 0 };
    for (unsigned int i = 0; i < NAMES_MAX; i++) {
        char name[X509_URI_MAX] = { 0 };
        size_t size = sizeof(name) - 1;
        int kind = gnutls_x509_crt_get_subject_alt_name(certificate, i, name, &size, NULL);
        if (kind == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE) {
            *identity_out = found;
            return uris == 1;
        }
        if (kind < 0) {
            return false;
        }
        if (kind != GNUTLS_SAN_URI) {
            continue;
        }
        uris++;
        if (strlen(name) != size || !x509_uri_read(name, &found)) {
            return false;
        }
    }
    return false; /* More names than we ever write. */
}

static bool facts_of(gnutls_x509_crt_t certificate, struct x509_facts *facts_out)
{
    struct x509_facts facts = { 0 };
    time_t from = gnutls_x509_crt_get_activation_time(certificate);
    time_t until = gnutls_x509_crt_get_expiration_time(certificate);
    if (from < 0 || until < from || !identity_of(certificate, &facts.identity)) {
        return false;
    }
    facts.from_seconds = (uint64_t)from;
    facts.until_seconds = (uint64_t)until;
    *facts_out = facts;
    return true;
}

RESULT x509_facts(struct slice certificate, struct x509_facts *facts_out)
{
    gnutls_x509_crt_t parsed = parse(certificate);
    if (parsed == NULL) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    struct x509_facts facts;
    bool good = facts_of(parsed, &facts) && facts.identity.kind != WIRE__KIND__KIND_CELL;
    gnutls_x509_crt_deinit(parsed);
    if (!good) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    *facts_out = facts;
    return OK;
}

static bool signed_by(gnutls_x509_crt_t certificate, gnutls_x509_crt_t ca, uint16_t *cell_out)
{
    struct x509_facts facts;
    unsigned int status = 0;
    unsigned int flags = GNUTLS_VERIFY_DISABLE_TIME_CHECKS; /* The caller's clock decides. */
    if (!facts_of(ca, &facts) || facts.identity.kind != WIRE__KIND__KIND_CELL) {
        return false;
    }
    if (gnutls_x509_crt_verify(certificate, &ca, 1, flags, &status) != 0 || status != 0) {
        return false;
    }
    *cell_out = id_cell(facts.identity.id);
    return gnutls_x509_crt_get_ca_status(certificate, NULL) == 0; /* No CA below the CA. */
}

RESULT x509_verify(
    struct slice certificate, struct slice ca, uint64_t now_seconds, struct x509_facts *facts_out)
{
    return x509_verify_late(certificate, ca, now_seconds, 0, facts_out);
}

RESULT x509_verify_late(
    struct slice certificate,
    struct slice ca,
    uint64_t now_seconds,
    uint64_t grace_seconds,
    struct x509_facts *facts_out)
{
    struct x509_facts facts;
    if (x509_facts(certificate, &facts).code != 0) {
        return FAIL(FAILURE_DENIED);
    }
    gnutls_x509_crt_t issuer = parse(ca);
    gnutls_x509_crt_t parsed = parse(certificate);
    uint16_t cell = 0;
    bool good = issuer != NULL && parsed != NULL && signed_by(parsed, issuer, &cell) &&
                cell == id_cell(facts.identity.id); /* INV-SEC-24 */
    gnutls_x509_crt_deinit(parsed);
    gnutls_x509_crt_deinit(issuer);
    if (!good) {
        return FAIL(FAILURE_DENIED);
    }
    if (now_seconds < facts.from_seconds || now_seconds > facts.until_seconds + grace_seconds) {
        return FAIL(FAILURE_TIMEOUT);
    }
    *facts_out = facts;
    return OK;
}

bool x509_belongs(struct slice certificate, const struct secret *key)
{
    uint8_t ids[2][X509_DIGEST];
    size_t sizes[2] = { X509_DIGEST, X509_DIGEST };
    gnutls_x509_crt_t parsed = parse(certificate);
    gnutls_x509_privkey_t private = NULL;
    gnutls_datum_t der = datum(secret_slice(key));
    int code = gnutls_x509_privkey_init(&private);
    CHECK(code == 0);
    bool same =
        parsed != NULL &&
        gnutls_x509_privkey_import2(private, &der, GNUTLS_X509_FMT_DER, NULL, 0) == 0 &&
        gnutls_x509_crt_get_key_id(parsed, GNUTLS_KEYID_USE_SHA256, ids[0], &sizes[0]) == 0 &&
        gnutls_x509_privkey_get_key_id(private, GNUTLS_KEYID_USE_SHA256, ids[1], &sizes[1]) == 0 &&
        sizes[0] == sizes[1] && memcmp(ids[0], ids[1], sizes[0]) == 0;
    gnutls_x509_privkey_deinit(private);
    gnutls_x509_crt_deinit(parsed);
    return same;
}

void x509_digest(struct slice certificate, uint8_t digest_out[static X509_DIGEST])
{
    int failed =
        gnutls_hash_fast(GNUTLS_DIG_SHA256, certificate.data, certificate.size, digest_out);
    CHECK(failed == 0); /* It computes; it cannot fail but for a broken library. */
}

static RESULT keep(gnutls_datum_t *made, struct arena *arena, struct slice *out)
{
    uint8_t *room = arena_take(arena, made->size + 1U); /* Text ends with a zero beyond its size. */
    if (room != NULL) {
        memcpy(room, made->data, made->size);
        *out = slice_of(room, made->size);
    }
    gnutls_memset(made->data, 0, made->size); /* It may be a key. */
    gnutls_free(made->data);
    return room == NULL ? FAIL(FAILURE_FULL) : OK;
}

RESULT x509_pem(const char *label, struct slice der, struct arena *arena, struct slice *text_out)
{
    CHECK(der.size > 0);
    gnutls_datum_t input = datum(der);
    gnutls_datum_t text = { 0 };
    int code = gnutls_pem_base64_encode2(label, &input, &text);
    return code == 0 ? keep(&text, arena, text_out) : FAIL(FAILURE_IO);
}

RESULT x509_unpem(const char *label, struct slice text, struct arena *arena, struct slice *der_out)
{
    CHECK(label[0] != '\0');
    gnutls_datum_t input = datum(text);
    gnutls_datum_t der = { 0 };
    int code = gnutls_pem_base64_decode2(label, &input, &der);
    return code == 0 ? keep(&der, arena, der_out) : FAIL(FAILURE_BAD_INPUT);
}
