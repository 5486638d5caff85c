/* Decides how the kept events are listed to their end. The cursor is a log index, and a page never
 * ends inside one; so the next page begins after the last index of this one, until a page is empty.
 * Never follows what is still to come: that is watch.c. */
#include "base/check.h"
#include "cli/output.h"
#include "cli/session.h"
#include "cli/words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    EVENTS_PAGE = 200,   /* The cell gives no more at once, but for those of one index. */
    EVENTS_PAGES = 4096, /* Each goes on by an index or more; the cell keeps a few thousand. */
};

struct events {
    const char *query; /* The path, with everything but the cursor. */
    uint64_t after;
    uint64_t left; /* Events that are still wanted. */
    bool more;     /* The last page was not empty. */
};

/* Moves the events of a page to the end of `rows`; `after` is then the last one's index. False:
 * they are not in order, or there is no room. */
static bool take(struct events *events, const struct json_t *page, struct json_t *rows)
{
    const struct json_t *items = doc_get(page, "items");
    size_t count = doc_count(items);
    uint64_t before = events->after;
    CHECK(rows != NULL);
    for (size_t i = 0; i < count; i++) {
        uint64_t index = 0;
        if (!doc_number(doc_get(doc_at(items, i), "index"), &index) || index < events->after ||
            !doc_append(rows, doc_share(doc_at(items, i)))) {
            return false;
        }
        events->after = index;
    }
    events->more = count > 0;
    events->left -= count < events->left ? count : events->left;
    return count == 0 || events->after > before;
}

static enum exit_status read_page(
    struct session *session, struct events *events, struct json_t *rows)
{
    char path[HTTP_URL_MAX];
    char number[24];
    struct json_t *page = NULL;
    CHECK(strlen(events->query) < sizeof(path));
    memcpy(path, events->query, strlen(events->query) + 1);
    (void)snprintf(number, sizeof(number), "%" PRIu64, events->after);
    bool fits = events->after == 0 || request_query(path, "after", number);
    uint64_t size = events->left < EVENTS_PAGE ? events->left : EVENTS_PAGE;
    (void)snprintf(number, sizeof(number), "%" PRIu64, size);
    if (!fits || !request_query(path, "limit", number)) {
        return session_no_memory(session);
    }
    struct call call = { .method = "GET", .path = path };
    enum exit_status status = session_call(session, &call, &page);
    if (status == EXIT_DONE && !take(events, page, rows)) {
        problem_say(
            session->err, say("the events are not in order", "事象の順序が不正"), NULL, NULL, NULL);
        status = EXIT_FAILED;
    }
    doc_free(page);
    return status;
}

static enum exit_status read_all(
    struct session *session, struct events *events, struct json_t *rows)
{
    enum exit_status status = EXIT_DONE;
    CHECK(events->left > 0);
    events->more = true;
    for (uint32_t page = 0; status == EXIT_DONE && events->more && events->left > 0; page++) {
        if (page == EVENTS_PAGES) {
            break;
        }
        status = read_page(session, events, rows);
    }
    return status;
}

enum exit_status run_event_ls(struct session *session)
{
    struct request request;
    struct events events = { .left = UINT64_MAX };
    struct invocation *invocation = &session->invocation;
    const char *after = args_text(invocation, "after");
    const char *limit = args_text(invocation, "limit");
    bool good = (after == NULL || args_number(after, &events.after)) &&
                (limit == NULL || (args_number(limit, &events.left) && events.left > 0));
    if (!good) {
        (void)snprintf(
            invocation->message,
            ARGS_MESSAGE,
            "--after, --limit: %s",
            say("a number is wanted", "数が要る"));
    }
    if (!good || !request_build(invocation, &session->settings, &request)) {
        return session_usage(session);
    }
    events.query = request.path;
    struct json_t *rows = doc_list();
    enum exit_status status =
        rows == NULL ? session_no_memory(session) : read_all(session, &events, rows);
    if (status == EXIT_DONE) {
        bool printed = output_list(session->out, session->settings.output, session->columns, rows);
        status = session_printed(session, printed);
    }
    if (status == EXIT_DONE && events.more) { /* Cut by the limit. */
        char next[48];
        (void)snprintf(next, sizeof(next), "--after %" PRIu64, events.after);
        problem_say(
            session->err, say("more may follow", "続きがあるかもしれない"), NULL, next, NULL);
    }
    doc_free(rows);
    request_free(&request);
    return status;
}
