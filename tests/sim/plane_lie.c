/* Spoils one thing that a checker looks at, so that each checker is seen to refuse: the negative of
 * every row of the table. Decides what is spoilt; never which checker should say so (that is the
 * word which the run expects). */
#include "base/check.h"
#include "base/id.h"
#include "controller/server.h"
#include "tests/sim/plane_attempt.h"
#include "tests/sim/plane_check.h"
#include "tests/sim/plane_guest.h"
#include "tests/sim/plane_machine.h"
#include "tests/sim/plane_net.h"
#include "tests/sim/plane_people.h"

#include <string.h>

static const struct {
    const char *lie;
    const char *word; /* The violation begins with it. */
} lies[] = {
    { "digest", "DIGEST" },         { "ledger", "LEDGER" },     { "cap", "CAP" },
    { "acknowledged", "LOST" },     { "invented", "INVENTED" }, { "twice", "TWICE" },
    { "answer", "ANSWER" },         { "read", "READ" },         { "owner", "TWO OWNERS" },
    { "generation", "GENERATION" }, { "start", "STALE" },       { "leaf", "LEAF" },
    { "frontier", "FRONTIER" },     { "converge", "CONVERGE" }, { "inventory", "INVENTORY" },
    { "split", "SPLIT" },           { "linear", "LINEAR" },     { "unsaid", "UNSAID" },
    { "allocates", "ALLOCATES" },   { "disorder", "LISTS" },    { "charge", "CHARGED" },
    { "asked", "ASKED" },           { "torn", "CONVERGE" },     { "rooms", "ROOM" },
    { "letgo", "LET GO" },          { "wanted", "WANTED" },     { "note", "NOTE" },
    { "change", "UNSEEN" },         { "write", "LEAVES" },      { "bounded", "BOUND" },
    { "alarm", "ALARM" },           { "said", "SAID" },         { "quota", "CAP" },
    { "floor", "FLOOR" },           { "promised", "PROMISED" }, { "claimed", "CLAIMED" },
    { "unfair", "UNFAIR" },         { "ends", "ENDS" },         { "down", "DOWN" },
    { "grace", "GRACE" },           { "attempts", "ATTEMPTS" }, { "counted", "COUNTED" },
};

const char *plane_lie_word(const char *lie)
{
    for (size_t i = 0; i < COUNT_OF(lies); i++) {
        if (strcmp(lies[i].lie, lie) == 0) {
            return lies[i].word;
        }
    }
    return NULL;
}

const char *plane_lie_at(uint32_t index)
{
    return index < COUNT_OF(lies) ? lies[index].lie : NULL;
}

/* An instance that somebody runs, as this replica has it; NULL: none. */
static struct instance_row *running(const struct state *state)
{
    for (struct instance_row *row = state_first(state, TABLE_INSTANCE); row != NULL;
         row = state_next(state, TABLE_INSTANCE, row)) {
        if (row->state == WIRE__INSTANCE_STATE__INSTANCE_STATE_RUNNING) {
            return row;
        }
    }
    return NULL;
}

static struct plane_request *made(enum plane_act act)
{
    for (uint32_t i = 1; i <= plane_requests_count; i++) {
        struct plane_request *request = &plane_requests[i];
        if (request->act == act && request->state == PLANE_ACKNOWLEDGED && !request->ending) {
            return request;
        }
    }
    return NULL;
}

static bool lie_rows(struct state *state, const char *lie)
{
    struct project_row *project = state_first(state, TABLE_PROJECT);
    struct instance_row *row = running(state);
    if (project == NULL || row == NULL) {
        return false;
    }
    if (strcmp(lie, "digest") == 0) {
        state->digest ^= 2;
    } else if (strcmp(lie, "ledger") == 0) {
        project->account.used.of[QUOTA_VCPUS]++;
        project->account.drawn.of[QUOTA_VCPUS]++; /* Else the ledger's own guard comes first. */
    } else if (strcmp(lie, "cap") == 0) {
        project = state_find(state, TABLE_PROJECT, row->project.value);
        project->account.cap.of[QUOTA_INSTANCES] = 0;
    } else if (strcmp(lie, "generation") == 0) {
        row->epoch = 0;
    } else if (strcmp(lie, "alarm") == 0) {
        row->state = WIRE__INSTANCE_STATE__INSTANCE_STATE_FAILED;
    } else if (strcmp(lie, "quota") == 0) {
        struct tenant_row *tenant = state_find(state, TABLE_TENANT, row->tenant.value);
        tenant->account.cap.of[QUOTA_INSTANCES]++;
    } else if (strcmp(lie, "floor") == 0) {
        struct tenant_row *tenant = state_find(state, TABLE_TENANT, row->tenant.value);
        if (tenant->account.floor.of[QUOTA_VCPUS] == 0) {
            return false;
        }
        tenant->account.floor.of[QUOTA_VCPUS]--;
    } else if (strcmp(lie, "rooms") == 0) {
        struct node_row *node = state_find(state, TABLE_NODE, row->node.value);
        node->instances++;
    } else {
        return false;
    }
    return true;
}

static bool lie_clients(struct plane *plane, const char *lie)
{
    struct plane_request *create = made(PLANE_ACT_CREATE);
    struct plane_request *user = made(PLANE_ACT_USER);
    if (create == NULL) {
        return false;
    }
    if (strcmp(lie, "linear") == 0) {
        plane_history_lie(plane, create);
    } else if (strcmp(lie, "acknowledged") == 0) {
        user->operation ^= 1;
    } else if (strcmp(lie, "invented") == 0) {
        create->state = PLANE_REFUSED;
        create->unsure = false;
    } else if (strcmp(lie, "asked") == 0) {
        create->memory_bytes *= 2;
    } else if (strcmp(lie, "twice") == 0) {
        create->resource ^= 1;
    } else if (strcmp(lie, "inventory") == 0) {
        struct plane_request *other =
            &plane_requests[plane_request_new(plane, PLANE_ACT_NETWORK, 1)];
        other->state = PLANE_ACKNOWLEDGED;
        other->operation = user->operation;
        other->index = UINT64_MAX; /* Of no state that a checker before the end looks at. */
        (void)memcpy(other->name, "never", sizeof("never"));
        other->ending = true; /* Nobody builds on it. */
    } else {
        return false;
    }
    return true;
}

/* Its hypervisor ends what everybody wants. */
static bool lie_wanted(struct plane *plane, const struct instance_row *row)
{
    uint32_t machine = plane_machine_of(plane, row->node.value);
    for (uint32_t i = 0; machine != PLANE_NONE && i < PLANE_DOMAINS; i++) {
        const struct plane_domain *domain = &plane_host_domains(machine)[i];
        if (domain->instance == row->head.id && domain->running && domain->epoch == row->epoch &&
            domain->boots == row->boots) {
            plane_change_end(plane, machine, domain);
            return true;
        }
    }
    return false;
}

/* Somebody is refused though more is left than he asks for. */
static bool lie_unfair(struct plane *plane)
{
    const struct plane_request *create = made(PLANE_ACT_CREATE);
    Wire__Answer answer = WIRE__ANSWER__INIT;
    Wire__Problem problem = WIRE__PROBLEM__INIT;
    answer.problem = &problem;
    problem.dimension = "vcpus";
    problem.limit = plane_floors_left(plane->conf.tenants, QUOTA_VCPUS);
    if (create == NULL) {
        return false;
    }
    problem.requested = create->vcpus;
    plane_floors_refusal(plane, create, &answer);
    return true;
}

static bool lie_guests(
    struct plane *plane, const char *lie, const struct state *state, const struct instance_row *row)
{
    if (strcmp(lie, "wanted") == 0) {
        return row != NULL && lie_wanted(plane, row);
    }
    if (strcmp(lie, "ends") == 0) {
        return plane_ends_forge(row);
    }
    if (strcmp(lie, "grace") == 0) {
        return plane_guest_forge_stop(plane, state);
    }
    return strcmp(lie, "attempts") == 0 && row != NULL && plane_guest_forge_tries(plane, row);
}

/* Every replica holds another state than every other: no majority can agree. */
static bool lie_split(struct plane *plane)
{
    for (uint32_t i = 0; i < plane->conf.controllers; i++) {
        if (!plane->machines[i].up || plane_server(plane, i) == NULL) {
            return false;
        }
    }
    for (uint32_t i = 0; i < plane->conf.controllers; i++) {
        engine_state(server_engine(plane_server(plane, i)))->digest += UINT64_C(2) << i;
    }
    return true;
}

bool plane_lie(struct plane *plane, const char *lie)
{
    if (strcmp(lie, "split") == 0) {
        return lie_split(plane);
    }
    if (strcmp(lie, "unsaid") == 0) {
        return plane_lost_forge(plane);
    }
    uint32_t leader = plane_leader(plane);
    if (leader == PLANE_NONE) {
        return false;
    }
    struct engine *engine = server_engine(plane_server(plane, leader));
    struct state *state = engine_state(engine);
    const struct instance_row *row = running(state);
    if (strcmp(lie, "answer") == 0) {
        Wire__Answer answer = WIRE__ANSWER__INIT;
        plane_attempt_answer(plane, 0, 1, &answer); /* The first ask of all, once more. */
    } else if (strcmp(lie, "read") == 0) {
        plane_client_ahead();
    } else if (strcmp(lie, "disorder") == 0) {
        return plane_history_disorder();
    } else if (strcmp(lie, "charge") == 0) {
        plane_history_overcharge();
    } else if (strcmp(lie, "allocates") == 0) {
        plane_heap_spoil();
    } else if (strcmp(lie, "owner") == 0) {
        return row != NULL && plane_host_forge(plane, row->head.id, row->node.value);
    } else if (strcmp(lie, "start") == 0) {
        Wire__Assignment order = WIRE__ASSIGNMENT__INIT;
        order.instance = row == NULL ? 0 : row->head.id;
        if (row != NULL) {
            plane_check_start(plane, PLANE_CONTROLLERS, &order);
        }
        return row != NULL;
    } else if (strcmp(lie, "torn") == 0) {
        plane_asked_forge();
    } else if (strcmp(lie, "promised") == 0) {
        return plane_floors_forge(PLANE_FORGED_FLOORS);
    } else if (strcmp(lie, "claimed") == 0) {
        return plane_floors_forge(PLANE_FORGED_CLAIMS);
    } else if (strcmp(lie, "unfair") == 0) {
        return lie_unfair(plane);
    } else if (strcmp(lie, "letgo") == 0) {
        return row != NULL && plane_change_forge(plane, row);
    } else if (strcmp(lie, "counted") == 0) {
        plane_refused_forge(plane);
    } else if (strcmp(lie, "down") == 0) {
        plane_ends_forge_killed();
    } else if (strcmp(lie, "note") == 0) {
        return plane_audit_forge(AUDIT_NOTE);
    } else if (strcmp(lie, "said") == 0) {
        return plane_audit_forge(AUDIT_ACTOR);
    } else if (strcmp(lie, "write") == 0) {
        return plane_audit_forge(AUDIT_WRITE);
    } else if (strcmp(lie, "change") == 0) {
        return plane_audit_forge(AUDIT_CHANGE);
    } else if (strcmp(lie, "bounded") == 0) {
        plane->tally->queued_most = UINT32_MAX;
    } else if (strcmp(lie, "leaf") == 0) {
        plane_leaves_forge(leader, true);
    } else if (strcmp(lie, "frontier") == 0) {
        plane_leaves_forge(leader, false);
    } else if (strcmp(lie, "converge") == 0) {
        return row != NULL &&
               plane_host_forge(plane, id_make(PLANE_CELL, UINT64_C(1) << 40), row->node.value);
    } else {
        return lie_guests(plane, lie, state, row) || lie_rows(state, lie) ||
               lie_clients(plane, lie);
    }
    return true;
}
