/* Votes that the library leaves out: rules 12 and 14 of the adapter. Each test named rule_… fails
 * in the mutant build that leaves this rule out. */
#include "tests/unit/replica_bench.h"

#include "base/check.h"
#include "wire/wire.h"

#include <criterion/criterion.h>

static bool raised(const struct bench *bench)
{
    struct replica_status status = bench_status(bench, 1);
    return status.member_count == 2 && status.members[1].role == REPLICA_VOTER;
}

/* A lone voter raises node 2, which hears nothing of it; then the first dies and comes back. */
static void raise_unheard(struct bench *bench)
{
    cr_assert_eq(bench_elect(bench), 1);
    cr_assert_eq(replica_add(bench->nodes[1].replica, bench->now_ms, 2, "n2:1").code, 0);
    for (int i = 0; i < 60 && !raised(bench); i++) {
        bench->now_ms += LIMIT_TICK_MS;
        replica_tick(bench->nodes[1].replica, bench->now_ms);
        while (bench->letter_count > 0 && !raised(bench)) {
            struct bench_letter letter = *bench_next(bench);
            struct replica *to = bench->nodes[letter.to].replica;
            struct slice bytes = slice_of(letter.bytes, letter.size);
            cr_assert_eq(replica_receive(to, bench->now_ms, letter.from, bytes).code, 0);
        }
    }
    bench_drop(bench);
    cr_assert_eq(bench_status(bench, 1).members[1].role, REPLICA_VOTER);
    cr_assert_eq(bench_status(bench, 2).members[1].role, REPLICA_STANDBY);
    replica_close(bench->nodes[1].replica);
    bench->nodes[1].applied_count = 0;
    bench->nodes[1].replica = NULL;
}

Test(replica, rule_12_who_does_not_know_that_it_is_a_voter_votes_for_the_one_who_raised_it)
{
    struct bench *bench = bench_begin(1, 64);
    raise_unheard(bench);
    bench_open_node(bench, 1, 0);
    cr_assert_eq(bench_elect(bench), 1);
    bench_pass(bench, 200);
    cr_assert_eq(bench_status(bench, 2).members[1].role, REPLICA_VOTER);
    cr_assert_not(bench_status(bench, 1).changing);
    bench_end(bench);
}

/* What node 2 says to a candidate; NULL: nothing. */
static Wire__RaftMessage *ask_vote(
    struct bench *bench, uint32_t from, uint64_t term, Wire__RaftVoteAsk ask)
{
    Wire__RaftMessage message = WIRE__RAFT_MESSAGE__INIT;
    uint8_t room[256];
    size_t size = 0;
    message.format = 1;
    message.term = term;
    message.body_case = WIRE__RAFT_MESSAGE__BODY_VOTE_ASK;
    message.vote_ask = &ask;
    CHECK(wire_encode_into(&message, room, sizeof(room), &size));
    struct replica *replica = bench->nodes[2].replica;
    cr_assert_eq(replica_receive(replica, bench->now_ms, from, slice_of(room, size)).code, 0);
    return bench_told(bench, 2, WIRE__RAFT_MESSAGE__BODY_VOTE_TOLD);
}

Test(replica, rule_12_such_a_vote_is_one_in_a_term_for_a_log_as_new_and_against_no_leader)
{
    struct bench *bench = bench_begin(1, 64);
    Wire__RaftVoteAsk ask = WIRE__RAFT_VOTE_ASK__INIT;
    raise_unheard(bench);
    bench_open_node(bench, 1, 0); /* So that answers have somebody to reach. */
    bench_drop(bench);
    ask.last_term = 5;
    ask.last_index = 99;
    cr_assert_not(ask_vote(bench, 1, 7, ask)->vote_told->granted); /* It has just heard it lead. */
    bench->now_ms += LIMIT_ELECTION_MS;
    ask.last_term = 1;
    cr_assert_not(ask_vote(bench, 1, 7, ask)->vote_told->granted); /* Its log is older. */
    ask.last_term = 5;
    Wire__RaftMessage *vote = ask_vote(bench, 1, 7, ask);
    cr_assert(vote->vote_told->granted);
    cr_assert_eq(vote->term, 7);
    const struct journal_state *state = journal_state(bench->nodes[2].replica->journal);
    cr_assert_eq(state->term, 7);
    cr_assert_eq(state->vote, 1);
    cr_assert_not(ask_vote(bench, 3, 7, ask)->vote_told->granted); /* INV-LOG-4 */
    cr_assert(ask_vote(bench, 1, 7, ask)->vote_told->granted);
    cr_assert_not(ask_vote(bench, 3, 6, ask)->vote_told->granted);
    cr_assert(ask_vote(bench, 3, 8, ask)->vote_told->granted);
    bench_end(bench);
}

Test(replica, rule_14_a_lone_voter_leads_in_a_term_that_is_new_to_its_disk)
{
    struct bench *bench = bench_begin(1, 64);
    cr_assert_eq(bench_elect(bench), 1);
    uint64_t term = bench_status(bench, 1).term;
    replica_close(bench->nodes[1].replica);
    bench->nodes[1].applied_count = 0;
    bench_open_node(bench, 1, 0);
    cr_assert_eq(bench_status(bench, 1).role, REPLICA_LEADING);
    cr_assert_gt(bench_status(bench, 1).term, term);
    cr_assert_eq(journal_state(bench->nodes[1].replica->journal)->vote, 1);
    bench_end(bench);
}

Test(replica, rule_14_a_lone_voter_that_hears_of_a_later_term_leads_in_one_of_its_own)
{
    struct bench *bench = bench_begin(1, 64);
    cr_assert_eq(bench_elect(bench), 1);
    cr_assert_eq(bench_append(bench, 2, 1, 7, 1, 1, 1, NULL, 0).code, 0);
    cr_assert_eq(bench_status(bench, 1).role, REPLICA_FOLLOWER);
    cr_assert_eq(bench_status(bench, 1).term, 7);
    cr_assert_eq(bench_elect(bench), 1);
    cr_assert_eq(bench_status(bench, 1).term, 8); /* INV-LOG-11: 2 may lead term 7. */
    bench_end(bench);
}
