/* udatsu-sim-mutants: the simulator of the plane, linked with product objects that can make one
 * mistake. Decides whether a general checker finds it: the seeds go by, each in a process of its
 * own, until one is bad; the sound program must be good at that seed.
 *
 *   udatsu-sim-mutants --mutant NAME [--first-seed S] [--seeds N] [--seconds CPU]
 *   udatsu-sim-mutants --list
 *
 * Exit 0: found (or --list), 1: not within the bounds. A seed at which the sound program is bad,
 * too, counts for nothing, and is said; so does one that crashes, or never ends: no checker saw
 * anything there. */
#include "base/check.h"
#include "base/mutant.h"
#include "tests/sim/plane.h"
#include "tests/sim/sim_number.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Short and busy lives, and many of them. */
enum { LIFE_MS = 25000, THINK_MS = 500, SEED_SECONDS_MAX = 60, WORD_MAX = 40 };

struct options {
    enum mutant mutant;
    uint64_t first;
    uint64_t count;
    uint64_t seconds; /* Of CPU, all seeds together. */
    bool list;
};

/* Those of one owner are hunted by its own simulator, tests/fence. */
static bool of_the_plane(int mutant)
{
    return strcmp(mutant_lines[mutant].group, "fence") != 0;
}

static enum mutant mutant_named(const char *name)
{
    enum mutant found = MUTANT_NONE;
    for (int i = 0; i < MUTANT_COUNT; i++) {
        bool same = strcmp(mutant_lines[i].name, name) == 0 && of_the_plane(i);
        found = same ? (enum mutant)i : found;
    }
    return found;
}

static bool parse(int count, char **words, struct options *options)
{
    for (int i = 1; i < count; i++) {
        const char *next = i + 1 < count ? words[i + 1] : NULL;
        uint64_t *takes = strcmp(words[i], "--seeds") == 0        ? &options->count
                          : strcmp(words[i], "--first-seed") == 0 ? &options->first
                          : strcmp(words[i], "--seconds") == 0    ? &options->seconds
                                                                  : NULL;
        if (takes != NULL) {
            i++;
            if (!sim_number(next, UINT64_MAX, takes)) {
                return false;
            }
        } else if (strcmp(words[i], "--mutant") == 0 && next != NULL) {
            options->mutant = mutant_named(next);
            i++;
        } else if (strcmp(words[i], "--list") == 0) {
            options->list = true;
        } else {
            return false;
        }
    }
    return options->list || options->mutant != MUTANT_NONE;
}

static double cpu_seconds(void)
{
    struct rusage used;
    CHECK(getrusage(RUSAGE_CHILDREN, &used) == 0);
    return (double)used.ru_utime.tv_sec + (double)used.ru_stime.tv_sec +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void child_main(enum mutant mutant, uint64_t seed, struct plane_tally *tally, int words)
{
    static struct plane plane;
    (void)mallopt(M_MMAP_THRESHOLD, 256 * 1024); /* As plane_main.c does. */
    (void)alarm(SEED_SECONDS_MAX);
    (void)dup2(words, STDERR_FILENO); /* A CHECK of the product says which one it was. */
    mutant_chosen = mutant;
    plane.seed = seed;
    plane.tally = tally;
    plane.conf.life_ms = LIFE_MS;
    plane.conf.think_ms = THINK_MS;
    plane_live(&plane);
    _exit(0);
}

/* What a process said before it died, on one line. */
static void crash_words(struct plane_tally *tally, int words, int status)
{
    char said[160] = "";
    ssize_t size = pread(words, said, sizeof(said) - 1, 0);
    said[size > 0 ? size : 0] = '\0';
    said[strcspn(said, "\n")] = '\0';
    (void)snprintf(
        tally->what,
        sizeof(tally->what),
        "CRASH %s %d %s",
        WIFSIGNALED(status) ? "signal" : "exit",
        WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
        said);
}

static bool run_seed(enum mutant mutant, uint64_t seed, struct plane_tally *tally)
{
    memset(tally, 0, sizeof(*tally));
    int words = memfd_create("words", MFD_CLOEXEC);
    CHECK(words >= 0);
    (void)fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        child_main(mutant, seed, tally, words);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!good && !tally->failed) {
        crash_words(tally, words, status);
    }
    (void)close(words);
    return good;
}

/* The checker is the first word in capitals of what was said. False: it would have said so of the
 * sound program, too. */
static bool found(const struct options *options, uint64_t seed, struct plane_tally *tally)
{
    if (!tally->failed) {
        (void)fprintf(
            stderr, "no checker, at seed %llu: %s\n", (unsigned long long)seed, tally->what);
        return false;
    }
    char what[sizeof(tally->what)];
    char checker[WORD_MAX];
    uint64_t events = tally->events;
    double seconds = cpu_seconds();
    memcpy(what, tally->what, sizeof(what));
    size_t size = strspn(what, "ABCDEFGHIJKLMNOPQRSTUVWXYZ ");
    size = size > 0 && size < sizeof(checker) ? size : 1;
    memcpy(checker, what, size);
    checker[size] = '\0';
    while (size > 0 && checker[size - 1] == ' ') {
        checker[--size] = '\0';
    }
    if (!run_seed(MUTANT_NONE, seed, tally)) {
        (void)fprintf(
            stderr,
            "the sound program is bad at seed %llu: %s\n",
            (unsigned long long)seed,
            tally->what);
        return false;
    }
    printf(
        "%-28s %-8s %-12s seed %llu event %llu CPU %.1f s: %s\n",
        mutant_lines[options->mutant].name,
        mutant_lines[options->mutant].group,
        checker,
        (unsigned long long)seed,
        (unsigned long long)events,
        seconds,
        what);
    return true;
}

int main(int count, char **words)
{
    struct options options = { .mutant = MUTANT_NONE, .first = 1, .count = 100000, .seconds = 600 };
    if (!parse(count, words, &options)) {
        (void)fprintf(
            stderr,
            "usage: udatsu-sim-mutants --mutant NAME [--first-seed S] [--seeds N] [--seconds CPU]\n"
            "       udatsu-sim-mutants --list\n");
        return 2;
    }
    for (int i = MUTANT_NONE + 1; options.list && i < MUTANT_COUNT; i++) {
        const struct mutant_line *line = &mutant_lines[i];
        if (of_the_plane(i)) {
            printf("%-28s %-8s %s\n", line->name, line->group, line->what);
        }
    }
    if (options.list) {
        return 0;
    }
    struct plane_tally *tally =
        mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(tally != MAP_FAILED);
    uint64_t done = 0;
    while (done < options.count && cpu_seconds() < (double)options.seconds) {
        uint64_t seed = options.first + done++;
        if (!run_seed(options.mutant, seed, tally) && found(&options, seed, tally)) {
            return 0;
        }
    }
    printf(
        "%-28s %-8s not found in %llu seeds, CPU %.1f s\n",
        mutant_lines[options.mutant].name,
        mutant_lines[options.mutant].group,
        (unsigned long long)done,
        cpu_seconds());
    return 1;
}
