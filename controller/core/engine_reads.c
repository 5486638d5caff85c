/* Decides when applied state is fresh enough to answer from: a confirmed round. The leader asks its
 * voters whether they still follow it in this term; a majority of yes, itself counted, proves that
 * no other leader acknowledged anything before the round began (INV-LOG-7). No log write is needed.
 */
#include "base/check.h"
#include "controller/core/engine_inner.h"

enum { ROUND_RETRY_MS = 100 };

/* Reads that are not made of rows alone, or that wait for somebody once state is known to be fresh.
 */
static bool answer_elsewhere(struct engine *engine, uint32_t slot, const Wire__Request *request)
{
    if (request->body_case == WIRE__REQUEST__BODY_OPERATION_WAIT) {
        asks_wait(engine, slot, request);
    } else if (request->body_case == WIRE__REQUEST__BODY_CONSOLE_READ) {
        asks_console_read(engine, slot, request);
    } else if (request->body_case == WIRE__REQUEST__BODY_AUDIT_READ) {
        asks_audit(engine, slot, request);
    } else if (request->body_case == WIRE__REQUEST__BODY_EVENT_READ) {
        asks_events(engine, slot, request);
    } else {
        return false;
    }
    return true;
}

static void answer_now(struct engine *engine, uint32_t slot, bool stale)
{
    Wire__Request *request = asks_request(engine, slot);
    Wire__Answer *answer = asks_answer_new(engine, request);
    struct view_live live = engine_live(engine);
    struct outcome outcome = { .reject = REJECT_NONE };
    wire__problem__init(&outcome.problem);
    if (!engine->nodes.ready) {
        asks_refuse(engine, slot, REJECT_UNFIT, "This cell has not begun yet.", 1);
        return;
    }
    if (answer_elsewhere(engine, slot, request)) {
        return;
    }
    /* An answer too large for the step is refused in words, and the words need room. */
    engine->effects->arena->size -= ENGINE_SPARE;
    read_answer(&live, &engine->nodes, request, &outcome, answer);
    engine->effects->arena->size += ENGINE_SPARE;
    asks_problem(engine, answer, &outcome);
    if (outcome.reject != REJECT_NONE) {
        refusals_note(engine, request, outcome.reject);
    }
    answer->index = engine->applied;
    if (stale) {
        answer->age_ms = standing_age_ms(engine);
    }
    if (answer->cluster_status != NULL) {
        Wire__ClusterStatus *status = answer->cluster_status;
        status->applied_index = engine->applied;
        status->commit_index = engine->commit;
        status->quorum = engine->role == ENGINE_LEADING || engine->leader != 0;
        status->fit = engine->fit;
        status->poisoned = engine->poisoned != 0; /* INV-LOG-8: it is known by name. */
        status->poisoned_index = engine->poisoned;
        status->digest = standing_hex(engine->effects->arena, engine->state.digest);
    }
    asks_answer(engine, slot, answer);
}

/* A console is on a node that only the leader may ask, and an end is waited for where it is seen
 * first; everything else any replica can answer from what it has applied. */
bool reads_may_be_stale(const Wire__Request *request)
{
    return asks_is_read(request) && request->body_case != WIRE__REQUEST__BODY_OPERATION_WAIT &&
           request->body_case != WIRE__REQUEST__BODY_CONSOLE_READ;
}

void reads_stale(struct engine *engine, uint32_t slot)
{
    answer_now(engine, slot, true);
}

void reads_arrive(struct engine *engine, uint32_t slot)
{
    struct ask *ask = &engine->asks[slot];
    ask->phase = ASK_READING;
    ask->round = engine->round + 1; /* Only a round that begins from now on counts. */
    engine->round_wanted = true;
}

void reads_more(struct engine *engine)
{
    struct ask_walk walk = { .slot = 0 };
    for (struct ask *ask = NULL; (ask = asks_next(engine, &walk)) != NULL;) {
        if (ask->phase != ASK_READING || ask->round > engine->round_done) {
            continue;
        }
        if (!engine_room(engine)) {
            return;
        }
        if (ask->reads) {
            answer_now(engine, walk.slot, false);
        } else {
            asks_plan_confirmed(engine, walk.slot);
        }
    }
}

static void succeed(struct engine *engine, uint64_t round)
{
    engine->round_open = false;
    engine->round_done = round;
    reads_more(engine);
}

static uint32_t votes_needed(const struct engine *engine)
{
    uint32_t voters = 0;
    for (uint32_t i = 0; i < engine->members_count; i++) {
        voters += engine->members[i].voter == 2 ? 1 : 0;
    }
    return voters / 2 + 1;
}

static void begin(struct engine *engine)
{
    engine->round++;
    engine->round_wanted = false;
    engine->round_yes = 0;
    engine->round_ms = engine->now_ms;
    engine->round_open = true;
    if (engine_alone(engine)) {
        succeed(engine, engine->round);
        return;
    }
    for (uint32_t i = 0; i < engine->members_count; i++) {
        const struct engine_member *member = &engine->members[i];
        if (member->voter != 2 || member->id == engine->conf.self) {
            continue;
        }
        Wire__Frame *frame = engine_frame(
            engine, WIRE__KIND__KIND_CONTROLLER, member->id, WIRE__FRAME__BODY_CONFIRM);
        frame->confirm = engine_take(engine, sizeof(*frame->confirm));
        wire__confirm__init(frame->confirm);
        frame->confirm->term = engine->term;
        frame->confirm->nonce = engine->round;
    }
}

void reads_turn(struct engine *engine)
{
    if (engine->role != ENGINE_LEADING || engine->members_count == 0) {
        return;
    }
    bool late = engine->round_open && engine->now_ms - engine->round_ms >= ROUND_RETRY_MS;
    if ((engine->round_wanted && !engine->round_open) || late) {
        begin(engine);
    }
}

void reads_confirm(struct engine *engine, uint64_t peer, const Wire__Confirm *confirm)
{
    Wire__Frame *frame =
        engine_frame(engine, WIRE__KIND__KIND_CONTROLLER, peer, WIRE__FRAME__BODY_CONFIRMED);
    frame->confirmed = engine_take(engine, sizeof(*frame->confirmed));
    wire__confirmed__init(frame->confirmed);
    frame->confirmed->term = engine->term;
    frame->confirmed->nonce = confirm->nonce;
    /* Yes only in the same term, and only to the one we follow. */
    frame->confirmed->yes =
        confirm->term == engine->term && engine->role == ENGINE_FOLLOWER && engine->leader == peer;
}

void reads_confirmed(struct engine *engine, uint64_t peer, const Wire__Confirmed *confirmed)
{
    if (!engine->round_open || engine->role != ENGINE_LEADING ||
        confirmed->nonce != engine->round || confirmed->term != engine->term || !confirmed->yes) {
        return;
    }
    uint32_t yes = 1; /* Ourselves. */
    for (uint32_t i = 0; i < engine->members_count; i++) {
        if (engine->members[i].id == peer && engine->members[i].voter == 2) {
            engine->round_yes |= UINT32_C(1) << i;
        }
        yes += (engine->round_yes >> i) & 1U;
    }
    if (yes >= votes_needed(engine)) {
        succeed(engine, engine->round);
    }
}
