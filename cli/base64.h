/* Base64 (RFC 4648): the standard alphabet with padding for PEM, the URL one without for tokens.
 * Strict: one encoding of each value, everything else is refused. */
#ifndef CLI_BASE64_H
#define CLI_BASE64_H

#include "base/slice.h"

enum base64_kind { BASE64_STANDARD = 1, BASE64_URL = 2 };

/* Writes text and its terminator; false when it does not fit. */
bool base64_encode(enum base64_kind kind, struct slice bytes, char *room, size_t size);
/* False when it is not exactly what base64_encode makes, or does not fit. */
bool base64_decode(
    enum base64_kind kind, struct slice text, uint8_t *room, size_t size, size_t *used_out);

/* Lower-case hex; false when the text is no hex or does not fit. */
bool hex_decode(const char *text, uint8_t *room, size_t size, size_t *used_out);
/* `room` holds 2 × size + 1. */
void hex_encode(struct slice bytes, char *room);

#endif
