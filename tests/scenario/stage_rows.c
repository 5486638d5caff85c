/* Reads rows as a person would see them. */
#include "tests/scenario/stage_rows.h"

#include "base/check.h"
#include "controller/core/instance.h"
#include "isolation/network.h"

#include <string.h>

static const struct project_row *project_of(
    const struct state *state, const char *tenant, const char *project)
{
    const struct tenant_row *owner = state_lookup(state, TABLE_TENANT, 0, tenant);
    const char *name = project == NULL ? "default" : project;
    return owner == NULL ? NULL : state_lookup(state, TABLE_PROJECT, owner->head.id, name);
}

const struct instance_row *rows_instance(
    const struct state *state, const char *tenant, const char *name)
{
    const struct project_row *project = project_of(state, tenant, NULL);
    return project == NULL ? NULL : state_lookup(state, TABLE_INSTANCE, project->head.id, name);
}

void rows_see_instance(
    const struct state *state, const char *tenant, const char *name, struct seen_instance *seen_out)
{
    const struct instance_row *row = rows_instance(state, tenant, name);
    *seen_out = (struct seen_instance){ .there = row != NULL };
    if (row == NULL) {
        return;
    }
    const struct node_row *node = state_find(state, TABLE_NODE, row->node.value);
    const char *is = sm_name(&instance_machine, row->state);
    (void)text_copy(seen_out->state, sizeof(seen_out->state), slice_text(is));
    (void)text_copy(
        seen_out->node, sizeof(seen_out->node), slice_text(node == NULL ? "" : node->name));
    (void)text_copy(seen_out->reason, sizeof(seen_out->reason), slice_text(row->reason));
    char address[NETWORK_ADDRESS_TEXT];
    network_address_format(row->nics_count > 0 ? row->nics[0].address : 0, address);
    (void)text_copy(seen_out->address, sizeof(seen_out->address), slice_text(address));
    seen_out->generation = row->generation;
    seen_out->epoch = row->epoch;
    seen_out->attempts = row->attempts;
}

void rows_see_account(
    const struct state *state,
    const char *tenant,
    const char *project,
    struct seen_account *seen_out)
{
    const struct tenant_row *owner = state_lookup(state, TABLE_TENANT, 0, tenant);
    const struct project_row *part = project == NULL ? NULL : project_of(state, tenant, project);
    const struct quota_account *account = project != NULL ? (part == NULL ? NULL : &part->account)
                                          : owner != NULL ? &owner->account
                                                          : NULL;
    *seen_out = (struct seen_account){ .there = account != NULL };
    if (account == NULL) {
        return;
    }
    seen_out->used = account->used;
    seen_out->held = account->held;
    if (project == NULL) {
        seen_out->placed = state_placed(owner);
        seen_out->has_placed = true;
    }
}

void rows_see_node(const struct state *state, const char *name, struct seen_node *seen_out)
{
    static const char *const words[] = { "unset", "joined", "alive", "unknown" };
    const struct node_row *row = state_lookup(state, TABLE_NODE, 0, name);
    *seen_out = (struct seen_node){ .there = row != NULL };
    if (row == NULL) {
        return;
    }
    CHECK((size_t)row->liveness < COUNT_OF(words));
    (void)text_copy(
        seen_out->liveness, sizeof(seen_out->liveness), slice_text(words[row->liveness]));
    seen_out->placed = (struct quota_amounts){
        { row->vcpus_placed, row->memory_bytes_placed, row->instances, 0 }
    };
}

void rows_see_operation(const struct state *state, const char *name, char out[static STAGE_NAME])
{
    static const char *const states[] = { "", "running", "done", "failed", "cancelled" };
    const struct operation_row *newest = NULL;
    for (const struct operation_row *row = state_first(state, TABLE_OPERATION); row != NULL;
         row = state_next(state, TABLE_OPERATION, row)) {
        newest = strcmp(row->resource_name.text, name) == 0 ? row : newest;
    }
    (void)text_copy(out, STAGE_NAME, slice_text(newest == NULL ? "" : states[newest->state]));
}

uint64_t rows_count(const struct state *state, enum seen_count what, const char *name)
{
    uint64_t count = 0;
    if (what == SEEN_ALARMS) {
        for (const struct alarm_row *row = state_first(state, TABLE_ALARM); row != NULL;
             row = state_next(state, TABLE_ALARM, row)) {
            count += row->cleared_at == 0 && strcmp(row->name, name) == 0 ? 1 : 0;
        }
        return count;
    }
    CHECK(what == SEEN_INSTANCES || what == SEEN_NETWORKS);
    const struct tenant_row *owner = state_lookup(state, TABLE_TENANT, 0, name);
    enum state_table table = what == SEEN_INSTANCES ? TABLE_INSTANCE : TABLE_NETWORK;
    for (const void *row = state_first(state, table); row != NULL && owner != NULL;
         row = state_next(state, table, row)) {
        uint64_t of = table == TABLE_INSTANCE ? ((const struct instance_row *)row)->tenant.value
                                              : ((const struct network_row *)row)->tenant.value;
        count += of == owner->head.id ? 1 : 0;
    }
    return count;
}

const struct user_row *rows_person(const struct state *state, const char *name)
{
    return state_lookup(state, TABLE_USER, 0, name);
}
