/* The simulated store keeps the promises of controller/store.h, and breaks what a crash may break.
 */
#include "base/prng.h"
#include "tests/sim/sim_store.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static _Alignas(16) uint8_t memory[STORE_ARENA];

static void end(void)
{
    sim_store_reset();
}

TestSuite(sim_store, .fini = end);

static struct store *opened(void)
{
    struct store *store = NULL;
    cr_assert_eq(store_open("db", &store).code, 0);
    return store;
}

static void put(struct store *store, const char *key, const char *value)
{
    store_put(store, slice_text(key), slice_text(value));
}

static const char *got(struct store *store, const char *key)
{
    static char room[64];
    size_t used = 0;
    struct result answer =
        store_get(store, slice_text(key), (uint8_t *)room, sizeof(room) - 1, &used);
    if (answer.code != 0) {
        return result_name(answer);
    }
    room[used] = '\0';
    return room;
}

Test(sim_store, a_crash_takes_what_was_not_flushed_and_index_and_rows_together)
{
    struct store *store = opened();
    put(store, "a", "1");
    cr_assert_eq(store_commit(store, 1).code, 0);
    cr_assert_eq(store_flush(store).code, 0);
    put(store, "a", "2");
    put(store, "b", "2");
    cr_assert_eq(store_commit(store, 2).code, 0);
    cr_assert_str_eq(got(store, "b"), "2");
    sim_store_crash(store);
    store = opened();
    cr_assert_eq(store_index(store), 1); /* INV-REF-1 */
    cr_assert_str_eq(got(store, "a"), "1");
    cr_assert_str_eq(got(store, "b"), "not-found");
    put(store, "a", "3");
    cr_assert_eq(store_commit(store, 3).code, 0);
    sim_store_flush_unasked(store);
    cr_assert_eq(store_flushed_index(store), 1);
    put(store, "a", "never committed");
    sim_store_crash(store);
    store = opened();
    cr_assert_eq(store_index(store), 3);
    cr_assert_str_eq(got(store, "a"), "3");
    store_close(store);
}

Test(sim_store, a_full_disk_makes_it_unfit_until_it_is_reopened_with_room)
{
    struct store *store = opened();
    put(store, "a", "1");
    cr_assert_eq(store_commit(store, 1).code, 0);
    cr_assert_eq(store_flush(store).code, 0);
    sim_store_full("db", true);
    put(store, "a", "2");
    cr_assert_eq(store_commit(store, 2).code, 0);
    cr_assert_eq(store_flush(store).code, FAILURE_NO_SPACE);
    cr_assert_not(store_fit(store));
    cr_assert_eq(store_commit(store, 3).code, FAILURE_NO_SPACE);
    cr_assert_str_eq(got(store, "a"), "2");
    cr_assert_eq(store_reopen(store).code, FAILURE_NO_SPACE);
    sim_store_full("db", false);
    cr_assert_eq(store_reopen(store).code, 0);
    cr_assert(store_fit(store));
    cr_assert_eq(store_index(store), 1);
    cr_assert_str_eq(got(store, "a"), "1");
    sim_store_break(store);
    cr_assert_eq(store_flush(store).code, FAILURE_IO);
    cr_assert_not(store_fit(store));
    store_close(store);
}

Test(sim_store, a_checkpoint_travels_and_a_damaged_one_is_refused)
{
    struct arena arena;
    arena_init(&arena, memory, sizeof(memory));
    struct store *store = opened();
    struct slice manifest = SLICE_EMPTY;
    put(store, "a", "1");
    cr_assert_eq(store_commit(store, 5).code, 0);
    cr_assert_eq(store_checkpoint(store, 5, "cp").code, 0);
    cr_assert_eq(store_checkpoint(store, 5, "cp").code, FAILURE_EXISTS);
    cr_assert_eq(store_manifest("cp", 5, &arena, &manifest).code, 0);
    cr_assert_eq(store_install("other", "fetched", manifest, &arena).code, FAILURE_NOT_FOUND);
    cr_assert(sim_store_copy("cp", "fetched"));
    cr_assert(sim_store_damage("fetched"));
    cr_assert_eq(store_install("other", "fetched", manifest, &arena).code, FAILURE_CORRUPT);
    cr_assert(sim_store_copy("cp", "fetched"));
    cr_assert_eq(store_install("other", "fetched", manifest, &arena).code, 0);
    struct store *other = NULL;
    cr_assert_eq(store_open("other", &other).code, 0);
    cr_assert_eq(store_index(other), 5);
    cr_assert_str_eq(got(other, "a"), "1");
    cr_assert_eq(store_discard("cp").code, 0);
    store_close(other);
    store_close(store);
}

Test(sim_store, an_index_that_falls_is_our_bug, .signal = SIGABRT)
{
    struct store *store = opened();
    cr_assert_eq(store_commit(store, 5).code, 0);
    cr_assert_neq(store_commit(store, 4).code, 0);
}

/* A table as simple as can be, to compare with. */
enum { KEYS = 40 };
struct model {
    uint64_t index;
    uint8_t value[KEYS]; /* 0: no such row. */
};

struct walk {
    const struct model *model;
    int next;
};

static bool compare(void *context, struct slice key, struct slice value)
{
    struct walk *walk = context;
    while (walk->next < KEYS && walk->model->value[walk->next] == 0) {
        walk->next++;
    }
    cr_assert_lt(walk->next, KEYS);
    cr_assert_eq(key.data[1], (uint8_t)walk->next);
    cr_assert_eq(value.data[0], walk->model->value[walk->next]);
    walk->next++;
    return true;
}

static void compare_all(struct store *store, const struct model *model)
{
    struct walk walk = { model, 0 };
    cr_assert_eq(store_index(store), model->index);
    cr_assert_eq(store_scan(store, slice_text("k"), SLICE_EMPTY, compare, &walk).code, 0);
    while (walk.next < KEYS) {
        cr_assert_eq(model->value[walk.next++], 0);
    }
}

static void change(struct store *store, struct model *model, struct prng *prng)
{
    uint8_t key[2] = { 'k', (uint8_t)prng_below(prng, KEYS) };
    uint8_t value = (uint8_t)(1 + prng_below(prng, 255));
    if (prng_below(prng, 40) == 0) {
        store_clear(store);
        memset(model->value, 0, sizeof(model->value));
    } else if (prng_below(prng, 3) == 0) {
        store_delete(store, slice_of(key, sizeof(key)));
        model->value[key[1]] = 0;
    } else {
        store_put(store, slice_of(key, sizeof(key)), slice_of(&value, 1));
        model->value[key[1]] = value;
    }
}

Test(sim_store, through_any_order_of_changes_flushes_and_crashes_it_is_what_it_should_be)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct prng prng;
        struct model now = { .index = 0 };
        struct model durable = { .index = 0 };
        prng_seed(&prng, seed);
        struct store *store = opened();
        for (int step = 0; step < 300; step++) {
            for (uint64_t i = prng_below(&prng, 5); i > 0; i--) {
                change(store, &now, &prng);
            }
            now.index++;
            cr_assert_eq(store_commit(store, now.index).code, 0);
            if (prng_below(&prng, 4) == 0) {
                cr_assert_eq(store_flush(store).code, 0);
                durable = now;
            }
            if (prng_below(&prng, 10) == 0) {
                sim_store_crash(store);
                store = opened();
                now = durable;
            }
            compare_all(store, &now);
        }
        sim_store_crash(store);
        sim_store_reset();
    }
}
