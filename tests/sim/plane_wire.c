/* The bytes of what clients, the operator and joining machines ask. Decides no more than how a
 * request of the list is written; the same at every attempt. */
#include "base/check.h"
#include "tests/sim/plane.h"

#include <stdio.h>
#include <string.h>

const char *plane_tenant_name(uint32_t tenant)
{
    static char name[PLANE_NAME];
    static const char *const first[] = { "red", "blue", "green", "white" };
    if (tenant < COUNT_OF(first)) {
        return first[tenant];
    }
    (void)snprintf(name, sizeof(name), "tenant-%u", tenant);
    return name;
}

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
        Wire__UserRevoke revoke;
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

static void wire_tenant_new(const struct plane *plane, const struct plane_request *request)
{
    made.request.body_case = WIRE__REQUEST__BODY_TENANT_CREATE;
    made.request.tenant_create = &made.body.tenant;
    wire__tenant_create__init(&made.body.tenant);
    wire__quantities__init(&made.cap);
    made.cap = (Wire__Quantities)WIRE__QUANTITIES__INIT;
    made.cap.vcpus = made.instances + made.instances / 4;
    made.cap.memory_bytes = (made.instances * 4) << 26;
    made.cap.instances = made.instances;
    made.cap.networks = 3;
    if (request->tenant == plane->conf.tenants) { /* Whose requests no node can hold. */
        made.cap.vcpus = 1000000;
        made.cap.memory_bytes = UINT64_C(1) << 50;
    }
    made.body.tenant.name = plane_tenant_name(request->tenant);
    made.body.tenant.cap = &made.cap;
}

/* What the story asks as the first operator, and machines as strangers. */
static void wire_story(const struct plane *plane, const struct plane_request *request)
{
    bool node = plane_is_node(request->machine);
    Wire__Kind kind = node ? WIRE__KIND__KIND_NODE : WIRE__KIND__KIND_CONTROLLER;
    switch ((int)request->act) {
    case PLANE_ACT_IMAGE:
        made.request.body_case = WIRE__REQUEST__BODY_IMAGE_CREATE;
        made.request.image_create = &made.body.image;
        wire__image_create__init(&made.body.image);
        made.body.image.name = request->object == 0 || request->tenant == 0 ? "vm" : request->name;
        made.body.image.kernel_sha256 = bytes_of(made.kernel, 32, 7);
        made.body.image.initramfs_sha256 = bytes_of(made.initramfs, 32, 8);
        return;
    case PLANE_ACT_TENANT: wire_tenant_new(plane, request); return;
    case PLANE_ACT_USER:
        made.request.body_case = WIRE__REQUEST__BODY_USER_CREATE;
        made.request.user_create = &made.body.user;
        wire__user_create__init(&made.body.user);
        made.body.user.name = request->name;
        made.body.user.role = WIRE__ROLE__ROLE_TENANT;
        made.body.user.tenant = plane_tenant_name(request->tenant);
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
    case PLANE_ACT_REVOKE:
        made.request.body_case = WIRE__REQUEST__BODY_USER_REVOKE;
        made.request.user_revoke = &made.body.revoke;
        wire__user_revoke__init(&made.body.revoke);
        made.body.revoke.user = plane_requests[request->machine].name;
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
    const char *tenant = plane_tenant_name(request->tenant);
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
    if (request->act == PLANE_ACT_ODD) {
        plane_odd_wire(plane, request, &made.request);
    } else if (request->act <= PLANE_ACT_JOIN) {
        wire_story(plane, request);
    } else {
        wire_tenant(request);
    }
    return &made.request;
}
