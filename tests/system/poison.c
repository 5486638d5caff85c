/* Linked into an engine in the place of the product's own function: applying the creation of a
 * tenant called `poison` kills it, as our worst bug would. For bad_poison.sh alone. */
#include "controller/core/apply.h"

#include <stdlib.h>
#include <string.h>

void __real_apply_tenants(
    struct apply *apply, const Wire__Request *request, struct outcome *outcome);
void __wrap_apply_tenants(
    struct apply *apply, const Wire__Request *request, struct outcome *outcome);

void __wrap_apply_tenants(
    struct apply *apply, const Wire__Request *request, struct outcome *outcome)
{
    if (!apply->dry && request->body_case == WIRE__REQUEST__BODY_TENANT_CREATE &&
        strcmp(request->tenant_create->name, "poison") == 0) {
        abort();
    }
    __real_apply_tenants(apply, request, outcome);
}
