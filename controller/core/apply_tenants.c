/* Decides about tenants, projects and their quotas. */
#include "base/check.h"
#include "controller/core/apply.h"

#include <string.h>

static const char no_tenant[] = "There is no such tenant.";
static const char no_project[] = "There is no such project.";

struct tenant_row *apply_tenant(
    const struct apply *apply, struct outcome *outcome, const char *tenant)
{
    struct tenant_row *row = state_lookup(apply->state, TABLE_TENANT, 0, tenant);
    enum reject reject =
        row == NULL ? REJECT_NOT_FOUND : access_decide(&apply->who, apply->operation, row->head.id);
    if (reject != REJECT_NONE) { /* INV-SEC-1: another's looks like none. */
        const char *detail = reject == REJECT_NOT_FOUND ? no_tenant : "This role may not do this.";
        refuse(apply, outcome, reject, detail, "/tenant", "");
        return NULL;
    }
    return row;
}

struct project_row *apply_project(
    const struct apply *apply, struct outcome *outcome, const char *tenant, const char *project)
{
    struct tenant_row *owner = apply_tenant(apply, outcome, tenant);
    if (owner == NULL) {
        return NULL;
    }
    const char *name = project[0] == '\0' ? "default" : project;
    struct project_row *row = state_lookup(apply->state, TABLE_PROJECT, owner->head.id, name);
    if (row == NULL) {
        refuse(apply, outcome, REJECT_NOT_FOUND, no_project, "/project", "");
    }
    return row;
}

static struct quota_amounts amounts_of(const Wire__Quantities *from, uint64_t otherwise)
{
    struct quota_amounts to = { { otherwise, otherwise, otherwise, otherwise } };
    if (from != NULL) {
        to.of[QUOTA_VCPUS] = from->vcpus;
        to.of[QUOTA_MEMORY_BYTES] = from->memory_bytes;
        to.of[QUOTA_INSTANCES] = from->instances;
        to.of[QUOTA_NETWORKS] = from->networks;
    }
    return to;
}

/* Floors within caps, and Σ floors within what the cell can promise. INV-LED-3 */
static bool floors_fit(
    const struct apply *apply,
    struct outcome *outcome,
    const struct quota_amounts *others,
    const struct quota_amounts *floor,
    const struct quota_amounts *cap)
{
    struct quota_refusal refusal = { 0 };
    enum reject reject = floor_within_cap(floor, cap, &refusal);
    if (reject == REJECT_NONE) {
        struct quota_amounts reserve =
            floor_reserve(&apply->state->sums.capacity, state_cell(apply->state)->reserve_percent);
        reject = floor_admissible(others, floor, &apply->state->sums.capacity, &reserve, &refusal);
    }
    if (reject == REJECT_NONE) {
        return true;
    }
    refuse_quota(apply, outcome, reject, &refusal);
    if (reject == REJECT_BAD_FIELD) {
        outcome->problem.detail = "A floor is above its cap.";
        outcome->problem.pointer = "/floor";
    }
    return false;
}

static struct project_row *project_made(
    struct apply *apply,
    struct tenant_row *tenant,
    const char *name,
    bool is_default,
    const struct quota_amounts *cap)
{
    uint64_t id = state_next_id(apply->state);
    struct project_row *row = state_insert(apply->state, TABLE_PROJECT, id);
    CHECK(row != NULL);
    row->tenant.value = tenant->head.id;
    bool named = tenant_text_set(&row->name, name);
    CHECK(named);
    row->is_default = is_default;
    ledger_open(&row->account, id, &tenant->account);
    row->account.cap = *cap;
    row->created_at = apply->wall_ms;
    state_index(apply->state, TABLE_PROJECT, row, true);
    return row;
}

static void tenant_create(
    struct apply *apply, const Wire__TenantCreate *create, struct outcome *outcome)
{
    struct quota_amounts none = { { 0 } };
    if (!apply_name_free(apply, outcome, TABLE_TENANT, 0, create->name)) {
        return;
    }
    if (create->cap == NULL) {
        refuse(
            apply,
            outcome,
            REJECT_BAD_FIELD,
            "A tenant has a cap in every dimension.",
            "/cap",
            "Give vcpus, memory_bytes, instances and networks.");
        return;
    }
    struct quota_amounts floor = create->floor == NULL ? none : amounts_of(create->floor, 0);
    struct quota_amounts cap = amounts_of(create->cap, 0);
    if (!floors_fit(apply, outcome, &apply->state->sums.floors, &floor, &cap)) {
        return;
    }
    if (state_full(apply->state, TABLE_PROJECT)) {
        refuse(apply, outcome, REJECT_TABLE_FULL, "The cell holds no more projects.", "", "");
        return;
    }
    if (apply->dry) {
        return;
    }
    uint64_t id = state_next_id(apply->state);
    struct tenant_row *row = state_insert(apply->state, TABLE_TENANT, id);
    CHECK(row != NULL);
    bool named = tenant_text_set(&row->name, create->name);
    CHECK(named);
    ledger_open(&row->account, id, NULL);
    row->account.floor = floor;
    row->account.cap = cap;
    row->created_at = apply->wall_ms;
    row->revision = 1;
    state_index(apply->state, TABLE_TENANT, row, true);
    struct quota_amounts no_cap = amounts_of(NULL, QUOTA_UNLIMITED);
    (void)project_made(apply, row, "default", true, &no_cap);
    state_recount(apply->state);
    (void)apply_operation(apply, outcome, id, WIRE__KIND__KIND_TENANT, id, row->name.text, true);
}

static void tenant_delete(
    struct apply *apply, const Wire__TenantDelete *delete, struct outcome *outcome)
{
    struct tenant_row *row = apply_tenant(apply, outcome, delete->tenant);
    if (row == NULL) {
        return;
    }
    struct project_row *project =
        state_lookup(apply->state, TABLE_PROJECT, row->head.id, "default");
    CHECK(project != NULL);
    if (!apply_matches(apply, outcome, row->revision)) {
        return;
    }
    if (row->children != 0 || project->children != 0 || !ledger_empty(&row->account)) {
        refuse(
            apply,
            outcome,
            REJECT_IN_USE,
            "The tenant still has projects, users or objects.",
            "",
            "Delete its instances, networks, users and projects first.");
        return;
    }
    if (apply->dry) {
        return;
    }
    (void)apply_operation(
        apply, outcome, row->head.id, WIRE__KIND__KIND_TENANT, row->head.id, row->name.text, true);
    state_index(apply->state, TABLE_PROJECT, project, false);
    state_remove(apply->state, TABLE_PROJECT, project);
    state_index(apply->state, TABLE_TENANT, row, false);
    row->gone = true; /* The row stays: signed maps commit to its sub-log. INV-AUD-2 */
    memset(&row->name, 0, sizeof(row->name));
    ledger_open(&row->account, row->head.id, NULL);
    state_touch(apply->state, TABLE_TENANT, row);
    state_recount(apply->state);
}

static void project_create(
    struct apply *apply, const Wire__ProjectCreate *create, struct outcome *outcome)
{
    struct tenant_row *tenant = apply_tenant(apply, outcome, create->tenant);
    if (tenant == NULL ||
        !apply_name_free(apply, outcome, TABLE_PROJECT, tenant->head.id, create->name)) {
        return;
    }
    uint32_t left = apply->state->limit[TABLE_PROJECT] - state_count(apply->state, TABLE_PROJECT);
    if (!state_may_take(tenant->children, left)) { /* INV-SHARE-1 */
        refuse(
            apply,
            outcome,
            REJECT_TABLE_FULL,
            "This tenant has its share of the cell's projects.",
            "",
            "Delete some: a project is taken only while fewer are yours than are left.");
        outcome->problem.limit = left;
        outcome->problem.usage = tenant->children;
        return;
    }
    if (apply->dry) {
        return;
    }
    struct quota_amounts cap = amounts_of(create->cap, QUOTA_UNLIMITED);
    struct project_row *row = project_made(apply, tenant, create->name, false, &cap);
    tenant->children++;
    state_touch(apply->state, TABLE_TENANT, tenant);
    (void)apply_operation(
        apply,
        outcome,
        tenant->head.id,
        WIRE__KIND__KIND_PROJECT,
        row->head.id,
        row->name.text,
        true);
}

static void project_delete(
    struct apply *apply, const Wire__ProjectDelete *delete, struct outcome *outcome)
{
    struct project_row *row = apply_project(apply, outcome, delete->tenant, delete->project);
    if (row == NULL) {
        return;
    }
    if (row->is_default || row->children != 0 || !ledger_empty(&row->account)) {
        refuse(
            apply,
            outcome,
            REJECT_IN_USE,
            row->is_default ? "The default project goes with its tenant."
                            : "The project still has objects.",
            "",
            row->is_default ? "" : "Delete its instances and networks first.");
        return;
    }
    if (apply->dry) {
        return;
    }
    struct tenant_row *tenant = state_find(apply->state, TABLE_TENANT, row->tenant.value);
    CHECK(tenant != NULL && tenant->children > 0);
    tenant->children--;
    state_touch(apply->state, TABLE_TENANT, tenant);
    (void)apply_operation(
        apply,
        outcome,
        tenant->head.id,
        WIRE__KIND__KIND_PROJECT,
        row->head.id,
        row->name.text,
        true);
    state_index(apply->state, TABLE_PROJECT, row, false);
    state_remove(apply->state, TABLE_PROJECT, row);
}

static void quota_set(struct apply *apply, const Wire__QuotaSet *set, struct outcome *outcome)
{
    struct tenant_row *tenant = apply_tenant(apply, outcome, set->tenant);
    struct project_row *project = NULL;
    if (tenant == NULL || !apply_matches(apply, outcome, tenant->revision)) {
        return;
    }
    if (set->project[0] != '\0') {
        project = apply_project(apply, outcome, set->tenant, set->project);
        if (project == NULL) {
            return;
        }
    }
    struct quota_account *account = project != NULL ? &project->account : &tenant->account;
    struct quota_amounts floor = set->floor == NULL ? account->floor : amounts_of(set->floor, 0);
    struct quota_amounts cap = set->cap == NULL ? account->cap : amounts_of(set->cap, 0);
    if (project != NULL && set->floor != NULL) {
        refuse(apply, outcome, REJECT_BAD_FIELD, "Only a tenant has a floor.", "/floor", "");
        return;
    }
    struct quota_amounts others = apply->state->sums.floors;
    quota_amounts_subtract(&others, &tenant->account.floor);
    if (project == NULL && !floors_fit(apply, outcome, &others, &floor, &cap)) {
        return;
    }
    if (apply->dry) {
        return;
    }
    account->floor = floor;
    account->cap = cap;
    tenant->revision++;
    state_touch(apply->state, TABLE_TENANT, tenant);
    if (project != NULL) {
        state_touch(apply->state, TABLE_PROJECT, project);
    }
    state_recount(apply->state);
    uint64_t id = project != NULL ? project->head.id : tenant->head.id;
    (void)apply_operation(
        apply,
        outcome,
        tenant->head.id,
        project != NULL ? WIRE__KIND__KIND_PROJECT : WIRE__KIND__KIND_TENANT,
        id,
        project != NULL ? project->name.text : tenant->name.text,
        true);
}

void apply_tenants(struct apply *apply, const Wire__Request *request, struct outcome *outcome)
{
    if (request->body_case == WIRE__REQUEST__BODY_TENANT_CREATE) {
        tenant_create(apply, request->tenant_create, outcome);
    } else if (request->body_case == WIRE__REQUEST__BODY_TENANT_DELETE) {
        tenant_delete(apply, request->tenant_delete, outcome);
    } else if (request->body_case == WIRE__REQUEST__BODY_PROJECT_CREATE) {
        project_create(apply, request->project_create, outcome);
    } else if (request->body_case == WIRE__REQUEST__BODY_PROJECT_DELETE) {
        project_delete(apply, request->project_delete, outcome);
    } else {
        CHECK(request->body_case == WIRE__REQUEST__BODY_QUOTA_SET);
        quota_set(apply, request->quota_set, outcome);
    }
}
