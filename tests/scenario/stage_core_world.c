/* What befalls the desk's nodes and controllers, played as the words that would be heard of it. */
#include "base/check.h"
#include "controller/core/instance.h"
#include "tests/scenario/stage_core.h"
#include "tests/scenario/stage_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool because(char why[static STAGE_TEXT], const char *reason)
{
    (void)snprintf(why, STAGE_TEXT, "%s", reason);
    return false;
}

/* ---- Nodes ---- */

/* Once what is wanted is not yet so: its node says that it is. False: nothing is to be done. */
static bool obeys(struct desk *desk, const struct desk_node *node, const struct instance_row *row)
{
    switch ((Wire__InstanceState)row->state) {
    case WIRE__INSTANCE_STATE__INSTANCE_STATE_STARTING:
        desk_report(desk, node, row, WIRE__OBSERVED__OBSERVED_RUNNING);
        return true;
    case WIRE__INSTANCE_STATE__INSTANCE_STATE_STOPPING:
        desk_report(desk, node, row, WIRE__OBSERVED__OBSERVED_STOPPED);
        return true;
    case WIRE__INSTANCE_STATE__INSTANCE_STATE_DELETING:
        desk_report(desk, node, row, WIRE__OBSERVED__OBSERVED_GONE);
        return true;
    case WIRE__INSTANCE_STATE__INSTANCE_STATE_UNSET:
    case WIRE__INSTANCE_STATE__INSTANCE_STATE_STOPPED:
    case WIRE__INSTANCE_STATE__INSTANCE_STATE_RUNNING:
    case WIRE__INSTANCE_STATE__INSTANCE_STATE_FAILED:
    case _WIRE__INSTANCE_STATE_IS_INT_SIZE: return false;
    }
    return false;
}

/* The first instance of this node that is not as it was told to be. */
static bool node_works(struct desk *desk, const struct desk_node *node)
{
    const struct state *state = desk_state(desk);
    for (const struct instance_row *row = state_first(state, TABLE_INSTANCE); row != NULL;
         row = state_next(state, TABLE_INSTANCE, row)) {
        if (row->node.value == node->id && obeys(desk, node, row)) {
            return true; /* Rows have moved: begin anew. */
        }
    }
    return false;
}

bool stage_goes_on(struct stage *stage, uint32_t patience)
{
    CHECK(patience <= STAGE_DEEDS);
    for (uint32_t i = 0; i < stage->desk->nodes_count && !stage->dead; i++) {
        const struct desk_node *node = &stage->desk->nodes[i];
        if (!node->silent && node_works(stage->desk, node)) {
            return true;
        }
    }
    return false;
}

static bool node_cause(struct stage *stage, enum cause cause, struct desk_node *node)
{
    struct desk *desk = stage->desk;
    const struct state *state = desk_state(desk);
    size_t at = (size_t)(node - desk->nodes);
    if (cause == CAUSE_NODE_CUT || cause == CAUSE_NODE_DARK) {
        node->silent = true;
        stage->dark[at] = cause == CAUSE_NODE_DARK;
        return true;
    }
    if (cause == CAUSE_NODE_HEARD) {
        node->silent = false;
        desk_renew(desk, node, true);
        desk_turn(desk);
        return true;
    }
    node->boot = (uint8_t)(node->boot + (cause == CAUSE_NODE_LIGHT ? 1 : 0));
    node->silent = false;
    desk_link(desk, WIRE__KIND__KIND_NODE, node->id, true);
    desk_hello(desk, node);
    desk_turn(desk);
    for (const struct instance_row *row = state_first(state, TABLE_INSTANCE);
         row != NULL && stage->dark[at] && !stage->by_hand;
         row = state_next(state, TABLE_INSTANCE, row)) {
        if (row->node.value == node->id && row->desired == WIRE__DESIRED__DESIRED_RUNNING) {
            desk_word(
                desk,
                node,
                row->head.id,
                row->generation,
                row->epoch,
                WIRE__OBSERVED__OBSERVED_RUNNING,
                1); /* It was not there, and was started again. */
        }
    }
    stage->dark[at] = false;
    return true;
}

static bool guest_crashes(
    struct stage *stage, const char *tenant, const char *name, char why[static STAGE_TEXT])
{
    const struct instance_row *row = rows_instance(desk_state(stage->desk), tenant, name);
    for (uint32_t i = 0; row != NULL && i < stage->desk->nodes_count; i++) {
        const struct desk_node *node = &stage->desk->nodes[i];
        if (node->id == row->node.value &&
            row->state == WIRE__INSTANCE_STATE__INSTANCE_STATE_RUNNING) {
            desk_word(
                stage->desk,
                node,
                row->head.id,
                row->generation,
                row->epoch,
                WIRE__OBSERVED__OBSERVED_RUNNING,
                1);
            return true;
        }
    }
    return because(why, "no such guest runs");
}

/* ---- Controllers ---- */

static void nodes_greet(struct desk *desk, bool link)
{
    for (uint32_t i = 0; i < desk->nodes_count; i++) {
        if (!desk->nodes[i].silent) {
            if (link) {
                desk_link(desk, WIRE__KIND__KIND_NODE, desk->nodes[i].id, true);
            }
            desk_hello(desk, &desk->nodes[i]);
        }
    }
    desk_turn(desk);
}

/* Leadership goes and comes back in a later term. What was proposed is lost sight of by the asker;
 * it was in a majority's log, so it is committed all the same. */
static void leader_dies(struct desk *desk)
{
    desk_follow(desk, desk->term + 1, 0);
    for (uint32_t i = 0; i < desk->pending_count; i++) {
        struct engine_event lost = { .kind = ENGINE_LOST, .ticket = desk->pending[i].ticket };
        desk_step(desk, &lost);
    }
    desk->hold_log = false;
    while (desk->pending_count > 0) {
        desk_commit(desk);
    }
    desk_lead(desk, desk->term + 1);
    desk_turn(desk);
    nodes_greet(desk, false);
}

/* The engine's memory is gone; a new one is fed the log. */
static void controllers_back(struct desk *desk)
{
    struct desk_engine dead = desk->first;
    struct desk_engine fresh = desk_engine_new(desk);
    for (uint32_t i = 0; i < desk->log_count; i++) {
        desk_apply(desk, fresh.engine, desk->log[i].index, desk->log[i].bytes);
    }
    desk->first = fresh;
    free(dead.memory);
    desk_lead(desk, desk->term + 1);
    desk_turn(desk);
    nodes_greet(desk, true);
}

static bool controllers_cause(struct stage *stage, enum cause cause, char why[static STAGE_TEXT])
{
    struct desk *desk = stage->desk;
    if (cause == CAUSE_CONTROLLERS_BACK) {
        if (!stage->dead) {
            return because(why, "they are there");
        }
        controllers_back(desk);
        stage->dead = false;
        return true;
    }
    if (stage->dead || desk->hold_log) {
        return because(why, "nobody leads, or the log waits");
    }
    if (cause == CAUSE_LEADER_DIES) {
        leader_dies(desk);
    } else {
        stage->dead = true;
    }
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
    struct desk_node *node = subject == NULL ? NULL : desk_node_named(stage->desk, subject);
    switch (cause) {
    case CAUSE_TIME:
        for (uint32_t i = 0; !stage->by_hand && stage_goes_on(stage, i);) {
            i++; /* Nodes do not wait for a clock. */
        }
        if (stage->dead) {
            stage->desk->now_ms += ms;
            stage->desk->wall_ms += ms;
        } else {
            desk_pass(stage->desk, ms);
        }
        return true;
    case CAUSE_LEADER_DIES:
        if (stage->desk->hold_log && !stage->dead) {
            leader_dies(stage->desk); /* Between proposal and answer. */
            return true;
        }
        return controllers_cause(stage, cause, why);
    case CAUSE_CONTROLLERS_DIE:
    case CAUSE_CONTROLLERS_BACK: return controllers_cause(stage, cause, why);
    case CAUSE_NODE_CUT:
    case CAUSE_NODE_HEARD:
    case CAUSE_NODE_DARK:
    case CAUSE_NODE_LIGHT:
    case CAUSE_NODE_PROGRAMS:
        return node == NULL ? because(why, "there is no such node")
                            : node_cause(stage, cause, node);
    case CAUSE_GUEST: return guest_crashes(stage, tenant, subject, why);
    }
    return because(why, "that does not happen");
}

/* ---- By hand ---- */

static bool report(struct stage *stage, const struct hand *hand, char why[static STAGE_TEXT])
{
    static const char *const names[] = { "", "running", "stopped", "gone", "failed", "starting" };
    const struct instance_row *row =
        rows_instance(desk_state(stage->desk), hand->tenant, hand->name);
    const struct desk_node *node = desk_node_named(stage->desk, hand->node);
    for (size_t i = 1; i < COUNT_OF(names) && row != NULL && node != NULL; i++) {
        if (strcmp(names[i], hand->observed) == 0) {
            desk_word(
                stage->desk,
                node,
                row->head.id,
                row->generation - (hand->older_order ? 1 : 0),
                row->epoch - (hand->older_placement ? 1 : 0),
                (Wire__Observed)i,
                hand->repairs);
            return true;
        }
    }
    return because(why, "no such node, no such instance, or no such word");
}

bool stage_hand(struct stage *stage, const struct hand *hand, char why[static STAGE_TEXT])
{
    struct desk *desk = stage->desk;
    if (hand->word == HAND_REPORT) {
        return report(stage, hand, why);
    }
    desk->hold_log = hand->word == HAND_LOG_WAITS;
    if (!desk->hold_log) {
        while (desk->pending_count > 0) {
            desk_commit(desk);
        }
        desk_turn(desk);
    }
    return true;
}
