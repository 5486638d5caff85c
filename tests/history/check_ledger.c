/* Decides whether accounts are charged with what there is (INV-LED-2, INV-LED-6). Where a read
 * knows the sum over the objects of the very same state, the two are equal. Where it does not, the
 * charge lies between what surely existed all the while and what may have existed meanwhile.
 *
 * Never counts a name twice: two lives of one name do not overlap. */
#include "base/check.h"
#include "tests/history/history.h"
#include "tests/history/merge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct life {
    uint32_t account;
    uint32_t object;
    enum history_kind kind;
    const uint64_t *amounts;
    uint64_t begins_ns;   /* Not before. */
    uint64_t there_ns;    /* Surely there from here … HISTORY_OPEN: it may never have been. */
    uint64_t doubtful_ns; /* … to here. */
    uint64_t gone_ns;     /* Surely gone from here on. */
};

/* What is known to end a life of a name, or to find it ended. */
struct ending {
    uint32_t object;
    enum history_kind kind;
    bool sure; /* It is gone when this has returned; else it may be gone when this was asked. */
    uint64_t invoke_ns;
    uint64_t return_ns;
};

struct ledger {
    const struct history *history;
    struct merge merge;
    struct life *lives; /* Owned; by account, kind and object. */
    size_t lives_count;
    struct ending *endings; /* Owned; by kind and object. */
    size_t endings_count;
    struct history_verdict verdict;
};

static int life_order(const void *one, const void *other)
{
    const struct life *a = one;
    const struct life *b = other;
    if (a->account != b->account) {
        return a->account < b->account ? -1 : 1;
    }
    if (a->kind != b->kind) {
        return a->kind < b->kind ? -1 : 1;
    }
    if (a->object != b->object) {
        return a->object < b->object ? -1 : 1;
    }
    return a->begins_ns < b->begins_ns ? -1 : a->begins_ns > b->begins_ns;
}

static int ending_order(const void *one, const void *other)
{
    const struct ending *a = one;
    const struct ending *b = other;
    if (a->kind != b->kind) {
        return a->kind < b->kind ? -1 : 1;
    }
    if (a->object != b->object) {
        return a->object < b->object ? -1 : 1;
    }
    return a->invoke_ns < b->invoke_ns ? -1 : a->invoke_ns > b->invoke_ns;
}

/* ---- Lives ---- */

static void ending_add(
    struct ledger *ledger, uint32_t object, enum history_kind kind, bool sure, uint32_t event)
{
    bool write = merge_is_write(ledger->history->events[event].f);
    uint64_t invoke_ns =
        write ? ledger->merge.invoke_ns[event] : ledger->history->events[event].invoke_ns;
    ledger->endings[ledger->endings_count++] =
        (struct ending){ .object = object,
                         .kind = kind,
                         .sure = sure,
                         .invoke_ns = invoke_ns,
                         .return_ns = ledger->history->events[event].told.at_ns };
}

static void look_at(struct ledger *ledger, uint32_t number)
{
    const struct history_event *event = &ledger->history->events[number];
    enum history_outcome outcome = event->told.outcome;
    bool refused = outcome == HISTORY_FAIL;
    bool speaks = ledger->merge.speaker[number] == number;
    if (refused && event->told.refusal == HISTORY_ABSENT) {
        ending_add(ledger, event->object, event->kind, true, number);
    }
    if (event->f == HISTORY_DELETE && !refused && speaks) {
        bool done = outcome == HISTORY_OK && event->told.done;
        ending_add(ledger, event->object, event->kind, false, number);
        if (done) {
            ending_add(ledger, event->object, event->kind, true, number);
        }
    }
    if (event->f == HISTORY_CREATE && !refused && speaks) {
        ledger->lives[ledger->lives_count++] =
            (struct life){ .account = event->account,
                           .object = event->object,
                           .kind = event->kind,
                           .amounts = event->amounts,
                           .begins_ns = ledger->merge.invoke_ns[number],
                           .there_ns = event->told.at_ns,
                           .doubtful_ns = HISTORY_OPEN,
                           .gone_ns = HISTORY_OPEN };
        if (outcome == HISTORY_OK) { /* An earlier life has ended. */
            ending_add(ledger, event->object, event->kind, true, number);
        }
    }
    for (uint32_t k = 0; k < event->sights_count && outcome == HISTORY_OK; k++) {
        const struct history_sight *sight = &ledger->history->sights[event->sights + k];
        if (sight->stage == HISTORY_STAGE_ABSENT) {
            ending_add(ledger, sight->object, sight->kind, true, number);
        }
    }
}

static size_t endings_of(const struct ledger *ledger, const struct life *life)
{
    struct ending wanted = { .object = life->object, .kind = life->kind };
    size_t low = 0;
    size_t high = ledger->endings_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        bool below = ending_order(&ledger->endings[middle], &wanted) < 0;
        low = below ? middle + 1 : low;
        high = below ? high : middle;
    }
    return low;
}

static void life_ends(const struct ledger *ledger, struct life *life)
{
    for (size_t i = endings_of(ledger, life); i < ledger->endings_count; i++) {
        const struct ending *ending = &ledger->endings[i];
        if (ending->kind != life->kind || ending->object != life->object) {
            return;
        }
        bool after = life->there_ns != HISTORY_OPEN && ending->invoke_ns > life->there_ns;
        if (ending->sure && after && ending->return_ns < life->gone_ns) {
            life->gone_ns = ending->return_ns;
        }
        if (!ending->sure && ending->return_ns > life->begins_ns &&
            ending->invoke_ns < life->doubtful_ns) {
            life->doubtful_ns = ending->invoke_ns;
        }
    }
}

/* ---- Reads ---- */

struct bounds {
    uint64_t least[HISTORY_AMOUNTS];
    uint64_t most[HISTORY_AMOUNTS];
};

/* The account's first; they stand together. */
static size_t lives_of(const struct ledger *ledger, uint32_t account)
{
    size_t low = 0;
    size_t high = ledger->lives_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        bool below = ledger->lives[middle].account < account;
        low = below ? middle + 1 : low;
        high = below ? high : middle;
    }
    return low;
}

static bool same_name(const struct life *a, const struct life *b)
{
    return a->account == b->account && a->kind == b->kind && a->object == b->object;
}

static void bounds_of(
    const struct ledger *ledger, const struct history_event *event, struct bounds *bounds_out)
{
    memset(bounds_out, 0, sizeof(*bounds_out));
    uint64_t most[HISTORY_AMOUNTS] = { 0 }; /* Of one name. */
    for (size_t i = lives_of(ledger, event->account); i < ledger->lives_count; i++) {
        const struct life *life = &ledger->lives[i];
        if (life->account != event->account) {
            return;
        }
        bool may = life->begins_ns <= event->told.at_ns && life->gone_ns >= event->invoke_ns;
        bool surely = life->there_ns < event->invoke_ns && life->doubtful_ns > event->told.at_ns;
        bool last = i + 1 == ledger->lives_count || !same_name(life, life + 1);
        for (uint32_t k = 0; k < HISTORY_AMOUNTS; k++) {
            most[k] = may && life->amounts[k] > most[k] ? life->amounts[k] : most[k];
            bounds_out->least[k] += surely ? life->amounts[k] : 0;
            bounds_out->most[k] += last ? most[k] : 0;
            most[k] = last ? 0 : most[k];
        }
    }
}

static void read_check(struct ledger *ledger, const struct history_event *event)
{
    static const char *const names[HISTORY_AMOUNTS] = {
        "vcpus", "memory", "instances", "networks"
    };
    struct bounds bounds;
    bounds_of(ledger, event, &bounds);
    for (uint32_t k = 0; k < HISTORY_AMOUNTS; k++) {
        uint64_t charged = event->told.charged[k];
        const char *what = NULL;
        uint64_t held_to = 0;
        if (event->told.summed && charged != event->told.inventory[k]) {
            what = "the objects of the same state sum up to";
            held_to = event->told.inventory[k];
        } else if (charged < bounds.least[k]) {
            what = "what surely existed all the while sums up to";
            held_to = bounds.least[k];
        } else if (charged > bounds.most[k]) {
            what = "all that may have existed sums up to";
            held_to = bounds.most[k];
        }
        ledger->verdict.looked++;
        if (what != NULL && ledger->verdict.word == HISTORY_CLEAN) {
            ledger->verdict.word = HISTORY_ANOMALY;
            (void)snprintf(
                ledger->verdict.sentence,
                sizeof(ledger->verdict.sentence),
                "account %s at %.6f s: charged with %llu %s, and %s %llu",
                history_text(ledger->history, event->account),
                (double)event->invoke_ns / 1e9,
                (unsigned long long)charged,
                names[k],
                what,
                (unsigned long long)held_to);
        }
    }
}

struct history_verdict history_check_ledger(const struct history *history)
{
    struct ledger ledger = { .history = history, .verdict = { .word = HISTORY_CLEAN } };
    uint64_t reads = 0;
    uint64_t summed = 0;
    merge_begin(history, &ledger.merge);
    ledger.lives = calloc((size_t)history->events_count + 1, sizeof(*ledger.lives));
    ledger.endings = calloc(
        (size_t)history->events_count * 2 + history->sights_count + 1, sizeof(*ledger.endings));
    CHECK(ledger.lives != NULL && ledger.endings != NULL);
    for (uint32_t i = 0; i < history->events_count; i++) {
        look_at(&ledger, i);
    }
    qsort(ledger.lives, ledger.lives_count, sizeof(*ledger.lives), life_order);
    qsort(ledger.endings, ledger.endings_count, sizeof(*ledger.endings), ending_order);
    for (size_t i = 0; i < ledger.lives_count; i++) {
        life_ends(&ledger, &ledger.lives[i]);
    }
    for (uint32_t i = 0; i < history->events_count; i++) {
        const struct history_event *event = &history->events[i];
        if (event->f == HISTORY_ACCOUNT && event->told.outcome == HISTORY_OK) {
            read_check(&ledger, event);
            reads++;
            summed += event->told.summed ? 1 : 0;
        }
    }
    if (ledger.verdict.word == HISTORY_CLEAN) {
        (void)snprintf(
            ledger.verdict.sentence,
            sizeof(ledger.verdict.sentence),
            "%llu reads of accounts, %llu of them beside the sum of their objects",
            (unsigned long long)reads,
            (unsigned long long)summed);
    }
    merge_end(&ledger.merge);
    free(ledger.lives);
    free(ledger.endings);
    return ledger.verdict;
}
