/* Decides whether each object alone could have been one machine that did one thing after the other:
 * the search of Wing and Gong (1993) with the memory of Lowe (2017): an order is built operation by
 * operation, and a pair of what was done and the state it led to is tried once only. What may never
 * have been done is tried last, so that an order without it is found first.
 *
 * Never guesses: after WORK_MAX steps for one object it says unknown. */
#include "base/check.h"
#include "base/hash.h"
#include "tests/history/history.h"
#include "tests/history/merge.h"
#include "tests/history/model.h"
#include "tests/history/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORK_MAX = 4 * 1000 * 1000, SEEN_FIRST = 1 << 12 };

struct op {
    struct model_op model;
    uint32_t object;
    uint32_t event;
    uint64_t invoke_ns;
    uint64_t return_ns; /* HISTORY_OPEN: it may never have been done. */
};

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
    const struct op *ops;
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
    uint64_t work;
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
    search->work++;
    if (!model_step(&search->ops[op].model, state, &next) ||
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
static uint32_t first_return(const struct search *search)
{
    uint32_t at = search->nodes[0].next;
    while (at != 0 && !search->nodes[at].returns) {
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
        if (search->ops[search->open[i]].invoke_ns > until) {
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
        if (search->work >= WORK_MAX) {
            return HISTORY_UNKNOWN;
        }
        if ((calls && take_call(search, from, state, &done)) ||
            take_open(search, calls ? 0 : from_open, state, &done)) {
            reached(search);
            from = search->nodes[0].next;
            calls = true;
            continue;
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

struct moment {
    uint64_t at_ns;
    uint32_t op;
    bool returns;
};

/* What happens at one moment overlaps: calls come first. */
static int moment_order(const void *one, const void *other)
{
    const struct moment *a = one;
    const struct moment *b = other;
    if (a->at_ns != b->at_ns) {
        return a->at_ns < b->at_ns ? -1 : 1;
    }
    if (a->returns != b->returns) {
        return a->returns ? 1 : -1;
    }
    return a->op < b->op ? -1 : a->op > b->op;
}

static void search_begin(struct search *search, const struct op *ops, uint32_t count)
{
    struct moment *moments = calloc((size_t)count * 2, sizeof(*moments));
    uint32_t *call_of = calloc(count, sizeof(*call_of));
    memset(search, 0, sizeof(*search));
    search->ops = ops;
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
        node->op = moments[i].op;
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

static void said(const struct op *op, char *room, size_t size)
{
    if (op->model.sight) {
        (void)snprintf(
            room,
            size,
            "saw %s, id %llu, revision %llu, value %llu",
            words_stage(op->model.seen.stage),
            (unsigned long long)op->model.seen.id,
            (unsigned long long)op->model.seen.revision,
            (unsigned long long)op->model.seen.value);
        return;
    }
    (void)snprintf(
        room,
        size,
        "%s: %s%s%s",
        words_f(op->model.f),
        words_outcome(op->model.outcome),
        op->model.refusal == 0 ? "" : " ",
        op->model.refusal == 0 ? "" : words_refusal(op->model.refusal));
}

static enum history_word object_check(
    const struct history *history, const struct op *ops, uint32_t count, char *sentence)
{
    struct search search;
    struct model_state state;
    search_begin(&search, ops, count);
    model_begin(ops[0].model.kind, &state);
    reached(&search);
    enum history_word word = search_order(&search, &state);
    const struct op *culprit = &ops[search.culprit];
    char words[160];
    said(culprit, words, sizeof(words));
    if (word == HISTORY_ANOMALY) {
        (void)snprintf(
            sentence,
            HISTORY_SENTENCE,
            "%s %s: no order explains what client %u was told at %.6f s (%s)",
            words_kind(culprit->model.kind),
            history_text(history, culprit->object),
            history->events[culprit->event].client,
            (double)culprit->return_ns / 1e9,
            words);
    } else if (word == HISTORY_UNKNOWN) {
        (void)snprintf(
            sentence,
            HISTORY_SENTENCE,
            "%s %s: no order after %d steps; it hangs at client %u, %.6f s (%s)",
            words_kind(culprit->model.kind),
            history_text(history, culprit->object),
            WORK_MAX,
            history->events[culprit->event].client,
            (double)culprit->return_ns / 1e9,
            words);
    }
    search_end(&search);
    return word;
}

/* ---- All of them ---- */

static int op_order(const void *one, const void *other)
{
    const struct op *a = one;
    const struct op *b = other;
    if (a->model.kind != b->model.kind) {
        return a->model.kind < b->model.kind ? -1 : 1;
    }
    if (a->object != b->object) {
        return a->object < b->object ? -1 : 1;
    }
    if (a->invoke_ns != b->invoke_ns) {
        return a->invoke_ns < b->invoke_ns ? -1 : 1;
    }
    return a->event < b->event ? -1 : a->event > b->event;
}

struct gathered {
    struct op *ops; /* Owned. */
    size_t count;
    size_t room;
};

static struct op *op_new(struct gathered *all, const struct history_event *event, uint32_t number)
{
    if (all->count == all->room) {
        all->room = all->room * 2 + 1024;
        all->ops = realloc(all->ops, all->room * sizeof(*all->ops));
        CHECK(all->ops != NULL);
    }
    struct op *op = &all->ops[all->count++];
    memset(op, 0, sizeof(*op));
    op->event = number;
    op->invoke_ns = event->invoke_ns;
    op->return_ns = event->told.at_ns;
    op->model.kind = event->kind;
    op->model.f = event->f;
    return op;
}

static void op_sight(
    struct gathered *all,
    const struct history_event *event,
    uint32_t number,
    const struct history_sight *sight)
{
    struct op *op = op_new(all, event, number);
    op->object = sight->object;
    op->model.kind = sight->kind;
    op->model.sight = true;
    op->model.seen = *sight;
}

static void op_write(
    struct gathered *all,
    const struct history_event *event,
    uint32_t number,
    const struct merge *merge)
{
    if (merge->speaker[number] != number ||
        (event->told.outcome == HISTORY_FAIL && event->told.refusal == HISTORY_UNTRIED)) {
        return;
    }
    struct op *op = op_new(all, event, number);
    op->object = event->object;
    op->invoke_ns = merge->invoke_ns[number];
    op->model.outcome = event->told.outcome;
    op->model.refusal = event->told.refusal;
    op->model.value = event->value;
    op->model.match = event->match;
    op->model.id = event->told.id;
}

/* A name that a whole list leaves out was not there. */
struct object {
    uint32_t name;
    uint32_t account;
    enum history_kind kind;
};

static size_t objects_known(const struct history *history, struct object **objects_out)
{
    bool *known = calloc(((size_t)history->names_count + 1) * HISTORY_KIND_END, sizeof(*known));
    struct object *objects = calloc((size_t)history->events_count + 1, sizeof(*objects));
    CHECK(known != NULL && objects != NULL);
    size_t count = 0;
    for (uint32_t i = 0; i < history->events_count; i++) {
        const struct history_event *event = &history->events[i];
        size_t slot = (size_t)event->object * HISTORY_KIND_END + (size_t)event->kind;
        if (event->f == HISTORY_CREATE && event->object != 0 && !known[slot]) {
            known[slot] = true;
            objects[count++] = (struct object){ event->object, event->account, event->kind };
        }
    }
    free(known);
    *objects_out = objects;
    return count;
}

static bool sees(const struct history *history, const struct history_event *event, uint32_t name)
{
    for (uint32_t i = 0; i < event->sights_count; i++) {
        if (history->sights[event->sights + i].object == name) {
            return true;
        }
    }
    return false;
}

static void gather(const struct history *history, struct gathered *all)
{
    struct merge merge;
    struct object *objects = NULL;
    size_t objects_count = objects_known(history, &objects);
    merge_begin(history, &merge);
    for (uint32_t i = 0; i < history->events_count; i++) {
        const struct history_event *event = &history->events[i];
        if (merge_is_write(event->f)) {
            op_write(all, event, i, &merge);
            continue;
        }
        for (uint32_t k = 0; k < event->sights_count; k++) {
            op_sight(all, event, i, &history->sights[event->sights + k]);
        }
        for (size_t k = 0; event->whole && k < objects_count; k++) {
            const struct object *object = &objects[k];
            if (object->kind == event->kind && object->account == event->account &&
                !sees(history, event, object->name)) {
                struct history_sight absent = { .kind = object->kind,
                                                .object = object->name,
                                                .stage = HISTORY_STAGE_ABSENT };
                op_sight(all, event, i, &absent);
            }
        }
    }
    merge_end(&merge);
    free(objects);
}

struct history_verdict history_check_registers(const struct history *history)
{
    struct history_verdict verdict = { .word = HISTORY_CLEAN };
    struct gathered all = { NULL, 0, 0 };
    gather(history, &all);
    if (all.count > 0) {
        qsort(all.ops, all.count, sizeof(*all.ops), op_order);
    }
    uint32_t objects = 0;
    for (size_t first = 0; first < all.count;) {
        size_t end = first + 1;
        while (end < all.count && all.ops[end].object == all.ops[first].object &&
               all.ops[end].model.kind == all.ops[first].model.kind) {
            end++;
        }
        char sentence[HISTORY_SENTENCE] = "";
        enum history_word word =
            object_check(history, &all.ops[first], (uint32_t)(end - first), sentence);
        if (word == HISTORY_ANOMALY || (word != HISTORY_CLEAN && verdict.word == HISTORY_CLEAN)) {
            verdict.word = word; /* An anomaly outweighs what is not known. */
            memcpy(verdict.sentence, sentence, sizeof(sentence));
        }
        objects++;
        verdict.looked += end - first;
        if (verdict.word == HISTORY_ANOMALY) {
            break;
        }
        first = end;
    }
    if (verdict.word == HISTORY_CLEAN) {
        (void)snprintf(
            verdict.sentence,
            sizeof(verdict.sentence),
            "%u objects, %llu operations and sights, each in an order",
            objects,
            (unsigned long long)verdict.looked);
    }
    free(all.ops);
    return verdict;
}
