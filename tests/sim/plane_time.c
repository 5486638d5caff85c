/* Decides what time it is on each machine, and when a machine that is busy or stands still takes
 * what arrived meanwhile: in the order in which it came, and no more than a channel holds. */
#include "base/check.h"
#include "tests/sim/plane_net.h"
#include "tests/sim/trial.h"

#include <stdlib.h>
#include <string.h>

enum { MILLION = 1000000 };

uint64_t plane_now(const struct plane *plane, uint32_t machine)
{
    const struct plane_clock *clock = &plane->machines[machine].clock;
    CHECK(machine < plane->machines_count && plane->now_us >= clock->since_us);
    uint64_t passed = (plane->now_us - clock->since_us) * clock->rate_ppm / MILLION;
    return (clock->local_us + passed) / 1000;
}

uint64_t plane_wall(const struct plane *plane, uint32_t machine)
{
    const int64_t begin = INT64_C(1790000000000);
    int64_t wall =
        begin + (int64_t)plane_now(plane, machine) + plane->machines[machine].clock.wall_offset_ms;
    CHECK(wall > 0);
    return (uint64_t)wall;
}

void plane_clock_rate(struct plane *plane, uint32_t machine, uint64_t rate_ppm)
{
    struct plane_clock *clock = &plane->machines[machine].clock;
    CHECK(plane->now_us >= clock->since_us);
    clock->local_us += (plane->now_us - clock->since_us) * clock->rate_ppm / MILLION;
    clock->since_us = plane->now_us;
    clock->rate_ppm = rate_ppm;
}

uint64_t plane_lasts_us(const struct plane *plane, uint32_t machine, uint64_t ms)
{
    uint64_t rate = plane->machines[machine].clock.rate_ppm;
    CHECK(machine < plane->machines_count);
    return rate == 0 ? ms * 1000 : ms * 1000 * MILLION / rate; /* A timer of a clock that stands. */
}

/* ---- Busy ---- */

void plane_spend(struct plane *plane, uint32_t machine, uint64_t us)
{
    struct plane_machine *self = &plane->machines[machine];
    uint64_t from = self->busy_us > plane->now_us ? self->busy_us : plane->now_us;
    CHECK(self->slow > 0);
    self->busy_us = from + us * self->slow;
}

void plane_pause(struct plane *plane, uint32_t machine, uint64_t ms)
{
    struct plane_machine *self = &plane->machines[machine];
    uint64_t until = plane->now_us + ms * 1000;
    if (until > self->busy_us) {
        self->stood_us += until - plane->now_us;
        self->busy_us = until;
    }
}

void plane_wake(struct plane *plane, uint32_t machine)
{
    struct plane_machine *self = &plane->machines[machine];
    if (self->busy_us > plane->now_us) {
        uint64_t left_us = self->busy_us - plane->now_us;
        self->stood_us -= self->stood_us > left_us ? left_us : self->stood_us;
    }
    self->busy_us = plane->now_us;
    if (self->inbox.count > 0) {
        plane_post_us(plane, 0, PLANE_FREE, machine, 0, 0, SLICE_EMPTY);
    }
}

static bool takes_turns(const struct plane_event *event)
{
    switch (event->kind) {
    case PLANE_TICK:
    case PLANE_TURN:
    case PLANE_LETTER:
    case PLANE_RAFT:
    case PLANE_ASK:
    case PLANE_LINK_UP:
    case PLANE_LINK_DOWN:
    case PLANE_KEYS:
    case PLANE_FLUSHED:
    case PLANE_AGENT_TICK:
    case PLANE_TOLD: return true;
    case PLANE_FREE:
    case PLANE_CONNECT:
    case PLANE_BREAK:
    case PLANE_RESTART:
    case PLANE_VERB:
    case PLANE_GUEST_ENDS:
    case PLANE_HOST_BACK:
    case PLANE_CLIENT:
    case PLANE_ANSWER:
    case PLANE_FAULT:
    case PLANE_WEATHER:
    case PLANE_CUT_OFF:
    case PLANE_MEND:
    case PLANE_OPERATE:
    case PLANE_TRIAL:
    case PLANE_ROOM: return false;
    }
    UNREACHABLE();
    return false;
}

static void inbox_grow(struct plane_inbox *inbox)
{
    uint32_t capacity = inbox->capacity * 2 + 16;
    struct plane_event *ring = plane_zeroed(capacity, sizeof(*ring));
    for (uint32_t i = 0; i < inbox->count; i++) {
        ring[i] = inbox->ring[(inbox->first + i) % inbox->capacity];
    }
    free(inbox->ring);
    inbox->ring = ring;
    inbox->capacity = capacity;
    inbox->first = 0;
}

static void free_later(struct plane *plane, uint32_t machine)
{
    struct plane_machine *self = &plane->machines[machine];
    if (!self->inbox.freeing && self->inbox.count > 0) {
        uint64_t wait = self->busy_us > plane->now_us ? self->busy_us - plane->now_us : 0;
        self->inbox.freeing = true;
        plane_post_us(plane, wait, PLANE_FREE, machine, 0, 0, SLICE_EMPTY);
    }
}

bool plane_wait(struct plane *plane, const struct plane_event *event)
{
    struct plane_machine *self = &plane->machines[event->machine];
    struct plane_inbox *inbox = &self->inbox;
    if (!takes_turns(event) || !self->up || (self->busy_us <= plane->now_us && inbox->count == 0)) {
        return false;
    }
    bool letter = event->kind == PLANE_LETTER || event->kind == PLANE_RAFT;
    if (letter && inbox->count >= PLANE_INBOX + PLANE_INBOX_PEER * plane->machines_count) {
        plane_seen(plane, PLANE_INBOX_FULL); /* A full channel drops what is new. */
        plane_hole(plane, (uint32_t)event->a, event->machine);
        free(event->bytes);
        return true;
    }
    if (inbox->count == inbox->capacity) {
        inbox_grow(inbox);
    }
    inbox->ring[(inbox->first + inbox->count++) % inbox->capacity] = *event;
    uint64_t *most = &plane->tally->queued_most;
    *most = inbox->count > *most ? inbox->count : *most;
    trial_queued(plane, inbox->count);
    free_later(plane, event->machine);
    return true;
}

bool plane_next(struct plane *plane, uint32_t machine, struct plane_event *event_out)
{
    struct plane_machine *self = &plane->machines[machine];
    struct plane_inbox *inbox = &self->inbox;
    bool taken = inbox->count > 0 && self->busy_us <= plane->now_us;
    if (taken) {
        *event_out = inbox->ring[inbox->first];
        inbox->first = (inbox->first + 1) % inbox->capacity;
        inbox->count--;
    }
    inbox->freeing = false;
    return taken;
}

void plane_freed(struct plane *plane, uint32_t machine)
{
    free_later(plane, machine);
    CHECK(plane->machines[machine].inbox.count == 0 || plane->machines[machine].inbox.freeing);
}
