/* The durable mirror of the state: RocksDB (only store.c knows) with its write-ahead log off, since
 * the consensus log is the only one. One column family holds the rows and the applied index, and
 * one write batch carries both, so that after any crash the rows are exactly those of
 * store_index() (INV-REF-1). What was not flushed may be gone; the log is compacted only below
 * store_flushed_index().
 *
 * The happy path: put/delete into the open batch → store_commit(index), in memory, microseconds →
 * now and then store_flush (blocks for the disk; a pool thread may call it) → at a snapshot, with
 * no commit in between: store_commit, store_checkpoint, then store_manifest at leisure.
 * What can go wrong: the disk is full or failing → the call says FAILURE_NO_SPACE or FAILURE_IO and
 * the store is unfit: it answers reads, and takes nothing, until store_reopen. After store_reopen
 * store_index() may be older: apply the log again from there, or store_clear and put everything.
 * Writes arrive faster than the disk takes them → store_commit says FAILURE_BUSY, keeps the batch,
 * and a later store_commit takes it together with what was added since; past STORE_WAITING_MAX it
 * waits for the disk instead.
 * An index older or newer than the log's: the caller compares store_index() with its log. */
#ifndef CONTROLLER_STORE_H
#define CONTROLLER_STORE_H

#include "base/arena.h"
#include "base/result.h"
#include "base/slice.h"

enum {
    STORE_KEY_MAX = 256,
    STORE_VALUE_MAX = 256 * 1024,
    STORE_WAITING_MAX = 8 * 1024 * 1024, /* Bytes of the open batch that need not wait. */
    STORE_PATH_MAX = 512,                /* Bytes of a directory's path, with terminator. */
    STORE_FILES_MAX = 1024,              /* Files of one checkpoint: its manifest fits a frame. */
    STORE_ARENA = 1024 * 1024,           /* Scratch that the manifest calls need at most. */
};

struct store;

/* Opens or makes the database; its parent directory exists. FAILURE_CORRUPT: it is damaged, or of
 * another format; FAILURE_BUSY: another process has it open. */
RESULT store_open(const char *directory, struct store **store_out);
/* Accepts NULL. Drops the open batch. Flushes what it can; promises nothing about it. */
void store_close(struct store *store);
/* Close and open again, when the disk takes writes again. While it does not, it says why
 * (FAILURE_NO_SPACE, FAILURE_IO, …) and leaves the database open for reads. On failure the store
 * stays unfit; try again. Neither close nor reopen runs beside another thread's flush, checkpoint
 * or scan. */
RESULT store_reopen(struct store *store);

/* The applied index stored with the rows; 0 when nothing was ever committed. */
uint64_t store_index(const struct store *store);
/* What survives power loss. */
uint64_t store_flushed_index(const struct store *store);
/* False after a failed write or flush, or when RocksDB itself reports a background error. */
bool store_fit(const struct store *store);

/* Into the open batch; seen by get and scan only after store_commit. Keys are 1 … STORE_KEY_MAX
 * bytes and do not begin with a zero byte (those are the store's own). */
void store_put(struct store *store, struct slice key, struct slice value);
void store_delete(struct store *store, struct slice key);
/* Deletes every row, inside the open batch; later puts of the same batch stay. */
void store_clear(struct store *store);
/* Bytes in the open batch. */
size_t store_waiting(const struct store *store);
/* One atomic write: the batch and the index. The index never falls. */
RESULT store_commit(struct store *store, uint64_t applied_index);
/* Everything committed before the call is durable when it answers OK. Any one thread. */
RESULT store_flush(struct store *store);

/* FAILURE_NOT_FOUND; FAILURE_FULL: the value is larger than the room. */
RESULT store_get(
    struct store *store, struct slice key, uint8_t *room, size_t size, size_t *used_out);
/* Rows whose keys begin with `prefix` and are not below `from` (empty: from the first), in byte
 * order of the keys, until visit says false. The slices live until visit returns. The empty prefix
 * is every row. */
RESULT store_scan(
    struct store *store,
    struct slice prefix,
    struct slice from,
    bool (*visit)(void *context, struct slice key, struct slice value),
    void *context);

/* Flush, then a directory of hard links that must not exist yet. The batch is empty and nothing is
 * committed meanwhile; `index` is store_index(). */
RESULT store_checkpoint(struct store *store, uint64_t index, const char *directory);
/* Reads every file of a checkpoint: slow, for a pool thread. An encoded SnapshotManifest. */
RESULT store_manifest(
    const char *directory, uint64_t index, struct arena *arena, struct slice *manifest_out);
/* The directory holds exactly the files of the manifest, byte for byte; else FAILURE_CORRUPT. Also
 * makes them durable. `arena` is scratch. */
RESULT store_verify(const char *directory, struct slice manifest, struct arena *arena);
/* Verifies, then puts `fetched` in place of the database `directory`, which is closed, in one
 * rename; both are in one file system. After a crash at any point either the old or the new
 * database is there, whole; calling it again then answers FAILURE_CORRUPT or FAILURE_NOT_FOUND and
 * changes nothing more. store_index() after store_open tells which one it is. */
RESULT store_install(
    const char *directory, const char *fetched, struct slice manifest, struct arena *arena);
/* Does the disk under this directory take a new file, whole and for good? The file is made, synced
 * and removed again. */
RESULT store_writable(const char *directory);
/* Removes a checkpoint, or what is left of one. No such directory is fine. */
RESULT store_discard(const char *directory);

#endif
