/* Rows that no state of ours could have written are not restored: each was once taken, and killed
 * the replica later or left it with another digest. */
#include "controller/core/rows.h"
#include "wire/wire.h"

#include <criterion/criterion.h>
#include <row.pb-c.h>
#include <stdlib.h>
#include <string.h>

enum { CELL = 1 };

static _Alignas(16) uint8_t memory[64 * 1024];
static _Alignas(16) uint8_t encoded_memory[64 * 1024];
static uint8_t bytes_of_32[32] = { 7 };

static struct result restore(struct state *state, enum state_table table, const void *message)
{
    struct arena scratch;
    struct arena encoded;
    struct slice bytes = SLICE_EMPTY;
    arena_init(&scratch, memory, sizeof(memory));
    arena_init(&encoded, encoded_memory, sizeof(encoded_memory));
    struct result packed = wire_encode(message, &encoded, &bytes);
    cr_assert_eq(packed.code, 0);
    return rows_restore(state, table, id_make(CELL, 7), bytes, &scratch);
}

/* Into an empty state. */
static uint16_t restored(enum state_table table, const void *message)
{
    struct state state;
    struct state_capacity capacity = { { 0 } };
    for (unsigned int each = TABLE_CELL; each < TABLES_END; each++) {
        capacity.rows[each] = 1;
    }
    void *room = calloc(1, state_memory(&capacity));
    cr_assert_not_null(room);
    state_init(&state, CELL, &capacity, room);
    struct result result = restore(&state, table, message);
    free(room);
    return result.code;
}

struct tenant {
    Wire__TenantRow row;
    Wire__TenantText name;
    Wire__AccountRow account;
    Wire__Quantities floor, cap, used, held;
};

static Wire__TenantRow *tenant_make(struct tenant *tenant)
{
    wire__tenant_row__init(&tenant->row);
    wire__tenant_text__init(&tenant->name);
    wire__account_row__init(&tenant->account);
    wire__quantities__init(&tenant->floor);
    wire__quantities__init(&tenant->cap);
    wire__quantities__init(&tenant->used);
    wire__quantities__init(&tenant->held);
    tenant->row.format = ROW_FORMAT;
    tenant->row.name = &tenant->name;
    tenant->name.text = "a";
    tenant->row.account = &tenant->account;
    tenant->account.floor = &tenant->floor;
    tenant->account.cap = &tenant->cap;
    tenant->account.used = &tenant->used;
    tenant->account.held = &tenant->held;
    return &tenant->row;
}

Test(core_rows, an_account_that_holds_more_than_a_number_is_refused)
{
    struct tenant tenant;
    cr_assert_eq(restored(TABLE_TENANT, tenant_make(&tenant)), 0);
    tenant.used.vcpus = UINT64_MAX; /* INV-LED-1 */
    cr_assert_eq(restored(TABLE_TENANT, &tenant.row), 0);
    tenant.held.vcpus = 1;
    cr_assert_eq(restored(TABLE_TENANT, &tenant.row), FAILURE_CORRUPT);
}

Test(core_rows, promises_that_cannot_be_added_up_are_refused)
{
    struct tenant tenant;
    tenant_make(&tenant)->memory_bytes_placed = UINT64_MAX / 2; /* INV-LED-3 */
    cr_assert_eq(restored(TABLE_TENANT, &tenant.row), 0);
    tenant.floor.memory_bytes = UINT64_MAX / 2 + 1;
    cr_assert_eq(restored(TABLE_TENANT, &tenant.row), FAILURE_CORRUPT);
}

Test(core_rows, a_node_is_no_larger_than_a_node_can_be)
{
    Wire__NodeRow row = WIRE__NODE_ROW__INIT;
    Wire__Place place = WIRE__PLACE__INIT;
    row.format = ROW_FORMAT;
    row.name = "n1";
    row.place = &place;
    row.boot_id = (ProtobufCBinaryData){ 16, bytes_of_32 };
    row.vcpus = LIMIT_NODE_VCPUS;
    row.memory_bytes = LIMIT_NODE_MEMORY_BYTES;
    cr_assert_eq(restored(TABLE_NODE, &row), 0);
    row.vcpus++;
    cr_assert_eq(restored(TABLE_NODE, &row), FAILURE_CORRUPT);
    row.vcpus--;
    row.memory_bytes++;
    cr_assert_eq(restored(TABLE_NODE, &row), FAILURE_CORRUPT);
}

struct instance {
    Wire__InstanceRow row;
    Wire__TenantText name, spread;
    Wire__NicRow nics[2];
    Wire__NicRow *list[2];
    Wire__Choice choice;
};

static void instance_make(struct instance *instance)
{
    wire__instance_row__init(&instance->row);
    wire__tenant_text__init(&instance->name);
    wire__tenant_text__init(&instance->spread);
    wire__choice__init(&instance->choice);
    instance->row.format = ROW_FORMAT;
    instance->row.name = &instance->name;
    instance->row.spread = &instance->spread;
    for (uint32_t i = 0; i < 2; i++) {
        wire__nic_row__init(&instance->nics[i]);
        instance->nics[i].network = id_make(CELL, 9);
        instance->nics[i].address = 10 + i;
        instance->list[i] = &instance->nics[i];
    }
    instance->row.n_nics = 2;
    instance->row.nics = instance->list;
}

Test(core_rows, an_address_stands_once_in_an_instance)
{
    struct instance instance;
    instance_make(&instance);
    cr_assert_eq(restored(TABLE_INSTANCE, &instance.row), 0);
    instance.nics[1].address = instance.nics[0].address; /* INV-NET-3 */
    cr_assert_eq(restored(TABLE_INSTANCE, &instance.row), FAILURE_CORRUPT);
}

Test(core_rows, what_would_be_encoded_otherwise_is_refused)
{
    struct instance instance;
    instance_make(&instance);
    instance.row.choice = &instance.choice; /* INV-REF-1: rows without a choice have no message. */
    cr_assert_eq(restored(TABLE_INSTANCE, &instance.row), FAILURE_CORRUPT);
    instance.choice.why = 1;
    cr_assert_eq(restored(TABLE_INSTANCE, &instance.row), 0);
}
