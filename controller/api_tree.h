/* JSON text → a tree of values in one block of memory. Takes exactly what jansson takes when it
 * refuses keys that come twice, but for a zero byte, which jansson passes over behind a number; a
 * test holds the two against each other. It is here because every
 * request is read, and jansson takes a call, a hash or a copy for each byte of it.
 *
 * Whether a real number is too large, and whether a key of a crowded object comes twice, is left to
 * jansson (doubt): no request has either. So are the words of every refusal. */
#ifndef CONTROLLER_API_TREE_H
#define CONTROLLER_API_TREE_H

#include "base/arena.h"
#include "base/slice.h"

enum {
    TREE_DEPTH_MAX = 12,
    TREE_CROWDED = 64, /* Members; no message of ours has so many fields. */
};

enum json_kind {
    KIND_OBJECT = 1,
    KIND_LIST,
    KIND_TEXT,
    KIND_NUMBER,
    KIND_REAL, /* Its value is nobody's business: no field takes one. */
    KIND_TRUE,
    KIND_FALSE,
    KIND_NULL,
};

struct json {
    enum json_kind kind;
    uint32_t count;      /* Of an object's members or a list's elements. */
    uint32_t size;       /* Of the text. */
    uint32_t key_size;   /* Of the key. */
    const char *key;     /* Of a member; NULL: an element, or the document. */
    struct json *parent; /* NULL: the document. */
    struct json *next;   /* NULL: the last of its parent. */
    union {
        char *text; /* NUL-terminated, and without another NUL. */
        int64_t number;
        struct json *last; /* Of an object or a list. */
    };
};

/* NULL: it is no JSON, neither an object nor a list, nested too deeply, or too much for the memory,
 * whose unused rest it takes from. Nothing points into the text. */
struct json *tree_read(struct slice text, struct arena *memory, bool *doubt_out);

/* The first member or element; NULL: there is none. */
struct json *tree_first(struct json *value);
/* NULL: there is none. */
struct json *tree_member(struct json *object, const char *key);
/* The place of a value in its document, as RFC 6901 writes it; cut when it does not fit. */
void tree_pointer(const struct json *value, char *room, size_t size);

#endif
