/* The fake hypervisor of a node, with its host program. Decides when a verb is done, who hears of
 * it, and what befalls its guests. It keeps its one promise: a domain is there until it ends. */
#include "base/check.h"
#include "base/limits.h"
#include "base/result.h"
#include "tests/sim/plane_check.h"
#include "tests/sim/plane_guest.h"
#include "tests/sim/plane_hypervisor.h"
#include "tests/sim/plane_machine.h"
#include "tests/sim/plane_net.h"
#include "tests/sim/trial.h"
#include "wire/frame.h"

#include <stdlib.h>
#include <string.h>

enum { BACK_HOST = 1, BACK_LIBVIRT = 2 };
/* Of one agent LIMIT_NODE_VERBS; those of the one before may still be under way. */
enum { PLANE_ACTS_MAX = 4 * LIMIT_NODE_VERBS };

static struct plane_host *hosts; /* Owned. */

struct plane_host *plane_host_of(uint32_t machine)
{
    CHECK(plane_is_node(machine));
    return &hosts[machine - PLANE_CONTROLLERS];
}

static uint64_t life_of(const struct plane_host *host)
{
    return ((uint64_t)host->life << 32) | host->channel;
}

void plane_hosts_begin(struct plane *plane)
{
    CHECK(plane->now_ms == 0);
    hosts = plane_zeroed(plane->conf.nodes, sizeof(*hosts));
    for (uint32_t i = 0; i < plane->conf.nodes; i++) {
        hosts[i].up = true;
        hosts[i].libvirt = true;
    }
}

void plane_hosts_end(void)
{
    free(hosts);
    hosts = NULL;
}

bool plane_host_up(uint32_t machine)
{
    return plane_host_of(machine)->up;
}

const struct plane_domain *plane_host_domains(uint32_t machine)
{
    return plane_host_of(machine)->domains;
}

void plane_host_agent_died(struct plane *plane, uint32_t machine)
{
    CHECK(plane->machines[machine].exists);
    plane_host_of(machine)->channel++;
}

struct plane_domain *plane_domain_of(struct plane_host *host, uint64_t instance)
{
    for (uint32_t i = 0; i < PLANE_DOMAINS; i++) {
        if (host->domains[i].instance == instance) {
            return &host->domains[i];
        }
    }
    return NULL;
}

void plane_domain_end(struct plane_domain *domain)
{
    plane_guest_ended(domain);
    domain->running = false;
    domain->paused = false;
    domain->leftovers = true;
}

/* ---- Telling ---- */

static void tell(struct plane *plane, uint32_t machine, uint64_t delay_ms, Wire__Frame *frame)
{
    frame->format = FRAME_FORMAT;
    plane_post(
        plane,
        delay_ms,
        PLANE_TOLD,
        machine,
        0,
        life_of(plane_host_of(machine)),
        plane_encode(plane, frame));
}

void plane_host_tells_end(
    struct plane *plane, uint32_t machine, uint64_t instance, enum plane_ended why)
{
    Wire__Frame frame = WIRE__FRAME__INIT;
    Wire__HostEvent event = WIRE__HOST_EVENT__INIT;
    Wire__InstanceEnded ended = WIRE__INSTANCE_ENDED__INIT;
    if (!plane_host_of(machine)->libvirt || plane_strikes(plane, PLANE_END_UNTOLD, 2000)) {
        return;
    }
    ended.instance = instance;
    ended.why = why;
    event.event_case = WIRE__HOST_EVENT__EVENT_ENDED;
    event.ended = &ended;
    frame.body_case = WIRE__FRAME__BODY_HOST_EVENT;
    frame.host_event = &event;
    tell(plane, machine, 1 + plane_below(plane, 30), &frame);
}

static void tell_libvirt(struct plane *plane, uint32_t machine, bool up)
{
    Wire__Frame frame = WIRE__FRAME__INIT;
    Wire__HostEvent event = WIRE__HOST_EVENT__INIT;
    event.event_case = WIRE__HOST_EVENT__EVENT_LIBVIRT_UP;
    event.libvirt_up = up;
    frame.body_case = WIRE__FRAME__BODY_HOST_EVENT;
    frame.host_event = &event;
    tell(plane, machine, 1, &frame);
}

/* ---- Verbs ---- */

static bool is_act(const Wire__Verb *verb)
{
    return verb->verb_case != WIRE__VERB__VERB_OBSERVE &&
           verb->verb_case != WIRE__VERB__VERB_SURVEY &&
           verb->verb_case != WIRE__VERB__VERB_READ_CONSOLE;
}

static uint64_t verb_cost(const Wire__Verb *verb, uint64_t starts)
{
    switch ((int)verb->verb_case) {
    case WIRE__VERB__VERB_START: return plane_cost(PLANE_COST_START) * (starts == 0 ? 1 : starts);
    case WIRE__VERB__VERB_STOP: return plane_cost(PLANE_COST_STOP);
    case WIRE__VERB__VERB_ERASE: return plane_cost(PLANE_COST_ERASE);
    case WIRE__VERB__VERB_ENSURE_SEGMENT:
    case WIRE__VERB__VERB_DROP_SEGMENT: return plane_cost(PLANE_COST_SEGMENT);
    default: return plane_cost(PLANE_COST_LOOK);
    }
}

void plane_host_verb(struct plane *plane, uint32_t machine, const Wire__Frame *frame)
{
    struct plane_host *host = plane_host_of(machine);
    Wire__Frame sent = *frame;
    CHECK(frame->body_case == WIRE__FRAME__BODY_VERB);
    if (frame->verb->verb_case == WIRE__VERB__VERB_STOP) {
        plane_guest_stop(plane, machine, frame->verb->stop->instance, frame->verb->stop->force);
    }
    if (!host->up) {
        return;
    }
    bool late = plane_strikes(plane, PLANE_VERB_LATE, 300);
    uint64_t lasts_us = verb_cost(frame->verb, plane->swarm.starts);
    sent.format = FRAME_FORMAT;
    host->acts += is_act(frame->verb) ? 1 : 0;
    if (host->acts > PLANE_ACTS_MAX) {
        plane_fail(plane, "BOUND m%u: %u verbs at once", machine, host->acts);
    }
    plane_post_us(
        plane,
        lasts_us / 2 + plane_below(plane, lasts_us) + (late ? plane_below(plane, 4000000) : 0),
        PLANE_VERB,
        machine,
        0,
        life_of(host),
        plane_encode(plane, &sent));
}

static void verb_done(struct plane *plane, const struct plane_event *event)
{
    struct plane_host *host = plane_host_of(event->machine);
    Wire__Frame frame = WIRE__FRAME__INIT;
    Wire__VerbTold told = WIRE__VERB_TOLD__INIT;
    const Wire__Frame *asked = plane_decode(plane, slice_of(event->bytes, event->size));
    told.handle = asked->verb->handle;
    if (is_act(asked->verb)) {
        CHECK(host->acts > 0);
        host->acts--;
    } else if (host->acts > 0 && asked->verb->verb_case == WIRE__VERB__VERB_OBSERVE) {
        plane_post(/* An observation never overlaps an act (host_main.c). */
                   plane,
                   5,
                   PLANE_VERB,
                   event->machine,
                   0,
                   event->b,
                   slice_of(event->bytes, event->size));
        return;
    }
    host->heard = (uint32_t)event->b == host->channel;
    plane_verb_act(plane, event->machine, asked->verb, &told);
    frame.body_case = WIRE__FRAME__BODY_VERB_TOLD;
    frame.verb_told = &told;
    /* An answer is late too: what it says may be old by then. */
    tell(plane, event->machine, plane_below(plane, plane_odds(plane, 300) ? 1500 : 20), &frame);
    if (plane_strikes(plane, PLANE_TOLD_TWICE, 300)) {
        tell(plane, event->machine, plane_below(plane, 900), &frame);
    }
    plane_check_owner(plane, event->machine);
}

/* Its host program died while this stop was under way: libvirt ends what it was asked to end, and
 * nobody is told. What was started since is another domain to it. */
static void verb_outlives(struct plane *plane, const struct plane_event *event)
{
    const struct plane_host *host = plane_host_of(event->machine);
    Wire__VerbTold told = WIRE__VERB_TOLD__INIT;
    if (event->kind != PLANE_VERB || event->b >> 32 < host->booted || !host->libvirt) {
        return;
    }
    const Wire__Frame *asked = plane_decode(plane, slice_of(event->bytes, event->size));
    if (asked->verb->verb_case != WIRE__VERB__VERB_STOP) {
        return;
    }
    const struct plane_domain *domain =
        plane_domain_of(plane_host_of(event->machine), asked->verb->stop->instance);
    if (domain != NULL && domain->since_us < host->died_us &&
        plane_strikes(plane, PLANE_VERB_OUTLIVES, 5000)) {
        plane_trace(plane, "m%u: a stop outlives its host program", event->machine);
        plane_verb_act(plane, event->machine, asked->verb, &told);
        plane_check_owner(plane, event->machine);
    }
}

/* The host program dies: a start that libvirt had begun goes on without it, and is listed at once.
 */
static void starts_outlive(struct plane *plane, uint32_t machine, uint64_t life)
{
    for (uint32_t i = 0; i < plane->queue_count; i++) {
        const struct plane_event *event = &plane->queue[i];
        if (event->kind != PLANE_VERB || event->machine != machine || event->b >> 32 != life) {
            continue;
        }
        const Wire__Frame *asked = plane_decode(plane, slice_of(event->bytes, event->size));
        if (asked->verb->verb_case == WIRE__VERB__VERB_START &&
            plane_strikes(plane, PLANE_VERB_OUTLIVES, 5000)) {
            plane_verb_cut_short(plane, machine, asked->verb->start->assignment);
        }
    }
    plane_check_owner(plane, machine);
}

void plane_host_event(struct plane *plane, const struct plane_event *event)
{
    struct plane_host *host = plane_host_of(event->machine);
    if (event->kind == PLANE_GUEST_ENDS) {
        struct plane_domain *domain = plane_domain_of(host, event->a);
        if (domain != NULL && domain->running && domain->boots == event->b) {
            plane_domain_end(domain);
            plane_host_tells_end(plane, event->machine, event->a, PLANE_ENDED_SHUT_DOWN);
        }
        return;
    }
    if (event->b >> 32 != host->life) {
        verb_outlives(plane, event);
        return; /* That host program is gone. */
    }
    if (event->kind == PLANE_VERB) {
        verb_done(plane, event);
    } else if (event->kind == PLANE_TOLD) {
        if ((uint32_t)event->b == host->channel) {
            plane_node_told(
                plane, event->machine, plane_decode(plane, slice_of(event->bytes, event->size)));
        }
    } else if (event->a == BACK_LIBVIRT) {
        host->libvirt = true;
        tell_libvirt(plane, event->machine, true);
    } else {
        host->up = true;
        host->libvirt = true;
        plane_node_host(plane, event->machine, true);
    }
}

/* ---- Faults ---- */

void plane_host_power(struct plane *plane, uint32_t machine)
{
    struct plane_host *host = plane_host_of(machine);
    host->life++;
    host->booted = host->life;
    host->acts = 0;
    host->up = true; /* With the agent, when the node is back. */
    host->libvirt = true;
    memset(host->segments, 0, sizeof(host->segments));
    for (uint32_t i = 0; i < PLANE_DOMAINS; i++) {
        if (host->domains[i].instance != 0) {
            plane_domain_end(&host->domains[i]);
        }
    }
    plane_trace(plane, "m%u: every guest is gone", machine);
}

void plane_host_wiped(uint32_t machine)
{
    memset(plane_host_of(machine)->domains, 0, sizeof(plane_host_of(machine)->domains));
}

void plane_host_restart(struct plane *plane, uint32_t machine)
{
    struct plane_host *host = plane_host_of(machine);
    if (!host->up || !plane->machines[machine].up) {
        return;
    }
    plane_seen(plane, PLANE_HOST_RESTART);
    plane_trace(plane, "m%u: host dies", machine);
    host->up = false;
    host->died_us = plane->now_us;
    if (host->libvirt) {
        starts_outlive(plane, machine, host->life);
    }
    host->life++;
    host->acts = 0;
    plane_post(
        plane,
        50 + plane_below(plane, 800),
        PLANE_HOST_BACK,
        machine,
        BACK_HOST,
        life_of(host),
        SLICE_EMPTY);
    plane_node_host(plane, machine, false);
}

void plane_host_libvirt(struct plane *plane, uint32_t machine)
{
    struct plane_host *host = plane_host_of(machine);
    if (!host->up || !host->libvirt) {
        return;
    }
    plane_seen(plane, PLANE_LIBVIRT_AWAY);
    plane_trace(plane, "m%u: libvirt is away", machine);
    host->libvirt = false;
    tell_libvirt(plane, machine, false);
    plane_post(
        plane,
        50 + plane_below(plane, 3000),
        PLANE_HOST_BACK,
        machine,
        BACK_LIBVIRT,
        life_of(host),
        SLICE_EMPTY);
}

static struct plane_domain *some_guest(struct plane *plane, uint32_t machine)
{
    struct plane_host *host = plane_host_of(machine);
    struct plane_domain *chosen = NULL;
    uint64_t running = 0;
    for (uint32_t i = 0; i < PLANE_DOMAINS; i++) {
        if (host->domains[i].running && plane_below(plane, ++running) == 0) {
            chosen = &host->domains[i];
        }
    }
    return chosen;
}

/* The hypervisor knows nothing of it any more, and tells nobody. */
void plane_host_loses(struct plane *plane, uint32_t machine)
{
    struct plane_domain *chosen = some_guest(plane, machine);
    if (chosen != NULL && !chosen->clings) {
        plane_seen(plane, PLANE_DOMAIN_LOST);
        plane_guest_ended(chosen);
        *chosen = (struct plane_domain){ .instance = 0 };
    }
}

void plane_host_guest(struct plane *plane, uint32_t machine)
{
    struct plane_domain *chosen = some_guest(plane, machine);
    if (chosen != NULL) {
        plane_seen(plane, PLANE_GUEST_CRASH);
        plane_trace(plane, "m%u: guest %llx dies", machine, (unsigned long long)chosen->instance);
        plane_domain_end(chosen);
        plane_host_tells_end(plane, machine, chosen->instance, PLANE_ENDED_CRASHED);
    }
}

bool plane_host_forge(struct plane *plane, uint64_t instance, uint64_t node)
{
    uint32_t machine = PLANE_CONTROLLERS;
    uint32_t owner = plane_machine_of(plane, node);
    while (machine < plane->machines_count &&
           (!plane->machines[machine].exists || machine == owner)) {
        machine++;
    }
    struct plane_domain *domain =
        machine == plane->machines_count ? NULL : plane_domain_of(plane_host_of(machine), 0);
    if (domain == NULL) {
        return false;
    }
    *domain =
        (struct plane_domain){ .instance = instance, .running = true, .clings = true, .boots = 1 };
    plane_check_owner(plane, owner);
    plane_check_owner(plane, machine);
    return true;
}

bool plane_host_forge_left(struct plane *plane, uint32_t machine, uint64_t instance)
{
    CHECK(plane->machines_count > PLANE_CONTROLLERS);
    struct plane_domain *domain =
        machine == PLANE_NONE ? NULL : plane_domain_of(plane_host_of(machine), 0);
    if (domain == NULL) {
        return false;
    }
    *domain = (struct plane_domain){ .instance = instance, .paused = true };
    return true;
}
