/* What must hold of every controller's state after every event, and of all hypervisors together.
 * Decides nothing else; looks only at what changed. */
#include "tests/sim/plane_check.h"
#include "base/check.h"
#include "base/id.h"
#include "controller/core/read.h"
#include "controller/server.h"
#include "tests/sim/plane_guest.h"
#include "tests/sim/plane_machine.h"
#include "tests/sim/plane_people.h"

#include <stdlib.h>
#include <string.h>

/* In a large cell the whole of a state is looked at every so many entries; and a state every so
 * many of which another replica's was looked at, with the same digest. */
enum { ROWS_EACH_TIME = 96, AGAIN_EACH_TIME = 4, ALIKE_EACH_TIME = 4, FLOODS = 4096 };

struct order_seen {
    uint64_t generation;
    uint64_t epoch;
};

/* What was seen of one controller's states; it forgets when it starts anew, from disk. */
struct seen {
    uint64_t applied;
    uint64_t whole;          /* Index at which the whole state was looked at last. */
    uint32_t told;           /* So many of the acknowledged were looked up in it. */
    uint32_t again;          /* And so many of them once more, in turn. */
    struct order_seen *rows; /* By sequence. */
};

static uint64_t *digests; /* Of any controller, by index; 0: not seen. */
static uint8_t *looked;   /* By index: some controller's state of it was looked at. */
static struct seen seen_of[PLANE_CONTROLLERS];
static struct order_seen *started; /* By sequence. */
static uint32_t *runs_on;          /* By sequence: machine that was last seen to run it; 0: none. */
static uint32_t *told;             /* Requests in the order of their acknowledgement. */
static uint32_t told_count;

void plane_check_begin(struct plane *plane)
{
    digests = plane_zeroed(PLANE_INDEXES, sizeof(*digests));
    looked = plane_zeroed(PLANE_INDEXES, sizeof(*looked));
    started = plane_zeroed(PLANE_SEQUENCES, sizeof(*started));
    runs_on = plane_zeroed(PLANE_SEQUENCES, sizeof(*runs_on));
    told = plane_zeroed(plane->conf.requests + 1, sizeof(*told));
    for (uint32_t i = 0; i < PLANE_CONTROLLERS; i++) {
        seen_of[i].rows = plane_zeroed(PLANE_SEQUENCES, sizeof(*seen_of[i].rows));
    }
    plane_leaves_begin(plane);
    plane_change_begin();
    plane_guests_begin();
    plane_refused_begin();
    plane_ends_begin(plane);
    plane_rooms_begin();
    plane_floors_begin();
    plane_lost_begin(plane);
    plane_heap_begin(plane);
}

void plane_check_over(void)
{
    for (uint32_t i = 0; i < PLANE_CONTROLLERS; i++) {
        free(seen_of[i].rows);
    }
    free(digests);
    free(looked);
    free(started);
    free(runs_on);
    free(told);
    plane_leaves_end();
    plane_change_over();
    plane_guests_over();
    plane_ends_over();
    plane_audit_over();
    plane_rooms_over();
    plane_floors_over();
    plane_lost_end();
    plane_heap_end();
}

void plane_check_forget(struct plane *plane, uint32_t machine)
{
    struct seen *seen = &seen_of[machine];
    CHECK(machine < PLANE_CONTROLLERS);
    free(seen->rows);
    *seen = (struct seen){ .rows = plane_zeroed(PLANE_SEQUENCES, sizeof(*seen->rows)) };
    plane_leaves_forget(plane, machine);
}

void plane_check_told(struct plane *plane, uint32_t request)
{
    CHECK(told_count <= plane->conf.requests);
    told[told_count++] = request;
}

/* ---- One state ---- */

static void check_digest(
    struct plane *plane, uint32_t machine, uint64_t index, const struct state *state)
{
    uint64_t digest = state->digest | 1;
    const struct cell_row *cell = state_cell(state);
    plane_checked(plane, PLANE_CHECK_AGREED);
    if (cell != NULL && cell->disputed_index != 0) { /* INV-REF-3 */
        plane_fail(
            plane,
            "SPLIT m%u: no majority agrees at %llu, no write is taken",
            machine,
            (unsigned long long)cell->disputed_index);
    }
    if (plane->lie != NULL && strcmp(plane->lie, "split") == 0) {
        return; /* The engines must find this one by themselves. */
    }
    if (index >= PLANE_INDEXES) {
        plane_fail(plane, "BOUND more entries than the simulator can remember");
    }
    plane_checked(plane, PLANE_CHECK_DIGEST);
    plane_hash(plane, digest);
    if (digests[index] == 0) {
        digests[index] = digest;
        plane->tally->entries++;
    } else if (digests[index] != digest) { /* INV-REF-1 */
        plane_fail(plane, "DIGEST m%u differs at %llu", machine, (unsigned long long)index);
    }
}

/* A cap that is set below what is drawn takes nothing away: somebody had more once. */
static void check_cap(struct plane *plane, const struct quota_account *account)
{
    plane_checked(plane, PLANE_CHECK_CAP);
    for (int i = 0; i < QUOTA_DIMENSIONS; i++) {
        uint64_t drawn = account->used.of[i] + account->held.of[i];
        uint64_t once = i == QUOTA_INSTANCES ? plane_asked_most(plane) : 0;
        uint64_t most = account->cap.of[i] > once ? account->cap.of[i] : once;
        if (drawn > most || drawn != account->drawn.of[i]) {
            plane_fail(
                plane,
                "CAP %s: %llu drawn, cap %llu",
                quota_dimension_name((enum quota_dimension)i),
                (unsigned long long)drawn,
                (unsigned long long)account->cap.of[i]);
        }
    }
}

static void check_ledger(struct plane *plane, uint32_t machine, const struct state *state)
{
    plane_checked(plane, PLANE_CHECK_LEDGER);
    if (read_ledger_mismatches(state) != 0) { /* INV-LED-2 */
        plane_fail(plane, "LEDGER m%u is not the inventory", machine);
    }
    for (const struct tenant_row *row = state_first(state, TABLE_TENANT); row != NULL;
         row = state_next(state, TABLE_TENANT, row)) {
        check_cap(plane, &row->account);
    }
    for (const struct project_row *row = state_first(state, TABLE_PROJECT); row != NULL;
         row = state_next(state, TABLE_PROJECT, row)) {
        check_cap(plane, &row->account);
    }
}

/* NULL: it is not in that state. */
static const struct operation_row *kept(
    struct plane *plane, const struct plane_request *request, const struct state *state)
{
    uint64_t tenant =
        request->client == 0 ? 0 : plane_tenants[plane_tenant_of(plane, request->client)];
    const struct operation_row *row = state_write(state, tenant, request->principal, request->key);
    return row != NULL && row->head.id == request->operation ? row : NULL;
}

bool plane_check_kept(
    struct plane *plane, const struct plane_request *request, const struct state *state)
{
    return kept(plane, request, state) != NULL;
}

static void look_up(
    struct plane *plane,
    uint32_t machine,
    uint64_t index,
    const struct plane_request *request,
    const struct state *state)
{
    const struct operation_row *row = kept(plane, request, state);
    plane_checked(plane, PLANE_CHECK_ACKNOWLEDGED);
    if (row == NULL) { /* INV-IDEM-1 */
        plane_fail(
            plane,
            "LOST m%u: %s %s was acknowledged at %llu",
            machine,
            plane_act_name(request->act),
            request->name,
            (unsigned long long)request->index);
    }
    plane_ends_again(plane, index, (uint32_t)(request - plane_requests), row);
}

/* What was acknowledged is in every state that is as new, and stays in it. */
static void check_acknowledged(
    struct plane *plane, uint32_t machine, uint64_t index, const struct state *state)
{
    struct seen *seen = &seen_of[machine];
    while (seen->told < told_count && plane_requests[told[seen->told]].index <= index) {
        look_up(plane, machine, index, &plane_requests[told[seen->told++]], state);
    }
    for (uint32_t i = 0; i < AGAIN_EACH_TIME && seen->told > 0; i++) {
        seen->again = (seen->again + 1) % seen->told;
        look_up(plane, machine, index, &plane_requests[told[seen->again]], state);
    }
}

/* The request that made what is called so; NULL: nobody asked for it. */
const struct plane_request *plane_maker_of(const char *name, enum plane_act act)
{
    unsigned long number = strtoul(name + 1, NULL, 10);
    const struct plane_request *request =
        number > 0 && number <= plane_requests_count ? &plane_requests[number] : NULL;
    return request != NULL && request->act == act && strcmp(request->name, name) == 0 ? request
                                                                                      : NULL;
}

static const struct plane_request *check_maker(
    struct plane *plane, uint32_t machine, const char *name, uint64_t id, enum plane_act act)
{
    const struct plane_request *request = plane_maker_of(name, act);
    plane_checked(plane, PLANE_CHECK_INVENTED);
    if (request == NULL || (request->state == PLANE_REFUSED && !request->unsure)) {
        plane_fail(plane, "INVENTED m%u has %s", machine, name);
    }
    if (request->state == PLANE_ACKNOWLEDGED && request->resource != id && request->resource != 0) {
        plane_fail(plane, "TWICE m%u has another %s than was acknowledged", machine, name);
    }
    return request;
}

static void check_generation(struct plane *plane, uint32_t machine, const struct instance_row *row)
{
    uint64_t at = id_sequence(row->head.id);
    if (at >= PLANE_SEQUENCES) {
        plane_fail(plane, "BOUND more ids than the simulator can remember");
    }
    struct order_seen *seen = &seen_of[machine].rows[at];
    plane_checked(plane, PLANE_CHECK_GENERATION);
    if (row->generation < seen->generation || row->epoch < seen->epoch) { /* INV-VM-2 */
        plane_fail(plane, "GENERATION m%u: %s goes back", machine, row->name.text);
    }
    *seen = (struct order_seen){ row->generation, row->epoch };
}

/* Everything in one state, however it came about. */
static void check_whole(
    struct plane *plane, uint32_t machine, uint64_t index, const struct state *state)
{
    check_ledger(plane, machine, state);
    plane_asked_caps(plane, machine, index, state);
    plane_rooms_check(plane, machine, state);
    plane_floors_check(plane, machine, index, state);
    for (const struct instance_row *row = state_first(state, TABLE_INSTANCE); row != NULL;
         row = state_next(state, TABLE_INSTANCE, row)) {
        plane_asked_instance(
            plane,
            machine,
            row,
            check_maker(plane, machine, row->name.text, row->head.id, PLANE_ACT_CREATE));
        check_generation(plane, machine, row);
    }
    for (const struct network_row *row = state_first(state, TABLE_NETWORK); row != NULL;
         row = state_next(state, TABLE_NETWORK, row)) {
        plane_asked_network(
            plane,
            machine,
            row,
            check_maker(plane, machine, row->name.text, row->head.id, PLANE_ACT_NETWORK));
    }
}

void plane_check_machine(struct plane *plane, uint32_t machine)
{
    struct server *server = plane_server(plane, machine);
    CHECK(server != NULL);
    struct engine *engine = server_engine(server);
    uint64_t poisoned = 0;
    if (server_poisoned(server, &poisoned)) {
        plane_fail(plane, "BOUND m%u: a poison entry", machine);
    }
    /* Letters are dropped when there are too many; clients wait for answers, or were a flood. */
    uint64_t letters = PLANE_INBOX + PLANE_INBOX_PEER * plane->machines_count;
    if (plane->tally->queued_most > letters + plane->conf.clients + FLOODS) {
        plane_fail(
            plane, "BOUND m%u: %llu wait", machine, (unsigned long long)plane->tally->queued_most);
    }
    plane_checked(plane, PLANE_CHECK_BOUNDS);
    if (!plane->lost) {
        plane_leaves_check(plane, machine, engine);
    }
    const struct state *state = engine_state(engine);
    struct seen *seen = &seen_of[machine];
    uint64_t index = engine_applied(engine);
    if (index == seen->applied || index == 0) {
        return;
    }
    if (index < seen->applied) {
        plane_fail(plane, "BACK m%u applied %llu after more", machine, (unsigned long long)index);
    }
    seen->applied = index;
    plane_lost_look(plane, machine, index, state);
    if (plane->lost) { /* There may be two pasts; each is still held to its ledger. */
        check_ledger(plane, machine, state);
        plane_rooms_check(plane, machine, state);
        return;
    }
    plane_change_applied(index);
    check_digest(plane, machine, index, state);
    if (looked[index] != 0 && (index + machine) % ALIKE_EACH_TIME != 0) {
        return;
    }
    looked[index] = 1;
    check_acknowledged(plane, machine, index, state);
    uint32_t rows = state_count(state, TABLE_INSTANCE);
    uint64_t *most = &plane->tally->instances_most;
    *most = rows > *most ? rows : *most;
    if (index - seen->whole >= 1 + rows / ROWS_EACH_TIME) {
        seen->whole = index;
        check_whole(plane, machine, index, state);
        plane_change_look(plane, index, state);
    }
}

void plane_check_all(struct plane *plane)
{
    for (uint32_t i = 0; i < PLANE_CONTROLLERS; i++) {
        struct server *server = plane_server(plane, i);
        if (server == NULL || engine_applied(server_engine(server)) == 0) {
            continue;
        }
        const struct state *state = engine_state(server_engine(server));
        uint64_t index = engine_applied(server_engine(server));
        check_whole(plane, i, index, state);
        plane_change_look(plane, index, state);
        for (uint32_t k = 0; k < seen_of[i].told; k++) {
            look_up(plane, i, index, &plane_requests[told[k]], state);
        }
    }
}

/* ---- All hypervisors ---- */

static bool has(uint32_t machine, uint64_t instance)
{
    bool found = false;
    for (uint32_t i = 0; i < PLANE_DOMAINS; i++) {
        found = found || plane_host_domains(machine)[i].instance == instance;
    }
    return found;
}

static bool runs(uint32_t machine, uint64_t instance)
{
    const struct plane_domain *domains = plane_host_domains(machine);
    for (uint32_t i = 0; i < PLANE_DOMAINS; i++) {
        if (domains[i].instance == instance && (domains[i].running || domains[i].paused)) {
            return true;
        }
    }
    return false;
}

void plane_check_owner(struct plane *plane, uint32_t machine)
{
    plane_checked(plane, PLANE_CHECK_ONE_OWNER);
    for (uint32_t i = 0; i < PLANE_DOMAINS; i++) {
        const struct plane_domain *one = &plane_host_domains(machine)[i];
        uint64_t at = id_sequence(one->instance);
        if (one->instance == 0 || at >= PLANE_SEQUENCES || (!one->running && !one->paused)) {
            continue;
        }
        uint32_t before = runs_on[at];
        runs_on[at] = machine;
        if (before != 0 && before != machine && runs(before, one->instance)) {
            plane_fail(/* INV-VM-1 */
                       plane,
                       "TWO OWNERS m%u and m%u run %llx",
                       before,
                       machine,
                       (unsigned long long)one->instance);
        }
    }
}

void plane_check_start(struct plane *plane, uint32_t machine, const Wire__Assignment *order)
{
    uint64_t at = id_sequence(order->instance);
    CHECK(at < PLANE_SEQUENCES);
    struct order_seen *seen = &started[at];
    plane_checked(plane, PLANE_CHECK_STARTED_ORDER);
    if (plane->lost && !has(machine, order->instance)) {
        *seen =
            (struct order_seen){ .generation = 0 }; /* It was erased, and is forgotten here, too. */
    }
    if (order->generation < seen->generation || order->epoch < seen->epoch) { /* INV-VM-2 */
        plane_fail(
            plane,
            "STALE m%u starts %llx of generation %llu after %llu",
            machine,
            (unsigned long long)order->instance,
            (unsigned long long)order->generation,
            (unsigned long long)seen->generation);
    }
    *seen = (struct order_seen){ order->generation, order->epoch };
}
