/* The methods that libraft calls: disk, messages, time, chance. Decides when each is complete;
 * never calls back into the library from inside one (completions are queued for the turn).
 *
 * The happy path: the library calls append → the record is written, not synced → the call returns →
 * the turn syncs once and runs the callbacks. Term and vote are durable on return.
 * What can go wrong: a write or sync fails → replica_halt, and every later method does nothing;
 * the library asks for a second vote in a term → it is refused and the object is dropped. */
#include "base/check.h"
#include "controller/replica_inner.h"

#include <string.h>

static struct replica *owner_of(const struct raft_io *io)
{
    struct replica *replica = io->impl;
    CHECK(replica != NULL);
    CHECK(replica->in_turn);
    return replica;
}

void replica_halt(struct replica *replica, struct result why)
{
    CHECK(why.code != 0);
    if (!replica->halted) {
        replica->halted = true;
        replica->host.halt(replica->host.context, why);
    }
}

static int io_init(struct raft_io *io, raft_id id, const char *address)
{
    CHECK(owner_of(io)->conf.self == id);
    CHECK(address != NULL);
    return 0;
}

/* The object is never closed in order: it is dropped with its heap. */
static void io_close(struct raft_io *io, raft_io_close_cb done)
{
    CHECK(owner_of(io) == NULL);
    CHECK(done == NULL);
}

static int io_start(
    struct raft_io *io, unsigned int period_ms, raft_io_tick_cb tick, raft_io_recv_cb receive)
{
    struct replica_object *object = &owner_of(io)->object;
    CHECK(period_ms == LIMIT_TICK_MS);
    object->tick = tick;
    object->receive = receive;
    return 0;
}

static int io_bootstrap(struct raft_io *io, const struct raft_configuration *members)
{
    struct replica *replica = owner_of(io);
    struct raft_buffer encoded = { 0 };
    const struct journal_state *state = journal_state(replica->journal);
    CHECK(members->n > 0);
    if (state->term > 1 || state->last != 0 || raft_configuration_encode(members, &encoded) != 0) {
        return RAFT_CANTBOOTSTRAP;
    }
    struct journal_entry entry = {
        .index = 1,
        .term = 1,
        .type = JOURNAL_CHANGE,
        .bytes = slice_of(encoded.base, encoded.len),
    };
    CHECK(replica_change_valid(entry.bytes));
    struct result result = state->term == 0 ? journal_set_term(replica->journal, 1) : OK;
    if (result.code == 0) {
        result = journal_append(replica->journal, JOURNAL_INNER, &entry);
    }
    if (result.code == 0) {
        result = journal_sync(replica->journal);
    }
    raft_free(encoded.base);
    return result.code == 0 ? 0 : RAFT_IOERR;
}

static int io_recover(struct raft_io *io, const struct raft_configuration *members)
{
    CHECK(owner_of(io) != NULL);
    (void)members;
    return RAFT_INVALID; /* Only offline, by a tool of its own. */
}

/* Rule 8: one batch for each entry, so that none is freed while a message still holds another. */
static void rule_8_batches(struct raft_entry *entries, size_t count)
{
    if (RULE(BATCH) || count == 0) {
        return;
    }
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        size += (entries[i].buf.len + 8) & ~(size_t)7;
    }
    uint8_t *batch = raft_malloc(size);
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        memcpy(batch + at, entries[i].buf.base, entries[i].buf.len);
        raft_free(entries[i].buf.base);
        entries[i].buf.base = batch + at;
        entries[i].batch = batch;
        at += (entries[i].buf.len + 8) & ~(size_t)7;
    }
}

static int load_entries(struct replica *replica, struct raft_entry **entries_out, size_t *count_out)
{
    const struct journal_state *state = journal_state(replica->journal);
    size_t count = (size_t)(state->last + 1 - state->first);
    struct raft_entry *entries = count > 0 ? raft_calloc(count, sizeof(*entries)) : NULL;
    for (size_t i = 0; i < count; i++) {
        struct journal_entry entry = { 0 };
        struct result read = journal_read(replica->journal, state->first + i, &entry);
        if (read.code != 0 ||
            (entry.type == JOURNAL_CHANGE && !replica_change_valid(entry.bytes))) {
            return RAFT_CORRUPT; /* What was loaded so far goes with the heap. */
        }
        uint8_t *copy = raft_malloc(entry.bytes.size + 1);
        if (entry.bytes.size > 0) {
            memcpy(copy, entry.bytes.data, entry.bytes.size);
        }
        entries[i].term = entry.term;
        entries[i].type = (unsigned short)entry.type;
        entries[i].buf.base = copy;
        entries[i].buf.len = entry.bytes.size;
        entries[i].batch = copy;
    }
    rule_8_batches(entries, count);
    *entries_out = entries;
    *count_out = count;
    return 0;
}

static int io_load(
    struct raft_io *io,
    raft_term *term_out,
    raft_id *vote_out,
    struct raft_snapshot **snapshot_out,
    raft_index *start_out,
    struct raft_entry **entries_out,
    size_t *count_out)
{
    struct replica *replica = owner_of(io);
    const struct journal_state *state = journal_state(replica->journal);
    CHECK(!replica->object.started);
    *term_out = state->term;
    *vote_out = state->vote;
    *start_out = state->first;
    *snapshot_out = state->snapshot_present ? replica_io_snapshot(replica) : NULL;
    return load_entries(replica, entries_out, count_out);
}

static int io_set_term(struct raft_io *io, raft_term term)
{
    struct replica *replica = owner_of(io);
    const struct journal_state *state = journal_state(replica->journal);
    CHECK(term >= state->term); /* INV-LOG-3 */
    if (replica->halted || term == state->term) {
        return 0;
    }
    struct result result = journal_set_term(replica->journal, term);
    if (result.code != 0) {
        replica_halt(replica, result);
    }
    return 0;
}

/* Rule 3: the vote that is on the disk stands, whatever the library thinks (a transfer makes it
 * forget). Its object becomes unavailable and is dropped. */
static bool rule_3_vote_stands(const struct journal_state *state, raft_id candidate)
{
    return RULE(VOTE) && state->vote != 0 && state->vote != candidate; /* INV-LOG-4 */
}

static int io_set_vote(struct raft_io *io, raft_id candidate)
{
    struct replica *replica = owner_of(io);
    const struct journal_state *state = journal_state(replica->journal);
    CHECK(candidate != 0);
    if (replica->halted || state->vote == candidate) {
        return 0;
    }
    if (rule_3_vote_stands(state, candidate)) {
        return RAFT_IOERR;
    }
    struct result result = journal_set_vote(replica->journal, candidate);
    if (result.code != 0) {
        replica_halt(replica, result);
    }
    return 0;
}

/* Rule 2a: the library reports its whole log as matching; only what the leader sent was compared.
 */
static void rule_2a_clamp(const struct replica *replica, struct raft_message *message)
{
    if (RULE(CLAMP) && message->type == RAFT_IO_APPEND_ENTRIES_RESULT &&
        message->append_entries_result.rejected == 0 &&
        message->append_entries_result.last_log_index > replica->object.bound) {
        message->append_entries_result.last_log_index = replica->object.bound;
    }
}

/* Followers write while we write: nothing in an AppendEntries promises anything of our own disk,
 * and our term was durable when set_term returned. The library sends all that a follower lacks at
 * once; it leaves as a chain of messages, each of which is one that a leader may send. What is
 * beyond the chain is missed by the follower and sent again. */
static void send_append(struct replica *replica, struct raft_message *message)
{
    struct raft_append_entries *append = &message->append_entries;
    CHECK(message->type == RAFT_IO_APPEND_ENTRIES);
    for (int part = 0; part < REPLICA_CHAIN; part++) {
        unsigned int taken = 0;
        struct slice bytes =
            replica_encode(replica->encoder, message, replica->conf.message_max, &taken);
        replica->host.send(replica->host.context, message->server_id, bytes);
        CHECK(taken <= append->n_entries);
        if (taken == append->n_entries) {
            return;
        }
        append->prev_log_index += taken;
        append->prev_log_term = append->entries[taken - 1].term;
        append->entries += taken;
        append->n_entries -= taken;
    }
}

static int io_send(
    struct raft_io *io,
    struct raft_io_send *request,
    const struct raft_message *message,
    raft_io_send_cb done)
{
    struct replica *replica = owner_of(io);
    if (done != NULL) { /* NULL: the request may vanish any time and is never touched. */
        request->cb = done;
        replica_queue(replica, STEP_SEND, request);
    }
    if (replica->halted || message->server_id == 0) {
        return 0; /* 0: an answer to a leader that it has forgotten. */
    }
    struct raft_message copy = *message;
    rule_2a_clamp(replica, &copy);
    if (copy.type == RAFT_IO_APPEND_ENTRIES) {
        send_append(replica, &copy);
        return 0;
    }
    unsigned int none = 0;
    struct slice bytes = replica_encode(replica->encoder, &copy, REPLICA_MESSAGE_MAX, &none);
    if (copy.type == RAFT_IO_INSTALL_SNAPSHOT) {
        replica->host.send(replica->host.context, copy.server_id, bytes);
        return 0;
    }
    CHECK(bytes.size <= REPLICA_PARCEL);
    if (replica->parcel_count < REPLICA_PARCELS) { /* Else lost, as messages may be. */
        struct replica_parcel *parcel = &replica->parcels[replica->parcel_count++];
        parcel->peer = copy.server_id;
        parcel->size = bytes.size;
        memcpy(parcel->bytes, bytes.data, bytes.size);
    }
    return 0;
}

static int io_append(
    struct raft_io *io,
    struct raft_io_append *request,
    const struct raft_entry entries[],
    unsigned int count,
    raft_io_append_cb done)
{
    struct replica *replica = owner_of(io);
    struct result result = OK;
    request->cb = done;
    for (unsigned int i = 0; i < count && !replica->halted && result.code == 0; i++) {
        struct journal_entry entry = {
            .index = journal_state(replica->journal)->last + 1,
            .term = entries[i].term,
            .type = (enum journal_type)entries[i].type,
            .bytes = slice_of(entries[i].buf.base, entries[i].buf.len),
        };
        result = journal_append(replica->journal, replica->append_class, &entry);
    }
    if (result.code != 0) {
        /* Rule 11: the library removes what it already sent; it never hears of a failure. */
        if (!RULE(STOP)) {
            return RAFT_IOERR;
        }
        replica_halt(replica, result);
    }
    replica_queue(replica, STEP_APPEND, request);
    return 0;
}

static int io_truncate(struct raft_io *io, raft_index index)
{
    struct replica *replica = owner_of(io);
    if (replica->halted) {
        return 0;
    }
    CHECK(index >= journal_state(replica->journal)->first);
    struct result result = journal_truncate(replica->journal, index);
    if (result.code != 0) {
        replica_halt(replica, result);
    }
    return 0;
}

static int io_put(
    struct raft_io *io,
    unsigned int trailing,
    struct raft_io_snapshot_put *request,
    const struct raft_snapshot *snapshot,
    raft_io_snapshot_put_cb done)
{
    struct replica *replica = owner_of(io);
    struct replica_object *object = &replica->object;
    CHECK(!object->put_busy);
    CHECK(snapshot->configuration.n <= LIMIT_CONTROLLERS);
    CHECK(snapshot->n_bufs == 1);
    request->cb = done;
    object->put_busy = true;
    object->put_trailing = trailing;
    object->put = (struct journal_snapshot){
        .index = snapshot->index,
        .term = snapshot->term,
        .members_index = snapshot->configuration_index,
        .manifest = slice_of(snapshot->bufs[0].base, snapshot->bufs[0].len),
    };
    for (unsigned int i = 0; i < snapshot->configuration.n; i++) {
        const struct raft_server *server = &snapshot->configuration.servers[i];
        struct journal_member *member = &object->put.members[object->put.member_count++];
        member->id = server->id;
        member->role = server->role;
        bool fits =
            text_copy(member->address, sizeof(member->address), slice_text(server->address));
        CHECK(fits);
    }
    if (!RULE(STORE_LATE)) {
        replica_store_snapshot(replica);
    }
    replica_queue(replica, STEP_PUT, request);
    return 0;
}

static int io_get(
    struct raft_io *io, struct raft_io_snapshot_get *request, raft_io_snapshot_get_cb done)
{
    CHECK(owner_of(io)->object.started);
    request->cb = done;
    replica_queue(owner_of(io), STEP_GET, request);
    return 0;
}

struct raft_snapshot *replica_io_snapshot(struct replica *replica)
{
    const struct journal_snapshot *from = &journal_state(replica->journal)->snapshot;
    CHECK(from->index > 0);
    struct raft_snapshot *snapshot = raft_calloc(1, sizeof(*snapshot));
    snapshot->index = from->index;
    snapshot->term = from->term;
    snapshot->configuration_index = from->members_index;
    raft_configuration_init(&snapshot->configuration);
    for (uint32_t i = 0; i < from->member_count; i++) {
        int added = raft_configuration_add(
            &snapshot->configuration,
            from->members[i].id,
            from->members[i].address,
            from->members[i].role);
        CHECK(added == 0);
    }
    snapshot->bufs = raft_calloc(1, sizeof(*snapshot->bufs));
    snapshot->n_bufs = 1;
    snapshot->bufs[0].len = from->manifest.size;
    snapshot->bufs[0].base = raft_malloc(from->manifest.size + 1);
    if (from->manifest.size > 0) {
        memcpy(snapshot->bufs[0].base, from->manifest.data, from->manifest.size);
    }
    return snapshot;
}

static raft_time io_time(struct raft_io *io)
{
    return owner_of(io)->now_ms;
}

static int io_random(struct raft_io *io, int low, int high)
{
    CHECK(low <= high);
    return low + (int)prng_below(&owner_of(io)->prng, (uint64_t)(high - low) + 1);
}

void replica_io_init(struct replica *replica)
{
    struct raft_io *io = &replica->object.io;
    CHECK(!replica->object.started);
    *io = (struct raft_io){
        .version = 1,
        .impl = replica,
        .init = io_init,
        .close = io_close,
        .load = io_load,
        .start = io_start,
        .bootstrap = io_bootstrap,
        .recover = io_recover,
        .set_term = io_set_term,
        .set_vote = io_set_vote,
        .send = io_send,
        .append = io_append,
        .truncate = io_truncate,
        .snapshot_put = io_put,
        .snapshot_get = io_get,
        .time = io_time,
        .random = io_random,
    };
}
