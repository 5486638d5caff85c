/* Decides how a helper program is run. Never decides which: callers name nft and tc only, and
 * Landlock holds us to it.
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
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct running {
    pid_t pid;
    int fd; /* Our end: a socket, so that a helper which does not read cannot signal us. */
    struct slice input;
    char *output;
    size_t size;
    size_t used;
    uint64_t deadline;
};

static RESULT start(struct running *run, const char *const *arguments)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return FAIL(FAILURE_IO);
    }
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    CHECK(posix_spawn_file_actions_init(&actions) == 0);
    CHECK(posix_spawnattr_init(&attributes) == 0);
    int failed = 0;
    for (int fd = 0; fd <= 2; fd++) {
        failed |= posix_spawn_file_actions_adddup2(&actions, ends[1], fd);
    }
    char *copies[HOST_EXEC_ARGUMENTS];
    size_t count = 0;
    for (; arguments[count] != NULL; count++) {
        CHECK(count + 1 < HOST_EXEC_ARGUMENTS);
        memcpy(&copies[count], &arguments[count], sizeof(copies[count])); /* Never written to. */
    }
    copies[count] = NULL;
    char *environment[] = { NULL };
    if (failed == 0) {
        failed = posix_spawn(&run->pid, arguments[0], &actions, &attributes, copies, environment);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attributes);
    (void)close(ends[1]);
    if (failed != 0) {
        (void)close(ends[0]);
        return FAIL(failed == ENOENT ? FAILURE_NOT_FOUND : FAILURE_DENIED);
    }
    run->fd = ends[0];
    return OK;
}

static RESULT feed(struct running *run)
{
    CHECK(run->input.size > 0);
    ssize_t sent = send(run->fd, run->input.data, run->input.size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
        return errno == EAGAIN || errno == EINTR ? OK : FAIL(FAILURE_CLOSED);
    }
    run->input = slice_of(run->input.data + sent, run->input.size - (size_t)sent);
    if (run->input.size == 0) {
        (void)shutdown(run->fd, SHUT_WR);
    }
    return OK;
}

/* FAILURE_CLOSED is the normal end: it said all. */
static RESULT hear(struct running *run)
{
    CHECK(run->used < run->size);
    size_t left = run->size - run->used - 1;
    if (left == 0) {
        return FAIL(FAILURE_FULL);
    }
    ssize_t got = recv(run->fd, run->output + run->used, left, MSG_DONTWAIT);
    if (got < 0) {
        return errno == EAGAIN || errno == EINTR ? OK : FAIL(FAILURE_CLOSED);
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
        struct pollfd wait = { .fd = run->fd, .events = POLLIN };
        if (run->input.size > 0) {
            wait.events = (short)(POLLIN | POLLOUT);
        }
        int ready = poll(&wait, 1, (int)(run->deadline - now));
        if (ready < 0 && errno != EINTR) {
            return FAIL(FAILURE_IO);
        }
        if (ready <= 0) {
            continue;
        }
        if ((wait.revents & POLLOUT) != 0 && run->input.size > 0) {
            TRY(feed(run));
        }
        if ((wait.revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
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
        (void)shutdown(run.fd, SHUT_WR);
    }
    struct result ended = pump(&run);
    (void)close(run.fd);
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
