/* udatsu-record NAME=VALUE...: records one history of a running cell.
 *
 * The happy path: clients dial controllers at random → each asks, waits for the answer, pauses,
 * asks again, until the seconds are over → the last answers are waited for → everything is read
 * once more → the history is written. What can go wrong: an answer is late, or its connection ends
 * → it is not known what became of the request, and the client goes on under a new number, with
 * another controller; the final reads are not answered within their bound → exit 1 and no history.
 */
#include "base/check.h"
#include "base/slice.h"
#include "tests/bench/figures.h"
#include "tests/history/lines.h"
#include "tests/history/record.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS UINT64_C(1000000)

enum {
    DIAL_MS = 1500,
    ANSWER_LEAST_MS = 300,
    ANSWER_MS = 4000,
    AGAIN_MS = 60,
    FINAL_SECONDS = 120,
    POLL_MS = 2
};

enum { OPERATOR_SLOWER = 12 }; /* All histories of a day share the operator's memory of keys. */

/* ---- Clients ---- */

static void rest(struct record *record, struct record_client *client, uint64_t mean_ns)
{
    client->next_ns = figures_now_ns() + prng_below(&record->prng, 2 * mean_ns + 1);
}

static void hang_up(struct record *record, struct record_client *client)
{
    if (client->connection != NULL) {
        https_drop(client->connection);
    }
    client->connection = NULL;
    client->stage = RECORD_DOWN;
    rest(record, client, AGAIN_MS * MS);
}

static void dial(struct record *record, struct record_client *client)
{
    uint64_t endpoint = prng_below(&record->prng, record->endpoints_count);
    client->connection = https_dial(
        record->https[client->principal],
        record->endpoints[endpoint],
        (uint64_t)(client - record->clients));
    client->stage = client->connection == NULL ? RECORD_DOWN : RECORD_DIALING;
    client->deadline_ns = figures_now_ns() + DIAL_MS * MS;
    if (client->connection == NULL) {
        rest(record, client, AGAIN_MS * MS);
    }
}

static void ask(struct record *record, struct record_client *client)
{
    struct record_text text;
    record_request(record, &client->spec, &text);
    client->event = record_invoke(record, &client->spec, client->process);
    client->stage = RECORD_WAITING;
    uint64_t patience_ms = /* The impatient ask again, under the same key, while it is done. */
        client->spec.final ? ANSWER_MS : ANSWER_LEAST_MS + prng_below(&record->prng, ANSWER_MS);
    client->deadline_ns = figures_now_ns() + patience_ms * MS;
    struct https_request request = { .method = text.method,
                                     .path = text.path,
                                     .body = text.body[0] == '\0' ? NULL : text.body,
                                     .body_size = strlen(text.body),
                                     .key = client->spec.key[0] == '\0' ? NULL : client->spec.key,
                                     .match = text.match[0] == '\0' ? NULL : text.match };
    https_ask(client->connection, &request);
}

static struct record_client *client_of(struct record *record, struct https_connection *connection)
{
    uint64_t number = https_tag(connection);
    CHECK(number < record->clients_count);
    CHECK(
        record->clients[number].connection == connection ||
        record->clients[number].stage == RECORD_DOWN);
    return &record->clients[number];
}

static void on_ready(void *context, struct https_connection *connection)
{
    struct record *record = context;
    struct record_client *client = client_of(record, connection);
    client->stage = RECORD_READY;
}

static void on_answer(
    void *context, struct https_connection *connection, const struct https_answer *answer)
{
    struct record *record = context;
    struct record_client *client = client_of(record, connection);
    CHECK(client->stage == RECORD_WAITING);
    client->stage = RECORD_READY;
    if (!record_answer(record, client, answer)) {
        record_lost(record, client);
    }
    bool well = answer->status < 429;
    uint64_t slower = client->principal == RECORD_OPERATOR ? OPERATOR_SLOWER : well ? 1 : 3;
    rest(record, client, client->spec.final && well ? 0 : record->pace_ns * slower);
}

static void on_gone(void *context, struct https_connection *connection)
{
    struct record *record = context;
    struct record_client *client = client_of(record, connection);
    if (client->stage == RECORD_WAITING) {
        record_lost(record, client);
    }
    client->connection = NULL; /* It frees itself. */
    client->stage = RECORD_DOWN;
    rest(record, client, AGAIN_MS * MS);
}

/* ---- Turns ---- */

static bool choose(struct record *record, struct record_client *client)
{
    uint32_t number = (uint32_t)(client - record->clients);
    if (!record->ending) {
        record_choose(record, client, &client->spec);
        return true;
    }
    /* One client of each tenant reads everything at the end. */
    return number < RECORD_TENANTS && record_choose_final(record, client, &client->spec);
}

static void client_turn(struct record *record, struct record_client *client, uint64_t now_ns)
{
    bool late = now_ns >= client->deadline_ns;
    bool due = now_ns >= client->next_ns;
    switch (client->stage) {
    case RECORD_DOWN:
        if (due) {
            dial(record, client);
        }
        return;
    case RECORD_DIALING:
        if (late) {
            hang_up(record, client);
        }
        return;
    case RECORD_READY:
        if (!due || (now_ns >= record->end_ns && !record->ending)) {
            return;
        }
        if (!record->ending && prng_below(&record->prng, 100) == 0) {
            hang_up(record, client); /* Now and then another controller. */
        } else if (choose(record, client)) {
            ask(record, client);
        }
        return;
    case RECORD_WAITING:
        if (late) {
            record_lost(record, client);
            hang_up(record, client);
        }
        return;
    }
    UNREACHABLE();
}

static void turn(struct record *record)
{
    uint64_t now_ns = figures_now_ns();
    for (uint32_t i = 0; i < record->clients_count; i++) {
        client_turn(record, &record->clients[i], now_ns);
    }
    for (uint32_t i = 0; i < RECORD_PRINCIPALS; i++) {
        https_poll(record->https[i], i == 0 ? POLL_MS : 0);
    }
}

static bool waiting(const struct record *record)
{
    bool waits = false;
    for (uint32_t i = 0; i < record->clients_count; i++) {
        waits = waits || record->clients[i].stage == RECORD_WAITING;
    }
    return waits;
}

static bool finished(struct record *record)
{
    struct record_spec spec;
    for (uint32_t i = 0; i < RECORD_TENANTS; i++) {
        if (record_choose_final(record, &record->clients[i], &spec)) {
            return false;
        }
    }
    return !waiting(record);
}

/* False: the cell did not come back. */
static bool run(struct record *record)
{
    while (figures_now_ns() < record->end_ns || waiting(record)) {
        turn(record);
    }
    record->ending = true;
    for (uint32_t i = 0; i < RECORD_TENANTS; i++) {
        record->clients[i].page[0] = '\0';
        record->clients[i].after = 0;
    }
    uint64_t patience_ns = figures_now_ns() + FINAL_SECONDS * UINT64_C(1000) * MS;
    while (!finished(record)) {
        if (figures_now_ns() >= patience_ns) {
            return false;
        }
        turn(record);
    }
    return true;
}

/* ---- Arguments ---- */

struct setting {
    const char *name;
    const char **text;
    uint64_t *number;
};

static bool setting_take(const struct setting *settings, size_t count, const char *given)
{
    const char *value = strchr(given, '=');
    for (size_t i = 0; value != NULL && i < count; i++) {
        size_t size = strlen(settings[i].name);
        if ((size_t)(value - given) != size || strncmp(given, settings[i].name, size) != 0) {
            continue;
        }
        if (settings[i].text != NULL) {
            *settings[i].text = value + 1;
            return value[1] != '\0';
        }
        char *end = NULL;
        *settings[i].number = strtoull(value + 1, &end, 10);
        return value[1] != '\0' && *end == '\0';
    }
    return false;
}

struct given {
    uint64_t seconds;
    uint64_t clients; /* Of each tenant. */
    uint64_t pace_ms;
    const char *ca;
    const char *endpoint;
    const char *out;
};

static bool tenant_fits(const char *name)
{
    return name != NULL && strlen(name) < RECORD_TENANT && text_is_clean(slice_text(name));
}

static bool arguments_take(struct record *record, struct given *given, int argc, char **argv)
{
    struct https_papers *papers = record->papers;
    const struct setting settings[] = {
        { "ca", &given->ca, NULL },
        { "endpoint", &given->endpoint, NULL },
        { "out", &given->out, NULL },
        { "image", &record->image, NULL },
        { "tenant_a", &record->tenants[0], NULL },
        { "tenant_b", &record->tenants[1], NULL },
        { "cert_a", &papers[0].cert, NULL },
        { "key_a", &papers[0].key, NULL },
        { "cert_b", &papers[1].cert, NULL },
        { "key_b", &papers[1].key, NULL },
        { "cert", &papers[RECORD_OPERATOR].cert, NULL },
        { "key", &papers[RECORD_OPERATOR].key, NULL },
        { "seed", NULL, &record->seed },
        { "seconds", NULL, &given->seconds },
        { "clients", NULL, &given->clients },
        { "pace_ms", NULL, &given->pace_ms },
    };
    for (int i = 1; i < argc; i++) {
        given->endpoint = NULL;
        if (!setting_take(settings, COUNT_OF(settings), argv[i])) {
            return false;
        }
        if (given->endpoint != NULL) {
            if (record->endpoints_count == RECORD_ENDPOINTS) {
                return false;
            }
            record->endpoints[record->endpoints_count++] = given->endpoint;
        }
    }
    bool papers_whole = given->ca != NULL;
    for (uint32_t i = 0; i < RECORD_PRINCIPALS; i++) {
        papers[i].ca = given->ca;
        papers_whole = papers_whole && papers[i].cert != NULL && papers[i].key != NULL;
    }
    return papers_whole && record->endpoints_count > 0 && given->out != NULL &&
           tenant_fits(record->tenants[0]) && tenant_fits(record->tenants[1]) &&
           given->clients > 0 && given->clients * RECORD_TENANTS < RECORD_CLIENTS &&
           given->seconds > 0 && given->pace_ms > 0;
}

static void clients_begin(struct record *record, uint32_t each)
{
    struct https_hooks hooks = { record, on_ready, on_answer, on_gone };
    for (uint32_t i = 0; i < RECORD_PRINCIPALS; i++) {
        record->https[i] = https_open(&record->papers[i], &hooks);
    }
    record->clients_count = each * RECORD_TENANTS + 1;
    for (uint32_t i = 0; i < record->clients_count; i++) {
        struct record_client *client = &record->clients[i];
        client->stage = RECORD_DOWN;
        client->process = ++record->processes;
        client->principal = i + 1 == record->clients_count ? RECORD_OPERATOR : i % RECORD_TENANTS;
    }
}

static void *memory_take(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    CHECK(memory != NULL); /* At the start. */
    return memory;
}

static int write_out(const struct record *record, const char *path)
{
    uint32_t counts[HISTORY_OUTCOME_END] = { 0 };
    FILE *file = fopen(path, "we");
    bool written = file != NULL && lines_write(&record->history, record->seed, file).code == 0;
    written = (file == NULL || fclose(file) == 0) && written;
    if (!written) {
        figures_die(path, "cannot be written");
    }
    if (record->history.full) {
        figures_die(path, "holds a part only: the rest found no room");
    }
    for (uint32_t i = 0; i < record->history.events_count; i++) {
        counts[record->history.events[i].told.outcome]++;
    }
    (void)printf(
        "ops=%u ok=%u fail=%u info=%u clients=%u\n",
        record->history.events_count,
        counts[HISTORY_OK],
        counts[HISTORY_FAIL],
        counts[HISTORY_INFO],
        record->processes);
    return 0;
}

int main(int argc, char **argv)
{
    static struct record record = { .image = "plain" };
    static const struct history_limits limits = { .events = 200000,
                                                  .sights = 1000000,
                                                  .touches = 2000000,
                                                  .elements = 4000000,
                                                  .names = 100000 };
    struct given given = { .seconds = 60, .clients = 5, .pace_ms = 40 };
    if (!arguments_take(&record, &given, argc, argv)) {
        (void)fputs(
            "usage: udatsu-record endpoint=HOST:PORT... ca=F cert=F key=F tenant_a=NAME cert_a=F\n"
            "  key_a=F tenant_b=NAME cert_b=F key_b=F out=F [seed=1] [seconds=60] [clients=5]\n"
            "  [pace_ms=40] [image=plain]\n",
            stderr);
        return 2;
    }
    void *memory = memory_take(1, history_memory(&limits));
    history_init(&record.history, &limits, memory);
    prng_seed(&record.prng, record.seed);
    for (uint32_t i = 0; i < RECORD_TENANTS; i++) {
        record.operations[i] = memory_take(RECORD_OPERATIONS_MAX, sizeof(**record.operations));
    }
    record.pace_ns = given.pace_ms * MS;
    clients_begin(&record, (uint32_t)given.clients);
    record.start_ns = figures_now_ns();
    record.end_ns = record.start_ns + given.seconds * UINT64_C(1000) * MS;
    (void)printf("start %" PRIu64 "\n", record.start_ns);
    (void)fflush(stdout); /* Who breaks the cell waits for it. */
    if (!run(&record)) {
        figures_die("final reads", "the cell did not answer them all");
    }
    record_placements(&record);
    int status = write_out(&record, given.out);
    for (uint32_t i = 0; i < record.clients_count; i++) {
        if (record.clients[i].connection != NULL) {
            https_drop(record.clients[i].connection);
        }
    }
    for (uint32_t i = 0; i < RECORD_PRINCIPALS; i++) {
        https_close(record.https[i]);
    }
    for (uint32_t i = 0; i < RECORD_TENANTS; i++) {
        free(record.operations[i]);
    }
    free(memory);
    return status;
}
