/* Decides what is true of any state, in the slowest way that is plainly right. Never changes one.
 */
#include "tests/fuzz/core_world.h"

#include "base/check.h"
#include "controller/core/apply.h"
#include "controller/core/presence.h"
#include "controller/core/read.h"
#include "controller/core/rows.h"
#include "tests/fuzz/fuzz.h"
#include "wire/wire.h"

#include <stdlib.h>
#include <string.h>

enum { MIRROR_ROWS = 4096, SCRATCH = 256 * 1024, TOLD = 2 * 1024 * 1024 };

static struct mirrored {
    enum state_table table; /* 0: free. */
    uint64_t id;
    uint8_t *bytes; /* Owned. */
    size_t size;
} mirror[MIRROR_ROWS];
static uint32_t mirror_top;

static _Alignas(16) uint8_t scratch_memory[SCRATCH];

/* ---- Making ---- */

void world_state(struct state *state, uint32_t which, const struct state_capacity *capacity)
{
    state_init(state, WORLD_CELL, capacity, fuzz_pages(which, state_memory(capacity)));
}

/* ---- What stands in it ---- */

void world_hold_names(const struct state *state)
{
    for (const struct token_row *token = state_first(state, TABLE_TOKEN); token != NULL;
         token = state_next(state, TABLE_TOKEN, token)) {
        MUST(state_token(state, slice_of(token->secret_sha256, 32)) != NULL);
    }
    for (const struct instance_row *instance = state_first(state, TABLE_INSTANCE); instance != NULL;
         instance = state_next(state, TABLE_INSTANCE, instance)) {
        const struct instance_row *found =
            state_lookup(state, TABLE_INSTANCE, instance->project.value, instance->name.text);
        uint64_t id = 0;
        MUST(found != NULL || id_parse(ID_INSTANCE, instance->name.text, &id));
        for (uint32_t i = 0; i < instance->nics_count; i++) {
            MUST(
                state_address(state, instance->nics[i].network, instance->nics[i].address) != NULL);
        }
    }
    for (const struct operation_row *write = state_first(state, TABLE_OPERATION); write != NULL;
         write = state_next(state, TABLE_OPERATION, write)) {
        MUST(state_write(state, write->asker_tenant.value, write->initiator, write->key) != NULL);
    }
}

static void hold_account(const struct quota_account *account)
{
    for (int i = 0; i < QUOTA_DIMENSIONS; i++) {
        MUST(account->drawn.of[i] == account->used.of[i] + account->held.of[i]);
    }
}

void world_hold_ledger(const struct state *state)
{
    MUST(read_ledger_mismatches(state) == 0); /* INV-LED-2 */
    for (const struct tenant_row *row = state_first(state, TABLE_TENANT); row != NULL;
         row = state_next(state, TABLE_TENANT, row)) {
        hold_account(&row->account); /* INV-LED-1 */
    }
    for (const struct project_row *row = state_first(state, TABLE_PROJECT); row != NULL;
         row = state_next(state, TABLE_PROJECT, row)) {
        hold_account(&row->account);
    }
}

/* What guests have of this node, or of this tenant. */
static struct quota_amounts placed_of(const struct state *state, uint64_t node, uint64_t tenant)
{
    struct quota_amounts sum = { { 0 } };
    for (const struct instance_row *row = state_first(state, TABLE_INSTANCE); row != NULL;
         row = state_next(state, TABLE_INSTANCE, row)) {
        bool counts = row->node.value != 0 && (node == 0 || row->node.value == node) &&
                      (tenant == 0 || row->tenant.value == tenant);
        sum.of[QUOTA_VCPUS] += counts ? row->vcpus : 0;
        sum.of[QUOTA_MEMORY_BYTES] += counts ? row->memory_bytes : 0;
        sum.of[QUOTA_INSTANCES] += counts ? 1 : 0;
    }
    return sum;
}

static void hold_network(const struct state *state, const struct network_row *network)
{
    uint32_t addresses = 0;
    for (const struct instance_row *row = state_first(state, TABLE_INSTANCE); row != NULL;
         row = state_next(state, TABLE_INSTANCE, row)) {
        for (uint32_t i = 0; i < row->nics_count; i++) {
            bool here = row->nics[i].network.value == network->head.id;
            addresses += here ? 1 : 0;
            MUST(state_address(state, row->nics[i].network, row->nics[i].address) == row);
        }
    }
    MUST(addresses == network->addresses);
    MUST(state_vni(state, network->vni) == network);
}

void world_hold_rooms(const struct state *state)
{
    for (const struct node_row *row = state_first(state, TABLE_NODE); row != NULL;
         row = state_next(state, TABLE_NODE, row)) {
        struct quota_amounts sum = placed_of(state, row->head.id, 0);
        MUST(sum.of[QUOTA_VCPUS] == row->vcpus_placed); /* INV-SCH-1 */
        MUST(sum.of[QUOTA_MEMORY_BYTES] == row->memory_bytes_placed);
        MUST(sum.of[QUOTA_INSTANCES] == row->instances);
        MUST((row->conditions != 0) == (apply_condition_words(row->conditions)[0] != '\0'));
    }
    for (const struct tenant_row *row = state_first(state, TABLE_TENANT); row != NULL;
         row = state_next(state, TABLE_TENANT, row)) {
        struct quota_amounts sum = placed_of(state, 0, row->head.id);
        MUST(sum.of[QUOTA_VCPUS] == row->vcpus_placed);
        MUST(sum.of[QUOTA_MEMORY_BYTES] == row->memory_bytes_placed);
    }
    for (const struct network_row *row = state_first(state, TABLE_NETWORK); row != NULL;
         row = state_next(state, TABLE_NETWORK, row)) {
        hold_network(state, row); /* INV-NET-1 INV-NET-3 */
    }
}

/* ---- Who is where ---- */

static bool has_network(const struct instance_row *row, uint64_t network)
{
    for (uint32_t i = 0; i < row->nics_count; i++) {
        if (row->nics[i].network.value == network) {
            return true;
        }
    }
    return false;
}

static bool belongs(const struct instance_row *row, enum state_table table, uint64_t id)
{
    if (row->node.value == 0) {
        return false;
    }
    if (table == TABLE_NODE) {
        return row->node.value == id;
    }
    return table == TABLE_TENANT ? row->tenant.value == id : has_network(row, id);
}

/* Each that is listed belongs there, and as many are listed as belong. */
static void hold_walk(
    const struct state *state, enum state_table table, uint64_t id, uint32_t first)
{
    uint32_t listed = 0;
    uint32_t there = 0;
    for (uint32_t at = first; at != 0; at = presence_next(state, at)) {
        MUST(belongs(presence_row(state, at), table, id));
        MUST(++listed <= state_count(state, TABLE_INSTANCE));
    }
    for (const struct instance_row *row = state_first(state, TABLE_INSTANCE); row != NULL;
         row = state_next(state, TABLE_INSTANCE, row)) {
        there += belongs(row, table, id) ? 1 : 0;
    }
    MUST(listed == there);
}

void world_hold_presence(const struct state *state)
{
    for (const struct node_row *row = state_first(state, TABLE_NODE); row != NULL;
         row = state_next(state, TABLE_NODE, row)) {
        hold_walk(state, TABLE_NODE, row->head.id, row->first_placed);
    }
    for (const struct tenant_row *row = state_first(state, TABLE_TENANT); row != NULL;
         row = state_next(state, TABLE_TENANT, row)) {
        hold_walk(state, TABLE_TENANT, row->head.id, row->first_placed);
    }
    for (const struct network_row *row = state_first(state, TABLE_NETWORK); row != NULL;
         row = state_next(state, TABLE_NETWORK, row)) {
        hold_walk(state, TABLE_NETWORK, row->head.id, row->first_placed);
    }
}

void world_hold_told(const ProtobufCMessage *message)
{
    static _Alignas(16) uint8_t memory[TOLD];
    struct arena arena;
    struct slice bytes = SLICE_EMPTY;
    void *again = NULL;
    arena_init(&arena, memory, sizeof(memory));
    MUST(wire_encode(message, &arena, &bytes).code == 0);
    MUST(wire_decode(message->descriptor, bytes, &arena, &again).code == 0);
}

/* ---- The mirror ---- */

static void mirror_row(void *context, enum state_table table, uint64_t id, struct slice bytes)
{
    struct mirrored *at = mirror;
    CHECK(context == NULL);
    while (at < mirror + mirror_top && (at->table != table || at->id != id)) {
        at++;
    }
    if (at == mirror + mirror_top) {
        for (at = mirror; at < mirror + mirror_top && at->table != 0; at++) {
        }
        CHECK(at < mirror + MIRROR_ROWS);
        mirror_top += at == mirror + mirror_top ? 1 : 0;
    }
    free(at->bytes);
    *at = (struct mirrored){ .table = 0 };
    if (bytes.size > 0) {
        *at = (struct mirrored){ table, id, fuzz_copy(bytes), bytes.size };
    }
}

void world_mirror(struct state *state)
{
    for (uint32_t i = 0; i < mirror_top; i++) {
        free(mirror[i].bytes);
        mirror[i] = (struct mirrored){ .table = 0 };
    }
    mirror_top = 0;
    state->copy = (struct state_copy){ mirror_row, NULL };
}

static int by_key(const void *one_pointer, const void *other_pointer)
{
    const struct mirrored *one = one_pointer;
    const struct mirrored *other = other_pointer;
    if (one->table != other->table) {
        return one->table < other->table ? -1 : 1;
    }
    return (one->id > other->id) - (one->id < other->id);
}

void world_hold_mirror(const struct state *state, struct state *restored)
{
    struct arena scratch;
    arena_init(&scratch, scratch_memory, sizeof(scratch_memory));
    qsort(mirror, mirror_top, sizeof(mirror[0]), by_key);
    for (uint32_t i = 0; i < mirror_top; i++) {
        if (mirror[i].table == 0) {
            continue;
        }
        struct result result = rows_restore(
            restored,
            mirror[i].table,
            mirror[i].id,
            slice_of(mirror[i].bytes, mirror[i].size),
            &scratch);
        MUST(result.code == 0); /* What apply makes of an entry can be read back. */
        arena_reset(&scratch);
    }
    state_recount(restored);
    state_settle(restored, &scratch);
    MUST(restored->digest == state->digest); /* INV-REF-1 */
    MUST(memcmp(&restored->sums, &state->sums, sizeof(state->sums)) == 0);
    for (unsigned int table = TABLE_CELL; table < TABLES_END; table++) {
        enum state_table each = (enum state_table)table;
        MUST(state_count(restored, each) == state_count(state, each));
    }
    world_hold_names(restored);
    world_hold_ledger(restored);
}
