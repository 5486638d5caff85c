/* Decides where scratch bytes live. Never frees one by one, never grows. */
#include "base/arena.h"

#include "base/check.h"

#include <string.h>

enum { ARENA_ALIGN = 16 };

void arena_init(struct arena *arena, void *memory, size_t size)
{
    CHECK(memory != NULL);
    CHECK((uintptr_t)memory % ARENA_ALIGN == 0);
    *arena = (struct arena){ .memory = memory, .size = size };
}

void *arena_take(struct arena *arena, size_t size)
{
    CHECK(arena->used <= arena->size);
    size_t room = arena->size - arena->used;
    if (size > room || room - size < ARENA_ALIGN) {
        return NULL;
    }
    void *taken = arena->memory + arena->used;
    arena->used += (size + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    if (arena->used > arena->used_max) {
        arena->used_max = arena->used;
    }
    memset(taken, 0, size);
    CHECK(arena->used <= arena->size);
    return taken;
}

void arena_reset(struct arena *arena)
{
    arena->used = 0;
}
