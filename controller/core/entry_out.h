/* An entry, put together from commands that are encoded already.
 *
 * The happy path: entry_begin → entry_add_ask or entry_add_word for each → entry_bytes.
 * What can go wrong: it would pass its room → false, and nothing changed. */
#ifndef CONTROLLER_CORE_ENTRY_OUT_H
#define CONTROLLER_CORE_ENTRY_OUT_H

#include "base/slice.h"

#include <common.pb-c.h>
#include <stdbool.h>
#include <stdint.h>

struct entry_out {
    uint8_t *room; /* The caller's. */
    size_t size;
    size_t used;
    uint32_t commands;
};

void entry_begin(
    struct entry_out *out, uint8_t *room, size_t size, uint64_t log_time_ms, uint64_t wall_ms);
/* request: encoded; digest: 32 bytes; node 0: none, then choice is NULL. */
bool entry_add_ask(
    struct entry_out *out,
    struct slice request,
    const uint8_t digest[static 32],
    uint64_t node,
    const Wire__Choice *choice);
/* word: an encoded Command. */
bool entry_add_word(struct entry_out *out, struct slice word);
struct slice entry_bytes(const struct entry_out *out);

#endif
