/* Placement policies that an experiment can name (`policy placement=NAME`). A policy is one
 * function with the contract of place() (scheduler/place.h) in a file of its own and a line in
 * policy.c. It only proposes: apply holds what it names to every hard constraint (INV-SCH-3). */
#ifndef TESTS_SIM_POLICY_H
#define TESTS_SIM_POLICY_H

#include "scheduler/place.h"

struct policy {
    const char *name;
    place_policy *choose; /* NULL: the product's own. */
    const char *what;     /* For people. */
};

/* NULL: nobody is called so. */
const struct policy *policy_named(const char *name);
/* NULL: there are no more. */
const struct policy *policy_at(uint32_t index);

bool policy_first_fit(
    const struct scheduler_view *view, const struct place_request *request, uint32_t *slot_out);
bool policy_worst_fit(
    const struct scheduler_view *view, const struct place_request *request, uint32_t *slot_out);

#endif
