/* Decides which bytes are a row, and puts it back with its names. The mirror is our own file, but a
 * disk is outside: whatever does not fit its bounds is corrupt, and nothing of it is used. */
#include "controller/core/rows.h"

#include "base/check.h"
#include "base/mutant.h"
#include "controller/core/presence.h"
#include "wire/wire.h"

#include <row.pb-c.h>
#include <string.h>

/* One row on its way in: `ok` falls once and stays down. */
struct intake {
    bool ok;
};

static void text_in(struct intake *in, char *room, size_t size, const char *from)
{
    in->ok = text_copy(room, size, slice_text(from)) && in->ok;
}

static void tenant_text_in(struct intake *in, struct tenant_text *to, const Wire__TenantText *from)
{
    in->ok = from != NULL && tenant_text_set(to, from->text) && in->ok;
}

static void hash_in(struct intake *in, uint8_t *room, size_t size, const ProtobufCBinaryData *from)
{
    if (from->len != size) {
        in->ok = false;
        return;
    }
    memcpy(room, from->data, size);
}

static void hash_or_none_in(
    struct intake *in, uint8_t *room, size_t size, const ProtobufCBinaryData *from)
{
    if (from->len != 0) {
        hash_in(in, room, size, from);
    }
}

static void place_in(struct intake *in, struct place *to, const Wire__Place *from)
{
    if (from == NULL) {
        in->ok = false;
        return;
    }
    text_in(in, to->rack, sizeof(to->rack), from->rack);
    text_in(in, to->site, sizeof(to->site), from->site);
    text_in(in, to->country, sizeof(to->country), from->country);
}

static void processes_in(
    struct intake *in, uint64_t *started_ms, size_t count, Wire__ProcessRow *const *from)
{
    uint32_t before = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t program = from[i]->program;
        if (program <= before || program >= PROGRAMS_END || from[i]->started_ms == 0) {
            in->ok = false;
            return;
        }
        started_ms[program] = from[i]->started_ms;
        before = program;
    }
}

static struct quota_amounts quantities_in(struct intake *in, const Wire__Quantities *from)
{
    struct quota_amounts to = { { 0 } };
    if (from == NULL) {
        in->ok = false;
        return to;
    }
    to.of[QUOTA_VCPUS] = from->vcpus;
    to.of[QUOTA_MEMORY_BYTES] = from->memory_bytes;
    to.of[QUOTA_INSTANCES] = from->instances;
    to.of[QUOTA_NETWORKS] = from->networks;
    return to;
}

static void account_in(
    struct intake *in,
    struct quota_account *to,
    uint64_t holder,
    struct quota_account *parent,
    const Wire__AccountRow *from)
{
    ledger_open(to, holder, parent);
    if (from == NULL) {
        in->ok = false;
        return;
    }
    struct quota_amounts used = quantities_in(in, from->used);
    struct quota_amounts held = quantities_in(in, from->held);
    if (MUTANT(LEDGER_HELD_NOT_READ)) {
        held = (struct quota_amounts){ { 0 } };
    }
    to->floor = quantities_in(in, from->floor);
    to->cap = quantities_in(in, from->cap);
    for (uint32_t d = 0; d < QUOTA_DIMENSIONS; d++) { /* INV-LED-1: else no account could be so. */
        in->ok = in->ok && held.of[d] <= UINT64_MAX - used.of[d];
    }
    if (in->ok) {
        ledger_restore(to, &used, &held);
    }
}

static void cell_in(struct intake *in, struct cell_row *row, const Wire__CellRow *from)
{
    uint8_t key[16] = { 0 };
    hash_in(in, key, sizeof(key), &from->hash_key);
    for (unsigned int i = 0; i < 8; i++) {
        row->hash_key.low |= (uint64_t)key[i] << (8U * i);
        row->hash_key.high |= (uint64_t)key[8 + i] << (8U * i);
    }
    text_in(in, row->name, sizeof(row->name), from->name);
    row->next_sequence = from->next_sequence;
    row->log_time_ms = from->log_time_ms;
    row->wall_ms = from->wall_ms;
    row->feature_level = from->feature_level;
    hash_in(in, row->digest_salt, sizeof(row->digest_salt), &from->digest_salt);
    struct slice frontier = { from->frontier.data, from->frontier.len };
    in->ok = audit_frontier_decode(frontier, &row->frontier) && in->ok;
    row->chain.count = from->provider_leaves;
    hash_or_none_in(in, row->chain.last, AUDIT_HASH, &from->provider_last);
    row->elections = from->elections;
    row->term = from->term;
    row->leader = from->leader;
    row->reserve_percent = from->reserve_percent;
    row->vcpu_ratio = from->vcpu_ratio;
    row->checkpoint_size = from->checkpoint_size;
    size_t note = strlen(from->note);
    in->ok = note < sizeof(row->checkpoint_note) && in->ok;
    if (in->ok) {
        memcpy(row->checkpoint_note, from->note, note + 1);
    }
    in->ok = row->vcpu_ratio > 0 && row->vcpu_ratio <= LIMIT_VCPU_RATIO &&
             row->reserve_percent <= LIMIT_RESERVE_PERCENT && in->ok;
    row->idempotency_keys = from->idempotency_keys;
    row->idempotency_limit = from->idempotency_limit;
    row->disputed_index = from->disputed_index;
}

static void controller_in(
    struct intake *in, struct controller_row *row, const Wire__ControllerRow *from)
{
    text_in(in, row->name, sizeof(row->name), from->name);
    text_in(in, row->api_address, sizeof(row->api_address), from->api_address);
    text_in(in, row->link_address, sizeof(row->link_address), from->link_address);
    place_in(in, &row->place, from->place);
    row->epoch = from->epoch;
    row->voter = from->voter;
    row->feature_level = from->feature_level;
    row->wall_ms = from->wall_ms;
    row->created_at = from->created_at;
    row->leaving = from->leaving;
    row->wall_log_ms = from->wall_log_ms;
    row->refusals = from->refusals;
    row->away = from->away;
    processes_in(in, row->processes, from->n_processes, from->processes);
}

static void node_in(struct intake *in, struct node_row *row, const Wire__NodeRow *from)
{
    text_in(in, row->name, sizeof(row->name), from->name);
    place_in(in, &row->place, from->place);
    row->epoch = from->epoch;
    row->liveness = from->liveness;
    text_in(in, row->reason, sizeof(row->reason), from->reason);
    text_in(in, row->link_address, sizeof(row->link_address), from->link_address);
    text_in(in, row->underlay_address, sizeof(row->underlay_address), from->underlay_address);
    row->vcpus = from->vcpus;
    row->memory_bytes = from->memory_bytes;
    in->ok =
        row->vcpus <= LIMIT_NODE_VCPUS && row->memory_bytes <= LIMIT_NODE_MEMORY_BYTES && in->ok;
    row->vcpus_placed = from->vcpus_placed;
    row->memory_bytes_placed = from->memory_bytes_placed;
    row->instances = from->instances;
    text_in(in, row->virtualization, sizeof(row->virtualization), from->virtualization);
    if (from->n_fallbacks > LIMIT_NODE_FALLBACKS || from->n_images > LIMIT_NODE_IMAGES) {
        in->ok = false;
        return;
    }
    for (uint32_t i = 0; i < from->n_fallbacks; i++) {
        text_in(in, row->fallbacks[i], sizeof(row->fallbacks[i]), from->fallbacks[i]);
    }
    row->fallbacks_count = (uint32_t)from->n_fallbacks;
    for (uint32_t i = 0; i < from->n_images; i++) {
        hash_in(in, row->images[i], 32, &from->images[i]);
    }
    row->images_count = (uint32_t)from->n_images;
    hash_in(in, row->boot_id, sizeof(row->boot_id), &from->boot_id);
    row->created_at = from->created_at;
    row->conditions = from->conditions;
    processes_in(in, row->processes, from->n_processes, from->processes);
}

static void tenant_in(struct intake *in, struct tenant_row *row, const Wire__TenantRow *from)
{
    tenant_text_in(in, &row->name, from->name);
    account_in(in, &row->account, row->head.id, NULL, from->account);
    row->vcpus_placed = from->vcpus_placed;
    row->memory_bytes_placed = from->memory_bytes_placed;
    row->chain.count = from->leaves;
    hash_or_none_in(in, row->chain.last, AUDIT_HASH, &from->last_leaf);
    row->gone = from->gone;
    row->idempotency_keys = from->idempotency_keys;
    row->children = from->children;
    row->created_at = from->created_at;
    row->revision = from->revision;
}

static void project_in(
    struct intake *in,
    const struct state *state,
    struct project_row *row,
    const Wire__ProjectRow *from)
{
    row->tenant.value = from->tenant;
    struct tenant_row *tenant = state_find(state, TABLE_TENANT, from->tenant);
    if (tenant == NULL) {
        in->ok = false;
        return;
    }
    tenant_text_in(in, &row->name, from->name);
    row->is_default = from->is_default;
    account_in(in, &row->account, row->head.id, &tenant->account, from->account);
    row->children = from->children;
    row->created_at = from->created_at;
}

static void user_in(struct intake *in, struct user_row *row, const Wire__UserRow *from)
{
    tenant_text_in(in, &row->name, from->name);
    row->role = from->role;
    row->tenant.value = from->tenant;
    row->epoch = from->epoch;
    row->revoked = from->revoked;
    row->created_at = from->created_at;
}

static void image_in(struct intake *in, struct image_row *row, const Wire__ImageRow *from)
{
    text_in(in, row->name, sizeof(row->name), from->name);
    hash_in(in, row->kernel_sha256, 32, &from->kernel_sha256);
    hash_in(in, row->initramfs_sha256, 32, &from->initramfs_sha256);
    row->instances = from->instances;
    row->created_at = from->created_at;
}

static void network_in(struct intake *in, struct network_row *row, const Wire__NetworkRow *from)
{
    row->tenant.value = from->tenant;
    row->project.value = from->project;
    tenant_text_in(in, &row->name, from->name);
    row->base = from->network_base;
    row->prefix = from->prefix;
    in->ok = from->prefix <= 32 && in->ok;
    row->addresses = from->addresses;
    row->cursor = from->cursor;
    row->vni = from->vni;
    row->created_at = from->created_at;
    row->revision = from->revision;
}

/* INV-NET-3: an address has one owner, and he has it once. */
static bool has_address(const struct instance_row *row, const Wire__NicRow *nic)
{
    for (uint32_t i = 0; i < row->nics_count; i++) {
        if (row->nics[i].network.value == nic->network && row->nics[i].address == nic->address) {
            return true;
        }
    }
    return false;
}

static void instance_lists_in(
    struct intake *in, struct instance_row *row, const Wire__InstanceRow *from)
{
    if (from->n_nics > LIMIT_INSTANCE_NETWORKS || from->n_labels > LIMIT_LABELS) {
        in->ok = false;
        return;
    }
    for (uint32_t i = 0; i < from->n_nics; i++) {
        in->ok = !has_address(row, from->nics[i]) && in->ok;
        row->nics[i].network.value = from->nics[i]->network;
        row->nics[i].address = from->nics[i]->address;
        row->nics_count = i + 1;
    }
    for (uint32_t i = 0; i < from->n_labels; i++) {
        text_in(in, row->labels[i].key, sizeof(row->labels[i].key), from->labels[i]->key);
        text_in(in, row->labels[i].value, sizeof(row->labels[i].value), from->labels[i]->value);
    }
    row->labels_count = (uint32_t)from->n_labels;
}

static void instance_in(struct intake *in, struct instance_row *row, const Wire__InstanceRow *from)
{
    const Wire__Choice none = WIRE__CHOICE__INIT;
    const Wire__Choice *choice = from->choice == NULL ? &none : from->choice;
    row->choice =
        (struct choice){ choice->why, choice->nodes, choice->passed, { choice->runner_up } };
    row->tenant.value = from->tenant;
    row->project.value = from->project;
    tenant_text_in(in, &row->name, from->name);
    row->image.value = from->image;
    row->vcpus = from->vcpus;
    row->memory_bytes = from->memory_bytes;
    instance_lists_in(in, row, from);
    row->on_failure = from->on_failure;
    row->max_attempts = from->max_attempts;
    row->attempts = from->attempts;
    row->where = from->where;
    tenant_text_in(in, &row->spread, from->spread);
    row->state = from->state;
    row->desired = from->desired;
    text_in(in, row->reason, sizeof(row->reason), from->reason);
    row->node.value = from->node;
    row->generation = from->generation;
    row->epoch = from->epoch;
    row->boots = from->boots;
    row->held = from->held;
    row->operation.value = from->operation;
    row->force = from->force;
    row->created_at = from->created_at;
    row->revision = from->revision;
}

static void operation_in(
    struct intake *in, struct operation_row *row, const Wire__OperationRow *from)
{
    text_in(in, row->kind, sizeof(row->kind), from->kind);
    row->state = from->state;
    row->tenant.value = from->tenant;
    row->initiator_kind = from->initiator_kind;
    row->initiator = from->initiator;
    row->resource_kind = from->resource_kind;
    row->resource = from->resource;
    tenant_text_in(in, &row->resource_name, from->resource_name);
    row->reject = from->reject;
    text_in(in, row->reason, sizeof(row->reason), from->reason);
    row->created_at = from->created_at;
    row->done_at = from->done_at;
    row->done_ms = from->done_ms;
    row->asker_tenant.value = from->asker_tenant;
    text_in(in, row->key, sizeof(row->key), from->key);
    hash_in(in, row->request_digest, sizeof(row->request_digest), &from->request_digest);
    row->made_ms = from->made_ms;
    row->counted = from->counted;
}

static void alarm_in(struct intake *in, struct alarm_row *row, const Wire__AlarmRow *from)
{
    text_in(in, row->name, sizeof(row->name), from->name);
    row->kind = from->kind;
    row->subject = from->subject;
    text_in(in, row->reason, sizeof(row->reason), from->reason);
    row->since_at = from->since_at;
    row->cleared_at = from->cleared_at;
}

static void token_in(struct intake *in, struct token_row *row, const Wire__TokenRow *from)
{
    row->kind = from->kind;
    hash_in(in, row->secret_sha256, 32, &from->secret_sha256);
    text_in(in, row->name, sizeof(row->name), from->name);
    place_in(in, &row->place, from->place);
    row->expires_ms = from->expires_ms;
    row->expires_at = from->expires_at;
    row->subject = from->subject;
    row->used = from->csr_sha256.len != 0;
    hash_or_none_in(in, row->csr_sha256, 32, &from->csr_sha256);
}

static const ProtobufCMessageDescriptor *const types[] = {
    [TABLE_CELL] = &wire__cell_row__descriptor,
    [TABLE_CONTROLLER] = &wire__controller_row__descriptor,
    [TABLE_NODE] = &wire__node_row__descriptor,
    [TABLE_TENANT] = &wire__tenant_row__descriptor,
    [TABLE_PROJECT] = &wire__project_row__descriptor,
    [TABLE_USER] = &wire__user_row__descriptor,
    [TABLE_IMAGE] = &wire__image_row__descriptor,
    [TABLE_NETWORK] = &wire__network_row__descriptor,
    [TABLE_INSTANCE] = &wire__instance_row__descriptor,
    [TABLE_OPERATION] = &wire__operation_row__descriptor,
    [TABLE_ALARM] = &wire__alarm_row__descriptor,
    [TABLE_TOKEN] = &wire__token_row__descriptor,
};
_Static_assert(COUNT_OF(types) == TABLES_END, "every table has its type");

/* The first field of every row. */
static uint32_t format_of(const ProtobufCMessageDescriptor *type, const void *message)
{
    uint32_t format = 0;
    memcpy(&format, (const uint8_t *)message + type->fields[0].offset, sizeof(format));
    return format;
}

static void row_in(
    struct intake *in,
    const struct state *state,
    enum state_table table,
    void *row,
    const void *message)
{
    switch (table) {
    case TABLE_CELL: cell_in(in, row, message); return;
    case TABLE_CONTROLLER: controller_in(in, row, message); return;
    case TABLE_NODE: node_in(in, row, message); return;
    case TABLE_TENANT: tenant_in(in, row, message); return;
    case TABLE_PROJECT: project_in(in, state, row, message); return;
    case TABLE_USER: user_in(in, row, message); return;
    case TABLE_IMAGE: image_in(in, row, message); return;
    case TABLE_NETWORK: network_in(in, row, message); return;
    case TABLE_INSTANCE: instance_in(in, row, message); return;
    case TABLE_OPERATION: operation_in(in, row, message); return;
    case TABLE_ALARM: alarm_in(in, row, message); return;
    case TABLE_TOKEN: token_in(in, row, message); return;
    case TABLES_END: break;
    }
    UNREACHABLE();
}

/* INV-LED-3: what tenants were promised together is a number. The sums are counted anew once all
 * rows are there. */
static bool promise_fits(struct state *state, const struct tenant_row *tenant)
{
    struct quota_amounts claim = state_claim(tenant);
    for (uint32_t d = 0; d < QUOTA_DIMENSIONS; d++) {
        if (claim.of[d] > QUOTA_PROMISED_MAX - state->sums.claims.of[d]) {
            return false;
        }
    }
    quota_amounts_add(&state->sums.claims, &claim);
    return true;
}

/* Nodes, tenants and networks were there before: tables are kept in their order. */
static bool is_somewhere(struct state *state, struct instance_row *row)
{
    return row->node.value == 0 || presence_put(state, row, 0);
}

RESULT rows_restore(
    struct state *state,
    enum state_table table,
    uint64_t id,
    struct slice bytes,
    struct arena *scratch)
{
    CHECK(table >= TABLE_CELL && table < TABLES_END);
    const void *message = NULL;
    size_t mark = scratch->used;
    if (id_cell(id) != state->cell || id_sequence(id) == 0 ||
        wire_decode(types[table], bytes, scratch, &message).code != 0 ||
        format_of(types[table], message) != ROW_FORMAT) {
        scratch->used = mark;
        return FAIL(FAILURE_CORRUPT);
    }
    if (state_full(state, table)) {
        scratch->used = mark;
        return FAIL(FAILURE_FULL);
    }
    struct intake in = { .ok = true };
    void *row = state_insert(state, table, id);
    CHECK(row != NULL);
    row_in(&in, state, table, row, message);
    /* INV-REF-1: what is restored is what was stored, or replicas would not have one digest. */
    in.ok = in.ok && slice_equal(rows_encode(table, row, scratch), bytes);
    scratch->used = mark;
    in.ok = in.ok && (table != TABLE_TENANT || promise_fits(state, row));
    in.ok = in.ok && (table != TABLE_INSTANCE || is_somewhere(state, row));
    if (!in.ok) {
        return FAIL(
            FAILURE_CORRUPT); /* The caller drops the whole state: a restore is all or nothing. */
    }
    if (table == TABLE_CELL) {
        state->hash_key = ((struct cell_row *)row)->hash_key;
    }
    bool gone = table == TABLE_TENANT && ((struct tenant_row *)row)->gone;
    if (!gone && !(table == TABLE_OPERATION && MUTANT(IDEM_NOT_FOUND_AGAIN))) {
        state_index(state, table, row, true);
    }
    return OK;
}
