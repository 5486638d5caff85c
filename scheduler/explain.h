/* Why this node, why none, and what would happen if a rack were lost. */
#ifndef SCHEDULER_EXPLAIN_H
#define SCHEDULER_EXPLAIN_H

#include "scheduler/place.h"
#include "scheduler/score.h"

enum explain_why {
    EXPLAIN_NO_NODE = 1,  /* Every node is turned away; see turned_away. */
    EXPLAIN_ONLY = 2,     /* The only one that passes. */
    EXPLAIN_SPREAD = 3,   /* Its rack has fewer of the same group than the next best's. */
    EXPLAIN_BEST_FIT = 4, /* It leaves less unused than the next best. */
    EXPLAIN_FIRST = 5,    /* Equal to the next best; the lower slot wins. */
    EXPLAIN_POLICY = 6,   /* Another policy than place() chose it. */
    EXPLAIN_WHY_END
};

struct explanation {
    enum explain_why why;
    uint32_t nodes;                        /* Looked at. */
    uint32_t passed;                       /* Passed every constraint. */
    uint32_t turned_away[CONSTRAINTS_END]; /* By the first constraint that failed. */
    struct score winner;                   /* If passed > 0. */
    struct score runner_up;                /* If passed > 1. */
};

void explain_place(
    const struct scheduler_view *view,
    const struct place_request *request,
    struct explanation *explanation_out);

/* The same, and the choice of `policy` (NULL: place) into `slot_out`. False: it chose none. Why is
 * then EXPLAIN_POLICY; winner and runner-up stay what place() would have said. */
bool explain_policy(
    const struct scheduler_view *view,
    const struct place_request *request,
    place_policy *policy,
    struct explanation *explanation_out,
    uint32_t *slot_out);

/* "only-one", "rack-spread" …: stable words. */
const char *explain_why_name(enum explain_why why);

/* One thing that is placed in the rack in question. */
struct explain_item {
    uint64_t id;
    uint32_t slot; /* Where it is. */
    uint32_t vcpus;
    uint32_t memory_mib;
    const uint64_t *image_nodes; /* As in place_request. */
    bool fits;                   /* Answer: a place elsewhere was found … */
    uint32_t moved_to;           /* … here. */
};

struct explain_loss {
    uint32_t items;
    uint32_t fitting;
    struct view_room lost;  /* Σ of what does not fit. */
    uint64_t first_unfit;   /* Id of the largest that does not fit; 0: everything fits. */
    struct explanation why; /* Why that one does not fit, at that moment; valid if first_unfit. */
};

/* Could this rack be lost now? Re-places everything in it elsewhere, largest first, each by the
 * exact scan after those before it; group spread is a wish and gives way. Items are reordered. The
 * view is changed while it thinks and is exactly as before when it returns. */
void explain_lose_rack(
    struct scheduler_view *view,
    uint32_t rack,
    struct explain_item *items,
    uint32_t count,
    struct explain_loss *loss_out);

#endif
