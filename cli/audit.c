/* Decides how the audit log is read over the API. Never trusts it: what must be trusted goes
 * through an export and its verification. */
#include "audit/leaf.h"
#include "base/check.h"
#include "cli/base64.h"
#include "cli/leaf.h"
#include "cli/output.h"
#include "cli/session.h"
#include "cli/words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    LISTING_PAGE = 500,        /* LIMIT_LIST_PAGE: the cell gives no more at once. */
    LISTING_PAGES = 1 << 16,   /* Each goes on by a leaf or more; most are empty for a filter. */
    LISTING_MAX = 1024 * 1024, /* Leaves in memory; what is past them is said. */
};

/* What the cell says that actor and resource are called: beside the record, no part of it. */
static bool names_beside(struct json_t *row, const struct json_t *item)
{
    static const char *const names[] = { "actor_name", "resource_name" };
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const char *name = doc_text(doc_get(item, names[i]));
        if (!doc_set(row, names[i], doc_of_text(name == NULL ? "" : name))) {
            return false;
        }
    }
    return true;
}

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
        struct json_t *row = leaf_doc(slice_of(bytes, size));
        if (row == NULL || !names_beside(row, doc_at(items, i))) {
            doc_free(row);
            return false;
        }
        if (!doc_append(rows, row)) {
            return false;
        }
    }
    return true;
}

/* What one listing asks for. Read to its end like every list, unless a limit was said: whoever asks
 * what somebody did is never given a part as if it were all. */
struct listing {
    char query[HTTP_URL_MAX]; /* The path, with everything but where a page begins. */
    uint64_t first;           /* Of the next page. */
    uint64_t left;            /* Leaves that are still wanted. */
    bool more;                /* The cell has leaves past these. */
};

static bool listing_number(struct session *session, const char *flag, uint64_t *number_out)
{
    const char *text = args_text(&session->invocation, flag);
    CHECK(number_out != NULL);
    if (text == NULL || args_number(text, number_out)) {
        return true;
    }
    (void)snprintf(
        session->invocation.message,
        ARGS_MESSAGE,
        "--%s: %s",
        flag,
        say("a number is wanted", "数が要る"));
    return false;
}

static enum exit_status read_page(
    struct session *session, struct listing *listing, struct json_t *rows)
{
    char path[HTTP_URL_MAX];
    char number[24];
    struct json_t *page = NULL;
    uint64_t first = listing->first;
    CHECK(listing->left > 0);
    uint64_t size = listing->left < LISTING_PAGE ? listing->left : LISTING_PAGE;
    memcpy(path, listing->query, sizeof(path));
    (void)snprintf(number, sizeof(number), "%" PRIu64, first);
    bool fits = request_query(path, "first", number);
    (void)snprintf(number, sizeof(number), "%" PRIu64, size);
    if (!fits || !request_query(path, "limit", number)) {
        return session_no_memory(session);
    }
    struct call call = { .method = "GET", .path = path };
    enum exit_status status = session_call(session, &call, &page);
    if (status != EXIT_DONE) {
        return status;
    }
    uint64_t count = doc_count(doc_get(page, "items"));
    listing->more = doc_number(doc_get(page, "next"), &listing->first);
    if (!decode_items(page, rows) || (listing->more && listing->first <= first) || count > size) {
        problem_say(
            session->err,
            say("a leaf is not in its canonical form, or pages are not in order",
                "記録が正規の形でないか、ページの順序が不正"),
            NULL,
            "udatsu audit export FILE; udatsu audit verify FILE --key log.pub",
            NULL);
        status = EXIT_INTEGRITY;
    }
    listing->left -= count > size ? size : count;
    doc_free(page);
    return status;
}

static enum exit_status read_all(
    struct session *session, struct listing *listing, struct json_t *rows)
{
    enum exit_status status = EXIT_DONE;
    listing->more = listing->left > 0;
    CHECK(rows != NULL);
    for (uint32_t page = 0; status == EXIT_DONE && listing->more && listing->left > 0; page++) {
        if (page == LISTING_PAGES) {
            break;
        }
        status = read_page(session, listing, rows);
    }
    return status;
}

/* Standard output is the list; that it is not all of it is said beside it. */
static void tell_more(struct session *session, const struct listing *listing)
{
    char next[48];
    CHECK(listing->more);
    (void)snprintf(next, sizeof(next), "--first %" PRIu64, listing->first);
    problem_say(
        session->err, say("these are not all: more follow", "まだ続きがある"), NULL, next, NULL);
}

enum exit_status run_audit_ls(struct session *session)
{
    struct request request;
    struct listing listing = { .left = LISTING_MAX };
    struct invocation *invocation = &session->invocation;
    if (!listing_number(session, "first", &listing.first) ||
        !listing_number(session, "limit", &listing.left) ||
        !request_build(invocation, &session->settings, &request)) {
        return session_usage(session);
    }
    const char *tenant = args_text(invocation, "tenant"); /* Only when it was said here. */
    CHECK(request.path[0] == '/');
    memcpy(listing.query, request.path, sizeof(listing.query));
    struct json_t *rows = doc_list();
    bool fits = tenant == NULL || request_query(listing.query, "tenant", tenant);
    enum exit_status status =
        fits && rows != NULL ? read_all(session, &listing, rows) : session_no_memory(session);
    if (status == EXIT_DONE) {
        bool printed = output_list(session->out, session->settings.output, session->columns, rows);
        status = session_printed(session, printed);
    }
    if (status == EXIT_DONE && listing.more) {
        tell_more(session, &listing);
    }
    doc_free(rows);
    request_free(&request);
    return status;
}
