/* The Merkle log, its proofs and notes, against published vectors and against their own negatives.
 */
#include "audit/leaf.h"
#include "audit/note.h"
#include "audit/proof.h"
#include "audit/sha256.h"
#include "audit/text.h"
#include "base/check.h"

#include <criterion/criterion.h>
#include <nettle/eddsa.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { LEAVES = 64 };

static uint8_t hashes[LEAVES][AUDIT_HASH];

static void fill_hashes(void)
{
    for (uint8_t i = 0; i < LEAVES; i++) {
        audit_leaf_hash(slice_of(&i, 1), hashes[i]);
    }
}

TestSuite(audit, .init = fill_hashes);

static bool stored(void *context, uint64_t seq, uint8_t hash_out[static AUDIT_HASH])
{
    uint64_t *missing = context;
    if (missing != NULL && seq == *missing) {
        return false;
    }
    memcpy(hash_out, hashes[seq], AUDIT_HASH);
    return true;
}

static const struct audit_leaves leaves = { NULL, stored };

static void root_of(uint64_t size, uint8_t root_out[static AUDIT_HASH])
{
    struct audit_frontier frontier = { 0 };
    for (uint64_t i = 0; i < size; i++) {
        audit_append(&frontier, hashes[i]);
    }
    audit_root(&frontier, root_out);
}

static const char *hex(const uint8_t *bytes)
{
    static char text[2 * AUDIT_HASH + 1];
    for (size_t i = 0; i < AUDIT_HASH; i++) {
        text[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        text[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
    return text;
}

/* The inputs and roots of the Certificate Transparency reference implementation. */
Test(audit, roots_are_those_of_rfc_6962_for_the_published_leaves)
{
    static const struct slice inputs[] = {
        { (const uint8_t *)"", 0 },
        { (const uint8_t *)"\x00", 1 },
        { (const uint8_t *)"\x10", 1 },
        { (const uint8_t *)"\x20\x21", 2 },
        { (const uint8_t *)"\x30\x31", 2 },
        { (const uint8_t *)"\x40\x41\x42\x43", 4 },
        { (const uint8_t *)"\x50\x51\x52\x53\x54\x55\x56\x57", 8 },
        { (const uint8_t *)"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f", 16 },
    };
    static const char *const roots[] = {
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    };
    struct audit_frontier frontier = { 0 };
    uint8_t hash[AUDIT_HASH];
    audit_root(&frontier, hash);
    cr_assert_str_eq(hex(hash), roots[0]);
    for (size_t i = 0; i < COUNT_OF(inputs); i++) {
        audit_leaf_hash(inputs[i], hash);
        audit_append(&frontier, hash);
        audit_root(&frontier, hash);
        cr_assert_str_eq(hex(hash), roots[i + 1]);
    }
}

Test(audit, a_frontier_survives_its_encoding_and_nothing_else_decodes)
{
    struct audit_frontier frontier = { 0 };
    uint8_t room[AUDIT_FRONTIER_MAX + 1];
    for (uint64_t size = 0; size < LEAVES; size++) {
        size_t used = audit_frontier_encode(&frontier, room);
        struct audit_frontier back;
        cr_assert(audit_frontier_decode(slice_of(room, used), &back));
        cr_assert_eq(memcmp(&back, &frontier, sizeof(back)), 0);
        room[used] = 1;
        cr_assert_not(audit_frontier_decode(slice_of(room, used + 1), &back));
        cr_assert_not(audit_frontier_decode(slice_of(room, used - 1), &back));
        room[0] = 1; /* A size beyond the last level. */
        cr_assert_not(audit_frontier_decode(slice_of(room, used), &back));
        audit_append(&frontier, hashes[size]);
    }
    size_t used = audit_frontier_encode(&frontier, room);
    cr_assert_eq(used, 8 + AUDIT_HASH); /* INV-AUD-2: 64 leaves are one perfect subtree. */
    memset(room + 8, 0, AUDIT_HASH);
    cr_assert_not(audit_frontier_decode(slice_of(room, used), &frontier));
}

Test(audit, a_leaf_that_was_not_hashed_is_our_bug, .signal = SIGABRT)
{
    struct audit_frontier frontier = { 0 };
    static const uint8_t nothing[AUDIT_HASH];
    audit_append(&frontier, nothing);
}

static void refuse_wrong_inclusion(uint64_t index, uint64_t size, const struct audit_path *path)
{
    uint8_t root[AUDIT_HASH];
    root_of(size, root);
    struct audit_path wrong = *path;
    for (uint32_t i = 0; i < path->count; i++) {
        wrong.node[i][i % AUDIT_HASH] ^= 1;
        cr_assert_not(audit_inclusion_holds(hashes[index], index, size, &wrong, root));
        wrong.node[i][i % AUDIT_HASH] ^= 1;
    }
    for (uint64_t other = 0; other < size; other++) {
        bool same = other == index;
        cr_assert_eq(audit_inclusion_holds(hashes[other], index, size, path, root), same);
        cr_assert_eq(audit_inclusion_holds(hashes[index], other, size, path, root), same);
    }
    cr_assert_not(audit_inclusion_holds(hashes[index], size, size, path, root));
    wrong.count++;
    cr_assert_not(audit_inclusion_holds(hashes[index], index, size, &wrong, root));
    if (path->count > 0) {
        wrong.count -= 2;
        cr_assert_not(audit_inclusion_holds(hashes[index], index, size, &wrong, root));
    }
    root[0] ^= 1;
    cr_assert_not(audit_inclusion_holds(hashes[index], index, size, path, root));
}

Test(audit, every_leaf_of_every_log_up_to_64_is_proven_included_and_no_other_is)
{
    for (uint64_t size = 1; size <= LEAVES; size++) {
        uint8_t root[AUDIT_HASH];
        root_of(size, root);
        for (uint64_t index = 0; index < size; index++) {
            struct audit_path path;
            cr_assert(audit_inclusion(&leaves, index, size, &path));
            cr_assert(audit_inclusion_holds(hashes[index], index, size, &path, root));
            refuse_wrong_inclusion(index, size, &path);
        }
    }
}

static void refuse_wrong_consistency(uint64_t first, uint64_t second, const struct audit_path *path)
{
    uint8_t first_root[AUDIT_HASH];
    uint8_t second_root[AUDIT_HASH];
    root_of(first, first_root);
    root_of(second, second_root);
    struct audit_path wrong = *path;
    for (uint32_t i = 0; i < path->count; i++) {
        wrong.node[i][0] ^= 1;
        cr_assert_not(audit_consistency_holds(first, first_root, second, second_root, &wrong));
        wrong.node[i][0] ^= 1;
    }
    wrong.count++;
    cr_assert_not(audit_consistency_holds(first, first_root, second, second_root, &wrong));
    wrong.count = 0;
    bool needs_none = first == second;
    cr_assert_eq(
        audit_consistency_holds(first, first_root, second, second_root, &wrong), needs_none);
    if (first != second) {
        cr_assert_not(audit_consistency_holds(first, second_root, second, second_root, path));
        cr_assert_not(audit_consistency_holds(first, first_root, second, first_root, path));
        cr_assert_not(audit_consistency_holds(second, second_root, first, first_root, path));
    }
    cr_assert_not(audit_consistency_holds(0, first_root, second, second_root, path));
}

Test(audit, every_log_up_to_64_is_proven_to_extend_its_every_beginning_and_nothing_else)
{
    for (uint64_t second = 1; second <= LEAVES; second++) {
        uint8_t second_root[AUDIT_HASH];
        root_of(second, second_root);
        for (uint64_t first = 1; first <= second; first++) {
            uint8_t first_root[AUDIT_HASH];
            root_of(first, first_root);
            struct audit_path path;
            cr_assert(audit_consistency(&leaves, first, second, &path));
            cr_assert(audit_consistency_holds(first, first_root, second, second_root, &path));
            refuse_wrong_consistency(first, second, &path);
        }
    }
}

Test(audit, no_proof_is_made_when_a_leaf_is_missing)
{
    uint64_t missing = 5;
    const struct audit_leaves holed = { &missing, stored };
    struct audit_path path;
    cr_assert_not(audit_inclusion(&holed, 2, 9, &path));
    cr_assert_not(audit_consistency(&holed, 4, 9, &path));
    cr_assert(audit_inclusion(&holed, 2, 5, &path));
}

static Wire__Leaf some_leaf(uint64_t tenant)
{
    Wire__Leaf leaf = WIRE__LEAF__INIT;
    leaf.tenant = tenant;
    leaf.operation = "instance-create";
    leaf.actor_kind = WIRE__KIND__KIND_USER;
    leaf.actor = 77;
    return leaf;
}

Test(audit, leaves_are_numbered_and_chained_within_their_tenant)
{
    struct audit_frontier frontier = { 0 };
    struct audit_chain chains[2] = { { .count = 0 } };
    struct audit_leaf made;
    uint8_t last[2][AUDIT_HASH];
    for (uint64_t i = 0; i < 9; i++) {
        Wire__Leaf leaf = some_leaf(i % 2);
        audit_record(&frontier, &chains[i % 2], &leaf, &made);
        cr_assert_eq(leaf.seq, i); /* INV-AUD-1 */
        cr_assert_eq(leaf.tenant_seq, i / 2);
        uint8_t hash[AUDIT_HASH];
        audit_leaf_hash(slice_of(made.bytes, made.size), hash);
        cr_assert_eq(memcmp(hash, chains[i % 2].last, AUDIT_HASH), 0);
        cr_assert(i < 2 || memcmp(hash, last[i % 2], AUDIT_HASH) != 0);
        memcpy(last[i % 2], hash, AUDIT_HASH);
    }
    cr_assert_eq(frontier.size, 9);
    cr_assert_eq(chains[0].count, 5);
}

Test(audit, a_leaf_with_a_persons_text_or_a_wrong_shape_is_not_valid)
{
    uint8_t some[AUDIT_HASH] = { 1 };
    Wire__Leaf leaf = some_leaf(1);
    leaf.format = AUDIT_FORMAT;
    cr_assert(audit_leaf_valid(&leaf));
    leaf.operation = "";
    cr_assert_not(audit_leaf_valid(&leaf));
    leaf.operation = "caf\xc3\xa9";
    cr_assert_not(audit_leaf_valid(&leaf));
    leaf = some_leaf(1);
    cr_assert_not(audit_leaf_valid(&leaf)); /* No format. */
    leaf.format = AUDIT_FORMAT;
    leaf.tenant_prev = (ProtobufCBinaryData){ AUDIT_HASH, some };
    cr_assert_not(audit_leaf_valid(&leaf)); /* The first has no previous. */
    leaf.seq = 1;
    leaf.tenant_seq = 1;
    cr_assert(audit_leaf_valid(&leaf));
    leaf.argument_digest = (ProtobufCBinaryData){ 5, some };
    cr_assert_not(audit_leaf_valid(&leaf));
    leaf.argument_digest.len = 0;
    Wire__Fold fold = WIRE__FOLD__INIT;
    leaf.fold = &fold;
    cr_assert_not(audit_leaf_valid(&leaf));
    fold.count = 1;
    cr_assert(audit_leaf_valid(&leaf));
}

Test(audit, base64_and_numbers_have_one_text_each)
{
    static const char *const texts[] = { "", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=" };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        char room[16];
        struct text_writer writer = { .room = room, .size = sizeof(room) };
        text_put_base64(&writer, slice_of("fooba", i));
        cr_assert(slice_equal(slice_of(room, writer.used), slice_text(texts[i])));
        uint8_t bytes[8];
        size_t used = 99;
        cr_assert(text_base64(slice_text(texts[i]), bytes, sizeof(bytes), &used));
        cr_assert_eq(used, i);
        cr_assert(i == 0 || !text_base64(slice_text(texts[i]), bytes, i - 1, &used));
    }
    static const char *const wrong[] = { "Z", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==", "Zm 9" };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        uint8_t bytes[8];
        size_t used = 0;
        cr_assert_not(text_base64(slice_text(wrong[i]), bytes, sizeof(bytes), &used));
    }
    uint64_t number = 0;
    cr_assert(text_number(slice_text("18446744073709551615"), &number));
    cr_assert_eq(number, UINT64_MAX);
    cr_assert_not(text_number(slice_text("18446744073709551616"), &number));
    cr_assert_not(text_number(slice_text("01"), &number));
    cr_assert_not(text_number(slice_text(""), &number));
    cr_assert_not(text_number(slice_text("-1"), &number));
}

static const uint8_t seed[ED25519_KEY_SIZE] = "not a secret: the test's own key";

static struct audit_key test_key(const char *name)
{
    struct audit_key key = { .name = "" };
    cr_assert(text_copy(key.name, sizeof(key.name), slice_text(name)));
    ed25519_sha512_public_key(key.public_key, seed);
    return key;
}

static size_t signed_note(const struct audit_key *key, const char *body, char *room)
{
    uint8_t signature[ED25519_SIGNATURE];
    ed25519_sha512_sign(key->public_key, seed, strlen(body), (const uint8_t *)body, signature);
    char line[AUDIT_KEY_LINE_MAX];
    audit_signature_line(key, signature, line);
    int size = snprintf(room, AUDIT_NOTE_MAX, "%s\n%s", body, line);
    cr_assert(size > 0 && size < AUDIT_NOTE_MAX);
    return (size_t)size;
}

static struct audit_checkpoint some_checkpoint(void)
{
    struct audit_checkpoint checkpoint = { .size = 1234, .log_time_ms = 98765 };
    audit_origin(0x00a1, checkpoint.origin);
    memset(checkpoint.root, 7, AUDIT_HASH);
    memset(checkpoint.map_root, 8, AUDIT_HASH);
    return checkpoint;
}

/* The verifier key of the signed-note specification's example. */
Test(audit, a_published_verifier_key_is_read_and_written_alike)
{
    static const char published[] =
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    struct audit_key key;
    cr_assert(audit_key_parse(slice_text(published), &key));
    cr_assert_str_eq(key.name, "PeterNeumann");
    char line[AUDIT_KEY_LINE_MAX];
    audit_key_line(&key, line);
    cr_assert_str_eq(line, published);
    for (size_t at = 0; at < sizeof(published) - 1; at++) {
        char wrong[sizeof(published)];
        memcpy(wrong, published, sizeof(published));
        wrong[at] ^= 1;
        cr_assert_not(audit_key_parse(slice_text(wrong), &key));
    }
}

Test(audit, a_note_holds_for_its_key_and_for_no_other)
{
    struct audit_checkpoint checkpoint = some_checkpoint();
    struct audit_checkpoint read;
    char body[AUDIT_NOTE_BODY_MAX];
    char note[AUDIT_NOTE_MAX];
    audit_checkpoint_body(&checkpoint, body);
    cr_assert_eq(strncmp(body, "udatsu/00a1\n1234\nBwcHB", 22), 0);
    struct audit_key key = test_key("udatsu/00a1/c1");
    struct slice whole = slice_of(note, signed_note(&key, body, note));
    cr_assert_eq(audit_note_open(whole, &key, 1, &read), AUDIT_NOTE_HOLDS);
    cr_assert_eq(memcmp(&read, &checkpoint, sizeof(read)), 0);
    cr_assert_eq(audit_note_open(whole, NULL, 0, &read), AUDIT_NOTE_NO_KEY);
    struct audit_key other = test_key("udatsu/00a1/c2");
    cr_assert_eq(audit_note_open(whole, &other, 1, &read), AUDIT_NOTE_NO_KEY);
    other = key;
    other.public_key[0] ^= 1;
    cr_assert_eq(audit_note_open(whole, &other, 1, &read), AUDIT_NOTE_NO_KEY);
}

Test(audit, another_cells_key_does_not_speak_for_this_cell)
{
    struct audit_checkpoint checkpoint = some_checkpoint();
    struct audit_checkpoint read;
    char body[AUDIT_NOTE_BODY_MAX];
    char note[AUDIT_NOTE_MAX];
    audit_checkpoint_body(&checkpoint, body);
    static const char *const strangers[] = { "udatsu/00a2/c1", "udatsu/00a10", "udatsu" };
    for (size_t i = 0; i < COUNT_OF(strangers); i++) {
        struct audit_key key = test_key(strangers[i]);
        struct slice whole = slice_of(note, signed_note(&key, body, note));
        cr_assert_eq(audit_note_open(whole, &key, 1, &read), AUDIT_NOTE_NO_KEY);
    }
}

Test(audit, every_changed_byte_of_a_note_is_noticed)
{
    struct audit_checkpoint checkpoint = some_checkpoint();
    char body[AUDIT_NOTE_BODY_MAX];
    char note[AUDIT_NOTE_MAX];
    audit_checkpoint_body(&checkpoint, body);
    struct audit_key key = test_key("udatsu/00a1");
    size_t size = signed_note(&key, body, note);
    for (size_t at = 0; at < size; at++) {
        struct audit_checkpoint read;
        note[at] ^= 1;
        cr_assert_neq(audit_note_open(slice_of(note, size), &key, 1, &read), AUDIT_NOTE_HOLDS);
        note[at] ^= 1;
        cr_assert_neq(audit_note_open(slice_of(note, at), &key, 1, &read), AUDIT_NOTE_HOLDS);
    }
}
