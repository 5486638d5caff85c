/* A replica whose whole disk is set back to an older copy: the others know better, and it neither
 * votes again nor acknowledges again. The guard off shows the harm. */
#include "tests/unit/replica_bench.h"
#include "wire/wire.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void copy_file(struct sim_disk_file *to, const struct sim_disk_file *from)
{
    size_t sectors = (from->size + SIM_DISK_SECTOR - 1) / SIM_DISK_SECTOR;
    *to = *from;
    to->seen = malloc(from->size);
    to->durable = malloc(from->size);
    to->dirty = malloc(sectors);
    cr_assert(to->seen != NULL && to->durable != NULL && to->dirty != NULL);
    memcpy(to->seen, from->seen, from->size);
    memcpy(to->durable, from->durable, from->size);
    memcpy(to->dirty, from->dirty, sectors);
}

static void copy_disk(struct sim_disk *to, struct sim_disk *from)
{
    *to = *from;
    for (int i = 0; i < SIM_DISK_FILES; i++) {
        if (from->files[i].name[0] != '\0') {
            copy_file(&to->files[i], &from->files[i]);
        }
    }
}

/* The process ends and starts again; `disk` is put in place of its own, or NULL. */
static void restart(struct bench *bench, uint32_t id, struct sim_disk *disk)
{
    struct bench_node *node = &bench->nodes[id];
    replica_close(node->replica);
    node->replica = NULL;
    sim_disk_kill(&node->disk);
    sim_disk_restart(&node->disk);
    if (disk != NULL) {
        sim_disk_free(&node->disk);
        copy_disk(&node->disk, disk);
    }
    node->applied_count = 0;
    bench_open_node(bench, id, 0);
}

/* Three agree on an entry, a copy of `id`'s disk is made, and they go on to a second one. */
static uint32_t story(struct bench *bench, uint32_t *follower_out, struct sim_disk *copy)
{
    uint64_t ticket = 0;
    uint32_t leader = bench_elect(bench);
    uint32_t follower = leader % 3 + 1;
    cr_assert_eq(bench_submit(bench, leader, "one", &ticket).code, 0);
    bench_pass(bench, 90);
    copy_disk(copy, &bench->nodes[follower].disk);
    cr_assert_eq(bench_submit(bench, leader, "two", &ticket).code, 0);
    bench_pass(bench, 90);
    cr_assert_eq(bench->nodes[follower].applied_count, 2);
    *follower_out = follower;
    return leader;
}

/* Asks `id` for its vote in `term`, as `candidate` with a log as long as the first entry. */
static bool votes(struct bench *bench, uint32_t id, uint32_t candidate, uint64_t term)
{
    struct replica *replica = bench->nodes[id].replica;
    Wire__RaftVoteAsk ask = WIRE__RAFT_VOTE_ASK__INIT;
    Wire__RaftMessage message = WIRE__RAFT_MESSAGE__INIT;
    uint8_t room[128];
    size_t size = 0;
    message.format = 1;
    message.term = term;
    message.body_case = WIRE__RAFT_MESSAGE__BODY_VOTE_ASK;
    message.vote_ask = &ask;
    ask.last_index = journal_state(replica->journal)->last;
    ask.last_term = term - 1;
    ask.disrupt = true;
    cr_assert(wire_encode_into(&message, room, sizeof(room), &size));
    bench_drop(bench);
    cr_assert_eq(replica_receive(replica, bench->now_ms, candidate, slice_of(room, size)).code, 0);
    bool yes = false;
    for (struct bench_letter *letter = bench_next(bench); letter != NULL;
         letter = bench_next(bench)) {
        Wire__RaftMessage *told = bench_read(letter);
        yes = yes ||
              (letter->from == id && told->term == term &&
               told->body_case == WIRE__RAFT_MESSAGE__BODY_VOTE_TOLD && told->vote_told->granted);
    }
    return yes;
}

Test(replica_return, a_disk_that_is_set_back_votes_twice_unless_the_others_are_asked_first)
{
    struct bench *bench = bench_begin(3, 64);
    struct sim_disk copy;
    uint32_t follower = 0;
    uint32_t leader = story(bench, &follower, &copy);
    uint32_t third = 6 - leader - follower;
    uint64_t term = bench_status(bench, follower).term + 1;
    cr_assert(votes(bench, follower, leader, term));
    cr_assert_not(votes(bench, follower, third, term)); /* INV-LOG-4 */
    restart(bench, follower, &copy);
    cr_assert(votes(bench, follower, third, term)); /* The harm: in one term, for another. */
    bench->returns = true;
    restart(bench, follower, &copy);
    cr_assert_not(votes(bench, follower, third, term)); /* INV-LOG-10 */
    cr_assert_eq(bench->nodes[follower].halts, 0);
    sim_disk_free(&copy);
    bench_end(bench);
}

Test(replica_return, what_acknowledged_more_than_it_has_halts_for_good) /* INV-LOG-10 */
{
    struct bench *bench = bench_begin(3, 64);
    struct sim_disk copy;
    uint32_t follower = 0;
    bench->returns = true;
    for (uint32_t id = 1; id <= 3; id++) {
        restart(bench, id, NULL);
    }
    bench_pass(bench, 300);
    uint32_t leader = story(bench, &follower, &copy);
    restart(bench, follower, &copy);
    bench_pass(bench, 300);
    cr_assert_geq(bench->nodes[follower].halts, 1);
    cr_assert_eq(bench_status(bench, follower).role, REPLICA_HALTED);
    cr_assert_eq(bench->nodes[follower].applied_count, 0);
    uint64_t ticket = 0;
    cr_assert_eq(bench_submit(bench, leader, "three", &ticket).code, 0);
    bench_pass(bench, 90);
    cr_assert_eq(bench->nodes[leader].applied_count, 3); /* The other two serve on. */
    sim_disk_free(&copy);
    bench_end(bench);
}

Test(replica_return, the_follower_that_does_not_lead_knows_it_too)
{
    struct bench *bench = bench_begin(3, 64);
    struct sim_disk copy;
    uint32_t follower = 0;
    bench->returns = true;
    for (uint32_t id = 1; id <= 3; id++) {
        restart(bench, id, NULL);
    }
    bench_pass(bench, 300);
    uint32_t leader = story(bench, &follower, &copy);
    bench_pass(bench, 2000); /* It was told where the follower stands. */
    bench->nodes[leader].cut = true;
    restart(bench, follower, &copy);
    bench_pass(bench, 300);
    cr_assert_geq(bench->nodes[follower].halts, 1);
    sim_disk_free(&copy);
    bench_end(bench);
}

Test(replica_return, whoever_kept_its_disk_returns_with_one_of_two_and_waits_for_none)
{
    struct bench *bench = bench_begin(3, 64);
    uint64_t ticket = 0;
    bench->returns = true;
    for (uint32_t id = 1; id <= 3; id++) {
        restart(bench, id, NULL); /* All at once: nobody knows of anybody. */
    }
    bench_pass(bench, 300);
    uint32_t leader = bench_elect(bench);
    uint32_t follower = leader % 3 + 1;
    uint32_t third = 6 - leader - follower;
    cr_assert_eq(bench_submit(bench, leader, "one", &ticket).code, 0);
    bench_pass(bench, 2000);
    bench->nodes[follower].cut = true;
    restart(bench, third, NULL);
    bench->nodes[leader].cut = true;
    bench_pass(bench, 1200);
    cr_assert(bench->nodes[third].replica->returning); /* Alone it is no majority either way. */
    cr_assert_eq(bench_status(bench, third).role, REPLICA_FOLLOWER);
    bench->nodes[leader].cut = false;
    bench_pass(bench, 300);
    cr_assert(bench->nodes[third].replica->returning); /* The other one may know better. */
    bench_pass(bench, 600);
    cr_assert_not(bench->nodes[third].replica->returning); /* It had its moment. */
    cr_assert_eq(bench->nodes[third].halts, 0);
    bench_pass(bench, 900);
    leader = bench_elect(bench);
    cr_assert_eq(bench_submit(bench, leader, "two", &ticket).code, 0);
    bench_pass(bench, 90);
    cr_assert_geq(bench->nodes[leader].applied_count, 1);
    bench_end(bench);
}

Test(replica_return, two_that_return_ask_each_other_in_turn_and_answer_no_answer)
{
    struct bench *bench = bench_begin(5, 64);
    bench->returns = true;
    for (uint32_t id = 1; id <= 5; id++) {
        bench->nodes[id].cut = id > 2; /* Two of five: they wait, and may wait for hours. */
    }
    restart(bench, 1, NULL);
    restart(bench, 2, NULL);
    replica_tick(bench->nodes[1].replica, bench->now_ms);
    uint32_t letters = 0;
    for (; bench->letter_count > 0; letters++) {
        cr_assert_lt(letters, BENCH_LETTERS);
        struct bench_letter letter = *bench_next(bench);
        struct slice bytes = slice_of(letter.bytes, letter.size);
        struct replica *to = bench->nodes[letter.to].replica;
        cr_assert_eq(replica_receive(to, bench->now_ms, letter.from, bytes).code, 0);
    }
    cr_assert_eq(letters, 2); /* A question and its answer. */
    cr_assert(bench->nodes[1].replica->returning);
    bench_end(bench);
}

/* Of two voters one leads, takes in a third while the other is away, and is gone for good. */
Test(replica_return, who_returns_counts_those_who_became_voters_while_it_was_away)
{
    struct bench *bench = bench_begin(2, 64);
    uint64_t ticket = 0;
    bench->returns = true;
    restart(bench, 1, NULL);
    restart(bench, 2, NULL);
    bench_open_node(bench, 3, 0);
    bench_pass(bench, 300);
    uint32_t leader = bench_elect(bench);
    uint32_t away = 3 - leader;
    struct replica *leads = bench->nodes[leader].replica;
    cr_assert_eq(replica_add(leads, bench->now_ms, 3, "n3:1").code, 0);
    while (bench_status(bench, away).member_count < 3) {
        bench_pass(bench, 30); /* It has heard of the third, as one that does not vote yet. */
    }
    cr_assert_neq(bench_status(bench, away).members[2].role, REPLICA_VOTER);
    bench->nodes[away].cut = true;
    bench_pass(bench, 3000);
    cr_assert_eq(bench_status(bench, 3).members[2].role, REPLICA_VOTER);
    bench->nodes[leader].cut = true;
    bench->nodes[away].cut = false;
    restart(bench, away, NULL);
    bench_pass(bench, 3000); /* Its own members are the one that is gone and itself. */
    cr_assert_not(bench->nodes[away].replica->returning);
    cr_assert_eq(bench_elect(bench), 3);
    cr_assert_eq(bench_submit(bench, 3, "on", &ticket).code, 0);
    bench_pass(bench, 300);
    cr_assert_geq(bench->nodes[away].applied_count, 1);
    bench_end(bench);
}

/* Of five two are removed while they are away, and go on believing that they vote. */
Test(replica_return, who_was_removed_and_does_not_know_it_makes_no_majority)
{
    struct bench *bench = bench_begin(5, 64);
    bench->returns = true;
    for (uint32_t id = 1; id <= 5; id++) {
        restart(bench, id, NULL);
    }
    bench_pass(bench, 300);
    uint32_t leader = bench_elect(bench);
    uint32_t gone[2] = { leader % 5 + 1, (leader + 1) % 5 + 1 };
    uint32_t returns = (leader + 2) % 5 + 1;
    uint32_t last = (leader + 3) % 5 + 1;
    for (int i = 0; i < 2; i++) {
        bench->nodes[gone[i]].cut = true;
        struct replica *leads = bench->nodes[leader].replica;
        cr_assert_eq(replica_remove(leads, bench->now_ms, gone[i]).code, 0);
        bench_pass(bench, 1000);
    }
    cr_assert_eq(bench_status(bench, returns).member_count, 3);
    bench->nodes[leader].cut = true;
    bench->nodes[last].cut = true;
    bench->nodes[gone[0]].cut = false;
    bench->nodes[gone[1]].cut = false;
    restart(bench, returns, NULL);
    bench_pass(bench, 3000);
    cr_assert(bench->nodes[returns].replica->returning); /* INV-LOG-10 */
    bench->nodes[last].cut = false;
    bench_pass(bench, 3000);
    cr_assert_not(bench->nodes[returns].replica->returning);
    bench_end(bench);
}

/* Of `voters` just a majority acknowledges an entry, which commits it; the `which`-th of those who
 * follow is set back right after. */
static void commits_and_forgets(uint32_t voters, uint32_t which)
{
    struct bench *bench = bench_begin(voters, 64);
    struct sim_disk copy;
    uint64_t ticket = 0;
    bench->returns = true;
    for (uint32_t id = 1; id <= voters; id++) {
        restart(bench, id, NULL);
    }
    bench_pass(bench, 300);
    uint32_t leader = bench_elect(bench);
    uint32_t follower = (leader - 1 + which) % voters + 1;
    cr_assert_eq(bench_submit(bench, leader, "one", &ticket).code, 0);
    bench_pass(bench, 90);
    copy_disk(&copy, &bench->nodes[follower].disk);
    for (uint32_t i = voters / 2 + 1; i < voters; i++) {
        bench->nodes[(leader - 1 + i) % voters + 1].cut = true;
    }
    cr_assert_eq(bench_submit(bench, leader, "two", &ticket).code, 0);
    bench_deliver(bench);
    cr_assert_eq(bench->nodes[leader].applied_count, 2); /* Committed, and no more was said. */
    restart(bench, follower, &copy);
    for (uint32_t id = 1; id <= voters; id++) {
        bench->nodes[id].cut = false;
    }
    bench_pass(bench, 300);
    cr_assert_eq(bench->nodes[follower].halts, 1, "of %u the %u.", voters, which); /* INV-LOG-10 */
    sim_disk_free(&copy);
    bench_end(bench);
}

Test(replica_return, who_has_just_committed_an_entry_and_lost_it_is_told_so)
{
    commits_and_forgets(3, 1);
}

Test(replica_return, who_acknowledged_it_before_the_last_one_is_told_so_as_well)
{
    commits_and_forgets(5, 1);
}

Test(replica_return, whose_acknowledgement_was_the_last_of_five_is_told_so)
{
    commits_and_forgets(5, 2);
}
