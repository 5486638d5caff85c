/* Decides what clients ask for and what an answer means to them: done, refused, or ask again with
 * the same key. The list of requests is the client's own ledger, against which the cell is held. */
#include "base/check.h"
#include "base/id.h"
#include "base/reject.h"
#include "controller/server.h"
#include "tests/sim/plane_check.h"
#include "tests/sim/plane_machine.h"
#include "tests/sim/trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NEARLY_PER_CENT = 98 };

struct plane_request *plane_requests;
uint32_t plane_requests_count;
const bool plane_people_known = true;
uint64_t plane_users[PLANE_CLIENTS];
uint64_t plane_tenants[PLANE_TENANTS];

/* What a tenant's clients may choose among: numbers of requests. */
struct choices {
    uint32_t *numbers; /* Owned; never given back: the seed is the process. */
    uint32_t count;
    uint32_t capacity;
};

static struct choices instances[PLANE_TENANTS];
static struct choices networks[PLANE_TENANTS];

const char *plane_act_name(enum plane_act act)
{
    static const char *const names[] = {
        "none",  "image",  "tenant", "user",           "token",          "remove",
        "quota", "revoke", "join",   "network-create", "network-delete", "create",
        "start", "stop",   "reboot", "delete",         "read",           "odd"
    };
    CHECK(act < COUNT_OF(names));
    return names[act];
}

uint32_t plane_request_new(struct plane *plane, enum plane_act act, uint32_t client)
{
    if (plane_requests_count == plane->conf.requests) {
        plane->done = true; /* Enough was asked. */
        return 0;
    }
    uint32_t number = ++plane_requests_count;
    struct plane_request *request = &plane_requests[number];
    CHECK(client <= plane->conf.clients);
    *request = (struct plane_request){ .act = act,
                                       .state = PLANE_OPEN,
                                       .client = client,
                                       .object = number,
                                       .principal = plane_users[client] };
    (void)snprintf(request->key, sizeof(request->key), "key-%u", number);
    (void)snprintf(request->name, sizeof(request->name), "%.1s%u", plane_act_name(act), number);
    return number;
}

/* ---- Choosing ---- */

static struct choices *choices_of(const struct plane_request *request)
{
    CHECK(request->act == PLANE_ACT_CREATE || request->act == PLANE_ACT_NETWORK);
    return request->act == PLANE_ACT_CREATE ? &instances[request->tenant]
                                            : &networks[request->tenant];
}

void plane_request_list(struct plane *plane, uint32_t number, bool listed)
{
    struct plane_request *request = &plane_requests[number];
    struct choices *list = choices_of(request);
    CHECK(number <= plane_requests_count && plane->conf.tenants > 0);
    if (request->listed == listed) {
        return;
    }
    request->listed = listed;
    if (!listed) {
        uint32_t at = 0;
        while (list->numbers[at] != number) {
            at++;
        }
        list->numbers[at] = list->numbers[--list->count];
        return;
    }
    if (list->count == list->capacity) {
        list->capacity = list->capacity * 2 + 16;
        list->numbers = realloc(list->numbers, list->capacity * sizeof(*list->numbers));
        CHECK(list->numbers != NULL);
    }
    list->numbers[list->count++] = number;
}

static uint32_t choose_object(struct plane *plane, const struct choices *among)
{
    if (among->count == 0) {
        return 0;
    }
    bool newest = plane_odds(plane, 3000); /* What is still under way is the most interesting. */
    return among->numbers[newest ? among->count - 1 : plane_below(plane, among->count)];
}

static enum plane_act choose_act(struct plane *plane, uint32_t tenant)
{
    static const enum plane_act acts[20] = {
        PLANE_ACT_NETWORK, PLANE_ACT_NETWORK_DELETE, PLANE_ACT_CREATE, PLANE_ACT_CREATE,
        PLANE_ACT_CREATE,  PLANE_ACT_CREATE,         PLANE_ACT_CREATE, PLANE_ACT_START,
        PLANE_ACT_START,   PLANE_ACT_START,          PLANE_ACT_STOP,   PLANE_ACT_STOP,
        PLANE_ACT_STOP,    PLANE_ACT_REBOOT,         PLANE_ACT_REBOOT, PLANE_ACT_DELETE,
        PLANE_ACT_DELETE,  PLANE_ACT_DELETE,         PLANE_ACT_READ,   PLANE_ACT_READ,
    };
    if (instances[tenant].count * UINT64_C(100) < plane->conf.instances * plane->conf.fill) {
        return PLANE_ACT_CREATE;
    }
    enum plane_act mixed = trial_act(plane);
    return mixed != 0 ? mixed : acts[plane_below(plane, COUNT_OF(acts))];
}

uint32_t plane_request_done(struct plane *plane, uint32_t client, bool instance)
{
    if (instance) {
        return choose_object(plane, &instances[plane_tenant_of(plane, client)]);
    }
    for (uint32_t tries = 0; tries < 40; tries++) {
        uint32_t number = 1 + (uint32_t)plane_below(plane, plane_requests_count);
        const struct plane_request *request = &plane_requests[number];
        if (request->client == client && request->state == PLANE_ACKNOWLEDGED &&
            request->act > PLANE_ACT_JOIN && request->act < PLANE_ACT_READ) {
            return number;
        }
    }
    return 0;
}

/* Guests of an experiment are all alike: what it measures is something else. */
static void choose_size(const struct plane *plane, struct plane_request *request)
{
    uint32_t kind = trial_is_calm(plane) ? 0 : request->object;
    request->vcpus = kind % 10 == 9 ? 2 : 1;
    request->boots_most = kind % 4 == 3 ? 1 + kind % 3 : 50;
    request->memory_bytes = (UINT64_C(64) << 20) + (kind % 4) * (UINT64_C(16) << 20);
}

uint32_t plane_request_choose(struct plane *plane, uint32_t client)
{
    uint32_t tenant = plane_tenant_of(plane, client);
    if (!trial_is_calm(plane) && plane_odds(plane, 300)) {
        return plane_odd_choose(plane, client);
    }
    enum plane_act act = choose_act(plane, tenant);
    bool makes = act == PLANE_ACT_CREATE || act == PLANE_ACT_NETWORK;
    bool of_network = act == PLANE_ACT_NETWORK_DELETE;
    uint32_t object = 0;
    if (!makes) {
        object = choose_object(plane, of_network ? &networks[tenant] : &instances[tenant]);
        if (object == 0) {
            return 0;
        }
    }
    uint32_t network = choose_object(plane, &networks[tenant]);
    uint32_t number = plane_request_new(plane, act, client);
    if (number == 0) {
        return 0;
    }
    struct plane_request *request = &plane_requests[number];
    request->tenant = tenant;
    request->flag = plane_odds(plane, 4000);
    if (act == PLANE_ACT_CREATE) {
        request->network = plane_odds(plane, 7000) ? network : 0;
        choose_size(plane, request);
    }
    if (act == PLANE_ACT_NETWORK) {
        request->prefix = 26 + number % 3;
    }
    if (!makes) {
        request->object = object;
        memcpy(request->name, plane_requests[object].name, sizeof(request->name));
    }
    if (act == PLANE_ACT_DELETE || of_network) {
        plane_requests[object].ending = true;
        plane_request_list(plane, object, false);
    }
    return number;
}

/* ---- Answers ---- */

static bool again(uint32_t reject)
{
    return reject == REJECT_OUTCOME_UNKNOWN || reject == REJECT_NO_LEADER ||
           reject == REJECT_OVERLOADED || reject == REJECT_RATE || reject == REJECT_UNFIT ||
           reject == REJECT_CONFLICT;
}

/* What a sound request of ours may be refused with. */
static bool fair(const struct plane_request *request, uint32_t reject)
{
    const struct plane_request *object = &plane_requests[request->object];
    switch (reject) {
    case REJECT_FLOOR:
        return plane_sets_floor(request) || request->act == PLANE_ACT_CREATE ||
               request->act == PLANE_ACT_START;
    case REJECT_QUOTA:
    case REJECT_NO_CAPACITY:
        return request->act == PLANE_ACT_CREATE || request->act == PLANE_ACT_START ||
               request->act == PLANE_ACT_NETWORK;
    case REJECT_STATE:
        return request->act == PLANE_ACT_REMOVE ||
               (request->object != 0 && request->act != PLANE_ACT_CREATE);
    case REJECT_IN_USE: return request->act == PLANE_ACT_NETWORK_DELETE;
    case REJECT_NOT_FOUND:
        return request->act == PLANE_ACT_REMOVE || object->ending ||
               (request->network != 0 && plane_requests[request->network].ending);
    default: return false;
    }
}

static void read_answered(
    struct plane *plane, const struct plane_request *request, const Wire__Answer *answer)
{
    const struct plane_request *object = &plane_requests[request->object];
    plane_checked(plane, PLANE_CHECK_READ);
    if (plane->lost) {
        return;
    }
    if (answer->index < request->index) {
        plane_fail(
            plane,
            "READ %s at %llu, but %llu was acknowledged before it was asked",
            request->name,
            (unsigned long long)answer->index,
            (unsigned long long)request->index);
    }
    if (answer->reject == REJECT_NONE &&
        (answer->n_items != 1 || answer->items[0]->view_case != WIRE__RESOURCE__VIEW_INSTANCE ||
         strcmp(answer->items[0]->instance->name, object->name) != 0)) {
        plane_fail(plane, "READ %s finds something else", request->name);
    }
}

static void resource_parse(
    struct plane *plane, struct plane_request *request, const Wire__OperationView *operation)
{
    uint64_t operation_id = 0;
    uint64_t resource = 0;
    if (!id_parse(ID_OPERATION, operation->id, &operation_id)) {
        plane_fail(plane, "ANSWER %s without operation", request->key);
    }
    if (operation->resource[0] != '\0' &&
        !id_parse((enum id_kind)operation->resource_kind, operation->resource, &resource)) {
        plane_fail(plane, "ANSWER %s names no resource", request->key);
    }
    request->operation = operation_id;
    request->resource = resource;
}

/* Of its tenant, or of the cell, so many writes are remembered that the next may be refused
 * (INV-IDEM-2, INV-SHARE-1): nearly, for the answer is a little older than what is seen here. */
static bool memory_full(struct plane *plane, const struct plane_request *request)
{
    bool full = false;
    for (uint32_t i = 0; i < PLANE_CONTROLLERS; i++) {
        struct server *server = plane_server(plane, i);
        const struct state *state = server == NULL ? NULL : engine_state(server_engine(server));
        const struct cell_row *cell = state == NULL ? NULL : state_cell(state);
        if (cell == NULL) {
            continue;
        }
        uint64_t id = plane_tenants[plane_tenant_of(plane, request->client)];
        const struct tenant_row *tenant =
            request->client == 0 ? NULL : state_find(state, TABLE_TENANT, id);
        uint64_t keys = tenant == NULL ? cell->idempotency_keys : tenant->idempotency_keys;
        uint64_t most = state->limit[TABLE_OPERATION] - state->limit[TABLE_OPERATION] / 16;
        uint64_t all = state_count(state, TABLE_OPERATION);
        uint64_t left = all < most ? most - all : 0;
        uint64_t own = left < cell->idempotency_limit ? left : cell->idempotency_limit;
        full = full || keys * 100 >= own * NEARLY_PER_CENT;
    }
    return full;
}

static void refused(struct plane *plane, struct plane_request *request, const Wire__Answer *answer)
{
    request->reject = answer->reject;
    bool full = answer->reject == REJECT_IDEMPOTENCY_FULL &&
                (plane->swarm.keys > 0 || memory_full(plane, request));
    bool as_told = full || (request->act == PLANE_ACT_ODD ? plane_odd_fair(request, answer->reject)
                                                          : fair(request, answer->reject));
    if (!as_told && !plane->lost) {
        plane_fail(
            plane,
            "REFUSED %s %s: %s %s",
            plane_act_name(request->act),
            request->name,
            reject_name((enum reject)answer->reject),
            answer->problem == NULL ? "" : answer->problem->detail);
    }
    if (answer->reject == REJECT_QUOTA && !plane->lost) {
        plane_asked_refusal(plane, request, answer);
    }
    if (answer->reject == REJECT_FLOOR && !plane->lost) {
        plane_floors_refusal(plane, request, answer);
    }
    if (request->act == PLANE_ACT_DELETE || request->act == PLANE_ACT_NETWORK_DELETE) {
        /* In doubt it may still end: nobody builds on it any more. */
        bool ends =
            request->unsure || answer->reject == REJECT_STATE || answer->reject == REJECT_NOT_FOUND;
        plane_requests[request->object].ending = ends;
        plane_request_list(plane, request->object, !ends);
    }
    request->state = PLANE_REFUSED;
    plane_floors_told(plane, request);
    plane->tally->refused++;
}

bool plane_request_answered(
    struct plane *plane, struct plane_request *request, const Wire__Answer *answer)
{
    CHECK(request->state == PLANE_OPEN);
    if (again(answer->reject)) {
        request->unsure = request->unsure || answer->reject == REJECT_OUTCOME_UNKNOWN;
        return false;
    }
    if (request->act == PLANE_ACT_READ) {
        read_answered(plane, request, answer);
    }
    if (answer->reject != REJECT_NONE) {
        refused(plane, request, answer);
        return true;
    }
    if (request->act == PLANE_ACT_ODD) {
        plane_fail(plane, "TAKEN %s, which nobody should do", plane_odd_name(request->odd));
    }
    request->state = PLANE_ACKNOWLEDGED;
    request->index = answer->index;
    if (request->act == PLANE_ACT_QUOTA) {
        plane_asked_cap(request);
    }
    if (request->act == PLANE_ACT_JOIN) {
        bool node = plane_is_node(request->machine);
        if (answer->join == NULL ||
            !id_parse(node ? ID_NODE : ID_CONTROLLER, answer->join->id, &request->resource)) {
            plane_fail(plane, "ANSWER a join without identity");
        }
    } else if (request->act != PLANE_ACT_READ) {
        if (answer->operation == NULL) {
            plane_fail(plane, "ANSWER %s without operation", request->key);
        }
        resource_parse(plane, request, answer->operation);
        plane_floors_told(plane, request);
        if ((request->act == PLANE_ACT_CREATE || request->act == PLANE_ACT_NETWORK) &&
            !request->ending) {
            plane_request_list(plane, (uint32_t)(request - plane_requests), true);
        }
        plane->tally->acknowledged++;
        plane_check_told(plane, (uint32_t)(request - plane_requests));
    }
    return true;
}
