/* One row at a time: every presence against every wish, and what is a bug of ours. */
#include "base/check.h"
#include "base/result.h"
#include "node-agent/core/agent.h"
#include "node-agent/core/reconcile.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

static struct model model;

static struct model_instance *row(enum presence presence, Wire__Desired desired)
{
    memset(&model, 0, sizeof(model));
    struct model_instance *instance = model_make(&model, 20);
    cr_assert_not_null(instance);
    instance->assigned = true;
    instance->generation = 1;
    instance->epoch = 1;
    instance->presence = presence;
    instance->seen_epoch = 1;
    instance->seen_boots = 1;
    instance->want.boots = 1;
    instance->want.desired = desired;
    instance->want.on_failure = WIRE__ON_FAILURE__ON_FAILURE_RESTART;
    instance->want.max_attempts = 3;
    return instance;
}

static enum operation next(struct model_instance *instance, uint64_t now_ms)
{
    struct reconcile_context context = { .now_ms = now_ms, .heard_all = true };
    enum reconcile_note note = RECONCILE_NOTE_NONE;
    return reconcile_instance(&model, instance, &context, &note);
}

Test(reconcile, every_presence_against_every_wish)
{
    static const struct {
        enum presence presence;
        Wire__Desired desired;
        enum operation operation;
    } cases[] = {
        { PRESENCE_UNKNOWN, WIRE__DESIRED__DESIRED_RUNNING, OPERATION_NONE },
        { PRESENCE_ABSENT, WIRE__DESIRED__DESIRED_RUNNING, OPERATION_START },
        { PRESENCE_PAUSED, WIRE__DESIRED__DESIRED_RUNNING, OPERATION_DESTROY },
        { PRESENCE_RUNNING, WIRE__DESIRED__DESIRED_RUNNING, OPERATION_NONE },
        { PRESENCE_UNKNOWN, WIRE__DESIRED__DESIRED_STOPPED, OPERATION_NONE },
        { PRESENCE_ABSENT, WIRE__DESIRED__DESIRED_STOPPED, OPERATION_NONE },
        { PRESENCE_PAUSED, WIRE__DESIRED__DESIRED_STOPPED, OPERATION_DESTROY },
        { PRESENCE_RUNNING, WIRE__DESIRED__DESIRED_STOPPED, OPERATION_ASK_STOP },
        { PRESENCE_UNKNOWN, WIRE__DESIRED__DESIRED_GONE, OPERATION_NONE },
        { PRESENCE_ABSENT, WIRE__DESIRED__DESIRED_GONE, OPERATION_ERASE },
        { PRESENCE_PAUSED, WIRE__DESIRED__DESIRED_GONE, OPERATION_DESTROY },
        { PRESENCE_RUNNING, WIRE__DESIRED__DESIRED_GONE, OPERATION_DESTROY },
    };
    for (uint32_t i = 0; i < COUNT_OF(cases); i++) {
        struct model_instance *instance = row(cases[i].presence, cases[i].desired);
        cr_assert_eq(next(instance, 1000), cases[i].operation, "case %u", i);
        instance->assigned = false;
        cr_assert_eq(next(instance, 1000), OPERATION_NONE, "nobody ordered case %u", i);
    }
}

Test(reconcile, a_domain_of_an_older_placement_is_not_the_one_that_is_wanted)
{
    struct model_instance *instance = row(PRESENCE_RUNNING, WIRE__DESIRED__DESIRED_RUNNING);
    cr_assert_eq(next(instance, 1000), OPERATION_NONE);
    instance->epoch = 2;
    cr_assert_eq(next(instance, 1000), OPERATION_DESTROY);
}

Test(reconcile, back_off_doubles_to_a_bound)
{
    struct model_instance *instance = row(PRESENCE_ABSENT, WIRE__DESIRED__DESIRED_RUNNING);
    enum reconcile_note note = RECONCILE_NOTE_NONE;
    instance->want.max_attempts = LIMIT_ATTEMPTS;
    uint64_t before = 0;
    for (uint32_t i = 0; i < LIMIT_ATTEMPTS; i++) {
        reconcile_begin(instance, OPERATION_START, 0);
        reconcile_end(instance, OPERATION_START, FAILURE_IO, 0, 0, &note);
        cr_assert_eq(note, RECONCILE_NOTE_REPAIR);
        cr_assert_geq(instance->not_before_ms, before);
        cr_assert_leq(instance->not_before_ms, (uint64_t)AGENT_BACKOFF_MS_MAX);
        before = instance->not_before_ms;
        cr_assert_eq(next(instance, before), OPERATION_NONE, "only Observe knows what is left");
        instance->presence = PRESENCE_ABSENT;
        cr_assert_eq(next(instance, before - 1), OPERATION_NONE);
        cr_assert_eq(next(instance, before), OPERATION_START);
    }
    cr_assert_eq(before, (uint64_t)AGENT_BACKOFF_MS_MAX);
    reconcile_begin(instance, OPERATION_START, 0);
    reconcile_end(instance, OPERATION_START, FAILURE_IO, 0, 0, &note);
    cr_assert_eq(note, RECONCILE_NOTE_GAVE_UP);
}

Test(reconcile, a_start_waits_for_its_segment_and_for_its_turn)
{
    struct model_instance *instance = row(PRESENCE_ABSENT, WIRE__DESIRED__DESIRED_RUNNING);
    instance->want.nics_count = 1;
    instance->want.nics[0].network = 7;
    cr_assert_eq(next(instance, 1000), OPERATION_NONE);
    struct model_segment *segment = model_segment_make(&model, 7);
    segment->ordered = true;
    reconcile_count_members(&model);
    cr_assert_eq(segment->members, 1U);
    cr_assert_eq(next(instance, 1000), OPERATION_NONE);
    segment->current = true;
    cr_assert_eq(next(instance, 1000), OPERATION_START);
    struct reconcile_context busy = { .now_ms = 1000, .starts_in_flight = LIMIT_NODE_STARTS };
    enum reconcile_note note = RECONCILE_NOTE_NONE;
    cr_assert_eq(reconcile_instance(&model, instance, &busy, &note), OPERATION_NONE);
}

Test(reconcile, starting_what_is_there_is_our_bug, .signal = SIGABRT) /* INV-VM-1 */
{
    struct model_instance *instance = row(PRESENCE_RUNNING, WIRE__DESIRED__DESIRED_RUNNING);
    reconcile_begin(instance, OPERATION_START, 0);
}

Test(reconcile, a_second_verb_for_one_instance_is_our_bug, .signal = SIGABRT) /* INV-VM-5 */
{
    struct model_instance *instance = row(PRESENCE_RUNNING, WIRE__DESIRED__DESIRED_STOPPED);
    reconcile_begin(instance, OPERATION_ASK_STOP, 0);
    reconcile_begin(instance, OPERATION_DESTROY, 0);
}

Test(reconcile, acting_unseen_is_our_bug, .signal = SIGABRT) /* INV-VM-3 */
{
    struct model_instance *instance = row(PRESENCE_UNKNOWN, WIRE__DESIRED__DESIRED_GONE);
    reconcile_begin(instance, OPERATION_ERASE, 0);
}

Test(reconcile, a_peer_list_that_is_too_long_or_not_addresses_is_refused_whole)
{
    static const char *peers[LIMIT_SEGMENT_PEERS + 1];
    Wire__Segment order = WIRE__SEGMENT__INIT;
    memset(&model, 0, sizeof(model));
    for (uint32_t i = 0; i < COUNT_OF(peers); i++) {
        peers[i] = "10.99.0.2";
    }
    order.network = 7;
    order.vni = 4096;
    order.generation = 1;
    order.peers = peers;
    order.n_peers = LIMIT_SEGMENT_PEERS;
    cr_assert_eq(model_order_segment(&model, &order, 1), MODEL_TAKEN_NEW);
    cr_assert_eq(model_order_segment(&model, &order, 1), MODEL_TAKEN_AGAIN);
    order.n_peers = LIMIT_SEGMENT_PEERS + 1;
    cr_assert_eq(model_order_segment(&model, &order, 1), MODEL_TAKEN_BAD);
    order.n_peers = 2;
    peers[0] = "";
    peers[1] = "10.99.0.9";
    cr_assert_eq(model_order_segment(&model, &order, 1), MODEL_TAKEN_NEW);
    cr_assert_eq(model_segment_find(&model, 7)->peers_count, 1U, "one has no address yet");
    order.n_peers = 1;
    peers[0] = "fe80::1";
    cr_assert_eq(model_order_segment(&model, &order, 1), MODEL_TAKEN_BAD);
    peers[0] = "10.99.0.3";
    order.generation = 0;
    cr_assert_eq(model_order_segment(&model, &order, 1), MODEL_TAKEN_STALE);
    cr_assert_eq(model_order_segment(&model, &order, 2), MODEL_TAKEN_NEW, "a new term counts anew");
    order.vni = 4097;
    cr_assert_eq(model_order_segment(&model, &order, 3), MODEL_TAKEN_BAD);
}
