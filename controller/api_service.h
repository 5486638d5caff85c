/* What happens between a request's head and its answer: route, door, body, question, answer. Holds
 * no state of the cell.
 *
 * The happy path: head (route and door) → call (body → Request → desk) → told → http_answer.
 * What can go wrong: every refusal becomes a problem document with a status: no route 404, wrong
 * method 405, no or bad certificate 401, not well formed 400, another type 415, too large 413, too
 * many at once 429, engine away or silent 503 (for a write: outcome-unknown, retry with the same
 * key). */
#ifndef CONTROLLER_API_SERVICE_H
#define CONTROLLER_API_SERVICE_H

#include "controller/api_desk.h"
#include "controller/api_http.h"
#include "controller/api_metrics.h"
#include "host/turned_away.h"

#include "base/prng.h"

enum {
    SERVICE_ARENA_BYTES = 1024 * 1024,    /* One request's message; a batch makes them in turn. */
    SERVICE_BODY_BYTES = 2 * 1024 * 1024, /* The largest answer. */
    REQUEST_ID_SIZE = 24,
};

struct streams;

struct service {
    struct child *child; /* Not owned. */
    struct desk *desk;
    struct door *door;
    struct http *http;
    struct streams *streams;
    struct metrics metrics;
    struct turned_away turned_away;
    struct prng ids; /* Request ids: unlike one another, no secret. */
    struct arena arena;
    char *room; /* SERVICE_BODY_BYTES: where the next answer is written. */
    char *openapi;
    size_t openapi_size;
    uint32_t cell;
    struct slice ca;
};

struct batch;

/* One request on its way. */
struct work {
    struct service *service;
    struct http_call *call;
    const struct api_route *route;
    struct api_slots slots;
    Wire__Identity principal;
    char request_id[REQUEST_ID_SIZE];
    uint64_t began_us;
    uint64_t ask; /* 0: none waits. */
    uint32_t wait_seconds;
    bool minimal; /* Prefer: return=minimal, of a write or of all writes of a batch. */
    bool stale;
    bool waited;
    bool answered;
    struct batch *batch;
};

void service_open(struct service *service, struct child *child, struct slice ca);
void service_close(struct service *service);
void service_hooks(struct service *service, struct http_hooks *hooks_out);

/* The answers of a work. Each ends it but for its memory, which http's `gone` frees. */
void work_reply(struct work *work, const struct reply *reply, const struct out *out);
void work_refuse(struct work *work, const struct problem *problem);

/* Refusals that several places give. Always false. */
bool service_not_sent(enum desk_outcome outcome, struct problem *problem);
bool service_no_answer(bool write, struct problem *problem);
/* Seconds that a route's own question may take longer. */
uint64_t service_wait_ms(const Wire__Request *request);

#endif
