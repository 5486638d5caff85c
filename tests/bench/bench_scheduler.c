/* How fast and how tightly the product's own scheduler places: one JSON line on standard output.
 *
 * Decides nothing; it reports. Two figures for packing on purpose, since either alone flatters some
 * policy: how much CPU is allocated when the first request is refused, and how much capacity is
 * touched by a demand of 60 %. The shapes are synthetic (small ones are common, large ones rare),
 * on three types of node; no reserve and no overcommit, so that the figures speak of the policy.
 *
 *     bench_scheduler [nodes]      default 10,000 */
#include "base/check.h"
#include "base/prng.h"
#include "scheduler/explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    NODES_DEFAULT = 10000,
    NODES_LEAST = 64,
    NODES_PER_RACK = 32,
    PLACED_PER_NODE_MAX = 60,
    ROUNDS = 20000, /* Steady-state replacements that are timed at each fill. */
    PACKING_SEEDS = 5,
    MISSES_MAX = 2000, /* Refusals in a row after which a fill is as full as it gets. */
    MIB_PER_GIB = 1024,
};

struct shape {
    uint32_t vcpus;
    uint32_t memory_gib;
    uint32_t weight;
};
static const struct shape shapes[] = {
    { 1, 2, 300 },   { 2, 4, 180 },  { 2, 8, 150 },  { 2, 16, 40 },  { 4, 8, 70 },   { 4, 16, 90 },
    { 4, 32, 30 },   { 8, 16, 25 },  { 8, 32, 45 },  { 8, 64, 15 },  { 16, 64, 22 }, { 16, 128, 8 },
    { 32, 128, 12 }, { 32, 256, 4 }, { 64, 256, 5 }, { 64, 512, 2 }, { 96, 384, 1 },
};
static const struct shape node_types[] = { { 128, 512, 0 }, { 192, 768, 0 }, { 256, 1024, 0 } };

struct placed {
    uint32_t slot;
    uint32_t vcpus;
    uint32_t memory_mib;
};

struct bench {
    struct scheduler_view view;
    struct prng prng;
    void *memory;          /* Owned: the view's. */
    struct placed *placed; /* Owned. */
    uint32_t placed_count;
    uint32_t nodes;
};

struct timing {
    uint64_t p50_ns;
    uint64_t p99_ns;
    uint32_t placed;
    uint32_t refused;
    double fill_percent;
};

struct packing {
    double vcpus_percent;
    double memory_percent;
};

static uint64_t now_ns(void)
{
    struct timespec at;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &at) == 0);
    return (uint64_t)at.tv_sec * UINT64_C(1000000000) + (uint64_t)at.tv_nsec;
}

static void bench_open(struct bench *bench, uint32_t nodes, uint64_t seed)
{
    const struct scheduler_policy policy = { .overcommit_percent = 100, .reserve_percent = 0 };
    size_t size = (scheduler_view_memory(nodes) + 63) / 64 * 64;
    *bench = (struct bench){ .nodes = nodes };
    bench->memory = aligned_alloc(64, size);
    bench->placed = calloc((size_t)nodes * PLACED_PER_NODE_MAX, sizeof *bench->placed);
    CHECK(bench->memory != NULL);
    CHECK(bench->placed != NULL);
    scheduler_view_init(&bench->view, bench->memory, size, nodes, &policy);
    prng_seed(&bench->prng, seed);
    for (uint32_t slot = 0; slot < nodes; slot++) {
        uint32_t rack = slot / NODES_PER_RACK;
        const struct shape *type = &node_types[rack % COUNT_OF(node_types)];
        struct view_node node = {
            .vcpus = type->vcpus,
            .memory_mib = type->memory_gib * MIB_PER_GIB,
            .rack = rack % VIEW_RACKS_MAX,
            .flags = VIEW_ALIVE,
        };
        view_set(&bench->view, slot, &node);
    }
}

static void bench_close(struct bench *bench)
{
    CHECK(view_check(&bench->view));
    free(bench->memory);
    free(bench->placed);
}

static struct place_request draw(struct bench *bench)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        sum += shapes[i].weight;
    }
    uint32_t ticket = (uint32_t)prng_below(&bench->prng, sum);
    size_t at = 0;
    while (ticket >= shapes[at].weight) {
        ticket -= shapes[at].weight;
        at++;
    }
    CHECK(at < COUNT_OF(shapes));
    return (struct place_request){
        .vcpus = shapes[at].vcpus,
        .memory_mib = shapes[at].memory_gib * MIB_PER_GIB,
    };
}

/* Places and charges; what is timed is exactly this. */
static bool put(struct bench *bench, const struct place_request *request, struct placed *placed)
{
    uint32_t slot = 0;
    if (!place(&bench->view, request, &slot)) {
        return false;
    }
    view_take(&bench->view, slot, request->vcpus, request->memory_mib);
    *placed = (struct placed){ slot, request->vcpus, request->memory_mib };
    return true;
}

static double vcpus_percent(const struct bench *bench)
{
    return 100.0 * (double)bench->view.placed.vcpus / (double)bench->view.total.vcpus;
}

static double memory_percent(const struct bench *bench)
{
    return 100.0 * (double)bench->view.placed.memory_mib / (double)bench->view.total.memory_mib;
}

static void fill_to(struct bench *bench, double percent)
{
    uint32_t misses = 0;
    uint32_t most = bench->nodes * PLACED_PER_NODE_MAX;
    while (vcpus_percent(bench) < percent && misses < MISSES_MAX && bench->placed_count < most) {
        struct place_request request = draw(bench);
        if (put(bench, &request, &bench->placed[bench->placed_count])) {
            bench->placed_count++;
            misses = 0;
        } else {
            misses++;
        }
    }
}

static int compare_ns(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* One goes, one comes; the coming is timed, refusals included. */
static struct timing time_steady(struct bench *bench, double percent)
{
    fill_to(bench, percent);
    uint64_t *took = calloc(ROUNDS, sizeof *took);
    CHECK(took != NULL);
    struct timing timing = { .placed = bench->placed_count, .fill_percent = vcpus_percent(bench) };
    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct placed *gone = &bench->placed[prng_below(&bench->prng, bench->placed_count)];
        view_give(&bench->view, gone->slot, gone->vcpus, gone->memory_mib);
        struct place_request request = draw(bench);
        uint64_t start = now_ns();
        bool found = put(bench, &request, gone);
        took[i] = now_ns() - start;
        if (!found) { /* Nothing came: the one that went comes back. */
            timing.refused++;
            view_take(&bench->view, gone->slot, gone->vcpus, gone->memory_mib);
        }
    }
    qsort(took, ROUNDS, sizeof *took, compare_ns);
    timing.p50_ns = took[ROUNDS / 2];
    timing.p99_ns = took[ROUNDS / 100 * 99];
    free(took);
    return timing;
}

/* The mean over seeds of what is allocated when the first request is refused. */
static struct packing pack_until_refused(uint32_t nodes)
{
    struct packing packing = { 0 };
    for (uint64_t seed = 1; seed <= PACKING_SEEDS; seed++) {
        struct bench bench;
        bench_open(&bench, nodes, seed);
        struct placed ignored;
        struct place_request request = draw(&bench);
        while (put(&bench, &request, &ignored)) {
            request = draw(&bench);
        }
        packing.vcpus_percent += vcpus_percent(&bench) / PACKING_SEEDS;
        packing.memory_percent += memory_percent(&bench) / PACKING_SEEDS;
        bench_close(&bench);
    }
    return packing;
}

/* How much of the vcpus stands on nodes that are not empty, for a demand of 60 % of all. */
static struct packing pack_demand(uint32_t nodes, double *lower_bound_out)
{
    struct bench bench;
    bench_open(&bench, nodes, 7);
    fill_to(&bench, 60.0);
    uint64_t vcpus = 0;
    uint64_t memory_mib = 0;
    for (uint32_t slot = 0; slot < nodes; slot++) {
        bool touched = bench.view.vcpus_placed[slot] != 0;
        vcpus += touched ? bench.view.vcpus[slot] : 0;
        memory_mib += touched ? bench.view.memory_mib[slot] : 0;
    }
    double by_vcpus = vcpus_percent(&bench);
    double by_memory = memory_percent(&bench);
    *lower_bound_out = by_vcpus > by_memory ? by_vcpus : by_memory;
    struct packing packing = {
        .vcpus_percent = 100.0 * (double)vcpus / (double)bench.view.total.vcpus,
        .memory_percent = 100.0 * (double)memory_mib / (double)bench.view.total.memory_mib,
    };
    bench_close(&bench);
    return packing;
}

static void print_timing(const char *name, const struct timing *timing)
{
    (void)printf(
        "\"%s\":{\"vcpus_percent\":%.2f,\"instances\":%u,\"p50_ns\":%llu,\"p99_ns\":%llu,"
        "\"rounds\":%d,\"refused\":%u},",
        name,
        timing->fill_percent,
        timing->placed,
        (unsigned long long)timing->p50_ns,
        (unsigned long long)timing->p99_ns,
        ROUNDS,
        timing->refused);
}

int main(int argc, char **argv)
{
    unsigned long asked = argc > 1 ? strtoul(argv[1], NULL, 10) : NODES_DEFAULT;
    if (argc > 2 || asked < NODES_LEAST || asked > VIEW_NODES_MAX) {
        (void)fprintf(stderr, "usage: bench_scheduler [nodes, 64 to %d]\n", VIEW_NODES_MAX);
        return 2;
    }
    uint32_t nodes = (uint32_t)asked;
    double load = 0;
    CHECK(getloadavg(&load, 1) == 1);
    struct bench bench;
    bench_open(&bench, nodes, 9);
    struct timing at_80 = time_steady(&bench, 80.0);
    struct timing at_92 = time_steady(&bench, 92.0);
    bench_close(&bench);
    struct packing refused = pack_until_refused(nodes);
    double lower_bound = 0;
    struct packing touched = pack_demand(nodes, &lower_bound);
    (void)printf(
        "{\"bench\":\"scheduler\",\"nodes\":%u,\"policy\":\"exact best fit\","
        "\"compiler\":\"%s\",\"load_1m\":%.2f,",
        nodes,
        __VERSION__,
        load);
    print_timing("at_80", &at_80);
    print_timing("at_92", &at_92);
    (void)printf(
        "\"first_reject\":{\"vcpus_percent\":%.2f,\"memory_percent\":%.2f,\"seeds\":%d},",
        refused.vcpus_percent,
        refused.memory_percent,
        PACKING_SEEDS);
    (void)printf(
        "\"demand_60\":{\"vcpus_touched_percent\":%.2f,\"memory_touched_percent\":%.2f,"
        "\"lower_bound_percent\":%.2f}}\n",
        touched.vcpus_percent,
        touched.memory_percent,
        lower_bound);
    return 0;
}
