/* Decides how encoded parts become the one encoding of their entry: each message field is its head
 * and its bytes, and in Entry, Command and Asked the field that is spliced stands where encoding
 * would put it. Never decides what goes in. */
#include "controller/core/entry_out.h"

#include "base/check.h"
#include "base/limits.h"
#include "wire/wire.h"

#include <command.pb-c.h>
#include <string.h>

enum {
    FORMAT = 1,
    ENTRY_COMMANDS = 4, /* Numbers of fields in command.proto: the last, */
    ASKED_REQUEST = 1,  /* and the first. */
    TAIL_MAX = 96,      /* Digest, node and choice. */
};

struct piece {
    uint8_t bytes[TAIL_MAX];
    size_t size;
};

static void piece_of(struct piece *piece, const void *message)
{
    bool fits = wire_encode_into(message, piece->bytes, sizeof(piece->bytes), &piece->size);
    CHECK(fits);
}

static void put(struct entry_out *out, const void *bytes, size_t size)
{
    CHECK(size <= out->size - out->used);
    memcpy(out->room + out->used, bytes, size);
    out->used += size;
}

static void put_head(struct entry_out *out, unsigned int field, size_t size)
{
    uint8_t head[WIRE_HEAD_MAX];
    put(out, head, wire_head(field, size, head));
}

static size_t head_size(unsigned int field, size_t size)
{
    uint8_t head[WIRE_HEAD_MAX];
    return wire_head(field, size, head);
}

void entry_begin(
    struct entry_out *out, uint8_t *room, size_t size, uint64_t log_time_ms, uint64_t wall_ms)
{
    struct piece times;
    Wire__Entry entry = WIRE__ENTRY__INIT;
    entry.format = FORMAT;
    entry.log_time_ms = log_time_ms;
    entry.wall_ms = wall_ms;
    piece_of(&times, &entry);
    *out = (struct entry_out){ .room = room, .size = size };
    put(out, times.bytes, times.size);
}

static bool has_room(const struct entry_out *out, size_t command)
{
    return out->commands < LIMIT_COMMANDS_PER_ENTRY &&
           command + WIRE_HEAD_MAX <= out->size - out->used;
}

bool entry_add_ask(
    struct entry_out *out,
    struct slice request,
    const uint8_t digest[static 32],
    uint64_t node,
    const Wire__Choice *choice)
{
    Wire__Choice why = choice == NULL ? (Wire__Choice)WIRE__CHOICE__INIT : *choice;
    struct piece format;
    struct piece choices;
    uint8_t copy[32];
    Wire__Command command = WIRE__COMMAND__INIT;
    Wire__Asked asked = WIRE__ASKED__INIT;
    memcpy(copy, digest, sizeof(copy));
    command.format = FORMAT;
    asked.request_digest.data = copy;
    asked.request_digest.len = sizeof(copy);
    asked.node = node;
    asked.choice = choice == NULL ? NULL : &why;
    piece_of(&format, &command);
    piece_of(&choices, &asked);
    size_t inner = head_size(ASKED_REQUEST, request.size) + request.size + choices.size;
    size_t whole = format.size + head_size(WIRE__COMMAND__BODY_ASKED, inner) + inner;
    if (!has_room(out, whole)) {
        return false;
    }
    put_head(out, ENTRY_COMMANDS, whole);
    put(out, format.bytes, format.size);
    put_head(out, WIRE__COMMAND__BODY_ASKED, inner);
    put_head(out, ASKED_REQUEST, request.size);
    put(out, request.data, request.size);
    put(out, choices.bytes, choices.size);
    out->commands++;
    return true;
}

bool entry_add_word(struct entry_out *out, struct slice word)
{
    if (!has_room(out, word.size)) {
        return false;
    }
    put_head(out, ENTRY_COMMANDS, word.size);
    put(out, word.data, word.size);
    out->commands++;
    return true;
}

struct slice entry_bytes(const struct entry_out *out)
{
    return slice_of(out->room, out->used);
}
