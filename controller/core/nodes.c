/* Decides what the scheduler is shown. Never decides where anything goes: scheduler/ does. */
#include "controller/core/nodes.h"

#include "base/check.h"
#include "controller/core/presence.h"

#include <string.h>

enum { MIB = 1 << 20 };

static size_t aligned(size_t size)
{
    return (size + 63) / 64 * 64;
}

size_t nodes_memory(uint32_t capacity)
{
    return aligned(scheduler_view_memory(capacity)) + aligned(sizeof(struct flight) * capacity) +
           aligned((size_t)LIMIT_NAME * VIEW_RACKS_MAX) +
           aligned(sizeof(uint64_t) * view_set_words(capacity)) +
           aligned(sizeof(uint32_t) * VIEW_RACKS_MAX) + 64;
}

void nodes_init(struct nodes *nodes, uint32_t capacity, place_policy *placement, void *memory)
{
    uint8_t *at = memory;
    memset(nodes, 0, sizeof(*nodes));
    struct scheduler_policy policy = { .overcommit_percent = 100, .reserve_percent = 0 };
    scheduler_view_init(&nodes->view, at, scheduler_view_memory(capacity), capacity, &policy);
    at += aligned(scheduler_view_memory(capacity));
    nodes->flights = (struct flight *)(void *)at;
    at += aligned(sizeof(struct flight) * capacity);
    nodes->racks = (char(*)[LIMIT_NAME])(void *)at;
    at += aligned((size_t)LIMIT_NAME * VIEW_RACKS_MAX);
    nodes->image_set = (uint64_t *)(void *)at;
    at += aligned(sizeof(uint64_t) * view_set_words(capacity));
    nodes->group = (uint32_t *)(void *)at;
    nodes->racks_count = 1;
    nodes->policy = placement;
}

static uint32_t slot_of(const struct state *state, const struct node_row *row)
{
    const struct table *table = &state->tables[TABLE_NODE];
    size_t offset = (size_t)((const uint8_t *)row - table->rows);
    CHECK(offset % table->row_size == 0);
    return (uint32_t)(offset / table->row_size);
}

uint32_t nodes_rack(const struct nodes *nodes, const char *name)
{
    for (uint32_t i = 0; i < nodes->racks_count; i++) {
        if (strcmp(nodes->racks[i], name) == 0) {
            return i;
        }
    }
    return UINT32_MAX;
}

/* Racks beyond the bound share the last index: spread is a wish, never a promise. */
static uint32_t rack_index(struct nodes *nodes, const char *name)
{
    uint32_t found = nodes_rack(nodes, name);
    if (found != UINT32_MAX) {
        return found;
    }
    if (nodes->racks_count == VIEW_RACKS_MAX) {
        return VIEW_RACKS_MAX - 1;
    }
    (void)text_copy(nodes->racks[nodes->racks_count], LIMIT_NAME, slice_text(name));
    return nodes->racks_count++;
}

void nodes_sync_one(struct nodes *nodes, const struct state *state, const struct node_row *row)
{
    uint32_t slot = slot_of(state, row);
    struct view_node node = {
        .vcpus = (uint32_t)(row->vcpus < VIEW_VCPUS_MAX ? row->vcpus : VIEW_VCPUS_MAX),
        .memory_mib =
            (uint32_t)(row->memory_bytes / MIB < VIEW_MEMORY_MIB_MAX ? row->memory_bytes / MIB : VIEW_MEMORY_MIB_MAX),
        .rack = rack_index(nodes, row->place.rack),
        .flags = row->liveness == WIRE__LIVENESS__LIVENESS_ALIVE ? (uint32_t)VIEW_ALIVE : 0,
    };
    view_set(&nodes->view, slot, &node);
    uint32_t had_vcpus = nodes->view.vcpus_placed[slot];
    uint32_t had_memory = nodes->view.memory_placed[slot];
    const struct flight *flight = &nodes->flights[slot];
    uint64_t vcpus = row->vcpus_placed + flight->vcpus;
    uint64_t memory = row->memory_bytes_placed / MIB + flight->memory_mib;
    CHECK(vcpus <= UINT32_MAX && memory <= UINT32_MAX);
    view_give(&nodes->view, slot, had_vcpus, had_memory);
    view_take(&nodes->view, slot, (uint32_t)vcpus, (uint32_t)memory);
}

static bool policy_sync(struct nodes *nodes, const struct state *state)
{
    const struct cell_row *cell = state_cell(state);
    if (cell == NULL) {
        return false;
    }
    nodes->view.policy = (struct scheduler_policy){
        .overcommit_percent = cell->vcpu_ratio * 100,
        .reserve_percent = cell->reserve_percent,
    };
    nodes->ready = true;
    return true;
}

void nodes_sync(struct nodes *nodes, struct state *state)
{
    state->nodes_changed_count = 0;
    if (!policy_sync(nodes, state)) {
        return;
    }
    for (const struct node_row *row = state_first(state, TABLE_NODE); row != NULL;
         row = state_next(state, TABLE_NODE, row)) {
        nodes_sync_one(nodes, state, row);
    }
}

void nodes_follow(struct nodes *nodes, struct state *state)
{
    if (state->nodes_changed_count > STATE_NODES_CHANGED || !nodes->ready) {
        nodes_sync(nodes, state);
        return;
    }
    uint32_t count = policy_sync(nodes, state) ? state->nodes_changed_count : 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct node_row *row = state_find(state, TABLE_NODE, state->nodes_changed[i]);
        if (row != NULL) {
            nodes_sync_one(nodes, state, row);
        }
    }
    state->nodes_changed_count = 0;
}

static bool has(const struct node_row *row, const uint8_t sha256[static 32])
{
    for (uint32_t i = 0; i < row->images_count; i++) {
        if (memcmp(row->images[i], sha256, 32) == 0) {
            return true;
        }
    }
    return false;
}

static void image_nodes(
    struct nodes *nodes, const struct state *state, const struct image_row *image)
{
    memset(nodes->image_set, 0, sizeof(uint64_t) * view_set_words(nodes->view.capacity));
    for (const struct node_row *row = state_first(state, TABLE_NODE); row != NULL;
         row = state_next(state, TABLE_NODE, row)) {
        if (has(row, image->kernel_sha256) && has(row, image->initramfs_sha256)) {
            uint32_t slot = slot_of(state, row);
            nodes->image_set[slot / VIEW_BLOCK] |= UINT64_C(1) << (slot % VIEW_BLOCK);
        }
    }
}

/* How many of the tenant's group (or, without one, of its instances) each rack holds. */
static void group_racks(
    struct nodes *nodes, const struct state *state, uint64_t tenant, const char *spread)
{
    memset(nodes->group, 0, sizeof(uint32_t) * VIEW_RACKS_MAX);
    const struct tenant_row *of = state_find(state, TABLE_TENANT, tenant);
    for (uint32_t at = of == NULL ? 0 : of->first_placed; at != 0; at = presence_next(state, at)) {
        const struct instance_row *row = presence_row(state, at);
        if (strcmp(row->spread.text, spread) == 0) {
            const struct node_row *node = state_find(state, TABLE_NODE, row->node.value);
            CHECK(node != NULL); /* A node with instances is never deleted. */
            uint32_t rack = nodes_rack(nodes, node->place.rack);
            nodes->group[rack < VIEW_RACKS_MAX ? rack : VIEW_RACKS_MAX - 1]++;
        }
    }
}

static uint64_t id_at(const struct state *state, uint32_t slot)
{
    const struct table *table = &state->tables[TABLE_NODE];
    CHECK(slot < table->capacity);
    uint64_t id =
        ((const struct row_head *)(const void *)(table->rows + slot * table->row_size))->id;
    CHECK(state_find(state, TABLE_NODE, id) != NULL);
    return id;
}

uint64_t nodes_choose(
    struct nodes *nodes,
    const struct state *state,
    const struct image_row *image,
    uint64_t tenant,
    const char *spread,
    uint32_t vcpus,
    uint64_t memory_bytes,
    struct explanation *why_out)
{
    CHECK(nodes->ready);
    struct place_request request = { .vcpus = vcpus,
                                     .memory_mib = (uint32_t)(memory_bytes / MIB),
                                     .image_nodes = nodes->image_set };
    image_nodes(nodes, state, image);
    if (spread[0] != '\0') {
        group_racks(nodes, state, tenant, spread);
        request.group_in_rack = nodes->group;
        request.group_racks = nodes->racks_count;
    }
    uint32_t slot = 0;
    bool chosen = explain_policy(&nodes->view, &request, nodes->policy, why_out, &slot);
    return chosen ? id_at(state, slot) : 0;
}

struct choice nodes_choice(const struct state *state, const struct explanation *why)
{
    bool by_policy = why->why == EXPLAIN_POLICY; /* It does not say who came next. */
    CHECK(why->passed > 0 || by_policy);
    struct choice choice = { .why = why->why, .nodes = why->nodes, .passed = why->passed };
    choice.runner_up.value = by_policy || why->passed == 1 ? 0 : id_at(state, why->runner_up.slot);
    return choice;
}

static void fly(
    struct nodes *nodes,
    const struct state *state,
    uint64_t node,
    uint32_t vcpus,
    uint64_t bytes,
    bool out)
{
    const struct node_row *row = state_find(state, TABLE_NODE, node);
    if (row == NULL) {
        return;
    }
    struct flight *flight = &nodes->flights[slot_of(state, row)];
    if (out) {
        flight->vcpus += vcpus;
        flight->memory_mib += (uint32_t)(bytes / MIB);
    } else {
        CHECK(flight->vcpus >= vcpus);
        CHECK(flight->memory_mib >= bytes / MIB);
        flight->vcpus -= vcpus;
        flight->memory_mib -= (uint32_t)(bytes / MIB);
    }
    nodes_sync_one(nodes, state, row);
}

void nodes_fly(
    struct nodes *nodes, const struct state *state, uint64_t node, uint32_t vcpus, uint64_t bytes)
{
    fly(nodes, state, node, vcpus, bytes, true);
}

void nodes_land(
    struct nodes *nodes, const struct state *state, uint64_t node, uint32_t vcpus, uint64_t bytes)
{
    fly(nodes, state, node, vcpus, bytes, false);
}
