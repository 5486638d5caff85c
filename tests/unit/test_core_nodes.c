/* What nodes and those who wait for them see of the engine: silence, welcome, orders, reports. */
#include "tests/unit/core_lab.h"
#include "wire/frame.h"

#include <stdio.h>

/* ---- Nodes ---- */

Test(core_nodes, a_silent_node_is_unknown_with_an_alarm_and_alive_again_when_it_renews)
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

Test(core_nodes, what_is_wrong_on_a_node_is_an_alarm_for_as_long_as_it_is_so)
{
    struct lab lab = lab_open();
    struct desk *desk = lab.desk;
    (void)lab_create(&lab, "vm", false);
    lab_says(&lab, "vm", O(RUNNING));
    struct desk_node *node = lab_node_of(&lab, "vm");
    const struct node_row *row = state_find(desk_state(desk), TABLE_NODE, node->id);
    node->conditions = WIRE__NODE_CONDITION__NODE_CONDITION_LIBVIRT_AWAY | 1U << 30;
    desk_pass(desk, 10 * LIMIT_NODE_RENEW_MS);
    /* What no one knows is not put into the log; what is known is, once. */
    cr_assert_eq(row->conditions, WIRE__NODE_CONDITION__NODE_CONDITION_LIBVIRT_AWAY);
    cr_assert_eq(desk_leaves(desk, "node-limited", 0), 1);
    cr_assert_eq(desk_events(desk, "alarm-raised"), 1);
    cr_assert_eq(row->liveness, WIRE__LIVENESS__LIVENESS_ALIVE);
    cr_assert_eq(lab_row(&lab, "vm")->state, S(RUNNING)); /* Nothing is concluded of guests. */
    node->conditions = WIRE__NODE_CONDITION__NODE_CONDITION_STRANGERS;
    desk_pass(desk, 2 * LIMIT_NODE_RENEW_MS);
    cr_assert_eq(row->conditions, WIRE__NODE_CONDITION__NODE_CONDITION_STRANGERS);
    cr_assert_eq(desk_events(desk, "alarm-cleared"), 1);
    cr_assert_eq(desk_events(desk, "alarm-raised"), 2);
    node->conditions = 0;
    desk_pass(desk, 2 * LIMIT_NODE_RENEW_MS);
    cr_assert_eq(row->conditions, 0);
    cr_assert_eq(desk_leaves(desk, "node-restored", 0), 2);
    cr_assert_eq(desk_events(desk, "alarm-cleared"), 2);
    lab_close(&lab);
}

Test(core_nodes, what_is_being_deleted_says_why_while_its_node_is_unknown)
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

Test(core_nodes, a_node_that_renews_without_a_hello_is_welcomed_and_told_everything_once)
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

Test(core_nodes, another_life_of_a_program_is_one_event_however_often_it_is_told)
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

Test(core_nodes, a_node_that_says_more_and_more_does_not_fill_the_log)
{
    enum { SAVED = 2048 };
    struct lab lab = lab_open(); /* INV-PACE-3 */
    struct desk *desk = lab.desk;
    for (uint32_t i = 0; i < SAVED + 500; i++) {
        lab.n1->boot = (uint8_t)(i % 200 + 2);
        desk_hello(desk, lab.n1);
        desk_turn(desk);
    }
    uint32_t said = desk_leaves(desk, "node-boot", 0);
    cr_assert_leq(said, SAVED + 3);
    lab.n2->boot = 7; /* Its neighbour is heard all the same. */
    desk_hello(desk, lab.n2);
    desk_turn(desk);
    cr_assert_eq(desk_leaves(desk, "node-boot", 0), said + 1);
    desk_pass(desk, 1000);
    lab.n1->boot = 250;
    desk_hello(desk, lab.n1);
    desk_turn(desk);
    cr_assert_eq(desk_leaves(desk, "node-boot", 0), said + 2);
    lab_close(&lab);
}

Test(core_nodes, what_a_node_claims_cannot_make_sums_wrap)
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

Test(core_nodes, a_whole_entry_of_creates_in_a_cell_of_many_nodes_is_told_to_all_of_them)
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

Test(core_nodes, what_found_no_room_in_a_step_is_told_whole_with_the_next_renewal)
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

Test(core_nodes, who_waits_for_an_operation_is_answered_when_it_ends_or_time_is_up)
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

Test(core_nodes, a_console_is_read_at_the_node_and_only_for_its_tenant)
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

static const Wire__Answer *console_failed(struct lab *lab, enum failure failure)
{
    struct desk *desk = lab->desk;
    Wire__ConsoleRead read = WIRE__CONSOLE_READ__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    Wire__NodeConsoleTold told = WIRE__NODE_CONSOLE_TOLD__INIT;
    Wire__Frame frame = WIRE__FRAME__INIT;
    uint32_t before = desk->frames_count;
    uint64_t node = lab_node_of(lab, "vm")->id;
    read.tenant = "a";
    read.instance = "vm";
    request.body_case = WIRE__REQUEST__BODY_CONSOLE_READ;
    request.console_read = &read;
    cr_assert_null(desk_do(desk, lab->ann, &request));
    uint64_t handle = desk->handles;
    told.handle = desk_sent(desk, node, WIRE__FRAME__BODY_CONSOLE_ASK, before)->console_ask->handle;
    told.failure = failure;
    frame.body_case = WIRE__FRAME__BODY_CONSOLE_TOLD;
    frame.console_told = &told;
    desk_frame(desk, WIRE__KIND__KIND_NODE, node, 0, &frame);
    return desk_answer(desk, handle);
}

Test(core_nodes, a_console_that_cannot_be_read_now_is_not_called_missing)
{
    struct lab lab = lab_open();
    (void)lab_create(&lab, "vm", false);
    cr_assert_eq(console_failed(&lab, FAILURE_NOT_FOUND)->reject, REJECT_NOT_FOUND);
    const Wire__Answer *busy = console_failed(&lab, FAILURE_BUSY);
    cr_assert_eq(busy->reject, REJECT_OVERLOADED);
    cr_assert_eq(busy->retry_after_seconds, 1);
    lab_close(&lab);
}

static bool explained(const Wire__Answer *answer, const char *words)
{
    for (size_t i = 0; i < answer->explanation->n_lines; i++) {
        if (strcmp(answer->explanation->lines[i], words) == 0) {
            return true;
        }
    }
    return false;
}

Test(core_nodes, an_instance_says_why_its_node_was_chosen_also_when_things_look_different_now)
{
    struct lab lab = lab_open();
    Wire__Explain explain = WIRE__EXPLAIN__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    explain.kind = WIRE__KIND__KIND_INSTANCE;
    explain.tenant = "a";
    explain.name = "vm";
    request.body_case = WIRE__REQUEST__BODY_EXPLAIN;
    request.explain = &explain;
    cr_assert_eq(lab_create(&lab, "vm", false)->reject, 0);
    const struct desk_node *node = lab_node_of(&lab, "vm");
    const struct desk_node *other = node == lab.n1 ? lab.n2 : lab.n1;
    lab.n1->silent = true;
    lab.n2->silent = true;
    desk_pass(lab.desk, 8000); /* None could take it by now. */
    const Wire__Answer *answer = desk_do(lab.desk, lab.root, &request);
    char next[LIMIT_NAME + 32];
    (void)snprintf(next, sizeof(next), "the next best was %s", other->name);
    cr_assert_eq(answer->reject, 0);
    cr_assert(explained(answer, "chosen because: first-of-equals"));
    cr_assert(explained(answer, "nodes looked at then: 2"));
    cr_assert(explained(answer, "of them could take it: 2"));
    cr_assert(explained(answer, next));
    answer = desk_do(lab.desk, lab.ann, &request); /* INV-SEC-1: other nodes are not hers. */
    cr_assert(explained(answer, "chosen because: first-of-equals"));
    cr_assert_not(explained(answer, "nodes looked at then: 2"));
    cr_assert_not(explained(answer, next));
    cr_assert_eq(lab_create(&lab, "m2", true)->reject, 0); /* The negative: it has no node. */
    explain.name = "m2";
    answer = desk_do(lab.desk, lab.ann, &request);
    cr_assert_eq(answer->reject, 0);
    cr_assert_not(explained(answer, "nodes looked at then: 2"));
    lab_close(&lab);
}

Test(core_nodes, events_and_alarms_say_what_things_are_called_to_those_who_may_see_them)
{
    struct lab lab = lab_open();
    struct desk *desk = lab.desk;
    Wire__EventRead read = WIRE__EVENT_READ__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    request.body_case = WIRE__REQUEST__BODY_EVENT_READ;
    request.event_read = &read;
    cr_assert_eq(lab_create(&lab, "vm", true)->reject, 0);
    const Wire__Answer *answer = desk_do(desk, lab.ann, &request);
    cr_assert_gt(answer->n_events, 0);
    const Wire__EventView *last = answer->events[answer->n_events - 1];
    cr_assert_str_eq(last->name, "instance-create");
    cr_assert_str_eq(last->subject_name, "vm");
    (void)say_delete(desk, lab.ann, "a", "vm"); /* The negative: nobody is called so any more. */
    answer = desk_do(desk, lab.ann, &request);
    cr_assert_str_empty(answer->events[answer->n_events - 1]->subject_name);
    lab.n2->silent = true;
    desk_pass(desk, 8000);
    answer = say_list(desk, lab.root, WIRE__KIND__KIND_ALARM, "");
    cr_assert_eq(answer->n_items, 1);
    cr_assert_str_eq(answer->items[0]->alarm->subject_name, lab.n2->name);
    lab_close(&lab);
}

/* Whoever asks for little among much of others gets it in bounded pieces, and gets all of it. */
Test(core_nodes, a_page_looks_at_a_bounded_number_of_rows_and_the_next_one_goes_on)
{
    enum { OTHERS = 9000 };
    struct lab lab = lab_open();
    struct state *state = desk_state(lab.desk);
    uint64_t gone = 0;
    for (int i = 0; i < OTHERS; i++) { /* Of the provider, as if an operator had worked for long. */
        gone = state_next_id(state);
        void *row = state_insert(state, TABLE_OPERATION, gone);
        cr_assert_not_null(row);
    }
    state_settle(state, &lab.desk->scratch);
    uint32_t before = state_count(state, TABLE_OPERATION);
    cr_assert_eq(lab_create(&lab, "vm", true)->reject, 0);
    cr_assert_eq(state_count(state, TABLE_OPERATION), before + 1);
    Wire__List list = WIRE__LIST__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    list.kind = WIRE__KIND__KIND_OPERATION;
    request.body_case = WIRE__REQUEST__BODY_LIST;
    request.list = &list;
    uint32_t pages = 0;
    uint32_t own = 0;
    do {
        const Wire__Answer *page = desk_do(lab.desk, lab.ann, &request);
        cr_assert_eq(page->reject, 0);
        own += (uint32_t)page->n_items;
        list.after = page->next_after;
        pages++;
    } while (list.after != 0);
    cr_assert_eq(pages, 2);
    uint32_t hers = 0;
    for (const struct operation_row *row = state_first(state, TABLE_OPERATION); row != NULL;
         row = state_next(state, TABLE_OPERATION, row)) {
        hers += row->tenant.value == desk_tenant(lab.desk, "a")->head.id ? 1 : 0;
    }
    cr_assert_gt(hers, 1);
    cr_assert_eq(own, hers);
    state_remove(state, TABLE_OPERATION, state_find(state, TABLE_OPERATION, gone));
    state_settle(state, &lab.desk->scratch);
    list.after = gone; /* From where it was. */
    cr_assert_eq(desk_do(lab.desk, lab.ann, &request)->n_items, 1);
    desk_close(lab.desk); /* Its rows came past the log. */
}

Test(core_nodes, a_trial_that_wants_nothing_is_refused_and_a_sound_one_names_its_node)
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
