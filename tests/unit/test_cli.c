/* The command line without a cell: what is understood, what is refused, how answers look. */
#include "base/check.h"
#include "cli/args.h"
#include "cli/base64.h"
#include "cli/exits.h"
#include "cli/grid.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/problem.h"
#include "cli/request.h"
#include "cli/session.h"
#include "cli/token.h"
#include "cli/words.h"
#include "cli/yaml.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORDS_MAX = 32 };

/* Splits at spaces; the words live in `room`. */
static int split(const char *line, char *room, size_t size, char *words[WORDS_MAX])
{
    int count = 0;
    cr_assert_lt(strlen(line), size);
    memcpy(room, line, strlen(line) + 1);
    char *save = NULL;
    for (char *word = strtok_r(room, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
        cr_assert_lt(count, WORDS_MAX - 1);
        words[count] = word;
        count++;
    }
    words[count] = NULL;
    return count;
}

static char room[4096];

static bool parse(const char *line, struct invocation *invocation)
{
    char *words[WORDS_MAX];
    int count = split(line, room, sizeof(room), words);
    return args_parse(count, words, invocation);
}

static char out_text[256 * 1024];
static char err_text[16 * 1024];

/* Runs the whole command; what it said is in out_text and err_text. */
static enum exit_status run(const char *line)
{
    char *words[WORDS_MAX];
    int count = split(line, room, sizeof(room), words);
    FILE *out = fmemopen(out_text, sizeof(out_text), "w");
    FILE *err = fmemopen(err_text, sizeof(err_text), "w");
    memset(out_text, 0, sizeof(out_text));
    memset(err_text, 0, sizeof(err_text));
    enum exit_status status = session_run(count, words, out, err);
    (void)fclose(out);
    (void)fclose(err);
    return status;
}

static void clean_environment(void)
{
    static const char *const names[] = {
        "UDATSU_ENDPOINTS", "UDATSU_CA",      "UDATSU_CERT", "UDATSU_KEY",  "UDATSU_TENANT",
        "UDATSU_OUTPUT",    "UDATSU_CONTEXT", "LC_ALL",      "LC_MESSAGES", "LANG",
    };
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        (void)unsetenv(names[i]);
    }
    (void)setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
    (void)setlocale(LC_CTYPE, "C.UTF-8");
}

TestSuite(cli, .init = clean_environment);

/* ---- The table ---- */

Test(cli, every_row_of_the_table_is_well_formed)
{
    for (const struct verb *verb = verbs; verb->noun != NULL; verb++) {
        char name[32];
        bool optional = false;
        cr_assert_eq(verbs_find(verb->noun, verb->verb), verb, "%s twice", verb->noun);
        cr_assert_not_null(verb->flags);
        cr_assert_not_null(verb->operands);
        cr_assert((verb->action == ACTION_REST) == (verb->method != NULL));
        cr_assert((verb->traits & TRAIT_LIST) == 0 || verb->columns != NULL);
        cr_assert(verb->method == NULL || verb->path[0] == '/');
        for (uint32_t i = 0; verbs_operand(verb, i, name, sizeof(name), &optional); i++) {
            cr_assert_lt(i, ARGS_OPERANDS_MAX);
        }
        for (const struct flag *flag = verb->flags; flag->name != NULL; flag++) {
            cr_assert_eq(verbs_flag(verb, flag->name, strlen(flag->name)), flag);
            cr_assert_null(verbs_flag(NULL, flag->name, strlen(flag->name)), "%s", flag->name);
            cr_assert_not_null(flag->en);
            cr_assert_not_null(flag->ja);
        }
    }
}

Test(cli, flags_stand_anywhere_and_aliases_mean_their_noun)
{
    struct invocation invocation;
    cr_assert(parse("udatsu -o json vm --tenant acme ls --label a=b --label=c=d", &invocation));
    cr_assert_str_eq(invocation.verb->noun, "instance");
    cr_assert_str_eq(args_text(&invocation, "output"), "json");
    cr_assert_str_eq(args_text(&invocation, "tenant"), "acme");
    cr_assert_str_eq(args_text(&invocation, "label"), "c=d");
    cr_assert_eq(invocation.values_count, 4);
}

Test(cli, what_the_table_does_not_know_is_refused_with_the_word)
{
    static const char *const lines[][2] = {
        { "udatsu frobnicate ls", "frobnicate" },
        { "udatsu node frobnicate", "frobnicate" },
        { "udatsu node", "node" },
        { "udatsu node show", "NAME" },
        { "udatsu node show a b", "b" },
        { "udatsu node ls --colour", "--colour" },
        { "udatsu node ls -o xml", "xml" },
        { "udatsu node ls -o", "-o" },
        { "udatsu node ls -o json -o json", "output" },
        { "udatsu node ls --yes=1", "--yes=1" },
        { "udatsu network create n --tenant t", "cidr" },
        { "udatsu instance create n --image i --vcpus 1", "memory" },
        { "udatsu user create n --role root", "root" },
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        struct invocation invocation;
        cr_assert_not(parse(lines[i][0], &invocation), "%s", lines[i][0]);
        cr_assert_not_null(
            strstr(invocation.message, lines[i][1]), "%s: %s", lines[i][0], invocation.message);
        cr_assert_eq(run(lines[i][0]), EXIT_USAGE);
        cr_assert_eq(out_text[0], '\0');
    }
}

Test(cli, values_are_exactly_of_their_form)
{
    uint64_t value = 0;
    cr_assert(args_bytes("512M", &value) && value == 512U << 20);
    cr_assert(args_bytes("2GiB", &value) && value == UINT64_C(2) << 30);
    cr_assert(args_bytes("7", &value) && value == 7);
    cr_assert(args_seconds("90", &value) && value == 90);
    cr_assert(args_seconds("5m", &value) && value == 300);
    cr_assert(args_seconds("1d", &value) && value == 86400);
    cr_assert(args_time("2026-01-31T12:00:00Z"));
    static const char *const bad[] = { "",   "-1", "2GB",      "1.5G", "M", "99999999999999999999",
                                       "1 ", "+1", "20000000T" };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        cr_assert_not(args_bytes(bad[i], &value), "%s", bad[i]);
        cr_assert_not(args_number(bad[i], &value), "%s", bad[i]);
    }
    cr_assert_not(args_seconds("5 m", &value));
    cr_assert_not(args_seconds("5w", &value));
    cr_assert_not(args_time("yesterday"));
    cr_assert_not(args_time(" 2026-1- 1T1:1:1Z")); /* strptime takes it. */
    cr_assert_not(args_time("2026-01-31T12:00:00+09:00"));
    cr_assert_not(args_choice("restart|stop", "res"));
}

/* ---- Requests ---- */

static bool build(const char *line, struct request *request, struct invocation *invocation)
{
    struct settings settings;
    memset(request, 0, sizeof(*request));
    return parse(line, invocation) && settings_resolve(invocation, &settings) &&
           request_build(invocation, &settings, request);
}

static void expect_request(const char *line, const char *path, const char *body)
{
    struct invocation invocation;
    struct request request;
    cr_assert(build(line, &request, &invocation), "%s: %s", line, invocation.message);
    cr_assert_str_eq(request.path, path);
    char *text = doc_dump(request.body);
    cr_assert_str_eq(text, body);
    free(text);
    request_free(&request);
}

Test(cli, requests_are_what_the_table_says)
{
    expect_request("udatsu node ls", "/v1/nodes", "{}");
    expect_request("udatsu node ls --consistency stale", "/v1/nodes?consistency=stale", "{}");
    expect_request(
        "udatsu tenant create acme --floor vcpus=4,memory=8G --cap instances=10",
        "/v1/tenants",
        "{\"name\":\"acme\",\"floor\":{\"vcpus\":4,\"memory_bytes\":8589934592},"
        "\"cap\":{\"instances\":10}}");
    expect_request("udatsu instance ls", "/v1/instances", "{}");
    expect_request("udatsu instance ls --tenant a", "/v1/tenants/a/instances", "{}");
    expect_request(
        "udatsu instance ls --tenant a --label k=v/w --project p",
        "/v1/tenants/a/instances?label=k%3Dv%2Fw&project=p",
        "{}");
    expect_request(
        "udatsu vm create w --tenant a --image i --vcpus 2 --memory 256M --network n1 --network n2 "
        "--label k=v --stopped",
        "/v1/tenants/a/instances",
        "{\"name\":\"w\",\"image\":\"i\",\"vcpus\":2,\"memory_bytes\":268435456,"
        "\"networks\":[\"n1\",\"n2\"],\"labels\":[{\"key\":\"k\",\"value\":\"v\"}],"
        "\"stopped\":true}");
    expect_request("udatsu vm start w --tenant a", "/v1/tenants/a/instances/w:start", "{}");
    expect_request("udatsu user revoke u", "/v1/users/u:revoke", "{}");
    expect_request("udatsu quota show acme", "/v1/tenants/acme/quota", "{}");
    expect_request(
        "udatsu quota set --tenant a --project p --cap vcpus=1,memory=1G,instances=1,networks=1",
        "/v1/tenants/a/projects/p/quota",
        "{\"cap\":{\"vcpus\":1,\"memory_bytes\":1073741824,\"instances\":1,\"networks\":1}}");
    expect_request(
        "udatsu user create u --role tenant --tenant a",
        "/v1/users",
        "{\"name\":\"u\",\"role\":\"tenant\",\"tenant\":\"a\"}");
    expect_request(
        "udatsu explain instance w --tenant a", "/v1/explain/tenants/a/instances/w", "{}");
    /* A name cannot climb out of its slot. */
    expect_request("udatsu node show ../tenants", "/v1/nodes/..%2Ftenants", "{}");
}

Test(cli, requests_with_bad_values_are_not_built)
{
    static const char *const lines[] = {
        "udatsu network ls x",
        "udatsu network show n",
        "udatsu tenant create a --cap vcpus=x",
        "udatsu tenant create a --cap vcpus=1,vcpus=2",
        "udatsu tenant create a --cap disks=1",
        "udatsu vm create w --tenant a --image i --vcpus two --memory 1G",
        "udatsu vm create w --tenant a --image i --vcpus 2 --memory 1GB",
        "udatsu vm create w --tenant a --image i --vcpus 2 --memory 1G --label nolabel",
        "udatsu image create i --kernel /nonexistent --initramfs /nonexistent",
        "udatsu user create u --role tenant",
        "udatsu audit ls --from yesterday",
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        struct invocation invocation;
        struct request request;
        cr_assert_not(build(lines[i], &request, &invocation), "%s", lines[i]);
        cr_assert_neq(invocation.message[0], '\0');
        cr_assert_eq(run(lines[i]), EXIT_USAGE, "%s", lines[i]);
    }
}

Test(cli, a_file_is_sent_as_its_digest)
{
    char path[] = "/tmp/udatsu-cli-XXXXXX";
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, "abc", 3), 3);
    (void)close(fd);
    char line[256];
    (void)snprintf(
        line, sizeof(line), "udatsu image create i --kernel %s --initramfs %s", path, path);
    static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    char body[256];
    (void)snprintf(
        body,
        sizeof(body),
        "{\"name\":\"i\",\"kernel_sha256\":\"%s\",\"initramfs_sha256\":\"%s\"}",
        abc,
        abc);
    expect_request(line, "/v1/images", body);
    (void)unlink(path);
}

/* ---- Columns and help ---- */

Test(cli, columns_are_chosen_before_anything_is_asked_for)
{
    static const char *const refused[] = {
        "udatsu node ls --columns name,nothing", "udatsu node ls --columns name,NAME",
        "udatsu node ls --columns name,",        "udatsu node ls --columns name -o json",
        "udatsu cluster status --columns name",
    };
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        cr_assert_eq(run(refused[i]), EXIT_USAGE, "%s", refused[i]);
        cr_assert_not_null(strstr(err_text, "--columns"), "%s", refused[i]);
    }
    struct invocation invocation;
    struct columns columns;
    cr_assert(parse("udatsu vm ls --columns ADDRESS,name,id", &invocation));
    cr_assert(columns_asked(&invocation, args_text(&invocation, "columns"), &columns));
    cr_assert_str_eq(columns.list[0].path, "nics.0.address");
    cr_assert_str_eq(columns.list[2].path, "id");
    cr_assert_null(columns.list[3].path);
    columns_usual(invocation.verb->columns, OUTPUT_TABLE, false, &columns);
    cr_assert_str_eq(columns.list[0].path, "name");
    columns_usual(invocation.verb->columns, OUTPUT_TABLE, true, &columns);
    cr_assert_str_eq(columns.list[0].path, "tenant", "whose it is, in a list over all tenants");
}

Test(cli, help_completion_and_manual_come_from_the_table)
{
    cr_assert_eq(run("udatsu"), EXIT_DONE);
    cr_assert_eq(run("udatsu help instance"), EXIT_DONE);
    cr_assert_not_null(strstr(out_text, "instance console NAME"));
    cr_assert_null(strstr(out_text, "node ls"));
    cr_assert_eq(run("udatsu instance create --help --lang ja"), EXIT_DONE);
    cr_assert_not_null(strstr(out_text, "(必須)"));
    cr_assert_eq(run("udatsu instance ls --help"), EXIT_DONE);
    cr_assert_not_null(strstr(out_text, " nics.0.address "));
    cr_assert_eq(run("udatsu help frobnicate"), EXIT_USAGE);
    cr_assert_eq(run("udatsu completion bash"), EXIT_DONE);
    cr_assert_not_null(strstr(out_text, "'instance create') words='--image "));
    cr_assert_eq(run("udatsu completion zsh"), EXIT_DONE);
    cr_assert_eq(run("udatsu completion fish"), EXIT_DONE);
    cr_assert_eq(run("udatsu completion csh"), EXIT_USAGE);
    cr_assert_eq(run("udatsu man"), EXIT_DONE);
    for (const struct verb *verb = verbs; verb->noun != NULL; verb++) {
        char heading[80];
        (void)snprintf(heading, sizeof(heading), ".Ss udatsu %s %s", verb->noun, verb->verb);
        cr_assert_not_null(strstr(out_text, heading), "%s", heading);
    }
    cr_assert_eq(run("udatsu version"), EXIT_DONE);
}

/* ---- Refusals ---- */

Test(cli, destroying_without_a_terminal_needs_yes)
{
    cr_assert_eq(dup2(open("/dev/null", 0), STDIN_FILENO), STDIN_FILENO);
    cr_assert_eq(run("udatsu vm delete w --tenant a --endpoints 127.0.0.1:1"), EXIT_USAGE);
    cr_assert_not_null(strstr(err_text, "--yes"));
    /* With --yes the guard is off and the request goes out: here, to nobody. */
    cr_assert_eq(run("udatsu vm delete w --tenant a --yes"), EXIT_USAGE);
    cr_assert_not_null(strstr(err_text, "no endpoint is known"));
}

/* ---- Contexts ---- */

Test(cli, flags_win_over_the_environment_over_the_context)
{
    char home[] = "/tmp/udatsu-cli-XXXXXX";
    char path[128];
    cr_assert_not_null(mkdtemp(home));
    (void)setenv("XDG_CONFIG_HOME", home, 1);
    cr_assert_eq(
        run("udatsu context add lab --endpoints c1:8443,https://c2:8443/ --tenant acme"),
        EXIT_DONE);
    cr_assert_eq(run("udatsu context add other --endpoints x:1"), EXIT_DONE);
    cr_assert_eq(run("udatsu context ls -o csv"), EXIT_DONE);
    cr_assert_not_null(strstr(out_text, "lab,true,\"https://c1:8443,https://c2:8443\",acme"));
    struct invocation invocation;
    struct settings settings;
    cr_assert(parse("udatsu node ls", &invocation));
    cr_assert(settings_resolve(&invocation, &settings));
    cr_assert_eq(settings.endpoints_count, 2);
    cr_assert_str_eq(settings.tenant, "acme");
    (void)setenv("UDATSU_TENANT", "umbrella", 1);
    cr_assert(settings_resolve(&invocation, &settings));
    cr_assert_str_eq(settings.tenant, "umbrella");
    cr_assert(parse("udatsu node ls --tenant flag --context other", &invocation));
    cr_assert(settings_resolve(&invocation, &settings));
    cr_assert_str_eq(settings.tenant, "flag");
    cr_assert_str_eq(settings.endpoints[0], "https://x:1");
    cr_assert(parse("udatsu node ls --context nowhere", &invocation));
    cr_assert_not(settings_resolve(&invocation, &settings));
    cr_assert_eq(run("udatsu context use nowhere"), EXIT_NOT_FOUND);
    cr_assert_eq(run("udatsu context use other"), EXIT_DONE);
    cr_assert_eq(run("udatsu context add bad --endpoints http://plain:1"), EXIT_USAGE);
    cr_assert_eq(run("udatsu context add bad --endpoints /"), EXIT_USAGE);
    cr_assert_eq(run("udatsu context add bad --endpoints https:///"), EXIT_USAGE);
    (void)snprintf(path, sizeof(path), "%s/udatsu/config", home);
    FILE *file = fopen(path, "w");
    (void)fputs("not json", file);
    (void)fclose(file);
    cr_assert_eq(run("udatsu node ls"), EXIT_USAGE);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/udatsu", home);
    (void)rmdir(path);
    (void)rmdir(home);
}
