/* Entries of the log, whatever they hold, applied to small states. The oracles: two replicas that
 * apply the same entries say and hold the same (INV-REF-1); the ledger is the inventory; what the
 * mirror was told restores an equal state; every leaf is sound and in the log's tree; what the door
 * says in advance is what the log says. No entry that is valid ends a replica. */
#include "tests/fuzz/core_world.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/message.h"

#include "audit/leaf.h"
#include "base/check.h"
#include "controller/core/apply.h"
#include "wire/wire.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM = 8 * 1024 * 1024, SEEDS = 24, COMMANDS_EACH = 24, CONTROLLER = 3, OPERATOR = 2 };

struct replica {
    struct state state;
    struct effects effects;
    struct arena arena;
    struct outcome outcomes[LIMIT_COMMANDS_PER_ENTRY];
};

static _Alignas(16) uint8_t rooms[2][ROOM];
static _Alignas(16) uint8_t entry_memory[4 * 1024 * 1024];
static _Alignas(16) uint8_t other_memory[1024 * 1024];
static struct replica replicas[2];
static struct audit_frontier leaves; /* Of all leaves that were told. */

static const struct state_capacity capacity = { .rows = {
                                                    [TABLE_CELL] = 1,
                                                    [TABLE_CONTROLLER] = 4,
                                                    [TABLE_NODE] = 4,
                                                    [TABLE_TENANT] = 6,
                                                    [TABLE_PROJECT] = 8,
                                                    [TABLE_USER] = 8,
                                                    [TABLE_IMAGE] = 3,
                                                    [TABLE_NETWORK] = 6,
                                                    [TABLE_INSTANCE] = 10,
                                                    [TABLE_OPERATION] = 144,
                                                    [TABLE_ALARM] = 3,
                                                    [TABLE_TOKEN] = 10,
                                                } };

const ProtobufCMessageDescriptor *fuzz_type(uint8_t kind)
{
    return kind % 2 == 0 ? &wire__entry__descriptor : &wire__command__descriptor;
}

/* ---- What one replica says of an entry ---- */

static void hold_leaf(const struct effect *effect)
{
    struct arena arena;
    Wire__Leaf *leaf = NULL;
    uint8_t hash[AUDIT_HASH];
    arena_init(&arena, other_memory, sizeof(other_memory));
    MUST(wire_decode(&wire__leaf__descriptor, effect->bytes, &arena, &leaf).code == 0);
    MUST(audit_leaf_valid(leaf));
    MUST(effect->id == leaves.size && leaf->seq == leaves.size); /* INV-AUD-1 */
    audit_leaf_hash(effect->bytes, hash);
    audit_append(&leaves, hash);
}

static void hold_effects(const struct replica *replica)
{
    const struct cell_row *cell = state_cell(&replica->state);
    for (uint32_t i = 0; i < replica->effects.count; i++) {
        const struct effect *effect = &replica->effects.list[i];
        if (effect->kind == EFFECT_LEAF) {
            hold_leaf(effect);
        } else if (effect->kind == EFFECT_EVENT) {
            world_hold_told(&effect->event->base);
        } else {
            MUST(effect->kind == EFFECT_ASSIGN || effect->kind == EFFECT_RING);
            MUST(effect->kind != EFFECT_ASSIGN || effect->node != 0);
        }
    }
    MUST(cell == NULL || memcmp(&cell->frontier, &leaves, sizeof(leaves)) == 0);
}

static void hold_outcome(const struct replica *replica, const Wire__Command *command, size_t at)
{
    const struct outcome *outcome = &replica->outcomes[at];
    MUST(outcome->reject < REJECTS_END);
    world_hold_told(&outcome->problem.base);
    if (command->body_case == WIRE__COMMAND__BODY_ASKED && outcome->reject == REJECT_NONE) {
        /* INV-IDEM-1: an accepted write has its operation, or its certificate. */
        MUST(outcome->operation != 0 || outcome->subject.id != 0);
    }
}

static void hold_same(const struct replica *one, const struct replica *other, size_t commands)
{
    MUST(one->state.digest == other->state.digest); /* INV-REF-1 */
    MUST(one->effects.count == other->effects.count);
    for (uint32_t i = 0; i < one->effects.count; i++) {
        const struct effect *a = &one->effects.list[i];
        const struct effect *b = &other->effects.list[i];
        MUST(a->kind == b->kind && a->id == b->id && a->node == b->node);
        MUST(a->generation == b->generation && a->epoch == b->epoch);
        MUST(a->bytes.size == b->bytes.size);
        MUST(a->bytes.size == 0 || memcmp(a->bytes.data, b->bytes.data, a->bytes.size) == 0);
    }
    for (size_t i = 0; i < commands; i++) {
        const struct outcome *a = &one->outcomes[i];
        const struct outcome *b = &other->outcomes[i];
        MUST(a->reject == b->reject && a->operation == b->operation);
        MUST(a->resource == b->resource && a->subject.id == b->subject.id);
    }
}

/* ---- An entry ---- */

static Wire__Entry *entry_read(struct slice bytes)
{
    struct arena arena;
    Wire__Entry *entry = NULL;
    arena_init(&arena, entry_memory, sizeof(entry_memory));
    struct result decoded = wire_decode(&wire__entry__descriptor, bytes, &arena, &entry);
    return decoded.code == 0 ? entry : NULL;
}

/* The only request of an entry that was made as entries are; NULL: there is none. */
static const Wire__Asked *asked_of(const Wire__Entry *entry)
{
    const Wire__Command *command = entry->n_commands == 1 ? entry->commands[0] : NULL;
    bool asks = entry->format == 1 && command != NULL && command->format == 1 &&
                command->body_case == WIRE__COMMAND__BODY_ASKED;
    bool made =
        asks && command->asked->request != NULL && command->asked->request_digest.len == AUDIT_HASH;
    return made ? command->asked : NULL;
}

static void apply_to(struct replica *replica, uint64_t index, const Wire__Entry *entry)
{
    arena_reset(&replica->arena);
    replica->effects.count = 0;
    replica->effects.arena = &replica->arena;
    struct apply apply = { .state = &replica->state,
                           .effects = &replica->effects,
                           .scratch = &replica->arena,
                           .index = index };
    apply_entry(&apply, entry, replica->outcomes);
}

/* What the door would say to the only request of an entry whose time has come. */
static enum reject trial_of(struct replica *replica, const Wire__Asked *asked)
{
    struct arena arena;
    struct outcome outcome;
    uint64_t before = replica->state.digest;
    const struct cell_row *cell = state_cell(&replica->state);
    arena_init(&arena, other_memory, sizeof(other_memory));
    struct apply apply = { .state = &replica->state, .scratch = &arena, .dry = true };
    apply.wall_ms = cell == NULL ? 0 : cell->wall_ms;
    apply_trial(&apply, asked, &outcome);
    state_settle(&replica->state, &arena);
    MUST(replica->state.digest == before); /* Asking changes nothing. */
    return outcome.reject;
}

/* Until a node is chosen, nothing is known of its room; nor when the entry names another one. */
static bool door_may_differ(const Wire__Asked *asked, enum reject log)
{
    return asked->node == 0 || log == REJECT_CONFLICT;
}

/* Time first, so that door and log speak of the same moment. */
static enum reject door_says(uint64_t *index, Wire__Entry *entry, const Wire__Asked *asked)
{
    if (state_cell(&replicas[0].state) != NULL) {
        entry->n_commands = 0;
        ++*index;
        for (size_t i = 0; i < COUNT_OF(replicas); i++) {
            apply_to(&replicas[i], *index, entry);
        }
        hold_effects(&replicas[0]);
        entry->n_commands = 1;
    }
    return trial_of(&replicas[0], asked);
}

static void take_entry(uint64_t *index, struct slice bytes)
{
    Wire__Entry *entry = entry_read(bytes);
    if (entry == NULL) {
        return; /* Poison: it is named, and nothing after it is applied. */
    }
    const Wire__Asked *asked = asked_of(entry);
    enum reject door = asked == NULL ? REJECT_NONE : door_says(index, entry, asked);
    if (!entry_valid(entry)) {
        MUST(asked == NULL || door != REJECT_NONE); /* No door lets poison into the log. */
        return;
    }
    size_t commands = entry->n_commands;
    ++*index;
    apply_to(&replicas[0], *index, entry);
    for (size_t i = 0; i < commands; i++) {
        hold_outcome(&replicas[0], entry->commands[i], i);
    }
    hold_effects(&replicas[0]);
    if (asked != NULL && !door_may_differ(asked, replicas[0].outcomes[0].reject)) {
        MUST(door == replicas[0].outcomes[0].reject);
    }
    entry = entry_read(bytes);
    CHECK(entry != NULL);
    apply_to(&replicas[1], *index, entry);
    hold_same(&replicas[0], &replicas[1], commands);
    world_hold_ledger(&replicas[0].state);
    world_hold_rooms(&replicas[0].state);
    world_hold_presence(&replicas[0].state);
}

/* What is asked is asked with a key of its own, by somebody, for a node that is there. */
static void make_sound(Wire__Asked *asked, uint64_t index)
{
    static uint8_t digest[AUDIT_HASH];
    static char key[16];
    static Wire__Identity operator_person = WIRE__IDENTITY__INIT;
    if (asked->request == NULL) {
        return;
    }
    key[0] = (char)('a' + index % 26);
    key[1] = (char)('a' + index / 26 % 26);
    key[2] = (char)('a' + index / 676 % 26);
    digest[0] = (uint8_t)index;
    operator_person.kind = WIRE__KIND__KIND_USER;
    operator_person.id = id_make(WORLD_CELL, OPERATOR);
    asked->request->format = 1;
    asked->request->idempotency_key = key;
    asked->request_digest = (ProtobufCBinaryData){ sizeof(digest), digest };
    if (asked->request->principal == NULL) {
        asked->request->principal = &operator_person;
    }
    const struct row_head *node = state_first(&replicas[0].state, TABLE_NODE);
    if (node != NULL && state_find(&replicas[0].state, TABLE_NODE, asked->node) == NULL) {
        asked->node = node->id;
    }
}

/* A command alone comes in an entry of its own, a little later. */
static struct slice wrapped(struct slice bytes, bool sound, uint64_t index, struct arena *arena)
{
    Wire__Entry entry = WIRE__ENTRY__INIT;
    Wire__Command *command =
        (Wire__Command *)message_read(&wire__command__descriptor, bytes, arena);
    struct slice made = SLICE_EMPTY;
    if (command == NULL) {
        return made;
    }
    if (sound && command->body_case == WIRE__COMMAND__BODY_ASKED) {
        make_sound(command->asked, index);
    }
    const struct cell_row *cell = state_cell(&replicas[0].state);
    entry.format = 1;
    entry.log_time_ms = cell == NULL ? index : cell->log_time_ms + 1;
    entry.wall_ms = cell == NULL ? index : cell->wall_ms + 1;
    entry.n_commands = 1;
    entry.commands = &command;
    struct result packed = wire_encode(&entry, arena, &made);
    return packed.code == 0 ? made : SLICE_EMPTY;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static _Alignas(16) uint8_t memory[1024 * 1024];
    struct slice rest = slice_of(data, size);
    struct fuzz_part part;
    struct state restored;
    uint64_t index = 0;
    memset(&leaves, 0, sizeof(leaves));
    for (uint32_t i = 0; i < COUNT_OF(replicas); i++) {
        world_state(&replicas[i].state, i, &capacity);
        arena_init(&replicas[i].arena, rooms[i], sizeof(rooms[i]));
    }
    world_mirror(&replicas[0].state);
    while (fuzz_part_next(&rest, &part)) {
        struct arena arena;
        arena_init(&arena, memory, sizeof(memory));
        struct slice bytes = part.bytes;
        if (part.kind % 2 != 0) {
            bytes = wrapped(part.bytes, part.kind % 4 == 3, index, &arena);
        }
        uint8_t *exact = fuzz_copy(bytes);
        take_entry(&index, slice_of(exact, bytes.size));
        free(exact);
    }
    world_hold_names(&replicas[0].state);
    world_state(&restored, 2, &capacity);
    world_hold_mirror(&replicas[0].state, &restored);
    return 0;
}

/* ---- First inputs ---- */

static Wire__Command *genesis_make(struct arena *arena)
{
    static uint8_t salt[32] = { 7 };
    Wire__Command *command = arena_take(arena, sizeof(*command));
    Wire__Genesis *genesis = arena_take(arena, sizeof(*genesis));
    CHECK(command != NULL && genesis != NULL);
    wire__command__init(command);
    wire__genesis__init(genesis);
    command->body_case = WIRE__COMMAND__BODY_GENESIS;
    command->genesis = genesis;
    genesis->cell = WORLD_CELL;
    genesis->name = "lab";
    genesis->digest_salt = (ProtobufCBinaryData){ 32, salt };
    genesis->hash_key = (ProtobufCBinaryData){ 16, salt };
    genesis->controller = id_make(WORLD_CELL, CONTROLLER);
    genesis->controller_name = "c1";
    genesis->first_operator = id_make(WORLD_CELL, OPERATOR);
    genesis->operator_name = "root";
    return command;
}

size_t fuzz_seed(uint32_t number, uint8_t room[static FUZZ_INPUT_MAX])
{
    struct prng prng;
    size_t used = 0;
    if (number >= SEEDS) {
        return 0;
    }
    prng_seed(&prng, number);
    for (uint32_t i = 0; i < COMMANDS_EACH; i++) {
        struct arena arena;
        struct slice bytes = SLICE_EMPTY;
        arena_init(&arena, entry_memory, sizeof(entry_memory));
        Wire__Command *command =
            i == 0 ? genesis_make(&arena)
                   : (Wire__Command *)message_any(&wire__command__descriptor, &prng, &arena);
        CHECK(command != NULL);
        command->format = 1;
        struct result packed = wire_encode(command, &arena, &bytes);
        if (packed.code == 0) {
            (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, 3, bytes);
        }
    }
    return used;
}
