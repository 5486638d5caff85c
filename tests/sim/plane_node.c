/* An agent's process in the simulator: what it is given at start, what it saved, what becomes of
 * its effects. Never decides what is right (plane_check.c). */
#include "base/check.h"
#include "node-agent/core/agent.h"
#include "tests/sim/plane_host.h"
#include "tests/sim/plane_machine.h"
#include "tests/sim/plane_net.h"
#include "tests/sim/plane_people.h"
#include "tests/sim/plane_time.h"
#include "tests/sim/sim_pages.h"

#include <string.h>

enum { TICK_MS = 100 }; /* As agent_main.c. */

struct plane_agent {
    struct agent *agent;      /* Mapped: most of its rows are never touched. */
    struct agent_saved saved; /* On its disk, synced. */
    bool have_saved;
    struct sim_pages memory; /* Its process has `agent` here. */
    uint8_t boot;
};

static struct sim_pages agents_memory;
static struct plane_agent *agents; /* In it. */
/* Of the step under way, whoever makes it. */
static struct agent_effects effects;
static struct arena arena;
static _Alignas(16) uint8_t arena_memory[AGENT_ARENA_BYTES];

static struct plane_agent *agent_of(uint32_t machine)
{
    CHECK(plane_is_node(machine) && machine >= PLANE_CONTROLLERS);
    return &agents[machine - PLANE_CONTROLLERS];
}

static void effect_done(
    struct plane *plane, uint32_t machine, struct plane_agent *self, const struct agent_effect *e)
{
    switch (e->kind) {
    case AGENT_EFFECT_SAVE:
        agent_save(self->agent, &self->saved);
        self->have_saved = true;
        return;
    case AGENT_EFFECT_VERB: plane_host_verb(plane, machine, e->frame); return;
    case AGENT_EFFECT_FRAME: plane_send(plane, machine, e->frame); return;
    case AGENT_EFFECT_LOG:
        plane_trace(
            plane,
            "m%u %s id=%llx count=%llu",
            machine,
            agent_log_name(e->log),
            (unsigned long long)e->id,
            (unsigned long long)e->count);
        return;
    }
    UNREACHABLE();
}

static void step(struct plane *plane, uint32_t machine, struct agent_event *event)
{
    struct plane_agent *self = agent_of(machine);
    CHECK(plane->machines[machine].up);
    event->now_ms = plane_now(plane, machine);
    plane_spend(plane, machine, plane_cost(PLANE_COST_AGENT));
    agent_step(self->agent, event, &effects);
    for (uint32_t i = 0; i < effects.count; i++) {
        if (plane_strikes(plane, PLANE_AGENT_RESTART, 2)) {
            plane_node_crash(plane, machine, false); /* Between two effects. */
            return;
        }
        effect_done(plane, machine, self, &effects.items[i]);
    }
}

static void start(struct plane *plane, uint32_t machine)
{
    struct plane_agent *self = agent_of(machine);
    CHECK(!plane->machines[machine].up);
    plane->machines[machine].up = true;
    plane_trace(plane, "m%u: agent starts, boot %u", machine, self->boot);
    struct agent_event event = { .kind = AGENT_EVENT_START };
    event.saved = self->have_saved ? &self->saved : NULL;
    memset(event.boot_id, self->boot, sizeof(event.boot_id));
    self->agent = sim_pages_fresh(&self->memory, sizeof(*self->agent));
    agent_init(self->agent);
    plane_wake(plane, machine);
    step(plane, machine, &event);
    if (!plane->machines[machine].up) {
        return;
    }
    plane_node_host(plane, machine, plane_host_up(machine));
    if (!plane->machines[machine].up) {
        return;
    }
    plane_after(plane, 1 + plane_below(plane, 100), PLANE_AGENT_TICK, machine);
    plane_relink(plane, machine);
}

void plane_nodes_begin(struct plane *plane)
{
    agents = sim_pages_fresh(&agents_memory, plane->conf.nodes * sizeof(*agents));
    arena_init(&arena, arena_memory, sizeof(arena_memory));
    effects.arena = &arena;
    plane_hosts_begin(plane);
    for (uint32_t i = PLANE_CONTROLLERS; i < plane->machines_count; i++) {
        CHECK(!plane->machines[i].exists);
        agent_of(i)->boot = 1;
    }
}

void plane_nodes_end(struct plane *plane)
{
    for (uint32_t i = 0; i < plane->conf.nodes; i++) {
        sim_pages_end(&agents[i].memory);
    }
    sim_pages_end(&agents_memory);
    plane_hosts_end();
}

void plane_node_join(struct plane *plane, uint32_t machine, uint64_t id)
{
    CHECK(plane_is_node(machine) && !plane->machines[machine].exists);
    plane_machine_is(plane, machine, id);
    plane->machines[machine].exists = true;
    start(plane, machine);
}

void plane_node_crash(struct plane *plane, uint32_t machine, bool power)
{
    struct plane_agent *self = agent_of(machine);
    plane_trace(plane, "m%u: %s", machine, power ? "node crashes" : "agent dies");
    if (plane->machines[machine].up) {
        plane_unlink(plane, machine);
        plane->machines[machine].up = false;
        plane_wake(plane, machine);
        plane->machines[machine].life++;
        uint64_t away_ms = power ? 2000 + plane_below(plane, 6000) : 20 + plane_below(plane, 400);
        plane_after(plane, away_ms, PLANE_RESTART, machine);
    }
    plane_host_agent_died(plane, machine);
    if (power) {
        self->boot++;
        plane_host_power(plane, machine);
    }
}

void plane_node_forgets(struct plane *plane, uint32_t machine)
{
    struct plane_agent *self = agent_of(machine);
    if (!plane_operator_rejoins(plane, machine)) {
        return;
    }
    plane_node_crash(plane, machine, true);
    plane->machines[machine].life++; /* The start that is on its way finds nothing. */
    plane->machines[machine].exists = false;
    self->have_saved = false;
    plane_host_wiped(machine);
}

void plane_node_event(struct plane *plane, const struct plane_event *event)
{
    if (event->life != plane->machines[event->machine].life) {
        return;
    }
    if (plane->machines[event->machine].dead) {
        return;
    }
    if (event->kind == PLANE_RESTART) {
        start(plane, event->machine);
        return;
    }
    struct agent_event tick = { .kind = AGENT_EVENT_TICK };
    CHECK(event->kind == PLANE_AGENT_TICK);
    plane_post_us(
        plane,
        plane_lasts_us(plane, event->machine, TICK_MS),
        PLANE_AGENT_TICK,
        event->machine,
        0,
        0,
        SLICE_EMPTY);
    step(plane, event->machine, &tick);
}

void plane_node_frame(
    struct plane *plane, uint32_t machine, uint32_t from, const Wire__Frame *frame)
{
    struct agent_event event = { .controller = plane->machines[from].id };
    if (frame->body_case == WIRE__FRAME__BODY_NODE_WELCOME) {
        event.kind = AGENT_EVENT_WELCOME;
        event.welcome = frame->node_welcome;
    } else if (frame->body_case == WIRE__FRAME__BODY_NODE_ORDERS) {
        event.kind = AGENT_EVENT_ORDERS;
        event.orders = frame->node_orders;
    } else {
        CHECK(frame->body_case == WIRE__FRAME__BODY_CONSOLE_ASK);
        event.kind = AGENT_EVENT_CONSOLE_ASK;
        event.console_ask = frame->console_ask;
    }
    step(plane, machine, &event);
}

void plane_node_link(struct plane *plane, uint32_t machine, uint32_t peer, bool up)
{
    struct agent_event event = { .kind = AGENT_EVENT_LINK,
                                 .controller = plane->machines[peer].id,
                                 .up = up };
    CHECK(event.controller != 0);
    step(plane, machine, &event);
}

void plane_node_told(struct plane *plane, uint32_t machine, const Wire__Frame *frame)
{
    struct agent_event event = { .kind = AGENT_EVENT_TOLD };
    if (!plane->machines[machine].up) {
        return;
    }
    if (frame->body_case == WIRE__FRAME__BODY_HOST_EVENT) {
        event.kind = AGENT_EVENT_HOST;
        event.host = frame->host_event;
    } else {
        CHECK(frame->body_case == WIRE__FRAME__BODY_VERB_TOLD);
        event.told = frame->verb_told;
    }
    step(plane, machine, &event);
}

void plane_node_host(struct plane *plane, uint32_t machine, bool up)
{
    struct agent_event event = { .kind = AGENT_EVENT_HOST_STATE, .up = up };
    if (plane->machines[machine].up) {
        step(plane, machine, &event);
    }
}
