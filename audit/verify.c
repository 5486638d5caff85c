/* Decides whether an export proves what it claims, and names the first thing that is wrong. Never
 * repairs, never trusts a number that it can compute. */
#include "audit/verify.h"

#include "audit/leaf.h"
#include "base/check.h"
#include "wire/wire.h"

#include <string.h>

static bool fail(struct audit_verifier *verifier, enum audit_finding finding)
{
    CHECK(finding != AUDIT_SOUND);
    CHECK(!verifier->ended);
    verifier->verdict.finding = finding;
    verifier->ended = true;
    return false;
}

static bool fail_leaf(struct audit_verifier *verifier, enum audit_finding finding, uint64_t seq)
{
    CHECK(!verifier->verdict.names_leaf);
    verifier->verdict.names_leaf = true;
    verifier->verdict.leaf = seq;
    return fail(verifier, finding);
}

static bool fail_checkpoint(
    struct audit_verifier *verifier, enum audit_finding finding, uint64_t size)
{
    verifier->verdict.checkpoint_before = verifier->verdict.checkpoint;
    verifier->verdict.checkpoint = size;
    return fail(verifier, finding);
}

static bool fail_tenant(
    struct audit_verifier *verifier, enum audit_finding finding, uint64_t tenant)
{
    verifier->verdict.tenant = tenant;
    return fail(verifier, finding);
}

static struct arena scratch_of(struct audit_verifier *verifier)
{
    struct arena arena;
    arena_init(&arena, verifier->scratch, sizeof(verifier->scratch));
    CHECK(arena.size >= (size_t)AUDIT_PROOF_MAX * 6);
    return arena;
}

/* The place of a tenant in the ascending table, or where it would stand. */
static uint32_t tenant_place(const struct audit_verifier *verifier, uint64_t tenant)
{
    CHECK(verifier->tenants_count <= verifier->tenants_capacity);
    uint32_t low = 0;
    uint32_t high = verifier->tenants_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (verifier->tenants[middle].tenant < tenant) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* NULL: the table is full. */
static struct audit_chain *chain_of(struct audit_verifier *verifier, uint64_t tenant)
{
    uint32_t place = tenant_place(verifier, tenant);
    struct audit_verify_tenant *at = verifier->tenants + place;
    if (place < verifier->tenants_count && at->tenant == tenant) {
        return &at->chain;
    }
    if (verifier->tenants_count == verifier->tenants_capacity) {
        return NULL;
    }
    memmove(at + 1, at, (size_t)(verifier->tenants_count - place) * sizeof(*at));
    *at = (struct audit_verify_tenant){ .tenant = tenant };
    verifier->tenants_count++;
    CHECK(place == 0 || at[-1].tenant < tenant);
    return &at->chain;
}

static bool on_header(struct audit_verifier *verifier)
{
    CHECK(verifier->verdict.lines == 1);
    memcpy(verifier->origin, verifier->line.origin, sizeof(verifier->origin));
    verifier->scope = verifier->line.scope;
    verifier->started = true;
    return true;
}

/* Where a leaf must stand: every number in turn in a whole log, ascending in a tenant's. */
static enum audit_finding place_finding(
    const struct audit_verifier *verifier, const Wire__Leaf *leaf)
{
    CHECK(verifier->started);
    if (verifier->scope.all) {
        return leaf->seq == verifier->next_seq ? AUDIT_SOUND : AUDIT_LEAF_ORDER;
    }
    if (leaf->tenant != verifier->scope.tenant) {
        return AUDIT_LEAF_FOREIGN;
    }
    return leaf->seq >= verifier->next_seq ? AUDIT_SOUND : AUDIT_LEAF_ORDER;
}

static bool follows(const Wire__Leaf *leaf, const struct audit_chain *chain)
{
    CHECK(leaf->tenant_prev.len == 0 || leaf->tenant_prev.len == AUDIT_HASH);
    return leaf->tenant_seq == chain->count &&
           (chain->count == 0 || memcmp(leaf->tenant_prev.data, chain->last, AUDIT_HASH) == 0);
}

static bool on_leaf(struct audit_verifier *verifier)
{
    struct arena arena = scratch_of(verifier);
    struct slice bytes = verifier->line.bytes;
    uint8_t hash[AUDIT_HASH];
    audit_leaf_hash(bytes, hash);
    if (memcmp(hash, verifier->line.hash, AUDIT_HASH) != 0) {
        return fail_leaf(verifier, AUDIT_LEAF_HASH, verifier->next_seq);
    }
    Wire__Leaf *leaf = NULL;
    struct result decoded = wire_decode(&wire__leaf__descriptor, bytes, &arena, &leaf);
    if (decoded.code != FAILURE_NONE || !audit_leaf_valid(leaf)) {
        return fail_leaf(verifier, AUDIT_BAD_LEAF, verifier->next_seq);
    }
    enum audit_finding place = place_finding(verifier, leaf);
    if (place != AUDIT_SOUND) {
        return fail_leaf(verifier, place, verifier->next_seq);
    }
    struct audit_chain *chain = chain_of(verifier, leaf->tenant);
    if (chain == NULL || leaf->seq + 1 >= UINT64_C(1) << AUDIT_LEVELS) {
        return fail_tenant(verifier, AUDIT_TOO_MANY_TENANTS, leaf->tenant);
    }
    if (!follows(leaf, chain)) {
        verifier->verdict.tenant = leaf->tenant;
        return fail_leaf(verifier, AUDIT_LEAF_CHAIN, leaf->seq);
    }
    audit_append(&verifier->frontier, hash);
    memcpy(chain->last, hash, AUDIT_HASH);
    chain->count++;
    verifier->leaves++;
    verifier->next_seq = leaf->seq + 1;
    CHECK(!verifier->scope.all || verifier->frontier.size == verifier->next_seq);
    return true;
}

/* A whole export: everything that the checkpoint says is computed from the leaves before it. */
static enum audit_finding compare_whole(
    const struct audit_verifier *verifier, const struct audit_checkpoint *checkpoint)
{
    CHECK(verifier->scope.all);
    if (checkpoint->size != verifier->leaves) {
        return AUDIT_CHECKPOINT_SIZE;
    }
    uint8_t root[AUDIT_HASH];
    audit_root(&verifier->frontier, root);
    if (memcmp(root, checkpoint->root, AUDIT_HASH) != 0) {
        return AUDIT_CHECKPOINT_ROOT; /* INV-AUD-3 */
    }
    struct audit_frontier map = { 0 };
    for (uint32_t i = 0; i < verifier->tenants_count; i++) {
        CHECK(i == 0 || verifier->tenants[i - 1].tenant < verifier->tenants[i].tenant);
        audit_map_append(&map, verifier->tenants[i].tenant, &verifier->tenants[i].chain);
    }
    audit_root(&map, root);
    bool same = memcmp(root, checkpoint->map_root, AUDIT_HASH) == 0;
    return same ? AUDIT_SOUND : AUDIT_CHECKPOINT_MAP; /* INV-AUD-4 */
}

/* A tenant's export: the leaves stand below it, and it extends the one before; what it says about
 * the tenant follows in the map proof. */
static enum audit_finding compare_tenant(
    const struct audit_verifier *verifier, const struct audit_checkpoint *checkpoint)
{
    CHECK(!verifier->scope.all);
    if (verifier->next_seq > checkpoint->size) {
        return AUDIT_CHECKPOINT_SIZE;
    }
    const struct audit_checkpoint *last = &verifier->last;
    if (!verifier->has_checkpoint || last->size == 0) {
        return AUDIT_SOUND;
    }
    bool extends =
        verifier->pending == checkpoint->size &&
        audit_consistency_holds(
            last->size, last->root, checkpoint->size, checkpoint->root, &verifier->pending_path);
    return extends ? AUDIT_SOUND : AUDIT_BAD_PROOF;
}

static enum audit_finding note_finding(enum audit_note note)
{
    switch (note) {
    case AUDIT_NOTE_HOLDS: return AUDIT_SOUND;
    case AUDIT_NOTE_MALFORMED: return AUDIT_CHECKPOINT_FORM;
    case AUDIT_NOTE_NO_KEY: return AUDIT_CHECKPOINT_KEY;
    case AUDIT_NOTE_BAD_SIGN: return AUDIT_CHECKPOINT_SIGNATURE;
    }
    UNREACHABLE();
}

static bool on_checkpoint(struct audit_verifier *verifier)
{
    if (verifier->map_due) {
        return fail_tenant(verifier, AUDIT_TENANT_UNPROVEN, verifier->scope.tenant);
    }
    struct audit_checkpoint checkpoint = { .size = 0 };
    enum audit_finding finding = note_finding(
        audit_note_open(verifier->line.bytes, verifier->keys, verifier->keys_count, &checkpoint));
    if (finding != AUDIT_SOUND) {
        return fail_checkpoint(verifier, finding, verifier->leaves);
    }
    if (strcmp(checkpoint.origin, verifier->origin) != 0) {
        return fail_checkpoint(verifier, AUDIT_CHECKPOINT_ORIGIN, checkpoint.size);
    }
    const struct audit_checkpoint *last = &verifier->last;
    if (checkpoint.size < last->size || checkpoint.log_time_ms < last->log_time_ms) {
        return fail_checkpoint(verifier, AUDIT_CHECKPOINT_ORDER, checkpoint.size);
    }
    finding = verifier->scope.all ? compare_whole(verifier, &checkpoint)
                                  : compare_tenant(verifier, &checkpoint);
    if (finding != AUDIT_SOUND) {
        return fail_checkpoint(verifier, finding, checkpoint.size);
    }
    CHECK(checkpoint.size >= verifier->next_seq);
    verifier->last = checkpoint;
    verifier->has_checkpoint = true;
    verifier->map_due = !verifier->scope.all;
    verifier->pending = 0;
    verifier->next_seq = checkpoint.size; /* A leaf below it would have had to come before it. */
    verifier->verdict.checkpoint = checkpoint.size;
    verifier->verdict.signed_leaves = verifier->leaves;
    verifier->verdict.log_time_ms = checkpoint.log_time_ms;
    return true;
}

static bool read_path(size_t count, const ProtobufCBinaryData *nodes, struct audit_path *path_out)
{
    CHECK(path_out != NULL);
    *path_out = (struct audit_path){ 0 };
    if (count > AUDIT_PATH_MAX) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (nodes[i].len != AUDIT_HASH) {
            return false;
        }
        memcpy(path_out->node[path_out->count++], nodes[i].data, AUDIT_HASH);
    }
    return true;
}

static bool hash_missing(const uint8_t hash[static AUDIT_HASH])
{
    static const uint8_t zero[AUDIT_HASH];
    CHECK(hash != NULL);
    return memcmp(hash, zero, AUDIT_HASH) == 0;
}

/* The tenant's sub-log so far is exactly what the signed map says of it (INV-AUD-4). */
static bool on_tenant_map(struct audit_verifier *verifier)
{
    struct arena arena = scratch_of(verifier);
    Wire__TenantMapProof *proof = NULL;
    struct audit_path path;
    struct result decoded =
        wire_decode(&wire__tenant_map_proof__descriptor, verifier->line.bytes, &arena, &proof);
    bool usable = decoded.code == FAILURE_NONE && proof->entry != NULL && proof->entry->count > 0 &&
                  proof->entry->last.len == AUDIT_HASH &&
                  read_path(proof->n_path, proof->path, &path);
    if (!usable || !verifier->has_checkpoint ||
        verifier->leaves != verifier->verdict.signed_leaves) {
        return fail(verifier, AUDIT_BAD_LINE);
    }
    uint64_t tenant = proof->entry->tenant;
    if (!verifier->scope.all && tenant != verifier->scope.tenant) {
        return fail_tenant(verifier, AUDIT_LEAF_FOREIGN, tenant);
    }
    struct audit_chain said = { .count = proof->entry->count };
    memcpy(said.last, proof->entry->last.data, AUDIT_HASH);
    if (hash_missing(said.last)) {
        return fail(verifier, AUDIT_BAD_LINE);
    }
    uint8_t hash[AUDIT_HASH];
    audit_map_entry_hash(tenant, &said, hash);
    bool holds =
        audit_inclusion_holds(hash, proof->place, proof->entries, &path, verifier->last.map_root);
    if (!holds) {
        return fail_tenant(verifier, AUDIT_BAD_PROOF, tenant);
    }
    const struct audit_chain *chain = chain_of(verifier, tenant);
    if (chain == NULL || chain->count != said.count ||
        memcmp(chain->last, said.last, AUDIT_HASH) != 0) {
        return fail_tenant(verifier, AUDIT_TENANT_INCOMPLETE, tenant);
    }
    verifier->map_due = false;
    return true;
}

static bool on_consistency(struct audit_verifier *verifier)
{
    struct arena arena = scratch_of(verifier);
    Wire__ConsistencyProof *proof = NULL;
    struct result decoded =
        wire_decode(&wire__consistency_proof__descriptor, verifier->line.bytes, &arena, &proof);
    bool usable = decoded.code == FAILURE_NONE && verifier->has_checkpoint &&
                  proof->first == verifier->last.size && proof->second >= proof->first &&
                  read_path(proof->n_path, proof->path, &verifier->pending_path);
    if (!usable) {
        return fail(verifier, AUDIT_BAD_LINE);
    }
    CHECK(verifier->pending_path.count <= AUDIT_PATH_MAX);
    verifier->pending = proof->second;
    return true;
}

void audit_verify_start(
    struct audit_verifier *verifier,
    const struct audit_key *keys,
    uint32_t keys_count,
    struct audit_verify_tenant *tenants,
    uint32_t tenants_capacity)
{
    CHECK(keys != NULL || keys_count == 0);
    CHECK(tenants != NULL && tenants_capacity > 0);
    memset(verifier, 0, sizeof(*verifier));
    verifier->keys = keys;
    verifier->keys_count = keys_count;
    verifier->tenants = tenants;
    verifier->tenants_capacity = tenants_capacity;
}

bool audit_verify_line(struct audit_verifier *verifier, struct slice line)
{
    CHECK(verifier->tenants_capacity > 0);
    if (verifier->ended) {
        return false;
    }
    verifier->verdict.lines++;
    bool first = verifier->verdict.lines == 1;
    if (!audit_export_read(line, &verifier->line) ||
        first != (verifier->line.kind == AUDIT_LINE_HEADER)) {
        return fail(verifier, AUDIT_BAD_LINE);
    }
    switch (verifier->line.kind) {
    case AUDIT_LINE_HEADER: return on_header(verifier);
    case AUDIT_LINE_LEAF: return on_leaf(verifier);
    case AUDIT_LINE_CHECKPOINT: return on_checkpoint(verifier);
    case AUDIT_LINE_TENANT_MAP: return on_tenant_map(verifier);
    case AUDIT_LINE_CONSISTENCY: return on_consistency(verifier);
    }
    UNREACHABLE();
}

const struct audit_verdict *audit_verify_end(struct audit_verifier *verifier)
{
    struct audit_verdict *verdict = &verifier->verdict;
    if (!verifier->ended) {
        CHECK(verdict->signed_leaves <= verifier->leaves);
        verdict->unsigned_leaves = verifier->leaves - verdict->signed_leaves;
        if (!verifier->started) {
            (void)fail(verifier, AUDIT_BAD_LINE);
        } else if (!verifier->has_checkpoint) {
            (void)fail(verifier, AUDIT_UNSIGNED);
        } else if (verifier->map_due) {
            (void)fail_tenant(verifier, AUDIT_TENANT_UNPROVEN, verifier->scope.tenant);
        } else {
            verdict->finding = AUDIT_SOUND;
            verifier->ended = true;
        }
    }
    CHECK(verdict->finding >= AUDIT_SOUND);
    return verdict;
}
