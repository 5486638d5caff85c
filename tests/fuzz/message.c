/* Decides what random messages look like: mostly small and near the bounds of what we use. Never
 * decides whether they are valid. */
#include "tests/fuzz/message.h"

#include "base/check.h"
#include "base/id.h"

#include <stdio.h>
#include <string.h>

_Static_assert((int)ID_TEXT_SIZE <= 80, "an id fits a text");
enum { DEEP_MAX = 6, REPEATED_MAX = 4, MANY_MAX = 512, TEXT_MAX = 80, LONG_TEXT = 3000 };

static const char *const texts[] = {
    "",
    "a",
    "net",
    "lab",
    "web-1",
    "n1",
    "r1",
    "linux",
    "default",
    "ann",
    "root",
    "engine",
    "host",
    "agent",
    "kvm",
    "tcg",
    "10.0.0.1",
    "10.0.0.1:7443",
    "10.1.0.0/29",
    "*",
    "1",
    "instance-create",
    "\xe5\x8d\xaf\xe5\xbb\xba",
    "one\ntwo",
};

static uint64_t any_id(struct prng *prng)
{
    return id_make(1, 1 + prng_below(prng, 40));
}

static uint64_t any_number(struct prng *prng)
{
    switch (prng_below(prng, 6)) {
    case 0: return 0;
    case 1: return prng_below(prng, 16);
    case 2: return any_id(prng);
    case 3: return (UINT64_C(1) << prng_below(prng, 64)) - prng_below(prng, 2);
    case 4: return UINT64_MAX - prng_below(prng, 2);
    default: return prng_below(prng, 100000);
    }
}

static char *any_text(struct prng *prng, struct arena *arena)
{
    bool is_long = prng_below(prng, 64) == 0;
    char *text = arena_take(arena, is_long ? LONG_TEXT : TEXT_MAX);
    if (text == NULL) {
        return NULL;
    }
    uint64_t how = prng_below(prng, 8);
    if (is_long) {
        memset(text, 'x', 1 + (size_t)prng_below(prng, LONG_TEXT - 1));
    } else if (how == 0) { /* An id as people see it. */
        enum id_kind kind = (enum id_kind)(1 + prng_below(prng, ID_KINDS_END - 1));
        id_format(kind, any_id(prng), text);
    } else if (how == 1) { /* A name of its own. */
        size_t size = 1 + (size_t)prng_below(prng, TEXT_MAX - 1);
        for (size_t i = 0; i < size; i++) {
            text[i] = "abcdefghijklmnopqrstuvwxyz0123456789-.:/"[prng_below(prng, 40)];
        }
    } else {
        (void)snprintf(text, TEXT_MAX, "%s", texts[prng_below(prng, COUNT_OF(texts))]);
    }
    return text;
}

static bool any_bytes(ProtobufCBinaryData *data, struct prng *prng, struct arena *arena)
{
    static const size_t sizes[] = { 0, 1, 6, 8, 16, 31, 32, 32, 32, 33, 64, 200 };
    data->len = sizes[prng_below(prng, COUNT_OF(sizes))];
    data->data = arena_take(arena, data->len + 1);
    if (data->data == NULL) {
        data->len = 0;
        return false;
    }
    uint64_t how = prng_below(prng, 3);
    for (size_t i = 0; i < data->len; i++) {
        data->data[i] = how == 0 ? (uint8_t)7 : (uint8_t)prng_next(prng);
    }
    return true;
}

size_t message_element_size(const ProtobufCFieldDescriptor *field)
{
    /* wire/README.md: signed and real numbers are not used. */
    bool narrow = field->type == PROTOBUF_C_TYPE_UINT32 || field->type == PROTOBUF_C_TYPE_FIXED32 ||
                  field->type == PROTOBUF_C_TYPE_ENUM || field->type == PROTOBUF_C_TYPE_BOOL;
    return field->type == PROTOBUF_C_TYPE_BYTES ? sizeof(ProtobufCBinaryData) : (narrow ? 4U : 8U);
}

static ProtobufCMessage *grow(
    const ProtobufCMessageDescriptor *type, struct prng *prng, struct arena *arena, uint32_t deep);

/* One value of the field's type, written at `to`. False: no room. */
static bool any_value(
    const ProtobufCFieldDescriptor *field,
    void *to,
    struct prng *prng,
    struct arena *arena,
    uint32_t deep)
{
    uint64_t number = any_number(prng);
    if (field->type == PROTOBUF_C_TYPE_BOOL) {
        protobuf_c_boolean yes = (protobuf_c_boolean)prng_below(prng, 2);
        memcpy(to, &yes, sizeof(yes));
    } else if (field->type == PROTOBUF_C_TYPE_ENUM) {
        const ProtobufCEnumDescriptor *values = field->descriptor;
        memcpy(to, &values->values[prng_below(prng, values->n_values)].value, sizeof(int));
    } else if (field->type == PROTOBUF_C_TYPE_STRING) {
        char *text = any_text(prng, arena);
        memcpy(to, &text, sizeof(text));
        return text != NULL;
    } else if (field->type == PROTOBUF_C_TYPE_BYTES) {
        ProtobufCBinaryData data = { 0, NULL };
        bool fits = any_bytes(&data, prng, arena);
        memcpy(to, &data, sizeof(data));
        return fits;
    } else if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        ProtobufCMessage *inner =
            deep >= DEEP_MAX ? NULL : grow(field->descriptor, prng, arena, deep + 1);
        if (inner == NULL) {
            return false;
        }
        memcpy(to, &inner, sizeof(inner));
    } else { /* Little-endian: the narrow half of a wide number comes first. */
        if (message_element_size(field) == 4 && prng_below(prng, 2) == 0) {
            number = prng_below(prng, 16); /* Most narrow ones are small. */
        }
        if (strcmp(field->name, "format") == 0 && prng_below(prng, 8) != 0) {
            number = prng_below(prng, 4) == 0 ? 2 : 1;
        }
        memcpy(to, &number, message_element_size(field));
    }
    return true;
}

static size_t count_of(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    size_t count = 0;
    memcpy(&count, (const uint8_t *)message + field->quantifier_offset, sizeof(count));
    return count;
}

static uint8_t *elements_of(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    uint8_t *elements = NULL;
    memcpy(&elements, (const uint8_t *)message + field->offset, sizeof(elements));
    return elements;
}

/* Puts the elements in place; the count is what is believed. */
static void elements_set(
    ProtobufCMessage *message,
    const ProtobufCFieldDescriptor *field,
    uint8_t *elements,
    size_t count)
{
    memcpy((uint8_t *)message + field->offset, &elements, sizeof(elements));
    memcpy((uint8_t *)message + field->quantifier_offset, &count, sizeof(count));
}

/* One more element, at a random place. */
static void element_add(
    ProtobufCMessage *message,
    const ProtobufCFieldDescriptor *field,
    struct prng *prng,
    struct arena *arena,
    uint32_t deep)
{
    size_t count = count_of(message, field);
    size_t size = message_element_size(field);
    uint8_t *more = arena_take(arena, (count + 1) * size);
    if (more == NULL || !any_value(field, more + count * size, prng, arena, deep)) {
        return;
    }
    if (count > 0) {
        memcpy(more, elements_of(message, field), count * size);
    }
    elements_set(message, field, more, count + 1);
}

static void unset(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    static const uint8_t zero[sizeof(ProtobufCBinaryData)];
    static const char empty[] = "";
    const char *none = empty;
    bool oneof = (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
    if (oneof) {
        memset((uint8_t *)message + field->quantifier_offset, 0, sizeof(uint32_t));
    }
    if (field->type == PROTOBUF_C_TYPE_STRING && !oneof) {
        memcpy((uint8_t *)message + field->offset, &none, sizeof(none));
    } else {
        memcpy((uint8_t *)message + field->offset, zero, message_element_size(field));
    }
}

static void set(
    ProtobufCMessage *message,
    const ProtobufCFieldDescriptor *field,
    struct prng *prng,
    struct arena *arena,
    uint32_t deep)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        element_add(message, field, prng, arena, deep);
        return;
    }
    if (any_value(field, (uint8_t *)message + field->offset, prng, arena, deep) &&
        (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        uint32_t which = field->id;
        memcpy((uint8_t *)message + field->quantifier_offset, &which, sizeof(which));
    }
}

static ProtobufCMessage *grow(
    const ProtobufCMessageDescriptor *type, struct prng *prng, struct arena *arena, uint32_t deep)
{
    ProtobufCMessage *message = arena_take(arena, type->sizeof_message);
    if (message == NULL) {
        return NULL;
    }
    protobuf_c_message_init(type, message);
    bool full = prng_below(prng, 2) == 0;
    unsigned int chosen = 0; /* Of the oneof's fields, one. */
    for (unsigned int i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        bool oneof = (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
        if (oneof) {
            chosen++;
            if (prng_below(prng, chosen) != 0) {
                continue; /* Each as likely as the others. */
            }
        } else if (!full && prng_below(prng, 2) == 0 && strcmp(field->name, "format") != 0) {
            continue;
        }
        uint64_t times =
            field->label == PROTOBUF_C_LABEL_REPEATED ? prng_below(prng, REPEATED_MAX) : 1;
        for (uint64_t time = 0; time < times; time++) {
            set(message, field, prng, arena, deep);
        }
    }
    return message;
}

ProtobufCMessage *message_any(
    const ProtobufCMessageDescriptor *type, struct prng *prng, struct arena *arena)
{
    return grow(type, prng, arena, 0);
}

static bool is_chosen(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    uint32_t which = 0;
    memcpy(&which, (const uint8_t *)message + field->quantifier_offset, sizeof(which));
    return which == field->id;
}

/* A message inside this one; NULL: it has none. */
static ProtobufCMessage *any_inside(ProtobufCMessage *message, struct prng *prng)
{
    ProtobufCMessage *found = NULL;
    uint64_t seen = 0;
    for (unsigned int i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        ProtobufCMessage *inner = NULL;
        if (field->type != PROTOBUF_C_TYPE_MESSAGE) {
            continue;
        }
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            size_t count = count_of(message, field);
            if (count > 0) {
                memcpy(
                    &inner,
                    elements_of(message, field) + prng_below(prng, count) * sizeof(inner),
                    sizeof(inner));
            }
        } else if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0 || is_chosen(message, field)) {
            memcpy(&inner, (uint8_t *)message + field->offset, sizeof(inner));
        }
        if (inner != NULL && prng_below(prng, ++seen) == 0) {
            found = inner;
        }
    }
    return found;
}

static void change_repeated(
    ProtobufCMessage *message,
    const ProtobufCFieldDescriptor *field,
    struct prng *prng,
    struct arena *arena)
{
    size_t count = count_of(message, field);
    size_t size = message_element_size(field);
    uint8_t *elements = elements_of(message, field);
    uint64_t how = count == 0 ? 0 : prng_below(prng, 5);
    uint8_t kept[sizeof(ProtobufCBinaryData)];
    if (how == 0) {
        element_add(message, field, prng, arena, 1);
        return;
    }
    size_t one = (size_t)prng_below(prng, count);
    size_t other = (size_t)prng_below(prng, count);
    if (how == 1) { /* Without this one. */
        memmove(elements + one * size, elements + (one + 1) * size, (count - one - 1) * size);
        elements_set(message, field, elements, count - 1);
    } else if (how == 2) { /* Two change places. */
        memcpy(kept, elements + one * size, size);
        memmove(elements + one * size, elements + other * size, size);
        memcpy(elements + other * size, kept, size);
    } else if (how == 3) { /* All of them come twice. */
        uint8_t *more = count > MANY_MAX ? NULL : arena_take(arena, 2 * count * size);
        if (more != NULL) {
            memcpy(more, elements, count * size);
            memcpy(more + count * size, elements, count * size);
            elements_set(message, field, more, 2 * count);
        }
    } else { /* One comes twice. */
        element_add(message, field, prng, arena, 1);
        if (count_of(message, field) > count) {
            elements = elements_of(message, field);
            memcpy(elements + count * size, elements + one * size, size);
        }
    }
}

void message_change(ProtobufCMessage *message, struct prng *prng, struct arena *arena)
{
    for (uint32_t deep = 0; deep < DEEP_MAX && prng_below(prng, 3) != 0; deep++) {
        ProtobufCMessage *inner = any_inside(message, prng);
        message = inner == NULL ? message : inner;
    }
    const ProtobufCMessageDescriptor *type = message->descriptor;
    if (type->n_fields == 0) {
        return;
    }
    const ProtobufCFieldDescriptor *field = &type->fields[prng_below(prng, type->n_fields)];
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        change_repeated(message, field, prng, arena);
    } else if (prng_below(prng, 4) == 0) {
        unset(message, field);
    } else {
        set(message, field, prng, arena, 1);
    }
}

static void *take(void *arena, size_t size)
{
    return arena_take(arena, size);
}

static void give(void *arena, void *pointer)
{
    (void)arena; /* The arena is forgotten as a whole. */
    (void)pointer;
}

ProtobufCMessage *message_read(
    const ProtobufCMessageDescriptor *type, struct slice bytes, struct arena *arena)
{
    ProtobufCAllocator allocator = { take, give, arena };
    return protobuf_c_message_unpack(type, &allocator, bytes.size, bytes.data);
}
