/* When trouble strikes, which kinds a seed knows, and how a shrunk case leaves some out. */
#ifndef TESTS_SIM_PLANE_FAULT_H
#define TESTS_SIM_PLANE_FAULT_H

#include "tests/sim/plane.h"

/* ---- plane_fault.c ---- */
void plane_fault(struct plane *plane);
void plane_heal(struct plane *plane);
void plane_mend(struct plane *plane, const struct plane_event *event);

/* ---- plane_inject.c ---- */
/* `who`: the client, else 0; `number`: counts per kind and client. True: it happens. Until
 * plane_inject_end all draws are its own. */
bool plane_inject_begin(struct plane *plane, enum plane_inject kind, uint32_t who, uint32_t number);
void plane_inject_end(struct plane *plane);
/* "command 3 of client 5" …; lives until the next call. */
const char *plane_inject_name(uint32_t id);

/* ---- plane_swarm.c ---- */
void plane_swarm_draw(struct plane *plane);
enum plane_strike plane_swarm_strike(struct plane *plane);

#endif
