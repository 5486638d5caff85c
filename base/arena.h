/* Scratch memory of a step: one block taken at start, handed out by bumping, reset by the shell. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct arena {
    uint8_t *memory; /* Owned by whoever called arena_init. */
    size_t size;
    size_t used;
    size_t used_max; /* High-water mark, for /metrics. */
};

void arena_init(struct arena *arena, void *memory, size_t size);
/* Zeroed, 16-byte aligned; NULL when the arena is full: the caller refuses the request. */
void *arena_take(struct arena *arena, size_t size);
void arena_reset(struct arena *arena);

#endif
