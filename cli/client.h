/* A request that gets its answer from whichever controller can give one.
 *
 * The happy path: the endpoint that answered last is asked; its answer is handed back.
 * What can go wrong: no connection, or 503 (no leader, outcome unknown, unfit) → the next endpoint,
 * with the same idempotency key, so that the work happens at most once however often it is asked
 * for; 429 → the same after Retry-After; every endpoint tried → a pause that grows, honouring
 * Retry-After; the bounds of client.c reached → the last answer or failure is handed back. */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include "cli/http.h"
#include "cli/settings.h"

struct client;

struct call {
    const char *method;
    const char *path; /* With its query. */
    const char *body;
    const char *key;      /* Idempotency key: needed for whatever changes something. */
    const char *if_match; /* NULL: none. */
    uint32_t window_ms; /* How long to go on trying, one round in any case; 0: CLIENT_WINDOW_MS. */
    uint32_t answer_ms; /* How long one try may take; 0: CLIENT_ANSWER_MS. */
};

enum {
    CLIENT_WINDOW_MS = 30000, /* Ten elections; a cell that is silent for longer is down. */
    CLIENT_ATTEMPTS = 512,    /* Whatever the clock says. */
    CLIENT_ANSWER_MS = 15000, /* The server answers within 10 s, if only with 503. */
    CLIENT_WAIT_MS = 45000,   /* The longest server-side wait is 30 s. */
    CLIENT_PAUSE_MIN_MS = 50,
    CLIENT_PAUSE_MAX_MS = 1000,
    CLIENT_RETRY_AFTER_MAX = 10, /* Seconds; a server may not park us for longer. */
};

/* `settings` must outlive the client. */
RESULT client_open(const struct settings *settings, struct client **client_out);
void client_close(struct client *client);
/* OK: `answer` holds the answer (perhaps a 503 that never went away). Otherwise the failure of
 * http.h that ended it; `answer->reason` says more. The answer must be freed either way. */
RESULT client_call(struct client *client, const struct call *call, struct http_answer *answer);
/* One try at the present endpoint, for streams. After a failure the next call goes elsewhere. */
RESULT client_stream(
    struct client *client,
    const char *path,
    const char *last_event_id,
    bool (*on_piece)(void *context, const char *data, size_t size),
    void *context,
    struct http_answer *answer);
const char *client_endpoint(const struct client *client);

/* 32 hex digits from the kernel; false when it gives none. */
bool client_key_make(char room[static LIMIT_IDEMPOTENCY_KEY]);
void client_pause(uint32_t ms);

#endif
