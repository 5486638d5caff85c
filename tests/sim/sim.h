/* The simulator of consensus: what its files share. One seed is one process, one thread, virtual
 * time: the daemons' own journal and replica objects over a disk and a network that fail.
 *
 *   sim_run    the life of one seed: events in order, then healing, then the last judgement
 *   sim_node   a replica's process: start, crash, and what replica.h asks of its host
 *   sim_machine the state machine; the engine's core takes its place later
 *   sim_net    messages, and what happens to them on the way
 *   sim_fault  when crashes, cuts, operators and clients strike
 *   sim_mix    how often, in which mix
 *   sim_check  what must hold after every event
 *   sim_main   options, many seeds, the table */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include "base/prng.h"
#include "controller/replica.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_machine.h"
#include "tests/sim/sim_mix.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SIM_NODES = 7,
    SIM_TERMS = 8192,
    SIM_INDEXES = 32768,
    SIM_EVENTS = 65536,      /* Waiting at once. */
    SIM_RUN_MS = 10 * 1000,  /* Of trouble. */
    SIM_HEAL_MS = 25 * 1000, /* Then everything must have come together. */
    SIM_ENTRY_MAX = 1024,
};

enum sim_kind {
    SIM_TICK = 1,
    SIM_DELIVER,
    SIM_CLIENT,
    SIM_CRASH,
    SIM_DIE, /* The one that this is posted to. */
    SIM_RESTART,
    SIM_OPERATE,
    SIM_WEATHER, /* The network changes. */
    SIM_FETCHED, /* Files of a snapshot have arrived. */
    SIM_FLUSH,   /* A store became durable. */
};

/* Rows of the table; every one must be seen in a run of 200 seeds. */
enum sim_fault {
    FAULT_KILL,
    FAULT_POWER_LOSS,
    FAULT_TORN_WRITE,
    FAULT_DEATH_IN_DISK_CALL,
    FAULT_FAILED_DISK_CALL,
    FAULT_ALL_DOWN,
    FAULT_LOSS,
    FAULT_DUPLICATE,
    FAULT_REORDER,
    FAULT_STRAGGLER,
    FAULT_ISOLATED,
    FAULT_SPLIT,
    FAULT_ONE_WAY,
    FAULT_LEADER_CUT,
    FAULT_MEMBER_ADDED,
    FAULT_MEMBER_REMOVED,
    FAULT_TRANSFER,
    FAULT_SNAPSHOT_REFUSED,
    FAULT_SNAPSHOT_TAKEN,
    FAULT_SNAPSHOT_INSTALLED,
    FAULT_LOG_FULL,
    FAULT_NO_SPACE_TO_CREATE,
    FAULT_LEADERSHIP_LOST,
    FAULT_OBJECT_REOPENED,
    FAULTS
};

enum sim_checker {
    CHECKER_ONE_LEADER,
    CHECKER_ONE_VOTE,
    CHECKER_TERM_FORWARD,
    CHECKER_LOG_MATCHING,
    CHECKER_COMMITTED,
    CHECKER_COMPLETENESS,
    CHECKER_PREFIX,
    CHECKER_RESTORED,
    CHECKER_TICKET,
    CHECKER_ONCE,
    CHECKER_ACKNOWLEDGED,
    CHECKER_LIVENESS,
    CHECKER_SNAPSHOT,
    CHECKERS
};

struct sim_event {
    uint64_t at_ms;
    uint64_t order; /* Ties are broken by age. */
    enum sim_kind kind;
    uint32_t node;
    uint32_t life; /* Of the node; an event of an earlier life is dropped. */
    struct sim_letter *letter;
};

struct sim_letter {
    uint32_t from;
    uint32_t to;
    uint64_t number;
    size_t size;
    uint8_t bytes[];
};

struct sim_node {
    uint32_t id;
    uint32_t life;
    bool created;
    bool up;
    bool dying; /* The disk died or failed under it in this event. */
    struct sim_disk disk;
    struct replica *replica; /* NULL when down. */
    struct sim_machine machine;
    struct sim_machine flushed; /* Durable. */
    struct sim_machine fetched; /* Files of a snapshot, verified; durable. */
    struct sim_machine fetching;
    bool fetch_busy;
    uint32_t fetch_from;
    uint8_t manifest[SIM_MANIFEST];
    uint64_t last_number[SIM_NODES + 1]; /* Newest letter from each peer. */
    struct {
        uint64_t ticket;
        uint32_t command;
    } waiting[REPLICA_OUTSTANDING];
    uint64_t reopened_seen;
};

struct sim_weather {
    bool cut[SIM_NODES + 1][SIM_NODES + 1];
    uint64_t loss; /* Per ten thousand. */
    uint64_t duplicate;
    uint64_t straggler;
    uint64_t delay_min_ms;
    uint64_t delay_max_ms;
};

struct sim_tally {
    uint64_t faults[FAULTS];
    uint64_t checks[CHECKERS];
    uint64_t seeds;
    uint64_t events;
    uint64_t virtual_ms;
    uint64_t acknowledged;
    uint64_t elections;
    uint64_t hash;
    bool failed;
    char what[192];
};

struct sim {
    struct prng prng;
    uint64_t seed;
    uint64_t now_ms;
    uint64_t end_ms;   /* Of trouble. */
    uint64_t limit_ms; /* Of patience after it. */
    uint64_t until;    /* Stop at this event; 0: never. */
    bool verbose;
    const struct sim_mix *mix;
    bool healed;
    uint32_t voters; /* To begin with. */
    uint64_t load_ms;
    bool heavy; /* Large entries: logs fill. */
    uint64_t churn_ms;
    uint64_t refuse_until_ms; /* Stores cannot make snapshots till then. */
    struct sim_weather weather;
    struct sim_node nodes[SIM_NODES + 1];
    struct sim_event *queue; /* Owned; heap of SIM_EVENTS. */
    uint32_t queue_count;
    uint64_t event_order;
    uint64_t letters;
    uint32_t next_command;
    uint32_t marker; /* A command after healing that must be acknowledged. */
    struct sim_tally *tally;
    struct sim_oracle *oracle; /* Owned; sim_check.c. */
};

/* sim_run.c */
void sim_run(struct sim *sim);
void sim_after(struct sim *sim, uint64_t delay_ms, enum sim_kind kind, uint32_t node);
void sim_post(
    struct sim *sim,
    uint64_t delay_ms,
    enum sim_kind kind,
    uint32_t node,
    struct sim_letter *letter);
uint64_t sim_below(struct sim *sim, uint64_t bound);
bool sim_odds(struct sim *sim, uint64_t per_ten_thousand);
void sim_trace(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A violation: the seed ends here. */
_Noreturn void sim_fail(struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void sim_hash(struct sim *sim, uint64_t value);
void sim_seen(struct sim *sim, enum sim_fault fault);

/* sim_node.c */
void sim_node_begin(struct sim *sim, uint32_t id, bool voter);
void sim_node_start(struct sim *sim, struct sim_node *node);
void sim_node_crash(struct sim *sim, struct sim_node *node, bool power);
/* After each event that touched it: did it die, what does the oracle say. */
void sim_node_settle(struct sim *sim, struct sim_node *node);
struct sim_node *sim_leader(struct sim *sim); /* NULL: none; one at random of several. */

/* sim_net.c */
void sim_net_send(struct sim *sim, uint32_t from, uint32_t to, struct slice bytes);
void sim_net_deliver(struct sim *sim, struct sim_letter *letter);
void sim_net_weather(struct sim *sim, bool calm);

/* sim_fault.c */
void sim_fault_begin(struct sim *sim);
void sim_fault_client(struct sim *sim);
void sim_fault_crash(struct sim *sim);
void sim_fault_operate(struct sim *sim);
void sim_fault_heal(struct sim *sim);

/* sim_check.c */
void sim_check_begin(struct sim *sim);
void sim_check_node(struct sim *sim, struct sim_node *node);
void sim_check_message(struct sim *sim, uint32_t from, uint32_t to, struct slice bytes);
void sim_check_apply(
    struct sim *sim, struct sim_node *node, uint64_t index, uint64_t term, struct slice entry);
void sim_check_restored(struct sim *sim, const struct sim_node *node);
void sim_check_ticket(struct sim *sim, uint32_t waiting, uint32_t applied);
bool sim_check_acknowledged(const struct sim *sim, uint32_t command);
bool sim_check_converged(struct sim *sim);
void sim_check_end(struct sim *sim);
void sim_check_forget(struct sim *sim, uint32_t id); /* It restarts: look at its whole log again. */

#endif
