/* apply: the only door to change. Every replica calls it with the same commands in the same order
 * and comes to the same rows. It may reject; it cannot fail.
 *
 * The leader asks the same code in advance with `dry`: every check is made, nothing is changed, so
 * what the door refuses and what the log refuses can never differ. */
#ifndef CONTROLLER_CORE_APPLY_H
#define CONTROLLER_CORE_APPLY_H

#include "access/authz.h"
#include "base/reject.h"
#include "controller/core/effects.h"
#include "controller/core/state.h"

#include <audit.pb-c.h>
#include <command.pb-c.h>

/* What came of a command. Strings live in the step's arena. */
struct outcome {
    enum reject reject;
    Wire__Problem problem;  /* With a reject. */
    uint64_t operation;     /* Writes that were accepted. */
    bool repeated;          /* The same request was accepted before; nothing was done now. */
    Wire__Identity subject; /* Join, renew: whom the certificate will name. */
    uint64_t resource;      /* What was made or changed. */
    Wire__Kind resource_kind;
};

struct apply {
    struct state *state;
    struct effects *effects; /* NULL when dry. */
    struct arena *scratch;   /* For the outcome's strings and for encoding. */
    uint64_t index;          /* Of the entry. */
    uint64_t said_wall_ms;   /* Of the entry: the leader's clock. */
    uint64_t wall_ms;        /* What the cell makes of it (INV-TIME-2): for people only. */
    bool dry;
    uint32_t part; /* Counts the events of this index. */
    /* The request under way. */
    const Wire__Asked *asked;
    enum access_operation operation;
    Wire__Kind actor_kind;
    uint64_t actor;
    struct access_principal who;
};

/* One whole committed entry. `outcomes` has room for LIMIT_COMMANDS_PER_ENTRY; the i-th is the i-th
 * command's. Settles the digest. The entry has been through entry_valid. */
void apply_entry(struct apply *apply, const Wire__Entry *entry, struct outcome *outcomes);
/* Would this be accepted now? apply->dry is set; asked->node may be 0: then no node is checked. */
void apply_trial(struct apply *apply, const Wire__Asked *asked, struct outcome *outcome);
/* Bounds and form of an entry, whoever made it. A committed entry that is not valid is poison. */
bool entry_valid(const Wire__Entry *entry);
/* The principal's row as authorization sees it; false: there is no such principal. */
bool apply_principal(
    const struct state *state, const Wire__Identity *identity, struct access_principal *who_out);

/* ---- For the apply_*.c files only. ---- */

/* Sets a reject with its words; `pointer` is the JSON pointer of the field, or "". */
void refuse(
    const struct apply *apply,
    struct outcome *outcome,
    enum reject reject,
    const char *detail,
    const char *pointer,
    const char *hint);
void refuse_quota(
    const struct apply *apply,
    struct outcome *outcome,
    enum reject reject,
    const struct quota_refusal *refusal);
/* Is this a sound name that nobody has, in a table with room? Else refused. */
bool apply_name_free(
    const struct apply *apply,
    struct outcome *outcome,
    enum state_table table,
    uint64_t scope,
    const char *name);
/* If-Match: does the object still stand where the client saw it? Else refused. */
bool apply_matches(const struct apply *apply, struct outcome *outcome, uint64_t revision);
const char *apply_id_text(const struct apply *apply, enum id_kind kind, uint64_t id);

/* Tenant and project of a request, checked against who asks. NULL: refused. An empty project is the
 * tenant's default. */
struct tenant_row *apply_tenant(
    const struct apply *apply, struct outcome *outcome, const char *tenant);
struct project_row *apply_project(
    const struct apply *apply, struct outcome *outcome, const char *tenant, const char *project);

/* Records one leaf of what was done (or of what the plane did by itself). */
void apply_leaf(
    struct apply *apply,
    uint64_t tenant,
    const char *operation,
    Wire__Kind kind,
    uint64_t resource,
    enum reject reject,
    const char *reason);
/* The same with a leaf already filled; owner NULL: the provider's. */
void apply_leaf_made(struct apply *apply, struct tenant_row *owner, Wire__Leaf *leaf);
void apply_event(
    struct apply *apply,
    uint64_t tenant,
    const char *name,
    Wire__Kind kind,
    uint64_t subject,
    const char *reason);
/* Opens the operation of the request under way, which remembers its key; done at once if `done`. */
struct operation_row *apply_operation(
    struct apply *apply,
    struct outcome *outcome,
    uint64_t tenant,
    Wire__Kind kind,
    uint64_t resource,
    const char *name,
    bool done);
void apply_operation_done(
    struct apply *apply, struct operation_id id, enum reject reject, const char *reason);
/* A node is to be told about an instance. */
void apply_assign(struct apply *apply, uint64_t node, const struct instance_row *instance);
void apply_alarm(
    struct apply *apply,
    const char *name,
    Wire__Kind kind,
    uint64_t subject,
    bool raised,
    const char *reason);

void apply_tenants(struct apply *apply, const Wire__Request *request, struct outcome *outcome);
void apply_people(struct apply *apply, const Wire__Request *request, struct outcome *outcome);
/* Its answer is a certificate: a join, or a renewal. */
bool apply_certifies(const Wire__Request *request);
/* Does it end something, or take a right away? Such are taken when other writes are not. */
bool apply_frees(const Wire__Request *request);
void apply_renew(struct apply *apply, struct outcome *outcome);
void apply_join(struct apply *apply, const Wire__Join *join, struct outcome *outcome);
void apply_networks(struct apply *apply, const Wire__Request *request, struct outcome *outcome);
void apply_instances(struct apply *apply, const Wire__Request *request, struct outcome *outcome);

void apply_genesis(struct apply *apply, const Wire__Genesis *genesis);
void apply_node_reported(
    struct apply *apply, const Wire__NodeReported *reported, struct outcome *outcome);
void apply_node_judged(struct apply *apply, const Wire__NodeJudged *judged);
void apply_node_conditioned(struct apply *apply, const Wire__NodeConditioned *conditioned);
const char *apply_condition_words(uint32_t bits); /* Of the first one that is set; or "". */
void apply_process_started(struct apply *apply, const Wire__ProcessStarted *started);
void apply_node_heard(struct apply *apply, const Wire__NodeHeard *heard);
void apply_controller_reported(struct apply *apply, const Wire__ControllerReported *reported);
void apply_controller_remove(
    struct apply *apply, const Wire__ControllerRemove *remove, struct outcome *outcome);
void apply_tick(struct apply *apply, const Wire__Tick *tick);
/* Is it time that it leaves the memory of writes, as a whole or, while it runs, its bound? */
bool apply_forgettable(const struct operation_row *row, uint64_t now_ms);
void apply_checkpointed(struct apply *apply, const Wire__Checkpointed *checkpointed);
void apply_refused(struct apply *apply, const Wire__Refused *refused);
void apply_feature_level(
    struct apply *apply, const Wire__FeatureLevelRaised *raised, struct outcome *outcome);
void apply_cell_judged(struct apply *apply, const Wire__CellJudged *judged);
/* Takes the entry's wall time over as far as INV-TIME-2 lets it. */
void apply_wall(struct apply *apply);
/* Refused, because the replicas disagree? */
bool apply_disputed(
    const struct apply *apply, const Wire__Request *request, struct outcome *outcome);
void apply_leader_changed(
    struct apply *apply, const Wire__LeaderChanged *changed, struct outcome *outcome);

#endif
