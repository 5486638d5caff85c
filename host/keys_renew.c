/* Decides whether a certificate may take the place of the one in use. Never decides when (engine
 * and agent do), never shows a key.
 *
 * The happy path: request (fresh key, PKCS#10) → the cell certifies it → adopt: key and certificate
 * go to the disk in one file, then into use.
 * What can go wrong: the answer never comes → the next request begins anew; it is another's, an old
 * one's or a stranger's → refused, nothing changes; the disk refuses → the old ones stay in use; we
 * die between disk and use → the next start reads the new ones. */
#include "host/keys_renew.h"

#include "base/check.h"

#include <string.h>
#include <unistd.h>

RESULT keys_renew_begin(
    struct keys_renew *renew,
    struct keyring *keyring,
    const char *path,
    struct slice ca,
    const struct x509_identity *self,
    struct slice certificate)
{
    CHECK(keyring->machine.size > 0);
    *renew = (struct keys_renew){ .keyring = keyring, .path = path, .ca = ca, .self = *self };
    if (keyring->certificate.size == 0) {
        TRY(secret_copy(certificate, &keyring->certificate));
    }
    struct slice own = secret_slice(&keyring->certificate);
    if (x509_facts(own, &renew->facts).code != 0 || !x509_belongs(own, &keyring->machine)) {
        return FAIL(FAILURE_CORRUPT);
    }
    x509_digest(own, renew->shown);
    return OK;
}

void keys_renew_end(struct keys_renew *renew)
{
    secret_free(&renew->pending);
    secret_free(&renew->before);
}

const struct secret *keys_renew_key(const struct keys_renew *renew, struct slice digest)
{
    if (digest.size == 0 || slice_equal(digest, slice_of(renew->shown, X509_DIGEST))) {
        return &renew->keyring->machine;
    }
    bool older =
        renew->before.size > 0 && slice_equal(digest, slice_of(renew->before_shown, X509_DIGEST));
    return older ? &renew->before : NULL;
}

RESULT keys_renew_request(
    struct keys_renew *renew, const char *name, struct arena *arena, struct slice *csr_out)
{
    struct secret fresh = { 0 };
    TRY(x509_key_make(X509_KEY_P256, &fresh));
    struct result made = x509_csr_make(&fresh, name, arena, csr_out);
    if (made.code != 0) {
        secret_free(&fresh);
        return made;
    }
    secret_free(&renew->pending);
    renew->pending = fresh;
    return OK;
}

static bool is_ours(
    const struct keys_renew *renew,
    struct slice certificate,
    uint64_t now_seconds,
    struct x509_facts *facts_out)
{
    if (renew->pending.size == 0 ||
        x509_verify(certificate, renew->ca, now_seconds, facts_out).code != 0) {
        return false;
    }
    return facts_out->identity.kind == renew->self.kind &&
           facts_out->identity.id == renew->self.id &&
           facts_out->identity.epoch >= renew->facts.identity.epoch &&
           facts_out->until_seconds > renew->facts.until_seconds &&
           x509_belongs(certificate, &renew->pending);
}

RESULT keys_renew_adopt(struct keys_renew *renew, struct slice certificate, uint64_t now_seconds)
{
    struct x509_facts facts;
    struct keyring *keyring = renew->keyring;
    if (!is_ours(renew, certificate, now_seconds, &facts)) { /* INV-SEC-31 */
        return FAIL(FAILURE_DENIED);
    }
    struct keyring next = *keyring; /* The cell's keys stay where they are. */
    next.machine = renew->pending;
    next.certificate = (struct secret){ 0 };
    TRY(secret_copy(certificate, &next.certificate));
    struct result written = keyring_write(renew->path, &next, geteuid(), getegid());
    if (written.code != 0) {
        secret_free(&next.certificate);
        return written;
    }
    secret_free(&renew->before);
    secret_free(&keyring->certificate);
    renew->before = keyring->machine;
    memcpy(renew->before_shown, renew->shown, X509_DIGEST);
    renew->pending = (struct secret){ 0 };
    *keyring = next;
    renew->facts = facts;
    x509_digest(secret_slice(&keyring->certificate), renew->shown);
    CHECK(keyring->machine.size > 0);
    return OK;
}
