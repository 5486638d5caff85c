/* The small cell that tests of the core begin with: two nodes in two racks, an image, and tenant
 * "a" with user "ann" and network "net" of five addresses. Decides nothing. */
#ifndef TESTS_UNIT_CORE_LAB_H
#define TESTS_UNIT_CORE_LAB_H

#include "controller/core/instance.h"
#include "controller/core/read.h"
#include "tests/scenario/say.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

#define S(name) WIRE__INSTANCE_STATE__INSTANCE_STATE_##name
#define O(name) WIRE__OBSERVED__OBSERVED_##name

struct lab {
    struct desk *desk;
    struct desk_node *n1;
    struct desk_node *n2;
    Wire__Identity root;
    Wire__Identity ann;
};

static inline struct lab lab_with(const struct desk_conf *conf)
{
    struct lab lab = { .desk = desk_open(conf) };
    struct quota_amounts cap = say_amounts(64, 64 * SAY_GIB, 10, 4);
    lab.n1 = desk_node_new(lab.desk, "n1", "r1", 8, 8 * SAY_GIB);
    lab.n2 = desk_node_new(lab.desk, "n2", "r2", 8, 8 * SAY_GIB);
    lab.root = lab.desk->operator_person;
    cr_assert_eq(say_image(lab.desk, lab.root, "linux")->reject, 0);
    cr_assert_eq(say_tenant(lab.desk, lab.root, "a", NULL, &cap)->reject, 0);
    cr_assert_eq(say_user(lab.desk, lab.root, "ann", WIRE__ROLE__ROLE_TENANT, "a")->reject, 0);
    lab.ann = desk_who(lab.desk, "ann");
    cr_assert_eq(say_network(lab.desk, lab.ann, "a", "net", "10.1.0.0/29")->reject, 0);
    return lab;
}

static inline struct lab lab_open(void)
{
    struct desk_conf conf = { .reserve_percent = 0 };
    return lab_with(&conf);
}

/* What must hold at the end of every story. */
static inline void lab_close(struct lab *lab)
{
    cr_assert_eq(read_ledger_mismatches(desk_state(lab->desk)), 0); /* INV-LED-2 */
    cr_assert_not(lab->desk->digests_differ);                       /* INV-REF-1 */
    desk_close(lab->desk);
}

static inline struct instance_row *lab_row(const struct lab *lab, const char *name)
{
    return desk_instance(lab->desk, "a", name);
}

static inline const Wire__Answer *lab_create(struct lab *lab, const char *name, bool stopped)
{
    struct say_instance wish = {
        .tenant = "a", .name = name, .network = "net", .stopped = stopped
    };
    return say_create(lab->desk, lab->ann, &wish);
}

static inline struct desk_node *lab_node_of(const struct lab *lab, const char *name)
{
    return lab_row(lab, name)->node.value == lab->n1->id ? lab->n1 : lab->n2;
}

static inline void lab_says(struct lab *lab, const char *name, Wire__Observed observed)
{
    desk_report(lab->desk, lab_node_of(lab, name), lab_row(lab, name), observed);
}

static inline const struct quota_account *lab_books(const struct lab *lab)
{
    return &desk_tenant(lab->desk, "a")->account;
}

/* The refusal of an answer; REJECTS_END: there is no answer. */
static inline uint32_t lab_reject(const Wire__Answer *answer)
{
    return answer == NULL ? (uint32_t)REJECTS_END : answer->reject;
}

/* The rows and links of the two other controllers of DESK_MEMBERS, so that their frames are heard.
 */
static inline void lab_others_join(struct desk *desk)
{
    for (int i = 0; i < DESK_MEMBERS - 1; i++) {
        const Wire__Answer *joined =
            say_join(desk, WIRE__KIND__KIND_CONTROLLER, i == 0 ? "c2" : "c3", "r1");
        cr_assert_eq(joined->reject, 0);
        cr_assert(id_parse(ID_CONTROLLER, joined->join->id, &desk->others[i]));
    }
    desk_members(desk, true, desk->controller);
    for (int i = 0; i < DESK_MEMBERS - 1; i++) {
        desk_link(desk, WIRE__KIND__KIND_CONTROLLER, desk->others[i], true);
    }
}

#endif
