/* One ask of one request at one controller. Number 0 is none. */
#ifndef TESTS_SIM_PLANE_ATTEMPT_H
#define TESTS_SIM_PLANE_ATTEMPT_H

#include "tests/sim/plane_people.h"

struct plane_attempt {
    uint32_t request;
    uint32_t machine;
    uint32_t life;
    bool answered;
    bool given_up;
    bool forwarded;
    bool heard; /* By the controller: before, it lay in the queue of a machine that was busy. */
    uint64_t since_ms;
    uint64_t heard_ms; /* By the clock of its machine, which may go slower, or stand. */
    uint64_t stood_us; /* What its machine had stood still by then. */
    uint32_t event;    /* Of the history. */
    uint64_t index;    /* The newest that was acknowledged to anybody before. */
};

extern struct plane_attempt *plane_attempts;

void plane_attempts_begin(struct plane *plane);
void plane_attempts_end(void);
bool plane_attempts_left(uint32_t count); /* So many more may be begun. */
/* Asks; newest_index: the newest that was acknowledged to anybody. Returns its number. */
uint32_t plane_attempt_ask(
    struct plane *plane, uint32_t request, uint32_t machine, uint64_t newest_index);

/* That controller takes the ask from its queue; a controller hands it to its leader; it answers. */
void plane_attempt_heard(struct plane *plane, uint32_t machine, uint64_t handle);
void plane_attempt_forwarded(const Wire__Request *request);
void plane_attempt_answer(
    struct plane *plane, uint32_t machine, uint64_t handle, const Wire__Answer *answer);

/* The next after this one (0: the first) that its client must give up: that machine's api went
 * away; or nobody answered in time. 0: none. */
uint32_t plane_attempt_lost(struct plane *plane, uint32_t machine, uint32_t after);
uint32_t plane_attempt_overdue(struct plane *plane, uint32_t after);

#endif
