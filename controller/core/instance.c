/* Decides what an instance's moves are and keeps its charges (ledger, node, floor sums, addresses)
 * in step with them. Never decides that it should move: requests and reports do. */
#include "controller/core/instance.h"

#include "base/check.h"
#include "base/mutant.h"
#include "controller/core/presence.h"

#include <string.h>

#define S(name) WIRE__INSTANCE_STATE__INSTANCE_STATE_##name

static const struct sm_row rows[] = {
    [S(UNSET)] = { "unset", TO(S(STOPPED)) | TO(S(STARTING)), false },
    [S(STOPPED)] = { "stopped", TO(S(STARTING)), false },
    [S(STARTING)] = { "starting",
                      TO(S(RUNNING)) | TO(S(STOPPING)) | TO(S(DELETING)) | TO(S(FAILED)),
                      false },
    [S(RUNNING)] = { "running",
                     TO(S(STARTING)) | TO(S(STOPPING)) | TO(S(DELETING)) | TO(S(FAILED)),
                     false },
    [S(STOPPING)] = { "stopping", TO(S(STOPPED)) | TO(S(DELETING)), false },
    [S(DELETING)] = { "deleting", 0, true },
    [S(FAILED)] = { "failed", TO(S(STARTING)), false },
};
const struct sm instance_machine = { "instance", rows, COUNT_OF(rows) };

void instance_move(struct instance_row *row, Wire__InstanceState next)
{
    CHECK(row->head.id != 0);
    sm_move(&instance_machine, &row->state, (uint32_t)next); /* INV-VM-4 */
}

struct quota_amounts instance_amounts(const struct instance_row *row)
{
    struct quota_amounts amounts = { { 0 } };
    amounts.of[QUOTA_VCPUS] = row->vcpus;
    amounts.of[QUOTA_MEMORY_BYTES] = row->memory_bytes;
    amounts.of[QUOTA_INSTANCES] = 1;
    return amounts;
}

static bool has_file(const struct node_row *node, const uint8_t sha256[static 32])
{
    for (uint32_t i = 0; i < node->images_count; i++) {
        if (memcmp(node->images[i], sha256, 32) == 0) {
            return true;
        }
    }
    return false;
}

/* The part of a capacity that instances may take, rounded down. */
static uint64_t sellable(uint64_t capacity, uint32_t reserve_percent)
{
    CHECK(reserve_percent < 100);
    return capacity / 100 * (100 - reserve_percent) +
           capacity % 100 * (100 - reserve_percent) / 100;
}

bool instance_fits_node(
    const struct state *state,
    const struct node_row *node,
    const struct image_row *image,
    uint32_t vcpus,
    uint64_t memory_bytes)
{
    const struct cell_row *cell = state_cell(state);
    uint64_t room_vcpus = sellable(node->vcpus * cell->vcpu_ratio, cell->reserve_percent);
    uint64_t room_memory = sellable(node->memory_bytes, cell->reserve_percent);
    return node->liveness == WIRE__LIVENESS__LIVENESS_ALIVE &&
           has_file(node, image->kernel_sha256) && has_file(node, image->initramfs_sha256) &&
           node->vcpus_placed + vcpus <= room_vcpus &&
           node->memory_bytes_placed + memory_bytes <= room_memory;
}

enum reject instance_fits_floor(
    const struct state *state,
    const struct tenant_row *tenant,
    uint32_t vcpus,
    uint64_t memory_bytes,
    struct quota_refusal *refusal_out)
{
    struct quota_amounts placed = state_placed(tenant);
    struct quota_amounts request = { { 0 } };
    request.of[QUOTA_VCPUS] = vcpus;
    request.of[QUOTA_MEMORY_BYTES] = memory_bytes;
    struct quota_amounts reserve =
        floor_reserve(&state->sums.capacity, state_cell(state)->reserve_percent);
    return placement_admissible(
        &placed,
        &tenant->account.floor,
        &state->sums.claims,
        &state->sums.capacity,
        &reserve,
        &request,
        refusal_out);
}

/* The tenant's placed sums and the cell's claims move together. */
static void tenant_placed(
    struct state *state, uint64_t id, int sign, const struct instance_row *row)
{
    struct tenant_row *tenant = state_find(state, TABLE_TENANT, id);
    CHECK(tenant != NULL);
    struct quota_amounts before = state_claim(tenant);
    if (sign > 0) {
        tenant->vcpus_placed += row->vcpus;
        tenant->memory_bytes_placed += row->memory_bytes;
    } else {
        CHECK(tenant->vcpus_placed >= row->vcpus);
        CHECK(tenant->memory_bytes_placed >= row->memory_bytes);
        tenant->vcpus_placed -= row->vcpus;
        tenant->memory_bytes_placed -= row->memory_bytes;
    }
    struct quota_amounts after = state_claim(tenant);
    quota_amounts_subtract(&state->sums.claims, &before);
    quota_amounts_add(&state->sums.claims, &after);
    state_touch(state, TABLE_TENANT, tenant);
}

void instance_place(struct apply *apply, struct instance_row *row, struct node_row *node)
{
    CHECK(row->node.value == 0); /* INV-VM-1: one owner; the next only after the last let go. */
    const Wire__Choice *choice = apply->asked == NULL ? NULL : apply->asked->choice;
    row->node.value = node->head.id;
    row->choice = (struct choice){ .why = 0 };
    if (choice != NULL) {
        row->choice =
            (struct choice){ choice->why, choice->nodes, choice->passed, { choice->runner_up } };
    }
    row->epoch++;
    node->vcpus_placed += row->vcpus;
    node->memory_bytes_placed += row->memory_bytes;
    node->instances++;
    bool put = presence_put(apply->state, row, apply->index);
    CHECK(put); /* All that it refers to is there: it refers to nothing else. */
    state_touch(apply->state, TABLE_NODE, node);
    tenant_placed(apply->state, row->tenant.value, 1, row);
}

void instance_unplace(struct apply *apply, struct instance_row *row)
{
    struct node_row *node = state_find(apply->state, TABLE_NODE, row->node.value);
    CHECK(node != NULL);
    CHECK(node->instances > 0);
    CHECK(node->vcpus_placed >= row->vcpus);
    CHECK(node->memory_bytes_placed >= row->memory_bytes);
    node->vcpus_placed -= row->vcpus;
    node->memory_bytes_placed -= MUTANT(LEDGER_ROOM_KEPT) ? 0 : row->memory_bytes;
    node->instances--;
    presence_drop(apply->state, row);
    row->node.value = 0;
    state_touch(apply->state, TABLE_NODE, node);
    tenant_placed(apply->state, row->tenant.value, -1, row);
}

static struct project_row *project_of(struct apply *apply, const struct instance_row *row)
{
    struct project_row *project = state_find(apply->state, TABLE_PROJECT, row->project.value);
    CHECK(project != NULL);
    if (!MUTANT(LEDGER_PROJECT_UNTOUCHED)) {
        state_touch(apply->state, TABLE_PROJECT, project);
    }
    state_touch(
        apply->state, TABLE_TENANT, state_find(apply->state, TABLE_TENANT, row->tenant.value));
    return project;
}

void instance_commit(struct apply *apply, struct instance_row *row)
{
    if (!row->held) {
        return;
    }
    struct quota_amounts amounts = instance_amounts(row);
    ledger_commit(&project_of(apply, row)->account, &amounts);
    row->held = false;
}

void instance_gone(struct apply *apply, struct instance_row *row)
{
    CHECK(row->node.value == 0); /* INV-LED-6: charged until the world says it is gone. */
    struct project_row *project = project_of(apply, row);
    struct quota_amounts amounts = instance_amounts(row);
    if (row->held) {
        ledger_release_held(&project->account, &amounts);
    } else {
        ledger_release_used(&project->account, &amounts);
    }
    CHECK(project->children > 0);
    project->children--;
    for (uint32_t i = 0; i < row->nics_count; i++) {
        struct network_row *network =
            state_find(apply->state, TABLE_NETWORK, row->nics[i].network.value);
        CHECK(network != NULL && network->addresses > 0);
        network->addresses--;
        state_touch(apply->state, TABLE_NETWORK, network);
    }
    struct image_row *image = state_find(apply->state, TABLE_IMAGE, row->image.value);
    CHECK(image != NULL && image->instances > 0);
    image->instances--;
    state_touch(apply->state, TABLE_IMAGE, image);
    state_index(apply->state, TABLE_INSTANCE, row, false);
    state_remove(apply->state, TABLE_INSTANCE, row);
}
