/* Decides how the audit log leaves the cell: as lines that verify without it. Never judges a leaf;
 * never writes one that no checkpoint signs: what is newer than the newest checkpoint comes with
 * the next export.
 *
 * The happy path: the newest checkpoint is fetched first, so that every leaf below its size exists;
 * then the leaves in order, page by page; then the checkpoint and, for one tenant, its proof.
 * What can go wrong: there is no checkpoint yet, or it signs nothing of the tenant → exit 8; a page
 * holds something else than leaves in order → exit 9; the disk is full → the half-written file is
 * removed. */
#include "audit/export.h"
#include "audit/leaf.h"
#include "base/check.h"
#include "cli/base64.h"
#include "cli/leaf.h"
#include "cli/session.h"
#include "cli/words.h"
#include "wire/wire.h"

#include <audit.pb-c.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    EXPORT_PAGE = 200,
    EXPORT_PAGES = 1 << 28, /* Each goes on by at least one leaf; bounds the loop, not the log. */
};

struct export
{
    struct session *session;
    const char *tenant; /* As it was said; NULL: nothing was said. */
    struct audit_scope scope;
    FILE *file;
    uint64_t size; /* Leaves that the checkpoint signs. */
    uint64_t next_seq;
    uint64_t leaves;           /* Written. */
    struct json_t *checkpoint; /* Owned. */
    uint8_t proof[AUDIT_PROOF_MAX];
    size_t proof_size;
    uint8_t bytes[AUDIT_LEAF_MAX];
    char line[AUDIT_LINE_MAX];
};

static enum exit_status broken(struct export *export, const char *why)
{
    CHECK(why != NULL);
    problem_say(
        export->session->err,
        say("the cell's audit log cannot be exported as it is", "監査記録を書き出せない"),
        why,
        "udatsu cluster status",
        NULL);
    return EXIT_INTEGRITY;
}

static enum exit_status no_room(struct export *export)
{
    char why[160];
    const char *path = args_operand(&export->session->invocation, "FILE");
    CHECK(path != NULL);
    (void)snprintf(why, sizeof(why), "%.100s: %.40s", path, strerror(errno));
    problem_say(
        export->session->err,
        say("the file cannot be written", "ファイルに書けない"),
        why,
        NULL,
        NULL);
    return EXIT_FAILED;
}

static enum exit_status put(struct export *export, size_t size)
{
    CHECK(size <= AUDIT_LINE_MAX);
    if (size == 0) {
        return broken(export, say("a part is too large for a line", "1行に収まらない部分がある"));
    }
    return fwrite(export->line, 1, size, export->file) == size ? EXIT_DONE : no_room(export);
}

static enum exit_status fetch_checkpoint(struct export *export)
{
    char path[HTTP_URL_MAX] = "/v1/audit/checkpoint";
    struct call call = { .method = "GET", .path = path };
    CHECK(export->checkpoint == NULL);
    if (export->tenant != NULL && !request_query(path, "tenant", export->tenant)) {
        return session_no_memory(export->session);
    }
    enum exit_status status = session_call(export->session, &call, &export->checkpoint);
    const char *note = doc_text(doc_get(export->checkpoint, "note"));
    if (status != EXIT_DONE) {
        return status;
    }
    if (note == NULL || *note == '\0' ||
        !doc_number(doc_get(export->checkpoint, "size"), &export->size)) {
        problem_say(
            export->session->err,
            say("nothing is signed yet", "まだ何も署名されていない"),
            NULL,
            "udatsu audit checkpoint",
            NULL);
        return EXIT_INCONCLUSIVE;
    }
    return EXIT_DONE;
}

/* A tenant's own proof says whose export this is: its user need not name the tenant, and whoever
 * names one gets the one that was meant. Without a proof it is the whole log. */
static enum exit_status read_scope(struct export *export)
{
    const char *map = doc_text(doc_get(export->checkpoint, "tenant_map"));
    _Alignas(16) uint8_t memory[8 * 1024];
    struct arena arena;
    Wire__TenantMapProof *proof = NULL;
    CHECK(export->proof_size == 0);
    if (map == NULL || *map == '\0') {
        if (export->tenant == NULL) {
            export->scope.all = true;
            return EXIT_DONE;
        }
        problem_say(
            export->session->err,
            say("no checkpoint signs anything of this tenant yet",
                "このテナントの記録はまだ署名されていない"),
            NULL,
            "udatsu audit checkpoint",
            NULL);
        return EXIT_INCONCLUSIVE;
    }
    arena_init(&arena, memory, sizeof(memory));
    if (!hex_decode(map, export->proof, sizeof(export->proof), &export->proof_size) ||
        wire_decode(
            &wire__tenant_map_proof__descriptor,
            slice_of(export->proof, export->proof_size),
            &arena,
            &proof)
                .code != 0 ||
        proof->entry == NULL) {
        return broken(export, "tenant_map");
    }
    export->scope.tenant = proof->entry->tenant;
    return EXIT_DONE;
}

/* The header's origin is the first line of the note. */
static enum exit_status put_header(struct export *export)
{
    const char *note = doc_text(doc_get(export->checkpoint, "note"));
    char origin[AUDIT_ORIGIN_MAX];
    CHECK(note != NULL);
    size_t size = strcspn(note, "\n");
    if (size >= sizeof(origin)) {
        return broken(
            export, say("the checkpoint has no origin", "チェックポイントに発行元がない"));
    }
    memcpy(origin, note, size);
    origin[size] = '\0';
    return put(export, audit_export_header(origin, export->scope, export->line));
}

/* One leaf of a page. Past the checkpoint it is left for the next export. */
static enum exit_status put_leaf(struct export *export, const struct json_t *item, bool *past)
{
    const char *hex = doc_text(doc_get(item, "leaf"));
    size_t size = 0;
    uint64_t seq = 0;
    CHECK(!*past);
    if (hex == NULL || !hex_decode(hex, export->bytes, AUDIT_LEAF_MAX, &size)) {
        return broken(export, say("a leaf is no hex", "記録が16進でない"));
    }
    struct slice bytes = slice_of(export->bytes, size);
    if (!leaf_seq(bytes, &seq) || seq < export->next_seq) {
        return broken(export, say("leaves are not in order", "記録の順序が不正"));
    }
    if (seq >= export->size) {
        *past = true;
        return EXIT_DONE;
    }
    export->next_seq = seq + 1;
    export->leaves++;
    CHECK(export->leaves <= export->next_seq);
    return put(export, audit_export_leaf(bytes, export->line));
}

static enum exit_status put_page(struct export *export, bool *past)
{
    char path[HTTP_URL_MAX];
    struct json_t *page = NULL;
    uint64_t first = export->next_seq;
    (void)snprintf(
        path, sizeof(path), "/v1/audit/leaves?first=%" PRIu64 "&limit=%d", first, EXPORT_PAGE);
    if (export->tenant != NULL && !request_query(path, "tenant", export->tenant)) {
        return session_no_memory(export->session);
    }
    struct call call = { .method = "GET", .path = path };
    enum exit_status status = session_call(export->session, &call, &page);
    const struct json_t *items = doc_get(page, "items");
    CHECK(!*past);
    for (size_t i = 0; status == EXIT_DONE && i < doc_count(items) && !*past; i++) {
        status = put_leaf(export, doc_at(items, i), past);
    }
    /* A page of somebody else's leaves is empty, and still not the last. */
    uint64_t next = 0;
    bool more = doc_number(doc_get(page, "next"), &next);
    if (status == EXIT_DONE && more && next <= first) {
        status = broken(export, say("pages go round in circles", "ページが進まない"));
    }
    export->next_seq = more && next > export->next_seq ? next : export->next_seq;
    *past = *past || !more;
    doc_free(page);
    return status;
}

static enum exit_status put_end(struct export *export)
{
    const char *note = doc_text(doc_get(export->checkpoint, "note"));
    CHECK(note != NULL);
    enum exit_status status = put(export, audit_export_checkpoint(slice_text(note), export->line));
    if (status != EXIT_DONE || export->scope.all) {
        return status;
    }
    CHECK(export->proof_size > 0);
    struct slice proof = slice_of(export->proof, export->proof_size);
    return put(export, audit_export_tenant_map(proof, export->line));
}

static enum exit_status put_all(struct export *export)
{
    bool past = export->size == 0;
    enum exit_status status = put_header(export);
    CHECK(export->file != NULL);
    for (uint32_t page = 0; status == EXIT_DONE && !past && page < EXPORT_PAGES; page++) {
        status = export->next_seq >= export->size ? EXIT_DONE : put_page(export, &past);
        past = past || export->next_seq >= export->size;
    }
    status = status == EXIT_DONE ? put_end(export) : status;
    bool kept = fflush(export->file) == 0 && fsync(fileno(export->file)) == 0;
    return status == EXIT_DONE && !kept ? no_room(export) : status;
}

static enum exit_status tell(struct export *export)
{
    CHECK(export->checkpoint != NULL);
    CHECK(export->leaves <= export->size);
    bool printed = fprintf(
                       export->session->out,
                       "{\"leaves\": %" PRIu64 ", \"checkpoint\": %" PRIu64 "}\n",
                       export->leaves,
                       export->size) > 0;
    return session_printed(export->session, printed);
}

enum exit_status run_audit_export(struct session *session)
{
    const char *path = args_operand(&session->invocation, "FILE");
    struct export *export = calloc(1, sizeof(*export));
    CHECK(path != NULL);
    if (export == NULL) {
        return session_no_memory(session);
    }
    export->session = session;
    export->tenant = args_text(&session->invocation, "tenant"); /* Only when it was said here. */
    enum exit_status status = fetch_checkpoint(export);
    status = status == EXIT_DONE ? read_scope(export) : status;
    if (status == EXIT_DONE) {
        export->file = fopen(path, "wxe"); /* Evidence is never overwritten. */
        status = export->file == NULL ? no_room(export) : put_all(export);
    }
    if (export->file != NULL) {
        if (fclose(export->file) != 0 && status == EXIT_DONE) {
            status = no_room(export);
        }
        if (status != EXIT_DONE) {
            (void)unlink(path); /* Half an export proves nothing. */
        }
    }
    status = status == EXIT_DONE ? tell(export) : status;
    doc_free(export->checkpoint);
    free(export);
    return status;
}
