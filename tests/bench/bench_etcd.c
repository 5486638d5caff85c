/* The yardstick: etcd's durable transaction that comes nearest to a quota-checked create, by a gRPC
 * client in C over nghttp2 without TLS (etcd's default, and generous to it: our side pays for TLS).
 * One transaction compares the quota key and puts three: quota 64 B, machine 256 B, node 64 B.
 *
 *   bench_etcd HOST:PORT IN_FLIGHT CONNECTIONS SECONDS MOST
 *
 * The happy path: connect → IN_FLIGHT streams spread over the connections → each that ends with
 * grpc-status 0 is followed by another → the last ones are waited for → one JSON object.
 * What can go wrong: a refusal, a connection that ends → said, exit 1, no figure. */
#include "base/check.h"
#include "tests/bench/figures.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CONNECTIONS_MAX = 64,
    REQUEST_ROOM = 1024,
    VALUE_QUOTA = 64,
    VALUE_MACHINE = 256,
    VALUE_NODE = 64,
    QUOTAS = 1000,
    NODES = 10000,
};

struct request {
    uint8_t bytes[REQUEST_ROOM];
    size_t size;
    size_t sent;
    uint64_t since_ns;
    bool accepted;
};

struct connection {
    struct bench *bench;
    nghttp2_session *session;
    int fd;
    const uint8_t *pending;
    size_t pending_size;
};

struct bench {
    struct connection connections[CONNECTIONS_MAX];
    uint32_t count;
    struct figures figures;
    uint64_t end_ns;
    uint64_t last_ns;
    uint32_t under_way;
    uint32_t most;
    uint32_t next;
};

/* ---- Protobuf, by hand: six fields ---- */

static size_t put_varint(uint8_t *room, uint64_t value)
{
    size_t used = 0;
    while (value >= 0x80U) {
        room[used++] = (uint8_t)(value | 0x80U);
        value >>= 7;
    }
    room[used++] = (uint8_t)value;
    return used;
}

static size_t put_bytes(uint8_t *room, uint32_t field, const void *bytes, size_t size)
{
    size_t used = put_varint(room, (field << 3) | 2U);
    used += put_varint(room + used, size);
    memcpy(room + used, bytes, size);
    return used + size;
}

static size_t put_success(uint8_t *room, const char *key, size_t value_size)
{
    static const uint8_t value[VALUE_MACHINE];
    uint8_t put[512];
    uint8_t operation[512];
    size_t size = put_bytes(put, 1, key, strlen(key));
    size += put_bytes(put + size, 2, value, value_size);
    size = put_bytes(operation, 2, put, size);  /* RequestOp.request_put */
    return put_bytes(room, 2, operation, size); /* TxnRequest.success */
}

static void request_fill(struct request *request, uint32_t number)
{
    char key[64];
    uint8_t compare[128];
    uint8_t *body = request->bytes + 5;
    size_t size = 0;
    int written = snprintf(key, sizeof(key), "/quota/%04u", number % QUOTAS);
    CHECK(written > 0);
    /* Compare.result = GREATER, target = VERSION, key, version > -1: it always holds. */
    compare[size++] = 1 << 3;
    compare[size++] = 1;
    compare[size++] = 2 << 3;
    compare[size++] = 0;
    size += put_bytes(compare + size, 3, key, strlen(key));
    compare[size++] = 4 << 3;
    size += put_varint(compare + size, UINT64_MAX);
    size_t used = put_bytes(body, 1, compare, size);
    used += put_success(body + used, key, VALUE_QUOTA);
    (void)snprintf(key, sizeof(key), "/vm/%012u", number);
    used += put_success(body + used, key, VALUE_MACHINE);
    (void)snprintf(key, sizeof(key), "/node/%05u", number % NODES);
    used += put_success(body + used, key, VALUE_NODE);
    CHECK(used + 5 <= REQUEST_ROOM);
    request->bytes[0] = 0;
    for (unsigned int i = 0; i < 4; i++) {
        request->bytes[1 + i] = (uint8_t)(used >> (24U - 8U * i));
    }
    request->size = used + 5;
    request->sent = 0;
    request->accepted = false;
}

/* ---- HTTP/2 ---- */

static ssize_t on_read(
    nghttp2_session *session,
    int32_t stream,
    uint8_t *room,
    size_t size,
    uint32_t *flags,
    nghttp2_data_source *source,
    void *context)
{
    (void)session;
    (void)stream;
    (void)context;
    struct request *request = source->ptr;
    size_t left = request->size - request->sent;
    size_t taken = left < size ? left : size;
    memcpy(room, request->bytes + request->sent, taken);
    request->sent += taken;
    if (request->sent == request->size) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t)taken;
}

static nghttp2_nv header(const char *name, const char *value)
{
    nghttp2_nv pair = { .namelen = strlen(name), .valuelen = strlen(value) };
    memcpy(&pair.name, &name, sizeof(pair.name)); /* Only read. */
    memcpy(&pair.value, &value, sizeof(pair.value));
    return pair;
}

static void issue(struct connection *connection, struct request *request)
{
    struct bench *bench = connection->bench;
    if (figures_now_ns() >= bench->end_ns || bench->next == bench->most) {
        free(request);
        return;
    }
    nghttp2_nv headers[] = {
        header(":method", "POST"),
        header(":scheme", "http"),
        header(":path", "/etcdserverpb.KV/Txn"),
        header(":authority", "etcd"),
        header("content-type", "application/grpc"),
        header("te", "trailers"),
    };
    request_fill(request, bench->next++);
    nghttp2_data_provider provider = { .source.ptr = request, .read_callback = on_read };
    request->since_ns = figures_now_ns();
    int32_t stream =
        nghttp2_submit_request(connection->session, NULL, headers, 6, &provider, request);
    if (stream < 0) {
        figures_die("submit", nghttp2_strerror(stream));
    }
    bench->under_way++;
}

static int on_header(
    nghttp2_session *session,
    const nghttp2_frame *frame,
    const uint8_t *name,
    size_t name_size,
    const uint8_t *value,
    size_t value_size,
    uint8_t flags,
    void *context)
{
    (void)flags;
    (void)context;
    struct request *request = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (request != NULL && name_size == 11 && memcmp(name, "grpc-status", 11) == 0) {
        request->accepted = value_size == 1 && value[0] == '0';
    }
    return 0;
}

static int on_end(nghttp2_session *session, int32_t stream, uint32_t code, void *context)
{
    struct connection *connection = context;
    struct bench *bench = connection->bench;
    struct request *request = nghttp2_session_get_stream_user_data(session, stream);
    CHECK(request != NULL);
    CHECK(bench->under_way > 0);
    if (code != 0 || !request->accepted) {
        figures_die("etcd", "a transaction was refused");
    }
    bench->last_ns = figures_now_ns();
    figures_add(&bench->figures, bench->last_ns - request->since_ns);
    bench->under_way--;
    issue(connection, request);
    return 0;
}

static int dial(const char *address)
{
    char host[64] = "";
    struct sockaddr_in where = { .sin_family = AF_INET };
    const char *colon = strrchr(address, ':');
    if (colon == NULL || (size_t)(colon - address) >= sizeof(host)) {
        figures_die(address, "HOST:PORT was expected");
    }
    memcpy(host, address, (size_t)(colon - address));
    where.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;
    CHECK(fd >= 0);
    if (inet_pton(AF_INET, host, &where.sin_addr) != 1 ||
        connect(fd, (struct sockaddr *)&where, sizeof(where)) != 0) {
        figures_die(address, strerror(errno));
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* Costs only time. */
    CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    return fd;
}

static void session_begin(struct connection *connection, nghttp2_session_callbacks *callbacks)
{
    nghttp2_settings_entry settings[] = { { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 10000 },
                                          { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 24 } };
    int failed = nghttp2_session_client_new(&connection->session, callbacks, connection);
    failed |= nghttp2_submit_settings(connection->session, NGHTTP2_FLAG_NONE, settings, 2);
    failed |=
        nghttp2_session_set_local_window_size(connection->session, NGHTTP2_FLAG_NONE, 0, 1 << 28);
    CHECK(failed == 0);
}

/* True: something still waits to be written. */
static bool transmit(struct connection *connection)
{
    for (;;) { /* Until the session has nothing or the socket takes nothing. */
        if (connection->pending_size == 0) {
            ssize_t size = nghttp2_session_mem_send(connection->session, &connection->pending);
            if (size <= 0) {
                return false;
            }
            connection->pending_size = (size_t)size;
        }
        ssize_t sent =
            send(connection->fd, connection->pending, connection->pending_size, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno != EAGAIN) {
                figures_die("etcd", strerror(errno));
            }
            return true;
        }
        connection->pending += sent;
        connection->pending_size -= (size_t)sent;
    }
}

static void receive(struct connection *connection)
{
    static uint8_t room[256 * 1024];
    ssize_t got = recv(connection->fd, room, sizeof(room), 0);
    if (got < 0 && errno == EAGAIN) {
        return;
    }
    if (got <= 0 || nghttp2_session_mem_recv(connection->session, room, (size_t)got) != got) {
        figures_die("etcd", "the connection ended");
    }
}

static void turn(struct bench *bench)
{
    struct pollfd waits[CONNECTIONS_MAX];
    for (uint32_t i = 0; i < bench->count; i++) {
        struct connection *connection = &bench->connections[i];
        bool writes = transmit(connection);
        waits[i] = (struct pollfd){ .fd = connection->fd,
                                    .events = (short)(POLLIN | (writes ? POLLOUT : 0)) };
    }
    if (poll(waits, bench->count, 1000) < 0) {
        figures_die("poll", strerror(errno));
    }
    for (uint32_t i = 0; i < bench->count; i++) {
        if ((waits[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
            receive(&bench->connections[i]);
        }
    }
}

int main(int argc, char **argv)
{
    static struct bench bench;
    if (argc != 6) {
        (void)fputs("usage: bench_etcd HOST:PORT IN_FLIGHT CONNECTIONS SECONDS MOST\n", stderr);
        return 2;
    }
    uint32_t in_flight = (uint32_t)strtoul(argv[2], NULL, 10);
    bench.count = (uint32_t)strtoul(argv[3], NULL, 10);
    bench.most = (uint32_t)strtoul(argv[5], NULL, 10);
    if (bench.count == 0 || bench.count > CONNECTIONS_MAX || in_flight < bench.count ||
        bench.most < in_flight) {
        figures_die("arguments", "1 to 64 connections, at least one request each");
    }
    figures_open(&bench.figures, bench.most);
    nghttp2_session_callbacks *callbacks = NULL;
    CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_end);
    for (uint32_t i = 0; i < bench.count; i++) {
        bench.connections[i] = (struct connection){ .bench = &bench, .fd = dial(argv[1]) };
        session_begin(&bench.connections[i], callbacks);
    }
    uint64_t start_ns = figures_now_ns();
    bench.end_ns = start_ns + strtoul(argv[4], NULL, 10) * UINT64_C(1000000000);
    for (uint32_t i = 0; i < in_flight; i++) {
        struct request *request = calloc(1, sizeof(*request));
        CHECK(request != NULL);
        issue(&bench.connections[i % bench.count], request);
    }
    while (bench.under_way > 0) {
        turn(&bench);
    }
    double seconds = (double)(bench.last_ns - start_ns) / 1e9;
    (void)printf(
        "{\"bench\":\"etcd-txn\",\"in_flight\":%u,\"connections\":%u,\"acknowledged\":%zu,"
        "\"seconds\":%.3f,\"per_second\":%.1f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f}\n",
        in_flight,
        bench.count,
        bench.figures.count,
        seconds,
        (double)bench.figures.count / seconds,
        figures_ms(&bench.figures, 500),
        figures_ms(&bench.figures, 990),
        figures_ms(&bench.figures, 1000));
    for (uint32_t i = 0; i < bench.count; i++) {
        nghttp2_session_del(bench.connections[i].session);
        (void)close(bench.connections[i].fd); /* Nothing is left to be written. */
    }
    nghttp2_session_callbacks_del(callbacks);
    figures_close(&bench.figures);
    return 0;
}
