/* A controller's machine in the simulator, for the files that are it: plane_controller.c (its
 * process), plane_server.c (what it is given, and wants) and plane_disk.c (what its disk does to
 * it). */
#ifndef TESTS_SIM_PLANE_CONTROLLER_H
#define TESTS_SIM_PLANE_CONTROLLER_H

#include "controller/server_inner.h" /* Its store must be lost at a crash, not closed. */
#include "tests/sim/plane.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_pages.h"

struct plane_controller {
    struct plane *plane;
    uint32_t machine;
    struct server *server; /* NULL when down. */
    struct sim_disk disk;
    struct sim_disk saved;   /* An older copy of it, */
    struct server_mark mark; /* A mapped file: survives the process. */
    struct server_mark saved_mark;
    bool have_saved; /* with its directories and its mark. */
    bool returning;  /* Its disk is being set back. */
    uint64_t saved_ms;
    uint64_t started_ms; /* Its process. */
    bool hurt;           /* Its disk lost or changed what it had promised to keep. */
    bool lied;           /* It is hurt so: what it forgets, only others can know. */
    bool old_build;      /* Its program speaks for the first feature level only. */
    bool empty;          /* Its disk was lost: it begins no cell again. */
    uint32_t joined;     /* How often this machine became a controller. */
    struct sim_pages memory;
    bool dying;
    bool turning; /* A PLANE_TURN is on its way. */
    bool flushing;
    uint64_t term;
    uint64_t applied; /* As last paid for. */
    char address[16];
    char rows[32];
    char snapshots[32];
    char saved_snapshots[32];
};

struct plane_controller *plane_controller_of(uint32_t machine);
/* The server itself, over its disk; what it wants done is done by plane_server.c. */
struct result plane_server_open(struct plane *plane, struct plane_controller *self);
void plane_disk_begin(struct plane *plane, struct plane_controller *self);
void plane_disk_end(struct plane_controller *self);
void plane_disk_wipe(struct plane *plane, struct plane_controller *self);
/* Its process or its power went: what of the disk's troubles stays is drawn. */
void plane_disk_crashed(struct plane *plane, struct plane_controller *self);

#endif
