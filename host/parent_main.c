/* udatsu-parent: starts the programs of this machine, each as itself, and starts them again.
 * Decides who lives and who restarts together. Never reads a byte that came from a network, never
 * touches a guest: QEMU belongs to libvirtd.
 *
 * The happy path
 *   machine.yaml and identity.yaml → users, directories, listeners, CPU share → for each row of the
 *   table: socketpairs to its peers, fork, exec, CONFIG → READY → watch.
 * What can go wrong
 *   a program dies, or is not READY in time → its channels are made anew: a peer that can takes the
 *   new end (REJOIN), one that cannot is restarted too; starts back off up to DELAY_MAX_MS.
 *   a program reports a peer's BREACH → that peer is killed and restarted.
 *   parent is killed → the kernel kills every child (PR_SET_PDEATHSIG); PID 1 starts parent again.
 *   SIGTERM, SIGINT → every child's channel is closed, which ends it; after STOP_MS, SIGKILL. */
#include "base/check.h"
#include "host/clock.h"
#include "host/log.h"
#include "host/parent.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    DELAY_MIN_MS = 10,
    DELAY_MAX_MS = 5000,
    LIVED_MS = 10000,  /* Who lived that long starts again at once. */
    READY_MS = 120000, /* engine reads its whole log before it is ready. */
    STOP_MS = 8000,
    DESCRIPTORS = 65536,
    LAST_WORDS_MS = 1000, /* From a closed channel to the end of the process. */
};

static void start(struct parent_child *child);
static void on_timer(uv_timer_t *timer);

static bool running(const struct parent_child *child)
{
    return child->state == PARENT_STARTED || child->state == PARENT_READY;
}

static void end_program(struct parent_child *child, const char *why)
{
    if (!running(child)) {
        return;
    }
    log_line(
        LOG_LEVEL_WARN,
        "process-kill",
        "program=%s child=%d why=%s",
        program_name(child->program),
        (int)child->pid,
        why);
    (void)kill(child->pid, SIGKILL); /* It may be dead already: SIGCHLD says so in any case. */
}

/* Hands a running program the new ends that wait for it, or ends it if it cannot take them. */
static void offer(struct parent_child *child)
{
    if (child->state != PARENT_READY) {
        return;
    }
    for (enum program other = PROGRAM_LINK; other < PROGRAMS_END; other++) {
        if (child->end[other] < 0) {
            continue;
        }
        Wire__Rejoin rejoin = WIRE__REJOIN__INIT;
        rejoin.program = program_name(other);
        Wire__Frame frame = WIRE__FRAME__INIT;
        frame.body_case = WIRE__FRAME__BODY_REJOIN;
        frame.rejoin = &rejoin;
        if (!child->rejoins || child->channel == NULL ||
            channel_send_descriptor(child->channel, &frame, child->end[other]).code != 0) {
            end_program(child, "cannot-rejoin");
            return;
        }
        (void)close(child->end[other]);
        child->end[other] = -1;
    }
}

static bool tell_start(
    struct channel *channel, enum program program, uint64_t count, uint64_t started_ms)
{
    Wire__ProcessRestarted restarted = WIRE__PROCESS_RESTARTED__INIT;
    restarted.program = program_name(program);
    restarted.count = count;
    restarted.started_ms = started_ms;
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.body_case = WIRE__FRAME__BODY_PROCESS_RESTARTED;
    frame.process_restarted = &restarted;
    return channel_send(channel, &frame).code == 0;
}

/* Engine, or agent, is told when each program last started, us included; the cell makes events of
 * restarts. Who hears it for the first time hears of everybody. */
static void tell_starts(struct parent *parent)
{
    bool controller = parent->conf->kind == CONF_KIND_CONTROLLER;
    struct parent_child *hearer = &parent->children[controller ? PROGRAM_ENGINE : PROGRAM_AGENT];
    if (hearer->state != PARENT_READY || hearer->channel == NULL) {
        return;
    }
    if (hearer->told_ms != hearer->started_ms) {
        parent->told_own = false;
        for (enum program program = PROGRAM_LINK; program < PROGRAMS_END; program++) {
            parent->children[program].told_ms = 0;
        }
    }
    parent->told_own =
        parent->told_own || tell_start(hearer->channel, PROGRAM_PARENT, 0, parent->started_ms);
    for (enum program program = PROGRAM_LINK; program < PROGRAMS_END; program++) {
        struct parent_child *child = &parent->children[program];
        if (child->state == PARENT_READY && child->told_ms != child->started_ms &&
            tell_start(hearer->channel, program, child->restarts, child->started_ms)) {
            child->told_ms = child->started_ms;
        }
    }
}

static void on_ready(struct parent_child *child, const Wire__Ready *ready)
{
    if (child->state != PARENT_STARTED) {
        return; /* Said twice: nothing changes. */
    }
    child->state = PARENT_READY;
    child->rejoins = ready->rejoins;
    (void)uv_timer_stop(&child->timer);
    log_line(
        LOG_LEVEL_INFO,
        child->restarts == 0 ? "process-ready" : "process-restart",
        "program=%s child=%d count=%llu ms=%llu",
        program_name(child->program),
        (int)child->pid,
        (unsigned long long)child->restarts,
        (unsigned long long)(clock_boot_ms() - child->started_ms));
    offer(child);
    tell_starts(child->parent);
    for (enum program other = PROGRAM_LINK; other < PROGRAMS_END; other++) {
        struct parent_child *later = &child->parent->children[other];
        bool waits = parent_runs(child->parent->conf->kind, other) &&
                     (parent_row(other)->dies_with & (UINT32_C(1) << child->program)) != 0;
        if (waits && later->state == PARENT_WAITING) {
            start(later);
        }
    }
}

static void on_breach(struct parent_child *child, const Wire__Breach *breach)
{
    struct parent *parent = child->parent;
    for (enum program other = PROGRAM_LINK; other < PROGRAMS_END; other++) {
        if (strcmp(program_name(other), breach->program) == 0 &&
            parent_are_peers(parent->conf->kind, child->program, other)) {
            end_program(&parent->children[other], "breach");
            return;
        }
    }
    log_line(LOG_LEVEL_WARN, "breach-refused", "from=%s", program_name(child->program));
}

static void on_frame(void *context, struct channel *channel, const Wire__Frame *frame)
{
    struct parent_child *child = context;
    if (child->channel != channel) {
        return; /* The last words of one that is gone. */
    }
    if (frame->body_case == WIRE__FRAME__BODY_READY) {
        on_ready(child, frame->ready);
    } else if (frame->body_case == WIRE__FRAME__BODY_BREACH) {
        on_breach(child, frame->breach);
    }
}

static void on_close(void *context, struct channel *channel)
{
    struct parent_child *child = context;
    if (child->channel != channel) {
        return;
    }
    if (child->parent->stopping) {
        child->channel = NULL; /* We closed it: STOP_MS is its time. */
        return;
    }
    child->channel = NULL; /* Dying, most likely: SIGCHLD follows. If not, it is ended. */
    int failed = uv_timer_start(&child->timer, on_timer, LAST_WORDS_MS, 0);
    CHECK(failed == 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct parent_child *child = timer->data;
    if (child->state == PARENT_WAITING) {
        start(child);
    } else {
        end_program(child, child->channel == NULL ? "channel-closed" : "not-ready");
    }
}

static void again_later(struct parent_child *child, bool at_once)
{
    uint32_t doubled = child->delay_ms * 2 > DELAY_MAX_MS ? DELAY_MAX_MS : child->delay_ms * 2;
    child->delay_ms = at_once || doubled < DELAY_MIN_MS ? DELAY_MIN_MS : doubled;
    int failed = uv_timer_start(&child->timer, on_timer, child->delay_ms, 0);
    CHECK(failed == 0);
}

/* Who dies with another needs it to be there: api subscribes to what engine has bound. */
static bool may_start(const struct parent_child *child)
{
    for (enum program other = PROGRAM_LINK; other < PROGRAMS_END; other++) {
        bool needed = (parent_row(child->program)->dies_with & (UINT32_C(1) << other)) != 0;
        if (needed && child->parent->children[other].state != PARENT_READY) {
            return false;
        }
    }
    return true;
}

static void start(struct parent_child *child)
{
    struct parent *parent = child->parent;
    CHECK(child->state == PARENT_WAITING);
    if (parent->stopping || !may_start(child)) {
        return; /* on_ready of the one it waits for starts it. */
    }
    int fd = -1;
    struct result started = parent_spawn(parent, child, &fd);
    if (started.code == 0) {
        child->state = PARENT_STARTED;
        child->rejoins = false;
        child->started_ms = clock_boot_ms();
        struct channel_hooks hooks = { .context = child,
                                       .on_frame = on_frame,
                                       .on_close = on_close };
        started = channel_open(
            &parent->loop, fd, PROGRAM_PARENT, child->program, &hooks, &child->channel);
        if (started.code == 0) {
            started = parent_configure(parent, child);
        }
        int failed = uv_timer_start(&child->timer, on_timer, READY_MS, 0);
        CHECK(failed == 0);
    }
    log_line(
        started.code == 0 ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR,
        "process-start",
        "program=%s child=%d outcome=%s",
        program_name(child->program),
        (int)child->pid,
        result_name(started));
    if (child->state == PARENT_WAITING) {
        again_later(child, false);
        return;
    }
    if (started.code != 0) {
        end_program(child, "no-config"); /* Its death brings the next try. */
    }
    for (enum program other = PROGRAM_LINK; other < PROGRAMS_END; other++) {
        offer(&parent->children[other]);
    }
}

/* Both ends of every channel of a dead program go; a peer that holds a used one sees it close. */
static void part(struct parent *parent, struct parent_child *child)
{
    for (enum program other = PROGRAM_LINK; other < PROGRAMS_END; other++) {
        struct parent_child *peer = &parent->children[other];
        int *ends[2] = { &child->end[other], &peer->end[child->program] };
        for (size_t i = 0; i < COUNT_OF(ends); i++) {
            if (*ends[i] >= 0) {
                (void)close(*ends[i]);
                *ends[i] = -1;
            }
        }
        if (!parent_are_peers(parent->conf->kind, child->program, other)) {
            continue;
        }
        bool bound = (parent_row(other)->dies_with & (UINT32_C(1) << child->program)) != 0;
        if (!parent->stopping && (bound || (peer->state == PARENT_READY && !peer->rejoins))) {
            end_program(peer, "dies-with-peer");
        }
    }
}

static void on_death(struct parent_child *child, int status)
{
    struct parent *parent = child->parent;
    log_line(
        parent->stopping ? LOG_LEVEL_INFO : LOG_LEVEL_WARN,
        "process-exit",
        "program=%s child=%d status=%d signal=%d",
        program_name(child->program),
        (int)child->pid,
        WIFEXITED(status) ? WEXITSTATUS(status) : -1,
        WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    struct channel *channel = child->channel;
    child->channel = NULL;
    channel_close(channel);
    bool was_ready = child->state == PARENT_READY;
    child->state = PARENT_WAITING;
    child->pid = 0;
    (void)uv_timer_stop(&child->timer);
    part(parent, child);
    if (!parent->stopping) {
        child->restarts++;
        /* One that was ready and lived long enough has earned a start at once. */
        again_later(child, was_ready && clock_boot_ms() - child->started_ms > LIVED_MS);
    }
}

static void leave_if_alone(struct parent *parent)
{
    for (enum program program = PROGRAM_LINK; program < PROGRAMS_END; program++) {
        if (running(&parent->children[program])) {
            return;
        }
    }
    log_line(LOG_LEVEL_INFO, "machine-stopped", "name=%s", parent->conf->name);
    exit(0);
}

static void on_sigchld(uv_signal_t *handle, int number)
{
    struct parent *parent = handle->data;
    (void)number;
    for (enum program program = PROGRAM_LINK; program < PROGRAMS_END; program++) {
        struct parent_child *child = &parent->children[program];
        int status = 0;
        if (running(child) && waitpid(child->pid, &status, WNOHANG) == child->pid) {
            on_death(child, status);
        }
    }
    if (parent->stopping) {
        leave_if_alone(parent);
    }
}

static void on_stop_late(uv_timer_t *timer)
{
    struct parent *parent = timer->data;
    for (enum program program = PROGRAM_LINK; program < PROGRAMS_END; program++) {
        end_program(&parent->children[program], "stop-deadline");
    }
}

static void on_stop(uv_signal_t *handle, int number)
{
    struct parent *parent = handle->data;
    if (parent->stopping) {
        return;
    }
    parent->stopping = true;
    log_line(LOG_LEVEL_INFO, "machine-stop", "signal=%d", number);
    int failed = uv_timer_start(&parent->stop_timer, on_stop_late, STOP_MS, 0);
    CHECK(failed == 0);
    for (enum program program = PROGRAM_LINK; program < PROGRAMS_END; program++) {
        channel_close(parent->children[program].channel);
    }
    leave_if_alone(parent);
}

static void make_loop(struct parent *parent)
{
    static const int signals[] = { SIGTERM, SIGINT };
    int failed = uv_loop_init(&parent->loop);
    failed |= uv_timer_init(&parent->loop, &parent->stop_timer);
    failed |= uv_signal_init(&parent->loop, &parent->on_child);
    parent->stop_timer.data = parent;
    parent->on_child.data = parent;
    failed |= uv_signal_start(&parent->on_child, on_sigchld, SIGCHLD);
    for (size_t i = 0; i < COUNT_OF(signals); i++) {
        failed |= uv_signal_init(&parent->loop, &parent->on_stop[i]);
        parent->on_stop[i].data = parent;
        failed |= uv_signal_start(&parent->on_stop[i], on_stop, signals[i]);
    }
    for (enum program program = PROGRAM_LINK; program < PROGRAMS_END; program++) {
        struct parent_child *child = &parent->children[program];
        *child = (struct parent_child){
            .parent = parent, .program = program, .state = PARENT_WAITING, .listen_fd = -1
        };
        for (enum program other = 0; other < PROGRAMS_END; other++) {
            child->end[other] = -1;
        }
        failed |= uv_timer_init(&parent->loop, &child->timer);
        child->timer.data = child;
    }
    CHECK(failed == 0);
}

/* Nothing that our starter left open reaches a child; descriptor 3 stays taken (see spawn). */
static void clean_descriptors(void)
{
    int failed = close_range(3, UINT_MAX, 0);
    CHECK(failed == 0);
    int reserved = open("/dev/null", O_RDWR | O_CLOEXEC);
    CHECK(reserved == 3);
    int in = dup2(reserved, STDIN_FILENO);
    CHECK(in == STDIN_FILENO);
}

/* link holds a descriptor for each machine, api one for each client; children inherit the limit. */
static void raise_descriptors(void)
{
    struct rlimit limit = { DESCRIPTORS, DESCRIPTORS };
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0) {
        return;
    }
    int failed = getrlimit(RLIMIT_NOFILE, &limit);
    CHECK(failed == 0);
    log_line(
        LOG_LEVEL_WARN,
        "descriptors-fallback",
        "limit=%llu wanted=%d",
        (unsigned long long)limit.rlim_max,
        DESCRIPTORS);
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* To the hard limit is always allowed. */
}

static bool find_programs(struct parent *parent)
{
    char self[PATH_MAX] = { 0 };
    ssize_t size = readlink("/proc/self/exe", self, sizeof(self) - 1);
    const char *directory = parent->conf->programs;
    if (directory == NULL) {
        directory = size > 0 ? dirname(self) : "";
    }
    int used = snprintf(parent->directory, sizeof(parent->directory), "%s", directory);
    return used > 0 && (size_t)used < sizeof(parent->directory) && directory[0] == '/';
}

static int fail_start(const char *what, const char *why)
{
    log_line(LOG_LEVEL_ERROR, "machine-start-failed", "what=%s why=%s", what, log_text(why));
    return 1;
}

int main(int argc, char **argv)
{
    static struct parent parent;
    log_start("parent");
    parent.started_ms = clock_boot_ms();
    if (argc != 3 || strcmp(argv[1], "--config") != 0) {
        (void)fprintf(stderr, "usage: udatsu-parent --config FILE\n");
        return 2;
    }
    clean_descriptors();
    raise_descriptors();
    (void)signal(SIGPIPE, SIG_IGN);
    char error[CONF_ERROR_MAX];
    struct conf *conf = NULL;
    struct conf_identity *identity = NULL;
    if (conf_load(argv[2], &conf, error).code != 0) {
        return fail_start("config", error);
    }
    char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/identity.yaml", conf->data);
    if (conf_identity_load(path, &identity, error).code != 0) {
        return fail_start("identity", error);
    }
    parent.conf = conf;
    parent.identity = identity;
    make_loop(&parent);
    if (!find_programs(&parent)) {
        return fail_start("programs", "not an absolute directory");
    }
    if (parent_users(&parent).code != 0 || parent_directories(&parent).code != 0 ||
        parent_listeners(&parent).code != 0) {
        return fail_start("machine", "users, directories or listeners; see the line above");
    }
    parent_cgroup(conf);
    log_line(LOG_LEVEL_INFO, "machine-start", "name=%s id=%s", conf->name, identity->id);
    for (enum program program = PROGRAM_LINK; program < PROGRAMS_END; program++) {
        if (parent_runs(conf->kind, program)) {
            start(&parent.children[program]);
        }
    }
    return uv_run(&parent.loop, UV_RUN_DEFAULT);
}
