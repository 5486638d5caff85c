/* What a verb does to the fake hypervisor of a node, and what its answer says. Decides when the two
 * differ: starts that fail and run, stops that are lied about. Never when it is done
 * (plane_host.c).
 */
#include "base/check.h"
#include "base/result.h"
#include "tests/sim/plane_check.h"
#include "tests/sim/plane_guest.h"
#include "tests/sim/plane_hypervisor.h"
#include "tests/sim/trial.h"

#include <stdio.h>
#include <string.h>

static uint32_t verb_start(struct plane *plane, uint32_t machine, const Wire__Assignment *order)
{
    struct plane_host *host = plane_host_of(machine);
    struct plane_domain *domain = plane_domain_of(host, order->instance);
    if (domain != NULL && (domain->running || domain->paused)) {
        return FAILURE_EXISTS;
    }
    plane_check_start(plane, machine, order);
    plane_guest_tries(plane, machine, order, host->heard);
    domain = domain != NULL ? domain : plane_domain_of(host, 0);
    CHECK(domain != NULL);
    bool sick = plane_guest_sick(plane, order);
    bool fails = plane_strikes(plane, PLANE_START_FAILED, 400) || sick;
    *domain = (struct plane_domain){ .instance = order->instance,
                                     .running = !fails,
                                     .leftovers = fails,
                                     .paused = fails && !sick && plane_odds(plane, 5000),
                                     .generation = order->generation,
                                     .epoch = order->epoch,
                                     .boots = order->boots,
                                     .since_us = plane->now_us };
    if (fails && !sick && plane_odds(plane, 3000)) {
        domain->running = !domain->paused; /* It works; the answer says otherwise. */
    }
    plane_guest_made(plane, machine, domain, fails);
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

void plane_verb_cut_short(struct plane *plane, uint32_t machine, const Wire__Assignment *order)
{
    struct plane_host *host = plane_host_of(machine);
    struct plane_domain *domain = plane_domain_of(host, order->instance);
    if (domain != NULL && (domain->running || domain->paused)) {
        return;
    }
    plane_check_start(plane, machine, order);
    domain = domain != NULL ? domain : plane_domain_of(host, 0);
    CHECK(domain != NULL);
    plane_guest_tries(plane, machine, order, false);
    bool resumed = plane_odds(plane, 2000); /* That call, too, was under way. */
    *domain = (struct plane_domain){ .instance = order->instance,
                                     .running = resumed,
                                     .paused = !resumed,
                                     .generation = order->generation,
                                     .epoch = order->epoch,
                                     .boots = order->boots,
                                     .since_us = plane->now_us };
    plane_guest_made(plane, machine, domain, false);
    plane_trace(
        plane,
        "m%u: the start of %llx outlives its host program",
        machine,
        (unsigned long long)order->instance);
}

static uint32_t verb_stop(struct plane *plane, uint32_t machine, uint64_t instance, bool force)
{
    struct plane_host *host = plane_host_of(machine);
    struct plane_domain *domain = plane_domain_of(host, instance);
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
    plane_domain_end(domain);
    plane_host_tells_end(plane, machine, instance, PLANE_ENDED_BY_US);
    return FAILURE_NONE;
}

static uint32_t verb_erase(struct plane *plane, uint32_t machine, uint64_t instance)
{
    struct plane_domain *domain = plane_domain_of(plane_host_of(machine), instance);
    if (domain != NULL && !domain->clings) {
        plane_change_end(plane, machine, domain);
        plane_trace(plane, "m%u erases %llx", machine, (unsigned long long)instance);
        plane_guest_ended(domain);
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

/* As host_verbs.c: of what was started, not of what may be wanted by now. */
static void start_fill(const Wire__Assignment *order, Wire__VerbTold *told)
{
    static Wire__HostInstance line;
    static Wire__HostInstance *list[1] = { &line };
    CHECK(order->instance != 0);
    wire__host_instance__init(&line);
    line.instance = order->instance;
    line.running = true;
    line.generation = order->generation;
    line.epoch = order->epoch;
    line.boots = order->boots;
    told->n_instances = 1;
    told->instances = list;
}

/* Room for a few more guests than would come to a node if they came to all alike; some have more.
 * In an experiment there is room for everybody. */
uint64_t plane_host_memory(const struct plane *plane, uint32_t machine)
{
    const struct plane_conf *conf = &plane->conf;
    uint64_t guests = (uint64_t)conf->tenants * conf->instances / conf->nodes + 2;
    if (trial_is_calm(plane)) {
        return UINT64_C(8) << 30;
    }
    return (guests + guests * (machine % 4) / 2) * (UINT64_C(112) << 20);
}

static void survey_fill(const struct plane *plane, uint32_t machine, Wire__NodeHello *survey)
{
    static uint8_t kernel[32] = { 7 };
    static uint8_t initramfs[32] = { 8 };
    static ProtobufCBinaryData images[2] = { { 32, kernel }, { 32, initramfs } };
    wire__node_hello__init(survey);
    survey->vcpus = PLANE_HOST_VCPUS;
    survey->memory_bytes = plane_host_memory(plane, machine);
    survey->virtualization = "tcg";
    survey->n_images = COUNT_OF(images);
    survey->images = images;
}

/* A peer is called by its underlay address: plane_wire.c. */
static void reaches_set(struct segment *segment, const Wire__Segment *order)
{
    for (size_t i = 0; i < order->n_peers; i++) {
        unsigned int second = 0;
        unsigned int third = 0;
        if (sscanf(order->peers[i], "10.%u.%u.1", &second, &third) == 2 && second >= 64) {
            uint32_t machine = (second - 64) << 8 | third;
            if (machine < PLANE_REACHED) {
                segment->reaches[machine / 64] |= UINT64_C(1) << machine % 64;
            }
        }
    }
}

bool plane_segment_reaches(const struct segment *segment, uint32_t machine)
{
    CHECK(machine < PLANE_REACHED);
    return (segment->reaches[machine / 64] >> machine % 64 & 1) != 0;
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
        *segment = (struct segment){ network, order->vni, order->generation, { 0 } };
        reaches_set(segment, order);
        wire__host_segment__init(&line);
        line.network = network;
        line.vni = order->vni;
        line.generation = order->generation;
        told->n_segments = 1;
        told->segments = list;
    }
}

void plane_verb_act(
    struct plane *plane, uint32_t machine, const Wire__Verb *verb, Wire__VerbTold *told)
{
    static Wire__NodeHello survey;
    static Wire__NodeConsoleTold console;
    struct plane_host *host = plane_host_of(machine);
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
        plane_asked_start(plane, machine, verb->start);
        told->failure = verb_start(plane, machine, verb->start->assignment);
        if (told->failure == FAILURE_NONE) {
            start_fill(verb->start->assignment, told);
        }
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
        survey_fill(plane, machine, &survey);
        told->survey = &survey;
        return;
    default: plane_fail(plane, "VERB m%u: none", machine);
    }
}
