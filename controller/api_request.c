/* Decides what is a well-formed request. Never decides whether it is allowed or possible. */
#include "controller/api_request.h"

#include "base/check.h"
#include "base/hash.h"

#include <stdio.h>
#include <string.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

size_t api_unescape(char *text)
{
    CHECK(text != NULL);
    char *to = text;
    for (const char *from = text; *from != '\0';) {
        if (*from != '%') {
            *to++ = *from++;
            continue;
        }
        int high = hex_digit(from[1]);
        int low = high < 0 ? -1 : hex_digit(from[2]);
        int value = low < 0 ? 1 : high * 16 + low;
        *to++ = (char)(value == 0 ? 1 : value); /* 1: unclean, refused by whoever reads it. */
        from += low < 0 ? 1 : 3;
    }
    *to = '\0';
    return (size_t)(to - text);
}

bool api_target_split(char *target, struct api_query *query_out, struct problem *problem)
{
    CHECK(target != NULL);
    query_out->count = 0;
    char *rest = strchr(target, '?');
    if (rest != NULL) {
        *rest++ = '\0';
    }
    (void)api_unescape(target);
    while (rest != NULL && *rest != '\0') {
        char *name = rest;
        rest = strchr(rest, '&');
        if (rest != NULL) {
            *rest++ = '\0';
        }
        char *value = strchr(name, '=');
        if (value != NULL) {
            *value++ = '\0';
            (void)api_unescape(value);
        }
        (void)api_unescape(name);
        if (query_out->count == API_QUERY_MAX) {
            return problem_set(problem, 400, "malformed", "The query has too many parts.");
        }
        query_out->pairs[query_out->count++] = (struct api_pair){ name, value ? value : "" };
    }
    return true;
}

/* The question a page token belongs to: operation, slots and filters. */
static uint64_t question_digest(
    const struct api_route *route, const struct api_slots *slots, const struct api_query *query)
{
    static const struct hash_key key = { 0x7564617473752d70, 0x6167652d746f6b65 };
    uint64_t sum = hash_bytes(key, slice_text(route->operation));
    for (uint32_t i = 0; i < slots->count; i++) {
        struct hash_key next = { key.low ^ sum, key.high + i };
        sum = hash_bytes(next, slice_text(slots->text[i]));
    }
    for (uint32_t i = 0; i < query->count; i++) {
        const struct api_pair *pair = &query->pairs[i];
        bool filter = strcmp(pair->name, "page_token") != 0 && strcmp(pair->name, "limit") != 0 &&
                      strcmp(pair->name, "consistency") != 0;
        if (filter) {
            struct hash_key name = { key.low ^ sum, ~key.high };
            struct hash_key value = { hash_bytes(name, slice_text(pair->name)), key.high };
            sum = hash_bytes(value, slice_text(pair->value));
        }
    }
    return sum;
}

void api_page_token(
    const struct api_route *route,
    const struct api_slots *slots,
    const struct api_query *query,
    uint64_t after,
    char out[static API_TOKEN_SIZE])
{
    CHECK(after != 0);
    uint64_t digest = question_digest(route, slots, query);
    int size = snprintf(
        out,
        API_TOKEN_SIZE,
        "p%016llx%016llx",
        (unsigned long long)after,
        (unsigned long long)digest);
    CHECK(size == 33);
}

static bool token_part(const char *text, uint64_t *value_out)
{
    uint64_t value = 0;
    for (size_t i = 0; i < 16; i++) {
        int digit = hex_digit(text[i]);
        if (digit < 0) {
            return false;
        }
        value = value * 16 + (uint64_t)digit;
    }
    *value_out = value;
    return true;
}

static bool token_read(const struct api_input *input, const char *text, uint64_t *after_out)
{
    uint64_t digest = 0;
    return strlen(text) == 33 && text[0] == 'p' && token_part(text + 1, after_out) &&
           *after_out != 0 && token_part(text + 17, &digest) &&
           digest == question_digest(input->route, input->slots, input->query);
}

/* What is being made, and from what. */
struct making {
    const struct api_input *input;
    struct arena *arena;
    struct problem *problem;
    Wire__Request *request;
    ProtobufCMessage *body;
    Wire__Label *labels[LIMIT_LABELS];
    size_t labels_count;
    struct json_given given;
    size_t given_count;
};

static void give(struct making *making, const char *field)
{
    CHECK(making->given_count < COUNT_OF(making->given.names));
    making->given.names[making->given_count++] = field;
}

static bool make_label(struct making *making, const char *text)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL || making->labels_count == LIMIT_LABELS) {
        return problem_set(making->problem, 400, "malformed", "label=KEY=VALUE, at most 8 times.");
    }
    Wire__Label *label = arena_take(making->arena, sizeof(*label));
    char *key = arena_take(making->arena, (size_t)(equals - text) + 1);
    if (label == NULL || key == NULL) {
        return problem_set(making->problem, 413, "malformed", "The query is too large.");
    }
    wire__label__init(label);
    memcpy(key, text, (size_t)(equals - text));
    label->key = key;
    label->value = equals + 1;
    if (!text_is_clean(slice_text(label->key)) || !text_is_clean(slice_text(label->value))) {
        return problem_set(making->problem, 400, "malformed", "label: the text is not clean.");
    }
    making->labels[making->labels_count++] = label;
    return true;
}

static bool make_consistency(struct making *making, const char *text)
{
    if (!api_route_takes_stale(making->input->route)) {
        return problem_set(
            making->problem, 400, "malformed", "The query may not say consistency here.");
    }
    making->request->stale = strcmp(text, "stale") == 0;
    if (!making->request->stale && strcmp(text, "linearizable") != 0) {
        return problem_set(
            making->problem, 400, "malformed", "consistency is linearizable or stale.");
    }
    return true;
}

static bool make_page(struct making *making, const char *text)
{
    Wire__Request *request = making->request;
    bool access = request->body_case == WIRE__REQUEST__BODY_ACCESS_READ;
    CHECK(access || request->body_case == WIRE__REQUEST__BODY_LIST);
    uint64_t *after = access ? &request->access_read->after : &request->list->after;
    if (!token_read(making->input, text, after)) {
        return problem_set(
            making->problem, 400, "malformed", "page_token belongs to another question.");
    }
    return true;
}

static bool make_query(struct making *making)
{
    const struct api_query *query = making->input->query;
    for (uint32_t i = 0; i < query->count; i++) {
        const char *name = query->pairs[i].name;
        const char *value = query->pairs[i].value;
        bool repeats = strcmp(name, "label") == 0;
        for (uint32_t j = 0; j < i && !repeats; j++) {
            if (strcmp(query->pairs[j].name, name) == 0) {
                return problem_set(making->problem, 400, "malformed", "%s comes twice.", name);
            }
        }
        bool made = false;
        if (strcmp(name, "consistency") == 0) {
            made = make_consistency(making, value);
        } else if (!api_route_takes_query(making->input->route, name)) {
            return problem_set(
                making->problem, 400, "malformed", "The query may not say %s here.", name);
        } else if (repeats) {
            made = make_label(making, value);
        } else if (strcmp(name, "page_token") == 0) {
            made = make_page(making, value);
        } else {
            give(making, name);
            made = field_put_word(making->body, name, value, making->arena, making->problem);
        }
        if (!made) {
            return false;
        }
    }
    return true;
}

static bool make_slots(struct making *making)
{
    const struct api_route *route = making->input->route;
    for (uint32_t i = 0; i < making->input->slots->count; i++) {
        CHECK(i < API_SLOTS_MAX);
        CHECK(route->fields[i] != NULL);
        give(making, route->fields[i]);
        const char *text = making->input->slots->text[i];
        if (!field_put_word(making->body, route->fields[i], text, making->arena, making->problem)) {
            return false;
        }
    }
    return true;
}

static void make_preset(struct making *making)
{
    const struct api_route *route = making->input->route;
    if (route->preset == NULL) {
        return;
    }
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(route->type, route->preset);
    CHECK(field != NULL);
    CHECK(field->type == PROTOBUF_C_TYPE_ENUM || field->type == PROTOBUF_C_TYPE_BOOL);
    CHECK(sizeof(int) == sizeof(protobuf_c_boolean));
    memcpy(field_room(making->body, field), &route->preset_value, sizeof(int));
    give(making, route->preset);
}

static bool make_labels(struct making *making)
{
    if (making->labels_count == 0) {
        return true;
    }
    CHECK(making->request->body_case == WIRE__REQUEST__BODY_LIST);
    Wire__Label **selector = arena_take(making->arena, sizeof(making->labels));
    if (selector == NULL) {
        return problem_set(making->problem, 413, "malformed", "The query is too large.");
    }
    memcpy(selector, making->labels, sizeof(making->labels));
    making->request->list->selector = selector;
    making->request->list->n_selector = making->labels_count;
    return true;
}

/* One strong tag, or "*" for whatever there is now. What replaces or removes an object must say. */
static bool make_if_match(struct making *making)
{
    const struct api_route *route = making->input->route;
    const char *header = making->input->if_match;
    size_t size = strlen(header);
    if (size == 0 && api_route_needs_match(route)) {
        problem_set(making->problem, 428, "precondition-required", "This change needs If-Match.");
        making->problem->hint = "Send the ETag that you saw, or * for whatever there is now.";
        return false;
    }
    if (size == 0 || strcmp(header, "*") == 0) {
        return true;
    }
    if (size < 3 || size > 32 || header[0] != '"' || header[size - 1] != '"') {
        return problem_set(making->problem, 400, "malformed", "If-Match is one strong tag.");
    }
    if (!api_route_has_tag(route)) {
        problem_set(making->problem, 412, reject_name(REJECT_PRECONDITION), "It has no ETag.");
        making->problem->hint = "Send If-Match: *";
        return false;
    }
    char *tag = arena_take(making->arena, size);
    if (tag == NULL) {
        return problem_set(making->problem, 413, "malformed", "The request is too large.");
    }
    memcpy(tag, header + 1, size - 2);
    if (!text_is_clean(slice_of(tag, size - 2))) {
        return problem_set(making->problem, 400, "malformed", "If-Match is one strong tag.");
    }
    making->request->if_match = tag;
    return true;
}

/* INV-IDEM-1: no write leaves api without its key. */
static bool make_key(struct making *making)
{
    const char *key = making->input->idempotency_key;
    size_t size = strlen(key);
    if (!making->input->route->write) {
        return true;
    }
    if (size == 0) {
        problem_set(making->problem, 400, "malformed", "A write needs an Idempotency-Key.");
        making->problem->hint = "Choose a key per intention and send it again with every retry.";
        return false;
    }
    bool graphic = size < LIMIT_IDEMPOTENCY_KEY;
    for (size_t i = 0; i < size && graphic; i++) {
        graphic = key[i] > 0x20 && key[i] < 0x7f;
    }
    if (!graphic) {
        return problem_set(
            making->problem, 400, "malformed", "Idempotency-Key: 1 to 63 graphic characters.");
    }
    making->request->idempotency_key = key;
    return true;
}

static bool make_body(struct making *making)
{
    const struct api_input *input = making->input;
    if (input->body == NULL) {
        return true;
    }
    if (!input->route->takes_body) {
        problem_malformed(making->problem, "No body is wanted here.");
        return json_place(input->body, making->problem);
    }
    making->given.secret = input->route->body == WIRE__REQUEST__BODY_JOIN;
    return json_fill(input->body, &making->given, making->body, making->arena, making->problem);
}

bool api_request_make(
    const struct api_input *input,
    struct arena *arena,
    Wire__Request **request_out,
    struct problem *problem)
{
    const struct api_route *route = input->route;
    CHECK(route->type != NULL);
    CHECK(input->principal != NULL);
    struct making making = { .input = input, .arena = arena, .problem = problem };
    making.request = (Wire__Request *)message_make(&wire__request__descriptor, arena);
    making.body = message_make(route->type, arena);
    if (making.request == NULL || making.body == NULL) {
        return problem_set(problem, 413, "malformed", "The request is too large.");
    }
    making.request->format = 1;
    making.request->request_id = input->request_id;
    making.request->principal = input->principal;
    const ProtobufCFieldDescriptor *choice =
        protobuf_c_message_descriptor_get_field(&wire__request__descriptor, (unsigned)route->body);
    CHECK(choice != NULL);
    CHECK(choice->descriptor == route->type);
    memcpy(field_room(&making.request->base, choice), &making.body, sizeof(making.body));
    field_choose(&making.request->base, choice);
    make_preset(&making);
    if (!make_key(&making) || !make_if_match(&making) || !make_slots(&making) ||
        !make_query(&making) || !make_labels(&making) || !make_body(&making)) {
        return false;
    }
    CHECK(!route->write || making.request->idempotency_key[0] != '\0'); /* INV-IDEM-1 */
    *request_out = making.request;
    return true;
}

bool api_traceparent_valid(const char *header)
{
    static const char shape[] = "00-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-xx";
    if (strlen(header) != sizeof(shape) - 1) {
        return false;
    }
    for (size_t i = 0; i < sizeof(shape) - 1; i++) {
        bool hex = hex_digit(header[i]) >= 0 && !(header[i] >= 'A' && header[i] <= 'F');
        if (shape[i] == 'x' ? !hex : header[i] != shape[i]) {
            return false;
        }
    }
    return true;
}
