/* The agent's file: whole or not at all. */
#include "node-agent/agent_state.h"

#include "audit/sha256.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char directory[] = "/tmp/udatsu-agent-XXXXXX";
static struct agent_saved saved;
static struct agent_saved back;

static void path_of(char path[static 256])
{
    (void)snprintf(path, 256, "%s/agent.state", directory);
}

Test(agent_state, what_was_written_is_read_and_a_changed_byte_is_refused)
{
    struct agent_state_file file;
    char path[256];
    cr_assert_not_null(mkdtemp(directory));
    cr_assert_eq(agent_state_open(&file, directory).code, 0);
    cr_assert_eq(agent_state_read(&file, &back).code, FAILURE_NOT_FOUND);
    saved.term = 7;
    memset(saved.boot_id, 3, sizeof(saved.boot_id));
    saved.instances_count = LIMIT_NODE_INSTANCES;
    for (uint32_t i = 0; i < LIMIT_NODE_INSTANCES; i++) {
        saved.instances[i] = (struct agent_saved_instance){
            .instance = i + 1, .generation = i * 3, .epoch = i, .booted = i % 2 == 0
        };
    }
    cr_assert_eq(agent_state_write(&file, &saved).code, 0);
    cr_assert_eq(agent_state_read(&file, &back).code, 0);
    cr_assert_eq(back.term, 7U);
    cr_assert_eq(back.instances_count, saved.instances_count);
    cr_assert_eq(back.instances[9].generation, 27U);
    cr_assert_not(back.instances[9].booted);
    saved.instances_count = 1;
    cr_assert_eq(agent_state_write(&file, &saved).code, 0);
    path_of(path);
    uint8_t bytes[256];
    int fd = open(path, O_RDWR);
    ssize_t size = read(fd, bytes, sizeof(bytes));
    cr_assert_gt(size, 64);
    for (off_t at = 0; at < size; at++) {
        uint8_t flipped = (uint8_t)(bytes[at] ^ 1);
        cr_assert_eq(pwrite(fd, &flipped, 1, at), 1);
        cr_assert_eq(agent_state_read(&file, &back).code, FAILURE_CORRUPT);
        cr_assert_eq(pwrite(fd, &bytes[at], 1, at), 1);
    }
    cr_assert_eq(agent_state_read(&file, &back).code, 0);
    size_t booted = (size_t)size - SHA256_SIZE - 8; /* Whole, and yet nothing that we write. */
    bytes[booted] = 2;
    sha256_of(slice_of(bytes, (size_t)size - SHA256_SIZE), bytes + size - SHA256_SIZE);
    cr_assert_eq(pwrite(fd, bytes, (size_t)size, 0), size);
    cr_assert_eq(agent_state_read(&file, &back).code, FAILURE_CORRUPT);
    bytes[booted] = 1;
    sha256_of(slice_of(bytes, (size_t)size - SHA256_SIZE), bytes + size - SHA256_SIZE);
    cr_assert_eq(pwrite(fd, bytes, (size_t)size, 0), size);
    cr_assert_eq(agent_state_read(&file, &back).code, 0);
    cr_assert_eq(ftruncate(fd, size - 1), 0);
    cr_assert_eq(agent_state_read(&file, &back).code, FAILURE_CORRUPT, "torn");
    (void)close(fd);
    (void)close(file.directory);
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(rmdir(directory), 0);
}

Test(agent_state, this_boot_has_an_id)
{
    uint8_t one[AGENT_BOOT_ID_SIZE];
    uint8_t two[AGENT_BOOT_ID_SIZE];
    static const uint8_t none[AGENT_BOOT_ID_SIZE];
    cr_assert_eq(agent_state_boot_id(one).code, 0);
    cr_assert_eq(agent_state_boot_id(two).code, 0);
    cr_assert_eq(memcmp(one, two, sizeof(one)), 0);
    cr_assert_neq(memcmp(one, none, sizeof(one)), 0);
}
