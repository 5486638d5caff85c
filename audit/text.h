/* Base64 (RFC 4648 §4, padded) and decimal numbers as they stand in notes and exports: one text for
 * each value, everything else is refused. */
#ifndef AUDIT_TEXT_H
#define AUDIT_TEXT_H

#include "base/slice.h"

/* Characters that base64 of `size` bytes takes. */
#define BASE64_SIZE(size) (((size) + 2) / 3 * 4)

/* A text being written into a room; once it did not fit it stays so. Never terminated. */
struct text_writer {
    char *room;
    size_t size;
    size_t used;
    bool full;
};

void text_put(struct text_writer *writer, struct slice bytes);
void text_put_words(struct text_writer *writer, const char *words);
void text_put_number(struct text_writer *writer, uint64_t number);
void text_put_base64(struct text_writer *writer, struct slice bytes);

/* False: not the one base64 text of some bytes, or more bytes than the room holds. */
bool text_base64(struct slice text, uint8_t *room, size_t size, size_t *used_out);
/* Decimal, without sign or leading zeros. */
bool text_number(struct slice text, uint64_t *number_out);
/* Cuts the front of `rest` up to `mark`, which is taken away too. False: no mark. */
bool text_cut(struct slice *rest, char mark, struct slice *front_out);

#endif
