/* Decides which leaves of the store an ask for the audit log is answered with. Never decides who
 * may ask (engine_told.c did), never what a leaf says. */
#include "base/check.h"
#include "controller/server_inner.h"
#include "wire/wire.h"

#include <audit.pb-c.h>
#include <string.h>

enum { LEAVES_BYTES_MAX = 96 * 1024, LEAVES_LOOK = 20000 };

struct search {
    struct server *server;
    const struct effect *effect;
    Wire__Answer *answer;
    size_t bytes;
    uint32_t limit;
    uint32_t looked;
    bool damaged; /* A leaf that cannot be read. */
    uint64_t next;
};

static bool wanted(const struct search *search, const Wire__Leaf *leaf)
{
    const Wire__AuditRead *read = search->effect->leaves;
    return (search->effect->node == 0 || leaf->tenant == search->effect->node) &&
           (search->effect->actor_kind == WIRE__KIND__KIND_UNSET ||
            (leaf->actor_kind == search->effect->actor_kind &&
             leaf->actor == search->effect->id)) &&
           (read->from_at == 0 || leaf->wall_ms >= read->from_at) &&
           (read->to_at == 0 || leaf->wall_ms < read->to_at);
}

/* A tenant is not told what people of the provider are called. */
static const char *actor_name(const struct search *search, const Wire__Leaf *leaf)
{
    const struct state *state = engine_state(search->server->engine);
    if (search->effect->node != 0) {
        const struct user_row *user = leaf->actor_kind == WIRE__KIND__KIND_USER
                                          ? state_find(state, TABLE_USER, leaf->actor)
                                          : NULL;
        if (user == NULL || user->tenant.value != search->effect->node) {
            return "";
        }
    }
    return state_name(state, leaf->actor_kind, leaf->actor);
}

static bool take_leaf(void *context, uint64_t seq, struct slice value)
{
    struct search *search = context;
    struct arena *scratch = &search->server->scratch;
    Wire__Leaf *leaf = NULL;
    arena_reset(scratch);
    search->next = seq;
    if (search->looked++ == LEAVES_LOOK || search->answer->n_leaves == search->limit) {
        return false;
    }
    if (wire_decode(&wire__leaf__descriptor, value, scratch, &leaf).code != 0) {
        search->damaged = true;
        return false;
    }
    if (!wanted(search, leaf)) {
        search->next++;
        return true;
    }
    Wire__LeafView *view = arena_take(&search->server->arena, sizeof(*view));
    uint8_t *copy = arena_take(&search->server->arena, value.size);
    search->bytes += value.size + 2 * LIMIT_NAME + 16;
    if (view == NULL || copy == NULL || search->bytes > LEAVES_BYTES_MAX) {
        return false;
    }
    memcpy(copy, value.data, value.size);
    wire__leaf_view__init(view);
    view->actor_name = actor_name(search, leaf);
    view->resource_name =
        state_name(engine_state(search->server->engine), leaf->resource_kind, leaf->resource);
    view->leaf.data = copy;
    view->leaf.len = value.size;
    search->answer->leaves[search->answer->n_leaves++] = view;
    search->next++;
    return true;
}

/* INV-AUD-1: a list with holes in it is not given out as the log. */
static void refuse_leaves(struct server *server, Wire__Answer *answer, const char *detail)
{
    answer->n_leaves = 0;
    answer->next_after = 0;
    answer->reject = REJECT_UNFIT;
    answer->retry_after_seconds = 5;
    answer->problem = arena_take(&server->arena, sizeof(*answer->problem));
    CHECK(answer->problem != NULL);
    wire__problem__init(answer->problem);
    answer->problem->code = reject_name(REJECT_UNFIT);
    answer->problem->detail = detail;
    answer->problem->hint = "Ask another controller.";
}

/* Leaves live in the store alone: the core keeps only the frontier. `next_after` says where the
 * next page begins; 0: this was the last. */
void mirror_read_leaves(struct server *server, const struct effect *effect)
{
    /* What was not mirrored yet is simply not listed yet; an unfit mirror will never list it. */
    (void)mirror_drain(server, true);
    struct search search = { .server = server, .effect = effect, .answer = effect->answer };
    search.limit = effect->leaves->limit == 0 || effect->leaves->limit > LIMIT_LIST_PAGE
                       ? LIMIT_LIST_PAGE
                       : effect->leaves->limit;
    search.answer->leaves =
        arena_take(&server->arena, sizeof(*search.answer->leaves) * (search.limit + 1));
    CHECK(search.answer->leaves != NULL);
    struct result scanned = leaves_scan(server->store, effect->leaves->first, take_leaf, &search);
    if (server->store_unfit || scanned.code != 0 || search.damaged) {
        refuse_leaves(server, search.answer, "This controller's mirror cannot be read now.");
        server_answer(server, effect->handle, effect->origin, search.answer);
        return;
    }
    uint64_t size = state_cell(engine_state(server->engine))->frontier.size;
    if (scanned.code == 0 && search.next < size) {
        search.answer->next_after = search.next; /* Also of a page on which nothing was wanted. */
    }
    server_answer(server, effect->handle, effect->origin, search.answer);
}
