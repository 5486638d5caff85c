/* Decides what a crash leaves of a store, as controller/store.h promises it. Never touches a disk.
 */
#include "tests/sim/sim_store.h"

#include "base/check.h"
#include "tests/sim/sim_image.h"
#include "wire/wire.h"

#include <snapshot.pb-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum operation_kind { OPERATION_PUT = 1, OPERATION_DELETE = 2, OPERATION_CLEAR = 3 };

struct operation {
    enum operation_kind kind;
    struct sim_row *row; /* Owned; NULL for clear. */
};

struct home {
    bool used;
    bool full;
    struct store *open; /* Not owned. */
    struct sim_image durable;
    char path[STORE_PATH_MAX];
};

struct store {
    struct home *home;
    struct sim_image now;
    struct operation *batch; /* Owned. */
    uint32_t batch_count;
    uint32_t batch_capacity;
    uint64_t flushed;
    uint16_t broken;
    bool breaks;
};

static struct home homes[SIM_STORE_DIRECTORIES];
static const char rows_file[] = "rows";

static struct home *home_find(const char *path)
{
    CHECK(path != NULL);
    for (uint32_t i = 0; i < SIM_STORE_DIRECTORIES; i++) {
        if (homes[i].used && strcmp(homes[i].path, path) == 0) {
            return &homes[i];
        }
    }
    return NULL;
}

static struct home *home_make(const char *path)
{
    struct home *home = home_find(path);
    for (uint32_t i = 0; home == NULL && i < SIM_STORE_DIRECTORIES; i++) {
        if (!homes[i].used) {
            home = &homes[i];
            home->used = true;
            CHECK(strlen(path) < sizeof(home->path));
            memcpy(home->path, path, strlen(path) + 1);
        }
    }
    CHECK(home != NULL);
    return home;
}

static void home_drop(struct home *home)
{
    CHECK(home->open == NULL);
    sim_image_free(&home->durable);
    *home = (struct home){ .used = false };
}

static void batch_drop(struct store *store)
{
    for (uint32_t i = 0; i < store->batch_count; i++) {
        if (store->batch[i].row != NULL) {
            sim_row_drop(store->batch[i].row);
        }
    }
    store->batch_count = 0;
}

static void batch_add(struct store *store, enum operation_kind kind, struct sim_row *row)
{
    CHECK(store->batch_count < SIM_STORE_BATCH);
    if (store->batch_count == store->batch_capacity) {
        store->batch_capacity = store->batch_capacity * 2 + 16;
        size_t size = store->batch_capacity * sizeof(struct operation);
        store->batch = sim_must(realloc(store->batch, size));
    }
    store->batch[store->batch_count++] = (struct operation){ kind, row };
}

RESULT store_open(const char *directory, struct store **store_out)
{
    struct home *home = home_make(directory);
    if (home->open != NULL) {
        return FAIL(FAILURE_BUSY);
    }
    if (home->full) {
        return FAIL(FAILURE_NO_SPACE);
    }
    struct store *store = sim_must(calloc(1, sizeof(*store)));
    store->home = home;
    home->open = store;
    sim_image_copy(&store->now, &home->durable);
    store->flushed = store->now.index;
    *store_out = store;
    return OK;
}

static void store_free(struct store *store)
{
    CHECK(store->home->open == store);
    batch_drop(store);
    free(store->batch);
    sim_image_free(&store->now);
    store->home->open = NULL;
    free(store);
}

void store_close(struct store *store)
{
    if (store == NULL) {
        return;
    }
    if (store->broken == FAILURE_NONE && !store->home->full) {
        sim_image_copy(&store->home->durable, &store->now);
    }
    store_free(store);
}

RESULT store_reopen(struct store *store)
{
    batch_drop(store);
    if (store->home->full) {
        store->broken = FAILURE_NO_SPACE;
        return FAIL(FAILURE_NO_SPACE);
    }
    sim_image_copy(&store->now, &store->home->durable);
    store->flushed = store->now.index;
    store->broken = FAILURE_NONE;
    store->breaks = false;
    CHECK(store_fit(store));
    return OK;
}

uint64_t store_index(const struct store *store)
{
    return store->now.index;
}

uint64_t store_flushed_index(const struct store *store)
{
    CHECK(store->flushed <= store->now.index); /* INV-REF-2 */
    return store->flushed;
}

bool store_fit(const struct store *store)
{
    return store->broken == FAILURE_NONE;
}

void store_put(struct store *store, struct slice key, struct slice value)
{
    batch_add(store, OPERATION_PUT, sim_row_make(key, value));
}

void store_delete(struct store *store, struct slice key)
{
    batch_add(store, OPERATION_DELETE, sim_row_make(key, SLICE_EMPTY));
}

/* As if each were as large as they mostly are. */
size_t store_waiting(const struct store *store)
{
    return (size_t)store->batch_count * 512;
}

void store_clear(struct store *store)
{
    batch_add(store, OPERATION_CLEAR, NULL);
}

RESULT store_commit(struct store *store, uint64_t applied_index)
{
    CHECK(applied_index > 0);
    CHECK(applied_index >= store->now.index); /* INV-REF-1 */
    TRY(FAIL(store->broken));
    for (uint32_t i = 0; i < store->batch_count; i++) {
        const struct operation *operation = &store->batch[i];
        switch (operation->kind) {
        case OPERATION_PUT: sim_image_put(&store->now, operation->row); break;
        case OPERATION_DELETE: sim_image_delete(&store->now, sim_row_key(operation->row)); break;
        case OPERATION_CLEAR: sim_image_clear(&store->now); break;
        }
    }
    batch_drop(store);
    store->now.index = applied_index;
    return OK;
}

RESULT store_flush(struct store *store)
{
    TRY(FAIL(store->broken));
    if (store->home->full || store->breaks) {
        store->broken = store->home->full ? FAILURE_NO_SPACE : FAILURE_IO;
        return FAIL(store->broken);
    }
    sim_image_copy(&store->home->durable, &store->now);
    store->flushed = store->now.index;
    CHECK(store->home->durable.index == store->flushed); /* INV-REF-2 */
    return OK;
}

RESULT store_get(
    struct store *store, struct slice key, uint8_t *room, size_t size, size_t *used_out)
{
    uint32_t at = sim_image_seek(&store->now, key);
    CHECK(room != NULL && used_out != NULL);
    if (!sim_image_has(&store->now, at, key)) {
        return FAIL(FAILURE_NOT_FOUND);
    }
    struct slice value = sim_row_value(store->now.rows[at]);
    if (value.size > size) {
        return FAIL(FAILURE_FULL);
    }
    memcpy(room, value.data, value.size);
    *used_out = value.size;
    return OK;
}

RESULT store_scan(
    struct store *store,
    struct slice prefix,
    struct slice from,
    bool (*visit)(void *context, struct slice key, struct slice value),
    void *context)
{
    struct slice start = slice_compare(from, prefix) > 0 ? from : prefix;
    CHECK(visit != NULL);
    for (uint32_t at = sim_image_seek(&store->now, start); at < store->now.count; at++) {
        struct slice key = sim_row_key(store->now.rows[at]);
        bool inside = key.size >= prefix.size &&
                      (prefix.size == 0 || memcmp(key.data, prefix.data, prefix.size) == 0);
        if (!inside || !visit(context, key, sim_row_value(store->now.rows[at]))) {
            break;
        }
    }
    return OK;
}

RESULT store_checkpoint(struct store *store, uint64_t index, const char *directory)
{
    CHECK(index == store->now.index);
    CHECK(store->batch_count == 0);
    if (home_find(directory) != NULL) {
        return FAIL(FAILURE_EXISTS);
    }
    TRY(store_flush(store));
    sim_image_copy(&home_make(directory)->durable, &store->now);
    return OK;
}

RESULT store_manifest(
    const char *directory, uint64_t index, struct arena *arena, struct slice *manifest_out)
{
    const struct home *home = home_find(directory);
    CHECK(index > 0);
    if (home == NULL) {
        return FAIL(FAILURE_NOT_FOUND);
    }
    uint8_t digest[SHA256_SIZE];
    Wire__SnapshotFile file = WIRE__SNAPSHOT_FILE__INIT;
    file.name = rows_file;
    file.size = sim_image_digest(&home->durable, digest);
    file.sha256 = (ProtobufCBinaryData){ sizeof(digest), digest };
    Wire__SnapshotFile *files[] = { &file };
    Wire__SnapshotManifest manifest = WIRE__SNAPSHOT_MANIFEST__INIT;
    manifest.format = 1;
    manifest.index = index;
    manifest.n_files = COUNT_OF(files);
    manifest.files = files;
    return wire_encode(&manifest, arena, manifest_out);
}

RESULT store_verify(const char *directory, struct slice manifest, struct arena *arena)
{
    Wire__SnapshotManifest *expected = NULL;
    TRY(wire_decode(&wire__snapshot_manifest__descriptor, manifest, arena, &expected));
    if (expected->format != 1 || expected->index == 0 || expected->n_files != 1 ||
        strcmp(expected->files[0]->name, rows_file) != 0 ||
        expected->files[0]->sha256.len != SHA256_SIZE) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    const struct home *home = home_find(directory);
    if (home == NULL) {
        return FAIL(FAILURE_NOT_FOUND);
    }
    uint8_t digest[SHA256_SIZE];
    uint64_t size = sim_image_digest(&home->durable, digest);
    CHECK(home->open == NULL);
    bool same = size == expected->files[0]->size &&
                memcmp(digest, expected->files[0]->sha256.data, sizeof(digest)) == 0;
    return same ? OK : FAIL(FAILURE_CORRUPT);
}

RESULT store_install(
    const char *directory, const char *fetched, struct slice manifest, struct arena *arena)
{
    TRY(store_verify(fetched, manifest, arena));
    struct home *from = home_find(fetched);
    struct home *to = home_make(directory);
    CHECK(from != NULL && from != to);
    CHECK(to->open == NULL);
    sim_image_copy(&to->durable, &from->durable);
    home_drop(from);
    return OK;
}

RESULT store_discard(const char *directory)
{
    struct home *home = home_find(directory);
    if (home != NULL) {
        home_drop(home);
    }
    CHECK(home_find(directory) == NULL);
    return OK;
}

void sim_store_crash(struct store *store)
{
    CHECK(store != NULL);
    store_free(store);
}

void sim_store_flush_unasked(struct store *store)
{
    CHECK(store->home->open == store);
    if (store->broken == FAILURE_NONE && !store->home->full) {
        sim_image_copy(&store->home->durable, &store->now);
    }
}

void sim_store_full(const char *directory, bool full)
{
    home_make(directory)->full = full;
}

void sim_store_break(struct store *store)
{
    CHECK(store != NULL);
    store->breaks = true;
}

bool sim_store_copy(const char *from, const char *to)
{
    const struct home *source = home_find(from);
    if (source == NULL) {
        return false;
    }
    struct home *target = home_make(to);
    CHECK(target != source && target->open == NULL);
    sim_image_copy(&target->durable, &source->durable);
    return true;
}

bool sim_store_damage(const char *directory)
{
    struct home *home = home_find(directory);
    if (home == NULL || home->durable.count == 0) {
        return false;
    }
    struct sim_row *old = home->durable.rows[0];
    struct sim_row *changed = sim_row_make(sim_row_key(old), slice_of("damaged", 7));
    sim_image_put(&home->durable, changed);
    sim_row_drop(changed);
    return true;
}

void sim_store_drop(const char *prefix)
{
    size_t size = strlen(prefix);
    CHECK(size > 0);
    for (uint32_t i = 0; i < SIM_STORE_DIRECTORIES; i++) {
        if (homes[i].used && strncmp(homes[i].path, prefix, size) == 0) {
            CHECK(homes[i].open == NULL);
            home_drop(&homes[i]);
        }
    }
}

void sim_store_save(const char *from, const char *to)
{
    char path[STORE_PATH_MAX];
    size_t size = strlen(from);
    sim_store_drop(to);
    for (uint32_t i = 0; i < SIM_STORE_DIRECTORIES; i++) {
        if (homes[i].used && strncmp(homes[i].path, from, size) == 0) {
            int made = snprintf(path, sizeof(path), "%s%s", to, homes[i].path + size);
            CHECK(made > 0 && made < (int)sizeof(path));
            sim_image_copy(&home_make(path)->durable, &homes[i].durable);
        }
    }
}

void sim_store_reset(void)
{
    for (uint32_t i = 0; i < SIM_STORE_DIRECTORIES; i++) {
        if (homes[i].used) {
            home_drop(&homes[i]);
        }
    }
}
