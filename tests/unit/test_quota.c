/* The ledger: every refusal, every crash, and random histories against a naive model. */
#include "base/check.h"
#include "base/prng.h"
#include "quota/ledger.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

static struct quota_amounts amounts(uint64_t vcpus, uint64_t memory, uint64_t instances)
{
    return (struct quota_amounts){ { vcpus, memory, instances, 0 } };
}

struct books {
    struct quota_account tenant;
    struct quota_account project;
};

static void books_open(struct books *books)
{
    ledger_open(&books->tenant, 70, NULL);
    ledger_open(&books->project, 80, &books->tenant);
}

Test(ledger, a_hold_is_taken_at_every_level)
{
    struct books books;
    books_open(&books);
    struct quota_amounts two = amounts(2, 4096, 1);
    struct quota_refusal refusal;
    cr_assert_eq(ledger_hold(&books.project, &two, &refusal), REJECT_NONE);
    cr_assert_eq(books.project.held.of[QUOTA_VCPUS], 2);
    cr_assert_eq(books.tenant.held.of[QUOTA_MEMORY_BYTES], 4096);
    ledger_commit(&books.project, &two);
    cr_assert_eq(books.tenant.held.of[QUOTA_VCPUS], 0);
    cr_assert_eq(books.tenant.used.of[QUOTA_VCPUS], 2);
    cr_assert_not(ledger_empty(&books.tenant));
    ledger_release_used(&books.project, &two);
    cr_assert(ledger_empty(&books.tenant));
    cr_assert(ledger_empty(&books.project));
}

Test(ledger, a_refused_hold_takes_nothing_anywhere_and_says_whose_cap_it_was)
{
    struct books books; /* INV-LED-4 */
    books_open(&books);
    books.tenant.cap = amounts(3, QUOTA_UNLIMITED, QUOTA_UNLIMITED);
    struct quota_amounts two = amounts(2, 1, 1);
    struct quota_refusal refusal;
    cr_assert_eq(ledger_hold(&books.project, &two, &refusal), REJECT_NONE);
    struct books before = books;
    cr_assert_eq(ledger_hold(&books.project, &two, &refusal), REJECT_QUOTA);
    cr_assert_eq(memcmp(&before, &books, sizeof books), 0);
    cr_assert_eq(refusal.dimension, QUOTA_VCPUS);
    cr_assert_eq(refusal.limit, 3);
    cr_assert_eq(refusal.usage, 2);
    cr_assert_eq(refusal.requested, 2);
    cr_assert_eq(refusal.holder, 70);
    books.tenant.cap.of[QUOTA_VCPUS] = 4; /* The guard off: the same hold passes. */
    cr_assert_eq(ledger_hold(&books.project, &two, &refusal), REJECT_NONE);
}

Test(ledger, exactly_the_cap_fits_and_one_more_does_not)
{
    struct quota_account account;
    ledger_open(&account, 1, NULL);
    account.cap.of[QUOTA_INSTANCES] = 10;
    struct quota_amounts one = amounts(0, 0, 1);
    struct quota_refusal refusal;
    uint32_t taken = 0;
    for (uint32_t i = 0; i < 100; i++) {
        taken += ledger_hold(&account, &one, &refusal) == REJECT_NONE;
    }
    cr_assert_eq(taken, 10);
    cr_assert_eq(refusal.usage, 10);
    cr_assert_eq(refusal.limit, 10);
}

Test(ledger, amounts_that_would_wrap_are_refused_even_without_a_cap)
{
    struct quota_account account;
    ledger_open(&account, 1, NULL);
    struct quota_amounts huge = amounts(UINT64_MAX - 1, 0, 0);
    struct quota_refusal refusal;
    cr_assert_eq(ledger_hold(&account, &huge, &refusal), REJECT_NONE);
    cr_assert_eq(ledger_fits(&account, &huge, &refusal), REJECT_QUOTA);
    cr_assert_eq(refusal.dimension, QUOTA_VCPUS);
}

Test(ledger, a_cap_lowered_below_usage_lets_the_other_dimensions_grow)
{
    struct quota_account account;
    ledger_open(&account, 1, NULL);
    struct quota_refusal refusal;
    struct quota_amounts five = amounts(5, 0, 0);
    cr_assert_eq(ledger_hold(&account, &five, &refusal), REJECT_NONE);
    account.cap.of[QUOTA_VCPUS] = 1;
    struct quota_amounts network = { { 0, 0, 0, 1 } };
    cr_assert_eq(ledger_hold(&account, &network, &refusal), REJECT_NONE);
    struct quota_amounts vcpu = amounts(1, 0, 0);
    cr_assert_eq(ledger_hold(&account, &vcpu, &refusal), REJECT_QUOTA);
    ledger_release_held(&account, &five);
    cr_assert_eq(ledger_hold(&account, &vcpu, &refusal), REJECT_NONE);
}

Test(ledger, releasing_what_was_never_held_crashes, .signal = SIGABRT)
{
    struct books books; /* INV-LED-1 */
    books_open(&books);
    struct quota_amounts one = amounts(1, 0, 0);
    ledger_release_held(&books.project, &one);
}

Test(ledger, releasing_used_twice_crashes, .signal = SIGABRT)
{
    struct books books; /* INV-LED-1 */
    books_open(&books);
    struct quota_refusal refusal;
    struct quota_amounts one = amounts(1, 0, 0);
    cr_assert_eq(ledger_hold(&books.project, &one, &refusal), REJECT_NONE);
    ledger_commit(&books.project, &one);
    ledger_release_used(&books.project, &one);
    ledger_release_used(&books.project, &one);
}

Test(ledger, a_one_sided_write_is_noticed_at_the_next_movement, .signal = SIGABRT)
{
    struct books books; /* INV-LED-1 */
    books_open(&books);
    books.tenant.used.of[QUOTA_VCPUS] = 1;
    struct quota_refusal refusal;
    struct quota_amounts one = amounts(1, 0, 0);
    (void)ledger_hold(&books.project, &one, &refusal);
}

Test(ledger, a_child_with_more_than_its_parent_crashes, .signal = SIGABRT)
{
    struct books books; /* INV-LED-5 */
    books_open(&books);
    struct quota_amounts two = amounts(2, 0, 0);
    struct quota_amounts none = amounts(0, 0, 0);
    ledger_restore(&books.project, &none, &two); /* And nobody told the tenant's account. */
    ledger_commit(&books.project, &none);
}

Test(ledger, a_stored_account_goes_on_where_it_was)
{
    struct books books;
    books_open(&books);
    struct quota_amounts used = amounts(3, 30, 2);
    struct quota_amounts held = amounts(1, 10, 1);
    ledger_restore(&books.tenant, &used, &held);
    ledger_restore(&books.project, &used, &held);
    books.project.cap.of[QUOTA_VCPUS] = 4;
    struct quota_amounts one = amounts(1, 0, 0);
    struct quota_refusal refusal;
    cr_assert_eq(ledger_hold(&books.project, &one, &refusal), REJECT_QUOTA);
    cr_assert_eq(refusal.usage, 4);
    cr_assert_eq(refusal.holder, 80);
    ledger_commit(&books.project, &held);
    struct quota_amounts all = amounts(4, 40, 3);
    ledger_release_used(&books.project, &all);
    cr_assert(ledger_empty(&books.tenant));
}

Test(ledger, restoring_over_what_is_drawn_crashes, .signal = SIGABRT)
{
    struct books books;
    books_open(&books);
    struct quota_amounts one = amounts(1, 0, 0);
    struct quota_amounts none = amounts(0, 0, 0);
    ledger_restore(&books.tenant, &one, &none);
    ledger_restore(&books.tenant, &one, &none);
}

Test(ledger, accounts_in_a_circle_crash, .signal = SIGABRT)
{
    struct books books;
    books_open(&books);
    books.tenant.parent = &books.project;
    struct quota_amounts none = amounts(0, 0, 0);
    struct quota_refusal refusal;
    (void)ledger_fits(&books.project, &none, &refusal);
}

Test(ledger, a_recount_sees_a_difference_and_changes_nothing)
{
    struct books books; /* INV-LED-2 */
    books_open(&books);
    struct quota_amounts two = amounts(2, 7, 1);
    struct quota_refusal refusal;
    cr_assert_eq(ledger_hold(&books.project, &two, &refusal), REJECT_NONE);
    ledger_commit(&books.project, &two);
    struct ledger_sum sum;
    ledger_sum_begin(&sum);
    cr_assert_not(ledger_sum_check(&sum, &books.project)); /* The inventory lost the instance. */
    cr_assert(ledger_sum_covered(&sum, &books.tenant));
    ledger_sum_used(&sum, &two);
    cr_assert(ledger_sum_check(&sum, &books.project));
    ledger_sum_held(&sum, &two); /* And now it has one too many. */
    cr_assert_not(ledger_sum_check(&sum, &books.project));
    cr_assert_not(ledger_sum_covered(&sum, &books.tenant));
    ledger_sum_begin(&sum);
    ledger_sum_account(&sum, &books.project);
    cr_assert(ledger_sum_check(&sum, &books.tenant));
    books.tenant.held.of[QUOTA_NETWORKS] = 1; /* An unbalanced book is wrong whatever the sum. */
    cr_assert_not(ledger_sum_covered(&sum, &books.tenant));
    cr_assert_not(ledger_sum_check(&sum, &books.tenant));
    struct quota_amounts huge = amounts(UINT64_MAX, 0, 0);
    ledger_sum_used(&sum, &huge);
    cr_assert_not(ledger_sum_covered(&sum, &books.project));
    cr_assert_not(ledger_sum_check(&sum, &books.project)); /* Equal but for what overflowed. */
}

/* ---- Property: two tenants, five projects, against plain counters. ---- */
enum { PROJECTS = 5, TENANTS = 2, ACTIONS = 20000, OBJECTS = 64 };

struct object {
    uint32_t project;
    uint32_t state; /* 0 free, 1 held, 2 used. */
    struct quota_amounts amounts;
};

struct model {
    struct quota_account tenants[TENANTS];
    struct quota_account projects[PROJECTS];
    struct object objects[OBJECTS];
};

static uint64_t model_drawn(const struct model *model, uint32_t from, uint32_t until, uint32_t d)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < OBJECTS; i++) {
        const struct object *object = &model->objects[i];
        if (object->state != 0 && object->project >= from && object->project < until) {
            sum += object->amounts.of[d];
        }
    }
    return sum;
}

static bool model_fits(const struct model *model, uint32_t project, const struct quota_amounts *add)
{
    uint32_t tenant = project < 3 ? 0 : 1;
    for (uint32_t d = 0; d < QUOTA_DIMENSIONS; d++) {
        uint64_t in_project = model_drawn(model, project, project + 1, d) + add->of[d];
        uint64_t in_tenant =
            model_drawn(model, tenant == 0 ? 0 : 3, tenant == 0 ? 3 : PROJECTS, d) + add->of[d];
        if (add->of[d] != 0 && (in_project > model->projects[project].cap.of[d] ||
                                in_tenant > model->tenants[tenant].cap.of[d])) {
            return false;
        }
    }
    return true;
}

static void model_check(const struct model *model)
{
    for (uint32_t p = 0; p < PROJECTS; p++) {
        struct ledger_sum sum;
        ledger_sum_begin(&sum);
        for (uint32_t i = 0; i < OBJECTS; i++) {
            const struct object *object = &model->objects[i];
            if (object->project == p && object->state == 1) {
                ledger_sum_held(&sum, &object->amounts);
            }
            if (object->project == p && object->state == 2) {
                ledger_sum_used(&sum, &object->amounts);
            }
        }
        cr_assert(ledger_sum_check(&sum, &model->projects[p]));
    }
    for (uint32_t t = 0; t < TENANTS; t++) {
        struct ledger_sum sum;
        ledger_sum_begin(&sum);
        for (uint32_t p = t == 0 ? 0 : 3; p < (t == 0 ? 3U : PROJECTS); p++) {
            ledger_sum_account(&sum, &model->projects[p]);
        }
        cr_assert(ledger_sum_check(&sum, &model->tenants[t]));
        cr_assert(ledger_sum_covered(&sum, &model->tenants[t]));
    }
}

static void model_act(struct model *model, struct prng *prng)
{
    struct object *object = &model->objects[prng_below(prng, OBJECTS)];
    if (object->state == 0) {
        object->project = (uint32_t)prng_below(prng, PROJECTS);
        struct quota_amounts add = amounts(prng_below(prng, 5), prng_below(prng, 900), 1);
        add.of[QUOTA_NETWORKS] = prng_below(prng, 2);
        struct quota_refusal refusal;
        bool fits = model_fits(model, object->project, &add);
        enum reject reject = ledger_hold(&model->projects[object->project], &add, &refusal);
        cr_assert_eq(reject, fits ? REJECT_NONE : REJECT_QUOTA);
        if (fits) {
            object->amounts = add;
            object->state = 1;
        }
    } else if (object->state == 1 && prng_below(prng, 3) != 0) {
        ledger_commit(&model->projects[object->project], &object->amounts);
        object->state = 2;
    } else if (object->state == 1) {
        ledger_release_held(&model->projects[object->project], &object->amounts);
        object->state = 0;
    } else {
        ledger_release_used(&model->projects[object->project], &object->amounts);
        object->state = 0;
    }
}

Test(ledger, agrees_with_a_naive_model_over_many_random_histories)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct prng prng;
        prng_seed(&prng, seed);
        static struct model model;
        memset(&model, 0, sizeof model);
        for (uint32_t t = 0; t < TENANTS; t++) {
            ledger_open(&model.tenants[t], 100 + t, NULL);
            model.tenants[t].cap = (struct quota_amounts){ { 30, 9000, 18, QUOTA_UNLIMITED } };
        }
        for (uint32_t p = 0; p < PROJECTS; p++) {
            ledger_open(&model.projects[p], 200 + p, &model.tenants[p < 3 ? 0 : 1]);
            model.projects[p].cap = (struct quota_amounts){ { 15, QUOTA_UNLIMITED, 12, 4 } };
        }
        for (uint32_t i = 0; i < ACTIONS; i++) {
            model_act(&model, &prng);
            if (i % 16 == 0) {
                model_check(&model);
            }
        }
    }
}

Test(ledger, dimensions_carry_the_names_of_the_interface)
{
    cr_assert_str_eq(quota_dimension_name(QUOTA_VCPUS), "vcpus");
    cr_assert_str_eq(quota_dimension_name(QUOTA_MEMORY_BYTES), "memory_bytes");
    cr_assert_str_eq(quota_dimension_name(QUOTA_INSTANCES), "instances");
    cr_assert_str_eq(quota_dimension_name(QUOTA_NETWORKS), "networks");
}
