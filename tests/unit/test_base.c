/* The ground floor: ids, names, tables and indexes. */
#include "base/arena.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/index.h"
#include "base/prng.h"
#include "base/reject.h"
#include "base/slice.h"
#include "base/table.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct row {
    struct row_head head;
    uint64_t value;
};

Test(id, text_form_names_cell_kind_and_sequence)
{
    char text[ID_TEXT_SIZE];
    id_format(ID_INSTANCE, id_make(1, 42), text);
    cr_assert_str_eq(text, "00010009-0000-8000-8000-00000000002a");
    uint64_t back = 0;
    cr_assert(id_parse(ID_INSTANCE, text, &back));
    cr_assert_eq(back, id_make(1, 42));
    cr_assert_not(id_parse(ID_NODE, text, &back));
}

Test(id, anything_but_the_exact_form_is_refused)
{
    static const char *const bad[] = {
        "",
        "00010009-0000-8000-8000-00000000002A",
        "00010009-0000-8000-8000-00000000002",
        "00000009-0000-8000-8000-00000000002a",
        "00010009-0000-8000-8000-000000000000",
        "00010009-0000-9000-8000-00000000002a",
        "00010009-0000-8000-8000-00000000002a ",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        uint64_t id = 7;
        cr_assert_not(id_parse(ID_INSTANCE, bad[i], &id), "%s", bad[i]);
        cr_assert_eq(id, 7);
    }
}

Test(text, a_name_cannot_be_taken_for_an_id)
{
    cr_assert(text_is_name("web-1"));
    cr_assert(text_is_name("a"));
    cr_assert_not(text_is_name(""));
    cr_assert_not(text_is_name("Web"));
    cr_assert_not(text_is_name("1web"));
    cr_assert_not(text_is_name("web-"));
    cr_assert_not(text_is_name("a0010009-0000-8000-8000-00000000002a"));
    char long_name[65];
    memset(long_name, 'a', 64);
    long_name[64] = '\0';
    cr_assert_not(text_is_name(long_name));
}

Test(text, control_characters_and_broken_utf8_are_unclean)
{
    cr_assert(text_is_clean(slice_text("卯建 wall")));
    cr_assert_not(text_is_clean(slice_text("a\nb")));
    cr_assert_not(text_is_clean(slice_text("\x7f")));
    cr_assert_not(text_is_clean(slice_text("\xc0\xaf")));
    cr_assert_not(text_is_clean(slice_text("\xed\xa0\x80")));
    cr_assert_not(text_is_clean(slice_text("\xe5\x8d")));
    cr_assert_not(text_is_clean(slice_text("\xf4\x90\x80\x80")));
    cr_assert_not(text_is_clean(slice_text("\u202egnp.exe"))); /* Would be read backwards. */
    cr_assert_not(text_is_clean(slice_text("a\u2028b")));
    char room[4];
    cr_assert_not(text_copy(room, sizeof(room), slice_text("four")));
    cr_assert_str_eq(room, "");
}

/* Eight bytes are looked at in one step; what is wrong with one of them is seen wherever it is. */
Test(text, an_unclean_byte_is_seen_wherever_it_stands)
{
    enum { SIZE = 19 };
    for (size_t at = 0; at < SIZE; at++) {
        for (unsigned int byte = 0; byte < 256; byte++) {
            char text[SIZE];
            memset(text, ' ' + (int)(byte % 95), sizeof(text)); /* Beside every clean byte. */
            text[at] = (char)byte;
            bool plain = byte >= 0x20 && byte < 0x7f;
            cr_assert_eq(text_is_clean(slice_of(text, SIZE)), plain, "%u at %zu", byte, at);
        }
        char text[SIZE + 2];
        memset(text, '~', sizeof(text));
        memcpy(text + at, "\xc3\xa9", 2);
        cr_assert(text_is_clean(slice_of(text, sizeof(text))), "at %zu", at);
    }
}

/* Inserts, touches and removes at random beside a plain array as the oracle. */
Test(table, agrees_with_an_array_under_random_work)
{
    enum { CAPACITY = 64, STEPS = 20000 };
    struct table table;
    void *memory = calloc(1, table_memory(sizeof(struct row), CAPACITY));
    table_init(&table, memory, sizeof(struct row), CAPACITY);
    uint64_t live[CAPACITY];
    size_t count = 0;
    uint64_t next = 1;
    struct prng prng;
    prng_seed(&prng, 1);
    for (int step = 0; step < STEPS; step++) {
        uint64_t dice = prng_below(&prng, 10);
        if (dice < 5) {
            struct row *row = table_insert(&table, next);
            cr_assert_eq(row == NULL, table.taken == CAPACITY && row == NULL);
            if (row != NULL) {
                row->value = next * 3;
                live[count++] = next;
            }
            next++;
        } else if (dice < 8 && count > 0) {
            size_t at = prng_below(&prng, count);
            table_remove(&table, table_find(&table, live[at]));
            cr_assert_null(table_find(&table, live[at]));
            memmove(&live[at], &live[at + 1], (count - at - 1) * sizeof(live[0]));
            count--;
        } else {
            for (struct row *row; (row = table_dirty_take(&table)) != NULL;) {
                if (row->head.removed) {
                    table_release(&table, row);
                }
            }
            cr_assert_eq(table.taken, table.count);
        }
        cr_assert_eq(table.count, count);
        size_t seen = 0;
        for (struct row *row = table_first(&table); row != NULL; row = table_next(&table, row)) {
            cr_assert_eq(row->head.id, live[seen]);
            cr_assert_eq(row->value, live[seen] * 3);
            seen++;
        }
        cr_assert_eq(seen, count);
    }
    free(memory);
}

Test(table, removing_twice_is_our_bug, .signal = SIGABRT)
{
    struct table table;
    void *memory = calloc(1, table_memory(sizeof(struct row), 4));
    table_init(&table, memory, sizeof(struct row), 4);
    struct row *row = table_insert(&table, 1);
    table_remove(&table, row);
    table_remove(&table, row);
}

Test(index, finds_every_id_of_a_hash_and_forgets_the_dropped)
{
    struct index index;
    void *memory = calloc(1, index_memory(128));
    index_init(&index, memory, 128);
    for (uint64_t id = 1; id <= 128; id++) {
        index_put(&index, id % 7, id);
    }
    for (uint64_t id = 1; id <= 128; id += 2) {
        index_drop(&index, id % 7, id);
    }
    for (uint64_t hash = 0; hash < 7; hash++) {
        uint32_t at = 0;
        size_t found = 0;
        for (uint64_t id = index_seek(&index, hash, &at); id != 0;
             id = index_more(&index, hash, &at)) {
            cr_assert_eq(id % 7, hash);
            cr_assert_eq(id % 2, 0);
            found++;
        }
        cr_assert_geq(found, 9);
    }
    free(memory);
}

Test(hash, matches_the_published_vector)
{
    /* SipHash-2-4, appendix A of the paper: key 00..0f, message 00..0e. */
    uint8_t message[15];
    for (uint8_t i = 0; i < sizeof(message); i++) {
        message[i] = i;
    }
    struct hash_key key = { UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908) };
    cr_assert_eq(hash_bytes(key, slice_of(message, sizeof(message))), UINT64_C(0xa129ca6149be45e5));
}

Test(reject, every_number_has_a_word_and_a_status)
{
    for (unsigned int i = 0; i < REJECTS_END; i++) {
        cr_assert_not_null(reject_name((enum reject)i));
        cr_assert_geq(reject_status((enum reject)i), 200);
    }
}

Test(arena, full_is_an_answer)
{
    _Alignas(16) uint8_t memory[64];
    struct arena arena;
    arena_init(&arena, memory, sizeof(memory));
    cr_assert_not_null(arena_take(&arena, 40));
    cr_assert_null(arena_take(&arena, 40));
    arena_reset(&arena);
    cr_assert_not_null(arena_take(&arena, 40));
}
