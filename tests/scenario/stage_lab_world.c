/* What befalls the lab: power, networks, processes, guests; and how everything is made whole again.
 * The hand in the machine room is world.sh. */
#include "base/check.h"
#include "tests/scenario/stage_lab.h"

#include <stdlib.h>
#include <string.h>

bool stage_goes_on(struct stage *stage, uint32_t patience)
{
    if (stage->wrong[0] != '\0' || patience >= LAB_LOOKS) {
        return false;
    }
    lab_pause(LAB_WAIT_MS);
    return true;
}

static bool node_cause(
    struct stage *stage, enum cause cause, const char *name, char why[static STAGE_TEXT])
{
    struct lab_node *node = lab_node(stage, name);
    const char *verb = cause == CAUSE_NODE_CUT     ? "cut"
                       : cause == CAUSE_NODE_HEARD ? "heard"
                       : cause == CAUSE_NODE_DARK  ? "dark"
                       : cause == CAUSE_NODE_LIGHT ? "light"
                                                   : "programs";
    CHECK(node != NULL);
    if (!lab_world(stage, verb, name, NULL)) {
        return lab_because(why, stage->wrong);
    }
    node->cut = cause == CAUSE_NODE_CUT || (node->cut && cause != CAUSE_NODE_HEARD);
    node->dark = cause == CAUSE_NODE_DARK || (node->dark && cause != CAUSE_NODE_LIGHT);
    return true;
}

static bool guest_crashes(
    struct stage *stage, const char *tenant, const char *name, char why[static STAGE_TEXT])
{
    struct lab_line line;
    char own[STAGE_NAME];
    lab_name(stage, tenant, own);
    lab_line_begin(stage, "root", &line);
    lab_word(&line, "--tenant");
    lab_word(&line, "%s", own);
    lab_word(&line, "instance");
    lab_word(&line, "show");
    lab_word(&line, "%s", name);
    struct json_t *doc = lab_json(stage, &line);
    bool done = doc != NULL && lab_world(stage, "guest", lab_text(doc, "id"), NULL);
    doc_free(doc);
    return done || lab_because(why, stage->wrong[0] == '\0' ? "no such guest" : stage->wrong);
}

static bool controllers_cause(struct stage *stage, enum cause cause, char why[static STAGE_TEXT])
{
    const char *verb = cause == CAUSE_LEADER_DIES       ? "leader"
                       : cause == CAUSE_CONTROLLERS_DIE ? "die"
                                                        : "back";
    if (stage->dead != (cause == CAUSE_CONTROLLERS_BACK)) {
        return lab_because(why, stage->dead ? "they have no power" : "they are there");
    }
    if (!lab_world(stage, verb, "", NULL)) {
        return lab_because(why, stage->wrong);
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
    case CAUSE_TIME:
        if (ms > LAB_TIME_MAX) {
            return lab_because(why, "nobody waits for more than a minute");
        }
        lab_pause(ms);
        return true;
    case CAUSE_LEADER_DIES:
    case CAUSE_CONTROLLERS_DIE:
    case CAUSE_CONTROLLERS_BACK: return controllers_cause(stage, cause, why);
    case CAUSE_NODE_CUT:
    case CAUSE_NODE_HEARD:
    case CAUSE_NODE_DARK:
    case CAUSE_NODE_LIGHT:
    case CAUSE_NODE_PROGRAMS: return node_cause(stage, cause, subject, why);
    case CAUSE_GUEST: return guest_crashes(stage, tenant, subject, why);
    }
    return lab_because(why, "that does not happen");
}

/* ---- The end ---- */

bool stage_end(struct stage *stage, char why[static STAGE_TEXT])
{
    if (stage->dead && !stage_cause(stage, CAUSE_CONTROLLERS_BACK, NULL, NULL, 0, why)) {
        return false;
    }
    for (uint32_t i = 0; i < stage->nodes_count; i++) {
        struct lab_node *node = &stage->nodes[i];
        if ((node->dark && !node_cause(stage, CAUSE_NODE_LIGHT, node->name, why)) ||
            (node->cut && !node_cause(stage, CAUSE_NODE_HEARD, node->name, why))) {
            return false;
        }
    }
    for (uint32_t looks = 0; !lab_healthy(stage, why); looks++) {
        if (!stage_goes_on(stage, looks)) {
            return false;
        }
    }
    return true;
}

/* What the story has made goes, so that the next one finds room. Not the story's business any more:
 * what cannot be removed is said by the next lab_healthy, or by nobody. */
static void swept(struct stage *stage, const char *tenant)
{
    char own[STAGE_NAME];
    const char *out = "";
    const char *err = "";
    lab_name(stage, tenant, own);
    for (uint32_t looks = 0; looks < LAB_LOOKS && stage_count(stage, SEEN_INSTANCES, tenant) > 0;
         looks++) {
        struct lab_line line;
        lab_line_begin(stage, "root", &line);
        lab_word(&line, "--tenant");
        lab_word(&line, "%s", own);
        lab_word(&line, "instance");
        lab_word(&line, "ls");
        struct json_t *all = lab_json(stage, &line);
        for (size_t i = 0; all != NULL && i < doc_count(all); i++) {
            if (strcmp(lab_text(doc_at(all, i), "state"), "deleting") == 0) {
                continue;
            }
            lab_line_begin(stage, "root", &line);
            lab_word(&line, "--tenant");
            lab_word(&line, "%s", own);
            lab_word(&line, "instance");
            lab_word(&line, "delete");
            lab_word(&line, "%s", lab_text(doc_at(all, i), "name"));
            lab_word(&line, "--project");
            lab_word(&line, "%s", lab_text(doc_at(all, i), "project"));
            int status = lab_run(&line, &out, &err);
            looks += status == 0 ? 0 : 1;
        }
        doc_free(all);
        lab_pause(LAB_WAIT_MS);
    }
}

void stage_close(struct stage *stage)
{
    char why[STAGE_TEXT] = "";
    stage->wrong[0] = '\0';
    if (stage_end(stage, why)) { /* Also when the story ended in the middle. */
        for (uint32_t i = 0; i < stage->names_count; i++) {
            swept(stage, stage->names[i]);
        }
    }
    free(stage);
}
