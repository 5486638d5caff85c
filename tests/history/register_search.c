/* The search of Wing and Gong (1993) with the memory of Lowe (2017): an order is built operation by
 * operation, and a pair of what was done and the state it led to is tried once only. What may never
 * have been done is tried last, so that an order without it is found first.
 *
 * Never guesses: when its steps or its memory are spent it says unknown. */
#include "tests/history/register_search.h"

#include "base/check.h"
#include "base/hash.h"
#include "tests/history/order.h"

#include <stdlib.h>
#include <string.h>

/* A step of the model costs about as much as so many looks at a node. The memory: 16 bytes for a
 * state in a table that is at most four times as large, so 32 MiB and 512 bytes for an operation.
 */
enum { TRY_STEPS = 64, SEEN_FIRST = 1 << 8, STATES_BASE = 1 << 19, STATES_EACH = 8 };

/* One object's search. Nodes are the calls and returns of what must have been done, by time. */
struct node {
    uint32_t op;
    bool returns;
    uint32_t partner; /* Of a call: its return. */
    uint32_t next;    /* Number + 1; 0 ends. */
    uint32_t prior;
};

struct pair {
    uint64_t low;
    uint64_t high;
};

struct step {
    struct model_state state; /* Before it. */
    struct pair done;         /* Before it. */
    uint32_t node;            /* The call that was taken … */
    uint32_t open;            /* … or the open operation, + 1. */
};

struct search {
    const struct register_op *ops;
    struct node *nodes; /* Number 0 is the head. */
    uint32_t nodes_count;
    uint32_t *open; /* Ops that may never have been done, by their invoke. */
    bool *open_done;
    uint32_t open_count;
    uint32_t must; /* Calls that are not in the order yet. */
    struct step *steps;
    uint32_t steps_count;
    struct pair *seen; /* Open addressing; both zero is empty. */
    uint32_t seen_size;
    uint32_t seen_count;
    uint32_t seen_max;
    struct work *work; /* The caller's. */
    bool spent;
    uint32_t least; /* The least of `must` that was reached, and what stood in the way. */
    uint32_t culprit;
};

/* ---- What was tried ---- */

static struct pair op_mark(uint32_t op)
{
    static const struct hash_key low = { 11, 12 };
    static const struct hash_key high = { 13, 14 };
    struct slice bytes = slice_of(&op, sizeof(op));
    return (struct pair){ hash_bytes(low, bytes), hash_bytes(high, bytes) };
}

static struct pair mixed(struct pair done, const struct model_state *state)
{
    static const struct hash_key low = { 21, 22 };
    static const struct hash_key high = { 23, 24 };
    struct slice bytes = slice_of(state, sizeof(*state));
    done.low ^= hash_bytes(low, bytes);
    done.high ^= hash_bytes(high, bytes) | 1;
    return done;
}

static bool seen_put(struct pair *seen, uint32_t size, struct pair key)
{
    uint32_t at = (uint32_t)key.low & (size - 1);
    while (seen[at].low != 0 || seen[at].high != 0) {
        if (seen[at].low == key.low && seen[at].high == key.high) {
            return false;
        }
        at = (at + 1) & (size - 1);
    }
    seen[at] = key;
    return true;
}

/* True: never before. */
static bool seen_first(struct search *search, struct pair key)
{
    if (search->seen_count * 2 >= search->seen_size) {
        uint32_t size = search->seen_size == 0 ? SEEN_FIRST : search->seen_size * 2;
        struct pair *larger = calloc(size, sizeof(*larger));
        CHECK(larger != NULL);
        for (uint32_t i = 0; i < search->seen_size; i++) {
            if (search->seen[i].low != 0 || search->seen[i].high != 0) {
                (void)seen_put(larger, size, search->seen[i]); /* They differ already. */
            }
        }
        free(search->seen);
        search->seen = larger;
        search->seen_size = size;
    }
    bool first = seen_put(search->seen, search->seen_size, key);
    search->seen_count += first ? 1 : 0;
    search->spent = search->spent || search->seen_count >= search->seen_max;
    return first;
}

/* ---- The order ---- */

static void unlink_node(struct search *search, uint32_t number)
{
    struct node *node = &search->nodes[number];
    search->nodes[node->prior].next = node->next;
    if (node->next != 0) {
        search->nodes[node->next].prior = node->prior;
    }
}

static void link_node(struct search *search, uint32_t number)
{
    struct node *node = &search->nodes[number];
    search->nodes[node->prior].next = number;
    if (node->next != 0) {
        search->nodes[node->next].prior = number;
    }
}

static bool try_op(struct search *search, uint32_t op, struct model_state *state, struct pair *done)
{
    struct model_state next;
    struct pair mark = op_mark(op);
    struct pair then = { done->low ^ mark.low, done->high ^ mark.high };
    search->spent = search->spent || !work_take(search->work, TRY_STEPS);
    if (search->spent || !model_step(&search->ops[op].model, state, &next) ||
        !seen_first(search, mixed(then, &next))) {
        return false;
    }
    search->steps[search->steps_count++] = (struct step){ .state = *state, .done = *done };
    *state = next;
    *done = then;
    return true;
}

/* From this call on, the first that can be next. */
static bool take_call(
    struct search *search, uint32_t from, struct model_state *state, struct pair *done)
{
    for (uint32_t at = from; at != 0 && !search->nodes[at].returns; at = search->nodes[at].next) {
        if (try_op(search, search->nodes[at].op, state, done)) {
            search->steps[search->steps_count - 1].node = at;
            unlink_node(search, at);
            unlink_node(search, search->nodes[at].partner);
            search->must--;
            return true;
        }
    }
    return false;
}

/* What must be done next at the latest: the first return that is still there. */
static uint32_t first_return(struct search *search)
{
    uint32_t at = search->nodes[0].next;
    while (at != 0 && !search->nodes[at].returns) {
        search->spent = search->spent || !work_take(search->work, 1);
        at = search->nodes[at].next;
    }
    return at;
}

static bool take_open(
    struct search *search, uint32_t from, struct model_state *state, struct pair *done)
{
    uint32_t last = first_return(search);
    uint64_t until = search->ops[search->nodes[last].op].return_ns;
    for (uint32_t i = from; i < search->open_count; i++) {
        search->spent = search->spent || !work_take(search->work, 1);
        if (search->spent || search->ops[search->open[i]].invoke_ns > until) {
            return false;
        }
        if (!search->open_done[i] && try_op(search, search->open[i], state, done)) {
            search->steps[search->steps_count - 1].open = i + 1;
            search->open_done[i] = true;
            return true;
        }
    }
    return false;
}

static void reached(struct search *search)
{
    if (search->must < search->least) {
        search->least = search->must;
        search->culprit = search->must == 0 ? 0 : search->nodes[first_return(search)].op;
    }
}

/* CLEAN: an order was found. */
static enum history_word search_order(struct search *search, struct model_state *state)
{
    struct pair done = { 0, 0 };
    uint32_t from = search->nodes[0].next;
    uint32_t from_open = 0;
    bool calls = true;
    while (search->must > 0) {
        if (search->spent) {
            return HISTORY_UNKNOWN;
        }
        if ((calls && take_call(search, from, state, &done)) ||
            take_open(search, calls ? 0 : from_open, state, &done)) {
            reached(search);
            from = search->nodes[0].next;
            calls = true;
            continue;
        }
        if (search->spent) {
            return HISTORY_UNKNOWN; /* Something was not tried. */
        }
        if (search->steps_count == 0) {
            return HISTORY_ANOMALY;
        }
        const struct step *step = &search->steps[--search->steps_count];
        *state = step->state;
        done = step->done;
        calls = step->open == 0;
        if (calls) {
            link_node(search, search->nodes[step->node].partner);
            link_node(search, step->node);
            search->must++;
            from = search->nodes[step->node].next;
        } else {
            search->open_done[step->open - 1] = false;
            from_open = step->open;
        }
    }
    return HISTORY_CLEAN;
}

/* ---- One object ---- */

static void search_begin(
    struct search *search, const struct register_op *ops, uint32_t count, struct work *work)
{
    struct moment *moments = calloc((size_t)count * 2, sizeof(*moments));
    uint32_t *call_of = calloc(count, sizeof(*call_of));
    memset(search, 0, sizeof(*search));
    search->ops = ops;
    search->work = work;
    uint64_t most = STATES_BASE + (uint64_t)count * STATES_EACH;
    search->seen_max = most < UINT32_MAX / 8 ? (uint32_t)most : UINT32_MAX / 8;
    search->nodes = calloc((size_t)count * 2 + 1, sizeof(*search->nodes));
    search->open = calloc(count, sizeof(*search->open));
    search->open_done = calloc(count, sizeof(*search->open_done));
    search->steps = calloc(count, sizeof(*search->steps));
    CHECK(moments != NULL && call_of != NULL && search->nodes != NULL && search->open != NULL);
    CHECK(search->open_done != NULL && search->steps != NULL);
    uint32_t moments_count = 0;
    for (uint32_t i = 0; i < count; i++) { /* Ops come by their invoke. */
        if (ops[i].return_ns == HISTORY_OPEN) {
            search->open[search->open_count++] = i;
            continue;
        }
        moments[moments_count++] = (struct moment){ ops[i].invoke_ns, i, false };
        moments[moments_count++] = (struct moment){ ops[i].return_ns, i, true };
        search->must++;
    }
    qsort(moments, moments_count, sizeof(*moments), moment_order);
    for (uint32_t i = 0; i < moments_count; i++) {
        uint32_t number = i + 1;
        struct node *node = &search->nodes[number];
        node->op = moments[i].of;
        node->returns = moments[i].returns;
        node->prior = i;
        node->next = number == moments_count ? 0 : number + 1;
        if (node->returns) {
            search->nodes[call_of[node->op]].partner = number;
        } else {
            call_of[node->op] = number;
        }
    }
    search->nodes[0].next = moments_count == 0 ? 0 : 1;
    search->nodes_count = moments_count + 1;
    search->least = search->must + 1;
    free(call_of);
    free(moments);
}

static void search_end(struct search *search)
{
    free(search->nodes);
    free(search->open);
    free(search->open_done);
    free(search->steps);
    free(search->seen);
}

enum history_word register_search(
    const struct register_op *ops, uint32_t count, struct work *work, uint32_t *culprit_out)
{
    CHECK(count > 0);
    struct search search;
    struct model_state state;
    search_begin(&search, ops, count, work);
    model_begin(ops[0].model.kind, &state);
    reached(&search);
    enum history_word word = search_order(&search, &state);
    *culprit_out = search.culprit;
    search_end(&search);
    return word;
}
