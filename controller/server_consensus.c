/* Decides what consensus may ask of this controller and in what order engine and mirror hear of it.
 * Decides nothing that a replica must agree on. */
#include "controller/server_inner.h"

#include "base/check.h"
#include "base/mutant.h"
#include "wire/wire.h"

#include <string.h>

static void on_send(void *context, uint64_t peer, struct slice message)
{
    struct server *server = context;
    Wire__Identity identity = WIRE__IDENTITY__INIT;
    identity.kind = WIRE__KIND__KIND_CONTROLLER;
    identity.id = peer;
    Wire__RaftFrame raft = WIRE__RAFT_FRAME__INIT;
    memcpy(&raft.message.data, &message.data, sizeof(raft.message.data)); /* Only read. */
    raft.message.len = message.size;
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.peer = &identity;
    frame.body_case = WIRE__FRAME__BODY_RAFT;
    frame.raft = &raft;
    server->host.send(server->host.context, &frame);
}

/* INV-LOG-8: the index is marked before apply, so that an entry that kills us is known by name. */
static bool mark(struct server *server, uint64_t index)
{
    struct server_mark *at = server->conf.mark;
    if (at == NULL) {
        return true;
    }
    if (at->applying != 0 && at->index > index) {
        return true; /* We died further on, and come from an older mirror: the count must last. */
    }
    if (at->applying != 0 && at->index == index) {
        at->crashes++;
    } else {
        at->crashes = 0;
    }
    at->index = index;
    at->applying = 1;
    if (at->crashes >= SERVER_CRASHES_MAX) {
        server->poisoned = true;
    }
    return !server->poisoned;
}

static void on_apply(
    void *context, uint64_t index, uint64_t term, uint64_t ticket, struct slice bytes)
{
    struct server *server = context;
    Wire__Entry *entry = NULL;
    (void)term;
    if (server->poisoned || !mark(server, index)) {
        return; /* Nothing after a poison entry is applied; reads are stale and say so. */
    }
    /* The step resets the arena first; the entry is decoded into the scratch. */
    arena_reset(&server->scratch);
    struct result decoded = wire_decode(&wire__entry__descriptor, bytes, &server->scratch, &entry);
    CHECK(decoded.code == 0); /* INV-LOG-9: only what our encoder made is ever committed. */
    CHECK(entry_valid(entry));
    struct engine_event event = {
        .kind = ENGINE_APPLIED, .index = index, .ticket = ticket, .entry = entry
    };
    server->mirror_dirty = true;
    server_step(server, &event);
    if (server->conf.mark != NULL && server->conf.mark->index == index) {
        server->conf.mark->applying = 0;
    }
    if (store_waiting(server->store) > STORE_WAITING_MAX) {
        (void)mirror_drain(server, true); /* A log that is applied again has no turns between. */
    }
}

void server_members_tell(struct server *server)
{
    struct replica_status status;
    struct engine_member members[LIMIT_CONTROLLERS];
    replica_status(server->replica, &status);
    for (uint32_t i = 0; i < status.member_count; i++) {
        members[i] = (struct engine_member){ .id = status.members[i].id,
                                             .voter = (uint32_t)status.members[i].role - 1,
                                             .match = status.members[i].match,
                                             .heard_ms = status.members[i].heard_ms };
    }
    struct engine_event event = { .kind = ENGINE_MEMBERS,
                                  .members = members,
                                  .members_count = status.member_count,
                                  .leader = status.leader,
                                  .commit = status.commit,
                                  .poisoned = server->poisoned ? server->conf.mark->index : 0,
                                  .fit = status.room && !server->store_unfit && !server->poisoned };
    server_step(server, &event);
}

static void on_role(void *context, enum replica_role role, uint64_t term)
{
    struct server *server = context;
    struct engine_event event = { .kind = ENGINE_ROLE, .term = term };
    bool elected = role == REPLICA_ELECTING;
    event.role = role == REPLICA_LEADING || (elected && MUTANT(READ_BEFORE_THE_BARRIER))
                     ? ENGINE_LEADING
                 : elected ? ENGINE_ELECTING
                           : ENGINE_FOLLOWER;
    server->role = role;
    server->term = term;
    if (server->replica != NULL) {
        server_members_tell(server); /* A leader knows its members before it knows that it leads. */
    }
    server_step(server, &event);
}

static void on_lost(void *context, uint64_t ticket)
{
    struct engine_event event = { .kind = ENGINE_LOST, .ticket = ticket };
    server_step(context, &event);
}

static RESULT on_snapshot_take(void *context, uint64_t index, struct slice *manifest_out)
{
    struct server *server = context;
    if (server->poisoned || server->flushing || engine_applied(server->engine) > index) {
        return FAIL(FAILURE_BUSY);
    }
    server->mirror_dirty = true;
    TRY(mirror_reach(server, index));
    return snapshot_take(&server->snapshot, server->store, index, manifest_out);
}

static bool on_snapshot_ready(void *context, uint64_t peer, uint64_t index, struct slice manifest)
{
    struct server *server = context;
    return snapshot_ready(&server->snapshot, peer, index, manifest);
}

/* Links live longer than an engine: the one that comes knows whom it can reach. */
static void links_tell(struct server *server)
{
    for (size_t i = 0; i < COUNT_OF(server->linked); i++) {
        struct engine_event event = { .kind = ENGINE_LINK,
                                      .peer_kind = WIRE__KIND__KIND_CONTROLLER,
                                      .peer = server->linked[i],
                                      .up = true };
        if (server->linked[i] != 0) {
            server_step(server, &event);
        }
    }
}

static RESULT on_snapshot_restore(void *context, uint64_t index, struct slice manifest)
{
    struct server *server = context;
    struct engine_event leave = { .kind = ENGINE_LEAVE };
    if (!MUTANT(SNAPSHOT_ASKS_FORGOTTEN)) {
        server_step(server, &leave);
    }
    server->mirror_dirty = false;
    server->conf.engine.genesis = NULL; /* The cell has begun. */
    TRY(snapshot_install(
        &server->snapshot, &server->store, server->conf.store_directory, index, manifest));
    TRY(server_engine_fresh(server));
    TRY(mirror_restore(server));
    links_tell(server);
    /* Its term, too: it comes anew only with the next election, and until then a follower that does
     * not know it says no to every confirmed read. */
    struct engine_event follows = { .kind = ENGINE_ROLE,
                                    .role = ENGINE_FOLLOWER,
                                    .term = server->term };
    server_step(server, &follows);
    server_ring(server);
    return OK;
}

static uint64_t on_flushed_index(void *context)
{
    const struct server *server = context;
    return store_flushed_index(server->store);
}

static void on_halt(void *context, struct result why)
{
    struct server *server = context;
    struct server_mark *at = server->conf.mark;
    if (why.code != FAILURE_SET_BACK) {
        server->host.halt(server->host.context, result_name(why));
        return;
    }
    if (at != NULL) { /* INV-LOG-10: for good, also when those who know start anew. */
        at->set_back = 1;
    }
    server->host.halt(
        server->host.context,
        "this directory is an older copy of itself; remove this controller and join it anew");
}

struct replica_host server_consensus_host(struct server *server)
{
    return (struct replica_host){
        .context = server,
        .send = on_send,
        .apply = on_apply,
        .role = on_role,
        .lost = on_lost,
        .snapshot_take = on_snapshot_take,
        .snapshot_restore = on_snapshot_restore,
        .snapshot_ready = on_snapshot_ready,
        .flushed_index = on_flushed_index,
        .halt = on_halt,
    };
}
