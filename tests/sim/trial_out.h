/* What is left of a trial once it is over, and how it is told: a line of JSON, a plot. */
#ifndef TESTS_SIM_TRIAL_OUT_H
#define TESTS_SIM_TRIAL_OUT_H

#include "tests/sim/trial.h"

enum {
    TRIAL_VERDICT = TRIAL_LOG_LINE,
    TRIAL_SWEEPS = 4,
    TRIAL_SWEEP_VALUES = 64,
    TRIAL_RUNS = 4096
};

struct trial_outcome {
    const char *experiment; /* Its file, as it was named. */
    const char *policy;
    uint64_t seed;
    const struct experiment_value *values;
    uint32_t values_count;
    bool clean;
    bool stuck;                  /* It did not end, and nothing tells whose fault that is. */
    char verdict[TRIAL_VERDICT]; /* "clean", or what a checker said. */
    uint64_t events;
    uint64_t hash;
    uint64_t virtual_ms;
    const struct trial_measures *measures;
};

/* One number of a trial, that can be plotted over a parameter. */
enum trial_measure {
    TRIAL_GOODPUT = 1,
    TRIAL_P50,
    TRIAL_P99,
    TRIAL_MAX,
    TRIAL_UNAVAILABLE,
    TRIAL_ELECTIONS,
    TRIAL_QUEUE,
    TRIAL_STARTS,
    TRIAL_MOVES,
    TRIAL_BUSIEST,
    TRIAL_REFUSED,
    TRIAL_MEASURES_END
};
const char *trial_measure_name(enum trial_measure measure);  /* "p99" */
const char *trial_measure_title(enum trial_measure measure); /* "latency, 99th percentile (ms)" */
enum trial_measure trial_measure_named(const char *name);    /* TRIAL_MEASURES_END: nobody. */
double trial_measure_of(const struct trial_measures *measures, enum trial_measure measure);

/* ---- trial_json.c ---- */
/* What a trial's events begin with. */
bool trial_json_head(
    uint64_t seed, const struct experiment_value *values, uint32_t count, FILE *file);
/* As text that a terminal, JSON and XML may see: what is not is written \\xNN. */
void trial_clean(const char *from, char *to, size_t size);
bool trial_json_write(const struct trial_outcome *outcome, FILE *file);
/* "2s" is 2 of the unit "s"; false: it is no number. */
bool trial_number(const char *text, double *number_out, const char **unit_out);

/* ---- trial_sweep.c ---- */
struct trial_sweep {
    char name[16];
    uint32_t count;
    char texts[TRIAL_SWEEP_VALUES][24];
};
/* k=2s..30s/4s, k=1..5, placement=best-fit,worst-fit. False: why_out says what is not one. */
bool trial_sweep_parse(
    const char *text, struct trial_sweep *sweep_out, char why_out[static EXPERIMENT_WHY]);

/* ---- Plots ---- */
struct trial_point {
    uint32_t at[TRIAL_SWEEPS]; /* Which value of each sweep. */
    double y;
};
struct trial_points {
    const char *title;
    const char *y_title;
    const struct trial_sweep *sweeps; /* The first is x; each combination of the others, a line. */
    uint32_t sweeps_count;
    const struct trial_point *points;
    uint32_t points_count;
};
bool plot_trial(const struct trial_outcome *outcome, FILE *file);
bool plot_sweep(const struct trial_points *points, FILE *file);

/* ---- trial_main.c ---- */
int trial_main(int count, char **words); /* udatsu-sim run … */

#endif
