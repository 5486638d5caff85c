/* Second opinions about texts, from the C library: regular expressions and iconv. Decides nothing
 * about our decoders; the targets hold them against this. */
#ifndef TESTS_FUZZ_JUDGE_H
#define TESTS_FUZZ_JUDGE_H

#include "base/slice.h"

/* Does the whole text have this form? POSIX extended; patterns are constants, at most 32 of them.
 */
bool judge_form(const char *text, const char *pattern);
/* Strict UTF-8 without control characters and without what reorders a line, as iconv reads it. */
bool judge_clean(struct slice text);
/* Decimal digits alone, in 64 bits. */
bool judge_number(const char *text, uint64_t *number_out);

#endif
