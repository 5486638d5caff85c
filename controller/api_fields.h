/* Fields of a message by name, through its descriptor: what JSON, paths and queries fill, and what
 * answers are written from. Three conventions (wire/api.proto): at and *_at are RFC 3339 outside
 * and milliseconds inside; enum values lose their prefix and become lower case; bytes are hex. */
#ifndef CONTROLLER_API_FIELDS_H
#define CONTROLLER_API_FIELDS_H

#include "base/arena.h"
#include "controller/api_out.h"
#include "controller/api_problem.h"

#include <protobuf-c/protobuf-c.h>

enum { ENUM_WORD_SIZE = 48, FIELD_REPEATED_MAX = 64 };

bool field_is_time(const ProtobufCFieldDescriptor *field);

/* "ON_FAILURE_RESTART" of OnFailure → "restart". */
void enum_word(
    const ProtobufCEnumDescriptor *type,
    const ProtobufCEnumValue *value,
    char out[static ENUM_WORD_SIZE]);
/* The value of a word; false: none, or the unset value, which is said by leaving the field out. */
bool enum_value(const ProtobufCEnumDescriptor *type, const char *word, int *value_out);

/* A fresh, initialised message in the arena; NULL when it is full. */
ProtobufCMessage *message_make(const ProtobufCMessageDescriptor *type, struct arena *arena);

/* The address of a field's value (of the first element's pointer for a repeated one). */
void *field_room(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field);
/* Marks a oneof's choice, or sets a repeated field's count and storage. */
void field_choose(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field);
/* Zeroed storage for `count` elements of a repeated field; NULL when the arena is full. */
void *field_elements(
    ProtobufCMessage *message,
    const ProtobufCFieldDescriptor *field,
    size_t count,
    struct arena *arena);
/* Bytes of one element as it stands in memory. */
size_t field_element_size(const ProtobufCFieldDescriptor *field);

/* Values as the reader found them; each checks type and range and, for text, cleanliness. `room` is
 * the element's address. The text must outlive the message. A refusal says no place (json_place).
 */
bool field_put_text(
    const ProtobufCFieldDescriptor *field,
    void *room,
    const char *text,
    size_t size,
    struct arena *arena,
    struct problem *problem);
bool field_put_number(
    const ProtobufCFieldDescriptor *field, void *room, int64_t number, struct problem *problem);
bool field_put_bool(
    const ProtobufCFieldDescriptor *field, void *room, bool yes, struct problem *problem);

/* From a path slot or a query: numbers and booleans are parsed from text. */
bool field_put_word(
    ProtobufCMessage *message,
    const char *name,
    const char *text,
    struct arena *arena,
    struct problem *problem);

/* The word of a value that the type has. */
void enum_write(struct out *out, const ProtobufCEnumDescriptor *type, int number);
/* The whole message as a JSON object. */
void message_write(struct out *out, const ProtobufCMessage *message);

#endif
