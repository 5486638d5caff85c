/* udatsu-sim-consensus: many seeds, each in a process of its own, one table. Decides whether a run
 * was good: no violation, and no kind of fault and no checker that never came up.
 *
 *   udatsu-sim-consensus [--seeds N] [--first-seed S] [--seed S] [--until EVENT] [--verbose]
 *                        [--mix NAME] [--expect-violation] [--expect-crash] */
#include "base/check.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_number.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS_MAX = 120, TABLE_SEEDS = 200 };

static const char *const fault_names[FAULTS] = {
    "process killed",    "power lost",         "torn write",      "death in disk call",
    "disk call failed",  "all down",           "message lost",    "message twice",
    "message reordered", "straggler",          "node isolated",   "network split",
    "one-way cuts",      "leader cut off",     "member added",    "member removed",
    "leadership handed", "snapshot refused",   "snapshot taken",  "snapshot installed",
    "log full",          "no space to create", "outcome unknown", "object reopened",
};
static const char *const checker_names[CHECKERS] = {
    "one leader per term", "one vote per term",   "terms go forward",  "log matching",
    "committed identical", "leader completeness", "same prefix",       "restored state",
    "ticket is its entry", "applied once",        "acknowledged kept", "converges",
    "members of snapshot",
};

struct options {
    uint64_t first;
    uint64_t count;
    uint64_t until;
    const struct sim_mix *mix;
    bool verbose;
    bool expect_violation; /* A mutant: exit 0 only if a checker found it, */
    bool expect_crash;     /* or only if a seed died of it. */
};

static bool parse(int count, char **words, struct options *options)
{
    CHECK(options->count > 0);
    for (int i = 1; i < count; i++) {
        const char *next = i + 1 < count ? words[i + 1] : NULL;
        bool takes = true;
        bool good = true;
        if (strcmp(words[i], "--seeds") == 0) {
            good = sim_number(next, UINT64_MAX, &options->count);
        } else if (strcmp(words[i], "--first-seed") == 0) {
            good = sim_number(next, UINT64_MAX, &options->first);
        } else if (strcmp(words[i], "--seed") == 0) {
            good = sim_number(next, UINT64_MAX, &options->first);
            options->count = 1;
        } else if (strcmp(words[i], "--until") == 0) {
            good = sim_number(next, UINT64_MAX, &options->until);
        } else if (strcmp(words[i], "--mix") == 0) {
            options->mix = next == NULL ? NULL : sim_mix_named(next);
            good = options->mix != NULL;
        } else {
            takes = false;
            options->verbose = options->verbose || strcmp(words[i], "--verbose") == 0;
            options->expect_violation =
                options->expect_violation || strcmp(words[i], "--expect-violation") == 0;
            options->expect_crash =
                options->expect_crash || strcmp(words[i], "--expect-crash") == 0;
            good = strcmp(words[i], "--verbose") == 0 ||
                   strcmp(words[i], "--expect-violation") == 0 ||
                   strcmp(words[i], "--expect-crash") == 0;
        }
        if (!good) {
            return false;
        }
        i += takes ? 1 : 0;
    }
    return true;
}

/* One seed in a child: a mutant may well crash. False: violation or crash. */
static bool run_seed(const struct options *options, uint64_t seed, struct sim_tally *tally)
{
    uint64_t hash = tally->hash;
    tally->hash = 0;
    tally->failed = false;
    tally->what[0] = '\0';
    (void)fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        (void)alarm(options->verbose ? 0 : SECONDS_MAX);
        struct sim *sim = calloc(1, sizeof(*sim));
        CHECK(sim != NULL);
        sim->seed = seed;
        sim->until = options->until;
        sim->verbose = options->verbose;
        sim->mix = options->mix;
        sim->tally = tally;
        sim_run(sim);
        free(sim);
        (void)fflush(stdout);
        exit(0); /* Not _exit: the leak checker runs here. */
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    uint64_t seed_hash = tally->hash;
    tally->seeds++;
    tally->hash = hash * 31 + seed_hash;
    bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!good && !tally->failed) {
        (void)snprintf(
            tally->what,
            sizeof(tally->what),
            "CRASH %s %d",
            WIFSIGNALED(status) ? "signal" : "exit",
            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    }
    if (options->count == 1) {
        printf(
            "seed %llu trace %016llx\n", (unsigned long long)seed, (unsigned long long)seed_hash);
    }
    if (!good) {
        printf(
            "seed %llu event %llu: %s\n",
            (unsigned long long)seed,
            (unsigned long long)tally->events,
            tally->what);
    }
    return good;
}

/* Rows that never came up. */
static uint64_t print_rows(
    const char *title, const char *const *names, const uint64_t *counts, uint64_t rows)
{
    uint64_t zero = 0;
    printf("%s\n", title);
    for (uint64_t i = 0; i < rows; i++) {
        CHECK(names[i] != NULL);
        printf("  %-22s %12llu\n", names[i], (unsigned long long)counts[i]);
        zero += counts[i] == 0 ? 1 : 0;
    }
    return zero;
}

static void print_usage(void)
{
    (void)fprintf(
        stderr,
        "usage: udatsu-sim-consensus [--seeds N] [--first-seed S] [--seed S] [--until EVENT]"
        " [--verbose] [--mix NAME] [--expect-violation] [--expect-crash]\nmixes:\n");
    for (uint32_t at = 0; sim_mix_at(at) != NULL; at++) {
        CHECK(sim_mix_at(at)->what[0] != '\0');
        (void)fprintf(stderr, "  %-14s %s\n", sim_mix_at(at)->name, sim_mix_at(at)->what);
    }
}

int main(int count, char **words)
{
    struct options options = { .first = 1, .count = TABLE_SEEDS, .mix = sim_mix_at(0) };
    if (!parse(count, words, &options) || options.count == 0) {
        print_usage();
        return 2;
    }
    struct sim_tally *tally =
        mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(tally != MAP_FAILED);
    (void)setvbuf(stdout, NULL, _IOLBF, 0); /* A long run shows what it finds at once. */
    uint64_t bad = 0;
    for (uint64_t i = 0; i < options.count; i++) {
        uint64_t before = tally->events;
        tally->events = 0;
        bool good = run_seed(&options, options.first + i, tally);
        bad += good ? 0 : 1;
        tally->events += before;
        bool crashed = !good && !tally->failed; /* That is no checker's word. */
        if ((options.expect_violation && tally->failed) || (options.expect_crash && crashed)) {
            struct rusage used;
            CHECK(getrusage(RUSAGE_CHILDREN, &used) == 0);
            printf(
                "found after %llu seeds, CPU %.1f s\n",
                (unsigned long long)(i + 1),
                (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                    (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
            return 0;
        }
    }
    uint64_t zero = print_rows("faults", fault_names, tally->faults, FAULTS);
    zero += print_rows("checks", checker_names, tally->checks, CHECKERS);
    printf(
        "%llu seeds, %llu bad, %llu events, %llu virtual s, %llu elections, %llu acknowledged, "
        "trace %016llx\n",
        (unsigned long long)tally->seeds,
        (unsigned long long)bad,
        (unsigned long long)tally->events,
        (unsigned long long)(tally->virtual_ms / 1000),
        (unsigned long long)tally->elections,
        (unsigned long long)tally->acknowledged,
        (unsigned long long)tally->hash);
    bool table = options.count >= TABLE_SEEDS && options.mix == sim_mix_at(0);
    if (table && zero > 0) {
        printf("%llu rows never came up\n", (unsigned long long)zero);
    }
    bool all_good = bad == 0 && !(table && zero > 0);
    return all_good && !options.expect_violation && !options.expect_crash ? 0 : 1;
}
