/* One HTTPS exchange: libcurl behind three calls. */
#ifndef CLI_HTTP_H
#define CLI_HTTP_H

#include "base/result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HTTP_BODY_MAX = 16 * 1024 * 1024, /* A page of 500 items is far below; more is refused. */
    HTTP_URL_MAX = 2048,
    HTTP_REASON = 256,
};

struct http;

struct http_request {
    const char *method;
    const char *url;
    const char *body;            /* JSON; NULL: none. */
    const char *idempotency_key; /* NULL: none. */
    const char *if_match;        /* NULL: none. */
    const char *accept;          /* NULL: application/json. */
    const char *last_event_id;   /* NULL: none. */
    const char *ca;              /* Files, PEM; NULL or "": none. */
    const char *cert;
    const char *key;
    bool unverified;     /* Only to fetch the CA that a token pins; never with a certificate. */
    uint32_t timeout_ms; /* 0: none, for streams. */
    /* Streams: called with each piece of the body; false ends the exchange. NULL: collected. */
    bool (*on_piece)(void *context, const char *data, size_t size);
    void *context;
};

struct http_answer {
    uint16_t status;
    char *body; /* Owned, ends with a zero byte; free with http_answer_free. */
    size_t size;
    bool retry_after_given;
    uint32_t retry_after_seconds;
    char request_id[64];
    char reason[HTTP_REASON]; /* Why there was no answer; English, from the library. */
};

RESULT http_open(struct http **http_out);
void http_close(struct http *http);
/* OK: an answer came, whatever its status. FAILURE_CLOSED: no connection, nothing was sent.
 * FAILURE_DENIED: one end refused the other's certificate. FAILURE_NOT_FOUND: a certificate file
 * is missing or unreadable. FAILURE_TIMEOUT: it was sent, its outcome is unknown.
 * FAILURE_FULL: the answer is larger than we take. `answer` is always set and must be freed. */
RESULT http_exchange(
    struct http *http, const struct http_request *request, struct http_answer *answer);
void http_answer_free(struct http_answer *answer);
/* Percent-encodes everything but unreserved characters; false when it does not fit. */
bool http_escape(const char *text, char *room, size_t size);

#endif
