/* What lies beneath an engine's data directory: the log (its own names, beside these), the rows,
 * the snapshots, and the mark. Opened before the sandbox closes.
 *
 * What can go wrong: a directory that cannot be opened or made, a path that is too long → the
 * reason in words; the process does not start. */
#ifndef CONTROLLER_ENGINE_FILES_H
#define CONTROLLER_ENGINE_FILES_H

#include "controller/server.h"

enum { ENGINE_PATH_SIZE = 512 };

struct engine_files {
    int data_fd;              /* For disk_file; lives as long as the process, as the mark does. */
    struct server_mark *mark; /* Mapped: what is written survives our death, which is its use. */
    char store_path[ENGINE_PATH_SIZE];
    char snapshots_path[ENGINE_PATH_SIZE];
};

/* NULL: all is open; else what could not be. */
const char *engine_files_open(struct engine_files *files, const char *data_directory);

/* What the mark says outlives the power, too: a replica that was set back stays out. INV-LOG-10 */
void engine_files_keep_mark(const struct engine_files *files);

#endif
