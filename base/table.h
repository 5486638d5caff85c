/* A table of rows: fixed capacity, memory taken once, found by id, walked in insertion order.
 *
 * Insertion order is id order (apply gives ids ascending, and a restore loads them ascending), so a
 * walk is the same on every replica. A row starts with struct row_head. A removed row stays in its
 * slot, out of every lookup and walk, until it is taken from the list of what changed and released,
 * so that whoever keeps copies of rows learns of the removal. */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct row_head {
    uint64_t id;     /* 0: the slot is free. */
    uint64_t digest; /* Hash of the row as last counted in the state digest; 0: not counted. */
    uint32_t newer;  /* Walk order; slot + 1, 0 ends. */
    uint32_t older;
    uint32_t dirty_next; /* slot + 1, 0 ends. */
    bool dirty;
    bool removed;
};

struct table {
    uint8_t *rows;     /* Part of the block given to table_init. */
    uint32_t *slots;   /* Open addressing: slot + 1, 0 is empty. */
    size_t row_size;   /* Bytes, a multiple of 8. */
    uint32_t capacity; /* Rows. */
    uint32_t slots_mask;
    uint32_t count;      /* Live rows. */
    uint32_t taken;      /* Live and removed-but-dirty rows. */
    uint32_t free_first; /* slot + 1; slots given back, chained by head.newer. */
    uint32_t fresh;      /* Slots from here on were never used. */
    uint32_t oldest;
    uint32_t newest;
    uint32_t dirty_first;
    uint32_t dirty_last;
};

/* Bytes that table_init needs, 16-byte aligned and zeroed by the caller (fresh pages are). */
size_t table_memory(size_t row_size, uint32_t capacity);
void table_init(struct table *table, void *memory, size_t row_size, uint32_t capacity);

void *table_find(const struct table *table, uint64_t id); /* NULL: no such row. */
/* A zeroed row with its id set, dirty; NULL when the table is full. The id is new and
 * above every id inserted before. */
void *table_insert(struct table *table, uint64_t id);
void table_touch(struct table *table, void *row);  /* The row changed. */
void table_remove(struct table *table, void *row); /* The row is gone; readable until released. */
bool table_full(const struct table *table);

void *table_first(const struct table *table); /* Oldest live row, or NULL. */
void *table_next(const struct table *table, const void *row);

/* Takes the row that changed first from the list of those that did; NULL: none did. One whose head
 * says `removed` is given back with table_release once its id was read. */
void *table_dirty_take(struct table *table);
void table_release(struct table *table, void *row);

#endif
