/* The body of one request as it comes in: small ones in place, larger ones from the heap, none
 * above its bound. It may have held a token's secret, so it is wiped when it goes. */
#ifndef CONTROLLER_API_BODY_H
#define CONTROLLER_API_BODY_H

#include "base/slice.h"

enum { BODY_INLINE = 1024 }; /* Most bodies. */

struct body {
    uint8_t *bytes; /* inline_bytes, or owned; NULL before body_begin. */
    size_t used;
    size_t room;
    size_t max;
    uint8_t inline_bytes[BODY_INLINE];
};

/* `announced`: the length that was said before, 0 if none was. False: above max, or no memory. The
 * body must not be moved from here on. */
bool body_begin(struct body *body, size_t announced, size_t max);
/* False: it would pass the bound, or there is no memory; nothing was added. */
bool body_add(struct body *body, struct slice part);
struct slice body_slice(const struct body *body);
/* Accepts one that never began. */
void body_free(struct body *body);

#endif
