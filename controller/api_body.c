/* Decides how much of a body is kept. Never looks at it. */
#include "controller/api_body.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

bool body_begin(struct body *body, size_t announced, size_t max)
{
    CHECK(body->bytes == NULL);
    if (announced > max) {
        return false;
    }
    body->max = max;
    body->bytes = body->inline_bytes;
    body->room = sizeof(body->inline_bytes);
    if (announced > body->room) {
        body->bytes = malloc(announced);
        body->room = body->bytes == NULL ? 0 : announced;
    }
    return body->room >= announced;
}

/* Grows for bodies whose length was not announced. */
static bool body_grow(struct body *body, size_t wanted)
{
    CHECK(wanted > body->room);
    CHECK(wanted <= body->max);
    size_t room = body->room * 4 > wanted ? body->room * 4 : wanted;
    room = room < body->max ? room : body->max;
    uint8_t *bytes = malloc(room);
    if (bytes == NULL) {
        return false;
    }
    memcpy(bytes, body->bytes, body->used);
    size_t used = body->used;
    size_t max = body->max;
    body_free(body);
    body->bytes = bytes;
    body->used = used;
    body->room = room;
    body->max = max;
    return true;
}

bool body_add(struct body *body, struct slice part)
{
    CHECK(body->bytes != NULL);
    CHECK(body->used <= body->max);
    if (part.size > body->max - body->used) {
        return false;
    }
    size_t wanted = body->used + part.size;
    if (wanted > body->room && !body_grow(body, wanted)) {
        return false;
    }
    memcpy(body->bytes + body->used, part.data, part.size);
    body->used = wanted;
    CHECK(body->used <= body->room);
    return true;
}

struct slice body_slice(const struct body *body)
{
    return body->used == 0 ? SLICE_EMPTY : slice_of(body->bytes, body->used);
}

void body_free(struct body *body)
{
    if (body->bytes != NULL) {
        explicit_bzero(body->bytes, body->used);
    }
    if (body->bytes != body->inline_bytes) {
        free(body->bytes);
    }
    body->bytes = NULL;
    body->used = 0;
    body->room = 0;
}
