/* Answers a join in tests, as engine and keys do together:
 * programs_issue KEYRING CA CSR controller|node ID NAME HOST CERTIFICATE [SEALING-KEY SEALED] */
#include "base/check.h"
#include "base/id.h"
#include "host/clock.h"
#include "host/file.h"
#include "host/keyring.h"
#include "host/seal.h"
#include "host/x509.h"

#include <stdio.h>
#include <string.h>

static uint8_t memory[64 * 1024];

static struct slice load(const char *path, struct arena *arena)
{
    size_t size = 0;
    uint8_t *room = arena_take(arena, 4096);
    CHECK(room != NULL);
    struct result read = file_read(path, room, 4096, &size);
    CHECK(read.code == 0);
    return slice_of(room, size);
}

static void store(const char *path, struct slice bytes)
{
    struct result written = file_replace(path, bytes, (struct file_owner){ .mode = 0600 });
    CHECK(written.code == 0);
}

int main(int argc, char **argv)
{
    CHECK(argc == 9 || argc == 11);
    struct arena arena;
    arena_init(&arena, memory, sizeof(memory));
    struct keyring keyring = { 0 };
    struct result done = keyring_read(argv[1], &keyring);
    CHECK(done.code == 0);
    bool controller = strcmp(argv[4], "controller") == 0;
    const char *addresses[] = { argv[7] };
    struct x509_request request = {
        .identity = { .kind = controller ? WIRE__KIND__KIND_CONTROLLER : WIRE__KIND__KIND_NODE },
        .name = argv[6],
        .addresses = addresses,
        .addresses_count = 1,
        .now_seconds = clock_wall_ms() / 1000U,
    };
    bool valid = id_parse(controller ? ID_CONTROLLER : ID_NODE, argv[5], &request.identity.id);
    CHECK(valid);
    struct slice certificate = SLICE_EMPTY;
    done = x509_issue(
        &keyring.ca, load(argv[2], &arena), load(argv[3], &arena), &request, &arena, &certificate);
    CHECK(done.code == 0);
    store(argv[8], certificate);
    if (argc == 11) {
        struct secret packed = { 0 };
        struct slice sealed = SLICE_EMPTY;
        struct slice key = load(argv[9], &arena);
        CHECK(key.size == SEAL_KEY_BYTES);
        done = keyring_pack_cell(&keyring, &packed);
        CHECK(done.code == 0);
        done = seal_close(&packed, key.data, &arena, &sealed);
        CHECK(done.code == 0);
        store(argv[10], sealed);
        secret_free(&packed);
    }
    keyring_free(&keyring);
    return 0;
}
