/* Which nodes are alive, as one leader may believe it, and when somebody else may run what a lost
 * node ran. The leader's half of docs/FENCING.md (clauses 3, 4, 6 to 10, 19 to 22); the node's half
 * is node-agent/core/lease.h. INV-VM-1, INV-FENCE-1 to 4.
 *
 * Nobody is believed to be alive because he says something: only because he repeats an
 * acknowledgement of this term that was given less than LIMIT_NODE_UNKNOWN_MS ago. All of it is the
 * soft state of one term: a new leader inherits nothing and counts from its election.
 *
 * Nodes are slots of the core's table. Every time is the caller's CLOCK_BOOTTIME in milliseconds
 * and never goes back. Memory is the caller's. */
#ifndef SCHEDULER_LIVENESS_H
#define SCHEDULER_LIVENESS_H

#include "base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In which of the (at most two) epochs of membership that are in force a node is. Bits. */
enum liveness_in {
    LIVENESS_IN_OLD = 1 << 0,
    LIVENESS_IN_NEW = 1 << 1,
};

/* Why the guests of a node may not be started elsewhere; REPLACE_YES: they may. Stable numbers. */
enum liveness_replace {
    REPLACE_YES = 1,
    REPLACE_NOT_LEADING = 2,
    REPLACE_NO_MEMBER = 3, /* It never was: nothing can be said about it. */
    REPLACE_ALIVE = 4,
    REPLACE_FROZEN = 5, /* So many are lost that it may be we who are. */
    REPLACE_THAWING = 6,
    REPLACE_WAIT = 7, /* Its own deadline may not have come yet. */
};

struct liveness_node {
    uint64_t
        issued_ms; /* When the newest acknowledgement left for it; the election's time before. */
    uint64_t proved_ms; /* When the newest one that it repeated had left; 0: none of this term. */
    uint32_t newer;     /* Of those alive, in the order of proved_ms: slot + 1, 0 ends. */
    uint32_t older;
    uint8_t in;     /* enum liveness_in. */
    bool alive;     /* As of the last look. */
    bool off;       /* Somebody saw it off, or it said that everything of it has stopped. */
    bool knows_new; /* It proved, in this term, that it holds the newest membership. */
};

/* Of one epoch of membership. */
struct liveness_count {
    uint32_t members;
    uint32_t alive;
    uint32_t off; /* And not alive. */
};

struct liveness {
    struct liveness_node *nodes;
    uint32_t capacity;
    uint64_t term;      /* 0: we do not lead. */
    uint64_t now_ms;    /* Of the last look. */
    uint64_t frozen_ms; /* The last look at which it was frozen; the election counts as one. */
    uint32_t first;     /* The one alive whose proof is the oldest: slot + 1. */
    uint32_t last;
    struct liveness_count counts[2]; /* Of the old and of the new epoch. */
};

/* How many of `members` must be lost for a cell to be frozen: one more than 55 %. Both sides count
 * with this function (clause 7). */
uint32_t liveness_quorum(uint32_t members);

size_t liveness_memory(uint32_t capacity);
void liveness_init(struct liveness *liveness, uint32_t capacity, void *memory);

/* Elected: all are lost, and it was frozen this very moment (clause 9). `term` is not 0. Who is a
 * member must be told anew. */
void liveness_lead(struct liveness *liveness, uint64_t term, uint64_t now_ms);
void liveness_follow(struct liveness *liveness); /* Nothing may be concluded any more. */

/* What the rows say of a node. One that is no member (in 0) may be alive and counts nowhere. One
 * that is said to be off is lost from then on, whatever it had proved (clause 21). */
void liveness_member(
    struct liveness *liveness, uint32_t slot, unsigned int in, bool off, uint64_t now_ms);
/* The old epoch is no longer in force, or a third one begins: what its members proved about the
 * newest no longer counts. Who is in what is told anew with liveness_member. */
void liveness_epoch(struct liveness *liveness, uint64_t now_ms);

/* An acknowledgement leaves for this node now: its number, never 0. A majority has confirmed the
 * leader since the renewal came (clause 3). */
uint64_t liveness_issue(struct liveness *liveness, uint32_t slot, uint64_t now_ms);
/* A renewal that repeats an acknowledgement. False: it proves nothing (another term, a number that
 * was never given, or one that is too old). */
bool liveness_renewed(
    struct liveness *liveness,
    uint32_t slot,
    uint64_t term,
    uint64_t number,
    bool knows_new,
    uint64_t now_ms);

bool liveness_alive(struct liveness *liveness, uint32_t slot, uint64_t now_ms);
bool liveness_frozen(struct liveness *liveness, uint64_t now_ms);
/* May what runs on this node be started elsewhere (clause 10)? */
enum liveness_replace liveness_may_replace(
    struct liveness *liveness, uint32_t slot, uint64_t now_ms);
/* Every member of the old epoch knows the new one or is off: the old one may end (clause 20). */
bool liveness_settled(const struct liveness *liveness);

/* Recounts from the nodes, read only: for tests and the simulator. */
bool liveness_check(const struct liveness *liveness);

#endif
