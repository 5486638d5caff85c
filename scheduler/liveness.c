/* Decides who is alive and who is not. Never decides what is done about it, and never sends. */
#include "scheduler/liveness.h"

#include "base/check.h"
#include "base/mutant.h"

#include <string.h>

enum { OLD = 0, NEW = 1, EPOCHS = 2 };

uint32_t liveness_quorum(uint32_t members)
{
    CHECK(members >= 1);
    CHECK(members <= UINT32_MAX / 100);
    return FENCE_FROZEN_PERCENT * members / 100 + 1;
}

size_t liveness_memory(uint32_t capacity)
{
    CHECK(capacity >= 1);
    return sizeof(struct liveness_node) * capacity;
}

void liveness_init(struct liveness *liveness, uint32_t capacity, void *memory)
{
    CHECK(memory != NULL);
    memset(memory, 0, liveness_memory(capacity));
    *liveness = (struct liveness){ .nodes = memory, .capacity = capacity };
}

static struct liveness_node *node_at(const struct liveness *liveness, uint32_t slot)
{
    CHECK(slot < liveness->capacity);
    return &liveness->nodes[slot];
}

/* ---- Those alive, ordered by the age of their proof. ---- */

static void chain_out(struct liveness *liveness, struct liveness_node *node, uint32_t slot)
{
    CHECK(node->newer != 0 || liveness->last == slot + 1);
    CHECK(node->older != 0 || liveness->first == slot + 1);
    if (node->newer != 0) {
        liveness->nodes[node->newer - 1].older = node->older;
    } else {
        liveness->last = node->older;
    }
    if (node->older != 0) {
        liveness->nodes[node->older - 1].newer = node->newer;
    } else {
        liveness->first = node->newer;
    }
    node->newer = 0;
    node->older = 0;
}

/* From the newest on: proofs come nearly in the order in which their acknowledgements left. */
static void chain_in(struct liveness *liveness, struct liveness_node *node, uint32_t slot)
{
    CHECK(node->newer == 0 && node->older == 0);
    uint32_t older = liveness->last;
    uint32_t newer = 0;
    while (older != 0 && liveness->nodes[older - 1].proved_ms > node->proved_ms) {
        newer = older;
        older = liveness->nodes[older - 1].older;
    }
    node->older = older;
    node->newer = newer;
    *(older != 0 ? &liveness->nodes[older - 1].newer : &liveness->first) = slot + 1;
    *(newer != 0 ? &liveness->nodes[newer - 1].older : &liveness->last) = slot + 1;
}

/* ---- Counts. ---- */

static void count(struct liveness *liveness, const struct liveness_node *node, bool in)
{
    for (unsigned int epoch = OLD; epoch < EPOCHS; epoch++) {
        struct liveness_count *counts = &liveness->counts[epoch];
        if ((node->in & (1U << epoch)) == 0) {
            continue;
        }
        CHECK(in || counts->members > 0);
        CHECK(in || !node->alive || counts->alive > 0);
        uint32_t one = in ? 1 : UINT32_MAX; /* Modulo 2^32: minus one. */
        counts->members += one;
        counts->alive += node->alive ? one : 0;
        counts->off += node->off && !node->alive ? one : 0;
    }
}

static bool standing(const struct liveness *liveness) /* Clause 8: of any epoch in force. */
{
    for (unsigned int epoch = MUTANT(FENCE_NEWEST_EPOCH_ONLY) ? NEW : OLD; epoch < EPOCHS;
         epoch++) {
        const struct liveness_count *counts = &liveness->counts[epoch];
        CHECK(counts->alive + counts->off <= counts->members);
        uint32_t lost = counts->members - counts->alive - counts->off;
        if (counts->members > 0 && lost >= liveness_quorum(counts->members)) {
            return true;
        }
    }
    return false;
}

static void lose(struct liveness *liveness, uint32_t slot)
{
    struct liveness_node *node = node_at(liveness, slot);
    CHECK(node->alive);
    count(liveness, node, false);
    chain_out(liveness, node, slot);
    node->alive = false;
    count(liveness, node, true);
}

/* Every look: who is too old is lost, and whether it is frozen is judged before anything else
 * happens, so that no short freeze is overlooked (clause 8). INV-FENCE-2 */
static void look(struct liveness *liveness, uint64_t now_ms)
{
    CHECK(now_ms >= liveness->now_ms);
    liveness->now_ms = now_ms;
    while (liveness->first != 0) {
        const struct liveness_node *oldest = &liveness->nodes[liveness->first - 1];
        uint64_t most_ms = MUTANT(FENCE_SLOW_TO_LOSE) ? FENCE_SELF_MS : LIMIT_NODE_UNKNOWN_MS;
        if (now_ms - oldest->proved_ms < most_ms) {
            break;
        }
        lose(liveness, liveness->first - 1);
    }
    if (standing(liveness)) {
        liveness->frozen_ms = now_ms;
    }
}

/* ---- Leading. ---- */

void liveness_lead(struct liveness *liveness, uint64_t term, uint64_t now_ms)
{
    CHECK(term > 0);
    CHECK(term > liveness->term);
    struct liveness_node *nodes = liveness->nodes;
    uint32_t capacity = liveness->capacity;
    *liveness = (struct liveness){
        .nodes = nodes, .capacity = capacity, .term = term, .now_ms = now_ms, .frozen_ms = now_ms
    };
    for (uint32_t slot = 0; slot < capacity; slot++) {
        nodes[slot] = (struct liveness_node){ .issued_ms = now_ms };
    }
}

void liveness_follow(struct liveness *liveness)
{
    liveness->term = 0;
    CHECK(liveness->nodes != NULL);
}

void liveness_member(
    struct liveness *liveness, uint32_t slot, unsigned int in, bool off, uint64_t now_ms)
{
    struct liveness_node *node = node_at(liveness, slot);
    CHECK((in & ~(unsigned int)(LIVENESS_IN_OLD | LIVENESS_IN_NEW)) == 0);
    look(liveness, now_ms);
    if (off && node->alive) {
        lose(liveness, slot);
    }
    count(liveness, node, false);
    node->in = (uint8_t)in;
    node->off = off;
    node->knows_new = node->knows_new && !off;
    if (off) {
        node->proved_ms = 0;
    }
    count(liveness, node, true);
    look(liveness, now_ms);
}

void liveness_epoch(struct liveness *liveness, uint64_t now_ms)
{
    look(liveness, now_ms);
    for (uint32_t slot = 0; slot < liveness->capacity; slot++) {
        liveness->nodes[slot].knows_new = false;
    }
}

uint64_t liveness_issue(struct liveness *liveness, uint32_t slot, uint64_t now_ms)
{
    struct liveness_node *node = node_at(liveness, slot);
    CHECK(liveness->term != 0); /* INV-FENCE-1: nobody else acknowledges. */
    CHECK(!node->off);          /* Its row says otherwise before anything leaves (clause 21). */
    look(liveness, now_ms);
    node->issued_ms = now_ms;
    return now_ms == 0 ? 1 : now_ms;
}

bool liveness_renewed(
    struct liveness *liveness,
    uint32_t slot,
    uint64_t term,
    uint64_t number,
    bool knows_new,
    uint64_t now_ms)
{
    struct liveness_node *node = node_at(liveness, slot);
    look(liveness, now_ms);
    if (MUTANT(FENCE_RENEWAL_IS_PROOF)) {
        number = node->issued_ms = now_ms;
        term = liveness->term;
    }
    bool ours = liveness->term != 0 && term == liveness->term && number <= node->issued_ms;
    if (!ours || node->off || number < node->proved_ms || number == 0) {
        return false;
    }
    if (number > node->proved_ms) {
        bool alive = now_ms - number < LIMIT_NODE_UNKNOWN_MS;
        count(liveness, node, false);
        if (node->alive) {
            chain_out(liveness, node, slot);
        }
        node->proved_ms = number;
        node->alive = alive;
        if (alive) {
            chain_in(liveness, node, slot);
        }
        count(liveness, node, true);
    }
    node->knows_new = node->knows_new || knows_new;
    return node->alive;
}

/* ---- What may be concluded. ---- */

bool liveness_alive(struct liveness *liveness, uint32_t slot, uint64_t now_ms)
{
    look(liveness, now_ms);
    return liveness->term != 0 && node_at(liveness, slot)->alive;
}

bool liveness_frozen(struct liveness *liveness, uint64_t now_ms)
{
    look(liveness, now_ms);
    return liveness->term == 0 || liveness->frozen_ms == now_ms || standing(liveness);
}

enum liveness_replace liveness_may_replace(
    struct liveness *liveness, uint32_t slot, uint64_t now_ms)
{
    const struct liveness_node *node = node_at(liveness, slot);
    look(liveness, now_ms);
    if (liveness->term == 0) {
        return REPLACE_NOT_LEADING;
    }
    if (node->in == 0) {
        return REPLACE_NO_MEMBER;
    }
    if (node->alive) {
        return REPLACE_ALIVE;
    }
    if (standing(liveness)) {
        return REPLACE_FROZEN;
    }
    if (node->off) {
        return REPLACE_YES; /* Nothing runs there, whoever vouched for it. */
    }
    if (now_ms - liveness->frozen_ms < FENCE_DEAD_MS && !MUTANT(FENCE_THAWS_AT_ONCE)) {
        return REPLACE_THAWING; /* Peers may have vouched for it until then. INV-FENCE-3 */
    }
    uint64_t since_ms = MUTANT(FENCE_DEAD_FROM_PROOF) ? node->proved_ms : node->issued_ms;
    if (now_ms - since_ms < FENCE_DEAD_MS) {
        return REPLACE_WAIT; /* INV-FENCE-4 */
    }
    return REPLACE_YES;
}

bool liveness_settled(const struct liveness *liveness)
{
    for (uint32_t slot = 0; slot < liveness->capacity; slot++) {
        const struct liveness_node *node = &liveness->nodes[slot];
        bool knows = node->knows_new || MUTANT(FENCE_SETTLES_AT_ONCE);
        if ((node->in & LIVENESS_IN_OLD) != 0 && !node->off && !knows) {
            return false;
        }
    }
    return liveness->term != 0;
}

bool liveness_check(const struct liveness *liveness)
{
    struct liveness counted = { .nodes = liveness->nodes, .capacity = liveness->capacity };
    uint32_t alive = 0;
    for (uint32_t slot = 0; slot < liveness->capacity; slot++) {
        count(&counted, &liveness->nodes[slot], true);
        alive += liveness->nodes[slot].alive ? 1 : 0;
    }
    uint64_t before_ms = 0;
    for (uint32_t at = liveness->first; at != 0; at = liveness->nodes[at - 1].newer) {
        const struct liveness_node *node = &liveness->nodes[at - 1];
        if (!node->alive || node->proved_ms < before_ms || alive == 0) {
            return false;
        }
        before_ms = node->proved_ms;
        alive--;
    }
    return alive == 0 && memcmp(counted.counts, liveness->counts, sizeof(counted.counts)) == 0;
}
