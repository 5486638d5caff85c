/* The offline verifier over whole exports. The input tells a small cell's life, from which a true
 * export is written and signed, and then what somebody without the key did to its lines. The
 * oracle: the true one is sound, and whatever a sound verdict calls signed are the true leaves, in
 * order, from the first (INV-AUD-4); a controller that signs a lie is found in a whole export. */
#include "tests/fuzz/fuzz_export.h"

#include "audit/leaf.h"
#include "audit/map.h"
#include "audit/proof.h"
#include "audit/verify.h"
#include "base/check.h"
#include "base/id.h"
#include "wire/wire.h"

#include <nettle/eddsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEAVES_MAX = 24, TENANTS = 3, EDITS_MAX = 8, SCRIPT_MAX = 28 };

struct line lines[LINES_MAX];
uint32_t lines_count;
static struct audit_leaf leaves[LEAVES_MAX];
static uint64_t leaf_tenants[LEAVES_MAX];
static uint32_t leaves_count;
static struct audit_frontier frontier;
static struct audit_map_entry map[TENANTS];
static struct audit_scope scope;
static uint64_t signed_size; /* Of the checkpoint before; 0: none. */
static uint64_t log_time_ms;
static uint64_t log_before_ms; /* Of the checkpoint before. */
static bool lied;

static const uint8_t secret[ED25519_KEY_SIZE] = { 9 };
static struct audit_key key = { .name = "udatsu/0001/log" };

static char *line_new(void)
{
    CHECK(lines_count < LINES_MAX);
    return lines[lines_count].text;
}

static void line_end(size_t size)
{
    CHECK(size > 1);
    lines[lines_count++].size = size - 1; /* Without its line end. */
}

static bool mine(uint64_t tenant)
{
    return scope.all || scope.tenant == tenant;
}

static void add_leaf(uint8_t step)
{
    uint32_t who = step % TENANTS;
    Wire__Leaf leaf = WIRE__LEAF__INIT;
    if (leaves_count == LEAVES_MAX || lines_count + 6 > LINES_MAX) {
        return;
    }
    leaf.tenant = map[who].tenant;
    leaf.operation = step % 2 == 0 ? "instance-create" : "instance-stop";
    leaf.resource = id_make(1, 1U + step);
    struct audit_leaf *made = &leaves[leaves_count];
    audit_record(&frontier, &map[who].chain, &leaf, made);
    leaf_tenants[leaves_count++] = leaf.tenant;
    if (mine(leaf.tenant)) {
        line_end(audit_export_leaf(slice_of(made->bytes, made->size), line_new()));
    }
}

static bool leaf_hash(void *context, uint64_t seq, uint8_t hash_out[static AUDIT_HASH])
{
    (void)context;
    CHECK(seq < leaves_count);
    memcpy(hash_out, leaves[seq].hash, AUDIT_HASH);
    return true;
}

/* What a tenant needs beside a checkpoint: that it grew out of the last one, and the map. */
static void add_consistency(void)
{
    static uint8_t proof[AUDIT_PROOF_MAX];
    const struct audit_leaves from = { NULL, leaf_hash };
    size_t size = 0;
    if (!scope.all && signed_size > 0) {
        bool proven = audit_growth_prove(&from, signed_size, frontier.size, proof, &size);
        CHECK(proven);
        line_end(audit_export_consistency(slice_of(proof, size), line_new()));
    }
}

static void add_map(void)
{
    static uint8_t proof[AUDIT_PROOF_MAX];
    struct audit_map_entry now[TENANTS];
    size_t size = 0;
    memcpy(now, map, sizeof(now));
    uint64_t count = audit_map_settle(now, TENANTS);
    if (audit_map_prove(now, count, scope.all ? map[0].tenant : scope.tenant, proof, &size)) {
        line_end(audit_export_tenant_map(slice_of(proof, size), line_new()));
    }
}

static void tell_lie(struct audit_checkpoint *checkpoint, uint8_t which)
{
    if (which % 6 == 5 && signed_size > 0 && log_before_ms > 0) {
        checkpoint->log_time_ms = log_before_ms - 1;
        lied = true;
        return;
    }
    switch (which % 5) {
    case 0: checkpoint->size++; break;
    case 1: checkpoint->root[which % AUDIT_HASH] ^= 1; break;
    case 2: checkpoint->map_root[which % AUDIT_HASH] ^= 1; break;
    case 3: checkpoint->origin[10] = '2'; break;
    default: checkpoint->size = checkpoint->size > 0 ? checkpoint->size - 1 : 1; break;
    }
    lied = true;
}

static void add_checkpoint(uint8_t step, bool lie)
{
    char body[AUDIT_NOTE_BODY_MAX];
    char signature_line[AUDIT_KEY_LINE_MAX];
    char note[AUDIT_NOTE_BODY_MAX + AUDIT_KEY_LINE_MAX + 2];
    uint8_t signature[ED25519_SIGNATURE];
    struct audit_checkpoint checkpoint = { .origin = "udatsu/0001", .size = frontier.size };
    struct audit_frontier tree = { 0 };
    if (lines_count + 6 > LINES_MAX || frontier.size == 0) {
        return;
    }
    log_time_ms += step;
    checkpoint.log_time_ms = log_time_ms;
    audit_root(&frontier, checkpoint.root);
    for (uint32_t i = 0; i < TENANTS; i++) {
        audit_map_append(&tree, map[i].tenant, &map[i].chain);
    }
    audit_root(&tree, checkpoint.map_root);
    if (lie) {
        tell_lie(&checkpoint, step);
    }
    audit_checkpoint_body(&checkpoint, body);
    ed25519_sha512_sign(key.public_key, secret, strlen(body), (const uint8_t *)body, signature);
    audit_signature_line(&key, signature, signature_line);
    (void)snprintf(note, sizeof(note), "%s\n%s", body, signature_line);
    add_consistency();
    line_end(audit_export_checkpoint(slice_text(note), line_new()));
    if (!scope.all || step % 16 == 0) {
        add_map();
    }
    signed_size = frontier.size;
    log_before_ms = checkpoint.log_time_ms;
}

bool write_export(struct slice script)
{
    lines_count = leaves_count = 0;
    signed_size = log_time_ms = log_before_ms = 0;
    lied = false;
    memset(&frontier, 0, sizeof(frontier));
    memset(map, 0, sizeof(map));
    ed25519_sha512_public_key(key.public_key, secret);
    for (uint32_t i = 1; i < TENANTS; i++) {
        map[i].tenant = id_make(1, 3 + i);
    }
    uint8_t how = script.size == 0 ? 0 : script.data[0];
    scope = (struct audit_scope){ .all = how % 2 == 0 };
    scope.tenant = scope.all ? 0 : map[how / 2 % TENANTS].tenant;
    line_end(audit_export_header("udatsu/0001", scope, line_new()));
    for (size_t i = 1; i < script.size && i < SCRIPT_MAX; i++) {
        uint8_t step = script.data[i];
        if (step % STEPS < STEP_CHECKPOINT) {
            add_leaf(step);
        } else {
            add_checkpoint((uint8_t)(step / STEPS), step % STEPS == STEP_LIE);
        }
    }
    return signed_size > 0;
}

static struct audit_verdict verify(uint32_t room)
{
    static struct audit_verifier verifier;
    struct audit_verify_tenant tenants[TENANTS + 1];
    struct audit_key keys[2] = { key, key };
    keys[1].name[10] = '9'; /* Of another cell. */
    audit_verify_start(&verifier, keys, 2, tenants, room);
    for (uint32_t i = 0; i < lines_count; i++) {
        char *line = fuzz_text(slice_of(lines[i].text, lines[i].size));
        bool more = audit_verify_line(&verifier, slice_of(line, lines[i].size));
        free(line);
        if (!more) {
            MUST(!audit_verify_line(&verifier, SLICE_EMPTY));
            break;
        }
    }
    return *audit_verify_end(&verifier);
}

/* What the lines call the leaf-th leaf is the leaf-th true one of this scope. */
static bool leaves_are_true(uint64_t count)
{
    static struct audit_export_line read;
    uint32_t at = 0;
    for (uint32_t i = 0; i < lines_count && count > 0; i++) {
        if (!audit_export_read(slice_of(lines[i].text, lines[i].size), &read) ||
            read.kind != AUDIT_LINE_LEAF) {
            continue;
        }
        while (at < leaves_count && !mine(leaf_tenants[at])) {
            at++;
        }
        if (at == leaves_count ||
            !slice_equal(read.bytes, slice_of(leaves[at].bytes, leaves[at].size))) {
            return false;
        }
        at++;
        count--;
    }
    return count == 0;
}

/* Every checkpoint among the lines is one that the cell signed, letter for letter. */
static bool checkpoints_are_true(const struct line *truth, uint32_t truth_count)
{
    for (uint32_t i = 0; i < lines_count; i++) {
        struct slice one = slice_of(lines[i].text, lines[i].size);
        bool known = one.size < 15 || memcmp(one.data, "{\"checkpoint\":", 14) != 0;
        for (uint32_t j = 0; j < truth_count && !known; j++) {
            known = slice_equal(one, slice_of(truth[j].text, truth[j].size));
        }
        if (!known) {
            return false;
        }
    }
    return true;
}

/* Four bytes: what, which line, where, with what. */
static void edit(const uint8_t how[static 4])
{
    struct line *line = &lines[how[1] % lines_count];
    struct line *other = &lines[how[2] % lines_count];
    static struct line kept;
    uint32_t at = (uint32_t)(line - lines);
    switch (how[0] % 6) {
    case 0: line->text[(how[2] * 256U + how[3]) % line->size] ^= (char)(1U << how[3] % 8); break;
    case 1:
        memmove(line, line + 1, (lines_count - at - 1) * sizeof(*line));
        lines_count = lines_count > 1 ? lines_count - 1 : 1;
        break;
    case 2:
        kept = *line;
        *line = *other;
        *other = kept;
        break;
    case 3:
        if (lines_count < LINES_MAX) {
            lines[lines_count++] = *line;
        }
        break;
    case 4: line->size = line->size > how[2] ? line->size - how[2] : line->size; break;
    default: lines_count = at > 0 ? at : 1; break;
    }
}

/* ---- Lines that somebody made up: a leaf or a proof in the place of a line. ---- */

const ProtobufCMessageDescriptor *fuzz_type(uint8_t kind)
{
    switch ((enum kind)(kind % KINDS)) {
    case KIND_LEAF: return &wire__leaf__descriptor;
    case KIND_MAP: return &wire__tenant_map_proof__descriptor;
    case KIND_GROWTH: return &wire__consistency_proof__descriptor;
    case KIND_SCRIPT:
    case KIND_PROOF:
    case KINDS: break;
    }
    return NULL;
}

static void make_up(const struct fuzz_part *part)
{
    struct line *line = &lines[part->kind / KINDS % lines_count];
    size_t size = part->bytes.size;
    enum kind kind = (enum kind)(part->kind % KINDS);
    if (size == 0 || size > AUDIT_LEAF_MAX) {
        return;
    }
    switch (kind) {
    case KIND_LEAF: line->size = audit_export_leaf(part->bytes, line->text) - 1; break;
    case KIND_MAP: line->size = audit_export_tenant_map(part->bytes, line->text) - 1; break;
    case KIND_GROWTH: line->size = audit_export_consistency(part->bytes, line->text) - 1; break;
    case KIND_SCRIPT:
    case KIND_PROOF:
    case KINDS: break;
    }
}

/* ---- Proofs by themselves, of trees small enough to be made. ---- */

static bool number_hash(void *context, uint64_t seq, uint8_t hash_out[static AUDIT_HASH])
{
    (void)context;
    memset(hash_out, (int)seq + 1, AUDIT_HASH);
    return true;
}

static void root_of(uint64_t size, uint8_t root_out[static AUDIT_HASH])
{
    struct audit_frontier tree = { 0 };
    uint8_t hash[AUDIT_HASH];
    for (uint64_t seq = 0; seq < size; seq++) {
        (void)number_hash(NULL, seq, hash);
        audit_append(&tree, hash);
    }
    audit_root(&tree, root_out);
}

/* Spoils the path; false: it was left as it is. */
static bool spoil(struct audit_path *path, uint8_t how, uint8_t where)
{
    switch (how % 6) {
    case 1: path->node[where % AUDIT_PATH_MAX][where % AUDIT_HASH] ^= 1; break;
    case 2: path->count = path->count < AUDIT_PATH_MAX ? path->count + 1 : path->count; return true;
    case 3: path->count = path->count > 0 ? path->count - 1 : AUDIT_PATH_MAX; return true;
    case 4: path->count = AUDIT_PATH_MAX + 1; return true;
    default: return false;
    }
    return where % AUDIT_PATH_MAX < path->count;
}

static void hold_proof(struct slice how)
{
    const struct audit_leaves numbers = { NULL, number_hash };
    struct audit_path path = { 0 };
    uint8_t root[AUDIT_HASH];
    uint8_t old_root[AUDIT_HASH];
    uint8_t hash[AUDIT_HASH];
    if (how.size < 4) {
        return;
    }
    uint64_t size = 1U + how.data[0] % 40U;
    uint64_t index = how.data[1] % 44U;
    root_of(size, root);
    (void)number_hash(NULL, index, hash);
    bool made = index < size && audit_inclusion(&numbers, index, size, &path);
    bool spoiled = spoil(&path, how.data[2], how.data[3]);
    uint64_t said = how.data[2] == 255 ? size + (UINT64_C(1) << AUDIT_LEVELS) : size;
    MUST(
        audit_inclusion_holds(hash, index, said, &path, root) ==
        (made && !spoiled && said == size));
    path = (struct audit_path){ 0 };
    made = index > 0 && index <= size && audit_consistency(&numbers, index, size, &path);
    spoiled = spoil(&path, how.data[2], how.data[3]);
    root_of(index, old_root);
    MUST(
        audit_consistency_holds(index, old_root, said, root, &path) ==
        (made && !spoiled && said == size));
    old_root[0] ^= 1;
    MUST(!audit_consistency_holds(index, old_root, size, root, &path));
}

static void hold(struct slice script, struct slice edits, struct slice rest)
{
    struct fuzz_part made_up;
    uint32_t room = script.size > 0 && script.data[0] % 16 == 8 ? 1 : TENANTS;
    bool proves = write_export(script);
    uint64_t total = 0;
    for (uint32_t i = 0; i < leaves_count; i++) {
        total += mine(leaf_tenants[i]) ? 1 : 0;
    }
    struct audit_verdict verdict = verify(room);
    MUST(!lied || !scope.all || verdict.finding != AUDIT_SOUND); /* INV-AUD-3 */
    if (!lied && (scope.all || total > 0)) {
        bool few = verdict.finding == AUDIT_TOO_MANY_TENANTS && room < TENANTS;
        bool unproven = verdict.finding == AUDIT_TENANT_UNPROVEN && !scope.all;
        MUST(few || unproven || (verdict.finding == AUDIT_SOUND) == proves);
        MUST(
            verdict.finding != AUDIT_SOUND ||
            verdict.signed_leaves + verdict.unsigned_leaves == total);
    }
    static struct line truth[LINES_MAX];
    uint32_t truth_count = lines_count;
    memcpy(truth, lines, truth_count * sizeof(truth[0]));
    for (size_t i = 0; i + 4 <= edits.size && i < 4 * EDITS_MAX; i += 4) {
        edit(edits.data + i);
    }
    while (fuzz_part_next(&rest, &made_up)) {
        make_up(&made_up);
    }
    uint32_t kept = lines_count;
    lines_count = 0;
    MUST(verify(room).finding == AUDIT_BAD_LINE); /* Nothing proves nothing. */
    lines_count = kept;
    verdict = verify(room);
    MUST(audit_finding_words(verdict.finding)[0] != '\0');
    MUST(audit_finding_name(verdict.finding)[0] != '\0');
    if (verdict.finding == AUDIT_SOUND && !lied) {
        MUST(leaves_are_true(verdict.signed_leaves)); /* INV-AUD-4 */
        MUST(checkpoints_are_true(truth, truth_count));
        MUST(verdict.checkpoint <= signed_size && verdict.log_time_ms <= log_time_ms);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size);
    struct fuzz_part script = { 0, SLICE_EMPTY };
    struct fuzz_part edits = { 0, SLICE_EMPTY };
    if (!fuzz_part_next(&rest, &script)) {
        return 0;
    }
    if (script.kind % KINDS == KIND_PROOF) {
        hold_proof(script.bytes);
        return 0;
    }
    (void)fuzz_part_next(&rest, &edits);
    hold(script.bytes, edits.bytes, rest);
    return 0;
}
