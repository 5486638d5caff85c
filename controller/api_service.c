/* Decides how a request becomes a question and an answer a reply. Never decides the answer.
 *
 * The happy path and what can go wrong: api_service.h. */
#include "controller/api_service.h"

#include "base/check.h"
#include "controller/api_batch.h"
#include "controller/api_json.h"
#include "controller/api_openapi.h"
#include "controller/api_sse.h"
#include "host/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Answers ---- */

static void work_count(struct work *work, uint16_t status)
{
    struct service *service = work->service;
    if (work->route == NULL) {
        service->metrics.no_route++;
        return;
    }
    size_t at = (size_t)(work->route - api_route_at(0));
    metrics_count(&service->metrics, at, status, clock_boot_us() - work->began_us);
}

void work_reply(struct work *work, const struct reply *reply, const struct out *out)
{
    CHECK(!work->answered);
    struct slice body = SLICE_EMPTY;
    if (!out_done(out, &body)) {
        struct problem problem;
        problem_set(&problem, 507, "answer-too-large", "The answer does not fit.");
        problem.hint = "Ask for less: ?limit=N.";
        work_refuse(work, &problem);
        return;
    }
    work->answered = true;
    work_count(work, reply->status);
    http_answer(work->call, reply, body, work->request_id);
}

void work_refuse(struct work *work, const struct problem *problem)
{
    char room[2048];
    struct out out;
    struct reply reply;
    out_init(&out, room, sizeof(room));
    reply_problem(problem, work->request_id, &out, &reply);
    CHECK(!out.full); /* detail, hint and pointer are far smaller. */
    work_reply(work, &reply, &out);
}

bool service_not_sent(enum desk_outcome outcome, struct problem *problem)
{
    switch (outcome) {
    case DESK_FULL:
        problem_set(problem, 429, reject_name(REJECT_OVERLOADED), "Too many requests wait here.");
        break;
    case DESK_DOWN:
        problem_set(
            problem, 503, reject_name(REJECT_NO_LEADER), "This controller's engine is away.");
        problem->hint = "Nothing was done. Try again, or ask another controller.";
        break;
    case DESK_TOO_LARGE:
        problem_set(problem, 413, "too-large", "The request does not fit.");
        return false;
    case DESK_SENT: UNREACHABLE();
    }
    problem->retry_after_seconds = 1;
    return false;
}

bool service_no_answer(bool write, struct problem *problem)
{
    if (write) { /* INV-IDEM-2: silence is never reported as failure. */
        problem_set(
            problem, 503, reject_name(REJECT_OUTCOME_UNKNOWN), "It may or may not have been done.");
        problem->hint = "Send it again with the same Idempotency-Key.";
    } else {
        problem_set(problem, 503, reject_name(REJECT_NO_LEADER), "No answer came in time.");
        problem->hint = "Try again, or ask another controller.";
    }
    problem->retry_after_seconds = 1;
    return false;
}

uint64_t service_wait_ms(const Wire__Request *request)
{
    uint64_t seconds = 0;
    if (request->body_case == WIRE__REQUEST__BODY_OPERATION_WAIT) {
        seconds = request->operation_wait->seconds;
    }
    if (seconds > API_WAIT_SECONDS_MAX) {
        seconds = API_WAIT_SECONDS_MAX; /* Engine refuses more, or waits no longer. */
    }
    return DESK_DEADLINE_MS + seconds * 1000;
}

/* ---- From engine ---- */

static void work_told(void *owner, uint32_t tag, const Wire__Answer *answer);

/* Prefer: wait — the write was accepted and goes on; its end is asked for before answering. */
static bool work_wait(struct work *work, const Wire__Answer *answer)
{
    const Wire__OperationView *operation = answer->operation;
    if (work->wait_seconds == 0 || work->waited || answer->reject != 0 || operation == NULL ||
        operation->state != WIRE__OPERATION_STATE__OPERATION_STATE_RUNNING) {
        return false;
    }
    Wire__OperationWait wait = WIRE__OPERATION_WAIT__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    wait.operation = operation->id;
    wait.seconds = work->wait_seconds;
    request.format = 1;
    request.request_id = work->request_id;
    request.principal = &work->principal;
    request.body_case = WIRE__REQUEST__BODY_OPERATION_WAIT;
    request.operation_wait = &wait;
    work->waited = true;
    uint64_t wait_ms = service_wait_ms(&request);
    return desk_ask(work->service->desk, &request, wait_ms, work_told, work, 0, &work->ask) ==
           DESK_SENT;
}

static void write_metrics(struct work *work, const Wire__Answer *answer)
{
    struct service *service = work->service;
    struct metrics_now now = {
        .connections = http_connections(service->http),
        .waiting = desk_waiting(service->desk),
        .streams = streams_count(service->streams),
        .lost = desk_lost(service->desk),
    };
    struct reply reply = { .status = 200, .type = "text/plain; version=0.0.4; charset=utf-8" };
    struct out out;
    out_init(&out, service->room, SERVICE_BODY_BYTES);
    metrics_write(&out, &service->metrics, &now, answer->cluster_status);
    work_reply(work, &reply, &out);
}

static void work_told(void *owner, uint32_t tag, const Wire__Answer *answer)
{
    (void)tag;
    struct work *work = owner;
    struct service *service = work->service;
    work->ask = 0;
    if (answer == NULL) {
        struct problem problem;
        service_no_answer(work->route->write, &problem);
        work_refuse(work, &problem);
        return;
    }
    if (work_wait(work, answer)) {
        return;
    }
    if (work->route->server == API_SERVER_METRICS && answer->reject == 0) {
        write_metrics(work, answer);
        return;
    }
    bool ended = work->waited && answer->reject == 0 &&
                 !(answer->operation != NULL &&
                   answer->operation->state == WIRE__OPERATION_STATE__OPERATION_STATE_RUNNING);
    struct reply_to to = {
        .route = work->route,
        .slots = &work->slots,
        .query = &work->call->query,
        .request_id = work->request_id,
        .stale = work->stale,
        .waited = ended,
        .minimal = work->minimal,
    };
    struct out out;
    struct reply reply;
    out_init(&out, service->room, SERVICE_BODY_BYTES);
    reply_answer(&to, answer, &out, &reply);
    work_reply(work, &reply, &out);
}

/* ---- From clients ---- */

static void work_ask(struct work *work, struct json *body)
{
    struct service *service = work->service;
    struct problem problem;
    struct api_input input = {
        .route = work->route,
        .slots = &work->slots,
        .query = &work->call->query,
        .body = body,
        .idempotency_key = work->call->headers[HTTP_HEADER_IDEMPOTENCY_KEY],
        .if_match = work->call->headers[HTTP_HEADER_IF_MATCH],
        .request_id = work->request_id,
        .principal = &work->principal,
    };
    Wire__Request *request = NULL;
    arena_reset(&service->arena);
    if (!api_request_make(&input, &service->arena, &request, &problem)) {
        work_refuse(work, &problem);
        return;
    }
    work->stale = request->stale;
    enum desk_outcome outcome =
        desk_ask(service->desk, request, service_wait_ms(request), work_told, work, 0, &work->ask);
    if (outcome != DESK_SENT) {
        service_not_sent(outcome, &problem);
        work_refuse(work, &problem);
    }
}

static void serve_openapi(struct work *work)
{
    struct reply reply = { .status = 200, .type = "application/json" };
    struct slice body = slice_of(work->service->openapi, work->service->openapi_size);
    work->answered = true;
    work_count(work, reply.status);
    http_answer_static(work->call, &reply, body, work->request_id);
}

static void serve_root(struct work *work)
{
    struct out out;
    struct reply reply;
    out_init(&out, work->service->room, SERVICE_BODY_BYTES);
    reply_root(work->service->cell, work->service->ca, &out, &reply);
    work_reply(work, &reply, &out);
}

/* Last-Event-ID goes before ?after: it is what the reader saw last. */
static bool stream_cursor(const struct work *work, uint64_t *after_out, struct problem *problem)
{
    const char *text = work->call->headers[HTTP_HEADER_LAST_EVENT_ID];
    const struct api_query *query = &work->call->query;
    for (uint32_t i = 0; i < query->count && text[0] == '\0'; i++) {
        if (strcmp(query->pairs[i].name, "after") == 0) {
            text = query->pairs[i].value;
        }
    }
    char *end = NULL;
    *after_out = text[0] == '\0' ? 0 : strtoull(text, &end, 10);
    if (end != NULL && (*end != '\0' || text[0] < '0' || text[0] > '9')) {
        return problem_set(problem, 400, "malformed", "The cursor is a whole number.");
    }
    return true;
}

static void serve_events(struct work *work)
{
    if (strstr(work->call->headers[HTTP_HEADER_ACCEPT], "text/event-stream") == NULL) {
        work_ask(work, NULL);
        return;
    }
    struct problem problem;
    uint64_t after = 0;
    if (!stream_cursor(work, &after, &problem) || !stream_begin(work, after, &problem)) {
        work_refuse(work, &problem);
    }
}

static bool work_body(struct work *work, struct json **body_out, struct problem *problem)
{
    struct slice body = work->call->body;
    *body_out = NULL;
    if (body.size == 0) {
        return true;
    }
    const char *type = work->call->headers[HTTP_HEADER_CONTENT_TYPE];
    size_t word = strcspn(type, "; ");
    if (type[0] != '\0' && !(word == 16 && strncasecmp(type, "application/json", word) == 0)) {
        return problem_set(problem, 415, "unsupported-media-type", "Bodies are application/json.");
    }
    *body_out = json_read(body, problem);
    return *body_out != NULL;
}

static void on_call(void *context, struct http_call *call)
{
    (void)context;
    struct work *work = call->work;
    CHECK(work != NULL);
    work->began_us = clock_boot_us();
    struct problem problem;
    struct json *body = NULL;
    switch (work->route->server) {
    case API_SERVER_ENGINE:
    case API_SERVER_METRICS:
        if (work_body(work, &body, &problem)) {
            work_ask(work, body);
        } else {
            work_refuse(work, &problem);
        }
        return;
    case API_SERVER_ROOT: serve_root(work); return;
    case API_SERVER_OPENAPI: serve_openapi(work); return;
    case API_SERVER_BATCH: batch_begin(work); return;
    case API_SERVER_EVENTS: serve_events(work); return;
    }
    UNREACHABLE();
}

/* ---- The head ---- */

static bool head_route(struct work *work, uint32_t *methods_out, struct problem *problem)
{
    const struct http_call *call = work->call;
    enum api_method method = API_METHOD_NONE;
    (void)api_method_parse(call->method, &method); /* Stays none: no row has it. */
    *methods_out = 0;
    work->route = api_route_find(method, call->path, &work->slots, methods_out);
    if (work->route == NULL && *methods_out == 0) {
        return problem_set(problem, 404, "not-found", "There is no such address.");
    }
    if (work->route == NULL) {
        return problem_set(problem, 405, "method-not-allowed", "Not with this method.");
    }
    if (call->query.count > API_QUERY_MAX) {
        return problem_set(problem, 400, "malformed", "The query has too many parts.");
    }
    return true;
}

static bool head_door(struct work *work, struct problem *problem)
{
    const struct door_peer *peer = work->call->peer;
    uint64_t now = clock_wall_ms() / 1000;
    wire__identity__init(&work->principal);
    if (work->route->stranger) {
        return true; /* Whoever it is, here it is a stranger. */
    }
    enum reject reject = REJECT_NONE;
    switch (door_pass(work->service->door, peer, now)) {
    case DOOR_OPEN:
        work->principal.kind = peer->facts.identity.kind;
        work->principal.id = peer->facts.identity.id;
        work->principal.epoch = peer->facts.identity.epoch;
        return true;
    case DOOR_NO_CERTIFICATE:
        reject = REJECT_NO_CERTIFICATE;
        problem_set(problem, 401, "", "A client certificate of this cell is wanted.");
        break;
    case DOOR_FOREIGN:
        reject = REJECT_FOREIGN;
        problem_set(problem, 401, "", "This certificate is not of this cell.");
        break;
    case DOOR_EXPIRED:
        reject = REJECT_EXPIRED;
        problem_set(problem, 401, "", "This certificate's time is over.");
        break;
    case DOOR_REVOKED:
        reject = REJECT_REVOKED;
        problem_set(problem, 401, "", "This certificate was revoked.");
        break;
    }
    problem->code = reject_name(reject);
    bool known = reject == REJECT_EXPIRED || reject == REJECT_REVOKED; /* Else it proves nobody. */
    turned_away_note(
        &work->service->turned_away,
        "request",
        reject,
        known ? peer->facts.identity.kind : WIRE__KIND__KIND_UNSET,
        known ? peer->facts.identity.id : 0);
    work->service->metrics.refused_at_door++;
    return false;
}

static bool on_head(
    void *context, struct http_call *call, size_t *body_max_out, struct problem *problem)
{
    struct service *service = context;
    struct work *work = calloc(1, sizeof(*work));
    if (work == NULL) {
        return problem_set(problem, 503, "no-memory", "There is no room for a request now.");
    }
    call->work = work;
    work->service = service;
    work->call = call;
    work->began_us = clock_boot_us();
    int size = snprintf(
        work->request_id,
        sizeof(work->request_id),
        "r%016llx",
        (unsigned long long)prng_next(&service->ids));
    CHECK(size == 17);
    call->request_id = work->request_id;
    if (!head_route(work, &call->allow, problem) || !head_door(work, problem)) {
        work_count(work, problem->status);
        return false;
    }
    call->allow = 0;
    bool batch = work->route->server == API_SERVER_BATCH;
    *body_max_out = batch ? JSON_BODY_MAX : LIMIT_REQUEST_BODY;
    if (work->route->write) {
        work->wait_seconds = call->prefer.wait_seconds;
    }
    work->minimal = call->prefer.minimal && (work->route->write || batch);
    return true;
}

static void on_gone(void *context, struct http_call *call)
{
    struct service *service = context;
    struct work *work = call->work;
    if (work == NULL) {
        return;
    }
    call->work = NULL;
    desk_forget(service->desk, work->ask);
    if (work->route != NULL && work->route->server == API_SERVER_EVENTS) {
        stream_end(work);
    }
    batch_free(work->batch);
    free(work);
}

/* ---- Beginning and end ---- */

void service_hooks(struct service *service, struct http_hooks *hooks_out)
{
    CHECK(service->desk != NULL);
    *hooks_out = (struct http_hooks){ service, on_head, on_call, on_gone };
}

static void openapi_make(struct service *service)
{
    struct out out;
    struct slice text = SLICE_EMPTY;
    service->openapi = malloc(OPENAPI_BYTES_MAX);
    CHECK(service->openapi != NULL);
    out_init(&out, service->openapi, OPENAPI_BYTES_MAX);
    openapi_write(&out);
    CHECK(out_done(&out, &text)); /* The table is ours; a test writes it too. */
    service->openapi_size = text.size;
}

void service_open(struct service *service, struct child *child, struct slice ca)
{
    *service = (struct service){ .child = child, .ca = ca, .cell = child->config->cell };
    uint8_t *memory = aligned_alloc(16, SERVICE_ARENA_BYTES);
    service->room = malloc(SERVICE_BODY_BYTES);
    CHECK(memory != NULL); /* At start; without these there is no api. */
    CHECK(service->room != NULL);
    arena_init(&service->arena, memory, SERVICE_ARENA_BYTES);
    uint64_t seed = 0;
    CHECK(uv_random(NULL, NULL, &seed, sizeof(seed), 0, NULL) == 0);
    prng_seed(&service->ids, seed);
    service->desk = desk_open(child);
    service->door = door_open(ca);
    service->streams = streams_open(service);
    openapi_make(service);
    json_start();
}

void service_close(struct service *service)
{
    desk_close(service->desk);
    door_close(service->door);
    free(service->streams);
    free(service->arena.memory);
    free(service->room);
    free(service->openapi);
}
