/* Decides how a choice or a refusal is explained to a person. Never decides the choice. */
#include "controller/core/explain_read.h"

#include "base/check.h"
#include "controller/core/instance.h"

#include <string.h>

enum { LINES_MAX = 64, LINE_BYTES = 192 };

struct page {
    struct arena *arena;
    Wire__Explanation *explanation;
};

/* A bounded line made of texts and numbers; our cores do not link printf. */
static void line(const struct page *page, const char *first, const char *second, const char *third)
{
    char *room = arena_take(page->arena, LINE_BYTES);
    if (room == NULL || page->explanation->n_lines == LINES_MAX) {
        return;
    }
    const char *parts[] = { first, second, third };
    size_t used = 0;
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        size_t size = strlen(parts[i]);
        size = size < LINE_BYTES - 1 - used ? size : LINE_BYTES - 1 - used;
        memcpy(room + used, parts[i], size);
        used += size;
    }
    page->explanation->lines[page->explanation->n_lines++] = room;
}

static const char *number(const struct page *page, uint64_t value)
{
    char *room = arena_take(page->arena, 24);
    if (room == NULL) {
        return "";
    }
    size_t at = 23;
    do {
        room[--at] = (char)('0' + (char)(value % 10));
        value /= 10;
    } while (value > 0);
    return &room[at];
}

Wire__ConstraintCount **explain_constraints(
    struct arena *arena, const struct explanation *why, size_t *count_out)
{
    *count_out = 0;
    Wire__ConstraintCount **list = arena_take(arena, sizeof(*list) * CONSTRAINTS_END);
    for (unsigned int i = CONSTRAINT_ALIVE; i < CONSTRAINTS_END && list != NULL; i++) {
        Wire__ConstraintCount *count = arena_take(arena, sizeof(*count));
        if (why->turned_away[i] == 0 || count == NULL) {
            continue;
        }
        wire__constraint_count__init(count);
        count->constraint = constraint_name((enum constraint)i);
        count->nodes = why->turned_away[i];
        list[(*count_out)++] = count;
    }
    return list;
}

static Wire__Quantities *amounts(const struct page *page, const struct quota_amounts *from)
{
    Wire__Quantities *to = arena_take(page->arena, sizeof(*to));
    if (to != NULL) {
        wire__quantities__init(to);
        to->vcpus = from->of[QUOTA_VCPUS];
        to->memory_bytes = from->of[QUOTA_MEMORY_BYTES];
    }
    return to;
}

/* ---- Capacity ---- */

static void sums(const struct page *page, const struct state *state)
{
    struct quota_amounts placed = { { 0 } };
    for (const struct tenant_row *row = state_first(state, TABLE_TENANT); row != NULL;
         row = state_next(state, TABLE_TENANT, row)) {
        placed.of[QUOTA_VCPUS] += row->vcpus_placed;
        placed.of[QUOTA_MEMORY_BYTES] += row->memory_bytes_placed;
    }
    struct quota_amounts reserve =
        floor_reserve(&state->sums.capacity, state_cell(state)->reserve_percent);
    page->explanation->capacity = amounts(page, &state->sums.capacity);
    page->explanation->reserve = amounts(page, &reserve);
    page->explanation->placed = amounts(page, &placed);
    page->explanation->floors = amounts(page, &state->sums.floors);
}

static void lose(
    const struct apply *seen,
    struct nodes *nodes,
    const struct page *page,
    const char *rack_name,
    struct outcome *outcome)
{
    uint32_t rack = nodes_rack(nodes, rack_name);
    if (rack == UINT32_MAX) {
        refuse(seen, outcome, REJECT_NOT_FOUND, "No node stands in this rack.", "/lose_rack", "");
        return;
    }
    uint32_t most = state_count(seen->state, TABLE_INSTANCE);
    struct explain_item *items = arena_take(page->arena, sizeof(*items) * (most + 1));
    if (items == NULL) {
        refuse(
            seen,
            outcome,
            REJECT_OVERLOADED,
            "Too many instances to think through at once.",
            "",
            "");
        return;
    }
    const struct table *table = &seen->state->tables[TABLE_NODE];
    uint32_t count = 0;
    for (const struct instance_row *row = state_first(seen->state, TABLE_INSTANCE); row != NULL;
         row = state_next(seen->state, TABLE_INSTANCE, row)) {
        const struct node_row *node = state_find(seen->state, TABLE_NODE, row->node.value);
        if (node != NULL && nodes_rack(nodes, node->place.rack) == rack) {
            items[count++] = (struct explain_item){
                .id = row->head.id,
                .slot = (uint32_t)((size_t)((const uint8_t *)node - table->rows) / table->row_size),
                .vcpus = row->vcpus,
                .memory_mib = (uint32_t)(row->memory_bytes >> 20),
            };
        }
    }
    struct explain_loss loss;
    explain_lose_rack(&nodes->view, rack, items, count, &loss);
    page->explanation->possible = loss.fitting == loss.items;
    page->explanation->verdict = page->explanation->possible
                                     ? "Everything in this rack would find room elsewhere."
                                     : "Not everything in this rack would find room elsewhere.";
    line(page, "instances in the rack: ", number(page, loss.items), "");
    line(page, "that would find room: ", number(page, loss.fitting), "");
    line(
        page,
        "instances here are never moved by the plane (where: here); ",
        "this is arithmetic",
        "");
    if (!page->explanation->possible) {
        page->explanation->constraints =
            explain_constraints(page->arena, &loss.why, &page->explanation->n_constraints);
    }
}

static void capacity(
    const struct apply *seen,
    struct nodes *nodes,
    const struct page *page,
    const Wire__Explain *what,
    struct outcome *outcome)
{
    sums(page, seen->state);
    page->explanation->possible = true;
    page->explanation->verdict = "This is what the cell has, keeps and has placed.";
    if (what->lose_rack[0] != '\0') {
        lose(seen, nodes, page, what->lose_rack, outcome);
        return;
    }
    const Wire__InstanceCreate *trial = what->trial;
    if (trial == NULL) {
        return;
    }
    const struct image_row *image = state_lookup(seen->state, TABLE_IMAGE, 0, trial->image);
    const struct tenant_row *tenant = state_lookup(seen->state, TABLE_TENANT, 0, trial->tenant);
    if (image == NULL || tenant == NULL) {
        refuse(
            seen,
            outcome,
            REJECT_NOT_FOUND,
            "A trial names a tenant and an image that exist.",
            image == NULL ? "/trial/image" : "/trial/tenant",
            "");
        return;
    }
    if (trial->vcpus == 0 || trial->memory_bytes < LIMIT_MEMORY_BYTES_MIN ||
        trial->memory_bytes > LIMIT_MEMORY_BYTES_MAX) {
        refuse(
            seen,
            outcome,
            REJECT_BAD_FIELD,
            "A trial wants vcpus and memory, as an instance does.",
            trial->vcpus == 0 ? "/trial/vcpus" : "/trial/memory_bytes",
            "");
        return;
    }
    struct explanation why = { .nodes = 0 };
    uint64_t chosen = nodes_choose(
        nodes,
        seen->state,
        image,
        tenant->head.id,
        trial->spread,
        trial->vcpus,
        trial->memory_bytes,
        &why);
    const struct node_row *node = state_find(seen->state, TABLE_NODE, chosen);
    page->explanation->possible = node != NULL;
    page->explanation->node = node == NULL ? "" : node->name;
    page->explanation->verdict =
        node == NULL ? "No node passes every constraint." : "It would go to this node.";
    page->explanation->constraints =
        explain_constraints(page->arena, &why, &page->explanation->n_constraints);
}

/* ---- Objects ---- */

static void node(
    const struct apply *seen,
    const struct page *page,
    const Wire__Explain *what,
    struct outcome *outcome)
{
    const struct node_row *row = state_lookup(seen->state, TABLE_NODE, 0, what->name);
    if (row == NULL) {
        refuse(seen, outcome, REJECT_NOT_FOUND, "There is no such node.", "/name", "");
        return;
    }
    bool alive = row->liveness == WIRE__LIVENESS__LIVENESS_ALIVE;
    page->explanation->node = row->name;
    page->explanation->possible = alive;
    page->explanation->verdict =
        alive ? "The node is heard and takes instances."
              : "The node is not heard: nothing new is placed, nothing of it is concluded.";
    line(page, "judged: ", alive ? "alive" : "unknown or only joined", "");
    line(page, "because: ", row->reason[0] == '\0' ? "it renews" : row->reason, "");
    line(page, "instances: ", number(page, row->instances), "");
    line(page, "vcpus placed: ", number(page, row->vcpus_placed), "");
    line(page, "memory placed, bytes: ", number(page, row->memory_bytes_placed), "");
    for (uint32_t i = 0; i < row->fallbacks_count; i++) {
        line(page, "fallback: ", row->fallbacks[i], "");
    }
}

/* As the leader saw it then; what is there now is `explain capacity`'s. */
static void chosen(const struct page *page, const struct apply *seen, const struct choice *choice)
{
    if (choice->why <= EXPLAIN_NO_NODE || choice->why >= EXPLAIN_WHY_END) {
        return;
    }
    const struct node_row *next = state_find(seen->state, TABLE_NODE, choice->runner_up.value);
    line(page, "chosen because: ", explain_why_name((enum explain_why)choice->why), "");
    if (seen->who.role == ACCESS_ROLE_TENANT) {
        return; /* INV-SEC-1: how many nodes there are, and which, is the provider's to know. */
    }
    line(page, "nodes looked at then: ", number(page, choice->nodes), "");
    line(page, "of them could take it: ", number(page, choice->passed), "");
    if (next != NULL) {
        line(page, "the next best was ", next->name, "");
    }
}

static void instance(
    const struct apply *seen,
    const struct page *page,
    const Wire__Explain *what,
    struct outcome *outcome)
{
    const struct project_row *project = apply_project(seen, outcome, what->tenant, what->project);
    if (project == NULL) {
        return;
    }
    const struct instance_row *row =
        state_lookup(seen->state, TABLE_INSTANCE, project->head.id, what->name);
    if (row == NULL) {
        refuse(seen, outcome, REJECT_NOT_FOUND, "There is no such instance.", "/name", "");
        return;
    }
    const struct node_row *on = state_find(seen->state, TABLE_NODE, row->node.value);
    static const char *const wishes[] = { "", "running", "stopped", "gone" };
    CHECK((size_t)row->desired < COUNT_OF(wishes));
    page->explanation->possible = true;
    page->explanation->verdict = "This is what is wanted of it and what is known of it.";
    line(page, "wanted: ", wishes[row->desired], "");
    line(page, "known: ", sm_name(&instance_machine, row->state), "");
    line(page, "because: ", row->reason[0] == '\0' ? "nothing stands in the way" : row->reason, "");
    line(page, "restarts by its node: ", number(page, row->attempts), "");
    if (on != NULL) {
        page->explanation->node = on->name;
        line(
            page,
            "its node is ",
            on->liveness == WIRE__LIVENESS__LIVENESS_ALIVE
                ? "heard"
                : "not heard; it stays charged until the node reports",
            "");
        chosen(page, seen, &row->choice);
    }
}

void explain_read(
    const struct apply *seen,
    struct nodes *nodes,
    const Wire__Explain *what,
    struct outcome *outcome,
    Wire__Answer *answer)
{
    struct page page = { .arena = seen->scratch };
    page.explanation = arena_take(seen->scratch, sizeof(*page.explanation));
    CHECK(page.explanation != NULL);
    wire__explanation__init(page.explanation);
    page.explanation->lines = arena_take(seen->scratch, sizeof(char *) * LINES_MAX);
    CHECK(page.explanation->lines != NULL);
    if (what->kind == WIRE__KIND__KIND_NODE) {
        node(seen, &page, what, outcome);
    } else if (what->kind == WIRE__KIND__KIND_INSTANCE) {
        instance(seen, &page, what, outcome);
    } else {
        CHECK(what->kind == WIRE__KIND__KIND_CELL); /* authz knows no other. */
        capacity(seen, nodes, &page, what, outcome);
    }
    if (outcome->reject == REJECT_NONE) {
        answer->explanation = page.explanation;
    }
}
