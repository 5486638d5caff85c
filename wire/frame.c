/* Decides who may send what to whom. Never decodes, never sends. */
#include "wire/frame.h"

#include "base/check.h"

#include <stddef.h>
#include <string.h>

#define P(program) (UINT32_C(1) << PROGRAM_##program)
#define K(kind)    (UINT32_C(1) << WIRE__KIND__KIND_##kind)
#define B(body)    WIRE__FRAME__BODY_##body

/* `across`: kinds of peer from which link may bring it; 0: it never crosses a machine. What crosses
 * also passes between link and the programs named, in the direction named. */
struct rule {
    Wire__Frame__BodyCase body;
    uint32_t from;
    uint32_t to;
    uint32_t across;
};

static const struct rule rules[] = {
    { B(CONFIG), P(PARENT), P(LINK) | P(KEYS) | P(API) | P(ENGINE) | P(AGENT) | P(HOST), 0 },
    { B(READY), P(LINK) | P(KEYS) | P(API) | P(ENGINE) | P(AGENT) | P(HOST), P(PARENT), 0 },
    { B(PROCESS_RESTARTED), P(PARENT), P(ENGINE) | P(AGENT), 0 },
    { B(BREACH), P(LINK) | P(KEYS) | P(API) | P(ENGINE) | P(AGENT) | P(HOST), P(PARENT), 0 },
    { B(REJOIN), P(PARENT), P(LINK) | P(KEYS) | P(API) | P(ENGINE) | P(AGENT) | P(HOST), 0 },
    { B(ASKS), P(API), P(ENGINE), 0 },
    { B(TOLDS), P(ENGINE), P(API), 0 },
    { B(TURNED_AWAY), P(API) | P(LINK), P(ENGINE), 0 },
    { B(DOORS), P(ENGINE), P(API), 0 },
    { B(LINK_PEERS), P(ENGINE) | P(AGENT), P(LINK), 0 },
    { B(LINK_STATE), P(LINK), P(ENGINE) | P(AGENT), 0 },
    { B(RAFT), P(ENGINE), P(ENGINE), K(CONTROLLER) },
    { B(FORWARD), P(ENGINE), P(ENGINE), K(CONTROLLER) },
    { B(FORWARDED), P(ENGINE), P(ENGINE), K(CONTROLLER) },
    { B(CONFIRM), P(ENGINE), P(ENGINE), K(CONTROLLER) },
    { B(CONFIRMED), P(ENGINE), P(ENGINE), K(CONTROLLER) },
    { B(STANDING), P(ENGINE), P(ENGINE), K(CONTROLLER) },
    { B(REFUSALS), P(ENGINE), P(ENGINE), K(CONTROLLER) },
    { B(SNAPSHOT_ASK), P(ENGINE), P(ENGINE), K(CONTROLLER) },
    { B(SNAPSHOT_PART), P(ENGINE), P(ENGINE), K(CONTROLLER) },
    { B(NODE_HELLO), P(AGENT), P(ENGINE), K(NODE) },
    { B(NODE_RENEW), P(AGENT), P(ENGINE), K(NODE) },
    { B(NODE_REPORT), P(AGENT), P(ENGINE), K(NODE) },
    { B(CONSOLE_TOLD), P(AGENT), P(ENGINE), K(NODE) },
    { B(NODE_CERTIFY), P(AGENT), P(ENGINE), K(NODE) },
    { B(NODE_CERTIFIED), P(ENGINE), P(AGENT), K(CONTROLLER) },
    { B(NODE_ORDERS), P(ENGINE), P(AGENT), K(CONTROLLER) },
    { B(CONSOLE_ASK), P(ENGINE), P(AGENT), K(CONTROLLER) },
    { B(NODE_WELCOME), P(ENGINE), P(AGENT), K(CONTROLLER) },
    { B(SIGN_ASK), P(API) | P(LINK), P(KEYS), 0 },
    { B(SIGN_TOLD), P(KEYS), P(API) | P(LINK), 0 },
    { B(ISSUE_ASK), P(ENGINE), P(KEYS), 0 },
    { B(ISSUE_TOLD), P(KEYS), P(ENGINE), 0 },
    { B(NOTE_ASK), P(ENGINE), P(KEYS), 0 },
    { B(NOTE_TOLD), P(KEYS), P(ENGINE), 0 },
    { B(RENEW_ASK), P(ENGINE) | P(AGENT), P(KEYS), 0 },
    { B(RENEW_TOLD), P(KEYS), P(ENGINE) | P(AGENT), 0 },
    { B(PAPERS), P(KEYS), P(LINK) | P(API) | P(ENGINE) | P(AGENT), 0 },
    { B(VERB), P(AGENT), P(HOST), 0 },
    { B(VERB_TOLD), P(HOST), P(AGENT), 0 },
    { B(HOST_EVENT), P(HOST), P(AGENT), 0 },
};

static const struct rule *rule_of(Wire__Frame__BodyCase body)
{
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        if (rules[i].body == body) {
            return &rules[i];
        }
    }
    return NULL;
}

static uint32_t bit(enum program program)
{
    CHECK(program > 0 && program < PROGRAMS_END);
    return UINT32_C(1) << program;
}

bool frame_may_pass(enum program from, enum program to, Wire__Frame__BodyCase body)
{
    const struct rule *rule = rule_of(body);
    if (rule == NULL || from == to) {
        return false;
    }
    uint32_t senders = rule->from;
    uint32_t receivers = rule->to;
    if (rule->across != 0) { /* Both halves of the way pass through link. */
        return (from == PROGRAM_LINK && (receivers & bit(to)) != 0) ||
               (to == PROGRAM_LINK && (senders & bit(from)) != 0);
    }
    return (senders & bit(from)) != 0 && (receivers & bit(to)) != 0;
}

bool frame_may_arrive(Wire__Kind peer, enum program to, Wire__Frame__BodyCase body)
{
    const struct rule *rule = rule_of(body);
    if (rule == NULL || (unsigned int)peer >= 32) {
        return false;
    }
    return (rule->across & (UINT32_C(1) << peer)) != 0 && (rule->to & bit(to)) != 0;
}

const char *program_name(enum program program)
{
    static const char *const names[] = {
        [PROGRAM_PARENT] = "parent", [PROGRAM_LINK] = "link",     [PROGRAM_KEYS] = "keys",
        [PROGRAM_API] = "api",       [PROGRAM_ENGINE] = "engine", [PROGRAM_AGENT] = "agent",
        [PROGRAM_HOST] = "host",
    };
    _Static_assert(COUNT_OF(names) == PROGRAMS_END, "every program has its name");
    CHECK(program > 0 && program < PROGRAMS_END);
    return names[program];
}

enum program program_named(const char *name)
{
    CHECK(name != NULL);
    for (enum program program = PROGRAM_PARENT; program < PROGRAMS_END; program++) {
        if (strcmp(program_name(program), name) == 0) {
            return program;
        }
    }
    return (enum program)0;
}

const char *frame_name(Wire__Frame__BodyCase body)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(&wire__frame__descriptor, (unsigned int)body);
    return field == NULL ? "none" : field->name;
}
