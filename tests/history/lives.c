/* A life begins when its create was asked at the earliest, is surely there once that was answered,
 * and may end with the first delete that can be its own: each of the lives of the name that had
 * ended before took one, and who was seen later was not ended yet. It is gone when somebody found
 * it gone. */
#include "tests/history/lives.h"

#include "base/check.h"
#include "tests/history/order.h"

#include <stdlib.h>

/* Somebody found this life there, and not on its way out. */
struct presence {
    uint32_t object;
    enum history_kind kind;
    uint64_t id;
    uint64_t invoke_ns;
};

/* What is known to end a life of a name, or to find it ended. */
struct ending {
    uint32_t object;
    enum history_kind kind;
    bool sure; /* It is gone when this has returned; else it may be gone when this was asked. */
    uint32_t account; /* Of a delete: who asked. */
    uint64_t id;      /* Of a delete: the life that it ended; 0: untold. */
    uint64_t invoke_ns;
    uint64_t return_ns;
};

struct gathering {
    const struct history *history;
    const struct merge *merge;
    struct lives lives;
    struct ending *endings; /* Owned; by kind and object. */
    size_t endings_count;
    struct presence *presences; /* Owned; by kind, object and id. */
    size_t presences_count;
    struct work *work;
};

static int life_order(const void *one, const void *other)
{
    const struct life *a = one;
    const struct life *b = other;
    if (a->account != b->account) {
        return a->account < b->account ? -1 : 1;
    }
    if (a->kind != b->kind) {
        return a->kind < b->kind ? -1 : 1;
    }
    if (a->object != b->object) {
        return a->object < b->object ? -1 : 1;
    }
    return a->begins_ns < b->begins_ns ? -1 : a->begins_ns > b->begins_ns;
}

static int presence_order(const void *one, const void *other)
{
    const struct presence *a = one;
    const struct presence *b = other;
    if (a->kind != b->kind) {
        return a->kind < b->kind ? -1 : 1;
    }
    if (a->object != b->object) {
        return a->object < b->object ? -1 : 1;
    }
    if (a->id != b->id) {
        return a->id < b->id ? -1 : 1;
    }
    return a->invoke_ns < b->invoke_ns ? -1 : a->invoke_ns > b->invoke_ns;
}

static int ending_order(const void *one, const void *other)
{
    const struct ending *a = one;
    const struct ending *b = other;
    if (a->kind != b->kind) {
        return a->kind < b->kind ? -1 : 1;
    }
    if (a->object != b->object) {
        return a->object < b->object ? -1 : 1;
    }
    return a->invoke_ns < b->invoke_ns ? -1 : a->invoke_ns > b->invoke_ns;
}

/* ---- Lives ---- */

static void ending_add(
    struct gathering *gathering, uint32_t object, enum history_kind kind, bool sure, uint32_t event)
{
    bool write = merge_is_write(gathering->history->events[event].f);
    uint64_t invoke_ns =
        write ? gathering->merge->invoke_ns[event] : gathering->history->events[event].invoke_ns;
    gathering->endings[gathering->endings_count++] =
        (struct ending){ .object = object,
                         .kind = kind,
                         .sure = sure,
                         .account = gathering->history->events[event].account,
                         .id = gathering->history->events[event].told.id,
                         .invoke_ns = invoke_ns,
                         .return_ns = gathering->history->events[event].told.at_ns };
}

static bool found_there(const struct history_sight *sight)
{
    return sight->id != 0 && sight->stage != HISTORY_STAGE_ABSENT &&
           sight->stage != HISTORY_STAGE_DELETING && sight->stage != HISTORY_STAGE_UNTOLD;
}

static void presences_of(struct gathering *gathering, uint32_t number)
{
    const struct history_event *event = &gathering->history->events[number];
    enum history_f f = event->f;
    bool changed = f == HISTORY_START || f == HISTORY_STOP || f == HISTORY_REBOOT;
    if (event->told.outcome != HISTORY_OK) {
        return;
    }
    if (changed && event->told.id != 0 && gathering->merge->speaker[number] == number) {
        gathering->presences[gathering->presences_count++] =
            (struct presence){ .object = event->object,
                               .kind = event->kind,
                               .id = event->told.id,
                               .invoke_ns = gathering->merge->invoke_ns[number] };
    }
    for (uint32_t k = 0; k < event->sights_count; k++) {
        const struct history_sight *sight = &gathering->history->sights[event->sights + k];
        if (found_there(sight)) {
            gathering->presences[gathering->presences_count++] =
                (struct presence){ .object = sight->object,
                                   .kind = sight->kind,
                                   .id = sight->id,
                                   .invoke_ns = event->invoke_ns };
        }
    }
}

static void look_at(struct gathering *gathering, uint32_t number)
{
    const struct history_event *event = &gathering->history->events[number];
    enum history_outcome outcome = event->told.outcome;
    bool refused = outcome == HISTORY_FAIL;
    bool speaks = gathering->merge->speaker[number] == number;
    if (refused && event->told.refusal == HISTORY_ABSENT) {
        ending_add(gathering, event->object, event->kind, true, number);
    }
    if (event->f == HISTORY_DELETE && !refused && speaks) {
        bool done = outcome == HISTORY_OK && event->told.done;
        ending_add(gathering, event->object, event->kind, false, number);
        if (done) {
            ending_add(gathering, event->object, event->kind, true, number);
        }
    }
    if (event->f == HISTORY_CREATE && !refused && speaks) {
        gathering->lives.all[gathering->lives.count++] =
            (struct life){ .account = event->account,
                           .object = event->object,
                           .kind = event->kind,
                           .amounts = event->amounts,
                           .begins_ns = gathering->merge->invoke_ns[number],
                           .there_ns = event->told.at_ns,
                           .doubtful_ns = HISTORY_OPEN,
                           .gone_ns = HISTORY_OPEN,
                           .id = event->told.id };
        if (outcome == HISTORY_OK) { /* An earlier life has ended. */
            ending_add(gathering, event->object, event->kind, true, number);
        }
    }
    for (uint32_t k = 0; k < event->sights_count && outcome == HISTORY_OK; k++) {
        const struct history_sight *sight = &gathering->history->sights[event->sights + k];
        if (sight->stage == HISTORY_STAGE_ABSENT) {
            ending_add(gathering, sight->object, sight->kind, true, number);
        }
    }
}

static size_t endings_of(const struct gathering *gathering, const struct life *life)
{
    struct ending wanted = { .object = life->object, .kind = life->kind };
    return order_first(
        gathering->endings, gathering->endings_count, sizeof(wanted), &wanted, ending_order);
}

/* May this have ended that life? Another account's has not, nor one that ended another life. */
static bool may_end(const struct ending *ending, const struct life *life)
{
    bool foreign = ending->account != 0 && life->account != 0 && ending->account != life->account;
    bool other = ending->id != 0 && life->id != 0 && ending->id != life->id;
    return !foreign && !other && ending->return_ns > life->begins_ns;
}

/* Each of the lives of the name that had ended before took a delete of its own. */
static void life_ends(struct gathering *gathering, struct life *life, size_t ended)
{
    uint64_t first_ns = HISTORY_OPEN; /* The first that may have ended it … */
    uint64_t spare_ns = HISTORY_OPEN; /* … and the first that no earlier life needs. */
    for (size_t i = endings_of(gathering, life); i < gathering->endings_count; i++) {
        const struct ending *ending = &gathering->endings[i];
        if (ending->kind != life->kind || ending->object != life->object ||
            !work_take(gathering->work, 1)) {
            break;
        }
        bool after = life->there_ns != HISTORY_OPEN && ending->invoke_ns > life->there_ns;
        if (ending->sure && after && ending->return_ns < life->gone_ns) {
            life->gone_ns = ending->return_ns;
        }
        if (!ending->sure && may_end(ending, life) && ending->invoke_ns < first_ns) {
            first_ns = ending->invoke_ns;
        }
        if (!ending->sure && ended > 0) {
            ended--;
        } else if (!ending->sure && ending->invoke_ns < spare_ns) {
            spare_ns = ending->invoke_ns;
        }
    }
    life->doubtful_ns = first_ns > spare_ns ? first_ns : spare_ns;
}

static void life_seen(const struct gathering *gathering, struct life *life)
{
    struct presence wanted = {
        .object = life->object, .kind = life->kind, .id = life->id, .invoke_ns = UINT64_MAX
    };
    size_t behind = order_first(
        gathering->presences, gathering->presences_count, sizeof(wanted), &wanted, presence_order);
    const struct presence *last = behind == 0 ? NULL : &gathering->presences[behind - 1];
    bool seen = life->id != 0 && last != NULL && last->kind == life->kind &&
                last->object == life->object && last->id == life->id;
    life->seen_ns = seen ? last->invoke_ns : 0;
}

bool lives_same_name(const struct life *a, const struct life *b)
{
    return a->account == b->account && a->kind == b->kind && a->object == b->object;
}

static void all_end(struct gathering *gathering)
{
    size_t first = 0;
    for (size_t i = 0; i < gathering->lives.count; i++) {
        struct life *life = &gathering->lives.all[i];
        size_t ended = 0;
        first = i > 0 && lives_same_name(life, life - 1) ? first : i;
        bool enough = work_take(gathering->work, i - first);
        for (size_t k = first; k < i && enough; k++) {
            ended += gathering->lives.all[k].there_ns < life->begins_ns ? 1 : 0;
        }
        life_ends(gathering, life, ended);
        life_seen(gathering, life);
    }
}

static void *room(size_t count, size_t size)
{
    void *memory = calloc(count + 1, size);
    CHECK(memory != NULL);
    return memory;
}

void lives_begin(
    const struct history *history,
    const struct merge *merge,
    struct work *work,
    struct lives *lives_out)
{
    struct gathering all = { .history = history, .merge = merge, .work = work };
    size_t events = history->events_count;
    all.lives.all = room(events, sizeof(*all.lives.all));
    all.endings = room(events * 2 + history->sights_count, sizeof(*all.endings));
    all.presences = room(events + history->sights_count, sizeof(*all.presences));
    for (uint32_t i = 0; i < events; i++) {
        look_at(&all, i);
        presences_of(&all, i);
    }
    qsort(all.lives.all, all.lives.count, sizeof(*all.lives.all), life_order);
    qsort(all.endings, all.endings_count, sizeof(*all.endings), ending_order);
    qsort(all.presences, all.presences_count, sizeof(*all.presences), presence_order);
    all_end(&all);
    free(all.endings);
    free(all.presences);
    *lives_out = all.lives;
}

void lives_end(struct lives *lives)
{
    free(lives->all);
}

size_t lives_of(const struct lives *lives, uint32_t account)
{
    struct life wanted = { .account = account };
    return order_first(lives->all, lives->count, sizeof(wanted), &wanted, life_order);
}
