/* RFC 7240 from the header to the answer: which preferences are heard, followed and named. */
#include "controller/api_prefer.h"
#include "tests/unit/api_fake_engine.h"

#include <criterion/criterion.h>
#include <string.h>

#define TLS13   "NORMAL:-VERS-ALL:+VERS-TLS1.3"
#define KEY     "Idempotency-Key: k1\r\n"
#define MINIMAL "Prefer: return=minimal\r\n"

static struct bench *bench;

static void begin(void)
{
    bench = bench_start();
}

static void end(void)
{
    bench_stop(bench);
}

static struct client opened(void)
{
    struct client client;
    struct client_papers papers = bench_papers(bench, BENCH_USER);
    cr_assert(client_open(&client, bench_port(bench), &papers, TLS13));
    return client;
}

static bool says(const struct client *client, const char *text)
{
    return strcasestr(client->answer, text) != NULL;
}

Test(api_prefer, each_header_is_read_as_the_rfc_writes_it)
{
    static const struct {
        const char *header;
        uint32_t wait_seconds;
        bool minimal;
    } rows[] = {
        { "", 0, false },
        { ",;=,\"", 0, false },
        { "wait=5", 5, false },
        { "WAIT = 5", 5, false },
        { "respond-async, wait=500", 30, false },
        { "wait=99999999999999999999", 30, false },
        { "wait=\"7\"", 7, false },
        { "wait=5x", 0, false },
        { "wait", 0, false },
        { "await=5", 0, false },
        { "other;wait=5", 0, false },
        { "other=\"a, wait=5\"", 0, false },
        { "other=\"a\\\", return=minimal\"", 0, false },
        { "wait=0, wait=5", 0, false },
        { "return=minimal", 0, true },
        { "Return=\"minimal\"; why=so", 0, true },
        { "wait=3,return=minimal", 3, true },
        { "return=representation", 0, false },
        { "return=representation, return=minimal", 0, false },
        { "return=minimally", 0, false },
        { "return", 0, false },
        { "minimal", 0, false },
        { "x;return=minimal", 0, false },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct api_preferences heard = { .wait_seconds = 0 };
        api_prefer(rows[i].header, &heard);
        cr_assert_eq(heard.wait_seconds, rows[i].wait_seconds, "%s", rows[i].header);
        cr_assert_eq(heard.minimal, rows[i].minimal, "%s", rows[i].header);
    }
}

Test(api_prefer, a_write_is_answered_as_it_was_preferred, .init = begin, .fini = end)
{
    static const char body[] = "{\"name\":\"acme\"}";
    struct client client = opened();
    cr_assert_eq(client_ask(&client, "POST", "/v1/tenants", KEY MINIMAL, body), 202);
    cr_assert(says(&client, "{\"id\":\"k1\",\"state\":\"running\",\"resource\":\"\"}"));
    cr_assert(says(&client, "Location: /v1/operations/k1"));
    cr_assert(says(&client, "Preference-Applied: return=minimal\r\n"), "%s", client.answer);
    /* Two headers are one list. */
    cr_assert_eq(
        client_ask(&client, "POST", "/v1/tenants", KEY "Prefer: wait=5\r\n" MINIMAL, body), 200);
    cr_assert(says(&client, "{\"id\":\"k1\",\"state\":\"done\",\"resource\":\"\"}"));
    cr_assert(says(&client, "Preference-Applied: wait, return=minimal\r\n"), "%s", client.answer);
    client_close(&client);
}

Test(api_prefer, what_is_not_known_is_ignored_and_not_named, .init = begin, .fini = end)
{
    static const char body[] = "{\"name\":\"acme\"}";
    static const char *const headers[] = {
        KEY,
        KEY "Prefer: return=representation\r\n",
        KEY "Prefer: handling=lenient, return=little\r\n",
    };
    struct client client = opened();
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        cr_assert_eq(client_ask(&client, "POST", "/v1/tenants", headers[i], body), 202);
        cr_assert(says(&client, "\"initiator\":"), "%s", client.answer);
        cr_assert_not(says(&client, "Preference-Applied"), "%s", client.answer);
    }
    /* A refusal is whole, and a read has nothing to leave out. */
    cr_assert_eq(client_ask(&client, "POST", "/v1/tenants", KEY MINIMAL, "{\"nmae\":1}"), 400);
    cr_assert(says(&client, "\"pointer\":\"/nmae\""));
    cr_assert_not(says(&client, "Preference-Applied"));
    cr_assert_eq(client_ask(&client, "GET", "/v1/tenants/acme", MINIMAL, ""), 200);
    cr_assert(says(&client, "\"revision\":3"));
    cr_assert_not(says(&client, "Preference-Applied"));
    client_close(&client);
}

Test(api_prefer, a_batch_hands_it_to_each_of_its_writes, .init = begin, .fini = end)
{
    static const char body[] =
        "{\"requests\":["
        "{\"method\":\"POST\",\"path\":\"/v1/tenants\",\"idempotency_key\":\"b1\","
        "\"body\":{\"name\":\"a\"}},"
        "{\"method\":\"POST\",\"path\":\"/v1/tenants\",\"body\":{\"name\":\"a\"}},"
        "{\"method\":\"GET\",\"path\":\"/v1/tenants/missing\"},"
        "{\"method\":\"GET\",\"path\":\"/v1/tenants/acme\"}]}";
    static const char reads[] =
        "{\"requests\":[{\"method\":\"GET\",\"path\":\"/v1/tenants/acme\"}]}";
    static const char brief[] =
        "[{\"status\":202,\"body\":{\"id\":\"b1\",\"state\":\"running\",\"resource\":\"\"}},"
        "{\"status\":400,";
    struct client client = opened();
    cr_assert_eq(client_ask(&client, "POST", "/v1/batch", MINIMAL, body), 200);
    cr_assert(says(&client, brief), "%s", client.answer);
    cr_assert(says(&client, "A write needs an Idempotency-Key."), "%s", client.answer);
    cr_assert(says(&client, "There is no such tenant."), "%s", client.answer);
    cr_assert(says(&client, "\"revision\":3"), "%s", client.answer);
    cr_assert(says(&client, "Preference-Applied: return=minimal\r\n"), "%s", client.answer);
    cr_assert_eq(client_ask(&client, "POST", "/v1/batch", "", body), 200);
    cr_assert(says(&client, "\"initiator\":"), "%s", client.answer);
    cr_assert_not(says(&client, "Preference-Applied"));
    cr_assert_eq(client_ask(&client, "POST", "/v1/batch", MINIMAL, reads), 200);
    cr_assert_not(says(&client, "Preference-Applied"), "nothing was left out");
    client_close(&client);
}
