/* Decides what makes one node better than another. Never turns a node away.
 *
 * Best fit by the plain sum of what is left. Measured beside it on three fleets (short of vcpus,
 * balanced, short of memory): the greater of the two, the lesser of the two, and the sum plus the
 * imbalance packed no better at the first reject and touched as much or more for 60 % demand. */
#include "scheduler/score.h"

#include "base/check.h"

enum { EXCHANGE_MAX = 8192 }; /* Keeps leftovers in 31 bits; see score_leftover. */
_Static_assert(
    (int64_t)VIEW_VCPUS_MAX *EXCHANGE_MAX + VIEW_MEMORY_MIB_MAX <= INT32_MAX / 2,
    "a leftover fits with room to spare");

int32_t score_exchange(const struct scheduler_view *view)
{
    if (view->total.vcpus == 0) {
        return 1;
    }
    uint64_t mib = view->total.memory_mib / view->total.vcpus;
    if (mib < 1) {
        return 1;
    }
    return mib > EXCHANGE_MAX ? EXCHANGE_MAX : (int32_t)mib;
}

struct score score_node(
    const struct scheduler_view *view, const struct place_request *request, uint32_t slot)
{
    CHECK(filter_node(view, request, slot) == CONSTRAINT_NONE);
    int32_t vcpus = view->open_vcpus[slot] - (int32_t)request->vcpus;
    int32_t memory = view->open_memory[slot] - (int32_t)request->memory_mib;
    CHECK(vcpus >= 0);
    CHECK(memory >= 0);
    return (struct score){
        .spread = score_spread(request, view->rack[slot]),
        .leftover = score_leftover(vcpus, memory, score_exchange(view)),
        .slot = slot,
    };
}

uint32_t score_spread(const struct place_request *request, uint32_t rack)
{
    CHECK(rack < VIEW_RACKS_MAX);
    bool known = request->group_in_rack != NULL && rack < request->group_racks;
    return known ? request->group_in_rack[rack] : 0;
}

int score_compare(const struct score *a, const struct score *b)
{
    if (a->spread != b->spread) {
        return a->spread < b->spread ? -1 : 1;
    }
    if (a->leftover != b->leftover) {
        return a->leftover < b->leftover ? -1 : 1;
    }
    if (a->slot != b->slot) {
        return a->slot < b->slot ? -1 : 1;
    }
    return 0;
}
