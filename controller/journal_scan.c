/* Decides what the log on disk says after any crash: what is whole, what is a torn tail, what is
 * damage. Never writes.
 *
 * A segment's first record holds all that was true before it, so the newest segments from which
 * every kept entry can be read are enough. Everything before the newest record of `synced` was
 * durable: if it does not read back, this log is corrupt, not torn. */
#include "controller/journal_inner.h"

#include "base/check.h"
#include "wire/wire.h"

#include <stdlib.h>
#include <string.h>

/* Terms and indexes grow by one; beyond this a number is no number of ours. */
static const uint64_t number_max = UINT64_C(1) << 62;

struct head {
    bool valid;
    uint64_t previous_end;
    uint64_t chain_before; /* Checksum of the record before the first one. */
};

struct scan {
    struct journal *journal;
    uint8_t *bytes; /* Owned; one segment. */
    struct head heads[JOURNAL_SEGMENTS_MAX];
    uint32_t newest;
    uint64_t chain;
    bool follows; /* The segments before the next one were replayed. */
};

static struct slice from_offset(const struct scan *scan, uint64_t offset)
{
    CHECK(offset <= scan->journal->conf.segment_bytes);
    return slice_of(scan->bytes + offset, (size_t)(scan->journal->conf.segment_bytes - offset));
}

static RESULT read_segment(struct scan *scan, uint32_t slot)
{
    struct journal *journal = scan->journal;
    CHECK(slot < journal->conf.segment_count);
    struct result read = journal->disk.calls->read(
        journal->disk.context,
        journal->segments[slot].handle,
        0,
        scan->bytes,
        journal->conf.segment_bytes);
    return read.code == FAILURE_CORRUPT ? journal_damaged(journal, slot, 0, SHORTER) : read;
}

static bool record_decode(struct journal *journal, struct slice payload, Wire__JournalRecord **out)
{
    arena_reset(&journal->arena);
    return payload.size <= journal->room_size &&
           wire_decode(&wire__journal_record__descriptor, payload, &journal->arena, out).code ==
               0 &&
           (*out)->format == RECORD_FORMAT;
}

static RESULT read_heads(struct scan *scan)
{
    struct journal *journal = scan->journal;
    uint64_t epoch_max = 0;
    for (uint32_t slot = 0; slot < journal->conf.segment_count; slot++) {
        TRY(read_segment(scan, slot));
        struct record_header header = { 0 };
        struct slice payload = SLICE_EMPTY;
        Wire__JournalRecord *record = NULL;
        if (!record_parse(from_offset(scan, 0), &header, &payload) || header.offset != 0 ||
            header.epoch == 0 || header.synced != 0 || !record_decode(journal, payload, &record) ||
            record->body_case != WIRE__JOURNAL_RECORD__BODY_SEGMENT) {
            continue;
        }
        const Wire__JournalSegment *segment = record->segment;
        if (segment->owner != journal->conf.owner ||
            segment->segment_bytes != journal->conf.segment_bytes ||
            (epoch_max != 0 && header.journal != journal->id)) {
            return journal_damaged(journal, slot, 0, "the file is of another log");
        }
        journal->id = header.journal;
        journal->segments[slot].epoch = header.epoch;
        journal->segments[slot].base = segment->next_index;
        scan->heads[slot] = (struct head){ true, segment->previous_end, header.chain };
        if (header.epoch > epoch_max) {
            epoch_max = header.epoch;
            scan->newest = slot;
        }
    }
    return epoch_max == 0 ? journal_damaged(journal, 0, 0, "no file has a beginning that reads")
                          : OK;
}

/* Does a whole record stand behind `offset` that was written after `offset` had been synced? */
static bool synced_behind(const struct scan *scan, uint64_t epoch, uint64_t offset, bool *any_out)
{
    const struct journal *journal = scan->journal;
    for (uint64_t at = offset & ~UINT64_C(7); at + RECORD_HEADER <= journal->conf.segment_bytes;
         at += 8) {
        if (record_cannot_stand(scan->bytes + at)) {
            continue; /* Nearly everywhere, and a log is opened while its cell waits. */
        }
        struct slice bytes = from_offset(scan, at);
        struct record_header header = { 0 };
        struct slice payload = SLICE_EMPTY;
        if (!record_may_stand(bytes, journal->id, epoch, at)) {
            continue;
        }
        *any_out = true;
        if (record_parse(bytes, &header, &payload) && header.synced > offset) {
            return true;
        }
    }
    return false;
}

/* A segment without a readable first record is a torn beginning, unless something in it was
 * written after that beginning had been synced. */
static RESULT check_headless(struct scan *scan)
{
    struct journal *journal = scan->journal;
    uint64_t next = journal->segments[scan->newest].epoch + 1;
    for (uint32_t slot = 0; slot < journal->conf.segment_count; slot++) {
        if (scan->heads[slot].valid) {
            continue;
        }
        TRY(read_segment(scan, slot));
        bool any = false;
        if (synced_behind(scan, next, 0, &any)) {
            return journal_damaged(journal, slot, 0, NOT_READ_BACK);
        }
        journal->state.torn = journal->state.torn || any;
    }
    return OK;
}

static RESULT take_snapshot(struct journal *journal, const Wire__JournalSnapshot *from)
{
    struct journal_snapshot snapshot = {
        .index = from->index,
        .term = from->term,
        .members_index = from->members_index,
        .manifest = slice_of(from->manifest.data, from->manifest.len),
    };
    if (from->n_members > LIMIT_CONTROLLERS || from->manifest.len > JOURNAL_MANIFEST_MAX ||
        from->index == 0 || from->index > number_max || from->first_index == 0 ||
        from->first_index > from->index + 1) {
        return FAIL(FAILURE_CORRUPT);
    }
    for (size_t i = 0; i < from->n_members; i++) {
        struct journal_member *member = &snapshot.members[snapshot.member_count++];
        member->id = from->members[i]->id;
        member->role = (int)from->members[i]->role;
        if (!text_copy(
                member->address, sizeof(member->address), slice_text(from->members[i]->address))) {
            return FAIL(FAILURE_CORRUPT);
        }
    }
    journal_keep_snapshot(journal, &snapshot);
    return OK;
}

static RESULT replay_segment_record(struct journal *journal, const Wire__JournalSegment *from)
{
    struct journal_state *state = &journal->state;
    if (from->ballot == NULL || from->ballot->term > number_max || from->first_index == 0 ||
        from->next_index < from->first_index || from->next_index > number_max) {
        return FAIL(FAILURE_CORRUPT);
    }
    state->term = from->ballot->term;
    state->vote = from->ballot->vote;
    state->first = from->first_index;
    state->last = from->next_index - 1;
    return from->snapshot == NULL ? OK : take_snapshot(journal, from->snapshot);
}

static RESULT replay_entry(
    struct journal *journal, const Wire__JournalEntry *entry, uint32_t slot, uint64_t offset)
{
    struct journal_state *state = &journal->state;
    if (entry->index != state->last + 1 || entry->term == 0 || entry->term > state->term ||
        entry->type == WIRE__JOURNAL_ENTRY_TYPE__JOURNAL_ENTRY_TYPE_UNSET) {
        return FAIL(FAILURE_CORRUPT);
    }
    CHECK(slot < JOURNAL_SEGMENTS_MAX);
    *journal_place_of(journal, entry->index) = (struct journal_place){
        .index = entry->index,
        .term = entry->term,
        .offset = (uint32_t)offset,
        .size = (uint32_t)entry->data.len,
        .segment = (uint8_t)slot,
        .type = (uint8_t)entry->type,
    };
    state->last = entry->index;
    return OK;
}

static RESULT replay(
    struct journal *journal, const Wire__JournalRecord *record, uint32_t slot, uint64_t offset)
{
    struct journal_state *state = &journal->state;
    switch (record->body_case) {
    case WIRE__JOURNAL_RECORD__BODY_SEGMENT:
        return offset == 0 ? replay_segment_record(journal, record->segment)
                           : FAIL(FAILURE_CORRUPT);
    case WIRE__JOURNAL_RECORD__BODY_ENTRY:
        return replay_entry(journal, record->entry, slot, offset);
    case WIRE__JOURNAL_RECORD__BODY_BALLOT:
        if (record->ballot->term < state->term || record->ballot->term > number_max) {
            return FAIL(FAILURE_CORRUPT);
        }
        state->term = record->ballot->term;
        state->vote = record->ballot->vote;
        return OK;
    case WIRE__JOURNAL_RECORD__BODY_CUT:
        if (record->cut->from < state->first || record->cut->from > state->last) {
            return FAIL(FAILURE_CORRUPT);
        }
        state->last = record->cut->from - 1;
        return OK;
    case WIRE__JOURNAL_RECORD__BODY_SNAPSHOT:
        TRY(take_snapshot(journal, record->snapshot));
        state->first = record->snapshot->first_index;
        if (record->snapshot->whole) {
            state->last = state->snapshot.index;
        }
        return state->last < state->snapshot.index ? FAIL(FAILURE_CORRUPT) : OK;
    case WIRE__JOURNAL_RECORD__BODY__NOT_SET:
    case _WIRE__JOURNAL_RECORD__BODY__CASE_IS_INT_SIZE: return FAIL(FAILURE_CORRUPT);
    }
    return FAIL(FAILURE_CORRUPT);
}

/* INV-LOG-3: a segment that follows begins with what the one before it ended with. */
static bool continues(const struct journal *journal, const Wire__JournalRecord *record)
{
    const struct journal_state *state = &journal->state;
    return record->body_case == WIRE__JOURNAL_RECORD__BODY_SEGMENT &&
           record->segment->ballot != NULL && record->segment->ballot->term == state->term &&
           record->segment->next_index == state->last + 1;
}

/* Replays one segment up to `bound` (its known end) or, in the newest, up to its last whole record.
 * Leaves the end of the segment in journal->end. */
static RESULT replay_segment(struct scan *scan, uint32_t slot, bool newest, uint64_t bound)
{
    struct journal *journal = scan->journal;
    uint64_t epoch = journal->segments[slot].epoch;
    uint64_t offset = 0;
    TRY(read_segment(scan, slot));
    while (offset < bound) {
        struct record_header header = { 0 };
        struct slice payload = SLICE_EMPTY;
        if (!record_parse(from_offset(scan, offset), &header, &payload) ||
            header.journal != journal->id || header.epoch != epoch || header.offset != offset ||
            header.chain != scan->chain || header.synced > offset) {
            break;
        }
        Wire__JournalRecord *record = NULL;
        if (!record_decode(journal, payload, &record)) {
            return journal_damaged(journal, slot, offset, "a whole record of another format");
        }
        bool torn_apart = offset == 0 && scan->follows && !continues(journal, record);
        struct result replayed =
            torn_apart ? FAIL(FAILURE_CORRUPT) : replay(journal, record, slot, offset);
        if (replayed.code == FAILURE_CORRUPT) {
            return journal_damaged(journal, slot, offset, "it does not follow from what is before");
        }
        TRY(replayed);
        scan->chain = header.checksum;
        offset += record_span(header.size);
    }
    if (offset == 0) { /* Its beginning reads, so it is no torn one; it is of another past. */
        return journal_damaged(journal, slot, 0, "it does not follow from what is before");
    }
    if (!newest && offset != bound) {
        return journal_damaged(journal, slot, offset, NOT_READ_BACK);
    }
    if (newest) {
        bool any = false;
        if (synced_behind(scan, epoch, offset, &any)) {
            return journal_damaged(journal, slot, offset, NOT_READ_BACK);
        }
        journal->state.torn = journal->state.torn || any;
    }
    journal->current = slot;
    journal->end = offset;
    return OK;
}

static uint32_t slot_of(const struct journal *journal, uint64_t epoch)
{
    uint32_t slot = 0;
    while (slot < journal->conf.segment_count && journal->segments[slot].epoch != epoch) {
        slot++;
    }
    return slot; /* segment_count: there is none. */
}

/* The newest segment tells what is kept; walks back to the one that can rebuild it. */
static RESULT find_oldest(struct scan *scan, uint64_t *oldest_out)
{
    struct journal *journal = scan->journal;
    uint64_t epoch = journal->segments[scan->newest].epoch;
    uint32_t slot = scan->newest;
    scan->chain = scan->heads[slot].chain_before;
    TRY(replay_segment(scan, slot, true, journal->conf.segment_bytes));
    while (journal->segments[slot].base > journal->state.first) {
        epoch--;
        slot = slot_of(journal, epoch);
        if (epoch == 0 || slot == journal->conf.segment_count || !scan->heads[slot].valid) {
            return journal_damaged(
                journal, JOURNAL_SEGMENTS_MAX, 0, "a file that is needed does not read");
        }
    }
    *oldest_out = epoch;
    return OK;
}

static RESULT rebuild(struct scan *scan)
{
    struct journal *journal = scan->journal;
    uint64_t last_epoch = journal->segments[scan->newest].epoch;
    uint64_t oldest = 0;
    TRY(find_oldest(scan, &oldest));
    CHECK(oldest > 0 && oldest <= last_epoch);
    scan->chain = scan->heads[slot_of(journal, oldest)].chain_before;
    for (uint64_t epoch = oldest; epoch <= last_epoch; epoch++) {
        uint32_t slot = slot_of(journal, epoch);
        uint64_t bound = journal->conf.segment_bytes;
        if (epoch < last_epoch) {
            uint32_t next = slot_of(journal, epoch + 1);
            CHECK(next < journal->conf.segment_count);
            bound = scan->heads[next].previous_end;
        }
        if (bound > journal->conf.segment_bytes) {
            return journal_damaged(journal, slot, 0, "the next file contradicts its end");
        }
        TRY(replay_segment(scan, slot, epoch == last_epoch, bound));
        scan->follows = true;
    }
    journal->oldest = oldest;
    journal->chain = scan->chain;
    return OK;
}

static RESULT check_entries(struct journal *journal)
{
    struct journal_state *state = &journal->state;
    if (state->first == 0 || state->first > state->last + 1 ||
        state->last + 1 - state->first > journal->place_count ||
        (state->snapshot_present &&
         (state->snapshot.index + 1 < state->first || state->snapshot.index > state->last))) {
        return journal_damaged(
            journal, JOURNAL_SEGMENTS_MAX, 0, "entries that are needed are missing");
    }
    state->size = 0;
    for (uint64_t index = state->first; index <= state->last; index++) {
        const struct journal_place *place = journal_place_of(journal, index);
        if (place->index != index) {
            return journal_damaged(
                journal, JOURNAL_SEGMENTS_MAX, 0, "entries that are needed are missing");
        }
        state->size += place->size;
    }
    return OK;
}

RESULT journal_scan(struct journal *journal)
{
    struct scan scan = { .journal = journal };
    scan.bytes = malloc(journal->conf.segment_bytes);
    if (scan.bytes == NULL) {
        return FAIL(FAILURE_NO_SPACE);
    }
    struct result result = read_heads(&scan);
    if (result.code == 0) {
        result = check_headless(&scan);
    }
    if (result.code == 0) {
        result = rebuild(&scan);
    }
    if (result.code == 0) {
        result = check_entries(journal);
    }
    free(scan.bytes);
    return result;
}
