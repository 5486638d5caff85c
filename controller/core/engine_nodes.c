/* Decides what the plane makes of a node's words and what a node is told. Words become commands
 * only where they would change a row; orders are always made from rows, so a lost one is simply
 * resent. */
#include "base/check.h"
#include "controller/core/engine_inner.h"
#include "isolation/network.h"

#include <string.h>

enum { ASSIGNMENTS_PER_FRAME = 64, MISMATCHES_MAX = 3, SEGMENT_PEERS_MAX = 256 };

struct node_soft *nodes_soft(struct engine *engine, uint64_t node)
{
    const struct node_row *row = state_find(&engine->state, TABLE_NODE, node);
    if (row == NULL) {
        return NULL;
    }
    const struct table *table = &engine->state.tables[TABLE_NODE];
    size_t slot = (size_t)((const uint8_t *)row - table->rows) / table->row_size;
    CHECK(slot < table->capacity);
    return &engine->soft[slot];
}

/* ---- Orders ---- */

static Wire__NodeOrders *orders_to(struct engine *engine, uint64_t node)
{
    Wire__Frame *frame =
        engine_frame(engine, WIRE__KIND__KIND_NODE, node, WIRE__FRAME__BODY_NODE_ORDERS);
    Wire__NodeOrders *orders = engine_take(engine, sizeof(*orders));
    wire__node_orders__init(orders);
    orders->term = engine->term;
    orders->assignments = engine_take(engine, sizeof(*orders->assignments) * ASSIGNMENTS_PER_FRAME);
    orders->segments = engine_take(
        engine, sizeof(*orders->segments) * ASSIGNMENTS_PER_FRAME * LIMIT_INSTANCE_NETWORKS);
    frame->node_orders = orders;
    return orders;
}

/* The other nodes on which the network has a member. */
static void segment_peers(
    struct engine *engine, Wire__Segment *segment, const struct network_row *network, uint64_t node)
{
    uint64_t seen[SEGMENT_PEERS_MAX];
    segment->peers = engine_take(engine, sizeof(*segment->peers) * SEGMENT_PEERS_MAX);
    for (const struct instance_row *row = state_first(&engine->state, TABLE_INSTANCE);
         row != NULL && segment->n_peers < SEGMENT_PEERS_MAX;
         row = state_next(&engine->state, TABLE_INSTANCE, row)) {
        bool counts = row->node.value != 0 && row->node.value != node;
        bool member = false;
        for (uint32_t i = 0; i < row->nics_count; i++) {
            member = member || row->nics[i].network.value == network->head.id;
        }
        for (size_t i = 0; i < segment->n_peers; i++) {
            counts = counts && seen[i] != row->node.value;
        }
        const struct node_row *other =
            counts && member ? state_find(&engine->state, TABLE_NODE, row->node.value) : NULL;
        if (other != NULL) {
            seen[segment->n_peers] = row->node.value;
            segment->peers[segment->n_peers++] = other->underlay_address;
        }
    }
}

static void add_segment(
    struct engine *engine,
    Wire__NodeOrders *orders,
    const struct network_row *network,
    uint64_t node)
{
    for (size_t i = 0; i < orders->n_segments; i++) {
        if (orders->segments[i]->network == network->head.id) {
            return;
        }
    }
    Wire__Segment *segment = engine_take(engine, sizeof(*segment));
    wire__segment__init(segment);
    segment->network = network->head.id;
    segment->tenant = network->tenant.value;
    segment->vni = network->vni;
    segment->generation = engine->applied; /* Grows with every change of anything. */
    segment_peers(engine, segment, network, node);
    orders->segments[orders->n_segments++] = segment;
}

static void assignment_nics(
    struct engine *engine,
    Wire__NodeOrders *orders,
    Wire__Assignment *assignment,
    const struct instance_row *row)
{
    assignment->nics = engine_take(engine, sizeof(*assignment->nics) * LIMIT_INSTANCE_NETWORKS);
    for (uint32_t i = 0; i < row->nics_count; i++) {
        const struct network_row *network =
            state_find(&engine->state, TABLE_NETWORK, row->nics[i].network.value);
        CHECK(network != NULL); /* A network with members is never deleted. */
        Wire__Nic *nic = engine_take(engine, sizeof(*nic));
        uint8_t *mac = engine_take(engine, NETWORK_MAC_SIZE);
        network_mac(row->head.id, i, mac);
        wire__nic__init(nic);
        nic->network = network->head.id;
        nic->mac.data = mac;
        nic->mac.len = NETWORK_MAC_SIZE;
        nic->address = row->nics[i].address;
        nic->prefix = network->prefix;
        assignment->nics[assignment->n_nics++] = nic;
        add_segment(engine, orders, network, row->node.value);
    }
}

static void digest_out(struct engine *engine, ProtobufCBinaryData *to, const uint8_t *from)
{
    to->data = engine_take(engine, 32);
    to->len = 32;
    memcpy(to->data, from, 32);
}

static void add_assignment(
    struct engine *engine, Wire__NodeOrders *orders, const struct instance_row *row)
{
    const struct image_row *image = state_find(&engine->state, TABLE_IMAGE, row->image.value);
    CHECK(image != NULL); /* An image with instances is never deleted. */
    CHECK(orders->n_assignments < ASSIGNMENTS_PER_FRAME);
    Wire__Assignment *assignment = engine_take(engine, sizeof(*assignment));
    wire__assignment__init(assignment);
    assignment->instance = row->head.id;
    assignment->tenant = row->tenant.value;
    assignment->generation = row->generation;
    assignment->epoch = row->epoch;
    assignment->desired = row->desired;
    assignment->vcpus = row->vcpus;
    assignment->memory_bytes = row->memory_bytes;
    digest_out(engine, &assignment->kernel_sha256, image->kernel_sha256);
    digest_out(engine, &assignment->initramfs_sha256, image->initramfs_sha256);
    assignment->on_failure = row->on_failure;
    assignment->max_attempts = row->max_attempts;
    assignment->boots = row->boots;
    assignment->force = row->force;
    assignment_nics(engine, orders, assignment, row);
    orders->assignments[orders->n_assignments++] = assignment;
}

/* What apply said is no longer this node's: it forgets it. */
static void add_gone(struct engine *engine, Wire__NodeOrders *orders, const struct effect *assign)
{
    Wire__Assignment *assignment = engine_take(engine, sizeof(*assignment));
    wire__assignment__init(assignment);
    assignment->instance = assign->id;
    assignment->generation = assign->generation;
    assignment->epoch = assign->epoch;
    assignment->desired = WIRE__DESIRED__DESIRED_GONE;
    orders->assignments[orders->n_assignments++] = assignment;
}

/* The other nodes of the instance's networks learn the new member's underlay address. */
static void tell_peers(struct engine *engine, const struct instance_row *row)
{
    for (const struct node_row *node = state_first(&engine->state, TABLE_NODE); node != NULL;
         node = state_next(&engine->state, TABLE_NODE, node)) {
        const struct node_soft *soft = nodes_soft(engine, node->head.id);
        if (node->head.id == row->node.value || node->instances == 0 || !soft->welcomed) {
            continue;
        }
        Wire__NodeOrders *orders = NULL;
        for (const struct instance_row *other = state_first(&engine->state, TABLE_INSTANCE);
             other != NULL;
             other = state_next(&engine->state, TABLE_INSTANCE, other)) {
            for (uint32_t i = 0; other->node.value == node->head.id && i < other->nics_count; i++) {
                for (uint32_t k = 0; k < row->nics_count; k++) {
                    if (other->nics[i].network.value == row->nics[k].network.value) {
                        orders = orders == NULL ? orders_to(engine, node->head.id) : orders;
                        add_segment(
                            engine,
                            orders,
                            state_find(&engine->state, TABLE_NETWORK, row->nics[k].network.value),
                            node->head.id);
                    }
                }
            }
        }
    }
}

void nodes_assign(struct engine *engine, const struct effect *assign)
{
    const struct instance_row *row = state_find(&engine->state, TABLE_INSTANCE, assign->id);
    struct node_soft *soft = nodes_soft(engine, assign->node);
    if (soft == NULL || !soft->welcomed) {
        return; /* It gets the whole list when it comes. */
    }
    Wire__NodeOrders *orders = orders_to(engine, assign->node);
    if (row != NULL && row->node.value == assign->node) {
        add_assignment(engine, orders, row);
        tell_peers(engine, row);
    } else {
        add_gone(engine, orders, assign);
    }
}

/* Everything that is wanted of a node; what it has besides is not wanted. */
static void send_whole(struct engine *engine, uint64_t node)
{
    Wire__NodeOrders *orders = orders_to(engine, node);
    orders->whole = true;
    for (const struct instance_row *row = state_first(&engine->state, TABLE_INSTANCE); row != NULL;
         row = state_next(&engine->state, TABLE_INSTANCE, row)) {
        if (row->node.value != node) {
            continue;
        }
        if (orders->n_assignments == ASSIGNMENTS_PER_FRAME) {
            orders = orders_to(engine, node);
        }
        add_assignment(engine, orders, row);
    }
    orders->last = true;
    nodes_soft(engine, node)->mismatches = 0;
}

/* ---- Words ---- */

static void report(struct engine *engine, uint64_t node, const Wire__NodeInstance *word)
{
    const struct instance_row *row = state_find(&engine->state, TABLE_INSTANCE, word->instance);
    if (row == NULL || row->node.value != node || row->generation != word->generation ||
        row->epoch != word->epoch) {
        return;
    }
    bool runs = row->state == WIRE__INSTANCE_STATE__INSTANCE_STATE_RUNNING;
    bool news = word->observed != WIRE__OBSERVED__OBSERVED_RUNNING || !runs || word->repairs != 0;
    bool waits = word->observed == WIRE__OBSERVED__OBSERVED_STARTING && !runs;
    bool pointless = row->desired == WIRE__DESIRED__DESIRED_GONE &&
                     word->observed != WIRE__OBSERVED__OBSERVED_GONE;
    if (!news || waits || pointless) {
        return; /* Nothing would change: no log write for it. */
    }
    Wire__NodeReported reported = WIRE__NODE_REPORTED__INIT;
    reported.node = node;
    reported.instance = word->instance;
    reported.generation = word->generation;
    reported.epoch = word->epoch;
    reported.observed = word->observed;
    reported.reason = word->reason;
    reported.repairs = word->repairs;
    Wire__Command command = WIRE__COMMAND__INIT;
    command.format = 1;
    command.body_case = WIRE__COMMAND__BODY_NODE_REPORTED;
    command.node_reported = &reported;
    lead_word(engine, &command);
}

static void judge(struct engine *engine, uint64_t node, bool alive, const char *reason)
{
    struct node_soft *soft = nodes_soft(engine, node);
    if (soft->judged_pending) {
        return;
    }
    soft->judged_pending = true;
    Wire__NodeJudged judged = WIRE__NODE_JUDGED__INIT;
    judged.node = node;
    judged.liveness = alive ? WIRE__LIVENESS__LIVENESS_ALIVE : WIRE__LIVENESS__LIVENESS_UNKNOWN;
    judged.reason = reason;
    Wire__Command command = WIRE__COMMAND__INIT;
    command.format = 1;
    command.body_case = WIRE__COMMAND__BODY_NODE_JUDGED;
    command.node_judged = &judged;
    lead_word(engine, &command);
}

static bool images_differ(
    const struct node_row *row, size_t count, const ProtobufCBinaryData *images)
{
    if (row->images_count != (count < LIMIT_NODE_IMAGES ? count : LIMIT_NODE_IMAGES)) {
        return true;
    }
    for (uint32_t i = 0; i < row->images_count; i++) {
        if (images[i].len != 32 || memcmp(row->images[i], images[i].data, 32) != 0) {
            return true;
        }
    }
    return false;
}

static void heard(struct engine *engine, const struct node_row *row, const Wire__NodeHello *hello)
{
    bool same = hello->boot_id.len == sizeof(row->boot_id) &&
                memcmp(row->boot_id, hello->boot_id.data, sizeof(row->boot_id)) == 0 &&
                row->vcpus == hello->vcpus && row->memory_bytes == hello->memory_bytes &&
                !images_differ(row, hello->n_images, hello->images);
    if (same || hello->boot_id.len != sizeof(row->boot_id)) {
        return;
    }
    Wire__NodeHeard word = WIRE__NODE_HEARD__INIT;
    word.node = row->head.id;
    word.boot_id = hello->boot_id;
    word.vcpus = hello->vcpus;
    word.memory_bytes = hello->memory_bytes;
    word.virtualization = hello->virtualization;
    word.n_fallbacks = hello->n_fallbacks;
    word.fallbacks = hello->fallbacks;
    word.n_images = hello->n_images;
    word.images = hello->images;
    Wire__Command command = WIRE__COMMAND__INIT;
    command.format = 1;
    command.body_case = WIRE__COMMAND__BODY_NODE_HEARD;
    command.node_heard = &word;
    lead_word(engine, &command);
}

static void hello(struct engine *engine, const struct node_row *row, const Wire__NodeHello *hello)
{
    struct node_soft *soft = nodes_soft(engine, row->head.id);
    soft->renewed_ms = engine->now_ms;
    soft->welcomed = true;
    heard(engine, row, hello);
    if (row->liveness != WIRE__LIVENESS__LIVENESS_ALIVE) {
        judge(engine, row->head.id, true, "it renews");
    }
    Wire__Frame *frame =
        engine_frame(engine, WIRE__KIND__KIND_NODE, row->head.id, WIRE__FRAME__BODY_NODE_WELCOME);
    frame->node_welcome = engine_take(engine, sizeof(*frame->node_welcome));
    wire__node_welcome__init(frame->node_welcome);
    frame->node_welcome->term = engine->term;
    send_whole(engine, row->head.id);
    for (size_t i = 0; i < hello->n_known; i++) {
        report(engine, row->head.id, hello->known[i]);
    }
}

/* Count and digest of what is wanted of a node, as the node computes them. */
static void desired(
    const struct engine *engine, uint64_t node, uint64_t *count_out, uint64_t *digest_out)
{
    *count_out = 0;
    *digest_out = 0;
    for (const struct instance_row *row = state_first(&engine->state, TABLE_INSTANCE); row != NULL;
         row = state_next(&engine->state, TABLE_INSTANCE, row)) {
        if (row->node.value != node) {
            continue;
        }
        uint8_t bytes[16];
        for (unsigned int i = 0; i < 8; i++) {
            bytes[i] = (uint8_t)(row->head.id >> (8U * i));
            bytes[8 + i] = (uint8_t)(row->generation >> (8U * i));
        }
        struct hash_key key = { 0, 0 };
        *digest_out += hash_bytes(key, slice_of(bytes, sizeof(bytes)));
        (*count_out)++;
    }
}

static void renew(struct engine *engine, const struct node_row *row, const Wire__NodeRenew *renew)
{
    struct node_soft *soft = nodes_soft(engine, row->head.id);
    uint64_t count = 0;
    uint64_t digest = 0;
    soft->renewed_ms = engine->now_ms;
    if (row->liveness != WIRE__LIVENESS__LIVENESS_ALIVE && soft->welcomed) {
        judge(engine, row->head.id, true, "it renews");
    }
    desired(engine, row->head.id, &count, &digest);
    bool agrees = count == renew->desired_count && digest == renew->desired_digest;
    soft->mismatches = agrees ? 0 : soft->mismatches + 1;
    if (soft->mismatches >= MISMATCHES_MAX) {
        send_whole(engine, row->head.id); /* Something was lost: rows say it again. */
    }
}

void nodes_said(struct engine *engine, uint64_t node, uint32_t epoch, const Wire__Frame *frame)
{
    const struct node_row *row = state_find(&engine->state, TABLE_NODE, node);
    CHECK(row != NULL && row->epoch == epoch); /* engine.c asked. */
    if (engine->role != ENGINE_LEADING) {
        return; /* Only the leader answers; the node says the same to all. */
    }
    if (frame->body_case == WIRE__FRAME__BODY_NODE_HELLO) {
        hello(engine, row, frame->node_hello);
    } else if (frame->body_case == WIRE__FRAME__BODY_NODE_RENEW) {
        renew(engine, row, frame->node_renew);
    } else if (frame->body_case == WIRE__FRAME__BODY_NODE_REPORT) {
        nodes_soft(engine, node)->renewed_ms = engine->now_ms;
        for (size_t i = 0; i < frame->node_report->n_instances; i++) {
            report(engine, node, frame->node_report->instances[i]);
        }
    } else if (frame->body_case == WIRE__FRAME__BODY_CONSOLE_TOLD) {
        asks_console(engine, node, frame->console_told);
    }
}

void nodes_link(struct engine *engine, uint64_t node, bool up)
{
    struct node_soft *soft = nodes_soft(engine, node);
    if (soft == NULL) {
        return;
    }
    soft->up = up;
    soft->welcomed = false; /* Whatever was under way is lost; it says hello anew. */
}

/* A new leader has heard nobody yet: everybody gets the whole time before a judgement. */
void nodes_leading(struct engine *engine)
{
    for (const struct node_row *row = state_first(&engine->state, TABLE_NODE); row != NULL;
         row = state_next(&engine->state, TABLE_NODE, row)) {
        struct node_soft *soft = nodes_soft(engine, row->head.id);
        soft->renewed_ms = engine->now_ms;
        soft->welcomed = false;
        soft->judged_pending = false;
        soft->mismatches = 0;
    }
}

void nodes_clock(struct engine *engine)
{
    if (engine->role != ENGINE_LEADING) {
        return;
    }
    for (const struct node_row *row = state_first(&engine->state, TABLE_NODE); row != NULL;
         row = state_next(&engine->state, TABLE_NODE, row)) {
        struct node_soft *soft = nodes_soft(engine, row->head.id);
        bool alive = row->liveness == WIRE__LIVENESS__LIVENESS_ALIVE;
        bool silent = engine->now_ms - soft->renewed_ms >= LIMIT_NODE_UNKNOWN_MS;
        if (alive && silent) {
            judge(engine, row->head.id, false, "no renewal for six seconds");
        }
        if (alive != silent) {
            soft->judged_pending = false; /* The row says what we see. */
        }
    }
}
