/* Console logs: one file for each instance, named by its UUID, appended to by virtlogd. */
#ifndef NODE_AGENT_HOST_CONSOLE_H
#define NODE_AGENT_HOST_CONSOLE_H

#include "base/limits.h"
#include "base/result.h"
#include "base/slice.h"

/* False: does not fit. */
bool host_console_path(const char *directory, uint64_t instance, char *path, size_t size);
/* From `offset`, or from the end's LIMIT_CONSOLE bytes when the offset lies beyond the end. */
RESULT host_console_read(
    const char *directory,
    uint64_t instance,
    uint64_t offset,
    uint8_t room[static LIMIT_CONSOLE],
    size_t *used_out,
    uint64_t *offset_out,
    uint64_t *size_out);
/* OK too when there is none. */
RESULT host_console_remove(const char *directory, uint64_t instance);
/* Instances that have a log; at most `size`. */
RESULT host_console_list(
    const char *directory, uint64_t *instances, uint32_t size, uint32_t *count_out);

#endif
