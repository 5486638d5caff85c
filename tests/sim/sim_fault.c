/* Decides when crashes, operators and clients strike. Never decides what a crash leaves. */
#include "base/check.h"
#include "tests/sim/sim.h"

#include <string.h>

void sim_fault_begin(struct sim *sim)
{
    const struct sim_mix *mix = sim->mix;
    sim->load_ms = 2 + sim_below(sim, 40);
    sim->heavy = sim_odds(sim, 3000);
    sim->churn_ms = 80 + sim_below(sim, 900);
    sim->load_ms = mix->load_ms != 0 ? mix->load_ms : sim->load_ms;
    sim->churn_ms = mix->churn_ms != 0 ? mix->churn_ms : sim->churn_ms;
    sim_after(sim, 75, SIM_CLIENT, 0);
    sim_after(sim, 225, SIM_CRASH, 0);
    sim_after(sim, 375, SIM_WEATHER, 0);
    if (mix->operate_ms != 0) {
        sim_after(sim, 450, SIM_OPERATE, 0);
    }
    uint64_t die = sim_odds(sim, 6000) ? 2000 : 0;
    uint64_t fail = sim_odds(sim, 3000) ? 500 : 0;
    for (uint32_t id = 1; id <= SIM_NODES; id++) {
        CHECK(sim->nodes[id].disk.prng != NULL);
        sim->nodes[id].disk.die_odds = die;
        sim->nodes[id].disk.fail_odds = fail;
    }
}

static void submit(struct sim *sim, struct sim_node *node)
{
    uint8_t room[SIM_ENTRY_MAX];
    size_t size = 8 + (size_t)sim_below(sim, sim->heavy || sim_odds(sim, 1000) ? 900 : 48);
    uint32_t command = sim->next_command;
    uint64_t ticket = 0;
    int slot = node->waiting[0].ticket == 0 ? 0 : 1;
    CHECK(command < SIM_INDEXES);
    sim_machine_entry(command, room, size);
    /* A lone voter applies inside the call: the slot must know its ticket first. */
    struct replica_status status;
    replica_status(node->replica, &status);
    CHECK(status.role != REPLICA_HALTED);
    node->waiting[slot].command = command;
    struct result result = replica_submit(
        node->replica,
        sim->now_ms,
        slice_of(room, size),
        sim_odds(sim, 1000),
        &node->waiting[slot].ticket);
    ticket = node->waiting[slot].ticket;
    sim_hash(sim, ticket + result.code);
    if (result.code == FAILURE_FULL) {
        sim_seen(sim, FAULT_LOG_FULL);
    }
    if (result.code == 0) {
        sim->next_command++;
        if (sim->healed && (sim->marker == 0 || sim_odds(sim, 2500)) &&
            !sim_check_acknowledged(sim, sim->marker)) {
            sim->marker = command;
        }
    }
    if (result.code == 0 && !sim->healed && node->up &&
        sim_odds(sim, sim->mix->crash_after_entry)) {
        sim_after(sim, 1 + sim_below(sim, 6), SIM_DIE, node->id);
    }
    sim_node_settle(sim, node);
}

void sim_fault_client(struct sim *sim)
{
    struct sim_node *node = sim_leader(sim);
    bool done = sim->healed && sim_check_acknowledged(sim, sim->marker);
    if (node != NULL && !done && (node->waiting[0].ticket == 0 || node->waiting[1].ticket == 0)) {
        submit(sim, node);
    }
    CHECK(sim->load_ms > 0);
    sim_after(sim, 1 + sim_below(sim, sim->healed ? 60 : 2 * sim->load_ms), SIM_CLIENT, 0);
}

void sim_fault_crash(struct sim *sim)
{
    bool all = sim_odds(sim, 300);
    uint32_t count = all ? SIM_NODES : 1 + (sim_odds(sim, 1500) ? 2 : 0);
    if (sim->healed) {
        return;
    }
    if (all) {
        sim_seen(sim, FAULT_ALL_DOWN);
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t id = all ? i + 1 : 1 + (uint32_t)sim_below(sim, SIM_NODES);
        struct sim_node *node = &sim->nodes[id];
        struct sim_node *leader =
            !all && sim_odds(sim, sim->mix->crash_leader) ? sim_leader(sim) : NULL;
        node = leader != NULL ? leader : node;
        CHECK(node->id >= 1);
        if (node->up) {
            sim_node_crash(sim, node, sim_odds(sim, 5000));
        }
    }
    sim_after(sim, 10 + sim_below(sim, 2 * sim->churn_ms), SIM_CRASH, 0);
}

static void add(struct sim *sim, struct sim_node *leader, struct sim_node *node)
{
    static const char *const addresses[] = { "",     "n1:1", "n2:1", "n3:1",
                                             "n4:1", "n5:1", "n6:1", "n7:1" };
    CHECK(node->id < COUNT_OF(addresses));
    if (!node->created) {
        sim_node_begin(sim, node->id, false);
        sim_node_start(sim, node);
    }
    struct result result = replica_add(leader->replica, sim->now_ms, node->id, addresses[node->id]);
    sim_trace(sim, "n%u adds n%u: %s", leader->id, node->id, result_name(result));
    if (result.code == 0) {
        sim_seen(sim, FAULT_MEMBER_ADDED);
    }
}

void sim_fault_operate(struct sim *sim)
{
    struct sim_node *leader = sim_leader(sim);
    uint64_t what = sim_below(sim, 10);
    struct sim_node *node = &sim->nodes[1 + sim_below(sim, SIM_NODES)];
    struct replica_status status;
    if (sim->healed) {
        return;
    }
    sim_after(sim, 15 + sim_below(sim, sim->mix->operate_ms), SIM_OPERATE, 0);
    if (sim_odds(sim, sim->heavy ? 2000 : 600)) {
        sim->refuse_until_ms = sim->now_ms + sim_below(sim, 5000);
    }
    if (leader == NULL) {
        return;
    }
    CHECK(leader->up);
    replica_status(leader->replica, &status);
    if (what < sim->mix->transfers) {
        struct result result =
            replica_transfer(leader->replica, sim->now_ms, sim_odds(sim, 5000) ? 0 : node->id);
        if (result.code == 0) {
            sim_seen(sim, FAULT_TRANSFER);
        }
    } else if (what < sim->mix->transfers + sim->mix->additions) {
        add(sim, leader, node);
    } else if (status.member_count > sim->mix->members_kept) {
        struct result result = replica_remove(leader->replica, sim->now_ms, node->id);
        sim_trace(sim, "n%u removes n%u: %s", leader->id, node->id, result_name(result));
        if (result.code == 0) {
            sim_seen(sim, FAULT_MEMBER_REMOVED);
        }
    }
    sim_node_settle(sim, leader);
}

void sim_fault_heal(struct sim *sim)
{
    CHECK(!sim->healed);
    sim->healed = true;
    sim->refuse_until_ms = 0;
    sim_trace(sim, "--- healed ---");
    sim_net_weather(sim, true);
    for (uint32_t id = 1; id <= SIM_NODES; id++) {
        CHECK(sim->nodes[id].id == id);
        sim->nodes[id].disk.die_odds = 0;
        sim->nodes[id].disk.fail_odds = 0;
    }
}
