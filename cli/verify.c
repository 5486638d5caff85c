/* Decides how an export is verified offline, what a verdict is worth as an exit status, and how the
 * leaves of a sound one are shown. Never takes a key from the export, from the cell or from the
 * environment: only from --key. Never shows a leaf that no good checkpoint signs. */
#include "audit/leaf.h"
#include "base/check.h"
#include "base/id.h"
#include "cli/leaf.h"
#include "cli/lines.h"
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
    struct line line;
    struct json_t *rows; /* Owned; the leaves read so far, when they are to be shown. */
};

static enum exit_status unreadable(struct session *session, const char *path)
{
    CHECK(path != NULL);
    problem_say(
        session->err,
        say("the file cannot be read, or is not what it should be",
            "ファイルが読めないか、形が違う"),
        path,
        say("audit verify FILE --key log.pub", "audit verify FILE --key log.pub"),
        NULL);
    return EXIT_USAGE;
}

/* Of what the verdict speaks: a tenant's sub-log is not the cell's whole log. */
static void scope_words(const struct audit_verifier *verifier, char room[static ID_TEXT_SIZE])
{
    const struct audit_scope *scope = &verifier->scope;
    CHECK(verifier->started || !scope->all);
    if (scope->all || scope->tenant == 0) {
        const char *word = scope->all ? "all" : "provider";
        (void)snprintf(room, ID_TEXT_SIZE, "%s", verifier->started ? word : "");
        return;
    }
    id_format(ID_TENANT, scope->tenant, room);
}

static struct json_t *verdict_doc(
    const struct audit_verifier *verifier, const struct audit_verdict *verdict)
{
    char scope[ID_TEXT_SIZE];
    struct json_t *doc = doc_object();
    const char *name = audit_finding_name(verdict->finding);
    CHECK(name != NULL);
    scope_words(verifier, scope);
    bool good = doc_set(doc, "finding", doc_of_text(name));
    good = doc_set(doc, "origin", doc_of_text(verifier->origin)) && good;
    good = doc_set(doc, "scope", doc_of_text(scope)) && good;
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
    struct json_t *doc = verdict_doc(&verification->verifier, verdict);
    CHECK(verdict->finding != 0);
    if (doc == NULL) {
        return session_no_memory(session);
    }
    bool printed = output_one(session->out, session->settings.output, NULL, doc);
    doc_free(doc);
    enum exit_status status = session_printed(session, printed);
    return verdict->finding == AUDIT_SOUND ? status : refuse(session, verdict);
}

/* The leaves that the newest good checkpoint signs, and no other. */
static enum exit_status show(struct verification *verification)
{
    struct session *session = verification->session;
    const struct audit_verdict *verdict = audit_verify_end(&verification->verifier);
    struct json_t *rows = doc_list();
    bool good = rows != NULL;
    if (verdict->finding != AUDIT_SOUND) {
        doc_free(rows);
        return refuse(session, verdict);
    }
    CHECK(verdict->signed_leaves <= doc_count(verification->rows));
    for (size_t i = 0; good && i < verdict->signed_leaves; i++) {
        good = doc_append(rows, doc_share(doc_at(verification->rows, i)));
    }
    bool printed =
        good && output_list(session->out, session->settings.output, session->columns, rows);
    doc_free(rows);
    return good ? session_printed(session, printed) : session_no_memory(session);
}

/* As lines_feed, and each leaf that was found good is kept. */
static bool feed_and_keep(struct verification *verification, FILE *file, bool *kept)
{
    struct audit_verifier *verifier = &verification->verifier;
    bool more = true;
    *kept = verification->rows != NULL;
    while (more && *kept && lines_next(file, &verification->line)) {
        more = audit_verify_line(verifier, verification->line.text);
        if (more && verifier->line.kind == AUDIT_LINE_LEAF) {
            *kept = doc_append(verification->rows, leaf_doc(verifier->line.bytes));
        }
    }
    CHECK(more || verifier->ended || !*kept);
    return ferror(file) == 0;
}

static enum exit_status verify(struct verification *verification, const char *path, bool shown)
{
    struct session *session = verification->session;
    const char *key = args_text(&session->invocation, "key");
    CHECK(path != NULL);
    if (key == NULL) {
        (void)snprintf(
            session->invocation.message,
            ARGS_MESSAGE,
            "--key: %s",
            say("the file with the log's public key is wanted", "ログの公開鍵のファイルが要る"));
        return session_usage(session);
    }
    if (!lines_keys(
            key, &verification->line, verification->keys, VERIFY_KEYS, &verification->keys_count)) {
        return unreadable(session, key);
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
    bool kept = true;
    verification->rows = shown ? doc_list() : NULL;
    bool whole = shown ? feed_and_keep(verification, file, &kept)
                       : lines_feed(file, &verification->line, &verification->verifier);
    (void)fclose(file); /* Only read. */
    if (!whole || !kept) {
        return whole ? session_no_memory(session) : unreadable(session, path);
    }
    return shown ? show(verification) : conclude(verification);
}

static enum exit_status run(struct session *session, bool shown)
{
    const char *path = args_operand(&session->invocation, "FILE");
    struct verification *verification = calloc(1, sizeof(*verification));
    CHECK(path != NULL);
    if (verification == NULL) {
        return session_no_memory(session);
    }
    verification->session = session;
    enum exit_status status = verify(verification, path, shown);
    CHECK(verification->keys_count <= VERIFY_KEYS);
    doc_free(verification->rows);
    free(verification->tenants);
    free(verification);
    return status;
}

enum exit_status run_audit_verify(struct session *session)
{
    return run(session, false);
}

enum exit_status run_audit_show(struct session *session)
{
    return run(session, true);
}
