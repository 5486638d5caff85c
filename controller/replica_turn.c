/* One turn: calls to the library, then everything that they caused, in the one order that is sound.
 * Decides that order and when the library's object is dropped; never what is asked of it.
 *
 * The happy path: begin → the caller gives the library one thing → AppendEntries are with the link
 * already → one sync → completions, first in first out, each of which may cause more → votes and
 * replies leave → the host hears of lost tickets and of the role.
 * What can go wrong: sync fails → halt, nothing leaves; the object became unavailable, or a rule
 * wants it gone → its memory is dropped, the log is opened again, a new object starts, and what
 * was not sent is not sent. */
#include "base/check.h"
#include "controller/replica_inner.h"

#include <string.h>

bool replica_live(const struct replica *replica)
{
    const struct replica_object *object = &replica->object;
    return !replica->halted && object->started && !object->reopen_wanted &&
           object->raft.state != RAFT_UNAVAILABLE;
}

enum replica_role replica_role_now(const struct replica *replica)
{
    if (replica->halted) {
        return REPLICA_HALTED;
    }
    switch (replica->object.raft.state) {
    case RAFT_LEADER: return replica->object.settled ? REPLICA_LEADING : REPLICA_ELECTING;
    case RAFT_CANDIDATE: return REPLICA_CANDIDATE;
    default: return REPLICA_FOLLOWER;
    }
}

void replica_queue(struct replica *replica, enum replica_step step, void *request)
{
    struct replica_object *object = &replica->object;
    CHECK(replica->in_turn);
    CHECK(object->queue_count < REPLICA_QUEUE);
    uint32_t at = (object->queue_front + object->queue_count) % REPLICA_QUEUE;
    object->queue[at] = (struct replica_completion){ step, request, object->bound };
    object->queue_count++;
}

void replica_barrier_done(struct raft_barrier *request, int status)
{
    struct replica *replica = request->data;
    CHECK(replica->in_turn);
    CHECK(replica->object.barrier_busy);
    replica->object.barrier_busy = false;
    if (status == 0) {
        replica->object.settled = true;
    }
}

/* Rule 1: entries of earlier terms are committed only under one of our own, so a leader writes a
 * barrier before it does anything else. If it cannot, this object must not lead. */
static void rule_1_barrier(struct replica *replica)
{
    struct replica_object *object = &replica->object;
    uint32_t size = 16;
    if (!replica_live(replica) || raft_state(&object->raft) != RAFT_LEADER) {
        object->was_leader = false;
        object->settled = false;
        return;
    }
    if (object->was_leader) {
        return;
    }
    if (!replica_vote_own(replica)) {
        object->reopen_wanted = true;
        return;
    }
    object->was_leader = true;
    object->settled = !RULE(BARRIER);
    for (int i = 0; i < REPLICA_PEERS; i++) {
        replica->peers[i].refusing_since_ms = 0;
    }
    if (!RULE(BARRIER)) {
        return;
    }
    CHECK(!object->barrier_busy);
    object->barrier.data = replica;
    object->barrier_busy = true;
    if (!journal_fits(replica->journal, JOURNAL_INNER, &size, 1) ||
        raft_barrier(&object->raft, &object->barrier, replica_barrier_done) != 0) {
        object->barrier_busy = false;
        object->reopen_wanted = true;
    }
}

void replica_store_snapshot(struct replica *replica)
{
    struct replica_object *object = &replica->object;
    const struct journal_state *state = journal_state(replica->journal);
    bool whole = object->put_trailing == 0;
    uint64_t index = object->put.index;
    uint64_t first = index + 1;
    CHECK(object->put_busy);
    if (!whole) {
        uint64_t flushed = replica->host.flushed_index(replica->host.context);
        first = index > object->put_trailing ? index - object->put_trailing + 1 : 1;
        first = first > flushed + 1 ? flushed + 1 : first;
        first = first < state->first ? state->first : first;
    }
    struct result result = journal_put_snapshot(replica->journal, &object->put, first, whole);
    if (result.code != 0) {
        replica_halt(replica, result);
        return;
    }
    CHECK(state->snapshot.index == index);
    replica->fill_after_snapshot = journal_fill(replica->journal);
}

static void complete_put(struct replica *replica, struct raft_io_snapshot_put *request)
{
    /* Rule 2c: from this moment on, and not before, the library may ask for it. */
    if (RULE(STORE_LATE)) {
        replica_store_snapshot(replica);
    }
    replica->object.put_busy = false;
    replica->object.bound = UINT64_MAX; /* An installed snapshot is all that was asked. */
    if (!replica->halted) {
        request->cb(request, 0);
    }
}

static void complete_get(struct replica *replica, struct raft_io_snapshot_get *request)
{
    bool present = journal_state(replica->journal)->snapshot_present;
    CHECK(!replica->halted);
    struct raft_snapshot *snapshot = present ? replica_io_snapshot(replica) : NULL;
    request->cb(request, snapshot, present ? 0 : RAFT_NOTFOUND);
}

static void complete(struct replica *replica, struct replica_completion completion)
{
    replica->object.bound = completion.bound;
    replica_snapshot_pace(replica);
    switch (completion.step) {
    case STEP_APPEND: {
        struct raft_io_append *request = completion.request;
        CHECK(!RULE(SYNC) || !replica->halted);
        request->cb(request, 0);
        return;
    }
    case STEP_SEND: {
        struct raft_io_send *request = completion.request;
        request->cb(request, 0); /* Handed over; delivery is never promised. */
        return;
    }
    case STEP_PUT: complete_put(replica, completion.request); return;
    case STEP_GET: complete_get(replica, completion.request); return;
    }
    UNREACHABLE();
}

static void sync_log(struct replica *replica)
{
    if (replica->halted || !RULE(SYNC) || !RULE(STOP)) {
        return;
    }
    struct result result = journal_sync(replica->journal);
    if (result.code != 0) {
        replica_halt(replica, result);
    }
}

/* Rule 2b: everything the library waits for, outside of its calls, in order, and nothing is
 * complete that a crash could undo. */
static void rule_2b_settle(struct replica *replica)
{
    struct replica_object *object = &replica->object;
    rule_1_barrier(replica);
    sync_log(replica);
    while (object->queue_count > 0 && replica_live(replica)) {
        struct replica_completion next = object->queue[object->queue_front];
        object->queue_front = (object->queue_front + 1) % REPLICA_QUEUE;
        object->queue_count--;
        complete(replica, next);
        rule_1_barrier(replica);
        sync_log(replica);
    }
    object->bound = UINT64_MAX;
    CHECK(object->queue_count <= REPLICA_QUEUE);
}

static void trace_nothing(
    struct raft_tracer *tracer, const char *file, int line, const char *message)
{
    (void)tracer;
    (void)file;
    (void)line;
    (void)message;
}

RESULT replica_object_open(struct replica *replica)
{
    static struct raft_tracer silent = { .emit = trace_nothing };
    struct replica_object *object = &replica->object;
    CHECK(replica->in_turn);
    CHECK(replica->heap.bytes == 0);
    *object = (struct replica_object){ .bound = UINT64_MAX };
    replica->append_class = JOURNAL_INNER;
    replica_io_init(replica);
    replica_fsm_init(replica);
    int made = raft_init(
        &object->raft, &object->io, &object->fsm, replica->conf.self, replica->conf.address);
    CHECK(made == 0);
    object->raft.tracer = &silent;
    object->barrier.data = replica;
    object->change.data = replica;
    object->transfer.data = replica;
    raft_set_election_timeout(&object->raft, LIMIT_ELECTION_MS);
    raft_set_heartbeat_timeout(&object->raft, LIMIT_TICK_MS);
    raft_set_install_snapshot_timeout(&object->raft, REPLICA_INSTALL_MS);
    raft_set_pre_vote(&object->raft, !RULE(PLAIN_VOTE)); /* Rule 9. */
    replica_snapshot_pace(replica);
    replica_vote_alone(replica);
    int started = raft_start(&object->raft);
    if (replica->halted) {
        return FAIL(FAILURE_IO);
    }
    if (started != 0) {
        return FAIL(FAILURE_CORRUPT);
    }
    object->started = true;
    return OK;
}

static void lose(struct replica *replica, struct replica_submitted *submitted)
{
    CHECK(submitted->ticket != 0);
    CHECK(replica->lost_count < sizeof(replica->lost) / sizeof(replica->lost[0]));
    replica->lost[replica->lost_count++] = submitted->ticket;
    submitted->ticket = 0;
}

void replica_submitted_done(struct raft_apply *request, int status, void *result)
{
    struct replica *replica = request->data;
    CHECK(replica->in_turn);
    (void)result;
    for (int i = 0; i < REPLICA_OUTSTANDING; i++) {
        struct replica_submitted *submitted = &replica->object.submitted[i];
        if (&submitted->request != request) {
            continue;
        }
        if (status != 0) { /* Nothing is asked of the library here: it is half way out. */
            lose(replica, submitted);
        }
        submitted->ticket = 0;
    }
}

/* Drops the object exactly and starts another from what the disk holds. */
static void reopen(struct replica *replica)
{
    for (int i = 0; i < REPLICA_OUTSTANDING; i++) {
        if (replica->object.submitted[i].ticket != 0) {
            lose(replica, &replica->object.submitted[i]);
        }
    }
    replica_heap_drop(&replica->heap);
    replica->object = (struct replica_object){ .bound = UINT64_MAX };
    replica->parcel_count = 0;
    replica->reopened++;
    journal_close(replica->journal);
    replica->journal = NULL;
    struct result result = journal_open(replica->disk, &replica->journal_conf, &replica->journal);
    if (result.code == 0) {
        result = replica_object_open(replica);
    }
    if (result.code != 0) {
        replica_halt(replica, result);
    }
}

/* Only what is durable: after the turn was settled. */
static void send_parcels(struct replica *replica)
{
    CHECK(replica->object.queue_count == 0 || !replica_live(replica));
    for (uint32_t i = 0; i < replica->parcel_count && !replica->halted; i++) {
        const struct replica_parcel *parcel = &replica->parcels[i];
        replica->host.send(
            replica->host.context, parcel->peer, slice_of(parcel->bytes, parcel->size));
    }
    replica->parcel_count = 0;
}

static void tell_host(struct replica *replica)
{
    enum replica_role role = replica_role_now(replica);
    uint64_t term = replica->halted ? replica->told_term : replica->object.raft.current_term;
    send_parcels(replica);
    for (uint32_t i = 0; i < replica->lost_count; i++) {
        CHECK(replica->lost[i] != 0);
        replica->host.lost(replica->host.context, replica->lost[i]);
    }
    replica->lost_count = 0;
    if (role != replica->told_role || term != replica->told_term) {
        CHECK(term >= replica->told_term);
        replica->told_role = role;
        replica->told_term = term;
        replica->host.role(replica->host.context, role, term);
    }
}

void replica_turn_begin(struct replica *replica, uint64_t now_ms)
{
    CHECK(!replica->in_turn); /* A host call came back into this header. */
    CHECK(replica->parcel_count == 0);
    replica->in_turn = true;
    if (now_ms > replica->now_ms) {
        replica->now_ms = now_ms;
    }
    replica_heap_enter(&replica->heap);
    if (replica->journal != NULL && replica->object.started) {
        replica_snapshot_pace(replica);
    }
}

/* Rule 13: an installed snapshot takes the place of the whole log, and the library goes on
 * believing in a change of members that was in it. It would never change members nor take a
 * snapshot again, and roll back to a configuration that it no longer has. */
static bool rule_13_overtaken(const struct replica *replica)
{
    const struct raft *raft = &replica->object.raft;
    enum journal_type type = JOURNAL_COMMAND;
    uint64_t change = raft->configuration_uncommitted_index;
    uint64_t term = 0;
    if (!RULE(OVERTAKEN) || change == 0) {
        return false;
    }
    return change <= raft->last_applied ||
           !journal_entry_at(replica->journal, change, &term, &type) || type != JOURNAL_CHANGE;
}

/* An object that is behind its disk has nothing wrong with what it said. */
static void leave_behind(struct replica *replica)
{
    if (replica_live(replica) && (replica->object.behind || rule_13_overtaken(replica))) {
        send_parcels(replica);
        replica->object.reopen_wanted = true;
    }
}

void replica_turn_end(struct replica *replica)
{
    CHECK(replica->in_turn);
    rule_2b_settle(replica);
    leave_behind(replica);
    for (int times = 0; !replica->halted && !replica_live(replica); times++) {
        if (times == REPLICA_REOPENS) {
            replica_halt(replica, FAIL(FAILURE_CORRUPT));
            break;
        }
        reopen(replica);
        if (!replica->halted) {
            rule_2b_settle(replica);
        }
    }
    replica_return_committed(replica);
    tell_host(replica);
    replica->in_turn = false;
    CHECK(replica->lost_count == 0);
}
