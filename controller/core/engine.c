/* Decides which room an event belongs to, and keeps the applied state. Never decides what a command
 * means (apply), who may do what (access), or where anything goes (scheduler). */
#include "controller/core/engine_inner.h"
#include "controller/core/feature.h"

#include "base/check.h"
#include "wire/frame.h"
#include "wire/wire.h"

#include <string.h>

static size_t aligned(size_t size)
{
    return (size + 63) / 64 * 64;
}

size_t engine_memory(const struct engine_conf *conf)
{
    uint32_t nodes = conf->capacity.rows[TABLE_NODE];
    return aligned(sizeof(struct engine)) + aligned(state_memory(&conf->capacity)) +
           aligned(nodes_memory(nodes * 2 + 4096)) +
           aligned((size_t)ENGINE_ASKS * ENGINE_ASK_BYTES) +
           aligned(sizeof(struct word) * ENGINE_WORDS) +
           aligned(sizeof(struct node_soft) * (nodes * 2 + 4096)) +
           aligned(sizeof(uint64_t) * view_set_words(nodes * 2 + 4096)) +
           aligned(sizeof(struct kept_event) * ENGINE_EVENTS) + aligned(pace_memory(conf));
}

static uint8_t *cut(uint8_t **at, size_t size)
{
    uint8_t *from = *at;
    *at += aligned(size);
    return from;
}

struct engine *engine_init(const struct engine_conf *conf, void *memory)
{
    CHECK(conf->self != 0);
    CHECK((uintptr_t)memory % 64 == 0);
    uint8_t *at = memory;
    struct engine *engine = (struct engine *)(void *)cut(&at, sizeof(*engine));
    engine->conf = *conf;
    engine->conf.genesis = NULL;
    CHECK(conf->feature_level <= FEATURE_LEVEL);
    engine->conf.feature_level = conf->feature_level == 0 ? FEATURE_LEVEL : conf->feature_level;
    if (conf->genesis != NULL) {
        bool fits = wire_encode_into(
            conf->genesis, engine->genesis, sizeof(engine->genesis), &engine->genesis_size);
        CHECK(fits);
    }
    state_init(
        &engine->state, conf->cell, &conf->capacity, cut(&at, state_memory(&conf->capacity)));
    uint32_t slots = engine->state.tables[TABLE_NODE].capacity;
    nodes_init(&engine->nodes, slots, conf->placement, cut(&at, nodes_memory(slots)));
    engine->ask_bytes =
        (uint8_t(*)[ENGINE_ASK_BYTES])cut(&at, (size_t)ENGINE_ASKS * ENGINE_ASK_BYTES);
    engine->words = (struct word *)(void *)cut(&at, sizeof(struct word) * ENGINE_WORDS);
    engine->soft = (struct node_soft *)(void *)cut(&at, sizeof(struct node_soft) * slots);
    engine->spread_seen = (uint64_t *)(void *)cut(&at, sizeof(uint64_t) * view_set_words(slots));
    engine->events =
        (struct kept_event *)(void *)cut(&at, sizeof(struct kept_event) * ENGINE_EVENTS);
    pace_init(&engine->pace, conf, cut(&at, pace_memory(conf)));
    engine->role = ENGINE_FOLLOWER;
    engine->fit = true;
    asks_init(engine);
    return engine;
}

struct state *engine_state(struct engine *engine)
{
    return &engine->state;
}

uint64_t engine_applied(const struct engine *engine)
{
    return engine->applied;
}

bool engine_more(const struct engine *engine)
{
    return engine->more;
}

bool engine_turn_due(const struct engine *engine)
{
    return engine->role == ENGINE_LEADING && (engine->words_count > 0 || engine->queue_first != 0 ||
                                              engine->round_wanted || engine->round_open);
}

bool engine_diverged(const struct engine *engine)
{
    return engine->diverged;
}

bool engine_fit(const struct engine *engine)
{
    return engine->fit;
}

bool engine_outgrown(const struct engine *engine)
{
    const struct cell_row *cell = state_cell(&engine->state);
    return cell != NULL && cell->feature_level > engine->conf.feature_level;
}

void engine_restored(struct engine *engine, uint64_t index)
{
    engine->applied = index;
    engine->events_floor = index;
    engine->events_first = engine->events_next;
    standing_applied(engine);
    state_recount(&engine->state);
    nodes_sync(&engine->nodes, &engine->state);
}

/* ---- Helpers of all rooms ---- */

bool engine_room(struct engine *engine)
{
    const struct arena *arena = engine->effects->arena;
    bool room = arena->size - arena->used >= ENGINE_ROOM &&
                engine->effects->count + ENGINE_ROOM_EFFECTS <= EFFECTS_MAX;
    engine->more = engine->more || !room;
    return room;
}

void *engine_take(struct engine *engine, size_t size)
{
    void *room = arena_take(engine->effects->arena, size);
    CHECK(room != NULL); /* ENGINE_ARENA is sized for the largest step. */
    return room;
}

Wire__Frame *engine_frame(
    struct engine *engine, Wire__Kind kind, uint64_t peer, Wire__Frame__BodyCase body)
{
    Wire__Frame *frame = engine_take(engine, sizeof(*frame));
    wire__frame__init(frame);
    frame->format = FRAME_FORMAT;
    frame->body_case = body;
    if (peer != 0) {
        frame->peer = engine_take(engine, sizeof(*frame->peer));
        wire__identity__init(frame->peer);
        frame->peer->kind = kind;
        frame->peer->id = peer;
    }
    bool keys = kind == WIRE__KIND__KIND_UNSET;
    effects_add(engine->effects, keys ? EFFECT_KEYS : EFFECT_SEND)->frame = frame;
    return frame;
}

/* What is known of another controller; made on first sight. NULL: more than there can be. */
struct controller_soft *engine_other(struct engine *engine, uint64_t id)
{
    struct controller_soft *unused = NULL;
    for (size_t i = 0; i < COUNT_OF(engine->others); i++) {
        if (engine->others[i].id == id) {
            return &engine->others[i];
        }
        if (engine->others[i].id == 0 && unused == NULL) {
            unused = &engine->others[i];
        }
    }
    for (size_t i = 0; i < COUNT_OF(engine->others) && unused == NULL; i++) {
        struct controller_soft *other = &engine->others[i];
        bool gone = state_cell(&engine->state) != NULL &&
                    state_find(&engine->state, TABLE_CONTROLLER, other->id) == NULL;
        unused = gone && !other->up ? other : NULL; /* It was removed: its place is free. */
    }
    if (unused != NULL) {
        *unused = (struct controller_soft){ .id = id };
    }
    return unused;
}

bool engine_alone(const struct engine *engine)
{
    for (uint32_t i = 0; i < engine->members_count; i++) {
        if (engine->members[i].voter == 2 && engine->members[i].id != engine->conf.self) {
            return false;
        }
    }
    return true;
}

static uint64_t live_renewed(const void *context, uint64_t node)
{
    const struct engine *engine = context;
    const struct node_row *row = state_find(&engine->state, TABLE_NODE, node);
    if (row == NULL || engine->role != ENGINE_LEADING) {
        return 0;
    }
    const struct table *table = &engine->state.tables[TABLE_NODE];
    size_t slot = (size_t)((const uint8_t *)row - table->rows) / table->row_size;
    return engine->now_ms - engine->soft[slot].renewed_ms;
}

struct view_live engine_live(struct engine *engine)
{
    return (struct view_live){
        .state = &engine->state,
        .arena = engine->effects->arena,
        .renewed_ms_ago = live_renewed,
        .controller = standing_view,
        .context = engine,
    };
}

/* ---- Committed ---- */

static void applied(struct engine *engine, const struct engine_event *event)
{
    CHECK(event->index > engine->applied);
    CHECK(event->entry->n_commands <= LIMIT_COMMANDS_PER_ENTRY);
    struct outcome *outcomes =
        engine_take(engine, sizeof(*outcomes) * (event->entry->n_commands + 1));
    struct apply apply = { .state = &engine->state,
                           .effects = engine->effects,
                           .scratch = engine->effects->arena,
                           .index = event->index };
    uint32_t first = engine->effects->count;
    apply_entry(&apply, event->entry, outcomes);
    engine->applied = event->index;
    const struct cell_row *cell = state_cell(&engine->state);
    if (cell != NULL && engine->lead_base_log < cell->log_time_ms) {
        engine->lead_base_log = cell->log_time_ms;
        engine->lead_base_ms = engine->now_ms;
    }
    standing_applied(engine);
    nodes_follow(&engine->nodes, &engine->state);
    bool assigned = false;
    uint32_t made = engine->effects->count; /* What follows adds more; these are apply's. */
    for (uint32_t i = first; i < made; i++) {
        const struct effect *effect = &engine->effects->list[i];
        if (effect->kind == EFFECT_ASSIGN && engine->role == ENGINE_LEADING) {
            nodes_assign(engine, effect);
            assigned = true;
        } else if (effect->kind == EFFECT_EVENT) {
            lead_event(engine, effect->event, 0);
        }
    }
    if (assigned) {
        nodes_assigned(engine);
    }
    asks_applied(engine, event->ticket, outcomes, event->entry->n_commands);
    asks_watch(engine);
}

/* ---- Other machines ---- */

/* INV-SEC-3: a certificate of an older epoch, or of a machine that is no more, opens no door. */
static bool machine_known(const struct engine *engine, const Wire__Identity *peer)
{
    if (peer->kind == WIRE__KIND__KIND_NODE) {
        const struct node_row *row = state_find(&engine->state, TABLE_NODE, peer->id);
        return row != NULL && row->epoch == peer->epoch;
    }
    if (state_cell(&engine->state) == NULL) {
        return peer->kind == WIRE__KIND__KIND_CONTROLLER; /* A joiner knows nobody yet; TLS did. */
    }
    const struct controller_row *row = state_find(&engine->state, TABLE_CONTROLLER, peer->id);
    return peer->kind == WIRE__KIND__KIND_CONTROLLER &&
           (row == NULL ? engine->applied < engine->commit : row->epoch == peer->epoch);
}

static void framed(struct engine *engine, const Wire__Frame *frame)
{
    const Wire__Identity *peer = frame->peer;
    if (peer == NULL || !machine_known(engine, peer)) {
        return;
    }
    if (peer->kind == WIRE__KIND__KIND_NODE) {
        nodes_said(engine, peer->id, peer->epoch, frame);
    } else if (frame->body_case == WIRE__FRAME__BODY_FORWARD) {
        asks_forwarded(engine, frame->forward, peer->id);
    } else if (frame->body_case == WIRE__FRAME__BODY_FORWARDED) {
        asks_told_by_peer(engine, frame->forwarded);
    } else if (frame->body_case == WIRE__FRAME__BODY_CONFIRM) {
        reads_confirm(engine, peer->id, frame->confirm);
    } else if (frame->body_case == WIRE__FRAME__BODY_CONFIRMED) {
        reads_confirmed(engine, peer->id, frame->confirmed);
    } else if (frame->body_case == WIRE__FRAME__BODY_STANDING) {
        standing_said(engine, peer->id, frame->standing);
    } else if (frame->body_case == WIRE__FRAME__BODY_REFUSALS) {
        refusals_said(engine, peer->id, frame->refusals);
    }
}

static void linked(struct engine *engine, const struct engine_event *event)
{
    if (event->peer_kind == WIRE__KIND__KIND_NODE) {
        nodes_link(engine, event->peer, event->up);
        return;
    }
    struct controller_soft *other = engine_other(engine, event->peer);
    if (other != NULL) {
        other->up = event->up;
        other->standing = other->standing && event->up; /* What it said may hold no more. */
    }
    if (event->up && other != NULL) {
        standing_tell(engine, event->peer);
    }
    if (!event->up) {
        asks_peer_gone(engine, event->peer);
    } else if (event->peer == engine->leader) {
        asks_leading(engine); /* The leader can be reached: what waits is forwarded. */
    }
}

/* ---- Consensus ---- */

static void role_told(struct engine *engine, const struct engine_event *event)
{
    bool led = engine->role == ENGINE_LEADING;
    bool leads = event->role == ENGINE_LEADING;
    bool anew = leads && (!led || event->term != engine->term);
    engine->role = event->role;
    engine->term = event->term;
    engine->leader = leads ? engine->conf.self : event->leader;
    if (led && !leads) {
        asks_follower(engine);
    } else if (!leads && engine->leader != 0) {
        asks_leading(engine); /* Somebody leads: what waits can be forwarded. */
    }
    if (anew) {
        engine->lead_base_ms = engine->now_ms;
        const struct cell_row *cell = state_cell(&engine->state);
        engine->lead_base_log = cell == NULL ? 0 : cell->log_time_ms;
        nodes_sync(&engine->nodes, &engine->state);
        nodes_leading(engine);
        lead_begin(engine);
        asks_leading(engine);
    }
}

static void members_told(struct engine *engine, const struct engine_event *event)
{
    CHECK(event->members_count <= LIMIT_CONTROLLERS);
    memcpy(engine->members, event->members, sizeof(engine->members[0]) * event->members_count);
    engine->members_count = event->members_count;
    engine->commit = event->commit;
    engine->fit = event->fit;
    engine->poisoned = event->poisoned;
    if (engine->role != ENGINE_LEADING && event->leader != 0 && event->leader != engine->leader) {
        engine->leader = event->leader;
        asks_leading(engine); /* Somebody leads: what waits can be forwarded. */
    }
}

void engine_step(struct engine *engine, const struct engine_event *event, struct effects *effects)
{
    CHECK(effects->arena != NULL);
    CHECK(event->now_ms >= engine->now_ms);
    engine->effects = effects;
    engine->now_ms = event->now_ms;
    engine->wall_ms = event->wall_ms;
    switch (event->kind) {
    case ENGINE_ASK: asks_arrive(engine, event->ask->request, event->ask->handle, 0); break;
    case ENGINE_FRAME: framed(engine, event->frame); break;
    case ENGINE_LINK: linked(engine, event); break;
    case ENGINE_TOLD:
        if (event->frame->body_case == WIRE__FRAME__BODY_ISSUE_TOLD) {
            asks_told_by_keys(engine, event->frame->issue_told);
        } else if (event->frame->body_case == WIRE__FRAME__BODY_NOTE_TOLD) {
            lead_note_told(engine, event->frame->note_told);
        } else if (event->frame->body_case == WIRE__FRAME__BODY_PROCESS_RESTARTED) {
            processes_told(engine, event->frame->process_restarted);
        } else if (event->frame->body_case == WIRE__FRAME__BODY_TURNED_AWAY) {
            refusals_turned_away(engine, event->door, event->frame->turned_away);
        }
        break;
    case ENGINE_APPLIED: applied(engine, event); break;
    case ENGINE_LOST: asks_lost(engine, event->ticket); break;
    case ENGINE_REFUSED: asks_submit_refused(engine, event->ticket, event->failure); break;
    case ENGINE_ROLE: role_told(engine, event); break;
    case ENGINE_MEMBERS: members_told(engine, event); break;
    case ENGINE_CLOCK:
        asks_clock(engine);
        nodes_clock(engine);
        lead_clock(engine);
        refusals_clock(engine);
        if (engine->now_ms / 1000 != (engine->now_ms - LIMIT_TICK_MS) / 1000) {
            standing_clock(engine);
        }
        break;
    case ENGINE_MORE:
        engine->more = false;
        asks_leading(engine);
        reads_more(engine);
        break;
    case ENGINE_LEAVE: asks_leave(engine); break;
    case ENGINE_RENEW: papers_own(engine, event); break;
    case ENGINE_TURN:
        reads_turn(engine);
        asks_submit(engine);
        break;
    }
    engine->effects = NULL;
}
