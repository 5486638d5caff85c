/* Decides what is a number that somebody typed. Never takes a sign, a space or half of a text. */
#include "tests/sim/sim_number.h"

#include <stddef.h>

bool sim_number(const char *text, uint64_t most, uint64_t *out)
{
    uint64_t value = 0;
    bool sound = text != NULL && *text != '\0';
    for (; sound && *text != '\0'; text++) {
        uint64_t digit = (uint64_t)*text - '0';
        sound = digit <= 9 && !__builtin_mul_overflow(value, 10, &value) &&
                !__builtin_add_overflow(value, digit, &value) && value <= most;
    }
    if (sound) {
        *out = value;
    }
    return sound;
}
