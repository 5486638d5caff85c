/* Decides nothing; asks the kernel for the time. Never called by a core. */
#include "host/clock.h"

#include "base/check.h"

#include <time.h>

static uint64_t now_us(clockid_t clock)
{
    struct timespec now = { 0 };
    int failed = clock_gettime(clock, &now);
    CHECK(failed == 0);
    CHECK(now.tv_sec >= 0);
    return (uint64_t)now.tv_sec * 1000000U + (uint64_t)now.tv_nsec / 1000U;
}

uint64_t clock_boot_ms(void)
{
    return now_us(CLOCK_BOOTTIME) / 1000U;
}

uint64_t clock_boot_us(void)
{
    return now_us(CLOCK_BOOTTIME);
}

uint64_t clock_wall_ms(void)
{
    return now_us(CLOCK_REALTIME) / 1000U;
}
