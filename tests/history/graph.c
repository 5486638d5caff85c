/* Nodes, edges sorted by where they begin, and two walks over them. Decides nothing of histories.
 */
#include "tests/history/graph.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

void graph_begin(struct graph *graph, uint32_t nodes)
{
    CHECK(nodes < UINT32_MAX);
    memset(graph, 0, sizeof(*graph));
    graph->nodes = nodes;
    graph->first = calloc((size_t)nodes + 2, sizeof(*graph->first));
    graph->group = calloc((size_t)nodes + 1, sizeof(*graph->group));
    CHECK(graph->first != NULL && graph->group != NULL);
}

void graph_end(struct graph *graph)
{
    free(graph->edges);
    free(graph->first);
    free(graph->group);
}

void graph_add(struct graph *graph, uint32_t from, uint32_t to, uint32_t kind)
{
    CHECK(from < graph->nodes && to < graph->nodes);
    if (from == to) {
        return;
    }
    if (graph->edges_count == graph->edges_room) {
        graph->edges_room = graph->edges_room * 2 + 1024;
        graph->edges = realloc(graph->edges, graph->edges_room * sizeof(*graph->edges));
        CHECK(graph->edges != NULL);
    }
    graph->edges[graph->edges_count++] = (struct graph_edge){ from, to, kind };
}

void graph_seal(struct graph *graph)
{
    struct graph_edge *sorted = calloc(graph->edges_count + 1, sizeof(*sorted));
    size_t *next = calloc((size_t)graph->nodes + 1, sizeof(*next));
    CHECK(sorted != NULL && next != NULL);
    for (size_t i = 0; i < graph->edges_count; i++) {
        graph->first[graph->edges[i].from + 1]++;
    }
    for (uint32_t node = 0; node < graph->nodes; node++) {
        graph->first[node + 1] += graph->first[node];
        next[node] = graph->first[node];
    }
    for (size_t i = 0; i < graph->edges_count; i++) {
        sorted[next[graph->edges[i].from]++] = graph->edges[i];
    }
    free(graph->edges);
    free(next);
    graph->edges = sorted;
}

/* ---- Tarjan ---- */

struct walk {
    uint32_t *order; /* When it was met; 0: not yet. */
    uint32_t *low;
    uint32_t *stack;
    bool *stacked;
    size_t *edge;    /* The next edge of a node on the trail. */
    uint32_t *trail; /* What recursion would keep. */
    uint32_t stack_count;
    uint32_t trail_count;
    uint32_t met;
};

static void meet(const struct graph *graph, struct walk *walk, uint32_t node)
{
    walk->order[node] = ++walk->met;
    walk->low[node] = walk->met;
    walk->stack[walk->stack_count++] = node;
    walk->stacked[node] = true;
    walk->edge[node] = graph->first[node];
    walk->trail[walk->trail_count++] = node;
}

/* True: a group of more than one. */
static bool leave(struct graph *graph, struct walk *walk, uint32_t node)
{
    uint32_t members = 0;
    if (walk->low[node] == walk->order[node]) {
        uint32_t member;
        do {
            member = walk->stack[--walk->stack_count];
            walk->stacked[member] = false;
            graph->group[member] = node;
            members++;
        } while (member != node);
    }
    walk->trail_count--;
    if (walk->trail_count > 0) {
        uint32_t parent = walk->trail[walk->trail_count - 1];
        walk->low[parent] =
            walk->low[node] < walk->low[parent] ? walk->low[node] : walk->low[parent];
    }
    return members > 1;
}

static bool walk_from(struct graph *graph, struct walk *walk, uint32_t root, uint32_t kinds)
{
    bool found = false;
    meet(graph, walk, root);
    while (walk->trail_count > 0) {
        uint32_t node = walk->trail[walk->trail_count - 1];
        if (walk->edge[node] == graph->first[node + 1]) {
            found = leave(graph, walk, node) || found;
            continue;
        }
        const struct graph_edge *edge = &graph->edges[walk->edge[node]++];
        if ((edge->kind & kinds) == 0) {
            continue;
        }
        if (walk->order[edge->to] == 0) {
            meet(graph, walk, edge->to);
        } else if (walk->stacked[edge->to] && walk->order[edge->to] < walk->low[node]) {
            walk->low[node] = walk->order[edge->to];
        }
    }
    return found;
}

bool graph_cycles(struct graph *graph, uint32_t kinds)
{
    size_t nodes = (size_t)graph->nodes + 1;
    struct walk walk = { .order = calloc(nodes, sizeof(*walk.order)),
                         .low = calloc(nodes, sizeof(*walk.low)),
                         .stack = calloc(nodes, sizeof(*walk.stack)),
                         .stacked = calloc(nodes, sizeof(*walk.stacked)),
                         .edge = calloc(nodes, sizeof(*walk.edge)),
                         .trail = calloc(nodes, sizeof(*walk.trail)) };
    CHECK(walk.order != NULL && walk.low != NULL && walk.stack != NULL);
    CHECK(walk.stacked != NULL && walk.edge != NULL && walk.trail != NULL);
    bool found = false;
    for (uint32_t node = 0; node < graph->nodes; node++) {
        if (walk.order[node] == 0) {
            found = walk_from(graph, &walk, node, kinds) || found;
        }
    }
    free(walk.order);
    free(walk.low);
    free(walk.stack);
    free(walk.stacked);
    free(walk.edge);
    free(walk.trail);
    return found;
}

/* ---- A shortest way, breadth first ---- */

static bool spread(
    const struct graph *graph,
    uint32_t from,
    uint32_t to,
    uint32_t kinds,
    uint64_t *work,
    size_t *by, /* Of each node: the edge that reached it, + 1. */
    uint32_t *queue)
{
    uint32_t head = 0;
    uint32_t tail = 0;
    queue[tail++] = from;
    while (head < tail) {
        uint32_t node = queue[head++];
        for (size_t i = graph->first[node]; i < graph->first[node + 1]; i++) {
            const struct graph_edge *edge = &graph->edges[i];
            if (*work == 0) {
                return false;
            }
            --*work;
            if ((edge->kind & kinds) == 0 || graph->group[edge->to] != graph->group[from] ||
                by[edge->to] != 0 || edge->to == from) {
                continue;
            }
            by[edge->to] = i + 1;
            if (edge->to == to) {
                return true;
            }
            queue[tail++] = edge->to;
        }
    }
    return false;
}

size_t graph_path(
    const struct graph *graph,
    uint32_t from,
    uint32_t to,
    uint32_t kinds,
    uint64_t *work,
    struct graph_edge *edges_out,
    size_t room)
{
    size_t *by = calloc((size_t)graph->nodes + 1, sizeof(*by));
    uint32_t *queue = calloc((size_t)graph->nodes + 1, sizeof(*queue));
    CHECK(by != NULL && queue != NULL);
    size_t count = 0;
    uint64_t cost = graph->nodes / 8; /* Of the memory alone. */
    *work -= cost < *work ? cost : *work;
    if (spread(graph, from, to, kinds, work, by, queue)) {
        uint32_t node = to;
        while (node != from) {
            count++;
            node = graph->edges[by[node] - 1].from;
        }
        node = to;
        for (size_t i = count; i > 0 && count <= room; i--) {
            edges_out[i - 1] = graph->edges[by[node] - 1];
            node = edges_out[i - 1].from;
        }
        count = count <= room ? count : 0;
    }
    free(by);
    free(queue);
    return count;
}
