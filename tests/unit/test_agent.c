/* The pure agent in a world of its own: which orders count, and what they come to. Each refusal is
 * shown next to the same thing being accepted. */
#include "base/check.h"
#include "tests/unit/agent_lab.h"

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

/* A start takes seconds; an order to stop that comes meanwhile is not carried out yet. */
Test(agent, what_is_being_started_is_not_said_to_rest) /* INV-VM-1 */
{
    ready();
    one(order(20, 1, RUNNING), false);
    world_answer(&world, 0);
    cr_assert_not_null(world_waiting(&world, WIRE__VERB__VERB_START));
    one(order(20, 2, STOPPED), false);
    world_tick(&world, 2000);
    cr_assert_eq(world_last(&world, 20)->observed, WIRE__OBSERVED__OBSERVED_STARTING);
    world_settle(&world);
    world_tick(&world, 2000);
    world_settle(&world);
    cr_assert_eq(world_last(&world, 20)->observed, WIRE__OBSERVED__OBSERVED_STOPPED);
    cr_assert_eq(world.starts, 1U);
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
