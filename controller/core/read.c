/* Decides what a read sees. Never changes a row, never decides whether the state is fresh. */
#include "controller/core/read.h"

#include "base/check.h"
#include "controller/core/access_read.h"
#include "controller/core/explain_read.h"
#include "controller/core/instance.h"

#include <string.h>

/* Answers fit one frame with its envelope; a list stops here and says where to go on. */
enum {
    ANSWER_BYTES_MAX = 96 * 1024,
    STATUS_ALARMS = 64, /* The first of those raised; the list of alarms has them all. */
    LIST_LOOK = 8192,   /* Rows looked at for one page, whoever they belong to. */
    BEGIN_LOOK = 4096,  /* Numbers below one that is gone, until there is a row. */
};

struct reading {
    const struct view_live *live;
    const struct state *state;
    struct apply seen; /* For the words of refusals and for authorization; dry. */
    struct outcome *outcome;
    Wire__Answer *answer;
};

/* The cell is read as its status; it is no object among others. */
static bool has_table(struct reading *r, enum state_table table)
{
    if (table != 0) {
        return true;
    }
    refuse(
        &r->seen,
        r->outcome,
        REJECT_UNSUPPORTED,
        "The cell itself is read as the cluster's status.",
        "/kind",
        "Ask: cluster status.");
    return false;
}

/* The tenant that owns a row; 0: the cell. */
static uint64_t owner_of(enum state_table table, const void *row)
{
    switch (table) {
    case TABLE_TENANT: return ((const struct tenant_row *)row)->head.id;
    case TABLE_PROJECT: return ((const struct project_row *)row)->tenant.value;
    case TABLE_USER: return ((const struct user_row *)row)->tenant.value;
    case TABLE_NETWORK: return ((const struct network_row *)row)->tenant.value;
    case TABLE_INSTANCE: return ((const struct instance_row *)row)->tenant.value;
    case TABLE_OPERATION: return ((const struct operation_row *)row)->tenant.value;
    case TABLE_CELL:
    case TABLE_CONTROLLER:
    case TABLE_NODE:
    case TABLE_IMAGE:
    case TABLE_ALARM:
    case TABLE_TOKEN:
    case TABLES_END: return 0;
    }
    UNREACHABLE();
}

static bool needs_project(enum state_table table)
{
    return table == TABLE_NETWORK || table == TABLE_INSTANCE;
}

static bool add_item(struct reading *r, enum state_table table, const void *row, size_t *bytes)
{
    Wire__Resource *item = views_of(r->live, table, row);
    if (item == NULL) {
        return false;
    }
    *bytes += protobuf_c_message_get_packed_size(&item->base) + 8;
    if (*bytes > ANSWER_BYTES_MAX && r->answer->n_items > 0) {
        return false;
    }
    r->answer->items[r->answer->n_items++] = item;
    return true;
}

/* ---- One ---- */

static void get(struct reading *r, const Wire__Get *what)
{
    enum state_table table = state_table_of(what->kind);
    uint64_t scope = 0;
    if (!has_table(r, table)) {
        return;
    }
    if (table == TABLE_PROJECT) {
        const struct tenant_row *tenant = apply_tenant(&r->seen, r->outcome, what->tenant);
        if (tenant == NULL) {
            return;
        }
        scope = tenant->head.id;
    } else if (needs_project(table)) {
        const struct project_row *project =
            apply_project(&r->seen, r->outcome, what->tenant, what->project);
        if (project == NULL) {
            return;
        }
        scope = project->head.id;
    }
    const char *name = table == TABLE_TENANT && what->name[0] == '\0' ? what->tenant : what->name;
    const void *row = state_lookup(r->state, table, scope, name);
    enum reject reject = row == NULL
                             ? REJECT_NOT_FOUND
                             : access_decide(&r->seen.who, r->seen.operation, owner_of(table, row));
    size_t bytes = 0;
    if (reject != REJECT_NONE) {
        refuse(&r->seen, r->outcome, reject, "There is no such object.", "/name", "");
    } else if (!add_item(r, table, row, &bytes)) {
        refuse(&r->seen, r->outcome, REJECT_OVERLOADED, "The answer is too large.", "", "");
    }
}

/* ---- Many ---- */

static bool selected(const struct instance_row *row, const Wire__List *what)
{
    for (size_t i = 0; i < what->n_selector; i++) {
        bool found = false;
        for (uint32_t k = 0; k < row->labels_count; k++) {
            found = found || (strcmp(row->labels[k].key, what->selector[i]->key) == 0 &&
                              strcmp(row->labels[k].value, what->selector[i]->value) == 0);
        }
        if (!found) {
            return false;
        }
    }
    return true;
}

struct list_scope {
    uint64_t tenant;  /* 0: every tenant's that the principal may see. */
    uint64_t project; /* 0: every project's. */
    uint64_t node;
};

static bool scope_resolve(struct reading *r, const Wire__List *what, struct list_scope *scope)
{
    if (r->seen.who.role == ACCESS_ROLE_TENANT) {
        scope->tenant = r->seen.who.tenant; /* INV-SEC-1 */
    }
    if (what->tenant[0] != '\0') {
        const struct tenant_row *tenant = apply_tenant(&r->seen, r->outcome, what->tenant);
        if (tenant == NULL) {
            return false;
        }
        scope->tenant = tenant->head.id;
    }
    if (what->project[0] != '\0') {
        const struct project_row *project =
            apply_project(&r->seen, r->outcome, what->tenant, what->project);
        if (project == NULL) {
            return false;
        }
        scope->project = project->head.id;
    }
    if (what->node[0] != '\0') {
        const struct node_row *node = state_lookup(r->state, TABLE_NODE, 0, what->node);
        if (node == NULL || r->seen.who.role == ACCESS_ROLE_TENANT) {
            refuse(&r->seen, r->outcome, REJECT_NOT_FOUND, "There is no such node.", "/node", "");
            return false;
        }
        scope->node = node->head.id;
    }
    return true;
}

static bool in_scope(
    const struct list_scope *scope, enum state_table table, const void *row, const Wire__List *what)
{
    if (table == TABLE_TENANT && ((const struct tenant_row *)row)->gone) {
        return false;
    }
    bool shared = table == TABLE_IMAGE; /* Images are the provider's, for every tenant to use. */
    if (scope->tenant != 0 && !shared && owner_of(table, row) != scope->tenant) {
        return false;
    }
    if (table == TABLE_INSTANCE) {
        const struct instance_row *instance = row;
        return (scope->project == 0 || instance->project.value == scope->project) &&
               (scope->node == 0 || instance->node.value == scope->node) &&
               selected(instance, what);
    }
    return table != TABLE_NETWORK || scope->project == 0 ||
           ((const struct network_row *)row)->project.value == scope->project;
}

/* The row to begin with: after the last one of the page before, or where it was. */
static const void *begin(const struct state *state, enum state_table table, uint64_t after)
{
    if (after == 0) {
        return state_first(state, table);
    }
    const void *row = state_find(state, table, after);
    if (row != NULL) {
        return state_next(state, table, row);
    }
    for (uint64_t id = after; row == NULL && id_sequence(id) > 1 && after - id < BEGIN_LOOK; id--) {
        row = state_find(state, table, id - 1); /* Gone meanwhile: from the one before it. */
    }
    row = row == NULL ? state_first(state, table) : row;
    while (row != NULL && ((const struct row_head *)row)->id <= after) {
        row = state_next(state, table, row);
    }
    return row;
}

static void list(struct reading *r, const Wire__List *what)
{
    enum state_table table = state_table_of(what->kind);
    struct list_scope scope = { 0, 0, 0 };
    uint32_t limit =
        what->limit == 0 || what->limit > LIMIT_LIST_PAGE ? LIMIT_LIST_PAGE : what->limit;
    if (!has_table(r, table) || !scope_resolve(r, what, &scope)) {
        return;
    }
    uint64_t last = 0;
    size_t bytes = 0;
    uint32_t looked = 0;
    uint64_t passed = 0;
    for (const void *row = begin(r->state, table, what->after); row != NULL;
         row = state_next(r->state, table, row)) {
        if (looked++ == LIST_LOOK) { /* A page may be empty; the next one goes on from here. */
            r->answer->next_after = passed;
            return;
        }
        passed = ((const struct row_head *)row)->id;
        if (!in_scope(&scope, table, row, what)) {
            continue;
        }
        if (r->answer->n_items == limit || !add_item(r, table, row, &bytes)) {
            r->answer->next_after = last; /* More follow. */
            return;
        }
        last = ((const struct row_head *)row)->id;
    }
}

/* ---- Others ---- */

static void quota_read(struct reading *r, const Wire__QuotaRead *what)
{
    const struct tenant_row *tenant = apply_tenant(&r->seen, r->outcome, what->tenant);
    const struct project_row *project = NULL;
    if (tenant == NULL) {
        return;
    }
    if (what->project[0] != '\0') {
        project = apply_project(&r->seen, r->outcome, what->tenant, what->project);
        if (project == NULL) {
            return;
        }
    }
    Wire__Resource *item = arena_take(r->live->arena, sizeof(*item));
    Wire__QuotaView *view = views_quota(r->live, tenant, project);
    if (item == NULL || view == NULL) {
        refuse(&r->seen, r->outcome, REJECT_OVERLOADED, "The answer is too large.", "", "");
        return;
    }
    wire__resource__init(item);
    item->view_case = WIRE__RESOURCE__VIEW_QUOTA;
    item->quota = view;
    r->answer->items[r->answer->n_items++] = item;
}

static uint32_t running(const struct state *state)
{
    uint32_t count = 0;
    for (const struct instance_row *row = state_first(state, TABLE_INSTANCE); row != NULL;
         row = state_next(state, TABLE_INSTANCE, row)) {
        count += row->state == WIRE__INSTANCE_STATE__INSTANCE_STATE_RUNNING ? 1 : 0;
    }
    return count;
}

static bool status_alarms(struct reading *r, Wire__ClusterStatus *status, bool of_instances)
{
    for (const struct alarm_row *row = state_first(r->state, TABLE_ALARM); row != NULL;
         row = state_next(r->state, TABLE_ALARM, row)) {
        bool listed = row->cleared_at == 0 && status->n_alarms < STATUS_ALARMS &&
                      (row->kind == WIRE__KIND__KIND_INSTANCE) == of_instances;
        if (listed) {
            status->alarms[status->n_alarms] = views_alarm(r->live, row);
            if (status->alarms[status->n_alarms++] == NULL) {
                return false;
            }
        }
    }
    return true;
}

/* The cell's own alarms come before those of tenants' instances. */
static bool status_lists(struct reading *r, Wire__ClusterStatus *status)
{
    struct arena *arena = r->live->arena;
    status->members =
        arena_take(arena, sizeof(*status->members) * (state_count(r->state, TABLE_CONTROLLER) + 1));
    status->alarms =
        arena_take(arena, sizeof(*status->alarms) * (state_count(r->state, TABLE_ALARM) + 1));
    if (status->members == NULL || status->alarms == NULL) {
        return false;
    }
    for (const struct controller_row *row = state_first(r->state, TABLE_CONTROLLER); row != NULL;
         row = state_next(r->state, TABLE_CONTROLLER, row)) {
        status->members[status->n_members] = views_controller(r->live, row);
        if (status->members[status->n_members++] == NULL) {
            return false;
        }
    }
    return status_alarms(r, status, false) && status_alarms(r, status, true);
}

/* The part of the status that rows know; engine.c adds the consensus. */
static void cluster_status(struct reading *r)
{
    const struct cell_row *cell = state_cell(r->state);
    Wire__ClusterStatus *status = arena_take(r->live->arena, sizeof(*status));
    if (status == NULL || cell == NULL) {
        refuse(&r->seen, r->outcome, REJECT_UNFIT, "This cell has not begun yet.", "", "");
        return;
    }
    wire__cluster_status__init(status);
    const struct controller_row *leader = state_find(r->state, TABLE_CONTROLLER, cell->leader);
    status->cell = apply_id_text(&r->seen, ID_CELL, cell->head.id);
    status->name = cell->name;
    status->leader = leader == NULL ? "" : leader->name;
    status->term = cell->term;
    status->feature_level = cell->feature_level;
    status->log_time_ms = cell->log_time_ms;
    status->controllers = state_count(r->state, TABLE_CONTROLLER);
    status->nodes = state_count(r->state, TABLE_NODE);
    for (const struct node_row *node = state_first(r->state, TABLE_NODE); node != NULL;
         node = state_next(r->state, TABLE_NODE, node)) {
        status->nodes_alive += node->liveness == WIRE__LIVENESS__LIVENESS_ALIVE ? 1 : 0;
    }
    for (const struct tenant_row *tenant = state_first(r->state, TABLE_TENANT); tenant != NULL;
         tenant = state_next(r->state, TABLE_TENANT, tenant)) {
        status->tenants += tenant->gone ? 0 : 1;
    }
    status->instances = state_count(r->state, TABLE_INSTANCE);
    status->instances_running = running(r->state);
    status->networks = state_count(r->state, TABLE_NETWORK);
    status->elections = cell->elections;
    status->audit_leaves = cell->frontier.size;
    status->checkpoint_size = cell->checkpoint_size;
    status->disputed_index = cell->disputed_index;
    status->ledger_mismatches = read_ledger_mismatches(r->state);
    if (!status_lists(r, status)) {
        refuse(&r->seen, r->outcome, REJECT_OVERLOADED, "The answer is too large.", "", "");
        return;
    }
    r->answer->cluster_status = status;
}

void read_answer(
    const struct view_live *live,
    struct nodes *nodes,
    const Wire__Request *request,
    struct outcome *outcome,
    Wire__Answer *answer)
{
    struct reading r = { .live = live, .state = live->state, .outcome = outcome, .answer = answer };
    Wire__Asked asked = WIRE__ASKED__INIT;
    r.seen = (struct apply){ .scratch = live->arena, .dry = true, .asked = &asked };
    memcpy(&r.seen.state, &live->state, sizeof(r.seen.state)); /* Dry: nothing is changed. */
    r.seen.operation = access_operation_of(request);
    (void)apply_principal(live->state, request->principal, &r.seen.who);
    answer->items = arena_take(live->arena, sizeof(*answer->items) * (LIMIT_LIST_PAGE + 1));
    CHECK(answer->items != NULL);
    enum reject reject =
        r.seen.who.revoked ? REJECT_REVOKED : access_decide_role(&r.seen.who, r.seen.operation);
    if (reject != REJECT_NONE) {
        refuse(&r.seen, outcome, reject, "This principal may not read this.", "", "");
    } else if (request->body_case == WIRE__REQUEST__BODY_GET) {
        get(&r, request->get);
    } else if (request->body_case == WIRE__REQUEST__BODY_LIST) {
        list(&r, request->list);
    } else if (request->body_case == WIRE__REQUEST__BODY_QUOTA_READ) {
        quota_read(&r, request->quota_read);
    } else if (request->body_case == WIRE__REQUEST__BODY_ACCESS_READ) {
        access_read(live, &r.seen, request->access_read, outcome, answer);
    } else if (request->body_case == WIRE__REQUEST__BODY_EXPLAIN) {
        explain_read(&r.seen, nodes, request->explain, outcome, answer);
    } else {
        CHECK(request->body_case == WIRE__REQUEST__BODY_CLUSTER_STATUS);
        cluster_status(&r);
    }
}

/* ---- The recount ---- */

/* Projects that are summed up in one look at all that they own; ids ascend, as walks do. */
enum { BOOKS = 128 };

struct books {
    const struct project_row *projects[BOOKS];
    struct ledger_sum sums[BOOKS];
    uint32_t count;
};

/* The sum of this project; NULL: it is in another look. */
static struct ledger_sum *book_of(struct books *books, uint64_t project)
{
    uint32_t low = 0;
    uint32_t high = books->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        bool below = books->projects[middle]->head.id < project;
        low = below ? middle + 1 : low;
        high = below ? high : middle;
    }
    bool here = low < books->count && books->projects[low]->head.id == project;
    return here ? &books->sums[low] : NULL;
}

static void books_sum(struct books *books, const struct state *state)
{
    const struct quota_amounts network = { .of = { [QUOTA_NETWORKS] = 1 } };
    for (const struct instance_row *row = state_first(state, TABLE_INSTANCE); row != NULL;
         row = state_next(state, TABLE_INSTANCE, row)) {
        struct ledger_sum *sum = book_of(books, row->project.value);
        struct quota_amounts amounts = instance_amounts(row);
        if (sum != NULL) {
            (row->held ? ledger_sum_held : ledger_sum_used)(sum, &amounts);
        }
    }
    for (const struct network_row *row = state_first(state, TABLE_NETWORK); row != NULL;
         row = state_next(state, TABLE_NETWORK, row)) {
        struct ledger_sum *sum = book_of(books, row->project.value);
        if (sum != NULL) {
            ledger_sum_used(sum, &network);
        }
    }
}

static uint64_t projects_wrong(const struct state *state)
{
    uint64_t wrong = 0;
    const struct project_row *project = state_first(state, TABLE_PROJECT);
    while (project != NULL) {
        struct books books = { .count = 0 };
        for (; project != NULL && books.count < BOOKS;
             project = state_next(state, TABLE_PROJECT, project)) {
            ledger_sum_begin(&books.sums[books.count]);
            books.projects[books.count++] = project;
        }
        books_sum(&books, state);
        for (uint32_t i = 0; i < books.count; i++) {
            wrong += ledger_sum_check(&books.sums[i], &books.projects[i]->account) ? 0 : 1;
        }
    }
    return wrong;
}

uint64_t read_ledger_mismatches(const struct state *state)
{
    uint64_t wrong = projects_wrong(state);
    for (const struct tenant_row *tenant = state_first(state, TABLE_TENANT); tenant != NULL;
         tenant = state_next(state, TABLE_TENANT, tenant)) {
        struct ledger_sum sum;
        ledger_sum_begin(&sum);
        for (const struct project_row *project = state_first(state, TABLE_PROJECT); project != NULL;
             project = state_next(state, TABLE_PROJECT, project)) {
            if (project->tenant.value == tenant->head.id) {
                ledger_sum_account(&sum, &project->account);
            }
        }
        wrong += ledger_sum_check(&sum, &tenant->account) ? 0 : 1;
    }
    return wrong;
}
