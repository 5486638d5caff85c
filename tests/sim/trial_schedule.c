/* Decides what fails when, as the experiment's file says: whom a fault strikes if it names no
 * machine, and that what has a length ends. Never draws a fault of its own (plane_fault.c does). */
#include "base/check.h"
#include "tests/sim/plane_host.h"
#include "tests/sim/plane_machine.h"
#include "tests/sim/plane_net.h"
#include "tests/sim/trial.h"

#include <stdio.h>

enum { ACTIVE = 1024, AGAIN_MS = 100, MILLION = 1000000 };

/* What lasts at the moment. */
struct active {
    const struct experiment_fault *fault; /* NULL: free. */
    uint32_t machine;
};

static struct active actives[ACTIVE];

static uint64_t since_ms(const struct plane *plane)
{
    CHECK(plane->now_us >= plane->trial->begin_us);
    return (plane->now_us - plane->trial->begin_us) / 1000;
}

static void post(
    struct plane *plane, uint64_t delay_ms, enum trial_kind kind, uint64_t fault, uint64_t slot)
{
    CHECK(kind == TRIAL_STRIKE || kind == TRIAL_MEND);
    plane_post(plane, delay_ms, PLANE_TRIAL, 0, kind, fault << 32 | slot, SLICE_EMPTY);
}

void trial_schedule_begin(struct plane *plane)
{
    const struct experiment *experiment = plane->trial->experiment;
    if (experiment->has_weather) {
        plane->weather = experiment->weather;
        plane->swarm.on[PLANE_FRAME_DROPPED] |= experiment->weather.drop > 0;
        plane->swarm.on[PLANE_DELAYED] |= experiment->weather.straggler > 0;
    }
    for (uint32_t i = 0; i < experiment->faults_count; i++) {
        post(plane, experiment->faults[i].at_ms, TRIAL_STRIKE, i, 0);
    }
}

/* ---- Cuts: those that stand are made anew from what lasts, whenever that changes ---- */

static void cut_one_way(struct plane *plane, uint32_t from, uint32_t to)
{
    CHECK(from != to);
    plane_link_of(plane, from, to)->cut[from < to ? 0 : 1] = true;
}

void trial_recut(struct plane *plane)
{
    if (plane->trial == NULL || !plane->trouble) {
        return;
    }
    for (uint32_t i = 0; i < ACTIVE; i++) {
        const struct active *it = &actives[i];
        if (it->fault == NULL || it->fault->act != EXPERIMENT_CUT) {
            continue;
        }
        for (uint32_t other = 0; other < plane_linked_end(plane, it->machine); other++) {
            bool meant = it->fault->other == PLANE_NONE || it->fault->other == other;
            if (other != it->machine && meant) {
                cut_one_way(plane, it->machine, other);
            }
            if (other != it->machine && it->fault->other == PLANE_NONE) {
                cut_one_way(plane, other, it->machine);
            }
        }
    }
    plane_cuts_break(plane);
}

static void cuts_clear(struct plane *plane)
{
    struct plane_weather weather = plane->weather;
    plane_weather_fair(plane);
    plane->weather = weather;
}

/* ---- Beginning and ending ---- */

/* It comes back when the file says so, not when the seed would. */
static void back_after(struct plane *plane, uint32_t machine, const struct experiment_fault *fault)
{
    uint64_t ms = fault->for_ms;
    if (ms == EXPERIMENT_UNTIL_THE_END) { /* Its supervisor starts it anew; a machine boots. */
        ms = plane_is_node(machine) && fault->act == EXPERIMENT_POWER ? 5000 : 100;
    }
    plane->machines[machine].life++; /* The start that is on its way finds nothing. */
    plane_after(plane, ms > 0 ? ms : 20 + plane_below(plane, 100), PLANE_RESTART, machine);
}

/* A disk does not get faster because its machine was started anew. */
static void slow_disk_again(struct plane *plane, uint32_t machine)
{
    for (uint32_t i = 0; i < ACTIVE; i++) {
        const struct active *it = &actives[i];
        if (it->fault != NULL && it->fault->act == EXPERIMENT_SLOW_DISK && it->machine == machine) {
            plane_disk_slow(plane, machine, (uint64_t)it->fault->amount);
        }
    }
}

static void strike_process(
    struct plane *plane, uint32_t machine, const struct experiment_fault *fault)
{
    bool power = fault->act == EXPERIMENT_POWER;
    if (plane_is_node(machine)) {
        plane_seen(plane, power ? PLANE_NODE_CRASH : PLANE_AGENT_RESTART);
        plane_node_crash(plane, machine, power);
    } else {
        if (machine == plane_leader(plane)) {
            plane_seen(plane, PLANE_LEADER_KILLED);
        }
        plane_controller_crash(plane, machine, power);
        slow_disk_again(plane, machine);
    }
    back_after(plane, machine, fault);
}

static void strike(struct plane *plane, uint32_t machine, const struct experiment_fault *fault)
{
    struct plane_machine *self = &plane->machines[machine];
    switch (fault->act) {
    case EXPERIMENT_KILL:
    case EXPERIMENT_POWER:
    case EXPERIMENT_KILL_AGENT: strike_process(plane, machine, fault); return;
    case EXPERIMENT_KILL_API: plane_client_lost(plane, machine); return;
    case EXPERIMENT_KILL_HOST: plane_host_restart(plane, machine); return;
    case EXPERIMENT_KILL_LIBVIRT: plane_host_libvirt(plane, machine); return;
    case EXPERIMENT_KILL_GUEST: plane_host_guest(plane, machine); return;
    case EXPERIMENT_STOP:
        plane_seen(plane, PLANE_STANDSTILL);
        plane_pause(plane, machine, fault->for_ms);
        return;
    case EXPERIMENT_CUT:
        plane_seen(plane, fault->other == PLANE_NONE ? PLANE_CUT : PLANE_ONE_WAY);
        trial_recut(plane);
        return;
    case EXPERIMENT_FULL: plane_controller_full(plane, machine, true); return;
    case EXPERIMENT_SLOW_DISK:
        plane_seen(plane, PLANE_DISK_SLOW);
        plane_disk_slow(plane, machine, (uint64_t)fault->amount);
        return;
    case EXPERIMENT_SLOW:
        plane_seen(plane, PLANE_SLOW);
        self->slow = (uint64_t)fault->amount;
        return;
    case EXPERIMENT_DRIFT:
        plane_seen(plane, PLANE_DRIFT);
        plane_clock_rate(plane, machine, (uint64_t)(MILLION + fault->amount));
        return;
    case EXPERIMENT_JUMP:
        plane_seen(plane, PLANE_WALL_JUMP);
        self->clock.wall_offset_ms += fault->amount;
        return;
    case EXPERIMENT_FREEZE:
        plane_seen(plane, PLANE_CLOCK_STANDS);
        plane_clock_rate(plane, machine, 0);
        return;
    case EXPERIMENT_ACTS_END: break;
    }
    UNREACHABLE();
}

/* Something else of the same kind still holds this machine. */
static bool held(const struct active *ended)
{
    for (uint32_t i = 0; i < ACTIVE; i++) {
        const struct active *it = &actives[i];
        if (it->fault != NULL && it != ended && it->machine == ended->machine &&
            it->fault->act == ended->fault->act) {
            return true;
        }
    }
    return false;
}

static void mend(struct plane *plane, struct active *ended)
{
    const struct experiment_fault *fault = ended->fault;
    uint32_t machine = ended->machine;
    bool frees = !held(ended);
    ended->fault = NULL;
    trial_log_fault(plane, fault->words, "ends");
    switch ((int)fault->act) {
    case EXPERIMENT_CUT:
        cuts_clear(plane);
        trial_recut(plane);
        return;
    case EXPERIMENT_JUMP: plane->machines[machine].clock.wall_offset_ms -= fault->amount; return;
    default: break;
    }
    if (!frees) {
        return;
    }
    switch ((int)fault->act) {
    case EXPERIMENT_FULL: plane_controller_full(plane, machine, false); return;
    case EXPERIMENT_SLOW_DISK: plane_disk_slow(plane, machine, plane_cost(PLANE_COST_SYNC)); return;
    case EXPERIMENT_SLOW: plane->machines[machine].slow = 1; return;
    case EXPERIMENT_DRIFT:
    case EXPERIMENT_FREEZE: plane_clock_rate(plane, machine, MILLION); return;
    default: return; /* What was killed or stopped comes back by itself. */
    }
}

/* ---- Whom ---- */

/* It would feel it: a machine that is down is killed by nobody, and its disk may well fill. */
static bool can(const struct plane *plane, uint32_t machine, enum experiment_act act)
{
    const struct plane_machine *self = &plane->machines[machine];
    bool to_life = act <= EXPERIMENT_STOP;
    return self->exists && !self->dead && (self->up || !to_life);
}

static uint32_t any(struct plane *plane, bool node, uint32_t but, enum experiment_act act)
{
    uint32_t chosen = PLANE_NONE;
    uint64_t seen = 0;
    uint32_t first = node ? PLANE_CONTROLLERS : 0;
    uint32_t end = node ? plane->machines_count : PLANE_CONTROLLERS;
    for (uint32_t i = first; i < end; i++) {
        if (i != but && can(plane, i, act) && plane_below(plane, ++seen) == 0) {
            chosen = i;
        }
    }
    return chosen;
}

static void strike_machine(struct plane *plane, uint64_t index, uint32_t machine)
{
    const struct experiment_fault *fault = &plane->trial->experiment->faults[index];
    uint32_t slot = 0;
    struct trial_strike told = { .at_ms = since_ms(plane),
                                 .for_ms = fault->for_ms == EXPERIMENT_UNTIL_THE_END
                                               ? 0
                                               : fault->for_ms };
    bool named = fault->target.who == EXPERIMENT_MACHINE;
    (void)snprintf(
        told.words,
        sizeof(told.words),
        "%.40s%s%s",
        fault->words,
        named ? "" : " = ",
        named ? "" : experiment_machine(machine));
    while (slot < ACTIVE && actives[slot].fault != NULL) {
        slot++;
    }
    if (slot == ACTIVE) {
        plane_fail(plane, "BOUND more than %u faults at once", ACTIVE);
    }
    actives[slot] = (struct active){ fault, machine };
    plane->tally->struck++;
    trial_meter_strike(plane, &told);
    trial_log_fault(plane, told.words, "strikes");
    strike(plane, machine, fault);
    if (fault->for_ms != EXPERIMENT_UNTIL_THE_END) {
        post(plane, fault->for_ms, TRIAL_MEND, index, slot);
    } else if (fault->act <= EXPERIMENT_STOP) {
        actives[slot].fault = NULL; /* A moment. */
    }
}

/* False: nobody is there who could be struck. */
static bool strike_whom(struct plane *plane, uint64_t index)
{
    const struct experiment_fault *fault = &plane->trial->experiment->faults[index];
    uint32_t leader = plane_leader(plane);
    uint32_t machine = fault->target.machine;
    bool nodes = fault->target.who == EXPERIMENT_NODES;
    switch (fault->target.who) {
    case EXPERIMENT_MACHINE: break;
    case EXPERIMENT_LEADER: machine = leader; break;
    case EXPERIMENT_FOLLOWER:
        machine = leader == PLANE_NONE ? leader : any(plane, false, leader, fault->act);
        break;
    case EXPERIMENT_CONTROLLER: machine = any(plane, false, PLANE_NONE, fault->act); break;
    case EXPERIMENT_NODE: machine = any(plane, true, PLANE_NONE, fault->act); break;
    case EXPERIMENT_CONTROLLERS:
    case EXPERIMENT_NODES:
        for (uint32_t i = nodes ? PLANE_CONTROLLERS : 0;
             i < (nodes ? plane->machines_count : PLANE_CONTROLLERS);
             i++) {
            if (can(plane, i, fault->act)) {
                strike_machine(plane, index, i);
            }
        }
        return true;
    }
    bool somebody =
        machine != PLANE_NONE && machine != fault->other && can(plane, machine, fault->act);
    if (somebody) {
        strike_machine(plane, index, machine);
    }
    return somebody;
}

/* Whoever leads is waited for, as long as the next turn is not due. */
void trial_schedule_event(struct plane *plane, const struct plane_event *event)
{
    uint64_t index = event->b >> 32;
    uint32_t low = (uint32_t)event->b;
    const struct experiment_fault *fault = &plane->trial->experiment->faults[index];
    if (!plane->trouble) {
        return; /* Everything was healed. */
    }
    if (event->a == TRIAL_MEND) {
        CHECK(low < ACTIVE && actives[low].fault == fault);
        mend(plane, &actives[low]);
        return;
    }
    bool again = low > 0; /* This turn's first try found nobody. */
    if (!again && fault->every_ms > 0) {
        post(plane, fault->every_ms, TRIAL_STRIKE, index, 0);
    }
    if (strike_whom(plane, index)) {
        return;
    }
    uint64_t waited_ms = (uint64_t)(low + 1) * AGAIN_MS;
    bool waits = fault->target.who == EXPERIMENT_LEADER &&
                 (fault->every_ms == 0 || waited_ms < fault->every_ms) && waited_ms < 60000;
    if (waits) {
        post(plane, AGAIN_MS, TRIAL_STRIKE, index, low + 1);
        return;
    }
    plane->trial->measures->missed++;
    trial_log_fault(plane, fault->words, "finds nobody");
}
