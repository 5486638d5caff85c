/* Decides when machines, disks, clocks and guests fail, and that they stop failing. Each seed draws
 * its own mix (plane_swarm.c); what can lose synced bytes is bounded by plane_disk.c. */
#include "tests/sim/plane_fault.h"
#include "base/check.h"
#include "tests/sim/plane_host.h"
#include "tests/sim/plane_machine.h"
#include "tests/sim/plane_net.h"
#include "tests/sim/plane_people.h"
#include "tests/sim/plane_snapshot.h"
#include "tests/sim/plane_time.h"

enum { TEN_YEARS_S = 315360000, DRIFT_PPM = 50000, MILLION = 1000000 };
enum mend { MEND_SPEED = 1, MEND_CLOCK = 2, MEND_POWER = 3, MEND_FLAP = 4, MEND_DISK = 5 };

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

static uint32_t node(struct plane *plane)
{
    return choose(plane, PLANE_CONTROLLERS, plane->conf.nodes);
}

static uint32_t anybody(struct plane *plane)
{
    return plane_odds(plane, 3000) ? node(plane) : leader_or_any(plane);
}

static void mend_later(struct plane *plane, uint32_t machine, enum mend what, uint64_t ms)
{
    plane_post(plane, ms, PLANE_MEND, machine, what, 0, SLICE_EMPTY);
}

static void mend_flap(struct plane *plane, const struct plane_event *event)
{
    uint64_t left = event->b;
    bool cut = left % 2 == 0 && plane->trouble && plane->now_ms >= plane->shelter_ms;
    plane_cut_machine(plane, event->machine, cut);
    if (left > 0 && plane->trouble) {
        plane_post(
            plane,
            50 + plane_below(plane, 400),
            PLANE_MEND,
            event->machine,
            MEND_FLAP,
            left - 1,
            SLICE_EMPTY);
    }
}

/* What a disk forgets that lied. Within the budget only what the leader, who still
 * leads, was told in this very moment: what was told to nobody else cannot be known. */
static void mend_power(struct plane *plane, const struct plane_event *event)
{
    const struct plane_machine *machine = &plane->machines[event->machine];
    if (!machine->up || event->life != machine->life || !plane->trouble) {
        return;
    }
    if (plane->unrecoverable || plane_leader(plane) == event->b) {
        plane_controller_crash(plane, event->machine, true);
    } else {
        plane_disk_honest(event->machine);
    }
}

void plane_mend(struct plane *plane, const struct plane_event *event)
{
    struct plane_machine *machine = &plane->machines[event->machine];
    switch ((enum mend)event->a) {
    case MEND_SPEED: machine->slow = 1; return;
    case MEND_CLOCK: plane_clock_rate(plane, event->machine, MILLION); return;
    case MEND_POWER: mend_power(plane, event); return;
    case MEND_FLAP: mend_flap(plane, event); return;
    case MEND_DISK: plane_disk_slow(plane, event->machine, plane_cost(PLANE_COST_SYNC)); return;
    }
    UNREACHABLE();
}

/* ---- Controllers ---- */

static void strike_all(struct plane *plane)
{
    bool power = plane_odds(plane, 5000);
    plane_seen(plane, PLANE_ALL_CONTROLLERS_DOWN);
    for (uint32_t i = 0; i < PLANE_CONTROLLERS; i++) {
        if (plane->machines[i].up) {
            plane_controller_crash(plane, i, power && !plane_disk_spared(plane, i));
        }
    }
}

static void strike_process(struct plane *plane, uint32_t machine)
{
    if (machine == plane_leader(plane)) {
        plane_seen(plane, PLANE_LEADER_KILLED);
    }
    bool power = plane_odds(plane, 4000);
    plane_controller_crash(plane, machine, power && !plane_disk_spared(plane, machine));
}

static void strike_hurt(struct plane *plane, uint32_t machine, enum plane_fault how)
{
    bool forgets = how == PLANE_SYNC_LIED;
    uint32_t leader = plane_leader(plane);
    if (forgets && !plane->unrecoverable && (leader == PLANE_NONE || leader == machine)) {
        return;
    }
    if (plane_disk_hurt(plane, machine, how) && forgets) {
        uint64_t ms = 500 + plane_below(plane, PLANE_POWER_MS - 500);
        plane_post(plane, ms, PLANE_MEND, machine, MEND_POWER, leader, SLICE_EMPTY);
    }
}

static void strike_disk(struct plane *plane, uint32_t machine, enum plane_strike strike)
{
    switch ((int)strike) {
    case STRIKE_FULL:
        plane_controller_full(plane, machine, true);
        plane_after(plane, 500 + plane_below(plane, 6000), PLANE_ROOM, machine);
        return;
    case STRIKE_STORE: plane_controller_break(plane, machine); return;
    case STRIKE_CALLS:
        plane_controller_odds(plane, machine, 20000, plane_odds(plane, 5000) ? 20000 : 0);
        return;
    case STRIKE_SLOW_DISK:
        plane_seen(plane, PLANE_DISK_SLOW);
        plane_disk_slow(plane, machine, 5000 + plane_below(plane, 400000));
        mend_later(plane, machine, MEND_DISK, 500 + plane_below(plane, 6000));
        return;
    case STRIKE_ROT: strike_hurt(plane, machine, PLANE_ROT); return;
    case STRIKE_LIE: strike_hurt(plane, machine, PLANE_SYNC_LIED); return;
    case STRIKE_STRAY: strike_hurt(plane, machine, PLANE_STRAY_WRITE); return;
    case STRIKE_SAVE: plane_disk_save(plane, machine); return;
    default:
        CHECK(strike == STRIKE_SET_BACK);
        strike_hurt(plane, machine, PLANE_SET_BACK);
        plane_disk_save(plane, machine); /* To be set back to another time. */
        return;
    }
}

/* ---- Machines ---- */

/* As SIGSTOP does, or a machine that is moved: its clock goes on. */
static void strike_standstill(struct plane *plane, uint32_t machine)
{
    uint64_t ms = 100 + plane_below(plane, plane_odds(plane, 3000) ? 15000 : 2000);
    plane_seen(plane, PLANE_STANDSTILL);
    plane_trace(plane, "m%u stands still for %llu ms", machine, (unsigned long long)ms);
    plane_pause(plane, machine, ms);
}

static void strike_slow(struct plane *plane, uint32_t machine)
{
    plane_seen(plane, PLANE_SLOW);
    plane->machines[machine].slow = 4 + plane_below(plane, 40);
    mend_later(plane, machine, MEND_SPEED, 500 + plane_below(plane, 8000));
}

static void strike_clock(struct plane *plane, uint32_t machine)
{
    uint64_t what = plane_below(plane, 3);
    if (what == 0) {
        int64_t jump_s = (int64_t)plane_below(plane, 2 * (uint64_t)TEN_YEARS_S) - TEN_YEARS_S;
        plane_seen(plane, PLANE_WALL_JUMP);
        plane->machines[machine].clock.wall_offset_ms = jump_s * 1000;
    } else if (what == 1) {
        plane_seen(plane, PLANE_DRIFT);
        plane_clock_rate(
            plane, machine, MILLION - DRIFT_PPM + plane_below(plane, 2 * DRIFT_PPM + 1));
    } else {
        plane_seen(plane, PLANE_CLOCK_STANDS);
        plane_clock_rate(plane, machine, 0);
        mend_later(plane, machine, MEND_CLOCK, 100 + plane_below(plane, 3000));
    }
}

static void strike_flap(struct plane *plane, uint32_t machine)
{
    plane_seen(plane, PLANE_FLAPS);
    plane_post(
        plane, 0, PLANE_MEND, machine, MEND_FLAP, 2 * (1 + plane_below(plane, 10)), SLICE_EMPTY);
}

/* ---- Nodes ---- */

static void strike_node(struct plane *plane, uint32_t machine, enum plane_strike strike)
{
    switch ((int)strike) {
    case STRIKE_NODE:
        plane_seen(plane, PLANE_NODE_CRASH);
        plane_node_crash(plane, machine, true);
        return;
    case STRIKE_FORGETS:
        plane_seen(plane, PLANE_NODE_FORGETS);
        plane_node_forgets(plane, machine);
        return;
    case STRIKE_AGENT:
        plane_seen(plane, PLANE_AGENT_RESTART);
        plane_node_crash(plane, machine, false);
        return;
    case STRIKE_HOST: plane_host_restart(plane, machine); return;
    case STRIKE_LIBVIRT: plane_host_libvirt(plane, machine); return;
    case STRIKE_LOSES: plane_host_loses(plane, machine); return;
    default:
        CHECK(strike == STRIKE_GUEST);
        plane_host_guest(plane, machine);
        return;
    }
}

/* ---- One ---- */

static void strike_at(struct plane *plane, enum plane_strike strike)
{
    bool of_node = strike >= STRIKE_NODE;
    bool of_disk = strike >= STRIKE_FULL && strike <= STRIKE_SET_BACK;
    uint32_t machine = of_node                    ? node(plane)
                       : of_disk                  ? leader_or_any(plane)
                       : strike == STRIKE_PROCESS ? leader_or_any(plane)
                                                  : anybody(plane);
    if (machine == PLANE_NONE) {
        return;
    }
    if (of_node) {
        strike_node(plane, machine, strike);
    } else if (of_disk) {
        strike_disk(plane, machine, strike);
    } else if (strike == STRIKE_PROCESS) {
        strike_process(plane, machine);
    } else if (strike == STRIKE_STANDSTILL) {
        strike_standstill(plane, machine);
    } else if (strike == STRIKE_SLOW) {
        strike_slow(plane, machine);
    } else if (strike == STRIKE_CLOCK) {
        strike_clock(plane, machine);
    } else {
        CHECK(strike == STRIKE_FLAP);
        strike_flap(plane, machine);
    }
}

static void strike(struct plane *plane)
{
    enum plane_strike strike = plane_swarm_strike(plane);
    plane->tally->struck++;
    switch ((int)strike) {
    case STRIKE_ALL: strike_all(plane); break;
    case STRIKE_SNAPSHOT: plane_snapshot_damage = true; break;
    case STRIKE_MEMBER: plane_operator_wish(plane); break;
    case STRIKE_FLOOD:
        if (plane_odds(plane, 3000)) {
            plane_client_flood(plane);
        }
        break;
    default: strike_at(plane, strike); break;
    }
}

void plane_fault(struct plane *plane)
{
    if (!plane->trouble) {
        return;
    }
    if (plane->now_ms < plane->shelter_ms) {
        plane_after(plane, 1000, PLANE_FAULT, 0);
        return;
    }
    bool happens = plane_inject_begin(plane, PLANE_INJECT_STRIKE, 0, ++plane->strikes);
    uint64_t rest_ms = 50 + plane_below(plane, plane->swarm.rest_ms);
    if (happens) {
        strike(plane);
    }
    plane_inject_end(plane);
    plane_after(plane, rest_ms, PLANE_FAULT, 0);
}

void plane_heal(struct plane *plane)
{
    CHECK(plane->trouble);
    plane->trouble = false;
    plane_snapshot_damage = false;
    plane_weather(plane);
    for (uint32_t i = 0; i < plane->machines_count; i++) {
        plane->machines[i].slow = 1;
        plane_clock_rate(plane, i, MILLION);
        if (i < PLANE_CONTROLLERS && plane->machines[i].exists) {
            plane_controller_odds(plane, i, 0, 0);
            plane_controller_full(plane, i, false);
            plane_disk_slow(plane, i, plane_cost(PLANE_COST_SYNC));
        }
    }
    plane_trace(plane, "healed");
}
