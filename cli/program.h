/* Another program, run with nothing of ours: cleared environment, absolute path, no descriptor but
 * its three, a time limit, its own process group. */
#ifndef CLI_PROGRAM_H
#define CLI_PROGRAM_H

#include "base/result.h"
#include "base/slice.h"

enum { PROGRAM_OUTPUT_MAX = 256 * 1024 }; /* A sealed bundle and three certificates fit. */

struct program {
    const char *const *argv; /* argv[0] is the absolute path; ends with NULL. */
    struct slice input;      /* Its standard input. */
    uint32_t timeout_ms;
    bool collect; /* Keep its standard output; else it goes to our standard error. */
};

struct program_end {
    int status;      /* Exit status, 128 + signal when one ended it. */
    uint8_t *output; /* Owned; free with program_end_free. */
    size_t size;
};

/* OK: it ran and ended by itself, however. FAILURE_NOT_FOUND: no such program. FAILURE_TIMEOUT: it
 * was killed. FAILURE_FULL: it said more than we take, and was killed. */
RESULT program_run(const struct program *program, struct program_end *end);
void program_end_free(struct program_end *end);

#endif
