/* Decides who the cell's controllers are, what their clocks and their digests mean to it, and which
 * meaning of commands is in force. Never decides which of two states is right. */
#include "base/check.h"
#include "controller/core/apply.h"
#include "controller/core/feature.h"

void apply_controller_remove(
    struct apply *apply, const Wire__ControllerRemove *remove, struct outcome *outcome)
{
    struct controller_row *row =
        state_lookup(apply->state, TABLE_CONTROLLER, 0, remove->controller);
    const struct cell_row *cell = state_cell(apply->state);
    if (row == NULL) {
        refuse(apply, outcome, REJECT_NOT_FOUND, "There is no such controller.", "/controller", "");
        return;
    }
    if (row->leaving || row->head.id == cell->leader ||
        state_count(apply->state, TABLE_CONTROLLER) == 1) {
        refuse(
            apply,
            outcome,
            REJECT_STATE,
            row->leaving ? "It is leaving already."
                         : "The leader, or the last controller, is never removed.",
            "/controller",
            row->leaving ? "" : "Hand leadership over first.");
        return;
    }
    if (apply->dry) {
        return;
    }
    row->leaving = true; /* The leader takes it out of the consensus; then it is reported gone. */
    row->epoch++;        /* Its certificates open no door from now on. */
    state_touch(apply->state, TABLE_CONTROLLER, row);
    effects_add(apply->effects, EFFECT_RING)->id = row->head.id;
    (void)apply_operation(
        apply, outcome, 0, WIRE__KIND__KIND_CONTROLLER, row->head.id, row->name, true);
}

static void away_alarm(struct apply *apply, struct controller_row *row, bool away)
{
    if (row->away == away) {
        return;
    }
    row->away = away;
    state_touch(apply->state, TABLE_CONTROLLER, row);
    apply_alarm(
        apply,
        "controller-away",
        WIRE__KIND__KIND_CONTROLLER,
        row->head.id,
        away,
        "the leader hears nothing of this controller; one more that is lost may stop the cell");
}

void apply_controller_reported(struct apply *apply, const Wire__ControllerReported *reported)
{
    struct controller_row *row = state_find(apply->state, TABLE_CONTROLLER, reported->controller);
    if (row == NULL) {
        return;
    }
    if (reported->gone) {
        if (row->leaving) {
            apply_leaf(
                apply,
                0,
                "controller-gone",
                WIRE__KIND__KIND_CONTROLLER,
                row->head.id,
                REJECT_NONE,
                "");
            apply_event(apply, 0, "controller-gone", WIRE__KIND__KIND_CONTROLLER, row->head.id, "");
            away_alarm(apply, row, false);
            state_index(apply->state, TABLE_CONTROLLER, row, false);
            state_remove(apply->state, TABLE_CONTROLLER, row);
        }
        return;
    }
    if (row->voter != reported->voter) {
        static const char *const words[] = { "controller-spare",
                                             "controller-standby",
                                             "controller-voter" };
        const char *word = words[reported->voter < COUNT_OF(words) ? reported->voter : 0];
        apply_leaf(apply, 0, word, WIRE__KIND__KIND_CONTROLLER, row->head.id, REJECT_NONE, "");
        apply_event(apply, 0, word, WIRE__KIND__KIND_CONTROLLER, row->head.id, "");
    }
    away_alarm(apply, row, reported->away);
    row->voter = reported->voter;
    row->feature_level = reported->feature_level;
    const struct cell_row *cell = state_cell(apply->state);
    if (cell->feature_level < FEATURE_BOUNDS) {
        row->wall_ms = reported->wall_ms;
    } else if (reported->wall_ms != 0) { /* Else it has not said. */
        row->wall_ms = reported->wall_ms;
        row->wall_log_ms = cell->log_time_ms;
        apply_wall(apply); /* What was out of bounds may be the majority's now. */
    }
    state_touch(apply->state, TABLE_CONTROLLER, row);
}

void apply_leader_changed(
    struct apply *apply, const Wire__LeaderChanged *changed, struct outcome *outcome)
{
    struct cell_row *cell = state_cell(apply->state);
    if (changed->term <= cell->term) {
        outcome->reject = REJECT_STALE;
        return;
    }
    bool first = cell->term == 0;
    cell->term = changed->term;
    cell->leader = changed->controller;
    cell->elections += first ? 0 : 1;
    state_touch(apply->state, TABLE_CELL, cell);
    apply_leaf(
        apply,
        0,
        "leader-changed",
        WIRE__KIND__KIND_CONTROLLER,
        changed->controller,
        REJECT_NONE,
        "");
    apply_event(apply, 0, "leader-changed", WIRE__KIND__KIND_CONTROLLER, changed->controller, "");
}

void apply_feature_level(
    struct apply *apply, const Wire__FeatureLevelRaised *raised, struct outcome *outcome)
{
    struct cell_row *cell = state_cell(apply->state);
    for (const struct controller_row *row = state_first(apply->state, TABLE_CONTROLLER);
         row != NULL;
         row = state_next(apply->state, TABLE_CONTROLLER, row)) {
        if (!row->leaving && row->feature_level < raised->level) {
            outcome->reject = REJECT_FEATURE_LEVEL; /* Not everybody understands it yet. */
            return;
        }
    }
    if (raised->level > cell->feature_level) {
        cell->feature_level = raised->level;
        state_touch(apply->state, TABLE_CELL, cell);
        apply_leaf(apply, 0, "feature-level", WIRE__KIND__KIND_CELL, 0, REJECT_NONE, "");
        apply_event(apply, 0, "feature-level", WIRE__KIND__KIND_CELL, cell->head.id, "");
    }
}

/* ---- Wall time ---- */

static bool near(uint64_t one, uint64_t other)
{
    uint64_t apart = one > other ? one - other : other - one;
    return apart <= LIMIT_WALL_BOUND_MS;
}

/* INV-TIME-2: the leader's wall clock counts when it is near the clocks of a majority, as they were
 * last reported and went on since by log time. Else wall time goes on by log time alone: one bad
 * clock moves nothing. */
static bool wall_near_majority(const struct state *state, uint64_t wall_ms, uint64_t log_ms)
{
    uint32_t voters = 0;
    uint32_t agree = 0;
    for (const struct controller_row *row = state_first(state, TABLE_CONTROLLER); row != NULL;
         row = state_next(state, TABLE_CONTROLLER, row)) {
        bool votes = row->voter == 2 && !row->leaving;
        CHECK(row->wall_log_ms <= log_ms); /* INV-TIME-1 */
        bool agrees = votes && row->wall_log_ms != 0 &&
                      near(wall_ms, row->wall_ms + (log_ms - row->wall_log_ms));
        voters += votes ? 1 : 0;
        agree += agrees ? 1 : 0;
    }
    return agree > voters / 2;
}

void apply_wall(struct apply *apply)
{
    struct cell_row *cell = state_cell(apply->state);
    bool bounded = cell->feature_level >= FEATURE_BOUNDS;
    if (!bounded || wall_near_majority(apply->state, apply->said_wall_ms, cell->log_time_ms)) {
        cell->wall_ms = apply->said_wall_ms;
    }
    apply->wall_ms = cell->wall_ms;
}

/* ---- Replicas that disagree ---- */

void apply_cell_judged(struct apply *apply, const Wire__CellJudged *judged)
{
    struct cell_row *cell = state_cell(apply->state);
    bool disputed = judged->disputed_index != 0;
    if (disputed == (cell->disputed_index != 0)) {
        return;
    }
    cell->disputed_index = judged->disputed_index;
    state_touch(apply->state, TABLE_CELL, cell);
    const char *word = disputed ? "cell-disputed" : "cell-agreed";
    apply_leaf(apply, 0, word, WIRE__KIND__KIND_CELL, cell->head.id, REJECT_NONE, "");
    apply_event(apply, 0, word, WIRE__KIND__KIND_CELL, cell->head.id, "");
    apply_alarm(
        apply,
        "replicas-disagree",
        WIRE__KIND__KIND_CELL,
        cell->head.id,
        disputed,
        "replicas hold different states and no majority agrees; the cell takes no writes");
}

/* INV-REF-3. What heals is taken: who is wrong leaves, somebody new comes, a key is revoked, papers
 * are renewed. */
bool apply_disputed(
    const struct apply *apply, const Wire__Request *request, struct outcome *outcome)
{
    const struct cell_row *cell = state_cell(apply->state);
    bool heals = request->body_case == WIRE__REQUEST__BODY_CONTROLLER_REMOVE ||
                 request->body_case == WIRE__REQUEST__BODY_USER_REVOKE ||
                 apply_certifies(request) ||
                 (request->body_case == WIRE__REQUEST__BODY_TOKEN_CREATE &&
                  request->token_create->kind == WIRE__KIND__KIND_CONTROLLER);
    if (cell->disputed_index == 0 || heals) {
        return false;
    }
    refuse(
        apply,
        outcome,
        REJECT_UNFIT,
        "The replicas hold different states and no majority agrees: this cell takes no writes.",
        "",
        "Compare the digests of `controller ls`; remove the replicas that are wrong, join new "
        "ones.");
    return true;
}
