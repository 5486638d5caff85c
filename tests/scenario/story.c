/* Reads a story line by line and hands each clause to the file of its keyword. Decides what is a
 * story; never what is true. */
#include "tests/scenario/story.h"

#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool ends(struct story *story, enum story_end end, const char *format, va_list list)
{
    if (story->end == STORY_TRUE) {
        const char *slash = strrchr(story->path, '/');
        int used = snprintf(
            story->why,
            sizeof(story->why),
            "%.200s:%u: ",
            slash == NULL ? story->path : slash + 1,
            (unsigned int)story->line);
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

struct stage *story_stage(struct story *story)
{
    const char *why = "";
    if (story->stage == NULL) {
        story->stage = stage_open(&story->conf, &why);
    }
    if (story->stage == NULL) {
        (void)story_wrong(story, "on %s: %s", stage_runner(), why);
    }
    return story->stage;
}

/* "not on lab: its nodes have sizes of their own". */
static bool not_told(struct story *story, char *rest)
{
    static const char *const runners[] = { "core", "sim", "lab" };
    char *colon = strstr(rest, ": ");
    if (strncmp(rest, "on ", 3) != 0 || colon == NULL || strlen(colon + 2) < 8) {
        return story_wrong(story, "\"not on RUNNER: why\", and why is a reason");
    }
    *colon = '\0';
    bool known = false;
    for (size_t i = 0; i < COUNT_OF(runners); i++) {
        known = known || strcmp(rest + 3, runners[i]) == 0;
    }
    if (!known) {
        return story_wrong(
            story, "there is no runner \"%s\"; there are core, sim and lab", rest + 3);
    }
    if (strcmp(rest + 3, stage_runner()) == 0) {
        (void)snprintf(story->why, sizeof(story->why), "%s", colon + 2);
        story->end = STORY_ELSEWHERE;
    }
    return true;
}

/* ---- Lines ---- */

static bool begins(struct story *story)
{
    struct stage *stage = story_stage(story);
    if (stage != NULL && !story->began) {
        char why[STAGE_TEXT] = "";
        if (!stage_begins(stage, why)) {
            return story_wrong(story, "on %s: %s", stage_runner(), why);
        }
        story->deeds_before = stage_deeds(stage);
        story->began = true;
    }
    return stage != NULL;
}

static bool clause_told(struct story *story, const char *keyword, char *clause)
{
    struct words words;
    struct words expected = { .count = 0 };
    char *arrow = strstr(clause, "->");
    bool expects = arrow != NULL;
    if (expects) {
        *arrow = '\0';
        if (!words_split(story, arrow + 2, &expected)) {
            return false;
        }
    }
    if (expects && strcmp(keyword, "when") != 0) {
        return story_wrong(story, "only what somebody does has an answer");
    }
    if (!words_split(story, clause, &words)) {
        return false;
    }
    story->clauses++;
    bool told = false;
    if (strcmp(keyword, "given") == 0) {
        told = story->began ? story_wrong(story, "given comes before when")
                            : story_given(story, &words);
    } else if (strcmp(keyword, "when") == 0) {
        told = begins(story) && story_when(story, &words, &expected, expects);
    } else if (strcmp(keyword, "then") == 0) {
        told = begins(story) && story_comes_true(story, &words);
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

/* What an editor leaves unseen is named. */
static bool plain(struct story *story, const char *line)
{
    if (story->line == 1 && strncmp(line, "\xef\xbb\xbf", 3) == 0) {
        return story_wrong(story, "it begins with a byte order mark: save it without one");
    }
    return strchr(line, '\r') == NULL ||
           story_wrong(story, "a carriage return is in it: lines end with a line feed only");
}

/* `always` and `not` are known from the first line on, wherever they stand. */
static bool line_told(struct story *story, char *line, bool first_pass)
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
    if (strcmp(text, "not") == 0) {
        return !first_pass || not_told(story, trimmed(rest));
    }
    bool always = strcmp(text, "always") == 0;
    if (always != first_pass) {
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
        told = always ? story_always_told(story, clause) : clause_told(story, text, clause);
        rest = next;
    }
    return told;
}

/* What was broken is made whole, and comes together. */
static void told_to_its_end(struct story *story)
{
    char why[STAGE_TEXT] = "";
    if (story->clauses == 0 || story->checks == 0) {
        (void)story_wrong(story, "a story tells something, and something holds always");
        return;
    }
    if (!stage_end(story->stage, why)) {
        (void)story_untrue(story, "it does not come together in the end: %s", why);
        return;
    }
    (void)story_always(story);
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
            if (!plain(story, line)) {
                break;
            }
            (void)line_told(story, line, pass == 0);
            at += size + (at[size] == '\n' ? 1 : 0);
        }
    }
    if (story->end == STORY_TRUE) {
        told_to_its_end(story);
    }
    return story->end;
}
