/* The simulator of one owner: the leader's half and the node's half of docs/FENCING.md, the
 * product's own objects, between clocks that drift, messages that are lost, late and repeated,
 * leaders that are cut off, paused and deposed, nodes that lose power, guards that are killed, and
 * members that come and go. One seed is one life; true time is known to the world alone.
 *
 *   fence_world  machines, clocks and letters: who hears what, when
 *   fence_rule   what a leader and a node do with a letter and with time, by the product's two
 * cores fence_day    what goes wrong, and when fence_main   seeds, and what they came to
 *
 * What must never be: a guest runs on two nodes (INV-VM-1). What must be: who is lost for good is
 * replaced, and with every controller dead nothing stops that need not. */
#ifndef TESTS_FENCE_FENCE_H
#define TESTS_FENCE_FENCE_H

#include "base/prng.h"
#include "node-agent/core/lease.h"
#include "scheduler/liveness.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    FENCE_NODES = 7,
    FENCE_CONTROLLERS = 3,
    FENCE_LETTERS = 4096,
    FENCE_STEP_MS = 20,
    FENCE_PENDING = 64, /* Renewals that one leader has not yet acknowledged. */
};

/* Machines are numbered: controllers first, then nodes. */
enum { FENCE_MACHINES = FENCE_CONTROLLERS + FENCE_NODES };

struct clock {
    uint64_t offset_ms;
    uint64_t rate; /* Per mille: 990 to 1010. */
};

enum letter_kind {
    LETTER_RENEW = 1,
    LETTER_ACK,
    LETTER_CHALLENGE,
    LETTER_ANSWER,
    LETTER_START,
};

struct letter {
    enum letter_kind kind; /* 0: the place is free. */
    uint64_t at_ms;        /* True time of its arrival. */
    uint32_t from;         /* Machine. */
    uint32_t to;
    uint64_t life; /* Of the receiver's machine: nothing outlives a power cut. */
    /* By kind. */
    uint64_t term;
    uint64_t number;
    uint64_t session;
    uint64_t seq;
    uint64_t epoch; /* Of the membership, or of the guest (START). */
    uint64_t nonce;
    uint64_t age_ms;
    uint32_t guest;
    unsigned int members; /* ACK: one bit for each node; 0: none told. */
};

/* A guest's place as the log has it. */
struct guest {
    uint32_t home;
    uint64_t epoch;
    uint64_t session;
};

/* A guest's copy on one node, as it really is. */
struct copy {
    bool runs;
    uint64_t epoch;
    uint64_t dies_ms; /* True time; 0: nobody has ended it. */
    uint64_t tomb;    /* The newest epoch that was ended here. */
};

struct node {
    struct clock clock;
    bool up;
    uint64_t life;
    uint64_t guard_back_ms; /* The guard is away until then: 0: it is not. */
    struct lease lease;
    struct copy copies[FENCE_NODES]; /* By guest. */
};

struct pending {
    bool used;
    bool confirmed;      /* A majority answered after it came. */
    uint64_t confirm_ms; /* True time at which that will be. */
    uint64_t session;
    uint64_t seq;
    uint64_t epoch;
    uint32_t node;
};

struct controller {
    struct clock clock;
    bool up;
    uint64_t paused_until_ms;
    uint64_t term; /* In which it believes that it leads; 0: it does not. */
    struct liveness liveness;
    struct liveness_node rows[FENCE_NODES];
    uint64_t sessions[FENCE_NODES]; /* As the nodes last said. */
    uint64_t start_ms;              /* When orders were last sent. */
    struct pending pending[FENCE_PENDING];
};

/* What is agreed upon: survives every leader. */
struct agreed {
    uint64_t term;
    uint32_t leader;          /* FENCE_CONTROLLERS: nobody. */
    uint64_t epoch;           /* Of the membership. */
    unsigned int members_old; /* Bits; 0: the old epoch has ended. */
    unsigned int members_new;
    unsigned int off;
    unsigned int buried; /* They are to be members no more. */
    struct guest guests[FENCE_NODES];
};

/* What may go wrong. */
enum strike {
    STRIKE_CALM,
    STRIKE_CUT_SOME,
    STRIKE_CUT_ONE,
    STRIKE_CUT_PATHS,
    STRIKE_LOSS,
    STRIKE_DELAY,
    STRIKE_ELECTION,
    STRIKE_LEADER_SLEEPS,
    STRIKE_NO_MAJORITY,
    STRIKE_POWER,
    STRIKE_POWER_SEEN,
    STRIKE_GUARD,
    STRIKE_BURY,
    STRIKE_MEND,
    STRIKES
};

struct tally {
    uint64_t events;
    uint64_t seeds;
    uint64_t virtual_ms;
    uint64_t elections;
    uint64_t moved;     /* Guests that began elsewhere. */
    uint64_t moved_off; /* Of those, from a node that was seen off. */
    uint64_t ended;     /* Sessions that ended their guests. */
    uint64_t proofs;    /* Instants at which peers vouched. */
    uint64_t epochs;
    uint64_t settled;
    uint64_t restarts; /* Of guards. */
    uint64_t power_cuts;
    uint64_t dark_days;   /* Every controller was dead, and nothing stopped. */
    uint64_t late_acks;   /* Refused: of an older term, another session, too late. */
    uint64_t late_starts; /* Refused likewise. */
    uint64_t returned;    /* Lost nodes whose guests had been replaced, back again. */
};

struct world {
    struct prng prng;
    uint64_t seed;
    uint64_t now_ms; /* True time. */
    uint32_t nodes;
    struct controller controllers[FENCE_CONTROLLERS];
    struct node machines[FENCE_NODES];
    struct agreed agreed;
    struct letter letters[FENCE_LETTERS];
    uint32_t letters_count;
    bool cut[FENCE_MACHINES][FENCE_MACHINES]; /* From, to. */
    uint32_t loss_percent;
    uint64_t delay_ms_max;
    bool majority;             /* A leader is confirmed, and commits. */
    bool quiet;                /* Nothing goes wrong any more. */
    uint64_t weather_ms;       /* When it changes next. */
    uint32_t weights[STRIKES]; /* Each seed has its own mix, */
    uint64_t pause_ms;         /* its own pace: between two strikes, at most, */
    uint64_t share_out;        /* Per mille: how often the one that is cut is not heard, */
    uint64_t share_in;         /* and does not hear. */
    uint64_t look_ms;          /* and leaders that look at themselves so often. */
    struct tally *tally;
    char failure[160];
};

/* fence_world */
void world_init(struct world *world, uint64_t seed, struct tally *tally);
uint64_t world_clock(const struct world *world, const struct clock *clock);
bool world_chance(struct world *world, uint64_t per_mille);
struct letter *world_post(struct world *world, enum letter_kind kind, uint32_t from, uint32_t to);
bool world_step(struct world *world); /* False: `failure` says what is wrong. */
void world_fail(struct world *world, const char *what, uint32_t node);

/* fence_rule */
void rule_elect(struct world *world, uint32_t controller);
void rule_members(struct world *world, uint32_t controller); /* The rows changed. */
void rule_controller_time(struct world *world, uint32_t controller);
void rule_controller_letter(struct world *world, uint32_t controller, const struct letter *letter);
void rule_node_boot(struct world *world, uint32_t node);
void rule_node_time(struct world *world, uint32_t node);
void rule_node_letter(struct world *world, uint32_t node, const struct letter *letter);

/* fence_day: one life. */
bool day_lives(struct world *world);

#endif
