/* The pace of a tap: a token bucket, so that one guest cannot take a node's whole network. */
#ifndef NODE_AGENT_HOST_TC_H
#define NODE_AGENT_HOST_TC_H

#include "base/result.h"

extern const char HOST_TC_PATH[];

/* Towards the guest; the tap exists. Again is harmless. */
RESULT host_tc_tap(const char *tap);

#endif
