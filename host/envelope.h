/* The outside of a frame: format, peer, which body. Read without touching the body, so that the
 * rule of who may say what is applied before anything is decoded, and so that link can carry a
 * frame without knowing or copying what is in it. Pure. */
#ifndef HOST_ENVELOPE_H
#define HOST_ENVELOPE_H

#include "base/slice.h"
#include "wire/frame.h"

#include <stdbool.h>

struct envelope {
    bool has_peer;
    Wire__Kind peer_kind;
    uint64_t peer_id;
    uint32_t peer_epoch;
    Wire__Frame__BodyCase body;
    struct slice rest; /* The body with its tag and length: the frame's bytes to the end. */
};

/* False unless the bytes are format 1, at most one peer, and exactly one body that ends where the
 * bytes end, each in canonical form. The body itself is not looked at. */
bool envelope_read(struct slice bytes, struct envelope *envelope_out);

/* format and peer, to stand before `rest`. Returns the bytes used, at most ENVELOPE_HEAD_MAX. */
enum { ENVELOPE_HEAD_MAX = 32 };
size_t envelope_head(
    Wire__Kind kind, uint64_t id, uint32_t epoch, uint8_t room[static ENVELOPE_HEAD_MAX]);

#endif
