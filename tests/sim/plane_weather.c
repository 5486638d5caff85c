/* The weather of the network: how far frames travel, which are lost, who is cut off from whom. It
 * changes by itself every few seconds, and is fair once there is no trouble. Decides nothing about
 * what a cut does to a stream (plane_net.c). */
#include "base/check.h"
#include "tests/sim/plane_fault.h"
#include "tests/sim/plane_machine.h"
#include "tests/sim/plane_net.h"
#include "tests/sim/trial.h"

void plane_cuts_break(struct plane *plane)
{
    for (uint32_t one = 0; one < PLANE_CONTROLLERS; one++) {
        for (uint32_t other = one + 1; other < plane->machines_count; other++) {
            const struct plane_link *link = plane_link_of(plane, one, other);
            if ((link->cut[0] || link->cut[1]) && link->session != 0) {
                plane_post(
                    plane,
                    plane_below(plane, plane_odds(plane, 5000) ? 4000 : 300),
                    PLANE_BREAK,
                    one,
                    other,
                    link->session,
                    SLICE_EMPTY);
            }
        }
    }
}

void plane_cut_machine(struct plane *plane, uint32_t machine, bool cut)
{
    for (uint32_t other = 0; other < plane_linked_end(plane, machine); other++) {
        if (other != machine) {
            struct plane_link *link = plane_link_of(plane, machine, other);
            link->cut[0] = cut;
            link->cut[1] = cut;
        }
    }
    plane_cuts_break(plane);
}

static void cut_one(struct plane *plane, uint32_t machine)
{
    plane_seen(plane, PLANE_CUT);
    plane_cut_machine(plane, machine, true);
}

void plane_cut_off(struct plane *plane, uint32_t machine)
{
    if (plane->trouble) {
        cut_one(plane, machine);
    }
}

static void cut_by_chance(struct plane *plane)
{
    bool split = plane_odds(plane, 5000);
    uint64_t sides = prng_next(&plane->prng);
    plane_seen(plane, split ? PLANE_SPLIT : PLANE_ONE_WAY);
    for (uint32_t a = 0; a < PLANE_CONTROLLERS; a++) {
        for (uint32_t b = a + 1; b < plane->machines_count; b++) {
            struct plane_link *link = plane_link_of(plane, a, b);
            bool apart = ((sides >> (a % 64)) & 1) != ((sides >> (b % 64)) & 1);
            link->cut[0] = split ? apart : plane_odds(plane, 1500);
            link->cut[1] = split ? apart : plane_odds(plane, 1500);
        }
    }
}

void plane_weather_fair(struct plane *plane)
{
    for (uint32_t a = 0; a < PLANE_CONTROLLERS; a++) {
        for (uint32_t b = a + 1; b < plane->machines_count; b++) {
            struct plane_link *link = plane_link_of(plane, a, b);
            link->cut[0] = false;
            link->cut[1] = false;
        }
    }
    plane->weather = (struct plane_weather){ .delay_max_us = 2000 };
}

void plane_weather_foul(struct plane *plane)
{
    plane->weather.delay_max_us = 20000 + plane_below(plane, 70000);
    plane->weather.drop = 1 + plane_below(plane, 200);
    plane->weather.bytes_per_ms = plane_odds(plane, 3000) ? 100 + plane_below(plane, 400) : 0;
}

/* A machine that takes part. */
static uint32_t somebody(struct plane *plane)
{
    uint32_t nodes = plane->conf.nodes;
    uint64_t chosen = plane_below(plane, (uint64_t)PLANE_CONTROLLERS * 2 + nodes);
    return chosen < (uint64_t)PLANE_CONTROLLERS * 2 ? (uint32_t)chosen % PLANE_CONTROLLERS
                                                    : PLANE_CONTROLLERS + (uint32_t)chosen % nodes;
}

static void change(struct plane *plane)
{
    static const uint64_t delays[] = { 1000, 2000, 4000, 20000, 90000 };
    plane->weather.delay_max_us = delays[plane_below(plane, COUNT_OF(delays))];
    plane->weather.drop = plane_odds(plane, 3000) ? plane_below(plane, 200) : 0;
    plane->weather.straggler = plane_odds(plane, 3000) ? plane_below(plane, 200) : 0;
    plane->weather.bytes_per_ms =
        plane->swarm.on[PLANE_NARROW] && plane_odds(plane, 1500) ? 20 + plane_below(plane, 400) : 0;
    uint32_t leader = plane_leader(plane);
    switch (plane_below(plane, 8)) {
    case 0: cut_one(plane, somebody(plane)); break;
    case 1: cut_by_chance(plane); break;
    case 2:
        if (leader != PLANE_NONE) {
            cut_one(plane, leader);
        }
        break;
    default: break;
    }
    plane_cuts_break(plane);
}

void plane_weather(struct plane *plane)
{
    bool sheltered = plane->trouble && plane->now_ms < plane->shelter_ms;
    if (!sheltered) {
        plane_weather_fair(plane);
    }
    if (!plane->trouble) {
        return;
    }
    if (sheltered) { /* The weather in which a disk was set back lasts. */
        plane_after(plane, 1000, PLANE_WEATHER, 0);
        return;
    }
    bool happens = plane_inject_begin(plane, PLANE_INJECT_WEATHER, 0, ++plane->weathers);
    uint64_t lasts_ms = 300 + plane_below(plane, 2500);
    if (happens) {
        change(plane);
    }
    plane_inject_end(plane);
    trial_recut(plane);
    plane_after(plane, lasts_ms, PLANE_WEATHER, 0);
}
