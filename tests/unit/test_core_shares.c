/* What all tenants share: whatever one or several of them take, whoever has nothing yet, and the
 * cell itself, find room. INV-SHARE-1 */
#include "tests/unit/core_lab.h"

#include <stdio.h>

static Wire__Identity move_in(struct lab *lab, const char *tenant, const char *person)
{
    struct quota_amounts cap = say_amounts(64, 64 * SAY_GIB, 64, 4);
    cr_assert_eq(say_tenant(lab->desk, lab->root, tenant, NULL, &cap)->reject, 0);
    cr_assert_eq(
        say_user(lab->desk, lab->root, person, WIRE__ROLE__ROLE_TENANT, tenant)->reject, 0);
    return desk_who(lab->desk, person);
}

/* Waits for an operation that does not end; true: it has a place. */
static bool waits(struct lab *lab, Wire__Identity who, const char *operation)
{
    Wire__Request request = WIRE__REQUEST__INIT;
    Wire__OperationWait wait = WIRE__OPERATION_WAIT__INIT;
    char id[ID_TEXT_SIZE];
    (void)snprintf(id, sizeof(id), "%s", operation);
    wait.operation = id;
    wait.seconds = 30;
    request.body_case = WIRE__REQUEST__BODY_OPERATION_WAIT;
    request.operation_wait = &wait;
    const Wire__Answer *answer = desk_do(lab->desk, who, &request);
    cr_assert(answer == NULL || answer->reject == REJECT_OVERLOADED);
    return answer == NULL;
}

static uint32_t wait_with_all(struct lab *lab, Wire__Identity who, const char *operation)
{
    uint32_t places = 0;
    while (waits(lab, who, operation)) {
        places++;
    }
    return places;
}

Test(core_shares, tenants_that_wait_with_all_they_may_keep_nobody_out)
{
    struct lab lab = lab_open(); /* INV-PACE-1 */
    struct desk *desk = lab.desk;
    Wire__Identity bob = move_in(&lab, "b", "bob");
    Wire__Identity cem = move_in(&lab, "c", "cem");
    struct say_instance wish = { .tenant = "b", .name = "vm" };
    const Wire__Answer *by_ann = lab_create(&lab, "vm", false);
    const Wire__Answer *by_bob = say_create(desk, bob, &wish);
    cr_assert_eq(
        wait_with_all(&lab, lab.ann, by_ann->operation->id), ENGINE_ASKS / 2, "one never has more");
    cr_assert_eq(
        wait_with_all(&lab, bob, by_bob->operation->id),
        ENGINE_ASKS / 4,
        "nor more than is left then");
    cr_assert_eq(say_list(desk, cem, WIRE__KIND__KIND_INSTANCE, "c")->reject, 0);
    cr_assert_eq(say_revoke(desk, lab.root, "bob")->reject, 0);
    cr_assert_eq(say_status(desk, lab.root, true)->reject, 0);
    desk_pass(desk, 31000);
    cr_assert_eq(engine_asks_under_way(desk->first.engine), 0);
    lab_close(&lab);
}

static uint32_t projects(struct lab *lab, Wire__Identity who, const char *tenant)
{
    char name[16];
    uint32_t made = 0;
    for (;;) {
        (void)snprintf(name, sizeof(name), "p%u", made);
        const Wire__Answer *answer = say_project(lab->desk, who, tenant, name, false);
        if (answer->reject != REJECT_NONE) {
            cr_assert_eq(answer->reject, REJECT_TABLE_FULL);
            return made;
        }
        made++;
    }
}

Test(core_shares, nobody_takes_every_project_of_the_cell)
{
    struct lab lab = lab_open();
    Wire__Identity bob = move_in(&lab, "b", "bob");
    uint32_t room = desk_capacity().rows[TABLE_PROJECT] - 2; /* Two have their default one. */
    uint32_t of_a = projects(&lab, lab.ann, "a");
    uint32_t of_b = projects(&lab, bob, "b");
    cr_assert_lt(of_a, room / 2 + 1);
    cr_assert_gt(of_b, room / 8);
    Wire__Identity cem = move_in(&lab, "c", "cem"); /* A tenant can still be made, */
    cr_assert_gt(projects(&lab, cem, "c"), 0U);     /* and has room of its own. */
    cr_assert_eq(say_project(lab.desk, lab.ann, "a", "p0", true)->reject, 0);
    lab_close(&lab);
}

static uint32_t raised(const struct desk *desk, const char *name)
{
    uint32_t count = 0;
    for (const struct alarm_row *row = state_first(desk_state(desk), TABLE_ALARM); row != NULL;
         row = state_next(desk_state(desk), TABLE_ALARM, row)) {
        count += row->cleared_at == 0 && strcmp(row->name, name) == 0 ? 1 : 0;
    }
    return count;
}

Test(core_shares, guests_that_fail_leave_room_for_the_alarms_of_the_cell)
{
    struct lab lab = lab_open();
    struct desk *desk = lab.desk;
    uint32_t room = desk_capacity().rows[TABLE_ALARM];
    struct quota_amounts cap = say_amounts(64, 64 * SAY_GIB, 64, 4);
    cr_assert_eq(say_quota(desk, lab.root, "a", NULL, &cap)->reject, 0);
    char name[16];
    for (uint32_t i = 0; i < room; i++) {
        (void)snprintf(name, sizeof(name), "vm%u", i);
        struct say_instance wish = { .tenant = "a", .name = name };
        cr_assert_eq(say_create(desk, lab.ann, &wish)->reject, 0);
        lab_says(&lab, name, O(RUNNING));
        lab_says(&lab, name, O(FAILED));
        cr_assert_eq(lab_row(&lab, name)->state, S(FAILED));
    }
    cr_assert_eq(raised(desk, "instance-failed"), room / 2);
    lab.n2->silent = true;
    desk_pass(desk, LIMIT_NODE_UNKNOWN_MS + 2000);
    cr_assert_eq(raised(desk, "node-unknown"), 1);
    const Wire__ClusterStatus *status = say_status(desk, lab.root, true)->cluster_status;
    cr_assert_str_eq(status->alarms[0]->name, "node-unknown", "the cell's own come first");
    cr_assert_eq(status->n_alarms, room / 2 + 1);
    cr_assert_eq(say_delete(desk, lab.ann, "a", "vm0")->reject, 0);
    lab_close(&lab);
}

Test(core_shares, of_the_writes_that_are_remembered_a_newcomer_finds_room)
{
    struct desk_conf conf = { .reserve_percent = 0, .idempotency_limit = 1000000 };
    struct lab lab = lab_with(&conf); /* INV-IDEM-2 */
    Wire__Identity bob = move_in(&lab, "b", "bob");
    cr_assert_eq(lab_create(&lab, "vm", true)->reject, 0);
    uint32_t all = desk_capacity().rows[TABLE_OPERATION];
    uint32_t taken = 0;
    while (say_start(lab.desk, lab.ann, "a", "vm")->reject != REJECT_IDEMPOTENCY_FULL &&
           say_stop(lab.desk, lab.ann, "a", "vm")->reject != REJECT_IDEMPOTENCY_FULL) {
        taken += 2;
        lab_says(&lab, "vm", O(GONE));
        cr_assert_lt(taken, all);
    }
    cr_assert_gt(taken, all / 4);
    cr_assert_eq(say_network(lab.desk, bob, "b", "net", "10.1.0.0/29")->reject, 0);
    cr_assert_eq(say_user(lab.desk, lab.root, "eve", WIRE__ROLE__ROLE_TENANT, "b")->reject, 0);
    lab_close(&lab);
}
