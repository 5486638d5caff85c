/* Steps that a checker may take for a whole history. Whoever looks at something takes them, scans
 * too; when none are left the verdict is unknown. Never counts time. */
#ifndef HISTORY_WORK_H
#define HISTORY_WORK_H

#include <stdbool.h>
#include <stdint.h>

struct work {
    uint64_t left;
};

/* False: there are not so many left, and now there are none. */
static inline bool work_take(struct work *work, uint64_t steps)
{
    bool enough = work->left >= steps;
    work->left = enough ? work->left - steps : 0;
    return enough;
}

#endif
