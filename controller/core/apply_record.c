/* Decides how what happened is recorded: leaves, events, operations, alarms, and the words of a
 * refusal. Never decides what happens. */
#include "audit/leaf.h"
#include "audit/sha256.h"
#include "base/check.h"
#include "base/mutant.h"
#include "controller/core/apply.h"

#include <string.h>

void refuse(
    const struct apply *apply,
    struct outcome *outcome,
    enum reject reject,
    const char *detail,
    const char *pointer,
    const char *hint)
{
    CHECK(reject != REJECT_NONE);
    CHECK(apply->scratch != NULL);
    outcome->reject = reject;
    outcome->problem.code = reject_name(reject);
    outcome->problem.detail = detail;
    outcome->problem.pointer = pointer;
    outcome->problem.hint = hint;
}

/* The tag is "r" and the revision in decimal, as views show it; read backwards, digit by digit. */
static bool tag_is(const char *tag, uint64_t revision)
{
    size_t size = strlen(tag);
    do {
        if (size < 2 || tag[size - 1] != (char)('0' + (char)(revision % 10))) {
            return false;
        }
        size--;
        revision /= 10;
    } while (revision > 0);
    return size == 1 && tag[0] == 'r';
}

bool apply_matches(const struct apply *apply, struct outcome *outcome, uint64_t revision)
{
    const char *tag = apply->asked->request->if_match;
    if (tag[0] == '\0' || tag_is(tag, revision)) {
        return true;
    }
    refuse(
        apply,
        outcome,
        REJECT_PRECONDITION,
        "The object changed since the tag was read.",
        "",
        "Read it again and decide anew.");
    return false;
}

const char *apply_id_text(const struct apply *apply, enum id_kind kind, uint64_t id)
{
    char *text = arena_take(apply->scratch, ID_TEXT_SIZE);
    if (text == NULL || id == 0) {
        return "";
    }
    id_format(kind, id, text);
    return text;
}

bool apply_name_free(
    const struct apply *apply,
    struct outcome *outcome,
    enum state_table table,
    uint64_t scope,
    const char *name)
{
    if (!text_is_name(name)) {
        refuse(
            apply,
            outcome,
            REJECT_BAD_NAME,
            "A name is 1 to 63 of a-z, 0-9 and -, begins with a letter and is not shaped like an "
            "id.",
            "/name",
            "");
        return false;
    }
    if (state_lookup(apply->state, table, scope, name) != NULL) {
        refuse(
            apply, outcome, REJECT_NAME_TAKEN, "This name is taken.", "/name", "Choose another.");
        return false;
    }
    if (state_full(apply->state, table)) {
        refuse(
            apply,
            outcome,
            REJECT_TABLE_FULL,
            "The cell holds no more of these.",
            "",
            "Delete some, or run another cell.");
        outcome->problem.limit = apply->state->limit[table];
        return false;
    }
    return true;
}

void refuse_quota(
    const struct apply *apply,
    struct outcome *outcome,
    enum reject reject,
    const struct quota_refusal *refusal)
{
    const char *detail = reject == REJECT_FLOOR
                             ? "The floors promised to tenants leave no room for this."
                             : "This would pass a cap.";
    const char *hint = reject == REJECT_FLOOR ? "Lower a floor, or add capacity."
                                              : "Delete something, or have the cap raised.";
    refuse(apply, outcome, reject, detail, "", hint);
    outcome->problem.dimension = quota_dimension_name(refusal->dimension);
    outcome->problem.limit = refusal->limit;
    outcome->problem.usage = refusal->usage;
    outcome->problem.requested = refusal->requested;
    bool tenant = state_find(apply->state, TABLE_TENANT, refusal->holder) != NULL;
    outcome->problem.holder =
        apply_id_text(apply, tenant ? ID_TENANT : ID_PROJECT, refusal->holder);
}

void apply_leaf(
    struct apply *apply,
    uint64_t tenant,
    const char *operation,
    Wire__Kind kind,
    uint64_t resource,
    enum reject reject,
    const char *reason)
{
    CHECK(!apply->dry);
    struct cell_row *cell = state_cell(apply->state);
    struct tenant_row *owner = state_find(apply->state, TABLE_TENANT, tenant);
    Wire__Leaf leaf = WIRE__LEAF__INIT;
    leaf.tenant = owner == NULL ? 0 : tenant;
    leaf.log_time_ms = cell->log_time_ms;
    leaf.wall_ms = apply->wall_ms;
    leaf.actor_kind = apply->actor_kind;
    leaf.actor = apply->actor;
    leaf.operation = operation;
    leaf.resource_kind = kind;
    leaf.resource = resource;
    leaf.reject = (uint32_t)reject;
    leaf.reason = reason;
    leaf.index = apply->index;
    if (apply->asked !=
        NULL) { /* Already a digest; salted here, so that it cannot be guessed from. */
        uint8_t *digest = arena_take(apply->scratch, AUDIT_HASH);
        CHECK(digest != NULL);
        struct sha256 sha;
        sha256_start(&sha);
        sha256_add(&sha, slice_of(cell->digest_salt, sizeof(cell->digest_salt)));
        sha256_add(
            &sha,
            (struct slice){ apply->asked->request_digest.data, apply->asked->request_digest.len });
        sha256_end(&sha, digest);
        leaf.argument_digest.data = digest;
        leaf.argument_digest.len = AUDIT_HASH;
    }
    apply_leaf_made(apply, owner, &leaf);
}

void apply_leaf_made(struct apply *apply, struct tenant_row *owner, Wire__Leaf *leaf)
{
    struct cell_row *cell = state_cell(apply->state);
    struct audit_leaf *made = arena_take(apply->effects->arena, sizeof(*made));
    CHECK(made != NULL);
    uint64_t seq = cell->frontier.size;
    bool provider = owner == NULL || MUTANT(AUDIT_CHAIN_OF_THE_CELL);
    audit_record(&cell->frontier, provider ? &cell->chain : &owner->chain, leaf, made);
    CHECK(cell->frontier.size == seq + 1); /* INV-AUD-1 */
    state_touch(apply->state, TABLE_CELL, cell);
    if (owner != NULL && !MUTANT(AUDIT_TENANT_UNTOUCHED)) {
        state_touch(apply->state, TABLE_TENANT, owner);
    }
    struct effect *effect = effects_add(apply->effects, EFFECT_LEAF);
    effect->id = seq;
    effect->bytes = slice_of(made->bytes, made->size);
}

void apply_event(
    struct apply *apply,
    uint64_t tenant,
    const char *name,
    Wire__Kind kind,
    uint64_t subject,
    const char *reason)
{
    CHECK(!apply->dry);
    Wire__EventView *event = arena_take(apply->effects->arena, sizeof(*event));
    CHECK(event != NULL);
    wire__event_view__init(event);
    event->index = apply->index;
    event->part = apply->part++;
    event->name = name;
    event->tenant = apply_id_text(apply, ID_TENANT, tenant);
    event->kind = kind;
    event->subject = apply_id_text(apply, (enum id_kind)kind, subject);
    event->reason = reason;
    event->at = apply->wall_ms;
    effects_add(apply->effects, EFFECT_EVENT)->event = event;
}

void apply_assign(struct apply *apply, uint64_t node, const struct instance_row *instance)
{
    CHECK(!apply->dry);
    if (node == 0) {
        return;
    }
    struct effect *effect = effects_add(apply->effects, EFFECT_ASSIGN);
    effect->node = node;
    effect->id = instance->head.id;
    effect->generation = instance->generation;
    effect->epoch = instance->epoch;
}

/* ---- Operations ---- */

/* INV-IDEM-1: the write is found again by who asked and the key; it counts against whose it is. */
static void remember(struct apply *apply, struct operation_row *row)
{
    struct cell_row *cell = state_cell(apply->state);
    struct tenant_row *tenant = state_find(apply->state, TABLE_TENANT, apply->who.tenant);
    const Wire__Asked *asked = apply->asked;
    row->asker_tenant.value = apply->who.tenant;
    row->made_ms = cell->log_time_ms;
    row->counted = true;
    bool fits = text_copy(row->key, sizeof(row->key), slice_text(asked->request->idempotency_key));
    CHECK(fits); /* entry_valid held it to its bound. */
    CHECK(asked->request_digest.len == sizeof(row->request_digest));
    memcpy(row->request_digest, asked->request_digest.data, sizeof(row->request_digest));
    state_index(apply->state, TABLE_OPERATION, row, true);
    if (tenant != NULL) {
        tenant->idempotency_keys++;
        state_touch(apply->state, TABLE_TENANT, tenant);
    } else {
        cell->idempotency_keys++;
        state_touch(apply->state, TABLE_CELL, cell);
    }
}

struct operation_row *apply_operation(
    struct apply *apply,
    struct outcome *outcome,
    uint64_t tenant,
    Wire__Kind kind,
    uint64_t resource,
    const char *name,
    bool done)
{
    CHECK(!apply->dry);
    uint64_t id = state_next_id(apply->state);
    struct operation_row *row = state_insert(apply->state, TABLE_OPERATION, id);
    CHECK(row != NULL); /* seen_before found room. */
    bool fits = text_copy(
        row->kind, sizeof(row->kind), slice_text(access_operation_name(apply->operation)));
    CHECK(fits);
    row->state = done ? WIRE__OPERATION_STATE__OPERATION_STATE_DONE
                      : WIRE__OPERATION_STATE__OPERATION_STATE_RUNNING;
    row->tenant.value = tenant;
    row->initiator_kind = apply->actor_kind;
    row->initiator = apply->actor;
    row->resource_kind = kind;
    row->resource = resource;
    bool named = tenant_text_set(&row->resource_name, name);
    CHECK(named);
    row->created_at = apply->wall_ms;
    row->done_at = done ? apply->wall_ms : 0;
    row->done_ms = done ? state_cell(apply->state)->log_time_ms : 0;
    remember(apply, row);
    outcome->operation = id;
    outcome->resource = resource;
    outcome->resource_kind = kind;
    const char *word = access_operation_name(apply->operation);
    apply_leaf(apply, tenant, word, kind, resource, REJECT_NONE, "");
    apply_event(apply, tenant, word, kind, resource, "");
    return row;
}

void apply_operation_done(
    struct apply *apply, struct operation_id id, enum reject reject, const char *reason)
{
    struct operation_row *row = state_find(apply->state, TABLE_OPERATION, id.value);
    if (row == NULL || row->state != WIRE__OPERATION_STATE__OPERATION_STATE_RUNNING) {
        return; /* Ended by a later order, and perhaps forgotten since. */
    }
    row->state = reject == REJECT_NONE ? WIRE__OPERATION_STATE__OPERATION_STATE_DONE
                                       : WIRE__OPERATION_STATE__OPERATION_STATE_FAILED;
    row->reject = (uint32_t)reject;
    (void)text_copy(row->reason, sizeof(row->reason), slice_text(reason)); /* Our own words; cut. */
    row->done_at = apply->wall_ms;
    row->done_ms = state_cell(apply->state)->log_time_ms;
    state_touch(apply->state, TABLE_OPERATION, row);
}

/* ---- Alarms ---- */

static struct alarm_row *alarm_find(const struct state *state, const char *name, uint64_t subject)
{
    for (struct alarm_row *row = state_first(state, TABLE_ALARM); row != NULL;
         row = state_next(state, TABLE_ALARM, row)) {
        if (row->cleared_at == 0 && row->subject == subject && strcmp(row->name, name) == 0) {
            return row;
        }
    }
    return NULL;
}

/* A cleared alarm makes room for a new one, oldest first; raised ones never leave. */
static bool alarm_room(struct state *state)
{
    if (!state_full(state, TABLE_ALARM)) {
        return true;
    }
    for (struct alarm_row *row = state_first(state, TABLE_ALARM); row != NULL;
         row = state_next(state, TABLE_ALARM, row)) {
        if (row->cleared_at != 0) {
            state_remove(state, TABLE_ALARM, row);
            break;
        }
    }
    return !state_full(state, TABLE_ALARM);
}

/* What a tenant's guests do raises alarms, too: they leave room for what the cell itself has to
 * say. Who is not told here sees it in the list of instances. INV-SHARE-1 */
static bool alarm_may(const struct state *state, Wire__Kind kind, uint64_t subject)
{
    const struct instance_row *instance =
        kind == WIRE__KIND__KIND_INSTANCE ? state_find(state, TABLE_INSTANCE, subject) : NULL;
    uint32_t left = state->limit[TABLE_ALARM];
    uint32_t own = 0;
    if (instance == NULL) {
        return true;
    }
    for (const struct alarm_row *row = state_first(state, TABLE_ALARM); row != NULL;
         row = state_next(state, TABLE_ALARM, row)) {
        const struct instance_row *of = row->kind != WIRE__KIND__KIND_INSTANCE
                                            ? NULL
                                            : state_find(state, TABLE_INSTANCE, row->subject);
        left -= row->cleared_at == 0 ? 1 : 0;
        own += row->cleared_at == 0 && of != NULL && of->tenant.value == instance->tenant.value;
    }
    return state_may_take(own, left);
}

void apply_alarm(
    struct apply *apply,
    const char *name,
    Wire__Kind kind,
    uint64_t subject,
    bool raised,
    const char *reason)
{
    struct alarm_row *row = alarm_find(apply->state, name, subject);
    if (raised == (row != NULL)) {
        return;
    }
    if (!raised) {
        row->cleared_at = apply->wall_ms;
        state_touch(apply->state, TABLE_ALARM, row);
        apply_event(apply, 0, "alarm-cleared", kind, subject, row->name);
        return;
    }
    if (!alarm_may(apply->state, kind, subject) || !alarm_room(apply->state)) {
        return; /* A thousand alarms are raised already: somebody has been told. */
    }
    row = state_insert(apply->state, TABLE_ALARM, state_next_id(apply->state));
    CHECK(row != NULL);
    bool fits = text_copy(row->name, sizeof(row->name), slice_text(name));
    CHECK(fits);
    row->kind = kind;
    row->subject = subject;
    (void)text_copy(row->reason, sizeof(row->reason), slice_text(reason));
    row->since_at = apply->wall_ms;
    apply_event(apply, 0, "alarm-raised", kind, subject, row->name);
}
