/* What befalls the simulated plane: power, links, processes, guests, time; and how everything comes
 * together in the end. */
#include "base/check.h"
#include "tests/scenario/stage_sim.h"
#include "tests/sim/plane_check.h"
#include "tests/sim/plane_machine.h"
#include "tests/sim/plane_net.h"

#include <string.h>

bool stage_goes_on(struct stage *stage, uint32_t patience)
{
    if (stage->dead || patience >= SIM_LOOKS) {
        return false;
    }
    return plane_until(&stage->plane, SIM_LOOK_MS, NULL);
}

/* ---- Nodes ---- */

static void node_links(struct stage *stage, uint32_t machine, bool cut)
{
    struct plane *plane = &stage->plane;
    for (uint32_t i = 0; i < PLANE_CONTROLLERS; i++) {
        struct plane_link *link = plane_link_of(plane, i, machine);
        link->cut[0] = cut;
        link->cut[1] = cut;
        if (cut && link->session != 0) {
            plane_post(plane, 300, PLANE_BREAK, i, machine, link->session, SLICE_EMPTY);
        }
    }
}

/* Who has no power does not start by himself: his restart was meant for an earlier life. */
static void stays_dark(struct stage *stage, uint32_t machine)
{
    CHECK(!stage->plane.machines[machine].up);
    stage->plane.machines[machine].life++;
}

static bool up(const struct stage *stage, uint32_t machine)
{
    return stage->plane.machines[machine].up;
}

static bool node_cause(
    struct stage *stage, enum cause cause, uint32_t machine, char why[static STAGE_TEXT])
{
    struct plane *plane = &stage->plane;
    uint32_t at = machine - PLANE_CONTROLLERS;
    if (stage->dark[at] != (cause == CAUSE_NODE_LIGHT)) {
        return sim_because(why, stage->dark[at] ? "it has no power" : "it has power");
    }
    if (cause == CAUSE_NODE_CUT || cause == CAUSE_NODE_HEARD) {
        stage->cut[at] = cause == CAUSE_NODE_CUT;
        node_links(stage, machine, stage->cut[at]);
    } else if (cause == CAUSE_NODE_DARK) {
        plane_node_crash(plane, machine, true);
        stays_dark(stage, machine);
        stage->dark[at] = true;
    } else if (cause == CAUSE_NODE_LIGHT) {
        plane_after(plane, 1, PLANE_RESTART, machine);
        stage->dark[at] = false;
    } else if (up(stage, machine)) {
        plane_host_restart(plane, machine);
        plane_node_crash(plane, machine, false);
    }
    return true;
}

/* Its node has no other guest: the plane's accident takes any that runs there. */
static bool guest_crashes(
    struct stage *stage, const char *tenant, const char *name, char why[static STAGE_TEXT])
{
    struct seen_instance seen;
    stage_instance(stage, tenant, name, &seen);
    uint32_t machine = seen.there ? sim_node(stage, seen.node) : PLANE_NONE;
    if (machine == PLANE_NONE || strcmp(seen.state, "running") != 0) {
        return sim_because(why, "no such guest runs");
    }
    uint32_t running = 0;
    for (uint32_t i = 0; i < PLANE_DOMAINS; i++) {
        running += plane_host_domains(machine)[i].running ? 1 : 0;
    }
    if (running != 1) {
        return sim_because(why, "it is not the only guest of its node");
    }
    plane_host_guest(&stage->plane, machine);
    return true;
}

/* ---- Controllers ---- */

static bool leads(struct plane *plane)
{
    return plane_leader(plane) != PLANE_NONE;
}

static bool controllers_cause(struct stage *stage, enum cause cause, char why[static STAGE_TEXT])
{
    struct plane *plane = &stage->plane;
    if (stage->dead != (cause == CAUSE_CONTROLLERS_BACK)) {
        return sim_because(why, stage->dead ? "they have no power" : "they are there");
    }
    if (cause == CAUSE_LEADER_DIES) {
        if (!plane_until(plane, SIM_ANSWER_MS, leads)) {
            return sim_because(why, "nobody leads");
        }
        plane_controller_crash(plane, plane_leader(plane), false);
        return true;
    }
    for (uint32_t i = 0; i < plane->conf.controllers; i++) {
        if (cause == CAUSE_CONTROLLERS_BACK) {
            plane_after(plane, 1 + i, PLANE_RESTART, i);
            continue;
        }
        if (up(stage, i)) {
            plane_controller_crash(plane, i, true);
        }
        stays_dark(stage, i);
    }
    stage->dead = cause == CAUSE_CONTROLLERS_DIE;
    return true;
}

bool stage_cause(
    struct stage *stage,
    enum cause cause,
    const char *subject,
    const char *tenant,
    uint64_t ms,
    char why[static STAGE_TEXT])
{
    switch (cause) {
    case CAUSE_TIME: return plane_until(&stage->plane, ms, NULL) || sim_because(why, "time ends");
    case CAUSE_LEADER_DIES:
    case CAUSE_CONTROLLERS_DIE:
    case CAUSE_CONTROLLERS_BACK: return controllers_cause(stage, cause, why);
    case CAUSE_NODE_CUT:
    case CAUSE_NODE_HEARD:
    case CAUSE_NODE_DARK:
    case CAUSE_NODE_LIGHT:
    case CAUSE_NODE_PROGRAMS: return node_cause(stage, cause, sim_node(stage, subject), why);
    case CAUSE_GUEST: return guest_crashes(stage, tenant, subject, why);
    }
    return sim_because(why, "that does not happen");
}

/* ---- The end ---- */

bool stage_end(struct stage *stage, char why[static STAGE_TEXT])
{
    struct plane *plane = &stage->plane;
    if (!sim_begin(stage, why) ||
        (stage->dead && !controllers_cause(stage, CAUSE_CONTROLLERS_BACK, why))) {
        return false;
    }
    for (uint32_t i = 0; i < stage->nodes_count; i++) {
        uint32_t machine = PLANE_CONTROLLERS + i;
        if ((stage->dark[i] && !node_cause(stage, CAUSE_NODE_LIGHT, machine, why)) ||
            (stage->cut[i] && !node_cause(stage, CAUSE_NODE_HEARD, machine, why))) {
            return false;
        }
    }
    if (!plane_until(plane, (uint64_t)SIM_LOOKS * SIM_LOOK_MS, plane_check_converged)) {
        return sim_because(why, plane_check_why());
    }
    plane_check_end(plane);
    return true;
}
