/* Decides how long a client waits for its write when the leader's engine is killed with -9. Tries
 * as cli/client.c does: one key and the same bytes to every endpoint, a pause that grows with each
 * round, Retry-After of an endpoint respected, the next endpoint at once.
 *
 * The happy path: one write that is acknowledged → kill -9 → one write, tried until its 202 → its
 * milliseconds.
 * What can go wrong: no 202 within the window → exit 1; a 4xx → said, exit 1. */
#include "base/check.h"
#include "tests/bench/bench_api.h"
#include "tests/bench/figures.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum { WINDOW_MS = 30000, ANSWER_MS = 15000, PAUSE_MIN_MS = 50, PAUSE_MAX_MS = 1000 };

struct trying {
    const struct bench_arguments *arguments;
    struct https *https;
    struct https_connection *connections[BENCH_ENDPOINTS]; /* NULL: not connected. */
    bool ready[BENCH_ENDPOINTS];
    uint64_t not_before_ms[BENCH_ENDPOINTS];
    uint32_t endpoint;
    uint32_t status; /* Of the answer; 0: the connection went. */
    bool ended;
    uint32_t retry_after_ms;
};

static uint64_t now_ms(void)
{
    return figures_now_ns() / 1000000;
}

static void on_ready(void *context, struct https_connection *connection)
{
    struct trying *trying = context;
    trying->ready[https_tag(connection)] = true;
}

static void on_answer(
    void *context, struct https_connection *connection, const struct https_answer *answer)
{
    struct trying *trying = context;
    (void)connection;
    trying->ended = true;
    trying->status = answer->status;
    trying->retry_after_ms = answer->retry_after_seconds * 1000;
    bool again = answer->status == 503 || answer->status == 429;
    if (answer->status != 202 && !again) {
        (void)fprintf(stderr, "bench: status %u: %.400s\n", answer->status, answer->body);
        exit(1);
    }
}

static void on_gone(void *context, struct https_connection *connection)
{
    struct trying *trying = context;
    uint64_t tag = https_tag(connection);
    CHECK(tag < BENCH_ENDPOINTS);
    trying->connections[tag] = NULL;
    trying->ready[tag] = false;
    trying->ended = trying->ended || tag == trying->endpoint;
}

/* One try at the endpoint; its status, 0: no answer. */
static uint32_t try_once(struct trying *trying, uint32_t number)
{
    char path[128];
    char body[512];
    char key[BENCH_NAME];
    uint32_t at = trying->endpoint;
    uint64_t until_ms = now_ms() + ANSWER_MS;
    trying->ended = false;
    trying->status = 0;
    trying->retry_after_ms = 0;
    if (trying->connections[at] == NULL) {
        trying->connections[at] = https_dial(trying->https, trying->arguments->endpoints[at], at);
        trying->ended = trying->connections[at] == NULL;
    }
    while (!trying->ready[at] && !trying->ended && now_ms() < until_ms) {
        https_poll(trying->https, 10);
    }
    if (!trying->ready[at] || trying->ended) {
        return 0;
    }
    (void)snprintf(path, sizeof(path), "/v1/tenants/%s/instances", trying->arguments->tenant);
    (void)snprintf(key, sizeof(key), "%s-%06u", trying->arguments->prefix, number);
    size_t size = bench_create_body(trying->arguments, number, body, sizeof(body));
    https_send(trying->connections[at], "POST", path, body, size, key, false);
    while (!trying->ended && now_ms() < until_ms) {
        https_poll(trying->https, 10);
    }
    return trying->status;
}

static void pause_until(uint64_t at_ms)
{
    uint64_t now = now_ms();
    if (at_ms > now) {
        struct timespec pause = { (time_t)((at_ms - now) / 1000),
                                  (long)((at_ms - now) % 1000) * 1000000 };
        (void)nanosleep(&pause, NULL); /* Cut short, the next try only comes sooner. */
    }
}

static void next_endpoint(struct trying *trying)
{
    uint32_t count = trying->arguments->endpoints_count;
    uint32_t best = (trying->endpoint + 1) % count;
    uint64_t now = now_ms();
    for (uint32_t i = 2; i <= count; i++) {
        uint32_t other = (trying->endpoint + i) % count;
        if (trying->not_before_ms[other] < trying->not_before_ms[best] &&
            trying->not_before_ms[best] > now) {
            best = other;
        }
    }
    trying->endpoint = best;
    pause_until(trying->not_before_ms[best]);
}

/* Tries until 202; returns how many tries it took. */
static uint32_t write_one(struct trying *trying, uint32_t number)
{
    uint32_t count = trying->arguments->endpoints_count;
    uint64_t start_ms = now_ms();
    for (uint32_t attempt = 0; now_ms() - start_ms < WINDOW_MS; attempt++) {
        if (try_once(trying, number) == 202) {
            return attempt + 1;
        }
        uint32_t round = attempt / count;
        uint32_t pause = round > 4 ? (uint32_t)PAUSE_MAX_MS : (uint32_t)PAUSE_MIN_MS << round;
        pause = pause > trying->retry_after_ms ? pause : trying->retry_after_ms;
        trying->not_before_ms[trying->endpoint] = now_ms() + pause;
        next_endpoint(trying);
    }
    figures_die("failover", "no acknowledged write within the window");
}

int bench_failover(const struct bench_arguments *arguments)
{
    static struct trying trying;
    struct https_hooks hooks = { &trying, on_ready, on_answer, on_gone };
    trying.arguments = arguments;
    trying.endpoint = arguments->first % arguments->endpoints_count;
    trying.https = https_open(&arguments->papers, &hooks);
    (void)write_one(&trying, 0); /* The connection is there and the cell takes writes. */
    uint32_t first = trying.endpoint;
    if (kill((pid_t)arguments->pid, SIGKILL) != 0) {
        figures_die("failover", "the leader's engine cannot be killed");
    }
    uint64_t start_ns = figures_now_ns();
    uint32_t tries = write_one(&trying, 1);
    uint64_t took_ns = figures_now_ns() - start_ns;
    (void)printf(
        "{\"bench\":\"failover\",\"first\":\"%s\",\"last\":\"%s\",\"tries\":%u,\"ms\":%.1f}\n",
        arguments->endpoints[first],
        arguments->endpoints[trying.endpoint],
        tries,
        (double)took_ns / 1e6);
    for (uint32_t i = 0; i < arguments->endpoints_count; i++) {
        if (trying.connections[i] != NULL) {
            https_drop(trying.connections[i]);
        }
    }
    https_close(trying.https);
    return 0;
}
