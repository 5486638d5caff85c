/* Decides how a proof is written down, and how the map of an earlier moment is found again. Never
 * decides whether it holds: see verify.c. */
#include "audit/map.h"

#include "audit/leaf.h"
#include "base/check.h"
#include "wire/wire.h"

#include <string.h>

struct map {
    const struct audit_map_entry *entries;
    uint64_t count;
};

static bool entry_hash(void *context, uint64_t place, uint8_t hash_out[static AUDIT_HASH])
{
    const struct map *map = context;
    CHECK(place < map->count);
    CHECK(map->entries[place].chain.count > 0);
    audit_map_entry_hash(map->entries[place].tenant, &map->entries[place].chain, hash_out);
    return true;
}

/* Also checks that the map is one. */
static bool find(const struct map *map, uint64_t tenant, uint64_t *place_out)
{
    bool found = false;
    for (uint64_t i = 0; i < map->count; i++) {
        CHECK(i == 0 || map->entries[i - 1].tenant < map->entries[i].tenant); /* INV-AUD-4 */
        if (map->entries[i].tenant == tenant) {
            *place_out = i;
            found = true;
        }
    }
    CHECK(!found || *place_out < map->count);
    return found;
}

static void point_at(struct audit_path *path, ProtobufCBinaryData nodes[static AUDIT_PATH_MAX])
{
    CHECK(path->count <= AUDIT_PATH_MAX);
    for (uint32_t i = 0; i < path->count; i++) {
        nodes[i] = (ProtobufCBinaryData){ AUDIT_HASH, path->node[i] };
    }
}

bool audit_map_rewind(struct audit_map_entry *entries, uint64_t count, const Wire__Leaf *leaf)
{
    CHECK(audit_leaf_valid(leaf));
    uint64_t low = 0;
    uint64_t high = count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (entries[middle].tenant < leaf->tenant) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == count || entries[low].tenant != leaf->tenant) {
        return false;
    }
    struct audit_chain *chain = &entries[low].chain;
    if (leaf->tenant_seq < chain->count) {
        *chain = (struct audit_chain){ .count = leaf->tenant_seq };
        if (leaf->tenant_seq > 0) {
            CHECK(leaf->tenant_prev.len == AUDIT_HASH);
            memcpy(chain->last, leaf->tenant_prev.data, AUDIT_HASH);
        }
    }
    return true;
}

uint64_t audit_map_settle(struct audit_map_entry *entries, uint64_t count)
{
    uint64_t kept = 0;
    for (uint64_t i = 0; i < count; i++) {
        if (entries[i].chain.count > 0) {
            entries[kept++] = entries[i];
        }
    }
    CHECK(kept <= count);
    return kept;
}

bool audit_map_prove(
    const struct audit_map_entry *entries,
    uint64_t count,
    uint64_t tenant,
    uint8_t room[static AUDIT_PROOF_MAX],
    size_t *used_out)
{
    struct map map = { entries, count };
    const struct audit_leaves leaves = { &map, entry_hash };
    struct audit_path path;
    uint64_t place = 0;
    if (!find(&map, tenant, &place)) {
        return false;
    }
    bool made = audit_inclusion(&leaves, place, count, &path);
    CHECK(made);
    uint8_t last[AUDIT_HASH];
    memcpy(last, entries[place].chain.last, sizeof(last));
    Wire__TenantMapEntry entry = WIRE__TENANT_MAP_ENTRY__INIT;
    entry.tenant = tenant;
    entry.count = entries[place].chain.count;
    entry.last = (ProtobufCBinaryData){ sizeof(last), last };
    ProtobufCBinaryData nodes[AUDIT_PATH_MAX];
    point_at(&path, nodes);
    Wire__TenantMapProof proof = WIRE__TENANT_MAP_PROOF__INIT;
    proof.entry = &entry;
    proof.place = place;
    proof.entries = count;
    proof.n_path = path.count;
    proof.path = nodes;
    bool fits = wire_encode_into(&proof, room, AUDIT_PROOF_MAX, used_out);
    CHECK(fits);
    return true;
}

bool audit_growth_prove(
    const struct audit_leaves *leaves,
    uint64_t first,
    uint64_t second,
    uint8_t room[static AUDIT_PROOF_MAX],
    size_t *used_out)
{
    CHECK(first > 0 && first <= second);
    struct audit_path path;
    if (!audit_consistency(leaves, first, second, &path)) {
        return false;
    }
    ProtobufCBinaryData nodes[AUDIT_PATH_MAX];
    point_at(&path, nodes);
    Wire__ConsistencyProof proof = WIRE__CONSISTENCY_PROOF__INIT;
    proof.first = first;
    proof.second = second;
    proof.n_path = path.count;
    proof.path = nodes;
    bool fits = wire_encode_into(&proof, room, AUDIT_PROOF_MAX, used_out);
    CHECK(fits);
    return true;
}
