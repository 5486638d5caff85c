/* From an invocation to the request that the table says: path, query and body. */
#ifndef CLI_REQUEST_H
#define CLI_REQUEST_H

#include "cli/args.h"
#include "cli/http.h"
#include "cli/json.h"
#include "cli/settings.h"

struct request {
    char path[HTTP_URL_MAX];
    struct json_t *body; /* Owned; an empty object when nothing was said. */
};

/* False, with the reason in `invocation->message`: a value is not of its form, a file cannot be
 * digested, the tenant is not known. */
bool request_build(
    struct invocation *invocation, const struct settings *settings, struct request *request_out);
void request_free(struct request *request);
/* Adds name=value, escaped; false when it does not fit. */
bool request_query(char path[static HTTP_URL_MAX], const char *name, const char *value);
/* Fills {slots} and drops [segments] whose slot has no value. */
bool request_path(
    struct invocation *invocation, const struct settings *settings, char path[HTTP_URL_MAX]);
/* Body members of every flag with PLACE_BODY. */
bool request_body(struct invocation *invocation, struct json_t *body);

#endif
