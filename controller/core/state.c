/* Decides where the rows of the cell live, how they are found by name, and what the digest is.
 * Never decides whether a change is allowed: that is apply's. */
#include "controller/core/state.h"

#include "base/check.h"
#include "controller/core/rows.h"

#include <string.h>

/* Rows that an entry removed stay until its end, at most a few for each command. */
enum { REMOVALS = 8 * LIMIT_COMMANDS_PER_ENTRY };

static const size_t row_sizes[] = {
    [TABLE_CELL] = sizeof(struct cell_row),
    [TABLE_CONTROLLER] = sizeof(struct controller_row),
    [TABLE_NODE] = sizeof(struct node_row),
    [TABLE_TENANT] = sizeof(struct tenant_row),
    [TABLE_PROJECT] = sizeof(struct project_row),
    [TABLE_USER] = sizeof(struct user_row),
    [TABLE_IMAGE] = sizeof(struct image_row),
    [TABLE_NETWORK] = sizeof(struct network_row),
    [TABLE_INSTANCE] = sizeof(struct instance_row),
    [TABLE_OPERATION] = sizeof(struct operation_row),
    [TABLE_ALARM] = sizeof(struct alarm_row),
    [TABLE_TOKEN] = sizeof(struct token_row),
};
_Static_assert(COUNT_OF(row_sizes) == TABLES_END, "every table has its row");

/* The kind that a UUID in a name's place must be of. */
static const enum id_kind table_kinds[] = {
    [TABLE_CELL] = ID_CELL,         [TABLE_CONTROLLER] = ID_CONTROLLER,
    [TABLE_NODE] = ID_NODE,         [TABLE_TENANT] = ID_TENANT,
    [TABLE_PROJECT] = ID_PROJECT,   [TABLE_USER] = ID_USER,
    [TABLE_IMAGE] = ID_IMAGE,       [TABLE_NETWORK] = ID_NETWORK,
    [TABLE_INSTANCE] = ID_INSTANCE, [TABLE_OPERATION] = ID_OPERATION,
    [TABLE_ALARM] = ID_ALARM,       [TABLE_TOKEN] = ID_TOKEN,
};
_Static_assert(COUNT_OF(table_kinds) == TABLES_END, "every table has its kind");

struct state_capacity state_capacity_default(void)
{
    return (struct state_capacity){ .rows = {
                                        [TABLE_CELL] = 1,
                                        [TABLE_CONTROLLER] =
                                            LIMIT_CONTROLLERS *
                                            4, /* With those that are leaving or were replaced. */
                                        [TABLE_NODE] = LIMIT_NODES,
                                        [TABLE_TENANT] = LIMIT_TENANTS,
                                        [TABLE_PROJECT] = LIMIT_PROJECTS,
                                        [TABLE_USER] = LIMIT_USERS,
                                        [TABLE_IMAGE] = LIMIT_IMAGES,
                                        [TABLE_NETWORK] = LIMIT_NETWORKS,
                                        [TABLE_INSTANCE] = LIMIT_INSTANCES,
                                        [TABLE_OPERATION] = LIMIT_OPERATIONS,
                                        [TABLE_ALARM] = LIMIT_ALARMS,
                                        [TABLE_TOKEN] = LIMIT_TOKENS,
                                    } };
}

/* Every row that is found by a name takes one place; instances one more for each address. */
static uint32_t names_needed(const struct state_capacity *capacity)
{
    uint32_t needed = 0;
    for (unsigned int table = TABLE_CONTROLLER; table < TABLES_END; table++) {
        needed += capacity->rows[table];
    }
    needed += capacity->rows[TABLE_NETWORK]; /* VNIs. */
    return needed + capacity->rows[TABLE_INSTANCE] * LIMIT_INSTANCE_NETWORKS;
}

static size_t aligned(size_t size)
{
    return (size + 63) / 64 * 64;
}

size_t state_memory(const struct state_capacity *capacity)
{
    size_t size = aligned(index_memory(names_needed(capacity)));
    for (unsigned int table = TABLE_CELL; table < TABLES_END; table++) {
        size += aligned(table_memory(row_sizes[table], capacity->rows[table] + REMOVALS));
    }
    return size;
}

void state_init(
    struct state *state, uint16_t cell, const struct state_capacity *capacity, void *memory)
{
    CHECK(cell != 0);
    memset(state, 0, sizeof(*state));
    state->cell = cell;
    uint8_t *at = memory;
    for (unsigned int table = TABLE_CELL; table < TABLES_END; table++) {
        uint32_t slots = capacity->rows[table] + REMOVALS;
        table_init(&state->tables[table], at, row_sizes[table], slots);
        at += aligned(table_memory(row_sizes[table], slots));
        state->limit[table] = capacity->rows[table];
    }
    index_init(&state->names, at, names_needed(capacity));
}

void *state_find(const struct state *state, enum state_table table, uint64_t id)
{
    CHECK(table >= TABLE_CELL && table < TABLES_END);
    return table_find(&state->tables[table], id);
}

struct cell_row *state_cell(const struct state *state)
{
    return table_first(&state->tables[TABLE_CELL]);
}

void *state_first(const struct state *state, enum state_table table)
{
    return table_first(&state->tables[table]);
}

void *state_next(const struct state *state, enum state_table table, const void *row)
{
    return table_next(&state->tables[table], row);
}

uint32_t state_count(const struct state *state, enum state_table table)
{
    return state->tables[table].count;
}

bool state_full(const struct state *state, enum state_table table)
{
    return state->tables[table].count >= state->limit[table];
}

bool state_may_take(uint32_t own, uint32_t left)
{
    return own < left;
}

uint64_t state_next_id(struct state *state)
{
    struct cell_row *cell = state_cell(state);
    CHECK(cell != NULL);
    uint64_t id = id_make(state->cell, cell->next_sequence);
    cell->next_sequence++;
    state_touch(state, TABLE_CELL, cell);
    return id;
}

void *state_insert(struct state *state, enum state_table table, uint64_t id)
{
    CHECK(id_cell(id) == state->cell);
    return table_insert(&state->tables[table], id);
}

void state_touch(struct state *state, enum state_table table, void *row)
{
    table_touch(&state->tables[table], row);
}

void state_remove(struct state *state, enum state_table table, void *row)
{
    struct row_head *head = row;
    state->digest -= head->digest; /* Counted now; settling skips removed rows. */
    head->digest = 0;
    table_remove(&state->tables[table], row);
}

/* A fixed key: the digest must be the same on every replica, and it defends against accidents. */
static uint64_t row_digest(enum state_table table, uint64_t id, struct slice bytes)
{
    struct hash_key key = { id, (uint64_t)table };
    uint64_t digest = hash_bytes(key, bytes);
    return digest == 0 ? 1 : digest;
}

static void settle_row(
    struct state *state, enum state_table table, struct row_head *head, struct arena *scratch)
{
    struct slice bytes = SLICE_EMPTY;
    if (!head->removed) {
        bytes = rows_encode(table, head, scratch);
        state->digest -= head->digest;
        head->digest = row_digest(table, head->id, bytes);
        state->digest += head->digest;
    }
    if (state->copy.row != NULL) {
        state->copy.row(state->copy.context, table, head->id, bytes);
    }
    if (table == TABLE_NODE && state->nodes_changed_count <= STATE_NODES_CHANGED) {
        if (state->nodes_changed_count < STATE_NODES_CHANGED) {
            state->nodes_changed[state->nodes_changed_count] = head->id;
        }
        state->nodes_changed_count++;
    }
    if (head->removed) {
        CHECK(head->digest == 0);
        table_release(&state->tables[table], head);
    }
}

void state_settle(struct state *state, struct arena *scratch)
{
    size_t mark = scratch->used;
    for (unsigned int table = TABLE_CELL; table < TABLES_END; table++) {
        struct row_head *head = NULL;
        while ((head = table_dirty_take(&state->tables[table])) != NULL) {
            settle_row(state, (enum state_table)table, head, scratch);
            scratch->used = mark;
        }
    }
}

/* What one vcpu of a node can be sold as, and what stays free, are the cell's own settings. */
static struct quota_amounts node_capacity(const struct cell_row *cell, const struct node_row *node)
{
    struct quota_amounts room = { { 0 } };
    room.of[QUOTA_VCPUS] = node->vcpus * cell->vcpu_ratio;
    room.of[QUOTA_MEMORY_BYTES] = node->memory_bytes;
    return room;
}

void state_recount(struct state *state)
{
    memset(&state->sums, 0, sizeof(state->sums));
    const struct cell_row *cell = state_cell(state);
    if (cell == NULL) {
        return;
    }
    for (const struct node_row *node = state_first(state, TABLE_NODE); node != NULL;
         node = state_next(state, TABLE_NODE, node)) {
        struct quota_amounts room = node_capacity(cell, node);
        quota_amounts_add(&state->sums.capacity, &room);
    }
    state->sums.capacity.of[QUOTA_INSTANCES] = QUOTA_UNLIMITED;
    state->sums.capacity.of[QUOTA_NETWORKS] = QUOTA_UNLIMITED;
    for (const struct tenant_row *tenant = state_first(state, TABLE_TENANT); tenant != NULL;
         tenant = state_next(state, TABLE_TENANT, tenant)) {
        struct quota_amounts claim = state_claim(tenant);
        quota_amounts_add(&state->sums.claims, &claim);
        quota_amounts_add(&state->sums.floors, &tenant->account.floor);
    }
}

struct quota_amounts state_placed(const struct tenant_row *tenant)
{
    struct quota_amounts placed = { { 0 } };
    placed.of[QUOTA_VCPUS] = tenant->vcpus_placed;
    placed.of[QUOTA_MEMORY_BYTES] = tenant->memory_bytes_placed;
    return placed;
}

struct quota_amounts state_claim(const struct tenant_row *tenant)
{
    struct quota_amounts placed = state_placed(tenant);
    return floor_claim(&placed, &tenant->account.floor);
}

bool tenant_text_set(struct tenant_text *text, const char *from)
{
    return text_copy(text->text, sizeof(text->text), slice_text(from));
}

/* ---- Names ---- */

static uint64_t name_hash(
    const struct state *state, enum state_table table, uint64_t scope, struct slice name)
{
    struct hash_key key = { state->hash_key.low ^ scope, state->hash_key.high ^ (uint64_t)table };
    return hash_bytes(key, name);
}

/* The name by which a row is found and the scope it is unique under. False: it has none. */
static bool named(
    enum state_table table, const void *row, const char **name_out, uint64_t *scope_out)
{
    *scope_out = 0;
    switch (table) {
    case TABLE_CONTROLLER: *name_out = ((const struct controller_row *)row)->name; return true;
    case TABLE_NODE: *name_out = ((const struct node_row *)row)->name; return true;
    case TABLE_TENANT: *name_out = ((const struct tenant_row *)row)->name.text; return true;
    case TABLE_PROJECT:
        *name_out = ((const struct project_row *)row)->name.text;
        *scope_out = ((const struct project_row *)row)->tenant.value;
        return true;
    case TABLE_USER: *name_out = ((const struct user_row *)row)->name.text; return true;
    case TABLE_IMAGE: *name_out = ((const struct image_row *)row)->name; return true;
    case TABLE_NETWORK:
        *name_out = ((const struct network_row *)row)->name.text;
        *scope_out = ((const struct network_row *)row)->project.value;
        return true;
    case TABLE_INSTANCE:
        *name_out = ((const struct instance_row *)row)->name.text;
        *scope_out = ((const struct instance_row *)row)->project.value;
        return true;
    case TABLE_CELL:
    case TABLE_OPERATION:
    case TABLE_ALARM:
    case TABLE_TOKEN:
    case TABLES_END: return false;
    }
    UNREACHABLE();
}

enum state_table state_table_of(Wire__Kind kind)
{
    static const enum state_table tables[] = {
        [WIRE__KIND__KIND_CONTROLLER] = TABLE_CONTROLLER,
        [WIRE__KIND__KIND_NODE] = TABLE_NODE,
        [WIRE__KIND__KIND_TENANT] = TABLE_TENANT,
        [WIRE__KIND__KIND_PROJECT] = TABLE_PROJECT,
        [WIRE__KIND__KIND_USER] = TABLE_USER,
        [WIRE__KIND__KIND_IMAGE] = TABLE_IMAGE,
        [WIRE__KIND__KIND_NETWORK] = TABLE_NETWORK,
        [WIRE__KIND__KIND_INSTANCE] = TABLE_INSTANCE,
        [WIRE__KIND__KIND_OPERATION] = TABLE_OPERATION,
        [WIRE__KIND__KIND_ALARM] = TABLE_ALARM,
        [WIRE__KIND__KIND_TOKEN] = TABLE_TOKEN,
    };
    return (size_t)kind < COUNT_OF(tables) ? tables[kind] : (enum state_table)0;
}

const char *state_name(const struct state *state, Wire__Kind kind, uint64_t id)
{
    enum state_table table = state_table_of(kind);
    const void *row = table == 0 ? NULL : state_find(state, table, id);
    const char *name = "";
    uint64_t scope = 0;
    return row != NULL && named(table, row, &name, &scope) ? name : "";
}

/* The key of a number that is looked up like a name: an address in a network, a VNI. */
static struct slice number_text(uint32_t number, uint8_t room[static 4])
{
    for (unsigned int i = 0; i < 4; i++) {
        room[i] = (uint8_t)(number >> (8U * i));
    }
    return slice_of(room, 4);
}

/* No object has this id, so nothing else is named under it. */
#define SCOPE_VNI UINT64_MAX

static void put_or_drop(struct state *state, uint64_t hash, uint64_t id, bool put)
{
    if (put) {
        index_put(&state->names, hash, id);
    } else {
        index_drop(&state->names, hash, id);
    }
}

void state_index(struct state *state, enum state_table table, const void *row, bool put)
{
    const struct row_head *head = row;
    const char *name = NULL;
    uint64_t scope = 0;
    if (named(table, row, &name, &scope)) {
        put_or_drop(state, name_hash(state, table, scope, slice_text(name)), head->id, put);
    }
    if (table == TABLE_INSTANCE) {
        const struct instance_row *instance = row;
        for (uint32_t i = 0; i < instance->nics_count; i++) {
            uint8_t room[4];
            uint64_t network = instance->nics[i].network.value;
            struct slice text = number_text(instance->nics[i].address, room);
            put_or_drop(state, name_hash(state, TABLE_INSTANCE, network, text), head->id, put);
        }
    } else if (table == TABLE_NETWORK) {
        uint8_t room[4];
        struct slice text = number_text(((const struct network_row *)row)->vni, room);
        put_or_drop(state, name_hash(state, table, SCOPE_VNI, text), head->id, put);
    } else if (table == TABLE_OPERATION) {
        const struct operation_row *write = row;
        struct slice text = slice_text(write->key);
        put_or_drop(state, name_hash(state, table, write->initiator, text), head->id, put);
    } else if (table == TABLE_TOKEN) {
        const struct token_row *token = row;
        struct slice text = slice_of(token->secret_sha256, 32);
        put_or_drop(state, name_hash(state, table, 0, text), head->id, put);
    }
}

void *state_lookup(
    const struct state *state, enum state_table table, uint64_t scope, const char *name_or_id)
{
    uint64_t id = 0;
    if (id_parse(table_kinds[table], name_or_id, &id)) {
        void *row = state_find(state, table, id);
        const char *name = NULL;
        uint64_t its_scope = 0;
        if (row == NULL) {
            return NULL;
        }
        bool gone = table == TABLE_TENANT && ((const struct tenant_row *)row)->gone;
        bool in_scope = !named(table, row, &name, &its_scope) || its_scope == scope;
        return in_scope && !gone ? row : NULL;
    }
    uint64_t hash = name_hash(state, table, scope, slice_text(name_or_id));
    uint32_t at = 0;
    for (id = index_seek(&state->names, hash, &at); id != 0;
         id = index_more(&state->names, hash, &at)) {
        void *row = state_find(state, table, id);
        const char *name = NULL;
        uint64_t its_scope = 0;
        if (row != NULL && named(table, row, &name, &its_scope) && its_scope == scope &&
            strcmp(name, name_or_id) == 0) {
            return row;
        }
    }
    return NULL;
}

struct operation_row *state_write(
    const struct state *state, uint64_t tenant, uint64_t principal, const char *key)
{
    uint64_t hash = name_hash(state, TABLE_OPERATION, principal, slice_text(key));
    uint32_t at = 0;
    for (uint64_t id = index_seek(&state->names, hash, &at); id != 0;
         id = index_more(&state->names, hash, &at)) {
        struct operation_row *row = state_find(state, TABLE_OPERATION, id);
        if (row != NULL && row->asker_tenant.value == tenant && row->initiator == principal &&
            strcmp(row->key, key) == 0) {
            return row;
        }
    }
    return NULL;
}

struct token_row *state_token(const struct state *state, struct slice secret_sha256)
{
    uint64_t hash = name_hash(state, TABLE_TOKEN, 0, secret_sha256);
    uint32_t at = 0;
    for (uint64_t id = index_seek(&state->names, hash, &at); id != 0;
         id = index_more(&state->names, hash, &at)) {
        struct token_row *row = state_find(state, TABLE_TOKEN, id);
        if (row != NULL && slice_equal(slice_of(row->secret_sha256, 32), secret_sha256)) {
            return row;
        }
    }
    return NULL;
}

struct network_row *state_vni(const struct state *state, uint32_t vni)
{
    uint8_t room[4];
    uint64_t hash = name_hash(state, TABLE_NETWORK, SCOPE_VNI, number_text(vni, room));
    uint32_t at = 0;
    for (uint64_t id = index_seek(&state->names, hash, &at); id != 0;
         id = index_more(&state->names, hash, &at)) {
        struct network_row *row = state_find(state, TABLE_NETWORK, id);
        if (row != NULL && row->vni == vni) {
            return row;
        }
    }
    return NULL;
}

struct instance_row *state_address(
    const struct state *state, struct network_id network, uint32_t address)
{
    uint8_t room[4];
    struct slice text = number_text(address, room);
    uint64_t hash = name_hash(state, TABLE_INSTANCE, network.value, text);
    uint32_t at = 0;
    for (uint64_t id = index_seek(&state->names, hash, &at); id != 0;
         id = index_more(&state->names, hash, &at)) {
        struct instance_row *row = state_find(state, TABLE_INSTANCE, id);
        for (uint32_t i = 0; row != NULL && i < row->nics_count; i++) {
            if (row->nics[i].network.value == network.value && row->nics[i].address == address) {
                return row;
            }
        }
    }
    return NULL;
}
