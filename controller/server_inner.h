/* The server's own rooms, for the server_*.c files only. */
#ifndef CONTROLLER_SERVER_INNER_H
#define CONTROLLER_SERVER_INNER_H

#include "controller/leaves.h"
#include "controller/server.h"
#include "controller/snapshot.h"

enum {
    ASKS_PER_MS = 16384,   /* More than an engine numbers: see INV-SEC-35. */
    SERVER_MIRROR_MS = 50, /* Rows are mirrored at least this often while something changed. */
    SERVER_FLUSH_MS = 5000,
    SERVER_REOPEN_MS = 500, /* An unfit mirror's disk is tried this often: it costs a sync. */
    SERVER_WISHES = 16,     /* Calls of consensus that one step may ask for. */
    MIRROR_KEY_SIZE = 9,
};

struct server {
    struct server_conf conf;
    struct server_host host;
    struct replica *replica;
    struct store *store;
    struct engine *engine;
    void *memory; /* Of the engine. */
    struct effects *effects;
    struct arena arena;   /* Of one step. */
    struct arena scratch; /* Of mirror, snapshots and leaves. */
    struct snapshot snapshot;
    struct leaves leaves; /* Of this step. */
    uint64_t now_ms;
    uint64_t wall_ms;
    bool mirror_dirty;
    uint64_t mirrored_ms;
    uint64_t mirrored_index;
    bool flushing;
    uint64_t flushed_ms;
    bool poisoned;
    bool store_unfit;
    uint64_t reopen_ms; /* When its disk was tried last. */
    enum replica_role role;
    uint64_t term;                          /* As the engine was told last. */
    uint64_t linked[LIMIT_CONTROLLERS * 2]; /* Controllers whose link is up; 0: free. */
};

/* ---- server_mirror.c ---- */
RESULT mirror_restore(struct server *server);
/* Commits every row that changed. `force`: now, else when it is due. */
struct result mirror_drain(struct server *server, bool force);
/* The same, and the store's index is exactly `index`: barriers and membership changes move no row.
 */
struct result mirror_reach(struct server *server, uint64_t index);
/* True once, when the disk of an unfit mirror takes writes again: this process has to start over.
 */
bool mirror_again(struct server *server);
void mirror_leaf(struct server *server, uint64_t seq, struct slice leaf);
/* The leaves of a step become part of what is committed next. */
void mirror_step_end(struct server *server);
/* The key under which a row, or a leaf, lies. */
struct slice mirror_key(uint8_t tag, uint64_t id, uint8_t room[static MIRROR_KEY_SIZE]);

/* ---- server_leaves.c, server_proof.c ---- */
void mirror_read_leaves(struct server *server, const struct effect *effect);
/* Answers the checkpoint with the tenant's place in the map that it signs. */
void mirror_prove(struct server *server, const struct effect *effect);

/* ---- server.c ---- */
void server_now(struct server *server, uint64_t now_ms, uint64_t wall_ms);
void server_ring(struct server *server);
void server_step(struct server *server, struct engine_event *event);
void server_answer(struct server *server, uint64_t handle, uint64_t origin, Wire__Answer *answer);
RESULT server_engine_fresh(struct server *server);

/* ---- server_consensus.c ---- */
/* What consensus calls; valid as long as the server. */
struct replica_host server_consensus_host(struct server *server);
/* The engine hears who the members are and whether this one is fit. */
void server_members_tell(struct server *server);

#endif
