/* Decides how a message becomes JSON, by its descriptor. Never decides what may be shown: engine
 * answered for one principal, and everything in its answer is that principal's. */
#include "base/check.h"
#include "controller/api_fields.h"

#include <string.h>

/* Answer → ClusterStatus → ControllerView → Place, with room to grow. */
enum { WRITE_DEPTH_MAX = 8 };

struct level {
    const ProtobufCMessage *message;
    unsigned int field;
    size_t element;
    size_t count;
};

static const void *at_offset(const ProtobufCMessage *message, unsigned int offset)
{
    CHECK(offset < message->descriptor->sizeof_message);
    return (const uint8_t *)message + offset;
}

static size_t count_of(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    size_t count = 0;
    memcpy(&count, at_offset(message, field->quantifier_offset), sizeof(count));
    return count;
}

static const void *value_at(
    const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, size_t element)
{
    const void *member = at_offset(message, field->offset);
    if (field->label != PROTOBUF_C_LABEL_REPEATED) {
        return member;
    }
    const uint8_t *array = NULL;
    memcpy(&array, member, sizeof(array));
    return array + element * field_element_size(field);
}

static bool chosen(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0) {
        return true;
    }
    uint32_t which = 0;
    memcpy(&which, at_offset(message, field->quantifier_offset), sizeof(which));
    return which == field->id;
}

void enum_write(struct out *out, const ProtobufCEnumDescriptor *type, int number)
{
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(type, number);
    CHECK(value != NULL); /* wire_decode refuses unknown values. */
    char word[ENUM_WORD_SIZE];
    enum_word(type, value, word);
    out_text(out, word);
}

static void write_leaf(struct out *out, const ProtobufCFieldDescriptor *field, const void *value)
{
    uint64_t wide = 0;
    uint32_t narrow = 0;
    int number = 0;
    protobuf_c_boolean yes = 0;
    const char *text = NULL;
    ProtobufCBinaryData bytes = { 0, NULL };
    size_t size = field_element_size(field);
    if (size == sizeof(wide) && field->type != PROTOBUF_C_TYPE_STRING) {
        memcpy(&wide, value, sizeof(wide));
        if (field_is_time(field)) {
            out_time(out, wide);
        } else {
            out_number(out, wide);
        }
    } else if (field->type == PROTOBUF_C_TYPE_STRING) {
        memcpy(&text, value, sizeof(text));
        out_text(out, text == NULL ? "" : text);
    } else if (field->type == PROTOBUF_C_TYPE_BYTES) {
        memcpy(&bytes, value, sizeof(bytes));
        out_hex(out, slice_of(bytes.data, bytes.len));
    } else if (field->type == PROTOBUF_C_TYPE_ENUM) {
        memcpy(&number, value, sizeof(number));
        enum_write(out, field->descriptor, number);
    } else if (field->type == PROTOBUF_C_TYPE_BOOL) {
        memcpy(&yes, value, sizeof(yes));
        out_bool(out, yes != 0);
    } else {
        CHECK(size == sizeof(narrow));
        memcpy(&narrow, value, sizeof(narrow));
        out_number(out, narrow);
    }
}

/* Begins the field under the cursor: false when there is nothing of it to write. */
static bool begin_field(struct out *out, struct level *top, const ProtobufCFieldDescriptor *field)
{
    top->element = 0;
    top->count = 1;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        top->count = count_of(top->message, field);
        out_key(out, field->name);
        out_array(out);
        return true;
    }
    if (!chosen(top->message, field)) {
        return false;
    }
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        const void *inner = NULL;
        memcpy(&inner, value_at(top->message, field, 0), sizeof(inner));
        if (inner == NULL) {
            return false;
        }
    }
    out_key(out, field->name);
    return true;
}

/* Moves the cursor one element on; gives the message to go into, if it is one. */
static const ProtobufCMessage *step(struct out *out, struct level *top)
{
    const ProtobufCFieldDescriptor *field = &top->message->descriptor->fields[top->field];
    if (top->count == SIZE_MAX && !begin_field(out, top, field)) {
        top->field++;
        top->count = SIZE_MAX;
        return NULL;
    }
    if (top->element == top->count) {
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            out_array_end(out);
        }
        top->field++;
        top->count = SIZE_MAX;
        return NULL;
    }
    const void *value = value_at(top->message, field, top->element++);
    if (field->type != PROTOBUF_C_TYPE_MESSAGE) {
        write_leaf(out, field, value);
        return NULL;
    }
    const ProtobufCMessage *inner = NULL;
    memcpy(&inner, value, sizeof(inner));
    CHECK(inner != NULL);
    return inner;
}

void message_write(struct out *out, const ProtobufCMessage *message)
{
    CHECK(message != NULL);
    struct level stack[WRITE_DEPTH_MAX] = { { .message = message, .count = SIZE_MAX } };
    size_t depth = 1;
    out_object(out);
    while (depth > 0) {
        struct level *top = &stack[depth - 1];
        if (top->field == top->message->descriptor->n_fields) {
            out_object_end(out);
            depth--;
            continue;
        }
        const ProtobufCMessage *inner = step(out, top);
        if (inner != NULL) {
            CHECK(depth < WRITE_DEPTH_MAX);
            stack[depth++] = (struct level){ .message = inner, .count = SIZE_MAX };
            out_object(out);
        }
    }
}
