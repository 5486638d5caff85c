/* Certificates, requests for them, PEM, sealed secrets and the cell's keys as they travel. Only
 * this target has the keys, and they are the same in every run; so whatever verifies was issued
 * here (INV-SEC-24), whatever opens was sealed here, and what a request becomes says who was meant.
 */
#include "tests/fuzz/fuzz.h"

#include "base/check.h"
#include "base/id.h"
#include "host/keyring.h"
#include "host/seal.h"
#include "host/x509.h"

#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { KIND_CERTIFICATE, KIND_REQUEST, KIND_PEM, KIND_SEALED, KIND_KEYS, KINDS };

enum { CELL = 1, NOW = 1800000000, EPOCH = 3, NODE = 42 };

static _Alignas(16) uint8_t memory[256 * 1024];
static _Alignas(16) uint8_t fixed_memory[64 * 1024];
static struct arena fixed; /* What lives as long as the process. */
static struct secret ca_key;
static struct secret seal_key;
static struct slice ca;
static struct slice leaf;     /* Issued below it. */
static uint32_t secrets_left; /* 1: the next asking for locked memory is refused; 0: none is. */

struct result __wrap_secret_make(size_t size, struct secret *secret_out);
struct result __real_secret_make(size_t size, struct secret *secret_out);

struct result __wrap_secret_make(size_t size, struct secret *secret_out)
{
    if (secrets_left > 0 && --secrets_left == 0) {
        return FAIL(FAILURE_NO_SPACE);
    }
    return __real_secret_make(size, secret_out);
}

const ProtobufCMessageDescriptor *fuzz_type(uint8_t kind)
{
    (void)kind;
    return NULL;
}

/* PKCS#8 of an Ed25519 key (RFC 8410) that is always the same. */
static struct secret key_of(uint8_t number)
{
    static const uint8_t head[] = { 0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
                                    0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20 };
    uint8_t der[sizeof(head) + 32];
    struct secret key = { 0 };
    memcpy(der, head, sizeof(head));
    memset(der + sizeof(head), number, 32);
    struct result made = secret_copy(slice_of(der, sizeof(der)), &key);
    CHECK(made.code == 0);
    return key;
}

static void begin(void)
{
    static const uint8_t private_bytes[SEAL_KEY_BYTES] = { 8, 1, 2, 3 };
    arena_init(&fixed, fixed_memory, sizeof(fixed_memory));
    ca_key = key_of(7);
    struct result made = x509_ca_make(&ca_key, CELL, NOW, &fixed, &ca);
    CHECK(made.code == 0);
    struct x509_request wish = {
        .identity = { .kind = WIRE__KIND__KIND_NODE, .id = id_make(CELL, NODE), .epoch = EPOCH },
        .name = "n1",
        .now_seconds = NOW,
    };
    struct slice csr = SLICE_EMPTY;
    made = x509_csr_make(&ca_key, "n1", &fixed, &csr);
    made = made.code == 0 ? x509_issue(&ca_key, ca, csr, &wish, &fixed, &leaf) : made;
    CHECK(made.code == 0);
    made = secret_copy(slice_of(private_bytes, sizeof(private_bytes)), &seal_key);
    CHECK(made.code == 0);
}

static void hold_certificate(struct slice bytes)
{
    struct x509_facts facts;
    struct x509_facts verified;
    struct x509_facts late;
    char uri[X509_URI_MAX];
    bool said = x509_facts(bytes, &facts).code == 0;
    struct result good = x509_verify(bytes, ca, NOW, &verified);
    struct result grace = x509_verify_late(bytes, ca, NOW + 3600 * 24 * 3, 3600 * 24 * 7, &late);
    MUST(good.code == 0 || good.code == FAILURE_DENIED || good.code == FAILURE_TIMEOUT);
    /* As an authority it is one only if it is ours. */
    struct result below = x509_verify(leaf, bytes, NOW, &late);
    MUST(below.code != 0 || x509_belongs(bytes, &ca_key));
    MUST(said || (good.code == FAILURE_DENIED && grace.code == FAILURE_DENIED));
    if (said) {
        MUST(x509_uri_write(&facts.identity, uri));
        MUST(memmem(bytes.data, bytes.size, uri, strlen(uri)) != NULL);
        MUST(facts.from_seconds <= facts.until_seconds);
    }
    MUST(!x509_belongs(bytes, &seal_key)); /* That is no key of any certificate. */
    bool ours = x509_belongs(bytes, &ca_key);
    MUST(!ours || said || x509_belongs(ca, &ca_key));
    if (good.code == 0) { /* INV-SEC-24 */
        MUST(verified.identity.kind == WIRE__KIND__KIND_NODE && verified.identity.epoch == EPOCH);
        MUST(verified.identity.id == id_make(CELL, NODE));
        MUST(verified.from_seconds <= NOW && verified.until_seconds >= NOW);
    }
}

static void hold_request(struct slice bytes, uint8_t how)
{
    static const char long_one[] =
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    static const char *const bad[] = { "*bad*", "", long_one };
    const char *addresses[] = { "10.0.0.1", "fd00::1", "c1.example", bad[how / 5 % 3] };
    struct x509_request wish = {
        .identity = { .kind = WIRE__KIND__KIND_CONTROLLER, .id = id_make(CELL, 9), .epoch = 2 },
        .name = "c1",
        .addresses = addresses,
        .addresses_count = how % 5,
        .now_seconds = NOW,
    };
    struct arena arena;
    struct slice issued = SLICE_EMPTY;
    struct x509_facts facts;
    arena_init(&arena, memory, sizeof(memory));
    struct result made = x509_issue(&ca_key, ca, bytes, &wish, &arena, &issued);
    MUST(made.code == 0 || made.code == FAILURE_BAD_INPUT);
    if (made.code == 0) {
        MUST(wish.addresses_count < 4); /* The fourth is no address. */
        MUST(x509_verify(issued, ca, NOW, &facts).code == 0);
        MUST(facts.identity.kind == wish.identity.kind && facts.identity.id == wish.identity.id);
        MUST(facts.identity.epoch == wish.identity.epoch);
        MUST(facts.until_seconds == NOW + X509_TTL_MACHINE_SECONDS);
        wish.name = "";
        MUST(x509_issue(&ca_key, ca, bytes, &wish, &arena, &issued).code == FAILURE_BAD_INPUT);
        wish.name = "u1";
        wish.identity.kind = WIRE__KIND__KIND_USER;
        wish.ttl_seconds = 60;
        MUST(x509_issue(&ca_key, ca, bytes, &wish, &arena, &issued).code == 0);
        MUST(x509_facts(issued, &facts).code == 0 && facts.until_seconds == NOW + 60);
    }
}

static void hold_pem(struct slice bytes)
{
    struct arena arena;
    struct slice der = SLICE_EMPTY;
    struct slice text = SLICE_EMPTY;
    struct slice again = SLICE_EMPTY;
    arena_init(&arena, memory, sizeof(memory));
    if (bytes.size == 0 || x509_unpem("CERTIFICATE", bytes, &arena, &der).code != 0) {
        return;
    }
    if (der.size > 0) {
        MUST(x509_pem("CERTIFICATE", der, &arena, &text).code == 0);
        MUST(x509_unpem("CERTIFICATE", text, &arena, &again).code == 0);
        MUST(slice_equal(der, again));
    }
}

/* Locked memory is refused, at the first asking or at a later one. */
static void hold_without_memory(const struct secret *private, struct slice sealed)
{
    enum { ASKINGS = 3 };
    for (uint32_t asking = 1; asking <= ASKINGS; asking++) {
        struct secret opened = { 0 };
        secrets_left = asking;
        MUST(seal_open(private, sealed, &opened).code != 0 && opened.data == NULL);
        secrets_left = 0;
    }
}

/* Sealed here: the first byte says to whom, the second what is spoiled, the rest is the plain. */
static void hold_sealed(struct slice bytes)
{
    struct secret plain = { 0 };
    struct secret opened = { 0 };
    struct secret private = { 0 };
    uint8_t public[SEAL_KEY_BYTES];
    struct arena arena;
    struct slice sealed = SLICE_EMPTY;
    MUST(seal_open(&seal_key, bytes, &opened).code != 0); /* Nobody sealed that. */
    if (bytes.size < 4 || bytes.size > 1024) {
        return;
    }
    arena_init(&arena, memory, sizeof(memory));
    MUST(seal_pair(&private, public).code == 0);
    MUST(secret_copy(slice_of(bytes.data + 3, bytes.size - 3), &plain).code == 0);
    MUST(seal_close(&plain, public, &arena, &sealed).code == 0);
    MUST(sealed.size == plain.size + SEAL_OVERHEAD);
    MUST(seal_open(&private, sealed, &opened).code == 0);
    MUST(secret_equal(&opened, secret_slice(&plain)));
    secret_free(&opened);
    hold_without_memory(&private, sealed);
    uint8_t *copy = fuzz_copy(sealed);
    size_t at = (bytes.data[0] | (size_t)bytes.data[1] << 8) % sealed.size;
    copy[at] ^= (uint8_t)(bytes.data[2] | 1);
    /* X25519 does not look at the highest bit of a public key (RFC 7748 §5), but the seal does. */
    MUST(seal_open(&private, slice_of(copy, sealed.size), &opened).code != 0);
    MUST(seal_open(&private, slice_of(copy, at), &opened).code != 0);
    MUST(seal_open(&seal_key, sealed, &opened).code != 0);
    free(copy);
    secret_free(&private);
    secret_free(&plain);
}

static void hold_keys(struct slice bytes)
{
    struct secret packed = { 0 };
    struct secret again = { 0 };
    struct keyring keyring = { .ca = { 0 } };
    if (bytes.size == 0 || secret_copy(bytes, &packed).code != 0) {
        return;
    }
    struct result unpacked = keyring_unpack_cell(&packed, &keyring);
    MUST(unpacked.code == 0 || unpacked.code == FAILURE_CORRUPT);
    if (unpacked.code == 0) {
        MUST(keyring_pack_cell(&keyring, &again).code == 0);
        MUST(secret_equal(&again, bytes));
        secret_free(&again);
    }
    keyring_free(&keyring);
    secret_free(&packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size);
    struct fuzz_part part;
    if (ca.size == 0) {
        begin();
    }
    while (fuzz_part_next(&rest, &part)) {
        uint8_t *copy = fuzz_copy(part.bytes);
        struct slice bytes = slice_of(copy, part.bytes.size);
        switch ((enum kind)(part.kind % KINDS)) {
        case KIND_CERTIFICATE: hold_certificate(bytes); break;
        case KIND_REQUEST: hold_request(bytes, part.kind / KINDS); break;
        case KIND_PEM: hold_pem(bytes); break;
        case KIND_SEALED: hold_sealed(bytes); break;
        case KIND_KEYS: hold_keys(bytes); break;
        case KINDS: break;
        }
        free(copy);
    }
    return 0;
}

/* A certificate of the cell's authority as no part of ours would write it: other names, other
 * times, an authority below the authority. */
static void put_odd(uint32_t number, uint8_t *room, size_t *used)
{
    static const char good[] = "udatsu://0001/node/00010003-0000-8000-8000-00000000002a?epoch=3";
    static const char cell[] = "udatsu://0001/cell/00010001-0000-8000-8000-000000000001?epoch=0";
    static const char far[] = "udatsu://0002/node/00020003-0000-8000-8000-00000000002a?epoch=3";
    static const char hidden[] = "udatsu://0001/node/\0";
    static const char long_one[] =
        "udatsu://0001/node/00010003-0000-8000-8000-00000000002a?epoch=3&and=much-more-than-that-"
        "and-a-little-more";
    static const char *const names[][2] = {
        { NULL, NULL }, { good, good },     { "https://a", NULL }, { good, NULL },
        { cell, NULL }, { good, NULL },     { good, NULL },        { good, NULL },
        { far, NULL },  { long_one, NULL }, { hidden, NULL },
    };
    gnutls_x509_crt_t made = NULL;
    gnutls_x509_crt_t issuer = NULL;
    gnutls_privkey_t key = NULL;
    gnutls_datum_t der = { ca_key.data, (unsigned int)ca_key.size };
    gnutls_x509_privkey_t private = NULL;
    gnutls_pubkey_t public = NULL;
    gnutls_datum_t ca_der = { NULL, (unsigned int)ca.size };
    gnutls_datum_t out = { NULL, 0 };
    memcpy(&ca_der.data, &ca.data, sizeof(ca_der.data));
    bool sound = gnutls_x509_crt_init(&made) == 0 && gnutls_x509_crt_init(&issuer) == 0 &&
                 gnutls_privkey_init(&key) == 0 && gnutls_x509_privkey_init(&private) == 0 &&
                 gnutls_pubkey_init(&public) == 0 &&
                 gnutls_x509_privkey_import2(private, &der, GNUTLS_X509_FMT_DER, NULL, 0) == 0 &&
                 gnutls_privkey_import_x509(key, private, 0) == 0 &&
                 gnutls_pubkey_import_privkey(public, key, 0, 0) == 0 &&
                 gnutls_x509_crt_import(issuer, &ca_der, GNUTLS_X509_FMT_DER) == 0 &&
                 gnutls_x509_crt_set_version(made, 3) == 0 &&
                 gnutls_x509_crt_set_serial(made, "\1", 1) == 0 &&
                 gnutls_x509_crt_set_pubkey(made, public) == 0 &&
                 gnutls_x509_crt_set_activation_time(made, number == 5 ? NOW + 60 : NOW - 60) == 0;
    CHECK(sound);
    (void)gnutls_x509_crt_set_expiration_time(made, number == 6 ? NOW - 120 : NOW + 3600);
    (void)gnutls_x509_crt_set_basic_constraints(made, number == 3 ? 1 : 0, -1);
    for (uint32_t i = 0; i < 2 && names[number][i] != NULL; i++) {
        const char *name = names[number][i];
        unsigned int size = (unsigned int)(name == hidden ? sizeof(hidden) - 1 : strlen(name));
        (void)gnutls_x509_crt_set_subject_alt_name(
            made, GNUTLS_SAN_URI, name, size, GNUTLS_FSAN_APPEND);
    }
    for (uint32_t i = 0; i < (number == 7 ? 12U : 0U); i++) { /* More than we ever write. */
        (void)gnutls_x509_crt_set_subject_alt_name(
            made, GNUTLS_SAN_DNSNAME, "a", 1, GNUTLS_FSAN_APPEND);
    }
    int code = gnutls_x509_crt_privkey_sign(made, issuer, key, GNUTLS_DIG_SHA512, 0);
    code = code != 0 ? code : gnutls_x509_crt_export2(made, GNUTLS_X509_FMT_DER, &out);
    CHECK(code == 0);
    (void)fuzz_part_put(room, FUZZ_INPUT_MAX, used, KIND_CERTIFICATE, slice_of(out.data, out.size));
    gnutls_free(out.data);
    gnutls_pubkey_deinit(public);
    gnutls_privkey_deinit(key);
    gnutls_x509_privkey_deinit(private);
    gnutls_x509_crt_deinit(issuer);
    gnutls_x509_crt_deinit(made);
}

/* Too large, too short, cut, of a curve that we take and of a kind that we do not. */
static void put_rest(uint32_t number, uint8_t *room, size_t *used)
{
    static uint8_t zeros[8000];
    static const uint8_t large[] = { 0x10, 0x00, 1 };
    struct secret key = { 0 };
    struct arena arena;
    struct slice csr = SLICE_EMPTY;
    arena_init(&arena, memory, sizeof(memory));
    (void)fuzz_part_put(room, FUZZ_INPUT_MAX, used, (uint8_t)(number % KINDS), SLICE_EMPTY);
    (void)fuzz_part_put(
        room, FUZZ_INPUT_MAX, used, (uint8_t)(number % KINDS), slice_of(zeros, sizeof(zeros)));
    (void)fuzz_part_put(
        room, FUZZ_INPUT_MAX, used, KIND_KEYS, slice_of(large, 1 + number % sizeof(large)));
    struct result made = x509_key_make(X509_KEY_P256, &key);
    made = made.code == 0 ? x509_csr_make(&key, "n1", &arena, &csr) : made;
    CHECK(made.code == 0);
    (void)fuzz_part_put(
        room, FUZZ_INPUT_MAX, used, KIND_REQUEST, slice_of(csr.data, csr.size - number % 2));
    secret_free(&key);
}

size_t fuzz_seed(uint32_t number, uint8_t room[static FUZZ_INPUT_MAX])
{
    enum { SEEDS = 12, ODD = 11, REST = 5 };
    struct x509_request wish = {
        .identity = { .kind = WIRE__KIND__KIND_NODE, .id = id_make(CELL, NODE), .epoch = EPOCH },
        .name = "n1",
        .now_seconds = number % 3 == 2 ? NOW - X509_TTL_MACHINE_SECONDS - 3600 : NOW,
    };
    static const uint8_t keys[] = { 0, 3, 'a', 'b', 'c', 0, 2, 'd', 'e' };
    static const uint8_t odd_keys[] = { 0, 3, 'a', 'b', 'c', 0, 0 };
    struct arena arena;
    struct slice csr = SLICE_EMPTY;
    struct slice issued = SLICE_EMPTY;
    struct slice text = SLICE_EMPTY;
    size_t used = 0;
    if (ca.size == 0) {
        begin();
    }
    if (number >= SEEDS + ODD + REST) {
        return 0;
    }
    if (number >= SEEDS) {
        if (number < SEEDS + ODD) {
            put_odd(number - SEEDS, room, &used);
        } else {
            put_rest(number - SEEDS - ODD, room, &used);
        }
        return used;
    }
    arena_init(&arena, memory, sizeof(memory));
    struct secret key = key_of((uint8_t)(20 + number));
    struct secret other = key_of(8);
    struct slice other_ca = ca;
    struct result made = x509_csr_make(&key, "n1", &arena, &csr);
    CHECK(made.code == 0);
    if (number % 4 == 3) { /* Of another cell's authority. */
        made = x509_ca_make(&other, CELL + 1, NOW, &arena, &other_ca);
        CHECK(made.code == 0);
        wish.identity.id = id_make(CELL + 1, NODE);
    }
    made = x509_issue(number % 4 == 3 ? &other : &ca_key, other_ca, csr, &wish, &arena, &issued);
    CHECK(made.code == 0);
    made = x509_pem("CERTIFICATE", issued, &arena, &text);
    CHECK(made.code == 0);
    (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, KIND_CERTIFICATE, issued);
    (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, KIND_CERTIFICATE, other_ca);
    (void)fuzz_part_put(
        room, FUZZ_INPUT_MAX, &used, (uint8_t)(KIND_REQUEST + KINDS * (number + 8)), csr);
    (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, KIND_PEM, text);
    (void)fuzz_part_put(
        room, FUZZ_INPUT_MAX, &used, KIND_SEALED, slice_of(csr.data, 4 + number * 9));
    (void)fuzz_part_put(
        room, FUZZ_INPUT_MAX, &used, KIND_KEYS, slice_of(keys, sizeof(keys) - number % 3));
    (void)fuzz_part_put(
        room, FUZZ_INPUT_MAX, &used, KIND_KEYS, slice_of(odd_keys, sizeof(odd_keys)));
    secret_free(&other);
    secret_free(&key);
    return used;
}
