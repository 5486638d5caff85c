/* JSON text into a bounded room, one token at a time. Commas and, when asked, line ends are its
 * own business; that what is written nests properly is the caller's, and CHECKed. */
#ifndef CONTROLLER_API_OUT_H
#define CONTROLLER_API_OUT_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OUT_DEPTH_MAX = 24 };

struct out {
    char *room; /* The caller's. */
    size_t size;
    size_t used;
    bool full; /* Sticky: something did not fit, nothing of `room` may be used. */
    bool pretty;
    uint32_t depth;
    bool filled[OUT_DEPTH_MAX]; /* This level has an element already. */
    bool after_key;
};

void out_init(struct out *out, char *room, size_t size);
void out_object(struct out *out);
void out_object_end(struct out *out);
void out_array(struct out *out);
void out_array_end(struct out *out);
void out_key(struct out *out, const char *key);
void out_text(struct out *out, const char *text);
void out_hex(struct out *out, struct slice bytes);
void out_number(struct out *out, uint64_t number);
void out_bool(struct out *out, bool yes);
void out_null(struct out *out);
/* Milliseconds since 1970 UTC as RFC 3339; 0 is null: it has not happened. */
void out_time(struct out *out, uint64_t at_ms);
/* A finished JSON value made before. */
void out_raw_value(struct out *out, struct slice json);
/* A key and its text in one. */
void out_pair(struct out *out, const char *key, const char *text);

/* Plain bytes, outside of any JSON (metrics, event stream). */
void out_plain(struct out *out, const char *text);
__attribute__((format(printf, 2, 3))) void out_format(struct out *out, const char *format, ...);

/* Every value is in; the text, unless it was too much. */
bool out_done(const struct out *out, struct slice *text_out);

/* RFC 3339 both ways. Reading takes exactly "YYYY-MM-DDTHH:MM:SS[.mmm]Z". */
enum { TIME_TEXT_SIZE = 32 };
void time_format(uint64_t at_ms, char out[static TIME_TEXT_SIZE]);
bool time_parse(const char *text, uint64_t *at_ms_out);

#endif
