/* PID 1 of one lab machine: starts the programs it was told to run, starts them again when they
 * end, reaps everybody's orphans, and ends the machine in order.
 *
 *   udatsu-lab-init DIRECTORY [-- NAME PROGRAM [ARGUMENT...]]...
 *
 * DIRECTORY holds NAME.log (output of the program) and NAME.pid (its pid in this namespace).
 * It decides when a program is started again, and nothing else: it reads no configuration, opens
 * no socket, and does not know what the programs are for.
 *
 * The happy path: start all in the order given → wait for signals → a program ends: start it again
 * at once → SIGTERM: end all in the opposite order, wait, leave.
 * What can go wrong: a program ends again and again → each start waits longer, up to
 * DELAY_TICKS_MAX; a program cannot be executed → the same; SIGKILL of this process → the kernel
 * ends everything in the namespace, which is the lab's way of cutting the power. */
#include "base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PROGRAMS_MAX = 8,
    TICK_MS = 250,
    STEADY_TICKS = 40,    /* Ten seconds alive: earlier ends are forgiven. */
    DELAY_TICKS_MAX = 20, /* Five seconds between starts of a program that will not stay. */
    STOP_TICKS_MAX = 40,  /* Ten seconds to end in order; then by force. */
};

struct program {
    const char *name;
    char *const *argv; /* Ends with NULL. */
    pid_t pid;         /* 0 while it does not run. */
    uint32_t ends;     /* In a row, without a steady while between them. */
    uint64_t started;  /* Tick. */
    uint64_t due;      /* Tick of the next start while pid is 0. */
};

struct init {
    const char *directory;
    struct program programs[PROGRAMS_MAX];
    uint32_t count;
    uint64_t tick;
    uint64_t stop_tick; /* When the end began. */
    bool stopping;
};

static void say(const char *event, const struct program *program, int64_t value)
{
    CHECK(event != NULL);
    CHECK(program != NULL);
    (void)fprintf(
        stderr, "event=%s program=%s value=%lld\n", event, program->name, (long long)value);
}

static bool path_of(const struct init *init, const char *name, const char *kind, char path_out[256])
{
    CHECK(init != NULL);
    CHECK(name != NULL);
    int length = snprintf(path_out, 256, "%s/%s.%s", init->directory, name, kind);
    return length > 0 && length < 256;
}

static void write_pid(const struct init *init, const struct program *program)
{
    CHECK(program->pid > 0);
    char path[256];
    char text[32];
    if (!path_of(init, program->name, "pid", path)) {
        return;
    }
    int length = snprintf(text, sizeof text, "%d\n", (int)program->pid);
    CHECK(length > 0 && (size_t)length < sizeof text);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) {
        return; /* The file is a convenience; the machine runs without it. */
    }
    (void)!write(fd, text, (size_t)length);
    (void)close(fd);
}

/* In the child: never returns. */
static void become(const struct init *init, const struct program *program)
{
    CHECK(program->argv[0] != NULL);
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)setsid();
    char path[256];
    if (path_of(init, program->name, "log", path)) {
        int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (fd >= 0) {
            (void)dup2(fd, STDOUT_FILENO);
            (void)dup2(fd, STDERR_FILENO);
        }
    }
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null >= 0) {
        (void)dup2(null, STDIN_FILENO);
    }
    (void)execv(program->argv[0], program->argv);
    (void)fprintf(stderr, "event=cannot-execute path=%s error=%d\n", program->argv[0], errno);
    _exit(127);
}

static void start(struct init *init, struct program *program)
{
    CHECK(program->pid == 0);
    CHECK(!init->stopping);
    pid_t pid = fork();
    if (pid == 0) {
        become(init, program);
    }
    program->started = init->tick;
    if (pid < 0) {
        program->due = init->tick + DELAY_TICKS_MAX;
        say("fork-failed", program, errno);
        return;
    }
    program->pid = pid;
    write_pid(init, program);
    say("start", program, pid);
}

static void program_ended(struct init *init, struct program *program, int status)
{
    CHECK(program->pid > 0);
    program->pid = 0;
    if (init->tick - program->started >= STEADY_TICKS) {
        program->ends = 0;
    }
    /* At once the first time, then 1, 2, 4 … ticks later. */
    uint64_t delay = program->ends == 0 ? 0 : UINT64_C(1) << (program->ends - 1);
    if (delay > DELAY_TICKS_MAX) {
        delay = DELAY_TICKS_MAX;
    }
    program->due = init->tick + delay;
    if (program->ends < 16) {
        program->ends++;
    }
    CHECK(program->due - init->tick <= DELAY_TICKS_MAX);
    say("end", program, status);
}

static void reap(struct init *init)
{
    for (;;) {
        int status = 0;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid <= 0) {
            return;
        }
        for (uint32_t i = 0; i < init->count; i++) {
            if (init->programs[i].pid == pid) {
                program_ended(init, &init->programs[i], status);
            }
        }
    }
}

static void start_due(struct init *init)
{
    CHECK(init->count <= PROGRAMS_MAX);
    for (uint32_t i = 0; i < init->count; i++) {
        struct program *program = &init->programs[i];
        if (!init->stopping && program->pid == 0 && program->due <= init->tick) {
            start(init, program);
        }
    }
}

/* The opposite order of starting: one program at a time, the next when it is gone. */
static bool stop_step(struct init *init)
{
    CHECK(init->stopping);
    bool by_force = init->tick - init->stop_tick >= STOP_TICKS_MAX;
    for (uint32_t i = init->count; i > 0; i--) {
        struct program *program = &init->programs[i - 1];
        if (program->pid != 0) {
            (void)kill(program->pid, by_force ? SIGKILL : SIGTERM);
            return false;
        }
    }
    return true;
}

static bool read_arguments(struct init *init, int argc, char **argv)
{
    CHECK(init->count == 0);
    if (argc < 2 || (argc > 2 && strcmp(argv[2], "--") != 0)) {
        return false;
    }
    init->directory = argv[1];
    for (int i = 2; i < argc;) {
        if (init->count == PROGRAMS_MAX || i + 2 >= argc || argv[i + 2][0] != '/') {
            return false;
        }
        argv[i] = NULL; /* Ends the arguments of the program before. */
        struct program *program = &init->programs[init->count++];
        program->name = argv[i + 1];
        program->argv = &argv[i + 2];
        for (i += 3; i < argc && strcmp(argv[i], "--") != 0; i++) {
        }
    }
    CHECK(init->count <= PROGRAMS_MAX);
    return true;
}

static void run(struct init *init, int signals, int timer)
{
    for (;;) {
        struct pollfd waits[2] = {
            { .fd = signals, .events = POLLIN },
            { .fd = timer, .events = POLLIN },
        };
        if (poll(waits, 2, -1) < 0 && errno != EINTR) {
            return;
        }
        struct signalfd_siginfo told;
        while (read(signals, &told, sizeof told) == (ssize_t)sizeof told) {
            if (told.ssi_signo == SIGTERM && !init->stopping) {
                init->stopping = true;
                init->stop_tick = init->tick;
            }
        }
        uint64_t ticks = 0;
        if (read(timer, &ticks, sizeof ticks) == (ssize_t)sizeof ticks) {
            init->tick += ticks;
        }
        reap(init);
        if (init->stopping && stop_step(init)) {
            return;
        }
        start_due(init);
    }
}

int main(int argc, char **argv)
{
    struct init init = { .count = 0 };
    if (!read_arguments(&init, argc, argv)) {
        (void)fprintf(stderr, "usage: %s DIRECTORY [-- NAME /PROGRAM [ARGUMENT...]]...\n", argv[0]);
        return 2;
    }
    /* Blocked and read from a descriptor; PID 1 would ignore them otherwise. */
    sigset_t all;
    (void)sigfillset(&all);
    if (sigprocmask(SIG_SETMASK, &all, NULL) != 0) {
        return 1;
    }
    int signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    struct itimerspec every = {
        .it_interval = { .tv_nsec = TICK_MS * 1000000L },
        .it_value = { .tv_nsec = TICK_MS * 1000000L },
    };
    if (signals < 0 || timer < 0 || timerfd_settime(timer, 0, &every, NULL) != 0) {
        return 1;
    }
    start_due(&init);
    run(&init, signals, timer);
    return 0;
}
