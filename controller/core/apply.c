/* Decides, for every replica alike, what a committed command does: version, idempotency, authority,
 * then the room that knows the object. Never decides policy (plan.c did), never fails. */
#include "controller/core/apply.h"

#include "base/check.h"
#include "base/mutant.h"
#include "controller/core/feature.h"

#include <string.h>

enum { ENTRY_FORMAT = 1, COMMAND_FORMAT = 1, REQUEST_FORMAT = 1 };

/* ---- Who asks ---- */

bool apply_principal(
    const struct state *state, const Wire__Identity *identity, struct access_principal *who_out)
{
    *who_out = (struct access_principal){ .role = ACCESS_ROLE_STRANGER };
    if (identity == NULL || identity->kind == WIRE__KIND__KIND_UNSET) {
        return true;
    }
    if (identity->kind != WIRE__KIND__KIND_USER) {
        who_out->role = ACCESS_ROLE_MACHINE;
        return identity->kind == WIRE__KIND__KIND_NODE ||
               identity->kind == WIRE__KIND__KIND_CONTROLLER;
    }
    const struct user_row *user = state_find(state, TABLE_USER, identity->id);
    if (user == NULL) {
        who_out->revoked = true;
        return false;
    }
    who_out->role = (enum access_role)user->role;
    who_out->tenant = user->tenant.value;
    who_out->revoked = user->revoked || identity->epoch != user->epoch; /* INV-SEC-3 */
    return true;
}

static bool who_asks(struct apply *apply, const Wire__Asked *asked, struct outcome *outcome)
{
    const Wire__Identity *principal = asked->request->principal;
    apply->asked = asked;
    apply->operation = access_operation_of(asked->request);
    apply->actor_kind = principal == NULL ? WIRE__KIND__KIND_UNSET : principal->kind;
    apply->actor = principal == NULL ? 0 : principal->id;
    if (apply->operation == 0) {
        refuse(
            apply,
            outcome,
            REJECT_MALFORMED,
            "The request asks for nothing that is known.",
            "",
            "");
        return false;
    }
    if (!apply_principal(apply->state, principal, &apply->who) || apply->who.revoked) {
        refuse(
            apply,
            outcome,
            REJECT_REVOKED,
            "The certificate was revoked, or its owner is gone.",
            "",
            "Ask an operator for a new enrolment token.");
        return false;
    }
    enum reject reject = access_decide_role(&apply->who, apply->operation);
    if (reject != REJECT_NONE) {
        refuse(apply, outcome, reject, "This role may not do this.", "", "");
        outcome->problem.rule = access_role_name(apply->who.role);
        return false;
    }
    return true;
}

/* ---- Once, and only once ---- */

bool apply_frees(const Wire__Request *request)
{
    return request->body_case == WIRE__REQUEST__BODY_INSTANCE_STOP ||
           request->body_case == WIRE__REQUEST__BODY_INSTANCE_DELETE ||
           request->body_case == WIRE__REQUEST__BODY_NETWORK_DELETE ||
           request->body_case == WIRE__REQUEST__BODY_PROJECT_DELETE ||
           request->body_case == WIRE__REQUEST__BODY_TENANT_DELETE ||
           request->body_case == WIRE__REQUEST__BODY_IMAGE_DELETE ||
           request->body_case == WIRE__REQUEST__BODY_USER_REVOKE ||
           request->body_case == WIRE__REQUEST__BODY_CONTROLLER_REMOVE;
}

/* INV-IDEM-2: full, never forgotten early. A quarter more is kept for what frees and revokes, so
 * that nobody who writes too much keeps others, or himself, from ending it. */
static bool memory_full(struct apply *apply, struct outcome *outcome)
{
    const struct state *state = apply->state;
    const struct cell_row *cell = state_cell(state);
    const struct tenant_row *tenant = state_find(state, TABLE_TENANT, apply->who.tenant);
    bool frees = apply_frees(apply->asked->request);
    uint32_t own = cell->idempotency_limit;
    uint32_t all = state->limit[TABLE_OPERATION];
    uint32_t keys = tenant != NULL ? tenant->idempotency_keys : cell->idempotency_keys;
    uint32_t most = all - (frees ? 0 : all / 16);
    uint32_t left = state_count(state, TABLE_OPERATION) >= most
                        ? 0
                        : most - state_count(state, TABLE_OPERATION);
    bool own_full = keys >= own + (frees ? own / 4 : 0);
    /* INV-SHARE-1 */
    bool all_full = left == 0 || (tenant != NULL && !frees && !state_may_take(keys, left));
    if (!own_full && !all_full) {
        return false;
    }
    refuse(
        apply,
        outcome,
        REJECT_IDEMPOTENCY_FULL,
        own_full ? "Too many writes are remembered for this tenant."
                 : "The cell remembers as many writes as it can, or this tenant its share.",
        "",
        own_full ? "Keys are kept for a day; stop, delete and revoke are taken for longer. Try "
                   "later, or have the bound raised."
                 : "Keys are kept for a day; stop, delete and revoke are taken for longer.");
    outcome->problem.limit = own_full ? own : all;
    outcome->problem.usage = own_full ? keys : state_count(state, TABLE_OPERATION);
    return true;
}

/* True: this request was answered before, or cannot be remembered; the outcome says which. */
static bool seen_before(struct apply *apply, struct outcome *outcome)
{
    const Wire__Request *request = apply->asked->request;
    const struct operation_row *row =
        state_write(apply->state, apply->who.tenant, apply->actor, request->idempotency_key);
    if (row != NULL) {
        struct slice digest = { apply->asked->request_digest.data,
                                apply->asked->request_digest.len };
        if (!slice_equal(digest, slice_of(row->request_digest, AUDIT_HASH))) {
            refuse(
                apply,
                outcome,
                REJECT_IDEMPOTENCY_BODY,
                "This idempotency key was used for another request.",
                "",
                "Use a new key for a new request.");
            return true;
        }
        outcome->operation = row->head.id; /* INV-IDEM-1: done once, answered alike. */
        outcome->repeated = true;
        outcome->resource = row->resource;
        outcome->resource_kind = row->resource_kind;
        return true;
    }
    return memory_full(apply, outcome);
}

/* ---- Dispatch ---- */

static void dispatch(struct apply *apply, const Wire__Request *request, struct outcome *outcome)
{
    switch (request->body_case) {
    case WIRE__REQUEST__BODY_TENANT_CREATE:
    case WIRE__REQUEST__BODY_TENANT_DELETE:
    case WIRE__REQUEST__BODY_PROJECT_CREATE:
    case WIRE__REQUEST__BODY_PROJECT_DELETE:
    case WIRE__REQUEST__BODY_QUOTA_SET: apply_tenants(apply, request, outcome); return;
    case WIRE__REQUEST__BODY_TOKEN_CREATE:
    case WIRE__REQUEST__BODY_USER_CREATE:
    case WIRE__REQUEST__BODY_USER_REVOKE: apply_people(apply, request, outcome); return;
    case WIRE__REQUEST__BODY_JOIN: apply_join(apply, request->join, outcome); return;
    case WIRE__REQUEST__BODY_RENEW: apply_renew(apply, outcome); return;
    case WIRE__REQUEST__BODY_NETWORK_CREATE:
    case WIRE__REQUEST__BODY_NETWORK_DELETE:
    case WIRE__REQUEST__BODY_IMAGE_CREATE:
    case WIRE__REQUEST__BODY_IMAGE_DELETE: apply_networks(apply, request, outcome); return;
    case WIRE__REQUEST__BODY_INSTANCE_CREATE:
    case WIRE__REQUEST__BODY_INSTANCE_START:
    case WIRE__REQUEST__BODY_INSTANCE_STOP:
    case WIRE__REQUEST__BODY_INSTANCE_REBOOT:
    case WIRE__REQUEST__BODY_INSTANCE_DELETE: apply_instances(apply, request, outcome); return;
    case WIRE__REQUEST__BODY_CONTROLLER_REMOVE:
        apply_controller_remove(apply, request->controller_remove, outcome);
        return;
    case WIRE__REQUEST__BODY_OPERATION_CANCEL:
        refuse(
            apply,
            outcome,
            REJECT_UNSUPPORTED,
            "No operation of this release can be cancelled.",
            "",
            "Delete the object instead; the operation then ends with it.");
        return;
    case WIRE__REQUEST__BODY_GET:
    case WIRE__REQUEST__BODY_LIST:
    case WIRE__REQUEST__BODY_CLUSTER_STATUS:
    case WIRE__REQUEST__BODY_EXPLAIN:
    case WIRE__REQUEST__BODY_CONSOLE_READ:
    case WIRE__REQUEST__BODY_AUDIT_READ:
    case WIRE__REQUEST__BODY_OPERATION_WAIT:
    case WIRE__REQUEST__BODY_QUOTA_READ:
    case WIRE__REQUEST__BODY_ACCESS_READ:
    case WIRE__REQUEST__BODY_EVENT_READ:
    case WIRE__REQUEST__BODY__NOT_SET:
    case _WIRE__REQUEST__BODY__CASE_IS_INT_SIZE: break;
    }
    refuse(apply, outcome, REJECT_MALFORMED, "A read does not belong into the log.", "", "");
}

static void apply_asked(struct apply *apply, const Wire__Asked *asked, struct outcome *outcome)
{
    bool joins = apply_certifies(asked->request);
    bool looks = !joins && (apply->dry || !MUTANT(IDEM_AT_THE_DOOR_ONLY));
    if (who_asks(apply, asked, outcome) && (!looks || !seen_before(apply, outcome)) &&
        !apply_disputed(apply, asked->request, outcome)) {
        dispatch(apply, asked->request, outcome);
    }
    if (apply->dry || (outcome->repeated && !joins)) {
        return;
    }
    /* Every accepted write has its operation, which remembers it. */
    CHECK(outcome->reject != REJECT_NONE || joins || outcome->operation != 0);
    if (outcome->reject != REJECT_NONE) {
        apply_leaf(
            apply,
            apply->who.tenant,
            access_operation_name(apply->operation),
            WIRE__KIND__KIND_UNSET,
            0,
            outcome->reject,
            reject_name(outcome->reject));
    }
}

/* A write has its key, and a key its bound; who joins has a token instead, and who renews may do so
 * twice. INV-IDEM-1 */
static bool key_sound(const Wire__Request *request)
{
    size_t key = strlen(request->idempotency_key);
    bool joins = apply_certifies(request);
    return key < LIMIT_IDEMPOTENCY_KEY && (joins || key > 0);
}

void apply_trial(struct apply *apply, const Wire__Asked *asked, struct outcome *outcome)
{
    CHECK(apply->dry);
    *outcome = (struct outcome){ .reject = REJECT_NONE };
    wire__problem__init(&outcome->problem);
    if (state_cell(apply->state) == NULL) {
        refuse(apply, outcome, REJECT_UNFIT, "This cell has not begun yet.", "", "");
        return;
    }
    /* What entry_valid would find in the log is found here: there it would be poison. */
    if (asked->request->format != REQUEST_FORMAT || !key_sound(asked->request)) {
        refuse(
            apply,
            outcome,
            REJECT_MALFORMED,
            "A write comes with an idempotency key of 1 to 63 bytes.",
            "/idempotency_key",
            "");
        return;
    }
    apply_asked(apply, asked, outcome);
}

static void apply_command(
    struct apply *apply, const Wire__Command *command, struct outcome *outcome)
{
    *outcome = (struct outcome){ .reject = REJECT_NONE };
    wire__problem__init(&outcome->problem);
    apply->asked = NULL;
    apply->actor_kind = WIRE__KIND__KIND_CELL; /* The plane itself, unless somebody asked. */
    apply->actor = id_make(apply->state->cell, 1);
    const struct cell_row *cell = state_cell(apply->state);
    if (cell != NULL && feature_of(command) > cell->feature_level) {
        outcome->reject = REJECT_FEATURE_LEVEL;
        return;
    }
    switch (command->body_case) {
    case WIRE__COMMAND__BODY_ASKED: apply_asked(apply, command->asked, outcome); return;
    case WIRE__COMMAND__BODY_NODE_REPORTED:
        apply_node_reported(apply, command->node_reported, outcome);
        return;
    case WIRE__COMMAND__BODY_NODE_JUDGED: apply_node_judged(apply, command->node_judged); return;
    case WIRE__COMMAND__BODY_NODE_HEARD: apply_node_heard(apply, command->node_heard); return;
    case WIRE__COMMAND__BODY_PROCESS_STARTED:
        apply_process_started(apply, command->process_started);
        return;
    case WIRE__COMMAND__BODY_NODE_CONDITIONED:
        apply_node_conditioned(apply, command->node_conditioned);
        return;
    case WIRE__COMMAND__BODY_TICK: apply_tick(apply, command->tick); return;
    case WIRE__COMMAND__BODY_CHECKPOINTED: apply_checkpointed(apply, command->checkpointed); return;
    case WIRE__COMMAND__BODY_REFUSED: apply_refused(apply, command->refused); return;
    case WIRE__COMMAND__BODY_CONTROLLER_REPORTED:
        apply_controller_reported(apply, command->controller_reported);
        return;
    case WIRE__COMMAND__BODY_GENESIS: apply_genesis(apply, command->genesis); return;
    case WIRE__COMMAND__BODY_FEATURE_LEVEL_RAISED:
        apply_feature_level(apply, command->feature_level_raised, outcome);
        return;
    case WIRE__COMMAND__BODY_CELL_JUDGED: apply_cell_judged(apply, command->cell_judged); return;
    case WIRE__COMMAND__BODY_LEADER_CHANGED:
        apply_leader_changed(apply, command->leader_changed, outcome);
        return;
    case WIRE__COMMAND__BODY__NOT_SET:
    case _WIRE__COMMAND__BODY__CASE_IS_INT_SIZE: break;
    }
    UNREACHABLE(); /* entry_valid refused it. */
}

void apply_entry(struct apply *apply, const Wire__Entry *entry, struct outcome *outcomes)
{
    CHECK(!apply->dry);
    CHECK(apply->effects != NULL);
    CHECK(entry->n_commands <= LIMIT_COMMANDS_PER_ENTRY);
    struct cell_row *cell = state_cell(apply->state);
    apply->said_wall_ms = entry->wall_ms;
    apply->wall_ms = entry->wall_ms;
    apply->part = 0;
    if (cell != NULL) {
        uint64_t before = cell->log_time_ms;
        cell->log_time_ms = entry->log_time_ms > before ? entry->log_time_ms : before;
        CHECK(cell->log_time_ms >= before); /* INV-TIME-1 */
        cell->wall_ms += cell->log_time_ms - before;
        apply_wall(apply);
        state_touch(apply->state, TABLE_CELL, cell);
    }
    for (size_t i = 0; i < entry->n_commands; i++) {
        bool begins = entry->commands[i]->body_case == WIRE__COMMAND__BODY_GENESIS;
        if (state_cell(apply->state) == NULL && !begins) {
            outcomes[i] = (struct outcome){ .reject = REJECT_UNFIT };
            wire__problem__init(&outcomes[i].problem);
            continue;
        }
        apply_command(apply, entry->commands[i], &outcomes[i]);
    }
    state_settle(apply->state, apply->scratch);
}

/* ---- Form ---- */

static bool asked_valid(const Wire__Asked *asked)
{
    if (asked == NULL || asked->request == NULL || asked->request->format != REQUEST_FORMAT) {
        return false;
    }
    const Wire__Request *request = asked->request;
    return asked->request_digest.len == 32 && key_sound(request) &&
           access_operation_of(request) != 0 &&
           access_operation_writes(access_operation_of(request));
}

static bool command_valid(const Wire__Command *command)
{
    if (command->format != COMMAND_FORMAT) {
        return false;
    }
    if (command->body_case == WIRE__COMMAND__BODY_ASKED) {
        return asked_valid(command->asked);
    }
    return command->body_case != WIRE__COMMAND__BODY__NOT_SET;
}

bool entry_valid(const Wire__Entry *entry)
{
    if (entry->format != ENTRY_FORMAT || entry->n_commands > LIMIT_COMMANDS_PER_ENTRY) {
        return false;
    }
    for (size_t i = 0; i < entry->n_commands; i++) {
        if (!command_valid(entry->commands[i])) {
            return false;
        }
    }
    return true;
}
