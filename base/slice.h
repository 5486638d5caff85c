/* Borrowed bytes and bounded text. A slice never owns; it lives as long as what it points into. */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slice {
    const uint8_t *data; /* May be NULL only when size is 0. */
    size_t size;
};

#define SLICE_EMPTY ((struct slice){ NULL, 0 })

struct slice slice_of(const void *data, size_t size);
struct slice slice_text(const char *text);
bool slice_equal(struct slice a, struct slice b);
/* Memory order, shorter first among equals: < 0, 0, > 0. */
int slice_compare(struct slice a, struct slice b);

/* Copies text and its terminator into a room of `size` bytes. False, and the room holds "", when
 * it does not fit or when the text is not UTF-8 without control characters. */
bool text_copy(char *room, size_t size, struct slice text);
/* True for [a-z]([-a-z0-9]*[a-z0-9])?, 1 to 63 bytes, and not shaped like a UUID: the form of every
 * name that a person gives, so that a name can never be taken for an id. */
bool text_is_name(const char *text);
/* True for well-formed UTF-8 without control characters. */
bool text_is_clean(struct slice text);

#endif
