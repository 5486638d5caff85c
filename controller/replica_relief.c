/* A full log that helps itself. The library asks for a snapshot only when it applies something, and
 * it applies only what a majority holds: once the logs of a majority are full, nothing is ever
 * applied again. Decides when to shrink the log past the library; never below what the host has
 * applied, which is committed.
 *
 * The happy path: no room at the tick → a leader writes a barrier, whose apply brings a snapshot; a
 * follower has the host make one of what is applied, stores it, and starts a new object from it, as
 * if it had crashed just then.
 * What can go wrong: the host cannot make a snapshot either (its disk is full) → asked again each
 * second; nothing is applied beyond the snapshot → only a newer leader's snapshot can help. */
#include "base/check.h"
#include "controller/replica_inner.h"

#include <string.h>

bool replica_members_at(struct replica *replica, uint64_t index, struct journal_snapshot *snapshot)
{
    const struct journal_state *state = journal_state(replica->journal);
    CHECK(index <= state->last);
    for (uint64_t at = index; at >= state->first; at--) {
        enum journal_type type = JOURNAL_COMMAND;
        struct journal_entry entry = { 0 };
        uint64_t term = 0;
        bool kept = journal_entry_at(replica->journal, at, &term, &type);
        CHECK(kept);
        if (type != JOURNAL_CHANGE) {
            continue;
        }
        if (journal_read(replica->journal, at, &entry).code != 0 ||
            !replica_change_valid(entry.bytes)) {
            return false;
        }
        snapshot->members_index = at;
        snapshot->member_count = replica_change_members(entry.bytes, snapshot->members);
        return true;
    }
    if (!state->snapshot_present) {
        return false;
    }
    snapshot->members_index = state->snapshot.members_index;
    snapshot->member_count = state->snapshot.member_count;
    memcpy(snapshot->members, state->snapshot.members, sizeof(snapshot->members));
    return true;
}

/* The whole log up to what the host has applied gives way to a snapshot of it. */
static void snapshot_of_applied(struct replica *replica)
{
    const struct journal_state *state = journal_state(replica->journal);
    struct journal_snapshot snapshot = { .index = replica->applied_index };
    uint32_t size = JOURNAL_SEGMENT_MIN / 4;
    if (snapshot.index < state->first || snapshot.index < state->snapshot.index ||
        !journal_entry_at(replica->journal, snapshot.index, &snapshot.term, NULL) ||
        !journal_fits(replica->journal, JOURNAL_INNER, &size, 1) ||
        !replica_members_at(replica, snapshot.index, &snapshot)) {
        return;
    }
    struct result taken =
        replica->host.snapshot_take(replica->host.context, snapshot.index, &snapshot.manifest);
    size = (uint32_t)snapshot.manifest.size + 1024;
    if (taken.code != 0 || snapshot.manifest.size > JOURNAL_MANIFEST_MAX ||
        !journal_fits(replica->journal, JOURNAL_INNER, &size, 1)) {
        return;
    }
    uint64_t flushed = replica->host.flushed_index(replica->host.context);
    uint64_t first = (flushed < snapshot.index ? flushed : snapshot.index) + 1;
    first = first < state->first ? state->first : first;
    struct result stored = journal_put_snapshot(replica->journal, &snapshot, first, false);
    if (stored.code != 0) {
        replica_halt(replica, stored);
        return;
    }
    replica->fill_after_snapshot = journal_fill(replica->journal);
    replica->object.reopen_wanted = true;
}

void replica_relief(struct replica *replica)
{
    struct replica_object *object = &replica->object;
    uint32_t size = replica->journal_conf.entry_max;
    uint32_t barrier_size = 16;
    bool leads = object->raft.state == RAFT_LEADER;
    CHECK(replica->in_turn);
    CHECK(replica_live(replica));
    if (journal_fits(replica->journal, leads ? JOURNAL_NORMAL : JOURNAL_RESERVED, &size, 1) ||
        replica->now_ms - replica->relieved_ms < REPLICA_RELIEF_MS) {
        return;
    }
    replica->relieved_ms = replica->now_ms;
    replica->fill_after_snapshot = 0;
    if (!leads) {
        snapshot_of_applied(replica);
        return;
    }
    replica_snapshot_pace(replica);
    if (object->settled && !object->barrier_busy &&
        journal_fits(replica->journal, JOURNAL_INNER, &barrier_size, 1)) {
        object->barrier_busy =
            raft_barrier(&object->raft, &object->barrier, replica_barrier_done) == 0;
    }
}
