/* The last judgement: has everything come together, and is what is there what clients were told?
 * Decides nothing while there is trouble. */
#include "base/check.h"
#include "controller/server.h"
#include "tests/sim/plane_check.h"
#include "tests/sim/plane_guest.h"
#include "tests/sim/plane_machine.h"
#include "tests/sim/plane_net.h"
#include "tests/sim/plane_people.h"

#include <stdio.h>
#include <stdlib.h>
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

static bool nothing_yet(const char *what)
{
    (void)snprintf(why, sizeof(why), "%s", what);
    return false;
}

/* Of no machine. */
static bool not_yet_in(const char *what, uint64_t number, uint64_t id)
{
    (void)snprintf(
        why,
        sizeof(why),
        "%s: %llu, %llx",
        what,
        (unsigned long long)number,
        (unsigned long long)id);
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

/* It is part of what must come together. */
static bool counts(const struct plane *plane, uint32_t machine)
{
    return machine != PLANE_NONE && plane->machines[machine].exists &&
           !plane->machines[machine].dead;
}

static bool replicas_equal(struct plane *plane, uint32_t leader)
{
    struct engine *best = server_engine(plane_server(plane, leader));
    struct replica_status leading;
    server_status(plane_server(plane, leader), &leading);
    for (uint32_t i = 0; i < plane->machines_count; i++) {
        if (counts(plane, i) && !plane->machines[i].up) {
            return not_yet("down", i, 0);
        }
    }
    for (uint32_t i = 0; i < PLANE_CONTROLLERS; i++) {
        struct server *server = plane_server(plane, i);
        if (!counts(plane, i)) {
            continue;
        }
        CHECK(server != NULL);
        struct engine *engine = server_engine(server);
        struct replica_status status;
        server_status(server, &status);
        if (status.applied != leading.applied || status.applied != leading.commit ||
            engine_state(engine)->digest != engine_state(best)->digest) {
            return not_yet("behind", i, engine_applied(engine));
        }
        if (!engine_fit(engine)) { /* Its disk has room again, and it is about to start over. */
            return not_yet("unfit", i, engine_applied(engine));
        }
        if (status.leader != leading.leader) { /* It was started a moment ago. */
            return not_yet("does not know who leads", i, status.leader);
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
                   : not_yet_in("neither placed nor at rest in state", row->state, row->head.id);
    }
    uint32_t machine = plane_machine_of(plane, row->node.value);
    if (!counts(plane, machine)) {
        return true; /* Its node is dead or was wiped: it is held. */
    }
    CHECK(plane_is_node(machine));
    const struct plane_domain *domain = domain_of(machine, row->head.id);
    bool runs = domain != NULL && domain->running && domain->boots == row->boots &&
                domain->epoch == row->epoch;
    if (row->state != WIRE__INSTANCE_STATE__INSTANCE_STATE_RUNNING ||
        row->desired != WIRE__DESIRED__DESIRED_RUNNING) {
        return not_yet_in("on its way in state", row->state, row->head.id);
    }
    return runs ? true : not_yet("said to run, and does not", machine, row->head.id);
}

static bool domains_wanted(struct plane *plane, const struct state *state)
{
    for (uint32_t machine = PLANE_CONTROLLERS; machine < plane->machines_count; machine++) {
        for (uint32_t i = 0; i < PLANE_DOMAINS && counts(plane, machine); i++) {
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
    uint32_t alive = 0;
    uint32_t wanted = 0;
    for (uint32_t i = PLANE_CONTROLLERS; i < plane->machines_count; i++) {
        wanted += counts(plane, i) ? 1 : 0;
    }
    for (const struct node_row *row = state_first(state, TABLE_NODE); row != NULL;
         row = state_next(state, TABLE_NODE, row)) {
        uint32_t machine = plane_machine_of(plane, row->head.id);
        bool lives = row->liveness == WIRE__LIVENESS__LIVENESS_ALIVE;
        alive += lives ? 1 : 0;
        if (counts(plane, machine) != lives) {
            return not_yet(lives ? "alive, and dead" : "not alive", machine, row->head.id);
        }
    }
    return alive == wanted ? true : not_yet_in("nodes alive, of", alive, wanted);
}

bool plane_check_converged(struct plane *plane)
{
    static uint64_t looked_ms;
    if (plane->now_ms < looked_ms + 100 && plane->now_ms >= looked_ms) {
        return false;
    }
    looked_ms = plane->now_ms;
    uint32_t leader = plane_leader(plane);
    if (leader == PLANE_NONE) {
        return nothing_yet("no leader");
    }
    if (plane_operator_busy()) {
        return nothing_yet("the operator works");
    }
    if (!plane_clients_idle(plane)) {
        return nothing_yet("clients wait");
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
    uint32_t machine = 0;
    const struct network_row *torn = plane_asked_torn(plane, state, &machine);
    if (torn != NULL) {
        return not_yet("torn network", machine, torn->head.id);
    }
    plane_checked(plane, PLANE_CHECK_CONVERGED);
    return true;
}

/* ---- What clients were told ---- */

/* What became of a thing, by the answers about its ends. */
enum ended { ENDED_NOT = 0, ENDED_MAYBE = 1, ENDED_SURELY = 2 };

static void ends_note(enum ended *ended)
{
    for (uint32_t i = 1; i <= plane_requests_count; i++) {
        const struct plane_request *request = &plane_requests[i];
        bool ends = request->act == PLANE_ACT_DELETE || request->act == PLANE_ACT_NETWORK_DELETE;
        if (ends && request->state == PLANE_ACKNOWLEDGED) {
            ended[request->object] = ENDED_SURELY;
        } else if (ends && request->unsure && ended[request->object] == ENDED_NOT) {
            ended[request->object] = ENDED_MAYBE;
        }
    }
}

static void found_note(const char *name, enum plane_act act)
{
    unsigned long number = strtoul(name + 1, NULL, 10);
    if (number > 0 && number <= plane_requests_count && plane_requests[number].act == act &&
        strcmp(plane_requests[number].name, name) == 0) {
        plane_requests[number].found++;
    }
}

static void rows_note(const struct plane *plane, const struct state *state)
{
    for (const struct instance_row *row = state_first(state, TABLE_INSTANCE); row != NULL;
         row = state_next(state, TABLE_INSTANCE, row)) {
        bool held = row->state == WIRE__INSTANCE_STATE__INSTANCE_STATE_DELETING &&
                    !counts(plane, plane_machine_of(plane, row->node.value));
        if (held) { /* INV-LED-6: until its dead node says that it is gone. */
            continue;
        }
        found_note(row->name.text, PLANE_ACT_CREATE);
    }
    for (const struct network_row *row = state_first(state, TABLE_NETWORK); row != NULL;
         row = state_next(state, TABLE_NETWORK, row)) {
        found_note(row->name.text, PLANE_ACT_NETWORK);
    }
}

void plane_check_end(struct plane *plane)
{
    uint32_t leader = plane_leader(plane);
    CHECK(leader != PLANE_NONE);
    enum ended *ended = plane_zeroed(plane_requests_count + 1, sizeof(*ended));
    plane_check_all(plane);
    ends_note(ended);
    rows_note(plane, engine_state(server_engine(plane_server(plane, leader))));
    plane_ends_settled(plane, engine_state(server_engine(plane_server(plane, leader))));
    plane_audit_end(plane);
    plane_asked_end(plane, engine_state(server_engine(plane_server(plane, leader))));
    for (uint32_t i = 1; i <= plane_requests_count; i++) {
        const struct plane_request *request = &plane_requests[i];
        bool makes = request->act == PLANE_ACT_CREATE || request->act == PLANE_ACT_NETWORK;
        bool made = request->state == PLANE_ACKNOWLEDGED;
        if (!makes || ended[i] == ENDED_MAYBE || (!made && request->unsure)) {
            continue;
        }
        uint32_t wanted = made && ended[i] == ENDED_NOT ? 1 : 0;
        plane_checked(plane, PLANE_CHECK_INVENTORY);
        if (request->found != wanted) {
            plane_fail(
                plane,
                "INVENTORY %s is there %u times, and should be %u times",
                request->name,
                request->found,
                wanted);
        }
    }
    free(ended);
}
