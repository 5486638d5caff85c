/* The scheduler's view, kept in step with the node rows and with what the leader has proposed but
 * not yet seen committed. Soft state of one engine; slots are the node table's. */
#ifndef CONTROLLER_CORE_NODES_H
#define CONTROLLER_CORE_NODES_H

#include "controller/core/state.h"
#include "scheduler/explain.h"
#include "scheduler/view.h"

/* A placement that is in the log's way but not in the rows yet. */
struct flight {
    uint32_t vcpus;
    uint32_t memory_mib;
};

struct nodes {
    struct scheduler_view view;
    struct flight *flights;    /* Per slot. */
    char (*racks)[LIMIT_NAME]; /* Names by index; index 0 is the nameless rack. */
    uint32_t racks_count;
    uint64_t *image_set;  /* Scratch: nodes that have an image. */
    uint32_t *group;      /* Scratch: members of a spread group per rack. */
    place_policy *policy; /* NULL: the scheduler's own. */
    bool ready;           /* The cell row has given its numbers. */
};

size_t nodes_memory(uint32_t capacity);
void nodes_init(struct nodes *nodes, uint32_t capacity, place_policy *policy, void *memory);
/* Reads every node row anew: after a restore, on becoming leader, and when rows changed. */
void nodes_sync(struct nodes *nodes, struct state *state);
/* The same, of what changed since the last time. */
void nodes_follow(struct nodes *nodes, struct state *state);
void nodes_sync_one(struct nodes *nodes, const struct state *state, const struct node_row *row);

/* Chooses a node for these amounts; 0: none. why_out says why this one, or which constraint turned
 * how many away. */
uint64_t nodes_choose(
    struct nodes *nodes,
    const struct state *state,
    const struct image_row *image,
    uint64_t tenant,
    const char *spread,
    uint32_t vcpus,
    uint64_t memory_bytes,
    struct explanation *why_out);
/* The same in what a row keeps of it. */
struct choice nodes_choice(const struct state *state, const struct explanation *why);
/* Proposed: charged until the rows say so themselves (or it came to nothing). */
void nodes_fly(
    struct nodes *nodes, const struct state *state, uint64_t node, uint32_t vcpus, uint64_t bytes);
void nodes_land(
    struct nodes *nodes, const struct state *state, uint64_t node, uint32_t vcpus, uint64_t bytes);

uint32_t nodes_rack(const struct nodes *nodes, const char *name); /* UINT32_MAX: no such rack. */

#endif
