/* Chooses a node: an exact scan of every node (about 3 µs for 10,000). Equal to asking filter_node
 * of each and taking the best score_node, which is how the tests judge it. */
#ifndef SCHEDULER_PLACE_H
#define SCHEDULER_PLACE_H

#include "scheduler/filter.h"

/* False: no node passes every constraint (explain.h says why). Changes nothing: the caller charges
 * the choice with view_take. */
bool place(
    const struct scheduler_view *view, const struct place_request *request, uint32_t *slot_out);

/* Another way to choose, with place()'s contract. A pointer, because an experiment's own policy is
 * not known here. What it names is believed no more than any plan is: apply asks filter_node of it.
 * As pure as place(). */
typedef bool place_policy(
    const struct scheduler_view *view, const struct place_request *request, uint32_t *slot_out);

#endif
