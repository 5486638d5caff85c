/* The placement policies by name. Decides nothing else. */
#include "tests/sim/policy.h"

#include "base/check.h"

#include <string.h>

static const struct policy policies[] = {
    { "best-fit", NULL, "the product's: racks of a spread group evenly, then least left unused" },
    { "first-fit", policy_first_fit, "the lowest node that has room" },
    { "worst-fit", policy_worst_fit, "the node with the most left unused" },
};

const struct policy *policy_named(const char *name)
{
    CHECK(name != NULL);
    for (uint32_t i = 0; i < COUNT_OF(policies); i++) {
        if (strcmp(policies[i].name, name) == 0) {
            return &policies[i];
        }
    }
    return NULL;
}

const struct policy *policy_at(uint32_t index)
{
    return index < COUNT_OF(policies) ? &policies[index] : NULL;
}
