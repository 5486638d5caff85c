/* Folded refusals: few leaves for many refusals, and none of them uncounted. */
#include "audit/fold.h"

#include <criterion/criterion.h>

static struct fold_key refusal(uint64_t actor)
{
    return (struct fold_key){
        .door = 1, .actor_kind = 6, .actor = actor, .reject = 1, .operation = "instance-create"
    };
}

Test(audit_fold, refusals_of_one_kind_and_second_are_one_row)
{
    static struct fold fold;
    static const uint8_t sample[AUDIT_HASH] = { 9 };
    struct fold_key key = refusal(1);
    struct fold_key other = refusal(2);
    fold_add(&fold, &key, 1100, sample);
    fold_add(&fold, &key, 1900, sample);
    fold_add(&fold, &other, 1900, sample);
    struct fold_row row;
    cr_assert_not(fold_take(&fold, 1999, &row)); /* The second is not over. */
    fold_add(&fold, &key, 2000, sample);
    cr_assert(fold_take(&fold, 2000, &row));
    cr_assert_eq(row.count, 2);
    cr_assert_eq(row.first_ms, 1100);
    cr_assert_eq(row.last_ms, 1900);
    fold_return(&fold, &row); /* It could not be posted. */
    cr_assert(fold_take(&fold, 2000, &row));
    cr_assert_eq(row.key.actor, 2);
    cr_assert(fold_take(&fold, 2000, &row));
    cr_assert_eq(row.count, 2);
    cr_assert_not(fold_take(&fold, 2000, &row));
    cr_assert(fold_take(&fold, 3000, &row));
    cr_assert_not(fold_take(&fold, 9000, &row));
}

Test(audit_fold, no_refusal_is_uncounted_however_many_there_are)
{
    static struct fold fold;
    static const uint8_t sample[AUDIT_HASH];
    uint64_t added = 0;
    for (uint64_t actor = 1; actor <= 3 * FOLD_ROWS; actor++) {
        struct fold_key key = refusal(actor);
        fold_add(&fold, &key, 1000 + actor % 7, sample);
        fold_add(&fold, &key, 1000 + actor % 7, sample);
        added += 2;
    }
    uint64_t taken = 0;
    uint32_t overflows = 0;
    struct fold_row row;
    while (fold_take(&fold, 5000, &row)) {
        taken += row.count;
        overflows += row.overflow ? 1 : 0;
    }
    cr_assert_eq(taken, added); /* INV-AUD-5 */
    cr_assert_eq(overflows, 1);
}

Test(audit_fold, a_clock_that_was_set_back_holds_no_refusal_back)
{
    static struct fold fold;
    static const uint8_t sample[AUDIT_HASH];
    struct fold_key key = refusal(1);
    struct fold_row row;
    fold_add(&fold, &key, 90 * 1000, sample);
    cr_assert_not(fold_take(&fold, 90 * 1000 + 999, &row));
    cr_assert(fold_take(&fold, 1000, &row));
    cr_assert_eq(row.count, 1);
}
