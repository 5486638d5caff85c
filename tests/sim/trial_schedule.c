/* Decides what fails when, as the experiment's file says, and whom a fault strikes if it names no
 * machine: within the workload, and not after it. What it does then is in trial_lasts.c. Never
 * draws a fault of its own (plane_fault.c does). */
#include "base/check.h"
#include "tests/sim/plane_machine.h"
#include "tests/sim/trial.h"

#include <stdio.h>

enum { AGAIN_MS = 100, WAIT_MS = 60000 };

static uint64_t since_ms(const struct plane *plane)
{
    CHECK(plane->now_us >= plane->trial->begin_us);
    return (plane->now_us - plane->trial->begin_us) / 1000;
}

/* `tries`: of this turn, that found nobody. */
static void post(struct plane *plane, uint64_t delay_ms, uint64_t fault, uint32_t tries)
{
    plane_post(plane, delay_ms, PLANE_TRIAL, 0, TRIAL_STRIKE, fault << 32 | tries, SLICE_EMPTY);
}

static void missed(struct plane *plane, const struct experiment_fault *fault, const char *why)
{
    plane->trial->measures->missed++;
    trial_log_fault(plane, fault->words, why);
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
        if (experiment->faults[i].at_ms < experiment->duration_ms) {
            post(plane, experiment->faults[i].at_ms, i, 0);
        } else {
            missed(plane, &experiment->faults[i], "would come when the workload is over");
        }
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
    plane->tally->struck++;
    trial_meter_strike(plane, &told);
    trial_log_fault(plane, told.words, "strikes");
    trial_lasts(plane, (uint32_t)index, machine);
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
    if (!plane->trial->under_way || since_ms(plane) >= plane->trial->experiment->duration_ms) {
        return; /* Everything is healed. */
    }
    if (event->a == TRIAL_MEND) {
        trial_lasts_until(plane, (uint32_t)index, low);
        return;
    }
    bool again = low > 0; /* This turn's first try found nobody. */
    if (!again && fault->every_ms > 0) {
        post(plane, fault->every_ms, index, 0);
    }
    if (strike_whom(plane, index)) {
        return;
    }
    uint64_t waited_ms = (uint64_t)(low + 1) * AGAIN_MS;
    bool waits = fault->target.who == EXPERIMENT_LEADER &&
                 (fault->every_ms == 0 || waited_ms < fault->every_ms) && waited_ms < WAIT_MS;
    if (waits) {
        post(plane, AGAIN_MS, index, low + 1);
        return;
    }
    missed(plane, fault, "finds nobody");
}
