/* The end of a seed's history: what each tenant's list of operations holds and what its account is
 * charged with, read from the cell as it came together, and which placement each operation made.
 * Then the checkers of tests/history: each object alone, the lists together, the accounts. Decides
 * nothing of what is right: they do, and know nothing of the product. */
#include "base/check.h"
#include "controller/server.h"
#include "tests/sim/plane_check.h"
#include "tests/sim/plane_history.h"
#include "tests/sim/plane_machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct known { /* An answer that named its operation. */
    uint64_t operation;
    uint32_t event;
};

struct placed {
    uint64_t instance; /* 0: free. */
    uint64_t epoch;
};

static bool overcharged; /* A lie: accounts are charged with a network that nobody made. */

static int known_order(const void *one, const void *other)
{
    const struct known *a = one;
    const struct known *b = other;
    return a->operation < b->operation ? -1 : a->operation > b->operation;
}

/* ---- Which placement an operation made ---- */

static void name_placement(
    struct history *history, const struct known *known, uint64_t instance, uint64_t epoch)
{
    char text[HISTORY_NAME];
    plane_history_placed(instance, text);
    uint32_t list = history_name(history, text);
    const struct history_event *event = &history->events[known->event];
    for (uint32_t i = 0; i < event->touches_count; i++) {
        struct history_touch *touch = &history->touches[event->touches + i];
        if (touch->list == list && touch->kind == HISTORY_APPEND) {
            touch->element = epoch;
        }
    }
}

static struct placed *placed_of(struct placed *all, size_t mask, uint64_t instance)
{
    size_t at = (size_t)(instance * UINT64_C(0x9e3779b97f4a7c15) >> 32) & mask;
    while (all[at].instance != 0 && all[at].instance != instance) {
        at = (at + 1) & mask;
    }
    all[at].instance = instance;
    return &all[at];
}

/* In the order of the log: the n-th that asked for an instance to run is its n-th placement. */
static void placements(struct history *history, const struct state *state)
{
    size_t mask = 1;
    size_t count = 0;
    while (mask < (size_t)state_count(state, TABLE_OPERATION) * 2) {
        mask *= 2;
    }
    struct placed *all = plane_zeroed(mask, sizeof(*all));
    struct known *known = plane_zeroed((size_t)history->events_count + 1, sizeof(*known));
    for (uint32_t i = 0; i < history->events_count; i++) {
        if (history->events[i].told.operation != 0) {
            known[count++] = (struct known){ history->events[i].told.operation, i };
        }
    }
    qsort(known, count, sizeof(*known), known_order);
    size_t at = 0;
    for (const struct operation_row *row = state_first(state, TABLE_OPERATION); row != NULL;
         row = state_next(state, TABLE_OPERATION, row)) {
        while (at < count && known[at].operation < row->head.id) {
            at++;
        }
        bool ours = at < count && known[at].operation == row->head.id;
        bool create = strcmp(row->kind, "instance-create") == 0;
        bool runs = strcmp(row->kind, "instance-start") == 0 ||
                    (create && ours && history->events[known[at].event].value == 1);
        struct placed *placed = runs || create ? placed_of(all, mask - 1, row->resource) : NULL;
        if (create && !ours) { /* Nobody was told whether it begins running. */
            placed->epoch = UINT64_MAX / 2;
        }
        if (runs) {
            placed->epoch++;
        }
        for (; ours && at < count && known[at].operation == row->head.id; at++) {
            if (runs && placed->epoch < UINT64_MAX / 2) {
                name_placement(history, &known[at], row->resource, placed->epoch);
            }
        }
    }
    free(known);
    free(all);
}

/* ---- What there is at the end ---- */

static uint32_t asks(const struct plane *plane, enum history_f f, uint32_t tenant)
{
    const struct history_asked asked = { .f = f,
                                         .kind = HISTORY_INSTANCE,
                                         .object = "",
                                         .account = plane_tenant_name(tenant),
                                         .key = "",
                                         .at_ns = plane->now_us * 1000 };
    return history_invoke(plane_history(), &asked);
}

static bool of_tenant(const struct operation_row *row, uint64_t tenant)
{
    return row->tenant.value == tenant &&
           (strncmp(row->kind, "instance-", 9) == 0 || strncmp(row->kind, "network-", 8) == 0);
}

static void read_holds(struct plane *plane, const struct state *state, uint32_t tenant)
{
    struct history_told told = { .outcome = HISTORY_OK, .at_ns = plane->now_us * 1000 };
    char list[HISTORY_NAME];
    uint64_t *elements =
        plane_zeroed((size_t)state_count(state, TABLE_OPERATION) + 1, sizeof(*elements));
    struct history_read read = { .elements = elements, .final = true };
    for (const struct operation_row *row = state_first(state, TABLE_OPERATION); row != NULL;
         row = state_next(state, TABLE_OPERATION, row)) {
        if (of_tenant(row, plane_tenants[tenant])) {
            elements[read.count++] = row->head.id;
        }
    }
    uint32_t event = asks(plane, HISTORY_LIST, tenant);
    plane_history_holds(tenant, list);
    history_return(plane_history(), event, &told);
    history_add_read(plane_history(), event, list, &read);
    free(elements);
}

static void read_account(struct plane *plane, const struct state *state, uint32_t tenant)
{
    static const enum quota_dimension dimensions[HISTORY_AMOUNTS] = {
        QUOTA_VCPUS, QUOTA_MEMORY_BYTES, QUOTA_INSTANCES, QUOTA_NETWORKS
    };
    struct history_told told = { .outcome = HISTORY_OK, .at_ns = plane->now_us * 1000 };
    const struct tenant_row *row = state_find(state, TABLE_TENANT, plane_tenants[tenant]);
    CHECK(row != NULL);
    for (uint32_t i = 0; i < HISTORY_AMOUNTS; i++) {
        told.charged[i] = row->account.used.of[dimensions[i]] + row->account.held.of[dimensions[i]];
    }
    told.charged[3] += overcharged ? PLANE_TENANTS : 0;
    uint32_t event = asks(plane, HISTORY_ACCOUNT, tenant);
    history_return(plane_history(), event, &told);
}

/* ---- Verdicts ---- */

static void judge(
    struct plane *plane,
    const char *word,
    enum plane_checker checker,
    const struct history_verdict *verdict)
{
    plane->tally->checks[checker] += verdict->looked;
    if (verdict->word != HISTORY_CLEAN) { /* What could not be judged has failed, too. */
        plane_fail(plane, "%s %s: %s", word, history_word_text(verdict->word), verdict->sentence);
    }
}

void plane_history_check(struct plane *plane)
{
    struct history *history = plane_history();
    uint32_t leader = plane_leader(plane);
    CHECK(history != NULL && leader != PLANE_NONE);
    const struct state *state = engine_state(server_engine(plane_server(plane, leader)));
    struct history_verdict verdict = history_check_registers(history);
    judge(plane, "LINEAR", PLANE_CHECK_LINEAR, &verdict);
    placements(history, state);
    for (uint32_t i = 0; i < plane->conf.tenants; i++) {
        read_holds(plane, state, i);
        read_account(plane, state, i);
    }
    verdict = history_check_lists(history);
    judge(plane, "LISTS", PLANE_CHECK_LISTS, &verdict);
    verdict = history_check_ledger(history);
    judge(plane, "CHARGED", PLANE_CHECK_CHARGED, &verdict);
}

/* ---- Lies ---- */

void plane_history_overcharge(void)
{
    overcharged = true;
}

static void exchange(struct history *history, uint32_t list, uint64_t one, uint64_t other)
{
    for (uint32_t i = 0; i < history->touches_count; i++) {
        struct history_touch *touch = &history->touches[i];
        bool appends = touch->kind == HISTORY_APPEND && touch->list == list;
        if (appends && (touch->element == one || touch->element == other)) {
            touch->element = touch->element == one ? other : one;
        }
    }
}

/* The first write of a tenant was told the number of a late one, and that one its. */
bool plane_history_disorder(void)
{
    struct history *history = plane_history();
    char text[HISTORY_NAME];
    const struct history_touch *first = NULL;
    const struct history_touch *last = NULL;
    plane_history_holds(0, text);
    uint32_t list = history_name(history, text);
    for (uint32_t i = 0; i < history->touches_count; i++) {
        const struct history_touch *touch = &history->touches[i];
        if (touch->kind == HISTORY_APPEND && touch->list == list) {
            first = first == NULL ? touch : first;
            last = touch;
        }
    }
    if (first == NULL || first->element == last->element) {
        return false;
    }
    exchange(history, list, first->element, last->element);
    return true;
}
