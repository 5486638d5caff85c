/* The keyring on disk and on its way, and what the log key signs. */
#include "audit/note.h"
#include "base/check.h"
#include "host/file.h"
#include "host/keyring.h"
#include "host/seal.h"
#include "host/x509.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static _Alignas(16) uint8_t memory[64 * 1024];

static void make(struct keyring *keyring, bool controller)
{
    *keyring = (struct keyring){ 0 };
    cr_assert_eq(x509_key_make(X509_KEY_P256, &keyring->machine).code, 0);
    if (controller) {
        cr_assert_eq(x509_key_make(X509_KEY_P256, &keyring->ca).code, 0);
        cr_assert_eq(x509_key_make(X509_KEY_ED25519, &keyring->log).code, 0);
    }
}

Test(keyring, it_survives_the_disk_and_nothing_broken_does)
{
    char directory[] = "/tmp/udatsu-keyring-XXXXXX";
    cr_assert_not_null(mkdtemp(directory));
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/keyring", directory);
    struct keyring keyring;
    make(&keyring, true);
    cr_assert_eq(keyring_write(path, &keyring, getuid(), getgid()).code, 0);
    struct stat about;
    cr_assert_eq(stat(path, &about), 0);
    cr_assert_eq(about.st_mode & 0777U, 0600);
    struct keyring back = { 0 };
    cr_assert_eq(keyring_read(path, &back).code, 0);
    cr_assert(secret_equal(&back.ca, secret_slice(&keyring.ca)));
    cr_assert(secret_equal(&back.log, secret_slice(&keyring.log)));
    cr_assert(secret_equal(&back.machine, secret_slice(&keyring.machine)));
    keyring_free(&back);
    for (off_t size = 0; size < about.st_size; size++) { /* Cut at every byte. */
        cr_assert_eq(keyring_write(path, &keyring, getuid(), getgid()).code, 0);
        cr_assert_eq(truncate(path, size), 0);
        cr_assert_neq(keyring_read(path, &back).code, 0, "size %ld", (long)size);
        cr_assert_null(back.machine.data);
    }
    cr_assert_eq(keyring_read("/no/such/file", &back).code, FAILURE_NOT_FOUND);
    keyring_free(&keyring);
    (void)unlink(path);
    (void)rmdir(directory);
}

Test(seal, only_the_one_it_was_sealed_to_opens_it) /* INV-SEC-26 */
{
    struct arena arena;
    arena_init(&arena, memory, sizeof(memory));
    struct keyring keyring;
    make(&keyring, true);
    struct secret packed = { 0 };
    struct secret private = { 0 };
    struct secret stranger = { 0 };
    struct secret opened = { 0 };
    uint8_t public[SEAL_KEY_BYTES];
    uint8_t unused[SEAL_KEY_BYTES];
    struct slice sealed = SLICE_EMPTY;
    cr_assert_eq(keyring_pack_cell(&keyring, &packed).code, 0);
    cr_assert_eq(seal_pair(&private, public).code, 0);
    cr_assert_eq(seal_pair(&stranger, unused).code, 0);
    cr_assert_eq(seal_close(&packed, public, &arena, &sealed).code, 0);
    cr_assert_eq(seal_open(&stranger, sealed, &opened).code, FAILURE_BAD_INPUT);
    static uint8_t copy[4096];
    for (size_t at = 0; at < sealed.size; at++) {
        memcpy(copy, sealed.data, sealed.size);
        copy[at] ^= 0x01U;
        struct result open = seal_open(&private, slice_of(copy, sealed.size), &opened);
        cr_assert_eq(open.code, FAILURE_BAD_INPUT, "byte %zu", at);
        cr_assert_null(opened.data);
    }
    for (size_t size = 0; size < sealed.size; size++) {
        struct result open = seal_open(&private, slice_of(sealed.data, size), &opened);
        cr_assert_eq(open.code, FAILURE_BAD_INPUT, "size %zu", size);
    }
    cr_assert_eq(seal_open(&private, sealed, &opened).code, 0);
    struct keyring joined;
    make(&joined, false);
    cr_assert_eq(keyring_unpack_cell(&opened, &joined).code, 0);
    cr_assert(secret_equal(&joined.ca, secret_slice(&keyring.ca)));
    cr_assert(secret_equal(&joined.log, secret_slice(&keyring.log)));
    secret_free(&packed);
    secret_free(&private);
    secret_free(&stranger);
    secret_free(&opened);
    keyring_free(&joined);
    keyring_free(&keyring);
}

static void body_of(uint64_t size, uint16_t cell, char room[static AUDIT_NOTE_BODY_MAX])
{
    struct audit_checkpoint checkpoint = { .size = size, .log_time_ms = 98765 };
    audit_origin(cell, checkpoint.origin);
    audit_checkpoint_body(&checkpoint, room);
}

Test(note, a_signed_checkpoint_opens_with_the_published_key_only)
{
    struct arena arena;
    arena_init(&arena, memory, sizeof(memory));
    struct keyring keyring;
    make(&keyring, true);
    char body[AUDIT_NOTE_BODY_MAX];
    char line[NOTE_LINE_MAX];
    char published[NOTE_LINE_MAX];
    char note[AUDIT_NOTE_MAX];
    body_of(1234, 1, body);
    cr_assert_eq(keyring_note_line(&keyring, 1, body, &arena, line).code, 0);
    cr_assert_eq(keyring_note_key(&keyring, 1, published).code, 0);
    (void)snprintf(note, sizeof(note), "%s\n%s", body, line);
    struct audit_key key;
    struct audit_checkpoint checkpoint;
    cr_assert(audit_key_parse(slice_text(published), &key));
    cr_assert_eq(audit_note_open(slice_text(note), &key, 1, &checkpoint), AUDIT_NOTE_HOLDS);
    cr_assert_eq(checkpoint.size, 1234);
    note[14] = note[14] == '9' ? '8' : '9'; /* A digit of the size. */
    cr_assert_neq(audit_note_open(slice_text(note), &key, 1, &checkpoint), AUDIT_NOTE_HOLDS);
    keyring_free(&keyring);
}

Test(note, the_log_key_signs_nothing_but_checkpoints_of_its_cell) /* INV-SEC-25 */
{
    struct arena arena;
    arena_init(&arena, memory, sizeof(memory));
    struct keyring keyring;
    struct keyring node;
    make(&keyring, true);
    make(&node, false);
    char good[AUDIT_NOTE_BODY_MAX];
    char other[AUDIT_NOTE_BODY_MAX];
    char line[NOTE_LINE_MAX];
    body_of(5, 1, good);
    body_of(5, 2, other);
    cr_assert_eq(keyring_note_line(&keyring, 1, good, &arena, line).code, 0);
    cr_assert_neq(keyring_note_line(&keyring, 1, other, &arena, line).code, 0);
    cr_assert_neq(keyring_note_line(&node, 1, good, &arena, line).code, 0);
    static const char *const bad[] = { "", "\n", "hello\n", "udatsu/0001\n5\n" };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        cr_assert_neq(keyring_note_line(&keyring, 1, bad[i], &arena, line).code, 0, "%zu", i);
    }
    keyring_free(&keyring);
    keyring_free(&node);
}
