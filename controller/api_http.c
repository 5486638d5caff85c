/* Decides the form of HTTP: heads, bodies, answers, streams. Never decides what is served. The only
 * includer of microhttpd.
 *
 * The happy path and what can go wrong: api_http.h. */
#include "controller/api_http.h"

#include "base/check.h"
#include "controller/api_body.h"
#include "controller/api_tls.h"
#include "host/clock.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum {
    SPARE_DESCRIPTORS = 64,
    DRAIN_BYTES = 4 * 1024 * 1024,
    PEM_SIZE = 8192,
    CORKED_BYTES = 8 * 1024, /* A body that leaves with its head: one record, one segment. */
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
    uint32_t handles; /* Still to be closed. */
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
};

static const char *const header_names[] = {
    [HTTP_HEADER_IDEMPOTENCY_KEY] = "Idempotency-Key",
    [HTTP_HEADER_IF_MATCH] = "If-Match",
    [HTTP_HEADER_PREFER] = "Prefer",
    [HTTP_HEADER_TRACEPARENT] = "traceparent",
    [HTTP_HEADER_ACCEPT] = "Accept",
    [HTTP_HEADER_CONTENT_TYPE] = "Content-Type",
    [HTTP_HEADER_CONTENT_LENGTH] = "Content-Length",
    [HTTP_HEADER_TRANSFER_ENCODING] = "Transfer-Encoding",
    [HTTP_HEADER_LAST_EVENT_ID] = "Last-Event-ID",
};
_Static_assert(COUNT_OF(header_names) == HTTP_HEADERS_END, "every header has its name");

/* ---- The loop ---- */

static void on_timer(uv_timer_t *timer);

static void http_pump(struct http *http)
{
    http->resumed = false;
    (void)MHD_run(http->daemon); /* It answers no only before it was started. */
    MHD_UNSIGNED_LONG_LONG wait_ms = 0;
    if (MHD_get_timeout(http->daemon, &wait_ms) == MHD_YES) {
        (void)uv_timer_start(&http->timer, on_timer, wait_ms, 0);
    } else {
        (void)uv_timer_stop(&http->timer);
    }
}

static void on_timer(uv_timer_t *timer)
{
    http_pump(timer->data);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status; /* An epoll descriptor has no errors of its own. */
    (void)events;
    http_pump(poll->data);
}

/* Before the loop sleeps: what was resumed in this turn is answered in this turn. */
static void on_prepare(uv_prepare_t *prepare)
{
    struct http *http = prepare->data;
    if (http->resumed) {
        http_pump(http);
    }
}

/* ---- Connections ---- */

static void on_connection(
    void *context,
    struct MHD_Connection *connection,
    void **socket_context,
    enum MHD_ConnectionNotificationCode code)
{
    (void)connection;
    struct http *http = context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        http->connections++;
        *socket_context = calloc(1, sizeof(struct door_peer));
        return;
    }
    CHECK(http->connections > 0);
    http->connections--;
    free(*socket_context);
    *socket_context = NULL;
}

static void *session_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    return info == NULL ? NULL : info->tls_session;
}

static struct door_peer *peer_of(struct http *http, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct door_peer *peer = info == NULL ? NULL : info->socket_context;
    if (peer == NULL || peer->judged) {
        return peer;
    }
    void *session = session_of(connection);
    struct slice certificate = SLICE_EMPTY;
    bool presented = session != NULL && api_tls_peer(session, &certificate);
    door_judge(http->door, presented, certificate, clock_wall_ms() / 1000, peer);
    return peer;
}

/* ---- Requests ---- */

static enum MHD_Result on_header(
    void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
    (void)kind;
    struct call *call = context;
    for (size_t i = 0; i < HTTP_HEADERS_END; i++) {
        if (name[0] != '\0' && (name[0] | 32) == (header_names[i][0] | 32) &&
            strcasecmp(name, header_names[i]) == 0) {
            call->open.headers[i] = value == NULL ? "" : value;
        }
    }
    return MHD_YES;
}

static enum MHD_Result on_argument(
    void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
    (void)kind;
    struct api_query *query = context;
    if (query->count < API_QUERY_MAX) {
        query->pairs[query->count] = (struct api_pair){ name, value == NULL ? "" : value };
    }
    query->count++; /* One too many is seen by whoever looks. */
    return query->count <= API_QUERY_MAX ? MHD_YES : MHD_NO;
}

/* microhttpd sends head and body one after the other, and each would be a segment of its own. A
 * body that is larger than what a socket always takes is sent as microhttpd does. */
static void cork(struct call *call)
{
    void *session = session_of(call->connection);
    if (!call->streaming && session != NULL && call->size <= CORKED_BYTES) {
        CHECK(!call->corked);
        api_tls_cork(session);
        call->corked = true;
    }
}

/* A client that asks and asks and never reads is not waited for: it is cut off. microhttpd leaves
 * TCP_CORK on and pushes by setting TCP_NODELAY anew, and so do we. */
static void uncork(struct call *call)
{
    void *session = session_of(call->connection);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(call->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    int one = 1;
    if (!call->corked || session == NULL || info == NULL) {
        return;
    }
    call->corked = false;
    if (!api_tls_uncork(session) ||
        setsockopt(info->connect_fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0) {
        (void)shutdown(info->connect_fd, SHUT_RDWR); /* microhttpd sees it and closes. */
    }
}

static enum MHD_Result queue(struct call *call)
{
    CHECK(call->response != NULL);
    cork(call);
    enum MHD_Result queued = MHD_queue_response(call->connection, call->status, call->response);
    MHD_destroy_response(call->response);
    call->response = NULL;
    return queued;
}

static void add(struct MHD_Response *response, const char *name, const char *value)
{
    if (value[0] != '\0') {
        (void)MHD_add_response_header(response, name, value); /* Refused if it holds line ends. */
    }
}

static void add_number(struct MHD_Response *response, const char *name, uint64_t value)
{
    char text[24];
    int size = snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    CHECK(size > 0);
    (void)MHD_add_response_header(response, name, text);
}

static void add_allow(struct MHD_Response *response, uint32_t methods)
{
    char text[64] = "";
    size_t used = 0;
    for (uint32_t i = API_METHOD_GET; i <= API_METHOD_DELETE; i++) {
        if ((methods & (UINT32_C(1) << i)) != 0) {
            int size = snprintf(
                text + used,
                sizeof(text) - used,
                "%s%s",
                used == 0 ? "" : ", ",
                api_method_name((enum api_method)i));
            CHECK(size > 0);
            used += (size_t)size;
        }
    }
    add(response, MHD_HTTP_HEADER_ALLOW, text);
}

static void add_head(struct call *call, const struct reply *reply, const char *request_id)
{
    struct MHD_Response *response = call->response;
    add(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply->type);
    add(response, "Request-Id", request_id);
    add(response, MHD_HTTP_HEADER_ETAG, reply->tag);
    add(response, MHD_HTTP_HEADER_LOCATION, reply->location);
    if (reply->index != 0) {
        add_number(response, "Udatsu-Index", reply->index);
    }
    if (reply->stale) {
        add_number(response, "Udatsu-Age-Ms", reply->age_ms);
    }
    if (reply->retry_after_seconds != 0) {
        add_number(response, MHD_HTTP_HEADER_RETRY_AFTER, reply->retry_after_seconds);
    }
    if (reply->waited) {
        add(response, "Preference-Applied", "wait");
    }
    if (reply->allow != 0) {
        add_allow(response, reply->allow);
    }
    const char *trace = call->open.headers[HTTP_HEADER_TRACEPARENT];
    if (api_traceparent_valid(trace)) {
        add(response, "traceparent", trace);
    }
}

static void resume(struct call *call)
{
    if (call->suspended) {
        call->suspended = false;
        call->open.http->resumed = true;
        MHD_resume_connection(call->connection);
    }
}

static void answer(
    struct call *call,
    const struct reply *reply,
    struct slice body,
    const char *request_id,
    enum MHD_ResponseMemoryMode mode)
{
    CHECK(call->response == NULL);
    CHECK(reply->status >= 200);
    call->response = MHD_create_response_from_buffer(body.size, (void *)(uintptr_t)body.data, mode);
    if (call->response == NULL) {
        return; /* No memory: the connection is closed instead. */
    }
    call->status = reply->status;
    call->size = body.size;
    add_head(call, reply, request_id);
    resume(call);
}

void http_answer(
    struct http_call *open, const struct reply *reply, struct slice body, const char *request_id)
{
    answer((struct call *)open, reply, body, request_id, MHD_RESPMEM_MUST_COPY);
}

void http_answer_static(
    struct http_call *open, const struct reply *reply, struct slice body, const char *request_id)
{
    answer((struct call *)open, reply, body, request_id, MHD_RESPMEM_PERSISTENT);
}

static ssize_t on_stream(void *context, uint64_t position, char *room, size_t size)
{
    (void)position;
    struct call *call = context;
    CHECK(call->streaming);
    size_t taken = call->source.take(call->source.context, room, size);
    if (taken > 0) {
        return (ssize_t)taken;
    }
    if (call->source.over(call->source.context)) {
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    call->suspended = true;
    MHD_suspend_connection(call->connection);
    return 0;
}

void http_stream(struct http_call *open, const struct http_source *source, const char *request_id)
{
    struct call *call = (struct call *)open;
    CHECK(call->response == NULL);
    struct reply reply = { .status = 200, .type = "text/event-stream" };
    call->source = *source;
    call->streaming = true;
    call->response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 16 * 1024, on_stream, call, NULL);
    if (call->response == NULL) {
        return;
    }
    call->status = reply.status;
    add_head(call, &reply, request_id);
    add(call->response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    resume(call);
}

void http_stream_wake(struct http_call *open)
{
    struct call *call = (struct call *)open;
    CHECK(call->streaming);
    resume(call);
}

static void answer_problem(struct call *call, const struct problem *problem)
{
    char room[2048];
    struct out out;
    struct reply reply;
    struct slice body = SLICE_EMPTY;
    out_init(&out, room, sizeof(room));
    const char *request_id = call->open.request_id == NULL ? "none" : call->open.request_id;
    reply_problem(problem, request_id, &out, &reply);
    reply.allow = problem->status == 405 ? call->open.allow : 0;
    CHECK(out_done(&out, &body)); /* detail, hint and pointer are far smaller. */
    http_answer(&call->open, &reply, body, request_id);
}

/* ---- microhttpd's calls ---- */

/* An answer before the body ends the connection; where no body comes, it waits for its turn. */
static enum MHD_Result refuse_head(struct call *call, const struct problem *problem)
{
    const char *length = call->open.headers[HTTP_HEADER_CONTENT_LENGTH];
    const char *coding = call->open.headers[HTTP_HEADER_TRANSFER_ENCODING];
    call->stage = STAGE_REFUSED;
    answer_problem(call, problem);
    if (call->response == NULL) {
        return MHD_NO;
    }
    bool bodiless = coding[0] == '\0' && (length[0] == '\0' || strcmp(length, "0") == 0);
    return bodiless ? MHD_YES : queue(call);
}

static enum MHD_Result begin(
    struct http *http,
    struct MHD_Connection *connection,
    const char *path,
    const char *method,
    void **request_context)
{
    struct door_peer *peer = peer_of(http, connection);
    struct call *call = peer == NULL ? NULL : calloc(1, sizeof(*call));
    if (call == NULL) {
        return MHD_NO; /* No memory: the connection is closed. */
    }
    *request_context = call;
    call->connection = connection;
    call->stage = STAGE_BODY;
    call->open = (struct http_call){ .http = http, .method = method, .path = path, .peer = peer };
    for (size_t i = 0; i < HTTP_HEADERS_END; i++) {
        call->open.headers[i] = "";
    }
    (void)MHD_get_connection_values(connection, MHD_HEADER_KIND, on_header, call);
    (void)MHD_get_connection_values(
        connection, MHD_GET_ARGUMENT_KIND, on_argument, &call->open.query);
    struct problem problem;
    if (!http->hooks.head(http->hooks.context, &call->open, &call->body_max, &problem)) {
        return refuse_head(call, &problem);
    }
    size_t announced = strtoull(call->open.headers[HTTP_HEADER_CONTENT_LENGTH], NULL, 10);
    if (!body_begin(&call->body, announced, call->body_max)) {
        problem_set(
            &problem, 413, "too-large", "The body may have %zu bytes here.", call->body_max);
        return refuse_head(call, &problem);
    }
    return MHD_YES;
}

static enum MHD_Result take_body(struct call *call, const char *bytes, size_t *size)
{
    if (call->stage == STAGE_REFUSED || !body_add(&call->body, slice_of(bytes, *size))) {
        call->stage = STAGE_REFUSED;
        call->drained += *size;
        *size = 0;
        return call->drained > DRAIN_BYTES ? MHD_NO : MHD_YES;
    }
    *size = 0;
    return MHD_YES;
}

static enum MHD_Result on_request(
    void *context,
    struct MHD_Connection *connection,
    const char *url,
    const char *method,
    const char *version,
    const char *upload,
    size_t *upload_size,
    void **request_context)
{
    (void)version;
    struct http *http = context;
    struct call *call = *request_context;
    if (call == NULL) {
        return begin(http, connection, url, method, request_context);
    }
    if (*upload_size > 0) {
        return take_body(call, upload, upload_size);
    }
    if (call->stage == STAGE_BODY) {
        call->stage = STAGE_SERVED;
        call->open.body = body_slice(&call->body);
        http->hooks.call(http->hooks.context, &call->open);
        if (call->response == NULL) {
            call->suspended = true;
            MHD_suspend_connection(connection);
            return MHD_YES;
        }
        return queue(call);
    }
    if (call->stage == STAGE_REFUSED && call->response == NULL) {
        struct problem problem;
        problem_set(
            &problem, 413, "too-large", "The body may have %zu bytes here.", call->body_max);
        answer_problem(call, &problem);
    }
    return call->response == NULL ? MHD_NO : queue(call);
}

static void on_completed(
    void *context,
    struct MHD_Connection *connection,
    void **request_context,
    enum MHD_RequestTerminationCode code)
{
    (void)connection;
    (void)code;
    struct http *http = context;
    struct call *call = *request_context;
    if (call == NULL) {
        return;
    }
    *request_context = NULL;
    uncork(call);
    http->hooks.gone(http->hooks.context, &call->open);
    if (call->response != NULL) {
        MHD_destroy_response(call->response);
    }
    body_free(&call->body);
    free(call);
}

static size_t on_unescape(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return api_unescape(text);
}

/* ---- Beginning and end ---- */

static unsigned int connections_max(void)
{
    struct rlimit limit = { 0, 0 };
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < 2 * SPARE_DESCRIPTORS) {
        return SPARE_DESCRIPTORS;
    }
    uint64_t room = limit.rlim_cur - SPARE_DESCRIPTORS;
    return room < HTTP_CONNECTIONS_MAX ? (unsigned int)room : HTTP_CONNECTIONS_MAX;
}

static RESULT http_poll(struct http *http, uv_loop_t *loop)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (info == NULL || uv_poll_init(loop, &http->poll, info->epoll_fd) != 0) {
        return FAIL(FAILURE_UNSUPPORTED);
    }
    (void)uv_timer_init(loop, &http->timer); /* These two cannot fail. */
    (void)uv_prepare_init(loop, &http->prepare);
    http->poll.data = http;
    http->timer.data = http;
    http->prepare.data = http;
    http->handles = 3;
    if (uv_poll_start(&http->poll, UV_READABLE, on_readable) != 0 ||
        uv_prepare_start(&http->prepare, on_prepare) != 0 ||
        uv_timer_start(&http->timer, on_timer, 0, 0) != 0) {
        return FAIL(FAILURE_UNSUPPORTED);
    }
    return OK;
}

RESULT http_open(
    uv_loop_t *loop,
    int listen_fd,
    const struct door *door,
    struct slice ca,
    const struct http_hooks *hooks,
    struct http **http_out)
{
    CHECK(door != NULL);
    _Alignas(16) uint8_t memory[PEM_SIZE];
    struct arena arena;
    struct slice pem = SLICE_EMPTY;
    arena_init(&arena, memory, sizeof(memory));
    TRY(x509_pem("CERTIFICATE", ca, &arena, &pem));
    struct http *http = calloc(1, sizeof(*http));
    if (http == NULL) {
        return FAIL(FAILURE_FULL);
    }
    http->door = door;
    http->hooks = *hooks;
    http->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_TLS | MHD_ALLOW_SUSPEND_RESUME,
        0,
        NULL,
        NULL,
        on_request,
        http,
        MHD_OPTION_LISTEN_SOCKET,
        listen_fd,
        MHD_OPTION_HTTPS_PRIORITIES,
        API_TLS_PRIORITIES,
        MHD_OPTION_HTTPS_MEM_TRUST,
        (const char *)pem.data,
        MHD_OPTION_HTTPS_CERT_CALLBACK,
        api_tls_callback(),
        MHD_OPTION_NOTIFY_CONNECTION,
        on_connection,
        http,
        MHD_OPTION_NOTIFY_COMPLETED,
        on_completed,
        http,
        MHD_OPTION_UNESCAPE_CALLBACK,
        on_unescape,
        NULL,
        MHD_OPTION_CONNECTION_LIMIT,
        connections_max(),
        MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        (unsigned int)HTTP_CONNECTIONS_PER_ADDRESS,
        MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned int)HTTP_IDLE_SECONDS,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HTTP_CONNECTION_BYTES,
        MHD_OPTION_END);
    if (http->daemon == NULL) {
        free(http);
        return FAIL(FAILURE_UNSUPPORTED);
    }
    *http_out = http;
    return http_poll(http, loop);
}

static void on_closed(uv_handle_t *handle)
{
    struct http *http = handle->data;
    CHECK(http->handles > 0);
    if (--http->handles == 0) {
        free(http);
    }
}

void http_close(struct http *http)
{
    if (http == NULL) {
        return;
    }
    /* Every suspended connection was resumed by the service's end before this. */
    MHD_stop_daemon(http->daemon);
    http->daemon = NULL;
    uv_close((uv_handle_t *)&http->poll, on_closed);
    uv_close((uv_handle_t *)&http->timer, on_closed);
    uv_close((uv_handle_t *)&http->prepare, on_closed);
}

uint32_t http_connections(const struct http *http)
{
    return http->connections;
}
