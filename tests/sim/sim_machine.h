/* The replicated state of this form of the simulator: an ordered list of command ids, kept as its
 * length and a chained hash. The engine's core takes its place later: apply, snapshot, restore. */
#ifndef TESTS_SIM_SIM_MACHINE_H
#define TESTS_SIM_SIM_MACHINE_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum { SIM_MANIFEST = 24 };

struct sim_machine {
    uint64_t index; /* Of the newest entry in it. */
    uint64_t count; /* Commands applied. */
    uint64_t hash;  /* Of all of them, in order. */
};

/* The command's id; 0 when these are no bytes of ours. */
uint32_t sim_machine_command(struct slice entry);
void sim_machine_entry(uint32_t command, uint8_t *room, size_t size);
void sim_machine_apply(struct sim_machine *machine, uint64_t index, struct slice entry);
void sim_machine_snapshot(const struct sim_machine *machine, uint8_t manifest[static SIM_MANIFEST]);
bool sim_machine_restore(struct sim_machine *machine, struct slice manifest);

#endif
