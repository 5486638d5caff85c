/* Messages made and changed at random through their descriptors: first inputs of targets that
 * decode messages, and what their mutator does. Decides nothing about what a message means. */
#ifndef TESTS_FUZZ_MESSAGE_H
#define TESTS_FUZZ_MESSAGE_H

#include "base/arena.h"
#include "base/prng.h"
#include "base/slice.h"

#include <protobuf-c/protobuf-c.h>

/* A fresh message with some of its fields set. NULL: the arena is full. */
ProtobufCMessage *message_any(
    const ProtobufCMessageDescriptor *type, struct prng *prng, struct arena *arena);
/* One change somewhere in it. */
void message_change(ProtobufCMessage *message, struct prng *prng, struct arena *arena);
/* Read by protobuf-c alone, however it is encoded; NULL: it is none. */
ProtobufCMessage *message_read(
    const ProtobufCMessageDescriptor *type, struct slice bytes, struct arena *arena);
/* Bytes of one value of the field as it stands in memory. */
size_t message_element_size(const ProtobufCFieldDescriptor *field);

#endif
