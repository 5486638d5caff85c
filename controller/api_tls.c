/* Decides which certificate the HTTPS server shows. Never holds a private key: `key` is a handle
 * whose every signature is made by keys. Includes GnuTLS for microhttpd's server side. */
#include "controller/api_tls.h"

#include "base/check.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

enum { CHAIN_MAX = 4 };

/* What is shown: a chain and the key of its leaf. */
struct shown {
    gnutls_privkey_t key; /* Owned. */
    gnutls_pcert_st chain[CHAIN_MAX];
    uint32_t count;
};

/* GnuTLS gives the retrieve callback no context of ours, so there is one server per process. The
 * one before stays for handshakes that began with it: they end within HTTP_IDLE_SECONDS, and
 * renewals are hours apart. */
static struct shown shown;
static struct shown before;

void api_sha256(struct slice bytes, uint8_t digest_out[static API_SHA256_SIZE])
{
    int failed = gnutls_hash_fast(GNUTLS_DIG_SHA256, bytes.data, bytes.size, digest_out);
    CHECK(failed == 0); /* It computes; it cannot fail but for a broken library. */
}

static void forget(struct shown *what)
{
    for (uint32_t i = 0; i < what->count; i++) {
        gnutls_pcert_deinit(&what->chain[i]);
    }
    what->count = 0;
    if (what->key != NULL) {
        gnutls_privkey_deinit(what->key);
        what->key = NULL;
    }
}

/* Takes the key only when it is OK. */
static RESULT take(
    struct shown *what,
    struct gnutls_privkey_st *key,
    const struct slice *chain,
    uint32_t chain_count)
{
    CHECK(what->key == NULL);
    CHECK(what->count == 0);
    for (uint32_t i = 0; i < chain_count; i++) {
        gnutls_datum_t der = { (unsigned char *)(uintptr_t)chain[i].data,
                               (unsigned int)chain[i].size };
        if (gnutls_pcert_import_x509_raw(&what->chain[i], &der, GNUTLS_X509_FMT_DER, 0) != 0) {
            forget(what);
            return FAIL(FAILURE_BAD_INPUT);
        }
        what->count = i + 1;
    }
    what->key = key;
    return OK;
}

RESULT api_tls_start(struct gnutls_privkey_st *key, const struct slice *chain, uint32_t chain_count)
{
    CHECK(key != NULL);
    if (chain_count == 0 || chain_count > CHAIN_MAX) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    return take(&shown, key, chain, chain_count);
}

RESULT api_tls_renew(struct gnutls_privkey_st *key, struct slice certificate)
{
    CHECK(key != NULL);
    CHECK(shown.key != NULL);
    struct shown next = { .key = NULL };
    TRY(take(&next, key, &certificate, 1));
    forget(&before);
    before = shown;
    shown = next;
    return OK;
}

void api_tls_stop(void)
{
    forget(&before);
    forget(&shown);
}

static int retrieve(
    gnutls_session_t session,
    const gnutls_datum_t *issuers,
    int issuers_count,
    const gnutls_pk_algorithm_t *algorithms,
    int algorithms_count,
    gnutls_pcert_st **chain_out,
    unsigned int *count_out,
    gnutls_privkey_t *key_out)
{
    (void)session; /* One name, one certificate: nothing of the client's wishes matters. */
    (void)issuers;
    (void)issuers_count;
    (void)algorithms;
    (void)algorithms_count;
    CHECK(shown.key != NULL);
    *chain_out = shown.chain;
    *count_out = shown.count;
    *key_out = shown.key;
    return 0;
}

void *api_tls_callback(void)
{
    gnutls_certificate_retrieve_function2 *callback = retrieve;
    return (void *)(uintptr_t)callback;
}

bool api_tls_peer(void *session, struct slice *certificate_out)
{
    CHECK(session != NULL);
    unsigned int count = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);
    if (chain == NULL || count == 0) {
        return false;
    }
    *certificate_out = slice_of(chain[0].data, chain[0].size);
    return true;
}

void api_tls_cork(void *session)
{
    CHECK(session != NULL);
    gnutls_record_cork(session);
}

bool api_tls_uncork(void *session)
{
    CHECK(session != NULL);
    size_t gathered = gnutls_record_check_corked(session);
    int sent = gnutls_record_uncork(session, 0);
    return sent >= 0 && (size_t)sent == gathered;
}
