/* Schemas of the description, made from the messages' own descriptors. */
#ifndef CONTROLLER_API_OPENAPI_SCHEMA_H
#define CONTROLLER_API_OPENAPI_SCHEMA_H

#include "controller/api_out.h"
#include "wire/wire.h"

#include <protobuf-c/protobuf-c.h>

enum { SCHEMAS_MAX = 64 };

/* Messages that answers are made of, found while they are described. */
struct schemas {
    const ProtobufCMessageDescriptor *types[SCHEMAS_MAX];
    size_t count;
};

void schemas_want(struct schemas *schemas, const ProtobufCMessageDescriptor *type);
/* All that are wanted, and those that they want in turn. */
void schemas_write(struct out *out, struct schemas *schemas);

void schema_reference(struct out *out, const char *name);
void schema_simple(struct out *out, const char *type, const char *format);
/* One value of a field. `asked`: in a request, where the unset word and null are not taken. */
void schema_value(
    struct out *out, struct schemas *schemas, const ProtobufCFieldDescriptor *field, bool asked);
/* The field by its name: one value, or an array of them. */
void schema_property(
    struct out *out, struct schemas *schemas, const ProtobufCFieldDescriptor *field, bool asked);

#endif
