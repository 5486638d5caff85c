/* The engine between its neighbours: consensus, other controllers, keys, clients that wait. */
#include "controller/core/feature.h"
#include "tests/unit/core_lab.h"
#include "wire/frame.h"

static const struct desk_conf three = { .members = DESK_MEMBERS };

static void confirmed(struct desk *desk, uint64_t peer, uint64_t term, uint64_t nonce, bool yes)
{
    Wire__Confirmed body = WIRE__CONFIRMED__INIT;
    Wire__Frame frame = WIRE__FRAME__INIT;
    body.term = term;
    body.nonce = nonce;
    body.yes = yes;
    frame.body_case = WIRE__FRAME__BODY_CONFIRMED;
    frame.confirmed = &body;
    desk_frame(desk, WIRE__KIND__KIND_CONTROLLER, peer, 0, &frame);
}

/* The newest round asked of this peer after frame number `from`; zero: none. */
static Wire__Confirm confirm_to(const struct desk *desk, uint64_t peer, uint32_t from)
{
    const Wire__Frame *frame = desk_sent(desk, peer, WIRE__FRAME__BODY_CONFIRM, from);
    return frame == NULL ? (Wire__Confirm)WIRE__CONFIRM__INIT : *frame->confirm;
}

/* ---- Fresh reads ---- */

Test(core_engine, no_read_is_answered_before_a_majority_confirmed_the_leader)
{
    struct desk *desk = desk_open(&three); /* INV-LOG-7 */
    lab_others_join(desk);
    uint32_t from = desk->frames_count;
    cr_assert_null(say_status(desk, desk->operator_person, false));
    uint64_t handle = desk->handles;
    const Wire__Confirm asked = confirm_to(desk, desk->others[0], from);
    cr_assert_neq(asked.nonce, 0);
    confirmed(desk, desk->others[0], asked.term, asked.nonce, false);
    confirmed(desk, desk->others[0], asked.term + 1, asked.nonce, true);
    confirmed(desk, desk->others[0], asked.term, asked.nonce - 1, true);
    confirmed(desk, id_make(DESK_CELL, 4242), asked.term, asked.nonce, true);
    cr_assert_null(desk_answer(desk, handle));
    confirmed(desk, desk->others[1], asked.term, asked.nonce, true);
    const Wire__Answer *answer = desk_answer(desk, handle);
    cr_assert_not_null(answer);
    cr_assert_eq(answer->cluster_status->ledger_mismatches, 0);
    cr_assert_eq(answer->cluster_status->applied_index, desk->index);
    desk_close(desk);
}

Test(core_engine, a_read_that_came_during_a_round_waits_for_the_next)
{
    struct desk *desk = desk_open(&three); /* INV-LOG-7 */
    lab_others_join(desk);
    uint32_t from = desk->frames_count;
    (void)say_status(desk, desk->operator_person, false);
    const Wire__Confirm first = confirm_to(desk, desk->others[0], from);
    (void)say_status(desk, desk->operator_person, false);
    uint64_t second = desk->handles;
    confirmed(desk, desk->others[0], first.term, first.nonce, true);
    cr_assert_not_null(desk_answer(desk, second - 1));
    cr_assert_null(desk_answer(desk, second));
    desk_turn(desk);
    const Wire__Confirm next = confirm_to(desk, desk->others[0], from);
    cr_assert_gt(next.nonce, first.nonce);
    confirmed(desk, desk->others[0], next.term, next.nonce, true);
    cr_assert_not_null(desk_answer(desk, second));
    desk_close(desk);
}

Test(core_engine, a_stale_read_is_answered_only_when_asked_for_and_says_its_index)
{
    struct desk *desk = desk_open(&three);
    lab_others_join(desk);
    desk_follow(desk, 2, 0); /* Nobody leads. */
    const Wire__Answer *stale = say_status(desk, desk->operator_person, true);
    cr_assert_not_null(stale);
    cr_assert_eq(stale->index, desk->index);
    cr_assert_not_null(say_events(desk, desk->operator_person, 1, true));
    cr_assert_null(say_status(desk, desk->operator_person, false));
    desk_pass(desk, LIMIT_NO_LEADER_MS + 100);
    cr_assert_eq(desk_answer(desk, desk->handles)->reject, REJECT_NO_LEADER);
    cr_assert_eq(desk_answer(desk, desk->handles)->retry_after_seconds, 1);
    desk_close(desk);
}

Test(core_engine, a_follower_says_yes_only_to_the_one_it_follows_in_its_term)
{
    struct desk *desk = desk_open(&three); /* INV-LOG-7 */
    lab_others_join(desk);
    desk_follow(desk, 5, desk->others[0]);
    struct {
        uint64_t peer;
        uint64_t term;
        bool yes;
    } cases[] = { { desk->others[0], 5, true },
                  { desk->others[0], 4, false },
                  { desk->others[1], 5, false } };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        Wire__Confirm body = WIRE__CONFIRM__INIT;
        Wire__Frame frame = WIRE__FRAME__INIT;
        body.term = cases[i].term;
        body.nonce = 9;
        frame.body_case = WIRE__FRAME__BODY_CONFIRM;
        frame.confirm = &body;
        uint32_t from = desk->frames_count;
        desk_frame(desk, WIRE__KIND__KIND_CONTROLLER, cases[i].peer, 0, &frame);
        const Wire__Frame *told = desk_sent(desk, cases[i].peer, WIRE__FRAME__BODY_CONFIRMED, from);
        cr_assert_not_null(told);
        cr_assert_eq(told->confirmed->yes, cases[i].yes);
    }
    desk_close(desk);
}

/* ---- Leaders that come and go ---- */

Test(core_engine, a_change_of_leader_is_a_leaf_and_an_event_and_time_goes_on_from_the_log)
{
    struct lab lab = lab_open(); /* INV-TIME-1 */
    struct desk *desk = lab.desk;
    const struct cell_row *cell = state_cell(desk_state(desk));
    cr_assert_eq(cell->elections, 0);
    desk_pass(desk, 5000);
    (void)lab_create(&lab, "m1", true);
    uint64_t before = cell->log_time_ms;
    desk_follow(desk, 2, 0);
    desk->wall_ms = 5; /* A clock that jumps changes nothing that is decided. */
    desk_lead(desk, 7);
    desk_turn(desk);
    cr_assert_eq(cell->elections, 1);
    cr_assert_eq(cell->term, 7);
    cr_assert_eq(desk_leaves(desk, "leader-changed", 0), 2); /* The first one, and this. */
    cr_assert_eq(desk_events(desk, "leader-changed"), 2);
    cr_assert_geq(cell->log_time_ms, before);
    lab_close(&lab);
}

Test(core_engine, an_entry_with_an_older_time_does_not_turn_log_time_back)
{
    struct lab lab = lab_open(); /* INV-TIME-1 */
    struct desk *desk = lab.desk;
    desk_pass(desk, 5000);
    (void)lab_create(&lab, "m1", true);
    const struct cell_row *cell = state_cell(desk_state(desk));
    uint64_t before = cell->log_time_ms;
    cr_assert_gt(before, 1000);
    Wire__Tick tick = WIRE__TICK__INIT;
    Wire__Command command = WIRE__COMMAND__INIT;
    Wire__Command *commands[] = { &command };
    Wire__Entry entry = WIRE__ENTRY__INIT;
    command.format = 1;
    command.body_case = WIRE__COMMAND__BODY_TICK;
    command.tick = &tick;
    entry.format = 1;
    entry.n_commands = 1;
    entry.commands = commands;
    entry.log_time_ms = before - 1000;
    struct outcome outcome;
    struct apply apply = { .state = desk_state(desk),
                           .effects = desk->effects,
                           .scratch = &desk->step,
                           .index = desk->index + 1 };
    apply_entry(&apply, &entry, &outcome);
    cr_assert_eq(cell->log_time_ms, before);
    entry.log_time_ms = before + 1000;
    apply_entry(&apply, &entry, &outcome);
    cr_assert_eq(cell->log_time_ms, before + 1000);
    desk_close(desk);
}

/* ---- The log says no ---- */

Test(core_engine, an_entry_that_came_to_nothing_is_proposed_again_words_and_asks)
{
    struct desk_conf blank = { .blank = true };
    struct desk *desk = desk_open(&blank);
    desk->refuse_log = true;
    desk_lead(desk, 1);
    desk_turn(desk); /* Genesis is refused. */
    cr_assert_null(state_cell(desk_state(desk)));
    desk->refuse_log = false;
    desk_turn(desk);
    cr_assert_not_null(state_cell(desk_state(desk)));
    cr_assert_eq(desk_leaves(desk, "genesis", 0), 1);
    cr_assert_eq(desk_leaves(desk, "leader-changed", 0), 1);
    struct quota_amounts cap = say_amounts(1, SAY_GIB, 1, 1);
    desk->refuse_log = true;
    cr_assert_null(say_tenant(desk, desk->operator_person, "t", NULL, &cap));
    uint64_t handle = desk->handles;
    desk->refuse_log = false;
    desk_turn(desk);
    cr_assert_eq(desk_answer(desk, handle)->reject, 0);
    cr_assert_not_null(desk_tenant(desk, "t"));
    desk_close(desk);
}

/* A log that fails while it takes an entry ends leadership, which is heard before the refusal. */
Test(core_engine, an_entry_that_came_to_nothing_after_leadership_went_is_asked_of_who_leads_now)
{
    struct desk *desk = desk_open(&three);
    struct quota_amounts cap = say_amounts(1, SAY_GIB, 1, 1);
    lab_others_join(desk);
    for (int i = 0; i < 2; i++) { /* Nobody leads then, or another does. */
        uint64_t leader = i == 0 ? 0 : desk->others[0];
        desk->refuse_log = true;
        desk->hold_log = true;
        cr_assert_null(say_tenant(desk, desk->operator_person, "t", NULL, &cap));
        uint64_t handle = desk->handles;
        uint32_t from = desk->frames_count;
        desk_follow(desk, desk->term + 1, leader);
        desk_commit(desk);
        desk->refuse_log = false;
        desk->hold_log = false;
        desk_pass(desk, LIMIT_NO_LEADER_MS + 100);
        bool told = desk_sent(desk, desk->others[0], WIRE__FRAME__BODY_FORWARD, from) != NULL;
        cr_assert_eq(told, leader != 0);
        cr_assert_eq(lab_reject(desk_answer(desk, handle)), told ? REJECTS_END : REJECT_NO_LEADER);
        desk_lead(desk, desk->term + 1);
        desk_turn(desk);
    }
    desk_close(desk);
}

static void stands(struct desk *desk, uint64_t peer, bool fit)
{
    uint8_t digest[8] = { 0 };
    Wire__Standing said = WIRE__STANDING__INIT;
    said.digest = (ProtobufCBinaryData){ sizeof(digest), digest };
    said.fit = fit;
    said.feature_level = FEATURE_LEVEL;
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.body_case = WIRE__FRAME__BODY_STANDING;
    frame.standing = &said;
    desk_link(desk, WIRE__KIND__KIND_CONTROLLER, peer, true);
    desk_frame(desk, WIRE__KIND__KIND_CONTROLLER, peer, 0, &frame);
}

Test(core_engine, without_room_new_work_is_refused_and_leadership_is_given_away)
{
    struct desk *desk = desk_open(&three);
    lab_others_join(desk);
    struct quota_amounts cap = say_amounts(1, SAY_GIB, 1, 1);
    desk->refuse_log = true;
    desk->refuse_why = FAILURE_FULL;
    cr_assert_eq(
        lab_reject(say_tenant(desk, desk->operator_person, "t", NULL, &cap)), REJECT_UNFIT);
    desk->refuse_log = false;
    desk_members(desk, false, desk->controller);
    cr_assert_eq(
        lab_reject(say_tenant(desk, desk->operator_person, "t", NULL, &cap)), REJECT_UNFIT);
    desk_pass(desk, 1000);
    cr_assert_eq(desk->hand_overs, 0); /* Nobody is known to be better. */
    stands(desk, desk->others[0], false);
    desk_pass(desk, 1000);
    cr_assert_eq(desk->hand_overs, 0); /* All disks are full: the cell is not passed around. */
    stands(desk, desk->others[1], true);
    desk_pass(desk, 1000);
    cr_assert_gt(desk->hand_overs, 0);
    desk_members(desk, true, desk->controller); /* Space is back. */
    cr_assert_eq(say_tenant(desk, desk->operator_person, "t", NULL, &cap)->reject, 0);
    desk_close(desk);
}

Test(core_engine, more_than_can_be_under_way_is_overloaded_and_everybody_is_answered_once)
{
    struct desk *desk = desk_open(&three);
    lab_others_join(desk);
    desk->later = true;
    uint64_t first = desk->handles + 1;
    for (int i = 0; i < ENGINE_ASKS; i++) {
        cr_assert_null(say_status(desk, desk->operator_person, false));
    }
    cr_assert_eq(engine_asks_under_way(desk->first.engine), ENGINE_ASKS);
    cr_assert_eq(lab_reject(say_status(desk, desk->operator_person, false)), REJECT_OVERLOADED);
    desk_pass(desk, 10 * 1000);
    cr_assert_eq(engine_asks_under_way(desk->first.engine), 0);
    cr_assert_eq(desk_answer(desk, first)->reject, REJECT_OUTCOME_UNKNOWN);
    desk_close(desk);
}

/* ---- Members ---- */

static uint32_t remove_controller(struct desk *desk, const char *name)
{
    Wire__ControllerRemove remove = WIRE__CONTROLLER_REMOVE__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    remove.controller = name;
    request.body_case = WIRE__REQUEST__BODY_CONTROLLER_REMOVE;
    request.controller_remove = &remove;
    uint32_t from = desk->frames_count;
    const Wire__Answer *answer = desk_do(desk, desk->operator_person, &request);
    if (answer == NULL) { /* A refusal waits for the others to say who leads. INV-LOG-7 */
        const Wire__Confirm asked = confirm_to(desk, desk->others[0], from);
        confirmed(desk, desk->others[0], asked.term, asked.nonce, true);
        answer = desk_answer(desk, desk->handles);
    }
    return lab_reject(answer);
}

/* One that was deposed while it was stopped knows nothing of what was made since. */
Test(core_engine, no_refusal_is_answered_before_a_majority_confirmed_the_leader)
{
    struct desk *desk = desk_open(&three); /* INV-LOG-7 */
    lab_others_join(desk);
    uint32_t from = desk->frames_count;
    cr_assert_null(say_tenant_delete(desk, desk->operator_person, "made-elsewhere"));
    uint64_t handle = desk->handles;
    const Wire__Confirm asked = confirm_to(desk, desk->others[0], from);
    cr_assert_neq(asked.nonce, 0);
    confirmed(desk, desk->others[0], asked.term, asked.nonce, false);
    cr_assert_null(desk_answer(desk, handle));
    confirmed(desk, desk->others[0], asked.term, asked.nonce, true);
    cr_assert_eq(desk_answer(desk, handle)->reject, REJECT_NOT_FOUND);
    desk_close(desk);
}

/* A used token answers a lost answer once more, and nothing else: not for whoever was revoked or
 * removed since, and not with another key to seal the cell's own to. */
Test(core_engine, a_used_token_gives_nothing_to_who_was_removed_or_asks_for_more)
{
    struct lab lab = lab_open(); /* INV-SEC-26 */
    struct desk *desk = lab.desk;
    cr_assert_eq(say_token(desk, WIRE__KIND__KIND_CONTROLLER, "c2", "r1", 77)->reject, 0);
    cr_assert_eq(say_join_with(desk, WIRE__KIND__KIND_CONTROLLER, 77, "csr")->reject, 0);
    cr_assert_eq(say_join_with(desk, WIRE__KIND__KIND_CONTROLLER, 77, "csr")->reject, 0);
    desk->sealing = 6;
    cr_assert_eq(say_join_with(desk, WIRE__KIND__KIND_CONTROLLER, 77, "csr")->reject, REJECT_TOKEN);
    desk->sealing = 0;
    cr_assert_eq(remove_controller(desk, "c2"), 0);
    cr_assert_eq(say_join_with(desk, WIRE__KIND__KIND_CONTROLLER, 77, "csr")->reject, REJECT_TOKEN);
    cr_assert_eq(say_token(desk, WIRE__KIND__KIND_USER, "ann", "", 78)->reject, 0);
    cr_assert_eq(say_join_with(desk, WIRE__KIND__KIND_USER, 78, "csr")->reject, 0);
    cr_assert_eq(say_revoke(desk, lab.root, "ann")->reject, 0);
    cr_assert_eq(say_join_with(desk, WIRE__KIND__KIND_USER, 78, "csr")->reject, REJECT_TOKEN);
    lab_close(&lab);
}

Test(core_engine, a_controller_joins_votes_and_leaves_and_each_step_is_a_leaf)
{
    struct desk *desk = desk_open(&(struct desk_conf){ .members = 1 });
    const struct state *state = desk_state(desk);
    cr_assert_eq(remove_controller(desk, "c1"), REJECT_STATE); /* The last one, and the leader. */
    const Wire__Answer *joined = say_join(desk, WIRE__KIND__KIND_CONTROLLER, "c2", "r1");
    cr_assert(id_parse(ID_CONTROLLER, joined->join->id, &desk->others[0]));
    desk_pass(desk, 1000);
    cr_assert_eq(desk->member_adds, 0); /* Who cannot be reached is not made a member. */
    desk_link(desk, WIRE__KIND__KIND_CONTROLLER, desk->others[0], true);
    desk_pass(desk, 1000);
    cr_assert_eq(desk->member_adds, 0); /* Nor who has not said what it understands. */
    stands(desk, desk->others[0], true);
    desk_pass(desk, 1000);
    cr_assert_gt(desk->member_adds, 0);
    desk->conf.members = DESK_MEMBERS; /* Consensus did it. */
    desk_members(desk, true, desk->controller);
    desk_pass(desk, 1000);
    const struct controller_row *row = state_find(state, TABLE_CONTROLLER, desk->others[0]);
    cr_assert_eq(row->voter, 2);
    cr_assert_eq(desk_leaves(desk, "controller-voter", 0), 1);
    uint32_t epoch = row->epoch;
    cr_assert_eq(remove_controller(desk, "c1"), REJECT_STATE);
    cr_assert_eq(remove_controller(desk, "c9"), REJECT_NOT_FOUND);
    cr_assert_eq(remove_controller(desk, "c2"), 0);
    cr_assert_eq(row->epoch, epoch + 1); /* INV-SEC-3: its certificates open no door. */
    desk_pass(desk, 1000);
    cr_assert_gt(desk->member_removes, 0);
    cr_assert_not_null(state_find(state, TABLE_CONTROLLER, desk->others[0]));
    desk->conf.members = 1;
    desk_members(desk, true, desk->controller);
    cr_assert_eq(remove_controller(desk, "c2"), REJECT_STATE); /* It leaves already. */
    desk_pass(desk, 1000);
    cr_assert_null(state_find(state, TABLE_CONTROLLER, desk->others[0]));
    cr_assert_eq(desk_leaves(desk, "controller-gone", 0), 1);
    cr_assert_not(desk->digests_differ);
    desk_close(desk);
}

Test(core_engine, more_controllers_than_there_can_be_at_once_may_come_and_go)
{
    struct desk *desk = desk_open(&(struct desk_conf){ .members = 1 });
    for (int i = 0; i < LIMIT_CONTROLLERS * 4; i++) {
        const Wire__Answer *joined = say_join(desk, WIRE__KIND__KIND_CONTROLLER, "c2", "r1");
        cr_assert(id_parse(ID_CONTROLLER, joined->join->id, &desk->others[0]));
        stands(desk, desk->others[0], true);
        uint32_t before = desk->member_adds;
        desk_pass(desk, 1000);
        cr_assert_gt(desk->member_adds, before); /* It is known to be reachable. */
        cr_assert_eq(remove_controller(desk, "c2"), 0);
        desk_link(desk, WIRE__KIND__KIND_CONTROLLER, desk->others[0], false);
        desk_pass(desk, 1000);
    }
    desk_close(desk);
}
