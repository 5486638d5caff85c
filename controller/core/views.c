/* Decides how rows are shown. Never decides who may see them: read.c asks authorization first. */
#include "controller/core/views.h"

#include "base/check.h"
#include "controller/core/apply.h"
#include "isolation/network.h"

#include <string.h>

static void *room(const struct view_live *live, size_t size)
{
    return arena_take(live->arena, size);
}

static const char *id_text(const struct view_live *live, enum id_kind kind, uint64_t id)
{
    char *text = id == 0 ? NULL : room(live, ID_TEXT_SIZE);
    if (text == NULL) {
        return "";
    }
    id_format(kind, id, text);
    return text;
}

static const char *tenant_name(const struct view_live *live, struct tenant_id id)
{
    const struct tenant_row *row = state_find(live->state, TABLE_TENANT, id.value);
    return row == NULL ? "" : row->name.text;
}

static const char *project_name(const struct view_live *live, struct project_id id)
{
    const struct project_row *row = state_find(live->state, TABLE_PROJECT, id.value);
    return row == NULL ? "" : row->name.text;
}

static Wire__Place *place_of(const struct view_live *live, const struct place *from)
{
    Wire__Place *place = room(live, sizeof(*place));
    if (place != NULL) {
        wire__place__init(place);
        place->rack = from->rack;
        place->site = from->site;
        place->country = from->country;
    }
    return place;
}

static Wire__Quantities *quantities(const struct view_live *live, const struct quota_amounts *from)
{
    Wire__Quantities *to = room(live, sizeof(*to));
    if (to != NULL) {
        wire__quantities__init(to);
        to->vcpus = from->of[QUOTA_VCPUS];
        to->memory_bytes = from->of[QUOTA_MEMORY_BYTES];
        to->instances = from->of[QUOTA_INSTANCES];
        to->networks = from->of[QUOTA_NETWORKS];
    }
    return to;
}

static ProtobufCBinaryData digest_of(const uint8_t *data)
{
    ProtobufCBinaryData out = { .len = 32 };
    memcpy(&out.data, &data, sizeof(out.data)); /* Only read while packing. */
    return out;
}

Wire__ControllerView *views_controller(
    const struct view_live *live, const struct controller_row *row)
{
    Wire__ControllerView *view = room(live, sizeof(*view));
    if (view == NULL) {
        return NULL;
    }
    static const char *const roles[] = { "spare", "standby", "voter" };
    wire__controller_view__init(view);
    view->id = id_text(live, ID_CONTROLLER, row->head.id);
    view->name = row->name;
    view->api_address = row->api_address;
    view->link_address = row->link_address;
    view->place = place_of(live, &row->place);
    view->role = row->leaving ? "leaving" : roles[row->voter < COUNT_OF(roles) ? row->voter : 0];
    view->leader = state_cell(live->state)->leader == row->head.id;
    view->created_at = row->created_at;
    if (live->controller != NULL) {
        live->controller(live->context, live->arena, row->head.id, view);
    }
    return view;
}

static Wire__NodeView *node_view(const struct view_live *live, const struct node_row *row)
{
    Wire__NodeView *view = room(live, sizeof(*view));
    const char **fallbacks = room(live, sizeof(*fallbacks) * LIMIT_NODE_FALLBACKS);
    const char **images = room(live, sizeof(*images) * LIMIT_NODE_IMAGES);
    if (view == NULL || fallbacks == NULL || images == NULL) {
        return NULL;
    }
    wire__node_view__init(view);
    view->id = id_text(live, ID_NODE, row->head.id);
    view->name = row->name;
    view->place = place_of(live, &row->place);
    view->liveness = row->liveness;
    view->reason = row->conditions == 0 ? row->reason : apply_condition_words(row->conditions);
    view->link_address = row->link_address;
    view->underlay_address = row->underlay_address;
    view->vcpus = row->vcpus;
    view->memory_bytes = row->memory_bytes;
    view->vcpus_placed = row->vcpus_placed;
    view->memory_bytes_placed = row->memory_bytes_placed;
    view->instances = row->instances;
    view->virtualization = row->virtualization;
    for (uint32_t i = 0; i < row->fallbacks_count; i++) {
        fallbacks[i] = row->fallbacks[i];
    }
    view->n_fallbacks = row->fallbacks_count;
    view->fallbacks = fallbacks;
    for (uint32_t i = 0; i < row->images_count; i++) {
        char *hex = room(live, 65);
        for (unsigned int k = 0; hex != NULL && k < 32; k++) {
            hex[2 * k] = "0123456789abcdef"[row->images[i][k] >> 4];
            hex[2 * k + 1] = "0123456789abcdef"[row->images[i][k] & 15];
        }
        images[i] = hex == NULL ? "" : hex;
    }
    view->n_images = row->images_count;
    view->images = images;
    view->created_at = row->created_at;
    view->renewed_ms_ago =
        live->renewed_ms_ago == NULL ? 0 : live->renewed_ms_ago(live->context, row->head.id);
    return view;
}

static Wire__TenantView *tenant_view(const struct view_live *live, const struct tenant_row *row)
{
    Wire__TenantView *view = room(live, sizeof(*view));
    if (view != NULL) {
        wire__tenant_view__init(view);
        view->id = id_text(live, ID_TENANT, row->head.id);
        view->name = row->name.text;
        view->created_at = row->created_at;
        view->revision = row->revision;
    }
    return view;
}

static Wire__ProjectView *project_view(const struct view_live *live, const struct project_row *row)
{
    Wire__ProjectView *view = room(live, sizeof(*view));
    if (view != NULL) {
        wire__project_view__init(view);
        view->id = id_text(live, ID_PROJECT, row->head.id);
        view->name = row->name.text;
        view->tenant = tenant_name(live, row->tenant);
        view->is_default = row->is_default;
        view->created_at = row->created_at;
    }
    return view;
}

Wire__UserView *views_user(const struct view_live *live, const struct user_row *row)
{
    Wire__UserView *view = room(live, sizeof(*view));
    if (view != NULL) {
        wire__user_view__init(view);
        view->id = id_text(live, ID_USER, row->head.id);
        view->name = row->name.text;
        view->role = row->role;
        view->tenant = tenant_name(live, row->tenant);
        view->revoked = row->revoked;
        view->epoch = row->epoch;
        view->created_at = row->created_at;
    }
    return view;
}

/* A cap that nobody set: it bounds nothing, and is no number that JSON's readers can hold. */
static bool capless(const struct quota_account *account)
{
    bool none = true;
    for (unsigned int i = 0; i < QUOTA_DIMENSIONS; i++) {
        none = none && account->cap.of[i] == QUOTA_UNLIMITED;
    }
    return none;
}

Wire__QuotaView *views_quota(
    const struct view_live *live,
    const struct tenant_row *tenant,
    const struct project_row *project)
{
    Wire__QuotaView *view = room(live, sizeof(*view));
    if (view != NULL) {
        const struct quota_account *account =
            project == NULL ? &tenant->account : &project->account;
        wire__quota_view__init(view);
        view->tenant = tenant->name.text;
        view->project = project == NULL ? "" : project->name.text;
        view->floor = quantities(live, &account->floor);
        view->cap = capless(account) ? NULL : quantities(live, &account->cap);
        view->used = quantities(live, &account->used);
        view->held = quantities(live, &account->held);
        view->revision = tenant->revision;
    }
    return view;
}

static Wire__NetworkView *network_view(const struct view_live *live, const struct network_row *row)
{
    Wire__NetworkView *view = room(live, sizeof(*view));
    char *cidr = room(live, NETWORK_CIDR_TEXT);
    if (view == NULL || cidr == NULL) {
        return NULL;
    }
    network_cidr_format((struct network_cidr){ row->base, row->prefix }, cidr);
    wire__network_view__init(view);
    view->id = id_text(live, ID_NETWORK, row->head.id);
    view->name = row->name.text;
    view->tenant = tenant_name(live, row->tenant);
    view->project = project_name(live, row->project);
    view->cidr = cidr;
    view->vni = row->vni;
    view->addresses_used = row->addresses;
    view->created_at = row->created_at;
    view->revision = row->revision;
    return view;
}

static bool node_has(const struct node_row *node, const uint8_t sha256[static 32])
{
    for (uint32_t i = 0; i < node->images_count; i++) {
        if (memcmp(node->images[i], sha256, 32) == 0) {
            return true;
        }
    }
    return false;
}

static Wire__ImageView *image_view(const struct view_live *live, const struct image_row *row)
{
    Wire__ImageView *view = room(live, sizeof(*view));
    if (view == NULL) {
        return NULL;
    }
    wire__image_view__init(view);
    view->id = id_text(live, ID_IMAGE, row->head.id);
    view->name = row->name;
    view->kernel_sha256 = digest_of(row->kernel_sha256);
    view->initramfs_sha256 = digest_of(row->initramfs_sha256);
    view->created_at = row->created_at;
    for (const struct node_row *node = state_first(live->state, TABLE_NODE); node != NULL;
         node = state_next(live->state, TABLE_NODE, node)) {
        if (node_has(node, row->kernel_sha256) && node_has(node, row->initramfs_sha256)) {
            view->nodes++;
        }
    }
    return view;
}

static bool instance_nics(
    const struct view_live *live, const struct instance_row *row, Wire__InstanceView *view)
{
    Wire__NicView **list = room(live, sizeof(*list) * LIMIT_INSTANCE_NETWORKS);
    if (list == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < row->nics_count; i++) {
        Wire__NicView *nic = room(live, sizeof(*nic));
        char *mac = room(live, NETWORK_MAC_TEXT);
        char *address = room(live, NETWORK_ADDRESS_TEXT);
        if (nic == NULL || mac == NULL || address == NULL) {
            return false;
        }
        uint8_t bytes[NETWORK_MAC_SIZE];
        network_mac(row->head.id, i, bytes);
        network_mac_format(bytes, mac);
        network_address_format(row->nics[i].address, address);
        const struct network_row *network =
            state_find(live->state, TABLE_NETWORK, row->nics[i].network.value);
        wire__nic_view__init(nic);
        nic->network = network == NULL ? "" : network->name.text;
        nic->mac = mac;
        nic->address = address;
        list[i] = nic;
    }
    view->n_nics = row->nics_count;
    view->nics = list;
    return true;
}

static bool instance_labels(
    const struct view_live *live, const struct instance_row *row, Wire__InstanceView *view)
{
    Wire__Label **list = room(live, sizeof(*list) * LIMIT_LABELS);
    if (list == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < row->labels_count; i++) {
        Wire__Label *label = room(live, sizeof(*label));
        if (label == NULL) {
            return false;
        }
        wire__label__init(label);
        label->key = row->labels[i].key;
        label->value = row->labels[i].value;
        list[i] = label;
    }
    view->n_labels = row->labels_count;
    view->labels = list;
    return true;
}

static Wire__InstanceView *instance_view(
    const struct view_live *live, const struct instance_row *row)
{
    Wire__InstanceView *view = room(live, sizeof(*view));
    if (view == NULL) {
        return NULL;
    }
    wire__instance_view__init(view);
    const struct node_row *node = state_find(live->state, TABLE_NODE, row->node.value);
    const struct image_row *image = state_find(live->state, TABLE_IMAGE, row->image.value);
    view->id = id_text(live, ID_INSTANCE, row->head.id);
    view->name = row->name.text;
    view->tenant = tenant_name(live, row->tenant);
    view->project = project_name(live, row->project);
    view->state = (Wire__InstanceState)row->state;
    view->desired = row->desired;
    view->reason = row->reason;
    view->image = image == NULL ? "" : image->name;
    view->vcpus = row->vcpus;
    view->memory_bytes = row->memory_bytes;
    view->node = node == NULL ? "" : node->name;
    view->on_failure = row->on_failure;
    view->max_attempts = row->max_attempts;
    view->attempts = row->attempts;
    view->where = row->where;
    view->generation = row->generation;
    view->epoch = row->epoch;
    view->created_at = row->created_at;
    view->revision = row->revision;
    view->spread = row->spread.text;
    return instance_nics(live, row, view) && instance_labels(live, row, view) ? view : NULL;
}

Wire__OperationView *views_operation(const struct view_live *live, const struct operation_row *row)
{
    Wire__OperationView *view = room(live, sizeof(*view));
    if (view == NULL) {
        return NULL;
    }
    wire__operation_view__init(view);
    view->id = id_text(live, ID_OPERATION, row->head.id);
    view->kind = row->kind;
    view->state = row->state;
    view->progress = row->state == WIRE__OPERATION_STATE__OPERATION_STATE_RUNNING ? 50 : 100;
    view->initiator = id_text(live, (enum id_kind)row->initiator_kind, row->initiator);
    view->resource_kind = row->resource_kind;
    view->resource = id_text(live, (enum id_kind)row->resource_kind, row->resource);
    view->resource_name = row->resource_name.text;
    view->created_at = row->created_at;
    view->done_at = row->done_at;
    if (row->state == WIRE__OPERATION_STATE__OPERATION_STATE_FAILED) {
        Wire__Problem *problem = room(live, sizeof(*problem));
        if (problem == NULL) {
            return NULL;
        }
        wire__problem__init(problem);
        problem->code = row->reject < REJECTS_END ? reject_name((enum reject)row->reject) : "";
        problem->detail = row->reason;
        view->error = problem;
    }
    return view;
}

Wire__AlarmView *views_alarm(const struct view_live *live, const struct alarm_row *row)
{
    Wire__AlarmView *view = room(live, sizeof(*view));
    if (view != NULL) {
        wire__alarm_view__init(view);
        view->id = id_text(live, ID_ALARM, row->head.id);
        view->name = row->name;
        view->subject = id_text(live, (enum id_kind)row->kind, row->subject);
        view->subject_name = state_name(live->state, row->kind, row->subject);
        view->reason = row->reason;
        view->since_at = row->since_at;
        view->cleared_at = row->cleared_at;
    }
    return view;
}

static Wire__TokenView *token_view(const struct view_live *live, const struct token_row *row)
{
    Wire__TokenView *view = room(live, sizeof(*view));
    if (view != NULL) {
        wire__token_view__init(view);
        view->id = id_text(live, ID_TOKEN, row->head.id);
        view->kind = row->kind;
        view->name = row->name;
        view->place = place_of(live, &row->place);
        view->used = row->used;
        view->expires_at = row->expires_at;
    }
    return view;
}

#define VIEW(member, name, made)                       \
    resource->view_case = WIRE__RESOURCE__VIEW_##name; \
    resource->member = (made);                         \
    return resource->member == NULL ? NULL : resource

Wire__Resource *views_of(const struct view_live *live, enum state_table table, const void *row)
{
    Wire__Resource *resource = room(live, sizeof(*resource));
    if (resource == NULL) {
        return NULL;
    }
    wire__resource__init(resource);
    switch (table) {
    case TABLE_CONTROLLER: VIEW(controller, CONTROLLER, views_controller(live, row));
    case TABLE_NODE: VIEW(node, NODE, node_view(live, row));
    case TABLE_TENANT: VIEW(tenant, TENANT, tenant_view(live, row));
    case TABLE_PROJECT: VIEW(project, PROJECT, project_view(live, row));
    case TABLE_USER: VIEW(user, USER, views_user(live, row));
    case TABLE_IMAGE: VIEW(image, IMAGE, image_view(live, row));
    case TABLE_NETWORK: VIEW(network, NETWORK, network_view(live, row));
    case TABLE_INSTANCE: VIEW(instance, INSTANCE, instance_view(live, row));
    case TABLE_OPERATION: VIEW(operation, OPERATION, views_operation(live, row));
    case TABLE_ALARM: VIEW(alarm, ALARM, views_alarm(live, row));
    case TABLE_TOKEN: VIEW(token, TOKEN, token_view(live, row));
    case TABLE_CELL:
    case TABLES_END: break;
    }
    return NULL;
}
