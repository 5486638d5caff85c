/* Decides how the event stream becomes one JSON line per event. Never invents an event and never
 * drops one silently: after a cut it resumes behind the last one it printed.
 *
 * The happy path: the stream is opened, its text comes in pieces, each complete event is one line.
 * What can go wrong: the stream ends or breaks → it is opened again, at the next endpoint, with
 * Last-Event-ID; a line is longer than WATCH_LINE → the stream is refused; nobody answers for
 * CLIENT_WINDOW_MS → exit 69. */
#include "base/check.h"
#include "cli/session.h"
#include "cli/words.h"
#include "host/clock.h"

#include <stdlib.h>
#include <string.h>

enum { WATCH_LINE = 64 * 1024 }; /* An event is a few hundred bytes. */

struct watch {
    struct session *session;
    char line[WATCH_LINE];
    size_t used;
    char id[32];      /* Of the last event printed. */
    char next_id[32]; /* Of the event being read. */
    char *data;       /* Owned; of the event being read, NULL when none came yet. */
    uint64_t left;    /* Events until we leave. */
    bool refused;     /* Something was not an event stream, or our output is gone. */
};

static void event_end(struct watch *watch)
{
    CHECK(watch->left > 0);
    if (watch->data == NULL) {
        return;
    }
    struct json_t *doc = doc_parse(watch->data, strlen(watch->data));
    watch->refused = doc == NULL || !doc_print(watch->session->out, doc, false) ||
                     fflush(watch->session->out) != 0;
    doc_free(doc);
    free(watch->data);
    watch->data = NULL;
    memcpy(watch->id, watch->next_id, sizeof(watch->id));
    watch->left--;
}

/* "field: value" → its value. */
static const char *field_value(const char *line, const char *name)
{
    size_t size = strlen(name);
    CHECK(size > 0);
    if (strncmp(line, name, size) != 0 || line[size] != ':') {
        return NULL;
    }
    return line + size + (line[size + 1] == ' ' ? 2 : 1);
}

static void line_end(struct watch *watch)
{
    CHECK(watch->used < WATCH_LINE);
    watch->line[watch->used] = '\0';
    if (watch->used > 0 && watch->line[watch->used - 1] == '\r') {
        watch->line[watch->used - 1] = '\0';
    }
    watch->used = 0;
    if (watch->line[0] == '\0') {
        event_end(watch);
        return;
    }
    const char *id = field_value(watch->line, "id");
    const char *data = field_value(watch->line, "data");
    if (id != NULL && strlen(id) < sizeof(watch->next_id)) {
        memcpy(watch->next_id, id, strlen(id) + 1);
    }
    if (data != NULL) {
        watch->refused = watch->refused || watch->data != NULL; /* Ours are one line each. */
        free(watch->data);
        watch->data = strdup(data);
    }
}

static bool on_piece(void *context, const char *data, size_t size)
{
    struct watch *watch = context;
    CHECK(data != NULL || size == 0);
    for (size_t i = 0; i < size && !watch->refused && watch->left > 0; i++) {
        if (data[i] == '\n') {
            line_end(watch);
        } else if (watch->used + 1 < WATCH_LINE) {
            watch->line[watch->used] = data[i];
            watch->used++;
        } else {
            watch->refused = true;
        }
    }
    return !watch->refused && watch->left > 0;
}

/* One stream until it ends. Says whether to go on; sets the status otherwise. */
static bool follow(struct watch *watch, const char *path, enum exit_status *status)
{
    struct http_answer answer;
    struct session *session = watch->session;
    watch->used = 0;
    free(watch->data);
    watch->data = NULL;
    const char *last = watch->id[0] == '\0' ? NULL : watch->id;
    struct result result = client_stream(session->client, path, last, on_piece, watch, &answer);
    bool go_on = watch->left > 0 && !watch->refused;
    CHECK(result.code < FAILURE_END);
    if (go_on && (result.code == FAILURE_DENIED || result.code == FAILURE_NOT_FOUND)) {
        *status = problem_of_failure(session->err, result, answer.reason);
        go_on = false;
    } else if (go_on && answer.status >= 400 && answer.status != 503 && answer.status != 429) {
        *status = problem_of_answer(session->err, &answer);
        go_on = false;
    } else if (watch->refused) {
        problem_say(
            session->err,
            say("the stream is not one of events", "事象の流れとして読めない"),
            NULL,
            NULL,
            NULL);
        *status = EXIT_FAILED;
    }
    http_answer_free(&answer);
    return go_on;
}

enum exit_status run_event_watch(struct session *session)
{
    const char *count = args_text(&session->invocation, "count");
    const char *after = args_text(&session->invocation, "after");
    uint64_t number = 0;
    enum exit_status status = session_client(session);
    if (status != EXIT_DONE) {
        return status;
    }
    struct watch *watch = calloc(1, sizeof(*watch));
    if (watch == NULL) {
        return session_no_memory(session);
    }
    watch->session = session;
    watch->left = UINT64_MAX;
    bool good = count == NULL || (args_number(count, &watch->left) && watch->left > 0);
    good = good && (after == NULL || (args_number(after, &number) && strlen(after) < 32));
    if (!good) {
        free(watch);
        (void)snprintf(
            session->invocation.message,
            ARGS_MESSAGE,
            "--count, --after: %s",
            say("a number is wanted", "数が要る"));
        return session_usage(session);
    }
    if (after != NULL) {
        memcpy(watch->id, after, strlen(after) + 1);
        memcpy(watch->next_id, after, strlen(after) + 1);
    }
    uint64_t silent_since = clock_boot_ms();
    uint64_t left_before = watch->left;
    CHECK(session->invocation.verb->path != NULL);
    while (follow(watch, session->invocation.verb->path, &status)) {
        uint64_t now = clock_boot_ms();
        silent_since = watch->left != left_before ? now : silent_since;
        left_before = watch->left;
        if (now - silent_since > CLIENT_WINDOW_MS) {
            status = problem_of_failure(session->err, FAIL(FAILURE_CLOSED), "");
            break;
        }
        client_pause(CLIENT_PAUSE_MAX_MS / 4);
    }
    free(watch->data);
    free(watch);
    return status;
}
