/* The agent's small state file: what struct agent_saved holds, written whole, atomically and
 * durably. Never a secret, never an order's content. */
#ifndef NODE_AGENT_AGENT_STATE_H
#define NODE_AGENT_AGENT_STATE_H

#include "base/result.h"
#include "node-agent/core/agent.h"

struct agent_state_file {
    int directory; /* Open descriptor. */
};

RESULT agent_state_open(struct agent_state_file *file, const char *directory);
/* FAILURE_NOT_FOUND: there is none. FAILURE_CORRUPT: torn or foreign; nothing is written out. */
RESULT agent_state_read(struct agent_state_file *file, struct agent_saved *saved_out);
RESULT agent_state_write(struct agent_state_file *file, const struct agent_saved *saved);
/* Of this boot of this machine (random(4), proc(5)); before the sandbox. */
RESULT agent_state_boot_id(uint8_t boot_id_out[static AGENT_BOOT_ID_SIZE]);

#endif
