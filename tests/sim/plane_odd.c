/* Requests that must be refused, each with the word that it must be refused with: wrong, forbidden,
 * impossible, repeated with other words. Decides what is asked so; taking one is a violation. */
#include "base/check.h"
#include "base/id.h"
#include "base/reject.h"
#include "tests/sim/plane_host.h"
#include "tests/sim/plane_people.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    enum reject expected;
    enum reject also; /* The world may have moved on; 0: nothing else. */
} odds[PLANE_ODDS] = {
    [PLANE_ODD_NAME_TAKEN] = { "a user's name once more", REJECT_NAME_TAKEN, REJECT_NONE },
    [PLANE_ODD_BAD_NAME] = { "a bad name", REJECT_BAD_NAME, REJECT_NONE },
    [PLANE_ODD_BAD_FIELD] = { "no vcpus", REJECT_BAD_FIELD, REJECT_NONE },
    [PLANE_ODD_DENIED] = { "a tenant's tenant", REJECT_DENIED, REJECT_NOT_FOUND },
    [PLANE_ODD_NOT_FOUND] = { "nobody's instance", REJECT_NOT_FOUND, REJECT_NONE },
    [PLANE_ODD_OTHER_BODY] = { "an old key", REJECT_IDEMPOTENCY_BODY, REJECT_NONE },
    [PLANE_ODD_TOKEN] = { "a token of nobody", REJECT_TOKEN, REJECT_NONE },
    [PLANE_ODD_ELSEWHERE] = { "where: elsewhere", REJECT_UNSUPPORTED, REJECT_NONE },
    [PLANE_ODD_OLD_TAG] = { "another revision", REJECT_PRECONDITION, REJECT_NOT_FOUND },
    [PLANE_ODD_NOTHING] = { "nothing", REJECT_MALFORMED, REJECT_NONE },
    [PLANE_ODD_REVOKED] = { "as who was revoked", REJECT_REVOKED, REJECT_NONE },
    [PLANE_ODD_FLOOR] = { "a floor above all", REJECT_FLOOR, REJECT_NONE },
    [PLANE_ODD_IMAGES] = { "one image too many", REJECT_TABLE_FULL, REJECT_NONE },
    [PLANE_ODD_FOREIGN] = { "another tenant's instance", REJECT_NOT_FOUND, REJECT_NONE },
    [PLANE_ODD_NO_ROOM] = { "more than a node has", REJECT_NO_CAPACITY, REJECT_FLOOR },
};

static uint64_t revoked_user;
static uint64_t large_user;
static uint32_t taken_name; /* Request that made the user. */

const char *plane_odd_name(enum plane_odd odd)
{
    CHECK(odd > 0 && odd < PLANE_ODDS);
    return odds[odd].name;
}

bool plane_odd_fair(const struct plane_request *request, uint32_t reject)
{
    return reject == (uint32_t)odds[request->odd].expected ||
           (odds[request->odd].also != REJECT_NONE && reject == (uint32_t)odds[request->odd].also);
}

/* A tenant of its own whose quota is no bound, somebody who was revoked, and all images there can
 * be. */
void plane_odd_begin(struct plane *plane)
{
    uint32_t tenant = plane->conf.tenants;
    (void)plane_ask(plane, PLANE_ACT_TENANT, tenant, 0);
    const struct plane_request *user = plane_ask(plane, PLANE_ACT_USER, tenant, 0);
    large_user = user->resource;
    taken_name = (uint32_t)(user - plane_requests);
    user = plane_ask(plane, PLANE_ACT_USER, 0, 0);
    revoked_user = user->resource;
    (void)plane_ask(plane, PLANE_ACT_REVOKE, 0, (uint32_t)(user - plane_requests));
    for (uint32_t i = 1; i < PLANE_IMAGES; i++) {
        (void)plane_ask(plane, PLANE_ACT_IMAGE, i, 0);
    }
}

static uint64_t principal_of(enum plane_odd odd, uint64_t own)
{
    switch ((int)odd) {
    case PLANE_ODD_NAME_TAKEN:
    case PLANE_ODD_FLOOR:
    case PLANE_ODD_IMAGES: return plane_users[0];
    case PLANE_ODD_REVOKED: return revoked_user;
    case PLANE_ODD_NO_ROOM: return large_user;
    default: return own;
    }
}

uint32_t plane_odd_choose(struct plane *plane, uint32_t client)
{
    enum plane_odd odd = (enum plane_odd)(1 + plane_below(plane, PLANE_ODDS - 1));
    bool foreign = odd == PLANE_ODD_FOREIGN;
    uint32_t whose = client + (foreign ? 1 : 0); /* Neighbours are of different tenants. */
    uint32_t object = plane_request_done(plane, whose, foreign || odd == PLANE_ODD_OLD_TAG);
    bool needs = foreign || odd == PLANE_ODD_OTHER_BODY || odd == PLANE_ODD_OLD_TAG;
    if (foreign && plane->conf.tenants == 1) {
        return 0;
    }
    uint32_t number = needs && object == 0 ? 0 : plane_request_new(plane, PLANE_ACT_ODD, client);
    if (number == 0) {
        return 0;
    }
    struct plane_request *request = &plane_requests[number];
    request->odd = odd;
    request->tenant = plane_tenant_of(plane, whose);
    request->principal = principal_of(odd, request->principal);
    if (needs) {
        request->object = object;
    }
    if (odd == PLANE_ODD_OTHER_BODY) {
        memcpy(request->key, plane_requests[object].key, sizeof(request->key));
    }
    return number;
}

static union {
    Wire__InstanceCreate create;
    Wire__InstanceStart start;
    Wire__InstanceDelete delete;
    Wire__TenantCreate tenant;
    Wire__UserCreate user;
    Wire__ImageCreate image;
    Wire__Join join;
} body;
static Wire__Quantities floor_wanted;
static uint8_t digest[32];

/* The cell may have as much and no node has, or the cell has not that much left. */
static uint64_t largest_node(const struct plane *plane)
{
    uint64_t largest = 0;
    for (uint32_t i = 0; i < plane->conf.nodes; i++) {
        uint64_t memory = plane_host_memory(plane, PLANE_CONTROLLERS + i);
        largest = memory > largest ? memory : largest;
    }
    return largest;
}

static void wire_create(
    const struct plane *plane, const struct plane_request *request, Wire__Request *out)
{
    wire__instance_create__init(&body.create);
    out->body_case = WIRE__REQUEST__BODY_INSTANCE_CREATE;
    out->instance_create = &body.create;
    body.create.tenant = plane_tenant_name(
        request->odd == PLANE_ODD_NO_ROOM ? plane->conf.tenants : request->tenant);
    body.create.name = request->odd == PLANE_ODD_BAD_NAME ? "Not a Name" : request->name;
    body.create.image = "vm";
    body.create.vcpus = request->odd == PLANE_ODD_BAD_FIELD ? 0 : 1;
    body.create.memory_bytes = UINT64_C(64) << 20;
    if (request->odd == PLANE_ODD_NO_ROOM) {
        body.create.memory_bytes = largest_node(plane) + (UINT64_C(1) << 20);
    }
    if (request->odd == PLANE_ODD_ELSEWHERE) {
        body.create.where = WIRE__WHERE__WHERE_ELSEWHERE;
    }
}

static void wire_operator(const struct plane_request *request, Wire__Request *out)
{
    if (request->odd == PLANE_ODD_NAME_TAKEN) {
        wire__user_create__init(&body.user);
        out->body_case = WIRE__REQUEST__BODY_USER_CREATE;
        out->user_create = &body.user;
        body.user.name = plane_requests[taken_name].name;
        body.user.role = WIRE__ROLE__ROLE_TENANT;
        body.user.tenant = plane_tenant_name(0);
    } else if (request->odd == PLANE_ODD_IMAGES) {
        wire__image_create__init(&body.image);
        out->body_case = WIRE__REQUEST__BODY_IMAGE_CREATE;
        out->image_create = &body.image;
        body.image.name = request->name;
        memset(digest, 3, sizeof(digest));
        body.image.kernel_sha256 = (ProtobufCBinaryData){ sizeof(digest), digest };
        body.image.initramfs_sha256 = body.image.kernel_sha256;
    } else {
        wire__tenant_create__init(&body.tenant);
        wire__quantities__init(&floor_wanted);
        out->body_case = WIRE__REQUEST__BODY_TENANT_CREATE;
        out->tenant_create = &body.tenant;
        body.tenant.name = request->name;
        if (request->odd == PLANE_ODD_FLOOR) {
            floor_wanted.vcpus = 1U << 30;
            floor_wanted.memory_bytes = UINT64_C(1) << 40;
            floor_wanted.instances = 1;
            floor_wanted.networks = 1;
            body.tenant.floor = &floor_wanted;
            body.tenant.cap = &floor_wanted;
        }
    }
}

static void wire_join(Wire__Request *out)
{
    wire__join__init(&body.join);
    out->principal->kind = WIRE__KIND__KIND_UNSET;
    out->principal->id = 0;
    out->body_case = WIRE__REQUEST__BODY_JOIN;
    out->join = &body.join;
    memset(digest, 0xee, sizeof(digest));
    body.join.kind = WIRE__KIND__KIND_NODE;
    body.join.secret_sha256 = (ProtobufCBinaryData){ sizeof(digest), digest };
    body.join.csr = (ProtobufCBinaryData){ 8, digest };
    body.join.link_address = "nobody";
    body.join.underlay_address = "10.250.0.1";
}

void plane_odd_wire(
    const struct plane *plane, const struct plane_request *request, Wire__Request *out)
{
    switch ((enum plane_odd)request->odd) {
    case PLANE_ODD_BAD_NAME:
    case PLANE_ODD_BAD_FIELD:
    case PLANE_ODD_ELSEWHERE:
    case PLANE_ODD_NO_ROOM: wire_create(plane, request, out); return;
    case PLANE_ODD_NAME_TAKEN:
    case PLANE_ODD_DENIED:
    case PLANE_ODD_FLOOR:
    case PLANE_ODD_IMAGES: wire_operator(request, out); return;
    case PLANE_ODD_TOKEN: wire_join(out); return;
    case PLANE_ODD_OLD_TAG:
    case PLANE_ODD_FOREIGN:
        wire__instance_delete__init(&body.delete);
        out->body_case = WIRE__REQUEST__BODY_INSTANCE_DELETE;
        out->instance_delete = &body.delete;
        body.delete.tenant = plane_tenant_name(request->tenant);
        body.delete.instance = plane_requests[request->object].name;
        out->if_match = request->odd == PLANE_ODD_OLD_TAG ? "\"999999999\"" : "";
        return;
    case PLANE_ODD_NOT_FOUND:
    case PLANE_ODD_OTHER_BODY:
    case PLANE_ODD_REVOKED:
        wire__instance_start__init(&body.start);
        out->body_case = WIRE__REQUEST__BODY_INSTANCE_START;
        out->instance_start = &body.start;
        body.start.tenant = plane_tenant_name(request->tenant);
        body.start.instance = "nobody";
        return;
    case PLANE_ODD_NOTHING:
    case PLANE_ODDS: return;
    }
    UNREACHABLE();
}
