/* The scan against brute force, constraints by name, explanations, and a rack thought away. */
#include "base/check.h"
#include "base/prng.h"
#include "scheduler/explain.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static struct scheduler_view make_view(uint32_t capacity, uint32_t overcommit, uint32_t reserve)
{
    struct scheduler_view view;
    struct scheduler_policy policy = { overcommit, reserve };
    size_t size = scheduler_view_memory(capacity);
    void *memory = malloc(size);
    cr_assert_not_null(memory);
    scheduler_view_init(&view, memory, size, capacity, &policy);
    return view;
}

static void drop_view(struct scheduler_view *view)
{
    cr_assert(view_check(view));
    free(view->open_vcpus); /* The first array begins the block. */
}

static void add(
    struct scheduler_view *view, uint32_t slot, uint32_t vcpus, uint32_t mib, uint32_t rack)
{
    struct view_node node = { vcpus, mib, rack, VIEW_ALIVE };
    view_set(view, slot, &node);
}

static struct place_request request_of(uint32_t vcpus, uint32_t memory_mib)
{
    return (struct place_request){ .vcpus = vcpus, .memory_mib = memory_mib };
}

/* What place must answer, by asking every node. */
static bool brute(
    const struct scheduler_view *view, const struct place_request *request, uint32_t *slot_out)
{
    bool found = false;
    struct score best = { 0 };
    for (uint32_t slot = 0; slot < view->capacity; slot++) {
        if (filter_node(view, request, slot) != CONSTRAINT_NONE) {
            continue;
        }
        struct score score = score_node(view, request, slot);
        if (!found || score_compare(&score, &best) < 0) {
            best = score;
            found = true;
        }
    }
    *slot_out = found ? best.slot : *slot_out;
    return found;
}

Test(place, the_tightest_fit_wins_and_the_lowest_slot_among_equals)
{
    struct scheduler_view view = make_view(10, 100, 0);
    uint32_t slot = 77;
    struct place_request request = request_of(2, 1024);
    cr_assert_not(place(&view, &request, &slot));
    cr_assert_eq(slot, 77);
    add(&view, 1, 8, 8192, 0);
    add(&view, 4, 4, 4096, 1);
    add(&view, 6, 4, 4096, 2);
    cr_assert(place(&view, &request, &slot));
    cr_assert_eq(slot, 4);
    view_take(&view, 6, 1, 1024);
    cr_assert(place(&view, &request, &slot));
    cr_assert_eq(slot, 6);
    view_take(&view, 6, 3, 1024);
    cr_assert(place(&view, &request, &slot));
    cr_assert_eq(slot, 4);
    request.memory_mib = VIEW_MEMORY_MIB_MAX + 1U;
    cr_assert_not(place(&view, &request, &slot));
    drop_view(&view);
}

Test(place, members_of_a_group_go_to_the_rack_that_has_fewest)
{
    struct scheduler_view view = make_view(200, 100, 0);
    for (uint32_t i = 0; i < 3; i++) {
        add(&view, i * 64, 16 - i, 16384, i); /* One in each block; the last is the tightest. */
    }
    uint32_t in_rack[3] = { 1, 0, 1 };
    struct place_request request = request_of(1, 1024);
    uint32_t slot = 0;
    cr_assert(place(&view, &request, &slot));
    cr_assert_eq(slot, 128); /* Without a group: best fit. */
    request.group_in_rack = in_rack;
    request.group_racks = 3;
    cr_assert(place(&view, &request, &slot));
    cr_assert_eq(slot, 64);
    in_rack[1] = 1;
    cr_assert(place(&view, &request, &slot));
    cr_assert_eq(slot, 128);
    request.group_racks = 1; /* Racks beyond the counts have none. */
    cr_assert(place(&view, &request, &slot));
    cr_assert_eq(slot, 128);
    in_rack[2] = 5;
    request.group_racks = 2;
    cr_assert(place(&view, &request, &slot));
    cr_assert_eq(slot, 128);
    in_rack[1] = 0;
    request.group_racks = 3;
    view_take(&view, 64, 15, 1); /* A wish gives way when the rack is full. */
    cr_assert(place(&view, &request, &slot));
    cr_assert_eq(slot, 0);
    drop_view(&view);
}

Test(score, the_order_is_total)
{
    const struct score scores[] = {
        { 0, 5, 9 }, { 0, 6, 1 }, { 0, 6, 2 }, { 1, 0, 0 }, { 2, 0, 0 }
    };
    for (size_t i = 0; i < COUNT_OF(scores); i++) {
        cr_assert_eq(score_compare(&scores[i], &scores[i]), 0);
        for (size_t j = i + 1; j < COUNT_OF(scores); j++) {
            cr_assert_lt(score_compare(&scores[i], &scores[j]), 0);
            cr_assert_gt(score_compare(&scores[j], &scores[i]), 0);
        }
    }
}

Test(score, a_vcpu_is_worth_the_cells_own_ratio_within_bounds)
{
    struct scheduler_view view = make_view(64, 100, 0);
    cr_assert_eq(score_exchange(&view), 1); /* No node, no ratio. */
    add(&view, 0, 10, 5, 0);
    cr_assert_eq(score_exchange(&view), 1);
    add(&view, 1, 10, 81915, 0);
    cr_assert_eq(score_exchange(&view), 4096);
    add(&view, 2, 1, 64U << 20, 0);
    cr_assert_eq(score_exchange(&view), 8192);
    cr_assert_eq(view_set_words(65), 2);
    cr_assert_eq(view.capacity, 64);
    cr_assert_not(view_has(&view, 64));
    struct place_request request = request_of(4, 15);
    struct score score = score_node(&view, &request, 1);
    cr_assert_eq(score.leftover, (10 - 4) * 8192 + 81915 - 15);
    drop_view(&view);
}

Test(place, the_largest_node_and_request_do_not_wrap)
{
    struct scheduler_view view = make_view(64, VIEW_OVERCOMMIT_MAX, 0);
    add(&view, 7, UINT32_MAX, UINT32_MAX, 0);
    struct place_request request = request_of(VIEW_VCPUS_MAX, VIEW_MEMORY_MIB_MAX);
    uint32_t slot = 0;
    cr_assert(place(&view, &request, &slot));
    cr_assert_eq(slot, 7);
    request = request_of(UINT32_MAX, UINT32_MAX);
    cr_assert_not(place(&view, &request, &slot));
    cr_assert_eq(filter_node(&view, &request, 7), CONSTRAINT_VCPU);
    request = request_of(UINT32_MAX, 1);
    cr_assert_not(place(&view, &request, &slot));
    request = request_of(1, UINT32_MAX);
    cr_assert_not(place(&view, &request, &slot));
    view_take(&view, 7, VIEW_VCPUS_MAX, 1);
    request = request_of(1, 1);
    cr_assert_not(place(&view, &request, &slot));
    drop_view(&view);
}

Test(filter, each_constraint_turns_away_by_its_own_name)
{
    struct scheduler_view view = make_view(64, 200, 10);
    add(&view, 3, 10, 1000, 0); /* Sold: 20 vcpus, 18 of them and 900 MiB without the reserve. */
    struct place_request request = request_of(18, 900);
    cr_assert_eq(filter_node(&view, &request, 3), CONSTRAINT_NONE);
    cr_assert_eq(filter_node(&view, &request, 4), CONSTRAINT_ALIVE);
    request = request_of(19, 900);
    cr_assert_eq(filter_node(&view, &request, 3), CONSTRAINT_RESERVE);
    request = request_of(18, 901);
    cr_assert_eq(filter_node(&view, &request, 3), CONSTRAINT_RESERVE);
    request = request_of(21, 900);
    cr_assert_eq(filter_node(&view, &request, 3), CONSTRAINT_VCPU);
    request = request_of(18, 1001);
    cr_assert_eq(filter_node(&view, &request, 3), CONSTRAINT_MEMORY);
    uint64_t nodes = UINT64_C(1) << 4;
    request = request_of(1, 1);
    request.image_nodes = &nodes;
    cr_assert_eq(filter_node(&view, &request, 3), CONSTRAINT_IMAGE);
    nodes |= UINT64_C(1) << 3;
    cr_assert_eq(filter_node(&view, &request, 3), CONSTRAINT_NONE);
    view_flags(&view, 3, VIEW_ALIVE | VIEW_CLOSED);
    cr_assert_eq(filter_node(&view, &request, 3), CONSTRAINT_OPEN);
    view_flags(&view, 3, 0);
    cr_assert_eq(filter_node(&view, &request, 3), CONSTRAINT_ALIVE);
    cr_assert_str_eq(constraint_name(CONSTRAINT_RESERVE), "management-reserve");
    cr_assert_str_eq(constraint_name(CONSTRAINT_IMAGE), "image-present");
    drop_view(&view);
}

Test(view, a_node_that_shrinks_under_what_it_runs_takes_nothing_more)
{
    struct scheduler_view view = make_view(64, 100, 0);
    add(&view, 0, 8, 8192, 0);
    view_take(&view, 0, 6, 6000);
    add(&view, 0, 4, 4096, 0);
    struct place_request request = request_of(1, 1);
    cr_assert_eq(filter_node(&view, &request, 0), CONSTRAINT_VCPU);
    uint32_t slot = 0;
    cr_assert_not(place(&view, &request, &slot));
    cr_assert_eq(view.total.vcpus, 4);
    view_give(&view, 0, 6, 6000);
    cr_assert(place(&view, &request, &slot));
    view_clear(&view, 0);
    cr_assert_eq(view.nodes, 0);
    cr_assert_eq(view.total.memory_mib, 0);
    drop_view(&view);
}

Test(view, giving_back_what_was_not_taken_crashes, .signal = SIGABRT)
{
    struct scheduler_view view = make_view(64, 100, 0); /* INV-SCH-1 */
    add(&view, 0, 8, 8192, 0);
    view_take(&view, 0, 1, 100);
    view_give(&view, 0, 1, 101);
}

Test(view, a_node_with_something_on_it_cannot_be_cleared, .signal = SIGABRT)
{
    struct scheduler_view view = make_view(64, 100, 0);
    add(&view, 0, 8, 8192, 0);
    view_take(&view, 0, 1, 100);
    view_clear(&view, 0);
}

Test(view, a_recount_sees_a_wrong_array)
{
    struct scheduler_view view = make_view(64, 100, 0);
    add(&view, 0, 8, 8192, 0);
    cr_assert(view_check(&view));
    view.vcpus_placed[0] = 1;
    cr_assert_not(view_check(&view));
    view.vcpus_placed[0] = 0;
    view.placed.vcpus = 1;
    cr_assert_not(view_check(&view));
    view.placed.vcpus = 0;
    drop_view(&view);
}

/* ---- Property: place is brute force. ---- */
struct trial {
    struct scheduler_view view;
    uint64_t image[8];
    uint32_t in_rack[7];
};

static struct place_request random_request(struct trial *trial, struct prng *prng)
{
    struct place_request request =
        request_of(1 + (uint32_t)prng_below(prng, 9), 1 + (uint32_t)prng_below(prng, 3000));
    if (prng_below(prng, 2) == 0) {
        for (size_t i = 0; i < COUNT_OF(trial->image); i++) {
            uint64_t kind = prng_below(prng, 3);
            trial->image[i] = kind == 0 ? 0 : kind == 1 ? UINT64_MAX : prng_next(prng);
        }
        request.image_nodes = trial->image;
    }
    if (prng_below(prng, 2) == 0) {
        for (size_t i = 0; i < COUNT_OF(trial->in_rack); i++) {
            trial->in_rack[i] = (uint32_t)prng_below(prng, 3);
        }
        request.group_in_rack = trial->in_rack;
        request.group_racks = (uint32_t)prng_below(prng, COUNT_OF(trial->in_rack) + 1);
    }
    return request;
}

static void random_node(struct trial *trial, struct prng *prng, uint32_t slot)
{
    struct view_node node = {
        .vcpus = (uint32_t)prng_below(prng, 20),
        .memory_mib = (uint32_t)prng_below(prng, 6000),
        .rack = (uint32_t)prng_below(prng, 9),
        .flags = prng_below(prng, 8) == 0 ? (uint32_t)prng_below(prng, 4) : VIEW_ALIVE,
    };
    view_set(&trial->view, slot, &node);
}

Test(place, property_it_chooses_what_brute_force_chooses)
{
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct prng prng;
        prng_seed(&prng, seed);
        uint32_t nodes = 1 + (uint32_t)prng_below(&prng, 450);
        struct trial trial = { .view = make_view(
                                   nodes, 100 + 50 * (uint32_t)(seed % 4), seed % 2 ? 0 : 15) };
        for (uint32_t i = 0; i < 2500; i++) {
            uint32_t slot = (uint32_t)prng_below(&prng, nodes);
            if (prng_below(&prng, 3) == 0) {
                random_node(&trial, &prng, slot);
            }
            struct place_request request = random_request(&trial, &prng);
            uint32_t fast = UINT32_MAX;
            uint32_t slow = UINT32_MAX;
            cr_assert_eq(place(&trial.view, &request, &fast), brute(&trial.view, &request, &slow));
            cr_assert_eq(fast, slow); /* INV-SCH-2 */
            if (fast != UINT32_MAX) {
                view_take(&trial.view, fast, request.vcpus, request.memory_mib);
            }
        }
        drop_view(&trial.view);
    }
}

Test(place, property_room_is_never_sold_twice)
{
    struct prng prng; /* INV-SCH-2 */
    prng_seed(&prng, 3);
    struct trial trial = { .view = make_view(50, 150, 20) };
    for (uint32_t slot = 0; slot < 50; slot++) {
        add(&trial.view, slot, 12, 5000, slot % 5);
    }
    uint32_t refused = 0;
    for (uint32_t i = 0; i < 2000; i++) {
        struct place_request request = random_request(&trial, &prng);
        uint32_t slot = 0;
        if (!place(&trial.view, &request, &slot)) {
            refused++;
            continue;
        }
        view_take(&trial.view, slot, request.vcpus, request.memory_mib);
        cr_assert_leq(trial.view.vcpus_placed[slot], 14); /* 12 × 150 % less 20 %, rounded. */
        cr_assert_leq(trial.view.memory_placed[slot], 4000);
    }
    cr_assert_gt(refused, 0);
    drop_view(&trial.view);
}

/* ---- Explanations. ---- */
Test(explain, a_refusal_counts_every_node_under_one_constraint)
{
    struct scheduler_view view = make_view(64, 100, 50);
    add(&view, 0, 2, 9000, 0);
    add(&view, 1, 8, 1000, 0);
    add(&view, 2, 8, 9000, 0);
    add(&view, 3, 8, 9000, 0);
    view_flags(&view, 3, 0);
    struct place_request request = request_of(4, 5000);
    struct explanation told;
    explain_place(&view, &request, &told);
    cr_assert_eq(told.why, EXPLAIN_NO_NODE);
    cr_assert_eq(told.nodes, 4);
    cr_assert_eq(told.turned_away[CONSTRAINT_VCPU], 1);
    cr_assert_eq(told.turned_away[CONSTRAINT_MEMORY], 1);
    cr_assert_eq(told.turned_away[CONSTRAINT_RESERVE], 1);
    cr_assert_eq(told.turned_away[CONSTRAINT_ALIVE], 1);
    cr_assert_str_eq(explain_why_name(told.why), "no-node");
    drop_view(&view);
}

Test(explain, a_choice_says_why_it_beat_the_next_best)
{
    struct scheduler_view view = make_view(64, 100, 0);
    struct place_request request = request_of(1, 1000);
    struct explanation told;
    add(&view, 5, 4, 4000, 1);
    explain_place(&view, &request, &told);
    cr_assert_eq(told.why, EXPLAIN_ONLY);
    add(&view, 6, 4, 4000, 2);
    explain_place(&view, &request, &told);
    cr_assert_eq(told.why, EXPLAIN_FIRST);
    cr_assert_eq(told.winner.slot, 5);
    cr_assert_eq(told.runner_up.slot, 6);
    view_take(&view, 6, 1, 1000);
    explain_place(&view, &request, &told);
    cr_assert_eq(told.why, EXPLAIN_BEST_FIT);
    cr_assert_eq(told.winner.slot, 6);
    add(&view, 7, 64, 64000, 3);
    const uint32_t in_rack[4] = { 0, 1, 1, 0 };
    request.group_in_rack = in_rack;
    request.group_racks = 4;
    explain_place(&view, &request, &told);
    cr_assert_eq(told.why, EXPLAIN_SPREAD);
    cr_assert_eq(told.winner.slot, 7);
    cr_assert_eq(told.runner_up.slot, 6);
    cr_assert_eq(told.passed, 3);
    for (int why = EXPLAIN_NO_NODE; why < EXPLAIN_WHY_END; why++) {
        cr_assert_gt(strlen(explain_why_name((enum explain_why)why)), 3);
    }
    drop_view(&view);
}

static struct explain_item item_of(uint64_t id, uint32_t slot, uint32_t vcpus, uint32_t mib)
{
    return (struct explain_item){ .id = id, .slot = slot, .vcpus = vcpus, .memory_mib = mib };
}

Test(explain, a_rack_can_be_lost_when_the_rest_has_room)
{
    struct scheduler_view view = make_view(64, 100, 0);
    add(&view, 0, 8, 8000, 0);
    add(&view, 1, 8, 8000, 1);
    add(&view, 2, 8, 8000, 2);
    view_take(&view, 0, 6, 6000);
    view_take(&view, 1, 2, 2000);
    view_take(&view, 2, 6, 6000);
    struct explain_item items[] = { item_of(11, 0, 2, 2000), item_of(12, 0, 4, 4000) };
    struct explain_loss loss;
    explain_lose_rack(&view, 0, items, 2, &loss);
    cr_assert_eq(loss.items, 2);
    cr_assert_eq(loss.fitting, 2);
    cr_assert_eq(loss.first_unfit, 0);
    cr_assert_eq(items[0].id, 12); /* Largest first. */
    cr_assert_eq(items[0].moved_to, 1);
    cr_assert(items[1].fits);
    explain_lose_rack(&view, 2, NULL, 0, &loss); /* Nothing there: nothing to lose. */
    cr_assert_eq(loss.items, 0);
    view_take(&view, 1, 4, 4000); /* One neighbour fuller, and it cannot. */
    explain_lose_rack(&view, 0, items, 2, &loss);
    cr_assert_eq(loss.fitting, 1);
    cr_assert_eq(loss.first_unfit, 12);
    cr_assert_eq(loss.lost.vcpus, 4);
    cr_assert_eq(loss.lost.memory_mib, 4000);
    cr_assert_eq(loss.why.turned_away[CONSTRAINT_VCPU], 2);
    cr_assert_eq(loss.why.turned_away[CONSTRAINT_ALIVE], 1); /* The lost rack's node itself. */
    drop_view(&view);
}

Test(explain, property_thinking_a_rack_away_changes_nothing)
{
    enum { NODES = 40, ITEMS = 300 };
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct prng prng;
        prng_seed(&prng, seed);
        struct scheduler_view view = make_view(NODES, 100, 10);
        for (uint32_t slot = 0; slot < NODES; slot++) {
            add(&view, slot, 16, 32000, slot % 4);
        }
        static struct explain_item items[ITEMS];
        uint32_t count = 0;
        for (uint32_t i = 0; i < ITEMS; i++) {
            struct place_request request = request_of(
                1 + (uint32_t)prng_below(&prng, 4), 1000 + (uint32_t)prng_below(&prng, 4000));
            uint32_t slot = 0;
            if (!place(&view, &request, &slot)) {
                continue;
            }
            view_take(&view, slot, request.vcpus, request.memory_mib);
            if (view.rack[slot] == 2) {
                items[count++] = item_of(1000 + i, slot, request.vcpus, request.memory_mib);
            }
        }
        cr_assert_gt(count, 10);
        size_t size = scheduler_view_memory(NODES);
        void *before = malloc(size);
        cr_assert_not_null(before);
        memcpy(before, view.open_vcpus, size);
        struct scheduler_view head = view;
        struct explain_loss loss;
        explain_lose_rack(&view, 2, items, count, &loss);
        cr_assert_eq(memcmp(before, view.open_vcpus, size), 0);
        cr_assert_eq(memcmp(&head, &view, sizeof head), 0);
        struct explain_item first = items[0];
        struct explain_loss again;
        explain_lose_rack(&view, 2, items, count, &again); /* And it always thinks the same. */
        cr_assert_eq(again.fitting, loss.fitting);
        cr_assert_eq(items[0].moved_to, first.moved_to);
        free(before);
        drop_view(&view);
    }
}
