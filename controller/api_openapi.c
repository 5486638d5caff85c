/* Decides how the interface is described. Never decides what the interface is. */
#include "controller/api_openapi.h"

#include "base/check.h"
#include "controller/api_openapi_schema.h"
#include "controller/api_routes.h"

#include <stdio.h>
#include <string.h>

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
        schema_simple(out, "string", NULL);
    }
    out_key(out, "body");
    schema_simple(out, "object", NULL);
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
            schema_value(out, schemas, field, true);
        } else if (!in_path(route, field->name) || api_route_takes_query(route, field->name)) {
            schema_property(out, schemas, field, true);
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
        schema_simple(out, "string", NULL);
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
            schema_simple(out, "string", NULL);
        } else {
            schema_value(out, schemas, field, true);
        }
        out_object_end(out);
    }
}

/* RFC 7240. A batch hands it on to each of its writes. */
static void write_prefer(struct out *out, const struct api_route *route)
{
    bool minimal = route->shape == API_SHAPE_OPERATION || route->server == API_SERVER_BATCH;
    if (!minimal && !route->write) {
        return;
    }
    begin_parameter(out, "Prefer", "header", false);
    out_object(out);
    out_pair(out, "type", "string");
    out_key(out, "examples");
    out_array(out);
    if (route->write) {
        out_text(out, "wait=5");
    }
    if (minimal) {
        out_text(out, "return=minimal");
    }
    out_array_end(out);
    out_object_end(out);
    out_object_end(out);
}

static void write_parameters(
    struct out *out, struct schemas *schemas, const struct api_route *route)
{
    out_key(out, "parameters");
    out_array(out);
    write_slots(out, route->path);
    write_query(out, schemas, route);
    write_prefer(out, route);
    if (route->write) {
        begin_parameter(out, "Idempotency-Key", "header", true);
        out_object(out);
        out_pair(out, "type", "string");
        out_pair(out, "pattern", "^[!-~]{1,63}$");
        out_object_end(out);
        out_object_end(out);
        if (api_route_needs_match(route) || api_route_has_tag(route)) {
            begin_parameter(out, "If-Match", "header", api_route_needs_match(route));
            schema_simple(out, "string", NULL);
            out_object_end(out);
        }
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
        schema_reference(out, name);
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
    schema_reference(out, name);
    out_object_end(out);
    bool leaves = route->shape == API_SHAPE_LEAVES; /* Their pages go on by sequence. */
    out_key(out, leaves ? "next" : "next_page");
    schema_simple(out, leaves ? "integer" : "string", NULL);
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

static const char *answer_description(const struct api_route *route)
{
    if (route->shape == API_SHAPE_OPERATION) {
        return "Accepted. With Prefer: return=minimal only id, state, resource and error.";
    }
    return route->write ? "Accepted" : "The answer";
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
    out_pair(out, "description", answer_description(route));
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
    schema_reference(out, "Problem");
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
        schemas_want(&schemas, answers[i]);
    }
    for (unsigned int i = 0; i < wire__resource__descriptor.n_fields; i++) {
        schemas_want(&schemas, wire__resource__descriptor.fields[i].descriptor);
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
    schemas_write(out, &schemas);
    out_object_end(out);
    out_object_end(out);
    out_plain(out, "\n");
}
