/* Preferences among nodes that pass every constraint: integers with a total order, so that every
 * replica and every build would choose the same. Lower wins, field by field:
 *   spread    how many of the same group the node's rack already has
 *   leftover  what would be left unused on the node: best fit
 *   slot      the lowest: there are no ties */
#ifndef SCHEDULER_SCORE_H
#define SCHEDULER_SCORE_H

#include "scheduler/filter.h"

struct score {
    uint32_t spread;
    int32_t leftover;
    uint32_t slot;
};

/* MiB that one vcpu is worth when leftovers are compared: the cell's own ratio, 1 … 8192. */
int32_t score_exchange(const struct scheduler_view *view);

/* What would stay unused, in MiB, of which vcpus are worth `exchange` each. Lower is a better fit.
 * In the header because place.c's inner loop is this function. */
static inline int32_t score_leftover(int32_t vcpus, int32_t memory_mib, int32_t exchange)
{
    return vcpus * exchange + memory_mib;
}

/* How many of the group this rack has. */
uint32_t score_spread(const struct place_request *request, uint32_t rack);

/* The node passes every constraint. */
struct score score_node(
    const struct scheduler_view *view, const struct place_request *request, uint32_t slot);

/* < 0: a is better. 0 only for the same slot. */
int score_compare(const struct score *a, const struct score *b);

#endif
