/* Decides what an ask becomes: a refusal, a read, or a command with the leader's choices in the
 * next entry. The only place of policy: which node. */
#include "audit/sha256.h"
#include "base/check.h"
#include "controller/core/engine_inner.h"
#include "controller/core/entry_out.h"
#include "controller/core/explain_read.h"
#include "wire/wire.h"

#include <string.h>

/* ---- Planning ---- */

void asks_queue(struct engine *engine, uint32_t slot)
{
    struct ask *ask = &engine->asks[slot];
    ask->phase = ASK_QUEUED;
    ask->next = 0;
    if (engine->queue_last == 0) {
        engine->queue_first = slot + 1;
    } else {
        engine->asks[engine->queue_last - 1].next = slot + 1;
    }
    engine->queue_last = slot + 1;
}

/* Of the request as encoded with an empty request id, which is not written: a retry has another. */
static void digest_make(struct engine *engine, uint32_t slot)
{
    struct ask *ask = &engine->asks[slot];
    const uint8_t *bytes = engine->ask_bytes[slot];
    struct sha256 sha;
    CHECK(ask->id_from <= ask->id_to);
    CHECK(ask->id_to <= ask->size);
    if (ask->digested) {
        return; /* Its bytes are what they were. */
    }
    sha256_start(&sha);
    sha256_add(&sha, slice_of(bytes, ask->id_from));
    sha256_add(&sha, slice_of(bytes + ask->id_to, ask->size - ask->id_to));
    sha256_end(&sha, ask->digest);
    ask->digested = true;
    (*asks_alike(engine, ask))++;
}

/* The amounts that a request wants placed; false: none. */
static bool wants_node(
    struct engine *engine,
    const Wire__Request *request,
    struct ask *ask,
    const struct image_row **image_out,
    uint64_t *tenant_out,
    const char **spread_out)
{
    const struct state *state = &engine->state;
    if (request->body_case == WIRE__REQUEST__BODY_INSTANCE_CREATE &&
        !request->instance_create->stopped) {
        const Wire__InstanceCreate *create = request->instance_create;
        const struct tenant_row *tenant = state_lookup(state, TABLE_TENANT, 0, create->tenant);
        *image_out = state_lookup(state, TABLE_IMAGE, 0, create->image);
        ask->vcpus = create->vcpus;
        ask->memory_bytes = create->memory_bytes;
        *spread_out = create->spread;
        *tenant_out = tenant == NULL ? 0 : tenant->head.id;
        return *image_out != NULL && tenant != NULL;
    }
    if (request->body_case != WIRE__REQUEST__BODY_INSTANCE_START) {
        return false;
    }
    const Wire__InstanceStart *start = request->instance_start;
    const struct tenant_row *tenant = state_lookup(state, TABLE_TENANT, 0, start->tenant);
    const struct project_row *project =
        tenant == NULL ? NULL
                       : state_lookup(
                             state,
                             TABLE_PROJECT,
                             tenant->head.id,
                             start->project[0] == '\0' ? "default" : start->project);
    const struct instance_row *row =
        project == NULL ? NULL
                        : state_lookup(state, TABLE_INSTANCE, project->head.id, start->instance);
    if (row == NULL) {
        return false;
    }
    *image_out = state_find(state, TABLE_IMAGE, row->image.value);
    ask->vcpus = row->vcpus;
    ask->memory_bytes = row->memory_bytes;
    *spread_out = row->spread.text;
    *tenant_out = row->tenant.value;
    return *image_out != NULL;
}

/* Policy happens here and only here: which node. */
static bool choose(
    struct engine *engine, uint32_t slot, const Wire__Request *request, struct outcome *outcome)
{
    struct ask *ask = &engine->asks[slot];
    const struct image_row *image = NULL;
    uint64_t tenant = 0;
    const char *spread = "";
    if (!wants_node(engine, request, ask, &image, &tenant, &spread)) {
        return true;
    }
    struct explanation why = { .nodes = 0 };
    ask->node = nodes_choose(
        &engine->nodes, &engine->state, image, tenant, spread, ask->vcpus, ask->memory_bytes, &why);
    if (ask->node != 0) {
        ask->choice = nodes_choice(&engine->state, &why);
        nodes_fly(&engine->nodes, &engine->state, ask->node, ask->vcpus, ask->memory_bytes);
        return true;
    }
    outcome->reject = REJECT_NO_CAPACITY;
    outcome->problem.code = reject_name(REJECT_NO_CAPACITY);
    outcome->problem.detail = "No node passes every constraint.";
    outcome->problem.hint = "Ask: explain capacity.";
    outcome->problem.constraints =
        explain_constraints(engine->effects->arena, &why, &outcome->problem.n_constraints);
    return false;
}

void asks_land(struct engine *engine, struct ask *ask)
{
    if (ask->node != 0) {
        nodes_land(&engine->nodes, &engine->state, ask->node, ask->vcpus, ask->memory_bytes);
        ask->node = 0;
    }
}

/* INV-IDEM-3: the same write is under way here since before, sent again after a link had ended. */
static bool has_elder(struct engine *engine, uint32_t slot)
{
    const struct ask *ask = &engine->asks[slot];
    struct ask_walk walk = { .slot = 0 };
    if (!ask->repeatable || *asks_alike(engine, ask) == 1) {
        return false;
    }
    for (const struct ask *other = NULL; (other = asks_next(engine, &walk)) != NULL;) {
        bool under_way = other->phase == ASK_QUEUED || other->phase == ASK_SUBMITTED ||
                         (other->phase == ASK_READING && !other->reads);
        if (under_way && other->serial < ask->serial &&
            memcmp(other->digest, ask->digest, sizeof(ask->digest)) == 0) {
            return true;
        }
    }
    return false;
}

/* A leader that was deposed and does not know it yet refuses by rows that are old: what was made
 * meanwhile is "not found". A refusal is an answer from state, and as fresh as a read. INV-LOG-7 */
static void refused_by_plan(
    struct engine *engine,
    uint32_t slot,
    Wire__Request *request,
    const struct outcome *outcome,
    bool confirmed)
{
    bool of_rows = outcome->reject != REJECT_UNFIT; /* That one says: elsewhere, or later. */
    if (of_rows && (!confirmed || has_elder(engine, slot))) {
        reads_arrive(engine, slot);
        return;
    }
    Wire__Answer *answer = asks_answer_new(engine, request);
    asks_problem(engine, answer, outcome);
    refusals_note(engine, request, outcome->reject);
    asks_answer(engine, slot, answer);
}

static void plan(struct engine *engine, uint32_t slot, Wire__Request *request, bool confirmed)
{
    struct outcome outcome = { .reject = REJECT_NONE };
    request = request != NULL ? request : asks_request(engine, slot);
    wire__problem__init(&outcome.problem);
    if (asks_is_read(request)) {
        reads_arrive(engine, slot);
        return;
    }
    Wire__Asked asked = WIRE__ASKED__INIT;
    digest_make(engine, slot);
    asked.request = request;
    asked.request_digest.data = engine->asks[slot].digest;
    asked.request_digest.len = sizeof(engine->asks[slot].digest);
    struct apply trial = { .state = &engine->state,
                           .scratch = engine->effects->arena,
                           .index = engine->applied,
                           .wall_ms = engine->wall_ms,
                           .dry = true };
    apply_trial(&trial, &asked, &outcome);
    if (outcome.reject == REJECT_NONE && outcome.repeated && outcome.operation != 0) {
        asks_answer_operation(
            engine, slot, &outcome); /* Known already: no log write for a retry. */
        return;
    }
    if (outcome.reject == REJECT_NONE && !engine->fit && !apply_frees(request)) {
        outcome.reject = REJECT_UNFIT;
        outcome.problem.code = reject_name(REJECT_UNFIT);
        outcome.problem.detail = "The leader's disk has no room for new work.";
        outcome.problem.hint = "Deletes and revocations are still taken.";
    }
    if (outcome.reject != REJECT_NONE || !choose(engine, slot, request, &outcome)) {
        refused_by_plan(engine, slot, request, &outcome, confirmed);
        return;
    }
    asks_queue(engine, slot);
}

void asks_plan(struct engine *engine, uint32_t slot, Wire__Request *request)
{
    plan(engine, slot, request, false);
}

void asks_plan_confirmed(struct engine *engine, uint32_t slot)
{
    CHECK(!engine->asks[slot].reads);
    plan(engine, slot, NULL, true);
}

/* ---- Proposing ---- */

/* Adds the queued asks that fit to the entry: their bytes, as they came. */
static void entry_asks(struct engine *engine, struct entry_out *entry, struct ticket *ticket)
{
    uint32_t last = 0;
    while (engine->queue_first != 0) {
        uint32_t slot = engine->queue_first - 1;
        struct ask *ask = &engine->asks[slot];
        struct slice request = slice_of(engine->ask_bytes[slot], ask->size);
        Wire__Choice choice = WIRE__CHOICE__INIT;
        choice.why = ask->choice.why;
        choice.nodes = ask->choice.nodes;
        choice.passed = ask->choice.passed;
        choice.runner_up = ask->choice.runner_up.value;
        const Wire__Choice *why = ask->node == 0 ? NULL : &choice;
        if (!entry_add_ask(entry, request, ask->digest, ask->node, why)) {
            return;
        }
        engine->queue_first = ask->next;
        engine->queue_last = engine->queue_first == 0 ? 0 : engine->queue_last;
        ask->phase = ASK_SUBMITTED;
        ask->next = 0;
        if (last == 0) {
            ticket->first = slot + 1;
        } else {
            engine->asks[last - 1].next = slot + 1;
        }
        last = slot + 1;
    }
}

static void entry_words(struct engine *engine, struct entry_out *entry)
{
    while (engine->words_count > 0 && entry->commands < LIMIT_COMMANDS_PER_ENTRY / 2) {
        const struct word *word = &engine->words[engine->words_first];
        if (!entry_add_word(entry, slice_of(word->bytes, word->size))) {
            return;
        }
        engine->words_first = (engine->words_first + 1) % ENGINE_WORDS;
        engine->words_count--;
    }
}

void asks_submit(struct engine *engine)
{
    struct ticket *ticket = NULL;
    for (size_t i = 0; i < ENGINE_TICKETS; i++) {
        ticket = engine->tickets[i].taken ? ticket : &engine->tickets[i];
    }
    if (engine->role != ENGINE_LEADING || ticket == NULL ||
        (engine->words_count == 0 && engine->queue_first == 0)) {
        return;
    }
    struct entry_out entry;
    uint8_t *room = engine_take(engine, LIMIT_ENTRY);
    entry_begin(&entry, room, LIMIT_ENTRY, lead_log_time(engine), engine->wall_ms);
    *ticket = (struct ticket){ .taken = true, .words_first = engine->words_first };
    entry_words(engine, &entry);
    ticket->words = entry.commands;
    entry_asks(engine, &entry, ticket);
    CHECK(entry.commands > 0); /* The largest command fits an empty entry. */
    struct effect *effect = effects_add(engine->effects, EFFECT_SUBMIT);
    effect->bytes = entry_bytes(&entry);
    effect->handle = (uint64_t)(ticket - engine->tickets);
    effect->reserved = !engine->fit;
}

uint64_t *engine_ticket_slot(struct engine *engine, uint64_t handle)
{
    CHECK(handle < ENGINE_TICKETS);
    CHECK(engine->tickets[handle].taken);
    return &engine->tickets[handle].ticket;
}

struct ticket *asks_ticket(struct engine *engine, uint64_t number)
{
    for (size_t i = 0; i < ENGINE_TICKETS && number != 0; i++) {
        if (engine->tickets[i].taken && engine->tickets[i].ticket == number) {
            return &engine->tickets[i];
        }
    }
    return NULL;
}
