/* Decides what the lines of an experiment may say, each alone: sizes, workload, weather, costs,
 * policy. What is out of its bounds is refused with them. */
#include "base/check.h"
#include "tests/sim/experiment.h"
#include "tests/sim/sim_number.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { CONTROLLERS_LEAST = 3, INSTANCES_MOST = 4096 };

static bool topology(struct experiment *out, const struct experiment_line *line)
{
    struct plane_conf *conf = &out->conf;
    const struct {
        const char *key;
        uint32_t *out;
        uint64_t least;
        uint64_t most;
    } keys[] = {
        { "controllers", &conf->controllers, CONTROLLERS_LEAST, PLANE_CONTROLLERS },
        { "nodes", &conf->nodes, 1, PLANE_NODES },
        { "tenants", &conf->tenants, 1, PLANE_TENANTS },
        { "instances", &conf->instances, 1, INSTANCES_MOST },
    };
    for (uint32_t i = 1; i < line->count; i++) {
        bool taken = false;
        for (uint32_t k = 0; k < COUNT_OF(keys); k++) {
            const char *text = experiment_key(line->words[i], keys[k].key);
            uint64_t number = 0;
            if (text != NULL && sim_number(text, keys[k].most, &number) &&
                number >= keys[k].least) {
                *keys[k].out = (uint32_t)number;
                taken = true;
            }
        }
        if (!taken) {
            return experiment_refuse_word(
                line,
                line->words[i],
                "topology takes controllers=3..7, nodes=1..2048, tenants=1..64, instances=1..4096 "
                "(each tenant's cap)",
                "write one of these");
        }
    }
    return true;
}

static bool duration(struct experiment *out, const struct experiment_line *line)
{
    uint64_t us = 0;
    if (line->count != 2 || !experiment_duration(line->words[1], &us) || us < 1000000 ||
        us / 1000000 > EXPERIMENT_SECONDS_MAX) {
        return experiment_refuse(
            line, "a duration is one time", "from 1s to 1h", "write for instance: duration 120s");
    }
    out->duration_ms = us / 1000;
    return true;
}

static bool seeds(struct experiment *out, const struct experiment_line *line)
{
    char low[24];
    char high[24];
    if (line->count != 2 || !experiment_range(line->words[1], low, high) ||
        !sim_number(low, 1000000000, &out->seed_first) ||
        !sim_number(high, 1000000000, &out->seed_last) || out->seed_first > out->seed_last) {
        return experiment_refuse(
            line, "seeds are numbers", "one, or first..last", "write for instance: seeds 1..5");
    }
    return true;
}

static bool mix(struct experiment *out, const struct experiment_line *line, const char *text)
{
    static const struct {
        const char *word;
        enum plane_act act;
    } acts[] = {
        { "create", PLANE_ACT_CREATE },
        { "start", PLANE_ACT_START },
        { "stop", PLANE_ACT_STOP },
        { "reboot", PLANE_ACT_REBOOT },
        { "delete", PLANE_ACT_DELETE },
        { "read", PLANE_ACT_READ },
        { "network-create", PLANE_ACT_NETWORK },
        { "network-delete", PLANE_ACT_NETWORK_DELETE },
    };
    memset(out->mix, 0, sizeof(out->mix));
    out->mix_sum = 0;
    while (*text != '\0') {
        char item[32];
        size_t size = strcspn(text, ",");
        char *colon = NULL;
        uint64_t weight = 0;
        bool taken = false;
        (void)snprintf(item, sizeof(item), "%.*s", (int)(size < 31 ? size : 31), text);
        colon = strchr(item, ':');
        if (colon != NULL) {
            *colon = '\0';
        }
        for (uint32_t i = 0; i < COUNT_OF(acts); i++) {
            if (strcmp(acts[i].word, item) == 0 && colon != NULL && out->mix[acts[i].act] == 0 &&
                sim_number(colon + 1, 1000, &weight)) {
                out->mix[acts[i].act] = (uint32_t)weight;
                out->mix_sum += (uint32_t)weight;
                taken = true;
            }
        }
        if (!taken) {
            return experiment_refuse_word(
                line,
                item,
                "a mix is a list of NAME:WEIGHT of create, start, stop, reboot, delete, read, "
                "network-create, network-delete, each once, weights 0..1000",
                "write for instance: mix=create:5,read:4");
        }
        text += size + (text[size] == ',' ? 1 : 0);
    }
    bool makes = out->mix[PLANE_ACT_CREATE] > 0 || out->mix[PLANE_ACT_NETWORK] > 0;
    return makes ? true
                 : experiment_refuse(
                       line,
                       "a mix that makes nothing",
                       "everything else needs something that is there",
                       "give create or network-create a weight");
}

static bool workload(struct experiment *out, const struct experiment_line *line)
{
    struct plane_conf *conf = &out->conf;
    for (uint32_t i = 1; i < line->count; i++) {
        const char *clients = experiment_key(line->words[i], "clients");
        const char *think = experiment_key(line->words[i], "think");
        const char *weights = experiment_key(line->words[i], "mix");
        const char *fill = experiment_key(line->words[i], "fill");
        int64_t ppm = 0;
        uint64_t number = 0;
        if (clients != NULL && sim_number(clients, PLANE_CLIENTS - 1, &number) && number > 0) {
            conf->clients = (uint32_t)number;
        } else if (
            think != NULL && experiment_duration(think, &number) && number >= 1000 &&
            number <= 3600000000) {
            conf->think_ms = number / 1000;
        } else if (fill != NULL && experiment_share(fill, &ppm) && ppm >= 0 && ppm % 10000 == 0) {
            conf->fill = (uint64_t)ppm / 10000;
        } else if (weights != NULL) {
            if (!mix(out, line, weights)) {
                return false;
            }
        } else {
            return experiment_refuse_word(
                line,
                line->words[i],
                "workload takes clients=1..255, think=1ms..1h (the longest rest between two "
                "requests of a client), mix=NAME:WEIGHT,… and fill=50% (of its cap a tenant fills "
                "first)",
                "write one of these");
        }
    }
    return true;
}

static bool weather_one(struct plane_weather *weather, const char *word)
{
    const char *delay = experiment_key(word, "delay");
    const char *loss = experiment_key(word, "loss");
    const char *straggler = experiment_key(word, "straggler");
    const char *bandwidth = experiment_key(word, "bandwidth");
    int64_t ppm = 0;
    if (delay != NULL) {
        char low[24];
        char high[24];
        uint64_t least = 0;
        uint64_t most = 0;
        bool sound = experiment_range(delay, low, high) && experiment_duration(low, &least) &&
                     experiment_duration(high, &most) && least <= most && most <= 10000000;
        weather->delay_min_us = least;
        weather->delay_max_us = most - least + 1;
        return sound;
    }
    if (loss != NULL || straggler != NULL) {
        uint64_t *out = loss != NULL ? &weather->drop : &weather->straggler;
        bool sound =
            experiment_share(loss != NULL ? loss : straggler, &ppm) && ppm >= 0 && ppm % 100 == 0;
        *out = (uint64_t)ppm / 100;
        return sound;
    }
    size_t size = bandwidth == NULL ? 0 : strlen(bandwidth);
    char digits[24] = "";
    uint64_t number = 0;
    if (size < 5 || size > 20 || strcmp(bandwidth + size - 4, "kB/s") != 0) {
        return false;
    }
    (void)snprintf(digits, sizeof(digits), "%.*s", (int)(size - 4), bandwidth);
    bool sound = sim_number(digits, 100000000, &number) && number > 0;
    weather->bytes_per_ms = number;
    return sound;
}

static bool weather(struct experiment *out, const struct experiment_line *line)
{
    out->has_weather = true;
    out->weather = (struct plane_weather){ .delay_max_us = 2000 };
    for (uint32_t i = 1; i < line->count; i++) {
        if (!weather_one(&out->weather, line->words[i])) {
            return experiment_refuse_word(
                line,
                line->words[i],
                "weather takes delay=1ms..5ms (up to 10s), loss=0.5%, straggler=0.1% (frames that "
                "come up to 0.6 s late), both in steps of 0.01%, and bandwidth=1000kB/s",
                "write one of these, with its unit");
        }
    }
    return true;
}

static bool swarm(struct experiment *out, const struct experiment_line *line)
{
    bool on = line->count == 2 && strcmp(line->words[1], "on") == 0;
    bool off = line->count == 2 && strcmp(line->words[1], "off") == 0;
    out->swarm = on;
    return on || off
               ? true
               : experiment_refuse(
                     line,
                     "swarm is on or off",
                     "on: each seed also draws faults of its own; off: only what the file says",
                     "write swarm on, or swarm off");
}

static bool cost(struct experiment *out, const struct experiment_line *line)
{
    static const char *const names[PLANE_COSTS_END] = {
        [PLANE_COST_LETTER] = "letter",   [PLANE_COST_ASK] = "ask",   [PLANE_COST_TICK] = "tick",
        [PLANE_COST_APPLY] = "apply",     [PLANE_COST_SYNC] = "sync", [PLANE_COST_AGENT] = "agent",
        [PLANE_COST_START] = "start",     [PLANE_COST_STOP] = "stop", [PLANE_COST_ERASE] = "erase",
        [PLANE_COST_SEGMENT] = "segment", [PLANE_COST_LOOK] = "look",
    };
    for (uint32_t i = 1; i < line->count; i++) {
        bool taken = false;
        for (uint32_t k = 1; k < PLANE_COSTS_END; k++) {
            const char *text = experiment_key(line->words[i], names[k]);
            uint64_t us = 0;
            if (text != NULL && experiment_duration(text, &us) && us > 0 && us <= 60000000) {
                out->costs_us[k] = us;
                taken = true;
            }
        }
        if (!taken) {
            return experiment_refuse_word(
                line,
                line->words[i],
                "costs are letter, ask, tick, apply, sync, agent, start, stop, erase, segment, "
                "look, "
                "each with a time from 1us to 1min",
                "write for instance: cost sync=2ms");
        }
    }
    return true;
}

static bool policy(struct experiment *out, const struct experiment_line *line)
{
    const char *name = line->count == 2 ? experiment_key(line->words[1], "placement") : NULL;
    char known[160] = "";
    size_t used = 0;
    out->placement = name == NULL ? NULL : policy_named(name);
    if (out->placement != NULL) {
        return true;
    }
    for (uint32_t i = 0; policy_at(i) != NULL && used < sizeof(known); i++) {
        used += (size_t)snprintf(
            known + used, sizeof(known) - used, "%s%s", i > 0 ? ", " : "", policy_at(i)->name);
    }
    char why[224];
    (void)snprintf(why, sizeof(why), "known are %s", known);
    return experiment_refuse(
        line,
        "there is no such policy",
        why,
        "write policy placement=NAME; docs/SIMULATOR.md says how to add one");
}

bool experiment_regular(const char *path, char why_out[static EXPERIMENT_WHY])
{
    struct stat facts;
    bool there = stat(path, &facts) == 0;
    if (there && S_ISREG(facts.st_mode)) {
        return true;
    }
    (void)snprintf(
        why_out,
        EXPERIMENT_WHY,
        "%.200s: cannot be read: %s. Next: name a file that was recorded.",
        path,
        there ? "it is no regular file" : strerror(errno));
    return false;
}

/* Beside the experiment's own file, unless the path says where. */
bool experiment_beside(const struct experiment_line *line, char room[static EXPERIMENT_PATH])
{
    const char *slash = strrchr(line->path, '/');
    int folder = slash == NULL || line->words[1][0] == '/' ? 0 : (int)(slash - line->path + 1);
    int size = snprintf(room, EXPERIMENT_PATH, "%.*s%s", folder, line->path, line->words[1]);
    return size > 0 && size < EXPERIMENT_PATH;
}

static bool trace(struct experiment *out, const struct experiment_line *line)
{
    out->trace_line = line->number;
    if (line->count != 2 || !experiment_beside(line, out->trace)) {
        return experiment_refuse(
            line,
            "a trace is one file",
            "its requests are asked again at their times",
            "write trace FILE.history; a relative path begins where this file is");
    }
    return true;
}

static bool fault(struct experiment *out, const struct experiment_line *line)
{
    if (out->faults_count == EXPERIMENT_FAULTS) {
        return experiment_refuse(
            line,
            "too many faults",
            "4096 lines are the bound",
            "use every= instead of many lines");
    }
    if (!experiment_fault(line, &out->faults[out->faults_count])) {
        return false;
    }
    out->faults_count++;
    return true;
}

static const struct experiment_kind kinds[] = {
    { "topology", topology, true }, { "duration", duration, true }, { "seeds", seeds, true },
    { "workload", workload, true }, { "trace", trace, true },       { "weather", weather, true },
    { "swarm", swarm, true },       { "cost", cost, false },        { "policy", policy, true },
    { "fault", fault, false },
};

const struct experiment_kind *experiment_kind_at(uint32_t index)
{
    return index < COUNT_OF(kinds) ? &kinds[index] : NULL;
}
