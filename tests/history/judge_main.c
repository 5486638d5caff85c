/* udatsu-judge FILE...: a verdict of each checker on each history. Decides only the exit status: 0
 * when every one of them is clean and looked at something, 1 when one is not, 2 when a file is no
 * history. Unknown is not clean. What is printed is clean text. */
#include "base/check.h"
#include "tests/history/history.h"
#include "tests/history/lines.h"
#include "tests/history/words.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* With LINES_FACTOR, what a history may take of memory; each checker about as much again. */
#define FILE_MAX UINT64_C(128 * 1024 * 1024)

enum { PATH_ROOM = 512 };

static bool judge(const char *path, const struct history *history, uint64_t seed)
{
    bool clean = true;
    for (uint32_t i = 0; i < HISTORY_CHECKERS; i++) {
        struct history_verdict verdict = history_check(history, i);
        char sentence[HISTORY_SENTENCE];
        words_clean(verdict.sentence, sentence, sizeof(sentence)); /* It may be cut in a letter. */
        clean = clean && verdict.word == HISTORY_CLEAN && verdict.looked > 0;
        (void)printf(
            "%s seed=%" PRIu64 " events=%u %s: %s: %s\n",
            path,
            seed,
            history->events_count,
            history_checker_name(i),
            verdict.word == HISTORY_CLEAN && verdict.looked == 0 ? "empty"
                                                                 : history_word_text(verdict.word),
            sentence);
    }
    return clean;
}

/* A regular file of bounded size; nothing else is waited for. NULL: why_out says it. */
static FILE *file_open(const char *path, const char **why_out)
{
    struct stat facts;
    int handle = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (handle < 0) {
        *why_out = strerror(errno);
        return NULL;
    }
    bool known = fstat(handle, &facts) == 0;
    FILE *file = NULL;
    *why_out = "cannot be read";
    if (known && !S_ISREG(facts.st_mode)) {
        *why_out = "not a regular file";
    } else if (known && (facts.st_size < 0 || (uint64_t)facts.st_size > FILE_MAX)) {
        *why_out = "too large";
    } else if (known) {
        file = fdopen(handle, "r");
    }
    if (file == NULL) {
        (void)close(handle); /* Nothing was written. */
    }
    return file;
}

static int refused(const char *path, const char *why)
{
    (void)fprintf(stderr, "%s: %s\n", path, why);
    return 2;
}

static int judge_open(const char *path, FILE *file)
{
    struct history history;
    struct history_limits limits;
    uint64_t seed = 0;
    char why[LINES_WHY] = "";
    if (!lines_measure(file, &limits)) {
        return refused(path, "too large");
    }
    void *memory = calloc(1, history_memory(&limits)); /* Untouched pages cost nothing. */
    if (memory == NULL) {
        return refused(path, "no memory for it");
    }
    history_init(&history, &limits, memory);
    struct result read = lines_read(file, &history, &seed, why);
    int status = 2;
    if (read.code == 0) {
        status = judge(path, &history, seed) ? 0 : 1;
    } else {
        (void)refused(path, why);
    }
    free(memory);
    return status;
}

static int judge_file(const char *path)
{
    char shown[PATH_ROOM];
    const char *why = "";
    FILE *file = file_open(path, &why);
    words_clean(path, shown, sizeof(shown));
    if (file == NULL) {
        return refused(shown, why);
    }
    int status = judge_open(shown, file);
    (void)fclose(file); /* Nothing was written. */
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
