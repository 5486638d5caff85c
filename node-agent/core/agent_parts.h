/* What the three files of the agent share: agent.c takes events in, agent_act.c gives verbs out,
 * agent_tell.c gives frames out. Nobody else includes this. */
#ifndef NODE_AGENT_CORE_AGENT_PARTS_H
#define NODE_AGENT_CORE_AGENT_PARTS_H

#include "base/check.h"
#include "base/slice.h"
#include "node-agent/core/agent.h"
#include "node-agent/core/reconcile.h"

/* Zeroed memory of this step. The arena is large enough for every step: full is our bug. */
void *agent_take(struct agent_effects *effects, size_t size);
/* A frame of this body, queued as an effect. */
Wire__Frame *agent_frame(
    struct agent_effects *effects,
    enum agent_effect_kind kind,
    uint64_t controller,
    Wire__Frame__BodyCase body);
void agent_log_effect(
    struct agent_effects *effects, enum agent_log log, uint64_t id, uint64_t count);

/* agent_host.c: what host said. */
void agent_on_host_state(
    struct agent *agent, const struct agent_event *event, struct agent_effects *effects);
void agent_on_host_event(
    struct agent *agent, const struct agent_event *event, struct agent_effects *effects);
void agent_on_told(
    struct agent *agent, const struct agent_event *event, struct agent_effects *effects);

/* agent_act.c: sends what may be sent now. */
void agent_act(struct agent *agent, struct agent_effects *effects);
void agent_act_console(
    struct agent *agent, const struct agent_event *event, struct agent_effects *effects);
uint32_t agent_acting(const struct agent *agent);

/* agent_tell.c: hello, renewals and reports. */
/* `known`: with all that is here. Without it a hello is small enough to be repeated. */
void agent_tell_hello(
    struct agent *agent, uint64_t controller, bool known, struct agent_effects *effects);
void agent_ask_whole(struct agent *agent, struct agent_effects *effects);
void agent_tell_hello_all(struct agent *agent, struct agent_effects *effects);
/* `told` NULL: busy, try again. */
void agent_tell_console(
    struct agent *agent,
    uint64_t controller,
    uint64_t asked,
    const Wire__VerbTold *told,
    struct agent_effects *effects);
void agent_tell(struct agent *agent, struct agent_effects *effects);
struct agent_controller *agent_controller_find(struct agent *agent, uint64_t id);

#endif
