/* Decides the order of events: of time, then of age. Never what they do. */
#include "base/arena.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/limits.h"
#include "tests/sim/plane_fault.h"
#include "tests/sim/plane_host.h"
#include "tests/sim/plane_machine.h"
#include "tests/sim/plane_net.h"
#include "tests/sim/trial.h"
#include "wire/frame.h"
#include "wire/wire.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Alignas(16) uint8_t decode_memory[16 * LIMIT_FRAME];
static uint8_t encode_memory[LIMIT_FRAME];

uint64_t plane_below(struct plane *plane, uint64_t bound)
{
    CHECK(bound > 0);
    return prng_below(&plane->prng, bound);
}

bool plane_odds(struct plane *plane, uint64_t per_ten_thousand)
{
    CHECK(per_ten_thousand <= 10000);
    return per_ten_thousand > 0 && plane_below(plane, 10000) < per_ten_thousand;
}

bool plane_strikes(struct plane *plane, enum plane_fault fault, uint64_t per_ten_thousand)
{
    if (!plane->trouble || !plane->swarm.on[fault] || !plane_odds(plane, per_ten_thousand)) {
        return false;
    }
    plane_seen(plane, fault);
    return true;
}

void plane_trace(struct plane *plane, const char *format, ...)
{
    CHECK(format != NULL);
    va_list arguments;
    if (plane->trial != NULL) {
        va_start(arguments, format);
        trial_says(plane, format, arguments);
        va_end(arguments);
    }
    if (!plane->verbose) {
        return;
    }
    va_start(arguments, format);
    (void)printf("%6llu ", (unsigned long long)plane->now_ms);
    (void)vprintf(format, arguments);
    (void)printf("\n");
    va_end(arguments);
}

void plane_fail(struct plane *plane, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(plane->tally->what, sizeof(plane->tally->what), format, arguments);
    va_end(arguments);
    plane->tally->failed = true;
    plane->tally->failed_ms = plane->now_ms;
    plane_trace(plane, "VIOLATION %s", plane->tally->what);
    trial_flush(plane);
    (void)fflush(stdout);
    _exit(10);
}

void plane_hash(struct plane *plane, uint64_t value)
{
    plane->tally->hash = (plane->tally->hash ^ value) * UINT64_C(0x100000001b3);
    plane->tally->hash ^= plane->tally->hash >> 31;
}

void plane_seen(struct plane *plane, enum plane_fault fault)
{
    CHECK(fault < PLANE_FAULTS);
    plane->tally->faults[fault]++;
}

static bool alone(const struct plane *plane)
{
    uint32_t members = 0;
    for (uint32_t i = 0; i < PLANE_CONTROLLERS; i++) {
        members += plane->machines[i].exists ? 1 : 0;
    }
    return members < 2;
}

/* What compares controllers counts only where there are two. */
void plane_checked(struct plane *plane, enum plane_checker checker)
{
    CHECK(checker < PLANE_CHECKERS);
    if (checker != PLANE_CHECK_AGREED || !alone(plane)) {
        plane->tally->checks[checker]++;
    }
}

void *plane_zeroed(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    CHECK(memory != NULL);
    return memory;
}

struct slice plane_encode(struct plane *plane, const Wire__Frame *frame)
{
    size_t used = 0;
    if (!wire_encode_into(frame, encode_memory, sizeof(encode_memory), &used)) {
        plane_fail(plane, "FRAME too large: %s", frame_name(frame->body_case));
    }
    CHECK(used > 0);
    return slice_of(encode_memory, used);
}

const Wire__Frame *plane_decode(struct plane *plane, struct slice bytes)
{
    struct arena arena;
    Wire__Frame *frame = NULL;
    arena_init(&arena, decode_memory, sizeof(decode_memory));
    struct result decoded = wire_decode(&wire__frame__descriptor, bytes, &arena, &frame);
    if (decoded.code != 0) {
        plane_fail(plane, "FRAME not canonical: %s", result_name(decoded));
    }
    return frame;
}

/* ---- The queue ---- */

static bool earlier(const struct plane_event *a, const struct plane_event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void queue_grow(struct plane *plane)
{
    if (plane->queue_count == PLANE_EVENTS) {
        plane_fail(plane, "BOUND the simulator's queue is full");
    }
    if (plane->queue_count == plane->queue_capacity) {
        plane->queue_capacity = plane->queue_capacity * 2 + 1024;
        plane->queue = realloc(plane->queue, plane->queue_capacity * sizeof(*plane->queue));
        CHECK(plane->queue != NULL);
    }
}

void plane_post_us(
    struct plane *plane,
    uint64_t delay_us,
    enum plane_kind kind,
    uint32_t machine,
    uint64_t a,
    uint64_t b,
    struct slice bytes)
{
    struct plane_event event = { .at_us = plane->now_us + delay_us,
                                 .order = plane->event_order++,
                                 .kind = kind,
                                 .machine = machine,
                                 .life = plane->machines[machine].life,
                                 .a = a,
                                 .b = b,
                                 .size = bytes.size };
    CHECK(machine < plane->machines_count);
    queue_grow(plane);
    if (bytes.size > 0) {
        event.bytes = malloc(bytes.size);
        CHECK(event.bytes != NULL);
        memcpy(event.bytes, bytes.data, bytes.size);
    }
    uint32_t at = plane->queue_count++;
    while (at > 0 && earlier(&event, &plane->queue[(at - 1) / 2])) {
        plane->queue[at] = plane->queue[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    plane->queue[at] = event;
}

void plane_post(
    struct plane *plane,
    uint64_t delay_ms,
    enum plane_kind kind,
    uint32_t machine,
    uint64_t a,
    uint64_t b,
    struct slice bytes)
{
    plane_post_us(plane, delay_ms * 1000, kind, machine, a, b, bytes);
}

void plane_after(struct plane *plane, uint64_t delay_ms, enum plane_kind kind, uint32_t machine)
{
    plane_post(plane, delay_ms, kind, machine, 0, 0, SLICE_EMPTY);
}

static struct plane_event take(struct plane *plane)
{
    CHECK(plane->queue_count > 0);
    struct plane_event first = plane->queue[0];
    struct plane_event last = plane->queue[--plane->queue_count];
    uint32_t at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= plane->queue_count) {
            break;
        }
        if (child + 1 < plane->queue_count &&
            earlier(&plane->queue[child + 1], &plane->queue[child])) {
            child++;
        }
        if (!earlier(&plane->queue[child], &last)) {
            break;
        }
        plane->queue[at] = plane->queue[child];
        at = child;
    }
    plane->queue[at] = last;
    return first;
}

/* ---- Events ---- */

static void dispatch(struct plane *plane, const struct plane_event *event)
{
    bool node = plane_is_node(event->machine);
    switch (event->kind) {
    case PLANE_LETTER:
    case PLANE_RAFT: plane_letter(plane, event); return;
    case PLANE_LINK_UP:
    case PLANE_LINK_DOWN: plane_link_event(plane, event); return;
    case PLANE_CONNECT: plane_connect(plane, event->machine, (uint32_t)event->a); return;
    case PLANE_BREAK: plane_break(plane, event); return;
    case PLANE_RESTART:
        if (node) {
            plane_node_event(plane, event);
            return;
        }
        plane_controller_event(plane, event);
        return;
    case PLANE_TICK:
    case PLANE_TURN:
    case PLANE_ASK:
    case PLANE_KEYS:
    case PLANE_FLUSHED:
    case PLANE_ROOM: plane_controller_event(plane, event); return;
    case PLANE_AGENT_TICK: plane_node_event(plane, event); return;
    case PLANE_VERB:
    case PLANE_TOLD:
    case PLANE_GUEST_ENDS:
    case PLANE_HOST_BACK: plane_host_event(plane, event); return;
    case PLANE_CLIENT:
    case PLANE_ANSWER: plane_client_event(plane, event); return;
    case PLANE_FAULT: plane_fault(plane); return;
    case PLANE_WEATHER: plane_weather(plane); return;
    case PLANE_CUT_OFF: plane_cut_off(plane, event->machine); return;
    case PLANE_MEND: plane_mend(plane, event); return;
    case PLANE_OPERATE: plane_operator_event(plane); return;
    case PLANE_TRIAL: trial_event(plane, event); return;
    case PLANE_FREE: break;
    }
    UNREACHABLE();
}

static void happen(struct plane *plane, struct plane_event *event)
{
    const struct hash_key key = { 1, 2 };
    plane_hash(plane, event->at_us);
    plane_hash(
        plane, ((uint64_t)event->kind << 40) + ((uint64_t)event->machine << 32) + event->size);
    plane_hash(plane, event->a + event->b * 31);
    if (event->size > 0) {
        plane_hash(plane, hash_bytes(key, slice_of(event->bytes, event->size)));
    }
    trial_happens(plane, event);
    dispatch(plane, event);
    free(event->bytes);
}

static void event_run(struct plane *plane)
{
    struct plane_event event = take(plane);
    CHECK(event.at_us >= plane->now_us);
    plane->now_us = event.at_us;
    plane->now_ms = event.at_us / 1000;
    plane->tally->events++;
    if (event.kind == PLANE_FREE) {
        uint32_t machine = event.machine;
        if (plane_next(plane, machine, &event)) {
            happen(plane, &event);
        }
        plane_freed(plane, machine);
    } else if (!plane_wait(plane, &event)) {
        happen(plane, &event);
    }
}

bool plane_until(struct plane *plane, uint64_t patience_ms, bool (*ready)(struct plane *plane))
{
    uint64_t limit_us = plane->now_us + patience_ms * 1000;
    while (ready == NULL || !ready(plane)) {
        if (plane->queue_count == 0 || plane->queue[0].at_us > limit_us) {
            plane->now_us = limit_us;
            plane->now_ms = limit_us / 1000;
            return ready == NULL;
        }
        if (plane->until != 0 && plane->tally->events >= plane->until) {
            plane_fail(plane, "STOPPED where --until said");
        }
        event_run(plane);
    }
    return true;
}
