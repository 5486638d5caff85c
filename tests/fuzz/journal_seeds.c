/* First inputs of the log on disk: lives in one segment or over several, and single odd things.
 * Decides nothing about them. */
#include "tests/fuzz/fuzz_journal.h"

#include "base/check.h"
#include "base/limits.h"
#include "controller/journal_record.h"
#include "wire/wire.h"

#include <string.h>

enum { SEEDS = 64 };

struct story {
    uint8_t *room;
    size_t used;
    uint8_t kind;
};

static void say(struct story *story, Wire__JournalRecord *record)
{
    static _Alignas(16) uint8_t memory[64 * 1024];
    struct arena arena;
    struct slice bytes = SLICE_EMPTY;
    arena_init(&arena, memory, sizeof(memory));
    record->format = RECORD_FORMAT;
    struct result packed = wire_encode(record, &arena, &bytes);
    CHECK(packed.code == 0);
    (void)fuzz_part_put(story->room, FUZZ_INPUT_MAX, &story->used, story->kind, bytes);
}

static void say_segment(struct story *story, uint64_t previous_end, uint64_t next, uint64_t first)
{
    Wire__JournalSegment segment = WIRE__JOURNAL_SEGMENT__INIT;
    Wire__JournalBallot ballot = WIRE__JOURNAL_BALLOT__INIT;
    Wire__JournalRecord record = WIRE__JOURNAL_RECORD__INIT;
    ballot.term = 1;
    segment.owner = OWNER;
    segment.segment_bytes = SEGMENT_BYTES;
    segment.previous_end = previous_end;
    segment.next_index = next;
    segment.first_index = first;
    segment.ballot = &ballot;
    record.body_case = WIRE__JOURNAL_RECORD__BODY_SEGMENT;
    record.segment = &segment;
    say(story, &record);
}

static void say_entry(struct story *story, uint64_t index, size_t size)
{
    static uint8_t data[SEGMENT_BYTES / 4] = "what was asked";
    Wire__JournalEntry entry = WIRE__JOURNAL_ENTRY__INIT;
    Wire__JournalRecord record = WIRE__JOURNAL_RECORD__INIT;
    entry.index = index;
    entry.term = 1;
    entry.type = WIRE__JOURNAL_ENTRY_TYPE__JOURNAL_ENTRY_TYPE_COMMAND;
    entry.data = (ProtobufCBinaryData){ size, data };
    record.body_case = WIRE__JOURNAL_RECORD__BODY_ENTRY;
    record.entry = &entry;
    say(story, &record);
}

static void say_rest(struct story *story, uint32_t number)
{
    Wire__JournalRecord record = WIRE__JOURNAL_RECORD__INIT;
    Wire__JournalBallot ballot = WIRE__JOURNAL_BALLOT__INIT;
    Wire__JournalCut cut = WIRE__JOURNAL_CUT__INIT;
    Wire__JournalSnapshot snapshot = WIRE__JOURNAL_SNAPSHOT__INIT;
    Wire__JournalMember member = WIRE__JOURNAL_MEMBER__INIT;
    Wire__JournalMember *members[] = { &member };
    ballot.term = 2;
    ballot.vote = 7;
    cut.from = 2;
    member.id = 7;
    member.address = "10.0.0.1:7444";
    member.role = 1;
    snapshot.index = number % 2 == 0 ? 1 : 9;
    snapshot.term = 1;
    snapshot.members_index = 1;
    snapshot.n_members = 1;
    snapshot.members = members;
    snapshot.first_index = snapshot.index + 1;
    snapshot.whole = number % 2 != 0;
    if (number % 3 == 0) {
        record.body_case = WIRE__JOURNAL_RECORD__BODY_BALLOT;
        record.ballot = &ballot;
    } else if (number % 3 == 1) {
        record.body_case = WIRE__JOURNAL_RECORD__BODY_CUT;
        record.cut = &cut;
    } else {
        record.body_case = WIRE__JOURNAL_RECORD__BODY_SNAPSHOT;
        record.snapshot = &snapshot;
    }
    say(story, &record);
}

/* Where the segment ends that was said from here on: the sum of the spans of its records. */
static uint64_t end_from(const struct story *story, size_t before)
{
    struct slice said = slice_of(story->room + before, story->used - before);
    struct fuzz_part part;
    uint64_t end = 0;
    while (fuzz_part_next(&said, &part)) {
        end += record_span(part.bytes.size);
    }
    return end;
}

/* ---- One thing in it is odd ---- */

enum odd {
    ODD_EPOCH, /* None. */
    ODD_OFFSET,
    ODD_JOURNAL,
    ODD_ORDER, /* The first file is the newest. */
    ODD_MEMBERS,
    ODD_BALLOT, /* None, of a file between others. */
    ODD_FORMAT,
    ODD_GAP, /* Between its snapshot and its first entry. */
    ODDS,
};

enum field { FIELD_JOURNAL = 3, FIELD_EPOCH = 4, FIELD_OFFSET = 5, FIELD_FORMAT = 7 };

/* What was said last, from here on, with another number in its header. */
static void turn_odd(struct story *story, size_t from, enum field field, uint8_t value)
{
    uint8_t bytes[FUZZ_PART_MAX] = { (uint8_t)field, value };
    size_t size = story->used - from - 3;
    CHECK(size + 8 <= sizeof(bytes));
    memcpy(bytes + 8, story->room + from + 3, size);
    story->used = from;
    (void)fuzz_part_put(
        story->room,
        FUZZ_INPUT_MAX,
        &story->used,
        (uint8_t)(HOW_ODD * SEGMENTS + story->kind),
        slice_of(bytes, size + 8));
}

static void say_members(struct story *story)
{
    Wire__JournalMember member = WIRE__JOURNAL_MEMBER__INIT;
    Wire__JournalMember *members[LIMIT_CONTROLLERS + 1];
    Wire__JournalSnapshot snapshot = WIRE__JOURNAL_SNAPSHOT__INIT;
    Wire__JournalRecord record = WIRE__JOURNAL_RECORD__INIT;
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        members[i] = &member;
    }
    snapshot.index = 1;
    snapshot.n_members = COUNT_OF(members);
    snapshot.members = members;
    snapshot.first_index = 1;
    record.body_case = WIRE__JOURNAL_RECORD__BODY_SNAPSHOT;
    record.snapshot = &snapshot;
    say(story, &record);
}

static void say_gap(struct story *story)
{
    Wire__JournalSnapshot snapshot = WIRE__JOURNAL_SNAPSHOT__INIT;
    Wire__JournalBallot ballot = WIRE__JOURNAL_BALLOT__INIT;
    Wire__JournalSegment segment = WIRE__JOURNAL_SEGMENT__INIT;
    Wire__JournalRecord record = WIRE__JOURNAL_RECORD__INIT;
    snapshot.index = 3;
    snapshot.first_index = 1;
    segment.owner = OWNER;
    segment.segment_bytes = SEGMENT_BYTES;
    segment.next_index = 10;
    segment.first_index = 10;
    segment.ballot = &ballot;
    segment.snapshot = &snapshot;
    record.body_case = WIRE__JOURNAL_RECORD__BODY_SEGMENT;
    record.segment = &segment;
    say(story, &record);
}

/* Three files, each with one entry; the one between them says nothing of a ballot. */
static void say_three(struct story *story)
{
    uint64_t end = 0;
    for (uint32_t slot = 0; slot < 3; slot++) {
        Wire__JournalSegment segment = WIRE__JOURNAL_SEGMENT__INIT;
        Wire__JournalRecord record = WIRE__JOURNAL_RECORD__INIT;
        size_t before = story->used;
        story->kind = (uint8_t)slot;
        if (slot != 1) {
            say_segment(story, end, slot + 1, 1);
        } else {
            segment.owner = OWNER;
            segment.segment_bytes = SEGMENT_BYTES;
            segment.previous_end = end;
            segment.next_index = slot + 1;
            segment.first_index = 1;
            record.body_case = WIRE__JOURNAL_RECORD__BODY_SEGMENT;
            record.segment = &segment;
            say(story, &record);
        }
        say_entry(story, slot + 1, 15);
        end = end_from(story, before);
    }
}

static size_t odd_seed(enum odd odd, uint8_t *room)
{
    struct story story = { .room = room };
    if (odd == ODD_GAP) {
        say_gap(&story);
        return story.used;
    }
    if (odd == ODD_BALLOT) {
        say_three(&story);
        return story.used;
    }
    say_segment(&story, 0, 1, 1);
    size_t first = story.used;
    if (odd == ODD_MEMBERS) {
        say_members(&story);
    } else if (odd == ODD_EPOCH) {
        turn_odd(&story, 0, FIELD_EPOCH, 0);
    } else if (odd == ODD_OFFSET || odd == ODD_FORMAT) {
        turn_odd(&story, 0, odd == ODD_OFFSET ? FIELD_OFFSET : FIELD_FORMAT, 8);
    } else {
        if (odd == ODD_ORDER) {
            turn_odd(&story, 0, FIELD_EPOCH, 9);
            first = story.used;
        }
        story.kind = 1;
        say_segment(&story, 0, 1, 1);
        if (odd == ODD_JOURNAL) {
            turn_odd(&story, first, FIELD_JOURNAL, 7);
        }
    }
    return story.used;
}

/* ---- First inputs ---- */

size_t fuzz_seed(uint32_t number, uint8_t room[static FUZZ_INPUT_MAX])
{
    if (number >= SEEDS) {
        return number < SEEDS + ODDS ? odd_seed((enum odd)(number - SEEDS), room) : 0;
    }
    if (number >= SEEDS - 8) { /* One odd field of the header each. */
        Wire__JournalRecord record = WIRE__JOURNAL_RECORD__INIT;
        struct story odd = { .room = room };
        say_segment(&odd, 0, 1, 1);
        uint8_t bytes[FUZZ_PART_MAX] = { (uint8_t)number, 2 };
        Wire__JournalBallot ballot = WIRE__JOURNAL_BALLOT__INIT;
        ballot.term = 3;
        record.body_case = WIRE__JOURNAL_RECORD__BODY_BALLOT;
        record.ballot = &ballot;
        record.format = number == SEEDS - 1 ? 3 : RECORD_FORMAT;
        size_t size = protobuf_c_message_pack(&record.base, bytes + 8);
        (void)fuzz_part_put(
            room, FUZZ_INPUT_MAX, &odd.used, HOW_ODD * SEGMENTS, slice_of(bytes, size + 8));
        (void)fuzz_part_put(
            room, FUZZ_INPUT_MAX, &odd.used, HOW_ODD * SEGMENTS + 1, slice_of(room + 3, 40));
        return odd.used;
    }
    struct story story = { .room = room };
    uint64_t index = 1;
    uint64_t end = 0;
    for (uint32_t slot = 0; slot <= number / 16; slot++) {
        size_t before = story.used;
        story.kind = (uint8_t)((number % 2 == 0 ? 0 : SEGMENTS) + (int)slot);
        say_segment(&story, end, index, 1);
        for (uint32_t i = 0; i < 1 + number % 5; i++) {
            say_entry(
                &story, index++, number / 16 != 2 ? 15 : (i == 4 ? 340 : SEGMENT_BYTES / 4 - 200));
        }
        end = end_from(&story, before);
    }
    if (number % 4 == 3) {
        say_rest(&story, number);
        say_rest(&story, number / 3);
    } else if (number % 4 == 1) {
        (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &story.used, HOW_LATER * SEGMENTS, SLICE_EMPTY);
        story.kind = 0;
        say_segment(&story, 0, 1, 1);
        if (number % 8 == 1) { /* The entry that is read comes from elsewhere. */
            uint8_t bytes[64] = { (uint8_t)(3 + number / 8 % 4), 9 };
            size_t from = story.used + 3;
            say_entry(&story, 1, 15);
            size_t size = story.used - from;
            memcpy(bytes + 8, room + from, size);
            story.used = from - 3;
            (void)fuzz_part_put(
                room, FUZZ_INPUT_MAX, &story.used, HOW_ODD * SEGMENTS, slice_of(bytes, size + 8));
        }
        say_entry(&story, number % 3, 15);
        say_rest(&story, number);
        say_entry(&story, 2, 15);
    }
    return story.used;
}
