/* Rows as the mirror gives them back: in the order of their keys, table by table, into an empty
 * state. The oracle: each row that is taken is encoded again as the bytes that were stored, and
 * what was restored twice has one digest (INV-REF-1). */
#include "tests/fuzz/core_world.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/message.h"

#include "base/check.h"
#include "controller/core/read.h"
#include "controller/core/rows.h"
#include "wire/wire.h"

#include <row.pb-c.h>
#include <stdlib.h>
#include <string.h>

/* The last two keys of a table are no ids of this cell: its rows are never taken. */
enum {
    ROWS_EACH = 21,
    ROWS_OURS = ROWS_EACH - 2,
    ROWS_ROOM = 4,
    TABLES = TABLES_END - 1,
    SEEDS_EACH = 8
};

static const ProtobufCMessageDescriptor *const types[] = {
    [TABLE_CELL] = &wire__cell_row__descriptor,
    [TABLE_CONTROLLER] = &wire__controller_row__descriptor,
    [TABLE_NODE] = &wire__node_row__descriptor,
    [TABLE_TENANT] = &wire__tenant_row__descriptor,
    [TABLE_PROJECT] = &wire__project_row__descriptor,
    [TABLE_USER] = &wire__user_row__descriptor,
    [TABLE_IMAGE] = &wire__image_row__descriptor,
    [TABLE_NETWORK] = &wire__network_row__descriptor,
    [TABLE_INSTANCE] = &wire__instance_row__descriptor,
    [TABLE_OPERATION] = &wire__operation_row__descriptor,
    [TABLE_ALARM] = &wire__alarm_row__descriptor,
    [TABLE_TOKEN] = &wire__token_row__descriptor,
};
_Static_assert(COUNT_OF(types) == TABLES_END, "every table has its type");

static _Alignas(16) uint8_t scratch_memory[256 * 1024];

/* A part's kind is its key: the table, and which row of it. */
static enum state_table table_of(uint8_t kind)
{
    return (enum state_table)(TABLE_CELL + kind % TABLES);
}

const ProtobufCMessageDescriptor *fuzz_type(uint8_t kind)
{
    return types[table_of(kind)];
}

/* The parts by their keys; of several with one key the last, as a store would have it. */
static void sort(struct slice input, struct slice rows[static 256], bool there[static 256])
{
    struct fuzz_part part;
    memset(there, 0, 256 * sizeof(there[0]));
    while (fuzz_part_next(&input, &part)) {
        uint32_t key =
            (uint32_t)(table_of(part.kind) - TABLE_CELL) * ROWS_EACH + part.kind / TABLES;
        rows[key] = part.bytes;
        there[key] = true;
    }
}

static uint64_t id_of(uint32_t row)
{
    return row < ROWS_OURS
               ? id_make(WORLD_CELL, 1 + row)
               : (row == ROWS_OURS ? id_make(WORLD_CELL + 1, 1) : (uint64_t)WORLD_CELL << 48);
}

/* False: a row was refused, and with it all of them. */
static bool restore(
    struct state *state, const struct slice rows[static 256], const bool there[static 256])
{
    struct arena scratch;
    arena_init(&scratch, scratch_memory, sizeof(scratch_memory));
    for (uint32_t key = 0; key < TABLES * ROWS_EACH; key++) {
        if (!there[key]) {
            continue;
        }
        enum state_table table = (enum state_table)(TABLE_CELL + key / ROWS_EACH);
        uint64_t id = id_of(key % ROWS_EACH);
        uint8_t *bytes = fuzz_copy(rows[key]);
        struct result restored =
            rows_restore(state, table, id, slice_of(bytes, rows[key].size), &scratch);
        free(bytes);
        MUST(scratch.used == 0);
        if (restored.code != 0) {
            MUST(restored.code == FAILURE_CORRUPT || restored.code == FAILURE_FULL);
            MUST(restored.code != FAILURE_FULL || state_full(state, table));
            return false;
        }
        const void *row = state_find(state, table, id);
        MUST(row != NULL && id_cell(id) == WORLD_CELL && id_sequence(id) != 0);
        struct slice again = rows_encode(table, row, &scratch);
        MUST(again.size == rows[key].size && memcmp(again.data, rows[key].data, again.size) == 0);
        arena_reset(&scratch);
    }
    return true;
}

static void state_make(struct state *state, uint32_t which)
{
    struct state_capacity capacity;
    for (unsigned int table = 0; table < TABLES_END; table++) {
        capacity.rows[table] = table == TABLE_CELL ? 1 : ROWS_ROOM;
    }
    world_state(state, which, &capacity);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct slice rows[256];
    static bool there[256];
    struct state first;
    struct state second;
    struct arena scratch;
    sort(slice_of(data, size), rows, there);
    state_make(&first, 0);
    if (restore(&first, rows, there)) {
        arena_init(&scratch, scratch_memory, sizeof(scratch_memory));
        world_hold_names(&first);
        state_recount(&first);
        state_settle(&first, &scratch);
        (void)read_ledger_mismatches(&first); /* It may find some: these rows were never applied. */
        state_make(&second, 1);
        MUST(restore(&second, rows, there));
        arena_init(&scratch, scratch_memory, sizeof(scratch_memory));
        state_settle(&second, &scratch);
        MUST(first.digest == second.digest); /* INV-REF-1 */
    }
    return 0;
}

/* Random, with what every row of this table needs to be one. */
static void make_sound(ProtobufCMessage *message, struct prng *prng, struct arena *arena)
{
    for (unsigned int i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        uint8_t *to = (uint8_t *)message + field->offset;
        ProtobufCBinaryData bytes = { 32, NULL };
        if (strcmp(field->name, "format") == 0) {
            uint32_t format = ROW_FORMAT;
            memcpy(to, &format, sizeof(format));
        } else if (strcmp(field->name, "tenant") == 0) {
            uint64_t tenant = id_make(WORLD_CELL, 1);
            memcpy(to, &tenant, sizeof(tenant));
        } else if (
            field->type == PROTOBUF_C_TYPE_BYTES && field->label != PROTOBUF_C_LABEL_REPEATED) {
            bytes.len = strcmp(field->name, "hash_key") == 0 || strcmp(field->name, "boot_id") == 0
                            ? 16
                            : (strcmp(field->name, "frontier") == 0 ? 8 : 32);
            bytes.data = arena_take(arena, 32);
            CHECK(bytes.data != NULL);
            memset(bytes.data, bytes.len == 8 ? 0 : 1 + (int)prng_below(prng, 9), bytes.len);
            memcpy(to, &bytes, sizeof(bytes));
        } else if (
            field->type == PROTOBUF_C_TYPE_MESSAGE && field->label != PROTOBUF_C_LABEL_REPEATED) {
            ProtobufCMessage *inner = NULL;
            memcpy(&inner, to, sizeof(inner));
            if (inner == NULL) {
                inner = message_any(field->descriptor, prng, arena);
                memcpy(to, &inner, sizeof(inner));
            }
            if (field->descriptor == &wire__account_row__descriptor) {
                make_sound(inner, prng, arena);
            }
        }
    }
}

/* ---- A cell with one row of each kind that others name ---- */

enum odd {
    ODD_NONE,
    ODD_NOWHERE, /* Its node is not there. */
    ODD_LABELS,
    ODD_IMAGES,
    ODDS,
};

struct rows {
    uint8_t *room;
    size_t used;
};

static void put_row(struct rows *rows, enum state_table table, const void *message)
{
    static _Alignas(16) uint8_t memory[64 * 1024];
    struct arena arena;
    struct slice bytes = SLICE_EMPTY;
    arena_init(&arena, memory, sizeof(memory));
    struct result packed = wire_encode(message, &arena, &bytes);
    CHECK(packed.code == 0);
    (void)fuzz_part_put(
        rows->room, FUZZ_INPUT_MAX, &rows->used, (uint8_t)(table - TABLE_CELL), bytes);
}

static void put_node(struct rows *rows, enum odd odd)
{
    static uint8_t digest[32] = { 1 };
    ProtobufCBinaryData images[LIMIT_NODE_IMAGES + 1];
    Wire__Place place = WIRE__PLACE__INIT;
    Wire__NodeRow node = WIRE__NODE_ROW__INIT;
    for (size_t i = 0; i < COUNT_OF(images); i++) {
        images[i] = (ProtobufCBinaryData){ sizeof(digest), digest };
    }
    node.format = ROW_FORMAT;
    node.name = "n1";
    node.place = &place;
    node.boot_id = (ProtobufCBinaryData){ 16, digest };
    node.n_images = odd == ODD_IMAGES ? COUNT_OF(images) : 1;
    node.images = images;
    put_row(rows, TABLE_NODE, &node);
}

static void put_owners(struct rows *rows, Wire__TenantText *name)
{
    Wire__Quantities none = WIRE__QUANTITIES__INIT;
    Wire__AccountRow account = WIRE__ACCOUNT_ROW__INIT;
    Wire__TenantRow tenant = WIRE__TENANT_ROW__INIT;
    Wire__ProjectRow project = WIRE__PROJECT_ROW__INIT;
    Wire__NetworkRow network = WIRE__NETWORK_ROW__INIT;
    account.floor = &none;
    account.cap = &none;
    account.used = &none;
    account.held = &none;
    tenant.format = ROW_FORMAT;
    tenant.name = name;
    tenant.account = &account;
    put_row(rows, TABLE_TENANT, &tenant);
    project.format = ROW_FORMAT;
    project.tenant = id_of(0);
    project.name = name;
    project.account = &account;
    put_row(rows, TABLE_PROJECT, &project);
    network.format = ROW_FORMAT;
    network.tenant = id_of(0);
    network.project = id_of(0);
    network.name = name;
    network.prefix = 24;
    network.vni = 1;
    put_row(rows, TABLE_NETWORK, &network);
}

static size_t cell_rows(enum odd odd, uint8_t *room)
{
    struct rows rows = { .room = room };
    Wire__TenantText name = WIRE__TENANT_TEXT__INIT;
    Wire__TenantText none = WIRE__TENANT_TEXT__INIT;
    Wire__NicRow nic = WIRE__NIC_ROW__INIT;
    Wire__NicRow *nics[] = { &nic };
    Wire__Label label = WIRE__LABEL__INIT;
    Wire__Label *labels[LIMIT_LABELS + 1];
    Wire__InstanceRow instance = WIRE__INSTANCE_ROW__INIT;
    for (size_t i = 0; i < COUNT_OF(labels); i++) {
        labels[i] = &label;
    }
    name.text = "a";
    put_node(&rows, odd);
    put_owners(&rows, &name);
    nic.network = id_of(0);
    nic.address = 2;
    instance.format = ROW_FORMAT;
    instance.tenant = id_of(0);
    instance.project = id_of(0);
    instance.name = &name;
    instance.spread = &none;
    instance.node = id_of(odd == ODD_NOWHERE ? 1 : 0);
    instance.n_nics = COUNT_OF(nics);
    instance.nics = nics;
    instance.n_labels = odd == ODD_LABELS ? COUNT_OF(labels) : 1;
    instance.labels = labels;
    put_row(&rows, TABLE_INSTANCE, &instance);
    return rows.used;
}

/* ---- First inputs ---- */

size_t fuzz_seed(uint32_t number, uint8_t room[static FUZZ_INPUT_MAX])
{
    static _Alignas(16) uint8_t memory[1024 * 1024];
    struct prng prng;
    struct arena arena;
    size_t used = 0;
    if (number >= TABLES * SEEDS_EACH) {
        uint32_t odd = number - TABLES * SEEDS_EACH;
        return odd < ODDS ? cell_rows((enum odd)odd, room) : 0;
    }
    prng_seed(&prng, number);
    arena_init(&arena, memory, sizeof(memory));
    for (uint8_t kind = 0; kind < TABLES; kind++) { /* Some of each table up to this one. */
        if (kind > number % TABLES || (kind < number % TABLES && prng_below(&prng, 2) == 0)) {
            continue;
        }
        struct slice bytes = SLICE_EMPTY;
        ProtobufCMessage *message = message_any(fuzz_type(kind), &prng, &arena);
        CHECK(message != NULL);
        make_sound(message, &prng, &arena);
        size_t size = protobuf_c_message_get_packed_size(message);
        uint8_t *packed = arena_take(&arena, size);
        CHECK(packed != NULL);
        bytes = slice_of(packed, protobuf_c_message_pack(message, packed));
        uint32_t row = number < TABLES * 4 ? number / TABLES : ROWS_EACH - 1 - number % 4;
        (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, (uint8_t)(kind + row * TABLES), bytes);
    }
    return used;
}
