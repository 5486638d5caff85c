/* Decides how a choice is told: who was turned away by what, and why the winner won. Never chooses:
 * it asks place.c and checks that both agree. */
#include "scheduler/explain.h"

#include "base/check.h"

const char *explain_why_name(enum explain_why why)
{
    static const char *const names[] = {
        [EXPLAIN_NO_NODE] = "no-node",       [EXPLAIN_ONLY] = "only-one",
        [EXPLAIN_SPREAD] = "rack-spread",    [EXPLAIN_BEST_FIT] = "best-fit",
        [EXPLAIN_FIRST] = "first-of-equals", [EXPLAIN_POLICY] = "placement-policy",
    };
    _Static_assert(COUNT_OF(names) == EXPLAIN_WHY_END, "every reason has its word");
    CHECK(why >= EXPLAIN_NO_NODE && why < EXPLAIN_WHY_END);
    return names[why];
}

static void passed_add(struct explanation *explanation, const struct score *score)
{
    if (explanation->passed == 0 || score_compare(score, &explanation->winner) < 0) {
        explanation->runner_up = explanation->winner;
        explanation->winner = *score;
    } else if (explanation->passed == 1 || score_compare(score, &explanation->runner_up) < 0) {
        explanation->runner_up = *score;
    }
    explanation->passed++;
}

static enum explain_why why_of(const struct explanation *explanation)
{
    if (explanation->passed == 0) {
        return EXPLAIN_NO_NODE;
    }
    if (explanation->passed == 1) {
        return EXPLAIN_ONLY;
    }
    CHECK(score_compare(&explanation->winner, &explanation->runner_up) < 0);
    if (explanation->winner.spread != explanation->runner_up.spread) {
        return EXPLAIN_SPREAD;
    }
    bool fits_better = explanation->winner.leftover != explanation->runner_up.leftover;
    return fits_better ? EXPLAIN_BEST_FIT : EXPLAIN_FIRST;
}

void explain_place(
    const struct scheduler_view *view,
    const struct place_request *request,
    struct explanation *explanation_out)
{
    struct explanation explanation = { .nodes = 0 };
    for (uint32_t slot = 0; slot < view->count; slot++) {
        if (!view_has(view, slot)) {
            continue;
        }
        explanation.nodes++;
        enum constraint constraint = filter_node(view, request, slot);
        if (constraint != CONSTRAINT_NONE) {
            explanation.turned_away[constraint]++;
            continue;
        }
        struct score score = score_node(view, request, slot);
        passed_add(&explanation, &score);
    }
    explanation.why = why_of(&explanation);
    uint32_t slot = 0;
    bool found = place(view, request, &slot);
    CHECK(found == (explanation.passed > 0));         /* INV-SCH-2 */
    CHECK(!found || slot == explanation.winner.slot); /* INV-SCH-2 */
    *explanation_out = explanation;
}

bool explain_policy(
    const struct scheduler_view *view,
    const struct place_request *request,
    place_policy *policy,
    struct explanation *explanation_out,
    uint32_t *slot_out)
{
    explain_place(view, request, explanation_out);
    if (policy == NULL) {
        *slot_out = explanation_out->winner.slot;
        return explanation_out->passed > 0;
    }
    uint32_t slot = 0;
    bool chosen = policy(view, request, &slot) && view_has(view, slot);
    if (chosen) {
        explanation_out->why = EXPLAIN_POLICY;
        *slot_out = slot;
    }
    return chosen;
}

/* ---- Could this rack be lost? ---- */

/* Largest first, then by id: a total order, so that every replica thinks alike. */
static bool item_before(
    const struct explain_item *a, const struct explain_item *b, int32_t exchange)
{
    uint64_t size_a = (uint64_t)a->vcpus * (uint32_t)exchange + a->memory_mib;
    uint64_t size_b = (uint64_t)b->vcpus * (uint32_t)exchange + b->memory_mib;
    return size_a != size_b ? size_a > size_b : a->id < b->id;
}

static void item_swap(struct explain_item *a, struct explain_item *b)
{
    struct explain_item held = *a;
    *a = *b;
    *b = held;
}

/* Lets items[at] sink to its place in a heap whose root comes last. */
static void heap_sink(struct explain_item *items, uint32_t at, uint32_t count, int32_t exchange)
{
    CHECK(at < count);
    while (at < count / 2) { /* Halves at each turn. */
        uint32_t child = 2 * at + 1;
        if (child + 1 < count && item_before(&items[child], &items[child + 1], exchange)) {
            child++;
        }
        if (item_before(&items[child], &items[at], exchange)) {
            return;
        }
        item_swap(&items[at], &items[child]);
        at = child;
    }
}

/* A heap sort: the library's may allocate. */
static void items_sort(struct explain_item *items, uint32_t count, int32_t exchange)
{
    for (uint32_t i = count / 2; i > 0; i--) {
        heap_sink(items, i - 1, count, exchange);
    }
    for (uint32_t end = count; end > 1; end--) {
        item_swap(&items[0], &items[end - 1]);
        heap_sink(items, 0, end - 1, exchange);
    }
    for (uint32_t i = 1; i < count; i++) {
        CHECK(item_before(&items[i - 1], &items[i], exchange)); /* Ids differ. */
    }
}

/* Thinks a rack away, or back. */
static void rack_mark(struct scheduler_view *view, uint32_t rack, bool lost)
{
    for (uint32_t slot = 0; slot < view->count; slot++) {
        if (!view_has(view, slot) || view->rack[slot] != rack) {
            continue;
        }
        uint32_t flags = view->flags[slot];
        CHECK(((flags & VIEW_LOST) != 0) != lost);
        view_flags(view, slot, flags ^ VIEW_LOST);
    }
}

static void item_try(
    struct scheduler_view *view, struct explain_item *item, struct explain_loss *loss)
{
    const struct place_request request = {
        .vcpus = item->vcpus,
        .memory_mib = item->memory_mib,
        .image_nodes = item->image_nodes,
    };
    item->fits = place(view, &request, &item->moved_to);
    if (item->fits) {
        view_take(view, item->moved_to, item->vcpus, item->memory_mib);
        loss->fitting++;
        return;
    }
    loss->lost.vcpus += item->vcpus;
    loss->lost.memory_mib += item->memory_mib;
    if (loss->first_unfit == 0) {
        loss->first_unfit = item->id;
        explain_place(view, &request, &loss->why);
    }
}

void explain_lose_rack(
    struct scheduler_view *view,
    uint32_t rack,
    struct explain_item *items,
    uint32_t count,
    struct explain_loss *loss_out)
{
    CHECK(rack < VIEW_RACKS_MAX);
    CHECK(items != NULL || count == 0);
    struct explain_loss loss = { .items = count };
    for (uint32_t i = 0; i < count; i++) {
        CHECK(view_has(view, items[i].slot));
        CHECK(view->rack[items[i].slot] == rack);
        CHECK(items[i].id != 0);
    }
    items_sort(items, count, score_exchange(view));
    rack_mark(view, rack, true);
    for (uint32_t i = 0; i < count; i++) {
        item_try(view, &items[i], &loss);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (items[i].fits) {
            CHECK(view->rack[items[i].moved_to] != rack);
            view_give(view, items[i].moved_to, items[i].vcpus, items[i].memory_mib);
        }
    }
    rack_mark(view, rack, false);
    CHECK(loss.fitting <= loss.items);
    *loss_out = loss;
}
