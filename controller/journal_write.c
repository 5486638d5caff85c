/* Decides which segment a record goes to and whether its class still has room. Never decides what
 * the record says; never reads. */
#include "controller/journal_inner.h"

#include "base/check.h"
#include "controller/journal_care.h"

/* Segments that must stay free behind a write of this class. */
static uint32_t kept_free(enum journal_class class)
{
    switch (class) {
    case JOURNAL_NORMAL: return 2;
    case JOURNAL_RESERVED: return 1;
    case JOURNAL_INNER: return 0;
    }
    UNREACHABLE();
}

struct journal_segment *journal_current(struct journal *journal)
{
    CHECK(journal->current < journal->conf.segment_count);
    return &journal->segments[journal->current];
}

uint32_t journal_free_segments(const struct journal *journal)
{
    uint64_t epoch = journal->segments[journal->current].epoch;
    CHECK(journal->oldest > 0);
    CHECK(journal->oldest <= epoch);
    uint64_t used = epoch - journal->oldest + 1;
    CHECK(used <= journal->conf.segment_count); /* INV-LOG-2 */
    return journal->conf.segment_count - (uint32_t)used;
}

/* The first record of the next segment, whose size a plan must count. */
static uint64_t opening_span(const struct journal *journal)
{
    return record_span(JOURNAL_PAYLOAD_EXTRA / 2 + journal->state.snapshot.manifest.size);
}

bool journal_fits(
    const struct journal *journal, enum journal_class class, const uint32_t *sizes, uint32_t count)
{
    CHECK(journal->conf.segment_bytes > 0);
    uint64_t end = journal->end;
    uint32_t unused = journal_free_segments(journal);
    uint64_t entries = journal->state.last + 1 - journal->state.first;
    if (journal->broken || entries + count > journal->place_count || unused < kept_free(class)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint64_t span = record_span((uint64_t)sizes[i] + 64);
        if (end + span > journal->conf.segment_bytes) {
            if (unused <= kept_free(class)) {
                return false;
            }
            unused--;
            end = opening_span(journal);
        }
        end += span;
        if (end > journal->conf.segment_bytes) {
            return false; /* Larger than any segment. */
        }
    }
    return true;
}

uint32_t journal_fill(const struct journal *journal)
{
    uint64_t whole = (uint64_t)journal->conf.segment_bytes * journal->conf.segment_count;
    uint64_t unused = (uint64_t)journal_free_segments(journal) * journal->conf.segment_bytes;
    unused += journal->conf.segment_bytes - journal->end;
    CHECK(unused <= whole);
    return (uint32_t)((whole - unused) * 100 / whole);
}

static RESULT write_at_end(
    struct journal *journal, const Wire__JournalRecord *record, uint32_t *offset_out)
{
    struct journal_segment *segment = journal_current(journal);
    struct record_header header = {
        .synced = (uint32_t)journal->synced,
        .journal = journal->id,
        .epoch = segment->epoch,
        .offset = journal->end,
        .chain = journal->chain,
    };
    size_t size = 0;
    if (!record_seal(record, &header, journal->room, journal->room_size, &size) ||
        journal->end + size > journal->conf.segment_bytes) {
        return FAIL(FAILURE_FULL);
    }
    CHECK(journal->synced <= journal->end);
    struct result written = journal->disk.calls->write(
        journal->disk.context, segment->handle, journal->end, slice_of(journal->room, size));
    if (written.code != 0) {
        journal->broken = true;
        return written;
    }
    if (offset_out != NULL) {
        *offset_out = (uint32_t)journal->end;
    }
    journal->end += size;
    journal->chain = header.checksum;
    return OK;
}

static void fill_members(
    const struct journal_snapshot *snapshot,
    Wire__JournalMember *members,
    Wire__JournalMember **list)
{
    CHECK(snapshot->member_count <= LIMIT_CONTROLLERS);
    for (uint32_t i = 0; i < snapshot->member_count; i++) {
        CHECK(snapshot->members[i].role >= 0);
        wire__journal_member__init(&members[i]);
        members[i].id = snapshot->members[i].id;
        members[i].address = snapshot->members[i].address;
        members[i].role = (uint32_t)snapshot->members[i].role;
        list[i] = &members[i];
    }
}

RESULT journal_begin_segment(
    struct journal *journal, uint32_t slot, uint64_t epoch, uint64_t previous_end)
{
    CHECK(slot < journal->conf.segment_count);
    CHECK(epoch == 1 || epoch == journal_current(journal)->epoch + 1);
    struct journal_state *state = &journal->state;
    Wire__JournalMember members[LIMIT_CONTROLLERS];
    Wire__JournalMember *list[LIMIT_CONTROLLERS];
    Wire__JournalSnapshot snapshot = WIRE__JOURNAL_SNAPSHOT__INIT;
    Wire__JournalBallot ballot = WIRE__JOURNAL_BALLOT__INIT;
    Wire__JournalSegment segment = WIRE__JOURNAL_SEGMENT__INIT;
    Wire__JournalRecord record = WIRE__JOURNAL_RECORD__INIT;
    ballot.term = state->term;
    ballot.vote = state->vote;
    segment.owner = journal->conf.owner;
    segment.segment_bytes = journal->conf.segment_bytes;
    segment.previous_end = previous_end;
    segment.next_index = state->last + 1;
    segment.first_index = state->first;
    segment.ballot = &ballot;
    if (state->snapshot_present) {
        fill_members(&state->snapshot, members, list);
        snapshot.index = state->snapshot.index;
        snapshot.term = state->snapshot.term;
        snapshot.members_index = state->snapshot.members_index;
        snapshot.n_members = state->snapshot.member_count;
        snapshot.members = list;
        snapshot.manifest.len = state->snapshot.manifest.size;
        snapshot.manifest.data = journal->manifest;
        snapshot.first_index = state->first;
        segment.snapshot = &snapshot;
    }
    record.format = RECORD_FORMAT;
    record.body_case = WIRE__JOURNAL_RECORD__BODY_SEGMENT;
    record.segment = &segment;
    journal->current = slot;
    journal->segments[slot].epoch = epoch;
    journal->segments[slot].base = state->last + 1;
    journal->end = 0;
    journal->synced = 0;
    return write_at_end(journal, &record, NULL);
}

/* A segment that no entry needs. Called only when there is one. */
static uint32_t unused_slot(const struct journal *journal)
{
    for (uint32_t slot = 0; slot < journal->conf.segment_count; slot++) {
        if (journal->segments[slot].epoch < journal->oldest) {
            return slot;
        }
    }
    UNREACHABLE();
}

RESULT journal_write(
    struct journal *journal,
    enum journal_class class,
    Wire__JournalRecord *record,
    uint32_t *offset_out)
{
    if (journal->broken) {
        return FAIL(FAILURE_IO);
    }
    record->format = RECORD_FORMAT;
    uint64_t span = record_span(protobuf_c_message_get_packed_size(&record->base));
    uint32_t unused = journal_free_segments(journal);
    if (span > journal->room_size || unused < kept_free(class)) {
        return FAIL(FAILURE_FULL);
    }
    if (journal->end + span > journal->conf.segment_bytes) {
        if (unused <= kept_free(class) ||
            opening_span(journal) + span > journal->conf.segment_bytes) {
            return FAIL(FAILURE_FULL);
        }
        /* What is behind us is durable before anything stands in the next segment: a broken record
         * in a segment that is not the newest is then always damage. */
        if (JOURNAL_CARE(ROLL)) {
            TRY(journal_sync(journal));
        }
        uint64_t previous_end = journal->end;
        uint32_t slot = unused_slot(journal);
        uint64_t epoch = journal_current(journal)->epoch + 1;
        struct result begun = journal_begin_segment(journal, slot, epoch, previous_end);
        if (begun.code != 0) {
            journal->broken = true;
            return begun;
        }
    }
    return write_at_end(journal, record, offset_out);
}

RESULT journal_sync(struct journal *journal)
{
    if (journal->broken) {
        return FAIL(FAILURE_IO);
    }
    CHECK(journal->synced <= journal->end);
    if (journal->synced == journal->end) {
        return OK;
    }
    struct result synced =
        journal->disk.calls->sync(journal->disk.context, journal_current(journal)->handle);
    if (synced.code != 0) {
        journal->broken = true; /* What is on the disk now is unknown: never try again. */
        return synced;
    }
    journal->synced = journal->end;
    return OK;
}
