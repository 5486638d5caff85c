/* Takes the place of controller/snapshot.c at link time: the same contract (controller/snapshot.h),
 * with checkpoints in the store in memory instead of files. Decides how a checkpoint's one file is
 * cut into parts and put together again; never whether it is right: store_verify does. */
#include "tests/sim/plane_snapshot.h"
#include "base/check.h"
#include "controller/snapshot.h"
#include "tests/sim/sim_image.h"
#include "wire/wire.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DISKS = 24, PART_BYTES = 4096 };

/* The bytes of a file. */
struct writer {
    uint8_t *bytes; /* Owned. */
    size_t size;
    size_t capacity;
};

/* What of snapshots a machine's disk holds; outlives its processes. */
struct disk_of {
    char directory[STORE_PATH_MAX]; /* "": free. */
    uint64_t own[SNAPSHOT_KEEP];
    uint64_t got;
    uint8_t *bytes; /* Owned; of the fetch under way. */
    size_t size;
    uint64_t served; /* Whose file is in `file`; 0: none. */
    struct writer file;
};

static struct disk_of disks[DISKS];
bool plane_snapshot_damage;
uint64_t plane_snapshots_fetched;
uint64_t plane_snapshots_installed;
uint64_t plane_snapshots_damaged;

static struct disk_of *disk_find(const char *directory)
{
    for (uint32_t i = 0; i < DISKS; i++) {
        struct disk_of *disk = &disks[i];
        if (disk->directory[0] == '\0') {
            bool fits = text_copy(disk->directory, STORE_PATH_MAX, slice_text(directory));
            CHECK(fits);
        }
        if (strcmp(disk->directory, directory) == 0) {
            return disk;
        }
    }
    UNREACHABLE();
    return NULL;
}

void plane_snapshots_end(void)
{
    for (uint32_t i = 0; i < DISKS; i++) {
        free(disks[i].bytes);
        free(disks[i].file.bytes);
        disks[i] = (struct disk_of){ .size = 0 };
    }
}

void plane_snapshots_drop(const char *directory)
{
    struct disk_of *disk = disk_find(directory);
    free(disk->bytes);
    free(disk->file.bytes);
    disk->bytes = NULL;
    disk->file = (struct writer){ .size = 0 };
    disk->got = 0;
    disk->served = 0;
    memset(disk->own, 0, sizeof(disk->own)); /* Its place stays its own. */
}

void plane_snapshots_save(const char *from, const char *to)
{
    const struct disk_of *source = disk_find(from);
    struct disk_of *copy = disk_find(to);
    CHECK(copy != source);
    memcpy(copy->own, source->own, sizeof(copy->own));
    copy->got = 0;
    copy->served = 0;
}

void snapshot_init(
    struct snapshot *snapshot,
    const char *directory,
    struct arena *scratch,
    void (*send)(void *context, Wire__Frame *frame),
    void *context)
{
    memset(snapshot, 0, sizeof(*snapshot));
    bool fits = text_copy(snapshot->directory, sizeof(snapshot->directory), slice_text(directory));
    CHECK(fits);
    snapshot->scratch = scratch;
    snapshot->send = send;
    snapshot->context = context;
}

static void path_of(
    const struct snapshot *snapshot,
    const char *kind,
    uint64_t index,
    char path[static STORE_PATH_MAX])
{
    int size = snprintf(path, STORE_PATH_MAX, "%s/%s-%" PRIu64, snapshot->directory, kind, index);
    CHECK(size > 0 && size < STORE_PATH_MAX);
}

static void discard(const struct snapshot *snapshot, const char *kind, uint64_t index)
{
    char path[STORE_PATH_MAX];
    path_of(snapshot, kind, index, path);
    struct result discarded = store_discard(path);
    CHECK(discarded.code == 0);
}

/* The list of directories is the disk's own here: nothing is left behind that nobody knows. */
void snapshot_sweep(struct snapshot *snapshot)
{
    CHECK(snapshot != NULL);
}

RESULT snapshot_take(
    struct snapshot *snapshot, struct store *store, uint64_t index, struct slice *manifest_out)
{
    char path[STORE_PATH_MAX];
    struct disk_of *disk = disk_find(snapshot->directory);
    struct slice manifest = SLICE_EMPTY;
    disk->served = 0;
    path_of(snapshot, "own", index, path);
    TRY(store_discard(path));
    TRY(store_checkpoint(store, index, path));
    arena_reset(snapshot->scratch);
    TRY(store_manifest(path, index, snapshot->scratch, &manifest));
    CHECK(manifest.size <= sizeof(snapshot->manifest));
    memcpy(snapshot->manifest, manifest.data, manifest.size);
    *manifest_out = slice_of(snapshot->manifest, manifest.size);
    if (disk->own[0] != index) {
        if (disk->own[1] != 0) {
            discard(snapshot, "own", disk->own[1]);
        }
        disk->own[1] = disk->own[0];
        disk->own[0] = index;
    }
    return OK;
}

/* ---- The one file of a checkpoint: its index, then every row with its sizes ---- */

static bool write_row(void *context, struct slice key, struct slice value)
{
    struct writer *writer = context;
    uint32_t sizes[2] = { (uint32_t)key.size, (uint32_t)value.size };
    size_t size = writer->size + sizeof(sizes) + key.size + value.size;
    if (size > writer->capacity) {
        writer->capacity = size * 2;
        writer->bytes = sim_must(realloc(writer->bytes, writer->capacity));
    }
    memcpy(writer->bytes + writer->size, sizes, sizeof(sizes));
    memcpy(writer->bytes + writer->size + sizeof(sizes), key.data, key.size);
    memcpy(writer->bytes + writer->size + sizeof(sizes) + key.size, value.data, value.size);
    writer->size = size;
    return true;
}

static struct writer file_read(const char *path)
{
    struct writer writer = { .bytes = NULL };
    struct store *store = NULL;
    if (store_open(path, &store).code != 0) {
        return writer;
    }
    uint64_t index = store_index(store);
    writer.bytes = sim_must(malloc(sizeof(index)));
    writer.size = sizeof(index);
    writer.capacity = sizeof(index);
    memcpy(writer.bytes, &index, sizeof(index));
    struct result scanned = store_scan(store, SLICE_EMPTY, SLICE_EMPTY, write_row, &writer);
    CHECK(scanned.code == 0);
    store_close(store);
    return writer;
}

/* False: the bytes are no such file. */
static bool file_write(const char *path, struct slice bytes)
{
    struct store *store = NULL;
    uint64_t index = 0;
    if (bytes.size < sizeof(index)) {
        return false;
    }
    memcpy(&index, bytes.data, sizeof(index));
    if (index == 0 || store_open(path, &store).code != 0) {
        return false;
    }
    size_t at = sizeof(index);
    bool good = true;
    while (good && at < bytes.size) {
        uint32_t sizes[2] = { 0, 0 };
        good = bytes.size - at >= sizeof(sizes);
        memcpy(sizes, bytes.data + at, good ? sizeof(sizes) : 0);
        at += sizeof(sizes);
        good = good && sizes[0] > 0 && sizes[0] <= STORE_KEY_MAX && sizes[1] <= STORE_VALUE_MAX &&
               sizes[0] <= bytes.size - at && sizes[1] <= bytes.size - at - sizes[0];
        if (good) {
            struct slice key = { bytes.data + at, sizes[0] };
            store_put(store, key, (struct slice){ bytes.data + at + sizes[0], sizes[1] });
            at += (size_t)sizes[0] + sizes[1];
        }
    }
    good = good && store_commit(store, index).code == 0 && store_flush(store).code == 0;
    store_close(store);
    return good;
}

/* ---- Fetching ---- */

static void ask_next(struct snapshot *snapshot)
{
    Wire__Identity peer = WIRE__IDENTITY__INIT;
    peer.kind = WIRE__KIND__KIND_CONTROLLER;
    peer.id = snapshot->peer;
    Wire__SnapshotAsk ask = WIRE__SNAPSHOT_ASK__INIT;
    ask.index = snapshot->index;
    ask.file = snapshot->files[0].name;
    ask.offset = snapshot->offset;
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.peer = &peer;
    frame.body_case = WIRE__FRAME__BODY_SNAPSHOT_ASK;
    frame.snapshot_ask = &ask;
    snapshot->send(snapshot->context, &frame);
}

static bool begin(struct snapshot *snapshot, uint64_t peer, uint64_t index, struct slice manifest)
{
    Wire__SnapshotManifest *list = NULL;
    struct disk_of *disk = disk_find(snapshot->directory);
    arena_reset(snapshot->scratch);
    struct result decoded =
        wire_decode(&wire__snapshot_manifest__descriptor, manifest, snapshot->scratch, &list);
    if (decoded.code != 0 || list->n_files != 1 ||
        !text_copy(snapshot->files[0].name, SNAPSHOT_NAME, slice_text(list->files[0]->name))) {
        return false;
    }
    if (disk->got != 0) {
        discard(snapshot, "got", disk->got);
    }
    free(disk->bytes);
    disk->bytes = sim_must(calloc(1, list->files[0]->size + 1));
    disk->size = list->files[0]->size;
    disk->got = index;
    snapshot->files_count = 1;
    snapshot->files[0].size = list->files[0]->size;
    snapshot->index = index;
    snapshot->peer = peer;
    snapshot->at = 0;
    snapshot->offset = 0;
    return true;
}

bool snapshot_ready(struct snapshot *snapshot, uint64_t peer, uint64_t index, struct slice manifest)
{
    char path[STORE_PATH_MAX];
    if (snapshot->index == index && snapshot->at >= snapshot->files_count) {
        path_of(snapshot, "got", index, path);
        arena_reset(snapshot->scratch);
        if (store_verify(path, manifest, snapshot->scratch).code == 0) {
            plane_snapshots_fetched++;
            return true;
        }
        plane_snapshots_damaged++;
        snapshot->index = 0; /* A byte is wrong: start over. */
    }
    bool under_way = snapshot->index == index && snapshot->peer == peer;
    if (under_way || begin(snapshot, peer, index, manifest)) {
        ask_next(snapshot);
    }
    return false;
}

void snapshot_part(struct snapshot *snapshot, uint64_t peer, const Wire__SnapshotPart *part)
{
    char path[STORE_PATH_MAX];
    struct disk_of *disk = disk_find(snapshot->directory);
    if (snapshot->index == 0 || peer != snapshot->peer || part->index != snapshot->index ||
        snapshot->at >= snapshot->files_count) {
        return;
    }
    if (part->missing) {
        snapshot->index = 0; /* The next offer is a newer one. */
        return;
    }
    if (strcmp(part->file, snapshot->files[0].name) != 0 || part->offset != snapshot->offset ||
        part->data.len == 0 || part->data.len > disk->size - snapshot->offset) {
        return; /* A late or repeated part; the right one was asked for. */
    }
    memcpy(disk->bytes + snapshot->offset, part->data.data, part->data.len);
    snapshot->offset += part->data.len;
    if (snapshot->offset < disk->size) {
        ask_next(snapshot);
        return;
    }
    path_of(snapshot, "got", snapshot->index, path);
    if (file_write(path, slice_of(disk->bytes, disk->size))) {
        snapshot->at = 1;
    } else {
        plane_snapshots_damaged++;
        snapshot->index = 0;
    }
}

/* ---- Serving ---- */

static void serve_open(struct disk_of *disk, const char *path, uint64_t index)
{
    if (disk->served != index) {
        free(disk->file.bytes);
        disk->file = file_read(path);
        disk->served = disk->file.size > 0 ? index : 0;
    }
}

void snapshot_serve(struct snapshot *snapshot, uint64_t peer, const Wire__SnapshotAsk *ask)
{
    char path[STORE_PATH_MAX];
    struct disk_of *disk = disk_find(snapshot->directory);
    const struct writer *file = &disk->file;
    Wire__Identity identity = WIRE__IDENTITY__INIT;
    identity.kind = WIRE__KIND__KIND_CONTROLLER;
    identity.id = peer;
    Wire__SnapshotPart part = WIRE__SNAPSHOT_PART__INIT;
    part.index = ask->index;
    part.file = ask->file;
    part.offset = ask->offset;
    part.missing = true;
    path_of(snapshot, "own", ask->index, path);
    bool here = ask->index != 0 && (disk->own[0] == ask->index || disk->own[1] == ask->index);
    if (here) {
        serve_open(disk, path, ask->index);
    }
    if (here && disk->served == ask->index && ask->offset < file->size) {
        size_t rest = file->size - ask->offset;
        part.data.data = file->bytes + ask->offset;
        part.data.len = rest < PART_BYTES ? rest : PART_BYTES;
        part.missing = false;
        if (plane_snapshot_damage) {
            plane_snapshot_damage = false;
            part.data.data[part.data.len / 2] ^= 0x20;
            disk->served = 0; /* On the way, not on the disk. */
        }
    }
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.peer = &identity;
    frame.body_case = WIRE__FRAME__BODY_SNAPSHOT_PART;
    frame.snapshot_part = &part;
    snapshot->send(snapshot->context, &frame);
}

/* ---- Installing ---- */

RESULT snapshot_install(
    struct snapshot *snapshot,
    struct store **store,
    const char *store_directory,
    uint64_t index,
    struct slice manifest)
{
    char path[STORE_PATH_MAX];
    struct disk_of *disk = disk_find(snapshot->directory);
    bool fetched = disk->got == index;
    path_of(snapshot, fetched ? "got" : "own", index, path);
    arena_reset(snapshot->scratch);
    store_close(*store);
    *store = NULL;
    TRY(store_install(store_directory, path, manifest, snapshot->scratch));
    disk->got = fetched ? 0 : disk->got;
    plane_snapshots_installed += fetched ? 1 : 0;
    for (uint32_t i = 0; i < SNAPSHOT_KEEP && !fetched; i++) {
        disk->own[i] = disk->own[i] == index ? 0 : disk->own[i];
    }
    snapshot->index = 0;
    return store_open(store_directory, store);
}
