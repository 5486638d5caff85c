/* Decides what clients of an experiment ask: by its mix, or what a recorded history asked, at the
 * times of its file. What an answer means, and whether it is right, is not decided here.
 *
 * A history names objects that come and go and come again; the simulator gives each life a name of
 * its own, so that its checkers know every one. What could have changed nothing (an object that is
 * not there, a name that is taken) and what is not simulated (lists, accounts, quotas) is left out
 * and counted. */
#include "base/check.h"
#include "tests/history/lines.h"
#include "tests/sim/trial.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { BYTES_PER_EVENT = 32, BYTES_PER_SIGHT = 20 };
enum { TRACE_BYTES_MAX = 64 << 20 };

static uint32_t *latest;                /* By name of the history: the request that made it. */
static uint32_t cursors[PLANE_TENANTS]; /* Of each tenant, into the trace. */

/* ---- The file ---- */

static enum plane_act act_of(const struct history_event *event)
{
    bool network = event->kind == HISTORY_NETWORK;
    if (event->kind == HISTORY_VALUE) {
        return 0;
    }
    switch (event->f) {
    case HISTORY_CREATE: return network ? PLANE_ACT_NETWORK : PLANE_ACT_CREATE;
    case HISTORY_DELETE: return network ? PLANE_ACT_NETWORK_DELETE : PLANE_ACT_DELETE;
    case HISTORY_START: return network ? 0 : PLANE_ACT_START;
    case HISTORY_STOP: return network ? 0 : PLANE_ACT_STOP;
    case HISTORY_REBOOT: return network ? 0 : PLANE_ACT_REBOOT;
    case HISTORY_READ: return network ? 0 : PLANE_ACT_READ;
    case HISTORY_SET:
    case HISTORY_LIST:
    case HISTORY_ACCOUNT:
    case HISTORY_F_END: return 0;
    }
    UNREACHABLE();
    return 0;
}

/* Asked again under its key: the simulator's clients do so themselves. */
static bool asked_before(const struct history_event *event, bool *keys)
{
    bool before = event->key != 0 && keys[event->key];
    keys[event->key] = true;
    return before;
}

static int by_time(const void *a, const void *b)
{
    const struct trial_ask *one = a;
    const struct trial_ask *other = b;
    return one->at_us < other->at_us ? -1 : one->at_us > other->at_us ? 1 : 0;
}

static void asks_of(const struct history *history, struct trial_trace *trace)
{
    bool *keys = plane_zeroed(history->names_count + 1, sizeof(*keys));
    uint32_t *tenants = plane_zeroed(history->names_count + 1, sizeof(*tenants));
    trace->asks = plane_zeroed(history->events_count + 1, sizeof(*trace->asks));
    trace->names = history->names_count;
    for (uint32_t i = 0; i < history->events_count; i++) {
        const struct history_event *event = &history->events[i];
        enum plane_act act = act_of(event);
        if (asked_before(event, keys) || act == 0 || event->account == 0 || event->object == 0) {
            trace->skipped++;
            continue;
        }
        if (tenants[event->account] == 0) {
            tenants[event->account] = ++trace->accounts;
        }
        bool creates = event->f == HISTORY_CREATE;
        trace->asks[trace->count++] =
            (struct trial_ask){ .at_us = event->invoke_ns / 1000,
                                .act = act,
                                .tenant = tenants[event->account] - 1,
                                .object = event->object,
                                .on = event->on,
                                .flag = creates ? event->value == 0 : true };
    }
    qsort(trace->asks, trace->count, sizeof(*trace->asks), by_time);
    free(tenants);
    free(keys);
}

bool trial_trace_load(
    const char *path, struct trial_trace *trace_out, char why_out[static EXPERIMENT_WHY])
{
    struct stat facts;
    struct history history;
    struct trial_trace trace = { .count = 0 };
    uint64_t seed = 0;
    char why[LINES_WHY] = "";
    if (!experiment_regular(path, why_out)) {
        return false;
    }
    FILE *file = fopen(path, "re");
    if (file == NULL || fstat(fileno(file), &facts) != 0 || facts.st_size > TRACE_BYTES_MAX) {
        (void)snprintf(
            why_out,
            EXPERIMENT_WHY,
            "%.200s: %s. Next: name a history of at most 64 MiB (tests/history).",
            path,
            file == NULL ? strerror(errno) : "too large");
        if (file != NULL) {
            (void)fclose(file); /* Nothing was written. */
        }
        return false;
    }
    uint32_t bytes = (uint32_t)facts.st_size;
    struct history_limits limits = { .events = bytes / BYTES_PER_EVENT + 1,
                                     .sights = bytes / BYTES_PER_SIGHT + 1,
                                     .touches = bytes / BYTES_PER_SIGHT + 1,
                                     .elements = bytes / 2 + 1,
                                     .names = bytes / BYTES_PER_EVENT + 64 };
    void *memory = calloc(1, history_memory(&limits)); /* Untouched pages cost nothing. */
    CHECK(memory != NULL);
    history_init(&history, &limits, memory);
    struct result read = lines_read(file, &history, &seed, why);
    (void)fclose(file);
    if (read.code == 0) {
        asks_of(&history, &trace);
    }
    free(memory);
    bool sound = read.code == 0 && trace.count > 0;
    if (!sound) {
        (void)snprintf(
            why_out,
            EXPERIMENT_WHY,
            "%.200s: no history that can be asked again: %s. Next: record one (tests/history).",
            path,
            read.code == 0 ? "nothing in it is simulated" : why);
        free(trace.asks);
        return false;
    }
    *trace_out = trace;
    return true;
}

/* ---- Asking ---- */

void trial_workload_begin(struct plane *plane)
{
    const struct trial_trace *trace = plane->trial->trace;
    if (trace != NULL) {
        CHECK(trace->accounts <= plane->conf.tenants);
        latest = plane_zeroed(trace->names + 1, sizeof(*latest));
        plane->trial->measures->skipped = trace->skipped;
    }
}

enum plane_act trial_act(struct plane *plane)
{
    if (plane->trial == NULL || plane->trial->experiment->mix_sum == 0) {
        return 0;
    }
    const struct experiment *experiment = plane->trial->experiment;
    uint64_t drawn = plane_below(plane, experiment->mix_sum);
    uint32_t act = 0;
    while (drawn >= experiment->mix[act]) {
        drawn -= experiment->mix[act++];
    }
    CHECK(act > 0 && act < EXPERIMENT_ACTS);
    return (enum plane_act)act;
}

/* The next of its tenant; NULL: it has asked everything. */
static const struct trial_ask *next_of(const struct plane *plane, uint32_t tenant)
{
    const struct trial_trace *trace = plane->trial->trace;
    uint32_t *at = &cursors[tenant];
    while (*at < trace->count && trace->asks[*at].tenant != tenant) {
        (*at)++;
    }
    return *at == trace->count ? NULL : &trace->asks[*at];
}

uint64_t trial_rest_ms(const struct plane *plane, uint32_t client)
{
    if (plane->trial == NULL || plane->trial->trace == NULL || !plane->trial->under_way) {
        return TRIAL_REST_MS;
    }
    const struct trial_ask *next = next_of(plane, plane_tenant_of(plane, client));
    uint64_t due_us = next == NULL ? UINT64_MAX : plane->trial->begin_us + next->at_us;
    if (due_us <= plane->now_us) {
        return 1;
    }
    uint64_t wait_ms = (due_us - plane->now_us) / 1000 + 1;
    return wait_ms < TRIAL_REST_MS ? wait_ms : TRIAL_REST_MS;
}

/* It is there, as far as its client knows, of this kind, and the client's own. */
static bool is_there(uint32_t request, uint32_t tenant, enum plane_act made_by)
{
    return request != 0 && plane_requests[request].state == PLANE_ACKNOWLEDGED &&
           !plane_requests[request].ending && plane_requests[request].tenant == tenant &&
           plane_requests[request].act == made_by;
}

static bool may_come(uint32_t request)
{
    return request == 0 || plane_requests[request].state == PLANE_REFUSED ||
           plane_requests[request].ending;
}

/* 0: it would change nothing. */
static uint32_t request_of(struct plane *plane, uint32_t client, const struct trial_ask *ask)
{
    bool makes = ask->act == PLANE_ACT_CREATE || ask->act == PLANE_ACT_NETWORK;
    bool ends = ask->act == PLANE_ACT_DELETE || ask->act == PLANE_ACT_NETWORK_DELETE;
    uint32_t object = latest[ask->object];
    enum plane_act made_by =
        ask->act == PLANE_ACT_NETWORK_DELETE ? PLANE_ACT_NETWORK : PLANE_ACT_CREATE;
    if (makes ? !may_come(object) : !is_there(object, ask->tenant, made_by)) {
        plane->trial->measures->skipped++;
        return 0;
    }
    uint32_t number = plane_request_new(plane, ask->act, client);
    if (number == 0) {
        return 0;
    }
    struct plane_request *request = &plane_requests[number];
    request->tenant = ask->tenant;
    request->flag = ask->flag;
    if (makes) {
        uint32_t on = latest[ask->on];
        request->network = is_there(on, ask->tenant, PLANE_ACT_NETWORK) ? on : 0;
        latest[ask->object] = number;
        if (ask->act == PLANE_ACT_CREATE) { /* A history does not say how large they were. */
            request->vcpus = 1;
            request->boots_most = 50;
            request->memory_bytes = UINT64_C(64) << 20;
        } else {
            request->prefix = 24;
        }
    } else {
        request->object = object;
        memcpy(request->name, plane_requests[object].name, sizeof(request->name));
    }
    if (ends) {
        plane_requests[object].ending = true;
        plane_request_list(plane, object, false);
    }
    return number;
}

uint32_t trial_choose(struct plane *plane, uint32_t client)
{
    if (plane->trial == NULL || plane->trial->trace == NULL) {
        return plane_request_choose(plane, client);
    }
    uint32_t tenant = plane_tenant_of(plane, client);
    const struct trial_ask *next = next_of(plane, tenant);
    uint32_t number = 0;
    while (number == 0 && next != NULL && plane->trial->begin_us + next->at_us <= plane->now_us) {
        number = request_of(plane, client, next);
        cursors[tenant]++;
        next = next_of(plane, tenant);
    }
    return number;
}
