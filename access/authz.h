/* Authorization: (principal, operation, owner of the resource) → REJECT_NONE or why not.
 *
 * One table of every operation of the interface: who may, and whose objects it is about. Asked at
 * the door to refuse early and again in apply to be exact. What another tenant owns looks as if it
 * were not there: REJECT_NOT_FOUND, the same answer as for what never existed (INV-SEC-1). */
#ifndef ACCESS_AUTHZ_H
#define ACCESS_AUTHZ_H

#include "access/role.h"
#include "base/reject.h"

#include <api.pb-c.h>
#include <stdbool.h>
#include <stdint.h>

/* Numbers go into audit leaves as names, never as numbers: they may change. */
enum access_operation {
    ACCESS_TOKEN_CREATE = 1,
    ACCESS_JOIN,
    ACCESS_RENEW,
    ACCESS_TENANT_CREATE,
    ACCESS_TENANT_DELETE,
    ACCESS_PROJECT_CREATE,
    ACCESS_PROJECT_DELETE,
    ACCESS_USER_CREATE,
    ACCESS_USER_REVOKE,
    ACCESS_QUOTA_SET,
    ACCESS_NETWORK_CREATE,
    ACCESS_NETWORK_DELETE,
    ACCESS_IMAGE_CREATE,
    ACCESS_IMAGE_DELETE,
    ACCESS_INSTANCE_CREATE,
    ACCESS_INSTANCE_START,
    ACCESS_INSTANCE_STOP,
    ACCESS_INSTANCE_REBOOT,
    ACCESS_INSTANCE_DELETE,
    ACCESS_CONTROLLER_REMOVE,
    ACCESS_OPERATION_CANCEL,
    /* Get and List of each kind. */
    ACCESS_CELL_READ,
    ACCESS_CONTROLLER_READ,
    ACCESS_NODE_READ,
    ACCESS_TENANT_READ,
    ACCESS_PROJECT_READ,
    ACCESS_USER_READ,
    ACCESS_IMAGE_READ,
    ACCESS_NETWORK_READ,
    ACCESS_INSTANCE_READ,
    ACCESS_OPERATION_READ,
    ACCESS_ALARM_READ,
    ACCESS_TOKEN_READ,
    /* The other reads. */
    ACCESS_CLUSTER_STATUS,
    ACCESS_CAPACITY_EXPLAIN,
    ACCESS_NODE_EXPLAIN,
    ACCESS_INSTANCE_EXPLAIN,
    ACCESS_CONSOLE_READ,
    ACCESS_AUDIT_READ,
    ACCESS_OPERATION_WAIT,
    ACCESS_QUOTA_READ,
    ACCESS_ACCESS_READ,
    ACCESS_EVENT_READ,
    ACCESS_OPERATIONS_END
};

/* Whose objects an operation is about. */
enum access_scope {
    ACCESS_SCOPE_CELL = 1,   /* The provider's; the owner is not asked. */
    ACCESS_SCOPE_TENANT = 2, /* One tenant's; a tenant's user reaches only its own. */
};

struct access_principal {
    enum access_role role;
    uint64_t tenant; /* ACCESS_ROLE_TENANT: whose; 0 otherwise. */
    bool revoked;    /* The row is revoked, or the certificate's epoch is not the row's. */
};

/* The operation that a request asks for; 0 when it asks for nothing we know (REJECT_MALFORMED):
 * no body, or a kind that this body has no meaning for. */
enum access_operation access_operation_of(const Wire__Request *request);

/* owner: the tenant that owns the resource, or that the request names for what is to be created or
 * listed; 0: the cell's own. For an object that was not found, do not ask: answer NOT_FOUND. */
enum reject access_decide(
    const struct access_principal *who, enum access_operation operation, uint64_t owner);
/* The role's half of the question, without an owner: what the door can refuse before any row is
 * looked up. */
enum reject access_decide_role(const struct access_principal *who, enum access_operation operation);

/* "instance-create", "node-read" …: the word in answers, leaves and operation objects. */
const char *access_operation_name(enum access_operation operation);
bool access_operation_writes(enum access_operation operation);
enum access_scope access_operation_scope(enum access_operation operation);

/* Every operation that a role may ask for, ascending; how many. For a tenant's user: within its own
 * tenant. */
uint32_t access_may_list(
    enum access_role role, enum access_operation out[static ACCESS_OPERATIONS_END]);

#endif
