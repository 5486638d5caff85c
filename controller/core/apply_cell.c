/* Decides how a cell begins, and what time and checkpoints do to it. */
#include "audit/leaf.h"
#include "base/check.h"
#include "controller/core/apply.h"
#include "controller/core/feature.h"

#include <string.h>

enum { TICK_LOOK = 128 }; /* Rows of each table that one TICK may end. */

static void place_of(struct place *place, const Wire__Place *from)
{
    if (from != NULL) {
        (void)text_copy(place->rack, sizeof(place->rack), slice_text(from->rack));
        (void)text_copy(place->site, sizeof(place->site), slice_text(from->site));
        (void)text_copy(place->country, sizeof(place->country), slice_text(from->country));
    }
}

static uint64_t load_le(const uint8_t *from)
{
    uint64_t word = 0;
    for (unsigned int i = 0; i < 8; i++) {
        word |= (uint64_t)from[i] << (8U * i);
    }
    return word;
}

static struct cell_row *cell_made(struct apply *apply, const Wire__Genesis *genesis)
{
    struct state *state = apply->state;
    struct cell_row *cell = state_insert(state, TABLE_CELL, id_make(state->cell, 1));
    CHECK(cell != NULL);
    (void)text_copy(cell->name, sizeof(cell->name), slice_text(genesis->name));
    uint64_t highest = 1;
    uint64_t given[] = { genesis->controller, genesis->first_operator };
    for (size_t i = 0; i < COUNT_OF(given); i++) {
        highest = id_sequence(given[i]) > highest ? id_sequence(given[i]) : highest;
    }
    cell->next_sequence = highest + 1;
    cell->feature_level = FEATURE_FIRST;
    cell->wall_ms = apply->wall_ms;
    memcpy(cell->digest_salt, genesis->digest_salt.data, sizeof(cell->digest_salt));
    cell->hash_key =
        (struct hash_key){ load_le(genesis->hash_key.data), load_le(genesis->hash_key.data + 8) };
    state->hash_key = cell->hash_key;
    cell->reserve_percent = (uint32_t)genesis->reserve_percent;
    cell->vcpu_ratio = genesis->vcpu_ratio == 0 ? 1 : genesis->vcpu_ratio;
    cell->idempotency_limit =
        genesis->idempotency_limit == 0 ? LIMIT_IDEMPOTENCY_PER_TENANT : genesis->idempotency_limit;
    return cell;
}

/* One that a row may have: rows of others are never read back. */
static bool id_ours(const struct state *state, uint64_t id)
{
    return id_cell(id) == state->cell && id_sequence(id) != 0;
}

void apply_genesis(struct apply *apply, const Wire__Genesis *genesis)
{
    struct state *state = apply->state;
    if (state_cell(state) != NULL || genesis->cell != state->cell ||
        genesis->digest_salt.len != 32 || genesis->hash_key.len != 16 ||
        genesis->reserve_percent > LIMIT_RESERVE_PERCENT ||
        genesis->vcpu_ratio > LIMIT_VCPU_RATIO || !id_ours(state, genesis->controller) ||
        !id_ours(state, genesis->first_operator)) {
        return;
    }
    (void)cell_made(apply, genesis);
    struct controller_row *controller = state_insert(state, TABLE_CONTROLLER, genesis->controller);
    CHECK(controller != NULL);
    (void)text_copy(
        controller->name, sizeof(controller->name), slice_text(genesis->controller_name));
    (void)text_copy(
        controller->api_address, sizeof(controller->api_address), slice_text(genesis->api_address));
    (void)text_copy(
        controller->link_address,
        sizeof(controller->link_address),
        slice_text(genesis->link_address));
    place_of(&controller->place, genesis->place);
    controller->voter = 2;
    controller->created_at = apply->wall_ms;
    state_index(state, TABLE_CONTROLLER, controller, true);
    struct user_row *person = state_insert(state, TABLE_USER, genesis->first_operator);
    CHECK(person != NULL);
    (void)tenant_text_set(&person->name, genesis->operator_name);
    person->role = WIRE__ROLE__ROLE_OPERATOR;
    person->created_at = apply->wall_ms;
    state_index(state, TABLE_USER, person, true);
    state_recount(state); /* As whoever restores these rows does: INV-REF-1. */
    apply_leaf(
        apply, 0, "genesis", WIRE__KIND__KIND_CONTROLLER, genesis->controller, REJECT_NONE, "");
    apply_event(apply, 0, "genesis", WIRE__KIND__KIND_CONTROLLER, genesis->controller, "");
}

/* ---- Audit ---- */

void apply_checkpointed(struct apply *apply, const Wire__Checkpointed *checkpointed)
{
    struct cell_row *cell = state_cell(apply->state);
    size_t size = strlen(checkpointed->note);
    if (checkpointed->size <= cell->checkpoint_size || checkpointed->size > cell->frontier.size ||
        size >= sizeof(cell->checkpoint_note)) {
        return;
    }
    cell->checkpoint_size = checkpointed->size;
    memset(cell->checkpoint_note, 0, sizeof(cell->checkpoint_note));
    memcpy(cell->checkpoint_note, checkpointed->note, size);
    state_touch(apply->state, TABLE_CELL, cell);
}

/* INV-AUD-5: a controller says a refusal until it is applied, and it is applied once. */
static bool refusal_is_new(struct apply *apply, const Wire__Refused *refused)
{
    struct controller_row *row = state_find(apply->state, TABLE_CONTROLLER, refused->controller);
    if (row == NULL || refused->serial != row->refusals + 1) {
        return false;
    }
    row->refusals = refused->serial;
    state_touch(apply->state, TABLE_CONTROLLER, row);
    return true;
}

void apply_refused(struct apply *apply, const Wire__Refused *refused)
{
    if (!refusal_is_new(apply, refused)) {
        return;
    }
    struct cell_row *cell = state_cell(apply->state);
    struct access_principal who;
    const Wire__Identity *principal = refused->principal;
    (void)apply_principal(apply->state, principal, &who);
    struct tenant_row *owner = state_find(apply->state, TABLE_TENANT, who.tenant);
    Wire__Fold fold = WIRE__FOLD__INIT;
    fold.door = refused->door;
    fold.first_ms = refused->first_ms;
    fold.last_ms = refused->last_ms;
    fold.count = refused->count;
    fold.sample_digest = refused->sample_digest;
    fold.overflow = refused->overflow;
    Wire__Leaf leaf = WIRE__LEAF__INIT;
    leaf.tenant = owner == NULL ? 0 : owner->head.id;
    leaf.log_time_ms = cell->log_time_ms;
    leaf.wall_ms = apply->wall_ms;
    leaf.actor_kind = principal == NULL ? WIRE__KIND__KIND_UNSET : principal->kind;
    leaf.actor = principal == NULL ? 0 : principal->id;
    leaf.operation = refused->operation;
    leaf.reject = refused->reject;
    leaf.reason = refused->reject < REJECTS_END ? reject_name((enum reject)refused->reject) : "";
    leaf.index = apply->index;
    leaf.fold = &fold;
    leaf.format = AUDIT_FORMAT; /* As the first of its log: number and chain are audit_record's. */
    if (audit_leaf_valid(&leaf)) {
        apply_leaf_made(apply, owner, &leaf);
    }
}

/* ---- Time ---- */

bool apply_forgettable(const struct operation_row *row, uint64_t now_ms)
{
    bool runs = row->state == WIRE__OPERATION_STATE__OPERATION_STATE_RUNNING;
    return runs ? row->counted && row->made_ms + LIMIT_OPERATION_KEEP_MS <= now_ms
                : row->done_ms + LIMIT_OPERATION_KEEP_MS <= now_ms;
}

/* INV-IDEM-2: what still runs after a day keeps its key, and takes nobody's room any more. */
static void forget(struct apply *apply, struct operation_row *row)
{
    struct cell_row *cell = state_cell(apply->state);
    struct tenant_row *tenant = state_find(apply->state, TABLE_TENANT, row->asker_tenant.value);
    if (row->counted) {
        uint32_t *keys = tenant != NULL ? &tenant->idempotency_keys : &cell->idempotency_keys;
        CHECK(*keys > 0);
        (*keys)--;
        row->counted = false;
        state_touch(
            apply->state,
            tenant != NULL ? TABLE_TENANT : TABLE_CELL,
            tenant != NULL ? (void *)tenant : cell);
    }
    if (row->state == WIRE__OPERATION_STATE__OPERATION_STATE_RUNNING) {
        state_touch(apply->state, TABLE_OPERATION, row);
        return;
    }
    state_index(apply->state, TABLE_OPERATION, row, false);
    state_remove(apply->state, TABLE_OPERATION, row);
}

/* The leader looks for what may be forgotten and says where; what is there is judged here. */
void apply_tick(struct apply *apply, const Wire__Tick *tick)
{
    struct state *state = apply->state;
    uint64_t now_ms = state_cell(state)->log_time_ms;
    struct operation_row *row = state_find(state, TABLE_OPERATION, tick->operation);
    for (int i = 0; i < TICK_LOOK && row != NULL; i++) {
        struct operation_row *next = state_next(state, TABLE_OPERATION, row);
        if (apply_forgettable(row, now_ms)) {
            forget(apply, row);
        }
        row = next;
    }
    struct token_row *token = state_first(state, TABLE_TOKEN);
    for (int i = 0; i < TICK_LOOK && token != NULL; i++) {
        struct token_row *next = state_next(state, TABLE_TOKEN, token);
        if (token->expires_ms <= now_ms) {
            state_index(state, TABLE_TOKEN, token, false);
            state_remove(state, TABLE_TOKEN, token);
        }
        token = next;
    }
}
