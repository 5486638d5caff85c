/* Decides what room each node has for something new. Never decides who gets it. */
#include "scheduler/view.h"

#include "base/check.h"

#include <string.h>

enum { PERCENT = 100, RESERVE_MAX = 90, ARRAYS = 8 };

static uint32_t slots_for(uint32_t capacity)
{
    CHECK(capacity >= 1);
    CHECK(capacity <= VIEW_NODES_MAX);
    return (capacity + VIEW_BLOCK - 1) / VIEW_BLOCK * VIEW_BLOCK;
}

size_t view_set_words(uint32_t capacity)
{
    return slots_for(capacity) / VIEW_BLOCK;
}

size_t scheduler_view_memory(uint32_t capacity)
{
    size_t slots = slots_for(capacity);
    return slots * (ARRAYS * sizeof(uint32_t) + sizeof(uint8_t));
}

void scheduler_view_init(
    struct scheduler_view *view,
    void *memory,
    size_t size,
    uint32_t capacity,
    const struct scheduler_policy *policy)
{
    CHECK(memory != NULL);
    CHECK((uintptr_t)memory % 8 == 0);
    CHECK(size >= scheduler_view_memory(capacity));
    CHECK(policy->overcommit_percent >= PERCENT);
    CHECK(policy->overcommit_percent <= VIEW_OVERCOMMIT_MAX);
    CHECK(policy->reserve_percent <= RESERVE_MAX);
    uint32_t slots = slots_for(capacity);
    memset(memory, 0, scheduler_view_memory(capacity));
    memset(view, 0, sizeof *view);
    int32_t *room = memory;
    uint32_t *numbers = (uint32_t *)memory + (size_t)2 * slots;
    view->open_vcpus = room;
    view->open_memory = room + slots;
    view->vcpus = numbers;
    view->memory_mib = numbers + slots;
    view->vcpus_placed = numbers + (size_t)2 * slots;
    view->memory_placed = numbers + (size_t)3 * slots;
    view->rack = numbers + (size_t)4 * slots;
    view->flags = numbers + (size_t)5 * slots;
    view->present = (uint8_t *)(numbers + (size_t)6 * slots);
    view->capacity = slots;
    view->policy = *policy;
    for (uint32_t slot = 0; slot < slots; slot++) {
        view->open_vcpus[slot] = -1;
        view->open_memory[slot] = -1;
    }
}

/* capacity less the reserve, less what is placed; -1 when nothing more may go there. */
static int32_t room_of(uint32_t capacity, uint32_t placed, uint32_t reserve_percent)
{
    uint32_t kept = (uint32_t)(((uint64_t)capacity * reserve_percent + PERCENT - 1) / PERCENT);
    CHECK(kept <= capacity);
    uint32_t usable = capacity - kept;
    CHECK(usable <= INT32_MAX);
    return usable > placed ? (int32_t)(usable - placed) : -1;
}

static bool open_for_new(const struct scheduler_view *view, uint32_t slot)
{
    uint32_t shut = VIEW_CLOSED | VIEW_LOST;
    return view->present[slot] != 0 && (view->flags[slot] & (VIEW_ALIVE | shut)) == VIEW_ALIVE;
}

static void slot_refresh(struct scheduler_view *view, uint32_t slot)
{
    uint32_t reserve = view->policy.reserve_percent;
    bool open = open_for_new(view, slot);
    int32_t vcpus = room_of(view->vcpus[slot], view->vcpus_placed[slot], reserve);
    int32_t memory = room_of(view->memory_mib[slot], view->memory_placed[slot], reserve);
    view->open_vcpus[slot] = open ? vcpus : -1;
    view->open_memory[slot] = open ? memory : -1;
    CHECK(view->open_vcpus[slot] <= VIEW_VCPUS_MAX);
    CHECK(view->open_memory[slot] <= VIEW_MEMORY_MIB_MAX);
}

static void totals_drop(struct scheduler_view *view, uint32_t slot)
{
    if (view->present[slot] == 0) {
        return;
    }
    CHECK(view->total.vcpus >= view->vcpus[slot]);
    CHECK(view->total.memory_mib >= view->memory_mib[slot]);
    view->total.vcpus -= view->vcpus[slot];
    view->total.memory_mib -= view->memory_mib[slot];
    if (open_for_new(view, slot)) {
        CHECK(view->total_alive.vcpus >= view->vcpus[slot]);
        view->total_alive.vcpus -= view->vcpus[slot];
        view->total_alive.memory_mib -= view->memory_mib[slot];
    }
}

static void totals_add(struct scheduler_view *view, uint32_t slot)
{
    CHECK(view->present[slot] != 0);
    view->total.vcpus += view->vcpus[slot];
    view->total.memory_mib += view->memory_mib[slot];
    if (open_for_new(view, slot)) {
        view->total_alive.vcpus += view->vcpus[slot];
        view->total_alive.memory_mib += view->memory_mib[slot];
    }
    CHECK(view->total.vcpus >= view->total_alive.vcpus);
}

static uint32_t at_most(uint64_t value, uint32_t most)
{
    return value > most ? most : (uint32_t)value;
}

void view_set(struct scheduler_view *view, uint32_t slot, const struct view_node *node)
{
    CHECK(slot < view->capacity);
    CHECK(node->rack < VIEW_RACKS_MAX);
    totals_drop(view, slot);
    if (view->present[slot] == 0) {
        view->present[slot] = 1;
        view->nodes++;
    }
    uint64_t sold = (uint64_t)node->vcpus * view->policy.overcommit_percent / PERCENT;
    view->vcpus[slot] = at_most(sold, VIEW_VCPUS_MAX);
    view->memory_mib[slot] = at_most(node->memory_mib, VIEW_MEMORY_MIB_MAX);
    view->rack[slot] = node->rack;
    view->flags[slot] = node->flags & (uint32_t)(VIEW_ALIVE | VIEW_CLOSED);
    if (slot >= view->count) {
        view->count = slot + 1;
    }
    totals_add(view, slot);
    slot_refresh(view, slot);
}

void view_flags(struct scheduler_view *view, uint32_t slot, uint32_t flags)
{
    CHECK(view_has(view, slot));
    CHECK((flags & ~(uint32_t)(VIEW_ALIVE | VIEW_CLOSED | VIEW_LOST)) == 0);
    totals_drop(view, slot);
    view->flags[slot] = flags;
    totals_add(view, slot);
    slot_refresh(view, slot);
}

void view_clear(struct scheduler_view *view, uint32_t slot)
{
    CHECK(view_has(view, slot));
    CHECK(view->vcpus_placed[slot] == 0);
    CHECK(view->memory_placed[slot] == 0);
    totals_drop(view, slot);
    view->present[slot] = 0;
    view->vcpus[slot] = 0;
    view->memory_mib[slot] = 0;
    view->rack[slot] = 0;
    view->flags[slot] = 0;
    view->nodes--;
    slot_refresh(view, slot);
}

bool view_has(const struct scheduler_view *view, uint32_t slot)
{
    return slot < view->capacity && view->present[slot] != 0;
}

void view_take(struct scheduler_view *view, uint32_t slot, uint32_t vcpus, uint32_t memory_mib)
{
    CHECK(view_has(view, slot));
    CHECK(vcpus <= UINT32_MAX - view->vcpus_placed[slot]);
    CHECK(memory_mib <= UINT32_MAX - view->memory_placed[slot]);
    view->vcpus_placed[slot] += vcpus;
    view->memory_placed[slot] += memory_mib;
    view->placed.vcpus += vcpus;
    view->placed.memory_mib += memory_mib;
    slot_refresh(view, slot);
}

void view_give(struct scheduler_view *view, uint32_t slot, uint32_t vcpus, uint32_t memory_mib)
{
    CHECK(view_has(view, slot));
    CHECK(view->vcpus_placed[slot] >= vcpus);       /* INV-SCH-1 */
    CHECK(view->memory_placed[slot] >= memory_mib); /* INV-SCH-1 */
    view->vcpus_placed[slot] -= vcpus;
    view->memory_placed[slot] -= memory_mib;
    view->placed.vcpus -= vcpus;
    view->placed.memory_mib -= memory_mib;
    slot_refresh(view, slot);
}

bool view_check(const struct scheduler_view *view)
{
    struct view_room total = { 0 };
    struct view_room alive = { 0 };
    struct view_room placed = { 0 };
    uint32_t nodes = 0;
    for (uint32_t slot = 0; slot < view->capacity; slot++) {
        bool open = open_for_new(view, slot);
        uint32_t reserve = view->policy.reserve_percent;
        int32_t vcpus = room_of(view->vcpus[slot], view->vcpus_placed[slot], reserve);
        int32_t memory = room_of(view->memory_mib[slot], view->memory_placed[slot], reserve);
        if (view->open_vcpus[slot] != (open ? vcpus : -1) ||
            view->open_memory[slot] != (open ? memory : -1)) {
            return false;
        }
        nodes += view->present[slot];
        total.vcpus += view->vcpus[slot];
        total.memory_mib += view->memory_mib[slot];
        alive.vcpus += open ? view->vcpus[slot] : 0;
        alive.memory_mib += open ? view->memory_mib[slot] : 0;
        placed.vcpus += view->vcpus_placed[slot];
        placed.memory_mib += view->memory_placed[slot];
    }
    return nodes == view->nodes && memcmp(&total, &view->total, sizeof total) == 0 &&
           memcmp(&alive, &view->total_alive, sizeof alive) == 0 &&
           memcmp(&placed, &view->placed, sizeof placed) == 0;
}
