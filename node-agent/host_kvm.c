/* Decides when the self-test runs, and what its verdict means for the guests to come: one that runs
 * already stays what it is. Never lets anybody wait for it, never says KVM without a boot, never
 * emulates without a reason that the node tells.
 *
 * The happy path: /dev/kvm opens → libvirt and a kernel among the images are there → the test runs
 * in a pool thread → KVM from now on, and it is remembered until this machine boots.
 * What can go wrong: no device, a setting, or a kernel that does not boot (TCG, and why); the test
 * could not be made (again after the next survey); host was killed in the middle (libvirt ended the
 * machine, or the sweep does when libvirt is found). */
#include "node-agent/host_kvm.h"

#include "base/check.h"
#include "host/file.h"
#include "host/log.h"
#include "node-agent/host_image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char qemu[] = "/usr/bin/qemu-system-x86_64";
static const char emulated[] = "; guests are emulated (TCG)";

/* ---- What counts now. ---- */

static void publish(struct host_kvm *kvm, enum domain_type type, const char *fallback)
{
    CHECK(type == DOMAIN_TCG || kvm->memory.boots); /* INV-VM-7 */
    CHECK((type == DOMAIN_TCG) == (fallback[0] != '\0'));
    CHECK(kvm->published_count < COUNT_OF(kvm->published));
    struct host_virtualization *fresh = &kvm->published[kvm->published_count++];
    fresh->type = type;
    bool fits = text_copy(fresh->fallback, sizeof(fresh->fallback), slice_text(fallback));
    CHECK(fits);
    kvm->host->virtualization = fresh; /* Atomic: whoever reads sees the whole of one of them. */
    log_line(
        LOG_LEVEL_INFO,
        "virtualization",
        "type=%s fallback=%s",
        type == DOMAIN_KVM ? "kvm" : "tcg",
        log_text(fallback));
}

__attribute__((format(printf, 2, 3))) static void publish_tcg(
    struct host_kvm *kvm, const char *format, ...)
{
    char fallback[LIMIT_REASON];
    va_list values;
    va_start(values, format);
    int used = vsnprintf(fallback, sizeof(fallback), format, values);
    va_end(values);
    CHECK(used > 0);
    CHECK((size_t)used + sizeof(emulated) <= sizeof(fallback));
    memcpy(fallback + used, emulated, sizeof(emulated));
    publish(kvm, DOMAIN_TCG, fallback);
}

static void publish_memory(struct host_kvm *kvm)
{
    CHECK(kvm->memory.key[0] != '\0');
    if (kvm->memory.boots) {
        kvm->wanted = false;
        publish(kvm, DOMAIN_KVM, "");
    } else if (kvm->memory.failed_count > 0) {
        publish_tcg(
            kvm,
            "KVM: /dev/kvm is there, no kernel booted with it within %d s: %s",
            SELF_TEST_DEADLINE_MS / 1000,
            kvm->memory.said);
    } else {
        publish_tcg(kvm, "KVM: /dev/kvm is there, not proven yet by a boot of a real kernel");
    }
}

/* ---- The work, in a pool thread. ---- */

static void run_test(struct host_kvm *kvm)
{
    CHECK(kvm->image < kvm->images_count);
    const struct self_test test = {
        .type = DOMAIN_KVM,
        .images = kvm->host->image_directory,
        .directory = kvm->directory,
        .kernel = kvm->images[kvm->image],
        .deadline_ms = SELF_TEST_DEADLINE_MS,
    };
    host_self_test_run(kvm->host->domains, &test, &kvm->told);
    CHECK(kvm->told.verdict != 0);
}

static void perform(uv_work_t *work)
{
    struct host_kvm *kvm = work->data;
    CHECK(kvm->busy);
    for (kvm->image = 0; kvm->image < kvm->images_count; kvm->image++) {
        if (host_image_is_kernel(kvm->host->image_directory, kvm->images[kvm->image])) {
            break;
        }
    }
    if (kvm->image < kvm->images_count) {
        run_test(kvm);
    }
    kvm->swept = host_domain_test_end(kvm->host->domains).code == 0;
}

static void look(struct host_kvm *kvm);

static void judged(struct host_kvm *kvm, const uint8_t *kernel)
{
    const struct self_test_told *told = &kvm->told;
    char path[DOMAIN_PATH + 16];
    CHECK(kvm->wanted);
    log_line(
        told->verdict == SELF_TEST_BOOTS ? LOG_LEVEL_INFO : LOG_LEVEL_WARN,
        "self-test",
        "verdict=%s took_ms=%llu said=%s",
        told->verdict == SELF_TEST_BOOTS   ? "boots"
        : told->verdict == SELF_TEST_FAILS ? "fails"
                                           : "unknown",
        (unsigned long long)told->took_ms,
        log_text(told->said));
    if (told->verdict == SELF_TEST_UNKNOWN) {
        publish_tcg(kvm, "KVM: not proven, its test was not made: %s", told->said);
        return;
    }
    if (told->verdict == SELF_TEST_BOOTS) {
        kvm->memory.boots = true;
    } else if (!kvm_memory_failed(&kvm->memory, kernel, told->said)) {
        return; /* What is published names the one before. */
    }
    (void)snprintf(path, sizeof(path), "%s/self-test", kvm->directory);
    struct result saved = kvm_memory_save(path, &kvm->memory);
    if (saved.code != 0) { /* The next start tests again. */
        log_line(LOG_LEVEL_WARN, "self-test-forgotten", "failure=%s", result_name(saved));
    }
    publish_memory(kvm);
}

/* Everything up to the tested image was looked at; what could not be tested is looked at again. */
static void performed(uv_work_t *work, int status)
{
    struct host_kvm *kvm = work->data;
    CHECK(status == 0);
    CHECK(kvm->busy);
    kvm->busy = false;
    kvm->sweep_due = kvm->sweep_due && !kvm->swept;
    bool tested = kvm->image < kvm->images_count;
    bool again = tested && kvm->told.verdict == SELF_TEST_UNKNOWN;
    uint32_t done = kvm->image + (tested && !again ? 1 : 0);
    for (uint32_t i = 0; i < done && kvm->looked_count < LIMIT_NODE_IMAGES; i++) {
        memcpy(kvm->looked[kvm->looked_count++], kvm->images[i], SHA256_SIZE);
    }
    uint8_t kernel[SHA256_SIZE] = { 0 };
    if (tested) {
        memcpy(kernel, kvm->images[kvm->image], SHA256_SIZE);
        kvm->tests++;
    }
    kvm->images_count -= done;
    memmove(kvm->images, kvm->images + done, kvm->images_count * sizeof(kvm->images[0]));
    if (again) {
        kvm->images_count = 0; /* The next survey names them anew. */
        kvm->sweep_due = true;
    }
    if (tested) {
        judged(kvm, kernel);
    }
    if (!again) {
        look(kvm);
    }
}

static void look(struct host_kvm *kvm)
{
    bool test = kvm->wanted && kvm->images_count > 0 && kvm->tests < HOST_KVM_TESTS;
    if (kvm->busy || !kvm->libvirt_up || !(test || kvm->sweep_due)) {
        return;
    }
    if (!test) {
        kvm->images_count = 0;
    }
    kvm->busy = true;
    kvm->work.data = kvm;
    CHECK(uv_queue_work(kvm->loop, &kvm->work, perform, performed) == 0);
}

/* ---- The loop's side. ---- */

void host_kvm_on_libvirt(struct host_kvm *kvm, bool up)
{
    CHECK(kvm->host != NULL);
    kvm->libvirt_up = up;
    kvm->sweep_due = kvm->sweep_due || up;
    if (up) {
        look(kvm);
    }
}

static bool is_known(const struct host_kvm *kvm, const uint8_t *digest)
{
    CHECK(digest != NULL);
    for (uint32_t i = 0; i < kvm->looked_count; i++) {
        if (memcmp(kvm->looked[i], digest, SHA256_SIZE) == 0) {
            return true;
        }
    }
    return kvm_memory_has_failed(&kvm->memory, digest);
}

void host_kvm_on_survey(struct host_kvm *kvm, const Wire__NodeHello *survey)
{
    CHECK(survey != NULL);
    if (kvm->busy || !kvm->wanted) {
        return; /* There will be another survey. */
    }
    kvm->images_count = 0;
    for (size_t i = 0; i < survey->n_images && kvm->images_count < LIMIT_NODE_IMAGES; i++) {
        const ProtobufCBinaryData *image = &survey->images[i];
        if (image->len == SHA256_SIZE && !is_known(kvm, image->data)) {
            memcpy(kvm->images[kvm->images_count++], image->data, SHA256_SIZE);
        }
    }
    look(kvm);
}

/* Why it will not even be tried, or 0. */
static int device_refused(const char *device)
{
    CHECK(device[0] == '/');
    int fd = open(device, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return errno;
    }
    (void)close(fd);
    return 0;
}

bool host_kvm_begin(
    struct host_kvm *kvm,
    struct host *host,
    uv_loop_t *loop,
    const char *setting,
    const char *directory,
    const char *device)
{
    char path[DOMAIN_PATH + 16];
    *kvm = (struct host_kvm){ .host = host, .loop = loop };
    bool off = strcmp(setting, "tcg") == 0;
    const struct file_owner owner = { geteuid(), getegid(), 0711 }; /* QEMU passes through. */
    if ((!off && strcmp(setting, "auto") != 0) ||
        !text_copy(kvm->directory, sizeof(kvm->directory), slice_text(directory)) ||
        (directory[0] != '\0' &&
         (directory[0] != '/' || file_directory(directory, owner).code != 0))) {
        return false;
    }
    int refused = device_refused(device);
    if (off) {
        publish_tcg(kvm, "KVM: not tried, this node's setting is virtualization=tcg");
    } else if (refused == ENOENT) {
        publish_tcg(kvm, "KVM: no %s here", device);
    } else if (refused != 0) {
        publish_tcg(kvm, "KVM: %s does not open: %s", device, strerror(refused));
    } else if (directory[0] == '\0') {
        publish_tcg(kvm, "KVM: not tried, host has no directory of its own");
    } else if (!kvm_memory_key(device, qemu, kvm->memory.key)) {
        publish_tcg(kvm, "KVM: not tried, no %s here", qemu);
    } else {
        kvm->wanted = true;
        (void)snprintf(path, sizeof(path), "%s/self-test", directory);
        kvm_memory_load(path, &kvm->memory);
        publish_memory(kvm);
    }
    CHECK(host->virtualization != NULL);
    return true;
}
