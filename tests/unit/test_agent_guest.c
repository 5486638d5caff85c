/* The pure agent and its guests: attempts, stops, boots, and restarts of everything around them. */
#include "tests/unit/agent_lab.h"

Test(agent_guest, a_failed_guest_is_started_again_and_counted_until_attempts_are_used_up)
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

Test(agent_guest, a_guest_that_ran_long_has_its_attempts_back)
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

Test(agent_guest, on_failure_stop_stops)
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

Test(agent_guest, a_start_that_fails_is_tried_again_later_and_a_missing_libvirt_costs_no_attempt)
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

Test(agent_guest, a_stop_asks_first_and_insists_later)
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

Test(agent_guest, a_forced_stop_does_not_ask)
{
    ready();
    running_instance(20);
    struct world_order given = order(20, 2, STOPPED);
    given.force = true;
    one(given, false);
    cr_assert(world_waiting(&world, WIRE__VERB__VERB_STOP)->force);
}

Test(agent_guest, a_higher_boot_number_boots_the_guest_anew_once)
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

Test(agent_guest, an_interrupted_start_is_undone_and_made_anew)
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

Test(agent_guest, a_restarted_agent_finds_its_guests_and_starts_none_twice) /* INV-VM-1 */
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

Test(agent_guest, a_rebooted_node_starts_again_at_no_attempt_s_cost)
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

Test(agent_guest, a_restarted_host_is_observed_before_anything_else)
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

static bool said_to_rest(uint64_t instance)
{
    const struct world_report *last = world_last(&world, instance);
    return last != NULL && last->observed == WIRE__OBSERVED__OBSERVED_STOPPED;
}

/* INV-LED-6: what is said to have stopped gives its room back, and may start elsewhere. */
Test(agent_guest, while_a_start_is_under_way_nothing_is_said_to_have_stopped)
{
    ready();
    one(order(20, 1, RUNNING), false);
    while (world_waiting(&world, WIRE__VERB__VERB_START) == NULL) {
        cr_assert(world_answer(&world, 0), "its segment comes first");
    }
    one(order(20, 2, STOPPED), false);
    world_tick(&world, 2 * LIMIT_NODE_RENEW_MS);
    cr_assert_not(said_to_rest(20), "host may start it any moment");
    world_settle(&world);
    cr_assert_not(world_domain(&world, 20)->running);
    cr_assert(said_to_rest(20));
}

Test(agent_guest, a_paused_domain_is_not_said_to_have_stopped)
{
    ready();
    running_instance(20);
    one(order(20, 2, STOPPED), false);
    while (world_answer(&world, 0)) {
    }
    world_ended(&world, 20, 2);
    world_domain(&world, 20)->paused = true; /* The event was not the whole truth. */
    for (uint32_t i = 0; i < 50 && world_domain(&world, 20)->paused; i++) {
        cr_assert_not(said_to_rest(20), "it is there, and takes its room");
        world_answer(&world, 0);
        world_tick(&world, 100);
    }
    world_settle(&world);
    cr_assert(said_to_rest(20));
}

static bool said_to_have_failed(uint64_t id)
{
    const struct world_report *word = world_last(&world, id);
    return word != NULL && word->observed == WIRE__OBSERVED__OBSERVED_FAILED;
}

/* Libvirt's answer was late, or wrong: the last start that failed has made the domain. INV-VM-1 */
static void last_start_leaves(bool paused)
{
    ready();
    world.start_failure = FAILURE_TIMEOUT;
    one(order(20, 1, RUNNING), false);
    for (uint32_t i = 0; i < 2000 && world.logs[AGENT_LOG_GAVE_UP] == 0; i++) {
        if (!world_answer(&world, 0)) {
            world_tick(&world, 1000);
        }
    }
    cr_assert_eq(world.logs[AGENT_LOG_GAVE_UP], 1U);
    struct world_domain *domain = world_domain(&world, 20);
    domain = domain != NULL ? domain : &world.domains[0];
    *domain = (struct world_domain){ .instance = 20,
                                     .paused = paused,
                                     .running = !paused,
                                     .generation = 1,
                                     .epoch = 1,
                                     .boots = 1 };
    for (uint32_t i = 0; i < 200 && (domain->paused || domain->running); i++) {
        cr_assert_not(said_to_have_failed(20), "it is there, and would be started elsewhere");
        world_answer(&world, 0);
        world_tick(&world, 100);
    }
    world_settle(&world);
}

Test(agent_guest, what_the_last_start_has_left_is_ended_before_it_is_said_to_have_failed)
{
    last_start_leaves(true);
    cr_assert_eq(world.destroys, 1U);
    cr_assert(said_to_have_failed(20));
}

Test(agent_guest, a_guest_that_runs_after_all_has_not_failed)
{
    last_start_leaves(false);
    cr_assert_eq(world.destroys, 0U);
    cr_assert_eq(world_last(&world, 20)->observed, WIRE__OBSERVED__OBSERVED_RUNNING);
}
