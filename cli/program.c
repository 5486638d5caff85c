/* Decides how another program is run and for how long. Never runs a shell, never searches PATH.
 *
 * The happy path: pipes, fork, exec; its input is fed and its output read as it likes, in one poll
 * loop; both ends closed, its end is waited for.
 * What can go wrong: it does not read (its input is dropped when it closes or ends), does not end
 * (its group is killed at the deadline), says too much (killed). */
#include "cli/program.h"

#include "base/check.h"
#include "host/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct running {
    const struct program *program;
    struct program_end *end;
    pid_t pid;
    int pidfd;
    int feed;   /* Write end of its input, -1 once closed. */
    int listen; /* Read end of its output, -1 once closed or not wanted. */
    size_t fed;
    bool ended;
};

static void close_end(int *fd)
{
    CHECK(fd != NULL);
    if (*fd >= 0) {
        (void)close(*fd); /* A pipe's end: nothing is buffered in it. */
        *fd = -1;
    }
}

/* In the child: never returns. Only async-signal-safe calls. */
static _Noreturn void become(const struct program *program, int input, int output)
{
    static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    char *environment[] = { path, NULL };
    (void)setpgid(0, 0);
    (void)signal(SIGPIPE, SIG_DFL);
    if (dup2(input, 0) == 0 && dup2(program->collect ? output : 2, 1) == 1 &&
        close_range(3, ~0U, 0) == 0) {
        (void)execve(program->argv[0], (char *const *)(uintptr_t)program->argv, environment);
    }
    _exit(127);
}

static RESULT start(struct running *running)
{
    int in[2] = { -1, -1 };
    int out[2] = { -1, -1 };
    CHECK(running->program->argv[0][0] == '/');
    if (access(running->program->argv[0], X_OK) != 0) {
        return FAIL(FAILURE_NOT_FOUND);
    }
    if (pipe2(in, O_CLOEXEC) != 0) {
        return FAIL(FAILURE_IO);
    }
    if (pipe2(out, O_CLOEXEC) != 0) {
        close_end(&in[0]);
        close_end(&in[1]);
        return FAIL(FAILURE_IO);
    }
    pid_t pid = fork();
    if (pid == 0) {
        become(running->program, in[0], out[1]);
    }
    close_end(&in[0]);
    close_end(&out[1]);
    running->feed = in[1];
    running->listen = out[0];
    if (pid < 0) {
        close_end(&running->feed);
        close_end(&running->listen);
        return FAIL(FAILURE_IO);
    }
    CHECK(pid > 0);
    (void)setpgid(pid, pid); /* Whoever is first; the other's call does nothing. */
    (void)fcntl(running->feed, F_SETFL, O_NONBLOCK);
    (void)fcntl(running->listen, F_SETFL, O_NONBLOCK);
    running->pid = pid;
    running->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (running->pidfd >= 0) {
        (void)fcntl(running->pidfd, F_SETFD, FD_CLOEXEC);
    }
    return OK;
}

static void feed(struct running *running)
{
    const struct slice input = running->program->input;
    CHECK(running->fed <= input.size);
    if (running->fed == input.size) {
        close_end(&running->feed);
        return;
    }
    ssize_t sent = write(running->feed, input.data + running->fed, input.size - running->fed);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        close_end(&running->feed); /* It does not want more. */
        return;
    }
    running->fed += sent > 0 ? (size_t)sent : 0;
    CHECK(running->fed <= input.size);
}

static RESULT hear(struct running *running)
{
    struct program_end *end = running->end;
    CHECK(end->size <= PROGRAM_OUTPUT_MAX);
    if (end->output == NULL) {
        end->output = malloc(PROGRAM_OUTPUT_MAX + 1);
        if (end->output == NULL) {
            return FAIL(FAILURE_NO_SPACE);
        }
    }
    ssize_t got =
        read(running->listen, end->output + end->size, PROGRAM_OUTPUT_MAX + 1 - end->size);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        close_end(&running->listen);
        return OK;
    }
    end->size += got > 0 ? (size_t)got : 0;
    return end->size > PROGRAM_OUTPUT_MAX ? FAIL(FAILURE_FULL) : OK;
}

static RESULT converse(struct running *running)
{
    uint64_t end_ms = clock_boot_ms() + running->program->timeout_ms;
    CHECK(running->pidfd >= 0);
    while (!running->ended || running->listen >= 0) {
        struct pollfd polls[3] = {
            { .fd = running->feed, .events = POLLOUT },
            { .fd = running->listen, .events = POLLIN },
            { .fd = running->ended ? -1 : running->pidfd, .events = POLLIN },
        };
        uint64_t now_ms = clock_boot_ms();
        if (now_ms >= end_ms) {
            return FAIL(FAILURE_TIMEOUT);
        }
        int ready = poll(polls, 3, (int)(end_ms - now_ms));
        if (ready < 0 && errno != EINTR) {
            return FAIL(FAILURE_IO);
        }
        if (ready <= 0) {
            continue;
        }
        if (polls[0].revents != 0) {
            feed(running);
        }
        if (polls[1].revents != 0) {
            TRY(hear(running));
        }
        running->ended = running->ended || polls[2].revents != 0;
    }
    return OK;
}

RESULT program_run(const struct program *program, struct program_end *end)
{
    CHECK(program->timeout_ms > 0);
    CHECK(program->argv[0] != NULL);
    memset(end, 0, sizeof(*end));
    struct running running = { .program = program, .end = end, .feed = -1, .listen = -1 };
    /* A program that closes its input must not end us. */
    void (*before)(int) = signal(SIGPIPE, SIG_IGN);
    struct result result = start(&running);
    if (result.code != 0) {
        (void)signal(SIGPIPE, before);
        return result;
    }
    if (!program->collect) {
        close_end(&running.listen);
    }
    result = running.pidfd < 0 ? FAIL(FAILURE_UNSUPPORTED) : converse(&running);
    if (result.code != 0) {
        (void)kill(-running.pid, SIGKILL);
    }
    int status = 0;
    (void)waitpid(running.pid, &status, 0);
    end->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    close_end(&running.feed);
    close_end(&running.listen);
    close_end(&running.pidfd);
    (void)signal(SIGPIPE, before);
    return result;
}

void program_end_free(struct program_end *end)
{
    CHECK(end != NULL);
    free(end->output);
    end->output = NULL;
    end->size = 0;
}
