/* Carries out what an engine wants done, by hand. Never decides whether it was right. */
#include "tests/scenario/desk.h"

#include "audit/leaf.h"
#include "base/check.h"
#include "wire/frame.h"
#include "wire/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAPER_BYTES ((size_t)256 << 20) /* Touched only as far as it is used. */

enum { SCRATCH_BYTES = 4 << 20, TURNS_MAX = 4096 };

/* ---- Making and ending ---- */

struct state_capacity desk_capacity(void)
{
    return (struct state_capacity){ .rows = {
                                        [TABLE_CELL] = 1,
                                        [TABLE_CONTROLLER] = 8,
                                        [TABLE_NODE] = DESK_NODES,
                                        [TABLE_TENANT] = 32,
                                        [TABLE_PROJECT] = 64,
                                        [TABLE_USER] = 64,
                                        [TABLE_IMAGE] = 16,
                                        [TABLE_NETWORK] = 64,
                                        [TABLE_INSTANCE] = 512,
                                        [TABLE_OPERATION] = 10240,
                                        [TABLE_ALARM] = 16,
                                        [TABLE_TOKEN] = 48,
                                    } };
}

static void genesis_of(const struct desk *desk, Wire__Genesis *genesis)
{
    static uint8_t salt[32] = { 7 };
    static uint8_t key[16] = { 9 };
    wire__genesis__init(genesis);
    genesis->cell = DESK_CELL;
    genesis->name = "lab";
    genesis->digest_salt = (ProtobufCBinaryData){ sizeof(salt), salt };
    genesis->hash_key = (ProtobufCBinaryData){ sizeof(key), key };
    genesis->controller = desk->controller;
    genesis->controller_name = "c1";
    genesis->api_address = "10.0.0.1:7443";
    genesis->link_address = "10.0.0.1:7444";
    genesis->first_operator = desk->operator_person.id;
    genesis->operator_name = "root";
    genesis->reserve_percent = desk->conf.reserve_percent;
    genesis->vcpu_ratio = desk->conf.vcpu_ratio;
    genesis->idempotency_limit = desk->conf.idempotency_limit;
}

struct desk_engine desk_engine_new(const struct desk *desk)
{
    Wire__Genesis genesis;
    genesis_of(desk, &genesis);
    struct engine_conf conf = { .self = desk->controller,
                                .cell = DESK_CELL,
                                .genesis = &genesis,
                                .capacity = desk_capacity(),
                                .requests_per_second = desk->conf.requests_per_second,
                                .tenant_requests_per_second = desk->conf.tenant_requests_per_second,
                                .ca = slice_text("the authority"),
                                .asks_from = desk->conf.asks_from,
                                .placement = desk->conf.placement };
    size_t size = engine_memory(&conf);
    struct desk_engine made = { .memory = calloc(1, size + 64) };
    CHECK(made.memory != NULL);
    uint8_t *at = made.memory;
    size_t rest = (size_t)((uintptr_t)at % 64);
    made.engine = engine_init(&conf, rest == 0 ? at : at + (64 - rest));
    return made;
}

static void *room(size_t count, size_t size)
{
    void *made = calloc(count, size);
    CHECK(made != NULL);
    return made;
}

struct desk *desk_open(const struct desk_conf *conf)
{
    struct desk *desk = room(1, sizeof(*desk));
    desk->conf = *conf;
    desk->conf.members = conf->members == 0 ? 1 : conf->members;
    CHECK(desk->conf.members == 1 || desk->conf.members == DESK_MEMBERS);
    desk->now_ms = 1000 * 1000;
    desk->wall_ms = UINT64_C(1800000000000);
    desk->controller = id_make(DESK_CELL, 3);
    desk->others[0] = id_make(DESK_CELL, 1001);
    desk->others[1] = id_make(DESK_CELL, 1002);
    wire__identity__init(&desk->operator_person);
    desk->operator_person.kind = WIRE__KIND__KIND_USER;
    desk->operator_person.id = id_make(DESK_CELL, 2);
    desk->refuse_why = FAILURE_BUSY;
    desk->effects = room(1, sizeof(*desk->effects));
    arena_init(&desk->step, room(1, ENGINE_ARENA), ENGINE_ARENA);
    arena_init(&desk->scratch, room(1, SCRATCH_BYTES), SCRATCH_BYTES);
    arena_init(&desk->paper, room(1, PAPER_BYTES), PAPER_BYTES);
    desk->effects->arena = &desk->step;
    desk->log = room(DESK_LOG, sizeof(*desk->log));
    desk->leaves = room(DESK_LEAVES, sizeof(*desk->leaves));
    desk->events = room(DESK_EVENTS, sizeof(*desk->events));
    desk->answers = room(DESK_ANSWERS, sizeof(*desk->answers));
    desk->frames = room(DESK_FRAMES, sizeof(*desk->frames));
    desk->asked_keys = room(DESK_FRAMES, sizeof(*desk->asked_keys));
    desk->first = desk_engine_new(desk);
    if (!conf->alone) {
        desk->second = desk_engine_new(desk);
    }
    if (!conf->blank) {
        desk_lead(desk, 1);
        desk_turn(desk);
    }
    return desk;
}

void desk_close(struct desk *desk)
{
    free(desk->first.memory);
    free(desk->second.memory);
    free(desk->effects);
    free(desk->step.memory);
    free(desk->scratch.memory);
    free(desk->paper.memory);
    free(desk->log);
    free(desk->leaves);
    free(desk->events);
    free(desk->answers);
    free((void *)desk->frames);
    free((void *)desk->asked_keys);
    free(desk);
}

struct state *desk_state(const struct desk *desk)
{
    return engine_state(desk->first.engine);
}

/* ---- Effects ---- */

/* A copy on paper, through the encoder: what no encoder makes is found here. */
static void *kept(struct desk *desk, const ProtobufCMessage *message)
{
    void *copy = NULL;
    struct slice bytes = SLICE_EMPTY;
    struct result done = wire_encode(message, &desk->paper, &bytes);
    CHECK(done.code == 0);
    done = wire_decode(message->descriptor, bytes, &desk->paper, &copy);
    CHECK(done.code == 0);
    return copy;
}

static void keep_leaf(struct desk *desk, const struct effect *effect)
{
    Wire__Leaf *leaf = NULL;
    struct result decoded =
        wire_decode(&wire__leaf__descriptor, effect->bytes, &desk->paper, &leaf);
    CHECK(decoded.code == 0);
    CHECK(audit_leaf_valid(leaf));
    CHECK(desk->leaves_count < DESK_LEAVES);
    struct desk_leaf *to = &desk->leaves[desk->leaves_count++];
    *to = (struct desk_leaf){ .seq = leaf->seq,
                              .tenant = leaf->tenant,
                              .tenant_seq = leaf->tenant_seq,
                              .actor_kind = leaf->actor_kind,
                              .actor = leaf->actor,
                              .resource = leaf->resource,
                              .count = leaf->fold == NULL ? 0 : leaf->fold->count,
                              .index = leaf->index,
                              .reject = leaf->reject };
    (void)text_copy(to->operation, sizeof(to->operation), slice_text(leaf->operation));
    (void)text_copy(to->reason, sizeof(to->reason), slice_text(leaf->reason));
    CHECK(leaf->tenant_prev.len == 0 || leaf->tenant_prev.len == AUDIT_HASH);
    if (leaf->tenant_prev.len > 0) {
        memcpy(to->previous, leaf->tenant_prev.data, AUDIT_HASH);
    }
    audit_leaf_hash(effect->bytes, to->hash);
}

static void keep_event(struct desk *desk, const Wire__EventView *event)
{
    CHECK(desk->events_count < DESK_EVENTS);
    struct desk_event *to = &desk->events[desk->events_count++];
    to->index = event->index;
    (void)text_copy(to->name, sizeof(to->name), slice_text(event->name));
    (void)text_copy(to->subject, sizeof(to->subject), slice_text(event->subject));
}

static void keep_submit(struct desk *desk, const struct effect *effect)
{
    CHECK(desk->pending_count < ENGINE_TICKETS);
    struct desk_pending *to = &desk->pending[desk->pending_count++];
    uint8_t *copy = arena_take(&desk->paper, effect->bytes.size);
    CHECK(copy != NULL);
    memcpy(copy, effect->bytes.data, effect->bytes.size);
    to->bytes = slice_of(copy, effect->bytes.size);
    to->handle = effect->handle;
    to->ticket = desk->refuse_log ? 0 : ++desk->tickets;
    *engine_ticket_slot(desk->first.engine, effect->handle) = to->ticket;
}

static void keep_answer(struct desk *desk, uint64_t handle, const Wire__Answer *answer)
{
    CHECK(desk->answers_count < DESK_ANSWERS);
    CHECK(desk_answer(desk, handle) == NULL); /* An ask is answered once. */
    desk->answers[desk->answers_count++] =
        (struct desk_answer){ handle, kept(desk, &answer->base) };
}

static void carry_out(struct desk *desk, const struct effect *effect)
{
    switch (effect->kind) {
    case EFFECT_LEAF: keep_leaf(desk, effect); return;
    case EFFECT_EVENT: keep_event(desk, effect->event); return;
    case EFFECT_ANSWER: keep_answer(desk, effect->handle, effect->answer); return;
    case EFFECT_SEND:
        CHECK(desk->frames_count < DESK_FRAMES);
        desk->frames[desk->frames_count++] = kept(desk, &effect->frame->base);
        return;
    case EFFECT_KEYS:
        CHECK(desk->asked_keys_count < DESK_FRAMES);
        desk->asked_keys[desk->asked_keys_count++] = kept(desk, &effect->frame->base);
        return;
    case EFFECT_SUBMIT: keep_submit(desk, effect); return;
    case EFFECT_PROVE: /* The store is the shell's: tests/unit/test_server.c. */
    case EFFECT_READ_LEAVES:
        desk->leaves_read++;
        desk->leaves_tenant = effect->node;
        keep_answer(desk, effect->handle, effect->answer);
        return;
    case EFFECT_MEMBER_ADD: desk->member_adds++; return;
    case EFFECT_MEMBER_REMOVE: desk->member_removes++; return;
    case EFFECT_HAND_OVER: desk->hand_overs++; return;
    case EFFECT_RENEWED: desk->renewed += effect->bytes.size > 0 ? 1 : 0; return;
    case EFFECT_RING: desk->rings++; return;
    case EFFECT_ASSIGN: return; /* The engine has made orders of it. */
    }
    UNREACHABLE();
}

static void keys_answer(struct desk *desk, const Wire__Frame *asked)
{
    static uint8_t certificate[4] = { 1, 2, 3, 4 };
    Wire__Frame frame = WIRE__FRAME__INIT;
    Wire__NoteTold note = WIRE__NOTE_TOLD__INIT;
    Wire__IssueTold issue = WIRE__ISSUE_TOLD__INIT;
    frame.format = FRAME_FORMAT;
    if (asked->body_case == WIRE__FRAME__BODY_NOTE_ASK) {
        note.handle = asked->note_ask->handle;
        note.signature = "— udatsu/0001/c1 AAAA";
        frame.body_case = WIRE__FRAME__BODY_NOTE_TOLD;
        frame.note_told = &note;
    } else {
        CHECK(asked->body_case == WIRE__FRAME__BODY_ISSUE_ASK);
        issue.handle = asked->issue_ask->handle;
        issue.certificate = (ProtobufCBinaryData){ sizeof(certificate), certificate };
        frame.body_case = WIRE__FRAME__BODY_ISSUE_TOLD;
        frame.issue_told = &issue;
    }
    struct engine_event event = { .kind = ENGINE_TOLD, .frame = &frame };
    desk_step(desk, &event);
}

void desk_step(struct desk *desk, struct engine_event *event)
{
    event->now_ms = desk->now_ms;
    event->wall_ms = desk->wall_ms;
    uint32_t keys = desk->asked_keys_count;
    arena_reset(&desk->step);
    desk->effects->count = 0;
    CHECK(arena_take(&desk->step, desk->squeeze) != NULL);
    engine_step(desk->first.engine, event, desk->effects);
    for (uint32_t i = 0; i < desk->effects->count; i++) {
        carry_out(desk, &desk->effects->list[i]);
    }
    while (event->kind != ENGINE_MORE && engine_more(desk->first.engine)) {
        struct engine_event more = { .kind = ENGINE_MORE };
        desk_step(desk, &more); /* As the shell does, before the turn ends. */
    }
    uint32_t asked = desk->asked_keys_count;
    for (uint32_t i = keys; i < asked && !desk->keys_silent; i++) {
        keys_answer(
            desk, desk->asked_keys[i]); /* One level deep: an answer asks nothing of keys. */
    }
}

/* ---- The log ---- */

static const Wire__Entry *entry_in(struct desk *desk, struct slice bytes)
{
    Wire__Entry *entry = NULL;
    arena_reset(&desk->scratch);
    struct result decoded = wire_decode(&wire__entry__descriptor, bytes, &desk->scratch, &entry);
    CHECK(decoded.code == 0);
    CHECK(entry_valid(entry));
    return entry;
}

void desk_apply(struct desk *desk, struct engine *engine, uint64_t index, struct slice bytes)
{
    struct engine_event event = { .kind = ENGINE_APPLIED,
                                  .now_ms = desk->now_ms,
                                  .wall_ms = desk->wall_ms,
                                  .index = index,
                                  .entry = entry_in(desk, bytes) };
    arena_reset(&desk->step);
    desk->effects->count = 0;
    engine_step(engine, &event, desk->effects);
}

void desk_commit(struct desk *desk)
{
    CHECK(desk->pending_count > 0);
    CHECK(desk->log_count < DESK_LOG);
    struct desk_pending done = desk->pending[0];
    desk->pending_count--;
    memmove(&desk->pending[0], &desk->pending[1], sizeof(done) * desk->pending_count);
    if (done.ticket == 0) {
        struct engine_event refused = { .kind = ENGINE_REFUSED,
                                        .ticket = done.handle,
                                        .failure = FAIL(desk->refuse_why) };
        desk_step(desk, &refused);
        return;
    }
    desk->index++;
    desk->log[desk->log_count++] = (struct desk_entry){ desk->index, done.bytes };
    if (desk->second.engine != NULL) {
        desk_apply(desk, desk->second.engine, desk->index, done.bytes);
    }
    struct engine_event event = { .kind = ENGINE_APPLIED,
                                  .index = desk->index,
                                  .ticket = done.ticket,
                                  .entry = entry_in(desk, done.bytes) };
    desk_step(desk, &event);
    if (desk->second.engine != NULL &&
        engine_state(desk->second.engine)->digest != desk_state(desk)->digest) {
        desk->digests_differ = true;
    }
}

void desk_turn(struct desk *desk)
{
    for (int i = 0; i < TURNS_MAX; i++) {
        struct engine_event turn = { .kind = ENGINE_TURN };
        desk_step(desk, &turn);
        bool refused = desk->refuse_log;
        if (desk->pending_count == 0 || desk->hold_log) {
            return;
        }
        while (desk->pending_count > 0) {
            desk_commit(desk);
        }
        if (refused) {
            return;
        }
    }
    UNREACHABLE(); /* It proposes for ever. */
}

/* ---- Consensus ---- */

void desk_members(struct desk *desk, bool fit, uint64_t leader)
{
    struct engine_member members[DESK_MEMBERS] = {
        { desk->controller, 2, desk->index, 0 },
        { desk->others[0], 2, desk->index, desk->others_heard_ms[0] },
        { desk->others[1], 2, desk->index, desk->others_heard_ms[1] },
    };
    struct engine_event event = { .kind = ENGINE_MEMBERS,
                                  .members = members,
                                  .members_count = desk->conf.members,
                                  .leader = leader,
                                  .commit = desk->index,
                                  .fit = fit };
    desk_step(desk, &event);
}

void desk_lead(struct desk *desk, uint64_t term)
{
    desk->term = term;
    desk_members(desk, true, desk->controller);
    struct engine_event event = { .kind = ENGINE_ROLE, .role = ENGINE_LEADING, .term = term };
    desk_step(desk, &event);
}

void desk_follow(struct desk *desk, uint64_t term, uint64_t leader)
{
    desk->term = term;
    struct engine_event event = {
        .kind = ENGINE_ROLE, .role = ENGINE_FOLLOWER, .term = term, .leader = leader
    };
    desk_step(desk, &event);
}

void desk_frame(
    struct desk *desk, Wire__Kind kind, uint64_t peer, uint32_t epoch, Wire__Frame *frame)
{
    Wire__Identity identity = WIRE__IDENTITY__INIT;
    identity.kind = kind;
    identity.id = peer;
    identity.epoch = epoch;
    frame->format = FRAME_FORMAT;
    frame->peer = &identity;
    struct engine_event event = { .kind = ENGINE_FRAME, .frame = frame };
    desk_step(desk, &event);
    frame->peer = NULL;
}

void desk_link(struct desk *desk, Wire__Kind kind, uint64_t peer, bool up)
{
    struct engine_event event = { .kind = ENGINE_LINK, .peer_kind = kind, .peer = peer, .up = up };
    desk_step(desk, &event);
}

/* ---- Asking ---- */

uint64_t desk_ask(struct desk *desk, Wire__Identity who, const char *key, Wire__Request *request)
{
    char id[32];
    Wire__Ask ask = WIRE__ASK__INIT;
    (void)snprintf(id, sizeof(id), "r%llu", (unsigned long long)++desk->handles);
    request->format = 1;
    request->request_id = id;
    request->principal = who.kind == WIRE__KIND__KIND_UNSET ? NULL : &who;
    request->idempotency_key = key;
    ask.handle = desk->handles;
    ask.request = request;
    struct engine_event event = { .kind = ENGINE_ASK, .ask = &ask };
    desk_step(desk, &event);
    request->request_id = "";
    request->principal = NULL;
    return ask.handle;
}

const Wire__Answer *desk_answer(const struct desk *desk, uint64_t handle)
{
    for (uint32_t i = desk->answers_count; i > 0; i--) {
        if (desk->answers[i - 1].handle == handle) {
            return desk->answers[i - 1].answer;
        }
    }
    return NULL;
}

const Wire__Answer *desk_do(struct desk *desk, Wire__Identity who, Wire__Request *request)
{
    char fresh[32];
    (void)snprintf(fresh, sizeof(fresh), "k%llu", (unsigned long long)desk->handles);
    bool writes = access_operation_of(request) != 0 &&
                  access_operation_writes(access_operation_of(request)) &&
                  request->body_case != WIRE__REQUEST__BODY_JOIN;
    const char *key = writes ? (desk->key != NULL ? desk->key : fresh) : "";
    request->if_match = desk->if_match == NULL ? "" : desk->if_match;
    desk->key = NULL;
    desk->if_match = NULL;
    uint64_t handle = desk_ask(desk, who, key, request);
    if (!desk->later) {
        desk_turn(desk);
    }
    return desk_answer(desk, handle);
}
