/* Decides who may ask for what, from one table. Never looks up a row, never decides whether what is
 * asked is possible, never grants anything for a time (that comes with grants). */
#include "access/authz.h"

#include "base/check.h"

_Static_assert(ACCESS_ROLE_STRANGER == (int)WIRE__ROLE__ROLE_UNSET, "roles are wire's");
_Static_assert(ACCESS_ROLE_OPERATOR == (int)WIRE__ROLE__ROLE_OPERATOR, "roles are wire's");
_Static_assert(ACCESS_ROLE_AUDITOR == (int)WIRE__ROLE__ROLE_AUDITOR, "roles are wire's");
_Static_assert(ACCESS_ROLE_TENANT == (int)WIRE__ROLE__ROLE_TENANT, "roles are wire's");

enum {
    STRANGER = 1 << ACCESS_ROLE_STRANGER,
    OPERATOR = 1 << ACCESS_ROLE_OPERATOR,
    AUDITOR = 1 << ACCESS_ROLE_AUDITOR,
    TENANT = 1 << ACCESS_ROLE_TENANT,
    MACHINE = 1 << ACCESS_ROLE_MACHINE,
};

enum { READS = 1, WRITES = 2 };

struct access_row {
    const char *name;
    uint32_t roles;
    enum access_scope scope;
    uint32_t effect;
};

#define CELL  ACCESS_SCOPE_CELL
#define OWNED ACCESS_SCOPE_TENANT

/* The table. An operator acts for tenants but does not read what guests print; an auditor reads all
 * but that and changes nothing; a tenant's user stays in its tenant. Whoever has a certificate may
 * renew that one. A joiner's authority is its one-time token, so it comes without a certificate, or
 * as the machine it already is. */
static const struct access_row rows[] = {
    [ACCESS_TOKEN_CREATE] = { "token-create", OPERATOR, CELL, WRITES },
    [ACCESS_JOIN] = { "join", STRANGER | MACHINE, CELL, WRITES },
    [ACCESS_RENEW] = { "renew", OPERATOR | AUDITOR | TENANT | MACHINE, CELL, WRITES },
    [ACCESS_TENANT_CREATE] = { "tenant-create", OPERATOR, CELL, WRITES },
    [ACCESS_TENANT_DELETE] = { "tenant-delete", OPERATOR, CELL, WRITES },
    [ACCESS_PROJECT_CREATE] = { "project-create", OPERATOR | TENANT, OWNED, WRITES },
    [ACCESS_PROJECT_DELETE] = { "project-delete", OPERATOR | TENANT, OWNED, WRITES },
    [ACCESS_USER_CREATE] = { "user-create", OPERATOR, CELL, WRITES },
    [ACCESS_USER_REVOKE] = { "user-revoke", OPERATOR, CELL, WRITES },
    [ACCESS_QUOTA_SET] = { "quota-set", OPERATOR, CELL, WRITES },
    [ACCESS_NETWORK_CREATE] = { "network-create", OPERATOR | TENANT, OWNED, WRITES },
    [ACCESS_NETWORK_DELETE] = { "network-delete", OPERATOR | TENANT, OWNED, WRITES },
    [ACCESS_IMAGE_CREATE] = { "image-create", OPERATOR, CELL, WRITES },
    [ACCESS_IMAGE_DELETE] = { "image-delete", OPERATOR, CELL, WRITES },
    [ACCESS_INSTANCE_CREATE] = { "instance-create", OPERATOR | TENANT, OWNED, WRITES },
    [ACCESS_INSTANCE_START] = { "instance-start", OPERATOR | TENANT, OWNED, WRITES },
    [ACCESS_INSTANCE_STOP] = { "instance-stop", OPERATOR | TENANT, OWNED, WRITES },
    [ACCESS_INSTANCE_REBOOT] = { "instance-reboot", OPERATOR | TENANT, OWNED, WRITES },
    [ACCESS_INSTANCE_DELETE] = { "instance-delete", OPERATOR | TENANT, OWNED, WRITES },
    [ACCESS_CONTROLLER_REMOVE] = { "controller-remove", OPERATOR, CELL, WRITES },
    [ACCESS_OPERATION_CANCEL] = { "operation-cancel", OPERATOR | TENANT, OWNED, WRITES },
    [ACCESS_CELL_READ] = { "cell-read", OPERATOR | AUDITOR, CELL, READS },
    [ACCESS_CONTROLLER_READ] = { "controller-read", OPERATOR | AUDITOR, CELL, READS },
    [ACCESS_NODE_READ] = { "node-read", OPERATOR | AUDITOR, CELL, READS },
    [ACCESS_TENANT_READ] = { "tenant-read", OPERATOR | AUDITOR | TENANT, OWNED, READS },
    [ACCESS_PROJECT_READ] = { "project-read", OPERATOR | AUDITOR | TENANT, OWNED, READS },
    [ACCESS_USER_READ] = { "user-read", OPERATOR | AUDITOR, CELL, READS },
    [ACCESS_IMAGE_READ] = { "image-read", OPERATOR | AUDITOR | TENANT, CELL, READS },
    [ACCESS_NETWORK_READ] = { "network-read", OPERATOR | AUDITOR | TENANT, OWNED, READS },
    [ACCESS_INSTANCE_READ] = { "instance-read", OPERATOR | AUDITOR | TENANT, OWNED, READS },
    [ACCESS_OPERATION_READ] = { "operation-read", OPERATOR | AUDITOR | TENANT, OWNED, READS },
    [ACCESS_ALARM_READ] = { "alarm-read", OPERATOR | AUDITOR, CELL, READS },
    [ACCESS_TOKEN_READ] = { "token-read", OPERATOR | AUDITOR, CELL, READS },
    [ACCESS_CLUSTER_STATUS] = { "cluster-status", OPERATOR | AUDITOR, CELL, READS },
    [ACCESS_CAPACITY_EXPLAIN] = { "capacity-explain", OPERATOR | AUDITOR, CELL, READS },
    [ACCESS_NODE_EXPLAIN] = { "node-explain", OPERATOR | AUDITOR, CELL, READS },
    [ACCESS_INSTANCE_EXPLAIN] = { "instance-explain", OPERATOR | AUDITOR | TENANT, OWNED, READS },
    [ACCESS_CONSOLE_READ] = { "console-read", TENANT, OWNED, READS },
    [ACCESS_AUDIT_READ] = { "audit-read", OPERATOR | AUDITOR | TENANT, OWNED, READS },
    [ACCESS_OPERATION_WAIT] = { "operation-wait", OPERATOR | AUDITOR | TENANT, OWNED, READS },
    [ACCESS_QUOTA_READ] = { "quota-read", OPERATOR | AUDITOR | TENANT, OWNED, READS },
    [ACCESS_ACCESS_READ] = { "access-read", OPERATOR | AUDITOR, CELL, READS },
    [ACCESS_EVENT_READ] = { "event-read", OPERATOR | AUDITOR | TENANT, OWNED, READS },
};
_Static_assert(COUNT_OF(rows) == ACCESS_OPERATIONS_END, "every operation has its row");

static const struct access_row *row_of(enum access_operation operation)
{
    CHECK(operation >= 1 && operation < ACCESS_OPERATIONS_END);
    CHECK(rows[operation].name != NULL);
    return &rows[operation];
}

static enum access_operation read_of_kind(Wire__Kind kind)
{
    switch (kind) {
    case WIRE__KIND__KIND_CELL: return ACCESS_CELL_READ;
    case WIRE__KIND__KIND_CONTROLLER: return ACCESS_CONTROLLER_READ;
    case WIRE__KIND__KIND_NODE: return ACCESS_NODE_READ;
    case WIRE__KIND__KIND_TENANT: return ACCESS_TENANT_READ;
    case WIRE__KIND__KIND_PROJECT: return ACCESS_PROJECT_READ;
    case WIRE__KIND__KIND_USER: return ACCESS_USER_READ;
    case WIRE__KIND__KIND_IMAGE: return ACCESS_IMAGE_READ;
    case WIRE__KIND__KIND_NETWORK: return ACCESS_NETWORK_READ;
    case WIRE__KIND__KIND_INSTANCE: return ACCESS_INSTANCE_READ;
    case WIRE__KIND__KIND_OPERATION: return ACCESS_OPERATION_READ;
    case WIRE__KIND__KIND_ALARM: return ACCESS_ALARM_READ;
    case WIRE__KIND__KIND_TOKEN: return ACCESS_TOKEN_READ;
    case WIRE__KIND__KIND_UNSET:
    case _WIRE__KIND_IS_INT_SIZE: break;
    }
    return (enum access_operation)0;
}

static enum access_operation explain_of_kind(Wire__Kind kind)
{
    if (kind == WIRE__KIND__KIND_CELL) {
        return ACCESS_CAPACITY_EXPLAIN;
    }
    if (kind == WIRE__KIND__KIND_NODE) {
        return ACCESS_NODE_EXPLAIN;
    }
    return kind == WIRE__KIND__KIND_INSTANCE ? ACCESS_INSTANCE_EXPLAIN : (enum access_operation)0;
}

enum access_operation access_operation_of(const Wire__Request *request)
{
    CHECK(request != NULL);
    switch (request->body_case) {
    case WIRE__REQUEST__BODY_TOKEN_CREATE: return ACCESS_TOKEN_CREATE;
    case WIRE__REQUEST__BODY_JOIN: return ACCESS_JOIN;
    case WIRE__REQUEST__BODY_RENEW: return ACCESS_RENEW;
    case WIRE__REQUEST__BODY_TENANT_CREATE: return ACCESS_TENANT_CREATE;
    case WIRE__REQUEST__BODY_TENANT_DELETE: return ACCESS_TENANT_DELETE;
    case WIRE__REQUEST__BODY_PROJECT_CREATE: return ACCESS_PROJECT_CREATE;
    case WIRE__REQUEST__BODY_PROJECT_DELETE: return ACCESS_PROJECT_DELETE;
    case WIRE__REQUEST__BODY_USER_CREATE: return ACCESS_USER_CREATE;
    case WIRE__REQUEST__BODY_USER_REVOKE: return ACCESS_USER_REVOKE;
    case WIRE__REQUEST__BODY_QUOTA_SET: return ACCESS_QUOTA_SET;
    case WIRE__REQUEST__BODY_NETWORK_CREATE: return ACCESS_NETWORK_CREATE;
    case WIRE__REQUEST__BODY_NETWORK_DELETE: return ACCESS_NETWORK_DELETE;
    case WIRE__REQUEST__BODY_IMAGE_CREATE: return ACCESS_IMAGE_CREATE;
    case WIRE__REQUEST__BODY_IMAGE_DELETE: return ACCESS_IMAGE_DELETE;
    case WIRE__REQUEST__BODY_INSTANCE_CREATE: return ACCESS_INSTANCE_CREATE;
    case WIRE__REQUEST__BODY_INSTANCE_START: return ACCESS_INSTANCE_START;
    case WIRE__REQUEST__BODY_INSTANCE_STOP: return ACCESS_INSTANCE_STOP;
    case WIRE__REQUEST__BODY_INSTANCE_REBOOT: return ACCESS_INSTANCE_REBOOT;
    case WIRE__REQUEST__BODY_INSTANCE_DELETE: return ACCESS_INSTANCE_DELETE;
    case WIRE__REQUEST__BODY_CONTROLLER_REMOVE: return ACCESS_CONTROLLER_REMOVE;
    case WIRE__REQUEST__BODY_OPERATION_CANCEL: return ACCESS_OPERATION_CANCEL;
    case WIRE__REQUEST__BODY_GET: return read_of_kind(request->get->kind);
    case WIRE__REQUEST__BODY_LIST: return read_of_kind(request->list->kind);
    case WIRE__REQUEST__BODY_CLUSTER_STATUS: return ACCESS_CLUSTER_STATUS;
    case WIRE__REQUEST__BODY_EXPLAIN: return explain_of_kind(request->explain->kind);
    case WIRE__REQUEST__BODY_CONSOLE_READ: return ACCESS_CONSOLE_READ;
    case WIRE__REQUEST__BODY_AUDIT_READ: return ACCESS_AUDIT_READ;
    case WIRE__REQUEST__BODY_OPERATION_WAIT: return ACCESS_OPERATION_WAIT;
    case WIRE__REQUEST__BODY_QUOTA_READ: return ACCESS_QUOTA_READ;
    case WIRE__REQUEST__BODY_ACCESS_READ: return ACCESS_ACCESS_READ;
    case WIRE__REQUEST__BODY_EVENT_READ: return ACCESS_EVENT_READ;
    case WIRE__REQUEST__BODY__NOT_SET:
    case _WIRE__REQUEST__BODY__CASE_IS_INT_SIZE: break;
    }
    return (enum access_operation)0;
}

enum reject access_decide_role(const struct access_principal *who, enum access_operation operation)
{
    const struct access_row *row = row_of(operation);
    CHECK(who->role < ACCESS_ROLES_END);
    CHECK((who->role == ACCESS_ROLE_TENANT) == (who->tenant != 0));
    if (who->revoked) {
        return REJECT_REVOKED;
    }
    bool may = (row->roles & ACCESS_ROLE_BIT(who->role)) != 0;
    return may ? REJECT_NONE : REJECT_DENIED;
}

enum reject access_decide(
    const struct access_principal *who, enum access_operation operation, uint64_t owner)
{
    enum reject reject = access_decide_role(who, operation);
    if (reject != REJECT_NONE) {
        return reject;
    }
    bool bound = row_of(operation)->scope == OWNED && who->role == ACCESS_ROLE_TENANT;
    if (bound && owner != who->tenant) {
        return REJECT_NOT_FOUND; /* INV-SEC-1 */
    }
    return REJECT_NONE;
}

const char *access_operation_name(enum access_operation operation)
{
    return row_of(operation)->name;
}

bool access_operation_writes(enum access_operation operation)
{
    return row_of(operation)->effect == WRITES;
}

enum access_scope access_operation_scope(enum access_operation operation)
{
    return row_of(operation)->scope;
}

uint32_t access_may_list(
    enum access_role role, enum access_operation out[static ACCESS_OPERATIONS_END])
{
    CHECK(role < ACCESS_ROLES_END);
    uint32_t count = 0;
    for (uint32_t o = 1; o < ACCESS_OPERATIONS_END; o++) {
        if ((rows[o].roles & ACCESS_ROLE_BIT(role)) != 0) {
            out[count++] = (enum access_operation)o;
        }
    }
    CHECK(count < ACCESS_OPERATIONS_END);
    return count;
}
