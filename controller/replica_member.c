/* Who takes part. Decides when a member may be added, raised, removed, and when leadership may
 * move; never who should be one.
 *
 * The happy path: add → SPARE, committed → the leader of the day raises it to STANDBY, then, once
 * it has caught up, to VOTER. Any leader goes on where the one before stopped: every member is
 * meant to vote.
 * What can go wrong: the own barrier is not applied, another change runs, a voter is missing that
 * is not the one to go → FAILURE_BUSY; the leader itself would go → FAILURE_DENIED (hand over
 * first); leadership is lost in the middle → the change may or may not be there, the status tells.
 */
#include "base/check.h"
#include "controller/replica_inner.h"

#include <string.h>

enum { CAUGHT_UP = 64 }; /* Entries behind; the library's own catch-up rounds do the rest. */

static const struct raft_server *server_of(const struct replica *replica, uint64_t id)
{
    const struct raft_configuration *members = &replica->object.raft.configuration;
    CHECK(members->n <= LIMIT_CONTROLLERS);
    CHECK(id != 0);
    for (unsigned int i = 0; i < members->n; i++) {
        if (members->servers[i].id == id) {
            return &members->servers[i];
        }
    }
    return NULL;
}

static uint64_t match_of(const struct replica *replica, uint64_t id)
{
    const struct raft *raft = &replica->object.raft;
    CHECK(raft->state == RAFT_LEADER);
    for (unsigned int i = 0; i < raft->configuration.n; i++) {
        if (raft->configuration.servers[i].id == id) {
            return raft->leader_state.progress[i].match_index;
        }
    }
    return 0;
}

/* It answers, and its own log has the configuration that made it a voter: a server whose own log
 * does not say so votes when it is asked (rule 12), and never stands for election. */
static bool here(const struct replica *replica, const struct raft_server *server)
{
    return server->id == replica->conf.self ||
           (replica_heard_ms(replica, server->id) <= REPLICA_HEARD_MS &&
            match_of(replica, server->id) >= replica->object.raft.configuration_index);
}

struct voters {
    unsigned int all;
    unsigned int here;
};

static struct voters voters_but(const struct replica *replica, uint64_t except)
{
    const struct raft_configuration *members = &replica->object.raft.configuration;
    struct voters voters = { 0 };
    CHECK(members->n <= LIMIT_CONTROLLERS);
    for (unsigned int i = 0; i < members->n; i++) {
        if (members->servers[i].role == RAFT_VOTER && members->servers[i].id != except) {
            voters.all++;
            voters.here += here(replica, &members->servers[i]) ? 1 : 0;
        }
    }
    CHECK(voters.here <= voters.all);
    return voters;
}

/* Rule 10: nobody is missing but the one who is to go. Two changes in a row could leave a majority
 * of voters that do not know that they are. */
static bool rule_10_all_here(const struct replica *replica, uint64_t except)
{
    struct voters voters = voters_but(replica, except);
    return voters.here == voters.all || !RULE(MEMBERS);
}

/* Rule 10: one of several that are missing may go, one by one, while a majority of those who stay
 * is here: no vote is asked of anybody new, and what decides afterwards decides now. */
static bool rule_10_may_go(const struct replica *replica, const struct raft_server *leaver)
{
    struct voters voters = voters_but(replica, leaver->id);
    bool decides = leaver->role == RAFT_VOTER && here(replica, leaver);
    return rule_10_all_here(replica, leaver->id) || (!decides && voters.here > voters.all / 2);
}

/* Rule 4: only after the own barrier, and one thing at a time. */
static RESULT rule_4_settled(const struct replica *replica)
{
    const struct replica_object *object = &replica->object;
    if (replica->halted || !object->started || object->raft.state != RAFT_LEADER) {
        return FAIL(FAILURE_NOT_LEADER);
    }
    if (RULE(SETTLED) && !object->settled) {
        return FAIL(FAILURE_NOT_LEADER);
    }
    if (object->change_busy || object->transfer_busy ||
        object->raft.configuration_uncommitted_index != 0) {
        return FAIL(FAILURE_BUSY);
    }
    CHECK(object->raft.transfer == NULL);
    return OK;
}

static bool room_for_change(const struct replica *replica)
{
    uint32_t size = 16 + LIMIT_CONTROLLERS * (LIMIT_ADDRESS + 16);
    CHECK(size < LIMIT_ENTRY);
    return journal_fits(replica->journal, JOURNAL_RESERVED, &size, 1);
}

static void change_done(struct raft_change *request, int status)
{
    struct replica *replica = request->data;
    CHECK(replica->in_turn);
    CHECK(replica->object.change_busy);
    (void)status; /* The committed configuration tells; a failed change is tried again or seen. */
    replica->object.change_busy = false;
}

static RESULT from_library(int code)
{
    switch (code) {
    case 0: return OK;
    case RAFT_NOTLEADER: return FAIL(FAILURE_NOT_LEADER);
    case RAFT_DUPLICATEID:
    case RAFT_DUPLICATEADDRESS: return FAIL(FAILURE_EXISTS);
    case RAFT_BADID:
    case RAFT_NOTFOUND: return FAIL(FAILURE_NOT_FOUND);
    default: return FAIL(FAILURE_BUSY);
    }
}

/* Runs one change of the library inside the open turn. */
static RESULT change(struct replica *replica, int code)
{
    CHECK(replica->in_turn);
    if (code != 0) {
        replica->object.change_busy = false;
    }
    return from_library(code);
}

static struct raft_change *change_begin(struct replica *replica)
{
    CHECK(!replica->object.change_busy);
    replica->object.change_busy = true;
    replica->object.change.data = replica;
    return &replica->object.change;
}

RESULT replica_add(struct replica *replica, uint64_t now_ms, uint64_t id, const char *address)
{
    TRY(rule_4_settled(replica));
    if (id == 0 || address[0] == '\0' || strlen(address) >= LIMIT_ADDRESS) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    if (server_of(replica, id) != NULL) {
        return FAIL(FAILURE_EXISTS);
    }
    if (replica->object.raft.configuration.n >= LIMIT_CONTROLLERS || !room_for_change(replica)) {
        return FAIL(FAILURE_FULL);
    }
    if (!rule_10_all_here(replica, 0)) {
        return FAIL(FAILURE_BUSY);
    }
    replica_turn_begin(replica, now_ms);
    struct raft_change *request = change_begin(replica);
    struct result result =
        change(replica, raft_add(&replica->object.raft, request, id, address, change_done));
    replica_turn_end(replica);
    return result;
}

RESULT replica_remove(struct replica *replica, uint64_t now_ms, uint64_t id)
{
    TRY(rule_4_settled(replica));
    const struct raft_server *leaver = id == 0 ? NULL : server_of(replica, id);
    if (leaver == NULL) {
        return FAIL(FAILURE_NOT_FOUND);
    }
    if (RULE(MEMBERS) && id == replica->conf.self) {
        return FAIL(FAILURE_DENIED); /* Rule 10: never the leader itself. */
    }
    if (!rule_10_may_go(replica, leaver)) {
        return FAIL(FAILURE_BUSY);
    }
    if (!room_for_change(replica)) {
        return FAIL(FAILURE_FULL);
    }
    replica_turn_begin(replica, now_ms);
    struct raft_change *request = change_begin(replica);
    struct result result =
        change(replica, raft_remove(&replica->object.raft, request, id, change_done));
    replica_turn_end(replica);
    return result;
}

static void transfer_done(struct raft_transfer *request)
{
    struct replica *replica = request->data;
    CHECK(replica->in_turn);
    CHECK(replica->object.transfer_busy);
    replica->object.transfer_busy = false;
}

/* The voter that was heard lately and is furthest along; 0: none. */
static uint64_t best_heir(const struct replica *replica)
{
    const struct raft_configuration *members = &replica->object.raft.configuration;
    uint64_t best = 0;
    uint64_t best_match = 0;
    CHECK(replica->object.raft.state == RAFT_LEADER);
    for (unsigned int i = 0; i < members->n; i++) {
        uint64_t id = members->servers[i].id;
        if (members->servers[i].role != RAFT_VOTER || id == replica->conf.self ||
            replica_heard_ms(replica, id) > REPLICA_HEARD_MS) {
            continue;
        }
        uint64_t match = match_of(replica, id);
        if (best == 0 || match > best_match) {
            best = id;
            best_match = match;
        }
    }
    return best;
}

RESULT replica_transfer(struct replica *replica, uint64_t now_ms, uint64_t peer)
{
    TRY(rule_4_settled(replica));
    if (peer == 0) {
        peer = best_heir(replica);
    }
    if (peer == 0 || peer == replica->conf.self || server_of(replica, peer) == NULL ||
        server_of(replica, peer)->role != RAFT_VOTER) {
        return FAIL(FAILURE_NOT_FOUND);
    }
    replica_turn_begin(replica, now_ms);
    struct replica_object *object = &replica->object;
    object->transfer_busy = true;
    object->transfer.data = replica;
    struct result result =
        from_library(raft_transfer(&object->raft, &object->transfer, peer, transfer_done));
    if (result.code != 0) {
        object->transfer_busy = false;
    }
    replica_turn_end(replica);
    return result;
}

/* Rule 10: spare, stand-by, voter, one step at a time. */
static void rule_10_raise(struct replica *replica)
{
    const struct raft *raft = &replica->object.raft;
    if (rule_4_settled(replica).code != 0 || !rule_10_all_here(replica, 0) ||
        !room_for_change(replica)) {
        return;
    }
    for (unsigned int i = 0; i < raft->configuration.n; i++) {
        const struct raft_server *server = &raft->configuration.servers[i];
        int role = RULE(MEMBERS) && server->role == RAFT_SPARE ? RAFT_STANDBY : RAFT_VOTER;
        if (server->role == RAFT_VOTER) {
            continue;
        }
        if (role == RAFT_VOTER && RULE(MEMBERS) &&
            (replica_heard_ms(replica, server->id) > REPLICA_HEARD_MS ||
             match_of(replica, server->id) + CAUGHT_UP < journal_state(replica->journal)->last)) {
            continue;
        }
        CHECK(server->id != replica->conf.self);
        struct raft_change *request = change_begin(replica);
        struct result raised = change(
            replica, raft_assign(&replica->object.raft, request, server->id, role, change_done));
        CHECK(raised.code == 0 || !replica->object.change_busy); /* The next tick tries again. */
        return;
    }
}

/* Rule 10: a follower that answers and only ever refuses will not be healed by this leader, whose
 * idea of it is wrong; a new object starts from none. */
static void rule_10_watchdog(struct replica *replica)
{
    CHECK(replica->in_turn);
    if (replica->object.raft.state != RAFT_LEADER || !RULE(MEMBERS)) {
        return;
    }
    for (int i = 0; i < REPLICA_PEERS; i++) {
        const struct replica_peer *peer = &replica->peers[i];
        if (peer->id != 0 && peer->refusing_since_ms != 0 &&
            replica->now_ms - peer->heard_ms <= REPLICA_HEARD_MS &&
            replica->now_ms - peer->refusing_since_ms > REPLICA_STUCK_MS &&
            server_of(replica, peer->id) != NULL) {
            replica->object.reopen_wanted = true;
        }
    }
}

void replica_members_tick(struct replica *replica)
{
    CHECK(replica->in_turn);
    if (replica_live(replica) && replica->object.raft.state == RAFT_LEADER) {
        rule_10_raise(replica);
        rule_10_watchdog(replica);
    }
}
