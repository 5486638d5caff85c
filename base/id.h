/* Identities. Every id is one 64-bit number that carries its cell: cell (16 bits) | sequence
 * (48 bits). Sequences are given by apply, in log order, and are never re-issued (JASA 7.2.1.13).
 * The text form is a UUIDv8 (RFC 9562) that also names the kind:
 *
 *     CCCCKKKK-0000-8000-8000-SSSSSSSSSSSS      cell, kind, sequence, in lower-case hex
 *
 * Each kind has a one-field struct, so that a tenant cannot be passed where a node is wanted. */
#ifndef BASE_ID_H
#define BASE_ID_H

#include <stdbool.h>
#include <stdint.h>

/* Numbers are part of ids that people keep: never reused. */
enum id_kind {
    ID_CELL = 1,
    ID_CONTROLLER = 2,
    ID_NODE = 3,
    ID_TENANT = 4,
    ID_PROJECT = 5,
    ID_USER = 6, /* Every person and service account: operator, auditor, tenant user. */
    ID_IMAGE = 7,
    ID_NETWORK = 8,
    ID_INSTANCE = 9,
    ID_OPERATION = 10,
    ID_ALARM = 11,
    ID_TOKEN = 12, /* A one-time join or enrolment token. */
    ID_KINDS_END
};

struct controller_id {
    uint64_t value;
};
struct node_id {
    uint64_t value;
};
struct tenant_id {
    uint64_t value;
};
struct project_id {
    uint64_t value;
};
struct user_id {
    uint64_t value;
};
struct image_id {
    uint64_t value;
};
struct network_id {
    uint64_t value;
};
struct instance_id {
    uint64_t value;
};
struct operation_id {
    uint64_t value;
};

enum { ID_TEXT_SIZE = 37 }; /* 36 characters and the terminator. */

/* cell ≥ 1; sequence in 1 … 2^48 - 1. */
uint64_t id_make(uint16_t cell, uint64_t sequence);
uint16_t id_cell(uint64_t id);
uint64_t id_sequence(uint64_t id);

void id_format(enum id_kind kind, uint64_t id, char out[static ID_TEXT_SIZE]);
/* False, and nothing is written, unless the text is exactly the form above and of this kind. */
bool id_parse(enum id_kind kind, const char *text, uint64_t *id_out);
/* "instance", "node" …: the noun of the CLI and of messages. */
const char *id_kind_name(enum id_kind kind);

#endif
