/* Decides which file is an instance's console log. Never opens another, never interprets a byte of
 * it: a guest wrote them. */
#include "node-agent/host_console.h"

#include "base/check.h"
#include "base/id.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char suffix[] = ".log";

bool host_console_path(const char *directory, uint64_t instance, char *path, size_t size)
{
    CHECK(directory[0] == '/');
    CHECK(instance != 0);
    char uuid[ID_TEXT_SIZE];
    id_format(ID_INSTANCE, instance, uuid);
    int used = snprintf(path, size, "%s/%s%s", directory, uuid, suffix);
    return used > 0 && (size_t)used < size;
}

RESULT host_console_read(
    const char *directory,
    uint64_t instance,
    uint64_t offset,
    uint8_t room[static LIMIT_CONSOLE],
    size_t *used_out,
    uint64_t *offset_out,
    uint64_t *size_out)
{
    CHECK(used_out != NULL);
    char path[512];
    struct stat about;
    if (!host_console_path(directory, instance, path, sizeof(path))) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        return FAIL(errno == ENOENT ? FAILURE_NOT_FOUND : FAILURE_DENIED);
    }
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
        (void)close(fd);
        return FAIL(FAILURE_DENIED);
    }
    uint64_t end = (uint64_t)about.st_size;
    uint64_t begin = offset;
    if (begin > end) {
        begin = end > LIMIT_CONSOLE ? end - LIMIT_CONSOLE : 0;
    }
    ssize_t got = pread(fd, room, LIMIT_CONSOLE, (off_t)begin);
    (void)close(fd);
    if (got < 0) {
        return FAIL(FAILURE_IO);
    }
    CHECK(got <= LIMIT_CONSOLE);
    *used_out = (size_t)got;
    *offset_out = begin;
    *size_out = end;
    return OK;
}

RESULT host_console_remove(const char *directory, uint64_t instance)
{
    char path[512];
    CHECK(instance != 0);
    if (!host_console_path(directory, instance, path, sizeof(path))) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    /* virtlogd rotates by size: path.0, path.1, path.2. */
    for (int number = -1; number < 3; number++) {
        char name[520];
        int used = number < 0 ? snprintf(name, sizeof(name), "%s", path)
                              : snprintf(name, sizeof(name), "%s.%d", path, number);
        CHECK(used > 0 && (size_t)used < sizeof(name));
        if (unlink(name) != 0 && errno != ENOENT) {
            return FAIL(errno == EACCES || errno == EPERM ? FAILURE_DENIED : FAILURE_IO);
        }
    }
    return OK;
}

RESULT host_console_list(
    const char *directory, uint64_t *instances, uint32_t size, uint32_t *count_out)
{
    CHECK(instances != NULL);
    CHECK(count_out != NULL);
    DIR *open_directory = opendir(directory);
    if (open_directory == NULL) {
        return FAIL(FAILURE_NOT_FOUND);
    }
    uint32_t count = 0;
    for (const struct dirent *entry = readdir(open_directory); entry != NULL && count < size;
         entry = readdir(open_directory)) {
        char uuid[ID_TEXT_SIZE] = { 0 };
        size_t length = strlen(entry->d_name);
        bool shaped = length == ID_TEXT_SIZE - 1 + sizeof(suffix) - 1 &&
                      strcmp(entry->d_name + ID_TEXT_SIZE - 1, suffix) == 0;
        if (shaped) {
            memcpy(uuid, entry->d_name, ID_TEXT_SIZE - 1);
            count += id_parse(ID_INSTANCE, uuid, &instances[count]) ? 1 : 0;
        }
    }
    (void)closedir(open_directory);
    *count_out = count;
    return OK;
}
