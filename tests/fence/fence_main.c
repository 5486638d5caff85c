/* Seeds of the simulator of one owner, and what they came to.
 *
 * fence [--seeds N] [--first-seed S] [--mutant NAME]; with a mutant it succeeds when one is found.
 */
#include "base/check.h"
#include "base/mutant.h"
#include "tests/fence/fence.h"
#include "tests/sim/sim_number.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_BAD = 1, EXIT_USAGE = 2 };

struct options {
    uint64_t seeds;
    uint64_t first;
    const char *mutant;
};

static bool read_options(struct options *options, int argc, char **argv)
{
    *options = (struct options){ .seeds = 100, .first = 1 };
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seeds") == 0) {
            if (!sim_number(argv[i + 1], 100000000, &options->seeds)) {
                return false;
            }
        } else if (strcmp(argv[i], "--first-seed") == 0) {
            if (!sim_number(argv[i + 1], UINT64_MAX / 2, &options->first)) {
                return false;
            }
        } else if (strcmp(argv[i], "--mutant") == 0) {
            options->mutant = argv[i + 1];
        } else {
            return false;
        }
    }
    return argc % 2 == 1 && options->seeds > 0;
}

static bool choose_mutant(const char *name)
{
#ifdef UDATSU_MUTANTS
    for (int i = MUTANT_NONE + 1; i < MUTANT_COUNT; i++) {
        if (strcmp(mutant_lines[i].name, name) == 0) {
            mutant_chosen = (enum mutant)i;
            return true;
        }
    }
#endif
    (void)name;
    return false;
}

/* A row that stayed at zero is a fault that nobody has tried. */
static bool told(const struct tally *tally)
{
    const struct {
        const char *name;
        uint64_t count;
    } rows[] = {
        { "elections", tally->elections },
        { "guests moved", tally->moved },
        { "guests moved from a node seen off", tally->moved_off },
        { "sessions ended", tally->ended },
        { "proofs by peers", tally->proofs },
        { "epochs of membership", tally->epochs },
        { "epochs settled", tally->settled },
        { "guards started anew", tally->restarts },
        { "power cuts", tally->power_cuts },
        { "days without a controller", tally->dark_days },
        { "acknowledgements refused", tally->late_acks },
        { "orders refused", tally->late_starts },
        { "nodes that returned", tally->returned },
    };
    bool all = true;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        printf("  %-36s %llu\n", rows[i].name, (unsigned long long)rows[i].count);
        all = all && rows[i].count > 0;
    }
    return all;
}

int main(int argc, char **argv)
{
    struct options options;
    if (!read_options(&options, argc, argv) ||
        (options.mutant != NULL && !choose_mutant(options.mutant))) {
        fputs("usage: fence [--seeds N] [--first-seed S] [--mutant NAME]\n", stderr);
        return EXIT_USAGE;
    }
    struct world *world = malloc(sizeof(*world));
    CHECK(world != NULL);
    struct tally tally = { .events = 0 };
    uint64_t bad = 0;
    for (uint64_t i = 0; i < options.seeds && (bad == 0 || options.mutant == NULL); i++) {
        world_init(world, options.first + i, &tally);
        tally.seeds++;
        if (!day_lives(world)) {
            printf(
                "seed %llu: %s\n",
                (unsigned long long)(options.first + i),
                world->failure[0] == '\0' ? "failed" : world->failure);
            bad++;
        }
    }
    free(world);
    printf(
        "%llu seeds, %llu bad, %llu letters, %llu virtual s\n",
        (unsigned long long)tally.seeds,
        (unsigned long long)bad,
        (unsigned long long)tally.events,
        (unsigned long long)(tally.virtual_ms / 1000));
    if (options.mutant != NULL) {
        return bad > 0 ? 0 : EXIT_BAD;
    }
    return told(&tally) && bad == 0 ? 0 : EXIT_BAD;
}
