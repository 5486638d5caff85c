/* Roles: what a principal is, as its row says (never as it says itself). Few, and apart: who runs
 * machines reads no tenant's console; who reads everything changes nothing. */
#ifndef ACCESS_ROLE_H
#define ACCESS_ROLE_H

#include <stdint.h>

/* The first four are wire's Role; authz.c asserts it. */
enum access_role {
    ACCESS_ROLE_STRANGER = 0, /* No certificate of this cell. */
    ACCESS_ROLE_OPERATOR = 1,
    ACCESS_ROLE_AUDITOR = 2,
    ACCESS_ROLE_TENANT = 3,
    ACCESS_ROLE_MACHINE = 4, /* A node or a controller with its own certificate. */
    ACCESS_ROLES_END
};

#define ACCESS_ROLE_BIT(role) (UINT32_C(1) << (role))

/* "operator" … */
const char *access_role_name(enum access_role role);

#endif
