/* Decides which lines are a history, and how much memory they need. Reads what is outside: every
 * line is bounded, every name is clean text. Never judges a history. */
#include "tests/history/lines.h"

#include "base/check.h"
#include "base/slice.h"
#include "tests/history/merge.h"
#include "tests/history/words.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 1 << 20 };

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

/* An integer, or the digits of one that is too great for JSON's. */
static bool number_of(const json_t *value, uint64_t *number_out)
{
    char digits[24];
    if (json_is_integer(value) && json_integer_value(value) >= 0) {
        *number_out = (uint64_t)json_integer_value(value);
        return true;
    }
    if (!json_is_string(value) || json_string_length(value) >= sizeof(digits)) {
        return false;
    }
    uint64_t number = strtoull(json_string_value(value), NULL, 10);
    (void)snprintf(digits, sizeof(digits), "%" PRIu64, number);
    *number_out = number;
    return number > INT64_MAX && strcmp(digits, json_string_value(value)) == 0;
}

static uint64_t take_number(struct taking *taking, const char *key, uint64_t otherwise)
{
    const json_t *value = take(taking, key);
    uint64_t number = 0;
    if (value == NULL) {
        return otherwise;
    }
    if (!number_of(value, &number)) {
        taking->wrong = key;
        return otherwise;
    }
    return number;
}

/* Names are printed in verdicts: they are clean text. */
static const char *take_text(struct taking *taking, const char *key)
{
    const json_t *value = take(taking, key);
    if (value == NULL) {
        return "";
    }
    if (!json_is_string(value) || json_string_length(value) >= HISTORY_NAME ||
        !text_is_clean(slice_of(json_string_value(value), json_string_length(value)))) {
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
        if (!number_of(json_array_get(array, i), &numbers_out[i])) {
            return false;
        }
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
    bool write = merge_is_write(asked->f);
    bool many = asked->f == HISTORY_LIST || asked->f == HISTORY_ACCOUNT;
    if ((asked->key[0] != '\0' && !write) || (asked->object[0] == '\0' && !many) ||
        (write && (asked->f == HISTORY_SET) != (asked->kind == HISTORY_VALUE))) {
        return false;
    }
    bool open = told->at_ns == HISTORY_OPEN;
    return told->outcome == HISTORY_INFO ? open : !open && told->at_ns >= asked->at_ns;
}

static bool event_take(struct history *history, json_t *object, const char **wrong_out)
{
    struct taking taking = { .object = object };
    uint64_t client = take_number(&taking, "client", 0);
    struct history_asked asked = { .client = (uint32_t)client,
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
    if (client > UINT32_MAX) {
        taking.wrong = "client";
    }
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

/* The next line, with its end, into a room of LINE_MAX_BYTES + 1. 0: there is none; more than
 * LINE_MAX_BYTES: it is too long, and was not read to its end. */
static size_t line_take(FILE *file, char *text)
{
    size_t size = 0;
    int byte = 0;
    while (byte != '\n' && size <= LINE_MAX_BYTES && (byte = getc_unlocked(file)) != EOF) {
        text[size++] = (char)byte;
    }
    return size;
}

RESULT lines_read(FILE *file, struct history *history, uint64_t *seed_out, char *why_out)
{
    CHECK(history->events_count == 0);
    char *text = malloc(LINE_MAX_BYTES + 1);
    CHECK(text != NULL);
    size_t size = 0;
    uint64_t line = 0;
    struct result result = OK;
    while (result.code == 0 && !history->full && (size = line_take(file, text)) > 0) {
        json_error_t error;
        const char *wrong = "not a JSON object";
        line++;
        if (size > LINE_MAX_BYTES) {
            result = refused(why_out, line, "too long");
            break;
        }
        json_t *object = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
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

/* ---- How much there is ---- */

/* No event, touch or element of one is written in fewer bytes; a sight takes more than a touch. */
enum { EVENT_BYTES = 40, TOUCH_BYTES = 14, ELEMENT_BYTES = 2, NAMES_OF_EVENT = 4 };

/* What one line may hold. A name that holds braces or commas makes it more, never less. */
struct marks {
    uint64_t bytes;
    uint64_t braces;
    uint64_t commas;
};

static uint64_t least(uint64_t one, uint64_t other)
{
    return one < other ? one : other;
}

static void marks_add(const struct marks *marks, uint64_t counts[static 4])
{
    uint64_t parts = least(marks->braces == 0 ? 0 : marks->braces - 1, marks->bytes / TOUCH_BYTES);
    uint64_t events = marks->bytes >= EVENT_BYTES ? 1 : 0; /* What is shorter is none. */
    counts[0] += events;
    counts[1] += parts;
    counts[2] += least(marks->commas, marks->bytes / ELEMENT_BYTES);
    counts[3] += events * NAMES_OF_EVENT + parts;
}

bool lines_measure(FILE *file, struct history_limits *limits_out)
{
    uint64_t counts[4] = { 1, 1, 1, 1 };
    struct marks marks = { 0, 0, 0 };
    int byte = 0;
    while ((byte = getc_unlocked(file)) != EOF) {
        marks.bytes++;
        marks.braces += byte == '{' ? 1 : 0;
        marks.commas += byte == ',' || byte == '[' ? 1 : 0;
        if (byte == '\n') {
            marks_add(&marks, counts);
            marks = (struct marks){ 0, 0, 0 };
        }
    }
    marks_add(&marks, counts);
    rewind(file);
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        if (counts[i] > LINES_COUNT_MAX) {
            return false;
        }
    }
    *limits_out = (struct history_limits){ .events = (uint32_t)counts[0],
                                           .sights = (uint32_t)counts[1],
                                           .touches = (uint32_t)counts[1],
                                           .elements = (uint32_t)counts[2],
                                           .names = (uint32_t)counts[3] };
    return true;
}
