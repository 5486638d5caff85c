/* Requests as people would make them, from a story's deeds. Never decides what they are answered.
 */
#include "tests/scenario/deed.h"

#include "base/check.h"
#include "base/reject.h"
#include "base/slice.h"
#include "controller/core/views.h"

#include <string.h>

static Wire__Quantities *quantities(const struct quota_amounts *from, Wire__Quantities *room)
{
    wire__quantities__init(room);
    room->vcpus = from->of[QUOTA_VCPUS];
    room->memory_bytes = from->of[QUOTA_MEMORY_BYTES];
    room->instances = from->of[QUOTA_INSTANCES];
    room->networks = from->of[QUOTA_NETWORKS];
    return room;
}

static const char *text_or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

static void create_instance(const struct deed *deed, const char *image, struct deed_room *room)
{
    Wire__InstanceCreate *create = &room->of.instance_create;
    wire__instance_create__init(create);
    room->networks[0] = deed->network;
    create->tenant = deed->tenant;
    create->project = text_or_empty(deed->project);
    create->name = deed->name;
    create->image = image;
    create->vcpus = (uint32_t)deed->size.of[QUOTA_VCPUS];
    create->memory_bytes = deed->size.of[QUOTA_MEMORY_BYTES];
    create->n_networks = deed->network == NULL ? 0 : 1;
    create->networks = room->networks;
    create->stopped = deed->stopped;
    create->on_failure = deed->stop_on_failure ? WIRE__ON_FAILURE__ON_FAILURE_STOP
                                               : WIRE__ON_FAILURE__ON_FAILURE_UNSET;
    create->max_attempts = deed->attempts;
    create->where = deed->elsewhere ? WIRE__WHERE__WHERE_ELSEWHERE : WIRE__WHERE__WHERE_UNSET;
    create->spread = text_or_empty(deed->spread);
    room->request.body_case = WIRE__REQUEST__BODY_INSTANCE_CREATE;
    room->request.instance_create = create;
}

#define ORDER(verb, VERB)                                              \
    do {                                                               \
        wire__instance_##verb##__init(&room->of.instance_##verb);      \
        room->of.instance_##verb.tenant = deed->tenant;                \
        room->of.instance_##verb.project = project;                    \
        room->of.instance_##verb.instance = deed->name;                \
        room->request.body_case = WIRE__REQUEST__BODY_INSTANCE_##VERB; \
        room->request.instance_##verb = &room->of.instance_##verb;     \
        return true;                                                   \
    } while (0)

static bool read_it(const struct deed *deed, Wire__Kind kind, struct deed_room *room)
{
    Wire__Get *get = &room->of.get;
    wire__get__init(get);
    get->kind = kind;
    get->tenant = deed->tenant;
    get->project = text_or_empty(deed->project);
    get->name = deed->name;
    room->request.body_case = WIRE__REQUEST__BODY_GET;
    room->request.get = get;
    return true;
}

static bool instance_request(const struct deed *deed, const char *image, struct deed_room *room)
{
    const char *project = text_or_empty(deed->project);
    switch (deed->verb) {
    case DEED_CREATE: create_instance(deed, image, room); return true;
    case DEED_START: ORDER(start, START);
    case DEED_STOP: ORDER(stop, STOP);
    case DEED_REBOOT: ORDER(reboot, REBOOT);
    case DEED_DELETE: ORDER(delete, DELETE);
    case DEED_READ: return read_it(deed, WIRE__KIND__KIND_INSTANCE, room);
    case DEED_LIMIT:
    case DEED_REVOKE: return false;
    }
    return false;
}

static bool network_request(const struct deed *deed, struct deed_room *room)
{
    if (deed->verb == DEED_CREATE) {
        Wire__NetworkCreate *create = &room->of.network_create;
        wire__network_create__init(create);
        create->tenant = deed->tenant;
        create->project = text_or_empty(deed->project);
        create->name = deed->name;
        create->cidr = text_or_empty(deed->cidr);
        room->request.body_case = WIRE__REQUEST__BODY_NETWORK_CREATE;
        room->request.network_create = create;
        return true;
    }
    if (deed->verb == DEED_DELETE) {
        Wire__NetworkDelete *gone = &room->of.network_delete;
        wire__network_delete__init(gone);
        gone->tenant = deed->tenant;
        gone->project = text_or_empty(deed->project);
        gone->network = deed->name;
        room->request.body_case = WIRE__REQUEST__BODY_NETWORK_DELETE;
        room->request.network_delete = gone;
        return true;
    }
    return deed->verb == DEED_READ && read_it(deed, WIRE__KIND__KIND_NETWORK, room);
}

static bool limit_request(const struct deed *deed, const char *project, struct deed_room *room)
{
    Wire__QuotaSet *set = &room->of.quota_set;
    wire__quota_set__init(set);
    set->tenant = deed->tenant;
    set->project = text_or_empty(project);
    set->floor = deed->has_floor ? quantities(&deed->floor, &room->floor) : NULL;
    set->cap = deed->has_cap ? quantities(&deed->cap, &room->cap) : NULL;
    room->request.body_case = WIRE__REQUEST__BODY_QUOTA_SET;
    room->request.quota_set = set;
    return true;
}

static bool tenant_request(const struct deed *deed, struct deed_room *room)
{
    if (deed->verb == DEED_CREATE) {
        Wire__TenantCreate *create = &room->of.tenant_create;
        wire__tenant_create__init(create);
        create->name = deed->tenant;
        create->floor = quantities(&deed->floor, &room->floor);
        create->cap = quantities(&deed->cap, &room->cap);
        room->request.body_case = WIRE__REQUEST__BODY_TENANT_CREATE;
        room->request.tenant_create = create;
        return true;
    }
    if (deed->verb == DEED_DELETE) {
        Wire__TenantDelete *gone = &room->of.tenant_delete;
        wire__tenant_delete__init(gone);
        gone->tenant = deed->tenant;
        room->request.body_case = WIRE__REQUEST__BODY_TENANT_DELETE;
        room->request.tenant_delete = gone;
        return true;
    }
    return deed->verb == DEED_LIMIT && limit_request(deed, NULL, room);
}

static bool project_request(const struct deed *deed, struct deed_room *room)
{
    if (deed->verb == DEED_CREATE) {
        Wire__ProjectCreate *create = &room->of.project_create;
        wire__project_create__init(create);
        create->tenant = deed->tenant;
        create->name = deed->name;
        create->cap = deed->has_cap ? quantities(&deed->cap, &room->cap) : NULL;
        room->request.body_case = WIRE__REQUEST__BODY_PROJECT_CREATE;
        room->request.project_create = create;
        return true;
    }
    if (deed->verb == DEED_DELETE) {
        Wire__ProjectDelete *gone = &room->of.project_delete;
        wire__project_delete__init(gone);
        gone->tenant = deed->tenant;
        gone->project = deed->name;
        room->request.body_case = WIRE__REQUEST__BODY_PROJECT_DELETE;
        room->request.project_delete = gone;
        return true;
    }
    return deed->verb == DEED_LIMIT && limit_request(deed, deed->name, room);
}

bool deed_request(const struct deed *deed, const char *image, struct deed_room *room)
{
    CHECK(deed->verb != 0);
    wire__request__init(&room->request);
    switch (deed->noun) {
    case DEED_INSTANCE: return instance_request(deed, image, room);
    case DEED_NETWORK: return network_request(deed, room);
    case DEED_TENANT: return tenant_request(deed, room);
    case DEED_PROJECT: return project_request(deed, room);
    case DEED_USER:
        if (deed->verb == DEED_CREATE) {
            wire__user_create__init(&room->of.user_create);
            room->of.user_create.name = deed->name;
            room->of.user_create.tenant = text_or_empty(deed->tenant);
            room->of.user_create.role =
                deed->tenant == NULL ? WIRE__ROLE__ROLE_AUDITOR : WIRE__ROLE__ROLE_TENANT;
            room->request.body_case = WIRE__REQUEST__BODY_USER_CREATE;
            room->request.user_create = &room->of.user_create;
            return true;
        }
        wire__user_revoke__init(&room->of.user_revoke);
        room->of.user_revoke.user = deed->name;
        room->request.body_case = WIRE__REQUEST__BODY_USER_REVOKE;
        room->request.user_revoke = &room->of.user_revoke;
        return deed->verb == DEED_REVOKE;
    case DEED_STATUS:
        wire__cluster_status_read__init(&room->of.status);
        room->request.body_case = WIRE__REQUEST__BODY_CLUSTER_STATUS;
        room->request.cluster_status = &room->of.status;
        return deed->verb == DEED_READ;
    }
    return false;
}

bool deed_writes(const struct deed *deed)
{
    return deed->verb != DEED_READ;
}

void deed_told(const struct deed *deed, const Wire__Answer *answer, struct told *told_out)
{
    *told_out = (struct told){ .what = TOLD_ACCEPTED, .write = deed_writes(deed) };
    if (answer->reject != 0) {
        CHECK(answer->problem != NULL);
        told_out->what = TOLD_REFUSED;
        told_out->limit = answer->problem->limit;
        told_out->usage = answer->problem->usage;
        (void)text_copy(
            told_out->code,
            sizeof(told_out->code),
            slice_text(reject_name((enum reject)answer->reject)));
        (void)text_copy(
            told_out->detail, sizeof(told_out->detail), slice_text(answer->problem->detail));
        (void)text_copy(
            told_out->dimension,
            sizeof(told_out->dimension),
            slice_text(answer->problem->dimension));
        return;
    }
    if (answer->operation != NULL) {
        (void)text_copy(
            told_out->operation, sizeof(told_out->operation), slice_text(answer->operation->id));
    }
}
