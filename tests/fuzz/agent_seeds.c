/* First inputs of the agent: any words, and small stories: tables that are full, places that were
 * left and are taken again, orders and observations that disagree. Decides nothing about them. */
#include "tests/fuzz/fuzz_agent.h"
#include "tests/fuzz/message.h"

#include "base/check.h"
#include "node-agent/core/agent.h"
#include "wire/wire.h"

#include <stdio.h>
#include <string.h>

enum {
    ANY_SEEDS = 16,
    WORDS_EACH = 12,
    LEADER = 11,
    TERM = 5,
    SECOND = 1000,
    TABLE_MORE = LIMIT_NODE_INSTANCES + 1,
    NOBODYS = 5000, /* A network that was never seen. */
};

_Static_assert(LIMIT_NODE_SEGMENTS == LIMIT_NODE_INSTANCES, "one list is too long for both");

static const uint8_t up[] = { 1, LEADER, 0, 0, 0, 0, 0, 0, 0 };
static _Alignas(16) uint8_t memory[1024 * 1024];

struct story {
    uint8_t *room;
    size_t used;
};

/* ---- Parts ---- */

static void say(struct story *story, enum kind kind, struct slice bytes)
{
    bool fits = fuzz_part_put(story->room, FUZZ_INPUT_MAX, &story->used, (uint8_t)kind, bytes);
    CHECK(fits);
}

static void say_frame(struct story *story, enum kind kind, Wire__Frame *frame)
{
    struct arena arena;
    struct slice bytes = SLICE_EMPTY;
    Wire__Identity peer = WIRE__IDENTITY__INIT;
    arena_init(&arena, memory, sizeof(memory));
    peer.kind = WIRE__KIND__KIND_CONTROLLER;
    peer.id = LEADER;
    frame->format = FRAME_FORMAT;
    frame->peer = kind == KIND_CONTROLLER ? &peer : NULL;
    struct result packed = wire_encode(&frame->base, &arena, &bytes);
    CHECK(packed.code == 0);
    say(story, kind, bytes);
}

static void passes(struct story *story, uint32_t ms)
{
    uint8_t bytes[4];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(ms >> (8 * i));
    }
    say(story, KIND_TICK, slice_of(bytes, sizeof(bytes)));
}

/* The answer to the verb that is so many before the last. */
static void told_before(struct story *story, uint64_t back, Wire__VerbTold *told)
{
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.body_case = WIRE__FRAME__BODY_VERB_TOLD;
    frame.verb_told = told;
    told->handle = back;
    say_frame(story, KIND_HOST, &frame);
}

/* To whichever of the last two it is the answer: the other one is of an earlier life. */
static void told(struct story *story, Wire__VerbTold *told)
{
    told_before(story, 1, told);
    told_before(story, 0, told);
}

static void welcome(struct story *story)
{
    Wire__NodeWelcome welcome = WIRE__NODE_WELCOME__INIT;
    Wire__Frame frame = WIRE__FRAME__INIT;
    welcome.term = TERM;
    frame.body_case = WIRE__FRAME__BODY_NODE_WELCOME;
    frame.node_welcome = &welcome;
    say_frame(story, KIND_CONTROLLER, &frame);
}

static void order(struct story *story, Wire__NodeOrders *orders)
{
    Wire__Frame frame = WIRE__FRAME__INIT;
    orders->term = TERM;
    frame.body_case = WIRE__FRAME__BODY_NODE_ORDERS;
    frame.node_orders = orders;
    say_frame(story, KIND_CONTROLLER, &frame);
}

/* Host is there, a leader too, and both have said what they have to say first. */
static void begin(struct story *story, Wire__VerbTold *seen)
{
    Wire__NodeHello survey = WIRE__NODE_HELLO__INIT;
    say(story, KIND_CHANNEL, slice_of(up, 1));
    say(story, KIND_LINK, slice_of(up, sizeof(up)));
    seen->survey = seen->survey == NULL ? &survey : seen->survey;
    told(story, seen);
    seen->survey = NULL;
    welcome(story);
}

/* ---- Stories ---- */

/* More of everything than there is room for. */
static void full(struct story *story)
{
    static Wire__HostInstance instances[TABLE_MORE];
    static Wire__HostInstance *instance_list[TABLE_MORE];
    static Wire__HostSegment segments[TABLE_MORE];
    static Wire__HostSegment *segment_list[TABLE_MORE];
    static char sentence[LIMIT_REASON + 2];
    static uint8_t digest[32];
    const char *fallbacks[LIMIT_NODE_FALLBACKS + 2] = { sentence, "", "", "", "", "" };
    ProtobufCBinaryData images[LIMIT_NODE_IMAGES + 1];
    Wire__NodeHello survey = WIRE__NODE_HELLO__INIT;
    Wire__VerbTold seen = WIRE__VERB_TOLD__INIT;
    Wire__Segment segment = WIRE__SEGMENT__INIT;
    Wire__Segment *list[] = { &segment };
    Wire__NodeOrders orders = WIRE__NODE_ORDERS__INIT;
    memset(sentence, 'a', sizeof(sentence) - 1);
    for (size_t i = 0; i < COUNT_OF(images); i++) {
        images[i] = (ProtobufCBinaryData){ sizeof(digest), digest };
    }
    for (size_t i = 0; i < TABLE_MORE; i++) {
        wire__host_instance__init(&instances[i]);
        wire__host_segment__init(&segments[i]);
        instances[i].instance = i + 1;
        segments[i].network = i + 1;
        instance_list[i] = &instances[i];
        segment_list[i] = &segments[i];
    }
    survey.n_fallbacks = COUNT_OF(fallbacks);
    survey.fallbacks = fallbacks;
    survey.n_images = COUNT_OF(images);
    survey.images = images;
    seen.survey = &survey;
    begin(story, &seen);
    seen.n_segments = TABLE_MORE;
    seen.segments = segment_list;
    passes(story, AGENT_OBSERVE_MS);
    told(story, &seen);
    segment.network = NOBODYS;
    segment.vni = 1;
    orders.n_segments = COUNT_OF(list);
    orders.segments = list;
    order(story, &orders);
    seen.n_segments = 0;
    seen.n_instances = TABLE_MORE;
    seen.instances = instance_list;
    passes(story, AGENT_OBSERVE_MS);
    told(story, &seen);
    passes(story, SECOND);
}

static void lists(struct story *story, uint64_t first, uint64_t last)
{
    Wire__Assignment rows[2] = { WIRE__ASSIGNMENT__INIT, WIRE__ASSIGNMENT__INIT };
    Wire__Assignment *list[2];
    Wire__NodeOrders orders = WIRE__NODE_ORDERS__INIT;
    for (uint64_t id = first; id <= last; id++) {
        Wire__Assignment *row = &rows[id - first];
        row->instance = id;
        row->generation = 1;
        row->desired = WIRE__DESIRED__DESIRED_STOPPED;
        list[orders.n_assignments++] = row;
    }
    orders.assignments = list;
    orders.whole = true;
    orders.last = true;
    order(story, &orders);
}

static void orders_network(struct story *story, uint64_t network)
{
    Wire__Segment segment = WIRE__SEGMENT__INIT;
    Wire__Segment *list[] = { &segment };
    Wire__NodeOrders orders = WIRE__NODE_ORDERS__INIT;
    segment.network = network;
    segment.vni = (uint32_t)network;
    segment.generation = 3;
    orders.n_segments = COUNT_OF(list);
    orders.segments = list;
    order(story, &orders);
}

static void ended(struct story *story, uint64_t instance)
{
    Wire__InstanceEnded ended = WIRE__INSTANCE_ENDED__INIT;
    Wire__HostEvent event = WIRE__HOST_EVENT__INIT;
    Wire__Frame frame = WIRE__FRAME__INIT;
    ended.instance = instance;
    event.event_case = WIRE__HOST_EVENT__EVENT_ENDED;
    event.ended = &ended;
    frame.body_case = WIRE__FRAME__BODY_HOST_EVENT;
    frame.host_event = &event;
    say_frame(story, KIND_HOST, &frame);
}

/* Rows in the middle go, and their places are taken again; what nobody ordered is seen twice
 * within a second, and while the leader's link is down. */
static void holes(struct story *story)
{
    static const uint8_t down[] = { 0, LEADER, 0, 0, 0, 0, 0, 0, 0 };
    Wire__HostSegment segments[] = { WIRE__HOST_SEGMENT__INIT, WIRE__HOST_SEGMENT__INIT };
    Wire__HostSegment *list[] = { &segments[0], &segments[1] };
    Wire__HostInstance stranger = WIRE__HOST_INSTANCE__INIT;
    Wire__HostInstance *strangers[] = { &stranger };
    Wire__VerbTold seen = WIRE__VERB_TOLD__INIT;
    Wire__VerbTold done = WIRE__VERB_TOLD__INIT;
    segments[0].network = 1;
    segments[0].vni = 1;
    segments[1].network = 2;
    seen.n_segments = COUNT_OF(list);
    seen.segments = list;
    begin(story, &seen);
    orders_network(story, 2); /* Its number was not seen. */
    lists(story, 7, 8);
    lists(story, 8, 8);
    lists(story, 8, 8);
    told_before(story, 1, &done); /* The first network is gone; the second not yet. */
    orders_network(story, 3);
    stranger.instance = 9;
    stranger.leftovers = true;
    seen.n_instances = COUNT_OF(strangers);
    seen.instances = strangers;
    for (int i = 0; i < 2; i++) {
        say(story, KIND_LINK, slice_of(i == 0 ? up : down, sizeof(up)));
        passes(story, AGENT_OBSERVE_MS);
        told(story, &seen);
        ended(story, stranger.instance);
        told(story, &seen);
    }
}

/* A guest in a network that host made, and has another generation of when it looks again. */
static void disagreeing(struct story *story)
{
    static uint8_t digest[32];
    static uint8_t mac[6] = { 2 };
    Wire__Nic nic = WIRE__NIC__INIT;
    Wire__Nic *nics[] = { &nic };
    Wire__Assignment row = WIRE__ASSIGNMENT__INIT;
    Wire__Assignment *list[] = { &row };
    Wire__NodeOrders orders = WIRE__NODE_ORDERS__INIT;
    Wire__HostSegment segment = WIRE__HOST_SEGMENT__INIT;
    Wire__HostSegment *segments[] = { &segment };
    Wire__VerbTold seen = WIRE__VERB_TOLD__INIT;
    Wire__VerbTold done = WIRE__VERB_TOLD__INIT;
    begin(story, &seen);
    nic.network = 1;
    nic.mac = (ProtobufCBinaryData){ sizeof(mac), mac };
    nic.address = 1;
    nic.prefix = 24;
    row.instance = 7;
    row.tenant = 4;
    row.generation = 1;
    row.desired = WIRE__DESIRED__DESIRED_RUNNING;
    row.on_failure = WIRE__ON_FAILURE__ON_FAILURE_RESTART;
    row.max_attempts = 3;
    row.vcpus = 1;
    row.memory_bytes = LIMIT_MEMORY_BYTES_MIN;
    row.kernel_sha256 = (ProtobufCBinaryData){ sizeof(digest), digest };
    row.initramfs_sha256 = row.kernel_sha256;
    row.n_nics = COUNT_OF(nics);
    row.nics = nics;
    orders.n_assignments = COUNT_OF(list);
    orders.assignments = list;
    orders.whole = true;
    orders.last = true;
    orders_network(story, 1);
    order(story, &orders);
    segment.network = 1;
    segment.vni = 1;
    segment.generation = 3;
    seen.n_segments = COUNT_OF(segments);
    seen.segments = segments;
    told_before(story, 0, &seen); /* The network is made, */
    told_before(story, 0, &done); /* the guest runs. */
    segment.generation = 2;
    passes(story, AGENT_OBSERVE_MS);
    told(story, &seen);
}

/* As many peers as a network may have, and others that come to them. */
static void more_peers(struct story *story)
{
    static char texts[LIMIT_SEGMENT_PEERS][16];
    const char *peers[LIMIT_SEGMENT_PEERS];
    Wire__Segment segment = WIRE__SEGMENT__INIT;
    Wire__Segment *list[] = { &segment };
    Wire__NodeOrders orders = WIRE__NODE_ORDERS__INIT;
    Wire__VerbTold seen = WIRE__VERB_TOLD__INIT;
    for (size_t i = 0; i < COUNT_OF(peers); i++) {
        (void)snprintf(texts[i], sizeof(texts[i]), "10.0.0.%zu", i);
        peers[i] = texts[i];
    }
    begin(story, &seen);
    segment.network = 1;
    segment.vni = 1;
    segment.peers = peers;
    orders.n_segments = COUNT_OF(list);
    orders.segments = list;
    segment.n_peers = COUNT_OF(peers);
    order(story, &orders);
    peers[0] = "10.0.1.1";
    segment.n_peers = 1;
    segment.generation = 1;
    segment.more = true;
    order(story, &orders);
}

/* ---- Any words ---- */

static void put_frame(uint8_t *room, size_t *used, enum kind kind, struct prng *prng)
{
    static const Wire__Frame__BodyCase bodies[KIND_LINK][3] = {
        { WIRE__FRAME__BODY_NODE_WELCOME,
          WIRE__FRAME__BODY_NODE_ORDERS,
          WIRE__FRAME__BODY_CONSOLE_ASK },
        { WIRE__FRAME__BODY_VERB_TOLD, WIRE__FRAME__BODY_HOST_EVENT, WIRE__FRAME__BODY_VERB_TOLD },
        { WIRE__FRAME__BODY_PROCESS_RESTARTED,
          WIRE__FRAME__BODY_PROCESS_RESTARTED,
          WIRE__FRAME__BODY_PROCESS_RESTARTED },
    };
    struct arena arena;
    struct slice bytes = SLICE_EMPTY;
    Wire__Identity peer = WIRE__IDENTITY__INIT;
    Wire__Frame frame = WIRE__FRAME__INIT;
    arena_init(&arena, memory, sizeof(memory));
    peer.kind = WIRE__KIND__KIND_CONTROLLER;
    peer.id = LEADER;
    frame.format = FRAME_FORMAT;
    frame.peer = kind == KIND_CONTROLLER ? &peer : NULL;
    frame.body_case = bodies[kind][prng_below(prng, 3)];
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(
        &wire__frame__descriptor, (unsigned int)frame.body_case);
    CHECK(field != NULL);
    ProtobufCMessage *body = message_any(field->descriptor, prng, &arena);
    memcpy((uint8_t *)&frame + field->offset, &body, sizeof(body));
    struct result made = wire_encode(&frame, &arena, &bytes);
    if (made.code == 0) {
        (void)fuzz_part_put(room, FUZZ_INPUT_MAX, used, (uint8_t)kind, bytes);
    }
}

static size_t any_words(uint32_t number, uint8_t *room)
{
    static const uint8_t second[] = { 0xe8, 3, 0, 0 };
    struct prng prng;
    size_t used = 0;
    prng_seed(&prng, number);
    (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, KIND_CHANNEL, slice_of(up, 1));
    (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, KIND_LINK, slice_of(up, sizeof(up)));
    for (uint32_t i = 0; i < WORDS_EACH; i++) {
        put_frame(room, &used, (enum kind)(i % KIND_LINK), &prng);
        (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, KIND_TICK, slice_of(second, 4));
    }
    (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, KIND_RESTART, slice_of(up, number % 2));
    return used;
}

size_t fuzz_seed(uint32_t number, uint8_t room[static FUZZ_INPUT_MAX])
{
    typedef void tells(struct story * story);
    static tells *const stories[] = { full, holes, disagreeing, more_peers };
    struct story story = { .room = room };
    if (number < ANY_SEEDS) {
        return any_words(number, room);
    }
    if (number >= ANY_SEEDS + COUNT_OF(stories)) {
        return 0;
    }
    stories[number - ANY_SEEDS](&story);
    return story.used;
}
