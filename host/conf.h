/* The two files that a machine is described by, both YAML. Unknown keys are refused by name, with
 * the line up to which all was well:
 *
 *   machine.yaml    written by a person or a tool: what this machine is and where things lie
 *   identity.yaml   in the data directory, written by udatsu-setup: who this machine is
 *
 * Read by parent and udatsu-setup only; the other programs get CONFIG. The one adapter to libcyaml.
 */
#ifndef HOST_CONF_H
#define HOST_CONF_H

#include "base/result.h"

#include <stdbool.h>
#include <stdint.h>

enum conf_kind { CONF_KIND_CONTROLLER = 1, CONF_KIND_NODE = 2 };

enum { CONF_ERROR_MAX = 512, CONF_SETTINGS_MAX = 64, CONF_USERS_MAX = 8, CONF_PEERS_MAX = 7 };

struct conf_user {
    char *program;
    char *user; /* A name, or a number. */
};

struct conf_setting {
    char *program;
    char *name;
    char *value;
};

struct conf {
    enum conf_kind kind;
    char *name;              /* Of this machine. */
    char *data;              /* Directory; each program has its own below it. */
    char *run;               /* Directory for the bus; empty at boot. */
    char *programs;          /* Directory of the programs; NULL: where udatsu-parent lies. */
    char *api;               /* Controllers: host:port for clients. */
    char *link;              /* Controllers: host:port on the management network. */
    char *underlay;          /* Nodes: address of the VXLAN end. */
    char *cgroup;            /* NULL: found. */
    struct conf_user *users; /* Default: udatsu-PROGRAM; host: root. */
    uint32_t users_count;
    struct conf_setting *settings; /* Handed to the program named. */
    uint32_t settings_count;
};

struct conf_peer {
    char *id;
    char *name;
    char *link;
    char *api;
};

struct conf_identity {
    uint16_t cell;
    char *id;
    bool first; /* This controller begins the cell. */
    struct conf_peer *controllers;
    uint32_t controllers_count;
};

/* FAILURE_BAD_INPUT with a sentence in `error`. */
RESULT conf_load(const char *path, struct conf **conf_out, char error[static CONF_ERROR_MAX]);
void conf_free(struct conf *conf);
RESULT conf_identity_load(
    const char *path, struct conf_identity **identity_out, char error[static CONF_ERROR_MAX]);
void conf_identity_free(struct conf_identity *identity);

#endif
