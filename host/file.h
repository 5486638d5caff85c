/* Small files, whole: read at once, replaced at once. */
#ifndef HOST_FILE_H
#define HOST_FILE_H

#include "base/result.h"
#include "base/slice.h"

#include <stddef.h>
#include <sys/types.h>

struct file_owner {
    uid_t uid;
    gid_t gid;
    mode_t mode;
};

/* Up to `size` bytes; a larger file is FAILURE_FULL. */
RESULT file_read(const char *path, void *room, size_t size, size_t *size_out);
/* Written beside, synced, renamed over, the directory synced: whole or not at all. */
RESULT file_replace(const char *path, struct slice bytes, struct file_owner owner);
/* Makes it, and its parents with mode 0755, or gives an existing one this owner and mode. */
RESULT file_directory(const char *path, struct file_owner owner);

#endif
