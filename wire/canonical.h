/* Strictness, for wire_decode alone: bytes are judged before anything is made of them. */
#ifndef WIRE_CANONICAL_H
#define WIRE_CANONICAL_H

#include "base/slice.h"

#include <protobuf-c/protobuf-c.h>

/* True: our encoder would make exactly these bytes for the message that they say, and it holds no
 * unknown field, no unknown enum value, no unclean text and nothing too deep. */
bool wire_canonical(const ProtobufCMessageDescriptor *type, struct slice bytes);

#endif
