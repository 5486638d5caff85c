/* The life of an instance on the bare core: what moves it, what it charges until when, and which
 * words of which node do nothing. */
#include "tests/unit/core_lab.h"

Test(core_life, an_instance_is_held_until_it_ran_and_used_from_then_on)
{
    struct lab lab = lab_open();
    const Wire__Answer *made = lab_create(&lab, "vm", false);
    cr_assert_eq(made->reject, 0);
    cr_assert_eq(made->operation->state, WIRE__OPERATION_STATE__OPERATION_STATE_RUNNING);
    const struct instance_row *row = lab_row(&lab, "vm");
    cr_assert_eq(row->state, S(STARTING));
    cr_assert_eq(row->epoch, 1);
    cr_assert_eq(lab_books(&lab)->held.of[QUOTA_INSTANCES], 1);
    cr_assert_eq(lab_books(&lab)->used.of[QUOTA_INSTANCES], 0);
    lab_says(&lab, "vm", O(RUNNING));
    cr_assert_eq(row->state, S(RUNNING));
    cr_assert_eq(lab_books(&lab)->held.of[QUOTA_INSTANCES], 0);
    cr_assert_eq(lab_books(&lab)->used.of[QUOTA_INSTANCES], 1);
    cr_assert_eq(row->operation.value, 0);
    cr_assert_eq(desk_leaves(lab.desk, "instance-running", 0), 1);
    lab_close(&lab);
}

Test(core_life, a_stopped_instance_uses_quota_and_no_node)
{
    struct lab lab = lab_open();
    cr_assert_eq(lab_create(&lab, "vm", true)->reject, 0);
    const struct instance_row *row = lab_row(&lab, "vm");
    cr_assert_eq(row->state, S(STOPPED));
    cr_assert_eq(row->node.value, 0);
    cr_assert_eq(row->epoch, 0);
    cr_assert_eq(lab_books(&lab)->used.of[QUOTA_VCPUS], 1);
    cr_assert_eq(desk_tenant(lab.desk, "a")->vcpus_placed, 0);
    lab_close(&lab);
}

Test(core_life, start_run_repair_stop_start_fail_start_delete_each_do_what_they_say)
{
    struct lab lab = lab_open();
    struct desk *desk = lab.desk;
    cr_assert_eq(lab_create(&lab, "vm", true)->reject, 0);
    const struct instance_row *row = lab_row(&lab, "vm");
    cr_assert_eq(lab_reject(say_stop(desk, lab.ann, "a", "vm")), REJECT_STATE);
    cr_assert_eq(lab_reject(say_reboot(desk, lab.ann, "a", "vm")), REJECT_STATE);
    cr_assert_eq(say_start(desk, lab.ann, "a", "vm")->reject, 0);
    cr_assert_eq(lab_reject(say_start(desk, lab.ann, "a", "vm")), REJECT_STATE);
    lab_says(&lab, "vm", O(RUNNING));
    desk_word(
        desk, lab_node_of(&lab, "vm"), row->head.id, row->generation, row->epoch, O(RUNNING), 2);
    cr_assert_eq(row->attempts, 2);
    cr_assert_eq(desk_leaves(desk, "instance-repair", 0), 1);
    lab_says(&lab, "vm", O(STARTING));
    cr_assert_eq(row->state, S(STARTING));
    lab_says(&lab, "vm", O(RUNNING));
    cr_assert_eq(say_reboot(desk, lab.ann, "a", "vm")->reject, 0);
    cr_assert_eq(row->boots, 3);
    lab_says(&lab, "vm", O(RUNNING));
    cr_assert_eq(say_stop(desk, lab.ann, "a", "vm")->reject, 0);
    cr_assert_eq(row->state, S(STOPPING));
    lab_says(&lab, "vm", O(RUNNING)); /* Not yet. */
    cr_assert_eq(row->state, S(STOPPING));
    cr_assert_neq(row->node.value, 0);
    lab_says(&lab, "vm", O(STOPPED));
    cr_assert_eq(row->state, S(STOPPED));
    cr_assert_eq(row->node.value, 0);
    cr_assert_eq(say_start(desk, lab.ann, "a", "vm")->reject, 0);
    cr_assert_eq(row->epoch, 2);
    lab_says(&lab, "vm", O(FAILED));
    cr_assert_eq(row->state, S(FAILED));
    cr_assert_eq(row->desired, WIRE__DESIRED__DESIRED_STOPPED);
    cr_assert_eq(desk_events(desk, "alarm-raised"), 1);
    cr_assert_eq(say_start(desk, lab.ann, "a", "vm")->reject, 0);
    cr_assert_eq(desk_events(desk, "alarm-cleared"), 1);
    lab_says(&lab, "vm", O(RUNNING));
    cr_assert_eq(say_delete(desk, lab.ann, "a", "vm")->reject, 0);
    cr_assert_eq(row->state, S(DELETING));
    cr_assert_eq(lab_reject(say_delete(desk, lab.ann, "a", "vm")), REJECT_STATE);
    cr_assert_eq(lab_reject(say_start(desk, lab.ann, "a", "vm")), REJECT_STATE);
    lab_says(&lab, "vm", O(GONE));
    cr_assert_null(lab_row(&lab, "vm"));
    cr_assert_eq(desk_leaves(desk, "instance-gone", 0), 1);
    lab_close(&lab);
}

Test(core_life, what_is_deleted_stays_charged_until_its_node_says_that_it_is_gone)
{
    struct lab lab = lab_open(); /* INV-LED-6 */
    struct desk *desk = lab.desk;
    cr_assert_eq(lab_create(&lab, "vm", false)->reject, 0);
    lab_says(&lab, "vm", O(RUNNING));
    const struct instance_row *row = lab_row(&lab, "vm");
    struct desk_node *node = lab_node_of(&lab, "vm");
    const struct node_row *machine = state_find(desk_state(desk), TABLE_NODE, node->id);
    struct network_id network = row->nics[0].network;
    uint32_t address = row->nics[0].address;
    node->silent = true;
    desk_pass(desk, LIMIT_NODE_UNKNOWN_MS + 1000);
    cr_assert_eq(machine->liveness, WIRE__LIVENESS__LIVENESS_UNKNOWN);
    cr_assert_eq(row->state, S(RUNNING)); /* Nothing is concluded. */
    cr_assert_eq(say_delete(desk, lab.ann, "a", "vm")->reject, 0);
    desk_pass(desk, 60 * 1000);
    cr_assert_eq(row->state, S(DELETING));
    cr_assert_neq(strlen(row->reason), 0);
    cr_assert_eq(lab_books(&lab)->used.of[QUOTA_INSTANCES], 1);
    cr_assert_eq(machine->memory_bytes_placed, 64 * SAY_MIB);
    cr_assert_not_null(state_address(desk_state(desk), network, address));
    cr_assert_eq(lab_reject(say_network_delete(desk, lab.ann, "a", "net")), REJECT_IN_USE);
    lab_says(&lab, "vm", O(RUNNING)); /* It still runs: nothing changes. */
    cr_assert_eq(lab_books(&lab)->used.of[QUOTA_INSTANCES], 1);
    lab_says(&lab, "vm", O(GONE));
    cr_assert(ledger_empty(&desk_tenant(desk, "a")->account) == false); /* The network. */
    cr_assert_eq(lab_books(&lab)->used.of[QUOTA_INSTANCES], 0);
    cr_assert_eq(machine->memory_bytes_placed, 0);
    cr_assert_null(state_address(desk_state(desk), network, address));
    cr_assert_eq(say_network_delete(desk, lab.ann, "a", "net")->reject, 0);
    lab_close(&lab);
}

Test(core_life, a_stopped_instance_goes_at_once_and_takes_its_alarm_with_it)
{
    struct lab lab = lab_open();
    struct desk *desk = lab.desk;
    cr_assert_eq(lab_create(&lab, "vm", false)->reject, 0);
    lab_says(&lab, "vm", O(FAILED));
    cr_assert_eq(desk_events(desk, "alarm-raised"), 1);
    const Wire__Answer *gone = say_delete(desk, lab.ann, "a", "vm");
    cr_assert_eq(gone->reject, 0);
    cr_assert_eq(gone->operation->state, WIRE__OPERATION_STATE__OPERATION_STATE_DONE);
    cr_assert_null(lab_row(&lab, "vm"));
    cr_assert_eq(desk_events(desk, "alarm-cleared"), 1);
    cr_assert_eq(lab_books(&lab)->used.of[QUOTA_INSTANCES], 0);
    lab_close(&lab);
}

Test(core_life, a_label_has_one_value)
{
    struct lab lab = lab_open();
    char key[] = "tier";
    char other[] = "env";
    char text[] = "web";
    Wire__Label first = WIRE__LABEL__INIT;
    Wire__Label second = WIRE__LABEL__INIT;
    Wire__Label *labels[] = { &first, &second };
    Wire__InstanceCreate create = WIRE__INSTANCE_CREATE__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    first.key = second.key = key;
    first.value = second.value = text;
    create.tenant = "a";
    create.name = "vm";
    create.image = "linux";
    create.vcpus = 1;
    create.memory_bytes = 64 * SAY_MIB;
    create.stopped = true;
    create.labels = labels;
    create.n_labels = COUNT_OF(labels);
    request.body_case = WIRE__REQUEST__BODY_INSTANCE_CREATE;
    request.instance_create = &create;
    request.idempotency_key = "one-value";
    cr_assert_eq(desk_do(lab.desk, lab.ann, &request)->reject, REJECT_BAD_FIELD);
    second.key = other;
    cr_assert_eq(desk_do(lab.desk, lab.ann, &request)->reject, REJECT_NONE);
    lab_close(&lab);
}

Test(core_life, old_orders_old_placements_and_foreign_nodes_say_nothing)
{
    struct lab lab = lab_open(); /* INV-VM-2 */
    struct desk *desk = lab.desk;
    cr_assert_eq(lab_create(&lab, "vm", false)->reject, 0);
    lab_says(&lab, "vm", O(RUNNING));
    cr_assert_eq(say_delete(desk, lab.ann, "a", "vm")->reject, 0);
    const struct instance_row *row = lab_row(&lab, "vm");
    struct desk_node *owner = lab_node_of(&lab, "vm");
    struct desk_node *other = owner == lab.n1 ? lab.n2 : lab.n1;
    uint64_t digest = desk_state(desk)->digest;
    desk_word(desk, owner, row->head.id, row->generation - 1, row->epoch, O(GONE), 0);
    desk_word(desk, owner, row->head.id, row->generation + 1, row->epoch, O(GONE), 0);
    desk_word(desk, owner, row->head.id, row->generation, row->epoch - 1, O(GONE), 0);
    desk_word(desk, other, row->head.id, row->generation, row->epoch, O(GONE), 0);
    desk_word(desk, owner, row->head.id + 999, row->generation, row->epoch, O(GONE), 0);
    cr_assert_eq(desk_state(desk)->digest, digest);
    cr_assert_not_null(lab_row(&lab, "vm"));
    desk_word(desk, owner, row->head.id, row->generation, row->epoch, O(GONE), 0);
    cr_assert_null(lab_row(&lab, "vm")); /* The negative: the right word is obeyed. */
    lab_close(&lab);
}

/* The leader's door keeps such words out of the log; a log may hold them all the same. */
Test(core_life, apply_itself_disregards_a_stale_word_that_reached_the_log)
{
    struct lab lab = lab_open(); /* INV-VM-2 */
    cr_assert_eq(lab_create(&lab, "vm", false)->reject, 0);
    struct state *state = desk_state(lab.desk);
    const struct instance_row *row = lab_row(&lab, "vm");
    struct apply apply = {
        .state = state, .effects = lab.desk->effects, .scratch = &lab.desk->step, .index = 99
    };
    Wire__NodeReported word = WIRE__NODE_REPORTED__INIT;
    word.node = row->node.value;
    word.instance = row->head.id;
    word.generation = row->generation;
    word.epoch = row->epoch + 1;
    word.observed = O(RUNNING);
    lab.desk->effects->count = 0;
    struct outcome outcome = { .reject = REJECT_NONE };
    apply_node_reported(&apply, &word, &outcome);
    cr_assert_eq(outcome.reject, REJECT_STALE);
    word.epoch = row->epoch;
    word.generation = row->generation + 1;
    apply_node_reported(&apply, &word, &outcome);
    word.generation = row->generation;
    word.node = row->node.value == lab.n1->id ? lab.n2->id : lab.n1->id;
    apply_node_reported(&apply, &word, &outcome);
    cr_assert_eq(row->state, S(STARTING));
    cr_assert_eq(lab.desk->effects->count, 0);
    word.node = row->node.value;
    outcome.reject = REJECT_NONE;
    apply_node_reported(&apply, &word, &outcome);
    cr_assert_eq(outcome.reject, REJECT_NONE);
    cr_assert_eq(row->state, S(RUNNING));
    desk_close(lab.desk);
}

Test(core_life, a_move_outside_the_table_is_our_bug, .signal = SIGABRT)
{
    struct instance_row row = { .head = { .id = 7 }, .state = S(STOPPED) };
    instance_move(&row, S(RUNNING)); /* INV-VM-4 */
}

Test(core_life, the_table_of_moves_is_what_the_story_tells)
{
    cr_assert(sm_allows(&instance_machine, S(STOPPED), S(STARTING))); /* INV-VM-4 */
    cr_assert_not(sm_allows(&instance_machine, S(STOPPED), S(RUNNING)));
    cr_assert_not(sm_allows(&instance_machine, S(DELETING), S(RUNNING)));
    cr_assert_not(sm_allows(&instance_machine, S(DELETING), S(STOPPED)));
    cr_assert_not(sm_allows(&instance_machine, S(FAILED), S(RUNNING)));
    cr_assert_not(sm_allows(&instance_machine, S(STOPPING), S(RUNNING)));
}

Test(core_life, a_second_node_for_a_placed_instance_is_our_bug, .signal = SIGABRT)
{
    struct lab lab = lab_open(); /* INV-VM-1 */
    (void)lab_create(&lab, "vm", false);
    struct apply apply = { .state = desk_state(lab.desk), .effects = lab.desk->effects };
    instance_place(&apply, lab_row(&lab, "vm"), state_find(apply.state, TABLE_NODE, lab.n2->id));
}

Test(core_life, giving_back_what_is_still_on_a_node_is_our_bug, .signal = SIGABRT)
{
    struct lab lab = lab_open(); /* INV-LED-6 */
    (void)lab_create(&lab, "vm", false);
    struct apply apply = { .state = desk_state(lab.desk), .effects = lab.desk->effects };
    instance_gone(&apply, lab_row(&lab, "vm"));
}

Test(core_life, every_placement_has_a_new_epoch_and_every_order_a_new_generation)
{
    struct lab lab = lab_open(); /* INV-VM-1 INV-VM-2 */
    cr_assert_eq(lab_create(&lab, "vm", false)->reject, 0);
    const struct instance_row *row = lab_row(&lab, "vm");
    for (uint64_t i = 1; i <= 5; i++) {
        uint64_t generation = row->generation;
        cr_assert_eq(row->epoch, i);
        lab_says(&lab, "vm", O(RUNNING));
        cr_assert_eq(say_stop(lab.desk, lab.ann, "a", "vm")->reject, 0);
        cr_assert_gt(row->generation, generation);
        generation = row->generation;
        lab_says(&lab, "vm", O(GONE));
        cr_assert_eq(row->state, S(STOPPED));
        cr_assert_gt(row->generation, generation);
        cr_assert_eq(say_start(lab.desk, lab.ann, "a", "vm")->reject, 0);
    }
    lab_close(&lab);
}

Test(core_life, a_later_order_overtakes_the_operation_under_way_and_it_says_so)
{
    struct lab lab = lab_open();
    const Wire__Answer *made = lab_create(&lab, "vm", false);
    cr_assert_eq(say_delete(lab.desk, lab.ann, "a", "vm")->reject, 0);
    const struct operation_row *row =
        state_lookup(desk_state(lab.desk), TABLE_OPERATION, 0, made->operation->id);
    cr_assert_eq(row->state, WIRE__OPERATION_STATE__OPERATION_STATE_FAILED);
    cr_assert_eq(row->reject, REJECT_CONFLICT);
    lab_says(&lab, "vm", O(GONE));
    lab_close(&lab);
}

Test(core_life, the_node_is_told_and_a_lost_order_is_told_again)
{
    struct lab lab = lab_open();
    struct desk *desk = lab.desk;
    cr_assert_eq(lab_create(&lab, "vm", false)->reject, 0);
    struct desk_node *node = lab_node_of(&lab, "vm");
    const struct instance_row *row = lab_row(&lab, "vm");
    const Wire__Frame *told = desk_sent(desk, node->id, WIRE__FRAME__BODY_NODE_ORDERS, 0);
    cr_assert_not_null(told);
    cr_assert_eq(told->node_orders->n_assignments, 1);
    cr_assert_eq(told->node_orders->assignments[0]->desired, WIRE__DESIRED__DESIRED_RUNNING);
    cr_assert_eq(told->node_orders->assignments[0]->epoch, row->epoch);
    cr_assert_eq(told->node_orders->n_segments, 1);
    uint32_t before = desk->frames_count;
    desk_renew(desk, node, true);
    cr_assert_null(desk_sent(desk, node->id, WIRE__FRAME__BODY_NODE_ORDERS, before));
    for (int i = 0; i < 3; i++) {
        desk_renew(desk, node, false); /* It believes something else is wanted. */
    }
    told = desk_sent(desk, node->id, WIRE__FRAME__BODY_NODE_ORDERS, before);
    cr_assert_not_null(told);
    cr_assert(told->node_orders->whole && told->node_orders->last);
    lab_close(&lab);
}

Test(core_life, a_nodes_own_words_never_pass_for_ours)
{
    static const char *const reasons[] = { "ended by signal 9", "\xe5\x8d\xaf\xe5\xbb\xba", NULL };
    char endless[1024];
    memset(endless, 'x', sizeof(endless) - 1);
    endless[sizeof(endless) - 1] = '\0';
    for (size_t i = 0; i < COUNT_OF(reasons); i++) {
        struct lab lab = lab_open();
        cr_assert_eq(lab_create(&lab, "vm", false)->reject, 0);
        const struct instance_row *row = lab_row(&lab, "vm");
        struct desk_node *node = lab_node_of(&lab, "vm");
        Wire__NodeInstance word = WIRE__NODE_INSTANCE__INIT;
        Wire__NodeInstance *words[] = { &word };
        Wire__NodeReport report = WIRE__NODE_REPORT__INIT;
        Wire__Frame frame = WIRE__FRAME__INIT;
        word.instance = row->head.id;
        word.generation = row->generation;
        word.epoch = row->epoch;
        word.observed = O(FAILED);
        word.reason = reasons[i] == NULL ? endless : reasons[i];
        report.n_instances = 1;
        report.instances = words;
        frame.body_case = WIRE__FRAME__BODY_NODE_REPORT;
        frame.node_report = &report;
        desk_frame(lab.desk, WIRE__KIND__KIND_NODE, node->id, node->epoch, &frame);
        desk_turn(lab.desk);
        cr_assert_eq(row->state, S(FAILED));
        cr_assert_eq(strcmp(row->reason, word.reason) == 0, i == 0);
        cr_assert_eq(desk_leaves(lab.desk, "instance-failed", 0), 1);
        lab_close(&lab);
    }
}
