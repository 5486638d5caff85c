/* Decides what the root of a log is. Never keeps a leaf, never knows what a leaf says. */
#include "audit/audit.h"

#include "audit/sha256.h"
#include "base/check.h"
#include "wire/wire.h"

#include <audit.pb-c.h>
#include <string.h>

_Static_assert((int)AUDIT_HASH == (int)SHA256_SIZE, "the log's hash is SHA-256");
_Static_assert(AUDIT_LEVELS < 64, "a size is one 64-bit number");

enum { MAP_ENTRY_MAX = 64 }; /* Tenant (9), count (11), hash (34) and room. */

static bool level_filled(const struct audit_frontier *frontier, unsigned int level)
{
    CHECK(level < AUDIT_LEVELS);
    return (frontier->size >> level & 1) != 0;
}

static bool all_zero(const uint8_t hash[static AUDIT_HASH])
{
    static const uint8_t zero[AUDIT_HASH];
    CHECK(hash != NULL);
    return memcmp(hash, zero, AUDIT_HASH) == 0;
}

void audit_leaf_hash(struct slice bytes, uint8_t hash_out[static AUDIT_HASH])
{
    static const uint8_t leaf_mark = 0x00; /* RFC 9162 §2.1.1 */
    CHECK(hash_out != NULL);
    struct sha256 sha;
    sha256_start(&sha);
    sha256_add(&sha, slice_of(&leaf_mark, 1));
    sha256_add(&sha, bytes);
    sha256_end(&sha, hash_out);
}

void audit_node_hash(
    const uint8_t left[static AUDIT_HASH],
    const uint8_t right[static AUDIT_HASH],
    uint8_t hash_out[static AUDIT_HASH])
{
    static const uint8_t node_mark = 0x01; /* RFC 9162 §2.1.1 */
    CHECK(left != NULL && right != NULL);
    struct sha256 sha;
    sha256_start(&sha);
    sha256_add(&sha, slice_of(&node_mark, 1));
    sha256_add(&sha, slice_of(left, AUDIT_HASH));
    sha256_add(&sha, slice_of(right, AUDIT_HASH));
    sha256_end(&sha, hash_out);
}

void audit_append(struct audit_frontier *frontier, const uint8_t leaf_hash[static AUDIT_HASH])
{
    CHECK(frontier->size < UINT64_C(1) << AUDIT_LEVELS);
    CHECK(!all_zero(leaf_hash)); /* Somebody forgot to hash. */
    uint8_t hash[AUDIT_HASH];
    memcpy(hash, leaf_hash, AUDIT_HASH);
    unsigned int level = 0;
    while (level_filled(frontier, level)) {
        audit_node_hash(frontier->node[level], hash, hash);
        memset(frontier->node[level], 0, AUDIT_HASH);
        level++;
    }
    memcpy(frontier->node[level], hash, AUDIT_HASH);
    frontier->size++;
    CHECK(level_filled(frontier, level)); /* INV-AUD-2 */
}

void audit_root(const struct audit_frontier *frontier, uint8_t root_out[static AUDIT_HASH])
{
    CHECK(frontier->size < UINT64_C(1) << AUDIT_LEVELS);
    uint8_t hash[AUDIT_HASH] = { 0 };
    bool started = false;
    for (unsigned int level = 0; level < AUDIT_LEVELS; level++) {
        if (!level_filled(frontier, level)) {
            continue;
        }
        if (started) {
            audit_node_hash(frontier->node[level], hash, hash);
        } else {
            memcpy(hash, frontier->node[level], AUDIT_HASH);
            started = true;
        }
    }
    CHECK(started == (frontier->size > 0));
    if (!started) {
        sha256_of(SLICE_EMPTY, hash);
    }
    memcpy(root_out, hash, AUDIT_HASH);
}

size_t audit_frontier_encode(
    const struct audit_frontier *frontier, uint8_t room[static AUDIT_FRONTIER_MAX])
{
    size_t used = 0;
    for (unsigned int shift = 64; shift > 0; shift -= 8) {
        room[used++] = (uint8_t)(frontier->size >> (shift - 8));
    }
    for (unsigned int level = AUDIT_LEVELS; level > 0; level--) {
        bool filled = level_filled(frontier, level - 1);
        CHECK(filled != all_zero(frontier->node[level - 1])); /* INV-AUD-2 */
        if (filled) {
            memcpy(room + used, frontier->node[level - 1], AUDIT_HASH);
            used += AUDIT_HASH;
        }
    }
    CHECK(used <= AUDIT_FRONTIER_MAX);
    return used;
}

bool audit_frontier_decode(struct slice bytes, struct audit_frontier *frontier_out)
{
    CHECK(frontier_out != NULL);
    if (bytes.size < 8 || bytes.size > AUDIT_FRONTIER_MAX) {
        return false;
    }
    struct audit_frontier frontier = { 0 };
    for (size_t i = 0; i < 8; i++) {
        frontier.size = frontier.size << 8 | bytes.data[i];
    }
    if (frontier.size >> AUDIT_LEVELS != 0) {
        return false;
    }
    size_t at = 8;
    for (unsigned int level = AUDIT_LEVELS; level > 0; level--) {
        if (!level_filled(&frontier, level - 1)) {
            continue;
        }
        if (bytes.size - at < AUDIT_HASH || all_zero(bytes.data + at)) {
            return false;
        }
        memcpy(frontier.node[level - 1], bytes.data + at, AUDIT_HASH);
        at += AUDIT_HASH;
    }
    if (at != bytes.size) {
        return false;
    }
    *frontier_out = frontier;
    return true;
}

void audit_map_entry_hash(
    uint64_t tenant, const struct audit_chain *chain, uint8_t hash_out[static AUDIT_HASH])
{
    CHECK(chain->count > 0);
    CHECK(!all_zero(chain->last));
    uint8_t last[AUDIT_HASH];
    memcpy(last, chain->last, AUDIT_HASH);
    Wire__TenantMapEntry entry = WIRE__TENANT_MAP_ENTRY__INIT;
    entry.tenant = tenant;
    entry.count = chain->count;
    entry.last = (ProtobufCBinaryData){ sizeof(last), last };
    uint8_t room[MAP_ENTRY_MAX];
    size_t used = 0;
    bool fits = wire_encode_into(&entry, room, sizeof(room), &used);
    CHECK(fits);
    audit_leaf_hash(slice_of(room, used), hash_out);
}

void audit_map_append(struct audit_frontier *map, uint64_t tenant, const struct audit_chain *chain)
{
    CHECK(map != NULL);
    if (chain->count == 0) {
        CHECK(all_zero(chain->last));
        return;
    }
    uint8_t hash[AUDIT_HASH];
    audit_map_entry_hash(tenant, chain, hash);
    audit_append(map, hash);
}
