/* What can be seen of a running cell: through the operator's own command, and the processes that
 * are there. Changes nothing. */
#include "base/check.h"
#include "base/slice.h"
#include "tests/scenario/stage_lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct json_t *show(
    struct stage *stage, const char *tenant, const char *noun, const char *verb, const char *name)
{
    struct lab_line line;
    char own[STAGE_NAME];
    lab_line_begin(stage, "root", &line);
    if (tenant != NULL) {
        lab_name(stage, tenant, own);
        lab_word(&line, "--tenant");
        lab_word(&line, "%s", own);
    }
    lab_word(&line, "%s", noun);
    lab_word(&line, "%s", verb);
    if (name != NULL) {
        lab_word(&line, "%s", name);
    }
    return lab_json(stage, &line);
}

static struct json_t *status(struct stage *stage)
{
    return show(stage, NULL, "cluster", "status", NULL);
}

bool stage_begins(struct stage *stage, char why[static STAGE_TEXT])
{
    (void)why; /* The lab runs already. */
    struct json_t *cell = status(stage);
    stage->index_before = lab_number(cell, "applied_index");
    stage->elections_before = lab_number(cell, "elections");
    stage->next_leaf = lab_number(cell, "audit_leaves"); /* They are counted from 0. */
    stage->begun = true;
    doc_free(cell);
    return true;
}

/* ---- Objects ---- */

void stage_instance(
    struct stage *stage, const char *tenant, const char *name, struct seen_instance *seen_out)
{
    struct json_t *doc = show(stage, tenant, "instance", "show", name);
    *seen_out = (struct seen_instance){ .there = doc != NULL };
    (void)text_copy(seen_out->state, STAGE_NAME, slice_text(lab_text(doc, "state")));
    (void)text_copy(seen_out->node, STAGE_NAME, slice_text(lab_text(doc, "node")));
    (void)text_copy(seen_out->reason, STAGE_TEXT, slice_text(lab_text(doc, "reason")));
    (void)text_copy(seen_out->address, STAGE_NAME, slice_text(lab_text(doc, "nics.0.address")));
    char *prefix = strchr(seen_out->address, '/');
    if (prefix != NULL) {
        *prefix = '\0';
    }
    seen_out->generation = lab_number(doc, "generation");
    seen_out->epoch = lab_number(doc, "epoch");
    seen_out->attempts = lab_number(doc, "attempts");
    doc_free(doc);
}

static void amounts_read(const struct json_t *doc, const char *path, struct quota_amounts *out)
{
    static const char *const names[] = { "vcpus", "memory_bytes", "instances", "networks" };
    _Static_assert(COUNT_OF(names) == QUOTA_DIMENSIONS, "every dimension has its name");
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char full[STAGE_NAME];
        (void)snprintf(full, sizeof(full), "%s.%s", path, names[i]);
        out->of[i] = lab_number(doc, full);
    }
}

void stage_account(
    struct stage *stage, const char *tenant, const char *project, struct seen_account *seen_out)
{
    struct lab_line line;
    char own[STAGE_NAME];
    lab_name(stage, tenant, own);
    lab_line_begin(stage, "root", &line);
    lab_word(&line, "quota");
    lab_word(&line, "show");
    lab_word(&line, "%s", own);
    if (project != NULL) {
        lab_word(&line, "--project");
        lab_word(&line, "%s", project);
    }
    struct json_t *doc = lab_json(stage, &line);
    *seen_out = (struct seen_account){ .there = doc != NULL };
    amounts_read(doc, "used", &seen_out->used);
    amounts_read(doc, "held", &seen_out->held);
    doc_free(doc);
}

static void node_read(const struct json_t *doc, struct quota_amounts *out)
{
    *out = (struct quota_amounts){ { lab_number(doc, "vcpus_placed"),
                                     lab_number(doc, "memory_bytes_placed"),
                                     lab_number(doc, "instances"),
                                     0 } };
}

void lab_node_amounts(struct stage *stage, const char *name, struct quota_amounts *placed_out)
{
    struct json_t *doc = show(stage, NULL, "node", "show", name);
    node_read(doc, placed_out);
    doc_free(doc);
}

void stage_node_seen(struct stage *stage, const char *name, struct seen_node *seen_out)
{
    const struct lab_node *node = lab_node(stage, name);
    struct json_t *doc = show(stage, NULL, "node", "show", name);
    CHECK(node != NULL);
    *seen_out = (struct seen_node){ .there = doc != NULL };
    (void)text_copy(seen_out->liveness, STAGE_NAME, slice_text(lab_text(doc, "liveness")));
    node_read(doc, &seen_out->placed);
    for (size_t i = 0; i < QUOTA_DIMENSIONS; i++) { /* What others have there is not the story's. */
        seen_out->placed.of[i] -= node->before.of[i];
    }
    doc_free(doc);
}

bool stage_order(
    struct stage *stage,
    const char *node,
    const char *tenant,
    const char *name,
    char wish[static STAGE_NAME])
{
    CHECK(stage != NULL && node != NULL && tenant != NULL && name != NULL);
    wish[0] = '\0';
    return false; /* Between machines it is TLS. */
}

void stage_operation(struct stage *stage, const char *name, char state[static STAGE_NAME])
{
    state[0] = '\0';
    for (uint32_t i = stage->deeds; i > 0; i--) {
        const struct lab_deed *done = &stage->done[i - 1];
        if (done->told.write && done->told.what == TOLD_ACCEPTED && strcmp(done->name, name) == 0) {
            struct json_t *doc = show(stage, NULL, "op", "show", done->told.operation);
            (void)text_copy(state, STAGE_NAME, slice_text(lab_text(doc, "state")));
            doc_free(doc);
            return;
        }
    }
}

/* ---- Counts ---- */

uint64_t stage_count(struct stage *stage, enum seen_count what, const char *name)
{
    uint64_t count = 0;
    if (what == SEEN_INSTANCES || what == SEEN_NETWORKS) {
        const char *noun = what == SEEN_INSTANCES ? "instance" : "network";
        struct json_t *all = show(stage, name, noun, "ls", NULL);
        count = all == NULL ? 0 : doc_count(all);
        doc_free(all);
        return count;
    }
    struct json_t *all = show(stage, NULL, what == SEEN_ALARMS ? "alarm" : "event", "ls", NULL);
    for (size_t i = 0; all != NULL && i < doc_count(all); i++) {
        const struct json_t *one = doc_at(all, i);
        bool counts = what == SEEN_ALARMS ? lab_text(one, "cleared_at")[0] == '\0'
                                          : lab_number(one, "index") > stage->index_before;
        count += counts && strcmp(lab_text(one, "name"), name) == 0 ? 1 : 0;
    }
    doc_free(all);
    return count;
}

uint64_t stage_elections(struct stage *stage)
{
    struct json_t *cell = status(stage);
    uint64_t all = lab_number(cell, "elections");
    doc_free(cell);
    return all - stage->elections_before;
}

uint64_t stage_feature_level(struct stage *stage)
{
    struct json_t *cell = status(stage);
    uint64_t level = lab_number(cell, "feature_level");
    doc_free(cell);
    return level;
}

/* A leaf of this story: of one of its tenants, or of no tenant. */
static bool ours(const struct stage *stage, const char *tenant)
{
    bool is = tenant[0] == '\0';
    for (uint32_t i = 0; i < stage->tenants_count; i++) {
        is = is || strcmp(stage->tenants[i], tenant) == 0;
    }
    return is;
}

uint32_t stage_leaves(struct stage *stage, const struct seen_leaf **leaves_out)
{
    struct lab_line line;
    lab_line_begin(stage, "root", &line);
    lab_word(&line, "audit");
    lab_word(&line, "ls");
    lab_word(&line, "--first");
    lab_word(&line, "%llu", (unsigned long long)stage->next_leaf);
    struct json_t *all = lab_json(stage, &line);
    for (size_t i = 0; all != NULL && i < doc_count(all); i++) {
        const struct json_t *one = doc_at(all, i);
        if (lab_number(one, "seq") < stage->next_leaf) {
            continue;
        }
        stage->next_leaf = lab_number(one, "seq") + 1;
        if (!ours(stage, lab_text(one, "tenant"))) {
            continue;
        }
        CHECK(stage->leaves_count < STAGE_LEAVES);
        struct seen_leaf *leaf = &stage->leaves[stage->leaves_count++];
        const char *actor = lab_text(one, "actor");
        (void)text_copy(leaf->operation, STAGE_NAME, slice_text(lab_text(one, "operation")));
        leaf->person = strlen(actor) > 8 && strncmp(actor + 4, "0006", 4) == 0;
        leaf->refused = strcmp(lab_text(one, "outcome"), "done") != 0;
        uint64_t folded = lab_number(one, "fold.count");
        leaf->times = folded == 0 ? 1 : folded;
    }
    doc_free(all);
    *leaves_out = stage->leaves;
    return stage->leaves_count;
}

/* ---- Always ---- */

/* The tenant's own export, by the verifier that an auditor carries away. */
bool stage_audit(struct stage *stage, const char *tenant, char why[static STAGE_TEXT])
{
    char own[STAGE_NAME];
    lab_name(stage, tenant, own);
    bool complete = lab_world(stage, "audit", own, NULL);
    (void)lab_because(why, stage->wrong);
    stage->wrong[0] = '\0'; /* The story's to judge. */
    return complete;
}

bool stage_ledger(struct stage *stage, uint64_t *mismatches_out)
{
    if (stage->dead) {
        return false;
    }
    struct json_t *cell = status(stage);
    *mismatches_out = lab_number(cell, "ledger_mismatches");
    bool said = cell != NULL;
    doc_free(cell);
    return said;
}

bool stage_digests(struct stage *stage, char why[static STAGE_TEXT])
{
    bool equal = true;
    if (stage->dead) {
        return true;
    }
    struct json_t *all = show(stage, NULL, "controller", "ls", NULL);
    for (size_t i = 0; all != NULL && i < doc_count(all); i++) {
        for (size_t k = 0; k < i; k++) {
            const struct json_t *a = doc_at(all, i);
            const struct json_t *b = doc_at(all, k);
            uint64_t index = lab_number(a, "digest_index");
            bool same_index = index != 0 && index == lab_number(b, "digest_index");
            if (same_index && strcmp(lab_text(a, "digest"), lab_text(b, "digest")) != 0) {
                (void)snprintf(
                    why,
                    STAGE_TEXT,
                    "%s and %s differ at %llu",
                    lab_text(a, "name"),
                    lab_text(b, "name"),
                    (unsigned long long)index);
                equal = false;
            }
        }
    }
    doc_free(all);
    return equal;
}

bool stage_settled(struct stage *stage)
{
    return !stage->dead;
}

/* Every guest's process on every node, as "NODE PID ID" lines: none is there twice. INV-VM-1 */
const char *stage_wrong(struct stage *stage)
{
    enum { GUESTS = 64, ID = 37 };
    static char ids[GUESTS][ID];
    const char *out = "";
    uint32_t count = 0;
    if (stage->wrong[0] != '\0' || !lab_world(stage, "guests", "", &out)) {
        return stage->wrong;
    }
    for (const char *at = out; *at != '\0' && count < GUESTS;) {
        char node[8] = "";
        unsigned int pid = 0;
        if (sscanf(at, "%7s %u %36s", node, &pid, ids[count]) == 3) {
            for (uint32_t i = 0; i < count; i++) {
                if (strcmp(ids[i], ids[count]) == 0) {
                    (void)snprintf(
                        stage->wrong, sizeof(stage->wrong), "guest %.36s runs twice", ids[i]);
                }
            }
            count++;
        }
        at += strcspn(at, "\n");
        at += *at == '\n' ? 1 : 0;
    }
    return stage->wrong[0] == '\0' ? NULL : stage->wrong;
}

/* Everybody is there, has applied the same entries and says the same digest of them. */
bool lab_healthy(struct stage *stage, char why[static STAGE_TEXT])
{
    struct json_t *controllers = show(stage, NULL, "controller", "ls", NULL);
    struct json_t *nodes = show(stage, NULL, "node", "ls", NULL);
    bool well = controllers != NULL && nodes != NULL;
    (void)lab_because(why, well ? "" : "nobody answers");
    for (size_t i = 0; well && i < doc_count(nodes); i++) {
        well = strcmp(lab_text(doc_at(nodes, i), "liveness"), "alive") == 0;
        (void)lab_because(why, well ? "" : "a node is not alive");
    }
    const struct json_t *first = doc_at(controllers, 0);
    for (size_t i = 0; well && i < doc_count(controllers); i++) {
        const struct json_t *one = doc_at(controllers, i);
        well = doc_true(doc_get(one, "reachable")) && doc_true(doc_get(one, "fit")) &&
               lab_number(one, "applied_index") == lab_number(first, "applied_index") &&
               lab_number(one, "digest_index") == lab_number(first, "digest_index") &&
               strcmp(lab_text(one, "digest"), lab_text(first, "digest")) == 0;
        (void)lab_because(why, well ? "" : "controllers are away, behind, or differ");
    }
    doc_free(controllers);
    doc_free(nodes);
    return well;
}
