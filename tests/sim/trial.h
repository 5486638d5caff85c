/* A trial: one run of an experiment, with one seed and one value of each parameter. It rides on the
 * simulator of the plane: what the file says fails at its time (trial_schedule.c), what it says is
 * asked is asked (trial_workload.c), and what becomes of it is measured (trial_meter.c) and written
 * down (trial_log.c). Without a trial (plane->trial is NULL) none of this does anything. Never
 * judges: the checkers of the plane do, as in every run. */
#ifndef TESTS_SIM_TRIAL_H
#define TESTS_SIM_TRIAL_H

#include "tests/sim/experiment.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

enum {
    TRIAL_SECONDS = EXPERIMENT_SECONDS_MAX + 1,
    TRIAL_STRIKES = 4096, /* Kept for plots; more are only counted. */
    TRIAL_REST_MS = 100,  /* Of a client that finds nothing to ask. */
    TRIAL_OCTAVE = 64,    /* Buckets of latency within each doubling: within 1.6 %. */
    TRIAL_LOG_LINE = 512,
    TRIAL_EVENTS_ROOM = 1 << 17, /* Of the events' buffer; it is emptied when half is full. */
    TRIAL_INTERRUPTED = 11,      /* Exit status of a trial that was to stop. */
    TRIAL_BUCKETS = 40 * TRIAL_OCTAVE,
};

struct trial_strike {
    uint64_t at_ms; /* Since the workload began. */
    uint64_t for_ms;
    char words[EXPERIMENT_WORDS];
};

/* Shared with the process that started the trial: a violation ends the trial's own. */
struct trial_measures {
    uint64_t duration_ms; /* Of the workload, as far as it came. */
    uint64_t commands;    /* Asked by clients, reads included. */
    uint64_t acknowledged;
    uint64_t refused;
    uint64_t elections;
    uint64_t starts;    /* Guests that were started. */
    uint64_t moves;     /* Of these: on another node than the time before. */
    uint64_t busiest;   /* Most guests that one node ran at a time. */
    uint64_t queue_max; /* Longest inbox of any machine. */
    uint64_t struck;
    uint64_t missed;  /* Nobody was there to be struck. */
    uint64_t skipped; /* Of a trace: what could have changed nothing, or is not simulated. */
    uint64_t unavailable_us;
    uint64_t latency_max_us;
    uint64_t latencies[TRIAL_BUCKETS];
    uint32_t goodput[TRIAL_SECONDS]; /* Per second: acknowledged, */
    uint32_t queue[TRIAL_SECONDS];   /* longest inbox, */
    uint32_t started[TRIAL_SECONDS]; /* guests started, */
    uint32_t moved[TRIAL_SECONDS];   /* and moved. */
    uint32_t strikes_count;
    struct trial_strike strikes[TRIAL_STRIKES];
};

/* A request of a recorded history. */
struct trial_ask {
    uint64_t at_us;
    enum plane_act act;
    uint32_t tenant;
    uint32_t object; /* Names of the history. */
    uint32_t on;
    bool flag; /* As plane_request's. */
};

struct trial_trace {
    struct trial_ask *asks; /* Owned; by time. */
    uint32_t count;
    uint32_t names;
    uint32_t accounts;
    uint32_t skipped;
};

/* Shared like the measures, for all trials of a run. */
struct trial_control {
    volatile sig_atomic_t stop; /* Somebody wants it to end: it does, after the event at hand. */
    bool unwritten;             /* What was written was not taken. */
};

struct trial {
    const struct experiment *experiment;
    const struct trial_trace *trace; /* NULL: none. */
    struct trial_measures *measures;
    FILE *log;             /* NULL: nobody reads it. */
    FILE *events;          /* The same. */
    size_t events_waiting; /* Bytes that are not yet written: always whole lines. */
    struct trial_control *control;
    uint64_t begin_us;
    bool under_way;
    uint64_t elections_before;
};

/* ---- What the plane tells its trial. Each does nothing without one. ---- */
void trial_begin(struct plane *plane); /* The workload begins. */
void trial_over(struct plane *plane);
void trial_event(struct plane *plane, const struct plane_event *event);
void trial_asked(struct plane *plane, uint32_t client);
void trial_answered(struct plane *plane, uint32_t client, bool done);
void trial_queued(struct plane *plane, uint32_t length);
void trial_started(struct plane *plane, uint32_t machine, uint64_t instance);
void trial_happens(struct plane *plane, const struct plane_event *event);
void trial_says(struct plane *plane, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));
void trial_flush(struct plane *plane);

/* ---- What the plane asks its trial ---- */
/* True: the seed draws no faults, and no weather. */
bool trial_is_calm(const struct plane *plane);
bool trial_has_weather(const struct plane *plane);
place_policy *trial_placement(const struct plane *plane); /* NULL: the product's. */
/* How long a client rests that found nothing to ask. */
uint64_t trial_rest_ms(const struct plane *plane, uint32_t client);
uint32_t trial_choose(struct plane *plane, uint32_t client); /* As plane_request_choose. */
/* What of a mix comes next; 0: the simulator's usual mix decides. */
enum plane_act trial_act(struct plane *plane);
void trial_recut(
    struct plane *plane); /* The cuts of the file stand again, whatever weather came. */

/* ---- Between its own files ---- */
enum trial_kind { TRIAL_STRIKE = 1, TRIAL_MEND, TRIAL_SECOND };
void trial_schedule_begin(struct plane *plane);
void trial_schedule_event(struct plane *plane, const struct plane_event *event);
/* This fault, on this machine; what has a length ends by itself. */
void trial_lasts(struct plane *plane, uint32_t index, uint32_t machine);
void trial_lasts_until(struct plane *plane, uint32_t index, uint32_t machine); /* It may end. */
void trial_lasts_over(struct plane *plane); /* Whatever lasts ends now. */
void trial_workload_begin(struct plane *plane);
void trial_meter_begin(struct plane *plane);
void trial_meter_second(struct plane *plane);
void trial_meter_over(struct plane *plane);
void trial_meter_strike(struct plane *plane, const struct trial_strike *strike);
uint32_t trial_bucket(uint64_t us);
/* Of a latency histogram: microseconds below which `per_mille` of all are. */
uint64_t trial_percentile(const struct trial_measures *measures, uint64_t per_mille);
void trial_log_legend(FILE *log);
/* m0 is c1, m7 is n1: machines by the names that people know. */
void trial_log_names(const char *from, char to[static TRIAL_LOG_LINE]);
void trial_log_fault(struct plane *plane, const char *words, const char *what);
/* False: why_out says what is not sound. */
bool trial_trace_load(
    const char *path, struct trial_trace *trace_out, char why_out[static EXPERIMENT_WHY]);

#endif
