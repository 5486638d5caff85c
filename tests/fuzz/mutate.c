/* The mutator of targets whose inputs are parts: it changes messages as messages, so that what
 * comes out is an encoding again, and leaves the bytes to libFuzzer the rest of the time. Only in
 * builds with libFuzzer. Never decides which input is worth keeping. */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/message.h"

#include "base/check.h"

#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t size_max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned int seed);

static _Alignas(16) uint8_t memory[4 * 1024 * 1024];
static uint8_t made[FUZZ_INPUT_MAX];
static uint8_t part_room[FUZZ_PART_MAX];

static bool pack(ProtobufCMessage *message, struct slice *bytes_out)
{
    size_t size = message == NULL ? 0 : protobuf_c_message_get_packed_size(message);
    if (message == NULL || size > sizeof(part_room)) {
        return false;
    }
    *bytes_out = slice_of(part_room, protobuf_c_message_pack(message, part_room));
    return true;
}

/* The part's bytes in another form; false: as they are. */
static bool change_part(struct fuzz_part *part, struct prng *prng)
{
    const ProtobufCMessageDescriptor *type = fuzz_type(part->kind);
    struct arena arena;
    arena_init(&arena, memory, sizeof(memory));
    ProtobufCMessage *message = type == NULL ? NULL : message_read(type, part->bytes, &arena);
    if (message == NULL || prng_below(prng, 8) == 0) {
        size_t size = part->bytes.size < sizeof(part_room) ? part->bytes.size : sizeof(part_room);
        if (size > 0) {
            memcpy(part_room, part->bytes.data, size);
        }
        size = LLVMFuzzerMutate(part_room, size, sizeof(part_room));
        part->bytes = slice_of(part_room, size);
        return true;
    }
    for (uint64_t changes = 1 + prng_below(prng, 3); changes > 0; changes--) {
        message_change(message, prng, &arena);
    }
    return pack(message, &part->bytes);
}

static bool any_part(struct fuzz_part *part, struct prng *prng)
{
    struct arena arena;
    part->kind = (uint8_t)prng_below(prng, prng_below(prng, 2) == 0 ? 24 : 256);
    const ProtobufCMessageDescriptor *type = fuzz_type(part->kind);
    arena_init(&arena, memory, sizeof(memory));
    return type != NULL && pack(message_any(type, prng, &arena), &part->bytes);
}

enum how { HOW_CHANGE = 4, HOW_DROP, HOW_TWICE, HOW_ADD, HOW_SWAP, HOW_KIND, HOW_END };

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned int seed)
{
    struct fuzz_part parts[FUZZ_PARTS_MAX];
    struct prng prng;
    struct slice rest = slice_of(data, size);
    size_t count = 0;
    size_t used = 0;
    prng_seed(&prng, seed);
    while (count < FUZZ_PARTS_MAX - 1 && fuzz_part_next(&rest, &parts[count])) {
        count++;
    }
    if (count == 0 || prng_below(&prng, 16) == 0) {
        return LLVMFuzzerMutate(data, size, size_max);
    }
    size_t at = (size_t)prng_below(&prng, count);
    size_t other = (size_t)prng_below(&prng, count);
    uint64_t how = prng_below(&prng, HOW_END);
    struct fuzz_part fresh = parts[at];
    bool more = how == HOW_TWICE || (how == HOW_ADD && any_part(&fresh, &prng));
    if (how <= HOW_CHANGE && !change_part(&parts[at], &prng)) {
        return LLVMFuzzerMutate(data, size, size_max);
    }
    if (how == HOW_SWAP) {
        parts[at] = parts[other];
        parts[other] = fresh;
    } else if (how == HOW_KIND) {
        parts[at].kind = (uint8_t)prng_below(&prng, 24);
    }
    size_max = size_max < sizeof(made) ? size_max : sizeof(made);
    for (size_t i = 0; i < count; i++) {
        bool fits = how == HOW_DROP && i == at;
        fits = fits || fuzz_part_put(made, size_max, &used, parts[i].kind, parts[i].bytes);
        if (fits && more && i == other) {
            fits = fuzz_part_put(made, size_max, &used, fresh.kind, fresh.bytes);
        }
        if (!fits) {
            break; /* What does not fit is left out. */
        }
    }
    memcpy(data, made, used);
    return used;
}
