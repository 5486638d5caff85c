/* Decides what an engine may want, say and hold, whatever reached it. Never decides what it should
 * do. */
#include "tests/fuzz/engine_world.h"

#include "base/check.h"
#include "controller/core/feature.h"
#include "tests/fuzz/core_world.h"
#include "tests/fuzz/fuzz.h"
#include "wire/wire.h"

#include <stdlib.h>
#include <string.h>

enum {
    SELF = 3,
    LEFT_MS = 60 * 1000, /* Longer than any ask may wait. */
};

struct world world;

static struct effects effects;
static _Alignas(16) uint8_t step_memory[ENGINE_ARENA];
static _Alignas(16) uint8_t entry_memory[2 * 1024 * 1024];
static _Alignas(16) uint8_t other_memory[4 * 1024 * 1024];

/* ---- What it wants done ---- */

static void note_outside(uint64_t handle)
{
    world.outside[world.outside_count++ % WORLD_OUTSIDE] = handle;
}

static void hold_frame(const struct effect *effect)
{
    const Wire__Frame *frame = effect->frame;
    bool keys = effect->kind == EFFECT_KEYS;
    world_hold_told(&frame->base);
    MUST(frame_may_pass(PROGRAM_ENGINE, keys ? PROGRAM_KEYS : PROGRAM_LINK, frame->body_case));
    MUST(keys == (frame->peer == NULL));
    if (frame->body_case == WIRE__FRAME__BODY_ISSUE_ASK) {
        note_outside(frame->issue_ask->handle);
    } else if (frame->body_case == WIRE__FRAME__BODY_NOTE_ASK) {
        note_outside(frame->note_ask->handle);
    } else if (frame->body_case == WIRE__FRAME__BODY_FORWARD) {
        note_outside(frame->forward->handle);
    } else if (frame->body_case == WIRE__FRAME__BODY_CONSOLE_ASK) {
        note_outside(frame->console_ask->handle);
    } else if (frame->body_case == WIRE__FRAME__BODY_CONFIRM) {
        note_outside(frame->confirm->nonce);
    }
}

static void take_answer(uint64_t handle)
{
    MUST(handle > 0 && handle <= world.asks && !world.answered[handle - 1]);
    world.answered[handle - 1] = true;
    world.answers++;
}

static void take_submit(const struct effect *effect)
{
    struct arena arena;
    Wire__Entry *entry = NULL;
    arena_init(&arena, other_memory, sizeof(other_memory));
    MUST(world.role == ENGINE_LEADING && world.pending_count < ENGINE_TICKETS);
    MUST(effect->bytes.size <= LIMIT_ENTRY);
    MUST(wire_decode(&wire__entry__descriptor, effect->bytes, &arena, &entry).code == 0);
    MUST(entry_valid(entry)); /* INV-LOG-9: nobody's words make a poison entry. */
    world.pending[world.pending_count++] = (struct pending){ .ticket = ++world.tickets,
                                                             .handle = effect->handle,
                                                             .bytes = fuzz_copy(effect->bytes),
                                                             .size = effect->bytes.size };
    *engine_ticket_slot(world.engine, effect->handle) = world.tickets;
}

static void carry_out(const struct effect *effect)
{
    switch (effect->kind) {
    case EFFECT_ANSWER:
        world_hold_told(&effect->answer->base);
        take_answer(effect->handle);
        return;
    case EFFECT_READ_LEAVES:
    case EFFECT_PROVE: /* The shell answers, here or there. */
        world_hold_told(&effect->answer->base);
        if (effect->origin == 0) {
            take_answer(effect->handle);
        }
        return;
    case EFFECT_SEND:
    case EFFECT_KEYS: hold_frame(effect); return;
    case EFFECT_SUBMIT: take_submit(effect); return;
    case EFFECT_EVENT: world_hold_told(&effect->event->base); return;
    case EFFECT_MEMBER_ADD:
    case EFFECT_MEMBER_REMOVE:
    case EFFECT_HAND_OVER: MUST(effect->id != 0 && world.role == ENGINE_LEADING); return;
    case EFFECT_LEAF:
    case EFFECT_ASSIGN:
    case EFFECT_RENEWED:
    case EFFECT_RING: return;
    }
}

void world_step(struct engine_event *event)
{
    struct arena arena;
    const struct state *state = engine_state(world.engine);
    uint64_t before = state->digest;
    if (world.over) {
        return;
    }
    event->now_ms = world.now_ms;
    event->wall_ms = world.wall_ms;
    arena_init(&arena, step_memory, sizeof(step_memory));
    effects.arena = &arena;
    effects.count = 0;
    engine_step(world.engine, event, &effects);
    for (uint32_t i = 0; i < effects.count; i++) {
        carry_out(&effects.list[i]);
    }
    if (event->kind != ENGINE_APPLIED) {
        arena_init(&arena, other_memory, sizeof(other_memory));
        state_settle(engine_state(world.engine), &arena);
        MUST(state->digest == before); /* Only what is committed changes it. */
    }
    bool left = event->kind == ENGINE_LEAVE; /* Another engine takes its place. */
    MUST(!left || engine_asks_under_way(world.engine) == 0);
    world.over = left || engine_diverged(world.engine) || engine_outgrown(world.engine);
    while (event->kind != ENGINE_MORE && !world.over && engine_more(world.engine)) {
        struct engine_event more = { .kind = ENGINE_MORE };
        world_step(&more);
    }
}

/* ---- Consensus ---- */

static const Wire__Entry *entry_read(struct slice bytes, struct arena *arena)
{
    Wire__Entry *entry = NULL;
    struct result decoded = wire_decode(&wire__entry__descriptor, bytes, arena, &entry);
    return decoded.code == 0 && entry_valid(entry) ? entry : NULL;
}

void world_apply(struct slice bytes, uint64_t ticket)
{
    struct arena arena;
    struct arena scratch;
    arena_init(&arena, entry_memory, sizeof(entry_memory));
    const Wire__Entry *entry = entry_read(bytes, &arena);
    if (entry == NULL || world.over) {
        return;
    }
    struct engine_event event = {
        .kind = ENGINE_APPLIED, .index = ++world.index, .ticket = ticket, .entry = entry
    };
    world_step(&event);
    arena_init(&arena, entry_memory, sizeof(entry_memory));
    arena_init(&scratch, step_memory, sizeof(step_memory));
    event.entry = entry_read(bytes, &arena);
    event.ticket = 0;
    effects.arena = &scratch;
    effects.count = 0;
    engine_step(world.second, &event, &effects);
    MUST(engine_state(world.second)->digest == engine_state(world.engine)->digest);
    world_hold_ledger(engine_state(world.engine));
    world_hold_presence(engine_state(world.engine));
}

static struct pending pending_take(void)
{
    struct pending first = world.pending[0];
    CHECK(world.pending_count > 0);
    world.pending_count--;
    memmove(&world.pending[0], &world.pending[1], sizeof(first) * world.pending_count);
    return first;
}

void world_commit(void)
{
    if (world.pending_count > 0) {
        struct pending done = pending_take();
        world_apply(slice_of(done.bytes, done.size), done.ticket);
        free(done.bytes);
    }
}

void world_let_go(enum engine_event_kind kind, uint16_t why)
{
    if (world.pending_count > 0) {
        struct pending gone = pending_take();
        uint64_t name = kind == ENGINE_REFUSED ? gone.handle : gone.ticket;
        struct engine_event event = { .kind = kind,
                                      .ticket = name,
                                      .failure = { why == 0 ? FAILURE_BUSY : why } };
        *engine_ticket_slot(world.engine, gone.handle) = kind == ENGINE_REFUSED ? 0 : gone.ticket;
        world_step(&event);
        free(gone.bytes);
    }
}

void world_lose_strange(void)
{
    struct engine_event event = { .kind = ENGINE_LOST, .ticket = world.tickets + 1 };
    world_step(&event);
}

void world_pass(uint64_t indexes)
{
    world.index += indexes;
}

void world_turn(void)
{
    struct engine_event event = { .kind = ENGINE_TURN };
    bool due = engine_turn_due(world.engine);
    world_step(&event);
    MUST(due || world.over || effects.count == 0); /* Nobody waits for a turn that is not taken. */
}

void world_role(struct slice bytes)
{
    uint64_t term = fuzz_number(bytes, 1, 4);
    uint32_t which = bytes.size > 0 ? bytes.data[0] % 4U : 0;
    struct engine_event event = { .kind = ENGINE_ROLE,
                                  .role = which == 0 ? ENGINE_FOLLOWER : (enum engine_role)which };
    world.term = term > world.term ? term : world.term;
    world.role = event.role;
    event.term = world.term;
    event.leader = which == ENGINE_FOLLOWER ? fuzz_number(bytes, 5, 8) : 0;
    world_step(&event);
}

void world_members(struct slice bytes)
{
    enum { HEAD = 13, EACH = 17 };
    struct engine_member list[LIMIT_CONTROLLERS];
    struct engine_event event = { .kind = ENGINE_MEMBERS, .members = list };
    event.fit = (fuzz_number(bytes, 0, 1) & 1U) != 0;
    event.poisoned = (fuzz_number(bytes, 0, 1) & 2U) != 0 ? world.index + 1 : 0;
    event.commit = fuzz_number(bytes, 1, 4);
    event.leader = fuzz_number(bytes, 5, 8);
    for (size_t at = HEAD; at + EACH <= bytes.size && event.members_count < LIMIT_CONTROLLERS;
         at += EACH) {
        if (fuzz_number(bytes, at, 8) == 0) {
            continue; /* replica_change_valid lets nobody be a member without an id. */
        }
        list[event.members_count++] = (struct engine_member){
            .id = fuzz_number(bytes, at, 8),
            .voter = (uint32_t)fuzz_number(bytes, at + 8, 1) % 3,
            .match = fuzz_number(bytes, at + 9, 4),
            .heard_ms = fuzz_number(bytes, at + 13, 4),
        };
    }
    world_step(&event);
}

/* ---- Begin and end ---- */

void world_clock(uint64_t ms, bool ticks)
{
    struct engine_event event = { .kind = ENGINE_CLOCK };
    world.now_ms += ms;
    world.wall_ms += ms;
    if (ticks) {
        world_step(&event);
    }
}

/* 0: no limit; the last: more than there can be. */
static uint32_t rate_of(struct slice bytes, size_t at)
{
    uint64_t said = fuzz_number(bytes, at, 1);
    return said == UINT8_MAX ? UINT32_MAX : (uint32_t)said;
}

static struct engine *engine_make(uint32_t which, struct slice bytes)
{
    static uint8_t salt[32] = { 7 };
    static uint8_t key[16] = { 9 };
    Wire__Genesis genesis = WIRE__GENESIS__INIT;
    genesis.cell = WORLD_CELL;
    genesis.name = "lab";
    genesis.digest_salt = (ProtobufCBinaryData){ sizeof(salt), salt };
    genesis.hash_key = (ProtobufCBinaryData){ sizeof(key), key };
    genesis.controller = id_make(WORLD_CELL, SELF);
    genesis.controller_name = "c1";
    genesis.api_address = "10.0.0.1:7443";
    genesis.link_address = "10.0.0.1:7444";
    genesis.first_operator = id_make(WORLD_CELL, 2);
    genesis.operator_name = "root";
    genesis.idempotency_limit = (uint32_t)fuzz_number(bytes, 3, 1);
    struct engine_conf conf = {
        .self = id_make(WORLD_CELL, SELF),
        .cell = WORLD_CELL,
        .genesis = (fuzz_number(bytes, 0, 1) & 1U) == 0 ? &genesis : NULL,
        .capacity = { .rows = { [TABLE_CELL] = 1,
                                [TABLE_CONTROLLER] = 4,
                                [TABLE_NODE] = 4,
                                [TABLE_TENANT] = 6,
                                [TABLE_PROJECT] = 8,
                                [TABLE_USER] = 8,
                                [TABLE_IMAGE] = 4,
                                [TABLE_NETWORK] = 6,
                                [TABLE_INSTANCE] = 16,
                                [TABLE_OPERATION] = 96,
                                [TABLE_ALARM] = 6,
                                [TABLE_TOKEN] = 8 } },
        .requests_per_second = rate_of(bytes, 1),
        .tenant_requests_per_second = rate_of(bytes, 2),
        .ca = slice_text("the authority"),
        .feature_level = (uint32_t)fuzz_number(bytes, 4, 1) % (FEATURE_LEVEL + 1),
    };
    struct engine *engine = engine_init(&conf, fuzz_pages(which, engine_memory(&conf)));
    if (world.index > 0) { /* Before the cell began, consensus had entries of its own. */
        engine_restored(engine, world.index);
    }
    return engine;
}

void world_begin(struct slice settings)
{
    memset(&world, 0, sizeof(world));
    world.now_ms = 1000 * 1000;
    world.wall_ms = UINT64_C(1800000000000);
    world.role = ENGINE_FOLLOWER;
    world.index = fuzz_number(settings, 5, 1);
    world.engine = engine_make(0, settings);
    world.second = engine_make(1, settings);
}

void world_end(void)
{
    while (world.pending_count > 0 && !world.over) {
        world_let_go(ENGINE_LOST, 0);
    }
    world_role(SLICE_EMPTY);
    for (uint64_t ms = 0; ms < LEFT_MS; ms += 1000) {
        world_clock(1000, true);
    }
    MUST(world.over || engine_asks_under_way(world.engine) == 0);
    MUST(world.over || world.answers == world.asks);
    while (world.pending_count > 0) {
        free(pending_take().bytes);
    }
}
