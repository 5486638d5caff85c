/* Decides how rows and the applied index lie in RocksDB, and what its refusals mean. Never decides
 * what a row says, never retries, never logs. The happy path and what can go wrong: store.h. */
#include "controller/store.h"

#include "base/check.h"

#include <rocksdb/c.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    INDEX_FORMAT = 1,
    INDEX_SIZE = 9,                  /* Format, index big-endian. */
    MEMTABLE_SIZE = 8 * 1024 * 1024, /* A flush is one short burst. */
    TABLES_UNMERGED = 8,             /* Rows lie in memory, so reads do not mind; merging costs. */
    MEMTABLES = 3,                   /* One filling, one flushing, one of slack. */
    CACHE_SIZE = 8 * 1024 * 1024,    /* Rows live in memory; only scans of leaves come here. */
    OPEN_FILES = 64,
    MANIFEST_SIZE = 4 * 1024 * 1024, /* It is copied into every checkpoint. */
    FLUSH_ROOM = 1024 * 1024,        /* With less, the next large flush fails halfway. */
    REOPEN_ROOM = MEMTABLE_SIZE,     /* Free bytes without which reopening is not worth it. */
    LOG_FILES = 2,
    /* RocksDB's highest level (HEADER_LEVEL): its own log stays empty. Debian's library is built
     * with assertions, and one of them aborts the process when that log is written to after a write
     * to it failed, as on a full disk. A level above it has no name, and each opening would leave
     * an OPTIONS file behind that could not be finished. */
    LOG_NOTHING = 5,
};

static const char index_key[] = "\0index"; /* Below every row: those do not begin with 0. */
enum { INDEX_KEY_SIZE = sizeof(index_key) - 1 };
static const uint8_t rows_first = 1;

struct store {
    rocksdb_t *db; /* NULL after a reopen that failed. */
    rocksdb_options_t *options;
    rocksdb_block_based_table_options_t *table_options;
    rocksdb_cache_t *cache;
    rocksdb_writeoptions_t *write_options;
    rocksdb_writeoptions_t *patient_options; /* Of a batch that grew too large to wait. */
    rocksdb_readoptions_t *read_options;
    rocksdb_flushoptions_t *flush_options;
    rocksdb_writebatch_t *batch;
    uint64_t batch_rows;
    _Atomic uint64_t index; /* Read by the thread that flushes. */
    _Atomic uint64_t flushed;
    _Atomic uint16_t broken; /* The first failure since the last open: enum failure. */
    char directory[STORE_PATH_MAX];
};

/* RocksDB's C interface gives its status as text only. Takes the text. */
static struct result failure_of(char *words)
{
    CHECK(words != NULL);
    uint16_t code = FAILURE_IO;
    if (strstr(words, "No space left") != NULL || strstr(words, "no space") != NULL) {
        code = FAILURE_NO_SPACE;
    } else if (strstr(words, "lock") != NULL) {
        code = FAILURE_BUSY;
    } else if (strstr(words, "Write stall") != NULL) {
        code = FAILURE_BUSY;
    } else if (strncmp(words, "Corruption", 10) == 0) {
        code = FAILURE_CORRUPT;
    }
    rocksdb_free(words);
    return FAIL(code);
}

/* Passes on why a write failed and remembers the first time: from then on the store is unfit. */
static struct result broken_by(struct store *store, char *words)
{
    struct result failure = failure_of(words);
    CHECK(failure.code != FAILURE_NONE);
    uint16_t none = FAILURE_NONE;
    if (failure.code != FAILURE_BUSY) {
        (void)atomic_compare_exchange_strong(&store->broken, &none, failure.code);
    }
    return failure;
}

static struct result broken_already(const struct store *store)
{
    struct result failure = FAIL(atomic_load(&store->broken));
    CHECK(store->db != NULL || failure.code != FAILURE_NONE);
    return failure;
}

static void set_options(struct store *store)
{
    rocksdb_options_t *options = store->options;
    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_options_set_paranoid_checks(options, 1);
    rocksdb_options_set_compression(options, rocksdb_no_compression);
    rocksdb_options_set_write_buffer_size(options, MEMTABLE_SIZE);
    rocksdb_options_set_max_write_buffer_number(options, MEMTABLES);
    rocksdb_options_set_level0_file_num_compaction_trigger(options, TABLES_UNMERGED);
    rocksdb_options_set_max_open_files(options, OPEN_FILES);
    rocksdb_options_set_max_background_jobs(options, 1);
    rocksdb_options_set_max_manifest_file_size(options, MANIFEST_SIZE);
    rocksdb_options_set_keep_log_file_num(options, LOG_FILES);
    rocksdb_options_set_info_log_level(options, LOG_NOTHING);
    rocksdb_options_set_stats_dump_period_sec(options, 0);
    rocksdb_options_set_stats_persist_period_sec(options, 0);
    rocksdb_block_based_options_set_block_cache(store->table_options, store->cache);
    rocksdb_options_set_block_based_table_factory(options, store->table_options);
    rocksdb_writeoptions_disable_WAL(store->write_options, 1);
    rocksdb_writeoptions_disable_WAL(store->patient_options, 1);
    rocksdb_writeoptions_set_no_slowdown(store->write_options, 1); /* BUSY instead of a stall. */
    rocksdb_readoptions_set_verify_checksums(store->read_options, 1);
    rocksdb_readoptions_set_fill_cache(store->read_options, 0);
    rocksdb_flushoptions_set_wait(store->flush_options, 1);
}

static bool made_whole(const struct store *store)
{
    return store->options != NULL && store->table_options != NULL && store->cache != NULL &&
           store->write_options != NULL && store->patient_options != NULL &&
           store->read_options != NULL && store->flush_options != NULL && store->batch != NULL;
}

static RESULT read_index(struct store *store, uint64_t *index_out)
{
    uint8_t room[INDEX_SIZE];
    char *words = NULL;
    rocksdb_pinnableslice_t *pinned =
        rocksdb_get_pinned(store->db, store->read_options, index_key, INDEX_KEY_SIZE, &words);
    if (words != NULL) {
        return failure_of(words);
    }
    if (pinned == NULL) {
        *index_out = 0;
        return OK;
    }
    size_t size = 0;
    const char *value = rocksdb_pinnableslice_value(pinned, &size);
    bool sound = size == INDEX_SIZE && (uint8_t)value[0] == INDEX_FORMAT;
    memcpy(room, value, sound ? INDEX_SIZE : 0);
    rocksdb_pinnableslice_destroy(pinned);
    if (!sound) {
        return FAIL(FAILURE_CORRUPT);
    }
    uint64_t index = 0;
    for (size_t i = 1; i < INDEX_SIZE; i++) {
        index = index << 8 | room[i];
    }
    CHECK(index > 0);
    *index_out = index;
    return OK;
}

/* Opens the database of a store that has none open. */
static RESULT open_database(struct store *store)
{
    CHECK(store->db == NULL);
    char *words = NULL;
    store->db = rocksdb_open(store->options, store->directory, &words);
    if (words != NULL) {
        CHECK(store->db == NULL);
        return failure_of(words);
    }
    uint64_t index = 0;
    struct result read = read_index(store, &index);
    if (read.code != FAILURE_NONE) {
        rocksdb_close(store->db);
        store->db = NULL;
        return read;
    }
    atomic_store(&store->index, index);
    atomic_store(&store->flushed, index); /* There is no other place it could have come from. */
    atomic_store(&store->broken, FAILURE_NONE);
    return OK;
}

RESULT store_open(const char *directory, struct store **store_out)
{
    CHECK(directory != NULL && store_out != NULL);
    size_t size = strlen(directory);
    if (size == 0 || size >= STORE_PATH_MAX) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    struct store *store = calloc(1, sizeof(*store));
    if (store == NULL) {
        return FAIL(FAILURE_FULL);
    }
    memcpy(store->directory, directory, size + 1);
    store->options = rocksdb_options_create();
    store->table_options = rocksdb_block_based_options_create();
    store->cache = rocksdb_cache_create_lru(CACHE_SIZE);
    store->write_options = rocksdb_writeoptions_create();
    store->patient_options = rocksdb_writeoptions_create();
    store->read_options = rocksdb_readoptions_create();
    store->flush_options = rocksdb_flushoptions_create();
    store->batch = rocksdb_writebatch_create();
    CHECK(made_whole(store)); /* RocksDB does not survive a failed allocation. */
    set_options(store);
    struct result opened = open_database(store);
    if (opened.code != FAILURE_NONE) {
        store_close(store);
        return opened;
    }
    *store_out = store;
    return OK;
}

void store_close(struct store *store)
{
    if (store == NULL) {
        return;
    }
    if (store->db != NULL) {
        rocksdb_close(store->db);
    }
    CHECK(made_whole(store));
    rocksdb_writebatch_destroy(store->batch);
    rocksdb_flushoptions_destroy(store->flush_options);
    rocksdb_readoptions_destroy(store->read_options);
    rocksdb_writeoptions_destroy(store->write_options);
    rocksdb_writeoptions_destroy(store->patient_options);
    rocksdb_block_based_options_destroy(store->table_options);
    rocksdb_options_destroy(store->options);
    rocksdb_cache_destroy(store->cache);
    free(store);
}

/* Is there this much room? A file system that does not say is asked by writing to it. */
static bool room_for(const struct store *store, uint64_t bytes)
{
    struct statvfs about;
    CHECK(store->directory[0] != '\0');
    if (statvfs(store->directory, &about) != 0) {
        return true; /* The write will say why. */
    }
    CHECK(about.f_frsize > 0);
    return about.f_bavail >= bytes / about.f_frsize;
}

RESULT store_reopen(struct store *store)
{
    CHECK(store != NULL);
    /* As long as the disk is full or refuses, the open database still answers reads: it is not
     * closed for nothing. */
    if (store->db != NULL && !room_for(store, REOPEN_ROOM)) {
        return FAIL(FAILURE_NO_SPACE);
    }
    if (store->db != NULL) {
        TRY(store_writable(store->directory));
    }
    rocksdb_writebatch_clear(store->batch);
    store->batch_rows = 0;
    uint16_t none = FAILURE_NONE;
    (void)atomic_compare_exchange_strong(&store->broken, &none, FAILURE_CLOSED);
    if (store->db != NULL) {
        rocksdb_close(store->db);
        store->db = NULL;
    }
    CHECK(!store_fit(store));
    return open_database(store);
}

uint64_t store_index(const struct store *store)
{
    return atomic_load(&store->index);
}

uint64_t store_flushed_index(const struct store *store)
{
    uint64_t flushed = atomic_load(&store->flushed);
    CHECK(flushed <= atomic_load(&store->index)); /* INV-REF-2 */
    return flushed;
}

bool store_fit(const struct store *store)
{
    if (atomic_load(&store->broken) != FAILURE_NONE) {
        return false;
    }
    CHECK(store->db != NULL);
    uint64_t errors = 0;
    int unknown = rocksdb_property_int(store->db, "rocksdb.background-errors", &errors);
    CHECK(unknown == 0);
    return errors == 0;
}

static void check_key(struct slice key)
{
    CHECK(key.size > 0 && key.size <= STORE_KEY_MAX);
    CHECK(key.data[0] >= rows_first);
}

void store_put(struct store *store, struct slice key, struct slice value)
{
    check_key(key);
    CHECK(value.size <= STORE_VALUE_MAX);
    const char *bytes = value.size == 0 ? "" : (const char *)value.data;
    rocksdb_writebatch_put(store->batch, (const char *)key.data, key.size, bytes, value.size);
    store->batch_rows++;
}

void store_delete(struct store *store, struct slice key)
{
    check_key(key);
    CHECK(store->batch != NULL);
    rocksdb_writebatch_delete(store->batch, (const char *)key.data, key.size);
    store->batch_rows++;
}

void store_clear(struct store *store)
{
    char last[STORE_KEY_MAX + 1]; /* Above every key: those are shorter. */
    memset(last, 0xff, sizeof(last));
    CHECK(store->batch != NULL);
    rocksdb_writebatch_delete_range(
        store->batch, (const char *)&rows_first, sizeof(rows_first), last, sizeof(last));
    store->batch_rows++;
}

size_t store_waiting(const struct store *store)
{
    size_t waiting = 0;
    (void)rocksdb_writebatch_data(store->batch, &waiting);
    return waiting;
}

RESULT store_commit(struct store *store, uint64_t applied_index)
{
    CHECK(applied_index > 0);
    CHECK(applied_index >= atomic_load(&store->index)); /* INV-REF-1 */
    TRY(broken_already(store));
    uint8_t value[INDEX_SIZE] = { INDEX_FORMAT };
    for (size_t i = 1; i < INDEX_SIZE; i++) {
        value[i] = (uint8_t)(applied_index >> (8 * (INDEX_SIZE - 1 - i)));
    }
    /* INV-REF-1: the index is a row of the same batch. */
    rocksdb_writebatch_put(
        store->batch, index_key, INDEX_KEY_SIZE, (const char *)value, sizeof(value));
    char *words = NULL;
    bool waits = store_waiting(store) > STORE_WAITING_MAX;
    rocksdb_write(
        store->db, waits ? store->patient_options : store->write_options, store->batch, &words);
    if (words != NULL) {
        return broken_by(store, words);
    }
    rocksdb_writebatch_clear(store->batch);
    store->batch_rows = 0;
    atomic_store(&store->index, applied_index);
    return OK;
}

RESULT store_flush(struct store *store)
{
    CHECK(store != NULL);
    TRY(broken_already(store));
    if (!room_for(store, FLUSH_ROOM)) {
        uint16_t none = FAILURE_NONE; /* Unfit before the last block, not after it. */
        (void)atomic_compare_exchange_strong(&store->broken, &none, FAILURE_NO_SPACE);
        return FAIL(FAILURE_NO_SPACE);
    }
    uint64_t covered = atomic_load(&store->index); /* Before the flush: it may cover more. */
    char *words = NULL;
    rocksdb_flush(store->db, store->flush_options, &words);
    if (words != NULL) {
        return broken_by(store, words);
    }
    CHECK(covered >= atomic_load(&store->flushed)); /* INV-REF-2 */
    atomic_store(&store->flushed, covered);
    return OK;
}

RESULT store_get(
    struct store *store, struct slice key, uint8_t *room, size_t size, size_t *used_out)
{
    check_key(key);
    CHECK(room != NULL && used_out != NULL);
    if (store->db == NULL) {
        return broken_already(store);
    }
    char *words = NULL;
    rocksdb_pinnableslice_t *pinned = rocksdb_get_pinned(
        store->db, store->read_options, (const char *)key.data, key.size, &words);
    if (words != NULL) {
        return failure_of(words);
    }
    if (pinned == NULL) {
        return FAIL(FAILURE_NOT_FOUND);
    }
    size_t used = 0;
    const char *value = rocksdb_pinnableslice_value(pinned, &used);
    bool fits = used <= size;
    if (fits) {
        memcpy(room, value, used);
        *used_out = used;
    }
    rocksdb_pinnableslice_destroy(pinned);
    return fits ? OK : FAIL(FAILURE_FULL);
}

static bool begins_with(struct slice key, struct slice prefix)
{
    return key.size >= prefix.size &&
           (prefix.size == 0 || memcmp(key.data, prefix.data, prefix.size) == 0);
}

RESULT store_scan(
    struct store *store,
    struct slice prefix,
    struct slice from,
    bool (*visit)(void *context, struct slice key, struct slice value),
    void *context)
{
    CHECK(prefix.size <= STORE_KEY_MAX && from.size <= STORE_KEY_MAX);
    CHECK(visit != NULL);
    if (store->db == NULL) {
        return broken_already(store);
    }
    struct slice start = slice_compare(from, prefix) > 0 ? from : prefix;
    start = start.size == 0 ? slice_of(&rows_first, sizeof(rows_first)) : start;
    rocksdb_iterator_t *rows = rocksdb_create_iterator(store->db, store->read_options);
    CHECK(rows != NULL);
    rocksdb_iter_seek(rows, (const char *)start.data, start.size);
    bool wanted = true;
    while (wanted && rocksdb_iter_valid(rows) != 0) {
        size_t key_size = 0;
        size_t value_size = 0;
        const char *key = rocksdb_iter_key(rows, &key_size);
        const char *value = rocksdb_iter_value(rows, &value_size);
        struct slice key_slice = slice_of(key, key_size);
        wanted = begins_with(key_slice, prefix) &&
                 visit(context, key_slice, slice_of(value, value_size));
        if (wanted) {
            rocksdb_iter_next(rows);
        }
    }
    char *words = NULL;
    rocksdb_iter_get_error(rows, &words);
    rocksdb_iter_destroy(rows);
    return words == NULL ? OK : failure_of(words);
}

RESULT store_checkpoint(struct store *store, uint64_t index, const char *directory)
{
    CHECK(index == store_index(store));
    CHECK(store->batch_rows == 0); /* Drain, flush, checkpoint, in this order. */
    if (access(directory, F_OK) == 0) {
        return FAIL(FAILURE_EXISTS);
    }
    TRY(store_flush(store));
    char *words = NULL;
    rocksdb_checkpoint_t *checkpoint = rocksdb_checkpoint_object_create(store->db, &words);
    if (words != NULL) {
        return broken_by(store, words);
    }
    rocksdb_checkpoint_create(checkpoint, directory, 0, &words);
    rocksdb_checkpoint_object_destroy(checkpoint);
    CHECK(index == store_index(store)); /* Nobody committed meanwhile. */
    return words == NULL ? OK : broken_by(store, words);
}
