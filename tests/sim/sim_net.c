/* Decides what happens to a message on its way: lost, late, twice, out of order, cut off. Never
 * looks into one. */
#include "tests/sim/sim.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

static uint64_t delay_of(struct sim *sim)
{
    const struct sim_weather *weather = &sim->weather;
    CHECK(weather->delay_min_ms <= weather->delay_max_ms);
    uint64_t delay =
        weather->delay_min_ms + sim_below(sim, weather->delay_max_ms - weather->delay_min_ms + 1);
    if (sim_odds(sim, weather->straggler)) {
        sim_seen(sim, FAULT_STRAGGLER);
        delay += sim_below(sim, 800);
    }
    return delay;
}

static void post_letter(struct sim *sim, uint32_t from, uint32_t to, struct slice bytes)
{
    struct sim_letter *letter = malloc(sizeof(*letter) + bytes.size);
    CHECK(letter != NULL);
    CHECK(bytes.size > 0);
    letter->from = from;
    letter->to = to;
    letter->number = sim->letters;
    letter->size = bytes.size;
    memcpy(letter->bytes, bytes.data, bytes.size);
    sim_post(sim, delay_of(sim), SIM_DELIVER, 0, letter);
}

void sim_net_send(struct sim *sim, uint32_t from, uint32_t to, struct slice bytes)
{
    CHECK(from >= 1 && from <= SIM_NODES);
    CHECK(to >= 1 && to <= SIM_NODES);
    sim->letters++;
    if (sim->weather.cut[from][to] || sim_odds(sim, sim->weather.loss)) {
        sim_seen(sim, FAULT_LOSS);
        return;
    }
    post_letter(sim, from, to, bytes);
    if (sim_odds(sim, sim->weather.duplicate)) {
        sim_seen(sim, FAULT_DUPLICATE);
        post_letter(sim, from, to, bytes);
    }
}

void sim_net_deliver(struct sim *sim, struct sim_letter *letter)
{
    struct sim_node *node = &sim->nodes[letter->to];
    CHECK(letter->to >= 1 && letter->to <= SIM_NODES);
    if (!node->up || sim->weather.cut[letter->from][letter->to]) {
        free(letter);
        return;
    }
    if (letter->number < node->last_number[letter->from]) {
        sim_seen(sim, FAULT_REORDER);
    } else {
        node->last_number[letter->from] = letter->number;
    }
    struct result result = replica_receive(
        node->replica, sim->now_ms, letter->from, slice_of(letter->bytes, letter->size));
    if (result.code != 0) {
        sim_fail(sim, "MESSAGE %u refuses a message of %u", letter->to, letter->from);
    }
    free(letter);
    sim_node_settle(sim, node);
}

static void cut_one(struct sim *sim, uint32_t id)
{
    CHECK(id >= 1 && id <= SIM_NODES);
    for (uint32_t other = 1; other <= SIM_NODES; other++) {
        sim->weather.cut[id][other] = true;
        sim->weather.cut[other][id] = true;
    }
}

static void cut_halves(struct sim *sim)
{
    uint64_t side = sim_below(sim, UINT64_C(1) << (SIM_NODES + 1));
    CHECK(side < UINT64_C(1) << (SIM_NODES + 1));
    for (uint32_t a = 1; a <= SIM_NODES; a++) {
        for (uint32_t b = 1; b <= SIM_NODES; b++) {
            sim->weather.cut[a][b] = ((side >> a) & 1) != ((side >> b) & 1);
        }
    }
}

static void cut_leader(struct sim *sim)
{
    struct sim_node *leader = sim_leader(sim);
    if (leader == NULL) {
        return;
    }
    sim_seen(sim, FAULT_LEADER_CUT);
    for (uint32_t other = 1; other <= SIM_NODES; other++) {
        CHECK(leader->id <= SIM_NODES);
        sim->weather.cut[leader->id][other] = sim_odds(sim, 5000);
        sim->weather.cut[other][leader->id] = sim_odds(sim, 5000);
    }
}

static void cut_some(struct sim *sim)
{
    sim_seen(sim, FAULT_ONE_WAY);
    for (uint32_t a = 1; a <= SIM_NODES; a++) {
        for (uint32_t b = 1; b <= SIM_NODES; b++) {
            CHECK(a < SIM_NODES + 1 && b < SIM_NODES + 1);
            sim->weather.cut[a][b] = sim_odds(sim, 2500);
        }
    }
}

void sim_net_weather(struct sim *sim, bool calm)
{
    static const uint64_t delays[] = { 2, 2, 8, 60, 225 };
    sim->weather = (struct sim_weather){ .delay_min_ms = 1, .delay_max_ms = 2 };
    if (calm) {
        return;
    }
    sim->weather.loss = sim_odds(sim, 6000) ? sim_below(sim, 3000) : 0;
    sim->weather.duplicate = sim_odds(sim, 6000) ? sim_below(sim, 3000) : 0;
    sim->weather.straggler = sim_odds(sim, 5000) ? sim_below(sim, sim->mix->straggle) : 0;
    sim->weather.delay_max_ms = delays[sim_below(sim, COUNT_OF(delays))];
    CHECK(sim->weather.delay_max_ms >= sim->weather.delay_min_ms);
    switch (sim_below(sim, 7)) {
    case 0:
        sim_seen(sim, FAULT_ISOLATED);
        cut_one(sim, 1 + (uint32_t)sim_below(sim, SIM_NODES));
        break;
    case 1:
        sim_seen(sim, FAULT_SPLIT);
        cut_halves(sim);
        break;
    case 2: cut_leader(sim); break;
    case 3: cut_some(sim); break;
    default: break;
    }
}
