/* Until when the guests of this node that may run elsewhere may run here. The node's half of
 * docs/FENCING.md (clauses 1, 2, 4, 5, 11 to 15); the leader's half is scheduler/liveness.h.
 * INV-VM-1, INV-FENCE-5 to 8.
 *
 * Pure: time comes in, messages go out. The program `guard` holds one of these and nothing else; it
 * shares no process with whoever could hang.
 *
 * The happy path: each second a renewal to every controller; the leader acknowledges; each
 * acknowledgement is worth FENCE_SELF_MS, counted from when the renewal that it answers had left.
 * What can go wrong: nobody acknowledges. Then the node asks all members of its epoch how long they
 * have been without; if so many are that a living leader must count the cell as frozen, nobody
 * re-places anything, and what runs may run on. Else the guests end.
 *
 * Every time is this machine's CLOCK_BOOTTIME in milliseconds. Memory is the caller's. */
#ifndef NODE_AGENT_CORE_LEASE_H
#define NODE_AGENT_CORE_LEASE_H

#include "base/limits.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    LEASE_ROUNDS =
        4, /* Of challenges under way: one begins each second, and lasts FENCE_ANSWER_MS. */
};

/* What outlives the process, in the page that parent and host also read. It is of this boot. */
struct lease_saved {
    uint64_t session;       /* Orders name it; a node that had to end its guests opens another. */
    uint64_t term;          /* The highest that acknowledged anything. */
    uint64_t number;        /* Of the newest acknowledgement: what renewals repeat. 0: none. */
    uint64_t received_ms;   /* When it came (r). 0: none came in this boot. */
    uint64_t base_ms;       /* When the renewal had left that it, or a better one, answers (b). */
    uint64_t proof_ms;      /* The newest instant at which enough others were cut off, too (p). */
    uint64_t epoch;         /* Of the membership. 0: none yet. */
    uint32_t members_count; /* With this node, if it is one. */
    uint64_t members[LIMIT_NODES]; /* Ascending. */
};

struct lease_round {
    uint64_t nonce;   /* 0: none. */
    uint64_t sent_ms; /* One instant for all of its challenges: the q of clause 12. */
    uint32_t cut_off; /* Who was, at that instant, without an acknowledgement for long enough. */
};

struct lease {
    struct lease_saved saved;
    uint64_t now_ms;
    uint64_t self; /* This node's id. */
    uint64_t renew_at_ms;
    uint64_t unused; /* From here on: numbers of sessions and nonces that nobody was given yet. */
    uint32_t rounds_begun;
    struct lease_round rounds[LEASE_ROUNDS];
    uint8_t answered[LIMIT_NODES]; /* By member: one bit for each of the rounds. */
};

/* The first thing in this process's life. `saved` is what the page holds if it is of this boot,
 * else NULL: then guests may run from the first acknowledgement on. `random`: 64 bits that no other
 * process had, of this or an earlier boot, so that no session and no nonce comes twice. */
void lease_init(
    struct lease *lease,
    uint64_t self,
    const struct lease_saved *saved,
    uint64_t random,
    uint64_t now_ms);

/* What a turn asks for. */
struct lease_do {
    bool renew;     /* A renewal to every controller; its seq is `now_ms`, read before it leaves. */
    bool challenge; /* Ask every member but this node, with `nonce`. */
    uint64_t nonce;
    bool end; /* End every guest that is listed, now; the session is another one from here on. */
};
/* Time passed. Ends before it begins anything: what came too late changes nothing (clause 15). */
struct lease_do lease_tick(struct lease *lease, uint64_t now_ms);

/* An acknowledgement from a controller, as it came. */
struct lease_ack {
    uint64_t term;
    uint64_t number;
    uint64_t session; /* Both as the renewal said them that it answers. */
    uint64_t seq;
    uint64_t epoch;          /* Of the members it brings; counts if it is newer (clause 20). */
    const uint64_t *members; /* Ascending, LIMIT_NODES at most; NULL: it brings none. */
    uint32_t members_count;
};
/* `now_ms` is read after the message was taken in: read earlier, it would make this node say that
 * it is cut off while its leader hears of it. False: of an older term or another session, of a
 * renewal that never was, or too late. */
bool lease_acked(struct lease *lease, const struct lease_ack *ack, uint64_t now_ms);

/* A peer asks: for how long has this node been without? False: it does not say (clause 11). */
bool lease_challenged(const struct lease *lease, uint64_t now_ms, uint64_t *age_ms_out);
/* A peer answers. True: enough have, for one instant, and the guests may run on. */
bool lease_answered(
    struct lease *lease, uint64_t node, uint64_t nonce, uint64_t age_ms, uint64_t now_ms);

/* 0: never. The guests that are listed must have ended FENCE_KILL_MS after it. */
uint64_t lease_run_until(const struct lease_saved *saved);
/* May a guest be started, resumed or taken in now? A proof by peers never permits it (clause 14).
 */
bool lease_may_start(const struct lease_saved *saved, uint64_t session, uint64_t now_ms);

#endif
