/* Histories as files: what is written is read back alike, and what is not known is refused. */
#include "tests/history/lines.h"

#include "base/check.h"
#include "tests/history/tale.h"
#include "tests/history/toy.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static char *text_of(const struct history *history, size_t *size_out)
{
    char *text = NULL;
    FILE *file = open_memstream(&text, size_out);
    struct result written = lines_write(history, 7, file);
    cr_assert_eq(written.code, 0);
    (void)fclose(file);
    return text;
}

Test(lines, what_is_written_is_read_back_alike)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        static const struct toy_size size = { 4, 6, 300, 3 };
        struct history *history = tale_new();
        struct history *again = tale_new();
        size_t count = 0;
        size_t count_again = 0;
        uint64_t seed_read = 0;
        char why[LINES_WHY] = "";
        toy_play(history, seed, &size, TOY_TRUTH);
        char *text = text_of(history, &count);
        FILE *file = fmemopen(text, count, "r");
        struct result read = lines_read(file, again, &seed_read, why);
        (void)fclose(file);
        cr_assert_eq(read.code, 0, "%s", why);
        cr_assert_eq(seed_read, 7);
        char *text_again = text_of(again, &count_again);
        cr_assert_eq(count, count_again);
        cr_assert_eq(memcmp(text, text_again, count), 0);
        for (uint32_t i = 0; i < HISTORY_CHECKERS; i++) {
            struct history_verdict verdict = history_check(again, i);
            cr_assert_eq(verdict.word, HISTORY_CLEAN, "%s", verdict.sentence);
        }
        free(text);
        free(text_again);
        tale_free(history);
        tale_free(again);
    }
}

#define HEAD "{\"udatsu_history\":1}\n"
#define READ "{\"client\":1,\"f\":\"read\",\"kind\":\"instance\",\"object\":\"a\",\"invoke\":5,"

Test(lines, what_is_not_known_is_refused)
{
    static const struct {
        const char *text;
        const char *why; /* NULL: it is taken. */
    } cases[] = {
        { HEAD, NULL },
        { HEAD READ "\"return\":6,\"outcome\":\"ok\"}\n", NULL },
        { HEAD READ "\"outcome\":\"info\"}\n", NULL },
        { "", "cannot be read" },
        { "{\"udatsu_history\":2}\n", "line 1: not a history" },
        { "{\"udatsu_history\":1,\"more\":1}\n", "line 1: not a history" },
        { "{\"udatsu_history\":1,\"seed\":\"18446744073709551615\"}\n", NULL },
        { "{\"udatsu_history\":1,\"seed\":\"7\"}\n", "line 1: not a history" },
        { HEAD READ "\"return\":6,\"outcome\":\"ok\",\"id\":\"9223372036854775808\"}\n", NULL },
        { HEAD READ "\"return\":6,\"outcome\":\"ok\",\"id\":\"9223372036854775807\"}\n", "id" },
        { HEAD READ "\"return\":6,\"outcome\":\"ok\",\"id\":\"18446744073709551616\"}\n", "id" },
        { HEAD READ "\"return\":6,\"outcome\":\"ok\",\"account\":\"\\u001b[2J\"}\n", "account" },
        { HEAD READ "\"return\":6,\"outcome\":\"ok\",\"key\":\"k\"}\n", "does not fit" },
        { HEAD "{\"client\":4294967296,\"f\":\"list\",\"kind\":\"network\",\"outcome\":\"info\"}\n",
          "client" },
        { HEAD "{\"f\":\"read\",\"kind\":\"value\",\"outcome\":\"info\"}\n", "does not fit" },
        { HEAD "{\"f\":\"set\",\"kind\":\"network\",\"object\":\"a\",\"outcome\":\"info\"}\n",
          "does not fit" },
        { HEAD "[]\n", "line 2: not a JSON object" },
        { HEAD "{} {}\n", "line 2: not a JSON object" },
        { HEAD READ "\"return\":6,\"outcome\":\"ok\",\"mood\":1}\n", "not known" },
        { HEAD READ "\"return\":6,\"return\":7,\"outcome\":\"ok\"}\n", "not a JSON object" },
        { HEAD READ "\"return\":4,\"outcome\":\"ok\"}\n", "does not fit" },
        { HEAD READ "\"outcome\":\"ok\"}\n", "does not fit" },
        { HEAD READ "\"return\":6,\"outcome\":\"info\"}\n", "does not fit" },
        { HEAD READ "\"return\":6,\"outcome\":\"fail\"}\n", "does not fit" },
        { HEAD READ "\"return\":6,\"outcome\":\"ok\",\"refusal\":\"taken\"}\n", "does not fit" },
        { HEAD READ "\"return\":6,\"outcome\":\"perhaps\"}\n", "does not fit" },
        { HEAD READ "\"return\":6,\"outcome\":\"ok\",\"whole\":true}\n", "does not fit" },
        { HEAD READ "\"return\":-6,\"outcome\":\"ok\"}\n", "return" },
        { HEAD READ "\"return\":\"6\",\"outcome\":\"ok\"}\n", "return" },
        { HEAD READ "\"return\":6,\"outcome\":\"ok\",\"id\":1.5}\n", "id" },
        { HEAD READ "\"return\":6,\"outcome\":\"ok\",\"charged\":[1]}\n", "charged" },
        { HEAD READ "\"return\":6,\"outcome\":\"ok\",\"sights\":[{\"kind\":\"instance\"}]}\n",
          "sights" },
        { HEAD READ "\"return\":6,\"outcome\":\"ok\",\"sights\":[{\"kind\":\"instance\","
                    "\"object\":\"a\",\"stage\":\"asleep\"}]}\n",
          "sights" },
        { HEAD READ "\"return\":6,\"outcome\":\"ok\",\"touches\":[{\"element\":1}]}\n", "touches" },
        { HEAD READ "\"return\":6,\"outcome\":\"ok\",\"touches\":[{\"append\":\"x\","
                    "\"newest\":\"x\"}]}\n",
          "touches" },
        { HEAD READ "\"return\":6,\"outcome\":\"ok\",\"touches\":[{\"seen\":\"x\"}]}\n",
          "touches" },
        { HEAD READ "\"return\":6,\"outcome\":\"ok\",\"touches\":{}}\n", "touches" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct history *history = tale_new();
        char why[LINES_WHY] = "";
        uint64_t seed = 0;
        char text[512];
        (void)snprintf(text, sizeof(text), "%s", cases[i].text);
        FILE *file = fmemopen(text, strlen(text) + (text[0] == '\0' ? 1 : 0), "r");
        (void)(text[0] == '\0' && fgetc(file) == 0); /* An empty one cannot be opened. */
        struct result read = lines_read(file, history, &seed, why);
        (void)fclose(file);
        cr_expect_eq(read.code == 0, cases[i].why == NULL, "%s: %s", cases[i].text, why);
        cr_expect(
            cases[i].why == NULL || strstr(why, cases[i].why) != NULL,
            "%s: %s",
            cases[i].text,
            why);
        tale_free(history);
    }
}

/* The file, and how large a history of it may be. */
static struct history_limits limits_of(char *text, size_t size)
{
    struct history_limits limits;
    FILE *file = fmemopen(text, size, "r");
    bool measured = lines_measure(file, &limits);
    (void)fclose(file);
    cr_assert(measured);
    cr_assert_leq(history_memory(&limits), size * LINES_FACTOR + 4096);
    return limits;
}

Test(lines, memory_is_counted_and_in_proportion)
{
    static const char *const lines[] = {
        "{\"f\":\"list\",\"kind\":\"value\",\"outcome\":\"info\"}\n",
        "{\"f\":\"list\",\"kind\":\"value\",\"outcome\":\"info\",\"touches\":[{\"newest\":\"x\"},"
        "{\"newest\":\"y\"},{\"seen\":\"z\",\"elements\":[1,2,3,4,5,6,7,8,9]}]}\n",
        "{\"f\":\"list\",\"kind\":\"value\",\"outcome\":\"info\",\"sights\":[{\"kind\":\"value\","
        "\"object\":\"a\",\"stage\":\"there\"}]}\n",
        "{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,"
        "\n",
        "{}\n",
    };
    enum { MANY = 2000, ROOM = 1 << 19 };
    char *text = malloc(ROOM);
    CHECK(text != NULL);
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        size_t size = (size_t)snprintf(text, ROOM, HEAD);
        for (uint32_t k = 0; k < MANY; k++) {
            size += (size_t)snprintf(text + size, ROOM - size, "%s", lines[i]);
        }
        struct history_limits limits = limits_of(text, size);
        struct history history;
        uint64_t seed = 0;
        char why[LINES_WHY] = "";
        void *memory = calloc(1, history_memory(&limits));
        CHECK(memory != NULL);
        history_init(&history, &limits, memory);
        FILE *file = fmemopen(text, size, "r");
        struct result read = lines_read(file, &history, &seed, why);
        (void)fclose(file);
        cr_expect_eq(read.code == 0, i < 3, "%s: %s", lines[i], why);
        cr_expect_eq(history.full, false);
        cr_expect(i >= 3 || history.events_count == MANY, "%u", history.events_count);
        free(memory);
    }
    free(text);
}

Test(lines, a_line_is_bounded_and_no_byte_of_it_is_hidden)
{
    enum { SIZE = (1 << 20) + 100 };
    char *text = malloc(SIZE);
    CHECK(text != NULL);
    memset(text, ' ', SIZE);
    memcpy(text, HEAD, sizeof(HEAD) - 1);
    static const char hidden[] = HEAD READ "\"outcome\":\"info\"}\0 {\n";
    const struct {
        const char *text;
        size_t size;
        const char *why;
    } cases[] = { { text, SIZE, "line 2: too long" },
                  { hidden, sizeof(hidden) - 1, "line 2: not a JSON object" } };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct history *history = tale_new();
        uint64_t seed = 0;
        char why[LINES_WHY] = "";
        memmove(text, cases[i].text, cases[i].size);
        FILE *file = fmemopen(text, cases[i].size, "r");
        struct result read = lines_read(file, history, &seed, why);
        (void)fclose(file);
        cr_expect_neq(read.code, 0);
        cr_expect_str_eq(why, cases[i].why);
        tale_free(history);
    }
    free(text);
}

Test(lines, a_name_that_is_no_text_is_said_and_not_guessed)
{
    struct history *history = tale_new();
    tale_tell(history, "1 0 1 create a\xc3 ok\n");
    FILE *file = fopen("/dev/null", "we");
    struct result written = lines_write(history, 7, file);
    (void)fclose(file);
    cr_assert_eq(written.code, FAILURE_BAD_INPUT);
    tale_free(history);
}
