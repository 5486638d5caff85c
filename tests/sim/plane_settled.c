/* The last judgement: has everything come together, and is what is there what clients were told?
 * Decides nothing while there is trouble. */
#include "base/check.h"
#include "controller/server.h"
#include "tests/sim/plane.h"

#include <stdio.h>
#include <string.h>

static char why[160];

const char *plane_check_why(void)
{
    return why;
}

static bool not_yet(const char *what, uint32_t machine, uint64_t id)
{
    (void)snprintf(why, sizeof(why), "%s m%u %llx", what, machine, (unsigned long long)id);
    return false;
}

static const struct plane_domain *domain_of(uint32_t machine, uint64_t instance)
{
    for (uint32_t i = 0; i < PLANE_DOMAINS; i++) {
        if (plane_host_domains(machine)[i].instance == instance) {
            return &plane_host_domains(machine)[i];
        }
    }
    return NULL;
}

static bool replicas_equal(struct plane *plane, uint32_t leader)
{
    struct engine *best = server_engine(plane_server(plane, leader));
    struct replica_status leading;
    server_status(plane_server(plane, leader), &leading);
    for (uint32_t i = 0; i < PLANE_MACHINES; i++) {
        if (plane->machines[i].exists && !plane->machines[i].up) {
            return not_yet("down", i, 0);
        }
    }
    for (uint32_t i = 0; i < plane->controllers; i++) {
        struct server *server = plane_server(plane, i);
        if (server == NULL) {
            return not_yet("down", i, 0);
        }
        struct engine *engine = server_engine(server);
        struct replica_status status;
        server_status(server, &status);
        if (status.applied != leading.applied || status.applied != leading.commit ||
            engine_state(engine)->digest != engine_state(best)->digest) {
            return not_yet("behind", i, engine_applied(engine));
        }
        if (engine_asks_under_way(engine) != 0) {
            return not_yet("asks under way", i, engine_asks_under_way(engine));
        }
    }
    return true;
}

/* What is wanted of this instance is so. */
static bool instance_settled(struct plane *plane, const struct instance_row *row)
{
    if (row->node.value == 0) {
        bool rests = row->state == WIRE__INSTANCE_STATE__INSTANCE_STATE_STOPPED ||
                     row->state == WIRE__INSTANCE_STATE__INSTANCE_STATE_FAILED;
        return rests && row->desired == WIRE__DESIRED__DESIRED_STOPPED
                   ? true
                   : not_yet("neither placed nor at rest", row->state, row->head.id);
    }
    uint32_t machine = plane_machine_of(plane, row->node.value);
    CHECK(machine < PLANE_MACHINES && plane_is_node(machine));
    const struct plane_domain *domain = domain_of(machine, row->head.id);
    bool runs = domain != NULL && domain->running && domain->boots == row->boots &&
                domain->epoch == row->epoch;
    if (row->state != WIRE__INSTANCE_STATE__INSTANCE_STATE_RUNNING ||
        row->desired != WIRE__DESIRED__DESIRED_RUNNING) {
        return not_yet("on its way in state", row->state, row->head.id);
    }
    return runs ? true : not_yet("said to run, and does not", machine, row->head.id);
}

static bool domains_wanted(struct plane *plane, const struct state *state)
{
    for (uint32_t machine = PLANE_CONTROLLERS; machine < PLANE_MACHINES; machine++) {
        for (uint32_t i = 0; i < PLANE_DOMAINS; i++) {
            const struct plane_domain *domain = &plane_host_domains(machine)[i];
            const struct instance_row *row =
                domain->instance == 0 ? NULL : state_find(state, TABLE_INSTANCE, domain->instance);
            bool here = row != NULL && row->node.value == plane->machines[machine].id;
            if ((domain->running || domain->paused) && !here) {
                return not_yet("nobody wants", machine, domain->instance);
            }
        }
    }
    return true;
}

static bool nodes_alive(struct plane *plane, const struct state *state)
{
    uint32_t count = 0;
    for (const struct node_row *row = state_first(state, TABLE_NODE); row != NULL;
         row = state_next(state, TABLE_NODE, row)) {
        count++;
        if (row->liveness != WIRE__LIVENESS__LIVENESS_ALIVE) {
            return not_yet("not alive", plane_machine_of(plane, row->head.id), row->head.id);
        }
    }
    return count == plane->nodes ? true : not_yet("nodes", count, 0);
}

bool plane_check_converged(struct plane *plane)
{
    static uint64_t looked_ms;
    if (plane->now_ms < looked_ms + 100 && plane->now_ms >= looked_ms) {
        return false;
    }
    looked_ms = plane->now_ms;
    uint32_t leader = plane_leader(plane);
    if (leader == PLANE_MACHINES) {
        return not_yet("no leader", 0, 0);
    }
    if (!plane_clients_idle(plane)) {
        return not_yet("clients wait", 0, 0);
    }
    const struct state *state = engine_state(server_engine(plane_server(plane, leader)));
    if (!replicas_equal(plane, leader) || !nodes_alive(plane, state) ||
        !domains_wanted(plane, state)) {
        return false;
    }
    for (const struct instance_row *row = state_first(state, TABLE_INSTANCE); row != NULL;
         row = state_next(state, TABLE_INSTANCE, row)) {
        if (!instance_settled(plane, row)) {
            return false;
        }
    }
    plane_checked(plane, PLANE_CHECK_CONVERGED);
    return true;
}

/* ---- What clients were told ---- */

/* 1: it must be there, 0: it must not, -1: nobody was told. */
static int expected(uint32_t number)
{
    const struct plane_request *made = &plane_requests[number];
    int there = made->state == PLANE_ACKNOWLEDGED ? 1 : made->unsure ? -1 : 0;
    for (uint32_t i = number + 1; i <= plane_requests_count && there != 0; i++) {
        const struct plane_request *ended = &plane_requests[i];
        bool ends = ended->act == PLANE_ACT_DELETE || ended->act == PLANE_ACT_NETWORK_DELETE;
        if (!ends || ended->object != number) {
            continue;
        }
        if (ended->state == PLANE_ACKNOWLEDGED) {
            there = 0;
        } else if (ended->unsure) {
            there = -1;
        }
    }
    return there;
}

static bool there(const struct state *state, const struct plane_request *request)
{
    enum state_table table = request->act == PLANE_ACT_CREATE ? TABLE_INSTANCE : TABLE_NETWORK;
    uint32_t count = 0;
    for (const struct row_head *row = state_first(state, table); row != NULL;
         row = state_next(state, table, row)) {
        const char *name = table == TABLE_INSTANCE
                               ? ((const struct instance_row *)(const void *)row)->name.text
                               : ((const struct network_row *)(const void *)row)->name.text;
        count += strcmp(name, request->name) == 0 ? 1 : 0;
    }
    CHECK(count <= 1);
    return count == 1;
}

void plane_check_end(struct plane *plane)
{
    uint32_t leader = plane_leader(plane);
    CHECK(leader < PLANE_MACHINES);
    const struct state *state = engine_state(server_engine(plane_server(plane, leader)));
    for (uint32_t i = 1; i <= plane_requests_count; i++) {
        const struct plane_request *request = &plane_requests[i];
        if (request->act != PLANE_ACT_CREATE && request->act != PLANE_ACT_NETWORK) {
            continue;
        }
        int wanted = expected(i);
        plane_checked(plane, PLANE_CHECK_INVENTORY);
        if (wanted >= 0 && there(state, request) != (wanted == 1)) {
            plane_fail(
                plane,
                "INVENTORY %s is %s",
                request->name,
                wanted == 1 ? "gone, and was acknowledged" : "there, and should not be");
        }
    }
}
