/* Decides how messages and their fields are described as schemas. Never decides which there are. */
#include "controller/api_openapi_schema.h"

#include "base/check.h"
#include "controller/api_fields.h"

#include <stdio.h>

void schemas_want(struct schemas *schemas, const ProtobufCMessageDescriptor *type)
{
    for (size_t i = 0; i < schemas->count; i++) {
        if (schemas->types[i] == type) {
            return;
        }
    }
    CHECK(schemas->count < SCHEMAS_MAX);
    schemas->types[schemas->count++] = type;
}

void schema_reference(struct out *out, const char *name)
{
    char text[96];
    int size = snprintf(text, sizeof(text), "#/components/schemas/%s", name);
    CHECK(size > 0 && (size_t)size < sizeof(text));
    out_object(out);
    out_pair(out, "$ref", text);
    out_object_end(out);
}

static void write_words(struct out *out, const ProtobufCEnumDescriptor *type, bool asked)
{
    out_object(out);
    out_pair(out, "type", "string");
    out_key(out, "enum");
    out_array(out);
    for (unsigned int i = 0; i < type->n_values; i++) {
        char word[ENUM_WORD_SIZE];
        enum_word(type, &type->values[i], word);
        if (!asked || type->values[i].value != 0) {
            out_text(out, word);
        }
    }
    out_array_end(out);
    out_object_end(out);
}

void schema_simple(struct out *out, const char *type, const char *format)
{
    out_object(out);
    out_pair(out, "type", type);
    if (format != NULL) {
        out_pair(out, "format", format);
    }
    out_object_end(out);
}

static void write_whole(struct out *out, uint64_t maximum)
{
    out_object(out);
    out_pair(out, "type", "integer");
    out_key(out, "minimum");
    out_number(out, 0);
    if (maximum != 0) {
        out_key(out, "maximum");
        out_number(out, maximum);
    }
    out_object_end(out);
}

static void write_time(struct out *out, bool asked)
{
    if (asked) {
        schema_simple(out, "string", "date-time");
        return;
    }
    out_object(out);
    out_key(out, "type");
    out_array(out);
    out_text(out, "string");
    out_text(out, "null");
    out_array_end(out);
    out_pair(out, "format", "date-time");
    out_object_end(out);
}

void schema_value(
    struct out *out, struct schemas *schemas, const ProtobufCFieldDescriptor *field, bool asked)
{
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        const ProtobufCMessageDescriptor *inner = field->descriptor;
        schemas_want(schemas, inner);
        schema_reference(out, inner->short_name);
    } else if (field->type == PROTOBUF_C_TYPE_ENUM) {
        write_words(out, field->descriptor, asked);
    } else if (field->type == PROTOBUF_C_TYPE_STRING) {
        schema_simple(out, "string", NULL);
    } else if (field->type == PROTOBUF_C_TYPE_BOOL) {
        schema_simple(out, "boolean", NULL);
    } else if (field->type == PROTOBUF_C_TYPE_BYTES) {
        out_object(out);
        out_pair(out, "type", "string");
        out_pair(out, "pattern", "^([0-9a-f]{2})*$");
        out_object_end(out);
    } else if (field_is_time(field)) {
        write_time(out, asked);
    } else {
        write_whole(out, field->type == PROTOBUF_C_TYPE_UINT32 ? UINT32_MAX : 0);
    }
}

void schema_property(
    struct out *out, struct schemas *schemas, const ProtobufCFieldDescriptor *field, bool asked)
{
    out_key(out, field->name);
    if (field->label != PROTOBUF_C_LABEL_REPEATED) {
        schema_value(out, schemas, field, asked);
        return;
    }
    out_object(out);
    out_pair(out, "type", "array");
    out_key(out, "items");
    schema_value(out, schemas, field, asked);
    if (asked) {
        out_key(out, "maxItems");
        out_number(out, FIELD_REPEATED_MAX);
    }
    out_object_end(out);
}

/* A problem has more than the message of that name: RFC 9457's own members. */
static void write_problem_members(struct out *out)
{
    static const char *const texts[] = { "type", "title", "request_id", "leader_address" };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        out_key(out, texts[i]);
        schema_simple(out, "string", NULL);
    }
    out_key(out, "status");
    schema_simple(out, "integer", NULL);
}

static void write_leaf_content(struct out *out)
{
    out_key(out, "content");
    schema_simple(out, "object", NULL);
}

void schemas_write(struct out *out, struct schemas *schemas)
{
    out_key(out, "schemas");
    out_object(out);
    for (size_t i = 0; i < schemas->count; i++) { /* Grows while it is walked. */
        const ProtobufCMessageDescriptor *type = schemas->types[i];
        out_key(out, type->short_name);
        out_object(out);
        out_pair(out, "type", "object");
        out_key(out, "properties");
        out_object(out);
        if (type == &wire__problem__descriptor) {
            write_problem_members(out);
        }
        for (unsigned int j = 0; j < type->n_fields; j++) {
            schema_property(out, schemas, &type->fields[j], false);
        }
        if (type == &wire__leaf_view__descriptor) {
            write_leaf_content(out);
        }
        out_object_end(out);
        out_object_end(out);
    }
    out_object_end(out);
}
