/* Streams between machines, and the weather they travel through. */
#ifndef TESTS_SIM_PLANE_NET_H
#define TESTS_SIM_PLANE_NET_H

#include "tests/sim/plane.h"

/* ---- plane_net.c ---- */
void plane_send(struct plane *plane, uint32_t from, const Wire__Frame *frame);
void plane_letter(struct plane *plane, const struct plane_event *event);
void plane_link_event(struct plane *plane, const struct plane_event *event);
void plane_connect(struct plane *plane, uint32_t one, uint32_t other);
void plane_break(struct plane *plane, const struct plane_event *event);
void plane_refuse(struct plane *plane, uint32_t one, uint32_t other);
/* The machine's link is gone or back. */
void plane_unlink(struct plane *plane, uint32_t machine);
void plane_relink(struct plane *plane, uint32_t machine);
uint32_t plane_machine_of(const struct plane *plane, uint64_t id); /* PLANE_NONE: nobody. */
/* Likewise, and of a machine that was wiped and is another since. */
uint32_t plane_machine_once(const struct plane *plane, uint64_t id);
void plane_machine_is(struct plane *plane, uint32_t machine, uint64_t id);
struct plane_link *plane_link_of(struct plane *plane, uint32_t one, uint32_t other);
void plane_weather(struct plane *plane);
void plane_weather_fair(struct plane *plane); /* For now. */
void plane_weather_foul(struct plane *plane); /* For now, but nobody is cut off. */
void plane_cuts_break(struct plane *plane);   /* Streams through a cut will end. */
void plane_cut_off(struct plane *plane, uint32_t machine);
void plane_cut_machine(struct plane *plane, uint32_t machine, bool cut);

/* The machines below this one have links with it: all, of a controller; else the controllers. */
uint32_t plane_linked_end(const struct plane *plane, uint32_t machine);

/* Something on this way was not taken. */
void plane_hole(struct plane *plane, uint32_t from, uint32_t to);

#endif
