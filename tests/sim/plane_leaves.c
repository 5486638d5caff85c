/* The auditor of the simulator: what every controller's mirror holds of the audit log is one log,
 * without a gap, chained per tenant, and its hashes give the frontier that the state holds. */
#include "audit/leaf.h"
#include "base/check.h"
#include "controller/leaves.h"
#include "controller/server.h"
#include "tests/sim/plane_check.h"
#include "tests/sim/plane_machine.h"
#include "wire/wire.h"

#include <stdlib.h>
#include <string.h>

enum { TENANTS = PLANE_TENANTS + 2, LEAVES = 1 << 22, SCRATCH = 64 * 1024 };

struct chain_of {
    uint64_t tenant;
    struct audit_chain chain;
};

struct auditor {
    uint64_t seen_index; /* Of the store when it was last looked at. */
    struct audit_frontier frontier;
    struct chain_of chains[TENANTS];
    uint32_t chains_count;
};

struct look {
    struct plane *plane;
    struct auditor *auditor;
    uint32_t machine;
};

static struct auditor auditors[PLANE_CONTROLLERS];
static struct auditor durable[PLANE_CONTROLLERS]; /* As of the last flush: a crash keeps it. */
static uint8_t (*leaves)[AUDIT_HASH];             /* Owned; of any controller, by sequence. */
static uint64_t leaves_count;
static _Alignas(16) uint8_t scratch_memory[SCRATCH];

void plane_leaves_begin(struct plane *plane)
{
    CHECK(plane->now_ms == 0);
    leaves = plane_zeroed(LEAVES, sizeof(*leaves));
}

void plane_leaves_end(void)
{
    free(leaves);
    leaves = NULL;
}

void plane_leaves_forget(struct plane *plane, uint32_t machine)
{
    CHECK(machine < PLANE_CONTROLLERS && !plane->machines[machine].up);
    auditors[machine] = durable[machine];
}

void plane_leaves_wiped(uint32_t machine)
{
    memset(&auditors[machine], 0, sizeof(auditors[machine]));
    memset(&durable[machine], 0, sizeof(durable[machine]));
}

void plane_leaves_flushed(uint32_t machine)
{
    CHECK(machine < PLANE_CONTROLLERS);
    durable[machine] = auditors[machine];
}

static struct audit_chain *chain_of(struct auditor *auditor, uint64_t tenant)
{
    for (uint32_t i = 0; i < auditor->chains_count; i++) {
        if (auditor->chains[i].tenant == tenant) {
            return &auditor->chains[i].chain;
        }
    }
    CHECK(auditor->chains_count < TENANTS);
    auditor->chains[auditor->chains_count].tenant = tenant;
    return &auditor->chains[auditor->chains_count++].chain;
}

static void leaf_chained(struct look *look, const Wire__Leaf *leaf)
{
    struct audit_chain *chain = chain_of(look->auditor, leaf->tenant);
    size_t prev = chain->count == 0 ? 0 : AUDIT_HASH;
    if (leaf->seq != look->auditor->frontier.size || leaf->tenant_seq != chain->count ||
        leaf->tenant_prev.len != prev ||
        (prev != 0 && memcmp(leaf->tenant_prev.data, chain->last, prev) != 0)) {
        plane_fail(/* INV-AUD-1 */
                   look->plane,
                   "LEAF m%u: %llu of tenant %llx is not the next one",
                   look->machine,
                   (unsigned long long)leaf->seq,
                   (unsigned long long)leaf->tenant);
    }
}

static bool leaf_look(void *context, uint64_t seq, struct slice value)
{
    struct look *look = context;
    struct arena arena;
    Wire__Leaf *leaf = NULL;
    uint8_t hash[AUDIT_HASH];
    uint64_t at = look->auditor->frontier.size;
    if (seq != at) { /* INV-AUD-1 */
        plane_fail(
            look->plane,
            "LEAF m%u: %llu follows %llu",
            look->machine,
            (unsigned long long)seq,
            (unsigned long long)at);
    }
    arena_init(&arena, scratch_memory, sizeof(scratch_memory));
    if (wire_decode(&wire__leaf__descriptor, value, &arena, &leaf).code != 0 ||
        !audit_leaf_valid(leaf)) {
        plane_fail(look->plane, "LEAF m%u: not a leaf", look->machine);
    }
    plane_checked(look->plane, PLANE_CHECK_LEAVES);
    leaf_chained(look, leaf);
    audit_leaf_hash(value, hash);
    plane_audit_leaf(look->plane, at, leaf, hash);
    CHECK(at < LEAVES);
    if (at >= leaves_count) {
        memcpy(leaves[at], hash, sizeof(hash));
        leaves_count = at + 1;
    } else if (memcmp(leaves[at], hash, sizeof(hash)) != 0) {
        plane_fail(
            look->plane,
            "LEAF m%u: %llu differs from another controller's",
            look->machine,
            (unsigned long long)at);
    }
    struct audit_chain *chain = chain_of(look->auditor, leaf->tenant);
    audit_append(&look->auditor->frontier, hash);
    chain->count++;
    memcpy(chain->last, hash, sizeof(hash));
    return true;
}

static void frontier_check(struct look *look, const struct cell_row *cell)
{
    uint8_t ours[AUDIT_HASH];
    uint8_t theirs[AUDIT_HASH];
    audit_root(&look->auditor->frontier, ours);
    audit_root(&cell->frontier, theirs);
    plane_checked(look->plane, PLANE_CHECK_FRONTIER);
    if (look->auditor->frontier.size != cell->frontier.size ||
        memcmp(ours, theirs, sizeof(ours)) != 0) {
        plane_fail(
            look->plane,
            "FRONTIER m%u: %llu leaves in the mirror, %llu in the state",
            look->machine,
            (unsigned long long)look->auditor->frontier.size,
            (unsigned long long)cell->frontier.size);
    }
}

void plane_leaves_check(struct plane *plane, uint32_t machine, struct engine *engine)
{
    struct store *store = plane_store(plane, machine);
    struct auditor *auditor = &auditors[machine];
    struct look look = { plane, auditor, machine };
    if (store == NULL || store_index(store) == auditor->seen_index) {
        return;
    }
    if (store_index(store) < auditor->seen_index) { /* It is set back: all of it, from the start. */
        memset(auditor, 0, sizeof(*auditor));
        memset(&durable[machine], 0, sizeof(durable[machine]));
    }
    auditor->seen_index = store_index(store);
    struct result scanned = leaves_scan(store, auditor->frontier.size, leaf_look, &look);
    CHECK(scanned.code == 0);
    const struct cell_row *cell = state_cell(engine_state(engine));
    if (cell != NULL && store_index(store) == engine_applied(engine)) {
        frontier_check(&look, cell);
    }
}

void plane_leaves_forge(uint32_t machine, bool chain)
{
    struct auditor *auditor = &auditors[machine];
    CHECK(machine < PLANE_CONTROLLERS);
    for (uint32_t i = 0; i < auditor->chains_count && chain; i++) {
        auditor->chains[i].chain.last[0] ^= 1;
    }
    for (uint32_t level = 0; level < AUDIT_LEVELS && !chain; level++) {
        auditor->frontier.node[level][0] ^= 1;
    }
}
