/* POST /v1/batch: up to LIMIT_BATCH requests in one, each a question of its own with its own key
 * and its own answer, handed to engine in one turn. One that is refused does not stop the others;
 * there is no order among them and no all-or-nothing. */
#ifndef CONTROLLER_API_BATCH_H
#define CONTROLLER_API_BATCH_H

#include "controller/api_service.h"

enum { BATCH_ANSWER_BYTES = 15 * 1024 }; /* Of one request; LIMIT_BATCH of them fit one answer. */

void batch_begin(struct work *work);
void batch_free(struct batch *batch); /* Accepts NULL. */

#endif
