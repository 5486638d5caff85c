/* Placement by another policy than the product's: what it names is used where it fits, and nowhere
 * else, whatever it names. */
#include "tests/sim/policy.h"
#include "tests/unit/core_lab.h"

enum { FIRST_SLOT = 0 };

static bool always_the_first(
    const struct scheduler_view *view, const struct place_request *request, uint32_t *slot_out)
{
    (void)view;
    (void)request;
    *slot_out = FIRST_SLOT;
    return true;
}

static bool nobody(
    const struct scheduler_view *view, const struct place_request *request, uint32_t *slot_out)
{
    (void)view;
    (void)request;
    (void)slot_out;
    return false;
}

static bool beyond(
    const struct scheduler_view *view, const struct place_request *request, uint32_t *slot_out)
{
    (void)request;
    *slot_out = view->count + 1;
    return true;
}

static struct lab lab_by(place_policy *policy)
{
    struct desk_conf conf = { .reserve_percent = 0, .placement = policy };
    return lab_with(&conf);
}

static const Wire__Answer *create(struct lab *lab, const char *name, uint32_t vcpus)
{
    struct say_instance wish = { .tenant = "a", .name = name, .vcpus = vcpus };
    return say_create(lab->desk, lab->ann, &wish);
}

Test(core_policy, a_full_node_that_a_policy_names_takes_nothing_more)
{
    struct lab lab = lab_by(always_the_first);
    cr_assert_eq(create(&lab, "all", 8)->reject, 0);
    cr_assert_eq(lab_row(&lab, "all")->node.value, lab.n1->id);
    cr_assert_eq(lab_row(&lab, "all")->choice.why, EXPLAIN_POLICY);
    cr_assert_eq(lab_row(&lab, "all")->choice.runner_up.value, 0);
    /* n2 is empty, but the policy insists on n1: apply refuses each of its plans. INV-SCH-3 */
    cr_assert_eq(create(&lab, "one-more", 1)->reject, REJECT_CONFLICT);
    cr_assert_null(lab_row(&lab, "one-more"));
    lab_close(&lab);
}

Test(core_policy, without_a_policy_the_product_chooses_the_node_that_has_room)
{
    struct lab lab = lab_by(NULL);
    cr_assert_eq(create(&lab, "all", 8)->reject, 0);
    cr_assert_eq(create(&lab, "one-more", 1)->reject, 0);
    cr_assert_neq(lab_row(&lab, "one-more")->node.value, lab_row(&lab, "all")->node.value);
    cr_assert_neq(lab_row(&lab, "all")->choice.why, EXPLAIN_POLICY);
    lab_close(&lab);
}

Test(core_policy, a_policy_that_names_nothing_or_no_node_is_no_capacity)
{
    place_policy *const none[] = { nobody, beyond };
    for (size_t i = 0; i < COUNT_OF(none); i++) {
        struct lab lab = lab_by(none[i]);
        cr_assert_eq(create(&lab, "vm", 1)->reject, REJECT_NO_CAPACITY);
        lab_close(&lab);
    }
}

Test(core_policy, the_policies_of_experiments_differ_in_what_they_choose)
{
    const struct {
        const char *name;
        bool together; /* Two small guests share a node. */
    } cases[] = { { "best-fit", true }, { "first-fit", true }, { "worst-fit", false } };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct policy *policy = policy_named(cases[i].name);
        cr_assert_not_null(policy);
        struct lab lab = lab_by(policy->choose);
        cr_assert_eq(create(&lab, "one", 1)->reject, 0);
        cr_assert_eq(create(&lab, "two", 1)->reject, 0);
        bool together = lab_row(&lab, "one")->node.value == lab_row(&lab, "two")->node.value;
        cr_assert_eq(together, cases[i].together, "%s", cases[i].name);
        lab_close(&lab);
    }
    cr_assert_null(policy_named("best"));
    cr_assert_null(policy_at((uint32_t)COUNT_OF(cases)));
}

Test(core_policy, each_policy_of_experiments_stays_off_nodes_without_room)
{
    for (uint32_t i = 0; policy_at(i) != NULL; i++) {
        struct lab lab = lab_by(policy_at(i)->choose);
        const char *name = policy_at(i)->name;
        cr_assert_eq(create(&lab, "most", 7)->reject, 0);
        cr_assert_eq(create(&lab, "other", 7)->reject, 0, "%s", name);
        cr_assert_eq(create(&lab, "wide", 2)->reject, REJECT_NO_CAPACITY, "%s", name);
        cr_assert_eq(create(&lab, "small", 1)->reject, 0, "%s", name);
        lab_close(&lab);
    }
}
