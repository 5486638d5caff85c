/* Decides what this machine offers. Never trusts libvirt's or the kernel's claim that KVM works: a
 * claim without a real guest kernel booted under it counts as no (measured: such a claim was
 * false).
 *
 * The boot self-test under KVM is not there yet, so that every node says TCG and why. */
#include "node-agent/host_machine.h"

#include "base/check.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    RESERVE_VCPUS = 1,     /* For management, on machines that have more than one. */
    RESERVE_PERCENT = 10,  /* Of memory … */
    RESERVE_MIB_MIN = 512, /* … and never less. */
};

static bool exists(const char *directory, const char *name)
{
    char path[256];
    struct stat about;
    CHECK(directory[0] == '/');
    int used = snprintf(path, sizeof(path), "%s%s", directory, name);
    CHECK(used > 0 && (size_t)used < sizeof(path));
    return stat(path, &about) == 0;
}

static const char *why_not_kvm(const char *modules, const char *kvm)
{
    CHECK(modules != NULL);
    CHECK(kvm != NULL);
    if (exists(modules, "/kvm_pvm")) {
        return "KVM: this machine's is kvm_pvm, which does not boot packaged kernels; guests are "
               "emulated (TCG)";
    }
    if (!exists(kvm, "") || (!exists(modules, "/kvm_intel") && !exists(modules, "/kvm_amd"))) {
        return "KVM: no kvm_intel or kvm_amd here; guests are emulated (TCG)";
    }
    return "KVM: not proven by a boot of a real kernel; guests are emulated (TCG)";
}

void host_machine_measure(
    struct host *host, uint64_t vcpus, uint64_t memory_mib, const char *modules, const char *kvm)
{
    CHECK(host != NULL);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    long pages = sysconf(_SC_PHYS_PAGES);
    long page = sysconf(_SC_PAGESIZE);
    uint64_t all_vcpus = online > 0 ? (uint64_t)online : 1;
    uint64_t all_mib =
        pages > 0 && page > 0 ? ((uint64_t)pages * (uint64_t)page) >> 20 : RESERVE_MIB_MIN;
    uint64_t reserve_mib = all_mib * RESERVE_PERCENT / 100;
    reserve_mib = reserve_mib < RESERVE_MIB_MIN ? RESERVE_MIB_MIN : reserve_mib;
    host->vcpus = all_vcpus > RESERVE_VCPUS ? all_vcpus - RESERVE_VCPUS : all_vcpus;
    host->memory_bytes = all_mib > reserve_mib ? (all_mib - reserve_mib) << 20 : 0;
    if (vcpus != 0) {
        host->vcpus = vcpus;
    }
    if (memory_mib != 0 && memory_mib < UINT64_MAX >> 20) {
        host->memory_bytes = memory_mib << 20;
    }
    host->type = DOMAIN_TCG;
    int used = snprintf(host->fallback, sizeof(host->fallback), "%s", why_not_kvm(modules, kvm));
    CHECK(used > 0);
    CHECK((size_t)used < sizeof(host->fallback));
}
