/* The OpenAPI 3.1 description, made from the route table and the message descriptors, so that it
 * cannot say anything else than what is served. */
#ifndef CONTROLLER_API_OPENAPI_H
#define CONTROLLER_API_OPENAPI_H

#include "controller/api_out.h"

enum { OPENAPI_BYTES_MAX = 256 * 1024 };

void openapi_write(struct out *out);

#endif
