/* Decides what the log holds and what becomes durable when: the calls of journal.h. Segments and
 * room are journal_write.c's, recovery is journal_scan.c's. Never decides what an entry means. */
#include "controller/journal.h"

#include "base/check.h"
#include "controller/journal_care.h"
#include "controller/journal_inner.h"
#include "wire/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void journal_name(char out[static 32], uint32_t slot, bool fresh)
{
    CHECK(slot < JOURNAL_SEGMENTS_MAX);
    int length = snprintf(out, 32, "journal-%u%s", (unsigned int)slot, fresh ? ".new" : "");
    CHECK(length > 0 && length < 32);
}

struct result journal_damaged(
    struct journal *journal, uint32_t slot, uint64_t offset, const char *what)
{
    struct journal_fault *fault = journal->conf.fault;
    CHECK(slot <= JOURNAL_SEGMENTS_MAX);
    if (fault != NULL && fault->what == NULL) {
        *fault = (struct journal_fault){ .offset = offset, .what = what };
        fault->index = journal->state.last;
        if (slot < JOURNAL_SEGMENTS_MAX) {
            journal_name(fault->file, slot, false);
        }
    }
    return FAIL(FAILURE_CORRUPT);
}

struct journal_place *journal_place_of(const struct journal *journal, uint64_t index)
{
    CHECK(index > 0);
    return &journal->places[index % journal->place_count];
}

static void conf_check(const struct journal_conf *conf)
{
    CHECK(conf->owner != 0);
    CHECK(conf->segment_count >= JOURNAL_SEGMENTS_MIN);
    CHECK(conf->segment_count <= JOURNAL_SEGMENTS_MAX);
    CHECK(conf->segment_bytes >= JOURNAL_SEGMENT_MIN);
    CHECK(conf->segment_bytes % 4096 == 0);
    CHECK(conf->entry_max > 0 && conf->entry_max <= LIMIT_ENTRY);
    CHECK(conf->entry_max <= conf->segment_bytes / 2);
}

/* Half-built is fine for journal_close. NULL: no memory. */
static struct journal *journal_new(struct disk disk, const struct journal_conf *conf)
{
    conf_check(conf);
    struct journal *journal = calloc(1, sizeof(*journal));
    if (journal == NULL) {
        return NULL;
    }
    journal->disk = disk;
    journal->conf = *conf;
    journal->state.first = 1;
    for (uint32_t slot = 0; slot < JOURNAL_SEGMENTS_MAX; slot++) {
        journal->segments[slot].handle = -1;
    }
    size_t arena_size = (size_t)4 * (JOURNAL_MANIFEST_MAX + JOURNAL_PAYLOAD_EXTRA);
    journal->room_size = (size_t)record_span(JOURNAL_MANIFEST_MAX + JOURNAL_PAYLOAD_EXTRA);
    journal->place_count = (uint64_t)conf->segment_bytes * conf->segment_count / RECORD_HEADER;
    if (journal->place_count > JOURNAL_ENTRIES_MAX) {
        journal->place_count = JOURNAL_ENTRIES_MAX;
    }
    journal->places = calloc(journal->place_count, sizeof(*journal->places));
    journal->room = malloc(journal->room_size);
    void *memory = malloc(arena_size);
    if (journal->places == NULL || journal->room == NULL || memory == NULL) {
        free(memory);
        journal_close(journal);
        return NULL;
    }
    arena_init(&journal->arena, memory, arena_size);
    return journal;
}

void journal_close(struct journal *journal)
{
    if (journal == NULL) {
        return;
    }
    for (uint32_t slot = 0; slot < JOURNAL_SEGMENTS_MAX; slot++) {
        if (journal->segments[slot].handle >= 0) {
            journal->disk.calls->close(journal->disk.context, journal->segments[slot].handle);
        }
    }
    free(journal->places);
    free(journal->room);
    free(journal->manifest);
    free(journal->arena.memory);
    free(journal);
}

static RESULT create_segments(struct journal *journal, uint64_t seed)
{
    const struct disk_calls *calls = journal->disk.calls;
    void *context = journal->disk.context;
    char name[32];
    char fresh[32];
    CHECK(seed != 0);
    for (uint32_t slot = 0; slot < journal->conf.segment_count; slot++) {
        journal_name(fresh, slot, true);
        TRY(calls->open(
            context, fresh, journal->conf.segment_bytes, &journal->segments[slot].handle));
    }
    journal->id = seed;
    journal->oldest = 1;
    TRY(journal_begin_segment(journal, 0, 1, 0));
    TRY(journal_sync(journal));
    /* "journal-0" comes last: as long as it is missing there is no journal. */
    for (uint32_t left = journal->conf.segment_count; left > 0; left--) {
        journal_name(fresh, left - 1, true);
        journal_name(name, left - 1, false);
        TRY(calls->rename(context, fresh, name));
    }
    CHECK(journal->synced == journal->end);
    return OK;
}

RESULT journal_create(struct disk disk, const struct journal_conf *conf, uint64_t seed)
{
    struct journal *journal = journal_new(disk, conf);
    if (journal == NULL) {
        return FAIL(FAILURE_NO_SPACE);
    }
    char name[32];
    journal_name(name, 0, false);
    int handle = -1;
    struct result result = disk.calls->open(disk.context, name, 0, &handle);
    if (result.code == 0) {
        CHECK(handle >= 0);
        disk.calls->close(disk.context, handle);
        result = FAIL(FAILURE_EXISTS);
    } else if (result.code == FAILURE_NOT_FOUND) {
        result = create_segments(journal, seed);
    }
    journal_close(journal);
    return result;
}

RESULT journal_open(struct disk disk, const struct journal_conf *conf, struct journal **out)
{
    struct journal *journal = journal_new(disk, conf);
    if (journal == NULL) {
        return FAIL(FAILURE_NO_SPACE);
    }
    struct result result = OK;
    for (uint32_t slot = 0; slot < conf->segment_count && result.code == 0; slot++) {
        char name[32];
        journal_name(name, slot, false);
        result = disk.calls->open(disk.context, name, 0, &journal->segments[slot].handle);
        if (result.code == FAILURE_NOT_FOUND && slot > 0) {
            result = journal_damaged(journal, slot, 0, "the file is missing");
        }
    }
    if (result.code == 0) {
        result = journal_scan(journal);
    }
    /* What a killed process wrote but never synced is seen by the scan; before anyone counts on
     * it, it has to be on the disk. */
    if (result.code == 0) {
        result = disk.calls->sync(disk.context, journal_current(journal)->handle);
    }
    if (result.code != 0) {
        journal_close(journal);
        return result;
    }
    CHECK(journal->state.first <= journal->state.last + 1);
    journal->synced = journal->end;
    *out = journal;
    return OK;
}

const struct journal_state *journal_state(const struct journal *journal)
{
    CHECK(journal->state.first <= journal->state.last + 1);
    return &journal->state;
}

bool journal_entry_at(
    const struct journal *journal, uint64_t index, uint64_t *term_out, enum journal_type *type_out)
{
    if (index < journal->state.first || index > journal->state.last) {
        return false;
    }
    const struct journal_place *place = journal_place_of(journal, index);
    CHECK(place->index == index); /* INV-LOG-1 */
    CHECK(place->term > 0);
    *term_out = place->term;
    if (type_out != NULL) {
        *type_out = (enum journal_type)place->type;
    }
    return true;
}

/* What was kept is not there any more: the entry before it is the last that reads. */
static struct result lost_at(
    struct journal *journal, const struct journal_place *place, const char *what)
{
    struct result damaged = journal_damaged(journal, place->segment, place->offset, what);
    if (journal->conf.fault != NULL) {
        journal->conf.fault->index = place->index - 1;
    }
    return damaged;
}

RESULT journal_read(struct journal *journal, uint64_t index, struct journal_entry *entry_out)
{
    CHECK(index >= journal->state.first);
    CHECK(index <= journal->state.last);
    const struct journal_place *place = journal_place_of(journal, index);
    const struct journal_segment *segment = &journal->segments[place->segment];
    uint64_t size = record_span((uint64_t)place->size + 64);
    if (size > journal->room_size) {
        size = journal->room_size;
    }
    if (size > journal->conf.segment_bytes - place->offset) {
        size = journal->conf.segment_bytes - place->offset;
    }
    struct result read = journal->disk.calls->read(
        journal->disk.context, segment->handle, place->offset, journal->room, (size_t)size);
    if (read.code == FAILURE_CORRUPT) {
        return lost_at(journal, place, SHORTER);
    }
    TRY(read);
    struct record_header header = { 0 };
    struct slice payload = SLICE_EMPTY;
    Wire__JournalRecord *record = NULL;
    arena_reset(&journal->arena);
    if (!record_parse(slice_of(journal->room, (size_t)size), &header, &payload) ||
        header.epoch != segment->epoch || header.offset != place->offset ||
        wire_decode(&wire__journal_record__descriptor, payload, &journal->arena, &record).code !=
            0 ||
        record->body_case != WIRE__JOURNAL_RECORD__BODY_ENTRY || record->entry->index != index ||
        record->entry->term != place->term) {
        return lost_at(journal, place, NOT_READ_BACK);
    }
    *entry_out = (struct journal_entry){
        .index = index,
        .term = record->entry->term,
        .type = (enum journal_type)record->entry->type,
        .bytes = slice_of(record->entry->data.data, record->entry->data.len),
    };
    return OK;
}

static RESULT write_ballot(struct journal *journal, uint64_t term, uint64_t vote)
{
    Wire__JournalBallot ballot = WIRE__JOURNAL_BALLOT__INIT;
    Wire__JournalRecord record = WIRE__JOURNAL_RECORD__INIT;
    CHECK(term > 0);
    ballot.term = term;
    ballot.vote = vote;
    record.body_case = WIRE__JOURNAL_RECORD__BODY_BALLOT;
    record.ballot = &ballot;
    TRY(journal_write(journal, JOURNAL_INNER, &record, NULL));
    TRY(journal_sync(journal));
    journal->state.term = term;
    journal->state.vote = vote;
    CHECK(journal->synced == journal->end); /* INV-LOG-3 */
    return OK;
}

RESULT journal_set_term(struct journal *journal, uint64_t term)
{
    CHECK(term > journal->state.term); /* INV-LOG-3 */
    return write_ballot(journal, term, 0);
}

RESULT journal_set_vote(struct journal *journal, uint64_t vote)
{
    CHECK(vote != 0);
    return write_ballot(journal, journal->state.term, vote);
}

RESULT journal_append(
    struct journal *journal, enum journal_class class, const struct journal_entry *entry)
{
    struct journal_state *state = &journal->state;
    CHECK(entry->index == state->last + 1);
    CHECK(entry->term > 0 && entry->term <= state->term);
    if (entry->bytes.size > journal->conf.entry_max ||
        state->last + 1 - state->first >= journal->place_count) {
        return FAIL(FAILURE_FULL);
    }
    Wire__JournalEntry body = WIRE__JOURNAL_ENTRY__INIT;
    Wire__JournalRecord record = WIRE__JOURNAL_RECORD__INIT;
    uint8_t *copy = NULL;
    arena_reset(&journal->arena);
    if (entry->bytes.size > 0) { /* protobuf-c wants a pointer that it may write through. */
        copy = arena_take(&journal->arena, entry->bytes.size);
        CHECK(copy != NULL);
        memcpy(copy, entry->bytes.data, entry->bytes.size);
    }
    body.index = entry->index;
    body.term = entry->term;
    body.type = (Wire__JournalEntryType)entry->type;
    body.data.len = entry->bytes.size;
    body.data.data = copy;
    record.body_case = WIRE__JOURNAL_RECORD__BODY_ENTRY;
    record.entry = &body;
    uint32_t offset = 0;
    TRY(journal_write(journal, class, &record, &offset));
    *journal_place_of(journal, entry->index) = (struct journal_place){
        .index = entry->index,
        .term = entry->term,
        .offset = offset,
        .size = (uint32_t)entry->bytes.size,
        .segment = (uint8_t)journal->current,
        .type = (uint8_t)entry->type,
    };
    state->last = entry->index;
    state->size += entry->bytes.size;
    return OK;
}

/* Forgets indexes ≥ from in memory. */
static void forget_from(struct journal_state *state, struct journal *journal, uint64_t from)
{
    CHECK(from >= state->first);
    while (state->last >= from) {
        state->size -= journal_place_of(journal, state->last)->size;
        state->last--;
    }
}

RESULT journal_truncate(struct journal *journal, uint64_t from)
{
    struct journal_state *state = &journal->state;
    CHECK(from >= state->first);
    CHECK(!state->snapshot_present || from > state->snapshot.index); /* INV-LOG-1 */
    if (from > state->last) {
        return OK;
    }
    Wire__JournalCut cut = WIRE__JOURNAL_CUT__INIT;
    Wire__JournalRecord record = WIRE__JOURNAL_RECORD__INIT;
    cut.from = from;
    record.body_case = WIRE__JOURNAL_RECORD__BODY_CUT;
    record.cut = &cut;
    if (JOURNAL_CARE(CUT)) {
        TRY(journal_write(journal, JOURNAL_INNER, &record, NULL));
    }
    forget_from(state, journal, from);
    return OK;
}
