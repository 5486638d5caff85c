/* Decides which verbs host is given now: Observe and Survey before all others (INV-VM-3), segments
 * before starts, a bounded number at once. Never interprets an answer (agent.c). */
#include "base/mutant.h"
#include "isolation/network.h"
#include "node-agent/core/agent_parts.h"

static Wire__Verb *verb_effect(
    struct agent *agent, struct agent_effects *effects, Wire__Verb__VerbCase verb_case)
{
    CHECK(agent->host_up);
    CHECK(agent->next_handle != 0);
    Wire__Frame *frame = agent_frame(effects, AGENT_EFFECT_VERB, 0, WIRE__FRAME__BODY_VERB);
    Wire__Verb *verb = agent_take(effects, sizeof(*verb));
    wire__verb__init(verb);
    verb->handle = agent->next_handle++;
    verb->verb_case = verb_case;
    frame->verb = verb;
    return verb;
}

uint32_t agent_acting(const struct agent *agent)
{
    uint32_t acting = 0;
    for (uint32_t i = 0; i < agent->model.instances_top; i++) {
        acting += agent->model.instances[i].busy != OPERATION_NONE ? 1 : 0;
    }
    for (uint32_t i = 0; i < agent->model.segments_top; i++) {
        acting += agent->model.segments[i].busy != OPERATION_NONE ? 1 : 0;
    }
    CHECK(acting <= LIMIT_NODE_VERBS);
    return acting;
}

/* ---- Looking. ---- */

static void act_survey(struct agent *agent, struct agent_effects *effects)
{
    struct agent_survey *survey = &agent->survey;
    if (survey->in_flight || agent->now_ms < survey->not_before_ms) {
        return;
    }
    Wire__Verb *verb = verb_effect(agent, effects, WIRE__VERB__VERB_SURVEY);
    verb->survey = agent_take(effects, sizeof(*verb->survey));
    wire__survey__init(verb->survey);
    survey->in_flight = true;
    survey->handle = verb->handle;
    CHECK(survey->handle != 0);
}

static bool observe_due(const struct agent *agent)
{
    bool again = agent->observe_again || !MUTANT(AGENT_TRUSTS_EVENTS);
    return !agent->observed || (again && agent->now_ms >= agent->observe_at_ms);
}

static void act_observe(struct agent *agent, struct agent_effects *effects)
{
    CHECK(!agent->observe_in_flight);
    CHECK(agent_acting(agent) == 0);
    Wire__Verb *verb = verb_effect(agent, effects, WIRE__VERB__VERB_OBSERVE);
    verb->observe = agent_take(effects, sizeof(*verb->observe));
    wire__observe__init(verb->observe);
    agent->observe_in_flight = true;
    agent->observe_again = false;
    agent->observe_handle = verb->handle;
}

/* ---- Segments. ---- */

static const char *address_text(uint32_t address, struct agent_effects *effects)
{
    char *text = agent_take(effects, NETWORK_ADDRESS_TEXT);
    CHECK(address != 0);
    network_address_format(address, text);
    CHECK(text[0] != '\0');
    return text;
}

static void ensure_fill(
    Wire__Verb *verb, const struct model_segment *segment, struct agent_effects *effects)
{
    CHECK(segment->ordered);
    CHECK(segment->peers_count <= LIMIT_SEGMENT_PEERS);
    verb->ensure_segment = agent_take(effects, sizeof(*verb->ensure_segment));
    wire__ensure_segment__init(verb->ensure_segment);
    Wire__Segment *order = agent_take(effects, sizeof(*order));
    wire__segment__init(order);
    order->network = segment->network;
    order->tenant = segment->tenant;
    order->vni = segment->vni;
    order->generation = segment->generation;
    order->n_peers = segment->peers_count;
    order->peers = agent_take(effects, sizeof(order->peers[0]) * LIMIT_SEGMENT_PEERS);
    for (uint32_t i = 0; i < segment->peers_count; i++) {
        order->peers[i] = address_text(segment->peers[i], effects);
    }
    verb->ensure_segment->segment = order;
}

static void act_segments(
    struct agent *agent, const struct reconcile_context *context, struct agent_effects *effects)
{
    struct model *model = &agent->model;
    uint32_t acting = agent_acting(agent);
    for (uint32_t i = 0; i < model->segments_top && acting < LIMIT_NODE_VERBS; i++) {
        struct model_segment *segment = &model->segments[i];
        if (segment->network == 0 || segment->busy != OPERATION_NONE) {
            continue;
        }
        enum operation operation = reconcile_segment(model, segment, context);
        if (operation == OPERATION_NONE) {
            if (segment->members == 0 && !segment->present && context->heard_all) {
                model_segment_drop(model, segment);
            }
            continue;
        }
        bool ensure = operation == OPERATION_ENSURE_SEGMENT;
        Wire__Verb *verb = verb_effect(
            agent,
            effects,
            ensure ? WIRE__VERB__VERB_ENSURE_SEGMENT : WIRE__VERB__VERB_DROP_SEGMENT);
        if (ensure) {
            ensure_fill(verb, segment, effects);
        } else {
            CHECK(segment->members == 0); /* INV-NET-11 */
            verb->drop_segment = agent_take(effects, sizeof(*verb->drop_segment));
            wire__drop_segment__init(verb->drop_segment);
            verb->drop_segment->network = segment->network;
            verb->drop_segment->vni = segment->vni;
        }
        segment->busy = operation;
        segment->handle = verb->handle;
        acting++;
    }
}

/* ---- Instances. ---- */

static Wire__Nic *nic_fill(struct model_nic *nic, struct agent_effects *effects)
{
    CHECK(nic->network != 0);
    Wire__Nic *out = agent_take(effects, sizeof(*out));
    wire__nic__init(out);
    out->network = nic->network;
    out->address = nic->address;
    out->prefix = nic->prefix;
    out->mac = (ProtobufCBinaryData){ MODEL_MAC_SIZE, nic->mac };
    return out;
}

static void start_fill(
    struct agent *agent,
    Wire__Verb *verb,
    struct model_instance *instance,
    struct agent_effects *effects)
{
    CHECK(instance->presence == PRESENCE_ABSENT); /* INV-VM-1 */
    CHECK(instance->want.desired == WIRE__DESIRED__DESIRED_RUNNING);
    struct model_want *want = &instance->want;
    Wire__Assignment *order = agent_take(effects, sizeof(*order));
    wire__assignment__init(order);
    order->instance = instance->id;
    order->tenant = want->tenant;
    order->generation = instance->generation;
    order->epoch = instance->epoch;
    order->desired = want->desired;
    order->vcpus = want->vcpus;
    order->memory_bytes = want->memory_bytes;
    order->kernel_sha256 = (ProtobufCBinaryData){ MODEL_DIGEST_SIZE, want->kernel };
    order->initramfs_sha256 = (ProtobufCBinaryData){ MODEL_DIGEST_SIZE, want->initramfs };
    order->on_failure = want->on_failure;
    order->max_attempts = want->max_attempts;
    order->boots = want->boots;
    order->n_nics = want->nics_count;
    order->nics = agent_take(effects, sizeof(order->nics[0]) * LIMIT_INSTANCE_NETWORKS);
    verb->start = agent_take(effects, sizeof(*verb->start));
    wire__start_instance__init(verb->start);
    verb->start->assignment = order;
    verb->start->n_vnis = want->nics_count;
    verb->start->vnis = agent_take(effects, sizeof(uint32_t) * LIMIT_INSTANCE_NETWORKS);
    for (uint32_t i = 0; i < want->nics_count; i++) {
        order->nics[i] = nic_fill(&want->nics[i], effects);
        const struct model_segment *segment =
            model_segment_find(&agent->model, want->nics[i].network);
        CHECK(segment != NULL);
        CHECK(segment->current);
        verb->start->vnis[i] = segment->vni;
    }
}

static Wire__Verb__VerbCase verb_case_of(enum operation operation)
{
    CHECK(operation >= OPERATION_START && operation <= OPERATION_ERASE);
    if (operation == OPERATION_START) {
        return WIRE__VERB__VERB_START;
    }
    return operation == OPERATION_ERASE ? WIRE__VERB__VERB_ERASE : WIRE__VERB__VERB_STOP;
}

static void act_instance(
    struct agent *agent,
    struct model_instance *instance,
    enum operation operation,
    struct agent_effects *effects)
{
    CHECK(agent->observed); /* INV-VM-3 */
    CHECK(!agent->observe_in_flight);
    Wire__Verb *verb = verb_effect(agent, effects, verb_case_of(operation));
    switch (verb->verb_case) {
    case WIRE__VERB__VERB_START: start_fill(agent, verb, instance, effects); break;
    case WIRE__VERB__VERB_ERASE:
        verb->erase = agent_take(effects, sizeof(*verb->erase));
        wire__erase_instance__init(verb->erase);
        verb->erase->instance = instance->id;
        break;
    case WIRE__VERB__VERB_STOP:
        verb->stop = agent_take(effects, sizeof(*verb->stop));
        wire__stop_instance__init(verb->stop);
        verb->stop->instance = instance->id;
        verb->stop->force = operation == OPERATION_DESTROY;
        break;
    case WIRE__VERB__VERB_OBSERVE:
    case WIRE__VERB__VERB_ENSURE_SEGMENT:
    case WIRE__VERB__VERB_DROP_SEGMENT:
    case WIRE__VERB__VERB_READ_CONSOLE:
    case WIRE__VERB__VERB_SURVEY:
    case WIRE__VERB__VERB__NOT_SET:
    case _WIRE__VERB__VERB__CASE_IS_INT_SIZE: UNREACHABLE();
    }
    reconcile_begin(instance, operation, agent->now_ms);
    instance->handle = verb->handle;
}

static uint32_t starts_in_flight(const struct agent *agent)
{
    uint32_t starts = 0;
    for (uint32_t i = 0; i < agent->model.instances_top; i++) {
        starts += agent->model.instances[i].busy == OPERATION_START ? 1 : 0;
    }
    CHECK(starts <= LIMIT_NODE_STARTS);
    return starts;
}

static void act_instances(
    struct agent *agent, struct reconcile_context *context, struct agent_effects *effects)
{
    struct model *model = &agent->model;
    uint32_t acting = agent_acting(agent);
    uint32_t first = agent->act_cursor;
    for (uint32_t step = 0; step < model->instances_top && acting < LIMIT_NODE_VERBS; step++) {
        uint32_t at = (first + step) % model->instances_top;
        struct model_instance *instance = &model->instances[at];
        if (instance->id == 0 || instance->busy != OPERATION_NONE) {
            continue;
        }
        enum reconcile_note note = RECONCILE_NOTE_NONE;
        enum operation operation = reconcile_instance(model, instance, context, &note);
        if (note == RECONCILE_NOTE_REPAIR) {
            agent_log_effect(effects, AGENT_LOG_REPAIR, instance->id, instance->attempts);
        } else if (note == RECONCILE_NOTE_GAVE_UP) {
            agent_log_effect(effects, AGENT_LOG_GAVE_UP, instance->id, instance->attempts);
        }
        if (operation == OPERATION_NONE) {
            continue;
        }
        act_instance(agent, instance, operation, effects);
        context->starts_in_flight += operation == OPERATION_START ? 1 : 0;
        acting++;
        agent->act_cursor = at + 1;
    }
}

void agent_act(struct agent *agent, struct agent_effects *effects)
{
    CHECK(effects->count <= AGENT_EFFECTS);
    if (!agent->host_up) {
        return;
    }
    act_survey(agent, effects);
    if (agent->observe_in_flight || !agent->libvirt_up) {
        return;
    }
    if (observe_due(agent)) {
        bool may = agent_acting(agent) == 0 && agent->now_ms >= agent->observe_retry_ms;
        if (may) {
            act_observe(agent, effects);
        }
        return;
    }
    CHECK(agent->observed); /* INV-VM-3 */
    struct reconcile_context context = {
        .now_ms = agent->now_ms,
        .starts_in_flight = starts_in_flight(agent),
        .heard_all = agent->heard_all,
    };
    reconcile_count_members(&agent->model);
    act_segments(agent, &context, effects);
    act_instances(agent, &context, effects);
}

/* ---- Consoles. ---- */

void agent_act_console(
    struct agent *agent, const struct agent_event *event, struct agent_effects *effects)
{
    CHECK(event->console_ask != NULL);
    CHECK(event->controller != 0);
    struct agent_console *free_console = NULL;
    for (uint32_t i = 0; i < AGENT_CONSOLES; i++) {
        free_console = agent->consoles[i].handle == 0 ? &agent->consoles[i] : free_console;
    }
    bool may = agent->host_up && agent->observed; /* INV-VM-3 */
    if (free_console == NULL || !may || event->console_ask->instance == 0) {
        agent_log_effect(effects, AGENT_LOG_CONSOLE_BUSY, event->console_ask->instance, 0);
        agent_tell_console(agent, event->controller, event->console_ask->handle, NULL, effects);
        return;
    }
    Wire__Verb *verb = verb_effect(agent, effects, WIRE__VERB__VERB_READ_CONSOLE);
    verb->read_console = agent_take(effects, sizeof(*verb->read_console));
    wire__read_console__init(verb->read_console);
    verb->read_console->instance = event->console_ask->instance;
    verb->read_console->offset = event->console_ask->offset;
    *free_console = (struct agent_console){
        .handle = verb->handle,
        .controller = event->controller,
        .asked = event->console_ask->handle,
    };
}
