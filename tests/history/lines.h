/* A history as a file: one JSON object a line, the first of which says what it is. What a reader
 * does not know, it refuses: an unknown field or word, a field of another type, an event that
 * returned before it was asked, bytes after the object. What is zero or not told is left out.
 *
 *   {"udatsu_history":1,"seed":7}
 *   {"client":3,"f":"create","kind":"instance","object":"red/vm-1","account":"red","key":"k-3-1",
 *    "invoke":1200000,"return":1900000,"outcome":"ok","id":77,"operation":78,"index":9,
 *    "amounts":[1,67108864,1,0],"touches":[{"append":"red","element":78}]}
 *   {"client":4,"f":"read","kind":"instance","object":"red/vm-1","invoke":…,"return":…,"outcome":"ok",
 *    "sights":[{"object":"red/vm-1","stage":"stopped","id":77,"epoch":0,"revision":1}]}
 *   {"client":4,"f":"list",…,"touches":[{"seen":"red","after":70,"elements":[71,78],"more":true}]}
 *
 * Times are nanoseconds since the run began. A number above 2^63 - 1 is the text of its digits.
 * Every name is UTF-8 without control characters. */
#ifndef HISTORY_LINES_H
#define HISTORY_LINES_H

#include "base/result.h"
#include "tests/history/history.h"

#include <stdio.h>

/* FAILURE_BAD_INPUT: a name is not UTF-8. */
RESULT lines_write(const struct history *history, uint64_t seed, FILE *file);
/* Into an initialised, empty history. why_out: LINES_WHY bytes, a sentence when it fails. */
enum { LINES_WHY = 160 };
RESULT lines_read(FILE *file, struct history *history, uint64_t *seed_out, char *why_out);
/* How large a history must be to hold the file, which is read to its end and rewound: at most
 * LINES_FACTOR bytes (history_memory) for a byte of the file, and a page. False: more than any. */
enum { LINES_FACTOR = 32, LINES_COUNT_MAX = 1 << 28 };
bool lines_measure(FILE *file, struct history_limits *limits_out);

#endif
