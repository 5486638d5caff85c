/* One trial, in a process of its own: product code may well crash. Decides what its end is called,
 * and that whoever reads its log knows where that ends; never what is right (the checkers do). */
#include "base/check.h"
#include "tests/sim/plane_check.h"
#include "tests/sim/trial_run.h"

#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS_MAX = 600, LIFE_MARGIN_MS = 30000, REQUESTS_MARGIN = 16384 };
enum { REQUESTS_MOST = 4000000 };

/* As many as its clients can ask for, and those by which the cell begins. */
static uint32_t requests_of(const struct experiment *experiment, const struct trial_trace *trace)
{
    const struct plane_conf *conf = &experiment->conf;
    uint64_t lasts_ms = experiment->duration_ms + LIFE_MARGIN_MS;
    uint64_t begin = 2 * (UINT64_C(0) + conf->controllers + conf->nodes) + conf->tenants +
                     conf->clients + REQUESTS_MARGIN;
    uint64_t asked =
        trace->count > 0 ? trace->count : conf->clients * (lasts_ms / (conf->think_ms / 2 + 1)) * 2;
    return (uint32_t)(asked + begin < REQUESTS_MOST ? asked + begin : REQUESTS_MOST);
}

static unsigned int seconds_most(const struct experiment *experiment)
{
    return SECONDS_MAX + 2 * experiment->conf.nodes +
           (unsigned int)(experiment->duration_ms / 1000);
}

static _Noreturn void child_main(const struct trial_run *run, uint64_t seed)
{
    static struct plane plane;
    static struct trial trial;
    const struct experiment *experiment = &run->experiment;
    (void)signal(SIGINT, SIG_IGN); /* Who started it says when it stops, between two events, */
    (void)signal(SIGTERM, SIG_IGN);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* and it outlives nobody. */
    (void)mallopt(M_MMAP_THRESHOLD, 256 * 1024);
    (void)alarm(seconds_most(experiment));
    trial = (struct trial){ .experiment = experiment,
                            .trace = run->trace.count > 0 ? &run->trace : NULL,
                            .measures = run->measures,
                            .control = run->control,
                            .log = run->log,
                            .events = run->events };
    plane.seed = seed;
    plane.conf = experiment->conf;
    plane.conf.life_ms = experiment->duration_ms + LIFE_MARGIN_MS;
    plane.conf.requests = requests_of(experiment, &run->trace);
    if (trial.trace != NULL) {
        plane.conf.think_ms = 1; /* The trace says when. */
    }
    for (uint32_t i = 1; i < PLANE_COSTS_END; i++) {
        if (experiment->costs_us[i] > 0) {
            plane_cost_is((enum plane_cost)i, experiment->costs_us[i]);
        }
    }
    plane.tally = run->tally;
    plane.lie = run->options.lie;
    plane.trial = &trial;
    plane_live(&plane);
    trial_flush(&plane);
    exit(0); /* Not _exit: the leak checker runs here. */
}

static void head(struct trial_run *run, uint64_t seed)
{
    const uint32_t count = run->options.sweeps_count;
    if (run->log != NULL) {
        (void)fprintf(run->log, "# trial: seed %llu", (unsigned long long)seed);
        for (uint32_t i = 0; i < count; i++) {
            (void)fprintf(run->log, ", %s=%s", run->values[i].name, run->values[i].text);
        }
        run->written = fputc('\n', run->log) == '\n' && fflush(run->log) == 0 && run->written;
    }
    if (run->events != NULL) { /* The trial's own process goes on with it. */
        run->written = trial_json_head(seed, run->values, count, run->events) &&
                       fflush(run->events) == 0 && run->written;
    }
}

/* Its process ended where it could not say so itself. */
static void foot(struct trial_run *run, const char *how)
{
    if (run->log != NULL) {
        run->written = fprintf(run->log, "# the trial ends here: %s\n", how) > 0 &&
                       fflush(run->log) == 0 && run->written;
    }
    if (run->events != NULL) {
        run->written = fprintf(run->events, "{\"ended\":\"%s\"}\n", how) > 0 &&
                       fflush(run->events) == 0 && run->written;
    }
}

/* With service times, or a policy, that are not the product's, a cell that does not come together
 * tells nothing of the product. */
static bool stuck(const struct experiment *experiment, const char *what)
{
    bool own = experiment->placement != policy_at(0);
    for (uint32_t i = 1; i < PLANE_COSTS_END; i++) {
        own = own || experiment->costs_us[i] > 0;
    }
    return own && (strncmp(what, "BEGIN ", 6) == 0 || strncmp(what, "CONVERGE ", 9) == 0);
}

static void outcome_of(
    const struct trial_run *run, uint64_t seed, int status, struct trial_outcome *outcome)
{
    const struct plane_tally *tally = run->tally;
    bool ended = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    *outcome = (struct trial_outcome){ .experiment = run->name,
                                       .policy = run->experiment.placement->name,
                                       .seed = seed,
                                       .values = run->values,
                                       .values_count = run->options.sweeps_count,
                                       .clean = ended,
                                       .events = tally->events,
                                       .hash = tally->hash,
                                       .virtual_ms = tally->virtual_ms,
                                       .measures = run->measures };
    char *verdict = outcome->verdict;
    if (ended) {
        (void)snprintf(verdict, sizeof(outcome->verdict), "clean");
    } else if (tally->failed) {
        outcome->stuck = stuck(&run->experiment, tally->what);
        trial_log_names(tally->what, verdict);
    } else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
        outcome->stuck = true;
        (void)snprintf(
            verdict,
            sizeof(outcome->verdict),
            "TIME it took more than %u s of this machine",
            seconds_most(&run->experiment));
    } else {
        (void)snprintf(
            verdict,
            sizeof(outcome->verdict),
            "CRASH %s %d",
            WIFSIGNALED(status) ? "signal" : "exit",
            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    }
}

static void print_row(const struct trial_run *run, const struct trial_outcome *outcome)
{
    const struct trial_measures *measures = outcome->measures;
    (void)printf("seed %llu", (unsigned long long)outcome->seed);
    for (uint32_t i = 0; i < outcome->values_count; i++) {
        (void)printf(" %s=%s", run->values[i].name, run->values[i].text);
    }
    (void)printf(
        ": %s%s; goodput %.1f/s, p99 %.0f ms, unavailable %.0f ms, %llu elections, %llu faults, "
        "trace %016llx\n",
        outcome->stuck ? "stuck: " : "",
        outcome->verdict,
        trial_measure_of(measures, TRIAL_GOODPUT),
        trial_measure_of(measures, TRIAL_P99),
        trial_measure_of(measures, TRIAL_UNAVAILABLE),
        (unsigned long long)measures->elections,
        (unsigned long long)measures->struck,
        (unsigned long long)outcome->hash);
}

static void told(struct trial_run *run, const struct trial_outcome *outcome)
{
    run->trials++;
    run->failed += outcome->clean ? 0 : 1;
    if (run->options.lie != NULL && outcome->clean) {
        run->lie_missed = run->lie_missed || run->tally->lied;
        run->lie_untold = run->lie_untold || !run->tally->lied;
    }
    if (run->options.out != NULL) {
        print_row(run, outcome);
    }
    CHECK(run->points_count < TRIAL_RUNS);
    struct trial_point *point = &run->points[run->points_count++];
    memcpy(point->at, run->at, sizeof(point->at));
    point->y = trial_measure_of(run->measures, run->options.measure);
    run->written = trial_json_write(outcome, run->out) && fflush(run->out) == 0 && run->written;
    if (run->plot != NULL && run->options.sweeps_count == 0) {
        run->written = plot_trial(outcome, run->plot) && run->written;
    }
}

bool trial_one(struct trial_run *run, uint64_t seed)
{
    struct trial_outcome outcome;
    memset(run->tally, 0, sizeof(*run->tally));
    memset(run->measures, 0, sizeof(*run->measures));
    head(run, seed);
    (void)fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        child_main(run, seed);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    run->written = run->written && !run->control->unwritten;
    if (WIFEXITED(status) && WEXITSTATUS(status) == TRIAL_INTERRUPTED) {
        foot(run, "interrupted");
        return false;
    }
    outcome_of(run, seed, status, &outcome);
    if (WIFSIGNALED(status)) {
        foot(run, outcome.verdict);
    }
    told(run, &outcome);
    return true;
}
