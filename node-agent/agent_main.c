/* The agent's shell: turns frames, ticks and lost channels into events, and does the effects in
 * order. Decides nothing about instances (core/). Never touches a network, libvirt or a device.
 *
 * The happy path: state file read → host's channel opens → link says which controllers are up →
 * frames in, agent_step, effects out: state saved durably first, then verbs and frames.
 * What can go wrong: the state file is torn (read as none: the controllers' orders carry all that
 * counts); it cannot be written (we exit: an agent that cannot remember a term must not act on it);
 * host or link restarts (its channel closes and a new one comes). */
#include "base/check.h"
#include "host/child.h"
#include "host/clock.h"
#include "host/log.h"
#include "host/renewal.h"
#include "node-agent/agent_state.h"
#include "node-agent/core/agent.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TICK_MS = 100 };

struct agent_program {
    struct child child;
    struct agent agent;
    struct agent_effects effects;
    struct arena arena;
    struct agent_saved saved;
    struct agent_state_file state;
    struct renewal renewal;
    uint8_t boot_id[AGENT_BOOT_ID_SIZE];
    uv_timer_t tick;
    bool started;
};

static struct agent_program program;
static _Alignas(16) uint8_t memory[AGENT_ARENA_BYTES];

/* ---- Effects. ---- */

static void save(struct agent_program *self)
{
    agent_save(&self->agent, &self->saved);
    struct result saved = agent_state_write(&self->state, &self->saved);
    if (saved.code != 0) {
        log_line(LOG_LEVEL_ERROR, "state-not-saved", "failure=%s", result_name(saved));
        exit(1);
    }
    CHECK(self->saved.instances_count <= LIMIT_NODE_INSTANCES);
}

static void send_to(struct agent_program *self, enum program other, Wire__Frame *frame)
{
    struct channel *channel = self->child.to[other];
    CHECK(frame != NULL);
    if (channel == NULL) {
        return; /* Its closing was or will be an event of its own. */
    }
    struct result sent = channel_send(channel, frame);
    if (sent.code != 0) {
        log_line(
            LOG_LEVEL_WARN,
            "frame-not-sent",
            "to=%s body=%s failure=%s",
            program_name(other),
            frame_name(frame->body_case),
            result_name(sent));
    }
}

static void do_effect(struct agent_program *self, const struct agent_effect *effect)
{
    switch (effect->kind) {
    case AGENT_EFFECT_SAVE: save(self); return;
    case AGENT_EFFECT_VERB: send_to(self, PROGRAM_HOST, effect->frame); return;
    case AGENT_EFFECT_FRAME:
        CHECK(effect->frame->peer != NULL);
        CHECK(effect->frame->peer->id == effect->controller);
        send_to(self, PROGRAM_LINK, effect->frame);
        return;
    case AGENT_EFFECT_LOG:
        log_line(
            LOG_LEVEL_INFO,
            agent_log_name(effect->log),
            "id=%016llx count=%llu",
            (unsigned long long)effect->id,
            (unsigned long long)effect->count);
        return;
    }
    UNREACHABLE();
}

static void step(struct agent_program *self, struct agent_event *event)
{
    CHECK(self->started || event->kind == AGENT_EVENT_START);
    event->now_ms = clock_boot_ms();
    agent_step(&self->agent, event, &self->effects);
    CHECK(self->effects.count <= AGENT_EFFECTS);
    for (uint32_t i = 0; i < self->effects.count; i++) {
        do_effect(self, &self->effects.items[i]);
    }
}

/* ---- Our certificate. ---- */

static void ask_keys(struct agent_program *self, Wire__RenewAsk *ask)
{
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.body_case = WIRE__FRAME__BODY_RENEW_ASK;
    frame.renew_ask = ask;
    send_to(self, PROGRAM_KEYS, &frame);
}

/* To every controller that we know: only the leader answers, and one that lets us in for nothing
 * else does not look up from here. */
static void ask_cell(struct agent_program *self, const Wire__RenewTold *told)
{
    Wire__Identity peer = WIRE__IDENTITY__INIT;
    Wire__NodeCertify certify = WIRE__NODE_CERTIFY__INIT;
    Wire__Frame frame = WIRE__FRAME__INIT;
    certify.handle = told->handle;
    certify.csr = told->csr;
    peer.kind = WIRE__KIND__KIND_CONTROLLER;
    frame.peer = &peer;
    frame.body_case = WIRE__FRAME__BODY_NODE_CERTIFY;
    frame.node_certify = &certify;
    for (uint32_t i = 0; i < LIMIT_CONTROLLERS; i++) {
        peer.id = self->agent.controllers[i].id;
        if (peer.id != 0) {
            send_to(self, PROGRAM_LINK, &frame);
        }
    }
}

static bool somebody_is_up(const struct agent_program *self)
{
    bool up = false;
    for (uint32_t i = 0; i < LIMIT_CONTROLLERS; i++) {
        up = up || self->agent.controllers[i].up;
    }
    return up;
}

static void on_keys_frame(struct agent_program *self, const Wire__Frame *frame)
{
    if (frame->body_case == WIRE__FRAME__BODY_PAPERS) {
        renewal_papers(&self->renewal, frame->papers);
    } else if (
        frame->body_case == WIRE__FRAME__BODY_RENEW_TOLD &&
        renewal_told(&self->renewal, frame->renew_told)) {
        ask_cell(self, frame->renew_told);
    }
}

static void on_certified(struct agent_program *self, const Wire__NodeCertified *certified)
{
    Wire__RenewAsk ask;
    struct slice made = slice_of(certified->certificate.data, certified->certificate.len);
    if (renewal_certificate(&self->renewal, certified->handle, made, &ask)) {
        ask_keys(self, &ask);
    }
}

/* ---- Events. ---- */

static void on_link_frame(struct agent_program *self, const Wire__Frame *frame)
{
    struct agent_event event = { 0 };
    CHECK(frame != NULL);
    if (frame->peer == NULL || frame->peer->kind != WIRE__KIND__KIND_CONTROLLER ||
        frame->peer->id == 0) {
        return; /* link stamps every frame; without a controller's stamp it is nobody's. */
    }
    event.controller = frame->peer->id;
    switch ((int)frame->body_case) {
    case WIRE__FRAME__BODY_LINK_STATE:
        event.kind = AGENT_EVENT_LINK;
        event.up = frame->link_state->up;
        break;
    case WIRE__FRAME__BODY_NODE_CERTIFIED: on_certified(self, frame->node_certified); return;
    case WIRE__FRAME__BODY_NODE_WELCOME:
        event.kind = AGENT_EVENT_WELCOME;
        event.welcome = frame->node_welcome;
        break;
    case WIRE__FRAME__BODY_NODE_ORDERS:
        event.kind = AGENT_EVENT_ORDERS;
        event.orders = frame->node_orders;
        break;
    case WIRE__FRAME__BODY_CONSOLE_ASK:
        event.kind = AGENT_EVENT_CONSOLE_ASK;
        event.console_ask = frame->console_ask;
        break;
    default: return;
    }
    CHECK(event.kind != 0);
    step(self, &event);
}

static void on_host_frame(struct agent_program *self, const Wire__Frame *frame)
{
    struct agent_event event = { 0 };
    CHECK(frame != NULL);
    if (frame->body_case == WIRE__FRAME__BODY_VERB_TOLD) {
        event.kind = AGENT_EVENT_TOLD;
        event.told = frame->verb_told;
    } else if (frame->body_case == WIRE__FRAME__BODY_HOST_EVENT) {
        event.kind = AGENT_EVENT_HOST;
        event.host = frame->host_event;
    } else {
        return;
    }
    CHECK(event.told != NULL || event.host != NULL);
    step(self, &event);
}

static void on_frame(void *context, struct channel *channel, const Wire__Frame *frame)
{
    CHECK(context == &program);
    if (frame->body_case == WIRE__FRAME__BODY_PROCESS_RESTARTED) {
        struct agent_event event = { .kind = AGENT_EVENT_PROCESS,
                                     .process = frame->process_restarted };
        step(context, &event); /* Only parent may say it (wire/frame.c). */
    } else if (channel_other(channel) == PROGRAM_LINK) {
        on_link_frame(context, frame);
    } else if (channel_other(channel) == PROGRAM_HOST) {
        on_host_frame(context, frame);
    } else if (channel_other(channel) == PROGRAM_KEYS) {
        on_keys_frame(context, frame);
    }
}

static void host_state(struct agent_program *self, bool up)
{
    struct agent_event event = { .kind = AGENT_EVENT_HOST_STATE, .up = up };
    CHECK(self->started);
    step(self, &event);
}

static void on_open(void *context, struct channel *channel)
{
    CHECK(context == &program);
    CHECK(channel != NULL);
    if (channel_other(channel) == PROGRAM_HOST) {
        host_state(context, true);
    }
}

/* A link that died took all its connections along. */
static void link_gone(struct agent_program *self)
{
    for (uint32_t i = 0; i < LIMIT_CONTROLLERS; i++) {
        const struct agent_controller *controller = &self->agent.controllers[i];
        if (controller->id != 0 && controller->up) {
            struct agent_event event = { .kind = AGENT_EVENT_LINK,
                                         .controller = controller->id,
                                         .up = false };
            step(self, &event);
        }
        CHECK(!controller->up);
    }
}

static void on_close(void *context, struct channel *channel)
{
    struct agent_program *self = context;
    CHECK(self == &program);
    enum program other = channel_other(channel);
    log_line(LOG_LEVEL_INFO, "channel-closed", "peer=%s", program_name(other));
    if (other == PROGRAM_HOST) {
        host_state(self, false);
    } else if (other == PROGRAM_LINK) {
        link_gone(self);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct agent_program *self = timer->data;
    struct agent_event event = { .kind = AGENT_EVENT_TICK };
    Wire__RenewAsk ask;
    CHECK(self == &program);
    if (somebody_is_up(self) &&
        renewal_clock(&self->renewal, clock_boot_ms(), clock_wall_ms() / 1000U, &ask)) {
        ask_keys(self, &ask);
    }
    step(self, &event);
}

/* ---- Birth. ---- */

static void start(struct agent_program *self, bool have_saved)
{
    struct agent_event event = { .kind = AGENT_EVENT_START };
    CHECK(!self->started);
    event.saved = have_saved ? &self->saved : NULL;
    memcpy(event.boot_id, self->boot_id, sizeof(event.boot_id));
    self->started = true;
    step(self, &event);
    CHECK(uv_timer_init(&self->child.loop, &self->tick) == 0);
    self->tick.data = self;
    CHECK(uv_timer_start(&self->tick, on_tick, TICK_MS, TICK_MS) == 0);
}

int main(int argc, char **argv)
{
    log_start("agent");
    child_start(&program.child, PROGRAM_AGENT, argc, argv);
    agent_init(&program.agent);
    renewal_init(&program.renewal, program.child.config->self->id);
    arena_init(&program.arena, memory, sizeof(memory));
    program.effects.arena = &program.arena;
    const char *directory = program.child.config->data_directory;
    struct result opened = agent_state_open(&program.state, directory);
    if (opened.code != 0 || agent_state_boot_id(program.boot_id).code != 0) {
        log_line(LOG_LEVEL_ERROR, "no-state", "directory=%s", log_text(directory));
        return 2;
    }
    const struct sandbox_path paths[] = { { .path = directory, .write = true } };
    const struct sandbox sandbox = {
        .promises = PROMISE_STDIO
                    /* The state file. */
                    | PROMISE_FILES,
        .paths = paths,
        .paths_count = COUNT_OF(paths),
    };
    child_confine(&program.child, &sandbox);
    struct result read = agent_state_read(&program.state, &program.saved);
    if (read.code != 0 && read.code != FAILURE_NOT_FOUND) {
        log_line(LOG_LEVEL_WARN, "state-unreadable", "failure=%s", result_name(read));
    }
    start(&program, read.code == 0);
    const struct channel_hooks hooks = {
        .context = &program,
        .on_frame = on_frame,
        .on_close = on_close,
        .on_open = on_open,
    };
    return child_run(&program.child, &hooks);
}
