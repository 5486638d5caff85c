/* What the clients of a seed were told, as a history (tests/history). Decides how an answer is
 * written down: what it says of an object, which element of which list it appended or saw. Never
 * what is right, nor when that is asked (plane_history_final.c). */
#include "tests/sim/plane_history.h"
#include "base/check.h"
#include "base/id.h"
#include "base/reject.h"
#include "tests/sim/plane_check.h"
#include "tests/sim/plane_people.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static struct history history;
static void *memory; /* Owned. */

struct history *plane_history(void)
{
    return memory == NULL ? NULL : &history;
}

void plane_history_begin(struct plane *plane)
{
    uint32_t events = plane->conf.requests * 4 + 1024;
    const struct history_limits limits = { .events = events,
                                           .sights = events,
                                           .touches = events,
                                           .elements = plane->conf.requests + 1024,
                                           .names = plane->conf.requests * 4 + 1024 };
    memory = plane_zeroed(1, history_memory(&limits));
    history_init(&history, &limits, memory);
}

void plane_history_end(void)
{
    free(memory);
    memory = NULL;
}

static enum history_f f_of(enum plane_act act)
{
    switch ((int)act) {
    case PLANE_ACT_CREATE:
    case PLANE_ACT_NETWORK: return HISTORY_CREATE;
    case PLANE_ACT_DELETE:
    case PLANE_ACT_NETWORK_DELETE: return HISTORY_DELETE;
    case PLANE_ACT_START: return HISTORY_START;
    case PLANE_ACT_STOP: return HISTORY_STOP;
    case PLANE_ACT_REBOOT: return HISTORY_REBOOT;
    case PLANE_ACT_READ: return HISTORY_READ;
    default: return HISTORY_F_END;
    }
}

static enum history_kind kind_of(enum plane_act act)
{
    bool network = act == PLANE_ACT_NETWORK || act == PLANE_ACT_NETWORK_DELETE;
    return network ? HISTORY_NETWORK : HISTORY_INSTANCE;
}

uint32_t plane_history_asked(
    const struct plane *plane, const struct plane_request *request, uint32_t attempt)
{
    if (memory == NULL || f_of(request->act) == HISTORY_F_END) {
        return UINT32_MAX; /* A story keeps none. */
    }
    bool reads = request->act == PLANE_ACT_READ;
    struct history_asked asked = { .client = attempt, /* Each is heard of on its own. */
                                   .f = f_of(request->act),
                                   .kind = kind_of(request->act),
                                   .object = request->name,
                                   .account = plane_tenant_name(request->tenant),
                                   .key = reads ? "" : request->key,
                                   .at_ns = plane->now_us * 1000,
                                   .value = request->flag ? 0 : 1 };
    if (request->act == PLANE_ACT_CREATE) {
        asked.amounts[0] = request->vcpus;
        asked.amounts[1] = request->memory_bytes;
        asked.amounts[2] = 1;
    } else if (request->act == PLANE_ACT_NETWORK) {
        asked.amounts[3] = 1;
    }
    return history_invoke(&history, &asked);
}

/* HISTORY_REFUSAL_END: it may have been done. */
static enum history_refusal refusal_of(const struct plane_request *request, uint32_t reject)
{
    switch ((enum reject)reject) {
    case REJECT_NO_LEADER:
    case REJECT_UNFIT:
    case REJECT_OVERLOADED:
    case REJECT_RATE:
    case REJECT_IDEMPOTENCY_FULL:
    case REJECT_TABLE_FULL: return HISTORY_UNTRIED;
    case REJECT_NAME_TAKEN: return HISTORY_TAKEN;
    case REJECT_STATE: return HISTORY_STATE;
    case REJECT_IN_USE: return HISTORY_USED;
    case REJECT_PRECONDITION: return HISTORY_CHANGED;
    case REJECT_NOT_FOUND: /* A create misses its network, not itself. */
        return f_of(request->act) == HISTORY_CREATE ? HISTORY_REFUSED : HISTORY_ABSENT;
    case REJECT_QUOTA:
    case REJECT_FLOOR:
    case REJECT_NO_CAPACITY:
    case REJECT_CONFLICT: return HISTORY_REFUSED;
    case REJECT_IDEMPOTENCY_BODY: return HISTORY_REUSED;
    case REJECT_NONE:
    case REJECT_DENIED:
    case REJECT_BAD_NAME:
    case REJECT_BAD_FIELD:
    case REJECT_UNSUPPORTED:
    case REJECT_REVOKED:
    case REJECT_TOKEN:
    case REJECT_STALE:
    case REJECT_OUTCOME_UNKNOWN:
    case REJECT_MALFORMED:
    case REJECT_FEATURE_LEVEL:
    case REJECT_NO_CERTIFICATE:
    case REJECT_FOREIGN:
    case REJECT_EXPIRED:
    case REJECTS_END: return HISTORY_REFUSAL_END;
    }
    UNREACHABLE();
    return HISTORY_REFUSAL_END;
}

static enum history_stage stage_of(Wire__InstanceState state)
{
    switch ((int)state) {
    case WIRE__INSTANCE_STATE__INSTANCE_STATE_STARTING: return HISTORY_STAGE_STARTING;
    case WIRE__INSTANCE_STATE__INSTANCE_STATE_RUNNING: return HISTORY_STAGE_RUNNING;
    case WIRE__INSTANCE_STATE__INSTANCE_STATE_STOPPING: return HISTORY_STAGE_STOPPING;
    case WIRE__INSTANCE_STATE__INSTANCE_STATE_STOPPED: return HISTORY_STAGE_STOPPED;
    case WIRE__INSTANCE_STATE__INSTANCE_STATE_DELETING: return HISTORY_STAGE_DELETING;
    case WIRE__INSTANCE_STATE__INSTANCE_STATE_FAILED: return HISTORY_STAGE_FAILED;
    default: return HISTORY_STAGE_UNTOLD;
    }
}

/* ---- Lists: of a tenant's writes, and of an instance's placements ---- */

void plane_history_holds(uint32_t tenant, char room[static HISTORY_NAME])
{
    (void)snprintf(room, HISTORY_NAME, "holds/%.40s", plane_tenant_name(tenant));
}

void plane_history_placed(uint64_t instance, char room[static HISTORY_NAME])
{
    (void)snprintf(room, HISTORY_NAME, "placed/%" PRIx64, instance);
}

static void appended(
    uint32_t event, const struct plane_request *request, const struct history_told *told)
{
    char list[HISTORY_NAME];
    bool places =
        request->act == PLANE_ACT_START || (request->act == PLANE_ACT_CREATE && !request->flag);
    if (told->operation == 0) {
        return;
    }
    plane_history_holds(request->tenant, list);
    history_add_append(&history, event, list, told->operation);
    if (places && told->id != 0) { /* Which placement it is, the log will tell. */
        plane_history_placed(told->id, list);
        history_add_append(&history, event, list, 0);
    }
}

static void saw(uint32_t event, const struct plane_request *request, const Wire__Answer *answer)
{
    struct history_sight sight = { .kind = HISTORY_INSTANCE,
                                   .stage = HISTORY_STAGE_ABSENT,
                                   .epoch = HISTORY_UNTOLD,
                                   .revision = HISTORY_UNTOLD };
    if (answer->reject == REJECT_NONE) {
        const Wire__InstanceView *view = answer->items[0]->instance;
        bool parsed = id_parse(ID_INSTANCE, view->id, &sight.id);
        CHECK(parsed);
        sight.stage = stage_of(view->state);
        sight.epoch = view->epoch;
        sight.revision = view->revision;
    }
    history_add_sight(&history, event, request->name, &sight);
    if (sight.id != 0) {
        char list[HISTORY_NAME];
        plane_history_placed(sight.id, list);
        history_add_newest(&history, event, list, sight.epoch);
    }
}

static void wrote(
    const struct plane_request *request, const Wire__Answer *answer, struct history_told *told)
{
    enum id_kind kind = kind_of(request->act) == HISTORY_NETWORK ? ID_NETWORK : ID_INSTANCE;
    const Wire__OperationView *operation = answer->operation;
    bool sound = operation != NULL && id_parse(ID_OPERATION, operation->id, &told->operation);
    told->done = sound && operation->state == WIRE__OPERATION_STATE__OPERATION_STATE_DONE;
    if (sound && operation->resource[0] != '\0' &&
        !id_parse(kind, operation->resource, &told->id)) {
        told->id = 0;
    }
}

void plane_history_told(
    const struct plane *plane,
    uint32_t event,
    const struct plane_request *request,
    const Wire__Answer *answer)
{
    struct history_told told = { .outcome = HISTORY_INFO,
                                 .at_ns = plane->now_us * 1000,
                                 .index = answer == NULL ? 0 : answer->index };
    if (event == UINT32_MAX || answer == NULL) {
        return; /* It stays open: it may have been done, or be done yet. */
    }
    bool absent = request->act == PLANE_ACT_READ && answer->reject == REJECT_NOT_FOUND;
    if (answer->reject != REJECT_NONE && !absent) {
        told.refusal = refusal_of(request, answer->reject);
        if (told.refusal == HISTORY_REFUSAL_END) {
            return;
        }
        told.outcome = HISTORY_FAIL;
        history_return(&history, event, &told);
        return;
    }
    told.outcome = HISTORY_OK;
    if (request->act != PLANE_ACT_READ) {
        wrote(request, answer, &told);
    }
    history_return(&history, event, &told);
    if (request->act == PLANE_ACT_READ) {
        saw(event, request, answer);
    } else {
        appended(event, request, &told);
    }
}

void plane_history_lie(const struct plane *plane, const struct plane_request *request)
{
    struct plane_request read = *request;
    Wire__Answer answer = WIRE__ANSWER__INIT;
    read.act = PLANE_ACT_READ;
    answer.reject = REJECT_NOT_FOUND;
    plane_history_told(plane, plane_history_asked(plane, &read, 1), &read, &answer);
}
