/* What udatsu-setup's files share: the options given, and the places of a machine's papers.
 *
 *   DATA/keys/keyring       private keys, 0600, keys' uid
 *   DATA/certificate.der    this machine's certificate, DATA/ca.der its CA: public
 *   DATA/identity.yaml      who this machine is; parent reads it
 *   DATA/pending/           between csr and adopt: the new key, and a controller's sealing key;
 * root */
#ifndef HOST_SETUP_H
#define HOST_SETUP_H

#include "base/arena.h"
#include "host/conf.h"
#include "host/keyring.h"
#include "host/x509.h"

#include <stdint.h>

struct setup {
    const char *config;         /* --config FILE: a machine. */
    const char *out;            /* --out DIR: a person's papers. */
    const char *name;           /* --name, of a person. */
    const char *first_operator; /* --operator NAME: the first one. */
    const char *operator_out;
    const char *id;
    const char *certificate;
    const char *ca;
    const char *sealed;
    uint16_t cell;
    const char *controllers[CONF_PEERS_MAX]; /* ID,NAME,LINK,API each. */
    uint32_t controllers_count;
    struct conf *conf; /* When --config was given. */
    struct arena arena;
};

/* Each says what went wrong on standard error; the exit status. */
int setup_cluster_init(struct setup *setup);
int setup_csr(struct setup *setup);
int setup_csr_again(struct setup *setup);
int setup_sealing_key(struct setup *setup);
int setup_adopt(struct setup *setup);

int setup_fail(const char *what, struct result why);
/* The uid that `program` runs as, from machine.yaml or the system's users. */
RESULT setup_user(const struct conf *conf, const char *program, uid_t *uid_out, gid_t *gid_out);
/* DATA/NAME. */
void setup_path(const struct setup *setup, const char *name, char *room, size_t size);
RESULT setup_write_identity(
    const struct setup *setup,
    const char *id,
    bool first,
    const struct conf_peer *controllers,
    uint32_t controllers_count);
/* Keyring, certificate and CA where parent and keys look for them. */
RESULT setup_install(
    const struct setup *setup,
    const struct keyring *keyring,
    struct slice certificate,
    struct slice ca);
/* key.pem, cert.pem, ca.pem in a directory; an empty part is left out. */
RESULT setup_write_person(
    struct setup *setup,
    const char *directory,
    const struct secret *key,
    struct slice certificate,
    struct slice ca);

#endif
