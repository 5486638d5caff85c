/* The latest that surely was in force before a moment ends all that had returned before it was
 * asked; what may have been in force since is that, and whatever was set or read since. */
#include "tests/history/caps.h"

#include "base/check.h"
#include "tests/history/order.h"

#include <stdlib.h>

static int cap_order(const void *one, const void *other)
{
    const struct cap *a = one;
    const struct cap *b = other;
    if (a->account != b->account) {
        return a->account < b->account ? -1 : 1;
    }
    if (a->object != b->object) {
        return a->object < b->object ? -1 : 1;
    }
    return a->invoke_ns < b->invoke_ns ? -1 : a->invoke_ns > b->invoke_ns;
}

void caps_begin(const struct history *history, const struct merge *merge, struct caps *caps_out)
{
    size_t room = (size_t)history->events_count + history->sights_count + 1;
    struct caps caps = { .all = calloc(room, sizeof(*caps.all)) };
    CHECK(caps.all != NULL);
    for (uint32_t i = 0; i < history->events_count; i++) {
        const struct history_event *event = &history->events[i];
        enum history_outcome outcome = event->told.outcome;
        struct cap cap = { .account = event->account,
                           .object = event->object,
                           .value = event->value,
                           .invoke_ns = event->invoke_ns,
                           .return_ns = event->told.at_ns };
        if (event->f == HISTORY_SET && outcome != HISTORY_FAIL && merge->speaker[i] == i) {
            cap.invoke_ns = merge->invoke_ns[i];
            caps.all[caps.count++] = cap;
        }
        for (uint32_t k = 0; k < event->sights_count && outcome == HISTORY_OK; k++) {
            const struct history_sight *sight = &history->sights[event->sights + k];
            if (sight->kind == HISTORY_VALUE && sight->stage != HISTORY_STAGE_ABSENT) {
                cap.object = sight->object;
                cap.value = sight->value;
                caps.all[caps.count++] = cap;
            }
        }
    }
    CHECK(caps.count <= room);
    qsort(caps.all, caps.count, sizeof(*caps.all), cap_order);
    *caps_out = caps;
}

void caps_end(struct caps *caps)
{
    free(caps->all);
}

static size_t first_of(const struct caps *caps, uint32_t account)
{
    struct cap wanted = { .account = account };
    return order_first(caps->all, caps->count, sizeof(wanted), &wanted, cap_order);
}

/* Of one object: False: nobody had been told. */
static bool object_most(
    const struct cap *caps, size_t count, uint64_t from_ns, uint64_t to_ns, uint64_t *most_out)
{
    bool told = false;
    uint64_t since_ns = 0;
    for (size_t i = 0; i < count; i++) { /* By their invoke: the last one counts. */
        if (caps[i].return_ns < from_ns) {
            told = true;
            since_ns = caps[i].invoke_ns;
        }
    }
    *most_out = 0;
    for (size_t i = 0; i < count && told; i++) {
        bool may = caps[i].return_ns >= since_ns && caps[i].invoke_ns <= to_ns;
        *most_out = may && caps[i].value > *most_out ? caps[i].value : *most_out;
    }
    return told;
}

bool caps_most(
    const struct caps *caps,
    uint32_t account,
    uint64_t from_ns,
    uint64_t to_ns,
    struct work *work,
    uint64_t *most_out)
{
    bool told = false;
    for (size_t first = first_of(caps, account); account != 0 && first < caps->count;) {
        const struct cap *cap = &caps->all[first];
        size_t end = first;
        uint64_t most = 0;
        while (end < caps->count && caps->all[end].account == account &&
               caps->all[end].object == cap->object) {
            end++;
        }
        if (end == first || !work_take(work, end - first)) {
            break;
        }
        if (object_most(cap, end - first, from_ns, to_ns, &most)) {
            *most_out = told && *most_out < most ? *most_out : most;
            told = true;
        }
        first = end;
    }
    return told;
}
