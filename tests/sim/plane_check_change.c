/* What changed between two indexes, as whoever applied first shows it: a change has its leaf, a
 * guest that was let go runs nowhere, and nobody ends a guest that is wanted. Decides nothing of
 * what a change should be. */
#include "base/check.h"
#include "base/id.h"
#include "controller/core/instance.h"
#include "controller/server.h"
#include "tests/sim/plane_check.h"
#include "tests/sim/plane_guest.h"
#include "tests/sim/plane_machine.h"
#include "tests/sim/plane_net.h"

#include <stdlib.h>
#include <string.h>

struct row_seen {
    uint64_t index; /* At which it was there last; 0: never, or it is gone. */
    uint64_t id;
    uint64_t node;
    uint64_t generation;
    uint64_t epoch;
    uint64_t boots;
    uint32_t state;
    Wire__Desired desired;
};

static struct row_seen *rows;  /* Owned; newest of any controller, by sequence of the id. */
static Wire__Liveness *judged; /* Owned; of nodes, by sequence. */
static uint64_t *known;        /* Owned; sequences of those that are there. */
static uint32_t known_count;
static uint64_t newest;  /* Index of that state. */
static uint64_t highest; /* That anybody applied. */

void plane_change_begin(void)
{
    rows = plane_zeroed(PLANE_SEQUENCES, sizeof(*rows));
    judged = plane_zeroed(PLANE_SEQUENCES, sizeof(*judged));
    known = plane_zeroed(PLANE_SEQUENCES, sizeof(*known));
    known_count = 0;
    newest = 0;
    highest = 0;
}

void plane_change_over(void)
{
    free(rows);
    free(judged);
    free(known);
}

void plane_change_applied(uint64_t index)
{
    highest = index > highest ? index : highest;
}

/* INV-LED-6 INV-VM-1: what gives its room back does not run any more; what is gone left nothing. */
static void check_let_go(struct plane *plane, const struct row_seen *seen, bool gone)
{
    uint32_t machine = seen->node == 0 ? PLANE_NONE : plane_machine_of(plane, seen->node);
    plane_checked(plane, PLANE_CHECK_LET_GO);
    if (machine == PLANE_NONE) {
        return;
    }
    for (uint32_t i = 0; i < PLANE_DOMAINS; i++) {
        const struct plane_domain *domain = &plane_host_domains(machine)[i];
        if (domain->instance == seen->id && domain->epoch == seen->epoch &&
            (domain->running || domain->paused || gone) && !domain->clings) {
            plane_fail(
                plane,
                "LET GO %llx of epoch %llu, and m%u has it",
                (unsigned long long)seen->id,
                (unsigned long long)seen->epoch,
                machine);
        }
    }
}

/* What the leaf of a new state says; who comes to another one may come by several ways. */
static uint32_t word_of(
    struct plane *plane, const struct row_seen *seen, const struct row_seen *now)
{
    if (seen->index == 0 || seen->state == now->state) {
        return PLANE_ANY_WORD;
    }
    switch (now->state) {
    case WIRE__INSTANCE_STATE__INSTANCE_STATE_FAILED:
        return plane_said_word(plane, "instance-failed");
    case WIRE__INSTANCE_STATE__INSTANCE_STATE_RUNNING:
        return plane_said_word(plane, "instance-running");
    default: return PLANE_ANY_WORD;
    }
}

static void look(
    struct plane *plane, struct row_seen *seen, const struct instance_row *row, uint64_t index)
{
    struct row_seen now = { .index = index,
                            .id = row->head.id,
                            .node = row->node.value,
                            .generation = row->generation,
                            .epoch = row->epoch,
                            .boots = row->boots,
                            .state = row->state,
                            .desired = row->desired };
    struct row_seen before = *seen;
    before.index = index;
    if (memcmp(&before, &now, sizeof(now)) != 0) {
        plane_audit_change(row->head.id, newest, index, word_of(plane, seen, &now));
        plane_trace(
            plane,
            "at %llu %s %llx is %s, generation %llu epoch %llu, on %llx",
            (unsigned long long)index,
            row->name.text,
            (unsigned long long)row->head.id,
            sm_name(&instance_machine, row->state),
            (unsigned long long)row->generation,
            (unsigned long long)row->epoch,
            (unsigned long long)row->node.value);
    }
    if (seen->index != 0 && (seen->node != now.node || seen->epoch != now.epoch)) {
        check_let_go(plane, seen, false);
    }
    *seen = now;
}

/* A node that is judged alive or unknown has a leaf for it. */
static void look_at_nodes(struct plane *plane, uint64_t index, const struct state *state)
{
    for (const struct node_row *row = state_first(state, TABLE_NODE); row != NULL;
         row = state_next(state, TABLE_NODE, row)) {
        Wire__Liveness *seen = &judged[id_sequence(row->head.id)];
        if (*seen != row->liveness && row->liveness != WIRE__LIVENESS__LIVENESS_JOINED) {
            bool alive = row->liveness == WIRE__LIVENESS__LIVENESS_ALIVE;
            const char *word = alive ? "node-alive" : "node-unknown";
            plane_audit_change(row->head.id, newest, index, plane_said_word(plane, word));
        }
        *seen = row->liveness;
    }
}

void plane_change_look(struct plane *plane, uint64_t index, const struct state *state)
{
    if (index <= newest || plane->lost) {
        return;
    }
    bool late = newest != 0 && index > newest + 1;
    look_at_nodes(plane, index, state);
    for (struct instance_row *row = state_first(state, TABLE_INSTANCE); row != NULL;
         row = state_next(state, TABLE_INSTANCE, row)) {
        uint64_t at = id_sequence(row->head.id);
        CHECK(at < PLANE_SEQUENCES);
        plane_ends_look(plane, state, row->head.id, row, late);
        if (rows[at].index == 0) {
            known[known_count++] = at;
        }
        look(plane, &rows[at], row, index);
    }
    for (uint32_t i = 0; i < known_count; i++) {
        struct row_seen *seen = &rows[known[i]];
        if (seen->index == index) {
            continue;
        }
        plane_audit_change(seen->id, newest, index, PLANE_ANY_WORD);
        plane_ends_look(plane, state, seen->id, NULL, late);
        /* What rested before it was deleted leaves its node in its own time. */
        check_let_go(plane, seen, seen->desired == WIRE__DESIRED__DESIRED_GONE);
        *seen = (struct row_seen){ .index = 0 };
        known[i--] = known[--known_count];
    }
    if (state_cell(state) != NULL) {
        plane_audit_note(plane, state_cell(state));
    }
    newest = index;
}

bool plane_change_forge(struct plane *plane, const struct instance_row *row)
{
    uint64_t at = PLANE_SEQUENCES - 1;
    uint64_t id = id_make(PLANE_CELL, at);
    if (!plane_host_forge_left(plane, plane_machine_of(plane, row->node.value), id)) {
        return false;
    }
    rows[at] = (struct row_seen){ .index = 1, .id = id, .node = row->node.value };
    known[known_count++] = at;
    return true;
}

const struct state *plane_change_newest(struct plane *plane)
{
    const struct state *state = NULL;
    uint64_t index = 0;
    for (uint32_t i = 0; i < PLANE_CONTROLLERS; i++) {
        struct server *server = plane_server(plane, i);
        if (server != NULL && engine_applied(server_engine(server)) > index) {
            index = engine_applied(server_engine(server));
            state = engine_state(server_engine(server));
        }
    }
    return index < highest ? NULL : state; /* Who knew better is down. */
}

/* INV-VM-4: a guest that the newest state wants, just as it is, is ended by nobody. */
void plane_change_end(struct plane *plane, uint32_t machine, const struct plane_domain *domain)
{
    const struct state *state = plane_change_newest(plane);
    const struct instance_row *row =
        state == NULL ? NULL : state_find(state, TABLE_INSTANCE, domain->instance);
    plane_checked(plane, PLANE_CHECK_WANTED);
    if (!plane->lost && row != NULL && domain->running &&
        row->desired == WIRE__DESIRED__DESIRED_RUNNING &&
        row->node.value == plane->machines[machine].id && row->epoch == domain->epoch &&
        row->boots == domain->boots) {
        plane_fail(
            plane,
            "WANTED %llx of epoch %llu, and m%u ends it",
            (unsigned long long)domain->instance,
            (unsigned long long)domain->epoch,
            machine);
    }
}
