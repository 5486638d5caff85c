/* How engine's answers look in HTTP: status, headers, documents. */
#include "controller/api_reply.h"
#include "wire/wire.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static char room[64 * 1024];

static struct api_slots slots;
static bool minimal;

static const char *replied(
    enum api_method method, const char *path, const Wire__Answer *answer, struct reply *reply_out)
{
    static struct api_query query;
    struct out out;
    struct slice text = SLICE_EMPTY;
    uint32_t methods = 0;
    struct reply_to to = {
        .slots = &slots, .query = &query, .request_id = "r1", .minimal = minimal
    };
    to.route = api_route_find(method, path, &slots, &methods);
    cr_assert_not_null(to.route);
    out_init(&out, room, sizeof(room) - 1);
    reply_answer(&to, answer, &out, reply_out);
    cr_assert(out_done(&out, &text));
    room[text.size] = '\0';
    return room;
}

Test(api_reply, a_write_answers_202_with_its_operation)
{
    Wire__OperationView operation = WIRE__OPERATION_VIEW__INIT;
    Wire__Answer answer = WIRE__ANSWER__INIT;
    struct reply reply;
    operation.id = "op-1";
    answer.operation = &operation;
    answer.index = 9;
    const char *text = replied(API_METHOD_POST, "/v1/tenants", &answer, &reply);
    cr_assert_eq(reply.status, 202);
    cr_assert_eq(reply.index, 9);
    cr_assert_str_eq(reply.location, "/v1/operations/op-1");
    cr_assert_not_null(strstr(text, "\"id\":\"op-1\""));
}

Test(api_reply, a_minimal_answer_says_what_its_asker_needs_and_nothing_else)
{
    Wire__Problem why = WIRE__PROBLEM__INIT;
    Wire__OperationView operation = WIRE__OPERATION_VIEW__INIT;
    Wire__Answer answer = WIRE__ANSWER__INIT;
    struct reply reply;
    operation.id = "op-1";
    operation.kind = "tenant-create";
    operation.initiator = "somebody";
    operation.state = WIRE__OPERATION_STATE__OPERATION_STATE_RUNNING;
    operation.resource = "t-1";
    answer.operation = &operation;
    minimal = true;
    cr_assert_str_eq(
        replied(API_METHOD_POST, "/v1/tenants", &answer, &reply),
        "{\"id\":\"op-1\",\"state\":\"running\",\"resource\":\"t-1\"}");
    cr_assert(reply.minimal);
    cr_assert_eq(reply.status, 202);
    cr_assert_str_eq(reply.location, "/v1/operations/op-1");
    why.code = "conflict";
    operation.state = WIRE__OPERATION_STATE__OPERATION_STATE_FAILED;
    operation.error = &why;
    const char *text = replied(API_METHOD_POST, "/v1/tenants", &answer, &reply);
    cr_assert_not_null(strstr(text, "\"error\":{\"code\":\"conflict\""), "%s", text);
    cr_assert_null(strstr(text, "somebody"));
    /* Not asked for: everything, and nothing was applied. */
    minimal = false;
    text = replied(API_METHOD_POST, "/v1/tenants", &answer, &reply);
    cr_assert_not_null(strstr(text, "\"initiator\":\"somebody\""), "%s", text);
    cr_assert_not(reply.minimal);
}

Test(api_reply, a_refusal_and_a_read_are_whole_whatever_was_preferred)
{
    Wire__Problem said = WIRE__PROBLEM__INIT;
    Wire__OperationView operation = WIRE__OPERATION_VIEW__INIT;
    Wire__Answer answer = WIRE__ANSWER__INIT;
    struct reply reply;
    said.detail = "No room.";
    answer.reject = REJECT_QUOTA;
    answer.problem = &said;
    minimal = true;
    cr_assert_not_null(
        strstr(replied(API_METHOD_POST, "/v1/tenants", &answer, &reply), "\"No room.\""));
    cr_assert_not(reply.minimal);
    operation.initiator = "somebody";
    answer = (Wire__Answer)WIRE__ANSWER__INIT;
    answer.operation = &operation;
    cr_assert_not_null(
        strstr(replied(API_METHOD_GET, "/v1/operations/op-1", &answer, &reply), "\"somebody\""));
    cr_assert_not(reply.minimal);
    minimal = false;
}

Test(api_reply, a_rate_that_was_passed_says_the_rate_and_when_to_come_back)
{
    Wire__Problem said = WIRE__PROBLEM__INIT;
    Wire__Answer answer = WIRE__ANSWER__INIT;
    struct reply reply;
    said.code = "rate-limited";
    said.limit = 1000;
    answer.problem = &said;
    answer.reject = REJECT_RATE;
    answer.retry_after_seconds = 2;
    (void)replied(API_METHOD_POST, "/v1/tenants", &answer, &reply);
    cr_assert_eq(reply.status, 429);
    cr_assert_eq(reply.retry_after_seconds, 2);
    cr_assert_eq(reply.rate_limit, 1000);
    answer.reject = REJECT_OVERLOADED; /* Another 429: no rate stands behind it. */
    (void)replied(API_METHOD_POST, "/v1/tenants", &answer, &reply);
    cr_assert_eq(reply.status, 429);
    cr_assert_eq(reply.rate_limit, 0);
}

Test(api_reply, one_item_stands_bare_with_its_tag)
{
    Wire__TenantView view = WIRE__TENANT_VIEW__INIT;
    Wire__Resource item = WIRE__RESOURCE__INIT;
    Wire__Resource *items[] = { &item };
    Wire__Answer answer = WIRE__ANSWER__INIT;
    struct reply reply;
    view.name = "acme";
    view.revision = 5;
    item.view_case = WIRE__RESOURCE__VIEW_TENANT;
    item.tenant = &view;
    answer.n_items = 1;
    answer.items = items;
    answer.next_after = 77;
    cr_assert_not_null(
        strstr(replied(API_METHOD_GET, "/v1/tenants/acme", &answer, &reply), "{\"id\":\"\","));
    cr_assert_str_eq(reply.tag, "\"r5\"");
    const char *text = replied(API_METHOD_GET, "/v1/tenants", &answer, &reply);
    cr_assert_not_null(strstr(text, "{\"items\":[{"));
    cr_assert_not_null(strstr(text, "\"next_page\":\"p000000000000004d"));
    cr_assert_str_eq(reply.tag, "");
}

Test(api_reply, a_reject_is_a_problem_with_everything_engine_said)
{
    Wire__Problem said = WIRE__PROBLEM__INIT;
    Wire__Answer answer = WIRE__ANSWER__INIT;
    struct reply reply;
    said.detail = "No room.";
    said.dimension = "vcpus";
    said.limit = 10;
    said.usage = 10;
    said.requested = 0;
    said.holder = "acme";
    answer.reject = REJECT_QUOTA;
    answer.problem = &said;
    const char *text = replied(API_METHOD_POST, "/v1/tenants", &answer, &reply);
    cr_assert_eq(reply.status, 409);
    cr_assert_str_eq(reply.type, "application/problem+json");
    cr_assert_str_eq(
        text,
        "{\"type\":\"urn:udatsu:problem:quota-exceeded\",\"title\":\"Conflict\",\"status\":409,"
        "\"code\":\"quota-exceeded\",\"detail\":\"No room.\",\"request_id\":\"r1\","
        "\"dimension\":\"vcpus\",\"limit\":10,\"usage\":10,\"requested\":0,\"holder\":\"acme\"}");
}

Test(api_reply, every_reject_has_its_document_and_a_busy_one_says_when_to_return)
{
    for (uint32_t reject = 1; reject <= REJECTS_END; reject++) {
        Wire__Answer answer = WIRE__ANSWER__INIT;
        struct reply reply;
        answer.reject = reject;
        const char *text = replied(API_METHOD_POST, "/v1/tenants", &answer, &reply);
        cr_assert_geq(reply.status, 400);
        cr_assert_not_null(strstr(text, "\"code\":\""));
        bool again = reply.status == 429 || reply.status == 503;
        cr_assert_eq(reply.retry_after_seconds != 0, again, "%s", text);
    }
}
