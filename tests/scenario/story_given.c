/* given: the cell as it is before anything happens. Decides nothing about what happens then. */
#include "base/check.h"
#include "tests/scenario/story.h"

#include <string.h>

static bool done(struct story *story, const Wire__Answer *answer, const char *what)
{
    if (answer == NULL || answer->reject != 0) {
        return story_wrong(
            story,
            "%s cannot be given: %s",
            what,
            answer == NULL ? "no answer" : answer->problem->detail);
    }
    return true;
}

static bool given_cell(struct story *story, struct words *words)
{
    if (story->desk != NULL) {
        return story_wrong(story, "the cell is given first");
    }
    const char *value = NULL;
    uint64_t number = 0;
    while (words->at < words->count) {
        uint32_t *to = (value = word_value(words, "reserve")) != NULL ? &story->conf.reserve_percent
                       : (value = word_value(words, "ratio")) != NULL ? &story->conf.vcpu_ratio
                       : (value = word_value(words, "keys")) != NULL
                           ? &story->conf.idempotency_limit
                           : NULL;
        if (to == NULL || !word_number(story, value, &number)) {
            return story_wrong(story, "a cell has reserve=, ratio= and keys=");
        }
        *to = (uint32_t)number;
    }
    return true;
}

static bool given_node(struct story *story, struct words *words)
{
    const char *name = word_next(words);
    const char *rack = word_value(words, "rack");
    struct quota_amounts room = { { 0 } };
    if (!text_is_name(name) || !word_amounts(story, words, &room)) {
        return story_wrong(story, "a node has a name, vcpus= and memory=");
    }
    (void)desk_node_new(
        story_desk(story),
        name,
        rack == NULL ? "" : rack,
        room.of[QUOTA_VCPUS],
        room.of[QUOTA_MEMORY_BYTES]);
    return true;
}

static bool given_tenant(struct story *story, struct words *words)
{
    struct desk *desk = story_desk(story);
    const char *name = word_next(words);
    struct quota_amounts floor = { { 0 } };
    struct quota_amounts cap = say_amounts(1000, 1000 * SAY_GIB, 400, 60);
    bool sound = true;
    if (word_is(words, "quota")) {
        sound = word_amounts(story, words, &cap);
    }
    if (word_is(words, "floor")) {
        sound = sound && word_amounts(story, words, &floor);
    }
    return sound &&
           done(story, say_tenant(desk, desk->operator_person, name, &floor, &cap), "the tenant") &&
           done(
               story,
               say_user(desk, desk->operator_person, name, WIRE__ROLE__ROLE_TENANT, name),
               "its user");
}

static bool given_network(struct story *story, struct words *words)
{
    struct desk *desk = story_desk(story);
    char path[STORY_LINE];
    const char *tenant = NULL;
    const char *name = NULL;
    (void)text_copy(path, sizeof(path), slice_text(word_next(words)));
    return word_path(story, path, &tenant, &name) &&
           done(
               story,
               say_network(desk, desk->operator_person, tenant, name, word_next(words)),
               "the network");
}

/* An instance that runs already. */
static bool given_instance(struct story *story, struct words *words)
{
    struct desk *desk = story_desk(story);
    char path[STORY_LINE];
    struct say_instance wish = { .tenant = "" };
    (void)text_copy(path, sizeof(path), slice_text(word_next(words)));
    if (!word_path(story, path, &wish.tenant, &wish.name)) {
        return false;
    }
    wish.network = word_value(words, "network");
    if (!done(story, say_create(desk, desk->operator_person, &wish), "the instance")) {
        return false;
    }
    const struct instance_row *row = desk_instance(desk, wish.tenant, wish.name);
    for (uint32_t i = 0; i < desk->nodes_count; i++) {
        if (desk->nodes[i].id == row->node.value) {
            desk_report(desk, &desk->nodes[i], row, WIRE__OBSERVED__OBSERVED_RUNNING);
        }
    }
    CHECK(row->state == WIRE__INSTANCE_STATE__INSTANCE_STATE_RUNNING);
    return true;
}

bool story_given(struct story *story, struct words *words)
{
    if (word_is(words, "cell")) {
        return given_cell(story, words);
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
        struct desk *desk = story_desk(story);
        return done(
            story,
            say_user(desk, desk->operator_person, word_next(words), WIRE__ROLE__ROLE_AUDITOR, NULL),
            "the auditor");
    }
    return story_wrong(story, "\"%s\" cannot be given", word_next(words));
}
