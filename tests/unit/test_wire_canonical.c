/* Strictness held to its oracle, protobuf-c itself: whatever is accepted is what packing gives
 * back, and whatever packing gives is accepted, for random messages of every kind and random
 * damage. */
#include "base/prng.h"
#include "wire/canonical.h"
#include "wire/wire.h"

#include <audit.pb-c.h>
#include <command.pb-c.h>
#include <criterion/criterion.h>
#include <frame.pb-c.h>
#include <journal.pb-c.h>
#include <raft.pb-c.h>
#include <row.pb-c.h>
#include <string.h>

enum { ROUNDS = 3000, DAMAGES = 12, DEEP = 4 };

static _Alignas(16) uint8_t memory[4 * 1024 * 1024];
static struct arena arena;
static struct prng random_numbers;

static uint64_t below(uint64_t bound)
{
    return prng_below(&random_numbers, bound);
}

static void *take(size_t size)
{
    void *room = arena_take(&arena, size);
    cr_assert_not_null(room);
    memset(room, 0, size);
    return room;
}

static uint64_t number(void)
{
    return below(3) == 0 ? 0 : UINT64_MAX >> below(64);
}

static ProtobufCMessage *any_message(const ProtobufCMessageDescriptor *type, unsigned int deep);

static size_t size_of(const ProtobufCFieldDescriptor *field)
{
    bool narrow = field->type == PROTOBUF_C_TYPE_UINT32 || field->type == PROTOBUF_C_TYPE_FIXED32 ||
                  field->type == PROTOBUF_C_TYPE_ENUM || field->type == PROTOBUF_C_TYPE_BOOL;
    if (field->type == PROTOBUF_C_TYPE_BYTES) {
        return sizeof(ProtobufCBinaryData);
    }
    return narrow ? 4 : 8;
}

/* One value of the field's type, written at `to`. */
static void any_value(const ProtobufCFieldDescriptor *field, uint8_t *to, unsigned int deep)
{
    static const char *const texts[] = { "", "a", "web-1", "\xe5\x8d\xaf\xe5\xbb\xba" };
    uint64_t wide = number();
    if (field->type == PROTOBUF_C_TYPE_BOOL) {
        protobuf_c_boolean yes = (int)below(2);
        memcpy(to, &yes, sizeof(yes));
    } else if (field->type == PROTOBUF_C_TYPE_ENUM) {
        const ProtobufCEnumDescriptor *values = field->descriptor;
        memcpy(to, &values->values[below(values->n_values)].value, sizeof(int));
    } else if (field->type == PROTOBUF_C_TYPE_STRING) {
        memcpy(to, &texts[below(sizeof(texts) / sizeof(texts[0]))], sizeof(texts[0]));
    } else if (field->type == PROTOBUF_C_TYPE_BYTES) {
        ProtobufCBinaryData data = { .len = below(200) };
        data.data = take(data.len + 1);
        memset(data.data, (int)below(256), data.len);
        memcpy(to, &data, sizeof(data));
    } else if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        ProtobufCMessage *inner = any_message(field->descriptor, deep + 1);
        memcpy(to, &inner, sizeof(inner));
    } else { /* Numbers: little-endian, so that the narrow half of a wide one comes first. */
        memcpy(to, &wide, size_of(field));
    }
}

static ProtobufCMessage *any_message(const ProtobufCMessageDescriptor *type, unsigned int deep)
{
    ProtobufCMessage *message = take(type->sizeof_message);
    protobuf_c_message_init(type, message);
    for (unsigned int i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        uint8_t *at = (uint8_t *)message + field->offset;
        bool last = field->type == PROTOBUF_C_TYPE_MESSAGE && deep == DEEP;
        if (last || below(2) == 0) {
            continue;
        }
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            size_t count = below(4);
            uint8_t *list = take(count * size_of(field) + 1);
            for (size_t n = 0; n < count; n++) {
                any_value(field, list + n * size_of(field), deep);
            }
            memcpy(at, &list, sizeof(list));
            memcpy((uint8_t *)message + field->quantifier_offset, &count, sizeof(count));
            continue;
        }
        any_value(field, at, deep);
        if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) { /* The last one is it. */
            uint32_t which = field->id;
            memcpy((uint8_t *)message + field->quantifier_offset, &which, sizeof(which));
        }
    }
    return message;
}

/* What protobuf-c makes of the bytes is these bytes, and nothing in them was unknown to it. */
static bool comes_back(const ProtobufCMessageDescriptor *type, struct slice bytes)
{
    ProtobufCMessage *back = protobuf_c_message_unpack(type, NULL, bytes.size, bytes.data);
    if (back == NULL) {
        return false;
    }
    bool same =
        back->n_unknown_fields == 0 && protobuf_c_message_get_packed_size(back) == bytes.size;
    if (same) {
        uint8_t *again = take(bytes.size + 1);
        size_t size = protobuf_c_message_pack(back, again);
        same = slice_equal(slice_of(again, size), bytes);
    }
    protobuf_c_message_free_unpacked(back, NULL);
    return same;
}

/* A byte changed, left out, put in or said twice; the length of a field then lies as well. */
static struct slice damage(struct slice bytes)
{
    uint8_t *copy = take(bytes.size + 2);
    size_t at = below(bytes.size);
    size_t rest = bytes.size - at;
    memcpy(copy, bytes.data, bytes.size);
    switch (below(4)) {
    case 0: copy[at] ^= (uint8_t)(1U << below(8)); return slice_of(copy, bytes.size);
    case 1: memmove(copy + at, copy + at + 1, rest - 1); return slice_of(copy, bytes.size - 1);
    case 2:
        memmove(copy + at + 1, copy + at, rest);
        copy[at] = (uint8_t)below(256);
        return slice_of(copy, bytes.size + 1);
    default: memmove(copy + at + 1, copy + at, rest); return slice_of(copy, bytes.size + 1);
    }
}

static void hold_to_oracle(const ProtobufCMessageDescriptor *type)
{
    uint32_t refused = 0;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        arena_reset(&arena);
        const ProtobufCMessage *message = any_message(type, 0);
        size_t size = protobuf_c_message_get_packed_size(message);
        uint8_t *room = take(size + 1);
        struct slice bytes = slice_of(room, protobuf_c_message_pack(message, room));
        cr_assert(wire_canonical(type, bytes), "%s, round %u", type->name, round);
        for (uint32_t i = 0; i < DAMAGES && bytes.size > 0; i++) {
            struct slice damaged = damage(bytes);
            bool sound = wire_canonical(type, damaged);
            cr_assert(!sound || comes_back(type, damaged), "%s, round %u", type->name, round);
            refused += sound ? 0 : 1;
        }
    }
    cr_assert_gt(refused, 0);
}

static void begin(void)
{
    arena_init(&arena, memory, sizeof(memory));
    prng_seed(&random_numbers, 20261121);
}

Test(canonical, frames_are_accepted_as_packed_and_never_otherwise, .init = begin)
{
    hold_to_oracle(&wire__frame__descriptor);
}

Test(canonical, entries_and_leaves_too, .init = begin)
{
    hold_to_oracle(&wire__entry__descriptor);
    hold_to_oracle(&wire__leaf__descriptor);
}

Test(canonical, rows_and_log_records_too, .init = begin)
{
    hold_to_oracle(&wire__instance_row__descriptor);
    hold_to_oracle(&wire__node_row__descriptor);
    hold_to_oracle(&wire__raft_message__descriptor);
}

Test(canonical, a_text_with_a_zero_in_it_is_refused_even_in_a_note)
{
    static const uint8_t note[] = { 0x12, 0x03, 'a', 0, 'b' }; /* NoteTold.signature */
    static const uint8_t lines[] = { 0x12, 0x03, 'a', '\n', 'b' };
    static const uint8_t name[] = { 0x0a, 0x03, 'a', '\n', 'b' }; /* Setting.name */
    cr_assert_not(wire_canonical(&wire__note_told__descriptor, slice_of(note, sizeof(note))));
    cr_assert(wire_canonical(&wire__note_told__descriptor, slice_of(lines, sizeof(lines))));
    cr_assert_not(wire_canonical(&wire__setting__descriptor, slice_of(name, sizeof(name))));
}
