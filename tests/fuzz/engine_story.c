/* Decides how what happens to an engine is written as a part, and plays it. Never decides what an
 * engine should do. */
#include "tests/fuzz/engine_story.h"

#include "base/check.h"
#include "controller/core/feature.h"
#include "tests/fuzz/core_world.h"
#include "tests/fuzz/engine_world.h"
#include "wire/wire.h"

#include <stdio.h>
#include <string.h>

enum {
    SELF = 3,
    OPERATOR = 2,
    PEERS_MAX = 3,
    FAR_COMMIT = 200, /* Other controllers are heard before their rows are known here. */
    GIB = 1 << 30,
};

Wire__Identity story_root;
Wire__Identity story_ann;
static uint8_t kernel[32] = { 1 };
static uint8_t initramfs[32] = { 2 };
static _Alignas(16) uint8_t memory[2 * 1024 * 1024];

/* ---- Parts ---- */

void story_say(struct story *story, uint32_t kind, struct slice bytes)
{
    struct fuzz_part part = { .kind = (uint8_t)kind, .bytes = bytes };
    bool fits = fuzz_part_put(story->room, FUZZ_INPUT_MAX, &story->used, part.kind, bytes);
    CHECK(fits);
    engine_part(&part);
}

void story_message(struct story *story, uint32_t kind, const void *message)
{
    struct arena arena;
    struct slice bytes = SLICE_EMPTY;
    arena_init(&arena, memory, sizeof(memory));
    struct result packed = wire_encode(message, &arena, &bytes);
    CHECK(packed.code == 0);
    story_say(story, kind, bytes);
}

static void put_number(uint8_t *at, size_t size, uint64_t value)
{
    for (size_t i = 0; i < size; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
}

void story_clock(struct story *story, uint32_t ms)
{
    uint8_t bytes[5] = { 0, 0, 0, 0, 1 };
    put_number(bytes, 4, ms);
    story_say(story, KIND_CLOCK, slice_of(bytes, sizeof(bytes)));
}

void story_settle(struct story *story)
{
    story_say(story, KIND_SETTLE, SLICE_EMPTY);
}

/* Another term: this one leads, or follows that one (0: nobody). */
void story_role(struct story *story, enum engine_role role, uint64_t leader)
{
    uint8_t bytes[13] = { (uint8_t)role };
    put_number(bytes + 1, 4, ++story->term);
    put_number(bytes + 5, 8, leader == 0 ? 0 : id_make(WORLD_CELL, leader));
    story_say(story, KIND_ROLE, slice_of(bytes, sizeof(bytes)));
}

/* Ourselves and `others`: how each votes. */
void story_members(struct story *story, uint32_t others, const uint8_t *voters)
{
    uint8_t bytes[13 + 17 * PEERS_MAX] = { 1, FAR_COMMIT };
    uint8_t *at = bytes + 13;
    CHECK(others < PEERS_MAX);
    for (uint32_t i = 0; i <= others; i++) {
        put_number(at, 8, id_make(WORLD_CELL, i == 0 ? SELF : STORY_OTHER + i - 1));
        at[8] = i == 0 ? 2 : voters[i - 1];
        at += 17;
    }
    story_say(story, KIND_MEMBERS, slice_of(bytes, (size_t)(at - bytes)));
}

void story_linked(struct story *story, uint64_t controller, bool up)
{
    uint8_t bytes[10] = { up, WIRE__KIND__KIND_CONTROLLER };
    put_number(bytes + 2, 8, id_make(WORLD_CELL, controller));
    story_say(story, KIND_LINK, slice_of(bytes, sizeof(bytes)));
}

/* Who asks and under which key, for as long as the request is written. */
struct asker {
    char key[8];
    Wire__Identity who;
};

static void asker_of(
    struct story *story, const Wire__Identity *who, Wire__Request *request, struct asker *asker)
{
    (void)snprintf(asker->key, sizeof(asker->key), "k%u", ++story->keys % 1000);
    asker->who = who == NULL ? story_root : *who;
    request->format = 1;
    request->idempotency_key = asker->key;
    request->principal = who == NULL ? NULL : &asker->who;
}

void story_ask_as(
    struct story *story, uint32_t kind, const Wire__Identity *who, Wire__Request *request)
{
    struct asker asker;
    Wire__Ask ask = WIRE__ASK__INIT;
    asker_of(story, who, request, &asker);
    ask.request = request;
    story_message(story, kind, &ask);
}

void story_ask(struct story *story, const Wire__Identity *who, Wire__Request *request)
{
    story_ask_as(story, KIND_ASK, who, request);
    story_settle(story);
}

void story_framed(struct story *story, Wire__Kind kind, uint64_t id, Wire__Frame *frame)
{
    Wire__Identity peer = WIRE__IDENTITY__INIT;
    peer.kind = kind;
    peer.id = id;
    frame->format = 1;
    frame->peer = &peer;
    story_message(story, KIND_FRAME, frame);
}

/* The handle that was told outside last. */
uint64_t story_newest(void)
{
    CHECK(world.outside_count > 0);
    return (world.outside_count - 1) % WORLD_OUTSIDE;
}

void story_entry(struct story *story, uint32_t skip, size_t count, Wire__Command **commands)
{
    Wire__Entry entry = WIRE__ENTRY__INIT;
    entry.format = 1;
    entry.n_commands = count;
    entry.commands = commands;
    for (size_t i = 0; i < count; i++) {
        commands[i]->format = 1;
    }
    story_message(story, KIND_ENTRY + KIND_UPPER * skip, &entry);
}

/* ---- Cells ---- */

void story_begin(struct story *story, struct slice settings)
{
    wire__identity__init(&story_root);
    story_root.kind = WIRE__KIND__KIND_USER;
    story_root.id = id_make(WORLD_CELL, OPERATOR);
    world_begin(settings);
    if (settings.size > 0) {
        story_say(story, KIND_CONF, settings);
    }
}

/* It leads, alone, and the cell begins. */
void story_lead(struct story *story, struct slice settings)
{
    story_begin(story, settings);
    story_members(story, 0, NULL);
    story_role(story, ENGINE_LEADING, 0);
    story_settle(story);
}

/* Another leader began the cell; its first controller, we, has no address for clients yet. */
void story_follow(struct story *story, uint32_t skip)
{
    static uint8_t salt[32] = { 7 };
    Wire__Genesis genesis = WIRE__GENESIS__INIT;
    Wire__ControllerReported reported = WIRE__CONTROLLER_REPORTED__INIT;
    Wire__FeatureLevelRaised raised = WIRE__FEATURE_LEVEL_RAISED__INIT;
    Wire__Command commands[3] = { WIRE__COMMAND__INIT, WIRE__COMMAND__INIT, WIRE__COMMAND__INIT };
    Wire__Command *list[] = { &commands[0], &commands[1], &commands[2] };
    genesis.cell = WORLD_CELL;
    genesis.name = "lab";
    genesis.digest_salt = (ProtobufCBinaryData){ sizeof(salt), salt };
    genesis.hash_key = (ProtobufCBinaryData){ 16, salt };
    genesis.controller = id_make(WORLD_CELL, SELF);
    genesis.controller_name = "c1";
    genesis.first_operator = id_make(WORLD_CELL, OPERATOR);
    genesis.operator_name = "root";
    reported.controller = genesis.controller;
    reported.voter = 2;
    reported.feature_level = FEATURE_LEVEL;
    raised.level = FEATURE_LEVEL;
    commands[0].body_case = WIRE__COMMAND__BODY_GENESIS;
    commands[0].genesis = &genesis;
    commands[1].body_case = WIRE__COMMAND__BODY_CONTROLLER_REPORTED;
    commands[1].controller_reported = &reported;
    commands[2].body_case = WIRE__COMMAND__BODY_FEATURE_LEVEL_RAISED;
    commands[2].feature_level_raised = &raised;
    story_entry(story, skip, COUNT_OF(list), list);
}

/* What somebody asked of another leader. */
void story_asked(struct story *story, const Wire__Identity *who, Wire__Request *request)
{
    static uint8_t digest[32];
    Wire__Asked asked = WIRE__ASKED__INIT;
    Wire__Command command = WIRE__COMMAND__INIT;
    Wire__Command *list[] = { &command };
    struct asker asker;
    asker_of(story, who, request, &asker);
    asked.request = request;
    asked.request_digest = (ProtobufCBinaryData){ sizeof(digest), digest };
    command.body_case = WIRE__COMMAND__BODY_ASKED;
    command.asked = &asked;
    story_entry(story, 0, COUNT_OF(list), list);
}

void story_join(struct story *story, story_says *says, Wire__Kind kind, const char *name)
{
    uint8_t secret[32] = { (uint8_t)name[1], (uint8_t)kind };
    uint8_t key[32] = { 4 };
    Wire__TokenCreate create = WIRE__TOKEN_CREATE__INIT;
    Wire__Join join = WIRE__JOIN__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    create.kind = kind;
    create.secret_sha256 = (ProtobufCBinaryData){ sizeof(secret), secret };
    create.name = name;
    request.body_case = WIRE__REQUEST__BODY_TOKEN_CREATE;
    request.token_create = &create;
    says(story, &story_root, &request);
    join.kind = kind;
    join.secret_sha256 = create.secret_sha256;
    join.csr = (ProtobufCBinaryData){ 4, secret };
    join.link_address = "10.0.0.9:7444";
    join.api_address = kind == WIRE__KIND__KIND_CONTROLLER ? "10.0.0.9:7443" : "";
    join.underlay_address = "10.9.0.9";
    if (kind == WIRE__KIND__KIND_CONTROLLER) {
        join.sealing_key = (ProtobufCBinaryData){ sizeof(key), key };
    }
    wire__request__init(&request);
    request.body_case = WIRE__REQUEST__BODY_JOIN;
    request.join = &join;
    says(story, NULL, &request);
}

uint64_t story_id(enum state_table table, uint64_t scope, const char *name)
{
    const struct row_head *row = state_lookup(engine_state(world.engine), table, scope, name);
    CHECK(row != NULL); /* What a story asks for is granted, or it tells nothing. */
    return row->id;
}

/* A node joins, says what it is, and is alive. */
uint64_t story_node(struct story *story, const char *name)
{
    uint8_t boot[16] = { 5 };
    ProtobufCBinaryData images[] = { { sizeof(kernel), kernel }, { sizeof(initramfs), initramfs } };
    Wire__NodeHello hello = WIRE__NODE_HELLO__INIT;
    Wire__Frame frame = WIRE__FRAME__INIT;
    story_join(story, story_ask, WIRE__KIND__KIND_NODE, name);
    uint64_t id = story_id(TABLE_NODE, 0, name);
    hello.boot_id = (ProtobufCBinaryData){ sizeof(boot), boot };
    hello.vcpus = 8;
    hello.memory_bytes = (uint64_t)8 * GIB;
    hello.n_images = COUNT_OF(images);
    hello.images = images;
    frame.body_case = WIRE__FRAME__BODY_NODE_HELLO;
    frame.node_hello = &hello;
    story_framed(story, WIRE__KIND__KIND_NODE, id, &frame);
    story_settle(story);
    return id;
}

void story_tenant(struct story *story, const char *name)
{
    Wire__TenantCreate create = WIRE__TENANT_CREATE__INIT;
    Wire__Quantities cap = WIRE__QUANTITIES__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    cap.vcpus = 64;
    cap.memory_bytes = (uint64_t)64 * GIB;
    cap.instances = 10;
    create.name = name;
    create.cap = &cap;
    request.body_case = WIRE__REQUEST__BODY_TENANT_CREATE;
    request.tenant_create = &create;
    story_ask_as(story, KIND_ASK, &story_root, &request);
}

/* Tenant "a" with user "ann", and an image. */
void story_lab(struct story *story)
{
    Wire__UserCreate user = WIRE__USER_CREATE__INIT;
    Wire__ImageCreate image = WIRE__IMAGE_CREATE__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    story_tenant(story, "a");
    story_settle(story);
    image.name = "linux";
    image.kernel_sha256 = (ProtobufCBinaryData){ sizeof(kernel), kernel };
    image.initramfs_sha256 = (ProtobufCBinaryData){ sizeof(initramfs), initramfs };
    request.body_case = WIRE__REQUEST__BODY_IMAGE_CREATE;
    request.image_create = &image;
    story_ask(story, &story_root, &request);
    user.name = "ann";
    user.role = WIRE__ROLE__ROLE_TENANT;
    user.tenant = "a";
    wire__request__init(&request);
    request.body_case = WIRE__REQUEST__BODY_USER_CREATE;
    request.user_create = &user;
    story_ask(story, &story_root, &request);
    story_ann = story_root;
    story_ann.id = story_id(TABLE_USER, 0, "ann");
}

void story_instance(struct story *story, const char *name, bool stopped)
{
    Wire__InstanceCreate create = WIRE__INSTANCE_CREATE__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    create.tenant = "a";
    create.name = name;
    create.image = "linux";
    create.vcpus = 1;
    create.memory_bytes = GIB;
    create.stopped = stopped;
    request.body_case = WIRE__REQUEST__BODY_INSTANCE_CREATE;
    request.instance_create = &create;
    story_ask_as(story, KIND_ASK, &story_ann, &request);
}
