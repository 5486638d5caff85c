/* Decides which object a block of the library's memory belongs to. Memory that runs out stops the
 * process: what the library does without it was never tried. */
#include "controller/replica_heap.h"

#include "base/check.h"

#include <raft.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t mark_live = UINT64_C(0x75646174737531ff);

static struct replica_heap *current;

void replica_heap_init(struct replica_heap *heap)
{
    CHECK(heap != current || heap->bytes == 0);
    heap->list = (struct replica_block){ .next = &heap->list, .previous = &heap->list };
    heap->bytes = 0;
}

static struct replica_block *block_of(void *pointer)
{
    struct replica_block *block = (struct replica_block *)pointer - 1;
    CHECK(block->mark == mark_live);
    CHECK(block->next->previous == block && block->previous->next == block);
    return block;
}

static void *take(void *data, size_t size)
{
    (void)data;
    CHECK(current != NULL);
    CHECK(size < (size_t)1 << 31);
    /* Zeroed: the library logs and sends eight bytes of a barrier that it never writes. */
    struct replica_block *block = calloc(1, sizeof(*block) + size);
    CHECK(block != NULL);
    *block = (struct replica_block){
        .next = current->list.next, .previous = &current->list, .size = size, .mark = mark_live
    };
    block->next->previous = block;
    current->list.next = block;
    current->bytes += size;
    return block + 1;
}

static void give(void *data, void *pointer)
{
    (void)data;
    if (pointer == NULL) {
        return;
    }
    struct replica_block *block = block_of(pointer);
    CHECK(current != NULL);
    CHECK(current->bytes >= block->size);
    current->bytes -= block->size;
    block->previous->next = block->next;
    block->next->previous = block->previous;
    block->mark = 0;
    free(block);
}

static void *take_zeroed(void *data, size_t count, size_t size)
{
    size_t whole = 0;
    CHECK(!__builtin_mul_overflow(count, size, &whole));
    return take(data, whole);
}

static void *take_again(void *data, void *pointer, size_t size)
{
    void *fresh = take(data, size);
    if (pointer != NULL) {
        size_t had = block_of(pointer)->size;
        CHECK(fresh != pointer);
        memcpy(fresh, pointer, had < size ? had : size);
        give(data, pointer);
    }
    return fresh;
}

static void *take_aligned(void *data, size_t alignment, size_t size)
{
    CHECK(alignment <= _Alignof(max_align_t)); /* Only its disk driver asks for more. */
    return take(data, size);
}

static void give_aligned(void *data, size_t alignment, void *pointer)
{
    CHECK(alignment <= _Alignof(max_align_t));
    give(data, pointer);
}

void replica_heap_enter(struct replica_heap *heap)
{
    static struct raft_heap calls = {
        .malloc = take,
        .free = give,
        .calloc = take_zeroed,
        .realloc = take_again,
        .aligned_alloc = take_aligned,
        .aligned_free = give_aligned,
    };
    CHECK(heap->list.next != NULL);
    current = heap;
    raft_heap_set(&calls);
}

void replica_heap_drop(struct replica_heap *heap)
{
    struct replica_block *block = heap->list.next;
    while (block != &heap->list) {
        struct replica_block *next = block->next;
        CHECK(block->mark == mark_live);
        block->mark = 0;
        free(block);
        block = next;
    }
    heap->bytes = 0;
    replica_heap_init(heap);
    CHECK(heap->list.next == &heap->list);
}
