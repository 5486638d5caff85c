/* One engine in the hands of a fuzzer, and a second one that is given the same entries: consensus
 * is played, what is wanted is held to what may be wanted. Decides nothing an engine decides. */
#ifndef TESTS_FUZZ_ENGINE_WORLD_H
#define TESTS_FUZZ_ENGINE_WORLD_H

#include "controller/core/engine.h"

enum {
    WORLD_ASKS = 8192,
    WORLD_OUTSIDE = 64, /* Handles of ours that others have. */
};

struct pending {
    uint64_t ticket;
    uint64_t handle;
    uint8_t *bytes; /* Owned. */
    size_t size;
};

struct world {
    struct engine *engine;
    struct engine *second;
    uint64_t now_ms;
    uint64_t wall_ms;
    uint64_t term;
    uint64_t index;
    uint64_t tickets;
    enum engine_role role;
    struct pending pending[ENGINE_TICKETS];
    uint32_t pending_count;
    uint32_t asks;
    uint32_t answers;
    bool answered[WORLD_ASKS];
    uint64_t outside[WORLD_OUTSIDE];
    uint32_t outside_count;
    bool over; /* The shell would have stopped it. */
};

extern struct world world;

/* A world that begins; the settings choose rates, how new the program is, at which index it was
 * restored, and whether this controller begins the cell. */
void world_begin(struct slice settings);
/* Nobody leads, nothing comes, time passes: what was asked is answered. */
void world_end(void);
/* One event, and ENGINE_MORE as long as it is wanted. */
void world_step(struct engine_event *event);
void world_clock(uint64_t ms, bool ticks);

/* An entry is committed, of ours or of another leader. */
void world_apply(struct slice bytes, uint64_t ticket);
void world_commit(void);
/* ENGINE_REFUSED: the oldest was never taken; ENGINE_LOST: nobody will ever know. */
void world_let_go(enum engine_event_kind kind, uint16_t why);
/* ENGINE_LOST of what nobody here proposed. */
void world_lose_strange(void);
/* Consensus keeps the next indexes for itself. */
void world_pass(uint64_t indexes);
void world_turn(void);
void world_role(struct slice bytes);
void world_members(struct slice bytes);

#endif
