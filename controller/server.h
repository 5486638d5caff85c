/* One controller without its sockets: the pure engine, consensus and the mirror, in one place. The
 * daemon (engine_main.c) and the simulator drive the same calls.
 *
 * The happy path: server_ask → engine queues → server_turn submits → replica commits → apply → rows
 * are mirrored behind → host.answer.
 * What can go wrong: the disk refuses (this replica is unfit: it hands leadership over and answers
 * deletes only), a snapshot arrives (files first, then the offer is taken), an entry kills us three
 * times (poisoned: it is named, nothing after it is applied), another majority holds another state
 * (diverged: halt). */
#ifndef CONTROLLER_SERVER_H
#define CONTROLLER_SERVER_H

#include "controller/core/engine.h"
#include "controller/replica.h"
#include "controller/store.h"

/* Survives a crash of the process (not of the machine): the daemon maps a file. */
struct server_mark {
    uint64_t index;   /* Being applied, or applied last. */
    uint32_t crashes; /* Deaths while applying it. */
    uint32_t applying;
    uint64_t set_back; /* This directory is an older copy of itself: it takes no part any more. */
};

enum { SERVER_CRASHES_MAX = 3 };

struct server_host {
    void *context;
    void (*send)(void *context, Wire__Frame *frame); /* To another machine; may drop. */
    void (*answer)(void *context, uint64_t handle, Wire__Answer *answer);
    void (*keys)(void *context, Wire__Frame *frame);
    void (*event)(void *context, const Wire__EventView *event);
    void (*renewed)(void *context, struct slice certificate); /* Empty: not now. */
    void (*ring)(void *context); /* Somebody was revoked, or all rows are new. NULL: no doors. */
    void (*halt)(void *context, const char *why); /* The process stops. */
    /* Zeroed, page-aligned memory; `old` (NULL the first time) is given back. */
    void *(*memory)(void *context, void *old, size_t size);
};

struct server_conf {
    struct engine_conf engine;
    struct replica_conf replica;
    const char *store_directory;
    const char *snapshots_directory;
    struct server_mark *mark;
};

struct server;

/* Opens log and mirror, restores the rows. `bootstrap`: make the log of a cell that begins. */
RESULT server_open(
    const struct server_conf *conf,
    struct disk disk,
    const struct server_host *host,
    uint64_t now_ms,
    uint64_t wall_ms,
    bool bootstrap,
    struct server **server_out);
void server_close(struct server *server);

void server_ask(struct server *server, uint64_t now_ms, uint64_t wall_ms, const Wire__Ask *ask);
/* A frame of another machine, stamped by link. */
void server_frame(
    struct server *server, uint64_t now_ms, uint64_t wall_ms, const Wire__Frame *frame);
void server_link(
    struct server *server,
    uint64_t now_ms,
    uint64_t wall_ms,
    Wire__Kind kind,
    uint64_t peer,
    bool up);
/* frame: TURNED_AWAY of one of our doors. */
void server_turned_away(
    struct server *server,
    uint64_t now_ms,
    uint64_t wall_ms,
    uint32_t door,
    const Wire__Frame *frame);
void server_keys(
    struct server *server, uint64_t now_ms, uint64_t wall_ms, const Wire__Frame *frame);
/* This controller's own certificate: `epoch` is that of the one in use, `late` says that there is
 * no more time to ask the log. The answer is host.renewed. */
void server_renew(
    struct server *server,
    uint64_t now_ms,
    uint64_t wall_ms,
    struct slice csr,
    uint32_t epoch,
    bool late);
void server_tick(struct server *server, uint64_t now_ms, uint64_t wall_ms);
/* Is there anything for server_turn to do? Calling it nevertheless does no harm. */
bool server_turn_due(const struct server *server);
/* The input of this turn of the loop is over. */
void server_turn(struct server *server, uint64_t now_ms, uint64_t wall_ms);

struct engine *server_engine(struct server *server);
void server_status(const struct server *server, struct replica_status *status_out);
bool server_poisoned(const struct server *server, uint64_t *index_out);
/* The mirror wants its flush: the daemon runs store_flush in its pool and says when it is done. */
struct store *server_flush_begin(struct server *server); /* NULL: nothing to flush now. */
void server_flush_end(struct server *server, struct result result);

#endif
