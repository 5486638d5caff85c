/* Decides where every ask stands, from arrival to its one answer. Asks are planned on the leader
 * (trial, then a node), travel in the next entry, and are answered when it is applied. */
#include "base/check.h"
#include "base/mutant.h"
#include "controller/core/engine_inner.h"
#include "wire/frame.h"
#include "wire/wire.h"

#include <string.h>

enum {
    ASK_DEADLINE_MS = 9000, /* Below api's own ten seconds: the reason is ours to give. */
};

/* ---- Answers ---- */

static Wire__Answer *answer_fresh(struct engine *engine, const char *request_id)
{
    Wire__Answer *answer = engine_take(engine, sizeof(*answer));
    wire__answer__init(answer);
    answer->format = 1;
    answer->request_id = request_id;
    answer->index = engine->applied;
    const struct cell_row *cell = state_cell(&engine->state);
    answer->disputed_index = cell == NULL ? 0 : cell->disputed_index;
    return answer;
}

Wire__Answer *asks_answer_new(struct engine *engine, const Wire__Request *request)
{
    return answer_fresh(engine, request->request_id);
}

Wire__Answer *asks_answer_to(struct engine *engine, uint32_t slot)
{
    const struct ask *ask = &engine->asks[slot];
    CHECK(ask->phase != ASK_FREE);
    char *request_id = engine_take(engine, sizeof(ask->request_id));
    memcpy(request_id, ask->request_id, sizeof(ask->request_id));
    return answer_fresh(engine, request_id);
}

void asks_problem(struct engine *engine, Wire__Answer *answer, const struct outcome *outcome)
{
    if (outcome->reject == REJECT_NONE) {
        return;
    }
    const struct controller_row *leader =
        state_find(&engine->state, TABLE_CONTROLLER, engine->leader);
    answer->leader_address = leader == NULL ? "" : leader->api_address; /* Who knows better. */
    answer->reject = (uint32_t)outcome->reject;
    answer->problem = engine_take(engine, sizeof(*answer->problem));
    *answer->problem = outcome->problem;
    if (answer->problem->code[0] == '\0') {
        answer->problem->code = reject_name(outcome->reject);
    }
}

static void send_answer(
    struct engine *engine, uint64_t handle, uint64_t origin, Wire__Answer *answer)
{
    if (origin == 0) {
        struct effect *effect = effects_add(engine->effects, EFFECT_ANSWER);
        effect->handle = handle;
        effect->answer = answer;
        return;
    }
    if (papers_answer(engine, handle, origin, answer)) {
        return;
    }
    Wire__Frame *frame =
        engine_frame(engine, WIRE__KIND__KIND_CONTROLLER, origin, WIRE__FRAME__BODY_FORWARDED);
    frame->forwarded = engine_take(engine, sizeof(*frame->forwarded));
    wire__told__init(frame->forwarded);
    frame->forwarded->handle = handle;
    frame->forwarded->answer = answer;
}

void asks_answer(struct engine *engine, uint32_t slot, Wire__Answer *answer)
{
    send_answer(engine, engine->asks[slot].handle, engine->asks[slot].origin, answer);
    asks_forget(engine, slot);
}

void asks_refuse(
    struct engine *engine, uint32_t slot, enum reject reject, const char *detail, uint32_t retry_s)
{
    /* Without decoding the request: a thousand of them may be refused in one step. */
    Wire__Answer *answer = asks_answer_to(engine, slot);
    struct outcome outcome = { .reject = reject };
    wire__problem__init(&outcome.problem);
    outcome.problem.code = reject_name(reject);
    outcome.problem.detail = detail;
    outcome.problem.hint =
        reject == REJECT_OUTCOME_UNKNOWN ? "Ask again with the same idempotency key." : "";
    asks_problem(engine, answer, &outcome);
    answer->retry_after_seconds = retry_s;
    asks_answer(engine, slot, answer);
}

void asks_answer_operation(struct engine *engine, uint32_t slot, const struct outcome *outcome)
{
    Wire__Answer *answer = asks_answer_to(engine, slot);
    struct view_live live = engine_live(engine);
    const struct operation_row *row =
        state_find(&engine->state, TABLE_OPERATION, outcome->operation);
    asks_problem(engine, answer, outcome);
    if (row != NULL) {
        answer->operation = views_operation(&live, row);
    } else if (outcome->reject == REJECT_NONE) { /* Done so long ago that it was forgotten. */
        answer->operation = engine_take(engine, sizeof(*answer->operation));
        wire__operation_view__init(answer->operation);
        char *id = engine_take(engine, ID_TEXT_SIZE);
        id_format(ID_OPERATION, outcome->operation, id);
        answer->operation->id = id;
        answer->operation->state = WIRE__OPERATION_STATE__OPERATION_STATE_DONE;
        answer->operation->progress = 100;
    }
    asks_answer(engine, slot, answer);
}

/* ---- Arrival ---- */

bool asks_is_read(const Wire__Request *request)
{
    enum access_operation operation = access_operation_of(request);
    return operation != 0 && !access_operation_writes(operation);
}

static void forward(struct engine *engine, uint32_t slot, Wire__Request *request)
{
    struct ask *ask = &engine->asks[slot];
    ask->phase = ASK_FORWARDED;
    ask->round = engine->leader;
    ask->serial = ++engine->asks_serial; /* What an earlier leader still says of it finds nobody. */
    Wire__Frame *frame = engine_frame(
        engine, WIRE__KIND__KIND_CONTROLLER, engine->leader, WIRE__FRAME__BODY_FORWARD);
    frame->forward = engine_take(engine, sizeof(*frame->forward));
    wire__ask__init(frame->forward);
    frame->forward->handle = asks_handle(engine, slot);
    frame->forward->term = engine->term;
    frame->forward->request = request != NULL ? request : asks_request(engine, slot);
}

/* Plans, reads, forwards or waits: whatever this controller can do for it now. */
static void route(struct engine *engine, uint32_t slot, Wire__Request *request)
{
    struct ask *ask = &engine->asks[slot];
    const struct controller_soft *leader =
        engine->leader == 0 ? NULL : engine_other(engine, engine->leader);
    bool ours = ask->origin == 0 || ask->origin == engine->conf.self;
    if (engine->role == ENGINE_LEADING) {
        asks_plan(engine, slot, request);
    } else if (ours && leader != NULL && engine->leader != engine->conf.self && leader->up) {
        forward(engine, slot, request); /* Once: a forwarded ask is never forwarded again. */
    } else if (!ours) {
        asks_refuse(engine, slot, REJECT_NO_LEADER, "This controller does not lead any more.", 1);
    } else {
        ask->phase = ASK_LEADERLESS;
    }
}

/* It gets no place. */
static void turn_away(
    struct engine *engine,
    const Wire__Request *request,
    const struct outcome *outcome,
    uint32_t retry_s,
    uint64_t handle,
    uint64_t origin)
{
    Wire__Answer *answer = answer_fresh(engine, request == NULL ? "" : request->request_id);
    asks_problem(engine, answer, outcome);
    answer->retry_after_seconds = retry_s;
    send_answer(engine, handle, origin, answer);
}

void asks_arrive(struct engine *engine, Wire__Request *request, uint64_t handle, uint64_t origin)
{
    struct outcome outcome = { .reject = REJECT_NONE };
    wire__problem__init(&outcome.problem);
    size_t size = 0;
    uint32_t tenant = 0;
    uint32_t retry_s = 1;
    if (request == NULL) { /* A frame may leave it out; it is malformed, and may be forwarded. */
        request = engine_take(engine, sizeof(*request));
        wire__request__init(request);
    }
    uint32_t slot = 0;
    if (!asks_room(engine, &slot)) {
        outcome.reject = REJECT_OVERLOADED;
        outcome.problem.detail = "Too many requests are under way.";
    } else if (!pace_take(engine, request, &outcome, &tenant, &retry_s)) {
        refusals_note(engine, request, outcome.reject);
    } else if (!wire_encode_into(request, engine->ask_bytes[slot], ENGINE_ASK_BYTES, &size)) {
        outcome.reject = REJECT_MALFORMED;
        outcome.problem.detail = "The request is too large.";
    }
    if (outcome.reject != REJECT_NONE) {
        turn_away(engine, request, &outcome, retry_s, handle, origin);
        return;
    }
    bool reads = asks_is_read(request);
    const struct ask fresh = { .phase = ASK_LEADERLESS,
                               .handle = handle,
                               .origin = origin,
                               .since_ms = engine->now_ms,
                               .until_ms = engine->now_ms + ASK_DEADLINE_MS,
                               .tenant = tenant,
                               .reads = reads,
                               .repeatable =
                                   reads || (request->idempotency_key[0] != '\0' &&
                                             request->body_case != WIRE__REQUEST__BODY_JOIN),
                               .size = (uint32_t)size };
    struct ask *ask = asks_seat(engine, slot, &fresh);
    (void)text_copy(ask->request_id, sizeof(ask->request_id), slice_text(request->request_id));
    bool stale = request->stale || MUTANT(READ_STALE_UNASKED);
    if (stale && engine->nodes.ready && reads_may_be_stale(request)) {
        reads_stale(engine, slot);
        return;
    }
    route(engine, slot, request);
}

/* INV-IDEM-3: two leaders of different terms never both have it. What an earlier one proposed is in
 * the log of the later one before that one refuses anything, or never will be. */
void asks_forwarded(struct engine *engine, const Wire__Ask *forward, uint64_t origin)
{
    bool here = engine->role != ENGINE_LEADING || forward->term == engine->term;
    if (here) {
        asks_arrive(engine, forward->request, forward->handle, origin);
        return;
    }
    struct outcome outcome = { .reject = REJECT_NO_LEADER };
    wire__problem__init(&outcome.problem);
    outcome.problem.detail = "This was meant for another term.";
    turn_away(engine, forward->request, &outcome, 1, forward->handle, origin);
}

/* ---- Outcome ---- */

static void settle(struct engine *engine, uint32_t slot, const struct outcome *outcome)
{
    struct ask *ask = &engine->asks[slot];
    asks_land(engine, ask);
    if (outcome->reject == REJECT_CONFLICT && ask->replans < ENGINE_REPLANS &&
        engine->role == ENGINE_LEADING) {
        ask->replans++;
        asks_plan(engine, slot, NULL);
        return;
    }
    bool joins = outcome->subject.id != 0;
    if (outcome->reject == REJECT_NONE && joins) {
        asks_certify(engine, slot, outcome);
        return;
    }
    asks_answer_operation(engine, slot, outcome);
}

void asks_applied(
    struct engine *engine, uint64_t number, const struct outcome *outcomes, size_t count)
{
    struct ticket *ticket = asks_ticket(engine, number);
    if (ticket == NULL) {
        return;
    }
    size_t at = ticket->words;
    uint32_t next = ticket->first;
    *ticket = (struct ticket){ .taken = false };
    while (next != 0) {
        uint32_t slot = next - 1;
        next = engine->asks[slot].next;
        CHECK(at < count);
        CHECK(engine->asks[slot].phase == ASK_SUBMITTED);
        settle(engine, slot, &outcomes[at++]);
    }
    CHECK(at == count);
}

void asks_lost(struct engine *engine, uint64_t number)
{
    struct ticket *ticket = asks_ticket(engine, number);
    if (ticket == NULL) {
        return;
    }
    uint32_t next = ticket->first;
    *ticket = (struct ticket){ .taken = false };
    while (next != 0) {
        uint32_t slot = next - 1;
        next = engine->asks[slot].next;
        asks_land(engine, &engine->asks[slot]);
        asks_refuse(
            engine,
            slot,
            REJECT_OUTCOME_UNKNOWN,
            "Leadership was lost while this was under way; it may or may not have been done.",
            1);
    }
}

/* Nothing was proposed, so nothing can have happened: asks wait again, words are told again. */
void asks_submit_refused(struct engine *engine, uint64_t handle, struct result why)
{
    CHECK(handle < ENGINE_TICKETS);
    struct ticket *ticket = &engine->tickets[handle];
    uint32_t next = ticket->first;
    lead_words_return(engine, ticket->words_first, ticket->words);
    *ticket = (struct ticket){ .taken = false };
    while (next != 0) {
        uint32_t slot = next - 1;
        next = engine->asks[slot].next;
        if (why.code == FAILURE_FULL || why.code == FAILURE_NO_SPACE) {
            asks_land(engine, &engine->asks[slot]);
            asks_refuse(engine, slot, REJECT_UNFIT, "The leader's log has no room.", 5);
        } else if (engine->role == ENGINE_LEADING) {
            asks_queue(engine, slot);
        } else { /* A log that fails ends leadership first: whoever leads now is asked. */
            asks_land(engine, &engine->asks[slot]);
            engine->asks[slot].phase = ASK_LEADERLESS;
        }
    }
}

/* ---- Leadership comes and goes ---- */

void asks_follower(struct engine *engine)
{
    engine->queue_first = 0;
    engine->queue_last = 0;
    struct ask_walk walk = { .slot = 0 };
    for (struct ask *ask = NULL; (ask = asks_next(engine, &walk)) != NULL;) {
        bool untouched = ask->phase == ASK_QUEUED || ask->phase == ASK_READING ||
                         ask->phase == ASK_WAITING || ask->phase == ASK_CONSOLE;
        if (ask->phase == ASK_QUEUED) {
            asks_land(engine, ask);
        }
        if (ask->phase == ASK_WAITING) {
            CHECK(engine->waiting_count > 0);
            engine->waiting_count--;
        }
        if (untouched) {
            ask->phase = ASK_LEADERLESS;
        }
    }
    asks_leading(engine);
    engine->words_count = 0; /* The next leader sees for itself. */
    engine->round_open = false;
}

void asks_leading(struct engine *engine)
{
    struct ask_walk walk = { .slot = 0 };
    for (struct ask *ask = NULL; (ask = asks_next(engine, &walk)) != NULL;) {
        bool elsewhere = ask->phase == ASK_FORWARDED && engine->leader != 0 &&
                         ask->round != engine->leader && ask->repeatable;
        if (elsewhere) { /* Whoever had it leads no more, and may be unable to say so. */
            ask->phase = ASK_LEADERLESS;
            ask->unknown = !ask->reads;
        }
        if (ask->phase != ASK_LEADERLESS) {
            continue;
        }
        if (!engine_room(engine)) {
            return;
        }
        route(engine, walk.slot, NULL);
    }
}

void asks_peer_gone(struct engine *engine, uint64_t peer)
{
    struct ask_walk walk = { .slot = 0 };
    for (struct ask *ask = NULL; (ask = asks_next(engine, &walk)) != NULL;) {
        if (ask->phase != ASK_FORWARDED || ask->round != peer) {
            continue;
        }
        if (ask->repeatable) {
            ask->phase = ASK_LEADERLESS; /* INV-IDEM-1: the next leader does it once at most. */
            ask->unknown = !ask->reads;
        } else {
            asks_refuse(
                engine,
                walk.slot,
                REJECT_OUTCOME_UNKNOWN,
                "The leader went away while this was under way.",
                1);
        }
    }
}

void asks_clock(struct engine *engine)
{
    struct ask_walk walk = { .slot = 0 };
    for (struct ask *ask = NULL; (ask = asks_next(engine, &walk)) != NULL;) {
        if (ask->phase == ASK_LEADERLESS && engine->now_ms - ask->since_ms >= LIMIT_NO_LEADER_MS) {
            enum reject reject = ask->unknown ? REJECT_OUTCOME_UNKNOWN : REJECT_NO_LEADER;
            asks_refuse(engine, walk.slot, reject, "No controller leads at the moment.", 1);
        } else if (ask->phase == ASK_LEADERLESS) {
            if (engine->leader != 0 && engine_room(engine)) {
                route(engine, walk.slot, NULL); /* It may have become able to lead since. */
            }
        } else if (ask->phase == ASK_WAITING && engine->now_ms >= ask->until_ms) {
            struct outcome still = { .operation = ask->operation };
            wire__problem__init(&still.problem);
            asks_answer_operation(engine, walk.slot, &still);
        } else if (
            (ask->phase == ASK_FORWARDED || ask->phase == ASK_READING ||
             ask->phase == ASK_CONSOLE || ask->phase == ASK_KEYS) &&
            engine->now_ms >= ask->until_ms) {
            asks_refuse(
                engine,
                walk.slot,
                REJECT_OUTCOME_UNKNOWN,
                "Nobody answered within the deadline.",
                1);
        }
    }
}

void asks_leave(struct engine *engine)
{
    struct ask_walk walk = { .slot = 0 };
    for (struct ask *ask = NULL; (ask = asks_next(engine, &walk)) != NULL;) {
        asks_land(engine, ask);
        asks_refuse(
            engine,
            walk.slot,
            REJECT_OUTCOME_UNKNOWN,
            "This controller took over another's state while this was under way.",
            1);
    }
    CHECK(engine->asks_count == 0);
}
