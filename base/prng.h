/* A seeded generator (xoshiro256**, public domain algorithm by Blackman and Vigna) for the
 * simulator, tests and jitter. Never a source of secrets, never called by a core on its own. */
#ifndef BASE_PRNG_H
#define BASE_PRNG_H

#include <stdint.h>

struct prng {
    uint64_t state[4];
};

void prng_seed(struct prng *prng, uint64_t seed);
uint64_t prng_next(struct prng *prng);
/* Uniform in [0, bound); bound must be at least 1. */
uint64_t prng_below(struct prng *prng, uint64_t bound);

#endif
