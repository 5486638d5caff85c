/* Decides which `fault` lines are one: the words of the recorder of real histories (tests/history),
 * and those that only a simulator can do. */
#include "base/check.h"
#include "tests/sim/experiment.h"
#include "tests/sim/sim_number.h"

#include <stdio.h>
#include <string.h>

/* A clock that stands almost still would keep its timers from ever coming once all is healed. */
enum { DRIFT_LEAST = -900000 };

enum extra { NOTHING = 0, SYNC, TIMES, SHARE, JUMP };

struct word {
    const char *word;
    const char *program; /* NULL: none is named. */
    enum experiment_act act;
    bool of_controller;
    bool of_node;
    bool lasts; /* It means nothing without `for`. */
    enum extra extra;
};

static const struct word words[] = {
    { "kill", NULL, EXPERIMENT_KILL, true, false, false, NOTHING },
    { "kill", "engine", EXPERIMENT_KILL, true, false, false, NOTHING },
    { "kill", "api", EXPERIMENT_KILL_API, true, false, false, NOTHING },
    { "kill", "agent", EXPERIMENT_KILL_AGENT, false, true, false, NOTHING },
    { "kill", "host", EXPERIMENT_KILL_HOST, false, true, false, NOTHING },
    { "kill", "libvirt", EXPERIMENT_KILL_LIBVIRT, false, true, false, NOTHING },
    { "kill", "guest", EXPERIMENT_KILL_GUEST, false, true, false, NOTHING },
    { "power", NULL, EXPERIMENT_POWER, true, true, false, NOTHING },
    { "crash", NULL, EXPERIMENT_POWER, false, true, false, NOTHING },
    { "stop", NULL, EXPERIMENT_STOP, true, true, true, NOTHING },
    { "stop", "engine", EXPERIMENT_STOP, true, false, true, NOTHING },
    { "stop", "agent", EXPERIMENT_STOP, false, true, true, NOTHING },
    { "cut", NULL, EXPERIMENT_CUT, true, true, false, NOTHING },
    { "full", NULL, EXPERIMENT_FULL, true, false, false, NOTHING },
    { "slow-disk", NULL, EXPERIMENT_SLOW_DISK, true, false, false, SYNC },
    { "slow", NULL, EXPERIMENT_SLOW, true, true, false, TIMES },
    { "drift", NULL, EXPERIMENT_DRIFT, true, true, false, SHARE },
    { "jump", NULL, EXPERIMENT_JUMP, true, true, false, JUMP },
    { "freeze", NULL, EXPERIMENT_FREEZE, true, true, true, NOTHING },
};

static bool machine_of(const char *text, size_t size, uint32_t *machine_out)
{
    char digits[12] = "";
    uint64_t number = 0;
    if (size < 2 || size > sizeof(digits) || (text[0] != 'c' && text[0] != 'n')) {
        return false;
    }
    bool node = text[0] == 'n';
    (void)snprintf(digits, sizeof(digits), "%.*s", (int)(size - 1), text + 1);
    if (!sim_number(digits, node ? PLANE_NODES : PLANE_CONTROLLERS, &number) || number == 0) {
        return false;
    }
    *machine_out = (uint32_t)number - 1 + (node ? PLANE_CONTROLLERS : 0);
    return true;
}

static bool target_of(
    const char *text, struct experiment_target *target_out, uint32_t *other_out, bool may_go_to)
{
    static const struct {
        const char *word;
        enum experiment_who who;
    } people[] = {
        { "leader", EXPERIMENT_LEADER },           { "follower", EXPERIMENT_FOLLOWER },
        { "controller", EXPERIMENT_CONTROLLER },   { "node", EXPERIMENT_NODE },
        { "controllers", EXPERIMENT_CONTROLLERS }, { "nodes", EXPERIMENT_NODES },
    };
    const char *arrow = strstr(text, "->");
    size_t size = arrow == NULL ? strlen(text) : (size_t)(arrow - text);
    *other_out = PLANE_NONE;
    if (arrow != NULL && (!may_go_to || !machine_of(arrow + 2, strlen(arrow + 2), other_out))) {
        return false;
    }
    target_out->machine = PLANE_NONE;
    for (uint32_t i = 0; i < COUNT_OF(people); i++) {
        if (strlen(people[i].word) == size && strncmp(people[i].word, text, size) == 0) {
            target_out->who = people[i].who;
            return true;
        }
    }
    target_out->who = EXPERIMENT_MACHINE;
    return machine_of(text, size, &target_out->machine);
}

static bool of_nodes(const struct experiment_target *target)
{
    return target->who == EXPERIMENT_NODE || target->who == EXPERIMENT_NODES ||
           (target->who == EXPERIMENT_MACHINE && plane_is_node(target->machine));
}

static bool extra_of(enum extra extra, const char *text, int64_t *amount_out)
{
    uint64_t number = 0;
    bool minus = text != NULL && *text == '-';
    if (text == NULL || extra == NOTHING) {
        return text == NULL && extra == NOTHING;
    }
    switch (extra) {
    case NOTHING: return false;
    case SYNC:
        text = experiment_key(text, "sync");
        if (text == NULL || !experiment_duration(text, &number) || number > 60000000) {
            return false;
        }
        *amount_out = (int64_t)number;
        return number > 0;
    case TIMES:
        if (*text != 'x' || !sim_number(text + 1, 1000, &number)) {
            return false;
        }
        *amount_out = (int64_t)number;
        return number > 0;
    case SHARE: return experiment_share(text, amount_out) && *amount_out >= DRIFT_LEAST;
    case JUMP:
        if ((!minus && *text != '+') || !experiment_duration(text + 1, &number)) {
            return false;
        }
        *amount_out = (minus ? -1 : 1) * (int64_t)(number / 1000);
        return number <= UINT64_C(316000000) * 1000000;
    }
    UNREACHABLE();
    return false;
}

/* The times before the deed; returns how many words they are, 0: they are not sound. */
static uint32_t times(const struct experiment_line *line, struct experiment_fault *fault)
{
    uint32_t at = 1;
    bool has_at = false;
    fault->for_ms = EXPERIMENT_UNTIL_THE_END;
    for (; at < line->count && strchr(line->words[at], '=') != NULL; at++) {
        const char *word = line->words[at];
        const char *begin = experiment_key(word, "at");
        const char *every = experiment_key(word, "every");
        const char *lasting = experiment_key(word, "for");
        const char *text = begin != NULL ? begin : every != NULL ? every : lasting;
        uint64_t us = 0;
        if (text == NULL || !experiment_duration(text, &us)) {
            char what[96];
            (void)snprintf(what, sizeof(what), "\"%.60s\" is no time of a fault", word);
            (void)experiment_refuse(
                line,
                what,
                "times are at=10s, every=5s, for=500ms, each with its unit",
                "write one of these, then what fails");
            return 0;
        }
        uint64_t *ms = begin != NULL   ? &fault->at_ms
                       : every != NULL ? &fault->every_ms
                                       : &fault->for_ms;
        has_at = has_at || begin != NULL;
        *ms = us / 1000;
        if (every != NULL && *ms == 0) {
            (void)experiment_refuse(
                line,
                "every=0 never comes to an end",
                "a fault that repeats needs time between",
                "give it at least 1ms");
            return 0;
        }
    }
    if (!has_at) {
        (void)experiment_refuse(
            line, "nobody says when it strikes", "a fault begins at a time", "add at=10s");
        return 0;
    }
    return at;
}

static const struct word *word_of(const char *word, const char *program, bool *known_out)
{
    *known_out = false;
    for (uint32_t i = 0; i < COUNT_OF(words); i++) {
        bool same = strcmp(words[i].word, word) == 0;
        *known_out = *known_out || same;
        bool bare = words[i].program == NULL && (program == NULL || words[i].extra != NOTHING);
        bool named =
            words[i].program != NULL && program != NULL && strcmp(words[i].program, program) == 0;
        if (same && (bare || named)) {
            return &words[i];
        }
    }
    return NULL;
}

static bool unknown(const struct experiment_line *line, const char *word, bool known)
{
    char what[128];
    (void)snprintf(what, sizeof(what), "\"%.60s\" is not done by any fault", word);
    if (known) {
        return experiment_refuse(
            line,
            "this program or amount does not belong to that fault",
            "kill names engine, api, agent, host, libvirt or guest; stop names engine or agent; "
            "slow-disk takes sync=20ms (up to 1min), slow takes x8 (up to x1000), drift takes +3% "
            "(-90%..+100%), jump takes +1h or -1h (up to 87777h)",
            "name one of these, or none");
    }
    return experiment_refuse(
        line,
        what,
        "known are kill, power, crash, stop, cut, full, slow-disk, slow, drift, jump, freeze",
        "write one of these; docs/SIMULATOR.md says what each does");
}

bool experiment_fault(const struct experiment_line *line, struct experiment_fault *fault_out)
{
    struct experiment_fault fault = { .other = PLANE_NONE, .line = line->number };
    uint32_t at = times(line, &fault);
    if (at == 0) {
        return false;
    }
    if (line->count < at + 2 || line->count > at + 3) {
        return experiment_refuse(
            line,
            "after its times a fault is two words or three",
            "it says what is done, to which machine, and for some which program or how much",
            "write for instance: fault at=10s for=2s kill leader");
    }
    const char *third = line->count == at + 3 ? line->words[at + 2] : NULL;
    bool known = false;
    const struct word *word = word_of(line->words[at], third, &known);
    if (word == NULL) {
        return unknown(line, line->words[at], known);
    }
    fault.act = word->act;
    if (!target_of(line->words[at + 1], &fault.target, &fault.other, word->act == EXPERIMENT_CUT) ||
        !(of_nodes(&fault.target) ? word->of_node : word->of_controller)) {
        return experiment_refuse(
            line,
            "that machine cannot suffer this",
            "machines are c1, c2 …, n1, n2 …, leader, follower, controller, node, controllers, "
            "nodes; cut also takes c1->c2; some faults are of controllers or of nodes only",
            "name another machine");
    }
    if (fault.other != PLANE_NONE && (fault.other == fault.target.machine ||
                                      (of_nodes(&fault.target) && plane_is_node(fault.other)))) {
        return experiment_refuse(
            line,
            "there is no such link",
            "controllers have links with each other and with every node, nodes have none with "
            "nodes",
            "name two machines that talk, as c1->n2");
    }
    if (!extra_of(word->extra, word->program == NULL ? third : NULL, &fault.amount)) {
        return unknown(line, line->words[at], true);
    }
    if (word->lasts && fault.for_ms == EXPERIMENT_UNTIL_THE_END) {
        return experiment_refuse(
            line, "nobody says for how long", "this one has to end", "add for=2s");
    }
    (void)snprintf(
        fault.words,
        sizeof(fault.words),
        "%s %s%s%s",
        line->words[at],
        line->words[at + 1],
        third == NULL ? "" : " ",
        third == NULL ? "" : third);
    *fault_out = fault;
    return true;
}
