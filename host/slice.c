/* Decides how long a program's turn on the processor is. Never its share, its class or its rank. */
#include "host/slice.h"

#include <linux/types.h>
#include <sched.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* sched_setattr(2); Debian 12's libc has neither the call nor the structure. */
struct attributes {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns;
    uint64_t deadline_ns;
    uint64_t period_ns;
};
_Static_assert(sizeof(struct attributes) == 48, "the kernel's first version of it");

bool slice_shorten(void)
{
    enum { RESET_ON_FORK = 1 };
    const struct attributes wanted = {
        .size = sizeof(wanted),
        .policy = SCHED_OTHER,
        .flags = RESET_ON_FORK,
        .nice = getpriority(PRIO_PROCESS, 0),
        .runtime_ns = (uint64_t)SLICE_US * 1000,
    };
    return syscall(SYS_sched_setattr, 0, &wanted, 0) == 0;
}
