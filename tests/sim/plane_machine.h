/* The machines that run programs of the product: controllers with their disks, nodes with their
 * agents. */
#ifndef TESTS_SIM_PLANE_MACHINE_H
#define TESTS_SIM_PLANE_MACHINE_H

#include "tests/sim/plane.h"

/* ---- plane_controller.c ---- */
void plane_controllers_begin(struct plane *plane);
void plane_controllers_end(struct plane *plane);
void plane_controller_join(struct plane *plane, uint32_t machine, uint64_t id);
void plane_controller_event(struct plane *plane, const struct plane_event *event);
void plane_controller_frame(
    struct plane *plane, uint32_t machine, uint32_t from, const Wire__Frame *frame);
void plane_controller_link(struct plane *plane, uint32_t machine, uint32_t peer, bool up);
void plane_controller_crash(struct plane *plane, uint32_t machine, bool power);
void plane_controller_off(struct plane *plane, uint32_t machine); /* For good, and wiped. */
bool plane_controller_hurt(uint32_t machine);

/* ---- plane_disk.c ---- */
/* A copy of its disk, to be set back to. */
void plane_disk_save(struct plane *plane, uint32_t machine);
/* It lied, and loses power only while those are there who know (plane_fault.c). */
bool plane_disk_spared(const struct plane *plane, uint32_t machine);
/* From now on it keeps what it says that it keeps. */
void plane_disk_honest(uint32_t machine);
/* A disk that lied loses power within this time. */
enum { PLANE_POWER_MS = 3000 };
/* ROT, SYNC_LIED, STRAY_WRITE, SET_BACK. False: too many are hurt already, or, of those that let it
 * forget, not everybody would remember. */
bool plane_disk_hurt(struct plane *plane, uint32_t machine, enum plane_fault how);
void plane_disk_slow(struct plane *plane, uint32_t machine, uint64_t sync_us);
void plane_controller_full(struct plane *plane, uint32_t machine, bool full);
void plane_controller_break(struct plane *plane, uint32_t machine);
/* Per million disk calls: the process dies inside one; one fails. */
void plane_controller_odds(struct plane *plane, uint32_t machine, uint64_t die, uint64_t fail);
struct server *plane_server(struct plane *plane, uint32_t machine); /* NULL: it is down. */
struct store *plane_store(struct plane *plane, uint32_t machine);
uint32_t plane_leader(struct plane *plane); /* PLANE_NONE: nobody. */
/* If the seed says so, some begin with programs of the first feature level. */
void plane_old_builds(struct plane *plane);

/* ---- plane_node.c ---- */
void plane_nodes_begin(struct plane *plane);
void plane_nodes_end(struct plane *plane);
void plane_node_join(struct plane *plane, uint32_t machine, uint64_t id);
void plane_node_event(struct plane *plane, const struct plane_event *event);
void plane_node_frame(
    struct plane *plane, uint32_t machine, uint32_t from, const Wire__Frame *frame);
void plane_node_link(struct plane *plane, uint32_t machine, uint32_t peer, bool up);
/* The agent's process dies; `power`: the whole node, with its guests. */
void plane_node_crash(struct plane *plane, uint32_t machine, bool power);
/* Everything on it is gone; it joins anew under another name. */
void plane_node_forgets(struct plane *plane, uint32_t machine);
void plane_node_told(struct plane *plane, uint32_t machine, const Wire__Frame *frame);
void plane_node_host(struct plane *plane, uint32_t machine, bool up);

#endif
