/* Papers: who a certificate speaks for, and everything that does not count as one. */
#include "base/check.h"
#include "base/id.h"
#include "host/x509.h"

#include <criterion/criterion.h>
#include <string.h>

static _Alignas(16) uint8_t memory[256 * 1024];

enum { NOW = 1800000000, CELL = 0x00ab };

struct cell {
    struct arena arena;
    struct secret ca_key;
    struct slice ca;
};

static void cell_open(struct cell *cell, uint16_t number)
{
    *cell = (struct cell){ 0 };
    arena_init(&cell->arena, memory, sizeof(memory));
    cr_assert_eq(x509_key_make(X509_KEY_P256, &cell->ca_key).code, 0);
    cr_assert_eq(x509_ca_make(&cell->ca_key, number, NOW, &cell->arena, &cell->ca).code, 0);
}

static struct x509_request request_for(Wire__Kind kind, uint64_t sequence)
{
    return (struct x509_request){
        .identity = { .kind = kind, .id = id_make(CELL, sequence), .epoch = 3 },
        .name = "c1",
        .now_seconds = NOW,
    };
}

static struct result issue(
    struct cell *cell, enum x509_key_kind kind, struct x509_request *request, struct slice *out)
{
    struct secret key = { 0 };
    struct slice csr = SLICE_EMPTY;
    cr_assert_eq(x509_key_make(kind, &key).code, 0);
    cr_assert_eq(x509_csr_make(&key, "anything", &cell->arena, &csr).code, 0);
    secret_free(&key);
    return x509_issue(&cell->ca_key, cell->ca, csr, request, &cell->arena, out);
}

Test(x509, a_certificate_says_who_it_speaks_for_and_until_when)
{
    struct cell cell;
    cell_open(&cell, CELL);
    const char *addresses[] = { "10.98.0.11", "fd00::1", "c1.lab.example" };
    struct x509_request request = request_for(WIRE__KIND__KIND_CONTROLLER, 7);
    request.addresses = addresses;
    request.addresses_count = COUNT_OF(addresses);
    struct slice certificate = SLICE_EMPTY;
    cr_assert_eq(issue(&cell, X509_KEY_P256, &request, &certificate).code, 0);
    struct x509_facts facts;
    cr_assert_eq(x509_verify(certificate, cell.ca, NOW, &facts).code, 0);
    cr_assert_eq(facts.identity.kind, WIRE__KIND__KIND_CONTROLLER);
    cr_assert_eq(facts.identity.id, id_make(CELL, 7));
    cr_assert_eq(facts.identity.epoch, 3);
    cr_assert_eq(facts.until_seconds, NOW + X509_TTL_MACHINE_SECONDS);
    secret_free(&cell.ca_key);
}

static bool contains(struct slice text, const char *bytes, size_t size)
{
    for (size_t at = 0; at + size <= text.size; at++) {
        if (memcmp(text.data + at, bytes, size) == 0) {
            return true;
        }
    }
    return false;
}

/* A node names its address itself: with a controller's it would answer the CLI in its place. */
Test(x509, only_a_controllers_certificate_can_be_a_servers) /* INV-SEC-34 */
{
    static const char server[] = "\x2b\x06\x01\x05\x05\x07\x03\x01"; /* RFC 5280 4.2.1.12 */
    static const char address[] = "\x87\x04\x0a\x62\x00\x0b";        /* RFC 5280 4.2.1.6 */
    static const Wire__Kind kinds[] = {
        WIRE__KIND__KIND_CONTROLLER,
        WIRE__KIND__KIND_NODE,
        WIRE__KIND__KIND_USER,
    };
    struct cell cell;
    cell_open(&cell, CELL);
    const char *addresses[] = { "10.98.0.11" };
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct x509_request request = request_for(kinds[i], 7);
        bool controller = kinds[i] == WIRE__KIND__KIND_CONTROLLER;
        request.addresses = addresses;
        request.addresses_count = COUNT_OF(addresses);
        struct slice certificate = SLICE_EMPTY;
        cr_assert_eq(issue(&cell, X509_KEY_P256, &request, &certificate).code, 0);
        cr_assert_eq(contains(certificate, server, sizeof(server) - 1), controller);
        cr_assert_eq(contains(certificate, address, sizeof(address) - 1), controller);
    }
    secret_free(&cell.ca_key);
}

Test(x509, no_certificate_lives_longer_than_its_kind_may)
{
    struct cell cell;
    cell_open(&cell, CELL);
    static const struct {
        Wire__Kind kind;
        uint64_t asked;
        uint64_t given;
    } rows[] = {
        { WIRE__KIND__KIND_NODE, 0, X509_TTL_MACHINE_SECONDS },
        { WIRE__KIND__KIND_NODE, 60, 60 },
        { WIRE__KIND__KIND_NODE, UINT64_MAX, X509_TTL_MACHINE_SECONDS },
        { WIRE__KIND__KIND_USER, X509_TTL_MACHINE_SECONDS, X509_TTL_PERSON_SECONDS },
        { WIRE__KIND__KIND_USER, 900, 900 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct x509_request request = request_for(rows[i].kind, 9);
        request.ttl_seconds = rows[i].asked;
        struct slice certificate = SLICE_EMPTY;
        struct x509_facts facts;
        cr_assert_eq(issue(&cell, X509_KEY_P256, &request, &certificate).code, 0);
        cr_assert_eq(x509_facts(certificate, &facts).code, 0);
        cr_assert_eq(facts.until_seconds, NOW + rows[i].given, "row %zu", i);
    }
    secret_free(&cell.ca_key);
}

Test(x509, only_this_cells_ca_and_this_time_count) /* INV-SEC-24 */
{
    struct cell cell;
    cell_open(&cell, CELL);
    struct x509_request request = request_for(WIRE__KIND__KIND_NODE, 9);
    request.ttl_seconds = 100;
    struct slice certificate = SLICE_EMPTY;
    struct x509_facts facts;
    cr_assert_eq(issue(&cell, X509_KEY_P256, &request, &certificate).code, 0);
    cr_assert_eq(x509_verify(certificate, cell.ca, NOW + 100, &facts).code, 0);
    cr_assert_eq(x509_verify(certificate, cell.ca, NOW + 101, &facts).code, FAILURE_TIMEOUT);
    cr_assert_eq(x509_verify(certificate, cell.ca, NOW - 3600, &facts).code, FAILURE_TIMEOUT);
    cr_assert_eq(x509_verify(cell.ca, cell.ca, NOW, &facts).code, FAILURE_DENIED);
    /* The same names under another key: another CA. */
    struct secret other_key = { 0 };
    struct slice other = SLICE_EMPTY;
    cr_assert_eq(x509_key_make(X509_KEY_P256, &other_key).code, 0);
    cr_assert_eq(x509_ca_make(&other_key, CELL, NOW, &cell.arena, &other).code, 0);
    cr_assert_eq(x509_verify(certificate, other, NOW, &facts).code, FAILURE_DENIED);
    /* The same key under another cell's name. */
    struct slice cousin = SLICE_EMPTY;
    cr_assert_eq(x509_ca_make(&cell.ca_key, CELL + 1, NOW, &cell.arena, &cousin).code, 0);
    cr_assert_eq(x509_verify(certificate, cousin, NOW, &facts).code, FAILURE_DENIED);
    /* A certificate of another cell's id, signed by our own CA. */
    request.identity.id = id_make(CELL + 1, 9);
    cr_assert_eq(issue(&cell, X509_KEY_P256, &request, &certificate).code, 0);
    cr_assert_eq(x509_verify(certificate, cell.ca, NOW, &facts).code, FAILURE_DENIED);
    secret_free(&other_key);
    secret_free(&cell.ca_key);
}

Test(x509, a_changed_byte_is_never_a_certificate_of_ours)
{
    struct cell cell;
    cell_open(&cell, CELL);
    struct x509_request request = request_for(WIRE__KIND__KIND_NODE, 9);
    struct slice certificate = SLICE_EMPTY;
    cr_assert_eq(issue(&cell, X509_KEY_P256, &request, &certificate).code, 0);
    static uint8_t copy[X509_CERTIFICATE_MAX];
    for (size_t at = 0; at < certificate.size; at++) {
        memcpy(copy, certificate.data, certificate.size);
        copy[at] ^= 0x01U;
        struct x509_facts facts;
        struct slice changed = slice_of(copy, certificate.size);
        cr_assert_neq(x509_verify(changed, cell.ca, NOW, &facts).code, 0, "byte %zu", at);
    }
    for (size_t size = 0; size < certificate.size; size++) {
        struct x509_facts facts;
        cr_assert_neq(x509_facts(slice_of(certificate.data, size), &facts).code, 0);
    }
    secret_free(&cell.ca_key);
}

Test(x509, requests_that_are_not_honest_get_nothing)
{
    struct cell cell;
    cell_open(&cell, CELL);
    struct secret key = { 0 };
    struct slice csr = SLICE_EMPTY;
    struct slice out = SLICE_EMPTY;
    cr_assert_eq(x509_key_make(X509_KEY_P256, &key).code, 0);
    cr_assert_eq(x509_csr_make(&key, "n1", &cell.arena, &csr).code, 0);
    struct x509_request request = request_for(WIRE__KIND__KIND_NODE, 9);
    cr_assert_eq(x509_issue(&cell.ca_key, cell.ca, csr, &request, &cell.arena, &out).code, 0);
    static uint8_t copy[2048];
    uint32_t refused = 0;
    for (size_t at = 0; at < csr.size; at++) { /* Its own signature covers every byte. */
        memcpy(copy, csr.data, csr.size);
        copy[at] ^= 0x01U;
        struct slice changed = slice_of(copy, csr.size);
        struct result issued =
            x509_issue(&cell.ca_key, cell.ca, changed, &request, &cell.arena, &out);
        refused += issued.code == 0 ? 0 : 1;
    }
    cr_assert_eq(refused, csr.size);
    request.identity.kind = WIRE__KIND__KIND_CELL; /* Nobody becomes the CA. */
    cr_assert_neq(x509_issue(&cell.ca_key, cell.ca, csr, &request, &cell.arena, &out).code, 0);
    request.identity.kind = WIRE__KIND__KIND_TENANT;
    cr_assert_neq(x509_issue(&cell.ca_key, cell.ca, csr, &request, &cell.arena, &out).code, 0);
    request = request_for(WIRE__KIND__KIND_CONTROLLER, 9);
    const char *bad[] = { "host name" };
    request.addresses = bad;
    request.addresses_count = 1;
    cr_assert_neq(x509_issue(&cell.ca_key, cell.ca, csr, &request, &cell.arena, &out).code, 0);
    request.addresses_count = 0;
    request.name = "";
    cr_assert_neq(x509_issue(&cell.ca_key, cell.ca, csr, &request, &cell.arena, &out).code, 0);
    secret_free(&key);
    secret_free(&cell.ca_key);
}

Test(x509, an_identity_has_one_spelling)
{
    static const char good[] = "udatsu://00ab/node/00ab0003-0000-8000-8000-000000000009?epoch=12";
    struct x509_identity identity;
    char again[X509_URI_MAX];
    cr_assert(x509_uri_read(good, &identity));
    cr_assert_eq(identity.kind, WIRE__KIND__KIND_NODE);
    cr_assert_eq(identity.epoch, 12);
    cr_assert(x509_uri_write(&identity, again));
    cr_assert_str_eq(again, good);
    static const char *const bad[] = {
        "",
        "udatsu://",
        "https://00ab/node/00ab0003-0000-8000-8000-000000000009?epoch=12",
        "udatsu://00AB/node/00ab0003-0000-8000-8000-000000000009?epoch=12",
        "udatsu://00ac/node/00ab0003-0000-8000-8000-000000000009?epoch=12",
        "udatsu://00ab/user/00ab0003-0000-8000-8000-000000000009?epoch=12",
        "udatsu://00ab/tenant/00ab0004-0000-8000-8000-000000000009?epoch=12",
        "udatsu://00ab/node/00ab0003-0000-8000-8000-000000000009",
        "udatsu://00ab/node/00ab0003-0000-8000-8000-000000000009?epoch=",
        "udatsu://00ab/node/00ab0003-0000-8000-8000-000000000009?epoch=012",
        "udatsu://00ab/node/00ab0003-0000-8000-8000-000000000009?epoch=-1",
        "udatsu://00ab/node/00ab0003-0000-8000-8000-000000000009?epoch=4294967296",
        "udatsu://00ab/node/00ab0003-0000-8000-8000-000000000009?epoch=12&x=1",
        "udatsu://00ab/node/00ab0003-0000-8000-8000-000000000009?epoch=12 ",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        cr_assert_not(x509_uri_read(bad[i], &identity), "%s", bad[i]);
    }
}

Test(x509, pem_there_and_back)
{
    struct cell cell;
    cell_open(&cell, CELL);
    struct slice text = SLICE_EMPTY;
    struct slice der = SLICE_EMPTY;
    cr_assert_eq(x509_pem("CERTIFICATE", cell.ca, &cell.arena, &text).code, 0);
    cr_assert_eq(x509_unpem("CERTIFICATE", text, &cell.arena, &der).code, 0);
    cr_assert(slice_equal(der, cell.ca));
    cr_assert_neq(x509_unpem("PRIVATE KEY", text, &cell.arena, &der).code, 0);
    secret_free(&cell.ca_key);
}
