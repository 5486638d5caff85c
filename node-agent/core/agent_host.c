/* Decides what host's answers and events mean. An event is a hint; only an answer to Observe says
 * what is there. Never chooses the next verb (agent_act.c). */
#include "base/result.h"
#include "node-agent/core/agent_parts.h"

#include <string.h>

static void forget_host(struct agent *agent)
{
    agent->observed = false;
    agent->observe_in_flight = false;
    agent->observe_retry_ms = 0;
    agent->survey.in_flight = false;
    agent->survey.not_before_ms = 0;
    model_forget_seen(&agent->model);
    CHECK(agent_acting(agent) == 0);
}

void agent_on_host_state(
    struct agent *agent, const struct agent_event *event, struct agent_effects *effects)
{
    forget_host(agent);
    agent->host_up = event->up;
    agent->libvirt_up = event->up; /* Until host says otherwise, or Observe fails. */
    if (!event->up) {
        agent_log_effect(effects, AGENT_LOG_HOST_LOST, 0, 0);
        for (uint32_t i = 0; i < AGENT_CONSOLES; i++) {
            const struct agent_console *console = &agent->consoles[i];
            if (console->handle != 0) {
                agent_tell_console(agent, console->controller, console->asked, NULL, effects);
            }
        }
        memset(agent->consoles, 0, sizeof(agent->consoles));
    }
    CHECK(!agent->observed); /* INV-VM-3 */
}

void agent_on_host_event(
    struct agent *agent, const struct agent_event *event, struct agent_effects *effects)
{
    CHECK(event->host != NULL);
    const Wire__HostEvent *host = event->host;
    if (host->event_case == WIRE__HOST_EVENT__EVENT_LIBVIRT_UP) {
        agent->libvirt_up = host->libvirt_up;
        agent->observed = false;
        agent->model.complete = false;
        agent->observe_again = true;
        agent->observe_retry_ms = 0;
        if (!host->libvirt_up) {
            agent_log_effect(effects, AGENT_LOG_HOST_LOST, 0, 1);
        }
        return;
    }
    if (host->event_case != WIRE__HOST_EVENT__EVENT_ENDED || host->ended->instance == 0) {
        return;
    }
    struct model_instance *instance = model_find(&agent->model, host->ended->instance);
    if (instance == NULL) {
        return;
    }
    agent_log_effect(effects, AGENT_LOG_ENDED, instance->id, host->ended->why);
    reconcile_ended(instance, host->ended->why);
    agent->observe_again = true;
    agent->observe_at_ms = agent->now_ms;
    CHECK(agent->observe_at_ms <= agent->now_ms);
}

static void told_observe(
    struct agent *agent, const Wire__VerbTold *told, struct agent_effects *effects)
{
    CHECK(agent->observe_in_flight);
    agent->observe_in_flight = false;
    if (told->failure != FAILURE_NONE) {
        agent->observe_retry_ms = agent->now_ms + AGENT_RETRY_MS;
        agent->observed = false;
        agent->model.complete = false;
        agent_log_effect(effects, AGENT_LOG_VERB_FAILED, 0, told->failure);
        return;
    }
    bool first = !agent->observed;
    model_observe(&agent->model, told, agent->now_ms);
    agent->observed = true;
    agent->observe_retry_ms = 0;
    agent->observe_at_ms = agent->now_ms + (agent->observe_again ? 0 : AGENT_OBSERVE_MS);
    if (first) {
        agent_log_effect(effects, AGENT_LOG_OBSERVED, 0, told->n_instances);
    }
    agent_ask_whole(agent, effects);
    CHECK(!agent->observe_in_flight);
}

static void survey_fill(struct agent_survey *survey, const Wire__NodeHello *seen)
{
    survey->known = true;
    survey->vcpus = seen->vcpus;
    survey->memory_bytes = seen->memory_bytes;
    (void)text_copy(
        survey->virtualization, sizeof(survey->virtualization), slice_text(seen->virtualization));
    survey->fallbacks_count = 0;
    for (size_t i = 0; i < seen->n_fallbacks && i < LIMIT_NODE_FALLBACKS; i++) {
        if (text_copy(
                survey->fallbacks[survey->fallbacks_count],
                LIMIT_REASON,
                slice_text(seen->fallbacks[i]))) {
            survey->fallbacks_count++;
        }
    }
    survey->images_count = 0;
    for (size_t i = 0; i < seen->n_images && survey->images_count < LIMIT_NODE_IMAGES; i++) {
        if (seen->images[i].len == MODEL_DIGEST_SIZE) {
            memcpy(survey->images[survey->images_count++], seen->images[i].data, MODEL_DIGEST_SIZE);
        }
    }
    CHECK(survey->fallbacks_count <= LIMIT_NODE_FALLBACKS);
    CHECK(survey->images_count <= LIMIT_NODE_IMAGES);
}

static void told_survey(
    struct agent *agent, const Wire__VerbTold *told, struct agent_effects *effects)
{
    struct agent_survey *survey = &agent->survey;
    CHECK(survey->in_flight);
    survey->in_flight = false;
    if (told->failure != FAILURE_NONE || told->survey == NULL) {
        survey->not_before_ms = agent->now_ms + AGENT_RETRY_MS;
        agent_log_effect(effects, AGENT_LOG_VERB_FAILED, 0, told->failure);
        return;
    }
    struct agent_survey *fresh = agent_take(effects, sizeof(*fresh));
    fresh->not_before_ms = agent->now_ms + AGENT_SURVEY_MS;
    fresh->handle = survey->handle;
    survey_fill(fresh, told->survey);
    survey->not_before_ms = fresh->not_before_ms;
    bool changed = memcmp(survey, fresh, sizeof(*survey)) != 0;
    memcpy(survey, fresh, sizeof(*survey));
    if (changed) {
        agent_tell_hello_all(agent, effects);
    }
    CHECK(survey->known);
}

static void told_instance(
    struct agent *agent,
    struct model_instance *instance,
    const Wire__VerbTold *told,
    struct agent_effects *effects)
{
    CHECK(instance->busy != OPERATION_NONE);
    enum operation operation = instance->busy;
    enum reconcile_note note = RECONCILE_NOTE_NONE;
    uint64_t boots = told->n_instances == 1 ? told->instances[0]->boots : instance->want.boots;
    reconcile_end(instance, operation, told->failure, boots, agent->now_ms, &note);
    if (told->failure != FAILURE_NONE) {
        agent_log_effect(effects, AGENT_LOG_VERB_FAILED, instance->id, told->failure);
    }
    if (note == RECONCILE_NOTE_REPAIR) {
        agent_log_effect(effects, AGENT_LOG_REPAIR, instance->id, instance->attempts);
    } else if (note == RECONCILE_NOTE_GAVE_UP) {
        agent_log_effect(effects, AGENT_LOG_GAVE_UP, instance->id, instance->attempts);
    }
    if (instance->presence == PRESENCE_UNKNOWN) {
        agent->observe_at_ms = agent->now_ms;
    }
    agent->save_due = agent->save_due || operation == OPERATION_START;
    CHECK(instance->busy == OPERATION_NONE);
}

static void told_segment(
    struct agent *agent,
    struct model_segment *segment,
    const Wire__VerbTold *told,
    struct agent_effects *effects)
{
    enum operation operation = segment->busy;
    CHECK(operation == OPERATION_ENSURE_SEGMENT || operation == OPERATION_DROP_SEGMENT);
    segment->busy = OPERATION_NONE;
    segment->handle = 0;
    if (told->failure != FAILURE_NONE) {
        segment->not_before_ms = agent->now_ms + AGENT_RETRY_MS;
        agent_log_effect(effects, AGENT_LOG_VERB_FAILED, segment->network, told->failure);
        return;
    }
    segment->present = operation == OPERATION_ENSURE_SEGMENT;
    /* A newer peer list may have come meanwhile: host says which one it has. */
    segment->current = segment->present && told->n_segments == 1 &&
                       told->segments[0]->generation == segment->generation;
    CHECK(segment->present || !segment->current);
}

static void told_console(
    struct agent *agent,
    struct agent_console *console,
    const Wire__VerbTold *told,
    struct agent_effects *effects)
{
    CHECK(console->controller != 0);
    agent_tell_console(agent, console->controller, console->asked, told, effects);
    *console = (struct agent_console){ 0 };
    CHECK(console->handle == 0);
}

void agent_on_told(
    struct agent *agent, const struct agent_event *event, struct agent_effects *effects)
{
    CHECK(event->told != NULL);
    const Wire__VerbTold *told = event->told;
    if (told->handle == 0) {
        return;
    }
    if (agent->observe_in_flight && told->handle == agent->observe_handle) {
        told_observe(agent, told, effects);
        return;
    }
    if (agent->survey.in_flight && told->handle == agent->survey.handle) {
        told_survey(agent, told, effects);
        return;
    }
    for (uint32_t i = 0; i < AGENT_CONSOLES; i++) {
        if (agent->consoles[i].handle == told->handle) {
            told_console(agent, &agent->consoles[i], told, effects);
            return;
        }
    }
    for (uint32_t i = 0; i < agent->model.instances_top; i++) {
        struct model_instance *instance = &agent->model.instances[i];
        if (instance->busy != OPERATION_NONE && instance->handle == told->handle) {
            told_instance(agent, instance, told, effects);
            return;
        }
    }
    for (uint32_t i = 0; i < agent->model.segments_top; i++) {
        struct model_segment *segment = &agent->model.segments[i];
        if (segment->busy != OPERATION_NONE && segment->handle == told->handle) {
            told_segment(agent, segment, told, effects);
            return;
        }
    }
}
