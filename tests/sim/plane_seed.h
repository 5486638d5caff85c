/* One seed in a process of its own, for those who run many: plane_main, plane_shrink. */
#ifndef TESTS_SIM_PLANE_SEED_H
#define TESTS_SIM_PLANE_SEED_H

#include "tests/sim/plane.h"

#include <stdio.h>

/* What one process is to live. */
struct plane_life {
    uint64_t seed;
    uint64_t until; /* Stop at this event; 0: never. */
    bool verbose;
    bool unrecoverable;            /* Without a budget of faults. */
    const char *lie;               /* NULL: none. */
    struct plane_conf conf;        /* What is 0 the seed draws. */
    const struct plane_kept *kept; /* What of its trouble happens; NULL: all. */
};

/* False: tally->what says what is wrong. Product code may well crash. */
bool plane_seed_run(const struct plane_life *life, struct plane_tally *tally);
/* A tally that children can write to. */
struct plane_tally *plane_tally_new(void);

/* ---- plane_table.c ---- */
const char *plane_fault_name(enum plane_fault fault);
/* How many rows that must come up did not. */
uint64_t plane_table_print(const struct plane_tally *tally, bool unrecoverable);
/* What cells were lived in; how many kinds that must be among them were not. `drawn`: each seed
 * chose its own number of controllers. */
uint64_t plane_lived_print(const struct plane_lived *lived, bool drawn);

/* ---- plane_shrink.c ---- */
/* Finds the least of what this seed does that still fails alike, prints it and writes it to
 * `path`. False: the seed does not fail. */
bool plane_shrink(const struct plane_life *life, const char *path);
/* ---- plane_case.c ---- */
void plane_case_write(
    const struct plane_life *life, const struct plane_kept *kept, const char *what, FILE *file);
/* Reads such a file; the kept events are the caller's, in `kept`. False: it says why. */
bool plane_case_read(const char *path, struct plane_life *life, struct plane_kept *kept);

#endif
