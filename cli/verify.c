/* Decides how an export is verified offline and what a verdict is worth as an exit status. Never
 * takes a key from the export, from the cell or from the environment: only from --key. */
#include "audit/verify.h"

#include "base/check.h"
#include "cli/output.h"
#include "cli/session.h"
#include "cli/words.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    VERIFY_KEYS = AUDIT_SIGNATURES_MAX,
    VERIFY_TENANTS = 1 << 16, /* Tenants that ever had a leaf; more is said, not guessed. */
};

struct verification {
    struct session *session;
    struct audit_key keys[VERIFY_KEYS];
    uint32_t keys_count;
    struct audit_verify_tenant *tenants; /* Owned. */
    struct audit_verifier verifier;
    char line[AUDIT_LINE_MAX + 2];
};

static enum exit_status unreadable(struct session *session, const char *path)
{
    CHECK(path != NULL);
    problem_say(
        session->err,
        say("the file cannot be read", "ファイルが読めない"),
        path,
        say("audit verify FILE --key log.pub", "audit verify FILE --key log.pub"),
        NULL);
    return EXIT_USAGE;
}

/* One verifier key a line; empty lines are skipped. */
static bool read_keys(struct verification *verification, const char *path)
{
    FILE *file = fopen(path, "rbe");
    bool good = file != NULL;
    CHECK(verification->keys_count == 0);
    while (good && fgets(verification->line, sizeof(verification->line), file) != NULL) {
        size_t size = strcspn(verification->line, "\r\n");
        if (size == 0) {
            continue;
        }
        good =
            verification->keys_count < VERIFY_KEYS &&
            audit_key_parse(
                slice_of(verification->line, size), &verification->keys[verification->keys_count]);
        verification->keys_count += good ? 1U : 0U;
    }
    if (file != NULL) {
        (void)fclose(file); /* Only read. */
    }
    return good && verification->keys_count > 0;
}

/* False when the file could not be read to its end. */
static bool feed(struct verification *verification, FILE *file)
{
    bool more = true;
    CHECK(file != NULL);
    while (more && fgets(verification->line, sizeof(verification->line), file) != NULL) {
        size_t size = strlen(verification->line);
        if (size > 0 && verification->line[size - 1] == '\n') {
            size--;
        }
        CHECK(size < sizeof(verification->line));
        more = audit_verify_line(&verification->verifier, slice_of(verification->line, size));
    }
    return !ferror(file);
}

static struct json_t *verdict_doc(const struct audit_verdict *verdict)
{
    struct json_t *doc = doc_object();
    const char *name = audit_finding_name(verdict->finding);
    CHECK(name != NULL);
    bool good = doc_set(doc, "finding", doc_of_text(name));
    good = doc_set(doc, "checkpoint", doc_of_number(verdict->checkpoint)) && good;
    good = doc_set(doc, "signed_leaves", doc_of_number(verdict->signed_leaves)) && good;
    good = doc_set(doc, "unsigned_leaves", doc_of_number(verdict->unsigned_leaves)) && good;
    good = doc_set(doc, "log_time_ms", doc_of_number(verdict->log_time_ms)) && good;
    good = doc_set(doc, "lines", doc_of_number(verdict->lines)) && good;
    if (verdict->names_leaf) {
        good = doc_set(doc, "leaf", doc_of_number(verdict->leaf)) && good;
    }
    if (!good) {
        doc_free(doc);
        return NULL;
    }
    return doc;
}

static enum exit_status refuse(struct session *session, const struct audit_verdict *verdict)
{
    char why[160];
    CHECK(verdict->finding != AUDIT_SOUND);
    if (verdict->names_leaf) {
        (void)snprintf(
            why, sizeof(why), "leaf %" PRIu64 ", line %" PRIu64, verdict->leaf, verdict->lines);
    } else {
        (void)snprintf(
            why,
            sizeof(why),
            "checkpoint %" PRIu64 " (good before it: %" PRIu64 "), line %" PRIu64,
            verdict->checkpoint,
            verdict->checkpoint_before,
            verdict->lines);
    }
    problem_say(
        session->err,
        audit_finding_words(verdict->finding),
        why,
        say("keep this file as evidence and compare it with another copy",
            "このファイルを証拠として残し、別の写しと比べる"),
        NULL);
    bool open = verdict->finding == AUDIT_UNSIGNED || verdict->finding == AUDIT_TOO_MANY_TENANTS;
    return open ? EXIT_INCONCLUSIVE : EXIT_INTEGRITY;
}

static enum exit_status conclude(struct verification *verification)
{
    struct session *session = verification->session;
    const struct audit_verdict *verdict = audit_verify_end(&verification->verifier);
    struct json_t *doc = verdict_doc(verdict);
    CHECK(verdict->finding != 0);
    if (doc == NULL) {
        return session_no_memory(session);
    }
    bool printed = output_one(session->out, session->settings.output, NULL, doc);
    doc_free(doc);
    enum exit_status status = session_printed(session, printed);
    return verdict->finding == AUDIT_SOUND ? status : refuse(session, verdict);
}

static enum exit_status verify(struct verification *verification, const char *path)
{
    struct session *session = verification->session;
    const char *key = args_text(&session->invocation, "key");
    CHECK(path != NULL);
    if (key == NULL || !read_keys(verification, key)) {
        return unreadable(session, key == NULL ? "--key" : key);
    }
    verification->tenants = calloc(VERIFY_TENANTS, sizeof(*verification->tenants));
    FILE *file = fopen(path, "rbe");
    if (file == NULL || verification->tenants == NULL) {
        if (file != NULL) {
            (void)fclose(file); /* Only read. */
        }
        return file == NULL ? unreadable(session, path) : session_no_memory(session);
    }
    audit_verify_start(
        &verification->verifier,
        verification->keys,
        verification->keys_count,
        verification->tenants,
        VERIFY_TENANTS);
    CHECK(verification->keys_count > 0);
    bool whole = feed(verification, file);
    (void)fclose(file); /* Only read. */
    return whole ? conclude(verification) : unreadable(session, path);
}

enum exit_status run_audit_verify(struct session *session)
{
    const char *path = args_operand(&session->invocation, "FILE");
    struct verification *verification = calloc(1, sizeof(*verification));
    CHECK(path != NULL);
    if (verification == NULL) {
        return session_no_memory(session);
    }
    verification->session = session;
    enum exit_status status = verify(verification, path);
    CHECK(verification->keys_count <= VERIFY_KEYS);
    free(verification->tenants);
    free(verification);
    return status;
}
