/* udatsu-keys: holds the machine's private key and, on controllers, the cell's CA key and log key.
 * Decides only whether a question is of the form that its asker may ask; engine decides who gets a
 * certificate. Never speaks to a network, never opens a file but the keyring, never shows a key.
 *
 * The happy path: read the keyring as root → become our uid in locked memory → answer one frame
 * with one frame. What can go wrong: no keyring → exit 1 (udatsu-setup makes it); a question that
 * is not answered with a result is answered with an empty one, which means refused. */
#include "base/check.h"
#include "base/id.h"
#include "base/limits.h"
#include "host/child.h"
#include "host/clock.h"
#include "host/keyring.h"
#include "host/keys_renew.h"
#include "host/log.h"
#include "host/seal.h"
#include "host/x509.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

enum {
    SCRATCH_BYTES = 64 * 1024,
    LOCKED_BYTES = 256 * 1024 * 1024, /* All our memory, GnuTLS's copies of keys included. */
};

struct keys {
    struct child child;
    struct keyring keyring;
    struct keys_renew renew;
    char path[PATH_MAX]; /* Of the keyring. */
    struct arena scratch;
};

static void answer(struct channel *channel, Wire__Frame *frame)
{
    struct result sent = channel_send(channel, frame);
    if (sent.code != 0) {
        log_line(
            LOG_LEVEL_WARN,
            "answer-lost",
            "peer=%s why=%s",
            program_name(channel_other(channel)),
            result_name(sent));
    }
}

static ProtobufCBinaryData binary(struct slice bytes)
{
    ProtobufCBinaryData data = { .len = bytes.size };
    memcpy(&data.data, &bytes.data, sizeof(data.data)); /* protobuf-c only reads it. */
    return data;
}

/* The machine's key signs digests of handshakes. Certificates and notes have keys of their own,
 * which this door does not reach. INV-SEC-25 */
static void sign(struct keys *keys, struct channel *channel, const Wire__SignAsk *ask)
{
    Wire__SignTold told = WIRE__SIGN_TOLD__INIT;
    told.handle = ask->handle;
    bool known =
        ask->algorithm == X509_SIGN_ECDSA_SHA256 || ask->algorithm == X509_SIGN_ECDSA_P256_SHA256;
    struct slice signature = SLICE_EMPTY;
    struct slice digest = slice_of(ask->data.data, ask->data.len);
    struct slice shown = slice_of(ask->certificate_sha256.data, ask->certificate_sha256.len);
    const struct secret *key = keys_renew_key(&keys->renew, shown);
    if (known && digest.size == 32 && key != NULL &&
        x509_sign(key, digest, &keys->scratch, &signature).code == 0) {
        told.signature = binary(signature);
    } else {
        log_line(LOG_LEVEL_WARN, "sign-refused", "algorithm=%u", (unsigned int)ask->algorithm);
    }
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.body_case = WIRE__FRAME__BODY_SIGN_TOLD;
    frame.sign_told = &told;
    answer(channel, &frame);
}

static bool may_issue(const struct keys *keys, const Wire__IssueAsk *ask)
{
    const Wire__Identity *identity = ask->identity;
    if (keys->keyring.ca.size == 0 || identity == NULL || keys->child.config->ca.len == 0) {
        return false;
    }
    bool known = identity->kind == WIRE__KIND__KIND_CONTROLLER ||
                 identity->kind == WIRE__KIND__KIND_NODE || identity->kind == WIRE__KIND__KIND_USER;
    bool sealing_fits = ask->sealing_key.len == 0 ||
                        (ask->sealing_key.len == SEAL_KEY_BYTES &&
                         identity->kind == WIRE__KIND__KIND_CONTROLLER); /* INV-SEC-26 */
    return known && sealing_fits && id_cell(identity->id) == keys->child.config->cell;
}

static RESULT issue_certificate(struct keys *keys, const Wire__IssueAsk *ask, Wire__IssueTold *told)
{
    struct x509_request request = {
        .identity = { .kind = ask->identity->kind,
                      .id = ask->identity->id,
                      .epoch = ask->identity->epoch },
        .name = ask->name,
        .addresses = ask->addresses,
        .addresses_count = ask->n_addresses,
        .ttl_seconds = ask->ttl_seconds,
        .now_seconds = clock_wall_ms() / 1000U,
    };
    const ProtobufCBinaryData *ca = &keys->child.config->ca;
    struct slice certificate = SLICE_EMPTY;
    TRY(x509_issue(
        &keys->keyring.ca,
        slice_of(ca->data, ca->len),
        slice_of(ask->csr.data, ask->csr.len),
        &request,
        &keys->scratch,
        &certificate));
    if (ask->sealing_key.len > 0) {
        struct secret packed = { 0 };
        struct slice sealed = SLICE_EMPTY;
        TRY(keyring_pack_cell(&keys->keyring, &packed));
        struct result closed = seal_close(&packed, ask->sealing_key.data, &keys->scratch, &sealed);
        secret_free(&packed);
        TRY(closed);
        told->sealed = binary(sealed);
    }
    told->certificate = binary(certificate);
    return OK;
}

static void issue(struct keys *keys, struct channel *channel, const Wire__IssueAsk *ask)
{
    Wire__IssueTold told = WIRE__ISSUE_TOLD__INIT;
    told.handle = ask->handle;
    struct result issued = FAIL(FAILURE_DENIED);
    if (may_issue(keys, ask)) {
        issued = issue_certificate(keys, ask, &told);
    }
    char uri[X509_URI_MAX] = "none";
    if (ask->identity != NULL) {
        struct x509_identity identity = { .kind = ask->identity->kind,
                                          .id = ask->identity->id,
                                          .epoch = ask->identity->epoch };
        bool written = x509_uri_write(&identity, uri);
        (void)written; /* "none" says enough. */
    }
    log_line(
        issued.code == 0 ? LOG_LEVEL_INFO : LOG_LEVEL_WARN,
        "certificate",
        "identity=%s outcome=%s sealed=%s",
        uri,
        result_name(issued),
        told.sealed.len > 0 ? "yes" : "no");
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.body_case = WIRE__FRAME__BODY_ISSUE_TOLD;
    frame.issue_told = &told;
    answer(channel, &frame);
}

static void note(struct keys *keys, struct channel *channel, const Wire__NoteAsk *ask)
{
    Wire__NoteTold told = WIRE__NOTE_TOLD__INIT;
    told.handle = ask->handle;
    char line[NOTE_LINE_MAX];
    uint16_t cell = (uint16_t)keys->child.config->cell;
    if (keyring_note_line(&keys->keyring, cell, ask->body, &keys->scratch, line).code == 0) {
        told.signature = line;
    } else {
        log_line(LOG_LEVEL_WARN, "note-refused", "handle=%llu", (unsigned long long)ask->handle);
    }
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.body_case = WIRE__FRAME__BODY_NOTE_TOLD;
    frame.note_told = &told;
    answer(channel, &frame);
}

/* What this machine shows, told to one that shows it or watches over its end. */
static void tell_papers(struct keys *keys, enum program other)
{
    if (keys->child.to[other] == NULL ||
        !frame_may_pass(PROGRAM_KEYS, other, WIRE__FRAME__BODY_PAPERS)) {
        return;
    }
    Wire__Papers papers = WIRE__PAPERS__INIT;
    papers.certificate = binary(secret_slice(&keys->keyring.certificate));
    papers.from_seconds = keys->renew.facts.from_seconds;
    papers.until_seconds = keys->renew.facts.until_seconds;
    papers.epoch = keys->renew.facts.identity.epoch;
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.body_case = WIRE__FRAME__BODY_PAPERS;
    frame.papers = &papers;
    answer(keys->child.to[other], &frame);
}

static void renew(struct keys *keys, struct channel *channel, const Wire__RenewAsk *ask)
{
    Wire__RenewTold told = WIRE__RENEW_TOLD__INIT;
    told.handle = ask->handle;
    struct slice csr = SLICE_EMPTY;
    struct slice certificate = slice_of(ask->certificate.data, ask->certificate.len);
    struct result done =
        certificate.size == 0
            ? keys_renew_request(&keys->renew, keys->child.config->name, &keys->scratch, &csr)
            : keys_renew_adopt(&keys->renew, certificate, clock_wall_ms() / 1000U);
    told.csr = binary(csr);
    told.adopted = certificate.size > 0 && done.code == 0;
    log_line(
        done.code == 0 ? LOG_LEVEL_INFO : LOG_LEVEL_WARN,
        "renewal",
        "step=%s outcome=%s until=%llu",
        certificate.size == 0 ? "request" : "adopt",
        result_name(done),
        (unsigned long long)keys->renew.facts.until_seconds);
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.body_case = WIRE__FRAME__BODY_RENEW_TOLD;
    frame.renew_told = &told;
    answer(channel, &frame);
    for (enum program other = PROGRAM_LINK; told.adopted && other < PROGRAMS_END; other++) {
        tell_papers(keys, other);
    }
}

static void on_frame(void *context, struct channel *channel, const Wire__Frame *frame)
{
    struct keys *keys = context;
    arena_reset(&keys->scratch);
    if (frame->body_case == WIRE__FRAME__BODY_SIGN_ASK) {
        sign(keys, channel, frame->sign_ask);
    } else if (frame->body_case == WIRE__FRAME__BODY_ISSUE_ASK) {
        issue(keys, channel, frame->issue_ask);
    } else if (frame->body_case == WIRE__FRAME__BODY_NOTE_ASK) {
        note(keys, channel, frame->note_ask);
    } else if (frame->body_case == WIRE__FRAME__BODY_RENEW_ASK) {
        renew(keys, channel, frame->renew_ask);
    }
}

static void on_open(void *context, struct channel *channel)
{
    tell_papers(context, channel_other(channel)); /* CONFIG's may be older. */
}

/* Every page of this process, now and later: keys are copied by the library that uses them. Where
 * the machine does not let us raise the limit, locking what is there now would already pass it, and
 * no struct secret could be made once we are not root: then only those are locked, and that is
 * said.
 */
static bool lock_memory(void)
{
#if defined(__SANITIZE_ADDRESS__)
    return true; /* The sanitizer's shadow is terabytes. */
#else
    struct rlimit room = { LOCKED_BYTES, LOCKED_BYTES };
    if (setrlimit(RLIMIT_MEMLOCK, &room) == 0) {
        return mlockall(MCL_CURRENT | MCL_FUTURE) == 0;
    }
    log_line(LOG_LEVEL_WARN, "locked-memory-fallback", "locked=secrets reason=limit");
    return true;
#endif
}

static bool read_keys(struct keys *keys)
{
    const Wire__Config *config = keys->child.config;
    int used = snprintf(keys->path, sizeof(keys->path), "%s/keyring", config->data_directory);
    CHECK(used > 0 && (size_t)used < sizeof(keys->path));
    struct x509_identity self = { .kind = config->self->kind, .id = config->self->id };
    struct slice given = SLICE_EMPTY;
    if (config->n_certificate > 0) {
        given = slice_of(config->certificate[0].data, config->certificate[0].len);
    }
    struct result read = keyring_read(keys->path, &keys->keyring);
    if (read.code == 0) {
        read = keys_renew_begin(
            &keys->renew,
            &keys->keyring,
            keys->path,
            slice_of(config->ca.data, config->ca.len),
            &self,
            given);
    }
    if (read.code != 0) {
        log_line(
            LOG_LEVEL_ERROR,
            "keyring",
            "path=%s outcome=%s",
            log_text(keys->path),
            result_name(read));
    }
    return read.code == 0;
}

int main(int argc, char **argv)
{
    static struct keys keys;
    static _Alignas(16) uint8_t scratch[SCRATCH_BYTES];
    arena_init(&keys.scratch, scratch, sizeof(scratch));
    child_start(&keys.child, PROGRAM_KEYS, argc, argv);
    if (!read_keys(&keys)) {
        return 1;
    }
    if (!lock_memory()) {
        log_line(LOG_LEVEL_ERROR, "locked-memory", "outcome=refused");
        return 1;
    }
    const struct sandbox_path paths[] = {
        { .path = keys.child.config->data_directory, .write = true },
    };
    const struct sandbox sandbox = {
        /* stdio: answers questions on channels that are open.
         * files: a renewed key and its certificate replace the keyring. */
        .promises = PROMISE_STDIO | PROMISE_FILES,
        .paths = paths,
        .paths_count = COUNT_OF(paths),
    };
    child_confine(&keys.child, &sandbox);
    struct channel_hooks hooks = { .context = &keys, .on_frame = on_frame, .on_open = on_open };
    int status = child_run(&keys.child, &hooks);
    keys_renew_end(&keys.renew);
    keyring_free(&keys.keyring);
    return status;
}
