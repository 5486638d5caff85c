/* What controllers are to the cell: the level of what they all understand, the clocks of which a
 * majority is right, and the states of which a majority must be one. */
#include "controller/core/feature.h"
#include "tests/unit/core_lab.h"

#include <stdio.h>

enum { TEN_YEARS_S = 315360000 };

struct said {
    uint64_t index; /* 0: what has been applied. */
    uint64_t digest;
    uint64_t wall_ms; /* 0: the desk's. */
    uint32_t level;   /* 0: what this build understands. */
};

static void stands(struct desk *desk, uint64_t peer, const struct said *what)
{
    uint8_t bytes[8];
    for (unsigned int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(what->digest >> (8U * i));
    }
    Wire__Standing said = WIRE__STANDING__INIT;
    said.applied_index = what->index == 0 ? desk->index : what->index;
    said.digest_index = said.applied_index;
    said.digest = (ProtobufCBinaryData){ sizeof(bytes), bytes };
    said.wall_ms = what->wall_ms == 0 ? desk->wall_ms : what->wall_ms;
    said.feature_level = what->level == 0 ? FEATURE_LEVEL : what->level;
    said.fit = true;
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.body_case = WIRE__FRAME__BODY_STANDING;
    frame.standing = &said;
    desk_frame(desk, WIRE__KIND__KIND_CONTROLLER, peer, 0, &frame);
}

static void agrees(struct desk *desk, uint64_t peer)
{
    struct said same = { .digest = desk_state(desk)->digest };
    stands(desk, peer, &same);
}

/* Three voters; the desk plays two of them, who are linked and say what they understand. */
static struct desk *three_of(uint32_t level)
{
    struct desk_conf conf = { .members = DESK_MEMBERS };
    struct desk *desk = desk_open(&conf);
    lab_others_join(desk);
    for (int i = 0; i < DESK_MEMBERS - 1; i++) {
        struct said first = { .digest = desk_state(desk)->digest, .level = level };
        stands(desk, desk->others[i], &first);
    }
    desk_pass(desk, 2000);
    return desk;
}

static const struct cell_row *cell_of(const struct desk *desk)
{
    return state_cell(desk_state(desk));
}

static uint32_t tenant_made(struct desk *desk, const char *name)
{
    struct quota_amounts cap = say_amounts(1, SAY_GIB, 1, 1);
    return lab_reject(say_tenant(desk, desk->operator_person, name, NULL, &cap));
}

/* One command of the plane, applied beside the log; what came of it. */
static enum reject applied(struct desk *desk, Wire__Command *command)
{
    struct outcome outcome = { .reject = REJECT_NONE };
    Wire__Entry entry = WIRE__ENTRY__INIT;
    struct apply apply = { .state = desk_state(desk),
                           .effects = desk->effects,
                           .scratch = &desk->step,
                           .index = desk->index + 1 };
    entry.format = 1;
    entry.log_time_ms = cell_of(desk)->log_time_ms;
    entry.wall_ms = cell_of(desk)->wall_ms;
    entry.n_commands = 1;
    entry.commands = &command;
    command->format = 1;
    arena_reset(&desk->step);
    desk->effects->count = 0;
    apply_entry(&apply, &entry, &outcome);
    return outcome.reject;
}

Test(core_cell, a_word_about_a_program_of_no_machine_does_nothing)
{
    struct desk *desk = three_of(FEATURE_FIRST);
    const uint32_t kinds[] = { WIRE__KIND__KIND_CONTROLLER,
                               WIRE__KIND__KIND_CONTROLLER,
                               WIRE__KIND__KIND_TENANT,
                               77,
                               0,
                               UINT32_MAX };
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        Wire__ProcessStarted started = WIRE__PROCESS_STARTED__INIT;
        Wire__Command command = WIRE__COMMAND__INIT;
        started.kind = (Wire__Kind)kinds[i];
        started.machine = desk->controller;
        started.program = "engine";
        started.started_ms = 1000 + i;
        command.body_case = WIRE__COMMAND__BODY_PROCESS_STARTED;
        command.process_started = &started;
        cr_assert_eq(applied(desk, &command), REJECT_NONE);
    }
    const struct controller_row *row =
        state_find(desk_state(desk), TABLE_CONTROLLER, desk->controller);
    cr_assert_eq(row->processes[PROGRAM_ENGINE], 1001);
    desk_close(desk);
}

/* ---- Feature level ---- */

Test(core_cell, the_level_rises_when_every_controller_understands_more_and_not_before)
{
    struct desk *desk = three_of(FEATURE_FIRST);
    cr_assert_eq(cell_of(desk)->feature_level, FEATURE_FIRST);
    agrees(desk, desk->others[0]); /* It was installed anew. */
    desk_pass(desk, 2000);
    cr_assert_eq(cell_of(desk)->feature_level, FEATURE_FIRST); /* One of three does not. */
    agrees(desk, desk->others[1]);
    desk_pass(desk, 2000);
    cr_assert_eq(cell_of(desk)->feature_level, FEATURE_LEVEL);
    cr_assert_eq(desk_leaves(desk, "feature-level", 0), 1);
    cr_assert_not(desk->digests_differ);
    desk_close(desk);
}

Test(core_cell, what_is_newer_than_the_level_is_refused_whoever_put_it_into_the_log)
{
    struct desk *desk = three_of(FEATURE_FIRST);
    Wire__CellJudged judged = WIRE__CELL_JUDGED__INIT;
    Wire__FeatureLevelRaised raised = WIRE__FEATURE_LEVEL_RAISED__INIT;
    Wire__Command command = WIRE__COMMAND__INIT;
    judged.disputed_index = 7;
    command.body_case = WIRE__COMMAND__BODY_CELL_JUDGED;
    command.cell_judged = &judged;
    cr_assert_eq(applied(desk, &command), REJECT_FEATURE_LEVEL);
    cr_assert_eq(cell_of(desk)->disputed_index, 0);
    raised.level = FEATURE_LEVEL;
    command.body_case = WIRE__COMMAND__BODY_FEATURE_LEVEL_RAISED;
    command.feature_level_raised = &raised;
    cr_assert_eq(applied(desk, &command), REJECT_FEATURE_LEVEL);
    cr_assert_eq(cell_of(desk)->feature_level, FEATURE_FIRST);
    desk_close(desk);
    desk = three_of(FEATURE_LEVEL); /* The negative: at its level it is taken. */
    command.body_case = WIRE__COMMAND__BODY_CELL_JUDGED;
    command.cell_judged = &judged;
    cr_assert_eq(applied(desk, &command), REJECT_NONE);
    cr_assert_eq(cell_of(desk)->disputed_index, 7);
    desk_close(desk);
}

Test(core_cell, who_understands_less_than_the_cell_is_not_made_a_member)
{
    struct desk *desk = desk_open(&(struct desk_conf){ .members = 1 });
    desk_pass(desk, 2000);
    cr_assert_eq(cell_of(desk)->feature_level, FEATURE_LEVEL);
    const Wire__Answer *joined = say_join(desk, WIRE__KIND__KIND_CONTROLLER, "c2", "r1");
    cr_assert(id_parse(ID_CONTROLLER, joined->join->id, &desk->others[0]));
    desk_link(desk, WIRE__KIND__KIND_CONTROLLER, desk->others[0], true);
    struct said old = { .level = FEATURE_FIRST };
    stands(desk, desk->others[0], &old);
    desk_pass(desk, 2000);
    cr_assert_eq(desk->member_adds, 0);
    agrees(desk, desk->others[0]);
    desk_pass(desk, 2000);
    cr_assert_gt(desk->member_adds, 0);
    desk_close(desk);
}

Test(core_cell, a_build_that_a_cell_has_outgrown_knows_it)
{
    struct desk *desk = desk_open(&(struct desk_conf){ .members = 1 });
    cr_assert_not(engine_outgrown(desk->first.engine));
    struct cell_row *cell = state_cell(desk_state(desk));
    cell->feature_level = FEATURE_LEVEL + 1; /* As a newer build's log would have it. */
    cr_assert(engine_outgrown(desk->first.engine));
    desk_close(desk);
}

Test(core_cell, the_word_of_an_older_term_is_stale)
{
    struct desk *desk = desk_open(&(struct desk_conf){ .members = 1 });
    Wire__LeaderChanged changed = WIRE__LEADER_CHANGED__INIT;
    Wire__Command command = WIRE__COMMAND__INIT;
    changed.controller = desk->controller;
    changed.term = cell_of(desk)->term;
    command.body_case = WIRE__COMMAND__BODY_LEADER_CHANGED;
    command.leader_changed = &changed;
    cr_assert_eq(applied(desk, &command), REJECT_STALE);
    changed.term++;
    cr_assert_eq(applied(desk, &command), REJECT_NONE);
    desk_close(desk);
}

/* ---- Wall time ---- */

static bool wall_is(const struct desk *desk, uint64_t expected)
{
    uint64_t wall = cell_of(desk)->wall_ms;
    uint64_t apart = wall > expected ? wall - expected : expected - wall;
    return apart <= LIMIT_WALL_BOUND_MS;
}

static void jump(struct desk *desk, int64_t seconds)
{
    desk->wall_ms = (uint64_t)((int64_t)desk->wall_ms + seconds * 1000);
}

static void leaders_clock_jumps(struct desk *desk, int64_t seconds)
{
    char name[32];
    (void)snprintf(name, sizeof(name), "z%s", seconds < 0 ? "back" : "on");
    cr_assert_eq(tenant_made(desk, name), 0); /* Log time is of now. */
    uint64_t right = desk->wall_ms;
    uint64_t log_ms = cell_of(desk)->log_time_ms;
    uint64_t from_ms = desk->now_ms;
    jump(desk, seconds);
    for (int i = 0; i < 5; i++) {
        struct said clock = { .digest = desk_state(desk)->digest,
                              .wall_ms = right + (desk->now_ms - from_ms) };
        stands(desk, desk->others[0], &clock);
        clock.digest = desk_state(desk)->digest;
        stands(desk, desk->others[1], &clock);
        desk_pass(desk, 1000);
        name[0] = (char)('a' + i);
        cr_assert_eq(tenant_made(desk, name), 0);
        cr_assert(wall_is(desk, right + (desk->now_ms - from_ms))); /* INV-TIME-2 */
    }
    cr_assert_geq(cell_of(desk)->log_time_ms, log_ms); /* INV-TIME-1 */
    cr_assert_leq(cell_of(desk)->log_time_ms, log_ms + (desk->now_ms - from_ms));
    jump(desk, -seconds);
}

Test(core_cell, a_leaders_clock_that_jumps_by_ten_years_moves_neither_wall_nor_log_time)
{
    struct desk *desk = three_of(FEATURE_LEVEL);
    cr_assert_eq(cell_of(desk)->feature_level, FEATURE_LEVEL);
    cr_assert(wall_is(desk, desk->wall_ms));
    leaders_clock_jumps(desk, TEN_YEARS_S);
    leaders_clock_jumps(desk, -TEN_YEARS_S);
    cr_assert_not(desk->digests_differ);
    desk_close(desk);
}

Test(core_cell, below_the_level_that_bounds_it_wall_time_is_the_leaders)
{
    struct desk *desk = three_of(FEATURE_FIRST); /* The guard off. */
    uint64_t right = desk->wall_ms;
    jump(desk, TEN_YEARS_S);
    cr_assert_eq(tenant_made(desk, "t"), 0);
    cr_assert_not(wall_is(desk, right));
    cr_assert(wall_is(desk, desk->wall_ms));
    desk_close(desk);
}

Test(core_cell, when_a_majority_was_set_anew_wall_time_follows_it)
{
    struct desk *desk = three_of(FEATURE_LEVEL);
    jump(desk, TEN_YEARS_S); /* All three: agrees() says the desk's clock. */
    agrees(desk, desk->others[0]);
    desk_pass(desk, 2000);
    cr_assert_eq(tenant_made(desk, "t"), 0);
    cr_assert(wall_is(desk, desk->wall_ms));
    desk_close(desk);
}

/* ---- Replicas that disagree ---- */

static bool alarm_raised(const struct desk *desk)
{
    for (const struct alarm_row *row = state_first(desk_state(desk), TABLE_ALARM); row != NULL;
         row = state_next(desk_state(desk), TABLE_ALARM, row)) {
        if (strcmp(row->name, "replicas-disagree") == 0 && row->cleared_at == 0) {
            return true;
        }
    }
    return false;
}

static void differ(struct desk *desk, uint64_t one, uint64_t other)
{
    uint64_t index = desk->index;
    struct said what = { .index = index, .digest = one };
    stands(desk, desk->others[0], &what);
    what.digest = other;
    stands(desk, desk->others[1], &what);
}

Test(core_cell, three_different_states_make_the_cell_read_only_and_raise_an_alarm)
{
    struct desk *desk = three_of(FEATURE_LEVEL); /* INV-REF-3 */
    cr_assert_eq(tenant_made(desk, "before"), 0);
    cr_assert_not(alarm_raised(desk));
    cr_assert_eq(say_status(desk, desk->operator_person, true)->disputed_index, 0);
    differ(desk, 1111, 2222);
    cr_assert_not(engine_diverged(desk->first.engine)); /* Nobody is known to be right. */
    desk_pass(desk, 1000);
    cr_assert_neq(cell_of(desk)->disputed_index, 0);
    cr_assert(alarm_raised(desk));
    cr_assert_eq(tenant_made(desk, "during"), REJECT_UNFIT);
    const Wire__Answer *read = say_status(desk, desk->operator_person, true);
    cr_assert_eq(read->reject, 0);
    cr_assert_eq(read->disputed_index, cell_of(desk)->disputed_index); /* Reads are marked. */
    cr_assert_eq(desk_leaves(desk, "cell-disputed", 0), 1);
    /* What heals is taken. */
    cr_assert_not_null(say_join(desk, WIRE__KIND__KIND_CONTROLLER, "c4", "r2"));
    cr_assert_not_null(state_lookup(desk_state(desk), TABLE_CONTROLLER, 0, "c4"));
    agrees(desk, desk->others[0]); /* It took over our state: two of three agree. */
    desk_pass(desk, 1000);
    cr_assert_eq(cell_of(desk)->disputed_index, 0);
    cr_assert_not(alarm_raised(desk));
    cr_assert_eq(tenant_made(desk, "after"), 0);
    cr_assert_not(desk->digests_differ);
    desk_close(desk);
}

Test(core_cell, one_that_differs_from_an_agreeing_majority_disputes_nothing)
{
    struct desk *desk = three_of(FEATURE_LEVEL);
    differ(desk, desk_state(desk)->digest, 2222);
    desk_pass(desk, 1000);
    cr_assert_not(engine_diverged(desk->first.engine));
    cr_assert_eq(cell_of(desk)->disputed_index, 0);
    cr_assert_eq(tenant_made(desk, "t"), 0);
    differ(desk, 3333, 3333); /* And when we are the one, we stop. INV-REF-1 */
    cr_assert(engine_diverged(desk->first.engine));
    desk_close(desk);
}

Test(core_cell, one_that_may_still_speak_is_waited_for_and_one_that_is_silent_is_not)
{
    struct desk *desk = three_of(FEATURE_LEVEL);
    struct said what = { .digest = 1111 };
    agrees(desk, desk->others[1]);
    cr_assert_eq(tenant_made(desk, "t"), 0); /* An index that the third has not spoken of. */
    stands(desk, desk->others[0], &what);
    desk_pass(desk, 1000);
    cr_assert_eq(cell_of(desk)->disputed_index, 0);
    desk_link(desk, WIRE__KIND__KIND_CONTROLLER, desk->others[1], false);
    desk_pass(desk, 2000);
    cr_assert_neq(cell_of(desk)->disputed_index, 0);
    cr_assert_eq(tenant_made(desk, "u"), REJECT_UNFIT);
    desk_close(desk);
}

Test(core_cell, two_against_two_is_no_majority)
{
    struct desk *desk = three_of(FEATURE_LEVEL);
    const Wire__Answer *joined = say_join(desk, WIRE__KIND__KIND_CONTROLLER, "c4", "r2");
    uint64_t fourth = 0;
    cr_assert(id_parse(ID_CONTROLLER, joined->join->id, &fourth));
    struct engine_member members[] = { { desk->controller, 2, desk->index, 0 },
                                       { desk->others[0], 2, desk->index, 0 },
                                       { desk->others[1], 2, desk->index, 0 },
                                       { fourth, 2, desk->index, 0 } };
    struct engine_event event = { .kind = ENGINE_MEMBERS,
                                  .members = members,
                                  .members_count = COUNT_OF(members),
                                  .leader = desk->controller,
                                  .commit = desk->index,
                                  .fit = true };
    desk_step(desk, &event);
    desk_link(desk, WIRE__KIND__KIND_CONTROLLER, fourth, true);
    agrees(desk, fourth);
    cr_assert_eq(tenant_made(desk, "t"), 0); /* An index that the fourth has not spoken of. */
    differ(desk, desk_state(desk)->digest, 2222);
    struct said what = { .digest = 2222 };
    desk_pass(desk, 500);
    cr_assert_eq(cell_of(desk)->disputed_index, 0);
    differ(desk, desk_state(desk)->digest, 2222);
    stands(desk, fourth, &what);
    desk_pass(desk, 1000);
    cr_assert_not(engine_diverged(desk->first.engine));
    cr_assert_neq(cell_of(desk)->disputed_index, 0);
    desk_close(desk);
}

/* ---- Who is not heard ---- */

static uint32_t away(const struct desk *desk)
{
    uint32_t count = 0;
    for (const struct alarm_row *row = state_first(desk_state(desk), TABLE_ALARM); row != NULL;
         row = state_next(desk_state(desk), TABLE_ALARM, row)) {
        bool is = strcmp(row->name, "controller-away") == 0 && row->cleared_at == 0;
        cr_assert(!is || row->subject == desk->others[1]);
        count += is ? 1 : 0;
    }
    return count;
}

static void heard(struct desk *desk, uint64_t ms)
{
    desk->others_heard_ms[1] = ms;
    desk_members(desk, true, desk->controller);
    desk_pass(desk, 1000);
}

Test(core_cell, a_controller_that_is_not_heard_is_an_alarm_until_it_is)
{
    struct desk *desk = three_of(FEATURE_LEVEL);
    heard(desk, UINT64_MAX);
    cr_assert_eq(away(desk), 0, "a leader that has just begun has heard nobody yet");
    desk_pass(desk, 5000);
    heard(desk, 0);
    cr_assert_eq(away(desk), 0);
    heard(desk, 4000);
    cr_assert_eq(away(desk), 0, "a restart");
    uint32_t raised = desk_events(desk, "alarm-raised");
    uint32_t cleared = desk_events(desk, "alarm-cleared");
    heard(desk, 6000);
    cr_assert_eq(away(desk), 1);
    heard(desk, 30000);
    cr_assert_eq(away(desk), 1, "told once");
    cr_assert_eq(desk_events(desk, "alarm-raised"), raised + 1);
    heard(desk, 0);
    cr_assert_eq(away(desk), 0);
    cr_assert_eq(desk_events(desk, "alarm-cleared"), cleared + 1);
    desk_close(desk);
}

Test(core_cell, who_is_removed_is_no_alarm_any_more)
{
    struct desk *desk = three_of(FEATURE_LEVEL);
    desk_pass(desk, 6000);
    heard(desk, 30000);
    cr_assert_eq(away(desk), 1);
    Wire__ControllerReported gone = WIRE__CONTROLLER_REPORTED__INIT;
    Wire__Command command = WIRE__COMMAND__INIT;
    struct controller_row *row = state_find(desk_state(desk), TABLE_CONTROLLER, desk->others[1]);
    cr_assert_not_null(row);
    row->leaving = true;
    gone.controller = desk->others[1];
    gone.gone = true;
    command.format = 1;
    command.body_case = WIRE__COMMAND__BODY_CONTROLLER_REPORTED;
    command.controller_reported = &gone;
    cr_assert_eq(applied(desk, &command), REJECT_NONE);
    cr_assert_eq(away(desk), 0);
    desk_close(desk);
}
