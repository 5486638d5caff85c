/* First inputs of the log on disk: lives in one segment or over several, and single odd things.
 * Decides nothing about them. */
#include "tests/fuzz/fuzz_journal.h"

#include "base/check.h"
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

size_t fuzz_seed(uint32_t number, uint8_t room[static FUZZ_INPUT_MAX])
{
    if (number >= SEEDS) {
        return 0;
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
        /* Where it ends: the sum of the spans of what was just said. */
        struct slice said = slice_of(room + before, story.used - before);
        struct fuzz_part part;
        end = 0;
        while (fuzz_part_next(&said, &part)) {
            end += record_span(part.bytes.size);
        }
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
