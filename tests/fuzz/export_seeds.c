/* First inputs of the verifier: lives, edits of their lines, and lines that somebody made up with
 * one thing in them that is not so. Decides nothing about them. */
#include "tests/fuzz/fuzz_export.h"

#include "audit/proof.h"
#include "base/check.h"
#include "wire/wire.h"

#include <audit.pb-c.h>
#include <string.h>

/* A true line of the export that was just written, to be changed as a message. */
static void put_line(uint32_t number, uint8_t *room, size_t *used)
{
    static struct audit_export_line read;
    uint32_t at = number % lines_count;
    if (!audit_export_read(slice_of(lines[at].text, lines[at].size), &read)) {
        return;
    }
    enum kind kind = read.kind == AUDIT_LINE_LEAF          ? KIND_LEAF
                     : read.kind == AUDIT_LINE_TENANT_MAP  ? KIND_MAP
                     : read.kind == AUDIT_LINE_CONSISTENCY ? KIND_GROWTH
                                                           : KINDS;
    if (kind != KINDS) {
        uint8_t whole = (uint8_t)(kind + KINDS * (at % 48));
        (void)fuzz_part_put(room, FUZZ_INPUT_MAX, used, whole, read.bytes);
    }
}

static void repeat(size_t *count, ProtobufCBinaryData **path, size_t wanted)
{
    static ProtobufCBinaryData many[AUDIT_PATH_MAX + 2];
    static uint8_t node[AUDIT_HASH];
    for (size_t i = 0; i < COUNT_OF(many); i++) {
        many[i] = (ProtobufCBinaryData){ AUDIT_HASH, node };
    }
    *count = wanted;
    *path = many;
}

/* The same proof or leaf with one thing in it that is not so. */
static void put_forged(uint32_t number, uint32_t at, uint8_t *room, size_t *used)
{
    static _Alignas(16) uint8_t memory[64 * 1024];
    static struct audit_export_line read;
    static uint8_t zero[AUDIT_HASH];
    struct arena arena;
    struct slice bytes = SLICE_EMPTY;
    Wire__TenantMapProof *proof = NULL;
    Wire__ConsistencyProof *growth = NULL;
    Wire__Leaf *leaf = NULL;
    enum kind kind = KINDS;
    arena_init(&arena, memory, sizeof(memory));
    if (!audit_export_read(slice_of(lines[at].text, lines[at].size), &read)) {
        return;
    }
    if (read.kind == AUDIT_LINE_TENANT_MAP &&
        wire_decode(&wire__tenant_map_proof__descriptor, read.bytes, &arena, &proof).code == 0) {
        kind = KIND_MAP;
        switch (number % 6) {
        case 0: proof->entry->count = 0; break;
        case 1: proof->entry->last.data = zero; break;
        case 2: proof->entry->tenant ^= 1; break;
        case 3: repeat(&proof->n_path, &proof->path, AUDIT_PATH_MAX + 1); break;
        case 4: proof->entry = NULL; break;
        default: proof->entries = UINT64_C(1) << AUDIT_LEVELS; break;
        }
    } else if (
        read.kind == AUDIT_LINE_CONSISTENCY &&
        wire_decode(&wire__consistency_proof__descriptor, read.bytes, &arena, &growth).code == 0) {
        kind = KIND_GROWTH;
        switch (number % 3) {
        case 0: growth->second = growth->first - 1; break;
        case 1: repeat(&growth->n_path, &growth->path, AUDIT_PATH_MAX + 1); break;
        default: growth->n_path = 0; break;
        }
    } else if (
        read.kind == AUDIT_LINE_LEAF &&
        wire_decode(&wire__leaf__descriptor, read.bytes, &arena, &leaf).code == 0) {
        kind = KIND_LEAF;
        leaf->seq = (UINT64_C(1) << AUDIT_LEVELS) - 1;
    }
    const void *message = kind == KIND_MAP      ? (const void *)proof
                          : kind == KIND_GROWTH ? (const void *)growth
                                                : (const void *)leaf;
    if (kind != KINDS && wire_encode(message, &arena, &bytes).code == 0) {
        (void)fuzz_part_put(room, FUZZ_INPUT_MAX, used, (uint8_t)(kind + KINDS * (at % 48)), bytes);
    }
}

/* One letter of the last signature is another one. */
static void put_resigned(uint8_t *room, size_t *used)
{
    uint32_t at = lines_count - 1;
    while (at > 0 && memcmp(lines[at].text, "{\"checkpoint\":", 14) != 0) {
        at--;
    }
    size_t letter = lines[at].size - 10;
    while (letter % 8 != 0 || lines[at].text[letter] == 'A') {
        letter--;
    }
    uint8_t how[4] = { 0, (uint8_t)at, (uint8_t)(letter >> 8), (uint8_t)letter };
    (void)fuzz_part_put(room, FUZZ_INPUT_MAX, used, KIND_SCRIPT, slice_of(how, 4));
}

size_t fuzz_seed(uint32_t number, uint8_t room[static FUZZ_INPUT_MAX])
{
    enum { SEEDS = 128 };
    uint8_t script[24];
    uint8_t edits[8];
    size_t used = 0;
    if (number >= SEEDS) {
        return 0;
    }
    script[0] = (uint8_t)number;
    for (uint32_t i = 1; i < sizeof(script); i++) {
        bool checkpoint = i % (3 + number % 5) == 2;
        bool lie = number % 7 == 6 && i > 12;
        script[i] =
            (uint8_t)(checkpoint ? (lie ? STEP_LIE : STEP_CHECKPOINT) + STEPS * i : STEPS * (i % 4) + i * number % 6);
    }
    for (uint32_t i = 0; i < sizeof(edits); i++) {
        edits[i] = (uint8_t)((number * 37 + i * 11) % 64);
    }
    if (number % 4 == 3) {
        (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, KIND_PROOF, slice_of(edits, 8));
        return used;
    }
    struct slice life = slice_of(script, 10 + number % 14);
    (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, KIND_SCRIPT, life);
    if (number % 8 == 4) {
        (void)write_export(life);
        put_resigned(room, &used);
        return used;
    }
    struct slice done = slice_of(edits, number % 4 == 1 ? 4 : 0);
    (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, KIND_SCRIPT, done);
    if (number % 4 == 2) {
        (void)write_export(life);
        for (uint32_t line = 1; line < lines_count && number % 8 == 2; line++) {
            put_line(line, room, &used);
        }
        uint32_t forged = lines_count - 1; /* The last line but in some, of a kind in turn. */
        while (forged > 1 && number % 8 == 6 && number / 8 % 2 == 0 &&
               memcmp(lines[forged].text, "{\"consist", 10) != 0) {
            forged--;
        }
        if (number % 8 == 6) {
            put_forged(number / 8, forged, room, &used);
        }
    }
    return used;
}
