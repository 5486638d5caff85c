/* Decides what a node is told. Orders are always made from rows, so a lost one is simply resent:
 * what finds no room in one step is told whole when the node renews.
 *
 * The happy path: apply changed an instance → its node is told, in one frame with everything else
 * that it is told in this step; nodes with members of the same networks learn of the new one.
 * What can go wrong: the step's memory runs short (a whole entry of creates in a cell of many
 * nodes) → the node is marked and gets its whole list with its next renewal. */
#include "base/check.h"
#include "controller/core/engine_inner.h"
#include "isolation/network.h"

#include <string.h>

enum {
    ASSIGNMENTS_PER_FRAME = 64,
    SEGMENTS_PER_FRAME = ASSIGNMENTS_PER_FRAME * LIMIT_INSTANCE_NETWORKS,
    SEGMENT_PEERS_MAX = LIMIT_SEGMENT_PEERS,
    ORDERS_BYTES = LIMIT_FRAME / 4, /* A frame is closed here: the last to enter may be as large. */
    ORDERS_ARENA = ENGINE_ARENA / 2, /* Beyond it, nodes are told later. */
};

static Wire__NodeOrders *orders_to(struct engine *engine, uint64_t node)
{
    Wire__Frame *frame =
        engine_frame(engine, WIRE__KIND__KIND_NODE, node, WIRE__FRAME__BODY_NODE_ORDERS);
    Wire__NodeOrders *orders = engine_take(engine, sizeof(*orders));
    wire__node_orders__init(orders);
    orders->term = engine->term;
    orders->assignments = engine_take(engine, sizeof(*orders->assignments) * ASSIGNMENTS_PER_FRAME);
    orders->segments = engine_take(engine, sizeof(*orders->segments) * SEGMENTS_PER_FRAME);
    frame->node_orders = orders;
    return orders;
}

static bool orders_full(const Wire__NodeOrders *orders)
{
    return orders->n_assignments == ASSIGNMENTS_PER_FRAME ||
           orders->n_segments > SEGMENTS_PER_FRAME - LIMIT_INSTANCE_NETWORKS ||
           protobuf_c_message_get_packed_size(&orders->base) > ORDERS_BYTES;
}

/* The frame that this node gets in this step, made when first needed. NULL: it is told later. */
static Wire__NodeOrders *orders_now(struct engine *engine, uint64_t node)
{
    struct node_soft *soft = nodes_soft(engine, node);
    CHECK(soft != NULL);
    if (engine->effects->arena->used > ORDERS_ARENA || soft->resend) {
        soft->resend = true;
        return NULL;
    }
    if (soft->orders_at != engine->applied || soft->orders == NULL || orders_full(soft->orders)) {
        soft->orders = orders_to(engine, node);
        soft->orders_at = engine->applied; /* The frame lives as long as this step. */
    }
    return soft->orders;
}

/* The other nodes on which the network has a member. */
static void segment_peers(
    struct engine *engine, Wire__Segment *segment, const struct network_row *network, uint64_t node)
{
    uint64_t seen[SEGMENT_PEERS_MAX];
    const char *addresses[SEGMENT_PEERS_MAX];
    size_t count = 0;
    for (const struct instance_row *row = state_first(&engine->state, TABLE_INSTANCE);
         row != NULL && count < SEGMENT_PEERS_MAX;
         row = state_next(&engine->state, TABLE_INSTANCE, row)) {
        bool counts = row->node.value != 0 && row->node.value != node;
        bool member = false;
        for (uint32_t i = 0; i < row->nics_count; i++) {
            member = member || row->nics[i].network.value == network->head.id;
        }
        for (size_t i = 0; member && counts && i < count; i++) {
            counts = seen[i] != row->node.value;
        }
        const struct node_row *other =
            counts && member ? state_find(&engine->state, TABLE_NODE, row->node.value) : NULL;
        if (other != NULL) {
            seen[count] = row->node.value;
            addresses[count++] = other->underlay_address;
        }
    }
    segment->peers = engine_take(engine, sizeof(*segment->peers) * (count + 1));
    memcpy(segment->peers, addresses, sizeof(*segment->peers) * count);
    segment->n_peers = count;
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

/* When a member came to it, by log index; NULL: there is no such network. */
static uint64_t *touched(struct engine *engine, uint64_t network)
{
    const struct table *table = &engine->state.tables[TABLE_NETWORK];
    const struct network_row *row = state_find(&engine->state, TABLE_NETWORK, network);
    if (row == NULL) {
        return NULL;
    }
    size_t slot = (size_t)((const uint8_t *)row - table->rows) / table->row_size;
    CHECK(slot < table->capacity);
    return &engine->networks_touched[slot];
}

void nodes_assign(struct engine *engine, const struct effect *assign)
{
    const struct instance_row *row = state_find(&engine->state, TABLE_INSTANCE, assign->id);
    struct node_soft *soft = nodes_soft(engine, assign->node);
    bool here = row != NULL && row->node.value == assign->node;
    for (uint32_t i = 0; here && i < row->nics_count; i++) {
        uint64_t *at = touched(engine, row->nics[i].network.value);
        CHECK(at != NULL); /* A network with members is never deleted. */
        *at = engine->applied;
    }
    if (soft == NULL || !soft->welcomed) {
        return; /* It gets the whole list when it comes. */
    }
    Wire__NodeOrders *orders = orders_now(engine, assign->node);
    if (orders == NULL) {
        return;
    }
    if (here) {
        add_assignment(engine, orders, row);
    } else {
        add_gone(engine, orders, assign);
    }
}

/* The other nodes of a network that got a member in this step learn its underlay address. Once for
 * each network and node, after every assignment was told. */
void nodes_assigned(struct engine *engine)
{
    for (const struct instance_row *row = state_first(&engine->state, TABLE_INSTANCE); row != NULL;
         row = state_next(&engine->state, TABLE_INSTANCE, row)) {
        const struct node_soft *soft =
            row->node.value == 0 ? NULL : nodes_soft(engine, row->node.value);
        if (soft == NULL || !soft->welcomed) {
            continue;
        }
        for (uint32_t i = 0; i < row->nics_count; i++) {
            const uint64_t *at = touched(engine, row->nics[i].network.value);
            Wire__NodeOrders *orders =
                at != NULL && *at == engine->applied ? orders_now(engine, row->node.value) : NULL;
            if (orders != NULL) {
                add_segment(
                    engine,
                    orders,
                    state_find(&engine->state, TABLE_NETWORK, row->nics[i].network.value),
                    row->node.value);
            }
        }
    }
}

/* Everything that is wanted of a node; what it has besides is not wanted. */
void nodes_send_whole(struct engine *engine, uint64_t node)
{
    struct node_soft *soft = nodes_soft(engine, node);
    CHECK(soft != NULL);
    Wire__NodeOrders *orders = orders_to(engine, node);
    orders->whole = true;
    for (const struct instance_row *row = state_first(&engine->state, TABLE_INSTANCE); row != NULL;
         row = state_next(&engine->state, TABLE_INSTANCE, row)) {
        if (row->node.value != node) {
            continue;
        }
        if (orders_full(orders)) {
            orders = orders_to(engine, node);
        }
        add_assignment(engine, orders, row);
    }
    orders->last = true;
    soft->mismatches = 0;
    soft->resend = false;
}
