/* Decides the hash of bytes under a key. Same bytes and key give the same value on any machine. */
#include "base/hash.h"

#include "base/check.h"

static inline uint64_t rotate(uint64_t x, unsigned int by)
{
    return (x << by) | (x >> (64U - by));
}

static inline void sip_round(uint64_t v[static 4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

/* Written out, so that it becomes one load. */
static inline uint64_t load_word(const uint8_t from[static 8])
{
    return (uint64_t)from[0] | (uint64_t)from[1] << 8 | (uint64_t)from[2] << 16 |
           (uint64_t)from[3] << 24 | (uint64_t)from[4] << 32 | (uint64_t)from[5] << 40 |
           (uint64_t)from[6] << 48 | (uint64_t)from[7] << 56;
}

static uint64_t load_rest(const uint8_t *from, size_t size)
{
    uint64_t word = 0;
    for (size_t i = 0; i < size; i++) {
        word |= (uint64_t)from[i] << (8U * i);
    }
    return word;
}

static inline void absorb(uint64_t v[static 4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    sip_round(v);
    v[0] ^= word;
}

uint64_t hash_bytes(struct hash_key key, struct slice bytes)
{
    CHECK(bytes.data != NULL || bytes.size == 0);
    uint64_t v[4] = {
        key.low ^ UINT64_C(0x736f6d6570736575),
        key.high ^ UINT64_C(0x646f72616e646f6d),
        key.low ^ UINT64_C(0x6c7967656e657261),
        key.high ^ UINT64_C(0x7465646279746573),
    };
    size_t whole = bytes.size / 8 * 8;
    for (size_t at = 0; at < whole; at += 8) {
        absorb(v, load_word(bytes.data + at));
    }
    size_t rest = bytes.size - whole;
    uint64_t last = rest == 0 ? 0 : load_rest(bytes.data + whole, rest);
    absorb(v, last | ((uint64_t)(bytes.size & 0xff) << 56));
    v[2] ^= 0xff;
    for (unsigned int i = 0; i < 4; i++) {
        sip_round(v);
    }
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
