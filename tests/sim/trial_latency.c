/* Latencies as counts in buckets, TRIAL_OCTAVE to each doubling: bounded, and within 1.6 % of what
 * was measured. Decides which bucket, and which latency so many of a thousand stay below. */
#include "base/check.h"
#include "tests/sim/trial.h"

uint32_t trial_bucket(uint64_t us)
{
    uint32_t octave = 0;
    while (us >> octave >= 2 * TRIAL_OCTAVE) {
        octave++;
    }
    uint64_t bucket = (uint64_t)octave * TRIAL_OCTAVE + (us >> octave);
    return bucket < TRIAL_BUCKETS ? (uint32_t)bucket : TRIAL_BUCKETS - 1;
}

/* The most that lies in it. */
static uint64_t bucket_us(uint32_t bucket)
{
    if (bucket < 2 * TRIAL_OCTAVE) {
        return bucket;
    }
    uint32_t octave = bucket / TRIAL_OCTAVE - 1;
    uint64_t low = (uint64_t)(bucket - octave * TRIAL_OCTAVE) << octave;
    return low + (UINT64_C(1) << octave) - 1;
}

uint64_t trial_percentile(const struct trial_measures *measures, uint64_t per_mille)
{
    uint64_t all = 0;
    uint64_t below = 0;
    CHECK(per_mille <= 1000);
    for (uint32_t i = 0; i < TRIAL_BUCKETS; i++) {
        all += measures->latencies[i];
    }
    uint64_t wanted = (all * per_mille + 999) / 1000;
    for (uint32_t i = 0; i < TRIAL_BUCKETS && all > 0; i++) {
        below += measures->latencies[i];
        if (below >= wanted && below > 0) {
            uint64_t us = bucket_us(i);
            return us < measures->latency_max_us ? us : measures->latency_max_us;
        }
    }
    return 0;
}
