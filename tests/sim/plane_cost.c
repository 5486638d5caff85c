/* What work costs, in microseconds of the machine that does it. Measured on two cores of a lab
 * machine (tests/bench, deploy/lab: the median of each, rounded); an experiment may load another
 * table. Decides nothing else. */
#include "base/check.h"
#include "tests/sim/plane_time.h"

static uint64_t costs_us[PLANE_COSTS_END] = {
    [PLANE_COST_LETTER] = 6,     [PLANE_COST_ASK] = 15,     [PLANE_COST_TICK] = 4,
    [PLANE_COST_APPLY] = 25,     [PLANE_COST_SYNC] = 400,   [PLANE_COST_AGENT] = 10,
    [PLANE_COST_START] = 350000, [PLANE_COST_STOP] = 60000, [PLANE_COST_ERASE] = 20000,
    [PLANE_COST_SEGMENT] = 8000, [PLANE_COST_LOOK] = 5000,
};

uint64_t plane_cost(enum plane_cost cost)
{
    CHECK(cost > 0 && cost < PLANE_COSTS_END);
    CHECK(costs_us[cost] > 0);
    return costs_us[cost];
}

void plane_cost_is(enum plane_cost cost, uint64_t us)
{
    CHECK(cost > 0 && cost < PLANE_COSTS_END);
    CHECK(us > 0);
    costs_us[cost] = us;
}
