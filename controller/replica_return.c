/* Decides whether this replica is an older copy of itself, which nothing on its own disk can tell
 * when log, votes and rows went back together. Such a one has forgotten votes that it gave and
 * entries that it acknowledged: it must neither vote nor count towards a majority again.
 *
 * The happy path: each replica tells the others every second where it stands (its term, and how
 * many committed entries it holds), and they keep the highest of it; a leader also knows what its
 * followers acknowledged. A replica that starts takes no part, asks, and hears from enough others
 * to make a majority with itself what they know of it: no more than it has. It gives the rest a
 * moment to contradict, since the first to answer may be the one that was cut off when the others
 * heard more. Then it takes part. Who says that he is a voter, by members newer than those that
 * this replica knows, counts as one: else it would wait for a voter that is gone, and the newer
 * ones for it. Who was removed and has not heard of it knows older members, and does not count.
 * What can go wrong: one of them knows of a higher term or of more entries → halt with
 * FAILURE_SET_BACK, for good: it is removed and joins anew under another identity; too few answer →
 * it waits, as it would for a majority anyway; everybody who heard it has started anew since →
 * nobody knows better, and it is taken for what it says. */
#include "base/check.h"
#include "controller/replica_inner.h"

enum { RETURN_ASK_MS = 4 * LIMIT_TICK_MS, RETURN_GRACE_MS = 500, STAND_MS = 1000 };

static bool is_other(const struct replica *replica, const struct raft_server *server)
{
    return server->id != replica->conf.self;
}

static bool is_known_voter(const struct replica *replica, uint64_t id)
{
    const struct raft_configuration *members = &replica->object.raft.configuration;
    for (unsigned int i = 0; i < members->n; i++) {
        if (members->servers[i].id == id) {
            return members->servers[i].role == RAFT_VOTER;
        }
    }
    return false;
}

/* Of the newest members that this replica knows. */
static uint64_t members_index(const struct replica *replica)
{
    const struct raft *raft = &replica->object.raft;
    return raft->configuration_uncommitted_index != 0 ? raft->configuration_uncommitted_index
                                                      : raft->configuration_index;
}

/* Those who answered, and say so themselves. */
static unsigned int newer_voters(const struct replica *replica)
{
    unsigned int count = 0;
    for (unsigned int at = 0; at < REPLICA_PEERS; at++) {
        const struct replica_peer *peer = &replica->peers[at];
        bool newer = peer->id != 0 && peer->answered && peer->votes_since > members_index(replica);
        count += newer && !is_known_voter(replica, peer->id) ? 1 : 0;
    }
    return count;
}

static unsigned int voters(const struct replica *replica)
{
    const struct raft_configuration *members = &replica->object.raft.configuration;
    unsigned int count = 0;
    for (unsigned int i = 0; i < members->n; i++) {
        count += members->servers[i].role == RAFT_VOTER ? 1 : 0;
    }
    CHECK(count <= LIMIT_CONTROLLERS);
    return count + newer_voters(replica);
}

/* asks: the other one is to answer. An answer asks nothing: two that return would never end. */
static void tell(struct replica *replica, uint64_t to, bool asks)
{
    const struct journal_state *state = journal_state(replica->journal);
    const struct replica_peer *peer = replica_peer_of(replica, to);
    uint64_t commit = replica->object.raft.commit_index;
    Wire__RaftStanding standing = WIRE__RAFT_STANDING__INIT;
    CHECK(!replica->in_turn); /* What is told is on the disk. */
    standing.held = commit < state->last ? commit : state->last;
    standing.known_term = peer->term;
    standing.known_held = peer->held;
    standing.returns = asks;
    standing.votes_since = is_known_voter(replica, replica->conf.self) ? members_index(replica) : 0;
    struct slice bytes = replica_encode_standing(replica->encoder, state->term, &standing);
    replica->host.send(replica->host.context, to, bytes);
}

void replica_return_begin(struct replica *replica)
{
    CHECK(!replica->returning);
    replica->returning = replica->conf.returns && voters(replica) > 1;
}

/* How many voters answered, with us. */
static unsigned int answers(const struct replica *replica)
{
    const struct raft_configuration *members = &replica->object.raft.configuration;
    unsigned int answered = 1 + newer_voters(replica);
    for (unsigned int i = 0; i < members->n; i++) {
        for (unsigned int at = 0; at < REPLICA_PEERS; at++) {
            const struct replica_peer *peer = &replica->peers[at];
            answered += members->servers[i].role == RAFT_VOTER &&
                                is_other(replica, &members->servers[i]) &&
                                peer->id == members->servers[i].id && peer->answered
                            ? 1
                            : 0;
        }
    }
    return answered;
}

/* Everybody answered, or a majority did and the others had their moment. */
static bool heard(struct replica *replica)
{
    unsigned int all = voters(replica);
    unsigned int answered = answers(replica);
    if (answered <= all / 2) {
        return false;
    }
    replica->enough_ms = replica->enough_ms == 0 ? replica->now_ms : replica->enough_ms;
    return answered == all || replica->now_ms - replica->enough_ms >= RETURN_GRACE_MS;
}

void replica_return_tick(struct replica *replica)
{
    const struct raft_configuration *members = &replica->object.raft.configuration;
    replica->returning = replica->returning && !heard(replica);
    uint64_t every = replica->returning ? RETURN_ASK_MS : STAND_MS;
    bool due = replica->stand_ms == 0 || replica->now_ms - replica->stand_ms >= every;
    if (!replica->conf.returns || !due || journal_state(replica->journal)->term == 0) {
        return;
    }
    replica->stand_ms = replica->now_ms;
    for (unsigned int i = 0; i < members->n; i++) {
        if (is_other(replica, &members->servers[i])) {
            tell(replica, members->servers[i].id, replica->returning);
        }
    }
}

static void note(struct replica_peer *peer, uint64_t term, uint64_t held)
{
    peer->term = term > peer->term ? term : peer->term;
    peer->held = held > peer->held ? held : peer->held;
    CHECK(peer->term > 0);
}

void replica_return_matched(struct replica *replica, struct replica_peer *peer, uint64_t match)
{
    uint64_t term = replica->object.raft.current_term;
    bool again = peer->matched_term == term && peer->matched > match;
    CHECK(replica->in_turn); /* Its end notes what is committed by then. */
    if (replica->object.raft.state == RAFT_LEADER) {
        peer->matched = again ? peer->matched : match;
        peer->matched_term = term;
    }
}

/* What commits an entry is the last of several acknowledgements, or our own disk: then it is noted
 * of all that have acknowledged it, before anybody is told that it is committed. INV-LOG-10 */
void replica_return_committed(struct replica *replica)
{
    const struct raft *raft = &replica->object.raft;
    for (unsigned int at = 0; at < REPLICA_PEERS && raft->state == RAFT_LEADER; at++) {
        struct replica_peer *peer = &replica->peers[at];
        bool now = peer->id != 0 && peer->matched_term == raft->current_term;
        if (now && peer->matched > 0) {
            uint64_t commit = raft->commit_index;
            note(peer, raft->current_term, peer->matched < commit ? peer->matched : commit);
        }
    }
}

bool replica_return_take(struct replica *replica, uint64_t peer, const Wire__RaftMessage *message)
{
    const struct journal_state *state = journal_state(replica->journal);
    if (message->body_case != WIRE__RAFT_MESSAGE__BODY_STANDING) {
        return replica->returning; /* INV-LOG-10: not a word before it is known. */
    }
    const Wire__RaftStanding *standing = message->standing;
    struct replica_peer *known = replica_peer_of(replica, peer);
    known->heard_ms = replica->now_ms;
    note(known, message->term, standing->held);
    if (replica->conf.returns &&
        (standing->known_term > state->term || standing->known_held > state->last)) {
        replica_halt(replica, FAIL(FAILURE_SET_BACK)); /* INV-LOG-10 */
        return true;
    }
    known->answered = true;
    known->votes_since = standing->votes_since;
    if (standing->returns && state->term > 0) {
        tell(replica, peer, false);
    }
    replica->returning = replica->returning && !heard(replica);
    return true;
}
