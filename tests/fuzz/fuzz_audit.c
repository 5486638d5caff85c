/* The written forms of the audit log: lines of an export, checkpoints, signed notes, verifier keys,
 * frontiers. Whatever is read is written again by its writer, byte for byte. */
#include "tests/fuzz/fuzz.h"

#include "audit/export.h"
#include "audit/leaf.h"
#include "base/check.h"
#include "wire/wire.h"

#include <nettle/eddsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { KIND_LINE, KIND_BODY, KIND_NOTE, KIND_KEY, KIND_FRONTIER, KIND_LEAF, KINDS };

static const uint8_t secret[ED25519_KEY_SIZE] = { 7 };

static struct audit_key key_made(void)
{
    struct audit_key key = { .name = "udatsu/0001/log" };
    ed25519_sha512_public_key(key.public_key, secret);
    return key;
}

const ProtobufCMessageDescriptor *fuzz_type(uint8_t kind)
{
    return kind % KINDS == KIND_LEAF ? &wire__leaf__descriptor : NULL;
}

static void hold_line(struct slice bytes)
{
    static struct audit_export_line line;
    static char again[AUDIT_LINE_MAX];
    size_t used = 0;
    memset(&line, 0, sizeof(line));
    if (!audit_export_read(bytes, &line)) {
        return;
    }
    switch (line.kind) {
    case AUDIT_LINE_HEADER: used = audit_export_header(line.origin, line.scope, again); break;
    case AUDIT_LINE_LEAF: {
        used = audit_export_leaf(line.bytes, again);
        uint8_t hash[AUDIT_HASH];
        audit_leaf_hash(line.bytes, hash);
        if (memcmp(hash, line.hash, AUDIT_HASH) != 0) {
            return; /* Read, and then refused for its hash: it is not what a writer made. */
        }
        break;
    }
    case AUDIT_LINE_CHECKPOINT: used = audit_export_checkpoint(line.bytes, again); break;
    case AUDIT_LINE_TENANT_MAP: used = audit_export_tenant_map(line.bytes, again); break;
    case AUDIT_LINE_CONSISTENCY: used = audit_export_consistency(line.bytes, again); break;
    }
    MUST(used == bytes.size + 1 && again[used - 1] == '\n');
    MUST(memcmp(again, bytes.data, bytes.size) == 0);
}

static void hold_body(struct slice bytes)
{
    struct audit_checkpoint checkpoint;
    char again[AUDIT_NOTE_BODY_MAX];
    if (audit_checkpoint_parse(bytes, &checkpoint)) {
        audit_checkpoint_body(&checkpoint, again);
        MUST(slice_equal(slice_text(again), bytes));
    }
}

/* Who changes one byte of a signed note has no signed note, or only another signature beside it. */
static void hold_note(struct slice bytes)
{
    struct audit_key keys[2] = { key_made(), { .name = "udatsu/0001" } };
    struct audit_checkpoint checkpoint;
    struct audit_checkpoint parsed;
    char body[AUDIT_NOTE_BODY_MAX];
    enum audit_note opened = audit_note_open(bytes, keys, 2, &checkpoint);
    MUST(opened >= AUDIT_NOTE_HOLDS && opened <= AUDIT_NOTE_BAD_SIGN);
    if (opened != AUDIT_NOTE_HOLDS) {
        return;
    }
    audit_checkpoint_body(&checkpoint, body);
    size_t size = strlen(body);
    MUST(bytes.size > size + 1 && memcmp(bytes.data, body, size) == 0);
    MUST(audit_checkpoint_parse(slice_of(bytes.data, size), &parsed));
    MUST(bytes.data[size] == '\n' && strcmp(checkpoint.origin, "udatsu/0001") == 0);
    uint8_t signature[ED25519_SIGNATURE];
    char line[AUDIT_KEY_LINE_MAX];
    ed25519_sha512_sign(keys[0].public_key, secret, size, (const uint8_t *)body, signature);
    audit_signature_line(&keys[0], signature, line); /* Ed25519 has one signature of a text. */
    MUST(memmem(bytes.data + size, bytes.size - size, line, strlen(line)) != NULL);
}

static void hold_key(struct slice bytes)
{
    struct audit_key key;
    char again[AUDIT_KEY_LINE_MAX];
    if (audit_key_parse(bytes, &key)) {
        audit_key_line(&key, again);
        MUST(slice_equal(slice_text(again), bytes) && audit_key_name_valid(key.name));
    }
}

static void hold_frontier(struct slice bytes)
{
    struct audit_frontier frontier;
    uint8_t again[AUDIT_FRONTIER_MAX];
    if (audit_frontier_decode(bytes, &frontier)) {
        size_t used = audit_frontier_encode(&frontier, again);
        MUST(slice_equal(slice_of(again, used), bytes));
    }
}

/* A leaf that is valid gets through the one door and comes out as it is, but for its number. */
static void hold_leaf(struct slice bytes)
{
    static _Alignas(16) uint8_t memory[256 * 1024];
    struct arena arena;
    Wire__Leaf *leaf = NULL;
    struct audit_leaf made;
    arena_init(&arena, memory, sizeof(memory));
    if (wire_decode(&wire__leaf__descriptor, bytes, &arena, &leaf).code != 0 ||
        !audit_leaf_valid(leaf)) {
        return;
    }
    MUST(leaf->operation[0] != '\0' && strlen(leaf->operation) <= AUDIT_WORD_MAX);
    MUST((leaf->tenant_seq == 0) == (leaf->tenant_prev.len == 0));
    if (leaf->tenant_seq != 0 || leaf->seq != 0 || bytes.size > AUDIT_LEAF_MAX) {
        return;
    }
    struct audit_frontier frontier = { 0 };
    struct audit_chain chain = { 0 };
    audit_record(&frontier, &chain, leaf, &made);
    MUST(slice_equal(slice_of(made.bytes, made.size), bytes)); /* INV-AUD-1 */
    MUST(frontier.size == 1 && chain.count == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size);
    struct fuzz_part part;
    while (fuzz_part_next(&rest, &part)) {
        uint8_t *copy = fuzz_copy(part.bytes);
        struct slice bytes = slice_of(copy, part.bytes.size);
        switch ((enum kind)(part.kind % KINDS)) {
        case KIND_LINE: hold_line(bytes); break;
        case KIND_BODY: hold_body(bytes); break;
        case KIND_NOTE: hold_note(bytes); break;
        case KIND_KEY: hold_key(bytes); break;
        case KIND_FRONTIER: hold_frontier(bytes); break;
        case KIND_LEAF: hold_leaf(bytes); break;
        case KINDS: break;
        }
        free(copy);
    }
    return 0;
}

/* ---- First inputs. ---- */

static void make_note(uint32_t number, char *note, size_t size)
{
    struct audit_key key = key_made();
    struct audit_checkpoint checkpoint = { .origin = "udatsu/0001", .size = number };
    checkpoint.log_time_ms = UINT64_C(1) << number;
    checkpoint.root[number % AUDIT_HASH] = (uint8_t)number;
    char body[AUDIT_NOTE_BODY_MAX];
    char line[AUDIT_KEY_LINE_MAX];
    uint8_t signature[ED25519_SIGNATURE];
    audit_checkpoint_body(&checkpoint, body);
    ed25519_sha512_sign(key.public_key, secret, strlen(body), (const uint8_t *)body, signature);
    audit_signature_line(&key, signature, line);
    (void)snprintf(note, size, "%s\n%s%s", body, number % 2 == 0 ? "" : line, line);
}

static size_t make_line(uint32_t number, char room[static AUDIT_LINE_MAX])
{
    static const uint8_t bytes[80] = { 1, 2, 3 };
    struct audit_scope scopes[] = { { .all = true },
                                    { .tenant = 0 },
                                    { .tenant = 0x1000000000004 } };
    char note[1024];
    make_note(number, note, sizeof(note));
    switch (number % 5) {
    case 0: return audit_export_header("udatsu/0001", scopes[number / 5 % 3], room);
    case 1: return audit_export_leaf(slice_of(bytes, 10 + number), room);
    case 2: return audit_export_checkpoint(slice_text(note), room);
    case 3: return audit_export_tenant_map(slice_of(bytes, 20 + number), room);
    default: return audit_export_consistency(slice_of(bytes, 20 + number), room);
    }
}

/* What is a little too long, too short or not quite of the form. */
static size_t odd_seed(uint32_t number, uint8_t *room)
{
    static const struct {
        enum kind kind;
        const char *front;
        uint32_t letters; /* What stands between. */
        const char *back;
    } odd[] = {
        { KIND_LINE, "{\"leaf\":\"", 0, "\",\"hash\":\"AAAA\"}" },
        { KIND_LINE, "{\"leaf\":\"AAAA\",\"hash\":\"AAAA", 0, "\"}" },
        { KIND_LINE, "{\"leaf\":\"", 1400, "\",\"hash\":\"AAAA\"}" },
        { KIND_LINE, "{\"leaf\":", 0, "" },
        { KIND_LINE, "{\"leaf\":\"", 0, "" },
        { KIND_LINE, "{\"tenant_map\":\"", 6000, "\"}" },
        { KIND_LINE, "{\"tenant_map\":\"", 9000, "\"}" },
        { KIND_LINE, "{\"checkpoint\":\"", 0, "\"}" },
        { KIND_LINE, "{\"checkpoint\":\"", 5000, "\"}" },
        { KIND_LINE, "{\"checkpoint\":\"a\\", 0, "\"}" },
        { KIND_LINE, "{\"checkpoint\":\"a\x7f", 0, "\"}" },
        { KIND_NOTE, "udatsu/0001\n\n\xe2\x80\x94 ", 4200, " AAAA\n" },
        { KIND_KEY, "+00000000+", 44, "" },
        { KIND_KEY, "a", 100, "+00000000+AAAA" },
        { KIND_KEY, "a\x7f+00000000+AQ", 42, "" },
        { KIND_KEY, "a\x80+00000000+AQ", 42, "" },
        { KIND_BODY, "udatsu/0001\n7", 0, "" },
    };
    static char text[16 * 1024];
    size_t used = 0;
    if (number >= COUNT_OF(odd)) {
        return 0;
    }
    size_t at = (size_t)snprintf(text, sizeof(text), "%s", odd[number].front);
    memset(text + at, 'A', odd[number].letters);
    at += odd[number].letters;
    at += (size_t)snprintf(text + at, sizeof(text) - at, "%s", odd[number].back);
    (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, (uint8_t)odd[number].kind, slice_of(text, at));
    return used;
}

/* A note with another signature beside the cell's. */
static size_t signed_by_others(uint32_t number, uint8_t *room)
{
    static const char *const lines[] = {
        "\xe2\x80\x94 udatsu/0001/log AAAA\n",
        "\xe2\x80\x94  AAAA\n",
        "\xe2\x80\x94 udatsu/0001 AAAAAAAA\n",
        "\xe2\x80\x94 somebody AAAAAAAAAAAA\n",
    };
    char note[4096];
    size_t used = 0;
    make_note(number, note, sizeof(note));
    for (uint32_t i = 0; i < (number == 3 ? 17U : 1U); i++) {
        size_t at = strlen(note);
        (void)snprintf(note + at, sizeof(note) - at, "%s", lines[number]);
    }
    (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, KIND_NOTE, slice_text(note));
    return used;
}

size_t fuzz_seed(uint32_t number, uint8_t room[static FUZZ_INPUT_MAX])
{
    enum { SEEDS = 30, OTHERS = 4 };
    static char line[AUDIT_LINE_MAX];
    char note[1024];
    char body[AUDIT_NOTE_BODY_MAX];
    char key_line[AUDIT_KEY_LINE_MAX];
    struct audit_frontier frontier = { 0 };
    uint8_t hash[AUDIT_HASH] = { 1 };
    uint8_t encoded[AUDIT_FRONTIER_MAX];
    size_t used = 0;
    if (number >= SEEDS + OTHERS) {
        return odd_seed(number - SEEDS - OTHERS, room);
    }
    if (number >= SEEDS) {
        return signed_by_others(number - SEEDS, room);
    }
    size_t size = make_line(number, line);
    (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, KIND_LINE, slice_of(line, size - 1));
    make_note(number, note, sizeof(note));
    (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, KIND_NOTE, slice_text(note));
    size_t end = (size_t)(strstr(note, "\n\n") - note) + 1;
    (void)snprintf(body, sizeof(body), "%.*s", (int)end, note);
    (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, KIND_BODY, slice_text(body));
    struct audit_key key = key_made();
    audit_key_line(&key, key_line);
    (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, KIND_KEY, slice_text(key_line));
    for (uint32_t i = 0; i < number; i++) {
        audit_append(&frontier, hash);
    }
    size = audit_frontier_encode(&frontier, encoded);
    (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, KIND_FRONTIER, slice_of(encoded, size));
    Wire__Leaf leaf = WIRE__LEAF__INIT;
    Wire__Fold fold = WIRE__FOLD__INIT;
    uint8_t packed[1024];
    leaf.format = AUDIT_FORMAT;
    static char long_word[AUDIT_WORD_MAX + 2];
    memset(long_word, 'w', AUDIT_WORD_MAX + (number == 9 ? 1 : 0));
    leaf.operation = number == 8 || number == 9 ? long_word : "instance-create";
    leaf.reason = number == 10 ? "\xe5\x8d\xaf" : "because";
    fold.count = number % 3;
    leaf.fold = number % 2 == 0 ? NULL : &fold;
    leaf.seq = leaf.tenant_seq = number % 4 == 0 ? 1 : 0;
    leaf.tenant_prev = (ProtobufCBinaryData){ leaf.seq == 0 ? 0 : sizeof(hash), hash };
    bool fits = wire_encode_into(&leaf, packed, sizeof(packed), &size);
    CHECK(fits);
    (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, KIND_LEAF, slice_of(packed, size));
    return used;
}
