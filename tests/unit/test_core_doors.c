/* Who may, what fits, and what is done once: every refusal that the core can give, each beside the
 * same request without its fault. */
#include "isolation/network.h"
#include "tests/unit/core_lab.h"

#include <stdio.h>

#define ROLE(name) WIRE__ROLE__ROLE_##name

/* ---- Who ---- */

Test(core_doors, another_tenants_object_answers_like_one_that_never_existed)
{
    struct lab lab = lab_open(); /* INV-SEC-1 */
    struct desk *desk = lab.desk;
    struct quota_amounts cap = say_amounts(8, SAY_GIB, 4, 4);
    cr_assert_eq(say_tenant(desk, lab.root, "b", NULL, &cap)->reject, 0);
    cr_assert_eq(say_user(desk, lab.root, "bob", ROLE(TENANT), "b")->reject, 0);
    Wire__Identity bob = desk_who(desk, "bob");
    cr_assert_eq(lab_create(&lab, "vm", true)->reject, 0);
    const Wire__Answer *foreign = say_delete(desk, bob, "a", "vm");
    const Wire__Answer *absent = say_delete(desk, bob, "zz", "vm");
    cr_assert_eq(foreign->reject, REJECT_NOT_FOUND);
    cr_assert_eq(absent->reject, REJECT_NOT_FOUND);
    cr_assert_str_eq(foreign->problem->detail, absent->problem->detail);
    cr_assert_str_eq(foreign->problem->code, absent->problem->code);
    cr_assert_eq(
        say_get(desk, bob, WIRE__KIND__KIND_INSTANCE, "a", "vm")->reject, REJECT_NOT_FOUND);
    cr_assert_eq(say_list(desk, bob, WIRE__KIND__KIND_INSTANCE, "a")->reject, REJECT_NOT_FOUND);
    cr_assert_eq(say_list(desk, bob, WIRE__KIND__KIND_INSTANCE, "")->n_items, 0);
    cr_assert_eq(say_list(desk, lab.ann, WIRE__KIND__KIND_INSTANCE, "")->n_items, 1);
    char id[ID_TEXT_SIZE];
    id_format(ID_INSTANCE, lab_row(&lab, "vm")->head.id, id);
    cr_assert_eq(say_delete(desk, bob, "b", id)->reject, REJECT_NOT_FOUND);
    cr_assert_eq(say_delete(desk, lab.ann, "a", id)->reject, 0);
    lab_close(&lab);
}

Test(core_doors, roles_are_kept_apart)
{
    struct lab lab = lab_open();
    struct desk *desk = lab.desk;
    struct quota_amounts cap = say_amounts(1, SAY_GIB, 1, 1);
    cr_assert_eq(say_user(desk, lab.root, "aud", ROLE(AUDITOR), NULL)->reject, 0);
    Wire__Identity auditor = desk_who(desk, "aud");
    cr_assert_eq(say_tenant(desk, auditor, "x", NULL, &cap)->reject, REJECT_DENIED);
    cr_assert_eq(say_tenant(desk, lab.ann, "x", NULL, &cap)->reject, REJECT_DENIED);
    cr_assert_eq(say_user(desk, lab.ann, "eve", ROLE(OPERATOR), NULL)->reject, REJECT_DENIED);
    cr_assert_eq(say_status(desk, lab.ann, false)->reject, REJECT_DENIED);
    cr_assert_eq(say_status(desk, auditor, false)->reject, 0);
    Wire__Identity stranger = WIRE__IDENTITY__INIT;
    cr_assert_eq(say_status(desk, stranger, false)->reject, REJECT_DENIED);
    cr_assert_eq(say_events(desk, stranger, 1, false)->reject, REJECT_DENIED);
    cr_assert_eq(say_events(desk, stranger, 1, true)->reject, REJECT_DENIED);
    Wire__Identity unknown = lab.ann;
    unknown.id += 77777;
    cr_assert_eq(say_events(desk, unknown, 1, false)->reject, REJECT_REVOKED);
    struct say_instance wish = { .tenant = "a", .name = "vm", .stopped = true };
    cr_assert_eq(say_create(desk, auditor, &wish)->reject, REJECT_DENIED);
    cr_assert_eq(say_create(desk, lab.root, &wish)->reject, 0);
    lab_close(&lab);
}

static const Wire__Answer *say_access(
    struct desk *desk, Wire__Identity who, uint64_t after, uint32_t limit)
{
    Wire__AccessRead read = WIRE__ACCESS_READ__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    read.after = after;
    read.limit = limit;
    request.body_case = WIRE__REQUEST__BODY_ACCESS_READ;
    request.access_read = &read;
    return desk_do(desk, who, &request);
}

Test(core_doors, an_auditor_sees_every_principal_machines_too_page_by_page)
{
    struct lab lab = lab_open();
    struct desk *desk = lab.desk;
    const struct state *state = desk_state(desk);
    cr_assert_eq(say_user(desk, lab.root, "aud", ROLE(AUDITOR), NULL)->reject, 0);
    Wire__Identity auditor = desk_who(desk, "aud");
    uint32_t all = state_count(state, TABLE_USER) + state_count(state, TABLE_NODE) +
                   state_count(state, TABLE_CONTROLLER);
    uint32_t seen = 0;
    uint32_t machines = 0;
    uint64_t after = 0;
    do {
        const Wire__Answer *answer = say_access(desk, auditor, after, 2);
        cr_assert_eq(answer->reject, 0);
        cr_assert_gt(answer->n_access, 0);
        cr_assert_leq(answer->n_access, 2);
        for (size_t i = 0; i < answer->n_access; i++) {
            const Wire__AccessView *view = answer->access[i];
            bool machine = view->kind != WIRE__KIND__KIND_USER;
            machines += machine ? 1 : 0;
            cr_assert_neq(view->principal->name[0], '\0');
            cr_assert_gt(view->n_may, 0);
            cr_assert_eq(view->principal->role == WIRE__ROLE__ROLE_UNSET, machine);
            cr_assert(!machine || view->n_may == 2, "a machine joins and renews");
            seen++;
        }
        after = answer->next_after;
    } while (after != 0);
    cr_assert_eq(seen, all);
    cr_assert_eq(machines, state_count(state, TABLE_NODE) + state_count(state, TABLE_CONTROLLER));
    cr_assert_eq(say_access(desk, lab.ann, 0, 0)->reject, REJECT_DENIED);
    lab_close(&lab);
}

Test(core_doors, the_revoked_and_the_older_epoch_open_no_door)
{
    struct lab lab = lab_open(); /* INV-SEC-3 */
    struct desk *desk = lab.desk;
    Wire__Identity older = lab.ann;
    older.epoch += 1;
    struct say_instance wish = { .tenant = "a", .name = "vm", .stopped = true };
    cr_assert_eq(say_create(desk, older, &wish)->reject, REJECT_REVOKED);
    cr_assert_eq(say_create(desk, lab.ann, &wish)->reject, 0);
    cr_assert_eq(say_revoke(desk, lab.root, "root")->reject, REJECT_STATE);
    cr_assert_eq(say_revoke(desk, lab.root, "ann")->reject, 0);
    cr_assert_eq(desk->rings, 1);
    cr_assert_eq(say_revoke(desk, lab.root, "ann")->reject, REJECT_STATE);
    wish.name = "vm2";
    cr_assert_eq(say_create(desk, lab.ann, &wish)->reject, REJECT_REVOKED);
    cr_assert_eq(say_create(desk, desk_who(desk, "ann"), &wish)->reject, REJECT_REVOKED);
    cr_assert_eq(say_events(desk, lab.ann, 1, true)->reject, REJECT_REVOKED);
    cr_assert_eq(say_list(desk, lab.ann, WIRE__KIND__KIND_INSTANCE, "")->reject, REJECT_REVOKED);
    lab_close(&lab);
}

Test(core_doors, a_revocation_in_the_log_stops_the_entry_behind_it_and_leaves_a_leaf)
{
    struct lab lab = lab_open(); /* INV-SEC-3 */
    struct desk *desk = lab.desk;
    struct say_instance wish = { .tenant = "a", .name = "vm", .stopped = true };
    desk->later = true; /* Both pass the door before either is in the log. */
    cr_assert_null(say_revoke(desk, lab.root, "ann"));
    cr_assert_null(say_create(desk, lab.ann, &wish));
    desk->later = false;
    desk_turn(desk);
    cr_assert_eq(desk_answer(desk, desk->handles)->reject, REJECT_REVOKED);
    cr_assert_null(lab_row(&lab, "vm"));
    cr_assert_eq(desk_leaves(desk, "instance-create", REJECT_REVOKED), 1);
    lab_close(&lab);
}

Test(core_doors, a_machine_of_an_older_epoch_is_not_heard)
{
    struct lab lab = lab_open(); /* INV-SEC-3 */
    struct desk *desk = lab.desk;
    struct desk_node liar = *lab.n1;
    liar.epoch++;
    liar.boot = 9;
    uint32_t before = desk->frames_count;
    desk_hello(desk, &liar);
    liar.id += 5000;
    desk_hello(desk, &liar);
    cr_assert_eq(desk->frames_count, before);
    lab.n1->boot = 9;
    desk_hello(desk, lab.n1);
    cr_assert_gt(desk->frames_count, before);
    desk_turn(desk);
    lab_close(&lab);
}

Test(core_doors, tokens_admit_once_and_only_whom_they_are_for)
{
    struct lab lab = lab_open();
    struct desk *desk = lab.desk;
    cr_assert_eq(say_join_with(desk, WIRE__KIND__KIND_NODE, 77, "csr")->reject, REJECT_TOKEN);
    cr_assert_eq(say_token(desk, WIRE__KIND__KIND_NODE, "n7", "r1", 77)->reject, 0);
    cr_assert_eq(say_join_with(desk, WIRE__KIND__KIND_CONTROLLER, 77, "csr")->reject, REJECT_TOKEN);
    const Wire__Answer *joined = say_join_with(desk, WIRE__KIND__KIND_NODE, 77, "csr");
    cr_assert_eq(joined->reject, 0);
    cr_assert_eq(joined->join->certificate.len, 4);
    const Wire__Answer *again = say_join_with(desk, WIRE__KIND__KIND_NODE, 77, "csr");
    cr_assert_str_eq(joined->join->id, again->join->id); /* A lost answer is given again. */
    cr_assert_eq(say_join_with(desk, WIRE__KIND__KIND_NODE, 77, "other")->reject, REJECT_TOKEN);
    cr_assert_eq(state_count(desk_state(desk), TABLE_NODE), 3);
    cr_assert_eq(say_token(desk, WIRE__KIND__KIND_NODE, "n8", "r1", 78)->reject, 0);
    desk_pass(desk, 3600 * 1000 + 1000);
    cr_assert_eq(say_join_with(desk, WIRE__KIND__KIND_NODE, 78, "csr")->reject, REJECT_TOKEN);
    cr_assert_eq(state_count(desk_state(desk), TABLE_TOKEN), 0); /* TICK took them all. */
    lab_close(&lab);
}

/* ---- Once ---- */

Test(core_doors, the_same_key_and_body_is_done_once_and_answered_alike)
{
    struct lab lab = lab_open(); /* INV-IDEM-1 */
    struct desk *desk = lab.desk;
    desk->key = "order-66";
    const Wire__Answer *one = lab_create(&lab, "vm", true);
    desk->key = "order-66";
    const Wire__Answer *two = lab_create(&lab, "vm", true);
    cr_assert_eq(two->reject, 0);
    cr_assert_str_eq(one->operation->id, two->operation->id);
    cr_assert_eq(state_count(desk_state(desk), TABLE_INSTANCE), 1);
    cr_assert_eq(desk_leaves(desk, "instance-create", 0), 1);
    desk->key = "order-66";
    cr_assert_eq(lab_create(&lab, "vm2", true)->reject, REJECT_IDEMPOTENCY_BODY);
    desk->key = "order-67"; /* The negative: without the memory it is another request. */
    cr_assert_eq(lab_create(&lab, "vm", true)->reject, REJECT_NAME_TAKEN);
    lab_close(&lab);
}

Test(core_doors, a_write_without_a_sound_key_is_refused_at_the_door_and_never_in_the_log)
{
    struct lab lab = lab_open(); /* INV-IDEM-1 */
    struct desk *desk = lab.desk;
    char key[LIMIT_IDEMPOTENCY_KEY + 1];
    memset(key, 'k', sizeof(key));
    key[LIMIT_IDEMPOTENCY_KEY] = '\0';
    desk->key = key; /* One byte more than there is room for. */
    cr_assert_eq(lab_create(&lab, "vm", true)->reject, REJECT_MALFORMED);
    desk->key = "";
    cr_assert_eq(lab_create(&lab, "vm", true)->reject, REJECT_MALFORMED);
    key[LIMIT_IDEMPOTENCY_KEY - 1] = '\0';
    desk->key = key;
    cr_assert_eq(lab_create(&lab, "vm", true)->reject, 0);
    lab_close(&lab);
}

Test(core_doors, twins_in_one_entry_make_one_object_and_get_one_answer)
{
    struct lab lab = lab_open(); /* INV-IDEM-1 */
    struct desk *desk = lab.desk;
    desk->later = true;
    desk->key = "twin";
    cr_assert_null(lab_create(&lab, "vm", false));
    uint64_t first = desk->handles;
    desk->key = "twin";
    cr_assert_null(lab_create(&lab, "vm", false));
    desk->later = false;
    desk_turn(desk);
    cr_assert_str_eq(
        desk_answer(desk, first)->operation->id, desk_answer(desk, first + 1)->operation->id);
    cr_assert_eq(state_count(desk_state(desk), TABLE_INSTANCE), 1);
    cr_assert_eq(desk_leaves(desk, "instance-create", REJECTS_END), 1);
    lab_close(&lab);
}

Test(core_doors, a_full_memory_of_keys_refuses_the_new_and_forgets_only_with_log_time)
{
    struct desk_conf conf = { .idempotency_limit = 12 }; /* INV-IDEM-2 */
    struct lab lab = lab_with(&conf);
    struct desk *desk = lab.desk;
    struct say_instance wish = { .tenant = "a", .name = "m0", .stopped = true };
    for (int i = 0; i < 11; i++) { /* One key went into the network. */
        desk->key = i == 0 ? "first" : NULL;
        const Wire__Answer *done =
            i % 2 == 0 ? say_create(desk, lab.ann, &wish) : say_delete(desk, lab.ann, "a", "m0");
        cr_assert_eq(done->reject, 0);
    }
    struct say_instance more = { .tenant = "a", .name = "m1", .stopped = true };
    const Wire__Answer *full = say_create(desk, lab.ann, &more);
    cr_assert_eq(full->reject, REJECT_IDEMPOTENCY_FULL);
    cr_assert_eq(full->problem->limit, 12);
    cr_assert_eq(full->problem->usage, 12);
    desk->key = "first"; /* What is remembered is still answered. */
    cr_assert_eq(say_create(desk, lab.ann, &wish)->reject, 0);
    desk_pass(desk, LIMIT_OPERATION_KEEP_MS - 3600 * 1000);
    cr_assert_eq(say_create(desk, lab.ann, &more)->reject, REJECT_IDEMPOTENCY_FULL);
    desk_pass(desk, 3700 * 1000);
    cr_assert_eq(desk_tenant(desk, "a")->idempotency_keys, 0);
    desk->key = "first"; /* Forgotten: judged anew. */
    cr_assert_eq(say_create(desk, lab.ann, &wish)->reject, REJECT_NAME_TAKEN);
    lab_close(&lab);
}

/* INV-IDEM-2: what still runs is remembered for as long as it does, and keeps nobody else, nor his
 * own later writes, out. */
Test(core_doors, an_old_operation_that_still_runs_is_kept_and_those_behind_it_are_forgotten)
{
    struct lab lab = lab_open();
    struct desk *desk = lab.desk;
    struct say_instance wish = { .tenant = "a", .name = "slow" };
    desk->key = "slow";
    const Wire__Answer *slow = say_create(desk, lab.ann, &wish);
    char id[ID_TEXT_SIZE];
    (void)snprintf(id, sizeof(id), "%s", slow->operation->id);
    cr_assert_eq(slow->operation->state, WIRE__OPERATION_STATE__OPERATION_STATE_RUNNING);
    struct say_instance next = { .tenant = "a", .name = "next", .stopped = true };
    cr_assert_eq(say_create(desk, lab.ann, &next)->reject, 0);
    cr_assert_gt(desk_tenant(desk, "a")->idempotency_keys, 1);
    desk_pass(desk, LIMIT_OPERATION_KEEP_MS + 60 * 1000);
    cr_assert_eq(desk_tenant(desk, "a")->idempotency_keys, 0); /* It takes no room any more. */
    desk->key = "slow";
    cr_assert_str_eq(say_create(desk, lab.ann, &wish)->operation->id, id);
    lab_says(&lab, "slow", O(RUNNING));
    desk_pass(desk, LIMIT_OPERATION_KEEP_MS - 60 * 1000);
    desk->key = "slow";
    cr_assert_str_eq(say_create(desk, lab.ann, &wish)->operation->id, id);
    desk_pass(desk, 120 * 1000);
    desk->key = "slow"; /* Forgotten: judged anew. */
    cr_assert_eq(say_create(desk, lab.ann, &wish)->reject, REJECT_NAME_TAKEN);
    lab_close(&lab);
}

/* Somebody who writes all day keeps nobody from taking his rights away. */
Test(core_doors, a_full_memory_of_keys_has_room_for_what_frees_and_revokes_and_that_is_bounded)
{
    struct desk_conf conf = { .idempotency_limit = 12 }; /* INV-IDEM-2 */
    struct lab lab = lab_with(&conf);
    struct desk *desk = lab.desk;
    char name[16];
    uint32_t made = 0;
    for (enum reject reject = REJECT_NONE; reject == REJECT_NONE; made++) {
        (void)snprintf(name, sizeof(name), "u%u", made);
        reject = (enum reject)say_user(desk, lab.root, name, WIRE__ROLE__ROLE_AUDITOR, "")->reject;
        cr_assert(reject == REJECT_NONE || reject == REJECT_IDEMPOTENCY_FULL);
    }
    cr_assert_gt(made, 4);
    for (uint32_t i = 0; i < 12 / 4; i++) {
        (void)snprintf(name, sizeof(name), "u%u", i);
        cr_assert_eq(say_revoke(desk, lab.root, name)->reject, 0);
    }
    cr_assert_eq(say_revoke(desk, lab.root, "u3")->reject, REJECT_IDEMPOTENCY_FULL);
    lab_close(&lab);
}

/* ---- Form, names and numbers ---- */

Test(core_doors, fields_outside_their_contract_are_named)
{
    struct lab lab = lab_open();
    struct desk *desk = lab.desk;
    struct say_instance good = { .tenant = "a", .name = "vm", .stopped = true };
    struct say_instance bad = good;
    bad.vcpus = LIMIT_VCPUS + 1;
    const Wire__Answer *answer = say_create(desk, lab.ann, &bad);
    cr_assert_eq(answer->reject, REJECT_BAD_FIELD);
    cr_assert_str_eq(answer->problem->pointer, "/vcpus");
    bad = good;
    bad.memory_bytes = 64 * SAY_MIB + 1;
    cr_assert_eq(say_create(desk, lab.ann, &bad)->reject, REJECT_BAD_FIELD);
    bad = good;
    bad.name = "Vm";
    cr_assert_eq(say_create(desk, lab.ann, &bad)->reject, REJECT_BAD_NAME);
    bad = good;
    bad.where = WIRE__WHERE__WHERE_ELSEWHERE;
    cr_assert_eq(say_create(desk, lab.ann, &bad)->reject, REJECT_UNSUPPORTED);
    bad = good;
    bad.image = "none";
    cr_assert_eq(say_create(desk, lab.ann, &bad)->reject, REJECT_NOT_FOUND);
    cr_assert_eq(say_network(desk, lab.ann, "a", "n2", "10.1.0.1/24")->reject, REJECT_BAD_FIELD);
    cr_assert_eq(say_user(desk, lab.root, "u", ROLE(UNSET), NULL)->reject, REJECT_BAD_FIELD);
    cr_assert_eq(say_tenant(desk, lab.root, "t", NULL, NULL)->reject, REJECT_BAD_FIELD);
    Wire__Request empty = WIRE__REQUEST__INIT;
    cr_assert_eq(desk_do(desk, lab.root, &empty)->reject, REJECT_MALFORMED);
    cr_assert_eq(
        say_get(desk, lab.root, WIRE__KIND__KIND_CELL, "", "x")->reject, REJECT_UNSUPPORTED);
    cr_assert_eq(say_list(desk, lab.root, WIRE__KIND__KIND_CELL, "")->reject, REJECT_UNSUPPORTED);
    cr_assert_eq(say_create(desk, lab.ann, &good)->reject, 0);
    lab_close(&lab);
}

Test(core_doors, what_something_depends_on_is_in_use)
{
    struct lab lab = lab_open();
    struct desk *desk = lab.desk;
    cr_assert_eq(lab_create(&lab, "vm", true)->reject, 0);
    cr_assert_eq(say_network_delete(desk, lab.ann, "a", "net")->reject, REJECT_IN_USE);
    cr_assert_eq(say_image_delete(desk, lab.root, "linux")->reject, REJECT_IN_USE);
    cr_assert_eq(say_tenant_delete(desk, lab.root, "a")->reject, REJECT_IN_USE);
    cr_assert_eq(say_project(desk, lab.ann, "a", "default", true)->reject, REJECT_IN_USE);
    cr_assert_eq(say_delete(desk, lab.ann, "a", "vm")->reject, 0);
    cr_assert_eq(say_network_delete(desk, lab.ann, "a", "net")->reject, 0);
    cr_assert_eq(say_image_delete(desk, lab.root, "linux")->reject, 0);
    cr_assert_eq(say_revoke(desk, lab.root, "ann")->reject, 0);
    cr_assert_eq(say_tenant_delete(desk, lab.root, "a")->reject, 0);
    cr_assert_null(desk_tenant(desk, "a"));
    struct quota_amounts cap = say_amounts(1, SAY_GIB, 1, 1);
    cr_assert_eq(say_tenant(desk, lab.root, "a", NULL, &cap)->reject, 0); /* The name is free. */
    lab_close(&lab);
}

Test(core_doors, a_tag_that_is_no_longer_the_objects_changes_nothing)
{
    struct lab lab = lab_open();
    struct desk *desk = lab.desk;
    cr_assert_eq(lab_create(&lab, "vm", true)->reject, 0);
    desk->if_match = "r9";
    cr_assert_eq(say_start(desk, lab.ann, "a", "vm")->reject, REJECT_PRECONDITION);
    desk->if_match = "1";
    cr_assert_eq(say_start(desk, lab.ann, "a", "vm")->reject, REJECT_PRECONDITION);
    desk->if_match = "r1";
    cr_assert_eq(say_start(desk, lab.ann, "a", "vm")->reject, 0);
    struct quota_amounts cap = say_amounts(64, SAY_GIB, 10, 4);
    desk->if_match = "r2";
    cr_assert_eq(say_quota(desk, lab.root, "a", NULL, &cap)->reject, REJECT_PRECONDITION);
    desk->if_match = "r1";
    cr_assert_eq(say_quota(desk, lab.root, "a", NULL, &cap)->reject, 0);
    lab_close(&lab);
}

Test(core_doors, a_full_table_is_an_answer)
{
    struct lab lab = lab_open();
    struct desk *desk = lab.desk;
    char name[8];
    uint32_t last = 0;
    for (int i = 0; i < 20 && last == 0; i++) { /* Room for sixteen images. */
        (void)snprintf(name, sizeof(name), "i%d", i);
        last = say_image(desk, lab.root, name)->reject;
    }
    cr_assert_eq(last, REJECT_TABLE_FULL);
    cr_assert_eq(state_count(desk_state(desk), TABLE_IMAGE), desk_capacity().rows[TABLE_IMAGE]);
    cr_assert_eq(say_image_delete(desk, lab.root, "i0")->reject, 0);
    cr_assert_eq(say_image(desk, lab.root, "again")->reject, 0);
    lab_close(&lab);
}

Test(core_doors, an_address_has_one_owner_until_it_is_given_back)
{
    struct lab lab = lab_open(); /* INV-NET-3: five addresses, and the cursor comes round. */
    struct desk *desk = lab.desk;
    static const char *const names[] = { "m1", "m2", "m3", "m4", "m5" };
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        cr_assert_eq(lab_create(&lab, names[i], true)->reject, 0);
    }
    const Wire__Answer *none = lab_create(&lab, "m6", true);
    cr_assert_eq(none->reject, REJECT_NO_CAPACITY);
    cr_assert_str_eq(none->problem->dimension, "addresses");
    for (int round = 0; round < 3; round++) {
        uint32_t free = lab_row(&lab, "m3")->nics[0].address;
        cr_assert_eq(say_delete(desk, lab.ann, "a", "m3")->reject, 0);
        cr_assert_eq(lab_create(&lab, "m3", true)->reject, 0);
        cr_assert_eq(lab_row(&lab, "m3")->nics[0].address, free);
        for (size_t i = 0; i < COUNT_OF(names); i++) {
            const struct instance_row *row = lab_row(&lab, names[i]);
            cr_assert_eq(
                state_address(desk_state(desk), row->nics[0].network, row->nics[0].address), row);
        }
    }
    lab_close(&lab);
}

Test(core_doors, two_networks_whose_ids_want_one_vni_get_two)
{
    struct lab lab = lab_open(); /* INV-NET-1 */
    struct desk *desk = lab.desk;
    struct cell_row *cell = state_cell(desk_state(desk));
    uint64_t next = cell->next_sequence;
    uint32_t wanted = network_vni(id_make(DESK_CELL, next), 0);
    uint64_t twin = next + 1000;
    while (network_vni(id_make(DESK_CELL, twin), 0) != wanted) {
        twin++; /* Sequences outlive 24 bits: some later one wants the same. */
        cr_assert_lt(twin, UINT64_C(1) << 26);
    }
    cr_assert_eq(say_network(desk, lab.ann, "a", "one", "10.2.0.0/24")->reject, 0);
    cell->next_sequence = twin;
    state_cell(engine_state(desk->second.engine))->next_sequence = twin;
    cr_assert_eq(say_network(desk, lab.ann, "a", "two", "10.2.0.0/24")->reject, 0);
    const struct network_row *one = state_vni(desk_state(desk), wanted);
    cr_assert_not_null(one);
    const struct network_row *two =
        state_find(desk_state(desk), TABLE_NETWORK, id_make(DESK_CELL, twin));
    cr_assert_not_null(two);
    cr_assert_neq(two->vni, wanted);
    cr_assert_eq(network_vni(two->head.id, 0), wanted); /* The negative: it would have been. */
    lab_close(&lab);
}

Test(core_doors, names_and_ids_stand_for_one_another_and_are_never_confused)
{
    struct lab lab = lab_open();
    struct desk *desk = lab.desk;
    cr_assert_eq(lab_create(&lab, "vm", true)->reject, 0);
    char instance[ID_TEXT_SIZE];
    char tenant[ID_TEXT_SIZE];
    id_format(ID_INSTANCE, lab_row(&lab, "vm")->head.id, instance);
    id_format(ID_TENANT, desk_tenant(desk, "a")->head.id, tenant);
    cr_assert_eq(say_start(desk, lab.ann, tenant, instance)->reject, 0);
    cr_assert_eq(say_start(desk, lab.ann, instance, tenant)->reject, REJECT_NOT_FOUND);
    struct say_instance wish = { .tenant = "a", .name = instance, .stopped = true };
    cr_assert_eq(say_create(desk, lab.ann, &wish)->reject, REJECT_BAD_NAME);
    lab_close(&lab);
}
