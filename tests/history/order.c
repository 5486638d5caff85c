/* Decides what comes before what. Never what that means. */
#include "tests/history/order.h"

size_t order_first(
    const void *all,
    size_t count,
    size_t size,
    const void *wanted,
    int (*order)(const void *one, const void *other))
{
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        bool before = order((const char *)all + middle * size, wanted) < 0;
        low = before ? middle + 1 : low;
        high = before ? high : middle;
    }
    return low;
}

int moment_order(const void *one, const void *other)
{
    const struct moment *a = one;
    const struct moment *b = other;
    if (a->at_ns != b->at_ns) {
        return a->at_ns < b->at_ns ? -1 : 1;
    }
    if (a->returns != b->returns) {
        return a->returns ? 1 : -1;
    }
    return a->of < b->of ? -1 : a->of > b->of;
}
