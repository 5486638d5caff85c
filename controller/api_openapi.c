/* Decides how the interface is described. Never decides what the interface is. */
#include "controller/api_openapi.h"

#include "base/check.h"
#include "controller/api_fields.h"
#include "controller/api_routes.h"

#include <stdio.h>
#include <string.h>

enum { SCHEMAS_MAX = 64 };

/* Messages that answers are made of, found while they are described. */
struct schemas {
    const ProtobufCMessageDescriptor *types[SCHEMAS_MAX];
    size_t count;
};

static void schema_want(struct schemas *schemas, const ProtobufCMessageDescriptor *type)
{
    for (size_t i = 0; i < schemas->count; i++) {
        if (schemas->types[i] == type) {
            return;
        }
    }
    CHECK(schemas->count < SCHEMAS_MAX);
    schemas->types[schemas->count++] = type;
}

static void write_reference(struct out *out, const char *name)
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

static void write_simple(struct out *out, const char *type, const char *format)
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
        write_simple(out, "string", "date-time");
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

/* One value of a field. `asked`: in a request, where the unset word and null are not taken. */
static void write_value(
    struct out *out, struct schemas *schemas, const ProtobufCFieldDescriptor *field, bool asked)
{
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        const ProtobufCMessageDescriptor *inner = field->descriptor;
        schema_want(schemas, inner);
        write_reference(out, inner->short_name);
    } else if (field->type == PROTOBUF_C_TYPE_ENUM) {
        write_words(out, field->descriptor, asked);
    } else if (field->type == PROTOBUF_C_TYPE_STRING) {
        write_simple(out, "string", NULL);
    } else if (field->type == PROTOBUF_C_TYPE_BOOL) {
        write_simple(out, "boolean", NULL);
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

static void write_property(
    struct out *out, struct schemas *schemas, const ProtobufCFieldDescriptor *field, bool asked)
{
    out_key(out, field->name);
    if (field->label != PROTOBUF_C_LABEL_REPEATED) {
        write_value(out, schemas, field, asked);
        return;
    }
    out_object(out);
    out_pair(out, "type", "array");
    out_key(out, "items");
    write_value(out, schemas, field, asked);
    if (asked) {
        out_key(out, "maxItems");
        out_number(out, FIELD_REPEATED_MAX);
    }
    out_object_end(out);
}

static bool in_path(const struct api_route *route, const char *name)
{
    for (size_t i = 0; i < API_SLOTS_MAX && route->fields[i] != NULL; i++) {
        if (strcmp(route->fields[i], name) == 0) {
            return true;
        }
    }
    return (route->preset != NULL && strcmp(route->preset, name) == 0) ||
           api_route_takes_query(route, name);
}

static void write_batch_schema(struct out *out)
{
    static const char *const words[] = { "method", "path", "idempotency_key", "if_match" };
    out_object(out);
    out_key(out, "requests");
    out_object(out);
    out_pair(out, "type", "array");
    out_key(out, "items");
    out_object(out);
    out_pair(out, "type", "object");
    out_key(out, "properties");
    out_object(out);
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        out_key(out, words[i]);
        write_simple(out, "string", NULL);
    }
    out_key(out, "body");
    write_simple(out, "object", NULL);
    out_object_end(out);
    out_object_end(out);
    out_object_end(out);
    out_object_end(out);
}

static void write_body_fields(
    struct out *out, struct schemas *schemas, const struct api_route *route)
{
    bool join = route->body == WIRE__REQUEST__BODY_JOIN;
    out_object(out);
    for (unsigned int i = 0; i < route->type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &route->type->fields[i];
        bool secret = join && strcmp(field->name, "secret_sha256") == 0;
        if (secret) { /* Sent as it is, digested at the door. */
            out_key(out, "secret");
            write_value(out, schemas, field, true);
        } else if (!in_path(route, field->name) || api_route_takes_query(route, field->name)) {
            write_property(out, schemas, field, true);
        }
    }
    out_object_end(out);
}

static void write_request_body(
    struct out *out, struct schemas *schemas, const struct api_route *route)
{
    if (!route->takes_body) {
        return;
    }
    out_key(out, "requestBody");
    out_object(out);
    out_key(out, "content");
    out_object(out);
    out_key(out, "application/json");
    out_object(out);
    out_key(out, "schema");
    out_object(out);
    out_pair(out, "type", "object");
    out_key(out, "additionalProperties");
    out_bool(out, false);
    out_key(out, "properties");
    if (route->server == API_SERVER_BATCH) {
        write_batch_schema(out);
    } else {
        write_body_fields(out, schemas, route);
    }
    out_object_end(out);
    out_object_end(out);
    out_object_end(out);
    out_object_end(out);
}

static void begin_parameter(struct out *out, const char *name, const char *place, bool required)
{
    out_object(out);
    out_pair(out, "name", name);
    out_pair(out, "in", place);
    if (required) {
        out_key(out, "required");
        out_bool(out, true);
    }
    out_key(out, "schema");
}

static void write_slots(struct out *out, const char *path)
{
    for (const char *at = strchr(path, '{'); at != NULL; at = strchr(at + 1, '{')) {
        char name[API_SLOT_SIZE];
        size_t size = strcspn(at + 1, "}");
        CHECK(size < sizeof(name));
        memcpy(name, at + 1, size);
        name[size] = '\0';
        begin_parameter(out, name, "path", true);
        write_simple(out, "string", NULL);
        out_object_end(out);
    }
}

static void write_query(struct out *out, struct schemas *schemas, const struct api_route *route)
{
    for (size_t i = 0; route->query != NULL && route->query[i] != NULL; i++) {
        const char *name = route->query[i];
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field_by_name(route->type, api_query_field(name));
        CHECK(field != NULL);
        begin_parameter(out, name, "query", false);
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            out_object(out);
            out_pair(out, "type", "array");
            out_key(out, "items");
            out_object(out);
            out_pair(out, "type", "string");
            out_pair(out, "pattern", "^[^=]+=.*$");
            out_object_end(out);
            out_object_end(out);
        } else if (strcmp(name, "page_token") == 0) {
            write_simple(out, "string", NULL);
        } else {
            write_value(out, schemas, field, true);
        }
        out_object_end(out);
    }
}

static void write_parameters(
    struct out *out, struct schemas *schemas, const struct api_route *route)
{
    out_key(out, "parameters");
    out_array(out);
    write_slots(out, route->path);
    write_query(out, schemas, route);
    if (route->write) {
        begin_parameter(out, "Idempotency-Key", "header", true);
        out_object(out);
        out_pair(out, "type", "string");
        out_pair(out, "pattern", "^[!-~]{1,63}$");
        out_object_end(out);
        out_object_end(out);
        begin_parameter(out, "If-Match", "header", false);
        write_simple(out, "string", NULL);
        out_object_end(out);
    } else if (api_route_takes_stale(route)) {
        begin_parameter(out, "consistency", "query", false);
        out_object(out);
        out_pair(out, "type", "string");
        out_key(out, "enum");
        out_array(out);
        out_text(out, "linearizable");
        out_text(out, "stale");
        out_array_end(out);
        out_object_end(out);
        out_object_end(out);
    }
    out_array_end(out);
}

static const char *answer_name(const struct api_route *route)
{
    switch (route->shape) {
    case API_SHAPE_OPERATION: return "OperationView";
    case API_SHAPE_CLUSTER: return "ClusterStatus";
    case API_SHAPE_JOIN: return "JoinAnswer";
    case API_SHAPE_ONE:
    case API_SHAPE_LIST:
    case API_SHAPE_EXPLANATION:
    case API_SHAPE_CONSOLE:
    case API_SHAPE_LEAVES:
    case API_SHAPE_CHECKPOINT:
    case API_SHAPE_ACCESS:
    case API_SHAPE_EVENTS: CHECK(route->item != NULL); return route->item;
    case API_SHAPE_OWN: return NULL;
    }
    UNREACHABLE();
}

static bool answers_list(const struct api_route *route)
{
    return route->shape == API_SHAPE_LIST || route->shape == API_SHAPE_LEAVES ||
           route->shape == API_SHAPE_ACCESS || route->shape == API_SHAPE_EVENTS;
}

static void write_answer_schema(struct out *out, const struct api_route *route)
{
    const char *name = answer_name(route);
    out_key(out, "schema");
    if (name == NULL) {
        out_object(out);
        out_object_end(out);
        return;
    }
    if (!answers_list(route)) {
        write_reference(out, name);
        return;
    }
    out_object(out);
    out_pair(out, "type", "object");
    out_key(out, "properties");
    out_object(out);
    out_key(out, "items");
    out_object(out);
    out_pair(out, "type", "array");
    out_key(out, "items");
    write_reference(out, name);
    out_object_end(out);
    out_key(out, "next_page");
    write_simple(out, "string", NULL);
    out_object_end(out);
    out_object_end(out);
}

static void write_content(struct out *out, const char *type)
{
    out_key(out, "content");
    out_object(out);
    out_key(out, type);
    out_object(out);
}

static void write_answers(struct out *out, const struct api_route *route)
{
    char status[8];
    int size = snprintf(status, sizeof(status), "%u", route->status);
    CHECK(size == 3);
    out_key(out, "responses");
    out_object(out);
    out_key(out, status);
    out_object(out);
    out_pair(out, "description", route->write ? "Accepted" : "The answer");
    write_content(out, route->server == API_SERVER_METRICS ? "text/plain" : "application/json");
    write_answer_schema(out, route);
    out_object_end(out);
    if (route->server == API_SERVER_EVENTS) {
        out_key(out, "text/event-stream");
        out_object(out);
        out_object_end(out);
    }
    out_object_end(out);
    out_object_end(out);
    out_key(out, "default");
    out_object(out);
    out_pair(out, "description", "Refused (RFC 9457)");
    write_content(out, "application/problem+json");
    out_key(out, "schema");
    write_reference(out, "Problem");
    out_object_end(out);
    out_object_end(out);
    out_object_end(out);
    out_object_end(out);
}

static void write_route(struct out *out, struct schemas *schemas, const struct api_route *route)
{
    static const char *const lower[] = {
        [API_METHOD_GET] = "get",
        [API_METHOD_POST] = "post",
        [API_METHOD_PUT] = "put",
        [API_METHOD_DELETE] = "delete",
    };
    CHECK(route->method < COUNT_OF(lower));
    out_key(out, lower[route->method]);
    out_object(out);
    out_pair(out, "operationId", route->operation);
    out_pair(out, "summary", route->summary);
    out_pair(out, "x-roles", route->roles);
    out_key(out, "security");
    out_array(out);
    if (!route->stranger) {
        out_object(out);
        out_key(out, "certificate");
        out_array(out);
        out_array_end(out);
        out_object_end(out);
    }
    out_array_end(out);
    write_parameters(out, schemas, route);
    write_request_body(out, schemas, route);
    write_answers(out, route);
    out_object_end(out);
}

static bool path_seen(size_t before, const char *path)
{
    for (size_t i = 0; i < before; i++) {
        if (strcmp(api_route_at(i)->path, path) == 0) {
            return true;
        }
    }
    return false;
}

static void write_paths(struct out *out, struct schemas *schemas)
{
    out_key(out, "paths");
    out_object(out);
    for (size_t i = 0; i < api_routes_count(); i++) {
        const char *path = api_route_at(i)->path;
        if (path_seen(i, path)) {
            continue;
        }
        out_key(out, path);
        out_object(out);
        for (size_t j = i; j < api_routes_count(); j++) {
            if (strcmp(api_route_at(j)->path, path) == 0) {
                write_route(out, schemas, api_route_at(j));
            }
        }
        out_object_end(out);
    }
    out_object_end(out);
}

/* A problem has more than the message of that name: RFC 9457's own members. */
static void write_problem_members(struct out *out)
{
    static const char *const texts[] = { "type", "title", "request_id", "leader_address" };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        out_key(out, texts[i]);
        write_simple(out, "string", NULL);
    }
    out_key(out, "status");
    write_simple(out, "integer", NULL);
}

static void write_leaf_content(struct out *out)
{
    out_key(out, "content");
    write_simple(out, "object", NULL);
}

static void write_schemas(struct out *out, struct schemas *schemas)
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
            write_property(out, schemas, &type->fields[j], false);
        }
        if (type == &wire__leaf_view__descriptor) {
            write_leaf_content(out);
        }
        out_object_end(out);
        out_object_end(out);
    }
    out_object_end(out);
}

void openapi_write(struct out *out)
{
    CHECK(out->used == 0);
    struct schemas schemas = { .count = 0 };
    const ProtobufCMessageDescriptor *answers[] = {
        &wire__problem__descriptor,         &wire__cluster_status__descriptor,
        &wire__explanation__descriptor,     &wire__console_data__descriptor,
        &wire__join_answer__descriptor,     &wire__leaf_view__descriptor,
        &wire__checkpoint_view__descriptor, &wire__access_view__descriptor,
        &wire__event_view__descriptor,
    };
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        schema_want(&schemas, answers[i]);
    }
    for (unsigned int i = 0; i < wire__resource__descriptor.n_fields; i++) {
        schema_want(&schemas, wire__resource__descriptor.fields[i].descriptor);
    }
    out->pretty = true;
    out_object(out);
    out_pair(out, "openapi", "3.1.0");
    out_key(out, "info");
    out_object(out);
    out_pair(out, "title", "Udatsu");
    out_pair(out, "version", "v1");
    out_object_end(out);
    write_paths(out, &schemas);
    out_key(out, "components");
    out_object(out);
    out_key(out, "securitySchemes");
    out_object(out);
    out_key(out, "certificate");
    out_object(out);
    out_pair(out, "type", "mutualTLS");
    out_object_end(out);
    out_object_end(out);
    write_schemas(out, &schemas);
    out_object_end(out);
    out_object_end(out);
    out_plain(out, "\n");
}
