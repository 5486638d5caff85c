/* Decides whether what was acknowledged is there at the end: each operation once, in every list
 * that it was appended to and that somebody read to its end; and nothing else, but what nobody was
 * answered about. What was acknowledged without a number is demanded by count. Whatever a read saw
 * before, the end holds. One key is one request, and is answered alike (keys.h). INV-IDEM-1.
 *
 * Never says clean of a list that somebody read, and nobody at the end. */
#include "base/check.h"
#include "tests/history/history.h"
#include "tests/history/keys.h"
#include "tests/history/merge.h"
#include "tests/history/order.h"
#include "tests/history/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct element {
    uint32_t list;
    uint32_t event; /* Of an append: the operation's; of a read. */
    uint64_t number;
};

struct elements {
    struct element *all; /* Owned; by list and number. */
    size_t count;
};

struct list {
    bool read;          /* Somebody read its elements. */
    bool final;         /* Somebody did at the end. */
    uint64_t final_ns;  /* When that began. */
    uint64_t nameless;  /* Operations that are there under a number that nobody was told. */
    uint64_t perhaps;   /* Operations that may be. */
    uint64_t strangers; /* Numbers at the end that nobody was told. */
};

struct once {
    const struct history *history;
    struct merge merge;
    struct elements appends; /* Those whose number is known. */
    struct elements told;    /* The same; number 0, and the speaker of their key. */
    struct elements seen;    /* By any read. */
    struct elements finals;  /* By those at the end. */
    struct list *lists;      /* Owned; by name. */
    struct history_verdict verdict;
};

static void say(
    struct once *once, enum history_word word, const char *what, uint32_t list, uint64_t number)
{
    if (once->verdict.word == HISTORY_ANOMALY ||
        (once->verdict.word == HISTORY_UNKNOWN && word == HISTORY_UNKNOWN)) {
        return;
    }
    once->verdict.word = word;
    (void)snprintf(
        once->verdict.sentence,
        sizeof(once->verdict.sentence),
        "%s: element %llu of %s",
        what,
        (unsigned long long)number,
        history_text(once->history, list));
}

static void say_event(struct once *once, const char *what, const struct element *append)
{
    const struct history_event *event = &once->history->events[append->event];
    char who[240];
    (void)snprintf(
        who,
        sizeof(who),
        "%s (client %u, %s %s, key %s, at %.6f s)",
        what,
        event->client,
        words_f(event->f),
        history_text(once->history, event->object),
        history_text(once->history, event->key),
        (double)event->invoke_ns / 1e9);
    say(once, HISTORY_ANOMALY, who, append->list, append->number);
}

static int element_order(const void *one, const void *other)
{
    const struct element *a = one;
    const struct element *b = other;
    if (a->list != b->list) {
        return a->list < b->list ? -1 : 1;
    }
    if (a->number != b->number) {
        return a->number < b->number ? -1 : 1;
    }
    return a->event < b->event ? -1 : a->event > b->event;
}

static bool same(const struct element *a, const struct element *b)
{
    return a->list == b->list && a->number == b->number;
}

/* ---- Lists ---- */

/* The first that is not below the wanted one. */
static size_t find(const struct elements *elements, const struct element *wanted)
{
    return order_first(elements->all, elements->count, sizeof(*wanted), wanted, element_order);
}

static bool has(const struct elements *elements, uint32_t list, uint64_t number)
{
    struct element wanted = { .list = list, .number = number };
    size_t at = find(elements, &wanted);
    return at < elements->count && same(&elements->all[at], &wanted);
}

static void add(struct elements *elements, uint32_t list, uint32_t event, uint64_t number)
{
    elements->all[elements->count++] = (struct element){ list, event, number };
}

static void sort(struct elements *elements)
{
    qsort(elements->all, elements->count, sizeof(*elements->all), element_order);
}

static struct elements room(size_t count)
{
    struct elements elements = { .all = calloc(count + 1, sizeof(*elements.all)) };
    CHECK(elements.all != NULL);
    return elements;
}

static void read_gather(struct once *once, uint32_t event, const struct history_touch *touch)
{
    const struct history *history = once->history;
    struct list *list = &once->lists[touch->list];
    bool final = touch->final;
    list->read = list->read || touch->listed;
    list->final = list->final || (final && !touch->more);
    if (final && history->events[event].invoke_ns < list->final_ns) {
        list->final_ns = history->events[event].invoke_ns;
    }
    for (uint32_t m = 0; touch->listed && m < touch->count; m++) {
        uint64_t number = history->elements[touch->elements + m];
        add(&once->seen, touch->list, event, number);
        if (final) {
            add(&once->finals, touch->list, event, number);
        }
    }
}

static void gather(struct once *once)
{
    const struct history *history = once->history;
    once->appends = room(history->touches_count);
    once->told = room(history->touches_count);
    once->seen = room(history->elements_count);
    once->finals = room(history->elements_count);
    once->lists = calloc((size_t)history->names_count + 1, sizeof(*once->lists));
    CHECK(once->lists != NULL);
    for (uint32_t i = 0; i <= history->names_count; i++) {
        once->lists[i].final_ns = HISTORY_OPEN;
    }
    for (uint32_t i = 0; i < history->events_count; i++) {
        const struct history_event *event = &history->events[i];
        for (uint32_t k = 0; k < event->touches_count; k++) {
            const struct history_touch *touch = &history->touches[event->touches + k];
            if (touch->kind == HISTORY_APPEND && touch->element != 0) {
                add(&once->appends, touch->list, i, touch->element);
                add(&once->told, touch->list, once->merge.speaker[i], 0);
            } else if (touch->kind == HISTORY_SEEN && event->told.outcome == HISTORY_OK) {
                read_gather(once, i, touch);
            }
        }
    }
    sort(&once->appends);
    sort(&once->told);
    sort(&once->seen);
    sort(&once->finals);
}

/* An append without a number, of an operation that was told none under another event of its key. */
static void nameless_gather(struct once *once)
{
    const struct history *history = once->history;
    for (uint32_t i = 0; i < history->events_count; i++) {
        const struct history_event *event = &history->events[i];
        bool speaks = once->merge.speaker[i] == i && event->told.outcome != HISTORY_FAIL;
        for (uint32_t k = 0; speaks && k < event->touches_count; k++) {
            const struct history_touch *touch = &history->touches[event->touches + k];
            struct element wanted = { .list = touch->list, .event = i };
            size_t at = find(&once->told, &wanted);
            bool told = at < once->told.count && element_order(&once->told.all[at], &wanted) == 0;
            struct list *list = &once->lists[touch->list];
            if (touch->kind != HISTORY_APPEND || touch->element != 0 || told) {
                continue;
            }
            list->nameless += event->told.outcome == HISTORY_OK ? 1 : 0;
            list->perhaps += event->told.outcome == HISTORY_OK ? 0 : 1;
        }
    }
}

static void appends_check(struct once *once)
{
    for (size_t i = 0; i < once->appends.count; i++) {
        const struct element *append = &once->appends.all[i];
        const struct history_told *told = &once->history->events[append->event].told;
        const struct list *list = &once->lists[append->list];
        if (!list->final) {
            continue;
        }
        once->verdict.looked++;
        bool is_there = has(&once->finals, append->list, append->number);
        if (told->outcome == HISTORY_OK && !is_there) {
            say_event(once, "acknowledged and lost", append);
        }
        if (told->outcome == HISTORY_FAIL && is_there) {
            say_event(once, "refused and done", append);
        }
        if (i > 0 && same(append, append - 1) &&
            once->merge.speaker[append->event] != once->merge.speaker[(append - 1)->event]) {
            say_event(once, "one for two requests", append);
        }
    }
}

static void finals_check(struct once *once)
{
    for (size_t i = 0; i < once->finals.count; i++) {
        const struct element *final = &once->finals.all[i];
        bool again = i > 0 && same(final, final - 1);
        once->verdict.looked++;
        if (again) {
            say(once, HISTORY_ANOMALY, "there twice", final->list, final->number);
        }
        bool stranger = !again && !has(&once->appends, final->list, final->number);
        once->lists[final->list].strangers += stranger ? 1 : 0;
    }
}

/* What any read saw: as many strangers as there may be, and none that is gone at the end. */
static void seen_check(struct once *once)
{
    uint32_t of = 0;
    uint64_t strangers = 0;
    for (size_t i = 0; i < once->seen.count; i++) {
        const struct element *seen = &once->seen.all[i];
        const struct list *list = &once->lists[seen->list];
        strangers = seen->list == of ? strangers : 0;
        of = seen->list;
        bool again = i > 0 && same(seen, seen - 1);
        bool stranger = !again && !has(&once->appends, seen->list, seen->number);
        strangers += stranger ? 1 : 0;
        if (strangers > list->nameless + list->perhaps) {
            say(once, HISTORY_ANOMALY, "nobody asked for it", seen->list, seen->number);
        }
        bool before = once->history->events[seen->event].told.at_ns <= list->final_ns;
        if (list->final && before && !has(&once->finals, seen->list, seen->number)) {
            say(once, HISTORY_ANOMALY, "seen, and gone at the end", seen->list, seen->number);
        }
    }
}

static void lists_check(struct once *once)
{
    for (uint32_t i = 1; i <= once->history->names_count; i++) {
        const struct list *list = &once->lists[i];
        if (list->read && !list->final) {
            say(once, HISTORY_UNKNOWN, "nobody read the list at the end", i, 0);
        }
        if (list->final && list->strangers < list->nameless) {
            say(once, HISTORY_ANOMALY, "acknowledged without a number and lost", i, 0);
        }
    }
}

struct history_verdict history_check_once(const struct history *history)
{
    struct once once = { .history = history, .verdict = { .word = HISTORY_CLEAN } };
    merge_begin(history, &once.merge);
    keys_check(history, &once.merge, &once.verdict);
    gather(&once);
    nameless_gather(&once);
    appends_check(&once);
    finals_check(&once);
    seen_check(&once);
    lists_check(&once);
    if (once.verdict.word == HISTORY_CLEAN) {
        (void)snprintf(
            once.verdict.sentence,
            sizeof(once.verdict.sentence),
            "%zu appends, %zu elements at the end",
            once.appends.count,
            once.finals.count);
    }
    merge_end(&once.merge);
    free(once.appends.all);
    free(once.told.all);
    free(once.seen.all);
    free(once.finals.all);
    free(once.lists);
    return once.verdict;
}
