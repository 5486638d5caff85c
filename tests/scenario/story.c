/* Reads a story line by line and hands each clause to the file of its keyword. Decides what is a
 * story; never what is true. */
#include "tests/scenario/story.h"

#include "base/check.h"
#include "controller/core/read.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool ends(struct story *story, enum story_end end, const char *format, va_list list)
{
    if (story->end == STORY_TRUE) {
        int used = snprintf(
            story->why, sizeof(story->why), "%s:%u: ", story->path, (unsigned int)story->line);
        CHECK(used > 0 && (size_t)used < sizeof(story->why));
        (void)vsnprintf(story->why + used, sizeof(story->why) - (size_t)used, format, list);
        story->end = end;
    }
    return false;
}

bool story_untrue(struct story *story, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    bool never = ends(story, STORY_UNTRUE, format, list);
    va_end(list);
    return never;
}

bool story_wrong(struct story *story, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    bool never = ends(story, STORY_WRONG, format, list);
    va_end(list);
    return never;
}

struct desk *story_desk(struct story *story)
{
    if (story->desk == NULL) {
        story->desk = desk_open(&story->conf);
        const Wire__Answer *image = say_image(story->desk, story->desk->operator_person, "linux");
        CHECK(image != NULL && image->reject == 0);
    }
    return story->desk;
}

/* ---- Words ---- */

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
        { "", 1 },          { "%", 1 },
        { "KiB", 1024 },    { "MiB", SAY_MIB },
        { "GiB", SAY_GIB }, { "TiB", SAY_GIB * 1024 },
        { "ms", 1 },        { "s", 1000 },
        { "m", 60 * 1000 }, { "h", 3600 * 1000 },
    };
    char *unit = NULL;
    if (text[0] < '0' || text[0] > '9') {
        return story_wrong(story, "\"%s\" is not a number", text);
    }
    uint64_t number = strtoull(text, &unit, 10);
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (strcmp(unit, units[i].name) == 0) {
            *number_out = number * units[i].times;
            return true;
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

static bool split(struct story *story, char *text, struct words *words)
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

/* ---- Always ---- */

static bool always_told(struct story *story, const char *clause)
{
    if (strcmp(clause, "ledger = inventory") == 0) {
        story->ledger = true;
    } else if (strcmp(clause, "each accepted write has exactly one leaf") == 0) {
        story->leaves = true;
    } else if (strcmp(clause, "a second engine has the same digest") == 0) {
        story->digests = true;
    } else {
        return story_wrong(story, "always \"%s\" is not known", clause);
    }
    return true;
}

/* How many writes were accepted since the story began (a repeated one counts once), and of how many
 * the outcome is not known to who asked. */
static uint32_t accepted(const struct story *story, uint32_t *unknown_out)
{
    uint32_t count = 0;
    *unknown_out = 0;
    for (uint32_t i = 0; i < story->handles_count; i++) {
        const Wire__Answer *answer = desk_answer(story->desk, story->handles[i]);
        *unknown_out += answer != NULL && answer->reject == REJECT_OUTCOME_UNKNOWN ? 1 : 0;
        bool counts = answer != NULL && answer->reject == 0 && answer->operation != NULL;
        for (uint32_t k = 0; counts && k < i; k++) {
            const Wire__Answer *before = desk_answer(story->desk, story->handles[k]);
            counts = before == NULL || before->operation == NULL ||
                     strcmp(before->operation->id, answer->operation->id) != 0;
        }
        count += counts ? 1 : 0;
    }
    return count;
}

static bool leaves_hold(struct story *story)
{
    uint32_t count = 0;
    for (uint32_t i = story->leaves_before; i < story->desk->leaves_count; i++) {
        const struct desk_leaf *leaf = &story->desk->leaves[i];
        count += leaf->actor_kind == WIRE__KIND__KIND_USER && leaf->reject == 0 ? 1 : 0;
    }
    uint32_t unknown = 0;
    uint32_t wanted = accepted(story, &unknown);
    return (count >= wanted && count <= wanted + unknown) ||
           story_untrue(
               story,
               "%u writes were accepted and %u leaves say so",
               (unsigned int)wanted,
               (unsigned int)count);
}

bool story_always(struct story *story)
{
    if (story->desk == NULL || !story->began) {
        return true;
    }
    uint64_t wrong = story->ledger ? read_ledger_mismatches(desk_state(story->desk)) : 0;
    story->checks +=
        (story->ledger ? 1U : 0U) + (story->leaves ? 1U : 0U) + (story->digests ? 1U : 0U);
    if (wrong != 0) { /* INV-LED-2 */
        return story_untrue(
            story, "%llu accounts are not what is there", (unsigned long long)wrong);
    }
    if (story->digests && story->desk->digests_differ) { /* INV-REF-1 */
        return story_untrue(story, "a second engine came to another digest");
    }
    /* An entry that is not committed has neither leaf nor answer; it is judged when it is. */
    return !story->leaves || story->desk->pending_count > 0 || leaves_hold(story);
}

/* ---- Lines ---- */

static bool clause_told(struct story *story, const char *keyword, char *clause)
{
    struct words words;
    struct words expected = { .count = 0 };
    char *arrow = strstr(clause, "->");
    bool expects = arrow != NULL;
    if (expects) {
        *arrow = '\0';
        if (!split(story, arrow + 2, &expected)) {
            return false;
        }
    }
    if (expects && strcmp(keyword, "when") != 0) {
        return story_wrong(story, "only what somebody does has an answer");
    }
    if (!split(story, clause, &words)) {
        return false;
    }
    story->clauses++;
    bool told = false;
    if (strcmp(keyword, "given") == 0) {
        told = story->began ? story_wrong(story, "given comes before when")
                            : story_given(story, &words);
    } else if (strcmp(keyword, "when") == 0) {
        if (!story->began) {
            story->leaves_before = story_desk(story)->leaves_count;
            story->began = true;
        }
        told = story_when(story, &words, &expected, expects);
    } else if (strcmp(keyword, "then") == 0) {
        (void)story_desk(story);
        told = story_then(story, &words);
    } else {
        return story_wrong(story, "\"%s\" is no keyword", keyword);
    }
    if (told && words.at < words.count) {
        return story_wrong(story, "\"%s\" is not understood here", words.list[words.at]);
    }
    if (told && expected.at < expected.count) {
        return story_wrong(story, "\"%s\" is no answer", expected.list[expected.at]);
    }
    return told && story_always(story);
}

static char *trimmed(char *text)
{
    while (*text == ' ') {
        text++;
    }
    size_t size = strlen(text);
    while (size > 0 && text[size - 1] == ' ') {
        text[--size] = '\0';
    }
    return text;
}

/* `always` is known from the first line on, wherever it stands. */
static bool line_told(struct story *story, char *line, bool always)
{
    char *text = trimmed(line);
    if (text[0] == '\0' || text[0] == '#') {
        return true;
    }
    char *rest = strchr(text, ' ');
    if (rest == NULL) {
        return story_wrong(story, "\"%s\" says nothing", text);
    }
    *rest++ = '\0';
    bool is_always = strcmp(text, "always") == 0;
    if (is_always != always) {
        return true;
    }
    bool told = true;
    while (told && rest != NULL) {
        char *next = strstr(rest, " ; ");
        if (next != NULL) {
            *next = '\0';
            next += 3;
        }
        char *clause = trimmed(rest);
        told = always ? always_told(story, clause) : clause_told(story, text, clause);
        rest = next;
    }
    return told;
}

enum story_end story_tell(struct story *story, char *text)
{
    for (int pass = 0; pass < 2 && story->end == STORY_TRUE; pass++) {
        const char *at = text;
        story->line = 0;
        while (*at != '\0' && story->end == STORY_TRUE) {
            char line[STORY_LINE];
            size_t size = strcspn(at, "\n");
            story->line++;
            if (size >= sizeof(line)) {
                (void)story_wrong(story, "a line of more than %d bytes", STORY_LINE);
                break;
            }
            memcpy(line, at, size);
            line[size] = '\0';
            (void)line_told(story, line, pass == 0);
            at += size + (at[size] == '\n' ? 1 : 0);
        }
    }
    if (story->end == STORY_TRUE && (story->clauses == 0 || story->checks == 0)) {
        (void)story_wrong(story, "a story tells something, and something holds always");
    }
    return story->end;
}
