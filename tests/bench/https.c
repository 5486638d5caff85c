/* Decides how a request becomes bytes and when an answer is whole. Never decides what is asked.
 *
 * The happy path and what can go wrong: https.h. */
#include "tests/bench/https.h"

#include "base/check.h"
#include "tests/bench/figures.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 256, ROOM_FIRST = 16 * 1024 };

enum stage { STAGE_SHAKING = 1, STAGE_READY, STAGE_WAITING };

struct https {
    gnutls_certificate_credentials_t papers;
    gnutls_priority_t priority;
    struct https_hooks hooks;
    int epoll;
};

struct https_connection {
    struct https *https;
    gnutls_session_t session;
    int fd;
    enum stage stage;
    uint64_t tag;
    uint64_t since_ns;
    uint32_t watched; /* epoll events asked for. */
    bool gone;
    char *out;
    size_t out_size;
    size_t out_sent;
    size_t out_room;
    char *in;
    size_t in_size;
    size_t in_room;
};

static void must(int code, const char *what)
{
    if (code < 0) {
        figures_die(what, gnutls_strerror(code));
    }
}

struct https *https_open(const struct https_papers *papers, const struct https_hooks *hooks)
{
    CHECK(hooks->on_answer != NULL && hooks->on_gone != NULL && hooks->on_ready != NULL);
    struct https *https = calloc(1, sizeof(*https));
    CHECK(https != NULL); /* At the start of a bench. */
    https->hooks = *hooks;
    must(gnutls_certificate_allocate_credentials(&https->papers), "credentials");
    must(
        gnutls_certificate_set_x509_trust_file(https->papers, papers->ca, GNUTLS_X509_FMT_PEM),
        papers->ca);
    must(
        gnutls_certificate_set_x509_key_file(
            https->papers, papers->cert, papers->key, GNUTLS_X509_FMT_PEM),
        papers->cert);
    must(gnutls_priority_init(&https->priority, "NORMAL:-VERS-ALL:+VERS-TLS1.3", NULL), "priority");
    https->epoll = epoll_create1(EPOLL_CLOEXEC);
    CHECK(https->epoll >= 0);
    return https;
}

void https_close(struct https *https)
{
    (void)close(https->epoll); /* It holds nothing that could fail. */
    gnutls_priority_deinit(https->priority);
    gnutls_certificate_free_credentials(https->papers);
    free(https);
}

uint64_t https_tag(const struct https_connection *connection)
{
    return connection->tag;
}

void https_drop(struct https_connection *connection)
{
    CHECK(connection->fd >= 0);
    gnutls_deinit(connection->session);
    (void)close(connection->fd); /* Leaves the epoll with it. */
    free(connection->out);
    free(connection->in);
    free(connection);
}

static bool address_read(const char *text, struct sockaddr_in *where)
{
    char host[64];
    const char *colon = strrchr(text, ':');
    if (colon == NULL || (size_t)(colon - text) >= sizeof(host)) {
        return false;
    }
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    *where = (struct sockaddr_in){ .sin_family = AF_INET };
    where->sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    return inet_pton(AF_INET, host, &where->sin_addr) == 1;
}

static void watch(struct https_connection *connection, bool writes)
{
    uint32_t events = EPOLLIN | (writes ? (uint32_t)EPOLLOUT : 0);
    if (connection->watched == events) {
        return;
    }
    struct epoll_event event = { .events = events, .data.ptr = connection };
    int how = connection->watched == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    int failed = epoll_ctl(connection->https->epoll, how, connection->fd, &event);
    CHECK(failed == 0);
    connection->watched = events;
}

struct https_connection *https_dial(struct https *https, const char *address, uint64_t tag)
{
    struct sockaddr_in where;
    int one = 1;
    if (!address_read(address, &where)) {
        figures_die("address", address);
    }
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* Costs only time. */
    if (connect(fd, (struct sockaddr *)&where, sizeof(where)) != 0 && errno != EINPROGRESS) {
        (void)close(fd);
        return NULL;
    }
    struct https_connection *connection = calloc(1, sizeof(*connection));
    CHECK(connection != NULL);
    connection->https = https;
    connection->fd = fd;
    connection->stage = STAGE_SHAKING;
    connection->tag = tag;
    must(gnutls_init(&connection->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK), "session");
    must(gnutls_priority_set(connection->session, https->priority), "priority");
    must(
        gnutls_credentials_set(connection->session, GNUTLS_CRD_CERTIFICATE, https->papers),
        "credentials");
    /* The chain up to the cell's CA; the address is the one we dialled. */
    gnutls_session_set_verify_cert(connection->session, NULL, 0);
    gnutls_transport_set_int(connection->session, fd);
    watch(connection, true);
    return connection;
}

/* ---- Sending ---- */

static void put(struct https_connection *connection, const char *bytes, size_t size)
{
    if (connection->out_size + size > connection->out_room) {
        connection->out_room = (connection->out_size + size) * 2 + ROOM_FIRST;
        connection->out = realloc(connection->out, connection->out_room);
        CHECK(connection->out != NULL);
    }
    memcpy(connection->out + connection->out_size, bytes, size);
    connection->out_size += size;
}

static bool flush(struct https_connection *connection)
{
    while (connection->out_sent < connection->out_size) {
        ssize_t sent = gnutls_record_send(
            connection->session,
            connection->out + connection->out_sent,
            connection->out_size - connection->out_sent);
        if (sent == GNUTLS_E_AGAIN || sent == GNUTLS_E_INTERRUPTED) {
            watch(connection, true);
            return true;
        }
        if (sent <= 0) {
            return false;
        }
        connection->out_sent += (size_t)sent;
    }
    watch(connection, false);
    return true;
}

void https_ask(struct https_connection *connection, const struct https_request *request)
{
    char head[1024];
    CHECK(connection->stage == STAGE_READY);
    CHECK(request->body != NULL || request->body_size == 0);
    int size = snprintf(
        head,
        sizeof(head),
        "%s %s HTTP/1.1\r\nHost: bench\r\n%s%s%s%s%s%s%s%sContent-Length: %zu\r\n\r\n",
        request->method,
        request->path,
        request->body == NULL ? "" : "Content-Type: application/json\r\n",
        request->key == NULL ? "" : "Idempotency-Key: ",
        request->key == NULL ? "" : request->key,
        request->key == NULL ? "" : "\r\n",
        request->match == NULL ? "" : "If-Match: ",
        request->match == NULL ? "" : request->match,
        request->match == NULL ? "" : "\r\n",
        request->brief ? "Prefer: return=minimal\r\n" : "",
        request->body_size);
    CHECK(size > 0 && (size_t)size < sizeof(head));
    connection->out_size = 0;
    connection->out_sent = 0;
    put(connection, head, (size_t)size);
    put(connection, request->body == NULL ? "" : request->body, request->body_size);
    connection->stage = STAGE_WAITING;
    connection->since_ns = figures_now_ns();
    if (!flush(connection)) {
        connection->gone = true; /* Seen in the next poll: the socket is readable then. */
    }
}

void https_send(
    struct https_connection *connection,
    const char *method,
    const char *path,
    const char *body,
    size_t body_size,
    const char *key,
    bool brief)
{
    struct https_request request = { .method = method,
                                     .path = path,
                                     .body = body,
                                     .body_size = body_size,
                                     .key = key,
                                     .brief = brief };
    https_ask(connection, &request);
}

/* ---- Receiving ---- */

static const char *header(const char *head, const char *end, const char *name)
{
    size_t size = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line != NULL && line < end;
         line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, size) == 0 && line[2 + size] == ':') {
            return line + 3 + size;
        }
    }
    return NULL;
}

/* True: an answer was whole and its owner was told. */
static bool take_answer(struct https_connection *connection)
{
    connection->in[connection->in_size] = '\0';
    char *end = strstr(connection->in, "\r\n\r\n");
    if (end == NULL) {
        return false;
    }
    const char *length = header(connection->in, end, "Content-Length");
    const char *later = header(connection->in, end, "Retry-After");
    const char *index = header(connection->in, end, "Udatsu-Index");
    if (strncmp(connection->in, "HTTP/1.1 ", 9) != 0 || length == NULL) {
        connection->gone = true;
        return false;
    }
    struct https_answer answer = { .body = end + 4 };
    answer.size = strtoul(length, NULL, 10);
    if (connection->in_size - (size_t)(answer.body - connection->in) < answer.size) {
        return false;
    }
    answer.status = (unsigned int)strtoul(connection->in + 9, NULL, 10);
    answer.retry_after_seconds = later == NULL ? 0 : (unsigned int)strtoul(later, NULL, 10);
    answer.index = index == NULL ? 0 : strtoull(index, NULL, 10);
    answer.took_ns = figures_now_ns() - connection->since_ns;
    answer.body[answer.size] = '\0';
    connection->in_size = 0; /* One request under way: nothing follows an answer. */
    connection->stage = STAGE_READY;
    struct https_hooks *hooks = &connection->https->hooks;
    hooks->on_answer(hooks->context, connection, &answer);
    return true;
}

static void receive(struct https_connection *connection)
{
    while (!connection->gone) {
        if (connection->in_room - connection->in_size < ROOM_FIRST + 1) {
            connection->in_room = connection->in_room * 2 + 2 * ROOM_FIRST;
            connection->in = realloc(connection->in, connection->in_room);
            CHECK(connection->in != NULL);
        }
        ssize_t got = gnutls_record_recv(
            connection->session, connection->in + connection->in_size, ROOM_FIRST);
        if (got == GNUTLS_E_AGAIN || got == GNUTLS_E_INTERRUPTED) {
            return;
        }
        if (got <= 0 || connection->in_size + (size_t)got > HTTPS_ANSWER_MAX) {
            connection->gone = true;
            return;
        }
        connection->in_size += (size_t)got;
        (void)take_answer(connection);
    }
}

static void shake(struct https_connection *connection)
{
    int code = gnutls_handshake(connection->session);
    if (code == 0) {
        connection->stage = STAGE_READY;
        watch(connection, false);
        connection->https->hooks.on_ready(connection->https->hooks.context, connection);
    } else if (gnutls_error_is_fatal(code)) {
        connection->gone = true;
    } else {
        watch(connection, gnutls_record_get_direction(connection->session) == 1);
    }
}

void https_poll(struct https *https, int timeout_ms)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(https->epoll, events, EVENTS, timeout_ms);
    for (int i = 0; i < count; i++) {
        struct https_connection *connection = events[i].data.ptr;
        if (connection->stage == STAGE_SHAKING) {
            shake(connection);
        }
        if (connection->stage != STAGE_SHAKING && !connection->gone) {
            connection->gone = !flush(connection);
            receive(connection);
        }
        if (connection->gone) {
            https->hooks.on_gone(https->hooks.context, connection);
            https_drop(connection);
        }
    }
}
