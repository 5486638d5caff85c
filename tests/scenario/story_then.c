/* then: what can be seen afterwards, in rows, leaves, events and orders. Changes nothing. */
#include "base/check.h"
#include "controller/core/instance.h"
#include "isolation/network.h"
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

static bool instance_is(
    struct story *story, struct words *words, const char *name, const struct instance_row *row)
{
    if (word_is(words, "absent")) {
        return row == NULL || story_untrue(story, "%s is there", name);
    }
    if (row == NULL) {
        return story_untrue(story, "%s is absent", name);
    }
    if (word_is(words, "on")) {
        const struct node_row *node =
            state_find(desk_state(story->desk), TABLE_NODE, row->node.value);
        if (word_is(words, "no") && word_is(words, "node")) {
            return node == NULL || story_untrue(story, "%s is on %s", name, node->name);
        }
        const char *wanted = word_next(words);
        return (node != NULL && strcmp(node->name, wanted) == 0) ||
               story_untrue(story, "%s is on %s", name, node == NULL ? "no node" : node->name);
    }
    const char *wanted = word_next(words);
    const char *is = sm_name(&instance_machine, row->state);
    for (uint32_t i = 0; i < instance_machine.count; i++) {
        if (strcmp(instance_machine.rows[i].name, wanted) == 0) {
            return strcmp(is, wanted) == 0 || story_untrue(story, "%s is %s", name, is);
        }
    }
    return story_wrong(story, "no instance is ever \"%s\"", wanted);
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
    const struct instance_row *row = desk_instance(story->desk, tenant, name);
    if (word_is(words, "is")) {
        return instance_is(story, words, name, row);
    }
    const char *field = word_next(words);
    if (row == NULL) {
        return story_untrue(story, "%s is absent", name);
    }
    if (strcmp(field, "reason") == 0) {
        return row->reason[0] != '\0' || story_untrue(story, "it gives no reason");
    }
    if (!word_is(words, "is")) {
        return story_wrong(story, "what is its \"%s\"?", field);
    }
    if (strcmp(field, "address") == 0) {
        char address[NETWORK_ADDRESS_TEXT];
        network_address_format(row->nics_count > 0 ? row->nics[0].address : 0, address);
        return strcmp(address, word_next(words)) == 0 ||
               story_untrue(story, "its address is %s", address);
    }
    if (strcmp(field, "generation") == 0) {
        return number_is(story, words, field, row->generation);
    }
    if (strcmp(field, "epoch") == 0) {
        return number_is(story, words, field, row->epoch);
    }
    if (strcmp(field, "boots") == 0) {
        return number_is(story, words, field, row->boots);
    }
    if (strcmp(field, "attempts") == 0) {
        return number_is(story, words, field, row->attempts);
    }
    return story_wrong(story, "an instance has no \"%s\"", field);
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

static bool then_tenant(struct story *story, struct words *words)
{
    const char *name = word_next(words);
    const struct tenant_row *row = desk_tenant(story->desk, name);
    if (word_is(words, "is") && word_is(words, "absent")) {
        return row == NULL || story_untrue(story, "tenant %s is there", name);
    }
    if (row == NULL) {
        return story_untrue(story, "tenant %s is absent", name);
    }
    if (word_is(words, "used")) {
        return amounts_are(story, words, &row->account.used);
    }
    if (word_is(words, "held")) {
        return amounts_are(story, words, &row->account.held);
    }
    if (word_is(words, "placed")) {
        struct quota_amounts placed = state_placed(row);
        return amounts_are(story, words, &placed);
    }
    return story_wrong(story, "a tenant has used, held or placed");
}

static bool then_node(struct story *story, struct words *words)
{
    const struct desk_node *node = desk_node_named(story->desk, word_next(words));
    if (node == NULL) {
        return story_wrong(story, "there is no such node");
    }
    const struct node_row *row = state_find(desk_state(story->desk), TABLE_NODE, node->id);
    CHECK(row != NULL);
    if (word_is(words, "placed")) {
        struct quota_amounts placed =
            say_amounts(row->vcpus_placed, row->memory_bytes_placed, row->instances, 0);
        return amounts_are(story, words, &placed);
    }
    if (word_is(words, "is")) {
        bool alive = row->liveness == WIRE__LIVENESS__LIVENESS_ALIVE;
        bool unknown = row->liveness == WIRE__LIVENESS__LIVENESS_UNKNOWN;
        if (word_is(words, "alive")) {
            return alive || story_untrue(story, "it is not alive");
        }
        return word_is(words, "unknown") && (unknown || story_untrue(story, "it is not unknown"));
    }
    if (!word_is(words, "was") || !word_is(words, "told")) {
        return story_wrong(story, "a node is, placed, or was told");
    }
    static const char *const wishes[] = { "", "running", "stopped", "gone" };
    char path[STORY_LINE];
    const char *tenant = NULL;
    const char *name = NULL;
    (void)text_copy(path, sizeof(path), slice_text(word_next(words)));
    if (!word_path(story, path, &tenant, &name)) {
        return false;
    }
    const struct instance_row *instance = desk_instance(story->desk, tenant, name);
    const Wire__Frame *told = desk_sent(story->desk, node->id, WIRE__FRAME__BODY_NODE_ORDERS, 0);
    const char *wanted = word_next(words);
    for (size_t i = 0; told != NULL && instance != NULL && i < told->node_orders->n_assignments;
         i++) {
        const Wire__Assignment *order = told->node_orders->assignments[i];
        if (order->instance == instance->head.id && order->generation == instance->generation) {
            const char *is = wishes[order->desired];
            return strcmp(is, wanted) == 0 || story_untrue(story, "it was told %s", is);
        }
    }
    return story_untrue(story, "it was told nothing of %s", name);
}

/* ---- Counts ---- */

static uint32_t alarms(const struct desk *desk, const char *name)
{
    uint32_t count = 0;
    for (const struct alarm_row *row = state_first(desk_state(desk), TABLE_ALARM); row != NULL;
         row = state_next(desk_state(desk), TABLE_ALARM, row)) {
        count += row->cleared_at == 0 && strcmp(row->name, name) == 0 ? 1 : 0;
    }
    return count;
}

static uint32_t owned(const struct desk *desk, enum state_table table, const char *tenant)
{
    const struct tenant_row *owner = desk_tenant(desk, tenant);
    uint32_t count = 0;
    for (const void *row = state_first(desk_state(desk), table); row != NULL && owner != NULL;
         row = state_next(desk_state(desk), table, row)) {
        uint64_t of = table == TABLE_INSTANCE ? ((const struct instance_row *)row)->tenant.value
                                              : ((const struct network_row *)row)->tenant.value;
        count += of == owner->head.id ? 1 : 0;
    }
    return count;
}

/* "leaves instance-create are 1", "alarms node-unknown are 0", "instances of a are 10". */
static bool then_count(struct story *story, struct words *words, const char *what)
{
    struct desk *desk = story->desk;
    (void)word_is(words, "of");
    const char *name = word_next(words);
    if (!word_is(words, "are")) {
        return story_wrong(story, "so many %s of %s \"are\"", what, name);
    }
    if (strcmp(what, "leaves") == 0) {
        return number_is(story, words, name, desk_leaves(desk, name, REJECT_NONE));
    }
    if (strcmp(what, "refusals") == 0) {
        return number_is(
            story,
            words,
            name,
            desk_leaves(desk, name, REJECTS_END) - desk_leaves(desk, name, REJECT_NONE));
    }
    if (strcmp(what, "events") == 0) {
        return number_is(story, words, name, desk_events(desk, name));
    }
    if (strcmp(what, "alarms") == 0) {
        return number_is(story, words, name, alarms(desk, name));
    }
    if (strcmp(what, "instances") == 0) {
        return number_is(story, words, name, owned(desk, TABLE_INSTANCE, name));
    }
    CHECK(strcmp(what, "networks") == 0);
    return number_is(story, words, name, owned(desk, TABLE_NETWORK, name));
}

/* The newest operation about an object of this name. */
static bool then_operation(struct story *story, struct words *words)
{
    static const char *const states[] = { "", "running", "done", "failed", "cancelled" };
    const char *name = word_is(words, "of") ? word_next(words) : "";
    const struct operation_row *newest = NULL;
    for (const struct operation_row *row = state_first(desk_state(story->desk), TABLE_OPERATION);
         row != NULL;
         row = state_next(desk_state(story->desk), TABLE_OPERATION, row)) {
        newest = strcmp(row->resource_name.text, name) == 0 ? row : newest;
    }
    if (newest == NULL || !word_is(words, "is")) {
        return story_wrong(story, "there is no operation of \"%s\"", name);
    }
    return strcmp(states[newest->state], word_next(words)) == 0 ||
           story_untrue(story, "the operation is %s", states[newest->state]);
}

bool story_then(struct story *story, struct words *words)
{
    static const char *const counts[] = { "leaves", "refusals",  "events",
                                          "alarms", "instances", "networks" };
    if (word_is(words, "instance")) {
        return then_instance(story, words);
    }
    if (word_is(words, "tenant")) {
        return then_tenant(story, words);
    }
    if (word_is(words, "node")) {
        return then_node(story, words);
    }
    if (word_is(words, "operation")) {
        return then_operation(story, words);
    }
    if (word_is(words, "answer")) {
        return word_is(words, "is") ? story_answered(story, words)
                                    : story_wrong(story, "the answer \"is\"");
    }
    if (word_is(words, "elections") && word_is(words, "are")) {
        return number_is(story, words, "elections", state_cell(desk_state(story->desk))->elections);
    }
    if (word_is(words, "feature") && word_is(words, "level") && word_is(words, "is")) {
        return number_is(
            story, words, "feature level", state_cell(desk_state(story->desk))->feature_level);
    }
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        if (word_is(words, counts[i])) {
            return then_count(story, words, counts[i]);
        }
    }
    return story_wrong(story, "\"%s\" cannot be seen", word_next(words));
}
