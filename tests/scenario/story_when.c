/* when: what people do, what befalls machines and guests, time. Decides how words are read; the
 * stage makes it happen. */
#include "base/check.h"
#include "base/slice.h"
#include "tests/scenario/story.h"

#include <string.h>

/* A thousand hours: the simulator lives each tick of them. */
#define TIME_MOST_MS (UINT64_C(1000) * 3600 * 1000)

static bool caused(
    struct story *story, enum cause cause, const char *subject, const char *tenant, uint64_t ms)
{
    char why[STAGE_TEXT] = "";
    return stage_cause(story->stage, cause, subject, tenant, ms, why) ||
           story_wrong(story, "on %s: %s", stage_runner(), why);
}

static bool by_hand(struct story *story, const struct hand *hand)
{
    char why[STAGE_TEXT] = "";
    if (!story->by_hand && hand->word == HAND_REPORT) {
        return story_wrong(story, "nodes speak for themselves unless they are played by hand");
    }
    return stage_hand(story->stage, hand, why) || story_wrong(story, "%s", why);
}

static bool node_reports(struct story *story, struct words *words, const char *node)
{
    char path[STORY_LINE];
    uint64_t repairs = 0;
    struct hand hand = { .word = HAND_REPORT, .node = node };
    (void)text_copy(path, sizeof(path), slice_text(word_next(words)));
    if (!word_path(story, path, &hand.tenant, &hand.name)) {
        return false;
    }
    hand.observed = word_next(words);
    const char *value = word_value(words, "repairs");
    if (value != NULL && !word_number(story, value, &repairs)) {
        return false;
    }
    hand.repairs = (uint32_t)repairs;
    if (words_are(words, "of", "an", "older")) {
        hand.older_order = word_is(words, "order");
        hand.older_placement = !hand.older_order && word_is(words, "placement");
    }
    return by_hand(story, &hand);
}

static bool node_does(struct story *story, struct words *words, const char *node)
{
    if (word_is(words, "reports")) {
        return node_reports(story, words, node);
    }
    if (words_are(words, "is", "cut", "off")) {
        return caused(story, CAUSE_NODE_CUT, node, NULL, 0);
    }
    if (words_are(words, "is", "heard", NULL)) {
        return caused(story, CAUSE_NODE_HEARD, node, NULL, 0);
    }
    if (words_are(words, "loses", "power", NULL)) {
        return caused(story, CAUSE_NODE_DARK, node, NULL, 0);
    }
    if (words_are(words, "has", "power", NULL)) {
        return caused(story, CAUSE_NODE_LIGHT, node, NULL, 0);
    }
    return story_wrong(story, "\"%s\" is nothing that a node does", word_next(words));
}

static bool guest_does(struct story *story, struct words *words)
{
    char path[STORY_LINE];
    const char *tenant = NULL;
    const char *name = NULL;
    (void)text_copy(path, sizeof(path), slice_text(word_next(words)));
    if (!word_path(story, path, &tenant, &name)) {
        return false;
    }
    return word_is(words, "crashes") ? caused(story, CAUSE_GUEST, name, tenant, 0)
                                     : story_wrong(story, "a guest crashes");
}

static bool controllers_do(struct story *story, struct words *words)
{
    if (words_are(words, "leader", "dies", NULL)) {
        return caused(story, CAUSE_LEADER_DIES, NULL, NULL, 0);
    }
    if (words_are(words, "all", "controllers", "die")) {
        return caused(story, CAUSE_CONTROLLERS_DIE, NULL, NULL, 0);
    }
    if (words_are(words, "controllers", "come", "back")) {
        return caused(story, CAUSE_CONTROLLERS_BACK, NULL, NULL, 0);
    }
    return story_wrong(story, "the leader dies, all controllers die, controllers come back");
}

static bool time_passes(struct story *story, struct words *words)
{
    uint64_t ms = 0;
    if (!words_are(words, "time", "passes", NULL)) {
        return story_wrong(story, "what time does is pass: time passes 7s");
    }
    if (!word_number(story, word_next(words), &ms)) {
        return false;
    }
    return ms > TIME_MOST_MS ? story_wrong(story, "at most a thousand hours pass at a time")
                             : caused(story, CAUSE_TIME, NULL, NULL, ms);
}

bool story_when(struct story *story, struct words *words, struct words *expected, bool expects)
{
    struct words whole = *words;
    const char *actor = word_next(words);
    bool person = stage_is_person(story->stage, actor);
    if (person != expects) {
        return story_wrong(
            story, person ? "what a person does has an answer" : "only people are answered");
    }
    if (person) {
        return story_deed(story, words, actor) && story_answered(story, expected);
    }
    if (stage_is_node(story->stage, actor)) {
        return node_does(story, words, actor);
    }
    if (strcmp(actor, "guest") == 0) {
        return guest_does(story, words);
    }
    if (strcmp(actor, "programs") == 0 && word_is(words, "of")) {
        const char *node = word_next(words);
        return stage_is_node(story->stage, node) && word_is(words, "die")
                   ? caused(story, CAUSE_NODE_PROGRAMS, node, NULL, 0)
                   : story_wrong(story, "programs of a node die");
    }
    *words = whole;
    if (strcmp(actor, "time") == 0) {
        return time_passes(story, words);
    }
    if (words_are(words, "log", "waits", NULL)) {
        return by_hand(story, &(struct hand){ .word = HAND_LOG_WAITS });
    }
    if (words_are(words, "log", "goes", "on")) {
        return by_hand(story, &(struct hand){ .word = HAND_LOG_GOES_ON });
    }
    if (strcmp(actor, "leader") == 0 || strcmp(actor, "all") == 0 ||
        strcmp(actor, "controllers") == 0) {
        return controllers_do(story, words);
    }
    return story_wrong(story, "\"%s\" is nobody", actor);
}
