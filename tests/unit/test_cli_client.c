/* The command line against cells that do not behave: real TLS, real servers on the loopback, each
 * with a script of what it answers. */
#include "cli_cell.h"

#include "base/check.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(cli_client, .init = cell_begin, .fini = cell_end);

#define OPERATION(state)                                                                     \
    "{\"id\":\"00010010-0000-8000-8000-000000000007\",\"kind\":\"tenant-create\",\"state\":" \
    "\"" state "\",\"progress\":50,\"resource_name\":\"acme\"}"
#define NO_LEADER "{\"code\":\"no-leader\",\"status\":503,\"detail\":\"No leader is known.\"}"
#define UNKNOWN   "{\"code\":\"outcome-unknown\",\"status\":503,\"detail\":\"Leadership was lost.\"}"

/* INV-IDEM-41 */
Test(cli_client, a_write_goes_to_the_next_endpoint_with_the_same_key)
{
    struct server first;
    struct server second;
    const struct step lost[] = { { 503, "0", UNKNOWN } };
    const struct step done[] = { { 202, NULL, OPERATION("done") } };
    cell_start(&first, lost, 1);
    cell_start(&second, done, 1);
    cell_use(&first, &second);
    cr_assert_eq(cell_run("udatsu tenant create acme -o json"), EXIT_DONE, "%s", cell_err);
    cr_assert_eq(first.seen_count, 1);
    cr_assert_eq(second.seen_count, 1);
    cr_assert_eq(strlen(first.seen[0].key), 32);
    cr_assert_str_eq(first.seen[0].key, second.seen[0].key);
    cr_assert_str_eq(first.seen[0].body, "{\"name\":\"acme\"}");
    cr_assert_str_eq(first.seen[0].body, second.seen[0].body);
    cr_assert_not_null(strstr(cell_out, "\"state\": \"done\""));
    /* Another command is another intention: another key. */
    cr_assert_eq(cell_run("udatsu tenant create acme"), EXIT_DONE);
    cr_assert_str_neq(second.seen[0].key, second.seen[1].key);
    cr_assert_eq(cell_run("udatsu tenant create acme --idempotency-key mine"), EXIT_DONE);
    cr_assert_str_eq(second.seen[2].key, "mine");
    cell_stop(&first);
    cell_stop(&second);
}

Test(cli_client, a_dead_endpoint_is_stepped_over)
{
    struct server second;
    const struct step good[] = { { 200, NULL, "{\"items\":[{\"name\":\"n1\"}]}" } };
    cell_start(&second, good, 1);
    cell_use(NULL, &second);
    cr_assert_eq(cell_run("udatsu node ls -o name"), EXIT_DONE, "%s", cell_err);
    cr_assert_str_eq(cell_out, "n1\n");
    cell_stop(&second);
}

Test(cli_client, retry_after_is_honoured_and_the_same_endpoint_asked_again)
{
    struct server server;
    const struct step steps[] = {
        { 429, "0", "{\"code\":\"overloaded\",\"status\":429}" },
        { 503, "0", NO_LEADER },
        { 202, NULL, OPERATION("done") },
    };
    cell_start(&server, steps, 3);
    cell_use(&server, NULL);
    cr_assert_eq(cell_run("udatsu tenant create acme"), EXIT_DONE, "%s", cell_err);
    cr_assert_eq(server.seen_count, 3);
    cr_assert_str_eq(server.seen[0].key, server.seen[2].key);
    cell_stop(&server);
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
        cell_start(&server, steps, 1);
        cell_use(&server, NULL);
        cr_assert_eq(cell_run("udatsu tenant create acme"), rows[i].exit);
        cr_assert_eq(server.seen_count, 1);
        cr_assert_not_null(strstr(cell_err, "udatsu: No."));
        cr_assert_not_null(strstr(cell_err, "req-7"));
        cr_assert_eq(cell_out[0], '\0');
        cell_stop(&server);
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
    cell_start(&server, steps, 3);
    cell_use(&server, NULL);
    cr_assert_eq(cell_run("udatsu tenant create acme"), EXIT_CONFLICT);
    cr_assert_eq(server.seen_count, 3);
    cr_assert_str_eq(
        server.seen[1].url, "/v1/operations/00010010-0000-8000-8000-000000000007/wait");
    cr_assert_not_null(strstr(cell_err, "No node fits. (no-capacity)"));
    cr_assert_not_null(strstr(cell_err, "udatsu explain capacity"));
    cell_stop(&server);
}

Test(cli_client, no_wait_answers_at_once_and_a_short_wait_says_how_to_resume)
{
    struct server server;
    const struct step steps[] = { { 202, NULL, OPERATION("running") } };
    cell_start(&server, steps, 1);
    cell_use(&server, NULL);
    cr_assert_eq(cell_run("udatsu tenant create acme --no-wait"), EXIT_DONE);
    cr_assert_eq(server.seen_count, 1);
    cr_assert_not_null(strstr(cell_out, "running"));
    cr_assert_eq(cell_run("udatsu tenant create acme --timeout 0"), EXIT_TIMED_OUT);
    cr_assert_not_null(strstr(cell_err, "udatsu op wait 00010010-0000-8000-8000-000000000007"));
    cell_stop(&server);
}

Test(cli_client, a_server_of_another_ca_is_not_believed)
{
    struct server server;
    const struct step steps[] = { { 200, NULL, "{\"items\":[]}" } };
    cell_start(&server, steps, 1);
    cell_use(&server, NULL);
    cr_assert_eq(cell_run("udatsu node ls"), EXIT_DONE);
    cell_make_certificate(); /* Another CA takes the place of ours. */
    cell_write(cell_ca, cell_certificate);
    cr_assert_eq(cell_run("udatsu node ls"), EXIT_DENIED);
    cr_assert_eq(server.seen_count, 1);
    (void)unlink(cell_ca);
    cr_assert_neq(cell_run("udatsu node ls"), EXIT_DONE);
    cr_assert_eq(server.seen_count, 1);
    cell_stop(&server);
}

Test(cli_client, pages_are_followed_to_the_end)
{
    struct server server;
    const struct step steps[] = {
        { 200, NULL, "{\"items\":[{\"name\":\"a\"},{\"name\":\"b\"}],\"next_page\":\"p1\"}" },
        { 200, NULL, "{\"items\":[{\"name\":\"c\"}],\"next_page\":\"\"}" },
    };
    cell_start(&server, steps, 2);
    cell_use(&server, NULL);
    cr_assert_eq(cell_run("udatsu tenant ls -o name"), EXIT_DONE);
    cr_assert_str_eq(cell_out, "a\nb\nc\n");
    cr_assert_str_eq(server.seen[1].url, "/v1/tenants?p1");
    cell_stop(&server);
}

Test(cli_client, a_list_over_all_tenants_says_whose_each_line_is)
{
    static const struct step steps[] = {
        { 200, NULL, "{\"items\":[{\"name\":\"vm\",\"tenant\":\"acme\",\"state\":\"running\"}]}" },
    };
    struct server server;
    cell_start(&server, steps, COUNT_OF(steps));
    cell_use(&server, NULL);
    cr_assert_eq(cell_run("udatsu instance ls"), EXIT_DONE);
    cr_assert_eq(strncmp(cell_out, "TENANT  NAME  STATE", 19), 0, "%s", cell_out);
    cr_assert_not_null(strstr(cell_out, "acme    vm    running"));
    cr_assert_eq(cell_run("udatsu instance ls --tenant acme"), EXIT_DONE);
    cr_assert_eq(strncmp(cell_out, "NAME  STATE", 11), 0, "%s", cell_out);
    cr_assert_eq(cell_run("udatsu instance ls --columns state,name"), EXIT_DONE);
    cr_assert_str_eq(cell_out, "STATE    NAME\nrunning  vm\n");
    cr_assert_eq(cell_run("udatsu instance ls --columns state,name -o csv"), EXIT_DONE);
    cr_assert_str_eq(cell_out, "state,name\r\nrunning,vm\r\n");
    cell_stop(&server);
}

Test(cli_client, an_empty_list_is_a_head_for_people_and_empty_for_programs)
{
    static const struct step steps[] = { { 200, NULL, "{\"items\":[]}" } };
    struct server server;
    cell_start(&server, steps, COUNT_OF(steps));
    cell_use(&server, NULL);
    cr_assert_eq(cell_run("udatsu network ls --tenant a --columns name,cidr"), EXIT_DONE);
    cr_assert_str_eq(cell_out, "NAME  CIDR\n");
    cr_assert_eq(cell_run("udatsu network ls -o json --tenant a"), EXIT_DONE);
    cr_assert_str_eq(cell_out, "[]\n");
    cr_assert_eq(cell_run("udatsu network ls -o name --tenant a"), EXIT_DONE);
    cr_assert_str_eq(cell_out, "");
    cell_stop(&server);
}

/* 1,000 rows in two pages come out in order, each once. */
Test(cli_client, a_thousand_rows_are_a_thousand_lines)
{
    enum { HALF = 500, ROW = 32 };
    static char pages[2][HALF * ROW + 64];
    for (int page = 0; page < 2; page++) {
        size_t used = (size_t)snprintf(pages[page], ROW, "{\"items\":[");
        for (int i = 0; i < HALF; i++) {
            used += (size_t)snprintf(
                pages[page] + used,
                ROW,
                "%s{\"name\":\"n%d\"}",
                i == 0 ? "" : ",",
                page * HALF + i);
        }
        (void)snprintf(pages[page] + used, ROW, "]%s}", page == 0 ? ",\"next_page\":\"p2\"" : "");
    }
    const struct step steps[] = { { 200, NULL, pages[0] }, { 200, NULL, pages[1] } };
    struct server server;
    cell_start(&server, steps, COUNT_OF(steps));
    cell_use(&server, NULL);
    cr_assert_eq(cell_run("udatsu node ls -o name"), EXIT_DONE);
    const char *at = cell_out;
    for (int i = 0; i < 2 * HALF; i++) {
        char line[ROW];
        size_t size = (size_t)snprintf(line, sizeof(line), "n%d\n", i);
        cr_assert_eq(strncmp(at, line, size), 0, "line %d", i);
        at += size;
    }
    cr_assert_eq(*at, '\0');
    cr_assert_eq(server.seen_count, 2);
    cell_stop(&server);
}

Test(cli_client, a_change_says_what_it_saw)
{
    static const struct step steps[] = { { 202, NULL, "{\"id\":\"o\",\"state\":\"done\"}" } };
    static const struct {
        const char *line;
        const char *match;
    } rows[] = {
        { "udatsu tenant create a", "" },
        { "udatsu tenant delete a --yes", "*" },
        { "udatsu tenant delete a --yes --revision 7", "\"r7\"" },
        { "udatsu vm start v --tenant a", "" },
        { "udatsu vm start v --tenant a --revision 2", "\"r2\"" },
        { "udatsu quota set a --cap vcpus=1,memory=1G,instances=1,networks=1", "*" },
        { "udatsu api DELETE /v1/images/i --if-match *", "*" },
        { "udatsu api DELETE /v1/images/i", "" },
    };
    struct server server;
    cell_start(&server, steps, COUNT_OF(steps));
    cell_use(&server, NULL);
    for (uint32_t i = 0; i < COUNT_OF(rows); i++) {
        cr_assert_eq(cell_run(rows[i].line), EXIT_DONE, "%s: %s", rows[i].line, cell_err);
        cr_assert_str_eq(server.seen[i].if_match, rows[i].match, "%s", rows[i].line);
    }
    cr_assert_eq(cell_run("udatsu tenant delete a --yes --revision x"), EXIT_USAGE);
    cell_stop(&server);
}

Test(cli_client, what_is_not_json_is_not_an_answer)
{
    struct server server;
    const struct step steps[] = { { 200, NULL, "<html>" },
                                  { 200, NULL, "{\"a\":1,\"a\":2}" },
                                  { 418, NULL, "teapot" } };
    cell_start(&server, steps, 3);
    cell_use(&server, NULL);
    cr_assert_eq(cell_run("udatsu cluster status"), EXIT_FAILED);
    cr_assert_eq(cell_run("udatsu cluster status"), EXIT_FAILED);
    cr_assert_eq(cell_run("udatsu cluster status"), EXIT_FAILED);
    cr_assert_eq(cell_out[0], '\0');
    cell_stop(&server);
}

Test(cli_client, the_cluster_is_shown_with_its_members_and_alarms)
{
    struct server server;
    const struct step steps[] = { { 200,
                                    NULL,
                                    "{\"name\":\"lab\",\"quorum\":true,\"members\":[{\"name\":"
                                    "\"c1\",\"leader\":true}],\"alarms\":[]}" } };
    cell_start(&server, steps, 1);
    cell_use(&server, NULL);
    cr_assert_eq(cell_run("udatsu cluster status"), EXIT_DONE);
    cr_assert_not_null(strstr(cell_out, "name: lab\nquorum: true\n"));
    cr_assert_not_null(strstr(cell_out, "c1    -     yes"));
    cr_assert_not_null(strstr(cell_out, "Alarms: -"));
    cr_assert_eq(cell_run("udatsu cluster status -o json"), EXIT_DONE);
    cr_assert_eq(cell_out[0], '{');
    cell_stop(&server);
}

Test(cli_client, events_are_resumed_behind_the_last_one)
{
    struct server server;
    const struct step steps[] = {
        { 200, NULL, ": hello\n\nid: 4.0\nevent: e\ndata: {\"index\":4}\n\nid: 5.0\ndata: {\"ind" },
        { 200, NULL, "id: 5.0\ndata: {\"index\":5}\n\nid: 6.0\ndata: {\"index\":6}\n\n" },
    };
    cell_start(&server, steps, 2);
    cell_use(&server, NULL);
    cr_assert_eq(cell_run("udatsu event watch --count 2"), EXIT_DONE, "%s", cell_err);
    cr_assert_str_eq(cell_out, "{\"index\":4}\n{\"index\":5}\n");
    cr_assert_str_eq(server.seen[0].last_event_id, "");
    cr_assert_str_eq(server.seen[1].last_event_id, "4.0");
    cell_stop(&server);
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
    (void)snprintf(script, sizeof(script), "%s/hook", cell_folder);
    (void)snprintf(log, sizeof(log), "%s/log", cell_folder);
    (void)snprintf(state, sizeof(state), "%s/state", cell_folder);
    /* The environment is cleared: a variable of ours must not arrive. */
    (void)snprintf(
        text, sizeof(text), "#!/bin/sh\nread -r line\necho \"$UDATSU_CA$line\" >>%s\n", log);
    cell_write(script, text);
    cr_assert_eq(chmod(script, 0700), 0);
    cell_start(&server, steps, 5);
    cell_use(&server, NULL);
    (void)snprintf(
        line, sizeof(line), "udatsu alarm watch --once --exec %s --state %s", script, state);
    for (uint32_t i = 0; i < 3; i++) {
        cr_assert_eq(cell_run(line), EXIT_DONE, "%s", cell_err);
    }
    cell_write(script, "#!/bin/sh\nexit 1\n"); /* A hook that fails is tried again next time. */
    cr_assert_eq(cell_run(line), EXIT_FAILED); /* Who looks once must learn of it. */
    cr_assert_not_null(strstr(cell_err, "not delivered"));
    cr_assert_not_null(strstr(cell_err, "/hook: exit status 1"), "%s", cell_err);
    cell_write(script, text);
    cr_assert_eq(cell_run(line), EXIT_DONE);
    cell_stop(&server);
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
    cr_assert_eq(cell_run("udatsu alarm watch --once --exec relative"), EXIT_USAGE);
    cr_assert_eq(cell_run("udatsu alarm watch --once --exec /nonexistent/hook"), EXIT_USAGE);
    cr_assert_eq(cell_run("udatsu alarm watch --once --webhook http://plain"), EXIT_USAGE);
    (void)unlink(script);
    (void)unlink(log);
    (void)unlink(state);
}

Test(cli_client, a_token_is_registered_by_its_digest_only)
{
    struct server server;
    const struct step steps[] = { { 202, NULL, OPERATION("done") } };
    cell_start(&server, steps, 1);
    cell_use(&server, NULL);
    cr_assert_eq(cell_run("udatsu node token n4 --rack r1 --ttl 10m"), EXIT_DONE, "%s", cell_err);
    cr_assert_eq(strncmp(cell_out, "udatsu-token-1.", 15), 0);
    cr_assert_eq(strncmp(server.seen[0].body, "{\"kind\":\"node\",\"secret_sha256\":\"", 32), 0);
    cr_assert_not_null(strstr(
        server.seen[0].body, ",\"name\":\"n4\",\"place\":{\"rack\":\"r1\"},\"ttl_seconds\":600}"));
    /* Without a CA to pin there is no token. */
    (void)unlink(cell_ca);
    cr_assert_eq(cell_run("udatsu node token n4"), EXIT_USAGE);
    cr_assert_eq(server.seen_count, 1);
    cell_stop(&server);
}

Test(cli_client, the_console_is_printed_whole_and_the_api_hatch_sends_what_it_is_given)
{
    struct server server;
    const struct step steps[] = {
        { 200, NULL, "{\"data\":\"6865\",\"offset\":0,\"size\":5}" },
        { 200, NULL, "{\"data\":\"6c6c6f\",\"offset\":2,\"size\":5}" },
        { 200, NULL, "{\"responses\":[]}" },
    };
    cell_start(&server, steps, 3);
    cell_use(&server, NULL);
    cr_assert_eq(cell_run("udatsu vm console w --tenant a"), EXIT_DONE);
    cr_assert_str_eq(cell_out, "hello");
    cr_assert_eq(cell_run("udatsu api POST /v1/batch --body {\"requests\":[]}"), EXIT_DONE);
    cr_assert_str_eq(server.seen[2].body, "{\"requests\":[]}");
    cr_assert_str_eq(server.seen[2].url, "/v1/batch");
    cr_assert_eq(cell_run("udatsu api PATCH /v1/batch"), EXIT_USAGE);
    cr_assert_eq(cell_run("udatsu api GET v1"), EXIT_USAGE);
    cr_assert_eq(cell_run("udatsu api POST /v1/batch --body {"), EXIT_USAGE);
    cr_assert_eq(server.seen_count, 3);
    cell_stop(&server);
}

Test(cli_client, a_dry_run_asks_where_it_would_go_and_changes_nothing)
{
    struct server server;
    const struct step steps[] = { { 200, NULL, "{\"verdict\":\"It fits.\",\"node\":\"n2\"}" } };
    cell_start(&server, steps, 1);
    cell_use(&server, NULL);
    cr_assert_eq(
        cell_run("udatsu vm create w --tenant a --image i --vcpus 1 --memory 64M --dry-run"),
        EXIT_DONE);
    cr_assert_str_eq(server.seen[0].url, "/v1/explain/capacity");
    cr_assert_str_eq(server.seen[0].key, "");
    cr_assert_str_eq(
        server.seen[0].body,
        "{\"trial\":{\"name\":\"w\",\"image\":\"i\",\"vcpus\":1,\"memory_bytes\":67108864,"
        "\"tenant\":\"a\"}}");
    cr_assert_not_null(strstr(cell_out, "node: n2"));
    cell_stop(&server);
}

Test(cli_client, a_cell_that_never_answers_is_unreachable_in_the_time_given)
{
    struct server first;
    struct server second;
    const struct step never[] = { { 503, "0", NO_LEADER } };
    cell_start(&first, never, 1);
    cell_start(&second, never, 1);
    cell_use(&first, &second);
    cr_assert_eq(cell_run("udatsu tenant create acme --timeout 0"), EXIT_UNREACHABLE);
    cr_assert_eq(first.seen_count, 1, "one round in any case");
    cr_assert_eq(second.seen_count, 1);
    cr_assert_not_null(strstr(cell_err, first.seen[0].key), "the key to repeat it with is said");
    cell_stop(&first);
    cell_stop(&second);
}
