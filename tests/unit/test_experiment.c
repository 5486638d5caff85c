/* Experiments as files say them: lines that are one, lines that are refused with what to do next;
 * what a trial leaves as JSON that another reader understands; pictures that are well-formed. */
#include "base/check.h"
#include "tests/sim/experiment.h"
#include "tests/sim/svg.h"
#include "tests/sim/trial_out.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct experiment experiment;
static char why[EXPERIMENT_WHY];

static bool reads(const char *text)
{
    return experiment_parse("a.exp", text, NULL, 0, &experiment, why);
}

/* ---- Lines ---- */

Test(experiment, each_line_sets_what_it_says)
{
    cr_assert(
        reads("# all of them\n"
              "topology controllers=5 nodes=12 tenants=3 instances=9\n"
              "duration 90s\nseeds 3..7\n"
              "workload clients=20 think=250ms fill=50% mix=create:5,read:2\n"
              "weather delay=1ms..5ms loss=0.5% straggler=1% bandwidth=1000kB/s\n"
              "swarm on\ncost sync=2ms start=1s\npolicy placement=worst-fit\n"),
        "%s",
        why);
    cr_assert_eq(experiment.conf.controllers, 5);
    cr_assert_eq(experiment.conf.nodes, 12);
    cr_assert_eq(experiment.conf.tenants, 3);
    cr_assert_eq(experiment.conf.instances, 9);
    cr_assert_eq(experiment.conf.clients, 20);
    cr_assert_eq(experiment.conf.think_ms, 250);
    cr_assert_eq(experiment.conf.fill, 50);
    cr_assert_eq(experiment.duration_ms, 90000);
    cr_assert_eq(experiment.seed_first, 3);
    cr_assert_eq(experiment.seed_last, 7);
    cr_assert_eq(experiment.mix[PLANE_ACT_CREATE], 5);
    cr_assert_eq(experiment.mix[PLANE_ACT_READ], 2);
    cr_assert_eq(experiment.mix_sum, 7);
    cr_assert_eq(experiment.weather.delay_min_us, 1000);
    cr_assert_eq(experiment.weather.delay_max_us, 4001);
    cr_assert_eq(experiment.weather.drop, 50);
    cr_assert_eq(experiment.weather.straggler, 100);
    cr_assert_eq(experiment.weather.bytes_per_ms, 1000);
    cr_assert(experiment.swarm);
    cr_assert_eq(experiment.costs_us[PLANE_COST_SYNC], 2000);
    cr_assert_eq(experiment.costs_us[PLANE_COST_START], 1000000);
    cr_assert_eq(experiment.costs_us[PLANE_COST_STOP], 0);
    cr_assert_str_eq(experiment.placement->name, "worst-fit");
}

Test(experiment, what_is_not_said_has_its_usual_size)
{
    cr_assert(reads("\n  # nothing\nswarm off\n"));
    cr_assert_eq(experiment.conf.controllers, 3);
    cr_assert_eq(experiment.duration_ms, 120000);
    cr_assert_eq(experiment.seed_first, 1);
    cr_assert_eq(experiment.seed_last, 1);
    cr_assert_not(experiment.swarm);
    cr_assert_str_eq(experiment.placement->name, "best-fit");
    cr_assert_eq(experiment.faults_count, 0);
}

static const struct {
    const char *line;
    enum experiment_act act;
    enum experiment_who who;
    uint32_t machine;
    uint32_t other;
    uint64_t at_ms;
    uint64_t for_ms;
    int64_t amount;
} faults[] = {
    { "fault at=12.345s for=2.000s kill c2",
      EXPERIMENT_KILL,
      EXPERIMENT_MACHINE,
      1,
      PLANE_NONE,
      12345,
      2000,
      0 },
    { "fault at=3.100s for=0.000s kill c1 engine",
      EXPERIMENT_KILL,
      EXPERIMENT_MACHINE,
      0,
      PLANE_NONE,
      3100,
      0,
      0 },
    { "fault at=3s for=0.000s kill c1 api",
      EXPERIMENT_KILL_API,
      EXPERIMENT_MACHINE,
      0,
      PLANE_NONE,
      3000,
      0,
      0 },
    { "fault at=20.000s for=1.500s stop c2 engine",
      EXPERIMENT_STOP,
      EXPERIMENT_MACHINE,
      1,
      PLANE_NONE,
      20000,
      1500,
      0 },
    { "fault at=30.250s for=4.000s cut c1->c2",
      EXPERIMENT_CUT,
      EXPERIMENT_MACHINE,
      0,
      1,
      30250,
      4000,
      0 },
    { "fault at=41.000s for=5.000s full c3",
      EXPERIMENT_FULL,
      EXPERIMENT_MACHINE,
      2,
      PLANE_NONE,
      41000,
      5000,
      0 },
    { "fault at=10s kill leader",
      EXPERIMENT_KILL,
      EXPERIMENT_LEADER,
      PLANE_NONE,
      PLANE_NONE,
      10000,
      EXPERIMENT_UNTIL_THE_END,
      0 },
    { "fault at=1s power follower",
      EXPERIMENT_POWER,
      EXPERIMENT_FOLLOWER,
      PLANE_NONE,
      PLANE_NONE,
      1000,
      EXPERIMENT_UNTIL_THE_END,
      0 },
    { "fault at=1s for=9s cut leader",
      EXPERIMENT_CUT,
      EXPERIMENT_LEADER,
      PLANE_NONE,
      PLANE_NONE,
      1000,
      9000,
      0 },
    { "fault at=1s cut leader->c2",
      EXPERIMENT_CUT,
      EXPERIMENT_LEADER,
      PLANE_NONE,
      1,
      1000,
      EXPERIMENT_UNTIL_THE_END,
      0 },
    { "fault at=1s crash n3",
      EXPERIMENT_POWER,
      EXPERIMENT_MACHINE,
      PLANE_CONTROLLERS + 2,
      PLANE_NONE,
      1000,
      EXPERIMENT_UNTIL_THE_END,
      0 },
    { "fault at=1s kill nodes agent",
      EXPERIMENT_KILL_AGENT,
      EXPERIMENT_NODES,
      PLANE_NONE,
      PLANE_NONE,
      1000,
      EXPERIMENT_UNTIL_THE_END,
      0 },
    { "fault at=1s for=1s slow-disk c1 sync=20ms",
      EXPERIMENT_SLOW_DISK,
      EXPERIMENT_MACHINE,
      0,
      PLANE_NONE,
      1000,
      1000,
      20000 },
    { "fault at=1s for=1s slow controllers x8",
      EXPERIMENT_SLOW,
      EXPERIMENT_CONTROLLERS,
      PLANE_NONE,
      PLANE_NONE,
      1000,
      1000,
      8 },
    { "fault at=1s drift c2 -3%",
      EXPERIMENT_DRIFT,
      EXPERIMENT_MACHINE,
      1,
      PLANE_NONE,
      1000,
      EXPERIMENT_UNTIL_THE_END,
      -30000 },
    { "fault at=1s jump n1 -87600h",
      EXPERIMENT_JUMP,
      EXPERIMENT_MACHINE,
      PLANE_CONTROLLERS,
      PLANE_NONE,
      1000,
      EXPERIMENT_UNTIL_THE_END,
      INT64_C(-315360000000) },
    { "fault at=1s jump n1 +1h",
      EXPERIMENT_JUMP,
      EXPERIMENT_MACHINE,
      PLANE_CONTROLLERS,
      PLANE_NONE,
      1000,
      EXPERIMENT_UNTIL_THE_END,
      3600000 },
    { "fault at=1s for=2s freeze node",
      EXPERIMENT_FREEZE,
      EXPERIMENT_NODE,
      PLANE_NONE,
      PLANE_NONE,
      1000,
      2000,
      0 },
};

Test(experiment, faults_are_said_in_the_words_of_the_recorder_too)
{
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        cr_assert(reads(faults[i].line), "%s: %s", faults[i].line, why);
        const struct experiment_fault *fault = &experiment.faults[0];
        cr_assert_eq(experiment.faults_count, 1);
        cr_assert_eq(fault->act, faults[i].act, "%s", faults[i].line);
        cr_assert_eq(fault->target.who, faults[i].who, "%s", faults[i].line);
        cr_assert_eq(fault->target.machine, faults[i].machine, "%s", faults[i].line);
        cr_assert_eq(fault->other, faults[i].other, "%s", faults[i].line);
        cr_assert_eq(fault->at_ms, faults[i].at_ms, "%s", faults[i].line);
        cr_assert_eq(fault->for_ms, faults[i].for_ms, "%s", faults[i].line);
        cr_assert_eq(fault->amount, faults[i].amount, "%s", faults[i].line);
        cr_assert(strstr(faults[i].line, fault->words) != NULL);
    }
}

Test(experiment, what_is_not_understood_is_refused_with_file_and_line_and_what_next)
{
    static const struct {
        const char *text;
        const char *says;
    } cases[] = {
        { "colour red", "a.exp:1: \"colour\"" },
        { "\n\ntopology controllers=2", "a.exp:3: \"controllers=2\"" },
        { "topology nodes=twelve", "nodes=twelve" },
        { "topology nodes=2.5", "nodes=2.5" },
        { "topology nodes=3\ntopology tenants=2", "said above already" },
        { "duration 90", "a.exp:1: a duration" },
        { "duration 2h", "a duration" },
        { "duration 1s 2s", "a duration" },
        { "seeds 5..1", "seeds are numbers" },
        { "workload clients=0", "clients=0" },
        { "workload think=500", "think=500" },
        { "workload mix=create:1,create:2", "a mix is a list" },
        { "workload mix=explode:1", "\"explode\"" },
        { "workload mix=read:4", "makes nothing" },
        { "weather loss=5", "loss=5" },
        { "weather loss=-1%", "loss=-1%" },
        { "weather delay=5ms..1ms", "delay=5ms..1ms" },
        { "weather bandwidth=0kB/s", "bandwidth=0kB/s" },
        { "swarm maybe", "on or off" },
        { "cost sync=0us", "sync=0us" },
        { "cost fsync=1ms", "fsync=1ms" },
        { "policy placement=best", "known are best-fit, first-fit, worst-fit" },
        { "fault kill leader", "nobody says when" },
        { "fault at=10 kill leader", "\"at=10\" is no time" },
        { "fault at=1s every=0s kill leader", "never comes to an end" },
        { "fault at=1s", "two words or three" },
        { "fault at=1s explode c1", "\"explode\"" },
        { "fault at=1s kill c9", "cannot suffer" },
        { "fault at=1s kill n1", "cannot suffer" },
        { "fault at=1s crash c1", "cannot suffer" },
        { "fault at=1s kill c1->c2", "cannot suffer" },
        { "fault at=1s kill c1 guest", "cannot suffer" },
        { "fault at=1s kill c1 cron", "does not belong" },
        { "fault at=1s slow-disk c1", "does not belong" },
        { "fault at=1s slow-disk c1 20ms", "does not belong" },
        { "fault at=1s drift c1 -100%", "does not belong" },
        { "fault at=1s stop c1", "for how long" },
        { "fault at=1s kill c4", "has no such machine" },
        { "fault at=1s cut c1->n4", "has no such machine" },
        { "fault at=1s every=$k kill leader", "has no value" },
        { "set k", "NAME=VALUE" },
        { "trace a b", "a trace is one file" },
        { "trace x.history\nworkload mix=create:1", "a trace and a mix" },
        { "faults nowhere.faults", "cannot be read" },
        { "", "says nothing" },
        { "duration 1s\r", "carriage return" },
        { "\xef\xbb\xbf"
          "duration 1s",
          "byte order mark" },
        { "workload clients=1 clients=1", "said it already" },
        { "set k=1\nset k=1\nseeds $k", "set above already" },
        { "set k=1\nseeds 1", "a.exp:1: k: no line below" },
        { "seeds $k-of-all", "\"$k\"" },
        { "duration 5s\nfault at=5s kill c1", "never strike" },
        { "fault at=1s cut n1->n2", "no such link" },
        { "fault at=1s drift c1 -91%", "-90%" },
        { "workload fill=0.5%", "fill=50%" },
        { "trace x.history\nworkload mix=create:1", "a.exp:1: a trace" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        why[0] = '\0';
        cr_assert_not(reads(cases[i].text), "%s", cases[i].text);
        cr_assert(strstr(why, cases[i].says) != NULL, "%s: %s", cases[i].text, why);
        cr_assert(strstr(why, "Next: ") != NULL, "%s: %s", cases[i].text, why);
    }
}

Test(experiment, a_parameter_is_its_text_and_a_sweep_comes_before_the_file)
{
    static const char text[] = "set k=5s\nfault at=1s every=${k} kill leader\nseeds 1..$n\n";
    struct experiment_value values[] = { { .name = "n", .text = "4" },
                                         { .name = "x", .text = "1" } };
    cr_assert(experiment_parse("a.exp", text, values, 2, &experiment, why), "%s", why);
    cr_assert_eq(experiment.faults[0].every_ms, 5000);
    cr_assert_eq(experiment.seed_last, 4);
    cr_assert(values[0].used);
    cr_assert_not(values[1].used); /* Nobody names it: the caller refuses. */
    struct experiment_value swept[] = { { .name = "k", .text = "7s" },
                                        { .name = "n", .text = "4" } };
    cr_assert(experiment_parse("a.exp", text, swept, 2, &experiment, why), "%s", why);
    cr_assert_eq(experiment.faults[0].every_ms, 7000);
}

Test(experiment, lines_and_words_have_bounds)
{
    char text[2048];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    cr_assert_not(reads(text));
    cr_assert(strstr(why, "too long") != NULL);
    text[0] = '\0';
    for (int i = 0; i < 40; i++) {
        (void)snprintf(text + 2 * i, sizeof(text) - 2 * (size_t)i, "x ");
    }
    cr_assert_not(reads(text));
    cr_assert(strstr(why, "too many words") != NULL);
}
