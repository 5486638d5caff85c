/* Which caps of its instances an account may have had at a time: from values that were set, and
 * read. Never which one it had. */
#ifndef HISTORY_CAPS_H
#define HISTORY_CAPS_H

#include "tests/history/merge.h"
#include "tests/history/work.h"

struct cap {
    uint32_t account;
    uint32_t object;
    uint64_t value;
    uint64_t invoke_ns;
    uint64_t return_ns; /* HISTORY_OPEN: it may never have been in force. */
};

struct caps {
    struct cap *all; /* Owned; by account and object. */
    size_t count;
};

void caps_begin(const struct history *history, const struct merge *merge, struct caps *caps_out);
void caps_end(struct caps *caps);
/* The greatest that may have been in force at a moment between the two; of several objects of one
 * account the least of these. False: before that nobody was told of any, or the work is spent. */
bool caps_most(
    const struct caps *caps,
    uint32_t account,
    uint64_t from_ns,
    uint64_t to_ns,
    struct work *work,
    uint64_t *most_out);

#endif
