/* What the two files of the bare core's stage share. */
#ifndef TESTS_SCENARIO_STAGE_CORE_H
#define TESTS_SCENARIO_STAGE_CORE_H

#include "tests/scenario/desk.h"
#include "tests/scenario/stage.h"

struct stage {
    struct desk *desk; /* Owned. */
    bool by_hand;
    bool dead; /* All controllers lost power. */
    uint32_t deeds;
    uint32_t leaves_before; /* When the first deed came. */
    uint32_t events_before;
    uint32_t leaves_count;
    uint64_t elections_before;
    uint64_t handles[STAGE_DEEDS];
    bool writes[STAGE_DEEDS];
    bool dark[DESK_NODES]; /* Without power. */
    struct seen_leaf leaves[STAGE_LEAVES];
};

#endif
