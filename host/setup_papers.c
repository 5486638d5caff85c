/* Decides where papers lie and who may read them. Makes no key and no certificate. */
#include "base/check.h"
#include "host/file.h"
#include "host/setup.h"

#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { YAML_MAX = 8192 };

int setup_fail(const char *what, struct result why)
{
    (void)fprintf(stderr, "udatsu-setup: %s: %s\n", what, result_name(why));
    return 1;
}

RESULT setup_user(const struct conf *conf, const char *program, uid_t *uid_out, gid_t *gid_out)
{
    char room[64];
    (void)snprintf(room, sizeof(room), "udatsu-%s", program);
    const char *user = room;
    for (uint32_t i = 0; i < conf->users_count; i++) {
        if (strcmp(conf->users[i].program, program) == 0) {
            user = conf->users[i].user;
        }
    }
    char *end = NULL;
    unsigned long number = strtoul(user, &end, 10);
    if (end != user && *end == '\0' && number < INT_MAX) {
        *uid_out = (uid_t)number;
        *gid_out = (gid_t)number;
        return OK;
    }
    const struct passwd *entry = getpwnam(user);
    if (entry == NULL) {
        return FAIL(FAILURE_NOT_FOUND);
    }
    *uid_out = entry->pw_uid;
    *gid_out = entry->pw_gid;
    return OK;
}

void setup_path(const struct setup *setup, const char *name, char *room, size_t size)
{
    CHECK(setup->conf != NULL);
    int used = snprintf(room, size, "%s/%s", setup->conf->data, name);
    CHECK(used > 0 && (size_t)used < size);
}

RESULT setup_write_identity(
    const struct setup *setup,
    const char *id,
    bool first,
    const struct conf_peer *controllers,
    uint32_t controllers_count)
{
    CHECK(setup->cell != 0);
    CHECK(controllers_count > 0);
    char text[YAML_MAX];
    int used = snprintf(
        text,
        sizeof(text),
        "cell: %u\nid: %s\nfirst: %s\ncontrollers:\n",
        (unsigned int)setup->cell,
        id,
        first ? "true" : "false");
    size_t at = (size_t)used;
    for (uint32_t i = 0; i < controllers_count; i++) {
        const struct conf_peer *peer = &controllers[i];
        used = snprintf(
            text + at,
            sizeof(text) - at,
            "  - {id: %s, name: %s, link: \"%s\", api: \"%s\"}\n",
            peer->id,
            peer->name,
            peer->link,
            peer->api);
        if (used < 0 || (size_t)used >= sizeof(text) - at) {
            return FAIL(FAILURE_FULL);
        }
        at += (size_t)used;
    }
    char path[PATH_MAX];
    setup_path(setup, "identity.yaml", path, sizeof(path));
    return file_replace(path, slice_of(text, at), (struct file_owner){ .mode = 0644 });
}

RESULT setup_install(
    const struct setup *setup,
    const struct keyring *keyring,
    struct slice certificate,
    struct slice ca)
{
    struct file_owner open_to_read = { .mode = 0644 };
    struct file_owner keys = { .mode = 0700 };
    char path[PATH_MAX];
    TRY(setup_user(setup->conf, "keys", &keys.uid, &keys.gid));
    setup_path(setup, "keys", path, sizeof(path));
    TRY(file_directory(setup->conf->data, (struct file_owner){ .mode = 0755 }));
    TRY(file_directory(path, keys));
    setup_path(setup, "keys/keyring", path, sizeof(path));
    struct keyring whole = *keyring; /* Borrowed, but for the certificate. */
    whole.certificate = (struct secret){ 0 };
    TRY(secret_copy(certificate, &whole.certificate));
    struct result written = keyring_write(path, &whole, keys.uid, keys.gid);
    secret_free(&whole.certificate);
    TRY(written);
    setup_path(setup, "ca.der", path, sizeof(path));
    TRY(file_replace(path, ca, open_to_read));
    setup_path(setup, "certificate.der", path, sizeof(path));
    return file_replace(path, certificate, open_to_read);
}

static RESULT write_pem(
    struct setup *setup,
    const char *directory,
    const char *file,
    const char *label,
    struct slice der,
    mode_t mode)
{
    if (der.size == 0) {
        return OK;
    }
    char path[PATH_MAX];
    int used = snprintf(path, sizeof(path), "%s/%s", directory, file);
    if (used < 0 || (size_t)used >= sizeof(path)) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    struct slice text = SLICE_EMPTY;
    TRY(x509_pem(label, der, &setup->arena, &text));
    struct file_owner owner = { .uid = getuid(), .gid = getgid(), .mode = mode };
    return file_replace(path, text, owner);
}

RESULT setup_write_person(
    struct setup *setup,
    const char *directory,
    const struct secret *key,
    struct slice certificate,
    struct slice ca)
{
    if (directory[0] != '/') {
        return FAIL(FAILURE_BAD_INPUT);
    }
    struct file_owner owner = { .uid = getuid(), .gid = getgid(), .mode = 0700 };
    TRY(file_directory(directory, owner));
    if (key != NULL) {
        TRY(write_pem(setup, directory, "key.pem", "PRIVATE KEY", secret_slice(key), 0600));
        arena_reset(&setup->arena); /* The PEM text of the key stood in it … */
        explicit_bzero(setup->arena.memory, setup->arena.size); /* … and is gone. */
    }
    TRY(write_pem(setup, directory, "cert.pem", "CERTIFICATE", certificate, 0644));
    return write_pem(setup, directory, "ca.pem", "CERTIFICATE", ca, 0644);
}
