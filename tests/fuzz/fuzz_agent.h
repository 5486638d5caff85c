/* What the target of the agent and its first inputs share: the kinds of parts. */
#ifndef TESTS_FUZZ_FUZZ_AGENT_H
#define TESTS_FUZZ_FUZZ_AGENT_H

#include "tests/fuzz/fuzz.h"

enum kind {
    KIND_CONTROLLER, /* A frame; its peer says whose. */
    KIND_HOST,       /* A frame; small handles are counted from the verb that was asked last. */
    KIND_PARENT,     /* A frame. */
    KIND_LINK,       /* up (1), controller (8). */
    KIND_CHANNEL,    /* To host: up (1). */
    KIND_TICK,       /* Milliseconds (4). */
    KIND_RESTART,    /* Of the agent: boot (1), and rows of a file that somebody else wrote. */
    KINDS
};

#endif
