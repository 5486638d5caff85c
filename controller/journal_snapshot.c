/* Decides which segments are still needed once a snapshot covers entries. Never decides when to
 * take a snapshot, never looks into its files. */
#include "controller/journal_inner.h"

#include "base/check.h"
#include "base/mutant.h"

#include <stdlib.h>
#include <string.h>

void journal_keep_snapshot(struct journal *journal, const struct journal_snapshot *snapshot)
{
    CHECK(snapshot->manifest.size <= JOURNAL_MANIFEST_MAX);
    CHECK(snapshot->member_count <= LIMIT_CONTROLLERS);
    uint8_t *manifest = malloc(snapshot->manifest.size + 1);
    CHECK(manifest != NULL); /* Without memory the process stops here, before anything changed. */
    if (snapshot->manifest.size > 0) {
        memcpy(manifest, snapshot->manifest.data, snapshot->manifest.size);
    }
    free(journal->manifest);
    journal->manifest = manifest;
    journal->state.snapshot = *snapshot;
    journal->state.snapshot.manifest = slice_of(manifest, snapshot->manifest.size);
    journal->state.snapshot_present = true;
}

static const struct journal_segment *segment_of(const struct journal *journal, uint64_t epoch)
{
    for (uint32_t slot = 0; slot < journal->conf.segment_count; slot++) {
        if (journal->segments[slot].epoch == epoch) {
            return &journal->segments[slot];
        }
    }
    return NULL;
}

/* INV-LOG-2: the newest segment that began at or below `first` can rebuild everything kept. */
void journal_release(struct journal *journal)
{
    uint64_t epoch = journal_current(journal)->epoch;
    CHECK(epoch >= journal->oldest);
    while (epoch > journal->oldest) {
        const struct journal_segment *segment = segment_of(journal, epoch);
        CHECK(segment != NULL);
        if (segment->base <= journal->state.first) {
            break;
        }
        epoch--;
    }
    journal->oldest = epoch;
}

static RESULT write_snapshot(
    struct journal *journal, const struct journal_snapshot *snapshot, uint64_t first, bool whole)
{
    Wire__JournalMember members[LIMIT_CONTROLLERS];
    Wire__JournalMember *list[LIMIT_CONTROLLERS];
    bool old = MUTANT(LOG_FORGETS_MEMBERS) && journal->state.snapshot_present && !whole;
    const struct journal_snapshot *of = old ? &journal->state.snapshot : snapshot;
    for (uint32_t i = 0; i < of->member_count; i++) {
        wire__journal_member__init(&members[i]);
        members[i].id = of->members[i].id;
        members[i].address = of->members[i].address;
        members[i].role = (uint32_t)of->members[i].role;
        list[i] = &members[i];
    }
    Wire__JournalSnapshot body = WIRE__JOURNAL_SNAPSHOT__INIT;
    Wire__JournalRecord record = WIRE__JOURNAL_RECORD__INIT;
    arena_reset(&journal->arena);
    uint8_t *copy = arena_take(&journal->arena, snapshot->manifest.size + 1);
    CHECK(copy != NULL);
    if (snapshot->manifest.size > 0) {
        memcpy(copy, snapshot->manifest.data, snapshot->manifest.size);
    }
    body.index = snapshot->index;
    body.term = snapshot->term;
    body.members_index = snapshot->members_index;
    body.n_members = of->member_count;
    body.members = list;
    body.manifest.len = snapshot->manifest.size;
    body.manifest.data = copy;
    body.first_index = first;
    body.whole = whole;
    record.body_case = WIRE__JOURNAL_RECORD__BODY_SNAPSHOT;
    record.snapshot = &body;
    TRY(journal_write(journal, JOURNAL_INNER, &record, NULL));
    return journal_sync(journal);
}

RESULT journal_put_snapshot(
    struct journal *journal, const struct journal_snapshot *snapshot, uint64_t first, bool whole)
{
    struct journal_state *state = &journal->state;
    CHECK(snapshot->index > 0 && snapshot->term > 0);
    CHECK(first <= snapshot->index + 1);
    CHECK(!state->snapshot_present || snapshot->index >= state->snapshot.index);
    CHECK(whole ? first == snapshot->index + 1 : first >= state->first);
    CHECK(whole || snapshot->index <= state->last);
    CHECK(snapshot->manifest.size <= JOURNAL_MANIFEST_MAX);
    TRY(write_snapshot(journal, snapshot, first, whole));
    journal_keep_snapshot(journal, snapshot);
    if (whole) {
        state->first = first;
        state->last = snapshot->index;
        state->size = 0;
    }
    while (state->first < first) {
        state->size -= journal_place_of(journal, state->first)->size;
        state->first++;
    }
    journal_release(journal);
    return OK;
}
