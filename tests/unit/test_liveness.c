/* The leader's half of docs/FENCING.md, clause by clause. */
#include "base/check.h"
#include "scheduler/liveness.h"

#include <criterion/criterion.h>
#include <signal.h>

enum { NODES = 5, TERM = 7, BOTH = LIVENESS_IN_OLD | LIVENESS_IN_NEW };

static struct liveness_node rows[NODES];

/* A leader elected at 1,000 ms of its clock, with this many members. */
static struct liveness elected(uint32_t members)
{
    struct liveness liveness;
    liveness_init(&liveness, NODES, rows);
    liveness_lead(&liveness, TERM, 1000);
    for (uint32_t slot = 0; slot < members; slot++) {
        liveness_member(&liveness, slot, LIVENESS_IN_NEW, false, 1000);
    }
    return liveness;
}

/* One round trip: an acknowledgement at `now`, repeated 30 ms later. */
static void trip(struct liveness *liveness, uint32_t slot, uint64_t now_ms)
{
    uint64_t number = liveness_issue(liveness, slot, now_ms);
    cr_assert(liveness_renewed(liveness, slot, TERM, number, true, now_ms + 30));
}

static void trips(struct liveness *liveness, uint32_t from, uint32_t to, uint64_t now_ms)
{
    for (uint32_t slot = from; slot < to; slot++) {
        trip(liveness, slot, now_ms + slot * 100);
    }
}

Test(liveness, both_sides_count_the_same_small_cells)
{
    const uint32_t quorums[] = { 0, 1, 2, 2, 3, 3 };
    for (uint32_t members = 1; members < COUNT_OF(quorums); members++) {
        cr_assert_eq(liveness_quorum(members), quorums[members]); /* Clause 23. */
    }
    cr_assert_eq(liveness_quorum(100), 56);
    cr_assert_eq(liveness_quorum(LIMIT_NODES), 2253);
}

Test(liveness, a_renewal_alone_proves_nothing)
{
    struct liveness liveness = elected(3);
    cr_assert_not(liveness_renewed(&liveness, 0, 0, 0, false, 1100));
    cr_assert_not(liveness_renewed(&liveness, 0, TERM, 0, false, 1100));
    uint64_t number = liveness_issue(&liveness, 0, 1200);
    cr_assert_not(liveness_renewed(&liveness, 0, TERM - 1, number, false, 1250));
    cr_assert_not(liveness_renewed(&liveness, 0, TERM, number + 1, false, 1250)); /* Invented. */
    cr_assert_not(liveness_alive(&liveness, 0, 1250));
    cr_assert(liveness_renewed(&liveness, 0, TERM, number, false, 1260));
    cr_assert(liveness_alive(&liveness, 0, 1260));
    cr_assert(liveness_check(&liveness));
}

Test(liveness, who_proved_is_alive_for_less_than_six_seconds_of_the_acks_own_age)
{
    struct liveness liveness = elected(1);
    trip(&liveness, 0, 2000);
    cr_assert(liveness_alive(&liveness, 0, 7999));
    cr_assert_not(liveness_alive(&liveness, 0, 8000));
    cr_assert_not(liveness_renewed(&liveness, 0, TERM, 2000, false, 8001)); /* Too old to help. */
    cr_assert(liveness_check(&liveness));
}

Test(liveness, proofs_that_overtake_one_another_leave_the_newest)
{
    struct liveness liveness = elected(3);
    uint64_t first = liveness_issue(&liveness, 0, 2000);
    uint64_t second = liveness_issue(&liveness, 0, 3000);
    cr_assert(liveness_renewed(&liveness, 0, TERM, second, false, 3010));
    cr_assert_not(liveness_renewed(&liveness, 0, TERM, first, false, 3020));
    trips(&liveness, 1, 3, 3100);
    cr_assert(liveness_alive(&liveness, 0, 8999));
    cr_assert(liveness_check(&liveness));
}

Test(liveness, a_lost_node_is_replaced_thirty_three_seconds_after_the_last_ack_to_it)
{
    struct liveness liveness = elected(3);
    trips(&liveness, 0, 3, 2000);
    trips(&liveness, 1, 3, 5000);
    uint64_t issued = liveness_issue(&liveness, 0, 9000); /* It never repeats this one. */
    for (uint64_t now = 9000; now + 2000 < issued + FENCE_DEAD_MS; now += 2000) {
        trips(&liveness, 1, 3, now);
        cr_assert_neq(liveness_may_replace(&liveness, 0, now + 1000), REPLACE_YES);
    }
    trips(&liveness, 1, 3, issued + FENCE_DEAD_MS - 300);
    cr_assert_eq(
        liveness_may_replace(&liveness, 0, issued + FENCE_DEAD_MS - 1),
        REPLACE_WAIT); /* INV-FENCE-4 */
    cr_assert_eq(liveness_may_replace(&liveness, 0, issued + FENCE_DEAD_MS), REPLACE_YES);
    cr_assert_eq(liveness_may_replace(&liveness, 1, issued + FENCE_DEAD_MS), REPLACE_ALIVE);
    cr_assert_eq(liveness_may_replace(&liveness, 4, issued + FENCE_DEAD_MS), REPLACE_NO_MEMBER);
}

Test(liveness, two_of_three_lost_freeze_the_cell_and_it_thaws_no_sooner_than_a_deadline)
{
    struct liveness liveness = elected(3);
    for (uint64_t now = 2000; now < 60000; now += 2000) {
        trip(&liveness, 2, now);
    }
    cr_assert(liveness_frozen(&liveness, 60000)); /* INV-FENCE-2 */
    cr_assert_eq(liveness_may_replace(&liveness, 0, 60000), REPLACE_FROZEN);
    trip(&liveness, 2, 61000);
    trip(&liveness, 1, 61050); /* One is left: that is not so many. */
    uint64_t thawed = 61080 + FENCE_DEAD_MS;
    for (uint64_t now = 62000; now + 1000 < thawed; now += 2000) {
        trips(&liveness, 1, 3, now);
        cr_assert_eq(
            liveness_may_replace(&liveness, 0, now + 500), REPLACE_THAWING); /* INV-FENCE-3 */
    }
    trips(&liveness, 1, 3, thawed + 1000);
    cr_assert_eq(liveness_may_replace(&liveness, 0, thawed + 2000), REPLACE_YES);
}

Test(liveness, a_short_freeze_is_seen_by_whoever_looks_late)
{
    struct liveness liveness = elected(3);
    trips(&liveness, 0, 3, 2000);
    for (uint64_t now = 4000; now < 50000; now += 2000) {
        trips(&liveness, 1, 3, now);
    }
    uint64_t number = liveness_issue(&liveness, 1, 52000);
    uint64_t other = liveness_issue(&liveness, 2, 52000);
    /* Nobody looked when the others were lost, too; the proofs that save them come first. */
    cr_assert(liveness_renewed(&liveness, 1, TERM, number, false, 57900));
    cr_assert(liveness_renewed(&liveness, 2, TERM, other, false, 57901));
    cr_assert_eq(liveness_may_replace(&liveness, 0, 57902), REPLACE_THAWING); /* INV-FENCE-2 */
}

Test(liveness, a_new_leader_inherits_nothing)
{
    struct liveness liveness = elected(3);
    for (uint64_t now = 2000; now < 80000; now += 2000) {
        trips(&liveness, 1, 3, now);
    }
    cr_assert_eq(liveness_may_replace(&liveness, 0, 80000), REPLACE_YES);
    liveness_follow(&liveness);
    cr_assert_eq(liveness_may_replace(&liveness, 0, 80100), REPLACE_NOT_LEADING);
    cr_assert_not(liveness_alive(&liveness, 1, 80100));
    liveness.term = TERM; /* As it was before it led again. */
    liveness_lead(&liveness, TERM + 1, 80200);
    for (uint32_t slot = 0; slot < 3; slot++) {
        liveness_member(&liveness, slot, LIVENESS_IN_NEW, false, 80200);
    }
    cr_assert_not(liveness_alive(&liveness, 1, 80200));
    cr_assert(liveness_frozen(&liveness, 80200));
    cr_assert_not(liveness_renewed(&liveness, 1, TERM, 79000, false, 80300)); /* Of another term. */
}

Test(liveness, who_does_not_lead_acknowledges_nobody, .signal = SIGABRT) /* INV-FENCE-1 */
{
    struct liveness liveness = elected(3);
    (void)liveness_issue(&liveness, 0, 2000);
    liveness_follow(&liveness);
    (void)liveness_issue(&liveness, 0, 2100);
}

Test(liveness, who_was_seen_off_counts_as_a_member_and_not_as_lost)
{
    struct liveness liveness = elected(3);
    trips(&liveness, 0, 3, 2000);
    for (uint64_t now = 4000; now < 40000; now += 2000) {
        trip(&liveness, 2, now);
    }
    cr_assert_eq(liveness_may_replace(&liveness, 0, 40000), REPLACE_FROZEN);
    liveness_member(&liveness, 0, LIVENESS_IN_NEW, true, 40100);
    trip(&liveness, 2, 40200);
    cr_assert_eq(liveness_may_replace(&liveness, 0, 40300), REPLACE_YES); /* Clause 21. */
    cr_assert_eq(liveness_may_replace(&liveness, 1, 40300), REPLACE_THAWING);
    cr_assert_not(liveness_renewed(&liveness, 0, TERM, 2000, false, 40400));
    cr_assert(liveness_check(&liveness));
}

Test(liveness, more_nodes_thaw_nothing_while_the_old_epoch_is_in_force)
{
    struct liveness liveness = elected(3);
    trip(&liveness, 2, 2000);
    liveness_epoch(&liveness, 3000);
    for (uint32_t slot = 0; slot < NODES; slot++) {
        liveness_member(
            &liveness,
            slot,
            slot < 3 ? (unsigned int)BOTH : (unsigned int)LIVENESS_IN_NEW,
            false,
            3000);
    }
    for (uint64_t now = 4000; now < 80000; now += 2000) {
        trips(&liveness, 2, NODES, now);
    }
    /* Two of five are lost, which is few; but of the three that there were two are. */
    cr_assert_eq(liveness_may_replace(&liveness, 0, 80000), REPLACE_FROZEN);
    cr_assert_not(liveness_settled(&liveness));
    cr_assert(liveness_check(&liveness));
}

Test(liveness, an_old_epoch_ends_when_each_of_its_members_knows_the_new_one_or_is_off)
{
    struct liveness liveness = elected(3);
    trips(&liveness, 0, 3, 2000);
    liveness_epoch(&liveness, 3000);
    for (uint32_t slot = 0; slot < 3; slot++) {
        liveness_member(
            &liveness,
            slot,
            slot < 2 ? (unsigned int)BOTH : (unsigned int)LIVENESS_IN_OLD,
            false,
            3000);
    }
    cr_assert_not(
        liveness_settled(&liveness)); /* What they said of the one before does not count. */
    trips(&liveness, 0, 2, 4000);
    cr_assert_not(liveness_settled(&liveness));
    liveness_member(&liveness, 2, LIVENESS_IN_OLD, true, 5000);
    cr_assert(liveness_settled(&liveness));
}
