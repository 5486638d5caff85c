/* One controller whose mirror's disk fails under it, while the log's is sound: it takes nothing
 * more, says so, gives out nothing false, and begins anew when the disk is good. */
#include "tests/unit/server_room.h"
#include "wire/wire.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(server_mirror, .init = room_set_up, .fini = room_tear_down);

static uint32_t ask_leaves(void)
{
    Wire__AuditRead read = WIRE__AUDIT_READ__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    request.body_case = WIRE__REQUEST__BODY_AUDIT_READ;
    request.audit_read = &read;
    (void)room_ask(room_admin(), &request, "");
    return room.reject;
}

static size_t leaves_told(void)
{
    cr_assert_not_null(room.answer);
    return room.answer->n_leaves;
}

/* What the daemon does in its pool; false: there was nothing to flush. */
static bool flush(void)
{
    room.now_ms += 60 * 1000;
    room_turn();
    struct store *store = server_flush_begin(room.server);
    if (store != NULL) {
        server_flush_end(room.server, store_flush(store));
    }
    return store != NULL;
}

static uint32_t tenants(void)
{
    return state_count(engine_state(server_engine(room.server)), TABLE_TENANT);
}

/* The mirror's directory is taken away under it, so that RocksDB itself fails in its background;
 * the log lies elsewhere and is whole. */
Test(server_mirror, a_mirror_whose_disk_fails_takes_nothing_says_nothing_false_and_begins_anew)
{
    char away[sizeof(room.rows) + 8];
    (void)snprintf(away, sizeof(away), "%s.away", room.rows);
    cr_assert_eq(room_tenant("acme", "k1"), REJECT_NONE);
    cr_assert(flush());
    cr_assert_eq(ask_leaves(), REJECT_NONE);
    size_t leaves = leaves_told();
    cr_assert_gt(leaves, 0);
    cr_assert_eq(rename(room.rows, away), 0);
    cr_assert_eq(room_tenant("beta", "k2"), REJECT_NONE);
    cr_assert(flush());
    room_turn();
    cr_assert_eq(room_tenant("gamma", "k3"), REJECT_UNFIT);
    cr_assert_eq(ask_leaves(), REJECT_UNFIT); /* INV-AUD-1: not a list with a hole. */
    cr_assert_eq(leaves_told(), 0);
    cr_assert_eq(tenants(), 2); /* Rows are in memory, and right. */
    for (int i = 0; i < 100; i++) {
        room_turn();
    }
    cr_assert_not(flush());
    cr_assert_eq(room.halts, 0);
    cr_assert_eq(rename(away, room.rows), 0);
    room.may_halt = true;
    for (int i = 0; i < 100 && room.halts == 0; i++) {
        room_turn();
    }
    cr_assert_eq(room.halts, 1);
    server_close(room.server);
    room.server = NULL;
    room_open();
    cr_assert_eq(room_tenant("gamma", "k4"), REJECT_NONE);
    cr_assert_eq(tenants(), 3); /* INV-REF-2: what was not flushed came from the log. */
    cr_assert_eq(ask_leaves(), REJECT_NONE);
    cr_assert_gt(leaves_told(), leaves + 1);
}

/* No call of ours fails here: RocksDB writes out a full table by itself. */
Test(server_mirror, an_error_in_the_background_of_the_mirror_makes_it_unfit)
{
    enum { TURNS = 1 << 20, ROW_BYTES = 64 * 1024 };
    static uint8_t row[ROW_BYTES];
    char away[sizeof(room.rows) + 8];
    (void)snprintf(away, sizeof(away), "%s.away", room.rows);
    cr_assert_eq(room_tenant("acme", "k1"), REJECT_NONE);
    room.now_ms += 60 * 1000;
    room_turn();
    struct store *store = server_flush_begin(room.server);
    cr_assert_not_null(store);
    cr_assert_eq(rename(room.rows, away), 0);
    struct result committed = OK;
    for (uint32_t i = 0; i < TURNS && store_fit(store); i++) {
        uint8_t key[3] = { UINT8_MAX, (uint8_t)(i >> 8), (uint8_t)i };
        if (committed.code == 0) { /* Else it waits for its background, and so do we. */
            store_put(store, slice_of(key, sizeof(key)), slice_of(row, sizeof(row)));
        }
        committed = store_commit(store, store_index(store));
    }
    server_flush_end(room.server, OK);
    room_turn();
    cr_assert_eq(room_tenant("beta", "k2"), REJECT_UNFIT);
    cr_assert_eq(rename(away, room.rows), 0);
}
