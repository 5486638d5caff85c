/* A state machine as a table one can read aloud: each state's name and the states it may move to.
 * The pictures in docs/machines are made from these tables. */
#ifndef BASE_SM_H
#define BASE_SM_H

#include <stdbool.h>
#include <stdint.h>

#define TO(state) (UINT32_C(1) << (state))

struct sm_row {
    const char *name;
    uint32_t allowed; /* TO(a) | TO(b) … */
    bool final;
};

struct sm {
    const char *name;
    const struct sm_row *rows;
    uint32_t count; /* At most 32. */
};

bool sm_allows(const struct sm *machine, uint32_t from, uint32_t next);
/* Moves, or crashes: a move outside the table is our bug, never the world's. */
void sm_move(const struct sm *machine, uint32_t *state, uint32_t next);
const char *sm_name(const struct sm *machine, uint32_t state);

#endif
