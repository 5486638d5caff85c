/* Decides whether a directory is exactly the files of a manifest, and how one database directory
 * takes another's place. Never opens a database, never fetches a file.
 *
 * The happy path: store_manifest over a checkpoint on one machine; its files are fetched to
 * another; store_verify; store_install: sync, one exchanging rename, sync, remove the old. What can
 * go wrong: a file is short, changed, missing, not a file, or one too many → CORRUPT, and nothing
 * is moved; power fails before the rename is durable → the old database is still there; after → the
 * new one, and what is left of the old does not match the manifest. */
#include "controller/store.h"

#include "audit/sha256.h"
#include "base/check.h"
#include "wire/wire.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <snapshot.pb-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FILE_NAME_MAX = 64, /* RocksDB's names are far shorter. */
    READ_SIZE = 64 * 1024,
    PROBE_SIZE = 4096,
    MANIFEST_FORMAT = 1,
};

struct listing {
    uint32_t count;
    char names[STORE_FILES_MAX][FILE_NAME_MAX]; /* Ascending. */
};

struct digest {
    uint64_t size;
    uint8_t sha256[SHA256_SIZE];
};

static struct result failure_now(void)
{
    int error = errno;
    CHECK(error != 0);
    switch (error) {
    case ENOENT: return FAIL(FAILURE_NOT_FOUND);
    case EEXIST: return FAIL(FAILURE_EXISTS);
    case ENOSPC:
    case EDQUOT: return FAIL(FAILURE_NO_SPACE);
    case EACCES:
    case EPERM: return FAIL(FAILURE_DENIED);
    case EINVAL:
    case EXDEV: return FAIL(FAILURE_UNSUPPORTED);
    default: return FAIL(FAILURE_IO);
    }
}

RESULT store_writable(const char *directory)
{
    static const uint8_t bytes[PROBE_SIZE];
    char path[STORE_PATH_MAX + FILE_NAME_MAX];
    int used = snprintf(path, sizeof(path), "%s/probe", directory);
    CHECK(used > 0 && (size_t)used < sizeof(path));
    (void)unlink(path); /* Of a probe that power cut short. */
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return failure_now();
    }
    errno = EIO; /* What a short write means. */
    bool kept = write(fd, bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes) && fdatasync(fd) == 0;
    struct result result = kept ? OK : failure_now();
    kept = close(fd) == 0 && unlink(path) == 0;
    return result.code != FAILURE_NONE || kept ? result : failure_now();
}

/* No separator, no dot in front: a name can not leave its directory. */
static bool name_valid(const char *name)
{
    CHECK(name != NULL);
    size_t size = strlen(name);
    if (size == 0 || size >= FILE_NAME_MAX || name[0] == '.') {
        return false;
    }
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    return strspn(name, allowed) == size;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Every entry but . and .. */
static RESULT list_files(const char *directory, struct listing *listing)
{
    CHECK(listing != NULL);
    listing->count = 0;
    DIR *open_directory = opendir(directory);
    if (open_directory == NULL) {
        return failure_now();
    }
    struct result listed = OK;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(open_directory);
        if (entry == NULL) {
            listed = errno != 0 ? failure_now() : OK;
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        if (!name_valid(entry->d_name)) {
            listed = FAIL(FAILURE_CORRUPT);
            break;
        }
        if (listing->count == STORE_FILES_MAX) {
            listed = FAIL(FAILURE_FULL);
            break;
        }
        memcpy(listing->names[listing->count++], entry->d_name, strlen(entry->d_name) + 1);
    }
    (void)closedir(open_directory); /* Only read. */
    if (listed.code == FAILURE_NONE) {
        qsort(listing->names, listing->count, FILE_NAME_MAX, by_name);
    }
    return listed;
}

static RESULT open_directory_of(const char *path, int *fd_out)
{
    CHECK(path != NULL && fd_out != NULL);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return failure_now();
    }
    *fd_out = fd;
    return OK;
}

static RESULT digest_open_file(int fd, bool make_durable, struct digest *digest_out)
{
    static _Thread_local uint8_t room[READ_SIZE];
    struct sha256 sha;
    sha256_start(&sha);
    uint64_t size = 0;
    for (;;) {
        ssize_t got = read(fd, room, sizeof(room));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return failure_now();
        }
        if (got == 0) {
            break;
        }
        CHECK((size_t)got <= sizeof(room));
        sha256_add(&sha, slice_of(room, (size_t)got));
        size += (uint64_t)got;
    }
    if (make_durable && fsync(fd) != 0) {
        return failure_now();
    }
    digest_out->size = size;
    sha256_end(&sha, digest_out->sha256);
    return OK;
}

static RESULT digest_file(
    int directory, const char *name, bool make_durable, struct digest *digest_out)
{
    CHECK(name_valid(name));
    int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return failure_now();
    }
    struct stat about;
    struct result read_it = FAIL(FAILURE_CORRUPT); /* Not a regular file. */
    if (fstat(fd, &about) != 0) {
        read_it = failure_now();
    } else if (S_ISREG(about.st_mode)) {
        read_it = digest_open_file(fd, make_durable, digest_out);
    }
    (void)close(fd); /* Only read. */
    return read_it;
}

/* Fills one file's row of the manifest from what lies on the disk. */
static RESULT describe_file(
    int directory, const char *name, struct arena *arena, Wire__SnapshotFile *file_out)
{
    struct digest digest;
    TRY(digest_file(directory, name, false, &digest));
    size_t size = strlen(name) + 1;
    char *kept = arena_take(arena, size);
    uint8_t *sha256 = arena_take(arena, SHA256_SIZE);
    if (kept == NULL || sha256 == NULL) {
        return FAIL(FAILURE_FULL);
    }
    memcpy(kept, name, size);
    memcpy(sha256, digest.sha256, SHA256_SIZE);
    wire__snapshot_file__init(file_out);
    file_out->name = kept;
    file_out->size = digest.size;
    file_out->sha256 = (ProtobufCBinaryData){ SHA256_SIZE, sha256 };
    return OK;
}

static RESULT describe_all(
    int directory, const struct listing *listing, struct arena *arena, Wire__SnapshotFile **files)
{
    CHECK(listing->count <= STORE_FILES_MAX);
    for (uint32_t i = 0; i < listing->count; i++) {
        files[i] = arena_take(arena, sizeof(*files[i]));
        if (files[i] == NULL) {
            return FAIL(FAILURE_FULL);
        }
        TRY(describe_file(directory, listing->names[i], arena, files[i]));
    }
    return OK;
}

RESULT store_manifest(
    const char *directory, uint64_t index, struct arena *arena, struct slice *manifest_out)
{
    CHECK(index > 0);
    struct listing *listing = arena_take(arena, sizeof(*listing));
    if (listing == NULL) {
        return FAIL(FAILURE_FULL);
    }
    TRY(list_files(directory, listing));
    Wire__SnapshotFile **files =
        arena_take(arena, (listing->count + 1) * sizeof(Wire__SnapshotFile *));
    if (files == NULL) {
        return FAIL(FAILURE_FULL);
    }
    int fd = -1;
    TRY(open_directory_of(directory, &fd));
    struct result described = describe_all(fd, listing, arena, files);
    (void)close(fd); /* Only read. */
    TRY(described);
    Wire__SnapshotManifest manifest = WIRE__SNAPSHOT_MANIFEST__INIT;
    manifest.format = MANIFEST_FORMAT;
    manifest.index = index;
    manifest.n_files = listing->count;
    manifest.files = files;
    return wire_encode(&manifest, arena, manifest_out);
}

static bool manifest_valid(const Wire__SnapshotManifest *manifest)
{
    CHECK(manifest != NULL);
    if (manifest->format != MANIFEST_FORMAT || manifest->index == 0 || manifest->n_files == 0 ||
        manifest->n_files > STORE_FILES_MAX) {
        return false;
    }
    for (size_t i = 0; i < manifest->n_files; i++) {
        const Wire__SnapshotFile *file = manifest->files[i];
        if (!name_valid(file->name) || file->sha256.len != SHA256_SIZE) {
            return false;
        }
        if (i > 0 && strcmp(manifest->files[i - 1]->name, file->name) >= 0) {
            return false;
        }
    }
    return true;
}

static RESULT compare_files(int directory, const Wire__SnapshotManifest *manifest)
{
    CHECK(directory >= 0);
    for (size_t i = 0; i < manifest->n_files; i++) {
        const Wire__SnapshotFile *file = manifest->files[i];
        struct digest digest;
        TRY(digest_file(directory, file->name, true, &digest));
        bool same =
            digest.size == file->size && memcmp(digest.sha256, file->sha256.data, SHA256_SIZE) == 0;
        if (!same) {
            return FAIL(FAILURE_CORRUPT);
        }
    }
    return fsync(directory) == 0 ? OK : failure_now();
}

RESULT store_verify(const char *directory, struct slice manifest, struct arena *arena)
{
    CHECK(directory != NULL);
    Wire__SnapshotManifest *expected = NULL;
    TRY(wire_decode(&wire__snapshot_manifest__descriptor, manifest, arena, &expected));
    if (!manifest_valid(expected)) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    struct listing *listing = arena_take(arena, sizeof(*listing));
    if (listing == NULL) {
        return FAIL(FAILURE_FULL);
    }
    TRY(list_files(directory, listing));
    if (listing->count != expected->n_files) {
        return FAIL(FAILURE_CORRUPT);
    }
    for (uint32_t i = 0; i < listing->count; i++) {
        if (strcmp(listing->names[i], expected->files[i]->name) != 0) {
            return FAIL(FAILURE_CORRUPT);
        }
    }
    int fd = -1;
    TRY(open_directory_of(directory, &fd));
    struct result compared = compare_files(fd, expected);
    (void)close(fd); /* Synced or only read. */
    return compared;
}

/* Makes a rename in this directory's parent durable. */
static RESULT sync_parent(const char *path)
{
    char parent[STORE_PATH_MAX] = ".";
    const char *slash = strrchr(path, '/');
    size_t size = slash == NULL ? 1 : (size_t)(slash - path);
    CHECK(size < sizeof(parent));
    if (slash != NULL) {
        memcpy(parent, size == 0 ? "/" : path, size == 0 ? 1 : size);
        parent[size == 0 ? 1 : size] = '\0';
    }
    int fd = -1;
    TRY(open_directory_of(parent, &fd));
    struct result synced = fsync(fd) == 0 ? OK : failure_now();
    (void)close(fd); /* Synced. */
    return synced;
}

RESULT store_discard(const char *directory)
{
    CHECK(directory != NULL);
    struct listing *listing = calloc(1, sizeof(*listing));
    if (listing == NULL) {
        return FAIL(FAILURE_FULL);
    }
    struct result listed = list_files(directory, listing);
    int fd = -1;
    if (listed.code == FAILURE_NONE) {
        listed = open_directory_of(directory, &fd);
    }
    for (uint32_t i = 0; listed.code == FAILURE_NONE && i < listing->count; i++) {
        if (unlinkat(fd, listing->names[i], 0) != 0 && errno != ENOENT) {
            listed = failure_now();
        }
    }
    free(listing);
    if (fd >= 0) {
        (void)close(fd); /* Its removal is what counts. */
    }
    if (listed.code == FAILURE_NOT_FOUND) {
        return OK;
    }
    TRY(listed);
    return rmdir(directory) == 0 || errno == ENOENT ? OK : failure_now();
}

RESULT store_install(
    const char *directory, const char *fetched, struct slice manifest, struct arena *arena)
{
    CHECK(strlen(directory) < STORE_PATH_MAX && strlen(fetched) < STORE_PATH_MAX);
    CHECK(strcmp(directory, fetched) != 0);
    TRY(store_verify(fetched, manifest, arena));
    bool present = access(directory, F_OK) == 0;
    unsigned int how = present ? RENAME_EXCHANGE : RENAME_NOREPLACE;
    if (renameat2(AT_FDCWD, fetched, AT_FDCWD, directory, how) != 0) {
        return failure_now();
    }
    TRY(sync_parent(directory));
    TRY(sync_parent(fetched));
    return store_discard(fetched); /* The old database now, or nothing. */
}
