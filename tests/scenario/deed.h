/* A deed as the request that it is. Decides nothing about who asks, or when. */
#ifndef TESTS_SCENARIO_DEED_H
#define TESTS_SCENARIO_DEED_H

#include "tests/scenario/stage.h"

#include <api.pb-c.h>

/* Room for one request; it points into the deed. */
struct deed_room {
    Wire__Request request;
    Wire__Quantities cap;
    Wire__Quantities floor;
    const char *networks[1];
    union {
        Wire__InstanceCreate instance_create;
        Wire__InstanceStart instance_start;
        Wire__InstanceStop instance_stop;
        Wire__InstanceReboot instance_reboot;
        Wire__InstanceDelete instance_delete;
        Wire__NetworkCreate network_create;
        Wire__NetworkDelete network_delete;
        Wire__TenantCreate tenant_create;
        Wire__TenantDelete tenant_delete;
        Wire__ProjectCreate project_create;
        Wire__ProjectDelete project_delete;
        Wire__QuotaSet quota_set;
        Wire__UserCreate user_create;
        Wire__UserRevoke user_revoke;
        Wire__Get get;
        Wire__ClusterStatusRead status;
    } of;
};

/* False: no such thing can be asked. */
bool deed_request(const struct deed *deed, const char *image, struct deed_room *room);
bool deed_writes(const struct deed *deed);
/* What an answer says, but for whether it is there at all. */
void deed_told(const struct deed *deed, const Wire__Answer *answer, struct told *told_out);

#endif
