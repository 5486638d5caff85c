/* The api program end to end: real TLS, real certificates, a real channel; only engine is made up
 * (api_fake_engine.c). */
#include "tests/unit/api_fake_engine.h"

#include "base/limits.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TLS13 "NORMAL:-VERS-ALL:+VERS-TLS1.3"
#define KEY   "Idempotency-Key: k1\r\n"

static struct bench *bench;

static void begin(void)
{
    bench = bench_start();
}

static void end(void)
{
    bench_stop(bench);
}

static struct client open_as(enum bench_who who)
{
    struct client client;
    struct client_papers papers = bench_papers(bench, who);
    cr_assert(client_open(&client, bench_port(bench), &papers, TLS13));
    return client;
}

static bool says(const struct client *client, const char *text)
{
    return strcasestr(client->answer, text) != NULL;
}

Test(api_server, a_read_goes_to_engine_with_the_certificates_identity, .init = begin, .fini = end)
{
    struct client client = open_as(BENCH_USER);
    cr_assert_eq(client_ask(&client, "GET", "/v1/tenants/acme?consistency=stale", "", ""), 200);
    cr_assert(says(&client, "\"name\":\"acme\""), "%s", client.answer);
    cr_assert(says(&client, "\"id\":\"00010006-0000-8000-8000-000000000007\""));
    cr_assert(says(&client, "ETag: \"r3\""));
    cr_assert(says(&client, "Udatsu-Index: 10"));
    cr_assert(says(&client, "Udatsu-Age-Ms: 25"));
    cr_assert(says(&client, "Request-Id: r"));
    cr_assert_eq(client_ask(&client, "GET", "/v1/tenants/missing", "", ""), 404);
    cr_assert(says(&client, "application/problem+json"));
    cr_assert(says(&client, "\"code\":\"not-found\""));
    client_close(&client);
}

Test(api_server, a_write_is_202_and_waits_when_asked_to, .init = begin, .fini = end)
{
    struct client client = open_as(BENCH_USER);
    cr_assert_eq(client_ask(&client, "POST", "/v1/tenants", KEY, "{\"name\":\"acme\"}"), 202);
    cr_assert(says(&client, "Location: /v1/operations/k1"));
    cr_assert(says(&client, "\"state\":\"running\""));
    cr_assert_eq(
        client_ask(&client, "POST", "/v1/tenants", KEY "Prefer: wait=5\r\n", "{\"name\":\"a\"}"),
        200);
    cr_assert(says(&client, "\"state\":\"done\""), "%s", client.answer);
    cr_assert(says(&client, "Preference-Applied: wait"));
    uint32_t asked = bench_asked(bench);
    cr_assert_eq(client_ask(&client, "POST", "/v1/tenants", "", "{\"name\":\"acme\"}"), 400);
    cr_assert(says(&client, "Idempotency-Key"));
    cr_assert_eq(bench_asked(bench), asked, "INV-IDEM-1: without a key nothing reaches engine");
    client_close(&client);
}

Test(api_server, the_door_is_shut_without_a_valid_certificate, .init = begin, .fini = end)
{
    static const struct {
        enum bench_who who;
        const char *code;
    } rows[] = {
        { BENCH_STRANGER, "no-certificate" },
        { BENCH_EXPIRED, "expired" },
        { BENCH_FOREIGN, "foreign-certificate" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct client client = open_as(rows[i].who);
        cr_assert_eq(client_ask(&client, "GET", "/v1/tenants/acme", "", ""), 401);
        cr_assert(says(&client, rows[i].code), "%s", client.answer);
        cr_assert_eq(client_ask(&client, "GET", "/metrics", "", ""), 401);
        cr_assert_eq(client_ask(&client, "GET", "/", "", ""), 200);
        cr_assert(says(&client, "\"cell\":\"0001\""));
        cr_assert_eq(client_ask(&client, "GET", "/v1/openapi.json", "", ""), 200);
        client_close(&client);
    }
    cr_assert_eq(bench_asked(bench), 0);
    /* INV-AUD-5: two refusals of each, told when their second is over. */
    cr_assert_eq(bench_turned_away(bench, 6), 6);
}

/* INV-SEC-33: nobody asks and nobody reads; the end comes by itself. */
Test(api_server, an_open_connection_of_who_is_revoked_ends, .init = begin, .fini = end)
{
    struct client client = open_as(BENCH_USER);
    cr_assert_eq(client_ask(&client, "GET", "/v1/tenants/acme", "", ""), 200);
    bench_least(bench, 2); /* Its own epoch: it stays. */
    cr_assert_eq(client_ask(&client, "GET", "/v1/tenants/acme", "", ""), 200);
    bench_least(bench, 3);
    char one = 0;
    ssize_t got = GNUTLS_E_AGAIN;
    for (int i = 0; i < 4 && got < 0 && gnutls_error_is_fatal((int)got) == 0; i++) {
        got = gnutls_record_recv(client.session, &one, 1); /* Up to the client's patience. */
    }
    cr_assert(got == 0 || gnutls_error_is_fatal((int)got) != 0, "it is still open");
    client_close(&client);
    client = open_as(BENCH_USER);
    cr_assert_eq(client_ask(&client, "GET", "/v1/tenants/acme", "", ""), 401);
    client_close(&client);
}

Test(api_server, a_revoked_epoch_is_refused, .init = begin, .fini = end)
{
    struct client client = open_as(BENCH_USER);
    bench_least(bench, 2); /* Its own epoch: still good. */
    cr_assert_eq(client_ask(&client, "GET", "/v1/tenants/acme", "", ""), 200);
    bench_least(bench, 3);
    bench_least(bench, 1); /* INV-SEC-3: what was raised stays raised. */
    uint32_t status = 200;
    while (status != 401) { /* The frame is on its way, and then it ends the connection. */
        client_close(&client);
        client = open_as(BENCH_USER);
        status = (uint32_t)client_ask(&client, "GET", "/v1/tenants/acme", "", "");
    }
    cr_assert_eq(client.status, 401);
    cr_assert(says(&client, "\"code\":\"revoked\""), "%s", client.answer);
    client_close(&client);
}

Test(api_server, tls_below_1_3_is_refused, .init = begin, .fini = end)
{
    struct client client;
    struct client_papers papers = bench_papers(bench, BENCH_USER);
    bool opened = client_open(&client, bench_port(bench), &papers, "NORMAL:-VERS-ALL:+VERS-TLS1.2");
    cr_assert_not(opened);
    client_close(&client);
}

Test(api_server, bad_requests_are_refused_one_by_one, .init = begin, .fini = end)
{
    static const struct {
        const char *method;
        const char *target;
        const char *headers;
        const char *body;
        int status;
        const char *says;
    } rows[] = {
        { "GET", "/v1/nothing", "", "", 404, "not-found" },
        { "PUT", "/v1/tenants", KEY, "", 405, "Allow: GET, POST" },
        { "PATCH", "/v1/tenants", KEY, "", 405, "Allow: GET, POST" },
        { "GET", "/v1/nodes?colour=red", "", "", 400, "colour" },
        { "GET", "/v1/nodes?limit=x", "", "", 400, "whole number" },
        { "POST", "/v1/tenants", KEY, "{\"nmae\":\"a\"}", 400, "\"pointer\":\"/nmae\"" },
        { "POST", "/v1/tenants", KEY, "{\"name\":\"a\",\"name\":\"b\"}", 400, "duplicate" },
        { "POST", "/v1/tenants", KEY, "{\"cap\":{\"vcpus\":1.5}}", 400, "/cap/vcpus" },
        { "POST", "/v1/tenants", KEY, "{", 400, "malformed" },
        { "POST", "/v1/tenants", KEY "Content-Type: text/plain\r\n", "{}", 415, "json" },
        { "DELETE", "/v1/tenants/acme", KEY "If-Match: *\r\n", "{}", 400, "No body" },
        { "DELETE", "/v1/tenants/acme", KEY, "", 428, "precondition-required" },
        { "DELETE", "/v1/images/i", KEY "If-Match: \"r1\"\r\n", "", 412, "precondition-failed" },
        { "GET", "/v1/tenants/a%00b", "", "", 400, "malformed" },
        { "GET", "/v1/tenants/a%2Fb", "", "", 404, "not-found" },
        { "GET", "/v1/tenants/../nodes", "", "", 404, "not-found" },
    };
    struct client client = open_as(BENCH_USER);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int status =
            client_ask(&client, rows[i].method, rows[i].target, rows[i].headers, rows[i].body);
        if (status == -1) { /* Some refusals end the connection; that is a new one. */
            client_close(&client);
            client = open_as(BENCH_USER);
            status =
                client_ask(&client, rows[i].method, rows[i].target, rows[i].headers, rows[i].body);
        }
        cr_assert_eq(status, rows[i].status, "%s: %s", rows[i].target, client.answer);
        cr_assert(says(&client, rows[i].says), "%s: %s", rows[i].target, client.answer);
    }
    client_close(&client);
    cr_assert_eq(bench_asked(bench), 0);
}

Test(api_server, bodies_have_a_bound_announced_or_not, .init = begin, .fini = end)
{
    size_t size = LIMIT_REQUEST_BODY + 4096;
    char *body = malloc(size);
    memset(body, ' ', size - 1);
    body[size - 1] = '\0';
    struct client client = open_as(BENCH_USER);
    cr_assert_eq(client_ask(&client, "POST", "/v1/tenants", KEY, body), 413);
    client_close(&client);
    /* In chunks, so that the length is not known before. */
    char *text = malloc(size + 512);
    int used = snprintf(
        text,
        size + 512,
        "POST /v1/tenants HTTP/1.1\r\nHost: x\r\n" KEY
        "Transfer-Encoding: chunked\r\n\r\n%zx\r\n%s\r\n0\r\n\r\n",
        size - 1,
        body);
    client = open_as(BENCH_USER);
    cr_assert_eq(client_send(&client, text, (size_t)used), 413, "%s", client.answer);
    client_close(&client);
    /* The same way, but small enough: it is the size that was refused. */
    client = open_as(BENCH_USER);
    static const char small[] =
        "POST /v1/tenants HTTP/1.1\r\nHost: x\r\n" KEY
        "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"nam\r\n6\r\ne\":\"a\"\r\n1\r\n}\r\n0\r\n\r\n";
    cr_assert_eq(client_send(&client, small, sizeof(small) - 1), 202);
    client_close(&client);
    free(text);
    free(body);
}

Test(api_server, a_large_body_below_the_bound_is_taken_whole, .init = begin, .fini = end)
{
    char *body = malloc(LIMIT_REQUEST_BODY);
    memset(body, ' ', LIMIT_REQUEST_BODY);
    memcpy(body, "{\"name\":\"a\"", 11);
    body[LIMIT_REQUEST_BODY - 2] = '}';
    body[LIMIT_REQUEST_BODY - 1] = '\0';
    struct client client = open_as(BENCH_USER);
    cr_assert_eq(client_ask(&client, "POST", "/v1/tenants", KEY, body), 202);
    client_close(&client);
    free(body);
}

Test(api_server, join_is_open_and_its_secret_goes_no_further, .init = begin, .fini = end)
{
    struct client client = open_as(BENCH_STRANGER);
    cr_assert_eq(
        client_ask(
            &client,
            "POST",
            "/v1/join",
            KEY,
            "{\"kind\":\"node\",\"secret\":\"00000000000000000000000000000000\",\"csr\":\"00\"}"),
        200);
    /* The engine of this test echoes what it was given for a digest. */
    cr_assert(says(&client, "\"certificate\":\"374708ff"), "%s", client.answer);
    cr_assert_not(says(&client, "00000000000000000000000000000000"));
    client_close(&client);
}

Test(api_server, silence_of_engine_is_never_called_failure, .init = begin, .fini = end)
{
    struct client write = open_as(BENCH_USER);
    static const char text[] = "POST /v1/tenants HTTP/1.1\r\nHost: x\r\n" KEY
                               "Content-Length: 17\r\n\r\n{\"name\":\"silent\"}";
    uint32_t asked = bench_asked(bench);
    gnutls_record_send(write.session, text, sizeof(text) - 1);
    while (bench_asked(bench) == asked) { /* It has to be on its way before engine dies. */
        sched_yield();
    }
    bench_engine_dies(bench);
    cr_assert(client_until(&write, "\r\n\r\n{"));
    cr_assert(client_until(&write, "}"));
    cr_assert(says(&write, " 503 "), "%s", write.answer);
    cr_assert(says(&write, "outcome-unknown"), "INV-IDEM-2: %s", write.answer);
    cr_assert(says(&write, "Retry-After: 1"));
    cr_assert(says(&write, "same Idempotency-Key"));
    /* After that nothing is sent, and so nothing is unknown. */
    cr_assert_eq(client_ask(&write, "POST", "/v1/tenants", KEY, "{\"name\":\"a\"}"), 503);
    cr_assert(says(&write, "no-leader"), "%s", write.answer);
    cr_assert(says(&write, "Nothing was done"));
    client_close(&write);
}

Test(api_server, the_largest_batch_is_whole_and_one_more_is_refused, .init = begin, .fini = end)
{
    char *body = malloc(64 * 1024);
    for (int count = LIMIT_BATCH; count <= LIMIT_BATCH + 1; count++) {
        size_t used = (size_t)snprintf(body, 64 * 1024, "{\"requests\":[");
        for (int i = 0; i < count; i++) {
            used += (size_t)snprintf(
                body + used,
                64 * 1024 - used,
                "%s{\"method\":\"POST\",\"path\":\"/v1/tenants\",\"idempotency_key\":\"b%d\","
                "\"body\":{\"name\":\"a\"}}",
                i == 0 ? "" : ",",
                i);
        }
        (void)snprintf(body + used, 64 * 1024 - used, "]}");
        struct client client = open_as(BENCH_USER);
        bool fits = count == LIMIT_BATCH;
        cr_assert_eq(client_ask(&client, "POST", "/v1/batch", "", body), fits ? 200 : 400);
        cr_assert_eq(says(&client, "\"id\":\"b127\""), fits);
        client_close(&client);
    }
    cr_assert_eq(bench_asked(bench), LIMIT_BATCH);
    free(body);
}

Test(api_server, a_batch_answers_each_in_its_place, .init = begin, .fini = end)
{
    struct client client = open_as(BENCH_USER);
    static const char body[] =
        "{\"requests\":["
        "{\"method\":\"POST\",\"path\":\"/v1/tenants\",\"idempotency_key\":\"b1\","
        "\"body\":{\"name\":\"a\"}},"
        "{\"method\":\"POST\",\"path\":\"/v1/tenants\",\"body\":{\"name\":\"a\"}},"
        "{\"method\":\"GET\",\"path\":\"/v1/tenants/missing\"},"
        "{\"method\":\"GET\",\"path\":\"/v1/tenants/acme?consistency=stale\"},"
        "{\"method\":\"POST\",\"path\":\"/v1/batch\",\"body\":{}},"
        "{\"method\":\"POST\",\"path\":\"/v1/tenants\",\"idempotency_key\":\"b2\","
        "\"body\":{\"nmae\":\"a\"}}]}";
    cr_assert_eq(client_ask(&client, "POST", "/v1/batch", "", body), 200);
    const char *first = strstr(client.answer, "[{\"status\":202,\"body\":{\"id\":\"b1\"");
    const char *second = strstr(client.answer, "{\"status\":400,");
    const char *third = strstr(client.answer, "{\"status\":404,");
    const char *fourth = strstr(client.answer, "{\"status\":200,");
    const char *sixth = strstr(client.answer, "/requests/5/body/nmae");
    cr_assert(first != NULL && second != NULL && third != NULL, "%s", client.answer);
    cr_assert(fourth != NULL && sixth != NULL, "%s", client.answer);
    cr_assert(first < second && second < third && third < fourth && fourth < sixth);
    cr_assert_not(says(&client, "Udatsu-Index:")); /* Not one state answered all of it. */
    static const char reads[] = "{\"requests\":[{\"method\":\"GET\",\"path\":\"/v1/tenants/acme\"},"
                                "{\"method\":\"GET\",\"path\":\"/v1/tenants/acme\"}]}";
    cr_assert_eq(client_ask(&client, "POST", "/v1/batch", "", reads), 200);
    cr_assert(says(&client, "Udatsu-Index: 10"), "%s", client.answer);
    cr_assert_eq(client_ask(&client, "POST", "/v1/batch", "", "{\"requests\":[]}"), 400);
    client_close(&client);
}

Test(
    api_server,
    a_stream_resumes_goes_live_and_says_when_it_lost_its_place,
    .init = begin,
    .fini = end)
{
    bench_event(bench);
    bench_event(bench);
    struct client client = open_as(BENCH_USER);
    static const char text[] = "GET /v1/events HTTP/1.1\r\nHost: x\r\n"
                               "Accept: text/event-stream\r\nLast-Event-ID: 10\r\n\r\n";
    gnutls_record_send(client.session, text, sizeof(text) - 1);
    cr_assert(client_until(&client, "id: 11\n"));
    cr_assert(client_until(&client, "id: 12\n"));
    cr_assert(says(&client, "text/event-stream"));
    cr_assert_null(strstr(client.answer, "id: 13\n"));
    bench_event(bench);
    cr_assert(client_until(&client, "id: 13\n"));
    cr_assert_null(strstr(client.answer, "event: reset"));
    for (int i = 0; i < 9; i++) {
        bench_event(bench);
    }
    cr_assert(client_until(&client, "id: 22\n"), "more than a page");
    client_close(&client);
    client = open_as(BENCH_USER);
    static const char old[] = "GET /v1/events?after=3 HTTP/1.1\r\nHost: x\r\n"
                              "Accept: text/event-stream\r\n\r\n";
    gnutls_record_send(client.session, old, sizeof(old) - 1);
    cr_assert(client_until(&client, "id: 10\nevent: reset\n"));
    cr_assert(client_until(&client, "id: 11\n"));
    client_close(&client);
}

Test(api_server, a_stream_without_a_cursor_begins_now, .init = begin, .fini = end)
{
    bench_event(bench);
    struct client client = open_as(BENCH_USER);
    static const char text[] = "GET /v1/events HTTP/1.1\r\nHost: x\r\n"
                               "Accept: text/event-stream\r\n\r\n";
    gnutls_record_send(client.session, text, sizeof(text) - 1);
    cr_assert(client_until(&client, "\r\n\r\n"));
    bench_event(bench);
    cr_assert(client_until(&client, "id: 12\n"));
    cr_assert_null(strstr(client.answer, "id: 11\n"));
    client_close(&client);
}

Test(api_server, a_revoked_readers_stream_ends, .init = begin, .fini = end)
{
    struct client client = open_as(BENCH_USER);
    static const char text[] = "GET /v1/events?after=10 HTTP/1.1\r\nHost: x\r\n"
                               "Accept: text/event-stream\r\n\r\n";
    bench_event(bench);
    gnutls_record_send(client.session, text, sizeof(text) - 1);
    cr_assert(client_until(&client, "id: 11\n"));
    bench_least(bench, 3);
    cr_assert(client_until(&client, "\r\n0\r\n\r\n"), "the stream's end");
    client_close(&client);
}

/* INV-PACE-2 */
Test(api_server, nobody_takes_all_streams, .init = begin, .fini = end)
{
    enum { OF_ONE = 32 };
    static const char text[] = "GET /v1/events?after=10 HTTP/1.1\r\nHost: x\r\n"
                               "Accept: text/event-stream\r\n\r\n";
    struct client clients[OF_ONE + 1];
    for (size_t i = 0; i <= OF_ONE; i++) {
        clients[i] = open_as(BENCH_USER);
        gnutls_record_send(clients[i].session, text, sizeof(text) - 1);
        cr_assert(client_until(&clients[i], "\r\n\r\n"));
        cr_assert(says(&clients[i], i < OF_ONE ? " 200 " : " 429 "), "%zu", i);
    }
    for (size_t i = 0; i <= OF_ONE; i++) {
        client_close(&clients[i]);
    }
}

/* Whoever stands between us and the client must not be able to read another request in it. */
Test(api_server, headers_that_contradict_end_the_connection, .init = begin, .fini = end)
{
    static const char *const rows[] = {
        "Content-Length: 2\r\nContent-Length: 40\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 2\r\nIdempotency-Key: k2\r\n",
    };
    uint32_t asked = bench_asked(bench);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[256];
        struct client client = open_as(BENCH_USER);
        int size = snprintf(
            text, sizeof(text), "POST /v1/tenants HTTP/1.1\r\nHost: x\r\n" KEY "%s\r\n", rows[i]);
        cr_assert_eq(client_send(&client, text, (size_t)size), 400, "row %zu", i);
        client_close(&client);
    }
    cr_assert_eq(bench_asked(bench), asked);
}

Test(api_server, figures_are_prometheus_text, .init = begin, .fini = end)
{
    struct client client = open_as(BENCH_USER);
    cr_assert_eq(client_ask(&client, "GET", "/v1/tenants/acme", "", ""), 200);
    cr_assert_eq(client_ask(&client, "GET", "/v1/tenants/missing", "", ""), 404);
    cr_assert_eq(client_ask(&client, "GET", "/metrics", "", ""), 200);
    cr_assert(
        says(&client, "udatsu_api_requests_total{operation=\"tenant-show\",status=\"404\"} 1\n"));
    cr_assert(says(&client, "udatsu_nodes 3\n"));
    cr_assert(says(&client, "udatsu_engine_up 1\n"));
    char path[] = "/tmp/udatsu-metrics-XXXXXX";
    int fd = mkstemp(path);
    FILE *file = fdopen(fd, "w");
    cr_assert_not_null(file);
    (void)fputs(strstr(client.answer, "\r\n\r\n") + 4, file);
    (void)fclose(file);
    char command[128];
    (void)snprintf(command, sizeof(command), "promtool check metrics < %s", path);
    FILE *check = popen(command, "r");
    cr_assert_not_null(check);
    int code = pclose(check);
    (void)remove(path);
    cr_assert_eq(code, 0, "promtool check metrics");
    client_close(&client);
}

Test(api_server, many_connections_are_served_side_by_side, .init = begin, .fini = end)
{
    enum { MANY = 64 };
    static struct client clients[MANY];
    for (int i = 0; i < MANY; i++) {
        clients[i] = open_as(BENCH_USER);
    }
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < MANY; i++) {
            static const char text[] = "GET /v1/tenants/acme HTTP/1.1\r\nHost: x\r\n\r\n";
            clients[i].used = 0;
            clients[i].answer[0] = '\0';
            gnutls_record_send(clients[i].session, text, sizeof(text) - 1);
        }
        for (int i = 0; i < MANY; i++) {
            cr_assert(client_until(&clients[i], "\"revision\":3}"));
        }
    }
    for (int i = 0; i < MANY; i++) {
        client_close(&clients[i]);
    }
}
