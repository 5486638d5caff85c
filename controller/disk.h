/* The disk as the log sees it: six calls behind a table, so that the simulator can lose, tear, fill
 * and refuse exactly where a real disk would. It decides nothing about what is stored.
 *
 * Failures are kept apart: FAILURE_NO_SPACE (nothing was changed that matters), FAILURE_NOT_FOUND,
 * FAILURE_IO (after a failed write or sync the content is unknown: the caller stops, and never
 * retries), FAILURE_CORRUPT (the file is not as it was made). */
#ifndef CONTROLLER_DISK_H
#define CONTROLLER_DISK_H

#include "base/result.h"
#include "base/slice.h"

#include <stdint.h>

struct disk_calls {
    /* size 0: the file must be there (FAILURE_NOT_FOUND). Otherwise it is made anew with `size`
     * bytes of zero that are really allocated and durable on return: a later write inside them
     * needs no space. The handle is valid until close. */
    RESULT (*open)(void *context, const char *name, uint64_t size, int *handle_out);
    void (*close)(void *context, int handle);
    /* Exactly size bytes at offset; FAILURE_CORRUPT when the file is shorter. */
    RESULT (*read)(void *context, int handle, uint64_t offset, uint8_t *room, size_t size);
    /* Inside the size of the file. Durable after the next sync; before it, any part may survive. */
    RESULT (*write)(void *context, int handle, uint64_t offset, struct slice bytes);
    RESULT (*sync)(void *context, int handle);
    /* Replaces `to` if it exists; durable on return. */
    RESULT (*rename)(void *context, const char *from, const char *to);
};

struct disk {
    const struct disk_calls *calls;
    void *context;
};

/* Real files beneath one directory. The descriptor stays the caller's and outlives the disk. */
struct disk disk_file(int *directory_descriptor);

#endif
