/* What an operation is said to have ended with is so: done means that what it promised is true of
 * the guests themselves, failed that they failed as often as was agreed or that a later order came;
 * it ends once and for good; and a guest that is down is not said to run. Decides nothing of what
 * an order should do. */
#include "base/check.h"
#include "base/id.h"
#include "base/reject.h"
#include "controller/server.h"
#include "tests/sim/plane_check.h"
#include "tests/sim/plane_guest.h"
#include "tests/sim/plane_hypervisor.h"
#include "tests/sim/plane_machine.h"
#include "tests/sim/plane_net.h"
#include "tests/sim/plane_people.h"
#include "tests/sim/trial.h"

#include <stdlib.h>
#include <string.h>

#define DONE      WIRE__OPERATION_STATE__OPERATION_STATE_DONE
#define UNDER_WAY WIRE__OPERATION_STATE__OPERATION_STATE_RUNNING

enum { MANY_ATTEMPTS = 50 };

/* How a request's operation was seen to end, and since which index. */
struct end_seen {
    uint64_t index;
    uint64_t done_at;
    Wire__OperationState state; /* UNSET: it was not seen to. */
};

static struct end_seen *ends; /* Owned; by request. */
static uint64_t killed;       /* The guest of the last act; 0: none. */
static bool spared;           /* A lie of ours: it lives. */

void plane_ends_begin(const struct plane *plane)
{
    ends = plane_zeroed(plane->conf.requests + 2, sizeof(*ends));
    killed = 0;
}

void plane_ends_over(void)
{
    free(ends);
    ends = NULL;
}

/* ---- One end ---- */

static bool still_runs(struct plane *plane, const struct plane_guest *guest, uint64_t instance)
{
    uint32_t machine = plane_machine_of(plane, guest->operation_node);
    const struct plane_domain *domain =
        machine == PLANE_NONE ? NULL : plane_domain_of(plane_host_of(machine), instance);
    return domain != NULL && (domain->running || domain->paused) &&
           domain->epoch == guest->operation_epoch;
}

/* What it promised is so. */
static bool kept_promise(
    struct plane *plane,
    const struct operation_row *operation,
    const struct plane_guest *guest,
    uint64_t instance,
    const struct instance_row *row)
{
    if (strcmp(operation->kind, "instance-delete") == 0) {
        return row == NULL;
    }
    if (strcmp(operation->kind, "instance-stop") == 0) {
        return !still_runs(plane, guest, instance);
    }
    return guest->ran >= guest->operation_boots;
}

/* A later order came; or it was tried as often as was agreed, and each time it failed. */
static bool rightly_failed(
    const struct operation_row *operation,
    const struct plane_guest *guest,
    const struct instance_row *row)
{
    bool deletes = strcmp(operation->kind, "instance-delete") == 0;
    bool stops = strcmp(operation->kind, "instance-stop") == 0;
    if (operation->reject == REJECT_CONFLICT) {
        return !deletes && (row == NULL || row->generation > guest->operation_generation);
    }
    const struct plane_request *request =
        row == NULL ? NULL : plane_maker_of(row->name.text, PLANE_ACT_CREATE);
    uint64_t agreed = request == NULL || request->boots_most == 0 ? 1 : request->boots_most;
    return operation->reject == REJECT_STATE && !deletes && !stops &&
           guest->failed - guest->operation_failed >= agreed;
}

static void judge(
    struct plane *plane,
    const struct state *state,
    const struct plane_guest *guest,
    uint64_t instance,
    const struct instance_row *row)
{
    const struct operation_row *operation = state_find(state, TABLE_OPERATION, guest->operation);
    if (operation == NULL) {
        return; /* Nobody remembers it: a day has passed. */
    }
    bool sound = operation->state != UNDER_WAY &&
                 (operation->state == DONE ? kept_promise(plane, operation, guest, instance, row)
                                           : rightly_failed(operation, guest, row));
    plane_checked(plane, PLANE_CHECK_ENDS);
    if (!sound) { /* INV-VM-2 */
        plane_fail(
            plane,
            "ENDS %s of %llx, boot %llu of epoch %llu: said %s, and it is not so",
            operation->kind,
            (unsigned long long)instance,
            (unsigned long long)guest->operation_boots,
            (unsigned long long)guest->operation_epoch,
            operation->state == UNDER_WAY ? "to go on"
            : operation->state == DONE    ? "done"
                                          : reject_name((enum reject)operation->reject));
    }
}

void plane_ends_look(
    struct plane *plane,
    const struct state *state,
    uint64_t instance,
    struct instance_row *row,
    bool late)
{
    struct plane_guest *guest = plane_guest_of(instance);
    uint64_t operation = row == NULL ? 0 : row->operation.value;
    bool unseen = row != NULL && row->generation > guest->ordered + 1; /* Orders in between. */
    if (row != NULL && row->desired == WIRE__DESIRED__DESIRED_STOPPED && (row->force || unseen)) {
        guest->forced = row->epoch;
    }
    guest->ordered = row == NULL ? 0 : row->generation;
    if (guest->operation == operation) {
        return;
    }
    if (guest->operation != 0) {
        judge(plane, state, guest, instance, row);
    }
    guest->operation = operation;
    if (row != NULL) {
        guest->operation_generation = row->generation;
        guest->operation_boots = row->boots;
        guest->operation_epoch = row->epoch;
        guest->operation_node = row->node.value;
        guest->operation_failed = late ? 0 : guest->failed;
    }
}

/* ---- For good ---- */

void plane_ends_again(
    struct plane *plane, uint64_t index, uint32_t request, const struct operation_row *row)
{
    struct end_seen *seen = &ends[request];
    CHECK(request <= plane_requests_count);
    bool back = row->state == UNDER_WAY && seen->state != 0 && index >= seen->index;
    bool twice = row->state != UNDER_WAY && seen->state != 0 &&
                 (row->state != seen->state || row->done_at != seen->done_at);
    if (back || twice) {
        plane_fail(
            plane,
            "ENDS %s %s: it had ended at %llu, and now %s",
            plane_act_name(plane_requests[request].act),
            plane_requests[request].name,
            (unsigned long long)seen->index,
            back ? "goes on" : "ends otherwise");
    }
    if (row->state != UNDER_WAY && (seen->state == 0 || index < seen->index)) {
        *seen = (struct end_seen){ index, row->done_at, row->state };
    }
}

void plane_ends_settled(struct plane *plane, const struct state *state)
{
    for (const struct operation_row *row = state_first(state, TABLE_OPERATION); row != NULL;
         row = state_next(state, TABLE_OPERATION, row)) {
        if (row->state != UNDER_WAY) {
            continue;
        }
        const struct instance_row *of = state_find(state, TABLE_INSTANCE, row->resource);
        uint32_t machine = of == NULL ? PLANE_NONE : plane_machine_of(plane, of->node.value);
        bool waits = machine != PLANE_NONE &&
                     (plane->machines[machine].dead || !plane->machines[machine].exists);
        bool held = of != NULL && of->node.value != 0 && machine == PLANE_NONE;
        plane_checked(plane, PLANE_CHECK_ENDS);
        if (!waits && !held) { /* Its node is there, and has nothing more to do. */
            plane_fail(
                plane, "ENDS %s of %llx never comes", row->kind, (unsigned long long)row->resource);
        }
    }
}

/* ---- The last act ---- */

void plane_ends_forge_killed(void)
{
    spared = true;
}

bool plane_ends_forge(const struct instance_row *row)
{
    for (uint32_t i = 1; i <= plane_requests_count && row != NULL; i++) {
        const struct plane_request *request = &plane_requests[i];
        if (request->act == PLANE_ACT_IMAGE && request->operation != 0) {
            struct plane_guest *guest = plane_guest_of(row->head.id);
            guest->operation = request->operation;
            guest->operation_boots = row->boots + 1;
            return true;
        }
    }
    return false;
}

void plane_ends_kill(struct plane *plane, const struct state *state)
{
    for (const struct instance_row *row = state_first(state, TABLE_INSTANCE);
         row != NULL && !trial_is_calm(plane) && killed == 0;
         row = state_next(state, TABLE_INSTANCE, row)) {
        uint32_t machine =
            row->node.value == 0 ? PLANE_NONE : plane_machine_of(plane, row->node.value);
        struct plane_domain *domain =
            machine == PLANE_NONE ? NULL : plane_domain_of(plane_host_of(machine), row->head.id);
        bool sound = domain != NULL && domain->running && row->max_attempts >= MANY_ATTEMPTS &&
                     row->state == WIRE__INSTANCE_STATE__INSTANCE_STATE_RUNNING &&
                     plane->machines[machine].up && !plane->machines[machine].dead;
        if (!sound) {
            continue;
        }
        killed = row->head.id;
        if (!spared) {
            plane_guest_of(killed)->dead = true;
            plane_domain_end(domain);
            plane_host_tells_end(plane, machine, killed, PLANE_ENDED_CRASHED);
        }
    }
}

void plane_ends_killed(struct plane *plane, const struct state *state)
{
    if (killed == 0) {
        return; /* Nobody ran who may be hurt. */
    }
    const struct instance_row *row = state_find(state, TABLE_INSTANCE, killed);
    plane_checked(plane, PLANE_CHECK_DOWN);
    if (row == NULL || row->state == WIRE__INSTANCE_STATE__INSTANCE_STATE_RUNNING) {
        plane_fail(plane, "DOWN %llx runs no more, and is said to", (unsigned long long)killed);
    }
}
