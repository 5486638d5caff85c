/* Decides what a number, a size, a span, a time and a choice look like on the command line.
 * Never rounds, never guesses: a text that is not exactly of the form is refused. */
#include "base/check.h"
#include "cli/args.h"

#include <string.h>
#include <time.h>

/* Digits at the front; false when there are none or they do not fit. */
static bool digits(const char **text, uint64_t *number_out)
{
    CHECK(text != NULL);
    CHECK(*text != NULL);
    const char *at = *text;
    uint64_t number = 0;
    if (*at < '0' || *at > '9') {
        return false;
    }
    for (; *at >= '0' && *at <= '9'; at++) {
        if (__builtin_mul_overflow(number, UINT64_C(10), &number) ||
            __builtin_add_overflow(number, (uint64_t)(*at - '0'), &number)) {
            return false;
        }
    }
    *text = at;
    *number_out = number;
    return true;
}

bool args_number(const char *text, uint64_t *number_out)
{
    uint64_t number = 0;
    if (!digits(&text, &number) || *text != '\0') {
        return false;
    }
    *number_out = number;
    return true;
}

bool args_bytes(const char *text, uint64_t *bytes_out)
{
    static const char units[] = "KMGT";
    uint64_t number = 0;
    if (!digits(&text, &number)) {
        return false;
    }
    if (*text != '\0') {
        const char *unit = strchr(units, *text);
        if (unit == NULL) {
            return false;
        }
        unsigned int shift = 10U * (1U + (unsigned int)(unit - units));
        CHECK(shift <= 40);
        text++;
        if (strcmp(text, "") != 0 && strcmp(text, "iB") != 0) {
            return false; /* "GB" would be another number. */
        }
        if (__builtin_mul_overflow(number, UINT64_C(1) << shift, &number)) {
            return false;
        }
    }
    *bytes_out = number;
    return true;
}

bool args_seconds(const char *text, uint64_t *seconds_out)
{
    static const struct {
        const char *unit;
        uint64_t seconds;
    } units[] = { { "", 1 }, { "s", 1 }, { "m", 60 }, { "h", 3600 }, { "d", 86400 } };
    uint64_t number = 0;
    if (!digits(&text, &number)) {
        return false;
    }
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (strcmp(text, units[i].unit) == 0) {
            if (__builtin_mul_overflow(number, units[i].seconds, &number)) {
                return false;
            }
            CHECK(number == 0 || number >= units[i].seconds);
            *seconds_out = number;
            return true;
        }
    }
    return false;
}

bool args_time(const char *text)
{
    CHECK(text != NULL);
    static const char shape[] =
        "dddd-dd-ddTdd:dd:ddZ"; /* strptime forgives blanks and lone digits. */
    struct tm parts;
    memset(&parts, 0, sizeof(parts));
    if (strlen(text) != sizeof(shape) - 1) {
        return false;
    }
    for (size_t i = 0; i < sizeof(shape) - 1; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';
        if (shape[i] == 'd' ? !digit : text[i] != shape[i]) {
            return false;
        }
    }
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
    CHECK(rest == NULL || rest > text);
    return rest != NULL && strcmp(rest, "Z") == 0;
}

bool args_choice(const char *choices, const char *text)
{
    CHECK(choices != NULL);
    CHECK(text != NULL);
    char word[32];
    for (uint32_t i = 0; verbs_choice(choices, i, word, sizeof(word)); i++) {
        if (strcmp(word, text) == 0) {
            return true;
        }
    }
    return false;
}
