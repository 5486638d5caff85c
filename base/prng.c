/* Decides the pseudo-random sequence of a seed. Never touches entropy. */
#include "base/prng.h"

#include "base/check.h"

static uint64_t rotate(uint64_t x, unsigned int by)
{
    return (x << by) | (x >> (64U - by));
}

/* splitmix64, as the authors of xoshiro recommend for filling the state from one word. */
void prng_seed(struct prng *prng, uint64_t seed)
{
    for (unsigned int i = 0; i < 4; i++) {
        seed += UINT64_C(0x9e3779b97f4a7c15);
        uint64_t z = seed;
        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        prng->state[i] = z ^ (z >> 31);
    }
}

uint64_t prng_next(struct prng *prng)
{
    uint64_t *s = prng->state;
    uint64_t out = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return out;
}

uint64_t prng_below(struct prng *prng, uint64_t bound)
{
    CHECK(bound > 0);
    uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
    uint64_t x = prng_next(prng);
    while (x >= limit) { /* Less than two turns expected; rejection keeps it uniform. */
        x = prng_next(prng);
    }
    return x % bound;
}
