/* Decides how an answer looks in HTTP. Never decides what was answered. */
#include "controller/api_reply.h"

#include "base/check.h"
#include "wire/wire.h"

#include <audit.pb-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char type_json[] = "application/json";
static const char type_problem[] = "application/problem+json";

void reply_problem(
    const struct problem *problem, const char *request_id, struct out *out, struct reply *reply_out)
{
    CHECK(problem->status >= 400);
    *reply_out = (struct reply){ .status = problem->status, .type = type_problem };
    reply_out->retry_after_seconds = problem->retry_after_seconds;
    problem_write(out, problem, request_id);
}

/* The message that a Resource holds; NULL: none. */
static const ProtobufCMessage *resource_view(const Wire__Resource *resource)
{
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(
        &wire__resource__descriptor, (unsigned)resource->view_case);
    if (field == NULL) {
        return NULL;
    }
    const ProtobufCMessage *view = NULL;
    memcpy(&view, (const uint8_t *)resource + field->offset, sizeof(view));
    return view;
}

/* ETag: the view's revision, where it has one. */
static void reply_tag(const ProtobufCMessage *view, struct reply *reply)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(view->descriptor, "revision");
    if (field == NULL) {
        return;
    }
    CHECK(field->type == PROTOBUF_C_TYPE_UINT64);
    uint64_t revision = 0;
    memcpy(&revision, (const uint8_t *)view + field->offset, sizeof(revision));
    int size = snprintf(reply->tag, sizeof(reply->tag), "\"r%llu\"", (unsigned long long)revision);
    CHECK(size > 0 && (size_t)size < sizeof(reply->tag));
}

static const ProtobufCMessage *the_one(const Wire__Answer *answer)
{
    if (answer->n_items > 0) {
        return resource_view(answer->items[0]);
    }
    return answer->operation == NULL ? NULL : &answer->operation->base;
}

static void write_next_page(const struct reply_to *to, const Wire__Answer *answer, struct out *out)
{
    if (answer->next_after != 0) {
        char token[API_TOKEN_SIZE];
        api_page_token(to->route, to->slots, to->query, answer->next_after, token);
        out_pair(out, "next_page", token);
    }
}

static void write_list(const struct reply_to *to, const Wire__Answer *answer, struct out *out)
{
    out_object(out);
    out_key(out, "items");
    out_array(out);
    for (size_t i = 0; i < answer->n_items; i++) {
        const ProtobufCMessage *view = resource_view(answer->items[i]);
        if (view != NULL) {
            message_write(out, view);
        }
    }
    out_array_end(out);
    write_next_page(to, answer, out);
    out_object_end(out);
}

/* The canonical bytes are what was hashed; their content is shown beside them, for people. */
static void write_leaf(const Wire__LeafView *view, struct out *out)
{
    _Alignas(16) uint8_t memory[8192];
    struct arena arena;
    arena_init(&arena, memory, sizeof(memory));
    out_object(out);
    out_key(out, "leaf");
    out_hex(out, slice_of(view->leaf.data, view->leaf.len));
    out_pair(out, "actor_name", view->actor_name);
    out_pair(out, "resource_name", view->resource_name);
    Wire__Leaf *leaf = NULL;
    struct slice bytes = slice_of(view->leaf.data, view->leaf.len);
    if (wire_decode(&wire__leaf__descriptor, bytes, &arena, &leaf).code == 0) {
        out_key(out, "content");
        message_write(out, &leaf->base);
    }
    out_object_end(out);
}

static void write_items(const struct reply_to *to, const Wire__Answer *answer, struct out *out)
{
    enum api_shape shape = to->route->shape;
    size_t count = shape == API_SHAPE_LEAVES
                       ? answer->n_leaves
                       : (shape == API_SHAPE_ACCESS ? answer->n_access : answer->n_events);
    out_object(out);
    out_key(out, "items");
    out_array(out);
    for (size_t i = 0; i < count; i++) {
        if (shape == API_SHAPE_LEAVES) {
            write_leaf(answer->leaves[i], out);
        } else if (shape == API_SHAPE_ACCESS) {
            message_write(out, &answer->access[i]->base);
        } else {
            message_write(out, &answer->events[i]->base);
        }
    }
    out_array_end(out);
    if (shape == API_SHAPE_LEAVES && answer->next_after != 0) {
        out_key(out, "next"); /* Where the next page begins; a page may be empty before that. */
        out_number(out, answer->next_after);
    } else if (shape == API_SHAPE_ACCESS) {
        write_next_page(to, answer, out);
    }
    out_object_end(out);
}

static void write_message(const ProtobufCMessage *message, struct out *out)
{
    if (message == NULL) { /* engine had nothing to say: an empty object says that. */
        out_object(out);
        out_object_end(out);
        return;
    }
    message_write(out, message);
}

static void reply_location(const char *operation, struct reply *reply)
{
    static const char under[] = "/v1/operations/";
    enum { UNDER = sizeof(under) - 1 };
    /* An id's text is short; a longer one would be cut, and not found. */
    size_t size = strnlen(operation, sizeof(reply->location) - UNDER - 1);
    memcpy(reply->location, under, UNDER);
    memcpy(reply->location + UNDER, operation, size);
    reply->location[UNDER + size] = '\0';
}

/* What the asker needs to go on: the operation, where it stands, and what it made. */
static void write_minimal(const Wire__OperationView *operation, struct out *out)
{
    out_object(out);
    out_pair(out, "id", operation->id);
    out_key(out, "state");
    enum_write(out, &wire__operation_state__descriptor, (int)operation->state);
    out_pair(out, "resource", operation->resource);
    if (operation->error != NULL) {
        out_key(out, "error");
        message_write(out, &operation->error->base);
    }
    out_object_end(out);
}

static void write_operation(
    const struct reply_to *to, const Wire__Answer *answer, struct out *out, struct reply *reply)
{
    if (answer->operation == NULL) {
        write_message(the_one(answer), out);
        return;
    }
    reply_location(answer->operation->id, reply);
    reply->minimal = to->minimal;
    if (to->minimal) {
        write_minimal(answer->operation, out);
    } else {
        write_message(&answer->operation->base, out);
    }
}

static void write_shape(
    const struct reply_to *to, const Wire__Answer *answer, struct out *out, struct reply *reply)
{
    const ProtobufCMessage *one = the_one(answer);
    switch (to->route->shape) {
    case API_SHAPE_OPERATION: write_operation(to, answer, out, reply); return;
    case API_SHAPE_ONE:
        if (one != NULL) {
            reply_tag(one, reply);
        }
        write_message(one, out);
        return;
    case API_SHAPE_LIST: write_list(to, answer, out); return;
    case API_SHAPE_CLUSTER:
        write_message((const ProtobufCMessage *)answer->cluster_status, out);
        return;
    case API_SHAPE_EXPLANATION:
        write_message((const ProtobufCMessage *)answer->explanation, out);
        return;
    case API_SHAPE_CONSOLE: write_message((const ProtobufCMessage *)answer->console, out); return;
    case API_SHAPE_JOIN: write_message((const ProtobufCMessage *)answer->join, out); return;
    case API_SHAPE_CHECKPOINT:
        write_message((const ProtobufCMessage *)answer->checkpoint, out);
        return;
    case API_SHAPE_LEAVES:
    case API_SHAPE_ACCESS:
    case API_SHAPE_EVENTS: write_items(to, answer, out); return;
    case API_SHAPE_OWN: break;
    }
    UNREACHABLE();
}

void reply_answer(
    const struct reply_to *to, const Wire__Answer *answer, struct out *out, struct reply *reply_out)
{
    CHECK(to->route != NULL);
    struct reply reply = {
        .status = to->waited ? 200 : to->route->status,
        .type = type_json,
        .retry_after_seconds = answer->retry_after_seconds,
        .index = answer->index,
        .disputed_index = answer->disputed_index,
        .stale = to->stale,
        .age_ms = answer->age_ms,
        .waited = to->waited,
    };
    /* A number that this version does not know is refused like any other reject. */
    if (answer->reject >= REJECTS_END) {
        struct problem problem;
        problem_set(&problem, 500, "unknown-reject", "Refused for reason %u.", answer->reject);
        reply_problem(&problem, to->request_id, out, reply_out);
        return;
    }
    if (answer->reject != 0) {
        reply.status = reject_status((enum reject)answer->reject);
        reply.type = type_problem;
        reply.waited = false;
        bool again = reply.status == 429 || reply.status == 503;
        if (again && reply.retry_after_seconds == 0) {
            reply.retry_after_seconds = 1;
        }
        if (answer->reject == REJECT_RATE && answer->problem != NULL) {
            reply.rate_limit = answer->problem->limit;
        }
        problem_write_answer(out, answer, to->request_id);
    } else {
        write_shape(to, answer, out, &reply);
    }
    *reply_out = reply;
}

void reply_root(uint32_t cell, struct slice ca, struct out *out, struct reply *reply_out)
{
    *reply_out = (struct reply){ .status = 200, .type = type_json };
    char text[8];
    int size = snprintf(text, sizeof(text), "%04x", cell & 0xffffU);
    CHECK(size == 4);
    out_object(out);
    out_pair(out, "service", "udatsu");
    out_pair(out, "cell", text);
    out_key(out, "versions");
    out_array(out);
    out_text(out, "v1");
    out_array_end(out);
    out_key(out, "extensions");
    out_array(out);
    out_array_end(out);
    out_key(out, "ca");
    out_hex(out, ca);
    out_object_end(out);
}
