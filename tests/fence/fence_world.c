/* Decides when a letter comes and what each clock shows. Never decides what anybody does. */
#include "tests/fence/fence.h"

#include "base/check.h"

#include <stdio.h>
#include <string.h>

enum { PER_MILLE = 1000, LATE_MS_MAX = 30000 };

uint64_t world_clock(const struct world *world, const struct clock *clock)
{
    return clock->offset_ms + world->now_ms * clock->rate / PER_MILLE;
}

bool world_chance(struct world *world, uint64_t per_mille)
{
    return prng_below(&world->prng, PER_MILLE) < per_mille;
}

void world_fail(struct world *world, const char *what, uint32_t node)
{
    if (world->failure[0] == '\0') {
        (void)snprintf(
            world->failure,
            sizeof(world->failure),
            "%s (node %u, true time %llu ms)",
            what,
            node,
            (unsigned long long)world->now_ms);
    }
}

static struct clock some_clock(struct world *world)
{
    const uint64_t rates[] = { 990, 990, 995, 1000, 1005, 1010, 1010 };
    return (struct clock){ .offset_ms = 1000 + prng_below(&world->prng, 5000000),
                           .rate = rates[prng_below(&world->prng, COUNT_OF(rates))] };
}

void world_init(struct world *world, uint64_t seed, struct tally *tally)
{
    memset(world, 0, sizeof(*world));
    prng_seed(&world->prng, seed);
    world->seed = seed;
    world->tally = tally;
    world->now_ms = 1000;
    world->nodes = 1 + (uint32_t)prng_below(&world->prng, FENCE_NODES);
    world->delay_ms_max = 40;
    world->majority = true;
    for (uint32_t i = 0; i < FENCE_CONTROLLERS; i++) {
        world->controllers[i].clock = some_clock(world);
        world->controllers[i].up = true;
        liveness_init(&world->controllers[i].liveness, FENCE_NODES, world->controllers[i].rows);
    }
    world->agreed.leader = FENCE_CONTROLLERS;
    world->agreed.epoch = 1;
    /* The last ones join later, now and then; until then nothing has its home there. */
    uint32_t members = 1 + (uint32_t)prng_below(&world->prng, world->nodes);
    members = world_chance(world, 600) ? world->nodes : members;
    world->agreed.members_new = (1U << members) - 1;
    world->agreed.buried = ((1U << world->nodes) - 1) & ~world->agreed.members_new;
    for (uint32_t i = 0; i < world->nodes; i++) {
        world->machines[i].clock = some_clock(world);
        world->agreed.guests[i] = (struct guest){ .home = i % members, .epoch = 1 };
        rule_node_boot(world, i);
    }
}

static uint64_t *life_of(struct world *world, uint32_t machine)
{
    static uint64_t controllers_live;
    return machine < FENCE_CONTROLLERS ? &controllers_live
                                       : &world->machines[machine - FENCE_CONTROLLERS].life;
}

/* NULL: it is lost on its way. A lost one may also come late, or twice. */
struct letter *world_post(struct world *world, enum letter_kind kind, uint32_t from, uint32_t to)
{
    if (world->cut[from][to] || prng_below(&world->prng, 100) < world->loss_percent) {
        return NULL;
    }
    for (uint32_t i = 0; i < FENCE_LETTERS; i++) {
        struct letter *letter = &world->letters[i];
        if (letter->kind == 0) {
            bool late = !world->quiet && world_chance(world, 10);
            uint64_t most = late ? LATE_MS_MAX : world->delay_ms_max;
            *letter =
                (struct letter){ .kind = kind,
                                 .from = from,
                                 .to = to,
                                 .life = *life_of(world, to),
                                 .at_ms = world->now_ms + 1 + prng_below(&world->prng, most) };
            world->letters_count = i + 1 > world->letters_count ? i + 1 : world->letters_count;
            return letter;
        }
    }
    return NULL; /* So many under way are as good as a network that drops. */
}

static void deliver(struct world *world, struct letter *letter)
{
    struct letter arrived = *letter;
    letter->kind = (enum letter_kind)0;
    if (arrived.to >= FENCE_CONTROLLERS) {
        const struct node *node = &world->machines[arrived.to - FENCE_CONTROLLERS];
        if (node->up && node->life == arrived.life && node->guard_back_ms == 0) {
            rule_node_letter(world, arrived.to - FENCE_CONTROLLERS, &arrived);
        }
    } else if (world->controllers[arrived.to].up) {
        rule_controller_letter(world, arrived.to, &arrived);
    }
    world->tally->events++;
}

static void letters_come(struct world *world)
{
    uint32_t begin = (uint32_t)prng_below(&world->prng, world->letters_count + 1);
    uint32_t count = world->letters_count;
    for (uint32_t i = 0; i < count; i++) { /* From anywhere on: overtaking is normal. */
        struct letter *letter = &world->letters[(begin + i) % count];
        bool waits = letter->kind != 0 && letter->to < FENCE_CONTROLLERS &&
                     world->controllers[letter->to].paused_until_ms > world->now_ms;
        if (letter->kind != 0 && letter->at_ms <= world->now_ms && !waits) {
            deliver(world, letter);
        }
    }
    while (world->letters_count > 0 && world->letters[world->letters_count - 1].kind == 0) {
        world->letters_count--;
    }
}

/* INV-VM-1, as the world knows it. */
static void judge(struct world *world)
{
    for (uint32_t guest = 0; guest < world->nodes; guest++) {
        uint32_t running = 0;
        for (uint32_t i = 0; i < world->nodes; i++) {
            struct copy *copy = &world->machines[i].copies[guest];
            if (copy->runs && copy->dies_ms != 0 && copy->dies_ms <= world->now_ms) {
                copy->runs = false;
                copy->dies_ms = 0;
            }
            running += copy->runs ? 1 : 0;
        }
        if (running > 1) {
            world_fail(world, "a guest runs on two nodes", guest);
        }
    }
}

bool world_step(struct world *world)
{
    world->now_ms += 1 + prng_below(&world->prng, FENCE_STEP_MS);
    letters_come(world);
    for (uint32_t i = 0; i < FENCE_CONTROLLERS; i++) {
        if (world->controllers[i].up && world->controllers[i].paused_until_ms <= world->now_ms) {
            rule_controller_time(world, i);
        }
    }
    for (uint32_t i = 0; i < world->nodes; i++) {
        rule_node_time(world, i);
    }
    judge(world);
    return world->failure[0] == '\0';
}
