/* The log on disk: a directory of segments in memory, made of the input's records (sealed like
 * ours, so that what lies behind the checksum is reached) or of plain bytes, and then opened. The
 * oracle: what opens tells the same after it was closed and opened again, every entry it claims can
 * be read, and an entry more can be appended and is there the next time. */
#include "tests/fuzz/fuzz_journal.h"
#include "tests/fuzz/message.h"

#include "base/check.h"
#include "base/hash.h"
#include "controller/journal.h"
#include "controller/journal_record.h"
#include "wire/wire.h"

#include <stdlib.h>
#include <string.h>

enum { JOURNAL = 99, DEVICES = SEGMENTS };

/* ---- A disk of four files that are always there. ---- */

static uint8_t files[DEVICES][SEGMENT_BYTES];
static uint64_t sizes[DEVICES];

static RESULT on_open(void *context, const char *name, uint64_t size, int *handle_out)
{
    (void)context;
    MUST(size == 0 && strncmp(name, "journal-", 8) == 0 && name[9] == '\0');
    *handle_out = name[8] - '0';
    MUST(*handle_out >= 0 && *handle_out < DEVICES);
    return sizes[*handle_out] == 0 ? FAIL(FAILURE_NOT_FOUND) : OK;
}

static void on_close(void *context, int handle)
{
    (void)context;
    MUST(handle >= 0 && handle < DEVICES);
}

static RESULT on_read(void *context, int handle, uint64_t offset, uint8_t *room, size_t size)
{
    (void)context;
    MUST(offset <= SEGMENT_BYTES && size <= SEGMENT_BYTES - offset);
    if (offset + size > sizes[handle]) {
        return FAIL(FAILURE_CORRUPT);
    }
    memcpy(room, files[handle] + offset, size);
    return OK;
}

static RESULT on_write(void *context, int handle, uint64_t offset, struct slice bytes)
{
    (void)context;
    MUST(offset <= SEGMENT_BYTES && bytes.size <= SEGMENT_BYTES - offset);
    memcpy(files[handle] + offset, bytes.data, bytes.size);
    return OK;
}

static RESULT on_sync(void *context, int handle)
{
    (void)context;
    (void)handle;
    return OK;
}

static RESULT on_rename(void *context, const char *from, const char *to)
{
    (void)context;
    (void)from;
    (void)to;
    return FAIL(FAILURE_IO); /* Only creation renames. */
}

static struct disk disk_made(void)
{
    static const struct disk_calls calls = { on_open,  on_close, on_read,
                                             on_write, on_sync,  on_rename };
    return (struct disk){ .calls = &calls };
}

/* ---- The image. ---- */

struct segment {
    uint64_t end;
    uint64_t synced;
};

struct image {
    struct segment segments[SEGMENTS];
    uint64_t chain;
};

static uint64_t number_at(struct slice bytes, size_t at)
{
    return at + 2 <= bytes.size ? (uint64_t)(bytes.data[at] | bytes.data[at + 1] << 8) : 0;
}

/* Another number in the header, or the format of what it holds, and the checksum that belongs to
 * it. */
static void forge(uint8_t *record, size_t span, struct slice how)
{
    static const struct hash_key key = { UINT64_C(0x7564617473752d6a),
                                         UINT64_C(0x6f75726e616c2d31) };
    static const struct {
        size_t at;
        size_t size;
    } fields[] = { { 12, 2 }, { 14, 2 }, { 20, 4 }, { 24, 8 },
                   { 32, 8 }, { 40, 8 }, { 48, 8 }, { RECORD_HEADER + 1, 1 } };
    size_t field = how.data[0] % COUNT_OF(fields);
    for (size_t i = 0; i < fields[field].size; i++) {
        record[fields[field].at + i] = i < 4 ? how.data[1 + i] : 0;
    }
    uint64_t checksum = hash_bytes(key, slice_of(record + 8, span - 8));
    for (size_t i = 0; i < 8; i++) {
        record[i] = (uint8_t)(checksum >> (8 * i));
    }
}

static void add_record(struct image *image, uint32_t slot, enum how how, struct slice bytes)
{
    static _Alignas(16) uint8_t memory[256 * 1024];
    struct segment *segment = &image->segments[slot];
    struct arena arena;
    struct slice message = bytes;
    struct record_header header = {
        .synced = (uint32_t)segment->synced,
        .journal = JOURNAL,
        .epoch = slot + 1,
        .offset = segment->end,
        .chain = image->chain,
    };
    bool odd = how == HOW_ODD && bytes.size >= 8;
    if (odd) {
        message = slice_of(bytes.data + 8, bytes.size - 8);
    }
    arena_init(&arena, memory, sizeof(memory));
    Wire__JournalRecord *record =
        (Wire__JournalRecord *)message_read(&wire__journal_record__descriptor, message, &arena);
    size_t used = 0;
    size_t left = segment->end < SEGMENT_BYTES ? SEGMENT_BYTES - segment->end : 0;
    if (record == NULL || left == 0) {
        return;
    }
    record->format = RECORD_FORMAT;
    if (!record_seal(record, &header, files[slot] + segment->end, left, &used)) {
        return;
    }
    MUST(used == record_span(header.size) && used % 8 == 0);
    struct record_header read = { 0 };
    struct slice payload = SLICE_EMPTY;
    MUST(record_parse(slice_of(files[slot] + segment->end, used), &read, &payload));
    MUST(memcmp(&read, &header, sizeof(read)) == 0 && payload.size == header.size);
    MUST(!record_parse(slice_of(files[slot] + segment->end, used - 1), &read, &payload));
    if (odd) {
        forge(files[slot] + segment->end, used, bytes);
    }
    image->chain = header.checksum;
    segment->end += used;
    segment->synced = how == HOW_AGED ? segment->end : segment->synced;
}

static void hold_too_short(struct slice bytes)
{
    struct record_header header;
    struct slice payload;
    bytes.size = bytes.size < RECORD_HEADER ? bytes.size : RECORD_HEADER - 1;
    MUST(!record_parse(bytes, &header, &payload) && !record_may_stand(bytes, JOURNAL, 1, 0));
}

static void add(struct image *image, const struct fuzz_part *part)
{
    uint32_t slot = part->kind % SEGMENTS;
    struct segment *segment = &image->segments[slot];
    uint64_t at = number_at(part->bytes, 0) % SEGMENT_BYTES;
    enum how how = (enum how)(part->kind / SEGMENTS % HOWS);
    switch (how) {
    case HOW_RECORD:
    case HOW_AGED:
    case HOW_ODD: add_record(image, slot, how, part->bytes); break;
    case HOW_BYTES:
        hold_too_short(part->bytes);
        if (part->bytes.size > 2) {
            size_t size = part->bytes.size - 2;
            size = size < SEGMENT_BYTES - at ? size : (size_t)(SEGMENT_BYTES - at);
            memcpy(files[slot] + at, part->bytes.data + 2, size);
        }
        break;
    case HOW_SHORT: sizes[slot] = at; break;
    case HOW_SKIP: segment->end = (segment->end + at) & ~UINT64_C(7); break;
    case HOW_LATER:
    case HOWS: break;
    }
}

/* Up to the end, or to HOW_LATER. */
static void add_all(struct image *image, struct slice *rest)
{
    struct fuzz_part part;
    while (fuzz_part_next(rest, &part) && part.kind / SEGMENTS % HOWS != HOW_LATER) {
        add(image, &part);
    }
}

/* ---- What an opened log must be. ---- */

static struct journal_conf conf_made(struct journal_fault *fault)
{
    *fault = (struct journal_fault){ 0 };
    return (struct journal_conf){ .owner = OWNER,
                                  .segment_bytes = SEGMENT_BYTES,
                                  .segment_count = SEGMENTS,
                                  .entry_max = SEGMENT_BYTES / 4,
                                  .fault = fault };
}

/* Everything that it says, as one number. */
static uint64_t tell(struct journal *journal)
{
    const struct journal_state *state = journal_state(journal);
    uint64_t sum = state->term * 3 + state->vote * 5 + state->first * 7 + state->last * 11;
    uint64_t size = 0;
    MUST(state->first > 0 && state->first <= state->last + 1);
    for (uint64_t index = state->first; index <= state->last; index++) {
        struct journal_entry entry;
        uint64_t term = 0;
        enum journal_type type = JOURNAL_COMMAND;
        MUST(journal_entry_at(journal, index, &term, &type));
        struct result read = journal_read(journal, index, &entry);
        MUST(read.code == 0 && entry.index == index && entry.term == term && entry.type == type);
        MUST(term > 0 && term <= state->term);
        size += entry.bytes.size;
        for (size_t i = 0; i < entry.bytes.size; i++) {
            sum = sum * 31 + entry.bytes.data[i];
        }
        sum = sum * 31 + term + (uint64_t)type;
    }
    MUST(size == state->size && !journal_entry_at(journal, state->last + 1, &size, NULL));
    MUST(journal_fill(journal) <= 100);
    if (state->snapshot_present) {
        MUST(state->snapshot.index + 1 >= state->first && state->snapshot.index <= state->last);
        MUST(state->snapshot.member_count <= LIMIT_CONTROLLERS);
        sum = sum * 31 + state->snapshot.index + state->snapshot.manifest.size;
    }
    return sum;
}

/* One entry more, of a newer term. False: there was no room. */
static bool append(struct journal *journal)
{
    const struct journal_state *state = journal_state(journal);
    static const uint8_t words[] = "one more";
    const uint32_t size = sizeof(words);
    if (state->term >= UINT64_C(1) << 62 || !journal_fits(journal, JOURNAL_NORMAL, &size, 1)) {
        return false;
    }
    struct result begun = journal_set_term(journal, state->term + 1);
    MUST(begun.code == 0);
    struct journal_entry entry = { .index = state->last + 1,
                                   .term = state->term,
                                   .type = JOURNAL_COMMAND,
                                   .bytes = slice_of(words, sizeof(words)) };
    struct result appended = journal_append(journal, JOURNAL_NORMAL, &entry);
    MUST(appended.code == 0 || appended.code == FAILURE_FULL);
    struct result synced = journal_sync(journal);
    MUST(synced.code == 0);
    return true;
}

/* What changes on the disk while the log is open is read as it was, or not at all. */
static void hold_later(struct slice rest)
{
    struct journal_fault fault;
    struct journal_conf conf = conf_made(&fault);
    struct journal *journal = NULL;
    struct image image = { .chain = 0 };
    bool told = rest.size % 2 == 0;
    conf.fault = told ? conf.fault : NULL;
    struct result opened = journal_open(disk_made(), &conf, &journal);
    if (opened.code != 0) {
        return;
    }
    const struct journal_state *state = journal_state(journal);
    add_all(&image, &rest);
    for (uint64_t index = state->first; index <= state->last; index++) {
        struct journal_entry entry = { 0 };
        uint64_t term = 0;
        struct result read = journal_read(journal, index, &entry);
        MUST(read.code == 0 || read.code == FAILURE_CORRUPT);
        MUST(read.code == 0 || (fault.what != NULL) == told);
        MUST(journal_entry_at(journal, index, &term, NULL));
        MUST(read.code != 0 || (entry.index == index && entry.term == term));
    }
    journal_close(journal);
}

static void hold(void)
{
    struct journal_fault fault;
    struct journal_conf conf = conf_made(&fault);
    struct journal *journal = NULL;
    struct result opened = journal_open(disk_made(), &conf, &journal);
    MUST(opened.code == 0 || opened.code == FAILURE_CORRUPT || opened.code == FAILURE_NOT_FOUND);
    MUST((opened.code == FAILURE_CORRUPT) == (fault.what != NULL));
    if (opened.code != 0) {
        return;
    }
    uint64_t told = tell(journal);
    journal_close(journal);
    opened = journal_open(disk_made(), &conf, &journal);
    MUST(opened.code == 0 && tell(journal) == told);
    if (append(journal)) { /* INV-LOG-3 */
        told = tell(journal);
        journal_close(journal);
        opened = journal_open(disk_made(), &conf, &journal);
        MUST(opened.code == 0 && tell(journal) == told);
    }
    journal_close(journal);
}

const ProtobufCMessageDescriptor *fuzz_type(uint8_t kind)
{
    uint32_t how = kind / SEGMENTS % HOWS;
    return how == HOW_RECORD || how == HOW_AGED ? &wire__journal_record__descriptor : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t kept[DEVICES][SEGMENT_BYTES];
    struct slice rest = slice_of(data, size);
    struct image image = { .chain = 0 };
    memset(files, 0, sizeof(files));
    for (uint32_t slot = 0; slot < DEVICES; slot++) {
        sizes[slot] = SEGMENT_BYTES;
    }
    add_all(&image, &rest);
    memcpy(kept, files, sizeof(kept));
    hold();
    if (rest.size > 0) {
        memcpy(files, kept, sizeof(kept));
        hold_later(rest);
    }
    return 0;
}
