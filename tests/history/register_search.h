/* Whether what was asked of one object, and seen of it, has an order in which one machine would
 * have answered so. */
#ifndef HISTORY_REGISTER_SEARCH_H
#define HISTORY_REGISTER_SEARCH_H

#include "tests/history/model.h"
#include "tests/history/work.h"

struct register_op {
    struct model_op model;
    uint32_t object;
    uint32_t event;
    uint64_t invoke_ns;
    uint64_t return_ns; /* HISTORY_OPEN: it may never have been done. */
};

/* Those that are open stand in the order of their invoke. CLEAN: there is an order. ANOMALY: none,
 * and the culprit is the one that no order reached. UNKNOWN: the steps were spent there. */
enum history_word register_search(
    const struct register_op *ops, uint32_t count, struct work *work, uint32_t *culprit_out);

#endif
