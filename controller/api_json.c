/* Decides which JSON is a request's body. Never decides what a request may ask. The only includer
 * of jansson here, which says why a text is no JSON; its memory is the tree's, a block that every
 * document starts anew. */
#include "controller/api_json.h"

#include "base/check.h"
#include "controller/api_tls.h"
#include "controller/api_tree.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* jansson's allocator hooks carry no context, so the block has to be found by name. */
static struct arena parser_memory;

static void *parser_take(size_t size)
{
    /* Not arena_take: the parser clears what it needs, and this is the path of every request. */
    size_t needed = (size + 15) & ~(size_t)15;
    if (needed > parser_memory.size - parser_memory.used) {
        return NULL;
    }
    void *taken = parser_memory.memory + parser_memory.used;
    parser_memory.used += needed;
    return taken;
}

static void parser_give(void *pointer)
{
    (void)pointer; /* The block is forgotten as a whole. */
}

void json_start(void)
{
    CHECK(parser_memory.memory == NULL);
    uint8_t *memory = aligned_alloc(16, JSON_MEMORY_BYTES);
    CHECK(memory != NULL);
    arena_init(&parser_memory, memory, JSON_MEMORY_BYTES);
    json_set_alloc_funcs(parser_take, parser_give);
    json_object_seed(0); /* From the kernel: nobody can aim for collisions. */
}

/* jansson goes one call deeper for each bracket, so depth is bounded before it begins. It counts
 * brackets of what may be no JSON at all: the tree's own bound is not enough. */
static bool depth_fits(struct slice text)
{
    size_t depth = 0;
    bool inside = false;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (inside) {
            if (c == '\\') {
                i++;
            } else if (c == '"') {
                inside = false;
            }
        } else if (c == '"') {
            inside = true;
        } else if (c == '{' || c == '[') {
            if (++depth > TREE_DEPTH_MAX) {
                return false;
            }
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return true;
}

/* Why the text is refused, if jansson refuses it; it has what the tree left of the memory. */
static bool jansson_takes(struct slice text, struct problem *problem)
{
    json_error_t error;
    if (!depth_fits(text)) {
        return problem_malformed(problem, "The body is nested too deeply.");
    }
    if (text.size > 0 &&
        memchr(text.data, '\0', text.size) != NULL) { /* jansson would pass over some of them. */
        return problem_malformed(problem, "A zero byte is in no JSON.");
    }
    if (json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &error) == NULL) {
        return problem_malformed(
            problem, "Line %d, column %d: %s", error.line, error.column, error.text);
    }
    return true;
}

struct json *json_read(struct slice text, struct problem *problem)
{
    CHECK(parser_memory.memory != NULL);
    CHECK(text.size <= JSON_BODY_MAX);
    parser_memory.used = 0;
    bool doubt = false;
    struct json *document = tree_read(text, &parser_memory, &doubt);
    if ((document == NULL || doubt) && !jansson_takes(text, problem)) {
        return NULL;
    }
    if (document == NULL) {
        (void)problem_malformed(problem, "There is more in it than a request may hold.");
        return NULL;
    }
    if (document->kind != KIND_OBJECT) {
        (void)problem_malformed(problem, "The body is an object.");
        return NULL;
    }
    return document;
}

bool json_place(const struct json *value, struct problem *problem)
{
    char pointer[PROBLEM_POINTER_SIZE];
    tree_pointer(value, pointer, sizeof(pointer));
    problem_place(problem, pointer);
    return false;
}

/* An object that is still to be read into its message. */
struct pending {
    struct json *object;
    ProtobufCMessage *message;
};

struct filling {
    struct pending pending[JSON_PENDING_MAX];
    size_t count;
    const struct json_given *given;
    struct arena *arena;
    struct problem *problem;
    const struct json *at; /* The value in hand: where a refusal is. */
};

static bool too_much(struct filling *filling)
{
    return problem_malformed(filling->problem, "There is more in it than a request may hold.");
}

static bool pending_push(struct filling *filling, struct json *object, ProtobufCMessage *message)
{
    if (message == NULL || filling->count == JSON_PENDING_MAX) {
        return too_much(filling);
    }
    filling->pending[filling->count++] = (struct pending){ object, message };
    return true;
}

/* One value into one element's room. */
static bool fill_value(
    struct filling *filling, const ProtobufCFieldDescriptor *field, void *room, struct json *value)
{
    struct problem *problem = filling->problem;
    filling->at = value;
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        if (value->kind != KIND_OBJECT) {
            return problem_malformed(problem, "%s: an object is wanted.", field->name);
        }
        ProtobufCMessage *inner = message_make(field->descriptor, filling->arena);
        memcpy(room, &inner, sizeof(inner));
        return pending_push(filling, value, inner);
    }
    switch (value->kind) {
    case KIND_TEXT:
        return field_put_text(field, room, value->text, value->size, filling->arena, problem);
    case KIND_NUMBER: return field_put_number(field, room, value->number, problem);
    case KIND_TRUE: return field_put_bool(field, room, true, problem);
    case KIND_FALSE: return field_put_bool(field, room, false, problem);
    case KIND_REAL: return problem_malformed(problem, "Numbers are whole, without exponent.");
    case KIND_NULL: return problem_malformed(problem, "null is not a value; leave it out.");
    case KIND_OBJECT:
    case KIND_LIST: break;
    }
    return problem_malformed(problem, "%s: a single value is wanted.", field->name);
}

static bool fill_list(
    struct filling *filling,
    const ProtobufCFieldDescriptor *field,
    ProtobufCMessage *message,
    struct json *list)
{
    filling->at = list;
    if (list->kind != KIND_LIST) {
        return problem_malformed(filling->problem, "%s: a list is wanted.", field->name);
    }
    if (list->count == 0) {
        return true;
    }
    if (list->count > FIELD_REPEATED_MAX) {
        return problem_malformed(
            filling->problem, "%s: at most %d.", field->name, FIELD_REPEATED_MAX);
    }
    uint8_t *room = field_elements(message, field, list->count, filling->arena);
    if (room == NULL) {
        return too_much(filling);
    }
    for (struct json *value = tree_first(list); value != NULL; value = value->next) {
        if (!fill_value(filling, field, room, value)) {
            return false;
        }
        room += field_element_size(field);
    }
    return true;
}

/* The presented secret is digested here and wiped where it stood; it goes no further. */
static bool fill_secret(struct filling *filling, ProtobufCMessage *message, struct json *value)
{
    ProtobufCBinaryData secret = { 0, NULL };
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(message->descriptor, "secret_sha256");
    CHECK(field != NULL);
    if (!fill_value(filling, field, &secret, value)) {
        return false;
    }
    if (secret.len < 16 || secret.len > 64) {
        return problem_malformed(filling->problem, "secret: 16 to 64 bytes in hex.");
    }
    ProtobufCBinaryData digest = { API_SHA256_SIZE, arena_take(filling->arena, API_SHA256_SIZE) };
    if (digest.data == NULL) {
        return too_much(filling);
    }
    CHECK(value->kind == KIND_TEXT); /* Nothing else is bytes. */
    api_sha256(slice_of(secret.data, secret.len), digest.data);
    explicit_bzero(secret.data, secret.len);
    explicit_bzero(value->text, value->size);
    memcpy(field_room(message, field), &digest, sizeof(digest));
    return true;
}

static bool given_elsewhere(const struct json_given *given, const char *name)
{
    for (size_t i = 0; i < COUNT_OF(given->names) && given->names[i] != NULL; i++) {
        if (strcmp(given->names[i], name) == 0) {
            return true;
        }
    }
    return given->secret && strcmp(name, "secret_sha256") == 0;
}

/* Fields that no client may set: they are bound by paths and tokens only. */
static bool never_json(const ProtobufCFieldDescriptor *field)
{
    return field->type == PROTOBUF_C_TYPE_FIXED64 ||
           (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
}

/* One member of an object. `top`: of the body itself, where something may be given elsewhere. */
static bool fill_member(
    struct filling *filling, const struct pending *self, bool top, struct json *value)
{
    const char *key = value->key;
    filling->at = value;
    if (top && filling->given->secret && strcmp(key, "secret") == 0) {
        return fill_secret(filling, self->message, value);
    }
    if (top && given_elsewhere(filling->given, key)) {
        return problem_malformed(filling->problem, "This is not said here.");
    }
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(self->message->descriptor, key);
    if (field == NULL || never_json(field)) {
        return problem_malformed(filling->problem, "There is no such field here.");
    }
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        return fill_list(filling, field, self->message, value);
    }
    return fill_value(filling, field, field_room(self->message, field), value);
}

static bool fill_all(struct filling *filling)
{
    for (bool top = true; filling->count > 0; top = false) {
        struct pending self = filling->pending[--filling->count];
        for (struct json *at = tree_first(self.object); at != NULL; at = at->next) {
            if (!fill_member(filling, &self, top, at)) {
                return false;
            }
        }
    }
    return true;
}

bool json_fill(
    struct json *object,
    const struct json_given *given,
    ProtobufCMessage *message,
    struct arena *arena,
    struct problem *problem)
{
    CHECK(object->kind == KIND_OBJECT);
    CHECK(message != NULL);
    struct filling filling = { .given = given, .arena = arena, .problem = problem, .at = object };
    bool filled = pending_push(&filling, object, message) && fill_all(&filling);
    return filled || json_place(filling.at, problem); /* Only a refusal needs its place. */
}

/* ---- Batches ---- */

static bool batch_text(
    const struct json *member, const char **text_out, size_t size_max, struct problem *problem)
{
    if (member->kind != KIND_TEXT || member->size >= size_max ||
        !text_is_clean(slice_of(member->text, member->size))) {
        return problem_malformed(problem, "%s: a short text is wanted.", member->key);
    }
    *text_out = member->text;
    return true;
}

static bool batch_member_read(
    struct json *member, struct json_batch_item *item, struct problem *problem)
{
    if (strcmp(member->key, "method") == 0) {
        return batch_text(member, &item->method, 8, problem);
    }
    if (strcmp(member->key, "path") == 0) {
        return batch_text(member, &item->path, JSON_PATH_SIZE, problem);
    }
    if (strcmp(member->key, "idempotency_key") == 0) {
        return batch_text(member, &item->idempotency_key, LIMIT_IDEMPOTENCY_KEY, problem);
    }
    if (strcmp(member->key, "if_match") == 0) {
        return batch_text(member, &item->if_match, 32, problem);
    }
    if (strcmp(member->key, "body") != 0) {
        return problem_malformed(problem, "There is no such field here.");
    }
    if (member->kind != KIND_OBJECT) {
        return problem_malformed(problem, "body: an object is wanted.");
    }
    item->body = member;
    return true;
}

static bool batch_item_read(
    struct json *object, struct json_batch_item *item, struct problem *problem)
{
    *item = (struct json_batch_item){ .idempotency_key = "", .if_match = "" };
    if (object->kind != KIND_OBJECT) {
        problem_malformed(problem, "An object is wanted.");
        return json_place(object, problem);
    }
    for (struct json *member = tree_first(object); member != NULL; member = member->next) {
        if (!batch_member_read(member, item, problem)) {
            return json_place(member, problem);
        }
    }
    if (item->method == NULL || item->path == NULL) {
        problem_malformed(problem, "A request has a method and a path.");
        return json_place(object, problem);
    }
    return true;
}

bool json_batch(
    struct json *document,
    struct json_batch_item items[static LIMIT_BATCH],
    uint32_t *count_out,
    struct problem *problem)
{
    CHECK(document->kind == KIND_OBJECT);
    struct json *list = tree_member(document, "requests");
    if (list == NULL || list->kind != KIND_LIST || document->count != 1) {
        return problem_malformed(problem, "A batch is {\"requests\": [ … ]} and nothing else.");
    }
    if (list->count == 0 || list->count > LIMIT_BATCH) {
        problem_malformed(problem, "A batch has 1 to %d requests.", LIMIT_BATCH);
        return json_place(list, problem);
    }
    uint32_t count = 0;
    for (struct json *object = tree_first(list); object != NULL; object = object->next) {
        CHECK(count < LIMIT_BATCH);
        if (!batch_item_read(object, &items[count++], problem)) {
            return false;
        }
    }
    *count_out = count;
    return true;
}
