/* HTTPS: connections, headers, bodies, answers and endless answers. The only file that knows
 * microhttpd. It decides the form of HTTP, not one word of what is served.
 *
 * The happy path: microhttpd's epoll descriptor turns readable → http_pump → the request's head →
 * hooks.head → body → hooks.call → either http_answer at once, or the connection is suspended until
 * http_answer resumes it. A stream is resumed by http_stream_wake and suspends itself when its
 * source is empty.
 * What can go wrong: too large → 413 before the body is read; the client goes away → hooks.gone,
 * whatever was asked for it is forgotten; too many connections → they wait in the kernel; a client
 * that neither sends nor takes for HTTP_IDLE_SECONDS is closed. */
#ifndef CONTROLLER_API_HTTP_H
#define CONTROLLER_API_HTTP_H

#include "controller/api_door.h"
#include "controller/api_prefer.h"
#include "controller/api_reply.h"

#include <uv.h>

enum {
    HTTP_CONNECTIONS_MAX = 4096,
    HTTP_CONNECTIONS_PER_ADDRESS = 2048, /* One lab machine holds many clients. */
    HTTP_CONNECTION_BYTES = 24 * 1024,   /* Head and buffers of one connection. */
    HTTP_IDLE_SECONDS = 60,
};

enum http_header {
    HTTP_HEADER_IDEMPOTENCY_KEY,
    HTTP_HEADER_IF_MATCH,
    HTTP_HEADER_PREFER,
    HTTP_HEADER_TRACEPARENT,
    HTTP_HEADER_ACCEPT,
    HTTP_HEADER_CONTENT_TYPE,
    HTTP_HEADER_CONTENT_LENGTH,
    HTTP_HEADER_TRANSFER_ENCODING,
    HTTP_HEADER_LAST_EVENT_ID,
    HTTP_HEADERS_END
};

struct http;

/* One request. Everything but `work` is http's; it lives until hooks.gone. */
struct http_call {
    struct http *http;
    const char *method;
    const char *path; /* Decoded, without query. */
    struct api_query query;
    const char *headers[HTTP_HEADERS_END]; /* "" when absent. */
    struct api_preferences prefer;         /* Of all its Prefer headers. */
    struct slice body;
    const struct door_peer *peer;
    void *work;             /* The service's own, like the next two. */
    const char *request_id; /* For refusals that http gives; NULL: none yet. */
    uint32_t allow;         /* For 405: the methods that are there. */
};

struct http_source {
    void *context;
    /* Fills the room; 0: nothing now. */
    size_t (*take)(void *context, char *room, size_t size);
    bool (*over)(void *context);
};

struct http_hooks {
    void *context;
    /* The head is in. False: answer the problem instead. body_max_out: how much body is taken. */
    bool (*head)(
        void *context, struct http_call *call, size_t *body_max_out, struct problem *problem);
    void (*call)(void *context, struct http_call *call);
    /* The call ended, answered or not. Also after head said no. */
    void (*gone)(void *context, struct http_call *call);
};

/* Takes the listening descriptor. The TLS key is api_tls.c's; ca is DER. */
RESULT http_open(
    uv_loop_t *loop,
    int listen_fd,
    const struct door *door,
    struct slice ca,
    const struct http_hooks *hooks,
    struct http **http_out);
void http_close(struct http *http);

/* Once per call. The body is copied. */
void http_answer(
    struct http_call *call, const struct reply *reply, struct slice body, const char *request_id);
/* Answers with bytes of the process's life, uncopied. */
void http_answer_static(
    struct http_call *call, const struct reply *reply, struct slice body, const char *request_id);
/* Answers without end, text/event-stream. */
void http_stream(struct http_call *call, const struct http_source *source, const char *request_id);
void http_stream_wake(struct http_call *call);

/* Every connection whose certificate the door calls revoked by now, once its call under way is
 * answered; how many were ended at once. */
uint32_t http_end_revoked(struct http *http);
uint32_t http_connections(const struct http *http);

#endif
