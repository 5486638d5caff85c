/* The lines of an export or of a file of keys, byte for byte. */
#ifndef CLI_LINES_H
#define CLI_LINES_H

#include "audit/verify.h"

#include <stdbool.h>
#include <stdio.h>

struct line {
    struct slice text; /* Empty when the line is longer than any of an export. */
    bool too_long;
    uint8_t bytes[AUDIT_LINE_MAX];
};

/* The next line, without its end. False: the file has ended, or a read failed (ferror). */
bool lines_next(FILE *file, struct line *line);
/* One verifier key on each line; empty lines are skipped. False: the file holds none, too many, or
 * something else. */
bool lines_keys(
    const char *path,
    struct line *line,
    struct audit_key *keys,
    uint32_t capacity,
    uint32_t *count);
/* Feeds a whole export, until its verdict falls. False: it could not be read so far. */
bool lines_feed(FILE *file, struct line *line, struct audit_verifier *verifier);

#endif
