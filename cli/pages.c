/* Decides how a list is read to its end. Never reads for ever. */
#include "base/check.h"
#include "cli/session.h"
#include "cli/words.h"

#include <string.h>

enum { PAGES_MAX = 4096 }; /* A million items in pages of 500, doubled. */

/* Moves the members of one page to the end of `all`. */
static bool take_items(struct json_t *all, const struct json_t *page)
{
    const struct json_t *items = doc_get(page, "items");
    CHECK(all != NULL);
    for (size_t i = 0; i < doc_count(items); i++) {
        if (!doc_append(all, doc_share(doc_at(items, i)))) {
            return false;
        }
    }
    return true;
}

enum exit_status pages_read(struct session *session, const char *first, struct json_t *all)
{
    char path[HTTP_URL_MAX];
    CHECK(all != NULL);
    CHECK(strlen(first) < sizeof(path));
    memcpy(path, first, strlen(first) + 1);
    for (uint32_t page = 0; page < PAGES_MAX; page++) {
        struct call call = { .method = "GET", .path = path };
        struct json_t *doc = NULL;
        enum exit_status status = session_call(session, &call, &doc);
        if (status != EXIT_DONE) {
            return status;
        }
        const char *next = doc_text(doc_get(doc, "next_page"));
        bool more = next != NULL && *next != '\0';
        memcpy(path, first, strlen(first) + 1);
        bool good = take_items(all, doc) && (!more || request_query(path, "page_token", next));
        doc_free(doc);
        if (!good) {
            return session_no_memory(session);
        }
        if (!more) {
            return EXIT_DONE;
        }
    }
    problem_say(session->err, say("the list does not end", "一覧が終わらない"), NULL, NULL, NULL);
    return EXIT_FAILED;
}
