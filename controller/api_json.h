/* JSON from strangers → messages, strictly. Refused with a JSON pointer: an unknown field, a field
 * that the path already gave, a wrong type, a number out of range, a real, a null, unclean text,
 * too deep, too many. Refused with line and column: what is not JSON, a key that comes twice.
 *
 * The parser's memory is one block taken at start: json_read forgets the document before, and a
 * document that needs more is refused. So there is at most one document at a time. */
#ifndef CONTROLLER_API_JSON_H
#define CONTROLLER_API_JSON_H

#include "base/limits.h"
#include "controller/api_fields.h"

struct json; /* A value of the document (api_tree.h); its callers do not look inside. */

enum {
    JSON_PATH_SIZE = 512,                 /* Of one request of a batch, with query. */
    JSON_PENDING_MAX = 96,                /* Objects waiting inside one body. */
    JSON_BODY_MAX = 1024 * 1024,          /* A batch: LIMIT_BATCH bodies of the usual size. */
    JSON_MEMORY_BYTES = 16 * 1024 * 1024, /* Read, such a body is about ten times its text. */
};

/* Takes the parser's memory. Once. */
void json_start(void);

/* NULL and the problem, or the document. */
struct json *json_read(struct slice text, struct problem *problem);
/* Says that the refusal is of this value of the document. Always false. */
bool json_place(const struct json *value, struct problem *problem);

/* What the body of this request may not say, because something else says it, and the one field that
 * is not stored as it was sent. */
struct json_given {
    const char *names[8]; /* NULL-terminated unless full. */
    bool secret;          /* "secret" (hex) is taken for "secret_sha256": digested at once. */
};

/* Fills the message from an object. */
bool json_fill(
    struct json *object,
    const struct json_given *given,
    ProtobufCMessage *message,
    struct arena *arena,
    struct problem *problem);

struct json_batch_item {
    const char *method;
    const char *path;
    const char *idempotency_key; /* "" when absent. */
    const char *if_match;        /* "" when absent. */
    struct json *body;           /* NULL when absent. */
};

/* {"requests": [{"method", "path", "idempotency_key", "if_match", "body"} …]} */
bool json_batch(
    struct json *document,
    struct json_batch_item items[static LIMIT_BATCH],
    uint32_t *count_out,
    struct problem *problem);

#endif
