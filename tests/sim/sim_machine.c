/* Decides what a state is: a list of ids, as its length and hash. Never decides their order. */
#include "tests/sim/sim_machine.h"

#include "base/check.h"

#include <string.h>

enum { COMMAND_MIN = 8 };

uint32_t sim_machine_command(struct slice entry)
{
    uint32_t command = 0;
    uint32_t again = 0;
    if (entry.size < COMMAND_MIN) {
        return 0;
    }
    memcpy(&command, entry.data, sizeof(command));
    memcpy(&again, entry.data + sizeof(command), sizeof(again));
    return command == ~again ? command : 0;
}

void sim_machine_entry(uint32_t command, uint8_t *room, size_t size)
{
    uint32_t again = ~command;
    CHECK(size >= COMMAND_MIN);
    CHECK(command != 0);
    memset(room, (int)(command & 0xff), size);
    memcpy(room, &command, sizeof(command));
    memcpy(room + sizeof(command), &again, sizeof(again));
}

void sim_machine_apply(struct sim_machine *machine, uint64_t index, struct slice entry)
{
    CHECK(index > machine->index);
    machine->index = index;
    machine->count++;
    machine->hash = (machine->hash ^ sim_machine_command(entry)) * UINT64_C(0x9e3779b97f4a7c15);
    machine->hash ^= machine->hash >> 29;
}

void sim_machine_snapshot(const struct sim_machine *machine, uint8_t manifest[static SIM_MANIFEST])
{
    _Static_assert(sizeof(*machine) == SIM_MANIFEST, "three numbers");
    CHECK(machine->index > 0);
    memcpy(manifest, machine, SIM_MANIFEST);
}

bool sim_machine_restore(struct sim_machine *machine, struct slice manifest)
{
    if (manifest.size != SIM_MANIFEST) {
        return false;
    }
    memcpy(machine, manifest.data, SIM_MANIFEST);
    CHECK(machine->index > 0);
    return true;
}
