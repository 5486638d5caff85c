/* From the words of HTTP to a Request: method, target, headers, body. The oracles: paths and
 * queries taken apart a second time by hand, slots put back into the route's pattern, page tokens
 * made by their maker, preferences by regular expressions; and what comes out is one canonical
 * message. */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/judge.h"

#include "base/check.h"
#include "controller/api_prefer.h"
#include "controller/api_request.h"
#include "wire/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINES = 6, SEEDS_ROUTES = 3, SEEDS_SCARCE = 96 };

/* The lines of an input; the last is the rest of it. */
enum line { LINE_METHOD, LINE_TARGET, LINE_KEY, LINE_MATCH, LINE_PREFER, LINE_BODY };

static _Alignas(16) uint8_t memory[512 * 1024];
static _Alignas(16) uint8_t again_memory[512 * 1024];

const ProtobufCMessageDescriptor *fuzz_type(uint8_t kind)
{
    (void)kind;
    return NULL;
}

static void split(char *text, const char *lines[static LINES])
{
    for (uint32_t i = 0; i < LINES; i++) {
        lines[i] = text;
        char *end = i + 1 < LINES ? strchr(text, '\n') : NULL;
        text = end == NULL ? text + strlen(text) : end + 1;
        if (end != NULL) {
            *end = '\0';
        }
    }
}

/* The parts of a query, counted as RFC 3986 and the habit of forms have them. */
static uint32_t parts_of(const char *target)
{
    const char *rest = strchr(target, '?');
    uint32_t parts = 0;
    if (rest == NULL || rest[1] == '\0') {
        return 0;
    }
    for (rest++; *rest != '\0'; rest += strcspn(rest, "&") + (rest[strcspn(rest, "&")] != '\0')) {
        parts++;
    }
    return parts;
}

/* The pattern with its slots filled is the path. */
static void hold_slots(
    const struct api_route *route, const struct api_slots *slots, const char *path)
{
    char room[2048];
    size_t used = 0;
    uint32_t slot = 0;
    for (const char *at = route->path; *at != '\0';) {
        if (*at == '{') {
            MUST(slot < slots->count && slots->text[slot][0] != '\0');
            used += (size_t)snprintf(room + used, sizeof(room) - used, "%s", slots->text[slot++]);
            at = strchr(at, '}') + 1;
        } else {
            room[used++] = *at++;
        }
    }
    room[used] = '\0';
    MUST(slot == slots->count && strcmp(room, path) == 0);
}

static void hold_prefer(const char *header)
{
    static const char wait_first[] = "wait=[0-9]{1,5}";
    static const char minimal[] = "return=minimal(,.*)?";
    struct api_preferences preferences = { 0 };
    api_prefer(header, &preferences);
    MUST(preferences.wait_seconds <= API_WAIT_SECONDS_MAX);
    MUST(preferences.wait_said || preferences.wait_seconds == 0);
    MUST(preferences.return_said || !preferences.minimal);
    if (judge_form(header, wait_first)) {
        uint64_t said = strtoull(header + 5, NULL, 10);
        MUST(
            preferences.wait_seconds ==
            (said > API_WAIT_SECONDS_MAX ? API_WAIT_SECONDS_MAX : said));
    }
    MUST(!judge_form(header, minimal) || preferences.minimal);
    bool names = strcasestr(header, "wait") != NULL;
    MUST(names || !preferences.wait_said);
    struct api_preferences both = preferences; /* What comes again is not heard. */
    api_prefer("wait=29, return=minimal", &both);
    MUST(!preferences.wait_said || both.wait_seconds == preferences.wait_seconds);
    MUST(!preferences.return_said || both.minimal == preferences.minimal);
}

/* A token of this question leads to the place that it was made for; of another one it is refused.
 */
static void hold_page(const struct api_input *input, struct api_query *query)
{
    char token[API_TOKEN_SIZE];
    struct problem problem = { 0 };
    struct arena arena;
    Wire__Request *request = NULL;
    uint64_t after = 0x1000000000007;
    if (!api_route_takes_query(input->route, "page_token") || query->count >= API_QUERY_MAX) {
        return;
    }
    for (uint32_t i = 0; i < query->count; i++) {
        if (strcmp(query->pairs[i].name, "page_token") == 0) {
            return;
        }
    }
    api_page_token(input->route, input->slots, query, after, token);
    query->pairs[query->count++] = (struct api_pair){ "page_token", token };
    arena_init(&arena, again_memory, sizeof(again_memory));
    MUST(api_request_make(input, &arena, &request, &problem));
    bool list = request->body_case == WIRE__REQUEST__BODY_LIST;
    MUST((list ? request->list->after : request->access_read->after) == after);
    token[20] = token[20] == 'a' ? 'b' : 'a';
    arena_init(&arena, again_memory, sizeof(again_memory));
    MUST(!api_request_make(input, &arena, &request, &problem) && problem.status == 400);
    query->count--;
}

static void hold_made(const struct api_input *input, const Wire__Request *request)
{
    struct arena arena;
    struct slice bytes = SLICE_EMPTY;
    struct slice second = SLICE_EMPTY;
    Wire__Request *again = NULL;
    MUST(request->format == 1 && request->body_case == input->route->body);
    MUST(!input->route->write || request->idempotency_key[0] != '\0'); /* INV-IDEM-1 */
    MUST(!api_route_needs_match(input->route) || input->if_match[0] != '\0');
    arena_init(&arena, again_memory, sizeof(again_memory));
    if (wire_encode(request, &arena, &bytes).code != 0) {
        return; /* Larger than this target's memory. */
    }
    MUST(wire_decode(&wire__request__descriptor, bytes, &arena, &again).code == 0);
    MUST(wire_encode(again, &arena, &second).code == 0 && slice_equal(bytes, second));
}

static void hold(char *text)
{
    static char target[FUZZ_INPUT_MAX];
    const char *lines[LINES];
    struct api_slots slots;
    struct api_query query;
    struct problem problem = { 0 };
    struct arena arena;
    Wire__Identity principal = WIRE__IDENTITY__INIT;
    Wire__Request *request = NULL;
    enum api_method method = API_METHOD_NONE;
    uint32_t methods = 0;
    split(text, lines);
    hold_prefer(lines[LINE_PREFER]);
    (void)snprintf(target, sizeof(target), "%s", lines[LINE_TARGET]);
    uint32_t parts = parts_of(target);
    bool whole = api_target_split(target, &query, &problem);
    MUST(whole == (parts <= API_QUERY_MAX) && (!whole || query.count == parts));
    bool known = api_method_parse(lines[LINE_METHOD], &method);
    MUST(!known || strcmp(api_method_name(method), lines[LINE_METHOD]) == 0);
    const struct api_route *route = api_route_find(method, target, &slots, &methods);
    MUST(route == NULL || (known && route->method == method && (methods >> method & 1) != 0));
    if (route == NULL || !whole) {
        return;
    }
    hold_slots(route, &slots, target);
    if (route->type == NULL) {
        return;
    }
    struct api_input input = { .route = route,
                               .slots = &slots,
                               .query = &query,
                               .idempotency_key = lines[LINE_KEY],
                               .if_match = lines[LINE_MATCH],
                               .request_id = "r-1",
                               .principal = &principal };
    if (lines[LINE_BODY][0] != '\0') {
        input.body = json_read(slice_text(lines[LINE_BODY]), &problem);
        if (input.body == NULL) {
            return;
        }
    }
    size_t room = strlen(lines[LINE_KEY]) == 7 ? 16U * strlen(lines[LINE_PREFER]) : sizeof(memory);
    arena_init(&arena, memory, room < 16 ? 16 : (room < sizeof(memory) ? room : sizeof(memory)));
    if (!api_request_make(&input, &arena, &request, &problem)) {
        MUST(problem.status >= 400 && problem.status < 500 && problem.detail[0] != '\0');
        return;
    }
    hold_made(&input, request);
    hold_page(&input, &query);
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
        char *text = fuzz_text(part.bytes);
        hold(text);
        free(text);
    }
    return 0;
}

/* A route's path with names, or ids, in its slots. */
static size_t path_of(const struct api_route *route, bool ids, char *room, size_t size)
{
    size_t used = 0;
    for (const char *at = route->path; *at != '\0';) {
        if (*at == '{') {
            const char *slot = ids ? "00010009-0000-8000-8000-00000000002a" : "web-1";
            used += (size_t)snprintf(room + used, size - used, "%s", slot);
            at = strchr(at, '}') + 1;
        } else {
            room[used++] = *at++;
        }
    }
    room[used] = '\0';
    return used;
}

static size_t seed_route(uint32_t number, uint8_t *room)
{
    static const char *const bodies[] = { "", "{\"name\":\"a\"}", "{\"floor\":{},\"cap\":{}}" };
    static const char *const keys[] = { "key-1", "", "1234567" };
    static const char *const tags[] = { "\"7\"", "*", "" };
    static const char *const prefers[] = { "wait=5",
                                           "return=minimal,wait=99",
                                           "a=\"b,c\\\"\";d, wait" };
    const struct api_route *route = api_route_at(number % api_routes_count());
    uint32_t how = number / (uint32_t)api_routes_count();
    char text[4096];
    char path[512];
    size_t used = 0;
    (void)path_of(route, how == 1, path, sizeof(path));
    int size = snprintf(text, sizeof(text), "%s\n%s", api_method_name(route->method), path);
    for (size_t i = 0; route->query != NULL && route->query[i] != NULL && how > 0; i++) {
        bool label = strcmp(route->query[i], "label") == 0;
        const char *value = label ? "k%3Dv" : (how == 1 ? "7" : "running");
        size += snprintf(
            text + size,
            sizeof(text) - (size_t)size,
            "%c%s=%s",
            i == 0 ? '?' : '&',
            route->query[i],
            value);
    }
    (void)snprintf(
        text + size,
        sizeof(text) - (size_t)size,
        "\n%s\n%s\n%s\n%s",
        keys[how],
        tags[how],
        prefers[how],
        bodies[(number + how) % 3]);
    (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, 0, slice_text(text));
    return used;
}

size_t fuzz_seed(uint32_t number, uint8_t room[static FUZZ_INPUT_MAX])
{
    static const char *const texts[] = {
        "GET\n/v1/nodes?consistency=stale&limit=5\n\n\n\n",
        "GET\n/v1/nodes?consistency=now\n\n\n\n",
        "GET\n/v1/nodes?limit=x&limit=y\n\n\n\n",
        "GET\n/v1/nodes?limit=05\n\n\n\n",
        "GET\n/v1/nodes?limit=99999999999999999999\n\n\n\n",
        "GET\n/v1/nodes?page_token=p00000000000000070000000000000007\n\n\n\n",
        "GET\n/v1/nodes?page_token=pzz\n\n\n\n",
        "GET\n/v1/nodes?other=1\n\n\n\n",
        "GET\n/v1/instances?label=a%3Db&label=c%3Dd&label=nothing\n\n\n\n",
        "GET\n/v1/instances?label=%01%3Dd\n\n\n\n",
        "GET\n/v1/instances?label=a=1&label=b=1&label=c=1&label=d=1&label=e=1&label=f=1&label=g=1"
        "&label=h=1&label=i=1\n\n\n\n",
        "GET\n/v1/nodes?limit=9223372036854775808\n\n\n\n",
        "POST\n/v1/tenants/a/instances/b:stop?force=true\nkey\n*\n\n",
        "POST\n/v1/tenants/a/instances/b:stop?force=false\nkey\n*\n\n",
        "POST\n/v1/tenants/a/instances/b:stop?force=no\nkey\n*\n\n",
        "GET\n/v1/nodes/%2e%2e?a&b=&&=c\n\n\n\n",
        "GET\n/v1/a?1&2&3&4&5&6&7&8&9&10&11&12&13&14&15&16&17\n\n\n\n",
        "OPTIONS\n/v1/nodes\n\n\n\n",
        "PATCH\n/v1/nodes\n\n\n\n",
        "GET\n/v1/cluster?consistency=linearizable\n\n\n\n",
        "GET\n/v1/events?consistency=stale\n\n\n\n",
        "PUT\n/v1/tenants/a/quota\nkey\n\"\x01\"\n\n{}",
        "PUT\n/v1/tenants/a/quota\nkey\nW/\"7\"\n\n{}",
        "PUT\n/v1/tenants/a/quota\na key\n*\n\n{}",
        "PUT\n/v1/tenants/a/"
        "quota\nkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
        "\n*\n\n{}",
        "GET\n/v1/nodes\n\n\n\n{\"a\":1}",
    };
    size_t used = 0;
    if (number < COUNT_OF(texts)) {
        (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, 0, slice_text(texts[number]));
        return used;
    }
    number -= (uint32_t)COUNT_OF(texts);
    if (number < SEEDS_SCARCE) { /* Memory ends at one place after the other. */
        static const char *const scarce[] = {
            "GET\n/v1/instances?label=a%3Db\n1234567\n\n",
            "PUT\n/v1/tenants/a/quota\n1234567\n\"7\"\n",
        };
        char text[512];
        int size = snprintf(text, sizeof(text), "%s", scarce[number % 2]);
        memset(text + size, 'x', number);
        (void)snprintf(text + size + number, sizeof(text) - (size_t)size - number, "\n");
        (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, 0, slice_text(text));
        return used;
    }
    number -= SEEDS_SCARCE;
    return number < SEEDS_ROUTES * api_routes_count() ? seed_route(number, room) : 0;
}
