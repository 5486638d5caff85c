/* Decides how every principal of the cell is listed with what it can do: people, and the machines
 * that hold certificates. By number, which is the order in which they came. Never decides what
 * anybody may do: that is access/authz.c, which is asked here as it is asked at the door. */
#include "controller/core/access_read.h"

#include "base/check.h"
#include "base/id.h"

enum {
    PAGE_BYTES_MAX = 96 * 1024, /* A page fits one frame with its envelope. */
    TABLES = 3,
};

struct principals {
    const struct view_live *live;
    const struct row_head *next[TABLES];
};

static const enum state_table tables[TABLES] = { TABLE_USER, TABLE_NODE, TABLE_CONTROLLER };
static const Wire__Kind kinds[TABLES] = { WIRE__KIND__KIND_USER,
                                          WIRE__KIND__KIND_NODE,
                                          WIRE__KIND__KIND_CONTROLLER };

/* A number is one principal's: all tables count on together. */
static void principals_begin(struct principals *principals, uint64_t after)
{
    for (size_t i = 0; i < TABLES; i++) {
        const struct row_head *row = state_first(principals->live->state, tables[i]);
        while (row != NULL && row->id <= after) {
            row = state_next(principals->live->state, tables[i], row);
        }
        principals->next[i] = row;
    }
}

/* The table of the next one; TABLES: there is none. */
static size_t principals_next(const struct principals *principals)
{
    size_t least = TABLES;
    for (size_t i = 0; i < TABLES; i++) {
        const struct row_head *row = principals->next[i];
        if (row != NULL && (least == TABLES || row->id < principals->next[least]->id)) {
            least = i;
        }
    }
    CHECK(least <= TABLES);
    return least;
}

static Wire__UserView *machine_view(
    const struct view_live *live, Wire__Kind kind, const struct row_head *row)
{
    Wire__UserView *view = arena_take(live->arena, sizeof(*view));
    char *id = arena_take(live->arena, ID_TEXT_SIZE);
    if (view == NULL || id == NULL) {
        return NULL;
    }
    wire__user_view__init(view);
    id_format((enum id_kind)kind, row->id, id);
    view->id = id;
    if (kind == WIRE__KIND__KIND_NODE) {
        const struct node_row *node = (const struct node_row *)row;
        view->name = node->name;
        view->epoch = node->epoch;
        view->created_at = node->created_at;
        return view;
    }
    const struct controller_row *controller = (const struct controller_row *)row;
    CHECK(kind == WIRE__KIND__KIND_CONTROLLER);
    view->name = controller->name;
    view->epoch = controller->epoch;
    view->created_at = controller->created_at;
    view->revoked = controller->leaving;
    return view;
}

/* NULL: the step has no room. */
static Wire__AccessView *access_view(
    const struct view_live *live, Wire__Kind kind, const struct row_head *row)
{
    bool person = kind == WIRE__KIND__KIND_USER;
    const struct user_row *user = person ? (const struct user_row *)row : NULL;
    enum access_role role = person ? (enum access_role)user->role : ACCESS_ROLE_MACHINE;
    enum access_operation may[ACCESS_OPERATIONS_END];
    Wire__AccessView *view = arena_take(live->arena, sizeof(*view));
    Wire__UserView *principal = person ? views_user(live, user) : machine_view(live, kind, row);
    if (view == NULL || principal == NULL) {
        return NULL;
    }
    uint32_t count = principal->revoked ? 0 : access_may_list(role, may);
    const char **words = arena_take(live->arena, sizeof(*words) * (count + 1));
    if (words == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < count; i++) {
        words[i] = access_operation_name(may[i]);
    }
    wire__access_view__init(view);
    view->kind = kind;
    view->principal = principal;
    view->may = words;
    view->n_may = count;
    return view;
}

void access_read(
    const struct view_live *live,
    const struct apply *seen,
    const Wire__AccessRead *what,
    struct outcome *outcome,
    Wire__Answer *answer)
{
    struct principals principals = { .live = live };
    uint32_t limit =
        what->limit == 0 || what->limit > LIMIT_LIST_PAGE ? LIMIT_LIST_PAGE : what->limit;
    uint64_t last = 0;
    size_t bytes = 0;
    answer->access = arena_take(live->arena, sizeof(*answer->access) * (limit + 1));
    CHECK(answer->n_access == 0);
    principals_begin(&principals, what->after);
    for (size_t at = principals_next(&principals); at < TABLES && answer->access != NULL;
         at = principals_next(&principals)) {
        const struct row_head *row = principals.next[at];
        Wire__AccessView *view =
            answer->n_access == limit ? NULL : access_view(live, kinds[at], row);
        bytes += view == NULL ? 0 : protobuf_c_message_get_packed_size(&view->base) + 8;
        if (view == NULL || bytes > PAGE_BYTES_MAX) {
            answer->next_after = last; /* More follow. */
            break;
        }
        last = row->id;
        answer->access[answer->n_access++] = view;
        principals.next[at] = state_next(live->state, tables[at], row);
    }
    bool none =
        answer->access == NULL || (answer->n_access == 0 && principals_next(&principals) < TABLES);
    if (none) {
        refuse(seen, outcome, REJECT_OVERLOADED, "The answer is too large.", "", "");
    }
}
