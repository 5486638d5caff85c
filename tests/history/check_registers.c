/* Decides whether each object alone could have been one machine that did one thing after the other
 * (register_search.h): what was asked of it, what reads and lists saw of it, and that whole lists
 * of its account did not see it. Nothing of a history is public: who is not its account sees none.
 *
 * Never guesses: one budget of steps is for the whole history, and after it the verdict is unknown.
 * Memory: each object is gathered alone, so a part of that grows with the history alone. */
#include "base/check.h"
#include "tests/history/history.h"
#include "tests/history/merge.h"
#include "tests/history/order.h"
#include "tests/history/register_search.h"
#include "tests/history/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of the whole history: so many and, for each operation and sight, so many more; of one object. */
#define WORK_BASE   (UINT64_C(1) << 29)
#define WORK_EACH   (UINT64_C(1) << 12)
#define WORK_OBJECT (UINT64_C(1) << 28)

static void said(const struct register_op *op, char *room, size_t size)
{
    const struct history_sight *seen = &op->model.seen;
    if (op->model.sight) {
        int used = snprintf(
            room,
            size,
            "saw %s, id %llu, value %llu",
            words_stage(seen->stage),
            (unsigned long long)seen->id,
            (unsigned long long)seen->value);
        if (seen->revision != HISTORY_UNTOLD && used > 0 && (size_t)used < size) {
            (void)snprintf(
                room + used,
                size - (size_t)used,
                ", revision %llu",
                (unsigned long long)seen->revision);
        }
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

/* ---- All of them ---- */

static int op_order(const void *one, const void *other)
{
    const struct register_op *a = one;
    const struct register_op *b = other;
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
    struct register_op *ops; /* Owned. */
    size_t count;
    size_t room;
};

static struct register_op *op_room(struct gathered *all)
{
    if (all->count == all->room) {
        all->room = all->room * 2 + 1024;
        all->ops = realloc(all->ops, all->room * sizeof(*all->ops));
        CHECK(all->ops != NULL);
    }
    return &all->ops[all->count++];
}

static struct register_op *op_new(
    struct gathered *all, const struct history_event *event, uint32_t number)
{
    struct register_op *op = op_room(all);
    memset(op, 0, sizeof(*op));
    op->event = number;
    op->invoke_ns = event->invoke_ns;
    op->return_ns = event->told.at_ns;
    op->model.kind = event->kind;
    op->model.f = event->f;
    op->model.account = event->account;
    return op;
}

static void op_sight(
    struct gathered *all,
    const struct history_event *event,
    uint32_t number,
    const struct history_sight *sight)
{
    struct register_op *op = op_new(all, event, number);
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
    bool tells = event->told.outcome != HISTORY_FAIL ||
                 (event->told.refusal != HISTORY_UNTRIED && event->told.refusal != HISTORY_REUSED);
    if (merge->speaker[number] != number || !tells) {
        return;
    }
    struct register_op *op = op_new(all, event, number);
    op->object = event->object;
    op->invoke_ns = merge->invoke_ns[number];
    op->model.outcome = event->told.outcome;
    op->model.refusal = event->told.refusal;
    op->model.value = event->value;
    op->model.match = event->match;
    op->model.id = event->told.id;
}

/* ---- Whole lists: a name that one leaves out was not there ---- */

struct whole {
    enum history_kind kind;
    uint32_t account;
    uint32_t event;
};

struct registers {
    const struct history *history;
    struct gathered all;  /* By kind and object. */
    struct whole *wholes; /* Owned; by kind and account. */
    size_t wholes_count;
    struct gathered one; /* The object that is looked at. */
    uint32_t *seen_in;   /* Owned. By event: the last object, + 1, that was seen in it. */
    uint32_t *made_by;   /* Owned. By account: the last object, + 1, that it made. */
    uint32_t objects;
    struct work work;
    struct history_verdict verdict;
};

static int whole_order(const void *one, const void *other)
{
    const struct whole *a = one;
    const struct whole *b = other;
    if (a->kind != b->kind) {
        return a->kind < b->kind ? -1 : 1;
    }
    if (a->account != b->account) {
        return a->account < b->account ? -1 : 1;
    }
    return a->event < b->event ? -1 : a->event > b->event;
}

static size_t wholes_of(const struct registers *registers, enum history_kind kind, uint32_t account)
{
    struct whole wanted = { .kind = kind, .account = account };
    return order_first(
        registers->wholes, registers->wholes_count, sizeof(wanted), &wanted, whole_order);
}

/* The lists of the account that made this object and do not show it. */
static void absences(struct registers *registers, const struct register_op *create)
{
    enum history_kind kind = create->model.kind;
    uint32_t account = create->model.account;
    struct history_sight absent = { .kind = kind,
                                    .object = create->object,
                                    .stage = HISTORY_STAGE_ABSENT,
                                    .epoch = HISTORY_UNTOLD,
                                    .revision = HISTORY_UNTOLD };
    for (size_t i = wholes_of(registers, kind, account); i < registers->wholes_count; i++) {
        const struct whole *whole = &registers->wholes[i];
        if (whole->kind != kind || whole->account != account || !work_take(&registers->work, 1)) {
            return;
        }
        if (registers->seen_in[whole->event] != registers->objects) {
            const struct history_event *event = &registers->history->events[whole->event];
            op_sight(&registers->one, event, whole->event, &absent);
        }
    }
}

/* All that is known of one object. */
static void object_gather(struct registers *registers, const struct register_op *ops, size_t count)
{
    registers->one.count = 0;
    for (size_t i = 0; i < count; i++) {
        *op_room(&registers->one) = ops[i];
        if (ops[i].model.sight) {
            registers->seen_in[ops[i].event] = registers->objects;
        }
    }
    for (size_t i = 0; i < count; i++) {
        bool made = !ops[i].model.sight && ops[i].model.f == HISTORY_CREATE &&
                    ops[i].model.outcome != HISTORY_FAIL;
        if (made && registers->made_by[ops[i].model.account] != registers->objects) {
            registers->made_by[ops[i].model.account] = registers->objects;
            absences(registers, &ops[i]);
        }
    }
}

/* ---- Verdicts ---- */

static void object_say(
    struct registers *registers, enum history_word word, const struct register_op *culprit)
{
    const struct history *history = registers->history;
    char words[160];
    if (word == HISTORY_CLEAN ||
        (word == HISTORY_UNKNOWN && registers->verdict.word != HISTORY_CLEAN)) {
        return; /* An anomaly outweighs what is not known. */
    }
    said(culprit, words, sizeof(words));
    registers->verdict.word = word;
    (void)snprintf(
        registers->verdict.sentence,
        sizeof(registers->verdict.sentence),
        word == HISTORY_ANOMALY
            ? "%s %s: no order explains what client %u was told at %.6f s (%s)"
            : "%s %s: no order in so many steps; it hangs at client %u, %.6f s (%s)",
        words_kind(culprit->model.kind),
        history_text(history, culprit->object),
        history->events[culprit->event].client,
        (double)culprit->return_ns / 1e9,
        words);
}

static void object_check(struct registers *registers, const struct register_op *ops, size_t count)
{
    uint32_t culprit = 0;
    registers->objects++;
    object_gather(registers, ops, count);
    CHECK(registers->one.count <= UINT32_MAX / 4);
    struct work work = { registers->work.left < WORK_OBJECT ? registers->work.left : WORK_OBJECT };
    uint64_t given = work.left;
    enum history_word word =
        given == 0
            ? HISTORY_UNKNOWN
            : register_search(registers->one.ops, (uint32_t)registers->one.count, &work, &culprit);
    (void)work_take(&registers->work, given - work.left);
    object_say(registers, word, &registers->one.ops[culprit]);
    registers->verdict.looked += registers->one.count;
}

static void gather(struct registers *registers)
{
    const struct history *history = registers->history;
    struct merge merge;
    merge_begin(history, &merge);
    registers->wholes = calloc((size_t)history->events_count + 1, sizeof(*registers->wholes));
    registers->seen_in = calloc((size_t)history->events_count + 1, sizeof(*registers->seen_in));
    registers->made_by = calloc((size_t)history->names_count + 1, sizeof(*registers->made_by));
    CHECK(registers->wholes != NULL && registers->seen_in != NULL && registers->made_by != NULL);
    for (uint32_t i = 0; i < history->events_count; i++) {
        const struct history_event *event = &history->events[i];
        if (merge_is_write(event->f)) {
            op_write(&registers->all, event, i, &merge);
            continue;
        }
        bool told = event->told.outcome == HISTORY_OK;
        for (uint32_t k = 0; told && k < event->sights_count; k++) {
            op_sight(&registers->all, event, i, &history->sights[event->sights + k]);
        }
        if (told && event->whole) {
            registers->wholes[registers->wholes_count++] =
                (struct whole){ event->kind, event->account, i };
        }
    }
    merge_end(&merge);
    qsort(registers->wholes, registers->wholes_count, sizeof(*registers->wholes), whole_order);
    if (registers->all.count > 0) {
        qsort(registers->all.ops, registers->all.count, sizeof(*registers->all.ops), op_order);
    }
}

struct history_verdict history_check_registers(const struct history *history)
{
    struct registers registers = { .history = history, .verdict = { .word = HISTORY_CLEAN } };
    gather(&registers);
    const struct gathered *all = &registers.all;
    registers.work.left = WORK_BASE + WORK_EACH * all->count;
    for (size_t first = 0; first < all->count && registers.verdict.word != HISTORY_ANOMALY;) {
        size_t end = first + 1;
        while (end < all->count && all->ops[end].object == all->ops[first].object &&
               all->ops[end].model.kind == all->ops[first].model.kind) {
            end++;
        }
        object_check(&registers, &all->ops[first], end - first);
        first = end;
    }
    if (registers.verdict.word == HISTORY_CLEAN) {
        (void)snprintf(
            registers.verdict.sentence,
            sizeof(registers.verdict.sentence),
            "%u objects, %llu operations and sights, each in an order",
            registers.objects,
            (unsigned long long)registers.verdict.looked);
    }
    free(registers.all.ops);
    free(registers.one.ops);
    free(registers.wholes);
    free(registers.seen_in);
    free(registers.made_by);
    return registers.verdict;
}
