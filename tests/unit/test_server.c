/* One controller on a real disk, alone: it begins a cell, remembers it over a restart, names an
 * entry that killed it three times instead of dying a fourth, and commits only what its own encoder
 * made. */
#include "tests/unit/server_room.h"
#include "wire/wire.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(server, .init = room_set_up, .fini = room_tear_down);

static uint32_t tenants(void)
{
    return state_count(engine_state(server_engine(room.server)), TABLE_TENANT);
}

Test(server, remembers_its_cell_over_a_restart)
{
    cr_assert_eq(room_tenant("acme", "k1"), REJECT_NONE);
    uint64_t digest = engine_state(server_engine(room.server))->digest;
    uint64_t applied = engine_applied(server_engine(room.server));
    server_close(room.server);
    room.server = NULL;
    room_open();
    cr_assert_geq(engine_applied(server_engine(room.server)), applied);
    cr_assert_eq(tenants(), 1);
    if (engine_applied(server_engine(room.server)) == applied) {
        cr_assert_eq(engine_state(server_engine(room.server))->digest, digest); /* INV-REF-1 */
    }
    cr_assert_eq(
        room_tenant("acme", "k1"), REJECT_NONE); /* INV-IDEM-1: a retry over the restart. */
    cr_assert_eq(tenants(), 1);
}

Test(server, an_entry_that_killed_it_three_times_is_named_and_not_applied)
{
    uint64_t index = 0;
    cr_assert_eq(room_tenant("acme", "k1"), REJECT_NONE);
    cr_assert_not(server_poisoned(room.server, &index));
    /* INV-LOG-8: dying while an index is marked counts against that index and no other. */
    uint64_t next = room.mark.index + 1;
    room.mark =
        (struct server_mark){ .index = next, .crashes = SERVER_CRASHES_MAX - 1, .applying = 1 };
    (void)room_tenant("beta", "k2");
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
    cr_assert_eq(room_tenant("acme", "k1"), REJECT_NONE);
    cr_assert_not(server_poisoned(room.server, &index));
    (void)room_tenant("beta", "k2");
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
        cr_assert_eq(room_tenant(name, name), REJECT_NONE);
    }
    Wire__List list = WIRE__LIST__INIT;
    list.kind = WIRE__KIND__KIND_TENANT;
    Wire__Identity admin = room_admin();
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
    room_turn();
    room_turn();
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
    cr_assert_eq(room_tenant("beta", "k2"), REJECT_NONE);
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
