/* Decides how an event is written as a line, and which lines are one. Never judges a history. */
#include "tests/history/lines.h"

#include "base/check.h"
#include "tests/history/words.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 1 << 20 };

/* ---- Writing ---- */

static void put_text(json_t *object, const char *key, const char *text)
{
    if (text[0] != '\0') {
        int failed = json_object_set_new(object, key, json_string(text));
        CHECK(failed == 0); /* Names are checked to be UTF-8 when they are read or made. */
    }
}

static void put_any(json_t *object, const char *key, uint64_t number)
{
    CHECK(number <= INT64_MAX);
    int failed = json_object_set_new(object, key, json_integer((json_int_t)number));
    CHECK(failed == 0);
}

static void put_number(json_t *object, const char *key, uint64_t number)
{
    if (number != 0) {
        put_any(object, key, number);
    }
}

static void put_true(json_t *object, const char *key, bool is)
{
    if (is) {
        int failed = json_object_set_new(object, key, json_true());
        CHECK(failed == 0);
    }
}

static void put_numbers(json_t *object, const char *key, const uint64_t *numbers, uint32_t count)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < count; i++) {
        CHECK(numbers[i] <= INT64_MAX);
        int failed = json_array_append_new(array, json_integer((json_int_t)numbers[i]));
        CHECK(failed == 0);
    }
    int failed = json_object_set_new(object, key, array);
    CHECK(failed == 0);
}

static void put_amounts(json_t *object, const char *key, const uint64_t *amounts, bool always)
{
    static const uint64_t nothing[HISTORY_AMOUNTS] = { 0 };
    if (always || memcmp(amounts, nothing, sizeof(nothing)) != 0) {
        put_numbers(object, key, amounts, HISTORY_AMOUNTS);
    }
}

static json_t *sight_json(const struct history *history, const struct history_sight *sight)
{
    json_t *object = json_object();
    put_text(object, "kind", words_kind(sight->kind));
    put_text(object, "object", history_text(history, sight->object));
    put_text(object, "stage", words_stage(sight->stage));
    put_number(object, "id", sight->id);
    if (sight->revision != HISTORY_UNTOLD) {
        put_any(object, "revision", sight->revision);
    }
    put_number(object, "value", sight->value);
    if (sight->epoch != HISTORY_UNTOLD) { /* None is an epoch, too. */
        put_any(object, "epoch", sight->epoch);
    }
    return object;
}

static json_t *touch_json(const struct history *history, const struct history_touch *touch)
{
    json_t *object = json_object();
    const char *list = history_text(history, touch->list);
    if (touch->kind == HISTORY_APPEND || !touch->listed) {
        put_text(object, touch->kind == HISTORY_APPEND ? "append" : "newest", list);
        put_number(object, "element", touch->element);
        return object;
    }
    put_text(object, "seen", list);
    put_number(object, "after", touch->after);
    put_numbers(object, "elements", history->elements + touch->elements, touch->count);
    put_true(object, "more", touch->more);
    put_true(object, "final", touch->final);
    return object;
}

static json_t *event_json(const struct history *history, const struct history_event *event)
{
    const struct history_told *told = &event->told;
    json_t *object = json_object();
    put_number(object, "client", event->client);
    put_text(object, "f", words_f(event->f));
    put_text(object, "kind", words_kind(event->kind));
    put_text(object, "object", history_text(history, event->object));
    put_text(object, "account", history_text(history, event->account));
    put_text(object, "key", history_text(history, event->key));
    put_text(object, "on", history_text(history, event->on));
    put_number(object, "value", event->value);
    put_number(object, "match", event->match);
    put_amounts(object, "amounts", event->amounts, false);
    put_number(object, "invoke", event->invoke_ns);
    if (told->at_ns != HISTORY_OPEN) {
        put_any(object, "return", told->at_ns);
    }
    put_text(object, "outcome", words_outcome(told->outcome));
    put_text(object, "refusal", told->refusal == 0 ? "" : words_refusal(told->refusal));
    put_number(object, "id", told->id);
    put_number(object, "operation", told->operation);
    put_true(object, "done", told->done);
    put_number(object, "index", told->index);
    put_number(object, "term", told->term);
    put_amounts(object, "charged", told->charged, event->f == HISTORY_ACCOUNT);
    if (told->summed) {
        put_amounts(object, "inventory", told->inventory, true);
    }
    put_true(object, "whole", event->whole);
    json_t *sights = json_array();
    for (uint32_t i = 0; i < event->sights_count; i++) {
        const struct history_sight *sight = &history->sights[event->sights + i];
        int failed = json_array_append_new(sights, sight_json(history, sight));
        CHECK(failed == 0);
    }
    json_t *touches = json_array();
    for (uint32_t i = 0; i < event->touches_count; i++) {
        const struct history_touch *touch = &history->touches[event->touches + i];
        int failed = json_array_append_new(touches, touch_json(history, touch));
        CHECK(failed == 0);
    }
    int failed = 0;
    failed += json_array_size(sights) == 0 ? 0 : json_object_set(object, "sights", sights);
    failed += json_array_size(touches) == 0 ? 0 : json_object_set(object, "touches", touches);
    CHECK(failed == 0);
    json_decref(sights);
    json_decref(touches);
    return object;
}

RESULT lines_write(const struct history *history, uint64_t seed, FILE *file)
{
    if (fprintf(file, "{\"udatsu_history\":1,\"seed\":%" PRIu64 "}\n", seed) < 0) {
        return FAIL(FAILURE_IO);
    }
    for (uint32_t i = 0; i < history->events_count; i++) {
        json_t *object = event_json(history, &history->events[i]);
        int failed = json_dumpf(object, file, JSON_COMPACT);
        json_decref(object);
        if (failed != 0 || fputc('\n', file) == EOF) {
            return FAIL(FAILURE_IO);
        }
    }
    return fflush(file) == 0 ? OK : FAIL(FAILURE_IO);
}

/* ---- Reading ---- */

/* Fields are taken one by one; what is left at the end was not known. */
struct taking {
    json_t *object;
    size_t taken;
    const char *wrong; /* NULL: nothing. */
};

static json_t *take(struct taking *taking, const char *key)
{
    json_t *value = json_object_get(taking->object, key);
    taking->taken += value != NULL ? 1 : 0;
    return value;
}

static uint64_t take_number(struct taking *taking, const char *key, uint64_t otherwise)
{
    const json_t *value = take(taking, key);
    if (value == NULL) {
        return otherwise;
    }
    if (!json_is_integer(value) || json_integer_value(value) < 0) {
        taking->wrong = key;
        return otherwise;
    }
    return (uint64_t)json_integer_value(value);
}

static const char *take_text(struct taking *taking, const char *key)
{
    const json_t *value = take(taking, key);
    if (value == NULL) {
        return "";
    }
    if (!json_is_string(value) || json_string_length(value) >= HISTORY_NAME ||
        strlen(json_string_value(value)) != json_string_length(value)) {
        taking->wrong = key;
        return "";
    }
    return json_string_value(value);
}

static bool take_true(struct taking *taking, const char *key)
{
    const json_t *value = take(taking, key);
    if (value != NULL && !json_is_true(value)) {
        taking->wrong = key;
    }
    return value != NULL;
}

static bool numbers_of(const json_t *array, uint64_t *numbers_out, size_t count)
{
    if (!json_is_array(array) || json_array_size(array) != count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_array_get(array, i);
        if (!json_is_integer(value) || json_integer_value(value) < 0) {
            return false;
        }
        numbers_out[i] = (uint64_t)json_integer_value(value);
    }
    return true;
}

static bool take_amounts(struct taking *taking, const char *key, uint64_t *amounts_out)
{
    const json_t *array = take(taking, key);
    if (array != NULL && !numbers_of(array, amounts_out, HISTORY_AMOUNTS)) {
        taking->wrong = key;
    }
    return array != NULL;
}

static bool take_end(struct taking *taking)
{
    if (taking->wrong == NULL && taking->taken != json_object_size(taking->object)) {
        taking->wrong = "a field that is not known";
    }
    return taking->wrong == NULL;
}

static bool sight_take(
    struct history *history, uint32_t event, json_t *object, const char **wrong_out)
{
    struct taking taking = { .object = object };
    struct history_sight sight = { .kind = words_kind_of(take_text(&taking, "kind")),
                                   .stage = words_stage_of(take_text(&taking, "stage")),
                                   .id = take_number(&taking, "id", 0),
                                   .epoch = take_number(&taking, "epoch", HISTORY_UNTOLD),
                                   .revision = take_number(&taking, "revision", HISTORY_UNTOLD),
                                   .value = take_number(&taking, "value", 0) };
    const char *name = take_text(&taking, "object");
    if (!take_end(&taking) || sight.kind == HISTORY_KIND_END || sight.stage == HISTORY_STAGE_END ||
        name[0] == '\0') {
        *wrong_out = taking.wrong != NULL ? taking.wrong : "sights";
        return false;
    }
    history_add_sight(history, event, name, &sight);
    return true;
}

static bool read_take(
    struct history *history, uint32_t event, const char *list, struct taking *taking)
{
    json_t *array = take(taking, "elements");
    struct history_read read = { .after = take_number(taking, "after", 0),
                                 .more = take_true(taking, "more"),
                                 .final = take_true(taking, "final") };
    size_t count = json_array_size(array);
    uint64_t *elements = calloc(count + 1, sizeof(*elements));
    CHECK(elements != NULL);
    bool fits = json_is_array(array) && count <= UINT32_MAX && numbers_of(array, elements, count) &&
                take_end(taking);
    if (fits) {
        read.elements = elements;
        read.count = (uint32_t)count;
        history_add_read(history, event, list, &read);
    }
    free(elements);
    return fits;
}

static bool touch_take(
    struct history *history, uint32_t event, json_t *object, const char **wrong_out)
{
    struct taking taking = { .object = object };
    const char *append = take_text(&taking, "append");
    const char *newest = take_text(&taking, "newest");
    const char *seen = take_text(&taking, "seen");
    int kinds = (append[0] != '\0') + (newest[0] != '\0') + (seen[0] != '\0');
    bool fits = kinds == 1;
    if (fits && seen[0] != '\0') {
        fits = read_take(history, event, seen, &taking);
    } else if (fits) {
        uint64_t element = take_number(&taking, "element", 0);
        fits = take_end(&taking);
        if (fits && append[0] != '\0') {
            history_add_append(history, event, append, element);
        } else if (fits) {
            history_add_newest(history, event, newest, element);
        }
    }
    *wrong_out = taking.wrong != NULL ? taking.wrong : "touches";
    return fits;
}

static bool each(
    struct history *history,
    uint32_t event,
    json_t *array,
    bool (*one)(struct history *, uint32_t, json_t *, const char **),
    const char **wrong_out)
{
    if (array != NULL && !json_is_array(array)) {
        *wrong_out = "sights or touches";
        return false;
    }
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (!one(history, event, json_array_get(array, i), wrong_out)) {
            return false;
        }
    }
    return true;
}

static bool meaning_fits(
    const struct history_asked *asked, const struct history_told *told, bool whole)
{
    if (asked->f == HISTORY_F_END || asked->kind == HISTORY_KIND_END ||
        told->outcome == HISTORY_OUTCOME_END || told->refusal == HISTORY_REFUSAL_END ||
        (told->outcome == HISTORY_FAIL) != (told->refusal != 0) ||
        (whole && asked->f != HISTORY_LIST)) {
        return false;
    }
    bool open = told->at_ns == HISTORY_OPEN;
    return told->outcome == HISTORY_INFO ? open : !open && told->at_ns >= asked->at_ns;
}

static bool event_take(struct history *history, json_t *object, const char **wrong_out)
{
    struct taking taking = { .object = object };
    struct history_asked asked = { .client = (uint32_t)take_number(&taking, "client", 0),
                                   .f = words_f_of(take_text(&taking, "f")),
                                   .kind = words_kind_of(take_text(&taking, "kind")),
                                   .object = take_text(&taking, "object"),
                                   .account = take_text(&taking, "account"),
                                   .key = take_text(&taking, "key"),
                                   .on = take_text(&taking, "on"),
                                   .at_ns = take_number(&taking, "invoke", 0),
                                   .value = take_number(&taking, "value", 0),
                                   .match = take_number(&taking, "match", 0) };
    const char *refusal = take_text(&taking, "refusal");
    struct history_told told = { .outcome = words_outcome_of(take_text(&taking, "outcome")),
                                 .at_ns = take_number(&taking, "return", HISTORY_OPEN),
                                 .id = take_number(&taking, "id", 0),
                                 .operation = take_number(&taking, "operation", 0),
                                 .done = take_true(&taking, "done"),
                                 .index = take_number(&taking, "index", 0),
                                 .term = take_number(&taking, "term", 0) };
    told.refusal = refusal[0] == '\0' ? 0 : words_refusal_of(refusal);
    (void)take_amounts(&taking, "amounts", asked.amounts); /* None: nothing is charged. */
    (void)take_amounts(&taking, "charged", told.charged);
    told.summed = take_amounts(&taking, "inventory", told.inventory);
    bool whole = take_true(&taking, "whole");
    json_t *sights = take(&taking, "sights");
    json_t *touches = take(&taking, "touches");
    if (!take_end(&taking) || !meaning_fits(&asked, &told, whole)) {
        *wrong_out = taking.wrong != NULL ? taking.wrong : "what it says does not fit together";
        return false;
    }
    uint32_t event = history_invoke(history, &asked);
    history_return(history, event, &told);
    if (whole) {
        history_whole(history, event);
    }
    return each(history, event, sights, sight_take, wrong_out) &&
           each(history, event, touches, touch_take, wrong_out);
}

static bool head_take(json_t *object, uint64_t *seed_out)
{
    struct taking taking = { .object = object };
    bool known = take_number(&taking, "udatsu_history", 0) == 1;
    *seed_out = take_number(&taking, "seed", 0);
    return take_end(&taking) && known;
}

static RESULT refused(char *why_out, uint64_t line, const char *what)
{
    (void)snprintf(why_out, LINES_WHY, "line %" PRIu64 ": %s", line, what);
    return FAIL(FAILURE_BAD_INPUT);
}

RESULT lines_read(FILE *file, struct history *history, uint64_t *seed_out, char *why_out)
{
    CHECK(history->events_count == 0);
    char *text = NULL;
    size_t room = 0;
    ssize_t size = 0;
    uint64_t line = 0;
    struct result result = OK;
    while (result.code == 0 && (size = getline(&text, &room, file)) > 0) {
        json_error_t error;
        const char *wrong = "not a JSON object";
        line++;
        if (size > LINE_MAX_BYTES) {
            result = refused(why_out, line, "too long");
            break;
        }
        json_t *object = json_loadb(text, (size_t)size, JSON_REJECT_DUPLICATES, &error);
        bool fits = json_is_object(object) &&
                    (line == 1 ? head_take(object, seed_out) : event_take(history, object, &wrong));
        json_decref(object);
        result = fits ? OK : refused(why_out, line, line == 1 ? "not a history" : wrong);
    }
    free(text);
    if (result.code == 0 && (ferror(file) != 0 || line == 0)) {
        result = refused(why_out, line, "cannot be read");
    }
    return result.code == 0 && history->full ? refused(why_out, line, "too many events") : result;
}
