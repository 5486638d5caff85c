/* What the two api_http files share: the listener, and one call from its head to its end. */
#ifndef CONTROLLER_API_HTTP_INNER_H
#define CONTROLLER_API_HTTP_INNER_H

#include "controller/api_body.h"
#include "controller/api_http.h"

#include <microhttpd.h>

/* One connection, for as long as it is open. */
struct client {
    struct door_peer peer; /* First: the door's own of it. */
    struct MHD_Connection *connection;
    uint32_t calls; /* Under way: they are answered before the connection is ended. */
    struct client *next;
    struct client *before;
};

struct http {
    struct MHD_Daemon *daemon;
    const struct door *door; /* Not owned. */
    struct http_hooks hooks;
    uv_poll_t poll;
    uv_timer_t timer;
    uv_prepare_t prepare;
    bool resumed; /* Something was resumed since the last pump. */
    uint32_t connections;
    struct client *clients; /* A list without an order. Each owned. */
    uint32_t handles;       /* Still to be closed. */
};

enum stage {
    STAGE_BODY = 1, /* The head was accepted; the body comes in. */
    STAGE_SERVED,   /* hooks.call was called. */
    STAGE_REFUSED,  /* Too large; the rest of the body is drained. */
};

struct call {
    struct http_call open; /* What the service sees; first, so that one is the other. */
    struct MHD_Connection *connection;
    struct MHD_Response *response; /* Waiting to be queued. */
    unsigned int status;
    enum stage stage;
    bool suspended;
    bool streaming;
    bool corked; /* Head and body gather until the answer is whole. */
    size_t size; /* Of the answer's body. */
    struct http_source source;
    size_t body_max;
    size_t drained;
    struct body body;
    bool twice; /* A header that has one meaning came twice. */
};

/* GnuTLS's session of this connection; NULL: it has none. */
void *http_session(struct MHD_Connection *connection);

/* What waits is handed to microhttpd; head and body of a small answer leave as one. */
enum MHD_Result http_queue(struct call *call);
/* The answer is whole: what was gathered goes out. */
void http_uncork(struct call *call);
void http_answer_problem(struct call *call, const struct problem *problem);

#endif
