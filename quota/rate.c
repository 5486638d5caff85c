/* Decides whether one more unit passes now. Never reads a clock, never sleeps, never queues. */
#include "quota/rate.h"

#include "base/check.h"

#define NS_PER_SECOND UINT64_C(1000000000)
#define NS_PER_MS     UINT64_C(1000000)
enum { RATE_MAX = 1000000 };

struct rate_limit rate_limit_make(uint32_t per_second, uint32_t burst)
{
    CHECK(per_second >= 1 && per_second <= RATE_MAX);
    CHECK(burst >= 1 && burst <= RATE_MAX);
    uint64_t interval_ns = (NS_PER_SECOND + per_second - 1) / per_second;
    return (struct rate_limit){ .interval_ns = interval_ns, .burst_ns = interval_ns * burst };
}

bool rate_take(
    struct rate *rate,
    const struct rate_limit *limit,
    uint64_t now_ms,
    uint32_t cost,
    uint64_t *retry_after_ms_out)
{
    CHECK(limit->interval_ns != 0);
    CHECK(cost <= limit->burst_ns / limit->interval_ns);
    uint64_t now_ns = 0;
    if (__builtin_mul_overflow(now_ms, NS_PER_MS, &now_ns) ||
        now_ns > UINT64_MAX - limit->burst_ns) {
        now_ns = UINT64_MAX - limit->burst_ns; /* Year 2554: time stands still, less passes. */
    }
    uint64_t start_ns = rate->due_ns > now_ns ? rate->due_ns : now_ns;
    uint64_t due_ns = 0;
    bool overflowed = __builtin_add_overflow(start_ns, limit->interval_ns * cost, &due_ns);
    if (overflowed || due_ns - now_ns > limit->burst_ns) {
        uint64_t wait_ns = overflowed ? limit->burst_ns : due_ns - now_ns - limit->burst_ns;
        uint64_t wait_ms = wait_ns / NS_PER_MS + (wait_ns % NS_PER_MS != 0 ? 1 : 0);
        *retry_after_ms_out = wait_ms == 0 ? 1 : wait_ms;
        return false;
    }
    CHECK(due_ns >= rate->due_ns); /* It never lends what was already lent. */
    if (cost != 0) {
        rate->due_ns = due_ns;
    }
    return true;
}
