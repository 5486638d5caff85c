/* Decides which words of HTTP mean which request. Never decides who may ask. */
#include "controller/api_routes.h"

#include "base/check.h"
#include "base/slice.h"

#include <string.h>

/* clang-format off */
#define ASKED(who, body_case, type_name) \
    .server = API_SERVER_##who, .body = WIRE__REQUEST__BODY_##body_case, \
    .type = &wire__##type_name##__descriptor
#define ENGINE(body_case, type_name) ASKED(ENGINE, body_case, type_name)
#define KIND(kind)       .preset = "kind", .preset_value = WIRE__KIND__KIND_##kind
#define WRITE            .write = true, .shape = API_SHAPE_OPERATION, .status = 202
#define LIST(kind, view) ENGINE(LIST, list), KIND(kind), .item = view, .shape = API_SHAPE_LIST, \
                         .status = 200
#define ONE(kind, view)  ENGINE(GET, get), KIND(kind), .item = view, .shape = API_SHAPE_ONE, \
                         .status = 200
#define READ(what)       .shape = API_SHAPE_##what, .status = 200

#define T "/v1/tenants/{tenant}"

#define OPERATOR  "operator"
#define PROVIDER  "operator, auditor"
#define OWN       "operator, tenant"
#define ITS_OWN   "tenant"
#define OWN_READ  "operator, auditor, tenant"
#define EVERYBODY "anyone with a certificate"
#define STRANGER  "anyone"

static const char *const query_page[] = { "limit", "page_token", NULL };
static const char *const query_project[] = { "project", NULL };
static const char *const query_list_project[] = {
    "project", "limit", "page_token", "label", NULL,
};
static const char *const query_list_tenant[] = {
    "tenant", "project", "node", "limit", "page_token", "label", NULL,
};
static const char *const query_stop[] = { "project", "force", NULL };
static const char *const query_console[] = { "project", "offset", NULL };
static const char *const query_wait[] = { "seconds", NULL };
static const char *const query_events[] = { "after", "limit", NULL };
static const char *const query_leaves[] = {
    "first", "limit", "tenant", "actor", "from_at", "to_at", NULL,
};
static const char *const query_tenant[] = { "tenant", NULL };
static const char *const query_capacity[] = { "lose_rack", NULL };

/* One row, one capability. */
static const struct api_route routes[] = {
    { API_METHOD_GET, "/", "root", "Versions and extensions of this interface, and the cell's CA",
      STRANGER, .server = API_SERVER_ROOT, .stranger = true, READ(OWN) },
    { API_METHOD_GET, "/v1/openapi.json", "openapi", "This description", STRANGER,
      .server = API_SERVER_OPENAPI, .stranger = true, READ(OWN) },
    { API_METHOD_GET, "/metrics", "metrics", "Prometheus text", PROVIDER,
      ASKED(METRICS, CLUSTER_STATUS, cluster_status_read), READ(OWN) },
    { API_METHOD_POST, "/v1/batch", "batch", "Up to 128 requests, each with its own key and answer",
      EVERYBODY, .server = API_SERVER_BATCH, .takes_body = true, READ(OWN) },
    { API_METHOD_POST, "/v1/join", "join", "Enrol with a one-time token", STRANGER,
      ENGINE(JOIN, join), .write = true, .takes_body = true, .stranger = true, READ(JOIN) },
    { API_METHOD_POST, "/v1/renew", "renew", "A new certificate in place of one's own", EVERYBODY,
      ENGINE(RENEW, renew), .write = true, .takes_body = true, READ(JOIN) },
    { API_METHOD_POST, "/v1/tokens", "token-create", "Register a one-time token's digest", OPERATOR,
      ENGINE(TOKEN_CREATE, token_create), .takes_body = true, WRITE },
    { API_METHOD_GET, "/v1/tokens", "token-list", "Tokens, used and unused", PROVIDER,
      LIST(TOKEN, "TokenView"), .query = query_page },

    { API_METHOD_GET, "/v1/cluster", "cluster-status", "The whole cell in one answer", PROVIDER,
      ENGINE(CLUSTER_STATUS, cluster_status_read), READ(CLUSTER) },
    { API_METHOD_GET, "/v1/controllers", "controller-list", "Controllers", PROVIDER,
      LIST(CONTROLLER, "ControllerView"), .query = query_page },
    { API_METHOD_GET, "/v1/controllers/{controller}", "controller-show", "One controller", PROVIDER,
      ONE(CONTROLLER, "ControllerView"), .fields = { "name" } },
    { API_METHOD_DELETE, "/v1/controllers/{controller}", "controller-remove",
      "Take a controller out of the cell", OPERATOR, ENGINE(CONTROLLER_REMOVE, controller_remove),
      .fields = { "controller" }, WRITE },
    { API_METHOD_GET, "/v1/nodes", "node-list", "Nodes", PROVIDER, LIST(NODE, "NodeView"),
      .query = query_page },
    { API_METHOD_GET, "/v1/nodes/{node}", "node-show", "One node", PROVIDER, ONE(NODE, "NodeView"),
      .fields = { "name" } },

    { API_METHOD_GET, "/v1/tenants", "tenant-list", "Tenants", OWN_READ,
      LIST(TENANT, "TenantView"), .query = query_page },
    { API_METHOD_POST, "/v1/tenants", "tenant-create", "Make a tenant with floor and cap", OPERATOR,
      ENGINE(TENANT_CREATE, tenant_create), .takes_body = true, WRITE },
    { API_METHOD_GET, T, "tenant-show", "One tenant", OWN_READ, ONE(TENANT, "TenantView"),
      .fields = { "name" } },
    { API_METHOD_DELETE, T, "tenant-delete", "Delete an empty tenant", OPERATOR,
      ENGINE(TENANT_DELETE, tenant_delete), .fields = { "tenant" }, WRITE },
    { API_METHOD_GET, T "/quota", "quota-show", "Floor, cap, used and held", OWN_READ,
      ENGINE(QUOTA_READ, quota_read), .fields = { "tenant" }, .item = "QuotaView", READ(ONE) },
    { API_METHOD_PUT, T "/quota", "quota-set", "Set floor and cap", OPERATOR,
      ENGINE(QUOTA_SET, quota_set), .fields = { "tenant" }, .takes_body = true, WRITE },
    { API_METHOD_GET, T "/projects", "project-list", "A tenant's projects", OWN_READ,
      LIST(PROJECT, "ProjectView"), .fields = { "tenant" }, .query = query_page },
    { API_METHOD_POST, T "/projects", "project-create", "Make a project", OWN,
      ENGINE(PROJECT_CREATE, project_create), .fields = { "tenant" }, .takes_body = true, WRITE },
    { API_METHOD_GET, T "/projects/{project}", "project-show", "One project", OWN_READ,
      ONE(PROJECT, "ProjectView"), .fields = { "tenant", "name" } },
    { API_METHOD_DELETE, T "/projects/{project}", "project-delete", "Delete an empty project", OWN,
      ENGINE(PROJECT_DELETE, project_delete), .fields = { "tenant", "project" }, WRITE },
    { API_METHOD_GET, T "/projects/{project}/quota", "project-quota-show", "A project's account",
      OWN_READ, ENGINE(QUOTA_READ, quota_read), .fields = { "tenant", "project" },
      .item = "QuotaView", READ(ONE) },
    { API_METHOD_PUT, T "/projects/{project}/quota", "project-quota-set", "Set a project's cap",
      OPERATOR, ENGINE(QUOTA_SET, quota_set), .fields = { "tenant", "project" }, .takes_body = true,
      WRITE },

    { API_METHOD_GET, "/v1/users", "user-list", "Principals", PROVIDER, LIST(USER, "UserView"),
      .query = query_page },
    { API_METHOD_POST, "/v1/users", "user-create", "Make a principal", OPERATOR,
      ENGINE(USER_CREATE, user_create), .takes_body = true, WRITE },
    { API_METHOD_GET, "/v1/users/{user}", "user-show", "One principal", PROVIDER,
      ONE(USER, "UserView"), .fields = { "name" } },
    { API_METHOD_POST, "/v1/users/{user}:revoke", "user-revoke",
      "Refuse every certificate of a principal from now on", OPERATOR,
      ENGINE(USER_REVOKE, user_revoke), .fields = { "user" }, WRITE },

    { API_METHOD_GET, "/v1/images", "image-list", "Images", OWN_READ, LIST(IMAGE, "ImageView"),
      .query = query_page },
    { API_METHOD_POST, "/v1/images", "image-create", "Name a kernel and an initramfs by digest",
      OPERATOR, ENGINE(IMAGE_CREATE, image_create), .takes_body = true, WRITE },
    { API_METHOD_GET, "/v1/images/{image}", "image-show", "One image", OWN_READ,
      ONE(IMAGE, "ImageView"), .fields = { "name" } },
    { API_METHOD_DELETE, "/v1/images/{image}", "image-delete", "Delete an unused image", OPERATOR,
      ENGINE(IMAGE_DELETE, image_delete), .fields = { "image" }, WRITE },

    { API_METHOD_GET, "/v1/networks", "network-list-all", "Networks of all tenants; a tenant sees its own", OWN_READ,
      LIST(NETWORK, "NetworkView"), .query = query_list_tenant },
    { API_METHOD_GET, T "/networks", "network-list", "A tenant's networks", OWN_READ,
      LIST(NETWORK, "NetworkView"), .fields = { "tenant" }, .query = query_list_project },
    { API_METHOD_POST, T "/networks", "network-create", "Make a network", OWN,
      ENGINE(NETWORK_CREATE, network_create), .fields = { "tenant" }, .query = query_project,
      .takes_body = true, WRITE },
    { API_METHOD_GET, T "/networks/{network}", "network-show", "One network", OWN_READ,
      ONE(NETWORK, "NetworkView"), .fields = { "tenant", "name" }, .query = query_project },
    { API_METHOD_DELETE, T "/networks/{network}", "network-delete", "Delete an unused network", OWN,
      ENGINE(NETWORK_DELETE, network_delete), .fields = { "tenant", "network" },
      .query = query_project, WRITE },

    { API_METHOD_GET, "/v1/instances", "instance-list-all", "Instances of all tenants; a tenant sees its own", OWN_READ,
      LIST(INSTANCE, "InstanceView"), .query = query_list_tenant },
    { API_METHOD_GET, T "/instances", "instance-list", "A tenant's instances", OWN_READ,
      LIST(INSTANCE, "InstanceView"), .fields = { "tenant" }, .query = query_list_project },
    { API_METHOD_POST, T "/instances", "instance-create", "Make an instance", OWN,
      ENGINE(INSTANCE_CREATE, instance_create), .fields = { "tenant" }, .query = query_project,
      .takes_body = true, WRITE },
    { API_METHOD_GET, T "/instances/{instance}", "instance-show", "One instance", OWN_READ,
      ONE(INSTANCE, "InstanceView"), .fields = { "tenant", "name" }, .query = query_project },
    { API_METHOD_DELETE, T "/instances/{instance}", "instance-delete", "Delete an instance", OWN,
      ENGINE(INSTANCE_DELETE, instance_delete), .fields = { "tenant", "instance" },
      .query = query_project, WRITE },
    { API_METHOD_POST, T "/instances/{instance}:start", "instance-start", "Start it", OWN,
      ENGINE(INSTANCE_START, instance_start), .fields = { "tenant", "instance" },
      .query = query_project, .takes_body = true, WRITE },
    { API_METHOD_POST, T "/instances/{instance}:stop", "instance-stop", "Stop it", OWN,
      ENGINE(INSTANCE_STOP, instance_stop), .fields = { "tenant", "instance" },
      .query = query_stop, .takes_body = true, WRITE },
    { API_METHOD_POST, T "/instances/{instance}:reboot", "instance-reboot", "Boot it anew", OWN,
      ENGINE(INSTANCE_REBOOT, instance_reboot), .fields = { "tenant", "instance" },
      .query = query_project, .takes_body = true, WRITE },
    { API_METHOD_GET, T "/instances/{instance}/console", "instance-console", "Its console log", ITS_OWN,
      ENGINE(CONSOLE_READ, console_read), .fields = { "tenant", "instance" },
      .query = query_console, .item = "ConsoleData", READ(CONSOLE) },

    { API_METHOD_GET, "/v1/operations", "operation-list", "Operations", OWN_READ,
      LIST(OPERATION, "OperationView"), .query = query_page },
    { API_METHOD_GET, "/v1/operations/{operation}", "operation-show", "One operation", OWN_READ,
      ONE(OPERATION, "OperationView"), .fields = { "name" } },
    { API_METHOD_GET, "/v1/operations/{operation}/wait", "operation-wait",
      "One operation, once it has ended or the seconds are over", OWN_READ,
      ENGINE(OPERATION_WAIT, operation_wait), .fields = { "operation" }, .query = query_wait,
      .item = "OperationView", READ(ONE) },
    { API_METHOD_POST, "/v1/operations/{operation}:cancel", "operation-cancel", "Cancel it", OWN,
      ENGINE(OPERATION_CANCEL, operation_cancel), .fields = { "operation" }, WRITE },

    { API_METHOD_GET, "/v1/alarms", "alarm-list", "Alarms, raised and cleared", PROVIDER,
      LIST(ALARM, "AlarmView"), .query = query_page },
    { API_METHOD_GET, "/v1/events", "event-list",
      "Events after a cursor; a stream when text/event-stream is accepted", OWN_READ,
      ASKED(EVENTS, EVENT_READ, event_read), .query = query_events,
      .item = "EventView", READ(EVENTS) },
    { API_METHOD_GET, "/v1/audit/leaves", "audit-leaves", "Leaves of the audit log", OWN_READ,
      ENGINE(AUDIT_READ, audit_read), .query = query_leaves, .item = "LeafView", READ(LEAVES) },
    { API_METHOD_GET, "/v1/audit/checkpoint", "audit-checkpoint", "The newest signed checkpoint",
      OWN_READ, ENGINE(AUDIT_READ, audit_read), .preset = "checkpoint", .preset_value = 1,
      .query = query_tenant,
      .item = "CheckpointView", READ(CHECKPOINT) },
    { API_METHOD_GET, "/v1/audit/access", "audit-access", "Every principal and what it can do",
      PROVIDER, ENGINE(ACCESS_READ, access_read), .query = query_page, .item = "AccessView",
      READ(ACCESS) },
    { API_METHOD_GET, "/v1/explain/capacity", "explain-capacity",
      "What is free, and whether a rack can be lost now", PROVIDER, ENGINE(EXPLAIN, explain),
      KIND(CELL), .query = query_capacity, .item = "Explanation", READ(EXPLANATION) },
    { API_METHOD_POST, "/v1/explain/capacity", "explain-trial", "Where would this instance go?",
      PROVIDER, ENGINE(EXPLAIN, explain), KIND(CELL), .query = query_capacity, .takes_body = true,
      .item = "Explanation", READ(EXPLANATION) },
    { API_METHOD_GET, "/v1/explain/nodes/{node}", "explain-node", "Why a node is as it is", PROVIDER,
      ENGINE(EXPLAIN, explain), KIND(NODE), .fields = { "name" }, .item = "Explanation",
      READ(EXPLANATION) },
    { API_METHOD_GET, "/v1/explain/tenants/{tenant}/instances/{instance}", "explain-instance",
      "Why an instance is as it is, and is where it is", OWN_READ, ENGINE(EXPLAIN, explain),
      KIND(INSTANCE), .fields = { "tenant", "name" }, .query = query_project,
      .item = "Explanation", READ(EXPLANATION) },
};
/* clang-format on */

size_t api_routes_count(void)
{
    return COUNT_OF(routes);
}

const struct api_route *api_route_at(size_t at)
{
    CHECK(at < COUNT_OF(routes));
    return &routes[at];
}

/* The text of one slot, from the front of a path. 0: empty or longer than any name. */
static size_t slot_size(const char *path)
{
    size_t size = 0;
    while (path[size] != '\0' && path[size] != '/' && path[size] != ':') {
        size++;
    }
    return size < API_SLOT_SIZE ? size : 0;
}

/* slots_out: those up to where it did not. */
static bool pattern_matches(const char *pattern, const char *path, struct api_slots *slots_out)
{
    slots_out->count = 0;
    while (*pattern != '\0') {
        if (*pattern == '{') {
            size_t size = slot_size(path);
            if (size == 0) {
                return false;
            }
            CHECK(slots_out->count < API_SLOTS_MAX);
            char *text = slots_out->text[slots_out->count++];
            memcpy(text, path, size);
            text[size] = '\0';
            path += size;
            while (*pattern++ != '}') {
                CHECK(*pattern != '\0');
            }
            continue;
        }
        if (*pattern != *path) {
            return false;
        }
        pattern++;
        path++;
    }
    return *path == '\0';
}

static size_t steps_of(const char *path)
{
    size_t steps = 0;
    for (; *path != '\0'; path++) {
        steps += *path == '/' ? 1 : 0;
    }
    return steps;
}

/* How many steps each row's path has: a slot holds none, so that no other row can match. Counted
 * once, because every request of every batch asks. */
static const uint8_t *routes_steps(void)
{
    static uint8_t steps[COUNT_OF(routes)];
    for (size_t i = 0; i < COUNT_OF(routes) && steps[COUNT_OF(routes) - 1] == 0; i++) {
        steps[i] = (uint8_t)steps_of(routes[i].path);
        CHECK(steps[i] > 0);
    }
    return steps;
}

const struct api_route *api_route_find(
    enum api_method method, const char *path, struct api_slots *slots_out, uint32_t *methods_out)
{
    CHECK(path != NULL);
    CHECK(slots_out != NULL);
    const uint8_t *steps = routes_steps();
    size_t wanted = steps_of(path);
    for (size_t i = 0; i < COUNT_OF(routes); i++) {
        if (routes[i].method == method && steps[i] == wanted &&
            pattern_matches(routes[i].path, path, slots_out)) {
            *methods_out = UINT32_C(1) << method;
            return &routes[i];
        }
    }
    *methods_out = 0;
    for (size_t i = 0; i < COUNT_OF(routes); i++) {
        if (steps[i] == wanted && pattern_matches(routes[i].path, path, slots_out)) {
            *methods_out |= UINT32_C(1) << routes[i].method;
        }
    }
    return NULL;
}

const char *api_query_field(const char *name)
{
    CHECK(name != NULL);
    if (strcmp(name, "label") == 0) {
        return "selector";
    }
    return strcmp(name, "page_token") == 0 ? "after" : name;
}

bool api_route_takes_query(const struct api_route *route, const char *name)
{
    CHECK(route != NULL);
    CHECK(name != NULL);
    for (size_t i = 0; route->query != NULL && route->query[i] != NULL; i++) {
        if (strcmp(route->query[i], name) == 0) {
            return true;
        }
    }
    return false;
}

bool api_route_takes_stale(const struct api_route *route)
{
    CHECK(route != NULL);
    return route->server == API_SERVER_ENGINE &&
           (route->body == WIRE__REQUEST__BODY_GET || route->body == WIRE__REQUEST__BODY_LIST ||
            route->body == WIRE__REQUEST__BODY_CLUSTER_STATUS ||
            route->body == WIRE__REQUEST__BODY_QUOTA_READ ||
            route->body == WIRE__REQUEST__BODY_ACCESS_READ ||
            route->body == WIRE__REQUEST__BODY_EXPLAIN);
}

static const char *const method_names[] = {
    [API_METHOD_GET] = "GET",
    [API_METHOD_POST] = "POST",
    [API_METHOD_PUT] = "PUT",
    [API_METHOD_DELETE] = "DELETE",
};

bool api_route_needs_match(const struct api_route *route)
{
    CHECK(route->method != API_METHOD_NONE);
    return route->method == API_METHOD_PUT || route->method == API_METHOD_DELETE;
}

bool api_route_has_tag(const struct api_route *route)
{
    static const Wire__Request__BodyCase tagged[] = {
        WIRE__REQUEST__BODY_QUOTA_SET,       WIRE__REQUEST__BODY_TENANT_DELETE,
        WIRE__REQUEST__BODY_NETWORK_DELETE,  WIRE__REQUEST__BODY_INSTANCE_START,
        WIRE__REQUEST__BODY_INSTANCE_STOP,   WIRE__REQUEST__BODY_INSTANCE_REBOOT,
        WIRE__REQUEST__BODY_INSTANCE_DELETE,
    };
    for (size_t i = 0; i < COUNT_OF(tagged); i++) {
        if (route->body == tagged[i]) {
            return true;
        }
    }
    return false;
}

const char *api_method_name(enum api_method method)
{
    CHECK(method > 0 && method < COUNT_OF(method_names));
    return method_names[method];
}

bool api_method_parse(const char *text, enum api_method *method_out)
{
    CHECK(text != NULL);
    for (size_t i = 1; i < COUNT_OF(method_names); i++) {
        if (strcmp(text, method_names[i]) == 0) {
            *method_out = (enum api_method)i;
            return true;
        }
    }
    return false;
}
