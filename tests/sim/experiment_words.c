/* Decides which texts are durations, numbers, shares and ranges. A number without its unit is none:
 * nobody has to guess. */
#include "base/check.h"
#include "tests/sim/experiment.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

const char *experiment_key(const char *word, const char *key)
{
    size_t size = strlen(key);
    CHECK(size > 0);
    return strncmp(word, key, size) == 0 && word[size] == '=' ? word + size + 1 : NULL;
}

/* Digits with at most six behind a point, in millionths; the unit's text is left. */
static const char *millionths(const char *text, uint64_t *out)
{
    uint64_t value = 0;
    uint64_t part = 100000;
    if (!isdigit((unsigned char)*text)) {
        return NULL;
    }
    for (; isdigit((unsigned char)*text); text++) {
        value = value * 10 + (uint64_t)(*text - '0');
        if (value > 1000000000) {
            return NULL;
        }
    }
    value *= 1000000;
    if (*text == '.') {
        text++;
        if (!isdigit((unsigned char)*text)) {
            return NULL;
        }
        for (; isdigit((unsigned char)*text); text++) {
            value += (uint64_t)(*text - '0') * part;
            part /= 10;
        }
    }
    *out = value;
    return text;
}

bool experiment_duration(const char *text, uint64_t *us_out)
{
    static const struct {
        const char *unit;
        uint64_t us;
    } units[] = {
        { "us", 1 },
        { "ms", 1000 },
        { "s", 1000000 },
        { "min", 60000000 },
        { "h", UINT64_C(3600000000) },
    };
    uint64_t value = 0;
    const char *unit = millionths(text, &value);
    for (uint32_t i = 0; unit != NULL && i < COUNT_OF(units); i++) {
        if (strcmp(unit, units[i].unit) == 0) { /* At most 1e9 of the unit: nothing overflows. */
            *us_out = value / 1000000 * units[i].us + value % 1000000 * units[i].us / 1000000;
            return true;
        }
    }
    return false;
}

bool experiment_share(const char *text, int64_t *ppm_out)
{
    int64_t sign = *text == '-' ? -1 : 1;
    uint64_t value = 0;
    const char *unit = millionths(*text == '-' || *text == '+' ? text + 1 : text, &value);
    uint64_t ppm = 0;
    if (unit != NULL && strcmp(unit, "%") == 0) {
        ppm = value / 100;
    } else if (unit != NULL && strcmp(unit, "ppm") == 0) {
        ppm = value / 1000000;
    } else {
        return false;
    }
    if (ppm > 1000000) {
        return false;
    }
    *ppm_out = sign * (int64_t)ppm;
    return true;
}

bool experiment_range(const char *text, char low[static 24], char high[static 24])
{
    const char *dots = strstr(text, "..");
    size_t size = dots == NULL ? strlen(text) : (size_t)(dots - text);
    const char *second = dots == NULL ? text : dots + 2;
    if (size == 0 || size >= 24 || strlen(second) == 0 || strlen(second) >= 24) {
        return false;
    }
    (void)snprintf(low, 24, "%.*s", (int)size, text);
    (void)snprintf(high, 24, "%s", second);
    return true;
}

const char *experiment_machine(uint32_t machine)
{
    static char names[4][16];
    static uint32_t next;
    char *name = names[next++ % 4];
    bool node = plane_is_node(machine);
    uint32_t number = node ? machine - PLANE_CONTROLLERS + 1 : machine + 1;
    (void)snprintf(name, sizeof(names[0]), "%c%u", node ? 'n' : 'c', number);
    return name;
}
