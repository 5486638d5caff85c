/* Every message that is ever decoded, through wire_decode. The oracle is protobuf-c by itself: ours
 * takes bytes exactly if protobuf-c reads them, packing gives the same bytes back, and nothing in
 * it is unknown or unclean. */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/message.h"

#include "base/check.h"
#include "wire/wire.h"

#include <audit.pb-c.h>
#include <frame.pb-c.h>
#include <journal.pb-c.h>
#include <raft.pb-c.h>
#include <row.pb-c.h>
#include <snapshot.pb-c.h>
#include <stdlib.h>
#include <string.h>

enum { SEEDS_EACH = 6, INSIDE_MAX = 65536 };

static const ProtobufCMessageDescriptor *const types[] = {
    &wire__frame__descriptor,
    &wire__entry__descriptor,
    &wire__raft_message__descriptor,
    &wire__journal_record__descriptor,
    &wire__snapshot_manifest__descriptor,
    &wire__leaf__descriptor,
    &wire__tenant_map_proof__descriptor,
    &wire__consistency_proof__descriptor,
    &wire__verb__descriptor,
    &wire__request__descriptor,
    &wire__answer__descriptor,
    &wire__command__descriptor,
    &wire__cell_row__descriptor,
    &wire__controller_row__descriptor,
    &wire__node_row__descriptor,
    &wire__tenant_row__descriptor,
    &wire__project_row__descriptor,
    &wire__user_row__descriptor,
    &wire__image_row__descriptor,
    &wire__network_row__descriptor,
    &wire__instance_row__descriptor,
    &wire__operation_row__descriptor,
    &wire__alarm_row__descriptor,
    &wire__token_row__descriptor,
    &wire__asks__descriptor,
};

static _Alignas(16) uint8_t ours_memory[1024 * 1024];
static _Alignas(16) uint8_t theirs_memory[2 * 1024 * 1024];
static const ProtobufCMessage *inside[INSIDE_MAX]; /* Messages that are still to be looked at. */

const ProtobufCMessageDescriptor *fuzz_type(uint8_t kind)
{
    return types[kind % COUNT_OF(types)];
}

static bool lines_allowed(const char *name)
{
    return strcmp(name, "note") == 0 || strcmp(name, "body") == 0 || strcmp(name, "signature") == 0;
}

/* One value of a message that protobuf-c read. */
static bool value_clean(
    const ProtobufCFieldDescriptor *field, const uint8_t *value, size_t *waiting)
{
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        const char *text = NULL;
        memcpy(&text, value, sizeof(text));
        return text_is_clean(slice_text(text)) || lines_allowed(field->name);
    }
    if (field->type == PROTOBUF_C_TYPE_ENUM) {
        int number = 0;
        memcpy(&number, value, sizeof(number));
        return protobuf_c_enum_descriptor_get_value(field->descriptor, number) != NULL;
    }
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        CHECK(*waiting < INSIDE_MAX);
        memcpy(&inside[*waiting], value, sizeof(inside[0]));
        *waiting += inside[*waiting] != NULL ? 1 : 0;
    }
    return true;
}

static bool field_clean(
    const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, size_t *waiting)
{
    const uint8_t *value = (const uint8_t *)message + field->offset;
    size_t count = 1;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        memcpy(&count, (const uint8_t *)message + field->quantifier_offset, sizeof(count));
        memcpy(&value, value, sizeof(value));
    } else if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        uint32_t which = 0;
        memcpy(&which, (const uint8_t *)message + field->quantifier_offset, sizeof(which));
        count = which == field->id ? 1 : 0;
    }
    for (size_t i = 0; i < count; i++) {
        if (!value_clean(field, value + i * message_element_size(field), waiting)) {
            return false;
        }
    }
    return true;
}

static bool all_clean(const ProtobufCMessage *message)
{
    size_t waiting = 0;
    inside[waiting++] = message;
    while (waiting > 0) {
        const ProtobufCMessage *one = inside[--waiting];
        if (one->n_unknown_fields > 0) {
            return false;
        }
        for (unsigned int i = 0; i < one->descriptor->n_fields; i++) {
            if (!field_clean(one, &one->descriptor->fields[i], &waiting)) {
                return false;
            }
        }
    }
    return true;
}

/* Would these bytes come from our encoder? Asked of protobuf-c alone. */
static bool theirs_takes(const ProtobufCMessageDescriptor *type, struct slice bytes)
{
    static uint8_t again[FUZZ_INPUT_MAX * 2];
    struct arena arena;
    arena_init(&arena, theirs_memory, sizeof(theirs_memory));
    const ProtobufCMessage *message = message_read(type, bytes, &arena);
    return message != NULL && protobuf_c_message_get_packed_size(message) == bytes.size &&
           protobuf_c_message_pack(message, again) == bytes.size &&
           slice_equal(slice_of(again, bytes.size), bytes) && all_clean(message);
}

/* Memory is scarce for kinds from 128 on: what does not fit is refused, and nothing else. */
static size_t memory_for(uint8_t kind, size_t size)
{
    return kind < 128 ? sizeof(ours_memory)
                      : 16 + size * 3 / (kind < 192 ? 2 : 1) + (size_t)(kind % 64U) * 32U;
}

static void hold(const struct fuzz_part *part, struct slice bytes)
{
    const ProtobufCMessageDescriptor *type = fuzz_type(part->kind);
    struct arena arena;
    void *message = NULL;
    struct slice encoded = SLICE_EMPTY;
    arena_init(&arena, ours_memory, memory_for(part->kind, bytes.size));
    struct result decoded = wire_decode(type, bytes, &arena, &message);
    MUST(decoded.code != FAILURE_FULL || part->kind >= 128 || bytes.size > 1024);
    if (decoded.code == FAILURE_FULL) {
        return;
    }
    MUST((decoded.code == 0) == theirs_takes(type, bytes));
    if (decoded.code != 0) {
        return;
    }
    struct result packed = wire_encode(message, &arena, &encoded);
    MUST(packed.code != 0 || slice_equal(encoded, bytes));
    MUST(packed.code == 0 || packed.code == FAILURE_FULL);
    size_t used = 0;
    uint8_t *room = fuzz_copy(bytes);
    MUST(bytes.size == 0 || !wire_encode_into(message, room, bytes.size - 1, &used));
    MUST(wire_encode_into(message, room, bytes.size, &used) && used == bytes.size);
    MUST(slice_equal(slice_of(room, used), bytes));
    free(room);
}

/* A list that is put together item by item is the list encoded as a whole. */
static void hold_list(struct slice bytes)
{
    static uint8_t room[FUZZ_INPUT_MAX];
    struct arena arena;
    Wire__Asks *asks = NULL;
    size_t used = 0;
    arena_init(&arena, ours_memory, sizeof(ours_memory));
    if (wire_decode(&wire__asks__descriptor, bytes, &arena, &asks).code != 0) {
        return;
    }
    for (size_t i = 0; i < asks->n_asks; i++) {
        size_t before = used;
        MUST(!wire_list_add(asks->asks[i], room, before, &used) && used == before);
        MUST(wire_list_add(asks->asks[i], room, sizeof(room), &used));
    }
    MUST(slice_equal(slice_of(room, used), bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size);
    struct fuzz_part part;
    while (fuzz_part_next(&rest, &part)) {
        uint8_t *bytes = fuzz_copy(part.bytes);
        hold(&part, slice_of(bytes, part.bytes.size));
        hold_list(slice_of(bytes, part.bytes.size));
        free(bytes);
    }
    return 0;
}

size_t fuzz_seed(uint32_t number, uint8_t room[static FUZZ_INPUT_MAX])
{
    struct prng prng;
    struct arena arena;
    size_t used = 0;
    if (number >= COUNT_OF(types) * SEEDS_EACH) {
        return 0;
    }
    prng_seed(&prng, number);
    arena_init(&arena, ours_memory, sizeof(ours_memory));
    uint8_t kind = (uint8_t)(number % COUNT_OF(types));
    uint8_t said = number / COUNT_OF(types) < 4 ? kind : (uint8_t)(kind + COUNT_OF(types) * 7);
    ProtobufCMessage *message = message_any(types[kind], &prng, &arena);
    struct slice bytes = SLICE_EMPTY;
    bool fits = message != NULL && wire_encode(message, &arena, &bytes).code == 0 &&
                fuzz_part_put(room, FUZZ_INPUT_MAX, &used, said, bytes);
    if (fits && number / COUNT_OF(types) == 1) { /* Everything in it comes twice. */
        static uint8_t twice[FUZZ_PART_MAX];
        fits = bytes.size * 2 <= sizeof(twice);
        for (size_t i = 0; fits && i < 2 * bytes.size; i++) {
            twice[i] = bytes.data[i % bytes.size];
        }
        fits = fits &&
               fuzz_part_put(room, FUZZ_INPUT_MAX, &used, kind, slice_of(twice, bytes.size * 2));
    }
    if (!fits) { /* Too large for a first input: an empty message will do. */
        used = 0;
        (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, kind, SLICE_EMPTY);
    }
    return used;
}
