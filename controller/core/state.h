/* The replicated state: bounded tables of rows, changed by apply alone.
 *
 * Every replica that applied the same entries holds the same rows and the same digest. Rows hold no
 * pointers; what a row looks like on disk is rows.c's business. */
#ifndef CONTROLLER_CORE_STATE_H
#define CONTROLLER_CORE_STATE_H

#include "audit/audit.h"
#include "base/arena.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/index.h"
#include "base/limits.h"
#include "base/table.h"
#include "quota/floor.h"
#include "quota/ledger.h"
#include "wire/frame.h"

#include <common.pb-c.h>

/* Text that a person wrote. One type and one setter, so that it can be sealed and erased. */
struct tenant_text {
    char text[LIMIT_NAME];
};

struct place {
    char rack[LIMIT_NAME];
    char site[LIMIT_NAME];
    char country[8];
};

struct cell_row {
    struct row_head head;
    char name[LIMIT_NAME];
    uint64_t next_sequence;
    uint64_t log_time_ms; /* INV-TIME-1: never goes back. */
    uint64_t wall_ms;     /* Shown to people, never decided upon. INV-TIME-2 */
    uint32_t feature_level;
    uint8_t digest_salt[32];
    struct hash_key hash_key;
    struct audit_frontier frontier;
    struct audit_chain chain; /* The provider's own sub-log: tenant 0. */
    uint64_t elections;
    uint64_t term;
    uint64_t leader;
    uint32_t reserve_percent;
    uint32_t vcpu_ratio;
    uint64_t checkpoint_size;
    char checkpoint_note[1024];
    uint64_t disputed_index; /* Replicas differ here and no majority agrees: no writes. */
    uint32_t idempotency_keys;
    uint32_t idempotency_limit;
};

struct controller_row {
    struct row_head head;
    char name[LIMIT_NAME];
    char api_address[LIMIT_ADDRESS];
    char link_address[LIMIT_ADDRESS];
    struct place place;
    uint32_t epoch;
    uint32_t voter; /* 0 spare, 1 standby, 2 voter. */
    uint32_t feature_level;
    uint64_t wall_ms;
    uint64_t wall_log_ms; /* Log time when its clock showed wall_ms; 0: not said yet. */
    uint64_t created_at;
    bool leaving;
    bool away;         /* The leader heard nothing of it. */
    uint64_t refusals; /* Folded refusals of it that became leaves. */
    uint64_t
        processes[PROGRAMS_END]; /* When each program last started, its boot's ms; 0: unheard. */
};

struct node_row {
    struct row_head head;
    char name[LIMIT_NAME];
    struct place place;
    uint32_t epoch;
    Wire__Liveness liveness;
    char reason[LIMIT_REASON];
    char link_address[LIMIT_ADDRESS];
    char underlay_address[LIMIT_ADDRESS];
    uint64_t vcpus;
    uint64_t memory_bytes;
    uint64_t vcpus_placed;
    uint64_t memory_bytes_placed;
    uint32_t instances;
    char virtualization[16];
    char fallbacks[LIMIT_NODE_FALLBACKS][LIMIT_REASON];
    uint32_t fallbacks_count;
    uint8_t images[LIMIT_NODE_IMAGES][32]; /* SHA-256 of verified files, ascending. */
    uint32_t images_count;
    uint8_t boot_id[16];
    uint64_t created_at;
    uint64_t
        processes[PROGRAMS_END]; /* When each program last started, its boot's ms; 0: unheard. */
    uint32_t conditions;         /* Bits of NodeCondition. */
    uint32_t first_placed;       /* presence.h; never encoded. */
};

struct tenant_row {
    struct row_head head;
    struct tenant_text name;
    struct quota_account account;
    uint64_t vcpus_placed; /* What runs on nodes now, against the floors. */
    uint64_t memory_bytes_placed;
    struct audit_chain chain; /* Its sub-log. A deleted tenant's row stays, gone, to keep it. */
    bool gone;
    uint32_t idempotency_keys;
    uint32_t children;
    uint64_t created_at;
    uint64_t revision;
    uint32_t first_placed; /* presence.h; never encoded. */
};

struct project_row {
    struct row_head head;
    struct tenant_id tenant;
    struct tenant_text name;
    bool is_default;
    struct quota_account account;
    uint32_t children;
    uint64_t created_at;
};

struct user_row {
    struct row_head head;
    struct tenant_text name;
    Wire__Role role;
    struct tenant_id tenant;
    uint32_t epoch;
    bool revoked;
    uint64_t created_at;
};

struct image_row {
    struct row_head head;
    char name[LIMIT_NAME];
    uint8_t kernel_sha256[32];
    uint8_t initramfs_sha256[32];
    uint32_t instances;
    uint64_t created_at;
};

struct network_row {
    struct row_head head;
    struct tenant_id tenant;
    struct project_id project;
    struct tenant_text name;
    uint32_t base; /* IPv4, host order. */
    uint32_t prefix;
    uint32_t addresses; /* In use. */
    uint32_t cursor;    /* The index given last; the next search begins after it. */
    uint32_t vni;       /* INV-NET-1: no other live network has it. */
    uint64_t created_at;
    uint64_t revision;
    uint32_t first_placed; /* presence.h; never encoded. */
};

struct nic {
    struct network_id network;
    uint32_t address;
    uint64_t came_at; /* The entry that brought this network to the node; 0: it was there, or it is
                         not known any more. Never encoded. */
};

/* One of the lists that presence.h keeps: a node, a tenant, each network. */
struct presence_link {
    uint32_t next;
    uint32_t previous;
};

enum { PRESENCE_PLACES = 2 + LIMIT_INSTANCE_NETWORKS };

struct label {
    char key[LIMIT_LABEL_KEY];
    char value[LIMIT_LABEL_VALUE];
};

/* Why a node was chosen, as the leader saw it. */
struct choice {
    uint32_t why; /* enum explain_why; 0: nothing was chosen. */
    uint32_t nodes;
    uint32_t passed;
    struct node_id runner_up; /* 0: none. */
};

struct instance_row {
    struct row_head head;
    struct tenant_id tenant;
    struct project_id project;
    struct tenant_text name;
    struct image_id image;
    uint32_t vcpus;
    uint64_t memory_bytes;
    struct nic nics[LIMIT_INSTANCE_NETWORKS];
    uint32_t nics_count;
    struct label labels[LIMIT_LABELS];
    uint32_t labels_count;
    Wire__OnFailure on_failure;
    uint32_t max_attempts;
    uint32_t attempts;
    Wire__Where where;
    struct tenant_text spread;
    uint32_t state; /* Wire__InstanceState, moved by instance_move alone. */
    Wire__Desired desired;
    char reason[LIMIT_REASON];
    struct node_id node;  /* 0: none; else its room there is charged. */
    struct choice choice; /* Of the node that it has, or had last. */
    uint64_t generation;  /* Counts the orders; never goes back. */
    uint64_t epoch;       /* Counts the placements; never goes back. INV-VM-1. */
    uint64_t boots;
    bool held;
    bool force;
    struct operation_id operation;
    uint64_t created_at;
    uint64_t revision;
    struct presence_link links[PRESENCE_PLACES];
};

/* A write that was accepted, and the memory of it: the key and the digest of what was asked. */
struct operation_row {
    struct row_head head;
    char kind[32];
    Wire__OperationState state;
    struct tenant_id tenant;
    Wire__Kind initiator_kind;
    uint64_t initiator;
    Wire__Kind resource_kind;
    uint64_t resource;
    struct tenant_text resource_name;
    uint32_t reject;
    char reason[LIMIT_REASON];
    uint64_t created_at;
    uint64_t done_at;
    uint64_t done_ms;
    struct tenant_id asker_tenant; /* Whose memory it takes room in; 0: the provider's. */
    char key[LIMIT_IDEMPOTENCY_KEY];
    uint8_t request_digest[32];
    uint64_t made_ms;
    bool counted; /* Against the bound of what is remembered. One that runs: for a day at most. */
};

struct alarm_row {
    struct row_head head;
    char name[32];
    Wire__Kind kind;
    uint64_t subject;
    char reason[LIMIT_REASON];
    uint64_t since_at;
    uint64_t cleared_at; /* 0: raised. */
};

struct token_row {
    struct row_head head;
    Wire__Kind kind;
    uint8_t secret_sha256[32];
    char name[LIMIT_NAME];
    struct place place;
    uint64_t expires_ms;
    uint64_t expires_at;
    uint64_t subject;
    uint8_t csr_sha256[32];
    bool used;
};

/* The tables, in the order in which they are mirrored; the tag is the first byte of a row's key.
 * Rows of another ROW_FORMAT, whose tags may have meant something else, are not read. */
enum state_table {
    TABLE_CELL = 1,
    TABLE_CONTROLLER = 2,
    TABLE_NODE = 3,
    TABLE_TENANT = 4,
    TABLE_PROJECT = 5,
    TABLE_USER = 6,
    TABLE_IMAGE = 7,
    TABLE_NETWORK = 8,
    TABLE_INSTANCE = 9,
    TABLE_OPERATION = 10,
    TABLE_ALARM = 11,
    TABLE_TOKEN = 12,
    TABLES_END
};

/* Whoever keeps a copy of the rows: told of each row that an entry changed, at its end. `bytes` is
 * the row as rows_encode makes it, empty when it was removed, and lives until the call returns. */
struct state_copy {
    void (*row)(void *context, enum state_table table, uint64_t id, struct slice bytes);
    void *context;
};

/* How many rows each table can hold; state_capacity_default() gives the lab's. */
struct state_capacity {
    uint32_t rows[TABLES_END];
};

/* Sums over rows, kept while rows change and recounted after a restore; not part of the digest. */
struct state_sums {
    struct quota_amounts capacity; /* Σ nodes, vcpus after the ratio; the rest unlimited. */
    struct quota_amounts claims;   /* Σ tenants max(placed, floor). */
    struct quota_amounts floors;   /* Σ tenants. */
};

enum { STATE_NODES_CHANGED = LIMIT_COMMANDS_PER_ENTRY };

struct state {
    uint16_t cell; /* Known from configuration before the first entry. */
    struct table tables[TABLES_END];
    uint32_t
        limit[TABLES_END];    /* Live rows; the tables have room for an entry's removals besides. */
    struct state_copy copy;   /* Called once it is set. */
    struct index names;       /* Names, tokens' digests, idempotency keys, addresses. */
    struct hash_key hash_key; /* Of the cell row; zero before genesis. */
    struct state_sums sums;
    uint64_t digest; /* Σ of row digests: equal index, equal digest. INV-REF-1. */
    /* Node rows that entries changed since somebody set the count to zero; above the bound: more
     * than are listed. For views of all nodes that follow the rows. */
    uint64_t nodes_changed[STATE_NODES_CHANGED];
    uint32_t nodes_changed_count;
};

struct state_capacity state_capacity_default(void);
size_t state_memory(const struct state_capacity *capacity);
/* `memory` is zeroed and stays the caller's. */
void state_init(
    struct state *state, uint16_t cell, const struct state_capacity *capacity, void *memory);

struct cell_row *state_cell(const struct state *state); /* NULL before genesis. */
void *state_find(const struct state *state, enum state_table table, uint64_t id);
void *state_first(const struct state *state, enum state_table table);
void *state_next(const struct state *state, enum state_table table, const void *row);
uint32_t state_count(const struct state *state, enum state_table table);
bool state_full(const struct state *state, enum state_table table);
/* INV-SHARE-1: who has `own` rows of a table that tenants share takes one more only while fewer are
 * his than are left: one never has more than half, and whoever has none finds room. */
bool state_may_take(uint32_t own, uint32_t left);

/* 0: objects of this kind are in no table. */
enum state_table state_table_of(Wire__Kind kind);
/* What people call this object; "": it has no name, or is gone. */
const char *state_name(const struct state *state, Wire__Kind kind, uint64_t id);

/* ---- Changes: for apply and for restore only. ---- */

/* The next id of the cell. Ids are given in log order and never again. */
uint64_t state_next_id(struct state *state);
void *state_insert(struct state *state, enum state_table table, uint64_t id);
void state_touch(struct state *state, enum state_table table, void *row);
void state_remove(struct state *state, enum state_table table, void *row);
/* Counts every row changed since the last call into the digest and tells the copy: at the end of
 * each entry. */
void state_settle(struct state *state, struct arena *scratch);

/* Sums from the rows, after a restore and whenever a node or a floor changes. */
void state_recount(struct state *state);
struct quota_amounts state_placed(const struct tenant_row *tenant);
struct quota_amounts state_claim(const struct tenant_row *tenant);

bool tenant_text_set(struct tenant_text *text, const char *from); /* False: unclean or too long. */

/* ---- Names ---- */

/* Puts or drops every key by which a row is found: its name, addresses, token digest. Called once
 * after a row was filled, and once before it is removed; those fields do not change in between. */
void state_index(struct state *state, enum state_table table, const void *row, bool put);
/* `scope` is the id that the name is unique under (tenant, project …), 0: the cell. */
/* By name or UUID text; NULL: not there. For tables whose rows are found by names of people. */
void *state_lookup(
    const struct state *state, enum state_table table, uint64_t scope, const char *name_or_id);
/* The write of this principal that came with this idempotency key, or NULL. */
struct operation_row *state_write(
    const struct state *state, uint64_t tenant, uint64_t principal, const char *key);
struct token_row *state_token(const struct state *state, struct slice secret_sha256);
struct network_row *state_vni(const struct state *state, uint32_t vni);
/* The instance that holds this address in this network, or NULL. */
struct instance_row *state_address(
    const struct state *state, struct network_id network, uint32_t address);

#endif
