/* Decides how a helper program is run. Never decides which: callers name nft only, and Landlock
 * holds us to it.
 *
 * The happy path: pipes → posix_spawn → write input, read output by poll → end of output → wait.
 * What can go wrong: it cannot be spawned, it hangs (killed at the deadline), it talks too much
 * (killed), it ends badly (its words are in the output room for the log). */
#include "node-agent/host_exec.h"

#include "base/check.h"
#include "host/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct running {
    pid_t pid;
    int to;   /* Its standard input: a pipe, which nft can open as /dev/stdin. -1: closed. */
    int from; /* Its standard output and error. */
    struct slice input;
    char *output;
    size_t size;
    size_t used;
    uint64_t deadline;
};

static int spawn(pid_t *pid_out, const char *const *arguments, int input, int output)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    CHECK(posix_spawn_file_actions_init(&actions) == 0);
    CHECK(posix_spawnattr_init(&attributes) == 0);
    (void)sigemptyset(&defaults);
    (void)sigaddset(&defaults, SIGPIPE);
    int failed = posix_spawn_file_actions_adddup2(&actions, input, 0) |
                 posix_spawn_file_actions_adddup2(&actions, output, 1) |
                 posix_spawn_file_actions_adddup2(&actions, output, 2) |
                 posix_spawnattr_setsigdefault(&attributes, &defaults) |
                 posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    char *copies[HOST_EXEC_ARGUMENTS];
    size_t count = 0;
    for (; arguments[count] != NULL; count++) {
        CHECK(count + 1 < HOST_EXEC_ARGUMENTS);
        memcpy(&copies[count], &arguments[count], sizeof(copies[count])); /* Never written to. */
    }
    copies[count] = NULL;
    char *environment[] = { NULL };
    if (failed == 0) {
        failed = posix_spawn(pid_out, arguments[0], &actions, &attributes, copies, environment);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attributes);
    return failed;
}

static RESULT start(struct running *run, const char *const *arguments)
{
    int input[2];
    int output[2];
    if (pipe2(input, O_CLOEXEC) != 0) {
        return FAIL(FAILURE_IO);
    }
    if (pipe2(output, O_CLOEXEC) != 0) {
        (void)close(input[0]);
        (void)close(input[1]);
        return FAIL(FAILURE_IO);
    }
    int failed = spawn(&run->pid, arguments, input[0], output[1]);
    (void)close(input[0]);
    (void)close(output[1]);
    run->to = input[1];
    run->from = output[0];
    if (failed != 0 || fcntl(run->to, F_SETFL, O_NONBLOCK) != 0) {
        (void)close(run->to);
        (void)close(run->from);
        return FAIL(failed == ENOENT ? FAILURE_NOT_FOUND : FAILURE_DENIED);
    }
    CHECK(run->pid > 0);
    return OK;
}

static void end_input(struct running *run)
{
    if (run->to >= 0) {
        (void)close(run->to);
        run->to = -1;
    }
    CHECK(run->to < 0);
}

/* A helper that does not read its input says why on its output: never a failure here. SIGPIPE is
 * ignored by every program of ours. */
static void feed(struct running *run)
{
    CHECK(run->to >= 0);
    ssize_t sent = write(run->to, run->input.data, run->input.size);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    size_t done = sent < 0 ? run->input.size : (size_t)sent;
    run->input = slice_of(run->input.data + done, run->input.size - done);
    if (run->input.size == 0) {
        end_input(run);
    }
}

/* FAILURE_CLOSED is the normal end: it said all. */
static RESULT hear(struct running *run)
{
    CHECK(run->used < run->size);
    size_t left = run->size - run->used - 1;
    if (left == 0) {
        return FAIL(FAILURE_FULL);
    }
    ssize_t got = read(run->from, run->output + run->used, left);
    if (got < 0) {
        return errno == EINTR ? OK : FAIL(FAILURE_CLOSED);
    }
    run->used += (size_t)got;
    run->output[run->used] = '\0';
    return got == 0 ? FAIL(FAILURE_CLOSED) : OK;
}

static RESULT pump(struct running *run)
{
    for (;;) {
        uint64_t now = clock_boot_ms();
        if (now >= run->deadline) {
            return FAIL(FAILURE_TIMEOUT);
        }
        struct pollfd waits[2] = { { .fd = run->from, .events = POLLIN },
                                   { .fd = run->to, .events = POLLOUT } };
        int ready = poll(waits, run->to >= 0 ? 2 : 1, (int)(run->deadline - now));
        if (ready < 0 && errno != EINTR) {
            return FAIL(FAILURE_IO);
        }
        if (ready <= 0) {
            continue;
        }
        if (run->to >= 0 && waits[1].revents != 0) {
            feed(run);
        }
        if (waits[0].revents != 0) {
            TRY(hear(run));
        }
    }
}

RESULT host_exec(
    const char *const *arguments, struct slice input, char *output, size_t size, int deadline_ms)
{
    CHECK(arguments[0] != NULL);
    CHECK(arguments[0][0] == '/');
    CHECK(size > 1);
    struct running run = {
        .input = input,
        .output = output,
        .size = size,
        .deadline = clock_boot_ms() + (uint64_t)deadline_ms,
    };
    output[0] = '\0';
    TRY(start(&run, arguments));
    if (input.size == 0) {
        end_input(&run);
    }
    struct result ended = pump(&run);
    end_input(&run);
    (void)close(run.from);
    bool said_all = ended.code == FAILURE_CLOSED;
    if (!said_all) {
        (void)kill(run.pid, SIGKILL);
    }
    int status = 0;
    while (waitpid(run.pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (!said_all) {
        return ended;
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? OK : FAIL(FAILURE_IO);
}
