/* Decides which bytes are the one encoding of a message: fields in the order of their numbers,
 * nothing twice, nothing that is its default, shortest varints, at every depth. Never decodes:
 * whoever does comes after, and meets only what our own encoder could have made. */
#include "wire/canonical.h"

#include "base/check.h"

#include <string.h>

/* Depth of our deepest message (Frame → NodeOrders → Assignment → Nic) with room to grow. */
enum { DEPTH_MAX = 12, NO_ONEOF = 0 };

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

/* One message that is being walked. */
struct level {
    const ProtobufCMessageDescriptor *type;
    const uint8_t *end;
    unsigned int field;       /* Where its fields are looked for from: numbers only rise. */
    unsigned int oneof_taken; /* quantifier_offset of the oneof that is set; NO_ONEOF: none. */
    bool again; /* The field at `field` was seen: only a repeated one may come again. */
};

struct walk {
    const uint8_t *at;
    struct level stack[DEPTH_MAX];
    size_t depth;
};

/* Not one byte longer than needed, and not more than 64 bits. */
static bool varint_long(struct walk *walk, const uint8_t *end, uint64_t *value_out)
{
    uint64_t value = 0;
    for (unsigned int shift = 0; shift < 70 && walk->at < end; shift += 7) {
        uint8_t byte = *walk->at++;
        value |= (uint64_t)(byte & 0x7fU) << shift;
        if (byte < 0x80) {
            *value_out = value;
            return (byte != 0 || shift == 0) && (shift < 63 || byte == 1);
        }
    }
    return false;
}

static inline bool varint(struct walk *walk, const uint8_t *end, uint64_t *value_out)
{
    if (walk->at < end && *walk->at < 0x80) { /* Most are one byte: tags, sizes, small counts. */
        *value_out = *walk->at++;
        return true;
    }
    return varint_long(walk, end, value_out);
}

/* Notes are the one text with line ends; they travel in fields of these names. */
static bool may_hold_lines(const ProtobufCFieldDescriptor *field)
{
    return strcmp(field->name, "note") == 0 || strcmp(field->name, "body") == 0 ||
           strcmp(field->name, "signature") == 0;
}

static bool text_sound(const ProtobufCFieldDescriptor *field, struct slice text)
{
    return text_is_clean(text) ||
           (may_hold_lines(field) && memchr(text.data, '\0', text.size) == NULL);
}

static enum wire_type type_of(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_BOOL:
    case PROTOBUF_C_TYPE_ENUM: return WIRE_VARINT;
    case PROTOBUF_C_TYPE_FIXED32: return WIRE_FIXED32;
    case PROTOBUF_C_TYPE_FIXED64: return WIRE_FIXED64;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE: return WIRE_BYTES;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE: break;
    }
    UNREACHABLE(); /* wire/README.md: signed and real numbers are not used. */
}

/* A number that is not a fixed one; `implied`: zero is said by leaving it out. */
static bool number_sound(
    struct walk *walk, const ProtobufCFieldDescriptor *field, const uint8_t *end, bool implied)
{
    uint64_t value = 0;
    if (!varint(walk, end, &value) || (implied && value == 0)) {
        return false;
    }
    if (field->type == PROTOBUF_C_TYPE_ENUM) {
        return value <= INT32_MAX &&
               protobuf_c_enum_descriptor_get_value(field->descriptor, (int)value) != NULL;
    }
    bool wide = field->type == PROTOBUF_C_TYPE_UINT64;
    return wide || value <= (field->type == PROTOBUF_C_TYPE_BOOL ? 1 : UINT32_MAX);
}

static bool fixed_sound(struct walk *walk, const uint8_t *end, size_t size, bool implied)
{
    uint64_t value = 0;
    if ((size_t)(end - walk->at) < size) {
        return false;
    }
    memcpy(&value, walk->at, size);
    walk->at += size;
    return value != 0 || !implied;
}

/* Numbers of a repeated field stand together in one run. */
static bool run_sound(
    struct walk *walk,
    const ProtobufCFieldDescriptor *field,
    enum wire_type type,
    const uint8_t *end)
{
    bool sound = walk->at < end;
    while (sound && walk->at < end) {
        sound = type == WIRE_VARINT ? number_sound(walk, field, end, false)
                                    : fixed_sound(walk, end, type == WIRE_FIXED64 ? 8 : 4, false);
    }
    return sound;
}

/* Where the field of this number is, or would be. Most messages have all numbers from 1 on. */
static unsigned int field_at(const struct level *level, uint64_t number)
{
    const ProtobufCMessageDescriptor *type = level->type;
    unsigned int at = level->field;
    if (number - 1 < type->n_fields && type->fields[number - 1].id == number) {
        return (unsigned int)number - 1;
    }
    while (at < type->n_fields && type->fields[at].id < number) {
        at++;
    }
    return at;
}

/* Finds the field and holds it to its place; NULL: it may not stand here. */
static const ProtobufCFieldDescriptor *field_next(struct level *level, uint64_t number)
{
    unsigned int at = field_at(level, number);
    if (at < level->field || at == level->type->n_fields || level->type->fields[at].id != number) {
        return NULL;
    }
    level->again = level->again && at == level->field;
    level->field = at;
    const ProtobufCFieldDescriptor *field = &level->type->fields[at];
    bool repeated = field->label == PROTOBUF_C_LABEL_REPEATED;
    if (level->again && (!repeated || (field->flags & PROTOBUF_C_FIELD_FLAG_PACKED) != 0)) {
        return NULL;
    }
    level->again = true;
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        if (level->oneof_taken == field->quantifier_offset) {
            return NULL;
        }
        level->oneof_taken = field->quantifier_offset;
    }
    return field;
}

/* The bytes of a text, of bytes, of a run of numbers, or of a message that is walked next. */
static bool bytes_sound(
    struct walk *walk, const ProtobufCFieldDescriptor *field, const uint8_t *end, bool implied)
{
    uint64_t size = 0;
    if (!varint(walk, end, &size) || size > (uint64_t)(end - walk->at)) {
        return false;
    }
    const uint8_t *from = walk->at;
    const uint8_t *to = from + size;
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_PACKED) != 0) {
        return run_sound(walk, field, type_of(field), to);
    }
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        if (walk->depth == DEPTH_MAX) {
            return false;
        }
        walk->stack[walk->depth++] =
            (struct level){ .type = field->descriptor, .end = to, .oneof_taken = NO_ONEOF };
        return true;
    }
    walk->at = to;
    return !(implied && size == 0) && (field->type != PROTOBUF_C_TYPE_STRING ||
                                       text_sound(field, slice_of(from, (size_t)size)));
}

static bool element_sound(struct walk *walk, struct level *level)
{
    uint64_t tag = 0;
    if (!varint(walk, level->end, &tag)) {
        return false;
    }
    const ProtobufCFieldDescriptor *field = field_next(level, tag >> 3);
    if (field == NULL) {
        return false;
    }
    bool packed = (field->flags & PROTOBUF_C_FIELD_FLAG_PACKED) != 0;
    bool implied = field->label != PROTOBUF_C_LABEL_REPEATED &&
                   (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0;
    enum wire_type type = packed ? WIRE_BYTES : type_of(field);
    if ((tag & 7) != (uint64_t)type) {
        return false;
    }
    switch (type) {
    case WIRE_VARINT: return number_sound(walk, field, level->end, implied);
    case WIRE_FIXED32: return fixed_sound(walk, level->end, 4, implied);
    case WIRE_FIXED64: return fixed_sound(walk, level->end, 8, implied);
    case WIRE_BYTES: return bytes_sound(walk, field, level->end, implied);
    }
    UNREACHABLE();
}

bool wire_canonical(const ProtobufCMessageDescriptor *type, struct slice bytes)
{
    struct walk walk = { .at = bytes.data, .depth = 1 };
    walk.stack[0] =
        (struct level){ .type = type, .end = bytes.data + bytes.size, .oneof_taken = NO_ONEOF };
    while (walk.depth > 0) {
        struct level *level = &walk.stack[walk.depth - 1];
        CHECK(walk.at <= level->end);
        if (walk.at == level->end) {
            walk.depth--;
        } else if (!element_sound(&walk, level)) {
            return false;
        }
    }
    return true;
}
