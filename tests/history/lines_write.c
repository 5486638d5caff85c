/* Decides how an event is written as a line. Whatever an answer said can be written, but a text
 * that is not UTF-8: that is said, and never guessed. Never judges a history. */
#include "tests/history/lines.h"

#include "base/check.h"
#include "tests/history/words.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

/* An object under way; what could not be put into it makes it unsound. */
struct making {
    json_t *object;
    bool unsound;
};

static struct making making_begin(void)
{
    struct making making = { .object = json_object() };
    CHECK(making.object != NULL);
    return making;
}

static void put_value(struct making *making, const char *key, json_t *value)
{
    bool failed = value == NULL || json_object_set_new(making->object, key, value) != 0;
    making->unsound = making->unsound || failed;
}

/* A text that is not UTF-8 is not put. */
static void put_text(struct making *making, const char *key, const char *text)
{
    if (text[0] != '\0') {
        put_value(making, key, json_string(text));
    }
}

/* JSON's integers end at 2^63 - 1 here; what is above is its digits, as a text. */
static json_t *number_json(uint64_t number)
{
    char digits[24];
    if (number <= INT64_MAX) {
        return json_integer((json_int_t)number);
    }
    (void)snprintf(digits, sizeof(digits), "%" PRIu64, number);
    return json_string(digits);
}

static void put_any(struct making *making, const char *key, uint64_t number)
{
    put_value(making, key, number_json(number));
}

static void put_number(struct making *making, const char *key, uint64_t number)
{
    if (number != 0) {
        put_any(making, key, number);
    }
}

static void put_true(struct making *making, const char *key, bool is)
{
    if (is) {
        put_value(making, key, json_true());
    }
}

static void put_numbers(
    struct making *making, const char *key, const uint64_t *numbers, uint32_t count)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < count; i++) {
        int failed = json_array_append_new(array, number_json(numbers[i]));
        CHECK(failed == 0); /* No memory. */
    }
    put_value(making, key, array);
}

static void put_amounts(
    struct making *making, const char *key, const uint64_t *amounts, bool always)
{
    static const uint64_t nothing[HISTORY_AMOUNTS] = { 0 };
    if (always || memcmp(amounts, nothing, sizeof(nothing)) != 0) {
        put_numbers(making, key, amounts, HISTORY_AMOUNTS);
    }
}

static struct making sight_json(const struct history *history, const struct history_sight *sight)
{
    struct making making = making_begin();
    put_text(&making, "kind", words_kind(sight->kind));
    put_text(&making, "object", history_text(history, sight->object));
    put_text(&making, "stage", words_stage(sight->stage));
    put_number(&making, "id", sight->id);
    if (sight->revision != HISTORY_UNTOLD) {
        put_any(&making, "revision", sight->revision);
    }
    put_number(&making, "value", sight->value);
    if (sight->epoch != HISTORY_UNTOLD) { /* None is an epoch, too. */
        put_any(&making, "epoch", sight->epoch);
    }
    return making;
}

static struct making touch_json(const struct history *history, const struct history_touch *touch)
{
    struct making making = making_begin();
    const char *list = history_text(history, touch->list);
    if (touch->kind == HISTORY_APPEND || !touch->listed) {
        put_text(&making, touch->kind == HISTORY_APPEND ? "append" : "newest", list);
        put_number(&making, "element", touch->element);
        return making;
    }
    put_text(&making, "seen", list);
    put_number(&making, "after", touch->after);
    put_numbers(&making, "elements", history->elements + touch->elements, touch->count);
    put_true(&making, "more", touch->more);
    put_true(&making, "final", touch->final);
    return making;
}

static void put_last(struct making *making, json_t *array, struct making part)
{
    int failed = json_array_append_new(array, part.object);
    CHECK(failed == 0); /* No memory. */
    making->unsound = making->unsound || part.unsound;
}

static struct making event_json(const struct history *history, const struct history_event *event)
{
    const struct history_told *told = &event->told;
    struct making making = making_begin();
    put_number(&making, "client", event->client);
    put_text(&making, "f", words_f(event->f));
    put_text(&making, "kind", words_kind(event->kind));
    put_text(&making, "object", history_text(history, event->object));
    put_text(&making, "account", history_text(history, event->account));
    put_text(&making, "key", history_text(history, event->key));
    put_text(&making, "on", history_text(history, event->on));
    put_number(&making, "value", event->value);
    put_number(&making, "match", event->match);
    put_amounts(&making, "amounts", event->amounts, false);
    put_number(&making, "invoke", event->invoke_ns);
    if (told->at_ns != HISTORY_OPEN) {
        put_any(&making, "return", told->at_ns);
    }
    put_text(&making, "outcome", words_outcome(told->outcome));
    put_text(&making, "refusal", told->refusal == 0 ? "" : words_refusal(told->refusal));
    put_number(&making, "id", told->id);
    put_number(&making, "operation", told->operation);
    put_true(&making, "done", told->done);
    put_number(&making, "index", told->index);
    put_number(&making, "term", told->term);
    put_amounts(&making, "charged", told->charged, event->f == HISTORY_ACCOUNT);
    if (told->summed) {
        put_amounts(&making, "inventory", told->inventory, true);
    }
    put_true(&making, "whole", event->whole);
    json_t *sights = event->sights_count == 0 ? NULL : json_array();
    for (uint32_t i = 0; i < event->sights_count; i++) {
        put_last(&making, sights, sight_json(history, &history->sights[event->sights + i]));
    }
    json_t *touches = event->touches_count == 0 ? NULL : json_array();
    for (uint32_t i = 0; i < event->touches_count; i++) {
        put_last(&making, touches, touch_json(history, &history->touches[event->touches + i]));
    }
    if (sights != NULL) {
        put_value(&making, "sights", sights);
    }
    if (touches != NULL) {
        put_value(&making, "touches", touches);
    }
    return making;
}

static RESULT line_write(struct making making, FILE *file)
{
    bool written = json_dumpf(making.object, file, JSON_COMPACT) == 0 && fputc('\n', file) != EOF;
    json_decref(making.object);
    if (making.unsound) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    return written ? OK : FAIL(FAILURE_IO);
}

RESULT lines_write(const struct history *history, uint64_t seed, FILE *file)
{
    struct making head = making_begin();
    put_any(&head, "udatsu_history", 1);
    put_any(&head, "seed", seed);
    TRY(line_write(head, file));
    for (uint32_t i = 0; i < history->events_count; i++) {
        TRY(line_write(event_json(history, &history->events[i]), file));
    }
    return fflush(file) == 0 ? OK : FAIL(FAILURE_IO);
}
