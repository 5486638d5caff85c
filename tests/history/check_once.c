/* Decides whether what was acknowledged is there at the end: each operation once, in every list
 * that it was appended to and that somebody read to its end; and nothing else, but what nobody was
 * answered about. A key that was answered twice was answered alike. INV-IDEM-1.
 *
 * Never says clean of a list that somebody read, and nobody at the end. */
#include "base/check.h"
#include "tests/history/history.h"
#include "tests/history/merge.h"
#include "tests/history/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct element {
    uint32_t list;
    uint32_t event; /* Of an append. */
    uint64_t number;
};

struct once {
    const struct history *history;
    struct merge merge;
    struct element *appends; /* Owned; those whose number is known. */
    size_t appends_count;
    struct element *finals; /* Owned. */
    size_t finals_count;
    bool *read;         /* Owned; by list: somebody read its elements. */
    bool *final;        /* Owned; by list: somebody did at the end. */
    uint32_t *nameless; /* Owned; by list: operations that may be there under an unknown number. */
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

/* ---- Keys ---- */

/* Once a key was answered OK it is never refused. */
static void refusal_check(struct once *once, uint32_t number)
{
    const struct history_event *event = &once->history->events[number];
    uint32_t speaker = merge_of_refused(event) ? once->merge.of_key[event->key] : 0;
    if (speaker != 0 && event->invoke_ns > once->merge.return_ns[speaker - 1]) {
        struct element append = { 0, number, 0 };
        say_event(once, "refused after it was acknowledged", &append);
    }
}

static void keys_check(struct once *once)
{
    const struct history *history = once->history;
    for (uint32_t i = 0; i < history->events_count; i++) {
        const struct history_event *event = &history->events[i];
        const struct history_event *first = &history->events[once->merge.speaker[i]];
        refusal_check(once, i);
        if (event->told.outcome != HISTORY_OK || first == event || event->told.operation == 0) {
            continue;
        }
        once->verdict.looked++;
        if (event->told.operation != first->told.operation || event->told.id != first->told.id) {
            struct element append = { 0, i, event->told.operation };
            say_event(once, "done twice under one key", &append);
        }
    }
}

/* ---- Lists ---- */

static void append_add(struct once *once, uint32_t event, const struct history_touch *touch)
{
    const struct history_told *told = &once->history->events[event].told;
    if (touch->element != 0) {
        once->appends[once->appends_count++] =
            (struct element){ touch->list, event, touch->element };
    } else if (told->outcome != HISTORY_FAIL && once->merge.speaker[event] == event) {
        once->nameless[touch->list]++;
    }
}

static void gather(struct once *once)
{
    const struct history *history = once->history;
    once->appends = calloc((size_t)history->touches_count + 1, sizeof(*once->appends));
    once->finals = calloc((size_t)history->elements_count + 1, sizeof(*once->finals));
    once->read = calloc((size_t)history->names_count + 1, sizeof(*once->read));
    once->final = calloc((size_t)history->names_count + 1, sizeof(*once->final));
    once->nameless = calloc((size_t)history->names_count + 1, sizeof(*once->nameless));
    CHECK(once->appends != NULL && once->finals != NULL);
    CHECK(once->read != NULL && once->final != NULL && once->nameless != NULL);
    for (uint32_t i = 0; i < history->events_count; i++) {
        const struct history_event *event = &history->events[i];
        for (uint32_t k = 0; k < event->touches_count; k++) {
            const struct history_touch *touch = &history->touches[event->touches + k];
            if (touch->kind == HISTORY_APPEND) {
                append_add(once, i, touch);
                continue;
            }
            once->read[touch->list] = once->read[touch->list] || touch->listed;
            if (!touch->final || event->told.outcome != HISTORY_OK) {
                continue;
            }
            once->final[touch->list] = once->final[touch->list] || !touch->more;
            for (uint32_t m = 0; m < touch->count; m++) {
                uint64_t number = history->elements[touch->elements + m];
                once->finals[once->finals_count++] = (struct element){ touch->list, i, number };
            }
        }
    }
    qsort(once->appends, once->appends_count, sizeof(*once->appends), element_order);
    qsort(once->finals, once->finals_count, sizeof(*once->finals), element_order);
}

static bool there(const struct once *once, const struct element *append)
{
    size_t low = 0;
    size_t high = once->finals_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct element *final = &once->finals[middle];
        bool below = final->list < append->list ||
                     (final->list == append->list && final->number < append->number);
        low = below ? middle + 1 : low;
        high = below ? high : middle;
    }
    return low < once->finals_count && same(&once->finals[low], append);
}

static void appends_check(struct once *once)
{
    for (size_t i = 0; i < once->appends_count; i++) {
        const struct element *append = &once->appends[i];
        const struct history_told *told = &once->history->events[append->event].told;
        if (!once->final[append->list]) {
            if (!once->read[append->list]) {
                continue; /* Its newest alone says nothing of the others. */
            }
            say(once, HISTORY_UNKNOWN, "nobody read the list at the end", append->list, 0);
            continue;
        }
        once->verdict.looked++;
        bool is_there = there(once, append);
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
    size_t at = 0;
    uint32_t list = 0;
    uint32_t strangers = 0;
    for (size_t i = 0; i < once->finals_count; i++) {
        const struct element *final = &once->finals[i];
        strangers = final->list == list ? strangers : 0;
        list = final->list;
        once->verdict.looked++;
        if (i > 0 && same(final, final - 1)) {
            say(once, HISTORY_ANOMALY, "there twice", final->list, final->number);
        }
        while (at < once->appends_count && (once->appends[at].list < final->list ||
                                            (once->appends[at].list == final->list &&
                                             once->appends[at].number < final->number))) {
            at++;
        }
        bool known = at < once->appends_count && same(&once->appends[at], final);
        strangers += known ? 0 : 1;
        if (strangers > once->nameless[final->list]) {
            say(once, HISTORY_ANOMALY, "nobody asked for it", final->list, final->number);
        }
    }
}

struct history_verdict history_check_once(const struct history *history)
{
    struct once once = { .history = history, .verdict = { .word = HISTORY_CLEAN } };
    merge_begin(history, &once.merge);
    gather(&once);
    keys_check(&once);
    appends_check(&once);
    finals_check(&once);
    if (once.verdict.word == HISTORY_CLEAN) {
        (void)snprintf(
            once.verdict.sentence,
            sizeof(once.verdict.sentence),
            "%zu appends, %zu elements at the end",
            once.appends_count,
            once.finals_count);
    }
    merge_end(&once.merge);
    free(once.appends);
    free(once.finals);
    free(once.read);
    free(once.final);
    free(once.nameless);
    return once.verdict;
}
