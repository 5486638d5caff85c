/* Decides which checkpoints are kept and how their files travel. Never decides when to make one:
 * consensus does. */
#include "controller/snapshot.h"

#include "base/check.h"
#include "wire/wire.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* "own-INDEX": ours; "got-INDEX": fetched. */
static bool path_of(
    const struct snapshot *snapshot,
    const char *kind,
    uint64_t index,
    char path[static STORE_PATH_MAX])
{
    int size = snprintf(path, STORE_PATH_MAX, "%s/%s-%" PRIu64, snapshot->directory, kind, index);
    return size > 0 && size < STORE_PATH_MAX;
}

/* Finds "KIND-INDEX" in a name. */
static bool index_of(const char *name, const char *kind, uint64_t *index_out)
{
    size_t size = strlen(kind);
    char *end = NULL;
    if (strncmp(name, kind, size) != 0 || name[size] != '-') {
        return false;
    }
    uint64_t index = strtoull(name + size + 1, &end, 10);
    if (index == 0 || *end != '\0') {
        return false;
    }
    *index_out = index;
    return true;
}

void snapshot_sweep(struct snapshot *snapshot)
{
    char path[STORE_PATH_MAX];
    DIR *directory = opendir(snapshot->directory);
    const struct dirent *entry = NULL;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        uint64_t index = 0;
        if (index_of(entry->d_name, "own", &index)) {
            for (size_t i = 0; i < SNAPSHOT_KEEP; i++) { /* Newest first; the oldest falls out. */
                if (index > snapshot->kept[i]) {
                    uint64_t older = snapshot->kept[i];
                    snapshot->kept[i] = index;
                    index = older;
                }
            }
        }
        const char *kind = index_of(entry->d_name, "got", &index) ? "got" : "own";
        if (index != 0 && path_of(snapshot, kind, index, path)) {
            struct result discarded = store_discard(path);
            (void)discarded; /* It costs room only, and the next life tries again. */
        }
    }
    if (directory != NULL) {
        (void)closedir(directory);
    }
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

/* As the store names its files; what is named otherwise it would not even throw away. */
static bool name_plain(const char *name)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    size_t size = strlen(name);
    return size > 0 && size < SNAPSHOT_NAME && name[0] != '.' && strspn(name, allowed) == size;
}

static bool file_of(const char *directory, const char *name, char path[static STORE_PATH_MAX])
{
    bool plain = name_plain(name);
    int size = plain ? snprintf(path, STORE_PATH_MAX, "%s/%s", directory, name) : 0;
    return size > 0 && size < STORE_PATH_MAX;
}

RESULT snapshot_take(
    struct snapshot *snapshot, struct store *store, uint64_t index, struct slice *manifest_out)
{
    char path[STORE_PATH_MAX];
    struct slice manifest = SLICE_EMPTY;
    if (!path_of(snapshot, "own", index, path)) {
        return FAIL(FAILURE_IO);
    }
    TRY(store_discard(path));
    TRY(store_checkpoint(store, index, path));
    arena_reset(snapshot->scratch);
    TRY(store_manifest(path, index, snapshot->scratch, &manifest));
    if (manifest.size > sizeof(snapshot->manifest)) {
        return FAIL(FAILURE_FULL);
    }
    memcpy(snapshot->manifest, manifest.data, manifest.size);
    *manifest_out = slice_of(snapshot->manifest, manifest.size);
    uint64_t oldest = snapshot->kept[SNAPSHOT_KEEP - 1];
    memmove(
        &snapshot->kept[1], &snapshot->kept[0], sizeof(snapshot->kept[0]) * (SNAPSHOT_KEEP - 1));
    snapshot->kept[0] = index;
    if (oldest != 0 && oldest != index && path_of(snapshot, "own", oldest, path)) {
        struct result discarded = store_discard(path);
        (void)discarded; /* What stays costs room only. */
    }
    return OK;
}

/* ---- Fetching ---- */

static void ask_next(struct snapshot *snapshot)
{
    Wire__Identity peer = WIRE__IDENTITY__INIT;
    peer.kind = WIRE__KIND__KIND_CONTROLLER;
    peer.id = snapshot->peer;
    Wire__SnapshotAsk ask = WIRE__SNAPSHOT_ASK__INIT;
    ask.index = snapshot->index;
    ask.file = snapshot->files[snapshot->at].name;
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
    char path[STORE_PATH_MAX];
    arena_reset(snapshot->scratch);
    if (wire_decode(&wire__snapshot_manifest__descriptor, manifest, snapshot->scratch, &list)
                .code != 0 ||
        list->n_files > SNAPSHOT_FILES || list->n_files == 0 ||
        !path_of(snapshot, "got", index, path)) {
        return false;
    }
    if (store_discard(path).code != 0 || mkdir(path, 0700) != 0) {
        return false;
    }
    snapshot->files_count = 0;
    for (size_t i = 0; i < list->n_files; i++) {
        struct snapshot_file *file = &snapshot->files[snapshot->files_count++];
        if (!name_plain(list->files[i]->name)) {
            return false;
        }
        bool kept = text_copy(file->name, sizeof(file->name), slice_text(list->files[i]->name));
        CHECK(kept);
        file->size = list->files[i]->size;
    }
    snapshot->index = index;
    snapshot->peer = peer;
    snapshot->at = 0;
    snapshot->offset = 0;
    return true;
}

/* A file of no bytes has no part that could arrive. */
static bool next_file(struct snapshot *snapshot)
{
    while (snapshot->at < snapshot->files_count &&
           snapshot->offset >= snapshot->files[snapshot->at].size) {
        if (snapshot->files[snapshot->at].size == 0) {
            char directory[STORE_PATH_MAX];
            char path[STORE_PATH_MAX];
            if (!path_of(snapshot, "got", snapshot->index, directory) ||
                !file_of(directory, snapshot->files[snapshot->at].name, path)) {
                return false;
            }
            int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
            if (fd < 0 || close(fd) != 0) {
                return false;
            }
        }
        snapshot->at++;
        snapshot->offset = 0;
    }
    return snapshot->at < snapshot->files_count;
}

bool snapshot_ready(struct snapshot *snapshot, uint64_t peer, uint64_t index, struct slice manifest)
{
    char path[STORE_PATH_MAX];
    if (snapshot->index == index && snapshot->at >= snapshot->files_count &&
        path_of(snapshot, "got", index, path)) {
        arena_reset(snapshot->scratch);
        if (store_verify(path, manifest, snapshot->scratch).code == 0) {
            return true;
        }
        snapshot->index = 0; /* A byte is wrong: start over. */
    }
    bool under_way = snapshot->index == index && snapshot->peer == peer;
    if ((under_way || begin(snapshot, peer, index, manifest)) && next_file(snapshot)) {
        ask_next(snapshot);
    }
    return false;
}

void snapshot_part(struct snapshot *snapshot, uint64_t peer, const Wire__SnapshotPart *part)
{
    char directory[STORE_PATH_MAX];
    char path[STORE_PATH_MAX];
    if (snapshot->index == 0 || peer != snapshot->peer || part->index != snapshot->index ||
        snapshot->at >= snapshot->files_count) {
        return;
    }
    struct snapshot_file *file = &snapshot->files[snapshot->at];
    if (part->missing) {
        snapshot->index = 0; /* The next offer is a newer one. */
        return;
    }
    if (strcmp(part->file, file->name) != 0 || part->offset != snapshot->offset ||
        part->data.len == 0 || part->data.len > file->size - snapshot->offset ||
        !path_of(snapshot, "got", snapshot->index, directory) ||
        !file_of(directory, file->name, path)) {
        return; /* A late or repeated part; the right one was asked for. */
    }
    int flags = O_WRONLY | O_CLOEXEC | (part->offset == 0 ? O_CREAT | O_TRUNC : 0);
    int fd = open(path, flags, 0600);
    if (fd < 0) {
        snapshot->index = 0;
        return;
    }
    ssize_t done = pwrite(fd, part->data.data, part->data.len, (off_t)part->offset);
    int closed = close(fd);
    if (closed != 0 || done != (ssize_t)part->data.len) {
        snapshot->index = 0; /* Full or failing: the next offer begins anew. */
        return;
    }
    snapshot->offset += part->data.len;
    if (next_file(snapshot)) {
        ask_next(snapshot);
    }
}

/* ---- Serving ---- */

void snapshot_serve(struct snapshot *snapshot, uint64_t peer, const Wire__SnapshotAsk *ask)
{
    char directory[STORE_PATH_MAX];
    char path[STORE_PATH_MAX];
    Wire__Identity identity = WIRE__IDENTITY__INIT;
    identity.kind = WIRE__KIND__KIND_CONTROLLER;
    identity.id = peer;
    Wire__SnapshotPart part = WIRE__SNAPSHOT_PART__INIT;
    part.index = ask->index;
    part.file = ask->file;
    part.offset = ask->offset;
    part.missing = true;
    arena_reset(snapshot->scratch);
    uint8_t *room = arena_take(snapshot->scratch, SNAPSHOT_PART_BYTES);
    CHECK(room != NULL);
    int fd = -1;
    if (path_of(snapshot, "own", ask->index, directory) && file_of(directory, ask->file, path)) {
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    }
    if (fd >= 0) {
        ssize_t got = pread(fd, room, SNAPSHOT_PART_BYTES, (off_t)ask->offset);
        (void)close(fd);
        if (got > 0) {
            part.data.data = room;
            part.data.len = (size_t)got;
            part.missing = false;
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
    struct stat fetched;
    if (!path_of(snapshot, "got", index, path)) {
        return FAIL(FAILURE_IO);
    }
    if (stat(path, &fetched) != 0 && !path_of(snapshot, "own", index, path)) {
        return FAIL(FAILURE_IO);
    }
    arena_reset(snapshot->scratch);
    store_close(*store);
    *store = NULL;
    TRY(store_install(store_directory, path, manifest, snapshot->scratch));
    snapshot->index = 0;
    return store_open(store_directory, store);
}
