/* Decides which bytes are a message. Never decides what a message means: see each …_valid(). */
#include "wire/wire.h"

#include "base/check.h"

#include <string.h>

/* Depth of our deepest message (Frame → NodeOrders → Assignment → Nic) with room to grow. */
enum { DEPTH_MAX = 12 };

static void *arena_alloc(void *data, size_t size)
{
    return arena_take(data, size);
}

static void arena_free(void *data, void *pointer)
{
    (void)data; /* The arena is reset as a whole. */
    (void)pointer;
}

struct level {
    const ProtobufCMessage *message;
    unsigned int field;
    size_t element;
};

static const void *member_at(const ProtobufCMessage *message, unsigned int offset)
{
    return (const uint8_t *)message + offset;
}

/* How many elements of this field are set. */
static size_t field_count(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        size_t count = 0;
        memcpy(&count, member_at(message, field->quantifier_offset), sizeof(count));
        return count;
    }
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        uint32_t which = 0;
        memcpy(&which, member_at(message, field->quantifier_offset), sizeof(which));
        return which == field->id ? 1 : 0;
    }
    return 1;
}

static const void *element_at(
    const ProtobufCMessage *message,
    const ProtobufCFieldDescriptor *field,
    size_t element,
    size_t size)
{
    const void *member = member_at(message, field->offset);
    if (field->label != PROTOBUF_C_LABEL_REPEATED) {
        return member;
    }
    const uint8_t *array = NULL;
    memcpy(&array, member, sizeof(array));
    return array + element * size;
}

static const void *pointer_at(
    const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, size_t element)
{
    const void *pointer = NULL;
    memcpy(&pointer, element_at(message, field, element, sizeof(pointer)), sizeof(pointer));
    return pointer;
}

/* Checks one element that is not a message. */
static bool leaf_clean(
    const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, size_t element)
{
    if (field->type == PROTOBUF_C_TYPE_ENUM) {
        int value = 0;
        memcpy(&value, element_at(message, field, element, sizeof(value)), sizeof(value));
        return protobuf_c_enum_descriptor_get_value(field->descriptor, value) != NULL;
    }
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        const char *text = pointer_at(message, field, element);
        return text == NULL || text_is_clean(slice_text(text));
    }
    return true;
}

/* Walks the whole tree without recursion. Notes are the one text with line ends; they are carried
 * as bytes of a string field named "note" or "body" or "signature". */
static bool may_hold_lines(const ProtobufCFieldDescriptor *field)
{
    return strcmp(field->name, "note") == 0 || strcmp(field->name, "body") == 0 ||
           strcmp(field->name, "signature") == 0;
}

static bool tree_clean(const ProtobufCMessage *root)
{
    struct level stack[DEPTH_MAX] = { { .message = root } };
    size_t depth = 1;
    while (depth > 0) {
        struct level *top = &stack[depth - 1];
        const ProtobufCMessageDescriptor *type = top->message->descriptor;
        if (top->message->n_unknown_fields != 0) {
            return false;
        }
        if (top->field == type->n_fields) {
            depth--;
            continue;
        }
        const ProtobufCFieldDescriptor *field = &type->fields[top->field];
        if (top->element == field_count(top->message, field)) {
            top->field++;
            top->element = 0;
            continue;
        }
        size_t element = top->element++;
        if (field->type != PROTOBUF_C_TYPE_MESSAGE) {
            if (!may_hold_lines(field) && !leaf_clean(top->message, field, element)) {
                return false;
            }
            continue;
        }
        const ProtobufCMessage *inner = pointer_at(top->message, field, element);
        if (inner == NULL) {
            continue;
        }
        if (depth == DEPTH_MAX) {
            return false;
        }
        stack[depth++] = (struct level){ .message = inner };
    }
    return true;
}

static bool encodes_to(const ProtobufCMessage *message, struct slice bytes, struct arena *arena)
{
    if (protobuf_c_message_get_packed_size(message) != bytes.size) {
        return false;
    }
    uint8_t *again = arena_take(arena, bytes.size);
    if (again == NULL) {
        return false;
    }
    size_t size = protobuf_c_message_pack(message, again);
    return slice_equal(slice_of(again, size), bytes);
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
    ProtobufCMessage *message = protobuf_c_message_unpack(type, &allocator, bytes.size, bytes.data);
    if (message == NULL || !tree_clean(message)) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    size_t mark = arena->used;
    bool canonical = encodes_to(message, bytes, arena);
    arena->used = mark;
    if (!canonical) {
        return FAIL(FAILURE_BAD_INPUT);
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
