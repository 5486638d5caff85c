/* Runs a program by its absolute path, with a cleared environment, input from memory, output into
 * memory, and a deadline after which it is killed. Blocks: for pool threads only. */
#ifndef NODE_AGENT_HOST_EXEC_H
#define NODE_AGENT_HOST_EXEC_H

#include "base/result.h"
#include "base/slice.h"

enum { HOST_EXEC_ARGUMENTS = 24 };

/* `arguments` ends with NULL; the first is the absolute path. The output room gets what standard
 * output (and, after it, standard error) said, with a terminator, cut to the room. FAILURE_IO: it
 * ended with another status than 0; FAILURE_TIMEOUT: killed; FAILURE_FULL: output beyond the room.
 */
RESULT host_exec(
    const char *const *arguments, struct slice input, char *output, size_t size, int deadline_ms);

#endif
