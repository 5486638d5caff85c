/* Decides where each part of a history lies in its block. Never judges one; what finds no room is
 * left out and makes every verdict unknown. */
#include "tests/history/history.h"

#include "base/check.h"
#include "base/hash.h"

#include <string.h>

static size_t aligned(size_t size)
{
    return (size + 15) & ~(size_t)15;
}

static uint32_t slots_of(uint32_t names)
{
    uint32_t slots = 16;
    while (slots < names * 2) {
        slots *= 2;
    }
    return slots;
}

size_t history_memory(const struct history_limits *limits)
{
    CHECK(limits->names < UINT32_MAX / 8);
    return aligned(sizeof(struct history_event) * limits->events) +
           aligned(sizeof(struct history_sight) * limits->sights) +
           aligned(sizeof(struct history_touch) * limits->touches) +
           aligned(sizeof(uint64_t) * limits->elements) +
           aligned((size_t)HISTORY_NAME * (limits->names + 1)) +
           aligned(sizeof(uint32_t) * slots_of(limits->names));
}

void history_init(struct history *history, const struct history_limits *limits, void *memory)
{
    CHECK(memory != NULL);
    uint8_t *at = memory;
    memset(history, 0, sizeof(*history));
    history->limits = *limits;
    history->events = (void *)at;
    at += aligned(sizeof(struct history_event) * limits->events);
    history->sights = (void *)at;
    at += aligned(sizeof(struct history_sight) * limits->sights);
    history->touches = (void *)at;
    at += aligned(sizeof(struct history_touch) * limits->touches);
    history->elements = (void *)at;
    at += aligned(sizeof(uint64_t) * limits->elements);
    history->names = (void *)at;
    at += aligned((size_t)HISTORY_NAME * (limits->names + 1));
    history->slots = (void *)at;
    history->slots_mask = slots_of(limits->names) - 1;
}

/* ---- Names ---- */

/* A table that is half empty has no longer runs, unless somebody made the names for it. */
enum { PROBES_MAX = 1024 };

uint32_t history_name(struct history *history, const char *text)
{
    static const struct hash_key key = { 0x6869, 0x73746f72 };
    size_t size = text == NULL ? 0 : strlen(text);
    if (size == 0) {
        return 0;
    }
    if (size >= HISTORY_NAME) {
        history->full = true;
        return 0;
    }
    uint32_t slot = (uint32_t)hash_bytes(key, slice_text(text)) & history->slots_mask;
    for (uint32_t probes = 0; history->slots[slot] != 0; probes++) {
        if (strcmp(history->names[history->slots[slot]], text) == 0) {
            return history->slots[slot];
        }
        if (probes == PROBES_MAX) {
            history->full = true;
            return 0;
        }
        slot = (slot + 1) & history->slots_mask;
    }
    if (history->names_count == history->limits.names) {
        history->full = true;
        return 0;
    }
    uint32_t name = ++history->names_count;
    memcpy(history->names[name], text, size + 1);
    history->slots[slot] = name;
    return name;
}

const char *history_text(const struct history *history, uint32_t name)
{
    CHECK(name <= history->names_count);
    return history->names[name];
}

/* ---- Events ---- */

uint32_t history_invoke(struct history *history, const struct history_asked *asked)
{
    CHECK(asked->f > 0 && asked->f < HISTORY_F_END);
    CHECK(asked->kind > 0 && asked->kind < HISTORY_KIND_END);
    if (history->events_count == history->limits.events) {
        history->full = true;
        return UINT32_MAX;
    }
    uint32_t number = history->events_count++;
    struct history_event *event = &history->events[number];
    memset(event, 0, sizeof(*event));
    event->client = asked->client;
    event->f = asked->f;
    event->kind = asked->kind;
    event->object = history_name(history, asked->object);
    event->account = history_name(history, asked->account);
    event->key = history_name(history, asked->key);
    event->on = history_name(history, asked->on);
    event->invoke_ns = asked->at_ns;
    event->value = asked->value;
    event->match = asked->match;
    memcpy(event->amounts, asked->amounts, sizeof(event->amounts));
    event->told.outcome = HISTORY_INFO;
    event->told.at_ns = HISTORY_OPEN;
    return number;
}

void history_return(struct history *history, uint32_t number, const struct history_told *told)
{
    if (number == UINT32_MAX) {
        return;
    }
    CHECK(number < history->events_count);
    struct history_event *event = &history->events[number];
    CHECK(event->told.at_ns == HISTORY_OPEN);
    CHECK(told->outcome > 0 && told->outcome < HISTORY_OUTCOME_END);
    CHECK((told->outcome == HISTORY_FAIL) == (told->refusal != 0));
    CHECK(told->outcome == HISTORY_INFO || told->at_ns != HISTORY_OPEN);
    event->told = *told;
    event->told.at_ns = told->outcome == HISTORY_INFO ? HISTORY_OPEN : told->at_ns;
}

void history_add_sight(
    struct history *history, uint32_t number, const char *object, const struct history_sight *sight)
{
    if (number == UINT32_MAX) {
        return;
    }
    struct history_event *event = &history->events[number];
    uint32_t name = history_name(history, object);
    if (history->sights_count == history->limits.sights || name == 0) {
        history->full = true;
        return;
    }
    CHECK(sight->stage < HISTORY_STAGE_END);
    CHECK(sight->kind > 0 && sight->kind < HISTORY_KIND_END);
    event->sights = event->sights_count == 0 ? history->sights_count : event->sights;
    CHECK(event->sights + event->sights_count == history->sights_count); /* One event at a time. */
    event->sights_count++;
    struct history_sight *place = &history->sights[history->sights_count++];
    *place = *sight;
    place->object = name;
}

void history_whole(struct history *history, uint32_t number)
{
    if (number != UINT32_MAX) {
        CHECK(history->events[number].f == HISTORY_LIST);
        history->events[number].whole = true;
    }
}

static struct history_touch *touch_new(struct history *history, uint32_t number, const char *list)
{
    uint32_t name = number == UINT32_MAX ? 0 : history_name(history, list);
    if (name == 0 || history->touches_count == history->limits.touches) {
        history->full = true;
        return NULL;
    }
    struct history_event *event = &history->events[number];
    event->touches = event->touches_count == 0 ? history->touches_count : event->touches;
    CHECK(event->touches + event->touches_count == history->touches_count);
    event->touches_count++;
    struct history_touch *touch = &history->touches[history->touches_count++];
    memset(touch, 0, sizeof(*touch));
    touch->list = name;
    return touch;
}

void history_add_append(struct history *history, uint32_t event, const char *list, uint64_t element)
{
    struct history_touch *touch = touch_new(history, event, list);
    if (touch != NULL) {
        touch->kind = HISTORY_APPEND;
        touch->element = element;
    }
}

void history_add_newest(struct history *history, uint32_t event, const char *list, uint64_t element)
{
    struct history_touch *touch = touch_new(history, event, list);
    if (touch != NULL) {
        touch->kind = HISTORY_SEEN;
        touch->element = element;
    }
}

void history_add_read(
    struct history *history, uint32_t event, const char *list, const struct history_read *read)
{
    if (read->count > history->limits.elements - history->elements_count) {
        history->full = true;
        return;
    }
    struct history_touch *touch = touch_new(history, event, list);
    if (touch == NULL) {
        return;
    }
    touch->kind = HISTORY_SEEN;
    touch->listed = true;
    touch->more = read->more;
    touch->final = read->final;
    touch->after = read->after;
    touch->elements = history->elements_count;
    touch->count = read->count;
    touch->element = read->count == 0 ? read->after : read->elements[read->count - 1];
    for (uint32_t i = 0; i < read->count; i++) {
        history->elements[history->elements_count++] = read->elements[i];
    }
}

/* ---- The table of checkers ---- */

const char *history_checker_name(uint32_t checker)
{
    static const char *const names[HISTORY_CHECKERS] = { "registers", "lists", "once", "ledger" };
    CHECK(checker < HISTORY_CHECKERS);
    return names[checker];
}

struct history_verdict history_check(const struct history *history, uint32_t checker)
{
    CHECK(checker < HISTORY_CHECKERS);
    if (history->full) {
        return (struct history_verdict){ .word = HISTORY_UNKNOWN,
                                         .sentence = "the history did not fit its memory" };
    }
    switch (checker) {
    case 0: return history_check_registers(history);
    case 1: return history_check_lists(history);
    case 2: return history_check_once(history);
    default: return history_check_ledger(history);
    }
}

const char *history_word_text(enum history_word word)
{
    switch (word) {
    case HISTORY_CLEAN: return "clean";
    case HISTORY_ANOMALY: return "anomaly";
    case HISTORY_UNKNOWN: return "unknown";
    }
    UNREACHABLE();
}
