/* What the pure agent says and hears, and what holds however events are mixed. */
#include "base/check.h"
#include "base/hash.h"
#include "base/prng.h"
#include "tests/unit/agent_lab.h"

Test(agent_talk, hello_goes_to_everybody_and_again_until_a_leader_answers)
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

Test(agent_talk, a_leader_that_comes_while_the_old_one_stays_connected_is_found)
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

Test(agent_talk, renewals_carry_the_digest_of_what_is_wanted)
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

Test(agent_talk, renewals_say_that_libvirt_is_away_and_that_others_run_guests_here)
{
    ready();
    running_instance(20);
    world_tick(&world, LIMIT_NODE_RENEW_MS);
    cr_assert_eq(world.renew_conditions, 0U);
    world_libvirt(&world, false);
    world_tick(&world, LIMIT_NODE_RENEW_MS);
    cr_assert_eq(world.renew_conditions, WIRE__NODE_CONDITION__NODE_CONDITION_LIBVIRT_AWAY);
    world.strangers = 1;
    world_libvirt(&world, true);
    world_settle(&world);
    world_tick(&world, LIMIT_NODE_RENEW_MS);
    cr_assert_eq(world.renew_conditions, WIRE__NODE_CONDITION__NODE_CONDITION_STRANGERS);
    cr_assert_eq(world.destroys, 0U, "they are left alone");
    world.strangers = 0;
    world_tick(&world, AGENT_OBSERVE_MS);
    world_settle(&world);
    world_tick(&world, LIMIT_NODE_RENEW_MS);
    cr_assert_eq(world.renew_conditions, 0U);
}

/* INV-VM-4: a domain of ours that appears by itself is not destroyed for that, and the leader is
 * asked for its list, by which it is. */
Test(agent_talk, what_appears_unordered_is_asked_about_and_ended_by_the_list)
{
    ready();
    running_instance(20);
    world.domains[WORLD_DOMAINS - 1] = (struct world_domain){
        .instance = 77, .running = true, .generation = 1, .epoch = 1, .boots = 1
    };
    uint32_t before = world.hellos;
    world_tick(&world, AGENT_OBSERVE_MS);
    while (world_answer(&world, 0)) {
    }
    cr_assert_eq(world.hellos, before + 1, "it is asked about, once");
    world_settle(&world);
    cr_assert_not_null(world_domain(&world, 77), "nobody said that it is unwanted");
    struct world_order given = order(20, 1, RUNNING);
    world_orders(&world, LEADER, 5, true, true, &given, 1);
    world_settle(&world);
    cr_assert_null(world_domain(&world, 77));
    cr_assert(world_domain(&world, 20)->running);
}

Test(agent_talk, what_the_leader_asks_again_it_is_told_again)
{
    ready();
    running_instance(20);
    world.reports_count = 0;
    world_tick(&world, 10);
    cr_assert_eq(world.reports_count, 0U);
    one(order(20, 1, RUNNING), false);
    cr_assert_eq(world_last(&world, 20)->observed, WIRE__OBSERVED__OBSERVED_RUNNING);
}

/* A reboot was ordered, saved, and not begun: what runs is not what the newest order asked for. */
Test(agent_talk, a_restarted_agent_tells_an_older_boot_as_of_its_own_order) /* INV-VM-2 */
{
    ready();
    running_instance(20);
    struct world_order given = order(20, 2, RUNNING);
    given.boots = 2;
    one(given, false);
    world_restart_agent(&world, 1);
    world_host(&world, true);
    while (world_answer(&world, 0)) {
    }
    cr_assert_eq(world_domain(&world, 20)->boots, 1U);
    world.reports_count = 0;
    world_link(&world, LEADER, true);
    world_welcome(&world, LEADER, 6);
    cr_assert_eq(world_last(&world, 20)->observed, WIRE__OBSERVED__OBSERVED_RUNNING);
    cr_assert_eq(world_last(&world, 20)->generation, 1U, "the second boot has not begun");
    uint32_t told = world.reports_count;
    world_tick(&world, 10);
    cr_assert_eq(world.reports_count, told, "once");
    world_orders(&world, LEADER, 6, true, true, &given, 1);
    world_settle(&world);
    cr_assert_eq(world_domain(&world, 20)->boots, 2U);
    cr_assert_eq(world_last(&world, 20)->generation, 2U);
}

/* INV-LED-6: it is there; but a start that was cut short is none. */
Test(agent_talk, a_restarted_agent_does_not_tell_a_paused_guest_as_running)
{
    world_open(&world);
    world.domains[0] = (struct world_domain){
        .instance = 20, .paused = true, .generation = 1, .epoch = 1, .boots = 1
    };
    world_host(&world, true);
    while (world_answer(&world, 0)) {
    }
    world_link(&world, LEADER, true);
    world_welcome(&world, LEADER, 5);
    cr_assert_eq(world_last(&world, 20)->observed, WIRE__OBSERVED__OBSERVED_STARTING);
    one(order(20, 1, STOPPED), false);
    cr_assert_eq(world_last(&world, 20)->observed, WIRE__OBSERVED__OBSERVED_STARTING);
    world_settle(&world);
    cr_assert_eq(world_last(&world, 20)->observed, WIRE__OBSERVED__OBSERVED_STOPPED);
}

Test(agent_talk, the_same_peers_under_a_newer_number_change_nothing)
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

Test(agent_talk, one_peer_more_is_added_to_those_that_are_known_and_to_nothing)
{
    ready();
    world.segment_more = true; /* Its own list did not come yet: this is no list. */
    one(order(20, 1, RUNNING), false);
    cr_assert_null(world_waiting(&world, WIRE__VERB__VERB_ENSURE_SEGMENT));
    world.segment_more = false;
    running_instance(21);
    struct world_order given = order(21, 1, RUNNING);
    world.segment_more = true;
    world.segment_number = 50;
    one(given, false); /* It is known. */
    cr_assert_null(world_waiting(&world, WIRE__VERB__VERB_ENSURE_SEGMENT));
    world.segment_peer = "10.99.0.101";
    one(given, false);
    const struct world_verb *verb = world_waiting(&world, WIRE__VERB__VERB_ENSURE_SEGMENT);
    cr_assert_not_null(verb);
    cr_assert_eq(verb->peers, 2);
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

Test(agent_talk, consoles_are_read_for_whoever_asked_and_a_flood_is_refused)
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

Test(agent_talk, orders_outside_their_contract_are_ignored_one_by_one)
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

Test(agent_talk, a_table_full_of_living_instances_refuses_the_newest)
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

Test(agent_talk, any_mixture_of_events_ends_with_the_wanted_and_never_with_two)
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
