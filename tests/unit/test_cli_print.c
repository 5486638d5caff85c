/* How answers and refusals look: seven forms, two languages, one sentence each. */
#include "base/check.h"
#include "cli/columns.h"
#include "cli/exits.h"
#include "cli/output.h"
#include "cli/problem.h"
#include "cli/words.h"
#include "cli/yaml.h"

#include <criterion/criterion.h>
#include <locale.h>
#include <string.h>

static char out_text[64 * 1024];

static void begin(void)
{
    (void)setlocale(LC_ALL, "C.UTF-8");
    words_choose(LANGUAGE_EN);
}

TestSuite(cli_print, .init = begin);

Test(cli_print, japanese_text_lines_up_by_its_width)
{
    cr_assert_eq(grid_width("abc"), 3);
    cr_assert_eq(grid_width("名前"), 4);
    cr_assert_eq(grid_width("ｱ"), 1);
    struct grid *grid = grid_new(2);
    static const char *const cells[] = { "名前", "B", "a", "b", "長い名前", "c" };
    for (size_t i = 0; i < COUNT_OF(cells); i++) {
        cr_assert(grid_put(grid, cells[i]));
    }
    FILE *out = fmemopen(out_text, sizeof(out_text), "w");
    cr_assert(grid_print(out, grid));
    (void)fclose(out);
    cr_assert_str_eq(out_text, "名前      B\na         b\n長い名前  c\n");
    grid_free(grid);
}

Test(cli_print, no_control_character_reaches_the_terminal)
{
    struct grid *grid = grid_new(1);
    cr_assert(grid_put(grid, "a\033[31mb\x80\n\tc"));
    FILE *out = fmemopen(out_text, sizeof(out_text), "w");
    cr_assert(grid_print(out, grid));
    (void)fclose(out);
    cr_assert_str_eq(out_text, "a?[31mb???c\n");
    grid_free(grid);
}

static void print_sample(enum output_format format)
{
    static const char text[] = "[{\"name\":\"n1\",\"liveness\":\"alive\",\"memory_bytes\":1536,"
                               "\"place\":{\"rack\":\"=r,1\"},\"vcpus\":2}]";
    struct json_t *items = doc_parse(text, strlen(text));
    struct columns columns;
    columns_usual(verbs_find("node", "ls")->columns, format, false, &columns);
    FILE *out = fmemopen(out_text, sizeof(out_text), "w");
    memset(out_text, 0, sizeof(out_text));
    cr_assert(output_list(out, format, columns.list, items));
    (void)fclose(out);
    doc_free(items);
}

Test(cli_print, one_answer_has_seven_forms)
{
    print_sample(OUTPUT_TABLE);
    cr_assert_not_null(strstr(out_text, "1.5 KiB"));
    cr_assert_null(strstr(out_text, "UNDERLAY"));
    print_sample(OUTPUT_WIDE);
    cr_assert_not_null(strstr(out_text, "UNDERLAY"));
    print_sample(OUTPUT_NAME);
    cr_assert_str_eq(out_text, "n1\n");
    print_sample(OUTPUT_JSON);
    cr_assert_eq(out_text[0], '[');
    cr_assert_not_null(strstr(out_text, "\"memory_bytes\": 1536"));
    print_sample(OUTPUT_JSONL);
    cr_assert_eq(out_text[0], '{');
    cr_assert_eq(strchr(out_text, '\n'), out_text + strlen(out_text) - 1);
    print_sample(OUTPUT_CSV);
    cr_assert_eq(strncmp(out_text, "name,liveness,place.rack", 24), 0);
    cr_assert_not_null(strstr(out_text, "n1,alive,\"'=r,1\","));
    print_sample(OUTPUT_YAML);
    cr_assert_not_null(strstr(out_text, "- name: n1\n  liveness: alive\n"));
    cr_assert_not_null(strstr(out_text, "  place:\n    rack: \"=r,1\"\n"));
    words_choose(LANGUAGE_JA);
    print_sample(OUTPUT_TABLE);
    cr_assert_not_null(strstr(out_text, "名前"));
    print_sample(OUTPUT_JSON); /* Keys are never translated. */
    cr_assert_not_null(strstr(out_text, "\"name\""));
}

Test(cli_print, yaml_quotes_what_could_be_taken_for_something_else)
{
    static const char text[] =
        "{\"a\":\"no\",\"b\":\"1\",\"c\":\"x: y\",\"d\":[],\"e\":[[1,2],{\"f\":true}],\"g\":\"\"}";
    struct json_t *doc = doc_parse(text, strlen(text));
    FILE *out = fmemopen(out_text, sizeof(out_text), "w");
    cr_assert(yaml_print(out, doc));
    (void)fclose(out);
    cr_assert_str_eq(
        out_text,
        "a: \"no\"\nb: \"1\"\nc: \"x: y\"\nd: []\ne:\n  - - 1\n    - 2\n  - f: true\ng: \"\"\n");
    doc_free(doc);
}

Test(cli_print, every_status_has_its_exit)
{
    static const struct {
        const char *code;
        uint64_t status;
        enum exit_status exit;
    } rows[] = {
        { "denied", 403, EXIT_DENIED },
        { "revoked", 401, EXIT_DENIED },
        { "not-found", 404, EXIT_NOT_FOUND },
        { "quota-exceeded", 409, EXIT_CONFLICT },
        { "quota-exceeded", 0, EXIT_CONFLICT },
        { "precondition-failed", 0, EXIT_CONFLICT },
        { "no-leader", 503, EXIT_UNREACHABLE },
        { "outcome-unknown", 503, EXIT_UNREACHABLE },
        { "malformed", 400, EXIT_USAGE },
        { "unsupported", 422, EXIT_FAILED },
        { "idempotency-key-reused", 422, EXIT_CONFLICT },
        { "table-full", 507, EXIT_FAILED },
        { NULL, 428, EXIT_CONFLICT },
        { NULL, 500, EXIT_FAILED },
        { "a-code-of-tomorrow", 0, EXIT_FAILED },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        cr_assert_eq(problem_exit(rows[i].code, rows[i].status), rows[i].exit, "%s", rows[i].code);
    }
}

Test(cli_print, a_problem_is_said_in_one_sentence_each)
{
    static const char text[] =
        "{\"code\":\"quota-exceeded\",\"detail\":\"The cap would be passed.\",\"status\":409,"
        "\"dimension\":\"instances\",\"limit\":10,\"usage\":10,\"requested\":1,"
        "\"holder\":\"acme\",\"request_id\":\"r-1\"}";
    struct json_t *doc = doc_parse(text, strlen(text));
    FILE *err = fmemopen(out_text, sizeof(out_text), "w");
    cr_assert_eq(problem_of_doc(err, doc, ""), EXIT_CONFLICT);
    (void)fclose(err);
    cr_assert_str_eq(
        out_text,
        "udatsu: The cap would be passed. (quota-exceeded)\n"
        "  why: dimension=instances limit=10 usage=10 requested=1 holder=acme\n"
        "  next: udatsu quota show\n"
        "  request: r-1\n");
    doc_free(doc);
}
