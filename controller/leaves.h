/* How the audit log lies in the store: the leaves of one step side by side in one value, under the
 * sequence of the last of them. A leaf costs the store its bytes, not a row.
 *
 * The happy path: leaves_add for each leaf in order → leaves_close at the end of the step, into the
 * store's open batch → leaves_scan, which sees what was committed.
 * What can go wrong: a value that is no such block → FAILURE_CORRUPT, and whatever store_scan says.
 */
#ifndef CONTROLLER_LEAVES_H
#define CONTROLLER_LEAVES_H

#include "controller/store.h"

#include <stdbool.h>

enum {
    LEAVES_TAG = 0x4c,
    LEAVES_KEY_SIZE = 9,
    LEAVES_BLOCK_MAX = 64 * 1024, /* Bytes; more leaves go into another block. */
};

struct leaves {
    uint8_t block[LEAVES_BLOCK_MAX];
    size_t size;
    uint64_t last; /* Sequence of the newest leaf in the block. */
};

/* `leaf` is the next one after the last; copied. It fits a block. */
void leaves_add(struct leaves *leaves, struct store *store, uint64_t seq, struct slice leaf);
void leaves_close(struct leaves *leaves, struct store *store);
/* What was added since the last close is not kept. */
void leaves_drop(struct leaves *leaves);

/* Committed leaves from `first` on, in order, until visit says false. The slices live until it
 * returns. */
RESULT leaves_scan(
    struct store *store,
    uint64_t first,
    bool (*visit)(void *context, uint64_t seq, struct slice leaf),
    void *context);

#endif
