/* Decides how rows and leaves lie in the store: key = table tag (1 byte), id (8 bytes, big-endian);
 * leaves under their own tag by sequence. Never decides what a row says. */
#include "base/check.h"
#include "controller/core/rows.h"
#include "controller/server_inner.h"
#include "wire/wire.h"

#include <audit.pb-c.h>
#include <string.h>

enum { LEAVES_BYTES_MAX = 96 * 1024, LEAVES_LOOK = 20000 };

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
        /* What was just read is not news to the mirror. */
        while (table_dirty_take(&state->tables[table], DIRTY_MIRROR) != NULL) {
        }
    }
    arena_reset(&server->scratch);
    state_settle(state, &server->scratch);
    engine_restored(server->engine, store_index(server->store));
    server->mirrored_index = store_index(server->store);
    return OK;
}

/* ---- Drain ---- */

/* An unfit store takes nothing; once it is fit again the process starts over from the log. */
static void drain_table(struct server *server, enum state_table table)
{
    struct state *state = engine_state(server->engine);
    struct row_head *head = NULL;
    while ((head = table_dirty_take(&state->tables[table], DIRTY_MIRROR)) != NULL) {
        uint8_t room[MIRROR_KEY_SIZE];
        struct slice key = mirror_key((uint8_t)table, head->id, room);
        if (head->removed) {
            if (!server->store_unfit) {
                store_delete(server->store, key);
            }
            table_release(&state->tables[table], head);
            continue;
        }
        arena_reset(&server->scratch);
        if (!server->store_unfit) {
            store_put(server->store, key, rows_encode(table, head, &server->scratch));
        }
    }
}

static struct result commit(struct server *server, uint64_t index)
{
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
    bool due = server->now_ms - server->mirrored_ms >= SERVER_MIRROR_MS ||
               state_crowded(engine_state(server->engine));
    if (!server->mirror_dirty || (!due && !force)) {
        return OK;
    }
    for (unsigned int table = TABLE_CELL; table < TABLES_END; table++) {
        drain_table(server, (enum state_table)table);
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
    uint8_t room[MIRROR_KEY_SIZE];
    if (!server->store_unfit) {
        store_put(server->store, mirror_key(MIRROR_TAG_LEAF, seq, room), leaf);
    }
    server->mirror_dirty = true;
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
    return store_reopen(server->store).code == 0;
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

/* ---- Leaves ---- */

struct search {
    struct server *server;
    const struct effect *effect;
    Wire__Answer *answer;
    size_t bytes;
    uint32_t limit;
    uint32_t looked;
    bool damaged; /* A leaf that cannot be read. */
    uint64_t next;
};

static bool wanted(const struct search *search, const Wire__Leaf *leaf)
{
    const Wire__AuditRead *read = search->effect->leaves;
    return (search->effect->node == 0 || leaf->tenant == search->effect->node) &&
           (search->effect->actor_kind == WIRE__KIND__KIND_UNSET ||
            (leaf->actor_kind == search->effect->actor_kind &&
             leaf->actor == search->effect->id)) &&
           (read->from_at == 0 || leaf->wall_ms >= read->from_at) &&
           (read->to_at == 0 || leaf->wall_ms < read->to_at);
}

static bool take_leaf(void *context, struct slice key, struct slice value)
{
    struct search *search = context;
    struct arena *scratch = &search->server->scratch;
    Wire__Leaf *leaf = NULL;
    arena_reset(scratch);
    search->next = id_of(key);
    if (search->looked++ == LEAVES_LOOK || search->answer->n_leaves == search->limit) {
        return false;
    }
    if (wire_decode(&wire__leaf__descriptor, value, scratch, &leaf).code != 0) {
        search->damaged = true;
        return false;
    }
    if (!wanted(search, leaf)) {
        search->next++;
        return true;
    }
    Wire__LeafView *view = arena_take(&search->server->arena, sizeof(*view));
    uint8_t *copy = arena_take(&search->server->arena, value.size);
    search->bytes += value.size + 8;
    if (view == NULL || copy == NULL || search->bytes > LEAVES_BYTES_MAX) {
        return false;
    }
    memcpy(copy, value.data, value.size);
    wire__leaf_view__init(view);
    view->leaf.data = copy;
    view->leaf.len = value.size;
    search->answer->leaves[search->answer->n_leaves++] = view;
    search->next++;
    return true;
}

/* INV-AUD-1: a list with holes in it is not given out as the log. */
static void refuse_leaves(struct server *server, Wire__Answer *answer, const char *detail)
{
    answer->n_leaves = 0;
    answer->next_after = 0;
    answer->reject = REJECT_UNFIT;
    answer->retry_after_seconds = 5;
    answer->problem = arena_take(&server->arena, sizeof(*answer->problem));
    CHECK(answer->problem != NULL);
    wire__problem__init(answer->problem);
    answer->problem->code = reject_name(REJECT_UNFIT);
    answer->problem->detail = detail;
    answer->problem->hint = "Ask another controller.";
}

/* Leaves live in the store alone: the core keeps only the frontier. `next_after` says where the
 * next page begins; 0: this was the last. */
void mirror_read_leaves(struct server *server, const struct effect *effect)
{
    uint8_t tag = MIRROR_TAG_LEAF;
    uint8_t room[MIRROR_KEY_SIZE];
    /* What was not mirrored yet is simply not listed yet; an unfit mirror will never list it. */
    (void)mirror_drain(server, true);
    struct search search = { .server = server, .effect = effect, .answer = effect->answer };
    search.limit = effect->leaves->limit == 0 || effect->leaves->limit > LIMIT_LIST_PAGE
                       ? LIMIT_LIST_PAGE
                       : effect->leaves->limit;
    search.answer->leaves =
        arena_take(&server->arena, sizeof(*search.answer->leaves) * (search.limit + 1));
    CHECK(search.answer->leaves != NULL);
    struct result scanned = store_scan(
        server->store,
        slice_of(&tag, 1),
        mirror_key(MIRROR_TAG_LEAF, effect->leaves->first, room),
        take_leaf,
        &search);
    if (server->store_unfit || scanned.code != 0 || search.damaged) {
        refuse_leaves(server, search.answer, "This controller's mirror cannot be read now.");
        server_answer(server, effect->handle, effect->origin, search.answer);
        return;
    }
    uint64_t size = state_cell(engine_state(server->engine))->frontier.size;
    if (scanned.code == 0 && search.next < size) {
        search.answer->next_after = search.next; /* Also of a page on which nothing was wanted. */
    }
    server_answer(server, effect->handle, effect->origin, search.answer);
}
