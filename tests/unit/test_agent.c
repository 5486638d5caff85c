/* The pure agent in a world of its own: what it does, what it refuses, and what holds however
 * events are mixed. Each refusal is shown next to the same thing being accepted. */
#include "agent_world.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/prng.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

enum { LEADER = 11, OTHER = 12, NETWORK = 7 };

static struct world world;

#define RUNNING WIRE__DESIRED__DESIRED_RUNNING
#define STOPPED WIRE__DESIRED__DESIRED_STOPPED
#define GONE    WIRE__DESIRED__DESIRED_GONE

static struct world_order order(uint64_t instance, uint64_t generation, Wire__Desired desired)
{
    return (struct world_order){ .instance = instance,
                                 .generation = generation,
                                 .epoch = 1,
                                 .boots = 1,
                                 .desired = desired,
                                 .on_failure = WIRE__ON_FAILURE__ON_FAILURE_RESTART,
                                 .max_attempts = 3,
                                 .network = NETWORK };
}

static void one(struct world_order given, bool whole)
{
    world_orders(&world, LEADER, world.agent.term, whole, whole, &given, 1);
}

/* A node with host, one leader, and an empty complete list. */
static void ready(void)
{
    world_open(&world);
    world_host(&world, true);
    while (world_answer(&world, 0)) {
    }
    world_link(&world, LEADER, true);
    world_welcome(&world, LEADER, 5);
    world_orders(&world, LEADER, 5, true, true, NULL, 0);
    world_settle(&world);
    world.reports_count = 0;
}

static void running_instance(uint64_t instance)
{
    one(order(instance, 1, RUNNING), false);
    world_settle(&world);
    cr_assert(world_domain(&world, instance)->running);
}

Test(agent, an_order_becomes_a_segment_then_a_domain_then_a_report)
{
    ready();
    one(order(20, 1, RUNNING), false);
    cr_assert_not_null(world_waiting(&world, WIRE__VERB__VERB_ENSURE_SEGMENT));
    cr_assert_null(world_waiting(&world, WIRE__VERB__VERB_START), "segment before start");
    cr_assert_eq(world_last(&world, 20)->observed, WIRE__OBSERVED__OBSERVED_STARTING);
    world_answer(&world, 0);
    cr_assert_not_null(world_waiting(&world, WIRE__VERB__VERB_START));
    world_settle(&world);
    cr_assert_eq(world_last(&world, 20)->observed, WIRE__OBSERVED__OBSERVED_RUNNING);
    cr_assert_eq(world.starts, 1U);
    cr_assert_eq(world.logs[AGENT_LOG_VERB_FAILED], 0U);
}

Test(agent, nothing_but_observe_and_survey_is_said_before_an_observation) /* INV-VM-3 */
{
    world_open(&world);
    world_host(&world, true);
    world_link(&world, LEADER, true);
    world_welcome(&world, LEADER, 5);
    struct world_order given = order(20, 1, RUNNING);
    world_orders(&world, LEADER, 5, true, true, &given, 1);
    world_tick(&world, 5000);
    cr_assert_eq(world.verbs_count, 2U);
    cr_assert_not_null(world_waiting(&world, WIRE__VERB__VERB_OBSERVE));
    cr_assert_not_null(world_waiting(&world, WIRE__VERB__VERB_SURVEY));
    world_settle(&world);
    cr_assert_eq(world.starts, 1U, "after it, it is acted upon");
    world_libvirt(&world, false);
    one(order(21, 1, RUNNING), false);
    world_tick(&world, 5000);
    cr_assert_null(world_waiting(&world, WIRE__VERB__VERB_START));
    world_libvirt(&world, true);
    cr_assert_not_null(world_waiting(&world, WIRE__VERB__VERB_OBSERVE));
    world_settle(&world);
    cr_assert_eq(world.starts, 2U);
}

Test(agent, orders_of_an_older_term_or_of_another_controller_do_not_count) /* INV-VM-2 */
{
    ready();
    struct world_order given = order(20, 1, RUNNING);
    world_orders(&world, LEADER, 4, false, false, &given, 1);
    world_orders(&world, OTHER, 5, false, false, &given, 1);
    world_orders(&world, LEADER, 6, false, false, &given, 1);
    cr_assert_eq(world.logs[AGENT_LOG_STALE_TERM], 3U);
    world_settle(&world);
    cr_assert_eq(world.starts, 0U);
    world_link(&world, OTHER, true);
    world_welcome(&world, OTHER, 4);
    world_welcome(&world, OTHER, 5);
    cr_assert_eq(world.agent.leader, (uint64_t)LEADER, "one leader a term, and no older one");
    world_welcome(&world, OTHER, 6);
    cr_assert_eq(world.agent.leader, (uint64_t)OTHER);
    world_orders(&world, LEADER, 5, false, false, &given, 1);
    world_settle(&world);
    cr_assert_eq(world.starts, 0U, "the old leader's orders are refused now");
    world_orders(&world, OTHER, 6, false, false, &given, 1);
    world_settle(&world);
    cr_assert_eq(world.starts, 1U);
}

Test(agent, the_term_outlives_the_agent) /* INV-VM-2 */
{
    ready();
    world_restart_agent(&world, 1);
    world_host(&world, true);
    world_link(&world, OTHER, true);
    world_welcome(&world, OTHER, 4);
    cr_assert_eq(world.agent.leader, 0U);
    world_welcome(&world, OTHER, 5);
    cr_assert_eq(world.agent.leader, (uint64_t)OTHER, "the same term may come again");
}

Test(agent, an_older_generation_or_epoch_is_ignored) /* INV-VM-2 */
{
    ready();
    struct world_order given = order(20, 5, RUNNING);
    given.epoch = 3;
    one(given, false);
    world_settle(&world);
    given.desired = GONE;
    given.generation = 4;
    one(given, false);
    given.generation = 6;
    given.epoch = 2;
    one(given, false);
    cr_assert_eq(world.logs[AGENT_LOG_STALE_ORDER], 2U);
    world_settle(&world);
    cr_assert(world_domain(&world, 20)->running);
    given.epoch = 3;
    one(given, false);
    world_settle(&world);
    cr_assert_null(world_domain(&world, 20), "the newer one is obeyed");
    cr_assert_eq(world_last(&world, 20)->observed, WIRE__OBSERVED__OBSERVED_GONE);
}

Test(agent, generations_outlive_the_agent) /* INV-VM-2 */
{
    ready();
    one(order(20, 5, STOPPED), false);
    world_settle(&world);
    world_restart_agent(&world, 1);
    world_host(&world, true);
    world_link(&world, LEADER, true);
    world_welcome(&world, LEADER, 5);
    one(order(20, 4, RUNNING), false);
    world_settle(&world);
    cr_assert_eq(world.starts, 0U);
    one(order(20, 6, RUNNING), false);
    world_settle(&world);
    cr_assert_eq(world.starts, 1U);
}

Test(agent, an_order_that_does_not_count_still_says_that_the_instance_is_wanted)
{
    ready();
    one(order(20, 5, RUNNING), false);
    world_settle(&world);
    one(order(20, 3, RUNNING), true);
    world_settle(&world);
    cr_assert(world_domain(&world, 20)->running);
    cr_assert_eq(world.destroys, 0U);
}

Test(agent, what_a_complete_list_does_not_name_goes_and_an_incomplete_one_harms_nothing)
{
    ready();
    running_instance(20);
    running_instance(21);
    struct world_order kept = order(20, 1, RUNNING);
    world_orders(&world, LEADER, 5, true, false, &kept, 1);
    world_settle(&world);
    cr_assert_eq(world.destroys, 0U, "the list has not ended");
    world_orders(&world, LEADER, 5, false, true, NULL, 0);
    world_settle(&world);
    cr_assert_eq(world.destroys, 1U);
    cr_assert_null(world_domain(&world, 21));
    cr_assert(world_domain(&world, 20)->running);
}

Test(agent, without_a_complete_list_nothing_unknown_is_touched) /* INV-VM-4 */
{
    world_open(&world);
    world.domains[0] = (struct world_domain){
        .instance = 30, .running = true, .generation = 2, .epoch = 1, .boots = 1
    };
    world.segments[0] = NETWORK;
    world_host(&world, true);
    world_settle(&world);
    world_tick(&world, 600000);
    world_link(&world, LEADER, true);
    world_welcome(&world, LEADER, 5);
    struct world_order given = order(20, 1, RUNNING);
    given.network = 0;
    one(given, false);
    world_settle(&world);
    cr_assert(world_domain(&world, 30)->running, "orders, but no complete list");
    cr_assert_eq(world.segments[0], (uint64_t)NETWORK);
    cr_assert_eq(world_last(&world, 30)->observed, WIRE__OBSERVED__OBSERVED_RUNNING, "it is told");
    one(given, true);
    world_settle(&world);
    cr_assert_null(world_domain(&world, 30));
    cr_assert_eq(world.segments[0], 0U, "nor is its segment needed");
}

Test(agent, a_segment_stays_while_a_member_does) /* INV-NET-11 */
{
    ready();
    running_instance(20);
    running_instance(21);
    one(order(20, 2, GONE), false);
    world_settle(&world);
    cr_assert_eq(world.segments[0], (uint64_t)NETWORK);
    one(order(21, 2, GONE), false);
    world_settle(&world);
    cr_assert_eq(world.segments[0], 0U);
}

Test(agent, at_most_two_guests_boot_at_once_and_each_has_one_verb) /* INV-VM-5 */
{
    ready();
    struct world_order many[10];
    for (uint32_t i = 0; i < COUNT_OF(many); i++) {
        many[i] = order(20 + i, 1, RUNNING);
        many[i].network = 0;
    }
    world_orders(&world, LEADER, 5, false, false, many, COUNT_OF(many));
    for (uint32_t turn = 0; turn < 5; turn++) {
        uint32_t starts = 0;
        for (uint32_t i = 0; i < world.verbs_count; i++) {
            starts += world.verbs[i].kind == WIRE__VERB__VERB_START ? 1 : 0;
            for (uint32_t j = 0; j < i; j++) {
                cr_assert_neq(world.verbs[i].object, world.verbs[j].object);
            }
        }
        cr_assert_eq(starts, (uint32_t)LIMIT_NODE_STARTS);
        world_tick(&world, 100);
        world_answer(&world, 0);
        world_answer(&world, 0);
    }
    world_settle(&world);
    cr_assert_eq(world.starts, 10U);
}

Test(agent, a_failed_guest_is_started_again_and_counted_until_attempts_are_used_up)
{
    ready();
    running_instance(20);
    uint32_t repairs = 0;
    for (uint32_t attempt = 1; attempt <= 3; attempt++) {
        world.reports_count = 0;
        world_ended(&world, 20, 2);
        world_answer(&world, 0);
        world_tick(&world, 10);
        cr_assert_null(world_waiting(&world, WIRE__VERB__VERB_START), "it backs off first");
        for (uint32_t i = 0; i < 10 && !world_domain(&world, 20)->running; i++) {
            world_tick(&world, 1000);
            while (world_answer(&world, 0)) {
            }
        }
        cr_assert(world_domain(&world, 20)->running);
        for (uint32_t i = 0; i < world.reports_count; i++) {
            repairs += world.reports[i].repairs;
        }
        cr_assert_eq(repairs, attempt, "each repair is reported once");
    }
    world_ended(&world, 20, 2);
    world_settle(&world);
    world_tick(&world, 100000);
    world_settle(&world);
    cr_assert_eq(world.starts, 4U);
    cr_assert_eq(world.logs[AGENT_LOG_GAVE_UP], 1U);
    cr_assert_eq(world_last(&world, 20)->observed, WIRE__OBSERVED__OBSERVED_FAILED);
    one(order(20, 2, RUNNING), false);
    world_settle(&world);
    cr_assert_eq(world.starts, 5U, "a new generation has its attempts again");
}

Test(agent, a_guest_that_ran_long_has_its_attempts_back)
{
    ready();
    running_instance(20);
    for (uint32_t i = 0; i < 5; i++) {
        world_tick(&world, AGENT_STABLE_MS + 1);
        world_settle(&world);
        world_ended(&world, 20, 1);
        world_settle(&world);
        cr_assert(world_domain(&world, 20)->running);
    }
    cr_assert_eq(world.logs[AGENT_LOG_GAVE_UP], 0U);
}

Test(agent, on_failure_stop_stops)
{
    ready();
    struct world_order given = order(20, 1, RUNNING);
    given.on_failure = WIRE__ON_FAILURE__ON_FAILURE_STOP;
    one(given, false);
    world_settle(&world);
    world_ended(&world, 20, 2);
    world_settle(&world);
    cr_assert_eq(world.starts, 1U);
    cr_assert_eq(world_last(&world, 20)->observed, WIRE__OBSERVED__OBSERVED_FAILED);
}

Test(agent, a_start_that_fails_is_tried_again_later_and_a_missing_libvirt_costs_no_attempt)
{
    ready();
    world.start_failure = FAILURE_BUSY;
    one(order(20, 1, RUNNING), false);
    for (uint32_t i = 0; i < 30; i++) {
        world_tick(&world, 1000);
        while (world_answer(&world, 0)) {
        }
    }
    cr_assert_eq(world.logs[AGENT_LOG_REPAIR], 0U);
    world.start_failure = FAILURE_CORRUPT;
    world_settle(&world);
    cr_assert_eq(world.logs[AGENT_LOG_GAVE_UP], 1U);
    cr_assert_eq(world_last(&world, 20)->observed, WIRE__OBSERVED__OBSERVED_FAILED);
    world.start_failure = FAILURE_NONE;
    one(order(20, 2, RUNNING), false);
    world_settle(&world);
    cr_assert(world_domain(&world, 20)->running);
}

Test(agent, a_stop_asks_first_and_insists_later)
{
    ready();
    running_instance(20);
    one(order(20, 2, STOPPED), false);
    const struct world_verb *stop = world_waiting(&world, WIRE__VERB__VERB_STOP);
    cr_assert_not_null(stop);
    cr_assert_not(stop->force);
    world_answer(&world, 0);
    world_tick(&world, AGENT_STOP_GRACE_MS - 1);
    while (world_answer(&world, 0)) {
    }
    cr_assert(world_domain(&world, 20)->running);
    world_tick(&world, 2);
    stop = world_waiting(&world, WIRE__VERB__VERB_STOP);
    cr_assert_not_null(stop);
    cr_assert(stop->force);
    world_settle(&world);
    cr_assert_eq(world_last(&world, 20)->observed, WIRE__OBSERVED__OBSERVED_STOPPED);
    cr_assert_eq(world.starts, 1U, "and it stays stopped");
    cr_assert_eq(world.logs[AGENT_LOG_REPAIR], 0U);
    one(order(20, 3, RUNNING), false);
    world_settle(&world);
    cr_assert_eq(world.starts, 2U);
}

Test(agent, a_forced_stop_does_not_ask)
{
    ready();
    running_instance(20);
    struct world_order given = order(20, 2, STOPPED);
    given.force = true;
    one(given, false);
    cr_assert(world_waiting(&world, WIRE__VERB__VERB_STOP)->force);
}

Test(agent, a_higher_boot_number_boots_the_guest_anew_once)
{
    ready();
    running_instance(20);
    struct world_order given = order(20, 2, RUNNING);
    given.boots = 2;
    one(given, false);
    cr_assert_eq(
        world_last(&world, 20)->observed,
        WIRE__OBSERVED__OBSERVED_STARTING,
        "not RUNNING before it was booted");
    world_settle(&world);
    one(given, false);
    world_settle(&world);
    cr_assert_eq(world.starts, 2U);
    cr_assert_eq(world.destroys, 1U);
    cr_assert_eq(world_domain(&world, 20)->boots, 2U);
    cr_assert_eq(world.logs[AGENT_LOG_REPAIR], 0U);
}

Test(agent, an_interrupted_start_is_undone_and_made_anew)
{
    world_open(&world);
    world.domains[0] = (struct world_domain){
        .instance = 20, .paused = true, .generation = 1, .epoch = 1, .boots = 1
    };
    world_host(&world, true);
    world_link(&world, LEADER, true);
    world_welcome(&world, LEADER, 5);
    one(order(20, 1, RUNNING), true);
    world_settle(&world);
    cr_assert(world_domain(&world, 20)->running);
    cr_assert_eq(world.destroys, 1U);
    cr_assert_eq(world.doubles, 0U);
}

Test(agent, a_restarted_agent_finds_its_guests_and_starts_none_twice) /* INV-VM-1 */
{
    ready();
    running_instance(20);
    running_instance(21);
    world_restart_agent(&world, 1);
    world_host(&world, true);
    world_ended(&world, 21, 2); /* While nobody listened. */
    world_settle(&world);
    cr_assert_eq(world.starts, 2U, "no controller was heard yet");
    world_link(&world, LEADER, true);
    world_welcome(&world, LEADER, 6);
    struct world_order both[] = { order(20, 1, RUNNING), order(21, 1, RUNNING) };
    world_orders(&world, LEADER, 6, true, true, both, 2);
    world_settle(&world);
    cr_assert_eq(world.starts, 3U);
    cr_assert_eq(world.doubles, 0U);
    cr_assert_eq(world.logs[AGENT_LOG_REPAIR], 1U, "what ended meanwhile is a repair");
}

Test(agent, a_rebooted_node_starts_again_at_no_attempt_s_cost)
{
    ready();
    running_instance(20);
    memset(world.domains, 0, sizeof(world.domains));
    memset(world.segments, 0, sizeof(world.segments));
    world_restart_agent(&world, 2);
    world_host(&world, true);
    world_settle(&world);
    cr_assert_eq(world.starts, 1U);
    world_link(&world, LEADER, true);
    world_welcome(&world, LEADER, 6);
    world.reports_count = 0;
    one(order(20, 1, RUNNING), true);
    world_settle(&world);
    cr_assert_eq(world.starts, 2U);
    cr_assert_eq(model_find(&world.agent.model, 20)->attempts, 0U);
    uint32_t repairs = 0;
    for (uint32_t i = 0; i < world.reports_count; i++) {
        repairs += world.reports[i].repairs;
    }
    cr_assert_eq(repairs, 1U);
}

Test(agent, a_restarted_host_is_observed_before_anything_else)
{
    ready();
    running_instance(20);
    one(order(21, 1, RUNNING), false);
    world_host(&world, false);
    one(order(22, 1, RUNNING), false);
    cr_assert_eq(world.verbs_count, 0U, "nobody is there to be told");
    world_host(&world, true);
    cr_assert_null(world_waiting(&world, WIRE__VERB__VERB_START));
    world_settle(&world);
    cr_assert_eq(world.starts, 3U);
    cr_assert_eq(world.doubles, 0U);
}

Test(agent, hello_goes_to_everybody_and_again_until_a_leader_answers)
{
    world_open(&world);
    world_link(&world, LEADER, true);
    cr_assert_eq(world.hellos, 0U, "nothing is known of the machine yet");
    world_host(&world, true);
    while (world_answer(&world, 0)) {
    }
    cr_assert_geq(world.hellos, 1U);
    world_link(&world, OTHER, true);
    uint32_t before = world.hellos;
    world_tick(&world, AGENT_HELLO_MS);
    cr_assert_eq(world.hellos, before + 2, "nobody leads: both hear it again");
    world_welcome(&world, OTHER, 5);
    before = world.hellos;
    world_tick(&world, AGENT_HELLO_OTHERS_MS);
    cr_assert_eq(world.hellos, before + 1, "a leader is left alone, the other may lead by now");
    world_link(&world, OTHER, false);
    cr_assert_eq(world.hellos, before + 2, "without a leader it is said at once");
    world_tick(&world, AGENT_HELLO_MS - 1);
    cr_assert_eq(world.hellos, before + 2);
    world_tick(&world, 1);
    cr_assert_eq(world.hellos, before + 3);
}

Test(agent, a_leader_that_comes_while_the_old_one_stays_connected_is_found)
{
    ready();
    running_instance(20);
    world_link(&world, OTHER, true);
    world.reports_count = 0;
    uint32_t before = world.hellos;
    struct world_order given = order(20, 1, RUNNING);
    world_orders(&world, OTHER, 9, true, true, &given, 1);
    world_orders(&world, OTHER, 9, true, true, &given, 1);
    cr_assert_eq(world.hellos, before + 1, "orders without a welcome are answered by one hello");
    world_welcome(&world, OTHER, 9);
    cr_assert_eq(world_last(&world, 20)->controller, (uint64_t)OTHER, "it hears everything");
    cr_assert_eq(world_last(&world, 20)->observed, WIRE__OBSERVED__OBSERVED_RUNNING);
}

Test(agent, renewals_carry_the_digest_of_what_is_wanted)
{
    ready();
    running_instance(20);
    world_tick(&world, LIMIT_NODE_RENEW_MS);
    uint8_t bytes[16] = { 20, [8] = 1 };
    uint64_t expected = hash_bytes((struct hash_key){ 0, 0 }, slice_of(bytes, sizeof(bytes)));
    cr_assert_eq(world.renew_count, 1U);
    cr_assert_eq(world.renew_digest, expected);
    one(order(20, 2, GONE), false);
    world_settle(&world);
    world_tick(&world, LIMIT_NODE_RENEW_MS);
    cr_assert_eq(world.renew_count, 0U);
    cr_assert_eq(world.renew_digest, 0U);
}

Test(agent, what_the_leader_asks_again_it_is_told_again)
{
    ready();
    running_instance(20);
    world.reports_count = 0;
    world_tick(&world, 10);
    cr_assert_eq(world.reports_count, 0U);
    one(order(20, 1, RUNNING), false);
    cr_assert_eq(world_last(&world, 20)->observed, WIRE__OBSERVED__OBSERVED_RUNNING);
}

Test(agent, the_same_peers_under_a_newer_number_change_nothing)
{
    ready();
    running_instance(20);
    struct world_order given = order(20, 1, RUNNING);
    world.segment_number = 50;
    one(given, false);
    cr_assert_null(world_waiting(&world, WIRE__VERB__VERB_ENSURE_SEGMENT));
    world.segment_peer = "10.99.0.103";
    one(given, false);
    cr_assert_not_null(world_waiting(&world, WIRE__VERB__VERB_ENSURE_SEGMENT));
}

static void ask_console(uint64_t handle)
{
    Wire__NodeConsoleAsk ask = WIRE__NODE_CONSOLE_ASK__INIT;
    struct agent_event event = { .kind = AGENT_EVENT_CONSOLE_ASK,
                                 .controller = LEADER,
                                 .console_ask = &ask };
    ask.handle = handle;
    ask.instance = 20;
    world_step(&world, &event);
}

Test(agent, consoles_are_read_for_whoever_asked_and_a_flood_is_refused)
{
    ready();
    for (uint64_t i = 1; i <= AGENT_CONSOLES + 1; i++) {
        ask_console(i);
    }
    cr_assert_eq(world.consoles, 1U);
    cr_assert_eq(world.console_failure, (uint32_t)FAILURE_BUSY);
    while (world_answer(&world, 0)) {
    }
    cr_assert_eq(world.consoles, (uint32_t)AGENT_CONSOLES + 1);
    cr_assert_eq(world.console_failure, (uint32_t)FAILURE_NONE);
}

Test(agent, orders_outside_their_contract_are_ignored_one_by_one)
{
    ready();
    struct world_order bad[] = { order(20, 0, RUNNING),
                                 order(21, 1, WIRE__DESIRED__DESIRED_UNSET),
                                 order(22, 1, RUNNING) };
    world_orders(&world, LEADER, 5, false, false, bad, 3);
    world_settle(&world);
    cr_assert_eq(world.logs[AGENT_LOG_BAD_ORDER], 2U);
    cr_assert_eq(world.starts, 1U);
}

Test(agent, a_table_full_of_living_instances_refuses_the_newest)
{
    ready();
    for (uint64_t id = 100; id < 100 + LIMIT_NODE_INSTANCES; id++) {
        one(order(id, 1, STOPPED), false);
    }
    one(order(5000, 1, STOPPED), false);
    cr_assert_eq(world.logs[AGENT_LOG_TABLE_FULL], 1U);
    cr_assert_null(model_find(&world.agent.model, 5000));
    one(order(100, 2, GONE), false);
    world_settle(&world);
    one(order(5000, 1, STOPPED), false);
    cr_assert_not_null(model_find(&world.agent.model, 5000), "a gone one makes room");
}

/* ---- Whatever happens. ---- */

struct wanted {
    uint64_t generation;
    Wire__Desired desired;
    uint64_t boots;
};
enum { TARGETS = 6 };

static void send_all(struct wanted wanted[TARGETS])
{
    struct world_order all[TARGETS];
    uint32_t count = 0;
    for (uint32_t i = 0; i < TARGETS; i++) {
        if (wanted[i].generation == 0) {
            continue;
        }
        all[count] = order(20 + i, wanted[i].generation, wanted[i].desired);
        all[count].boots = wanted[i].boots;
        all[count].max_attempts = LIMIT_ATTEMPTS;
        count++;
    }
    world_orders(&world, LEADER, world.agent.term, true, true, all, count);
}

static void shake(struct prng *prng, struct wanted wanted[TARGETS])
{
    uint32_t i = (uint32_t)prng_below(prng, TARGETS);
    switch (prng_below(prng, 12)) {
    case 0:
        wanted[i].generation++;
        wanted[i].desired = (Wire__Desired)(1 + prng_below(prng, 3));
        break;
    case 1:
        wanted[i].generation++;
        wanted[i].boots++;
        break;
    case 2: world_ended(&world, 20 + i, (uint32_t)(1 + prng_below(prng, 3))); break;
    case 3: world_libvirt(&world, prng_below(prng, 2) == 0); break;
    case 4:
        if (prng_below(prng, 4) == 0) {
            world_host(&world, false);
            world_host(&world, true);
        }
        break;
    case 5:
        if (prng_below(prng, 4) == 0) {
            world_restart_agent(&world, 1);
            world_host(&world, true);
            world_link(&world, LEADER, true);
            world_welcome(&world, LEADER, world.agent.term);
        }
        break;
    case 6: send_all(wanted); break;
    case 7: world.start_failure = prng_below(prng, 3) == 0 ? FAILURE_IO : FAILURE_NONE; break;
    default:
        world_tick(&world, prng_below(prng, 3000));
        (void)world_answer(&world, (uint32_t)prng_below(prng, 64));
        break;
    }
}

Test(agent, any_mixture_of_events_ends_with_the_wanted_and_never_with_two)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct prng prng;
        struct wanted wanted[TARGETS] = { { 0 } };
        prng_seed(&prng, seed);
        ready();
        for (uint32_t turn = 0; turn < 600; turn++) {
            shake(&prng, wanted);
            cr_assert_eq(world.doubles, 0U, "seed %d", (int)seed); /* INV-VM-1 */
        }
        world.start_failure = FAILURE_NONE;
        world_libvirt(&world, true);
        send_all(wanted);
        world_settle(&world);
        for (uint32_t i = 0; i < TARGETS; i++) {
            const struct world_domain *domain = world_domain(&world, 20 + i);
            bool runs = domain != NULL && domain->running;
            bool should = wanted[i].generation != 0 && wanted[i].desired == RUNNING;
            const struct model_instance *row = model_find(&world.agent.model, 20 + i);
            bool gave_up = row != NULL && row->failed;
            cr_assert(runs == should || (should && gave_up), "seed %d row %u", (int)seed, i);
            cr_assert(!runs || domain->boots >= wanted[i].boots);
        }
    }
}
