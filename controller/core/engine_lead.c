/* Decides what a leader does by itself: begin the cell, keep time, sign the audit log, keep
 * consensus members in step with the controllers' rows. */
#include "base/check.h"
#include "base/mutant.h"
#include "controller/core/engine_inner.h"
#include "controller/core/feature.h"
#include "wire/wire.h"

#include <string.h>

enum {
    HOUSEKEEPING_MS = 500,
    FORGET_LOOK = 1024,
    CHECKPOINT_MS = 1000,
    CHECKPOINT_LEAVES = 256,
    NOTE_DEADLINE_MS = 5000,
    AWAY_MS = 5000,                          /* Longer than a restart, shorter than patience. */
    WALL_DRIFT_MS = LIMIT_WALL_BOUND_MS / 2, /* A clock further from its row is reported anew. */
};

uint64_t lead_log_time(const struct engine *engine)
{
    CHECK(engine->now_ms >= engine->lead_base_ms);
    return engine->lead_base_log + (engine->now_ms - engine->lead_base_ms); /* INV-TIME-1 */
}

/* What the cell's wall clock shows by now; a leader's own may be wrong. INV-TIME-2 */
uint64_t lead_wall(const struct engine *engine)
{
    const struct cell_row *cell = state_cell(&engine->state);
    bool bounded = cell != NULL && cell->feature_level >= FEATURE_BOUNDS;
    return bounded && engine->role == ENGINE_LEADING
               ? cell->wall_ms + (lead_log_time(engine) - cell->log_time_ms)
               : engine->wall_ms;
}

/* A command of the plane itself. A full list refuses the newest: everything that is told here is
 * told again as long as it stays true. */
void lead_word(struct engine *engine, const Wire__Command *command)
{
    const struct cell_row *cell = state_cell(&engine->state);
    if (cell != NULL && feature_of(command) > cell->feature_level) {
        return; /* Somebody would not understand it; told again once everybody does. */
    }
    if (engine->words_count == ENGINE_WORDS) {
        engine->words_dropped++;
        return;
    }
    uint32_t at = (engine->words_first + engine->words_count) % ENGINE_WORDS;
    size_t size = 0;
    if (!wire_encode_into(command, engine->words[at].bytes, ENGINE_WORD_BYTES, &size)) {
        engine->words_dropped++;
        return;
    }
    engine->words[at].size = (uint32_t)size;
    engine->words_count++;
}

void lead_words_return(struct engine *engine, uint32_t first, uint32_t count)
{
    CHECK(count <= ENGINE_WORDS);
    bool next = (first + count) % ENGINE_WORDS == engine->words_first;
    if (count == 0 || engine->role != ENGINE_LEADING) {
        return; /* The next leader sees for itself. */
    }
    if (!next || engine->words_count + count > ENGINE_WORDS) {
        engine->words_dropped += count; /* A later entry went first, or their room is taken. */
        return;
    }
    engine->words_first = first;
    engine->words_count += count;
}

void lead_word_of(Wire__Command *command, Wire__Command__BodyCase body)
{
    wire__command__init(command);
    command->format = 1;
    command->body_case = body;
}

/* ---- Members ---- */

static const struct engine_member *member_of(const struct engine *engine, uint64_t id)
{
    for (uint32_t i = 0; i < engine->members_count; i++) {
        if (engine->members[i].id == id) {
            return &engine->members[i];
        }
    }
    return NULL;
}

/* Said late and taken back at once: a restart is no alarm. */
static bool is_away(const struct engine *engine, const struct controller_row *row)
{
    const struct engine_member *member = member_of(engine, row->head.id);
    return state_cell(&engine->state)->feature_level >= FEATURE_BOUNDS && member != NULL &&
           row->head.id != engine->conf.self && member->heard_ms >= AWAY_MS &&
           engine->now_ms - engine->led_since_ms >= AWAY_MS;
}

static void report_controller(
    struct engine *engine, const struct controller_row *row, uint32_t voter, bool gone)
{
    Wire__ControllerReported reported = WIRE__CONTROLLER_REPORTED__INIT;
    reported.controller = row->head.id;
    reported.voter = voter;
    reported.gone = gone;
    reported.away = is_away(engine, row);
    reported.feature_level = row->feature_level;
    (void)standing_known(engine, row->head.id, &reported.feature_level, &reported.wall_ms);
    Wire__Command command;
    lead_word_of(&command, WIRE__COMMAND__BODY_CONTROLLER_REPORTED);
    command.controller_reported = &reported;
    lead_word(engine, &command);
}

/* Does its row say something else than the controller itself? */
static bool row_is_old(struct engine *engine, const struct controller_row *row)
{
    uint32_t level = 0;
    uint64_t wall_ms = 0;
    if (!standing_known(engine, row->head.id, &level, &wall_ms)) {
        return false;
    }
    uint64_t expected = row->wall_ms + (lead_log_time(engine) - row->wall_log_ms);
    uint64_t drift = expected > wall_ms ? expected - wall_ms : wall_ms - expected;
    bool bounded = state_cell(&engine->state)->feature_level >= FEATURE_BOUNDS;
    return row->feature_level != level ||
           (bounded && (row->wall_log_ms == 0 || drift > WALL_DRIFT_MS));
}

/* The first words of a term: whose clocks show what, so that its entries have a wall time. */
static void report_walls(struct engine *engine)
{
    for (const struct controller_row *row = state_first(&engine->state, TABLE_CONTROLLER);
         row != NULL;
         row = state_next(&engine->state, TABLE_CONTROLLER, row)) {
        if (!row->leaving && row_is_old(engine, row)) {
            report_controller(engine, row, row->voter, false);
        }
    }
}

/* A level rises once every controller of the cell has said that it understands it. */
static void raise_level(struct engine *engine)
{
    uint32_t level = engine->conf.feature_level;
    for (const struct controller_row *row = state_first(&engine->state, TABLE_CONTROLLER);
         row != NULL;
         row = state_next(&engine->state, TABLE_CONTROLLER, row)) {
        level = !row->leaving && row->feature_level < level ? row->feature_level : level;
    }
    if (level > state_cell(&engine->state)->feature_level) {
        Wire__FeatureLevelRaised raised = WIRE__FEATURE_LEVEL_RAISED__INIT;
        Wire__Command command;
        raised.level = level;
        lead_word_of(&command, WIRE__COMMAND__BODY_FEATURE_LEVEL_RAISED);
        command.feature_level_raised = &raised;
        lead_word(engine, &command);
    }
}

/* INV-REF-3: what this leader sees of the digests becomes the cell's own knowledge. It is over when
 * a majority agrees on something newer. */
static void judge_cell(struct engine *engine)
{
    const struct cell_row *cell = state_cell(&engine->state);
    bool disputed = engine->disputed_index != 0;
    bool over = !disputed && engine->agreed_index > cell->disputed_index;
    if (disputed == (cell->disputed_index != 0) || (!disputed && !over)) {
        return;
    }
    Wire__CellJudged judged = WIRE__CELL_JUDGED__INIT;
    Wire__Command command;
    judged.disputed_index = engine->disputed_index;
    lead_word_of(&command, WIRE__COMMAND__BODY_CELL_JUDGED);
    command.cell_judged = &judged;
    lead_word(engine, &command);
}

/* Level-triggered: what the rows want and consensus lacks is asked for again until it is so. One
 * change at a time is consensus's own rule; it answers busy. */
static void keep_members(struct engine *engine)
{
    for (const struct controller_row *row = state_first(&engine->state, TABLE_CONTROLLER);
         row != NULL;
         row = state_next(&engine->state, TABLE_CONTROLLER, row)) {
        const struct engine_member *member = member_of(engine, row->head.id);
        const struct controller_soft *other = engine_other(engine, row->head.id);
        bool reachable = row->head.id == engine->conf.self || (other != NULL && other->up);
        uint32_t level = 0;
        uint64_t wall_ms = 0;
        bool understands = standing_known(engine, row->head.id, &level, &wall_ms) &&
                           level >= state_cell(&engine->state)->feature_level;
        if (row->leaving && member != NULL) {
            effects_add(engine->effects, EFFECT_MEMBER_REMOVE)->id = row->head.id;
        } else if (row->leaving) {
            report_controller(engine, row, 0, true);
        } else if (member == NULL && reachable && understands) {
            effects_add(engine->effects, EFFECT_MEMBER_ADD)->id = row->head.id;
        } else if (member != NULL && member->voter != row->voter) {
            report_controller(engine, row, member->voter, false);
        } else if (row_is_old(engine, row) || row->away != is_away(engine, row)) {
            report_controller(engine, row, row->voter, false);
        }
    }
}

/* ---- A term begins ---- */

void lead_begin(struct engine *engine)
{
    Wire__Command command;
    if (state_cell(&engine->state) == NULL) {
        Wire__Genesis *genesis = NULL;
        if (engine->genesis_size == 0) {
            return; /* Somebody else begins this cell. */
        }
        struct result decoded = wire_decode(
            &wire__genesis__descriptor,
            slice_of(engine->genesis, engine->genesis_size),
            engine->effects->arena,
            &genesis);
        CHECK(decoded.code == 0);
        lead_word_of(&command, WIRE__COMMAND__BODY_GENESIS);
        command.genesis = genesis;
        lead_word(engine, &command);
    }
    if (state_cell(&engine->state) != NULL) {
        report_walls(engine);
    }
    Wire__LeaderChanged changed = WIRE__LEADER_CHANGED__INIT;
    changed.controller = engine->conf.self;
    changed.term = engine->term;
    lead_word_of(&command, WIRE__COMMAND__BODY_LEADER_CHANGED);
    command.leader_changed = &changed;
    lead_word(engine, &command);
    engine->note_pending = false;
    engine->kept_house_ms = engine->now_ms;
    engine->led_since_ms = engine->now_ms;
}

/* ---- Events for clients that resume ---- */

void lead_event(struct engine *engine, const Wire__EventView *event, uint64_t tenant)
{
    struct kept_event *kept = &engine->events[engine->events_next % ENGINE_EVENTS];
    memset(kept, 0, sizeof(*kept));
    uint64_t id = 0;
    kept->index = event->index;
    kept->part = event->part;
    kept->at = event->at;
    kept->kind = event->kind;
    kept->tenant = tenant != 0 ? tenant : (id_parse(ID_TENANT, event->tenant, &id) ? id : 0);
    kept->subject =
        event->kind != 0 && id_parse((enum id_kind)event->kind, event->subject, &id) ? id : 0;
    (void)text_copy(kept->name, sizeof(kept->name), slice_text(event->name));
    (void)text_copy(kept->reason, sizeof(kept->reason), slice_text(event->reason));
    engine->events_next++;
    if (engine->events_next - engine->events_first > ENGINE_EVENTS) {
        engine->events_floor = engine->events[engine->events_first % ENGINE_EVENTS].index;
        engine->events_first = engine->events_next - ENGINE_EVENTS;
    }
}

/* ---- Checkpoints ---- */

/* The sorted map of every tenant that ever had a leaf. Table order is id order; the provider, 0,
 * comes first. */
static void map_root(const struct state *state, uint8_t root_out[static AUDIT_HASH])
{
    struct audit_frontier map = { .size = 0 };
    const struct cell_row *cell = state_cell(state);
    audit_map_append(&map, 0, &cell->chain);
    for (const struct tenant_row *row = state_first(state, TABLE_TENANT); row != NULL;
         row = state_next(state, TABLE_TENANT, row)) {
        audit_map_append(&map, row->head.id, &row->chain);
    }
    audit_root(&map, root_out);
}

static void checkpoint(struct engine *engine)
{
    const struct cell_row *cell = state_cell(&engine->state);
    uint64_t waiting = cell->frontier.size - cell->checkpoint_size;
    bool due = waiting >= CHECKPOINT_LEAVES ||
               (waiting > 0 && engine->now_ms - engine->note_since_ms >= CHECKPOINT_MS);
    if (engine->note_pending && engine->now_ms - engine->note_since_ms >= NOTE_DEADLINE_MS) {
        engine->note_pending = false; /* keys died meanwhile; it is asked again. */
    }
    if (!due || engine->note_pending) {
        return;
    }
    struct audit_checkpoint made = { .size = cell->frontier.size,
                                     .log_time_ms = cell->log_time_ms };
    audit_origin(engine->conf.cell, made.origin);
    audit_root(&cell->frontier, made.root);
    map_root(&engine->state, made.map_root);
    audit_checkpoint_body(&made, engine->note_body);
    engine->note_pending = true;
    engine->note_since_ms = engine->now_ms;
    engine->note_size = cell->frontier.size;
    Wire__Frame *frame =
        engine_frame(engine, WIRE__KIND__KIND_UNSET, 0, WIRE__FRAME__BODY_NOTE_ASK);
    frame->note_ask = engine_take(engine, sizeof(*frame->note_ask));
    wire__note_ask__init(frame->note_ask);
    frame->note_ask->handle = engine->note_size;
    frame->note_ask->body = engine->note_body;
}

void lead_note_told(struct engine *engine, const Wire__NoteTold *told)
{
    if (!engine->note_pending || told->handle != engine->note_size ||
        engine->role != ENGINE_LEADING) {
        return;
    }
    engine->note_pending = false;
    engine->note_since_ms = engine->now_ms;
    size_t body = strlen(engine->note_body);
    size_t signature = strlen(told->signature);
    char note[sizeof(((struct cell_row *)0)->checkpoint_note)];
    if (signature == 0 || body + 1 + signature + 2 > sizeof(note)) {
        return;
    }
    memcpy(note, engine->note_body, body);
    note[body] = '\n'; /* A signed note: text, empty line, signature lines. */
    memcpy(note + body + 1, told->signature, signature);
    size_t end = body + 1 + signature;
    if (note[end - 1] != '\n') {
        note[end++] = '\n';
    }
    note[end] = '\0';
    Wire__Checkpointed checkpointed = WIRE__CHECKPOINTED__INIT;
    checkpointed.size =
        MUTANT(AUDIT_SIZE_OF_NOW) ? state_cell(&engine->state)->frontier.size : engine->note_size;
    checkpointed.note = note;
    Wire__Command command;
    lead_word_of(&command, WIRE__COMMAND__BODY_CHECKPOINTED);
    command.checkpointed = &checkpointed;
    lead_word(engine, &command);
}

/* Who can do better than a leader whose disk is full. Nobody: then it goes on leading, refuses what
 * needs room and takes what frees some, instead of passing the cell around. */
static uint64_t fit_voter(struct engine *engine)
{
    for (uint32_t i = 0; i < engine->members_count; i++) {
        uint64_t id = engine->members[i].id;
        const struct controller_soft *other =
            id == engine->conf.self || engine->members[i].voter != 2 ? NULL
                                                                     : engine_other(engine, id);
        if (other != NULL && other->up && other->standing && other->fit) {
            return id;
        }
    }
    return 0;
}

/* ---- Time ---- */

/* The first operation from here on that may be forgotten, or 0. The table is gone through in
 * bounded pieces, round after round: those that still run may stand anywhere. */
static uint64_t forgettable(struct engine *engine)
{
    const struct state *state = &engine->state;
    const struct operation_row *row = state_find(state, TABLE_OPERATION, engine->looked_at);
    row = row == NULL ? state_first(state, TABLE_OPERATION) : row;
    for (int i = 0; i < FORGET_LOOK && row != NULL; i++) {
        if (apply_forgettable(row, lead_log_time(engine))) {
            return row->head.id;
        }
        engine->looked_at = row->head.id;
        row = state_next(state, TABLE_OPERATION, row);
    }
    engine->looked_at = row == NULL ? 0 : row->head.id;
    return 0;
}

static bool token_due(const struct engine *engine)
{
    uint64_t now_ms = lead_log_time(engine);
    bool tokens = false;
    for (const struct token_row *row = state_first(&engine->state, TABLE_TOKEN); row != NULL;
         row = state_next(&engine->state, TABLE_TOKEN, row)) {
        tokens = tokens || row->expires_ms <= now_ms;
    }
    return tokens;
}

void lead_clock(struct engine *engine)
{
    if (engine->role != ENGINE_LEADING || state_cell(&engine->state) == NULL ||
        engine->now_ms - engine->kept_house_ms < HOUSEKEEPING_MS) {
        return;
    }
    engine->kept_house_ms = engine->now_ms;
    keep_members(engine);
    raise_level(engine);
    judge_cell(engine);
    processes_clock(engine);
    checkpoint(engine);
    Wire__Tick tick = WIRE__TICK__INIT;
    tick.operation = forgettable(engine);
    if (tick.operation != 0 || token_due(engine)) {
        Wire__Command command;
        lead_word_of(&command, WIRE__COMMAND__BODY_TICK);
        command.tick = &tick;
        lead_word(engine, &command);
    }
    uint64_t heir = engine->fit ? 0 : fit_voter(engine);
    if (heir != 0) {
        effects_add(engine->effects, EFFECT_HAND_OVER)->id = heir;
    }
}
