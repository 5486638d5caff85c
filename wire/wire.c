/* Decides which bytes are a message. Never decides what a message means: see each …_valid(). */
#include "wire/wire.h"

#include "base/check.h"
#include "wire/canonical.h"

#include <string.h>

static void *arena_alloc(void *data, size_t size)
{
    return arena_take(data, size);
}

static void arena_free(void *data, void *pointer)
{
    (void)data; /* The arena is reset as a whole. */
    (void)pointer;
}

RESULT wire_decode(
    const ProtobufCMessageDescriptor *type,
    struct slice bytes,
    struct arena *arena,
    void *message_pointer_out)
{
    ProtobufCAllocator allocator = { arena_alloc, arena_free, arena };
    if (arena->size - arena->used < bytes.size * 3 + 1024) {
        return FAIL(FAILURE_FULL);
    }
    if (!wire_canonical(type, bytes)) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    ProtobufCMessage *message = protobuf_c_message_unpack(type, &allocator, bytes.size, bytes.data);
    if (message ==
        NULL) { /* Nothing is wrong with the bytes: there is no room for what they say. */
        return FAIL(FAILURE_FULL);
    }
    memcpy(message_pointer_out, &message, sizeof(message));
    return OK;
}

RESULT wire_encode(const void *message, struct arena *arena, struct slice *bytes_out)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *room = arena_take(arena, size);
    if (room == NULL) {
        return FAIL(FAILURE_FULL);
    }
    size_t used = protobuf_c_message_pack(message, room);
    CHECK(used == size);
    *bytes_out = slice_of(room, used);
    return OK;
}

bool wire_encode_into(const void *message, uint8_t *room, size_t size, size_t *used_out)
{
    size_t needed = protobuf_c_message_get_packed_size(message);
    if (needed > size) {
        return false;
    }
    *used_out = protobuf_c_message_pack(message, room);
    CHECK(*used_out == needed);
    return true;
}

static size_t varint_put(uint8_t *to, size_t value)
{
    size_t used = 0;
    for (; value >= 0x80; value >>= 7) {
        to[used++] = (uint8_t)(value | 0x80);
    }
    to[used++] = (uint8_t)value;
    return used;
}

size_t wire_head(unsigned int field, size_t size, uint8_t room[static WIRE_HEAD_MAX])
{
    enum { LENGTH_DELIMITED = 2 };
    CHECK(field > 0 && field < 1U << 28);
    CHECK(size <= UINT32_MAX);
    size_t used = varint_put(room, (size_t)field << 3 | LENGTH_DELIMITED);
    used += varint_put(room + used, size);
    CHECK(used <= WIRE_HEAD_MAX);
    return used;
}

bool wire_list_add(const void *item, uint8_t *room, size_t size, size_t *used)
{
    uint8_t head[WIRE_HEAD_MAX];
    size_t inner = protobuf_c_message_get_packed_size(item);
    size_t head_size = wire_head(1, inner, head);
    CHECK(*used <= size);
    if (size - *used < head_size + inner) {
        return false;
    }
    memcpy(room + *used, head, head_size);
    size_t packed = protobuf_c_message_pack(item, room + *used + head_size);
    CHECK(packed == inner);
    *used += head_size + inner;
    return true;
}
