/* Keeps the rows and decides what an observation means. Which orders count is in model_orders.c;
 * what to do about it is never decided here. */
#include "node-agent/core/model.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/mutant.h"

#include <string.h>

static const char NO_REASON[] = "";

/* ---- Rows. ---- */

struct model_instance *model_find(struct model *model, uint64_t id)
{
    CHECK(id != 0);
    for (uint32_t i = 0; i < model->instances_top; i++) {
        if (model->ids[i] == id) {
            CHECK(model->instances[i].id == id);
            return &model->instances[i];
        }
    }
    return NULL;
}

static bool instance_may_leave(const struct model_instance *instance)
{
    return instance->erased && instance->busy == OPERATION_NONE;
}

struct model_instance *model_make(struct model *model, uint64_t id)
{
    CHECK(model_find(model, id) == NULL);
    uint32_t place = LIMIT_NODE_INSTANCES;
    for (uint32_t i = 0;
         i <= model->instances_top && i < LIMIT_NODE_INSTANCES && place == LIMIT_NODE_INSTANCES;
         i++) {
        place = model->ids[i] == 0 ? i : place;
    }
    for (uint32_t i = 0; i < LIMIT_NODE_INSTANCES && place == LIMIT_NODE_INSTANCES; i++) {
        if (instance_may_leave(&model->instances[i])) {
            model_drop(model, &model->instances[i]);
            place = i;
        }
    }
    if (place == LIMIT_NODE_INSTANCES) {
        return NULL;
    }
    struct model_instance *instance = &model->instances[place];
    *instance = (struct model_instance){
        .id = id,
        .presence = model->complete ? PRESENCE_ABSENT : PRESENCE_UNKNOWN,
        .reason = NO_REASON,
        .told_reason = NO_REASON,
    };
    model->ids[place] = id;
    model->instances_count++;
    model->instances_top = place < model->instances_top ? model->instances_top : place + 1;
    CHECK(model->instances_count <= LIMIT_NODE_INSTANCES);
    return instance;
}

void model_drop(struct model *model, struct model_instance *instance)
{
    CHECK(instance->id != 0);
    CHECK(instance->busy == OPERATION_NONE); /* INV-VM-5 */
    CHECK(model->instances_count > 0);
    model->ids[instance - model->instances] = 0;
    *instance = (struct model_instance){ 0 };
    model->instances_count--;
    while (model->instances_top > 0 && model->ids[model->instances_top - 1] == 0) {
        model->instances_top--;
    }
}

struct model_segment *model_segment_find(struct model *model, uint64_t network)
{
    CHECK(network != 0);
    for (uint32_t i = 0; i < model->segments_top; i++) {
        if (model->segment_ids[i] == network) {
            CHECK(model->segments[i].network == network);
            return &model->segments[i];
        }
    }
    return NULL;
}

struct model_segment *model_segment_make(struct model *model, uint64_t network)
{
    CHECK(model_segment_find(model, network) == NULL);
    for (uint32_t i = 0; i < LIMIT_NODE_SEGMENTS; i++) {
        struct model_segment *segment = &model->segments[i];
        if (segment->network == 0) {
            memset(segment, 0, sizeof(*segment));
            segment->network = network;
            model->segment_ids[i] = network;
            model->segments_count++;
            model->segments_top = i < model->segments_top ? model->segments_top : i + 1;
            CHECK(model->segments_count <= LIMIT_NODE_SEGMENTS);
            return segment;
        }
    }
    return NULL;
}

void model_segment_drop(struct model *model, struct model_segment *segment)
{
    CHECK(segment->network != 0);
    CHECK(segment->busy == OPERATION_NONE);
    CHECK(model->segments_count > 0);
    model->segment_ids[segment - model->segments] = 0;
    segment->network = 0;
    model->segments_count--;
    while (model->segments_top > 0 && model->segment_ids[model->segments_top - 1] == 0) {
        model->segments_top--;
    }
}

/* ---- Observation. ---- */

void model_forget_seen(struct model *model)
{
    model->complete = false;
    for (uint32_t i = 0; i < model->instances_top; i++) {
        struct model_instance *instance = &model->instances[i];
        CHECK(model->ids[i] == instance->id);
        instance->presence = PRESENCE_UNKNOWN;
        instance->busy = OPERATION_NONE;
        instance->handle = 0;
    }
    for (uint32_t i = 0; i < model->segments_top; i++) {
        model->segments[i].busy = OPERATION_NONE;
        model->segments[i].handle = 0;
        model->segments[i].present = false;
        model->segments[i].current = false;
    }
}

static void observe_instance(
    struct model_instance *instance, const Wire__HostInstance *seen, uint64_t now_ms)
{
    CHECK(instance->id == seen->instance);
    bool domain = seen->running || seen->paused;
    enum presence before = instance->presence;
    instance->presence = seen->running  ? PRESENCE_RUNNING
                         : seen->paused ? PRESENCE_PAUSED
                                        : PRESENCE_ABSENT;
    instance->leftovers = seen->leftovers;
    instance->erased = false;
    if (!domain) {
        return;
    }
    instance->seen_generation = seen->generation;
    instance->seen_epoch = seen->epoch;
    instance->seen_boots = seen->boots;
    if (seen->generation > instance->generation) {
        instance->generation = seen->generation;
    }
    if (seen->epoch > instance->epoch) {
        instance->epoch = seen->epoch;
    }
    if (instance->presence == PRESENCE_RUNNING) {
        instance->booted = true;
        if (before != PRESENCE_RUNNING) {
            instance->running_since_ms = now_ms;
        }
    }
}

static void observe_segments(struct model *model, const Wire__VerbTold *told)
{
    CHECK(told->n_segments == 0 || told->segments != NULL);
    for (uint32_t i = 0; i < model->segments_top; i++) {
        model->segments[i].present = false;
    }
    for (size_t i = 0; i < told->n_segments; i++) {
        const Wire__HostSegment *seen = told->segments[i];
        if (seen->network == 0) {
            continue;
        }
        struct model_segment *segment = model_segment_find(model, seen->network);
        if (segment == NULL) {
            segment = model_segment_make(model, seen->network);
            if (segment == NULL) {
                return; /* What does not fit is seen when rows are free again. */
            }
            segment->vni = seen->vni;
        }
        segment->present = true;
        segment->current = segment->current && segment->generation == seen->generation;
    }
    for (uint32_t i = 0; i < model->segments_top; i++) {
        model->segments[i].current = model->segments[i].current && model->segments[i].present;
    }
}

void model_observe(struct model *model, const Wire__VerbTold *told, uint64_t now_ms)
{
    CHECK(told->failure == 0);
    enum presence before[LIMIT_NODE_INSTANCES] = { PRESENCE_UNKNOWN };
    for (uint32_t i = 0; i < model->instances_top; i++) {
        struct model_instance *instance = &model->instances[i];
        CHECK(instance->id == 0 || instance->busy == OPERATION_NONE);
        before[i] = instance->presence;
        instance->presence = PRESENCE_ABSENT;
        instance->leftovers = false;
    }
    for (size_t i = 0; i < told->n_instances; i++) {
        const Wire__HostInstance *seen = told->instances[i];
        if (seen->instance == 0) {
            continue;
        }
        struct model_instance *instance = model_find(model, seen->instance);
        if (instance == NULL) {
            instance = model_make(model, seen->instance);
            if (instance == NULL) {
                continue; /* Full of others; the next observation sees it again. */
            }
        } else {
            instance->presence = before[instance - model->instances];
        }
        observe_instance(instance, seen, now_ms);
    }
    observe_segments(model, told);
    model->strangers = told->strangers;
    model->complete = true;
}

bool model_has_unordered(const struct model *model)
{
    bool has = false;
    for (uint32_t i = 0; i < model->instances_top; i++) {
        const struct model_instance *instance = &model->instances[i];
        bool there = instance->presence == PRESENCE_PAUSED ||
                     instance->presence == PRESENCE_RUNNING || instance->leftovers;
        has = has || (instance->id != 0 && there && !instance->assigned && !instance->unwanted);
    }
    return has;
}

/* ---- What others are told. ---- */

static Wire__Observed observed_running(const struct model_instance *instance)
{
    CHECK(instance->assigned);
    bool right = instance->presence == PRESENCE_RUNNING &&
                 instance->seen_boots >= instance->want.boots &&
                 instance->seen_epoch >= instance->epoch;
    return right ? WIRE__OBSERVED__OBSERVED_RUNNING : WIRE__OBSERVED__OBSERVED_STARTING;
}

Wire__Observed model_observed(const struct model_instance *instance)
{
    CHECK(instance->id != 0);
    bool ends = instance->want.desired == WIRE__DESIRED__DESIRED_GONE &&
                instance->presence == PRESENCE_ABSENT;
    if (instance->erased || (ends && MUTANT(GONE_BEFORE_IT_IS_ERASED))) {
        return WIRE__OBSERVED__OBSERVED_GONE;
    }
    if (instance->presence == PRESENCE_UNKNOWN) {
        return WIRE__OBSERVED__OBSERVED_UNSET;
    }
    if (instance->busy == OPERATION_START && !MUTANT(RESTS_WHILE_IT_STARTS)) {
        /* INV-VM-1: whatever is wanted by now, it may come to be at any moment; who were told that
         * it rests would start it elsewhere. */
        return WIRE__OBSERVED__OBSERVED_STARTING;
    }
    if (instance->failed && instance->presence == PRESENCE_ABSENT) {
        /* INV-VM-1: what a start that failed has left may run yet; who were told that it failed
         * would start it elsewhere. */
        return WIRE__OBSERVED__OBSERVED_FAILED;
    }
    if (instance->assigned && instance->want.desired == WIRE__DESIRED__DESIRED_RUNNING) {
        return observed_running(instance);
    }
    if (instance->presence == PRESENCE_PAUSED) {
        /* INV-LED-6: a paused domain is there, too; and it does not run, whoever waits for that. */
        return MUTANT(PAUSED_TAKEN_FOR_STOPPED) ? WIRE__OBSERVED__OBSERVED_STOPPED
                                                : WIRE__OBSERVED__OBSERVED_STARTING;
    }
    return instance->presence == PRESENCE_ABSENT ? WIRE__OBSERVED__OBSERVED_STOPPED
                                                 : WIRE__OBSERVED__OBSERVED_RUNNING;
}

void model_digest(const struct model *model, uint64_t *count_out, uint64_t *digest_out)
{
    CHECK(count_out != NULL);
    CHECK(digest_out != NULL);
    uint64_t count = 0;
    uint64_t digest = 0;
    for (uint32_t i = 0; i < model->instances_top; i++) {
        const struct model_instance *instance = &model->instances[i];
        if (instance->id == 0 || !instance->assigned || instance->unwanted || instance->erased) {
            continue;
        }
        uint8_t bytes[16];
        for (uint32_t at = 0; at < 8; at++) {
            bytes[at] = (uint8_t)(instance->id >> (8 * at));
            bytes[8 + at] = (uint8_t)(instance->generation >> (8 * at));
        }
        digest += hash_bytes((struct hash_key){ 0, 0 }, slice_of(bytes, sizeof(bytes)));
        count++;
    }
    *count_out = count;
    *digest_out = digest;
}
