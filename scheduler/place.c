/* Decides which node gets it: every node is looked at, VIEW_BLOCK at a time, in a loop that the
 * compiler turns into vector instructions. Never samples, never changes the view. */
#include "scheduler/place.h"

#include "base/check.h"
#include "scheduler/score.h"

/* The best instructions that the machine at hand has; integers, so the answers are the same. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__)
#define VECTORISED __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define VECTORISED
#endif

/* What one scan carries from block to block. */
struct scan {
    const struct scheduler_view *view;
    const struct place_request *request;
    int32_t vcpus;
    int32_t memory;
    int32_t exchange;
    struct score best;
    bool found;
    _Alignas(64) int32_t leftovers[VIEW_BLOCK]; /* Of the block at hand; set once, not per block. */
};

/* No leftover is as large: score.c asserts it. */
#define TURNED_AWAY INT32_MAX

/* The leftover of each node of a block, or TURNED_AWAY; returns the least. */
VECTORISED static int32_t block_leftovers(
    const int32_t *restrict open_vcpus,
    const int32_t *restrict open_memory,
    int32_t vcpus,
    int32_t memory,
    int32_t exchange,
    int32_t *restrict leftovers)
{
    for (uint32_t i = 0; i < VIEW_BLOCK; i++) {
        int32_t vcpus_left = open_vcpus[i] - vcpus;
        int32_t memory_left = open_memory[i] - memory;
        int32_t leftover = score_leftover(vcpus_left, memory_left, exchange);
        /* All ones if either is short: no branch, so that the loop becomes vectors. */
        int32_t short_of = -(int32_t)((uint32_t)(vcpus_left | memory_left) >> 31);
        leftovers[i] = (leftover & ~short_of) | (TURNED_AWAY & short_of);
    }
    int32_t least = TURNED_AWAY;
    for (uint32_t i = 0; i < VIEW_BLOCK; i++) {
        least = leftovers[i] < least ? leftovers[i] : least;
    }
    return least;
}

static bool better(const struct scan *scan, const struct score *score)
{
    return !scan->found || score_compare(score, &scan->best) < 0;
}

/* Looks at the nodes of one block one by one: needed where they differ by more than their room. */
static void block_one_by_one(struct scan *scan, uint32_t block, uint64_t eligible)
{
    CHECK(eligible != 0);
    for (uint32_t i = 0; i < VIEW_BLOCK; i++) {
        if ((eligible >> i & 1U) == 0 || scan->leftovers[i] == TURNED_AWAY) {
            continue;
        }
        uint32_t slot = block * VIEW_BLOCK + i;
        struct score score = {
            .spread = score_spread(scan->request, scan->view->rack[slot]),
            .leftover = scan->leftovers[i],
            .slot = slot,
        };
        if (better(scan, &score)) {
            scan->best = score;
            scan->found = true;
        }
    }
}

static void block_scan(struct scan *scan, uint32_t block)
{
    const struct scheduler_view *view = scan->view;
    const struct place_request *request = scan->request;
    size_t first = (size_t)block * VIEW_BLOCK;
    uint64_t eligible = request->image_nodes == NULL ? UINT64_MAX : request->image_nodes[block];
    if (eligible == 0) {
        return;
    }
    int32_t least = block_leftovers(
        view->open_vcpus + first,
        view->open_memory + first,
        scan->vcpus,
        scan->memory,
        scan->exchange,
        scan->leftovers);
    if (least == TURNED_AWAY) {
        return;
    }
    /* Slots ascend, so an equal leftover later in the scan never wins; and no spread is below 0. */
    bool hopeless = scan->found && scan->best.spread == 0 && least >= scan->best.leftover;
    if (!hopeless) {
        block_one_by_one(scan, block, eligible);
    }
}

bool place(
    const struct scheduler_view *view, const struct place_request *request, uint32_t *slot_out)
{
    CHECK(request->vcpus >= 1);
    CHECK(request->memory_mib >= 1);
    if (request->vcpus > VIEW_VCPUS_MAX || request->memory_mib > VIEW_MEMORY_MIB_MAX) {
        return false; /* No node is that large. */
    }
    struct scan scan = {
        .view = view,
        .request = request,
        .vcpus = (int32_t)request->vcpus,
        .memory = (int32_t)request->memory_mib,
        .exchange = score_exchange(view),
    };
    for (uint32_t block = 0; block * VIEW_BLOCK < view->count; block++) {
        block_scan(&scan, block);
    }
    if (!scan.found) {
        return false;
    }
    CHECK(filter_node(view, request, scan.best.slot) == CONSTRAINT_NONE); /* INV-SCH-2 */
    *slot_out = scan.best.slot;
    return true;
}
