/* Decides how pages of a list become one read, which leaf is of which operation, and which
 * placement an operation made. The operations and the leaves of an account are held to one another
 * in order: the n-th operation that somebody asked for has the n-th leaf of somebody. */
#include "base/check.h"
#include "tests/history/record.h"
#include "tests/history/words.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the clients of a recorder ask for; a tenant's own making is not theirs. */
static bool ours(const char *operation)
{
    return strncmp(operation, "instance-", 9) == 0 || strncmp(operation, "network-", 8) == 0 ||
           strcmp(operation, "quota-set") == 0;
}

static void operation_keep(struct record *record, uint32_t tenant, const json_t *view)
{
    if (record->operations_count[tenant] == RECORD_OPERATIONS_MAX) {
        record->history.full = true;
        return;
    }
    struct record_operation *operation =
        &record->operations[tenant][record->operations_count[tenant]++];
    operation->id = record_id(view, "id");
    operation->resource = record_id(view, "resource");
    words_clean(record_text(view, "kind"), operation->kind, sizeof(operation->kind));
}

/* The elements of a page; those that are nobody's here are left out. */
static uint32_t operations_take(
    struct record *record, const struct record_spec *spec, const json_t *items, uint64_t *elements)
{
    uint32_t count = 0;
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *view = json_array_get(items, i);
        if (!ours(record_text(view, "kind"))) {
            continue;
        }
        elements[count++] = record_id(view, "id");
        if (spec->final) {
            operation_keep(record, spec->tenant, view);
        }
    }
    return count;
}

/* A leaf that is not of the next operation is an element 1: in no order with the others. */
static uint32_t leaves_take(
    struct record *record, uint32_t tenant, const json_t *items, uint64_t *elements)
{
    uint32_t count = 0;
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *leaf = json_object_get(json_array_get(items, i), "content");
        json_int_t reject = json_integer_value(json_object_get(leaf, "reject"));
        const char *operation = record_text(leaf, "operation");
        if (strcmp(record_text(leaf, "actor_kind"), "user") != 0 || reject != 0 ||
            !ours(operation)) {
            continue;
        }
        uint32_t at = record->leaves_count[tenant]++;
        const struct record_operation *next =
            at < record->operations_count[tenant] ? &record->operations[tenant][at] : NULL;
        uint64_t resource = (uint64_t)json_integer_value(json_object_get(leaf, "resource"));
        bool fits =
            next != NULL && strcmp(operation, next->kind) == 0 && resource == next->resource;
        if (!fits) {
            char shown[RECORD_TEXT];
            words_clean(operation, shown, sizeof(shown));
            (void)fprintf(
                stderr,
                "record: leaf %u of %s is of %s %" PRIu64 ", the operation of %s %" PRIu64 "\n",
                at,
                record->tenants[tenant],
                shown,
                resource,
                next == NULL ? "none" : next->kind,
                next == NULL ? 0 : next->resource);
        }
        elements[count++] = fits ? next->id : 1;
    }
    return count;
}

void record_page(
    struct record *record,
    struct record_client *client,
    json_t *document,
    const struct history_told *told)
{
    const struct record_spec *spec = &client->spec;
    const json_t *items = json_object_get(document, "items");
    bool leaves = spec->look == RECORD_LEAVES;
    uint64_t *elements = calloc(json_array_size(items) + 1, sizeof(*elements));
    CHECK(elements != NULL);
    uint32_t count = leaves ? leaves_take(record, spec->tenant, items, elements)
                            : operations_take(record, spec, items, elements);
    const char *next = record_text(document, "next_page");
    json_int_t next_leaf = json_integer_value(json_object_get(document, "next"));
    bool more = leaves ? next_leaf != 0 : next[0] != '\0';
    struct history_read read = { .after = spec->after,
                                 .elements = elements,
                                 .count = count,
                                 .more = more,
                                 .final = spec->final };
    char list[HISTORY_NAME];
    (void)snprintf(
        list, sizeof(list), "%s/%.50s", leaves ? "leaves" : "holds", record->tenants[spec->tenant]);
    history_return(&record->history, client->event, told);
    history_add_read(&record->history, client->event, list, &read);
    if (more) {
        client->after = count == 0 ? client->after : elements[count - 1];
        if (leaves) {
            (void)snprintf(client->page, sizeof(client->page), "%" JSON_INTEGER_FORMAT, next_leaf);
        } else {
            (void)snprintf(client->page, sizeof(client->page), "%s", next);
        }
    } else if (spec->final) {
        record->final_at[spec->tenant]++;
        client->page[0] = '\0';
        client->after = 0;
    }
    free(elements);
}

/* ---- Placements ---- */

struct known {
    uint64_t operation;
    uint32_t event;
};

static int known_order(const void *one, const void *other)
{
    const struct known *a = one;
    const struct known *b = other;
    if (a->operation != b->operation) {
        return a->operation < b->operation ? -1 : 1;
    }
    return a->event < b->event ? -1 : a->event > b->event;
}

struct placed {
    uint64_t instance; /* 0: free. */
    uint64_t epoch;
    bool unknown; /* Nobody was told whether it began at once. */
};

enum { PLACED = 1 << 16 };

static struct placed *placed_find(struct placed *all, uint64_t instance)
{
    uint64_t at = instance % PLACED;
    while (all[at].instance != 0 && all[at].instance != instance) {
        at = (at + 1) % PLACED;
    }
    all[at].instance = instance;
    return &all[at];
}

static void touch_name(struct record *record, uint32_t event, uint64_t instance, uint64_t epoch)
{
    char list[HISTORY_NAME];
    struct history *history = &record->history;
    const struct history_event *placing = &history->events[event];
    (void)snprintf(list, sizeof(list), "placed/%" PRIu64, instance);
    uint32_t name = history_name(history, list);
    for (uint32_t i = 0; i < placing->touches_count; i++) {
        struct history_touch *touch = &history->touches[placing->touches + i];
        if (touch->list == name && touch->kind == HISTORY_APPEND) {
            touch->element = epoch;
        }
    }
}

/* An operation of the log, in the log's order, and the events that were told of it. */
static void operation_place(
    struct record *record,
    struct placed *all,
    const struct record_operation *operation,
    const struct known *known,
    size_t known_count)
{
    bool create = strcmp(operation->kind, "instance-create") == 0;
    bool start = strcmp(operation->kind, "instance-start") == 0;
    if ((!create && !start) || operation->resource == 0) {
        return;
    }
    struct placed *placed = placed_find(all, operation->resource);
    placed->unknown = placed->unknown || (create && known_count == 0);
    bool running = start || (known_count > 0 && record->history.events[known[0].event].value == 1);
    placed->epoch += running ? 1 : 0;
    for (size_t i = 0; i < known_count && running && !placed->unknown; i++) {
        touch_name(record, known[i].event, operation->resource, placed->epoch);
    }
}

void record_placements(struct record *record)
{
    const struct history *history = &record->history;
    struct known *known = calloc((size_t)history->events_count + 1, sizeof(*known));
    struct placed *all = calloc(PLACED, sizeof(*all));
    size_t count = 0;
    CHECK(known != NULL && all != NULL);
    _Static_assert(RECORD_OPERATIONS_MAX * RECORD_TENANTS < PLACED, "each operation has a place");
    for (uint32_t i = 0; i < history->events_count; i++) {
        if (history->events[i].told.operation != 0) {
            known[count++] = (struct known){ history->events[i].told.operation, i };
        }
    }
    qsort(known, count, sizeof(*known), known_order);
    for (uint32_t tenant = 0; tenant < RECORD_TENANTS; tenant++) {
        size_t at = 0; /* Both ascend. */
        for (uint32_t i = 0; i < record->operations_count[tenant]; i++) {
            const struct record_operation *operation = &record->operations[tenant][i];
            while (at < count && known[at].operation < operation->id) {
                at++;
            }
            size_t end = at;
            while (end < count && known[end].operation == operation->id) {
                end++;
            }
            operation_place(record, all, operation, known + at, end - at);
        }
    }
    free(known);
    free(all);
}
