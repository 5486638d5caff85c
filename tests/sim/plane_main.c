/* udatsu-sim: many seeds, each in a process of its own, one table. Decides whether a run was
 * good: no violation, and no kind of fault and no checker that never came up.
 *
 *   udatsu-sim [--seeds N] [--first-seed S] [--seed S] [--fresh N] [--until EVENT] [--twice]
 *                    [--verbose] [--lie NAME] */
#include "base/check.h"
#include "tests/sim/plane.h"

#include <errno.h>
#include <malloc.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS_MAX = 300, TABLE_SEEDS = 200, WIDTH = 26 };

static const char *const fault_names[PLANE_FAULTS] = {
    "controller killed",
    "leader killed",
    "power lost",
    "torn write",
    "death in disk call",
    "disk call failed",
    "all controllers down",
    "half a sector",
    "write astray",
    "bit rot",
    "sync that lied",
    "directory set back",
    "refused to start",
    "disk slow",
    "disk full",
    "space back",
    "store broken",
    "flushed unasked",
    "machine cut off",
    "one-way cuts",
    "network split",
    "stream lost its tail",
    "frame dropped",
    "frame delayed",
    "frame overtaken",
    "asked twice at once",
    "flood of reads",
    "answer lost",
    "wall clock jumps",
    "clock drifts",
    "clock stands",
    "machine stands still",
    "machine slow",
    "link flaps",
    "old build",
    "members changed",
    "left for dead",
    "keys late",
    "keys died",
    "node crash",
    "node wiped",
    "agent restart",
    "host restart",
    "libvirt away",
    "guest crash",
    "guest's end untold",
    "start failed",
    "stop ignored",
    "stop lied about",
    "verb late",
    "told twice",
    "domain lost",
    "snapshot fetched",
    "snapshot damaged",
    "mirror started over",
    "narrow wire",
    "inbox full",
    "election",
    "ask forwarded",
};
static const char *const checker_names[PLANE_CHECKERS] = {
    "equal index, digest", "a majority agrees", "ledger = inventory",
    "drawn within cap",    "acknowledged kept", "answered once",
    "nothing invented",    "reads are fresh",   "one owner",
    "generation forward",  "no stale start",    "leaves chained",
    "leaves = frontier",   "bounded",           "converged",
    "inventory as told",
};

struct options {
    uint64_t first;
    uint64_t count;
    uint64_t until;
    uint64_t fresh;
    uint64_t nodes;
    uint64_t controllers;
    uint64_t tenants;
    uint64_t clients;
    uint64_t instances;
    uint64_t life_s;
    uint64_t think_ms;
    uint64_t fill;
    bool twice;
    bool verbose;
    struct plane_conf conf;
    const char *lie; /* Exit 0 only if its checker says so within the seeds. */
};

static bool number(const char *text, uint64_t *out)
{
    char *end = NULL;
    errno = 0;
    unsigned long long value = text == NULL ? 0 : strtoull(text, &end, 10);
    if (text == NULL || errno != 0 || end == text || *end != '\0') {
        return false;
    }
    *out = value;
    return true;
}

/* The number that this word sets; NULL: none. */
static uint64_t *takes_number(struct options *options, const char *word)
{
    static const struct {
        const char *word;
        size_t at;
    } words[] = {
        { "--seeds", offsetof(struct options, count) },
        { "--first-seed", offsetof(struct options, first) },
        { "--seed", offsetof(struct options, first) },
        { "--fresh", offsetof(struct options, fresh) },
        { "--until", offsetof(struct options, until) },
        { "--nodes", offsetof(struct options, nodes) },
        { "--controllers", offsetof(struct options, controllers) },
        { "--tenants", offsetof(struct options, tenants) },
        { "--clients", offsetof(struct options, clients) },
        { "--instances", offsetof(struct options, instances) },
        { "--life", offsetof(struct options, life_s) },
        { "--think", offsetof(struct options, think_ms) },
        { "--fill", offsetof(struct options, fill) },
    };
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (strcmp(words[i].word, word) == 0) {
            return (uint64_t *)(void *)((uint8_t *)options + words[i].at);
        }
    }
    return NULL;
}

static bool parse(int count, char **words, struct options *options)
{
    for (int i = 1; i < count; i++) {
        const char *next = i + 1 < count ? words[i + 1] : NULL;
        uint64_t *takes = takes_number(options, words[i]);
        if (takes != NULL) {
            if (!number(next, takes)) {
                return false;
            }
            options->count = strcmp(words[i], "--seed") == 0 ? 1 : options->count;
            i++;
        } else if (strcmp(words[i], "--lie") == 0 && next != NULL && plane_lie_word(next) != NULL) {
            options->lie = next;
            i++;
        } else if (strcmp(words[i], "--verbose") == 0) {
            options->verbose = true;
        } else if (strcmp(words[i], "--twice") == 0) {
            options->twice = true;
        } else {
            return false;
        }
    }
    bool fits = options->nodes <= PLANE_NODES && options->controllers <= PLANE_CONTROLLERS &&
                options->tenants <= PLANE_TENANTS && options->clients < PLANE_CLIENTS &&
                options->instances <= 4096 && options->fill <= 100 && options->life_s <= 1000000;
    options->conf = (struct plane_conf){ .controllers = (uint32_t)options->controllers,
                                         .nodes = (uint32_t)options->nodes,
                                         .tenants = (uint32_t)options->tenants,
                                         .clients = (uint32_t)options->clients,
                                         .instances = (uint32_t)options->instances,
                                         .life_ms = options->life_s * 1000,
                                         .fill = options->fill,
                                         .think_ms = options->think_ms };
    return fits && options->count > 0;
}

static void child_main(const struct options *options, uint64_t seed, struct plane_tally *tally)
{
    static struct plane plane;
    /* Large and mostly untouched memory comes as fresh pages, not as old ones to be cleared. */
    (void)mallopt(M_MMAP_THRESHOLD, 256 * 1024);
    uint64_t most_s = SECONDS_MAX + options->nodes * (1 + options->life_s / 600);
    (void)alarm(options->verbose ? 0 : (unsigned int)most_s);
    plane.seed = seed;
    plane.until = options->until;
    plane.verbose = options->verbose;
    plane.lie = options->lie;
    plane.conf = options->conf;
    plane.tally = tally;
    plane_live(&plane);
    (void)fflush(stdout);
    exit(0); /* Not _exit: the leak checker runs here. */
}

/* One seed in a child: product code may well crash. */
static bool run_seed(const struct options *options, uint64_t seed, struct plane_tally *tally)
{
    uint64_t before = tally->events;
    tally->hash = 0;
    tally->failed = false;
    tally->events = 0;
    tally->what[0] = '\0';
    (void)fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        child_main(options, seed, tally);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!good && !tally->failed) {
        (void)snprintf(
            tally->what,
            sizeof(tally->what),
            "CRASH %s %d",
            WIFSIGNALED(status) ? "signal" : "exit",
            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    }
    if (!good || options->count == 1 || options->fresh > 0) {
        printf(
            "seed %llu event %llu trace %016llx: %s\n",
            (unsigned long long)seed,
            (unsigned long long)tally->events,
            (unsigned long long)tally->hash,
            good ? "good" : tally->what);
    }
    tally->seeds++;
    tally->events += before;
    return good;
}

static bool run_twice(const struct options *options, uint64_t seed, struct plane_tally *tally)
{
    bool good = run_seed(options, seed, tally);
    uint64_t hash = tally->hash;
    if (good && options->twice) {
        good = run_seed(options, seed, tally);
        if (tally->hash != hash) {
            printf("seed %llu: the second run went another way\n", (unsigned long long)seed);
            good = false;
        }
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
        printf("  %-*s %12llu\n", WIDTH, names[i], (unsigned long long)counts[i]);
        zero += counts[i] == 0 ? 1 : 0;
    }
    return zero;
}

/* What never is an answer to a client of the simulator: conflicts are planned again, stale words
 * and levels are the machines' own business, and the last three are said at a door, before a
 * request. */
static bool no_answer(enum reject reject)
{
    return reject == REJECT_NONE || reject == REJECT_CONFLICT || reject == REJECT_STALE ||
           reject == REJECT_FEATURE_LEVEL || reject >= REJECT_NO_CERTIFICATE;
}

static uint64_t print_rejects(const struct plane_tally *tally)
{
    uint64_t zero = 0;
    printf("rejects\n");
    for (enum reject reject = REJECT_NONE; reject < REJECTS_END; reject++) {
        if (!no_answer(reject)) {
            printf(
                "  %-*s %12llu\n",
                WIDTH,
                reject_name(reject),
                (unsigned long long)tally->rejects[reject]);
            zero += tally->rejects[reject] == 0 ? 1 : 0;
        }
    }
    return zero;
}

int main(int count, char **words)
{
    struct options options = { .first = 1, .count = TABLE_SEEDS };
    if (!parse(count, words, &options)) {
        (void)fprintf(
            stderr,
            "usage: udatsu-sim [--seeds N] [--first-seed S] [--seed S] [--fresh N]"
            " [--until EVENT] [--twice] [--verbose] [--lie NAME]\n");
        return 2;
    }
    if (options.fresh > 0) {
        options.count = options.fresh;
        uint32_t random = 0;
        CHECK(getrandom(&random, sizeof(random), 0) == (ssize_t)sizeof(random));
        options.first = 1000000 + random;
    }
    struct plane_tally *tally =
        mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(tally != MAP_FAILED);
    uint64_t bad = 0;
    uint64_t hash = 0;
    for (uint64_t i = 0; i < options.count; i++) {
        bad += run_twice(&options, options.first + i, tally) ? 0 : 1;
        if (options.lie != NULL && tally->failed &&
            strncmp(
                tally->what, plane_lie_word(options.lie), strlen(plane_lie_word(options.lie))) ==
                0) {
            printf("the lie was found\n");
            return 0;
        }
        hash = hash * 31 + tally->hash;
    }
    if (options.lie != NULL) {
        printf("nobody noticed\n");
        return 1;
    }
    uint64_t zero = print_rows("faults", fault_names, tally->faults, PLANE_FAULTS);
    zero += print_rejects(tally);
    zero += print_rows("checks", checker_names, tally->checks, PLANE_CHECKERS);
    printf(
        "%llu seeds, %llu bad, %llu events, %llu virtual s, %llu entries, %llu acknowledged, "
        "%llu refused, trace %016llx\n"
        "each seed: at least %llu virtual s, %llu commands, %llu strikes; longest inbox %llu\n",
        (unsigned long long)tally->seeds,
        (unsigned long long)bad,
        (unsigned long long)tally->events,
        (unsigned long long)(tally->virtual_ms / 1000),
        (unsigned long long)tally->entries,
        (unsigned long long)tally->acknowledged,
        (unsigned long long)tally->refused,
        (unsigned long long)hash,
        (unsigned long long)tally->seconds_least,
        (unsigned long long)tally->commands_least,
        (unsigned long long)tally->struck_least,
        (unsigned long long)tally->queued_most);
    bool table = options.count >= TABLE_SEEDS;
    if (table && zero > 0) {
        printf("%llu rows never came up\n", (unsigned long long)zero);
    }
    return bad == 0 && !(table && zero > 0) ? 0 : 1;
}
