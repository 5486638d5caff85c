/* What a node's agent makes of frames: controllers' orders, host's answers, parent's words, links
 * and channels that come and go, its own restart. The oracles: what it says encodes, may be said
 * and is understood; the same events give the same effects; terms, generations and epochs never go
 * back (INV-VM-2); nothing is begun on a host that was not observed (INV-VM-3); an instance has one
 * verb under way at most (INV-VM-5). */
#include "tests/fuzz/fuzz_agent.h"

#include "base/check.h"
#include "node-agent/core/agent.h"
#include "wire/wire.h"

#include <stdlib.h>
#include <string.h>

enum { VERBS = 256, OUTSIDE = 16, SEEN = 256 };

struct verb {
    uint64_t handle;
    uint64_t instance; /* 0: of another kind. */
};

struct seen {
    uint64_t instance;
    uint64_t generation;
    uint64_t epoch;
};

static struct agent *agents[2];
static struct agent_effects effects[2];
static struct arena arenas[2];
static struct agent_saved saved;
static _Alignas(16) uint8_t step_memory[2][AGENT_ARENA_BYTES];
static _Alignas(16) uint8_t part_memory[1024 * 1024];
static _Alignas(16) uint8_t other_memory[1024 * 1024];

static struct world {
    uint64_t now_ms;
    uint64_t term;
    bool observed; /* Since host's channel opened and libvirt came. */
    uint64_t observe;
    struct verb verbs[VERBS]; /* Under way. */
    uint32_t verbs_count;
    uint64_t outside[OUTSIDE]; /* Handles that host was given last. */
    uint32_t outside_count;
    struct seen seen[SEEN];
    uint32_t seen_count;
} world;

const ProtobufCMessageDescriptor *fuzz_type(uint8_t kind)
{
    return kind % KINDS <= KIND_PARENT ? &wire__frame__descriptor : NULL;
}

/* ---- What it does ---- */

static struct slice packed(const ProtobufCMessage *message, struct arena *arena)
{
    struct slice bytes = SLICE_EMPTY;
    MUST(wire_encode(message, arena, &bytes).code == 0);
    return bytes;
}

/* Both agents want the same; what is said is understood. */
static void hold_frame(const struct agent_effect *one, const struct agent_effect *other)
{
    struct arena arena;
    Wire__Frame *again = NULL;
    bool verb = one->kind == AGENT_EFFECT_VERB;
    arena_init(&arena, other_memory, sizeof(other_memory));
    struct slice bytes = packed(&one->frame->base, &arena);
    MUST(slice_equal(bytes, packed(&other->frame->base, &arena)));
    MUST(bytes.size <= LIMIT_FRAME);
    MUST(wire_decode(&wire__frame__descriptor, bytes, &arena, &again).code == 0);
    MUST(frame_may_pass(PROGRAM_AGENT, verb ? PROGRAM_HOST : PROGRAM_LINK, again->body_case));
    MUST(verb || frame_may_arrive(WIRE__KIND__KIND_NODE, PROGRAM_ENGINE, again->body_case));
    MUST(verb == (again->peer == NULL));
}

static void hold_order(const Wire__Assignment *order)
{
    struct seen *seen = world.seen;
    while (seen < world.seen + world.seen_count && seen->instance != order->instance) {
        seen++;
    }
    if (seen == world.seen + world.seen_count && world.seen_count < SEEN) {
        world.seen_count++;
        *seen = (struct seen){ .instance = order->instance };
    }
    if (seen < world.seen + SEEN) { /* INV-VM-2 */
        MUST(order->generation >= seen->generation && order->epoch >= seen->epoch);
        *seen = (struct seen){ order->instance, order->generation, order->epoch };
    }
}

static uint64_t instance_of(const Wire__Verb *verb)
{
    return verb->verb_case == WIRE__VERB__VERB_START   ? verb->start->assignment->instance
           : verb->verb_case == WIRE__VERB__VERB_STOP  ? verb->stop->instance
           : verb->verb_case == WIRE__VERB__VERB_ERASE ? verb->erase->instance
                                                       : 0;
}

static void take_verb(const Wire__Verb *verb)
{
    uint64_t instance = instance_of(verb);
    bool acts = instance != 0 || verb->verb_case == WIRE__VERB__VERB_ENSURE_SEGMENT ||
                verb->verb_case == WIRE__VERB__VERB_DROP_SEGMENT;
    MUST(world.observed || !acts); /* INV-VM-3 */
    for (uint32_t i = 0; i < world.verbs_count; i++) {
        MUST(world.verbs[i].handle != verb->handle);
        MUST(instance == 0 || world.verbs[i].instance != instance); /* INV-VM-5 */
    }
    CHECK(world.verbs_count < VERBS);
    world.verbs[world.verbs_count++] = (struct verb){ verb->handle, instance };
    world.outside[world.outside_count++ % OUTSIDE] = verb->handle;
    if (verb->verb_case == WIRE__VERB__VERB_OBSERVE) {
        world.observe = verb->handle;
    } else if (verb->verb_case == WIRE__VERB__VERB_START) {
        hold_order(verb->start->assignment);
        MUST(verb->start->n_vnis == verb->start->assignment->n_nics);
    }
}

static void hold_effects(void)
{
    MUST(effects[0].count == effects[1].count);
    for (uint32_t i = 0; i < effects[0].count; i++) {
        const struct agent_effect *one = &effects[0].items[i];
        const struct agent_effect *other = &effects[1].items[i];
        MUST(one->kind == other->kind && one->id == other->id && one->count == other->count);
        switch (one->kind) {
        case AGENT_EFFECT_SAVE: MUST(i == 0); break;
        case AGENT_EFFECT_VERB:
            hold_frame(one, other);
            take_verb(one->frame->verb);
            break;
        case AGENT_EFFECT_FRAME:
            hold_frame(one, other);
            MUST(one->controller == one->frame->peer->id);
            break;
        case AGENT_EFFECT_LOG: MUST(agent_log_name(one->log)[0] != '\0'); break;
        }
    }
    MUST(agents[0]->term >= world.term); /* INV-VM-2 */
    world.term = agents[0]->term;
}

static void step(struct agent_event *event)
{
    event->now_ms = world.now_ms;
    for (uint32_t i = 0; i < COUNT_OF(agents); i++) {
        arena_init(&arenas[i], step_memory[i], sizeof(step_memory[i]));
        effects[i].arena = &arenas[i];
        agent_step(agents[i], event, &effects[i]);
    }
    hold_effects();
}

static void start(uint8_t boot, const struct agent_saved *from)
{
    struct agent_event event = { .kind = AGENT_EVENT_START, .saved = from };
    memset(event.boot_id, boot, sizeof(event.boot_id));
    for (uint32_t i = 0; i < COUNT_OF(agents); i++) {
        agents[i] = fuzz_pages(i, sizeof(*agents[i]));
        agent_init(agents[i]);
    }
    world.observed = false;
    world.verbs_count = 0;
    step(&event);
}

/* ---- What it is told ---- */

/* As agent_main.c's on_link_frame: link stamps every frame, and lets only these arrive. */
static void of_controller(const Wire__Frame *frame)
{
    struct agent_event event = { .kind = AGENT_EVENT_WELCOME };
    if (frame->peer == NULL || frame->peer->kind != WIRE__KIND__KIND_CONTROLLER ||
        frame->peer->id == 0 ||
        !frame_may_arrive(WIRE__KIND__KIND_CONTROLLER, PROGRAM_AGENT, frame->body_case)) {
        return;
    }
    event.controller = frame->peer->id;
    if (frame->body_case == WIRE__FRAME__BODY_NODE_WELCOME) {
        event.welcome = frame->node_welcome;
    } else if (frame->body_case == WIRE__FRAME__BODY_NODE_ORDERS) {
        event.kind = AGENT_EVENT_ORDERS;
        event.orders = frame->node_orders;
    } else if (frame->body_case == WIRE__FRAME__BODY_CONSOLE_ASK) {
        event.kind = AGENT_EVENT_CONSOLE_ASK;
        event.console_ask = frame->console_ask;
    } else {
        return; /* A certificate: the shell's. */
    }
    uint64_t count = 0;
    uint64_t digest = 0;
    uint64_t count_before = 0;
    uint64_t digest_before = 0;
    bool stale = event.kind == AGENT_EVENT_ORDERS &&
                 (event.orders->term != agents[0]->term || agents[0]->leader != event.controller);
    model_digest(&agents[0]->model, &count_before, &digest_before);
    step(&event);
    model_digest(&agents[0]->model, &count, &digest);
    MUST(!stale || (count == count_before && digest == digest_before)); /* INV-VM-2 */
}

static void told(Wire__VerbTold *said)
{
    struct agent_event event = { .kind = AGENT_EVENT_TOLD, .told = said };
    if (said->handle < OUTSIDE &&
        said->handle < world.outside_count) { /* Counted from the newest. */
        said->handle = world.outside[(world.outside_count - 1 - said->handle) % OUTSIDE];
    }
    for (uint32_t i = 0; i < world.verbs_count; i++) {
        if (world.verbs[i].handle == said->handle) {
            world.observed =
                world.observed || (said->handle == world.observe && said->failure == 0);
            world.verbs[i] = world.verbs[--world.verbs_count];
            step(&event);
            return;
        }
    }
    step(&event); /* Nobody asked: an answer to an earlier life. */
}

static void of_host(const Wire__Frame *frame)
{
    struct agent_event event = { .kind = AGENT_EVENT_HOST, .host = frame->host_event };
    if (frame->body_case == WIRE__FRAME__BODY_VERB_TOLD) {
        told(frame->verb_told);
    } else if (frame->body_case == WIRE__FRAME__BODY_HOST_EVENT) {
        bool libvirt = frame->host_event->event_case == WIRE__HOST_EVENT__EVENT_LIBVIRT_UP;
        world.observed = world.observed && !libvirt;
        step(&event);
    }
}

/* A file need not hold what it wrote: the digest in it says only that it is whole. */
static void restart(struct slice bytes)
{
    enum { ROW = 25 };
    agent_save(agents[0], &saved);
    if (bytes.size > 1) {
        saved.instances_count = 0;
        world.seen_count = 0;
    }
    for (size_t at = 1; at + ROW <= bytes.size && saved.instances_count < LIMIT_NODE_INSTANCES;
         at += ROW) {
        saved.instances[saved.instances_count++] = (struct agent_saved_instance){
            .instance = fuzz_number(bytes, at, 8),
            .generation = fuzz_number(bytes, at + 8, 8),
            .epoch = fuzz_number(bytes, at + 16, 8),
            .booted = (fuzz_number(bytes, at + 24, 1) & 1U) != 0,
        };
    }
    world.now_ms += 10;
    start((uint8_t)fuzz_number(bytes, 0, 1), &saved);
}

static void take_part(const struct fuzz_part *part, struct slice bytes)
{
    struct arena arena;
    Wire__Frame *frame = NULL;
    enum kind kind = (enum kind)(part->kind % KINDS);
    arena_init(&arena, part_memory, sizeof(part_memory));
    if (kind <= KIND_PARENT &&
        (wire_decode(&wire__frame__descriptor, bytes, &arena, &frame).code != 0 ||
         frame->format != FRAME_FORMAT)) {
        return; /* The channel refuses it. */
    }
    struct agent_event event = { .kind = AGENT_EVENT_TICK,
                                 .up = (fuzz_number(bytes, 0, 1) & 1U) != 0,
                                 .controller = fuzz_number(bytes, 1, 8) };
    switch (kind) {
    case KIND_CONTROLLER: of_controller(frame); return;
    case KIND_HOST: of_host(frame); return;
    case KIND_PARENT:
        event.kind = AGENT_EVENT_PROCESS;
        event.process = frame->process_restarted;
        if (frame->body_case == WIRE__FRAME__BODY_PROCESS_RESTARTED) {
            step(&event);
        }
        return;
    case KIND_LINK:
        event.kind = AGENT_EVENT_LINK;
        if (event.controller != 0) {
            step(&event);
        }
        return;
    case KIND_CHANNEL:
        event.kind = AGENT_EVENT_HOST_STATE;
        world.observed = false;
        world.verbs_count = 0; /* Their answers go to nobody. */
        step(&event);
        return;
    case KIND_TICK:
        world.now_ms += fuzz_number(bytes, 0, 4);
        step(&event);
        return;
    case KIND_RESTART: restart(bytes); return;
    case KINDS: return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size);
    struct fuzz_part part;
    memset(&world, 0, sizeof(world));
    world.now_ms = 1000;
    start(1, NULL);
    while (fuzz_part_next(&rest, &part)) {
        uint8_t *exact = fuzz_copy(part.bytes);
        take_part(&part, slice_of(exact, part.bytes.size));
        free(exact);
    }
    return 0;
}
