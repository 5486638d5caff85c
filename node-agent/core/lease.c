/* Decides until when guests may run. Never ends one itself, and never sends. */
#include "node-agent/core/lease.h"

#include "base/check.h"
#include "base/mutant.h"
#include "scheduler/liveness.h"

#include <string.h>

static uint64_t unused(struct lease *lease)
{
    lease->unused += lease->unused == UINT64_MAX ? 2 : 1; /* 0 is nobody's. */
    return lease->unused;
}

void lease_init(
    struct lease *lease,
    uint64_t self,
    const struct lease_saved *saved,
    uint64_t random,
    uint64_t now_ms)
{
    CHECK(self != 0);
    memset(lease, 0, sizeof(*lease));
    lease->self = self;
    lease->now_ms = now_ms;
    lease->renew_at_ms = now_ms;
    lease->unused = random;
    if (saved != NULL) {
        lease->saved = *saved;
    } else {
        lease->saved.session = unused(lease);
    }
    CHECK(lease->saved.session != 0);
}

uint64_t lease_run_until(const struct lease_saved *saved)
{
    uint64_t from = saved->base_ms > saved->proof_ms ? saved->base_ms : saved->proof_ms;
    if (MUTANT(FENCE_PROOF_LASTS) && saved->proof_ms != 0) {
        return UINT64_MAX;
    }
    return from == 0 ? 0 : from + FENCE_SELF_MS;
}

bool lease_may_start(const struct lease_saved *saved, uint64_t session, uint64_t now_ms)
{
    bool same = session == saved->session || MUTANT(FENCE_ANY_SESSION);
    return same && saved->base_ms != 0 &&
           now_ms < saved->base_ms + FENCE_SELF_MS - FENCE_START_MS; /* INV-FENCE-7 */
}

static uint32_t member_index(const struct lease *lease, uint64_t node)
{
    uint32_t low = 0;
    uint32_t high = lease->saved.members_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (lease->saved.members[middle] < node) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < lease->saved.members_count && lease->saved.members[low] == node ? low : UINT32_MAX;
}

static uint64_t age_of(const struct lease *lease, uint64_t at_ms)
{
    return at_ms > lease->saved.received_ms ? at_ms - lease->saved.received_ms : 0;
}

static bool cut_off(const struct lease *lease, uint64_t now_ms)
{
    return lease->saved.received_ms != 0 && age_of(lease, now_ms) >= FENCE_ATTEST_MS &&
           member_index(lease, lease->self) != UINT32_MAX; /* Who is no member proves nothing. */
}

static void advance(struct lease *lease, uint64_t now_ms)
{
    CHECK(now_ms >= lease->now_ms);
    lease->now_ms = now_ms;
}

static bool expired(const struct lease *lease, uint64_t now_ms)
{
    uint64_t until_ms = lease_run_until(&lease->saved);
    return until_ms != 0 && now_ms >= until_ms;
}

/* INV-FENCE-5: final. What was acknowledged or proved before is worth nothing from here on. */
static void end(struct lease *lease)
{
    lease->saved.session = unused(lease);
    lease->saved.base_ms = 0;
    lease->saved.proof_ms = 0;
    memset(lease->rounds, 0, sizeof(lease->rounds));
    CHECK(lease_run_until(&lease->saved) == 0);
}

/* One instant, one nonce, all members: who answers speaks about that instant (clause 12). */
static uint64_t round_begin(struct lease *lease)
{
    struct lease_round *round = &lease->rounds[lease->rounds_begun % LEASE_ROUNDS];
    uint8_t bit = (uint8_t)(1U << (lease->rounds_begun % LEASE_ROUNDS));
    lease->rounds_begun++;
    *round = (struct lease_round){ .nonce = unused(lease),
                                   .sent_ms = lease->now_ms,
                                   .cut_off = 1 }; /* Itself. */
    for (uint32_t i = 0; i < lease->saved.members_count; i++) {
        bool kept = MUTANT(FENCE_ANSWERS_KEPT) && lease->answered[i] != 0;
        lease->answered[i] = kept ? UINT8_MAX : (uint8_t)(lease->answered[i] & ~bit);
        round->cut_off += kept ? 1 : 0;
    }
    CHECK(round->nonce != 0);
    return round->nonce;
}

static bool proves(struct lease *lease, const struct lease_round *round)
{
    uint32_t unsaid = MUTANT(FENCE_ONE_VOUCHER_LESS) ? 1 : 0;
    if (round->cut_off + unsaid < liveness_quorum(lease->saved.members_count)) {
        return false;
    }
    if (round->sent_ms > lease->saved.proof_ms) {
        lease->saved.proof_ms = round->sent_ms;
    }
    return true;
}

struct lease_do lease_tick(struct lease *lease, uint64_t now_ms)
{
    struct lease_do wanted = { .renew = false };
    advance(lease, now_ms);
    if (expired(lease, now_ms)) {
        end(lease);
        wanted.end = true;
    }
    if (now_ms < lease->renew_at_ms) {
        return wanted;
    }
    lease->renew_at_ms = now_ms + LIMIT_NODE_RENEW_MS;
    wanted.renew = true;
    if (lease_run_until(&lease->saved) != 0 && cut_off(lease, now_ms)) {
        wanted.challenge = true;
        wanted.nonce = round_begin(lease);
        (void)proves(lease, &lease->rounds[(lease->rounds_begun - 1) % LEASE_ROUNDS]);
    }
    return wanted;
}

static void adopt(struct lease *lease, const struct lease_ack *ack)
{
    CHECK(ack->members_count <= LIMIT_NODES);
    for (uint32_t i = 0; i < ack->members_count; i++) {
        CHECK(i == 0 || ack->members[i] > ack->members[i - 1]); /* Whoever read it saw to it. */
        lease->saved.members[i] = ack->members[i];
    }
    lease->saved.epoch = ack->epoch;
    lease->saved.members_count = ack->members_count;
    memset(lease->answered, 0, sizeof(lease->answered));
    memset(lease->rounds, 0, sizeof(lease->rounds));
}

bool lease_acked(struct lease *lease, const struct lease_ack *ack, uint64_t now_ms)
{
    struct lease_saved *saved = &lease->saved;
    advance(lease, now_ms);
    bool answers = ack->session == saved->session && ack->seq != 0 && ack->seq <= now_ms;
    if (ack->term < saved->term || ack->number == 0 || !answers || expired(lease, now_ms)) {
        return false; /* INV-FENCE-6 */
    }
    /* One step: the membership, the age, the base; only after it does a renewal repeat the number
     * or a challenge hear the new age (clause 4). */
    if (ack->members != NULL && (ack->epoch > saved->epoch || saved->epoch == 0)) {
        adopt(lease, ack);
    }
    bool newest = ack->term > saved->term || ack->number > saved->number;
    saved->number = newest ? ack->number : saved->number;
    saved->term = ack->term;
    saved->received_ms = now_ms;
    uint64_t base_ms = MUTANT(FENCE_BASE_IS_RECEIPT) ? now_ms : ack->seq;
    saved->base_ms = base_ms > saved->base_ms ? base_ms : saved->base_ms;
    CHECK(saved->base_ms <= now_ms);
    return true;
}

bool lease_challenged(const struct lease *lease, uint64_t now_ms, uint64_t *age_ms_out)
{
    if (lease->saved.received_ms == 0 || now_ms < lease->saved.received_ms) {
        return false; /* Never acknowledged in this boot: nobody counts on it. */
    }
    *age_ms_out = age_of(lease, now_ms);
    return true;
}

bool lease_answered(
    struct lease *lease, uint64_t node, uint64_t nonce, uint64_t age_ms, uint64_t now_ms)
{
    advance(lease, now_ms);
    uint32_t member = member_index(lease, node);
    if (member == UINT32_MAX || node == lease->self || nonce == 0 || expired(lease, now_ms)) {
        return false;
    }
    for (uint32_t i = 0; i < LEASE_ROUNDS; i++) {
        struct lease_round *round = &lease->rounds[i];
        uint8_t bit = (uint8_t)(1U << i);
        if (round->nonce != nonce || (lease->answered[member] & bit) != 0) {
            continue;
        }
        uint64_t since_ms = now_ms - round->sent_ms;
        if (since_ms > FENCE_ANSWER_MS || age_ms < since_ms + FENCE_ATTEST_MS) {
            return false; /* INV-FENCE-8: at the instant of asking it was not cut off for long. */
        }
        lease->answered[member] |= bit;
        round->cut_off++;
        CHECK(round->cut_off <= lease->saved.members_count);
        return proves(lease, round);
    }
    return false;
}
