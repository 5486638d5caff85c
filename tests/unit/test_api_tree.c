/* Our reader of JSON against jansson: whatever the bytes, both take them or neither does, and both
 * read the same. */
#include "tests/fuzz/tree_judge.h"

#include "base/prng.h"

#include <criterion/criterion.h>
#include <string.h>

enum { TEXT_MAX = 512 };

static _Alignas(16) uint8_t memory[256 * 1024];

static struct json *read_ours(struct slice text, bool *doubt_out)
{
    struct arena arena;
    arena_init(&arena, memory, sizeof(memory));
    return tree_read(text, &arena, doubt_out);
}

/* True: both took it. */
static bool held_together(struct slice text)
{
    bool doubt = false;
    json_error_t error;
    struct json *ours = read_ours(text, &doubt);
    json_t *theirs = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &error);
    bool ok = theirs == NULL ? ours == NULL || doubt
                             : (ours == NULL ? tree_too_deep(text) : tree_same(ours, theirs));
    cr_assert(ok, "%.*s", (int)text.size, (const char *)text.data);
    json_decref(theirs);
    return ours != NULL && theirs != NULL;
}

static const char *const seeds[] = {
    "{}",
    "[]",
    " \t\r\n{ \"a\" : [ ] , \"b\":{}} \n",
    "{\"name\":\"web-1\",\"vcpus\":2,\"stopped\":true,\"x\":false,\"y\":null,\"labels\":[{\"k\":1}]"
    "}",
    "{\"requests\":[{\"method\":\"POST\",\"path\":\"/v1/a\",\"body\":{\"n\":\"a\"}},{\"m\":-0}]}",
    "[0,-1,9223372036854775807,-9223372036854775808,10,-10]",
    "[9223372036854775808,1]",
    "[-9223372036854775809]",
    "[1.5,-0.0e+7,2E-3,1e400,12345678901234567890.5]",
    "{\"\\u00e9\\ud83d\\ude00\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u001f\\u0041\\uffff\"}",
    "{\"\xc3\xa9\":\"\xe5\x8d\xaf\xf0\x9f\x98\x80\xef\xbf\xbf\x7f\xc2\x80\"}",
    "[\"\\u0000\"]",
    "[\"\\ud83d\\ud83d\"]",
    "[\"\\udc00\",\"\\ud800x\"]",
    "[\"\xed\xa0\x80\"]",
    "[\"\xc0\xaf\",\"\xf4\x90\x80\x80\"]",
    "[\"\xe0\x9f\xbf\"]",
    "[\"\xf0\x8f\xbf\xbf\"]",
    "{\"a\":1,\"b\":{\"a\":1},\"a\":2}",
    "[01,1.,1.e5,.5,-,+1,1e,truE]",
    "[[[[[[[[[[[[]]]]]]]]]]]]",
    "[1,]",
    "{\"a\":1,}",
    "{\"a\" 1}",
    "nul",
    "\"x\"",
    "",
};

static size_t mutated(struct prng *prng, const char *seed, uint8_t room[static TEXT_MAX])
{
    static const char *const words[] = { "{", "}",  "[",    "]",        ",",      ":",     "\"",
                                         "1", "0",  "-",    ".",        "e",      "\\",    "\\u",
                                         " ", "\n", "true", "\xc3\xa9", "\"a\":", "\"a\"", "d83d" };
    size_t size = strlen(seed);
    memcpy(room, seed, size);
    for (uint64_t changes = prng_next(prng) % 4; changes > 0; changes--) {
        size_t at = (size_t)(prng_next(prng) % (size + 1));
        uint64_t how = prng_next(prng) % 4;
        const char *word = words[prng_next(prng) % (sizeof(words) / sizeof(words[0]))];
        size_t more = strlen(word);
        if (how == 0 && at < size) {
            room[at] = (uint8_t)(room[at] ^ (1U << (prng_next(prng) % 8)));
        } else if (how == 1 && at < size) {
            memmove(room + at, room + at + 1, size - at - 1);
            size--;
        } else if (how == 2 && at < size) {
            size = at; /* Cut. */
        } else if (size + more < TEXT_MAX) {
            memmove(room + at + more, room + at, size - at);
            memcpy(room + at, word, more);
            size += more;
        }
    }
    return size;
}

Test(api_tree, it_takes_what_jansson_takes_and_reads_the_same)
{
    enum { ROUNDS = 20000 };
    struct prng prng;
    uint8_t room[TEXT_MAX];
    size_t taken = 0;
    size_t seeds_count = sizeof(seeds) / sizeof(seeds[0]);
    prng_seed(&prng, 7);
    for (size_t i = 0; i < ROUNDS * seeds_count; i++) {
        size_t size = mutated(&prng, seeds[i % seeds_count], room);
        /* A copy of just this size, so that a sanitizer sees who reads beyond. */
        uint8_t *text = malloc(size + (size == 0 ? 1 : 0));
        cr_assert_not_null(text);
        memcpy(text, room, size);
        taken += held_together(slice_of(text, size)) ? 1 : 0;
        free(text);
    }
    cr_assert_gt(taken, ROUNDS, "most were no JSON: %zu", taken);
    cr_assert_lt(taken, ROUNDS * seeds_count - ROUNDS, "nothing was broken: %zu", taken);
}

Test(api_tree, what_it_leaves_to_jansson_is_said)
{
    bool doubt = true;
    cr_assert_not_null(read_ours(slice_text("{\"a\":1,\"b\":[-7,\"x\",{}]}"), &doubt));
    cr_assert_not(doubt);
    cr_assert_not_null(read_ours(slice_text("[1e999]"), &doubt));
    cr_assert(doubt, "it is too large, and only jansson knows");
    for (int members = TREE_CROWDED; members <= TREE_CROWDED + 1; members++) {
        char text[4096];
        size_t used = 0;
        for (int i = 0; i < members; i++) {
            used += (size_t)snprintf(
                text + used, sizeof(text) - used, "%c\"m%d\":1", i == 0 ? '{' : ',', i);
        }
        (void)snprintf(text + used, sizeof(text) - used, "}");
        doubt = false;
        cr_assert_not_null(read_ours(slice_text(text), &doubt));
        cr_assert_eq(doubt, members > TREE_CROWDED);
        cr_assert(held_together(slice_text(text)));
    }
}

Test(api_tree, its_bounds_are_its_memory_and_its_depth)
{
    static const char text[] = "{\"a\":[1,2,3],\"b\":\"c\"}";
    _Alignas(16) uint8_t small[1024];
    bool doubt = false;
    size_t least = 0;
    for (size_t size = 16; size <= sizeof(small); size += 16) {
        struct arena arena;
        arena_init(&arena, small, size);
        bool fits = tree_read(slice_text(text), &arena, &doubt) != NULL;
        cr_assert_leq(arena.used, size);
        cr_assert(fits || least == 0, "more memory takes no less");
        least = fits && least == 0 ? size : least;
    }
    cr_assert_gt(least, 6 * sizeof(struct json));
    cr_assert_not_null(read_ours(slice_text("[[[[[[[[[[[[1]]]]]]]]]]]]"), &doubt));
    cr_assert_null(read_ours(slice_text("[[[[[[[[[[[[[]]]]]]]]]]]]]"), &doubt));
}

Test(api_tree, every_value_knows_its_place)
{
    bool doubt = false;
    struct json *document =
        read_ours(slice_text("{\"a\":[{},{\"x/y~\":[0,[1,2]]}],\"b\":7}"), &doubt);
    cr_assert_not_null(document);
    char room[64];
    tree_pointer(document, room, sizeof(room));
    cr_assert_str_eq(room, "");
    tree_pointer(tree_member(document, "b"), room, sizeof(room));
    cr_assert_str_eq(room, "/b");
    cr_assert_null(tree_member(document, "c"));
    struct json *list = tree_member(document, "a");
    struct json *deep = tree_first(tree_first(list)->next);
    tree_pointer(tree_first(tree_first(deep)->next)->next, room, sizeof(room));
    cr_assert_str_eq(room, "/a/1/x~1y~0/1/1");
    char tiny[6]; /* Cut, never overrun. */
    tree_pointer(tree_first(deep), tiny, sizeof(tiny));
    cr_assert_eq(strncmp("/a/1/x~1y~0", tiny, strlen(tiny)), 0);
}
