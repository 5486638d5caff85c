/* Snapshots: checkpoints of the store that travel between controllers file by file, beside
 * consensus. A file counts only when its bytes are those of the manifest.
 *
 * The happy path: the laggard is offered a manifest → snapshot_ready says false and asks the peer
 * for the first part → parts arrive in order → all files are there, verified → the offer comes
 * again → snapshot_ready says true → snapshot_install.
 * What can go wrong: the peer has dropped that snapshot (missing: the next offer is a newer one), a
 * part is lost (asked for again with the next offer), a byte is wrong (the fetch starts over). */
#ifndef CONTROLLER_SNAPSHOT_H
#define CONTROLLER_SNAPSHOT_H

#include "base/arena.h"
#include "controller/store.h"

#include <frame.pb-c.h>
#include <snapshot.pb-c.h>

enum {
    SNAPSHOT_PART_BYTES = 64 * 1024,
    SNAPSHOT_FILES = 256, /* Of one fetch; the store makes a few dozen. */
    SNAPSHOT_NAME = 64,
    SNAPSHOT_KEEP =
        2, /* Own checkpoints kept: the newest, and the one a laggard may be fetching. */
};

struct snapshot_file {
    char name[SNAPSHOT_NAME];
    uint64_t size;
};

struct snapshot {
    char directory[STORE_PATH_MAX];
    struct arena *scratch;
    void (*send)(void *context, Wire__Frame *frame);
    void *context;
    uint64_t kept[SNAPSHOT_KEEP]; /* Own ones, newest first. */
    uint8_t manifest[96 * 1024];  /* Of the own one made last. */
    /* The fetch under way; index 0: none. */
    uint64_t index;
    uint64_t peer;
    struct snapshot_file files[SNAPSHOT_FILES];
    uint32_t files_count;
    uint32_t at;
    uint64_t offset;
};

void snapshot_init(
    struct snapshot *snapshot,
    const char *directory,
    struct arena *scratch,
    void (*send)(void *context, Wire__Frame *frame),
    void *context);
/* Takes up our newest checkpoints of earlier lives; removes older ones and abandoned fetches. Only
 * once consensus is open: an install that a death interrupted still needs its files. */
void snapshot_sweep(struct snapshot *snapshot);
/* The store holds exactly `index`. The manifest lives until the next take. */
RESULT snapshot_take(
    struct snapshot *snapshot, struct store *store, uint64_t index, struct slice *manifest_out);
bool snapshot_ready(
    struct snapshot *snapshot, uint64_t peer, uint64_t index, struct slice manifest);
/* Closes the store, puts the fetched files (or our own checkpoint) in its place, opens it. */
RESULT snapshot_install(
    struct snapshot *snapshot,
    struct store **store,
    const char *store_directory,
    uint64_t index,
    struct slice manifest);
void snapshot_serve(struct snapshot *snapshot, uint64_t peer, const Wire__SnapshotAsk *ask);
void snapshot_part(struct snapshot *snapshot, uint64_t peer, const Wire__SnapshotPart *part);

#endif
