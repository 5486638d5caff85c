/* Decides the answers of an engine that knows nothing: enough to see what api makes of them. */
#include "tests/unit/api_fake_engine.h"

#include "base/check.h"
#include "base/id.h"
#include "base/reject.h"
#include "controller/api.h"
#include "host/clock.h"
#include "host/log.h"

#include <arpa/inet.h>
#include <gnutls/abstract.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

enum order { ORDER_NONE, ORDER_STOP, ORDER_LEAST, ORDER_DIE };

struct bench {
    struct child child;
    struct api *api;
    struct channel *engine; /* Our end. */
    pthread_t thread;
    uv_async_t async;
    uv_sem_t done;
    atomic_int order;
    atomic_uint least;
    atomic_uint events;
    atomic_uint asked;
    sem_t turned_away;
    int port;
    bool stopping; /* api is closed once its channel is. */
    Wire__Config config;
    ProtobufCBinaryData chain;
    struct secret ca_key;
    struct secret keys[4];
    struct slice ca;
    struct slice certificates[5];
    struct arena arena;
    _Alignas(16) uint8_t memory[64 * 1024];
};

/* ---- The engine ---- */

static void told(struct bench *bench, uint64_t handle, Wire__Answer *answer)
{
    Wire__Told body = WIRE__TOLD__INIT;
    Wire__Frame frame = WIRE__FRAME__INIT;
    answer->format = 1;
    answer->index = 10 + atomic_load(&bench->events);
    body.handle = handle;
    body.answer = answer;
    Wire__Told *list[] = { &body };
    Wire__Tolds tolds = WIRE__TOLDS__INIT;
    tolds.n_tolds = 1;
    tolds.tolds = list;
    frame.body_case = WIRE__FRAME__BODY_TOLDS;
    frame.tolds = &tolds;
    CHECK(channel_send(bench->engine, &frame).code == 0);
}

static void answer_operation(
    struct bench *bench, uint64_t handle, const char *id, Wire__OperationState state)
{
    Wire__OperationView operation = WIRE__OPERATION_VIEW__INIT;
    Wire__Answer answer = WIRE__ANSWER__INIT;
    operation.id = id;
    operation.state = state;
    answer.operation = &operation;
    told(bench, handle, &answer);
}

static void answer_get(struct bench *bench, uint64_t handle, const Wire__Request *request)
{
    Wire__Problem problem = WIRE__PROBLEM__INIT;
    Wire__TenantView view = WIRE__TENANT_VIEW__INIT;
    Wire__Resource item = WIRE__RESOURCE__INIT;
    Wire__Resource *items[] = { &item };
    Wire__Answer answer = WIRE__ANSWER__INIT;
    char id[ID_TEXT_SIZE] = "";
    if (strcmp(request->get->name, "silent") == 0) {
        return;
    }
    if (strcmp(request->get->name, "missing") == 0) {
        problem.detail = "There is no such tenant.";
        answer.reject = REJECT_NOT_FOUND;
        answer.problem = &problem;
        told(bench, handle, &answer);
        return;
    }
    id_format(ID_USER, request->principal->id, id); /* Shows who was stamped. */
    view.id = id;
    view.name = request->get->name;
    view.revision = 3;
    item.view_case = WIRE__RESOURCE__VIEW_TENANT;
    item.tenant = &view;
    answer.items = items;
    answer.n_items = 1;
    answer.age_ms = 25;
    told(bench, handle, &answer);
}

static void answer_events(struct bench *bench, uint64_t handle, const Wire__EventRead *read)
{
    enum { PAGE = 4 };
    Wire__EventView views[PAGE];
    Wire__EventView *list[PAGE];
    Wire__Answer answer = WIRE__ANSWER__INIT;
    uint64_t newest = 10 + atomic_load(&bench->events);
    for (uint64_t at = read->after + 1; at <= newest && answer.n_events < PAGE; at++) {
        if (at <= 10) {
            continue; /* Compacted. */
        }
        Wire__EventView *view = &views[answer.n_events];
        wire__event_view__init(view);
        view->index = at;
        view->name = "tenant-created";
        list[answer.n_events++] = view;
    }
    if (read->after > 0 && read->after < 10) {
        wire__event_view__init(&views[0]);
        views[0].index = 10;
        views[0].reset = true;
        list[0] = &views[0];
        answer.n_events = 1;
    }
    answer.events = list;
    told(bench, handle, &answer);
}

static void answer_join(struct bench *bench, uint64_t handle, const Wire__Join *join)
{
    Wire__JoinAnswer body = WIRE__JOIN_ANSWER__INIT;
    Wire__Answer answer = WIRE__ANSWER__INIT;
    body.certificate = join->secret_sha256;
    answer.join = &body;
    told(bench, handle, &answer);
}

static void answer_status(struct bench *bench, uint64_t handle)
{
    Wire__ClusterStatus status = WIRE__CLUSTER_STATUS__INIT;
    Wire__Answer answer = WIRE__ANSWER__INIT;
    status.quorum = 1;
    status.nodes = 3;
    answer.cluster_status = &status;
    told(bench, handle, &answer);
}

static void on_ask(struct bench *bench, const Wire__Ask *ask)
{
    atomic_fetch_add(&bench->asked, 1);
    uint64_t handle = ask->handle;
    const Wire__Request *request = ask->request;
    if (request->body_case == WIRE__REQUEST__BODY_GET) {
        answer_get(bench, handle, request);
    } else if (request->body_case == WIRE__REQUEST__BODY_EVENT_READ) {
        answer_events(bench, handle, request->event_read);
    } else if (request->body_case == WIRE__REQUEST__BODY_JOIN) {
        CHECK(request->principal->kind == WIRE__KIND__KIND_UNSET);
        answer_join(bench, handle, request->join);
    } else if (request->body_case == WIRE__REQUEST__BODY_CLUSTER_STATUS) {
        answer_status(bench, handle);
    } else if (request->body_case == WIRE__REQUEST__BODY_OPERATION_WAIT) {
        answer_operation(
            bench,
            handle,
            request->operation_wait->operation,
            WIRE__OPERATION_STATE__OPERATION_STATE_DONE);
    } else if (request->body_case == WIRE__REQUEST__BODY_TENANT_CREATE) {
        if (strcmp(request->tenant_create->name, "silent") != 0) {
            answer_operation(
                bench,
                handle,
                request->idempotency_key,
                WIRE__OPERATION_STATE__OPERATION_STATE_RUNNING);
        }
    } else {
        Wire__Answer answer = WIRE__ANSWER__INIT;
        told(bench, handle, &answer);
    }
}

static void on_frame(void *context, struct channel *channel, const Wire__Frame *frame)
{
    struct bench *bench = context;
    (void)channel;
    if (frame->body_case == WIRE__FRAME__BODY_TURNED_AWAY) {
        for (uint64_t i = 0; i < frame->turned_away->count; i++) {
            CHECK(sem_post(&bench->turned_away) == 0);
        }
        return;
    }
    CHECK(frame->body_case == WIRE__FRAME__BODY_ASKS);
    for (size_t i = 0; i < frame->asks->n_asks; i++) {
        on_ask(bench, frame->asks->asks[i]);
    }
}

static void on_gone(void *context, struct channel *channel)
{
    struct bench *bench = context;
    if (bench->engine == channel) {
        bench->engine = NULL;
    }
}

/* ---- Orders from the test's thread ---- */

static void say_least(struct bench *bench)
{
    Wire__Identity least = WIRE__IDENTITY__INIT;
    Wire__Identity *list[] = { &least };
    Wire__Doors doors = WIRE__DOORS__INIT;
    Wire__Frame frame = WIRE__FRAME__INIT;
    least.kind = WIRE__KIND__KIND_USER;
    least.id = id_make(1, 7);
    least.epoch = atomic_load(&bench->least);
    doors.n_least = 1;
    doors.least = list;
    frame.body_case = WIRE__FRAME__BODY_DOORS;
    frame.doors = &doors;
    CHECK(channel_send(bench->engine, &frame).code == 0);
}

static void close_engine(struct bench *bench)
{
    if (bench->engine != NULL) {
        channel_close(bench->engine);
        bench->engine = NULL;
    }
}

static void on_order(uv_async_t *async)
{
    struct bench *bench = async->data;
    int order = atomic_exchange(&bench->order, ORDER_NONE);
    if (order == ORDER_LEAST) {
        say_least(bench);
    } else if (order == ORDER_DIE) {
        close_engine(bench);
    } else if (order == ORDER_STOP) {
        close_engine(bench);
        bench->stopping = true;
        if (bench->child.to[PROGRAM_ENGINE] != NULL) {
            channel_close(bench->child.to[PROGRAM_ENGINE]);
        } else {
            api_close(bench->api);
        }
        uv_close((uv_handle_t *)async, NULL);
    }
    uv_sem_post(&bench->done);
}

static void order(struct bench *bench, enum order what)
{
    atomic_store(&bench->order, (int)what);
    (void)uv_async_send(&bench->async);
    uv_sem_wait(&bench->done);
}

/* What child.c does for a real child: the channel is gone before the main hears of it. */
static struct channel_hooks api_side;
static struct bench *the_bench;

static void on_api_close(void *context, struct channel *channel)
{
    the_bench->child.to[PROGRAM_ENGINE] = NULL;
    api_side.on_close(context, channel);
    if (the_bench->stopping) {
        api_close(the_bench->api);
    }
}

static void *run(void *context)
{
    struct bench *bench = context;
    (void)uv_run(&bench->child.loop, UV_RUN_DEFAULT);
    return NULL;
}

/* ---- Papers ---- */

static void issue(
    struct bench *bench,
    size_t at,
    const struct secret *key,
    const struct secret *ca_key,
    struct slice ca,
    struct x509_request request)
{
    struct slice csr = SLICE_EMPTY;
    CHECK(x509_csr_make(key, "test", &bench->arena, &csr).code == 0);
    CHECK(x509_issue(ca_key, ca, csr, &request, &bench->arena, &bench->certificates[at]).code == 0);
}

static void make_papers(struct bench *bench)
{
    static const char *const addresses[] = { "127.0.0.1" };
    uint64_t now = clock_wall_ms() / 1000;
    struct secret other = { 0 };
    struct slice other_ca = SLICE_EMPTY;
    struct x509_request request = {
        .identity = { WIRE__KIND__KIND_CONTROLLER, id_make(1, 1), 1 },
        .name = "c1",
        .addresses = addresses,
        .addresses_count = 1,
        .now_seconds = now,
    };
    arena_init(&bench->arena, bench->memory, sizeof(bench->memory));
    CHECK(x509_key_make(X509_KEY_P256, &bench->ca_key).code == 0);
    CHECK(x509_key_make(X509_KEY_P256, &other).code == 0);
    CHECK(x509_ca_make(&bench->ca_key, 1, now, &bench->arena, &bench->ca).code == 0);
    CHECK(x509_ca_make(&other, 1, now, &bench->arena, &other_ca).code == 0);
    for (size_t i = 0; i < COUNT_OF(bench->keys); i++) {
        CHECK(x509_key_make(X509_KEY_P256, &bench->keys[i]).code == 0);
    }
    issue(bench, 0, &bench->keys[0], &bench->ca_key, bench->ca, request);
    request.identity = (struct x509_identity){ WIRE__KIND__KIND_USER, id_make(1, 7), 2 };
    request.name = "ann";
    request.addresses_count = 0;
    issue(bench, BENCH_USER, &bench->keys[1], &bench->ca_key, bench->ca, request);
    issue(bench, BENCH_FOREIGN, &bench->keys[3], &other, other_ca, request);
    request.now_seconds = now - 30 * 24 * 3600;
    issue(bench, BENCH_EXPIRED, &bench->keys[2], &bench->ca_key, bench->ca, request);
    secret_free(&other);
}

struct client_papers bench_papers(struct bench *bench, enum bench_who who)
{
    struct client_papers papers = { .ca = bench->ca };
    if (who != BENCH_STRANGER) {
        papers.certificate = bench->certificates[who];
        papers.key = secret_slice(&bench->keys[(size_t)who - 1]);
    }
    return papers;
}

/* ---- Beginning and end ---- */

static void open_channels(struct bench *bench)
{
    int pair[2];
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
    struct channel_hooks ours = { .context = bench, .on_frame = on_frame, .on_close = on_gone };
    api_side = api_hooks(bench->api);
    struct channel_hooks theirs = api_side;
    theirs.on_close = on_api_close;
    CHECK(
        channel_open(
            &bench->child.loop,
            pair[0],
            PROGRAM_API,
            PROGRAM_ENGINE,
            &theirs,
            &bench->child.to[PROGRAM_ENGINE])
            .code == 0);
    CHECK(
        channel_open(
            &bench->child.loop, pair[1], PROGRAM_ENGINE, PROGRAM_API, &ours, &bench->engine)
            .code == 0);
}

static int listen_somewhere(int *port_out)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_in at = { .sin_family = AF_INET };
    socklen_t size = sizeof(at);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
    CHECK(listen(fd, 512) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&at, &size) == 0);
    *port_out = ntohs(at.sin_port);
    return fd;
}

static gnutls_privkey_t server_key(struct bench *bench)
{
    gnutls_privkey_t key = NULL;
    gnutls_datum_t der = { bench->keys[0].data, (unsigned int)bench->keys[0].size };
    CHECK(gnutls_privkey_init(&key) == 0);
    CHECK(gnutls_privkey_import_x509_raw(key, &der, GNUTLS_X509_FMT_DER, NULL, 0) == 0);
    return key;
}

struct bench *bench_start(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    log_start("test");
    struct bench *bench = calloc(1, sizeof(*bench));
    CHECK(bench != NULL);
    the_bench = bench;
    make_papers(bench);
    wire__config__init(&bench->config);
    bench->chain.data = (uint8_t *)(uintptr_t)bench->certificates[0].data;
    bench->chain.len = bench->certificates[0].size;
    bench->config.cell = 1;
    bench->config.certificate = &bench->chain;
    bench->config.n_certificate = 1;
    bench->config.ca.data = (uint8_t *)(uintptr_t)bench->ca.data;
    bench->config.ca.len = bench->ca.size;
    bench->child.self = PROGRAM_API;
    bench->child.config = &bench->config;
    bench->child.listen_fd = listen_somewhere(&bench->port);
    CHECK(uv_loop_init(&bench->child.loop) == 0);
    CHECK(api_open(&bench->child, server_key(bench), "", &bench->api).code == 0);
    open_channels(bench);
    bench->async.data = bench;
    CHECK(uv_sem_init(&bench->done, 0) == 0);
    CHECK(uv_async_init(&bench->child.loop, &bench->async, on_order) == 0);
    CHECK(sem_init(&bench->turned_away, 0, 0) == 0);
    CHECK(pthread_create(&bench->thread, NULL, run, bench) == 0);
    return bench;
}

void bench_stop(struct bench *bench)
{
    order(bench, ORDER_STOP);
    CHECK(pthread_join(bench->thread, NULL) == 0);
    CHECK(uv_loop_close(&bench->child.loop) == 0);
    uv_sem_destroy(&bench->done);
    secret_free(&bench->ca_key);
    for (size_t i = 0; i < COUNT_OF(bench->keys); i++) {
        secret_free(&bench->keys[i]);
    }
    free(bench);
}

int bench_port(const struct bench *bench)
{
    return bench->port;
}

void bench_least(struct bench *bench, uint32_t epoch)
{
    atomic_store(&bench->least, epoch);
    order(bench, ORDER_LEAST);
}

void bench_engine_dies(struct bench *bench)
{
    order(bench, ORDER_DIE);
}

void bench_event(struct bench *bench)
{
    atomic_fetch_add(&bench->events, 1);
}

uint32_t bench_turned_away(struct bench *bench, uint32_t wanted)
{
    struct timespec until;
    uint32_t seen = 0;
    CHECK(clock_gettime(CLOCK_REALTIME, &until) == 0);
    until.tv_sec += 10;
    while (seen < wanted && sem_timedwait(&bench->turned_away, &until) == 0) {
        seen++;
    }
    while (sem_trywait(&bench->turned_away) == 0) {
        seen++;
    }
    return seen;
}

uint32_t bench_asked(struct bench *bench)
{
    return atomic_load(&bench->asked);
}
