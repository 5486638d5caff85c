/* A rate limit: the generic cell rate algorithm (ITU-T I.371), one number of state per bucket.
 *
 * In any span of t milliseconds at most burst + rate × t units pass, whatever order the calls come
 * in. Time is an argument and should never go back; if it does, less passes, never more. */
#ifndef QUOTA_RATE_H
#define QUOTA_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct rate_limit {
    uint64_t interval_ns; /* Of one unit. */
    uint64_t burst_ns;    /* interval × burst. */
};

struct rate {
    uint64_t due_ns; /* Theoretical arrival time of the next unit; 0: never used. */
};

/* per_second in 1 … 1,000,000; burst in 1 … 1,000,000. An interval that does not divide a second is
 * rounded up: never faster than asked. */
struct rate_limit rate_limit_make(uint32_t per_second, uint32_t burst);

/* Takes `cost` units (0 … burst) at this time, or takes nothing and says in how many milliseconds
 * (rounded up, at least 1) the same call would pass. */
bool rate_take(
    struct rate *rate,
    const struct rate_limit *limit,
    uint64_t now_ms,
    uint32_t cost,
    uint64_t *retry_after_ms_out);

#endif
