/* A snapshot that is offered and fetched: manifest and parts from another controller, into a real
 * directory. The oracle: nothing lies outside the fetch's own directory, only what the manifest
 * names is asked for, and a fetch is ready only if every file is there byte for byte, by a digest
 * of the target's own. */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/message.h"

#include "audit/sha256.h"
#include "base/check.h"
#include "controller/snapshot.h"
#include "wire/wire.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum kind { KIND_MANIFEST, KIND_PART, KIND_FILES, KINDS };

enum { PEER = 7, INDEX = 5, SEEDS = 40, ASKS_MAX = 4096 };

static _Alignas(16) uint8_t memory[2 * 1024 * 1024];
static _Alignas(16) uint8_t own_memory[1024 * 1024];
static char directory[64];
static Wire__SnapshotManifest *offered; /* NULL: it is none. */
static uint32_t asks;
static char asked[SNAPSHOT_NAME];
static uint64_t asked_offset;

const ProtobufCMessageDescriptor *fuzz_type(uint8_t kind)
{
    return kind % KINDS == KIND_MANIFEST ? &wire__snapshot_manifest__descriptor
           : kind % KINDS == KIND_PART   ? &wire__snapshot_part__descriptor
                                         : NULL;
}

static void on_send(void *context, Wire__Frame *frame)
{
    (void)context;
    MUST(frame->body_case == WIRE__FRAME__BODY_SNAPSHOT_ASK && frame->peer->id - PEER < 2);
    const Wire__SnapshotAsk *ask = frame->snapshot_ask;
    bool named = false;
    MUST(offered != NULL && asks++ < ASKS_MAX && ask->index == INDEX);
    for (size_t i = 0; i < offered->n_files; i++) {
        named = named || (strcmp(offered->files[i]->name, ask->file) == 0 &&
                          ask->offset < offered->files[i]->size);
    }
    MUST(named);
    (void)snprintf(asked, sizeof(asked), "%s", ask->file);
    asked_offset = ask->offset;
}

/* How many entries a directory has; `only` is the one that may be there. */
static size_t entries_of(const char *path, const char *only)
{
    DIR *open = opendir(path);
    const struct dirent *entry = NULL;
    size_t count = 0;
    while (open != NULL && (entry = readdir(open)) != NULL) {
        if (entry->d_name[0] != '.' ||
            (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)) {
            MUST(only == NULL || strcmp(entry->d_name, only) == 0);
            count++;
        }
    }
    if (open != NULL) {
        (void)closedir(open);
    }
    return count;
}

/* Everything that was offered is there. */
static void hold_ready(const char *fetched)
{
    MUST(offered != NULL && offered->n_files > 0);
    MUST(entries_of(fetched, NULL) == offered->n_files);
    for (size_t i = 0; i < offered->n_files; i++) {
        const Wire__SnapshotFile *file = offered->files[i];
        static uint8_t bytes[FUZZ_INPUT_MAX];
        char path[256];
        uint8_t digest[SHA256_SIZE];
        MUST(strchr(file->name, '/') == NULL && file->name[0] != '.' && file->name[0] != '\0');
        (void)snprintf(path, sizeof(path), "%s/%s", fetched, file->name);
        int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        MUST(fd >= 0);
        ssize_t size = read(fd, bytes, sizeof(bytes));
        (void)close(fd);
        MUST(size >= 0 && (uint64_t)size == file->size && file->sha256.len == SHA256_SIZE);
        sha256_of(slice_of(bytes, (size_t)size), digest);
        MUST(memcmp(digest, file->sha256.data, SHA256_SIZE) == 0);
        MUST(i == 0 || strcmp(offered->files[i - 1]->name, file->name) < 0);
    }
}

/* What an honest peer would send: the bytes whose digests the manifest of `files` has. */
static struct slice content_of(size_t file, uint8_t *room)
{
    size_t size = file * 700 % 3000;
    memset(room, (int)file + 1, size);
    return slice_of(room, size);
}

static void answer(struct snapshot *snapshot, size_t file, size_t most)
{
    uint8_t room[4096];
    Wire__SnapshotPart part = WIRE__SNAPSHOT_PART__INIT;
    struct slice bytes = content_of(file, room);
    if (asked_offset >= bytes.size) {
        return;
    }
    part.index = INDEX;
    part.file = asked;
    part.offset = asked_offset;
    part.data.data = room + asked_offset;
    part.data.len = bytes.size - asked_offset < most ? bytes.size - asked_offset : most;
    snapshot_part(snapshot, PEER, &part);
}

static void take(struct snapshot *snapshot, const struct fuzz_part *part, struct slice manifest)
{
    struct arena arena;
    Wire__SnapshotPart *said = NULL;
    arena_init(&arena, own_memory + sizeof(own_memory) / 2, sizeof(own_memory) / 2);
    if (part->kind % KINDS == KIND_PART &&
        wire_decode(&wire__snapshot_part__descriptor, part->bytes, &arena, &said).code == 0) {
        snapshot_part(snapshot, part->kind / KINDS % 4 == 3 ? PEER + 1 : PEER, said);
    } else if (part->kind % KINDS == KIND_FILES && part->bytes.size >= 1) {
        if (part->bytes.size == 3) { /* Another controller offers the same. */
            (void)snapshot_ready(snapshot, PEER + 1, INDEX, manifest);
        }
        uint32_t before = asks + 1;
        for (uint32_t turn = 0; turn < 64 && asks != before; turn++) {
            before = asks;
            answer(snapshot, (size_t)(asked[0] - 'a') % 26, 1 + part->bytes.data[0] * 16U);
        }
    }
}

static void hold(struct slice manifest, struct slice rest)
{
    static struct snapshot snapshot;
    struct arena scratch;
    struct arena own;
    struct fuzz_part part;
    char fetched[128];
    char name[32];
    (void)snprintf(name, sizeof(name), "got-%d", INDEX);
    (void)snprintf(fetched, sizeof(fetched), "%s/%s", directory, name);
    arena_init(&scratch, memory, sizeof(memory));
    arena_init(&own, own_memory, sizeof(own_memory) / 2);
    asks = 0;
    offered = NULL;
    bool some =
        wire_decode(&wire__snapshot_manifest__descriptor, manifest, &own, &offered).code == 0;
    offered = some ? offered : NULL;
    memset(&snapshot, 0, sizeof(snapshot));
    snapshot_init(&snapshot, directory, &scratch, on_send, NULL);
    MUST(!snapshot_ready(&snapshot, PEER, INDEX, manifest));
    while (fuzz_part_next(&rest, &part)) {
        take(&snapshot, &part, manifest);
    }
    MUST(entries_of(directory, name) <= 1);
    arena_init(
        &scratch, memory, manifest.size % 7 == 6 ? manifest.size * 4 + 1040 : sizeof(memory));
    if (store_verify(fetched, manifest, &scratch).code == 0) { /* Asked by itself, too. */
        hold_ready(fetched);
    }
    arena_init(&scratch, memory, sizeof(memory));
    if (snapshot_ready(&snapshot, PEER, INDEX, manifest)) {
        hold_ready(fetched);
    }
    struct result gone = store_discard(fetched);
    MUST(gone.code == 0 && entries_of(directory, name) == 0);
}

/* A fetch that an honest peer answers, of a file of no bytes and another, until something is
 * refused. */
static void fetch(const char *where, void (*spoil)(const char *fetched), bool begins)
{
    static struct snapshot snapshot;
    static uint8_t room[FUZZ_INPUT_MAX];
    struct arena scratch;
    struct arena own;
    struct fuzz_part manifest;
    char fetched[128];
    struct slice input = slice_of(room, fuzz_seed(1, room));
    bool some = fuzz_part_next(&input, &manifest);
    CHECK(some);
    arena_init(&scratch, memory, sizeof(memory));
    arena_init(&own, own_memory, sizeof(own_memory) / 2);
    struct result decoded =
        wire_decode(&wire__snapshot_manifest__descriptor, manifest.bytes, &own, &offered);
    CHECK(decoded.code == 0 && offered->n_files == 2);
    asks = 0;
    memset(&snapshot, 0, sizeof(snapshot));
    snapshot_init(&snapshot, where, &scratch, on_send, NULL);
    MUST(!snapshot_ready(&snapshot, PEER, INDEX, manifest.bytes));
    MUST((asks == 1) == begins);
    if (begins) {
        (void)snprintf(fetched, sizeof(fetched), "%s/got-%d", where, INDEX);
        spoil(fetched);
        answer(&snapshot, 1, 1000);
        struct rlimit no_limit = { RLIM_INFINITY, RLIM_INFINITY };
        int code = setrlimit(RLIMIT_FSIZE, &no_limit);
        CHECK(code == 0);
        MUST(snapshot.index == 0 && asks == 1); /* It begins anew with the next offer. */
        struct result gone = store_discard(fetched);
        MUST(gone.code == 0);
    }
}

static void take_away(const char *fetched)
{
    struct result gone = store_discard(fetched);
    CHECK(gone.code == 0);
}

static void fill_disk(const char *fetched)
{
    struct rlimit limit = { 0, RLIM_INFINITY };
    (void)fetched;
    (void)signal(SIGXFSZ, SIG_IGN);
    int code = setrlimit(RLIMIT_FSIZE, &limit);
    CHECK(code == 0);
}

/* A directory that fits with a fetch's own in it, and with no file in that. */
static void hold_deep(void)
{
    enum { STEP = 200 };
    char deep[STORE_PATH_MAX + STEP];
    size_t most = STORE_PATH_MAX - sizeof("/got-5");
    size_t size = (size_t)snprintf(deep, sizeof(deep), "%s", directory);
    size_t first = size;
    int code = 0;
    while (size < most) {
        size_t left = most - size;
        size_t step = left < STEP + 2 ? left : left < STEP * 2 ? left / 2 : STEP;
        memset(deep + size, 'd', step);
        deep[size] = '/';
        size += step;
        deep[size] = '\0';
        code |= mkdir(deep, 0700);
    }
    CHECK(code == 0);
    fetch(deep, NULL, false);
    (void)snprintf(deep + size, sizeof(deep) - size, "/got-%d", INDEX);
    code = rmdir(deep);
    for (deep[size] = '\0'; strlen(deep) > first; *strrchr(deep, '/') = '\0') {
        code |= rmdir(deep);
    }
    CHECK(code == 0);
}

/* What no input brings about: a place that is none, is too long, goes away, is full. */
static void hold_refusals(void)
{
    char deep[STORE_PATH_MAX];
    memset(deep, 'x', sizeof(deep));
    deep[0] = '/';
    deep[sizeof(deep) - 1] = '\0';
    fetch("/nowhere/at/all", NULL, false);
    fetch("/dev/null", NULL, false);
    fetch(deep, NULL, false);
    hold_deep();
    fetch(directory, take_away, true);
    fetch(directory, fill_disk, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size);
    struct fuzz_part manifest;
    if (directory[0] == '\0') {
        bool fast = access("/dev/shm", W_OK) == 0;
        (void)snprintf(
            directory, sizeof(directory), "%s/fuzz-snapshot-XXXXXX", fast ? "/dev/shm" : "/tmp");
        CHECK(mkdtemp(directory) != NULL);
        hold_refusals();
    }
    if (fuzz_part_next(&rest, &manifest)) {
        hold(manifest.bytes, rest);
    }
    return 0;
}

__attribute__((destructor)) static void leave_nothing(void)
{
    if (directory[0] != '\0') {
        (void)rmdir(directory);
    }
}

/* More files than a fetch, or a store, has room for. */
static size_t seed_crowd(uint32_t number, uint8_t *room)
{
    enum { MOST = 1100 };
    static Wire__SnapshotFile files[MOST];
    static Wire__SnapshotFile *list[MOST];
    static char names[MOST][24];
    static uint8_t digest[SHA256_SIZE];
    static uint8_t packed[FUZZ_PART_MAX];
    Wire__SnapshotManifest manifest = WIRE__SNAPSHOT_MANIFEST__INIT;
    size_t used = 0;
    size_t size = 0;
    manifest.format = 1;
    manifest.index = INDEX;
    manifest.n_files = number == 0 ? SNAPSHOT_FILES + 1 : MOST;
    manifest.files = list;
    for (size_t i = 0; i < manifest.n_files; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "f%04zu", i);
        wire__snapshot_file__init(&files[i]);
        files[i].name = names[i];
        files[i].sha256 = (ProtobufCBinaryData){ number == 0 ? sizeof(digest) : 0, digest };
        list[i] = &files[i];
    }
    if (wire_encode_into(&manifest, packed, sizeof(packed), &size)) {
        (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, KIND_MANIFEST, slice_of(packed, size));
    }
    return used;
}

size_t fuzz_seed(uint32_t number, uint8_t room[static FUZZ_INPUT_MAX])
{
    static const char *const odd[] = { "../a", "a/b", ".a", "", "a", "b" };
    static uint8_t digests[4][SHA256_SIZE];
    char names[4][SNAPSHOT_NAME];
    Wire__SnapshotFile files[4];
    Wire__SnapshotFile *list[4];
    Wire__SnapshotManifest manifest = WIRE__SNAPSHOT_MANIFEST__INIT;
    Wire__SnapshotPart part = WIRE__SNAPSHOT_PART__INIT;
    uint8_t bytes[4096];
    uint8_t packed[8192];
    size_t used = 0;
    size_t size = 0;
    if (number >= SEEDS) {
        return number < SEEDS + 2 ? seed_crowd(number - SEEDS, room) : 0;
    }
    manifest.format = 1;
    manifest.index = INDEX;
    manifest.n_files = 1 + number % 4;
    manifest.files = list;
    for (size_t i = 0; i < manifest.n_files; i++) {
        struct slice content = content_of(i, bytes);
        (void)snprintf(names[i], sizeof(names[i]), "%c", (char)('a' + i));
        if (number >= 24 && i == 0) {
            (void)snprintf(names[i], sizeof(names[i]), "%s", odd[number % 6]);
        }
        wire__snapshot_file__init(&files[i]);
        sha256_of(content, digests[i]);
        files[i].name = names[i];
        files[i].size = content.size;
        files[i].sha256 = (ProtobufCBinaryData){ number == 20 ? 31 : SHA256_SIZE, digests[i] };
        list[i] = &files[i];
    }
    manifest.n_files = number == 21 ? 0 : manifest.n_files;
    manifest.format = number == 22 ? 2 : 1;
    manifest.index = number == 23 ? 0 : INDEX;
    digests[0][0] ^= number % 8 == 7 ? 1 : 0;
    bool fits = wire_encode_into(&manifest, packed, sizeof(packed), &size);
    CHECK(fits);
    (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, KIND_MANIFEST, slice_of(packed, size));
    uint8_t slow[3] = { 0 };
    if (number % 7 == 3) { /* Some of the first file, and then something else. */
        (void)fuzz_part_put(
            room, FUZZ_INPUT_MAX, &used, KIND_FILES, slice_of(slow, number % 2 == 0 ? 1 : 3));
    }
    if (number % 5 == 4) { /* A part that was not asked for. */
        part.index = INDEX;
        part.file = number % 3 == 0 ? "b" : (number % 3 == 1 ? "../b" : "a");
        part.offset = number % 4 == 3 ? 9 : 0;
        part.missing = number == 9;
        part.data = (ProtobufCBinaryData){ number % 6 == 5 ? 4000 : number % 6, bytes };
        fits = wire_encode_into(&part, packed, sizeof(packed), &size);
        CHECK(fits);
        bool exact = number == 14 || number == 19; /* Nothing, or more than there is. */
        part.file = exact ? "b" : part.file;
        part.offset = exact ? 0 : part.offset;
        part.data.len = number == 14 ? 0 : (number == 19 ? 4000 : part.data.len);
        fits = wire_encode_into(&part, packed, sizeof(packed), &size);
        CHECK(fits);
        uint8_t kind = (uint8_t)(exact ? KIND_PART : KIND_PART + KINDS * (number % 2 == 0 ? 3 : 0));
        (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, kind, slice_of(packed, size));
    }
    uint8_t pace = (uint8_t)(number * 13);
    (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, KIND_FILES, slice_of(&pace, 1));
    return used;
}
