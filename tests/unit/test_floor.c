/* Floors that stay reachable, and the rate limit against its promise. */
#include "base/check.h"
#include "base/prng.h"
#include "quota/floor.h"
#include "quota/rate.h"

#include <criterion/criterion.h>
#include <signal.h>

static struct quota_amounts amounts(uint64_t vcpus, uint64_t memory, uint64_t instances)
{
    return (struct quota_amounts){ { vcpus, memory, instances, 0 } };
}

static const struct quota_amounts CAPACITY = { { 100, 1000, QUOTA_UNLIMITED, QUOTA_UNLIMITED } };

Test(floors, the_reserve_is_rounded_up_and_never_more_than_the_whole)
{
    struct quota_amounts reserve = floor_reserve(&CAPACITY, 15);
    cr_assert_eq(reserve.of[QUOTA_VCPUS], 15);
    cr_assert_eq(reserve.of[QUOTA_INSTANCES], 0);
    struct quota_amounts odd = amounts(7, UINT64_MAX - 1, 1);
    cr_assert_eq(floor_reserve(&odd, 10).of[QUOTA_VCPUS], 1);
    cr_assert_eq(floor_reserve(&odd, 100).of[QUOTA_MEMORY_BYTES], UINT64_MAX - 1);
    cr_assert_eq(floor_reserve(&odd, 0).of[QUOTA_VCPUS], 0);
}

Test(floors, promises_beyond_capacity_less_reserve_are_refused_when_they_are_made)
{
    struct quota_amounts reserve = floor_reserve(&CAPACITY, 10); /* INV-LED-3 */
    struct quota_amounts others = amounts(50, 500, 0);
    struct quota_amounts fits = amounts(40, 400, 3);
    struct quota_refusal refusal;
    cr_assert_eq(floor_admissible(&others, &fits, &CAPACITY, &reserve, &refusal), REJECT_NONE);
    struct quota_amounts more = amounts(40, 401, 3);
    cr_assert_eq(floor_admissible(&others, &more, &CAPACITY, &reserve, &refusal), REJECT_FLOOR);
    cr_assert_eq(refusal.dimension, QUOTA_MEMORY_BYTES);
    cr_assert_eq(refusal.limit, 900);
    cr_assert_eq(refusal.usage, 500);
    cr_assert_eq(refusal.requested, 401);
    struct quota_amounts none = { { 0 } }; /* The guard off: without a reserve it passes. */
    cr_assert_eq(floor_admissible(&others, &more, &CAPACITY, &none, &refusal), REJECT_NONE);
}

Test(floors, absurd_promises_are_refused_even_where_nothing_bounds_them)
{
    struct quota_amounts reserve = { { 0 } };
    struct quota_amounts others = { { 0, 0, 0, UINT64_MAX / 2 } };
    struct quota_amounts floors = { { 0, 0, 0, UINT64_MAX } };
    struct quota_refusal refusal;
    cr_assert_eq(floor_admissible(&others, &floors, &CAPACITY, &reserve, &refusal), REJECT_FLOOR);
    floors.of[QUOTA_NETWORKS] = 1;
    cr_assert_eq(floor_admissible(&others, &floors, &CAPACITY, &reserve, &refusal), REJECT_FLOOR);
    floors.of[QUOTA_NETWORKS] = 0; /* Lowering to nothing is always possible. */
    cr_assert_eq(floor_admissible(&others, &floors, &CAPACITY, &reserve, &refusal), REJECT_NONE);
}

Test(floors, a_floor_above_its_cap_is_a_bad_field)
{
    struct quota_amounts cap = amounts(4, 4, 4);
    struct quota_amounts floors = amounts(4, 5, 0);
    struct quota_refusal refusal;
    cr_assert_eq(floor_within_cap(&floors, &cap, &refusal), REJECT_BAD_FIELD);
    cr_assert_eq(refusal.dimension, QUOTA_MEMORY_BYTES);
    floors.of[QUOTA_MEMORY_BYTES] = 4;
    cr_assert_eq(floor_within_cap(&floors, &cap, &refusal), REJECT_NONE);
}

Test(floors, nobody_eats_the_floor_of_another)
{
    struct quota_amounts reserve = floor_reserve(&CAPACITY, 10);
    struct quota_amounts mine = amounts(40, 0, 0);
    struct quota_amounts no_floor = { { 0 } };
    struct quota_amounts theirs = amounts(10, 0, 0);
    struct quota_amounts their_floor = amounts(50, 0, 0);
    struct quota_amounts claims = floor_claim(&mine, &no_floor);
    struct quota_amounts their_claim = floor_claim(&theirs, &their_floor);
    quota_amounts_add(&claims, &their_claim);
    cr_assert_eq(claims.of[QUOTA_VCPUS], 90);
    struct quota_amounts one = amounts(1, 0, 0);
    struct quota_refusal refusal;
    cr_assert_eq(
        placement_admissible(&mine, &no_floor, &claims, &CAPACITY, &reserve, &one, &refusal),
        REJECT_FLOOR);
    cr_assert_eq(refusal.usage, 90);
    cr_assert_eq(refusal.limit, 90);
    struct quota_amounts forty = amounts(40, 0, 0); /* They still reach all of their own. */
    cr_assert_eq(
        placement_admissible(&theirs, &their_floor, &claims, &CAPACITY, &reserve, &forty, &refusal),
        REJECT_NONE);
    struct quota_amounts rest = amounts(0, 900, 0); /* Exactly all there is. */
    cr_assert_eq(
        placement_admissible(&mine, &no_floor, &claims, &CAPACITY, &reserve, &rest, &refusal),
        REJECT_NONE);
    forty.of[QUOTA_VCPUS] = 41;
    cr_assert_eq(
        placement_admissible(&theirs, &their_floor, &claims, &CAPACITY, &reserve, &forty, &refusal),
        REJECT_FLOOR);
    quota_amounts_subtract(&claims, &their_claim); /* Without their floor there is room. */
    cr_assert_eq(
        placement_admissible(&mine, &no_floor, &claims, &CAPACITY, &reserve, &one, &refusal),
        REJECT_NONE);
}

Test(floors, inside_its_own_floor_a_tenant_is_served_even_after_capacity_was_lost)
{
    struct quota_amounts lost = { { 10, 10, QUOTA_UNLIMITED, QUOTA_UNLIMITED } };
    struct quota_amounts reserve = floor_reserve(&lost, 100);
    struct quota_amounts placed = amounts(5, 0, 0);
    struct quota_amounts floors = amounts(8, 0, 0);
    struct quota_amounts claims = amounts(60, 60, 60);
    struct quota_amounts three = amounts(3, 0, 0);
    struct quota_refusal refusal;
    cr_assert_eq(
        placement_admissible(&placed, &floors, &claims, &lost, &reserve, &three, &refusal),
        REJECT_NONE);
    three.of[QUOTA_VCPUS] = 4;
    cr_assert_eq(
        placement_admissible(&placed, &floors, &claims, &lost, &reserve, &three, &refusal),
        REJECT_FLOOR);
}

Test(floors, subtracting_a_claim_that_was_not_added_crashes, .signal = SIGABRT)
{
    struct quota_amounts sum = amounts(1, 0, 0);
    struct quota_amounts two = amounts(2, 0, 0);
    quota_amounts_subtract(&sum, &two);
}

/* Whoever starts and stops what, as long as each start was admitted, every floor can be reached. */
Test(floors, property_every_floor_stays_reachable)
{
    enum { HOUSES = 6 };
    struct prng prng;
    prng_seed(&prng, 11);
    struct quota_amounts reserve = floor_reserve(&CAPACITY, 10);
    struct quota_amounts placed[HOUSES] = { 0 };
    struct quota_amounts floors[HOUSES] = { 0 };
    for (uint32_t i = 0; i < 20000; i++) {
        struct quota_amounts claims = { { 0 } };
        struct quota_amounts promised = { { 0 } };
        uint32_t who = (uint32_t)prng_below(&prng, HOUSES);
        for (uint32_t h = 0; h < HOUSES; h++) {
            struct quota_amounts claim = floor_claim(&placed[h], &floors[h]);
            quota_amounts_add(&claims, &claim);
            if (h != who) {
                quota_amounts_add(&promised, &floors[h]);
            }
        }
        cr_assert_leq(claims.of[QUOTA_VCPUS], 90);
        struct quota_refusal refusal;
        struct quota_amounts some = amounts(prng_below(&prng, 12), prng_below(&prng, 90), 0);
        if (prng_below(&prng, 4) == 0) { /* A floor is set only while the cell could honour it. */
            struct quota_amounts claim = floor_claim(&placed[who], &floors[who]);
            struct quota_amounts next = floor_claim(&placed[who], &some);
            quota_amounts_subtract(&claims, &claim);
            quota_amounts_add(&claims, &next);
            if (floor_admissible(&promised, &some, &CAPACITY, &reserve, &refusal) == REJECT_NONE &&
                claims.of[QUOTA_VCPUS] <= 90 && claims.of[QUOTA_MEMORY_BYTES] <= 900) {
                floors[who] = some;
            }
        } else if (prng_below(&prng, 3) == 0) {
            placed[who] = (struct quota_amounts){ { 0 } };
        } else if (
            placement_admissible(
                &placed[who], &floors[who], &claims, &CAPACITY, &reserve, &some, &refusal) ==
            REJECT_NONE) {
            quota_amounts_add(&placed[who], &some);
        }
    }
}

/* ---- Rate. ---- */
Test(rate, a_burst_passes_and_then_the_rate)
{
    struct rate rate = { 0 };
    struct rate_limit limit = rate_limit_make(10, 5);
    uint64_t wait_ms = 0;
    for (uint32_t i = 0; i < 5; i++) {
        cr_assert(rate_take(&rate, &limit, 1000, 1, &wait_ms));
    }
    cr_assert_not(rate_take(&rate, &limit, 1000, 1, &wait_ms));
    cr_assert_eq(wait_ms, 100);
    cr_assert_not(rate_take(&rate, &limit, 1099, 1, &wait_ms));
    cr_assert_eq(wait_ms, 1);
    cr_assert(rate_take(&rate, &limit, 1100, 1, &wait_ms));
    cr_assert(rate_take(&rate, &limit, 1100, 0, &wait_ms)); /* What costs nothing passes. */
}

Test(rate, a_clock_that_steps_back_or_ends_lends_nothing)
{
    struct rate rate = { 0 };
    struct rate_limit limit = rate_limit_make(3, 1);
    uint64_t wait_ms = 0;
    cr_assert(rate_take(&rate, &limit, 50000, 1, &wait_ms));
    cr_assert_not(rate_take(&rate, &limit, 100, 1, &wait_ms));
    cr_assert_eq(wait_ms, 50234);
    cr_assert(rate_take(&rate, &limit, UINT64_MAX, 1, &wait_ms));
    cr_assert_not(rate_take(&rate, &limit, UINT64_MAX, 1, &wait_ms));
}

Test(rate, property_never_more_than_burst_and_rate_times_time)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct prng prng;
        prng_seed(&prng, seed);
        uint32_t per_second = 1 + (uint32_t)prng_below(&prng, 2000);
        uint32_t burst = 1 + (uint32_t)prng_below(&prng, 50);
        struct rate_limit limit = rate_limit_make(per_second, burst);
        struct rate rate = { 0 };
        uint64_t start_ms = 1 + prng_below(&prng, 1000000);
        uint64_t now_ms = start_ms;
        uint64_t passed = 0;
        for (uint32_t i = 0; i < 20000; i++) {
            now_ms += prng_below(&prng, 4);
            uint32_t cost = (uint32_t)prng_below(&prng, burst + 1U);
            uint64_t wait_ms = 0;
            if (rate_take(&rate, &limit, now_ms, cost, &wait_ms)) {
                passed += cost;
            } else { /* What it says about later is true. */
                struct rate copy = rate;
                cr_assert(rate_take(&copy, &limit, now_ms + wait_ms, cost, &wait_ms));
            }
            cr_assert_leq(passed * 1000, burst * UINT64_C(1000) + per_second * (now_ms - start_ms));
        }
        cr_assert_gt(passed, 0);
    }
}
