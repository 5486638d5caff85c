/* The bytes of what is asked in the simulated plane, and what an answer means: done, refused, or
 * ask again with the same key. Of the story's people, and of the cell's own beginning. */
#include "base/arena.h"
#include "base/check.h"
#include "base/id.h"
#include "base/reject.h"
#include "tests/scenario/stage_sim.h"
#include "tests/sim/plane_check.h"
#include "tests/sim/plane_people.h"
#include "wire/wire.h"

#include <audit.pb-c.h>
#include <stdio.h>
#include <string.h>

enum { PAGE = 100, LEAF_ARENA = 64 * 1024 };

static struct {
    struct deed_room deed;
    Wire__Request request;
    Wire__Identity principal;
    char request_id[32];
    char name[PLANE_NAME];
    char underlay[20];
    uint8_t bytes[5][32];
    Wire__Quantities cap;
    Wire__Place place;
    union {
        Wire__ImageCreate image;
        Wire__TenantCreate tenant;
        Wire__UserCreate user;
        Wire__TokenCreate token;
        Wire__Join join;
        Wire__AuditRead leaves;
        Wire__EventRead events;
    } body;
} made;

static ProtobufCBinaryData bytes_of(uint32_t at, size_t size, uint32_t first)
{
    memset(made.bytes[at], 0, sizeof(made.bytes[at]));
    made.bytes[at][0] = (uint8_t)first;
    return (ProtobufCBinaryData){ size, made.bytes[at] };
}

static void wire_people(const struct plane_request *request)
{
    if (request->act == PLANE_ACT_IMAGE) {
        made.request.body_case = WIRE__REQUEST__BODY_IMAGE_CREATE;
        made.request.image_create = &made.body.image;
        wire__image_create__init(&made.body.image);
        made.body.image.name = "linux";
        made.body.image.kernel_sha256 = bytes_of(0, 32, 7);
        made.body.image.initramfs_sha256 = bytes_of(1, 32, 8);
    } else if (request->act == PLANE_ACT_TENANT) {
        made.request.body_case = WIRE__REQUEST__BODY_TENANT_CREATE;
        made.request.tenant_create = &made.body.tenant;
        wire__tenant_create__init(&made.body.tenant);
        wire__quantities__init(&made.cap);
        (void)snprintf(made.name, sizeof(made.name), "other-%u", request->tenant);
        made.body.tenant.name = made.name;
        made.body.tenant.cap = &made.cap;
    } else {
        CHECK(request->act == PLANE_ACT_USER);
        made.request.body_case = WIRE__REQUEST__BODY_USER_CREATE;
        made.request.user_create = &made.body.user;
        wire__user_create__init(&made.body.user);
        (void)snprintf(made.name, sizeof(made.name), "other-%u", request->tenant);
        made.body.user.name = request->name;
        made.body.user.role = WIRE__ROLE__ROLE_TENANT;
        made.body.user.tenant = made.name;
    }
}

static void wire_machine(const struct plane_request *request)
{
    bool node = plane_is_node(request->machine);
    Wire__Kind kind = node ? WIRE__KIND__KIND_NODE : WIRE__KIND__KIND_CONTROLLER;
    (void)snprintf(made.name, sizeof(made.name), "m%u", request->machine);
    (void)snprintf(made.underlay, sizeof(made.underlay), "10.64.%u.1", request->machine & 0xffU);
    if (request->act == PLANE_ACT_TOKEN) {
        made.request.body_case = WIRE__REQUEST__BODY_TOKEN_CREATE;
        made.request.token_create = &made.body.token;
        wire__token_create__init(&made.body.token);
        wire__place__init(&made.place);
        made.place.rack = "r1";
        made.body.token.kind = kind;
        made.body.token.name = made.name;
        made.body.token.place = &made.place;
        made.body.token.secret_sha256 = bytes_of(0, 32, request->machine + 1);
        return;
    }
    CHECK(request->act == PLANE_ACT_JOIN);
    made.request.body_case = WIRE__REQUEST__BODY_JOIN;
    made.request.join = &made.body.join;
    wire__join__init(&made.body.join);
    made.principal.kind = WIRE__KIND__KIND_UNSET;
    made.principal.id = 0;
    made.body.join.kind = kind;
    made.body.join.secret_sha256 = bytes_of(0, 32, request->machine + 1);
    made.body.join.csr = bytes_of(1, 8, 1);
    made.body.join.link_address = made.name;
    made.body.join.api_address = node ? "" : made.name;
    made.body.join.underlay_address = node ? made.underlay : "";
    if (!node) {
        made.body.join.sealing_key = bytes_of(2, 32, 9);
    }
}

static void wire_question(const struct sim_ask *ask)
{
    if (ask->of == SIM_LEAVES) {
        made.request.body_case = WIRE__REQUEST__BODY_AUDIT_READ;
        made.request.audit_read = &made.body.leaves;
        wire__audit_read__init(&made.body.leaves);
        made.body.leaves.first = ask->from;
        made.body.leaves.limit = PAGE;
        return;
    }
    made.request.body_case = WIRE__REQUEST__BODY_EVENT_READ;
    made.request.event_read = &made.body.events;
    wire__event_read__init(&made.body.events);
    made.body.events.after = ask->from;
    made.body.events.limit = PAGE;
}

static struct sim_ask *ask_of(const struct plane_request *request)
{
    uint32_t number = (uint32_t)(request - plane_requests);
    for (uint32_t i = sim_stage->asks_count; i > 0; i--) {
        if (sim_stage->asks[i - 1].request == number) {
            return &sim_stage->asks[i - 1];
        }
    }
    return NULL;
}

const Wire__Request *plane_request_wire(
    const struct plane *plane, const struct plane_request *request, uint32_t attempt)
{
    const struct sim_ask *ask = ask_of(request);
    CHECK(plane->conf.requests > 0);
    wire__request__init(&made.request);
    wire__identity__init(&made.principal);
    made.principal.kind = WIRE__KIND__KIND_USER;
    made.principal.id = request->principal;
    if (ask != NULL && ask->of == SIM_DEED) {
        bool sound = deed_request(&ask->deed, "linux", &made.deed);
        CHECK(sound);
        made.request = made.deed.request;
    } else if (ask != NULL) {
        wire_question(ask);
    } else if (request->act == PLANE_ACT_TOKEN || request->act == PLANE_ACT_JOIN) {
        wire_machine(request);
    } else {
        wire_people(request);
    }
    (void)snprintf(made.request_id, sizeof(made.request_id), "attempt-%u", attempt);
    made.request.format = 1;
    made.request.request_id = made.request_id;
    made.request.principal = &made.principal;
    made.request.idempotency_key = request->act == PLANE_ACT_READ ? "" : request->key;
    made.request.if_match = ask == NULL || ask->deed.if_match == NULL ? "" : ask->deed.if_match;
    return &made.request;
}

/* ---- Answers ---- */

static bool again(uint32_t reject)
{
    return reject == REJECT_OUTCOME_UNKNOWN || reject == REJECT_NO_LEADER ||
           reject == REJECT_OVERLOADED || reject == REJECT_UNFIT || reject == REJECT_CONFLICT;
}

static void leaves_kept(struct stage *stage, struct sim_ask *ask, const Wire__Answer *answer)
{
    static _Alignas(16) uint8_t memory[LEAF_ARENA];
    for (size_t i = 0; i < answer->n_leaves; i++) {
        struct arena arena;
        Wire__Leaf *leaf = NULL;
        arena_init(&arena, memory, sizeof(memory));
        struct slice bytes = { answer->leaves[i]->leaf.data, answer->leaves[i]->leaf.len };
        struct result decoded = wire_decode(&wire__leaf__descriptor, bytes, &arena, &leaf);
        CHECK(decoded.code == 0 && stage->leaves_count < STAGE_LEAVES);
        ask->got++;
        if (leaf->seq < stage->next_leaf) {
            continue;
        }
        stage->next_leaf = leaf->seq + 1;
        struct seen_leaf *to = &stage->leaves[stage->leaves_count++];
        (void)text_copy(to->operation, sizeof(to->operation), slice_text(leaf->operation));
        to->person = leaf->actor_kind == WIRE__KIND__KIND_USER;
        to->refused = leaf->reject != REJECT_NONE;
        to->times = leaf->fold == NULL ? 1 : leaf->fold->count;
    }
}

static void events_counted(struct stage *stage, struct sim_ask *ask, const Wire__Answer *answer)
{
    for (size_t i = 0; i < answer->n_events; i++) {
        const Wire__EventView *event = answer->events[i];
        bool wanted = strcmp(event->name, stage->event_wanted) == 0;
        stage->events_found += wanted && event->index > stage->events_after ? 1 : 0;
        ask->got++;
        ask->resource = event->index;
    }
}

static void acknowledged(
    struct plane *plane, struct plane_request *request, const Wire__Answer *answer)
{
    request->state = PLANE_ACKNOWLEDGED;
    request->index = answer->index;
    if (request->act == PLANE_ACT_JOIN) {
        enum id_kind kind = plane_is_node(request->machine) ? ID_NODE : ID_CONTROLLER;
        if (answer->join == NULL || !id_parse(kind, answer->join->id, &request->resource)) {
            plane_fail(plane, "ANSWER a join without identity");
        }
        return;
    }
    if (request->act == PLANE_ACT_READ) {
        return;
    }
    const Wire__OperationView *operation = answer->operation;
    if (operation == NULL || !id_parse(ID_OPERATION, operation->id, &request->operation)) {
        plane_fail(plane, "ANSWER %s without operation", request->key);
    }
    if (operation->resource[0] != '\0' &&
        !id_parse(
            (enum id_kind)operation->resource_kind, operation->resource, &request->resource)) {
        plane_fail(plane, "ANSWER %s names no resource", request->key);
    }
    plane->tally->acknowledged++;
    plane_check_told(plane, (uint32_t)(request - plane_requests));
}

/* What an object's beginning and end mean to the checkers. */
static void object_noted(struct stage *stage, const struct sim_ask *ask, uint64_t resource)
{
    struct sim_object *object = &stage->objects[ask->object - 1];
    struct plane_request *maker = &plane_requests[object->number];
    if (ask->deed.verb == DEED_CREATE) {
        maker->state = PLANE_ACKNOWLEDGED;
        maker->unsure = false;
        maker->resource = resource;
    } else if (ask->deed.verb == DEED_DELETE) {
        object->gone = true;
    }
}

bool plane_request_answered(
    struct plane *plane, struct plane_request *request, const Wire__Answer *answer)
{
    struct sim_ask *ask = ask_of(request);
    CHECK(request->state == PLANE_OPEN);
    if (again(answer->reject)) {
        request->unsure = request->unsure || answer->reject == REJECT_OUTCOME_UNKNOWN;
        return false;
    }
    if (ask != NULL && ask->of == SIM_DEED) {
        deed_told(&ask->deed, answer, &ask->told);
    }
    if (answer->reject != REJECT_NONE) {
        request->reject = answer->reject;
        request->state = PLANE_REFUSED;
        plane->tally->refused++;
        return true;
    }
    acknowledged(plane, request, answer);
    if (ask != NULL && ask->of == SIM_LEAVES) {
        leaves_kept(sim_stage, ask, answer);
    } else if (ask != NULL && ask->of == SIM_EVENTS) {
        events_counted(sim_stage, ask, answer);
    } else if (ask != NULL) {
        ask->resource = request->resource;
        if (ask->object != 0) {
            object_noted(sim_stage, ask, request->resource);
        }
    }
    return true;
}
