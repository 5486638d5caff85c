/* Decides how long an operation is waited for. Never cancels one: when the wait ends first, the
 * work goes on and the way to resume is said. */
#include "base/check.h"
#include "cli/interrupt.h"
#include "cli/session.h"
#include "cli/words.h"
#include "host/clock.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

enum { WAIT_SLICE_SECONDS = 25 }; /* Below the server's 30. */

static bool is_running(const struct json_t *operation)
{
    const char *state = doc_text(doc_get(operation, "state"));
    return state != NULL && strcmp(state, "running") == 0;
}

static enum exit_status verdict(struct session *session, const struct json_t *operation)
{
    char next[96];
    const char *state = doc_text(doc_get(operation, "state"));
    CHECK(!is_running(operation));
    if (state == NULL || strcmp(state, "done") == 0) {
        return EXIT_DONE; /* No state: it was no operation, and was answered at once. */
    }
    const char *id = doc_text(doc_get(operation, "id"));
    const struct json_t *error = doc_get(operation, "error");
    if (error != NULL) {
        return problem_of_doc(session->err, error, id == NULL ? "" : id);
    }
    (void)snprintf(next, sizeof(next), "udatsu op show %.60s", id == NULL ? "" : id);
    problem_say(
        session->err,
        strcmp(state, "cancelled") == 0 ? say("the operation was cancelled", "操作は取り消された")
                                        : say("the operation failed", "操作は失敗した"),
        NULL,
        next,
        NULL);
    return EXIT_FAILED;
}

/* On a terminal only, and only on standard error. */
static void progress(struct session *session, const struct json_t *operation)
{
    char percent[16];
    char kind[64];
    CHECK(operation != NULL);
    if (session->err != stderr || !isatty(STDERR_FILENO)) {
        return;
    }
    doc_words(doc_get(operation, "progress"), percent, sizeof(percent));
    doc_words(doc_get(operation, "kind"), kind, sizeof(kind));
    (void)fprintf(session->err, "%s %s%%\n", kind, percent);
}

static enum exit_status timed_out(struct session *session, const struct json_t *operation)
{
    char next[96];
    char id[64];
    doc_words(doc_get(operation, "id"), id, sizeof(id));
    CHECK(id[0] != '\0');
    (void)snprintf(next, sizeof(next), "udatsu op wait %s", id);
    problem_say(
        session->err,
        say("the wait is over, the work goes on", "待ち時間が終わった。作業は続いている"),
        NULL,
        next,
        NULL);
    return EXIT_TIMED_OUT;
}

/* Who leaves in between is told how to come back. */
static void interruptible(struct session *session, const char *id)
{
    char next[96];
    CHECK(id[0] != '\0');
    if (session->err == stderr) {
        (void)snprintf(next, sizeof(next), "udatsu op wait %s", id);
        interrupt_begin(say("interrupted, the work goes on", "中断した。作業は続いている"), next);
    }
}

static enum exit_status wait_running(struct session *session, struct json_t **operation)
{
    uint64_t end_ms = clock_boot_ms() + session->settings.timeout_seconds * 1000;
    CHECK(operation != NULL);
    CHECK(*operation != NULL);
    while (is_running(*operation)) {
        uint64_t now_ms = clock_boot_ms();
        char id[64];
        char path[128];
        doc_words(doc_get(*operation, "id"), id, sizeof(id));
        if (id[0] == '\0' || strspn(id, "0123456789abcdef-") != strlen(id)) {
            problem_say(session->err, "the operation has no id", NULL, NULL, NULL);
            return EXIT_FAILED;
        }
        if (now_ms >= end_ms) {
            return timed_out(session, *operation);
        }
        progress(session, *operation);
        interruptible(session, id);
        uint64_t seconds = (end_ms - now_ms + 999) / 1000;
        seconds = seconds > WAIT_SLICE_SECONDS ? WAIT_SLICE_SECONDS : seconds;
        CHECK(seconds > 0);
        (void)snprintf(path, sizeof(path), "/v1/operations/%s/wait?seconds=%" PRIu64, id, seconds);
        struct call call = { .method = "GET", .path = path, .answer_ms = CLIENT_WAIT_MS };
        struct json_t *fresh = NULL;
        enum exit_status status = session_call(session, &call, &fresh);
        if (status != EXIT_DONE) {
            return status;
        }
        bool early = is_running(fresh) && clock_boot_ms() - now_ms < CLIENT_PAUSE_MIN_MS;
        doc_free(*operation);
        *operation = fresh;
        if (early) {
            client_pause(CLIENT_PAUSE_MIN_MS); /* A server that does not wait is not hammered. */
        }
    }
    return verdict(session, *operation);
}

enum exit_status wait_operation(struct session *session, struct json_t **operation)
{
    bool waited = session->err == stderr && is_running(*operation);
    enum exit_status status = wait_running(session, operation);
    if (waited) {
        interrupt_end();
    }
    CHECK(*operation != NULL);
    return status;
}
