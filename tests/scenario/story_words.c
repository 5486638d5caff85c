/* Words of a clause, numbers with units, paths. Decides what they say, never whether it is true. */
#include "base/check.h"
#include "tests/scenario/story.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *word_next(struct words *words)
{
    return words->at < words->count ? words->list[words->at++] : "";
}

bool word_is(struct words *words, const char *word)
{
    if (words->at < words->count && strcmp(words->list[words->at], word) == 0) {
        words->at++;
        return true;
    }
    return false;
}

bool words_are(struct words *words, const char *first, const char *second, const char *third)
{
    uint32_t before = words->at;
    bool all = word_is(words, first) && (second == NULL || word_is(words, second)) &&
               (third == NULL || word_is(words, third));
    words->at = all ? words->at : before;
    return all;
}

const char *word_value(struct words *words, const char *key)
{
    size_t size = strlen(key);
    if (words->at < words->count && strncmp(words->list[words->at], key, size) == 0 &&
        words->list[words->at][size] == '=') {
        return words->list[words->at++] + size + 1;
    }
    return NULL;
}

bool word_number(struct story *story, const char *text, uint64_t *number_out)
{
    static const struct {
        const char *name;
        uint64_t times;
    } units[] = {
        { "", 1 },
        { "%", 1 },
        { "KiB", UINT64_C(1) << 10 },
        { "MiB", UINT64_C(1) << 20 },
        { "GiB", UINT64_C(1) << 30 },
        { "TiB", UINT64_C(1) << 40 },
        { "ms", 1 },
        { "s", 1000 },
        { "m", UINT64_C(60) * 1000 },
        { "h", UINT64_C(3600) * 1000 },
    };
    char *unit = NULL;
    if (text[0] < '0' || text[0] > '9') {
        return story_wrong(story, "\"%s\" is not a number", text);
    }
    errno = 0;
    uint64_t number = strtoull(text, &unit, 10);
    bool fits = errno == 0;
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (strcmp(unit, units[i].name) == 0) {
            fits = fits && !__builtin_mul_overflow(number, units[i].times, number_out);
            return fits || story_wrong(story, "\"%s\" is too large a number", text);
        }
    }
    return story_wrong(story, "\"%s\" has no unit that is known", text);
}

bool word_path(struct story *story, char *text, const char **tenant_out, const char **name_out)
{
    char *slash = strchr(text, '/');
    if (slash == NULL || slash == text || slash[1] == '\0') {
        return story_wrong(story, "\"%s\" is not tenant/name", text);
    }
    *slash = '\0';
    *tenant_out = text;
    *name_out = slash + 1;
    return true;
}

/* vcpus=1 memory=1GiB instances=1 networks=1, any of them, in any order. */
bool word_amounts(struct story *story, struct words *words, struct quota_amounts *amounts)
{
    static const char *const names[] = { "vcpus", "memory", "instances", "networks" };
    _Static_assert(COUNT_OF(names) == QUOTA_DIMENSIONS, "every dimension has its word");
    bool found = true;
    while (found) {
        found = false;
        for (size_t i = 0; i < COUNT_OF(names); i++) {
            const char *value = word_value(words, names[i]);
            if (value == NULL) {
                continue;
            }
            found = true;
            if (!word_number(story, value, &amounts->of[i])) {
                return false;
            }
        }
    }
    return true;
}

bool words_split(struct story *story, char *text, struct words *words)
{
    char *rest = NULL;
    *words = (struct words){ .count = 0 };
    for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        if (words->count == STORY_WORDS) {
            return story_wrong(story, "a clause of more than %d words", STORY_WORDS);
        }
        words->list[words->count++] = word;
    }
    return words->count > 0 || story_wrong(story, "an empty clause");
}
