/* First inputs of the engine: any words to one that leads, and small stories of what only a certain
 * order of events brings about. Decides nothing about what an engine should do. */
#include "tests/fuzz/core_world.h"
#include "tests/fuzz/engine_story.h"
#include "tests/fuzz/engine_world.h"
#include "tests/fuzz/message.h"

#include "base/check.h"
#include "wire/wire.h"

#include <string.h>

enum {
    ANY_SEEDS = 16,
    WORDS_EACH = 16,
    MANY_LABELS = 5000,
    CROWD_SAID = 32,               /* As many as KIND_ASK's crowd. */
    LONG_CSR = FUZZ_PART_MAX - 30, /* With what is said around it, too long for an ask. */
    MARKS = 18,
    SECOND = 1000,
    LATE_MS = 10 * SECOND,
    FAR_INDEX = 40,
};

/* ---- Consoles ---- */

static void console_ask(struct story *story, const char *instance)
{
    Wire__ConsoleRead read = WIRE__CONSOLE_READ__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    read.tenant = "a";
    read.instance = instance;
    request.body_case = WIRE__REQUEST__BODY_CONSOLE_READ;
    request.console_read = &read;
    story_ask(story, &story_ann, &request);
}

static void console_told(struct story *story, uint64_t node, uint32_t failure)
{
    Wire__NodeConsoleTold told = WIRE__NODE_CONSOLE_TOLD__INIT;
    Wire__Frame frame = WIRE__FRAME__INIT;
    told.handle = story_newest();
    told.failure = failure;
    frame.body_case = WIRE__FRAME__BODY_CONSOLE_TOLD;
    frame.console_told = &told;
    story_framed(story, WIRE__KIND__KIND_NODE, node, &frame);
}

/* Of a guest that is nowhere; of one that is: not there, busy, said, and never answered. */
static void consoles(struct story *story)
{
    static const uint32_t answers[] = { FAILURE_NOT_FOUND, FAILURE_BUSY, 0 };
    story_lead(story, SLICE_EMPTY);
    story_lab(story);
    uint64_t node = story_node(story, "n1");
    story_instance(story, "m1", false);
    story_instance(story, "m2", true);
    story_settle(story);
    console_ask(story, "m2");
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        console_ask(story, "m1");
        console_told(story, node, answers[i]);
    }
    console_ask(story, "m1");
    story_clock(story, SECOND);
    story_clock(story, LATE_MS);
}

/* ---- Another leader, and another ---- */

static void told_by(struct story *story, uint64_t leader, uint64_t handle, uint32_t reject)
{
    Wire__Answer answer = WIRE__ANSWER__INIT;
    Wire__Told told = WIRE__TOLD__INIT;
    Wire__Frame frame = WIRE__FRAME__INIT;
    answer.format = 1;
    answer.reject = reject;
    told.handle = handle;
    told.answer = &answer;
    frame.body_case = WIRE__FRAME__BODY_FORWARDED;
    frame.forwarded = &told;
    story_framed(story, WIRE__KIND__KIND_CONTROLLER, id_make(WORLD_CELL, leader), &frame);
}

/* What the first may have done is turned away at the second's door, or is answered. INV-IDEM-3 */
static void second_leader(struct story *story)
{
    static const uint8_t voters[] = { 2, 2 };
    static const char *const names[] = { "t1", "t2", "t3", "t4" };
    static const uint32_t rejects[] = {
        REJECT_RATE, REJECT_OVERLOADED, REJECT_UNFIT, REJECT_DENIED
    };
    story_begin(story, SLICE_EMPTY);
    story_members(story, COUNT_OF(voters), voters);
    story_linked(story, STORY_OTHER, true);
    story_linked(story, STORY_THIRD, true);
    story_role(story, ENGINE_FOLLOWER, STORY_OTHER);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        story_tenant(story, names[i]);
    }
    story_linked(story, STORY_OTHER, false);
    story_role(story, ENGINE_FOLLOWER, STORY_THIRD);
    for (size_t i = 0; i < COUNT_OF(rejects); i++) {
        told_by(story, STORY_THIRD, COUNT_OF(names) + i, rejects[i]);
    }
}

/* A crowd asks more than a step can hold: when somebody leads, and when he turned it away. */
static void crowd(struct story *story)
{
    static const uint8_t voters[] = { 2 };
    static Wire__Label label;
    static Wire__Label *labels[MANY_LABELS];
    Wire__InstanceCreate create = WIRE__INSTANCE_CREATE__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    wire__label__init(&label);
    for (size_t i = 0; i < COUNT_OF(labels); i++) {
        labels[i] = &label;
    }
    create.n_labels = COUNT_OF(labels);
    create.labels = labels;
    request.body_case = WIRE__REQUEST__BODY_INSTANCE_CREATE;
    request.instance_create = &create;
    story_begin(story, SLICE_EMPTY);
    story_members(story, COUNT_OF(voters), voters);
    story_linked(story, STORY_OTHER, true);
    story_ask_as(story, KIND_ASK + KIND_UPPER * HOW_CROWD, &story_root, &request);
    story_role(story, ENGINE_FOLLOWER, STORY_OTHER);
    for (uint64_t i = 0; i < CROWD_SAID; i++) {
        told_by(story, STORY_OTHER, i, REJECT_NO_LEADER);
    }
    story_clock(story, LIMIT_TICK_MS);
}

/* A round is confirmed by who votes, not by who only listens. INV-LOG-7 */
static void confirmed_by_voters(struct story *story)
{
    static const uint8_t voters[] = { 2, 1 };
    static const uint64_t peers[] = { STORY_THIRD, STORY_OTHER };
    Wire__ClusterStatusRead read = WIRE__CLUSTER_STATUS_READ__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    story_lead(story, SLICE_EMPTY);
    story_members(story, COUNT_OF(voters), voters);
    request.body_case = WIRE__REQUEST__BODY_CLUSTER_STATUS;
    request.cluster_status = &read;
    story_ask(story, &story_root, &request);
    uint64_t nonce = story_newest();
    for (size_t i = 0; i < COUNT_OF(peers); i++) {
        Wire__Confirmed confirmed = WIRE__CONFIRMED__INIT;
        Wire__Frame frame = WIRE__FRAME__INIT;
        confirmed.term = story->term;
        confirmed.nonce = nonce;
        confirmed.yes = true;
        frame.body_case = WIRE__FRAME__BODY_CONFIRMED;
        frame.confirmed = &confirmed;
        story_framed(story, WIRE__KIND__KIND_CONTROLLER, id_make(WORLD_CELL, peers[i]), &frame);
    }
}

/* ---- Plans that no longer fit ---- */

static void has_vcpus(struct story *story, uint64_t node, uint64_t other)
{
    static uint8_t boot[16] = { 5 };
    static uint8_t files[2][32] = { { 1 }, { 2 } };
    ProtobufCBinaryData images[] = { { 32, files[0] }, { 32, files[1] } };
    Wire__NodeHeard heard[] = { WIRE__NODE_HEARD__INIT, WIRE__NODE_HEARD__INIT };
    Wire__Command commands[] = { WIRE__COMMAND__INIT, WIRE__COMMAND__INIT };
    Wire__Command *list[] = { &commands[0], &commands[1] };
    for (size_t i = 0; i < COUNT_OF(list); i++) {
        heard[i].node = i == 0 ? node : other;
        heard[i].boot_id = (ProtobufCBinaryData){ sizeof(boot), boot };
        heard[i].vcpus = i == 0 ? 8 : 0;
        heard[i].memory_bytes = UINT64_C(8) << 30;
        heard[i].n_images = COUNT_OF(images);
        heard[i].images = images;
        commands[i].body_case = WIRE__COMMAND__BODY_NODE_HEARD;
        commands[i].node_heard = &heard[i];
    }
    story_entry(story, 0, COUNT_OF(list), list);
}

/* Each time that it is committed, the chosen node has shrunk and another one has grown; at last
 * nobody leads who could plan again. */
static void overtaken(struct story *story)
{
    uint64_t nodes[2];
    story_lead(story, SLICE_EMPTY);
    story_lab(story);
    nodes[0] = story_node(story, "n1");
    nodes[1] = story_node(story, "n2");
    story_role(story, ENGINE_FOLLOWER, 0);
    has_vcpus(story, nodes[0], nodes[1]);
    story_role(story, ENGINE_LEADING, 0);
    story_settle(story);
    story_instance(story, "m1", false);
    for (uint32_t i = 0; i <= ENGINE_REPLANS + 1; i++) {
        story_say(story, KIND_TURN, SLICE_EMPTY);
        story_role(story, ENGINE_FOLLOWER, 0);
        has_vcpus(story, nodes[(i + 1) % 2], nodes[i % 2]);
        if (i <= ENGINE_REPLANS) {
            story_role(story, ENGINE_LEADING, 0);
        }
        story_say(story, KIND_COMMIT, SLICE_EMPTY);
        if (i == ENGINE_REPLANS) { /* It was told so; the next one is left. */
            story_settle(story);
            story_instance(story, "m2", false);
        }
    }
}

/* ---- Papers ---- */

static void renew(struct story *story, uint8_t epoch)
{
    uint8_t bytes[2] = { epoch, 1 };
    story_say(story, KIND_RENEW, slice_of(bytes, sizeof(bytes)));
}

/* Its own, without an address for clients; while it leaves, none; a node's that is too long. */
static void papers(struct story *story)
{
    static uint8_t csr[LONG_CSR];
    Wire__ControllerRemove remove = WIRE__CONTROLLER_REMOVE__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    Wire__NodeCertify certify = WIRE__NODE_CERTIFY__INIT;
    Wire__Frame frame = WIRE__FRAME__INIT;
    story_begin(story, SLICE_EMPTY);
    story_follow(story, 0);
    renew(story, 0);
    story_join(story, story_asked, WIRE__KIND__KIND_CONTROLLER, "c2");
    story_join(story, story_asked, WIRE__KIND__KIND_NODE, "n1");
    remove.controller = "c1";
    request.body_case = WIRE__REQUEST__BODY_CONTROLLER_REMOVE;
    request.controller_remove = &remove;
    story_asked(story, &story_root, &request);
    renew(story, 1);
    story_members(story, 0, NULL);
    story_role(story, ENGINE_LEADING, 0);
    certify.csr = (ProtobufCBinaryData){ sizeof(csr), csr };
    frame.body_case = WIRE__FRAME__BODY_NODE_CERTIFY;
    frame.node_certify = &certify;
    story_framed(story, WIRE__KIND__KIND_NODE, story_id(TABLE_NODE, 0, "n1"), &frame);
}

/* ---- Events ---- */

static void event_read(struct story *story, uint64_t after, uint32_t limit, bool stale)
{
    Wire__EventRead read = WIRE__EVENT_READ__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    read.after = after;
    read.limit = limit;
    request.stale = stale;
    request.body_case = WIRE__REQUEST__BODY_EVENT_READ;
    request.event_read = &read;
    story_ask(story, &story_root, &request);
}

/* A page ends behind an index, and begins where something is known; not all are about somebody. */
static void events(struct story *story)
{
    static const uint8_t restored[] = { 0, 0, 0, 0, 0, FAR_INDEX };
    Wire__LeaderChanged changed = WIRE__LEADER_CHANGED__INIT;
    Wire__Command command = WIRE__COMMAND__INIT;
    Wire__Command *list[] = { &command };
    story_lead(story, slice_of(restored, sizeof(restored)));
    event_read(story, 0, 1, false);
    event_read(story, 1, 1, false);
    story_role(story, ENGINE_FOLLOWER, 0);
    changed.term = story->term;
    command.body_case = WIRE__COMMAND__BODY_LEADER_CHANGED;
    command.leader_changed = &changed;
    story_entry(story, 0, COUNT_OF(list), list);
    event_read(story, FAR_INDEX + 1, 0, true);
}

/* ---- Digests ---- */

/* Where marks lie between entries of consensus itself, and as many of them as are told. */
static void marks(struct story *story)
{
    story_begin(story, SLICE_EMPTY);
    story_follow(story, HOW_CROWD);
    for (uint32_t i = 0; i < MARKS; i++) {
        story_entry(story, HOW_CROWD, 0, NULL);
    }
    story_linked(story, STORY_OTHER, true);
    for (uint32_t i = 0; i < 2; i++) {
        story_entry(story, i == 0 ? 1 : HOW_CROWD, 0, NULL);
        story_linked(story, STORY_THIRD, i == 1);
    }
}

/* ---- Programs ---- */

/* An older program with the fastest doors, in a cell that outgrows it; before that, a proposal of
 * an earlier life is lost. */
static void older_program(struct story *story)
{
    static const uint8_t settings[] = { 0, UINT8_MAX, 0, 0, 1 };
    static const uint8_t strange[] = { 1 };
    story_begin(story, slice_of(settings, sizeof(settings)));
    story_say(story, KIND_LOSE, slice_of(strange, sizeof(strange)));
    story_follow(story, 0);
}

/* ---- Any words ---- */

/* It leads, the cell begins, and all sorts of things arrive. */
static void any_words(struct story *story, uint32_t number)
{
    static _Alignas(16) uint8_t memory[2 * 1024 * 1024];
    struct prng prng;
    prng_seed(&prng, number);
    story_lead(story, SLICE_EMPTY);
    for (uint32_t i = 0; i < WORDS_EACH; i++) {
        struct arena arena;
        struct slice bytes = SLICE_EMPTY;
        enum kind kind = (enum kind)(i % 3);
        arena_init(&arena, memory, sizeof(memory));
        ProtobufCMessage *message = message_any(fuzz_type((uint8_t)kind), &prng, &arena);
        CHECK(message != NULL);
        struct result packed = wire_encode(message, &arena, &bytes);
        if (packed.code == 0 && bytes.size <= FUZZ_PART_MAX) {
            story_say(story, kind, bytes);
        }
        story_clock(story, SECOND);
        story_settle(story);
    }
}

size_t fuzz_seed(uint32_t number, uint8_t room[static FUZZ_INPUT_MAX])
{
    typedef void tells(struct story * story);
    static tells *const stories[] = { consoles,     second_leader, crowd,  confirmed_by_voters,
                                      overtaken,    papers,        events, marks,
                                      older_program };
    struct story story = { .room = room };
    if (number >= ANY_SEEDS + COUNT_OF(stories)) {
        return 0;
    }
    if (number < ANY_SEEDS) {
        any_words(&story, number);
    } else {
        stories[number - ANY_SEEDS](&story);
    }
    world_end();
    return story.used;
}
