/* The cell's operator: replaces a controller whose disk was hurt, and now and then adds one,
 * removes one, or exchanges a sound one. Decides which and when; whether it may be done is the
 * product's. */
#include "base/check.h"
#include "base/reject.h"
#include "controller/server.h"
#include "tests/sim/plane_controller.h"
#include "tests/sim/plane_machine.h"
#include "tests/sim/plane_people.h"
#include "tests/sim/trial.h"

enum { LOOK_MS = 500, PATIENCE_MS = 3000, LEAST = 3, MOST = 5 };
enum phase { IDLE = 0, REMOVING, REMOVED, TOKEN, JOIN, JOINING, QUOTA, FLOOR, NEWCOMER };
enum { QUOTA_SPAN = 4, NEWCOMERS = 4 };

static struct {
    enum phase phase;
    uint32_t machine;
    bool comes_back; /* After it was removed. */
    bool asked;      /* A request is under way. */
    uint32_t serial; /* Of this job: no two tokens are alike. */
    uint64_t again_ms;
    uint64_t old_id;
} job;

static uint32_t newcomers; /* Tenants that were asked for in trouble. */

bool plane_operator_busy(void)
{
    return job.phase != IDLE;
}

static bool listed(struct plane *plane, uint64_t id, bool voter)
{
    uint32_t leader = plane_leader(plane);
    if (leader == PLANE_NONE) {
        return !voter;
    }
    struct replica_status status;
    server_status(plane_server(plane, leader), &status);
    for (uint32_t i = 0; i < status.member_count; i++) {
        if (status.members[i].id == id && (!voter || status.members[i].role == REPLICA_VOTER)) {
            return true;
        }
    }
    return false;
}

static void ask(struct plane *plane, enum plane_act act)
{
    if (plane_ask_soon(plane, act, job.machine, job.serial)) {
        job.asked = true;
    }
}

static void begin(struct plane *plane, enum phase phase, uint32_t machine, bool comes_back)
{
    CHECK(job.phase == IDLE);
    job.phase = phase;
    job.machine = machine;
    job.comes_back = comes_back;
    job.asked = false;
    job.serial++;
    job.again_ms = plane->now_ms;
    job.old_id = plane->machines[machine].id;
    plane_trace(plane, "operator: m%u %s", machine, phase == REMOVING ? "goes" : "comes");
}

static uint32_t members(const struct plane *plane)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < PLANE_CONTROLLERS; i++) {
        count += plane->machines[i].exists ? 1 : 0;
    }
    return count;
}

static uint32_t hurt_one(const struct plane *plane)
{
    for (uint32_t i = 0; i < PLANE_CONTROLLERS; i++) {
        if (plane->machines[i].exists && plane_controller_hurt(i)) {
            return i;
        }
    }
    return PLANE_NONE;
}

/* Nobody is added or exchanged while one is hurt: a newcomer is raised to voter only when every
 * voter is there, so the two would wait for each other. */
void plane_operator_wish(struct plane *plane)
{
    uint32_t count = members(plane);
    uint32_t machine = (uint32_t)plane_below(plane, PLANE_CONTROLLERS);
    if (job.phase != IDLE || !plane->trouble || hurt_one(plane) != PLANE_NONE) {
        return;
    }
    bool exists = plane->machines[machine].exists;
    plane_seen(plane, PLANE_MEMBERS_CHANGED);
    if (!exists && count < MOST) {
        begin(plane, TOKEN, machine, false);
    } else if (exists && count > LEAST) {
        begin(plane, REMOVING, machine, plane_odds(plane, 5000));
    } else if (exists) {
        begin(plane, REMOVING, machine, true);
    }
}

bool plane_operator_rejoins(struct plane *plane, uint32_t node)
{
    CHECK(plane_is_node(node));
    if (job.phase != IDLE) {
        return false;
    }
    begin(plane, TOKEN, node, false);
    return true;
}

static void replace_hurt(struct plane *plane)
{
    uint32_t hurt = hurt_one(plane);
    if (hurt != PLANE_NONE) {
        begin(plane, REMOVING, hurt, true);
    }
}

static bool all_vote(struct plane *plane)
{
    bool all = true;
    for (uint32_t i = 0; i < PLANE_CONTROLLERS; i++) {
        all = all && (!plane->machines[i].exists || listed(plane, plane->machines[i].id, true));
    }
    return all;
}

static void look(struct plane *plane)
{
    switch (job.phase) {
    case IDLE:
        replace_hurt(plane);
        if (job.phase == IDLE && plane->trouble && !trial_is_calm(plane) &&
            plane_odds(plane, 250)) {
            job.phase = QUOTA;
            job.serial++;
        }
        if (job.phase == IDLE && plane->trouble && plane->swarm.floors && plane_odds(plane, 400)) {
            bool newcomer = newcomers < NEWCOMERS && plane_odds(plane, 3000);
            job.phase = newcomer ? NEWCOMER : FLOOR;
            newcomers += newcomer ? 1 : 0;
            job.serial++;
        }
        return;
    case FLOOR: job.asked = plane_ask_soon(plane, PLANE_ACT_QUOTA, 0, job.serial); return;
    case NEWCOMER:
        job.asked = plane_ask_soon(
            plane, PLANE_ACT_TENANT, plane->conf.tenants + 1 + newcomers, job.serial);
        return;
    case QUOTA:
        job.asked = plane_ask_soon(
            plane,
            PLANE_ACT_QUOTA,
            plane->conf.instances + job.serial * 7 % QUOTA_SPAN,
            job.serial);
        return;
    case REMOVING: ask(plane, PLANE_ACT_REMOVE); return;
    case REMOVED:
        if (!listed(plane, job.old_id, false)) {
            plane->changes++;
            plane_controller_off(plane, job.machine);
            job.phase = job.comes_back ? TOKEN : IDLE;
        }
        return;
    case TOKEN: ask(plane, PLANE_ACT_TOKEN); return;
    case JOIN: ask(plane, PLANE_ACT_JOIN); return;
    case JOINING:
        if (all_vote(plane)) {
            plane->changes++;
            job.phase = IDLE;
        } else if (hurt_one(plane) != PLANE_NONE) {
            job.phase = IDLE; /* It is never raised while that one is missing. */
            replace_hurt(plane);
        }
        return;
    }
    UNREACHABLE();
}

void plane_operator_event(struct plane *plane)
{
    plane_after(plane, LOOK_MS, PLANE_OPERATE, 0);
    if (!job.asked && !plane->lost && plane->now_ms >= job.again_ms) {
        look(plane);
    }
}

void plane_operator_told(struct plane *plane, const struct plane_request *request)
{
    if (!job.asked) {
        return; /* The story's own. */
    }
    job.asked = false;
    job.again_ms = plane->now_ms + 200;
    if (plane->lost) {
        return; /* He waits for people. */
    }
    bool done = request->state == PLANE_ACKNOWLEDGED;
    if (request->act == PLANE_ACT_REMOVE && !done) {
        bool gone = request->reject == REJECT_NOT_FOUND;
        uint32_t leader = plane_leader(plane);
        if (!gone &&
            leader == job.machine) { /* Who leads is not removed: it has to stop leading. */
            plane_controller_crash(plane, leader, false);
        }
        job.phase = gone ? REMOVED : REMOVING;
        job.again_ms = plane->now_ms + PATIENCE_MS;
        return;
    }
    bool of_tenant = request->act == PLANE_ACT_QUOTA || request->act == PLANE_ACT_TENANT;
    bool in_vain = request->reject == REJECT_IDEMPOTENCY_FULL || request->reject == REJECT_FLOOR;
    if (of_tenant && (done || in_vain)) {
        job.phase = IDLE;
        return;
    }
    if (!done) {
        plane_fail(
            plane,
            "OPERATOR %s is refused: %s",
            plane_act_name(request->act),
            reject_name((enum reject)request->reject));
    }
    switch ((int)request->act) {
    case PLANE_ACT_REMOVE: job.phase = REMOVED; return;
    case PLANE_ACT_TOKEN: job.phase = JOIN; return;
    default:
        CHECK(request->act == PLANE_ACT_JOIN);
        plane->machines[job.machine].serial = job.serial;
        if (plane_is_node(job.machine)) {
            plane_node_join(plane, job.machine, request->resource);
            job.phase = IDLE;
            return;
        }
        plane_controller_join(plane, job.machine, request->resource);
        job.phase = JOINING;
        return;
    }
}
