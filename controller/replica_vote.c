/* Two votes that the library leaves out. Decides when a replica votes that does not know that it is
 * a voter, and that a lone voter votes for itself; never for whom a voter votes, which is the
 * library's.
 *
 * The library refuses every vote while its own log does not call it a voter. A leader that raised a
 * member, died before anybody heard of it and came back would then wait for ever for the vote of
 * the one it raised. Whose votes count is the candidate's to know, by its own log; a vote is sound
 * from anybody who gives one in a term and keeps it.
 *
 * The library makes a lone voter the leader of the term that it finds, be it one in which it, or
 * another, led before. What followers got before its own disk did, and a loss of power took from
 * it, would then be written twice: two entries of one index and term.
 *
 * The happy path: a candidate asks → we hear no leader, have not voted in its term and have nothing
 * that it lacks → term and vote are on the disk → the answer leaves → a new object starts from
 * them. A lone voter starts → its vote for itself in the next term is on the disk → the library
 * starts. What can go wrong: any of that does not hold → the library answers, and refuses; the disk
 * fails → halt, nothing leaves; a lone voter is made leader while it runs, in a term of another → a
 * new object starts, in a new term. */
#include "base/check.h"
#include "controller/replica_inner.h"

static bool is_voter(const struct replica *replica)
{
    const struct raft_configuration *members = &replica->object.raft.configuration;
    CHECK(members->n <= LIMIT_CONTROLLERS);
    for (unsigned int i = 0; i < members->n; i++) {
        if (members->servers[i].id == replica->conf.self) {
            return members->servers[i].role == RAFT_VOTER;
        }
    }
    return false;
}

/* The library forgets a silent leader when it stands for election, which a non-voter never does. */
static bool hears_leader(const struct replica *replica)
{
    const struct raft *raft = &replica->object.raft;
    CHECK(raft->state == RAFT_FOLLOWER);
    CHECK(raft->election_timer_start <= replica->now_ms);
    return raft->follower_state.current_leader.id != 0 &&
           replica->now_ms - raft->election_timer_start < LIMIT_ELECTION_MS;
}

/* Is a log that ends there at least as new as ours? */
static bool new_enough(const struct replica *replica, const Wire__RaftVoteAsk *ask)
{
    const struct journal_state *state = journal_state(replica->journal);
    uint64_t term = 0;
    if (state->last > 0 && !journal_entry_at(replica->journal, state->last, &term, NULL)) {
        CHECK(state->snapshot_present);
        CHECK(state->snapshot.index == state->last);
        term = state->snapshot.term;
    }
    return ask->last_term != term ? ask->last_term > term : ask->last_index >= state->last;
}

/* Rule 12: who does not know that it is a voter votes like one. */
static bool rule_12_votes(
    const struct replica *replica, uint64_t candidate, const Wire__RaftMessage *message)
{
    const struct journal_state *state = journal_state(replica->journal);
    const struct raft *raft = &replica->object.raft;
    bool free = message->term > state->term || state->vote == 0 || state->vote == candidate;
    CHECK(candidate != replica->conf.self);
    if (!RULE(ASKED) || raft->state != RAFT_FOLLOWER || is_voter(replica)) {
        return false;
    }
    return message->term >= state->term && free && /* INV-LOG-4 */
           (message->vote_ask->disrupt || !hears_leader(replica)) &&
           new_enough(replica, message->vote_ask);
}

bool replica_vote_take(
    struct replica *replica, uint64_t candidate, const Wire__RaftMessage *message)
{
    struct raft_io *io = &replica->object.io;
    struct raft_message answer = { .type = RAFT_IO_REQUEST_VOTE_RESULT, .server_id = candidate };
    CHECK(replica->in_turn);
    CHECK(replica_live(replica));
    if (!rule_12_votes(replica, candidate, message)) {
        return false;
    }
    answer.request_vote_result.term = message->term;
    answer.request_vote_result.vote_granted = true;
    answer.request_vote_result.pre_vote = raft_tribool_false;
    int kept = io->set_term(io, message->term);
    CHECK(kept == 0);
    kept = io->set_vote(io, candidate);
    CHECK(kept == 0);
    CHECK(replica->halted || journal_state(replica->journal)->vote == candidate);
    int handed = io->send(io, NULL, &answer, NULL);
    CHECK(handed == 0);
    replica->object.behind = true;
    return true;
}

static bool is_alone(struct replica *replica)
{
    struct journal_snapshot found = { .index = 0 };
    bool self = false;
    uint32_t voters = 0;
    if (!replica_members_at(replica, journal_state(replica->journal)->last, &found)) {
        return false;
    }
    CHECK(found.member_count <= LIMIT_CONTROLLERS);
    for (uint32_t i = 0; i < found.member_count; i++) {
        bool voter = found.members[i].role == RAFT_VOTER;
        voters += voter ? 1 : 0;
        self = self || (voter && found.members[i].id == replica->conf.self);
    }
    return self && voters == 1;
}

/* Rule 14: a lone voter leads in a term that is new to its disk. */
void replica_vote_alone(struct replica *replica)
{
    const struct journal_state *state = journal_state(replica->journal);
    CHECK(!replica->object.started);
    if (!RULE(TERM) || replica->halted || !is_alone(replica)) {
        return;
    }
    struct result result = journal_set_term(replica->journal, state->term + 1);
    if (result.code == 0) {
        result = journal_set_vote(replica->journal, replica->conf.self);
    }
    if (result.code != 0) {
        replica_halt(replica, result);
    }
}

bool replica_vote_own(const struct replica *replica)
{
    CHECK(replica->object.raft.state == RAFT_LEADER);
    return !RULE(TERM) || replica->halted ||
           journal_state(replica->journal)->vote == replica->conf.self; /* INV-LOG-11 */
}
