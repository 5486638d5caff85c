/* udatsu-sim run FILE: every trial of an experiment: for each value of what is swept, for each
 * seed. Decides the order, where the outcome is written, and the exit status: 0 every trial clean,
 * 1 one was not, 2 something here was not understood, 3 something could not be written, 130
 * interrupted. All that can be refused is refused before the first trial. Never judges a trial. */
#include "base/check.h"
#include "tests/sim/plane_check.h"
#include "tests/sim/sim_number.h"
#include "tests/sim/trial_run.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { CLEAN = 0, FAILED = 1, NOT_UNDERSTOOD = 2, NOT_WRITTEN = 3, INTERRUPTED = 130 };
enum { OUTPUTS = 4, PLOT_LINES = 6 };

/* Words of a file or of a command line may hold what a terminal obeys. */
static void said(const char *what)
{
    char clean[4 * EXPERIMENT_WHY];
    trial_clean(what, clean, sizeof(clean));
    (void)fprintf(stderr, "%s\n", clean);
}

static int usage(const char *what)
{
    static const char *const lines[] = {
        "usage: udatsu-sim run FILE [--sweep NAME=A..B[/STEP]]... [--sweep NAME=WORD,WORD...]...",
        "           [--seeds A..B] [--out FILE.jsonl] [--log FILE] [--events FILE.jsonl]",
        "           [--plot FILE.svg] [--measure WORD] [--lie WORD]",
        "docs/SIMULATOR.md says what they are. WORDs to measure:",
    };
    said(what);
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

/* Where this option's text goes; NULL: it takes none. */
static const char **takes_text(struct trial_options *options, const char *word)
{
    return strcmp(word, "--out") == 0      ? &options->out
           : strcmp(word, "--log") == 0    ? &options->log
           : strcmp(word, "--events") == 0 ? &options->events
           : strcmp(word, "--plot") == 0   ? &options->plot
           : strcmp(word, "--seeds") == 0  ? &options->seeds
           : strcmp(word, "--lie") == 0    ? &options->lie
                                           : NULL;
}

static bool sweep(struct trial_options *options, const char *text, char why[static EXPERIMENT_WHY])
{
    struct trial_sweep sweep;
    if (options->sweeps_count == TRIAL_SWEEPS) {
        (void)snprintf(why, EXPERIMENT_WHY, "--sweep %.80s: four sweeps are the bound.", text);
        return false;
    }
    if (!trial_sweep_parse(text, &sweep, why)) {
        return false;
    }
    for (uint32_t i = 0; i < options->sweeps_count; i++) {
        if (strcmp(options->sweeps[i].name, sweep.name) == 0) {
            (void)snprintf(
                why,
                EXPERIMENT_WHY,
                "--sweep %.80s: %s is swept already. Next: write all its values in one list.",
                text,
                sweep.name);
            return false;
        }
    }
    options->sweeps[options->sweeps_count++] = sweep;
    return true;
}

static bool lie_known(const char *lie, char why[static EXPERIMENT_WHY])
{
    if (lie == NULL || (plane_lie_word(lie) != NULL && strcmp(lie, "unsaid") != 0)) {
        return true;
    }
    size_t used = (size_t)snprintf(
        why,
        EXPERIMENT_WHY,
        plane_lie_word(lie) == NULL ? "--lie %.40s: nobody knows that lie. Known are"
                                    : "--lie %.40s needs udatsu-sim --unrecoverable. Here are",
        lie);
    for (uint32_t i = 0; plane_lie_at(i) != NULL; i++) {
        used += (size_t)snprintf(why + used, EXPERIMENT_WHY - used, " %s", plane_lie_at(i));
        CHECK(used < EXPERIMENT_WHY);
    }
    return false;
}

static bool parse(
    int count, char **words, struct trial_options *options, char why[static EXPERIMENT_WHY])
{
    options->measure = TRIAL_GOODPUT;
    for (int i = 1; i < count; i++) {
        const char *word = words[i];
        const char *next = i + 1 < count ? words[i + 1] : NULL;
        const char **text = takes_text(options, word);
        bool measure = strcmp(word, "--measure") == 0;
        bool takes = text != NULL || measure || strcmp(word, "--sweep") == 0;
        if (word[0] != '-' && options->path == NULL) {
            options->path = word;
            continue;
        }
        if (!takes || next == NULL) {
            const char *what = takes ? "something belongs behind it" : "not understood here";
            (void)snprintf(why, EXPERIMENT_WHY, "%.80s: %s.", word, what);
            return false;
        }
        i++;
        if (text != NULL) {
            *text = next;
        } else if (!measure) {
            if (!sweep(options, next, why)) {
                return false;
            }
        } else {
            options->measure = trial_measure_named(next);
            if (options->measure == TRIAL_MEASURES_END) {
                (void)snprintf(why, EXPERIMENT_WHY, "--measure %.80s: nobody measures that.", next);
                return false;
            }
        }
    }
    if (options->path == NULL) {
        (void)snprintf(why, EXPERIMENT_WHY, "Which experiment?");
        return false;
    }
    return lie_known(options->lie, why);
}

/* ---- What can be refused ---- */

/* The text again, with these values. */
static bool read_again(struct trial_run *run)
{
    struct experiment *experiment = &run->experiment;
    uint32_t count = run->options.sweeps_count;
    for (uint32_t i = 0; i < count; i++) {
        struct experiment_value *value = &run->values[i];
        memset(value, 0, sizeof(*value));
        memcpy(value->name, run->options.sweeps[i].name, sizeof(value->name));
        memcpy(value->text, run->options.sweeps[i].texts[run->at[i]], sizeof(value->text));
    }
    if (!experiment_parse(run->options.path, run->text, run->values, count, experiment, run->why)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!run->values[i].used) {
            (void)snprintf(
                run->why,
                sizeof(run->why),
                "%.200s: no line names $%s, so that sweeping it changes nothing. Next: write $%s "
                "where "
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
            "%.200s: its trace has %u tenants. Next: topology tenants=%u.",
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
static bool next_values(struct trial_run *run)
{
    for (uint32_t i = run->options.sweeps_count; i > 0; i--) {
        if (++run->at[i - 1] < run->options.sweeps[i - 1].count) {
            return true;
        }
        run->at[i - 1] = 0;
    }
    return false;
}

/* What is written goes nowhere where it would destroy what is read. */
static bool apart(struct trial_run *run)
{
    const struct trial_options *options = &run->options;
    const char *outputs[OUTPUTS] = { options->out, options->log, options->events, options->plot };
    const char *inputs[] = { options->path, run->experiment.trace, run->experiment.schedule };
    for (uint32_t i = 0; i < OUTPUTS; i++) {
        struct stat output;
        bool file = outputs[i] != NULL && stat(outputs[i], &output) == 0;
        for (uint32_t k = 0; file && k < COUNT_OF(inputs); k++) {
            struct stat input;
            if (inputs[k][0] != '\0' && stat(inputs[k], &input) == 0 &&
                input.st_dev == output.st_dev && input.st_ino == output.st_ino) {
                (void)snprintf(
                    run->why,
                    sizeof(run->why),
                    "%.200s is read: writing there would destroy it. Next: name another file.",
                    outputs[i]);
                return false;
            }
        }
    }
    return true;
}

static bool refuse(struct trial_run *run, const char *what)
{
    (void)snprintf(run->why, sizeof(run->why), "%s", what);
    return false;
}

/* Everything is read once before anything is run or written. */
static bool sound(struct trial_run *run)
{
    uint64_t trials = 0;
    uint64_t lines = 1;
    do {
        if (!read_again(run) || !apart(run)) {
            return false;
        }
        trials += run->experiment.seed_last - run->experiment.seed_first + 1;
    } while (trials <= TRIAL_RUNS && next_values(run));
    for (uint32_t i = 1; i < run->options.sweeps_count; i++) {
        lines *= run->options.sweeps[i].count;
    }
    if (trials > TRIAL_RUNS) {
        return refuse(run, "4096 trials are the bound. Next: fewer seeds, or fewer values.");
    }
    if (run->options.plot != NULL && lines > PLOT_LINES) {
        return refuse(
            run, "--plot: six lines are what a plot holds. Next: sweep fewer values together.");
    }
    if (run->options.plot != NULL && run->options.sweeps_count == 0 && trials > 1) {
        return refuse(
            run, "--plot: without a sweep it shows one trial. Next: --seeds 1, or --sweep k=….");
    }
    return true;
}

/* ---- All of them ---- */

static bool plotted(const struct trial_run *run)
{
    const struct trial_points points = { .title = run->name,
                                         .y_title = trial_measure_title(run->options.measure),
                                         .sweeps = run->options.sweeps,
                                         .sweeps_count = run->options.sweeps_count,
                                         .points = run->points,
                                         .points_count = run->points_count };
    return run->plot == NULL || points.sweeps_count == 0 || plot_sweep(&points, run->plot);
}

static int all(struct trial_run *run)
{
    do {
        bool again = read_again(run);
        CHECK(again || run->why[0] != '\0');
        if (!again) { /* A file that it names was changed meanwhile. */
            said(run->why);
            return NOT_UNDERSTOOD;
        }
        for (uint64_t seed = run->experiment.seed_first; seed <= run->experiment.seed_last;
             seed++) {
            if (!trial_one(run, seed)) {
                (void)fprintf(
                    stderr,
                    "interrupted: %llu trials were lived to their end\n",
                    (unsigned long long)run->trials);
                return INTERRUPTED;
            }
        }
    } while (next_values(run));
    run->written = plotted(run) && run->written;
    if (run->lie_untold || run->lie_missed) {
        (void)fprintf(
            stderr,
            "--lie %s: %s\n",
            run->options.lie,
            run->lie_untold ? "it was never told in a trial: nothing was there that it could spoil"
                            : "it was told, and no checker noticed");
    }
    return run->lie_untold ? NOT_UNDERSTOOD : run->failed > 0 || run->lie_missed ? FAILED : CLEAN;
}

static void *shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    return memory;
}

static struct trial_control *control;

static void stops(int signal)
{
    CHECK(signal == SIGINT || signal == SIGTERM);
    control->stop = 1;
}

/* NOT_WRITTEN, NOT_UNDERSTOOD (both said), or CLEAN. */
static int open_all(struct trial_run *run)
{
    const struct trial_options *options = &run->options;
    const char *paths[OUTPUTS] = { options->out, options->log, options->events, options->plot };
    FILE **files[OUTPUTS] = { &run->out, &run->log, &run->events, &run->plot };
    struct stat facts[OUTPUTS];
    for (uint32_t i = 0; i < OUTPUTS; i++) {
        bool there = paths[i] != NULL && stat(paths[i], &facts[i]) == 0;
        for (uint32_t k = 0; there && k < i; k++) {
            if (*files[k] != NULL && S_ISREG(facts[i].st_mode) &&
                facts[k].st_dev == facts[i].st_dev && facts[k].st_ino == facts[i].st_ino) {
                (void)refuse(run, "Two outputs have one file. Next: name another for one of them.");
                said(run->why);
                return NOT_UNDERSTOOD;
            }
        }
        *files[i] = paths[i] == NULL ? NULL : fopen(paths[i], "we");
        if (paths[i] != NULL && (*files[i] == NULL || fstat(fileno(*files[i]), &facts[i]) != 0)) {
            (void)snprintf(run->why, sizeof(run->why), "%.200s: %s", paths[i], strerror(errno));
            said(run->why);
            return NOT_WRITTEN;
        }
    }
    return CLEAN;
}

static bool close_all(struct trial_run *run)
{
    FILE *files[OUTPUTS] = { run->out, run->log, run->events, run->plot };
    bool closed = fflush(stdout) == 0 && ferror(stdout) == 0;
    for (uint32_t i = 0; i < OUTPUTS; i++) {
        if (files[i] != NULL && files[i] != stdout) {
            bool kept = ferror(files[i]) == 0;
            closed = fclose(files[i]) == 0 && kept && closed;
        }
    }
    return closed;
}

static int run_all(struct trial_run *run)
{
    static char room[TRIAL_EVENTS_ROOM];
    const struct sigaction stop = { .sa_handler = stops,
                                    .sa_flags = SA_RESTART | (int)SA_RESETHAND };
    run->tally = shared(sizeof(*run->tally));
    run->measures = shared(sizeof(*run->measures));
    run->control = shared(sizeof(*run->control));
    run->points = plane_zeroed(TRIAL_RUNS, sizeof(*run->points));
    run->out = run->out == NULL ? stdout : run->out;
    run->written = true;
    control = run->control;
    (void)sigaction(SIGINT, &stop, NULL); /* A second one ends it at once. */
    (void)sigaction(SIGTERM, &stop, NULL);
    if (run->log != NULL) {
        (void)setvbuf(run->log, NULL, _IOLBF, 0); /* Whatever ends it: whole lines. */
        trial_log_legend(run->log);
    }
    if (run->events != NULL) {
        (void)setvbuf(run->events, room, _IOFBF, sizeof(room));
    }
    int status = all(run);
    free(run->points);
    return status;
}

int trial_main(int count, char **words)
{
    static struct trial_run run;
    if (!parse(count, words, &run.options, run.why)) {
        return usage(run.why);
    }
    trial_clean(run.options.path, run.name, sizeof(run.name));
    run.text = experiment_text(run.options.path, run.why);
    if (run.text == NULL || !sound(&run)) {
        said(run.why);
        free(run.text);
        free(run.trace.asks);
        return NOT_UNDERSTOOD;
    }
    memset(run.at, 0, sizeof(run.at));
    int status = open_all(&run);
    status = status == CLEAN ? run_all(&run) : status;
    bool closed = close_all(&run);
    if (status != NOT_UNDERSTOOD && status != INTERRUPTED && !(run.written && closed)) {
        (void)fprintf(stderr, "something could not be written\n");
        status = NOT_WRITTEN;
    }
    free(run.text);
    free(run.trace.asks);
    return status;
}
