/* The life of one seed: a cell begins as real ones do (genesis, tokens, joins), works in trouble,
 * is healed, and must come together. Decides the order of these four, and how long each lasts. */
#include "base/check.h"
#include "base/id.h"
#include "controller/server.h"
#include "tests/sim/plane.h"
#include "tests/sim/plane_snapshot.h"

#include <stdlib.h>

enum { TROUBLE_MS = 9000, PATIENCE_MS = 240 * 1000 };

static bool leads(struct plane *plane)
{
    uint32_t leader = plane_leader(plane);
    return leader < PLANE_MACHINES &&
           state_cell(engine_state(server_engine(plane_server(plane, leader)))) != NULL;
}

static bool complete(struct plane *plane)
{
    struct replica_status status;
    uint32_t leader = plane_leader(plane);
    if (leader == PLANE_MACHINES) {
        return false;
    }
    server_status(plane_server(plane, leader), &status);
    bool voters = status.member_count == plane->controllers;
    for (uint32_t i = 0; i < status.member_count; i++) {
        voters = voters && status.members[i].role == REPLICA_VOTER;
    }
    return voters && plane_check_converged(plane);
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

static void begin(struct plane *plane)
{
    plane_controller_join(plane, 0, id_make(PLANE_CELL, 1));
    if (!plane_until(plane, 5000, leads)) {
        plane_fail(plane, "BEGIN nobody leads");
    }
    (void)plane_ask(plane, PLANE_ACT_IMAGE, 0, 0);
    for (uint32_t i = 0; i < 2; i++) {
        plane_tenants[i] = plane_ask(plane, PLANE_ACT_TENANT, i, 0)->resource;
    }
    for (uint32_t i = 1; i < PLANE_CLIENTS; i++) {
        plane_users[i] = plane_ask(plane, PLANE_ACT_USER, i % 2, 0)->resource;
    }
    for (uint32_t i = 1; i < plane->controllers; i++) {
        join(plane, i);
    }
    for (uint32_t i = 0; i < plane->nodes; i++) {
        join(plane, PLANE_CONTROLLERS + i);
    }
    if (!plane_until(plane, 60000, complete)) {
        plane_fail(plane, "BEGIN does not come together: %s", plane_check_why());
    }
    plane_trace(plane, "complete");
}

static void finish(struct plane *plane)
{
    if (!plane_until(plane, PATIENCE_MS, plane_check_converged)) {
        plane_fail(plane, "CONVERGE %s", plane_check_why());
    }
    for (uint32_t i = 0; i < plane->controllers; i++) {
        plane_clients_only(i); /* Any controller takes new work, at the first asking. */
        const struct plane_request *request = plane_ask(plane, PLANE_ACT_USER, 0, 0);
        if (request->attempts != 1) {
            plane_fail(plane, "CONVERGE m%u does not serve", i);
        }
    }
    plane_check_end(plane);
    plane->tally->faults[PLANE_SNAPSHOT_FETCHED] += plane_snapshots_fetched;
    plane->tally->faults[PLANE_SNAPSHOT_DAMAGED] += plane_snapshots_damaged;
    plane->tally->virtual_ms += plane->now_ms;
}

void plane_live(struct plane *plane)
{
    prng_seed(&plane->prng, plane->seed);
    plane->queue = calloc(PLANE_EVENTS, sizeof(*plane->queue));
    CHECK(plane->queue != NULL);
    plane->controllers = plane_odds(plane, 8000) ? 3 : 5;
    plane->nodes = plane_odds(plane, 6000) ? 3 : 2;
    plane->weather.delay_max_ms = 2;
    plane_check_begin(plane);
    plane_controllers_begin(plane);
    plane_nodes_begin(plane);
    plane_clients_begin(plane);
    begin(plane);
    plane->trouble = true;
    plane_clients_busy(plane, true);
    plane_after(plane, 100, PLANE_WEATHER, 0);
    plane_after(plane, 200, PLANE_FAULT, 0);
    (void)plane_until(plane, TROUBLE_MS + plane_below(plane, TROUBLE_MS), NULL);
    for (uint32_t i = 0; i < 100 && plane->lie != NULL && !plane_lie(plane, plane->lie); i++) {
        (void)plane_until(plane, 50, NULL);
    }
    (void)plane_until(plane, 2000, NULL);
    plane_clients_busy(plane, false);
    plane_heal(plane);
    finish(plane);
    plane_controllers_end(plane);
    plane_snapshots_end();
    while (plane->queue_count > 0) {
        free(plane->queue[--plane->queue_count].bytes);
    }
    free(plane->queue);
}
