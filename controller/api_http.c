/* Decides the form of HTTP as it comes in: connections, heads, bodies. Never decides what is
 * served. With api_http_answer.c the only one that knows microhttpd.
 *
 * The happy path and what can go wrong: api_http.h. */
#include "controller/api_http_inner.h"

#include "base/check.h"
#include "controller/api_tls.h"
#include "host/clock.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum {
    SPARE_DESCRIPTORS = 64,
    DRAIN_BYTES = 4 * 1024 * 1024,
    PEM_SIZE = 8192,
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

static const char absent[] = ""; /* By its place: a header may be there and empty. */

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

static void client_begin(struct http *http, struct MHD_Connection *connection, void **room)
{
    struct client *client = calloc(1, sizeof(*client));
    http->connections++;
    *room = client;
    if (client == NULL) {
        return; /* Its first request finds no peer, and the connection is closed. */
    }
    client->connection = connection;
    client->next = http->clients;
    if (http->clients != NULL) {
        http->clients->before = client;
    }
    http->clients = client;
}

static void on_connection(
    void *context,
    struct MHD_Connection *connection,
    void **socket_context,
    enum MHD_ConnectionNotificationCode code)
{
    struct http *http = context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        client_begin(http, connection, socket_context);
        return;
    }
    struct client *client = *socket_context;
    CHECK(http->connections > 0);
    http->connections--;
    *socket_context = NULL;
    if (client == NULL) {
        return;
    }
    if (client->next != NULL) {
        client->next->before = client->before;
    }
    if (client->before != NULL) {
        client->before->next = client->next;
    } else {
        CHECK(http->clients == client);
        http->clients = client->next;
    }
    free(client);
}

/* microhttpd sees the end of the socket and closes. A call that is under way is answered first.
 * INV-SEC-33 */
static bool end_if_revoked(struct http *http, const struct client *client)
{
    if (!client->peer.judged || client->calls > 0 ||
        door_pass(http->door, &client->peer, clock_wall_ms() / 1000) != DOOR_REVOKED) {
        return false;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(client->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info != NULL && shutdown(info->connect_fd, SHUT_RDWR) == 0;
}

uint32_t http_end_revoked(struct http *http)
{
    uint32_t ended = 0;
    for (struct client *client = http->clients; client != NULL; client = client->next) {
        ended += end_if_revoked(http, client) ? 1 : 0;
    }
    return ended;
}

static struct client *client_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info == NULL ? NULL : info->socket_context;
}

static struct door_peer *peer_of(struct http *http, struct MHD_Connection *connection)
{
    struct client *client = client_of(connection);
    struct door_peer *peer = client == NULL ? NULL : &client->peer;
    if (peer == NULL || peer->judged) {
        return peer;
    }
    void *session = http_session(connection);
    struct slice certificate = SLICE_EMPTY;
    bool presented = session != NULL && api_tls_peer(session, &certificate);
    door_judge(http->door, presented, certificate, clock_wall_ms() / 1000, peer);
    return peer;
}

/* ---- Requests ---- */

/* Of these a second one would be another meaning: whoever stands before us might take the other. */
static bool comes_once(size_t header)
{
    return header != HTTP_HEADER_ACCEPT && header != HTTP_HEADER_PREFER;
}

static enum MHD_Result on_header(
    void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
    (void)kind;
    struct call *call = context;
    for (size_t i = 0; i < HTTP_HEADERS_END; i++) {
        if (name[0] != '\0' && (name[0] | 32) == (header_names[i][0] | 32) &&
            strcasecmp(name, header_names[i]) == 0) {
            call->twice = call->twice || (call->open.headers[i] != absent && comes_once(i));
            call->open.headers[i] = value == NULL ? "" : value;
            if (i == HTTP_HEADER_PREFER) {
                api_prefer(call->open.headers[i], &call->open.prefer);
            }
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

/* ---- microhttpd's calls ---- */

/* An answer before the body ends the connection; where no body comes, it waits for its turn. */
static enum MHD_Result refuse_head(struct call *call, const struct problem *problem)
{
    const char *length = call->open.headers[HTTP_HEADER_CONTENT_LENGTH];
    const char *coding = call->open.headers[HTTP_HEADER_TRANSFER_ENCODING];
    call->stage = STAGE_REFUSED;
    http_answer_problem(call, problem);
    if (call->response == NULL) {
        return MHD_NO;
    }
    bool bodiless = coding[0] == '\0' && (length[0] == '\0' || strcmp(length, "0") == 0);
    return bodiless ? MHD_YES : http_queue(call);
}

static enum MHD_Result begin(
    struct http *http,
    struct MHD_Connection *connection,
    const char *path,
    const char *method,
    void **request_context)
{
    struct client *client = client_of(connection);
    struct door_peer *peer = client == NULL ? NULL : peer_of(http, connection);
    struct call *call = peer == NULL ? NULL : calloc(1, sizeof(*call));
    if (call == NULL) {
        return MHD_NO; /* No memory: the connection is closed. */
    }
    *request_context = call;
    call->connection = connection;
    client->calls++;
    call->stage = STAGE_BODY;
    call->open = (struct http_call){ .http = http, .method = method, .path = path, .peer = peer };
    for (size_t i = 0; i < HTTP_HEADERS_END; i++) {
        call->open.headers[i] = absent;
    }
    (void)MHD_get_connection_values(connection, MHD_HEADER_KIND, on_header, call);
    (void)MHD_get_connection_values(
        connection, MHD_GET_ARGUMENT_KIND, on_argument, &call->open.query);
    struct problem problem;
    const char *const *headers = call->open.headers;
    if (call->twice || (headers[HTTP_HEADER_CONTENT_LENGTH] != absent &&
                        headers[HTTP_HEADER_TRANSFER_ENCODING] != absent)) {
        problem_set(&problem, 400, "malformed", "A header comes twice, or two contradict.");
        return refuse_head(call, &problem);
    }
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
        return http_queue(call);
    }
    if (call->stage == STAGE_REFUSED && call->response == NULL) {
        struct problem problem;
        problem_set(
            &problem, 413, "too-large", "The body may have %zu bytes here.", call->body_max);
        http_answer_problem(call, &problem);
    }
    return call->response == NULL ? MHD_NO : http_queue(call);
}

static void on_completed(
    void *context,
    struct MHD_Connection *connection,
    void **request_context,
    enum MHD_RequestTerminationCode code)
{
    (void)code;
    struct http *http = context;
    struct client *client = client_of(connection);
    struct call *call = *request_context;
    if (call == NULL) {
        return;
    }
    *request_context = NULL;
    http_uncork(call);
    http->hooks.gone(http->hooks.context, &call->open);
    if (call->response != NULL) {
        MHD_destroy_response(call->response);
    }
    body_free(&call->body);
    free(call);
    CHECK(client != NULL); /* begin found it. */
    CHECK(client->calls > 0);
    client->calls--;
    (void)end_if_revoked(http, client); /* Who was not is not ended. */
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
