/* Decides whether what was asked under one key was one request, and what it was told one answer:
 * the same operation, the same life, the same element of each list; and that nobody was refused
 * after it was acknowledged (INV-IDEM-1). Who was refused because the key was another's asked for
 * something else.
 *
 * Never decides which of two requests is the right one. */
#include "tests/history/keys.h"

#include "base/check.h"
#include "tests/history/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One thing that was told under a key: the operation, the life, or an element of a list. */
struct claim {
    uint32_t key;
    uint32_t list; /* 0: of no list. */
    uint32_t event;
    uint64_t number;
};

struct keys {
    const struct history *history;
    const struct merge *merge;
    struct claim *claims; /* Owned; one array after the other. */
    size_t count;
    struct history_verdict *verdict;
};

static void say(struct keys *keys, const char *what, uint32_t number)
{
    const struct history_event *event = &keys->history->events[number];
    if (keys->verdict->word == HISTORY_ANOMALY) {
        return;
    }
    keys->verdict->word = HISTORY_ANOMALY;
    (void)snprintf(
        keys->verdict->sentence,
        sizeof(keys->verdict->sentence),
        "%s (client %u, %s %s, key %s, at %.6f s)",
        what,
        event->client,
        words_f(event->f),
        history_text(keys->history, event->object),
        history_text(keys->history, event->key),
        (double)event->invoke_ns / 1e9);
}

static int claim_order(const void *one, const void *other)
{
    const struct claim *a = one;
    const struct claim *b = other;
    if (a->key != b->key) {
        return a->key < b->key ? -1 : 1;
    }
    if (a->list != b->list) {
        return a->list < b->list ? -1 : 1;
    }
    if (a->event != b->event) {
        return a->event < b->event ? -1 : 1;
    }
    return a->number < b->number ? -1 : a->number > b->number;
}

static void claims_sort(struct keys *keys)
{
    qsort(keys->claims, keys->count, sizeof(*keys->claims), claim_order);
}

/* ---- Requests ---- */

static bool same_request(const struct history_event *a, const struct history_event *b)
{
    return a->f == b->f && a->kind == b->kind && a->object == b->object &&
           a->account == b->account && a->on == b->on && a->value == b->value &&
           a->match == b->match && memcmp(a->amounts, b->amounts, sizeof(a->amounts)) == 0;
}

static bool reused(const struct history_event *event)
{
    return event->told.outcome == HISTORY_FAIL && event->told.refusal == HISTORY_REUSED;
}

/* The events of one key, in order; the first that was not refused as another's says what it is. */
static void requests_check(struct keys *keys, const struct claim *claims, size_t count)
{
    const struct history_event *events = keys->history->events;
    const struct history_event *first = NULL;
    for (size_t i = 0; i < count && first == NULL; i++) {
        const struct history_event *event = &events[claims[i].event];
        first = reused(event) ? NULL : event;
    }
    for (size_t i = 0; i < count && first != NULL; i++) {
        const struct history_event *event = &events[claims[i].event];
        bool same = same_request(event, first);
        if (!reused(event) && !same) {
            say(keys, "one key, two requests", claims[i].event);
        } else if (reused(event) && same) {
            say(keys, "refused as another's request, and was the same", claims[i].event);
        }
    }
}

static void requests(struct keys *keys)
{
    const struct history *history = keys->history;
    keys->count = 0;
    for (uint32_t i = 0; i < history->events_count; i++) {
        const struct history_event *event = &history->events[i];
        if (event->key != 0) {
            keys->claims[keys->count++] = (struct claim){ .key = event->key, .event = i };
        }
    }
    claims_sort(keys);
    for (size_t first = 0; first < keys->count;) {
        size_t end = first + 1;
        while (end < keys->count && keys->claims[end].key == keys->claims[first].key) {
            end++;
        }
        requests_check(keys, &keys->claims[first], end - first);
        first = end;
    }
}

/* ---- Answers ---- */

enum answer { OPERATION = 1, LIFE, ELEMENTS };

static void answers_gather(struct keys *keys, enum answer answer)
{
    const struct history *history = keys->history;
    keys->count = 0;
    for (uint32_t i = 0; i < history->events_count; i++) {
        const struct history_event *event = &history->events[i];
        uint64_t number = answer == OPERATION ? event->told.operation : event->told.id;
        if (event->key == 0 || event->told.outcome != HISTORY_OK) {
            continue;
        }
        if (answer != ELEMENTS && number != 0) {
            keys->claims[keys->count++] = (struct claim){ event->key, 0, i, number };
        }
        for (uint32_t k = 0; answer == ELEMENTS && k < event->touches_count; k++) {
            const struct history_touch *touch = &history->touches[event->touches + k];
            if (touch->kind == HISTORY_APPEND && touch->element != 0) {
                keys->claims[keys->count++] =
                    (struct claim){ event->key, touch->list, i, touch->element };
            }
        }
    }
    claims_sort(keys);
}

/* What one event was told under a key, the next one is told, number for number. */
static void answers_check(struct keys *keys, const struct claim *claims, size_t count)
{
    size_t first = 0; /* How many the first event was told; so many has each. */
    while (first < count && claims[first].event == claims[0].event) {
        first++;
    }
    for (size_t i = first; i < count; i++) {
        bool next = claims[i].event != claims[i - 1].event;
        bool same = claims[i].number == claims[i % first].number;
        if (!same || next != (i % first == 0)) {
            say(keys, "done twice under one key", claims[i].event);
            return;
        }
    }
    keys->verdict->looked += count - first;
}

static void answers(struct keys *keys, enum answer answer)
{
    answers_gather(keys, answer);
    for (size_t first = 0; first < keys->count;) {
        size_t end = first + 1;
        while (end < keys->count && keys->claims[end].key == keys->claims[first].key &&
               keys->claims[end].list == keys->claims[first].list) {
            end++;
        }
        answers_check(keys, &keys->claims[first], end - first);
        first = end;
    }
}

/* Once a key was answered OK it is never refused. */
static void refusals(struct keys *keys)
{
    const struct history *history = keys->history;
    for (uint32_t i = 0; i < history->events_count; i++) {
        const struct history_event *event = &history->events[i];
        uint32_t speaker = merge_of_refused(event) ? keys->merge->of_key[event->key] : 0;
        if (speaker != 0 && event->invoke_ns > keys->merge->return_ns[speaker - 1]) {
            say(keys, "refused after it was acknowledged", i);
        }
    }
}

void keys_check(
    const struct history *history, const struct merge *merge, struct history_verdict *verdict)
{
    CHECK(verdict->word == HISTORY_CLEAN);
    struct keys keys = { .history = history, .merge = merge, .verdict = verdict };
    size_t room = (size_t)history->events_count + history->touches_count + 1;
    keys.claims = calloc(room, sizeof(*keys.claims));
    CHECK(keys.claims != NULL);
    requests(&keys);
    answers(&keys, OPERATION);
    answers(&keys, LIFE);
    answers(&keys, ELEMENTS);
    refusals(&keys);
    free(keys.claims);
}
