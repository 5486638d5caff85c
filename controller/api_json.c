/* Decides which JSON is a request's body. Never decides what a request may ask. The only includer
 * of jansson here; its memory is a block that every document starts anew. */
#include "controller/api_json.h"

#include "base/check.h"
#include "controller/api_tls.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POINTER_SIZE = PROBLEM_POINTER_SIZE };

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

/* jansson goes one call deeper for each bracket, so depth is bounded before it begins. */
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
            if (++depth > JSON_DEPTH_MAX) {
                return false;
            }
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return true;
}

struct json_t *json_nothing(void)
{
    parser_memory.used = 0;
    json_t *object = json_object();
    CHECK(object != NULL);
    return object;
}

struct json_t *json_read(struct slice text, struct problem *problem)
{
    CHECK(parser_memory.memory != NULL);
    CHECK(text.size <= JSON_BODY_MAX);
    parser_memory.used = 0;
    if (!depth_fits(text)) {
        (void)problem_at(problem, "", "The body is nested too deeply.");
        return NULL;
    }
    json_error_t error;
    json_t *document =
        json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &error);
    if (document == NULL) {
        (void)problem_at(
            problem, "", "Line %d, column %d: %s", error.line, error.column, error.text);
        return NULL;
    }
    if (!json_is_object(document)) {
        (void)problem_at(problem, "", "The body is an object.");
        return NULL;
    }
    return document;
}

/* An object that is still to be read into its message. */
struct pending {
    json_t *object;
    ProtobufCMessage *message;
    char at[POINTER_SIZE];
};

struct filling {
    struct pending pending[JSON_PENDING_MAX];
    size_t count;
    const struct json_given *given;
    struct arena *arena;
    struct problem *problem;
};

/* RFC 6901: '~' and '/' inside a key are written ~0 and ~1. Cut when it does not fit. */
static void pointer_join(char out[static POINTER_SIZE], const char *at, const char *key)
{
    size_t used = strnlen(at, POINTER_SIZE - 1);
    memcpy(out, at, used);
    if (used < POINTER_SIZE - 1) {
        out[used++] = '/';
    }
    for (; *key != '\0' && used + 2 < POINTER_SIZE; key++) {
        if (*key == '~' || *key == '/') {
            out[used++] = '~';
            out[used++] = *key == '~' ? '0' : '1';
        } else {
            out[used++] = *key;
        }
    }
    out[used] = '\0';
}

static bool pending_push(
    struct filling *filling, json_t *object, ProtobufCMessage *message, const char *at)
{
    if (message == NULL || filling->count == JSON_PENDING_MAX) {
        return problem_at(filling->problem, at, "There is more in it than a request may hold.");
    }
    struct pending *next = &filling->pending[filling->count++];
    next->object = object;
    next->message = message;
    (void)snprintf(next->at, sizeof(next->at), "%s", at); /* Same size. */
    return true;
}

/* One value into one element's room. */
static bool fill_value(
    struct filling *filling,
    const ProtobufCFieldDescriptor *field,
    void *room,
    json_t *value,
    const char *at)
{
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        if (!json_is_object(value)) {
            return problem_at(filling->problem, at, "%s: an object is wanted.", field->name);
        }
        ProtobufCMessage *inner = message_make(field->descriptor, filling->arena);
        memcpy(room, &inner, sizeof(inner));
        return pending_push(filling, value, inner, at);
    }
    switch (json_typeof(value)) {
    case JSON_STRING:
        return field_put_text(
            field,
            room,
            json_string_value(value),
            json_string_length(value),
            filling->arena,
            at,
            filling->problem);
    case JSON_INTEGER:
        return field_put_number(field, room, json_integer_value(value), at, filling->problem);
    case JSON_TRUE: return field_put_bool(field, room, true, at, filling->problem);
    case JSON_FALSE: return field_put_bool(field, room, false, at, filling->problem);
    case JSON_REAL: return problem_at(filling->problem, at, "Numbers are whole, without exponent.");
    case JSON_NULL: return problem_at(filling->problem, at, "null is not a value; leave it out.");
    case JSON_OBJECT:
    case JSON_ARRAY: break;
    }
    return problem_at(filling->problem, at, "%s: a single value is wanted.", field->name);
}

static bool fill_list(
    struct filling *filling,
    const ProtobufCFieldDescriptor *field,
    ProtobufCMessage *message,
    json_t *value,
    const char *at)
{
    if (!json_is_array(value)) {
        return problem_at(filling->problem, at, "%s: a list is wanted.", field->name);
    }
    size_t count = json_array_size(value);
    if (count == 0) {
        return true;
    }
    if (count > FIELD_REPEATED_MAX) {
        return problem_at(filling->problem, at, "%s: at most %d.", field->name, FIELD_REPEATED_MAX);
    }
    uint8_t *elements = field_elements(message, field, count, filling->arena);
    if (elements == NULL) {
        return problem_at(filling->problem, at, "There is more in it than a request may hold.");
    }
    for (size_t i = 0; i < count; i++) {
        char number[24];
        char inner[POINTER_SIZE];
        (void)snprintf(number, sizeof(number), "%zu", i); /* Below FIELD_REPEATED_MAX. */
        pointer_join(inner, at, number);
        void *room = elements + i * field_element_size(field);
        if (!fill_value(filling, field, room, json_array_get(value, i), inner)) {
            return false;
        }
    }
    return true;
}

/* The presented secret is digested here and wiped where it stood; it goes no further. */
static bool fill_secret(
    struct filling *filling, ProtobufCMessage *message, json_t *value, const char *at)
{
    ProtobufCBinaryData secret = { 0, NULL };
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(message->descriptor, "secret_sha256");
    CHECK(field != NULL);
    if (!fill_value(filling, field, &secret, value, at)) {
        return false;
    }
    if (secret.len < 16 || secret.len > 64) {
        return problem_at(filling->problem, at, "secret: 16 to 64 bytes in hex.");
    }
    ProtobufCBinaryData digest = { API_SHA256_SIZE, arena_take(filling->arena, API_SHA256_SIZE) };
    if (digest.data == NULL) {
        return problem_at(filling->problem, at, "There is more in it than a request may hold.");
    }
    api_sha256(slice_of(secret.data, secret.len), digest.data);
    explicit_bzero(secret.data, secret.len);
    explicit_bzero((char *)(uintptr_t)json_string_value(value), json_string_length(value));
    memcpy(field_room(message, field), &digest, sizeof(digest));
    return true;
}

/* One key of one request of a batch. */
struct batch_member {
    const char *key;
    json_t *value;
    char at[POINTER_SIZE];
};

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
    struct filling *filling, const struct pending *self, bool top, const char *key, json_t *value)
{
    char pointer[POINTER_SIZE];
    pointer_join(pointer, self->at, key);
    if (top && filling->given->secret && strcmp(key, "secret") == 0) {
        return fill_secret(filling, self->message, value, pointer);
    }
    if (top && given_elsewhere(filling->given, key)) {
        return problem_at(filling->problem, pointer, "This is not said here.");
    }
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(self->message->descriptor, key);
    if (field == NULL || never_json(field)) {
        return problem_at(filling->problem, pointer, "There is no such field here.");
    }
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        return fill_list(filling, field, self->message, value, pointer);
    }
    return fill_value(filling, field, field_room(self->message, field), value, pointer);
}

bool json_fill(
    struct json_t *object,
    const char *at,
    const struct json_given *given,
    ProtobufCMessage *message,
    struct arena *arena,
    struct problem *problem)
{
    CHECK(json_is_object(object));
    CHECK(message != NULL);
    struct filling filling = { .given = given, .arena = arena, .problem = problem };
    if (!pending_push(&filling, object, message, at)) {
        return false;
    }
    for (bool top = true; filling.count > 0; top = false) {
        struct pending self = filling.pending[--filling.count];
        const char *key = NULL;
        json_t *value = NULL;
        json_object_foreach(self.object, key, value)
        {
            if (!fill_member(&filling, &self, top, key, value)) {
                return false;
            }
        }
    }
    return true;
}

static bool batch_text(
    struct batch_member *member, const char **text_out, size_t size_max, struct problem *problem)
{
    const char *text = json_string_value(member->value);
    if (text == NULL || json_string_length(member->value) >= size_max ||
        !text_is_clean(slice_text(text))) {
        return problem_at(problem, member->at, "%s: a short text is wanted.", member->key);
    }
    *text_out = text;
    return true;
}

static bool batch_member_read(
    struct batch_member *member, struct json_batch_item *item, struct problem *problem)
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
        return problem_at(problem, member->at, "There is no such field here.");
    }
    if (!json_is_object(member->value)) {
        return problem_at(problem, member->at, "body: an object is wanted.");
    }
    item->body = member->value;
    return true;
}

static bool batch_item_read(
    json_t *object, size_t number, struct json_batch_item *item, struct problem *problem)
{
    char at[32];
    (void)snprintf(at, sizeof(at), "/requests/%zu", number); /* At most three digits. */
    *item = (struct json_batch_item){ .idempotency_key = "", .if_match = "" };
    if (!json_is_object(object)) {
        return problem_at(problem, at, "An object is wanted.");
    }
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(object, key, value)
    {
        struct batch_member member = { .key = key, .value = value };
        pointer_join(member.at, at, key);
        if (!batch_member_read(&member, item, problem)) {
            return false;
        }
    }
    if (item->method == NULL || item->path == NULL) {
        return problem_at(problem, at, "A request has a method and a path.");
    }
    return true;
}

bool json_batch(
    struct json_t *document,
    struct json_batch_item items[static LIMIT_BATCH],
    uint32_t *count_out,
    struct problem *problem)
{
    CHECK(json_is_object(document));
    json_t *list = json_object_get(document, "requests");
    if (!json_is_array(list) || json_object_size(document) != 1) {
        return problem_at(problem, "", "A batch is {\"requests\": [ … ]} and nothing else.");
    }
    size_t count = json_array_size(list);
    if (count == 0 || count > LIMIT_BATCH) {
        return problem_at(problem, "/requests", "A batch has 1 to %d requests.", LIMIT_BATCH);
    }
    for (size_t i = 0; i < count; i++) {
        if (!batch_item_read(json_array_get(list, i), i, &items[i], problem)) {
            return false;
        }
    }
    *count_out = (uint32_t)count;
    return true;
}
