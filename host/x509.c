/* Decides what a certificate of a cell looks like. Makes keys, requests and certificates; never
 * keeps a key, never decides who deserves a certificate (engine does). */
#include "host/x509.h"

#include "base/check.h"
#include "base/id.h"
#include "base/limits.h"

#include <arpa/inet.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
    CA_YEARS = 10,
    CLOCK_SLACK_SECONDS = 300, /* A new certificate is valid on a machine whose clock is behind. */
    SERIAL_BYTES = 16,         /* CA/Browser Forum: at least 64 bits of randomness. */
};

static gnutls_datum_t datum(struct slice bytes)
{
    gnutls_datum_t made = { .size = (unsigned int)bytes.size };
    memcpy(&made.data, &bytes.data, sizeof(made.data)); /* GnuTLS only reads it. */
    return made;
}

_Static_assert((int)GNUTLS_SIGN_ECDSA_SHA256 == (int)X509_SIGN_ECDSA_SHA256, "algorithm");
_Static_assert(
    (int)GNUTLS_SIGN_ECDSA_SECP256R1_SHA256 == (int)X509_SIGN_ECDSA_P256_SHA256, "algorithm");

/* Moves what GnuTLS allocated into the caller's arena. */
static RESULT keep(gnutls_datum_t *made, struct arena *arena, struct slice *out)
{
    uint8_t *room = arena_take(arena, made->size);
    if (room == NULL) {
        gnutls_free(made->data);
        return FAIL(FAILURE_FULL);
    }
    memcpy(room, made->data, made->size);
    *out = slice_of(room, made->size);
    gnutls_free(made->data);
    return OK;
}

static RESULT load(const struct secret *key, gnutls_privkey_t *out)
{
    gnutls_datum_t der = datum(secret_slice(key));
    int code = gnutls_privkey_init(out);
    CHECK(code == 0);
    code = gnutls_privkey_import_x509_raw(*out, &der, GNUTLS_X509_FMT_DER, NULL, 0);
    if (code != 0) {
        gnutls_privkey_deinit(*out);
        return FAIL(FAILURE_BAD_INPUT);
    }
    return OK;
}

RESULT x509_key_make(enum x509_key_kind kind, struct secret *key_out)
{
    CHECK(kind == X509_KEY_P256 || kind == X509_KEY_ED25519);
    gnutls_x509_privkey_t key = NULL;
    int code = gnutls_x509_privkey_init(&key);
    CHECK(code == 0);
    bool p256 = kind == X509_KEY_P256;
    code = gnutls_x509_privkey_generate(
        key,
        p256 ? GNUTLS_PK_ECDSA : GNUTLS_PK_EDDSA_ED25519,
        GNUTLS_CURVE_TO_BITS(p256 ? GNUTLS_ECC_CURVE_SECP256R1 : GNUTLS_ECC_CURVE_ED25519),
        0);
    gnutls_datum_t der = { 0 };
    if (code == 0) {
        code = gnutls_x509_privkey_export2_pkcs8(
            key, GNUTLS_X509_FMT_DER, NULL, GNUTLS_PKCS_PLAIN, &der);
    }
    gnutls_x509_privkey_deinit(key);
    if (code != 0) {
        return FAIL(FAILURE_IO);
    }
    struct result made = secret_copy(slice_of(der.data, der.size), key_out);
    gnutls_memset(der.data, 0, der.size);
    gnutls_free(der.data);
    return made;
}

RESULT x509_key_public(const struct secret *key, uint8_t public_out[static 32])
{
    gnutls_privkey_t private = NULL;
    TRY(load(key, &private));
    gnutls_pubkey_t public = NULL;
    int code = gnutls_pubkey_init(&public);
    CHECK(code == 0);
    gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;
    gnutls_datum_t x = { 0 };
    code = gnutls_pubkey_import_privkey(public, private, 0, 0);
    if (code == 0) {
        code = gnutls_pubkey_export_ecc_raw2(public, &curve, &x, NULL, 0);
    }
    bool good = code == 0 && curve == GNUTLS_ECC_CURVE_ED25519 && x.size == 32;
    if (good) {
        memcpy(public_out, x.data, 32);
    }
    gnutls_free(x.data);
    gnutls_pubkey_deinit(public);
    gnutls_privkey_deinit(private);
    return good ? OK : FAIL(FAILURE_BAD_INPUT);
}

static gnutls_digest_algorithm_t digest_of(gnutls_privkey_t key)
{
    bool edwards = gnutls_privkey_get_pk_algorithm(key, NULL) == GNUTLS_PK_EDDSA_ED25519;
    return edwards ? GNUTLS_DIG_SHA512 : GNUTLS_DIG_SHA256;
}

RESULT x509_csr_make(
    const struct secret *key, const char *name, struct arena *arena, struct slice *csr_out)
{
    CHECK(name[0] != '\0');
    CHECK(strlen(name) < LIMIT_NAME);
    gnutls_privkey_t private = NULL;
    TRY(load(key, &private));
    gnutls_pubkey_t public = NULL;
    gnutls_x509_crq_t csr = NULL;
    int code = gnutls_pubkey_init(&public);
    CHECK(code == 0);
    code = gnutls_x509_crq_init(&csr);
    CHECK(code == 0);
    gnutls_datum_t der = { 0 };
    code = gnutls_pubkey_import_privkey(public, private, GNUTLS_KEY_DIGITAL_SIGNATURE, 0);
    code = code != 0 ? code : gnutls_x509_crq_set_version(csr, 1);
    code = code != 0 ? code : gnutls_x509_crq_set_pubkey(csr, public);
    code = code != 0 ? code
                     : gnutls_x509_crq_set_dn_by_oid(
                           csr, GNUTLS_OID_X520_COMMON_NAME, 0, name, (unsigned int)strlen(name));
    code = code != 0 ? code : gnutls_x509_crq_privkey_sign(csr, private, digest_of(private), 0);
    code = code != 0 ? code : gnutls_x509_crq_export2(csr, GNUTLS_X509_FMT_DER, &der);
    gnutls_x509_crq_deinit(csr);
    gnutls_pubkey_deinit(public);
    gnutls_privkey_deinit(private);
    return code == 0 ? keep(&der, arena, csr_out) : FAIL(FAILURE_IO);
}

/* What every certificate has: a random serial, a name, a time, one URI, one set of key uses. */
static int set_common(
    gnutls_x509_crt_t certificate,
    const char *name,
    const struct x509_identity *identity,
    uint64_t from,
    uint64_t until,
    unsigned int usage)
{
    char uri[X509_URI_MAX];
    uint8_t serial[SERIAL_BYTES];
    if (!x509_uri_write(identity, uri) || getrandom(serial, sizeof(serial), 0) != SERIAL_BYTES) {
        return GNUTLS_E_INVALID_REQUEST;
    }
    serial[0] = (uint8_t)((serial[0] & 0x3fU) | 0x40U); /* Positive, and of full length. */
    int code = gnutls_x509_crt_set_version(certificate, 3);
    code = code != 0 ? code : gnutls_x509_crt_set_serial(certificate, serial, sizeof(serial));
    code = code != 0
               ? code
               : gnutls_x509_crt_set_dn_by_oid(
                     certificate, GNUTLS_OID_X520_COMMON_NAME, 0, name, (unsigned int)strlen(name));
    code = code != 0 ? code : gnutls_x509_crt_set_activation_time(certificate, (time_t)from);
    code = code != 0 ? code : gnutls_x509_crt_set_expiration_time(certificate, (time_t)until);
    code = code != 0 ? code : gnutls_x509_crt_set_key_usage(certificate, usage);
    return code != 0 ? code
                     : gnutls_x509_crt_set_subject_alt_name(
                           certificate,
                           GNUTLS_SAN_URI,
                           uri,
                           (unsigned int)strlen(uri),
                           GNUTLS_FSAN_APPEND);
}

static int set_subject_key(gnutls_x509_crt_t certificate, gnutls_pubkey_t public)
{
    uint8_t id[64];
    size_t size = sizeof(id);
    int code = gnutls_x509_crt_set_pubkey(certificate, public);
    code = code != 0 ? code : gnutls_pubkey_get_key_id(public, 0, id, &size);
    return code != 0 ? code : gnutls_x509_crt_set_subject_key_id(certificate, id, size);
}

RESULT x509_ca_make(
    const struct secret *key,
    uint16_t cell,
    uint64_t now_seconds,
    struct arena *arena,
    struct slice *ca_out)
{
    CHECK(cell != 0);
    gnutls_privkey_t private = NULL;
    TRY(load(key, &private));
    gnutls_pubkey_t public = NULL;
    gnutls_x509_crt_t ca = NULL;
    int code = gnutls_pubkey_init(&public);
    CHECK(code == 0);
    code = gnutls_x509_crt_init(&ca);
    CHECK(code == 0);
    char name[32];
    (void)snprintf(name, sizeof(name), "Udatsu cell %04x", (unsigned int)cell);
    struct x509_identity identity = { .kind = WIRE__KIND__KIND_CELL, .id = id_make(cell, 1) };
    uint64_t until = now_seconds + (uint64_t)CA_YEARS * 365U * 24U * 3600U;
    gnutls_datum_t der = { 0 };
    code = gnutls_pubkey_import_privkey(public, private, GNUTLS_KEY_KEY_CERT_SIGN, 0);
    code = code != 0 ? code
                     : set_common(
                           ca,
                           name,
                           &identity,
                           now_seconds - CLOCK_SLACK_SECONDS,
                           until,
                           GNUTLS_KEY_KEY_CERT_SIGN);
    code = code != 0 ? code : set_subject_key(ca, public);
    code = code != 0 ? code : gnutls_x509_crt_set_basic_constraints(ca, 1, 0);
    code = code != 0 ? code : gnutls_x509_crt_privkey_sign(ca, ca, private, digest_of(private), 0);
    code = code != 0 ? code : gnutls_x509_crt_export2(ca, GNUTLS_X509_FMT_DER, &der);
    gnutls_x509_crt_deinit(ca);
    gnutls_pubkey_deinit(public);
    gnutls_privkey_deinit(private);
    return code == 0 ? keep(&der, arena, ca_out) : FAIL(FAILURE_IO);
}

/* The key of a request that is signed with itself and of a kind that we take; NULL: neither. */
static gnutls_pubkey_t key_of_request(struct slice csr)
{
    gnutls_x509_crq_t request = NULL;
    gnutls_pubkey_t public = NULL;
    int code = gnutls_x509_crq_init(&request);
    CHECK(code == 0);
    code = gnutls_pubkey_init(&public);
    CHECK(code == 0);
    gnutls_datum_t der = datum(csr);
    gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;
    code = gnutls_x509_crq_import(request, &der, GNUTLS_X509_FMT_DER);
    code = code != 0 ? code : gnutls_x509_crq_verify(request, 0);
    code = code != 0 ? code : gnutls_pubkey_import_x509_crq(public, request, 0);
    code = code != 0 ? code : gnutls_pubkey_export_ecc_raw2(public, &curve, NULL, NULL, 0);
    gnutls_x509_crq_deinit(request);
    if (code == 0 && (curve == GNUTLS_ECC_CURVE_SECP256R1 || curve == GNUTLS_ECC_CURVE_ED25519)) {
        return public;
    }
    gnutls_pubkey_deinit(public);
    return NULL;
}

/* A DNS name as RFC 1123 has it, or a numeric address. */
static int set_address(gnutls_x509_crt_t certificate, const char *address)
{
    uint8_t numeric[16];
    if (inet_pton(AF_INET, address, numeric) == 1) {
        return gnutls_x509_crt_set_subject_alt_name(
            certificate, GNUTLS_SAN_IPADDRESS, numeric, 4, GNUTLS_FSAN_APPEND);
    }
    if (inet_pton(AF_INET6, address, numeric) == 1) {
        return gnutls_x509_crt_set_subject_alt_name(
            certificate, GNUTLS_SAN_IPADDRESS, numeric, 16, GNUTLS_FSAN_APPEND);
    }
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-.";
    size_t size = strlen(address);
    if (size == 0 || size >= LIMIT_ADDRESS || strspn(address, allowed) != size) {
        return GNUTLS_E_INVALID_REQUEST;
    }
    return gnutls_x509_crt_set_subject_alt_name(
        certificate, GNUTLS_SAN_DNSNAME, address, (unsigned int)size, GNUTLS_FSAN_APPEND);
}

static int set_request(gnutls_x509_crt_t certificate, const struct x509_request *request)
{
    bool person = request->identity.kind == WIRE__KIND__KIND_USER;
    bool served = request->identity.kind == WIRE__KIND__KIND_CONTROLLER;
    uint64_t most = person ? X509_TTL_PERSON_SECONDS : X509_TTL_MACHINE_SECONDS;
    bool shorter = request->ttl_seconds > 0 && request->ttl_seconds < most;
    uint64_t until = request->now_seconds + (shorter ? request->ttl_seconds : most);
    int code = set_common(
        certificate,
        request->name,
        &request->identity,
        request->now_seconds - CLOCK_SLACK_SECONDS,
        until,
        GNUTLS_KEY_DIGITAL_SIGNATURE);
    code = code != 0 ? code : gnutls_x509_crt_set_basic_constraints(certificate, 0, -1);
    code = code != 0
               ? code
               : gnutls_x509_crt_set_key_purpose_oid(certificate, GNUTLS_KP_TLS_WWW_CLIENT, 0);
    if (!served) { /* INV-SEC-34: nobody dials a node; it chose its address itself. */
        return code;
    }
    code = code != 0
               ? code
               : gnutls_x509_crt_set_key_purpose_oid(certificate, GNUTLS_KP_TLS_WWW_SERVER, 0);
    for (size_t i = 0; i < request->addresses_count && code == 0; i++) {
        code = set_address(certificate, request->addresses[i]);
    }
    return code;
}

RESULT x509_issue(
    const struct secret *ca_key,
    struct slice ca,
    struct slice csr,
    const struct x509_request *request,
    struct arena *arena,
    struct slice *certificate_out)
{
    CHECK(request->addresses_count == 0 || request->addresses != NULL);
    CHECK(request->now_seconds > CLOCK_SLACK_SECONDS);
    if (request->identity.kind == WIRE__KIND__KIND_CELL || strlen(request->name) >= LIMIT_NAME ||
        request->name[0] == '\0' || request->addresses_count > X509_ADDRESSES_MAX) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    gnutls_privkey_t private = NULL;
    TRY(load(ca_key, &private));
    gnutls_pubkey_t public = key_of_request(csr);
    if (public == NULL) {
        gnutls_privkey_deinit(private);
        return FAIL(FAILURE_BAD_INPUT);
    }
    gnutls_x509_crt_t issuer = NULL;
    gnutls_x509_crt_t certificate = NULL;
    int code = gnutls_x509_crt_init(&issuer);
    CHECK(code == 0);
    code = gnutls_x509_crt_init(&certificate);
    CHECK(code == 0);
    gnutls_datum_t ca_der = datum(ca);
    gnutls_datum_t der = { 0 };
    code = gnutls_x509_crt_import(issuer, &ca_der, GNUTLS_X509_FMT_DER);
    code = code != 0 ? code : set_request(certificate, request);
    code = code != 0 ? code : set_subject_key(certificate, public);
    code = code != 0
               ? code
               : gnutls_x509_crt_privkey_sign(certificate, issuer, private, digest_of(private), 0);
    code = code != 0 ? code : gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_DER, &der);
    gnutls_x509_crt_deinit(certificate);
    gnutls_x509_crt_deinit(issuer);
    gnutls_pubkey_deinit(public);
    gnutls_privkey_deinit(private);
    return code == 0 ? keep(&der, arena, certificate_out) : FAIL(FAILURE_BAD_INPUT);
}

RESULT x509_sign(
    const struct secret *key, struct slice data, struct arena *arena, struct slice *signature_out)
{
    CHECK(data.size > 0);
    gnutls_privkey_t private = NULL;
    TRY(load(key, &private));
    gnutls_datum_t input = datum(data);
    gnutls_datum_t signature = { 0 };
    int code = GNUTLS_E_INVALID_REQUEST;
    if (gnutls_privkey_get_pk_algorithm(private, NULL) == GNUTLS_PK_EDDSA_ED25519) {
        code = gnutls_privkey_sign_data2(private, GNUTLS_SIGN_EDDSA_ED25519, 0, &input, &signature);
    } else if (data.size == 32) {
        code = gnutls_privkey_sign_hash2(private, GNUTLS_SIGN_ECDSA_SHA256, 0, &input, &signature);
    }
    gnutls_privkey_deinit(private);
    return code == 0 ? keep(&signature, arena, signature_out) : FAIL(FAILURE_BAD_INPUT);
}
