/* Decides how the six calls become system calls: beneath one directory descriptor, never through a
 * path, never following a link. Never retries a failed write or sync. */
#include "base/check.h"
#include "controller/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILL = 1024 * 1024 };

static RESULT from_errno(int error)
{
    CHECK(error != 0);
    switch (error) {
    case ENOSPC:
    case EDQUOT: return FAIL(FAILURE_NO_SPACE);
    case ENOENT: return FAIL(FAILURE_NOT_FOUND);
    case EACCES:
    case EPERM: return FAIL(FAILURE_DENIED);
    default: return FAIL(FAILURE_IO);
    }
}

static int directory_of(void *context)
{
    int descriptor = *(int *)context;
    CHECK(descriptor >= 0);
    return descriptor;
}

static RESULT write_all(int handle, uint64_t offset, struct slice bytes)
{
    CHECK(handle >= 0);
    size_t done = 0;
    while (done < bytes.size) {
        ssize_t count =
            pwrite(handle, bytes.data + done, bytes.size - done, (off_t)(offset + done));
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            return from_errno(count == 0 ? EIO : errno);
        }
        done += (size_t)count;
    }
    return OK;
}

/* Writes zeros instead of only reserving blocks: a sync then never has to convert extents, which
 * costs a third of its time, and a file system that copies on write says no now, not later. */
static RESULT fill(int handle, uint64_t size)
{
    static const uint8_t zeros[FILL];
    CHECK(size > 0);
    int error = posix_fallocate(handle, 0, (off_t)size);
    if (error != 0) {
        return from_errno(error);
    }
    for (uint64_t done = 0; done < size; done += FILL) {
        uint64_t left = size - done;
        size_t part = left < FILL ? (size_t)left : FILL;
        TRY(write_all(handle, done, slice_of(zeros, part)));
    }
    return fdatasync(handle) == 0 ? OK : from_errno(errno);
}

static RESULT file_open(void *context, const char *name, uint64_t size, int *handle_out)
{
    CHECK(strchr(name, '/') == NULL);
    int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | (size > 0 ? O_CREAT | O_TRUNC : 0);
    int handle = openat(directory_of(context), name, flags, S_IRUSR | S_IWUSR);
    if (handle < 0) {
        return from_errno(errno);
    }
    struct result result = size > 0 ? fill(handle, size) : OK;
    if (result.code == 0 && size > 0 && fsync(directory_of(context)) != 0) {
        result = from_errno(errno);
    }
    if (result.code != 0) {
        (void)close(handle); /* The open failed; what close says changes nothing. */
        return result;
    }
    *handle_out = handle;
    return OK;
}

static void file_close(void *context, int handle)
{
    CHECK(directory_of(context) >= 0);
    CHECK(handle >= 0);
    (void)close(handle); /* What had to be durable was synced before. */
}

static RESULT file_read(void *context, int handle, uint64_t offset, uint8_t *room, size_t size)
{
    CHECK(directory_of(context) >= 0);
    size_t done = 0;
    while (done < size) {
        ssize_t count = pread(handle, room + done, size - done, (off_t)(offset + done));
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            return from_errno(errno);
        }
        if (count == 0) {
            return FAIL(FAILURE_CORRUPT);
        }
        done += (size_t)count;
    }
    return OK;
}

static RESULT file_write(void *context, int handle, uint64_t offset, struct slice bytes)
{
    CHECK(directory_of(context) >= 0);
    return write_all(handle, offset, bytes);
}

static RESULT file_sync(void *context, int handle)
{
    CHECK(directory_of(context) >= 0);
    return fdatasync(handle) == 0 ? OK : from_errno(errno);
}

static RESULT file_rename(void *context, const char *from, const char *to)
{
    int directory = directory_of(context);
    CHECK(strchr(from, '/') == NULL && strchr(to, '/') == NULL);
    if (renameat(directory, from, directory, to) != 0 || fsync(directory) != 0) {
        return from_errno(errno);
    }
    return OK;
}

static const struct disk_calls calls = {
    .open = file_open,
    .close = file_close,
    .read = file_read,
    .write = file_write,
    .sync = file_sync,
    .rename = file_rename,
};

struct disk disk_file(int *directory_descriptor)
{
    CHECK(*directory_descriptor >= 0);
    return (struct disk){ .calls = &calls, .context = directory_descriptor };
}
