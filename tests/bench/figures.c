/* Decides how latencies are counted and sorted. Never decides what is measured. */
#include "tests/bench/figures.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

uint64_t figures_now_ns(void)
{
    struct timespec now;
    int failed = clock_gettime(CLOCK_MONOTONIC, &now);
    CHECK(failed == 0);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

void figures_open(struct figures *figures, size_t most)
{
    CHECK(most > 0);
    *figures = (struct figures){ .room = most };
    figures->took_ns = calloc(most, sizeof(*figures->took_ns));
    if (figures->took_ns == NULL) {
        figures_die("figures", "no memory");
    }
}

void figures_close(struct figures *figures)
{
    free(figures->took_ns);
    *figures = (struct figures){ .took_ns = NULL };
}

void figures_add(struct figures *figures, uint64_t took_ns)
{
    CHECK(figures->took_ns != NULL);
    CHECK(figures->count < figures->room);
    figures->took_ns[figures->count++] = took_ns;
}

static int compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

double figures_ms(struct figures *figures, unsigned int per_mille)
{
    CHECK(per_mille <= 1000);
    if (figures->count == 0) {
        return 0;
    }
    qsort(figures->took_ns, figures->count, sizeof(*figures->took_ns), compare);
    size_t at = figures->count * per_mille / 1000;
    return (double)figures->took_ns[at < figures->count ? at : figures->count - 1] / 1e6;
}

void figures_die(const char *what, const char *why)
{
    (void)fprintf(stderr, "bench: %s: %s\n", what, why);
    exit(1);
}
