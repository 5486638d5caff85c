/* Decides whether a move is in the table. Never decides when to move. */
#include "base/sm.h"

#include "base/check.h"

#include <stddef.h>

bool sm_allows(const struct sm *machine, uint32_t from, uint32_t next)
{
    CHECK(machine->count <= 32);
    CHECK(from < machine->count);
    CHECK(next < machine->count);
    return (machine->rows[from].allowed & TO(next)) != 0;
}

void sm_move(const struct sm *machine, uint32_t *state, uint32_t next)
{
    CHECK(sm_allows(machine, *state, next));
    CHECK(!machine->rows[*state].final);
    *state = next;
}

const char *sm_name(const struct sm *machine, uint32_t state)
{
    CHECK(state < machine->count);
    CHECK(machine->rows[state].name != NULL);
    return machine->rows[state].name;
}
