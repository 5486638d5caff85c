/* Decides what a node is told. Orders are always made from rows, so a lost one is simply resent:
 * what finds no room in one step is told whole when the node renews.
 *
 * The happy path: apply changed an instance → its node is told, in one frame with everything else
 * that it is told in this step; nodes with members of the same networks learn of the new one.
 * What can go wrong: the step's memory runs short (a whole entry of creates in a cell of many
 * nodes) → the node is marked and gets its whole list with its next renewal. */
#include "base/check.h"
#include "controller/core/engine_inner.h"
#include "controller/core/presence.h"
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

/* The nodes on which a network has a member, each once. */
static uint32_t spread_begin(struct engine *engine, const struct network_row *network)
{
    size_t words = view_set_words(engine->state.tables[TABLE_NODE].capacity);
    memset(engine->spread_seen, 0, sizeof(*engine->spread_seen) * words);
    return network->first_placed;
}

/* The next one; `at` is the walk, of presence.h. One walk at a time: they share their memory. */
static const struct node_row *spread_next(struct engine *engine, uint32_t *at)
{
    const struct table *nodes = &engine->state.tables[TABLE_NODE];
    while (*at != 0) {
        uint64_t id = presence_row(&engine->state, *at)->node.value;
        const struct node_row *node = state_find(&engine->state, TABLE_NODE, id);
        CHECK(node != NULL); /* A node with instances is never deleted. */
        size_t slot = (size_t)((const uint8_t *)node - nodes->rows) / nodes->row_size;
        uint64_t bit = UINT64_C(1) << (slot % 64);
        CHECK(slot < nodes->capacity);
        bool again = (engine->spread_seen[slot / 64] & bit) != 0;
        engine->spread_seen[slot / 64] |= bit;
        *at = presence_next(&engine->state, *at);
        if (!again) {
            return node;
        }
    }
    return NULL;
}

/* The other nodes on which the network has a member. */
static void segment_peers(
    struct engine *engine, Wire__Segment *segment, const struct network_row *network, uint64_t node)
{
    const char *addresses[SEGMENT_PEERS_MAX];
    size_t count = 0;
    uint32_t at = spread_begin(engine, network);
    const struct node_row *other = spread_next(engine, &at);
    while (other != NULL && count < SEGMENT_PEERS_MAX) {
        if (other->head.id != node) {
            addresses[count++] = other->underlay_address;
        }
        other = spread_next(engine, &at);
    }
    segment->peers = engine_take(engine, sizeof(*segment->peers) * (count + 1));
    memcpy(segment->peers, addresses, sizeof(*segment->peers) * count);
    segment->n_peers = count;
}

static bool has_segment(const Wire__NodeOrders *orders, uint64_t network)
{
    bool has = false;
    for (size_t i = 0; i < orders->n_segments; i++) {
        has = has || orders->segments[i]->network == network;
    }
    return has;
}

static Wire__Segment *add_segment(
    struct engine *engine, Wire__NodeOrders *orders, const struct network_row *network)
{
    Wire__Segment *segment = engine_take(engine, sizeof(*segment));
    wire__segment__init(segment);
    segment->network = network->head.id;
    segment->tenant = network->tenant.value;
    segment->vni = network->vni;
    segment->generation = engine->applied; /* Grows with every change of anything. */
    orders->segments[orders->n_segments++] = segment;
    return segment;
}

static void add_whole_segment(
    struct engine *engine,
    Wire__NodeOrders *orders,
    const struct network_row *network,
    uint64_t node)
{
    if (!has_segment(orders, network->head.id)) {
        segment_peers(engine, add_segment(engine, orders, network), network, node);
    }
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
        add_whole_segment(engine, orders, network, row->node.value);
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

/* A network came to a node with the entry that was just applied. */
static void note_arrival(struct engine *engine, uint64_t network, uint64_t node)
{
    CHECK(engine->arrivals_count < ENGINE_ARRIVALS);
    engine->arrivals[engine->arrivals_count++] = (struct arrival){ network, node };
}

void nodes_assign(struct engine *engine, const struct effect *assign)
{
    const struct instance_row *row = state_find(&engine->state, TABLE_INSTANCE, assign->id);
    struct node_soft *soft = nodes_soft(engine, assign->node);
    bool here = row != NULL && row->node.value == assign->node;
    for (uint32_t i = 0; here && i < row->nics_count; i++) {
        if (row->nics[i].came_at == engine->applied) {
            note_arrival(engine, row->nics[i].network.value, row->node.value);
        }
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

struct arrived {
    const struct node_row *nodes[SEGMENT_PEERS_MAX];
    size_t count;
};

/* False: an earlier one of the list stands for this network. */
static bool arrived_at(const struct engine *engine, uint32_t first, struct arrived *out)
{
    uint64_t network = engine->arrivals[first].network;
    out->count = 0;
    for (uint32_t i = 0; i < engine->arrivals_count; i++) {
        if (engine->arrivals[i].network != network) {
            continue;
        }
        if (i < first) {
            return false;
        }
        const struct node_row *node =
            state_find(&engine->state, TABLE_NODE, engine->arrivals[i].node);
        if (node != NULL && out->count < SEGMENT_PEERS_MAX) {
            out->nodes[out->count++] = node;
        }
    }
    return true;
}

/* Tells one node of those that the network came to, but of itself. */
static void tell_arrived(
    struct engine *engine,
    const struct network_row *network,
    const struct node_row *node,
    const struct arrived *arrived)
{
    const struct node_soft *soft = nodes_soft(engine, node->head.id);
    bool alone = arrived->count == 1 && arrived->nodes[0] == node;
    if (alone || soft == NULL || !soft->welcomed) {
        return; /* Who comes is told everything. */
    }
    Wire__NodeOrders *orders = orders_now(engine, node->head.id);
    if (orders == NULL || has_segment(orders, network->head.id)) {
        return; /* It is told all of them: later, or in this step. */
    }
    Wire__Segment *segment = add_segment(engine, orders, network);
    segment->more = true;
    segment->peers = engine_take(engine, sizeof(*segment->peers) * arrived->count);
    for (size_t i = 0; i < arrived->count; i++) {
        if (arrived->nodes[i] != node) {
            segment->peers[segment->n_peers++] = arrived->nodes[i]->underlay_address;
        }
    }
}

/* The other nodes of a network that came to a node in this step learn its underlay address: once
 * for each network and node, after every assignment was told. */
void nodes_assigned(struct engine *engine)
{
    for (uint32_t i = 0; i < engine->arrivals_count; i++) {
        struct arrived arrived;
        const struct network_row *network =
            state_find(&engine->state, TABLE_NETWORK, engine->arrivals[i].network);
        if (network == NULL || !arrived_at(engine, i, &arrived)) {
            continue;
        }
        uint32_t at = spread_begin(engine, network);
        for (const struct node_row *node = spread_next(engine, &at); node != NULL;
             node = spread_next(engine, &at)) {
            tell_arrived(engine, network, node, &arrived);
        }
    }
    engine->arrivals_count = 0;
}

/* Everything that is wanted of a node; what it has besides is not wanted. */
void nodes_send_whole(struct engine *engine, uint64_t node)
{
    struct node_soft *soft = nodes_soft(engine, node);
    const struct node_row *row = state_find(&engine->state, TABLE_NODE, node);
    CHECK(soft != NULL && row != NULL);
    Wire__NodeOrders *orders = orders_to(engine, node);
    orders->whole = true;
    for (uint32_t at = row->first_placed; at != 0; at = presence_next(&engine->state, at)) {
        if (orders_full(orders)) {
            orders = orders_to(engine, node);
        }
        add_assignment(engine, orders, presence_row(&engine->state, at));
    }
    orders->last = true;
    soft->mismatches = 0;
    soft->resend = false;
}
