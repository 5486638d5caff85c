/* Decides what the disks of controllers do: fill, fail, die in the middle, tear, lie, rot, send a
 * write astray, come back as they were long ago. What can lose synced bytes strikes so few machines
 * at once that a majority stays sound: those must go on, and the hurt one must refuse, not lie. */
#include "base/check.h"
#include "tests/sim/plane_check.h"
#include "tests/sim/plane_controller.h"
#include "tests/sim/plane_machine.h"
#include "tests/sim/plane_net.h"
#include "tests/sim/plane_people.h"
#include "tests/sim/plane_snapshot.h"
#include "tests/sim/plane_time.h"
#include "tests/sim/sim_store.h"

#include <stdio.h>

void plane_disk_begin(struct plane *plane, struct plane_controller *self)
{
    (void)snprintf(
        self->saved_snapshots, sizeof(self->saved_snapshots), "s%u/snapshots", self->machine);
    sim_disk_init(&self->disk, &plane->prng);
    sim_disk_init(&self->saved, &plane->prng);
    self->disk.spent_us = &plane->machines[self->machine].busy_us;
    self->disk.sync_us = plane_cost(PLANE_COST_SYNC);
    self->disk.torn_odds = plane->swarm.on[PLANE_HALF_SECTOR] ? 200000 : 0;
}

void plane_disk_end(struct plane_controller *self)
{
    CHECK(self->server == NULL);
    sim_disk_free(&self->disk);
    sim_disk_free(&self->saved);
}

static void tally(struct plane *plane, struct sim_disk *disk)
{
    uint64_t *faults = plane->tally->faults;
    faults[PLANE_DISK_CALL_FAILED] += disk->failed;
    faults[PLANE_HALF_SECTOR] += disk->halves;
    faults[PLANE_STRAY_WRITE] += disk->strays;
    faults[PLANE_SYNC_LIED] += disk->lied;
    disk->failed = 0;
    disk->halves = 0;
    disk->strays = 0;
    disk->lied = 0;
}

static void prefix_of(char kind, uint32_t machine, char text[static 16])
{
    int size = snprintf(text, 16, "%c%u/", kind, machine);
    CHECK(size > 0 && size < 16);
}

void plane_disk_wipe(struct plane *plane, struct plane_controller *self)
{
    char prefix[16];
    CHECK(self->server == NULL);
    tally(plane, &self->disk);
    plane_disk_end(self);
    plane_disk_begin(plane, self);
    prefix_of('c', self->machine, prefix);
    sim_store_drop(prefix);
    plane_snapshots_drop(self->snapshots);
    prefix_of('s', self->machine, prefix);
    sim_store_drop(prefix);
    self->mark = (struct server_mark){ .index = 0 };
    self->have_saved = false;
    self->hurt = false;
    self->lied = false;
    plane_check_forget(plane, self->machine);
    plane_leaves_wiped(self->machine);
}

/* May one more disk be hurt, so that a majority of sound ones stays? */
static bool may_hurt(struct plane *plane, const struct plane_controller *self)
{
    uint32_t members = 0;
    uint32_t hurt = 1;
    for (uint32_t i = 0; i < PLANE_CONTROLLERS; i++) {
        members += plane->machines[i].exists ? 1 : 0;
        hurt += plane_controller_of(i)->hurt && i != self->machine ? 1 : 0;
    }
    return plane->unrecoverable ||
           (!plane_operator_busy() && hurt <= (members - 1) / 2 && members >= 3);
}

bool plane_controller_hurt(uint32_t machine)
{
    return plane_controller_of(machine)->hurt;
}

static void set_back(struct plane *plane, struct plane_controller *self)
{
    char from[16];
    char to[16];
    prefix_of('s', self->machine, from);
    prefix_of('c', self->machine, to);
    plane_seen(plane, PLANE_SET_BACK);
    plane_trace(plane, "m%u: its directory is set back", self->machine);
    sim_disk_copy(&self->disk, &self->saved);
    sim_store_save(from, to);
    plane_snapshots_save(self->saved_snapshots, self->snapshots);
    self->mark = self->saved_mark;
    self->have_saved = false;
}

void plane_disk_crashed(struct plane *plane, struct plane_controller *self)
{
    CHECK(self->server == NULL);
    tally(plane, &self->disk);
    if (plane_odds(plane, 7000)) {
        plane_controller_odds(plane, self->machine, 0, 0);
        self->disk.sync_us = plane_cost(PLANE_COST_SYNC);
    }
    if (self->returning) {
        set_back(plane, self);
    }
    if (self->hurt) {
        plane_lost_forget(self->machine);
    }
    self->disk.stray_odds = 0;
    self->disk.lies = false;
}

void plane_disk_save(struct plane *plane, uint32_t machine)
{
    struct plane_controller *self = plane_controller_of(machine);
    char from[16];
    char to[16];
    if (self->server == NULL || self->have_saved || self->hurt || !plane->machines[machine].up) {
        return;
    }
    prefix_of('c', machine, from);
    prefix_of('s', machine, to);
    CHECK(plane->machines[machine].up);
    sim_disk_copy(&self->saved, &self->disk);
    sim_store_save(from, to);
    plane_snapshots_save(self->snapshots, self->saved_snapshots);
    self->saved_mark = self->mark;
    self->saved_ms = plane->now_ms;
    self->have_saved = true;
}

/* What nobody can be asked about cannot be known (INV-LOG-10): a disk is set back only while all
 * others are up that heard of it since, and it returns in weather without cuts, fair or foul. */
static bool others_remember(
    const struct plane *plane, const struct plane_controller *self, uint64_t since_ms)
{
    bool remember = true;
    for (uint32_t i = 0; i < PLANE_CONTROLLERS; i++) {
        const struct plane_controller *other = plane_controller_of(i);
        if (i != self->machine && plane->machines[i].exists) {
            remember = remember && plane->machines[i].up && other->started_ms < since_ms;
        }
    }
    return remember;
}

bool plane_disk_spared(const struct plane *plane, uint32_t machine)
{
    return plane_controller_of(machine)->lied && !plane->unrecoverable;
}

void plane_disk_honest(uint32_t machine)
{
    struct plane_controller *self = plane_controller_of(machine);
    self->disk.lies = false;
}

/* What it forgot, the others know, and live to say: that is all that the product promises of a disk
 * that forgets what it had kept. Without a budget nobody is spared. */
static void take_shelter(struct plane *plane, uint32_t machine, uint64_t for_ms)
{
    if (plane->unrecoverable) {
        return;
    }
    plane->shelter_ms = plane->now_ms + for_ms;
    plane_weather_fair(plane);
    for (uint32_t i = 0; i < PLANE_CONTROLLERS; i++) {
        if (i != machine && plane->machines[i].exists) {
            plane_controller_odds(plane, i, 0, 0);
        }
    }
}

bool plane_disk_hurt(struct plane *plane, uint32_t machine, enum plane_fault how)
{
    struct plane_controller *self = plane_controller_of(machine);
    if (!plane->machines[machine].up || self->hurt || !may_hurt(plane, self)) {
        return false;
    }
    switch ((int)how) {
    case PLANE_ROT:
        self->hurt = sim_disk_rot(&self->disk);
        plane->tally->faults[PLANE_ROT] += self->hurt ? 1 : 0;
        break;
    case PLANE_SYNC_LIED:
        self->hurt = plane->unrecoverable || others_remember(plane, self, plane->now_ms);
        self->disk.lies = self->hurt;
        self->lied = self->hurt;
        break;
    case PLANE_STRAY_WRITE:
        self->hurt = true;
        self->disk.stray_odds = 500000;
        self->disk.die_odds = 20000; /* Something is not synced when power goes. */
        break;
    case PLANE_DISK_LOST: self->hurt = true; break;
    default:
        CHECK(how == PLANE_SET_BACK);
        self->hurt = self->have_saved &&
                     (plane->unrecoverable || others_remember(plane, self, self->saved_ms));
        self->returning = self->hurt;
        break;
    }
    if (!self->hurt) {
        return false;
    }
    plane_trace(plane, "m%u: its disk is hurt", machine);
    plane_lost_note(plane);
    if (how == PLANE_SYNC_LIED) {
        take_shelter(plane, machine, PLANE_POWER_MS + 6000);
    }
    if (self->returning) {
        take_shelter(plane, machine, 6000);
    }
    if (self->returning && !plane->unrecoverable) {
        if (plane_strikes(plane, PLANE_SET_BACK_FOUL, 7500)) {
            plane_weather_foul(plane);
        }
    }
    if (how == PLANE_ROT || how == PLANE_DISK_LOST || self->returning) {
        plane_controller_crash(plane, machine, true);
    }
    if (how == PLANE_DISK_LOST) { /* Who he is he knows: that lies elsewhere. */
        plane_seen(plane, PLANE_DISK_LOST);
        plane_disk_wipe(plane, self);
        self->hurt = true;
        self->empty = true;
    }
    return true;
}

void plane_disk_slow(struct plane *plane, uint32_t machine, uint64_t sync_us)
{
    struct plane_controller *self = plane_controller_of(machine);
    CHECK(plane->machines_count > machine);
    self->disk.sync_us = sync_us;
}

void plane_controller_full(struct plane *plane, uint32_t machine, bool full)
{
    struct plane_controller *self = plane_controller_of(machine);
    if (self->disk.full != full) {
        plane_seen(plane, full ? PLANE_DISK_FULL : PLANE_SPACE_BACK);
        plane_trace(plane, "m%u: disk %s", machine, full ? "full" : "has room");
    }
    self->disk.full = full;
    sim_store_full(self->rows, full);
}

void plane_controller_break(struct plane *plane, uint32_t machine)
{
    struct plane_controller *self = plane_controller_of(machine);
    if (self->server != NULL && self->server->store != NULL) {
        plane_seen(plane, PLANE_STORE_BROKEN);
        sim_store_break(self->server->store);
    }
}

void plane_controller_odds(struct plane *plane, uint32_t machine, uint64_t die, uint64_t fail)
{
    struct sim_disk *disk = &plane_controller_of(machine)->disk;
    tally(plane, disk);
    disk->die_odds = die;
    disk->fail_odds = fail;
}
