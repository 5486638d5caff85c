/* Decides which orders count: their validity, their age (INV-VM-2), and what a complete list leaves
 * out. Never decides what to do about it. */
#include "node-agent/core/model.h"

#include "base/check.h"
#include "isolation/network.h"

#include <string.h>

/* ---- Orders. ---- */

static bool nic_valid(const Wire__Nic *nic)
{
    return nic->network != 0 && nic->mac.len == MODEL_MAC_SIZE && nic->address != 0 &&
           nic->prefix >= 8 && nic->prefix <= 30;
}

static bool assignment_valid(const Wire__Assignment *assignment)
{
    if (assignment->instance == 0 || assignment->generation == 0 ||
        assignment->n_nics > LIMIT_INSTANCE_NETWORKS) {
        return false;
    }
    for (size_t i = 0; i < assignment->n_nics; i++) {
        if (!nic_valid(assignment->nics[i])) {
            return false;
        }
    }
    switch (assignment->desired) {
    case WIRE__DESIRED__DESIRED_RUNNING:
        return assignment->vcpus >= 1 && assignment->vcpus <= LIMIT_VCPUS &&
               assignment->memory_bytes >= LIMIT_MEMORY_BYTES_MIN &&
               assignment->memory_bytes <= LIMIT_MEMORY_BYTES_MAX && assignment->tenant != 0 &&
               assignment->kernel_sha256.len == MODEL_DIGEST_SIZE &&
               assignment->initramfs_sha256.len == MODEL_DIGEST_SIZE;
    case WIRE__DESIRED__DESIRED_STOPPED:
    case WIRE__DESIRED__DESIRED_GONE: return true;
    case WIRE__DESIRED__DESIRED_UNSET:
    case _WIRE__DESIRED_IS_INT_SIZE: return false;
    }
    return false;
}

static void want_fill(struct model_want *want, const Wire__Assignment *assignment)
{
    CHECK(assignment->n_nics <= LIMIT_INSTANCE_NETWORKS);
    *want = (struct model_want){
        .tenant = assignment->tenant,
        .memory_bytes = assignment->memory_bytes,
        .boots = assignment->boots,
        .vcpus = assignment->vcpus,
        .max_attempts = assignment->max_attempts,
        .nics_count = (uint32_t)assignment->n_nics,
        .desired = assignment->desired,
        .on_failure = assignment->on_failure,
        .force = assignment->force,
    };
    for (uint32_t i = 0; i < want->nics_count; i++) {
        const Wire__Nic *nic = assignment->nics[i];
        CHECK(nic->mac.len == MODEL_MAC_SIZE);
        want->nics[i].network = nic->network;
        want->nics[i].address = nic->address;
        want->nics[i].prefix = nic->prefix;
        memcpy(want->nics[i].mac, nic->mac.data, MODEL_MAC_SIZE);
    }
    if (assignment->kernel_sha256.len == MODEL_DIGEST_SIZE) {
        memcpy(want->kernel, assignment->kernel_sha256.data, MODEL_DIGEST_SIZE);
    }
    if (assignment->initramfs_sha256.len == MODEL_DIGEST_SIZE) {
        memcpy(want->initramfs, assignment->initramfs_sha256.data, MODEL_DIGEST_SIZE);
    }
}

/* A new generation begins with all its attempts. */
static void instance_renew(struct model_instance *instance, const Wire__Assignment *assignment)
{
    CHECK(assignment->generation >= instance->generation); /* INV-VM-2 */
    CHECK(assignment->epoch >= instance->epoch);           /* INV-VM-2 */
    bool advanced = assignment->generation > instance->generation;
    instance->generation = assignment->generation;
    instance->epoch = assignment->epoch;
    instance->assigned = true;
    if (advanced) {
        instance->booted = instance->booted && instance->presence == PRESENCE_RUNNING;
        instance->repairing = false;
        instance->failed = false;
        instance->attempts = 0;
        instance->not_before_ms = 0;
        instance->stop_deadline_ms = 0;
        instance->reason = "";
    }
}

enum model_taken model_assign(struct model *model, const Wire__Assignment *assignment)
{
    if (assignment->instance == 0) {
        return MODEL_TAKEN_BAD;
    }
    struct model_instance *instance = model_find(model, assignment->instance);
    if (instance != NULL) {
        instance->listed = true; /* Even an order that does not count says that it is wanted. */
    }
    if (!assignment_valid(assignment)) {
        return MODEL_TAKEN_BAD;
    }
    if (instance == NULL) {
        instance = model_make(model, assignment->instance);
    }
    if (instance == NULL) {
        return MODEL_TAKEN_FULL;
    }
    if (assignment->generation < instance->generation || assignment->epoch < instance->epoch) {
        return MODEL_TAKEN_STALE; /* INV-VM-2 */
    }
    bool again = instance->assigned && assignment->generation == instance->generation &&
                 assignment->epoch == instance->epoch;
    if (!again) {
        instance_renew(instance, assignment);
    }
    want_fill(&instance->want, assignment);
    if (instance->want.desired != WIRE__DESIRED__DESIRED_GONE) {
        instance->erased = false;
    }
    instance->unwanted = false;
    instance->listed = true;
    instance->tell = true;
    return again ? MODEL_TAKEN_AGAIN : MODEL_TAKEN_NEW;
}

/* A set in ascending order; what finds no room is left out, as the order itself does. */
struct peers {
    uint32_t list[LIMIT_SEGMENT_PEERS];
    uint32_t count;
};

static void peers_add(struct peers *peers, uint32_t peer)
{
    uint32_t at = peers->count;
    while (at > 0 && peers->list[at - 1] > peer) {
        at--;
    }
    bool there = at > 0 && peers->list[at - 1] == peer;
    if (there || peers->count == LIMIT_SEGMENT_PEERS) {
        return;
    }
    memmove(&peers->list[at + 1], &peers->list[at], (peers->count - at) * sizeof(peer));
    peers->list[at] = peer;
    peers->count++;
}

/* A node that has not told its underlay address yet is listed by "": nothing can be sent to it. */
static bool segment_valid(const Wire__Segment *order, struct peers *peers)
{
    if (order->network == 0 || order->vni == 0 || order->vni >= UINT32_C(1) << 24 ||
        order->n_peers > LIMIT_SEGMENT_PEERS) {
        return false;
    }
    for (size_t i = 0; i < order->n_peers; i++) {
        if (order->peers[i][0] == '\0') {
            continue;
        }
        uint32_t peer = 0;
        if (!network_address_parse(order->peers[i], &peer) || peer == 0) {
            return false;
        }
        peers_add(peers, peer);
    }
    return true;
}

enum model_taken model_order_segment(struct model *model, const Wire__Segment *order, uint64_t term)
{
    struct peers peers = { .count = 0 };
    if (!segment_valid(order, &peers)) {
        return MODEL_TAKEN_BAD;
    }
    struct model_segment *segment = model_segment_find(model, order->network);
    if (order->more && (segment == NULL || !segment->ordered)) {
        return MODEL_TAKEN_STALE; /* Its own list is on its way, and has these. */
    }
    if (segment == NULL) {
        segment = model_segment_make(model, order->network);
    }
    if (segment == NULL) {
        return MODEL_TAKEN_FULL;
    }
    bool known = segment->ordered;
    if ((known || segment->present) && segment->vni != order->vni && segment->vni != 0) {
        return MODEL_TAKEN_BAD; /* A network keeps its number for life. */
    }
    if (known &&
        (term < segment->term || (term == segment->term && order->generation < segment->newest))) {
        return MODEL_TAKEN_STALE;
    }
    for (uint32_t i = 0; order->more && i < segment->peers_count; i++) {
        peers_add(&peers, segment->peers[i]);
    }
    segment->term = term;
    segment->newest = order->generation;
    segment->tenant = order->tenant;
    segment->vni = order->vni;
    /* The number grows with anything that changes anywhere; only other peers are news. */
    if (known && segment->peers_count == peers.count &&
        memcmp(segment->peers, peers.list, peers.count * sizeof(peers.list[0])) == 0) {
        return MODEL_TAKEN_AGAIN;
    }
    segment->generation = order->generation;
    segment->peers_count = peers.count;
    memcpy(segment->peers, peers.list, sizeof(peers.list));
    segment->ordered = true;
    segment->current = false;
    return MODEL_TAKEN_NEW;
}

/* ---- Complete lists. ---- */

void model_list_begin(struct model *model)
{
    CHECK(model != NULL);
    for (uint32_t i = 0; i < model->instances_top; i++) {
        model->instances[i].listed = false;
        CHECK(model->ids[i] == model->instances[i].id);
    }
}

uint32_t model_list_end(struct model *model)
{
    uint32_t unwanted = 0;
    for (uint32_t i = 0; i < model->instances_top; i++) {
        struct model_instance *instance = &model->instances[i];
        if (instance->id == 0 || instance->listed) {
            continue;
        }
        bool nothing_there =
            instance->erased || (instance->presence == PRESENCE_ABSENT && !instance->leftovers);
        if (nothing_there && instance->busy == OPERATION_NONE) {
            model_drop(model, instance);
            continue;
        }
        instance->unwanted = true;
        instance->want.desired = WIRE__DESIRED__DESIRED_GONE;
        unwanted++;
    }
    CHECK(unwanted <= model->instances_count);
    return unwanted;
}
