/* Decides where asks are kept while they are under way, and how each is found again: by its place,
 * its handle, or what it asks. Never decides what becomes of one. */
#include "base/check.h"
#include "base/mutant.h"
#include "controller/core/engine_inner.h"
#include "wire/wire.h"

#include <string.h>

enum { SLOT_BITS = 11, WORD_BITS = 64 };

_Static_assert(ENGINE_ASKS == 1 << SLOT_BITS, "a handle's low bits are its slot");
_Static_assert(ENGINE_ASKS % WORD_BITS == 0, "whole words");

void asks_init(struct engine *engine)
{
    memset(engine->asks_taken, 0, sizeof(engine->asks_taken));
    engine->asks_serial = engine->conf.asks_from;
}

uint32_t engine_asks_under_way(const struct engine *engine)
{
    return engine->asks_count;
}

/* ---- Places ---- */

static uint64_t bit_of(uint32_t slot)
{
    return UINT64_C(1) << slot % WORD_BITS;
}

/* The first slot from `at` on that is taken, or is free; ENGINE_ASKS: none. */
static uint32_t first_from(const struct engine *engine, uint32_t at, bool taken)
{
    for (uint32_t word = at / WORD_BITS; word < ENGINE_ASKS / WORD_BITS; word++) {
        uint64_t bits = taken ? engine->asks_taken[word] : ~engine->asks_taken[word];
        bits &= word == at / WORD_BITS ? ~(bit_of(at) - 1) : UINT64_MAX;
        if (bits != 0) {
            return word * WORD_BITS + (uint32_t)__builtin_ctzll(bits);
        }
    }
    return ENGINE_ASKS;
}

/* The lowest: memory that no crowd ever needed stays untouched. */
bool asks_room(const struct engine *engine, uint32_t *slot_out)
{
    *slot_out = first_from(engine, 0, false);
    return *slot_out < ENGINE_ASKS;
}

static void slot_take(struct engine *engine, uint32_t slot)
{
    CHECK(slot < ENGINE_ASKS && (engine->asks_taken[slot / WORD_BITS] & bit_of(slot)) == 0);
    engine->asks_taken[slot / WORD_BITS] |= bit_of(slot);
    engine->asks_count++;
}

/* Finds the request id in the bytes that our encoder made: format, then request id, then the rest,
 * in the order of their numbers, and what is empty is not written. */
static void request_id_find(struct engine *engine, uint32_t slot)
{
    enum { TAG_FORMAT = 0x08, TAG_REQUEST_ID = 0x12 };
    struct ask *ask = &engine->asks[slot];
    const uint8_t *bytes = engine->ask_bytes[slot];
    uint32_t at = 0;
    if (at < ask->size && bytes[at] == TAG_FORMAT) {
        for (at = 1; at < ask->size && bytes[at] >= 0x80; at++) {
        }
        at++;
    }
    ask->id_from = at;
    ask->id_to = at;
    if (at < ask->size && bytes[at] == TAG_REQUEST_ID) {
        uint32_t size = 0;
        uint32_t shift = 0;
        do {
            at++;
            CHECK(at < ask->size && shift < 21);
            size |= (uint32_t)(bytes[at] & 0x7fU) << shift;
            shift += 7;
        } while (bytes[at] >= 0x80);
        ask->id_to = at + 1 + size;
    }
    CHECK(ask->id_to <= ask->size);
}

struct ask *asks_seat(struct engine *engine, uint32_t slot, const struct ask *ask)
{
    CHECK(ask->phase != ASK_FREE);
    CHECK(ask->size <= ENGINE_ASK_BYTES);
    slot_take(engine, slot);
    pace_begin(engine, ask->tenant);
    engine->asks[slot] = *ask;
    engine->asks[slot].serial = ++engine->asks_serial;
    request_id_find(engine, slot);
    return &engine->asks[slot];
}

void asks_forget(struct engine *engine, uint32_t slot)
{
    struct ask *ask = &engine->asks[slot];
    CHECK(ask->phase != ASK_FREE);
    CHECK(ask->phase != ASK_WAITING || engine->waiting_count > 0);
    engine->waiting_count -= ask->phase == ASK_WAITING ? 1 : 0;
    pace_end(engine, ask->tenant);
    if (ask->digested) {
        CHECK(*asks_alike(engine, ask) > 0);
        (*asks_alike(engine, ask))--;
    }
    memset(ask, 0, sizeof(*ask));
    engine->asks_taken[slot / WORD_BITS] &= ~bit_of(slot);
    engine->asks_count--;
}

struct ask *asks_next(struct engine *engine, struct ask_walk *walk)
{
    walk->left = walk->begun ? walk->left : engine->asks_count;
    walk->begun = true;
    walk->slot = walk->left > 0 ? first_from(engine, walk->after, true) : ENGINE_ASKS;
    if (walk->slot == ENGINE_ASKS) {
        return NULL;
    }
    walk->left--;
    walk->after = walk->slot + 1;
    return &engine->asks[walk->slot];
}

/* ---- Found again ---- */

/* A handle that comes back from outside names the slot and the one ask that has it. INV-SEC-35 */
uint64_t asks_handle(const struct engine *engine, uint32_t slot)
{
    CHECK(engine->asks[slot].serial != 0);
    return engine->asks[slot].serial << SLOT_BITS | slot;
}

bool asks_slot(const struct engine *engine, uint64_t handle, enum ask_phase phase, uint32_t *out)
{
    uint32_t slot = (uint32_t)handle & (ENGINE_ASKS - 1);
    bool same = engine->asks[slot].phase == phase;
    if (!same || (asks_handle(engine, slot) != handle && !MUTANT(ANSWER_TO_THE_SLOT))) {
        return false;
    }
    *out = slot;
    return true;
}

Wire__Request *asks_request(struct engine *engine, uint32_t slot)
{
    Wire__Request *request = NULL;
    struct result decoded = wire_decode(
        &wire__request__descriptor,
        slice_of(engine->ask_bytes[slot], engine->asks[slot].size),
        engine->effects->arena,
        &request);
    CHECK(decoded.code == 0); /* Our own bytes, and the arena is sized for it. */
    return request;
}

uint16_t *asks_alike(struct engine *engine, const struct ask *ask)
{
    CHECK(ask->digested);
    return &engine->alike[(ask->digest[0] | (uint32_t)ask->digest[1] << 8U) % ENGINE_ALIKE];
}
