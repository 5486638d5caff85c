/* Decides what the controllers are told, and when. Never decides what is done. */
#include "base/result.h"
#include "node-agent/core/agent_parts.h"

#include <string.h>

_Static_assert(
    (LIMIT_CONTROLLERS + 2) * LIMIT_NODE_INSTANCES * (sizeof(Wire__NodeInstance) + 24) <=
        AGENT_ARENA_BYTES,
    "a hello to every controller and all reports fit one step");

struct agent_controller *agent_controller_find(struct agent *agent, uint64_t id)
{
    CHECK(id != 0);
    for (uint32_t i = 0; i < LIMIT_CONTROLLERS; i++) {
        if (agent->controllers[i].id == id) {
            return &agent->controllers[i];
        }
    }
    return NULL;
}

static bool leader_up(struct agent *agent)
{
    if (agent->leader == 0) {
        return false;
    }
    const struct agent_controller *controller = agent_controller_find(agent, agent->leader);
    CHECK(controller != NULL);
    return controller->up;
}

/* INV-VM-2: before its order has come again, whoever was restarted knows how new it was, and not
 * what it asked for; what runs is only known to be what the order asked for under which it was
 * started. */
static uint64_t line_generation(const struct model_instance *instance)
{
    bool runs = instance->presence == PRESENCE_RUNNING;
    return runs && !instance->assigned ? instance->seen_generation : instance->generation;
}

/* `final`: this is the leader, who remembers what we say from now on. */
static Wire__NodeInstance *instance_line(
    struct model_instance *instance, bool final, struct agent_effects *effects)
{
    CHECK(instance->id != 0);
    Wire__NodeInstance *line = agent_take(effects, sizeof(*line));
    wire__node_instance__init(line);
    line->instance = instance->id;
    line->generation = line_generation(instance);
    line->epoch = instance->epoch;
    line->observed = model_observed(instance);
    line->reason = instance->reason;
    if (final) {
        line->repairs = instance->repairs;
        instance->repairs = 0;
        instance->tell = false;
        instance->told_observed = line->observed;
        instance->told_generation = instance->generation;
        instance->told_reason = line->reason;
    }
    CHECK(line->reason != NULL);
    return line;
}

static bool may_tell(const struct model_instance *instance)
{
    return instance->id != 0 && model_observed(instance) != WIRE__OBSERVED__OBSERVED_UNSET;
}

static void hello_known(
    struct agent *agent, bool final, Wire__NodeHello *hello, struct agent_effects *effects)
{
    struct model *model = &agent->model;
    hello->known = agent_take(effects, sizeof(hello->known[0]) * LIMIT_NODE_INSTANCES);
    for (uint32_t i = 0; i < model->instances_top; i++) {
        if (may_tell(&model->instances[i])) {
            hello->known[hello->n_known++] = instance_line(&model->instances[i], final, effects);
        }
    }
    CHECK(hello->n_known <= model->instances_count);
}

static void hello_survey(struct agent *agent, Wire__NodeHello *hello, struct agent_effects *effects)
{
    struct agent_survey *survey = &agent->survey;
    CHECK(survey->known);
    CHECK(survey->images_count <= LIMIT_NODE_IMAGES);
    hello->boot_id = (ProtobufCBinaryData){ AGENT_BOOT_ID_SIZE, agent->boot_id };
    hello->vcpus = survey->vcpus;
    hello->memory_bytes = survey->memory_bytes;
    hello->virtualization = survey->virtualization;
    hello->n_fallbacks = survey->fallbacks_count;
    hello->fallbacks = agent_take(effects, sizeof(hello->fallbacks[0]) * LIMIT_NODE_FALLBACKS);
    for (uint32_t i = 0; i < survey->fallbacks_count; i++) {
        hello->fallbacks[i] = survey->fallbacks[i];
    }
    hello->n_images = survey->images_count;
    hello->images = agent_take(effects, sizeof(hello->images[0]) * LIMIT_NODE_IMAGES);
    for (uint32_t i = 0; i < survey->images_count; i++) {
        hello->images[i] = (ProtobufCBinaryData){ MODEL_DIGEST_SIZE, survey->images[i] };
    }
}

void agent_tell_hello(
    struct agent *agent, uint64_t controller, bool known, struct agent_effects *effects)
{
    CHECK(agent->survey.known);
    CHECK(controller != 0);
    Wire__Frame *frame =
        agent_frame(effects, AGENT_EFFECT_FRAME, controller, WIRE__FRAME__BODY_NODE_HELLO);
    Wire__NodeHello *hello = agent_take(effects, sizeof(*hello));
    wire__node_hello__init(hello);
    frame->node_hello = hello;
    hello_survey(agent, hello, effects);
    if (known) {
        hello_known(agent, controller == agent->leader, hello, effects);
    }
}

/* INV-VM-4: what nobody ordered is left alone until a complete list says that it is unwanted, and
 * that list is asked for: a hello with all that is here is answered by one. */
void agent_ask_whole(struct agent *agent, struct agent_effects *effects)
{
    bool may = agent->heard_all && agent->survey.known && leader_up(agent);
    if (!may || agent->now_ms < agent->ask_whole_at_ms || !model_has_unordered(&agent->model)) {
        return;
    }
    CHECK(agent->leader != 0);
    agent->ask_whole_at_ms = agent->now_ms + AGENT_HELLO_OTHERS_MS;
    agent_tell_hello(agent, agent->leader, true, effects);
}

void agent_tell_hello_all(struct agent *agent, struct agent_effects *effects)
{
    CHECK(agent->survey.known);
    for (uint32_t i = 0; i < LIMIT_CONTROLLERS; i++) {
        if (agent->controllers[i].id != 0 && agent->controllers[i].up) {
            agent_tell_hello(agent, agent->controllers[i].id, false, effects);
        }
    }
}

/* A leader that was deposed while its link stayed up does not say so, and only a hello is answered
 * by the one that leads now. */
static void hello_others(struct agent *agent, bool no_leader, struct agent_effects *effects)
{
    CHECK(agent->now_ms >= agent->hello_at_ms);
    CHECK(agent->survey.known);
    agent->hello_at_ms = agent->now_ms + (no_leader ? AGENT_HELLO_MS : AGENT_HELLO_OTHERS_MS);
    for (uint32_t i = 0; i < LIMIT_CONTROLLERS; i++) {
        const struct agent_controller *controller = &agent->controllers[i];
        if (controller->id != 0 && controller->up && controller->id != agent->leader) {
            agent_tell_hello(agent, controller->id, false, effects);
        }
    }
}

/* As they run now, so that a restart is told even if it was link's. */
static void add_processes(
    const struct agent *agent, Wire__NodeRenew *renew, struct agent_effects *effects)
{
    renew->processes = agent_take(effects, sizeof(*renew->processes) * PROGRAMS_END);
    for (enum program program = PROGRAM_PARENT; program < PROGRAMS_END; program++) {
        if (agent->processes[program] != 0) {
            Wire__ProcessRestarted *process = agent_take(effects, sizeof(*process));
            wire__process_restarted__init(process);
            process->program = program_name(program);
            process->started_ms = agent->processes[program];
            renew->processes[renew->n_processes++] = process;
        }
    }
    CHECK(renew->n_processes < PROGRAMS_END);
}

/* To every controller: a new leader hears of us before we hear of it. */
static void tell_renew(struct agent *agent, struct agent_effects *effects)
{
    CHECK(agent->now_ms >= agent->renew_at_ms);
    agent->renew_at_ms = agent->now_ms + LIMIT_NODE_RENEW_MS;
    agent->renew_seq++;
    uint64_t count = 0;
    uint64_t digest = 0;
    model_digest(&agent->model, &count, &digest);
    CHECK(count <= LIMIT_NODE_INSTANCES);
    uint32_t conditions = 0;
    if (agent->host_up && !agent->libvirt_up) {
        conditions |= WIRE__NODE_CONDITION__NODE_CONDITION_LIBVIRT_AWAY;
    }
    if (agent->model.strangers > 0) {
        conditions |= WIRE__NODE_CONDITION__NODE_CONDITION_STRANGERS;
    }
    for (uint32_t i = 0; i < LIMIT_CONTROLLERS; i++) {
        if (agent->controllers[i].id == 0 || !agent->controllers[i].up) {
            continue;
        }
        Wire__Frame *frame = agent_frame(
            effects, AGENT_EFFECT_FRAME, agent->controllers[i].id, WIRE__FRAME__BODY_NODE_RENEW);
        Wire__NodeRenew *renew = agent_take(effects, sizeof(*renew));
        wire__node_renew__init(renew);
        renew->seq = agent->renew_seq;
        renew->desired_count = count;
        renew->desired_digest = digest;
        renew->conditions = conditions;
        add_processes(agent, renew, effects);
        frame->node_renew = renew;
    }
    /* What was told may have been lost on its way: a few rows are told again, in turn. */
    uint32_t rows = agent->model.instances_top;
    for (uint32_t i = 0; i < AGENT_REFRESH_PER_RENEW && i < rows; i++) {
        agent->refresh_cursor = agent->refresh_cursor < rows ? agent->refresh_cursor : 0;
        agent->model.instances[agent->refresh_cursor++].tell = true;
    }
}

static bool differs_from_told(const struct model_instance *instance)
{
    CHECK(instance->reason != NULL);
    CHECK(instance->told_reason != NULL);
    return instance->tell || instance->repairs != 0 ||
           instance->told_observed != model_observed(instance) ||
           instance->told_generation != instance->generation ||
           strcmp(instance->told_reason, instance->reason) != 0;
}

static void tell_reports(struct agent *agent, struct agent_effects *effects)
{
    struct model *model = &agent->model;
    Wire__NodeReport *report = NULL;
    for (uint32_t i = 0; i < model->instances_top; i++) {
        struct model_instance *instance = &model->instances[i];
        if (!may_tell(instance) || !differs_from_told(instance)) {
            continue;
        }
        if (report == NULL || report->n_instances == AGENT_REPORT_INSTANCES) {
            Wire__Frame *frame = agent_frame(
                effects, AGENT_EFFECT_FRAME, agent->leader, WIRE__FRAME__BODY_NODE_REPORT);
            report = agent_take(effects, sizeof(*report));
            wire__node_report__init(report);
            report->instances =
                agent_take(effects, sizeof(report->instances[0]) * AGENT_REPORT_INSTANCES);
            frame->node_report = report;
        }
        CHECK(report->n_instances < AGENT_REPORT_INSTANCES);
        report->instances[report->n_instances++] = instance_line(instance, true, effects);
    }
}

/* A gone instance was told, and told again, for long enough. */
static void forget_gone(struct agent *agent)
{
    struct model *model = &agent->model;
    for (uint32_t i = 0; i < model->instances_top; i++) {
        struct model_instance *instance = &model->instances[i];
        bool old = instance->id != 0 && instance->erased && instance->busy == OPERATION_NONE &&
                   agent->now_ms - instance->gone_at_ms >= AGENT_GONE_KEEP_MS;
        if (old && instance->told_observed == WIRE__OBSERVED__OBSERVED_GONE) {
            model_drop(model, instance);
        }
        CHECK(model->ids[i] == instance->id);
    }
}

void agent_tell_console(
    struct agent *agent,
    uint64_t controller,
    uint64_t asked,
    const Wire__VerbTold *told,
    struct agent_effects *effects)
{
    CHECK(controller != 0);
    const struct agent_controller *known = agent_controller_find(agent, controller);
    if (known == NULL || !known->up) {
        return; /* Whoever asked went away. */
    }
    Wire__Frame *frame =
        agent_frame(effects, AGENT_EFFECT_FRAME, controller, WIRE__FRAME__BODY_CONSOLE_TOLD);
    Wire__NodeConsoleTold *out = agent_take(effects, sizeof(*out));
    wire__node_console_told__init(out);
    frame->console_told = out;
    if (told != NULL && told->failure == FAILURE_NONE && told->console != NULL) {
        out->data = told->console->data;
        out->offset = told->console->offset;
        out->size = told->console->size;
    } else {
        out->failure = told == NULL || told->failure == FAILURE_NONE ? FAILURE_BUSY : told->failure;
    }
    out->handle = asked;
    CHECK(out->failure == FAILURE_NONE || out->data.len == 0);
}

void agent_tell(struct agent *agent, struct agent_effects *effects)
{
    CHECK(effects->count <= AGENT_EFFECTS);
    bool no_leader = !leader_up(agent);
    if (agent->now_ms >= agent->renew_at_ms) {
        tell_renew(agent, effects);
        forget_gone(agent);
    }
    if (agent->survey.known && agent->now_ms >= agent->hello_at_ms) {
        hello_others(agent, no_leader, effects);
    }
    if (!no_leader) {
        tell_reports(agent, effects);
    }
}
