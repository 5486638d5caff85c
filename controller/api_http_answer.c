/* Decides the form of HTTP as it goes out: heads, bodies, streams. Never decides what is answered.
 *
 * The happy path and what can go wrong: api_http.h. */
#include "controller/api_http_inner.h"

#include "base/check.h"
#include "controller/api_tls.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>

enum {
    CORKED_BYTES = 8 * 1024, /* A body that leaves with its head: one record, one segment. */
};

/* ---- One segment ---- */

void *http_session(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    return info == NULL ? NULL : info->tls_session;
}

/* microhttpd sends head and body one after the other, and each would be a segment of its own. A
 * body that is larger than what a socket always takes is sent as microhttpd does. */
static void cork(struct call *call)
{
    void *session = http_session(call->connection);
    if (!call->streaming && session != NULL && call->size <= CORKED_BYTES) {
        CHECK(!call->corked);
        api_tls_cork(session);
        call->corked = true;
    }
}

/* A client that asks and asks and never reads is not waited for: it is cut off. microhttpd leaves
 * TCP_CORK on and pushes by setting TCP_NODELAY anew, and so do we. */
void http_uncork(struct call *call)
{
    void *session = http_session(call->connection);
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

enum MHD_Result http_queue(struct call *call)
{
    CHECK(call->response != NULL);
    cork(call);
    enum MHD_Result queued = MHD_queue_response(call->connection, call->status, call->response);
    MHD_destroy_response(call->response);
    call->response = NULL;
    return queued;
}

/* ---- Heads ---- */

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
    if (reply->disputed_index != 0) {
        add_number(response, "Udatsu-Disputed", reply->disputed_index);
    }
    if (reply->stale) {
        add_number(response, "Udatsu-Age-Ms", reply->age_ms);
    }
    if (reply->retry_after_seconds != 0) {
        add_number(response, MHD_HTTP_HEADER_RETRY_AFTER, reply->retry_after_seconds);
    }
    if (reply->rate_limit != 0) { /* draft-ietf-httpapi-ratelimit-headers: nothing is left now. */
        add_number(response, "RateLimit-Limit", reply->rate_limit);
        add(response, "RateLimit-Remaining", "0");
        add_number(response, "RateLimit-Reset", reply->retry_after_seconds);
    }
    if (reply->waited || reply->minimal) {
        bool both = reply->waited && reply->minimal;
        const char *one = reply->waited ? "wait" : "return=minimal";
        add(response, "Preference-Applied", both ? "wait, return=minimal" : one);
    }
    if (reply->allow != 0) {
        add_allow(response, reply->allow);
    }
    const char *trace = call->open.headers[HTTP_HEADER_TRACEPARENT];
    if (api_traceparent_valid(trace)) {
        add(response, "traceparent", trace);
    }
}

/* ---- Bodies ---- */

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

void http_answer_problem(struct call *call, const struct problem *problem)
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
