/* when: what people, nodes, controllers and time do. Decides how it is said to the desk, and holds
 * what a person is answered to the words after the arrow. */
#include "base/check.h"
#include "tests/scenario/story.h"

#include <stdio.h>
#include <string.h>

/* ---- People ---- */

struct deed {
    struct desk *desk;
    Wire__Identity who;
    const char *verb;
    char path[STORY_LINE];
    const char *tenant;
    const char *name;
    bool write;
};

static void asked(struct story *story, bool write)
{
    uint64_t handle = story->desk->handles;
    story->first = story->first == 0 ? handle : story->first;
    story->last = handle;
    if (write) {
        CHECK(story->handles_count < STORY_HANDLES);
        story->handles[story->handles_count++] = handle;
    }
}

static bool settings(struct story *story, struct words *words)
{
    const char *key = word_value(words, "key");
    const char *tag = word_value(words, "if-match");
    story->desk->key = key == NULL ? story->desk->key : key;
    story->desk->if_match = tag == NULL ? story->desk->if_match : tag;
    return key != NULL || tag != NULL;
}

static bool wish_told(struct story *story, struct words *words, struct say_instance *wish)
{
    struct quota_amounts size = { { 1, 64 * SAY_MIB, 0, 0 } };
    uint32_t before = UINT32_MAX;
    while (words->at < words->count && words->at != before) {
        before = words->at;
        const char *value = NULL;
        uint64_t number = 0;
        if (word_is(words, "stopped")) {
            wish->stopped = true;
        } else if ((value = word_value(words, "network")) != NULL) {
            wish->network = value;
        } else if ((value = word_value(words, "spread")) != NULL) {
            wish->spread = value;
        } else if (word_is(words, "where=elsewhere")) {
            wish->where = WIRE__WHERE__WHERE_ELSEWHERE;
        } else if (word_is(words, "on-failure=stop")) {
            wish->on_failure = WIRE__ON_FAILURE__ON_FAILURE_STOP;
        } else if ((value = word_value(words, "attempts")) != NULL) {
            if (!word_number(story, value, &number)) {
                return false;
            }
            wish->max_attempts = (uint32_t)number;
        } else if (!settings(story, words) && !word_amounts(story, words, &size)) {
            return false;
        }
    }
    wish->vcpus = (uint32_t)size.of[QUOTA_VCPUS];
    wish->memory_bytes = size.of[QUOTA_MEMORY_BYTES];
    return true;
}

/* "creates 100 instances a/web": web-1 … web-100, all in one turn. */
static bool creates_many(struct story *story, struct words *words, struct deed *deed, uint64_t many)
{
    enum { MANY_MAX = 256 };
    char name[LIMIT_NAME];
    struct say_instance wish = { .tenant = deed->tenant, .name = name };
    if (many == 0 || many > MANY_MAX || !wish_told(story, words, &wish)) {
        return story_wrong(story, "1 to %d instances", MANY_MAX);
    }
    deed->desk->later = true;
    for (uint64_t i = 1; i <= many; i++) {
        (void)snprintf(name, sizeof(name), "%.40s-%llu", deed->name, (unsigned long long)i);
        (void)say_create(deed->desk, deed->who, &wish);
        asked(story, true);
    }
    deed->desk->later = false;
    desk_turn(deed->desk);
    return true;
}

static bool path_told(struct story *story, struct words *words, struct deed *deed)
{
    (void)text_copy(deed->path, sizeof(deed->path), slice_text(word_next(words)));
    return word_path(story, deed->path, &deed->tenant, &deed->name);
}

static bool does_instance(struct story *story, struct words *words, struct deed *deed)
{
    struct say_instance wish = { .tenant = "" };
    if (!path_told(story, words, deed)) {
        return false;
    }
    wish.tenant = deed->tenant;
    wish.name = deed->name;
    if (strcmp(deed->verb, "creates") == 0) {
        if (!wish_told(story, words, &wish)) {
            return false;
        }
        (void)say_create(deed->desk, deed->who, &wish);
        asked(story, true);
        return true;
    }
    (void)settings(story, words);
    if (strcmp(deed->verb, "starts") == 0) {
        (void)say_start(deed->desk, deed->who, deed->tenant, deed->name);
    } else if (strcmp(deed->verb, "stops") == 0) {
        (void)say_stop(deed->desk, deed->who, deed->tenant, deed->name);
    } else if (strcmp(deed->verb, "reboots") == 0) {
        (void)say_reboot(deed->desk, deed->who, deed->tenant, deed->name);
    } else if (strcmp(deed->verb, "deletes") == 0) {
        (void)say_delete(deed->desk, deed->who, deed->tenant, deed->name);
    } else if (strcmp(deed->verb, "reads") == 0) {
        (void)say_get(deed->desk, deed->who, WIRE__KIND__KIND_INSTANCE, deed->tenant, deed->name);
        asked(story, false);
        return true;
    } else {
        return story_wrong(story, "nobody %s an instance", deed->verb);
    }
    asked(story, true);
    return true;
}

static bool does_network(struct story *story, struct words *words, struct deed *deed)
{
    if (!path_told(story, words, deed)) {
        return false;
    }
    if (strcmp(deed->verb, "creates") == 0) {
        (void)say_network(deed->desk, deed->who, deed->tenant, deed->name, word_next(words));
    } else if (strcmp(deed->verb, "deletes") == 0) {
        (void)say_network_delete(deed->desk, deed->who, deed->tenant, deed->name);
    } else {
        return story_wrong(story, "nobody %s a network", deed->verb);
    }
    asked(story, true);
    return true;
}

static bool does_tenant(struct story *story, struct words *words, struct deed *deed)
{
    const char *name = word_next(words);
    struct quota_amounts cap = say_amounts(1000, 1000 * SAY_GIB, 400, 60);
    struct quota_amounts floor = { { 0 } };
    bool has_cap = word_is(words, "quota");
    if (has_cap && !word_amounts(story, words, &cap)) {
        return false;
    }
    bool has_floor = word_is(words, "floor");
    if (has_floor && !word_amounts(story, words, &floor)) {
        return false;
    }
    (void)settings(story, words);
    if (strcmp(deed->verb, "creates") == 0) {
        (void)say_tenant(deed->desk, deed->who, name, &floor, &cap);
    } else if (strcmp(deed->verb, "limits") == 0) {
        (void)say_quota(
            deed->desk, deed->who, name, has_floor ? &floor : NULL, has_cap ? &cap : NULL);
    } else if (strcmp(deed->verb, "deletes") == 0) {
        (void)say_tenant_delete(deed->desk, deed->who, name);
    } else {
        return story_wrong(story, "nobody %s a tenant", deed->verb);
    }
    asked(story, true);
    return true;
}

static bool person_does(struct story *story, struct words *words, const char *person)
{
    struct deed deed = { .desk = story->desk, .who = desk_who(story->desk, person) };
    uint64_t many = 0;
    story->first = 0;
    deed.verb = word_next(words);
    if (word_is(words, "instance")) {
        return does_instance(story, words, &deed);
    }
    if (word_is(words, "network")) {
        return does_network(story, words, &deed);
    }
    if (word_is(words, "tenant")) {
        return does_tenant(story, words, &deed);
    }
    if (strcmp(deed.verb, "revokes") == 0 && word_is(words, "user")) {
        (void)say_revoke(deed.desk, deed.who, word_next(words));
        asked(story, true);
        return true;
    }
    if (strcmp(deed.verb, "reads") == 0 && word_is(words, "status")) {
        (void)say_status(deed.desk, deed.who, false);
        asked(story, false);
        return true;
    }
    const char *count = word_next(words);
    if (strcmp(deed.verb, "creates") == 0 && word_is(words, "instances")) {
        return word_number(story, count, &many) && path_told(story, words, &deed) &&
               creates_many(story, words, &deed, many);
    }
    return story_wrong(story, "\"%s %s\" is nothing that a person does", deed.verb, count);
}

/* ---- Answers ---- */

/* limit=10 usage=10 dimension=instances: what every refusal says besides its code. */
static bool refusal_says(
    struct story *story, const Wire__Problem *problem, const struct words *words)
{
    struct words left = *words;
    while (left.at < left.count) {
        uint64_t number = 0;
        const char *value = word_value(&left, "dimension");
        if (value != NULL) {
            if (strcmp(value, problem->dimension) != 0) {
                return story_untrue(story, "the dimension is \"%s\"", problem->dimension);
            }
            continue;
        }
        bool limit = (value = word_value(&left, "limit")) != NULL;
        value = limit ? value : word_value(&left, "usage");
        if (value == NULL) {
            return story_wrong(story, "a refusal has dimension=, limit= and usage=");
        }
        uint64_t is = limit ? problem->limit : problem->usage;
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
    for (uint64_t handle = story->first; handle <= story->last; handle++) {
        const Wire__Answer *answer = desk_answer(story->desk, handle);
        if (answer == NULL) {
            tally->waiting++;
        } else if (answer->reject == 0) {
            tally->accepted++;
        } else if (strcmp(reject_name((enum reject)answer->reject), code) != 0) {
            return story_untrue(
                story,
                "it was refused: %s (%s)",
                reject_name((enum reject)answer->reject),
                answer->problem->detail);
        } else if (!refusal_says(story, answer->problem, words)) {
            return false;
        } else {
            tally->refused++;
        }
    }
    return true;
}

bool story_answered(struct story *story, struct words *expected)
{
    struct tally wanted = { 0, 0, 0 };
    struct tally is = { 0, 0, 0 };
    uint64_t all = story->last - story->first + 1;
    const char *code = "";
    if (story->first == 0) {
        return story_wrong(story, "nobody asked anything");
    }
    bool counted = expected->at < expected->count && expected->list[expected->at][0] <= '9';
    if (counted) {
        if (!word_number(story, word_next(expected), &wanted.accepted) ||
            !word_is(expected, "accepted") ||
            !word_number(story, word_next(expected), &wanted.refused) ||
            !word_is(expected, "reject")) {
            return story_wrong(story, "many are answered \"N accepted M reject CODE\"");
        }
        code = word_next(expected);
    } else if (word_is(expected, "accepted")) {
        wanted.accepted = all;
    } else if (word_is(expected, "waiting")) {
        wanted.waiting = all;
    } else if (word_is(expected, "reject")) {
        wanted.refused = all;
        code = word_next(expected);
    } else {
        return story_wrong(story, "an answer is accepted, waiting, or reject CODE");
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

/* ---- Nodes ---- */

static bool observed_of(struct story *story, const char *word, Wire__Observed *observed_out)
{
    static const char *const names[] = { "", "running", "stopped", "gone", "failed", "starting" };
    for (size_t i = 1; i < COUNT_OF(names); i++) {
        if (strcmp(names[i], word) == 0) {
            *observed_out = (Wire__Observed)i;
            return true;
        }
    }
    return story_wrong(story, "nodes do not report \"%s\"", word);
}

static bool node_reports(struct story *story, struct words *words, const struct desk_node *node)
{
    char path[STORY_LINE];
    const char *tenant = NULL;
    const char *name = NULL;
    Wire__Observed observed = WIRE__OBSERVED__OBSERVED_UNSET;
    uint64_t repairs = 0;
    (void)text_copy(path, sizeof(path), slice_text(word_next(words)));
    if (!word_path(story, path, &tenant, &name) ||
        !observed_of(story, word_next(words), &observed)) {
        return false;
    }
    const char *value = word_value(words, "repairs");
    if (value != NULL && !word_number(story, value, &repairs)) {
        return false;
    }
    const struct instance_row *row = desk_instance(story->desk, tenant, name);
    if (row == NULL) {
        return story_wrong(story, "there is no instance %s of %s to report", name, tenant);
    }
    uint64_t generation = row->generation;
    uint64_t epoch = row->epoch;
    if (word_is(words, "of") && word_is(words, "an") && word_is(words, "older")) {
        if (word_is(words, "order")) {
            generation--;
        } else if (word_is(words, "placement")) {
            epoch--;
        }
    }
    desk_word(story->desk, node, row->head.id, generation, epoch, observed, (uint32_t)repairs);
    return true;
}

static bool node_does(struct story *story, struct words *words, struct desk_node *node)
{
    if (word_is(words, "reports")) {
        return node_reports(story, words, node);
    }
    if (word_is(words, "falls") && word_is(words, "silent")) {
        node->silent = true;
        return true;
    }
    if (word_is(words, "is") && word_is(words, "heard")) {
        node->silent = false;
        desk_renew(story->desk, node, true);
        desk_turn(story->desk);
        return true;
    }
    if (word_is(words, "boots")) {
        node->boot++;
        desk_link(story->desk, WIRE__KIND__KIND_NODE, node->id, true);
        desk_hello(story->desk, node);
        desk_turn(story->desk);
        return true;
    }
    return story_wrong(story, "\"%s\" is nothing that a node does", word_next(words));
}

/* ---- Everything else ---- */

static bool log_does(struct story *story, struct words *words)
{
    struct desk *desk = story->desk;
    if (word_is(words, "waits")) { /* Nothing is committed until it goes on. */
        desk->hold_log = true;
        return true;
    }
    if (word_is(words, "goes") && word_is(words, "on")) {
        desk->hold_log = false;
        while (desk->pending_count > 0) {
            desk_commit(desk);
        }
        desk_turn(desk);
        return true;
    }
    return story_wrong(story, "the log waits or goes on");
}

/* Leadership goes and comes back in a later term. What was proposed is lost sight of by the asker;
 * it was in a majority's log, so it is committed all the same. */
static void leader_changes(struct story *story)
{
    struct desk *desk = story->desk;
    desk_follow(desk, desk->term + 1, 0);
    for (uint32_t i = 0; i < desk->pending_count; i++) {
        struct engine_event lost = { .kind = ENGINE_LOST, .ticket = desk->pending[i].ticket };
        desk_step(desk, &lost);
    }
    desk->hold_log = false;
    while (desk->pending_count > 0) {
        desk_commit(desk);
    }
    desk_lead(desk, desk->term + 1);
    desk_turn(desk);
    for (uint32_t i = 0; i < desk->nodes_count; i++) {
        if (!desk->nodes[i].silent) {
            desk_hello(desk, &desk->nodes[i]);
        }
    }
    desk_turn(desk);
}

bool story_when(struct story *story, struct words *words, struct words *expected, bool expects)
{
    uint64_t ms = 0;
    const char *actor = word_next(words);
    struct desk_node *node = desk_node_named(story->desk, actor);
    bool person = state_lookup(desk_state(story->desk), TABLE_USER, 0, actor) != NULL;
    if (person != expects) {
        return story_wrong(
            story, person ? "what a person does has an answer" : "only people are answered");
    }
    if (person) {
        return person_does(story, words, actor) && story_answered(story, expected);
    }
    if (node != NULL) {
        return node_does(story, words, node);
    }
    if (strcmp(actor, "time") == 0 && word_is(words, "passes")) {
        if (!word_number(story, word_next(words), &ms)) {
            return false;
        }
        desk_pass(story->desk, ms);
        return true;
    }
    if (strcmp(actor, "leadership") == 0 && word_is(words, "changes")) {
        leader_changes(story);
        return true;
    }
    if (strcmp(actor, "log") == 0) {
        return log_does(story, words);
    }
    return story_wrong(story, "\"%s\" is nobody", actor);
}
