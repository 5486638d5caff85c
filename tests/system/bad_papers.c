/* Certificates that a cell would not give: issued with its real CA key, for any identity, epoch and
 * time. What must be refused has to be good in everything but the one thing that is wrong.
 * bad_papers KEYRING CA CSR controller|node|user ID EPOCH SECONDS-AGO CERTIFICATE, all DER. */
#include "base/check.h"
#include "base/id.h"
#include "host/clock.h"
#include "host/file.h"
#include "host/keyring.h"
#include "host/x509.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t memory[64 * 1024];

static struct slice load(const char *path, struct arena *arena)
{
    size_t size = 0;
    uint8_t *room = arena_take(arena, X509_CERTIFICATE_MAX);
    CHECK(room != NULL);
    struct result read = file_read(path, room, X509_CERTIFICATE_MAX, &size);
    CHECK(read.code == 0);
    return slice_of(room, size);
}

static struct x509_identity identity_of(const char *kind, const char *id, const char *epoch)
{
    static const enum id_kind kinds[] = { ID_CONTROLLER, ID_NODE, ID_USER };
    struct x509_identity identity = { .epoch = (uint32_t)strtoul(epoch, NULL, 10) };
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (strcmp(kind, id_kind_name(kinds[i])) == 0) {
            bool valid = id_parse(kinds[i], id, &identity.id);
            CHECK(valid);
            identity.kind = (Wire__Kind)kinds[i];
        }
    }
    CHECK(identity.id != 0);
    return identity;
}

int main(int argc, char **argv)
{
    CHECK(argc == 9);
    struct arena arena;
    arena_init(&arena, memory, sizeof(memory));
    struct keyring keyring = { 0 };
    struct result done = keyring_read(argv[1], &keyring);
    CHECK(done.code == 0);
    uint64_t ago = strtoull(argv[7], NULL, 10);
    struct x509_request request = {
        .identity = identity_of(argv[4], argv[5], argv[6]),
        .name = "bad",
        .now_seconds = clock_wall_ms() / 1000U - ago,
    };
    struct slice certificate = SLICE_EMPTY;
    done = x509_issue(
        &keyring.ca, load(argv[2], &arena), load(argv[3], &arena), &request, &arena, &certificate);
    CHECK(done.code == 0);
    done = file_replace(argv[8], certificate, (struct file_owner){ .mode = 0600 });
    CHECK(done.code == 0);
    keyring_free(&keyring);
    return 0;
}
