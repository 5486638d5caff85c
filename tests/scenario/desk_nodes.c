/* Plays the nodes of a desk, lets time pass, and finds things again. */
#include "base/check.h"
#include "tests/scenario/desk.h"
#include "tests/scenario/say.h"
#include "wire/frame.h"

#include <stdlib.h>
#include <string.h>

static void node_frame(struct desk *desk, const struct desk_node *node, Wire__Frame *frame)
{
    desk_frame(desk, WIRE__KIND__KIND_NODE, node->id, node->epoch, frame);
}

struct desk_node *desk_node_new(
    struct desk *desk, const char *name, const char *rack, uint64_t vcpus, uint64_t memory_bytes)
{
    CHECK(desk->nodes_count < DESK_NODES);
    struct desk_node *node = &desk->nodes[desk->nodes_count];
    const Wire__Answer *joined = say_join(desk, WIRE__KIND__KIND_NODE, name, rack);
    CHECK(joined != NULL && joined->join != NULL);
    bool known = id_parse(ID_NODE, joined->join->id, &node->id);
    CHECK(known);
    (void)text_copy(node->name, sizeof(node->name), slice_text(name));
    node->vcpus = vcpus;
    node->memory_bytes = memory_bytes;
    node->boot = 1;
    desk->nodes_count++;
    desk_link(desk, WIRE__KIND__KIND_NODE, node->id, true);
    desk_hello(desk, node);
    desk_turn(desk);
    return node;
}

struct desk_node *desk_node_named(struct desk *desk, const char *name)
{
    for (uint32_t i = 0; i < desk->nodes_count; i++) {
        if (strcmp(desk->nodes[i].name, name) == 0) {
            return &desk->nodes[i];
        }
    }
    return NULL;
}

void desk_hello(struct desk *desk, const struct desk_node *node)
{
    uint8_t boot[16];
    ProtobufCBinaryData images[2] = { say_kernel(), say_initramfs() };
    memset(boot, node->boot, sizeof(boot));
    Wire__NodeHello hello = WIRE__NODE_HELLO__INIT;
    hello.boot_id = (ProtobufCBinaryData){ sizeof(boot), boot };
    hello.vcpus = node->vcpus;
    hello.memory_bytes = node->memory_bytes;
    hello.virtualization = "tcg";
    hello.n_images = 2;
    hello.images = images;
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.body_case = WIRE__FRAME__BODY_NODE_HELLO;
    frame.node_hello = &hello;
    node_frame(desk, node, &frame);
}

void desk_renew(struct desk *desk, const struct desk_node *node, bool agrees)
{
    const struct state *state = desk_state(desk);
    Wire__NodeRenew renew = WIRE__NODE_RENEW__INIT;
    for (const struct instance_row *row = state_first(state, TABLE_INSTANCE); row != NULL;
         row = state_next(state, TABLE_INSTANCE, row)) {
        uint8_t bytes[16];
        for (unsigned int i = 0; i < 8; i++) {
            bytes[i] = (uint8_t)(row->head.id >> (8U * i));
            bytes[8 + i] = (uint8_t)(row->generation >> (8U * i));
        }
        if (row->node.value == node->id) {
            renew.desired_count++;
            renew.desired_digest +=
                hash_bytes((struct hash_key){ 0, 0 }, slice_of(bytes, sizeof(bytes)));
        }
    }
    renew.desired_digest += agrees ? 0 : 1;
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.body_case = WIRE__FRAME__BODY_NODE_RENEW;
    renew.conditions = node->conditions;
    frame.node_renew = &renew;
    node_frame(desk, node, &frame);
}

void desk_word(
    struct desk *desk,
    const struct desk_node *node,
    uint64_t instance,
    uint64_t generation,
    uint64_t epoch,
    Wire__Observed observed,
    uint32_t repairs)
{
    Wire__NodeInstance word = WIRE__NODE_INSTANCE__INIT;
    Wire__NodeInstance *words[] = { &word };
    word.instance = instance;
    word.generation = generation;
    word.epoch = epoch;
    word.observed = observed;
    word.repairs = repairs;
    Wire__NodeReport report = WIRE__NODE_REPORT__INIT;
    report.n_instances = 1;
    report.instances = words;
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.body_case = WIRE__FRAME__BODY_NODE_REPORT;
    frame.node_report = &report;
    node_frame(desk, node, &frame);
    desk_turn(desk);
}

void desk_report(
    struct desk *desk,
    const struct desk_node *node,
    const struct instance_row *row,
    Wire__Observed observed)
{
    CHECK(row != NULL);
    desk_word(desk, node, row->head.id, row->generation, row->epoch, observed, 0);
}

/* Long waits take long steps, always shorter than the six seconds after which a node is unknown. */
void desk_pass(struct desk *desk, uint64_t ms)
{
    enum { STEPS = 400, STEP_MAX_MS = 5000 };
    uint64_t end = desk->now_ms + ms;
    uint64_t step = ms / STEPS < LIMIT_TICK_MS ? LIMIT_TICK_MS : ms / STEPS;
    step = step > STEP_MAX_MS ? STEP_MAX_MS : step;
    while (desk->now_ms < end) {
        uint64_t forward = end - desk->now_ms < step ? end - desk->now_ms : step;
        desk->now_ms += forward;
        desk->wall_ms += forward;
        for (uint32_t i = 0; i < desk->nodes_count; i++) {
            if (!desk->nodes[i].silent) {
                desk_renew(desk, &desk->nodes[i], true);
            }
        }
        struct engine_event clock = { .kind = ENGINE_CLOCK };
        desk_step(desk, &clock);
        desk_turn(desk);
    }
}

/* ---- Finding ---- */

uint32_t desk_leaves(const struct desk *desk, const char *operation, uint32_t reject)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < desk->leaves_count; i++) {
        const struct desk_leaf *leaf = &desk->leaves[i];
        count += strcmp(leaf->operation, operation) == 0 &&
                         (reject == REJECTS_END || leaf->reject == reject)
                     ? 1
                     : 0;
    }
    return count;
}

uint32_t desk_events(const struct desk *desk, const char *name)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < desk->events_count; i++) {
        count += strcmp(desk->events[i].name, name) == 0 ? 1 : 0;
    }
    return count;
}

const Wire__Frame *desk_sent(
    const struct desk *desk, uint64_t peer, Wire__Frame__BodyCase body, uint32_t from)
{
    for (uint32_t i = desk->frames_count; i > from; i--) {
        const Wire__Frame *frame = desk->frames[i - 1];
        if (frame->body_case == body && frame->peer != NULL && frame->peer->id == peer) {
            return frame;
        }
    }
    return NULL;
}

Wire__Identity desk_who(const struct desk *desk, const char *user)
{
    Wire__Identity who = WIRE__IDENTITY__INIT;
    const struct user_row *row = state_lookup(desk_state(desk), TABLE_USER, 0, user);
    CHECK(row != NULL);
    who.kind = WIRE__KIND__KIND_USER;
    who.id = row->head.id;
    who.epoch = row->epoch;
    return who;
}

struct tenant_row *desk_tenant(const struct desk *desk, const char *name)
{
    return state_lookup(desk_state(desk), TABLE_TENANT, 0, name);
}

struct instance_row *desk_instance(const struct desk *desk, const char *tenant, const char *name)
{
    const struct tenant_row *owner = desk_tenant(desk, tenant);
    const struct project_row *project =
        owner == NULL ? NULL
                      : state_lookup(desk_state(desk), TABLE_PROJECT, owner->head.id, "default");
    return project == NULL ? NULL
                           : state_lookup(desk_state(desk), TABLE_INSTANCE, project->head.id, name);
}
