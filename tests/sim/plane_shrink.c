/* Shrinks a failing seed: less time, a smaller cell, fewer kinds of fault, fewer commands and
 * strikes, as long as it still fails with the same word. Decides what is tried next; never what a
 * failure is. The result is a case: a file that replays it. */
#include "base/check.h"
#include "tests/sim/plane_fault.h"
#include "tests/sim/plane_seed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRIES_MAX = 600, WORD = 16 };

struct hunt {
    struct plane_life life; /* The least so far. */
    struct plane_kept kept;
    struct plane_kept trial_kept;
    struct plane_tally *tally;
    char word[WORD]; /* What a violation begins with. */
    uint32_t tries;
};

static void word_of(const char *what, char word[static WORD])
{
    size_t size = strcspn(what, " ");
    size = size < WORD - 1 ? size : WORD - 1;
    memcpy(word, what, size);
    word[size] = '\0';
}

/* Does it still fail alike? */
static bool fails(struct hunt *hunt, const struct plane_life *life, const struct plane_kept *kept)
{
    char word[WORD];
    struct plane_life tried = *life;
    tried.kept = kept;
    hunt->tries++;
    if (hunt->tries > TRIES_MAX || plane_seed_run(&tried, hunt->tally)) {
        return false;
    }
    word_of(hunt->tally->what, word);
    return strcmp(word, hunt->word) == 0;
}

static void keep_injected(struct hunt *hunt, struct plane_kept *kept)
{
    const struct plane_tally *tally = hunt->tally;
    kept->only = true;
    kept->count = tally->injected_count;
    memcpy(kept->ids, tally->injected, tally->injected_count * sizeof(tally->injected[0]));
}

static int ascending(const void *a, const void *b)
{
    const uint32_t *x = a;
    const uint32_t *y = b;
    return *x < *y ? -1 : *x > *y ? 1 : 0;
}

static void sort(struct plane_kept *kept)
{
    qsort(kept->ids, kept->count, sizeof(kept->ids[0]), ascending);
}

/* ---- Time and size ---- */

static void less_time(struct hunt *hunt)
{
    uint64_t low_ms = 1000;
    uint64_t high_ms = hunt->life.conf.life_ms;
    if (hunt->tally->failed && hunt->tally->failed_ms + 500 < high_ms) {
        high_ms = hunt->tally->failed_ms + 500; /* Nothing behind it matters. */
        hunt->life.conf.life_ms = high_ms;
    }
    while (high_ms - low_ms > 2000) {
        struct plane_life life = hunt->life;
        life.conf.life_ms = low_ms + (high_ms - low_ms) / 2;
        if (fails(hunt, &life, &hunt->kept)) {
            hunt->life = life;
            high_ms = life.conf.life_ms;
        } else {
            low_ms = life.conf.life_ms;
        }
    }
}

static void less_cell(struct hunt *hunt)
{
    static const uint32_t nodes[] = { 2, 3, 5 };
    for (size_t i = 0; i < COUNT_OF(nodes); i++) {
        struct plane_life life = hunt->life;
        life.conf.nodes = nodes[i];
        if (fails(hunt, &life, &hunt->kept)) {
            hunt->life = life;
            break;
        }
    }
}

static void fewer_kinds(struct hunt *hunt)
{
    struct plane_kept *trial = &hunt->trial_kept;
    *trial = hunt->kept;
    for (uint32_t i = 0; i < PLANE_FAULTS; i++) {
        trial->off[i] = true;
    }
    if (fails(hunt, &hunt->life, trial)) {
        hunt->kept = *trial;
        return;
    }
    for (uint32_t i = 0; i < PLANE_FAULTS; i++) {
        *trial = hunt->kept;
        trial->off[i] = true;
        if (!hunt->kept.off[i] && fails(hunt, &hunt->life, trial)) {
            hunt->kept = *trial;
        }
    }
}

/* ---- Commands and strikes ---- */

/* Leaves out [from, from + size); true: it was not needed. */
static bool without(struct hunt *hunt, uint32_t from, uint32_t size)
{
    struct plane_kept *trial = &hunt->trial_kept;
    uint32_t rest = hunt->kept.count - from - size;
    *trial = hunt->kept;
    memmove(&trial->ids[from], &hunt->kept.ids[from + size], rest * sizeof(trial->ids[0]));
    trial->count -= size;
    if (!fails(hunt, &hunt->life, trial)) {
        return false;
    }
    hunt->kept = *trial;
    return true;
}

static void fewer_injected(struct hunt *hunt)
{
    for (uint32_t size = hunt->kept.count / 2; size > 0; size = size / 2) {
        bool again = true;
        while (again) {
            again = false;
            for (uint32_t end = hunt->kept.count; end >= size && end > 0;) {
                uint32_t from = end - size; /* The end first: what came last is needed least. */
                again = without(hunt, from, size) || again;
                end = from;
            }
            again = again && size == 1 && hunt->tries < TRIES_MAX;
        }
    }
}

bool plane_shrink(const struct plane_life *life, const char *path)
{
    static struct hunt hunt;
    hunt.life = *life;
    hunt.tally = plane_tally_new();
    if (plane_seed_run(&hunt.life, hunt.tally)) {
        return false;
    }
    word_of(hunt.tally->what, hunt.word);
    hunt.life.conf = hunt.tally->conf; /* As the seed drew it. */
    uint32_t before = hunt.tally->injected_count;
    less_time(&hunt);
    less_cell(&hunt);
    fewer_kinds(&hunt);
    if (!fails(&hunt, &hunt.life, &hunt.kept)) {
        return false; /* It failed once and does not again: the seed is not alone to decide. */
    }
    keep_injected(&hunt, &hunt.kept);
    sort(&hunt.kept);
    fewer_injected(&hunt);
    fewer_kinds(&hunt);
    bool same = fails(&hunt, &hunt.life, &hunt.kept);
    FILE *file = fopen(path, "w");
    if (file == NULL || !same) {
        (void)fprintf(stderr, "%s: cannot be written\n", path);
        return false;
    }
    plane_case_write(&hunt.life, &hunt.kept, hunt.tally->what, file);
    bool kept = ferror(file) == 0;
    if (fclose(file) != 0 || !kept) {
        (void)fprintf(stderr, "%s: cannot be written\n", path);
        return false;
    }
    printf(
        "shrunk: %u of %u injected events, %" PRIu64 " ms, %u nodes, after %u tries: %s\n",
        hunt.kept.count,
        before,
        hunt.life.conf.life_ms,
        hunt.life.conf.nodes,
        hunt.tries,
        hunt.tally->what);
    printf("replay: ./lab sim --case %s --verbose\n", path);
    return true;
}
