/* Decides what becomes of asks that wait for somebody else: another controller, a node, an
 * operation's end, or the store. */
#include "base/check.h"
#include "controller/core/engine_inner.h"

#include <string.h>

enum { WAIT_SECONDS_MAX = 30, EVENT_PAGE = 200, EVENTS_MAX = 2048 };

/* ---- Told by others ---- */

/* Said at the leader's door, before anybody looked whether this write is under way there. */
static bool said_at_the_door(uint32_t reject)
{
    return reject == REJECT_RATE || reject == REJECT_OVERLOADED || reject == REJECT_UNFIT;
}

void asks_told_by_peer(struct engine *engine, const Wire__Told *told)
{
    uint32_t slot = 0;
    if (told->answer == NULL || !asks_slot(engine, told->handle, ASK_FORWARDED, &slot)) {
        return;
    }
    if (told->answer->reject == REJECT_NO_LEADER && engine->asks[slot].repeatable) {
        engine->asks[slot].phase = ASK_LEADERLESS; /* Not yet, or not any more: soon again. */
        return;
    }
    if (engine->asks[slot].unknown && said_at_the_door(told->answer->reject)) { /* INV-IDEM-3 */
        asks_refuse(
            engine,
            slot,
            REJECT_OUTCOME_UNKNOWN,
            "It was told twice; the second was turned away, the first may have been done.",
            1);
        return;
    }
    asks_answer(engine, slot, told->answer);
}

/* ---- Waiting for an operation; a console ---- */

/* The principal may see this operation; NULL: refused as not found. */
static const struct operation_row *operation_seen(
    struct engine *engine, const Wire__Request *request, const char *id)
{
    struct access_principal who;
    const struct operation_row *row = state_lookup(&engine->state, TABLE_OPERATION, 0, id);
    if (row == NULL || !apply_principal(&engine->state, request->principal, &who) ||
        access_decide(&who, ACCESS_OPERATION_WAIT, row->tenant.value) != REJECT_NONE) {
        return NULL;
    }
    return row;
}

void asks_wait(struct engine *engine, uint32_t slot, const Wire__Request *request)
{
    struct ask *ask = &engine->asks[slot];
    const Wire__OperationWait *wait = request->operation_wait;
    const struct operation_row *row = operation_seen(engine, request, wait->operation);
    if (row == NULL) {
        asks_refuse(engine, slot, REJECT_NOT_FOUND, "There is no such operation.", 0);
        return;
    }
    uint32_t seconds = wait->seconds < WAIT_SECONDS_MAX ? wait->seconds : WAIT_SECONDS_MAX;
    ask->phase = ASK_WAITING;
    engine->waiting_count++;
    ask->operation = row->head.id;
    ask->until_ms = engine->now_ms + seconds * 1000;
    asks_watch(engine);
}

void asks_watch(struct engine *engine)
{
    if (engine->waiting_count == 0) {
        return;
    }
    struct ask_walk walk = { .slot = 0 };
    for (const struct ask *ask = NULL; (ask = asks_next(engine, &walk)) != NULL;) {
        if (ask->phase != ASK_WAITING) {
            continue;
        }
        const struct operation_row *row =
            state_find(&engine->state, TABLE_OPERATION, ask->operation);
        if (row == NULL || row->state != WIRE__OPERATION_STATE__OPERATION_STATE_RUNNING) {
            struct outcome ended = { .operation = ask->operation };
            wire__problem__init(&ended.problem);
            asks_answer_operation(engine, walk.slot, &ended);
        }
    }
}

void asks_console_read(struct engine *engine, uint32_t slot, const Wire__Request *request)
{
    const Wire__ConsoleRead *read = request->console_read;
    struct outcome outcome = { .reject = REJECT_NONE };
    wire__problem__init(&outcome.problem);
    struct apply seen = { .state = &engine->state,
                          .scratch = engine->effects->arena,
                          .dry = true,
                          .operation = ACCESS_CONSOLE_READ };
    (void)apply_principal(&engine->state, request->principal, &seen.who);
    const struct project_row *project = NULL;
    enum reject reject = access_decide_role(&seen.who, seen.operation);
    if (reject != REJECT_NONE) {
        refuse(&seen, &outcome, reject, "This principal may not read consoles.", "", "");
    } else {
        project = apply_project(&seen, &outcome, read->tenant, read->project);
    }
    const struct instance_row *row =
        project == NULL
            ? NULL
            : state_lookup(&engine->state, TABLE_INSTANCE, project->head.id, read->instance);
    if (outcome.reject == REJECT_NONE && row == NULL) {
        refuse(&seen, &outcome, REJECT_NOT_FOUND, "There is no such instance.", "/instance", "");
    } else if (outcome.reject == REJECT_NONE && row->node.value == 0) {
        refuse(&seen, &outcome, REJECT_STATE, "It is on no node, so it has no console.", "", "");
    }
    if (outcome.reject != REJECT_NONE) {
        Wire__Answer *answer = asks_answer_new(engine, request);
        asks_problem(engine, answer, &outcome);
        refusals_note(engine, request, outcome.reject);
        asks_answer(engine, slot, answer);
        return;
    }
    struct ask *ask = &engine->asks[slot];
    ask->phase = ASK_CONSOLE;
    ask->round = row->node.value;
    Wire__Frame *frame =
        engine_frame(engine, WIRE__KIND__KIND_NODE, row->node.value, WIRE__FRAME__BODY_CONSOLE_ASK);
    frame->console_ask = engine_take(engine, sizeof(*frame->console_ask));
    wire__node_console_ask__init(frame->console_ask);
    frame->console_ask->handle = asks_handle(engine, slot);
    frame->console_ask->instance = row->head.id;
    frame->console_ask->offset = read->offset;
}

void asks_console(struct engine *engine, uint64_t node, const Wire__NodeConsoleTold *told)
{
    uint32_t slot = 0;
    if (!asks_slot(engine, told->handle, ASK_CONSOLE, &slot) || engine->asks[slot].round != node) {
        return;
    }
    if (told->failure != 0) {
        bool none = told->failure == FAILURE_NOT_FOUND;
        asks_refuse(
            engine,
            slot,
            none ? REJECT_NOT_FOUND : REJECT_OVERLOADED,
            none ? "The node has no console log of it."
                 : "The node is reading other consoles, or cannot read this one now.",
            none ? 0 : 1);
        return;
    }
    Wire__Answer *answer = asks_answer_to(engine, slot);
    answer->console = engine_take(engine, sizeof(*answer->console));
    wire__console_data__init(answer->console);
    answer->console->data = told->data;
    answer->console->offset = told->offset;
    answer->console->size = told->size;
    asks_answer(engine, slot, answer);
}

/* ---- Audit and events ---- */

/* The checkpoint in force. A tenant's comes with the proof of its place in the map that is signed:
 * the leaves that it takes are in the store, so the shell adds it and answers. */
static void answer_checkpoint(struct engine *engine, uint32_t slot, uint64_t tenant)
{
    const struct cell_row *cell = state_cell(&engine->state);
    Wire__Answer *answer = asks_answer_to(engine, slot);
    answer->checkpoint = engine_take(engine, sizeof(*answer->checkpoint));
    wire__checkpoint_view__init(answer->checkpoint);
    answer->checkpoint->note = cell->checkpoint_note;
    answer->checkpoint->size = cell->checkpoint_size;
    if (tenant == 0 || cell->checkpoint_size == 0) {
        asks_answer(engine, slot, answer);
        return;
    }
    struct effect *effect = effects_add(engine->effects, EFFECT_PROVE);
    effect->handle = engine->asks[slot].handle;
    effect->origin = engine->asks[slot].origin;
    effect->node = tenant;
    effect->answer = answer;
    asks_forget(engine, slot);
}

struct actor {
    Wire__Kind kind; /* UNSET: nobody was named. */
    uint64_t id;
};

/* Whose deeds are asked for, by name or id: a user's, a machine's, or what the plane itself did
 * ("cell"). A tenant asks only for those of its own users. A name that two of them have is
 * nobody's: an auditor who is shown one of two would not know it. */
static bool actor_scope(
    const struct state *state,
    const struct apply *seen,
    const char *name,
    uint64_t tenant,
    struct outcome *outcome,
    struct actor *actor_out)
{
    static const enum state_table tables[] = { TABLE_USER, TABLE_NODE, TABLE_CONTROLLER };
    static const Wire__Kind kinds[] = { WIRE__KIND__KIND_USER,
                                        WIRE__KIND__KIND_NODE,
                                        WIRE__KIND__KIND_CONTROLLER };
    struct actor found = { .kind = WIRE__KIND__KIND_CELL, .id = id_make(state->cell, 1) };
    uint32_t count = tenant == 0 && strcmp(name, "cell") == 0 ? 1 : 0;
    _Static_assert(COUNT_OF(tables) == COUNT_OF(kinds), "each table has its kind");
    *actor_out = (struct actor){ .kind = WIRE__KIND__KIND_UNSET };
    if (name[0] == '\0') {
        return true;
    }
    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        const void *row = state_lookup(state, tables[i], 0, name);
        bool user = tables[i] == TABLE_USER;
        uint64_t owner = row != NULL && user ? ((const struct user_row *)row)->tenant.value : 0;
        if (row == NULL || (tenant != 0 && owner != tenant)) {
            continue;
        }
        found = (struct actor){ kinds[i], ((const struct row_head *)row)->id };
        count++;
    }
    if (count == 0) { /* Everybody's leaves would be the wrong answer. */
        refuse(seen, outcome, REJECT_NOT_FOUND, "There is no such principal.", "/actor", "");
    } else if (count > 1) {
        refuse(
            seen,
            outcome,
            REJECT_BAD_FIELD,
            "More than one has this name.",
            "/actor",
            "Say its id.");
    } else {
        *actor_out = found;
    }
    return count == 1;
}

/* Whose leaves may be seen: 0 and true: everybody's. */
static bool leaves_scope(
    struct engine *engine,
    const Wire__Request *request,
    struct outcome *outcome,
    uint64_t *tenant,
    struct actor *actor)
{
    const Wire__AuditRead *read = request->audit_read;
    struct apply seen = { .state = &engine->state,
                          .scratch = engine->effects->arena,
                          .dry = true,
                          .operation = ACCESS_AUDIT_READ };
    (void)apply_principal(&engine->state, request->principal, &seen.who);
    enum reject reject =
        seen.who.revoked ? REJECT_REVOKED : access_decide_role(&seen.who, seen.operation);
    if (reject != REJECT_NONE) {
        refuse(&seen, outcome, reject, "This principal may not read the audit log.", "", "");
        return false;
    }
    *tenant = seen.who.role == ACCESS_ROLE_TENANT ? seen.who.tenant : 0;
    if (!actor_scope(&engine->state, &seen, read->actor, *tenant, outcome, actor)) {
        return false;
    }
    if (read->tenant[0] != '\0') {
        const struct tenant_row *row = apply_tenant(&seen, outcome, read->tenant);
        *tenant = row == NULL ? *tenant : row->head.id;
        return row != NULL;
    }
    return true;
}

void asks_audit(struct engine *engine, uint32_t slot, const Wire__Request *request)
{
    struct outcome outcome = { .reject = REJECT_NONE };
    uint64_t tenant = 0;
    struct actor actor = { .kind = WIRE__KIND__KIND_UNSET };
    wire__problem__init(&outcome.problem);
    if (!leaves_scope(engine, request, &outcome, &tenant, &actor)) {
        Wire__Answer *answer = asks_answer_new(engine, request);
        asks_problem(engine, answer, &outcome);
        refusals_note(engine, request, outcome.reject);
        asks_answer(engine, slot, answer);
        return;
    }
    if (request->audit_read->checkpoint) {
        answer_checkpoint(engine, slot, tenant);
        return;
    }
    struct effect *effect = effects_add(engine->effects, EFFECT_READ_LEAVES);
    effect->handle = engine->asks[slot].handle;
    effect->origin = engine->asks[slot].origin;
    effect->leaves = request->audit_read;
    effect->node = tenant;
    effect->actor_kind = actor.kind;
    effect->id = actor.id;
    effect->answer = asks_answer_new(engine, request);
    asks_forget(engine, slot); /* The shell answers in its place. */
}

static Wire__EventView *event_view(
    struct engine *engine, const struct kept_event *kept, const Wire__Request *request)
{
    struct access_principal who;
    (void)apply_principal(&engine->state, request->principal, &who);
    if (who.role == ACCESS_ROLE_TENANT && kept->tenant != who.tenant) {
        return NULL;
    }
    Wire__EventView *view = engine_take(engine, sizeof(*view));
    char *tenant = engine_take(engine, ID_TEXT_SIZE);
    char *subject = engine_take(engine, ID_TEXT_SIZE);
    wire__event_view__init(view);
    if (kept->tenant != 0) {
        id_format(ID_TENANT, kept->tenant, tenant);
    }
    if (kept->subject != 0) {
        id_format((enum id_kind)kept->kind, kept->subject, subject);
    }
    view->index = kept->index;
    view->part = kept->part;
    view->name = kept->name;
    view->tenant = tenant;
    view->kind = kept->kind;
    view->subject = subject;
    view->subject_name = state_name(&engine->state, kept->kind, kept->subject);
    view->reason = kept->reason;
    view->at = kept->at;
    return view;
}

void asks_events(struct engine *engine, uint32_t slot, const Wire__Request *request)
{
    const Wire__EventRead *read = request->event_read;
    Wire__Answer *answer = asks_answer_new(engine, request);
    struct access_principal who;
    (void)apply_principal(&engine->state, request->principal, &who);
    enum reject reject = access_decide_role(&who, ACCESS_EVENT_READ);
    if (reject != REJECT_NONE) { /* INV-SEC-1: nobody hears what is not his to hear. */
        refusals_note(engine, request, reject);
        asks_refuse(engine, slot, reject, "This principal may not read events.", 0);
        return;
    }
    uint32_t limit = read->limit == 0 || read->limit > EVENT_PAGE ? EVENT_PAGE : read->limit;
    answer->events = engine_take(engine, sizeof(*answer->events) * EVENTS_MAX);
    if (read->after != 0 && read->after < engine->events_floor) {
        Wire__EventView *reset = engine_take(engine, sizeof(*reset));
        wire__event_view__init(reset);
        reset->reset = true; /* What lies between is compacted: the client lists anew. */
        reset->index = engine->events_floor;
        reset->name = "reset";
        answer->events[answer->n_events++] = reset;
    }
    for (uint64_t at = engine->events_first; at < engine->events_next; at++) {
        const struct kept_event *kept = &engine->events[at % ENGINE_EVENTS];
        bool another =
            answer->n_events > 0 && answer->events[answer->n_events - 1]->index != kept->index;
        if (answer->n_events >= limit && another) {
            break; /* The cursor is an index: a page never ends inside one. */
        }
        Wire__EventView *view =
            kept->index > read->after ? event_view(engine, kept, request) : NULL;
        if (view != NULL && answer->n_events < EVENTS_MAX) {
            answer->events[answer->n_events++] = view;
        }
    }
    asks_answer(engine, slot, answer);
}
