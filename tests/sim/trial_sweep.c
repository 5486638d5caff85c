/* Decides which values a swept parameter takes: numbers of one unit from a to b, or a list of
 * words. */
#include "base/check.h"
#include "base/slice.h"
#include "tests/sim/sim_number.h"
#include "tests/sim/trial_out.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool refuse(char why[static EXPERIMENT_WHY], const char *text, const char *what)
{
    (void)snprintf(
        why,
        EXPERIMENT_WHY,
        "--sweep %.80s: %s. Next: --sweep k=2s..30s/4s, or --sweep placement=best-fit,worst-fit.",
        text,
        what);
    return false;
}

bool trial_number(const char *text, double *number_out, const char **unit_out)
{
    static const char digits[] = "0123456789";
    const char *first = text + (*text == '-' ? 1 : 0);
    size_t whole = strspn(first, digits);
    const char *end = first + whole;
    size_t part = *end == '.' ? strspn(end + 1, digits) : 0;
    end += part > 0 ? part + 1 : 0;
    bool letters =
        strspn(end, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ%/") == strlen(end);
    if (whole == 0 || whole > 12 || !letters || strlen(end) > 4) {
        return false; /* 1e999 and 0x10 are words: what a file understands is what is drawn. */
    }
    *number_out = strtod(text, NULL);
    *unit_out = end;
    return true;
}

/* Whole numbers of one unit: a simulator's times are whole, and so are the steps between them. */
static bool whole(const char *text, uint64_t *number_out, const char **unit_out)
{
    size_t digits = strspn(text, "0123456789");
    char copy[24];
    (void)snprintf(copy, sizeof(copy), "%.*s", (int)digits, text);
    *unit_out = text + digits;
    return digits > 0 && digits < 12 && **unit_out != '.' &&
           sim_number(copy, 1000000000, number_out);
}

static bool numbers(
    struct trial_sweep *sweep,
    const char *text,
    const char *values,
    char why[static EXPERIMENT_WHY])
{
    char range[64];
    char low[24];
    char high[24];
    uint64_t first = 0;
    uint64_t last = 0;
    uint64_t step = 1;
    const char *units[3] = { "", "", "" };
    const char *slash = strchr(values, '/');
    size_t size = slash == NULL ? strlen(values) : (size_t)(slash - values);
    if (size >= sizeof(range)) {
        return refuse(why, text, "too long");
    }
    (void)snprintf(range, sizeof(range), "%.*s", (int)size, values);
    bool sound = experiment_range(range, low, high) && whole(low, &first, &units[0]) &&
                 whole(high, &last, &units[1]) &&
                 (slash == NULL || whole(slash + 1, &step, &units[2]));
    bool units_alike = sound && strcmp(units[0], units[1]) == 0 &&
                       (slash == NULL || strcmp(units[1], units[2]) == 0);
    if (!sound) {
        return refuse(
            why,
            text,
            "a range is FIRST..LAST, or FIRST..LAST/STEP, of whole numbers (1500ms, not 1.5s)");
    }
    if (!units_alike) {
        return refuse(why, text, "all numbers of a range have one unit");
    }
    if (first > last || step == 0) {
        return refuse(
            why,
            text,
            step == 0 ? "a step of 0 never ends" : "a range ascends, from its first to its last");
    }
    if ((last - first) / step >= TRIAL_SWEEP_VALUES) {
        return refuse(why, text, "at most 64 values");
    }
    for (uint64_t value = first; value <= last; value += step) {
        (void)snprintf(
            sweep->texts[sweep->count++],
            sizeof(sweep->texts[0]),
            "%llu%s",
            (unsigned long long)value,
            units[0]);
    }
    CHECK(sweep->count > 0);
    return true;
}

static bool list(
    struct trial_sweep *sweep,
    const char *text,
    const char *values,
    char why[static EXPERIMENT_WHY])
{
    while (*values != '\0') {
        size_t size = strcspn(values, ",");
        if (size == 0 || size >= sizeof(sweep->texts[0]) || sweep->count == TRIAL_SWEEP_VALUES) {
            return refuse(why, text, "a list is VALUE,VALUE…: at most 64 of up to 23 characters");
        }
        (void)snprintf(
            sweep->texts[sweep->count++], sizeof(sweep->texts[0]), "%.*s", (int)size, values);
        values += size + (values[size] == ',' ? 1 : 0);
    }
    return sweep->count > 0 ? true : refuse(why, text, "no value");
}

bool trial_sweep_parse(
    const char *text, struct trial_sweep *sweep_out, char why_out[static EXPERIMENT_WHY])
{
    struct trial_sweep sweep = { .count = 0 };
    const char *equals = strchr(text, '=');
    size_t size = equals == NULL ? 0 : (size_t)(equals - text);
    if (size == 0 || size >= sizeof(sweep.name)) {
        return refuse(why_out, text, "a sweep is NAME=VALUES");
    }
    for (size_t i = 0; i < size; i++) {
        if (!isalnum((unsigned char)text[i]) && text[i] != '_') {
            return refuse(why_out, text, "names are letters, digits and _");
        }
    }
    if (!text_is_clean(slice_text(text))) {
        return refuse(why_out, text, "values are text that can be shown");
    }
    (void)snprintf(sweep.name, sizeof(sweep.name), "%.*s", (int)size, text);
    bool sound = strstr(equals + 1, "..") != NULL ? numbers(&sweep, text, equals + 1, why_out)
                                                  : list(&sweep, text, equals + 1, why_out);
    if (sound) {
        *sweep_out = sweep;
    }
    return sound;
}
