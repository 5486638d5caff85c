/* A run of an experiment: what was asked for on the command line, and what its trials share.
 * Decides nothing. */
#ifndef TESTS_SIM_TRIAL_RUN_H
#define TESTS_SIM_TRIAL_RUN_H

#include "tests/sim/trial_out.h"

struct trial_options {
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

struct trial_run {
    struct trial_options options;
    char name[4 * EXPERIMENT_PATH]; /* The path, as clean text. */
    char *text;                     /* Owned; the file, read once. */
    struct experiment experiment;
    struct trial_trace trace;
    char trace_path[EXPERIMENT_PATH]; /* Of what was loaded. */
    struct experiment_value values[EXPERIMENT_VALUES];
    uint32_t at[TRIAL_SWEEPS]; /* Which value of each sweep it is. */
    FILE *out;
    FILE *log;
    FILE *events;
    FILE *plot;
    struct plane_tally *tally;       /* Shared with the trial's process. */
    struct trial_measures *measures; /* The same. */
    struct trial_control *control;   /* The same. */
    struct trial_point *points;      /* Owned. */
    uint32_t points_count;
    uint64_t trials;
    uint64_t failed;
    bool lie_missed; /* A trial was clean although it was lied to, */
    bool lie_untold; /* or nothing was there that could be spoilt. */
    bool written;    /* All of it, so far. */
    char why[EXPERIMENT_WHY];
};

/* ---- trial_one.c ---- */
/* Lives one trial in a process of its own, and tells its outcome; false: it was interrupted. */
bool trial_one(struct trial_run *run, uint64_t seed);

#endif
