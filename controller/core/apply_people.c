/* Decides about users, one-time tokens, and who joins with one. Secrets never come here: a token is
 * known by the digest of its secret. */
#include "audit/sha256.h"
#include "base/check.h"
#include "controller/core/apply.h"

#include <string.h>

enum { TOKEN_TTL_DEFAULT_S = 3600, TOKEN_TTL_MAX_S = 86400 };

/* ---- Users ---- */

static void user_create(
    struct apply *apply, const Wire__UserCreate *create, struct outcome *outcome)
{
    struct tenant_row *tenant = NULL;
    bool of_tenant = create->role == WIRE__ROLE__ROLE_TENANT;
    if (create->role == WIRE__ROLE__ROLE_UNSET) {
        refuse(
            apply,
            outcome,
            REJECT_BAD_FIELD,
            "A user has a role.",
            "/role",
            "operator, auditor or tenant.");
        return;
    }
    if (of_tenant) {
        tenant = apply_tenant(apply, outcome, create->tenant);
        if (tenant == NULL) {
            return;
        }
    } else if (create->tenant[0] != '\0') {
        refuse(
            apply, outcome, REJECT_BAD_FIELD, "Only the role tenant has a tenant.", "/tenant", "");
        return;
    } else if (apply->who.role != ACCESS_ROLE_OPERATOR) {
        refuse(
            apply, outcome, REJECT_DENIED, "Only an operator makes users of the provider.", "", "");
        return;
    }
    if (!apply_name_free(apply, outcome, TABLE_USER, 0, create->name) || apply->dry) {
        return;
    }
    uint64_t id = state_next_id(apply->state);
    struct user_row *row = state_insert(apply->state, TABLE_USER, id);
    CHECK(row != NULL);
    bool named = tenant_text_set(&row->name, create->name);
    CHECK(named);
    row->role = create->role;
    row->tenant.value = tenant == NULL ? 0 : tenant->head.id;
    row->created_at = apply->wall_ms;
    state_index(apply->state, TABLE_USER, row, true);
    if (tenant != NULL) {
        tenant->children++;
        state_touch(apply->state, TABLE_TENANT, tenant);
    }
    (void)apply_operation(
        apply, outcome, row->tenant.value, WIRE__KIND__KIND_USER, id, row->name.text, true);
}

/* The user named, if whoever asks may touch it; NULL: refused. */
static struct user_row *user_named(
    const struct apply *apply, struct outcome *outcome, const char *name)
{
    struct user_row *row = state_lookup(apply->state, TABLE_USER, 0, name);
    enum reject reject = row == NULL
                             ? REJECT_NOT_FOUND
                             : access_decide(&apply->who, apply->operation, row->tenant.value);
    if (reject != REJECT_NONE) {
        refuse(apply, outcome, reject, "There is no such user.", "/user", "");
        return NULL;
    }
    return row;
}

static void user_revoke(
    struct apply *apply, const Wire__UserRevoke *revoke, struct outcome *outcome)
{
    struct user_row *row = user_named(apply, outcome, revoke->user);
    if (row == NULL) {
        return;
    }
    if (row->head.id == apply->actor) {
        refuse(
            apply,
            outcome,
            REJECT_STATE,
            "Nobody revokes himself.",
            "/user",
            "Have another operator do it.");
        return;
    }
    if (row->revoked) {
        refuse(apply, outcome, REJECT_STATE, "The user is revoked already.", "/user", "");
        return;
    }
    if (apply->dry) {
        return;
    }
    row->revoked = true; /* The row stays: its id is never given to another. */
    row->epoch++;
    state_touch(apply->state, TABLE_USER, row);
    struct tenant_row *tenant = state_find(apply->state, TABLE_TENANT, row->tenant.value);
    if (tenant != NULL) {
        CHECK(tenant->children > 0);
        tenant->children--;
        state_touch(apply->state, TABLE_TENANT, tenant);
    }
    effects_add(apply->effects, EFFECT_RING)->id = row->head.id;
    (void)apply_operation(
        apply,
        outcome,
        row->tenant.value,
        WIRE__KIND__KIND_USER,
        row->head.id,
        row->name.text,
        true);
}

/* ---- Tokens ---- */

/* What the token is for must make sense before it is handed out. */
static bool token_sound(
    const struct apply *apply,
    struct outcome *outcome,
    const Wire__TokenCreate *create,
    uint64_t *subject_out)
{
    *subject_out = 0;
    if (create->secret_sha256.len != 32 || create->ttl_seconds > TOKEN_TTL_MAX_S) {
        refuse(
            apply,
            outcome,
            REJECT_BAD_FIELD,
            "The secret's SHA-256 is 32 bytes; it lives a day at most.",
            create->secret_sha256.len != 32 ? "/secret_sha256" : "/ttl_seconds",
            "");
        return false;
    }
    if (create->kind == WIRE__KIND__KIND_USER) {
        const struct user_row *user = user_named(apply, outcome, create->user);
        if (user == NULL) {
            return false;
        }
        if (user->revoked) {
            refuse(apply, outcome, REJECT_STATE, "The user is revoked.", "/user", "");
            return false;
        }
        *subject_out = user->head.id;
        return true;
    }
    if (apply->who.role != ACCESS_ROLE_OPERATOR) {
        refuse(apply, outcome, REJECT_DENIED, "Only an operator admits machines.", "/kind", "");
        return false;
    }
    bool node = create->kind == WIRE__KIND__KIND_NODE;
    if (!node && create->kind != WIRE__KIND__KIND_CONTROLLER) {
        refuse(
            apply,
            outcome,
            REJECT_BAD_FIELD,
            "A token is for a controller, a node or a user.",
            "/kind",
            "");
        return false;
    }
    enum state_table table = node ? TABLE_NODE : TABLE_CONTROLLER;
    return apply_name_free(apply, outcome, table, 0, create->name);
}

static bool place_set(struct place *place, const Wire__Place *from)
{
    if (from == NULL) {
        return true;
    }
    return text_copy(place->rack, sizeof(place->rack), slice_text(from->rack)) &&
           text_copy(place->site, sizeof(place->site), slice_text(from->site)) &&
           text_copy(place->country, sizeof(place->country), slice_text(from->country));
}

static void token_create(
    struct apply *apply, const Wire__TokenCreate *create, struct outcome *outcome)
{
    uint64_t subject = 0;
    struct place place = { .rack = "" };
    if (!token_sound(apply, outcome, create, &subject)) {
        return;
    }
    struct slice secret = { create->secret_sha256.data, create->secret_sha256.len };
    if (!place_set(&place, create->place) || state_token(apply->state, secret) != NULL) {
        refuse(
            apply,
            outcome,
            REJECT_BAD_FIELD,
            "A place is short clean text, and a secret is new.",
            "/place",
            "");
        return;
    }
    if (state_full(apply->state, TABLE_TOKEN)) {
        refuse(
            apply,
            outcome,
            REJECT_TABLE_FULL,
            "Too many tokens are open.",
            "",
            "Wait until some have expired.");
        return;
    }
    if (apply->dry) {
        return;
    }
    uint64_t ttl_s = create->ttl_seconds == 0 ? TOKEN_TTL_DEFAULT_S : create->ttl_seconds;
    uint64_t id = state_next_id(apply->state);
    struct token_row *row = state_insert(apply->state, TABLE_TOKEN, id);
    CHECK(row != NULL);
    row->kind = create->kind;
    memcpy(row->secret_sha256, create->secret_sha256.data, 32);
    bool fits = text_copy(row->name, sizeof(row->name), slice_text(create->name));
    CHECK(fits || create->kind == WIRE__KIND__KIND_USER);
    row->place = place;
    row->subject = subject;
    row->expires_ms = state_cell(apply->state)->log_time_ms + ttl_s * 1000;
    row->expires_at = apply->wall_ms + ttl_s * 1000;
    state_index(apply->state, TABLE_TOKEN, row, true);
    const struct user_row *user = state_find(apply->state, TABLE_USER, subject);
    (void)apply_operation(
        apply,
        outcome,
        user == NULL ? 0 : user->tenant.value,
        WIRE__KIND__KIND_TOKEN,
        id,
        row->name,
        true);
}

/* ---- Joining ---- */

static bool machine_sound(
    const struct apply *apply,
    struct outcome *outcome,
    const struct token_row *token,
    const Wire__Join *join)
{
    bool node = token->kind == WIRE__KIND__KIND_NODE;
    enum state_table table = node ? TABLE_NODE : TABLE_CONTROLLER;
    char room[LIMIT_ADDRESS];
    const char *bad = "";
    if (!text_copy(room, sizeof(room), slice_text(join->link_address)) || room[0] == '\0') {
        bad = "/link_address";
    } else if (!text_copy(room, sizeof(room), slice_text(join->api_address))) {
        bad = "/api_address";
    } else if (!text_copy(room, sizeof(room), slice_text(join->underlay_address))) {
        bad = "/underlay_address";
    } else if (!node && (join->api_address[0] == '\0' || join->sealing_key.len != 32)) {
        bad = join->sealing_key.len != 32 ? "/sealing_key" : "/api_address";
    }
    if (bad[0] != '\0') {
        refuse(
            apply,
            outcome,
            REJECT_BAD_FIELD,
            "The machine's address or key is not sound.",
            bad,
            "");
        return false;
    }
    if (state_lookup(apply->state, table, 0, token->name) != NULL) {
        refuse(
            apply, outcome, REJECT_NAME_TAKEN, "A machine of this name joined meanwhile.", "", "");
        return false;
    }
    if (state_full(apply->state, table)) {
        refuse(apply, outcome, REJECT_TABLE_FULL, "The cell holds no more machines.", "", "");
        return false;
    }
    return true;
}

static uint64_t node_made(
    struct apply *apply, const struct token_row *token, const Wire__Join *join)
{
    uint64_t id = state_next_id(apply->state);
    struct node_row *row = state_insert(apply->state, TABLE_NODE, id);
    CHECK(row != NULL);
    bool fits =
        text_copy(row->name, sizeof(row->name), slice_text(token->name)) &&
        text_copy(row->link_address, sizeof(row->link_address), slice_text(join->link_address)) &&
        text_copy(
            row->underlay_address,
            sizeof(row->underlay_address),
            slice_text(join->underlay_address));
    CHECK(fits);               /* machine_sound held them to their bounds. */
    row->place = token->place; /* Fixed by the token: a machine does not choose where it stands. */
    row->liveness = WIRE__LIVENESS__LIVENESS_JOINED;
    row->created_at = apply->wall_ms;
    state_index(apply->state, TABLE_NODE, row, true);
    return id;
}

static uint64_t controller_made(
    struct apply *apply, const struct token_row *token, const Wire__Join *join)
{
    uint64_t id = state_next_id(apply->state);
    struct controller_row *row = state_insert(apply->state, TABLE_CONTROLLER, id);
    CHECK(row != NULL);
    bool fits =
        text_copy(row->name, sizeof(row->name), slice_text(token->name)) &&
        text_copy(row->link_address, sizeof(row->link_address), slice_text(join->link_address)) &&
        text_copy(row->api_address, sizeof(row->api_address), slice_text(join->api_address));
    CHECK(fits);
    row->place = token->place;
    row->created_at = apply->wall_ms;
    state_index(apply->state, TABLE_CONTROLLER, row, true);
    return id;
}

/* Who the holder of this token is (again): the certificate's epoch is the row's. */
static void joined(
    const struct apply *apply, struct outcome *outcome, const struct token_row *token, uint64_t id)
{
    outcome->subject.kind = token->kind;
    outcome->subject.id = id;
    outcome->resource = id;
    outcome->resource_kind = token->kind;
    const struct user_row *user = state_find(apply->state, TABLE_USER, id);
    const struct node_row *node = state_find(apply->state, TABLE_NODE, id);
    const struct controller_row *controller = state_find(apply->state, TABLE_CONTROLLER, id);
    outcome->subject.epoch = user != NULL         ? user->epoch
                             : node != NULL       ? node->epoch
                             : controller != NULL ? controller->epoch
                                                  : 0;
}

/* What a token was used for: the key that is certified and, of a controller, the key to which the
 * cell's own are sealed. Neither may change when the same join is asked for again. INV-SEC-26 */
static void join_digest(const Wire__Join *join, uint8_t digest_out[static SHA256_SIZE])
{
    struct sha256 sha;
    sha256_start(&sha);
    sha256_add(&sha, (struct slice){ join->csr.data, join->csr.len });
    sha256_add(&sha, (struct slice){ join->sealing_key.data, join->sealing_key.len });
    sha256_end(&sha, digest_out);
}

/* Whoever joined with this token may still be given his certificate: he was not revoked or removed
 * since. */
static bool still_there(const struct state *state, const struct token_row *token)
{
    const struct user_row *user = state_find(state, TABLE_USER, token->subject);
    const struct node_row *node = state_find(state, TABLE_NODE, token->subject);
    const struct controller_row *controller = state_find(state, TABLE_CONTROLLER, token->subject);
    return node != NULL || (user != NULL && !user->revoked) ||
           (controller != NULL && !controller->leaving);
}

void apply_join(struct apply *apply, const Wire__Join *join, struct outcome *outcome)
{
    struct slice secret = { join->secret_sha256.data, join->secret_sha256.len };
    struct token_row *token = secret.size == 32 ? state_token(apply->state, secret) : NULL;
    uint8_t csr[SHA256_SIZE];
    join_digest(join, csr);
    wire__identity__init(&outcome->subject);
    bool again = token != NULL && token->used && memcmp(token->csr_sha256, csr, sizeof(csr)) == 0 &&
                 still_there(apply->state, token);
    if (token == NULL || token->kind != join->kind || (token->used && !again) ||
        state_cell(apply->state)->log_time_ms >= token->expires_ms) {
        refuse(
            apply,
            outcome,
            REJECT_TOKEN,
            "The token is unknown, used or expired.",
            "",
            "Ask an operator for a new one.");
        return;
    }
    if (again) { /* The answer was lost on the way: the same request gets the same identity. */
        joined(apply, outcome, token, token->subject);
        outcome->repeated = true;
        return;
    }
    bool machine = token->kind != WIRE__KIND__KIND_USER;
    if (machine && !machine_sound(apply, outcome, token, join)) {
        return;
    }
    struct user_row *user = state_find(apply->state, TABLE_USER, token->subject);
    if (!machine && (user == NULL || user->revoked)) {
        refuse(apply, outcome, REJECT_TOKEN, "The user was revoked.", "", "");
        return;
    }
    if (apply->dry) {
        return;
    }
    if (token->kind == WIRE__KIND__KIND_NODE) {
        token->subject = node_made(apply, token, join);
    } else if (token->kind == WIRE__KIND__KIND_CONTROLLER) {
        token->subject = controller_made(apply, token, join);
    }
    token->used = true;
    memcpy(token->csr_sha256, csr, sizeof(csr));
    state_touch(apply->state, TABLE_TOKEN, token);
    joined(apply, outcome, token, token->subject);
    uint64_t tenant = user == NULL ? 0 : user->tenant.value;
    apply->actor_kind = token->kind; /* From here on it speaks for itself. */
    apply->actor = token->subject;
    apply_leaf(apply, tenant, "join", token->kind, token->subject, REJECT_NONE, "");
    apply_event(apply, tenant, "join", token->kind, token->subject, "");
}

void apply_people(struct apply *apply, const Wire__Request *request, struct outcome *outcome)
{
    if (request->body_case == WIRE__REQUEST__BODY_USER_CREATE) {
        user_create(apply, request->user_create, outcome);
    } else if (request->body_case == WIRE__REQUEST__BODY_USER_REVOKE) {
        user_revoke(apply, request->user_revoke, outcome);
    } else {
        CHECK(request->body_case == WIRE__REQUEST__BODY_TOKEN_CREATE);
        token_create(apply, request->token_create, outcome);
    }
}
