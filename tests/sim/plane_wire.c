/* The bytes of what clients, the operator and joining machines ask. Decides no more than how a
 * request of the list is written; the same at every attempt. */
#include "base/check.h"
#include "tests/sim/plane_people.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

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
    const char *networks[1];
    Wire__Quantities cap;
    Wire__Quantities floor;
    Wire__Place place;
    union {
        Wire__ImageCreate image;
        Wire__TenantCreate tenant;
        Wire__UserCreate user;
        Wire__TokenCreate token;
        Wire__Join join;
        Wire__ControllerRemove remove;
        Wire__UserRevoke revoke;
        Wire__QuotaSet quota;
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

/* What each act is written as, and where in it are the tenant's name and its own: offsets of
 * pointers; 0: it has none, for a message begins with something else. */
static const struct shape {
    Wire__Request__BodyCase body;
    const ProtobufCMessageDescriptor *message;
    size_t tenant_at;
    size_t name_at;
} shapes[PLANE_ACT_ODD] = {
    [PLANE_ACT_IMAGE] = { WIRE__REQUEST__BODY_IMAGE_CREATE,
                          &wire__image_create__descriptor,
                          0,
                          offsetof(Wire__ImageCreate, name) },
    [PLANE_ACT_TENANT] = { WIRE__REQUEST__BODY_TENANT_CREATE,
                           &wire__tenant_create__descriptor,
                           offsetof(Wire__TenantCreate, name),
                           0 },
    [PLANE_ACT_USER] = { WIRE__REQUEST__BODY_USER_CREATE,
                         &wire__user_create__descriptor,
                         offsetof(Wire__UserCreate, tenant),
                         offsetof(Wire__UserCreate, name) },
    [PLANE_ACT_TOKEN] = { WIRE__REQUEST__BODY_TOKEN_CREATE, &wire__token_create__descriptor, 0, 0 },
    [PLANE_ACT_REMOVE] = { WIRE__REQUEST__BODY_CONTROLLER_REMOVE,
                           &wire__controller_remove__descriptor,
                           0,
                           0 },
    [PLANE_ACT_QUOTA] = { WIRE__REQUEST__BODY_QUOTA_SET,
                          &wire__quota_set__descriptor,
                          offsetof(Wire__QuotaSet, tenant),
                          0 },
    [PLANE_ACT_REVOKE] = { WIRE__REQUEST__BODY_USER_REVOKE, &wire__user_revoke__descriptor, 0, 0 },
    [PLANE_ACT_JOIN] = { WIRE__REQUEST__BODY_JOIN, &wire__join__descriptor, 0, 0 },
    [PLANE_ACT_NETWORK] = { WIRE__REQUEST__BODY_NETWORK_CREATE,
                            &wire__network_create__descriptor,
                            offsetof(Wire__NetworkCreate, tenant),
                            offsetof(Wire__NetworkCreate, name) },
    [PLANE_ACT_NETWORK_DELETE] = { WIRE__REQUEST__BODY_NETWORK_DELETE,
                                   &wire__network_delete__descriptor,
                                   offsetof(Wire__NetworkDelete, tenant),
                                   offsetof(Wire__NetworkDelete, network) },
    [PLANE_ACT_CREATE] = { WIRE__REQUEST__BODY_INSTANCE_CREATE,
                           &wire__instance_create__descriptor,
                           offsetof(Wire__InstanceCreate, tenant),
                           offsetof(Wire__InstanceCreate, name) },
    [PLANE_ACT_START] = { WIRE__REQUEST__BODY_INSTANCE_START,
                          &wire__instance_start__descriptor,
                          offsetof(Wire__InstanceStart, tenant),
                          offsetof(Wire__InstanceStart, instance) },
    [PLANE_ACT_STOP] = { WIRE__REQUEST__BODY_INSTANCE_STOP,
                         &wire__instance_stop__descriptor,
                         offsetof(Wire__InstanceStop, tenant),
                         offsetof(Wire__InstanceStop, instance) },
    [PLANE_ACT_REBOOT] = { WIRE__REQUEST__BODY_INSTANCE_REBOOT,
                           &wire__instance_reboot__descriptor,
                           offsetof(Wire__InstanceReboot, tenant),
                           offsetof(Wire__InstanceReboot, instance) },
    [PLANE_ACT_DELETE] = { WIRE__REQUEST__BODY_INSTANCE_DELETE,
                           &wire__instance_delete__descriptor,
                           offsetof(Wire__InstanceDelete, tenant),
                           offsetof(Wire__InstanceDelete, instance) },
    [PLANE_ACT_READ] = { WIRE__REQUEST__BODY_GET,
                         &wire__get__descriptor,
                         offsetof(Wire__Get, tenant),
                         offsetof(Wire__Get, name) },
};

static void name_at(size_t at, const char *name)
{
    if (at > 0) {
        memcpy((uint8_t *)&made.body + at, &name, sizeof(const char *));
    }
}

static void fill_image(const struct plane_request *request)
{
    if (request->object == 0 || request->tenant == 0) {
        made.body.image.name = "vm";
    }
    made.body.image.kernel_sha256 = bytes_of(made.kernel, 32, 7);
    made.body.image.initramfs_sha256 = bytes_of(made.initramfs, 32, 8);
}

static void fill_cap(const struct plane *plane, uint64_t instances)
{
    made.cap = (Wire__Quantities)WIRE__QUANTITIES__INIT;
    made.cap.vcpus = plane_cap(plane, QUOTA_VCPUS);
    made.cap.memory_bytes = plane_cap(plane, QUOTA_MEMORY_BYTES);
    made.cap.instances = instances;
    made.cap.networks = plane_cap(plane, QUOTA_NETWORKS);
}

static void fill_floor(const struct plane_request *request)
{
    made.floor = (Wire__Quantities)WIRE__QUANTITIES__INIT;
    made.floor.vcpus = request->floor.of[QUOTA_VCPUS];
    made.floor.memory_bytes = request->floor.of[QUOTA_MEMORY_BYTES];
    made.floor.instances = request->floor.of[QUOTA_INSTANCES];
    made.floor.networks = request->floor.of[QUOTA_NETWORKS];
}

static void fill_quota(const struct plane *plane, const struct plane_request *request)
{
    if (plane_sets_floor(request)) {
        fill_floor(request);
        made.body.quota.floor = &made.floor;
        return;
    }
    fill_cap(plane, request->machine);
    made.body.quota.cap = &made.cap;
    made.body.quota.project = request->flag ? "default" : "";
}

static void fill_tenant(const struct plane *plane, const struct plane_request *request)
{
    fill_cap(plane, plane_cap(plane, QUOTA_INSTANCES));
    if (request->tenant >= plane->conf.tenants) { /* Whose requests no node can hold. */
        made.cap.vcpus = 1000000;
        made.cap.memory_bytes = UINT64_C(1) << 50;
    }
    made.body.tenant.cap = &made.cap;
    if (plane->swarm.floors) {
        fill_floor(request);
        made.body.tenant.floor = &made.floor;
    }
}

static void fill_token(const struct plane_request *request, Wire__Kind kind)
{
    wire__place__init(&made.place);
    made.place.rack = request->machine % 2 == 0 ? "r1" : "r2";
    made.body.token.kind = kind;
    made.body.token.name = made.name;
    made.body.token.place = &made.place;
    made.body.token.secret_sha256 = secret_of(request);
}

/* A machine asks as a stranger. */
static void fill_join(const struct plane_request *request, Wire__Kind kind)
{
    bool node = plane_is_node(request->machine);
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

static void fill_create(const struct plane_request *request)
{
    made.body.create.image = "vm";
    made.body.create.vcpus = request->vcpus;
    made.body.create.memory_bytes = request->memory_bytes;
    made.body.create.stopped = request->flag;
    made.body.create.max_attempts = request->boots_most;
    made.body.create.n_networks = request->network != 0 ? 1 : 0;
    made.body.create.networks = made.networks;
    made.networks[0] = plane_requests[request->network].name;
}

/* What its message has beside names. */
static void fill(const struct plane *plane, const struct plane_request *request)
{
    bool node = plane_is_node(request->machine);
    Wire__Kind kind = node ? WIRE__KIND__KIND_NODE : WIRE__KIND__KIND_CONTROLLER;
    switch (request->act) {
    case PLANE_ACT_IMAGE: fill_image(request); return;
    case PLANE_ACT_TENANT: fill_tenant(plane, request); return;
    case PLANE_ACT_USER: made.body.user.role = WIRE__ROLE__ROLE_TENANT; return;
    case PLANE_ACT_TOKEN: fill_token(request, kind); return;
    case PLANE_ACT_REMOVE: made.body.remove.controller = made.name; return;
    case PLANE_ACT_QUOTA: fill_quota(plane, request); return;
    case PLANE_ACT_REVOKE: made.body.revoke.user = plane_requests[request->machine].name; return;
    case PLANE_ACT_JOIN: fill_join(request, kind); return;
    case PLANE_ACT_NETWORK: made.body.network.cidr = plane_cidr(request); return;
    case PLANE_ACT_CREATE: fill_create(request); return;
    case PLANE_ACT_STOP: made.body.stop.force = request->flag; return;
    case PLANE_ACT_READ: made.body.get.kind = WIRE__KIND__KIND_INSTANCE; return;
    case PLANE_ACT_NETWORK_DELETE:
    case PLANE_ACT_START:
    case PLANE_ACT_REBOOT:
    case PLANE_ACT_DELETE: return;
    case PLANE_ACT_ODD: break; /* plane_odd.c */
    }
    UNREACHABLE();
}

static void wire(const struct plane *plane, const struct plane_request *request)
{
    const struct shape *shape = &shapes[request->act];
    CHECK(request->act < PLANE_ACT_ODD && shape->message != NULL);
    CHECK(shape->message->sizeof_message <= sizeof(made.body));
    protobuf_c_message_init(shape->message, &made.body);
    made.request.body_case = shape->body;
    made.request.get = &made.body.get; /* Every body is in the same place. */
    name_at(shape->tenant_at, plane_tenant_name(request->tenant));
    name_at(shape->name_at, request->name);
    fill(plane, request);
}

const Wire__Request *plane_request_wire(
    const struct plane *plane, const struct plane_request *request, uint32_t attempt)
{
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
    if (request->act == PLANE_ACT_ODD) {
        plane_odd_wire(plane, request, &made.request);
    } else {
        wire(plane, request);
    }
    return &made.request;
}
