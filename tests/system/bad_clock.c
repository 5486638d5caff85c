/* A wall clock that is wrong by BAD_CLOCK seconds, as a library that is loaded before a program's
 * own. Steady clocks are left alone, as they are by a clock that was set. It opens nothing and asks
 * nothing of the kernel that the program would not, so that it lives inside a sandbox. */
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

typedef int clock_call(clockid_t, struct timespec *);

static clock_call *real_call;
static long long shift_seconds;

int clock_gettime(clockid_t clock, struct timespec *now_out);
time_t time(time_t *now_out);

__attribute__((constructor)) static void begin(void)
{
    const char *text = getenv("BAD_CLOCK");
    void *found = dlsym(RTLD_NEXT, "clock_gettime");
    *(void **)&real_call = found;
    shift_seconds = text == NULL ? 0 : strtoll(text, NULL, 10);
}

int clock_gettime(clockid_t clock, struct timespec *now_out)
{
    /* Allocators ask for the time before anybody's constructor has run. */
    int failed = real_call == NULL ? (int)syscall(SYS_clock_gettime, clock, now_out)
                                   : real_call(clock, now_out);
    if (failed == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        now_out->tv_sec += shift_seconds;
    }
    return failed;
}

time_t time(time_t *now_out)
{
    struct timespec now = { 0 };
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (now_out != NULL) {
        *now_out = now.tv_sec;
    }
    return now.tv_sec;
}
