/* Streams between machines. Decides what arrives and when: in order within a stream, whose tail is
 * lost when it ends; both ends learn of the end, at different times, and meet again. Never looks
 * into a frame, except at who sent it.
 *
 * Within one stream nothing is repeated and nothing overtakes (TLS); a frame may be missing only
 * where its sender's channel was full. What comes from different machines overtakes as it likes. */
#include "tests/sim/plane_net.h"
#include "base/check.h"
#include "base/id.h"
#include "tests/sim/plane_machine.h"
#include "tests/sim/plane_time.h"
#include "wire/frame.h"

#include <string.h>

static uint32_t side_of(uint32_t one, uint32_t other)
{
    CHECK(one != other);
    return one < other ? 0 : 1;
}

struct plane_link *plane_link_of(struct plane *plane, uint32_t one, uint32_t other)
{
    uint32_t low = one < other ? one : other;
    uint32_t high = one < other ? other : one;
    CHECK(low != high && low < PLANE_CONTROLLERS && high < plane->machines_count);
    return &plane->links[low * plane->machines_count + high];
}

static struct plane_end *end_of(struct plane *plane, uint32_t here, uint32_t there)
{
    return &plane_link_of(plane, here, there)->ends[side_of(here, there)];
}

void plane_machine_is(struct plane *plane, uint32_t machine, uint64_t id)
{
    for (uint32_t other = 0; other < plane_linked_end(plane, machine); other++) {
        if (other != machine) {
            plane_link_of(plane, machine, other)->refused = false;
        }
    }
    CHECK(machine < plane->machines_count && id_sequence(id) < PLANE_SEQUENCES);
    plane->machine_of[id_sequence(id)] = machine + 1;
    plane->machines[machine].id = id;
}

uint32_t plane_machine_once(const struct plane *plane, uint64_t id)
{
    uint64_t sequence = id_sequence(id);
    uint32_t found = sequence < PLANE_SEQUENCES ? plane->machine_of[sequence] : 0;
    return found != 0 ? found - 1 : PLANE_NONE;
}

uint32_t plane_machine_of(const struct plane *plane, uint64_t id)
{
    uint32_t found = plane_machine_once(plane, id);
    return found != PLANE_NONE && plane->machines[found].id == id ? found : PLANE_NONE;
}

/* From the sender's last word on this wire to the receiver's hands. */
static uint64_t arrives_us(struct plane *plane, uint32_t from, uint32_t to, size_t size)
{
    struct plane_link *link = plane_link_of(plane, from, to);
    struct plane_end *there = &link->ends[side_of(to, from)];
    uint64_t *wire_us = &link->free_us[side_of(from, to)];
    uint64_t leaves_us = plane->machines[from].busy_us; /* What it does now is done first. */
    leaves_us = leaves_us > plane->now_us ? leaves_us : plane->now_us;
    if (plane->weather.bytes_per_ms > 0) {
        leaves_us = *wire_us > leaves_us ? *wire_us : leaves_us;
        leaves_us += size * 1000 / plane->weather.bytes_per_ms;
        *wire_us = leaves_us;
        plane_seen(plane, PLANE_NARROW);
    }
    uint64_t at_us = leaves_us + 50 + plane->weather.delay_min_us +
                     plane_below(plane, plane->weather.delay_max_us);
    if (plane_strikes(plane, PLANE_DELAYED, plane->weather.straggler)) {
        at_us += plane_below(plane, 600000);
    }
    at_us = at_us < there->last_us ? there->last_us : at_us;
    there->last_us = at_us;
    return at_us;
}

/* What a controller tells a node has no holes (host/link_main.c): what finds no room ends the
 * stream, and what follows does not arrive either. */
void plane_hole(struct plane *plane, uint32_t from, uint32_t to)
{
    struct plane_link *link = plane_link_of(plane, from, to);
    if (plane_is_node(to) && link->session != 0) {
        end_of(plane, to, from)->stalled = true;
        plane_post(plane, 0, PLANE_BREAK, from, to, link->session, SLICE_EMPTY);
    }
}

/* False: it does not get through. */
static bool passes(struct plane *plane, uint32_t from, uint32_t to)
{
    struct plane_link *link = plane_link_of(plane, from, to);
    const struct plane_end *here = &link->ends[side_of(from, to)];
    struct plane_end *there = &link->ends[side_of(to, from)];
    if (here->session == 0) {
        return false;
    }
    if (plane_strikes(plane, PLANE_FRAME_DROPPED, plane->weather.drop)) {
        plane_hole(plane, from, to);
        return false;
    }
    bool current = link->session == here->session;
    there->stalled = there->stalled || (link->cut[side_of(from, to)] && current);
    if (there->stalled && current) {
        plane_seen(plane, PLANE_TAIL_LOST);
        return false;
    }
    return true;
}

void plane_send(struct plane *plane, uint32_t from, const Wire__Frame *frame)
{
    CHECK(frame->peer != NULL);
    uint32_t to = plane_machine_of(plane, frame->peer->id);
    if (to == PLANE_NONE || to == from || !passes(plane, from, to)) {
        return;
    }
    bool raft = frame->body_case == WIRE__FRAME__BODY_RAFT;
    Wire__Identity self = WIRE__IDENTITY__INIT;
    self.kind = plane_is_node(from) ? WIRE__KIND__KIND_NODE : WIRE__KIND__KIND_CONTROLLER;
    self.id = plane->machines[from].id;
    Wire__Frame stamped = *frame;
    stamped.format = FRAME_FORMAT;
    stamped.peer = &self;
    struct slice bytes = raft
                             ? (struct slice){ frame->raft->message.data, frame->raft->message.len }
                             : plane_encode(plane, &stamped);
    plane_post_us(
        plane,
        arrives_us(plane, from, to, bytes.size) - plane->now_us,
        raft ? PLANE_RAFT : PLANE_LETTER,
        to,
        from,
        end_of(plane, from, to)->session,
        bytes);
}

/* The frame around a message of consensus says nothing that the event does not: it is not made
 * into bytes and back, which is half of all that a quiet cell says. */
static const Wire__Frame *raft_frame(struct plane *plane, const struct plane_event *event)
{
    static Wire__Frame frame;
    static Wire__Identity peer;
    static Wire__RaftFrame raft;
    wire__frame__init(&frame);
    wire__identity__init(&peer);
    wire__raft_frame__init(&raft);
    peer.kind = WIRE__KIND__KIND_CONTROLLER;
    peer.id = plane->machines[event->a].id;
    raft.message = (ProtobufCBinaryData){ event->size, event->bytes };
    frame.format = FRAME_FORMAT;
    frame.peer = &peer;
    frame.body_case = WIRE__FRAME__BODY_RAFT;
    frame.raft = &raft;
    return &frame;
}

void plane_letter(struct plane *plane, const struct plane_event *event)
{
    uint32_t to = event->machine;
    uint32_t from = (uint32_t)event->a;
    if (!plane->machines[to].up || end_of(plane, to, from)->session != event->b ||
        plane_link_of(plane, from, to)->session != event->b) {
        plane_seen(plane, PLANE_TAIL_LOST);
        return;
    }
    uint64_t *newest = &plane->machines[to].newest_letter;
    if (event->order < *newest) {
        plane_seen(plane, PLANE_OVERTAKEN);
    } else {
        *newest = event->order;
    }
    const Wire__Frame *frame = event->kind == PLANE_RAFT
                                   ? raft_frame(plane, event)
                                   : plane_decode(plane, slice_of(event->bytes, event->size));
    enum program above = plane_is_node(to) ? PROGRAM_AGENT : PROGRAM_ENGINE;
    if (frame->peer == NULL || frame->peer->id != plane->machines[from].id ||
        !frame_may_arrive(frame->peer->kind, above, frame->body_case)) {
        plane_fail(plane, "BREACH %u says %s to %u", from, frame_name(frame->body_case), to);
    }
    if (plane_is_node(to)) {
        plane_node_frame(plane, to, from, frame);
    } else {
        if (frame->body_case == WIRE__FRAME__BODY_FORWARD) {
            plane_seen(plane, PLANE_FORWARDED);
        }
        plane_controller_frame(plane, to, from, frame);
    }
}

/* ---- Coming and going ---- */

static void meet_again(struct plane *plane, uint32_t one, uint32_t other, uint64_t delay_ms)
{
    struct plane_link *link = plane_link_of(plane, one, other);
    if (!link->waiting) {
        link->waiting = true;
        plane_post(plane, delay_ms, PLANE_CONNECT, one, other, 0, SLICE_EMPTY);
    }
}

void plane_connect(struct plane *plane, uint32_t one, uint32_t other)
{
    struct plane_link *link = plane_link_of(plane, one, other);
    const struct plane_machine *a = &plane->machines[one];
    const struct plane_machine *b = &plane->machines[other];
    link->waiting = false;
    if (link->session != 0 || !a->up || !b->up || link->refused) {
        return; /* Whoever comes back tries anew. */
    }
    if (link->cut[0] || link->cut[1] || link->ends[0].session != 0 || link->ends[1].session != 0) {
        meet_again(plane, one, other, 50 + plane_below(plane, 350));
        return;
    }
    link->session = ++plane->sessions;
    const uint32_t pair[2] = { one, other };
    for (uint32_t i = 0; i < 2; i++) {
        uint64_t delay_ms = 1 + plane_below(plane, 20);
        struct plane_end *end = end_of(plane, pair[i], pair[1 - i]);
        end->last_us = plane->now_us + delay_ms * 1000;
        end->stalled = false;
        plane_post(
            plane, delay_ms, PLANE_LINK_UP, pair[i], pair[1 - i], link->session, SLICE_EMPTY);
    }
}

void plane_link_event(struct plane *plane, const struct plane_event *event)
{
    uint32_t here = event->machine;
    uint32_t there = (uint32_t)event->a;
    struct plane_end *end = end_of(plane, here, there);
    bool up = event->kind == PLANE_LINK_UP;
    if (event->life != plane->machines[here].life || !plane->machines[here].up) {
        return; /* That process is gone, and its ends with it. */
    }
    if (up ? plane_link_of(plane, here, there)->session != event->b : end->session != event->b) {
        return; /* It ended before it was seen, or was never seen. */
    }
    end->session = up ? event->b : 0;
    plane_trace(plane, "m%u sees m%u %s", here, there, up ? "come" : "go");
    if (plane_is_node(here)) {
        plane_node_link(plane, here, there, up);
    } else {
        plane_controller_link(plane, here, there, up);
    }
    if (!up) {
        meet_again(plane, here, there, 50 + plane_below(plane, 350));
    }
}

static void end_stream(struct plane *plane, uint32_t one, uint32_t other)
{
    struct plane_link *link = plane_link_of(plane, one, other);
    uint64_t session = link->session;
    link->session = 0;
    const uint32_t pair[2] = { one, other };
    for (uint32_t i = 0; i < 2; i++) {
        uint64_t delay_ms = plane_below(plane, plane_odds(plane, 2000) ? 1500 : 10);
        plane_post(plane, delay_ms, PLANE_LINK_DOWN, pair[i], pair[1 - i], session, SLICE_EMPTY);
    }
    meet_again(plane, one, other, 50 + plane_below(plane, 350));
}

/* INV-SEC-28: an epoch below the least that is known opens no connection, and keeps none. */
void plane_refuse(struct plane *plane, uint32_t one, uint32_t other)
{
    struct plane_link *link = plane_link_of(plane, one, other);
    link->refused = true;
    if (link->session != 0) {
        end_stream(plane, one, other);
    }
}

void plane_break(struct plane *plane, const struct plane_event *event)
{
    uint32_t other = (uint32_t)event->a;
    const struct plane_link *link = plane_link_of(plane, event->machine, other);
    if (link->session == event->b && event->b != 0) {
        end_stream(plane, event->machine, other);
    }
}

uint32_t plane_linked_end(const struct plane *plane, uint32_t machine)
{
    return plane_is_node(machine) ? PLANE_CONTROLLERS : plane->machines_count;
}

void plane_unlink(struct plane *plane, uint32_t machine)
{
    for (uint32_t other = 0; other < plane_linked_end(plane, machine); other++) {
        if (other == machine) {
            continue;
        }
        if (plane_link_of(plane, machine, other)->session != 0) {
            end_stream(plane, machine, other);
        }
        *end_of(plane, machine, other) = (struct plane_end){ .session = 0 };
    }
}

void plane_relink(struct plane *plane, uint32_t machine)
{
    for (uint32_t other = 0; other < plane_linked_end(plane, machine); other++) {
        if (other != machine && plane->machines[other].exists) {
            meet_again(plane, machine, other, 5 + plane_below(plane, 200));
        }
    }
}
