/* Decides what bytes are a record of the log. Never decides whether the record belongs where it
 * stands, never reads or writes a file. */
#include "controller/journal_record.h"

#include "base/check.h"
#include "base/hash.h"
#include "controller/journal_care.h"
#include "wire/wire.h"

#include <string.h>

static const uint32_t magic = UINT32_C(0x4c54445a);
_Static_assert(RECORD_MAGIC_FIRST == 'Z', "the magic is ZDTL, in the order of its bytes");
/* Fixed: the checksum finds damage. Whoever can write our disk could write anything. */
static const struct hash_key key = { UINT64_C(0x7564617473752d6a), UINT64_C(0x6f75726e616c2d31) };

static void store(uint8_t *at, uint64_t value, size_t size)
{
    CHECK(size <= sizeof(value));
    for (size_t i = 0; i < size; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
}

static uint64_t load(const uint8_t *at, size_t size)
{
    CHECK(size <= sizeof(uint64_t));
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) {
        value |= (uint64_t)at[i] << (8 * i);
    }
    return value;
}

uint64_t record_span(uint64_t payload_size)
{
    CHECK(payload_size <= UINT32_MAX);
    return (RECORD_HEADER + payload_size + 7) & ~UINT64_C(7);
}

bool record_seal(
    const Wire__JournalRecord *record,
    struct record_header *header,
    uint8_t *room,
    size_t room_size,
    size_t *used_out)
{
    CHECK(record->format == RECORD_FORMAT);
    CHECK(header->synced <= header->offset);
    size_t size = 0;
    if (room_size < RECORD_HEADER ||
        !wire_encode_into(record, room + RECORD_HEADER, room_size - RECORD_HEADER, &size)) {
        return false;
    }
    size_t span = (size_t)record_span(size);
    if (span > room_size) {
        return false;
    }
    memset(room + RECORD_HEADER + size, 0, span - RECORD_HEADER - size);
    header->size = (uint32_t)size;
    store(room + 8, magic, 4);
    store(room + 12, RECORD_FORMAT, 2);
    store(room + 14, 0, 2);
    store(room + 16, header->size, 4);
    store(room + 20, header->synced, 4);
    store(room + 24, header->journal, 8);
    store(room + 32, header->epoch, 8);
    store(room + 40, header->offset, 8);
    store(room + 48, header->chain, 8);
    header->checksum = hash_bytes(key, slice_of(room + 8, span - 8));
    store(room, header->checksum, 8);
    *used_out = span;
    return true;
}

bool record_parse(struct slice bytes, struct record_header *header_out, struct slice *payload_out)
{
    if (bytes.size < RECORD_HEADER || load(bytes.data + 8, 4) != magic ||
        load(bytes.data + 12, 2) != RECORD_FORMAT || load(bytes.data + 14, 2) != 0) {
        return false;
    }
    struct record_header header = {
        .checksum = load(bytes.data, 8),
        .size = (uint32_t)load(bytes.data + 16, 4),
        .synced = (uint32_t)load(bytes.data + 20, 4),
        .journal = load(bytes.data + 24, 8),
        .epoch = load(bytes.data + 32, 8),
        .offset = load(bytes.data + 40, 8),
        .chain = load(bytes.data + 48, 8),
    };
    uint64_t span = record_span(header.size);
    if (span > bytes.size ||
        (JOURNAL_CARE(CHECKSUM) &&
         hash_bytes(key, slice_of(bytes.data + 8, (size_t)span - 8)) != header.checksum)) {
        return false;
    }
    CHECK(span >= RECORD_HEADER + header.size);
    *header_out = header;
    *payload_out = slice_of(bytes.data + RECORD_HEADER, header.size);
    return true;
}

bool record_may_stand(struct slice bytes, uint64_t journal, uint64_t epoch, uint64_t offset)
{
    return bytes.size >= RECORD_HEADER && load(bytes.data + 8, 4) == magic &&
           load(bytes.data + 24, 8) == journal && load(bytes.data + 32, 8) == epoch &&
           load(bytes.data + 40, 8) == offset;
}
