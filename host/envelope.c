/* Decides what the outside of a frame says. Never looks into a body, never allocates. */
#include "host/envelope.h"

#include "base/check.h"

#include <string.h>

enum {
    TAG_FORMAT = 0x08,     /* Field 1, varint. */
    TAG_PEER = 0x12,       /* Field 2, bytes. */
    TAG_PEER_KIND = 0x08,  /* Identity: field 1, varint. */
    TAG_PEER_ID = 0x11,    /* Field 2, fixed64. */
    TAG_PEER_EPOCH = 0x18, /* Field 3, varint. */
    WIRE_TYPE_BYTES = 2,
};

/* A reader that remembers that something was wrong: read all, then ask once. */
struct cursor {
    struct slice left;
    bool bad;
};

static uint8_t byte_front(const struct cursor *cursor)
{
    return cursor->left.size == 0 ? 0 : cursor->left.data[0];
}

static const uint8_t *take(struct cursor *cursor, size_t size)
{
    if (cursor->bad || cursor->left.size < size) {
        cursor->bad = true;
        return NULL;
    }
    const uint8_t *at = cursor->left.data;
    cursor->left.data += size;
    cursor->left.size -= size;
    return at;
}

/* At most 32 bits, shortest form only. */
static uint32_t take_varint(struct cursor *cursor)
{
    uint64_t value = 0;
    for (unsigned int shift = 0; shift < 35; shift += 7) {
        const uint8_t *at = take(cursor, 1);
        if (at == NULL) {
            return 0;
        }
        value |= (uint64_t)(*at & 0x7fU) << shift;
        if ((*at & 0x80U) == 0) {
            cursor->bad = (*at == 0 && shift > 0) || value > UINT32_MAX;
            return cursor->bad ? 0 : (uint32_t)value;
        }
    }
    cursor->bad = true;
    return 0;
}

static uint64_t take_fixed64(struct cursor *cursor)
{
    const uint8_t *at = take(cursor, 8);
    uint64_t value = 0;
    for (size_t i = 0; at != NULL && i < 8; i++) {
        value |= (uint64_t)at[i] << (8 * i);
    }
    return value;
}

/* Defaults are never written out: a zero that stands there is not canonical. */
static void take_peer(struct cursor *outer, struct envelope *envelope)
{
    uint32_t size = take_varint(outer);
    const uint8_t *at = take(outer, size);
    if (at == NULL) {
        return;
    }
    struct cursor cursor = { .left = slice_of(at, size) };
    if (byte_front(&cursor) == TAG_PEER_KIND) {
        (void)take(&cursor, 1);
        uint32_t kind = take_varint(&cursor);
        cursor.bad |= kind == 0 || kind > WIRE__KIND__KIND_TOKEN;
        envelope->peer_kind = (Wire__Kind)kind;
    }
    if (byte_front(&cursor) == TAG_PEER_ID) {
        (void)take(&cursor, 1);
        envelope->peer_id = take_fixed64(&cursor);
        cursor.bad |= envelope->peer_id == 0;
    }
    if (byte_front(&cursor) == TAG_PEER_EPOCH) {
        (void)take(&cursor, 1);
        envelope->peer_epoch = take_varint(&cursor);
        cursor.bad |= envelope->peer_epoch == 0;
    }
    outer->bad |= cursor.bad || cursor.left.size != 0;
    envelope->has_peer = true;
}

bool envelope_read(struct slice bytes, struct envelope *envelope_out)
{
    CHECK(envelope_out != NULL);
    CHECK(bytes.data != NULL || bytes.size == 0);
    struct cursor cursor = { .left = bytes };
    struct envelope read = { 0 };
    const uint8_t *tag = take(&cursor, 1);
    if (tag == NULL || *tag != TAG_FORMAT || take_varint(&cursor) != FRAME_FORMAT || cursor.bad) {
        return false;
    }
    if (byte_front(&cursor) == TAG_PEER) {
        (void)take(&cursor, 1);
        take_peer(&cursor, &read);
    }
    read.rest = cursor.left;
    uint32_t body_tag = take_varint(&cursor);
    uint32_t size = take_varint(&cursor);
    if (cursor.bad || (body_tag & 7U) != WIRE_TYPE_BYTES || cursor.left.size != size) {
        return false;
    }
    read.body = (Wire__Frame__BodyCase)(body_tag >> 3);
    if (read.body <= 2 || strcmp(frame_name(read.body), "none") == 0) {
        return false;
    }
    CHECK(read.rest.size <= bytes.size);
    *envelope_out = read;
    return true;
}

static size_t put_varint(uint8_t *room, uint32_t value)
{
    size_t used = 0;
    while (value >= 0x80U) {
        room[used++] = (uint8_t)(value | 0x80U);
        value >>= 7;
    }
    room[used++] = (uint8_t)value;
    return used;
}

size_t envelope_head(
    Wire__Kind kind, uint64_t id, uint32_t epoch, uint8_t room[static ENVELOPE_HEAD_MAX])
{
    CHECK(kind != WIRE__KIND__KIND_UNSET);
    CHECK(id != 0);
    uint8_t peer[24];
    size_t size = 0;
    peer[size++] = TAG_PEER_KIND;
    size += put_varint(peer + size, (uint32_t)kind);
    peer[size++] = TAG_PEER_ID;
    for (size_t i = 0; i < 8; i++) {
        peer[size++] = (uint8_t)(id >> (8 * i));
    }
    if (epoch != 0) {
        peer[size++] = TAG_PEER_EPOCH;
        size += put_varint(peer + size, epoch);
    }
    size_t used = 0;
    room[used++] = TAG_FORMAT;
    room[used++] = FRAME_FORMAT;
    room[used++] = TAG_PEER;
    room[used++] = (uint8_t)size;
    memcpy(room + used, peer, size);
    CHECK(used + size <= ENVELOPE_HEAD_MAX);
    return used + size;
}
