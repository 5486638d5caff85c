/* An entry put together from parts is the one that encoding it whole would give. */
#include "base/limits.h"
#include "controller/core/apply.h"
#include "controller/core/entry_out.h"
#include "wire/wire.h"

#include <command.pb-c.h>
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static _Alignas(16) uint8_t memory[1024 * 1024];
static uint8_t room[LIMIT_ENTRY];
static const uint8_t digest[32] = { 7, 8, 9 };

static struct slice request_bytes(struct arena *arena, const char *key)
{
    Wire__TenantDelete gone = WIRE__TENANT_DELETE__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    struct slice bytes = SLICE_EMPTY;
    gone.tenant = "acme";
    request.format = 1;
    request.idempotency_key = key;
    request.body_case = WIRE__REQUEST__BODY_TENANT_DELETE;
    request.tenant_delete = &gone;
    cr_assert_eq(wire_encode(&request, arena, &bytes).code, 0);
    return bytes;
}

static struct slice word_bytes(struct arena *arena)
{
    Wire__Tick tick = WIRE__TICK__INIT;
    Wire__Command command = WIRE__COMMAND__INIT;
    struct slice bytes = SLICE_EMPTY;
    command.format = 1;
    command.body_case = WIRE__COMMAND__BODY_TICK;
    command.tick = &tick;
    cr_assert_eq(wire_encode(&command, arena, &bytes).code, 0);
    return bytes;
}

Test(entry, parts_make_the_encoding_of_the_whole)
{
    struct arena arena;
    struct entry_out out;
    arena_init(&arena, memory, sizeof(memory));
    entry_begin(&out, room, sizeof(room), 0, 0);
    Wire__Entry *empty = NULL;
    cr_assert_eq(wire_decode(&wire__entry__descriptor, entry_bytes(&out), &arena, &empty).code, 0);
    entry_begin(&out, room, sizeof(room), 1234567, UINT64_MAX);
    cr_assert(entry_add_word(&out, word_bytes(&arena)));
    cr_assert(entry_add_ask(&out, request_bytes(&arena, "one"), digest, 0, NULL));
    cr_assert(entry_add_ask(&out, request_bytes(&arena, "two"), digest, 99, NULL));
    Wire__Choice choice = WIRE__CHOICE__INIT; /* The largest that there can be. */
    choice.why = UINT32_MAX;
    choice.nodes = UINT32_MAX;
    choice.passed = UINT32_MAX;
    choice.runner_up = UINT64_MAX;
    cr_assert(entry_add_ask(&out, request_bytes(&arena, "three"), digest, UINT64_MAX, &choice));
    Wire__Entry *entry = NULL; /* The decoder is canonical: it takes no other bytes than these. */
    cr_assert_eq(wire_decode(&wire__entry__descriptor, entry_bytes(&out), &arena, &entry).code, 0);
    cr_assert(entry_valid(entry));
    cr_assert_eq(entry->log_time_ms, 1234567);
    cr_assert_eq(entry->wall_ms, UINT64_MAX);
    cr_assert_eq(entry->n_commands, 4);
    cr_assert_eq(entry->commands[0]->body_case, WIRE__COMMAND__BODY_TICK);
    cr_assert_str_eq(entry->commands[1]->asked->request->idempotency_key, "one");
    cr_assert_eq(entry->commands[1]->asked->node, 0);
    cr_assert_str_eq(entry->commands[2]->asked->request->tenant_delete->tenant, "acme");
    cr_assert_eq(entry->commands[2]->asked->node, 99);
    cr_assert_arr_eq(entry->commands[2]->asked->request_digest.data, digest, sizeof(digest));
    cr_assert_null(entry->commands[2]->asked->choice);
    const Wire__Choice *told = entry->commands[3]->asked->choice;
    cr_assert_not_null(told);
    cr_assert(
        told->why == choice.why && told->nodes == choice.nodes && told->passed == choice.passed &&
        told->runner_up == choice.runner_up);
}

Test(entry, what_does_not_fit_changes_nothing)
{
    struct arena arena;
    struct entry_out out;
    arena_init(&arena, memory, sizeof(memory));
    struct slice request = request_bytes(&arena, "one");
    entry_begin(&out, room, 400, 1, 1);
    while (entry_add_ask(&out, request, digest, 5, NULL)) {
    }
    size_t used = out.used;
    uint32_t commands = out.commands;
    cr_assert_gt(commands, 0);
    cr_assert_leq(used, 400);
    cr_assert_not(entry_add_ask(&out, request, digest, 5, NULL));
    cr_assert_eq(out.used, used);
    Wire__Entry *entry = NULL;
    cr_assert_eq(wire_decode(&wire__entry__descriptor, entry_bytes(&out), &arena, &entry).code, 0);
    cr_assert_eq(entry->n_commands, commands);
}

Test(entry, commands_have_their_bound)
{
    struct arena arena;
    struct entry_out out;
    arena_init(&arena, memory, sizeof(memory));
    struct slice word = word_bytes(&arena);
    entry_begin(&out, room, sizeof(room), 1, 1);
    for (uint32_t i = 0; i < LIMIT_COMMANDS_PER_ENTRY; i++) {
        cr_assert(entry_add_word(&out, word));
    }
    cr_assert_not(entry_add_word(&out, word));
    cr_assert_not(entry_add_ask(&out, request_bytes(&arena, "one"), digest, 0, NULL));
}

/* Does the cell begin with a genesis of these ids? */
static bool begins(uint64_t controller, uint64_t first_operator)
{
    enum { CELL = 1 };
    static uint8_t bytes[32] = { 7 };
    static struct effects effects;
    struct state_capacity capacity = { { 0 } };
    for (unsigned int each = TABLE_CELL; each < TABLES_END; each++) {
        capacity.rows[each] = 1;
    }
    struct arena arena;
    struct state state;
    struct outcome outcome;
    void *state_room = calloc(1, state_memory(&capacity));
    cr_assert_not_null(state_room);
    arena_init(&arena, memory, sizeof(memory));
    state_init(&state, CELL, &capacity, state_room);
    Wire__Genesis genesis = WIRE__GENESIS__INIT;
    genesis.cell = CELL;
    genesis.digest_salt = (ProtobufCBinaryData){ 32, bytes };
    genesis.hash_key = (ProtobufCBinaryData){ 16, bytes };
    genesis.controller = controller;
    genesis.first_operator = first_operator;
    Wire__Command command = WIRE__COMMAND__INIT;
    Wire__Command *commands[] = { &command };
    Wire__Entry entry = WIRE__ENTRY__INIT;
    command.format = 1;
    command.body_case = WIRE__COMMAND__BODY_GENESIS;
    command.genesis = &genesis;
    entry.format = 1;
    entry.n_commands = 1;
    entry.commands = commands;
    cr_assert(entry_valid(&entry));
    effects.arena = &arena;
    effects.count = 0;
    struct apply apply = { .state = &state, .effects = &effects, .scratch = &arena, .index = 1 };
    apply_entry(&apply, &entry, &outcome);
    bool begun = state_cell(&state) != NULL;
    free(state_room);
    return begun;
}

Test(entry, a_genesis_whose_rows_could_not_be_read_back_begins_nothing)
{
    cr_assert(begins(id_make(1, 3), id_make(1, 2))); /* The guard off. */
    cr_assert_not(begins(id_make(1, 3) - 3, id_make(1, 2)));
    cr_assert_not(begins(id_make(1, 3), id_make(1, 2) - 2));
    cr_assert_not(begins(id_make(2, 3), id_make(1, 2)));
}
