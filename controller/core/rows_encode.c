/* Decides the bytes of each row: the one encoding that is mirrored and digested.
 * Never decides what a row means; never reads bytes (rows_restore.c does). */
#include "controller/core/rows.h"

#include "base/check.h"
#include "wire/wire.h"

#include <row.pb-c.h>
#include <string.h>

static struct slice pack(const void *message, struct arena *scratch)
{
    struct slice bytes = SLICE_EMPTY;
    struct result packed = wire_encode(message, scratch, &bytes);
    CHECK(packed.code == 0); /* The caller's scratch has room for ROW_BYTES_MAX. */
    CHECK(bytes.size <= ROW_BYTES_MAX);
    return bytes;
}

static ProtobufCBinaryData binary(const void *data, size_t size)
{
    ProtobufCBinaryData out = { 0, NULL };
    memcpy(&out.data, &data, sizeof(out.data)); /* protobuf-c only reads it while packing. */
    out.len = size;
    return out;
}

static void place_out(const struct place *from, Wire__Place *to)
{
    wire__place__init(to);
    to->rack = from->rack;
    to->site = from->site;
    to->country = from->country;
}

/* What a machine's programs add to its row. */
struct processes_room {
    Wire__ProcessRow rows[PROGRAMS_END];
    Wire__ProcessRow *list[PROGRAMS_END];
};

static size_t processes_out(const uint64_t *started_ms, struct processes_room *room)
{
    size_t count = 0;
    for (uint32_t program = PROGRAM_PARENT; program < PROGRAMS_END; program++) {
        if (started_ms[program] != 0) {
            wire__process_row__init(&room->rows[count]);
            room->rows[count].program = program;
            room->rows[count].started_ms = started_ms[program];
            room->list[count] = &room->rows[count];
            count++;
        }
    }
    CHECK(count < PROGRAMS_END);
    return count;
}

static void text_out(const struct tenant_text *from, Wire__TenantText *to)
{
    wire__tenant_text__init(to);
    to->text = from->text;
}

static void quantities_out(const struct quota_amounts *from, Wire__Quantities *to)
{
    wire__quantities__init(to);
    to->vcpus = from->of[QUOTA_VCPUS];
    to->memory_bytes = from->of[QUOTA_MEMORY_BYTES];
    to->instances = from->of[QUOTA_INSTANCES];
    to->networks = from->of[QUOTA_NETWORKS];
}

struct account_message {
    Wire__AccountRow row;
    Wire__Quantities floor, cap, used, held;
};

static Wire__AccountRow *account_out(const struct quota_account *from, struct account_message *to)
{
    wire__account_row__init(&to->row);
    quantities_out(&from->floor, &to->floor);
    quantities_out(&from->cap, &to->cap);
    quantities_out(&from->used, &to->used);
    quantities_out(&from->held, &to->held);
    to->row.floor = &to->floor;
    to->row.cap = &to->cap;
    to->row.used = &to->used;
    to->row.held = &to->held;
    return &to->row;
}

static struct slice encode_cell(const struct cell_row *row, struct arena *scratch)
{
    uint8_t frontier[AUDIT_FRONTIER_MAX];
    size_t frontier_size = audit_frontier_encode(&row->frontier, frontier);
    uint8_t key[16];
    for (unsigned int i = 0; i < 8; i++) {
        key[i] = (uint8_t)(row->hash_key.low >> (8U * i));
        key[8 + i] = (uint8_t)(row->hash_key.high >> (8U * i));
    }
    Wire__CellRow message = WIRE__CELL_ROW__INIT;
    message.format = ROW_FORMAT;
    message.name = row->name;
    message.next_sequence = row->next_sequence;
    message.log_time_ms = row->log_time_ms;
    message.wall_ms = row->wall_ms;
    message.feature_level = row->feature_level;
    message.digest_salt = binary(row->digest_salt, sizeof(row->digest_salt));
    message.hash_key = binary(key, sizeof(key));
    message.frontier = binary(frontier, frontier_size);
    message.provider_leaves = row->chain.count;
    message.provider_last = binary(row->chain.last, row->chain.count == 0 ? 0 : 32);
    message.elections = row->elections;
    message.term = row->term;
    message.leader = row->leader;
    message.reserve_percent = row->reserve_percent;
    message.checkpoint_size = row->checkpoint_size;
    message.note = row->checkpoint_note;
    message.idempotency_keys = row->idempotency_keys;
    message.idempotency_limit = row->idempotency_limit;
    message.vcpu_ratio = row->vcpu_ratio;
    message.disputed_index = row->disputed_index;
    return pack(&message, scratch);
}

static struct slice encode_controller(const struct controller_row *row, struct arena *scratch)
{
    Wire__Place place;
    place_out(&row->place, &place);
    Wire__ControllerRow message = WIRE__CONTROLLER_ROW__INIT;
    message.format = ROW_FORMAT;
    message.name = row->name;
    message.api_address = row->api_address;
    message.link_address = row->link_address;
    message.place = &place;
    message.epoch = row->epoch;
    message.voter = row->voter;
    message.feature_level = row->feature_level;
    message.wall_ms = row->wall_ms;
    message.created_at = row->created_at;
    message.leaving = row->leaving;
    message.wall_log_ms = row->wall_log_ms;
    message.refusals = row->refusals;
    message.away = row->away;
    struct processes_room processes;
    message.n_processes = processes_out(row->processes, &processes);
    message.processes = processes.list;
    return pack(&message, scratch);
}

static struct slice encode_node(const struct node_row *row, struct arena *scratch)
{
    Wire__Place place;
    place_out(&row->place, &place);
    const char *fallbacks[LIMIT_NODE_FALLBACKS];
    for (uint32_t i = 0; i < row->fallbacks_count; i++) {
        fallbacks[i] = row->fallbacks[i];
    }
    ProtobufCBinaryData images[LIMIT_NODE_IMAGES];
    for (uint32_t i = 0; i < row->images_count; i++) {
        images[i] = binary(row->images[i], 32);
    }
    Wire__NodeRow message = WIRE__NODE_ROW__INIT;
    message.format = ROW_FORMAT;
    message.name = row->name;
    message.place = &place;
    message.epoch = row->epoch;
    message.liveness = row->liveness;
    message.reason = row->reason;
    message.link_address = row->link_address;
    message.underlay_address = row->underlay_address;
    message.vcpus = row->vcpus;
    message.memory_bytes = row->memory_bytes;
    message.vcpus_placed = row->vcpus_placed;
    message.memory_bytes_placed = row->memory_bytes_placed;
    message.instances = row->instances;
    message.virtualization = row->virtualization;
    message.n_fallbacks = row->fallbacks_count;
    message.fallbacks = fallbacks;
    message.n_images = row->images_count;
    message.images = images;
    message.boot_id = binary(row->boot_id, sizeof(row->boot_id));
    message.created_at = row->created_at;
    message.conditions = row->conditions;
    struct processes_room processes;
    message.n_processes = processes_out(row->processes, &processes);
    message.processes = processes.list;
    return pack(&message, scratch);
}

static struct slice encode_tenant(const struct tenant_row *row, struct arena *scratch)
{
    Wire__TenantText name;
    struct account_message account;
    text_out(&row->name, &name);
    Wire__TenantRow message = WIRE__TENANT_ROW__INIT;
    message.format = ROW_FORMAT;
    message.name = &name;
    message.account = account_out(&row->account, &account);
    message.vcpus_placed = row->vcpus_placed;
    message.memory_bytes_placed = row->memory_bytes_placed;
    message.leaves = row->chain.count;
    message.last_leaf = binary(row->chain.last, row->chain.count == 0 ? 0 : 32);
    message.gone = row->gone;
    message.idempotency_keys = row->idempotency_keys;
    message.children = row->children;
    message.created_at = row->created_at;
    message.revision = row->revision;
    return pack(&message, scratch);
}

static struct slice encode_project(const struct project_row *row, struct arena *scratch)
{
    Wire__TenantText name;
    struct account_message account;
    text_out(&row->name, &name);
    Wire__ProjectRow message = WIRE__PROJECT_ROW__INIT;
    message.format = ROW_FORMAT;
    message.tenant = row->tenant.value;
    message.name = &name;
    message.is_default = row->is_default;
    message.account = account_out(&row->account, &account);
    message.children = row->children;
    message.created_at = row->created_at;
    return pack(&message, scratch);
}

static struct slice encode_user(const struct user_row *row, struct arena *scratch)
{
    Wire__TenantText name;
    text_out(&row->name, &name);
    Wire__UserRow message = WIRE__USER_ROW__INIT;
    message.format = ROW_FORMAT;
    message.name = &name;
    message.role = row->role;
    message.tenant = row->tenant.value;
    message.epoch = row->epoch;
    message.revoked = row->revoked;
    message.created_at = row->created_at;
    return pack(&message, scratch);
}

static struct slice encode_image(const struct image_row *row, struct arena *scratch)
{
    Wire__ImageRow message = WIRE__IMAGE_ROW__INIT;
    message.format = ROW_FORMAT;
    message.name = row->name;
    message.kernel_sha256 = binary(row->kernel_sha256, 32);
    message.initramfs_sha256 = binary(row->initramfs_sha256, 32);
    message.instances = row->instances;
    message.created_at = row->created_at;
    return pack(&message, scratch);
}

static struct slice encode_network(const struct network_row *row, struct arena *scratch)
{
    Wire__TenantText name;
    text_out(&row->name, &name);
    Wire__NetworkRow message = WIRE__NETWORK_ROW__INIT;
    message.format = ROW_FORMAT;
    message.tenant = row->tenant.value;
    message.project = row->project.value;
    message.name = &name;
    message.network_base = row->base;
    message.prefix = row->prefix;
    message.addresses = row->addresses;
    message.cursor = row->cursor;
    message.vni = row->vni;
    message.created_at = row->created_at;
    message.revision = row->revision;
    return pack(&message, scratch);
}

static void instance_fixed(const struct instance_row *row, Wire__InstanceRow *message)
{
    message->format = ROW_FORMAT;
    message->tenant = row->tenant.value;
    message->project = row->project.value;
    message->image = row->image.value;
    message->vcpus = row->vcpus;
    message->memory_bytes = row->memory_bytes;
    message->on_failure = row->on_failure;
    message->max_attempts = row->max_attempts;
    message->attempts = row->attempts;
    message->where = row->where;
    message->state = (Wire__InstanceState)row->state;
    message->desired = row->desired;
    message->reason = row->reason;
    message->node = row->node.value;
    message->generation = row->generation;
    message->epoch = row->epoch;
    message->boots = row->boots;
    message->held = row->held;
    message->operation = row->operation.value;
    message->force = row->force;
    message->created_at = row->created_at;
    message->revision = row->revision;
}

static struct slice encode_instance(const struct instance_row *row, struct arena *scratch)
{
    Wire__TenantText name;
    Wire__TenantText spread;
    text_out(&row->name, &name);
    text_out(&row->spread, &spread);
    Wire__NicRow nics[LIMIT_INSTANCE_NETWORKS];
    Wire__NicRow *nic_at[LIMIT_INSTANCE_NETWORKS];
    for (uint32_t i = 0; i < row->nics_count; i++) {
        wire__nic_row__init(&nics[i]);
        nics[i].network = row->nics[i].network.value;
        nics[i].address = row->nics[i].address;
        nic_at[i] = &nics[i];
    }
    Wire__Label labels[LIMIT_LABELS];
    Wire__Label *label_at[LIMIT_LABELS];
    for (uint32_t i = 0; i < row->labels_count; i++) {
        wire__label__init(&labels[i]);
        labels[i].key = row->labels[i].key;
        labels[i].value = row->labels[i].value;
        label_at[i] = &labels[i];
    }
    Wire__InstanceRow message = WIRE__INSTANCE_ROW__INIT;
    instance_fixed(row, &message);
    message.name = &name;
    message.spread = &spread;
    message.n_nics = row->nics_count;
    message.nics = nic_at;
    message.n_labels = row->labels_count;
    message.labels = label_at;
    Wire__Choice choice = WIRE__CHOICE__INIT;
    choice.why = row->choice.why;
    choice.nodes = row->choice.nodes;
    choice.passed = row->choice.passed;
    choice.runner_up = row->choice.runner_up.value;
    message.choice = row->choice.why == 0 ? NULL : &choice;
    return pack(&message, scratch);
}

static struct slice encode_operation(const struct operation_row *row, struct arena *scratch)
{
    Wire__TenantText name;
    text_out(&row->resource_name, &name);
    Wire__OperationRow message = WIRE__OPERATION_ROW__INIT;
    message.format = ROW_FORMAT;
    message.kind = row->kind;
    message.state = row->state;
    message.tenant = row->tenant.value;
    message.initiator_kind = row->initiator_kind;
    message.initiator = row->initiator;
    message.resource_kind = row->resource_kind;
    message.resource = row->resource;
    message.resource_name = &name;
    message.reject = row->reject;
    message.reason = row->reason;
    message.created_at = row->created_at;
    message.done_at = row->done_at;
    message.done_ms = row->done_ms;
    message.asker_tenant = row->asker_tenant.value;
    message.key = row->key;
    message.request_digest = binary(row->request_digest, sizeof(row->request_digest));
    message.made_ms = row->made_ms;
    message.counted = row->counted;
    return pack(&message, scratch);
}

static struct slice encode_alarm(const struct alarm_row *row, struct arena *scratch)
{
    Wire__AlarmRow message = WIRE__ALARM_ROW__INIT;
    message.format = ROW_FORMAT;
    message.name = row->name;
    message.kind = row->kind;
    message.subject = row->subject;
    message.reason = row->reason;
    message.since_at = row->since_at;
    message.cleared_at = row->cleared_at;
    return pack(&message, scratch);
}

static struct slice encode_token(const struct token_row *row, struct arena *scratch)
{
    Wire__Place place;
    place_out(&row->place, &place);
    Wire__TokenRow message = WIRE__TOKEN_ROW__INIT;
    message.format = ROW_FORMAT;
    message.kind = row->kind;
    message.secret_sha256 = binary(row->secret_sha256, 32);
    message.name = row->name;
    message.place = &place;
    message.expires_ms = row->expires_ms;
    message.expires_at = row->expires_at;
    message.subject = row->subject;
    message.csr_sha256 = binary(row->csr_sha256, row->used ? 32 : 0);
    return pack(&message, scratch);
}

struct slice rows_encode(enum state_table table, const void *row, struct arena *scratch)
{
    CHECK(row != NULL);
    switch (table) {
    case TABLE_CELL: return encode_cell(row, scratch);
    case TABLE_CONTROLLER: return encode_controller(row, scratch);
    case TABLE_NODE: return encode_node(row, scratch);
    case TABLE_TENANT: return encode_tenant(row, scratch);
    case TABLE_PROJECT: return encode_project(row, scratch);
    case TABLE_USER: return encode_user(row, scratch);
    case TABLE_IMAGE: return encode_image(row, scratch);
    case TABLE_NETWORK: return encode_network(row, scratch);
    case TABLE_INSTANCE: return encode_instance(row, scratch);
    case TABLE_OPERATION: return encode_operation(row, scratch);
    case TABLE_ALARM: return encode_alarm(row, scratch);
    case TABLE_TOKEN: return encode_token(row, scratch);
    case TABLES_END: break;
    }
    UNREACHABLE();
}
