/* given: the cell as it is before anything happens. Decides nothing about what happens then. */
#include "base/check.h"
#include "base/limits.h"
#include "base/slice.h"
#include "tests/scenario/story.h"

#include <string.h>

enum { RATE_MOST = 1000000 };

static bool given_cell(struct story *story, struct words *words)
{
    if (story->stage != NULL) {
        return story_wrong(story, "the cell is given first");
    }
    while (words->at < words->count) {
        struct stage_conf *conf = &story->conf;
        const struct {
            const char *word;
            uint32_t *to;
            uint32_t most;
        } sizes[] = { { "reserve", &conf->reserve_percent, LIMIT_RESERVE_PERCENT },
                      { "ratio", &conf->vcpu_ratio, LIMIT_VCPU_RATIO },
                      { "keys", &conf->idempotency_limit, LIMIT_OPERATIONS },
                      { "rate", &conf->requests_per_second, RATE_MOST } };
        const char *value = NULL;
        uint64_t number = 0;
        size_t at = 0;
        while (at < COUNT_OF(sizes) && (value = word_value(words, sizes[at].word)) == NULL) {
            at++;
        }
        if (at == COUNT_OF(sizes) || !word_number(story, value, &number)) {
            return story_wrong(story, "a cell has reserve=, ratio=, keys= and rate=");
        }
        if (number > sizes[at].most) {
            return story_wrong(
                story, "%s= is at most %u", sizes[at].word, (unsigned int)sizes[at].most);
        }
        *sizes[at].to = (uint32_t)number;
    }
    return story_stage(story) != NULL;
}

static bool given_node(struct story *story, struct words *words)
{
    char why[STAGE_TEXT] = "";
    const char *name = word_next(words);
    const char *rack = word_value(words, "rack");
    struct quota_amounts room = { { 0 } };
    if (!text_is_name(name) || !word_amounts(story, words, &room)) {
        return story_wrong(story, "a node has a name, and may have rack=, vcpus= and memory=");
    }
    return stage_node(story->stage, name, rack == NULL ? "" : rack, &room, why) ||
           story_wrong(story, "the node cannot be given: %s", why);
}

/* Done by the first operator, and accepted. */
static bool done(struct story *story, const struct deed *deed, const char *what)
{
    char why[STAGE_TEXT] = "";
    struct told told;
    if (!stage_do(story->stage, deed, 0, why)) {
        return story_wrong(story, "%s cannot be given: %s", what, why);
    }
    stage_told(story->stage, stage_deeds(story->stage), &told);
    return told.what == TOLD_ACCEPTED ||
           story_wrong(story, "%s cannot be given: %s %s", what, told.code, told.detail);
}

static bool given_tenant(struct story *story, struct words *words)
{
    char why[STAGE_TEXT] = "";
    const char *name = word_next(words);
    struct deed deed = { .who = "root", .verb = DEED_CREATE, .noun = DEED_TENANT, .tenant = name };
    deed.cap = (struct quota_amounts){ { 1000, UINT64_C(1000) << 30, 400, 60 } };
    if ((word_is(words, "quota") && !word_amounts(story, words, &deed.cap)) ||
        (word_is(words, "floor") && !word_amounts(story, words, &deed.floor))) {
        return false;
    }
    return done(story, &deed, "the tenant") &&
           (stage_person(story->stage, name, name, why) ||
            story_wrong(story, "its user cannot be given: %s", why));
}

static bool given_network(struct story *story, struct words *words)
{
    char path[STORY_LINE];
    struct deed deed = { .who = "root", .verb = DEED_CREATE, .noun = DEED_NETWORK };
    (void)text_copy(path, sizeof(path), slice_text(word_next(words)));
    if (!word_path(story, path, &deed.tenant, &deed.name)) {
        return false;
    }
    deed.cidr = word_next(words);
    return done(story, &deed, "the network");
}

/* An instance that runs already. */
static bool given_instance(struct story *story, struct words *words)
{
    char path[STORY_LINE];
    struct deed deed = { .who = "root", .verb = DEED_CREATE, .noun = DEED_INSTANCE };
    (void)text_copy(path, sizeof(path), slice_text(word_next(words)));
    if (!word_path(story, path, &deed.tenant, &deed.name)) {
        return false;
    }
    deed.size = (struct quota_amounts){ { 1, UINT64_C(96) << 20, 0, 0 } };
    deed.network = word_value(words, "network");
    if (!word_amounts(story, words, &deed.size) || !done(story, &deed, "the instance")) {
        return false;
    }
    struct seen_instance seen;
    uint32_t patience = 0;
    stage_instance(story->stage, deed.tenant, deed.name, &seen);
    while (strcmp(seen.state, "running") != 0 && stage_goes_on(story->stage, patience++)) {
        stage_instance(story->stage, deed.tenant, deed.name, &seen);
    }
    return strcmp(seen.state, "running") == 0 ||
           story_wrong(story, "the instance does not run: %s %s", seen.state, seen.reason);
}

bool story_given(struct story *story, struct words *words)
{
    char why[STAGE_TEXT] = "";
    if (word_is(words, "cell")) {
        return given_cell(story, words);
    }
    if (story_stage(story) == NULL) {
        return false;
    }
    if (word_is(words, "nodes")) {
        if (!words_are(words, "are", "played", "by") || !word_is(words, "hand")) {
            return story_wrong(story, "nodes are played by hand, or are not said to be");
        }
        story->by_hand = true;
        return stage_by_hand(story->stage, why) || story_wrong(story, "%s", why);
    }
    if (word_is(words, "node")) {
        return given_node(story, words);
    }
    if (word_is(words, "tenant")) {
        return given_tenant(story, words);
    }
    if (word_is(words, "network")) {
        return given_network(story, words);
    }
    if (word_is(words, "instance")) {
        return given_instance(story, words);
    }
    if (word_is(words, "auditor")) {
        return stage_person(story->stage, word_next(words), NULL, why) ||
               story_wrong(story, "the auditor cannot be given: %s", why);
    }
    return story_wrong(story, "\"%s\" cannot be given", word_next(words));
}
