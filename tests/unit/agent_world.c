/* Decides how the fake hypervisor answers. Never hides a malformed frame. */
#include "agent_world.h"

#include "wire/frame.h"
#include "wire/wire.h"

#include <criterion/criterion.h>
#include <string.h>

static _Alignas(16) uint8_t step_memory[AGENT_ARENA_BYTES];
static _Alignas(16) uint8_t frame_memory[4 * LIMIT_FRAME];
static uint8_t frame_bytes[LIMIT_FRAME];

static void start_agent(struct world *world, uint8_t boot)
{
    struct agent_event event = { .kind = AGENT_EVENT_START };
    event.saved = world->have_saved ? &world->saved : NULL;
    memset(event.boot_id, boot, sizeof(event.boot_id));
    memset(&world->agent, 0, sizeof(world->agent));
    agent_init(&world->agent);
    world_step(world, &event);
}

void world_open(struct world *world)
{
    memset(world, 0, sizeof(*world));
    world->now_ms = 1000;
    arena_init(&world->arena, step_memory, sizeof(step_memory));
    world->effects.arena = &world->arena;
    start_agent(world, 1);
}

void world_restart_agent(struct world *world, uint8_t boot)
{
    world->now_ms += 10;
    world->verbs_count = 0; /* Their answers go to nobody. */
    start_agent(world, boot);
}

struct world_domain *world_domain(struct world *world, uint64_t instance)
{
    for (uint32_t i = 0; i < WORLD_DOMAINS; i++) {
        if (world->domains[i].instance == instance) {
            return &world->domains[i];
        }
    }
    return NULL;
}

static void note_instance(struct world *world, uint64_t controller, const Wire__NodeInstance *told)
{
    if (world->reports_count == WORLD_REPORTS) { /* The newest half counts. */
        memmove(
            world->reports,
            world->reports + WORLD_REPORTS / 2,
            sizeof(world->reports[0]) * (WORLD_REPORTS / 2));
        world->reports_count = WORLD_REPORTS / 2;
    }
    world->reports[world->reports_count++] = (struct world_report){
        .controller = controller,
        .instance = told->instance,
        .generation = told->generation,
        .observed = told->observed,
        .repairs = told->repairs,
    };
}

static void note_verb(struct world *world, const Wire__Verb *verb)
{
    cr_assert_lt(world->verbs_count, WORLD_VERBS);
    struct world_verb *note = &world->verbs[world->verbs_count++];
    *note = (struct world_verb){ .handle = verb->handle, .kind = verb->verb_case };
    switch ((int)verb->verb_case) {
    case WIRE__VERB__VERB_START:
        note->object = verb->start->assignment->instance;
        note->generation = verb->start->assignment->generation;
        note->epoch = verb->start->assignment->epoch;
        note->boots = verb->start->assignment->boots;
        cr_assert_eq(verb->start->n_vnis, verb->start->assignment->n_nics);
        break;
    case WIRE__VERB__VERB_STOP:
        note->object = verb->stop->instance;
        note->force = verb->stop->force;
        break;
    case WIRE__VERB__VERB_ERASE: note->object = verb->erase->instance; break;
    case WIRE__VERB__VERB_ENSURE_SEGMENT:
        note->object = verb->ensure_segment->segment->network;
        note->generation = verb->ensure_segment->segment->generation;
        note->vni = verb->ensure_segment->segment->vni;
        note->peers = verb->ensure_segment->segment->n_peers;
        break;
    case WIRE__VERB__VERB_DROP_SEGMENT: note->object = verb->drop_segment->network; break;
    case WIRE__VERB__VERB_READ_CONSOLE: note->object = verb->read_console->instance; break;
    default: break;
    }
}

static void note_frame(struct world *world, uint64_t controller, const Wire__Frame *frame)
{
    cr_assert_not_null(frame->peer);
    cr_assert_eq(frame->peer->id, controller);
    cr_assert(frame_may_arrive(WIRE__KIND__KIND_NODE, PROGRAM_ENGINE, frame->body_case));
    switch ((int)frame->body_case) {
    case WIRE__FRAME__BODY_NODE_HELLO:
        world->hellos++;
        world->hello_known = (uint32_t)frame->node_hello->n_known;
        for (size_t i = 0; i < frame->node_hello->n_known; i++) {
            note_instance(world, controller, frame->node_hello->known[i]);
        }
        break;
    case WIRE__FRAME__BODY_NODE_RENEW:
        world->renewals++;
        world->renew_count = frame->node_renew->desired_count;
        world->renew_digest = frame->node_renew->desired_digest;
        world->renew_conditions = frame->node_renew->conditions;
        break;
    case WIRE__FRAME__BODY_NODE_REPORT:
        for (size_t i = 0; i < frame->node_report->n_instances; i++) {
            note_instance(world, controller, frame->node_report->instances[i]);
        }
        break;
    case WIRE__FRAME__BODY_CONSOLE_TOLD:
        world->consoles++;
        world->console_failure = frame->console_told->failure;
        break;
    default: cr_assert_fail("a frame that no agent sends");
    }
}

/* What really would arrive: encoded, within one message, decoded strictly. */
static const Wire__Frame *over_the_wire(const Wire__Frame *frame)
{
    struct arena arena;
    size_t used = 0;
    Wire__Frame *back = NULL;
    arena_init(&arena, frame_memory, sizeof(frame_memory));
    cr_assert(wire_encode_into(frame, frame_bytes, sizeof(frame_bytes), &used));
    struct slice bytes = slice_of(frame_bytes, used);
    cr_assert_eq(wire_decode(&wire__frame__descriptor, bytes, &arena, &back).code, 0);
    return back;
}

void world_step(struct world *world, struct agent_event *event)
{
    event->now_ms = world->now_ms;
    agent_step(&world->agent, event, &world->effects);
    for (uint32_t i = 0; i < world->effects.count; i++) {
        const struct agent_effect *effect = &world->effects.items[i];
        switch (effect->kind) {
        case AGENT_EFFECT_SAVE:
            cr_assert_eq(i, 0U, "it is saved before anything relies on it");
            agent_save(&world->agent, &world->saved);
            world->have_saved = true;
            world->saves++;
            break;
        case AGENT_EFFECT_VERB: note_verb(world, over_the_wire(effect->frame)->verb); break;
        case AGENT_EFFECT_FRAME:
            note_frame(world, effect->controller, over_the_wire(effect->frame));
            break;
        case AGENT_EFFECT_LOG:
            cr_assert_not_null(agent_log_name(effect->log));
            world->logs[effect->log]++;
            break;
        }
    }
}

void world_tick(struct world *world, uint64_t ms)
{
    struct agent_event event = { .kind = AGENT_EVENT_TICK };
    world->now_ms += ms;
    world_step(world, &event);
}

void world_host(struct world *world, bool up)
{
    struct agent_event event = { .kind = AGENT_EVENT_HOST_STATE, .up = up };
    world->verbs_count = 0;
    world_step(world, &event);
}

void world_link(struct world *world, uint64_t controller, bool up)
{
    struct agent_event event = { .kind = AGENT_EVENT_LINK, .controller = controller, .up = up };
    world_step(world, &event);
}

void world_welcome(struct world *world, uint64_t controller, uint64_t term)
{
    Wire__NodeWelcome welcome = WIRE__NODE_WELCOME__INIT;
    struct agent_event event = { .kind = AGENT_EVENT_WELCOME, .controller = controller };
    welcome.term = term;
    welcome.session = 1;
    event.welcome = &welcome;
    world_step(world, &event);
}

void world_libvirt(struct world *world, bool up)
{
    Wire__HostEvent host = WIRE__HOST_EVENT__INIT;
    struct agent_event event = { .kind = AGENT_EVENT_HOST, .host = &host };
    host.event_case = WIRE__HOST_EVENT__EVENT_LIBVIRT_UP;
    host.libvirt_up = up;
    world_step(world, &event);
}

void world_ended(struct world *world, uint64_t instance, uint32_t why)
{
    Wire__InstanceEnded ended = WIRE__INSTANCE_ENDED__INIT;
    Wire__HostEvent host = WIRE__HOST_EVENT__INIT;
    struct agent_event event = { .kind = AGENT_EVENT_HOST, .host = &host };
    struct world_domain *domain = world_domain(world, instance);
    if (domain != NULL) {
        domain->running = false;
        domain->paused = false;
        domain->leftovers = true;
    }
    ended.instance = instance;
    ended.why = why;
    host.event_case = WIRE__HOST_EVENT__EVENT_ENDED;
    host.ended = &ended;
    world_step(world, &event);
}

/* ---- The fake's answers. ---- */

static uint32_t fake_start(struct world *world, const struct world_verb *verb)
{
    struct world_domain *domain = world_domain(world, verb->object);
    if (domain != NULL && (domain->running || domain->paused)) {
        world->doubles++;
        return FAILURE_EXISTS;
    }
    if (world->start_failure != FAILURE_NONE) {
        return world->start_failure;
    }
    domain = domain != NULL ? domain : world_domain(world, 0);
    cr_assert_not_null(domain);
    *domain = (struct world_domain){ .instance = verb->object,
                                     .running = true,
                                     .generation = verb->generation,
                                     .epoch = verb->epoch,
                                     .boots = verb->boots };
    world->starts++;
    return FAILURE_NONE;
}

static uint32_t fake_stop(struct world *world, const struct world_verb *verb)
{
    struct world_domain *domain = world_domain(world, verb->object);
    if (domain == NULL || (!domain->running && !domain->paused)) {
        return FAILURE_NOT_FOUND;
    }
    if (verb->force) { /* A guest that is only asked does not obey. */
        domain->running = false;
        domain->paused = false;
        domain->leftovers = true;
        world->destroys++;
    }
    return FAILURE_NONE;
}

static uint32_t fake_act(struct world *world, const struct world_verb *verb)
{
    struct world_domain *domain = world_domain(world, verb->object);
    switch ((int)verb->kind) {
    case WIRE__VERB__VERB_START: return fake_start(world, verb);
    case WIRE__VERB__VERB_STOP: return fake_stop(world, verb);
    case WIRE__VERB__VERB_ERASE:
        if (domain != NULL) {
            world->destroys += domain->running || domain->paused ? 1 : 0;
            *domain = (struct world_domain){ 0 };
        }
        return FAILURE_NONE;
    default: return FAILURE_NONE;
    }
}

static void fake_segment(struct world *world, const struct world_verb *verb)
{
    uint32_t place = WORLD_DOMAINS;
    for (uint32_t i = 0; i < WORLD_DOMAINS; i++) {
        if (world->segments[i] == verb->object ||
            (world->segments[i] == 0 && place == WORLD_DOMAINS)) {
            place = i;
        }
        if (world->segments[i] == verb->object) {
            break;
        }
    }
    cr_assert_lt(place, WORLD_DOMAINS);
    bool ensure = verb->kind == WIRE__VERB__VERB_ENSURE_SEGMENT;
    world->segments[place] = ensure ? verb->object : 0;
    world->segment_generations[place] = ensure ? verb->generation : 0;
}

static void fake_survey(Wire__NodeHello *survey)
{
    static uint8_t digest[MODEL_DIGEST_SIZE] = { 7 };
    static ProtobufCBinaryData images[1] = { { MODEL_DIGEST_SIZE, digest } };
    static const char *fallbacks[1] = { "KVM: none; guests are emulated (TCG)" };
    wire__node_hello__init(survey);
    survey->vcpus = 4;
    survey->memory_bytes = UINT64_C(8) << 30;
    survey->virtualization = "tcg";
    survey->n_images = 1;
    survey->images = images;
    survey->n_fallbacks = 1;
    survey->fallbacks = fallbacks;
}

static void fake_observe(struct world *world, Wire__VerbTold *told)
{
    static Wire__HostInstance lines[WORLD_DOMAINS];
    static Wire__HostInstance *list[WORLD_DOMAINS];
    static Wire__HostSegment segment_lines[WORLD_DOMAINS];
    static Wire__HostSegment *segment_list[WORLD_DOMAINS];
    told->instances = list;
    told->segments = segment_list;
    for (uint32_t i = 0; i < WORLD_DOMAINS; i++) {
        const struct world_domain *domain = &world->domains[i];
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
        if (world->segments[i] != 0) {
            Wire__HostSegment *line = &segment_lines[told->n_segments];
            wire__host_segment__init(line);
            line->network = world->segments[i];
            line->vni = 4096;
            line->generation = world->segment_generations[i];
            segment_list[told->n_segments++] = line;
        }
    }
}

bool world_answer(struct world *world, uint32_t which)
{
    if (world->verbs_count == 0) {
        return false;
    }
    which %= world->verbs_count;
    const struct world_verb verb = world->verbs[which];
    world->verbs[which] = world->verbs[--world->verbs_count];
    Wire__VerbTold told = WIRE__VERB_TOLD__INIT;
    Wire__NodeHello survey;
    Wire__HostSegment segment = WIRE__HOST_SEGMENT__INIT;
    Wire__HostSegment *segments[1] = { &segment };
    Wire__NodeConsoleTold console = WIRE__NODE_CONSOLE_TOLD__INIT;
    told.handle = verb.handle;
    switch ((int)verb.kind) {
    case WIRE__VERB__VERB_OBSERVE:
        fake_observe(world, &told);
        told.strangers = world->strangers;
        break;
    case WIRE__VERB__VERB_SURVEY:
        fake_survey(&survey);
        told.survey = &survey;
        break;
    case WIRE__VERB__VERB_ENSURE_SEGMENT:
        segment.network = verb.object;
        segment.vni = verb.vni;
        segment.generation = verb.generation;
        told.n_segments = 1;
        told.segments = segments;
        fake_segment(world, &verb);
        break;
    case WIRE__VERB__VERB_DROP_SEGMENT: fake_segment(world, &verb); break;
    case WIRE__VERB__VERB_READ_CONSOLE: told.console = &console; break;
    default: told.failure = fake_act(world, &verb); break;
    }
    struct agent_event event = { .kind = AGENT_EVENT_TOLD, .told = &told };
    world_step(world, &event);
    return true;
}

void world_settle(struct world *world)
{
    /* Longer than the longest back-off and than the grace of a stop. */
    const uint32_t rest = AGENT_BACKOFF_MS_MAX / 1000 + 10;
    for (uint32_t quiet = 0, turns = 0; quiet < rest; turns++) {
        cr_assert_lt(turns, 20000U, "the agent comes to rest");
        uint32_t acts = world->starts + world->destroys;
        if (!world_answer(world, 0)) {
            world_tick(world, 1000);
        }
        bool moved = world->starts + world->destroys != acts;
        for (uint32_t i = 0; i < world->verbs_count; i++) {
            moved = moved || (world->verbs[i].kind != WIRE__VERB__VERB_OBSERVE &&
                              world->verbs[i].kind != WIRE__VERB__VERB_SURVEY);
        }
        quiet = moved ? 0 : quiet + (world->verbs_count == 0 ? 1 : 0);
    }
}

const struct world_verb *world_waiting(const struct world *world, Wire__Verb__VerbCase kind)
{
    for (uint32_t i = 0; i < world->verbs_count; i++) {
        if (world->verbs[i].kind == kind) {
            return &world->verbs[i];
        }
    }
    return NULL;
}

const struct world_report *world_last(const struct world *world, uint64_t instance)
{
    for (uint32_t i = world->reports_count; i > 0; i--) {
        if (world->reports[i - 1].instance == instance) {
            return &world->reports[i - 1];
        }
    }
    return NULL;
}

/* ---- Orders. ---- */

static void fill_assignment(
    Wire__Assignment *assignment, const struct world_order *order, Wire__Nic *nic, Wire__Nic **nics)
{
    static uint8_t digest[MODEL_DIGEST_SIZE] = { 7 };
    static uint8_t mac[MODEL_MAC_SIZE] = { 0x52, 0x54, 0, 0, 0, 1 };
    wire__assignment__init(assignment);
    assignment->instance = order->instance;
    assignment->tenant = 99;
    assignment->generation = order->generation;
    assignment->epoch = order->epoch;
    assignment->boots = order->boots;
    assignment->desired = order->desired;
    assignment->force = order->force;
    assignment->on_failure = order->on_failure;
    assignment->max_attempts = order->max_attempts;
    assignment->vcpus = 1;
    assignment->memory_bytes = LIMIT_MEMORY_BYTES_MIN;
    assignment->kernel_sha256 = (ProtobufCBinaryData){ sizeof(digest), digest };
    assignment->initramfs_sha256 = (ProtobufCBinaryData){ sizeof(digest), digest };
    if (order->network != 0) {
        wire__nic__init(nic);
        nic->network = order->network;
        nic->mac = (ProtobufCBinaryData){ sizeof(mac), mac };
        nic->address = 0x0a050002;
        nic->prefix = 24;
        *nics = nic;
        assignment->n_nics = 1;
        assignment->nics = nics;
    }
}

void world_orders(
    struct world *world,
    uint64_t controller,
    uint64_t term,
    bool whole,
    bool last,
    const struct world_order *orders,
    uint32_t count)
{
    static Wire__Assignment assignments[WORLD_DOMAINS];
    static Wire__Assignment *assignment_list[WORLD_DOMAINS];
    static Wire__Nic nics[WORLD_DOMAINS];
    static Wire__Nic *nic_list[WORLD_DOMAINS];
    static Wire__Segment segments[WORLD_DOMAINS];
    static Wire__Segment *segment_list[WORLD_DOMAINS];
    static const char *peers[1];
    peers[0] = world->segment_peer == NULL ? "10.99.0.102" : world->segment_peer;
    Wire__NodeOrders frame = WIRE__NODE_ORDERS__INIT;
    cr_assert_leq(count, WORLD_DOMAINS);
    frame.term = term;
    frame.whole = whole;
    frame.last = last;
    frame.assignments = assignment_list;
    frame.segments = segment_list;
    for (uint32_t i = 0; i < count; i++) {
        fill_assignment(&assignments[i], &orders[i], &nics[i], &nic_list[i]);
        assignment_list[frame.n_assignments++] = &assignments[i];
        if (orders[i].network != 0) {
            wire__segment__init(&segments[i]);
            segments[i].network = orders[i].network;
            segments[i].tenant = 99;
            segments[i].vni = 4096;
            segments[i].generation = world->segment_number == 0 ? 1 : world->segment_number;
            segments[i].n_peers = 1;
            segments[i].more = world->segment_more;
            segments[i].peers = peers;
            segment_list[frame.n_segments++] = &segments[i];
        }
    }
    struct agent_event event = { .kind = AGENT_EVENT_ORDERS,
                                 .controller = controller,
                                 .orders = &frame };
    world_step(world, &event);
}
