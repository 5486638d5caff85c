/* What somebody asked for is what a row holds, what its node is told to run, and what its tenant is
 * charged with. Reckoned from the requests alone, by arithmetic of its own: never with the
 * product's sums. What a story asked for is not known here, and is not compared. */
#include "base/check.h"
#include "base/id.h"
#include "controller/server.h"
#include "tests/sim/plane_check.h"
#include "tests/sim/plane_hypervisor.h"
#include "tests/sim/plane_machine.h"
#include "tests/sim/plane_people.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Rows ---- */

static uint32_t second_of(const struct plane_request *network)
{
    return 5 + network->object % 11;
}

const char *plane_cidr(const struct plane_request *network)
{
    static char text[20];
    CHECK(network->prefix > 0 && network->prefix < 32);
    (void)snprintf(text, sizeof(text), "10.%u.0.0/%u", second_of(network), network->prefix);
    return text;
}

static uint32_t base_of(const struct plane_request *network)
{
    return UINT32_C(10) << 24 | second_of(network) << 16;
}

static bool nic_sound(const struct nic *nic, const struct plane_request *network)
{
    uint32_t size = UINT32_C(1) << (32U - network->prefix);
    uint32_t at = nic->address - base_of(network);
    /* Not the network's own, not its gateway's, not everybody's. */
    bool inside = at > 1 && at < size - 1;
    return inside && (network->resource == 0 || nic->network.value == network->resource);
}

void plane_asked_instance(
    struct plane *plane,
    uint32_t machine,
    const struct instance_row *row,
    const struct plane_request *request)
{
    if (request->vcpus == 0) {
        return;
    }
    const struct plane_request *network = &plane_requests[request->network];
    bool nics = row->nics_count == (request->network == 0 ? 0 : 1) &&
                (row->nics_count == 0 || nic_sound(&row->nics[0], network));
    plane_checked(plane, PLANE_CHECK_AS_ASKED);
    if (row->vcpus != request->vcpus || row->memory_bytes != request->memory_bytes ||
        row->tenant.value != plane_tenants[request->tenant] || !nics) {
        plane_fail(
            plane,
            "ASKED m%u: %s of tenant %llx has %u vcpus, %llu bytes, %u networks",
            machine,
            row->name.text,
            (unsigned long long)row->tenant.value,
            row->vcpus,
            (unsigned long long)row->memory_bytes,
            row->nics_count);
    }
}

void plane_asked_network(
    struct plane *plane,
    uint32_t machine,
    const struct network_row *row,
    const struct plane_request *request)
{
    if (request->prefix == 0) {
        return;
    }
    plane_checked(plane, PLANE_CHECK_AS_ASKED);
    if (row->prefix != request->prefix || row->base != base_of(request) ||
        row->tenant.value != plane_tenants[request->tenant]) {
        plane_fail(plane, "ASKED m%u: network %s is another", machine, row->name.text);
    }
}

/* ---- Quotas ---- */

/* A cap of instances: of a tenant, or of its default project. */
struct cap {
    uint64_t known; /* As it was acknowledged last; 0: as it was made. */
    uint64_t next;  /* Being asked for; 0: nothing is. */
    uint64_t index; /* Of the acknowledgement. */
};

static struct cap caps[PLANE_TENANTS][2];
static uint64_t most;

uint64_t plane_cap(const struct plane *plane, enum quota_dimension dimension)
{
    uint64_t instances = plane->conf.instances;
    switch (dimension) {
    case QUOTA_VCPUS: return instances + instances / 4;
    case QUOTA_MEMORY_BYTES: return (instances * 4) << 26;
    case QUOTA_INSTANCES: return instances;
    case QUOTA_NETWORKS: return 3;
    case QUOTA_DIMENSIONS: break;
    }
    UNREACHABLE();
    return 0;
}

uint64_t plane_asked_most(const struct plane *plane)
{
    CHECK(plane->conf.tenants <= PLANE_TENANTS);
    return most;
}

void plane_asked_cap(const struct plane_request *request)
{
    struct cap *cap = &caps[request->tenant][request->flag ? 1 : 0];
    CHECK(request->act == PLANE_ACT_QUOTA);
    if (request->machine == 0) {
        return; /* It sets a floor. */
    }
    bool done = request->state == PLANE_ACKNOWLEDGED;
    cap->known = done ? request->machine : cap->known;
    cap->index = done ? request->index : cap->index;
    cap->next = done ? 0 : request->machine;
    most = request->machine > most ? request->machine : most;
}

static void cap_check(
    struct plane *plane, uint32_t machine, const struct cap *cap, uint64_t first, uint64_t is)
{
    plane_checked(plane, PLANE_CHECK_AS_ASKED);
    if (is != (cap->known == 0 ? first : cap->known) && (cap->next == 0 || is != cap->next)) {
        plane_fail(
            plane,
            "CAP m%u: %llu instances, and %llu were acknowledged",
            machine,
            (unsigned long long)is,
            (unsigned long long)cap->known);
    }
}

void plane_asked_caps(
    struct plane *plane, uint32_t machine, uint64_t index, const struct state *state)
{
    if (most == 0 || plane->lost) {
        return; /* Nobody sets any. */
    }
    for (const struct project_row *row = state_first(state, TABLE_PROJECT); row != NULL;
         row = state_next(state, TABLE_PROJECT, row)) {
        const struct tenant_row *tenant = state_find(state, TABLE_TENANT, row->tenant.value);
        uint32_t at = 0;
        while (at < plane->conf.tenants && plane_tenants[at] != row->tenant.value) {
            at++;
        }
        if (at == plane->conf.tenants || !row->is_default) {
            continue; /* The tenant whose requests no node can hold. */
        }
        uint64_t first = plane_cap(plane, QUOTA_INSTANCES);
        if (index >= caps[at][0].index) {
            cap_check(plane, machine, &caps[at][0], first, tenant->account.cap.of[QUOTA_INSTANCES]);
        }
        if (index >= caps[at][1].index) {
            cap_check(
                plane, machine, &caps[at][1], UINT64_MAX, row->account.cap.of[QUOTA_INSTANCES]);
        }
    }
}

static uint64_t needed(const struct plane_request *request, enum quota_dimension dimension)
{
    bool network = request->act == PLANE_ACT_NETWORK;
    switch (dimension) {
    case QUOTA_VCPUS: return request->vcpus;
    case QUOTA_MEMORY_BYTES: return request->memory_bytes;
    case QUOTA_INSTANCES: return network ? 0 : 1;
    case QUOTA_NETWORKS: return network ? 1 : 0;
    case QUOTA_DIMENSIONS: break;
    }
    UNREACHABLE();
    return 0;
}

void plane_asked_refusal(
    struct plane *plane, const struct plane_request *request, const Wire__Answer *answer)
{
    const Wire__Problem *problem = answer->problem;
    bool sound = false;
    for (int i = 0; i < QUOTA_DIMENSIONS && problem != NULL; i++) {
        enum quota_dimension dimension = (enum quota_dimension)i;
        if (strcmp(problem->dimension, quota_dimension_name(dimension)) != 0) {
            continue;
        }
        uint64_t first = plane_cap(plane, dimension);
        bool set =
            dimension == QUOTA_INSTANCES && problem->limit >= first && problem->limit <= most;
        uint64_t need = needed(request, dimension);
        sound =
            need > 0 && problem->usage + need > problem->limit && (problem->limit == first || set);
    }
    plane_checked(plane, PLANE_CHECK_AS_ASKED);
    if (!sound) {
        plane_fail(
            plane,
            "ASKED %s is refused: %llu of %llu %s are used",
            request->name,
            problem == NULL ? 0 : (unsigned long long)problem->usage,
            problem == NULL ? 0 : (unsigned long long)problem->limit,
            problem == NULL ? "" : problem->dimension);
    }
}

/* ---- Boots ---- */

void plane_asked_end(struct plane *plane, const struct state *state)
{
    uint32_t *asked = plane_zeroed(plane_requests_count + 1, sizeof(*asked));
    uint32_t *unsure = plane_zeroed(plane_requests_count + 1, sizeof(*unsure));
    for (uint32_t i = 1; i <= plane_requests_count; i++) {
        const struct plane_request *request = &plane_requests[i];
        if (request->act == PLANE_ACT_START || request->act == PLANE_ACT_REBOOT) {
            bool done = request->state == PLANE_ACKNOWLEDGED;
            asked[request->object] += done ? 1 : 0;
            unsure[request->object] += !done && request->unsure ? 1 : 0;
        }
    }
    for (const struct instance_row *row = state_first(state, TABLE_INSTANCE); row != NULL;
         row = state_next(state, TABLE_INSTANCE, row)) {
        const struct plane_request *request = plane_maker_of(row->name.text, PLANE_ACT_CREATE);
        if (request == NULL || request->vcpus == 0) {
            continue;
        }
        uint64_t least = 1 + asked[request->object];
        plane_checked(plane, PLANE_CHECK_AS_ASKED);
        if (row->boots < least || row->boots > least + unsure[request->object]) {
            plane_fail(
                plane,
                "ASKED %s was booted %llu times, and should be %llu times",
                row->name.text,
                (unsigned long long)row->boots,
                (unsigned long long)least);
        }
    }
    free(asked);
    free(unsure);
}

/* ---- Orders ---- */

/* The row as any controller that is up has it. */
static const void *row_of(struct plane *plane, enum state_table table, uint64_t id)
{
    const void *row = NULL;
    for (uint32_t i = 0; i < PLANE_CONTROLLERS && row == NULL; i++) {
        struct server *server = plane_server(plane, i);
        row = server == NULL ? NULL : state_find(engine_state(server_engine(server)), table, id);
    }
    return row;
}

static bool digest_is(const ProtobufCBinaryData *digest, uint8_t first)
{
    uint8_t wanted[32] = { first };
    return digest->len == sizeof(wanted) && memcmp(digest->data, wanted, sizeof(wanted)) == 0;
}

/* The card that a guest is given: in the network that was asked for, with its length of prefix, at
 * the address that is kept for it, on the network's own segment. */
static bool card_sound(
    struct plane *plane,
    const struct instance_row *row,
    const struct plane_request *network,
    const Wire__StartInstance *start)
{
    const Wire__Nic *nic = start->assignment->nics[0];
    const struct network_row *of = row_of(plane, TABLE_NETWORK, nic->network);
    return nic->prefix == network->prefix && nic->network == row->nics[0].network.value &&
           nic->address == row->nics[0].address && nic->mac.len == 6 &&
           (nic->mac.data[0] & 3U) == 2 && start->n_vnis == 1 &&
           (of == NULL || start->vnis[0] == of->vni);
}

void plane_asked_start(struct plane *plane, uint32_t machine, const Wire__StartInstance *start)
{
    const Wire__Assignment *order = start->assignment;
    const struct instance_row *row = row_of(plane, TABLE_INSTANCE, order->instance);
    const struct plane_request *request =
        row == NULL ? NULL : plane_maker_of(row->name.text, PLANE_ACT_CREATE);
    if (request == NULL || request->vcpus == 0 || plane->lost) {
        return; /* Nobody is up who knows it, or nobody knows what was asked. */
    }
    const struct plane_request *network = &plane_requests[request->network];
    plane_checked(plane, PLANE_CHECK_AS_ASKED);
    bool sound = order->vcpus == request->vcpus && order->memory_bytes == request->memory_bytes &&
                 order->tenant == plane_tenants[request->tenant] &&
                 order->max_attempts == request->boots_most &&
                 digest_is(&order->kernel_sha256, 7) && digest_is(&order->initramfs_sha256, 8) &&
                 order->n_nics == (request->network == 0 ? 0 : 1) &&
                 (order->n_nics == 0 || card_sound(plane, row, network, start));
    if (!sound) {
        plane_fail(
            plane,
            "ASKED m%u is told to run %s with %u vcpus, %llu bytes, %zu networks of prefix %u",
            machine,
            row->name.text,
            order->vcpus,
            (unsigned long long)order->memory_bytes,
            order->n_nics,
            order->n_nics == 0 ? 0 : order->nics[0]->prefix);
    }
}

static bool torn; /* A lie of ours: nobody reaches anybody. */

void plane_asked_forge(void)
{
    torn = true;
}

/* ---- Segments, when everything has come together ---- */

/* The networks of guests that run on this machine, each once. */
static bool is_member(uint32_t machine, const struct state *state, uint64_t network)
{
    for (uint32_t i = 0; i < PLANE_DOMAINS; i++) {
        const struct plane_domain *domain = &plane_host_domains(machine)[i];
        const struct instance_row *row =
            domain->instance == 0 ? NULL : state_find(state, TABLE_INSTANCE, domain->instance);
        for (uint32_t k = 0; row != NULL && domain->running && k < row->nics_count; k++) {
            if (row->nics[k].network.value == network) {
                return true;
            }
        }
    }
    return false;
}

static const struct segment *segment_of(uint32_t machine, uint64_t network)
{
    const struct plane_host *host = plane_host_of(machine);
    for (uint32_t i = 0; i < PLANE_DOMAINS; i++) {
        if (host->segments[i].network == network) {
            return &host->segments[i];
        }
    }
    return NULL;
}

/* Each node with a guest in this network floods to each other one that has one. */
static bool segment_whole(
    struct plane *plane, const struct state *state, uint64_t network, uint32_t *machine_out)
{
    const struct network_row *row = state_find(state, TABLE_NETWORK, network);
    for (uint32_t one = PLANE_CONTROLLERS; one < plane->machines_count; one++) {
        bool member = plane->machines[one].exists && !plane->machines[one].dead &&
                      is_member(one, state, network);
        *machine_out = one;
        const struct segment *segment = member ? segment_of(one, network) : NULL;
        if (member && (segment == NULL || segment->vni != row->vni)) {
            return false;
        }
        for (uint32_t other = PLANE_CONTROLLERS; member && other < plane->machines_count; other++) {
            bool wanted = other != one && plane->machines[other].exists &&
                          !plane->machines[other].dead && is_member(other, state, network);
            bool reaches = plane_segment_reaches(segment, other) && !torn;
            if (wanted && !reaches) {
                return false;
            }
        }
    }
    return true;
}

const struct network_row *plane_asked_torn(
    struct plane *plane, const struct state *state, uint32_t *machine_out)
{
    bool small = plane->conf.nodes <= 64; /* Every two nodes of every network. */
    for (const struct network_row *row = state_first(state, TABLE_NETWORK); row != NULL && small;
         row = state_next(state, TABLE_NETWORK, row)) {
        plane_checked(plane, PLANE_CHECK_SEGMENTS);
        if (!segment_whole(plane, state, row->head.id, machine_out)) {
            return row;
        }
    }
    return NULL;
}
