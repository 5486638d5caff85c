/* Decides what a request for an instance does: create, start, stop, reboot, delete. What its node
 * says of it afterwards is apply_reports.c's. */
#include "base/check.h"
#include "base/mutant.h"
#include "controller/core/instance.h"
#include "isolation/network.h"

#include <string.h>

#define S(name) WIRE__INSTANCE_STATE__INSTANCE_STATE_##name

enum { ATTEMPTS_DEFAULT = 3 };

/* ---- Create ---- */

/* What a create request names, resolved. */
struct wish {
    struct project_row *project;
    struct tenant_row *tenant;
    struct image_row *image;
    struct network_row *networks[LIMIT_INSTANCE_NETWORKS];
    uint32_t addresses[LIMIT_INSTANCE_NETWORKS];
    uint32_t networks_count;
    struct node_row *node; /* NULL: stopped, or not chosen yet. */
};

static bool field_bad(
    const struct apply *apply, struct outcome *outcome, const char *pointer, const char *detail)
{
    refuse(apply, outcome, REJECT_BAD_FIELD, detail, pointer, "");
    return false;
}

static bool labels_sound(
    const struct apply *apply, struct outcome *outcome, const Wire__InstanceCreate *create)
{
    if (create->n_labels > LIMIT_LABELS) {
        return field_bad(apply, outcome, "/labels", "At most 8 labels.");
    }
    for (size_t i = 0; i < create->n_labels; i++) {
        char room[LIMIT_LABEL_VALUE];
        const Wire__Label *label = create->labels[i];
        if (!text_is_name(label->key) || strlen(label->key) >= LIMIT_LABEL_KEY ||
            !text_copy(room, sizeof(room), slice_text(label->value))) {
            return field_bad(
                apply, outcome, "/labels", "A label's key is a short name, its value short text.");
        }
        for (size_t j = 0; j < i; j++) { /* Which of two values counts is nobody's guess. */
            if (strcmp(label->key, create->labels[j]->key) == 0) {
                return field_bad(apply, outcome, "/labels", "A label's key is given twice.");
            }
        }
    }
    return true;
}

static bool shape_sound(
    const struct apply *apply, struct outcome *outcome, const Wire__InstanceCreate *create)
{
    if (create->vcpus == 0 || create->vcpus > LIMIT_VCPUS) {
        return field_bad(apply, outcome, "/vcpus", "1 to 64 vcpus.");
    }
    if (create->memory_bytes < LIMIT_MEMORY_BYTES_MIN ||
        create->memory_bytes > LIMIT_MEMORY_BYTES_MAX || create->memory_bytes % (1U << 20) != 0) {
        return field_bad(apply, outcome, "/memory_bytes", "Whole MiB, 16 MiB to 4 TiB.");
    }
    if (create->max_attempts > LIMIT_ATTEMPTS) {
        return field_bad(apply, outcome, "/max_attempts", "At most 100 attempts.");
    }
    if (create->n_networks > LIMIT_INSTANCE_NETWORKS) {
        return field_bad(apply, outcome, "/networks", "At most 4 networks.");
    }
    if (create->spread[0] != '\0' && !text_is_name(create->spread)) {
        return field_bad(apply, outcome, "/spread", "A spread group is a name.");
    }
    if (create->where == WIRE__WHERE__WHERE_ELSEWHERE) {
        refuse(
            apply,
            outcome,
            REJECT_UNSUPPORTED,
            "elsewhere needs fencing, which this release does not have: an instance could run "
            "twice.",
            "/where",
            "Use here.");
        return false;
    }
    return labels_sound(apply, outcome, create);
}

/* The next free address after the network's cursor; 0: none. */
static uint32_t free_address(const struct state *state, const struct network_row *network)
{
    struct network_cidr cidr = { network->base, network->prefix };
    uint32_t count = network_address_count(cidr);
    struct network_id id = { network->head.id };
    if (network->addresses >= count) {
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t address = network_address_at(cidr, (network->cursor + i) % count);
        if (state_address(state, id, address) == NULL) { /* INV-NET-3: one owner of an address. */
            return address;
        }
    }
    return 0;
}

static bool networks_resolve(
    const struct apply *apply,
    struct outcome *outcome,
    const Wire__InstanceCreate *create,
    struct wish *wish)
{
    for (size_t i = 0; i < create->n_networks; i++) {
        struct network_row *network =
            state_lookup(apply->state, TABLE_NETWORK, wish->project->head.id, create->networks[i]);
        if (network == NULL) {
            refuse(apply, outcome, REJECT_NOT_FOUND, "There is no such network.", "/networks", "");
            return false;
        }
        for (uint32_t k = 0; k < wish->networks_count; k++) {
            if (wish->networks[k] == network) {
                return field_bad(apply, outcome, "/networks", "Each network once.");
            }
        }
        uint32_t address = free_address(apply->state, network);
        if (address == 0) {
            refuse(
                apply,
                outcome,
                REJECT_NO_CAPACITY,
                "The network has no free address.",
                "/networks",
                "Use another network.");
            outcome->problem.dimension = "addresses";
            outcome->problem.usage = network->addresses;
            return false;
        }
        wish->addresses[wish->networks_count] = address;
        wish->networks[wish->networks_count++] = network;
    }
    return true;
}

/* The leader's choice of a node is held to every hard constraint again. INV-SCH-3 */
static bool node_holds(
    const struct apply *apply,
    struct outcome *outcome,
    const struct tenant_row *tenant,
    const struct image_row *image,
    uint32_t vcpus,
    uint64_t memory_bytes,
    struct node_row **node_out)
{
    struct quota_refusal refusal = { 0 };
    enum reject reject = instance_fits_floor(apply->state, tenant, vcpus, memory_bytes, &refusal);
    if (reject != REJECT_NONE) {
        refuse_quota(apply, outcome, reject, &refusal);
        return false;
    }
    if (apply->dry && apply->asked->node == 0) {
        return true; /* The planner chooses next. */
    }
    struct node_row *node = state_find(apply->state, TABLE_NODE, apply->asked->node);
    if (node == NULL || !instance_fits_node(apply->state, node, image, vcpus, memory_bytes)) {
        refuse(
            apply,
            outcome,
            REJECT_CONFLICT,
            "The chosen node no longer has room for it.",
            "",
            "Try again.");
        return false;
    }
    *node_out = node;
    return true;
}

static bool create_resolves(
    const struct apply *apply,
    struct outcome *outcome,
    const Wire__InstanceCreate *create,
    struct wish *wish)
{
    wish->project = apply_project(apply, outcome, create->tenant, create->project);
    if (wish->project == NULL || !shape_sound(apply, outcome, create) ||
        !apply_name_free(apply, outcome, TABLE_INSTANCE, wish->project->head.id, create->name)) {
        return false;
    }
    wish->tenant = state_find(apply->state, TABLE_TENANT, wish->project->tenant.value);
    CHECK(wish->tenant != NULL);
    wish->image = state_lookup(apply->state, TABLE_IMAGE, 0, create->image);
    if (wish->image == NULL) {
        refuse(apply, outcome, REJECT_NOT_FOUND, "There is no such image.", "/image", "");
        return false;
    }
    struct quota_amounts amounts = { { 0 } };
    amounts.of[QUOTA_VCPUS] = create->vcpus;
    amounts.of[QUOTA_MEMORY_BYTES] = create->memory_bytes;
    amounts.of[QUOTA_INSTANCES] = 1;
    struct quota_refusal refusal = { 0 };
    enum reject reject = ledger_fits(&wish->project->account, &amounts, &refusal);
    if (reject != REJECT_NONE) {
        refuse_quota(apply, outcome, reject, &refusal);
        return false;
    }
    if (!networks_resolve(apply, outcome, create, wish)) {
        return false;
    }
    return create->stopped || node_holds(
                                  apply,
                                  outcome,
                                  wish->tenant,
                                  wish->image,
                                  create->vcpus,
                                  create->memory_bytes,
                                  &wish->node);
}

static void nics_take(struct apply *apply, struct instance_row *row, const struct wish *wish)
{
    for (uint32_t i = 0; i < wish->networks_count; i++) {
        struct network_row *network = wish->networks[i];
        struct network_cidr cidr = { network->base, network->prefix };
        uint32_t index = 0;
        bool ours = network_address_index(cidr, wish->addresses[i], &index);
        CHECK(ours);
        row->nics[i].network.value = network->head.id;
        row->nics[i].address = wish->addresses[i];
        network->addresses++;
        network->cursor = (index + 1) % network_address_count(cidr);
        state_touch(apply->state, TABLE_NETWORK, network);
    }
    row->nics_count = wish->networks_count;
}

static void row_fill(
    struct apply *apply,
    struct instance_row *row,
    const Wire__InstanceCreate *create,
    const struct wish *wish)
{
    row->tenant.value = wish->tenant->head.id;
    row->project.value = wish->project->head.id;
    row->image.value = wish->image->head.id;
    bool named =
        tenant_text_set(&row->name, create->name) && tenant_text_set(&row->spread, create->spread);
    CHECK(named);
    row->vcpus = create->vcpus;
    row->memory_bytes = create->memory_bytes;
    for (uint32_t i = 0; i < create->n_labels; i++) {
        struct label *label = &row->labels[i];
        bool fits =
            text_copy(label->key, sizeof(label->key), slice_text(create->labels[i]->key)) &&
            text_copy(label->value, sizeof(label->value), slice_text(create->labels[i]->value));
        CHECK(fits);
    }
    row->labels_count = (uint32_t)create->n_labels;
    row->on_failure = create->on_failure == WIRE__ON_FAILURE__ON_FAILURE_UNSET
                          ? WIRE__ON_FAILURE__ON_FAILURE_RESTART
                          : create->on_failure;
    row->max_attempts = create->max_attempts == 0 ? ATTEMPTS_DEFAULT : create->max_attempts;
    row->where = WIRE__WHERE__WHERE_HERE;
    row->desired =
        create->stopped ? WIRE__DESIRED__DESIRED_STOPPED : WIRE__DESIRED__DESIRED_RUNNING;
    row->generation = 1;
    row->boots = 1;
    row->held = true;
    row->created_at = apply->wall_ms;
    row->revision = 1;
    nics_take(apply, row, wish);
}

static void instance_create(
    struct apply *apply, const Wire__InstanceCreate *create, struct outcome *outcome)
{
    struct wish wish = { .networks_count = 0 };
    if (!create_resolves(apply, outcome, create, &wish) || apply->dry) {
        return;
    }
    uint64_t id = state_next_id(apply->state);
    struct instance_row *row = state_insert(apply->state, TABLE_INSTANCE, id);
    CHECK(row != NULL);
    row_fill(apply, row, create, &wish);
    state_index(apply->state, TABLE_INSTANCE, row, true);
    struct quota_amounts amounts = instance_amounts(row);
    struct quota_refusal refusal = { 0 };
    enum reject reject = ledger_hold(&wish.project->account, &amounts, &refusal);
    CHECK(reject == REJECT_NONE); /* ledger_fits said so above. */
    wish.project->children++;
    wish.image->instances++;
    state_touch(apply->state, TABLE_PROJECT, wish.project);
    state_touch(apply->state, TABLE_TENANT, wish.tenant);
    state_touch(apply->state, TABLE_IMAGE, wish.image);
    if (create->stopped) {
        instance_move(row, S(STOPPED));
        instance_commit(apply, row); /* It waits for nothing more. */
    } else {
        instance_move(row, S(STARTING));
        instance_place(apply, row, wish.node);
    }
    const struct operation_row *operation = apply_operation(
        apply,
        outcome,
        row->tenant.value,
        WIRE__KIND__KIND_INSTANCE,
        id,
        row->name.text,
        create->stopped);
    row->operation.value = create->stopped ? 0 : operation->head.id;
    apply_assign(apply, row->node.value, row);
}

/* ---- The others ---- */

static struct instance_row *instance_named(
    const struct apply *apply,
    struct outcome *outcome,
    const char *tenant,
    const char *project,
    const char *name)
{
    struct project_row *owner = apply_project(apply, outcome, tenant, project);
    if (owner == NULL) {
        return NULL;
    }
    struct instance_row *row = state_lookup(apply->state, TABLE_INSTANCE, owner->head.id, name);
    if (row == NULL) {
        refuse(apply, outcome, REJECT_NOT_FOUND, "There is no such instance.", "/instance", "");
        return NULL;
    }
    return apply_matches(apply, outcome, row->revision) ? row : NULL;
}

static bool state_is(
    const struct apply *apply,
    struct outcome *outcome,
    const struct instance_row *row,
    uint32_t states,
    const char *detail)
{
    if ((TO(row->state) & states) != 0) {
        return true;
    }
    refuse(apply, outcome, REJECT_STATE, detail, "", "");
    outcome->problem.holder = sm_name(&instance_machine, row->state);
    return false;
}

/* A new order: whatever was under way is overtaken, and says so. */
static void ordered(
    struct apply *apply, struct outcome *outcome, struct instance_row *row, bool done)
{
    if (row->operation.value != 0) {
        apply_operation_done(apply, row->operation, REJECT_CONFLICT, "overtaken by a later order");
    }
    const struct operation_row *operation = apply_operation(
        apply,
        outcome,
        row->tenant.value,
        WIRE__KIND__KIND_INSTANCE,
        row->head.id,
        row->name.text,
        done);
    row->operation.value = done ? 0 : operation->head.id;
    row->generation += MUTANT(GENERATION_NOT_RAISED) ? 0 : 1; /* INV-VM-2: none older is obeyed. */
    row->revision++;
    row->reason[0] = '\0';
    state_touch(apply->state, TABLE_INSTANCE, row);
}

/* A failed instance that is started again or deleted needs nobody's attention any more. */
static void failure_over(struct apply *apply, const struct instance_row *row, const char *why)
{
    apply_alarm(apply, "instance-failed", WIRE__KIND__KIND_INSTANCE, row->head.id, false, why);
}

static void instance_start(
    struct apply *apply, const Wire__InstanceStart *start, struct outcome *outcome)
{
    struct instance_row *row =
        instance_named(apply, outcome, start->tenant, start->project, start->instance);
    struct node_row *node = NULL;
    if (row == NULL || !state_is(
                           apply,
                           outcome,
                           row,
                           TO(S(STOPPED)) | TO(S(FAILED)),
                           "Only a stopped or failed instance can be started.")) {
        return;
    }
    const struct tenant_row *tenant = state_find(apply->state, TABLE_TENANT, row->tenant.value);
    const struct image_row *image = state_find(apply->state, TABLE_IMAGE, row->image.value);
    CHECK(tenant != NULL && image != NULL);
    if (!node_holds(apply, outcome, tenant, image, row->vcpus, row->memory_bytes, &node) ||
        apply->dry) {
        return;
    }
    row->desired = WIRE__DESIRED__DESIRED_RUNNING;
    row->attempts = 0;
    row->boots++;
    row->force = false;
    instance_move(row, S(STARTING));
    instance_place(apply, row, node);
    ordered(apply, outcome, row, false);
    failure_over(apply, row, "it was started again");
    apply_assign(apply, row->node.value, row);
}

static void instance_stop(
    struct apply *apply, const Wire__InstanceStop *stop, struct outcome *outcome)
{
    struct instance_row *row =
        instance_named(apply, outcome, stop->tenant, stop->project, stop->instance);
    if (row == NULL ||
        !state_is(
            apply,
            outcome,
            row,
            TO(S(STARTING)) | TO(S(RUNNING)) | TO(S(STOPPING)),
            "Only an instance that runs can be stopped.") ||
        apply->dry) {
        return;
    }
    row->desired = WIRE__DESIRED__DESIRED_STOPPED;
    row->force = stop->force;
    if (row->state != S(STOPPING)) {
        instance_move(row, S(STOPPING));
    }
    ordered(apply, outcome, row, false);
    apply_assign(apply, row->node.value, row);
}

static void instance_reboot(
    struct apply *apply, const Wire__InstanceReboot *reboot, struct outcome *outcome)
{
    struct instance_row *row =
        instance_named(apply, outcome, reboot->tenant, reboot->project, reboot->instance);
    if (row == NULL ||
        !state_is(
            apply, outcome, row, TO(S(RUNNING)), "Only a running instance can be rebooted.") ||
        apply->dry) {
        return;
    }
    row->boots++;
    row->attempts = 0;
    instance_move(row, S(STARTING));
    ordered(apply, outcome, row, false);
    apply_assign(apply, row->node.value, row);
}

static void instance_delete(
    struct apply *apply, const Wire__InstanceDelete *delete, struct outcome *outcome)
{
    struct instance_row *row =
        instance_named(apply, outcome, delete->tenant, delete->project, delete->instance);
    if (row == NULL) {
        return;
    }
    if (row->state == S(DELETING)) {
        refuse(apply, outcome, REJECT_STATE, "It is being deleted already.", "", "");
        return;
    }
    if (apply->dry) {
        return;
    }
    bool nowhere = row->node.value == 0;
    row->desired = WIRE__DESIRED__DESIRED_GONE;
    ordered(apply, outcome, row, nowhere);
    if (nowhere) {
        failure_over(apply, row, "it is gone");
        apply_event(
            apply, row->tenant.value, "instance-gone", WIRE__KIND__KIND_INSTANCE, row->head.id, "");
        instance_gone(apply, row);
        return;
    }
    instance_move(row, S(DELETING));
    const struct node_row *node = state_find(apply->state, TABLE_NODE, row->node.value);
    if (node != NULL && node->liveness != WIRE__LIVENESS__LIVENESS_ALIVE) {
        (void)text_copy(row->reason, sizeof(row->reason), slice_text(INSTANCE_NOT_HEARD));
    }
    apply_assign(apply, row->node.value, row);
}

void apply_instances(struct apply *apply, const Wire__Request *request, struct outcome *outcome)
{
    if (request->body_case == WIRE__REQUEST__BODY_INSTANCE_CREATE) {
        instance_create(apply, request->instance_create, outcome);
    } else if (request->body_case == WIRE__REQUEST__BODY_INSTANCE_START) {
        instance_start(apply, request->instance_start, outcome);
    } else if (request->body_case == WIRE__REQUEST__BODY_INSTANCE_STOP) {
        instance_stop(apply, request->instance_stop, outcome);
    } else if (request->body_case == WIRE__REQUEST__BODY_INSTANCE_REBOOT) {
        instance_reboot(apply, request->instance_reboot, outcome);
    } else {
        CHECK(request->body_case == WIRE__REQUEST__BODY_INSTANCE_DELETE);
        instance_delete(apply, request->instance_delete, outcome);
    }
}
