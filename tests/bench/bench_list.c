/* Decides whether every acknowledged create exists on every replica: each endpoint is asked for its
 * own applied state, page by page, and its names are held to the file. Never trusts a count alone.
 *
 * The happy path: read and sort the names → first page → … → last page → all seen → next endpoint.
 * What can go wrong: a replica is behind → its list is read again until the deadline; a name is
 * missing then → exit 7, and every figure of that run is void. */
#include "base/check.h"
#include "tests/bench/bench_api.h"
#include "tests/bench/figures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_MAX = 300000, DEADLINE_S = 20, BODY_ROOM = 64 * 1024, DELETE_BATCH = 100 };

struct listing {
    const struct bench_arguments *arguments;
    char (*names)[BENCH_NAME]; /* Owned. Sorted. */
    bool *seen;                /* Owned. */
    uint32_t count;
    uint32_t found;
    uint32_t foreign;
    struct https_connection *connection;
    bool answered;
    char page[64]; /* Token of the next page; empty: none. */
    uint32_t refused;
};

static int compare(const void *left, const void *right)
{
    return strcmp(left, right);
}

static void read_names(struct listing *listing)
{
    FILE *file = fopen(listing->arguments->names, "r");
    if (file == NULL) {
        figures_die(listing->arguments->names, "cannot be read");
    }
    listing->names = calloc(NAMES_MAX, sizeof(*listing->names));
    listing->seen = calloc(NAMES_MAX, sizeof(*listing->seen));
    CHECK(listing->names != NULL && listing->seen != NULL);
    while (listing->count < NAMES_MAX &&
           fgets(listing->names[listing->count], BENCH_NAME, file) != NULL) {
        char *end = strchr(listing->names[listing->count], '\n');
        CHECK(end != NULL); /* bench_create writes shorter ones. */
        *end = '\0';
        listing->count++;
    }
    (void)fclose(file); /* Only read. */
    qsort(listing->names, listing->count, sizeof(*listing->names), compare);
    for (uint32_t i = 1; i < listing->count; i++) {
        CHECK(strcmp(listing->names[i - 1], listing->names[i]) != 0); /* INV-IDEM-1: once each. */
    }
}

static void take_name(struct listing *listing, const char *from, size_t size)
{
    char name[BENCH_NAME];
    if (size >= sizeof(name)) {
        listing->foreign++;
        return;
    }
    memcpy(name, from, size);
    name[size] = '\0';
    char(*found)[BENCH_NAME] =
        bsearch(name, listing->names, listing->count, sizeof(*listing->names), compare);
    if (found == NULL) {
        listing->foreign++;
        return;
    }
    size_t at = (size_t)(found - listing->names);
    CHECK(!listing->seen[at]); /* A name stands once in a list. */
    listing->seen[at] = true;
    listing->found++;
}

static void take_page(struct listing *listing, const char *body)
{
    static const char name[] = "\"name\":\"";
    static const char next[] = "\"next_page\":\"";
    for (const char *at = strstr(body, name); at != NULL; at = strstr(at, name)) {
        at += sizeof(name) - 1;
        const char *end = strchr(at, '"');
        CHECK(end != NULL);
        take_name(listing, at, (size_t)(end - at));
    }
    const char *token = strstr(body, next);
    listing->page[0] = '\0';
    if (token != NULL) {
        token += sizeof(next) - 1;
        size_t size = strcspn(token, "\"");
        CHECK(size < sizeof(listing->page));
        memcpy(listing->page, token, size);
        listing->page[size] = '\0';
    }
}

static void on_ready(void *context, struct https_connection *connection)
{
    struct listing *listing = context;
    listing->connection = connection;
}

static void on_answer(
    void *context, struct https_connection *connection, const struct https_answer *answer)
{
    static const char gone[] = "{\"status\":202,";
    struct listing *listing = context;
    (void)connection;
    if (answer->status != 200) {
        (void)fprintf(stderr, "bench: status %u: %.400s\n", answer->status, answer->body);
        exit(1);
    }
    listing->answered = true;
    if (answer->body[0] != '[') {
        take_page(listing, answer->body);
        return;
    }
    for (const char *at = strstr(answer->body, gone); at != NULL; at = strstr(at + 1, gone)) {
        listing->found++;
    }
}

static void on_gone(void *context, struct https_connection *connection)
{
    (void)context;
    (void)connection;
    figures_die("list", "the connection ended");
}

static void wait_answer(struct https *https, struct listing *listing)
{
    listing->answered = false;
    while (!listing->answered) {
        https_poll(https, 1000);
    }
}

static void read_all(struct https *https, struct listing *listing)
{
    char path[256];
    listing->found = 0;
    listing->foreign = 0;
    listing->page[0] = '\0';
    memset(listing->seen, 0, listing->count * sizeof(*listing->seen));
    do {
        int size = snprintf(
            path,
            sizeof(path),
            "/v1/tenants/%s/instances?consistency=stale&limit=500%s%s",
            listing->arguments->tenant,
            listing->page[0] == '\0' ? "" : "&page_token=",
            listing->page);
        CHECK(size > 0 && (size_t)size < sizeof(path));
        https_send(listing->connection, "GET", path, NULL, 0, NULL, false);
        wait_answer(https, listing);
    } while (listing->page[0] != '\0');
}

static struct https *dial(struct listing *listing, const char *endpoint)
{
    struct https_hooks hooks = { listing, on_ready, on_answer, on_gone };
    struct https *https = https_open(&listing->arguments->papers, &hooks);
    listing->connection = NULL;
    if (https_dial(https, endpoint, 0) == NULL) {
        figures_die(endpoint, "nobody listens");
    }
    while (listing->connection == NULL) {
        https_poll(https, 1000);
    }
    return https;
}

int bench_list(const struct bench_arguments *arguments)
{
    static struct listing listing;
    listing.arguments = arguments;
    read_names(&listing);
    bool whole = true;
    for (uint32_t i = 0; i < arguments->endpoints_count; i++) {
        struct https *https = dial(&listing, arguments->endpoints[i]);
        uint64_t until_ns = figures_now_ns() + DEADLINE_S * UINT64_C(1000000000);
        do {
            read_all(https, &listing);
        } while (listing.found < listing.count && figures_now_ns() < until_ns);
        (void)printf(
            "{\"bench\":\"api-list\",\"endpoint\":\"%s\",\"acknowledged\":%u,\"listed\":%u,"
            "\"unacknowledged\":%u}\n",
            arguments->endpoints[i],
            listing.count,
            listing.found,
            listing.foreign);
        whole = whole && listing.found == listing.count;
        https_drop(listing.connection);
        https_close(https);
    }
    free(listing.names);
    free(listing.seen);
    return whole ? 0 : 7;
}

int bench_delete(const struct bench_arguments *arguments)
{
    static struct listing listing;
    static char body[BODY_ROOM];
    listing.arguments = arguments;
    read_names(&listing);
    struct https *https = dial(&listing, arguments->endpoints[0]);
    for (uint32_t first = 0; first < listing.count; first += DELETE_BATCH) {
        size_t used = (size_t)snprintf(body, sizeof(body), "{\"requests\":[");
        for (uint32_t i = first; i < listing.count && i < first + DELETE_BATCH; i++) {
            used += (size_t)snprintf(
                body + used,
                sizeof(body) - used,
                "%s{\"method\":\"DELETE\",\"path\":\"/v1/tenants/%s/instances/%s\","
                "\"idempotency_key\":\"d-%s\",\"if_match\":\"*\"}",
                i == first ? "" : ",",
                arguments->tenant,
                listing.names[i],
                listing.names[i]);
            CHECK(used + 2 < sizeof(body));
        }
        used += (size_t)snprintf(body + used, sizeof(body) - used, "]}");
        https_send(listing.connection, "POST", "/v1/batch", body, used, NULL, true);
        wait_answer(https, &listing);
    }
    uint32_t deleted = listing.found;
    (void)printf("{\"bench\":\"api-delete\",\"deleted\":%u,\"of\":%u}\n", deleted, listing.count);
    https_drop(listing.connection);
    https_close(https);
    free(listing.names);
    free(listing.seen);
    return deleted == listing.count ? 0 : 1;
}
