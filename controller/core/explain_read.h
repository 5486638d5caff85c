/* "Why?": capacity, a node, an instance, and whether a rack could be lost now. */
#ifndef CONTROLLER_CORE_EXPLAIN_READ_H
#define CONTROLLER_CORE_EXPLAIN_READ_H

#include "controller/core/apply.h"
#include "controller/core/nodes.h"

void explain_read(
    const struct apply *seen,
    struct nodes *nodes,
    const Wire__Explain *what,
    struct outcome *outcome,
    Wire__Answer *answer);
/* The constraints that turned nodes away, for a problem or an explanation. */
Wire__ConstraintCount **explain_constraints(
    struct arena *arena, const struct explanation *why, size_t *count_out);

#endif
