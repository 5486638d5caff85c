/* Decides what goes wrong in one life, and what it must have come to in the end. Never touches what
 * the two cores hold. */
#include "tests/fence/fence.h"

#include "base/check.h"

#include <string.h>

enum {
    TROUBLE_MS = 240 * 1000,
    HEALTHY_MS = 15 * 1000,
    DARK_MS = 120 * 1000,
    SEEN_MS = 20 * 1000, /* From evidence that a node is off to its guests' start elsewhere. */
    /* To be placed again: the longest wait for whoever was frozen when it ended, an election's, the
     * settling of two epochs, orders. */
    HEAL_MS = 2 * FENCE_DEAD_MS + 40 * 1000,
};

static void everything_heals(struct world *world)
{
    memset(world->cut, 0, sizeof(world->cut));
    world->loss_percent = 0;
    world->delay_ms_max = 40;
    world->majority = true;
    for (uint32_t i = 0; i < FENCE_CONTROLLERS; i++) {
        world->controllers[i].up = true;
        world->controllers[i].paused_until_ms = 0;
    }
}

static void elect(struct world *world)
{
    uint32_t begin = (uint32_t)prng_below(&world->prng, FENCE_CONTROLLERS);
    for (uint32_t i = 0; i < FENCE_CONTROLLERS; i++) {
        uint32_t controller = (begin + i) % FENCE_CONTROLLERS;
        if (world->controllers[controller].up &&
            world->controllers[controller].paused_until_ms <= world->now_ms) {
            rule_elect(world, controller);
            return;
        }
    }
}

/* A set of machines hears nothing of the rest, or is not heard, or both; among nodes, or from the
 * controllers alone. */
static void cut_some(struct world *world)
{
    bool apart[FENCE_MACHINES] = { false };
    uint64_t share = prng_below(&world->prng, 1001);
    for (uint32_t i = 0; i < FENCE_MACHINES; i++) {
        apart[i] = world_chance(world, share);
    }
    uint64_t ways = 1 + prng_below(&world->prng, 3); /* Bits: out of the set, into it. */
    bool peers_too = world_chance(world, 500);
    for (uint32_t from = 0; from < FENCE_MACHINES; from++) {
        for (uint32_t to = 0; to < FENCE_MACHINES; to++) {
            bool among_nodes = from >= FENCE_CONTROLLERS && to >= FENCE_CONTROLLERS;
            bool out = apart[from] && !apart[to] && (ways & 1U) != 0;
            bool in = !apart[from] && apart[to] && (ways & 2U) != 0;
            if ((out || in) && (peers_too || !among_nodes)) {
                world->cut[from][to] = true;
            }
        }
    }
}

/* One node, mostly the same, to or from the controllers; its peers go on hearing it. */
static void cut_one(struct world *world)
{
    uint64_t node = world_chance(world, 800) ? 0 : prng_below(&world->prng, world->nodes);
    uint32_t machine = FENCE_CONTROLLERS + (uint32_t)node;
    bool out = world_chance(world, world->share_out);
    bool in = world_chance(world, world->share_in);
    for (uint32_t i = 0; i < FENCE_CONTROLLERS; i++) {
        world->cut[machine][i] = out;
        world->cut[i][machine] = in;
    }
}

/* Every path on its own: what flaps does not flap together. */
static void cut_paths(struct world *world)
{
    uint64_t share = prng_below(&world->prng, 400);
    for (uint32_t from = 0; from < FENCE_MACHINES; from++) {
        for (uint32_t to = 0; to < FENCE_MACHINES; to++) {
            world->cut[from][to] = world_chance(world, share);
        }
    }
}

static void power(struct world *world)
{
    uint32_t node = (uint32_t)prng_below(&world->prng, world->nodes);
    struct node *self = &world->machines[node];
    if (!self->up) {
        for (uint32_t guest = 0; guest < world->nodes; guest++) {
            if (world->agreed.guests[guest].home != node) {
                world->tally->returned++;
                break;
            }
        }
        rule_node_boot(world, node);
        return;
    }
    self->up = false;
    for (uint32_t guest = 0; guest < world->nodes; guest++) {
        self->copies[guest].runs = false;
    }
    world->tally->power_cuts++;
}

/* Somebody looks at the power of a node that has none. */
static void look_at_power(struct world *world)
{
    uint32_t leader = world->agreed.leader;
    for (uint32_t node = 0; node < world->nodes; node++) {
        if (!world->machines[node].up && leader < FENCE_CONTROLLERS && world->majority &&
            world->controllers[leader].up &&
            world->controllers[leader].paused_until_ms <= world->now_ms) {
            world->agreed.off |= 1U << node;
            rule_members(world, leader);
        }
    }
}

static void kill_guard(struct world *world)
{
    struct node *self = &world->machines[prng_below(&world->prng, world->nodes)];
    if (self->up && self->guard_back_ms == 0) {
        self->guard_back_ms = world->now_ms + 1 + prng_below(&world->prng, 5000);
    }
}

static void leader_sleeps(struct world *world)
{
    if (world->agreed.leader == FENCE_CONTROLLERS) {
        return;
    }
    struct controller *leader = &world->controllers[world->agreed.leader];
    leader->paused_until_ms = world->now_ms + prng_below(&world->prng, 50000);
    for (uint32_t i = 0; i < FENCE_PENDING; i++) {
        leader->pending[i].confirmed = world->majority;
    }
}

static void strike(struct world *world, enum strike strike)
{
    switch (strike) {
    case STRIKE_CALM: everything_heals(world); break;
    case STRIKE_CUT_SOME: cut_some(world); break;
    case STRIKE_CUT_ONE: cut_one(world); break;
    case STRIKE_CUT_PATHS: cut_paths(world); break;
    case STRIKE_LOSS: world->loss_percent = (uint32_t)prng_below(&world->prng, 80); break;
    case STRIKE_DELAY: world->delay_ms_max = 1 + prng_below(&world->prng, 4000); break;
    case STRIKE_ELECTION: elect(world); break;
    case STRIKE_LEADER_SLEEPS: leader_sleeps(world); break;
    case STRIKE_NO_MAJORITY: world->majority = !world->majority; break;
    case STRIKE_POWER: power(world); break;
    case STRIKE_POWER_SEEN: look_at_power(world); break;
    case STRIKE_GUARD: kill_guard(world); break;
    case STRIKE_BURY: world->agreed.buried ^= 1U << prng_below(&world->prng, world->nodes); break;
    case STRIKE_MEND: memset(world->cut, 0, sizeof(world->cut)); break;
    case STRIKES: break;
    }
}

/* What one kind of harm needs: a mix, and the longest pause between two strikes of it. */
static const struct {
    uint64_t pause_ms;
    uint8_t weights[STRIKES];
} moods[] = {
    { 2500, { [STRIKE_CUT_ONE] = 1 } },
    { 60000, { [STRIKE_CUT_SOME] = 3, [STRIKE_BURY] = 4 } },
    { 3000,
      { [STRIKE_ELECTION] = 6, [STRIKE_CUT_PATHS] = 2, [STRIKE_CUT_ONE] = 2, [STRIKE_MEND] = 1 } },
    { 15000,
      { [STRIKE_POWER] = 3, [STRIKE_POWER_SEEN] = 2, [STRIKE_CUT_SOME] = 3, [STRIKE_MEND] = 1 } },
    { 6000, { [STRIKE_DELAY] = 3, [STRIKE_CUT_SOME] = 3, [STRIKE_LOSS] = 2, [STRIKE_MEND] = 1 } },
};

/* Each seed has its own mix, or one of those: what is rare together is common somewhere. */
static void mix(struct world *world)
{
    const uint64_t paces[] = { 800, 3000, 10000, 25000 };
    const uint64_t looks[] = { 100, 1000, 1000, 7000, 20000 };
    uint64_t mood = prng_below(&world->prng, 2 * COUNT_OF(moods));
    bool free = mood >= COUNT_OF(moods);
    for (int i = 0; i < STRIKES; i++) {
        bool left_out = world_chance(world, 400);
        uint32_t weight = left_out ? 0 : 1 + (uint32_t)prng_below(&world->prng, 8);
        world->weights[i] = free ? weight : moods[mood].weights[i];
    }
    world->weights[STRIKE_MEND] += free ? 1 : 0; /* Never nothing. */
    world->pause_ms =
        free ? paces[prng_below(&world->prng, COUNT_OF(paces))] : moods[mood].pause_ms;
    world->share_out = 200 + prng_below(&world->prng, 780);
    world->share_in = 200 + prng_below(&world->prng, 780);
    world->look_ms = looks[prng_below(&world->prng, COUNT_OF(looks))];
}

static enum strike some_strike(struct world *world)
{
    uint64_t sum = 0;
    for (int i = 0; i < STRIKES; i++) {
        sum += world->weights[i];
    }
    uint64_t left = prng_below(&world->prng, sum);
    int at = 0;
    while (left >= world->weights[at]) {
        left -= world->weights[at++];
    }
    return (enum strike)at;
}

static bool lives(struct world *world, uint64_t until_ms)
{
    while (world->now_ms < until_ms) {
        uint32_t leader = world->agreed.leader;
        bool led = leader < FENCE_CONTROLLERS && world->controllers[leader].up &&
                   world->controllers[leader].paused_until_ms <= world->now_ms;
        if (!led && world->majority && world_chance(world, 40)) {
            elect(world);
        }
        if (!world->quiet && world->now_ms >= world->weather_ms) {
            strike(world, some_strike(world));
            world->weather_ms = world->now_ms + 1 + prng_below(&world->prng, world->pause_ms);
        }
        if (!world_step(world)) {
            return false;
        }
    }
    return true;
}

static uint32_t running(const struct world *world)
{
    uint32_t count = 0;
    for (uint32_t guest = 0; guest < world->nodes; guest++) {
        for (uint32_t node = 0; node < world->nodes; node++) {
            const struct copy *copy = &world->machines[node].copies[guest];
            count += copy->runs && copy->dies_ms == 0 ? 1 : 0;
        }
    }
    return count;
}

/* With every controller dead, and all nodes in sight of each other, nothing stops. */
static bool dark_day(struct world *world)
{
    for (uint32_t i = 0; i < FENCE_CONTROLLERS; i++) {
        world->controllers[i].up = false;
    }
    world->majority = false;
    world->agreed.leader = FENCE_CONTROLLERS;
    uint64_t ended = world->tally->ended;
    uint64_t until_ms = world->now_ms + DARK_MS;
    if (!lives(world, until_ms)) {
        return false;
    }
    if (world->tally->ended != ended) {
        world_fail(world, "every controller is dead, and guests were ended", 0);
        return false;
    }
    world->tally->dark_days++;
    return true;
}

static void all_up(struct world *world)
{
    everything_heals(world);
    world->quiet = true;
    world->look_ms = 1000;
    world->agreed.buried = 0;
    for (uint32_t node = 0; node < world->nodes; node++) {
        if (!world->machines[node].up) {
            rule_node_boot(world, node);
        }
    }
}

bool day_lives(struct world *world)
{
    mix(world);
    world->quiet = true;
    if (!lives(world, world->now_ms + HEALTHY_MS)) {
        return false;
    }
    world->quiet = false;
    if (!lives(world, world->now_ms + TROUBLE_MS)) {
        return false;
    }
    /* One node may stay dead for good: the others go on without it. */
    all_up(world);
    uint32_t dead = (uint32_t)prng_below(&world->prng, world->nodes);
    bool one_is_dead = world->nodes > 2 && world_chance(world, 300);
    if (one_is_dead) {
        memset(&world->machines[dead].copies, 0, sizeof(world->machines[dead].copies));
        world->machines[dead].up = false;
    }
    if (!lives(world, world->now_ms + HEAL_MS)) {
        return false;
    }
    /* Of a small cell so many may be lost that nobody may conclude anything: somebody has to look.
     */
    if (one_is_dead && running(world) != world->nodes) {
        look_at_power(world);
        if (!lives(world, world->now_ms + SEEN_MS)) {
            return false;
        }
    }
    if (running(world) != world->nodes) {
        world_fail(world, "not every guest came back", running(world));
        return false;
    }
    bool lived = one_is_dead || dark_day(world);
    world->tally->virtual_ms += world->now_ms;
    return lived;
}
