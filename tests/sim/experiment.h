/* An experiment as a file says it: how large the cell is, what is asked of it, what fails and when,
 * which policy places. Decides which lines are one, and refuses what it does not know; what the
 * words mean is in docs/SIMULATOR.md, what they do is in plane_schedule.c and plane_workload.c.
 * Never runs anything. */
#ifndef TESTS_SIM_EXPERIMENT_H
#define TESTS_SIM_EXPERIMENT_H

#include "tests/sim/plane_people.h"
#include "tests/sim/plane_time.h"
#include "tests/sim/policy.h"

enum {
    EXPERIMENT_FAULTS = 4096, /* Lines, those of a recorded schedule included. */
    EXPERIMENT_PATH = 256,
    EXPERIMENT_WORDS = 64,  /* Bytes of a fault's own words, with terminator. */
    EXPERIMENT_LINE = 1024, /* Bytes of a line, after parameters were put in. */
    EXPERIMENT_WHY = 512,
    EXPERIMENT_VALUES = 8, /* Parameters. */
    EXPERIMENT_SECONDS_MAX = 3600,
    EXPERIMENT_ACTS = PLANE_ACT_ODD, /* Kinds of request that a mix can name. */
};
#define EXPERIMENT_UNTIL_THE_END UINT64_MAX

enum experiment_act {
    EXPERIMENT_KILL = 1, /* kill -9 of a controller's engine, or of the whole machine's programs. */
    EXPERIMENT_KILL_API,
    EXPERIMENT_KILL_AGENT,
    EXPERIMENT_KILL_HOST,
    EXPERIMENT_KILL_LIBVIRT,
    EXPERIMENT_KILL_GUEST,
    EXPERIMENT_POWER, /* With what was written and not synced; of a node: with its guests. */
    EXPERIMENT_STOP,  /* SIGSTOP, SIGCONT. */
    EXPERIMENT_CUT,   /* `machine` from all others, or only what it sends to `other`. */
    EXPERIMENT_FULL,
    EXPERIMENT_SLOW_DISK, /* amount: microseconds of a sync. */
    EXPERIMENT_SLOW,      /* amount: times. */
    EXPERIMENT_DRIFT,     /* amount: parts per million. */
    EXPERIMENT_JUMP,      /* amount: milliseconds of wall time. */
    EXPERIMENT_FREEZE,    /* Its clock stands. */
    EXPERIMENT_ACTS_END
};

enum experiment_who {
    EXPERIMENT_MACHINE = 1, /* The one that is named. */
    EXPERIMENT_LEADER,      /* Whoever leads when it strikes. */
    EXPERIMENT_FOLLOWER,    /* A controller that does not; the seed chooses. */
    EXPERIMENT_CONTROLLER,  /* Any; the seed chooses. */
    EXPERIMENT_NODE,
    EXPERIMENT_CONTROLLERS, /* Each. */
    EXPERIMENT_NODES,
};

struct experiment_target {
    enum experiment_who who;
    uint32_t machine;
};

struct experiment_fault {
    enum experiment_act act;
    struct experiment_target target;
    uint32_t other;    /* CUT one way; PLANE_NONE: from everybody. */
    uint64_t at_ms;    /* Since the workload began. */
    uint64_t every_ms; /* 0: once. */
    uint64_t for_ms;   /* EXPERIMENT_UNTIL_THE_END: nobody said. */
    int64_t amount;
    uint32_t line;                /* Where it is said; */
    bool recorded;                /* of the file of a schedule. */
    char words[EXPERIMENT_WORDS]; /* "kill leader" */
};

/* A parameter: $name in a line is its text. */
struct experiment_value {
    char name[16];
    char text[24];
    bool used;
};

struct experiment {
    struct plane_conf conf; /* Of what the file says; the rest has the simulator's usual sizes. */
    uint64_t duration_ms;   /* 0: as long as the trace. */
    uint64_t seed_first;
    uint64_t seed_last;
    bool swarm;
    bool has_weather;
    struct plane_weather weather;
    uint32_t mix[EXPERIMENT_ACTS];      /* By enum plane_act. */
    uint32_t mix_sum;                   /* 0: the simulator's usual mix. */
    uint64_t costs_us[PLANE_COSTS_END]; /* 0: as measured. */
    const struct policy *placement;
    char trace[EXPERIMENT_PATH]; /* ""; a history whose requests are asked again. */
    uint32_t trace_line;
    char schedule[EXPERIMENT_PATH]; /* ""; the file that `faults` names. */
    uint32_t faults_count;
    struct experiment_fault faults[EXPERIMENT_FAULTS];
};

/* A file as text, owned by the caller. NULL: why says file, why and what next. */
char *experiment_text(const char *path, char why_out[static EXPERIMENT_WHY]);
/* Such text, with parameters: values of the caller first, then those that the file sets; `path` is
 * what refusals call it, and where other files are looked for. False: why says file, line, what,
 * why and what next. Says in values[].used which of them a line names. */
bool experiment_parse(
    const char *path,
    const char *text,
    struct experiment_value *values,
    uint32_t count,
    struct experiment *experiment_out,
    char why_out[static EXPERIMENT_WHY]);

/* c1, n3: as people call it. Lives until the fourth next call. */
const char *experiment_machine(uint32_t machine);

/* ---- For its own files: experiment.c, experiment_lines.c, experiment_fault.c, experiment_words.c
 * ---- */

enum { EXPERIMENT_LINE_WORDS = 24 };

struct experiment_line {
    const char *path;
    uint32_t number;
    uint32_t count;
    const char *words[EXPERIMENT_LINE_WORDS];
    char *why; /* EXPERIMENT_WHY bytes. */
};

/* False, always: what is not accepted, why, what to do. */
bool experiment_refuse(
    const struct experiment_line *line, const char *what, const char *why, const char *next);
bool experiment_refuse_word(
    const struct experiment_line *line, const char *word, const char *why, const char *next);
/* Recorded files are regular ones: a pipe may never end. */
bool experiment_regular(const char *path, char why_out[static EXPERIMENT_WHY]);
/* The path that a line's second word names: beside the experiment's own file, unless it says where.
 */
bool experiment_beside(const struct experiment_line *line, char room[static EXPERIMENT_PATH]);

/* What a line may begin with; NULL: there are no more. */
struct experiment_kind {
    const char *word;
    bool (*read)(struct experiment *experiment, const struct experiment_line *line);
    bool once;
};
const struct experiment_kind *experiment_kind_at(uint32_t index);

/* "at=10s", "at" → "10s"; NULL: it is another word. */
const char *experiment_key(const char *word, const char *key);
/* 250us, 1.5ms, 30s, 2min, 1h. */
bool experiment_duration(const char *text, uint64_t *us_out);
/* 0.5%, +3%, -200ppm, in parts per million. */
bool experiment_share(const char *text, int64_t *ppm_out);
/* A..B, or A for both; `split` makes the two texts. */
bool experiment_range(const char *text, char low[static 24], char high[static 24]);
bool experiment_fault(const struct experiment_line *line, struct experiment_fault *fault_out);

#endif
