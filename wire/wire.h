/* The one encoder and the one decoder of everything: protobuf-c behind two calls.
 *
 * Decoding is strict and canonical: a message is accepted only if our own encoder would have made
 * exactly these bytes and it holds no unknown field, no unknown enum value and no unclean text, at
 * any depth. So there is one encoding of each value, and digests over bytes are digests of values.
 */
#ifndef WIRE_WIRE_H
#define WIRE_WIRE_H

#include "base/arena.h"
#include "base/result.h"
#include "base/slice.h"

#include <protobuf-c/protobuf-c.h>

/* Everything that the message points to lives in the arena. FAILURE_BAD_INPUT: not canonical;
 * FAILURE_FULL: the arena is too small for it. */
RESULT wire_decode(
    const ProtobufCMessageDescriptor *type,
    struct slice bytes,
    struct arena *arena,
    void *message_pointer_out);

/* Encodes into the arena. FAILURE_FULL: no room. The message holds only what wire_decode accepts.
 */
RESULT wire_encode(const void *message, struct arena *arena, struct slice *bytes_out);

/* Encodes into `room`; false when it does not fit. */
bool wire_encode_into(const void *message, uint8_t *room, size_t size, size_t *used_out);

/* What stands before the bytes of a message or bytes field: its tag and `size`. Returns how many
 * bytes that took. */
enum { WIRE_HEAD_MAX = 10 };
size_t wire_head(unsigned int field, size_t size, uint8_t room[static WIRE_HEAD_MAX]);

/* Appends to `room` what one more `item` adds to a message whose only field is `repeated … = 1`:
 * the whole is that message's encoding. False, and nothing changed: it does not fit. */
bool wire_list_add(const void *item, uint8_t *room, size_t size, size_t *used);

#endif
