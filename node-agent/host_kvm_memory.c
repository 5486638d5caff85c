/* Decides whether an earlier verdict still counts. A file that is not exactly one that we write is
 * no memory; losing it costs a test. Never judges an accelerator.
 *
 *     udatsu-self-test 1 KEY
 *     boots
 *     fails KERNEL SAID         (at most KVM_MEMORY_FAILED) */
#include "node-agent/host_kvm_memory.h"

#include "base/check.h"
#include "host/file.h"
#include "node-agent/host_image.h"
#include "node-agent/host_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

enum {
    FILE_SIZE = KVM_MEMORY_KEY + 64 + KVM_MEMORY_FAILED * (96 + SELF_TEST_SAID),
    HEX_SIZE = 2 * SHA256_SIZE,
};

static const char head[] = "udatsu-self-test 1 ";

bool kvm_memory_key(const char *device, const char *qemu, char out[static KVM_MEMORY_KEY])
{
    char boot[64] = { 0 };
    struct utsname kernel;
    struct stat kvm;
    struct stat program;
    size_t used = 0;
    CHECK(device[0] == '/');
    if (file_read("/proc/sys/kernel/random/boot_id", boot, sizeof(boot) - 1, &used).code != 0 ||
        uname(&kernel) != 0 || stat(device, &kvm) != 0 || stat(qemu, &program) != 0) {
        return false;
    }
    boot[strcspn(boot, "\n")] = '\0';
    /* Its bytes' place, size and times: a QEMU that was replaced is another. */
    int wrote = snprintf(
        out,
        KVM_MEMORY_KEY,
        "%s,%.64s,%ju.%jd.%jd.%ld,%ju.%o.%u.%u",
        boot,
        kernel.release,
        (uintmax_t)program.st_ino,
        (intmax_t)program.st_size,
        (intmax_t)program.st_ctim.tv_sec,
        program.st_ctim.tv_nsec,
        (uintmax_t)kvm.st_rdev,
        kvm.st_mode,
        kvm.st_uid,
        kvm.st_gid);
    return wrote > 0 && wrote < KVM_MEMORY_KEY && strpbrk(out, " \n") == NULL;
}

bool kvm_memory_has_failed(
    const struct kvm_memory *memory, const uint8_t kernel[static SHA256_SIZE])
{
    CHECK(memory->failed_count <= KVM_MEMORY_FAILED);
    for (uint32_t i = 0; i < memory->failed_count; i++) {
        if (memcmp(memory->failed[i], kernel, SHA256_SIZE) == 0) {
            return true;
        }
    }
    return false;
}

bool kvm_memory_failed(
    struct kvm_memory *memory, const uint8_t kernel[static SHA256_SIZE], const char *said)
{
    CHECK(!memory->boots);
    if (memory->failed_count == KVM_MEMORY_FAILED) {
        return false;
    }
    memcpy(memory->failed[memory->failed_count++], kernel, SHA256_SIZE);
    host_self_test_tail(said, strlen(said), memory->said, sizeof(memory->said));
    return true;
}

/* One line without its end; false when it is none of ours. */
static bool read_line(struct kvm_memory *memory, const char *line, size_t length)
{
    static const char fails[] = "fails ";
    size_t before = sizeof(fails) - 1 + HEX_SIZE + 1;
    uint8_t kernel[SHA256_SIZE];
    char hex[HEX_SIZE + 1];
    char said[SELF_TEST_SAID];
    if (length == strlen("boots") && memcmp(line, "boots", length) == 0) {
        memory->boots = true;
        return true;
    }
    if (memory->boots || length < before || length - before >= sizeof(said) ||
        memcmp(line, fails, sizeof(fails) - 1) != 0 || line[before - 1] != ' ') {
        return false;
    }
    memcpy(hex, line + sizeof(fails) - 1, HEX_SIZE);
    hex[HEX_SIZE] = '\0';
    memcpy(said, line + before, length - before);
    said[length - before] = '\0';
    return host_image_digest(hex, kernel) && kvm_memory_failed(memory, kernel, said);
}

static bool read_all(struct kvm_memory *memory, const char *text, size_t size)
{
    size_t key = strlen(memory->key);
    size_t at = sizeof(head) - 1 + key;
    CHECK(key > 0);
    if (size <= at || memcmp(text, head, sizeof(head) - 1) != 0 ||
        memcmp(text + sizeof(head) - 1, memory->key, key) != 0 || text[at] != '\n') {
        return false;
    }
    at++;
    while (at < size) {
        const char *end = memchr(text + at, '\n', size - at);
        if (end == NULL || !read_line(memory, text + at, (size_t)(end - text) - at)) {
            return false;
        }
        at = (size_t)(end - text) + 1;
    }
    return true;
}

void kvm_memory_load(const char *path, struct kvm_memory *memory)
{
    char text[FILE_SIZE];
    size_t size = 0;
    struct kvm_memory found = { 0 };
    CHECK(memory->key[0] != '\0');
    memcpy(found.key, memory->key, sizeof(found.key));
    bool sound =
        file_read(path, text, sizeof(text), &size).code == 0 && read_all(&found, text, size);
    if (!sound) {
        memset(&found, 0, sizeof(found));
        memcpy(found.key, memory->key, sizeof(found.key));
    }
    *memory = found;
}

RESULT kvm_memory_save(const char *path, const struct kvm_memory *memory)
{
    char room[FILE_SIZE];
    struct host_text text;
    CHECK(memory->key[0] != '\0');
    host_text_start(&text, room, sizeof(room));
    host_text_add(&text, "%s%s\n", head, memory->key);
    for (uint32_t i = 0; i < memory->failed_count && !memory->boots; i++) {
        char hex[HEX_SIZE + 1];
        host_image_name(memory->failed[i], hex);
        host_text_add(&text, "fails %s %s\n", hex, memory->said);
    }
    host_text_add(&text, "%s", memory->boots ? "boots\n" : "");
    CHECK(!text.full);
    const struct file_owner owner = { geteuid(), getegid(), 0600 };
    return file_replace(path, slice_of(room, text.used), owner);
}
