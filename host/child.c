/* Decides how a program is born and when it ends: with its parent. Never decides what a frame
 * means; the main's hooks do.
 *
 * The happy path: see child.h.
 * What can go wrong: no CONFIG in time, or a bad one → exit 1; the sandbox cannot be entered → exit
 * 1; parent goes away → the loop ends; a peer goes away → to[peer] is NULL until parent hands over
 * a new channel (REJOIN), or parent restarts us too; a peer breaks the rules → parent is told and
 * ends it. */
#include "host/child.h"

#include "base/check.h"
#include "base/limits.h"
#include "host/bus.h"
#include "host/log.h"
#include "host/slice.h"
#include "wire/wire.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    CONFIG_WAIT_MS = 10000,
    CONFIG_MEMORY = 4 * LIMIT_FRAME,
    PARENT_FD = 3,
    FD_MAX = 1023,
};

static _Noreturn void give_up(const char *why, const char *what)
{
    log_line(LOG_LEVEL_ERROR, "child-start-failed", "why=%s what=%s", why, log_text(what));
    exit(1);
}

/* "NAME=N": a program's name, or "listen". */
static void take_pair(struct child *child, const char *pair)
{
    const char *equals = strchr(pair, '=');
    char *end = NULL;
    long fd = equals == NULL ? -1 : strtol(equals + 1, &end, 10);
    if (fd < PARENT_FD || fd > FD_MAX || end == equals + 1 || *end != '\0') {
        give_up("bad-fd", pair);
    }
    size_t size = (size_t)(equals - pair);
    if (size == strlen("listen") && strncmp(pair, "listen", size) == 0) {
        child->listen_fd = (int)fd;
        return;
    }
    for (enum program program = PROGRAM_PARENT; program < PROGRAMS_END; program++) {
        const char *name = program_name(program);
        if (size == strlen(name) && strncmp(pair, name, size) == 0 && program != child->self) {
            child->fd[program] = (int)fd;
            return;
        }
    }
    give_up("bad-fd", pair);
}

static void take_config(struct child *child)
{
    static uint8_t bytes[LIMIT_FRAME];
    struct pollfd wait = { .fd = child->fd[PROGRAM_PARENT], .events = POLLIN };
    if (poll(&wait, 1, CONFIG_WAIT_MS) != 1) {
        give_up("no-config", "deadline");
    }
    ssize_t size = recv(wait.fd, bytes, sizeof(bytes), MSG_TRUNC);
    if (size <= 0 || size > LIMIT_FRAME) {
        give_up("no-config", "size");
    }
    child->memory = calloc(1, CONFIG_MEMORY);
    CHECK(child->memory != NULL); /* At the start of a process. */
    struct arena arena;
    arena_init(&arena, child->memory, CONFIG_MEMORY);
    Wire__Frame *frame = NULL;
    struct slice given = slice_of(bytes, (size_t)size);
    if (wire_decode(&wire__frame__descriptor, given, &arena, &frame).code != 0 ||
        frame->format != FRAME_FORMAT || frame->body_case != WIRE__FRAME__BODY_CONFIG ||
        frame->config->self == NULL) {
        give_up("bad-config", "frame");
    }
    child->config = frame->config;
}

void child_start(struct child *child, enum program self, int argc, char **argv)
{
    CHECK(self != PROGRAM_PARENT);
    *child = (struct child){ .self = self, .listen_fd = -1 };
    for (enum program program = PROGRAM_PARENT; program < PROGRAMS_END; program++) {
        child->fd[program] = -1;
    }
    child->fd[PROGRAM_PARENT] = PARENT_FD;
    log_start(program_name(self));
    (void)slice_shorten(); /* An older kernel: requests wait a little longer beside others. */
    (void)signal(SIGPIPE, SIG_IGN); /* A closed peer is an answer of write, not a death. */
    /* libc would read its time zone from a file at the first calendar call, in the sandbox. */
    if (setenv("TZ", "UTC0", 1) != 0) {
        give_up("environment", "TZ");
    }
    tzset();
    for (int i = 1; i < argc; i += 2) {
        if (strcmp(argv[i], "--fd") != 0 || i + 1 >= argc) {
            give_up("bad-argument", argv[i]);
        }
        take_pair(child, argv[i + 1]);
    }
    int failed = uv_loop_init(&child->loop);
    CHECK(failed == 0);
    take_config(child);
}

const char *child_setting(const struct child *child, const char *name, const char *otherwise)
{
    CHECK(child->config != NULL);
    for (size_t i = 0; i < child->config->n_settings; i++) {
        if (strcmp(child->config->settings[i]->name, name) == 0) {
            return child->config->settings[i]->value;
        }
    }
    return otherwise;
}

static uint32_t setting_number(const struct child *child, const char *name)
{
    const char *text = child_setting(child, name, "0");
    char *end = NULL;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value > UINT32_MAX) {
        give_up("bad-setting", name);
    }
    return (uint32_t)value;
}

void child_confine(struct child *child, const struct sandbox *sandbox)
{
    struct sandbox wish = *sandbox;
    if (wish.uid == 0) {
        wish.uid = setting_number(child, "uid");
        wish.gid = setting_number(child, "gid");
    }
    if (bus_is_bound()) {
        wish.promises |= PROMISE_ACCEPT;
    }
    if (bus_is_subscribed()) {
        wish.promises |= PROMISE_REFUSE_UNIX;
    }
    if (sandbox_enter(&wish).code != 0) {
        give_up("sandbox", strerror(errno));
    }
}

static void tell_breach(void *context, struct channel *channel)
{
    struct child *child = context;
    struct channel *parent = child->to[PROGRAM_PARENT];
    if (parent == NULL || channel == parent) {
        return;
    }
    Wire__Breach breach = WIRE__BREACH__INIT;
    breach.program = program_name(channel_other(channel));
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.body_case = WIRE__FRAME__BODY_BREACH;
    frame.breach = &breach;
    struct result sent = channel_send(parent, &frame);
    (void)sent; /* If parent is gone, so are we. */
}

static void open_one(struct child *child, enum program other);

static void on_close(void *context, struct channel *channel)
{
    struct child *child = context;
    enum program other = channel_other(channel);
    child->to[other] = NULL;
    if (other == PROGRAM_PARENT) {
        uv_stop(&child->loop);
        return;
    }
    if (child->hooks->on_close != NULL) {
        child->hooks->on_close(child->hooks->context, channel);
    }
    if (child->fd[other] >= 0) { /* The new end came before the old one was seen to close. */
        open_one(child, other);
    }
}

static void rejoin(struct child *child, const char *name)
{
    int fd = channel_take_descriptor(child->to[PROGRAM_PARENT]);
    for (enum program other = PROGRAM_LINK; other < PROGRAMS_END && fd >= 0; other++) {
        if (other == child->self || strcmp(program_name(other), name) != 0) {
            continue;
        }
        if (child->fd[other] >= 0) { /* A second restart overtook the first. */
            (void)close(child->fd[other]);
        }
        child->fd[other] = fd;
        if (child->to[other] != NULL) {
            channel_close(child->to[other]);
        } else {
            open_one(child, other);
        }
        return;
    }
    log_line(LOG_LEVEL_WARN, "rejoin-refused", "program=%s fd=%d", log_text(name), fd);
}

static void on_frame(void *context, struct channel *channel, const Wire__Frame *frame)
{
    struct child *child = context;
    if (frame->body_case == WIRE__FRAME__BODY_REJOIN) {
        rejoin(child, frame->rejoin->program);
        return;
    }
    if (child->hooks->on_frame != NULL) {
        child->hooks->on_frame(child->hooks->context, channel, frame);
    }
}

static void on_bytes(
    void *context, struct channel *channel, const struct envelope *envelope, struct slice bytes)
{
    struct child *child = context;
    child->hooks->on_bytes(child->hooks->context, channel, envelope, bytes);
}

static void on_drain(void *context, struct channel *channel)
{
    struct child *child = context;
    if (child->hooks->on_drain != NULL) {
        child->hooks->on_drain(child->hooks->context, channel);
    }
}

/* The channel takes the descriptor over: child->fd is -1 again. */
static void open_one(struct child *child, enum program other)
{
    CHECK(child->fd[other] >= 0);
    CHECK(child->to[other] == NULL);
    struct channel_hooks hooks = {
        .context = child,
        .on_frame = on_frame,
        .on_close = on_close,
        .on_drain = on_drain,
        .on_breach = tell_breach,
    };
    if (other == PROGRAM_ENGINE || other == PROGRAM_AGENT) {
        hooks.on_bytes = child->hooks->on_bytes == NULL ? NULL : on_bytes;
    }
    int fd = child->fd[other];
    child->fd[other] = -1;
    if (channel_open(&child->loop, fd, child->self, other, &hooks, &child->to[other]).code != 0) {
        give_up("channel", program_name(other));
    }
    if (other != PROGRAM_PARENT && child->hooks->on_open != NULL) {
        child->hooks->on_open(child->hooks->context, child->to[other]);
    }
}

int child_run(struct child *child, const struct channel_hooks *hooks)
{
    CHECK(hooks->on_frame != NULL);
    child->hooks = hooks;
    for (enum program other = PROGRAM_PARENT; other < PROGRAMS_END; other++) {
        if (child->fd[other] >= 0) {
            open_one(child, other);
        }
    }
    CHECK(child->to[PROGRAM_PARENT] != NULL);
    Wire__Ready ready = WIRE__READY__INIT;
    ready.rejoins = hooks->on_open != NULL;
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.body_case = WIRE__FRAME__BODY_READY;
    frame.ready = &ready;
    if (channel_send(child->to[PROGRAM_PARENT], &frame).code != 0) {
        return 1;
    }
    (void)uv_run(&child->loop, UV_RUN_DEFAULT); /* Stopped by on_close of parent's channel. */
    for (enum program other = PROGRAM_PARENT; other < PROGRAMS_END; other++) {
        channel_close(child->to[other]);
    }
    (void)uv_run(&child->loop, UV_RUN_NOWAIT); /* Lets the channels go. */
    log_line(LOG_LEVEL_INFO, "child-end", "reason=parent-gone");
    return 0;
}
