/* The memory of an engine's tables: reserved at once, taken in the background, so that no step
 * waits for the kernel to find a page.
 *
 * The happy path: engine_memory_take → reserved, and a thread of the pool takes it piece by piece.
 * What can go wrong: the kernel cannot take it ahead (before 5.14) or has none left → a log line;
 * pages then come one by one when rows need them. */
#ifndef CONTROLLER_ENGINE_MEMORY_H
#define CONTROLLER_ENGINE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct engine_memory {
    uv_loop_t *loop;
    size_t size; /* Of what the engine has now. */
    uv_work_t work;
    bool taking;
    uint8_t *at; /* What the thread works on; never read or written, only named to the kernel. */
    size_t left;
    int failure; /* errno of the thread; 0: all taken. */
};

/* For server_host.memory: gives `old` back and returns `size` zeroed bytes; NULL: none, or none
 * wanted. */
void *engine_memory_take(struct engine_memory *self, void *old, size_t size);

#endif
