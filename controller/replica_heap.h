/* The library's memory, one list for each object, so that dropping an object is exact. */
#ifndef CONTROLLER_REPLICA_HEAP_H
#define CONTROLLER_REPLICA_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct replica_block {
    struct replica_block *next;
    struct replica_block *previous;
    size_t size;
    uint64_t mark;
};

struct replica_heap {
    struct replica_block list; /* Circle; the head is not a block. */
    size_t bytes;
};

void replica_heap_init(struct replica_heap *heap);
/* From here on the library allocates from this one. The library has one allocator for the whole
 * process: one thread, and every turn begins with this call. */
void replica_heap_enter(struct replica_heap *heap);
/* Frees every block of this heap, whoever still points to it. */
void replica_heap_drop(struct replica_heap *heap);

#endif
