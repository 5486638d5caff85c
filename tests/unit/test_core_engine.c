/* The engine between its neighbours: consensus, other controllers, keys, clients that wait. */
#include "tests/unit/core_lab.h"
#include "wire/frame.h"

#include <stdio.h>

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

/* The rows of the two other controllers, so that their frames are heard. */
static void others_join(struct desk *desk)
{
    for (int i = 0; i < DESK_MEMBERS - 1; i++) {
        const Wire__Answer *joined =
            say_join(desk, WIRE__KIND__KIND_CONTROLLER, i == 0 ? "c2" : "c3", "r1");
        cr_assert_eq(joined->reject, 0);
        cr_assert(id_parse(ID_CONTROLLER, joined->join->id, &desk->others[i]));
    }
    desk_members(desk, true, desk->controller);
    for (int i = 0; i < DESK_MEMBERS - 1; i++) {
        desk_link(desk, WIRE__KIND__KIND_CONTROLLER, desk->others[i], true);
    }
}

/* ---- Fresh reads ---- */

Test(core_engine, no_read_is_answered_before_a_majority_confirmed_the_leader)
{
    struct desk *desk = desk_open(&three); /* INV-LOG-7 */
    others_join(desk);
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
    others_join(desk);
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
    others_join(desk);
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
    others_join(desk);
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

/* ---- Forwarding, and leaders that come and go ---- */

Test(core_engine, a_follower_forwards_once_and_passes_the_answer_on)
{
    struct desk *desk = desk_open(&three);
    others_join(desk);
    desk_follow(desk, 2, desk->others[0]);
    uint32_t from = desk->frames_count;
    struct quota_amounts cap = say_amounts(1, SAY_GIB, 1, 1);
    cr_assert_null(say_tenant(desk, desk->operator_person, "t", NULL, &cap));
    uint64_t handle = desk->handles;
    const Wire__Frame *sent = desk_sent(desk, desk->others[0], WIRE__FRAME__BODY_FORWARD, from);
    cr_assert_not_null(sent);
    cr_assert_eq(sent->forward->request->principal->id, desk->operator_person.id);
    Wire__Answer answer = WIRE__ANSWER__INIT;
    answer.format = 1;
    answer.reject = REJECT_QUOTA;
    Wire__Told told = WIRE__TOLD__INIT;
    told.handle = sent->forward->handle;
    told.answer = &answer;
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.body_case = WIRE__FRAME__BODY_FORWARDED;
    frame.forwarded = &told;
    desk_frame(desk, WIRE__KIND__KIND_CONTROLLER, desk->others[0], 0, &frame);
    cr_assert_eq(desk_answer(desk, handle)->reject, REJECT_QUOTA);
    /* What another forwarded to us while we do not lead goes back, not on. */
    Wire__Ask ask = *sent->forward;
    frame.body_case = WIRE__FRAME__BODY_FORWARD;
    frame.forward = &ask;
    from = desk->frames_count;
    desk_frame(desk, WIRE__KIND__KIND_CONTROLLER, desk->others[1], 0, &frame);
    const Wire__Frame *back = desk_sent(desk, desk->others[1], WIRE__FRAME__BODY_FORWARDED, from);
    cr_assert_eq(back->forwarded->answer->reject, REJECT_NO_LEADER);
    cr_assert_null(desk_sent(desk, desk->others[0], WIRE__FRAME__BODY_FORWARD, from));
    desk_close(desk);
}

Test(core_engine, what_waits_for_a_leader_goes_to_the_one_that_comes)
{
    struct desk *desk = desk_open(&three);
    others_join(desk);
    desk_follow(desk, 2, 0);
    struct quota_amounts cap = say_amounts(1, SAY_GIB, 1, 1);
    uint32_t from = desk->frames_count;
    (void)say_tenant(desk, desk->operator_person, "t", NULL, &cap);
    cr_assert_null(desk_sent(desk, desk->others[0], WIRE__FRAME__BODY_FORWARD, from));
    desk_follow(desk, 2, desk->others[0]);
    cr_assert_not_null(desk_sent(desk, desk->others[0], WIRE__FRAME__BODY_FORWARD, from));
    uint64_t handle = desk->handles;
    desk_link(desk, WIRE__KIND__KIND_CONTROLLER, desk->others[0], false);
    cr_assert_null(desk_answer(desk, handle)); /* It has its key: the next leader may be asked. */
    from = desk->frames_count;
    desk_follow(desk, 3, desk->others[1]);
    cr_assert_not_null(desk_sent(desk, desk->others[1], WIRE__FRAME__BODY_FORWARD, from));
    desk_link(desk, WIRE__KIND__KIND_CONTROLLER, desk->others[1], false);
    desk_pass(desk, 3000); /* Nobody leads any more, but the first may have done it. */
    cr_assert_eq(desk_answer(desk, handle)->reject, REJECT_OUTCOME_UNKNOWN); /* INV-IDEM-2 */
    desk_close(desk);
}

Test(core_engine, what_a_leader_swallowed_goes_to_the_next_one)
{
    struct desk *desk = desk_open(&three);
    others_join(desk);
    desk_follow(desk, 2, desk->others[0]);
    struct quota_amounts cap = say_amounts(1, SAY_GIB, 1, 1);
    (void)say_tenant(desk, desk->operator_person, "t", NULL, &cap);
    uint32_t from = desk->frames_count;
    desk_follow(desk, 3, desk->others[1]); /* The first is silent, and its link stays up. */
    cr_assert_not_null(desk_sent(desk, desk->others[1], WIRE__FRAME__BODY_FORWARD, from));
    desk_close(desk);
}

Test(core_engine, what_was_in_the_log_when_leadership_went_is_unknown_and_never_failed)
{
    struct lab lab = lab_open(); /* INV-IDEM-2 */
    struct desk *desk = lab.desk;
    desk->hold_log = true;
    desk->key = "again";
    cr_assert_null(lab_create(&lab, "vm", true));
    uint64_t submitted = desk->handles;
    struct desk_pending lost = desk->pending[0];
    desk_follow(desk, 2, 0);
    struct engine_event event = { .kind = ENGINE_LOST, .ticket = lost.ticket };
    desk_step(desk, &event);
    const Wire__Answer *answer = desk_answer(desk, submitted);
    cr_assert_eq(answer->reject, REJECT_OUTCOME_UNKNOWN);
    cr_assert_neq(strlen(answer->problem->hint), 0);
    /* It was committed after all: the same key finds it. */
    desk_apply(desk, desk->first.engine, desk->index + 1, lost.bytes);
    desk_apply(desk, desk->second.engine, desk->index + 1, lost.bytes);
    desk->index++;
    desk->pending_count = 0;
    desk->hold_log = false;
    desk_lead(desk, 3);
    desk_turn(desk);
    desk->key = "again";
    const Wire__Answer *again = lab_create(&lab, "vm", true);
    cr_assert_eq(again->reject, 0);
    cr_assert_eq(state_count(desk_state(desk), TABLE_INSTANCE), 1);
    lab_close(&lab);
}

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

static void stands(struct desk *desk, uint64_t peer, bool fit)
{
    uint8_t digest[8] = { 0 };
    Wire__Standing said = WIRE__STANDING__INIT;
    said.digest = (ProtobufCBinaryData){ sizeof(digest), digest };
    said.fit = fit;
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.body_case = WIRE__FRAME__BODY_STANDING;
    frame.standing = &said;
    desk_link(desk, WIRE__KIND__KIND_CONTROLLER, peer, true);
    desk_frame(desk, WIRE__KIND__KIND_CONTROLLER, peer, 0, &frame);
}

Test(core_engine, without_room_new_work_is_refused_and_leadership_is_given_away)
{
    struct desk *desk = desk_open(&three);
    others_join(desk);
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
    others_join(desk);
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
    return lab_reject(desk_do(desk, desk->operator_person, &request));
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
    cr_assert_eq(remove_controller(desk, "c2"), REJECT_STATE);
    cr_assert_eq(row->epoch, epoch + 1); /* INV-SEC-3: its certificates open no door. */
    desk_pass(desk, 1000);
    cr_assert_gt(desk->member_removes, 0);
    cr_assert_not_null(state_find(state, TABLE_CONTROLLER, desk->others[0]));
    desk->conf.members = 1;
    desk_members(desk, true, desk->controller);
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
        desk_link(desk, WIRE__KIND__KIND_CONTROLLER, desk->others[0], true);
        uint32_t before = desk->member_adds;
        desk_pass(desk, 1000);
        cr_assert_gt(desk->member_adds, before); /* It is known to be reachable. */
        cr_assert_eq(remove_controller(desk, "c2"), 0);
        desk_link(desk, WIRE__KIND__KIND_CONTROLLER, desk->others[0], false);
        desk_pass(desk, 1000);
    }
    desk_close(desk);
}

/* ---- Nodes ---- */

Test(core_engine, a_silent_node_is_unknown_with_an_alarm_and_alive_again_when_it_renews)
{
    struct lab lab = lab_open();
    struct desk *desk = lab.desk;
    (void)lab_create(&lab, "vm", false);
    lab_says(&lab, "vm", O(RUNNING));
    struct desk_node *node = lab_node_of(&lab, "vm");
    const struct node_row *row = state_find(desk_state(desk), TABLE_NODE, node->id);
    node->silent = true;
    desk_pass(desk, LIMIT_NODE_UNKNOWN_MS - 500);
    cr_assert_eq(row->liveness, WIRE__LIVENESS__LIVENESS_ALIVE);
    desk_pass(desk, 1000);
    cr_assert_eq(row->liveness, WIRE__LIVENESS__LIVENESS_UNKNOWN);
    cr_assert_eq(desk_leaves(desk, "node-unknown", 0), 1);
    cr_assert_eq(desk_events(desk, "alarm-raised"), 1);
    desk_pass(desk, 60 * 1000);
    cr_assert_eq(desk_leaves(desk, "node-unknown", 0), 1);
    cr_assert_eq(lab_row(&lab, "vm")->state, S(RUNNING)); /* Unknown holds. */
    node->silent = false;
    desk_pass(desk, 100);
    cr_assert_eq(row->liveness, WIRE__LIVENESS__LIVENESS_ALIVE);
    cr_assert_eq(desk_events(desk, "alarm-cleared"), 1);
    lab_close(&lab);
}

Test(core_engine, what_is_being_deleted_says_why_while_its_node_is_unknown)
{
    struct lab lab = lab_open();
    struct desk *desk = lab.desk;
    (void)lab_create(&lab, "vm", false);
    (void)lab_create(&lab, "other", false);
    lab_says(&lab, "vm", O(RUNNING));
    lab_says(&lab, "other", O(RUNNING));
    struct desk_node *node = lab_node_of(&lab, "vm");
    node->silent = true;
    desk_pass(desk, 1000);
    cr_assert_eq(say_delete(desk, lab.ann, "a", "vm")->reject, 0);
    cr_assert_str_empty(lab_row(&lab, "vm")->reason); /* Still alive: nothing to explain. */
    desk_pass(desk, LIMIT_NODE_UNKNOWN_MS);
    cr_assert_eq(lab_row(&lab, "vm")->state, S(DELETING));
    cr_assert_str_not_empty(lab_row(&lab, "vm")->reason);
    cr_assert_str_empty(lab_row(&lab, "other")->reason); /* Nobody waits for it to go. */
    node->silent = false;
    desk_pass(desk, 100);
    cr_assert_eq(lab_row(&lab, "vm")->state, S(DELETING)); /* INV-LED-6 */
    cr_assert_str_empty(lab_row(&lab, "vm")->reason);
    lab_close(&lab);
}

Test(core_engine, a_node_that_renews_without_a_hello_is_welcomed_and_told_everything_once)
{
    struct lab lab = lab_open();
    struct desk *desk = lab.desk;
    (void)lab_create(&lab, "vm", false);
    struct desk_node *node = lab_node_of(&lab, "vm");
    uint32_t before = desk->frames_count;
    desk_renew(desk, node, true);
    cr_assert_null(desk_sent(desk, node->id, WIRE__FRAME__BODY_NODE_WELCOME, before));
    desk_link(desk, WIRE__KIND__KIND_NODE, node->id, true); /* Its hello is lost. */
    before = desk->frames_count;
    desk_renew(desk, node, true);
    const Wire__Frame *told = desk_sent(desk, node->id, WIRE__FRAME__BODY_NODE_WELCOME, before);
    cr_assert_not_null(told);
    cr_assert_eq(told->node_welcome->term, desk->term);
    told = desk_sent(desk, node->id, WIRE__FRAME__BODY_NODE_ORDERS, before);
    cr_assert_not_null(told);
    cr_assert(told->node_orders->whole && told->node_orders->last);
    cr_assert_eq(told->node_orders->n_assignments, 1);
    before = desk->frames_count;
    desk_renew(desk, node, true);
    cr_assert_null(desk_sent(desk, node->id, WIRE__FRAME__BODY_NODE_WELCOME, before));
    lab_close(&lab);
}

static void tells_start(
    struct desk *desk, uint64_t node, uint32_t epoch, const char *program, uint64_t started_ms)
{
    Wire__ProcessRestarted process = WIRE__PROCESS_RESTARTED__INIT;
    Wire__ProcessRestarted *list[] = { &process };
    process.program = program;
    process.started_ms = started_ms;
    Wire__NodeRenew renew = WIRE__NODE_RENEW__INIT;
    renew.n_processes = 1;
    renew.processes = list;
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.body_case = WIRE__FRAME__BODY_NODE_RENEW;
    frame.node_renew = &renew;
    desk_frame(desk, WIRE__KIND__KIND_NODE, node, epoch, &frame);
    desk_turn(desk);
}

Test(core_engine, another_life_of_a_program_is_one_event_however_often_it_is_told)
{
    struct lab lab = lab_open();
    struct desk *desk = lab.desk;
    tells_start(desk, lab.n1->id, lab.n1->epoch, "agent", 1000);
    cr_assert_eq(desk_events(desk, "process-restart"), 0); /* The first is no restart. */
    tells_start(desk, lab.n1->id, lab.n1->epoch, "agent", 5000);
    cr_assert_eq(desk_events(desk, "process-restart"), 1);
    tells_start(desk, lab.n1->id, lab.n1->epoch, "agent", 5000);
    tells_start(desk, lab.n1->id, lab.n1->epoch, "agent", 0);
    tells_start(desk, lab.n1->id, lab.n1->epoch, "nobody", 7000);
    cr_assert_eq(desk_events(desk, "process-restart"), 1);
    tells_start(desk, lab.n1->id, lab.n1->epoch, "agent", 20); /* The machine began anew. */
    cr_assert_eq(desk_events(desk, "process-restart"), 2);
    Wire__ProcessRestarted own = WIRE__PROCESS_RESTARTED__INIT;
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.body_case = WIRE__FRAME__BODY_PROCESS_RESTARTED;
    frame.process_restarted = &own;
    own.program = "api";
    for (own.started_ms = 1; own.started_ms <= 3; own.started_ms++) {
        struct engine_event told = { .kind = ENGINE_TOLD, .frame = &frame };
        desk_step(desk, &told);
        desk_pass(desk, 2000);
    }
    cr_assert_eq(desk_events(desk, "process-restart"), 4); /* The leader's own, told by parent. */
    lab_close(&lab);
}

Test(core_engine, what_a_node_claims_cannot_make_sums_wrap)
{
    struct lab lab = lab_open();
    lab.n1->vcpus = UINT64_MAX;
    lab.n1->memory_bytes = UINT64_MAX;
    lab.n2->vcpus = UINT64_MAX;
    lab.n2->memory_bytes = UINT64_MAX;
    desk_hello(lab.desk, lab.n1);
    desk_hello(lab.desk, lab.n2);
    desk_turn(lab.desk);
    cr_assert_eq(lab_create(&lab, "vm", false)->reject, 0);
    lab.n1->vcpus = 0; /* And it may shrink to nothing under what it runs. */
    lab.n1->memory_bytes = 0;
    lab.n2->vcpus = 0;
    lab.n2->memory_bytes = 0;
    desk_hello(lab.desk, lab.n1);
    desk_hello(lab.desk, lab.n2);
    desk_turn(lab.desk);
    cr_assert_neq(lab_create(&lab, "vm2", false)->reject, 0);
    lab_close(&lab);
}

Test(core_engine, a_whole_entry_of_creates_in_a_cell_of_many_nodes_is_told_to_all_of_them)
{
    enum { NODES = 30, CREATES = 256 };
    struct desk *desk = desk_open(&(struct desk_conf){ .alone = true });
    struct quota_amounts cap = say_amounts(1000, 1000 * SAY_GIB, 400, 4);
    Wire__Identity root = desk->operator_person;
    char name[16];
    for (int i = 0; i < NODES; i++) {
        (void)snprintf(name, sizeof(name), "n%d", i);
        (void)desk_node_new(desk, name, "r1", 9, 64 * SAY_GIB);
    }
    cr_assert_eq(say_image(desk, root, "linux")->reject, 0);
    cr_assert_eq(say_tenant(desk, root, "a", NULL, &cap)->reject, 0);
    cr_assert_eq(say_network(desk, root, "a", "net", "10.1.0.0/16")->reject, 0);
    uint32_t from = desk->frames_count;
    struct say_instance wish = { .tenant = "a", .name = name, .network = "net" };
    desk->later = true;
    for (int i = 0; i < CREATES; i++) {
        (void)snprintf(name, sizeof(name), "m%d", i);
        cr_assert_null(say_create(desk, root, &wish));
    }
    desk->later = false;
    desk_turn(desk);
    cr_assert_eq(state_count(desk_state(desk), TABLE_INSTANCE), CREATES);
    for (int i = 0; i < NODES - 2; i++) { /* Twenty-eight and a half nodes are full. */
        const Wire__Frame *told =
            desk_sent(desk, desk->nodes[i].id, WIRE__FRAME__BODY_NODE_ORDERS, from);
        cr_assert_not_null(told);
        cr_assert_eq(told->node_orders->n_segments, 1);
        cr_assert_eq(told->node_orders->segments[0]->n_peers, 28);
    }
    cr_assert_leq(desk->frames_count - from, NODES);
    desk_close(desk);
}

Test(core_engine, what_found_no_room_in_a_step_is_told_whole_with_the_next_renewal)
{
    struct lab lab = lab_open();
    struct desk *desk = lab.desk;
    uint32_t from = desk->frames_count;
    desk->squeeze = ENGINE_ARENA / 2 + 1;
    cr_assert_eq(lab_create(&lab, "vm", false)->reject, 0);
    desk->squeeze = 0;
    struct desk_node *node = lab_node_of(&lab, "vm");
    cr_assert_null(desk_sent(desk, node->id, WIRE__FRAME__BODY_NODE_ORDERS, from));
    desk_renew(desk, node, true);
    const Wire__Frame *told = desk_sent(desk, node->id, WIRE__FRAME__BODY_NODE_ORDERS, from);
    cr_assert_not_null(told);
    cr_assert(told->node_orders->whole);
    cr_assert_eq(told->node_orders->n_assignments, 1);
    from = desk->frames_count;
    desk_renew(desk, node, true);
    cr_assert_null(desk_sent(desk, node->id, WIRE__FRAME__BODY_NODE_ORDERS, from));
    lab_close(&lab);
}

/* ---- Waiting ---- */

Test(core_engine, who_waits_for_an_operation_is_answered_when_it_ends_or_time_is_up)
{
    struct lab lab = lab_open();
    struct desk *desk = lab.desk;
    const Wire__Answer *made = lab_create(&lab, "vm", false);
    Wire__OperationWait wait = WIRE__OPERATION_WAIT__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    wait.operation = made->operation->id;
    wait.seconds = 2;
    request.body_case = WIRE__REQUEST__BODY_OPERATION_WAIT;
    request.operation_wait = &wait;
    cr_assert_null(desk_do(desk, lab.ann, &request));
    uint64_t first = desk->handles;
    desk_pass(desk, 2100);
    cr_assert_eq(
        desk_answer(desk, first)->operation->state, WIRE__OPERATION_STATE__OPERATION_STATE_RUNNING);
    request.stale = true; /* The end is not seen earlier elsewhere: it waits all the same. */
    cr_assert_null(desk_do(desk, lab.ann, &request));
    uint64_t second = desk->handles;
    lab_says(&lab, "vm", O(RUNNING));
    cr_assert_eq(
        desk_answer(desk, second)->operation->state, WIRE__OPERATION_STATE__OPERATION_STATE_DONE);
    wait.operation = "nothing";
    cr_assert_eq(desk_do(desk, lab.ann, &request)->reject, REJECT_NOT_FOUND);
    lab_close(&lab);
}

Test(core_engine, a_console_is_read_at_the_node_and_only_for_its_tenant)
{
    struct lab lab = lab_open();
    struct desk *desk = lab.desk;
    (void)lab_create(&lab, "vm", false);
    Wire__ConsoleRead read = WIRE__CONSOLE_READ__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    read.tenant = "a";
    read.instance = "vm";
    request.body_case = WIRE__REQUEST__BODY_CONSOLE_READ;
    request.console_read = &read;
    cr_assert_eq(desk_do(desk, lab.root, &request)->reject, REJECT_DENIED);
    cr_assert_null(desk_do(desk, lab.ann, &request));
    uint64_t handle = desk->handles;
    struct desk_node *node = lab_node_of(&lab, "vm");
    const Wire__Frame *asked = desk_sent(desk, node->id, WIRE__FRAME__BODY_CONSOLE_ASK, 0);
    uint8_t text[] = { 'h', 'i' };
    Wire__NodeConsoleTold told = WIRE__NODE_CONSOLE_TOLD__INIT;
    told.handle = asked->console_ask->handle;
    told.data = (ProtobufCBinaryData){ sizeof(text), text };
    told.size = 2;
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.body_case = WIRE__FRAME__BODY_CONSOLE_TOLD;
    frame.console_told = &told;
    struct desk_node *other = node == lab.n1 ? lab.n2 : lab.n1;
    desk_frame(desk, WIRE__KIND__KIND_NODE, other->id, 0, &frame);
    cr_assert_null(desk_answer(desk, handle)); /* Another node's word is not it. */
    desk_frame(desk, WIRE__KIND__KIND_NODE, node->id, 0, &frame);
    cr_assert_eq(desk_answer(desk, handle)->console->size, 2);
    lab_close(&lab);
}

Test(core_engine, a_trial_that_wants_nothing_is_refused_and_a_sound_one_names_its_node)
{
    struct lab lab = lab_open();
    Wire__InstanceCreate trial = WIRE__INSTANCE_CREATE__INIT;
    Wire__Explain explain = WIRE__EXPLAIN__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    trial.tenant = "a";
    trial.image = "linux";
    explain.kind = WIRE__KIND__KIND_CELL;
    explain.trial = &trial;
    request.body_case = WIRE__REQUEST__BODY_EXPLAIN;
    request.explain = &explain;
    cr_assert_eq(desk_do(lab.desk, lab.root, &request)->reject, REJECT_BAD_FIELD);
    trial.vcpus = UINT32_MAX;
    trial.memory_bytes = UINT64_MAX;
    cr_assert_eq(desk_do(lab.desk, lab.root, &request)->reject, REJECT_BAD_FIELD);
    trial.memory_bytes = 64 * SAY_MIB;
    cr_assert_not(desk_do(lab.desk, lab.root, &request)->explanation->possible);
    trial.vcpus = 1;
    cr_assert(desk_do(lab.desk, lab.root, &request)->explanation->possible);
    lab_close(&lab);
}
