/* The audit log in the store: what went in comes out, from anywhere on, and what is no block of
 * leaves is said to be none. */
#include "controller/leaves.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char home[] = "/tmp/udatsu-leaves-XXXXXX";
static char directory[sizeof(home) + 8];
static struct store *store;
static struct leaves open_block;

static void set_up(void)
{
    cr_assert_not_null(mkdtemp(home));
    (void)snprintf(directory, sizeof(directory), "%s/rows", home);
    struct result opened = store_open(directory, &store);
    cr_assert_eq(opened.code, 0);
}

static void tear_down(void)
{
    char command[sizeof(home) + 16];
    store_close(store);
    (void)snprintf(command, sizeof(command), "rm -rf %s", home);
    cr_assert_eq(system(command), 0);
}

TestSuite(leaves, .init = set_up, .fini = tear_down);

/* A leaf says its own sequence, and is as long as this. */
static void add(uint64_t seq, size_t size)
{
    uint8_t leaf[LEAVES_BLOCK_MAX / 2];
    cr_assert(size >= sizeof(seq) && size <= sizeof(leaf));
    memset(leaf, (int)(seq & 0xff), size);
    memcpy(leaf, &seq, sizeof(seq));
    leaves_add(&open_block, store, seq, slice_of(leaf, size));
}

static void commit(uint64_t index)
{
    leaves_close(&open_block, store);
    struct result committed = store_commit(store, index);
    cr_assert_eq(committed.code, 0);
}

struct seen {
    uint64_t first;
    uint64_t next;
    uint64_t stop;
};

static bool look(void *context, uint64_t seq, struct slice leaf)
{
    struct seen *seen = context;
    uint64_t said = 0;
    memcpy(&said, leaf.data, sizeof(said));
    seen->first = seen->next == UINT64_MAX ? seq : seen->first;
    cr_assert(seen->next == UINT64_MAX || seq == seen->next); /* INV-AUD-1 */
    cr_assert_eq(said, seq);
    cr_assert_eq(leaf.data[leaf.size - 1], seq & 0xff);
    seen->next = seq + 1;
    return seq != seen->stop;
}

static struct seen scan(uint64_t first, uint64_t stop, uint16_t code)
{
    struct seen seen = { UINT64_MAX, UINT64_MAX, stop };
    struct result scanned = leaves_scan(store, first, look, &seen);
    cr_assert_eq(scanned.code, code);
    return seen;
}

Test(leaves, come_out_as_they_went_in_from_any_sequence_on)
{
    uint64_t next = 0;
    for (uint64_t step = 1; step <= 40; step++) { /* Steps of one leaf and of many. */
        for (uint64_t i = 0; i < 1 + step % 7; i++, next++) {
            add(next, 8 + next * 37 % 900);
        }
        commit(step);
    }
    for (uint64_t from = 0; from < next; from++) {
        struct seen seen = scan(from, UINT64_MAX, 0);
        cr_assert_eq(seen.first, from);
        cr_assert_eq(seen.next, next);
    }
    cr_assert_eq(scan(next, UINT64_MAX, 0).first, UINT64_MAX);
    cr_assert_eq(scan(3, 5, 0).next, 6); /* Stops where it is told to. */
}

Test(leaves, more_than_one_block_of_a_step_are_several)
{
    for (uint64_t seq = 0; seq < 9; seq++) {
        add(seq, LEAVES_BLOCK_MAX / 2 - 16);
    }
    commit(1);
    for (uint64_t from = 0; from < 9; from++) {
        cr_assert_eq(scan(from, UINT64_MAX, 0).first, from);
        cr_assert_eq(scan(from, UINT64_MAX, 0).next, 9);
    }
}

Test(leaves, what_was_dropped_is_not_there)
{
    add(0, 8);
    leaves_drop(&open_block);
    commit(1);
    cr_assert_eq(scan(0, UINT64_MAX, 0).first, UINT64_MAX);
}

Test(leaves, a_leaf_out_of_its_order_is_our_bug, .signal = SIGABRT)
{
    add(4, 8);
    add(6, 8); /* INV-AUD-1 */
}

/* Every way in which a value is no block: another format, cut, a size beyond its end, a size of
 * nothing, more leaves than there are sequences below its key. */
Test(leaves, a_value_that_is_no_block_is_corrupt)
{
    static const uint8_t values[][16] = {
        { 2, 1, 0, 0, 0, 'x' },
        { 1, 2, 0, 0, 0, 'x' },
        { 1, 0, 0, 0, 0, 'x' },
        { 1, 1, 0, 0, 0, 'x', 1 },
        { 1, 1, 0, 0, 0, 'x', 1, 0, 0, 0, 'y' },
    };
    static const size_t sizes[] = { 6, 6, 6, 7, 11 };
    const uint8_t key[LEAVES_KEY_SIZE] = { LEAVES_TAG };
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        store_put(store, slice_of(key, sizeof(key)), slice_of(values[i], sizes[i]));
        struct result committed = store_commit(store, i + 1);
        cr_assert_eq(committed.code, 0);
        (void)scan(0, UINT64_MAX, FAILURE_CORRUPT);
    }
    static const uint8_t good[] = { 1, 1, 0, 0, 0, 'x' }; /* The negative: the nearest good one. */
    struct seen seen = { UINT64_MAX, 0, 0 };
    store_put(store, slice_of(key, sizeof(key)), slice_of(good, sizeof(good)));
    struct result committed = store_commit(store, 9);
    cr_assert_eq(committed.code, 0);
    cr_assert_eq(leaves_scan(store, 1, look, &seen).code, 0);
}
