/* First fit: the lowest node that passes every constraint. Never looks at racks. */
#include "base/check.h"
#include "tests/sim/policy.h"

bool policy_first_fit(
    const struct scheduler_view *view, const struct place_request *request, uint32_t *slot_out)
{
    CHECK(request->vcpus >= 1);
    for (uint32_t slot = 0; slot < view->count; slot++) {
        if (filter_node(view, request, slot) == CONSTRAINT_NONE) {
            *slot_out = slot;
            return true;
        }
    }
    return false;
}
