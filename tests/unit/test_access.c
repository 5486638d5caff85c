/* The whole authorization matrix: every role, every operation, every owner. */
#include "access/authz.h"
#include "base/check.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { MINE = 41, THEIRS = 42 };

/* Written out a second time, by hand, apart from the table: "oat" operator, auditor, tenant's user;
 * "s" stranger, "m" machine; capital T: only within its own tenant. */
static const struct {
    const char *operation;
    const char *who;
} EXPECTED[] = {
    { "token-create", "o" },       { "join", "sm" },
    { "renew", "oatm" },           { "tenant-create", "o" },
    { "tenant-delete", "o" },      { "project-create", "oT" },
    { "project-delete", "oT" },    { "user-create", "o" },
    { "user-revoke", "o" },        { "quota-set", "o" },
    { "network-create", "oT" },    { "network-delete", "oT" },
    { "image-create", "o" },       { "image-delete", "o" },
    { "instance-create", "oT" },   { "instance-start", "oT" },
    { "instance-stop", "oT" },     { "instance-reboot", "oT" },
    { "instance-delete", "oT" },   { "controller-remove", "o" },
    { "operation-cancel", "oT" },  { "cell-read", "oa" },
    { "controller-read", "oa" },   { "node-read", "oa" },
    { "tenant-read", "oaT" },      { "project-read", "oaT" },
    { "user-read", "oa" },         { "image-read", "oat" },
    { "network-read", "oaT" },     { "instance-read", "oaT" },
    { "operation-read", "oaT" },   { "alarm-read", "oa" },
    { "token-read", "oa" },        { "cluster-status", "oa" },
    { "capacity-explain", "oa" },  { "node-explain", "oa" },
    { "instance-explain", "oaT" }, { "console-read", "T" },
    { "audit-read", "oaT" },       { "operation-wait", "oaT" },
    { "quota-read", "oaT" },       { "access-read", "oa" },
    { "event-read", "oaT" },
};

static struct access_principal principal(enum access_role role)
{
    return (struct access_principal){
        .role = role,
        .tenant = role == ACCESS_ROLE_TENANT ? MINE : 0,
    };
}

static enum reject expected(const char *who, enum access_role role, uint64_t owner)
{
    static const char letters[] = "soatm";
    if (strchr(who, letters[role]) != NULL) {
        return REJECT_NONE;
    }
    if (role == ACCESS_ROLE_TENANT && strchr(who, 'T') != NULL) {
        return owner == MINE ? REJECT_NONE : REJECT_NOT_FOUND;
    }
    return REJECT_DENIED;
}

Test(access, the_whole_matrix_is_what_was_written_down)
{
    static const uint64_t owners[] = { 0, MINE, THEIRS };
    cr_assert_eq(COUNT_OF(EXPECTED), ACCESS_OPERATIONS_END - 1);
    uint32_t asked = 0;
    for (uint32_t o = 1; o < ACCESS_OPERATIONS_END; o++) {
        enum access_operation operation = (enum access_operation)o;
        cr_assert_str_eq(access_operation_name(operation), EXPECTED[o - 1].operation);
        for (uint32_t role = 0; role < ACCESS_ROLES_END; role++) {
            struct access_principal who = principal((enum access_role)role);
            for (size_t i = 0; i < COUNT_OF(owners); i++) {
                enum reject want = expected(EXPECTED[o - 1].who, who.role, owners[i]);
                cr_assert_eq(
                    access_decide(&who, operation, owners[i]),
                    want,
                    "%s %s owner %u",
                    access_role_name(who.role),
                    EXPECTED[o - 1].operation,
                    (unsigned int)owners[i]);
                asked++;
            }
        }
    }
    cr_assert_eq(asked, 43 * 5 * 3);
}

Test(access, another_tenants_object_looks_as_if_it_were_not_there)
{
    struct access_principal who = principal(ACCESS_ROLE_TENANT); /* INV-SEC-1 */
    cr_assert_eq(access_decide(&who, ACCESS_INSTANCE_DELETE, THEIRS), REJECT_NOT_FOUND);
    cr_assert_eq(access_decide(&who, ACCESS_INSTANCE_DELETE, 0), REJECT_NOT_FOUND);
    cr_assert_eq(access_decide(&who, ACCESS_INSTANCE_DELETE, MINE), REJECT_NONE);
}

Test(access, a_revoked_principal_may_nothing)
{
    for (uint32_t o = 1; o < ACCESS_OPERATIONS_END; o++) {
        for (uint32_t role = 0; role < ACCESS_ROLES_END; role++) {
            struct access_principal who = principal((enum access_role)role);
            who.revoked = true;
            cr_assert_eq(access_decide(&who, (enum access_operation)o, MINE), REJECT_REVOKED);
        }
    }
}

Test(access, an_auditor_changes_nothing_but_its_own_certificate)
{
    struct access_principal who = principal(ACCESS_ROLE_AUDITOR);
    for (uint32_t o = 1; o < ACCESS_OPERATIONS_END; o++) {
        if (access_operation_writes((enum access_operation)o) && o != ACCESS_RENEW) {
            cr_assert_eq(access_decide_role(&who, (enum access_operation)o), REJECT_DENIED);
        }
    }
}

Test(access, what_is_listed_is_what_is_decided)
{
    enum access_operation list[ACCESS_OPERATIONS_END];
    for (uint32_t role = 0; role < ACCESS_ROLES_END; role++) {
        struct access_principal who = principal((enum access_role)role);
        uint32_t count = access_may_list(who.role, list);
        uint32_t at = 0;
        for (uint32_t o = 1; o < ACCESS_OPERATIONS_END; o++) {
            bool listed = at < count && list[at] == (enum access_operation)o;
            at += listed;
            cr_assert_eq(listed, access_decide_role(&who, (enum access_operation)o) == REJECT_NONE);
        }
        cr_assert_eq(at, count);
    }
    cr_assert_eq(access_may_list(ACCESS_ROLE_STRANGER, list), 1);
    cr_assert_eq(list[0], ACCESS_JOIN);
}

/* A request whose body is set, empty, to the oneof field of this number. */
static void body_set(Wire__Request *request, const ProtobufCFieldDescriptor *field, void *room)
{
    const ProtobufCMessageDescriptor *type = field->descriptor;
    cr_assert_leq(type->sizeof_message, 512);
    protobuf_c_message_init(type, room);
    *request = (Wire__Request)WIRE__REQUEST__INIT;
    request->body_case = (Wire__Request__BodyCase)field->id;
    memcpy((uint8_t *)request + field->offset, &(void *){ room }, sizeof(void *));
}

Test(access, every_request_that_can_be_sent_is_an_operation_of_its_name)
{
    uint32_t bodies = 0;
    for (unsigned int i = 0; i < wire__request__descriptor.n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &wire__request__descriptor.fields[i];
        if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0) {
            continue;
        }
        bodies++;
        uint64_t room[64] = { 0 };
        Wire__Request request;
        body_set(&request, field, room);
        enum access_operation operation = access_operation_of(&request);
        if (strcmp(field->name, "get") == 0 || strcmp(field->name, "list") == 0 ||
            strcmp(field->name, "explain") == 0) {
            cr_assert_eq((int)operation, 0, "%s of no kind is nothing", field->name);
            continue;
        }
        char name[64] = { 0 };
        for (size_t c = 0; field->name[c] != '\0'; c++) {
            name[c] = field->name[c] == '_' ? '-' : field->name[c];
        }
        cr_assert_neq((int)operation, 0, "%s", field->name);
        cr_assert_str_eq(access_operation_name(operation), name);
        cr_assert_eq(access_operation_writes(operation), field->id < 60); /* As api.proto says. */
    }
    cr_assert_eq(bodies, 31);
    Wire__Request none = WIRE__REQUEST__INIT;
    cr_assert_eq((int)access_operation_of(&none), 0);
}

Test(access, get_list_and_explain_ask_for_the_kind_they_name)
{
    static const char *const kinds[] = { "cell",     "controller", "node",  "tenant",
                                         "project",  "user",       "image", "network",
                                         "instance", "operation",  "alarm", "token" };
    for (size_t k = 0; k < COUNT_OF(kinds); k++) {
        Wire__Get get = WIRE__GET__INIT;
        Wire__List list = WIRE__LIST__INIT;
        Wire__Explain explain = WIRE__EXPLAIN__INIT;
        get.kind = list.kind = explain.kind = (Wire__Kind)(k + 1);
        Wire__Request request = WIRE__REQUEST__INIT;
        request.body_case = WIRE__REQUEST__BODY_GET;
        request.get = &get;
        enum access_operation operation = access_operation_of(&request);
        char name[64];
        (void)snprintf(name, sizeof name, "%s-read", kinds[k]);
        cr_assert_str_eq(access_operation_name(operation), name);
        request.body_case = WIRE__REQUEST__BODY_LIST;
        request.list = &list;
        cr_assert_eq(access_operation_of(&request), operation);
        request.body_case = WIRE__REQUEST__BODY_EXPLAIN;
        request.explain = &explain;
        int want = 0;
        if (explain.kind == WIRE__KIND__KIND_CELL) {
            want = ACCESS_CAPACITY_EXPLAIN;
        } else if (explain.kind == WIRE__KIND__KIND_NODE) {
            want = ACCESS_NODE_EXPLAIN;
        } else if (explain.kind == WIRE__KIND__KIND_INSTANCE) {
            want = ACCESS_INSTANCE_EXPLAIN;
        }
        cr_assert_eq((int)access_operation_of(&request), want);
    }
}

Test(access, roles_have_the_names_of_the_interface)
{
    static const char *const names[] = { "stranger", "operator", "auditor", "tenant", "machine" };
    for (uint32_t role = 0; role < ACCESS_ROLES_END; role++) {
        cr_assert_str_eq(access_role_name((enum access_role)role), names[role]);
    }
}

Test(access, scope_says_whether_an_owner_is_asked)
{
    cr_assert_eq(access_operation_scope(ACCESS_NODE_READ), ACCESS_SCOPE_CELL);
    cr_assert_eq(access_operation_scope(ACCESS_INSTANCE_READ), ACCESS_SCOPE_TENANT);
}

Test(access, a_tenants_user_without_a_tenant_is_our_bug, .signal = SIGABRT)
{
    struct access_principal who = { .role = ACCESS_ROLE_TENANT };
    (void)access_decide(&who, ACCESS_INSTANCE_READ, 0);
}
