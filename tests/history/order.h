/* What the checkers look up and sort alike: places in ordered lists, and moments of time. */
#ifndef HISTORY_ORDER_H
#define HISTORY_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the first of `all` is that is not before `wanted`; `count`: there is none. */
size_t order_first(
    const void *all,
    size_t count,
    size_t size,
    const void *wanted,
    int (*order)(const void *one, const void *other));

/* Something is called, or returns. */
struct moment {
    uint64_t at_ns;
    uint32_t of;
    bool returns;
};

/* For qsort. What happens at one moment overlaps: calls come first. */
int moment_order(const void *one, const void *other);

#endif
