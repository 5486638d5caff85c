/* Which events are one operation: those of one key. Decides what is known of it in the end. */
#ifndef HISTORY_MERGE_H
#define HISTORY_MERGE_H

#include "tests/history/history.h"

/* Of each event, where its operation is told: the event's own number, or that of the one which
 * speaks for its key. Only a write that was not refused is anything but alone. */
struct merge {
    uint32_t *of_key;    /* Owned. By key: who speaks for it, + 1; 0: nobody but the refused. */
    uint32_t *speaker;   /* Owned. By event. */
    uint64_t *invoke_ns; /* Owned. By speaker: it was not done before. */
    uint64_t *return_ns; /* Owned. By speaker: when it was first known to be done. */
};

bool merge_is_write(enum history_f f);
/* A write that was looked at and refused, under a key that was not another's. */
bool merge_of_refused(const struct history_event *event);
void merge_begin(const struct history *history, struct merge *merge_out);
void merge_end(struct merge *merge);

#endif
