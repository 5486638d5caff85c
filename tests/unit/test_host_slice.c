/* Short turns: asked for by a program, not given to the threads that it makes later. */
#include "host/slice.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What sched_getattr(2) says of the calling thread; the kernel's first version of the structure. */
static uint64_t turn_ns(void)
{
    struct {
        uint32_t size;
        uint32_t policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime_ns;
        uint64_t deadline_ns;
        uint64_t period_ns;
    } attributes = { .size = sizeof(attributes) };
    cr_assert_eq(syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 0), 0);
    return attributes.runtime_ns;
}

static void *other_thread(void *context)
{
    *(uint64_t *)context = turn_ns();
    return NULL;
}

Test(host_slice, a_program_gets_short_turns_and_its_threads_do_not)
{
    uint64_t before = turn_ns();
    cr_assert_neq(before, (uint64_t)SLICE_US * 1000);
    cr_assert(slice_shorten());
    uint64_t after = turn_ns();
    if (after == before) {
        cr_skip_test("this kernel has one length of turns for all");
    }
    cr_assert_eq(after, (uint64_t)SLICE_US * 1000);
    pthread_t thread;
    uint64_t its = 0;
    cr_assert_eq(pthread_create(&thread, NULL, other_thread, &its), 0);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_assert_neq(its, (uint64_t)SLICE_US * 1000);
}
