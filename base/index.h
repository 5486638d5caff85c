/* A multimap from a 64-bit hash to row ids: how rows are found by name or by key. The caller hashes
 * with the cell's secret key (no stranger can aim for collisions) and compares the row it finds. */
#ifndef BASE_INDEX_H
#define BASE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct index_slot {
    uint64_t hash;
    uint64_t id; /* 0: empty. */
};

struct index {
    struct index_slot *slots;
    uint32_t mask;
    uint32_t count;
    uint32_t capacity;
};

/* Bytes that index_init needs, zeroed by the caller. */
size_t index_memory(uint32_t capacity);
void index_init(struct index *index, void *memory, uint32_t capacity);
void index_put(struct index *index, uint64_t hash, uint64_t id); /* CHECKs the capacity. */
void index_drop(struct index *index, uint64_t hash, uint64_t id);

/* for (uint64_t id = index_seek(ix, hash, &at); id != 0; id = index_more(ix, hash, &at)) … */
uint64_t index_seek(const struct index *index, uint64_t hash, uint32_t *at_out);
uint64_t index_more(const struct index *index, uint64_t hash, uint32_t *at);

#endif
