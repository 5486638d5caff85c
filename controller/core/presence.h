/* Who is where: the instances that have a node, found by node, by tenant and by network without
 * looking at all of them.
 *
 * Kept beside the rows, in their slots; no part of what is encoded, mirrored or counted into the
 * digest. A position is one membership of one instance; walks take a position, 0 ends them. Nothing
 * may be placed or unplaced during a walk. */
#ifndef CONTROLLER_CORE_PRESENCE_H
#define CONTROLLER_CORE_PRESENCE_H

#include "controller/core/state.h"

/* The instance was given a node: once, after the row says so. False: its node, tenant or one of its
 * networks is not there, and nothing was kept. `index`: of the entry; 0: restored. */
bool presence_put(struct state *state, struct instance_row *row, uint64_t index);
/* It is about to lose it. */
void presence_drop(struct state *state, struct instance_row *row);

/* for (uint32_t at = node->first_placed; at != 0; at = presence_next(state, at)) */
struct instance_row *presence_row(const struct state *state, uint32_t at);
uint32_t presence_next(const struct state *state, uint32_t at);

#endif
