/* Decides which hard constraint turns a node away. Never prefers one node to another. */
#include "scheduler/filter.h"

#include "base/check.h"

const char *constraint_name(enum constraint constraint)
{
    static const char *const names[] = {
        [CONSTRAINT_NONE] = "none",
        [CONSTRAINT_ALIVE] = "alive",
        [CONSTRAINT_OPEN] = "open",
        [CONSTRAINT_IMAGE] = "image-present",
        [CONSTRAINT_VCPU] = "capacity-vcpu",
        [CONSTRAINT_MEMORY] = "capacity-memory",
        [CONSTRAINT_RESERVE] = "management-reserve",
    };
    _Static_assert(COUNT_OF(names) == CONSTRAINTS_END, "every constraint has its name");
    CHECK(constraint < CONSTRAINTS_END);
    return names[constraint];
}

static bool image_on(const struct place_request *request, uint32_t slot)
{
    if (request->image_nodes == NULL) {
        return true;
    }
    return (request->image_nodes[slot / VIEW_BLOCK] >> (slot % VIEW_BLOCK) & 1U) != 0;
}

static uint32_t free_of(uint32_t capacity, uint32_t placed)
{
    return capacity > placed ? capacity - placed : 0;
}

enum constraint filter_node(
    const struct scheduler_view *view, const struct place_request *request, uint32_t slot)
{
    CHECK(slot < view->capacity);
    CHECK(request->vcpus >= 1);
    CHECK(request->memory_mib >= 1);
    if (!view_has(view, slot) || (view->flags[slot] & VIEW_ALIVE) == 0 ||
        (view->flags[slot] & VIEW_LOST) != 0) {
        return CONSTRAINT_ALIVE;
    }
    if ((view->flags[slot] & VIEW_CLOSED) != 0) {
        return CONSTRAINT_OPEN;
    }
    if (!image_on(request, slot)) {
        return CONSTRAINT_IMAGE;
    }
    if (free_of(view->vcpus[slot], view->vcpus_placed[slot]) < request->vcpus) {
        return CONSTRAINT_VCPU;
    }
    if (free_of(view->memory_mib[slot], view->memory_placed[slot]) < request->memory_mib) {
        return CONSTRAINT_MEMORY;
    }
    if (view->open_vcpus[slot] < (int64_t)request->vcpus ||
        view->open_memory[slot] < (int64_t)request->memory_mib) {
        return CONSTRAINT_RESERVE;
    }
    return CONSTRAINT_NONE;
}
