/* Decides how leaves lie in one value: a format byte, then each leaf behind its size (4 bytes,
 * little-endian). Never decides what a leaf says, nor who may read it. */
#include "controller/leaves.h"

#include "base/check.h"

#include <string.h>

enum { FORMAT = 1, SIZE_BYTES = 4 };

static struct slice key_of(uint64_t seq, uint8_t room[static LEAVES_KEY_SIZE])
{
    room[0] = LEAVES_TAG;
    for (unsigned int i = 0; i < 8; i++) {
        room[1 + i] = (uint8_t)(seq >> (56U - 8U * i));
    }
    return slice_of(room, LEAVES_KEY_SIZE);
}

void leaves_close(struct leaves *leaves, struct store *store)
{
    uint8_t room[LEAVES_KEY_SIZE];
    if (leaves->size > 0) {
        store_put(store, key_of(leaves->last, room), slice_of(leaves->block, leaves->size));
    }
    leaves->size = 0;
}

void leaves_drop(struct leaves *leaves)
{
    leaves->size = 0;
}

void leaves_add(struct leaves *leaves, struct store *store, uint64_t seq, struct slice leaf)
{
    CHECK(leaf.size > 0 && leaf.size <= sizeof(leaves->block) - SIZE_BYTES - 1);
    if (leaves->size + SIZE_BYTES + leaf.size > sizeof(leaves->block)) {
        leaves_close(leaves, store);
    }
    if (leaves->size == 0) {
        leaves->block[leaves->size++] = FORMAT;
    } else {
        CHECK(seq == leaves->last + 1); /* INV-AUD-1 */
    }
    for (unsigned int i = 0; i < SIZE_BYTES; i++) {
        leaves->block[leaves->size++] = (uint8_t)(leaf.size >> (8U * i));
    }
    memcpy(leaves->block + leaves->size, leaf.data, leaf.size);
    leaves->size += leaf.size;
    leaves->last = seq;
}

/* ---- Reading ---- */

struct look {
    uint64_t first;
    bool (*visit)(void *context, uint64_t seq, struct slice leaf);
    void *context;
    bool damaged;
};

/* The leaf at *at, which moves behind it. False: the rest is no leaf. */
static bool next_leaf(struct slice block, size_t *at, struct slice *leaf_out)
{
    if (block.size - *at < SIZE_BYTES) {
        return false;
    }
    size_t size = 0;
    for (unsigned int i = 0; i < SIZE_BYTES; i++) {
        size |= (size_t)block.data[*at + i] << (8U * i);
    }
    *at += SIZE_BYTES;
    if (size == 0 || size > block.size - *at) {
        return false;
    }
    *leaf_out = slice_of(block.data + *at, size);
    *at += size;
    return true;
}

/* How many leaves; 0: this is no block of leaves. */
static uint64_t leaves_in(struct slice block)
{
    struct slice leaf;
    uint64_t count = 0;
    size_t at = 1;
    if (block.size == 0 || block.data[0] != FORMAT) {
        return 0;
    }
    while (at < block.size) {
        if (!next_leaf(block, &at, &leaf)) {
            return 0;
        }
        count++;
    }
    return count;
}

static bool look_at(void *context, struct slice key, struct slice value)
{
    struct look *look = context;
    uint64_t last = 0;
    for (unsigned int i = 1; i < LEAVES_KEY_SIZE && key.size == LEAVES_KEY_SIZE; i++) {
        last = last << 8 | key.data[i];
    }
    uint64_t count = leaves_in(value);
    if (key.size != LEAVES_KEY_SIZE || count == 0 || last + 1 < count) {
        look->damaged = true;
        return false;
    }
    struct slice leaf = SLICE_EMPTY;
    size_t at = 1;
    for (uint64_t seq = last + 1 - count; seq <= last; seq++) {
        bool there = next_leaf(value, &at, &leaf);
        CHECK(there); /* leaves_in has been through it. */
        if (seq >= look->first && !look->visit(look->context, seq, leaf)) {
            return false;
        }
    }
    return true;
}

RESULT leaves_scan(
    struct store *store,
    uint64_t first,
    bool (*visit)(void *context, uint64_t seq, struct slice leaf),
    void *context)
{
    uint8_t tag = LEAVES_TAG;
    uint8_t room[LEAVES_KEY_SIZE];
    struct look look = { first, visit, context, false };
    TRY(store_scan(store, slice_of(&tag, 1), key_of(first, room), look_at, &look));
    return look.damaged ? FAIL(FAILURE_CORRUPT) : OK;
}
