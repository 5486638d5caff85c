/* A bench for replicas in unit tests: simulated disks, messages kept until the test delivers them,
 * a clock that the test moves. */
#ifndef TESTS_UNIT_REPLICA_BENCH_H
#define TESTS_UNIT_REPLICA_BENCH_H

#include "controller/replica_inner.h"
#include "tests/sim/sim_disk.h"

enum { BENCH_NODES = 5, BENCH_LETTERS = 512, BENCH_APPLIED = 256 };

struct bench_letter {
    uint32_t from;
    uint32_t to;
    size_t size;
    bool unsynced; /* The sender's disk had something that a crash could take. */
    uint8_t bytes[8192];
};

struct bench;

struct bench_node {
    struct bench *bench;
    uint32_t id;
    struct prng prng;
    struct sim_disk disk;
    struct replica *replica;
    uint64_t applied[BENCH_APPLIED];
    uint64_t tickets[BENCH_APPLIED];
    uint64_t lost[BENCH_APPLIED];
    uint32_t applied_count;
    uint32_t lost_count;
    uint32_t taken;
    uint32_t restored;
    uint32_t ready_asked;
    uint32_t halts;
    bool ready;
    bool take_refused;
    bool cut; /* Hears and says nothing. */
};

struct bench {
    struct bench_node nodes[BENCH_NODES + 1];
    struct bench_letter letters[BENCH_LETTERS];
    uint32_t letter_front;
    uint32_t letter_count;
    uint64_t now_ms;
    uint32_t snapshot_every;
    bool returns; /* Replicas that are opened from now on ask the others first. */
};

/* Nodes 1 … voters are the first members; the others have an empty log. Static memory: one bench in
 * each test process. */
struct bench *bench_begin(uint32_t voters, uint32_t snapshot_every);
void bench_end(struct bench *bench);
struct replica_conf bench_conf(const struct bench *bench, uint32_t id, uint64_t restored_index);
void bench_open_node(struct bench *bench, uint32_t id, uint64_t restored_index);
/* Delivers all that waits, and what that causes. */
void bench_deliver(struct bench *bench);
void bench_drop(struct bench *bench); /* Forgets all that waits. */
/* Time passes in ticks, with delivery. */
void bench_pass(struct bench *bench, uint64_t ms);
/* One node alone ticks until it stands for election. */
void bench_stand(struct bench *bench, uint32_t id);
/* Passes time until somebody leads; its id. */
uint32_t bench_elect(struct bench *bench);
struct replica_status bench_status(const struct bench *bench, uint32_t id);
RESULT bench_submit(struct bench *bench, uint32_t id, const char *text, uint64_t *ticket_out);
/* The oldest letter that waits; NULL: none. */
struct bench_letter *bench_next(struct bench *bench);
Wire__RaftMessage *bench_read(const struct bench_letter *letter);
/* The newest letter of this kind from this node, of those that wait; the others are forgotten. */
Wire__RaftMessage *bench_told(struct bench *bench, uint32_t from, Wire__RaftMessage__BodyCase body);

/* An AppendEntries written by the test. Entries of `terms` (0 ends) after `previous`; the one at
 * position `change` (1 …) is a configuration of nodes 1 to 3. */
RESULT bench_append(
    struct bench *bench,
    uint32_t from,
    uint32_t to,
    uint64_t term,
    uint64_t previous,
    uint64_t previous_term,
    uint64_t commit,
    const uint64_t *terms,
    uint32_t change);

#endif
