/* JSON trees: jansson behind a few calls. `struct json_t` is jansson's own; only json.c sees
 * inside. Who makes a tree frees it with doc_free; what doc_get, doc_path and doc_at answer is
 * borrowed. */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct json_t;

enum doc_kind {
    DOC_NULL = 1,
    DOC_BOOL = 2,
    DOC_NUMBER = 3,
    DOC_TEXT = 4,
    DOC_LIST = 5,
    DOC_OBJECT = 6,
};

/* NULL unless the bytes are one JSON value without duplicate keys. */
struct json_t *doc_parse(const char *text, size_t size);
/* NULL unless it is a readable file of at most `size_max` bytes that parses. */
struct json_t *doc_load(const char *path, size_t size_max);
void doc_free(struct json_t *doc);
/* Another owner of the same tree. */
struct json_t *doc_share(struct json_t *doc);

struct json_t *doc_object(void);
struct json_t *doc_list(void);
struct json_t *doc_of_text(const char *text); /* NULL when it is not UTF-8. */
struct json_t *doc_of_number(uint64_t number);
struct json_t *doc_of_bool(bool truth);
/* Take `child`, which may be NULL: then false. A dotted path makes the objects on its way. */
bool doc_set(struct json_t *object, const char *path, struct json_t *child);
bool doc_append(struct json_t *list, struct json_t *child);

enum doc_kind doc_kind(const struct json_t *doc);
/* NULL when absent or when `object` is NULL or no object. */
struct json_t *doc_get(const struct json_t *object, const char *key);
/* "place.rack", "nics.0.address". */
struct json_t *doc_path(const struct json_t *doc, const char *path);
size_t doc_count(const struct json_t *doc); /* 0 for what is neither list nor object. */
struct json_t *doc_at(const struct json_t *list, size_t index);
const char *doc_text(const struct json_t *doc); /* NULL when it is no text. */
bool doc_number(const struct json_t *doc, uint64_t *number_out);
bool doc_true(const struct json_t *doc);

/* Members in the order in which they came. */
void *doc_first(struct json_t *object);
void *doc_next(struct json_t *object, void *member);
const char *doc_member_key(void *member);
struct json_t *doc_member_value(void *member);

/* The scalar as a person writes it; for lists the scalars joined by commas. Never fails: what does
 * not fit is cut at a character's end. */
void doc_words(const struct json_t *doc, char *room, size_t size);
/* Compact text; the caller frees it. NULL only when memory is out. */
char *doc_dump(const struct json_t *doc);
/* Writes the tree; `pretty` for people. False when the stream refused. */
bool doc_print(FILE *out, const struct json_t *doc, bool pretty);

#endif
