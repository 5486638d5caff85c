/* What an engine makes of anything that reaches it: asks, frames of controllers and nodes, words of
 * keys, parent and doors, and consensus around it. The oracles: whatever it proposes is a sound
 * entry, whatever it says encodes, may be said and is understood, every ask is answered once and
 * none is left over, only what is committed changes the state, and a second engine that is given
 * the same entries holds the same (INV-REF-1). */
#include "tests/fuzz/fuzz_engine.h"

#include "tests/fuzz/engine_world.h"
#include "wire/wire.h"

#include <stdlib.h>
#include <string.h>

enum { SETTLE_TURNS = 64, CROWD = 32 };

static _Alignas(16) uint8_t part_memory[2 * 1024 * 1024];

const ProtobufCMessageDescriptor *fuzz_type(uint8_t kind)
{
    switch ((enum kind)(kind % 16)) {
    case KIND_ASK: return &wire__ask__descriptor;
    case KIND_FRAME:
    case KIND_TOLD: return &wire__frame__descriptor;
    case KIND_ENTRY: return &wire__entry__descriptor;
    case KIND_CLOCK:
    case KIND_ROLE:
    case KIND_MEMBERS:
    case KIND_LINK:
    case KIND_TURN:
    case KIND_COMMIT:
    case KIND_REFUSE:
    case KIND_LOSE:
    case KIND_SETTLE:
    case KIND_RENEW:
    case KIND_LEAVE:
    case KIND_CONF: break;
    }
    return NULL;
}

/* ---- What others say ---- */

static uint64_t handle_of(uint64_t said)
{
    return said < WORLD_OUTSIDE ? world.outside[said] : said;
}

static void ask(struct slice bytes)
{
    struct arena arena;
    Wire__Ask *said = NULL;
    arena_init(&arena, part_memory, sizeof(part_memory));
    if (wire_decode(&wire__ask__descriptor, bytes, &arena, &said).code != 0 ||
        world.asks == WORLD_ASKS || world.over) {
        return;
    }
    said->handle = ++world.asks; /* api gives each its own. */
    struct engine_event event = { .kind = ENGINE_ASK, .ask = said };
    world_step(&event);
}

static Wire__Frame *frame_read(struct slice bytes, struct arena *arena)
{
    Wire__Frame *frame = NULL;
    struct result decoded = wire_decode(&wire__frame__descriptor, bytes, arena, &frame);
    if (decoded.code != 0 || frame->format != FRAME_FORMAT) {
        return NULL;
    }
    if (frame->body_case == WIRE__FRAME__BODY_ISSUE_TOLD) {
        frame->issue_told->handle = handle_of(frame->issue_told->handle);
    } else if (frame->body_case == WIRE__FRAME__BODY_NOTE_TOLD) {
        frame->note_told->handle = handle_of(frame->note_told->handle);
    } else if (frame->body_case == WIRE__FRAME__BODY_FORWARDED) {
        frame->forwarded->handle = handle_of(frame->forwarded->handle);
    } else if (frame->body_case == WIRE__FRAME__BODY_CONSOLE_TOLD) {
        frame->console_told->handle = handle_of(frame->console_told->handle);
    } else if (frame->body_case == WIRE__FRAME__BODY_CONFIRMED) {
        frame->confirmed->nonce = handle_of(frame->confirmed->nonce);
    }
    return frame;
}

/* link lets nothing else pass, and stamps nobody without an id. */
static void framed(struct slice bytes)
{
    struct arena arena;
    arena_init(&arena, part_memory, sizeof(part_memory));
    Wire__Frame *frame = frame_read(bytes, &arena);
    struct engine_event event = { .kind = ENGINE_FRAME, .frame = frame };
    const Wire__Identity *peer = frame == NULL ? NULL : frame->peer;
    bool arrives = peer != NULL && peer->id != 0 &&
                   frame_may_arrive(peer->kind, PROGRAM_ENGINE, frame->body_case);
    if (arrives || (frame != NULL && peer == NULL)) {
        world_step(&event);
    }
}

static void told(uint32_t by, struct slice bytes)
{
    static const enum program programs[] = { PROGRAM_KEYS, PROGRAM_API, PROGRAM_LINK };
    struct arena arena;
    arena_init(&arena, part_memory, sizeof(part_memory));
    Wire__Frame *frame = frame_read(bytes, &arena);
    bool parent = frame != NULL && by == 0 &&
                  frame_may_pass(PROGRAM_PARENT, PROGRAM_ENGINE, frame->body_case);
    struct engine_event event = { .kind = ENGINE_TOLD, .frame = frame, .door = by };
    if (frame != NULL &&
        (parent || frame_may_pass(programs[by], PROGRAM_ENGINE, frame->body_case))) {
        world_step(&event);
    }
}

static void renew(struct slice bytes)
{
    static const uint8_t csr[] = { 1, 2, 3 };
    struct engine_event event = { .kind = ENGINE_RENEW,
                                  .csr = slice_of(csr, sizeof(csr)),
                                  .epoch = (uint32_t)fuzz_number(bytes, 0, 1),
                                  .late = fuzz_number(bytes, 1, 1) != 0 };
    if (engine_may_renew(world.engine, event.late)) {
        world_step(&event);
    }
}

/* Clients come one by one, or as a crowd that asks the same. */
static void asked(uint32_t how, struct slice bytes)
{
    for (uint32_t i = 0; i < (how == HOW_CROWD ? CROWD : 1); i++) {
        ask(bytes);
    }
}

static void take_part(const struct fuzz_part *part, struct slice bytes)
{
    switch ((enum kind)(part->kind % 16)) {
    case KIND_ASK: asked(part->kind / 16, bytes); return;
    case KIND_FRAME: framed(bytes); return;
    case KIND_TOLD: told(part->kind / 16 % 3, bytes); return;
    case KIND_ENTRY:
        if (world.role != ENGINE_LEADING) {
            world_pass((uint64_t)part->kind / 16 * SKIP_STEP);
            world_apply(bytes, 0);
        }
        return;
    case KIND_CLOCK: world_clock(fuzz_number(bytes, 0, 4), fuzz_number(bytes, 4, 1) != 0); return;
    case KIND_ROLE: world_role(bytes); return;
    case KIND_MEMBERS: world_members(bytes); return;
    case KIND_LINK: {
        bool node = fuzz_number(bytes, 1, 1) == WIRE__KIND__KIND_NODE;
        struct engine_event event = {
            .kind = ENGINE_LINK,
            .up = (fuzz_number(bytes, 0, 1) & 1U) != 0,
            .peer_kind = node ? WIRE__KIND__KIND_NODE : WIRE__KIND__KIND_CONTROLLER,
            .peer = fuzz_number(bytes, 2, 8),
        };
        if (event.peer != 0) {
            world_step(&event);
        }
        return;
    }
    case KIND_TURN: world_turn(); return;
    case KIND_COMMIT: world_commit(); return;
    case KIND_REFUSE: world_let_go(ENGINE_REFUSED, (uint16_t)(fuzz_number(bytes, 0, 1))); return;
    case KIND_LOSE:
        if (bytes.size == 0) {
            world_let_go(ENGINE_LOST, 0);
        } else {
            world_lose_strange();
        }
        return;
    case KIND_SETTLE:
        world_turn();
        for (uint32_t i = 0; i < SETTLE_TURNS && world.pending_count > 0; i++) {
            world_commit();
            world_turn();
        }
        return;
    case KIND_RENEW: renew(bytes); return;
    case KIND_LEAVE: {
        struct engine_event event = { .kind = ENGINE_LEAVE };
        world_step(&event);
        return;
    }
    case KIND_CONF: return;
    }
}

void engine_part(const struct fuzz_part *part)
{
    uint8_t *exact = fuzz_copy(part->bytes);
    take_part(part, slice_of(exact, part->bytes.size));
    free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size);
    struct fuzz_part part = { .kind = 0 };
    struct slice look = rest;
    bool conf = fuzz_part_next(&look, &part) && part.kind % 16 == KIND_CONF;
    struct slice settings = conf ? part.bytes : SLICE_EMPTY;
    world_begin(settings);
    while (fuzz_part_next(&rest, &part)) {
        engine_part(&part);
    }
    world_end();
    return 0;
}
