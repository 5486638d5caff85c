/* Mixes of faults for the simulator of consensus: what strikes, how often, and how much is asked.
 * "all" is a little of everything; each other mix dwells on what one kind of harm needs. */
#ifndef TESTS_SIM_SIM_MIX_H
#define TESTS_SIM_SIM_MIX_H

#include <stdint.h>

struct sim_mix {
    const char *name;
    uint32_t voters;            /* To begin with; 0: three or five. */
    uint32_t snapshot_every;    /* Entries. */
    uint32_t snapshot_keep;     /* Entries behind a snapshot. */
    uint64_t load_ms;           /* Mean time between entries; 0: drawn for each seed. */
    uint64_t churn_ms;          /* Mean time between crashes; 0: drawn for each seed. */
    uint64_t restart_ms;        /* At most, after a crash. */
    uint64_t crash_leader;      /* Per ten thousand crashes. */
    uint64_t crash_after_entry; /* Per ten thousand entries: their leader dies in a few ms. */
    uint64_t operate_ms;        /* Mean time between an operator's deeds, halved; 0: none. */
    uint64_t transfers;         /* Of ten deeds; */
    uint64_t additions;         /* of ten; the rest are removals. */
    uint32_t members_kept;      /* No removal while there are not more. */
    uint64_t weather_ms;        /* Mean time between changes of the network, halved. */
    uint64_t straggle;          /* Stragglers at most, per ten thousand messages. */
    const char *what;
};

/* NULL: there is no mix of this name. */
const struct sim_mix *sim_mix_named(const char *name);
/* The first is "all"; NULL: there are not as many. */
const struct sim_mix *sim_mix_at(uint32_t at);

#endif
