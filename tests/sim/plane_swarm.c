/* Decides what each seed draws: the size of its cell where nobody said it, which kinds of fault it
 * knows and how often they strike. A seed that knows every fault hides what only few of them find.
 */
#include "base/check.h"
#include "tests/sim/plane_fault.h"
#include "tests/sim/trial.h"

/* Out of all strikes, before the seed's own mix. */
static const uint32_t weights[STRIKES_END] = {
    [STRIKE_PROCESS] = 12, [STRIKE_ALL] = 1,        [STRIKE_SNAPSHOT] = 4, [STRIKE_MEMBER] = 3,
    [STRIKE_FULL] = 2,     [STRIKE_STORE] = 2,      [STRIKE_CALLS] = 3,    [STRIKE_SLOW_DISK] = 3,
    [STRIKE_ROT] = 1,      [STRIKE_LIE] = 1,        [STRIKE_STRAY] = 1,    [STRIKE_SAVE] = 2,
    [STRIKE_SET_BACK] = 2, [STRIKE_STANDSTILL] = 4, [STRIKE_SLOW] = 3,     [STRIKE_CLOCK] = 4,
    [STRIKE_FLAP] = 2,     [STRIKE_FLOOD] = 2,      [STRIKE_NODE] = 3,     [STRIKE_FORGETS] = 1,
    [STRIKE_AGENT] = 5,    [STRIKE_HOST] = 5,       [STRIKE_LIBVIRT] = 3,  [STRIKE_GUEST] = 5,
    [STRIKE_LOSES] = 2,
};

static void draw_cell(struct plane *plane)
{
    static const uint64_t thinks[] = { 1400, 2200, 3400 };
    struct plane_conf *conf = &plane->conf;
    uint32_t controllers = plane_odds(plane, 7000) ? 3 : 5;
    uint32_t nodes = (uint32_t)(2 + plane_below(plane, 3));
    uint64_t think_ms = thinks[plane_below(plane, COUNT_OF(thinks))];
    conf->controllers = conf->controllers > 0 ? conf->controllers : controllers;
    conf->nodes = conf->nodes > 0 ? conf->nodes : nodes;
    conf->tenants = conf->tenants > 0 ? conf->tenants : conf->nodes > 6 ? 4 : 2;
    conf->clients = conf->clients > 0 ? conf->clients : 9;
    conf->instances = conf->instances > 0 ? conf->instances : 8;
    conf->life_ms = conf->life_ms > 0 ? conf->life_ms : 200000;
    conf->think_ms = conf->think_ms > 0 ? conf->think_ms : think_ms;
    if (conf->requests == 0) {
        uint64_t most = conf->clients * (conf->life_ms / (conf->think_ms / 2 + 1)) * 2 + 2048;
        conf->requests = most < 4000000 ? (uint32_t)most : 4000000;
    }
    CHECK(conf->controllers <= PLANE_CONTROLLERS && conf->nodes <= PLANE_NODES);
    CHECK(conf->tenants <= PLANE_TENANTS && conf->clients < PLANE_CLIENTS);
}

void plane_swarm_draw(struct plane *plane)
{
    static const uint64_t rests[] = { 2500, 4000, 6000, 9000 };
    struct plane_swarm *swarm = &plane->swarm;
    draw_cell(plane);
    if (trial_is_calm(plane)) {
        return; /* Nothing strikes but what the experiment says. */
    }
    struct prng later; /* Kinds that came later: what a seed drew before stays as it is. */
    prng_seed(&later, plane->seed ^ UINT64_C(0x6c61746572));
    for (uint32_t i = 0; i < PLANE_DISK_LOST; i++) {
        bool on = i < PLANE_VERB_OUTLIVES ? plane_odds(plane, 7500) : prng_below(&later, 4) > 0;
        swarm->on[i] = on && (plane->kept == NULL || !plane->kept->off[i]);
    }
    swarm->floors = prng_below(&later, 2) == 0 && plane->conf.fill == 0;
    for (uint32_t i = 1; i < STRIKES_END; i++) {
        CHECK(weights[i] > 0);
        uint32_t drawn = plane_odds(plane, 6500) ? 1 + (uint32_t)plane_below(plane, 4) : 0;
        swarm->weights[i] = weights[i] * drawn;
    }
    plane->tally->conf = plane->conf;
    swarm->weights[STRIKE_PROCESS] += 1; /* Never nothing at all. */
    swarm->rest_ms = rests[plane_below(plane, COUNT_OF(rests))];
    swarm->rate = plane_odds(plane, 500) ? 2 : 0;
    swarm->keys = plane_odds(plane, 800) ? 100 : 0;
    swarm->starts = plane_odds(plane, 4000) ? 8 : 1;
    swarm->old_builds = plane_odds(plane, 3000);
    swarm->core_only = plane_odds(plane, 3000);
}

enum plane_strike plane_swarm_strike(struct plane *plane)
{
    uint64_t sum = 0;
    for (uint32_t i = 1; i < STRIKES_END; i++) {
        sum += plane->swarm.weights[i];
    }
    uint64_t drawn = plane_below(plane, sum);
    uint32_t strike = 1;
    while (drawn >= plane->swarm.weights[strike]) {
        drawn -= plane->swarm.weights[strike++];
    }
    CHECK(strike < STRIKES_END);
    return (enum plane_strike)strike;
}
