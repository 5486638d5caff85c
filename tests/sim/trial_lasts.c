/* Decides what a fault of an experiment does to a machine, how long that lasts, and what is left of
 * it while several last at once: of two that set the same thing the younger counts, and when it has
 * ended the older again. A fault that strikes a machine anew before it has ended goes on from
 * there. Never decides when or whom (trial_schedule.c). */
#include "base/check.h"
#include "tests/sim/plane_host.h"
#include "tests/sim/plane_machine.h"
#include "tests/sim/plane_net.h"
#include "tests/sim/trial.h"

enum { MILLION = 1000000 };
#define WALL_MOST_MS (INT64_C(316000000) * 1000) /* Ten years: however many jumps pile up. */

struct lasting {
    uint64_t order;    /* When it struck last; 0: it does not last. */
    uint64_t until_us; /* UINT64_MAX: to the end. */
    int64_t jumped_ms; /* A jump: how far, in all. */
};

/* By fault, then machine; never given back: the trial is the process. */
static struct lasting *lastings[EXPERIMENT_FAULTS];
static uint64_t orders;

static const struct experiment_fault *fault_at(const struct plane *plane, uint32_t index)
{
    CHECK(index < plane->trial->experiment->faults_count);
    return &plane->trial->experiment->faults[index];
}

static void post_end(struct plane *plane, uint32_t index, uint32_t machine)
{
    const struct lasting *it = &lastings[index][machine];
    CHECK(it->order != 0 && it->until_us >= plane->now_us);
    plane_post_us(
        plane,
        it->until_us - plane->now_us,
        PLANE_TRIAL,
        0,
        TRIAL_MEND,
        (uint64_t)index << 32 | machine,
        SLICE_EMPTY);
}

/* It lasts from now on, or goes on. */
static void note(struct plane *plane, uint32_t index, uint32_t machine)
{
    const struct experiment_fault *fault = fault_at(plane, index);
    if (lastings[index] == NULL) {
        lastings[index] = plane_zeroed(plane->machines_count, sizeof(*lastings[index]));
    }
    struct lasting *it = &lastings[index][machine];
    bool before = it->order != 0;
    bool ends = fault->for_ms != EXPERIMENT_UNTIL_THE_END;
    it->order = ++orders;
    it->until_us = ends ? plane->now_us + fault->for_ms * 1000 : UINT64_MAX;
    if (ends && !before) {
        post_end(plane, index, machine);
    }
}

/* The youngest of this kind that holds the machine; NULL: none does. */
static const struct experiment_fault *holds(
    const struct plane *plane, uint32_t machine, enum experiment_act act)
{
    const struct experiment_fault *youngest = NULL;
    uint64_t order = 0;
    for (uint32_t i = 0; i < plane->trial->experiment->faults_count; i++) {
        const struct experiment_fault *fault = fault_at(plane, i);
        if (fault->act == act && lastings[i] != NULL && lastings[i][machine].order > order) {
            order = lastings[i][machine].order;
            youngest = fault;
        }
    }
    return youngest;
}

/* ---- Cuts: those that stand are made anew from what lasts, whenever that changes ---- */

static void cut_one_way(struct plane *plane, uint32_t from, uint32_t to)
{
    CHECK(from != to);
    plane_link_of(plane, from, to)->cut[from < to ? 0 : 1] = true;
}

static void cut(struct plane *plane, const struct experiment_fault *fault, uint32_t machine)
{
    for (uint32_t other = 0; other < plane_linked_end(plane, machine); other++) {
        bool meant = fault->other == PLANE_NONE || fault->other == other;
        if (other != machine && meant) {
            cut_one_way(plane, machine, other);
        }
        if (other != machine && fault->other == PLANE_NONE) {
            cut_one_way(plane, other, machine);
        }
    }
}

void trial_recut(struct plane *plane)
{
    if (plane->trial == NULL || !plane->trouble) {
        return;
    }
    for (uint32_t i = 0; i < plane->trial->experiment->faults_count; i++) {
        const struct experiment_fault *fault = fault_at(plane, i);
        bool cuts = fault->act == EXPERIMENT_CUT && lastings[i] != NULL;
        for (uint32_t k = 0; cuts && k < plane->machines_count; k++) {
            if (lastings[i][k].order != 0) {
                cut(plane, fault, k);
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

/* ---- What holds a machine, done to it ---- */

static void rate_settle(struct plane *plane, uint32_t machine)
{
    const struct experiment_fault *drift = holds(plane, machine, EXPERIMENT_DRIFT);
    bool stands = holds(plane, machine, EXPERIMENT_FREEZE) != NULL;
    int64_t rate = stands ? 0 : MILLION + (drift == NULL ? 0 : drift->amount);
    CHECK(rate >= 0);
    plane_clock_rate(plane, machine, (uint64_t)rate);
}

/* As what still lasts says. */
static void settle(struct plane *plane, uint32_t machine, enum experiment_act act)
{
    const struct experiment_fault *now = holds(plane, machine, act);
    switch ((int)act) {
    case EXPERIMENT_FULL: plane_controller_full(plane, machine, now != NULL); return;
    case EXPERIMENT_SLOW_DISK:
        plane_disk_slow(
            plane, machine, now == NULL ? plane_cost(PLANE_COST_SYNC) : (uint64_t)now->amount);
        return;
    case EXPERIMENT_SLOW:
        plane->machines[machine].slow = now == NULL ? 1 : (uint64_t)now->amount;
        return;
    case EXPERIMENT_DRIFT:
    case EXPERIMENT_FREEZE: rate_settle(plane, machine); return;
    default: return; /* What was killed or stopped comes back by itself. */
    }
}

/* ---- Processes ---- */

static void back_after(struct plane *plane, uint32_t machine, uint64_t ms)
{
    plane->machines[machine].life++; /* The start that is on its way finds nothing. */
    plane_after(plane, ms > 0 ? ms : 20 + plane_below(plane, 100), PLANE_RESTART, machine);
}

static void strike_process(
    struct plane *plane, uint32_t machine, const struct experiment_fault *fault)
{
    bool power = fault->act == EXPERIMENT_POWER;
    uint64_t ms = fault->for_ms;
    if (ms == EXPERIMENT_UNTIL_THE_END) { /* Its supervisor starts it anew; a machine boots. */
        ms = plane_is_node(machine) && power ? 5000 : 100;
    }
    if (plane_is_node(machine)) {
        plane_seen(plane, power ? PLANE_NODE_CRASH : PLANE_AGENT_RESTART);
        plane_node_crash(plane, machine, power);
    } else {
        if (machine == plane_leader(plane)) {
            plane_seen(plane, PLANE_LEADER_KILLED);
        }
        plane_controller_crash(plane, machine, power);
        if (holds(plane, machine, EXPERIMENT_SLOW_DISK) != NULL) {
            settle(plane, machine, EXPERIMENT_SLOW_DISK); /* A new process, the same disk. */
        }
    }
    back_after(plane, machine, ms); /* When the file says so, not when the seed would. */
}

static int64_t jump(struct plane *plane, uint32_t machine, int64_t by_ms)
{
    int64_t *offset_ms = &plane->machines[machine].clock.wall_offset_ms;
    int64_t before_ms = *offset_ms;
    int64_t after_ms = before_ms + by_ms;
    after_ms = after_ms > WALL_MOST_MS ? WALL_MOST_MS : after_ms;
    *offset_ms = after_ms < -WALL_MOST_MS ? -WALL_MOST_MS : after_ms;
    return *offset_ms - before_ms;
}

static void strike(struct plane *plane, uint32_t index, uint32_t machine)
{
    const struct experiment_fault *fault = fault_at(plane, index);
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
    case EXPERIMENT_FULL: break;
    case EXPERIMENT_SLOW_DISK: plane_seen(plane, PLANE_DISK_SLOW); break;
    case EXPERIMENT_SLOW: plane_seen(plane, PLANE_SLOW); break;
    case EXPERIMENT_DRIFT: plane_seen(plane, PLANE_DRIFT); break;
    case EXPERIMENT_JUMP:
        plane_seen(plane, PLANE_WALL_JUMP);
        lastings[index][machine].jumped_ms += jump(plane, machine, fault->amount);
        return;
    case EXPERIMENT_FREEZE: plane_seen(plane, PLANE_CLOCK_STANDS); break;
    case EXPERIMENT_ACTS_END: UNREACHABLE();
    }
    settle(plane, machine, fault->act);
}

void trial_lasts(struct plane *plane, uint32_t index, uint32_t machine)
{
    const struct experiment_fault *fault = fault_at(plane, index);
    CHECK(machine < plane->machines_count);
    if (fault->for_ms != EXPERIMENT_UNTIL_THE_END || fault->act > EXPERIMENT_STOP) {
        note(plane, index, machine); /* Else it is a moment. */
    }
    strike(plane, index, machine);
}

/* ---- Ends ---- */

static void end(struct plane *plane, uint32_t index, uint32_t machine)
{
    const struct experiment_fault *fault = fault_at(plane, index);
    struct lasting ended = lastings[index][machine];
    lastings[index][machine] = (struct lasting){ .order = 0 };
    trial_log_fault(plane, fault->words, "ends");
    if (fault->act == EXPERIMENT_CUT) {
        cuts_clear(plane);
        trial_recut(plane);
    } else if (fault->act == EXPERIMENT_JUMP) {
        plane->machines[machine].clock.wall_offset_ms -= ended.jumped_ms;
    } else {
        settle(plane, machine, fault->act);
    }
}

void trial_lasts_until(struct plane *plane, uint32_t index, uint32_t machine)
{
    const struct lasting *it = &lastings[index][machine];
    if (it->order == 0) {
        return;
    }
    if (it->until_us > plane->now_us) {
        post_end(plane, index, machine); /* It struck again meanwhile. */
        return;
    }
    end(plane, index, machine);
}

void trial_lasts_over(struct plane *plane)
{
    for (uint32_t i = 0; i < plane->trial->experiment->faults_count; i++) {
        enum experiment_act act = fault_at(plane, i)->act;
        for (uint32_t k = 0; lastings[i] != NULL && k < plane->machines_count; k++) {
            const struct plane_machine *machine = &plane->machines[k];
            if (lastings[i][k].order == 0) {
                continue;
            }
            end(plane, i, k);
            bool process =
                act == EXPERIMENT_KILL || act == EXPERIMENT_POWER || act == EXPERIMENT_KILL_AGENT;
            if (process && machine->exists && !machine->dead && !machine->up) {
                back_after(plane, k, 0);
            } else if (act == EXPERIMENT_STOP && machine->up) {
                plane_wake(plane, k);
            }
        }
    }
}
