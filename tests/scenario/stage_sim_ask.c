/* The story's people as the clients of the simulated plane: in the place of plane_request.c, which
 * draws its requests. Each asks any controller, again and with the same key, until it is answered;
 * whom and when is plane_client.c's. What was acknowledged is the plane's checkers' to hold. */
#include "base/check.h"
#include "base/id.h"
#include "base/reject.h"
#include "tests/scenario/stage_sim.h"
#include "tests/sim/plane_people.h"
#include "wire/wire.h"

#include <audit.pb-c.h>
#include <stdio.h>
#include <string.h>

struct plane_request *plane_requests;
uint32_t plane_requests_count;
const bool plane_people_known = false;
uint64_t plane_users[PLANE_CLIENTS];
uint64_t plane_tenants[PLANE_TENANTS];

const char *plane_act_name(enum plane_act act)
{
    static const char *const names[] = {
        [PLANE_ACT_IMAGE] = "image",
        [PLANE_ACT_TENANT] = "tenant",
        [PLANE_ACT_USER] = "user",
        [PLANE_ACT_TOKEN] = "token",
        [PLANE_ACT_REMOVE] = "remove",
        [PLANE_ACT_JOIN] = "join",
        [PLANE_ACT_NETWORK] = "network-create",
        [PLANE_ACT_NETWORK_DELETE] = "network-delete",
        [PLANE_ACT_CREATE] = "create",
        [PLANE_ACT_START] = "deed",
        [PLANE_ACT_STOP] = "stop",
        [PLANE_ACT_REBOOT] = "reboot",
        [PLANE_ACT_DELETE] = "delete",
        [PLANE_ACT_READ] = "read",
    };
    CHECK(act > 0 && act < COUNT_OF(names));
    return names[act];
}

uint32_t plane_request_new(struct plane *plane, enum plane_act act, uint32_t client)
{
    CHECK(plane_requests_count < plane->conf.requests);
    uint32_t number = ++plane_requests_count;
    struct plane_request *request = &plane_requests[number];
    *request = (struct plane_request){ .act = act,
                                       .state = PLANE_OPEN,
                                       .client = client,
                                       .object = number,
                                       .principal = plane_users[client] };
    (void)snprintf(request->key, sizeof(request->key), "key-%u", number);
    (void)snprintf(request->name, sizeof(request->name), "%.1s%u", plane_act_name(act), number);
    return number;
}

void plane_request_list(struct plane *plane, uint32_t number, bool listed)
{
    CHECK(plane != NULL && number > 0);
    plane_requests[number].listed = listed; /* Nobody chooses by chance here. */
}

/* Nobody asks what must be refused, but for the story. */
void plane_odd_begin(struct plane *plane)
{
    CHECK(plane_requests_count < plane->conf.requests);
}

const char *plane_odd_name(enum plane_odd odd)
{
    CHECK(odd == 0);
    return "";
}

/* ---- Objects ---- */

const char *sim_object_name(
    struct stage *stage, bool network, const char *tenant, const char *name, uint32_t *at_out)
{
    struct sim_object *object = NULL;
    for (uint32_t i = stage->objects_count; i > 0 && object == NULL; i--) {
        struct sim_object *one = &stage->objects[i - 1];
        bool is = one->network == network && strcmp(one->tenant, tenant) == 0 &&
                  strcmp(one->name, name) == 0;
        object = is ? one : NULL;
    }
    if (object == NULL || object->gone) {
        enum plane_act act = network ? PLANE_ACT_NETWORK : PLANE_ACT_CREATE;
        CHECK(stage->objects_count < SIM_OBJECTS);
        object = &stage->objects[stage->objects_count++];
        *object = (struct sim_object){ .network = network };
        (void)text_copy(object->tenant, sizeof(object->tenant), slice_text(tenant));
        (void)text_copy(object->name, sizeof(object->name), slice_text(name));
        object->number = plane_request_new(&stage->plane, act, 0);
        plane_requests[object->number].unsure = true; /* Until it is acknowledged. */
    }
    *at_out = (uint32_t)(object - stage->objects) + 1;
    return plane_requests[object->number].name;
}

/* ---- Posting ---- */

static const char *kept(struct sim_ask *ask, uint32_t at, const char *text)
{
    if (text == NULL) {
        return NULL;
    }
    bool whole = text_copy(ask->words[at], STAGE_NAME, slice_text(text));
    CHECK(whole);
    return ask->words[at];
}

static void names_mapped(struct stage *stage, struct sim_ask *ask)
{
    struct deed *deed = &ask->deed;
    uint32_t ignored = 0;
    bool network = deed->noun == DEED_NETWORK;
    const char *name = deed->name;
    if ((network || deed->noun == DEED_INSTANCE) && ask->of == SIM_DEED) {
        if (deed->network != NULL) {
            deed->network =
                kept(ask, 3, sim_object_name(stage, true, deed->tenant, deed->network, &ignored));
        }
        name = sim_object_name(stage, network, deed->tenant, deed->name, &ask->object);
    }
    if (deed->noun == DEED_USER && deed->verb == DEED_REVOKE && strcmp(deed->name, "root") == 0) {
        name = "operator";
    }
    deed->name = kept(ask, 1, name);
}

/* The next client of this person: the plane tells tenants by the client's number. */
static uint32_t client_of(struct stage *stage, const char *who, uint64_t *principal_out)
{
    uint32_t person = SIM_ROOT;
    *principal_out = plane_users[0];
    for (uint32_t i = 0; i < stage->people_count; i++) {
        if (strcmp(stage->people[i].name, who) == 0) {
            *principal_out = stage->people[i].principal;
            person = i;
        }
    }
    CHECK(person < SIM_ROOT || strcmp(who, "root") == 0);
    stage->turn = (stage->turn + 1) % (SIM_CLIENTS / SIM_TENANTS - 1);
    return (stage->turn + 1) * SIM_TENANTS + person;
}

static enum plane_act act_of(const struct sim_ask *ask)
{
    bool reads = ask->of != SIM_DEED || !deed_writes(&ask->deed);
    bool deletes = ask->deed.verb == DEED_DELETE && ask->object != 0;
    return reads ? PLANE_ACT_READ
           : deletes
               ? (ask->deed.noun == DEED_NETWORK ? PLANE_ACT_NETWORK_DELETE : PLANE_ACT_DELETE)
               : PLANE_ACT_START; /* A deed: no checker takes it for a maker. */
}

uint32_t sim_post(struct stage *stage, const struct deed *deed, uint32_t of, uint64_t from)
{
    uint64_t principal = 0;
    CHECK(stage->asks_count < SIM_ASKS);
    struct sim_ask *ask = &stage->asks[stage->asks_count++];
    *ask = (struct sim_ask){ .deed = *deed, .from = from, .queued = true };
    ask->of = of == SIM_DEED ? SIM_DEED : of == SIM_LEAVES ? SIM_LEAVES : SIM_EVENTS;
    ask->deed.tenant = kept(ask, 0, deed->tenant);
    ask->deed.project = kept(ask, 2, deed->project);
    ask->deed.network = kept(ask, 3, deed->network);
    ask->deed.cidr = kept(ask, 4, deed->cidr);
    ask->deed.spread = kept(ask, 5, deed->spread);
    ask->deed.if_match = kept(ask, 6, deed->if_match);
    names_mapped(stage, ask);
    uint32_t client = client_of(stage, deed->who, &principal);
    ask->request = plane_request_new(&stage->plane, act_of(ask), client);
    struct plane_request *request = &plane_requests[ask->request];
    request->principal = principal;
    if (deed->key != NULL) {
        (void)snprintf(request->key, sizeof(request->key), "%.20s", deed->key);
    }
    if (ask->object != 0) {
        request->object = stage->objects[ask->object - 1].number;
    }
    ask->deed.who = NULL; /* It was the story's word. */
    ask->deed.key = NULL;
    return stage->asks_count;
}

uint32_t plane_request_choose(struct plane *plane, uint32_t client)
{
    CHECK(plane->conf.clients > 0);
    for (uint32_t i = 0; i < sim_stage->asks_count; i++) {
        struct sim_ask *ask = &sim_stage->asks[i];
        if (ask->queued && plane_requests[ask->request].client == client) {
            ask->queued = false;
            return ask->request;
        }
    }
    return 0;
}

static bool all_answered(struct plane *plane)
{
    bool all = plane_clients_idle(plane);
    for (uint32_t i = 0; i < sim_stage->asks_count && all; i++) {
        all = !sim_stage->asks[i].queued;
    }
    return all;
}

bool sim_answered(struct stage *stage)
{
    plane_clients_busy(&stage->plane, true);
    bool all = plane_until(&stage->plane, SIM_ANSWER_MS, all_answered);
    plane_clients_busy(&stage->plane, false);
    return all;
}
