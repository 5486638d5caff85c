/* Decides which preferences a header holds. Never decides whether one is followed. */
#include "controller/api_prefer.h"

#include "base/check.h"
#include "base/slice.h"

#include <string.h>
#include <strings.h>

static const char space[] = " \t";

/* A token, or a quoted string without its quotes; goes behind it. */
static struct slice take_word(const char **at)
{
    const char *from = *at;
    if (*from != '"') {
        size_t size = strcspn(from, " \t=;,\"");
        *at = from + size;
        return slice_of(from, size);
    }
    const char *end = ++from;
    while (*end != '\0' && *end != '"') {
        end += *end == '\\' && end[1] != '\0' ? 2 : 1;
    }
    *at = *end == '"' ? end + 1 : end;
    return slice_of(from, (size_t)(end - from));
}

/* The value behind '='; empty when there is none. */
static struct slice take_value(const char **at)
{
    *at += strspn(*at, space);
    if (**at != '=') {
        return SLICE_EMPTY;
    }
    (*at)++;
    *at += strspn(*at, space);
    return take_word(at);
}

/* Goes behind the comma that ends this preference, past its parameters: none of ours has any. */
static void skip_rest(const char **at)
{
    while (**at != '\0' && **at != ',') {
        if (**at == '"') {
            (void)take_word(at); /* A comma inside of quotes ends nothing. */
        } else {
            (*at)++;
        }
    }
    *at += **at == ',' ? 1 : 0;
}

static bool is_word(struct slice word, const char *wanted)
{
    return word.size == strlen(wanted) &&
           strncasecmp((const char *)word.data, wanted, word.size) == 0;
}

static uint32_t wait_seconds(struct slice value)
{
    uint32_t seconds = 0;
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') {
            return 0;
        }
        seconds = seconds * 10 + (uint32_t)(value.data[i] - '0');
        seconds = seconds > API_WAIT_SECONDS_MAX ? API_WAIT_SECONDS_MAX : seconds;
    }
    return seconds;
}

void api_prefer(const char *header, struct api_preferences *preferences)
{
    CHECK(header != NULL);
    CHECK(preferences != NULL);
    for (const char *at = header; *at != '\0';) {
        at += strspn(at, " \t,");
        struct slice name = take_word(&at);
        struct slice value = take_value(&at);
        skip_rest(&at);
        if (is_word(name, "wait") && !preferences->wait_said) {
            preferences->wait_said = true;
            preferences->wait_seconds = wait_seconds(value);
        } else if (is_word(name, "return") && !preferences->return_said) {
            preferences->return_said = true;
            preferences->minimal = is_word(value, "minimal");
        }
    }
    CHECK(preferences->wait_seconds <= API_WAIT_SECONDS_MAX);
}
