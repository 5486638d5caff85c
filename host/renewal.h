/* When a machine's certificate is renewed: a clock and four steps, for engine's and agent's shells.
 *
 * keys tells the certificate's times (PAPERS) → at two thirds of its life, earlier by a jitter of
 * the machine's own: RENEW_ASK → a request → to the cell → a certificate → RENEW_ASK with it →
 * PAPERS again. Whatever stays unanswered is begun anew, later each time. */
#ifndef HOST_RENEWAL_H
#define HOST_RENEWAL_H

#include "base/slice.h"

#include <frame.pb-c.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    RENEWAL_RETRY_MIN_MS = 15000, /* Above the ten seconds that the cell holds between two. */
    RENEWAL_RETRY_MAX_MS = 240000,
};

enum renewal_step {
    RENEWAL_IDLE = 1,
    RENEWAL_REQUEST, /* keys makes a key. */
    RENEWAL_CELL,    /* The cell has the request. */
    RENEWAL_ADOPT,   /* keys has the certificate. */
};

struct renewal {
    uint64_t seed; /* Spreads the machines of a cell over time: its id will do. */
    uint64_t from_seconds;
    uint64_t until_seconds; /* 0: keys has not said. */
    enum renewal_step step;
    uint64_t next_ms; /* CLOCK_BOOTTIME: no try before. */
    uint32_t tries;   /* For this certificate. */
    uint64_t handle;  /* Of the try under way: an older answer is nobody's. */
};

void renewal_init(struct renewal *renewal, uint64_t seed);
void renewal_papers(struct renewal *renewal, const Wire__Papers *papers);
/* When it is due, in seconds since 1970. */
uint64_t renewal_due_seconds(const struct renewal *renewal);
/* Less than half of the time after that is left, or none: whoever can, asks no more but acts. */
bool renewal_late(const struct renewal *renewal, uint64_t wall_seconds);

/* Each says whether the caller now sends what stands behind it. */
/* RENEW_ASK without a certificate. */
bool renewal_clock(
    struct renewal *renewal, uint64_t now_ms, uint64_t wall_seconds, Wire__RenewAsk *ask_out);
/* The request in `told`, to the cell, with renewal->handle. */
bool renewal_told(struct renewal *renewal, const Wire__RenewTold *told);
/* RENEW_ASK with the certificate. */
bool renewal_certificate(
    struct renewal *renewal, uint64_t handle, struct slice certificate, Wire__RenewAsk *ask_out);

#endif
