/* First inputs of the JSON target: texts that each touch one thing, crowds, and bodies made after
 * the fields of a route. Decides nothing about them. */
#include "tests/fuzz/fuzz_json.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/prng.h"
#include "controller/api_fields.h"
#include "controller/api_routes.h"

#include <stdio.h>

enum { SEEDS_LARGE = 4, SEEDS_BODIES = 300 };

/* Any value of JSON as text. */
static size_t any_value(struct prng *prng, char *room, size_t size)
{
    static const char *const values[] = {
        "null",
        "true",
        "false",
        "1.5",
        "-1",
        "7",
        "4294967296",
        "\"\"",
        "\"web-1\"",
        "\"00ff\"",
        "\"0g\"",
        "\"abc\"",
        "\"restart\"",
        "\"here\"",
        "\"node\"",
        "\"a\\u0007\"",
        "[]",
        "{}",
        "[[]]",
        "[1]",
        "\"2026-01-31T12:00:00Z\"",
        "\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\"",
    };
    return (size_t)snprintf(room, size, "%s", values[prng_below(prng, COUNT_OF(values))]);
}

/* A value that fits the field most of the time. */
static size_t fitting_value(
    const ProtobufCFieldDescriptor *field, struct prng *prng, char *room, size_t size)
{
    char word[ENUM_WORD_SIZE] = "";
    const ProtobufCEnumDescriptor *words = field->descriptor;
    const char *text = "\"a\"";
    if (prng_below(prng, 10) == 0) {
        return any_value(prng, room, size);
    }
    if (field->type == PROTOBUF_C_TYPE_ENUM) {
        enum_word(words, &words->values[prng_below(prng, words->n_values)], word);
        return (size_t)snprintf(room, size, "\"%s\"", word);
    }
    if (field->type == PROTOBUF_C_TYPE_BOOL) {
        text = prng_below(prng, 2) == 0 ? "true" : "false";
    } else if (field->type == PROTOBUF_C_TYPE_BYTES) {
        text = "\"00ff\"";
    } else if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        text = "{}";
    } else if (field->type != PROTOBUF_C_TYPE_STRING) {
        text = field_is_time(field) ? "\"2026-01-31T12:00:00.123Z\"" : "2";
    }
    return (size_t)snprintf(room, size, "%s", text);
}

static void put_body(uint8_t *room, size_t *used, uint32_t route, uint8_t how, const char *text)
{
    static char whole[FUZZ_PART_MAX];
    int size = snprintf(whole + 2, sizeof(whole) - 2, "%s", text);
    whole[0] = (char)(route % api_routes_count());
    whole[1] = (char)how;
    (void)fuzz_part_put(room, FUZZ_INPUT_MAX, used, KIND_BODY, slice_of(whole, (size_t)size + 2));
}

/* A body made after the fields of a route. */
static size_t seed_body(uint32_t number, uint8_t *room)
{
    static char text[FUZZ_PART_MAX];
    struct prng prng;
    size_t used = 0;
    const struct api_route *route = api_route_at(number % api_routes_count());
    prng_seed(&prng, number);
    size_t at = (size_t)snprintf(text, sizeof(text), "{");
    for (unsigned int i = 0; route->type != NULL && i < route->type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &route->type->fields[i];
        bool list = field->label == PROTOBUF_C_LABEL_REPEATED;
        if (prng_below(&prng, 4) == 0) {
            continue;
        }
        at += (size_t)snprintf(
            text + at,
            sizeof(text) - at,
            "%s\"%s\":%s",
            at == 1 ? "" : ",",
            field->name,
            list ? "[" : "");
        at += fitting_value(field, &prng, text + at, sizeof(text) - at);
        if (list) {
            text[at++] = ']';
        }
    }
    bool secret = number % 3 == 0;
    (void)snprintf(
        text + at,
        sizeof(text) - at,
        "%s}",
        secret && at > 1 ? ",\"secret\":\"00112233445566778899aabbccddeeff\"" : "");
    put_body(room, &used, number, (uint8_t)(secret ? HOW_SECRET + number % 2 : number % 11), text);
    return used;
}

static const char *const texts[] = {
    "{}",
    " \t\r\n{ \"a\" : [ ] , \"b\":{}} \n",
    "{\"name\":\"web-1\",\"vcpus\":2,\"stopped\":true,\"x\":false,\"y\":null,\"l\":[{\"k\":1}]"
    "}",
    "[0,-1,9223372036854775807,-9223372036854775808,10,-10]",
    "[9223372036854775808,1]",
    "[1.5,-0.0e+7,2E-3,1e400,12345678901234567890.5]",
    "{\"\\u00e9\\ud83d\\ude00\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u001f\\u0041\\uffff\"}",
    "{\"\xc3\xa9\":\"\xe5\x8d\xaf\xf0\x9f\x98\x80\xef\xbf\xbf\x7f\xc2\x80\"}",
    "[\"\\u0000\"]",
    "[\"\\ud83d\\ud83d\",\"\\udc00\",\"\\ud800x\"]",
    "[\"\xed\xa0\x80\"]",
    "[\"\xf4\x90\x80\x80\"]",
    "{\"a\":1,\"b\":{\"a\":1},\"a\":2}",
    "[01,1.,.5,-,+1,1e,truE]",
    "[[[[[[[[[[[[]]]]]]]]]]]]",
    "[[[[[[[[[[[[[]]]]]]]]]]]]]",
    "{\"name\":\"web-1\",\"image\":\"deb\",\"vcpus\":2,\"memory_bytes\":1073741824,"
    "\"networks\":[\"a\",\"b\"],\"labels\":[{\"key\":\"k\",\"value\":\"v\\u00e9\"}],"
    "\"stopped\":true,\"on_failure\":\"restart\",\"where\":\"here\"}",
    "{\"floor\":{},\"cap\":{\"vcpus\":4,\"memory_bytes\":9223372036854775807}}",
    "{\"name\":\"net\",\"cidr\":\"10.1.0.0/29\"}",
    "{\"kernel_sha256\":\"00ff\",\"name\":\"i\",\"initramfs_sha256\":\"ab\"}",
    "{\"kind\":\"node\",\"place\":{\"rack\":\"r1\",\"site\":\"s\"},\"ttl_seconds\":60}",
    "{\"requests\":[{\"method\":\"POST\",\"path\":\"/v1/a\",\"body\":{\"n\":\"a\"},"
    "\"idempotency_key\":\"k\",\"if_match\":\"*\"}]}",
    "{\"requests\":[{\"method\":7}]}",
    "{\"requests\":[{\"method\":\"GET\"}]}",
    "{\"requests\":[{\"path\":\"/\"}]}",
    "{\"requests\":[{\"method\":\"OPTIONS-AND\",\"path\":\"/\"}]}",
    "{\"requests\":[{\"method\":\"\\u0007\",\"path\":\"/\"}]}",
    "{\"requests\":[{\"method\":\"GET\",\"path\":\"/\",\"body\":7}]}",
    "{\"requests\":[{\"other\":1}]}",
    "{\"requests\":[7]}",
    "{\"requests\":[]}",
    "{\"requests\":{}}",
    "{\"requests\":[{\"method\":\"GET\",\"path\":\"/\"}],\"b\":1}",
    "{\"a~b/c\":[{\"d\":[1,{}]}],\"e\":1.",
    "[1.5e3",
    "[tru",
    "[\"\\",
    "[\"\xe0\x9f\xbf\",\"\xf0\x8f\xbf\xbf\"]",
    "[\"\xe0\x80\x80\"]",
    "[\"\\ud83d\\uffff\"]",
    "{\"from\":\"2026-01-31T12:00:00Z\",\"at\":\"2026-01-31T12:00:00.5Z\"}",
};

/* Crowds: members, elements, requests, letters. */
static const char *crowd(uint32_t number)
{
    static char large[12 * 1024];
    static const char *const fronts[] = { "{", "{\"networks\":[", "{\"requests\":[", "{" };
    static const char *const backs[] = { "}", "]}", "]}", "}" };
    size_t at = (size_t)snprintf(large, sizeof(large), "%s", fronts[number]);
    for (uint32_t i = 0; i < (number == 2 ? LIMIT_BATCH + 1 : 70U); i++) {
        char *to = large + at;
        size_t left = sizeof(large) - at;
        const char *comma = i == 0 ? "" : ",";
        int size = 0;
        switch (number) {
        case 0: size = snprintf(to, left, "%s\"m%u\":1", comma, i); break;
        case 1: size = snprintf(to, left, "%s\"n%u\"", comma, i); break;
        case 2: size = snprintf(to, left, "%s{\"method\":\"GET\",\"path\":\"/\"}", comma); break;
        default: size = snprintf(to, left, "%s\"%070u\":{}", comma, i); break;
        }
        at += (size_t)size;
    }
    (void)snprintf(large + at, sizeof(large) - at, "%s", backs[number]);
    return large;
}

static size_t seed_crowd(uint32_t number, uint8_t *room)
{
    const char *large = crowd(number);
    size_t used = 0;
    for (uint8_t kind = 0; kind < KINDS; kind++) {
        (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, kind, slice_text(large));
    }
    for (uint32_t route = 0; route < api_routes_count() && number == 1; route++) {
        put_body(room, &used, route, 0, large);
        put_body(room, &used, route, 0, "{\"networks\":[],\"vcpus\":-1}");
        put_body(room, &used, route, 0, "{\"networks\":7}");
        put_body(room, &used, route, 0, "{\"vcpus\":4294967296}");
        for (uint8_t how = HOW_SMALL; how < 96; how = (uint8_t)(how + 8)) {
            put_body(room, &used, route, how, "{\"networks\":[\"a\"],\"csr\":\"00\"}");
        }
        put_body(room, &used, route, HOW_SECRET, "{\"secret\":\"00112233445566778899\"}");
        put_body(room, &used, route, HOW_SMALL + HOW_SECRET, "{\"floor\":{},\"name\":\"a\"}");
    }
    return used;
}

size_t fuzz_seed(uint32_t number, uint8_t room[static FUZZ_INPUT_MAX])
{
    size_t used = 0;
    if (number < COUNT_OF(texts) * KINDS) {
        uint8_t kind = (uint8_t)(number % KINDS);
        const char *text = texts[number / KINDS];
        if (kind != KIND_BODY) {
            (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, kind, slice_text(text));
        }
        for (uint32_t route = 0; route < api_routes_count() && kind == KIND_BODY; route++) {
            put_body(room, &used, route, (uint8_t)(route % 3 == 0 ? HOW_GIVEN : 0), text);
        }
        return used;
    }
    if (number >= COUNT_OF(texts) * KINDS + SEEDS_LARGE) {
        number -= (uint32_t)COUNT_OF(texts) * KINDS + SEEDS_LARGE;
        return number < SEEDS_BODIES ? seed_body(number, room) : 0;
    }
    return seed_crowd(number - (uint32_t)COUNT_OF(texts) * KINDS, room);
}
