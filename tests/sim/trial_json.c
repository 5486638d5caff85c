/* Decides how an outcome is told to programs: one JSON object a line; and which numbers of a trial
 * have a name. */
#include "base/check.h"
#include "base/slice.h"
#include "tests/sim/trial_out.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

static const struct {
    const char *name;
    const char *title;
} measures_known[TRIAL_MEASURES_END] = {
    [TRIAL_GOODPUT] = { "goodput", "goodput (requests done per second)" },
    [TRIAL_P50] = { "p50", "latency, median (ms)" },
    [TRIAL_P99] = { "p99", "latency, 99th percentile (ms)" },
    [TRIAL_MAX] = { "max", "latency, longest (ms)" },
    [TRIAL_UNAVAILABLE] = { "unavailable", "longest unavailability (ms)" },
    [TRIAL_ELECTIONS] = { "elections", "elections" },
    [TRIAL_QUEUE] = { "queue", "longest queue of a machine (messages)" },
    [TRIAL_STARTS] = { "starts", "guests started" },
    [TRIAL_MOVES] = { "moves", "guests started on another node than before" },
    [TRIAL_BUSIEST] = { "busiest", "most guests on one node" },
    [TRIAL_REFUSED] = { "refused", "requests refused" },
};

const char *trial_measure_name(enum trial_measure measure)
{
    CHECK(measure > 0 && measure < TRIAL_MEASURES_END);
    return measures_known[measure].name;
}

const char *trial_measure_title(enum trial_measure measure)
{
    CHECK(measure > 0 && measure < TRIAL_MEASURES_END);
    return measures_known[measure].title;
}

enum trial_measure trial_measure_named(const char *name)
{
    for (int i = 1; i < TRIAL_MEASURES_END; i++) {
        if (strcmp(measures_known[i].name, name) == 0) {
            return (enum trial_measure)i;
        }
    }
    return TRIAL_MEASURES_END;
}

/* Bytes of the character here; 0: none that everybody may see. */
static size_t clean_front(const char *text)
{
    bool no_character = /* U+FFFE, U+FFFF: XML holds neither. */
        strncmp(text, "\xef\xbf\xbe", 3) == 0 || strncmp(text, "\xef\xbf\xbf", 3) == 0;
    size_t left = strlen(text);
    for (size_t size = 1; size <= 4 && size <= left && !no_character; size++) {
        if (text_is_clean(slice_of((const uint8_t *)text, size))) {
            return size;
        }
    }
    return 0;
}

void trial_clean(const char *from, char *to, size_t size)
{
    enum { ESCAPED = 5 };
    CHECK(size > ESCAPED);
    while (*from != '\0' && size > ESCAPED) {
        size_t front = clean_front(from);
        size_t step = front > 0 ? front : 1;
        int wrote = front > 0 ? snprintf(to, size, "%.*s", (int)front, from)
                              : snprintf(to, size, "\\x%02X", (unsigned int)(unsigned char)*from);
        CHECK(wrote > 0 && (size_t)wrote < size);
        to += wrote;
        size -= (size_t)wrote;
        from += step;
    }
    *to = '\0';
}

static double ms(uint64_t us)
{
    return (double)us / 1000.0;
}

static double goodput(const struct trial_measures *measures)
{
    double seconds = (double)measures->duration_ms / 1000.0;
    return seconds > 0 ? (double)measures->acknowledged / seconds : 0;
}

double trial_measure_of(const struct trial_measures *measures, enum trial_measure measure)
{
    switch (measure) {
    case TRIAL_GOODPUT: return goodput(measures);
    case TRIAL_P50: return ms(trial_percentile(measures, 500));
    case TRIAL_P99: return ms(trial_percentile(measures, 990));
    case TRIAL_MAX: return ms(measures->latency_max_us);
    case TRIAL_UNAVAILABLE: return ms(measures->unavailable_us);
    case TRIAL_ELECTIONS: return (double)measures->elections;
    case TRIAL_QUEUE: return (double)measures->queue_max;
    case TRIAL_STARTS: return (double)measures->starts;
    case TRIAL_MOVES: return (double)measures->moves;
    case TRIAL_BUSIEST: return (double)measures->busiest;
    case TRIAL_REFUSED: return (double)measures->refused;
    case TRIAL_MEASURES_END: break;
    }
    UNREACHABLE();
    return 0;
}

/* ---- The object ---- */

static void put(json_t *object, const char *key, json_t *value)
{
    int failed = json_object_set_new(object, key, value);
    CHECK(failed == 0); /* Keys and texts are ours, or were read as text. */
}

static void put_number(json_t *object, const char *key, uint64_t number)
{
    CHECK(number <= INT64_MAX);
    put(object, key, json_integer((json_int_t)number));
}

/* Numbers in their own unit, so that a plot needs no parser; words as words. */
static void put_values(json_t *object, const struct trial_outcome *outcome)
{
    json_t *values = json_object();
    json_t *units = json_object();
    for (uint32_t i = 0; i < outcome->values_count; i++) {
        const struct experiment_value *value = &outcome->values[i];
        double number = 0;
        const char *unit = "";
        if (trial_number(value->text, &number, &unit)) {
            put(values, value->name, json_real(number));
            put(units, value->name, json_string(unit));
        } else {
            put(values, value->name, json_string(value->text));
        }
    }
    put(object, "parameters", values);
    put(object, "units", units);
}

static json_t *seconds(const uint32_t *numbers, uint64_t duration_ms)
{
    json_t *array = json_array();
    uint64_t count = (duration_ms + 999) / 1000;
    for (uint64_t i = 0; i < count && i < TRIAL_SECONDS; i++) {
        int failed = json_array_append_new(array, json_integer(numbers[i]));
        CHECK(failed == 0);
    }
    return array;
}

static json_t *strikes(const struct trial_measures *measures)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < measures->strikes_count; i++) {
        const struct trial_strike *strike = &measures->strikes[i];
        json_t *one = json_object();
        put(one, "at_s", json_real((double)strike->at_ms / 1000.0));
        put(one, "for_s", json_real((double)strike->for_ms / 1000.0));
        put(one, "what", json_string(strike->words));
        int failed = json_array_append_new(array, one);
        CHECK(failed == 0);
    }
    return array;
}

static void put_measures(json_t *object, const struct trial_measures *measures)
{
    json_t *latency = json_object();
    json_t *second = json_object();
    put_number(object, "commands", measures->commands);
    put_number(object, "acknowledged", measures->acknowledged);
    put_number(object, "refused", measures->refused);
    put_number(object, "skipped", measures->skipped);
    put(object, "goodput", json_real(goodput(measures)));
    put(latency, "p50", json_real(trial_measure_of(measures, TRIAL_P50)));
    put(latency, "p99", json_real(trial_measure_of(measures, TRIAL_P99)));
    put(latency, "max", json_real(trial_measure_of(measures, TRIAL_MAX)));
    put(object, "latency_ms", latency);
    put(object, "unavailable_ms", json_real(ms(measures->unavailable_us)));
    put_number(object, "elections", measures->elections);
    put_number(object, "queue_max", measures->queue_max);
    put_number(object, "starts", measures->starts);
    put_number(object, "moves", measures->moves);
    put_number(object, "busiest_node", measures->busiest);
    put_number(object, "faults_struck", measures->struck);
    put_number(object, "faults_missed", measures->missed);
    put(object, "faults", strikes(measures));
    put(second, "goodput", seconds(measures->goodput, measures->duration_ms));
    put(second, "queue", seconds(measures->queue, measures->duration_ms));
    put(second, "starts", seconds(measures->started, measures->duration_ms));
    put(second, "moves", seconds(measures->moved, measures->duration_ms));
    put(object, "per_second", second);
}

bool trial_json_head(
    uint64_t seed, const struct experiment_value *values, uint32_t count, FILE *file)
{
    json_t *object = json_object();
    put_number(object, "seed", seed);
    for (uint32_t i = 0; i < count; i++) {
        put(object, values[i].name, json_string(values[i].text));
    }
    bool written = json_dumpf(object, file, JSON_COMPACT) == 0;
    json_decref(object);
    return written && fputc('\n', file) == '\n';
}

bool trial_json_write(const struct trial_outcome *outcome, FILE *file)
{
    char hash[24];
    json_t *object = json_object();
    CHECK(object != NULL);
    (void)snprintf(hash, sizeof(hash), "%016" PRIx64, outcome->hash);
    put(object, "experiment", json_string(outcome->experiment));
    put_number(object, "seed", outcome->seed);
    put_values(object, outcome);
    put(object, "policy", json_string(outcome->policy));
    put(object,
        "verdict",
        json_string(
            outcome->clean   ? "clean"
            : outcome->stuck ? "stuck"
                             : "violation"));
    put(object, "what", json_string(outcome->clean ? "" : outcome->verdict));
    put(object, "duration_s", json_real((double)outcome->measures->duration_ms / 1000.0));
    put(object, "virtual_s", json_real((double)outcome->virtual_ms / 1000.0));
    put_measures(object, outcome->measures);
    put_number(object, "events", outcome->events);
    put(object, "trace_hash", json_string(hash));
    bool written = json_dumpf(object, file, JSON_COMPACT | JSON_REAL_PRECISION(9)) == 0;
    json_decref(object);
    return written && fputc('\n', file) == '\n';
}
