/* What libraft calls when something is committed, and when its log should shrink. Decides what the
 * host must not see twice and which moment is fit for a snapshot; never what a command means.
 *
 * The happy path: committed → fsm_apply → host.apply with index, term and ticket; every so many
 * entries, or as the log fills → fsm_snapshot → host.snapshot_take → the turn stores it.
 * What can go wrong: the object was reopened, so that old entries come again (skipped); a
 * configuration is not committed, or the host is ahead (no snapshot now, asked again later). */
#include "base/check.h"
#include "controller/replica_inner.h"

#include <string.h>

static struct replica *owner_of(const struct raft_fsm *fsm)
{
    struct replica *replica = fsm->data;
    CHECK(replica != NULL);
    CHECK(replica->in_turn);
    return replica;
}

static uint64_t ticket_of(const struct replica *replica, uint64_t index, uint64_t term)
{
    CHECK(index > 0 && term > 0);
    for (int i = 0; i < REPLICA_OUTSTANDING; i++) {
        const struct replica_submitted *submitted = &replica->object.submitted[i];
        if (submitted->ticket != 0 && submitted->index == index && submitted->term == term) {
            return submitted->ticket;
        }
    }
    return 0;
}

static int fsm_apply(struct raft_fsm *fsm, const struct raft_buffer *bytes, void **result_out)
{
    struct replica *replica = owner_of(fsm);
    uint64_t index = replica->object.raft.last_applied + 1;
    uint64_t term = 0;
    *result_out = NULL;
    if (index <= replica->applied_index || replica->halted) {
        return 0;
    }
    bool kept = journal_entry_at(replica->journal, index, &term, NULL);
    CHECK(kept);
    uint64_t applied_before = replica->applied_index;
    CHECK(index > applied_before); /* INV-LOG-5 */
    replica->applied_index = index;
    replica->host.apply(
        replica->host.context,
        index,
        term,
        ticket_of(replica, index, term),
        slice_of(bytes->base, bytes->len));
    return 0;
}

/* Rule 6: the library would store the newest configuration with the committed index, although it
 * may still be undone. */
static bool rule_6_busy(const struct raft *raft)
{
    return RULE(BUSY) && (raft->configuration_uncommitted_index != 0 ||
                          raft->configuration_index > raft->last_applied);
}

/* Entries behind the snapshot that laggards may still need, within a quarter of the log. */
static unsigned int entries_to_keep(const struct replica *replica)
{
    const struct journal_state *state = journal_state(replica->journal);
    uint64_t whole =
        (uint64_t)replica->journal_conf.segment_bytes * replica->journal_conf.segment_count;
    uint64_t count = state->last + 1 - state->first;
    uint64_t average = count > 0 ? state->size / count + 128 : 1;
    uint64_t keep = whole / 4 / average;
    CHECK(average > 0);
    CHECK(replica->conf.snapshot_keep > 0);
    if (keep > replica->conf.snapshot_keep) {
        keep = replica->conf.snapshot_keep;
    }
    return keep > 0 ? (unsigned int)keep : 1; /* 0 means an installed snapshot. */
}

static int fsm_snapshot(struct raft_fsm *fsm, struct raft_buffer **buffers_out, unsigned int *n_out)
{
    struct replica *replica = owner_of(fsm);
    struct raft *raft = &replica->object.raft;
    struct slice manifest = SLICE_EMPTY;
    /* After a reopen the library is behind the host: the host's state is not that of its index. */
    if (replica->halted || raft->last_applied < replica->applied_index || rule_6_busy(raft)) {
        return RAFT_BUSY;
    }
    uint32_t guess = JOURNAL_SEGMENT_MIN / 4;
    if (!journal_fits(replica->journal, JOURNAL_INNER, &guess, 1)) {
        return RAFT_BUSY;
    }
    struct result taken =
        replica->host.snapshot_take(replica->host.context, raft->last_applied, &manifest);
    if (taken.code != 0) {
        return RAFT_BUSY;
    }
    uint32_t size = (uint32_t)manifest.size + 1024;
    if (manifest.size > JOURNAL_MANIFEST_MAX ||
        !journal_fits(replica->journal, JOURNAL_INNER, &size, 1)) {
        return RAFT_BUSY;
    }
    struct raft_buffer *buffer = raft_calloc(1, sizeof(*buffer));
    buffer->base = raft_malloc(manifest.size + 1);
    buffer->len = manifest.size;
    if (manifest.size > 0) {
        memcpy(buffer->base, manifest.data, manifest.size);
    }
    raft_set_snapshot_trailing(raft, entries_to_keep(replica));
    *buffers_out = buffer;
    *n_out = 1;
    return 0;
}

static int fsm_restore(struct raft_fsm *fsm, struct raft_buffer *bytes)
{
    struct replica *replica = owner_of(fsm);
    uint64_t index = journal_state(replica->journal)->snapshot.index;
    CHECK(index > 0);
    if (index > replica->applied_index && !replica->halted) {
        struct result restored = replica->host.snapshot_restore(
            replica->host.context, index, slice_of(bytes->base, bytes->len));
        if (restored.code != 0) {
            replica_halt(replica, restored);
        }
        replica->applied_index = index;
    }
    raft_free(bytes->base);
    return 0;
}

void replica_fsm_init(struct replica *replica)
{
    CHECK(!replica->object.started);
    replica->object.fsm = (struct raft_fsm){
        .version = 1,
        .data = replica,
        .apply = fsm_apply,
        .snapshot = fsm_snapshot,
        .restore = fsm_restore,
    };
    CHECK(replica->object.fsm.data == replica);
}

void replica_snapshot_pace(struct replica *replica)
{
    uint32_t count = replica->journal_conf.segment_count;
    uint32_t fill = journal_fill(replica->journal);
    CHECK(count >= JOURNAL_SEGMENTS_MIN);
    uint32_t trigger = 50 * (count - 2) / count; /* Half of what ordinary entries may fill. */
    bool urgent = fill >= trigger && fill >= replica->fill_after_snapshot + trigger / 4;
    CHECK(replica->conf.snapshot_every > 0);
    raft_set_snapshot_threshold(&replica->object.raft, urgent ? 1 : replica->conf.snapshot_every);
}
