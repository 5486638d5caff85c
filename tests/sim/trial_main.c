/* udatsu-sim run FILE: every trial of an experiment, each in a process of its own: for each value
 * of what is swept, for each seed. Decides the order, where the outcome is written, and the exit
 * status: 0 every trial clean, 1 a checker refused one, 2 something here was not understood, 3
 * something could not be written. Never judges a trial. */
#include "base/check.h"
#include "tests/sim/plane_check.h"
#include "tests/sim/sim_number.h"
#include "tests/sim/trial_out.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CLEAN = 0, VIOLATION = 1, NOT_UNDERSTOOD = 2, NOT_WRITTEN = 3 };
enum { SECONDS_MAX = 600, LIFE_MARGIN_MS = 30000, REQUESTS_MARGIN = 16384 };

struct options {
    const char *path;
    const char *out;
    const char *log;
    const char *events;
    const char *plot;
    const char *seeds;
    const char *lie; /* Spoils what a checker looks at, to see it refuse. */
    enum trial_measure measure;
    uint32_t sweeps_count;
    struct trial_sweep sweeps[TRIAL_SWEEPS];
};

struct run {
    struct options options;
    struct experiment experiment;
    struct trial_trace trace;
    char trace_path[EXPERIMENT_PATH]; /* Of what was loaded. */
    struct experiment_value values[EXPERIMENT_VALUES];
    uint32_t at[TRIAL_SWEEPS]; /* Which value of each sweep it is. */
    FILE *out;
    FILE *log;
    FILE *events;
    struct plane_tally *tally;       /* Shared with the trial's process. */
    struct trial_measures *measures; /* The same. */
    struct trial_point *points;      /* Owned. */
    uint32_t points_count;
    uint64_t trials;
    uint64_t violations;
    char why[EXPERIMENT_WHY];
};

static int usage(const char *what)
{
    static const char *const lines[] = {
        "usage: udatsu-sim run FILE [--sweep NAME=A..B[/STEP]]... [--sweep NAME=WORD,WORD...]...",
        "           [--seeds A..B] [--out FILE.jsonl] [--log FILE] [--events FILE.jsonl]",
        "           [--plot FILE.svg] [--measure WORD] [--lie WORD]",
        "docs/SIMULATOR.md says what they are. WORDs to measure:",
    };
    (void)fprintf(stderr, "%s\n", what);
    for (uint32_t i = 0; i < COUNT_OF(lines); i++) {
        (void)fprintf(stderr, "%s\n", lines[i]);
    }
    for (int i = 1; i < TRIAL_MEASURES_END; i++) {
        enum trial_measure measure = (enum trial_measure)i;
        (void)fprintf(
            stderr, "    %-12s %s\n", trial_measure_name(measure), trial_measure_title(measure));
    }
    return NOT_UNDERSTOOD;
}

static bool parse(int count, char **words, struct options *options, char why[static EXPERIMENT_WHY])
{
    options->measure = TRIAL_GOODPUT;
    for (int i = 1; i < count; i++) {
        const char *word = words[i];
        const char *next = i + 1 < count ? words[i + 1] : NULL;
        const char **text = strcmp(word, "--out") == 0      ? &options->out
                            : strcmp(word, "--log") == 0    ? &options->log
                            : strcmp(word, "--events") == 0 ? &options->events
                            : strcmp(word, "--plot") == 0   ? &options->plot
                            : strcmp(word, "--seeds") == 0  ? &options->seeds
                            : strcmp(word, "--lie") == 0    ? &options->lie
                                                            : NULL;
        (void)snprintf(why, EXPERIMENT_WHY, "%.80s: not understood here.", word);
        if (word[0] != '-' && options->path == NULL) {
            options->path = word;
            continue;
        }
        if (next == NULL) {
            return false;
        }
        i++;
        if (text != NULL) {
            *text = next;
        } else if (strcmp(word, "--measure") == 0) {
            options->measure = trial_measure_named(next);
            if (options->measure == TRIAL_MEASURES_END) {
                (void)snprintf(why, EXPERIMENT_WHY, "--measure %.80s: nobody measures that.", next);
                return false;
            }
        } else if (strcmp(word, "--sweep") == 0 && options->sweeps_count < TRIAL_SWEEPS) {
            if (!trial_sweep_parse(next, &options->sweeps[options->sweeps_count++], why)) {
                return false;
            }
        } else {
            return false;
        }
    }
    bool lies = options->lie == NULL || plane_lie_word(options->lie) != NULL;
    (void)snprintf(why, EXPERIMENT_WHY, lies ? "Which experiment?" : "Nobody knows that lie.");
    return options->path != NULL && lies;
}

/* ---- One trial ---- */

static _Noreturn void child_main(const struct run *run, uint64_t seed)
{
    static struct plane plane;
    static struct trial trial;
    const struct experiment *experiment = &run->experiment;
    (void)mallopt(M_MMAP_THRESHOLD, 256 * 1024);
    (void)alarm(SECONDS_MAX + 2 * experiment->conf.nodes);
    trial = (struct trial){ .experiment = experiment,
                            .trace = run->trace.count > 0 ? &run->trace : NULL,
                            .measures = run->measures,
                            .log = run->log,
                            .events = run->events };
    plane.seed = seed;
    plane.conf = experiment->conf;
    plane.conf.life_ms = experiment->duration_ms + LIFE_MARGIN_MS;
    if (trial.trace != NULL) {
        plane.conf.think_ms = 1; /* The trace says when. */
        plane.conf.requests = run->trace.count + REQUESTS_MARGIN;
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

static void begins(const struct run *run, uint64_t seed)
{
    FILE *both[2] = { run->log, run->events };
    for (uint32_t i = 0; i < 2; i++) {
        if (both[i] == NULL) {
            continue;
        }
        (void)fprintf(
            both[i], i == 0 ? "# trial: seed %llu" : "{\"seed\":%llu", (unsigned long long)seed);
        for (uint32_t k = 0; k < run->options.sweeps_count; k++) {
            const struct experiment_value *value = &run->values[k];
            (void)fprintf(both[i], i == 0 ? ", %s=%s" : ",\"%s\":\"%s\"", value->name, value->text);
        }
        (void)fputs(i == 0 ? "\n" : "}\n", both[i]);
        (void)fflush(both[i]); /* The trial's own process goes on with it. */
    }
}

static void outcome_of(
    const struct run *run, uint64_t seed, int status, struct trial_outcome *outcome)
{
    const struct plane_tally *tally = run->tally;
    bool ended = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    *outcome = (struct trial_outcome){ .experiment = run->options.path,
                                       .policy = run->experiment.placement->name,
                                       .seed = seed,
                                       .values = run->values,
                                       .values_count = run->options.sweeps_count,
                                       .clean = ended,
                                       .events = tally->events,
                                       .hash = tally->hash,
                                       .virtual_ms = tally->virtual_ms,
                                       .measures = run->measures };
    if (!ended && tally->failed) {
        (void)snprintf(outcome->verdict, sizeof(outcome->verdict), "%s", tally->what);
    } else if (!ended) {
        (void)snprintf(
            outcome->verdict,
            sizeof(outcome->verdict),
            "CRASH %s %d",
            WIFSIGNALED(status) ? "signal" : "exit",
            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    } else {
        (void)snprintf(outcome->verdict, sizeof(outcome->verdict), "clean");
    }
}

static void print_row(const struct run *run, const struct trial_outcome *outcome)
{
    const struct trial_measures *measures = outcome->measures;
    (void)printf("seed %llu", (unsigned long long)outcome->seed);
    for (uint32_t i = 0; i < outcome->values_count; i++) {
        (void)printf(" %s=%s", run->values[i].name, run->values[i].text);
    }
    (void)printf(
        ": %s; goodput %.1f/s, p99 %.0f ms, unavailable %.0f ms, %llu elections, %llu faults, "
        "trace %016llx\n",
        outcome->verdict,
        trial_measure_of(measures, TRIAL_GOODPUT),
        trial_measure_of(measures, TRIAL_P99),
        trial_measure_of(measures, TRIAL_UNAVAILABLE),
        (unsigned long long)measures->elections,
        (unsigned long long)measures->struck,
        (unsigned long long)outcome->hash);
}

static FILE *plot_file(const struct run *run)
{
    FILE *file = fopen(run->options.plot, "we");
    if (file == NULL) {
        (void)fprintf(stderr, "%s: %s\n", run->options.plot, strerror(errno));
    }
    return file;
}

/* False: it could not be written. */
static bool trial(struct run *run, uint64_t seed)
{
    struct trial_outcome outcome;
    memset(run->tally, 0, sizeof(*run->tally));
    memset(run->measures, 0, sizeof(*run->measures));
    begins(run, seed);
    (void)fflush(stdout);
    pid_t child = fork(); /* Product code may well crash. */
    CHECK(child >= 0);
    if (child == 0) {
        child_main(run, seed);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    outcome_of(run, seed, status, &outcome);
    run->trials++;
    run->violations += outcome.clean ? 0 : 1;
    if (run->options.out != NULL) {
        print_row(run, &outcome);
    }
    if (run->points_count < TRIAL_RUNS) {
        struct trial_point *point = &run->points[run->points_count++];
        memcpy(point->at, run->at, sizeof(point->at));
        point->y = trial_measure_of(run->measures, run->options.measure);
    }
    bool written = trial_json_write(&outcome, run->out) && fflush(run->out) == 0;
    if (run->options.plot != NULL && run->options.sweeps_count == 0 && run->trials == 1) {
        FILE *file = plot_file(run);
        written = file != NULL && plot_trial(&outcome, file) && written;
        written = (file == NULL || fclose(file) == 0) && written;
    }
    return written;
}

/* ---- All of them ---- */

static int refused(const struct run *run)
{
    (void)fprintf(stderr, "%s\n", run->why);
    return NOT_UNDERSTOOD;
}

/* The file again, with these values. */
static bool read_again(struct run *run)
{
    struct experiment *experiment = &run->experiment;
    uint32_t count = run->options.sweeps_count;
    for (uint32_t i = 0; i < count; i++) {
        struct experiment_value *value = &run->values[i];
        memset(value, 0, sizeof(*value));
        memcpy(value->name, run->options.sweeps[i].name, sizeof(value->name));
        memcpy(value->text, run->options.sweeps[i].texts[run->at[i]], sizeof(value->text));
    }
    if (!experiment_read(run->options.path, run->values, count, experiment, run->why)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!run->values[i].used) {
            (void)snprintf(
                run->why,
                sizeof(run->why),
                "%s: no line names $%s, so that sweeping it changes nothing. Next: write $%s where "
                "it belongs.",
                run->options.path,
                run->values[i].name,
                run->values[i].name);
            return false;
        }
    }
    if (strcmp(run->trace_path, experiment->trace) != 0) {
        free(run->trace.asks);
        run->trace = (struct trial_trace){ .count = 0 };
        if (!trial_trace_load(experiment->trace, &run->trace, run->why)) {
            return false;
        }
        memcpy(run->trace_path, experiment->trace, sizeof(run->trace_path));
    }
    if (run->trace.accounts > experiment->conf.tenants) {
        (void)snprintf(
            run->why,
            sizeof(run->why),
            "%s: its trace has %u tenants. Next: topology tenants=%u.",
            run->options.path,
            run->trace.accounts,
            run->trace.accounts);
        return false;
    }
    if (experiment->duration_ms == 0) {
        uint64_t last_ms = run->trace.asks[run->trace.count - 1].at_us / 1000;
        uint64_t most_ms = (uint64_t)EXPERIMENT_SECONDS_MAX * 1000;
        experiment->duration_ms = last_ms + 2000 < most_ms ? last_ms + 2000 : most_ms;
    }
    char low[24];
    char high[24];
    bool seeds =
        run->options.seeds == NULL || (experiment_range(run->options.seeds, low, high) &&
                                       sim_number(low, 1000000000, &experiment->seed_first) &&
                                       sim_number(high, 1000000000, &experiment->seed_last) &&
                                       experiment->seed_first <= experiment->seed_last);
    if (!seeds) {
        (void)snprintf(run->why, sizeof(run->why), "--seeds: not A..B. Next: --seeds 1..5.");
    }
    return seeds;
}

/* The next combination of values; false: that was the last. */
static bool next_values(struct run *run)
{
    for (uint32_t i = run->options.sweeps_count; i > 0; i--) {
        if (++run->at[i - 1] < run->options.sweeps[i - 1].count) {
            return true;
        }
        run->at[i - 1] = 0;
    }
    return false;
}

static int all(struct run *run)
{
    bool written = true;
    do {
        if (!read_again(run)) {
            return refused(run);
        }
        for (uint64_t seed = run->experiment.seed_first; seed <= run->experiment.seed_last;
             seed++) {
            if (run->trials == TRIAL_RUNS) {
                (void)fprintf(stderr, "4096 trials are the bound: the rest was not run.\n");
                return NOT_UNDERSTOOD;
            }
            written = trial(run, seed) && written;
        }
    } while (next_values(run));
    if (run->options.plot != NULL && run->options.sweeps_count > 0) {
        const struct trial_points points = { .title = run->options.path,
                                             .y_title = trial_measure_title(run->options.measure),
                                             .sweeps = run->options.sweeps,
                                             .sweeps_count = run->options.sweeps_count,
                                             .points = run->points,
                                             .points_count = run->points_count };
        FILE *file = plot_file(run);
        bool drawn = file != NULL && plot_sweep(&points, file);
        if (file != NULL && !drawn) {
            (void)fprintf(stderr, "%s: six lines are what a plot holds.\n", run->options.plot);
        }
        written = drawn && written;
        written = (file == NULL || fclose(file) == 0) && written;
    }
    if (!written) {
        (void)fprintf(stderr, "something could not be written\n");
        return NOT_WRITTEN;
    }
    return run->violations == 0 ? CLEAN : VIOLATION;
}

static void *shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    return memory;
}

/* NULL: nobody asked for it, or (said) it cannot be written. */
static FILE *opened(const char *path, bool *sound)
{
    FILE *file = path == NULL ? NULL : fopen(path, "we");
    if (path != NULL && file == NULL) {
        (void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
        *sound = false;
    }
    return file;
}

int trial_main(int count, char **words)
{
    static struct run run;
    bool sound = true;
    if (!parse(count, words, &run.options, run.why)) {
        return usage(run.why);
    }
    if (!read_again(&run)) {
        return refused(&run);
    }
    run.tally = shared(sizeof(*run.tally));
    run.measures = shared(sizeof(*run.measures));
    run.points = plane_zeroed(TRIAL_RUNS, sizeof(*run.points));
    run.out = run.options.out == NULL ? stdout : opened(run.options.out, &sound);
    run.log = opened(run.options.log, &sound);
    run.events = opened(run.options.events, &sound);
    if (run.log != NULL) {
        trial_log_legend(run.log);
    }
    int status = sound ? all(&run) : NOT_WRITTEN;
    FILE *files[] = { run.out == stdout ? NULL : run.out, run.log, run.events };
    for (uint32_t i = 0; i < COUNT_OF(files); i++) {
        if (files[i] != NULL && fclose(files[i]) != 0 && status == CLEAN) {
            status = NOT_WRITTEN;
        }
    }
    free(run.points);
    free(run.trace.asks);
    return status;
}
