/* Lives one seed in a child process. Decides only whether it ended well: a violation, a crash or a
 * seed that never ends are all bad. */
#include "tests/sim/plane_seed.h"
#include "base/check.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS_MAX = 300 };

struct plane_tally *plane_tally_new(void)
{
    void *shared = mmap(
        NULL,
        sizeof(struct plane_tally),
        PROT_READ | PROT_WRITE,
        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE,
        -1,
        0);
    CHECK(shared != MAP_FAILED);
    return shared;
}

_Noreturn static void child_main(const struct plane_life *life, struct plane_tally *tally)
{
    static struct plane plane;
    /* Large and mostly untouched memory comes as fresh pages, not as old ones to be cleared. */
    (void)mallopt(M_MMAP_THRESHOLD, 256 * 1024);
    uint64_t most_s = SECONDS_MAX + life->conf.nodes * (1 + life->conf.life_ms / 600000);
    (void)alarm(life->verbose ? 0 : (unsigned int)most_s);
    plane.seed = life->seed;
    plane.until = life->until;
    plane.verbose = life->verbose;
    plane.unrecoverable = life->unrecoverable;
    plane.lie = life->lie;
    plane.conf = life->conf;
    plane.kept = life->kept;
    plane.tally = tally;
    plane_live(&plane);
    (void)fflush(stdout);
    exit(0); /* Not _exit: the leak checker runs here. */
}

bool plane_seed_run(const struct plane_life *life, struct plane_tally *tally)
{
    uint64_t before = tally->events;
    tally->hash = 0;
    tally->failed = false;
    tally->failed_ms = 0;
    tally->events = 0;
    tally->injected_count = 0;
    tally->what[0] = '\0';
    (void)fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        child_main(life, tally);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!good && !tally->failed) {
        (void)snprintf(
            tally->what,
            sizeof(tally->what),
            "CRASH %s %d",
            WIFSIGNALED(status) ? "signal" : "exit",
            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    }
    tally->seeds++;
    tally->seed_events = tally->events;
    tally->events += before;
    return good;
}
