/* Decides how much of this machine guests may have. Whether they get KVM is host_kvm.c's. */
#include "node-agent/host_machine.h"

#include "base/check.h"

#include <unistd.h>

enum {
    RESERVE_VCPUS = 1,     /* For management, on machines that have more than one. */
    RESERVE_PERCENT = 10,  /* Of memory … */
    RESERVE_MIB_MIN = 512, /* … and never less. */
};

void host_machine_measure(struct host *host, uint64_t vcpus, uint64_t memory_mib)
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
    CHECK(host->vcpus > 0);
}
