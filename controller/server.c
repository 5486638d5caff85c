/* Decides the order in which engine, consensus and mirror are spoken to within a turn. Decides
 * nothing that a replica must agree on. */
#include "controller/server_inner.h"

#include "base/check.h"
#include "wire/wire.h"

#include <stdlib.h>

/* ---- Effects ---- */

void server_answer(struct server *server, uint64_t handle, uint64_t origin, Wire__Answer *answer)
{
    if (origin == 0) {
        server->host.answer(server->host.context, handle, answer);
        return;
    }
    Wire__Identity peer = WIRE__IDENTITY__INIT;
    peer.kind = WIRE__KIND__KIND_CONTROLLER;
    peer.id = origin;
    Wire__Told told = WIRE__TOLD__INIT;
    told.handle = handle;
    told.answer = answer;
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.peer = &peer;
    frame.body_case = WIRE__FRAME__BODY_FORWARDED;
    frame.forwarded = &told;
    server->host.send(server->host.context, &frame);
}

/* What a step wants of consensus is done after its other effects: consensus calls back into a step.
 */
struct wishes {
    struct effect list[SERVER_WISHES];
    uint32_t count;
};

static void perform(struct server *server, const struct effect *effect, struct wishes *wishes)
{
    switch (effect->kind) {
    case EFFECT_LEAF: mirror_leaf(server, effect->id, effect->bytes); return;
    case EFFECT_EVENT: server->host.event(server->host.context, effect->event); return;
    case EFFECT_ANSWER:
        server_answer(server, effect->handle, effect->origin, effect->answer);
        return;
    case EFFECT_SEND: server->host.send(server->host.context, effect->frame); return;
    case EFFECT_KEYS: server->host.keys(server->host.context, effect->frame); return;
    case EFFECT_READ_LEAVES: mirror_read_leaves(server, effect); return;
    case EFFECT_PROVE: mirror_prove(server, effect); return;
    case EFFECT_SUBMIT:
    case EFFECT_MEMBER_ADD:
    case EFFECT_MEMBER_REMOVE:
    case EFFECT_HAND_OVER:
        if (wishes->count < SERVER_WISHES) { /* Members are asked for again and again. */
            wishes->list[wishes->count++] = *effect;
        }
        return;
    case EFFECT_RENEWED: server->host.renewed(server->host.context, effect->bytes); return;
    case EFFECT_RING: server_ring(server); return;
    case EFFECT_ASSIGN: return; /* The engine has made orders of it. */
    }
    UNREACHABLE();
}

static void submit(struct server *server, const struct effect *effect)
{
    uint64_t *slot = engine_ticket_slot(server->engine, effect->handle);
    struct result submitted =
        replica_submit(server->replica, server->now_ms, effect->bytes, effect->reserved, slot);
    if (submitted.code != 0) {
        struct engine_event event = { .kind = ENGINE_REFUSED,
                                      .ticket = effect->handle,
                                      .failure = submitted };
        server_step(server, &event);
    }
}

static void wish(struct server *server, const struct effect *effect)
{
    if (effect->kind == EFFECT_SUBMIT) {
        submit(server, effect);
        return;
    }
    struct result asked = OK;
    if (effect->kind == EFFECT_MEMBER_ADD) {
        const struct controller_row *row =
            state_find(engine_state(server->engine), TABLE_CONTROLLER, effect->id);
        if (row != NULL) {
            asked = replica_add(server->replica, server->now_ms, effect->id, row->link_address);
        }
    } else if (effect->kind == EFFECT_MEMBER_REMOVE) {
        asked = replica_remove(server->replica, server->now_ms, effect->id);
    } else {
        asked = replica_transfer(server->replica, server->now_ms, effect->id);
    }
    (void)asked; /* Level-triggered: the engine asks again until the members show it. */
}

void server_step(struct server *server, struct engine_event *event)
{
    struct wishes wishes = { .count = 0 };
    event->now_ms = server->now_ms;
    event->wall_ms = server->wall_ms;
    arena_reset(&server->arena);
    server->effects->count = 0;
    engine_step(server->engine, event, server->effects);
    for (uint32_t i = 0; i < server->effects->count; i++) {
        perform(server, &server->effects->list[i], &wishes);
    }
    mirror_step_end(server);
    for (uint32_t i = 0; i < wishes.count; i++) {
        wish(server, &wishes.list[i]);
    }
    if (engine_outgrown(server->engine)) {
        server->host.halt(
            server->host.context, "the cell's feature level is newer than this program");
    }
    if (engine_diverged(server->engine)) {
        server->host.halt(server->host.context, "this replica's state differs from a majority's");
    }
}

/* ---- Opening ---- */

RESULT server_engine_fresh(struct server *server)
{
    /* INV-SEC-35: nobody numbers sixteen thousand asks in a millisecond. */
    uint64_t above = server->conf.engine.asks_from + ASKS_PER_MS;
    uint64_t now = server->now_ms * ASKS_PER_MS;
    server->conf.engine.asks_from = now > above ? now : above;
    size_t size = engine_memory(&server->conf.engine);
    server->memory = server->host.memory(server->host.context, server->memory, size);
    if (server->memory == NULL) {
        return FAIL(FAILURE_FULL);
    }
    server->engine = engine_init(&server->conf.engine, server->memory);
    return OK;
}

static void on_snapshot_send(void *context, Wire__Frame *frame)
{
    struct server *server = context;
    server->host.send(server->host.context, frame);
}

static RESULT open_parts(struct server *server, struct disk disk, bool bootstrap)
{
    const struct replica_host host = server_consensus_host(server);
    if (server->conf.mark != NULL && server->conf.mark->set_back != 0) {
        return FAIL(FAILURE_SET_BACK); /* INV-LOG-10 */
    }
    TRY(store_open(server->conf.store_directory, &server->store));
    TRY(server_engine_fresh(server));
    TRY(mirror_restore(server));
    snapshot_init(
        &server->snapshot,
        server->conf.snapshots_directory,
        &server->scratch,
        on_snapshot_send,
        server);
    struct replica_conf conf = server->conf.replica;
    conf.restored_index = store_index(server->store);
    conf.returns = true;
    if (bootstrap) {
        struct replica_member self = { .id = conf.self, .role = REPLICA_VOTER };
        (void)text_copy(self.address, sizeof(self.address), slice_text(conf.address));
        struct result made = replica_bootstrap(disk, &conf, &self, 1);
        if (made.code != 0 && made.code != FAILURE_EXISTS) {
            return made;
        }
    } else {
        struct result made = replica_create(disk, &conf);
        if (made.code != 0 && made.code != FAILURE_EXISTS) {
            return made;
        }
    }
    TRY(replica_open(disk, &conf, &host, server->now_ms, &server->replica));
    snapshot_sweep(&server->snapshot);
    return OK;
}

RESULT server_open(
    const struct server_conf *conf,
    struct disk disk,
    const struct server_host *host,
    uint64_t now_ms,
    uint64_t wall_ms,
    bool bootstrap,
    struct server **server_out)
{
    struct server *server = calloc(1, sizeof(*server));
    if (server == NULL) {
        return FAIL(FAILURE_FULL);
    }
    server->conf = *conf;
    server->host = *host;
    server->now_ms = now_ms;
    server->wall_ms = wall_ms;
    server->effects = calloc(1, sizeof(*server->effects));
    void *step = calloc(1, ENGINE_ARENA);
    void *scratch = calloc(1, STORE_ARENA * 2);
    if (server->effects == NULL || step == NULL || scratch == NULL) {
        free(step);
        free(scratch);
        free(server->effects);
        free(server);
        return FAIL(FAILURE_FULL);
    }
    arena_init(&server->arena, step, ENGINE_ARENA);
    arena_init(&server->scratch, scratch, STORE_ARENA * 2);
    server->effects->arena = &server->arena;
    struct result opened = open_parts(server, disk, bootstrap);
    if (opened.code != 0) {
        server_close(server);
        return opened;
    }
    server->conf.engine.genesis = NULL; /* The caller's; the engine has its copy. */
    *server_out = server;
    return OK;
}

void server_close(struct server *server)
{
    if (server == NULL) {
        return;
    }
    replica_close(server->replica);
    store_close(server->store);
    (void)server->host.memory(server->host.context, server->memory, 0);
    free(server->arena.memory);
    free(server->scratch.memory);
    free(server->effects);
    free(server);
}

/* ---- Input ---- */

void server_now(struct server *server, uint64_t now_ms, uint64_t wall_ms)
{
    CHECK(now_ms >= server->now_ms);
    server->now_ms = now_ms;
    server->wall_ms = wall_ms;
}

void server_ask(struct server *server, uint64_t now_ms, uint64_t wall_ms, const Wire__Ask *ask)
{
    server_now(server, now_ms, wall_ms);
    struct engine_event event = { .kind = ENGINE_ASK, .ask = ask };
    server_step(server, &event);
}

void server_frame(
    struct server *server, uint64_t now_ms, uint64_t wall_ms, const Wire__Frame *frame)
{
    server_now(server, now_ms, wall_ms);
    if (frame->peer == NULL) {
        return;
    }
    if (frame->body_case == WIRE__FRAME__BODY_RAFT) {
        struct slice message = { frame->raft->message.data, frame->raft->message.len };
        struct result taken =
            replica_receive(server->replica, server->now_ms, frame->peer->id, message);
        (void)taken; /* Malformed: it is dropped; a sound peer sends it again. */
    } else if (frame->body_case == WIRE__FRAME__BODY_SNAPSHOT_ASK) {
        snapshot_serve(&server->snapshot, frame->peer->id, frame->snapshot_ask);
    } else if (frame->body_case == WIRE__FRAME__BODY_SNAPSHOT_PART) {
        snapshot_part(&server->snapshot, frame->peer->id, frame->snapshot_part);
    } else {
        struct engine_event event = { .kind = ENGINE_FRAME, .frame = frame };
        server_step(server, &event);
    }
}

static void link_note(struct server *server, uint64_t peer, bool up)
{
    uint64_t *free_one = NULL;
    for (size_t i = 0; i < COUNT_OF(server->linked); i++) {
        server->linked[i] = server->linked[i] == peer ? 0 : server->linked[i];
        free_one = server->linked[i] == 0 ? &server->linked[i] : free_one;
    }
    if (up && free_one != NULL) { /* More than a cell can have are not forwarded to. */
        *free_one = peer;
    }
}

void server_link(
    struct server *server,
    uint64_t now_ms,
    uint64_t wall_ms,
    Wire__Kind kind,
    uint64_t peer,
    bool up)
{
    server_now(server, now_ms, wall_ms);
    if (kind == WIRE__KIND__KIND_CONTROLLER) {
        link_note(server, peer, up);
    }
    struct engine_event event = { .kind = ENGINE_LINK, .peer_kind = kind, .peer = peer, .up = up };
    server_step(server, &event);
}

void server_turned_away(
    struct server *server,
    uint64_t now_ms,
    uint64_t wall_ms,
    uint32_t door,
    const Wire__Frame *frame)
{
    server_now(server, now_ms, wall_ms);
    struct engine_event event = { .kind = ENGINE_TOLD, .frame = frame, .door = door };
    server_step(server, &event);
}

void server_keys(struct server *server, uint64_t now_ms, uint64_t wall_ms, const Wire__Frame *frame)
{
    server_now(server, now_ms, wall_ms);
    struct engine_event event = { .kind = ENGINE_TOLD, .frame = frame };
    server_step(server, &event);
}

void server_tick(struct server *server, uint64_t now_ms, uint64_t wall_ms)
{
    server_now(server, now_ms, wall_ms);
    /* A flush or compaction that failed behind our back shows here first. */
    server->store_unfit = server->store_unfit || !store_fit(server->store);
    replica_tick(server->replica, now_ms);
    server_members_tell(server);
    struct engine_event event = { .kind = ENGINE_CLOCK };
    server_step(server, &event);
    if (mirror_again(server)) {
        /* What was not flushed is gone from the mirror, but not from the log: start over from it.
         */
        server->host.halt(
            server->host.context, "the disk writes again; the mirror starts over from the log");
        return;
    }
    (void)mirror_drain(server, false); /* Unfitness shows in the next members_tell. */
}

bool server_turn_due(const struct server *server)
{
    return engine_more(server->engine) || engine_turn_due(server->engine);
}

void server_turn(struct server *server, uint64_t now_ms, uint64_t wall_ms)
{
    server_now(server, now_ms, wall_ms);
    for (uint32_t i = 0; i < ENGINE_ASKS && engine_more(server->engine); i++) {
        struct engine_event more = { .kind = ENGINE_MORE };
        server_step(server, &more); /* Each does at least one ask. */
    }
    struct engine_event event = { .kind = ENGINE_TURN };
    server_step(server, &event);
}

/* ---- Reports ---- */

struct engine *server_engine(struct server *server)
{
    return server->engine;
}

void server_status(const struct server *server, struct replica_status *status_out)
{
    replica_status(server->replica, status_out);
}

bool server_poisoned(const struct server *server, uint64_t *index_out)
{
    *index_out = server->poisoned ? server->conf.mark->index : 0;
    return server->poisoned;
}
