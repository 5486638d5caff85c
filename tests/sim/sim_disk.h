/* A disk that can lose. Decides what survives a crash: nothing that was not synced is certain, and
 * each sector of it is kept or lost on its own. Never decides when a crash happens. */
#ifndef TESTS_SIM_SIM_DISK_H
#define TESTS_SIM_SIM_DISK_H

#include "base/prng.h"
#include "controller/disk.h"

#include <stdbool.h>
#include <stdint.h>

enum { SIM_DISK_FILES = 40, SIM_DISK_SECTOR = 512 };

struct sim_disk_file {
    char name[32]; /* "": free. */
    uint64_t size;
    uint8_t *seen;    /* Owned; what the running system reads. */
    uint8_t *durable; /* Owned; what is there after power comes back. */
    uint8_t *dirty;   /* Owned; one byte per sector. */
};

/* Odds are per million calls. */
struct sim_disk {
    struct sim_disk_file files[SIM_DISK_FILES];
    struct prng *prng;   /* Borrowed. */
    uint64_t die_odds;   /* The process dies inside the call, before or after its effect. */
    uint64_t fail_odds;  /* A write or sync fails; what is durable then is anybody's guess. */
    uint64_t torn_odds;  /* A sector that was not synced is half new, half old. */
    uint64_t stray_odds; /* And lands in another's place, which is damage. */
    bool lies;           /* A sync says that it is done, and nothing is. */
    uint64_t *spent_us;  /* Borrowed; what its calls took is added. NULL: nobody counts. */
    uint64_t sync_us;    /* Of one sync. */
    bool full;           /* No new file can be made. */
    bool dead;           /* Nothing works until sim_disk_restart. */
    uint64_t died;       /* Counters: deaths inside a call, failures, */
    uint64_t failed;     /* torn power losses, sectors lost, refusals for want of space. */
    uint64_t torn;
    uint64_t lost_sectors;
    uint64_t refused;
    uint64_t syncs;
    uint64_t halves; /* Sectors torn in two, strayed, syncs that were lies. */
    uint64_t strays;
    uint64_t lied;
};

void sim_disk_init(struct sim_disk *sim, struct prng *prng);
void sim_disk_free(struct sim_disk *sim);
struct disk sim_disk_disk(struct sim_disk *sim);
/* The process was killed: the kernel still has what it wrote. */
void sim_disk_kill(struct sim_disk *sim);
/* Power went: each sector that was not synced is kept or lost. */
void sim_disk_power_loss(struct sim_disk *sim);
void sim_disk_restart(struct sim_disk *sim);
/* Turns one bit of what was written, at rest; false: nothing was written yet. */
bool sim_disk_rot(struct sim_disk *sim);
/* An older copy of the whole, and back to it: as a restored backup or a machine image does. */
void sim_disk_copy(struct sim_disk *to, const struct sim_disk *from);
/* NULL when there is none. */
struct sim_disk_file *sim_disk_find(struct sim_disk *sim, const char *name);

#endif
