/* Floors: what every tenant can always have. Refused when a quota is set, not in the disaster; and
 * no start may eat what another tenant's floor promises.
 *
 * Capacities are sums over the cell's nodes; QUOTA_UNLIMITED where a dimension has no capacity
 * (networks). What is asked of one node is the scheduler's business. */
#ifndef QUOTA_FLOOR_H
#define QUOTA_FLOOR_H

#include "quota/ledger.h"

/* Σ floors where a dimension has no capacity: half the range, so that sums of claims cannot wrap.
 */
#define QUOTA_PROMISED_MAX (UINT64_MAX / 2)

/* The part of the capacity that is kept free: rounded up. percent is at most 100. Unlimited
 * dimensions keep nothing. */
struct quota_amounts floor_reserve(const struct quota_amounts *capacity, uint32_t percent);

/* Is each floor at most its cap? REJECT_BAD_FIELD names the dimension. */
enum reject floor_within_cap(
    const struct quota_amounts *floors,
    const struct quota_amounts *cap,
    struct quota_refusal *refusal_out);

/* Σ floors ≤ capacity − reserve in every dimension, or REJECT_FLOOR (INV-LED-3). floors_others is
 * the sum without the tenant whose floor is being set to `floors`. A floor of 0 is never refused.
 */
enum reject floor_admissible(
    const struct quota_amounts *floors_others,
    const struct quota_amounts *floors,
    const struct quota_amounts *capacity,
    const struct quota_amounts *reserve,
    struct quota_refusal *refusal_out);

/* What a tenant claims of the cell: max(placed, floor) in each dimension. Summed by the caller. */
struct quota_amounts floor_claim(
    const struct quota_amounts *placed, const struct quota_amounts *floors);

/* May this tenant place `request` more? The sum of all claims after it stays ≤ capacity − reserve,
 * or REJECT_FLOOR. What stays inside the tenant's own floor is never refused here, even when
 * capacity was lost: that is what a floor is. claims is Σ floor_claim over all tenants. */
enum reject placement_admissible(
    const struct quota_amounts *placed,
    const struct quota_amounts *floors,
    const struct quota_amounts *claims,
    const struct quota_amounts *capacity,
    const struct quota_amounts *reserve,
    const struct quota_amounts *request,
    struct quota_refusal *refusal_out);

/* For the caller's running sums of admitted floors and claims. Neither wraps: what floor_admissible
 * admits stays below QUOTA_PROMISED_MAX, and what is placed is bounded by machines. */
void quota_amounts_add(struct quota_amounts *sum, const struct quota_amounts *amounts);
void quota_amounts_subtract(struct quota_amounts *sum, const struct quota_amounts *amounts);

#endif
