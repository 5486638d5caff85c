/* The more is lost, the slower; worse at once, better step by step. */
#include "base/prng.h"
#include "scheduler/breaker.h"
#include "scheduler/liveness.h"

#include <criterion/criterion.h>

static uint32_t pace_at(uint32_t lost, uint32_t members)
{
    struct breaker breaker = breaker_look((struct breaker){ 0 }, lost, members, 1000);
    return breaker_pace(&breaker, 1000);
}

Test(breaker, the_pace_never_grows_with_what_is_lost) /* INV-RECOVER-1 */
{
    for (uint32_t members = 1; members <= 300; members++) {
        uint32_t before = BREAKER_WHOLE;
        for (uint32_t lost = 0; lost <= members; lost++) {
            uint32_t pace = pace_at(lost, members);
            cr_assert_leq(pace, before, "%u of %u", lost, members);
            before = pace;
        }
        cr_assert_eq(before, 0); /* Everything is lost: nothing moves. */
    }
}

Test(breaker, one_lost_node_of_three_trips_nothing_and_two_trip_it)
{
    cr_assert_eq(pace_at(1, 3), BREAKER_WHOLE);
    cr_assert_eq(pace_at(2, 3), 0);
    cr_assert_eq(pace_at(1, 2), BREAKER_WHOLE);
    cr_assert_eq(pace_at(3, 10), BREAKER_WHOLE);
    cr_assert_eq(pace_at(4, 10), 1);
    cr_assert_eq(pace_at(6, 10), 0);
}

Test(breaker, it_gets_worse_at_once_and_better_only_after_a_calm_minute)
{
    struct breaker breaker = breaker_look((struct breaker){ 0 }, 60, 100, 1000);
    cr_assert_eq(breaker.level, BREAKER_OPEN);
    breaker = breaker_look(breaker, 40, 100, 2000);
    cr_assert_eq(breaker.level, BREAKER_SLOW);
    breaker = breaker_look(breaker, 30, 100, 3000); /* Small enough not to trip, not to close. */
    cr_assert_eq(breaker.level, BREAKER_SLOW);
    breaker = breaker_look(breaker, 20, 100, 4000);
    breaker = breaker_look(breaker, 20, 100, 4000 + BREAKER_CALM_MS - 1);
    cr_assert_eq(breaker.level, BREAKER_SLOW);
    breaker =
        breaker_look(breaker, 26, 100, 4000 + BREAKER_CALM_MS); /* Not calm: from the start. */
    breaker = breaker_look(breaker, 20, 100, 70000);
    breaker = breaker_look(breaker, 20, 100, 70000 + BREAKER_CALM_MS - 1);
    cr_assert_eq(breaker_pace(&breaker, 70000 + BREAKER_CALM_MS - 1), 1);
    breaker = breaker_look(breaker, 20, 100, 70000 + BREAKER_CALM_MS);
    cr_assert_eq(breaker.level, BREAKER_CLOSED);
}

Test(breaker, once_closed_it_grows_by_a_tenth_at_a_time)
{
    struct breaker breaker = { .level = BREAKER_CLOSED, .closed_ms = 5000 };
    cr_assert_eq(breaker_pace(&breaker, 5000), 1);
    cr_assert_eq(breaker_pace(&breaker, 5000 + BREAKER_STEP_MS - 1), 1);
    cr_assert_eq(breaker_pace(&breaker, 5000 + BREAKER_STEP_MS), 2);
    cr_assert_eq(breaker_pace(&breaker, 5000 + 100 * BREAKER_STEP_MS), BREAKER_WHOLE);
}

/* Whatever happens, the pace at no moment is above that of the loss by itself. */
Test(breaker, a_sweep_to_all_and_back_is_never_faster_than_its_loss)
{
    struct breaker breaker = { 0 };
    uint64_t now_ms = 1000;
    for (uint32_t step = 0; step <= 400; step++) {
        uint32_t lost = step <= 200 ? step : 400 - step;
        now_ms += 2000;
        breaker = breaker_look(breaker, lost, 200, now_ms);
        uint32_t pace = breaker_pace(&breaker, now_ms);
        cr_assert_leq(pace, pace_at(lost, 200));
        cr_assert(lost < liveness_quorum(200) || pace == 0);
    }
    cr_assert_eq(breaker.level, BREAKER_CLOSED);
}

Test(breaker, the_same_losses_in_any_order_of_looks_end_alike)
{
    struct prng prng;
    prng_seed(&prng, 7);
    for (int i = 0; i < 200; i++) {
        struct breaker breaker = { 0 };
        uint64_t now_ms = 1000;
        for (int look = 0; look < 50; look++) {
            now_ms += prng_below(&prng, 20000);
            breaker = breaker_look(breaker, (uint32_t)prng_below(&prng, 101), 100, now_ms);
        }
        breaker = breaker_look(breaker, 0, 100, now_ms);
        breaker = breaker_look(breaker, 0, 100, now_ms + BREAKER_CALM_MS);
        cr_assert_eq(breaker.level, BREAKER_CLOSED);
    }
}
