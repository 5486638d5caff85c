/* The nodes as the scheduler sees them: a struct of arrays, kept up to date by the core as rows
 * change, scanned whole by place.c. Slots are the core's: stable, low, never moved while a node
 * lives; equal views with equal slots give equal choices on every replica.
 *
 * Capacity for instances is capacity × overcommit (vcpus only; memory is never sold twice), minus
 * the management reserve. Whoever places charges with view_take; view_give gives back. */
#ifndef SCHEDULER_VIEW_H
#define SCHEDULER_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    VIEW_NODES_MAX = 131072,
    VIEW_RACKS_MAX = 4096,
    VIEW_VCPUS_MAX = 1 << 16,      /* Of one node, after overcommit: more is cut to this. */
    VIEW_MEMORY_MIB_MAX = 1 << 26, /* Of one node: 64 TiB; more is cut to this. */
    VIEW_OVERCOMMIT_MAX = 1600,    /* Per cent. */
};

enum view_flag {
    VIEW_ALIVE = 1 << 0,  /* Heard and judged alive. */
    VIEW_CLOSED = 1 << 1, /* Takes nothing new, by a person's or the plane's decision. */
    VIEW_LOST = 1 << 2,   /* Thought away by explain_lose_rack; never set by the core. */
};

struct scheduler_policy {
    uint32_t overcommit_percent; /* 100: one vcpu sold for each there is. 100 … 1600. */
    uint32_t reserve_percent;    /* Of each node's capacity, kept free. 0 … 90. */
};

/* One node, as the core tells it. */
struct view_node {
    uint32_t vcpus; /* Physical, as the node reported. */
    uint32_t memory_mib;
    uint32_t rack;  /* Index given by the core, below VIEW_RACKS_MAX. */
    uint32_t flags; /* enum view_flag. */
};

struct view_room {
    uint64_t vcpus; /* After overcommit. */
    uint64_t memory_mib;
};

struct scheduler_view {
    /* What place.c scans: room left for new instances; below 0 where nothing may be placed. */
    int32_t *open_vcpus;
    int32_t *open_memory;
    /* What it is computed from. */
    uint32_t *vcpus; /* After overcommit, before the reserve. */
    uint32_t *memory_mib;
    uint32_t *vcpus_placed;
    uint32_t *memory_placed;
    uint32_t *rack;
    uint32_t *flags;
    uint8_t *present;
    uint32_t capacity; /* Slots, a multiple of VIEW_BLOCK. */
    uint32_t count;    /* One past the highest slot ever set. */
    uint32_t nodes;    /* Present ones. */
    struct scheduler_policy policy;
    struct view_room total;       /* Σ capacity of present nodes, before the reserve. */
    struct view_room total_alive; /* The same of those alive and not closed. */
    struct view_room placed;      /* Σ placed. */
};

enum { VIEW_BLOCK = 64 }; /* Nodes scored at once, and bits in a word of a node set. */

/* Bytes for `capacity` nodes; 64-byte aligned memory is best, 8-byte is required. */
size_t scheduler_view_memory(uint32_t capacity);
void scheduler_view_init(
    struct scheduler_view *view,
    void *memory,
    size_t size,
    uint32_t capacity,
    const struct scheduler_policy *policy);

/* A new node, or one whose capacity, rack or flags changed. What is placed there stays. */
void view_set(struct scheduler_view *view, uint32_t slot, const struct view_node *node);
/* Only the flags of a node that is there. */
void view_flags(struct scheduler_view *view, uint32_t slot, uint32_t flags);
/* The node is gone. Nothing may be placed on it. */
void view_clear(struct scheduler_view *view, uint32_t slot);
bool view_has(const struct scheduler_view *view, uint32_t slot);

/* Charges a node. It need not fit (a node may have shrunk under what it runs): whether it may be
 * placed was filter_node's answer. */
void view_take(struct scheduler_view *view, uint32_t slot, uint32_t vcpus, uint32_t memory_mib);
/* Gives back. CHECKs that it was taken. INV-SCH-1. */
void view_give(struct scheduler_view *view, uint32_t slot, uint32_t vcpus, uint32_t memory_mib);

/* Recounts totals from the arrays, read only; for tests and for the inventory checker. */
bool view_check(const struct scheduler_view *view);

/* A set of node slots: one bit each, words of VIEW_BLOCK bits. */
size_t view_set_words(uint32_t capacity);

#endif
