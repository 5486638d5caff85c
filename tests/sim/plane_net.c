/* Streams between machines. Decides what arrives and when: in order within a stream, whose tail is
 * lost when it ends; both ends learn of the end, at different times, and meet again. Never looks
 * into a frame, except at who sent it.
 *
 * Within one stream nothing is repeated and nothing overtakes (TLS); a frame may be missing only
 * where its sender's channel was full. What comes from different machines overtakes as it likes. */
#include "base/check.h"
#include "tests/sim/plane.h"
#include "wire/frame.h"

#include <string.h>

static uint64_t sent_order[PLANE_MACHINES]; /* Newest letter that arrived here, by age. */

static struct plane_stream *stream_of(struct plane *plane, uint32_t one, uint32_t other)
{
    CHECK(one != other);
    return one < other ? &plane->streams[one][other] : &plane->streams[other][one];
}

uint32_t plane_machine_of(const struct plane *plane, uint64_t id)
{
    for (uint32_t i = 0; i < PLANE_MACHINES; i++) {
        if (plane->machines[i].exists && plane->machines[i].id == id) {
            return i;
        }
    }
    return PLANE_MACHINES;
}

static uint64_t delay_of(struct plane *plane)
{
    uint64_t delay = 1 + plane_below(plane, plane->weather.delay_max_ms);
    if (plane_strikes(plane, PLANE_DELAYED, plane->weather.straggler)) {
        delay += plane_below(plane, 600);
    }
    return delay;
}

void plane_send(struct plane *plane, uint32_t from, const Wire__Frame *frame)
{
    CHECK(frame->peer != NULL);
    uint32_t to = plane_machine_of(plane, frame->peer->id);
    if (to == PLANE_MACHINES || to == from) {
        return;
    }
    struct plane_end *here = &plane->ends[from][to];
    struct plane_end *there = &plane->ends[to][from];
    if (here->session == 0 || plane_strikes(plane, PLANE_FRAME_DROPPED, plane->weather.drop)) {
        return;
    }
    Wire__Identity self = WIRE__IDENTITY__INIT;
    self.kind = plane_is_node(from) ? WIRE__KIND__KIND_NODE : WIRE__KIND__KIND_CONTROLLER;
    self.id = plane->machines[from].id;
    Wire__Frame stamped = *frame;
    stamped.format = FRAME_FORMAT;
    stamped.peer = &self;
    if (plane->weather.cut[from][to]) {
        there->stalled = there->stalled || stream_of(plane, from, to)->session == here->session;
    }
    if (there->stalled && stream_of(plane, from, to)->session == here->session) {
        plane_seen(plane, PLANE_TAIL_LOST);
        return;
    }
    uint64_t at_ms = plane->now_ms + delay_of(plane);
    at_ms = at_ms < there->last_ms ? there->last_ms : at_ms;
    there->last_ms = at_ms;
    plane_post(
        plane,
        at_ms - plane->now_ms,
        PLANE_LETTER,
        to,
        from,
        here->session,
        plane_encode(plane, &stamped));
}

void plane_letter(struct plane *plane, const struct plane_event *event)
{
    uint32_t to = event->machine;
    uint32_t from = (uint32_t)event->a;
    if (!plane->machines[to].up || plane->ends[to][from].session != event->b ||
        stream_of(plane, from, to)->session != event->b) {
        plane_seen(plane, PLANE_TAIL_LOST);
        return;
    }
    if (event->order < sent_order[to]) {
        plane_seen(plane, PLANE_OVERTAKEN);
    } else {
        sent_order[to] = event->order;
    }
    const Wire__Frame *frame = plane_decode(plane, slice_of(event->bytes, event->size));
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
    struct plane_stream *stream = stream_of(plane, one, other);
    if (!stream->waiting) {
        stream->waiting = true;
        plane_post(plane, delay_ms, PLANE_CONNECT, one, other, 0, SLICE_EMPTY);
    }
}

void plane_connect(struct plane *plane, uint32_t one, uint32_t other)
{
    struct plane_stream *stream = stream_of(plane, one, other);
    const struct plane_machine *a = &plane->machines[one];
    const struct plane_machine *b = &plane->machines[other];
    stream->waiting = false;
    if (stream->session != 0 || !a->up || !b->up) {
        return; /* Whoever comes back tries anew. */
    }
    if (plane->weather.cut[one][other] || plane->weather.cut[other][one] ||
        plane->ends[one][other].session != 0 || plane->ends[other][one].session != 0) {
        meet_again(plane, one, other, 50 + plane_below(plane, 350));
        return;
    }
    stream->session = ++plane->sessions;
    const uint32_t pair[2] = { one, other };
    for (uint32_t i = 0; i < 2; i++) {
        uint64_t delay_ms = 1 + plane_below(plane, 20);
        struct plane_end *end = &plane->ends[pair[i]][pair[1 - i]];
        end->last_ms = plane->now_ms + delay_ms;
        end->stalled = false;
        plane_post(
            plane, delay_ms, PLANE_LINK_UP, pair[i], pair[1 - i], stream->session, SLICE_EMPTY);
    }
}

void plane_link(struct plane *plane, const struct plane_event *event)
{
    uint32_t here = event->machine;
    uint32_t there = (uint32_t)event->a;
    struct plane_end *end = &plane->ends[here][there];
    struct plane_stream *stream = stream_of(plane, here, there);
    bool up = event->kind == PLANE_LINK_UP;
    if (event->life != plane->machines[here].life || !plane->machines[here].up) {
        return; /* That process is gone, and its ends with it. */
    }
    if (up ? stream->session != event->b : end->session != event->b) {
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
    struct plane_stream *stream = stream_of(plane, one, other);
    uint64_t session = stream->session;
    stream->session = 0;
    const uint32_t pair[2] = { one, other };
    for (uint32_t i = 0; i < 2; i++) {
        uint64_t delay_ms = plane_below(plane, plane_odds(plane, 2000) ? 1500 : 10);
        plane_post(plane, delay_ms, PLANE_LINK_DOWN, pair[i], pair[1 - i], session, SLICE_EMPTY);
    }
    meet_again(plane, one, other, 50 + plane_below(plane, 350));
}

void plane_break(struct plane *plane, const struct plane_event *event)
{
    uint32_t other = (uint32_t)event->a;
    const struct plane_stream *stream = stream_of(plane, event->machine, other);
    if (stream->session == event->b && event->b != 0) {
        end_stream(plane, event->machine, other);
    }
}

void plane_unlink(struct plane *plane, uint32_t machine)
{
    for (uint32_t other = 0; other < PLANE_MACHINES; other++) {
        if (other == machine) {
            continue;
        }
        if (stream_of(plane, machine, other)->session != 0) {
            end_stream(plane, machine, other);
        }
        plane->ends[machine][other] = (struct plane_end){ .session = 0 };
    }
}

void plane_relink(struct plane *plane, uint32_t machine)
{
    for (uint32_t other = 0; other < PLANE_MACHINES; other++) {
        bool both_nodes = plane_is_node(machine) && plane_is_node(other);
        if (other != machine && plane->machines[other].exists && !both_nodes) {
            meet_again(plane, machine, other, 5 + plane_below(plane, 200));
        }
    }
}

/* ---- Weather ---- */

void plane_cut(struct plane *plane)
{
    for (uint32_t one = 0; one < PLANE_MACHINES; one++) {
        for (uint32_t other = one + 1; other < PLANE_MACHINES; other++) {
            const struct plane_stream *stream = &plane->streams[one][other];
            bool cut = plane->weather.cut[one][other] || plane->weather.cut[other][one];
            if (cut && stream->session != 0) {
                plane_post(
                    plane,
                    plane_below(plane, plane_odds(plane, 5000) ? 4000 : 300),
                    PLANE_BREAK,
                    one,
                    other,
                    stream->session,
                    SLICE_EMPTY);
            }
        }
    }
}

static void cut_one(struct plane *plane, uint32_t machine)
{
    plane_seen(plane, PLANE_CUT);
    for (uint32_t other = 0; other < PLANE_MACHINES; other++) {
        plane->weather.cut[machine][other] = true;
        plane->weather.cut[other][machine] = true;
    }
}

void plane_cut_off(struct plane *plane, uint32_t machine)
{
    if (plane->trouble) {
        cut_one(plane, machine);
        plane_cut(plane);
    }
}

static void cut_by_chance(struct plane *plane)
{
    uint64_t side = plane_below(plane, 1U << PLANE_MACHINES);
    bool split = plane_odds(plane, 5000);
    plane_seen(plane, split ? PLANE_SPLIT : PLANE_ONE_WAY);
    for (uint32_t a = 0; a < PLANE_MACHINES; a++) {
        for (uint32_t b = 0; b < PLANE_MACHINES; b++) {
            bool apart = ((side >> a) & 1) != ((side >> b) & 1);
            plane->weather.cut[a][b] = split ? apart : plane_odds(plane, 1500);
        }
    }
}

void plane_weather(struct plane *plane)
{
    static const uint64_t delays[] = { 1, 2, 4, 20, 90 };
    plane->weather = (struct plane_weather){ .delay_max_ms = 2 };
    if (!plane->trouble) {
        return;
    }
    plane->weather.delay_max_ms = delays[plane_below(plane, COUNT_OF(delays))];
    plane->weather.drop = plane_odds(plane, 3000) ? plane_below(plane, 200) : 0;
    plane->weather.straggler = plane_odds(plane, 3000) ? plane_below(plane, 200) : 0;
    uint32_t leader = plane_leader(plane);
    switch (plane_below(plane, 8)) {
    case 0: cut_one(plane, (uint32_t)plane_below(plane, PLANE_MACHINES)); break;
    case 1: cut_by_chance(plane); break;
    case 2:
        if (leader < PLANE_MACHINES) {
            cut_one(plane, leader);
        }
        break;
    default: break;
    }
    plane_cut(plane);
    plane_after(plane, 300 + plane_below(plane, 2500), PLANE_WEATHER, 0);
}
