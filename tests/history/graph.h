/* A directed graph with edges of several kinds. Decides which nodes lie on a cycle of some kinds of
 * edges (Tarjan 1972, without recursion), in time linear in nodes and edges. Never decides what
 * that means. */
#ifndef HISTORY_GRAPH_H
#define HISTORY_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct graph_edge {
    uint32_t from;
    uint32_t to;
    uint32_t kind; /* One bit. */
};

struct graph {
    uint32_t nodes;
    struct graph_edge *edges; /* Owned; by `from` once sealed. */
    size_t edges_count;
    size_t edges_room;
    size_t *first;   /* Owned; of each node, and one more. */
    uint32_t *group; /* Owned; of the last graph_cycles: nodes of one number reach each other. */
};

void graph_begin(struct graph *graph, uint32_t nodes);
void graph_end(struct graph *graph);
/* An edge to itself is nothing. */
void graph_add(struct graph *graph, uint32_t from, uint32_t to, uint32_t kind);
void graph_seal(struct graph *graph); /* No edge is added after this. */
/* True: some nodes reach each other along edges of these kinds. */
bool graph_cycles(struct graph *graph, uint32_t kinds);
/* The edges of a shortest way inside one group of the last graph_cycles; 0: there is none, or it is
 * longer than `room`. `work` is what may be looked at, and is taken from. */
size_t graph_path(
    const struct graph *graph,
    uint32_t from,
    uint32_t to,
    uint32_t kinds,
    uint64_t *work,
    struct graph_edge *edges_out,
    size_t room);

#endif
