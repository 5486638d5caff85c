/* Gives a machine, in its own keyring, the certificate that it would have had some time ago: the
 * life of a test's papers is the test's to choose.
 * aged_papers CA-KEYRING CA KEYRING controller|node ID EPOCH SECONDS-AGO ADDRESS */
#include "base/check.h"
#include "base/id.h"
#include "host/clock.h"
#include "host/file.h"
#include "host/keyring.h"
#include "host/x509.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static _Alignas(16) uint8_t memory[64 * 1024];

int main(int argc, char **argv)
{
    CHECK(argc == 9);
    struct arena arena;
    arena_init(&arena, memory, sizeof(memory));
    struct keyring cell = { 0 };
    struct keyring own = { 0 };
    struct result done = keyring_read(argv[1], &cell);
    CHECK(done.code == 0);
    done = keyring_read(argv[3], &own);
    CHECK(done.code == 0);
    uint8_t ca[X509_CERTIFICATE_MAX];
    size_t size = 0;
    done = file_read(argv[2], ca, sizeof(ca), &size);
    CHECK(done.code == 0);
    bool controller = strcmp(argv[4], "controller") == 0;
    const char *addresses[] = { argv[8] };
    struct x509_request request = {
        .identity = { .kind = controller ? WIRE__KIND__KIND_CONTROLLER : WIRE__KIND__KIND_NODE,
                      .epoch = (uint32_t)strtoul(argv[6], NULL, 10) },
        .name = "aged",
        .addresses = addresses,
        .addresses_count = 1,
        .now_seconds = clock_wall_ms() / 1000U - strtoull(argv[7], NULL, 10),
    };
    bool valid = id_parse(controller ? ID_CONTROLLER : ID_NODE, argv[5], &request.identity.id);
    CHECK(valid);
    struct slice csr = SLICE_EMPTY;
    struct slice made = SLICE_EMPTY;
    done = x509_csr_make(&own.machine, "aged", &arena, &csr);
    CHECK(done.code == 0);
    done = x509_issue(&cell.ca, slice_of(ca, size), csr, &request, &arena, &made);
    CHECK(done.code == 0);
    secret_free(&own.certificate);
    done = secret_copy(made, &own.certificate);
    CHECK(done.code == 0);
    struct stat about;
    int failed = stat(argv[3], &about);
    CHECK(failed == 0);
    done = keyring_write(argv[3], &own, about.st_uid, about.st_gid);
    CHECK(done.code == 0);
    keyring_free(&own);
    keyring_free(&cell);
    return 0;
}
