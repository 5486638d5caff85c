/* The three noes: a *reject* is a business answer (base/reject.h), a *failure* is the world saying
 * no (here), a *crash* is our own mistake (base/check.h). Only shells see a failure. */
#ifndef BASE_RESULT_H
#define BASE_RESULT_H

#include <stdint.h>

/* Numbers are printed in logs, so they are never reused. */
enum failure {
    FAILURE_NONE = 0,
    FAILURE_NO_SPACE = 1,     /* The disk, or a preallocated room, is full. */
    FAILURE_IO = 2,           /* Read, write or sync failed. */
    FAILURE_CORRUPT = 3,      /* Checksum, format or order is wrong; nothing was used. */
    FAILURE_NOT_FOUND = 4,    /* It is not there. */
    FAILURE_BUSY = 5,         /* Try again later; nothing was done. */
    FAILURE_FULL = 6,         /* A bounded queue or table refused the newest. */
    FAILURE_NOT_LEADER = 7,   /* Another replica leads, or none does. */
    FAILURE_CLOSED = 8,       /* The other end went away. */
    FAILURE_BAD_INPUT = 9,    /* Bytes from outside did not parse or did not fit the contract. */
    FAILURE_DENIED = 10,      /* The kernel or a peer refused the right. */
    FAILURE_TIMEOUT = 11,     /* A deadline passed; the outcome is unknown. */
    FAILURE_UNSUPPORTED = 12, /* This machine cannot do it; the caller announces the fallback. */
    FAILURE_EXISTS = 13,      /* It is there already. */
    FAILURE_SET_BACK = 14,    /* Others know that it was further: it is an older copy of itself. */
    FAILURE_END
};

struct result {
    uint16_t code; /* enum failure; 0 is success. */
};

#define RESULT  __attribute__((warn_unused_result)) struct result
#define OK      ((struct result){ 0 })
#define FAIL(c) ((struct result){ (c) })
#define TRY(expr)                    \
    do {                             \
        struct result try_ = (expr); \
        if (try_.code != 0) {        \
            return try_;             \
        }                            \
    } while (0)

/* A stable lower-case word for logs ("no-space"); "unknown" for a number we never gave. */
const char *result_name(struct result result);

#endif
