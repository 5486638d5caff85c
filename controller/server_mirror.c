/* Decides how rows lie in the store: key = table tag (1 byte), id (8 bytes, big-endian), and when
 * they and the leaves beside them (leaves.h) are committed. Never decides what a row says. */
#include "base/check.h"
#include "base/mutant.h"
#include "controller/core/rows.h"
#include "controller/server_inner.h"
#include "wire/wire.h"

#include <string.h>

struct slice mirror_key(uint8_t tag, uint64_t id, uint8_t room[static MIRROR_KEY_SIZE])
{
    room[0] = tag;
    for (unsigned int i = 0; i < 8; i++) {
        room[1 + i] = (uint8_t)(id >> (56U - 8U * i));
    }
    return slice_of(room, MIRROR_KEY_SIZE);
}

static uint64_t id_of(struct slice key)
{
    uint64_t id = 0;
    for (unsigned int i = 0; i < 8; i++) {
        id = (id << 8) | key.data[1 + i];
    }
    return id;
}

/* ---- Changes ---- */

/* An unfit store takes nothing; once it is fit again the process starts over from the log. */
static void on_row(void *context, enum state_table table, uint64_t id, struct slice bytes)
{
    struct server *server = context;
    uint8_t room[MIRROR_KEY_SIZE];
    struct slice key = mirror_key((uint8_t)table, id, room);
    if (server->store_unfit) {
        return;
    }
    if (bytes.size == 0 && MUTANT(MIRROR_KEEPS_REMOVED)) {
        return;
    }
    if (bytes.size == 0) {
        store_delete(server->store, key);
    } else {
        store_put(server->store, key, bytes);
    }
}

/* ---- Restore ---- */

struct restore {
    struct server *server;
    enum state_table table;
    struct result result;
};

static bool restore_row(void *context, struct slice key, struct slice value)
{
    struct restore *restore = context;
    if (key.size != MIRROR_KEY_SIZE) {
        restore->result = FAIL(FAILURE_CORRUPT);
        return false;
    }
    restore->result = rows_restore(
        engine_state(restore->server->engine),
        restore->table,
        id_of(key),
        value,
        &restore->server->scratch);
    return restore->result.code == 0;
}

RESULT mirror_restore(struct server *server)
{
    struct state *state = engine_state(server->engine);
    for (unsigned int table = TABLE_CELL; table < TABLES_END; table++) {
        uint8_t tag = (uint8_t)table;
        struct restore restore = { server, (enum state_table)table, OK };
        arena_reset(&server->scratch);
        TRY(store_scan(server->store, slice_of(&tag, 1), SLICE_EMPTY, restore_row, &restore));
        TRY(restore.result);
    }
    arena_reset(&server->scratch);
    state_settle(state, &server->scratch); /* What was just read is not news to the mirror. */
    state->copy = (struct state_copy){ .row = on_row, .context = server };
    engine_restored(server->engine, store_index(server->store));
    server->mirrored_index = store_index(server->store);
    return OK;
}

/* ---- Commit ---- */

static struct result commit(struct server *server, uint64_t index)
{
    mirror_step_end(server); /* INV-AUD-1: no index without the leaves of its step. */
    struct result committed = store_commit(server->store, index);
    if (committed.code == FAILURE_BUSY) {
        return committed; /* The batch is kept; the next commit takes it along. */
    }
    server->mirrored_ms = server->now_ms;
    if (committed.code != 0) {
        server->store_unfit = true;
        return committed;
    }
    server->mirror_dirty = false;
    server->mirrored_index = index;
    return OK;
}

struct result mirror_drain(struct server *server, bool force)
{
    bool due = server->now_ms - server->mirrored_ms >= SERVER_MIRROR_MS;
    if (!server->mirror_dirty || (!due && !force)) {
        return OK;
    }
    if (server->store_unfit) {
        server->mirror_dirty = false;
        return FAIL(FAILURE_NO_SPACE);
    }
    /* A snapshot may have committed an index that moved no row (mirror_reach). */
    uint64_t index = engine_applied(server->engine);
    return commit(server, index > store_index(server->store) ? index : store_index(server->store));
}

struct result mirror_reach(struct server *server, uint64_t index)
{
    CHECK(index >= engine_applied(server->engine));
    TRY(mirror_drain(server, true));
    return store_index(server->store) < index ? commit(server, index) : OK;
}

void mirror_leaf(struct server *server, uint64_t seq, struct slice leaf)
{
    if (!server->store_unfit) {
        leaves_add(&server->leaves, server->store, seq, leaf);
    }
    server->mirror_dirty = true;
}

void mirror_step_end(struct server *server)
{
    if (server->store_unfit) {
        leaves_drop(&server->leaves);
    } else {
        leaves_close(&server->leaves, server->store);
    }
}

/* ---- The disk ---- */

/* INV-REF-2: an unfit mirror takes nothing until its disk does, and then begins at what it kept. */
bool mirror_again(struct server *server)
{
    if (!server->store_unfit || server->flushing ||
        server->now_ms - server->reopen_ms < SERVER_REOPEN_MS) {
        return false;
    }
    server->reopen_ms = server->now_ms;
    bool writes = store_reopen(server->store).code == 0;
    server->store_unfit = !(writes && MUTANT(MIRROR_GOES_ON_WITH_A_GAP));
    return writes && server->store_unfit;
}

struct store *server_flush_begin(struct server *server)
{
    if (server->flushing || server->store_unfit ||
        store_flushed_index(server->store) == server->mirrored_index ||
        server->now_ms - server->flushed_ms < SERVER_FLUSH_MS) {
        return NULL;
    }
    server->flushing = true;
    server->flushed_ms = server->now_ms;
    return server->store;
}

void server_flush_end(struct server *server, struct result result)
{
    CHECK(server->flushing);
    server->flushing = false;
    server->store_unfit = server->store_unfit || result.code != 0;
}
