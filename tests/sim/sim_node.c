/* A replica's process in the simulator. Decides what survives its crash and what its host answers;
 * never what is right (sim_check.c). */
#include "tests/sim/sim.h"

#include "base/check.h"

#include <string.h>

struct context {
    struct sim *sim;
    struct sim_node *node;
};

/* One for each node, for the host's callbacks. One seed is one process. */
static struct context contexts[SIM_NODES + 1];

static struct replica_conf conf_of(struct sim *sim, const struct sim_node *node)
{
    static const char *const addresses[SIM_NODES + 1] = {
        "", "n1:1", "n2:1", "n3:1", "n4:1", "n5:1", "n6:1", "n7:1",
    };
    CHECK(node->id >= 1 && node->id <= SIM_NODES);
    return (struct replica_conf){
        .self = node->id,
        .address = addresses[node->id],
        .seed = sim->seed * 1000 + node->life,
        .restored_index = node->machine.index,
        .segment_bytes = 16 * 1024,
        .segment_count = 4,
        .entry_max = SIM_ENTRY_MAX,
        .message_max = 1600,
        .snapshot_every = sim->mix->snapshot_every,
        .snapshot_keep = sim->mix->snapshot_keep,
        .returns = sim->seed % 2 == 0, /* A test's replica need not ask the others first. */
    };
}

static void host_send(void *context, uint64_t peer, struct slice message)
{
    struct context *c = context;
    CHECK(peer >= 1 && peer <= SIM_NODES);
    if (c->node->disk.dead) {
        return;
    }
    sim_check_message(c->sim, c->node->id, (uint32_t)peer, message);
    sim_net_send(c->sim, c->node->id, (uint32_t)peer, message);
}

static void host_apply(
    void *context, uint64_t index, uint64_t term, uint64_t ticket, struct slice entry)
{
    struct context *c = context;
    struct sim_node *node = c->node;
    uint32_t command = sim_machine_command(entry);
    CHECK(command != 0);
    sim_machine_apply(&node->machine, index, entry);
    sim_check_apply(c->sim, node, index, term, entry);
    for (int i = 0; i < REPLICA_OUTSTANDING && ticket != 0; i++) {
        if (node->waiting[i].ticket == ticket) {
            sim_check_ticket(c->sim, node->waiting[i].command, command);
            node->waiting[i].ticket = 0;
            ticket = 0;
        }
    }
    if (ticket != 0) {
        sim_fail(c->sim, "TICKET %u applies ticket that nobody holds", node->id);
    }
}

static void host_role(void *context, enum replica_role role, uint64_t term)
{
    struct context *c = context;
    CHECK(role >= REPLICA_FOLLOWER && role <= REPLICA_HALTED);
    sim_trace(c->sim, "n%u role %d term %llu", c->node->id, (int)role, (unsigned long long)term);
}

static void host_lost(void *context, uint64_t ticket)
{
    struct context *c = context;
    CHECK(ticket != 0);
    sim_seen(c->sim, FAULT_LEADERSHIP_LOST);
    for (int i = 0; i < REPLICA_OUTSTANDING; i++) {
        if (c->node->waiting[i].ticket == ticket) {
            c->node->waiting[i].ticket = 0;
            return;
        }
    }
    sim_fail(c->sim, "TICKET %u loses a ticket that nobody holds", c->node->id);
}

static RESULT host_take(void *context, uint64_t index, struct slice *manifest_out)
{
    struct context *c = context;
    struct sim_node *node = c->node;
    if (c->sim->now_ms < c->sim->refuse_until_ms || sim_odds(c->sim, 1000)) {
        sim_seen(c->sim, FAULT_SNAPSHOT_REFUSED);
        return FAIL(FAILURE_BUSY);
    }
    CHECK(index >= node->machine.index);
    node->machine.index = index; /* The index of the stored rows. */
    node->flushed = node->machine;
    sim_machine_snapshot(&node->machine, node->manifest);
    *manifest_out = slice_of(node->manifest, SIM_MANIFEST);
    sim_seen(c->sim, FAULT_SNAPSHOT_TAKEN);
    return OK;
}

static RESULT host_restore(void *context, uint64_t index, struct slice manifest)
{
    struct context *c = context;
    struct sim_machine restored = { 0 };
    if (!sim_machine_restore(&restored, manifest) || restored.index != index) {
        return FAIL(FAILURE_CORRUPT);
    }
    if (memcmp(&restored, &c->node->fetched, sizeof(restored)) != 0 &&
        memcmp(&restored, &c->node->flushed, sizeof(restored)) != 0) {
        sim_fail(c->sim, "RESTORE %u is given a snapshot that it does not have", c->node->id);
    }
    c->node->machine = restored;
    c->node->flushed = restored;
    sim_check_restored(c->sim, c->node);
    sim_seen(c->sim, FAULT_SNAPSHOT_INSTALLED);
    return OK;
}

static bool host_ready(void *context, uint64_t peer, uint64_t index, struct slice manifest)
{
    struct context *c = context;
    struct sim_node *node = c->node;
    struct sim_machine offered = { 0 };
    if (!sim_machine_restore(&offered, manifest) || offered.index != index) {
        sim_fail(c->sim, "OFFER %u is offered a bad manifest", node->id);
    }
    if (memcmp(&offered, &node->fetched, sizeof(offered)) == 0) {
        return true;
    }
    if (!node->fetch_busy) {
        node->fetch_busy = true;
        node->fetching = offered;
        node->fetch_from = (uint32_t)peer;
        sim_after(c->sim, 1 + sim_below(c->sim, 120), SIM_FETCHED, node->id);
    }
    return false;
}

static uint64_t host_flushed(void *context)
{
    struct context *c = context;
    CHECK(c->node->flushed.index <= c->node->machine.index);
    return c->node->flushed.index;
}

static void host_halt(void *context, struct result why)
{
    struct context *c = context;
    CHECK(why.code != 0);
    if (!c->node->disk.dead && why.code != FAILURE_IO) {
        sim_fail(c->sim, "HALT %u: %s", c->node->id, result_name(why));
    }
    c->node->dying = true;
}

static const struct replica_host host_calls = {
    .send = host_send,
    .apply = host_apply,
    .role = host_role,
    .lost = host_lost,
    .snapshot_take = host_take,
    .snapshot_restore = host_restore,
    .snapshot_ready = host_ready,
    .flushed_index = host_flushed,
    .halt = host_halt,
};

void sim_node_begin(struct sim *sim, uint32_t id, bool voter)
{
    struct sim_node *node = &sim->nodes[id];
    CHECK(!node->created);
    const struct replica_conf conf = conf_of(sim, node);
    struct disk disk = sim_disk_disk(&node->disk);
    struct result result = OK;
    uint64_t die = node->disk.die_odds; /* An interrupted creation is the unit test's. */
    uint64_t fail = node->disk.fail_odds;
    node->disk.die_odds = 0;
    node->disk.fail_odds = 0;
    node->disk.full = !voter && sim_odds(sim, 2000);
    if (voter) {
        struct replica_member members[SIM_NODES] = { 0 };
        for (uint32_t i = 0; i < sim->voters; i++) {
            const struct replica_conf other = conf_of(sim, &sim->nodes[i + 1]);
            members[i].id = other.self;
            memcpy(members[i].address, other.address, strlen(other.address) + 1);
        }
        result = replica_bootstrap(disk, &conf, members, sim->voters);
    } else {
        result = replica_create(disk, &conf);
        if (result.code == FAILURE_NO_SPACE) {
            sim_seen(sim, FAULT_NO_SPACE_TO_CREATE);
            node->disk.full = false;
            result = replica_create(disk, &conf);
        }
    }
    if (result.code != 0) {
        sim_fail(sim, "CREATE %u: %s", id, result_name(result));
    }
    node->disk.die_odds = die;
    node->disk.fail_odds = fail;
    node->created = true;
}

void sim_node_start(struct sim *sim, struct sim_node *node)
{
    CHECK(node->created);
    CHECK(!node->up);
    node->life++;
    sim_disk_restart(&node->disk);
    node->dying = false;
    node->machine = node->flushed;
    node->fetch_busy = false;
    node->reopened_seen = 0;
    memset(node->waiting, 0, sizeof(node->waiting));
    contexts[node->id] = (struct context){ sim, node };
    sim_check_forget(sim, node->id);
    struct replica_host host = host_calls;
    host.context = &contexts[node->id];
    const struct replica_conf conf = conf_of(sim, node);
    struct result result =
        replica_open(sim_disk_disk(&node->disk), &conf, &host, sim->now_ms, &node->replica);
    node->up = true;
    if (result.code != 0) {
        node->replica = NULL;
        if (!node->disk.dead && result.code != FAILURE_IO) {
            sim_fail(sim, "START %u: %s", node->id, result_name(result));
        }
        sim_node_crash(sim, node, sim_odds(sim, 5000));
        return;
    }
    sim_after(sim, 1 + sim_below(sim, LIMIT_TICK_MS), SIM_TICK, node->id);
    sim_after(sim, 1 + sim_below(sim, 400), SIM_FLUSH, node->id);
    sim_trace(sim, "n%u starts", node->id);
    sim_node_settle(sim, node);
}

void sim_node_crash(struct sim *sim, struct sim_node *node, bool power)
{
    CHECK(node->up);
    uint64_t torn = node->disk.torn;
    sim_trace(sim, "n%u %s", node->id, power ? "loses power" : "is killed");
    sim_seen(sim, power ? FAULT_POWER_LOSS : FAULT_KILL);
    replica_close(node->replica);
    node->replica = NULL;
    node->up = false;
    node->life++;
    if (power) {
        sim_disk_power_loss(&node->disk);
    } else {
        sim_disk_kill(&node->disk);
    }
    if (node->disk.torn != torn) {
        sim_seen(sim, FAULT_TORN_WRITE);
    }
    sim_after(
        sim, 3 + sim_below(sim, sim->healed ? 20 : sim->mix->restart_ms), SIM_RESTART, node->id);
}

void sim_node_settle(struct sim *sim, struct sim_node *node)
{
    CHECK(node->up);
    struct replica_status status;
    if (node->dying || node->disk.dead) {
        sim_seen(sim, node->disk.dead ? FAULT_DEATH_IN_DISK_CALL : FAULT_FAILED_DISK_CALL);
        sim_node_crash(sim, node, sim_odds(sim, 5000));
        return;
    }
    replica_status(node->replica, &status);
    if (status.reopened != node->reopened_seen) {
        node->reopened_seen = status.reopened;
        sim_seen(sim, FAULT_OBJECT_REOPENED);
        sim_check_forget(sim, node->id);
    }
    CHECK(status.role != REPLICA_HALTED);
    sim_check_node(sim, node);
}

struct sim_node *sim_leader(struct sim *sim)
{
    struct sim_node *found = NULL;
    uint64_t count = 0;
    for (uint32_t id = 1; id <= SIM_NODES; id++) {
        struct replica_status status;
        if (!sim->nodes[id].up) {
            continue;
        }
        replica_status(sim->nodes[id].replica, &status);
        if (status.role == REPLICA_LEADING && sim_below(sim, ++count) == 0) {
            found = &sim->nodes[id];
        }
    }
    CHECK((found == NULL) == (count == 0));
    return found;
}
