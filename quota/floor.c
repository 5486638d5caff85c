/* Decides whether promises can all be kept, and whether a start would break one.
 * Never looks at a single node, never takes anything back from anybody. */
#include "quota/floor.h"

#include "base/check.h"

enum { PERCENT = 100 };

static uint64_t saturating_add(uint64_t a, uint64_t b)
{
    uint64_t sum = 0;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

/* What may be promised or placed in all: capacity − reserve, never below nothing. */
static uint64_t usable_of(
    const struct quota_amounts *capacity, const struct quota_amounts *reserve, uint32_t d)
{
    if (capacity->of[d] == QUOTA_UNLIMITED) {
        return QUOTA_PROMISED_MAX;
    }
    return capacity->of[d] > reserve->of[d] ? capacity->of[d] - reserve->of[d] : 0;
}

struct quota_amounts floor_reserve(const struct quota_amounts *capacity, uint32_t percent)
{
    CHECK(percent <= PERCENT);
    struct quota_amounts reserve = { { 0 } };
    for (uint32_t d = 0; d < QUOTA_DIMENSIONS; d++) {
        uint64_t whole = capacity->of[d];
        if (whole == QUOTA_UNLIMITED) {
            continue;
        }
        /* Split so that nothing overflows: (100 q + r) × p / 100 = q × p + ⌈r × p / 100⌉. */
        uint64_t rest = (whole % PERCENT) * percent;
        reserve.of[d] = whole / PERCENT * percent + (rest + PERCENT - 1) / PERCENT;
        CHECK(reserve.of[d] <= whole);
    }
    return reserve;
}

enum reject floor_within_cap(
    const struct quota_amounts *floors,
    const struct quota_amounts *cap,
    struct quota_refusal *refusal_out)
{
    for (uint32_t d = 0; d < QUOTA_DIMENSIONS; d++) {
        if (floors->of[d] > cap->of[d]) {
            *refusal_out = (struct quota_refusal){
                .dimension = (enum quota_dimension)d,
                .limit = cap->of[d],
                .requested = floors->of[d],
            };
            return REJECT_BAD_FIELD;
        }
    }
    return REJECT_NONE;
}

enum reject floor_admissible(
    const struct quota_amounts *floors_others,
    const struct quota_amounts *floors,
    const struct quota_amounts *capacity,
    const struct quota_amounts *reserve,
    struct quota_refusal *refusal_out)
{
    for (uint32_t d = 0; d < QUOTA_DIMENSIONS; d++) {
        uint64_t limit = usable_of(capacity, reserve, d);
        uint64_t sum = 0;
        bool overflowed = __builtin_add_overflow(floors_others->of[d], floors->of[d], &sum);
        /* INV-LED-3 */
        if (floors->of[d] != 0 && (overflowed || sum > limit)) {
            *refusal_out = (struct quota_refusal){
                .dimension = (enum quota_dimension)d,
                .limit = limit,
                .usage = floors_others->of[d],
                .requested = floors->of[d],
            };
            return REJECT_FLOOR;
        }
    }
    return REJECT_NONE;
}

static uint64_t claim_of(uint64_t placed, uint64_t promised)
{
    return placed > promised ? placed : promised;
}

struct quota_amounts floor_claim(
    const struct quota_amounts *placed, const struct quota_amounts *floors)
{
    struct quota_amounts claim = { { 0 } };
    for (uint32_t d = 0; d < QUOTA_DIMENSIONS; d++) {
        claim.of[d] = claim_of(placed->of[d], floors->of[d]);
        CHECK(claim.of[d] >= placed->of[d]);
        CHECK(claim.of[d] >= floors->of[d]);
    }
    return claim;
}

enum reject placement_admissible(
    const struct quota_amounts *placed,
    const struct quota_amounts *floors,
    const struct quota_amounts *claims,
    const struct quota_amounts *capacity,
    const struct quota_amounts *reserve,
    const struct quota_amounts *request,
    struct quota_refusal *refusal_out)
{
    for (uint32_t d = 0; d < QUOTA_DIMENSIONS; d++) {
        uint64_t now = claim_of(placed->of[d], floors->of[d]);
        CHECK(claims->of[d] >= now); /* The sum holds this tenant's claim. */
        uint64_t then = claim_of(saturating_add(placed->of[d], request->of[d]), floors->of[d]);
        uint64_t grows_by = then - now;
        uint64_t limit = usable_of(capacity, reserve, d);
        uint64_t sum = saturating_add(claims->of[d], grows_by);
        if (grows_by != 0 && sum > limit) {
            *refusal_out = (struct quota_refusal){
                .dimension = (enum quota_dimension)d,
                .limit = limit,
                .usage = claims->of[d],
                .requested = request->of[d],
            };
            return REJECT_FLOOR;
        }
    }
    return REJECT_NONE;
}

void quota_amounts_add(struct quota_amounts *sum, const struct quota_amounts *amounts)
{
    for (uint32_t d = 0; d < QUOTA_DIMENSIONS; d++) {
        CHECK(sum->of[d] <= UINT64_MAX - amounts->of[d]);
        sum->of[d] += amounts->of[d];
    }
}

void quota_amounts_subtract(struct quota_amounts *sum, const struct quota_amounts *amounts)
{
    for (uint32_t d = 0; d < QUOTA_DIMENSIONS; d++) {
        CHECK(sum->of[d] >= amounts->of[d]);
        sum->of[d] -= amounts->of[d];
    }
}
