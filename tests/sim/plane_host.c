/* The fake hypervisor of a node, with its host program. Decides what a verb does, when it answers,
 * and when it lies. It keeps its one promise: a domain is there until it ends. */
#include "base/check.h"
#include "base/limits.h"
#include "base/result.h"
#include "tests/sim/trial.h"
#include "wire/frame.h"

#include <stdlib.h>
#include <string.h>

enum { ENDED_SHUT_DOWN = 1, ENDED_CRASHED = 2, ENDED_BY_US = 3, BACK_HOST = 1, BACK_LIBVIRT = 2 };
/* Of one agent LIMIT_NODE_VERBS; those of the one before may still be under way. */
enum { PLANE_ACTS_MAX = 4 * LIMIT_NODE_VERBS };

struct segment {
    uint64_t network; /* 0: free. */
    uint32_t vni;
    uint64_t generation;
};

struct plane_host {
    bool up;
    bool libvirt;
    uint32_t life;    /* Of the host program. */
    uint32_t channel; /* To the agent; its death ends one. */
    uint32_t acts;    /* Verbs under way that change something. */
    struct plane_domain domains[PLANE_DOMAINS];
    struct segment segments[PLANE_DOMAINS];
};

static struct plane_host *hosts; /* Owned. */

static struct plane_host *host_of(uint32_t machine)
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
    return host_of(machine)->up;
}

const struct plane_domain *plane_host_domains(uint32_t machine)
{
    return host_of(machine)->domains;
}

void plane_host_agent_died(struct plane *plane, uint32_t machine)
{
    CHECK(plane->machines[machine].exists);
    host_of(machine)->channel++;
}

static struct plane_domain *domain_of(struct plane_host *host, uint64_t instance)
{
    for (uint32_t i = 0; i < PLANE_DOMAINS; i++) {
        if (host->domains[i].instance == instance) {
            return &host->domains[i];
        }
    }
    return NULL;
}

static void domain_end(struct plane_domain *domain)
{
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
        life_of(host_of(machine)),
        plane_encode(plane, frame));
}

static void tell_ended(struct plane *plane, uint32_t machine, uint64_t instance, uint32_t why)
{
    Wire__Frame frame = WIRE__FRAME__INIT;
    Wire__HostEvent event = WIRE__HOST_EVENT__INIT;
    Wire__InstanceEnded ended = WIRE__INSTANCE_ENDED__INIT;
    if (!host_of(machine)->libvirt || plane_strikes(plane, PLANE_END_UNTOLD, 2000)) {
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
    struct plane_host *host = host_of(machine);
    Wire__Frame sent = *frame;
    CHECK(frame->body_case == WIRE__FRAME__BODY_VERB);
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

static uint32_t verb_start(struct plane *plane, uint32_t machine, const Wire__Assignment *order)
{
    struct plane_host *host = host_of(machine);
    struct plane_domain *domain = domain_of(host, order->instance);
    if (domain != NULL && (domain->running || domain->paused)) {
        return FAILURE_EXISTS;
    }
    plane_check_start(plane, machine, order);
    domain = domain != NULL ? domain : domain_of(host, 0);
    CHECK(domain != NULL);
    bool fails = plane_strikes(plane, PLANE_START_FAILED, 400);
    *domain = (struct plane_domain){ .instance = order->instance,
                                     .running = !fails,
                                     .leftovers = fails,
                                     .paused = fails && plane_odds(plane, 5000),
                                     .generation = order->generation,
                                     .epoch = order->epoch,
                                     .boots = order->boots };
    if (fails && plane_odds(plane, 3000)) {
        domain->running = !domain->paused; /* It works; the answer says otherwise. */
    }
    if (!fails) {
        trial_started(plane, machine, order->instance);
    }
    plane_trace(
        plane,
        "m%u starts %llx generation %llu epoch %llu%s",
        machine,
        (unsigned long long)order->instance,
        (unsigned long long)order->generation,
        (unsigned long long)order->epoch,
        fails ? ": fails" : "");
    return fails ? FAILURE_TIMEOUT : FAILURE_NONE;
}

static uint32_t verb_stop(struct plane *plane, uint32_t machine, uint64_t instance, bool force)
{
    struct plane_host *host = host_of(machine);
    struct plane_domain *domain = domain_of(host, instance);
    if (domain == NULL || (!domain->running && !domain->paused)) {
        return FAILURE_NOT_FOUND;
    }
    if (domain->clings) {
        return FAILURE_NONE;
    }
    plane_change_end(plane, machine, domain);
    if (!force) {
        if (!plane_strikes(plane, PLANE_STOP_IGNORED, 2500)) {
            plane_post(
                plane,
                10 + plane_below(plane, 2000),
                PLANE_GUEST_ENDS,
                machine,
                instance,
                domain->boots,
                SLICE_EMPTY);
        }
        return FAILURE_NONE;
    }
    if (plane_strikes(plane, PLANE_STOP_LIED, 1500)) {
        if (plane_odds(plane, 5000)) { /* A lie is worst where nobody can ask again. */
            plane_after(plane, 50 + plane_below(plane, 200), PLANE_CUT_OFF, machine);
        }
        return plane_odds(plane, 7000) ? FAILURE_NONE : FAILURE_TIMEOUT; /* It still runs. */
    }
    plane_trace(plane, "m%u destroys %llx", machine, (unsigned long long)instance);
    domain_end(domain);
    tell_ended(plane, machine, instance, ENDED_BY_US);
    return FAILURE_NONE;
}

static uint32_t verb_erase(struct plane *plane, uint32_t machine, uint64_t instance)
{
    struct plane_domain *domain = domain_of(host_of(machine), instance);
    if (domain != NULL && !domain->clings) {
        plane_change_end(plane, machine, domain);
        plane_trace(plane, "m%u erases %llx", machine, (unsigned long long)instance);
        *domain = (struct plane_domain){ .instance = 0 };
    }
    return FAILURE_NONE;
}

static void observe_fill(const struct plane_host *host, Wire__VerbTold *told)
{
    static Wire__HostInstance lines[PLANE_DOMAINS];
    static Wire__HostInstance *list[PLANE_DOMAINS];
    static Wire__HostSegment segment_lines[PLANE_DOMAINS];
    static Wire__HostSegment *segment_list[PLANE_DOMAINS];
    told->instances = list;
    told->segments = segment_list;
    for (uint32_t i = 0; i < PLANE_DOMAINS; i++) {
        const struct plane_domain *domain = &host->domains[i];
        const struct segment *segment = &host->segments[i];
        if (domain->instance != 0) {
            Wire__HostInstance *line = &lines[told->n_instances];
            wire__host_instance__init(line);
            line->instance = domain->instance;
            line->running = domain->running;
            line->paused = domain->paused;
            line->leftovers = domain->leftovers;
            line->generation = domain->generation;
            line->epoch = domain->epoch;
            line->boots = domain->boots;
            list[told->n_instances++] = line;
        }
        if (segment->network != 0) {
            Wire__HostSegment *line = &segment_lines[told->n_segments];
            wire__host_segment__init(line);
            line->network = segment->network;
            line->vni = segment->vni;
            line->generation = segment->generation;
            segment_list[told->n_segments++] = line;
        }
    }
}

static void survey_fill(Wire__NodeHello *survey)
{
    static uint8_t kernel[32] = { 7 };
    static uint8_t initramfs[32] = { 8 };
    static ProtobufCBinaryData images[2] = { { 32, kernel }, { 32, initramfs } };
    wire__node_hello__init(survey);
    survey->vcpus = 16;
    survey->memory_bytes = UINT64_C(8) << 30;
    survey->virtualization = "tcg";
    survey->n_images = COUNT_OF(images);
    survey->images = images;
}

/* `order` NULL: the segment goes. */
static void verb_segment(
    struct plane_host *host, uint64_t network, const Wire__Segment *order, Wire__VerbTold *told)
{
    static Wire__HostSegment line;
    static Wire__HostSegment *list[1] = { &line };
    struct segment *segment = NULL;
    for (uint32_t i = 0; i < PLANE_DOMAINS; i++) {
        bool free_one = segment == NULL && host->segments[i].network == 0;
        if (free_one || host->segments[i].network == network) {
            segment = &host->segments[i];
        }
        if (host->segments[i].network == network) {
            break;
        }
    }
    CHECK(segment != NULL);
    *segment = (struct segment){ .network = 0 };
    if (order != NULL) {
        *segment = (struct segment){ network, order->vni, order->generation };
        wire__host_segment__init(&line);
        line.network = network;
        line.vni = order->vni;
        line.generation = order->generation;
        told->n_segments = 1;
        told->segments = list;
    }
}

static void act(struct plane *plane, uint32_t machine, const Wire__Verb *verb, Wire__VerbTold *told)
{
    static Wire__NodeHello survey;
    static Wire__NodeConsoleTold console;
    struct plane_host *host = host_of(machine);
    if (!host->libvirt && verb->verb_case != WIRE__VERB__VERB_SURVEY) {
        told->failure = FAILURE_CLOSED;
        return;
    }
    switch ((int)verb->verb_case) {
    case WIRE__VERB__VERB_OBSERVE: observe_fill(host, told); return;
    case WIRE__VERB__VERB_ENSURE_SEGMENT:
        verb_segment(
            host, verb->ensure_segment->segment->network, verb->ensure_segment->segment, told);
        return;
    case WIRE__VERB__VERB_DROP_SEGMENT:
        verb_segment(host, verb->drop_segment->network, NULL, told);
        return;
    case WIRE__VERB__VERB_START:
        told->failure = verb_start(plane, machine, verb->start->assignment);
        return;
    case WIRE__VERB__VERB_STOP:
        told->failure = verb_stop(plane, machine, verb->stop->instance, verb->stop->force);
        return;
    case WIRE__VERB__VERB_ERASE:
        told->failure = verb_erase(plane, machine, verb->erase->instance);
        return;
    case WIRE__VERB__VERB_READ_CONSOLE:
        wire__node_console_told__init(&console);
        told->console = &console;
        return;
    case WIRE__VERB__VERB_SURVEY:
        survey_fill(&survey);
        told->survey = &survey;
        return;
    default: plane_fail(plane, "VERB m%u: none", machine);
    }
}

static void verb_done(struct plane *plane, const struct plane_event *event)
{
    struct plane_host *host = host_of(event->machine);
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
    act(plane, event->machine, asked->verb, &told);
    frame.body_case = WIRE__FRAME__BODY_VERB_TOLD;
    frame.verb_told = &told;
    /* An answer is late too: what it says may be old by then. */
    tell(plane, event->machine, plane_below(plane, plane_odds(plane, 300) ? 1500 : 20), &frame);
    if (plane_strikes(plane, PLANE_TOLD_TWICE, 300)) {
        tell(plane, event->machine, plane_below(plane, 900), &frame);
    }
    plane_check_owner(plane, event->machine);
}

void plane_host_event(struct plane *plane, const struct plane_event *event)
{
    struct plane_host *host = host_of(event->machine);
    if (event->kind == PLANE_GUEST_ENDS) {
        struct plane_domain *domain = domain_of(host, event->a);
        if (domain != NULL && domain->running && domain->boots == event->b) {
            domain_end(domain);
            tell_ended(plane, event->machine, event->a, ENDED_SHUT_DOWN);
        }
        return;
    }
    if (event->b >> 32 != host->life) {
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
    struct plane_host *host = host_of(machine);
    host->life++;
    host->acts = 0;
    host->up = true; /* With the agent, when the node is back. */
    host->libvirt = true;
    memset(host->segments, 0, sizeof(host->segments));
    for (uint32_t i = 0; i < PLANE_DOMAINS; i++) {
        if (host->domains[i].instance != 0) {
            domain_end(&host->domains[i]);
        }
    }
    plane_trace(plane, "m%u: every guest is gone", machine);
}

void plane_host_wiped(uint32_t machine)
{
    memset(host_of(machine)->domains, 0, sizeof(host_of(machine)->domains));
}

void plane_host_restart(struct plane *plane, uint32_t machine)
{
    struct plane_host *host = host_of(machine);
    if (!host->up || !plane->machines[machine].up) {
        return;
    }
    plane_seen(plane, PLANE_HOST_RESTART);
    plane_trace(plane, "m%u: host dies", machine);
    host->up = false;
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
    struct plane_host *host = host_of(machine);
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
    struct plane_host *host = host_of(machine);
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
        *chosen = (struct plane_domain){ .instance = 0 };
    }
}

void plane_host_guest(struct plane *plane, uint32_t machine)
{
    struct plane_domain *chosen = some_guest(plane, machine);
    if (chosen != NULL) {
        plane_seen(plane, PLANE_GUEST_CRASH);
        plane_trace(plane, "m%u: guest %llx dies", machine, (unsigned long long)chosen->instance);
        domain_end(chosen);
        tell_ended(plane, machine, chosen->instance, ENDED_CRASHED);
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
        machine == plane->machines_count ? NULL : domain_of(host_of(machine), 0);
    if (domain == NULL) {
        return false;
    }
    *domain =
        (struct plane_domain){ .instance = instance, .running = true, .clings = true, .boots = 1 };
    plane_check_owner(plane, owner);
    plane_check_owner(plane, machine);
    return true;
}
