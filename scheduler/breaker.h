/* How fast what was lost may be started elsewhere. The more is lost, the slower: never faster
 * because more died. INV-RECOVER-1.
 *
 * The breaker's level follows the standing count of members that are not alive, whatever time the
 * loss took. It gets worse at once, and better only after the cell has been calm for a while; then
 * the pace grows step by step. Pure: the level and its times are a row's, so that a new leader goes
 * on where the last one was. Times are log time in milliseconds. */
#ifndef SCHEDULER_BREAKER_H
#define SCHEDULER_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

enum {
    BREAKER_SLOW_PERCENT =
        33, /* More than this lost, and more than one node: a tenth of the pace. */
    BREAKER_CALM_PERCENT = 25,   /* Calm: at most this, */
    BREAKER_CALM_MS = 60 * 1000, /* and for so long. */
    BREAKER_STEP_MS = 30 * 1000, /* Afterwards the pace grows by a tenth of the whole, so often. */
    BREAKER_WHOLE = 10,          /* Paces are tenths. */
};

enum breaker_level {
    BREAKER_CLOSED = 1, /* The whole pace, or on the way to it. */
    BREAKER_SLOW = 2,   /* A tenth. */
    BREAKER_OPEN = 3,   /* Nothing is started elsewhere by itself. */
};

/* As a row has it; all zero is the breaker of a cell that never lost anything. */
struct breaker {
    enum breaker_level level; /* 0: CLOSED, at the whole pace. */
    uint64_t calm_ms;         /* Since when the loss is small enough to get better; 0: it is not. */
    uint64_t closed_ms;       /* When it last closed; 0: never was anything else. */
};

/* What `lost` of `members` mean by themselves. */
enum breaker_level breaker_level_of(uint32_t lost, uint32_t members);
/* The breaker at `now_ms`, which never goes back. */
struct breaker breaker_look(
    struct breaker breaker, uint32_t lost, uint32_t members, uint64_t now_ms);
/* Tenths of the pace: 0 to BREAKER_WHOLE. */
uint32_t breaker_pace(const struct breaker *breaker, uint64_t now_ms);
/* Is it another breaker, worth a command? */
bool breaker_differs(const struct breaker *a, const struct breaker *b);

#endif
