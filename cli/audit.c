/* Decides how the audit log is read over the API. Never trusts it: what must be trusted goes
 * through an export and its verification. */
#include "audit/leaf.h"
#include "base/check.h"
#include "cli/base64.h"
#include "cli/leaf.h"
#include "cli/output.h"
#include "cli/session.h"
#include "cli/words.h"

static bool decode_items(const struct json_t *page, struct json_t *rows)
{
    const struct json_t *items = doc_get(page, "items");
    uint8_t bytes[AUDIT_LEAF_MAX];
    CHECK(rows != NULL);
    for (size_t i = 0; i < doc_count(items); i++) {
        const char *hex = doc_text(doc_get(doc_at(items, i), "leaf"));
        size_t size = 0;
        if (hex == NULL || !hex_decode(hex, bytes, sizeof(bytes), &size)) {
            return false;
        }
        CHECK(size <= sizeof(bytes));
        if (!doc_append(rows, leaf_doc(slice_of(bytes, size)))) {
            return false;
        }
    }
    return true;
}

enum exit_status run_audit_ls(struct session *session)
{
    struct request request;
    struct invocation *invocation = &session->invocation;
    if (!request_build(invocation, &session->settings, &request)) {
        return session_usage(session);
    }
    const char *tenant = args_text(invocation, "tenant"); /* Only when it was said here. */
    bool fits = args_given(invocation, "limit") || request_query(request.path, "limit", "100");
    fits = fits && (tenant == NULL || request_query(request.path, "tenant", tenant));
    struct call call = { .method = "GET", .path = request.path };
    struct json_t *page = NULL;
    struct json_t *rows = doc_list();
    CHECK(request.path[0] == '/');
    enum exit_status status =
        fits && rows != NULL ? session_call(session, &call, &page) : session_no_memory(session);
    if (status == EXIT_DONE && !decode_items(page, rows)) {
        problem_say(
            session->err,
            say("a leaf is not in its canonical form", "記録が正規の形でない"),
            NULL,
            "udatsu audit export FILE; udatsu audit verify FILE --key log.pub",
            NULL);
        status = EXIT_INTEGRITY;
    }
    if (status == EXIT_DONE) {
        bool printed = output_list(session->out, session->settings.output, session->columns, rows);
        status = session_printed(session, printed);
    }
    doc_free(rows);
    doc_free(page);
    request_free(&request);
    return status;
}
