/* What is done to a message before the library sees it. Decides what it must not see: entries under
 * our snapshot, cuts that would take a configuration away, more than fits, a snapshot whose files
 * are not here. Never decides what the message means.
 *
 * The happy path: bytes → decoded and valid → trimmed → checked against our log → cut to what fits
 * → the library → the turn.
 * What can go wrong: not well formed → FAILURE_BAD_INPUT, the peer is ended; a configuration would
 * be cut → we cut our log ourselves, drop the message and start a new object; the log is full → the
 * message is cut, down to a heartbeat; the snapshot is not here yet → dropped, it comes again. */
#include "base/check.h"
#include "controller/replica_inner.h"

#include <string.h>

/* An AppendEntries on its way in. */
struct offer {
    uint64_t term;
    uint64_t previous_index;
    uint64_t previous_term;
    uint64_t commit;
    Wire__RaftEntry **entries;
    size_t count;
};

struct replica_peer *replica_peer_of(struct replica *replica, uint64_t id)
{
    struct replica_peer *oldest = &replica->peers[0];
    CHECK(id != 0);
    for (int i = 0; i < REPLICA_PEERS; i++) {
        struct replica_peer *peer = &replica->peers[i];
        if (peer->id == id) {
            return peer;
        }
        if (oldest->id != 0 && (peer->id == 0 || peer->heard_ms < oldest->heard_ms)) {
            oldest = peer;
        }
    }
    *oldest = (struct replica_peer){ .id = id };
    CHECK(oldest->refusing_since_ms == 0);
    return oldest;
}

uint64_t replica_heard_ms(const struct replica *replica, uint64_t id)
{
    CHECK(id != 0);
    for (int i = 0; i < REPLICA_PEERS; i++) {
        if (replica->peers[i].id == id) {
            CHECK(replica->peers[i].heard_ms <= replica->now_ms);
            return replica->now_ms - replica->peers[i].heard_ms;
        }
    }
    return UINT64_MAX;
}

/* 0: we do not know. */
static uint64_t term_at(const struct replica *replica, uint64_t index)
{
    const struct journal_state *state = journal_state(replica->journal);
    uint64_t term = 0;
    if (index > 0 && journal_entry_at(replica->journal, index, &term, NULL)) {
        CHECK(term > 0);
        return term;
    }
    return state->snapshot_present && state->snapshot.index == index ? state->snapshot.term : 0;
}

/* Rule 7b: what our own snapshot covers is committed. Shown to the library, an entry that it has
 * forgotten would count as missing and be appended again, at a wrong index. */
static void rule_7b_trim(const struct replica *replica, struct offer *offer)
{
    const struct journal_state *state = journal_state(replica->journal);
    if (!RULE(TRIM) || offer->term < state->term || !state->snapshot_present ||
        offer->previous_index >= state->snapshot.index) {
        return;
    }
    uint64_t covered = state->snapshot.index - offer->previous_index;
    size_t cut = covered < offer->count ? (size_t)covered : offer->count;
    CHECK(cut <= offer->count);
    offer->entries += cut;
    offer->count -= cut;
    offer->previous_index = state->snapshot.index;
    offer->previous_term = state->snapshot.term;
}

/* Where our log and the offer part; 0: nowhere. */
static uint64_t conflict_at(const struct replica *replica, const struct offer *offer)
{
    if (offer->previous_index > 0 &&
        term_at(replica, offer->previous_index) != offer->previous_term) {
        return 0; /* The library refuses it. */
    }
    for (size_t i = 0; i < offer->count; i++) {
        uint64_t index = offer->previous_index + 1 + i;
        uint64_t ours = term_at(replica, index);
        CHECK(offer->entries[i]->term > 0);
        if (ours != 0 && ours != offer->entries[i]->term) {
            return index;
        }
    }
    return 0;
}

/* Rule 5: the library cannot go back to an older configuration. When entries with one must go, we
 * take them away and it starts anew without them. True: it did. */
static bool rule_5_change_cut(struct replica *replica, const struct offer *offer)
{
    const struct journal_state *state = journal_state(replica->journal);
    if (!RULE(CHANGE_CUT) || offer->term < state->term) {
        return false;
    }
    uint64_t from = conflict_at(replica, offer);
    if (from == 0 || from <= replica->object.raft.commit_index) {
        return false;
    }
    for (uint64_t index = from; index <= state->last; index++) {
        enum journal_type type = JOURNAL_COMMAND;
        uint64_t term = 0;
        bool kept = journal_entry_at(replica->journal, index, &term, &type);
        CHECK(kept);
        if (type != JOURNAL_CHANGE) {
            continue;
        }
        struct result result = journal_truncate(replica->journal, from);
        if (result.code == 0) {
            result = journal_sync(replica->journal);
        }
        if (result.code != 0) {
            replica_halt(replica, result);
        }
        replica->object.reopen_wanted = true;
        return true;
    }
    return false;
}

/* Does a prefix of this many entries fit? What we hold already needs no room. */
static bool prefix_fits(const struct replica *replica, const struct offer *offer, size_t count)
{
    uint32_t sizes[REPLICA_MESSAGE_ENTRIES];
    uint32_t fresh = 0;
    enum journal_class class = JOURNAL_INNER;
    CHECK(count <= REPLICA_MESSAGE_ENTRIES);
    for (size_t i = 0; i < count; i++) {
        const Wire__RaftEntry *entry = offer->entries[i];
        if (term_at(replica, offer->previous_index + 1 + i) == entry->term) {
            continue;
        }
        sizes[fresh++] = (uint32_t)entry->data.len;
        if (entry->type == WIRE__RAFT_ENTRY_TYPE__RAFT_ENTRY_TYPE_COMMAND) {
            class = JOURNAL_RESERVED; /* The leader judged what is ordinary. */
        }
    }
    return journal_fits(replica->journal, class, sizes, fresh);
}

static void cut_to_room(const struct replica *replica, struct offer *offer)
{
    size_t low = 0;
    size_t high = offer->count;
    CHECK(high <= REPLICA_MESSAGE_ENTRIES);
    for (size_t i = 0; i < offer->count; i++) {
        if (offer->entries[i]->data.len > replica->journal_conf.entry_max) {
            high = i;
            break;
        }
    }
    while (low < high) { /* The longest prefix that fits. */
        size_t middle = high - (high - low) / 2;
        if (prefix_fits(replica, offer, middle)) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    offer->count = low;
}

static void give(struct replica *replica, uint64_t peer, struct raft_message *message)
{
    const struct raft_configuration *members = &replica->object.raft.configuration;
    const char *address = "?";
    for (unsigned int i = 0; i < members->n; i++) {
        if (members->servers[i].id == peer) {
            address = members->servers[i].address;
        }
    }
    char copy[LIMIT_ADDRESS];
    bool fits = text_copy(copy, sizeof(copy), slice_text(address));
    CHECK(fits);
    CHECK(replica_live(replica));
    message->server_id = peer;
    message->server_address = copy;
    replica->object.receive(&replica->object.io, message);
}

/* Rule 2d: the library commits up to its own last entry, not up to the last one that the message
 * compared. As shipped every message carries all entries, which hides it; a message that was cut
 * would commit stale ones behind it. */
static void rule_2d_commit(struct offer *offer)
{
    uint64_t compared = offer->previous_index + offer->count;
    if (RULE(COMMIT) && offer->commit > compared) {
        offer->commit = compared;
    }
}

static void give_append(struct replica *replica, uint64_t peer, struct offer *offer)
{
    rule_7b_trim(replica, offer);
    if (rule_5_change_cut(replica, offer)) {
        return;
    }
    if (offer->term >= journal_state(replica->journal)->term) {
        cut_to_room(replica, offer);
    }
    rule_2d_commit(offer);
    struct raft_message message = { .type = RAFT_IO_APPEND_ENTRIES };
    struct raft_append_entries *append = &message.append_entries;
    append->term = offer->term;
    append->prev_log_index = offer->previous_index;
    append->prev_log_term = offer->previous_term;
    append->leader_commit = offer->commit;
    append->n_entries = (unsigned int)offer->count;
    if (offer->count > 0) {
        size_t size = 0;
        for (size_t i = 0; i < offer->count; i++) {
            size += (offer->entries[i]->data.len + 8) & ~(size_t)7;
        }
        uint8_t *batch = raft_malloc(size);
        append->entries = raft_calloc(offer->count, sizeof(*append->entries));
        for (size_t i = 0; i < offer->count; i++) {
            const Wire__RaftEntry *from = offer->entries[i];
            struct raft_entry *entry = &append->entries[i];
            entry->term = from->term;
            entry->type = (unsigned short)from->type;
            entry->buf.base = batch;
            entry->buf.len = from->data.len;
            entry->batch = append->entries[0].buf.base;
            if (from->data.len > 0) {
                memcpy(batch, from->data.data, from->data.len);
            }
            batch += (from->data.len + 8) & ~(size_t)7;
        }
    }
    replica->object.bound = offer->previous_index + offer->count;
    give(replica, peer, &message);
}

/* Must the files be here before the library hears of this snapshot? */
static bool would_install(const struct replica *replica, const Wire__RaftMessage *message)
{
    const struct journal_state *state = journal_state(replica->journal);
    const Wire__RaftInstall *install = message->install;
    uint64_t ours = term_at(replica, install->index);
    CHECK(install->index > 0);
    return message->term >= state->term &&
           !(state->snapshot_present && state->snapshot.index >= install->index) &&
           !(ours != 0 && ours >= install->index_term);
}

static void give_install(struct replica *replica, uint64_t peer, const Wire__RaftMessage *from)
{
    const Wire__RaftInstall *install = from->install;
    struct slice manifest = slice_of(install->manifest.data, install->manifest.len);
    uint32_t size = (uint32_t)manifest.size + 1024;
    if (would_install(replica, from) &&
        (!journal_fits(replica->journal, JOURNAL_INNER, &size, 1) ||
         !replica->host.snapshot_ready(replica->host.context, peer, install->index, manifest))) {
        return;
    }
    struct raft_message message = { .type = RAFT_IO_INSTALL_SNAPSHOT };
    struct raft_install_snapshot *to = &message.install_snapshot;
    to->term = from->term;
    to->last_index = install->index;
    to->last_term = install->index_term;
    to->conf_index = install->members_index;
    raft_configuration_init(&to->conf);
    for (size_t i = 0; i < install->n_members; i++) {
        const Wire__RaftMember *member = install->members[i];
        int added =
            raft_configuration_add(&to->conf, member->id, member->address, (int)member->role);
        if (added != 0) { /* The same member twice. */
            raft_configuration_close(&to->conf);
            return;
        }
    }
    to->data.len = manifest.size;
    to->data.base = raft_malloc(manifest.size + 1);
    if (manifest.size > 0) {
        memcpy(to->data.base, manifest.data, manifest.size);
    }
    replica->object.bound = UINT64_MAX;
    give(replica, peer, &message);
}

static void note_answer(struct replica *replica, uint64_t peer, const Wire__RaftMessage *from)
{
    const Wire__RaftAppendTold *told = from->append_told;
    struct replica_peer *known = replica_peer_of(replica, peer);
    if (told->rejected == 0 && from->term == replica->object.raft.current_term) {
        replica_return_matched(replica, known, told->last_index);
    }
    CHECK(known->id == peer);
    if (told->rejected == 0) {
        known->refusing_since_ms = 0;
    } else if (known->refusing_since_ms == 0) {
        known->refusing_since_ms = replica->now_ms;
    }
}

static void give_message(struct replica *replica, uint64_t peer, const Wire__RaftMessage *from)
{
    struct raft_message message = { .type = 0 };
    switch (from->body_case) {
    case WIRE__RAFT_MESSAGE__BODY_APPEND_ASK: {
        struct offer offer = {
            .term = from->term,
            .previous_index = from->append_ask->previous_index,
            .previous_term = from->append_ask->previous_term,
            .commit = from->append_ask->commit,
            .entries = from->append_ask->entries,
            .count = from->append_ask->n_entries,
        };
        give_append(replica, peer, &offer);
        return;
    }
    case WIRE__RAFT_MESSAGE__BODY_INSTALL: give_install(replica, peer, from); return;
    case WIRE__RAFT_MESSAGE__BODY_APPEND_TOLD:
        note_answer(replica, peer, from);
        message.type = RAFT_IO_APPEND_ENTRIES_RESULT;
        message.append_entries_result.term = from->term;
        message.append_entries_result.rejected = from->append_told->rejected;
        message.append_entries_result.last_log_index = from->append_told->last_index;
        break;
    case WIRE__RAFT_MESSAGE__BODY_VOTE_ASK:
        if (replica_vote_take(replica, peer, from)) {
            return;
        }
        message.type = RAFT_IO_REQUEST_VOTE;
        message.request_vote.term = from->term;
        message.request_vote.candidate_id = peer;
        message.request_vote.last_log_index = from->vote_ask->last_index;
        message.request_vote.last_log_term = from->vote_ask->last_term;
        message.request_vote.disrupt_leader = from->vote_ask->disrupt;
        break;
    case WIRE__RAFT_MESSAGE__BODY_VOTE_TOLD:
        message.type = RAFT_IO_REQUEST_VOTE_RESULT;
        message.request_vote_result.term = from->term;
        message.request_vote_result.vote_granted = from->vote_told->granted;
        message.request_vote_result.pre_vote = raft_tribool_false;
        break;
    case WIRE__RAFT_MESSAGE__BODY_TIMEOUT_NOW:
        message.type = RAFT_IO_TIMEOUT_NOW;
        message.timeout_now.term = from->term;
        message.timeout_now.last_log_index = from->timeout_now->last_index;
        message.timeout_now.last_log_term = from->timeout_now->last_term;
        break;
    case WIRE__RAFT_MESSAGE__BODY_STANDING: /* replica_return.c took it. */
    case WIRE__RAFT_MESSAGE__BODY__NOT_SET:
    case _WIRE__RAFT_MESSAGE__BODY__CASE_IS_INT_SIZE: UNREACHABLE();
    }
    CHECK(message.type != 0);
    give(replica, peer, &message);
}

RESULT replica_receive(
    struct replica *replica, uint64_t now_ms, uint64_t peer, struct slice message)
{
    Wire__RaftMessage *decoded = NULL;
    CHECK(!replica->in_turn);
    if (replica->halted) {
        return OK;
    }
    if (peer == 0 || peer == replica->conf.self) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    arena_reset(&replica->arena);
    TRY(replica_decode(message, &replica->arena, &decoded));
    if (replica_return_take(replica, peer, decoded)) {
        return OK;
    }
    replica_turn_begin(replica, now_ms);
    replica_peer_of(replica, peer)->heard_ms = replica->now_ms;
    give_message(replica, peer, decoded);
    replica_turn_end(replica);
    return OK;
}
