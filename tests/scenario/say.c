/* Requests as people would make them. Never decides what they are answered. */
#include "tests/scenario/say.h"

#include "audit/sha256.h"
#include "base/check.h"

#include <stdio.h>
#include <string.h>

ProtobufCBinaryData say_kernel(void)
{
    static uint8_t digest[32] = { 1 };
    return (ProtobufCBinaryData){ sizeof(digest), digest };
}

ProtobufCBinaryData say_initramfs(void)
{
    static uint8_t digest[32] = { 2 };
    return (ProtobufCBinaryData){ sizeof(digest), digest };
}

struct quota_amounts say_amounts(
    uint64_t vcpus, uint64_t memory_bytes, uint64_t instances, uint64_t networks)
{
    return (struct quota_amounts){ { vcpus, memory_bytes, instances, networks } };
}

static Wire__Quantities *quantities(const struct quota_amounts *from, Wire__Quantities *room)
{
    wire__quantities__init(room);
    if (from == NULL) {
        return NULL;
    }
    room->vcpus = from->of[QUOTA_VCPUS];
    room->memory_bytes = from->of[QUOTA_MEMORY_BYTES];
    room->instances = from->of[QUOTA_INSTANCES];
    room->networks = from->of[QUOTA_NETWORKS];
    return room;
}

static const char *project_of(const struct desk *desk)
{
    return desk->project == NULL ? "" : desk->project;
}

const Wire__Answer *say_tenant(
    struct desk *desk,
    Wire__Identity who,
    const char *name,
    const struct quota_amounts *floor,
    const struct quota_amounts *cap)
{
    Wire__Quantities rooms[2];
    Wire__TenantCreate create = WIRE__TENANT_CREATE__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    create.name = name;
    create.floor = quantities(floor, &rooms[0]);
    create.cap = quantities(cap, &rooms[1]);
    request.body_case = WIRE__REQUEST__BODY_TENANT_CREATE;
    request.tenant_create = &create;
    return desk_do(desk, who, &request);
}

const Wire__Answer *say_tenant_delete(struct desk *desk, Wire__Identity who, const char *name)
{
    Wire__TenantDelete delete = WIRE__TENANT_DELETE__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    delete.tenant = name;
    request.body_case = WIRE__REQUEST__BODY_TENANT_DELETE;
    request.tenant_delete = &delete;
    return desk_do(desk, who, &request);
}

const Wire__Answer *say_quota(
    struct desk *desk,
    Wire__Identity who,
    const char *tenant,
    const struct quota_amounts *floor,
    const struct quota_amounts *cap)
{
    Wire__Quantities rooms[2];
    Wire__QuotaSet set = WIRE__QUOTA_SET__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    set.tenant = tenant;
    set.project = project_of(desk);
    set.floor = quantities(floor, &rooms[0]);
    set.cap = quantities(cap, &rooms[1]);
    request.body_case = WIRE__REQUEST__BODY_QUOTA_SET;
    request.quota_set = &set;
    return desk_do(desk, who, &request);
}

const Wire__Answer *say_project(
    struct desk *desk, Wire__Identity who, const char *tenant, const char *name, bool gone)
{
    Wire__ProjectCreate create = WIRE__PROJECT_CREATE__INIT;
    Wire__ProjectDelete delete = WIRE__PROJECT_DELETE__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    create.tenant = tenant;
    create.name = name;
    delete.tenant = tenant;
    delete.project = name;
    request.body_case =
        gone ? WIRE__REQUEST__BODY_PROJECT_DELETE : WIRE__REQUEST__BODY_PROJECT_CREATE;
    if (gone) {
        request.project_delete = &delete;
    } else {
        request.project_create = &create;
    }
    return desk_do(desk, who, &request);
}

const Wire__Answer *say_user(
    struct desk *desk, Wire__Identity who, const char *name, Wire__Role role, const char *tenant)
{
    Wire__UserCreate create = WIRE__USER_CREATE__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    create.name = name;
    create.role = role;
    create.tenant = tenant == NULL ? "" : tenant;
    request.body_case = WIRE__REQUEST__BODY_USER_CREATE;
    request.user_create = &create;
    return desk_do(desk, who, &request);
}

const Wire__Answer *say_revoke(struct desk *desk, Wire__Identity who, const char *name)
{
    Wire__UserRevoke revoke = WIRE__USER_REVOKE__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    revoke.user = name;
    request.body_case = WIRE__REQUEST__BODY_USER_REVOKE;
    request.user_revoke = &revoke;
    return desk_do(desk, who, &request);
}

const Wire__Answer *say_image(struct desk *desk, Wire__Identity who, const char *name)
{
    Wire__ImageCreate create = WIRE__IMAGE_CREATE__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    create.name = name;
    create.kernel_sha256 = say_kernel();
    create.initramfs_sha256 = say_initramfs();
    request.body_case = WIRE__REQUEST__BODY_IMAGE_CREATE;
    request.image_create = &create;
    return desk_do(desk, who, &request);
}

const Wire__Answer *say_image_delete(struct desk *desk, Wire__Identity who, const char *name)
{
    Wire__ImageDelete delete = WIRE__IMAGE_DELETE__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    delete.image = name;
    request.body_case = WIRE__REQUEST__BODY_IMAGE_DELETE;
    request.image_delete = &delete;
    return desk_do(desk, who, &request);
}

const Wire__Answer *say_network(
    struct desk *desk, Wire__Identity who, const char *tenant, const char *name, const char *cidr)
{
    Wire__NetworkCreate create = WIRE__NETWORK_CREATE__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    create.tenant = tenant;
    create.project = project_of(desk);
    create.name = name;
    create.cidr = cidr;
    request.body_case = WIRE__REQUEST__BODY_NETWORK_CREATE;
    request.network_create = &create;
    return desk_do(desk, who, &request);
}

const Wire__Answer *say_network_delete(
    struct desk *desk, Wire__Identity who, const char *tenant, const char *name)
{
    Wire__NetworkDelete delete = WIRE__NETWORK_DELETE__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    delete.tenant = tenant;
    delete.project = project_of(desk);
    delete.network = name;
    request.body_case = WIRE__REQUEST__BODY_NETWORK_DELETE;
    request.network_delete = &delete;
    return desk_do(desk, who, &request);
}

/* ---- Instances ---- */

const Wire__Answer *say_create(
    struct desk *desk, Wire__Identity who, const struct say_instance *wish)
{
    const char *networks[] = { wish->network };
    Wire__InstanceCreate create = WIRE__INSTANCE_CREATE__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    create.tenant = wish->tenant;
    create.project = project_of(desk);
    create.name = wish->name;
    create.image = wish->image == NULL ? "linux" : wish->image;
    create.vcpus = wish->vcpus == 0 ? 1 : wish->vcpus;
    create.memory_bytes = wish->memory_bytes == 0 ? 64 * SAY_MIB : wish->memory_bytes;
    create.n_networks = wish->network == NULL ? 0 : 1;
    create.networks = networks;
    create.stopped = wish->stopped;
    create.on_failure = wish->on_failure;
    create.max_attempts = wish->max_attempts;
    create.where = wish->where;
    create.spread = wish->spread == NULL ? "" : wish->spread;
    request.body_case = WIRE__REQUEST__BODY_INSTANCE_CREATE;
    request.instance_create = &create;
    return desk_do(desk, who, &request);
}

const Wire__Answer *say_start(
    struct desk *desk, Wire__Identity who, const char *tenant, const char *name)
{
    Wire__InstanceStart start = WIRE__INSTANCE_START__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    start.tenant = tenant;
    start.project = project_of(desk);
    start.instance = name;
    request.body_case = WIRE__REQUEST__BODY_INSTANCE_START;
    request.instance_start = &start;
    return desk_do(desk, who, &request);
}

const Wire__Answer *say_stop(
    struct desk *desk, Wire__Identity who, const char *tenant, const char *name)
{
    Wire__InstanceStop stop = WIRE__INSTANCE_STOP__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    stop.tenant = tenant;
    stop.project = project_of(desk);
    stop.instance = name;
    request.body_case = WIRE__REQUEST__BODY_INSTANCE_STOP;
    request.instance_stop = &stop;
    return desk_do(desk, who, &request);
}

const Wire__Answer *say_reboot(
    struct desk *desk, Wire__Identity who, const char *tenant, const char *name)
{
    Wire__InstanceReboot reboot = WIRE__INSTANCE_REBOOT__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    reboot.tenant = tenant;
    reboot.project = project_of(desk);
    reboot.instance = name;
    request.body_case = WIRE__REQUEST__BODY_INSTANCE_REBOOT;
    request.instance_reboot = &reboot;
    return desk_do(desk, who, &request);
}

const Wire__Answer *say_delete(
    struct desk *desk, Wire__Identity who, const char *tenant, const char *name)
{
    Wire__InstanceDelete delete = WIRE__INSTANCE_DELETE__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    delete.tenant = tenant;
    delete.project = project_of(desk);
    delete.instance = name;
    request.body_case = WIRE__REQUEST__BODY_INSTANCE_DELETE;
    request.instance_delete = &delete;
    return desk_do(desk, who, &request);
}

/* ---- Machines ---- */

static void secret_digest(uint8_t secret, uint8_t out[static SHA256_SIZE])
{
    sha256_of(slice_of(&secret, 1), out);
}

const Wire__Answer *say_token(
    struct desk *desk, Wire__Kind kind, const char *name, const char *rack, uint8_t secret)
{
    uint8_t digest[SHA256_SIZE];
    secret_digest(secret, digest);
    Wire__Place place = WIRE__PLACE__INIT;
    Wire__TokenCreate create = WIRE__TOKEN_CREATE__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    place.rack = rack;
    create.kind = kind;
    create.secret_sha256 = (ProtobufCBinaryData){ sizeof(digest), digest };
    if (kind == WIRE__KIND__KIND_USER) {
        create.user = name;
    } else {
        create.name = name;
        create.place = &place;
    }
    request.body_case = WIRE__REQUEST__BODY_TOKEN_CREATE;
    request.token_create = &create;
    return desk_do(desk, desk->operator_person, &request);
}

const Wire__Answer *say_join_with(
    struct desk *desk, Wire__Kind kind, uint8_t secret, const char *csr)
{
    uint8_t digest[SHA256_SIZE];
    uint8_t sealing[32] = { desk->sealing == 0 ? 5 : desk->sealing };
    uint8_t room[64] = { 0 };
    Wire__Identity stranger = WIRE__IDENTITY__INIT;
    Wire__Join join = WIRE__JOIN__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    secret_digest(secret, digest);
    CHECK(strlen(csr) < sizeof(room));
    memcpy(room, csr, strlen(csr));
    join.kind = kind;
    join.secret_sha256 = (ProtobufCBinaryData){ sizeof(digest), digest };
    join.csr = (ProtobufCBinaryData){ strlen(csr), room };
    join.link_address = "10.0.1.1:7444";
    join.underlay_address = kind == WIRE__KIND__KIND_NODE ? "10.9.1.1" : "";
    if (kind == WIRE__KIND__KIND_CONTROLLER) {
        join.api_address = "10.0.1.1:7443";
        join.sealing_key = (ProtobufCBinaryData){ sizeof(sealing), sealing };
    }
    request.body_case = WIRE__REQUEST__BODY_JOIN;
    request.join = &join;
    return desk_do(desk, stranger, &request);
}

const Wire__Answer *say_join(struct desk *desk, Wire__Kind kind, const char *name, const char *rack)
{
    uint8_t secret = (uint8_t)(state_count(desk_state(desk), TABLE_TOKEN) + 1);
    const Wire__Answer *made = say_token(desk, kind, name, rack, secret);
    CHECK(made != NULL && made->reject == 0);
    return say_join_with(desk, kind, secret, name);
}

/* ---- Reads ---- */

const Wire__Answer *say_get(
    struct desk *desk, Wire__Identity who, Wire__Kind kind, const char *tenant, const char *name)
{
    Wire__Get get = WIRE__GET__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    get.kind = kind;
    get.tenant = tenant;
    get.project = project_of(desk);
    get.name = name;
    request.body_case = WIRE__REQUEST__BODY_GET;
    request.get = &get;
    return desk_do(desk, who, &request);
}

const Wire__Answer *say_list(
    struct desk *desk, Wire__Identity who, Wire__Kind kind, const char *tenant)
{
    Wire__List list = WIRE__LIST__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    list.kind = kind;
    list.tenant = tenant;
    request.body_case = WIRE__REQUEST__BODY_LIST;
    request.list = &list;
    return desk_do(desk, who, &request);
}

const Wire__Answer *say_status(struct desk *desk, Wire__Identity who, bool stale)
{
    Wire__ClusterStatusRead read = WIRE__CLUSTER_STATUS_READ__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    request.stale = stale;
    request.body_case = WIRE__REQUEST__BODY_CLUSTER_STATUS;
    request.cluster_status = &read;
    return desk_do(desk, who, &request);
}

const Wire__Answer *say_events(struct desk *desk, Wire__Identity who, uint64_t after, bool stale)
{
    Wire__EventRead read = WIRE__EVENT_READ__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    read.after = after;
    request.stale = stale;
    request.body_case = WIRE__REQUEST__BODY_EVENT_READ;
    request.event_read = &read;
    return desk_do(desk, who, &request);
}
