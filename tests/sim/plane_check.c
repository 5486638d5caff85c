/* What must hold of every controller's state after every event, and of all hypervisors together.
 * Decides nothing else; looks only at what changed. */
#include "base/check.h"
#include "base/id.h"
#include "controller/core/read.h"
#include "controller/server.h"
#include "tests/sim/plane.h"

#include <stdlib.h>
#include <string.h>

enum { SEQUENCES = 1 << 14 };

struct order_seen {
    uint64_t generation;
    uint64_t epoch;
};

static uint64_t digests[PLANE_INDEXES]; /* Of any controller, by index; 0: not seen. */
static uint64_t applied[PLANE_CONTROLLERS];
static struct order_seen rows_seen[PLANE_CONTROLLERS][SEQUENCES];
static struct order_seen started[SEQUENCES];

void plane_check_begin(struct plane *plane)
{
    memset(digests, 0, sizeof(digests));
    memset(applied, 0, sizeof(applied));
    memset(rows_seen, 0, sizeof(rows_seen));
    memset(started, 0, sizeof(started));
    plane_leaves_begin(plane);
}

void plane_check_forget(struct plane *plane, uint32_t machine)
{
    CHECK(machine < PLANE_CONTROLLERS);
    applied[machine] = 0;
    memset(rows_seen[machine], 0, sizeof(rows_seen[machine]));
    plane_leaves_forget(plane, machine);
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
    CHECK(index < PLANE_INDEXES);
    plane_checked(plane, PLANE_CHECK_DIGEST);
    plane_hash(plane, digest);
    if (digests[index] == 0) {
        digests[index] = digest;
        plane->tally->entries++;
    } else if (digests[index] != digest) { /* INV-REF-1 */
        plane_fail(plane, "DIGEST m%u differs at %llu", machine, (unsigned long long)index);
    }
}

static void check_cap(struct plane *plane, const struct quota_account *account)
{
    plane_checked(plane, PLANE_CHECK_CAP);
    for (int i = 0; i < QUOTA_DIMENSIONS; i++) {
        uint64_t drawn = account->used.of[i] + account->held.of[i];
        if (drawn > account->cap.of[i] || drawn != account->drawn.of[i]) {
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

static void check_acknowledged(
    struct plane *plane, uint32_t machine, uint64_t index, const struct state *state)
{
    for (uint32_t i = 1; i <= plane_requests_count; i++) {
        const struct plane_request *request = &plane_requests[i];
        if (request->state != PLANE_ACKNOWLEDGED || request->index > index ||
            request->act == PLANE_ACT_READ || request->act == PLANE_ACT_JOIN) {
            continue;
        }
        uint64_t tenant = request->client == 0 ? 0 : plane_tenants[request->client % 2];
        const struct operation_row *row =
            state_write(state, tenant, request->principal, request->key);
        plane_checked(plane, PLANE_CHECK_ACKNOWLEDGED);
        if (row == NULL || row->head.id != request->operation) { /* INV-IDEM-1 */
            plane_fail(
                plane,
                "LOST m%u at %llu: %s %s was acknowledged at %llu",
                machine,
                (unsigned long long)index,
                plane_act_name(request->act),
                request->name,
                (unsigned long long)request->index);
        }
    }
}

/* The request that made what is called so; NULL: nobody asked for it. */
static const struct plane_request *maker_of(const char *name, enum plane_act act)
{
    unsigned long number = strtoul(name + 1, NULL, 10);
    const struct plane_request *request =
        number > 0 && number <= plane_requests_count ? &plane_requests[number] : NULL;
    return request != NULL && request->act == act && strcmp(request->name, name) == 0 ? request
                                                                                      : NULL;
}

static void check_maker(
    struct plane *plane, uint32_t machine, const char *name, uint64_t id, enum plane_act act)
{
    const struct plane_request *request = maker_of(name, act);
    plane_checked(plane, PLANE_CHECK_INVENTED);
    if (request == NULL || (request->state == PLANE_REFUSED && !request->unsure)) {
        plane_fail(plane, "INVENTED m%u has %s", machine, name);
    }
    if (request->state == PLANE_ACKNOWLEDGED && request->resource != id && request->resource != 0) {
        plane_fail(plane, "TWICE m%u has another %s than was acknowledged", machine, name);
    }
}

static void check_generation(struct plane *plane, uint32_t machine, const struct instance_row *row)
{
    uint64_t at = id_sequence(row->head.id);
    CHECK(at < SEQUENCES);
    struct order_seen *seen = &rows_seen[machine][at];
    plane_checked(plane, PLANE_CHECK_GENERATION);
    if (row->generation < seen->generation || row->epoch < seen->epoch) { /* INV-VM-2 */
        plane_fail(plane, "GENERATION m%u: %s goes back", machine, row->name.text);
    }
    *seen = (struct order_seen){ row->generation, row->epoch };
}

void plane_check_machine(struct plane *plane, uint32_t machine)
{
    struct server *server = plane_server(plane, machine);
    CHECK(server != NULL);
    struct engine *engine = server_engine(server);
    uint64_t poisoned = 0;
    if (engine_asks_under_way(engine) > ENGINE_ASKS || server_poisoned(server, &poisoned)) {
        plane_fail(plane, "BOUND m%u: asks, or a poison entry", machine);
    }
    plane_checked(plane, PLANE_CHECK_BOUNDS);
    plane_leaves_check(plane, machine, engine);
    const struct state *state = engine_state(engine);
    uint64_t index = engine_applied(engine);
    if (index == applied[machine] || index == 0) {
        return;
    }
    if (index < applied[machine]) {
        plane_fail(plane, "BACK m%u applied %llu after more", machine, (unsigned long long)index);
    }
    applied[machine] = index;
    check_digest(plane, machine, index, state);
    check_ledger(plane, machine, state);
    check_acknowledged(plane, machine, index, state);
    for (const struct instance_row *row = state_first(state, TABLE_INSTANCE); row != NULL;
         row = state_next(state, TABLE_INSTANCE, row)) {
        check_maker(plane, machine, row->name.text, row->head.id, PLANE_ACT_CREATE);
        check_generation(plane, machine, row);
    }
    for (const struct network_row *row = state_first(state, TABLE_NETWORK); row != NULL;
         row = state_next(state, TABLE_NETWORK, row)) {
        check_maker(plane, machine, row->name.text, row->head.id, PLANE_ACT_NETWORK);
    }
}

/* ---- All hypervisors ---- */

void plane_check_owners(struct plane *plane)
{
    plane_checked(plane, PLANE_CHECK_ONE_OWNER);
    for (uint32_t a = PLANE_CONTROLLERS; a < PLANE_MACHINES; a++) {
        for (uint32_t i = 0; i < PLANE_DOMAINS; i++) {
            const struct plane_domain *one = &plane_host_domains(a)[i];
            if (one->instance == 0 || (!one->running && !one->paused)) {
                continue;
            }
            for (uint32_t b = a + 1; b < PLANE_MACHINES; b++) {
                for (uint32_t k = 0; k < PLANE_DOMAINS; k++) {
                    const struct plane_domain *two = &plane_host_domains(b)[k];
                    if (two->instance == one->instance && (two->running || two->paused)) {
                        plane_fail(/* INV-VM-1 */
                                   plane,
                                   "TWO OWNERS m%u and m%u run %llx",
                                   a,
                                   b,
                                   (unsigned long long)one->instance);
                    }
                }
            }
        }
    }
}

void plane_check_start(struct plane *plane, uint32_t machine, const Wire__Assignment *order)
{
    uint64_t at = id_sequence(order->instance);
    CHECK(at < SEQUENCES);
    struct order_seen *seen = &started[at];
    plane_checked(plane, PLANE_CHECK_STARTED_ORDER);
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
