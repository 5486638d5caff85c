/* One record of the log: a fixed header and a protobuf payload. Decides what bytes are a record;
 * never touches the disk. Layout, little-endian, padded with zeros to 8 bytes:
 *
 *   0 checksum u64 (SipHash-2-4 of everything behind it)   8 magic u32   12 format u16   14 zero
 * u16 16 payload size u32   20 synced u32   24 journal u64   32 epoch u64   40 offset u64   48
 * chain u64
 *
 * `synced` is how far this segment was durable before the record was written: a broken record below
 * it is damage, one at or above it may be a torn write. `chain` is the checksum of the record
 * before, so that a leftover of an earlier life never continues a newer one. */
#ifndef CONTROLLER_JOURNAL_RECORD_H
#define CONTROLLER_JOURNAL_RECORD_H

#include "base/slice.h"

#include <journal.pb-c.h>
#include <stdbool.h>
#include <stdint.h>

enum { RECORD_HEADER = 56, RECORD_FORMAT = 1 };

struct record_header {
    uint64_t checksum; /* Filled by record_seal and record_parse. */
    uint32_t size;     /* Of the payload; likewise. */
    uint32_t synced;
    uint64_t journal;
    uint64_t epoch;
    uint64_t offset;
    uint64_t chain;
};

/* Bytes that a payload of this size takes in a segment. */
uint64_t record_span(uint64_t payload_size);

/* Encodes record and header into room; false when it does not fit. */
bool record_seal(
    const Wire__JournalRecord *record,
    struct record_header *header,
    uint8_t *room,
    size_t room_size,
    size_t *used_out);

/* bytes begin at the record and may go on behind it. False unless header and checksum are right;
 * whether the record belongs there is the caller's question. */
bool record_parse(struct slice bytes, struct record_header *header_out, struct slice *payload_out);

enum { RECORD_MAGIC_AT = 8, RECORD_MAGIC_FIRST = 'Z' };

/* Surely no record begins here: one look at one byte. */
static inline bool record_cannot_stand(const uint8_t *bytes)
{
    return bytes[RECORD_MAGIC_AT] != RECORD_MAGIC_FIRST;
}

/* Cheap look at the header alone: may a record of this journal and epoch stand at this offset? */
bool record_may_stand(struct slice bytes, uint64_t journal, uint64_t epoch, uint64_t offset);

#endif
