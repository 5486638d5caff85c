/* Decides what roles are called. Never decides what they may do: that is authz.c. */
#include "access/role.h"

#include "base/check.h"

const char *access_role_name(enum access_role role)
{
    static const char *const names[] = {
        [ACCESS_ROLE_STRANGER] = "stranger", [ACCESS_ROLE_OPERATOR] = "operator",
        [ACCESS_ROLE_AUDITOR] = "auditor",   [ACCESS_ROLE_TENANT] = "tenant",
        [ACCESS_ROLE_MACHINE] = "machine",
    };
    _Static_assert(COUNT_OF(names) == ACCESS_ROLES_END, "every role has its name");
    CHECK(role < ACCESS_ROLES_END);
    CHECK(names[role] != NULL);
    return names[role];
}
