/* Decides where a hash finds its ids. Never owns a row, never compares a name. */
#include "base/index.h"

#include "base/check.h"

static uint32_t slots_for(uint32_t capacity)
{
    uint32_t slots = 16;
    while (slots < capacity * 2U) {
        slots *= 2U;
    }
    return slots;
}

size_t index_memory(uint32_t capacity)
{
    CHECK(capacity > 0 && capacity <= UINT32_MAX / 4);
    return sizeof(struct index_slot) * slots_for(capacity);
}

void index_init(struct index *index, void *memory, uint32_t capacity)
{
    CHECK(memory != NULL);
    *index =
        (struct index){ .slots = memory, .mask = slots_for(capacity) - 1, .capacity = capacity };
}

void index_put(struct index *index, uint64_t hash, uint64_t id)
{
    CHECK(id != 0);
    CHECK(index->count < index->capacity);
    uint32_t at = (uint32_t)hash & index->mask;
    while (index->slots[at].id != 0) {
        CHECK(index->slots[at].hash != hash || index->slots[at].id != id);
        at = (at + 1) & index->mask;
    }
    index->slots[at] = (struct index_slot){ hash, id };
    index->count++;
}

void index_drop(struct index *index, uint64_t hash, uint64_t id)
{
    uint32_t hole = (uint32_t)hash & index->mask;
    while (index->slots[hole].hash != hash || index->slots[hole].id != id) {
        CHECK(index->slots[hole].id != 0); /* Dropped what was never put. */
        hole = (hole + 1) & index->mask;
    }
    uint32_t at = hole;
    for (;;) { /* Ends at the first empty slot; at most half full. */
        at = (at + 1) & index->mask;
        if (index->slots[at].id == 0) {
            break;
        }
        uint32_t home = (uint32_t)index->slots[at].hash & index->mask;
        if (((at - home) & index->mask) >= ((at - hole) & index->mask)) {
            index->slots[hole] = index->slots[at];
            hole = at;
        }
    }
    index->slots[hole] = (struct index_slot){ 0, 0 };
    index->count--;
}

static uint64_t scan(const struct index *index, uint64_t hash, uint32_t *at)
{
    while (index->slots[*at].id != 0) {
        if (index->slots[*at].hash == hash) {
            return index->slots[*at].id;
        }
        *at = (*at + 1) & index->mask;
    }
    return 0;
}

uint64_t index_seek(const struct index *index, uint64_t hash, uint32_t *at_out)
{
    *at_out = (uint32_t)hash & index->mask;
    return scan(index, hash, at_out);
}

uint64_t index_more(const struct index *index, uint64_t hash, uint32_t *at)
{
    *at = (*at + 1) & index->mask;
    return scan(index, hash, at);
}
