/* The route table, requests made from it, and the published description. */
#include "access/authz.h"
#include "controller/api_openapi.h"
#include "controller/api_request.h"
#include "wire/wire.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Alignas(16) uint8_t memory[256 * 1024];
static struct arena arena;
static struct problem problem;
static struct api_slots slots;
static Wire__Identity principal;

static void begin(void)
{
    arena_init(&arena, memory, sizeof(memory));
    wire__identity__init(&principal);
    principal.kind = WIRE__KIND__KIND_USER;
    json_start();
}

/* "METHOD target" with body → Request, as the service does it. */
static Wire__Request *make(
    enum api_method method, const char *target, const char *body, const char *key, const char *tag)
{
    static char room[512];
    static struct api_query query;
    uint32_t methods = 0;
    (void)snprintf(room, sizeof(room), "%s", target);
    memset(&problem, 0, sizeof(problem));
    cr_assert(api_target_split(room, &query, &problem));
    const struct api_route *route = api_route_find(method, room, &slots, &methods);
    cr_assert_not_null(route, "%s", target);
    struct json *document = body == NULL ? NULL : json_read(slice_text(body), &problem);
    struct api_input input = { route, &slots, &query, document, key, tag, "r1", &principal };
    Wire__Request *request = NULL;
    if (!api_request_make(&input, &arena, &request, &problem)) {
        return NULL;
    }
    struct slice bytes = SLICE_EMPTY;
    Wire__Request *back = NULL;
    cr_assert_eq(wire_encode(request, &arena, &bytes).code, 0);
    cr_assert_eq(
        wire_decode(&wire__request__descriptor, bytes, &arena, &back).code,
        0,
        "what api makes is what the one decoder takes");
    return back;
}

static bool make_document(struct json *document)
{
    static struct api_query query;
    uint32_t methods = 0;
    const struct api_route *route =
        api_route_find(API_METHOD_POST, "/v1/tenants/acme/instances", &slots, &methods);
    struct api_input input = { route, &slots, &query, document, "k", "", "r1", &principal };
    Wire__Request *request = NULL;
    if (!api_request_make(&input, &arena, &request, &problem)) {
        cr_assert_neq(problem.status, 0);
        return false;
    }
    struct slice bytes = SLICE_EMPTY;
    Wire__Request *back = NULL;
    cr_assert_eq(wire_encode(request, &arena, &bytes).code, 0);
    cr_assert_eq(wire_decode(&wire__request__descriptor, bytes, &arena, &back).code, 0);
    return true;
}

Test(api_routes, every_row_names_fields_that_exist)
{
    for (size_t i = 0; i < api_routes_count(); i++) {
        const struct api_route *route = api_route_at(i);
        cr_assert_not_null(route->path);
        cr_assert_not_null(route->roles);
        cr_assert_gt(route->status, 0);
        size_t count = 0;
        for (const char *at = strchr(route->path, '{'); at != NULL; at = strchr(at + 1, '{')) {
            cr_assert_lt(count, API_SLOTS_MAX);
            cr_assert_not_null(route->fields[count], "%s", route->operation);
            cr_assert_not_null(
                protobuf_c_message_descriptor_get_field_by_name(route->type, route->fields[count]));
            count++;
        }
        for (size_t j = 0; route->query != NULL && route->query[j] != NULL; j++) {
            const char *field = api_query_field(route->query[j]);
            cr_assert_not_null(
                protobuf_c_message_descriptor_get_field_by_name(route->type, field),
                "%s %s",
                route->operation,
                field);
        }
        for (size_t j = 0; j < i; j++) {
            cr_assert_str_neq(route->operation, api_route_at(j)->operation);
            cr_assert(
                route->method != api_route_at(j)->method ||
                strcmp(route->path, api_route_at(j)->path) != 0);
        }
        cr_assert(
            !route->stranger || route->server != API_SERVER_ENGINE ||
                route->body == WIRE__REQUEST__BODY_JOIN,
            "only join is open to strangers");
        cr_assert(!route->write || route->method != API_METHOD_GET);
    }
}

Test(api_routes, every_request_of_the_wire_has_its_route)
{
    for (unsigned int i = 0; i < wire__request__descriptor.n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &wire__request__descriptor.fields[i];
        bool found = (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0;
        for (size_t j = 0; j < api_routes_count() && !found; j++) {
            found = (unsigned int)api_route_at(j)->body == field->id;
        }
        cr_assert(found, "%s cannot be asked", field->name);
    }
}

Test(api_routes, an_address_finds_its_row_and_no_other)
{
    static const struct {
        enum api_method method;
        const char *path;
        const char *operation; /* NULL: none. */
    } rows[] = {
        { API_METHOD_GET, "/", "root" },
        { API_METHOD_GET, "/v1/tenants/acme", "tenant-show" },
        { API_METHOD_GET, "/v1/tenants/acme/quota", "quota-show" },
        { API_METHOD_PUT, "/v1/tenants/acme/quota", "quota-set" },
        { API_METHOD_POST, "/v1/tenants/acme/instances/web:start", "instance-start" },
        { API_METHOD_POST, "/v1/tenants/acme/instances/web:stop", "instance-stop" },
        { API_METHOD_GET, "/v1/operations/x/wait", "operation-wait" },
        { API_METHOD_POST, "/v1/users/ann:revoke", "user-revoke" },
        { API_METHOD_POST, "/v1/users/ann:forget", NULL },
        { API_METHOD_GET, "/v1/tenants/", NULL },
        { API_METHOD_GET, "/v1/tenants/acme/", NULL },
        { API_METHOD_GET, "/v1//acme", NULL },
        { API_METHOD_GET, "/v2/tenants", NULL },
        { API_METHOD_GET, "", NULL },
        { API_METHOD_DELETE, "/v1/tenants", NULL },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint32_t methods = 0;
        const struct api_route *route =
            api_route_find(rows[i].method, rows[i].path, &slots, &methods);
        if (rows[i].operation == NULL) {
            cr_assert_null(route, "%s", rows[i].path);
        } else {
            cr_assert_not_null(route, "%s", rows[i].path);
            cr_assert_str_eq(route->operation, rows[i].operation);
        }
    }
    uint32_t methods = 0;
    cr_assert_null(api_route_find(API_METHOD_DELETE, "/v1/tenants", &slots, &methods));
    cr_assert_eq(methods, (1U << API_METHOD_GET) | (1U << API_METHOD_POST));
    char long_path[128] = "/v1/tenants/";
    memset(long_path + 12, 'a', 64);
    cr_assert_null(api_route_find(API_METHOD_GET, long_path, &slots, &methods));
}

Test(api_request, path_query_preset_and_body_meet_in_one_message, .init = begin)
{
    Wire__Request *request = make(
        API_METHOD_POST,
        "/v1/tenants/acme/instances?project=blue",
        "{\"name\":\"web-1\"}",
        "key-1",
        "");
    cr_assert_not_null(request, "%s", problem.detail);
    cr_assert_eq(request->body_case, WIRE__REQUEST__BODY_INSTANCE_CREATE);
    cr_assert_str_eq(request->instance_create->tenant, "acme");
    cr_assert_str_eq(request->instance_create->project, "blue");
    cr_assert_str_eq(request->instance_create->name, "web-1");
    cr_assert_str_eq(request->idempotency_key, "key-1");
    cr_assert_eq(request->principal->kind, WIRE__KIND__KIND_USER);
    request = make(API_METHOD_GET, "/v1/nodes/n1?consistency=stale", NULL, "", "");
    cr_assert_not_null(request);
    cr_assert_eq(request->get->kind, WIRE__KIND__KIND_NODE);
    cr_assert_str_eq(request->get->name, "n1");
    cr_assert(request->stale);
    request = make(
        API_METHOD_GET,
        "/v1/audit/leaves?first=3&limit=10&from_at=2026-01-01T00:00:00Z&actor=ann",
        NULL,
        "",
        "");
    cr_assert_not_null(request, "%s", problem.detail);
    cr_assert_eq(request->audit_read->from_at, UINT64_C(1767225600000));
    cr_assert_eq(request->audit_read->first, 3);
    request = make(API_METHOD_GET, "/v1/audit/checkpoint?tenant=acme", NULL, "", "");
    cr_assert_not_null(request, "%s", problem.detail);
    cr_assert(request->audit_read->checkpoint);
    cr_assert_str_eq(request->audit_read->tenant, "acme");
}

Test(api_request, a_list_carries_its_selector, .init = begin)
{
    Wire__Request *request = make(
        API_METHOD_GET,
        "/v1/tenants/acme/instances?label=a%3D1&label=b=c%20d&limit=7",
        NULL,
        "",
        "");
    cr_assert_not_null(request, "%s", problem.detail);
    cr_assert_eq(request->list->n_selector, 2);
    cr_assert_str_eq(request->list->selector[0]->key, "a");
    cr_assert_str_eq(request->list->selector[1]->value, "c d");
    cr_assert_eq(request->list->limit, 7);
}

Test(api_request, a_write_needs_its_key_and_a_read_does_not, .init = begin)
{
    /* INV-IDEM-1 */
    cr_assert_null(make(API_METHOD_POST, "/v1/tenants", "{\"name\":\"a\"}", "", ""));
    cr_assert_eq(problem.status, 400);
    cr_assert_not_null(problem.hint);
    cr_assert_not_null(make(API_METHOD_POST, "/v1/tenants", "{\"name\":\"a\"}", "k", ""));
    cr_assert_null(make(API_METHOD_POST, "/v1/tenants", "{\"name\":\"a\"}", "k k", ""));
    char key[80];
    memset(key, 'k', sizeof(key));
    key[LIMIT_IDEMPOTENCY_KEY] = '\0';
    cr_assert_null(make(API_METHOD_POST, "/v1/tenants", "{\"name\":\"a\"}", key, ""));
    cr_assert_not_null(make(API_METHOD_GET, "/v1/tenants", NULL, "", ""));
}

Test(api_request, each_wrong_query_is_refused, .init = begin)
{
    static const char *const targets[] = {
        "/v1/nodes?colour=red",
        "/v1/nodes?limit=-1",
        "/v1/nodes?limit=1x",
        "/v1/nodes?limit=01",
        "/v1/nodes?limit=4294967296",
        "/v1/nodes?limit=1&limit=2",
        "/v1/nodes?consistency=maybe",
        "/v1/audit/leaves?consistency=stale",
        "/v1/events?consistency=stale",
        "/v1/operations/x/wait?consistency=linearizable",
        "/v1/nodes?page_token=p00",
        "/v1/tenants/acme/instances?label=x",
        "/v1/tenants/acme/instances?project=a%07",
        "/v1/tenants/acme/instances?project=a%zz",
        "/v1/tenants/acme/instances?project=a%00b",
        "/v1/tenants/a%07b",
        "/v1/audit/leaves?from_at=yesterday",
    };
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        cr_assert_null(make(API_METHOD_GET, targets[i], NULL, "", ""), "%s", targets[i]);
        cr_assert_eq(problem.status, 400, "%s", targets[i]);
    }
    cr_assert_null(make(API_METHOD_DELETE, "/v1/tenants/a?consistency=stale", NULL, "k", ""));
}

Test(api_request, a_body_where_none_is_wanted_is_refused, .init = begin)
{
    cr_assert_null(make(API_METHOD_DELETE, "/v1/tenants/a", "{}", "k", ""));
    cr_assert_not_null(make(API_METHOD_DELETE, "/v1/tenants/a", NULL, "k", "*"));
    cr_assert_null(
        make(API_METHOD_POST, "/v1/tenants/a/instances?project=p", "{\"project\":\"q\"}", "k", ""));
    cr_assert_str_eq(problem.pointer, "/project");
}

Test(api_request, only_strong_tags_pass_and_lose_their_quotes, .init = begin)
{
    Wire__Request *request = make(API_METHOD_DELETE, "/v1/tenants/a", NULL, "k", "\"r7\"");
    cr_assert_not_null(request);
    cr_assert_str_eq(request->if_match, "r7");
    cr_assert_null(make(API_METHOD_DELETE, "/v1/tenants/a", NULL, "k", "W/\"r7\""));
    cr_assert_null(make(API_METHOD_DELETE, "/v1/tenants/a", NULL, "k", "r7"));
}

Test(api_request, what_replaces_or_removes_says_what_it_saw, .init = begin)
{
    for (size_t i = 0; i < api_routes_count(); i++) {
        const struct api_route *route = api_route_at(i);
        bool changes = route->method == API_METHOD_PUT || route->method == API_METHOD_DELETE;
        cr_assert_eq(api_route_needs_match(route), changes, "%s", route->operation);
    }
    cr_assert_null(make(API_METHOD_PUT, "/v1/tenants/a/quota", NULL, "k", ""));
    cr_assert_eq(problem.status, 428);
    cr_assert_null(make(API_METHOD_DELETE, "/v1/images/i", NULL, "k", ""));
    cr_assert_eq(problem.status, 428);
    cr_assert_neq(strlen(problem.hint), 0);
    Wire__Request *request = make(API_METHOD_DELETE, "/v1/images/i", NULL, "k", "*");
    cr_assert_not_null(request);
    cr_assert_str_eq(request->if_match, "", "whatever there is now");
    /* A tag that nobody would look at must not look like a promise. */
    cr_assert_null(make(API_METHOD_DELETE, "/v1/images/i", NULL, "k", "\"r1\""));
    cr_assert_eq(problem.status, 412);
    cr_assert_not_null(make(API_METHOD_POST, "/v1/tenants/a/instances/v:start", NULL, "k", ""));
    request = make(API_METHOD_POST, "/v1/tenants/a/instances/v:start", NULL, "k", "\"r3\"");
    cr_assert_str_eq(request->if_match, "r3");
}

Test(api_request, a_page_token_serves_only_the_question_it_belongs_to, .init = begin)
{
    struct api_query query = { .count = 0 };
    uint32_t methods = 0;
    char token[API_TOKEN_SIZE];
    char target[128];
    const struct api_route *route =
        api_route_find(API_METHOD_GET, "/v1/tenants/acme/instances", &slots, &methods);
    api_page_token(route, &slots, &query, 42, token);
    (void)snprintf(target, sizeof(target), "/v1/tenants/acme/instances?page_token=%s", token);
    Wire__Request *request = make(API_METHOD_GET, target, NULL, "", "");
    cr_assert_not_null(request, "%s", problem.detail);
    cr_assert_eq(request->list->after, 42);
    (void)snprintf(
        target, sizeof(target), "/v1/tenants/acme/instances?limit=5&page_token=%s", token);
    cr_assert_not_null(make(API_METHOD_GET, target, NULL, "", ""), "a limit is no filter");
    (void)snprintf(target, sizeof(target), "/v1/tenants/umbra/instances?page_token=%s", token);
    cr_assert_null(make(API_METHOD_GET, target, NULL, "", ""));
    (void)snprintf(
        target, sizeof(target), "/v1/tenants/acme/instances?label=a%%3Db&page_token=%s", token);
    cr_assert_null(make(API_METHOD_GET, target, NULL, "", ""));
    token[3] = token[3] == '1' ? '2' : '1';
    (void)snprintf(target, sizeof(target), "/v1/tenants/acme/networks?page_token=%s", token);
    cr_assert_null(make(API_METHOD_GET, target, NULL, "", ""));
}

Test(api_request, traces_are_read_strictly)
{
    cr_assert(api_traceparent_valid("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
    cr_assert_not(api_traceparent_valid("00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
    cr_assert_not(api_traceparent_valid("x"));
}

/* make() asserts that what was accepted encodes to what the one decoder takes: otherwise a stranger
 * could make api say what ends its channel. */
Test(
    api_request, every_flipped_bit_of_a_body_is_refused_or_is_another_proper_request, .init = begin)
{
    static const char body[] =
        "{\"name\":\"web-1\",\"vcpus\":2,\"networks\":[\"a\"],\"labels\":[{\"key\":\"k\","
        "\"value\":\"\\u00e9\xc3\xa9\"}],\"stopped\":true,\"on_failure\":\"stop\"}";
    char text[sizeof(body)];
    size_t accepted = 0;
    size_t refused = 0;
    for (size_t at = 0; at + 1 < sizeof(body); at++) {
        for (unsigned int bit = 0; bit < 8; bit++) {
            memcpy(text, body, sizeof(body));
            text[at] = (char)((unsigned char)text[at] ^ (1U << bit));
            arena.used = 0;
            struct json *document = json_read(slice_of(text, sizeof(body) - 1), &problem);
            if (document == NULL) {
                refused++;
                continue;
            }
            bool made = make_document(document);
            accepted += made ? 1 : 0;
            refused += made ? 0 : 1;
        }
    }
    cr_assert_gt(accepted, 30, "%zu", accepted);
    cr_assert_gt(refused, 500);
}

/* ---- The published description ---- */

Test(api_openapi, the_published_file_is_what_the_table_says)
{
    static char made[OPENAPI_BYTES_MAX];
    static char held[OPENAPI_BYTES_MAX + 1];
    struct out out;
    struct slice text = SLICE_EMPTY;
    out_init(&out, made, sizeof(made));
    openapi_write(&out);
    cr_assert(out_done(&out, &text));
    FILE *file = fopen(UDATSU_SOURCE "/docs/openapi.json", "r");
    cr_assert_not_null(file, "run: udatsu-api --openapi > docs/openapi.json");
    size_t size = fread(held, 1, sizeof(held), file);
    (void)fclose(file);
    cr_assert_eq(size, text.size, "run: udatsu-api --openapi > docs/openapi.json");
    cr_assert_eq(memcmp(held, text.data, size), 0);
    held[size / 2] ^= 1;
    cr_assert_neq(memcmp(held, text.data, size), 0, "one changed byte is seen");
    json_start();
    cr_assert_null(json_read(slice_text("{"), &problem));
}

static bool may(enum access_role role, const Wire__Request *request)
{
    struct access_principal who = { .role = role, .tenant = role == ACCESS_ROLE_TENANT ? 7 : 0 };
    return access_decide_role(&who, access_operation_of(request)) == REJECT_NONE;
}

/* The one request of a route, with "a" in every slot. */
static Wire__Request *request_of(const struct api_route *route)
{
    char target[128] = "";
    size_t used = 0;
    for (const char *at = route->path; *at != '\0'; at++) {
        if (*at == '{') {
            at = strchr(at, '}');
            target[used++] = 'a';
        } else {
            target[used++] = *at;
        }
    }
    arena_reset(&arena);
    return make(route->method, target, NULL, "k", route->method == API_METHOD_POST ? "" : "*");
}

Test(api_routes, every_route_names_the_roles_that_engine_lets_in, .init = begin)
{
    uint32_t looked_at = 0;
    for (size_t i = 0; i < api_routes_count(); i++) {
        const struct api_route *route = api_route_at(i);
        if (route->server != API_SERVER_ENGINE || route->stranger) {
            continue;
        }
        const Wire__Request *request = request_of(route);
        cr_assert_not_null(request, "%s", route->operation);
        char roles[64];
        bool everybody = may(ACCESS_ROLE_MACHINE, request);
        (void)snprintf(
            roles,
            sizeof(roles),
            "%s%s%s",
            may(ACCESS_ROLE_OPERATOR, request) ? "operator, " : "",
            may(ACCESS_ROLE_AUDITOR, request) ? "auditor, " : "",
            may(ACCESS_ROLE_TENANT, request) ? "tenant, " : "");
        roles[strlen(roles) - 2] = '\0';
        cr_assert_str_eq(
            route->roles, everybody ? "anyone with a certificate" : roles, "%s", route->operation);
        looked_at++;
    }
    cr_assert_gt(looked_at, 40);
}
