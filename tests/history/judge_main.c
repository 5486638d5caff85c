/* udatsu-judge FILE...: a verdict of each checker on each history. Decides only the exit status: 0
 * when every one of them is clean and looked at something, 1 when one is not, 2 when a file is no
 * history. Unknown is not clean. */
#include "base/check.h"
#include "tests/history/history.h"
#include "tests/history/lines.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A line of a history is never shorter than this; from it follow the bounds of what is in a file.
 */
enum { BYTES_PER_EVENT = 64, BYTES_PER_SIGHT = 24, BYTES_PER_TOUCH = 20, BYTES_PER_ELEMENT = 2 };
#define FILE_MAX UINT64_C(256 * 1024 * 1024)

static struct history_limits limits_of(uint64_t bytes)
{
    return (struct history_limits){ .events = (uint32_t)(bytes / BYTES_PER_EVENT + 1),
                                    .sights = (uint32_t)(bytes / BYTES_PER_SIGHT + 1),
                                    .touches = (uint32_t)(bytes / BYTES_PER_TOUCH + 1),
                                    .elements = (uint32_t)(bytes / BYTES_PER_ELEMENT + 1),
                                    .names = (uint32_t)(bytes / BYTES_PER_EVENT + 64) };
}

static bool judge(const char *path, const struct history *history, uint64_t seed)
{
    bool clean = true;
    for (uint32_t i = 0; i < HISTORY_CHECKERS; i++) {
        struct history_verdict verdict = history_check(history, i);
        clean = clean && verdict.word == HISTORY_CLEAN && verdict.looked > 0;
        (void)printf(
            "%s seed=%" PRIu64 " events=%u %s: %s: %s\n",
            path,
            seed,
            history->events_count,
            history_checker_name(i),
            verdict.word == HISTORY_CLEAN && verdict.looked == 0 ? "empty"
                                                                 : history_word_text(verdict.word),
            verdict.sentence);
    }
    return clean;
}

static int judge_file(const char *path)
{
    struct stat facts;
    struct history history;
    uint64_t seed = 0;
    char why[LINES_WHY] = "";
    FILE *file = fopen(path, "re");
    if (file == NULL || fstat(fileno(file), &facts) != 0 || facts.st_size < 0 ||
        (uint64_t)facts.st_size > FILE_MAX) {
        (void)fprintf(stderr, "%s: %s\n", path, file == NULL ? strerror(errno) : "too large");
        if (file != NULL) {
            (void)fclose(file); /* Nothing was written. */
        }
        return 2;
    }
    struct history_limits limits = limits_of((uint64_t)facts.st_size);
    void *memory = calloc(1, history_memory(&limits)); /* Untouched pages cost nothing. */
    CHECK(memory != NULL);
    history_init(&history, &limits, memory);
    struct result read = lines_read(file, &history, &seed, why);
    (void)fclose(file);
    int status = 2;
    if (read.code == 0) {
        status = judge(path, &history, seed) ? 0 : 1;
    } else {
        (void)fprintf(stderr, "%s: %s\n", path, why);
    }
    free(memory);
    return status;
}

int main(int argc, char **argv)
{
    int worst = 0;
    if (argc < 2) {
        (void)fputs("usage: udatsu-judge FILE...\n", stderr);
        return 2;
    }
    for (int i = 1; i < argc; i++) {
        int status = judge_file(argv[i]);
        worst = status > worst ? status : worst;
    }
    return worst;
}
