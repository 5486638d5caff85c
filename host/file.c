/* Decides how a small file is replaced without ever being half there. Never used for logs or
 * databases. */
#include "host/file.h"

#include "base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

RESULT file_read(const char *path, void *room, size_t size, size_t *size_out)
{
    CHECK(size > 0);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return FAIL(errno == ENOENT ? FAILURE_NOT_FOUND : FAILURE_DENIED);
    }
    size_t used = 0;
    ssize_t got = 1;
    while (got > 0 && used < size) {
        got = read(fd, (uint8_t *)room + used, size - used);
        used += got > 0 ? (size_t)got : 0;
    }
    uint8_t more = 0;
    bool larger = got > 0 && read(fd, &more, 1) > 0;
    (void)close(fd); /* Nothing was written. */
    if (got < 0) {
        return FAIL(FAILURE_IO);
    }
    if (larger) {
        return FAIL(FAILURE_FULL);
    }
    *size_out = used;
    return OK;
}

static bool write_all(int fd, struct slice bytes)
{
    while (bytes.size > 0) {
        ssize_t written = write(fd, bytes.data, bytes.size);
        if (written <= 0) {
            return false;
        }
        bytes.data += written;
        bytes.size -= (size_t)written;
    }
    return true;
}

static bool sync_directory_of(const char *path)
{
    char directory[PATH_MAX];
    const char *slash = strrchr(path, '/');
    CHECK(slash != NULL);
    size_t size = slash == path ? 1 : (size_t)(slash - path);
    CHECK(size < sizeof(directory));
    memcpy(directory, path, size);
    directory[size] = '\0';
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool synced = fsync(fd) == 0;
    (void)close(fd);
    return synced;
}

RESULT file_replace(const char *path, struct slice bytes, struct file_owner owner)
{
    CHECK(path[0] == '/');
    char beside[PATH_MAX];
    int used = snprintf(beside, sizeof(beside), "%s.new", path);
    if (used < 0 || (size_t)used >= sizeof(beside)) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    (void)unlink(beside); /* Of an interrupted try; usually there is none. */
    int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return FAIL(errno == ENOSPC ? FAILURE_NO_SPACE : FAILURE_DENIED);
    }
    /* In a sandbox one may not give files away; nor is there anybody to give them to. */
    bool ours = owner.uid == geteuid() && owner.gid == getegid();
    bool done = (ours || fchown(fd, owner.uid, owner.gid) == 0) && fchmod(fd, owner.mode) == 0 &&
                write_all(fd, bytes) && fsync(fd) == 0;
    done = close(fd) == 0 && done;
    done = done && rename(beside, path) == 0 && sync_directory_of(path);
    if (!done) {
        (void)unlink(beside);
        return FAIL(FAILURE_IO);
    }
    return OK;
}

RESULT file_directory(const char *path, struct file_owner owner)
{
    CHECK(path[0] == '/');
    char part[PATH_MAX];
    size_t size = strlen(path);
    if (size >= sizeof(part)) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    memcpy(part, path, size + 1);
    for (size_t i = 1; i <= size; i++) {
        if (part[i] != '/' && part[i] != '\0') {
            continue;
        }
        char kept = part[i];
        part[i] = '\0';
        if (mkdir(part, 0755) != 0 && errno != EEXIST) {
            return FAIL(FAILURE_DENIED);
        }
        part[i] = kept;
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return FAIL(FAILURE_DENIED);
    }
    bool done = fchown(fd, owner.uid, owner.gid) == 0 && fchmod(fd, owner.mode) == 0;
    (void)close(fd);
    return done ? OK : FAIL(FAILURE_DENIED);
}
