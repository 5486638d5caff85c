/* The life of one seed: events in order of time, then of age. Decides nothing about what they do.
 */
#include "base/check.h"
#include "controller/replica_inner.h"
#include "tests/sim/sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uint64_t sim_below(struct sim *sim, uint64_t bound)
{
    CHECK(bound > 0);
    return prng_below(&sim->prng, bound);
}

bool sim_odds(struct sim *sim, uint64_t per_ten_thousand)
{
    CHECK(per_ten_thousand <= 10000);
    return per_ten_thousand > 0 && sim_below(sim, 10000) < per_ten_thousand;
}

void sim_trace(struct sim *sim, const char *format, ...)
{
    CHECK(format != NULL);
    if (!sim->verbose) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    (void)printf("%6llu ", (unsigned long long)sim->now_ms);
    (void)vprintf(format, arguments);
    (void)printf("\n");
    va_end(arguments);
}

void sim_fail(struct sim *sim, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(sim->tally->what, sizeof(sim->tally->what), format, arguments);
    va_end(arguments);
    sim->tally->failed = true;
    sim_trace(sim, "VIOLATION %s", sim->tally->what);
    (void)fflush(stdout);
    _exit(10);
}

void sim_hash(struct sim *sim, uint64_t value)
{
    sim->tally->hash = (sim->tally->hash ^ value) * UINT64_C(0x100000001b3);
    sim->tally->hash ^= sim->tally->hash >> 31;
}

void sim_seen(struct sim *sim, enum sim_fault fault)
{
    CHECK(fault < FAULTS);
    sim->tally->faults[fault]++;
}

static bool earlier(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

void sim_post(
    struct sim *sim,
    uint64_t delay_ms,
    enum sim_kind kind,
    uint32_t node,
    struct sim_letter *letter)
{
    struct sim_event event = {
        .at_ms = sim->now_ms + delay_ms,
        .order = sim->event_order++,
        .kind = kind,
        .node = node,
        .life = sim->nodes[node].life,
        .letter = letter,
    };
    CHECK(node <= SIM_NODES);
    CHECK(sim->queue_count < SIM_EVENTS);
    uint32_t at = sim->queue_count++;
    while (at > 0 && earlier(&event, &sim->queue[(at - 1) / 2])) {
        sim->queue[at] = sim->queue[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    sim->queue[at] = event;
}

void sim_after(struct sim *sim, uint64_t delay_ms, enum sim_kind kind, uint32_t node)
{
    sim_post(sim, delay_ms, kind, node, NULL);
}

static struct sim_event take(struct sim *sim)
{
    CHECK(sim->queue_count > 0);
    struct sim_event first = sim->queue[0];
    struct sim_event last = sim->queue[--sim->queue_count];
    uint32_t at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= sim->queue_count) {
            break;
        }
        if (child + 1 < sim->queue_count && earlier(&sim->queue[child + 1], &sim->queue[child])) {
            child++;
        }
        if (!earlier(&sim->queue[child], &last)) {
            break;
        }
        sim->queue[at] = sim->queue[child];
        at = child;
    }
    sim->queue[at] = last;
    return first;
}

static void fetched(struct sim *sim, struct sim_node *node)
{
    CHECK(node->fetch_busy);
    node->fetch_busy = false;
    if (sim->nodes[node->fetch_from].up && !sim->weather.cut[node->fetch_from][node->id]) {
        node->fetched = node->fetching;
    }
}

static void happen(struct sim *sim, const struct sim_event *event)
{
    struct sim_node *node = &sim->nodes[event->node];
    switch (event->kind) {
    case SIM_TICK:
        sim_after(sim, LIMIT_TICK_MS, SIM_TICK, event->node);
        replica_tick(node->replica, sim->now_ms);
        sim_node_settle(sim, node);
        return;
    case SIM_DELIVER: sim_net_deliver(sim, event->letter); return;
    case SIM_CLIENT: sim_fault_client(sim); return;
    case SIM_CRASH: sim_fault_crash(sim); return;
    case SIM_DIE: sim_node_crash(sim, node, sim_odds(sim, 5000)); return;
    case SIM_RESTART: sim_node_start(sim, node); return;
    case SIM_OPERATE: sim_fault_operate(sim); return;
    case SIM_WEATHER:
        if (!sim->healed) {
            sim_net_weather(sim, false);
            sim_after(sim, 30 + sim_below(sim, sim->mix->weather_ms), SIM_WEATHER, 0);
        }
        return;
    case SIM_FETCHED: fetched(sim, node); return;
    case SIM_FLUSH:
        node->flushed = node->machine;
        sim_after(sim, 1 + sim_below(sim, 400), SIM_FLUSH, event->node);
        return;
    }
    UNREACHABLE();
}

static void begin(struct sim *sim)
{
    prng_seed(&sim->prng, sim->seed);
    sim->voters = sim_odds(sim, 5000) ? 3 : 5;
    sim->voters = sim->mix->voters != 0 ? sim->mix->voters : sim->voters;
    sim->now_ms = 1000;
    sim->end_ms = sim->now_ms + SIM_RUN_MS;
    sim->limit_ms = sim->end_ms + SIM_HEAL_MS;
    sim->next_command = 1;
    sim->queue = calloc(SIM_EVENTS, sizeof(*sim->queue));
    CHECK(sim->queue != NULL);
    sim_check_begin(sim);
    sim_net_weather(sim, true);
    for (uint32_t id = 0; id <= SIM_NODES; id++) {
        sim->nodes[id].id = id;
        sim_disk_init(&sim->nodes[id].disk, &sim->prng);
    }
    for (uint32_t id = 1; id <= sim->voters; id++) {
        sim_node_begin(sim, id, true);
        sim_node_start(sim, &sim->nodes[id]);
    }
    sim_fault_begin(sim);
}

static void dump(struct sim *sim)
{
    for (uint32_t id = 1; id <= SIM_NODES; id++) {
        struct replica_status status = { 0 };
        if (sim->nodes[id].up) {
            replica_status(sim->nodes[id].replica, &status);
        }
        CHECK(status.member_count <= SIM_NODES);
        sim_trace(
            sim,
            "n%u role %d term %llu commit %llu applied %llu log %llu..%llu snapshot %llu fill %u",
            id,
            (int)status.role,
            (unsigned long long)status.term,
            (unsigned long long)status.commit,
            (unsigned long long)status.applied,
            (unsigned long long)status.first,
            (unsigned long long)status.last,
            (unsigned long long)status.snapshot,
            (unsigned int)status.fill_percent);
        if (sim->nodes[id].up) {
            const struct raft *raft = &sim->nodes[id].replica->object.raft;
            sim_trace(
                sim,
                "    members of %llu, a change of %llu under way",
                raft->configuration_index,
                raft->configuration_uncommitted_index);
        }
        for (uint32_t i = 0; i < status.member_count; i++) {
            sim_trace(
                sim,
                "    n%llu role %d match %llu heard %llu",
                (unsigned long long)status.members[i].id,
                (int)status.members[i].role,
                (unsigned long long)status.members[i].match,
                (unsigned long long)status.members[i].heard_ms);
        }
    }
}

static void end(struct sim *sim)
{
    sim_check_end(sim);
    for (uint32_t id = 1; id <= SIM_NODES; id++) {
        replica_close(sim->nodes[id].replica);
        sim_disk_free(&sim->nodes[id].disk);
    }
    CHECK(sim->tally->seeds < UINT64_MAX);
    while (sim->queue_count > 0) {
        free(take(sim).letter);
    }
    free(sim->queue);
}

void sim_run(struct sim *sim)
{
    begin(sim);
    bool converged = false;
    while (!converged) {
        struct sim_event event = take(sim);
        CHECK(event.at_ms >= sim->now_ms);
        sim->now_ms = event.at_ms;
        if (!sim->healed && sim->now_ms >= sim->end_ms) {
            sim_fault_heal(sim);
        }
        if (event.node != 0 && event.life != sim->nodes[event.node].life) {
            continue;
        }
        sim->tally->events++;
        sim_hash(sim, event.at_ms * 16 + event.kind + event.node * UINT64_C(0x10001));
        happen(sim, &event);
        if (sim->until != 0 && sim->tally->events >= sim->until) {
            sim_fail(sim, "UNTIL event %llu", (unsigned long long)sim->until);
        }
        if (sim->healed && (event.kind == SIM_TICK || event.kind == SIM_CLIENT)) {
            converged = sim_check_converged(sim);
        }
        if (sim->now_ms > sim->limit_ms) {
            dump(sim);
            sim_fail(sim, "LIVENESS no convergence in %d ms", SIM_HEAL_MS);
        }
    }
    end(sim);
    sim->tally->virtual_ms += sim->now_ms - 1000;
}
