/* Decides whether a kernel reached user space. Never believes a banner: a kernel whose accelerator
 * is broken may print one and die later; only a process that the kernel started knows the line that
 * counts, and it is new in each test.
 *
 * The happy path: leftovers ended → kernel verified → initramfs with a fresh line written → machine
 * started → the line is on the console → machine ended, files removed.
 * What can go wrong: libvirt or QEMU refuses (fails, in their words); the machine ends or stops by
 * itself (fails, with the console's last words); the deadline passes (the same); libvirt is away or
 * the directory is full (unknown); this process is killed (libvirt ends the machine). */
#include "node-agent/host_self_test.h"

#include "base/check.h"
#include "host/clock.h"
#include "host/file.h"
#include "node-agent/host_image.h"
#include "node-agent/host_initrd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MEMORY_MIB = 128,
    OVERHEAD_MIB = 160, /* As for a guest. */
    POLL_MS = 50,
    CONSOLE_TAIL = 32 * 1024,
};

struct boot {
    struct domain machine;
    char line[HOST_INITRD_LINE];
    char console[CONSOLE_TAIL + 1];
    size_t console_size;
};

void host_self_test_tail(const char *text, size_t length, char *out, size_t size)
{
    static const char dots[] = "...";
    CHECK(size > sizeof(dots));
    size_t at = size - 1;
    bool blank = true;
    out[at] = '\0';
    size_t left = length;
    while (left > 0 && at > 0) {
        char c = text[--left];
        bool printable = c > ' ' && c <= '~';
        if (!printable && blank) {
            continue;
        }
        out[--at] = printable ? c : ' ';
        blank = !printable;
    }
    if (left > 0) {
        memcpy(out, dots, sizeof(dots) - 1); /* In the place of the first letters. */
    }
    memmove(out, out + at, size - at);
    CHECK(strlen(out) < size);
}

static bool path_in(const char *directory, const char *name, char out[static DOMAIN_PATH])
{
    CHECK(directory[0] == '/');
    int used = snprintf(out, DOMAIN_PATH, "%s/%s", directory, name);
    return used > 0 && used < DOMAIN_PATH;
}

static bool describe(const struct self_test *test, struct boot *boot)
{
    static const char cmdline[] =
        "console=ttyS0 earlyprintk=ttyS0 panic=-1 no_timer_check"; /* Says how far it comes. */
    struct domain *machine = &boot->machine;
    CHECK(test->type == DOMAIN_KVM || test->type == DOMAIN_TCG);
    *machine = (struct domain){
        .type = test->type,
        .vcpus = 1,
        .memory_bytes = (uint64_t)MEMORY_MIB << 20,
        .uid = DOMAIN_UID_BASE, /* INV-SEC-2: no tenant's. */
        .gid = DOMAIN_UID_BASE,
    };
    memcpy(machine->cmdline, cmdline, sizeof(cmdline));
    return host_image_path(test->images, test->kernel, machine->kernel, DOMAIN_PATH) &&
           path_in(test->directory, "self-test.initrd", machine->initrd) &&
           path_in(test->directory, "self-test.console", machine->serial_log);
}

static bool write_initrd(struct boot *boot)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t random[16];
    uint8_t archive[HOST_INITRD_SIZE];
    size_t used = 0;
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(random); i++) {
        boot->line[2 * i] = digits[random[i] >> 4];
        boot->line[2 * i + 1] = digits[random[i] & 15];
    }
    boot->line[2 * sizeof(random)] = '\0';
    bool fits = host_initrd_write(boot->line, archive, sizeof(archive), &used);
    CHECK(fits);
    const struct file_owner owner = { geteuid(), getegid(), 0644 }; /* QEMU reads it. */
    return file_replace(boot->machine.initrd, slice_of(archive, used), owner).code == 0;
}

static void remove_files(const struct boot *boot)
{
    CHECK(boot->machine.initrd[0] == '/');
    (void)unlink(boot->machine.initrd);
    (void)unlink(boot->machine.serial_log);
    for (int number = 0; number < 3; number++) { /* virtlogd's older parts. */
        char older[DOMAIN_PATH + 8];
        (void)snprintf(older, sizeof(older), "%s.%d", boot->machine.serial_log, number);
        (void)unlink(older);
    }
}

/* The end of the console as it is now; a guest wrote it. */
static void read_console(struct boot *boot)
{
    struct stat about;
    boot->console_size = 0;
    int fd = open(boot->machine.serial_log, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        return; /* Not there yet. */
    }
    if (fstat(fd, &about) == 0 && S_ISREG(about.st_mode)) {
        off_t from = about.st_size > CONSOLE_TAIL ? about.st_size - CONSOLE_TAIL : 0;
        ssize_t got = pread(fd, boot->console, CONSOLE_TAIL, from);
        boot->console_size = got > 0 ? (size_t)got : 0;
    }
    (void)close(fd);
    CHECK(boot->console_size <= CONSOLE_TAIL);
}

static bool line_seen(struct boot *boot)
{
    size_t length = strlen(boot->line);
    CHECK(length > 0);
    for (size_t at = 0; at + length <= boot->console_size; at++) {
        if (memcmp(boot->console + at, boot->line, length) == 0) {
            return true;
        }
    }
    return false;
}

/* What was seen, and what the console said last. */
static void say(struct self_test_told *told, const char *what, const struct boot *boot)
{
    char *said = told->said;
    int used = snprintf(said, sizeof(told->said), "%s, console: ", what);
    CHECK(used > 0 && (size_t)used < sizeof(told->said) / 2);
    host_self_test_tail(
        boot->console, boot->console_size, said + used, sizeof(told->said) - (size_t)used);
    if (said[used] == '\0') {
        (void)snprintf(said, sizeof(told->said), "%s, console silent", what);
    }
}

/* It runs: until the line is there, it ends, or the time is up. */
static void watch(
    struct host_domains *domains,
    const struct self_test *test,
    struct boot *boot,
    struct self_test_told *told)
{
    uint64_t begin_ms = clock_boot_ms();
    CHECK(test->deadline_ms > 0);
    for (;;) {
        bool running = false;
        struct result asked = host_domain_test_running(domains, &running);
        told->took_ms = clock_boot_ms() - begin_ms;
        read_console(boot); /* After the question: what an ended machine said is all there. */
        if (line_seen(boot)) {
            told->verdict = SELF_TEST_BOOTS;
            return;
        }
        if (asked.code == FAILURE_CLOSED) {
            told->verdict = SELF_TEST_UNKNOWN;
            say(told, "libvirt went away", boot);
            return;
        }
        running = running && asked.code == 0; /* Else it ended while it was asked about. */
        if (!running || told->took_ms >= test->deadline_ms) {
            told->verdict = SELF_TEST_FAILS;
            say(told, running ? "still running" : "its QEMU stopped", boot);
            return;
        }
        uv_sleep(POLL_MS);
    }
}

static void boot_once(
    struct host_domains *domains,
    const struct self_test *test,
    struct boot *boot,
    struct self_test_told *told)
{
    char xml[HOST_XML_SIZE];
    char said[1024];
    if (!host_xml_write_test(&boot->machine, xml, sizeof(xml))) { /* An odd directory. */
        (void)snprintf(told->said, sizeof(told->said), "not made: its description is unsound");
        return;
    }
    uint64_t limit = (uint64_t)(MEMORY_MIB + OVERHEAD_MIB) << 20;
    struct result started = host_domain_test_start(domains, xml, limit, said, sizeof(said));
    if (started.code == 0) {
        watch(domains, test, boot, told);
        return;
    }
    bool refused = started.code != FAILURE_CLOSED && started.code != FAILURE_EXISTS;
    told->verdict = refused ? SELF_TEST_FAILS : SELF_TEST_UNKNOWN;
    host_self_test_tail(said, strlen(said), told->said, sizeof(told->said));
}

void host_self_test_run(
    struct host_domains *domains, const struct self_test *test, struct self_test_told *told_out)
{
    struct boot boot = { 0 };
    *told_out = (struct self_test_told){ .verdict = SELF_TEST_UNKNOWN };
    CHECK(domains != NULL);
    struct result ready =
        describe(test, &boot) ? host_domain_test_end(domains) : FAIL(FAILURE_BAD_INPUT);
    if (ready.code == 0) {
        remove_files(&boot);
        ready = host_image_verify(test->images, test->kernel); /* INV-VM-6 */
    }
    if (ready.code == 0 && !write_initrd(&boot)) {
        ready = FAIL(FAILURE_NO_SPACE);
    }
    if (ready.code != 0) {
        (void)snprintf(told_out->said, sizeof(told_out->said), "not made: %s", result_name(ready));
        return;
    }
    boot_once(domains, test, &boot, told_out);
    struct result ended = host_domain_test_end(domains);
    if (ended.code == 0) {
        remove_files(&boot); /* Else the next test, or the next start, does. */
    }
    CHECK(told_out->verdict != 0);
}
