/* KVM is believed only after a boot (INV-VM-7): what the node says before, without, and after one;
 * what it remembers; the machine of the test and the program in it. The boots themselves are in
 * tests/system/self_test.sh. */
#include "base/check.h"
#include "node-agent/host_image.h"
#include "node-agent/host_initrd.h"
#include "node-agent/host_kvm.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char directory[] = "/tmp/udatsu-self-test-XXXXXX";
static char device[64]; /* Stands for /dev/kvm: it opens. */
static char memory[64]; /* The file that remembers. */
static uv_loop_t loop;
static struct host host;
static struct host_kvm kvm;

static void begin(void)
{
    cr_assert_not_null(mkdtemp(directory));
    (void)snprintf(device, sizeof(device), "%s/kvm", directory);
    (void)snprintf(memory, sizeof(memory), "%s/self-test", directory);
    int fd = open(device, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    cr_assert_geq(fd, 0);
    cr_assert_eq(close(fd), 0);
    cr_assert_eq(uv_loop_init(&loop), 0);
}

static void end(void)
{
    (void)unlink(device);
    (void)unlink(memory);
    cr_assert_eq(rmdir(directory), 0);
    cr_assert_eq(uv_loop_close(&loop), 0);
}

static const char *said(const char *setting, const char *where)
{
    host = (struct host){ .cell = 1 };
    cr_assert(host_kvm_begin(&kvm, &host, &loop, setting, where, device));
    return host.virtualization->fallback;
}

static void remember(bool boots, const char *key)
{
    static struct kvm_memory kept;
    const uint8_t kernel[SHA256_SIZE] = { 7 };
    kept = (struct kvm_memory){ 0 };
    cr_assert(kvm_memory_key(device, "/bin/sh", kept.key));
    if (key == NULL) { /* As host itself asks. */
        cr_assert(kvm_memory_key(device, "/usr/bin/qemu-system-x86_64", kept.key));
    } else {
        (void)snprintf(kept.key, sizeof(kept.key), "%s", key);
    }
    kept.boots = boots;
    if (!boots) {
        cr_assert(kvm_memory_failed(&kept, kernel, "its QEMU stopped, console silent"));
    }
    cr_assert_eq(kvm_memory_save(memory, &kept).code, 0);
}

static bool have_qemu(void)
{
    return access("/usr/bin/qemu-system-x86_64", F_OK) == 0;
}

TestSuite(kvm, .init = begin, .fini = end);

Test(kvm, without_a_boot_it_is_not_believed_and_each_reason_is_said) /* INV-VM-7 */
{
    cr_assert_not_null(strstr(said("tcg", directory), "setting is virtualization=tcg"));
    cr_assert_eq(host.virtualization->type, DOMAIN_TCG);
    cr_assert_not(kvm.wanted, "an operator's word is enough");
    cr_assert_not_null(strstr(said("auto", ""), "no directory of its own"));
    cr_assert_not(kvm.wanted);
    if (have_qemu()) {
        cr_assert_not_null(strstr(said("auto", directory), "not proven yet"));
        cr_assert(kvm.wanted);
        cr_assert_eq(host.virtualization->type, DOMAIN_TCG);
    }
    cr_assert_eq(unlink(device), 0);
    cr_assert_not_null(strstr(said("auto", directory), "KVM: no /tmp/"));
    cr_assert_eq(mkdir(device, 0700), 0);
    cr_assert_not_null(strstr(said("auto", directory), "does not open: Is a directory"));
    cr_assert_eq(host.virtualization->type, DOMAIN_TCG);
    cr_assert_eq(rmdir(device), 0);
}

Test(kvm, a_setting_that_says_nothing_known_is_refused)
{
    host = (struct host){ .cell = 1 };
    cr_assert_not(host_kvm_begin(&kvm, &host, &loop, "kvm", directory, device));
    cr_assert_not(host_kvm_begin(&kvm, &host, &loop, "", directory, device));
    cr_assert_not(host_kvm_begin(&kvm, &host, &loop, "auto", "relative", device));
}

Test(kvm, a_boot_of_this_machine_s_life_counts_again_and_so_does_a_failure) /* INV-VM-7 */
{
    if (!have_qemu()) {
        cr_skip_test("no QEMU here");
    }
    remember(true, NULL);
    cr_assert_str_eq(said("auto", directory), "");
    cr_assert_eq(host.virtualization->type, DOMAIN_KVM);
    cr_assert_not(kvm.wanted, "nothing is tested twice");
    cr_assert_not_null(strstr(said("tcg", directory), "setting"), "but an operator's word is more");
    cr_assert_eq(host.virtualization->type, DOMAIN_TCG);

    remember(false, NULL);
    cr_assert_not_null(strstr(
        said("auto", directory),
        "no kernel booted with it within 20 s: its QEMU stopped, console"));
    cr_assert_eq(host.virtualization->type, DOMAIN_TCG);
    const uint8_t other[SHA256_SIZE] = { 8 };
    const uint8_t same[SHA256_SIZE] = { 7 };
    cr_assert(kvm_memory_has_failed(&kvm.memory, same));
    cr_assert_not(kvm_memory_has_failed(&kvm.memory, other), "another kernel is tried");

    remember(true, "another-life");
    cr_assert_not_null(strstr(said("auto", directory), "not proven yet"));
    cr_assert_eq(host.virtualization->type, DOMAIN_TCG);
    cr_assert_eq(chmod(device, 0666), 0);
    remember(true, NULL);
    cr_assert_eq(chmod(device, 0600), 0);
    cr_assert_not_null(strstr(said("auto", directory), "not proven yet"), "another device");
}

static void write_memory(const char *text)
{
    FILE *file = fopen(memory, "we");
    cr_assert_not_null(file);
    cr_assert_geq(fputs(text, file), 0);
    cr_assert_eq(fclose(file), 0);
}

Test(kvm, a_memory_that_is_not_whole_is_none)
{
    static const char digest[] = "0700000000000000000000000000000000000000000000000000000000000000";
    char text[512];
    struct kvm_memory found = { .key = "key" };
    (void)snprintf(text, sizeof(text), "udatsu-self-test 1 key\nfails %s why\n", digest);
    write_memory(text);
    kvm_memory_load(memory, &found);
    cr_assert_eq(found.failed_count, 1U);
    cr_assert_str_eq(found.said, "why");
    static const char *const bad[] = {
        "",
        "udatsu-self-test 1 key",
        "udatsu-self-test 1 other\nboots\n",
        "udatsu-self-test 1 keyboots\nboots\n",
        "udatsu-self-test 2 key\nboots\n",
        "udatsu-self-test 1 key\nboots",
        "udatsu-self-test 1 key\nboot\n",
        "udatsu-self-test 1 key\nboots\nboots more\n",
        "udatsu-self-test 1 key\nfails 07 why\n",
        "udatsu-self-test 1 key\n\nboots\n",
    };
    for (uint32_t i = 0; i < COUNT_OF(bad); i++) {
        write_memory(bad[i]);
        kvm_memory_load(memory, &found);
        cr_assert_not(found.boots, "%s", bad[i]);
        cr_assert_eq(found.failed_count, 0U, "%s", bad[i]);
        cr_assert_str_eq(found.key, "key");
    }
    for (uint32_t i = 0; i < KVM_MEMORY_FAILED; i++) {
        const uint8_t kernel[SHA256_SIZE] = { (uint8_t)i };
        cr_assert(kvm_memory_failed(&found, kernel, "why"));
    }
    const uint8_t more[SHA256_SIZE] = { 99 };
    cr_assert_not(kvm_memory_failed(&found, more, "why"), "it is bounded");
    cr_assert_eq(kvm_memory_save(memory, &found).code, 0);
    kvm_memory_load(memory, &found);
    cr_assert_eq(found.failed_count, (uint32_t)KVM_MEMORY_FAILED);
}

Test(kvm, an_image_is_a_kernel_by_how_it_begins)
{
    const uint8_t digest[SHA256_SIZE] = { 1 };
    uint8_t bytes[0x300] = { 0x7f, 'E', 'L', 'F' };
    char path[256];
    cr_assert(host_image_path(directory, digest, path, sizeof(path)));
    cr_assert_not(host_image_is_kernel(directory, digest), "none");
    for (int kind = 0; kind < 4; kind++) {
        size_t size = kind == 1 ? 100 : sizeof(bytes);
        memset(bytes, kind < 2 ? 0 : 'x', 4);
        memcpy(
            bytes,
            kind < 2 ? "\x7f"
                       "ELF"
                     : "070701",
            4);
        memcpy(bytes + 0x202, kind == 2 ? "HdrS" : "xxxx", 4);
        FILE *file = fopen(path, "we");
        cr_assert_not_null(file);
        cr_assert_eq(fwrite(bytes, 1, size, file), size);
        cr_assert_eq(fclose(file), 0);
        cr_assert_eq(host_image_is_kernel(directory, digest), kind == 0 || kind == 2, "%d", kind);
    }
    cr_assert_eq(unlink(path), 0);
}

Test(test_machine, it_is_nobody_s_and_has_no_network)
{
    char xml[HOST_XML_SIZE];
    struct domain machine = {
        .type = DOMAIN_KVM,
        .vcpus = 1,
        .memory_bytes = UINT64_C(128) << 20,
        .kernel = "/images/kernel",
        .initrd = "/state/self-test.initrd",
        .cmdline = "console=ttyS0",
        .serial_log = "/state/self-test.console",
        .uid = DOMAIN_UID_BASE,
        .gid = DOMAIN_UID_BASE,
    };
    cr_assert(host_xml_write_test(&machine, xml, sizeof(xml)));
    uint64_t instance = 0;
    cr_assert_not(id_parse(ID_INSTANCE, HOST_XML_TEST_NAME, &instance));
    static const char *const has[] = { "<domain type='kvm'>",
                                       "<name>udatsu-self-test</name>",
                                       "urn:udatsu:self-test:1",
                                       "<on_reboot>destroy</on_reboot>",
                                       "<label>+200000:+200000</label>" };
    for (uint32_t i = 0; i < COUNT_OF(has); i++) {
        cr_assert_not_null(strstr(xml, has[i]), "%s", has[i]);
    }
    static const char *const lacks[] = { "<interface", "<disk", "urn:udatsu:instance", "<uuid>" };
    for (uint32_t i = 0; i < COUNT_OF(lacks); i++) {
        cr_assert_null(strstr(xml, lacks[i]), "%s", lacks[i]);
    }
    memcpy(machine.kernel, "/images/'/><x", sizeof("/images/'/><x"));
    cr_assert_not(host_xml_write_test(&machine, xml, sizeof(xml)));
    uint32_t uid = 0;
    cr_assert(domain_owner(id_make(1, 1), &uid));
    cr_assert_gt(uid, (uint32_t)DOMAIN_UID_BASE, "no tenant's guests run as the test (INV-SEC-2)");
}

/* The real bytes, run by the real kernel of this machine. */
Test(initrd, its_program_says_the_line_and_waits)
{
    uint8_t program[512];
    size_t size = 0;
    char path[] = "/tmp/udatsu-init-XXXXXX";
    int out[2];
    char heard[HOST_INITRD_LINE + 1] = { 0 };
    cr_assert(host_initrd_program("0123456789abcdef", program, sizeof(program), &size));
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, program, size), (ssize_t)size);
    cr_assert_eq(fchmod(fd, 0700), 0);
    cr_assert_eq(close(fd), 0);
    cr_assert_eq(pipe(out), 0);
    pid_t child = fork();
    if (child == 0) {
        (void)dup2(out[1], 1);
        (void)execl(path, "init", (char *)NULL);
        _exit(9);
    }
    cr_assert_eq(close(out[1]), 0);
    size_t used = 0;
    while (used < strlen("0123456789abcdef")) { /* It waits for ever: there is no end to read. */
        ssize_t got = read(out[0], heard + used, sizeof(heard) - 1 - used);
        cr_assert_gt(got, 0, "it ended");
        used += (size_t)got;
    }
    cr_assert_str_eq(heard, "0123456789abcdef");
    int status = 0;
    cr_assert_eq(waitpid(child, &status, WNOHANG), 0, "it waits");
    cr_assert_eq(kill(child, SIGKILL), 0);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(close(out[0]), 0);
    cr_assert_eq(unlink(path), 0);
}

Test(initrd, it_is_an_archive_that_others_can_read)
{
    uint8_t archive[HOST_INITRD_SIZE];
    size_t size = 0;
    char line[HOST_INITRD_LINE + 2];
    cr_assert(host_initrd_write("line", archive, sizeof(archive), &size));
    cr_assert_eq(memcmp(archive, "070701", 6), 0);
    cr_assert_eq(size % 4, 0U);
    for (size_t room = 0; room < size; room += 4) {
        uint8_t *small = malloc(room + 1);
        size_t used = 0;
        cr_assert_not_null(small);
        cr_assert_not(host_initrd_write("line", small, room, &used), "%zu", room);
        free(small);
    }
    memset(line, 'x', sizeof(line));
    line[HOST_INITRD_LINE + 1] = '\0';
    cr_assert_not(host_initrd_write(line, archive, sizeof(archive), &size), "too long a line");
    cr_assert_not(host_initrd_write("", archive, sizeof(archive), &size), "no line");
}

Test(said, it_is_the_end_in_plain_letters)
{
    char out[SELF_TEST_SAID];
    char small[16];
    host_self_test_tail("", 0, out, sizeof(out));
    cr_assert_str_eq(out, "");
    host_self_test_tail(" a\r\n\x1b[0m  b\xff\n", 13, out, sizeof(out));
    cr_assert_str_eq(out, " a [0m b");
    host_self_test_tail("0123456789abcdef", 16, small, sizeof(small));
    cr_assert_str_eq(small, "...456789abcdef");
    for (size_t length = 0; length < 64; length++) {
        char text[64];
        memset(text, length % 3 == 0 ? '\n' : 'y', sizeof(text));
        host_self_test_tail(text, length, small, sizeof(small));
        cr_assert_lt(strlen(small), sizeof(small));
    }
}
