/* A small state of a controller's core, held to what must be true of any: shared by the targets
 * that restore rows, apply entries and step engines. Decides nothing about what a command means. */
#ifndef TESTS_FUZZ_CORE_WORLD_H
#define TESTS_FUZZ_CORE_WORLD_H

#include "controller/core/state.h"

enum { WORLD_CELL = 1 };

/* An empty state with room for so many rows. */
void world_state(struct state *state, uint32_t which, const struct state_capacity *capacity);

/* What stands in a row can be found by it. */
void world_hold_names(const struct state *state);
/* Every account is the sum of what was posted to it: INV-LED-1 INV-LED-2. */
void world_hold_ledger(const struct state *state);
/* What is placed on nodes, drawn by tenants and addressed in networks is what its guests have:
 * INV-SCH-1 INV-NET-1 INV-NET-3. */
void world_hold_rooms(const struct state *state);
/* Who is where is found as a look at all rows finds it: presence.h. */
void world_hold_presence(const struct state *state);

/* What is told fits a frame, and is read again. */
void world_hold_told(const ProtobufCMessage *message);

/* The mirror: what the state tells its copy, as bytes. */
void world_mirror(struct state *state);
/* Restores what the mirror holds into another state; both are equal then, or the oracle says so. */
void world_hold_mirror(const struct state *state, struct state *restored);

#endif
