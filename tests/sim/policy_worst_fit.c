/* Worst fit: the node that has the most left unused afterwards, the lowest of equals. Loads nodes
 * evenly, so that the loss of one costs few guests, and leaves no node empty. Never looks at racks.
 */
#include "base/check.h"
#include "scheduler/score.h"
#include "tests/sim/policy.h"

bool policy_worst_fit(
    const struct scheduler_view *view, const struct place_request *request, uint32_t *slot_out)
{
    bool found = false;
    int32_t most = 0;
    CHECK(request->vcpus >= 1);
    for (uint32_t slot = 0; slot < view->count; slot++) {
        if (filter_node(view, request, slot) != CONSTRAINT_NONE) {
            continue;
        }
        int32_t leftover = score_node(view, request, slot).leftover;
        if (!found || leftover > most) {
            most = leftover;
            *slot_out = slot;
            found = true;
        }
    }
    return found;
}
