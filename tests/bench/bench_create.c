/* Decides what a closed loop of creates sends and which of them count as acknowledged. Never
 * measures a refusal: a run with one is void.
 *
 * The happy path: connections are shaken first → the clock starts → each answer is followed by the
 * next request on its connection → the last answers are waited for → one JSON object.
 * What can go wrong: a connection goes, or an answer is not 202 → said on stderr, exit 1. */
#include "base/check.h"
#include "tests/bench/bench_api.h"
#include "tests/bench/figures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_ROOM = 64 * 1024, ITEM_ROOM = 384 };

struct creating {
    const struct bench_arguments *arguments;
    struct https *https;
    struct figures figures;
    struct https_connection *connections[HTTPS_CONNECTIONS_MAX];
    uint32_t first[HTTPS_CONNECTIONS_MAX]; /* The number of the request under way. */
    uint32_t count;
    uint32_t ready;
    uint32_t under_way;
    uint32_t next; /* Number of the next create. */
    uint32_t acknowledged;
    bool *known; /* Owned; by number. */
    uint64_t end_ns;
    uint64_t last_ns;
    char path[128];
    char body[BODY_ROOM];
};

static size_t batch_body(struct creating *creating, uint32_t first)
{
    const struct bench_arguments *arguments = creating->arguments;
    size_t used = 0;
    creating->body[used++] = '{';
    used += (size_t)snprintf(creating->body + used, BODY_ROOM - used, "\"requests\":[");
    for (uint32_t i = 0; i < arguments->batch; i++) {
        char item[ITEM_ROOM];
        size_t size = bench_create_body(arguments, first + i, item, sizeof(item));
        CHECK(used + size + 192 < BODY_ROOM);
        used += (size_t)snprintf(
            creating->body + used,
            BODY_ROOM - used,
            "%s{\"method\":\"POST\",\"path\":\"%s\",\"idempotency_key\":\"%s-%06u\",\"body\":%s}",
            i == 0 ? "" : ",",
            creating->path,
            arguments->prefix,
            first + i,
            item);
    }
    used += (size_t)snprintf(creating->body + used, BODY_ROOM - used, "]}");
    CHECK(used < BODY_ROOM);
    return used;
}

static void next(struct creating *creating, struct https_connection *connection)
{
    const struct bench_arguments *arguments = creating->arguments;
    bool over =
        figures_now_ns() >= creating->end_ns || creating->next + arguments->batch > arguments->most;
    if (over) {
        return;
    }
    uint32_t first = creating->next;
    creating->next += arguments->batch;
    creating->first[https_tag(connection)] = first;
    creating->under_way++;
    if (arguments->batch > 1) {
        size_t size = batch_body(creating, first);
        https_send(connection, "POST", "/v1/batch", creating->body, size, NULL, true);
        return;
    }
    char key[BENCH_NAME];
    int used = snprintf(key, sizeof(key), "%s-%06u", arguments->prefix, first);
    CHECK(used > 0 && (size_t)used < sizeof(key));
    size_t size = bench_create_body(arguments, first, creating->body, BODY_ROOM);
    https_send(connection, "POST", creating->path, creating->body, size, key, false);
}

static void on_ready(void *context, struct https_connection *connection)
{
    struct creating *creating = context;
    creating->connections[creating->ready] = connection;
    creating->ready++;
    CHECK(creating->ready <= creating->count);
}

/* How many items of a batch's answer say 202. */
static uint32_t accepted(const char *body)
{
    static const char word[] = "{\"status\":202,\"body\":";
    uint32_t count = 0;
    for (const char *at = strstr(body, word); at != NULL; at = strstr(at + 1, word)) {
        count++;
    }
    return count;
}

static void on_answer(
    void *context, struct https_connection *connection, const struct https_answer *answer)
{
    struct creating *creating = context;
    uint32_t batch = creating->arguments->batch;
    bool done = batch == 1 ? answer->status == 202
                           : answer->status == 200 && accepted(answer->body) == batch;
    if (!done) {
        (void)fprintf(stderr, "bench: status %u: %.600s\n", answer->status, answer->body);
        exit(1);
    }
    figures_add(&creating->figures, answer->took_ns);
    uint32_t first = creating->first[https_tag(connection)];
    for (uint32_t i = 0; i < batch; i++) {
        CHECK(!creating->known[first + i]);
        creating->known[first + i] = true;
    }
    creating->acknowledged += batch;
    CHECK(creating->under_way > 0);
    creating->under_way--;
    creating->last_ns = figures_now_ns();
    next(creating, connection);
}

static void on_gone(void *context, struct https_connection *connection)
{
    (void)context;
    (void)connection;
    figures_die("create", "a connection ended");
}

static void write_names(const struct creating *creating)
{
    const struct bench_arguments *arguments = creating->arguments;
    FILE *file = arguments->names == NULL ? NULL : fopen(arguments->names, "a");
    if (arguments->names == NULL) {
        return;
    }
    if (file == NULL) {
        figures_die(arguments->names, "cannot be written");
    }
    for (uint32_t i = 0; i < creating->next; i++) {
        if (creating->known[i]) {
            (void)fprintf(file, "%s-%06u\n", arguments->prefix, i);
        }
    }
    if (fclose(file) != 0) {
        figures_die(arguments->names, "cannot be written");
    }
}

static void print(struct creating *creating, double seconds)
{
    const struct bench_arguments *arguments = creating->arguments;
    struct figures *figures = &creating->figures;
    (void)printf(
        "{\"bench\":\"api-create\",\"in_flight\":%u,\"batch\":%u,\"connections\":%u,"
        "\"acknowledged\":%u,\"seconds\":%.3f,\"per_second\":%.1f,\"p50_ms\":%.3f,"
        "\"p99_ms\":%.3f,\"max_ms\":%.3f}\n",
        arguments->in_flight,
        arguments->batch,
        creating->count,
        creating->acknowledged,
        seconds,
        (double)creating->acknowledged / seconds,
        figures_ms(figures, 500),
        figures_ms(figures, 990),
        figures_ms(figures, 1000));
}

int bench_create(const struct bench_arguments *arguments)
{
    static struct creating creating;
    creating.arguments = arguments;
    creating.count = arguments->in_flight / arguments->batch;
    CHECK(creating.count > 0 && creating.count <= HTTPS_CONNECTIONS_MAX);
    figures_open(&creating.figures, arguments->most);
    creating.known = calloc(arguments->most, sizeof(*creating.known));
    CHECK(creating.known != NULL);
    (void)snprintf(
        creating.path, sizeof(creating.path), "/v1/tenants/%s/instances", arguments->tenant);
    struct https_hooks hooks = { &creating, on_ready, on_answer, on_gone };
    creating.https = https_open(&arguments->papers, &hooks);
    for (uint32_t i = 0; i < creating.count; i++) {
        if (https_dial(creating.https, arguments->endpoints[i % arguments->endpoints_count], i) ==
            NULL) {
            figures_die("create", "nobody listens");
        }
    }
    while (creating.ready < creating.count) {
        https_poll(creating.https, 1000);
    }
    uint64_t start_ns = figures_now_ns();
    creating.end_ns = start_ns + (uint64_t)arguments->seconds * UINT64_C(1000000000);
    for (uint32_t i = 0; i < creating.count; i++) {
        next(&creating, creating.connections[i]);
    }
    while (creating.under_way > 0) {
        https_poll(creating.https, 1000);
    }
    print(&creating, (double)(creating.last_ns - start_ns) / 1e9);
    write_names(&creating);
    for (uint32_t i = 0; i < creating.count; i++) {
        https_drop(creating.connections[i]);
    }
    https_close(creating.https);
    figures_close(&creating.figures);
    free(creating.known);
    return 0;
}
