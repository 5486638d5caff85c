/* Decides how the agent's memory looks on disk: magic, format, fields in little-endian order, a
 * digest at the end. Never half a file: temporary, fsync, rename, fsync of the directory. */
#include "node-agent/agent_state.h"

#include "audit/sha256.h"
#include "base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    HEAD_SIZE = 8 + 8 + AGENT_BOOT_ID_SIZE + 8,
    ROW_SIZE = 4 * 8,
    FILE_SIZE_MAX = HEAD_SIZE + ROW_SIZE * LIMIT_NODE_INSTANCES + SHA256_SIZE,
};

static const char name[] = "agent.state";
static const char temporary[] = "agent.state.new";
static const uint8_t magic[8] = { 'u', 'd', 'a', 't', 's', 'u', 'a', 1 };
static uint8_t room[FILE_SIZE_MAX + 1]; /* The agent has one thread. */

RESULT agent_state_open(struct agent_state_file *file, const char *directory)
{
    CHECK(file != NULL);
    CHECK(directory != NULL);
    file->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return file->directory >= 0 ? OK : FAIL(FAILURE_NOT_FOUND);
}

static void put(uint8_t *at, uint64_t value)
{
    for (uint32_t i = 0; i < 8; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
}

static uint64_t get(const uint8_t *at)
{
    uint64_t value = 0;
    for (uint32_t i = 0; i < 8; i++) {
        value |= (uint64_t)at[i] << (8 * i);
    }
    return value;
}

static RESULT parse(size_t size, struct agent_saved *saved_out)
{
    CHECK(size <= FILE_SIZE_MAX);
    if (size < HEAD_SIZE + SHA256_SIZE || memcmp(room, magic, sizeof(magic)) != 0) {
        return FAIL(FAILURE_CORRUPT);
    }
    uint8_t digest[SHA256_SIZE];
    sha256_of(slice_of(room, size - SHA256_SIZE), digest);
    uint64_t count = get(room + 16 + AGENT_BOOT_ID_SIZE);
    if (memcmp(digest, room + size - SHA256_SIZE, SHA256_SIZE) != 0 ||
        count > LIMIT_NODE_INSTANCES ||
        size != HEAD_SIZE + (size_t)count * ROW_SIZE + SHA256_SIZE) {
        return FAIL(FAILURE_CORRUPT);
    }
    *saved_out = (struct agent_saved){ .term = get(room + 8), .instances_count = (uint32_t)count };
    memcpy(saved_out->boot_id, room + 16, AGENT_BOOT_ID_SIZE);
    for (uint32_t i = 0; i < saved_out->instances_count; i++) {
        const uint8_t *row = room + HEAD_SIZE + (size_t)i * ROW_SIZE;
        if (get(row + 24) > 1) {
            return FAIL(FAILURE_CORRUPT); /* We write nothing else. */
        }
        saved_out->instances[i] = (struct agent_saved_instance){
            .instance = get(row),
            .generation = get(row + 8),
            .epoch = get(row + 16),
            .booted = get(row + 24) == 1,
        };
    }
    CHECK(saved_out->instances_count == count);
    return OK;
}

RESULT agent_state_read(struct agent_state_file *file, struct agent_saved *saved_out)
{
    CHECK(file->directory >= 0);
    int fd = openat(file->directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return FAIL(errno == ENOENT ? FAILURE_NOT_FOUND : FAILURE_IO);
    }
    size_t size = 0;
    ssize_t got = 1;
    while (got > 0 && size < sizeof(room)) {
        got = read(fd, room + size, sizeof(room) - size);
        size += got > 0 ? (size_t)got : 0;
    }
    (void)close(fd);
    if (got < 0) {
        return FAIL(FAILURE_IO);
    }
    CHECK(size <= sizeof(room));
    return size > FILE_SIZE_MAX ? FAIL(FAILURE_CORRUPT) : parse(size, saved_out);
}

static size_t fill(const struct agent_saved *saved)
{
    CHECK(saved->instances_count <= LIMIT_NODE_INSTANCES);
    memcpy(room, magic, sizeof(magic));
    put(room + 8, saved->term);
    memcpy(room + 16, saved->boot_id, AGENT_BOOT_ID_SIZE);
    put(room + 16 + AGENT_BOOT_ID_SIZE, saved->instances_count);
    size_t size = HEAD_SIZE;
    for (uint32_t i = 0; i < saved->instances_count; i++) {
        const struct agent_saved_instance *row = &saved->instances[i];
        put(room + size, row->instance);
        put(room + size + 8, row->generation);
        put(room + size + 16, row->epoch);
        put(room + size + 24, row->booted ? 1 : 0);
        size += ROW_SIZE;
    }
    uint8_t digest[SHA256_SIZE];
    sha256_of(slice_of(room, size), digest);
    memcpy(room + size, digest, SHA256_SIZE);
    CHECK(size + SHA256_SIZE <= FILE_SIZE_MAX);
    return size + SHA256_SIZE;
}

static RESULT write_all(int fd, size_t size)
{
    CHECK(fd >= 0);
    size_t done = 0;
    while (done < size) {
        ssize_t put_now = write(fd, room + done, size - done);
        if (put_now < 0 && errno != EINTR) {
            return FAIL(errno == ENOSPC ? FAILURE_NO_SPACE : FAILURE_IO);
        }
        done += put_now > 0 ? (size_t)put_now : 0;
    }
    return fdatasync(fd) == 0 ? OK : FAIL(FAILURE_IO);
}

RESULT agent_state_write(struct agent_state_file *file, const struct agent_saved *saved)
{
    CHECK(file->directory >= 0);
    size_t size = fill(saved);
    CHECK(size <= FILE_SIZE_MAX);
    int fd = openat(
        file->directory, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return FAIL(errno == ENOSPC ? FAILURE_NO_SPACE : FAILURE_IO);
    }
    struct result written = write_all(fd, size);
    (void)close(fd);
    TRY(written);
    if (renameat(file->directory, temporary, file->directory, name) != 0 ||
        fsync(file->directory) != 0) {
        return FAIL(FAILURE_IO);
    }
    return OK;
}

RESULT agent_state_boot_id(uint8_t boot_id_out[static AGENT_BOOT_ID_SIZE])
{
    char text[64] = { 0 };
    CHECK(boot_id_out != NULL);
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return FAIL(FAILURE_NOT_FOUND);
    }
    ssize_t got = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    uint32_t nibbles = 0;
    memset(boot_id_out, 0, AGENT_BOOT_ID_SIZE);
    for (ssize_t i = 0; i < got && nibbles < 2 * AGENT_BOOT_ID_SIZE; i++) {
        bool decimal = text[i] >= '0' && text[i] <= '9';
        bool letter = text[i] >= 'a' && text[i] <= 'f';
        if (decimal || letter) {
            uint8_t value = (uint8_t)(decimal ? text[i] - '0' : text[i] - 'a' + 10);
            boot_id_out[nibbles / 2] =
                (uint8_t)(boot_id_out[nibbles / 2] | (nibbles % 2 == 0 ? value << 4 : value));
            nibbles++;
        }
    }
    CHECK(nibbles <= 2 * AGENT_BOOT_ID_SIZE);
    return nibbles == 2 * AGENT_BOOT_ID_SIZE ? OK : FAIL(FAILURE_CORRUPT);
}
