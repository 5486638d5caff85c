/* JSON from strangers. Our reader against jansson, value by value; then a body's fields against
 * what jansson says stands there: each member is in the message as it was said, and nothing else
 * is. */
#include "tests/fuzz/fuzz_json.h"

#include "base/check.h"
#include "base/prng.h"
#include "controller/api_json.h"
#include "controller/api_routes.h"
#include "tests/fuzz/tree_judge.h"
#include "wire/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static _Alignas(16) uint8_t tree_memory[4 * 1024 * 1024];
static _Alignas(16) uint8_t body_memory[1024 * 1024];
static _Alignas(16) uint8_t again_memory[1024 * 1024];

const ProtobufCMessageDescriptor *fuzz_type(uint8_t kind)
{
    (void)kind;
    return NULL;
}

/* ---- The tree. ---- */

/* Each value says its place, and the place leads to it. */
static void hold_places(struct json *document)
{
    enum { VALUES_MAX = 32768 };
    static struct json *values[VALUES_MAX];
    size_t count = 1;
    values[0] = document;
    for (size_t at = 0; at < count && at < 64; at++) {
        char place[24];
        struct json *value = values[at];
        tree_pointer(value, place, sizeof(place));
        MUST((place[0] == '/') == (value->parent != NULL));
        size_t steps = 0;
        for (const struct json *up = value; up->parent != NULL; up = up->parent) {
            steps++;
        }
        size_t marks = 0;
        for (const char *c = place; *c != '\0'; c++) {
            marks += *c == '/' ? 1 : 0;
        }
        MUST(marks == steps || strlen(place) + 4 > sizeof(place)); /* Else it was cut. */
        for (struct json *inner = tree_first(value); inner != NULL; inner = inner->next) {
            MUST(inner->key == NULL || tree_member(value, inner->key) != NULL);
            values[count < VALUES_MAX ? count++ : 0] = inner;
        }
    }
    MUST(document->kind != KIND_OBJECT || tree_member(document, "no such member, ever") == NULL);
}

static void hold_tree(struct slice text)
{
    bool doubt = false;
    struct problem problem = { 0 };
    struct arena arena;
    json_error_t error;
    struct json *document = json_read(text, &problem); /* It empties jansson's memory first. */
    json_t *theirs = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &error);
    MUST(document == NULL ? problem.status == 400 : theirs != NULL && tree_same(document, theirs));
    arena_init(&arena, tree_memory, sizeof(tree_memory));
    struct json *ours = tree_read(text, &arena, &doubt);
    MUST(arena.used <= arena.size);
    if (theirs == NULL) {
        MUST(ours == NULL || doubt);
    } else {
        /* jansson passes over a zero byte that stands behind a number; RFC 8259 has none. */
        bool zero = memchr(text.data, 0, text.size) != NULL;
        MUST(ours == NULL ? tree_too_deep(text) || zero : tree_same(ours, theirs));
    }
    if (ours != NULL) {
        hold_places(ours);
        for (size_t size = 16; size < 512; size += 48) { /* Too little memory is a refusal. */
            arena_init(&arena, tree_memory, size);
            struct json *small = tree_read(text, &arena, &doubt);
            MUST(small == NULL || arena.used <= size);
        }
    }
}

/* ---- A body. ---- */

struct task {
    const json_t *said;
    const ProtobufCMessage *message;
};
static struct task tasks[256];
static size_t tasks_count;

/* "ON_FAILURE_RESTART" of OnFailure is "restart". */
static bool is_word(const ProtobufCEnumDescriptor *type, int number, const char *word)
{
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(type, number);
    size_t size = strlen(word);
    size_t whole = value == NULL ? 0 : strlen(value->name);
    if (number == 0 || size >= whole || value->name[whole - size - 1] != '_') {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        char c = value->name[whole - size + i];
        if (word[i] != (c >= 'A' && c <= 'Z' ? c + 32 : c)) {
            return false;
        }
    }
    return true;
}

static bool is_hex_of(const ProtobufCBinaryData *bytes, const char *text)
{
    bool same_size = strlen(text) == 2 * bytes->len;
    for (size_t i = 0; i < bytes->len && same_size; i++) {
        char two[3];
        (void)snprintf(two, sizeof(two), "%02x", bytes->data[i]);
        same_size = memcmp(two, text + 2 * i, 2) == 0;
    }
    return same_size;
}

static bool is_time(uint64_t at_ms, const char *text)
{
    struct tm parts = { 0 };
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
    unsigned int ms = 0;
    (void)(rest != NULL && rest[0] == '.' && sscanf(rest + 1, "%3u", &ms) == 1);
    return rest != NULL && at_ms == (uint64_t)timegm(&parts) * 1000 + ms;
}

static bool number_is(const ProtobufCFieldDescriptor *field, const void *at, const json_t *said)
{
    uint64_t number = 0;
    memcpy(&number, at, field_element_size(field)); /* Little-endian. */
    return json_is_string(said) ? is_time(number, json_string_value(said))
                                : json_is_integer(said) && number <= INT64_MAX &&
                                      json_integer_value(said) == (json_int_t)number;
}

static bool text_is(const ProtobufCFieldDescriptor *field, const void *at, const char *said)
{
    const char *text = NULL;
    int word = 0;
    ProtobufCBinaryData bytes = { 0, NULL };
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        memcpy(&text, at, sizeof(text));
        return strcmp(text, said) == 0;
    }
    if (field->type == PROTOBUF_C_TYPE_ENUM) {
        memcpy(&word, at, sizeof(word));
        return is_word(field->descriptor, word, said);
    }
    memcpy(&bytes, at, sizeof(bytes));
    return is_hex_of(&bytes, said);
}

/* One element as it stands in memory, against one value. */
static bool element_is(const ProtobufCFieldDescriptor *field, const void *at, const json_t *said)
{
    protobuf_c_boolean yes = 0;
    struct task task = { said, NULL };
    if (field->type == PROTOBUF_C_TYPE_UINT32 || field->type == PROTOBUF_C_TYPE_UINT64) {
        return number_is(field, at, said);
    }
    if (field->type == PROTOBUF_C_TYPE_BOOL) {
        memcpy(&yes, at, sizeof(yes));
        return json_is_boolean(said) && (yes != 0) == json_is_true(said);
    }
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        memcpy(&task.message, at, sizeof(task.message));
        if (!json_is_object(said) || tasks_count == COUNT_OF(tasks)) {
            return false;
        }
        tasks[tasks_count++] = task;
        return true;
    }
    bool text = field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_ENUM ||
                field->type == PROTOBUF_C_TYPE_BYTES;
    return text && json_is_string(said) && text_is(field, at, json_string_value(said));
}

static bool field_is(
    const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, const json_t *said)
{
    static const uint8_t zero[sizeof(ProtobufCBinaryData)];
    const uint8_t *at = (const uint8_t *)message + field->offset;
    size_t size = field_element_size(field);
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        size_t count = 0;
        memcpy(&count, (const uint8_t *)message + field->quantifier_offset, sizeof(count));
        memcpy(&at, at, sizeof(at));
        bool same_all =
            said == NULL ? count == 0 : json_is_array(said) && json_array_size(said) == count;
        for (size_t i = 0; i < count && same_all; i++) {
            same_all = element_is(field, at + i * size, json_array_get(said, i));
        }
        return same_all;
    }
    if (said == NULL && field->type == PROTOBUF_C_TYPE_STRING) {
        const char *text = NULL;
        memcpy(&text, at, sizeof(text));
        return text == NULL || text[0] == '\0';
    }
    return said == NULL ? memcmp(at, zero, size) == 0 : element_is(field, at, said);
}

static bool message_is(const ProtobufCMessage *message, const json_t *said)
{
    tasks_count = 0;
    tasks[tasks_count++] = (struct task){ said, message };
    while (tasks_count > 0) {
        struct task task = tasks[--tasks_count];
        size_t members = 0;
        for (unsigned int i = 0; i < task.message->descriptor->n_fields; i++) {
            const ProtobufCFieldDescriptor *field = &task.message->descriptor->fields[i];
            const json_t *value = json_object_get(task.said, field->name);
            members += value != NULL ? 1 : 0;
            if (!field_is(task.message, field, value)) {
                return false;
            }
        }
        if (members != json_object_size(task.said)) {
            return false; /* Something was said that no field is for. */
        }
    }
    return true;
}

/* The first byte says which route's body it is, the second how it is read. */
static void hold_body(struct slice bytes_given)
{
    if (bytes_given.size < 2) {
        return;
    }
    const struct api_route *route = api_route_at(bytes_given.data[0] % api_routes_count());
    struct slice text = slice_of(bytes_given.data + 2, bytes_given.size - 2);
    uint8_t how = bytes_given.data[1];
    struct json_given given = { .secret = (how & HOW_SECRET) != 0 };
    struct problem problem = { 0 };
    struct arena arena;
    json_error_t error;
    if (route->type == NULL) {
        return;
    }
    given.secret = given.secret && protobuf_c_message_descriptor_get_field_by_name(
                                       route->type, "secret_sha256") != NULL;
    given.names[0] = (how & HOW_GIVEN) != 0 ? "name" : NULL;
    struct json *document = json_read(text, &problem);
    if (document == NULL) {
        return;
    }
    size_t room = (how & HOW_SMALL) == 0 ? sizeof(body_memory) : 128U + how * 4U;
    arena_init(&arena, body_memory, room);
    ProtobufCMessage *message = message_make(route->type, &arena);
    if (message == NULL) {
        return;
    }
    if (!json_fill(document, &given, message, &arena, &problem)) {
        MUST(problem.status == 400 && problem.detail[0] != '\0');
        MUST(problem.pointer[0] == '\0' || problem.pointer[0] == '/');
        return;
    }
    json_t *said = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &error);
    MUST(said != NULL);
    MUST(given.names[0] == NULL || json_object_get(said, "name") == NULL);
    MUST(!given.secret || json_object_get(said, "secret_sha256") == NULL);
    MUST(given.secret || message_is(message, said));
    struct slice bytes = SLICE_EMPTY;
    void *decoded = NULL;
    arena_init(&arena, again_memory, sizeof(again_memory));
    MUST(wire_encode(message, &arena, &bytes).code == 0);
    MUST(wire_decode(route->type, bytes, &arena, &decoded).code == 0);
}

static void hold_batch(struct slice text)
{
    static struct json_batch_item items[LIMIT_BATCH];
    struct problem problem = { 0 };
    json_error_t error;
    uint32_t count = 0;
    struct json *document = json_read(text, &problem);
    if (document == NULL) {
        return;
    }
    if (!json_batch(document, items, &count, &problem)) {
        MUST(problem.status == 400);
        return;
    }
    json_t *said = json_loadb((const char *)text.data, text.size, 0, &error);
    const json_t *list = json_object_get(said, "requests");
    MUST(json_object_size(said) == 1 && json_array_size(list) == count && count > 0);
    for (uint32_t i = 0; i < count; i++) {
        const json_t *one = json_array_get(list, i);
        const char *key = json_string_value(json_object_get(one, "idempotency_key"));
        MUST(strcmp(items[i].method, json_string_value(json_object_get(one, "method"))) == 0);
        MUST(strcmp(items[i].path, json_string_value(json_object_get(one, "path"))) == 0);
        MUST(strcmp(items[i].idempotency_key, key == NULL ? "" : key) == 0);
        MUST((items[i].body == NULL) == (json_object_get(one, "body") == NULL));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool started;
    struct slice rest = slice_of(data, size);
    struct fuzz_part part;
    if (!started) {
        json_start();
        started = true;
    }
    while (fuzz_part_next(&rest, &part)) {
        uint8_t *copy = fuzz_copy(part.bytes);
        struct slice text = slice_of(copy, part.bytes.size);
        switch ((enum kind)(part.kind % KINDS)) {
        case KIND_TREE: hold_tree(text); break;
        case KIND_BODY: hold_body(text); break;
        case KIND_BATCH: hold_batch(text); break;
        case KINDS: break;
        }
        free(copy);
    }
    return 0;
}
