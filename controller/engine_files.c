/* Decides where an engine's files lie. Never reads one. */
#include "controller/engine_files.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool path_join(char room[static ENGINE_PATH_SIZE], const char *directory, const char *name)
{
    int size = snprintf(room, ENGINE_PATH_SIZE, "%s/%s", directory, name);
    return size > 0 && size < ENGINE_PATH_SIZE;
}

static const char *open_mark(struct engine_files *files)
{
    int fd = openat(files->data_fd, "mark", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return "the mark cannot be opened";
    }
    void *map = MAP_FAILED;
    if (ftruncate(fd, sizeof(*files->mark)) == 0) {
        map = mmap(NULL, sizeof(*files->mark), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    if (close(fd) != 0 || map == MAP_FAILED) {
        return "the mark cannot be mapped";
    }
    files->mark = map;
    return NULL;
}

void engine_files_keep_mark(const struct engine_files *files)
{
    int synced = files->mark == NULL ? 0 : msync(files->mark, sizeof(*files->mark), MS_SYNC);
    (void)synced; /* We stop anyway; what is lost with the power is found out once more. */
}

const char *engine_files_open(struct engine_files *files, const char *data_directory)
{
    files->data_fd = open(data_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (files->data_fd < 0) {
        return "the data directory cannot be opened";
    }
    if (!path_join(files->store_path, data_directory, "rows") ||
        !path_join(files->snapshots_path, data_directory, "snapshots")) {
        return "its path is too long";
    }
    if (mkdir(files->snapshots_path, 0700) != 0 && access(files->snapshots_path, F_OK) != 0) {
        return "the snapshot directory cannot be made";
    }
    return open_mark(files);
}
