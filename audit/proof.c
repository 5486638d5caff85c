/* Decides which nodes prove a claim about a log, and whether given nodes do. Never keeps a leaf. */
#include "audit/proof.h"

#include "base/check.h"

#include <string.h>

/* A run of leaves, [low, high). */
struct run {
    uint64_t low;
    uint64_t high;
};

/* The largest power of two below the run's length: where RFC 9162 §2.1.1 splits it. */
static uint64_t split_of(struct run run)
{
    CHECK(run.low < run.high);
    uint64_t size = run.high - run.low;
    CHECK(size > 1);
    uint64_t half = 1;
    while (half < size - half) {
        half *= 2;
    }
    return half;
}

static bool run_root(
    const struct audit_leaves *leaves, struct run run, uint8_t root_out[static AUDIT_HASH])
{
    CHECK(run.low < run.high);
    CHECK(leaves->hash != NULL);
    struct audit_frontier frontier = { 0 };
    uint8_t hash[AUDIT_HASH];
    for (uint64_t seq = run.low; seq < run.high; seq++) {
        if (!leaves->hash(leaves->context, seq, hash)) {
            return false;
        }
        audit_append(&frontier, hash);
    }
    audit_root(&frontier, root_out);
    return true;
}

static bool push_run(const struct audit_leaves *leaves, struct run run, struct audit_path *path)
{
    CHECK(path->count < AUDIT_PATH_MAX);
    return run_root(leaves, run, path->node[path->count++]);
}

/* Runs are found from the root down; proofs are written from the leaf up. */
static void reverse(struct audit_path *path)
{
    CHECK(path->count <= AUDIT_PATH_MAX);
    for (uint32_t low = 0; low + 1 < path->count - low; low++) {
        uint32_t high = path->count - 1 - low;
        uint8_t kept[AUDIT_HASH];
        memcpy(kept, path->node[low], AUDIT_HASH);
        memcpy(path->node[low], path->node[high], AUDIT_HASH);
        memcpy(path->node[high], kept, AUDIT_HASH);
    }
}

bool audit_inclusion(
    const struct audit_leaves *leaves, uint64_t index, uint64_t size, struct audit_path *path_out)
{
    CHECK(index < size);
    CHECK(size >> AUDIT_LEVELS == 0);
    *path_out = (struct audit_path){ 0 };
    struct run run = { 0, size };
    while (run.high - run.low > 1) {
        uint64_t middle = run.low + split_of(run);
        struct run left = { run.low, middle };
        struct run right = { middle, run.high };
        bool goes_left = index < middle;
        if (!push_run(leaves, goes_left ? right : left, path_out)) {
            return false;
        }
        run = goes_left ? left : right;
    }
    reverse(path_out);
    return true;
}

bool audit_consistency(
    const struct audit_leaves *leaves, uint64_t first, uint64_t second, struct audit_path *path_out)
{
    CHECK(first > 0 && first <= second);
    CHECK(second >> AUDIT_LEVELS == 0);
    *path_out = (struct audit_path){ 0 };
    struct run run = { 0, second };
    while (run.high != first) {
        uint64_t middle = run.low + split_of(run);
        struct run left = { run.low, middle };
        struct run right = { middle, run.high };
        bool goes_left = first <= middle;
        if (!push_run(leaves, goes_left ? right : left, path_out)) {
            return false;
        }
        run = goes_left ? left : right;
    }
    /* The whole first log is known to whoever asks; any other subtree is not. */
    if (run.low != 0 && !push_run(leaves, run, path_out)) {
        return false;
    }
    reverse(path_out);
    return true;
}

/* RFC 9162 §2.1.3.2 */
bool audit_inclusion_holds(
    const uint8_t leaf_hash[static AUDIT_HASH],
    uint64_t index,
    uint64_t size,
    const struct audit_path *path,
    const uint8_t root[static AUDIT_HASH])
{
    CHECK(leaf_hash != NULL && root != NULL);
    if (index >= size || size >> AUDIT_LEVELS != 0 || path->count > AUDIT_PATH_MAX) {
        return false;
    }
    uint64_t node = index;
    uint64_t last = size - 1;
    uint8_t hash[AUDIT_HASH];
    memcpy(hash, leaf_hash, AUDIT_HASH);
    for (uint32_t i = 0; i < path->count; i++) {
        if (last == 0) {
            return false; /* More nodes than the tree is high. */
        }
        if ((node & 1) != 0 || node == last) {
            audit_node_hash(path->node[i], hash, hash);
            while ((node & 1) == 0 && node != 0) {
                node >>= 1;
                last >>= 1;
            }
        } else {
            audit_node_hash(hash, path->node[i], hash);
        }
        node >>= 1;
        last >>= 1;
    }
    return last == 0 && memcmp(hash, root, AUDIT_HASH) == 0;
}

static bool is_power_of_two(uint64_t number)
{
    CHECK(number > 0);
    return (number & (number - 1)) == 0;
}

/* RFC 9162 §2.1.4.2, for first < second. */
static bool grows_into(
    uint64_t first,
    const uint8_t first_root[static AUDIT_HASH],
    uint64_t second,
    const uint8_t second_root[static AUDIT_HASH],
    const struct audit_path *path)
{
    CHECK(first > 0 && first < second);
    uint64_t node = first - 1;
    uint64_t last = second - 1;
    while ((node & 1) != 0) {
        node >>= 1;
        last >>= 1;
    }
    uint32_t next = is_power_of_two(first) ? 0 : 1;
    if (path->count < next) {
        return false;
    }
    uint8_t old_hash[AUDIT_HASH];
    uint8_t new_hash[AUDIT_HASH];
    memcpy(old_hash, next == 0 ? first_root : path->node[0], AUDIT_HASH);
    memcpy(new_hash, old_hash, AUDIT_HASH);
    for (uint32_t i = next; i < path->count; i++) {
        if (last == 0) {
            return false;
        }
        if ((node & 1) != 0 || node == last) {
            audit_node_hash(path->node[i], old_hash, old_hash);
            audit_node_hash(path->node[i], new_hash, new_hash);
            while ((node & 1) == 0 && node != 0) {
                node >>= 1;
                last >>= 1;
            }
        } else {
            audit_node_hash(new_hash, path->node[i], new_hash);
        }
        node >>= 1;
        last >>= 1;
    }
    bool old_same = memcmp(old_hash, first_root, AUDIT_HASH) == 0;
    return last == 0 && old_same && memcmp(new_hash, second_root, AUDIT_HASH) == 0;
}

bool audit_consistency_holds(
    uint64_t first,
    const uint8_t first_root[static AUDIT_HASH],
    uint64_t second,
    const uint8_t second_root[static AUDIT_HASH],
    const struct audit_path *path)
{
    CHECK(first_root != NULL && second_root != NULL);
    if (first == 0 || first > second || second >> AUDIT_LEVELS != 0) {
        return false;
    }
    if (path->count > AUDIT_PATH_MAX) {
        return false;
    }
    if (first == second) {
        return path->count == 0 && memcmp(first_root, second_root, AUDIT_HASH) == 0;
    }
    return grows_into(first, first_root, second, second_root, path);
}
