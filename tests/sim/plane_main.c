/* udatsu-sim: many seeds, each in a process of its own, one table. Decides whether a run was
 * good: no violation, and no kind of fault and no checker that never came up.
 *
 *   udatsu-sim [--seeds N] [--first-seed S] [--seed S] [--fresh N] [--until EVENT] [--twice]
 *              [--verbose] [--lie NAME] [--controllers N] [--nodes N] [--tenants N] [--clients N]
 *              [--instances N] [--fill PERCENT] [--life SECONDS] [--think MS]
 *              [--shrink FILE] [--case FILE] [--unrecoverable] */
#include "base/check.h"
#include "tests/sim/plane_check.h"
#include "tests/sim/plane_seed.h"
#include "tests/sim/sim_number.h"
#include "tests/sim/trial_out.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>

enum { TABLE_SEEDS = 200 };

struct options {
    uint64_t first;
    uint64_t count;
    uint64_t fresh;
    uint64_t nodes;
    uint64_t controllers;
    uint64_t tenants;
    uint64_t clients;
    uint64_t instances;
    uint64_t life_s;
    uint64_t think_ms;
    uint64_t fill;
    uint64_t twice_every; /* Every so many-th seed is lived twice; 0: none. */
    const char *shrink;   /* Where the least of a failing seed is written. */
    const char *replay;   /* A file that was. */
    struct plane_life life;
};

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
        { "--until", offsetof(struct options, life.until) },
        { "--nodes", offsetof(struct options, nodes) },
        { "--controllers", offsetof(struct options, controllers) },
        { "--tenants", offsetof(struct options, tenants) },
        { "--clients", offsetof(struct options, clients) },
        { "--instances", offsetof(struct options, instances) },
        { "--life", offsetof(struct options, life_s) },
        { "--think", offsetof(struct options, think_ms) },
        { "--fill", offsetof(struct options, fill) },
        { "--twice-every", offsetof(struct options, twice_every) },
    };
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (strcmp(words[i].word, word) == 0) {
            return (uint64_t *)(void *)((uint8_t *)options + words[i].at);
        }
    }
    return NULL;
}

/* `wrong_out`: the word that is not understood. */
static bool parse(int count, char **words, struct options *options, const char **wrong_out)
{
    for (int i = 1; i < count; i++) {
        const char *next = i + 1 < count ? words[i + 1] : NULL;
        uint64_t *takes = takes_number(options, words[i]);
        *wrong_out = words[i];
        if (takes != NULL) {
            if (!sim_number(next, UINT64_MAX, takes)) {
                return false;
            }
            options->count = strcmp(words[i], "--seed") == 0 ? 1 : options->count;
            i++;
        } else if (strcmp(words[i], "--lie") == 0 && next != NULL && plane_lie_word(next) != NULL) {
            options->life.lie = next; /* Exit 0 only if its checker says so. */
            i++;
        } else if (strcmp(words[i], "--shrink") == 0 && next != NULL) {
            options->shrink = next;
            i++;
        } else if (strcmp(words[i], "--case") == 0 && next != NULL) {
            options->replay = next;
            i++;
        } else if (strcmp(words[i], "--verbose") == 0) {
            options->life.verbose = true;
        } else if (strcmp(words[i], "--unrecoverable") == 0) {
            options->life.unrecoverable = true;
        } else if (strcmp(words[i], "--twice") == 0) {
            options->twice_every = 1;
        } else {
            return false;
        }
    }
    *wrong_out = "a number out of its bounds";
    bool fits = options->nodes <= PLANE_NODES && options->controllers <= PLANE_CONTROLLERS &&
                options->tenants <= PLANE_TENANTS && options->clients < PLANE_CLIENTS &&
                options->instances <= 4096 && options->fill <= 100 && options->life_s <= 1000000;
    options->life.conf = (struct plane_conf){ .controllers = (uint32_t)options->controllers,
                                              .nodes = (uint32_t)options->nodes,
                                              .tenants = (uint32_t)options->tenants,
                                              .clients = (uint32_t)options->clients,
                                              .instances = (uint32_t)options->instances,
                                              .life_ms = options->life_s * 1000,
                                              .fill = options->fill,
                                              .think_ms = options->think_ms };
    return fits && options->count > 0;
}

static bool run_seed(const struct options *options, uint64_t seed, struct plane_tally *tally)
{
    struct plane_life life = options->life;
    life.seed = seed;
    bool good = plane_seed_run(&life, tally);
    if (!good || options->count == 1 || options->fresh > 0) {
        printf(
            "seed %llu event %llu trace %016llx: %s\n",
            (unsigned long long)seed,
            (unsigned long long)tally->seed_events,
            (unsigned long long)tally->hash,
            good ? "good" : tally->what);
    }
    return good;
}

static bool run_twice(const struct options *options, uint64_t seed, struct plane_tally *tally)
{
    bool again = options->twice_every > 0 && seed % options->twice_every == 0;
    bool good = run_seed(options, seed, tally);
    uint64_t hash = tally->hash;
    if (good && again) {
        good = run_seed(options, seed, tally);
        if (tally->hash != hash) {
            printf("seed %llu: the second run went another way\n", (unsigned long long)seed);
            good = false;
        }
    }
    return good;
}

static int replay(struct options *options)
{
    static struct plane_kept kept;
    struct plane_tally *tally = plane_tally_new();
    if (!plane_case_read(options->replay, &options->life, &kept)) {
        return 2;
    }
    bool good = plane_seed_run(&options->life, tally);
    printf(
        "seed %llu event %llu trace %016llx: %s\n",
        (unsigned long long)options->life.seed,
        (unsigned long long)tally->seed_events,
        (unsigned long long)tally->hash,
        good ? "good" : tally->what);
    return good ? 0 : 1;
}

static int usage(const char *wrong)
{
    char clean[256];
    trial_clean(wrong, clean, sizeof(clean));
    (void)fprintf(stderr, "%s: not understood, or what belongs behind it is not.\n", clean);
    (void)fprintf(
        stderr,
        "usage: udatsu-sim run FILE ...\n"
        "       udatsu-sim [--seeds N] [--first-seed S] [--seed S] [--fresh N]"
        " [--until EVENT] [--twice] [--twice-every N] [--verbose]"
        " [--lie NAME]"
        " [--controllers N] [--nodes N] [--tenants N] [--clients N] [--instances N]"
        " [--fill PERCENT] [--life SECONDS] [--think MS] [--shrink FILE] [--case FILE]"
        " [--unrecoverable]\nlies:");
    for (uint32_t i = 0; plane_lie_at(i) != NULL; i++) {
        (void)fprintf(stderr, " %s", plane_lie_at(i));
    }
    (void)fputs("\n", stderr);
    return 2;
}

/* Prints what a run came to; 0 when it was good. */
static int report(
    const struct options *options,
    const struct plane_tally *tally,
    uint64_t done,
    uint64_t bad,
    uint64_t hash)
{
    struct rusage children;
    int asked = getrusage(RUSAGE_CHILDREN, &children);
    CHECK(asked == 0);
    uint64_t zero = plane_table_print(tally, options->life.unrecoverable);
    zero += plane_lived_print(&tally->lived, options->controllers == 0);
    printf(
        "%llu seeds, %llu bad, %llu events, %llu virtual s, %llu entries, %llu acknowledged, "
        "%llu refused, trace %016llx\n"
        "each seed: at least %llu virtual s, %llu commands, %llu strikes; longest inbox %llu\n"
        "most instances %llu, median of a life %llu, when trouble ended %llu, most memory of a "
        "seed %lld MiB, twice %llu\n",
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
        (unsigned long long)tally->queued_most,
        (unsigned long long)tally->instances_most,
        (unsigned long long)tally->lived.instances,
        (unsigned long long)tally->lived.instances_at,
        (long long)children.ru_maxrss / 1024,
        (unsigned long long)(tally->seeds - done));
    bool table = done >= TABLE_SEEDS;
    if (table && zero > 0) {
        printf("%llu rows never came up\n", (unsigned long long)zero);
    }
    return bad == 0 && !(table && zero > 0) ? 0 : 1;
}

int main(int count, char **words)
{
    struct options options = { .first = 1, .count = TABLE_SEEDS };
    if (count > 1 && strcmp(words[1], "run") == 0) {
        return trial_main(count - 1, words + 1);
    }
    const char *wrong = "";
    if (!parse(count, words, &options, &wrong)) {
        return usage(wrong);
    }
    if (options.fresh > 0) {
        options.count = options.fresh;
        uint32_t random = 0;
        CHECK(getrandom(&random, sizeof(random), 0) == (ssize_t)sizeof(random));
        options.first = 1000000 + random;
    }
    if (options.replay != NULL) {
        return replay(&options);
    }
    struct plane_tally *tally = plane_tally_new();
    uint64_t bad = 0;
    uint64_t hash = 0;
    for (uint64_t i = 0; i < options.count; i++) {
        bool good = run_twice(&options, options.first + i, tally);
        bad += good ? 0 : 1;
        if (!good && options.shrink != NULL) { /* The first one is enough to look at. */
            struct plane_life life = options.life;
            life.seed = options.first + i;
            bool shrunk = plane_shrink(&life, options.shrink);
            (void)report(&options, tally, i + 1, bad, hash); /* Not good, whatever it came to. */
            return shrunk ? 1 : 2;
        }
        if (options.life.lie != NULL && tally->failed &&
            strncmp(
                tally->what,
                plane_lie_word(options.life.lie),
                strlen(plane_lie_word(options.life.lie))) == 0) {
            printf("the lie was found\n");
            return 0;
        }
        hash = hash * 31 + tally->hash;
    }
    if (options.life.lie != NULL) {
        printf("%s\n", tally->lied ? "nobody noticed" : "the lie was never told");
        return tally->lied ? 1 : 2;
    }
    return report(&options, tally, options.count, bad, hash);
}
