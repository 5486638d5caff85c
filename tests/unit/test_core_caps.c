/* How much and how fast: what fits under caps, floors, nodes and rates, and what is said of what
 * does not. */
#include "tests/unit/core_lab.h"

#include <stdio.h>

Test(core_caps, of_a_hundred_at_once_under_a_cap_of_ten_exactly_ten_are_made)
{
    struct lab lab = lab_open(); /* INV-LED-2 */
    struct desk *desk = lab.desk;
    char names[100][8];
    uint64_t first = desk->handles + 1;
    desk->later = true;
    for (int i = 0; i < 100; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "m%d", i);
        struct say_instance wish = { .tenant = "a", .name = names[i], .stopped = true };
        cr_assert_null(say_create(desk, lab.ann, &wish));
    }
    desk->later = false;
    desk_turn(desk);
    uint32_t made = 0;
    for (uint64_t i = 0; i < 100; i++) {
        const Wire__Answer *answer = desk_answer(desk, first + i);
        made += answer->reject == 0 ? 1 : 0;
        if (answer->reject != 0) {
            cr_assert_eq(answer->reject, REJECT_QUOTA);
            cr_assert_str_eq(answer->problem->dimension, "instances");
            cr_assert_eq(answer->problem->limit, 10);
            cr_assert_eq(answer->problem->usage, 10);
        }
    }
    cr_assert_eq(made, 10);
    cr_assert_eq(state_count(desk_state(desk), TABLE_INSTANCE), 10);
    cr_assert_eq(desk_leaves(desk, "instance-create", REJECT_QUOTA), 90);
    lab_close(&lab);
}

Test(core_caps, a_row_that_was_tampered_with_is_a_mismatch_of_the_ledger)
{
    struct lab lab = lab_open(); /* INV-LED-2 */
    cr_assert_eq(lab_create(&lab, "vm", true)->reject, 0);
    const struct state *state = desk_state(lab.desk);
    cr_assert_eq(read_ledger_mismatches(state), 0);
    lab_row(&lab, "vm")->vcpus++;
    cr_assert_eq(read_ledger_mismatches(state), 1); /* The project's; the tenant has no rows. */
    lab_row(&lab, "vm")->vcpus--;
    desk_tenant(lab.desk, "a")->account.used.of[QUOTA_MEMORY_BYTES]++;
    cr_assert_eq(read_ledger_mismatches(state), 1);
    desk_tenant(lab.desk, "a")->account.used.of[QUOTA_MEMORY_BYTES]--;
    lab_close(&lab);
}

static const Wire__QuotaView *quota_of(struct lab *lab, const char *project)
{
    Wire__QuotaRead read = WIRE__QUOTA_READ__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    read.tenant = "a";
    read.project = project;
    request.body_case = WIRE__REQUEST__BODY_QUOTA_READ;
    request.quota_read = &read;
    const Wire__Answer *answer = desk_do(lab->desk, lab->root, &request);
    cr_assert(answer != NULL && answer->reject == 0 && answer->n_items == 1);
    return answer->items[0]->quota;
}

Test(core_caps, a_cap_that_nobody_set_is_not_shown_as_a_number)
{
    struct lab lab = lab_open();
    cr_assert_null(quota_of(&lab, "default")->cap); /* 2^64 - 1 breaks JSON's readers. */
    cr_assert_not_null(quota_of(&lab, "default")->used);
    cr_assert_not_null(quota_of(&lab, "")->cap); /* The guard off: the tenant's is said. */
    lab_close(&lab);
}

Test(core_caps, floors_fit_the_capacity_less_the_reserve_and_nobody_eats_anothers)
{
    struct desk_conf conf = { .reserve_percent = 25 }; /* INV-LED-3: 16 vcpus, 12 to promise. */
    struct lab lab = lab_with(&conf);
    struct desk *desk = lab.desk;
    struct quota_amounts cap = say_amounts(64, 64 * SAY_GIB, 10, 4);
    struct quota_amounts ten = say_amounts(10, 0, 0, 0);
    struct quota_amounts three = say_amounts(3, 0, 0, 0);
    struct quota_amounts two = say_amounts(2, 0, 0, 0);
    struct quota_amounts above = say_amounts(65, 0, 0, 0);
    cr_assert_eq(say_tenant(desk, lab.root, "b", &ten, &cap)->reject, 0);
    const Wire__Answer *refused = say_quota(desk, lab.root, "a", &three, NULL);
    cr_assert_eq(refused->reject, REJECT_FLOOR);
    cr_assert_str_eq(refused->problem->dimension, "vcpus");
    cr_assert_eq(refused->problem->limit, 12);
    cr_assert_eq(say_quota(desk, lab.root, "a", &above, NULL)->reject, REJECT_BAD_FIELD);
    cr_assert_eq(say_quota(desk, lab.root, "a", &two, NULL)->reject, 0);
    struct say_instance wish = { .tenant = "a", .name = "vm", .vcpus = 3 };
    cr_assert_eq(say_create(desk, lab.ann, &wish)->reject, REJECT_FLOOR); /* b's ten are b's. */
    wish.vcpus = 2;
    cr_assert_eq(say_create(desk, lab.ann, &wish)->reject, 0);
    cr_assert_eq(say_quota(desk, lab.root, "b", &two, NULL)->reject, 0); /* The guard off. */
    wish.vcpus = 3;
    wish.name = "vm2";
    cr_assert_eq(say_create(desk, lab.ann, &wish)->reject, 0);
    lab_close(&lab);
}

/* One that was restored from rows counts them anew; the others never did, and would refuse. */
Test(core_caps, before_the_first_node_who_was_restored_decides_as_who_was_not)
{
    struct desk_conf conf = { .reserve_percent = 0 };
    struct desk *desk = desk_open(&conf);
    struct state *state = desk_state(desk);
    struct state_sums since_genesis = state->sums;
    state_recount(state); /* INV-REF-1 */
    cr_assert_eq(memcmp(&since_genesis, &state->sums, sizeof(since_genesis)), 0);
    state->sums = since_genesis;
    struct quota_amounts cap = say_amounts(64, 64 * SAY_GIB, 10, 4);
    struct quota_amounts floor = say_amounts(0, 0, 3, 2); /* Of what no node has a bound for. */
    cr_assert_eq(say_tenant(desk, desk->operator_person, "a", &floor, &cap)->reject, 0);
    struct quota_amounts vcpu = say_amounts(1, 0, 0, 0); /* The guard off: of this it has. */
    cr_assert_eq(say_tenant(desk, desk->operator_person, "b", &vcpu, &cap)->reject, REJECT_FLOOR);
    desk_close(desk);
}

Test(core_caps, a_cap_below_what_is_drawn_takes_nothing_away_and_lets_nothing_in)
{
    struct lab lab = lab_open();
    cr_assert_eq(lab_create(&lab, "vm", true)->reject, 0);
    cr_assert_eq(lab_create(&lab, "vm2", true)->reject, 0);
    struct quota_amounts one = say_amounts(64, SAY_GIB, 1, 4);
    cr_assert_eq(say_quota(lab.desk, lab.root, "a", NULL, &one)->reject, 0);
    cr_assert_eq(lab_create(&lab, "vm3", true)->reject, REJECT_QUOTA);
    cr_assert_not_null(lab_row(&lab, "vm2"));
    lab_close(&lab);
}

Test(core_caps, no_node_that_passes_is_said_with_the_constraints_that_turned_them_away)
{
    struct desk_conf conf = { .reserve_percent = 50 };
    struct lab lab = lab_with(&conf);
    struct say_instance wish = { .tenant = "a", .name = "vm", .vcpus = 5 };
    const Wire__Answer *none = say_create(lab.desk, lab.ann, &wish);
    cr_assert_eq(none->reject, REJECT_NO_CAPACITY);
    cr_assert_gt(none->problem->n_constraints, 0);
    wish.vcpus = 4; /* Half of eight. */
    cr_assert_eq(say_create(lab.desk, lab.ann, &wish)->reject, 0);
    wish.name = "vm2";
    cr_assert_eq(say_create(lab.desk, lab.ann, &wish)->reject, 0);
    wish.name = "vm3";
    wish.vcpus = 1;
    uint32_t full = say_create(lab.desk, lab.ann, &wish)->reject;
    cr_assert(full == REJECT_NO_CAPACITY || full == REJECT_FLOOR);
    wish.stopped = true; /* It takes no node. */
    cr_assert_eq(say_create(lab.desk, lab.ann, &wish)->reject, 0);
    lab_close(&lab);
}

Test(core_caps, the_planner_counts_what_it_has_in_flight)
{
    struct lab lab = lab_open(); /* Two nodes of eight vcpus, asked for four times five. */
    struct desk *desk = lab.desk;
    struct say_instance wish = { .tenant = "a", .vcpus = 5 };
    static const char *const names[] = { "m1", "m2", "m3", "m4" };
    uint64_t first = desk->handles + 1;
    desk->later = true;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        wish.name = names[i];
        (void)say_create(desk, lab.ann, &wish);
    }
    desk->later = false;
    cr_assert_null(desk_answer(desk, first + 2)); /* Until it is known who leads. INV-LOG-7 */
    desk_turn(desk);
    cr_assert_eq(desk_answer(desk, first + 2)->reject, REJECT_NO_CAPACITY); /* At the door. */
    cr_assert_eq(desk_answer(desk, first)->reject, 0);
    cr_assert_eq(desk_answer(desk, first + 1)->reject, 0);
    cr_assert_neq(lab_row(&lab, "m1")->node.value, lab_row(&lab, "m2")->node.value);
    lab_close(&lab);
}

Test(core_caps, a_node_that_fell_silent_between_plan_and_apply_is_planned_again)
{
    struct lab lab = lab_open();
    struct desk *desk = lab.desk;
    struct say_instance wish = { .tenant = "a", .name = "vm" };
    desk->hold_log = true;
    lab.n1->silent = true;
    lab.n2->silent = true;
    desk_pass(desk, LIMIT_NODE_UNKNOWN_MS - 100);
    desk_renew(desk, lab.n2, true);
    desk_pass(desk, 200); /* The judgement of n1 is on its way, not applied. */
    cr_assert_null(say_create(desk, lab.ann, &wish));
    uint64_t handle = desk->handles;
    desk->hold_log = false;
    while (desk->pending_count > 0) {
        desk_commit(desk);
    }
    desk_turn(desk);
    cr_assert_eq(desk_answer(desk, handle)->reject, 0);
    cr_assert_eq(lab_row(&lab, "vm")->node.value, lab.n2->id);
    cr_assert_eq(desk_leaves(desk, "instance-create", 0), 1);
    lab_close(&lab);
}

/* ---- How fast ---- */

/* Beside ann of "a": a colleague of hers, and somebody of another tenant. */
struct neighbours {
    Wire__Identity colleague;
    Wire__Identity bob;
};

static struct neighbours move_in(struct lab *lab)
{
    struct quota_amounts cap = say_amounts(8, SAY_GIB, 4, 4);
    cr_assert_eq(say_user(lab->desk, lab->root, "abe", WIRE__ROLE__ROLE_TENANT, "a")->reject, 0);
    cr_assert_eq(say_tenant(lab->desk, lab->root, "b", NULL, &cap)->reject, 0);
    cr_assert_eq(say_user(lab->desk, lab->root, "bob", WIRE__ROLE__ROLE_TENANT, "b")->reject, 0);
    desk_pass(lab->desk, 10 * 1000); /* What was used up so far is there again. */
    return (struct neighbours){ .colleague = desk_who(lab->desk, "abe"),
                                .bob = desk_who(lab->desk, "bob") };
}

/* Of so many asks in one moment: how many were taken. The rest is refused in full. */
static uint32_t flood(struct lab *lab, Wire__Identity who, const char *tenant, uint32_t count)
{
    uint32_t taken = 0;
    uint64_t now_ms = lab->desk->now_ms;
    for (uint32_t i = 0; i < count; i++) {
        lab->desk->now_ms = now_ms;
        const Wire__Answer *answer = say_list(lab->desk, who, WIRE__KIND__KIND_INSTANCE, tenant);
        taken += answer->reject == 0 ? 1 : 0;
        if (answer->reject != 0) {
            cr_assert_eq(answer->reject, REJECT_RATE);
            cr_assert_geq(answer->retry_after_seconds, 1);
            cr_assert_gt(answer->problem->limit, 0);
            cr_assert_str_eq(answer->problem->dimension, "requests-per-second");
        }
    }
    return taken;
}

Test(core_caps, a_tenants_flood_is_its_own_and_slows_no_other)
{
    struct desk_conf conf = { .tenant_requests_per_second = 10 };
    struct lab lab = lab_with(&conf); /* INV-PACE-1 */
    struct neighbours others = move_in(&lab);
    cr_assert_eq(flood(&lab, lab.ann, "a", 200), 20, "two seconds' worth at once");
    cr_assert_eq(flood(&lab, others.colleague, "a", 5), 0, "it is the tenant's, not hers");
    cr_assert_eq(flood(&lab, others.bob, "b", 20), 20, "another tenant has all of its own");
    cr_assert_eq(flood(&lab, lab.root, "a", 200), 200, "an operator is nobody's tenant");
    desk_pass(lab.desk, 1000);
    cr_assert_eq(flood(&lab, lab.ann, "a", 200), 10, "a second later a second's worth");
    desk_pass(lab.desk, 2000);
    cr_assert_gt(desk_leaves(lab.desk, "instance-read", REJECT_RATE), 0); /* INV-AUD-5 */
    lab_close(&lab);
}

Test(core_caps, one_persons_flood_does_not_use_up_the_tenants_share)
{
    struct desk_conf conf = { .requests_per_second = 100, .tenant_requests_per_second = 200 };
    struct lab lab = lab_with(&conf);
    struct neighbours others = move_in(&lab);
    cr_assert_eq(flood(&lab, lab.ann, "a", 500), 200);
    cr_assert_eq(flood(&lab, others.colleague, "a", 500), 200, "refused asks cost the tenant none");
    lab_close(&lab);
}

Test(core_caps, who_waits_for_the_tenants_rate_keeps_his_own)
{
    struct desk_conf conf = { .requests_per_second = 10, .tenant_requests_per_second = 16 };
    struct lab lab = lab_with(&conf);
    struct neighbours others = move_in(&lab);
    cr_assert_eq(flood(&lab, others.colleague, "a", 50), 20);
    cr_assert_eq(flood(&lab, lab.ann, "a", 50), 12, "what the tenant has left");
    desk_pass(lab.desk, 1000);
    cr_assert_eq(
        flood(&lab, lab.ann, "a", 50), 16, "her own would have been 10 had it been charged");
    lab_close(&lab);
}

Test(core_caps, without_a_rate_nobody_is_slowed)
{
    struct lab lab = lab_open(); /* The guard is off: the flood above goes through. */
    (void)move_in(&lab);
    cr_assert_eq(flood(&lab, lab.ann, "a", 500), 500);
    lab_close(&lab);
}
