/* One controller on a real disk, alone: it begins a cell, remembers it over a restart, names an
 * entry that killed it three times instead of dying a fourth, and commits only what its own encoder
 * made. */
#include "base/check.h"
#include "controller/server.h"
#include "wire/wire.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ADMIN = 2, TURNS = 2000 };

struct room {
    char directory[64];
    char rows[96];
    char snapshots[96];
    int fd;
    struct server *server;
    struct server_mark mark;
    uint64_t now_ms;
    uint32_t reject; /* Of the last answer; UINT32_MAX: none came. */
    uint32_t answers;
    size_t items; /* Of the last answer. */
    void *memory;
};

static struct room room;

static void on_send(void *context, Wire__Frame *frame)
{
    (void)context;
    (void)frame;
}

static void on_answer(void *context, uint64_t handle, Wire__Answer *answer)
{
    struct room *here = context;
    (void)handle;
    here->reject = answer->reject;
    here->items = answer->n_items;
    here->answers++;
}

static void on_event(void *context, const Wire__EventView *event)
{
    (void)context;
    (void)event;
}

static void on_halt(void *context, const char *why)
{
    (void)context;
    cr_assert_fail("halt: %s", why);
}

static void *on_memory(void *context, void *old, size_t size)
{
    struct room *here = context;
    free(old);
    here->memory = size == 0 ? NULL : aligned_alloc(4096, (size + 4095) / 4096 * 4096);
    if (here->memory != NULL) {
        memset(here->memory, 0, size);
    }
    return here->memory;
}

static struct state_capacity small(void)
{
    struct state_capacity capacity = state_capacity_default();
    for (unsigned int table = TABLE_CONTROLLER; table < TABLES_END; table++) {
        capacity.rows[table] = 64;
    }
    return capacity;
}

static void open_room(void)
{
    uint8_t random[48] = { 7 };
    Wire__Genesis genesis = WIRE__GENESIS__INIT;
    genesis.cell = 1;
    genesis.name = "test";
    genesis.digest_salt = (ProtobufCBinaryData){ .len = 32, .data = random };
    genesis.hash_key = (ProtobufCBinaryData){ .len = 16, .data = random };
    genesis.controller = id_make(1, 1);
    genesis.controller_name = "c1";
    genesis.first_operator = id_make(1, ADMIN);
    genesis.operator_name = "admin";
    genesis.reserve_percent = 10;
    genesis.vcpu_ratio = 1;
    struct server_conf conf = {
        .engine = { .self = id_make(1, 1), .cell = 1, .genesis = &genesis, .capacity = small() },
        .replica = { .self = id_make(1, 1),
                     .address = "c1",
                     .seed = 1,
                     .segment_bytes = 1 << 20,
                     .segment_count = 4 },
        .store_directory = room.rows,
        .snapshots_directory = room.snapshots,
        .mark = &room.mark,
    };
    const struct server_host host = { .context = &room,
                                      .send = on_send,
                                      .answer = on_answer,
                                      .keys = on_send,
                                      .event = on_event,
                                      .halt = on_halt,
                                      .memory = on_memory };
    struct result opened =
        server_open(&conf, disk_file(&room.fd), &host, room.now_ms, 1, true, &room.server);
    cr_assert_eq(opened.code, 0, "%s", result_name(opened));
}

static void turn(void)
{
    room.now_ms += LIMIT_TICK_MS;
    server_tick(room.server, room.now_ms, room.now_ms);
    server_turn(room.server, room.now_ms, room.now_ms);
}

static uint32_t ask(const char *tenant, const char *key)
{
    Wire__Quantities cap = WIRE__QUANTITIES__INIT;
    Wire__TenantCreate create = WIRE__TENANT_CREATE__INIT;
    create.name = tenant;
    create.cap = &cap;
    Wire__Identity admin = WIRE__IDENTITY__INIT;
    admin.kind = WIRE__KIND__KIND_USER;
    admin.id = id_make(1, ADMIN);
    Wire__Request request = WIRE__REQUEST__INIT;
    request.format = 1;
    request.principal = &admin;
    request.idempotency_key = key;
    request.body_case = WIRE__REQUEST__BODY_TENANT_CREATE;
    request.tenant_create = &create;
    Wire__Ask asked = WIRE__ASK__INIT;
    asked.handle = 1;
    asked.request = &request;
    room.reject = UINT32_MAX;
    server_ask(room.server, room.now_ms, room.now_ms, &asked);
    for (int i = 0; i < TURNS && room.reject == UINT32_MAX; i++) {
        turn();
    }
    return room.reject;
}

static uint32_t tenants(void)
{
    return state_count(engine_state(server_engine(room.server)), TABLE_TENANT);
}

static void set_up(void)
{
    memset(&room, 0, sizeof(room));
    room.now_ms = 1000;
    memcpy(room.directory, "/tmp/udatsu-server-XXXXXX", sizeof("/tmp/udatsu-server-XXXXXX"));
    cr_assert_not_null(mkdtemp(room.directory));
    (void)snprintf(room.rows, sizeof(room.rows), "%s/rows", room.directory);
    (void)snprintf(room.snapshots, sizeof(room.snapshots), "%s", room.directory);
    room.fd = open(room.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_geq(room.fd, 0);
    open_room();
    for (int i = 0; i < TURNS && state_cell(engine_state(server_engine(room.server))) == NULL;
         i++) {
        turn();
    }
}

static void tear_down(void)
{
    server_close(room.server);
    close(room.fd);
    struct result removed = store_discard(room.rows);
    (void)removed;
    char command[128];
    (void)snprintf(command, sizeof(command), "%s", room.directory);
    for (int i = 0; i < 16; i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "%s/journal-%d", room.directory, i);
        (void)unlink(path);
    }
    (void)rmdir(command);
}

TestSuite(server, .init = set_up, .fini = tear_down);

Test(server, remembers_its_cell_over_a_restart)
{
    cr_assert_eq(ask("acme", "k1"), REJECT_NONE);
    uint64_t digest = engine_state(server_engine(room.server))->digest;
    uint64_t applied = engine_applied(server_engine(room.server));
    server_close(room.server);
    room.server = NULL;
    open_room();
    cr_assert_geq(engine_applied(server_engine(room.server)), applied);
    cr_assert_eq(tenants(), 1);
    if (engine_applied(server_engine(room.server)) == applied) {
        cr_assert_eq(engine_state(server_engine(room.server))->digest, digest); /* INV-REF-1 */
    }
    cr_assert_eq(ask("acme", "k1"), REJECT_NONE); /* INV-IDEM-1: a retry over the restart. */
    cr_assert_eq(tenants(), 1);
}

Test(server, an_entry_that_killed_it_three_times_is_named_and_not_applied)
{
    uint64_t index = 0;
    cr_assert_eq(ask("acme", "k1"), REJECT_NONE);
    cr_assert_not(server_poisoned(room.server, &index));
    /* INV-LOG-8: dying while an index is marked counts against that index and no other. */
    uint64_t next = room.mark.index + 1;
    room.mark =
        (struct server_mark){ .index = next, .crashes = SERVER_CRASHES_MAX - 1, .applying = 1 };
    (void)ask("beta", "k2");
    cr_assert(server_poisoned(room.server, &index));
    cr_assert_eq(index, next);
    cr_assert_eq(tenants(), 1);
}

/* The mirror is behind the log: what was applied before is applied again on the way to the entry
 * that killed us, and must not make us forget whom we suspect. */
Test(server, deaths_are_counted_though_other_entries_are_applied_first) /* INV-LOG-8 */
{
    uint64_t index = 0;
    uint64_t after_next = room.mark.index + 2;
    room.mark = (struct server_mark){ .index = after_next,
                                      .crashes = SERVER_CRASHES_MAX - 1,
                                      .applying = 1 };
    cr_assert_eq(ask("acme", "k1"), REJECT_NONE);
    cr_assert_not(server_poisoned(room.server, &index));
    (void)ask("beta", "k2");
    cr_assert(server_poisoned(room.server, &index));
    cr_assert_eq(index, after_next);
    cr_assert_eq(tenants(), 1);
}

/* Far more answers than one step has room for: every one is given, none overruns the step. */
Test(server, as_many_lists_at_once_as_there_can_be_are_all_answered)
{
    enum { TENANTS = 40, LISTS = ENGINE_ASKS };
    for (int i = 0; i < TENANTS; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "tenant-%d", i);
        cr_assert_eq(ask(name, name), REJECT_NONE);
    }
    Wire__List list = WIRE__LIST__INIT;
    list.kind = WIRE__KIND__KIND_TENANT;
    Wire__Identity admin = WIRE__IDENTITY__INIT;
    admin.kind = WIRE__KIND__KIND_USER;
    admin.id = id_make(1, ADMIN);
    Wire__Request request = WIRE__REQUEST__INIT;
    request.format = 1;
    request.principal = &admin;
    request.body_case = WIRE__REQUEST__BODY_LIST;
    request.list = &list;
    Wire__Ask asked = WIRE__ASK__INIT;
    asked.request = &request;
    room.answers = 0;
    for (uint64_t i = 0; i < LISTS; i++) {
        asked.handle = i + 1;
        server_ask(room.server, room.now_ms, room.now_ms, &asked);
    }
    turn();
    turn();
    cr_assert_eq(room.answers, LISTS);
    cr_assert_eq(room.reject, REJECT_NONE);
    cr_assert_eq(room.items, TENANTS);
}

Test(server, two_deaths_at_one_index_are_not_three)
{
    uint64_t index = 0;
    uint64_t next = room.mark.index + 1;
    room.mark =
        (struct server_mark){ .index = next, .crashes = SERVER_CRASHES_MAX - 2, .applying = 1 };
    cr_assert_eq(ask("beta", "k2"), REJECT_NONE);
    cr_assert_not(server_poisoned(room.server, &index));
}

Test(server, what_is_committed_is_what_our_encoder_makes)
{
    /* INV-LOG-9: an entry with one field more is no entry. */
    static _Alignas(16) uint8_t memory[8192];
    struct arena arena;
    arena_init(&arena, memory, sizeof(memory));
    Wire__Entry entry = WIRE__ENTRY__INIT;
    entry.format = 1;
    struct slice bytes = SLICE_EMPTY;
    cr_assert_eq(wire_encode(&entry, &arena, &bytes).code, 0);
    uint8_t more[64];
    memcpy(more, bytes.data, bytes.size);
    more[bytes.size] = 0x78;
    more[bytes.size + 1] = 0x01;
    Wire__Entry *back = NULL;
    struct result sound = wire_decode(&wire__entry__descriptor, bytes, &arena, &back);
    cr_assert_eq(sound.code, 0);
    cr_assert(entry_valid(back));
    struct result other =
        wire_decode(&wire__entry__descriptor, slice_of(more, bytes.size + 2), &arena, &back);
    cr_assert_eq(other.code, FAILURE_BAD_INPUT);
    entry.format = 2;
    cr_assert_not(entry_valid(&entry));
}
