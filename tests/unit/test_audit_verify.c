/* The verifier finds every way in which an export can lie that it promises to find, and names the
 * leaf or the checkpoint. Each case starts from an export that is sound. */
#include "audit/leaf.h"
#include "audit/map.h"
#include "audit/verify.h"
#include "base/check.h"
#include "base/id.h"

#include <criterion/criterion.h>
#include <nettle/eddsa.h>
#include <stdio.h>
#include <string.h>

enum { LEAVES = 12, FIRST = 5, SECOND = 10, TENANTS = 3, LINES = 24, NOBODY = 99 };

static const uint8_t seed[ED25519_KEY_SIZE] = "not a secret: the test's own key";

/* A log as the controller makes it. */
struct world {
    struct audit_leaf leaf[LEAVES];
    uint64_t owner[LEAVES];
    uint64_t tenants[TENANTS];
    struct audit_frontier frontier;
    struct audit_chain chains[TENANTS];
    struct audit_frontier map[LEAVES + 1]; /* After so many leaves. */
    struct audit_chain after[LEAVES + 1][TENANTS];
    char note[LEAVES + 1][AUDIT_NOTE_MAX]; /* The checkpoint after so many leaves. */
};

struct text_line {
    size_t size;
    char text[AUDIT_LINE_MAX];
};

struct export
{
    uint32_t count;
    struct text_line line[LINES];
};

static struct world world;
static struct export export;
static struct audit_key key;
static struct audit_verifier verifier;
static struct audit_verify_tenant tenants[TENANTS];

static void sign(const char *body, char *note)
{
    uint8_t signature[ED25519_SIGNATURE];
    ed25519_sha512_sign(key.public_key, seed, strlen(body), (const uint8_t *)body, signature);
    char line[AUDIT_KEY_LINE_MAX];
    audit_signature_line(&key, signature, line);
    int size = snprintf(note, AUDIT_NOTE_MAX, "%s\n%s", body, line);
    cr_assert(size > 0 && size < AUDIT_NOTE_MAX);
}

static void note_of(const struct world *of, uint64_t size, char *note)
{
    struct audit_checkpoint checkpoint = { .size = size, .log_time_ms = 1000 + size };
    struct audit_frontier frontier = { 0 };
    audit_origin(1, checkpoint.origin);
    for (uint64_t i = 0; i < size; i++) {
        audit_append(&frontier, of->leaf[i].hash);
    }
    audit_root(&frontier, checkpoint.root);
    audit_root(&of->map[size], checkpoint.map_root);
    char body[AUDIT_NOTE_BODY_MAX];
    audit_checkpoint_body(&checkpoint, body);
    sign(body, note);
}

/* `changed`: the leaf whose story differs; everything after it is recomputed. */
static void make_world(struct world *made, uint64_t changed)
{
    memset(made, 0, sizeof(*made));
    made->tenants[1] = id_make(1, 7);
    made->tenants[2] = id_make(1, 9);
    for (uint64_t i = 0; i < LEAVES; i++) {
        uint32_t who = (uint32_t)(i % TENANTS);
        Wire__Leaf leaf = WIRE__LEAF__INIT;
        leaf.tenant = made->tenants[who];
        leaf.log_time_ms = 1000 + i;
        leaf.operation = i == changed ? "tenant-delete" : "instance-create";
        made->owner[i] = leaf.tenant;
        audit_record(&made->frontier, &made->chains[who], &leaf, &made->leaf[i]);
        memcpy(made->after[i + 1], made->chains, sizeof(made->chains));
        for (uint32_t t = 0; t < TENANTS; t++) {
            audit_map_append(&made->map[i + 1], made->tenants[t], &made->chains[t]);
        }
    }
    for (uint64_t size = 1; size <= LEAVES; size++) {
        note_of(made, size, made->note[size]);
    }
}

static struct text_line *new_line(void)
{
    cr_assert_lt(export.count, LINES);
    return &export.line[export.count++];
}

static void add_header(bool all, uint64_t tenant)
{
    struct audit_scope scope = { all, tenant };
    struct text_line *line = new_line();
    line->size = audit_export_header("udatsu/0001", scope, line->text);
}

static void add_leaf(const struct world *of, uint64_t seq)
{
    struct text_line *line = new_line();
    line->size = audit_export_leaf(slice_of(of->leaf[seq].bytes, of->leaf[seq].size), line->text);
}

static void add_note(const char *note)
{
    struct text_line *line = new_line();
    line->size = audit_export_checkpoint(slice_text(note), line->text);
    cr_assert_gt(line->size, 0);
}

static void write_whole(const struct world *leaves, const struct world *notes)
{
    export.count = 0;
    add_header(true, 0);
    for (uint64_t i = 0; i < LEAVES; i++) {
        add_leaf(leaves, i);
        if (i + 1 == FIRST || i + 1 == SECOND) {
            add_note(notes->note[i + 1]);
        }
    }
}

static const struct audit_verdict *verify_with(uint32_t keys_count, uint32_t tenants_room)
{
    audit_verify_start(&verifier, &key, keys_count, tenants, tenants_room);
    for (uint32_t i = 0; i < export.count; i++) {
        size_t size = export.line[i].size;
        cr_assert_eq(export.line[i].text[size - 1], '\n');
        if (!audit_verify_line(&verifier, slice_of(export.line[i].text, size - 1))) {
            break;
        }
    }
    return audit_verify_end(&verifier);
}

static const struct audit_verdict *verify(void)
{
    return verify_with(1, TENANTS);
}

static void remove_line(uint32_t at)
{
    export.count--;
    memmove(
        &export.line[at],
        &export.line[at + 1],
        (size_t)(export.count - at) * sizeof(export.line[0]));
}

static void begin(void)
{
    key = (struct audit_key){ .name = "udatsu/0001/c1" };
    ed25519_sha512_public_key(key.public_key, seed);
    make_world(&world, NOBODY);
    write_whole(&world, &world);
}

TestSuite(audit_verify, .init = begin);

/* The line that leaf `seq` stands on in a whole export. */
static uint32_t line_of(uint64_t seq)
{
    return (uint32_t)(1 + seq + (seq >= FIRST ? 1U : 0U) + (seq >= SECOND ? 1U : 0U));
}

Test(audit_verify, an_untouched_export_is_sound_and_says_what_is_not_yet_signed)
{
    const struct audit_verdict *verdict = verify();
    cr_assert_eq(verdict->finding, AUDIT_SOUND);
    cr_assert_eq(verdict->signed_leaves, SECOND);
    cr_assert_eq(verdict->unsigned_leaves, LEAVES - SECOND);
    cr_assert_eq(verdict->checkpoint, SECOND);
    cr_assert_eq(verdict->log_time_ms, 1000 + SECOND);
    cr_assert_str_eq(audit_finding_name(verdict->finding), "sound");
}

Test(audit_verify, every_changed_byte_is_found_and_in_a_leaf_the_leaf_is_named)
{
    for (uint32_t i = 0; i < export.count; i++) {
        for (size_t at = 0; at + 1 < export.line[i].size; at++) {
            export.line[i].text[at] ^= 1;
            const struct audit_verdict *verdict = verify();
            cr_assert_neq(verdict->finding, AUDIT_SOUND);
            cr_assert_geq(verdict->lines, i == 0 ? 1 : i + 1);
            export.line[i].text[at] ^= 1;
        }
    }
    uint32_t line = line_of(6);
    export.line[line].text[20] = export.line[line].text[20] == 'A' ? 'B' : 'A';
    const struct audit_verdict *verdict = verify();
    cr_assert_eq(verdict->finding, AUDIT_LEAF_HASH);
    cr_assert(verdict->names_leaf);
    cr_assert_eq(verdict->leaf, 6);
}

Test(audit_verify, a_removed_a_repeated_and_a_moved_leaf_are_named)
{
    for (uint64_t seq = 0; seq + 1 < LEAVES; seq++) {
        write_whole(&world, &world);
        remove_line(line_of(seq));
        const struct audit_verdict *verdict = verify();
        bool before_note = seq + 1 == FIRST || seq + 1 == SECOND;
        cr_assert_eq(verdict->finding, before_note ? AUDIT_CHECKPOINT_SIZE : AUDIT_LEAF_ORDER);
        cr_assert_eq(before_note ? verdict->checkpoint - 1 : verdict->leaf, seq);
    }
    write_whole(&world, &world);
    export.line[line_of(3)] = export.line[line_of(2)];
    cr_assert_eq(verify()->leaf, 3);
    cr_assert_eq(verify()->finding, AUDIT_LEAF_ORDER);
    write_whole(&world, &world);
    struct text_line kept = export.line[line_of(7)];
    export.line[line_of(7)] = export.line[line_of(8)];
    export.line[line_of(8)] = kept;
    cr_assert_eq(verify()->finding, AUDIT_LEAF_ORDER);
    cr_assert_eq(verify()->leaf, 7);
}

Test(audit_verify, a_leaf_changed_with_all_hashes_recomputed_fails_at_the_next_checkpoint)
{
    static struct world forged;
    for (uint64_t seq = 0; seq < SECOND; seq++) {
        make_world(&forged, seq);
        write_whole(&forged, &world);
        const struct audit_verdict *verdict = verify();
        cr_assert_eq(verdict->finding, AUDIT_CHECKPOINT_ROOT); /* INV-AUD-3 */
        cr_assert_eq(verdict->checkpoint, seq < FIRST ? FIRST : SECOND);
        cr_assert_eq(verdict->checkpoint_before, seq < FIRST ? 0 : FIRST);
        write_whole(&forged, &forged); /* With the private key the lie would stand. */
        cr_assert_eq(verify()->finding, AUDIT_SOUND);
    }
}

Test(audit_verify, a_checkpoint_rewritten_to_fit_the_forged_leaves_has_no_signature)
{
    static struct world forged;
    make_world(&forged, 2);
    char *forged_line = strstr(forged.note[FIRST], "\n\n");
    const char *good_line = strstr(world.note[FIRST], "\n\n");
    cr_assert(forged_line != NULL && good_line != NULL);
    cr_assert_eq(strlen(forged_line), strlen(good_line));
    memcpy(forged_line, good_line, strlen(good_line));
    write_whole(&forged, &forged);
    cr_assert_eq(verify()->finding, AUDIT_CHECKPOINT_SIGNATURE);
    write_whole(&world, &world);
    cr_assert_eq(verify_with(0, TENANTS)->finding, AUDIT_CHECKPOINT_KEY);
}

Test(audit_verify, a_chain_broken_inside_a_tenant_is_named)
{
    static struct world forged;
    make_world(&forged, 1); /* Only leaf 1 is replaced, its hash with it. */
    write_whole(&world, &world);
    add_leaf(&forged, 1);
    export.line[line_of(1)] = export.line[--export.count];
    const struct audit_verdict *verdict = verify();
    cr_assert_eq(verdict->finding, AUDIT_LEAF_CHAIN);
    cr_assert_eq(verdict->leaf, 1 + TENANTS);
    cr_assert_eq(verdict->tenant, world.tenants[1]);
}

Test(audit_verify, a_signed_map_that_the_leaves_do_not_make_is_refused)
{
    world.map[FIRST] = world.map[FIRST - 1];
    note_of(&world, FIRST, world.note[FIRST]);
    write_whole(&world, &world);
    const struct audit_verdict *verdict = verify();
    cr_assert_eq(verdict->finding, AUDIT_CHECKPOINT_MAP); /* INV-AUD-4 */
    cr_assert_eq(verdict->checkpoint, FIRST);
}

Test(audit_verify, checkpoints_must_sign_what_stands_before_them_in_order)
{
    write_whole(&world, &world);
    add_note(world.note[FIRST]);
    cr_assert_eq(verify()->finding, AUDIT_CHECKPOINT_ORDER);
    write_whole(&world, &world);
    add_note(world.note[SECOND]);
    cr_assert_eq(verify()->finding, AUDIT_CHECKPOINT_SIZE);
    write_whole(&world, &world);
    add_note(world.note[LEAVES]);
    cr_assert_eq(verify()->finding, AUDIT_SOUND);
    cr_assert_eq(verify()->unsigned_leaves, 0);
}

Test(audit_verify, without_a_checkpoint_nothing_is_proven)
{
    export.count = 1 + FIRST;
    cr_assert_eq(verify()->finding, AUDIT_UNSIGNED);
    cr_assert_eq(verify()->unsigned_leaves, FIRST);
    export.count = 0;
    cr_assert_eq(verify()->finding, AUDIT_BAD_LINE);
}

Test(audit_verify, more_tenants_than_there_is_room_for_is_an_answer)
{
    cr_assert_eq(verify_with(1, TENANTS - 1)->finding, AUDIT_TOO_MANY_TENANTS);
    cr_assert_eq(verify()->finding, AUDIT_SOUND);
}

/* ---- One tenant's export. ---- */

static bool log_hash(void *context, uint64_t seq, uint8_t hash_out[static AUDIT_HASH])
{
    const struct world *of = context;
    cr_assert_lt(seq, LEAVES);
    memcpy(hash_out, of->leaf[seq].hash, AUDIT_HASH);
    return true;
}

static void add_map_proof(const struct world *of, uint64_t size, uint32_t who)
{
    struct audit_map_entry entries[TENANTS];
    uint8_t proof[AUDIT_PROOF_MAX];
    size_t used = 0;
    for (uint32_t i = 0; i < TENANTS; i++) {
        entries[i] = (struct audit_map_entry){ of->tenants[i], of->after[size][i] };
    }
    cr_assert(audit_map_prove(entries, TENANTS, of->tenants[who], proof, &used));
    struct text_line *line = new_line();
    line->size = audit_export_tenant_map(slice_of(proof, used), line->text);
}

static void add_consistency(struct world *of, uint64_t first, uint64_t second)
{
    const struct audit_leaves leaves = { of, log_hash };
    uint8_t proof[AUDIT_PROOF_MAX];
    size_t used = 0;
    cr_assert(audit_growth_prove(&leaves, first, second, proof, &used));
    struct text_line *line = new_line();
    line->size = audit_export_consistency(slice_of(proof, used), line->text);
}

Test(audit_verify, a_tenant_without_a_leaf_has_no_entry_to_prove)
{
    struct audit_map_entry entry = { world.tenants[1], world.after[FIRST][1] };
    uint8_t proof[AUDIT_PROOF_MAX];
    size_t used = 0;
    cr_assert_not(audit_map_prove(&entry, 1, world.tenants[2], proof, &used));
    cr_assert(audit_map_prove(&entry, 1, world.tenants[1], proof, &used));
}

/* Lines: header, leaves 1 4, note, map, 7, consistency, note, map, 10. */
static void write_tenant(struct world *of, struct world *later)
{
    export.count = 0;
    add_header(false, of->tenants[1]);
    add_leaf(of, 1);
    add_leaf(of, 4);
    add_note(of->note[FIRST]);
    add_map_proof(of, FIRST, 1);
    add_leaf(of, 7);
    add_consistency(of, FIRST, SECOND);
    add_note(later->note[SECOND]);
    add_map_proof(later, SECOND, 1);
    add_leaf(of, 10);
}

Test(audit_verify, a_tenants_export_proves_its_sub_log_complete_without_another_tenants_leaf)
{
    write_tenant(&world, &world);
    const struct audit_verdict *verdict = verify_with(1, 1);
    cr_assert_eq(verdict->finding, AUDIT_SOUND);
    cr_assert_eq(verdict->signed_leaves, 3);
    cr_assert_eq(verdict->unsigned_leaves, 1);
}

/* How many entries the map has is not signed, so a proof may hold for more than one number; what it
 * proves of this tenant is the same. */
static bool proves_the_same(uint32_t line, const struct audit_verdict *verdict)
{
    return (line == 4 || line == 8) && verdict->signed_leaves == 3 && verdict->unsigned_leaves == 1;
}

Test(audit_verify, every_changed_byte_of_a_tenants_export_is_found)
{
    uint32_t harmless = 0;
    write_tenant(&world, &world);
    for (uint32_t i = 0; i < export.count; i++) {
        for (size_t at = 0; at + 1 < export.line[i].size; at++) {
            export.line[i].text[at] ^= 1;
            const struct audit_verdict *verdict = verify_with(1, 1);
            if (verdict->finding == AUDIT_SOUND) {
                cr_assert(proves_the_same(i, verdict));
                harmless++;
            }
            export.line[i].text[at] ^= 1;
        }
    }
    cr_assert_leq(harmless, 4);
}

static enum audit_finding without(uint32_t line)
{
    write_tenant(&world, &world);
    remove_line(line);
    return verify_with(1, 1)->finding;
}

Test(audit_verify, a_tenants_export_that_lacks_anything_is_refused)
{
    cr_assert_eq(without(1), AUDIT_LEAF_CHAIN);
    cr_assert_eq(without(2), AUDIT_TENANT_INCOMPLETE); /* INV-AUD-4 */
    cr_assert_eq(without(4), AUDIT_TENANT_UNPROVEN);
    cr_assert_eq(without(5), AUDIT_TENANT_INCOMPLETE);
    cr_assert_eq(without(6), AUDIT_BAD_PROOF);
    cr_assert_eq(without(8), AUDIT_TENANT_UNPROVEN);
    cr_assert_eq(without(9), AUDIT_SOUND); /* The leaf that nobody signed yet. */
    write_tenant(&world, &world);
    export.count = 8;
    cr_assert_eq(verify_with(1, 1)->finding, AUDIT_TENANT_UNPROVEN);
    cr_assert_eq(verifier.verdict.tenant, world.tenants[1]);
}

Test(audit_verify, another_tenants_leaf_or_proof_has_no_place_in_a_tenants_export)
{
    write_tenant(&world, &world);
    add_leaf(&world, 3);
    export.line[1] = export.line[export.count - 1];
    cr_assert_eq(verify_with(1, 1)->finding, AUDIT_LEAF_FOREIGN);
    write_tenant(&world, &world);
    add_map_proof(&world, FIRST, 2);
    export.line[4] = export.line[export.count - 1];
    cr_assert_eq(verify_with(1, 1)->finding, AUDIT_LEAF_FOREIGN);
}

Test(audit_verify, a_later_checkpoint_of_another_history_is_refused)
{
    static struct world forked;
    make_world(&forked, 2); /* Another tenant's leaf differs: this tenant's chain is the same. */
    write_tenant(&world, &forked);
    const struct audit_verdict *verdict = verify_with(1, 1);
    cr_assert_eq(verdict->finding, AUDIT_BAD_PROOF);
    cr_assert_eq(verdict->checkpoint, SECOND);
    cr_assert_eq(verdict->checkpoint_before, FIRST);
}
