/* Decides where rows live and in which order they are seen. Never looks into a row. */
#include "base/table.h"

#include "base/check.h"

#include <string.h>

static struct row_head *head_at(const struct table *table, uint32_t slot)
{
    CHECK(slot < table->capacity);
    return (struct row_head *)(void *)(table->rows + (size_t)slot * table->row_size);
}

static uint32_t slot_of(const struct table *table, const void *row)
{
    size_t offset = (size_t)((const uint8_t *)row - table->rows);
    CHECK(offset % table->row_size == 0);
    CHECK(offset / table->row_size < table->capacity);
    return (uint32_t)(offset / table->row_size);
}

static uint32_t slots_for(uint32_t capacity)
{
    uint32_t slots = 16;
    while (slots < capacity * 2U) { /* At most half full: probes stay short. */
        slots *= 2U;
    }
    return slots;
}

/* Ids are sequences: Fibonacci hashing spreads them, and no stranger chooses them. */
static uint32_t home_of(const struct table *table, uint64_t id)
{
    return (uint32_t)((id * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & table->slots_mask;
}

size_t table_memory(size_t row_size, uint32_t capacity)
{
    CHECK(row_size % 8 == 0);
    CHECK(capacity > 0 && capacity <= UINT32_MAX / 4);
    return row_size * capacity + sizeof(uint32_t) * slots_for(capacity);
}

void table_init(struct table *table, void *memory, size_t row_size, uint32_t capacity)
{
    CHECK(memory != NULL);
    CHECK(row_size >= sizeof(struct row_head));
    *table = (struct table){ .rows = memory, .row_size = row_size, .capacity = capacity };
    table->slots = (uint32_t *)(void *)(table->rows + row_size * capacity);
    table->slots_mask = slots_for(capacity) - 1;
}

void *table_find(const struct table *table, uint64_t id)
{
    if (id == 0) {
        return NULL;
    }
    uint32_t at = home_of(table, id);
    while (table->slots[at] != 0) { /* Ends: the index is never more than half full. */
        struct row_head *head = head_at(table, table->slots[at] - 1);
        if (head->id == id) {
            return head->removed ? NULL : head;
        }
        at = (at + 1) & table->slots_mask;
    }
    return NULL;
}

bool table_full(const struct table *table)
{
    return table->free_first == 0 && table->fresh == table->capacity;
}

/* A slot given back, or else the next one never used: untouched memory stays untouched. */
static uint32_t take_slot(struct table *table)
{
    if (table->free_first == 0) {
        return table->fresh++;
    }
    uint32_t slot = table->free_first - 1;
    struct row_head *head = head_at(table, slot);
    table->free_first = head->newer;
    head->newer = 0;
    return slot;
}

void *table_insert(struct table *table, uint64_t id)
{
    CHECK(id != 0);
    if (table_full(table)) {
        return NULL;
    }
    CHECK(table->newest == 0 || head_at(table, table->newest - 1)->id < id);
    uint32_t slot = take_slot(table);
    struct row_head *head = head_at(table, slot); /* Zeroed, as fresh memory is. */
    head->id = id;
    head->older = table->newest;
    if (table->newest != 0) {
        head_at(table, table->newest - 1)->newer = slot + 1;
    } else {
        table->oldest = slot + 1;
    }
    table->newest = slot + 1;
    uint32_t at = home_of(table, id);
    while (table->slots[at] != 0) {
        CHECK(head_at(table, table->slots[at] - 1)->id != id);
        at = (at + 1) & table->slots_mask;
    }
    table->slots[at] = slot + 1;
    table->count++;
    table->taken++;
    table_touch(table, head);
    return head;
}

void table_touch(struct table *table, void *row)
{
    struct row_head *head = row;
    CHECK(head->id != 0);
    if (head->dirty) {
        return;
    }
    uint32_t link = slot_of(table, head) + 1;
    head->dirty = true;
    head->dirty_next = 0;
    if (table->dirty_last == 0) {
        table->dirty_first = link;
    } else {
        head_at(table, table->dirty_last - 1)->dirty_next = link;
    }
    table->dirty_last = link;
}

/* Closes the hole left at `hole` by moving later entries of the same probe run back. */
static void close_hole(struct table *table, uint32_t hole)
{
    uint32_t at = hole;
    for (;;) { /* Ends at the first empty slot; the index is never more than half full. */
        at = (at + 1) & table->slots_mask;
        if (table->slots[at] == 0) {
            table->slots[hole] = 0;
            return;
        }
        uint32_t home = home_of(table, head_at(table, table->slots[at] - 1)->id);
        if (((at - home) & table->slots_mask) >= ((at - hole) & table->slots_mask)) {
            table->slots[hole] = table->slots[at];
            hole = at;
        }
    }
}

static void free_slot(struct table *table, struct row_head *head)
{
    uint32_t slot = slot_of(table, head);
    uint32_t at = home_of(table, head->id);
    while (table->slots[at] != slot + 1) {
        CHECK(table->slots[at] != 0);
        at = (at + 1) & table->slots_mask;
    }
    close_hole(table, at);
    memset(head, 0, table->row_size);
    head->newer = table->free_first;
    table->free_first = slot + 1;
    table->taken--;
}

void table_remove(struct table *table, void *row)
{
    struct row_head *head = row;
    CHECK(head->id != 0);
    CHECK(!head->removed);
    table_touch(table, row);
    head->removed = true;
    if (head->older != 0) {
        head_at(table, head->older - 1)->newer = head->newer;
    } else {
        table->oldest = head->newer;
    }
    if (head->newer != 0) {
        head_at(table, head->newer - 1)->older = head->older;
    } else {
        table->newest = head->older;
    }
    table->count--;
}

void *table_first(const struct table *table)
{
    return table->oldest == 0 ? NULL : head_at(table, table->oldest - 1);
}

void *table_next(const struct table *table, const void *row)
{
    const struct row_head *head = row;
    CHECK(head->id != 0);
    CHECK(!head->removed);
    return head->newer == 0 ? NULL : head_at(table, head->newer - 1);
}

void *table_dirty_take(struct table *table)
{
    if (table->dirty_first == 0) {
        return NULL;
    }
    struct row_head *head = head_at(table, table->dirty_first - 1);
    CHECK(head->dirty);
    head->dirty = false;
    table->dirty_first = head->dirty_next;
    if (table->dirty_first == 0) {
        table->dirty_last = 0;
    }
    return head;
}

void table_release(struct table *table, void *row)
{
    struct row_head *head = row;
    CHECK(head->removed);
    CHECK(!head->dirty);
    free_slot(table, head);
}
