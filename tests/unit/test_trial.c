/* What a sweep is, and what a trial leaves: JSON that another reader understands, pictures that are
 * well-formed. */
#include "base/check.h"
#include "tests/sim/svg.h"
#include "tests/sim/trial_out.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static char why[EXPERIMENT_WHY];

/* ---- Sweeps ---- */

Test(trial, a_sweep_is_a_range_of_one_unit_or_a_list)
{
    static const struct {
        const char *text;
        uint32_t count;
        const char *last;
    } cases[] = { { "k=2s..30s/4s", 8, "30s" },
                  { "k=1..5", 5, "5" },
                  { "k=2s..9s/4s", 2, "6s" },
                  { "k=7ms..7ms", 1, "7ms" },
                  { "p=best-fit,worst-fit", 2, "worst-fit" },
                  { "p=x", 1, "x" } };
    static const char *const bad[] = { "k",
                                       "=1..2",
                                       "k=1..2ms",
                                       "k=5..1",
                                       "k=1..9/0",
                                       "k=1..1000",
                                       "k=1.5s..3s",
                                       "k-l=1..2",
                                       "k=\x1b[2J",
                                       "k=\xe9",
                                       "k=,x",
                                       "k=",
                                       "k=1s..3s/1ms",
                                       "averyverylongname=1..2" };
    struct trial_sweep sweep;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        cr_assert(trial_sweep_parse(cases[i].text, &sweep, why), "%s: %s", cases[i].text, why);
        cr_assert_eq(sweep.count, cases[i].count, "%s", cases[i].text);
        cr_assert_str_eq(sweep.texts[sweep.count - 1], cases[i].last);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        cr_assert_not(trial_sweep_parse(bad[i], &sweep, why), "%s", bad[i]);
        cr_assert(strstr(why, "Next: ") != NULL);
    }
}

/* ---- What is left of a trial ---- */

static struct trial_measures measures;

static struct trial_outcome outcome_with(const struct experiment_value *values, uint32_t count)
{
    memset(&measures, 0, sizeof(measures));
    measures.duration_ms = 3000;
    measures.acknowledged = 6;
    measures.goodput[0] = 1;
    measures.goodput[2] = 5;
    measures.latency_max_us = 40000;
    measures.latencies[trial_bucket(1000)] = 5;
    measures.latencies[trial_bucket(40000)] = 1;
    measures.strikes_count = 1;
    measures.strikes[0] =
        (struct trial_strike){ .at_ms = 1500, .for_ms = 250, .words = "cut c1->c2" };
    return (struct trial_outcome){ .experiment = "dir/<a> & \"b\".exp",
                                   .policy = "best-fit",
                                   .seed = 7,
                                   .values = values,
                                   .values_count = count,
                                   .clean = false,
                                   .verdict = "LEDGER \"quoted\" <c2>",
                                   .hash = 0xabc,
                                   .measures = &measures };
}

static char *written(
    bool (*write)(const struct trial_outcome *, FILE *), const struct trial_outcome *it)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    cr_assert(write(it, file));
    cr_assert_eq(fclose(file), 0);
    return text;
}

Test(trial, an_outcome_is_one_line_of_json_that_says_everything)
{
    const struct experiment_value values[] = { { .name = "k", .text = "2s" },
                                               { .name = "p", .text = "worst-fit" } };
    struct trial_outcome outcome = outcome_with(values, 2);
    char *text = written(trial_json_write, &outcome);
    cr_assert_eq(strchr(text, '\n'), text + strlen(text) - 1);
    json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    cr_assert_not_null(object);
    cr_assert_eq(json_integer_value(json_object_get(object, "seed")), 7);
    cr_assert_str_eq(json_string_value(json_object_get(object, "verdict")), "violation");
    cr_assert_str_eq(json_string_value(json_object_get(object, "what")), "LEDGER \"quoted\" <c2>");
    cr_assert_str_eq(json_string_value(json_object_get(object, "trace_hash")), "0000000000000abc");
    const json_t *parameters = json_object_get(object, "parameters");
    cr_assert_leq(json_number_value(json_object_get(parameters, "k")), 2);
    cr_assert_geq(json_number_value(json_object_get(parameters, "k")), 2);
    cr_assert_str_eq(json_string_value(json_object_get(parameters, "p")), "worst-fit");
    cr_assert_str_eq(
        json_string_value(json_object_get(json_object_get(object, "units"), "k")), "s");
    const json_t *second = json_object_get(json_object_get(object, "per_second"), "goodput");
    cr_assert_eq(json_array_size(second), 3);
    cr_assert_eq(json_integer_value(json_array_get(second, 2)), 5);
    cr_assert_eq(json_array_size(json_object_get(object, "faults")), 1);
    json_decref(object);
    free(text);
}

Test(trial, percentiles_are_within_a_bucket_of_what_was_measured)
{
    struct trial_outcome outcome = outcome_with(NULL, 0);
    const uint64_t p50 = trial_percentile(outcome.measures, 500);
    cr_assert(p50 >= 1000 && p50 <= 1016, "%llu", (unsigned long long)p50);
    cr_assert_eq(trial_percentile(outcome.measures, 990), 40000); /* No more than the longest. */
    memset(&measures, 0, sizeof(measures));
    cr_assert_eq(trial_percentile(&measures, 990), 0);
    for (uint64_t us = 1; us < UINT64_C(1) << 40; us = us * 3 + 1) {
        cr_assert_leq(trial_bucket(us), trial_bucket(us + us / 32 + 1));
        cr_assert_lt(trial_bucket(us), TRIAL_BUCKETS);
    }
}

/* Every element that is opened is closed, attributes are quoted, nothing else begins with '<'. */
static bool well_formed(const char *text)
{
    char open[32][32];
    uint32_t depth = 0;
    for (const char *at = strchr(text, '<'); at != NULL; at = strchr(at, '<')) {
        const char *end = strchr(at, '>');
        size_t size = strcspn(at + 1, " />\n");
        if (end == NULL || size >= sizeof(open[0])) {
            return false;
        }
        uint32_t quotes = 0;
        for (const char *c = at; c < end; c++) {
            quotes += *c == '"' ? 1 : 0;
        }
        if (quotes % 2 != 0) {
            return false;
        }
        if (at[1] == '/') {
            size = strcspn(at + 2, " >");
            if (depth == 0 || strncmp(open[depth - 1], at + 2, size) != 0) {
                return false;
            }
            depth--;
        } else if (at[1] != '?' && end[-1] != '/') {
            if (depth == COUNT_OF(open)) {
                return false;
            }
            (void)snprintf(open[depth++], sizeof(open[0]), "%.*s", (int)size, at + 1);
        }
        at = end;
    }
    for (const char *at = strchr(text, '&'); at != NULL; at = strchr(at + 1, '&')) {
        if (strncmp(at, "&lt;", 4) != 0 && strncmp(at, "&gt;", 4) != 0 &&
            strncmp(at, "&amp;", 5) != 0 && strncmp(at, "&quot;", 6) != 0) {
            return false;
        }
    }
    return depth == 0;
}

Test(trial, the_judge_of_pictures_can_refuse)
{
    cr_assert(well_formed("<?xml version=\"1.0\"?><svg><a b=\"c\"/><t>x &lt; y</t></svg>"));
    cr_assert_not(well_formed("<svg><a b=\"c\"></svg>"));
    cr_assert_not(well_formed("<svg><a b=\"c/></svg>"));
    cr_assert_not(well_formed("<svg>a & b</svg>"));
    cr_assert_not(well_formed("<svg>"));
}

Test(trial, a_picture_of_a_trial_is_well_formed_and_names_its_faults)
{
    const struct experiment_value values[] = { { .name = "k", .text = "<2s>" } };
    struct trial_outcome outcome = outcome_with(values, 1);
    char *text = written(plot_trial, &outcome);
    cr_assert(well_formed(text));
    cr_assert(strstr(text, "cut c1-&gt;c2") != NULL);
    cr_assert(strstr(text, "goodput (requests/s)") != NULL);
    cr_assert(strstr(text, "<polyline") != NULL);
    free(text);
    measures.strikes_count = 0; /* Nothing struck, and nothing was done: still a picture. */
    memset(measures.goodput, 0, sizeof(measures.goodput));
    measures.duration_ms = 0;
    text = written(plot_trial, &outcome);
    cr_assert(well_formed(text));
    cr_assert(strstr(text, "nan") == NULL && strstr(text, "inf") == NULL);
    free(text);
}

Test(trial, a_picture_of_a_sweep_has_a_dot_for_each_trial_and_a_line_for_each_policy)
{
    struct trial_sweep sweeps[2];
    struct trial_point points[12];
    cr_assert(trial_sweep_parse("k=2s..10s/4s", &sweeps[0], why));
    cr_assert(trial_sweep_parse("p=best-fit,worst-fit", &sweeps[1], why));
    for (uint32_t i = 0; i < COUNT_OF(points); i++) {
        points[i] = (struct trial_point){ .at = { i % 3, i / 3 % 2 }, .y = i };
    }
    const struct trial_points all = {
        "a.exp", "latency (ms)", sweeps, 2, points, COUNT_OF(points)
    };
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    cr_assert(plot_sweep(&all, file));
    cr_assert_eq(fclose(file), 0);
    cr_assert(well_formed(text));
    uint32_t dots = 0;
    for (const char *at = strstr(text, "<circle"); at != NULL; at = strstr(at + 1, "<circle")) {
        dots++;
    }
    cr_assert_eq(dots, COUNT_OF(points));
    cr_assert(strstr(text, "p = worst-fit") != NULL);
    cr_assert(strstr(text, "k (s)") != NULL);
    free(text);
}

/* The same three points, their values listed in any order. */
Test(trial, a_list_that_does_not_ascend_is_drawn_from_left_to_right)
{
    static const char *const texts[] = { "k=2s,4s,6s", "k=6s,2s,4s", "k=4s,6s,2s" };
    static const uint32_t places[][3] = { { 0, 1, 2 },
                                          { 1, 2, 0 },
                                          { 2, 0, 1 } }; /* Of 2s 4s 6s. */
    char *drawn[3] = { NULL };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct trial_sweep sweep;
        struct trial_point points[3];
        cr_assert(trial_sweep_parse(texts[i], &sweep, why));
        for (uint32_t k = 0; k < 3; k++) {
            points[k] = (struct trial_point){ .at = { places[i][k] }, .y = 10 + k * k };
        }
        const struct trial_points all = { "a.exp", "y", &sweep, 1, points, 3 };
        size_t size = 0;
        FILE *file = open_memstream(&drawn[i], &size);
        cr_assert(plot_sweep(&all, file));
        cr_assert_eq(fclose(file), 0);
        cr_assert_str_eq(drawn[i], drawn[0]);
    }
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        free(drawn[i]);
    }
}

Test(trial, what_is_told_is_clean_text)
{
    static const struct {
        const char *from;
        const char *to;
    } cases[] = { { "a b \xc3\xa9", "a b \xc3\xa9" },
                  { "\x1b[2J", "\\x1B[2J" },
                  { "exp\xe9.exp", "exp\\xE9.exp" },
                  { "\xef\xbf\xbf", "\\xEF\\xBF\\xBF" },
                  { "", "" } };
    char room[64];
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        trial_clean(cases[i].from, room, sizeof(room));
        cr_assert_str_eq(room, cases[i].to);
    }
    trial_clean("abcdefgh", room, 8);
    cr_assert_str_eq(room, "abc"); /* An escape would always have had room. */
}

Test(trial, a_number_is_what_a_file_takes_for_one)
{
    static const char *const words[] = { "1e999", "0x10", "-inf", "nan",
                                         "1.",    "",     "1 s",  "1234567890123" };
    double number = 0;
    const char *unit = "";
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        cr_assert_not(trial_number(words[i], &number, &unit), "%s", words[i]);
    }
    cr_assert(trial_number("-2.5ms", &number, &unit));
    cr_assert_str_eq(unit, "ms");
    cr_assert(number < -2.4 && number > -2.6);
}

Test(trial, what_begins_the_events_of_a_trial_is_json_whatever_its_values_are)
{
    const struct experiment_value values[] = { { .name = "f", .text = "a\"b" } };
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    cr_assert(trial_json_head(7, values, 1, file));
    cr_assert_eq(fclose(file), 0);
    cr_assert_str_eq(text, "{\"seed\":7,\"f\":\"a\\\"b\"}\n");
    free(text);
}

Test(trial, axes_have_round_steps)
{
    cr_assert_leq(svg_step(95, 4), 50);
    cr_assert_geq(svg_step(95, 4), 20);
    char room[24];
    svg_number(12500, room);
    cr_assert_str_eq(room, "12.5k");
    svg_number(0.5, room);
    cr_assert_str_eq(room, "0.5");
}
