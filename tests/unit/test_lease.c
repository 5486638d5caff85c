/* The node's half of docs/FENCING.md, clause by clause. */
#include "base/check.h"
#include "node-agent/core/lease.h"

#include <criterion/criterion.h>

enum { SELF = 2, TERM = 5, EPOCH = 3, RANDOM = 1000 };

static struct lease lease;
static const uint64_t three[] = { 1, 2, 3 };

static struct lease_ack ack_of(uint64_t number, uint64_t seq)
{
    return (struct lease_ack){ .term = TERM,
                               .number = number,
                               .session = lease.saved.session,
                               .seq = seq,
                               .epoch = EPOCH,
                               .members = three,
                               .members_count = COUNT_OF(three) };
}

static void boot(void)
{
    lease_init(&lease, SELF, NULL, RANDOM, 1000);
}

/* Acknowledged at 2,100 ms: the renewal had left at 2,000. */
static void acked(void)
{
    boot();
    struct lease_ack ack = ack_of(77, 2000);
    cr_assert(lease_acked(&lease, &ack, 2100));
}

Test(lease, nothing_may_start_before_the_first_acknowledgement)
{
    boot();
    cr_assert_eq(lease_run_until(&lease.saved), 0);
    cr_assert_not(lease_may_start(&lease.saved, lease.saved.session, 1500));
    struct lease_do wanted = lease_tick(&lease, 1000);
    cr_assert(wanted.renew && !wanted.end && !wanted.challenge);
    cr_assert_not(lease_tick(&lease, 1999).renew);
    cr_assert(lease_tick(&lease, 2000).renew);
}

Test(lease, an_acknowledgement_is_worth_twenty_seconds_from_when_its_renewal_left)
{
    acked();
    cr_assert_eq(lease_run_until(&lease.saved), 2000 + FENCE_SELF_MS);
    struct lease_ack late = ack_of(76, 1500); /* Overtaken: the base stays. */
    cr_assert(lease_acked(&lease, &late, 2200));
    cr_assert_eq(lease_run_until(&lease.saved), 2000 + FENCE_SELF_MS);
    cr_assert_eq(lease.saved.number, 77);
    cr_assert(lease_may_start(&lease.saved, lease.saved.session, 19999));
    cr_assert_not(lease_may_start(&lease.saved, lease.saved.session, 20000)); /* INV-FENCE-7 */
}

Test(lease, what_nobody_asked_for_is_no_acknowledgement)
{
    acked();
    struct lease_ack ack = ack_of(78, 3000);
    ack.term = TERM - 1; /* INV-FENCE-6 */
    cr_assert_not(lease_acked(&lease, &ack, 3100));
    ack = ack_of(78, 3200);
    cr_assert_not(lease_acked(&lease, &ack, 3199)); /* Of a renewal that has not left yet. */
    ack = ack_of(78, 3000);
    ack.session++;
    cr_assert_not(lease_acked(&lease, &ack, 3200));
    ack = ack_of(0, 3000);
    cr_assert_not(lease_acked(&lease, &ack, 3200));
    cr_assert_eq(lease_run_until(&lease.saved), 2000 + FENCE_SELF_MS);
}

Test(lease, at_the_deadline_the_guests_end_once_and_for_good)
{
    acked();
    uint64_t session = lease.saved.session;
    cr_assert_not(lease_tick(&lease, 21999).end);
    struct lease_ack ack = ack_of(78, 21000);
    cr_assert_not(lease_acked(&lease, &ack, 22000)); /* A moment too late. INV-FENCE-5 */
    cr_assert(lease_tick(&lease, 22000).end);
    cr_assert_not(lease_tick(&lease, 22001).end);
    cr_assert_neq(lease.saved.session, session);
    cr_assert_not(lease_may_start(&lease.saved, session, 22002));
    ack = ack_of(79, 22001);
    cr_assert(lease_acked(&lease, &ack, 22100)); /* It goes on, in another session. */
    cr_assert(lease_may_start(&lease.saved, lease.saved.session, 22101));
    cr_assert_not(lease_may_start(&lease.saved, session, 22101));
}

Test(lease, who_was_never_acknowledged_in_this_boot_vouches_for_nobody)
{
    uint64_t age = 0;
    boot();
    cr_assert_not(lease_challenged(&lease, 900000, &age));
    acked();
    cr_assert(lease_challenged(&lease, 12100, &age));
    cr_assert_eq(age, 10000);
}

/* The nonce of the challenge that leaves at `now`. */
static uint64_t asks_at(uint64_t now_ms)
{
    struct lease_do wanted = lease_tick(&lease, now_ms);
    cr_assert(wanted.challenge);
    return wanted.nonce;
}

Test(lease, enough_members_who_are_cut_off_as_well_are_worth_an_acknowledgement)
{
    acked();
    cr_assert_not(lease_tick(&lease, 9099).challenge); /* Seven seconds since it was heard. */
    cr_assert_not(lease_tick(&lease, 9100).challenge); /* The next renewal's turn. */
    uint64_t nonce = asks_at(10200);
    cr_assert(lease_answered(&lease, 1, nonce, FENCE_ATTEST_MS + 300, 10500)); /* Two of three. */
    cr_assert_eq(lease_run_until(&lease.saved), 10200 + FENCE_SELF_MS);
    cr_assert_not(lease_may_start(&lease.saved, lease.saved.session, 20000)); /* INV-FENCE-7 */
}

Test(lease, an_answer_speaks_of_the_instant_of_the_question)
{
    acked();
    uint64_t nonce = asks_at(10200);
    /* Cut off for long enough now, but not yet when it was asked. INV-FENCE-8 */
    cr_assert_not(lease_answered(&lease, 1, nonce, FENCE_ATTEST_MS + 299, 10500));
    cr_assert_not(
        lease_answered(&lease, 1, nonce, 900000, 10201 + FENCE_ANSWER_MS)); /* Too late. */
    cr_assert_not(lease_answered(&lease, 1, nonce + 1, 900000, 12202));
    cr_assert_eq(lease_run_until(&lease.saved), 2000 + FENCE_SELF_MS);
}

Test(lease, a_stranger_a_second_answer_and_the_node_itself_count_nothing)
{
    static const uint64_t five[] = { 1, 2, 3, 4, 5 };
    boot();
    struct lease_ack ack = ack_of(77, 2000);
    ack.members = five;
    ack.members_count = COUNT_OF(five);
    cr_assert(lease_acked(&lease, &ack, 2100));
    uint64_t nonce = asks_at(10200);
    cr_assert_not(lease_answered(&lease, 1, nonce, 900000, 10300));
    cr_assert_not(lease_answered(&lease, 1, nonce, 900000, 10301));
    cr_assert_not(lease_answered(&lease, SELF, nonce, 900000, 10302));
    cr_assert_not(lease_answered(&lease, 9, nonce, 900000, 10303));
    cr_assert(lease_answered(&lease, 5, nonce, 900000, 10304)); /* Three of five. */
}

Test(lease, answers_to_two_questions_do_not_add_up)
{
    static const uint64_t five[] = { 1, 2, 3, 4, 5 };
    boot();
    struct lease_ack ack = ack_of(77, 2000);
    ack.members = five;
    ack.members_count = COUNT_OF(five);
    cr_assert(lease_acked(&lease, &ack, 2100));
    uint64_t first = asks_at(10200);
    uint64_t second = asks_at(11200);
    cr_assert_not(lease_answered(&lease, 1, first, 900000, 11300));
    cr_assert_not(lease_answered(&lease, 3, second, 900000, 11301));
    cr_assert_eq(lease_run_until(&lease.saved), 2000 + FENCE_SELF_MS);
}

Test(lease, a_guard_that_is_started_anew_goes_on_with_the_page)
{
    acked();
    static struct lease_saved page;
    page = lease.saved;
    lease_init(&lease, SELF, &page, RANDOM * 2, 8000);
    cr_assert_eq(lease_run_until(&lease.saved), 2000 + FENCE_SELF_MS);
    uint64_t nonce = asks_at(9200); /* It knows its members, and since when it was not heard. */
    cr_assert(lease_answered(&lease, 3, nonce, FENCE_ATTEST_MS + 100, 9250));
    lease_init(&lease, SELF, &page, RANDOM * 3, 22000);
    cr_assert(lease_tick(&lease, 22000).end); /* The deadline passed while it was away. */
}

Test(lease, a_cell_of_one_vouches_for_itself)
{
    static const uint64_t alone[] = { SELF };
    boot();
    struct lease_ack ack = ack_of(77, 2000);
    ack.members = alone;
    ack.members_count = 1;
    cr_assert(lease_acked(&lease, &ack, 2100));
    for (uint64_t now = 3000; now < 200000; now += 1000) {
        cr_assert_not(lease_tick(&lease, now).end);
    }
}

Test(lease, who_is_no_member_proves_nothing)
{
    static const uint64_t others[] = { 1, 3 };
    boot();
    struct lease_ack ack = ack_of(77, 2000);
    ack.members = others;
    ack.members_count = COUNT_OF(others);
    cr_assert(lease_acked(&lease, &ack, 2100));
    cr_assert_not(lease_tick(&lease, 15000).challenge);
    cr_assert(lease_tick(&lease, 22000).end);
}
