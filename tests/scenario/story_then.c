/* then: what can be seen afterwards. Changes nothing; waits only as the stage lets it. */
#include "base/check.h"
#include "base/slice.h"
#include "tests/scenario/story.h"

#include <string.h>

static bool number_is(struct story *story, struct words *words, const char *what, uint64_t is)
{
    uint64_t wanted = 0;
    if (!word_number(story, word_next(words), &wanted)) {
        return false;
    }
    return is == wanted || story_untrue(
                               story,
                               "%s is %llu, not %llu",
                               what,
                               (unsigned long long)is,
                               (unsigned long long)wanted);
}

/* ---- Instances ---- */

/* "running", or "deleting or absent": what it passes through is not seen on every stage. */
static bool state_is(
    struct story *story, struct words *words, const char *name, const struct seen_instance *seen)
{
    static const char *const states[] = { "absent",   "stopped",  "starting", "running",
                                          "stopping", "deleting", "failed" };
    const char *is = seen->there ? seen->state : "absent";
    bool one = false;
    do {
        const char *wanted = word_next(words);
        bool known = false;
        for (size_t i = 0; i < COUNT_OF(states); i++) {
            known = known || strcmp(states[i], wanted) == 0;
        }
        if (!known) {
            return story_wrong(story, "no instance is ever \"%s\"", wanted);
        }
        one = one || strcmp(is, wanted) == 0;
    } while (word_is(words, "or"));
    return one || story_untrue(
                      story,
                      "%s is %s%s%s",
                      name,
                      is,
                      seen->reason[0] == '\0' ? "" : ": ",
                      seen->there ? seen->reason : "");
}

static bool then_instance(struct story *story, struct words *words)
{
    char path[STORY_LINE];
    const char *tenant = NULL;
    const char *name = NULL;
    (void)text_copy(path, sizeof(path), slice_text(word_next(words)));
    if (!word_path(story, path, &tenant, &name)) {
        return false;
    }
    struct seen_instance seen = { .there = false };
    stage_instance(story->stage, tenant, name, &seen);
    if (words_are(words, "is", "on", "no") && word_is(words, "node")) {
        return (seen.there && seen.node[0] == '\0') ||
               story_untrue(story, "%s is on %s", name, seen.node);
    }
    if (words_are(words, "is", "on", NULL)) {
        return strcmp(seen.node, word_next(words)) == 0 ||
               story_untrue(story, "%s is on \"%s\"", name, seen.node);
    }
    if (word_is(words, "is")) {
        return state_is(story, words, name, &seen);
    }
    const char *field = word_next(words);
    if (!seen.there) {
        return story_untrue(story, "%s is absent", name);
    }
    if (strcmp(field, "reason") == 0) {
        return seen.reason[0] != '\0' || story_untrue(story, "it gives no reason");
    }
    if (!word_is(words, "is")) {
        return story_wrong(story, "what is its \"%s\"?", field);
    }
    if (strcmp(field, "address") == 0) {
        return strcmp(seen.address, word_next(words)) == 0 ||
               story_untrue(story, "its address is %s", seen.address);
    }
    const uint64_t *number = strcmp(field, "generation") == 0 ? &seen.generation
                             : strcmp(field, "epoch") == 0    ? &seen.epoch
                             : strcmp(field, "attempts") == 0 ? &seen.attempts
                                                              : NULL;
    return number != NULL ? number_is(story, words, field, *number)
                          : story_wrong(story, "an instance has no \"%s\"", field);
}

/* ---- Accounts and nodes ---- */

static bool amounts_are(struct story *story, struct words *words, const struct quota_amounts *is)
{
    struct quota_amounts wanted = *is;
    uint32_t before = words->at;
    if (!word_amounts(story, words, &wanted)) {
        return false;
    }
    for (unsigned int i = 0; i < QUOTA_DIMENSIONS; i++) {
        if (wanted.of[i] != is->of[i]) {
            return story_untrue(
                story,
                "%s is %llu",
                quota_dimension_name((enum quota_dimension)i),
                (unsigned long long)is->of[i]);
        }
    }
    return words->at > before || story_wrong(story, "nothing is counted");
}

static bool account_is(
    struct story *story, struct words *words, const char *name, const struct seen_account *seen)
{
    if (words_are(words, "is", "absent", NULL)) {
        return !seen->there || story_untrue(story, "%s is there", name);
    }
    if (!seen->there) {
        return story_untrue(story, "%s is absent", name);
    }
    if (word_is(words, "used")) {
        return amounts_are(story, words, &seen->used);
    }
    if (word_is(words, "held")) {
        return amounts_are(story, words, &seen->held);
    }
    if (!word_is(words, "placed")) {
        return story_wrong(story, "an account has used, held or placed");
    }
    return seen->has_placed ? amounts_are(story, words, &seen->placed)
                            : story_wrong(story, "what is placed is not seen on this stage");
}

static bool then_node(struct story *story, struct words *words)
{
    char path[STORY_LINE];
    char wish[STAGE_NAME] = "";
    const char *tenant = NULL;
    const char *name = NULL;
    const char *node = word_next(words);
    struct seen_node seen;
    if (!stage_is_node(story->stage, node)) {
        return story_wrong(story, "there is no node \"%s\"", node);
    }
    if (words_are(words, "was", "told", NULL)) {
        (void)text_copy(path, sizeof(path), slice_text(word_next(words)));
        if (!word_path(story, path, &tenant, &name)) {
            return false;
        }
        if (!stage_order(story->stage, node, tenant, name, wish)) {
            return story_wrong(story, "orders to nodes are not seen on this stage");
        }
        return strcmp(wish, word_next(words)) == 0 ||
               story_untrue(story, "it was told \"%s\"", wish);
    }
    stage_node_seen(story->stage, node, &seen);
    if (word_is(words, "placed")) {
        return amounts_are(story, words, &seen.placed);
    }
    if (!word_is(words, "is")) {
        return story_wrong(story, "a node is, placed, or was told");
    }
    const char *wanted = word_next(words);
    if (strcmp(wanted, "alive") != 0 && strcmp(wanted, "unknown") != 0) {
        return story_wrong(story, "a node is alive or unknown");
    }
    return strcmp(seen.liveness, wanted) == 0 || story_untrue(story, "it is %s", seen.liveness);
}

/* ---- Counts ---- */

/* "leaves instance-create are 1", "alarms node-unknown are 0", "instances of a are 10". */
static bool then_count(struct story *story, struct words *words, const char *what)
{
    const struct seen_leaf *leaves = NULL;
    uint64_t count = 0;
    (void)word_is(words, "of");
    const char *name = word_next(words);
    if (!word_is(words, "are")) {
        return story_wrong(story, "so many %s of %s \"are\"", what, name);
    }
    bool refused = strcmp(what, "refusals") == 0;
    if (refused || strcmp(what, "leaves") == 0) {
        uint32_t all = stage_leaves(story->stage, &leaves);
        for (uint32_t i = 0; i < all; i++) {
            bool counts = leaves[i].refused == refused && strcmp(leaves[i].operation, name) == 0;
            count += counts ? leaves[i].times : 0;
        }
        return number_is(story, words, name, count);
    }
    enum seen_count of = strcmp(what, "events") == 0      ? SEEN_EVENTS
                         : strcmp(what, "alarms") == 0    ? SEEN_ALARMS
                         : strcmp(what, "instances") == 0 ? SEEN_INSTANCES
                                                          : SEEN_NETWORKS;
    return number_is(story, words, name, stage_count(story->stage, of, name));
}

static bool then_operation(struct story *story, struct words *words)
{
    char state[STAGE_NAME] = "";
    const char *name = word_is(words, "of") ? word_next(words) : "";
    stage_operation(story->stage, name, state);
    if (state[0] == '\0' || !word_is(words, "is")) {
        return story_wrong(story, "there is no operation of \"%s\"", name);
    }
    return strcmp(state, word_next(words)) == 0 ||
           story_untrue(story, "the operation is %s", state);
}

static bool then_account(struct story *story, struct words *words, bool project)
{
    char path[STORY_LINE];
    const char *tenant = path;
    const char *name = NULL;
    struct seen_account seen;
    (void)text_copy(path, sizeof(path), slice_text(word_next(words)));
    if (project && !word_path(story, path, &tenant, &name)) {
        return false;
    }
    stage_account(story->stage, tenant, name, &seen);
    return account_is(story, words, project ? name : tenant, &seen);
}

static bool then_audit(struct story *story, struct words *words)
{
    char why[STAGE_TEXT] = "";
    const char *tenant = word_next(words);
    if (!words_are(words, "is", "complete", NULL)) {
        return story_wrong(story, "an audit log is complete, or is not asked about");
    }
    return stage_audit(story->stage, tenant, why) || story_untrue(story, "%s", why);
}

bool story_then(struct story *story, struct words *words)
{
    static const char *const counts[] = { "leaves", "refusals",  "events",
                                          "alarms", "instances", "networks" };
    if (word_is(words, "instance")) {
        return then_instance(story, words);
    }
    if (word_is(words, "tenant")) {
        return then_account(story, words, false);
    }
    if (word_is(words, "project")) {
        return then_account(story, words, true);
    }
    if (word_is(words, "node")) {
        return then_node(story, words);
    }
    if (word_is(words, "operation")) {
        return then_operation(story, words);
    }
    if (words_are(words, "audit", "log", "of")) {
        return then_audit(story, words);
    }
    if (words_are(words, "answer", "is", NULL)) {
        return story_answered(story, words);
    }
    if (words_are(words, "elections", "are", NULL)) {
        return number_is(story, words, "elections", stage_elections(story->stage));
    }
    if (words_are(words, "feature", "level", "is")) {
        return number_is(story, words, "feature level", stage_feature_level(story->stage));
    }
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        if (word_is(words, counts[i])) {
            return then_count(story, words, counts[i]);
        }
    }
    return story_wrong(story, "\"%s\" cannot be seen", word_next(words));
}

bool story_comes_true(struct story *story, struct words *words)
{
    struct words from = *words;
    for (uint32_t patience = 0;; patience++) {
        *words = from;
        if (story_then(story, words)) {
            return true;
        }
        if (story->end != STORY_UNTRUE || story->by_hand ||
            !stage_goes_on(story->stage, patience)) {
            return false;
        }
        story->end = STORY_TRUE;
        story->why[0] = '\0';
    }
}
