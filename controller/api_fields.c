/* Decides which JSON value or word fits which field. Never decides what a value means. */
#include "controller/api_fields.h"

#include "base/check.h"

#include <string.h>

bool field_is_time(const ProtobufCFieldDescriptor *field)
{
    size_t size = strlen(field->name);
    return field->type == PROTOBUF_C_TYPE_UINT64 &&
           (strcmp(field->name, "at") == 0 ||
            (size > 3 && strcmp(field->name + size - 3, "_at") == 0));
}

/* "OnFailure" is the prefix "ON_FAILURE_". */
static size_t enum_prefix(const ProtobufCEnumDescriptor *type)
{
    size_t size = 1;
    for (const char *at = type->short_name; *at != '\0'; at++) {
        bool word = *at >= 'A' && *at <= 'Z' && at != type->short_name;
        size += word ? 2 : 1;
    }
    return size;
}

void enum_word(
    const ProtobufCEnumDescriptor *type,
    const ProtobufCEnumValue *value,
    char out[static ENUM_WORD_SIZE])
{
    size_t prefix = enum_prefix(type);
    CHECK(strlen(value->name) > prefix);
    CHECK(strlen(value->name) - prefix < ENUM_WORD_SIZE);
    const char *from = value->name + prefix;
    size_t at = 0;
    for (; from[at] != '\0'; at++) {
        char c = from[at];
        out[at] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    out[at] = '\0';
}

bool enum_value(const ProtobufCEnumDescriptor *type, const char *word, int *value_out)
{
    CHECK(word != NULL);
    for (unsigned int i = 0; i < type->n_values; i++) {
        char name[ENUM_WORD_SIZE];
        enum_word(type, &type->values[i], name);
        if (type->values[i].value != 0 && strcmp(name, word) == 0) {
            *value_out = type->values[i].value;
            return true;
        }
    }
    return false;
}

ProtobufCMessage *message_make(const ProtobufCMessageDescriptor *type, struct arena *arena)
{
    CHECK(type->sizeof_message >= sizeof(ProtobufCMessage));
    ProtobufCMessage *message = arena_take(arena, type->sizeof_message);
    if (message != NULL) {
        protobuf_c_message_init(type, message);
    }
    return message;
}

void *field_room(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    CHECK(field->offset < message->descriptor->sizeof_message);
    return (uint8_t *)message + field->offset;
}

void field_choose(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        uint32_t which = field->id;
        memcpy((uint8_t *)message + field->quantifier_offset, &which, sizeof(which));
    }
}

size_t field_element_size(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64: return sizeof(uint64_t);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32: return sizeof(uint32_t);
    case PROTOBUF_C_TYPE_ENUM: return sizeof(int);
    case PROTOBUF_C_TYPE_BOOL: return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_BYTES: return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE: return sizeof(void *);
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE: break; /* No message of ours has one. */
    }
    UNREACHABLE();
}

void *field_elements(
    ProtobufCMessage *message,
    const ProtobufCFieldDescriptor *field,
    size_t count,
    struct arena *arena)
{
    CHECK(field->label == PROTOBUF_C_LABEL_REPEATED);
    CHECK(count > 0);
    CHECK(count <= FIELD_REPEATED_MAX);
    void *elements = arena_take(arena, count * field_element_size(field));
    if (elements != NULL) {
        memcpy((uint8_t *)message + field->offset, &elements, sizeof(elements));
        memcpy((uint8_t *)message + field->quantifier_offset, &count, sizeof(count));
    }
    return elements;
}

static bool full(struct problem *problem)
{
    return problem_malformed(problem, "There is more in it than a request may hold.");
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool put_hex(
    void *room, const char *text, size_t size, struct arena *arena, struct problem *problem)
{
    ProtobufCBinaryData bytes = { .len = size / 2 };
    bytes.data = arena_take(arena, size / 2 + 1);
    if (bytes.data == NULL) {
        return full(problem);
    }
    for (size_t i = 0; i < size / 2; i++) {
        int high = hex_value(text[i * 2]);
        int low = hex_value(text[i * 2 + 1]);
        if (high < 0 || low < 0) {
            return problem_malformed(problem, "Bytes are written in lower-case hex.");
        }
        bytes.data[i] = (uint8_t)(high * 16 + low);
    }
    if (size % 2 != 0) {
        return problem_malformed(problem, "Hex has two digits for each byte.");
    }
    memcpy(room, &bytes, sizeof(bytes));
    return true;
}

static bool put_enum(
    const ProtobufCFieldDescriptor *field, void *room, const char *text, struct problem *problem)
{
    int value = 0;
    if (!enum_value(field->descriptor, text, &value)) {
        return problem_malformed(problem, "%s: there is no such word here.", field->name);
    }
    memcpy(room, &value, sizeof(value));
    return true;
}

bool field_put_text(
    const ProtobufCFieldDescriptor *field,
    void *room,
    const char *text,
    size_t size,
    struct arena *arena,
    struct problem *problem)
{
    CHECK(text != NULL);
    if (strlen(text) != size || !text_is_clean(slice_of(text, size))) {
        return problem_malformed(problem, "Text is UTF-8 without control characters.");
    }
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        memcpy(room, &text, sizeof(text));
        return true;
    }
    if (field->type == PROTOBUF_C_TYPE_ENUM) {
        return put_enum(field, room, text, problem);
    }
    if (field->type == PROTOBUF_C_TYPE_BYTES) {
        return put_hex(room, text, size, arena, problem);
    }
    uint64_t at_ms = 0;
    if (field_is_time(field)) {
        if (!time_parse(text, &at_ms)) {
            return problem_malformed(problem, "A time is RFC 3339 in UTC: 2026-01-31T12:00:00Z.");
        }
        memcpy(room, &at_ms, sizeof(at_ms));
        return true;
    }
    return problem_malformed(problem, "%s: no text is wanted here.", field->name);
}

bool field_put_number(
    const ProtobufCFieldDescriptor *field, void *room, int64_t number, struct problem *problem)
{
    bool wide = field->type == PROTOBUF_C_TYPE_UINT64 && !field_is_time(field);
    bool narrow = field->type == PROTOBUF_C_TYPE_UINT32;
    if (!wide && !narrow) {
        return problem_malformed(problem, "%s: no number is wanted here.", field->name);
    }
    if (number < 0 || (narrow && number > UINT32_MAX)) {
        return problem_malformed(problem, "%s: the number is out of range.", field->name);
    }
    if (wide) {
        uint64_t value = (uint64_t)number;
        memcpy(room, &value, sizeof(value));
    } else {
        uint32_t value = (uint32_t)number;
        memcpy(room, &value, sizeof(value));
    }
    return true;
}

bool field_put_bool(
    const ProtobufCFieldDescriptor *field, void *room, bool yes, struct problem *problem)
{
    if (field->type != PROTOBUF_C_TYPE_BOOL) {
        return problem_malformed(problem, "%s: neither true nor false fits here.", field->name);
    }
    protobuf_c_boolean value = yes ? 1 : 0;
    memcpy(room, &value, sizeof(value));
    return true;
}

static bool number_parse(const char *text, int64_t *number_out)
{
    int64_t number = 0;
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || text[digits] != '\0' || (digits > 1 && text[0] == '0')) {
        return false;
    }
    for (size_t i = 0; i < digits; i++) {
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, text[i] - '0', &number)) {
            return false;
        }
    }
    *number_out = number;
    return true;
}

bool field_put_word(
    ProtobufCMessage *message,
    const char *name,
    const char *text,
    struct arena *arena,
    struct problem *problem)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);
    CHECK(field != NULL); /* The route table names fields that exist; a test walks it. */
    CHECK(field->label != PROTOBUF_C_LABEL_REPEATED);
    void *room = field_room(message, field);
    bool number = field->type == PROTOBUF_C_TYPE_UINT32 || field->type == PROTOBUF_C_TYPE_UINT64;
    if (number && !field_is_time(field)) {
        int64_t value = 0;
        if (!number_parse(text, &value)) {
            return problem_malformed(problem, "%s: a whole number is wanted.", name);
        }
        return field_put_number(field, room, value, problem);
    }
    if (field->type == PROTOBUF_C_TYPE_BOOL) {
        bool yes = strcmp(text, "true") == 0;
        if (!yes && strcmp(text, "false") != 0) {
            return problem_malformed(problem, "%s: true or false is wanted.", name);
        }
        return field_put_bool(field, room, yes, problem);
    }
    return field_put_text(field, room, text, strlen(text), arena, problem);
}
