/* What this machine is: its capacity for guests. */
#ifndef NODE_AGENT_HOST_MACHINE_H
#define NODE_AGENT_HOST_MACHINE_H

#include "node-agent/host_verbs.h"

/* Fills vcpus and memory_bytes. `vcpus` and `memory_mib` from the configuration (0: measure) take
 * the measurement's place: in the lab several nodes share one machine. */
void host_machine_measure(struct host *host, uint64_t vcpus, uint64_t memory_mib);

#endif
