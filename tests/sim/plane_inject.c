/* Gives everything that is injected a number and a stream of draws of its own, and keeps out what a
 * shrunk case leaves out. Decides nothing about what is injected. */
#include "base/check.h"
#include "tests/sim/plane_fault.h"

#include <stdio.h>

enum { NUMBERS = 1 << 20, WHOS = 1 << 9 };
_Static_assert((int)PLANE_CLIENTS < (int)WHOS, "an id holds a client and a number");

static uint32_t id_of(enum plane_inject kind, uint32_t who, uint32_t number)
{
    CHECK(who < WHOS && number < NUMBERS);
    return ((uint32_t)kind << 29) | (who << 20) | number;
}

const char *plane_inject_name(uint32_t id)
{
    static char name[64];
    name[0] = '\0';
    uint32_t who = (id >> 20) & (WHOS - 1);
    uint32_t number = id & (NUMBERS - 1);
    switch ((enum plane_inject)(id >> 29)) {
    case PLANE_INJECT_COMMAND:
        (void)snprintf(name, sizeof(name), "command %u of client %u", number, who);
        break;
    case PLANE_INJECT_STRIKE: (void)snprintf(name, sizeof(name), "strike %u", number); break;
    case PLANE_INJECT_WEATHER: (void)snprintf(name, sizeof(name), "weather %u", number); break;
    }
    return name;
}

static bool kept(const struct plane_kept *kept, uint32_t id)
{
    uint32_t low = 0;
    uint32_t high = kept->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (kept->ids[middle] < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < kept->count && kept->ids[low] == id;
}

bool plane_inject_begin(struct plane *plane, enum plane_inject kind, uint32_t who, uint32_t number)
{
    uint32_t id = id_of(kind, who, number);
    struct plane_tally *tally = plane->tally;
    plane->prng_aside = plane->prng;
    prng_seed(&plane->prng, plane->seed * UINT64_C(0x9e3779b97f4a7c15) + id);
    if (plane->kept != NULL && plane->kept->only && !kept(plane->kept, id)) {
        return false;
    }
    if (tally->injected_count < PLANE_INJECTED) {
        tally->injected[tally->injected_count++] = id;
    }
    return true;
}

void plane_inject_end(struct plane *plane)
{
    plane->prng = plane->prng_aside;
}
