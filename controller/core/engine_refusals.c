/* Decides how what this controller refused becomes leaves: folded, then posted to whoever leads,
 * again and again until it is seen applied (INV-AUD-5). Never decides what is refused.
 *
 * What dies with the process, dies: at most what was refused since the last second or two. */
#include "base/check.h"
#include "controller/core/engine_inner.h"

#include <string.h>

enum { LOOK_MS = 500, AGAIN_MS = 2000 };

void refusals_note(struct engine *engine, const Wire__Request *request, enum reject reject)
{
    enum access_operation operation = access_operation_of(request);
    struct fold_key key = { .door = DOOR_API, .reject = (uint32_t)reject };
    const char *word = operation == 0 ? "unknown" : access_operation_name(operation);
    (void)text_copy(key.operation, sizeof(key.operation), slice_text(word));
    if (request->principal != NULL) {
        key.actor_kind = (uint32_t)request->principal->kind;
        key.actor = request->principal->id;
    }
    uint8_t sample[AUDIT_HASH] = { 0 };
    fold_add(&engine->refusals.fold, &key, lead_wall(engine), sample);
}

void refusals_turned_away(struct engine *engine, uint32_t door, const Wire__TurnedAway *told)
{
    struct fold_row row = { .key = { .door = door, .reject = told->reject },
                            .first_ms = told->first_ms,
                            .last_ms = told->last_ms,
                            .count = told->count,
                            .overflow = told->overflow };
    bool counted = told->count > 0 && told->first_ms <= told->last_ms;
    bool fits =
        text_copy(row.key.operation, sizeof(row.key.operation), slice_text(told->operation));
    if (!counted || (!told->overflow && (told->reject == 0 || !fits))) {
        return; /* Not what our own doors say. */
    }
    if (told->overflow) {
        row.key = (struct fold_key){ 0 };
    } else if (told->principal != NULL) {
        row.key.actor_kind = (uint32_t)told->principal->kind;
        row.key.actor = told->principal->id;
    }
    fold_return(&engine->refusals.fold, &row);
}

/* Takes out of posting what has become leaves, and fills it when it is empty. */
static void turn_over(struct engine *engine, uint64_t done)
{
    struct refusals *refusals = &engine->refusals;
    uint64_t settled = done - refusals->done;
    uint32_t gone = settled < refusals->posting_count ? (uint32_t)settled : refusals->posting_count;
    refusals->posting_count -= gone;
    for (uint32_t i = 0; i < refusals->posting_count; i++) {
        refusals->posting[i] = refusals->posting[i + gone];
    }
    refusals->done = done;
    if (refusals->posting_count > 0) {
        return;
    }
    while (refusals->posting_count < REFUSALS_POSTING &&
           fold_take(
               &refusals->fold, lead_wall(engine), &refusals->posting[refusals->posting_count])) {
        refusals->posting_count++;
        refusals->sent_ms = 0;
    }
}

static void refused_of(
    const struct engine *engine, uint32_t at, Wire__Refused *refused, Wire__Identity *principal)
{
    const struct fold_row *row = &engine->refusals.posting[at];
    wire__identity__init(principal);
    wire__refused__init(refused);
    principal->kind = (Wire__Kind)row->key.actor_kind;
    principal->id = row->key.actor;
    refused->principal = principal;
    refused->door = row->key.door;
    refused->operation = row->overflow ? "many" : row->key.operation;
    refused->reject = row->key.reject;
    refused->first_ms = row->first_ms;
    refused->last_ms = row->last_ms;
    refused->count = row->count;
    refused->overflow = row->overflow;
    refused->controller = engine->conf.self;
    refused->serial = engine->refusals.done + 1 + at;
}

static void word(struct engine *engine, Wire__Refused *refused)
{
    Wire__Command command;
    if (engine->words_count >= ENGINE_WORDS / 2) {
        return; /* It is said again. */
    }
    lead_word_of(&command, WIRE__COMMAND__BODY_REFUSED);
    command.refused = refused;
    lead_word(engine, &command);
}

static void post(struct engine *engine)
{
    uint32_t count = engine->refusals.posting_count;
    Wire__Refused *refused = engine_take(engine, sizeof(*refused) * REFUSALS_POSTING);
    Wire__Identity *principals = engine_take(engine, sizeof(*principals) * REFUSALS_POSTING);
    Wire__Refused **list = engine_take(engine, sizeof(Wire__Refused *) * REFUSALS_POSTING);
    for (uint32_t i = 0; i < count; i++) {
        refused_of(engine, i, &refused[i], &principals[i]);
        list[i] = &refused[i];
    }
    if (engine->role == ENGINE_LEADING) {
        for (uint32_t i = 0; i < count; i++) {
            word(engine, list[i]);
        }
        return;
    }
    Wire__Frame *frame = engine_frame(
        engine, WIRE__KIND__KIND_CONTROLLER, engine->leader, WIRE__FRAME__BODY_REFUSALS);
    frame->refusals = engine_take(engine, sizeof(*frame->refusals));
    wire__refusals__init(frame->refusals);
    frame->refusals->n_refused = count;
    frame->refusals->refused = list;
}

void refusals_clock(struct engine *engine)
{
    struct refusals *refusals = &engine->refusals;
    const struct controller_row *self =
        state_find(&engine->state, TABLE_CONTROLLER, engine->conf.self);
    if (self == NULL || engine->now_ms - refusals->looked_ms < LOOK_MS) {
        return;
    }
    refusals->looked_ms = engine->now_ms;
    CHECK(self->refusals >= refusals->done);
    turn_over(engine, self->refusals);
    const struct controller_soft *leader =
        engine->leader == 0 ? NULL : engine_other(engine, engine->leader);
    bool heard = engine->role == ENGINE_LEADING ||
                 (engine->leader != engine->conf.self && leader != NULL && leader->up);
    bool due = refusals->sent_ms == 0 || engine->now_ms - refusals->sent_ms >= AGAIN_MS;
    if (refusals->posting_count == 0 || !heard || !due) {
        return;
    }
    refusals->sent_ms = engine->now_ms;
    post(engine);
}

void refusals_said(struct engine *engine, uint64_t peer, const Wire__Refusals *said)
{
    for (size_t i = 0; i < said->n_refused && engine->role == ENGINE_LEADING; i++) {
        Wire__Refused refused = *said->refused[i];
        if (i < REFUSALS_POSTING && strlen(refused.operation) < FOLD_WORD && refused.count > 0) {
            refused.controller = peer; /* Its own, whatever it says. */
            word(engine, &refused);
        }
    }
}
