/* Decides how a cell begins, and how a machine or a person asks for a certificate and takes it in.
 * Never speaks to a network: the CLI carries the papers. */
#include "base/check.h"
#include "base/id.h"
#include "base/limits.h"
#include "host/clock.h"
#include "host/file.h"
#include "host/seal.h"
#include "host/setup.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    FIRST_CONTROLLER = 1, /* Sequences that Genesis gives (wire/command.proto). */
    FIRST_OPERATOR = 2,
    BUNDLE_MAX = 8192,
};

/* The host part of "host:port". */
static void host_of(const char *address, char room[static LIMIT_ADDRESS])
{
    const char *colon = strrchr(address, ':');
    size_t size = colon == NULL ? strlen(address) : (size_t)(colon - address);
    bool bracketed = size > 2 && address[0] == '[' && address[size - 1] == ']';
    address += bracketed ? 1 : 0;
    size -= bracketed ? 2 : 0;
    size = size < LIMIT_ADDRESS ? size : LIMIT_ADDRESS - 1;
    memcpy(room, address, size);
    room[size] = '\0';
}

static RESULT issue(
    struct setup *setup,
    const struct keyring *keyring,
    struct slice ca,
    const struct secret *key,
    struct x509_request *request,
    struct slice *certificate_out)
{
    struct slice csr = SLICE_EMPTY;
    request->now_seconds = clock_wall_ms() / 1000U;
    TRY(x509_csr_make(key, request->name, &setup->arena, &csr));
    return x509_issue(&keyring->ca, ca, csr, request, &setup->arena, certificate_out);
}

static RESULT write_log_key(const struct setup *setup, const struct keyring *keyring)
{
    char text[NOTE_LINE_MAX];
    char path[PATH_MAX];
    TRY(keyring_note_key(keyring, setup->cell, text));
    size_t size = strlen(text);
    CHECK(size + 1 < sizeof(text));
    text[size] = '\n';
    int used = snprintf(path, sizeof(path), "%s/log.pub", setup->operator_out);
    if (used < 0 || (size_t)used >= sizeof(path)) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    struct file_owner owner = { .uid = getuid(), .gid = getgid(), .mode = 0644 };
    return file_replace(path, slice_of(text, size + 1), owner);
}

static RESULT make_operator(struct setup *setup, const struct keyring *keyring, struct slice ca)
{
    struct secret key = { 0 };
    TRY(x509_key_make(X509_KEY_P256, &key));
    struct x509_request request = {
        .identity = { .kind = WIRE__KIND__KIND_USER, .id = id_make(setup->cell, FIRST_OPERATOR) },
        .name = setup->first_operator == NULL ? "operator" : setup->first_operator,
    };
    /* The key first: the arena is wiped after it. */
    struct result done =
        setup_write_person(setup, setup->operator_out, &key, SLICE_EMPTY, SLICE_EMPTY);
    struct slice certificate = SLICE_EMPTY;
    if (done.code == 0) {
        done = issue(setup, keyring, ca, &key, &request, &certificate);
    }
    secret_free(&key);
    TRY(done);
    TRY(setup_write_person(setup, setup->operator_out, NULL, certificate, ca));
    return write_log_key(setup, keyring);
}

static RESULT make_cell(struct setup *setup, struct keyring *keyring)
{
    TRY(x509_key_make(X509_KEY_P256, &keyring->ca));
    TRY(x509_key_make(X509_KEY_ED25519, &keyring->log));
    TRY(x509_key_make(X509_KEY_P256, &keyring->machine));
    static uint8_t ca_room[X509_CERTIFICATE_MAX]; /* Outlives the wipe of the arena. */
    struct slice ca = SLICE_EMPTY;
    uint64_t now = clock_wall_ms() / 1000U;
    TRY(x509_ca_make(&keyring->ca, setup->cell, now, &setup->arena, &ca));
    CHECK(ca.size <= sizeof(ca_room));
    memcpy(ca_room, ca.data, ca.size);
    ca.data = ca_room;
    TRY(make_operator(setup, keyring, ca));
    char hosts[2][LIMIT_ADDRESS];
    host_of(setup->conf->api, hosts[0]);
    host_of(setup->conf->link, hosts[1]);
    const char *addresses[2] = { hosts[0], hosts[1] };
    struct x509_request request = {
        .identity = { .kind = WIRE__KIND__KIND_CONTROLLER,
                      .id = id_make(setup->cell, FIRST_CONTROLLER) },
        .name = setup->conf->name,
        .addresses = addresses,
        .addresses_count = strcmp(hosts[0], hosts[1]) == 0 ? 1 : 2,
    };
    struct slice certificate = SLICE_EMPTY;
    TRY(issue(setup, keyring, ca, &keyring->machine, &request, &certificate));
    TRY(setup_install(setup, keyring, certificate, ca));
    char id[ID_TEXT_SIZE];
    id_format(ID_CONTROLLER, request.identity.id, id);
    struct conf_peer self = {
        .id = id, .name = setup->conf->name, .link = setup->conf->link, .api = setup->conf->api
    };
    return setup_write_identity(setup, id, true, &self, 1);
}

static bool exists(const struct setup *setup, const char *name)
{
    char path[PATH_MAX];
    setup_path(setup, name, path, sizeof(path));
    return access(path, F_OK) == 0;
}

int setup_cluster_init(struct setup *setup)
{
    if (exists(setup, "identity.yaml") || exists(setup, "keys/keyring")) {
        return setup_fail("this machine has an identity already", FAIL(FAILURE_EXISTS));
    }
    struct keyring keyring = { 0 };
    struct result made = make_cell(setup, &keyring);
    keyring_free(&keyring);
    return made.code == 0 ? 0 : setup_fail("cluster-init", made);
}

static int print_bytes(struct slice bytes)
{
    bool whole = fwrite(bytes.data, 1, bytes.size, stdout) == bytes.size && fflush(stdout) == 0;
    return whole ? 0 : setup_fail("standard output", FAIL(FAILURE_IO));
}

/* A new key each time: an interrupted join begins anew. */
static RESULT machine_csr(struct setup *setup, struct slice *csr_out)
{
    char path[PATH_MAX];
    struct keyring pending = { 0 };
    setup_path(setup, "pending", path, sizeof(path));
    TRY(file_directory(setup->conf->data, (struct file_owner){ .mode = 0755 }));
    TRY(file_directory(path, (struct file_owner){ .mode = 0700 }));
    TRY(x509_key_make(X509_KEY_P256, &pending.machine));
    setup_path(setup, "pending/keyring", path, sizeof(path));
    struct result done = keyring_write(path, &pending, 0, 0);
    if (done.code == 0) {
        done = x509_csr_make(&pending.machine, setup->conf->name, &setup->arena, csr_out);
    }
    keyring_free(&pending);
    return done;
}

int setup_csr(struct setup *setup)
{
    struct slice csr = SLICE_EMPTY;
    struct result done = OK;
    if (setup->conf != NULL) {
        if (exists(setup, "identity.yaml")) {
            return setup_fail("this machine has an identity already", FAIL(FAILURE_EXISTS));
        }
        done = machine_csr(setup, &csr);
    } else if (strlen(setup->name) == 0 || strlen(setup->name) >= LIMIT_NAME) {
        done = FAIL(FAILURE_BAD_INPUT);
    } else {
        struct secret key = { 0 };
        done = x509_key_make(X509_KEY_P256, &key);
        if (done.code == 0) {
            done = setup_write_person(setup, setup->out, &key, SLICE_EMPTY, SLICE_EMPTY);
        }
        if (done.code == 0) {
            done = x509_csr_make(&key, setup->name, &setup->arena, &csr);
        }
        secret_free(&key);
    }
    return done.code == 0 ? print_bytes(csr) : setup_fail("csr", done);
}

static RESULT read_file(struct setup *setup, const char *path, struct slice *bytes_out)
{
    uint8_t *room = arena_take(&setup->arena, BUNDLE_MAX);
    size_t size = 0;
    if (room == NULL) {
        return FAIL(FAILURE_FULL);
    }
    TRY(file_read(path, room, BUNDLE_MAX, &size));
    *bytes_out = slice_of(room, size);
    return OK;
}

/* A person renews with the key that he has: one file changes then, and is replaced whole. */
int setup_csr_again(struct setup *setup)
{
    char path[PATH_MAX];
    struct slice text = SLICE_EMPTY;
    struct slice der = SLICE_EMPTY;
    struct slice csr = SLICE_EMPTY;
    struct secret key = { 0 };
    int used = snprintf(path, sizeof(path), "%s/key.pem", setup->out);
    struct result done = used > 0 && (size_t)used < sizeof(path) && strlen(setup->name) > 0 &&
                                 strlen(setup->name) < LIMIT_NAME
                             ? read_file(setup, path, &text)
                             : FAIL(FAILURE_BAD_INPUT);
    done = done.code != 0 ? done : x509_unpem("PRIVATE KEY", text, &setup->arena, &der);
    done = done.code != 0 ? done : secret_copy(der, &key);
    arena_reset(&setup->arena);                             /* The key stood in it … */
    explicit_bzero(setup->arena.memory, setup->arena.size); /* … and is gone. */
    done = done.code != 0 ? done : x509_csr_make(&key, setup->name, &setup->arena, &csr);
    secret_free(&key);
    return done.code == 0 ? print_bytes(csr) : setup_fail("csr-again", done);
}

int setup_sealing_key(struct setup *setup)
{
    uint8_t public[SEAL_KEY_BYTES];
    struct secret private = { 0 };
    char path[PATH_MAX];
    if (setup->conf->kind != CONF_KIND_CONTROLLER || !exists(setup, "pending")) {
        return setup_fail("sealing-key is for a controller, after csr", FAIL(FAILURE_NOT_FOUND));
    }
    setup_path(setup, "pending/sealing", path, sizeof(path));
    struct result done = seal_pair(&private, public);
    if (done.code == 0) {
        done = file_replace(path, secret_slice(&private), (struct file_owner){ .mode = 0600 });
    }
    secret_free(&private);
    return done.code == 0 ? print_bytes(slice_of(public, sizeof(public)))
                          : setup_fail("sealing-key", done);
}

/* The cell's keys, sealed to the key that `sealing-key` made. */
static RESULT unseal(struct setup *setup, struct keyring *keyring)
{
    char path[PATH_MAX];
    struct slice sealed = SLICE_EMPTY;
    struct secret private = { 0 };
    TRY(read_file(setup, setup->sealed, &sealed));
    TRY(secret_make(SEAL_KEY_BYTES, &private));
    setup_path(setup, "pending/sealing", path, sizeof(path));
    size_t size = 0;
    struct result done = file_read(path, private.data, private.size, &size);
    struct secret packed = { 0 };
    if (done.code == 0) {
        done =
            size == SEAL_KEY_BYTES ? seal_open(&private, sealed, &packed) : FAIL(FAILURE_CORRUPT);
    }
    secret_free(&private);
    TRY(done);
    done = keyring_unpack_cell(&packed, keyring);
    secret_free(&packed);
    return done;
}

/* Splits "ID,NAME,LINK,API" in place of a copy in the arena. */
static RESULT take_controller(struct setup *setup, const char *text, struct conf_peer *peer_out)
{
    size_t size = strlen(text) + 1;
    char *copy = arena_take(&setup->arena, size);
    if (copy == NULL) {
        return FAIL(FAILURE_FULL);
    }
    memcpy(copy, text, size);
    char **parts[] = { &peer_out->id, &peer_out->name, &peer_out->link, &peer_out->api };
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        if (copy == NULL || copy[0] == '\0') {
            return FAIL(FAILURE_BAD_INPUT);
        }
        *parts[i] = copy;
        copy = strchr(copy, ',');
        if (copy != NULL) {
            *copy++ = '\0';
        }
    }
    uint64_t id = 0;
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyz0123456789-.:[]"; /* Nothing that YAML would read. */
    bool good = copy == NULL && id_parse(ID_CONTROLLER, peer_out->id, &id) &&
                text_is_name(peer_out->name) && id_cell(id) == setup->cell &&
                strspn(peer_out->link, plain) == strlen(peer_out->link) &&
                strspn(peer_out->api, plain) == strlen(peer_out->api);
    return good ? OK : FAIL(FAILURE_BAD_INPUT);
}

/* The certificate must speak for the id we were given, of this cell, and be signed by this CA. */
static RESULT check_certificate(
    const struct setup *setup, struct slice certificate, struct slice ca)
{
    struct x509_facts facts;
    bool controller = setup->conf->kind == CONF_KIND_CONTROLLER;
    uint64_t id = 0;
    TRY(x509_verify(certificate, ca, clock_wall_ms() / 1000U, &facts));
    bool good =
        id_parse(controller ? ID_CONTROLLER : ID_NODE, setup->id, &id) && facts.identity.id == id &&
        id_cell(id) == setup->cell &&
        facts.identity.kind == (controller ? WIRE__KIND__KIND_CONTROLLER : WIRE__KIND__KIND_NODE);
    return good ? OK : FAIL(FAILURE_BAD_INPUT);
}

static RESULT adopt_machine(struct setup *setup, struct keyring *keyring)
{
    struct slice certificate = SLICE_EMPTY;
    struct slice ca = SLICE_EMPTY;
    struct conf_peer peers[CONF_PEERS_MAX] = { 0 };
    char path[PATH_MAX];
    TRY(read_file(setup, setup->certificate, &certificate));
    TRY(read_file(setup, setup->ca, &ca));
    TRY(check_certificate(setup, certificate, ca));
    for (uint32_t i = 0; i < setup->controllers_count; i++) {
        TRY(take_controller(setup, setup->controllers[i], &peers[i]));
    }
    setup_path(setup, "pending/keyring", path, sizeof(path));
    TRY(keyring_read(path, keyring));
    if (setup->conf->kind == CONF_KIND_CONTROLLER) {
        if (setup->sealed == NULL) {
            return FAIL(FAILURE_BAD_INPUT); /* A controller holds the cell's keys. */
        }
        TRY(unseal(setup, keyring));
    }
    TRY(setup_install(setup, keyring, certificate, ca));
    TRY(setup_write_identity(setup, setup->id, false, peers, setup->controllers_count));
    (void)unlink(path); /* What is left of the join; the keyring has it now. */
    setup_path(setup, "pending/sealing", path, sizeof(path));
    (void)unlink(path);
    setup_path(setup, "pending", path, sizeof(path));
    (void)rmdir(path);
    return OK;
}

static RESULT adopt_person(struct setup *setup)
{
    struct slice certificate = SLICE_EMPTY;
    struct slice ca = SLICE_EMPTY;
    struct x509_facts facts;
    TRY(read_file(setup, setup->certificate, &certificate));
    TRY(read_file(setup, setup->ca, &ca));
    TRY(x509_verify(certificate, ca, clock_wall_ms() / 1000U, &facts));
    return setup_write_person(setup, setup->out, NULL, certificate, ca);
}

int setup_adopt(struct setup *setup)
{
    if (setup->conf == NULL) {
        struct result done = adopt_person(setup);
        return done.code == 0 ? 0 : setup_fail("adopt", done);
    }
    if (exists(setup, "identity.yaml")) {
        return setup_fail("this machine has an identity already", FAIL(FAILURE_EXISTS));
    }
    struct keyring keyring = { 0 };
    struct result done = adopt_machine(setup, &keyring);
    keyring_free(&keyring);
    return done.code == 0 ? 0 : setup_fail("adopt", done);
}
