/* The command line against cells that do not behave: real TLS, real servers on the loopback, each
 * with a script of what it answers. */
#include "base/check.h"
#include "cli/session.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <locale.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SEEN_MAX = 16, STEPS_MAX = 8, WORDS_MAX = 32 };

struct step {
    unsigned int status;
    const char *retry_after;
    const char *body;
};

struct seen {
    char method[8];
    char url[256];
    char key[80];
    char body[1024];
    char last_event_id[32];
};

/* One controller's API. After the last step the last one is repeated. */
struct server {
    struct MHD_Daemon *daemon;
    unsigned int port;
    struct step steps[STEPS_MAX];
    uint32_t steps_count;
    struct seen seen[SEEN_MAX];
    uint32_t seen_count;
    pthread_mutex_t lock;
};

static char certificate[4096];
static char private_key[4096];
static char directory[] = "/tmp/udatsu-cli-XXXXXX";
static char ca_path[64];

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    cr_assert_neq(fputs(text, file), EOF);
    (void)fclose(file);
}

/* A self-signed certificate for 127.0.0.1 that is its own CA. */
static void make_certificate(void)
{
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t crt;
    uint8_t address[4] = { 127, 0, 0, 1 };
    uint8_t serial = 1;
    size_t size = sizeof(certificate);
    gnutls_x509_privkey_init(&key);
    cr_assert_eq(
        gnutls_x509_privkey_generate(
            key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
        0);
    gnutls_x509_crt_init(&crt);
    gnutls_x509_crt_set_version(crt, 3);
    gnutls_x509_crt_set_serial(crt, &serial, 1);
    gnutls_x509_crt_set_activation_time(crt, time(NULL) - 3600);
    gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 3600);
    gnutls_x509_crt_set_ca_status(crt, 1);
    gnutls_x509_crt_set_dn(crt, "CN=test cell", NULL);
    gnutls_x509_crt_set_subject_alt_name(
        crt, GNUTLS_SAN_IPADDRESS, address, sizeof(address), GNUTLS_FSAN_SET);
    gnutls_x509_crt_set_key(crt, key);
    cr_assert_eq(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0), 0);
    cr_assert_eq(gnutls_x509_crt_export(crt, GNUTLS_X509_FMT_PEM, certificate, &size), 0);
    size = sizeof(private_key);
    cr_assert_eq(gnutls_x509_privkey_export(key, GNUTLS_X509_FMT_PEM, private_key, &size), 0);
    gnutls_x509_crt_deinit(crt);
    gnutls_x509_privkey_deinit(key);
}

static void keep(char *room, size_t size, const char *text)
{
    (void)snprintf(room, size, "%s", text == NULL ? "" : text);
}

static enum MHD_Result on_request(
    void *context,
    struct MHD_Connection *connection,
    const char *url,
    const char *method,
    const char *version,
    const char *data,
    size_t *size,
    void **slot)
{
    struct server *server = context;
    (void)version;
    pthread_mutex_lock(&server->lock);
    struct seen *seen = *slot;
    if (seen == NULL) {
        cr_assert_lt(server->seen_count, SEEN_MAX);
        seen = &server->seen[server->seen_count];
        server->seen_count++;
        *slot = seen;
        keep(seen->method, sizeof(seen->method), method);
        const char *seconds =
            MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "page_token");
        (void)snprintf(
            seen->url,
            sizeof(seen->url),
            "%s%s%s",
            url,
            seconds ? "?" : "",
            seconds ? seconds : "");
        keep(
            seen->key,
            sizeof(seen->key),
            MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Idempotency-Key"));
        keep(
            seen->last_event_id,
            sizeof(seen->last_event_id),
            MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Last-Event-ID"));
        pthread_mutex_unlock(&server->lock);
        return MHD_YES;
    }
    if (*size > 0) {
        strncat(seen->body, data, *size < 900 ? *size : 900);
        *size = 0;
        pthread_mutex_unlock(&server->lock);
        return MHD_YES;
    }
    uint32_t at = (uint32_t)(seen - server->seen);
    at = at < server->steps_count ? at : server->steps_count - 1;
    struct step step = server->steps[at];
    pthread_mutex_unlock(&server->lock);
    struct MHD_Response *response = MHD_create_response_from_buffer(
        strlen(step.body), (void *)(uintptr_t)step.body, MHD_RESPMEM_PERSISTENT);
    if (step.retry_after != NULL) {
        MHD_add_response_header(response, "Retry-After", step.retry_after);
    }
    MHD_add_response_header(response, "Request-Id", "req-7");
    enum MHD_Result result = MHD_queue_response(connection, step.status, response);
    MHD_destroy_response(response);
    return result;
}

static void start(struct server *server, const struct step *steps, uint32_t count)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    memset(server, 0, sizeof(*server));
    pthread_mutex_init(&server->lock, NULL);
    cr_assert_leq(count, STEPS_MAX);
    memcpy(server->steps, steps, count * sizeof(*steps));
    server->steps_count = count;
    server->daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_TLS,
        0,
        NULL,
        NULL,
        on_request,
        server,
        MHD_OPTION_SOCK_ADDR,
        &address,
        MHD_OPTION_HTTPS_MEM_KEY,
        private_key,
        MHD_OPTION_HTTPS_MEM_CERT,
        certificate,
        MHD_OPTION_HTTPS_PRIORITIES,
        "NORMAL:-VERS-ALL:+VERS-TLS1.3",
        MHD_OPTION_END);
    cr_assert_not_null(server->daemon);
    server->port = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

static void stop(struct server *server)
{
    MHD_stop_daemon(server->daemon);
    pthread_mutex_destroy(&server->lock);
}

static char out_text[64 * 1024];
static char err_text[16 * 1024];

static enum exit_status run(const char *line)
{
    static char room[4096];
    char *words[WORDS_MAX];
    int count = 0;
    keep(room, sizeof(room), line);
    char *save = NULL;
    for (char *word = strtok_r(room, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
        cr_assert_lt(count, WORDS_MAX - 1);
        words[count] = word;
        count++;
    }
    memset(out_text, 0, sizeof(out_text));
    memset(err_text, 0, sizeof(err_text));
    FILE *out = fmemopen(out_text, sizeof(out_text), "w");
    FILE *err = fmemopen(err_text, sizeof(err_text), "w");
    enum exit_status status = session_run(count, words, out, err);
    (void)fclose(out);
    (void)fclose(err);
    return status;
}

static void use(const struct server *first, const struct server *second)
{
    char text[128];
    (void)snprintf(
        text,
        sizeof(text),
        second == NULL ? "127.0.0.1:%u" : "127.0.0.1:%u,127.0.0.1:%u",
        first == NULL ? 1U : first->port,
        second == NULL ? 0U : second->port);
    (void)setenv("UDATSU_ENDPOINTS", text, 1);
}

static void begin(void)
{
    static const char *const names[] = { "UDATSU_CERT",    "UDATSU_KEY",
                                         "UDATSU_TENANT",  "UDATSU_OUTPUT",
                                         "UDATSU_CONTEXT", "LC_ALL",
                                         "LC_MESSAGES",    "LANG" };
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        (void)unsetenv(names[i]);
    }
    (void)setlocale(LC_CTYPE, "C.UTF-8");
    (void)setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
    cr_assert_not_null(mkdtemp(directory));
    make_certificate();
    (void)snprintf(ca_path, sizeof(ca_path), "%s/ca.pem", directory);
    write_file(ca_path, certificate);
    (void)setenv("UDATSU_CA", ca_path, 1);
}

static void end(void)
{
    (void)unlink(ca_path);
    (void)rmdir(directory);
}

TestSuite(cli_client, .init = begin, .fini = end);

#define OPERATION(state)                                                                     \
    "{\"id\":\"00010010-0000-8000-8000-000000000007\",\"kind\":\"tenant-create\",\"state\":" \
    "\"" state "\",\"progress\":50,\"resource_name\":\"acme\"}"
#define NO_LEADER "{\"code\":\"no-leader\",\"status\":503,\"detail\":\"No leader is known.\"}"
#define UNKNOWN   "{\"code\":\"outcome-unknown\",\"status\":503,\"detail\":\"Leadership was lost.\"}"

Test(cli_client, a_write_goes_to_the_next_endpoint_with_the_same_key)
{
    struct server first;
    struct server second;
    const struct step lost[] = { { 503, "0", UNKNOWN } };
    const struct step done[] = { { 202, NULL, OPERATION("done") } };
    start(&first, lost, 1);
    start(&second, done, 1);
    use(&first, &second);
    cr_assert_eq(run("udatsu tenant create acme -o json"), EXIT_DONE, "%s", err_text);
    cr_assert_eq(first.seen_count, 1);
    cr_assert_eq(second.seen_count, 1);
    cr_assert_eq(strlen(first.seen[0].key), 32);
    cr_assert_str_eq(first.seen[0].key, second.seen[0].key);
    cr_assert_str_eq(first.seen[0].body, "{\"name\":\"acme\"}");
    cr_assert_str_eq(first.seen[0].body, second.seen[0].body);
    cr_assert_not_null(strstr(out_text, "\"state\": \"done\""));
    /* Another command is another intention: another key. */
    cr_assert_eq(run("udatsu tenant create acme"), EXIT_DONE);
    cr_assert_str_neq(second.seen[0].key, second.seen[1].key);
    cr_assert_eq(run("udatsu tenant create acme --idempotency-key mine"), EXIT_DONE);
    cr_assert_str_eq(second.seen[2].key, "mine");
    stop(&first);
    stop(&second);
}

Test(cli_client, a_dead_endpoint_is_stepped_over)
{
    struct server second;
    const struct step good[] = { { 200, NULL, "{\"items\":[{\"name\":\"n1\"}]}" } };
    start(&second, good, 1);
    use(NULL, &second);
    cr_assert_eq(run("udatsu node ls -o name"), EXIT_DONE, "%s", err_text);
    cr_assert_str_eq(out_text, "n1\n");
    stop(&second);
}

Test(cli_client, retry_after_is_honoured_and_the_same_endpoint_asked_again)
{
    struct server server;
    const struct step steps[] = {
        { 429, "0", "{\"code\":\"overloaded\",\"status\":429}" },
        { 503, "0", NO_LEADER },
        { 202, NULL, OPERATION("done") },
    };
    start(&server, steps, 3);
    use(&server, NULL);
    cr_assert_eq(run("udatsu tenant create acme"), EXIT_DONE, "%s", err_text);
    cr_assert_eq(server.seen_count, 3);
    cr_assert_str_eq(server.seen[0].key, server.seen[2].key);
    stop(&server);
}

Test(cli_client, what_is_refused_for_good_is_not_asked_twice)
{
    static const struct {
        unsigned int status;
        const char *code;
        enum exit_status exit;
    } rows[] = {
        { 403, "denied", EXIT_DENIED },           { 404, "not-found", EXIT_NOT_FOUND },
        { 409, "quota-exceeded", EXIT_CONFLICT }, { 400, "malformed", EXIT_USAGE },
        { 507, "table-full", EXIT_FAILED },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct server server;
        char body[128];
        (void)snprintf(
            body,
            sizeof(body),
            "{\"code\":\"%s\",\"status\":%u,\"detail\":\"No.\"}",
            rows[i].code,
            rows[i].status);
        const struct step steps[] = { { rows[i].status, NULL, body } };
        start(&server, steps, 1);
        use(&server, NULL);
        cr_assert_eq(run("udatsu tenant create acme"), rows[i].exit);
        cr_assert_eq(server.seen_count, 1);
        cr_assert_not_null(strstr(err_text, "udatsu: No."));
        cr_assert_not_null(strstr(err_text, "req-7"));
        cr_assert_eq(out_text[0], '\0');
        stop(&server);
    }
}

Test(cli_client, an_operation_is_waited_for_and_its_failure_is_ours)
{
    struct server server;
    const struct step steps[] = {
        { 202, NULL, OPERATION("running") },
        { 200, NULL, OPERATION("running") },
        { 200,
          NULL,
          "{\"id\":\"00010010-0000-8000-8000-000000000007\",\"state\":\"failed\","
          "\"error\":{\"code\":\"no-capacity\",\"detail\":\"No node fits.\"}}" },
    };
    start(&server, steps, 3);
    use(&server, NULL);
    cr_assert_eq(run("udatsu tenant create acme"), EXIT_CONFLICT);
    cr_assert_eq(server.seen_count, 3);
    cr_assert_str_eq(
        server.seen[1].url, "/v1/operations/00010010-0000-8000-8000-000000000007/wait");
    cr_assert_not_null(strstr(err_text, "No node fits. (no-capacity)"));
    cr_assert_not_null(strstr(err_text, "udatsu explain capacity"));
    stop(&server);
}

Test(cli_client, no_wait_answers_at_once_and_a_short_wait_says_how_to_resume)
{
    struct server server;
    const struct step steps[] = { { 202, NULL, OPERATION("running") } };
    start(&server, steps, 1);
    use(&server, NULL);
    cr_assert_eq(run("udatsu tenant create acme --no-wait"), EXIT_DONE);
    cr_assert_eq(server.seen_count, 1);
    cr_assert_not_null(strstr(out_text, "running"));
    cr_assert_eq(run("udatsu tenant create acme --timeout 0"), EXIT_TIMED_OUT);
    cr_assert_not_null(strstr(err_text, "udatsu op wait 00010010-0000-8000-8000-000000000007"));
    stop(&server);
}

Test(cli_client, a_server_of_another_ca_is_not_believed)
{
    struct server server;
    const struct step steps[] = { { 200, NULL, "{\"items\":[]}" } };
    start(&server, steps, 1);
    use(&server, NULL);
    cr_assert_eq(run("udatsu node ls"), EXIT_DONE);
    make_certificate(); /* Another CA takes the place of ours. */
    write_file(ca_path, certificate);
    cr_assert_eq(run("udatsu node ls"), EXIT_DENIED);
    cr_assert_eq(server.seen_count, 1);
    (void)unlink(ca_path);
    cr_assert_neq(run("udatsu node ls"), EXIT_DONE);
    cr_assert_eq(server.seen_count, 1);
    stop(&server);
}

Test(cli_client, pages_are_followed_to_the_end)
{
    struct server server;
    const struct step steps[] = {
        { 200, NULL, "{\"items\":[{\"name\":\"a\"},{\"name\":\"b\"}],\"next_page\":\"p1\"}" },
        { 200, NULL, "{\"items\":[{\"name\":\"c\"}],\"next_page\":\"\"}" },
    };
    start(&server, steps, 2);
    use(&server, NULL);
    cr_assert_eq(run("udatsu tenant ls -o name"), EXIT_DONE);
    cr_assert_str_eq(out_text, "a\nb\nc\n");
    cr_assert_str_eq(server.seen[1].url, "/v1/tenants?p1");
    stop(&server);
}

Test(cli_client, what_is_not_json_is_not_an_answer)
{
    struct server server;
    const struct step steps[] = { { 200, NULL, "<html>" },
                                  { 200, NULL, "{\"a\":1,\"a\":2}" },
                                  { 418, NULL, "teapot" } };
    start(&server, steps, 3);
    use(&server, NULL);
    cr_assert_eq(run("udatsu cluster status"), EXIT_FAILED);
    cr_assert_eq(run("udatsu cluster status"), EXIT_FAILED);
    cr_assert_eq(run("udatsu cluster status"), EXIT_FAILED);
    cr_assert_eq(out_text[0], '\0');
    stop(&server);
}

Test(cli_client, the_cluster_is_shown_with_its_members_and_alarms)
{
    struct server server;
    const struct step steps[] = { { 200,
                                    NULL,
                                    "{\"name\":\"lab\",\"quorum\":true,\"members\":[{\"name\":"
                                    "\"c1\",\"leader\":true}],\"alarms\":[]}" } };
    start(&server, steps, 1);
    use(&server, NULL);
    cr_assert_eq(run("udatsu cluster status"), EXIT_DONE);
    cr_assert_not_null(strstr(out_text, "name: lab\nquorum: true\n"));
    cr_assert_not_null(strstr(out_text, "c1    -     yes"));
    cr_assert_not_null(strstr(out_text, "Alarms: -"));
    cr_assert_eq(run("udatsu cluster status -o json"), EXIT_DONE);
    cr_assert_eq(out_text[0], '{');
    stop(&server);
}

Test(cli_client, events_are_resumed_behind_the_last_one)
{
    struct server server;
    const struct step steps[] = {
        { 200, NULL, ": hello\n\nid: 4.0\nevent: e\ndata: {\"index\":4}\n\nid: 5.0\ndata: {\"ind" },
        { 200, NULL, "id: 5.0\ndata: {\"index\":5}\n\nid: 6.0\ndata: {\"index\":6}\n\n" },
    };
    start(&server, steps, 2);
    use(&server, NULL);
    cr_assert_eq(run("udatsu event watch --count 2"), EXIT_DONE, "%s", err_text);
    cr_assert_str_eq(out_text, "{\"index\":4}\n{\"index\":5}\n");
    cr_assert_str_eq(server.seen[0].last_event_id, "");
    cr_assert_str_eq(server.seen[1].last_event_id, "4.0");
    stop(&server);
}

#define ALARM(id, cleared)                                                             \
    "{\"id\":\"00010011-0000-8000-8000-00000000000" id "\",\"name\":\"node-unknown\"," \
    "\"cleared_at\":\"" cleared "\"}"

Test(cli_client, each_alarm_is_handed_on_once_until_it_clears)
{
    struct server server;
    char script[128];
    char log[128];
    char state[128];
    char line[512];
    char text[1024] = { 0 };
    const struct step steps[] = {
        { 200, NULL, "{\"items\":[" ALARM("1", "1970-01-01T00:00:00Z") "]}" },
        { 200, NULL, "{\"items\":[" ALARM("1", "1970-01-01T00:00:00Z") "]}" },
        { 200, NULL, "{\"items\":[" ALARM("1", "2026-01-01T00:00:00Z") "]}" },
        { 200, NULL, "{\"items\":[" ALARM("2", "1970-01-01T00:00:00Z") "]}" },
        { 200, NULL, "{\"items\":[" ALARM("2", "1970-01-01T00:00:00Z") "]}" },
    };
    (void)snprintf(script, sizeof(script), "%s/hook", directory);
    (void)snprintf(log, sizeof(log), "%s/log", directory);
    (void)snprintf(state, sizeof(state), "%s/state", directory);
    /* The environment is cleared: a variable of ours must not arrive. */
    (void)snprintf(
        text, sizeof(text), "#!/bin/sh\nread -r line\necho \"$UDATSU_CA$line\" >>%s\n", log);
    write_file(script, text);
    cr_assert_eq(chmod(script, 0700), 0);
    start(&server, steps, 5);
    use(&server, NULL);
    (void)snprintf(
        line, sizeof(line), "udatsu alarm watch --once --exec %s --state %s", script, state);
    for (uint32_t i = 0; i < 3; i++) {
        cr_assert_eq(run(line), EXIT_DONE, "%s", err_text);
    }
    write_file(script, "#!/bin/sh\nexit 1\n"); /* A hook that fails is tried again next time. */
    cr_assert_eq(run(line), EXIT_DONE);
    cr_assert_not_null(strstr(err_text, "not delivered"));
    write_file(script, text);
    cr_assert_eq(run(line), EXIT_DONE);
    stop(&server);
    FILE *file = fopen(log, "r");
    memset(text, 0, sizeof(text));
    cr_assert_gt(fread(text, 1, sizeof(text) - 1, file), 0);
    (void)fclose(file);
    uint32_t lines = 0;
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++) {
        lines++;
    }
    cr_assert_eq(lines, 3, "%s", text);
    cr_assert_eq(text[0], '{');
    cr_assert_eq(run("udatsu alarm watch --once --exec relative"), EXIT_USAGE);
    cr_assert_eq(run("udatsu alarm watch --once --webhook http://plain"), EXIT_USAGE);
    (void)unlink(script);
    (void)unlink(log);
    (void)unlink(state);
}

Test(cli_client, a_token_is_registered_by_its_digest_only)
{
    struct server server;
    const struct step steps[] = { { 202, NULL, OPERATION("done") } };
    start(&server, steps, 1);
    use(&server, NULL);
    cr_assert_eq(run("udatsu node token n4 --rack r1 --ttl 10m"), EXIT_DONE, "%s", err_text);
    cr_assert_eq(strncmp(out_text, "udatsu-token-1.", 15), 0);
    cr_assert_eq(strncmp(server.seen[0].body, "{\"kind\":\"node\",\"secret_sha256\":\"", 32), 0);
    cr_assert_not_null(strstr(
        server.seen[0].body, ",\"name\":\"n4\",\"place\":{\"rack\":\"r1\"},\"ttl_seconds\":600}"));
    /* Without a CA to pin there is no token. */
    (void)unlink(ca_path);
    cr_assert_eq(run("udatsu node token n4"), EXIT_USAGE);
    cr_assert_eq(server.seen_count, 1);
    stop(&server);
}

Test(cli_client, the_console_is_printed_whole_and_the_api_hatch_sends_what_it_is_given)
{
    struct server server;
    const struct step steps[] = {
        { 200, NULL, "{\"data\":\"6865\",\"offset\":0,\"size\":5}" },
        { 200, NULL, "{\"data\":\"6c6c6f\",\"offset\":2,\"size\":5}" },
        { 200, NULL, "{\"responses\":[]}" },
    };
    start(&server, steps, 3);
    use(&server, NULL);
    cr_assert_eq(run("udatsu vm console w --tenant a"), EXIT_DONE);
    cr_assert_str_eq(out_text, "hello");
    cr_assert_eq(run("udatsu api POST /v1/batch --body {\"requests\":[]}"), EXIT_DONE);
    cr_assert_str_eq(server.seen[2].body, "{\"requests\":[]}");
    cr_assert_str_eq(server.seen[2].url, "/v1/batch");
    cr_assert_eq(run("udatsu api PATCH /v1/batch"), EXIT_USAGE);
    cr_assert_eq(run("udatsu api GET v1"), EXIT_USAGE);
    cr_assert_eq(run("udatsu api POST /v1/batch --body {"), EXIT_USAGE);
    cr_assert_eq(server.seen_count, 3);
    stop(&server);
}
