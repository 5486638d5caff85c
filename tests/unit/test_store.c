/* The durable mirror: rows and index are of one moment whatever happens, and a checkpoint is
 * accepted only byte for byte. */
#include "controller/store.h"

#include "base/check.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static _Alignas(16) uint8_t memory[STORE_ARENA];
static char home[64];
static char database[128];
static char checkpoint[128];

static struct arena fresh(void)
{
    struct arena arena;
    arena_init(&arena, memory, sizeof(memory));
    return arena;
}

static void begin(void)
{
    (void)snprintf(home, sizeof(home), "/tmp/udatsu-store-XXXXXX");
    cr_assert_not_null(mkdtemp(home));
    (void)snprintf(database, sizeof(database), "%s/db", home);
    (void)snprintf(checkpoint, sizeof(checkpoint), "%s/checkpoint", home);
}

static void end(void)
{
    cr_assert_eq(store_discard(database).code, 0);
    cr_assert_eq(store_discard(checkpoint).code, 0);
    cr_assert_eq(rmdir(home), 0);
}

TestSuite(store, .init = begin, .fini = end);

static struct store *opened(void)
{
    struct store *store = NULL;
    cr_assert_eq(store_open(database, &store).code, 0);
    return store;
}

static void put(struct store *store, const char *key, const char *value)
{
    store_put(store, slice_text(key), slice_text(value));
}

static const char *got(struct store *store, const char *key)
{
    static char room[64];
    size_t used = 0;
    struct result answer =
        store_get(store, slice_text(key), (uint8_t *)room, sizeof(room) - 1, &used);
    if (answer.code != 0) {
        return result_name(answer);
    }
    room[used] = '\0';
    return room;
}

struct seen {
    uint32_t count;
    uint32_t most;
    char keys[512];
};

static bool see(void *context, struct slice key, struct slice value)
{
    struct seen *seen = context;
    (void)value;
    cr_assert_lt(strlen(seen->keys) + key.size + 1, sizeof(seen->keys));
    memcpy(seen->keys + strlen(seen->keys), key.data, key.size);
    seen->keys[strlen(seen->keys)] = ' ';
    return ++seen->count < seen->most;
}

static const char *scanned(struct store *store, const char *prefix, const char *from, uint32_t most)
{
    static struct seen seen;
    seen = (struct seen){ .most = most };
    cr_assert_eq(
        store_scan(store, slice_text(prefix), slice_text(from), see, &seen).code, FAILURE_NONE);
    return seen.keys;
}

Test(store, a_batch_is_seen_only_after_its_commit)
{
    struct store *store = opened();
    cr_assert_eq(store_index(store), 0);
    put(store, "a", "1");
    cr_assert_str_eq(got(store, "a"), "not-found");
    cr_assert_eq(store_commit(store, 7).code, 0);
    cr_assert_str_eq(got(store, "a"), "1");
    cr_assert_eq(store_index(store), 7);
    cr_assert_eq(store_flushed_index(store), 0);
    cr_assert_eq(store_flush(store).code, 0);
    cr_assert_eq(store_flushed_index(store), 7);
    store_delete(store, slice_text("a"));
    cr_assert_eq(store_commit(store, 8).code, 0);
    cr_assert_str_eq(got(store, "a"), "not-found");
    store_close(store);
}

/* What a log that is applied again may have gathered goes in whole, and the batch is empty again.
 */
Test(store, a_batch_larger_than_what_need_not_wait_is_committed_whole)
{
    static uint8_t value[STORE_VALUE_MAX];
    enum { VALUES = STORE_WAITING_MAX / STORE_VALUE_MAX + 2 };
    struct store *store = opened();
    size_t empty = store_waiting(store);
    for (uint8_t i = 0; i < VALUES; i++) {
        const uint8_t key[] = { 'k', i };
        value[0] = i;
        store_put(store, slice_of(key, sizeof(key)), slice_of(value, sizeof(value)));
    }
    cr_assert_gt(store_waiting(store), STORE_WAITING_MAX);
    cr_assert_eq(store_commit(store, 3).code, 0);
    cr_assert_eq(store_waiting(store), empty);
    for (uint8_t i = 0; i < VALUES; i++) {
        const uint8_t key[] = { 'k', i };
        size_t used = 0;
        value[0] = (uint8_t)~i;
        struct result answer =
            store_get(store, slice_of(key, sizeof(key)), value, sizeof(value), &used);
        cr_assert_eq(answer.code, 0);
        cr_assert_eq(used, sizeof(value));
        cr_assert_eq(value[0], i);
    }
    store_close(store);
}

Test(store, a_scan_is_in_key_order_within_its_prefix)
{
    struct store *store = opened();
    put(store, "n/2", "");
    put(store, "t/1", "");
    put(store, "n/10", "");
    put(store, "n/1", "");
    put(store, "o/1", "");
    cr_assert_eq(store_commit(store, 1).code, 0);
    cr_assert_str_eq(scanned(store, "n/", "", 9), "n/1 n/10 n/2 ");
    cr_assert_str_eq(scanned(store, "n/", "n/10", 9), "n/10 n/2 ");
    cr_assert_str_eq(scanned(store, "n/", "a", 9), "n/1 n/10 n/2 ");
    cr_assert_str_eq(scanned(store, "n/", "", 2), "n/1 n/10 ");
    cr_assert_str_eq(scanned(store, "x/", "", 9), "");
    cr_assert_str_eq(scanned(store, "", "", 9), "n/1 n/10 n/2 o/1 t/1 ");
    store_close(store);
}

Test(store, clear_takes_every_row_but_not_what_follows_in_the_batch)
{
    struct store *store = opened();
    put(store, "a", "1");
    put(store, "\xff\xff", "1");
    cr_assert_eq(store_commit(store, 1).code, 0);
    put(store, "b", "old");
    store_clear(store);
    put(store, "c", "new");
    cr_assert_eq(store_commit(store, 2).code, 0);
    cr_assert_str_eq(scanned(store, "", "", 9), "c ");
    cr_assert_eq(store_index(store), 2);
    store_close(store);
}

Test(store, a_value_larger_than_the_room_is_refused)
{
    struct store *store = opened();
    put(store, "a", "12345");
    cr_assert_eq(store_commit(store, 1).code, 0);
    uint8_t room[5];
    size_t used = 0;
    cr_assert_eq(store_get(store, slice_text("a"), room, 4, &used).code, FAILURE_FULL);
    cr_assert_eq(used, 0);
    cr_assert_eq(store_get(store, slice_text("a"), room, 5, &used).code, 0);
    cr_assert_eq(used, 5);
    store_close(store);
}

Test(store, a_second_opener_is_refused)
{
    struct store *store = opened();
    struct store *second = NULL;
    cr_assert_eq(store_open(database, &second).code, FAILURE_BUSY);
    cr_assert_null(second);
    store_close(store);
}

static _Noreturn void commit_backwards(void)
{
    struct store *store = NULL;
    CHECK(store_open(database, &store).code == 0);
    CHECK(store_commit(store, 5).code == 0);
    _exit(store_commit(store, 4).code == 0 ? 0 : 1);
}

Test(store, an_index_that_falls_is_our_bug)
{
    pid_t child = fork(); /* Not the test itself: it has a directory to remove. */
    cr_assert_geq(child, 0);
    if (child == 0) {
        commit_backwards();
    }
    int status = 0;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT); /* INV-REF-1 */
}

/* Row r of each entry i holds i; each entry rewrites all rows, so rows of one moment are equal. */
enum { ROWS = 8, ENTRIES = 3000 };

static void write_entry(struct store *store, uint64_t index)
{
    char key[16];
    for (int row = 0; row < ROWS; row++) {
        (void)snprintf(key, sizeof(key), "r/%d", row);
        store_put(store, slice_text(key), slice_of(&index, sizeof(index)));
    }
}

static _Noreturn void write_until_killed(int pipe_fd)
{
    struct store *store = opened();
    for (uint64_t index = store_index(store) + 1;; index++) {
        write_entry(store, index);
        CHECK(store_commit(store, index).code == 0);
        if (index % 7 == 0) {
            CHECK(store_flush(store).code == 0);
        }
        uint64_t told[2] = { index, store_flushed_index(store) };
        CHECK(write(pipe_fd, told, sizeof(told)) == (ssize_t)sizeof(told));
    }
}

static bool same_index(void *context, struct slice key, struct slice value)
{
    struct seen *seen = context;
    (void)key;
    uint64_t index = 0;
    CHECK(value.size == sizeof(index));
    memcpy(&index, value.data, sizeof(index));
    CHECK(index == seen->most);
    seen->count++;
    return true;
}

static void check_one_moment(struct store *store)
{
    struct seen seen = { .most = (uint32_t)store_index(store) };
    struct result scan = store_scan(store, slice_text("r/"), SLICE_EMPTY, same_index, &seen);
    CHECK(scan.code == 0);
    CHECK(seen.count == (store_index(store) == 0 ? 0 : ROWS)); /* INV-REF-1 */
}

/* RocksDB's threads do not follow a fork: whoever forks has never opened a database. */
static _Noreturn void check_after_kill(uint64_t flushed)
{
    struct store *store = NULL;
    CHECK(store_open(database, &store).code == 0);
    CHECK(store_index(store) >= flushed); /* INV-REF-2 */
    check_one_moment(store);
    store_close(store);
    _exit(0);
}

static uint64_t run_and_kill(int messages)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        (void)close(ends[0]);
        write_until_killed(ends[1]);
    }
    (void)close(ends[1]);
    uint64_t told[2] = { 0, 0 };
    for (int i = 0; i < messages; i++) {
        cr_assert_eq(read(ends[0], told, sizeof(told)), (ssize_t)sizeof(told));
    }
    cr_assert_eq(kill(child, SIGKILL), 0);
    cr_assert_eq(waitpid(child, NULL, 0), child);
    (void)close(ends[0]);
    return told[1];
}

Test(store, after_kill_9_rows_and_index_are_of_one_moment_and_nothing_flushed_is_lost)
{
    for (int round = 0; round < 12; round++) {
        uint64_t flushed = run_and_kill(3 + round * 17);
        pid_t child = fork();
        cr_assert_geq(child, 0);
        if (child == 0) {
            check_after_kill(flushed);
        }
        int status = -1;
        cr_assert_eq(waitpid(child, &status, 0), child);
        cr_assert_eq(status, 0);
    }
}

/* A limit on file size stands for a full disk: the write fails inside RocksDB's own thread. */
static void limit_files(rlim_t most)
{
    struct rlimit limit;
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = most < limit.rlim_max ? most : limit.rlim_max;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

Test(store, a_failed_flush_makes_it_unfit_until_it_is_reopened)
{
    cr_assert_neq(signal(SIGXFSZ, SIG_IGN), SIG_ERR);
    struct store *store = opened();
    write_entry(store, 1);
    cr_assert_eq(store_commit(store, 1).code, 0);
    cr_assert_eq(store_flush(store).code, 0);
    cr_assert(store_fit(store));
    limit_files(16);
    write_entry(store, 2);
    cr_assert_eq(store_commit(store, 2).code, 0);
    cr_assert_neq(store_flush(store).code, 0);
    cr_assert_not(store_fit(store));
    cr_assert_eq(store_flushed_index(store), 1);
    cr_assert_neq(store_commit(store, 3).code, 0);
    check_one_moment(store); /* It still answers reads, of what it took. */
    cr_assert_eq(store_index(store), 2);
    cr_assert_neq(store_reopen(store).code, 0); /* No space yet. */
    cr_assert_not(store_fit(store));
    check_one_moment(store); /* It was not closed for nothing. */
    limit_files(RLIM_INFINITY);
    cr_assert_eq(store_reopen(store).code, 0);
    cr_assert(store_fit(store));
    cr_assert_geq(store_index(store), 1);
    check_one_moment(store);
    write_entry(store, 3);
    cr_assert_eq(store_commit(store, 3).code, 0);
    cr_assert_eq(store_flush(store).code, 0);
    check_one_moment(store);
    store_close(store);
}

static struct slice take_checkpoint(struct store *store, struct arena *arena)
{
    struct slice manifest = SLICE_EMPTY;
    cr_assert_eq(store_checkpoint(store, store_index(store), checkpoint).code, 0);
    cr_assert_eq(store_manifest(checkpoint, store_index(store), arena, &manifest).code, 0);
    return manifest;
}

Test(store, a_checkpoint_installed_elsewhere_is_the_same_moment)
{
    struct store *store = opened();
    for (uint64_t index = 1; index <= ENTRIES; index++) {
        write_entry(store, index);
        cr_assert_eq(store_commit(store, index).code, 0);
    }
    struct arena arena = fresh();
    struct slice manifest = take_checkpoint(store, &arena);
    cr_assert_eq(store_flushed_index(store), ENTRIES);
    cr_assert_eq(store_checkpoint(store, store_index(store), checkpoint).code, FAILURE_EXISTS);
    write_entry(store, ENTRIES + 1);
    cr_assert_eq(store_commit(store, ENTRIES + 1).code, 0);
    store_close(store);
    cr_assert_eq(store_install(database, checkpoint, manifest, &arena).code, 0);
    cr_assert_neq(access(checkpoint, F_OK), 0);
    store = opened();
    cr_assert_eq(store_index(store), ENTRIES);
    check_one_moment(store);
    store_close(store);
    struct arena again = fresh();
    again.used = arena.used;
    cr_assert_eq(store_install(database, checkpoint, manifest, &again).code, FAILURE_NOT_FOUND);
}

Test(store, a_checkpoint_becomes_the_first_database_of_a_new_replica)
{
    struct store *store = opened();
    write_entry(store, 1);
    cr_assert_eq(store_commit(store, 1).code, 0);
    struct arena arena = fresh();
    struct slice manifest = take_checkpoint(store, &arena);
    store_close(store);
    cr_assert_eq(store_discard(database).code, 0);
    cr_assert_eq(store_install(database, checkpoint, manifest, &arena).code, 0);
    store = opened();
    check_one_moment(store);
    store_close(store);
}

static void in_checkpoint(char *path, size_t size, const char *name)
{
    (void)snprintf(path, size, "%s/%s", checkpoint, name);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    cr_assert_geq(fputs(text, file), 0);
    cr_assert_eq(fclose(file), 0);
}

static uint16_t verdict(struct slice manifest, size_t used)
{
    struct arena arena = fresh();
    arena.used = used;
    uint16_t verified = store_verify(checkpoint, manifest, &arena).code;
    if (verified != 0) { /* Then it is not installed either. */
        arena.used = used;
        cr_assert_eq(store_install(database, checkpoint, manifest, &arena).code, verified);
    }
    return verified;
}

Test(store, a_checkpoint_that_is_not_byte_for_byte_its_manifest_is_refused)
{
    struct store *store = opened();
    write_entry(store, 1);
    cr_assert_eq(store_commit(store, 1).code, 0);
    struct arena arena = fresh();
    struct slice manifest = take_checkpoint(store, &arena);
    store_close(store);
    size_t used = arena.used;
    cr_assert_eq(verdict(manifest, used), 0);
    char path[256];
    char other[256];
    in_checkpoint(path, sizeof(path), "extra");
    write_file(path, "x");
    cr_assert_eq(verdict(manifest, used), FAILURE_CORRUPT);
    cr_assert_eq(unlink(path), 0);
    in_checkpoint(path, sizeof(path), "CURRENT");
    in_checkpoint(other, sizeof(other), "../away");
    cr_assert_eq(rename(path, other), 0);
    cr_assert_eq(verdict(manifest, used), FAILURE_CORRUPT);
    cr_assert_eq(symlink("../away", path), 0);
    cr_assert_neq(verdict(manifest, used), 0); /* A link is not a file. */
    cr_assert_eq(unlink(path), 0);
    write_file(path, "MANIFEST-000009\n"); /* Another content of the same size. */
    cr_assert_eq(verdict(manifest, used), FAILURE_CORRUPT);
    cr_assert_eq(rename(other, path), 0);
    cr_assert_eq(verdict(manifest, used), 0);
}

Test(store, every_flipped_byte_of_a_manifest_is_refused)
{
    struct store *store = opened();
    write_entry(store, 1);
    cr_assert_eq(store_commit(store, 1).code, 0);
    struct arena arena = fresh();
    struct slice manifest = take_checkpoint(store, &arena);
    store_close(store);
    uint8_t copy[1024];
    cr_assert_lt(manifest.size, sizeof(copy));
    uint32_t accepted = 0;
    for (size_t at = 0; at < manifest.size; at++) {
        memcpy(copy, manifest.data, manifest.size);
        copy[at] ^= 1;
        struct arena scratch = fresh();
        scratch.used = arena.used;
        struct slice given = slice_of(copy, manifest.size);
        accepted += store_verify(checkpoint, given, &scratch).code == 0 ? 1U : 0U;
    }
    cr_assert_leq(accepted, 1); /* Only the index itself is no file: store_index() decides. */
}

/* Files of the database whose names hold `part`. */
static uint32_t files_with(const char *part)
{
    DIR *directory = opendir(database);
    uint32_t count = 0;
    cr_assert_not_null(directory);
    for (const struct dirent *entry = readdir(directory); entry != NULL;
         entry = readdir(directory)) {
        count += strstr(entry->d_name, part) != NULL ? 1 : 0;
    }
    cr_assert_eq(closedir(directory), 0);
    return count;
}

Test(store, opening_again_and_again_leaves_nothing_behind)
{
    for (uint32_t i = 0; i < 6; i++) {
        store_close(opened());
    }
    cr_assert_eq(files_with("dbtmp"), 0);
    cr_assert_leq(files_with("OPTIONS-"), 2);
    cr_assert_leq(files_with("LOG"), 3);
    cr_assert_leq(files_with("MANIFEST-"), 1);
    struct store *store = opened();
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/LOG", database);
    struct stat about;
    cr_assert_eq(stat(path, &about), 0);
    cr_assert_eq(about.st_size, 0); /* RocksDB's own log is silent. */
    store_close(store);
}

Test(store, a_damaged_database_says_so)
{
    struct store *store = opened();
    write_entry(store, 1);
    cr_assert_eq(store_commit(store, 1).code, 0);
    cr_assert_eq(store_flush(store).code, 0);
    store_close(store);
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/CURRENT", database);
    write_file(path, "MANIFEST-999999\n");
    cr_assert_neq(store_open(database, &store).code, 0);
    write_file(path, "nonsense");
    cr_assert_eq(store_open(database, &store).code, FAILURE_CORRUPT);
}
