/* The life of one seed: a cell begins as real ones do (genesis, tokens, joins), works in trouble,
 * is healed, and must come together. Decides the order of these four, and how long each lasts. */
#include "base/check.h"
#include "base/id.h"
#include "controller/server.h"
#include "tests/sim/plane_check.h"
#include "tests/sim/plane_fault.h"
#include "tests/sim/plane_guest.h"
#include "tests/sim/plane_machine.h"
#include "tests/sim/plane_snapshot.h"
#include "tests/sim/trial.h"

#include <stdlib.h>

enum { PATIENCE_MS = 240 * 1000 };

static bool leads(struct plane *plane)
{
    uint32_t leader = plane_leader(plane);
    return leader != PLANE_NONE &&
           state_cell(engine_state(server_engine(plane_server(plane, leader)))) != NULL;
}

/* What each node has; one that renews and whose first words were lost has said nothing of that yet.
 */
static bool known(struct plane *plane, uint32_t leader)
{
    const struct state *state = engine_state(server_engine(plane_server(plane, leader)));
    for (const struct node_row *row = state_first(state, TABLE_NODE); row != NULL;
         row = state_next(state, TABLE_NODE, row)) {
        if (row->memory_bytes == 0) {
            return false;
        }
    }
    return true;
}

static bool complete(struct plane *plane)
{
    struct replica_status status;
    uint32_t leader = plane_leader(plane);
    if (leader == PLANE_NONE) {
        return false;
    }
    server_status(plane_server(plane, leader), &status);
    uint32_t members = 0;
    for (uint32_t i = 0; i < PLANE_CONTROLLERS; i++) {
        members += plane->machines[i].exists ? 1 : 0;
    }
    bool voters = status.member_count == members;
    for (uint32_t i = 0; i < status.member_count; i++) {
        voters = voters && status.members[i].role == REPLICA_VOTER;
    }
    return voters && plane_check_converged(plane) && known(plane, leader);
}

static void join(struct plane *plane, uint32_t machine)
{
    (void)plane_ask(plane, PLANE_ACT_TOKEN, 0, machine);
    uint64_t id = plane_ask(plane, PLANE_ACT_JOIN, 0, machine)->resource;
    if (plane_is_node(machine)) {
        plane_node_join(plane, machine, id);
    } else {
        plane_controller_join(plane, machine, id);
    }
}

static void people_come(struct plane *plane)
{
    for (uint32_t i = 0; i < plane->conf.tenants; i++) {
        plane_tenants[i] = plane_ask(plane, PLANE_ACT_TENANT, i, 0)->resource;
    }
    for (uint32_t i = 1; i <= plane->conf.clients; i++) {
        plane_users[i] = plane_ask(plane, PLANE_ACT_USER, plane_tenant_of(plane, i), 0)->resource;
    }
    plane_odd_begin(plane);
}

static void machines_come(struct plane *plane)
{
    for (uint32_t i = 1; i < plane->conf.controllers; i++) {
        join(plane, i);
    }
    for (uint32_t i = 0; i < plane->conf.nodes; i++) {
        join(plane, PLANE_CONTROLLERS + i);
    }
    if (!plane_until(plane, 60000, complete)) {
        plane_fail(plane, "BEGIN does not come together: %s", plane_check_why());
    }
    plane_floors_ready();
}

static void begin(struct plane *plane)
{
    plane_controller_join(plane, 0, id_make(PLANE_CELL, 1));
    if (!plane_until(plane, 5000, leads)) {
        plane_fail(plane, "BEGIN nobody leads");
    }
    (void)plane_ask(plane, PLANE_ACT_IMAGE, 0, 0);
    if (!plane->swarm.floors) {
        people_come(plane);
        machines_come(plane);
    } else { /* What is promised has to be there. */
        machines_come(plane);
        people_come(plane);
        (void)plane_ask(plane, PLANE_ACT_TENANT, plane->conf.tenants + 1, 0);
    }
    plane_trace(plane, "complete");
}

static uint64_t least(uint64_t before, uint64_t now)
{
    return before == 0 || now < before ? now : before;
}

/* A minority of the controllers and some nodes never come back: the rest must do without them. */
static void leave_for_dead(struct plane *plane)
{
    uint32_t controllers = 0;
    for (uint32_t i = 0; i < PLANE_CONTROLLERS; i++) {
        controllers += plane->machines[i].exists ? 1 : 0;
    }
    uint32_t most = (controllers - 1) / 2;
    for (uint32_t i = 0; i < PLANE_CONTROLLERS && most > 0; i++) {
        if (plane->machines[i].exists && plane_odds(plane, 5000)) {
            plane_seen(plane, PLANE_LEFT_FOR_DEAD);
            if (plane->machines[i].up) {
                plane_controller_crash(plane, i, true);
            }
            plane->machines[i].dead = true;
            most--;
        }
    }
    for (uint32_t i = PLANE_CONTROLLERS; i < plane->machines_count; i++) {
        if (plane->machines[i].up && plane_odds(plane, 1500)) {
            plane_seen(plane, PLANE_LEFT_FOR_DEAD);
            plane_node_crash(plane, i, true);
            plane->machines[i].dead = true;
        }
    }
}

static bool operator_rests(struct plane *plane)
{
    bool rests = !plane_operator_busy();
    for (uint32_t i = 0; i < PLANE_CONTROLLERS; i++) {
        rests = rests && !(plane->machines[i].exists && plane_controller_hurt(i));
    }
    return rests;
}

static uint64_t max_of(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t instances_now(struct plane *plane)
{
    uint64_t most = 0; /* Of any replica: nobody may lead just now. */
    for (uint32_t i = 0; i < PLANE_CONTROLLERS; i++) {
        struct server *server = plane_server(plane, i);
        uint64_t here =
            server == NULL ? 0 : state_count(engine_state(server_engine(server)), TABLE_INSTANCE);
        most = max_of(most, here);
    }
    return most;
}

static int by_count(const void *a, const void *b)
{
    uint64_t one = *(const uint64_t *)a;
    uint64_t other = *(const uint64_t *)b;
    return one < other ? -1 : one > other ? 1 : 0;
}

/* A life of trouble, looked at now and then: a peak of a moment is no level. */
static void live_on(struct plane *plane, uint64_t left_ms)
{
    uint64_t looks[PLANE_LOOKS];
    struct plane_lived *lived = &plane->tally->lived;
    uint64_t end_us = plane->now_us + left_ms * 1000;
    for (uint64_t i = 0; i < PLANE_LOOKS; i++) {
        uint64_t left = (end_us - plane->now_us) / 1000;
        (void)plane_until(plane, left / (PLANE_LOOKS - i), NULL);
        looks[i] = instances_now(plane);
    }
    CHECK(plane->now_us <= end_us);
    lived->instances_at = max_of(lived->instances_at, looks[PLANE_LOOKS - 1]);
    qsort(looks, PLANE_LOOKS, sizeof(looks[0]), by_count);
    lived->instances = max_of(lived->instances, looks[PLANE_LOOKS / 2]);
}

static void tally_lived(const struct plane *plane, struct plane_lived *lived)
{
    lived->began_with[plane->conf.controllers]++;
    lived->changes += plane->changes;
    lived->changed_in += plane->changes > 0 ? 1 : 0;
    lived->installs += plane_snapshots_installed;
    lived->installed_in += plane_snapshots_installed > 0 ? 1 : 0;
    lived->mixed_in += plane->mixed ? 1 : 0;
}

static void tally_up(struct plane *plane)
{
    tally_lived(plane, &plane->tally->lived);
    plane->tally->commands_least = least(plane->tally->commands_least, plane_requests_count);
    plane->tally->struck_least =
        least(plane->tally->struck_least, plane->tally->struck - plane->struck_before);
    plane->tally->faults[PLANE_SNAPSHOT_FETCHED] += plane_snapshots_fetched;
    plane->tally->faults[PLANE_SNAPSHOT_DAMAGED] += plane_snapshots_damaged;
    plane->tally->virtual_ms += plane->now_ms;
    plane->tally->seconds_least = least(plane->tally->seconds_least, plane->now_ms / 1000);
}

/* Of whoever leads: everything has come together. */
static const struct state *leading(struct plane *plane)
{
    uint32_t leader = plane_leader(plane);
    CHECK(leader != PLANE_NONE);
    return engine_state(server_engine(plane_server(plane, leader)));
}

static void finish(struct plane *plane)
{
    if (!plane_until(plane, PATIENCE_MS, plane_check_converged)) {
        plane_fail(plane, "CONVERGE %s", plane_check_why());
    }
    plane_ends_kill(plane, leading(plane));
    for (uint32_t i = 0; i < PLANE_CONTROLLERS; i++) {
        if (!plane->machines[i].exists || plane->machines[i].dead) {
            continue;
        }
        (void)plane_until(plane, 1000, NULL); /* Nobody asks too fast here. */
        plane_clients_only(i); /* Any controller takes new work, at the first asking. */
        const struct plane_request *request = plane_ask(plane, PLANE_ACT_USER, 0, 0);
        if (request->attempts != 1) {
            plane_fail(plane, "CONVERGE m%u does not serve", i);
        }
    }
    plane_ends_killed(plane, leading(plane));
    plane_check_end(plane);
    plane_history_check(plane);
    tally_up(plane);
}

static void build(struct plane *plane)
{
    plane->machines_count = PLANE_CONTROLLERS + plane->conf.nodes;
    plane->machines = plane_zeroed(plane->machines_count, sizeof(*plane->machines));
    plane->links =
        plane_zeroed((size_t)PLANE_CONTROLLERS * plane->machines_count, sizeof(*plane->links));
    plane->machine_of = plane_zeroed(PLANE_SEQUENCES, sizeof(*plane->machine_of));
    for (uint32_t i = 0; i < plane->machines_count; i++) {
        plane->machines[i].clock.rate_ppm = 1000000;
        plane->machines[i].slow = 1;
    }
    plane->weather.delay_max_us = 2000;
    plane_check_begin(plane);
    plane_controllers_begin(plane);
    plane_nodes_begin(plane);
    plane_clients_begin(plane);
    plane_old_builds(plane);
}

void plane_end(struct plane *plane)
{
    plane_controllers_end(plane);
    plane_snapshots_end();
    plane_nodes_end(plane);
    plane_clients_end(plane);
    plane_history_end();
    plane_check_over();
    while (plane->queue_count > 0) {
        free(plane->queue[--plane->queue_count].bytes);
    }
    for (uint32_t i = 0; i < plane->machines_count; i++) {
        struct plane_inbox *inbox = &plane->machines[i].inbox;
        for (uint32_t k = 0; k < inbox->count; k++) {
            free(inbox->ring[(inbox->first + k) % inbox->capacity].bytes);
        }
        free(inbox->ring);
    }
    free(plane->queue);
    free(plane->machine_of);
    free(plane->links);
    free(plane->machines);
}

void plane_begin(struct plane *plane)
{
    CHECK(plane->conf.controllers > 0 && plane->conf.nodes > 0 && plane->conf.think_ms > 0);
    prng_seed(&plane->prng, plane->seed);
    build(plane);
    begin(plane);
}

static void lie(struct plane *plane)
{
    bool told = plane->lie == NULL;
    bool before = plane->tally->lied; /* In an earlier seed. */
    for (uint32_t i = 0; i < 100 && !told; i++) {
        plane->tally->lied = true; /* It may be refused at once. */
        told = plane_lie(plane, plane->lie);
        plane->tally->lied = told || before;
        if (!told) {
            (void)plane_until(plane, 50, NULL);
        }
    }
}

/* Copies are made, a majority is hurt, trouble goes on, and ends. Nobody waits for the cell. */
static void live_without_budget(struct plane *plane, uint64_t left_ms)
{
    (void)plane_until(plane, left_ms / 4, NULL);
    plane_lost_save(plane);
    (void)plane_until(plane, left_ms / 4, NULL);
    plane_lost_strike(plane);
    (void)plane_until(plane, left_ms / 4, NULL);
    plane_clients_busy(plane, false);
    plane_heal(plane);
    lie(plane);
    (void)plane_until(plane, left_ms / 4, NULL);
    plane_lost_judge(plane);
    tally_up(plane);
    plane_end(plane);
}

void plane_live(struct plane *plane)
{
    prng_seed(&plane->prng, plane->seed);
    plane_swarm_draw(plane);
    build(plane);
    plane_history_begin(plane); /* A story of tests/scenario keeps none. */
    begin(plane);
    plane->trouble = true;
    plane_clients_busy(plane, true);
    if (!trial_is_calm(plane) && !trial_has_weather(plane)) {
        plane_after(plane, 100, PLANE_WEATHER, 0);
    }
    if (!trial_is_calm(plane)) {
        plane_after(plane, 200, PLANE_FAULT, 0);
    }
    plane_after(plane, 300, PLANE_OPERATE, 0);
    plane->struck_before = plane->tally->struck;
    trial_begin(plane);
    uint64_t left_ms =
        plane->conf.life_ms > plane->now_ms ? plane->conf.life_ms - plane->now_ms : 0;
    if (plane->unrecoverable) {
        live_without_budget(plane, left_ms);
        return;
    }
    live_on(plane, left_ms);
    lie(plane);
    trial_over(plane);
    (void)plane_until(plane, 2000, NULL);
    plane_clients_busy(plane, false);
    plane_heal(plane);
    if (!plane_until(plane, PATIENCE_MS, operator_rests)) {
        plane_fail(plane, "CONVERGE the operator never gets done: %s", plane_check_why());
    }
    if (plane->swarm.core_only) {
        leave_for_dead(plane);
    }
    finish(plane);
    plane_end(plane);
}
