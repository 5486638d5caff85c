/* Decides the next operation of each row. One row, one verb at a time (INV-VM-5); nothing that was
 * not observed is acted upon (INV-VM-3); nothing starts where something is (INV-VM-1). */
#include "node-agent/core/reconcile.h"

#include "base/check.h"
#include "base/mutant.h"
#include "base/result.h"
#include "node-agent/core/agent.h"

static uint64_t backoff_ms(uint32_t attempts)
{
    CHECK(attempts >= 1);
    uint64_t wait = AGENT_BACKOFF_MS;
    for (uint32_t i = 1; i < attempts && wait < AGENT_BACKOFF_MS_MAX; i++) {
        wait *= 2;
    }
    CHECK(wait > 0);
    return wait < AGENT_BACKOFF_MS_MAX ? wait : AGENT_BACKOFF_MS_MAX;
}

/* A guest that should run does not: try again, later each time, or give up. */
static enum reconcile_note failure_noticed(
    struct model_instance *instance, uint64_t now_ms, const char *reason)
{
    CHECK(instance->want.desired == WIRE__DESIRED__DESIRED_RUNNING);
    CHECK(!instance->failed);
    instance->reason = reason;
    bool stable =
        instance->running_since_ms != 0 && now_ms - instance->running_since_ms >= AGENT_STABLE_MS;
    if (stable) {
        instance->attempts = 0;
    }
    instance->running_since_ms = 0;
    if (instance->want.on_failure != WIRE__ON_FAILURE__ON_FAILURE_RESTART ||
        instance->attempts >= instance->want.max_attempts) {
        instance->failed = true;
        return RECONCILE_NOTE_GAVE_UP;
    }
    instance->attempts++;
    instance->repairing = true;
    instance->not_before_ms = now_ms + backoff_ms(instance->attempts);
    return RECONCILE_NOTE_REPAIR;
}

static const char *end_reason(uint32_t why)
{
    enum { ENDED_SHUT_DOWN = 1, ENDED_CRASHED = 2 };
    if (why == ENDED_SHUT_DOWN) {
        return "the guest shut itself down";
    }
    return why == ENDED_CRASHED ? "the guest's machine crashed or was killed"
                                : "the guest was found missing";
}

static bool segments_ready(struct model *model, const struct model_instance *instance)
{
    CHECK(instance->want.nics_count <= LIMIT_INSTANCE_NETWORKS);
    for (uint32_t i = 0; i < instance->want.nics_count; i++) {
        CHECK(instance->want.nics[i].network != 0);
        const struct model_segment *segment =
            model_segment_find(model, instance->want.nics[i].network);
        if (segment == NULL || !segment->current) {
            return false;
        }
    }
    return true;
}

static enum operation instance_to_running(
    struct model *model,
    struct model_instance *instance,
    const struct reconcile_context *context,
    enum reconcile_note *note_out)
{
    CHECK(instance->assigned);
    switch (instance->presence) {
    case PRESENCE_UNKNOWN: return OPERATION_NONE; /* INV-VM-3 */
    case PRESENCE_PAUSED: return OPERATION_DESTROY;
    case PRESENCE_RUNNING:
        /* An older boot, or a domain of an older placement, is not the one that is wanted. */
        return instance->seen_boots < instance->want.boots || instance->seen_epoch < instance->epoch
                   ? OPERATION_DESTROY
                   : OPERATION_NONE;
    case PRESENCE_ABSENT: break;
    }
    CHECK(instance->presence == PRESENCE_ABSENT); /* INV-VM-1 */
    if (instance->failed) {
        return OPERATION_NONE;
    }
    if (instance->booted) {
        instance->booted = false;
        *note_out = failure_noticed(instance, context->now_ms, end_reason(instance->ended_why));
        instance->ended_why = 0;
        return OPERATION_NONE;
    }
    bool may_start = context->now_ms >= instance->not_before_ms &&
                     context->starts_in_flight < LIMIT_NODE_STARTS &&
                     segments_ready(model, instance);
    return may_start ? OPERATION_START : OPERATION_NONE;
}

static enum operation instance_to_stopped(
    struct model_instance *instance, const struct reconcile_context *context, bool force)
{
    switch (instance->presence) {
    case PRESENCE_UNKNOWN: return OPERATION_NONE; /* INV-VM-3 */
    case PRESENCE_ABSENT: return OPERATION_NONE;
    case PRESENCE_PAUSED: return OPERATION_DESTROY;
    case PRESENCE_RUNNING: break;
    }
    CHECK(instance->presence == PRESENCE_RUNNING);
    CHECK(instance->busy == OPERATION_NONE); /* INV-VM-5 */
    if (force) {
        return OPERATION_DESTROY;
    }
    if (instance->stop_deadline_ms == 0) {
        return OPERATION_ASK_STOP;
    }
    return context->now_ms >= instance->stop_deadline_ms ? OPERATION_DESTROY : OPERATION_NONE;
}

static enum operation instance_to_gone(
    struct model_instance *instance, const struct reconcile_context *context)
{
    if (instance->erased) {
        return OPERATION_NONE;
    }
    if (instance->presence == PRESENCE_ABSENT) {
        return context->now_ms >= instance->not_before_ms ? OPERATION_ERASE : OPERATION_NONE;
    }
    return instance_to_stopped(instance, context, true);
}

enum operation reconcile_instance(
    struct model *model,
    struct model_instance *instance,
    const struct reconcile_context *context,
    enum reconcile_note *note_out)
{
    CHECK(instance->id != 0);
    CHECK(instance->busy == OPERATION_NONE); /* INV-VM-5 */
    *note_out = RECONCILE_NOTE_NONE;
    bool backing_off = context->now_ms < instance->not_before_ms;
    if (instance->unwanted) {
        CHECK(context->heard_all); /* INV-VM-4 */
        return backing_off ? OPERATION_NONE : instance_to_gone(instance, context);
    }
    if (!instance->assigned) {
        return OPERATION_NONE; /* INV-VM-4: nobody said that it is not wanted. */
    }
    switch (instance->want.desired) {
    case WIRE__DESIRED__DESIRED_RUNNING:
        return instance_to_running(model, instance, context, note_out);
    case WIRE__DESIRED__DESIRED_STOPPED:
        return backing_off ? OPERATION_NONE
                           : instance_to_stopped(instance, context, instance->want.force);
    case WIRE__DESIRED__DESIRED_GONE:
        return backing_off ? OPERATION_NONE : instance_to_gone(instance, context);
    case WIRE__DESIRED__DESIRED_UNSET:
    case _WIRE__DESIRED_IS_INT_SIZE: break;
    }
    UNREACHABLE();
    return OPERATION_NONE;
}

/* ---- Segments. ---- */

void reconcile_count_members(struct model *model)
{
    for (uint32_t i = 0; i < model->segments_top; i++) {
        model->segments[i].members = 0;
    }
    for (uint32_t i = 0; i < model->instances_top; i++) {
        const struct model_instance *instance = &model->instances[i];
        if (instance->id == 0 || instance->erased || !instance->assigned) {
            continue;
        }
        CHECK(instance->want.nics_count <= LIMIT_INSTANCE_NETWORKS);
        for (uint32_t nic = 0; nic < instance->want.nics_count; nic++) {
            struct model_segment *segment =
                model_segment_find(model, instance->want.nics[nic].network);
            if (segment != NULL) {
                segment->members++;
                CHECK(segment->members <= LIMIT_NODE_INSTANCES * LIMIT_INSTANCE_NETWORKS);
            }
        }
    }
}

/* A domain whose order we do not hold may use any segment. */
static bool strangers_present(const struct model *model)
{
    for (uint32_t i = 0; i < model->instances_top; i++) {
        const struct model_instance *instance = &model->instances[i];
        CHECK(model->ids[i] == instance->id);
        if (instance->id != 0 && !instance->assigned && !instance->erased) {
            return true;
        }
    }
    return false;
}

enum operation reconcile_segment(
    const struct model *model,
    const struct model_segment *segment,
    const struct reconcile_context *context)
{
    CHECK(segment->network != 0);
    CHECK(segment->busy == OPERATION_NONE);
    if (context->now_ms < segment->not_before_ms) {
        return OPERATION_NONE;
    }
    if (segment->members > 0) {
        return segment->ordered && !segment->current ? OPERATION_ENSURE_SEGMENT : OPERATION_NONE;
    }
    if (!segment->present || !context->heard_all || strangers_present(model)) {
        return OPERATION_NONE; /* INV-VM-4 */
    }
    return OPERATION_DROP_SEGMENT; /* INV-NET-11 */
}

/* ---- Beginnings and ends. ---- */

void reconcile_begin(struct model_instance *instance, enum operation operation, uint64_t now_ms)
{
    CHECK(instance->busy == OPERATION_NONE);       /* INV-VM-5 */
    CHECK(instance->presence != PRESENCE_UNKNOWN); /* INV-VM-3 */
    CHECK(operation >= OPERATION_START && operation <= OPERATION_ERASE);
    instance->busy = operation;
    if (operation == OPERATION_START) {
        CHECK(instance->presence == PRESENCE_ABSENT); /* INV-VM-1 */
        instance->stopping = false;
        instance->erased = false;
    }
    if (operation == OPERATION_DESTROY) {
        instance->stopping = true;
        instance->booted = false;
    }
    if (operation == OPERATION_ASK_STOP) {
        instance->stopping = true;
        instance->booted = false;
        instance->stop_deadline_ms = now_ms + AGENT_STOP_GRACE_MS;
    }
}

static const char *start_failure_reason(uint32_t failure)
{
    switch (failure) {
    case FAILURE_NOT_FOUND: return "an image file is not on this node";
    case FAILURE_CORRUPT: return "an image file is damaged";
    case FAILURE_NO_SPACE: return "the node has no space";
    case FAILURE_DENIED: return "the node refused it";
    case FAILURE_TIMEOUT: return "the start timed out";
    default: return "the guest could not be started";
    }
}

/* Libvirt or host was away, or somebody was faster: not the guest's fault. */
static bool is_nobodys_failure(uint32_t failure)
{
    return failure == FAILURE_CLOSED || failure == FAILURE_BUSY || failure == FAILURE_FULL ||
           failure == FAILURE_EXISTS;
}

static void start_ended(
    struct model_instance *instance,
    uint32_t failure,
    uint64_t boots,
    uint64_t now_ms,
    enum reconcile_note *note_out)
{
    if (failure == FAILURE_NONE) {
        instance->presence = PRESENCE_RUNNING;
        instance->booted = true;
        instance->seen_boots = boots;
        instance->seen_epoch = instance->epoch;
        instance->running_since_ms = now_ms;
        instance->reason = "";
        if (instance->repairing) {
            instance->repairing = false;
            instance->repairs++;
        }
        return;
    }
    instance->presence = PRESENCE_UNKNOWN; /* Only Observe knows what is left of it. */
    if (is_nobodys_failure(failure)) {
        instance->not_before_ms = now_ms + AGENT_RETRY_MS;
    } else if (instance->want.desired == WIRE__DESIRED__DESIRED_RUNNING && !instance->failed) {
        *note_out = failure_noticed(instance, now_ms, start_failure_reason(failure));
    }
    CHECK(instance->presence == PRESENCE_UNKNOWN); /* INV-VM-3 */
}

void reconcile_end(
    struct model_instance *instance,
    enum operation operation,
    uint32_t failure,
    uint64_t boots,
    uint64_t now_ms,
    enum reconcile_note *note_out)
{
    CHECK(instance->busy == operation); /* INV-VM-5 */
    CHECK(operation != OPERATION_NONE);
    *note_out = RECONCILE_NOTE_NONE;
    instance->busy = OPERATION_NONE;
    instance->handle = 0;
    if (operation == OPERATION_START) {
        start_ended(instance, failure, boots, now_ms, note_out);
        return;
    }
    if (failure != FAILURE_NONE && failure != FAILURE_NOT_FOUND) {
        instance->not_before_ms = now_ms + AGENT_RETRY_MS;
        instance->presence = PRESENCE_UNKNOWN;
        return;
    }
    if (operation == OPERATION_ASK_STOP && failure == FAILURE_NOT_FOUND) {
        instance->presence = PRESENCE_UNKNOWN;
    } else if (operation == OPERATION_DESTROY) {
        /* Its end frees its room, and it may then start elsewhere: what libvirt answers is looked
         * at before it is believed (INV-VM-1). */
        instance->presence = MUTANT(AGENT_BELIEVES_A_STOP) ? PRESENCE_ABSENT : PRESENCE_UNKNOWN;
        instance->stop_deadline_ms = 0;
    } else if (operation == OPERATION_ERASE) {
        instance->presence = PRESENCE_ABSENT;
        instance->leftovers = false;
        instance->erased = true;
        instance->gone_at_ms = now_ms;
    }
}

void reconcile_ended(struct model_instance *instance, uint32_t why)
{
    enum { ENDED_BY_US = 3 };
    CHECK(instance->id != 0);
    if (why == ENDED_BY_US || instance->stopping) {
        instance->booted = false;
    }
    instance->ended_why = why;
    if (instance->busy == OPERATION_NONE) {
        instance->presence = PRESENCE_UNKNOWN;
    }
    CHECK(instance->busy != OPERATION_NONE || instance->presence == PRESENCE_UNKNOWN);
}
