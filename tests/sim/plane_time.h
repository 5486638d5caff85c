/* Time in the simulator: clocks, what work costs, machines that are busy or stand still, and the
 * frames that wait for them. */
#ifndef TESTS_SIM_PLANE_TIME_H
#define TESTS_SIM_PLANE_TIME_H

#include "tests/sim/plane.h"

/* ---- plane_time.c ---- */
enum plane_cost {
    PLANE_COST_LETTER = 1, /* A frame of another machine: read, decoded, one step. */
    PLANE_COST_ASK,        /* A request of a client: authority, plan. */
    PLANE_COST_TICK,
    PLANE_COST_APPLY, /* An entry: decoded, applied, mirrored. */
    PLANE_COST_SYNC,  /* Of the log, to a disk that does nothing else. */
    PLANE_COST_AGENT, /* One step of an agent. */
    PLANE_COST_START, /* Of a domain, until the hypervisor says that it runs. */
    PLANE_COST_STOP,
    PLANE_COST_ERASE,
    PLANE_COST_SEGMENT,
    PLANE_COST_LOOK, /* Observe, survey, console. */
    PLANE_COSTS_END
};
uint64_t plane_cost(enum plane_cost cost);                        /* Microseconds. */
void plane_cost_is(enum plane_cost cost, uint64_t us);            /* Another than was measured. */
uint64_t plane_now(const struct plane *plane, uint32_t machine);  /* CLOCK_BOOTTIME, ms. */
uint64_t plane_wall(const struct plane *plane, uint32_t machine); /* 1970 UTC, ms. */
void plane_clock_rate(struct plane *plane, uint32_t machine, uint64_t rate_ppm);
/* How long `ms` of the machine's clock last in the world. */
uint64_t plane_lasts_us(const struct plane *plane, uint32_t machine, uint64_t ms);
/* Its work took so long: it takes no input meanwhile, and what it sends leaves afterwards. */
void plane_spend(struct plane *plane, uint32_t machine, uint64_t us);
/* It stands still, and hears everything later. */
void plane_pause(struct plane *plane, uint32_t machine, uint64_t ms);
/* Its process is new, or gone: nothing of what kept it busy counts any more. */
void plane_wake(struct plane *plane, uint32_t machine);
/* True: the event has to wait for its machine. It was taken over, with its bytes. */
bool plane_wait(struct plane *plane, const struct plane_event *event);
void plane_freed(struct plane *plane, uint32_t machine); /* The next one, when it can. */
/* The next of the inbox; false: none, or the machine is still busy. */
bool plane_next(struct plane *plane, uint32_t machine, struct plane_event *event_out);
/* Encodes and decodes: what does not travel well ends the seed. The frame lives until the next. */
struct slice plane_encode(struct plane *plane, const Wire__Frame *frame);
const Wire__Frame *plane_decode(struct plane *plane, struct slice bytes);

#endif
