/* Decides nothing: one controller, its disk and its keys, for the tests of server.c. */
#include "tests/unit/server_room.h"

#include "base/check.h"
#include "wire/wire.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <nettle/eddsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct room room;

static const uint8_t seed[ED25519_KEY_SIZE] = "not a secret: the test's own key";
static _Alignas(16) uint8_t paper_bytes[4 * 1024 * 1024];
static struct arena paper; /* Of the last answer. */

static void on_send(void *context, Wire__Frame *frame)
{
    (void)context;
    (void)frame;
}

/* What keys do: nothing but NOTE_ASK concerns us here. */
static void on_keys(void *context, Wire__Frame *frame)
{
    struct room *here = context;
    if (frame->body_case == WIRE__FRAME__BODY_NOTE_ASK) {
        here->note_due = true;
        here->note_handle = frame->note_ask->handle;
        (void)snprintf(here->note_body, sizeof(here->note_body), "%s", frame->note_ask->body);
    }
}

struct audit_key room_key(void)
{
    struct audit_key key = { .name = "udatsu/0001/c1" };
    ed25519_sha512_public_key(key.public_key, seed);
    return key;
}

static void sign(void)
{
    uint8_t signature[ED25519_SIGNATURE];
    char line[AUDIT_KEY_LINE_MAX];
    struct audit_key key = room_key();
    ed25519_sha512_sign(
        key.public_key, seed, strlen(room.note_body), (const uint8_t *)room.note_body, signature);
    audit_signature_line(&key, signature, line);
    Wire__NoteTold told = WIRE__NOTE_TOLD__INIT;
    told.handle = room.note_handle;
    told.signature = line;
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.body_case = WIRE__FRAME__BODY_NOTE_TOLD;
    frame.note_told = &told;
    room.note_due = false;
    server_keys(room.server, room.now_ms, room.now_ms, &frame);
}

static void on_answer(void *context, uint64_t handle, Wire__Answer *answer)
{
    struct room *here = context;
    struct slice bytes = SLICE_EMPTY;
    (void)handle;
    arena_init(&paper, paper_bytes, sizeof(paper_bytes));
    here->answer = NULL;
    if (wire_encode(answer, &paper, &bytes).code == 0) { /* It dies with the step: keep a copy. */
        struct result kept = wire_decode(&wire__answer__descriptor, bytes, &paper, &here->answer);
        cr_assert_eq(kept.code, 0);
    }
    here->reject = answer->reject;
    here->items = answer->n_items;
    here->answers++;
}

static void on_event(void *context, const Wire__EventView *event)
{
    (void)context;
    (void)event;
}

static void on_halt(void *context, const char *why)
{
    struct room *here = context;
    cr_assert(here->may_halt, "halt: %s", why);
    here->halts++;
}

static void *on_memory(void *context, void *old, size_t size)
{
    struct room *here = context;
    free(old);
    here->memory = size == 0 ? NULL : aligned_alloc(4096, (size + 4095) / 4096 * 4096);
    if (here->memory != NULL) {
        memset(here->memory, 0, size);
    }
    return here->memory;
}

static struct state_capacity small(void)
{
    struct state_capacity capacity = state_capacity_default();
    for (unsigned int table = TABLE_CONTROLLER; table < TABLES_END; table++) {
        capacity.rows[table] = 64;
    }
    return capacity;
}

void room_open(void)
{
    uint8_t random[48] = { 7 };
    Wire__Genesis genesis = WIRE__GENESIS__INIT;
    genesis.cell = 1;
    genesis.name = "test";
    genesis.digest_salt = (ProtobufCBinaryData){ .len = 32, .data = random };
    genesis.hash_key = (ProtobufCBinaryData){ .len = 16, .data = random };
    genesis.controller = id_make(1, 1);
    genesis.controller_name = "c1";
    genesis.first_operator = id_make(1, ROOM_ADMIN);
    genesis.operator_name = "admin";
    genesis.reserve_percent = 10;
    genesis.vcpu_ratio = 1;
    struct server_conf conf = {
        .engine = { .self = id_make(1, 1), .cell = 1, .genesis = &genesis, .capacity = small() },
        .replica = { .self = id_make(1, 1),
                     .address = "c1",
                     .seed = 1,
                     .segment_bytes = 1 << 20,
                     .segment_count = 4 },
        .store_directory = room.rows,
        .snapshots_directory = room.snapshots,
        .mark = &room.mark,
    };
    const struct server_host host = { .context = &room,
                                      .send = on_send,
                                      .answer = on_answer,
                                      .keys = on_keys,
                                      .event = on_event,
                                      .halt = on_halt,
                                      .memory = on_memory };
    struct result opened =
        server_open(&conf, disk_file(&room.fd), &host, room.now_ms, 1, true, &room.server);
    cr_assert_eq(opened.code, 0, "%s", result_name(opened));
}

void room_turn(void)
{
    room.now_ms += LIMIT_TICK_MS;
    server_tick(room.server, room.now_ms, room.now_ms);
    server_turn(room.server, room.now_ms, room.now_ms);
    if (room.note_due && !room.keys_silent) {
        sign();
    }
}

Wire__Identity room_admin(void)
{
    Wire__Identity admin = WIRE__IDENTITY__INIT;
    admin.kind = WIRE__KIND__KIND_USER;
    admin.id = id_make(1, ROOM_ADMIN);
    return admin;
}

const Wire__Answer *room_ask(Wire__Identity who, Wire__Request *request, const char *key)
{
    request->format = 1;
    request->principal = &who;
    request->idempotency_key = key;
    Wire__Ask asked = WIRE__ASK__INIT;
    asked.handle = 1;
    asked.request = request;
    room.reject = UINT32_MAX;
    room.answer = NULL;
    server_ask(room.server, room.now_ms, room.now_ms, &asked);
    for (int i = 0; i < ROOM_TURNS && room.reject == UINT32_MAX; i++) {
        room_turn();
    }
    request->principal = NULL; /* It pointed into this frame. */
    return room.answer;
}

uint32_t room_tenant(const char *tenant, const char *key)
{
    Wire__Quantities cap = WIRE__QUANTITIES__INIT;
    cap.networks = 64;
    Wire__TenantCreate create = WIRE__TENANT_CREATE__INIT;
    create.name = tenant;
    create.cap = &cap;
    Wire__Request request = WIRE__REQUEST__INIT;
    request.body_case = WIRE__REQUEST__BODY_TENANT_CREATE;
    request.tenant_create = &create;
    (void)room_ask(room_admin(), &request, key);
    return room.reject;
}

void room_set_up(void)
{
    memset(&room, 0, sizeof(room));
    room.now_ms = 1000;
    memcpy(room.directory, "/tmp/udatsu-server-XXXXXX", sizeof("/tmp/udatsu-server-XXXXXX"));
    cr_assert_not_null(mkdtemp(room.directory));
    (void)snprintf(room.rows, sizeof(room.rows), "%s/rows", room.directory);
    (void)snprintf(room.snapshots, sizeof(room.snapshots), "%s", room.directory);
    room.fd = open(room.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_geq(room.fd, 0);
    room_open();
    for (int i = 0; i < ROOM_TURNS && state_cell(engine_state(server_engine(room.server))) == NULL;
         i++) {
        room_turn();
    }
}

void room_tear_down(void)
{
    server_close(room.server);
    close(room.fd);
    struct result removed = store_discard(room.rows);
    (void)removed;
    char command[128];
    (void)snprintf(command, sizeof(command), "%s", room.directory);
    for (int i = 0; i < 16; i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "%s/journal-%d", room.directory, i);
        (void)unlink(path);
    }
    (void)rmdir(command);
}
