/* Decides which feature level each command needs. Never decides when a level rises. */
#include "controller/core/feature.h"

#include "base/check.h"

uint32_t feature_of(const Wire__Command *command)
{
    switch (command->body_case) {
    case WIRE__COMMAND__BODY_NODE_CONDITIONED:
    case WIRE__COMMAND__BODY_CELL_JUDGED: return FEATURE_BOUNDS;
    case WIRE__COMMAND__BODY_ASKED:
    case WIRE__COMMAND__BODY_NODE_REPORTED:
    case WIRE__COMMAND__BODY_NODE_JUDGED:
    case WIRE__COMMAND__BODY_TICK:
    case WIRE__COMMAND__BODY_CHECKPOINTED:
    case WIRE__COMMAND__BODY_REFUSED:
    case WIRE__COMMAND__BODY_CONTROLLER_REPORTED:
    case WIRE__COMMAND__BODY_GENESIS:
    case WIRE__COMMAND__BODY_FEATURE_LEVEL_RAISED:
    case WIRE__COMMAND__BODY_NODE_HEARD:
    case WIRE__COMMAND__BODY_LEADER_CHANGED:
    case WIRE__COMMAND__BODY_PROCESS_STARTED: return FEATURE_FIRST;
    case WIRE__COMMAND__BODY__NOT_SET:
    case _WIRE__COMMAND__BODY__CASE_IS_INT_SIZE: break;
    }
    UNREACHABLE(); /* entry_valid refused it. */
}
