/* Decides what clients ask for and what an answer means to them: done, refused, or ask again with
 * the same key. The list of requests is the client's own ledger, against which the cell is held. */
#include "base/check.h"
#include "base/id.h"
#include "base/reject.h"
#include "tests/sim/plane.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct plane_request *plane_requests;
uint32_t plane_requests_count;
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

static const char *tenant_name(uint32_t tenant)
{
    static char name[PLANE_NAME];
    static const char *const first[] = { "red", "blue", "green", "white" };
    if (tenant < COUNT_OF(first)) {
        return first[tenant];
    }
    (void)snprintf(name, sizeof(name), "tenant-%u", tenant);
    return name;
}

const char *plane_act_name(enum plane_act act)
{
    static const char *const names[] = { "none",           "image",  "tenant", "user",
                                         "token",          "remove", "join",   "network-create",
                                         "network-delete", "create", "start",  "stop",
                                         "reboot",         "delete", "read" };
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
    return among->count == 0 ? 0 : among->numbers[plane_below(plane, among->count)];
}

static enum plane_act choose_act(struct plane *plane)
{
    static const enum plane_act acts[20] = {
        PLANE_ACT_NETWORK, PLANE_ACT_NETWORK_DELETE, PLANE_ACT_CREATE, PLANE_ACT_CREATE,
        PLANE_ACT_CREATE,  PLANE_ACT_CREATE,         PLANE_ACT_CREATE, PLANE_ACT_START,
        PLANE_ACT_START,   PLANE_ACT_START,          PLANE_ACT_STOP,   PLANE_ACT_STOP,
        PLANE_ACT_STOP,    PLANE_ACT_REBOOT,         PLANE_ACT_REBOOT, PLANE_ACT_DELETE,
        PLANE_ACT_DELETE,  PLANE_ACT_DELETE,         PLANE_ACT_READ,   PLANE_ACT_READ,
    };
    return acts[plane_below(plane, COUNT_OF(acts))];
}

uint32_t plane_request_choose(struct plane *plane, uint32_t client)
{
    uint32_t tenant = plane_tenant_of(plane, client);
    enum plane_act act = choose_act(plane);
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

/* ---- The bytes ---- */

static struct {
    Wire__Request request;
    Wire__Identity principal;
    char request_id[32];
    char address[16];
    char name[24];
    char underlay[20];
    uint8_t secret[32];
    uint8_t csr[8];
    uint8_t sealing[32];
    uint8_t kernel[32];
    uint8_t initramfs[32];
    uint64_t instances;
    const char *networks[1];
    Wire__Quantities cap;
    Wire__Place place;
    union {
        Wire__ImageCreate image;
        Wire__TenantCreate tenant;
        Wire__UserCreate user;
        Wire__TokenCreate token;
        Wire__Join join;
        Wire__ControllerRemove remove;
        Wire__NetworkCreate network;
        Wire__NetworkDelete network_delete;
        Wire__InstanceCreate create;
        Wire__InstanceStart start;
        Wire__InstanceStop stop;
        Wire__InstanceReboot reboot;
        Wire__InstanceDelete delete;
        Wire__Get get;
    } body;
} made;

static ProtobufCBinaryData bytes_of(uint8_t *bytes, size_t size, uint8_t first)
{
    memset(bytes, 0, size);
    bytes[0] = first;
    return (ProtobufCBinaryData){ size, bytes };
}

/* No two tokens that are ever made are alike. */
static ProtobufCBinaryData secret_of(const struct plane_request *request)
{
    ProtobufCBinaryData secret = bytes_of(made.secret, 32, 1);
    secret.data[1] = (uint8_t)request->machine;
    secret.data[2] = (uint8_t)(request->machine >> 8);
    secret.data[3] = (uint8_t)request->life;
    return secret;
}

/* What the story asks as the first operator, and machines as strangers. */
static void wire_story(const struct plane_request *request)
{
    bool node = plane_is_node(request->machine);
    Wire__Kind kind = node ? WIRE__KIND__KIND_NODE : WIRE__KIND__KIND_CONTROLLER;
    switch ((int)request->act) {
    case PLANE_ACT_IMAGE:
        made.request.body_case = WIRE__REQUEST__BODY_IMAGE_CREATE;
        made.request.image_create = &made.body.image;
        wire__image_create__init(&made.body.image);
        made.body.image.name = "vm";
        made.body.image.kernel_sha256 = bytes_of(made.kernel, 32, 7);
        made.body.image.initramfs_sha256 = bytes_of(made.initramfs, 32, 8);
        return;
    case PLANE_ACT_TENANT:
        made.request.body_case = WIRE__REQUEST__BODY_TENANT_CREATE;
        made.request.tenant_create = &made.body.tenant;
        wire__tenant_create__init(&made.body.tenant);
        wire__quantities__init(&made.cap);
        made.cap = (Wire__Quantities)WIRE__QUANTITIES__INIT;
        made.cap.vcpus = made.instances + made.instances / 4;
        made.cap.memory_bytes = (made.instances * 4) << 26;
        made.cap.instances = made.instances;
        made.cap.networks = 3;
        made.body.tenant.name = tenant_name(request->tenant);
        made.body.tenant.cap = &made.cap;
        return;
    case PLANE_ACT_USER:
        made.request.body_case = WIRE__REQUEST__BODY_USER_CREATE;
        made.request.user_create = &made.body.user;
        wire__user_create__init(&made.body.user);
        made.body.user.name = request->name;
        made.body.user.role = WIRE__ROLE__ROLE_TENANT;
        made.body.user.tenant = tenant_name(request->tenant);
        return;
    case PLANE_ACT_TOKEN:
        made.request.body_case = WIRE__REQUEST__BODY_TOKEN_CREATE;
        made.request.token_create = &made.body.token;
        wire__token_create__init(&made.body.token);
        wire__place__init(&made.place);
        made.place.rack = request->machine % 2 == 0 ? "r1" : "r2";
        made.body.token.kind = kind;
        made.body.token.name = made.name;
        made.body.token.place = &made.place;
        made.body.token.secret_sha256 = secret_of(request);
        return;
    case PLANE_ACT_REMOVE:
        made.request.body_case = WIRE__REQUEST__BODY_CONTROLLER_REMOVE;
        made.request.controller_remove = &made.body.remove;
        wire__controller_remove__init(&made.body.remove);
        made.body.remove.controller = made.name;
        return;
    default: CHECK(request->act == PLANE_ACT_JOIN); break;
    }
    made.request.body_case = WIRE__REQUEST__BODY_JOIN;
    made.request.join = &made.body.join;
    wire__join__init(&made.body.join);
    made.principal.kind = WIRE__KIND__KIND_UNSET;
    made.principal.id = 0;
    made.body.join.kind = kind;
    made.body.join.secret_sha256 = secret_of(request);
    made.body.join.csr = bytes_of(made.csr, 8, (uint8_t)(request->life + 1));
    made.csr[1] = (uint8_t)request->machine;
    made.csr[2] = (uint8_t)(request->machine >> 8);
    made.body.join.link_address = made.address;
    made.body.join.api_address = node ? "" : made.address;
    made.body.join.underlay_address = node ? made.underlay : "";
    if (!node) {
        made.body.join.sealing_key = bytes_of(made.sealing, 32, 9);
    }
}

static void wire_tenant(const struct plane_request *request)
{
    const char *tenant = tenant_name(request->tenant);
    switch ((int)request->act) {
    case PLANE_ACT_NETWORK:
        made.request.body_case = WIRE__REQUEST__BODY_NETWORK_CREATE;
        made.request.network_create = &made.body.network;
        made.body.network = (Wire__NetworkCreate)WIRE__NETWORK_CREATE__INIT;
        made.body.network.tenant = tenant;
        made.body.network.name = request->name;
        made.body.network.cidr = "10.5.0.0/28";
        return;
    case PLANE_ACT_NETWORK_DELETE:
        made.request.body_case = WIRE__REQUEST__BODY_NETWORK_DELETE;
        made.request.network_delete = &made.body.network_delete;
        made.body.network_delete = (Wire__NetworkDelete)WIRE__NETWORK_DELETE__INIT;
        made.body.network_delete.tenant = tenant;
        made.body.network_delete.network = request->name;
        return;
    case PLANE_ACT_CREATE:
        made.request.body_case = WIRE__REQUEST__BODY_INSTANCE_CREATE;
        made.request.instance_create = &made.body.create;
        made.body.create = (Wire__InstanceCreate)WIRE__INSTANCE_CREATE__INIT;
        made.body.create.tenant = tenant;
        made.body.create.name = request->name;
        made.body.create.image = "vm";
        made.body.create.vcpus = 1;
        made.body.create.memory_bytes = UINT64_C(64) << 20;
        made.body.create.stopped = request->flag;
        made.body.create.max_attempts = 50;
        made.body.create.n_networks = request->network != 0 ? 1 : 0;
        made.body.create.networks = made.networks;
        made.networks[0] = plane_requests[request->network].name;
        return;
    case PLANE_ACT_START:
        made.request.body_case = WIRE__REQUEST__BODY_INSTANCE_START;
        made.request.instance_start = &made.body.start;
        made.body.start = (Wire__InstanceStart)WIRE__INSTANCE_START__INIT;
        made.body.start.tenant = tenant;
        made.body.start.instance = request->name;
        return;
    case PLANE_ACT_STOP:
        made.request.body_case = WIRE__REQUEST__BODY_INSTANCE_STOP;
        made.request.instance_stop = &made.body.stop;
        made.body.stop = (Wire__InstanceStop)WIRE__INSTANCE_STOP__INIT;
        made.body.stop.tenant = tenant;
        made.body.stop.instance = request->name;
        made.body.stop.force = request->flag;
        return;
    case PLANE_ACT_REBOOT:
        made.request.body_case = WIRE__REQUEST__BODY_INSTANCE_REBOOT;
        made.request.instance_reboot = &made.body.reboot;
        made.body.reboot = (Wire__InstanceReboot)WIRE__INSTANCE_REBOOT__INIT;
        made.body.reboot.tenant = tenant;
        made.body.reboot.instance = request->name;
        return;
    case PLANE_ACT_DELETE:
        made.request.body_case = WIRE__REQUEST__BODY_INSTANCE_DELETE;
        made.request.instance_delete = &made.body.delete;
        made.body.delete = (Wire__InstanceDelete)WIRE__INSTANCE_DELETE__INIT;
        made.body.delete.tenant = tenant;
        made.body.delete.instance = request->name;
        return;
    default: break;
    }
    CHECK(request->act == PLANE_ACT_READ);
    made.request.body_case = WIRE__REQUEST__BODY_GET;
    made.request.get = &made.body.get;
    made.body.get = (Wire__Get)WIRE__GET__INIT;
    made.body.get.kind = WIRE__KIND__KIND_INSTANCE;
    made.body.get.tenant = tenant;
    made.body.get.name = request->name;
}

const Wire__Request *plane_request_wire(
    const struct plane *plane, const struct plane_request *request, uint32_t attempt)
{
    made.instances = plane->conf.instances;
    wire__request__init(&made.request);
    wire__identity__init(&made.principal);
    made.principal.kind = WIRE__KIND__KIND_USER;
    made.principal.id = request->principal;
    (void)snprintf(made.request_id, sizeof(made.request_id), "attempt-%u", attempt);
    (void)snprintf(made.address, sizeof(made.address), "m%u", request->machine);
    (void)snprintf(made.name, sizeof(made.name), "m%u", request->machine);
    if (request->life > 0) { /* Whoever comes again comes under another name. */
        (void)snprintf(made.name, sizeof(made.name), "m%u-%u", request->machine, request->life);
    }
    (void)snprintf(
        made.underlay,
        sizeof(made.underlay),
        "10.%u.%u.1",
        64 + (request->machine >> 8),
        request->machine & 0xff);
    made.request.format = 1;
    made.request.request_id = made.request_id;
    made.request.principal = &made.principal;
    made.request.idempotency_key = request->act == PLANE_ACT_READ ? "" : request->key;
    if (request->act <= PLANE_ACT_JOIN) {
        wire_story(request);
    } else {
        wire_tenant(request);
    }
    return &made.request;
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
    case REJECT_QUOTA:
    case REJECT_FLOOR:
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

static void refused(struct plane *plane, struct plane_request *request, const Wire__Answer *answer)
{
    request->reject = answer->reject;
    if (!fair(request, answer->reject)) {
        plane_fail(
            plane,
            "REFUSED %s %s: %s %s",
            plane_act_name(request->act),
            request->name,
            reject_name((enum reject)answer->reject),
            answer->problem == NULL ? "" : answer->problem->detail);
    }
    if (request->act == PLANE_ACT_DELETE || request->act == PLANE_ACT_NETWORK_DELETE) {
        /* In doubt it may still end: nobody builds on it any more. */
        bool ends =
            request->unsure || answer->reject == REJECT_STATE || answer->reject == REJECT_NOT_FOUND;
        plane_requests[request->object].ending = ends;
        plane_request_list(plane, request->object, !ends);
    }
    request->state = PLANE_REFUSED;
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
    request->state = PLANE_ACKNOWLEDGED;
    request->index = answer->index;
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
        if ((request->act == PLANE_ACT_CREATE || request->act == PLANE_ACT_NETWORK) &&
            !request->ending) {
            plane_request_list(plane, (uint32_t)(request - plane_requests), true);
        }
        plane->tally->acknowledged++;
        plane_check_told(plane, (uint32_t)(request - plane_requests));
    }
    return true;
}
