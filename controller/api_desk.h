/* Questions that wait for engine: a bounded table of handles and deadlines.
 *
 * The happy path: desk_ask → desk_send once a turn, ASKS on engine's channel → TOLDS with the same
 * handles → `told` with the answer, in the same turn.
 * What can go wrong: the table is full → DESK_FULL; engine's channel is down → DESK_DOWN, nothing
 * was sent; its queue is full, engine dies or stays silent past the deadline → `told` without an
 * answer: the outcome is unknown. An answer that comes later finds its handle gone. */
#ifndef CONTROLLER_API_DESK_H
#define CONTROLLER_API_DESK_H

#include "host/child.h"

#include <api.pb-c.h>

enum {
    DESK_ASKS = 4096,         /* Waiting at once; the next is answered 429. */
    DESK_DEADLINE_MS = 10000, /* Longer than any failover. */
    DESK_TICK_MS = 250,       /* How late a deadline may be noticed. */
};

enum desk_outcome { DESK_SENT = 1, DESK_FULL = 2, DESK_DOWN = 3, DESK_TOO_LARGE = 4 };

/* `answer` is NULL when none came. It is gone when this returns. */
typedef void desk_told(void *owner, uint32_t tag, const Wire__Answer *answer);

struct desk;

struct desk *desk_open(struct child *child);
void desk_close(struct desk *desk); /* Nobody is told any more. */

/* ask_out is for desk_forget. */
enum desk_outcome desk_ask(
    struct desk *desk,
    Wire__Request *request,
    uint64_t wait_ms,
    desk_told *told,
    void *owner,
    uint32_t tag,
    uint64_t *ask_out);
/* The owner is gone; 0 and handles that ended are accepted. */
void desk_forget(struct desk *desk, uint64_t ask);

/* Before the loop waits: what was asked in this turn goes out. Asks that cannot leave end without
 * an answer. */
void desk_send(struct desk *desk);
void desk_answer(struct desk *desk, const Wire__Tolds *tolds);
void desk_engine_gone(struct desk *desk);
void desk_tick(struct desk *desk);

uint32_t desk_waiting(const struct desk *desk);
uint64_t desk_lost(const struct desk *desk); /* Asked and never answered, since start. */

#endif
