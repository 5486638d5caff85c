/* The history of a seed, for the files that fill and judge it: plane_history.c (what clients were
 * told), plane_history_final.c (what is there at the end, and the verdicts). */
#ifndef TESTS_SIM_PLANE_HISTORY_H
#define TESTS_SIM_PLANE_HISTORY_H

#include "tests/history/history.h"
#include "tests/sim/plane_people.h"

struct history *plane_history(void); /* NULL: none is kept. */
/* Names of lists: a tenant's writes, an instance's placements. */
void plane_history_holds(uint32_t tenant, char room[static HISTORY_NAME]);
void plane_history_placed(uint64_t instance, char room[static HISTORY_NAME]);

#endif
