/* Decides what survives a crash of a simulated disk. See sim_disk.h. */
#include "tests/sim/sim_disk.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

static bool odds(struct sim_disk *sim, uint64_t per_million)
{
    CHECK(per_million <= 1000000);
    return per_million > 0 && prng_below(sim->prng, 1000000) < per_million;
}

static uint64_t sectors(const struct sim_disk_file *file)
{
    return (file->size + SIM_DISK_SECTOR - 1) / SIM_DISK_SECTOR;
}

struct sim_disk_file *sim_disk_find(struct sim_disk *sim, const char *name)
{
    CHECK(name[0] != '\0');
    for (int i = 0; i < SIM_DISK_FILES; i++) {
        if (strcmp(sim->files[i].name, name) == 0) {
            return &sim->files[i];
        }
    }
    return NULL;
}

static void forget(struct sim_disk_file *file)
{
    free(file->seen);
    free(file->durable);
    free(file->dirty);
    *file = (struct sim_disk_file){ .size = 0 };
}

static struct sim_disk_file *make(struct sim_disk *sim, const char *name, uint64_t size)
{
    struct sim_disk_file *file = sim_disk_find(sim, name);
    for (int i = 0; i < SIM_DISK_FILES && file == NULL; i++) {
        if (sim->files[i].name[0] == '\0') {
            file = &sim->files[i];
        }
    }
    CHECK(file != NULL);
    CHECK(strlen(name) < sizeof(file->name));
    forget(file);
    memcpy(file->name, name, strlen(name) + 1);
    file->size = size;
    file->seen = calloc(1, size);
    file->durable = calloc(1, size);
    file->dirty = calloc(1, sectors(file));
    CHECK(file->seen != NULL && file->durable != NULL && file->dirty != NULL);
    return file;
}

static RESULT disk_open(void *context, const char *name, uint64_t size, int *handle_out)
{
    struct sim_disk *sim = context;
    if (sim->dead) {
        return FAIL(FAILURE_CLOSED);
    }
    if (size > 0 && sim->full) {
        sim->refused++;
        return FAIL(FAILURE_NO_SPACE);
    }
    struct sim_disk_file *file = size > 0 ? make(sim, name, size) : sim_disk_find(sim, name);
    if (file == NULL) {
        return FAIL(FAILURE_NOT_FOUND);
    }
    *handle_out = (int)(file - sim->files);
    return OK;
}

static void disk_close(void *context, int handle)
{
    struct sim_disk *sim = context;
    CHECK(handle >= 0 && handle < SIM_DISK_FILES);
    CHECK(sim->files[handle].size > 0);
}

static RESULT disk_read(void *context, int handle, uint64_t offset, uint8_t *room, size_t size)
{
    struct sim_disk *sim = context;
    CHECK(handle >= 0 && handle < SIM_DISK_FILES);
    const struct sim_disk_file *file = &sim->files[handle];
    if (sim->dead) {
        return FAIL(FAILURE_CLOSED);
    }
    if (offset + size > file->size) {
        return FAIL(FAILURE_CORRUPT);
    }
    memcpy(room, file->seen + offset, size);
    return OK;
}

/* Dies here? The effect has happened or not. */
static bool dies(struct sim_disk *sim)
{
    if (!sim->dead && odds(sim, sim->die_odds)) {
        sim->dead = true;
        sim->died++;
    }
    return sim->dead;
}

static RESULT disk_write(void *context, int handle, uint64_t offset, struct slice bytes)
{
    struct sim_disk *sim = context;
    CHECK(handle >= 0 && handle < SIM_DISK_FILES);
    struct sim_disk_file *file = &sim->files[handle];
    CHECK(offset + bytes.size <= file->size);
    if (dies(sim)) {
        bytes.size = (size_t)prng_below(sim->prng, bytes.size + 1); /* Cut short by the crash. */
    }
    bool fails = odds(sim, sim->fail_odds);
    if (fails) {
        sim->failed++;
        bytes.size = (size_t)prng_below(sim->prng, bytes.size + 1);
    }
    if (bytes.size > 0) {
        memcpy(file->seen + offset, bytes.data, bytes.size);
        uint64_t last = (offset + bytes.size - 1) / SIM_DISK_SECTOR;
        for (uint64_t sector = offset / SIM_DISK_SECTOR; sector <= last; sector++) {
            file->dirty[sector] = 1;
        }
    }
    if (sim->dead) {
        return FAIL(FAILURE_CLOSED);
    }
    return fails ? FAIL(FAILURE_IO) : OK;
}

static void settle(struct sim_disk_file *file, uint64_t sector, bool kept)
{
    uint64_t at = sector * SIM_DISK_SECTOR;
    uint64_t left = file->size - at;
    size_t size = left < SIM_DISK_SECTOR ? (size_t)left : SIM_DISK_SECTOR;
    CHECK(at < file->size);
    if (kept) {
        memcpy(file->durable + at, file->seen + at, size);
    } else {
        memcpy(file->seen + at, file->durable + at, size);
    }
    file->dirty[sector] = 0;
}

static RESULT disk_sync(void *context, int handle)
{
    struct sim_disk *sim = context;
    CHECK(handle >= 0 && handle < SIM_DISK_FILES);
    struct sim_disk_file *file = &sim->files[handle];
    sim->syncs++;
    if (sim->spent_us != NULL) {
        *sim->spent_us += sim->sync_us;
    }
    if (sim->lies && !sim->dead) {
        sim->lied++;
        return OK;
    }
    bool was_dead = sim->dead;
    bool died = dies(sim) && !was_dead;
    bool fails = odds(sim, sim->fail_odds);
    for (uint64_t sector = 0; sector < sectors(file) && !was_dead; sector++) {
        /* A sync that fails or is cut off by death has done any part of its work. */
        bool done = (!died && !fails) || prng_below(sim->prng, 2) == 0;
        if (file->dirty[sector] != 0 && done) {
            settle(file, sector, true);
        }
    }
    if (sim->dead) {
        return FAIL(FAILURE_CLOSED);
    }
    sim->failed += fails ? 1 : 0;
    return fails ? FAIL(FAILURE_IO) : OK;
}

static RESULT disk_rename(void *context, const char *from, const char *to)
{
    struct sim_disk *sim = context;
    struct sim_disk_file *file = sim_disk_find(sim, from);
    struct sim_disk_file *old = sim_disk_find(sim, to);
    if (sim->dead) {
        return FAIL(FAILURE_CLOSED);
    }
    if (file == NULL) {
        return FAIL(FAILURE_NOT_FOUND);
    }
    CHECK(strlen(to) < sizeof(file->name));
    if (old != NULL) {
        forget(old);
    }
    memcpy(file->name, to, strlen(to) + 1);
    return OK;
}

static const struct disk_calls calls = {
    .open = disk_open,
    .close = disk_close,
    .read = disk_read,
    .write = disk_write,
    .sync = disk_sync,
    .rename = disk_rename,
};

void sim_disk_init(struct sim_disk *sim, struct prng *prng)
{
    CHECK(prng != NULL);
    *sim = (struct sim_disk){ .prng = prng };
}

void sim_disk_free(struct sim_disk *sim)
{
    for (int i = 0; i < SIM_DISK_FILES; i++) {
        forget(&sim->files[i]);
    }
    CHECK(sim->files[0].seen == NULL);
}

struct disk sim_disk_disk(struct sim_disk *sim)
{
    CHECK(sim->prng != NULL);
    return (struct disk){ .calls = &calls, .context = sim };
}

void sim_disk_kill(struct sim_disk *sim)
{
    CHECK(sim->prng != NULL);
    sim->dead = true;
}

/* The first half is new, the second old. */
static void settle_half(struct sim_disk_file *file, uint64_t sector)
{
    uint64_t at = sector * SIM_DISK_SECTOR;
    uint64_t left = file->size - at;
    size_t half = (size_t)(left < SIM_DISK_SECTOR ? left : SIM_DISK_SECTOR) / 2;
    CHECK(at < file->size);
    memcpy(file->durable + at, file->seen + at, half);
    settle(file, sector, false);
}

/* What was meant for one sector is found in another of the same file. */
static void settle_stray(struct sim_disk *sim, struct sim_disk_file *file, uint64_t sector)
{
    uint64_t whole = file->size / SIM_DISK_SECTOR;
    if (whole > 0 && (sector + 1) * SIM_DISK_SECTOR <= file->size) {
        uint64_t other = prng_below(sim->prng, whole) * SIM_DISK_SECTOR;
        memcpy(file->durable + other, file->seen + sector * SIM_DISK_SECTOR, SIM_DISK_SECTOR);
        memcpy(file->seen + other, file->durable + other, SIM_DISK_SECTOR);
        sim->strays++;
    }
    settle(file, sector, false);
}

bool sim_disk_rot(struct sim_disk *sim)
{
    for (int tries = 0; tries < 200; tries++) {
        struct sim_disk_file *file = &sim->files[prng_below(sim->prng, SIM_DISK_FILES)];
        uint64_t at = file->size > 0 ? prng_below(sim->prng, file->size) : 0;
        if (file->size > 0 && file->durable[at] != 0) {
            uint8_t bit = (uint8_t)(1U << prng_below(sim->prng, 8));
            file->durable[at] ^= bit;
            file->seen[at] ^= bit;
            return true;
        }
    }
    return false;
}

void sim_disk_copy(struct sim_disk *to, const struct sim_disk *from)
{
    CHECK(to != from);
    for (int i = 0; i < SIM_DISK_FILES; i++) {
        const struct sim_disk_file *file = &from->files[i];
        forget(&to->files[i]);
        if (file->size > 0) {
            struct sim_disk_file *copy = &to->files[i];
            memcpy(copy->name, file->name, sizeof(copy->name));
            copy->size = file->size;
            copy->seen = malloc(file->size);
            copy->durable = malloc(file->size);
            copy->dirty = calloc(1, sectors(file));
            CHECK(copy->seen != NULL && copy->durable != NULL && copy->dirty != NULL);
            memcpy(copy->seen, file->durable, file->size);
            memcpy(copy->durable, file->durable, file->size);
        }
    }
}

void sim_disk_power_loss(struct sim_disk *sim)
{
    uint64_t mood = prng_below(sim->prng, 4); /* 0: all lost; 1: all kept; else each on its own. */
    uint64_t kept = 0;
    uint64_t lost = 0;
    sim->dead = true;
    for (int i = 0; i < SIM_DISK_FILES; i++) {
        struct sim_disk_file *file = &sim->files[i];
        for (uint64_t sector = 0; sector < sectors(file); sector++) {
            if (file->dirty[sector] == 0) {
                continue;
            }
            bool keep = mood == 1 || (mood > 1 && prng_below(sim->prng, 2) == 0);
            if (odds(sim, sim->stray_odds)) {
                settle_stray(sim, file, sector);
            } else if (odds(sim, sim->torn_odds)) {
                settle_half(file, sector);
                sim->halves++;
            } else {
                settle(file, sector, keep);
            }
            kept += keep ? 1 : 0;
            lost += keep ? 0 : 1;
        }
    }
    sim->lost_sectors += lost;
    sim->torn += kept > 0 && lost > 0 ? 1 : 0;
    CHECK(sim->dead);
}

void sim_disk_restart(struct sim_disk *sim)
{
    CHECK(sim->prng != NULL);
    sim->dead = false;
}
