/* Refusals folded before they become leaves: one row for each (door, actor, operation, reject,
 * second), so that a stranger's flood does not buy an fsync for each packet. What falls past the
 * bounded table is counted, and that count is a leaf too (INV-AUD-5: nothing refused is uncounted).
 * Pure: the time is given. */
#ifndef AUDIT_FOLD_H
#define AUDIT_FOLD_H

#include "audit/audit.h"

enum {
    FOLD_ROWS = 256, /* Different refusals of about one second. */
    FOLD_WORD = 64,  /* Bytes of an operation's name, with terminator. */
};

enum fold_door { DOOR_API = 1, DOOR_LINK = 2 };

struct fold_key {
    uint32_t door;       /* enum fold_door. */
    uint32_t actor_kind; /* enum id_kind; 0: a stranger. */
    uint64_t actor;
    uint32_t reject;
    char operation[FOLD_WORD];
};

struct fold_row {
    struct fold_key key; /* Zero with overflow. */
    uint64_t first_ms;
    uint64_t last_ms;
    uint64_t count;
    uint8_t sample[AUDIT_HASH]; /* Digest of the first one's arguments. */
    bool overflow;              /* count is of what fell past the table. */
};

/* Zero is empty. */
struct fold {
    uint32_t count;
    struct fold_row rows[FOLD_ROWS]; /* Oldest first. */
    struct fold_row overflow;        /* count 0: none. */
};

void fold_add(
    struct fold *fold,
    const struct fold_key *key,
    uint64_t now_ms,
    const uint8_t sample[static AUDIT_HASH]);
/* Takes the oldest row whose second is not now's, then the overflow's. False: nothing is due. */
bool fold_take(struct fold *fold, uint64_t now_ms, struct fold_row *row_out);
/* Puts a row back that could not be posted (no quorum): adds it to its like, or to the overflow. */
void fold_return(struct fold *fold, const struct fold_row *row);

#endif
