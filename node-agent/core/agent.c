/* Decides what an event means: who leads, which orders count, what host answered. What is done
 * about it is chosen once, at the end of each step (agent_act.c), and told (agent_tell.c). Never
 * acts on anything but events; the same events give the same effects. */
#include "node-agent/core/agent.h"

#include "base/result.h"
#include "node-agent/core/agent_parts.h"

#include <string.h>

/* Of a step's effects, so that a flood of stale orders cannot crowd out verbs. */
enum { LOGS_MAX = 32 };

/* ---- Effects. ---- */

void *agent_take(struct agent_effects *effects, size_t size)
{
    CHECK(size > 0);
    void *memory = arena_take(effects->arena, size);
    CHECK(memory != NULL);
    return memory;
}

static struct agent_effect *effect_new(struct agent_effects *effects, enum agent_effect_kind kind)
{
    CHECK(effects->count < AGENT_EFFECTS);
    struct agent_effect *effect = &effects->items[effects->count++];
    *effect = (struct agent_effect){ .kind = kind };
    CHECK(effect->kind != 0);
    return effect;
}

Wire__Frame *agent_frame(
    struct agent_effects *effects,
    enum agent_effect_kind kind,
    uint64_t controller,
    Wire__Frame__BodyCase body)
{
    CHECK((kind == AGENT_EFFECT_FRAME) == (controller != 0));
    struct agent_effect *effect = effect_new(effects, kind);
    effect->controller = controller;
    effect->frame = agent_take(effects, sizeof(*effect->frame));
    wire__frame__init(effect->frame);
    effect->frame->format = 1;
    effect->frame->body_case = body;
    if (controller != 0) {
        effect->frame->peer = agent_take(effects, sizeof(*effect->frame->peer));
        wire__identity__init(effect->frame->peer);
        effect->frame->peer->kind = WIRE__KIND__KIND_CONTROLLER;
        effect->frame->peer->id = controller;
    }
    return effect->frame;
}

void agent_log_effect(
    struct agent_effects *effects, enum agent_log log, uint64_t id, uint64_t count)
{
    CHECK(log > 0 && log < AGENT_LOGS_END);
    uint32_t logs = 0;
    for (uint32_t i = 0; i < effects->count; i++) {
        logs += effects->items[i].kind == AGENT_EFFECT_LOG ? 1 : 0;
    }
    if (logs >= LOGS_MAX) {
        return;
    }
    struct agent_effect *effect = effect_new(effects, AGENT_EFFECT_LOG);
    effect->log = log;
    effect->id = id;
    effect->count = count;
}

const char *agent_log_name(enum agent_log log)
{
    static const char *const names[] = {
        [AGENT_LOG_STARTED] = "agent-started",
        [AGENT_LOG_WELCOMED] = "welcomed",
        [AGENT_LOG_STALE_TERM] = "orders-of-another-term",
        [AGENT_LOG_STALE_ORDER] = "order-too-old",
        [AGENT_LOG_BAD_ORDER] = "order-outside-contract",
        [AGENT_LOG_TABLE_FULL] = "table-full",
        [AGENT_LOG_OBSERVED] = "observed",
        [AGENT_LOG_UNWANTED] = "unwanted-instances",
        [AGENT_LOG_REPAIR] = "instance-repair",
        [AGENT_LOG_GAVE_UP] = "instance-gave-up",
        [AGENT_LOG_VERB_FAILED] = "verb-failed",
        [AGENT_LOG_ENDED] = "instance-ended",
        [AGENT_LOG_HOST_LOST] = "host-lost",
        [AGENT_LOG_CONSOLE_BUSY] = "console-busy",
    };
    _Static_assert(COUNT_OF(names) == AGENT_LOGS_END, "every line has its name");
    CHECK(log > 0 && log < AGENT_LOGS_END);
    return names[log];
}

/* ---- What outlives the process. ---- */

void agent_save(const struct agent *agent, struct agent_saved *saved_out)
{
    *saved_out = (struct agent_saved){ .term = agent->term };
    memcpy(saved_out->boot_id, agent->boot_id, sizeof(agent->boot_id));
    for (uint32_t i = 0; i < agent->model.instances_top; i++) {
        const struct model_instance *instance = &agent->model.instances[i];
        if (instance->id == 0 || instance->generation == 0) {
            continue;
        }
        CHECK(saved_out->instances_count < LIMIT_NODE_INSTANCES);
        saved_out->instances[saved_out->instances_count++] = (struct agent_saved_instance){
            .instance = instance->id,
            .generation = instance->generation,
            .epoch = instance->epoch,
            .booted = instance->booted,
        };
    }
    CHECK(saved_out->instances_count <= agent->model.instances_count);
}

void agent_init(struct agent *agent)
{
    CHECK(agent->next_handle == 0 && agent->leader == 0);
    CHECK(agent->model.instances_count == 0);
}

static void on_start(
    struct agent *agent, const struct agent_event *event, struct agent_effects *effects)
{
    CHECK(agent->next_handle == 0);
    /* Handles of an earlier life of this process in this boot are all lower. */
    agent->next_handle = (event->now_ms << 16) + 1;
    memcpy(agent->boot_id, event->boot_id, sizeof(agent->boot_id));
    const struct agent_saved *saved = event->saved;
    agent->term = saved == NULL ? 0 : saved->term;
    bool same_boot =
        saved != NULL && memcmp(saved->boot_id, event->boot_id, AGENT_BOOT_ID_SIZE) == 0;
    for (uint32_t i = 0; saved != NULL && i < saved->instances_count; i++) {
        const struct agent_saved_instance *old = &saved->instances[i];
        if (old->instance == 0 || model_find(&agent->model, old->instance) != NULL) {
            continue;
        }
        struct model_instance *instance = model_make(&agent->model, old->instance);
        CHECK(instance != NULL);
        instance->generation = old->generation;
        instance->epoch = old->epoch;
        /* A node's restart is not the guest's failure: it costs no attempt, and it is a repair. */
        instance->booted = old->booted && same_boot;
        instance->repairing = old->booted && !same_boot;
    }
    agent->save_due = !same_boot;
    agent_log_effect(effects, AGENT_LOG_STARTED, 0, agent->model.instances_count);
}

/* ---- Controllers. ---- */

static struct agent_controller *controller_make(struct agent *agent, uint64_t id)
{
    struct agent_controller *controller = agent_controller_find(agent, id);
    for (uint32_t i = 0; i < LIMIT_CONTROLLERS && controller == NULL; i++) {
        struct agent_controller *candidate = &agent->controllers[i];
        if (candidate->id == 0 || (!candidate->up && candidate->id != agent->leader)) {
            *candidate = (struct agent_controller){ .id = id };
            controller = candidate;
        }
    }
    CHECK(controller == NULL || controller->id == id);
    return controller;
}

static void on_link(
    struct agent *agent, const struct agent_event *event, struct agent_effects *effects)
{
    CHECK(event->controller != 0);
    struct agent_controller *controller = controller_make(agent, event->controller);
    if (controller == NULL) {
        agent_log_effect(effects, AGENT_LOG_TABLE_FULL, event->controller, 0);
        return;
    }
    controller->up = event->up;
    if (!event->up) {
        if (agent->leader == event->controller) {
            agent->leader = 0;
            agent->list_open = false;
            agent->hello_at_ms = agent->now_ms;
        }
        return;
    }
    if (agent->survey.known) {
        agent_tell_hello(agent, event->controller, true, effects);
    }
}

static void on_welcome(
    struct agent *agent, const struct agent_event *event, struct agent_effects *effects)
{
    CHECK(event->welcome != NULL);
    struct agent_controller *controller = controller_make(agent, event->controller);
    uint64_t term = event->welcome->term;
    bool second_leader =
        term == agent->term && agent->leader != 0 && agent->leader != event->controller;
    if (controller == NULL || term == 0 || term < agent->term || second_leader) {
        agent_log_effect(effects, AGENT_LOG_STALE_TERM, event->controller, term); /* INV-VM-2 */
        return;
    }
    controller->up = true;
    agent->save_due = agent->save_due || term > agent->term;
    agent->term = term;
    agent->leader = event->controller;
    agent->list_open = false;
    bool again = controller->welcomed_term == term;
    controller->welcomed_term = term;
    if (!again) {
        agent_log_effect(effects, AGENT_LOG_WELCOMED, event->controller, term);
        for (uint32_t i = 0; i < agent->model.instances_top; i++) {
            agent->model.instances[i].tell = true; /* A new leader hears everything once. */
        }
    }
    CHECK(agent->leader != 0);
}

/* ---- Orders. ---- */

static void log_taken(
    enum model_taken taken, uint64_t id, uint64_t generation, struct agent_effects *effects)
{
    CHECK(effects != NULL);
    switch (taken) {
    case MODEL_TAKEN_NEW:
    case MODEL_TAKEN_AGAIN: return;
    case MODEL_TAKEN_STALE:
        agent_log_effect(effects, AGENT_LOG_STALE_ORDER, id, generation);
        return;
    case MODEL_TAKEN_BAD: agent_log_effect(effects, AGENT_LOG_BAD_ORDER, id, generation); return;
    case MODEL_TAKEN_FULL: agent_log_effect(effects, AGENT_LOG_TABLE_FULL, id, generation); return;
    }
    UNREACHABLE();
}

static void orders_end_list(struct agent *agent, struct agent_effects *effects)
{
    CHECK(agent->list_open);
    agent->list_open = false;
    agent->heard_all = true;
    uint32_t unwanted = model_list_end(&agent->model);
    if (unwanted > 0) {
        agent_log_effect(effects, AGENT_LOG_UNWANTED, 0, unwanted);
    }
    agent->save_due = true;
}

/* Orders of a higher term without a welcome: whoever sent them leads and has not heard our hello.
 */
static void greet_new_leader(
    struct agent *agent, uint64_t id, uint64_t term, struct agent_effects *effects)
{
    struct agent_controller *controller = agent_controller_find(agent, id);
    bool new_term = controller != NULL && term > agent->term && term > controller->greeted_term;
    if (!new_term || !controller->up || !agent->survey.known) {
        return;
    }
    controller->greeted_term = term;
    agent_tell_hello(agent, id, false, effects);
    CHECK(controller->greeted_term > agent->term);
}

static void on_orders(
    struct agent *agent, const struct agent_event *event, struct agent_effects *effects)
{
    CHECK(event->orders != NULL);
    const Wire__NodeOrders *orders = event->orders;
    if (orders->term != agent->term || agent->leader != event->controller) {
        agent_log_effect(effects, AGENT_LOG_STALE_TERM, event->controller, orders->term);
        greet_new_leader(agent, event->controller, orders->term, effects);
        return; /* INV-VM-2 */
    }
    CHECK(agent->leader != 0);
    if (orders->whole) {
        agent->list_open = true;
        model_list_begin(&agent->model);
    }
    for (size_t i = 0; i < orders->n_segments; i++) {
        const Wire__Segment *segment = orders->segments[i];
        enum model_taken taken = model_order_segment(&agent->model, segment, orders->term);
        log_taken(taken, segment->network, segment->generation, effects);
    }
    for (size_t i = 0; i < orders->n_assignments; i++) {
        const Wire__Assignment *assignment = orders->assignments[i];
        enum model_taken taken = model_assign(&agent->model, assignment);
        log_taken(taken, assignment->instance, assignment->generation, effects);
        agent->save_due = agent->save_due || taken == MODEL_TAKEN_NEW;
    }
    if (orders->last && agent->list_open) {
        orders_end_list(agent, effects);
    }
}

/* ---- Our own machine's programs. ---- */

static void on_process(struct agent *agent, const struct agent_event *event)
{
    CHECK(event->process != NULL);
    enum program program = program_named(event->process->program);
    if (program != 0) {
        CHECK(program < PROGRAMS_END);
        agent->processes[program] = event->process->started_ms;
    }
}

/* ---- The step. ---- */

void agent_step(struct agent *agent, const struct agent_event *event, struct agent_effects *effects)
{
    CHECK(event->kind == AGENT_EVENT_START || agent->next_handle != 0);
    effects->count = 0;
    arena_reset(effects->arena);
    if (event->now_ms > agent->now_ms) {
        agent->now_ms = event->now_ms;
    }
    /* First, so that it precedes every effect that relies on it; dropped again when not due. */
    struct agent_effect *save = effect_new(effects, AGENT_EFFECT_SAVE);
    switch (event->kind) {
    case AGENT_EVENT_START: on_start(agent, event, effects); break;
    case AGENT_EVENT_TICK: break;
    case AGENT_EVENT_LINK: on_link(agent, event, effects); break;
    case AGENT_EVENT_WELCOME: on_welcome(agent, event, effects); break;
    case AGENT_EVENT_ORDERS: on_orders(agent, event, effects); break;
    case AGENT_EVENT_CONSOLE_ASK: agent_act_console(agent, event, effects); break;
    case AGENT_EVENT_HOST_STATE: agent_on_host_state(agent, event, effects); break;
    case AGENT_EVENT_TOLD: agent_on_told(agent, event, effects); break;
    case AGENT_EVENT_PROCESS: on_process(agent, event); break;
    case AGENT_EVENT_HOST: agent_on_host_event(agent, event, effects); break;
    }
    agent_act(agent, effects);
    agent_tell(agent, effects);
    if (agent->save_due) {
        agent->save_due = false;
    } else {
        CHECK(save == &effects->items[0]);
        effects->count--;
        memmove(effects->items, effects->items + 1, effects->count * sizeof(effects->items[0]));
    }
}
