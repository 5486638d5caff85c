/* What people do, and what they are answered. Decides how a deed is read from its words; the stage
 * does it. */
#include "base/check.h"
#include "base/slice.h"
#include "tests/scenario/story.h"

#include <string.h>

struct reading {
    struct deed deed;
    char path[STORY_LINE];
    uint64_t many; /* 0: one. */
};

static bool setting(struct words *words, struct deed *deed)
{
    const char *key = word_value(words, "key");
    const char *tag = word_value(words, "if-match");
    const char *project = word_value(words, "project");
    deed->key = key == NULL ? deed->key : key;
    deed->if_match = tag == NULL ? deed->if_match : tag;
    deed->project = project == NULL ? deed->project : project;
    return key != NULL || tag != NULL || project != NULL;
}

static bool wish_told(struct story *story, struct words *words, struct deed *deed)
{
    uint32_t before = UINT32_MAX;
    deed->size = (struct quota_amounts){ { 1, UINT64_C(96) << 20, 0, 0 } };
    while (words->at < words->count && words->at != before) {
        before = words->at;
        const char *value = NULL;
        uint64_t number = 0;
        if (word_is(words, "stopped")) {
            deed->stopped = true;
        } else if ((value = word_value(words, "network")) != NULL) {
            deed->network = value;
        } else if ((value = word_value(words, "spread")) != NULL) {
            deed->spread = value;
        } else if (word_is(words, "where=elsewhere")) {
            deed->elsewhere = true;
        } else if (word_is(words, "on-failure=stop")) {
            deed->stop_on_failure = true;
        } else if ((value = word_value(words, "attempts")) != NULL) {
            if (!word_number(story, value, &number)) {
                return false;
            }
            deed->attempts = (uint32_t)number;
        } else if (!setting(words, deed) && !word_amounts(story, words, &deed->size)) {
            return false;
        }
    }
    return true;
}

static bool path_told(struct story *story, struct words *words, struct reading *reading)
{
    (void)text_copy(reading->path, sizeof(reading->path), slice_text(word_next(words)));
    return word_path(story, reading->path, &reading->deed.tenant, &reading->deed.name);
}

static bool limits_told(struct story *story, struct words *words, struct deed *deed)
{
    deed->cap = (struct quota_amounts){ { 1000, UINT64_C(1000) << 30, 400, 60 } };
    deed->has_cap = word_is(words, "quota");
    if (deed->has_cap && !word_amounts(story, words, &deed->cap)) {
        return false;
    }
    deed->has_floor = word_is(words, "floor");
    if (deed->has_floor && !word_amounts(story, words, &deed->floor)) {
        return false;
    }
    (void)setting(words, deed);
    return true;
}

static bool verb_told(struct story *story, const char *word, struct deed *deed)
{
    static const char *const verbs[] = {
        [DEED_CREATE] = "creates", [DEED_START] = "starts",   [DEED_STOP] = "stops",
        [DEED_REBOOT] = "reboots", [DEED_DELETE] = "deletes", [DEED_LIMIT] = "limits",
        [DEED_REVOKE] = "revokes", [DEED_READ] = "reads",
    };
    for (size_t i = 1; i < COUNT_OF(verbs); i++) {
        if (strcmp(verbs[i], word) == 0) {
            deed->verb = (enum deed_verb)i;
            return true;
        }
    }
    return story_wrong(story, "nobody \"%s\" anything", word);
}

static bool object_told(struct story *story, struct words *words, struct reading *reading)
{
    struct deed *deed = &reading->deed;
    bool creates = deed->verb == DEED_CREATE;
    if (word_is(words, "instance")) {
        deed->noun = DEED_INSTANCE;
        bool told = path_told(story, words, reading) && (!creates || wish_told(story, words, deed));
        (void)setting(words, deed);
        return told;
    }
    if (word_is(words, "network")) {
        deed->noun = DEED_NETWORK;
        bool told = path_told(story, words, reading);
        deed->cidr = told && creates ? word_next(words) : NULL;
        (void)setting(words, deed);
        return told;
    }
    if (word_is(words, "tenant")) {
        deed->noun = DEED_TENANT;
        deed->tenant = word_next(words);
        return limits_told(story, words, deed);
    }
    if (word_is(words, "project")) {
        deed->noun = DEED_PROJECT;
        return path_told(story, words, reading) && limits_told(story, words, deed);
    }
    if (word_is(words, "user")) {
        deed->noun = DEED_USER;
        deed->name = word_next(words);
        return true;
    }
    if (word_is(words, "status")) {
        deed->noun = DEED_STATUS;
        return true;
    }
    const char *count = word_next(words);
    if (creates && word_is(words, "instances") && word_number(story, count, &reading->many)) {
        deed->noun = DEED_INSTANCE;
        return ((reading->many > 0 && reading->many <= STAGE_MANY) ||
                story_wrong(story, "1 to %d instances", STAGE_MANY)) &&
               path_told(story, words, reading) && wish_told(story, words, deed);
    }
    return story_wrong(story, "\"%s\" is nothing that a person does anything with", count);
}

bool story_deed(struct story *story, struct words *words, const char *person)
{
    char why[STAGE_TEXT] = "";
    struct reading reading = { .deed = { .who = person } };
    uint32_t before = stage_deeds(story->stage);
    if (!verb_told(story, word_next(words), &reading.deed) ||
        !object_told(story, words, &reading)) {
        return false;
    }
    if (!stage_do(story->stage, &reading.deed, (uint32_t)reading.many, why)) {
        return story_wrong(story, "this cannot be done: %s", why);
    }
    story->first = before + 1;
    story->last = stage_deeds(story->stage);
    CHECK(story->last >= story->first);
    return true;
}

/* ---- Answers ---- */

/* limit=10 usage=10 dimension=instances: what every refusal says besides its code. */
static bool refusal_says(struct story *story, const struct told *told, const struct words *words)
{
    struct words left = *words;
    while (left.at < left.count) {
        uint64_t number = 0;
        const char *value = word_value(&left, "dimension");
        if (value != NULL) {
            if (strcmp(value, told->dimension) != 0) {
                return story_untrue(story, "the dimension is \"%s\"", told->dimension);
            }
            continue;
        }
        bool limit = (value = word_value(&left, "limit")) != NULL;
        value = limit ? value : word_value(&left, "usage");
        if (value == NULL) {
            return story_wrong(story, "a refusal has dimension=, limit= and usage=");
        }
        uint64_t is = limit ? told->limit : told->usage;
        if (!word_number(story, value, &number)) {
            return false;
        }
        if (is != number) {
            return story_untrue(
                story, "the %s is %llu", limit ? "limit" : "usage", (unsigned long long)is);
        }
    }
    return true;
}

struct tally {
    uint64_t accepted;
    uint64_t refused;
    uint64_t waiting;
};

static bool count_answers(
    struct story *story, const char *code, const struct words *words, struct tally *tally)
{
    for (uint32_t number = story->first; number <= story->last; number++) {
        struct told told;
        stage_told(story->stage, number, &told);
        if (told.what == TOLD_WAITING) {
            tally->waiting++;
        } else if (told.what == TOLD_ACCEPTED) {
            tally->accepted++;
        } else if (strcmp(told.code, code) != 0) {
            return story_untrue(story, "it was refused: %s (%s)", told.code, told.detail);
        } else if (!refusal_says(story, &told, words)) {
            return false;
        } else {
            tally->refused++;
        }
    }
    return true;
}

static bool wanted_told(
    struct story *story, struct words *expected, struct tally *wanted, const char **code)
{
    uint64_t all = story->last - story->first + 1;
    if (expected->at < expected->count && expected->list[expected->at][0] <= '9') {
        if (!word_number(story, word_next(expected), &wanted->accepted) ||
            !word_is(expected, "accepted") ||
            !word_number(story, word_next(expected), &wanted->refused) ||
            !word_is(expected, "reject")) {
            return story_wrong(story, "many are answered \"N accepted M reject CODE\"");
        }
        *code = word_next(expected);
    } else if (word_is(expected, "accepted")) {
        wanted->accepted = all;
    } else if (word_is(expected, "waiting")) {
        wanted->waiting = all;
    } else if (word_is(expected, "reject")) {
        wanted->refused = all;
        *code = word_next(expected);
    } else {
        return story_wrong(story, "an answer is accepted, waiting, or reject CODE");
    }
    return true;
}

bool story_answered(struct story *story, struct words *expected)
{
    struct tally wanted = { 0, 0, 0 };
    struct tally is = { 0, 0, 0 };
    const char *code = "";
    if (story->first == 0) {
        return story_wrong(story, "nobody asked anything");
    }
    if (!wanted_told(story, expected, &wanted, &code)) {
        return false;
    }
    bool matches = count_answers(story, code, expected, &is);
    if (wanted.refused > 0) {
        expected->at = expected->count; /* Read with each refusal. */
    }
    if (matches && memcmp(&wanted, &is, sizeof(is)) != 0) {
        return story_untrue(
            story,
            "%llu accepted, %llu refused, %llu waiting",
            (unsigned long long)is.accepted,
            (unsigned long long)is.refused,
            (unsigned long long)is.waiting);
    }
    return matches;
}
