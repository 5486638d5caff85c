/* The small world that tests of the agent begin with: a host, one leader, one network. Decides
 * nothing. */
#ifndef TESTS_UNIT_AGENT_LAB_H
#define TESTS_UNIT_AGENT_LAB_H

#include "tests/unit/agent_world.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

enum { LEADER = 11, OTHER = 12, NETWORK = 7 };

static struct world world;

#define RUNNING WIRE__DESIRED__DESIRED_RUNNING
#define STOPPED WIRE__DESIRED__DESIRED_STOPPED
#define GONE    WIRE__DESIRED__DESIRED_GONE

static inline struct world_order order(
    uint64_t instance, uint64_t generation, Wire__Desired desired)
{
    return (struct world_order){ .instance = instance,
                                 .generation = generation,
                                 .epoch = 1,
                                 .boots = 1,
                                 .desired = desired,
                                 .on_failure = WIRE__ON_FAILURE__ON_FAILURE_RESTART,
                                 .max_attempts = 3,
                                 .network = NETWORK };
}

static inline void one(struct world_order given, bool whole)
{
    world_orders(&world, LEADER, world.agent.term, whole, whole, &given, 1);
}

/* A node with host, one leader, and an empty complete list. */
static inline void ready(void)
{
    world_open(&world);
    world_host(&world, true);
    while (world_answer(&world, 0)) {
    }
    world_link(&world, LEADER, true);
    world_welcome(&world, LEADER, 5);
    world_orders(&world, LEADER, 5, true, true, NULL, 0);
    world_settle(&world);
    world.reports_count = 0;
}

static inline void running_instance(uint64_t instance)
{
    one(order(instance, 1, RUNNING), false);
    world_settle(&world);
    cr_assert(world_domain(&world, instance)->running);
}

#endif
