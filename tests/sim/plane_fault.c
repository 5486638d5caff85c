/* Decides when machines, disks, clocks and guests fail, and that they stop failing. Everything that
 * is struck here can be survived: what was synced stays. */
#include "base/check.h"
#include "tests/sim/plane.h"
#include "tests/sim/plane_snapshot.h"

enum { TEN_YEARS_S = 315360000 };

/* One of [first, first + count) that is up; PLANE_NONE: none. */
static uint32_t choose(struct plane *plane, uint32_t first, uint32_t count)
{
    uint32_t chosen = PLANE_NONE;
    uint64_t seen = 0;
    CHECK(first + count <= plane->machines_count);
    for (uint32_t i = first; i < first + count; i++) {
        if (plane->machines[i].up && plane_below(plane, ++seen) == 0) {
            chosen = i;
        }
    }
    return chosen;
}

static uint32_t leader_or_any(struct plane *plane)
{
    uint32_t leader = plane_leader(plane);
    bool any = leader == PLANE_NONE || plane_odds(plane, 5000);
    return any ? choose(plane, 0, PLANE_CONTROLLERS) : leader;
}

static void strike_all(struct plane *plane)
{
    bool power = plane_odds(plane, 5000);
    plane_seen(plane, PLANE_ALL_CONTROLLERS_DOWN);
    for (uint32_t i = 0; i < PLANE_CONTROLLERS; i++) {
        if (plane->machines[i].up) {
            plane_controller_crash(plane, i, power);
        }
    }
}

static void strike_process(struct plane *plane)
{
    uint32_t leader = plane_leader(plane);
    uint32_t machine = leader_or_any(plane);
    if (machine != PLANE_NONE) {
        if (machine == leader) {
            plane_seen(plane, PLANE_LEADER_KILLED);
        }
        plane_controller_crash(plane, machine, plane_odds(plane, 4000));
    }
}

static void strike_disk(struct plane *plane)
{
    uint32_t machine = leader_or_any(plane);
    if (machine == PLANE_NONE) {
        return;
    }
    switch (plane_below(plane, 3)) {
    case 0:
        plane_controller_full(plane, machine, true);
        plane_after(plane, 500 + plane_below(plane, 6000), PLANE_ROOM, machine);
        return;
    case 1: plane_controller_break(plane, machine); return;
    default:
        plane_controller_odds(plane, machine, 20000, plane_odds(plane, 5000) ? 20000 : 0);
        return;
    }
}

static void strike_clock(struct plane *plane)
{
    uint32_t machine = (uint32_t)plane_below(plane, PLANE_CONTROLLERS);
    int64_t jump_s = (int64_t)plane_below(plane, 2 * (uint64_t)TEN_YEARS_S) - TEN_YEARS_S;
    plane_seen(plane, PLANE_WALL_JUMP);
    plane->machines[machine].clock.wall_offset_ms = jump_s * 1000;
}

static void strike_node(struct plane *plane)
{
    uint32_t machine = choose(plane, PLANE_CONTROLLERS, plane->conf.nodes);
    if (machine == PLANE_NONE) {
        return;
    }
    switch (plane_below(plane, 8)) {
    case 0:
        plane_seen(plane, PLANE_NODE_CRASH);
        plane_node_crash(plane, machine, true);
        return;
    case 1:
    case 2:
        plane_seen(plane, PLANE_AGENT_RESTART);
        plane_node_crash(plane, machine, false);
        return;
    case 3:
    case 4: plane_host_restart(plane, machine); return;
    case 5: plane_host_libvirt(plane, machine); return;
    default: plane_host_guest(plane, machine); return;
    }
}

/* As SIGSTOP does, or a machine that is moved: its clock goes on. */
static void strike_standstill(struct plane *plane)
{
    uint32_t node = choose(plane, PLANE_CONTROLLERS, plane->conf.nodes);
    uint32_t machine = plane_odds(plane, 3000) ? node : leader_or_any(plane);
    if (machine != PLANE_NONE) {
        uint64_t ms = 100 + plane_below(plane, plane_odds(plane, 3000) ? 15000 : 2000);
        plane_seen(plane, PLANE_STANDSTILL);
        plane_trace(plane, "m%u stands still for %llu ms", machine, (unsigned long long)ms);
        plane_pause(plane, machine, ms);
    }
}

void plane_fault(struct plane *plane)
{
    if (!plane->trouble) {
        return;
    }
    switch (plane_below(plane, 12)) {
    case 0:
    case 1:
    case 2: strike_process(plane); break;
    case 3: strike_disk(plane); break;
    case 4:
        if (plane_odds(plane, 5000)) {
            strike_clock(plane);
        } else {
            strike_standstill(plane);
        }
        break;
    case 5: plane_snapshot_damage = true; break;
    case 6:
        if (plane_odds(plane, 2500)) {
            strike_all(plane);
        }
        break;
    default: strike_node(plane); break;
    }
    uint64_t rest_ms = plane->seed % 3 == 0 ? 1500 : 5000; /* A third of all seeds is harsh. */
    plane_after(plane, 50 + plane_below(plane, rest_ms), PLANE_FAULT, 0);
}

void plane_heal(struct plane *plane)
{
    CHECK(plane->trouble);
    plane->trouble = false;
    plane_snapshot_damage = false;
    plane_weather(plane);
    for (uint32_t i = 0; i < PLANE_CONTROLLERS; i++) {
        if (plane->machines[i].exists) {
            plane_controller_odds(plane, i, 0, 0);
            plane_controller_full(plane, i, false);
        }
    }
    plane_trace(plane, "healed");
}
